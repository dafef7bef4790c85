//! A holder that lives and says nothing, and clocks that jump. The machine here is one that the test
//! describes: its running time moves when the test says so, and its clock goes anywhere.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use piton_core::ports::{Holder, Journal as _, JournalError};
use piton_core::time::{Span, Timestamp};
use piton_journal::{Machine, SqliteJournal};
use tempfile::TempDir;

use crate::support::{holder, note, run_id, start};

/// Seconds that the machine has run, and what its clock says.
#[derive(Clone, Default)]
struct Clocks {
    ran: Arc<AtomicU64>,
    shown: Arc<AtomicI64>,
}

impl Clocks {
    fn pass(&self, seconds: u64) {
        self.ran.fetch_add(seconds, Ordering::SeqCst);
    }

    fn jump(&self, hours: i64) {
        self.shown.fetch_add(hours * 3600, Ordering::SeqCst);
    }

    fn machine(&self) -> Machine {
        let ran = Arc::clone(&self.ran);
        let uptime = move || Span::from_secs(ran.load(Ordering::SeqCst));
        Machine { uptime: Arc::new(uptime), ..Machine::this() }
    }

    fn open(&self, home: &Path) -> SqliteJournal {
        self.open_on(home, self.machine())
    }

    fn open_on(&self, home: &Path, machine: Machine) -> SqliteJournal {
        let shown = Arc::clone(&self.shown);
        let now = move || Timestamp::from_millis(shown.load(Ordering::SeqCst) * 1000);
        SqliteJournal::open_on(home, Arc::new(now), machine).unwrap()
    }
}

/// Somebody whom everybody on this host can see.
fn other() -> Holder {
    Holder { pid: 1, ..holder() }
}

#[test]
fn a_silent_holder_is_replaced_and_writes_nothing_when_it_wakes() {
    let home = TempDir::new().unwrap();
    let clocks = Clocks::default();
    let (first, second) = (clocks.open(home.path()), clocks.open(home.path()));
    let (lease, summary) = start(&first);

    clocks.pass(25);
    assert!(matches!(second.acquire(&run_id(), &other()), Err(JournalError::Held { .. })));
    first.renew(&*lease).unwrap();
    clocks.pass(25);
    assert!(matches!(second.acquire(&run_id(), &other()), Err(JournalError::Held { .. })));
    assert_eq!(first.is_held(&*lease), Ok(true));

    clocks.pass(6);
    let taken = second.acquire(&run_id(), &other()).unwrap();
    assert_eq!(taken.epoch(), 2);
    assert_eq!(first.find("a1").unwrap().holder, Some(other()));
    let lost = Err(JournalError::LeaseLost("a1".to_owned()));
    assert_eq!(first.is_held(&*lease), Ok(false));
    assert_eq!(first.append(&*lease, &[note(1, "late")], &summary), lost);
    assert_eq!(first.renew(&*lease).err(), Some(JournalError::LeaseLost("a1".to_owned())));

    // Nor does its end give the run away.
    drop(lease);
    assert_eq!(first.find("a1").unwrap().holder, Some(other()));
    assert!(matches!(first.acquire(&run_id(), &holder()), Err(JournalError::Held { .. })));
    second.append(&*taken, &[note(1, "in time")], &summary).unwrap();
    drop(taken);
    assert_eq!(first.acquire(&run_id(), &holder()).unwrap().epoch(), 3);
    first.remove(&run_id()).unwrap();
    let left = std::fs::read_dir(home.path().join("locks")).unwrap().count();
    assert_eq!(left, 1, "only the lock of opening stays");
}

