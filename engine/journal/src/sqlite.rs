//! The journal port over the database: which transaction each method is.

use std::path::Path;
use std::sync::Arc;

use piton_core::canonical::Digest;
use piton_core::entry::{Entry, Head, StoredEntry};
use piton_core::gate::Admission;
use piton_core::ports::{
    HeldLock, Holder, Journal, JournalError, Lease, Mail, NewRun, OpenGate, ProgramFile, RunId,
    RunRow,
};
use piton_core::status::RunSummary;

use crate::append::{append, fenced_head};
use crate::store::{Now, Store};
use crate::{gates, lease, locks, mailbox, programs, runs, verify};

/// The runs of one home folder. Several processes, and several of these in one process, may have
/// the same folder open.
pub struct SqliteJournal {
    store: Arc<Store>,
}

impl SqliteJournal {
    /// Opens `home/journal.db`, creating folder and file for this user alone if they are missing.
    /// Where the folder cannot be written and the file is there, everything that reads works, and
    /// everything that writes is refused with [`JournalError::Storage`].
    ///
    /// # Errors
    /// A file that is no journal, is damaged or is from a newer version; a folder that cannot be
    /// created.
    pub fn open(home: &Path, clock: Now) -> Result<Self, JournalError> {
        Store::open(home, clock).map(|store| Self { store: Arc::new(store) })
    }

    /// Opens a journal that exists for commands that only look: no permission to write is needed.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`]; a missing file is unreadable.
    pub fn open_read_only(home: &Path, clock: Now) -> Result<Self, JournalError> {
        Store::open_read_only(home, clock).map(|store| Self { store: Arc::new(store) })
    }

    /// Lets the database grow to at most `pages` of 4096 bytes: what comes after is refused as on a
    /// full disk. It holds for this opening, not for the file.
    ///
    /// # Errors
    /// A database that cannot be reached.
    pub fn limit_pages(&self, pages: u32) -> Result<(), JournalError> {
        self.store.limit_pages(pages)
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.store.files.database
    }

    fn only_live_holders(&self, mut row: RunRow) -> RunRow {
        row.holder = row.holder.filter(|_| lease::is_driven(&self.store, &row.run));
        row
    }
}

impl Journal for SqliteJournal {
    fn create(
        &self,
        run: &NewRun,
        entries: &[Entry],
        summary: &RunSummary,
        holder: &Holder,
    ) -> Result<Box<dyn Lease>, JournalError> {
        let lock = lease::lock(&self.store, &run.run, 0)?;
        let now = self.store.now();
        self.store.write(|connection, seen| {
            seen.remove(&run.run);
            programs::create(connection, run, entries, summary, holder, now)
        })?;
        Ok(Box::new(lease::first(&self.store, &run.run, lock)))
    }

    fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        let rows = self.store.read(runs::list)?;
        Ok(rows.into_iter().map(|row| self.only_live_holders(row)).collect())
    }

    fn find(&self, prefix: &str) -> Result<RunRow, JournalError> {
        let row = self.store.read(|connection| runs::find(connection, prefix))?;
        Ok(self.only_live_holders(row))
    }

    fn acquire(&self, run: &RunId, holder: &Holder) -> Result<Box<dyn Lease>, JournalError> {
        Ok(Box::new(lease::acquire(&self.store, run, holder)?))
    }

    fn renew(&self, lease: &dyn Lease) -> Result<(), JournalError> {
        let now = self.store.now();
        self.store.write(|connection, _| lease::renew(connection, lease, now))
    }

    fn append(
        &self,
        lease: &dyn Lease,
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        self.store.write(|connection, seen| {
            append(connection, seen, lease.run(), lease.epoch(), entries, summary)
        })
    }

    fn entries(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.store.read(|connection| runs::entries(connection, run, after, limit))
    }

    fn branch_entries(
        &self,
        run: &RunId,
        branch: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.store.read(|connection| runs::branch_entries(connection, run, branch, after, limit))
    }

    fn verify(&self, run: &RunId) -> Result<Option<u64>, JournalError> {
        self.store.read(|connection| verify::first_bad(connection, run))
    }

    fn program(&self, program: &Digest) -> Result<Vec<ProgramFile>, JournalError> {
        self.store.read(|connection| programs::files(connection, program))
    }

    fn sealed(&self, run: &RunId) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.store.read(|connection| programs::sealed(connection, run))
    }

    fn seal(&self, lease: &dyn Lease, name: &str, value: &[u8]) -> Result<(), JournalError> {
        self.store.write(|connection, _| {
            fenced_head(connection, lease.run(), lease.epoch())?;
            programs::seal(connection, lease.run(), name, value)
        })
    }

    fn open_gates(&self, run: &RunId) -> Result<Vec<OpenGate>, JournalError> {
        self.store.read(|connection| gates::open(connection, run))
    }

    fn post(&self, run: &RunId, mail: &Mail) -> Result<Admission, JournalError> {
        let now = self.store.now();
        self.store.write(|connection, _| mailbox::post(connection, run, mail, now))
    }

    fn mail(&self, run: &RunId) -> Result<Vec<(u64, Mail)>, JournalError> {
        self.store.read(|connection| mailbox::list(connection, run))
    }

    fn take_mail(
        &self,
        lease: &dyn Lease,
        mail: &[u64],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        self.store.write(|connection, seen| {
            // First of all the lease: one that was lost says so, whatever else is wrong.
            let head = append(connection, seen, lease.run(), lease.epoch(), entries, summary)?;
            mailbox::remove(connection, lease.run(), mail)?;
            Ok(head)
        })
    }

    fn take_lock(
        &self,
        lease: &dyn Lease,
        name: &str,
        owner: &RunId,
    ) -> Result<Option<RunId>, JournalError> {
        if self.store.read(|connection| locks::is_held_by(connection, name, owner))? {
            return Ok(None);
        }
        let now = self.store.now();
        self.store.write(|connection, _| {
            fenced_head(connection, lease.run(), lease.epoch())?;
            locks::take(connection, name, owner, now)
        })
    }

    fn locks(&self) -> Result<Vec<HeldLock>, JournalError> {
        self.store.read(locks::held)
    }

    fn remove(&self, run: &RunId) -> Result<(), JournalError> {
        let (_lock, number) = lease::lock_for_removal(&self.store, run)?;
        self.store.write(|connection, seen| {
            seen.remove(run);
            programs::remove(connection, run)
        })?;
        lease::remove_locks(&self.store, run, number)
    }
}
