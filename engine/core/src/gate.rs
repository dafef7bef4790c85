//! Approvals: what a gate asks, who may answer, what the answers add up to.
//!
//! Every path that decides (the command line, the inbox, a driver that reads the mailbox) goes
//! through [`admit`] and [`verdict`]; nothing else may know these rules.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::{Principal, without_session};
use crate::canonical::{self, Digest};
use crate::key::Key;
use crate::time::Timestamp;

/// What a gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    /// People decide.
    Approval,
    /// A person does something by hand and confirms it.
    Manual,
}

/// What happens when a gate's time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpire {
    /// The gate counts as rejected.
    Reject,
    /// The gate counts as approved; for reminders, not for permissions.
    Approve,
}

/// What a gate asks, as committed when it opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRequest {
    /// Name and iteration path: how people address it.
    pub gate: String,
    /// Name as the author wrote it.
    pub name: String,
    /// Approval or manual.
    pub kind: GateKind,
    /// What the decider sees; part of the digest.
    #[serde(default)]
    pub show: Value,
    /// Who may decide; empty means anybody but the requester.
    #[serde(default)]
    pub from: Vec<Eligible>,
    /// How many different people must approve.
    pub need: u32,
    /// Who may not, besides the requester.
    #[serde(default)]
    pub exclude: Vec<Eligible>,
    /// The requester may decide too.
    #[serde(default, rename = "self")]
    pub by_requester: bool,
    /// Principal that started the run.
    #[serde(default)]
    pub requester: Option<Principal>,
    /// When it expires.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// What expiry does.
    pub on_expire: OnExpire,
    /// Fields that the decider fills, by name.
    #[serde(default)]
    pub form: Value,
    /// What a person is to do, for a manual gate.
    #[serde(default)]
    pub instructions: Option<String>,
    /// What the person is to hand in, for a manual gate.
    #[serde(default)]
    pub evidence: Option<String>,
    /// The script reads a rejection instead of ending.
    #[serde(default)]
    pub returns_rejection: bool,
    /// Digest of the program, the gate, what it shows and all that led to it.
    pub digest: Digest,
}

/// Somebody who is named in a gate's rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Eligible {
    /// Alias or ARN as the author wrote it.
    pub name: String,
    /// The principal it stood for when the gate opened; absent for an ARN or an unbound alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}

impl Eligible {
    fn is(&self, decider: &Decider) -> bool {
        let by_alias = decider.alias.as_ref().is_some_and(|alias| *alias == self.name);
        match &self.principal {
            Some(principal) => principal.is_same_person(&decider.principal),
            // An alias that was not bound yet is known by its name alone: only the sandbox and the
            // decider's own piton.toml can say who it is.
            None if !self.name.starts_with("arn:") => by_alias,
            None => without_session(&self.name) == decider.principal.stable_arn(),
        }
    }
}

/// Somebody who wants to decide, with a proven identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decider {
    /// The alias they came with, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Who they proved to be.
    pub principal: Principal,
}

/// Approve or reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Go on.
    Approve,
    /// Do not.
    Reject,
}

impl Verdict {
    /// `approved` or `rejected`.
    pub fn past(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
        }
    }
}

/// One answer to a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The gate, by name and iteration path.
    pub gate: String,
    /// The answer.
    pub verdict: Verdict,
    /// Who.
    pub by: Decider,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The form's fields.
    #[serde(default)]
    pub fields: Value,
    /// What was handed in: file name and digest, with the text when it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// When.
    pub at: Timestamp,
    /// The digest that was approved.
    pub digest: Digest,
}

impl Decision {
    /// Whether both say the same: a repeated answer is no second one.
    pub fn is_equal_answer(&self, other: &Self) -> bool {
        self.gate == other.gate
            && self.verdict == other.verdict
            && self.by.principal.is_same_person(&other.by.principal)
    }
}

/// What a person handed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// File name.
    pub name: String,
    /// Digest of the contents.
    pub digest: Digest,
    /// Contents, when they are text of at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// How a gate closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// The gate, by name and iteration path.
    pub gate: String,
    /// How.
    pub closed: Closed,
    /// When it was decided: the last decision that counted, the expiry, or the world's own time.
    pub at: Timestamp,
    /// What the script gets.
    pub value: Value,
}

/// How a gate closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// Enough people approved.
    Approved,
    /// Somebody rejected.
    Rejected,
    /// The time was up.
    Expired,
}

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Not among those who may decide.
    #[error("{who} may not decide the gate `{gate}`: {why}")]
    NotEligible {
        /// The gate.
        gate: String,
        /// The decider.
        who: String,
        /// The rule that says so.
        why: String,
    },
    /// Somebody else was first, with another answer.
    #[error("the gate `{gate}` was already {verdict} by {by} at {at}")]
    Conflict {
        /// The gate.
        gate: String,
        /// `approved` or `rejected`.
        verdict: &'static str,
        /// Who was first.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The time is up.
    #[error("the gate `{gate}` expired at {at}")]
    Expired {
        /// The gate.
        gate: String,
        /// When.
        at: Timestamp,
    },
    /// A field of the form is missing or unknown.
    #[error("the gate `{gate}` asks for fields: {problem}")]
    Form {
        /// The gate.
        gate: String,
        /// What is wrong.
        problem: String,
    },
    /// A manual gate wants evidence.
    #[error("the gate `{gate}` asks for evidence ({wanted}): hand it in with --evidence FILE")]
    Evidence {
        /// The gate.
        gate: String,
        /// What is wanted.
        wanted: String,
    },
}

