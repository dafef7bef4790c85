//! What a run leaves behind, and what two runs of the same runbook must have in common.

use std::collections::BTreeMap;

use piton_runner::rehearsal::comparison::{Order, changes};
use serde_json::{Value, json};

/// What is left when a run has ended.
pub(super) struct Traces {
    /// `piton show`.
    pub(super) shown: Value,
    /// `piton sandbox dump`.
    pub(super) dump: Value,
    /// `piton sandbox log`.
    pub(super) log: Value,
}

impl Traces {
    /// No change was made twice: each mutating operation took effect at most once with one input,
    /// idempotency tokens aside.
    pub(super) fn assert_nothing_twice(&self) {
        assert_ne!(assert_nothing_twice(&self.log), 0, "nothing was changed at all");
    }

    /// Both ended in the same world, with the same outputs by the same steps.
    pub(super) fn assert_same_end(&self, other: &Self, order: Order) {
        for part in ["status", "outputs"] {
            same(part, order, &self.shown[part], &other.shown[part]);
        }
        let steps = |shown: &Value| -> Vec<Value> {
            let steps = shown["steps"].as_array().expect("a list");
            steps.iter().map(|step| json!([step["path"], step["status"]])).collect()
        };
        same("steps", order, &json!(steps(&self.shown)), &json!(steps(&other.shown)));
        same("resources", order, &self.dump["resources"], &other.dump["resources"]);
        same("history", order, &self.dump["history"], &other.dump["history"]);
    }
}

/// See [`Traces::assert_nothing_twice`], of a call log. How many calls changed something; a run that
/// was killed early may have none.
pub(super) fn assert_nothing_twice(log: &Value) -> usize {
    let mut seen: BTreeMap<String, &Value> = BTreeMap::new();
    for call in log.as_array().expect("a list") {
        if call["mutating"] != json!(true) || call["effect"] != json!(true) {
            continue;
        }
        let mut call_of = call["input"].clone();
        if let Some(members) = call_of.as_object_mut() {
            members.retain(|name, _| {
                !matches!(name.as_str(), "clientToken" | "ClientToken" | "ClientRequestToken")
            });
        }
        let key = format!("{} {} {call_of}", call["account"], call["operation"]);
        if let Some(first) = seen.insert(key, call) {
            panic!("made twice:\n{first}\n{call}");
        }
    }
    seen.len()
}

fn same(what: &str, order: Order, expected: &Value, actual: &Value) {
    if let Some(change) = changes(what, order, expected, actual, 1).first() {
        panic!("the killed run ended elsewhere: {change}");
    }
}
