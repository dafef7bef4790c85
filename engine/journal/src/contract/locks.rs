//! One run at a time for a name.

use piton_core::entry::End;
use piton_core::ports::JournalError;

use super::Open;
use super::fixtures::{OldLease, ended, holder, run_id, start};

/// The first one has a lock, and keeps it when it asks again.
pub fn a_lock_has_one_run_at_a_time(open: Open<'_>) {
    let journal = open();
    let first = start(&*journal, "a1");
    let second = start(&*journal, "b2");
    for _ in 0..2 {
        assert_eq!(journal.take_lock(&*first.lease, "poc", &first.run), Ok(None));
    }
    let other = open();
    assert_eq!(other.take_lock(&*second.lease, "poc", &second.run), Ok(Some(first.run)));
    assert_eq!(other.take_lock(&*second.lease, "another", &second.run), Ok(None));
    let held: Vec<(String, _)> =
        other.locks().unwrap().into_iter().map(|lock| (lock.name, lock.run)).collect();
    assert_eq!(held, [("another".to_owned(), run_id("b2")), ("poc".to_owned(), run_id("a1"))]);
}

/// What ended or is gone holds nothing.
pub fn a_lock_of_a_run_that_ended_is_free(open: Open<'_>) {
    let journal = open();
    let mut first = start(&*journal, "a1");
    let second = start(&*journal, "b2");
    let third = start(&*journal, "c3");
    assert_eq!(journal.take_lock(&*first.lease, "poc", &first.run), Ok(None));
    first.append(&*journal, &[ended(1, End::Cancelled, None)]);
    assert!(journal.locks().unwrap().is_empty());
    assert_eq!(journal.take_lock(&*second.lease, "poc", &second.run), Ok(None));
    assert_eq!(journal.take_lock(&*first.lease, "poc", &first.run), Ok(Some(run_id("b2"))));
    drop(second.lease);
    journal.remove(&run_id("b2")).unwrap();
    assert_eq!(journal.take_lock(&*third.lease, "poc", &third.run), Ok(None));
}

/// Whoever lost the run takes no lock for it.
pub fn an_old_lease_takes_no_lock(open: Open<'_>) {
    let journal = open();
    let driven = start(&*journal, "a1");
    let old = OldLease(driven.run.clone(), 0);
    let refused = journal.take_lock(&old, "poc", &driven.run);
    assert_eq!(refused, Err(JournalError::LeaseLost("a1".to_owned())));
    drop(driven.lease);
    let lease = journal.acquire(&driven.run, &holder(2)).unwrap();
    assert_eq!(journal.take_lock(&*lease, "poc", &driven.run), Ok(None));
}
