//! The wired ports, and what can be done with runs: start, resume, cancel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use piton_core::account::Principal;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::event::RunEnd;
use piton_core::ports::{
    Clock, Entropy, EventSink, Holder, Journal, JournalError, Operations, Person, RunId,
};
use piton_core::status::RunStatus;
use piton_core::time::Span;
use piton_script::Program;
use piton_script::params::Bound;

use crate::homes;
use crate::vault::SealingKey;

/// Everything outside the process, as the engine uses it.
#[derive(Clone)]
pub struct Ports {
    /// Where runs are kept.
    pub journal: Arc<dyn Journal>,
    /// AWS, real or sandbox.
    pub operations: Arc<dyn Operations>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Whoever follows the run.
    pub events: Arc<dyn EventSink>,
    /// The person at the terminal; one that never answers where there is none.
    pub person: Arc<dyn Person>,
}

/// How a run is driven; nothing of it changes what the run does.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Longest wait during which the driver stays; a longer one suspends the run. Absent means: stay
    /// for any wait on a virtual clock, an hour on a real one.
    pub wait_limit: Option<Span>,
    /// Ask the person before each mutating call.
    pub step_mode: bool,
}

/// Asks a driving to stop at the next safe point: Ctrl-C.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
    notify: Arc<tokio::sync::Notify>,
}

impl Interrupt {
    /// Asks. What is in flight is finished and recorded first.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Whether somebody asked.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// Completes when somebody asks.
    pub(crate) async fn raised(&self) {
        loop {
            let notified = self.notify.notified();
            if self.is_raised() {
                return;
            }
            notified.await;
        }
    }
}

/// The wired engine: cheap to clone, safe to share.
#[derive(Clone)]
pub struct Engine {
    /// The ports.
    pub ports: Ports,
    /// Key that seals secret values; kept outside the database.
    pub sealing_key: SealingKey,
    /// This process, as leases name it.
    pub holder: Holder,
    /// Runtime that AWS calls and waits run on.
    pub runtime: tokio::runtime::Handle,
    /// Stops a driving.
    pub interrupt: Interrupt,
}

/// An id for a new run: twelve letters and digits that nobody has used. It is drawn before the run
/// starts, because the sessions of its accounts carry it.
pub fn new_run_id(entropy: &dyn Entropy) -> RunId {
    let mut bytes = [0; 12];
    entropy.fill(&mut bytes);
    run_id_of(&bytes)
}

/// The id that follows from bytes; the first twelve count.
pub(crate) fn run_id_of(bytes: &[u8]) -> RunId {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters = bytes.iter().take(12);
    RunId(letters.map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// A run to start.
pub struct Start {
    /// Its id, from [`new_run_id`].
    pub run: RunId,
    /// What to run.
    pub program: Program,
    /// Where the program was read from, as the person named it.
    pub source: Option<String>,
    /// Parameters, bound to the declaration.
    pub params: Bound,
    /// Name of the run.
    pub name: Option<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Stored name of the sandbox world; absent against AWS.
    pub world: Option<String>,
    /// Who starts it.
    pub requester: Option<Principal>,
    /// How it is driven.
    pub options: Options,
}

/// How a run is resumed.
#[derive(Debug, Clone)]
pub struct Resume {
    /// Attempt again the call that failed the run.
    pub retry: bool,
    /// Aliases that may be somebody else from now on.
    pub rebind: Vec<String>,
    /// How it is driven.
    pub options: Options,
}

/// A run to take back.
#[derive(Debug, Clone)]
pub struct TakeBack {
    /// The run.
    pub source: RunId,
    /// Id of the run that takes it back, from [`new_run_id`]; not used when one was begun already.
    pub run: RunId,
    /// Who asks for it.
    pub requester: Option<Principal>,
    /// Labels of the new run.
    pub labels: Vec<(String, String)>,
    /// How it is driven.
    pub options: Options,
}

/// The end of one driving.
#[derive(Debug, Clone, PartialEq)]
pub struct Driven {
    /// The run.
    pub run: RunId,
    /// Where it stands now.
    pub end: RunEnd,
}

/// Why a verb could not be carried out. The run, if there is one, is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Problems with places, causes and ways on; at least one.
    #[error("{}", .0.first().map_or("refused", |first| first.message.as_str()))]
    Refused(Vec<Diagnostic>),
}

impl RunnerError {
    /// One problem.
    pub fn refused(diagnostic: Diagnostic) -> Self {
        Self::Refused(vec![diagnostic])
    }

    /// The problems as diagnostics.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Refused(diagnostics) => diagnostics.clone(),
            Self::Journal(error) => vec![journal_diagnostic(error)],
        }
    }

    /// The documented exit code of a command that ends with it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Journal(
                JournalError::Held { .. }
                | JournalError::LeaseLost(_)
                | JournalError::HandedOver { .. }
                | JournalError::ReadOnlyCopy(_),
            ) => 8,
            Self::Journal(JournalError::Entry { .. }) => 10,
            Self::Refused(problems) if problems.iter().any(|one| one.code == Code::Mismatch) => 7,
            Self::Journal(_) | Self::Refused(_) => 2,
        }
    }
}

