//! Waits: opened before the driver blocks, closed once.

use piton_core::entry::{Body, WaitClosed, WaitOpened, WaitResult, WaitTarget};
use piton_core::replay::WaitStep;
use piton_core::time::Span;
use serde_json::json;

use crate::support::{at, key, machine, mismatch};

fn opened(name: &str) -> Body {
    let target = WaitTarget::State { every: Span::from_secs(30), give_up_at: at(600) };
    Body::WaitOpened(WaitOpened { name: name.to_owned(), target })
}

fn closed(result: WaitResult) -> Body {
    Body::WaitClosed(WaitClosed { result, reads: 3 })
}

#[test]
fn a_wait_that_ended_is_one_answer_however_often_aws_was_asked() {
    let reached = WaitResult::Reached { value: json!({"status": "ACTIVE"}) };
    let mut machine = machine(&[("#0", opened("env")), ("#0", closed(reached.clone()))]);
    assert_eq!(
        machine.wait("env").unwrap(),
        WaitStep::Closed { key: key("#0"), seq: 1, result: reached }
    );
}

#[test]
fn a_wait_that_goes_on_keeps_its_deadline() {
    let mut machine = machine(&[("#0", opened("env"))]);
    match machine.wait("env").unwrap() {
        WaitStep::Open { opened: Some(open), .. } => {
            assert_eq!((open.seq, open.at, open.wait.target.end()), (1, at(0), at(600)));
        }
        other => panic!("not open: {other:?}"),
    }
}

#[test]
fn another_wait_in_its_place_is_a_mismatch() {
    let mut machine = machine(&[("#0", opened("env"))]);
    assert!(mismatch(machine.wait("domain")).asked.contains("domain"));
}

#[test]
fn a_failed_wait_may_be_repeated_and_a_good_one_stands() {
    let failed = WaitResult::Failed { state: json!("CREATE_FAILED"), value: json!({}) };
    let mut failing = machine(&[("#0", opened("env")), ("#0", closed(failed))]);
    failing.wait("env").unwrap();
    assert_eq!(failing.retry_from(), Some(1));
    let mut good = machine(&[("#0", opened("env")), ("#0", closed(WaitResult::Gone))]);
    good.wait("env").unwrap();
    assert_eq!(good.retry_from(), None);
}
