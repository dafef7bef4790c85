//! What can be done with a run: start it, resume it, cancel it.

use std::collections::HashMap;
use std::sync::Arc;

use piton_core::account::{AccountRef, Principal};
use piton_core::canonical::Digest;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{
    Body, Bound, Cancelled, End, Ended, Entry, Head, Resumed, Retried, Started, StoredEntry,
};
use piton_core::event::EventKind;
use piton_core::limits;
use piton_core::ports::{IdentifyError, JournalError, Lease, Mail, NewRun, RunId, RunRow};
use piton_core::reader::EntryReader;
use piton_core::replay::Machine;
use piton_core::status::{RunStatus, RunSummary};
use piton_core::time::Timestamp;
use piton_script::Program;
use serde_json::Value;

use crate::accounts::identify_diagnostic;
use crate::children::{self, Call};
use crate::drive::{Driver, Shared, State, drive, run_end};
use crate::dry::Findings;
use crate::engine::{Driven, Engine, Resume, RunnerError, Start};
use crate::recorder::Recorder;
use crate::room::refuse_old_clock;
use crate::sealed::{open_secrets, read_secrets};

/// See [`Engine::start`].
pub(crate) fn start(engine: &Engine, start: Start) -> Result<Driven, RunnerError> {
    start_for(engine, start, None)
}

