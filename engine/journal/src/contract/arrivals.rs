//! Runs that go from one home to another.

use piton_core::entry::{Body, Entry, HandedOver, TakenOver};
use piton_core::evidence::Evidence;
use piton_core::ports::{Arrival, Journal, JournalError, Mail};
use piton_core::status::RunStatus;

use super::Open;
use super::fixtures::{Driven, approval, entry, gate, holder, note, opened, start};

fn handed_over(second: i64) -> Entry {
    let (capsule, host) = ("c1".to_owned(), "laptop".to_owned());
    entry("", second, Body::HandedOver(HandedOver { capsule, host }))
}

fn taken_over(second: i64) -> Entry {
    let (capsule, host) = ("c1".to_owned(), "server".to_owned());
    let version = "0.1.0".to_owned();
    entry("", second, Body::TakenOver(TakenOver { capsule, host, version }))
}

/// A run as another home gets it.
fn arrival(journal: &dyn Journal, driven: &Driven, then: Vec<Entry>) -> Arrival {
    let mut summary = driven.summary.clone();
    then.iter().for_each(|entry| summary.apply(entry).unwrap());
    Arrival {
        evidence: Evidence::of(journal, &driven.run, None).unwrap(),
        copy: then.is_empty(),
        mail: journal.mail(&driven.run).unwrap().into_iter().map(|(_, mail)| mail).collect(),
        locks: vec!["nightly".to_owned()],
        sealed: vec![("password".to_owned(), b"sealed".to_vec())],
        then,
        summary,
    }
}

/// A run at a gate, with an answer, that was handed over by a journal of its own.
fn departed(journal: &dyn Journal, id: &str) -> Driven {
    let mut driven = start(journal, id);
    let asked = gate("publish", "x");
    driven.append(journal, &[opened("#1", 1, &asked)]);
    journal.post(&driven.run, &approval(&asked, "ann")).unwrap();
    driven.append(journal, &[handed_over(2)]);
    driven
}

/// Nobody takes, answers or cancels it here; whoever takes it over has it whole.
pub fn a_run_that_was_handed_over_goes_on_elsewhere_alone(open: Open<'_>) {
    let journal = open();
    let mut driven = departed(&*journal, "a1");
    let refused = || JournalError::HandedOver { run: "a1".to_owned(), capsule: "c1".to_owned() };
    let cancel = Mail::Cancel { by: None, reason: None, at: super::fixtures::at(3) };
    assert_eq!(journal.post(&driven.run, &cancel), Err(refused()));
    assert_eq!(journal.open_gates(&driven.run), Ok(Vec::new()));
    let row = journal.find("a1").unwrap();
    assert_eq!((row.status(), row.summary.waiting_for()), (RunStatus::HandedOver, Vec::new()));

    let old = std::mem::replace(
        &mut driven.lease,
        Box::new(super::fixtures::OldLease(driven.run.clone(), 0)),
    );
    drop(old);
    assert_eq!(journal.acquire(&driven.run, &holder(2)).err(), Some(refused()));

    // Taken back, it is as it was, with one entry more, and its answer still counts.
    let back = arrival(&*journal, &driven, vec![taken_over(3)]);
    journal.import(std::slice::from_ref(&back)).unwrap();
    let again = JournalError::NotAdmitted {
        run: "a1".to_owned(),
        reason: "it is in this home already, and goes on here".to_owned(),
    };
    assert_eq!(journal.import(&[back]), Err(again));
    assert_eq!(journal.verify(&driven.run), Ok(None));
    let gates = open().open_gates(&driven.run).unwrap();
    assert_eq!((gates.len(), gates[0].decisions.len()), (1, 1));
    assert_eq!(journal.sealed(&driven.run).unwrap()[0].0, "password");
    assert_eq!(journal.locks().unwrap()[0].run, driven.run);
    let lease = journal.acquire(&driven.run, &holder(2)).unwrap();
    assert_eq!(journal.find("a1").unwrap().head.seq, 4);
    let summary = journal.find("a1").unwrap().summary;
    journal.append(&*lease, &[note("#2", 4, "on")], &summary).unwrap();
}

/// A copy is listed and read, and that is all.
pub fn a_run_that_is_kept_to_be_read_asks_and_takes_nothing(open: Open<'_>) {
    let journal = open();
    let driven = departed(&*journal, "a1");
    let copy = arrival(&*journal, &driven, Vec::new());
    let run = driven.run.clone();
    drop(driven.lease);
    journal.remove(&run).unwrap();
    let missing = JournalError::NoRun("a1".to_owned());
    assert_eq!(journal.find("a1"), Err(missing));

    // As its home had it before the hand-over.
    let mut earlier = copy.clone();
    earlier.evidence.entries.pop();
    earlier.evidence.head = earlier.evidence.entries[1].hash;
    earlier.summary = earlier.evidence.row().unwrap().summary;
    journal.import(&[earlier.clone()]).unwrap();
    let row = open().find("a1").unwrap();
    assert!(row.copy);
    assert_eq!((row.head.seq, row.status()), (2, RunStatus::Interrupted));
    assert_eq!(journal.verify(&run), Ok(None));
    assert_eq!(journal.entries(&run, 0, 9).unwrap().len(), 2);
    assert_eq!(journal.program(&row.program), Ok(copy.evidence.files.clone()));
    assert_eq!(journal.open_gates(&run), Ok(Vec::new()));
    assert!(journal.gates_of_all().unwrap().is_empty());
    let refused = JournalError::ReadOnlyCopy("a1".to_owned());
    assert_eq!(journal.acquire(&run, &holder(2)).err(), Some(refused));

    // It grows with what its home did since.
    journal.import(&[copy]).unwrap();
    assert_eq!(journal.find("a1").unwrap().head.seq, 3);
    let older = journal.import(&[earlier]);
    assert!(matches!(older, Err(JournalError::NotAdmitted { .. })), "{older:?}");
    journal.remove(&run).unwrap();
}

/// Of runs that come together all are taken in, or none; another history of one is refused.
pub fn only_what_follows_is_taken_in(open: Open<'_>) {
    let journal = open();
    let (first, second) = (departed(&*journal, "a1"), departed(&*journal, "b2"));
    let good = arrival(&*journal, &first, vec![taken_over(3)]);
    let mut other = arrival(&*journal, &second, vec![taken_over(3)]);
    drop(second.lease);
    journal.remove(&second.run).unwrap();
    let mut driven = start(&*journal, "b2");
    driven.append(&*journal, &[note("#1", 1, "another way"), handed_over(2)]);
    other.locks.clear();
    let refused = journal.import(&[good.clone(), other]);
    assert!(matches!(refused, Err(JournalError::NotAdmitted { run, .. }) if run == "b2"));
    assert_eq!(journal.find("a1").unwrap().status(), RunStatus::HandedOver);

    // A lock that somebody has here is not shared.
    let third = start(&*journal, "c3");
    journal.take_lock(&*third.lease, "nightly", &third.run).unwrap();
    let refused = journal.import(std::slice::from_ref(&good));
    assert!(matches!(refused, Err(JournalError::NotAdmitted { run, .. }) if run == "a1"));
    assert_eq!(journal.find("a1").unwrap().head.seq, 3);
}
