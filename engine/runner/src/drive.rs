//! One driving of one run: from the top of the script to its end, or to a reason to stop.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::account::Principal;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, BranchVoid, End, Ended, Read, Started, Suspended};
use piton_core::event::{EventKind, RunEnd};
use piton_core::key::Key;
use piton_core::ports::{JournalError, Mail, RunId};
use piton_core::replay::{Machine, Stop};
use piton_core::status::{Reason, RunStatus, RunSummary};
use piton_core::time::{Span, Timestamp};
use piton_script::declaration::ParamType;
use piton_script::evaluate::{Evaluation, on_script_thread};
use piton_script::host::{Halt, Thrown};
use piton_script::{Program, Raised};
use serde_json::{Map, Value};

use crate::accounts::{Accounts, prove_known_accounts};
use crate::branches::Branch;
use crate::dry::{Findings, Next};
use crate::engine::{Driven, Engine, Options, RunnerError};
use crate::heart::Heart;
use crate::lifecycle::end_cancelled;
use crate::recorder::Recorder;
use crate::turns::{self, Pause, Turns, Woken};
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
    /// A dry replay came to what is not recorded; its place among the findings, where it is this
    /// branch's own.
    Beyond(Option<usize>),
}

impl Ending {
    /// Whether it ends this branch alone: others go on until they end or wait too.
    fn is_of_branch(&self) -> bool {
        match self {
            Self::Suspended(reason) => !reason.is_of_run(),
            Self::Beyond(_) => true,
            Self::Cancelled | Self::Journal(_) | Self::Refused(_) => false,
        }
    }
}

/// What changes while a branch is driven. The runbook outside of branches has one too.
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) recorder: Recorder,
    pub(crate) modes: Vec<Mode>,
    pub(crate) steps: Vec<(String, String, Timestamp)>,
    /// Positions of entries whose error the script was given, by key: where a retry begins.
    pub(crate) refusals: HashMap<String, u64>,
    /// Groups of branches of which some failed, by the position of their end.
    pub(crate) failed_groups: Vec<FailedGroup>,
    pub(crate) ending: Option<Ending>,
}

/// A group of branches of which some failed.
pub(crate) struct FailedGroup {
    /// Position of its end.
    pub(crate) closed: u64,
    /// What a retry makes void in the branches that failed.
    pub(crate) voids: Vec<BranchVoid>,
}

/// What the branches of a driving share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    /// The engine by the account names of the outermost run: what child runs are driven with.
    pub(crate) outermost: Engine,
    /// Who called this run and waits for it, when that is driven here too.
    pub(crate) caller: Option<Arc<Driver>>,
    /// The run is driven dry: nothing is done, and what would be is noted here.
    pub(crate) dry: Option<Arc<Findings>>,
    pub(crate) run: RunId,
    pub(crate) program: Arc<Program>,
    pub(crate) started: Started,
    pub(crate) params: Map<String, Value>,
    /// Who edited the script last: approves nothing of it.
    pub(crate) editor: Option<Principal>,
    pub(crate) options: Options,
    pub(crate) vault: Vault,
    /// Secret parameters that Secrets Manager holds: ARN by name.
    pub(crate) references: HashMap<String, String>,
    pub(crate) rebind: Vec<String>,
    /// For what belongs to no branch.
    pub(crate) book: Recorder,
    /// End of the journal when the driving began: what branches replay.
    pub(crate) recorded: u64,
    /// Turns of branches in a rehearsal; against AWS they run as they come.
    pub(crate) turns: Option<Arc<Turns>>,
    /// One question at a time for the person at the terminal.
    pub(crate) asking: Mutex<()>,
    pub(crate) accounts: Mutex<Accounts>,
    /// One account is proven at a time, and so recorded once.
    pub(crate) binding: Mutex<()>,
    /// Somebody left a cancel in the mailbox.
    cancelled: AtomicBool,
    /// The heartbeat found that another process has the run.
    pub(crate) lease_lost: AtomicBool,
    /// One branch met the end of the whole driving.
    stopping: AtomicBool,
    /// Somebody was told that the journal is nearly full.
    pub(crate) warned: AtomicBool,
    /// Ends the waits of branches that have something to look at.
    attention: tokio::sync::Notify,
}

