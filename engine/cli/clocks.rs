//! Time and chance: core's ports over the machine, and over a sandbox's virtual clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use piton_core::ports::{Clock, Entropy, Pending};
use piton_core::time::{Span, Timestamp};
use piton_sandbox::Sandbox;
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

/// A world's virtual clock: waiting takes no time.
pub(crate) struct WorldClock(pub(crate) Arc<Sandbox>);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        timestamp(self.0.now().expect("the world's file was readable a moment ago"))
    }

    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        Box::pin(async move {
            self.0.advance(duration(span)).expect("the world's file was writable a moment ago");
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
