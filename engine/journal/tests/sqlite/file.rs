//! The folder and the file: what is opened, what is refused, and with which words.

use std::fs;
use std::path::Path;

use piton_core::ports::{Journal as _, JournalError};
use piton_journal::SqliteJournal;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{clock, holder, note, open, run_id, start, written};

/// Why a file is no journal.
fn unreadable<T>(result: Result<T, JournalError>) -> String {
    match result {
        Err(JournalError::Unreadable { path, reason }) => {
            assert!(path.ends_with("journal.db"), "{path}");
            reason
        }
        Err(other) => panic!("unexpected refusal: {other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

/// Why something cannot be written.
fn storage<T>(result: Result<T, JournalError>) -> String {
    match result {
        Err(JournalError::Storage(reason)) => reason,
        Err(other) => panic!("unexpected refusal: {other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

fn sqlite(home: &Path, sql: &str) {
    Connection::open(home.join("journal.db")).unwrap().execute_batch(sql).unwrap();
}

#[cfg(unix)]
#[test]
fn only_this_user_can_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = TempDir::new().unwrap();
    let home = parent.path().join("state/piton");
    let journal = open(&home).unwrap();
    let _driven = start(&journal);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&home.join("locks")), 0o700);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm", "locks/a1.lock"] {
        assert_eq!(mode(&home.join(name)), 0o600, "{name}");
    }
}

#[test]
fn processes_may_come_at_once_to_an_empty_folder() {
    let home = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(open(home.path()).unwrap().runs(), Ok(Vec::new())));
        }
    });
}

#[test]
fn another_programs_database_is_refused_and_left_as_it_was() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("journal.db");
    for sql in [
        "CREATE TABLE notes (text TEXT)",
        "PRAGMA application_id = 7; PRAGMA user_version = 1",
        "DROP TABLE notes; PRAGMA application_id = 0",
    ] {
        sqlite(home.path(), sql);
        let before = fs::read(&path).unwrap();
        assert_eq!(unreadable(open(home.path())), "it is a database of another program");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let home = TempDir::new().unwrap();
    written(home.path(), 2);
    sqlite(home.path(), "PRAGMA user_version = 7");
    let error = open(home.path()).err().unwrap();
    let path = home.path().join("journal.db").display().to_string();
    assert_eq!(error, JournalError::Newer { path, found: 7, known: 2 });
    let read_only = SqliteJournal::open_read_only(home.path(), clock());
    assert_eq!(read_only.err().unwrap(), error);
}

#[test]
fn what_is_no_database_is_refused() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("journal.db");
    fs::write(&path, "notes of a meeting, much longer than a header ".repeat(40)).unwrap();
    assert_eq!(unreadable(open(home.path())), "it is not a SQLite database");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(unreadable(open(home.path())), "it is a folder");
}

#[test]
fn a_damaged_file_is_refused_and_never_read_as_another() {
    let home = TempDir::new().unwrap();
    written(home.path(), 200);
    let path = home.path().join("journal.db");
    let good = fs::read(&path).unwrap();
    let read = || {
        let journal = open(home.path())?;
        journal.runs()?;
        journal.entries(&run_id(), 0, 1000)
    };
    assert_eq!(read().unwrap().len(), 200);

    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(unreadable(read()).contains("damaged"));

    let mut scrambled = good.clone();
    scrambled[4096..].fill(0xa5);
    fs::write(&path, &scrambled).unwrap();
    assert!(unreadable(read()).contains("damaged"));

    let mut headless = good;
    headless[..100].fill(0);
    fs::write(&path, &headless).unwrap();
    assert_eq!(unreadable(read()), "it is not a SQLite database");
}

#[test]
fn an_entry_that_cannot_be_read_is_named() {
    let home = TempDir::new().unwrap();
    written(home.path(), 5);
    sqlite(home.path(), "UPDATE entries SET body = '{' WHERE place & 0xffffffff = 3");
    let journal = open(home.path()).unwrap();
    assert_eq!(journal.entries(&run_id(), 0, 2).unwrap().len(), 2);
    let error = journal.entries(&run_id(), 0, 9).err().unwrap();
    assert!(matches!(&error, JournalError::Entry { run, seq: 3, .. } if run == "a1"), "{error}");
}

#[test]
fn a_home_that_cannot_be_is_said() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(storage(open(&file)).contains("not a folder"));
    let missing = SqliteJournal::open_read_only(&parent.path().join("nowhere"), clock());
    assert_eq!(unreadable(missing), "there is no such file");
}

/// A folder in which SQLite cannot make the files it wants beside the database, also for a user
/// whom permissions do not stop.
fn without_companions(home: &Path) {
    fs::create_dir(home.join("journal.db-shm")).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_can_still_be_read() {
    let home = TempDir::new().unwrap();
    written(home.path(), 5);
    without_companions(home.path());
    let openings = [open(home.path()), SqliteJournal::open_read_only(home.path(), clock())];
    for journal in openings.map(Result::unwrap) {
        assert_eq!(journal.runs().unwrap().len(), 1);
        assert_eq!(journal.entries(&run_id(), 0, 10).unwrap().len(), 5);
        assert_eq!(journal.verify(&run_id()), Ok(None));
        let refused = storage(journal.acquire(&run_id(), &holder()).map(|_| ()));
        assert!(refused.contains("read-only"), "{refused}");
        assert!(storage(journal.remove(&run_id())).contains("read-only"));
    }
}

/// Root may write it all the same: what is said here holds for both.
#[cfg(unix)]
#[test]
fn permission_to_read_is_enough_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = TempDir::new().unwrap();
    written(home.path(), 5);
    let allow = |mode| fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o500);
    let read = open(home.path())
        .and_then(|journal| Ok((journal.runs()?.len(), journal.entries(&run_id(), 0, 10)?.len())));
    allow(0o700);
    assert_eq!(read, Ok((1, 5)));
}

#[test]
fn a_journal_that_is_in_use_can_be_read_without_writing() {
    let home = TempDir::new().unwrap();
    let journal = open(home.path()).unwrap();
    let (lease, summary) = start(&journal);
    let reader = SqliteJournal::open_read_only(home.path(), clock()).unwrap();
    journal.append(&*lease, &[note(1, "after it was opened")], &summary).unwrap();
    let row = reader.find("a1").unwrap();
    assert_eq!((row.head.seq, row.holder), (2, Some(holder())));
    assert!(storage(reader.append(&*lease, &[note(2, "x")], &summary)).contains("read-only"));
    journal.append(&*lease, &[note(2, "by the one that may")], &summary).unwrap();
}

#[test]
fn a_full_disk_refuses_an_append_whole_and_keeps_what_was_there() {
    let home = TempDir::new().unwrap();
    let journal = open(home.path()).unwrap();
    let (lease, summary) = start(&journal);
    let before = journal.append(&*lease, &[note(1, "before")], &summary).unwrap();
    journal.limit_pages(60).unwrap();
    let large = "x".repeat(1 << 20);
    for _ in 0..2 {
        let entries = [note(2, "small"), note(3, &large)];
        assert!(storage(journal.append(&*lease, &entries, &summary)).contains("the disk is full"));
        assert_eq!(journal.find("a1").unwrap().head, before);
    }
    journal.append(&*lease, &[note(2, "still fits")], &summary).unwrap();
    journal.limit_pages(100_000).unwrap();
    journal.append(&*lease, &[note(3, &large)], &summary).unwrap();
    assert_eq!(open(home.path()).unwrap().verify(&run_id()), Ok(None));
    assert_eq!(journal.find("a1").unwrap().head.seq, 4);
}
