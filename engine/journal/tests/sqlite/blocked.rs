//! Other ways in which a commit cannot be made: somebody else has the database, or the log cannot be
//! started over.

use std::fs;
use std::path::Path;

use piton_core::ports::{Journal as _, JournalError};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{finish, folded, intent, note, open_impatient, run_id, start};

fn refused<T>(result: Result<T, JournalError>) -> String {
    match result {
        Err(JournalError::Storage(why)) => why,
        Err(other) => panic!("unexpected refusal: {other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

fn other(home: &Path) -> Connection {
    Connection::open(home.join("journal.db")).unwrap()
}

#[test]
fn a_locked_database_is_waited_for_and_then_named() {
    let home = TempDir::new().unwrap();
    let journal = open_impatient(home.path()).unwrap();
    let (lease, summary) = start(&journal);
    let blocking = other(home.path());
    blocking.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = [intent(1, 10)];
    let after = folded(summary, &first);
    let why = refused(journal.append(&*lease, &first, &after));
    assert!(why.contains("another process keeps") && why.contains("journal.db locked"), "{why}");
    // Whoever looks is not kept from it.
    assert_eq!(journal.find("a1").unwrap().head.seq, 1);
    blocking.execute_batch("ROLLBACK").unwrap();
    journal.append(&*lease, &first, &after).unwrap();
    drop(lease);
    finish(&journal, 2, 10);
}

#[test]
fn a_log_that_somebody_keeps_from_starting_over_ends_with_a_refusal_before_the_next_call() {
    let home = TempDir::new().unwrap();
    let journal = open_impatient(home.path()).unwrap();
    let (lease, summary) = start(&journal);
    journal.limit_log(200_000);
    let log = || fs::metadata(home.path().join("journal.db-wal")).unwrap().len();
    let reading = other(home.path());
    reading.execute_batch("BEGIN; SELECT count(*) FROM entries;").unwrap();
    let mut notes = 0;
    while log() <= 200_000 {
        notes += 1;
        journal.append(&*lease, &[note(notes, &"n".repeat(30_000))], &summary).unwrap();
    }
    let why = refused(journal.append(&*lease, &[intent(1, 10)], &summary));
    assert!(why.contains("write-ahead log") && why.contains("an old state"), "{why}");
    // What is no call is still written: somebody may want to cancel.
    journal.append(&*lease, &[note(0, "still")], &summary).unwrap();
    reading.execute_batch("ROLLBACK").unwrap();
    journal.append(&*lease, &[intent(1, 10)], &summary).unwrap();
    assert!(log() <= 200_000, "{} bytes", log());
    assert_eq!(journal.verify(&run_id()), Ok(None));
}
