//! One driving of one run: from the top of the script to its end, or to a reason to stop.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::account::{AccountRef, Principal};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, Bound, End, Ended, Read, Started, Suspended};
use piton_core::event::{EventKind, RunEnd};
use piton_core::key::Key;
use piton_core::ports::{CallFailure, IdentifyError, JournalError, Mail, RunId, failure_text};
use piton_core::replay::{Machine, Stop};
use piton_core::status::{Reason, RunStatus, RunSummary};
use piton_core::time::{Span, Timestamp};
use piton_script::evaluate::{Evaluation, on_script_thread};
use piton_script::host::Halt;
use piton_script::{Program, Raised};
use serde_json::{Map, Value};

use crate::engine::{Driven, Engine, Options, RunnerError, journal_diagnostic};
use crate::heart::Heart;
use crate::lifecycle::end_cancelled;
use crate::recorder::Recorder;
use crate::vault::Vault;

/// How the driver treats a call right now.
pub(crate) enum Mode {
    /// Inside `wait_until` or `settled_by`: read, do not keep.
    Polling,
    /// Inside `undo`: record, do not send.
    Undo(Vec<Read>),
    /// Inside `retry`: these errors are not the last word before the deadline.
    Retrying(Retrying),
}

/// See [`Mode::Retrying`].
pub(crate) struct Retrying {
    /// Codes that are attempted again.
    pub(crate) on: Vec<String>,
    /// No attempt begins after this.
    pub(crate) deadline: Timestamp,
    /// Time between attempts.
    pub(crate) every: Span,
    /// The call of this attempt, when it was made.
    pub(crate) called: Option<Key>,
    /// The attempt that AWS refused for now.
    pub(crate) refused: Option<(Key, u32, piton_core::ports::AwsError)>,
}

/// Why the script's evaluation was stopped.
pub(crate) enum Ending {
    /// The run waits for something.
    Suspended(Reason),
    /// Somebody cancelled it; the mailbox says who and why.
    Cancelled,
    /// The journal does not take or give entries.
    Journal(JournalError),
    /// Going on would be wrong, and the run is as it was.
    Refused(Vec<Diagnostic>),
}

/// What changes while a run is driven.
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) recorder: Recorder,
    pub(crate) modes: Vec<Mode>,
    /// Proven principals by account, recorded ones included.
    pub(crate) bound: HashMap<AccountRef, Principal>,
    /// Accounts that this process has proven.
    pub(crate) verified: HashSet<AccountRef>,
    pub(crate) steps: Vec<(String, String, Timestamp)>,
    /// Positions of entries whose error the script was given, by key: where a retry begins.
    pub(crate) refusals: HashMap<String, u64>,
    pub(crate) ending: Option<Ending>,
}

/// The driver of one run: what a script's calls reach.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) run: RunId,
    pub(crate) program: Arc<Program>,
    pub(crate) started: Started,
    pub(crate) params: Map<String, Value>,
    pub(crate) options: Options,
    pub(crate) vault: Vault,
    /// Secret parameters that Secrets Manager holds: ARN by name.
    pub(crate) references: HashMap<String, String>,
    pub(crate) rebind: Vec<String>,
    /// Somebody left a cancel in the mailbox.
    cancelled: AtomicBool,
    state: Mutex<State>,
}

