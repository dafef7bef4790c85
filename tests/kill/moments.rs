//! When a process is killed: a length of the journal, and a little more.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

/// Nothing that the tests run takes this long between two entries.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process dies this much after the journal has `entries` entries.
pub(super) struct Moment {
    entries: usize,
    after: Duration,
}

pub(super) struct Moments;

impl Moments {
    /// Moments in order, spread by chance over a journal that will have so many entries.
    pub(super) fn spread(seed: u64, count: usize, entries: usize) -> VecDeque<Moment> {
        Self::spread_between(seed, count, 0, entries)
    }

    /// The same over what a journal gets after it has `from` entries.
    pub(super) fn spread_between(
        seed: u64,
        count: usize,
        from: usize,
        entries: usize,
    ) -> VecDeque<Moment> {
        let mut chance = Chance(seed);
        // The last entry is the end: a process that wrote it may be gone before it is killed.
        let last = (entries - from) as u64 - 2;
        let mut lengths: Vec<u64> = (0..count).map(|_| from as u64 + chance.below(last)).collect();
        lengths.sort_unstable();
        let moment = |length| Moment {
            entries: usize::try_from(length).expect("a journal is short"),
            // One in four dies at once; the others within about the time that a call takes.
            after: match chance.below(4) {
                0 => Duration::ZERO,
                _ => Duration::from_micros(chance.below(3000)),
            },
        };
        lengths.into_iter().map(moment).collect()
    }
}

impl Moment {
    /// Waits for the moment. False when the process ended before.
    pub(super) fn comes(&self, home: &Path, child: &mut Child) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while entries(home) < self.entries {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "the journal does not grow");
            std::thread::yield_now();
        }
        let reached = Instant::now();
        while reached.elapsed() < self.after {
            std::hint::spin_loop();
        }
        true
    }
}

/// How many entries the journal has. None yet is none.
pub(super) fn entries(home: &Path) -> usize {
    let count = || -> rusqlite::Result<u32> {
        // Opened and closed each time: what a killed process leaves behind is for the next one of
        // its kind to find.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let journal = Connection::open_with_flags(home.join("journal.db"), flags)?;
        journal.query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
    };
    count().map_or(0, |count| count as usize)
}

/// The seed of this series: given, or new each time.
pub(super) fn seed() -> u64 {
    match std::env::var("PITON_KILL_SEED") {
        Ok(seed) => seed.parse().expect("PITON_KILL_SEED is a number"),
        Err(_) => u64::from(std::process::id()),
    }
}

/// A splitmix generator: good enough to pick moments.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
