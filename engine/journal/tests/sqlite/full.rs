//! A disk that is full at each write in turn: the run stops with the cause before a call that could
//! not be recorded, and goes on when there is room.

use piton_core::entry::{Body, Entry};
use piton_core::ports::{Journal as _, JournalError, Lease};
use piton_core::status::RunSummary;
use piton_journal::SqliteJournal;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{commits, finish, folded, note, open, start};

const CALLS: usize = 6;
/// Bytes of each call's input: some pages.
const SIZE: usize = 14_000;
/// Pages that the reserve beside the database is worth.
const RESERVE: u32 = 512;

fn pages(home: &TempDir) -> u32 {
    let connection = Connection::open(home.path().join("journal.db")).unwrap();
    connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
}

fn is_intent(entry: &Entry) -> bool {
    matches!(entry.body, Body::Intent(_))
}

/// Drives the small run as a driver does, until the disk refuses a commit: why, and how many calls
/// were sent. What was answered must be recorded all the same.
fn drive(
    journal: &SqliteJournal,
    lease: &dyn Lease,
    mut summary: RunSummary,
) -> (usize, Option<String>) {
    let mut sent = 0;
    for commit in commits(CALLS, SIZE) {
        let after = folded(summary.clone(), &commit);
        match journal.append(lease, &commit, &after) {
            Ok(_) => {
                summary = after;
                sent += usize::from(commit.iter().any(is_intent));
            }
            Err(JournalError::Storage(why)) => {
                let answered: Vec<Entry> =
                    commit.into_iter().filter(|entry| !is_intent(entry)).collect();
                if !answered.is_empty() {
                    let after = folded(summary, &answered);
                    journal.append(lease, &answered, &after).expect("the reserve is for this");
                }
                return (sent, Some(why));
            }
            Err(other) => panic!("unexpected refusal: {other}"),
        }
    }
    (sent, None)
}

#[test]
fn a_disk_that_is_full_at_any_page_loses_no_answer_and_goes_on_when_there_is_room() {
    let calm = TempDir::new().unwrap();
    let (used, needed) = {
        let journal = open(calm.path()).unwrap();
        let (lease, summary) = start(&journal);
        let used = pages(&calm);
        assert_eq!(drive(&journal, &*lease, summary), (CALLS, None));
        (used, pages(&calm))
    };
    assert!(needed > used + 15, "{used} to {needed} pages");

    let mut stops = Vec::new();
    for limit in used + RESERVE - 1..=needed + RESERVE {
        let home = TempDir::new().unwrap();
        let journal = open(home.path()).unwrap();
        let (lease, summary) = start(&journal);
        journal.limit_pages(limit).unwrap();
        let (sent, why) = drive(&journal, &*lease, summary);
        if let Some(why) = why {
            assert!(why.contains("the disk is full"), "{why}");
            stops.push(sent);
        } else {
            assert_eq!(sent, CALLS);
        }
        drop((lease, journal));
        finish(&open(home.path()).unwrap(), CALLS, SIZE);
    }
    // Every call was the last one at some limit, and the first was refused before it was sent.
    stops.dedup();
    assert_eq!(stops, (0..CALLS).collect::<Vec<_>>());
}

#[test]
fn without_the_reserve_no_new_call_begins() {
    let home = TempDir::new().unwrap();
    let journal = open(home.path()).unwrap();
    let (lease, summary) = start(&journal);
    let reserve = home.path().join("journal.db.reserve");
    let first = &commits(CALLS, SIZE)[0];
    // A folder in its place: it cannot be made.
    std::fs::create_dir(&reserve).unwrap();
    let refused = journal.append(&*lease, first, &summary).unwrap_err();
    assert!(matches!(&refused, JournalError::Storage(why) if why.contains("journal.db.reserve")));
    journal.append(&*lease, &[note(1, "what is no call is taken")], &summary).unwrap();
    std::fs::remove_dir(&reserve).unwrap();
    journal.append(&*lease, first, &summary).unwrap();
    assert!(reserve.is_file());
}
