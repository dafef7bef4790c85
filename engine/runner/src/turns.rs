//! Turns: in a rehearsal the branches of a run go on one at a time, in an order fixed by a seed, so
//! that a run can be repeated exactly.
//!
//! A branch keeps its turn until it is about to send a read, needs a commit, waits for time, for a
//! person or for branches of its own, or ends. Who needs a commit comes after all who can go on
//! without one: so one commit serves many branches. The virtual clock jumps only when every branch
//! waits, to the earliest moment that one of them waits for, and never past `limit_time`.
//!
//! Against AWS there are no turns: branches run as they come.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use piton_core::canonical::Digest;
use piton_core::ports::{Clock, Pending};
use piton_core::time::{Span, Timestamp};

thread_local! {
    /// Where the present thread sits, when it is one of a branch.
    static SEAT: RefCell<Option<(Arc<Turns>, u64)>> = const { RefCell::new(None) };
}

/// A virtual clock for what waits inside of a call, such as the SDK between two attempts: in a branch
/// the others go on meanwhile.
pub struct TurnClock(Arc<dyn Clock>);

impl TurnClock {
    /// The same clock, giving way to other branches.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }
}

impl Clock for TurnClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        Box::pin(async move {
            match SEAT.with(|own| own.borrow().clone()) {
                Some((turns, seat)) => {
                    turns.pause(seat, Pause::Until(self.0.now().after(span)));
                }
                None => self.0.sleep(span).await,
            }
        })
    }

    fn is_virtual(&self) -> bool {
        self.0.is_virtual()
    }
}

/// The seat of the runbook outside of branches.
pub(crate) const MAIN: u64 = 0;

/// Who goes on, and who waits.
pub(crate) struct Turns {
    clock: Arc<dyn Clock>,
    seed: u64,
    table: Mutex<Table>,
}

/// Why a branch gives up its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// For the others' sake: it could go on.
    Ready,
    /// It needs a commit.
    Commit,
    /// It is about to ask the person at the terminal.
    Person,
    /// It waits for a moment.
    Until(Timestamp),
    /// It waits for branches of its own.
    Branches,
}

/// What ended a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// What was waited for.
    Due,
    /// Something that the branch should look at.
    Early,
    /// The clock may not go as far as that moment.
    Blocked,
}

struct Table {
    seats: BTreeMap<u64, Seat>,
    /// Whose turn it is.
    turn: u64,
    next_seat: u64,
    drawn: u64,
    /// The clock does not go beyond.
    limit: Option<Timestamp>,
}

struct Seat {
    pause: Pause,
    woken: Woken,
    thread: Option<Thread>,
}

impl Seat {
    fn ready(&mut self, woken: Woken) {
        self.pause = Pause::Ready;
        self.woken = woken;
    }
}

