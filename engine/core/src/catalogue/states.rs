//! The states that a thing goes through after a call has been answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template::{Scope, part, places};

/// Where to read what became of a call, and which answers end the wait. The input is a template over
/// `$input` and `$output`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// Script's name of the operation that reads, of the same service.
    pub read: String,
    /// Template of its input.
    pub input: Value,
    /// Where its answer has the state, a dotted path.
    pub path: String,
    /// States that the call aims at; none where only being gone counts.
    pub ok: Vec<String>,
    /// States on the way.
    #[serde(default)]
    pub progress: Vec<String>,
    /// States that never become one of `ok` by themselves.
    #[serde(default)]
    pub fail: Vec<String>,
    /// What is on its way waits for a person, for days maybe: who takes the call back does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_person: bool,
    /// Members of an answer with a bad end, and the values with which AWS wants the same call again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub again: BTreeMap<String, Vec<Value>>,
    /// Error codes of the read that mean that the thing is gone, where that is the aim.
    #[serde(default)]
    pub gone: Vec<String>,
}

/// What a state means to who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The call came to what it aims at.
    Reached,
    /// It is on its way.
    Underway,
    /// It will not get there by itself.
    Failed,
    /// No state that was reviewed: absent, or new at AWS.
    Unknown,
}

impl States {
    /// The input of the read, for a call with this input and output.
    pub fn read_input(&self, input: &Value, output: &Value) -> Value {
        Scope::answered(input, output).fill(&self.input)
    }

    /// The states after a call with this input and output: no place is left in them. Nothing when the
    /// output does not say what to read: a query that was awaited answers rows.
    #[must_use]
    pub fn about(&self, input: &Value, output: &Value) -> Option<Self> {
        let scope = Scope::answered(input, output);
        let is_there = |place: &&str| scope.place(place).is_some_and(|part| !part.is_null());
        let told = places(&self.input);
        let mut told = told.iter().filter(|place| place.starts_with("$output"));
        let input = self.read_input(input, output);
        told.all(is_there).then(|| Self { input, ..self.clone() })
    }

    /// Whether the answer that ended the wait badly says that the call is to be made again.
    pub fn calls_again(&self, answer: &Value) -> bool {
        self.again.iter().any(|(path, values)| values.contains(part(answer, path)))
    }

    /// Whether an answer of the read shows the thing on its way out.
    pub fn is_leaving(&self, answer: &Value) -> bool {
        let state = part(answer, &self.path).as_str();
        state.is_some_and(|state| state.eq_ignore_ascii_case("deleting"))
    }

    /// What an answer of the read means.
    pub fn stage(&self, answer: &Value) -> Stage {
        let Some(state) = part(answer, &self.path).as_str() else { return Stage::Unknown };
        let is_in = |list: &[String]| list.iter().any(|listed| listed == state);
        if is_in(&self.ok) {
            Stage::Reached
        } else if is_in(&self.fail) {
            Stage::Failed
        } else if is_in(&self.progress) {
            Stage::Underway
        } else {
            Stage::Unknown
        }
    }

    /// What an error of the read means, by its code.
    pub fn stage_on_error(&self, code: &str) -> Stage {
        match self.gone.iter().any(|listed| listed == code) {
            true => Stage::Reached,
            false => Stage::Unknown,
        }
    }
}
