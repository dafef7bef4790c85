//! A process that is killed loses the run at once, and nothing that it was told is stored.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use piton_core::ports::{Journal as _, JournalError};
use piton_core::status::RunStatus;
use tempfile::TempDir;

use crate::support::{holder, note, open, run_id, start};

/// Tells the test binary, started again, that it is to drive the run of this folder.
const HOME: &str = "PITON_TEST_DRIVE";

/// What a process that is about to be killed does; nothing in an ordinary test run.
#[test]
#[expect(clippy::print_stdout, reason = "the other process reads it")]
fn drives_until_it_is_killed() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let journal = open(Path::new(&home)).unwrap();
    let (lease, summary) = start(&journal);
    // An end for the case that nobody is left to kill it.
    for number in 1..100_000 {
        let entries = [note(number, "one"), note(number, "two")];
        let head = journal.append(&*lease, &entries, &summary).unwrap();
        println!("\nappended {}", head.seq);
    }
}

#[test]
fn a_run_of_a_killed_process_is_whole_and_free() {
    let home = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["processes::drives_until_it_is_killed", "--exact", "--nocapture"])
        .env(HOME, home.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut appended = lines.filter_map(|line| line.strip_prefix("appended ")?.parse::<u64>().ok());
    let told = appended.by_ref().take(20).last().unwrap();

    let journal = open(home.path()).unwrap();
    match journal.acquire(&run_id(), &holder()).err() {
        Some(JournalError::Held { holder, .. }) => assert_eq!(holder.pid, child.id()),
        other => panic!("a run was taken from a living process: {other:?}"),
    }
    assert_eq!(journal.find("a1").unwrap().status(), RunStatus::Running);

    child.kill().unwrap();
    child.wait().unwrap();
    let told = appended.last().unwrap_or(told);
    let row = journal.find("a1").unwrap();
    assert_eq!((row.status(), row.holder), (RunStatus::Interrupted, None));
    assert!(row.head.seq >= told, "{} of {told} told entries are there", row.head.seq);
    assert_eq!(row.head.seq % 2, 1, "half an append is there");
    assert_eq!(journal.verify(&run_id()), Ok(None));
    let lease = journal.acquire(&run_id(), &holder()).unwrap();
    assert_eq!(lease.epoch(), 2);
    journal.append(&*lease, &[note(1, "on")], &row.summary).unwrap();
}
