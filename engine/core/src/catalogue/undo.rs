//! What takes a call back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::template::Scope;

/// The call that takes another one back, of the same service. Inputs are templates over `$input` and
/// `$output`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inverse {
    /// Script's name of the operation.
    pub operation: String,
    /// Template of its input. A token member is left out: the engine gives it.
    pub input: Value,
    /// Places that must have these values, or there is nothing to take back; null is absent.
    #[serde(default)]
    pub when: BTreeMap<String, Value>,
}

impl Inverse {
    /// The call that takes back one with this input and output: operation and input. Nothing when
    /// that call did nothing that this one takes back.
    pub fn call(&self, input: &Value, output: &Value) -> Option<(&str, Value)> {
        let scope = Scope::answered(input, output);
        let applies = self
            .when
            .iter()
            .all(|(place, wanted)| scope.place(place).is_some_and(|found| found == wanted));
        applies.then(|| (self.operation.as_str(), scope.fill(&self.input)))
    }
}
