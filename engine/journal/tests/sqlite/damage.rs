//! Damaged files: a cut within the last commit resumes; whatever else is wrong either changes nothing,
//! or is refused by name, or is found by verifying. What SQLite cannot tell is here too, so that the
//! documents say no more than is true.

use std::fs;
use std::path::Path;

use piton_core::account::Principal;
use piton_core::canonical::Digest;
use piton_core::entry::{Body, Entry};
use piton_core::gate::{Decider, Decision, GateKind, GateRequest, OnExpire, Verdict};
use piton_core::key::Key;
use piton_core::ports::{Journal as _, JournalError, Mail};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{clock, commits, folded, holder, note, open, run_id, start};

/// Everything that a journal says about its run.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: Vec<String>,
    entries: Vec<String>,
    gates: Vec<String>,
    mail: Vec<String>,
    program: Vec<String>,
    sealed: Vec<(String, Vec<u8>)>,
}

fn debug<T: std::fmt::Debug>(things: &[T]) -> Vec<String> {
    things.iter().map(|thing| format!("{thing:?}")).collect()
}

/// What a home says, and what verifying finds in it.
fn look(home: &Path) -> Result<(Seen, bool), JournalError> {
    let journal = open(home)?;
    let mut rows = journal.runs()?;
    // Who drives it is no part of what is kept.
    rows.iter_mut().for_each(|row| row.holder = None);
    let row = journal.find("a1")?;
    let seen = Seen {
        rows: debug(&rows),
        entries: debug(&journal.entries(&run_id(), 0, 10_000)?),
        gates: debug(&journal.open_gates(&run_id())?),
        mail: debug(&journal.mail(&run_id())?),
        program: debug(&journal.program(&row.program)?),
        sealed: journal.sealed(&run_id())?,
    };
    let is_whole =
        journal.verify(&run_id())?.is_none() && journal.check(Some(&run_id()))?.is_empty();
    Ok((seen, is_whole))
}

fn principal(name: &str) -> Principal {
    let account = "111122223333".to_owned();
    let arn = format!("arn:aws:iam::{account}:user/{name}");
    Principal { account, arn, region: "eu-west-1".to_owned() }
}

fn gate() -> GateRequest {
    GateRequest {
        gate: "publish".to_owned(),
        name: "publish".to_owned(),
        kind: GateKind::Approval,
        show: serde_json::json!({ "what": "the table" }),
        from: Vec::new(),
        need: 2,
        exclude: Vec::new(),
        by_requester: false,
        requester: Some(principal("rita")),
        expires_at: None,
        on_expire: OnExpire::Reject,
        form: Value::Null,
        instructions: None,
        evidence: None,
        returns_rejection: false,
        digest: Digest::of(b"the table"),
    }
}

fn decision() -> Decision {
    Decision {
        gate: "publish".to_owned(),
        verdict: Verdict::Approve,
        by: Decider { alias: None, principal: principal("ann") },
        comment: Some("seen".to_owned()),
        fields: Value::Null,
        evidence: None,
        at: clock()(),
        digest: gate().digest,
    }
}

/// A home with something of everything, on disk after each of its commits: what it said then, and the
/// bytes of database and log at the end. A process was killed there.
struct Made {
    states: Vec<Seen>,
    /// Length of the log after each commit.
    lengths: Vec<usize>,
    database: Vec<u8>,
    log: Vec<u8>,
    home: TempDir,
}

impl Made {
    /// The same files with other contents: a copy of them would be refused as what it is.
    fn with(&self, database: &[u8], log: Option<&[u8]>) -> &Path {
        let file = |end: &str| self.home.path().join(format!("journal.db{end}"));
        for end in ["-shm", "-wal"] {
            drop(fs::remove_file(file(end)));
        }
        fs::write(file(""), database).unwrap();
        if let Some(log) = log {
            fs::write(file("-wal"), log).unwrap();
        }
        self.home.path()
    }

    /// Which of its states a home is in.
    fn place_of(&self, seen: &Seen) -> Option<usize> {
        self.states.iter().rposition(|state| state == seen)
    }
}

