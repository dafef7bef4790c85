//! Frozen journals: runs of a format as it was released, read and gone on with by this version.
//!
//! Each folder of `tests/journals` has a home's database with a run for each kind of entry and each way
//! to stand still, and the AWS in memory that they acted on. [`crate::freezing`] wrote it, once. A
//! journal of a released format is never written anew: a version that cannot go on with it is wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use piton_core::entry::{Body, Settled, Settlement};
use piton_core::gate::Verdict;
use piton_core::key::Key;
use piton_core::ports::{Mail, RunId};
use piton_core::status::{Reason, RunStatus};
use piton_core::time::Timestamp;
use piton_journal::{Machine, SqliteJournal};
use piton_runner::{Resume, TakeBack};
use serde_json::{Value, json};

use crate::support::{Home, Trouble, options, plain};

/// How a frozen run goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    /// It is resumed.
    Resume,
    /// Its open gate, or that of the run it called, is approved, then it is resumed.
    Approve,
    /// What failed is attempted again.
    Retry,
    /// Its doubt is settled without the call.
    Skip,
    /// It is taken back.
    TakeBack,
    /// It does not: it ended, or goes on elsewhere.
    Nothing,
}

/// A frozen run: its name, where it stands, how it goes on, where it ends, and which calls change
/// something on the way.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) at: RunStatus,
    then: Then,
    ends: RunStatus,
    changes: &'static [&'static str],
}

const fn case(
    name: &'static str,
    at: RunStatus,
    then: Then,
    ends: RunStatus,
    changes: &'static [&'static str],
) -> Case {
    Case { name, at, then, ends, changes }
}