impl Driver {
    /// A driver that has asked nothing yet.
    pub(crate) fn new(
        engine: &Engine,
        run: RunId,
        program: Program,
        started: Started,
        options: Options,
        state: State,
    ) -> Self {
        Self {
            engine: engine.clone(),
            run,
            program: Arc::new(program),
            params: started.params.as_object().cloned().unwrap_or_default(),
            started,
            options,
            vault: Vault::default(),
            references: HashMap::new(),
            rebind: Vec::new(),
            cancelled: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// The changing part. Held only between calls, never while one is in flight.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present moment by the run's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.engine.ports.clock.now()
    }

    /// Whether the run is a rehearsal.
    pub(crate) fn in_sandbox(&self) -> bool {
        self.started.world.is_some()
    }

    /// Stops the evaluation, keeping the first reason.
    pub(crate) fn end(&self, state: &mut State, ending: Ending) -> Halt {
        state.ending.get_or_insert(ending);
        Halt::Stop
    }

    /// Suspends the run.
    pub(crate) fn suspend(&self, state: &mut State, reason: Reason) -> Halt {
        self.end(state, Ending::Suspended(reason))
    }

    /// A stop of the replay machine.
    pub(crate) fn stop(&self, state: &mut State, stop: Stop) -> Halt {
        match stop {
            Stop::Mismatch(mismatch) => {
                let diagnostic = Box::new(mismatch.diagnostic());
                self.suspend(state, Reason::Mismatch { diagnostic })
            }
            Stop::Journal(error) => self.end(state, Ending::Journal(error)),
        }
    }

    /// A commit, with its error as a stop.
    pub(crate) fn commit(&self, state: &mut State) -> Result<(), Halt> {
        state.recorder.commit().map_err(|error| self.end(state, Ending::Journal(error)))
    }

    /// Before anything new is done: whether the run is to stop here.
    pub(crate) fn check_stop(&self, state: &mut State) -> Result<(), Halt> {
        if state.ending.is_some() {
            return Err(Halt::Stop);
        }
        if self.engine.interrupt.is_raised() {
            return Err(self.suspend(state, Reason::Interrupted));
        }
        if self.cancelled.load(Ordering::SeqCst) {
            return Err(self.end(state, Ending::Cancelled));
        }
        Ok(())
    }

    /// Looks whether somebody left a cancel: where the driver is about to wait.
    pub(crate) fn check_cancel(&self, state: &mut State) -> Result<(), Halt> {
        match self.is_cancelled() {
            Ok(true) => Err(self.end(state, Ending::Cancelled)),
            Ok(false) => Ok(()),
            Err(error) => Err(self.end(state, Ending::Journal(error))),
        }
    }

    /// Keeps in mind that somebody cancelled: the driver stops at its next safe point.
    pub(crate) fn hear_cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// Whether the mailbox has a cancel.
    pub(crate) fn is_cancelled(&self) -> Result<bool, JournalError> {
        let mail = self.engine.ports.journal.mail(&self.run)?;
        Ok(mail.iter().any(|(_, mail)| matches!(mail, Mail::Cancel { .. })))
    }

    /// Proves who an account is, once in each process, and records it the first time.
    pub(crate) fn bind(&self, account: &AccountRef) -> Result<Principal, Halt> {
        {
            let state = self.state();
            if let Some(principal) = state.bound.get(account)
                && state.verified.contains(account)
            {
                return Ok(principal.clone());
            }
        }
        let identified = self.wait_for(self.engine.ports.operations.identify(account));
        let mut state = self.state();
        let principal = match identified {
            Ok(principal) => principal,
            Err(error) => return Err(self.cannot_identify(&mut state, error)),
        };
        let recorded = state.bound.get(account).cloned();
        let rebound = self.rebind.contains(&account.alias);
        match recorded {
            Some(recorded) if !recorded.is_same_person(&principal) && !rebound => {
                let diagnostic = other_principal(account, &recorded, &principal);
                Err(self.end(&mut state, Ending::Refused(vec![diagnostic])))
            }
            Some(recorded) if recorded.is_same_person(&principal) => {
                state.verified.insert(account.clone());
                Ok(recorded)
            }
            _ => {
                self.record_binding(&mut state, account, &principal, rebound);
                Ok(principal)
            }
        }
    }

    fn record_binding(
        &self,
        state: &mut State,
        account: &AccountRef,
        principal: &Principal,
        rebound: bool,
    ) {
        let at = self.now();
        let bound = Bound { account: account.clone(), principal: principal.clone(), rebound };
        state.recorder.make(None, at, None, Body::Bound(bound));
        let (account, principal) = (account.clone(), principal.clone());
        state
            .recorder
            .tell(at, EventKind::Bound { account: account.clone(), principal: principal.clone() });
        state.verified.insert(account.clone());
        state.bound.insert(account, principal);
    }

    fn cannot_identify(&self, state: &mut State, error: IdentifyError) -> Halt {
        match error {
            IdentifyError::Call(CallFailure::Credentials { alias, message, renew_with }) => {
                self.suspend(state, Reason::Credentials { alias, message, renew_with })
            }
            IdentifyError::Call(CallFailure::Refused(error)) => self.suspend(
                state,
                Reason::Credentials {
                    alias: error.service.clone(),
                    message: error.to_string(),
                    renew_with: None,
                },
            ),
            IdentifyError::Call(failure) => {
                self.suspend(state, Reason::Unavailable { message: failure_text(&failure) })
            }
            refusal => self.end(state, Ending::Refused(vec![identify_diagnostic(&refusal)])),
        }
    }

    /// Waits for a future of the outside world, on the engine's runtime.
    pub(crate) fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.engine.runtime.block_on(future)
    }

