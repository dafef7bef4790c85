//! Whether what a run made or worked with is still as it left it: read again, long after, and held
//! against what its journal knows. Nothing is changed and nothing is recorded.

use std::collections::{HashMap, HashSet};

use piton_core::account::AccountRef;
use piton_core::catalogue::{FieldChange, Standing};
use piton_core::compensation::{KnownThing, Origin};
use piton_core::key::Key;
use piton_core::ports::{AwsError, Call, CallFailure, IdentifyError, RunId, failure_text};
use piton_core::status::RunStatus;
use serde::Serialize;
use serde_json::Value;

use crate::calls::strip_absent;
use crate::engine::{Engine, RunnerError};
use crate::lifecycle::{Story, read_story};
use crate::rollback::ledger;

/// How the things of a run stand now.
#[derive(Debug, Clone, Serialize)]
pub struct Drift {
    /// The run.
    pub run: RunId,
    /// Its runbook.
    pub runbook: String,
    /// Every thing that was looked at, in the order in which the run met them.
    pub things: Vec<ThingNow>,
}

/// One thing and how it stands.
#[derive(Debug, Clone, Serialize)]
pub struct ThingNow {
    /// What it is, for people: `project poc-publish`.
    pub what: String,
    /// The run made it, or found it there.
    pub origin: Origin,
    /// Account that it was read as.
    pub account: String,
    /// The read, `datazone.get_project`.
    pub read: String,
    /// Key of the call that made it.
    pub key: Option<Key>,
    /// How it stands.
    pub standing: StandingNow,
    /// What is not as it was.
    pub differences: Vec<FieldChange>,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingNow {
    /// As it was.
    Same,
    /// Somebody changed it.
    Changed,
    /// Another one has its name.
    Replaced,
    /// There is none.
    Gone,
    /// It could not be read: nothing is known.
    Unknown,
}

impl StandingNow {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Replaced => "replaced",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }
}

impl Drift {
    /// Whether anything is not as the run left it. What could not be read counts too: nobody can say.
    pub fn is_none(&self) -> bool {
        self.things.iter().all(|thing| thing.standing == StandingNow::Same)
    }
}

/// See [`Engine::drift`].
pub(crate) fn drift(engine: &Engine, run: &RunId) -> Result<Drift, RunnerError> {
    let journal = engine.ports.journal.as_ref();
    let row = journal.find(&run.0)?;
    let Story { started, bound, .. } = read_story(engine, &row.run, row.head)?;
    let ledger = ledger(journal, &row.run)?;
    let was_taken_back = row.summary.status == RunStatus::Compensated;
    let mut people: HashMap<AccountRef, Option<String>> = HashMap::new();
    let mut things: Vec<ThingNow> = Vec::new();
    let made = made_names(ledger.things());
    for known in distinct(ledger.things()) {
        let is_ours = known.origin == Origin::Made || is_within(known, &made);
        // What was taken back is gone as wished.
        if was_taken_back && is_ours {
            continue;
        }
        let problem = people.entry(known.account.clone()).or_insert_with(|| {
            let recorded = bound.get(&known.account);
            let identified = engine.ports.operations.identify(&known.account);
            match (engine.runtime.block_on(identified), recorded) {
                (Ok(now), Some(recorded)) if !now.is_same_person(recorded) => Some(format!(
                    "`{}` is {} now, and was {} in the run",
                    known.account,
                    now.stable_arn(),
                    recorded.stable_arn()
                )),
                (Ok(_), _) => None,
                (Err(error), _) => Some(identify_text(&error)),
            }
        });
        things.push(match problem {
            Some(problem) => row_of(known, StandingNow::Unknown, Vec::new(), Some(problem.clone())),
            None => look(engine, known),
        });
        if let (true, Some(last)) = (is_ours, things.last_mut()) {
            last.origin = Origin::Made;
        }
    }
    Ok(Drift { run: row.run, runbook: started.runbook, things })
}

/// Names and ids of what the run made.
fn made_names(things: &[KnownThing]) -> HashSet<&str> {
    things
        .iter()
        .filter(|thing| thing.origin == Origin::Made)
        .flat_map(|thing| {
            let paths = thing.thing.anchors.iter().chain([&thing.thing.name]);
            paths.filter_map(|path| thing.known.get(path).and_then(Value::as_str))
        })
        .collect()
}

/// Whether a thing is part of something that the run made: the policy of a role, what is in a domain.
fn is_within(thing: &KnownThing, made: &HashSet<&str>) -> bool {
    let members = thing.input.as_object().into_iter().flatten();
    members.filter_map(|(_, value)| value.as_str()).any(|value| made.contains(value))
}

/// Things that the run still knew at its end, each once: one that was read by its name and by its ARN
/// has the same anchors.
fn distinct(things: &[KnownThing]) -> Vec<&KnownThing> {
    let mut out: Vec<&KnownThing> = Vec::new();
    for thing in things.iter().filter(|thing| !thing.removed) {
        let anchors = |thing: &KnownThing| -> Vec<Value> {
            let paths = thing.thing.anchors.iter();
            paths.filter_map(|path| thing.known.get(path).cloned()).collect()
        };
        let own = anchors(thing);
        let is_known = !own.is_empty()
            && out.iter().any(|other| {
                other.service == thing.service
                    && other.operation == thing.operation
                    && anchors(other) == own
            });
        if !is_known {
            out.push(thing);
        }
    }
    out
}

fn look(engine: &Engine, known: &KnownThing) -> ThingNow {
    let (operation, all_pages) = match known.operation.strip_suffix("_all") {
        Some(first) => (first, true),
        None => (known.operation.as_str(), false),
    };
    let call = Call {
        account: known.account.clone(),
        service: known.service.clone(),
        operation: operation.to_owned(),
        input: known.input.clone(),
    };
    let operations = engine.ports.operations.as_ref();
    let answered = match all_pages {
        true => engine.runtime.block_on(crate::pages::all(operations, call)),
        false => engine.runtime.block_on(operations.perform(&call)),
    };
    match answered {
        Ok(answer) => {
            let standing = known.thing.standing(&known.known, &strip_absent(answer.output));
            let (now, differences) = match standing {
                Standing::Same => (StandingNow::Same, Vec::new()),
                Standing::Gone => (StandingNow::Gone, Vec::new()),
                Standing::Replaced { differences } => (StandingNow::Replaced, differences),
                Standing::Changed { differences } => (StandingNow::Changed, differences),
            };
            row_of(known, now, differences, None)
        }
        Err(CallFailure::Refused(AwsError { code, .. })) if known.thing.gone_on.contains(&code) => {
            row_of(known, StandingNow::Gone, Vec::new(), None)
        }
        Err(failure) => {
            row_of(known, StandingNow::Unknown, Vec::new(), Some(failure_text(&failure)))
        }
    }
}

fn row_of(
    known: &KnownThing,
    standing: StandingNow,
    differences: Vec<FieldChange>,
    error: Option<String>,
) -> ThingNow {
    ThingNow {
        what: known.title(),
        origin: known.origin,
        account: known.account.to_string(),
        read: format!("{}.{}", known.service, known.operation),
        key: known.made_by.clone(),
        standing,
        differences,
        error,
    }
}

fn identify_text(error: &IdentifyError) -> String {
    match error {
        IdentifyError::Call(failure) => failure_text(failure),
        other => other.to_string(),
    }
}