/// The same for a runbook that a script called.
pub(crate) fn start_for(
    engine: &Engine,
    start: Start,
    call: Option<Call>,
) -> Result<Driven, RunnerError> {
    let (parent, accounts, caller) = call.map_or_else(Default::default, Call::parts);
    let now = engine.ports.clock.now();
    let run = start.run.clone();
    let params = params_to_keep(engine, &start)?;
    let bound = bind_declared(&engine.naming(&accounts), &start.program)?;
    let secrets = read_secrets(&start.params.secrets)?;
    let started = Started {
        runbook: start.program.name().to_owned(),
        title: start.program.declaration().title.clone(),
        name: start.name.clone(),
        params,
        program: start.program.digest(),
        source: start.source,
        world: start.world,
        requester: start.requester,
        rollback_of: None,
        parent,
        accounts,
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
            .map(|secret| secret.seal(sealing, engine.ports.entropy.as_ref(), &run))
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
    let mut shared = Shared::new(engine, run, start.program, started, start.options, &recorder);
    shared.caller = caller;
    shared.know(bound.iter().cloned());
    shared.trust(bound.into_iter().map(|(account, _)| account));
    for secret in secrets {
        shared.learn(secret);
    }
    drive(Driver::new(shared, State::new(machine, recorder)))
}

fn params_to_keep(engine: &Engine, start: &Start) -> Result<Value, RunnerError> {
    let params = Value::Object(start.params.values.clone());
    if limits::size(&params) > engine.ports.journal.bounds().value {
        let problem = "the parameters are too large to be kept";
        return Err(RunnerError::refused(Diagnostic::error(Code::BadParameter, problem)));
    }
    Ok(params)
}

fn entry(at: Timestamp, body: Body) -> Entry {
    Entry { key: None, at, body }
}

fn folded(entries: &[Entry]) -> RunSummary {
    let mut summary = RunSummary::start(&entries[0])
        .unwrap_or_else(|illegal| unreachable!("a run starts with its start: {illegal}"));
    for entry in &entries[1..] {
        summary
            .apply(entry)
            .unwrap_or_else(|illegal| unreachable!("a binding follows a start: {illegal}"));
    }
    summary
}

/// Proves every declared alias that exists before the run and stands for one account. Missing credentials are no refusal: the
/// run is created and suspends, so that it can be resumed.
fn bind_declared(
    engine: &Engine,
    program: &Program,
) -> Result<Vec<(AccountRef, Principal)>, RunnerError> {
    let mut bound = Vec::new();
    let mut refused = Vec::new();
    for declared in &program.declaration().accounts {
        // Which accounts an alias of many stands for, the script says.
        if declared.created_here || declared.many {
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

/// See [`Engine::resume`].
pub(crate) fn resume(engine: &Engine, run: &RunId, how: &Resume) -> Result<Driven, RunnerError> {
    resume_for(engine, run, how, None)
}

/// The same for a runbook that a script called.
pub(crate) fn resume_for(
    engine: &Engine,
    run: &RunId,
    how: &Resume,
    caller: Option<Arc<Driver>>,
) -> Result<Driven, RunnerError> {
    let row = engine.ports.journal.find(&run.0)?;
    if row.summary.rollback_of.is_some() {
        return crate::rollback::resume(engine, row, how);
    }
    crate::rollback::refuse_taken_back(&row)?;
    let retries = how.retry && row.summary.status == RunStatus::Failed;
    if row.summary.status.is_final() && !retries {
        let end = run_end(&row.summary);
        return Ok(Driven { run: row.run, end });
    }
    refuse_old_clock(engine.ports.clock.as_ref(), row.summary.updated_at, &row.run)?;
    let lease = engine.ports.journal.acquire(&row.run, &engine.holder)?;
    // Another process may have moved the run between the look and the lease.
    let row = engine.ports.journal.find(&row.run.0)?;
    go_on(engine, row, lease, how, Further { caller, ..Further::default() })
}

/// Goes on with a run that was taken.
pub(crate) fn go_on(
    engine: &Engine,
    row: RunRow,
    lease: Box<dyn Lease>,
    how: &Resume,
    further: Further,
) -> Result<Driven, RunnerError> {
    let retries = how.retry && row.summary.status == RunStatus::Failed;
    let driver = rebuild_for(engine, row, lease, how, further)?;
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
pub(crate) fn retry(driver: &Driver, state: &mut State, at: Timestamp) -> Result<(), RunnerError> {
    let failed = state.recorder.summary();
    let Some(from_seq) = failed.retry_from else {
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
    let retried = Retried { from_seq, to_seq, branches: failed.retry_in };
    state.recorder.make(None, at, None, Body::Retried(retried));
    let voided = state.recorder.summary().voided;
    let source =
        EntryReader::new(Arc::clone(&driver.engine.ports.journal), driver.run.clone(), to_seq);
    state.machine = Machine::new(Box::new(source), voided);
    Ok(())
}

/// A driver of a stored run, from what the journal has of it.
pub(crate) fn rebuild(
    engine: &Engine,
    row: RunRow,
    lease: Box<dyn Lease>,
    how: &Resume,
) -> Result<Driver, RunnerError> {
    rebuild_for(engine, row, lease, how, Further::default())
}

/// What not every driver of a stored run has.
#[derive(Default)]
pub(crate) struct Further {
    /// Who called the run and waits for it.
    pub(crate) caller: Option<Arc<Driver>>,
    /// A script in place of the stored one.
    pub(crate) program: Option<Program>,
    /// It is driven dry: nothing is done, and what would be is noted here.
    pub(crate) findings: Option<Arc<Findings>>,
}

pub(crate) fn rebuild_for(
    engine: &Engine,
    row: RunRow,
    lease: Box<dyn Lease>,
    how: &Resume,
    further: Further,
) -> Result<Driver, RunnerError> {
    let Further { caller, program, findings } = further;
    let journal = &engine.ports.journal;
    let story = read_story(engine, &row.run, row.head)?;
    let Story { started, bound, editor, summary, bytes, .. } = story;
    let program = match program {
        Some(program) => program,
        None if story.program != row.program => {
            let (run, seq) = (row.run.0, row.head.seq);
            let reason = "its program is another one than its entries name".to_owned();
            return Err(JournalError::Entry { run, seq, reason }.into());
        }
        None => Program::from_files(&row.runbook, journal.program(&row.program)?)
            .map_err(RunnerError::Refused)?,
    };
    let secrets = open_secrets(&engine.sealing_key, journal.as_ref(), &row.run)?;
    let source = EntryReader::new(Arc::clone(journal), row.run.clone(), row.head.seq);
    let machine = Machine::new(Box::new(source), summary.voided.clone());
    let recorder = Recorder::new(
        Arc::clone(journal),
        Arc::clone(&engine.ports.events),
        lease,
        row.head,
        summary,
    );
    recorder.count(bytes);
    if findings.is_some() {
        recorder.be_silent();
    }
    let mut shared = Shared::new(engine, row.run, program, started, how.options, &recorder);
    shared.caller = caller;
    shared.dry = findings;
    shared.editor = editor;
    shared.fill_presets()?;
    shared.know(bound);
    shared.rebind.clone_from(&how.rebind);
    for secret in secrets {
        shared.learn(secret);
    }
    Ok(Driver::new(shared, State::new(machine, recorder)))
}

/// What a run's entries tell before any of them is replayed.
pub(crate) struct Story {
    /// What the run was started with.
    pub(crate) started: Started,
    /// Whom its aliases proved to be.
    pub(crate) bound: HashMap<AccountRef, Principal>,
    /// Digest of the program that it has now.
    pub(crate) program: Digest,
    /// Who edited its script last.
    pub(crate) editor: Option<Principal>,
    /// The fold over its entries: the stored one may be damaged or older than this version.
    pub(crate) summary: RunSummary,
    /// Bytes of the entries' texts.
    pub(crate) bytes: u64,
}

/// Reads every entry once, and refuses a run of which one is not what was appended.
pub(crate) fn read_story(engine: &Engine, run: &RunId, head: Head) -> Result<Story, RunnerError> {
    let broken = |seq: u64, reason: &str| {
        let (run, reason) = (run.0.clone(), reason.to_owned());
        RunnerError::Journal(JournalError::Entry { run, seq, reason })
    };
    let mut bound = HashMap::new();
    let mut edited = None;
    let mut first: Option<(Started, RunSummary)> = None;
    let (mut chain, mut bytes) = (Head::EMPTY, 0);
    while chain.seq < head.seq {
        let chunk = engine.ports.journal.entries(run, chain.seq, 512)?;
        if chunk.is_empty() {
            break;
        }
        for StoredEntry { seq, hash, entry, text } in chunk {
            chain = chain.next(entry.key.as_ref(), entry.body.kind(), entry.at, &text);
            if (chain.seq, chain.hash) != (seq, hash) {
                return Err(broken(chain.seq, "it is not what was appended there"));
            }
            bytes += text.len() as u64;
            match &mut first {
                None => {
                    let summary = RunSummary::start(&entry).ok();
                    if let (Body::Started(body), Some(summary)) = (entry.body, summary) {
                        first = Some((body, summary));
                    }
                }
                Some((_, summary)) => {
                    summary.apply(&entry).map_err(|illegal| broken(seq, &illegal.to_string()))?;
                    match entry.body {
                        Body::Bound(body) => {
                            bound.insert(body.account, body.principal);
                        }
                        Body::Edited(body) => edited = Some((body.to, body.by)),
                        _ => {}
                    }
                }
            }
        }
    }
    let (started, summary) = first.ok_or_else(|| broken(1, "the run has no first entry"))?;
    let (program, editor) = edited.unwrap_or((started.program, None));
    match chain == head {
        true => Ok(Story { started, bound, program, editor, summary, bytes }),
        false => Err(broken(chain.seq + 1, "it is missing, or the end of the journal was changed")),
    }
}

/// See [`Engine::cancel`].
pub(crate) fn cancel(
    engine: &Engine,
    run: &RunId,
    by: Option<String>,
    reason: Option<String>,
) -> Result<RunStatus, RunnerError> {
    let row = engine.ports.journal.find(&run.0)?;
    crate::rollback::refuse_taken_back(&row)?;
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
pub(crate) fn end_cancelled(engine: &Engine, recorder: &mut Recorder) -> Result<(), RunnerError> {
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
    children::cancel(engine, recorder.run(), &cancelled)?;
    recorder.make(None, at, None, Body::Cancelled(cancelled));
    let ended = Ended { end: End::Cancelled, error, retry_from: None, retry_in: Vec::new() };
    recorder.make(None, at, None, Body::Ended(ended));
    recorder.commit_mail(&taken)?;
    Ok(())
}