    /// Lets time pass, unless the person at the terminal interrupts.
    pub(crate) fn pass_time(&self, span: Span) {
        let clock = &self.engine.ports.clock;
        self.wait_for(async {
            tokio::select! {
                () = clock.sleep(span) => {}
                () = self.engine.interrupt.raised() => {}
            }
        });
    }
}

/// An alias that proved to be somebody else.
fn other_principal(account: &AccountRef, recorded: &Principal, found: &Principal) -> Diagnostic {
    Diagnostic::error(
        Code::OtherPrincipal,
        format!(
            "`{account}` is {} in {}, but this run knows it as {} in {}",
            found.stable_arn(),
            found.account,
            recorded.stable_arn(),
            recorded.account
        ),
    )
    .hint("use the credentials that the run was started with")
    .hint(format!("or accept the change on record: piton resume RUN --rebind {}", account.alias))
}

/// Why an account cannot be used, with code and way on.
pub(crate) fn identify_diagnostic(error: &IdentifyError) -> Diagnostic {
    match error {
        IdentifyError::Unconfigured { alias } => {
            Diagnostic::error(Code::UnknownAlias, error.to_string())
                .hint(format!("say what it is in piton.toml: [accounts.{alias}] profile = \"...\""))
                .hint("or rehearse without an account: --sandbox")
        }
        IdentifyError::Pinned { .. } => Diagnostic::error(Code::PinnedAccount, error.to_string())
            .hint("use credentials of the pinned account, or correct account_id in piton.toml"),
        IdentifyError::Call(failure) => Diagnostic::error(Code::Credentials, failure_text(failure)),
    }
}

impl State {
    /// The state before anything was asked.
    pub(crate) fn new(
        machine: Machine,
        recorder: Recorder,
        bound: impl IntoIterator<Item = (AccountRef, Principal)>,
    ) -> Self {
        Self {
            machine,
            recorder,
            modes: Vec::new(),
            bound: bound.into_iter().collect(),
            verified: HashSet::new(),
            steps: Vec::new(),
            refusals: HashMap::new(),
            ending: None,
        }
    }
}

/// Evaluates the script on a thread of its own, keeps the lease alive, and records the end.
pub(crate) fn drive(driver: Driver) -> Result<Driven, RunnerError> {
    let driver = Arc::new(driver);
    let heart = Heart::start(&driver);
    let evaluation = match prove_known_accounts(&driver) {
        Err(_) => Evaluation::Stopped,
        Ok(()) => evaluate(&driver),
    };
    heart.stop();
    let result = conclude(&driver, evaluation).or_else(|error| stopped_by_storage(&driver, error));
    if let Ok(driven) = &result {
        let end = Box::new(driven.end.clone());
        driver.state().recorder.tell_now(driver.now(), EventKind::End(end));
    }
    result
}

/// On a resume, proves the aliases that the run knows before anything is done in their name; at the
/// start, finds out about credentials that were missing.
fn prove_known_accounts(driver: &Driver) -> Result<(), Halt> {
    for declared in &driver.program.declaration().accounts {
        let account = AccountRef::alias(&declared.alias);
        let known = driver.state().bound.contains_key(&account);
        if known || !declared.created_here {
            driver.bind(&account)?;
        }
    }
    Ok(())
}

fn evaluate(driver: &Arc<Driver>) -> Evaluation {
    let host = Arc::clone(driver);
    let program = Arc::clone(&driver.program);
    on_script_thread("runbook", move || piton_script::evaluate(&program, host))
        .map_err(|error| format!("the script's thread cannot start: {error}"))
        .and_then(|thread| thread.join().map_err(|_| "the script's thread panicked".to_owned()))
        .unwrap_or_else(|message| {
            let diagnostic = Diagnostic::error(Code::Bug, message);
            Evaluation::Raised(Box::new(Raised { diagnostic, thrown: None }))
        })
}

