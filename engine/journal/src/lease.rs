//! Who drives a run: an epoch in the database, which every append checks, and a lock on a file,
//! which the operating system takes back when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use piton_core::ports::{Holder, JournalError, Lease, RunId};
use piton_core::time::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{encode, fenced_head, signed, unsigned};
use crate::failure::{Failure, storage};
use crate::open::open_private;
use crate::runs;
use crate::store::Store;

/// How often a lock is attempted that somebody has who is not known to drive the run.
const ATTEMPTS: u32 = 50;

/// Time between the attempts: taking or giving back a run is one commit.
const PAUSE: Duration = Duration::from_millis(4);

/// A holder that has said nothing for so long is replaced although its process lives: it is stopped,
/// or its machine slept. Drivers beat every few seconds.
const SILENCE: Span = Span::from_secs(30);

/// The right to append to a run, for as long as it lives.
pub(crate) struct FileLease {
    run: RunId,
    epoch: u64,
    store: Arc<Store>,
    /// Unlocked when it is closed, by us or by the end of the process.
    _lock: File,
}

impl Lease for FileLease {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        // It may fail, on a full disk for one: a holder without a locked file counts as dead, so
        // nothing is wrong then but that lists have one more lock to probe.
        let _ = self.store.write(|connection, seen| {
            seen.remove(&self.run);
            connection
                .prepare_cached("UPDATE heads SET holder = NULL WHERE run = ?1 AND epoch = ?2")?
                .execute(params![self.run.0, signed(self.epoch)])?;
            Ok(())
        });
    }
}

/// What the database says about who has a run.
struct Held {
    /// Number of the lock file.
    lock: u32,
    holder: Option<Holder>,
    heartbeat: Timestamp,
}

/// Takes a run that no live process has, or whose holder fell silent.
pub(crate) fn acquire(
    store: &Arc<Store>,
    run: &RunId,
    holder: &Holder,
) -> Result<FileLease, JournalError> {
    for _ in 0..ATTEMPTS {
        let held = held(store, run)?;
        let (number, file) = match lock(store, run, held.lock) {
            Ok(file) => (held.lock, file),
            Err(JournalError::Held { .. }) if store.now().since(held.heartbeat) > SILENCE => {
                // Its lock cannot be taken from it, so the run moves to the next one. What it may
                // still want to write is refused by the epoch.
                (held.lock + 1, lock(store, run, held.lock + 1)?)
            }
            Err(error) => return Err(error),
        };
        if let Some(epoch) = note_holder(store, run, holder, &held, number)? {
            return Ok(FileLease {
                run: run.clone(),
                epoch,
                store: Arc::clone(store),
                _lock: file,
            });
        }
        // Somebody else moved the run to another lock in the meantime.
    }
    Err(JournalError::Storage(format!("the run {run} changes hands faster than it can be taken")))
}

/// Writes who has the run now, unless somebody else took it since `held` was read.
fn note_holder(
    store: &Store,
    run: &RunId,
    holder: &Holder,
    held: &Held,
    number: u32,
) -> Result<Option<u64>, JournalError> {
    let now = store.now().millis();
    store.write(|connection, seen| {
        // What another process wrote meanwhile is not known here.
        seen.remove(run);
        Ok(connection
            .prepare_cached(
                "UPDATE heads SET epoch = epoch + 1, holder = ?2, heartbeat = ?3, lock = ?4
                 WHERE run = ?1 AND lock = ?5 RETURNING epoch",
            )?
            .query_row(params![run.0, encode(holder), now, number, held.lock], |row| {
                unsigned(row, 0)
            })
            .optional()?)
    })
}

/// The lease of a run that is about to be stored with epoch 1: `lock` is on its file.
pub(crate) fn first(store: &Arc<Store>, run: &RunId, lock: File) -> FileLease {
    FileLease { run: run.clone(), epoch: 1, store: Arc::clone(store), _lock: lock }
}

