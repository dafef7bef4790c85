//! Who drives a run.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use piton_core::ports::JournalError;
use piton_core::status::RunStatus;

use super::Open;
use super::fixtures::{OldLease, holder, note, run_id, start};

/// Whoever has a run keeps it, and is shown to others.
pub fn one_process_drives_a_run(open: Open<'_>) {
    let journal = open();
    let driven = start(&*journal, "a1");
    assert_eq!((driven.lease.run(), driven.lease.epoch()), (&driven.run, 1));
    for other in [&journal, &open()] {
        let held = JournalError::Held { run: "a1".to_owned(), holder: holder(1) };
        assert_eq!(other.acquire(&driven.run, &holder(2)).err(), Some(held));
        let row = other.find("a1").unwrap();
        assert_eq!((row.status(), row.holder), (RunStatus::Running, Some(holder(1))));
        assert_eq!(other.runs().unwrap()[0].holder, Some(holder(1)));
    }
    let nowhere = journal.acquire(&run_id("b2"), &holder(2)).err();
    assert_eq!(nowhere, Some(JournalError::NoRun("b2".to_owned())));
}

/// Without a holder a run that was going on is interrupted; the next one gets a higher epoch.
pub fn a_run_that_was_given_back_is_taken_at_once(open: Open<'_>) {
    let journal = open();
    let driven = start(&*journal, "a1");
    drop(driven.lease);
    let row = open().find("a1").unwrap();
    assert_eq!((row.status(), row.holder), (RunStatus::Interrupted, None));
    for epoch in [2, 3] {
        let other = open();
        let lease = other.acquire(&driven.run, &holder(7)).unwrap();
        assert_eq!(lease.epoch(), epoch);
        assert_eq!(journal.find("a1").unwrap().holder, Some(holder(7)));
        other.renew(&*lease).unwrap();
        other.append(&*lease, &[note("#0", 61, "on")], &driven.summary).unwrap();
    }
    assert_eq!(journal.find("a1").unwrap().head.seq, 3);
}

/// A process that was replaced can change nothing, and learns of it.
pub fn an_old_lease_writes_nothing(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    drop(driven.lease);
    driven.lease = journal.acquire(&driven.run, &holder(2)).unwrap();
    journal.seal(&*driven.lease, "password", b"new").unwrap();
    let before = journal.find("a1").unwrap();
    let lost = || JournalError::LeaseLost("a1".to_owned());
    for epoch in [0, 1, 3] {
        let old = OldLease(driven.run.clone(), epoch);
        let mut other_summary = driven.summary.clone();
        other_summary.status = RunStatus::Failed;
        let entries = [note("#0", 1, "one"), note("#1", 1, "two")];
        assert_eq!(journal.append(&old, &entries, &other_summary), Err(lost()));
        assert_eq!(journal.take_mail(&old, &[], &entries, &other_summary), Err(lost()));
        assert_eq!(journal.renew(&old), Err(lost()));
        assert_eq!(journal.seal(&old, "password", b"old"), Err(lost()));
    }
    assert_eq!(journal.find("a1"), Ok(before));
    assert_eq!(journal.entries(&driven.run, 0, 9).unwrap().len(), 1);
    let sealed = journal.sealed(&driven.run).unwrap();
    assert_eq!(sealed, [("password".to_owned(), b"new".to_vec())]);
    driven.append(&*journal, &[note("#0", 1, "by the one who has it")]);
}

/// Of processes that come for a run at once, one gets it.
pub fn of_many_only_one_takes_a_run(open: Open<'_>) {
    let driven = start(&*open(), "a1");
    let run = driven.run.clone();
    drop(driven.lease);
    let barrier = Barrier::new(6);
    let leases: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|pid| {
                let (barrier, run) = (&barrier, &run);
                scope.spawn(move || {
                    let journal = open();
                    barrier.wait();
                    let lease = journal.acquire(run, &holder(pid));
                    barrier.wait();
                    lease.map(|lease| lease.epoch())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(leases.iter().filter(|lease| lease.is_ok()).count(), 1);
    let refused = leases.iter().filter_map(|lease| lease.as_ref().err());
    for error in refused {
        assert!(matches!(error, JournalError::Held { .. }), "{error}");
    }
}

/// A list that asks whether a run is driven does not look like a driver itself.
pub fn whoever_looks_keeps_nobody_from_a_run(open: Open<'_>) {
    let journal = open();
    let driven = start(&*journal, "a1");
    let run = driven.run.clone();
    drop(driven.lease);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let journal = open();
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(journal.runs().unwrap().len(), 1);
                }
            });
        }
        let taken: Result<Vec<_>, _> = (0..50)
            .map(|pid| journal.acquire(&run, &holder(pid)).map(|lease| lease.epoch()))
            .collect();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(taken, Ok((2..52).collect()));
    });
}
