//! A run to write about.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use piton_core::account::AccountRef;
use piton_core::catalogue::Class;
use piton_core::entry::{Body, CallResult, End, Ended, Entry, Intent, Note, Outcome, Started};
use piton_core::evidence::program_digest;
use piton_core::key::Key;
use piton_core::ports::{Holder, Journal as _, JournalError, Lease, NewRun, ProgramFile, RunId};
use piton_core::status::RunSummary;
use piton_core::time::{Span, Timestamp};
use piton_journal::{Machine, Now, SqliteJournal};
use serde_json::json;

pub(crate) fn clock() -> Now {
    Arc::new(|| Timestamp::from_millis(1_800_000_000_000))
}

pub(crate) fn open(home: &Path) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(home, clock())
}

/// The same by a process that does not wait for others.
pub(crate) fn open_impatient(home: &Path) -> Result<SqliteJournal, JournalError> {
    let machine = Machine { patience: Duration::from_millis(20), ..Machine::this() };
    SqliteJournal::open_on(home, clock(), machine)
}

pub(crate) fn run_id() -> RunId {
    RunId("a1".to_owned())
}

pub(crate) fn holder() -> Holder {
    Holder { host: "laptop".to_owned(), pid: std::process::id(), since: clock()() }
}

pub(crate) fn note(number: usize, text: &str) -> Entry {
    let key = Some(Key::from_text(format!("step#{number}")));
    Entry { key, at: clock()(), body: Body::Note(Note { text: text.to_owned() }) }
}

fn keyed(key: &str, body: Body) -> Entry {
    Entry { key: Some(Key::from_text(key)), at: clock()(), body }
}

/// The intent of a changing call, with an input of some size.
pub(crate) fn intent(number: usize, size: usize) -> Entry {
    keyed(
        &format!("call#{number}"),
        Body::Intent(Intent {
            service: "iam".to_owned(),
            operation: "create_role".to_owned(),
            account: AccountRef::alias("admin"),
            class: Class::Token,
            input: json!({ "RoleName": format!("r{number}"), "Description": "d".repeat(size) }),
            token: None,
            attempt: 1,
            before: None,
        }),
    )
}

/// What that call came to.
pub(crate) fn outcome(number: usize) -> Entry {
    keyed(
        &format!("call#{number}"),
        Body::Outcome(Outcome {
            read: None,
            attempt: 1,
            result: CallResult::Value(json!({ "RoleId": format!("AROA{number}") })),
            took: Span::from_millis(80),
            request_id: None,
            adopted: false,
        }),
    )
}

/// The commits of a small run after its first entry, as a driver makes them: the outcome of a call and
/// the intent of the next share one.
pub(crate) fn commits(calls: usize, size: usize) -> Vec<Vec<Entry>> {
    let mut commits = vec![vec![intent(1, size)]];
    for number in 1..calls {
        commits.push(vec![outcome(number), intent(number + 1, size)]);
    }
    let end = Ended { end: End::Succeeded, error: None, retry_from: None, retry_in: Vec::new() };
    commits.push(vec![outcome(calls), Entry { key: None, at: clock()(), body: Body::Ended(end) }]);
    commits
}

/// The summary after entries.
pub(crate) fn folded(mut summary: RunSummary, entries: &[Entry]) -> RunSummary {
    entries.iter().for_each(|entry| summary.apply(entry).unwrap());
    summary
}

/// Goes on with the small run where its journal ends, to its end; what it then has.
pub(crate) fn finish(journal: &SqliteJournal, calls: usize, size: usize) -> Vec<Entry> {
    let row = journal.find("a1").unwrap();
    let lease = journal.acquire(&run_id(), &holder()).unwrap();
    let all: Vec<Entry> = commits(calls, size).into_iter().flatten().collect();
    let mut summary = row.summary;
    let written = usize::try_from(row.head.seq - 1).unwrap();
    for entry in &all[written..] {
        summary = folded(summary, std::slice::from_ref(entry));
        journal.append(&*lease, std::slice::from_ref(entry), &summary).unwrap();
    }
    drop(lease);
    assert_eq!(journal.verify(&run_id()), Ok(None));
    assert_eq!(journal.check(Some(&run_id())), Ok(Vec::new()));
    let entries = journal.entries(&run_id(), 1, 10_000).unwrap();
    let entries: Vec<Entry> = entries.into_iter().map(|stored| stored.entry).collect();
    assert_eq!(entries, all, "nothing is lost and nothing is there twice");
    entries
}

/// Starts the run `a1`.
pub(crate) fn start(journal: &SqliteJournal) -> (Box<dyn Lease>, RunSummary) {
    let text = "runbook(#{});".to_owned();
    let files = vec![ProgramFile { path: "demo.rhai".to_owned(), text }];
    let program = program_digest(&files);
    let started = Started {
        runbook: "demo".to_owned(),
        title: "Demo".to_owned(),
        source: None,
        name: None,
        params: json!({}),
        program,
        world: None,
        requester: None,
        rollback_of: None,
        parent: None,
        accounts: std::collections::BTreeMap::new(),
        version: "0.1.0".to_owned(),
    };
    let first = Entry { key: None, at: clock()(), body: Body::Started(started) };
    let summary = RunSummary::start(&first).unwrap();
    let run = NewRun {
        run: run_id(),
        runbook: "demo".to_owned(),
        name: None,
        labels: Vec::new(),
        program,
        files,
        sealed: Vec::new(),
    };
    let lease = journal.create(&run, &[first], &summary, &holder()).unwrap();
    (lease, summary)
}

/// A closed journal in which the run `a1` has `count` entries.
pub(crate) fn written(home: &Path, count: usize) {
    let journal = open(home).unwrap();
    let (lease, summary) = start(&journal);
    for number in 1..count {
        journal.append(&*lease, &[note(number, &format!("note {number}"))], &summary).unwrap();
    }
}