/// A journal's refusal with code and way on.
pub fn journal_diagnostic(error: &JournalError) -> Diagnostic {
    let (code, hint) = match error {
        JournalError::NoRun(_) | JournalError::Ambiguous { .. } => {
            (Code::RunNotFound, "`piton ls` lists the runs")
        }
        JournalError::Held { run, holder } => {
            let told = Diagnostic::error(Code::Held, error.to_string());
            return told
                .hint(format!("`piton watch {run}` follows it"))
                .hint(format!("or stop it, on {}: kill -INT {}", holder.host, holder.pid));
        }
        JournalError::LeaseLost(run) => {
            let told = Diagnostic::error(Code::LeaseLost, error.to_string());
            return told
                .hint("this process was stopped or silent for too long, and sends nothing more")
                .hint(format!("`piton status {run}` says who drives it now"));
        }
        JournalError::HandedOver { .. }
        | JournalError::ReadOnlyCopy(_)
        | JournalError::NotAdmitted { .. }
        | JournalError::Copied { .. }
        | JournalError::NetworkHome { .. } => return homes::diagnostic(error),
        JournalError::NoGate { .. } => (Code::GateNotOpen, "`piton inbox` lists what is open"),
        JournalError::Refused(refusal) => return refusal_diagnostic(refusal),
        JournalError::Unreadable { .. } => {
            (Code::JournalUnreadable, "give another folder with --home, or move the file away")
        }
        JournalError::Newer { .. } => (Code::JournalNewer, "use the newer version of Piton"),
        JournalError::Storage(_) => {
            (Code::Storage, "mend the cause, then `piton resume RUN`: nothing recorded was lost")
        }
        JournalError::Entry { .. } => {
            (Code::JournalUnreadable, "the journal is damaged; restore the file from a backup")
        }
    };
    Diagnostic::error(code, error.to_string()).hint(hint)
}

fn refusal_diagnostic(refusal: &piton_core::gate::Refusal) -> Diagnostic {
    use piton_core::gate::Refusal;
    let (code, hint) = match refusal {
        Refusal::NotEligible { .. } => (
            Code::NotEligible,
            "`piton inbox` shows who may; decide as one of them with --as ALIAS",
        ),
        Refusal::Conflict { .. } => (Code::DecisionConflict, "the first answer counts"),
        Refusal::Expired { .. } => (Code::Expired, "`piton resume RUN` carries out the expiry"),
        Refusal::Form { .. } => (Code::BadParameter, "`piton inbox` shows the fields"),
        Refusal::Evidence { .. } => (Code::BadParameter, "or describe it with -m TEXT"),
    };
    Diagnostic::error(code, refusal.to_string()).hint(hint)
}

impl Engine {
    /// Starts a run and drives it until it ends or must wait.
    pub fn start(&self, start: Start) -> Result<Driven, RunnerError> {
        crate::lifecycle::start(self, start)
    }

    /// Goes on with a run: answers from its journal what was recorded, then drives it. A finished
    /// run repeats its end.
    pub fn resume(&self, run: &RunId, how: &Resume) -> Result<Driven, RunnerError> {
        crate::lifecycle::resume(self, run, how)
    }

    /// Goes on with a run by an edited script, which it owns from then on. Nothing changes when the
    /// script does not fit what is recorded.
    ///
    /// # Errors
    /// A script that asks for something else than was recorded, or leaves what nobody accepted.
    pub fn resume_edited(
        &self,
        run: &RunId,
        how: &Resume,
        edit: &crate::edit::Edit,
    ) -> Result<Driven, RunnerError> {
        crate::edit::resume(self, run, how, edit)
    }

    /// Takes back what a run did: begins a run of its own for that, or goes on with the one that was
    /// begun. Calls that the run left in doubt are settled first.
    pub fn rollback(&self, how: &TakeBack) -> Result<Driven, RunnerError> {
        crate::rollback::rollback(self, how)
    }

    /// Reads again what a run made or worked with, and says what is not as it left it. Nothing is
    /// changed or recorded.
    pub fn drift(&self, run: &RunId) -> Result<crate::drift::Drift, RunnerError> {
        crate::drift::drift(self, run)
    }

    /// Ends a run: at once when nobody drives it, else at its driver's next safe point. Returns its
    /// status afterwards.
    pub fn cancel(
        &self,
        run: &RunId,
        by: Option<String>,
        reason: Option<String>,
    ) -> Result<RunStatus, RunnerError> {
        crate::lifecycle::cancel(self, run, by, reason)
    }
}
