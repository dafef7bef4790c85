//! Ports of a dry replay: the journal can be read and nothing else can be done.

use std::sync::Arc;

use piton_core::account::{AccountRef, Principal};
use piton_core::canonical::Digest;
use piton_core::entry::{Entry, Head, StoredEntry};
use piton_core::event::RunEvent;
use piton_core::gate::{Admission, Decision};
use piton_core::key::Key;
use piton_core::ports::{
    Answer, Arrival, Call, CallFailure, CallPreview, Clock, Entropy, EventSink, HeldLock, Holder,
    IdentifyError, Journal, JournalError, Lease, Mail, NewRun, OpenGate, Operations, Pending,
    Person, ProgramFile, RunId, RunRow,
};
use piton_core::status::RunSummary;
use piton_core::time::{Span, Timestamp};

use super::Look;
use crate::engine::{Engine, Interrupt, Ports};

/// An engine that can do nothing but look.
pub(super) fn engine(look: &Look) -> Engine {
    let nothing = Arc::new(Nothing);
    Engine {
        ports: Ports {
            journal: Arc::new(ReadOnly(Arc::clone(&look.journal))),
            operations: nothing.clone(),
            clock: nothing.clone(),
            entropy: nothing.clone(),
            events: nothing.clone(),
            person: nothing,
        },
        sealing_key: look.sealing_key.clone(),
        holder: Holder { host: String::new(), pid: 0, since: EPOCH },
        runtime: look.runtime.clone(),
        interrupt: Interrupt::default(),
    }
}

/// The only moment that there is.
const EPOCH: Timestamp = Timestamp::from_millis(0);

/// A lease that nobody gave: it says which run is looked at.
pub(crate) struct NoLease(pub(crate) RunId);

impl Lease for NoLease {
    fn run(&self) -> &RunId {
        &self.0
    }

    fn epoch(&self) -> u64 {
        0
    }
}

/// No AWS, no time, no chance, nobody.
struct Nothing;

const REFUSAL: &str = "a dry replay does nothing";

impl Operations for Nothing {
    fn perform<'a>(&'a self, _: &'a Call) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(async { Err(CallFailure::Unavailable { message: REFUSAL.to_owned() }) })
    }

    fn identify<'a>(&'a self, _: &'a AccountRef) -> Pending<'a, Result<Principal, IdentifyError>> {
        let failure = CallFailure::Unavailable { message: REFUSAL.to_owned() };
        Box::pin(async { Err(IdentifyError::Call(failure)) })
    }

    fn region(&self, _: &AccountRef) -> Option<String> {
        None
    }
}

impl Clock for Nothing {
    fn now(&self) -> Timestamp {
        EPOCH
    }

    fn sleep(&self, _: Span) -> Pending<'_, ()> {
        Box::pin(async {})
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

impl Entropy for Nothing {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

impl EventSink for Nothing {
    fn emit(&self, _: &RunEvent) {}
}

impl Person for Nothing {
    fn decide(&self, _: &RunId, _: &OpenGate) -> Option<Decision> {
        None
    }

    fn confirm_call(&self, _: &Key, _: &CallPreview) -> bool {
        false
    }
}

/// A journal without its writing half.
struct ReadOnly(Arc<dyn Journal>);

fn refused<T>() -> Result<T, JournalError> {
    Err(JournalError::Storage(REFUSAL.to_owned()))
}

impl Journal for ReadOnly {
    fn create(
        &self,
        _: &NewRun,
        _: &[Entry],
        _: &RunSummary,
        _: &Holder,
    ) -> Result<Box<dyn Lease>, JournalError> {
        refused()
    }

    fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        self.0.runs()
    }

    fn find(&self, prefix: &str) -> Result<RunRow, JournalError> {
        self.0.find(prefix)
    }

    fn acquire(&self, _: &RunId, _: &Holder) -> Result<Box<dyn Lease>, JournalError> {
        refused()
    }

    fn renew(&self, _: &dyn Lease) -> Result<(), JournalError> {
        refused()
    }

    fn append(&self, _: &dyn Lease, _: &[Entry], _: &RunSummary) -> Result<Head, JournalError> {
        refused()
    }

    fn entries(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.0.entries(run, after, limit)
    }

    fn branch_entries(
        &self,
        run: &RunId,
        branch: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        self.0.branch_entries(run, branch, after, limit)
    }

    fn verify(&self, run: &RunId) -> Result<Option<u64>, JournalError> {
        self.0.verify(run)
    }

    fn program(&self, program: &Digest) -> Result<Vec<ProgramFile>, JournalError> {
        self.0.program(program)
    }

    fn sealed(&self, run: &RunId) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.0.sealed(run)
    }

    fn seal(&self, _: &dyn Lease, _: &str, _: &[u8]) -> Result<(), JournalError> {
        refused()
    }

    fn open_gates(&self, run: &RunId) -> Result<Vec<OpenGate>, JournalError> {
        self.0.open_gates(run)
    }

    fn post(&self, _: &RunId, _: &Mail) -> Result<Admission, JournalError> {
        refused()
    }

    fn mail(&self, run: &RunId) -> Result<Vec<(u64, Mail)>, JournalError> {
        self.0.mail(run)
    }

    fn take_mail(
        &self,
        _: &dyn Lease,
        _: &[u64],
        _: &[Entry],
        _: &RunSummary,
    ) -> Result<Head, JournalError> {
        refused()
    }

    fn take_lock(&self, _: &dyn Lease, _: &str, _: &RunId) -> Result<Option<RunId>, JournalError> {
        refused()
    }

    fn locks(&self) -> Result<Vec<HeldLock>, JournalError> {
        self.0.locks()
    }

    fn edit(
        &self,
        _: &dyn Lease,
        _: &Digest,
        _: &[ProgramFile],
        _: &[Entry],
        _: &RunSummary,
    ) -> Result<Head, JournalError> {
        refused()
    }

    fn import(&self, _: &[Arrival]) -> Result<(), JournalError> {
        refused()
    }

    fn remove(&self, _: &RunId) -> Result<(), JournalError> {
        refused()
    }
}