fn made() -> Made {
    let home = TempDir::new().unwrap();
    // Closed once, so that the tables are in the database and the run is in the log.
    drop(open(home.path()).unwrap());
    let journal = open(home.path()).unwrap();
    let log = home.path().join("journal.db-wal");
    let (mut states, mut lengths) = (Vec::new(), Vec::new());
    let mut keep = || {
        lengths.push(fs::read(&log).unwrap().len());
        states.push(look(home.path()).unwrap().0);
    };
    let (lease, mut summary) = start(&journal);
    keep();
    journal.seal(&*lease, "token", b"sealed bytes").unwrap();
    keep();
    let opened = Entry {
        key: Some(Key::from_text("publish#1")),
        at: clock()(),
        body: Body::GateOpened(gate()),
    };
    for commit in [vec![opened], vec![note(1, &"long ".repeat(2_000))], vec![note(2, "short")]] {
        summary = folded(summary, &commit);
        journal.append(&*lease, &commit, &summary).unwrap();
        keep();
    }
    journal.post(&run_id(), &Mail::Decision(decision())).unwrap();
    keep();
    for commit in commits(2, 3_000).into_iter().take(2) {
        summary = folded(summary, &commit);
        journal.append(&*lease, &commit, &summary).unwrap();
        keep();
    }
    let database = fs::read(home.path().join("journal.db")).unwrap();
    let log = fs::read(&log).unwrap();
    drop((lease, journal));
    Made { states, lengths, database, log, home }
}

/// What a damaged home turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It says what it said.
    Unharmed,
    /// It says what it said at an earlier commit: what a lost end of a log looks like.
    Earlier(usize),
    /// It was refused, with words.
    Refused,
    /// It says something else, and verifying finds it.
    Found,
    /// It says something else, and nothing finds it.
    Silent,
}

fn fate(made: &Made, database: &[u8], log: Option<&[u8]>) -> Fate {
    match look(made.with(database, log)) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Fate::Refused
        }
        Ok((seen, is_whole)) => match made.place_of(&seen) {
            Some(place) if place + 1 == made.states.len() => Fate::Unharmed,
            Some(place) => Fate::Earlier(place),
            None if is_whole => Fate::Silent,
            None => Fate::Found,
        },
    }
}

/// A sequence of numbers that follows from its seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[test]
fn a_cut_within_the_last_commit_leaves_what_was_there_before_it_and_the_run_goes_on() {
    let made = made();
    let last = made.states.len() - 1;
    let (from, to) = (made.lengths[last - 1], made.lengths[last]);
    assert_eq!(to, made.log.len());
    let frame = 4096 + 24;
    let at_frames = (from..=to).step_by(frame).flat_map(|at| [at.saturating_sub(1), at, at + 1]);
    let cuts = (from..to).step_by(131).chain(at_frames).filter(|cut| (from..to).contains(cut));
    let mut count = 0;
    for cut in cuts {
        let log = &made.log[..cut];
        assert_eq!(fate(&made, &made.database, Some(log)), Fate::Earlier(last - 1), "cut at {cut}");
        count += 1;
    }
    assert!(count > 100, "{count} cuts");
    // And it goes on: the commit that was cut is made again.
    let journal = open(made.with(&made.database, Some(&made.log[..to - 1]))).unwrap();
    let row = journal.find("a1").unwrap();
    let lease = journal.acquire(&run_id(), &holder()).unwrap();
    let commit = commits(2, 3_000).remove(1);
    let summary = folded(row.summary, &commit);
    journal.append(&*lease, &commit, &summary).unwrap();
    assert_eq!(debug(&journal.entries(&run_id(), 0, 100).unwrap()), made.states[last].entries);
}

