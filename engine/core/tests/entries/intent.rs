//! Intents: what was about to be sent, and what a missing outcome means.

use piton_core::entry::CallResult;
use piton_core::replay::CallStep;
use serde_json::json;

use crate::support::{attempt, create, intent, key, machine, mismatch, outcome, refusal};

#[test]
fn an_empty_journal_performs_the_first_attempt() {
    let mut machine = machine(&[]);
    let step = machine.call(&create("a").asked()).unwrap();
    assert_eq!(step, CallStep::Perform { key: key("#0"), attempt: 1 });
}

#[test]
fn an_intent_with_its_outcome_is_replayed() {
    let mut machine = machine(&[
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", outcome(json!({"id": "p1"}))),
    ]);
    let step = machine.call(&create("a").asked()).unwrap();
    let result = CallResult::Value(json!({"id": "p1"}));
    assert_eq!(step, CallStep::Replay { key: key("#0"), seq: 1, result });
    assert!(machine.is_live().unwrap());
}

#[test]
fn a_recorded_refusal_is_replayed_as_a_refusal() {
    let mut machine = machine(&[
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", refusal("ConflictException")),
    ]);
    match machine.call(&create("a").asked()).unwrap() {
        CallStep::Replay { result: CallResult::Error(error), .. } => {
            assert_eq!(error.code, "ConflictException");
        }
        other => panic!("not a refusal: {other:?}"),
    }
}

#[test]
fn an_intent_without_an_outcome_is_in_doubt() {
    let mut machine = machine(&[("#0", intent("create_project", json!({"name": "a"})))]);
    match machine.call(&create("a").asked()).unwrap() {
        CallStep::InDoubt { intent, settled, .. } => {
            assert_eq!(intent.input, json!({"name": "a"}));
            assert_eq!(settled, None);
        }
        other => panic!("not in doubt: {other:?}"),
    }
}

#[test]
fn of_several_attempts_the_last_is_in_doubt() {
    let input = json!({"name": "a"});
    let mut machine = machine(&[
        ("#0", attempt("create_project", input.clone(), 1)),
        ("#0", attempt("create_project", input, 2)),
    ]);
    match machine.call(&create("a").asked()).unwrap() {
        CallStep::InDoubt { intent, .. } => assert_eq!(intent.attempt, 2),
        other => panic!("not in doubt: {other:?}"),
    }
}

#[test]
fn another_input_is_a_mismatch_that_names_the_field() {
    let mut machine = machine(&[
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", outcome(json!({}))),
    ]);
    let found = mismatch(machine.call(&create("b").asked()));
    assert_eq!((found.seq, found.asked_key.as_str()), (1, "#0"));
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].path, "name");
    assert_eq!(found.differences[0].recorded, json!("a"));
    assert_eq!(found.differences[0].asked, json!("b"));
}

#[test]
fn an_absent_member_and_a_null_member_are_the_same_input() {
    let recorded = json!({"name": "a"});
    let mut machine =
        machine(&[("#0", intent("create_project", recorded)), ("#0", outcome(json!({})))]);
    let mut question = create("a");
    question.input = json!({"description": null, "name": "a"});
    assert!(matches!(machine.call(&question.asked()).unwrap(), CallStep::Replay { .. }));
}

#[test]
fn another_operation_or_account_is_a_mismatch() {
    let entries =
        [("#0", intent("create_domain", json!({"name": "a"}))), ("#0", outcome(json!({})))];
    let found = mismatch(machine(&entries).call(&create("a").asked()));
    assert!(found.recorded.contains("create_domain"), "{}", found.recorded);
    assert!(found.asked.contains("create_project"), "{}", found.asked);
    let entries = [("#0", intent("create_project", json!({"name": "a"})))];
    let mut question = create("a");
    question.account = piton_core::account::AccountRef::alias("producer");
    let found = mismatch(machine(&entries).call(&question.asked()));
    assert!(found.asked.contains("producer"), "{}", found.asked);
}

#[test]
fn a_retried_call_keeps_its_key_and_counts_up() {
    let mut machine = machine(&[]);
    assert_eq!(
        machine.call(&create("a").asked()).unwrap(),
        CallStep::Perform { key: key("#0"), attempt: 1 }
    );
    machine.repeat_call(&key("#0"), 1);
    assert_eq!(
        machine.call(&create("a").asked()).unwrap(),
        CallStep::Perform { key: key("#0"), attempt: 2 }
    );
    assert_eq!(
        machine.call(&create("b").asked()).unwrap(),
        CallStep::Perform { key: key("#1"), attempt: 1 }
    );
}
