//! Searches for what a call in doubt may have made or removed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::template::{Scope, part, places};
use crate::status::Candidate;
use crate::time::{Span, Timestamp};

/// How to look for what a call in doubt may have made. Inputs and outputs are templates over
/// `$input` and `$found`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finder {
    /// Script's name of the operation that looks, of the same service; `..._all` reads every page.
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
    /// Nothing proves that a candidate is from this call: it is shown to a person, never adopted.
    #[serde(default)]
    pub unproven: bool,
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

/// What a search for a call in doubt found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nothing: the call had no effect.
    Nothing,
    /// Exactly one thing that can only be from this call.
    One(Value),
    /// Some that may be: a person decides.
    Several(Vec<Candidate>),
}

/// Clocks of AWS and of this machine may differ by this much before a candidate counts as older
/// than the call.
const CLOCK_SKEW: Span = Span::from_secs(60);

impl Finder {
    /// The members of the call's input that make up the natural key, in order of name.
    pub fn natural_key(&self) -> Vec<&str> {
        let searched = places(&self.input);
        let compared = self.matches.values().flat_map(places);
        let mut key: Vec<&str> = searched
            .into_iter()
            .chain(compared)
            .filter_map(|it| it.strip_prefix("$input."))
            .collect();
        key.sort_unstable();
        key.dedup();
        key
    }

    /// The input of the search for a call with `input`.
    pub fn search_input(&self, input: &Value) -> Value {
        Scope::searched(input, &Value::Null).fill(&self.input)
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
            .filter(|candidate| self.fits(input, candidate))
            .filter(|candidate| self.may_be_from(candidate, sent_at))
            .collect();
        match candidates.len() {
            0 => Found::Nothing,
            1 if !self.unproven => Found::One(candidates.remove(0).clone()),
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

    fn fits(&self, input: &Value, candidate: &Value) -> bool {
        self.matches.iter().all(|(path, template)| {
            let wanted = Scope::searched(input, candidate).fill(template);
            wanted.is_null() || *part(candidate, path) == wanted
        })
    }

    fn may_be_from(&self, candidate: &Value, sent_at: Timestamp) -> bool {
        // A candidate that does not say when it was made cannot be ruled out.
        !self.is_older(candidate, sent_at)
    }

    /// Whether a candidate says that it was made before a call that was sent at `sent_at`.
    pub fn is_older(&self, candidate: &Value, sent_at: Timestamp) -> bool {
        let Some(path) = &self.created else { return false };
        let created = match part(candidate, path) {
            Value::String(text) => text.parse::<Timestamp>().ok(),
            Value::Number(seconds) => {
                seconds.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64))
            }
            _ => None,
        };
        created.is_some_and(|created| created.after(CLOCK_SKEW) < sent_at)
    }

    /// A candidate's id, for people.
    pub fn candidate_id(&self, candidate: &Value) -> String {
        let id = self.id.as_ref().map_or(&Value::Null, |path| part(candidate, path));
        id.as_str().map_or_else(|| candidate.to_string(), str::to_owned)
    }

    /// The second read for a candidate, when there is one: operation and input.
    pub fn then_input(&self, input: &Value, found: &Value) -> Option<(&str, Value)> {
        let scope = Scope::searched(input, found);
        self.then.as_ref().map(|then| (then.operation.as_str(), scope.fill(&then.input)))
    }

    /// The output that the run goes on with.
    pub fn adopted_output(&self, input: &Value, found: &Value) -> Value {
        let scope = Scope::searched(input, found);
        self.output.as_ref().map_or_else(|| found.clone(), |output| scope.fill(output))
    }
}
