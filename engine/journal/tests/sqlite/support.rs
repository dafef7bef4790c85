//! A run to write about.

use std::path::Path;
use std::sync::Arc;

use piton_core::canonical::Digest;
use piton_core::entry::{Body, Entry, Note, Started};
use piton_core::key::Key;
use piton_core::ports::{Holder, Journal as _, JournalError, Lease, NewRun, ProgramFile, RunId};
use piton_core::status::RunSummary;
use piton_core::time::Timestamp;
use piton_journal::{Now, SqliteJournal};
use serde_json::json;

pub(crate) fn clock() -> Now {
    Arc::new(|| Timestamp::from_millis(1_800_000_000_000))
}

pub(crate) fn open(home: &Path) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(home, clock())
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

/// Starts the run `a1`.
pub(crate) fn start(journal: &SqliteJournal) -> (Box<dyn Lease>, RunSummary) {
    let text = "runbook(#{});".to_owned();
    let program = Digest::of(text.as_bytes());
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
        files: vec![ProgramFile { path: "demo.rhai".to_owned(), text }],
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
