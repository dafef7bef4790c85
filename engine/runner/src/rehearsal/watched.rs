//! Ports that tell each commit and each send to somebody: where a process can be crashed.
//!
//! Nothing is refused and nothing is changed here. A crash is not acted out inside the process: it is
//! a copy of what was stored at that moment, and a process that begins anew on the copy.

use std::sync::Arc;

use piton_core::account::{AccountRef, Principal};
use piton_core::canonical::Digest;
use piton_core::entry::{Entry, Head, StoredEntry};
use piton_core::event::RunEvent;
use piton_core::gate::Admission;
use piton_core::limits::Bounds;
use piton_core::ports::{
    Answer, Arrival, Call, CallFailure, EventSink, HeldLock, Holder, IdentifyError, Journal,
    JournalError, Lease, Mail, MaySend, NewRun, OpenGate, Operations, Pending, ProgramFile, RunId,
    RunRow,
};
use piton_core::status::RunSummary;

use crate::engine::Engine;

/// Something that is about to be stored, or was.
pub(super) struct Write<'a> {
    /// Run that it belongs to.
    pub(super) run: &'a RunId,
    /// Entries in it.
    pub(super) entries: &'a [Entry],
    /// What else it is, in a word; absent when it is entries alone.
    pub(super) also: Option<&'static str>,
}

/// Whoever wants to know where a driving could be crashed.
pub(super) trait Watch: Send + Sync {
    /// A commit is about to be made.
    fn before_write(&self, write: &Write<'_>);
    /// It was made.
    fn after_write(&self, write: &Write<'_>);
    /// A call is about to be sent.
    fn before_send(&self, call: &Call);
    /// Its reply is here, or there will be none.
    fn after_send(&self, call: &Call);
    /// What the driving tells.
    fn event(&self, event: &RunEvent);
}

/// The same engine, with its journal, its operations and its events watched.
pub(super) fn watched(engine: &Engine, watch: &Arc<dyn Watch>) -> Engine {
    let mut engine = engine.clone();
    let ports = &mut engine.ports;
    ports.journal =
        Arc::new(WatchedJournal { inner: Arc::clone(&ports.journal), watch: Arc::clone(watch) });
    ports.operations = Arc::new(WatchedOperations {
        inner: Arc::clone(&ports.operations),
        watch: Arc::clone(watch),
    });
    ports.events = Arc::new(WatchedEvents(Arc::clone(watch)));
    engine
}

struct WatchedEvents(Arc<dyn Watch>);

impl EventSink for WatchedEvents {
    fn emit(&self, event: &RunEvent) {
        self.0.event(event);
    }
}

struct WatchedOperations {
    inner: Arc<dyn Operations>,
    watch: Arc<dyn Watch>,
}

impl Operations for WatchedOperations {
    fn perform<'a>(&'a self, call: &'a Call) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(async move {
            self.watch.before_send(call);
            let answer = self.inner.perform(call).await;
            self.watch.after_send(call);
            answer
        })
    }

    fn perform_while<'a>(
        &'a self,
        call: &'a Call,
        may_send: MaySend,
    ) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(async move {
            self.watch.before_send(call);
            let answer = self.inner.perform_while(call, may_send).await;
            self.watch.after_send(call);
            answer
        })
    }

    fn identify<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> Pending<'a, Result<Principal, IdentifyError>> {
        self.inner.identify(account)
    }

    fn region(&self, account: &AccountRef) -> Option<String> {
        self.inner.region(account)
    }
}

struct WatchedJournal {
    inner: Arc<dyn Journal>,
    watch: Arc<dyn Watch>,
}

impl WatchedJournal {
    fn write<T>(
        &self,
        write: &Write<'_>,
        make: impl FnOnce() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.watch.before_write(write);
        let made = make()?;
        self.watch.after_write(write);
        Ok(made)
    }

    fn beside<T>(
        &self,
        run: &RunId,
        also: &'static str,
        make: impl FnOnce() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.write(&Write { run, entries: &[], also: Some(also) }, make)
    }
}

