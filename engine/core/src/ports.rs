//! The whole outside world, as traits. `cli` alone wires them to adapters.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::{AccountRef, Principal};
use crate::canonical::Digest;
use crate::entry::{Entry, Head, StoredEntry};
use crate::event::RunEvent;
use crate::evidence::Evidence;
use crate::gate::{Decision, GateRequest};
use crate::key::Key;
use crate::limits::Bounds;
use crate::status::{RunStatus, RunSummary};
use crate::time::{Span, Timestamp};

/// A future that a trait object can return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

// --- AWS -----------------------------------------------------------------------------------------

/// One call to AWS, with secrets in clear: it lives in memory only and has no `Debug`.
#[derive(Clone)]
pub struct Call {
    /// Account it is sent as.
    pub account: AccountRef,
    /// Script's name of the service, `redshift_data`.
    pub service: String,
    /// Script's name of the operation, `create_project`.
    pub operation: String,
    /// Input by wire names, the idempotency token included.
    pub input: Value,
}

/// What AWS answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Output by wire names; absent optional members are `null`.
    pub output: Value,
    /// AWS's id of the request.
    pub request_id: Option<String>,
}

/// AWS's error, normalised. Replay compares service, operation, code and status, never the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsError {
    /// Script's name of the service.
    pub service: String,
    /// Script's name of the operation.
    pub operation: String,
    /// AWS's code, `ConflictException`.
    pub code: String,
    /// AWS's text.
    pub message: String,
    /// HTTP status, when there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// AWS's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// AWS says that the same call may succeed later.
    #[serde(default)]
    pub retryable: bool,
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { service, operation, code, message, .. } = self;
        write!(formatter, "{service}.{operation}: {code}: {message}")
    }
}

/// Why a call has no answer that counts.
#[derive(Debug, Clone, PartialEq)]
pub enum CallFailure {
    /// AWS's last word: an outcome.
    Refused(AwsError),
    /// Throttled, out of order or silent through every attempt; it certainly had no effect, or the
    /// service said so. Never an outcome.
    Unavailable {
        /// What happened, for people.
        message: String,
    },
    /// It was sent and no answer came: whether it had an effect is unknown. Never an outcome.
    ReplyLost {
        /// What happened, for people.
        message: String,
    },
    /// Missing, expired or unusable credentials. Never an outcome: the run suspends.
    Credentials {
        /// Alias that needs them.
        alias: String,
        /// What is wrong, for people.
        message: String,
        /// Command that renews them, when it is known.
        renew_with: Option<String>,
    },
    /// The input does not fit the operation; nothing was sent.
    Invalid {
        /// Path of the member.
        path: String,
        /// What is wrong.
        message: String,
    },
}

/// Whether whoever makes a call may still send it.
pub type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

/// AWS, real or sandbox.
pub trait Operations: Send + Sync {
    /// Sends one call, with the SDK's retries for throttling and 5xx.
    fn perform<'a>(&'a self, call: &'a Call) -> Pending<'a, Result<Answer, CallFailure>>;

    /// Sends one call of a run that another process may take meanwhile: `may_send` is asked before
    /// each attempt, and a call that may not be sent is [`CallFailure::Unavailable`].
    fn perform_while<'a>(
        &'a self,
        call: &'a Call,
        may_send: MaySend,
    ) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(async move {
            if may_send() {
                return self.perform(call).await;
            }
            let message = "another process took over the run".to_owned();
            Err(CallFailure::Unavailable { message })
        })
    }

    /// Proves who an alias is, by STS GetCallerIdentity, and in which region it works. Refuses an
    /// alias that is not configured or whose pinned account differs.
    fn identify<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> Pending<'a, Result<Principal, IdentifyError>>;

    /// What the region of an account is, without a call.
    fn region(&self, account: &AccountRef) -> Option<String>;
}

