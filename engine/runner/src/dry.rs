//! Dry replays: a stored run evaluated against its journal, with nothing sent, written or taken.
//!
//! The driver is the ordinary one, over ports that refuse every effect (`quiet`). Where it would go
//! beyond what is recorded it notes what would come there and stops: each branch at its own first
//! question, calls to AWS, gates, waits and locks alike. What comes out follows from the program, the
//! entries and the journals of called runs alone: no clock, no mailbox and no environment is asked, so
//! that it holds as long as these are the same.

mod quiet;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::account::AccountRef;
use piton_core::canonical::Digest;
use piton_core::catalogue::Class;
use piton_core::diagnostic::{Code, Diagnostic, Place};
use piton_core::entry::{Body, Edited, Intent, Left, Resumed};
use piton_core::key::Key;
use piton_core::ports::{Journal, JournalError, RunId};
use piton_core::replay::OpenWait;
use piton_core::secret::Origin;
use piton_core::status::{Reason, RunStatus, RunSummary};
use piton_core::time::Timestamp;
use piton_script::Program;
use piton_script::evaluate::Evaluation;
use piton_script::host::{Halt, ScriptCall};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::drive::{Driver, Ending, State, evaluate};
use crate::engine::{Engine, Options, Resume, RunnerError};
use crate::lifecycle::{Further, rebuild_for, retry};
use crate::vault::SealingKey;

/// What a dry replay looks at.
#[derive(Clone)]
pub struct Look {
    /// Where the runs are; only read.
    pub journal: Arc<dyn Journal>,
    /// Key of the home, which digests of secrets in a script's text depend on.
    pub sealing_key: SealingKey,
    /// Runtime that the driver belongs to; nothing runs on it.
    pub runtime: Handle,
}

/// What is asked of a dry replay.
#[derive(Clone)]
pub struct Question {
    /// The run.
    pub run: RunId,
    /// A script in place of the stored one.
    pub program: Option<Program>,
    /// As `resume --retry` would go on.
    pub retry: bool,
    /// The script may leave recorded entries.
    pub accept: bool,
}

/// What a dry replay found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// How the evaluation ended.
    pub end: DryEnd,
    /// What would come next, in each branch that goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<Reached>,
    /// How many recorded entries of the run were met, annotations left out.
    pub matched: u64,
    /// How many there are.
    pub recorded: u64,
    /// Aliases that the script needs from the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Recorded entries that the script does not ask for, where it may leave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// Open gates among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
    /// Called runs that were looked at, with the digest of their last entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub called: Vec<(RunId, Digest)>,
}

/// How a dry evaluation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum DryEnd {
    /// It goes beyond what is recorded: [`Replay::reached`] says where.
    Reaches,
    /// The script comes to its end.
    Ends,
    /// The script raises an error that nothing catches.
    Fails {
        /// The error.
        error: Box<Diagnostic>,
    },
    /// The script asks for something else than was recorded.
    Mismatch {
        /// What a resume would say.
        error: Box<Diagnostic>,
    },
    /// A resume would be refused before it begins.
    Refused {
        /// Why.
        errors: Vec<Diagnostic>,
    },
}

