//! The states that a thing goes through after a call has been answered.

use serde::Deserialize;
use serde_json::Value;

use super::template::{Scope, part};

/// Where to read what became of a call, and which answers end the wait. The input is a template over
/// `$input` and `$output`.
#[derive(Debug, Clone, Deserialize)]
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
