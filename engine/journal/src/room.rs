//! Room for what must be written whatever happens: the outcome of a call that was sent.
//!
//! A call that changes AWS is sent only after its intent is on disk. When its answer comes, the disk
//! may be full, and then nobody would know what became of the call. So a file of some size lies
//! beside the database, and an intent is taken only while it is whole. On a full disk it is removed,
//! and the outcome has its room.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use piton_core::ports::JournalError;

use crate::failure::{Failure, storage};
use crate::open::open_private;

/// Bytes that are kept free. The largest outcomes are shortened before they are given up.
pub(crate) const RESERVE: u64 = 2 << 20;

/// Bytes of the write-ahead log up to which new calls begin. SQLite starts the log over each time
/// nobody reads an old state; one that is never started over grows with every commit.
const LOG_MAX: u64 = 256 << 20;

/// How many new calls begin between two looks at the log, as long as it is far from its bound.
const LOG_LOOK: u64 = 64;

/// The room of one database.
pub(crate) struct Room {
    reserve: PathBuf,
    /// The reserve, kept open: looking at an open file is cheaper than at a path.
    file: Mutex<Option<File>>,
    log: PathBuf,
    log_max: AtomicU64,
    /// New calls that may begin before the log is looked at again.
    unlooked: AtomicU64,
}

impl Room {
    pub(crate) fn new(reserve: PathBuf, log: PathBuf) -> Self {
        let (log_max, unlooked) = (AtomicU64::new(LOG_MAX), AtomicU64::new(0));
        Self { reserve, file: Mutex::default(), log, log_max, unlooked }
    }

    /// Changes the bound of the write-ahead log.
    pub(crate) fn limit_log(&self, bytes: u64) {
        self.log_max.store(bytes, Ordering::Relaxed);
        self.unlooked.store(0, Ordering::Relaxed);
    }

    /// The length of the write-ahead log, when it is longer than it may be. A log far from its bound
    /// is not looked at each time: what a few calls add is little beside it.
    pub(crate) fn long_log(&self) -> Option<u64> {
        let unlooked = self.unlooked.load(Ordering::Relaxed);
        if unlooked > 0 {
            self.unlooked.store(unlooked - 1, Ordering::Relaxed);
            return None;
        }
        let length = fs::metadata(&self.log).map_or(0, |log| log.len());
        let bound = self.log_max.load(Ordering::Relaxed);
        if length < bound / 2 {
            self.unlooked.store(LOG_LOOK, Ordering::Relaxed);
        }
        (length > bound).then_some(length)
    }

    /// Whether the reserve is there.
    pub(crate) fn is_whole(&self) -> bool {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.as_ref().is_some_and(is_reserve) {
            return true;
        }
        // Why it cannot be opened, whoever makes it anew will hear.
        *file = File::open(&self.reserve).ok();
        file.as_ref().is_some_and(is_reserve)
    }

    /// Makes the reserve, or mends it.
    pub(crate) fn fill(&self) -> Result<(), Failure> {
        self.write().map_err(|error| storage(&self.reserve, &error).into())
    }

    /// Gives the reserve to whoever needs it now. False when there is none to give.
    pub(crate) fn release(&self) -> bool {
        // Emptied first: a removed file keeps its room for as long as some process has it open.
        let emptied =
            OpenOptions::new().write(true).open(&self.reserve).and_then(|file| file.set_len(0));
        let removed = fs::remove_file(&self.reserve);
        emptied.is_ok() || removed.is_ok()
    }

    /// Writes what no file system can store in less room.
    fn write(&self) -> io::Result<()> {
        let mut file = open_private(&self.reserve, false)?;
        file.seek(SeekFrom::Start(0))?;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut block = Vec::with_capacity(64 << 10);
        for _ in 0..RESERVE / (64 << 10) {
            block.clear();
            while block.len() < 64 << 10 {
                // xorshift: without any pattern that a file system could compress.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                block.extend_from_slice(&state.to_le_bytes());
            }
            file.write_all(&block)?;
        }
        // Local file systems take the room when it is written; what is in it nobody will read.
        Ok(())
    }
}

/// Whether this is the reserve, whole and not removed.
fn is_reserve(file: &File) -> bool {
    file.metadata().is_ok_and(|file| file.len() == RESERVE && is_linked(&file))
}

#[cfg(unix)]
fn is_linked(file: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(file) > 0
}

#[cfg(not(unix))]
fn is_linked(_file: &Metadata) -> bool {
    // A file that is open cannot be removed.
    true
}

/// Why the log is too long, when moving it into the database did not help.
pub(crate) fn log_too_long(log: &Path, bytes: u64) -> JournalError {
    JournalError::Storage(format!(
        "the write-ahead log {} has {} MiB and cannot be started over, because a process keeps an old \
         state of the journal open: end that one",
        log.display(),
        bytes >> 20
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn the_reserve_is_made_given_and_made_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("reserve");
        let room = Room::new(path.clone(), home.path().join("log"));
        assert!(!room.is_whole() && !room.release());
        room.fill().unwrap();
        assert!(room.is_whole());
        // One that was cut off is made whole.
        fs::write(&path, "short").unwrap();
        assert!(!room.is_whole());
        room.fill().unwrap();
        assert!(room.is_whole());
        assert!(room.release() && !path.exists());
        fs::create_dir(&path).unwrap();
        assert!(room.fill().is_err() && !room.is_whole());
    }
}