impl Journal for WatchedJournal {
    fn create(
        &self,
        run: &NewRun,
        entries: &[Entry],
        summary: &RunSummary,
        holder: &Holder,
    ) -> Result<Box<dyn Lease>, JournalError> {
        let write = Write { run: &run.run, entries, also: Some("the run") };
        self.write(&write, || self.inner.create(run, entries, summary, holder))
    }

    fn append(
        &self,
        lease: &dyn Lease,
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        let write = Write { run: lease.run(), entries, also: None };
        self.write(&write, || self.inner.append(lease, entries, summary))
    }

    fn take_mail(
        &self,
        lease: &dyn Lease,
        mail: &[u64],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        let write = Write { run: lease.run(), entries, also: Some("mail taken") };
        self.write(&write, || self.inner.take_mail(lease, mail, entries, summary))
    }

    fn edit(
        &self,
        lease: &dyn Lease,
        program: &Digest,
        files: &[ProgramFile],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError> {
        let write = Write { run: lease.run(), entries, also: Some("another program") };
        self.write(&write, || self.inner.edit(lease, program, files, entries, summary))
    }

    fn seal(&self, lease: &dyn Lease, name: &str, value: &[u8]) -> Result<(), JournalError> {
        self.beside(lease.run(), "a sealed value", || self.inner.seal(lease, name, value))
    }

    fn post(&self, run: &RunId, mail: &Mail) -> Result<Admission, JournalError> {
        self.beside(run, "mail", || self.inner.post(run, mail))
    }

    fn take_lock(
        &self,
        lease: &dyn Lease,
        name: &str,
        owner: &RunId,
    ) -> Result<Option<RunId>, JournalError> {
        self.beside(lease.run(), "a lock", || self.inner.take_lock(lease, name, owner))
    }

    fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        self.inner.runs()
    }

    fn find(&self, prefix: &str) -> Result<RunRow, JournalError> {
        self.inner.find(prefix)
    }

    fn acquire(&self, run: &RunId, holder: &Holder) -> Result<Box<dyn Lease>, JournalError> {
        self.inner.acquire(run, holder)
    }

    fn renew(&self, lease: &dyn Lease) -> Result<(), JournalError> {
        self.inner.renew(lease)
    }

    fn is_held(&self, lease: &dyn Lease) -> Result<bool, JournalError> {
        self.inner.is_held(lease)
    }

    fn writable(&self) -> Result<(), JournalError> {
        self.inner.writable()
    }

    fn entries(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.inner.entries(run, after, limit)
    }

    fn branch_entries(
        &self,
        run: &RunId,
        branch: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.inner.branch_entries(run, branch, after, limit)
    }

    fn verify(&self, run: &RunId) -> Result<Option<u64>, JournalError> {
        self.inner.verify(run)
    }

    fn check(&self, run: Option<&RunId>) -> Result<Vec<String>, JournalError> {
        self.inner.check(run)
    }

    fn bounds(&self) -> Bounds {
        self.inner.bounds()
    }

    fn program(&self, program: &Digest) -> Result<Vec<ProgramFile>, JournalError> {
        self.inner.program(program)
    }

    fn sealed(&self, run: &RunId) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.inner.sealed(run)
    }

    fn open_gates(&self, run: &RunId) -> Result<Vec<OpenGate>, JournalError> {
        self.inner.open_gates(run)
    }

    fn gates_of_all(&self) -> Result<Vec<(RunId, Vec<OpenGate>)>, JournalError> {
        self.inner.gates_of_all()
    }

    fn mail(&self, run: &RunId) -> Result<Vec<(u64, Mail)>, JournalError> {
        self.inner.mail(run)
    }

    fn runs_with_mail(&self) -> Result<Vec<RunId>, JournalError> {
        self.inner.runs_with_mail()
    }

    fn locks(&self) -> Result<Vec<HeldLock>, JournalError> {
        self.inner.locks()
    }

    fn import(&self, runs: &[Arrival]) -> Result<(), JournalError> {
        self.inner.import(runs)
    }

    fn remove(&self, run: &RunId) -> Result<(), JournalError> {
        self.inner.remove(run)
    }
}