pub(crate) const CASES: &[Case] = &[
    case("gate", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("answered", RunStatus::Suspended, Then::Resume, RunStatus::Succeeded, &["create_role"]),
    case("waiting", RunStatus::Suspended, Then::Resume, RunStatus::Succeeded, &["create_role"]),
    case("asleep", RunStatus::Suspended, Then::Resume, RunStatus::Succeeded, &["create_role"]),
    case("unsafe doubt", RunStatus::Stuck, Then::Skip, RunStatus::Succeeded, &["create_role"]),
    // Killed before anything told the journal: the calls had their effect.
    case("token doubt", RunStatus::Interrupted, Then::Resume, RunStatus::Succeeded, &[]),
    case("found doubt", RunStatus::Interrupted, Then::Resume, RunStatus::Succeeded, &[]),
    case("settled", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("branches", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("child", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("failed", RunStatus::Failed, Then::Retry, RunStatus::Succeeded, &["create_role"]),
    case("retried", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("rejected", RunStatus::Rejected, Then::Nothing, RunStatus::Rejected, &[]),
    case("cancelled", RunStatus::Cancelled, Then::Nothing, RunStatus::Cancelled, &[]),
    case("succeeded", RunStatus::Succeeded, Then::Nothing, RunStatus::Succeeded, &[]),
    case(
        "to take back",
        RunStatus::Succeeded,
        Then::TakeBack,
        RunStatus::Compensated,
        &["delete_role"],
    ),
    case("taken back", RunStatus::Compensated, Then::Nothing, RunStatus::Compensated, &[]),
    case(
        "half taken back",
        RunStatus::Compensating,
        Then::TakeBack,
        RunStatus::Compensated,
        &["delete_role"],
    ),
    case(
        "secrets",
        RunStatus::Suspended,
        Then::Approve,
        RunStatus::Succeeded,
        &["create_secret", "create_secret"],
    ),
    case("lock", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &[]),
    case("edited", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("handed over", RunStatus::HandedOver, Then::Nothing, RunStatus::HandedOver, &[]),
    case("taken over", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("rebound", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &["create_role"]),
    case("large", RunStatus::Suspended, Then::Approve, RunStatus::Succeeded, &[]),
    case("credentials", RunStatus::Suspended, Then::Resume, RunStatus::Succeeded, &["create_role"]),
];

/// Formats of journals, the newest last.
pub(crate) const FORMATS: &[u32] = &[1, 2];

/// Where the journals of a format are.
pub(crate) fn folder(format: u32) -> PathBuf {
    let name = format!("../../tests/journals/format-{format}");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A home with the frozen runs of a format, and their AWS.
fn home(format: u32) -> Home {
    let home = Home::new();
    fs::copy(folder(format).join("journal.db"), home.folder().join("journal.db")).unwrap();
    // A copy goes on only when it is told to.
    let clock = Arc::new(|| Timestamp::from_millis(0));
    SqliteJournal::adopt(home.folder(), clock, Machine::this()).unwrap();
    let kept = fs::read_to_string(folder(format).join("aws.json")).unwrap();
    home.cloud.become_again(&serde_json::from_str(&kept).unwrap());
    // Ids that none of the frozen runs has.
    home.count_processes_from(5_000);
    home
}

/// The run of a name.
pub(crate) fn named(home: &Home, name: &str) -> RunId {
    let runs = home.process().ports.journal.runs().unwrap();
    let found = runs.into_iter().find(|row| row.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("there is no run {name}")).run
}

fn status(home: &Home, run: &RunId) -> RunStatus {
    home.process().ports.journal.find(&run.0).unwrap().status()
}

/// The run with the open gate: the run itself, or one that it called.
fn at_gate(home: &Home, run: &RunId) -> RunId {
    let journal = home.process().ports.journal;
    let called = piton_runner::children::children(journal.as_ref(), run).unwrap();
    let all = std::iter::once(run.clone()).chain(called.into_iter().map(|row| row.run));
    all.into_iter().find(|run| !journal.open_gates(run).unwrap().is_empty()).unwrap()
}

/// The doubt that a run is stuck at.
pub(crate) fn doubt(home: &Home, run: &RunId) -> Key {
    match home.process().ports.journal.find(&run.0).unwrap().summary.reason {
        Some(Reason::Doubt { key, .. }) => key,
        other => panic!("the run is in no doubt: {other:?}"),
    }
}

/// A person settles the doubt that a run is stuck at.
pub(crate) fn settle(home: &Home, run: &RunId, how: Settlement) {
    let settled: Settled = serde_json::from_value(json!({
        "how": serde_json::to_value(how).unwrap(), "reason": "looked at it", "by": "carol",
    }))
    .unwrap();
    let mail = Mail::Settle { key: doubt(home, run), settled };
    home.process().ports.journal.post(run, &mail).unwrap();
}

fn go_on(home: &Home, run: &RunId, then: Then) {
    match then {
        Then::Nothing => {
            // A finished run repeats its end; one that goes on elsewhere refuses.
            drop(home.process().resume(run, &plain()));
            return;
        }
        Then::Resume => {}
        Then::Approve => {
            home.decide(&at_gate(home, run), "carol", Verdict::Approve).unwrap();
        }
        Then::Skip => settle(home, run, Settlement::Skip),
        Then::Retry => {
            let retry = Resume { retry: true, ..plain() };
            home.process().resume(run, &retry).unwrap();
            return;
        }
        Then::TakeBack => {
            let engine = home.process();
            let how = TakeBack {
                source: run.clone(),
                run: crate::freezing::id("new"),
                requester: None,
                labels: Vec::new(),
                options: options(),
            };
            engine.rollback(&how).unwrap();
            return;
        }
    }
    home.resume(run);
}

#[test]
fn every_frozen_run_goes_on_as_it_would_have() {
    for (format, case) in
        FORMATS.iter().flat_map(|format| CASES.iter().map(move |case| (format, case)))
    {
        let Case { name, at, then, ends, changes } = case;
        let home = home(*format);
        let run = named(&home, name);
        assert_eq!(status(&home, &run), *at, "{name} of format {format}");
        if *name == "rebound" {
            home.cloud.people.lock().unwrap().insert("admin".to_owned(), "mallory".to_owned());
        }
        go_on(&home, &run, *then);
        assert_eq!(status(&home, &run), *ends, "{name} of format {format}");
        let received = home.cloud.received.lock().unwrap();
        let changed: Vec<&str> = received
            .iter()
            .filter(|call| call.effect)
            .map(|call| call.operation.as_str())
            .collect();
        assert_eq!(changed, *changes, "{name}");
        drop(received);
        let journal = home.process().ports.journal;
        assert_eq!(journal.verify(&run), Ok(None), "{name}");
        assert_eq!(journal.check(Some(&run)), Ok(Vec::new()), "{name}");
    }
}

#[test]
fn a_frozen_secret_reaches_aws_as_it_was() {
    FORMATS.iter().for_each(|format| secret_reaches_aws(*format));
}

fn secret_reaches_aws(format: u32) {
    let home = home(format);
    let run = named(&home, "secrets");
    go_on(&home, &run, Then::Approve);
    let received = home.cloud.received.lock().unwrap();
    let sent: Vec<&Value> = received
        .iter()
        .filter(|call| call.operation == "create_secret")
        .map(|call| &call.input["SecretString"])
        .collect();
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(folder(format).join("aws.json")).unwrap())
            .unwrap();
    // Both were sent once before the run was frozen.
    let before = |name: &str| {
        let things = kept["things"].as_object().unwrap();
        let found = things.iter().find(|(key, _)| key.starts_with(&format!("secret/{name}/")));
        found.unwrap().1["SecretString"].clone()
    };
    assert_eq!(sent, [&before("given"), &before("drawn")]);
}

#[test]
fn every_kind_of_entry_and_of_settlement_is_in_a_frozen_journal() {
    FORMATS.iter().for_each(|format| every_kind_is_in(*format));
}

fn every_kind_is_in(format: u32) {
    let home = home(format);
    let journal = home.process().ports.journal;
    let (mut kinds, mut settlements) = (BTreeSet::new(), BTreeSet::new());
    let (mut entries, mut largest) = (0, 0);
    for row in journal.runs().unwrap() {
        assert_eq!(journal.verify(&row.run), Ok(None), "{:?}", row.name);
        assert_eq!(journal.check(Some(&row.run)), Ok(Vec::new()), "{:?}", row.name);
        for stored in journal.entries(&row.run, 0, 10_000).unwrap() {
            kinds.insert(stored.entry.body.kind());
            entries += 1;
            largest = largest.max(stored.text.len());
            if let Body::Settled(settled) = &stored.entry.body {
                let how = serde_json::to_value(&settled.how).unwrap();
                settlements.insert(how["do"].as_str().unwrap().to_owned());
            }
            // What is read is what is written.
            let again =
                Body::decode(stored.entry.body.kind(), &stored.entry.body.encode()).unwrap();
            assert_eq!(again, stored.entry.body);
        }
    }
    let missing: Vec<&&str> = Body::KINDS.iter().filter(|kind| !kinds.contains(**kind)).collect();
    assert!(missing.is_empty(), "no frozen journal has entries of the kinds {missing:?}");
    let all: BTreeSet<String> =
        ["adopt", "retry", "skip", "found", "repeat"].map(str::to_owned).into();
    assert_eq!(settlements, all);
    assert!(entries > 200 && largest > 30_000, "{entries} entries, the largest {largest}");
}

#[test]
fn a_frozen_failure_fails_again_where_nothing_was_mended() {
    FORMATS.iter().for_each(|format| fails_again(*format));
}

fn fails_again(format: u32) {
    let home = home(format);
    let run = named(&home, "failed");
    home.cloud.trouble("create_role", Trouble::Refuse("LimitExceeded"));
    let retry = Resume { retry: true, ..plain() };
    let end = home.process().resume(&run, &retry).unwrap().end;
    assert_eq!(end.status, RunStatus::Failed);
}
