//! Open gates for people: who could decide next, with which command, from which fields.
//!
//! Who may decide is core's rule alone ([`gate::may_decide`]); here the known people are tried
//! against it, so that what is suggested works as it is.

use std::collections::HashMap;

use piton_core::account::Principal;
use piton_core::gate::{self, Decider, GateKind, GateRequest, Verdict};
use piton_core::ports::{OpenGate, RunId, RunRow};
use piton_core::secret::masked;
use piton_core::time::Timestamp;
use piton_runner::report::DecisionRow;
use piton_sandbox::Person;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::failure::Failure;
use crate::worlds::World;

/// Aliases for people whom a world does not have yet.
const FURTHER_PEOPLE: [&str; 4] = ["approver", "approver2", "approver3", "approver4"];

/// Those who could decide, as far as it is known without asking AWS.
#[derive(Debug, Clone)]
pub(crate) enum Directory {
    /// The people of a world. Any other alias becomes a person of its own.
    World(Vec<Decider>),
    /// The aliases of piton.toml.
    Aliases(Vec<String>),
}

impl Directory {
    fn of(context: &Context, world: Option<&str>) -> Result<Self, Failure> {
        let Some(name) = world else {
            let accounts = context.accounts()?;
            return Ok(Self::Aliases(accounts.accounts.into_keys().collect()));
        };
        Self::of_world(&context.home()?.worlds().stored(name)?)
    }

    /// The directory as far as it can be read: what waits is shown even where nobody can be
    /// suggested, because a world is gone or piton.toml is wrong.
    pub(crate) fn known(context: &Context, world: Option<&str>) -> Self {
        Self::of(context, world).unwrap_or_else(|_| match world {
            Some(_) => Self::World(Vec::new()),
            None => Self::Aliases(Vec::new()),
        })
    }

    fn of_world(world: &World) -> Result<Self, Failure> {
        Ok(Self::World(world.sandbox.people()?.into_iter().map(decider).collect()))
    }

    /// The alias of somebody who may decide and has not: first those whom the gate names.
    pub(crate) fn next_eligible(&self, gate: &OpenGate) -> Option<String> {
        let request = &gate.request;
        let named = request.from.iter().map(|eligible| eligible.name.as_str());
        let aliases = named.clone().filter(|name| !name.starts_with("arn:"));
        let mut candidates: Vec<Decider> =
            aliases.map(|alias| self.person(alias, request)).collect();
        match self {
            Self::World(people) => {
                candidates.extend(people.iter().cloned());
                if request.from.is_empty() {
                    candidates.extend(FURTHER_PEOPLE.map(|alias| self.person(alias, request)));
                }
            }
            Self::Aliases(aliases) => {
                candidates.extend(aliases.iter().map(|alias| self.person(alias, request)));
            }
        }
        candidates.into_iter().find(|decider| can_answer(gate, decider))?.alias
    }

    /// Enough of a directory for a gate whose first named decider was known when it opened and may
    /// decide: a list of many gates need not open the world of each.
    fn of_gate(gate: &OpenGate) -> Option<Self> {
        let first = gate.request.from.iter().find(|eligible| !eligible.name.starts_with("arn:"))?;
        let (alias, principal) = (Some(first.name.clone()), first.principal.clone()?);
        can_answer(gate, &Decider { alias, principal }).then(|| Self::Aliases(Vec::new()))
    }

    /// An alias as somebody: a known person, whom the gate knew by that name, or a stranger.
    fn person(&self, alias: &str, request: &GateRequest) -> Decider {
        let known = match self {
            Self::World(people) => {
                people.iter().find(|person| person.alias.as_deref() == Some(alias)).cloned()
            }
            Self::Aliases(_) => request
                .from
                .iter()
                .find(|eligible| eligible.name == alias)
                .and_then(|eligible| eligible.principal.clone())
                .map(|principal| Decider { alias: Some(alias.to_owned()), principal }),
        };
        known.unwrap_or_else(|| Decider {
            alias: Some(alias.to_owned()),
            principal: Principal {
                account: "000000000000".to_owned(),
                arn: format!("arn:aws:iam::000000000000:user/{alias}"),
                region: String::new(),
            },
        })
    }
}

