//! What may be repeated: the idempotency class of each operation, and how a doubt is looked up.
//!
//! The class comes from the reviewed table in `catalogue.json` first, then from what the service
//! model says. A mutating operation that neither knows is [`Class::Unsafe`]: nothing is guessed.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::status::Candidate;
use crate::time::{Span, Timestamp};

/// What a repeated call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It changes nothing.
    Read,
    /// A repeated token has no second effect; the engine gives the token.
    Token,
    /// The same call again leaves the same state.
    Put,
    /// A second call may make a second thing: look for the first by its natural key.
    NaturalKey,
    /// Nobody can say: a doubt is for a person.
    Unsafe,
}

impl Class {
    /// Whether the call changes AWS.
    pub fn is_mutating(self) -> bool {
        self != Self::Read
    }

    /// The word in journals and `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Token => "token",
            Self::Put => "put",
            Self::NaturalKey => "natural_key",
            Self::Unsafe => "unsafe",
        }
    }
}

/// What the service model says about an operation.
#[derive(Debug, Clone, Copy, Default)]
pub struct ModelFacts {
    /// The input has a member that is flagged as an idempotency token.
    pub has_token: bool,
    /// The model says that repeating the call has the effect of one call.
    pub idempotent: bool,
    /// The model says that the call changes nothing.
    pub readonly: bool,
}

/// One row of the reviewed table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// Class.
    pub class: Class,
    /// Input member that takes the token, when the model does not flag one.
    #[serde(default)]
    pub token_member: Option<String>,
    /// How a doubt is looked up.
    #[serde(default)]
    pub find: Option<Finder>,
    /// Why the class is what it is, where that is not obvious.
    #[serde(default)]
    pub why: Option<String>,
}

/// How to look for what a call in doubt may have made.
///
/// In templates a string `$input.a.b` is that part of the call's input, `$found.a.b` that part of
/// a candidate; everything else is literal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finder {
    /// Script's name of the operation that looks, of the same service.
    pub operation: String,
    /// Template of its input.
    pub input: Value,
    /// Where its output has candidates, a dotted path; absent when the output is the candidate.
    #[serde(default)]
    pub items: Option<String>,
    /// What a candidate must have: dotted path to template.
    #[serde(default, rename = "where")]
    pub matches: BTreeMap<String, Value>,
    /// Where a candidate has its time of creation: an older one is not from this call.
    #[serde(default)]
    pub created: Option<String>,
    /// Dotted path of a candidate's id, for people.
    #[serde(default)]
    pub id: Option<String>,
    /// A second read that answers what the call would have answered, input by template.
    #[serde(default)]
    pub then: Option<Then>,
    /// Template of the output to go on with; absent when the (second) answer is that output.
    #[serde(default)]
    pub output: Option<Value>,
    /// Error codes of the search that mean: there is none.
    #[serde(default)]
    pub none_on: Vec<String>,
    /// The call removes: no candidate means that it had its effect, with this output.
    #[serde(default)]
    pub gone_is_done: bool,
}

/// A second read of a [`Finder`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// Script's name of the operation.
    pub operation: String,
    /// Template of its input.
    pub input: Value,
}

/// Clocks of AWS and of this machine may differ by this much before a candidate counts as older
/// than the call.
const CLOCK_SKEW: Span = Span::from_secs(60);

fn table() -> &'static BTreeMap<String, Reviewed> {
    static TABLE: OnceLock<BTreeMap<String, Reviewed>> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_json::from_str(include_str!("catalogue.json"))
            .expect("the reviewed table is part of the program and is parsed by a test")
    })
}

/// The reviewed row of an operation.
pub fn reviewed(service: &str, operation: &str) -> Option<&'static Reviewed> {
    table().get(&format!("{service}.{operation}"))
}

/// The operations that the table has, `service.operation`, in order.
pub fn reviewed_operations() -> impl Iterator<Item = &'static str> {
    table().keys().map(String::as_str)
}

const READ_PREFIXES: [&str; 9] = [
    "get_",
    "list_",
    "describe_",
    "search",
    "batch_get_",
    "lookup_",
    "query_",
    "head_",
    "simulate_",
];

