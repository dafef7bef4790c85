//! The virtual clock of a world, kept in its file.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};
use time::{Duration, OffsetDateTime};

use super::{SandboxError, meta, set_meta};
use crate::services;
use crate::world::World;

/// The current time.
pub(super) fn read(connection: &Connection) -> Result<OffsetDateTime, SandboxError> {
    meta(connection, "clock")?
        .parse()
        .ok()
        .and_then(|nanoseconds| OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok())
        .ok_or(SandboxError::Unreadable("clock"))
}

/// Sets the current time.
pub(super) fn write(connection: &Connection, now: OffsetDateTime) -> Result<(), SandboxError> {
    set_meta(connection, "clock", &now.unix_timestamp_nanos().to_string())
}

/// Moves on to `target`, unless the clock is past it, and lets happen what falls due, each at its
/// own time.
pub(crate) fn run_to(
    connection: &Connection,
    target: OffsetDateTime,
) -> Result<OffsetDateTime, SandboxError> {
    let now = read(connection)?.max(target);
    write(connection, now)?;
    settle(connection, now);
    Ok(now)
}

/// Lets happen what is due by `now`.
pub(crate) fn settle(connection: &Connection, now: OffsetDateTime) {
    let horizon = World::new(connection, now);
    while let Some(due) = horizon.take_due() {
        let world = World::new(connection, due.at);
        services::by_name(&due.service)
            .unwrap_or_else(|| {
                panic!("a change is arranged for {}, which is no service", due.service)
            })
            .due(&world, &due);
    }
}

/// When the next arranged change is due.
pub(crate) fn next_due(connection: &Connection) -> Result<Option<OffsetDateTime>, SandboxError> {
    let earliest: Option<i64> = connection
        .prepare_cached("SELECT at FROM due ORDER BY at, id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    earliest
        .map(|at| {
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(at))
                .map_err(|_| SandboxError::Unreadable("arrangement"))
        })
        .transpose()
}

/// How the clock follows real time.
pub(super) struct Pace {
    speed: f64,
    real_now: Box<dyn Fn() -> OffsetDateTime + Send + Sync>,
    seen: Mutex<OffsetDateTime>,
}

impl fmt::Debug for Pace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pace").field("speed", &self.speed).finish_non_exhaustive()
    }
}

impl Pace {
    pub(super) fn new(speed: f64, real_now: Box<dyn Fn() -> OffsetDateTime + Send + Sync>) -> Self {
        let seen = Mutex::new(real_now());
        Self { speed, real_now, seen }
    }

    /// Virtual time since the last [`Pace::take`].
    pub(super) fn elapsed(&self) -> Duration {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.stretched(seen, (self.real_now)())
    }

    /// The same, and starts counting anew.
    pub(super) fn take(&self) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.real_now)();
        let elapsed = self.stretched(*seen, now);
        *seen = now;
        elapsed
    }

    fn stretched(&self, from: OffsetDateTime, to: OffsetDateTime) -> Duration {
        let seconds = (to - from).as_seconds_f64() * self.speed;
        Duration::checked_seconds_f64(seconds.max(0.0)).unwrap_or(Duration::ZERO)
    }
}
