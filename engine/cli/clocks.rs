//! Time and chance: core's ports over the machine, and over a sandbox's virtual clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use piton_core::ports::{Clock, Entropy, Pending};
use piton_core::time::{Span, Timestamp};
use piton_sandbox::{Sandbox, SandboxError};
use time::OffsetDateTime;

/// The machine's present moment.
pub(crate) fn machine_now() -> Timestamp {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}

/// The machine's present moment, as worlds have it.
pub(crate) fn machine_date() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A moment of a world's clock as core has it.
pub(crate) fn timestamp(moment: OffsetDateTime) -> Timestamp {
    let millis = moment.unix_timestamp_nanos() / 1_000_000;
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// A length of time as worlds have it.
pub(crate) fn duration(span: Span) -> time::Duration {
    time::Duration::milliseconds(i64::try_from(span.millis()).unwrap_or(i64::MAX))
}

/// The machine's clock.
pub(crate) struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        machine_now()
    }

    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(span.millis())))
    }

    fn is_virtual(&self) -> bool {
        false
    }
}

/// A world's virtual clock: waiting takes no time. While the world's file cannot be read, time stands
/// still: the next call to the world then says what is wrong with it.
pub(crate) struct WorldClock {
    world: Arc<Sandbox>,
    last: AtomicI64,
}

impl WorldClock {
    /// The clock of a world.
    pub(crate) fn new(world: Arc<Sandbox>) -> Self {
        Self { world, last: AtomicI64::new(machine_now().millis()) }
    }

    fn read(&self, read: &Result<OffsetDateTime, SandboxError>) -> Timestamp {
        if let Ok(moment) = read {
            self.last.store(timestamp(*moment).millis(), Ordering::SeqCst);
        }
        Timestamp::from_millis(self.last.load(Ordering::SeqCst))
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.read(&self.world.now())
    }

    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        Box::pin(async move {
            self.read(&self.world.advance(duration(span)));
        })
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

/// The system's source of chance.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system has a source of chance");
    }
}