fn decider(person: Person) -> Decider {
    let Person { alias, account, arn, region, .. } = person;
    Decider { alias: Some(alias), principal: Principal { account, arn, region } }
}

/// Everyone of a world who may decide a gate and has not. When the world has nobody, the one whom
/// the gate names becomes a person of it.
pub(crate) fn eligible_in(world: &World, gate: &OpenGate) -> Result<Vec<Decider>, Failure> {
    let directory = Directory::of_world(world)?;
    let mut eligible = match &directory {
        Directory::World(people) => {
            people.iter().filter(|decider| can_answer(gate, decider)).cloned().collect()
        }
        Directory::Aliases(_) => Vec::new(),
    };
    if eligible.is_empty()
        && let Some(alias) = directory.next_eligible(gate)
    {
        eligible.push(decider(world.sandbox.person(&alias)?));
    }
    Ok(eligible)
}

/// Whether somebody may decide a gate and has not.
pub(crate) fn can_answer(gate: &OpenGate, decider: &Decider) -> bool {
    let answered = gate
        .decisions
        .iter()
        .any(|decision| decision.by.principal.is_same_person(&decider.principal));
    !answered && gate::may_decide(&gate.request, decider).is_ok()
}

/// One row of `inbox`.
#[derive(Debug, Serialize)]
pub(crate) struct InboxItem {
    pub(crate) run: String,
    pub(crate) gate: String,
    pub(crate) kind: GateKind,
    pub(crate) name: String,
    pub(crate) opened_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) need: u32,
    pub(crate) from: Vec<String>,
    pub(crate) show: Value,
    pub(crate) digest: String,
    pub(crate) decisions: Vec<DecisionRow>,
    pub(crate) approve_with: String,
    pub(crate) reject_with: String,
}

impl InboxItem {
    /// An open gate of a run.
    pub(crate) fn new(
        context: &Context,
        run: &RunId,
        gate: &OpenGate,
        directory: &Directory,
    ) -> Self {
        let request = &gate.request;
        let next = directory.next_eligible(gate);
        let command = |verdict| decide_with(context, run, request, next.as_deref(), verdict);
        Self {
            run: run.0.clone(),
            gate: request.gate.clone(),
            kind: request.kind,
            name: request.name.clone(),
            opened_at: gate.opened_at,
            expires_at: request.expires_at,
            need: request.need,
            from: request.from.iter().map(|eligible| eligible.name.clone()).collect(),
            show: masked(&request.show),
            digest: request.digest.to_string(),
            decisions: gate.decisions.iter().map(DecisionRow::from).collect(),
            approve_with: command(Verdict::Approve),
            reject_with: command(Verdict::Reject),
        }
    }
}

/// A complete command that decides a gate.
fn decide_with(
    context: &Context,
    run: &RunId,
    request: &GateRequest,
    alias: Option<&str>,
    verdict: Verdict,
) -> String {
    let verb = match verdict {
        Verdict::Approve => "approve",
        Verdict::Reject => "reject",
    };
    let mut words: Vec<String> =
        [verb, &run.0, &request.gate].into_iter().map(str::to_owned).collect();
    if let Some(alias) = alias {
        words.extend(["--as".to_owned(), alias.to_owned()]);
    }
    if verdict == Verdict::Approve {
        for (name, rule) in request.form.as_object().into_iter().flatten() {
            if !rule.get("optional").and_then(Value::as_bool).unwrap_or(false) {
                words.extend(["--field".to_owned(), format!("{name}={}", sample(rule))]);
            }
        }
        if request.evidence.is_some() {
            words.extend(["-m".to_owned(), "done".to_owned()]);
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    context.command(&words)
}

/// A value that a form's field takes.
pub(crate) fn sample(rule: &Value) -> String {
    let first = rule.get("enum").and_then(Value::as_array).and_then(|allowed| allowed.first());
    let preset = rule.get("preset").filter(|value| !value.is_null());
    match preset.or(first) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => match rule.get("type").and_then(Value::as_str) {
            Some("int" | "integer" | "float" | "number") => "1".to_owned(),
            Some("bool" | "boolean") => "true".to_owned(),
            _ => "ok".to_owned(),
        },
    }
}

/// The fields that were given as `name=text`, in the types that the form asks for.
pub(crate) fn fields(form: &Value, given: &[String]) -> Result<Value, Failure> {
    let mut fields = Map::new();
    for field in given {
        let (name, text) = field
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("`--field {field}` is not NAME=VALUE")))?;
        fields.insert(name.to_owned(), field_value(form.get(name), text));
    }
    Ok(if fields.is_empty() { Value::Null } else { Value::Object(fields) })
}

