//! How fast steps become durable, beside the fastest loop that writes the same bytes with SQLite,
//! and how fast entries are read. Run with `--release`; an argument is the folder to measure in.
//!
//! A mutating step is one append of two entries: the outcome of one call and the intent of the next.
//! The raw loop has one table, encoded texts, a hash that is not computed, and no lease to check.

#![expect(clippy::print_stdout, reason = "it is a program that prints")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use piton_core::account::AccountRef;
use piton_core::canonical::Digest;
use piton_core::catalogue::Class;
use piton_core::entry::{Body, CallResult, Entry, Intent, Outcome, Started};
use piton_core::key::Key;
use piton_core::ports::{Holder, Journal, Lease, NewRun, ProgramFile, RunId};
use piton_core::reader::EntryReader;
use piton_core::replay::EntrySource as _;
use piton_core::status::RunSummary;
use piton_core::time::{Span, Timestamp};
use piton_journal::SqliteJournal;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde_json::json;

/// Steps of one round of each side; sides take turns, because a shared disk changes its mind.
const STEPS: u64 = 40;
const ROUNDS: u64 = 120;

/// Entries that are read back.
const READ: u64 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let place = std::env::args_os().nth(1).unwrap_or_else(|| std::env::temp_dir().into_os_string());
    let folder = tempfile::tempdir_in(place)?;
    let journal = Arc::new(SqliteJournal::open(folder.path(), Arc::new(moment))?);
    let (lease, summary) = start(&journal, "a1")?;
    let mut raw = raw_database(&folder.path().join("raw.db"))?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let steps = round * STEPS..(round + 1) * STEPS;
        let began = Instant::now();
        for step in steps.clone() {
            journal.append(&*lease, &entries_of(step), &summary)?;
        }
        ours.push(began.elapsed());
        let began = Instant::now();
        for step in steps {
            raw_step(&mut raw, step)?;
        }
        theirs.push(began.elapsed());
    }
    for (name, quarter) in [("lower quartile", 3), ("median", 2), ("upper quartile", 1)] {
        let (ours, theirs) = (quartile(&mut ours, quarter), quartile(&mut theirs, quarter));
        println!(
            "durable mutating steps, {name}: journal {:.0}/s, raw {:.0}/s, ratio {:.2}",
            per_second(STEPS, ours),
            per_second(STEPS, theirs),
            theirs.as_secs_f64() / ours.as_secs_f64(),
        );
    }
    read(&journal)
}

fn read(journal: &Arc<SqliteJournal>) -> Result<(), Box<dyn Error>> {
    let (lease, summary) = start(journal, "b2")?;
    let pairs: Vec<u64> = (0..READ / 2).collect();
    for chunk in pairs.chunks(5000) {
        let entries: Vec<_> = chunk.iter().flat_map(|step| entries_of(*step)).collect();
        journal.append(&*lease, &entries, &summary)?;
    }
    for _ in 0..3 {
        let began = Instant::now();
        let source: Arc<dyn Journal> = Arc::<SqliteJournal>::clone(journal);
        let mut reader = EntryReader::new(source, lease.run().clone(), u64::MAX);
        let mut count = 0;
        while reader.next_entry()?.is_some() {
            count += 1;
        }
        let read = began.elapsed();
        let began = Instant::now();
        let first_bad = journal.verify(lease.run())?;
        println!(
            "read and decoded {:.0} entries/s, verified {:.0} entries/s (first bad: {first_bad:?})",
            per_second(count, read),
            per_second(count, began.elapsed()),
        );
    }
    Ok(())
}

fn start(
    journal: &SqliteJournal,
    id: &str,
) -> Result<(Box<dyn Lease>, RunSummary), Box<dyn Error>> {
    let text = "runbook(#{});".to_owned();
    let program = Digest::of(text.as_bytes());
    let started = Started {
        runbook: "bench".to_owned(),
        title: "Bench".to_owned(),
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
    let first = Entry { key: None, at: moment(), body: Body::Started(started) };
    let mut summary = RunSummary::start(&first)?;
    summary.apply(&entries_of(1)[0])?;
    let run = NewRun {
        run: RunId(id.to_owned()),
        runbook: "bench".to_owned(),
        name: None,
        labels: Vec::new(),
        program,
        files: vec![ProgramFile { path: "bench.rhai".to_owned(), text }],
        sealed: Vec::new(),
    };
    let holder = Holder { host: "bench".to_owned(), pid: 1, since: moment() };
    Ok((journal.create(&run, &[first], &summary, &holder)?, summary))
}

/// The outcome of a step's call and the intent of the next one, of ordinary sizes.
fn entries_of(step: u64) -> [Entry; 2] {
    let key = |step| Some(Key::from_text(format!("create environment/accounts[{step}]#0")));
    let output = json!({
        "id": format!("env_{step}"), "domainId": "dzd_4bs2c3x9v1k7", "status": "ACTIVE",
        "name": "sales", "createdBy": "arn:aws:iam::111122223333:user/rita",
        "provisionedResources": [{ "name": "glueDb", "type": "string", "value": "sales_db" }],
    });
    let outcome = Outcome {
        read: None,
        attempt: 1,
        result: CallResult::Value(output),
        took: Span::from_millis(84),
        request_id: Some("7b1c9f0e-7c52-4b5c-9d0b-0a4b0c0d0e0f".to_owned()),
        adopted: false,
    };
    let intent = Intent {
        service: "datazone".to_owned(),
        operation: "create_environment".to_owned(),
        account: AccountRef::alias("publisher"),
        class: Class::Token,
        input: json!({
            "domainIdentifier": "dzd_4bs2c3x9v1k7", "projectIdentifier": "prj_1",
            "name": "sales", "environmentProfileIdentifier": "prf_9",
        }),
        token: Some("5f2d1b0c9a8e7f6d".to_owned()),
        attempt: 1,
        before: None,
    };
    [
        Entry { key: key(step), at: moment(), body: Body::Outcome(outcome) },
        Entry { key: key(step + 1), at: moment(), body: Body::Intent(intent) },
    ]
}

fn raw_database(path: &Path) -> Result<Connection, Box<dyn Error>> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE entries (run TEXT NOT NULL, seq INTEGER NOT NULL, key TEXT, kind TEXT NOT NULL,
         at INTEGER NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (run, seq))
         WITHOUT ROWID",
    )?;
    Ok(connection)
}

fn raw_step(connection: &mut Connection, step: u64) -> Result<(), Box<dyn Error>> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO entries VALUES ('a1', ?1, ?2, ?3, ?4, ?5, ?6)")?;
        for (seq, entry) in (i64::try_from(step * 2)?..).zip(entries_of(step)) {
            let key = entry.key.as_ref().map(Key::as_str);
            let (kind, text) = (entry.body.kind(), entry.body.encode());
            insert.execute(params![seq, key, kind, entry.at.millis(), text, [7_u8; 32]])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn moment() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn quartile(times: &mut [Duration], quarter: usize) -> Duration {
    times.sort_unstable();
    times[times.len() * quarter / 4]
}