/// Why an account cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IdentifyError {
    /// Nothing says what the alias is.
    #[error("the account alias `{alias}` is not configured")]
    Unconfigured {
        /// The alias.
        alias: String,
    },
    /// What the alias is said to be cannot be: an account that there is not, or that nothing leads to.
    #[error("`{alias}` cannot be used: {message}")]
    Unusable {
        /// The alias.
        alias: String,
        /// Why.
        message: String,
    },
    /// piton.toml pins another account.
    #[error("`{alias}` is in account {found}, but piton.toml pins it to {pinned}")]
    Pinned {
        /// The alias.
        alias: String,
        /// The account it proved to be in.
        found: String,
        /// The account it is pinned to.
        pinned: String,
    },
    /// The call failed.
    #[error("{}", failure_text(.0))]
    Call(CallFailure),
}

/// The failure in words.
pub fn failure_text(failure: &CallFailure) -> String {
    match failure {
        CallFailure::Refused(error) => error.to_string(),
        CallFailure::Unavailable { message }
        | CallFailure::ReplyLost { message }
        | CallFailure::Credentials { message, .. } => message.clone(),
        CallFailure::Invalid { path, message } => format!("{path}: {message}"),
    }
}

// --- The journal ---------------------------------------------------------------------------------

/// A run's id: lower-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl std::fmt::Display for RunId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a new run is created with.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub run: RunId,
    /// Name of the runbook.
    pub runbook: String,
    /// Name of the run.
    pub name: Option<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Digest of the stored program.
    pub program: Digest,
    /// Files of the program: path and contents. The first is the runbook's script.
    pub files: Vec<ProgramFile>,
    /// Sealed secret values by name, readable only with a key outside the database.
    pub sealed: Vec<(String, Vec<u8>)>,
}

/// One file of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFile {
    /// Path as the program knows it: `pfizer_poc.rhai`, `std/datazone`, `report.md.j2`.
    pub path: String,
    /// Contents.
    pub text: String,
}

/// One row of the list of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Its id.
    pub run: RunId,
    /// Name of the runbook.
    pub runbook: String,
    /// Name of the run.
    pub name: Option<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Digest of its program.
    pub program: Digest,
    /// The fold over its entries, kept with the last append.
    pub summary: RunSummary,
    /// End of its journal.
    pub head: Head,
    /// Who drives it now, when somebody does.
    pub holder: Option<Holder>,
    /// It is only kept to be read: it goes on in another home.
    pub copy: bool,
}

impl RunRow {
    /// Why the run goes on in another home, when it does: nothing is done with it here.
    pub fn elsewhere(&self) -> Option<JournalError> {
        let run = self.run.0.clone();
        match &self.summary.handed_over {
            _ if self.copy => Some(JournalError::ReadOnlyCopy(run)),
            Some(departure) => {
                Some(JournalError::HandedOver { run, capsule: departure.capsule.clone() })
            }
            None => None,
        }
    }

    /// The status as people see it: a run without a driver is interrupted, not running.
    pub fn status(&self) -> RunStatus {
        match self.summary.status {
            RunStatus::Running if self.holder.is_none() => RunStatus::Interrupted,
            status => status,
        }
    }
}

/// A process that drives a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// When it took the run.
    pub since: Timestamp,
}

/// The right to append to a run, until another process takes it.
pub trait Lease: Send + Sync {
    /// The run.
    fn run(&self) -> &RunId;
    /// Counts up each time a process takes the run; an append of an older epoch is refused.
    fn epoch(&self) -> u64;
}

