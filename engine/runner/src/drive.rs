//! One driving of one run: from the top of the script to its end, or to a reason to stop.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use piton_core::account::{AccountRef, Principal};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, Bound, Cancelled, End, Ended, Head, Resumed, Retried, Started};
use piton_core::entry::{Read, Suspended};
use piton_core::event::{EventKind, RunEnd};
use piton_core::key::Key;
use piton_core::ports::{
    IdentifyError, JournalError, Lease, Mail, NewRun, RunId, RunRow, failure_text,
};
use piton_core::reader::EntryReader;
use piton_core::replay::{Machine, Stop};
use piton_core::secret::Origin;
use piton_core::status::{Reason, RunStatus, RunSummary};
use piton_core::time::{Span, Timestamp};
use piton_script::evaluate::{Evaluation, on_script_thread};
use piton_script::host::Halt;
use piton_script::params::SecretSource;
use piton_script::{Program, Raised};
use serde_json::{Map, Value};

use crate::engine::{Driven, Engine, Options, Resume, RunnerError, Start};
use crate::recorder::Recorder;
use crate::vault::Vault;

/// How often a driver says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How often a driver that is busy looks whether somebody cancelled its run. One that waits looks
/// by itself.
const CANCEL_LOOK: Duration = Duration::from_secs(1);

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

    fn is_cancelled(&self) -> Result<bool, JournalError> {
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
        state.recorder.tell(
            at,
            EventKind::Bound { account: account.clone(), principal: principal.clone() },
        );
        state.verified.insert(account.clone());
        state.bound.insert(account, principal);
    }

    fn cannot_identify(&self, state: &mut State, error: IdentifyError) -> Halt {
        use piton_core::ports::CallFailure;
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
fn identify_diagnostic(error: &IdentifyError) -> Diagnostic {
    match error {
        IdentifyError::Unconfigured { alias } => {
            Diagnostic::error(Code::UnknownAlias, error.to_string())
                .hint(format!("say what it is in piton.toml: [accounts.{alias}] profile = \"...\""))
                .hint("or rehearse without an account: --sandbox")
        }
        IdentifyError::Pinned { .. } => Diagnostic::error(Code::PinnedAccount, error.to_string())
            .hint("use credentials of the pinned account, or correct account_id in piton.toml"),
        IdentifyError::Call(failure) => {
            Diagnostic::error(Code::Credentials, failure_text(failure))
        }
    }
}

// --- The verbs -----------------------------------------------------------------------------------

/// See [`Engine::start`].
pub(crate) fn start(engine: &Engine, start: Start) -> Result<Driven, RunnerError> {
    let now = engine.ports.clock.now();
    let run = start.run.clone();
    let bound = bind_declared(engine, &start.program)?;
    let secrets = read_secrets(&start.params.secrets)?;
    let started = Started {
        runbook: start.program.name().to_owned(),
        title: start.program.declaration().title.clone(),
        name: start.name.clone(),
        params: Value::Object(start.params.values.clone()),
        program: start.program.digest(),
        source: start.source,
        world: start.world,
        requester: start.requester,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut entries = vec![entry(now, Body::Started(started.clone()))];
    entries.extend(bound.iter().map(|(account, principal)| {
        let (account, principal) = (account.clone(), principal.clone());
        entry(now, Body::Bound(Bound { account, principal, rebound: false }))
    }));
    let summary = folded(&entries);
    let sealing = &engine.sealing_key;
    let new = NewRun {
        run: run.clone(),
        runbook: started.runbook.clone(),
        name: start.name,
        labels: start.labels,
        program: started.program,
        files: start.program.files().to_vec(),
        sealed: secrets
            .iter()
            .map(|secret| {
                let name = secret.stored_name();
                let sealed =
                    sealing.seal(engine.ports.entropy.as_ref(), &run, &name, &secret.value);
                (name, sealed)
            })
            .collect(),
    };
    let lease = engine.ports.journal.create(&new, &entries, &summary, &engine.holder)?;
    let head = engine.ports.journal.find(&run.0)?.head;
    let recorder = Recorder::new(
        Arc::clone(&engine.ports.journal),
        Arc::clone(&engine.ports.events),
        lease,
        head,
        summary,
    );
    let (runbook, title) = (started.runbook.clone(), started.title.clone());
    let world = started.world.clone();
    recorder.tell_now(now, EventKind::Started { runbook, title, world });
    for (account, principal) in &bound {
        let (account, principal) = (account.clone(), principal.clone());
        recorder.tell_now(now, EventKind::Bound { account, principal });
    }
    let machine = Machine::new(Box::new(std::iter::empty()), Vec::new());
    let mut driver = Driver {
        engine: engine.clone(),
        run,
        params: start.params.values,
        program: Arc::new(start.program),
        started,
        options: start.options,
        vault: Vault::default(),
        references: HashMap::new(),
        rebind: Vec::new(),
        cancelled: AtomicBool::new(false),
        state: Mutex::new(State::new(machine, recorder, bound.clone())),
    };
    driver.state().verified.extend(bound.into_iter().map(|(account, _)| account));
    for secret in secrets {
        driver.learn(secret);
    }
    drive(driver)
}

impl State {
    fn new(
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

fn entry(at: Timestamp, body: Body) -> piton_core::entry::Entry {
    piton_core::entry::Entry { key: None, at, body }
}

fn folded(entries: &[piton_core::entry::Entry]) -> RunSummary {
    let mut summary = RunSummary::start(&entries[0])
        .unwrap_or_else(|illegal| unreachable!("a run starts with its start: {illegal}"));
    for entry in &entries[1..] {
        summary
            .apply(entry)
            .unwrap_or_else(|illegal| unreachable!("a binding follows a start: {illegal}"));
    }
    summary
}

/// Proves every declared alias that exists before the run. Missing credentials are no refusal: the
/// run is created and suspends, so that it can be resumed.
fn bind_declared(
    engine: &Engine,
    program: &Program,
) -> Result<Vec<(AccountRef, Principal)>, RunnerError> {
    let mut bound = Vec::new();
    let mut refused = Vec::new();
    for declared in &program.declaration().accounts {
        if declared.created_here {
            continue;
        }
        let account = AccountRef::alias(&declared.alias);
        match engine.runtime.block_on(engine.ports.operations.identify(&account)) {
            Ok(principal) => bound.push((account, principal)),
            Err(IdentifyError::Call(_)) => {}
            Err(error) => refused.push(identify_diagnostic(&error)),
        }
    }
    if refused.is_empty() { Ok(bound) } else { Err(RunnerError::Refused(refused)) }
}

/// A secret of a run, as it is sealed.
struct SealedSecret {
    kind: SecretKind,
    name: String,
    value: String,
}

/// What a sealed value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecretKind {
    /// The value of a parameter.
    Param,
    /// The value of an environment variable.
    Env,
    /// The ARN of the secret that holds a parameter.
    Reference,
}

impl SealedSecret {
    const ENV: &str = "env:";
    const REFERENCE: &str = "secretsmanager:";

    fn stored_name(&self) -> String {
        let prefix = match self.kind {
            SecretKind::Param => "",
            SecretKind::Env => Self::ENV,
            SecretKind::Reference => Self::REFERENCE,
        };
        format!("{prefix}{}", self.name)
    }

    fn from_stored(stored: &str, value: String) -> Self {
        let (kind, name) = if let Some(name) = stored.strip_prefix(Self::ENV) {
            (SecretKind::Env, name)
        } else if let Some(name) = stored.strip_prefix(Self::REFERENCE) {
            (SecretKind::Reference, name)
        } else {
            (SecretKind::Param, stored)
        };
        Self { kind, name: name.to_owned(), value }
    }
}

/// The name under which an environment variable's value is sealed.
pub(crate) fn env_secret_name(variable: &str) -> String {
    format!("{}{variable}", SealedSecret::ENV)
}

impl Driver {
    fn learn(&mut self, secret: SealedSecret) {
        let SealedSecret { kind, name, value } = secret;
        match kind {
            SecretKind::Param => self.vault.keep(Origin::Param { name }, value),
            SecretKind::Env => self.vault.keep(Origin::Env { name }, value),
            SecretKind::Reference => {
                self.references.insert(name, value);
            }
        }
    }
}

/// Reads secret parameters from where they were said to be.
fn read_secrets(sources: &[(String, SecretSource)]) -> Result<Vec<SealedSecret>, RunnerError> {
    let mut values = Vec::new();
    let mut refused = Vec::new();
    for (name, source) in sources {
        match read_secret(source) {
            Ok((kind, value)) => values.push(SealedSecret { kind, name: name.clone(), value }),
            Err(problem) => refused.push(Diagnostic::error(
                Code::BadParameter,
                format!("the secret parameter `{name}` cannot be read: {problem}"),
            )),
        }
    }
    if refused.is_empty() { Ok(values) } else { Err(RunnerError::Refused(refused)) }
}

/// The value of a source; for Secrets Manager, where to fetch it at its first use.
fn read_secret(source: &SecretSource) -> Result<(SecretKind, String), String> {
    let value = match source {
        SecretSource::Literal(value) => value.clone(),
        SecretSource::Env(variable) => {
            std::env::var(variable).map_err(|error| format!("${variable}: {error}"))?
        }
        SecretSource::File(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("{path}: {error}"))?
            .trim_end_matches(['\n', '\r'])
            .to_owned(),
        SecretSource::SecretsManager(arn) => return Ok((SecretKind::Reference, arn.clone())),
    };
    Ok((SecretKind::Param, value))
}

/// See [`Engine::resume`].
pub(crate) fn resume(engine: &Engine, run: &RunId, how: &Resume) -> Result<Driven, RunnerError> {
    let row = engine.ports.journal.find(&run.0)?;
    let retries = how.retry && row.summary.status == RunStatus::Failed;
    if row.summary.status.is_final() && !retries {
        let end = run_end(&row.summary);
        return Ok(Driven { run: row.run, end });
    }
    let lease = engine.ports.journal.acquire(&row.run, &engine.holder)?;
    // Another process may have moved the run between the look and the lease.
    let row = engine.ports.journal.find(&row.run.0)?;
    let driver = rebuild(engine, row, lease, how)?;
    {
        let mut state = driver.state();
        let at = driver.now();
        if retries {
            retry(&driver, &mut state, at)?;
        }
        let resumed = Resumed {
            holder: format!("{} {}", engine.holder.host, engine.holder.pid),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        state.recorder.make(None, at, None, Body::Resumed(resumed));
        let recorded = state.recorder.seq();
        state.recorder.tell_now(at, EventKind::Resumed { recorded });
    }
    drive(driver)
}

/// Voids what the failure rests on.
fn retry(driver: &Driver, state: &mut State, at: Timestamp) -> Result<(), RunnerError> {
    let Some(from_seq) = state.recorder.summary().retry_from else {
        return Err(RunnerError::refused(
            Diagnostic::error(
                Code::WrongState,
                "the run failed for a reason that no new attempt can change: it rests on nothing \
                 that was read from AWS since its last effect",
            )
            .hint("correct the runbook or its parameters and start a new run"),
        ));
    };
    let to_seq = state.recorder.seq();
    state.recorder.make(None, at, None, Body::Retried(Retried { from_seq, to_seq }));
    let voided = state.recorder.summary().voided.clone();
    let source = EntryReader::new(
        Arc::clone(&driver.engine.ports.journal),
        driver.run.clone(),
        to_seq,
    );
    state.machine = Machine::new(Box::new(source), voided);
    Ok(())
}

/// A driver of a stored run, from what the journal has of it.
fn rebuild(
    engine: &Engine,
    row: RunRow,
    lease: Box<dyn Lease>,
    how: &Resume,
) -> Result<Driver, RunnerError> {
    let journal = &engine.ports.journal;
    let files = journal.program(&row.program)?;
    let program = Program::from_files(&row.runbook, files).map_err(RunnerError::Refused)?;
    let (started, bound) = read_story(engine, &row.run, row.head)?;
    let mut secrets = Vec::new();
    for (name, sealed) in journal.sealed(&row.run)? {
        let value = engine.sealing_key.open(&row.run, &name, &sealed).map_err(|broken| {
            RunnerError::refused(
                Diagnostic::error(Code::Credentials, format!("the secret `{name}`: {broken}"))
                    .hint("put the key file of the home where the run was started in its place"),
            )
        })?;
        secrets.push(SealedSecret::from_stored(&name, value));
    }
    let source = EntryReader::new(Arc::clone(journal), row.run.clone(), row.head.seq);
    let machine = Machine::new(Box::new(source), row.summary.voided.clone());
    let params = started.params.as_object().cloned().unwrap_or_default();
    let recorder = Recorder::new(
        Arc::clone(journal),
        Arc::clone(&engine.ports.events),
        lease,
        row.head,
        row.summary,
    );
    let mut driver = Driver {
        engine: engine.clone(),
        run: row.run,
        program: Arc::new(program),
        started,
        params,
        options: how.options,
        vault: Vault::default(),
        references: HashMap::new(),
        rebind: how.rebind.clone(),
        cancelled: AtomicBool::new(false),
        state: Mutex::new(State::new(machine, recorder, bound)),
    };
    for secret in secrets {
        driver.learn(secret);
    }
    Ok(driver)
}

/// What a run was started with and whom its aliases proved to be.
fn read_story(
    engine: &Engine,
    run: &RunId,
    head: Head,
) -> Result<(Started, HashMap<AccountRef, Principal>), RunnerError> {
    let mut started = None;
    let mut bound = HashMap::new();
    let mut after = 0;
    while after < head.seq {
        let chunk = engine.ports.journal.entries(run, after, 512)?;
        let Some(last) = chunk.last() else { break };
        after = last.seq;
        for stored in chunk {
            match stored.entry.body {
                Body::Started(body) => started = Some(body),
                Body::Bound(body) => {
                    bound.insert(body.account, body.principal);
                }
                _ => {}
            }
        }
    }
    let started = started.ok_or_else(|| {
        RunnerError::Journal(JournalError::Entry {
            run: run.0.clone(),
            seq: 1,
            reason: "the run has no first entry".to_owned(),
        })
    })?;
    Ok((started, bound))
}

/// See [`Engine::cancel`].
pub(crate) fn cancel(
    engine: &Engine,
    run: &RunId,
    by: Option<String>,
    reason: Option<String>,
) -> Result<RunStatus, RunnerError> {
    let row = engine.ports.journal.find(&run.0)?;
    if row.summary.status.is_final() {
        return Err(RunnerError::refused(
            Diagnostic::error(Code::WrongState, format!("run {} is {}", row.run, row.status()))
                .hint("a run that ended cannot be cancelled"),
        ));
    }
    let at = engine.ports.clock.now();
    let mail = Mail::Cancel { by, reason, at };
    engine.ports.journal.post(&row.run, &mail)?;
    match engine.ports.journal.acquire(&row.run, &engine.holder) {
        // The driver takes the mail at its next safe point.
        Err(JournalError::Held { .. }) => Ok(row.status()),
        Err(error) => Err(error.into()),
        Ok(lease) => {
            let row = engine.ports.journal.find(&row.run.0)?;
            let mut recorder = Recorder::new(
                Arc::clone(&engine.ports.journal),
                Arc::clone(&engine.ports.events),
                lease,
                row.head,
                row.summary,
            );
            end_cancelled(engine, &mut recorder)?;
            Ok(recorder.summary().status)
        }
    }
}

/// Takes the mailbox's cancel and ends the run with it.
fn end_cancelled(engine: &Engine, recorder: &mut Recorder) -> Result<(), RunnerError> {
    let at = engine.ports.clock.now();
    let mail = engine.ports.journal.mail(recorder.run())?;
    let mut taken = Vec::new();
    let mut cancelled = Cancelled { by: None, reason: None };
    for (number, mail) in mail {
        if let Mail::Cancel { by, reason, .. } = mail {
            taken.push(number);
            cancelled = Cancelled { by, reason };
        }
    }
    let mut message = "the run was cancelled".to_owned();
    for (word, part) in [(" by ", &cancelled.by), (": ", &cancelled.reason)] {
        if let Some(part) = part {
            message = format!("{message}{word}{part}");
        }
    }
    let error = Some(Diagnostic::error(Code::Cancelled, message));
    recorder.make(None, at, None, Body::Cancelled(cancelled));
    let ended = Ended { end: End::Cancelled, error, retry_from: None };
    recorder.make(None, at, None, Body::Ended(ended));
    recorder.commit_mail(&taken)?;
    Ok(())
}

// --- Driving -------------------------------------------------------------------------------------

/// Evaluates the script on a thread of its own, keeps the lease alive, and records the end.
fn drive(driver: Driver) -> Result<Driven, RunnerError> {
    let driver = Arc::new(driver);
    let heart = Heart::start(&driver);
    let evaluation = match prove_known_accounts(&driver) {
        Err(_) => Evaluation::Stopped,
        Ok(()) => evaluate(&driver),
    };
    heart.stop();
    let result = conclude(&driver, evaluation);
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
fn run_end(summary: &RunSummary) -> RunEnd {
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

/// Says every few seconds that the driver is alive, and looks for a cancel, on a thread of its own.
struct Heart {
    beats: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Heart {
    fn start(driver: &Arc<Driver>) -> Self {
        let beats = Arc::new((Mutex::new(false), Condvar::new()));
        let (stopped, driver) = (Arc::clone(&beats), Arc::clone(driver));
        let beat = move || {
            let (flag, changed) = &*stopped;
            let mut last_renewed = Instant::now();
            let mut done = flag.lock().unwrap_or_else(PoisonError::into_inner);
            while !*done {
                let (guard, timeout) =
                    changed.wait_timeout(done, CANCEL_LOOK).unwrap_or_else(PoisonError::into_inner);
                done = guard;
                if *done || !timeout.timed_out() {
                    continue;
                }
                // What the journal cannot say now, the driver's next append says.
                if matches!(driver.is_cancelled(), Ok(true)) {
                    driver.cancelled.store(true, Ordering::SeqCst);
                }
                if last_renewed.elapsed() >= HEARTBEAT {
                    last_renewed = Instant::now();
                    if driver.renew().is_err() {
                        break;
                    }
                }
            }
        };
        // Without a heartbeat the run goes on: the file lock alone says that the driver lives.
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(beat).ok();
        Self { beats, thread }
    }

    fn stop(mut self) {
        let (flag, changed) = &*self.beats;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in the heartbeat concerns nobody any more.
            drop(thread.join());
        }
    }
}

impl Driver {
    fn renew(&self) -> Result<(), JournalError> {
        let now = self.now();
        let state = self.state();
        self.engine.ports.journal.renew(state.recorder.lease(), now)
    }
}
