//! The story of a run: its status as a fold, its entries as text, its chain of digests.

use piton_core::canonical::Digest;
use piton_core::entry::{
    Body, Cancelled, End, Ended, Entry, EntryError, Resumed, Retried, Started, Suspended,
};
use piton_core::status::{Reason, RunStatus, RunSummary, WaitingKind};
use serde_json::json;

use crate::support::{at, intent, stored};

fn entry(body: Body) -> Entry {
    Entry { key: None, at: at(0), body }
}

pub(crate) fn started() -> Body {
    Body::Started(Started {
        runbook: "poc".to_owned(),
        title: "A POC".to_owned(),
        name: None,
        params: json!({}),
        program: Digest::of(b"program"),
        source: None,
        world: Some("poc-1".to_owned()),
        requester: None,
        rollback_of: None,
        parent: None,
        accounts: std::collections::BTreeMap::new(),
        version: "0.1.0".to_owned(),
    })
}

fn suspended(reason: Reason) -> Body {
    Body::Suspended(Suspended { reason })
}

fn resumed() -> Body {
    Body::Resumed(Resumed { holder: "here 1".to_owned(), version: "0.1.0".to_owned() })
}

fn ended(end: End, retry_from: Option<u64>) -> Body {
    Body::Ended(Ended { end, error: None, retry_from, retry_in: Vec::new() })
}

fn fold(bodies: Vec<Body>) -> RunSummary {
    let mut entries = bodies.into_iter().map(entry);
    let mut summary = RunSummary::start(&entries.next().unwrap()).unwrap();
    for entry in entries {
        summary.apply(&entry).unwrap();
    }
    summary
}

#[test]
fn the_status_follows_the_entries() {
    let doubt = Reason::Doubt {
        key: piton_core::key::Key::from_text("#3"),
        operation: "iam.create_access_key".to_owned(),
        question: "?".to_owned(),
        candidates: Vec::new(),
    };
    for (bodies, status, code) in [
        (vec![started()], RunStatus::Running, 3),
        (vec![started(), suspended(Reason::Gates)], RunStatus::Suspended, 3),
        (vec![started(), suspended(Reason::Gates), resumed()], RunStatus::Running, 3),
        (vec![started(), suspended(doubt)], RunStatus::Stuck, 5),
        (vec![started(), ended(End::Succeeded, None)], RunStatus::Succeeded, 0),
        (vec![started(), ended(End::Failed, None)], RunStatus::Failed, 4),
        (vec![started(), ended(End::Rejected, None)], RunStatus::Rejected, 6),
        (vec![started(), ended(End::Cancelled, None)], RunStatus::Cancelled, 9),
    ] {
        let summary = fold(bodies);
        assert_eq!((summary.status, summary.status.exit_code()), (status, code));
    }
}

#[test]
fn a_retry_makes_a_failed_run_run_again_and_keeps_what_it_voids() {
    let retried = Body::Retried(Retried { from_seq: 2, to_seq: 4, branches: Vec::new() });
    let summary = fold(vec![started(), ended(End::Failed, Some(2)), retried]);
    assert_eq!((summary.status, summary.voided), (RunStatus::Running, vec![(2, 4)]));
}

#[test]
fn nothing_follows_an_end() {
    let mut summary = fold(vec![started(), ended(End::Succeeded, None)]);
    for body in [resumed(), intent("create_project", json!({})), ended(End::Failed, None)] {
        assert!(summary.apply(&entry(body)).is_err());
    }
}

#[test]
fn a_call_cannot_be_made_while_the_run_waits() {
    let mut summary = fold(vec![started(), suspended(Reason::Interrupted)]);
    let illegal = summary.apply(&entry(intent("create_project", json!({})))).unwrap_err();
    assert_eq!((illegal.kind, illegal.status.as_str()), ("intent", "suspended"));
}

#[test]
fn a_run_says_what_it_waits_for() {
    let until = at(7200);
    let timer = Reason::Timer { name: "night".to_owned(), until };
    let waiting = fold(vec![started(), suspended(timer)]).waiting_for();
    assert_eq!((waiting[0].kind, waiting[0].until), (WaitingKind::Timer, Some(until)));
    let credentials = Reason::Credentials {
        alias: "producer".to_owned(),
        message: "expired".to_owned(),
        renew_with: Some("aws sso login".to_owned()),
    };
    let waiting = fold(vec![started(), suspended(credentials)]).waiting_for();
    assert_eq!((waiting[0].kind, waiting[0].name.as_str()), (WaitingKind::Credentials, "producer"));
}

#[test]
fn every_kind_reads_what_it_wrote_and_unknown_kinds_are_named() {
    for body in [started(), resumed(), ended(End::Failed, Some(3))] {
        assert_eq!(Body::decode(body.kind(), &body.encode()).unwrap(), body);
    }
    let cancelled = Body::Cancelled(Cancelled { by: None, reason: Some("no".to_owned()) });
    assert_eq!(Body::decode("cancelled", &cancelled.encode()).unwrap(), cancelled);
    let unknown = EntryError::UnknownKind("teleported".to_owned());
    assert_eq!(Body::decode("teleported", "{}").unwrap_err(), unknown);
    assert!(matches!(Body::decode("intent", "{}"), Err(EntryError::Unreadable { .. })));
}

#[test]
fn the_chain_changes_with_every_part_of_an_entry() {
    let one = stored(&[("#0", intent("create_project", json!({"name": "a"})))]);
    let other = stored(&[("#0", intent("create_project", json!({"name": "b"})))]);
    let moved = stored(&[("#1", intent("create_project", json!({"name": "a"})))]);
    assert_ne!(one[0].hash, other[0].hash);
    assert_ne!(one[0].hash, moved[0].hash);
    assert_eq!(Digest::from_hex(&one[0].hash.to_string()), Some(one[0].hash));
}
