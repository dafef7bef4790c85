//! System calls that fail, in processes of their own: a file that may not grow beyond a size, for each
//! size; and with `strace`, where it is installed, each write, sync, truncation and opening in turn.

use std::path::Path;
use std::process::{Command, Stdio};

use piton_core::ports::{Journal as _, JournalError};
use tempfile::TempDir;

use crate::support::{commits, finish, folded, holder, open, open_impatient, run_id, start};

/// Tells the test binary, started again, to drive the run of this folder.
const HOME: &str = "PITON_TEST_FAULTS";
const CALLS: usize = 3;
const SIZE: usize = 6_000;

/// What the other process does; nothing in an ordinary test run. It says what it was told to be on
/// disk, and why it stopped.
#[test]
#[expect(clippy::print_stdout, reason = "the other process reads it")]
fn drives_until_the_disk_fails() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let drive = || -> Result<(), JournalError> {
        // A lock that the system refuses looks like one that another process has.
        let journal = open_impatient(Path::new(&home))?;
        let mut summary = journal.find("a1")?.summary;
        let lease = journal.acquire(&run_id(), &holder())?;
        for commit in commits(CALLS, SIZE) {
            summary = folded(summary, &commit);
            let head = journal.append(&*lease, &commit, &summary)?;
            println!("\ntold {}", head.seq);
        }
        Ok(())
    };
    match drive() {
        Ok(()) => println!("\nended"),
        Err(error) => println!("\nstopped {error}"),
    }
}

/// What the other process said.
struct Said {
    /// The last position that it was told to be on disk.
    told: u64,
    /// Why it stopped, unless it came to the end.
    stopped: Option<String>,
}

/// A home with the run and the reserve, in which the other process drives under a wrapper. It says
/// nothing when it could not even begin.
fn driven_under(wrapper: &[&str]) -> (TempDir, Option<Said>) {
    let home = TempDir::new().unwrap();
    {
        let journal = open(home.path()).unwrap();
        let (lease, summary) = start(&journal);
        // Makes the reserve, and is void: the run begins anew.
        journal.append(&*lease, &commits(CALLS, SIZE)[0], &summary).unwrap();
        drop(lease);
        journal.remove(&run_id()).unwrap();
        drop(start(&journal));
    }
    let test = std::env::current_exe().unwrap();
    let output = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg(test)
        .args(["faults::drives_until_the_disk_fails", "--exact", "--nocapture"])
        .env(HOME, home.path())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = |word: &str| text.lines().filter_map(|line| line.strip_prefix(word)).next_back();
    let told = last("told ").map_or(1, |seq| seq.parse().unwrap());
    let stopped = last("stopped ").map(str::to_owned);
    let has_said = stopped.is_some() || last("ended").is_some();
    (home, has_said.then_some(Said { told, stopped }))
}

/// The run is whole, has all that the process was told, and goes on.
fn check(home: &TempDir, said: &Said, how: &str) {
    let journal = open(home.path()).unwrap();
    let head = journal.find("a1").unwrap().head.seq;
    assert!(head >= said.told, "{} was told and {head} is there, {how}", said.told);
    if let Some(why) = &said.stopped {
        let file = home.path().display().to_string();
        let is_named = why.contains("disk") || why.contains(&file);
        assert!(is_named, "no cause is named, {how}: {why}");
    }
    finish(&journal, CALLS, SIZE);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_stops_the_run_at_each_size_and_it_goes_on() {
    let (mut stops, mut ends) = (0, 0);
    // `sh` counts in blocks of 512 bytes; a frame of the log has eight of them and a bit.
    for blocks in 0.. {
        let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let (home, said) = driven_under(&["sh", "-c", &line, "sh"]);
        let how = format!("with files of at most {blocks} blocks");
        let said = said.unwrap_or_else(|| panic!("it neither ended nor said why not, {how}"));
        check(&home, &said, &how);
        match said.stopped {
            Some(_) => stops += 1,
            None => ends += 1,
        }
        if ends == 3 {
            break;
        }
    }
    assert!(stops > 100, "it stopped at {stops} sizes only");
}

/// Each call of a kind in turn, and with `+` all from that one on.
#[test]
#[ignore = "needs strace, which .ci/faults asks for"]
#[expect(clippy::print_stdout, reason = "the counts are evidence")]
fn every_system_call_that_fails_stops_the_run_and_it_goes_on() {
    let (mut faults, mut stops) = (0, 0);
    for (call, error) in [
        ("pwrite64", "ENOSPC"),
        ("pwrite64", "EIO"),
        ("pwrite64", "EROFS"),
        ("fsync,fdatasync", "EIO"),
        ("ftruncate", "EIO"),
        ("openat", "EROFS"),
        ("openat", "EMFILE"),
        ("unlink", "EACCES"),
        ("fcntl", "ENOLCK"),
    ] {
        for from_then_on in ["", "+"] {
            let mut clean = 0;
            let (faults_before, stops_before) = (faults, stops);
            // SQLite tries for ten seconds to get a lock that nobody seems to have.
            let step = if (call, from_then_on) == ("fcntl", "+") { 16 } else { 1 };
            for count in (1..200).step_by(step) {
                let inject = format!("inject={call}:error={error}:when={count}{from_then_on}");
                let log = TempDir::new().unwrap();
                let trace = log.path().join("trace");
                let trace = trace.to_string_lossy();
                let traced = format!("trace={call}");
                let wrapper = ["strace", "-f", "-qq", "-o", &trace, "-e", &traced, "-e", &inject];
                let (home, said) = driven_under(&wrapper);
                // A process that could not even begin changed nothing.
                let said = said.unwrap_or(Said { told: 1, stopped: Some("disk".to_owned()) });
                check(&home, &said, &inject);
                faults += 1;
                let stopped = said.stopped.is_some();
                stops += usize::from(stopped);
                clean = if stopped { 0 } else { clean + 1 };
                // Beyond the last one nothing fails any more.
                if clean == 12 {
                    break;
                }
            }
            let (faults, stops) = (faults - faults_before, stops - stops_before);
            println!(
                "{call}{from_then_on} {error}: {faults} faults, {stops} of which stopped the run"
            );
        }
    }
    println!("{faults} faults, {stops} of which stopped the run, and all runs went on");
    assert!(stops > 100);
}
