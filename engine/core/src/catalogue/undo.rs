//! What takes a call back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::Look;
use super::template::{Scope, part};

/// The call that takes another one back, of the same service. Inputs are templates over `$input`,
/// `$output` and `$before`, and over `$found` where it is made for each thing that is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inverse {
    /// Script's name of the operation.
    pub operation: String,
    /// Template of its input. A token member is left out: the engine gives it.
    pub input: Value,
    /// Places that must have these values, or there is nothing to take back; null is absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Value>,
    /// Members of its input without which there is nothing to take back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Things to look for when the call is taken back: the inverse is made once for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Look>,
}

/// A call as it was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Its input.
    pub input: &'a Value,
    /// Its output.
    pub output: &'a Value,
    /// What was there before it; null when nothing was, or nobody looked.
    pub before: &'a Value,
}

impl Inverse {
    /// The call that takes back one with this input and output: operation and input. Nothing when
    /// that call did nothing that this one takes back.
    pub fn call(&self, input: &Value, output: &Value) -> Option<(&str, Value)> {
        let inverse = self.of(Recorded { input, output, before: &Value::Null })?;
        Some((self.operation.as_str(), inverse.input))
    }

    /// The inverse of a recorded call: no place but `$found` is left in it. Nothing when that call
    /// did nothing that this one takes back.
    pub fn of(&self, call: Recorded<'_>) -> Option<Self> {
        let Recorded { input, output, before } = call;
        // What is found comes later: its places stay.
        let scope = Scope { before, ..Scope::answered(input, output) };
        let applies = self
            .when
            .iter()
            .all(|(place, wanted)| scope.place(place).is_some_and(|found| found == wanted));
        let filled = scope.fill(&self.input);
        let is_whole = self.needs.iter().all(|member| !part(&filled, member).is_null());
        (applies && is_whole).then(|| Self {
            operation: self.operation.clone(),
            input: filled,
            when: BTreeMap::new(),
            needs: Vec::new(),
            each: self.each.as_ref().map(|look| look.about(input, output)),
        })
    }

    /// The input for one thing that was found.
    pub fn input_for(&self, found: &Value) -> Value {
        Scope::found(found).fill(&self.input)
    }
}
