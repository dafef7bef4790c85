//! Who drives a run: an epoch in the database, which every append checks, and a lock on a file,
//! which the operating system takes back when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use piton_core::ports::{Holder, JournalError, Lease, RunId};
use piton_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{encode, fenced_head, head, signed, unsigned};
use crate::failure::{Failure, storage};
use crate::open::open_private;
use crate::runs;
use crate::store::Store;

/// How often a lock is attempted that somebody has who is not known to drive the run.
const ATTEMPTS: u32 = 50;

/// Time between the attempts: taking or giving back a run is one commit.
const PAUSE: Duration = Duration::from_millis(4);

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

/// Takes a run that no live process has.
pub(crate) fn acquire(
    store: &Arc<Store>,
    run: &RunId,
    holder: &Holder,
) -> Result<FileLease, JournalError> {
    // No lock file for what does not exist.
    store.read(|connection| head(connection, run))?;
    let lock = lock(store, run)?;
    let epoch = store.write(|connection, seen| {
        // What another process wrote meanwhile is not known here.
        seen.remove(run);
        let now = holder.since.millis();
        connection
            .prepare_cached(
                "UPDATE heads SET epoch = epoch + 1, holder = ?2, heartbeat = ?3 WHERE run = ?1
                 RETURNING epoch",
            )?
            .query_row(params![run.0, encode(holder), now], |row| unsigned(row, 0))
            .optional()?
            .ok_or_else(|| JournalError::NoRun(run.0.clone()).into())
    })?;
    Ok(FileLease { run: run.clone(), epoch, store: Arc::clone(store), _lock: lock })
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

/// Locks a run's file, or says who has it.
pub(crate) fn lock(store: &Store, run: &RunId) -> Result<File, JournalError> {
    let path = lock_path(store, run)?;
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
        } else if let Some(holder) = store.read(|connection| recorded_holder(connection, run))? {
            return Err(JournalError::Held { run: run.0.clone(), holder });
        }
        // Otherwise somebody is just taking the run, or giving it back.
        thread::sleep(PAUSE);
    }
    let path = path.display();
    Err(JournalError::Storage(format!("a process keeps {path} locked and does not say who it is")))
}

/// Who took a run last and did not give it back.
fn recorded_holder(connection: &Connection, run: &RunId) -> Result<Option<Holder>, Failure> {
    let text: Option<Option<String>> = connection
        .prepare_cached("SELECT holder FROM heads WHERE run = ?1")?
        .query_row([&run.0], |row| row.get(0))
        .optional()?;
    text.flatten().map(|text| runs::decode("holder", &text)).transpose()
}

/// Removes the lock file of a run that is gone. Whoever opened it before finds no run to take.
pub(crate) fn remove_lock(store: &Store, run: &RunId) -> Result<(), JournalError> {
    let path = lock_path(store, run)?;
    fs::remove_file(&path).map_err(|error| storage(&path, &error))
}

/// Whether a live process drives a run.
pub(crate) fn is_driven(store: &Store, run: &RunId) -> bool {
    lock_path(store, run).is_ok_and(|path| is_held(&path))
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

fn lock_path(store: &Store, run: &RunId) -> Result<PathBuf, JournalError> {
    // An id becomes the name of a file: nothing that leads elsewhere is one.
    let is_plain =
        !run.0.is_empty() && run.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match is_plain {
        true => Ok(store.files.locks.join(format!("{run}.lock"))),
        false => Err(JournalError::NoRun(run.0.clone())),
    }
}
