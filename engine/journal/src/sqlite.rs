//! The journal port over the database: which transaction each method is.

use std::path::Path;
use std::sync::Arc;

use piton_core::canonical::Digest;
use piton_core::entry::{Entry, Head, StoredEntry};
use piton_core::gate::Admission;
use piton_core::ports::{
    Arrival, HeldLock, Holder, Journal, JournalError, Lease, Mail, NewRun, OpenGate, ProgramFile,
    RunId, RunRow,
};
use piton_core::status::RunSummary;

use crate::append::{append, fenced_head};
use crate::home::Adoption;
use crate::machine::Machine;
use crate::store::{Now, Store};
use crate::{arrivals, gates, lease, locks, mailbox, programs, runs, verify};

/// The runs of one home folder. Several processes, and several of these in one process, may have
/// the same folder open.
pub struct SqliteJournal {
    pub(crate) store: Arc<Store>,
}

impl SqliteJournal {
    /// Opens `home/journal.db`, creating folder and file for this user alone if they are missing.
    /// Where the folder cannot be written and the file is there, everything that reads works, and
    /// everything that writes is refused with [`JournalError::Storage`]; in a copied home with
    /// [`JournalError::Copied`], on a network file system with [`JournalError::NetworkHome`].
    ///
    /// # Errors
    /// A file that is no journal, is damaged or is from a newer version; a folder that cannot be
    /// created, or is on a network file system.
    pub fn open(home: &Path, clock: Now) -> Result<Self, JournalError> {
        Self::open_on(home, clock, Machine::this())
    }

    /// The same on a machine that somebody describes.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`].
    pub fn open_on(home: &Path, clock: Now, machine: Machine) -> Result<Self, JournalError> {
        Store::open(home, clock, machine).map(|store| Self { store: Arc::new(store) })
    }

    /// Makes a copied home one of its own, from which runs go on. When the home that it was copied
    /// from is still there, the runs go on there, and are only read here.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`].
    pub fn adopt(home: &Path, clock: Now, machine: Machine) -> Result<Adoption, JournalError> {
        Store::open(home, clock, machine)?.adopt()
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

    /// Sets how many bytes the write-ahead log may have when a new call begins; 256 MiB unless it is
    /// set.
    pub fn limit_log(&self, bytes: u64) {
        self.store.limit_log(bytes);
    }

    /// The copy of the database as it was, when this opening brought it to a newer format.
    pub fn backup(&self) -> Option<&Path> {
        self.store.backup.as_deref()
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
        self.store.check_writable()?;
        let lock = lease::lock(&self.store, &run.run, 0, holder)?;
        let (now, beat) = (self.store.now(), lease::beat(&self.store));
        self.store.write(|connection, seen| {
            seen.remove(&run.run);
            programs::create(connection, run, entries, summary, holder, (now, &beat))
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
        let beat = lease::beat(&self.store);
        self.store.write(|connection, _| lease::renew(connection, lease, &beat))
    }

    fn append(
        &self,
        lease: &dyn Lease,
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        let held = (lease, self.store.uptime());
        self.store.append(held, entries, |connection, seen| {
            append(connection, seen, held, entries, summary)
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

    fn check(&self, run: Option<&RunId>) -> Result<Vec<String>, JournalError> {
        self.store.read(|connection| verify::damage(connection, run))
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
        let held = (lease, self.store.uptime());
        self.store.append(held, entries, |connection, seen| {
            // First of all the lease: one that was lost says so, whatever else is wrong.
            let head = append(connection, seen, held, entries, summary)?;
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

    fn edit(
        &self,
        lease: &dyn Lease,
        program: &Digest,
        files: &[ProgramFile],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        let held = (lease, self.store.uptime());
        self.store.write(|connection, seen| {
            let head = append(connection, seen, held, entries, summary)?;
            programs::replace(connection, lease.run(), program, files)?;
            Ok(head)
        })
    }

    fn runs_with_mail(&self) -> Result<Vec<RunId>, JournalError> {
        self.store.read(mailbox::addressees)
    }

    fn gates_of_all(&self) -> Result<Vec<(RunId, Vec<OpenGate>)>, JournalError> {
        self.store.read(gates::open_everywhere)
    }

    fn import(&self, runs: &[Arrival]) -> Result<(), JournalError> {
        let now = self.store.now();
        self.store.write(|connection, seen| {
            runs.iter().try_for_each(|run| arrivals::import(connection, seen, run, now))
        })
    }

    fn writable(&self) -> Result<(), JournalError> {
        self.store.check_writable()
    }

    fn is_held(&self, lease: &dyn Lease) -> Result<bool, JournalError> {
        self.store.is_held(lease)
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