impl Turns {
    /// The turns of one driving; the runbook outside of branches has the first.
    pub(crate) fn new(clock: Arc<dyn Clock>, seed: &Digest) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&seed.bytes()[..8]);
        let main = Seat { pause: Pause::Ready, woken: Woken::Due, thread: None };
        let table = Mutex::new(Table {
            seats: BTreeMap::from([(MAIN, main)]),
            turn: MAIN,
            next_seat: MAIN + 1,
            drawn: 0,
            limit: None,
        });
        Self { clock, seed: u64::from_be_bytes(first), table }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a branch that is about to begin.
    pub(crate) fn open(&self) -> u64 {
        let mut table = self.table();
        let seat = table.next_seat;
        table.next_seat += 1;
        table.seats.insert(seat, Seat { pause: Pause::Ready, woken: Woken::Due, thread: None });
        seat
    }

    /// The present thread takes its seat, and waits for its turn.
    pub(crate) fn sit(self: &Arc<Self>, seat: u64) {
        SEAT.with(|own| own.replace(Some((Arc::clone(self), seat))));
        if let Some(own) = self.table().seats.get_mut(&seat) {
            own.thread = Some(thread::current());
        }
        self.await_turn(seat);
    }

    /// Gives up the turn until there is one again.
    pub(crate) fn pause(&self, seat: u64, pause: Pause) -> Woken {
        {
            let mut table = self.table();
            let is_alone = table.seats.len() == 1;
            let Some(own) = table.seats.get_mut(&seat) else { return Woken::Due };
            if is_alone && !matches!(pause, Pause::Until(_)) {
                return Woken::Due;
            }
            own.pause = pause;
            own.woken = Woken::Due;
            own.thread = Some(thread::current());
            self.give_turn(&mut table);
        }
        self.await_turn(seat)
    }

    /// A branch is over; its parent looks what to do.
    pub(crate) fn leave(&self, seat: u64, parent: u64) {
        let mut table = self.table();
        table.seats.remove(&seat);
        if let Some(parent) = table.seats.get_mut(&parent)
            && parent.pause == Pause::Branches
        {
            parent.ready(Woken::Due);
        }
        self.give_turn(&mut table);
    }

    /// Everything made so far is on disk: whoever needed that can go on.
    pub(crate) fn committed(&self) {
        for seat in self.table().seats.values_mut() {
            if seat.pause == Pause::Commit {
                seat.ready(Woken::Due);
            }
        }
    }

    /// Ends all waits for time: something happened that those who wait should look at.
    pub(crate) fn wake_sleepers(&self) {
        for seat in self.table().seats.values_mut() {
            if matches!(seat.pause, Pause::Until(_)) {
                seat.ready(Woken::Early);
            }
        }
    }

    /// Keeps the clock from going beyond a moment: a gate that is open expires then.
    pub(crate) fn limit_time(&self, moment: Timestamp) {
        let mut table = self.table();
        table.limit = Some(table.limit.map_or(moment, |limit| limit.min(moment)));
    }

    fn await_turn(&self, seat: u64) -> Woken {
        loop {
            {
                let table = self.table();
                if table.turn == seat {
                    return table.seats.get(&seat).map_or(Woken::Due, |own| own.woken);
                }
            }
            thread::park();
        }
    }

    fn give_turn(&self, table: &mut Table) {
        loop {
            self.wake_due(table);
            let chosen = [Pause::Ready, Pause::Commit, Pause::Person]
                .into_iter()
                .find_map(|pause| self.choose(table, pause));
            if let Some(seat) = chosen {
                table.turn = seat;
                if let Some(own) = table.seats.get_mut(&seat) {
                    if own.pause != Pause::Ready {
                        own.ready(Woken::Due);
                    }
                    if let Some(thread) = &own.thread {
                        thread.unpark();
                    }
                }
                return;
            }
            if !self.let_time_pass(table) {
                return;
            }
        }
    }

    /// One of those who give up their turn for that reason.
    fn choose(&self, table: &mut Table, pause: Pause) -> Option<u64> {
        let all: Vec<u64> =
            table.seats.iter().filter(|(_, seat)| seat.pause == pause).map(|(at, _)| *at).collect();
        let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
        table.drawn += 1;
        let index = usize::try_from(mixed(self.seed, table.drawn) % count).ok()?;
        all.get(index).copied()
    }

    fn sleepers(table: &Table) -> impl Iterator<Item = (u64, Timestamp)> {
        table.seats.iter().filter_map(|(at, seat)| match seat.pause {
            Pause::Until(moment) => Some((*at, moment)),
            _ => None,
        })
    }

    /// Calls take time too: what is due by now is due.
    fn wake_due(&self, table: &mut Table) {
        if Self::sleepers(table).next().is_none() {
            return;
        }
        let now = self.clock.now();
        for seat in table.seats.values_mut() {
            if matches!(seat.pause, Pause::Until(moment) if moment <= now) {
                seat.ready(Woken::Due);
            }
        }
    }

    /// Moves the clock to the earliest moment that somebody waits for; says whether anybody does.
    fn let_time_pass(&self, table: &mut Table) -> bool {
        let Some((at, moment)) = Self::sleepers(table).min_by_key(|(at, moment)| (*moment, *at))
        else {
            return false;
        };
        let blocked = table.limit.is_some_and(|limit| moment > limit);
        if !blocked {
            block_on(self.clock.sleep(moment.since(self.clock.now())));
        }
        // Also when the clock stands still: whoever waits finds out and says so.
        if let Some(seat) = table.seats.get_mut(&at) {
            seat.ready(if blocked { Woken::Blocked } else { Woken::Due });
        }
        true
    }
}

/// A number that follows from a seed and a position.
fn mixed(seed: u64, position: u64) -> u64 {
    // The finaliser of SplitMix64.
    let mut z = seed.wrapping_add(position.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a virtual clock. Not on the runtime: the present thread may be polling a call there.
fn block_on(future: impl Future<Output = ()>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    while future.as_mut().poll(&mut context).is_pending() {
        thread::park();
    }
}
