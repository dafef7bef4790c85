//! A holder that lives and says nothing: stopped, or on a machine that slept.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use piton_core::ports::{Holder, Journal as _, JournalError};
use piton_core::time::Timestamp;
use piton_journal::SqliteJournal;
use tempfile::TempDir;

use crate::support::{holder, note, run_id, start};

#[test]
fn a_silent_holder_is_replaced_and_writes_nothing_when_it_wakes() {
    let home = TempDir::new().unwrap();
    let seconds = Arc::new(AtomicI64::new(0));
    let open = || {
        let seconds = Arc::clone(&seconds);
        let now = move || Timestamp::from_millis(seconds.load(Ordering::SeqCst) * 1000);
        SqliteJournal::open(home.path(), Arc::new(now)).unwrap()
    };
    let other = Holder { pid: holder().pid + 1, ..holder() };
    let (first, second) = (open(), open());
    let (lease, summary) = start(&first);

    seconds.store(25, Ordering::SeqCst);
    assert!(matches!(second.acquire(&run_id(), &other), Err(JournalError::Held { .. })));
    first.renew(&*lease).unwrap();
    seconds.store(50, Ordering::SeqCst);
    assert!(matches!(second.acquire(&run_id(), &other), Err(JournalError::Held { .. })));

    seconds.store(56, Ordering::SeqCst);
    let taken = second.acquire(&run_id(), &other).unwrap();
    assert_eq!(taken.epoch(), 2);
    assert_eq!(first.find("a1").unwrap().holder, Some(other.clone()));
    let lost = Err(JournalError::LeaseLost("a1".to_owned()));
    assert_eq!(first.append(&*lease, &[note(1, "late")], &summary), lost);
    assert_eq!(first.renew(&*lease).err(), Some(JournalError::LeaseLost("a1".to_owned())));

    // Nor does its end give the run away.
    drop(lease);
    assert_eq!(first.find("a1").unwrap().holder, Some(other));
    assert!(matches!(first.acquire(&run_id(), &holder()), Err(JournalError::Held { .. })));
    second.append(&*taken, &[note(1, "in time")], &summary).unwrap();
    drop(taken);
    assert_eq!(first.acquire(&run_id(), &holder()).unwrap().epoch(), 3);
    first.remove(&run_id()).unwrap();
    let left = std::fs::read_dir(home.path().join("locks")).unwrap().count();
    assert_eq!(left, 1, "only the lock of opening stays");
}