/// The class of an operation.
pub fn class(service: &str, operation: &str, facts: ModelFacts) -> Class {
    if let Some(reviewed) = reviewed(service, operation) {
        return reviewed.class;
    }
    let is_read = READ_PREFIXES.iter().any(|prefix| operation.starts_with(prefix));
    if facts.readonly || is_read {
        Class::Read
    } else if facts.has_token {
        Class::Token
    } else if facts.idempotent {
        Class::Put
    } else {
        Class::Unsafe
    }
}

/// What a search for a call in doubt found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nothing: the call had no effect.
    Nothing,
    /// Exactly one thing that can only be from this call.
    One(Value),
    /// Several that may be: a person decides.
    Several(Vec<Candidate>),
}

impl Finder {
    /// The input of the search for a call with `input`.
    pub fn search_input(&self, input: &Value) -> Value {
        fill(&self.input, input, &Value::Null)
    }

    /// What the answer of the search says about the call that was sent at `sent_at`.
    pub fn judge(&self, input: &Value, answer: &Value, sent_at: Timestamp) -> Found {
        let all: Vec<&Value> = match &self.items {
            None => vec![answer],
            Some(path) => match part(answer, path) {
                Value::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            },
        };
        let mut candidates: Vec<&Value> = all
            .into_iter()
            .filter(|candidate| {
                self.matches.iter().all(|(path, template)| {
                    let wanted = fill(template, input, candidate);
                    wanted.is_null() || *part(candidate, path) == wanted
                })
            })
            .filter(|candidate| self.may_be_from(candidate, sent_at))
            .collect();
        match candidates.len() {
            0 => Found::Nothing,
            1 => Found::One(candidates.remove(0).clone()),
            _ => Found::Several(
                candidates
                    .into_iter()
                    .map(|candidate| Candidate {
                        id: self.candidate_id(candidate),
                        output: candidate.clone(),
                    })
                    .collect(),
            ),
        }
    }

    fn may_be_from(&self, candidate: &Value, sent_at: Timestamp) -> bool {
        let Some(path) = &self.created else { return true };
        let created = match part(candidate, path) {
            Value::String(text) => text.parse::<Timestamp>().ok(),
            Value::Number(seconds) => {
                seconds.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64))
            }
            _ => None,
        };
        // A candidate that does not say when it was made cannot be ruled out.
        created.is_none_or(|created| created.after(CLOCK_SKEW) >= sent_at)
    }

    /// A candidate's id, for people.
    pub fn candidate_id(&self, candidate: &Value) -> String {
        let id = self.id.as_ref().map_or(&Value::Null, |path| part(candidate, path));
        id.as_str().map_or_else(|| candidate.to_string(), str::to_owned)
    }

    /// The second read for a candidate, when there is one: operation and input.
    pub fn then_input(&self, input: &Value, found: &Value) -> Option<(&str, Value)> {
        self.then.as_ref().map(|then| (then.operation.as_str(), fill(&then.input, input, found)))
    }

    /// The output that the run goes on with.
    pub fn adopted_output(&self, input: &Value, found: &Value) -> Value {
        self.output.as_ref().map_or_else(|| found.clone(), |output| fill(output, input, found))
    }
}

/// A part of a value by dotted path; `null` when it is not there. An empty path is the whole.
pub fn part<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').filter(|name| !name.is_empty()).fold(value, |value, name| match value {
        Value::Array(items) => {
            name.parse::<usize>().ok().and_then(|index| items.get(index)).unwrap_or(&Value::Null)
        }
        other => other.get(name).unwrap_or(&Value::Null),
    })
}

fn fill(template: &Value, input: &Value, found: &Value) -> Value {
    match template {
        Value::String(text) => match text.split_once('.') {
            Some(("$input", path)) => part(input, path).clone(),
            Some(("$found", path)) => part(found, path).clone(),
            _ if text == "$found" => found.clone(),
            _ => template.clone(),
        },
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| (name.clone(), fill(member, input, found)))
                .filter(|(_, member)| !member.is_null())
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| fill(item, input, found)).collect(),
        other => other.clone(),
    }
}