/// What becomes of an answer that is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It counts.
    Counts,
    /// The same person said the same before: nothing changes.
    Repeated,
}

/// Whether `decision` may be recorded at a gate that already has `earlier` answers.
pub fn admit(
    gate: &GateRequest,
    earlier: &[Decision],
    decision: &Decision,
) -> Result<Admission, Refusal> {
    if earlier.iter().any(|first| first.is_equal_answer(decision)) {
        return Ok(Admission::Repeated);
    }
    may_decide(gate, &decision.by)?;
    if let Some(at) = gate.expires_at
        && decision.at >= at
    {
        return Err(Refusal::Expired { gate: gate.gate.clone(), at });
    }
    let decided = verdict(gate, earlier, decision.at);
    let contradicts = earlier.iter().find(|first| {
        decided.is_some() || first.by.principal.is_same_person(&decision.by.principal)
    });
    if let Some(first) = contradicts {
        return Err(Refusal::Conflict {
            gate: gate.gate.clone(),
            verdict: first.verdict.past(),
            by: first.by.principal.stable_arn().to_owned(),
            at: first.at,
        });
    }
    if decision.verdict == Verdict::Approve {
        check_form(gate, &decision.fields)?;
        if let Some(wanted) = &gate.evidence
            && decision.evidence.is_none()
            && decision.comment.is_none()
        {
            return Err(Refusal::Evidence { gate: gate.gate.clone(), wanted: wanted.clone() });
        }
    }
    Ok(Admission::Counts)
}

/// Whether somebody may decide a gate at all, whatever was answered so far.
pub fn may_decide(gate: &GateRequest, decider: &Decider) -> Result<(), Refusal> {
    let refuse = |why: String| {
        Err(Refusal::NotEligible {
            gate: gate.gate.clone(),
            who: decider.principal.stable_arn().to_owned(),
            why,
        })
    };
    let is_requester =
        gate.requester.as_ref().is_some_and(|who| who.is_same_person(&decider.principal));
    if is_requester && !gate.by_requester {
        return refuse("whoever started the run does not decide in it".to_owned());
    }
    if gate.exclude.iter().any(|excluded| excluded.is(decider)) {
        return refuse("the gate excludes them by name".to_owned());
    }
    let named = gate.from.iter().any(|eligible| eligible.is(decider));
    if !gate.from.is_empty() && !named {
        let names: Vec<&str> = gate.from.iter().map(|eligible| eligible.name.as_str()).collect();
        return refuse(format!("it is for {}", names.join(", ")));
    }
    Ok(())
}

/// What the answers to a gate add up to at a moment; nothing while it stays open. `decisions` are
/// those that were admitted, in order. The first that settles the gate counts, also against an
/// expiry that came after it.
pub fn verdict(gate: &GateRequest, decisions: &[Decision], now: Timestamp) -> Option<GateResult> {
    let result = |closed, at, value| GateResult { gate: gate.gate.clone(), closed, at, value };
    let mut approvals = 0;
    for decision in decisions {
        match decision.verdict {
            Verdict::Reject => {
                return Some(result(Closed::Rejected, decision.at, answer(decision)));
            }
            Verdict::Approve => {
                approvals += 1;
                if approvals >= gate.need {
                    return Some(result(Closed::Approved, decision.at, answer(decision)));
                }
            }
        }
    }
    let at = gate.expires_at.filter(|at| now >= *at)?;
    let (closed, word) = match gate.on_expire {
        OnExpire::Approve => (Closed::Approved, "approved"),
        OnExpire::Reject => (Closed::Expired, "expired"),
    };
    Some(result(closed, at, serde_json::json!({ "decision": word, "by": null, "at": at })))
}

/// What the script gets of a decision.
fn answer(decision: &Decision) -> Value {
    serde_json::json!({
        "decision": decision.verdict.past(),
        "by": decision.by.principal.stable_arn(),
        "alias": decision.by.alias,
        "comment": decision.comment,
        "fields": decision.fields,
        "evidence": decision.evidence.as_ref().map(|evidence| evidence.name.clone()),
        "at": decision.at,
        "settled": false,
    })
}

fn check_form(gate: &GateRequest, fields: &Value) -> Result<(), Refusal> {
    let refuse = |problem| Err(Refusal::Form { gate: gate.gate.clone(), problem });
    let empty = serde_json::Map::new();
    let asked = gate.form.as_object().unwrap_or(&empty);
    let given = fields.as_object().unwrap_or(&empty);
    for (name, rule) in asked {
        let value = given.get(name).filter(|value| !value.is_null());
        let optional = rule.get("optional").and_then(Value::as_bool).unwrap_or(false);
        match value {
            None if !optional => {
                return refuse(format!("`{name}` is missing (--field {name}=...)"));
            }
            None => {}
            Some(value) => {
                let allowed = rule.get("enum").and_then(Value::as_array);
                if allowed.is_some_and(|allowed| !allowed.contains(value)) {
                    return refuse(format!("`{name}` is none of {}", rule["enum"]));
                }
            }
        }
    }
    match given.keys().find(|name| !asked.contains_key(*name)) {
        Some(unknown) => refuse(format!("`{unknown}` is not one of its fields")),
        None => Ok(()),
    }
}

/// The digest of a gate: the program, its key, what it shows, and all that led to it. A resume that
/// would show something else has another digest, and earlier approvals are void.
pub fn digest(program: &Digest, key: &Key, show: &Value, ancestry: &Digest) -> Digest {
    Digest::of_parts([
        program.bytes().as_slice(),
        key.as_str().as_bytes(),
        canonical::text(show).as_bytes(),
        ancestry.bytes(),
    ])
}