/// What the journal refuses, or cannot do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JournalError {
    /// No run of that id or prefix.
    #[error("there is no run `{0}`")]
    NoRun(String),
    /// Several runs begin like that.
    #[error("`{prefix}` is the beginning of several runs: {}", .runs.join(", "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// The runs.
        runs: Vec<String>,
    },
    /// A live process drives the run.
    #[error("run {run} is driven by process {} on {} since {}", .holder.pid, .holder.host, .holder.since)]
    Held {
        /// The run.
        run: String,
        /// Who.
        holder: Holder,
    },
    /// Another process took the run in the meantime.
    #[error("another process took over run {0}")]
    LeaseLost(String),
    /// The run was handed over: it goes on in another home.
    #[error("run {run} was handed over with the capsule {capsule}: it goes on where that is")]
    HandedOver {
        /// The run.
        run: String,
        /// Id of the capsule.
        capsule: String,
    },
    /// The run is only kept to be read.
    #[error("run {0} is a copy that is kept to be read: it goes on in another home")]
    ReadOnlyCopy(String),
    /// A run of a capsule cannot be taken in.
    #[error("run {run} cannot be taken in: {reason}")]
    NotAdmitted {
        /// The run.
        run: String,
        /// Why not.
        reason: String,
    },
    /// The home is a copy of another one, or was moved, and nobody said which.
    #[error("{path} is not the home that it was written as, {original}: {sign}")]
    Copied {
        /// The folder.
        path: String,
        /// The folder that it was.
        original: String,
        /// What shows it.
        sign: String,
        /// That folder still has the home.
        is_there: bool,
    },
    /// The home is on a file system that other machines reach too.
    #[error(
        "{path} is on a network file system ({kind}), whose locks do not keep two drivers apart"
    )]
    NetworkHome {
        /// The folder.
        path: String,
        /// The kind of file system.
        kind: String,
    },
    /// No such gate is open.
    #[error("run {run} has no open gate `{gate}`")]
    NoGate {
        /// The run.
        run: String,
        /// The gate.
        gate: String,
    },
    /// The decision was refused.
    #[error(transparent)]
    Refused(#[from] crate::gate::Refusal),
    /// The file is no journal, or damaged.
    #[error("{path} is not a Piton journal: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The file is from a newer version.
    #[error("{path} has journal format {found}; this version of Piton reads up to {known}")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
        /// The newest known format.
        known: u32,
    },
    /// The disk does not take what must be written.
    #[error("the journal cannot be written: {0}")]
    Storage(String),
    /// An entry cannot be read.
    #[error("entry {seq} of run {run} cannot be read: {reason}")]
    Entry {
        /// The run.
        run: String,
        /// Position.
        seq: u64,
        /// What is wrong.
        reason: String,
    },
}

/// What anyone may leave for the driver of a run, at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum Mail {
    /// An answer to a gate, admitted when it was left.
    Decision(Decision),
    /// The run is to end.
    Cancel {
        /// Who asks, as far as known.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A doubt is settled by a person.
    Settle {
        /// Entry in doubt.
        key: Key,
        /// How, with the reason.
        settled: crate::entry::Settled,
    },
}

/// An open gate of a run with the answers it has so far.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenGate {
    /// Entry that opened it.
    pub key: Key,
    /// When it opened.
    pub opened_at: Timestamp,
    /// What it asks.
    pub request: GateRequest,
    /// Answers, recorded or still in the mailbox, in order.
    pub decisions: Vec<Decision>,
}

/// A lock and the run that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldLock {
    /// Name of the lock.
    pub name: String,
    /// The run that holds it.
    pub run: RunId,
    /// Since when, by the machine's clock.
    pub since: Timestamp,
}

/// A run that comes from another home.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its program and entries, verified by whoever brings it.
    pub evidence: Evidence,
    /// It is only to be read here.
    pub copy: bool,
    /// What was left for its driver, oldest first.
    pub mail: Vec<Mail>,
    /// Names of the locks that it holds.
    pub locks: Vec<String>,
    /// Sealed values, by name, readable with this home's key.
    pub sealed: Vec<(String, Vec<u8>)>,
    /// Entries that follow those of the evidence.
    pub then: Vec<Entry>,
    /// The fold over all entries.
    pub summary: RunSummary,
}