/// A disk that does not take entries ends the driving and nothing else: the run is where its last
/// entry is, and goes on when the disk is mended.
fn stopped_by_storage(driver: &Driver, error: RunnerError) -> Result<Driven, RunnerError> {
    match error {
        RunnerError::Journal(error @ JournalError::Storage(_)) => {
            let end = RunEnd {
                status: RunStatus::Interrupted,
                waiting_for: Vec::new(),
                error: Some(journal_diagnostic(&error)),
            };
            Ok(Driven { run: driver.run.clone(), end })
        }
        error => Err(error),
    }
}

/// Records how the evaluation ended.
fn conclude(driver: &Driver, evaluation: Evaluation) -> Result<Driven, RunnerError> {
    let mut state = driver.state();
    let at = driver.now();
    if state.ending.is_none() {
        match evaluation {
            Evaluation::Finished => match state.machine.finish() {
                Ok(()) => {
                    let ended = Ended { end: End::Succeeded, error: None, retry_from: None };
                    state.recorder.make(None, at, None, Body::Ended(ended));
                }
                Err(stop) => {
                    driver.stop(&mut state, stop);
                }
            },
            Evaluation::Raised(raised) => record_failure(&mut state, at, *raised),
            Evaluation::Stopped => {
                return Err(RunnerError::refused(Diagnostic::error(
                    Code::Bug,
                    "the evaluation stopped and nothing says why",
                )));
            }
        }
    }
    match state.ending.take() {
        None => state.recorder.commit()?,
        Some(Ending::Suspended(reason)) => {
            state.recorder.make(None, at, None, Body::Suspended(Suspended { reason }));
            state.recorder.commit()?;
        }
        Some(Ending::Cancelled) => {
            state.recorder.commit()?;
            end_cancelled(&driver.engine, &mut state.recorder)?;
        }
        Some(Ending::Journal(error)) => return Err(error.into()),
        Some(Ending::Refused(diagnostics)) => return Err(RunnerError::Refused(diagnostics)),
    }
    let end = run_end(state.recorder.summary());
    Ok(Driven { run: driver.run.clone(), end })
}

fn record_failure(state: &mut State, at: Timestamp, raised: Raised) {
    let Raised { diagnostic, thrown } = raised;
    let thrown = thrown.as_ref();
    let rejected = thrown.is_some_and(|thrown| {
        thrown.service.is_none() && (thrown.code == "Rejected" || thrown.code == "Expired")
    });
    let failing = thrown
        .and_then(|thrown| thrown.key.as_ref())
        .and_then(|key| state.refusals.get(key).copied());
    let retry_from = if rejected { None } else { failing.or(state.machine.retry_from()) };
    let end = if rejected { End::Rejected } else { End::Failed };
    let ended = Ended { end, error: Some(diagnostic), retry_from };
    state.recorder.make(None, at, None, Body::Ended(ended));
}

/// Where a run stands, as commands tell it.
pub(crate) fn run_end(summary: &RunSummary) -> RunEnd {
    let error = match &summary.reason {
        Some(Reason::Mismatch { diagnostic }) => Some((**diagnostic).clone()),
        Some(Reason::Doubt { operation, question, key, .. }) => Some(
            Diagnostic::error(
                Code::InDoubt,
                format!("{operation} (`{key}`) was sent and its outcome is unknown: {question}"),
            )
            .hint(format!(
                "settle it: piton resolve RUN '{key}' --adopt ID | --retry | --skip -m REASON"
            )),
        ),
        Some(Reason::Credentials { alias, message, renew_with }) => {
            let diagnostic = Diagnostic::error(
                Code::Credentials,
                format!("the credentials of `{alias}` do not work: {message}"),
            );
            Some(match renew_with {
                Some(command) => diagnostic.hint(format!("renew them: {command}")),
                None => diagnostic,
            })
        }
        Some(Reason::Unavailable { message }) => {
            Some(Diagnostic::error(Code::Unavailable, format!("AWS does not answer: {message}")))
        }
        _ => summary.error.clone(),
    };
    RunEnd { status: summary.status, waiting_for: summary.waiting_for(), error }
}