impl Shared {
    /// What a driving begins with. `bound` has the principals that are recorded.
    pub(crate) fn new(
        engine: &Engine,
        run: RunId,
        program: Program,
        started: Started,
        options: Options,
        recorder: &Recorder,
    ) -> Self {
        let clock = &engine.ports.clock;
        Self {
            engine: engine.naming(&started.accounts),
            outermost: engine.clone(),
            caller: None,
            dry: None,
            editor: None,
            run,
            program: Arc::new(program),
            params: started.params.as_object().cloned().unwrap_or_default(),
            options,
            vault: Vault::default(),
            references: HashMap::new(),
            rebind: Vec::new(),
            book: recorder.of_branch(""),
            recorded: recorder.seq(),
            turns: clock
                .is_virtual()
                .then(|| Arc::new(Turns::new(Arc::clone(clock), &started.program))),
            started,
            asking: Mutex::default(),
            accounts: Mutex::default(),
            binding: Mutex::default(),
            cancelled: AtomicBool::new(false),
            lease_lost: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            warned: AtomicBool::new(false),
            attention: tokio::sync::Notify::new(),
        }
    }

    /// Parameters that an edited script has and the run was not started with get their presets.
    pub(crate) fn fill_presets(&mut self) -> Result<(), RunnerError> {
        let in_sandbox = self.started.world.is_some();
        for spec in &self.program.declaration().params {
            if self.params.contains_key(&spec.name) {
                continue;
            }
            let own = spec.sandbox_preset.as_ref().filter(|_| in_sandbox);
            let preset = own.or(spec.preset.as_ref());
            match preset.filter(|_| spec.kind != ParamType::Secret) {
                Some(preset) => {
                    self.params.insert(spec.name.clone(), preset.clone());
                }
                None if spec.optional => {}
                None => {
                    let message = format!(
                        "the run was started without the parameter `{}`, which the script asks for",
                        spec.name
                    );
                    let hint = "give it a preset";
                    return Err(RunnerError::refused(
                        Diagnostic::error(Code::MissingParameter, message)
                            .hint(hint)
                            .at(spec.place.clone()),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Makes branches that wait look around.
    pub(crate) fn call_attention(&self) {
        self.attention.notify_waiters();
        if let Some(turns) = &self.turns {
            turns.wake_sleepers();
        }
    }
}

/// The driver of one branch of a run, or of the runbook outside of branches: what a script's calls
/// reach.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    /// Its place among other branches; nothing outside of branches.
    branch: Option<Branch>,
    state: Mutex<State>,
}

/// What branches share reads like a part of each.
impl Deref for Driver {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Driver {
    /// The driver of a runbook that has asked nothing yet.
    pub(crate) fn new(shared: Shared, state: State) -> Self {
        Self { shared: Arc::new(shared), branch: None, state: Mutex::new(state) }
    }

    /// The driver of a branch that has asked nothing yet.
    pub(crate) fn of_branch(&self, branch: Branch, state: State) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared, branch: Some(branch), state: Mutex::new(state) }
    }

    /// The changing part. Held only between calls, never while one is in flight.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its place among other branches; nothing outside of branches.
    pub(crate) fn branch(&self) -> Option<&Branch> {
        self.branch.as_ref()
    }

    /// The present moment by the run's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.engine.ports.clock.now()
    }

    /// Whether the run is a rehearsal.
    pub(crate) fn in_sandbox(&self) -> bool {
        self.started.world.is_some()
    }

    /// Stops the evaluation of this branch, keeping the first reason; and that of all others, when the
    /// reason concerns them.
    pub(crate) fn end(&self, state: &mut State, ending: Ending) -> Halt {
        let ending = state.ending.get_or_insert(ending);
        if !ending.is_of_branch() {
            self.stopping.store(true, Ordering::SeqCst);
            self.call_attention();
        }
        Halt::Stop
    }

    /// Suspends the run.
    pub(crate) fn suspend(&self, state: &mut State, reason: Reason) -> Halt {
        if let Some(findings) = self.dry.as_ref().filter(|_| !reason.is_of_run()) {
            return self.stop_short(findings, state, None, Next::Stop { reason: Box::new(reason) });
        }
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
        // Whoever can go on without a commit does so first: then one serves many.
        self.pause(Pause::Commit);
        let writes = !state.recorder.is_on_disk();
        let committed = state.recorder.commit();
        if let Some(turns) = self.turns.as_ref().filter(|_| writes) {
            turns.committed();
        }
        committed.map_err(|error| self.end(state, Ending::Journal(error)))
    }

    /// Before anything new is done: whether the run is to stop here.
    pub(crate) fn check_stop(&self, state: &mut State) -> Result<(), Halt> {
        if state.ending.is_some() || self.stopping.load(Ordering::SeqCst) {
            return Err(Halt::Stop);
        }
        if self.lease_lost.load(Ordering::SeqCst) {
            return Err(self.lost(state));
        }
        if self.engine.interrupt.is_raised() || self.caller_stops() {
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
        self.call_attention();
    }

    /// Whether the mailbox has a cancel.
    pub(crate) fn is_cancelled(&self) -> Result<bool, JournalError> {
        let mail = self.engine.ports.journal.mail(&self.run)?;
        Ok(mail.iter().any(|(_, mail)| matches!(mail, Mail::Cancel { .. })))
    }

    /// Waits for a future of the outside world, on the engine's runtime.
    pub(crate) fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.engine.runtime.block_on(future)
    }

    /// Gives up the turn in a rehearsal with branches.
    pub(crate) fn pause(&self, pause: Pause) -> Woken {
        match &self.turns {
            Some(turns) => turns.pause(self.seat(), pause),
            None => Woken::Due,
        }
    }

    /// Its seat among the branches of a rehearsal.
    pub(crate) fn seat(&self) -> u64 {
        self.branch.as_ref().map_or(turns::MAIN, |branch| branch.seat)
    }

    /// Lets time pass, unless the person at the terminal interrupts, or something happened in another
    /// branch that this one should look at. Says when the clock may not go so far.
    pub(crate) fn pass_time(&self, span: Span) -> Woken {
        if self.turns.is_some() && self.branch.is_some() {
            return self.pause(Pause::Until(self.now().after(span)));
        }
        if let Some(caller) = &self.caller {
            return caller.pass_time(span);
        }
        let attention = self.attention.notified();
        if self.must_look() {
            return Woken::Early;
        }
        let clock = &self.engine.ports.clock;
        self.wait_for(async {
            tokio::select! {
                () = clock.sleep(span) => Woken::Due,
                () = self.engine.interrupt.raised() => Woken::Early,
                () = attention => Woken::Early,
            }
        })
    }

    /// Whether whoever called this run is to stop: then this one goes no further either.
    fn caller_stops(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| {
            caller.cancelled.load(Ordering::SeqCst) || caller.must_look() || caller.caller_stops()
        })
    }

    fn must_look(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
            || self.lease_lost.load(Ordering::SeqCst)
            || self.check_branch().is_err()
    }

    /// Before this branch goes beyond what is recorded: whether it is to stop here, because another
    /// one failed, or because its group is over.
    pub(crate) fn check_branch(&self) -> Result<(), Halt> {
        match &self.branch {
            Some(branch) if branch.signal.is_over() => Err(Halt::Stop),
            _ => Ok(()),
        }
    }
}

impl State {
    /// The state before anything was asked.
    pub(crate) fn new(machine: Machine, recorder: Recorder) -> Self {
        Self {
            machine,
            recorder,
            modes: Vec::new(),
            steps: Vec::new(),
            refusals: HashMap::new(),
            failed_groups: Vec::new(),
            ending: None,
        }
    }

    /// Where a retry of an error begins: its first void entry here, and those of branches inside.
    /// Nothing when no new attempt could change anything.
    pub(crate) fn retry_of(&self, thrown: Option<&Thrown>) -> Option<(u64, Vec<BranchVoid>)> {
        let failing = thrown
            .and_then(|thrown| thrown.key.as_ref())
            .and_then(|key| self.refusals.get(key).copied());
        let from = failing.or(self.machine.retry_from())?;
        let after = || self.failed_groups.iter().filter(|group| group.closed >= from);
        let inside: Vec<BranchVoid> = after().flat_map(|group| group.voids.clone()).collect();
        let is_vain = inside.is_empty() && after().any(|group| group.closed == from);
        (!is_vain).then_some((from, inside))
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

pub(crate) fn evaluate(driver: &Arc<Driver>) -> Evaluation {
    if driver.started.rollback_of.is_some() {
        return crate::rollback::evaluate(driver);
    }
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
            let run = &driver.run;
            let in_doubt = driver.state().recorder.last_words();
            let mut cause = Diagnostic::error(Code::Storage, error.to_string()).hint(format!(
                "mend the cause, then `piton resume {run}`: nothing recorded was lost"
            ));
            for key in in_doubt {
                cause = cause.hint(format!(
                    "the outcome of `{key}` could not be recorded: it is in doubt until the run is resumed"
                ));
            }
            let end = RunEnd {
                status: RunStatus::Interrupted,
                waiting_for: Vec::new(),
                error: Some(cause),
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
                    let ended = Ended {
                        end: driver.good_end(),
                        error: None,
                        retry_from: None,
                        retry_in: Vec::new(),
                    };
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
        Some(Ending::Beyond(_)) => {
            return Err(RunnerError::refused(Diagnostic::error(
                Code::Bug,
                "a driving ended like a dry replay",
            )));
        }
        Some(Ending::Refused(diagnostics)) => {
            // The run stays as it was, but for what was done.
            if state.recorder.has_answers() {
                state.recorder.commit()?;
            }
            return Err(RunnerError::Refused(diagnostics));
        }
    }
    let end = run_end(&state.recorder.summary());
    Ok(Driven { run: driver.run.clone(), end })
}

fn record_failure(state: &mut State, at: Timestamp, raised: Raised) {
    let Raised { diagnostic, thrown } = raised;
    let thrown = thrown.as_ref();
    let rejected = thrown.is_some_and(|thrown| {
        thrown.service.is_none() && (thrown.code == "Rejected" || thrown.code == "Expired")
    });
    let retry = if rejected { None } else { state.retry_of(thrown) };
    let (retry_from, retry_in) =
        retry.map_or((None, Vec::new()), |(from, inside)| (Some(from), inside));
    let end = if rejected { End::Rejected } else { End::Failed };
    let ended = Ended { end, error: Some(diagnostic), retry_from, retry_in };
    state.recorder.make(None, at, None, Body::Ended(ended));
}

/// Where a run stands, as commands tell it.
pub(crate) fn run_end(summary: &RunSummary) -> RunEnd {
    let error = summary.reasons().iter().find_map(reason_error).or_else(|| summary.error.clone());
    RunEnd { status: summary.status, waiting_for: summary.waiting_for(), error }
}

/// What a person has to know about a reason.
fn reason_error(reason: &Reason) -> Option<Diagnostic> {
    match reason {
        Reason::Mismatch { diagnostic } => Some((**diagnostic).clone()),
        Reason::NotTakenBack { key, operation, what, message, .. } => Some(
            Diagnostic::error(
                Code::NotTakenBack,
                format!("{what} was not taken back: {operation}: {message}"),
            )
            .hint("mend the cause, then `piton resume RUN` attempts it again")
            .hint(format!("or leave it as it is: piton resolve RUN '{key}' --skip -m REASON")),
        ),
        Reason::Doubt { operation, question, key, .. } => Some(
            Diagnostic::error(
                Code::InDoubt,
                format!("{operation} (`{key}`) was sent and its outcome is unknown: {question}"),
            )
            .hint(format!(
                "settle it: piton resolve RUN '{key}' --adopt ID | --retry | --skip -m REASON"
            )),
        ),
        Reason::Credentials { alias, message, renew_with } => {
            let diagnostic = Diagnostic::error(
                Code::Credentials,
                format!("the credentials of `{alias}` do not work: {message}"),
            );
            Some(match renew_with {
                Some(command) => diagnostic.hint(format!("renew them: {command}")),
                None => diagnostic,
            })
        }
        Reason::Child { error, .. } => error.as_deref().cloned(),
        Reason::Unavailable { message } => {
            Some(Diagnostic::error(Code::Unavailable, format!("AWS does not answer: {message}")))
        }
        _ => None,
    }
}