/// Notes that the holder is alive.
pub(crate) fn renew(
    connection: &Connection,
    lease: &dyn Lease,
    now: Timestamp,
) -> Result<(), Failure> {
    fenced_head(connection, lease.run(), lease.epoch())?;
    connection
        .prepare_cached("UPDATE heads SET heartbeat = ?2 WHERE run = ?1")?
        .execute(params![lease.run().0, now.millis()])?;
    Ok(())
}

/// Locks one of a run's files, or says who has it.
pub(crate) fn lock(store: &Store, run: &RunId, number: u32) -> Result<File, JournalError> {
    let path = lock_path(store, run, number)?;
    let file = open_private(&path, false).map_err(|error| storage(&path, &error))?;
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(storage(&path, &error)),
        }
        // A list that probes the file shares its lock for a moment; a driver shares it never.
        if file.try_lock_shared().is_ok() {
            file.unlock().map_err(|error| storage(&path, &error))?;
        } else if let Some(holder) =
            store.read(|connection| read_held(connection, run))?.and_then(|held| held.holder)
        {
            return Err(JournalError::Held { run: run.0.clone(), holder });
        }
        // Otherwise somebody is just taking the run, or giving it back.
        thread::sleep(PAUSE);
    }
    let path = path.display();
    Err(JournalError::Storage(format!("a process keeps {path} locked and does not say who it is")))
}

/// Who took a run last and did not give it back, and which lock says whether they live.
fn held(store: &Store, run: &RunId) -> Result<Held, JournalError> {
    store
        .read(|connection| read_held(connection, run))?
        .ok_or_else(|| JournalError::NoRun(run.0.clone()))
}

fn read_held(connection: &Connection, run: &RunId) -> Result<Option<Held>, Failure> {
    let row: Option<(u32, Option<String>, i64)> = connection
        .prepare_cached("SELECT lock, holder, heartbeat FROM heads WHERE run = ?1")?
        .query_row([&run.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((lock, holder, heartbeat)) = row else { return Ok(None) };
    let holder = holder.map(|text| runs::decode("holder", &text)).transpose()?;
    Ok(Some(Held { lock, holder, heartbeat: Timestamp::from_millis(heartbeat) }))
}

/// The lock of a run that nobody drives, for as long as the run is removed.
pub(crate) fn lock_for_removal(store: &Store, run: &RunId) -> Result<(File, u32), JournalError> {
    let number = held(store, run)?.lock;
    Ok((lock(store, run, number)?, number))
}

/// Removes the lock files of a run that is gone, the last of which has this number. Whoever opened
/// one before finds no run to take.
pub(crate) fn remove_locks(store: &Store, run: &RunId, last: u32) -> Result<(), JournalError> {
    for number in 0..=last {
        let path = lock_path(store, run, number)?;
        fs::remove_file(&path).map_err(|error| storage(&path, &error))?;
    }
    Ok(())
}

/// Whether a live process drives a run.
pub(crate) fn is_driven(store: &Store, run: &RunId) -> bool {
    held(store, run)
        .and_then(|held| lock_path(store, run, held.lock))
        .is_ok_and(|path| is_held(&path))
}

/// Whether somebody has locked a file for itself.
pub(crate) fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => true,
        // Where files cannot be locked nobody can drive a run.
        Ok(()) | Err(TryLockError::Error(_)) => false,
    }
}

fn lock_path(store: &Store, run: &RunId, number: u32) -> Result<PathBuf, JournalError> {
    // An id becomes the name of a file: nothing that leads elsewhere is one.
    let is_plain =
        !run.0.is_empty() && run.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let name = if number == 0 { format!("{run}.lock") } else { format!("{run}.{number}.lock") };
    match is_plain {
        true => Ok(store.files.locks.join(name)),
        false => Err(JournalError::NoRun(run.0.clone())),
    }
}