/// What `verify` alone cannot tell: a log that ends early is the log of a crash. A head that was noted
/// elsewhere tells it.
#[test]
fn a_log_that_lost_more_is_an_earlier_state_and_only_a_noted_head_tells() {
    let made = made();
    for cut in (0..made.log.len()).step_by(977) {
        match fate(&made, &made.database, Some(&made.log[..cut])) {
            // Before the run there was nothing to say about it.
            Fate::Refused if cut < made.lengths[0] => {}
            Fate::Earlier(place) => {
                assert!(made.lengths[place] <= cut, "cut at {cut}");
                let is_next_cut = made.lengths.get(place + 1).is_some_and(|next| cut < *next);
                assert!(is_next_cut, "cut at {cut}: an acknowledged commit before it is gone");
            }
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
    let without = fate(&made, &made.database, None);
    assert_eq!(without, Fate::Refused, "the run is not in the database yet");
}

#[test]
fn flipped_bits_change_nothing_or_are_refused_or_found() {
    let made = made();
    // A database with everything in it, as a journal has that was closed.
    drop(open(made.with(&made.database, Some(&made.log))).unwrap());
    let whole = fs::read(made.home.path().join("journal.db")).unwrap();
    assert_eq!(fate(&made, &whole, None), Fate::Unharmed);
    let mut random = Seeded(0x5eed);
    let mut fates: Vec<Fate> = Vec::new();
    for _ in 0..1_500 {
        let mut flipped = whole.clone();
        let (at, bit) = (random.below(flipped.len()), random.below(8));
        flipped[at] ^= 1 << bit;
        let fate = fate(&made, &flipped, None);
        assert!(!matches!(fate, Fate::Silent | Fate::Earlier(_)), "byte {at}, bit {bit}: {fate:?}");
        fates.push(fate);
    }
    for _ in 0..700 {
        let mut flipped = made.log.clone();
        let (at, bit) = (random.below(flipped.len()), random.below(8));
        flipped[at] ^= 1 << bit;
        let fate = fate(&made, &made.database, Some(&flipped));
        // A frame that is not what was written ends the log, like a cut.
        assert!(!matches!(fate, Fate::Silent | Fate::Found), "log byte {at}, bit {bit}: {fate:?}");
        fates.push(fate);
    }
    for fate in [Fate::Unharmed, Fate::Refused, Fate::Found, Fate::Earlier(3)] {
        assert!(fates.contains(&fate), "no flip was {fate:?}");
    }
}

#[test]
fn a_database_that_was_cut_or_emptied_is_refused_or_found() {
    let made = made();
    drop(open(made.with(&made.database, Some(&made.log))).unwrap());
    let whole = fs::read(made.home.path().join("journal.db")).unwrap();
    for cut in (0..whole.len()).step_by(4096).chain([100, 1_000, whole.len() - 1]) {
        let fate = fate(&made, &whole[..cut], None);
        // The last byte of the last page may be one that nothing uses.
        let is_free = cut + 1 == whole.len() && fate == Fate::Unharmed;
        assert!(is_free || matches!(fate, Fate::Refused | Fate::Found), "cut at {cut}: {fate:?}");
    }
    // An empty file is no new home where runs were kept, with or without a log.
    for log in [None, Some(made.log.as_slice())] {
        let error = look(made.with(&[], log)).err().unwrap();
        let JournalError::Unreadable { reason, .. } = &error else { panic!("{error}") };
        assert!(reason.contains("it is empty, and runs were kept in it"), "{reason}");
    }
}

/// SQLite does not know whose log it is: the pages of a foreign one are taken for this one's.
#[test]
fn the_log_of_another_home_is_found_or_is_wholly_that_other_home() {
    let (made, foreign) = (made(), other_home());
    drop(open(made.with(&made.database, Some(&made.log))).unwrap());
    let whole = fs::read(made.home.path().join("journal.db")).unwrap();
    for database in [&whole, &made.database] {
        let home = made.with(database, Some(&foreign.1));
        match look(home) {
            Err(_) | Ok((_, false)) => {}
            Ok((seen, true)) => {
                // It says what one of the two says, and nothing that neither said.
                assert!(
                    made.place_of(&seen).is_some() || seen.entries == foreign.0,
                    "a mixture verifies: {seen:?}"
                );
            }
        }
    }
}

/// The entries of the run `a1` in another home, and its log.
fn other_home() -> (Vec<String>, Vec<u8>) {
    let home = TempDir::new().unwrap();
    drop(open(home.path()).unwrap());
    let journal = open(home.path()).unwrap();
    let (lease, summary) = start(&journal);
    for number in 1..20 {
        journal.append(&*lease, &[note(number, &"other ".repeat(300))], &summary).unwrap();
    }
    let entries = debug(&journal.entries(&run_id(), 0, 100).unwrap());
    (entries, fs::read(home.path().join("journal.db-wal")).unwrap())
}