/// A field's text as the value that its rule asks for.
pub(crate) fn field_value(rule: Option<&Value>, text: &str) -> Value {
    let plain = Value::String(text.to_owned());
    let parsed = serde_json::from_str::<Value>(text).unwrap_or_else(|_| plain.clone());
    let rule = rule.unwrap_or(&Value::Null);
    let allowed = rule.get("enum").and_then(Value::as_array);
    if let Some(allowed) = allowed {
        return if allowed.contains(&plain) { plain } else { parsed };
    }
    match rule.get("type").and_then(Value::as_str) {
        Some("string") | None => plain,
        Some(_) => parsed,
    }
}

/// Whether the answers so far settle a gate: it is closed as soon as somebody drives the run.
pub(crate) fn is_decided(gate: &OpenGate) -> bool {
    let last = gate.decisions.last().map_or(gate.opened_at, |decision| decision.at);
    gate::verdict(&gate.request, &gate.decisions, last).is_some()
}

/// Gates of every run that wait for somebody, newest run first.
pub(crate) fn open_everywhere(context: &Context) -> Result<Vec<(RunRow, OpenGate)>, Failure> {
    let journal = context.journal()?;
    let mut rows: HashMap<RunId, RunRow> =
        journal.runs()?.into_iter().map(|row| (row.run.clone(), row)).collect();
    let mut open = Vec::new();
    for (run, gates) in journal.gates_of_all()? {
        let Some(row) = rows.remove(&run) else { continue };
        let asks = !row.summary.gates.is_empty()
            && !row.status().is_final()
            && row.summary.rolled_back_by.is_none();
        if asks {
            let undecided = gates.into_iter().filter(|gate| !is_decided(gate));
            open.extend(undecided.map(|gate| (row.clone(), gate)));
        }
    }
    Ok(open)
}

/// Rows of the inbox for these gates.
pub(crate) fn items(context: &Context, open: &[(RunRow, OpenGate)]) -> Vec<InboxItem> {
    let mut directories: HashMap<Option<String>, Directory> = HashMap::new();
    let mut items = Vec::new();
    for (row, gate) in open {
        if let Some(directory) = Directory::of_gate(gate) {
            items.push(InboxItem::new(context, &row.run, gate, &directory));
            continue;
        }
        let world = row.summary.world.clone();
        if !directories.contains_key(&world) {
            let directory = Directory::known(context, world.as_deref());
            directories.insert(world.clone(), directory);
        }
        items.push(InboxItem::new(context, &row.run, gate, &directories[&world]));
    }
    items
}

/// Who may decide, in words.
pub(crate) fn who_may(request: &GateRequest) -> String {
    if request.from.is_empty() {
        return match (&request.requester, request.by_requester) {
            (Some(requester), false) => format!("anybody but {}", requester.stable_arn()),
            _ => "anybody".to_owned(),
        };
    }
    let names: Vec<&str> = request.from.iter().map(|eligible| eligible.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{field_value, sample};

    #[test]
    fn fields_take_the_types_of_the_form() {
        assert_eq!(field_value(Some(&json!({"type": "int"})), "3"), json!(3));
        assert_eq!(field_value(Some(&json!({"type": "string"})), "3"), json!("3"));
        assert_eq!(field_value(Some(&json!({"enum": [1, 2]})), "2"), json!(2));
        assert_eq!(field_value(Some(&json!({"enum": ["1"]})), "1"), json!("1"));
        assert_eq!(field_value(None, "x"), json!("x"));
    }

    #[test]
    fn a_suggested_field_is_one_that_the_form_takes() {
        assert_eq!(sample(&json!({"enum": ["low", "high"]})), "low");
        assert_eq!(sample(&json!({"type": "bool"})), "true");
        assert_eq!(sample(&json!({})), "ok");
    }
}
