//! Outcomes of reads, which have no intent.

use piton_core::entry::CallResult;
use piton_core::replay::CallStep;
use serde_json::json;

use crate::support::{create, get, intent, key, machine, mismatch, outcome, read};

#[test]
fn a_read_is_replayed_from_its_outcome_alone() {
    let entry = read("get_project", json!({"identifier": "p1"}), json!({"name": "a"}));
    let mut machine = machine(&[("#0", entry)]);
    let result = CallResult::Value(json!({"name": "a"}));
    assert_eq!(
        machine.call(&get("p1").asked()).unwrap(),
        CallStep::Replay { key: key("#0"), seq: 1, result }
    );
}

#[test]
fn a_read_of_something_else_is_a_mismatch() {
    let entry = read("get_project", json!({"identifier": "p1"}), json!({}));
    let found = mismatch(machine(&[("#0", entry)]).call(&get("p2").asked()));
    assert_eq!(found.differences[0].path, "identifier");
    assert!(found.diagnostic().hints.iter().any(|hint| hint.contains("identifier")));
}

#[test]
fn recorded_calls_that_the_script_no_longer_makes_are_a_mismatch_at_its_end() {
    let mut machine = machine(&[
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", outcome(json!({}))),
        ("#1", read("get_project", json!({"identifier": "p1"}), json!({}))),
    ]);
    machine.call(&create("a").asked()).unwrap();
    let found = mismatch(machine.finish());
    assert!(found.asked.contains("end of the script"), "{}", found.asked);
}

#[test]
fn reads_since_the_last_effect_are_what_a_retry_repeats() {
    let mut machine = machine(&[
        ("#0", read("get_project", json!({"identifier": "p0"}), json!({}))),
        ("#1", intent("create_project", json!({"name": "a"}))),
        ("#1", outcome(json!({}))),
        ("#2", read("get_project", json!({"identifier": "p1"}), json!({}))),
        ("#3", read("get_project", json!({"identifier": "p2"}), json!({}))),
    ]);
    machine.call(&get("p0").asked()).unwrap();
    assert_eq!(machine.retry_from(), Some(1));
    machine.call(&create("a").asked()).unwrap();
    assert_eq!(machine.retry_from(), None);
    machine.call(&get("p1").asked()).unwrap();
    machine.call(&get("p2").asked()).unwrap();
    assert_eq!(machine.retry_from(), Some(4));
}
