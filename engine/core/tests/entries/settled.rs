//! Settled doubts.

use piton_core::entry::{Body, CallResult, Settled, Settlement};
use piton_core::replay::CallStep;
use serde_json::json;

use crate::support::{create, intent, machine, outcome};

fn settled(how: Settlement) -> Body {
    let by = Some("arn:aws:iam::111111111111:user/admin".to_owned());
    Body::Settled(Settled { how, reason: "seen in the console".to_owned(), by, at: None })
}

#[test]
fn a_settlement_that_was_not_carried_out_yet_comes_with_the_doubt() {
    let mut machine = machine(&[
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", settled(Settlement::Retry)),
    ]);
    match machine.call(&create("a").asked()).unwrap() {
        CallStep::InDoubt { settled: Some(settled), .. } => {
            assert_eq!(settled.how, Settlement::Retry);
        }
        other => panic!("not settled: {other:?}"),
    }
}

#[test]
fn a_settlement_that_was_carried_out_replays_as_its_outcome() {
    let mut machine = machine(&[
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", settled(Settlement::Adopt { output: json!({"id": "p7"}) })),
        ("#0", outcome(json!({"id": "p7"}))),
    ]);
    match machine.call(&create("a").asked()).unwrap() {
        CallStep::Replay { result: CallResult::Value(value), .. } => {
            assert_eq!(value, json!({"id": "p7"}));
        }
        other => panic!("not replayed: {other:?}"),
    }
}
