//! Retries: what failed is void, and only that is done again.

use piton_core::entry::{Body, End, Ended, Retried};
use piton_core::replay::CallStep;
use serde_json::json;

use crate::support::{create, get, intent, key, machine_with_voids, outcome, read, refusal};

#[test]
fn a_voided_call_is_performed_again_as_a_new_attempt_and_the_rest_is_replayed() {
    let ended = Body::Ended(Ended {
        end: End::Failed,
        error: None,
        retry_from: Some(3),
        retry_in: Vec::new(),
    });
    let retried = Body::Retried(Retried { from_seq: 3, to_seq: 5, branches: Vec::new() });
    let entries = [
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", outcome(json!({"id": "p1"}))),
        ("#1", intent("create_project", json!({"name": "b"}))),
        ("#1", refusal("AccessDeniedException")),
        ("", ended),
        ("", retried),
    ];
    let mut machine = machine_with_voids(&entries, vec![(3, 5)]);
    assert!(matches!(machine.call(&create("a").asked()).unwrap(), CallStep::Replay { .. }));
    assert_eq!(
        machine.call(&create("b").asked()).unwrap(),
        CallStep::Perform { key: key("#1"), attempt: 2 }
    );
}

#[test]
fn what_followed_a_retry_is_replayed_in_its_place() {
    let entries = [
        ("#0", read("get_project", json!({"identifier": "p1"}), json!({"tags": 0}))),
        (
            "",
            Body::Ended(Ended {
                end: End::Failed,
                error: None,
                retry_from: Some(1),
                retry_in: Vec::new(),
            }),
        ),
        ("", Body::Retried(Retried { from_seq: 1, to_seq: 2, branches: Vec::new() })),
        ("#0", read("get_project", json!({"identifier": "p1"}), json!({"tags": 4}))),
    ];
    let mut machine = machine_with_voids(&entries, vec![(1, 2)]);
    match machine.call(&get("p1").asked()).unwrap() {
        CallStep::Replay { seq, .. } => assert_eq!(seq, 4),
        other => panic!("not replayed: {other:?}"),
    }
}
