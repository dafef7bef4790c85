//! Who drives a run: an epoch in the database, which every append checks, and a lock on a file,
//! which the operating system takes back when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use piton_core::ports::{Holder, JournalError, Lease, RunId};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{encode, fenced_head, signed, unsigned};
use crate::failure::{Failure, storage};
use crate::open::open_private;
use crate::runs;
use crate::store::Store;

/// How often a run is taken from whoever took it meanwhile.
const ATTEMPTS: u32 = 50;

/// Time between looks at a lock that somebody has who is not known to drive the run.
const PAUSE: Duration = Duration::from_millis(4);

/// How often such a lock is looked at. Taking or giving back a run is one commit, which on a busy
/// disk waits for those of others.
const LOOKS: u32 = 2_500;

/// How often when the journal names a process that cannot be seen: it ended and another one is just
/// taking the run, or it is in another container.
const LOOKS_AT_UNSEEN: u32 = 250;

/// A holder that has said nothing for so long, while the machine ran, is replaced although its process
/// lives: it is stopped. Drivers beat every few seconds.
const SILENCE: u64 = 30_000;

/// A sign of life.
pub(crate) struct Beat {
    /// Milliseconds that the machine had been running.
    pub(crate) at: i64,
    /// Since which boot.
    pub(crate) boot: String,
}

/// A sign of life now.
pub(crate) fn beat(store: &Store) -> Beat {
    let at = signed(store.uptime().millis());
    Beat { at, boot: store.machine.boot.clone() }
}

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
    last: Beat,
}

impl Held {
    /// Whether the holder has been silent for long. Of another boot nothing can be said: those who
    /// share a file over machines keep each other out.
    fn is_silent(&self, now: &Beat) -> bool {
        let silence = u64::try_from(now.at.saturating_sub(self.last.at)).unwrap_or_default();
        self.last.boot == now.boot && silence > SILENCE
    }
}

/// Takes a run that no live process has, or whose holder fell silent.
pub(crate) fn acquire(
    store: &Arc<Store>,
    run: &RunId,
    holder: &Holder,
) -> Result<FileLease, JournalError> {
    store.check_writable()?;
    store.read(|connection| runs::refuse_elsewhere(connection, run))?;
    for _ in 0..ATTEMPTS {
        let held = held(store, run)?;
        let (number, file) = match lock(store, run, held.lock, holder) {
            Ok(file) => (held.lock, file),
            Err(JournalError::Held { .. }) if held.is_silent(&beat(store)) => {
                // Its lock cannot be taken from it, so the run moves to the next one. What it may
                // still want to write is refused by the epoch.
                (held.lock + 1, lock(store, run, held.lock + 1, holder)?)
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
    let Beat { at, boot } = beat(store);
    store.write(|connection, seen| {
        // What another process wrote meanwhile is not known here; it may have handed the run over.
        seen.remove(run);
        runs::refuse_elsewhere(connection, run)?;
        Ok(connection
            .prepare_cached(
                "UPDATE heads SET epoch = epoch + 1, holder = ?2, heartbeat = ?3, boot = ?4, lock = ?5
                 WHERE run = ?1 AND lock = ?6 RETURNING epoch",
            )?
            .query_row(params![run.0, encode(holder), at, boot, number, held.lock], |row| {
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
    beat: &Beat,
) -> Result<(), Failure> {
    fenced_head(connection, lease.run(), lease.epoch())?;
    connection
        .prepare_cached("UPDATE heads SET heartbeat = ?2, boot = ?3 WHERE run = ?1")?
        .execute(params![lease.run().0, beat.at, beat.boot])?;
    Ok(())
}

/// Locks one of a run's files for a process, or says who has it.
pub(crate) fn lock(
    store: &Store,
    run: &RunId,
    number: u32,
    us: &Holder,
) -> Result<File, JournalError> {
    let path = lock_path(store, run, number)?;
    let file = open_private(&path, false).map_err(|error| storage(&path, &error))?;
    for look in 0..LOOKS {
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
            && (look >= LOOKS_AT_UNSEEN || !has_ended(&holder, us))
        {
            return Err(JournalError::Held { run: run.0.clone(), holder });
        }
        // Otherwise somebody is just taking the run, or giving it back.
        thread::sleep(PAUSE);
    }
    let path = path.display();
    Err(JournalError::Storage(format!("a process keeps {path} locked and does not say who it is")))
}

/// Whether a process of our host is nowhere to be seen: then it is not the one that has the lock.
fn has_ended(holder: &Holder, us: &Holder) -> bool {
    let processes = Path::new("/proc");
    holder.host == us.host
        && processes.join(us.pid.to_string()).exists()
        && !processes.join(holder.pid.to_string()).exists()
}

/// Who took a run last and did not give it back, and which lock says whether they live.
fn held(store: &Store, run: &RunId) -> Result<Held, JournalError> {
    store
        .read(|connection| read_held(connection, run))?
        .ok_or_else(|| JournalError::NoRun(run.0.clone()))
}

fn read_held(connection: &Connection, run: &RunId) -> Result<Option<Held>, Failure> {
    let row: Option<(u32, Option<String>, Beat)> = connection
        .prepare_cached("SELECT lock, holder, heartbeat, boot FROM heads WHERE run = ?1")?
        .query_row([&run.0], |row| {
            let last = Beat { at: row.get(2)?, boot: row.get(3)? };
            Ok((row.get(0)?, row.get(1)?, last))
        })
        .optional()?;
    let Some((lock, holder, last)) = row else { return Ok(None) };
    let holder = holder.map(|text| runs::decode("holder", &text)).transpose()?;
    Ok(Some(Held { lock, holder, last }))
}

/// The lock of a run that nobody drives, for as long as the run is removed.
pub(crate) fn lock_for_removal(store: &Store, run: &RunId) -> Result<(File, u32), JournalError> {
    store.check_writable()?;
    let number = held(store, run)?.lock;
    // Whoever removes a run is nobody whom another process could see driving it.
    let us = Holder { host: String::new(), pid: std::process::id(), since: store.now() };
    Ok((lock(store, run, number, &us)?, number))
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