/// An append is a sign of life, and the first look after it needs no other. Later ones do.
#[test]
fn an_append_says_that_the_holder_lives_and_has_the_run() {
    let home = TempDir::new().unwrap();
    let clocks = Clocks::default();
    let (first, second) = (clocks.open(home.path()), clocks.open(home.path()));
    let (lease, summary) = start(&first);
    clocks.pass(25);
    first.append(&*lease, &[note(1, "on")], &summary).unwrap();
    clocks.pass(25);
    assert!(matches!(second.acquire(&run_id(), &other()), Err(JournalError::Held { .. })));

    // Taken behind the back of everybody's clock, right after an append.
    first.append(&*lease, &[note(2, "on")], &summary).unwrap();
    let connection = rusqlite::Connection::open(home.path().join("journal.db")).unwrap();
    connection.execute("UPDATE heads SET epoch = epoch + 1", []).unwrap();
    assert_eq!(first.is_held(&*lease), Ok(true), "the append found it so");
    assert_eq!(first.is_held(&*lease), Ok(false));
    connection.execute("UPDATE heads SET epoch = epoch - 1", []).unwrap();

    // A process that was stopped between its append and its look.
    first.append(&*lease, &[note(3, "on")], &summary).unwrap();
    clocks.pass(31);
    let taken = second.acquire(&run_id(), &other()).unwrap();
    assert_eq!(first.is_held(&*lease), Ok(false));
    let lost = Err(JournalError::LeaseLost("a1".to_owned()));
    assert_eq!(first.append(&*lease, &[note(4, "late")], &summary), lost);
    assert_eq!(second.append(&*taken, &[note(4, "in time")], &summary).map(|head| head.seq), Ok(5));
}

/// Somebody sets the clock, or a virtual machine was stopped for a night: the holder lives.
#[test]
fn a_living_holder_is_not_robbed_when_the_clock_jumps() {
    let home = TempDir::new().unwrap();
    let clocks = Clocks::default();
    let (first, second) = (clocks.open(home.path()), clocks.open(home.path()));
    let (lease, summary) = start(&first);
    for hours in [9, -20, 500] {
        clocks.jump(hours);
        clocks.pass(10);
        let held = second.acquire(&run_id(), &other()).err();
        assert!(matches!(held, Some(JournalError::Held { .. })), "{hours} hours: {held:?}");
        first.renew(&*lease).unwrap();
        first.append(&*lease, &[note(1, "on")], &summary).unwrap();
    }
}

#[test]
fn a_dead_holder_is_replaced_wherever_the_clock_went() {
    let home = TempDir::new().unwrap();
    let clocks = Clocks::default();
    drop(start(&clocks.open(home.path())));
    for (hours, epoch) in [(9, 2), (-20, 3), (500, 4)] {
        clocks.jump(hours);
        let journal = clocks.open(home.path());
        assert_eq!(journal.acquire(&run_id(), &other()).unwrap().epoch(), epoch);
    }
}

/// Whoever has the lock since another boot is on another machine, whose running time says nothing.
#[test]
fn the_holder_of_another_boot_is_not_measured_by_this_one() {
    let home = TempDir::new().unwrap();
    let clocks = Clocks::default();
    clocks.pass(100);
    let (first, machine) = (clocks.open(home.path()), clocks.machine());
    let _driven = start(&first);
    clocks.pass(1000);
    let second = clocks.open_on(home.path(), Machine { boot: "another".to_owned(), ..machine });
    assert!(matches!(second.acquire(&run_id(), &other()), Err(JournalError::Held { .. })));
}

/// A process that took the lock a moment ago has not said who it is: whoever comes then does not
/// take the one before, which was killed, for the holder.
#[test]
fn whoever_was_killed_is_not_named_as_the_holder() {
    let home = TempDir::new().unwrap();
    let clocks = Clocks::default();
    let first = clocks.open(home.path());
    let (lease, _) = start(&first);
    drop(lease);
    let path = home.path().join("journal.db");
    // No process has such a number.
    let killed = Holder { pid: u32::MAX, ..holder() };
    let text = serde_json::to_string(&killed).unwrap();
    let sql = "UPDATE heads SET holder = ?1";
    rusqlite::Connection::open(path).unwrap().execute(sql, [text]).unwrap();

    let lock = File::open(home.path().join("locks/a1.lock")).unwrap();
    lock.lock().unwrap();
    let taken = std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let journal = clocks.open(home.path());
            journal.acquire(&run_id(), &holder()).map(|lease| lease.epoch())
        });
        std::thread::yield_now();
        lock.unlock().unwrap();
        second.join().unwrap()
    });
    assert_eq!(taken, Ok(2));
}