/// A place where the script goes beyond what is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// The run: the one that was asked about, or one that it called.
    pub run: RunId,
    /// Key of the entry that would be made, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What would come.
    #[serde(flatten)]
    pub next: Next,
    /// Where the script asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// What would come where nothing is recorded any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Next {
    /// A call is sent.
    Call {
        /// Script's name of the service.
        service: String,
        /// Script's name of the operation.
        operation: String,
        /// Account.
        account: AccountRef,
        /// Idempotency class.
        class: Class,
        /// Input, masked; not kept between processes.
        #[serde(skip)]
        input: Value,
        /// Secrets in it that this process does not have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<Wanted>,
    },
    /// A call that was sent and has no outcome is settled.
    Doubt {
        /// `service.operation`.
        operation: String,
        /// Account.
        account: AccountRef,
        /// Idempotency class, which says how.
        class: Class,
        /// Secrets in it that this process does not have, where it would be sent again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<Wanted>,
    },
    /// A gate opens, or is decided.
    Gate {
        /// Its address.
        gate: String,
        /// When it opened; nothing when it would open now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opened_at: Option<Timestamp>,
        /// It would show something else than when it opened: answers to it are void.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        changed: bool,
        /// When it expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        /// The world may decide too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_world: bool,
    },
    /// A moment is awaited.
    Timer {
        /// Name of the wait.
        name: String,
        /// When it ends; nothing when it would begin now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A state of AWS is awaited.
    State {
        /// Name of the wait.
        name: String,
        /// When it gives up; nothing when it would begin now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A value of chance or time is drawn.
    Sample {
        /// `now`, `uuid`, `anchor` or `random_password`.
        source: String,
    },
    /// Who an account is, is proven.
    Identity {
        /// Account.
        account: AccountRef,
    },
    /// A runbook is called.
    Child {
        /// The runbook.
        runbook: String,
    },
    /// A called run comes to its end, or fails.
    ChildEnds {
        /// Its runbook.
        runbook: String,
        /// Its error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Box<Diagnostic>>,
    },
    /// A lock is taken.
    Lock {
        /// Its name.
        name: String,
    },
    /// Something else that the driver stops for.
    Stop {
        /// Why.
        reason: Box<Reason>,
    },
}

/// A secret that a call needs and that is not in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "secret", rename_all = "snake_case")]
pub enum Wanted {
    /// The environment variable.
    Env {
        /// Its name.
        name: String,
    },
    /// The parameter.
    Param {
        /// Its name.
        name: String,
    },
}

/// What a dry replay found so far; its drivers share it.
pub(crate) struct Findings {
    accept: bool,
    inner: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    reached: Vec<Reached>,
    matched: u64,
    recorded: u64,
    aliases: Vec<String>,
    left: Vec<Left>,
    withdrawn: Vec<String>,
    called: Vec<(RunId, Digest)>,
}

impl Findings {
    fn new(accept: bool) -> Self {
        Self { accept, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Found> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether scripts may leave recorded entries.
    pub(crate) fn accepts(&self) -> bool {
        self.accept
    }

    /// A branch, or a run outside of its branches, was evaluated as far as it goes.
    pub(crate) fn over(&self, driver: &Driver, state: &State) {
        let (left, withdrawn) = state.machine.left();
        let mut found = self.inner();
        if driver.caller.is_some() {
            return;
        }
        found.matched += state.machine.compared_so_far();
        found.left.extend(left);
        found.withdrawn.extend(withdrawn);
    }
}

/// Evaluates a run dry.
///
/// # Errors
/// A run or an entry that cannot be read. What stands in the way of a resume is no error but an end.
pub fn replay(look: &Look, question: &Question) -> Result<Replay, RunnerError> {
    let engine = quiet::engine(look);
    let findings = Arc::new(Findings::new(question.accept));
    let end = match begin(&engine, question, None, &findings) {
        Ok(driver) => look_through(driver, &findings)?,
        Err(RunnerError::Refused(errors)) => DryEnd::Refused { errors },
        Err(error) => return Err(error),
    };
    let found = std::mem::take(&mut *findings.inner());
    let Found { mut reached, matched, recorded, aliases, left, withdrawn, called } = found;
    // Against AWS branches come as they come.
    reached.sort_by(|one, other| (&one.run, &one.key).cmp(&(&other.run, &other.key)));
    Ok(Replay { end, reached, matched, recorded, aliases, left, withdrawn, called })
}

/// A driver that stands where a resume would begin.
fn begin(
    engine: &Engine,
    question: &Question,
    caller: Option<Arc<Driver>>,
    findings: &Arc<Findings>,
) -> Result<Driver, RunnerError> {
    let row = engine.ports.journal.find(&question.run.0)?;
    crate::rollback::refuse_taken_back(&row)?;
    let failed = row.summary.status == RunStatus::Failed;
    let goes_on =
        !row.summary.status.is_final() || failed && (question.retry || question.program.is_some());
    if !goes_on {
        let message = format!("run {} is {}", row.run, row.summary.status);
        return Err(RunnerError::refused(Diagnostic::error(Code::WrongState, message)));
    }
    let attempts_again = matches!(row.summary.reason, Some(Reason::NotTakenBack { .. }));
    let (at, before) = (row.summary.updated_at, row.program);
    let how = Resume {
        retry: question.retry,
        rebind: Vec::new(),
        options: Options { wait_limit: None, step_mode: false },
    };
    let look_at = Arc::clone(&engine.ports.journal);
    let lease = Box::new(quiet::NoLease(row.run.clone()));
    let program = question.program.clone();
    let further = Further { caller, program, findings: Some(Arc::clone(findings)) };
    let driver = rebuild_for(engine, row, lease, &how, further)?;
    if driver.caller.is_none() {
        let declared = driver.program.declaration().accounts.iter();
        let needed = declared.filter(|account| !account.created_here);
        findings.inner().aliases = needed.map(|account| account.alias.clone()).collect();
    }
    {
        let mut state = driver.state();
        let can_retry = state.recorder.summary().retry_from.is_some();
        if attempts_again || failed && question.retry && (can_retry || question.program.is_none()) {
            retry(&driver, &mut state, at)?;
        }
        if question.program.is_some() {
            let edited = Edited::plain(before, driver.program.digest());
            state.recorder.make(None, at, None, Body::Edited(edited));
        }
        if question.accept {
            state.machine.be_lenient();
        }
        let resumed = Resumed { holder: String::new(), version: String::new() };
        state.recorder.make(None, at, None, Body::Resumed(resumed));
        if driver.caller.is_none() {
            let summary = state.recorder.summary();
            findings.inner().recorded = count(&look_at, &driver.run, driver.recorded, &summary)?;
        }
    }
    Ok(driver)
}

/// How many entries of a run a script is compared with.
fn count(
    journal: &Arc<dyn Journal>,
    run: &RunId,
    last: u64,
    summary: &RunSummary,
) -> Result<u64, JournalError> {
    let (mut after, mut count) = (0, 0);
    while after < last {
        let chunk = journal.entries(run, after, 512)?;
        let Some(end) = chunk.last() else { break };
        after = end.seq;
        let counts = chunk.iter().filter(|stored| {
            let key = stored.entry.key.as_ref();
            stored.seq <= last
                && key.is_some()
                && stored.entry.body.is_compared()
                && !summary.is_void(stored.seq, key)
        });
        count += counts.count() as u64;
    }
    Ok(count)
}

/// Evaluates and says how that ended.
fn look_through(driver: Driver, findings: &Findings) -> Result<DryEnd, RunnerError> {
    let driver = Arc::new(driver);
    let evaluation = evaluate(&driver);
    let mut state = driver.state();
    if state.ending.is_none()
        && matches!(evaluation, Evaluation::Finished)
        && let Err(stop) = state.machine.finish()
    {
        driver.stop(&mut state, stop);
    }
    findings.over(&driver, &state);
    match (state.ending.take(), evaluation) {
        (Some(Ending::Suspended(Reason::Mismatch { diagnostic })), _) => {
            Ok(DryEnd::Mismatch { error: diagnostic })
        }
        (Some(Ending::Journal(error)), _) => Err(error.into()),
        (Some(Ending::Refused(errors)), _) => Ok(DryEnd::Refused { errors }),
        (Some(_), _) | (None, Evaluation::Stopped) => Ok(DryEnd::Reaches),
        (None, Evaluation::Finished) => Ok(DryEnd::Ends),
        (None, Evaluation::Raised(raised)) => {
            Ok(DryEnd::Fails { error: Box::new(raised.diagnostic) })
        }
    }
}

impl Driver {
    /// In a dry replay: notes what would come here, and stops this branch.
    pub(crate) fn beyond(
        &self,
        key: Option<&Key>,
        next: impl FnOnce() -> Next,
    ) -> Result<(), Halt> {
        let Some(findings) = &self.dry else { return Ok(()) };
        let next = next();
        Err(self.stop_short(findings, &mut self.state(), key, next))
    }

    /// Notes what would come, and stops this branch.
    pub(crate) fn stop_short(
        &self,
        findings: &Findings,
        state: &mut State,
        key: Option<&Key>,
        next: Next,
    ) -> Halt {
        let reached = Reached { run: self.run.clone(), key: key.cloned(), next, place: None };
        let index = {
            let mut found = findings.inner();
            found.reached.push(reached);
            found.reached.len() - 1
        };
        self.end(state, Ending::Beyond(Some(index)))
    }

    /// The place of the call that stopped, as the script layer knows it.
    pub(crate) fn note_place(&self, place: Option<Place>) {
        match &mut self.state().ending {
            Some(Ending::Suspended(Reason::Mismatch { diagnostic })) => {
                diagnostic.place = diagnostic.place.take().or(place);
            }
            Some(Ending::Beyond(Some(index))) => {
                let Some(findings) = &self.dry else { return };
                if let Some(reached) = findings.inner().reached.get_mut(*index) {
                    reached.place = reached.place.take().or(place);
                }
            }
            _ => {}
        }
    }

    /// What comes with a call.
    pub(crate) fn next_call(&self, call: &ScriptCall) -> Next {
        Next::Call {
            service: call.service.clone(),
            operation: crate::calls::recorded_operation(call),
            account: call.account.clone(),
            class: call.class,
            input: piton_core::secret::masked(&call.input),
            secrets: self.wanted(&call.input),
        }
    }

    /// What comes with a call in doubt.
    pub(crate) fn next_doubt(&self, intent: &Intent) -> Next {
        let is_sent_again = matches!(intent.class, Class::Token | Class::Put);
        Next::Doubt {
            operation: format!("{}.{}", intent.service, intent.operation),
            account: intent.account.clone(),
            class: intent.class,
            secrets: if is_sent_again { self.wanted(&intent.input) } else { Vec::new() },
        }
    }

    /// The secrets of an input that are sealed nowhere.
    fn wanted(&self, input: &Value) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let mut look = |origin: &Origin| -> Result<String, std::convert::Infallible> {
            match origin {
                Origin::Env { name } if self.vault.value(origin).is_none() => {
                    wanted.push(Wanted::Env { name: name.clone() });
                }
                Origin::Param { name }
                    if self.vault.value(origin).is_none()
                        && !self.references.contains_key(name) =>
                {
                    wanted.push(Wanted::Param { name: name.clone() });
                }
                Origin::Json { text } => {
                    let inside = serde_json::from_str(text).unwrap_or(Value::Null);
                    wanted.extend(self.wanted(&inside));
                }
                _ => {}
            }
            Ok(String::new())
        };
        match piton_core::secret::resolved(input, &mut look) {
            Ok(_) => wanted,
        }
    }

    /// A runbook that the script calls: when its run did not end, that is looked through in its turn.
    pub(crate) fn look_into_child(
        self: &Arc<Self>,
        key: &Key,
        run: &RunId,
        runbook: &str,
        attempt: u32,
    ) -> Result<(), Halt> {
        let Some(findings) = self.dry.clone() else { return Ok(()) };
        let runbook = runbook.to_owned();
        let row = match self.engine.ports.journal.find(&run.0) {
            Ok(row) => row,
            Err(JournalError::NoRun(_)) => {
                return self.beyond(Some(key), || Next::Child { runbook });
            }
            Err(error) => return Err(self.end(&mut self.state(), Ending::Journal(error))),
        };
        findings.inner().called.push((run.clone(), row.head.hash));
        let retry = attempt > 1 && row.summary.retry_from.is_some();
        if row.summary.status.is_final() && !retry {
            return Ok(());
        }
        let (program, accept) = (None, findings.accept);
        let question = Question { run: run.clone(), program, retry, accept };
        let looked = begin(&self.outermost, &question, Some(Arc::clone(self)), &findings)
            .and_then(|driver| look_through(driver, &findings));
        let mut state = self.state();
        let ends = |error| Next::ChildEnds { runbook, error };
        Err(match looked {
            Ok(DryEnd::Reaches) => self.end(&mut state, Ending::Beyond(None)),
            Ok(DryEnd::Ends) => self.stop_short(&findings, &mut state, Some(key), ends(None)),
            Ok(DryEnd::Fails { error }) => {
                self.stop_short(&findings, &mut state, Some(key), ends(Some(error)))
            }
            Ok(DryEnd::Mismatch { error: diagnostic }) => {
                self.suspend(&mut state, Reason::Mismatch { diagnostic })
            }
            Ok(DryEnd::Refused { errors }) | Err(RunnerError::Refused(errors)) => {
                self.end(&mut state, Ending::Refused(errors))
            }
            Err(RunnerError::Journal(error)) => self.end(&mut state, Ending::Journal(error)),
        })
    }
}

impl Next {
    /// A wait for a moment.
    pub(crate) fn timer(name: &str, opened: Option<&OpenWait>) -> Self {
        let until = opened.map(|opened| opened.wait.target.end());
        Self::Timer { name: name.to_owned(), until }
    }

    /// A wait for a state.
    pub(crate) fn state(name: &str, opened: Option<&OpenWait>) -> Self {
        let until = opened.map(|opened| opened.wait.target.end());
        Self::State { name: name.to_owned(), until }
    }
}