/// Where runs are kept. Blocking: drivers call it from threads that may block.
pub trait Journal: Send + Sync {
    /// Stores a program and a new run with its first entries, and takes the run.
    fn create(
        &self,
        run: &NewRun,
        entries: &[Entry],
        summary: &RunSummary,
        holder: &Holder,
    ) -> Result<Box<dyn Lease>, JournalError>;

    /// Runs, newest first.
    fn runs(&self) -> Result<Vec<RunRow>, JournalError>;

    /// One run by id or unique prefix.
    fn find(&self, prefix: &str) -> Result<RunRow, JournalError>;

    /// Takes a run that nobody live drives. A dead holder is replaced at once, a live one only when
    /// it has not said for a while that it is alive.
    fn acquire(&self, run: &RunId, holder: &Holder) -> Result<Box<dyn Lease>, JournalError>;

    /// Says that the holder is alive. Refused when the lease was lost.
    fn renew(&self, lease: &dyn Lease) -> Result<(), JournalError>;

    /// Whether a lease still counts: what a driver asks before it sends a call that changes something.
    /// An append that was just made may answer for one question.
    fn is_held(&self, lease: &dyn Lease) -> Result<bool, JournalError> {
        match self.renew(lease) {
            Ok(()) => Ok(true),
            Err(JournalError::LeaseLost(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Appends entries in one durable commit, with the summary after them. Refused when the lease
    /// was lost: then nothing is written. It says that the holder is alive, too.
    fn append(
        &self,
        lease: &dyn Lease,
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError>;

    /// Up to `limit` entries after position `after`, in order.
    fn entries(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError>;

    /// Up to `limit` entries with a key of one branch, without those of branches inside it, after
    /// position `after`, in order. The path is empty outside of branches.
    fn branch_entries(
        &self,
        run: &RunId,
        branch: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, JournalError> {
        let is_ours = |stored: &StoredEntry| {
            stored.entry.key.as_ref().is_some_and(|key| key.branch() == branch)
        };
        let mut found = Vec::new();
        let mut after = after;
        while found.len() < limit {
            let chunk = self.entries(run, after, limit)?;
            let Some(last) = chunk.last() else { break };
            after = last.seq;
            found.extend(chunk.into_iter().filter(is_ours));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Checks the hash chain of a run: the position of the first entry that is not, byte for byte,
    /// what was appended there, or nothing when all are.
    fn verify(&self, run: &RunId) -> Result<Option<u64>, JournalError>;

    /// Checks what runs are kept in, and what is kept beside the entries of one: what is damaged, in
    /// words; nothing when all is well. The entries themselves are for [`Journal::verify`].
    fn check(&self, run: Option<&RunId>) -> Result<Vec<String>, JournalError> {
        let _ = run;
        Ok(Vec::new())
    }

    /// How large the journal of one run may become.
    fn bounds(&self) -> Bounds {
        Bounds::DEFAULT
    }

    /// The files of a program, the runbook's script first.
    fn program(&self, program: &Digest) -> Result<Vec<ProgramFile>, JournalError>;

    /// Sealed secret values of a run by name.
    fn sealed(&self, run: &RunId) -> Result<Vec<(String, Vec<u8>)>, JournalError>;

    /// Keeps one more sealed value; the last one of a name counts.
    fn seal(&self, lease: &dyn Lease, name: &str, value: &[u8]) -> Result<(), JournalError>;

    /// Open gates of a run, in the order they opened.
    fn open_gates(&self, run: &RunId) -> Result<Vec<OpenGate>, JournalError>;

    /// Leaves mail for the driver in one transaction. A decision is admitted by
    /// [`crate::gate::admit`] against the answers the gate has in that same transaction; a repeated
    /// equal answer changes nothing.
    fn post(&self, run: &RunId, mail: &Mail) -> Result<crate::gate::Admission, JournalError>;

    /// Mail that was not taken yet, oldest first, with its number.
    fn mail(&self, run: &RunId) -> Result<Vec<(u64, Mail)>, JournalError>;

    /// Appends the entries that mail became, and removes the mail, in one commit.
    fn take_mail(
        &self,
        lease: &dyn Lease,
        mail: &[u64],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError>;

    /// Takes a lock for the run `owner`, which is that of the lease or one that it is inside of.
    /// Returns the run that holds it, when that is another one that has not ended: then nothing
    /// changes. Taking a lock again changes nothing. Refused when the lease was lost.
    fn take_lock(
        &self,
        lease: &dyn Lease,
        name: &str,
        owner: &RunId,
    ) -> Result<Option<RunId>, JournalError>;

    /// The locks that runs hold which have not ended, by name.
    fn locks(&self) -> Result<Vec<HeldLock>, JournalError>;

    /// Stores a program as the one that a run has from now on, and appends entries, in one commit. The
    /// program that it had stays stored. Refused when the lease was lost.
    fn edit(
        &self,
        lease: &dyn Lease,
        program: &Digest,
        files: &[ProgramFile],
        entries: &[Entry],
        summary: &RunSummary,
    ) -> Result<Head, JournalError>;

    /// Runs with mail that was not taken yet.
    fn runs_with_mail(&self) -> Result<Vec<RunId>, JournalError> {
        let mut found = Vec::new();
        for row in self.runs()? {
            if !self.mail(&row.run)?.is_empty() {
                found.push(row.run);
            }
        }
        Ok(found)
    }

    /// Gates that nobody closed, of every run that has some, newest run first. Whether a run still asks
    /// anybody, its summary says: one that ended or is taken back does not.
    fn gates_of_all(&self) -> Result<Vec<(RunId, Vec<OpenGate>)>, JournalError> {
        let mut found = Vec::new();
        for row in self.runs()? {
            let open = self.open_gates(&row.run)?;
            if !open.is_empty() {
                found.push((row.run, open));
            }
        }
        Ok(found)
    }

    /// Takes in runs of another home, all of them or none. One that is here already must be a copy or
    /// handed over, and what is here must be the beginning of what comes.
    /// A journal that ends with its process takes nothing in.
    fn import(&self, runs: &[Arrival]) -> Result<(), JournalError> {
        match runs.first() {
            None => Ok(()),
            Some(first) => Err(JournalError::NotAdmitted {
                run: first.evidence.run.0.clone(),
                reason: "this journal takes no runs of other homes".to_owned(),
            }),
        }
    }

    /// Whether anything may be written here: refused in a home that is a copy, or is on a network
    /// file system.
    fn writable(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Removes a run that nobody drives, and what only it used.
    fn remove(&self, run: &RunId) -> Result<(), JournalError>;
}

// --- Time, chance, people ------------------------------------------------------------------------

/// Time: the machine's, or the sandbox's.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
    /// Returns when `span` has passed; a sandbox lets it pass at once.
    fn sleep(&self, span: Span) -> Pending<'_, ()>;
    /// Waiting costs the person at the terminal nothing: the clock is virtual.
    fn is_virtual(&self) -> bool;
}

/// Chance.
pub trait Entropy: Send + Sync {
    /// Fills bytes with what nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// Whoever wants to know how a run goes on.
pub trait EventSink: Send + Sync {
    /// Takes one event. Events of a run come in order.
    fn emit(&self, event: &RunEvent);
}

/// The person at the terminal, if there is one.
pub trait Person: Send + Sync {
    /// Asks for a decision at a gate that just opened; nothing when nobody who may decide is here.
    fn decide(&self, run: &RunId, gate: &OpenGate) -> Option<Decision>;
    /// Asks before a mutating call in step mode; `false` ends the run's driving here.
    fn confirm_call(&self, key: &Key, call: &CallPreview) -> bool;
}

/// A call that is about to be sent, for people: handles in place of secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPreview {
    /// Account.
    pub account: AccountRef,
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Input, masked.
    pub input: Value,
}
