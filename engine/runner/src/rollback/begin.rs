//! The beginning of a rollback: the source run is marked, its doubts are settled, the plan is made
//! and stored as the program of a new run.

use std::collections::HashMap;

use piton_core::account::{AccountRef, Principal};
use piton_core::catalogue::{self, Class, ModelFacts};
use piton_core::compensation::{Doubtful, Plan};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{
    Body, Bound, CallResult, Entry, Outcome, RollbackStage, Settled, Settlement, Started, Suspended,
};
use piton_core::event::{EventKind, RunEvent};
use piton_core::ports::{JournalError, Lease, NewRun, ProgramFile, RunId, RunRow};
use piton_core::replay::Machine;
use piton_core::status::{RunStatus, RunSummary};
use piton_core::time::{Span, Timestamp};
use piton_script::Program;
use piton_script::host::{Halt, ScriptCall};
use serde_json::{Value, json};

use super::{
    PLAN, bug, drive_and_mark, family, ledger, make_mark, own_ledger, recorder_of,
    refuse_elsewhere, resume,
};
use crate::calls::Sending;
use crate::drive::{Driver, Ending, State, run_end};
use crate::engine::{Driven, Engine, Resume, RunnerError, TakeBack};
use crate::lifecycle::{Story, read_story, rebuild};

/// See [`Engine::rollback`].
pub(crate) fn rollback(engine: &Engine, how: &TakeBack) -> Result<Driven, RunnerError> {
    let row = engine.ports.journal.find(&how.source.0)?;
    refuse_elsewhere(&row)?;
    if let Some(of) = &row.summary.rollback_of {
        return Err(RunnerError::refused(
            Diagnostic::error(
                Code::TakenBack,
                format!("run {} takes run {of} back: it has nothing to take back itself", row.run),
            )
            .hint("what was taken back is made again by a new run"),
        ));
    }
    refuse_in_use(engine, &row)?;
    match begun(engine, &row)? {
        Some(begun) => resume(engine, begun, &as_resume(how)),
        None => begin(engine, how),
    }
}

/// A run that goes on with a child would do again what was taken back.
fn refuse_in_use(engine: &Engine, row: &RunRow) -> Result<(), RunnerError> {
    let Some(parent) = &row.summary.parent else { return Ok(()) };
    let caller = match engine.ports.journal.find(&parent.0) {
        Ok(caller) => caller,
        Err(JournalError::NoRun(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if caller.summary.status.is_final() {
        return Ok(());
    }
    let message = format!("run {} was called by run {parent}, which has not ended", row.run);
    Err(RunnerError::refused(
        Diagnostic::error(Code::WrongState, message)
            .hint(format!("take both back: piton rollback {parent}")),
    ))
}

fn as_resume(how: &TakeBack) -> Resume {
    Resume { retry: false, rebind: Vec::new(), options: how.options }
}

/// The rollback of a run that was begun and may go on.
fn begun(engine: &Engine, source: &RunRow) -> Result<Option<RunRow>, RunnerError> {
    let Some(by) = &source.summary.rolled_back_by else { return Ok(None) };
    match engine.ports.journal.find(&by.0) {
        Ok(row) => match row.summary.status {
            RunStatus::Cancelled | RunStatus::Failed | RunStatus::Rejected => Ok(None),
            _ => Ok(Some(row)),
        },
        // The process ended between the mark and the run: nothing was sent.
        Err(JournalError::NoRun(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn begin(engine: &Engine, how: &TakeBack) -> Result<Driven, RunnerError> {
    let journal = &engine.ports.journal;
    let lease = journal.acquire(&how.source, &engine.holder)?;
    let row = journal.find(&how.source.0)?;
    let called = family::descendants(journal.as_ref(), &row)?;
    let mut recorder = recorder_of(engine, row, lease);
    make_mark(engine, &mut recorder, &how.run, RollbackStage::Underway)?;
    for child in &called {
        let lease = journal.acquire(&child.run, &engine.holder)?;
        let mut recorder = recorder_of(engine, journal.find(&child.run.0)?, lease);
        make_mark(engine, &mut recorder, &how.run, RollbackStage::Underway)?;
    }
    for child in &called {
        let doubts = own_ledger(journal.as_ref(), &child.run)?.doubts();
        if doubts.is_empty() {
            continue;
        }
        let lease = journal.acquire(&child.run, &engine.holder)?;
        if let Settling::Waits(driven) = settle(engine, lease, &child.run, how, doubts)? {
            return Ok(driven);
        }
    }
    let doubts = own_ledger(journal.as_ref(), &how.source)?.doubts();
    if doubts.is_empty() {
        return create_and_drive(engine, how, recorder);
    }
    // The source run is taken anew, by what settles its doubts.
    drop(recorder);
    let lease = journal.acquire(&how.source, &engine.holder)?;
    match settle(engine, lease, &how.source, how, doubts)? {
        Settling::Done(held) => create_and_drive(engine, how, held),
        Settling::Waits(driven) => Ok(driven),
    }
}

/// Creates the run that carries the plan out, and drives it. The source run stays taken until the new
/// one is there, so that nobody begins another.
fn create_and_drive<Held>(
    engine: &Engine,
    how: &TakeBack,
    held: Held,
) -> Result<Driven, RunnerError> {
    let journal = &engine.ports.journal;
    let row = journal.find(&how.source.0)?;
    let plan = ledger(journal.as_ref(), &how.source)?.plan();
    let program = program_of(&row, &plan)?;
    let Story { started, bound, .. } = read_story(engine, &row.run, row.head)?;
    let mut bound = family::outermost(bound, &started.accounts);
    for child in family::descendants(journal.as_ref(), &row)? {
        let Story { started, bound: of_child, .. } = read_story(engine, &child.run, child.head)?;
        bound.extend(family::outermost(of_child, &started.accounts));
    }
    let lease = create(engine, how, &program, &started, bound)?;
    drop(held);
    let row = journal.find(&how.run.0)?;
    let driver = rebuild(engine, row, lease, &as_resume(how))?;
    drive_and_mark(engine, driver, &how.source)
}

fn create(
    engine: &Engine,
    how: &TakeBack,
    program: &Program,
    source: &Started,
    bound: HashMap<AccountRef, Principal>,
) -> Result<Box<dyn Lease>, RunnerError> {
    let at = engine.ports.clock.now();
    let name = Some(format!("rollback of {}", how.source));
    let started = Started {
        runbook: source.runbook.clone(),
        title: program.declaration().title.clone(),
        name: name.clone(),
        params: json!({}),
        program: program.digest(),
        source: None,
        world: source.world.clone(),
        requester: how.requester.clone(),
        rollback_of: Some(how.source.clone()),
        parent: None,
        accounts: std::collections::BTreeMap::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut entries = vec![entry(at, Body::Started(started.clone()))];
    // The same people as in the run that is taken back: each proves it before its first call.
    let mut bound: Vec<(AccountRef, Principal)> = bound.into_iter().collect();
    bound.sort_by_key(|(account, _)| account.to_string());
    entries.extend(bound.into_iter().map(|(account, principal)| {
        entry(at, Body::Bound(Bound { account, principal, rebound: false }))
    }));
    let summary = entries.split_first().map(|(first, rest)| {
        let mut summary = RunSummary::start(first)?;
        rest.iter().try_for_each(|entry| summary.apply(entry)).map(|()| summary)
    });
    let Some(Ok(summary)) = summary else { return Err(bug("a rollback does not begin")) };
    let new = NewRun {
        run: how.run.clone(),
        runbook: started.runbook.clone(),
        name,
        labels: how.labels.clone(),
        program: started.program,
        files: program.files().to_vec(),
        sealed: Vec::new(),
    };
    let lease = engine.ports.journal.create(&new, &entries, &summary, &engine.holder)?;
    let (runbook, title, world) = (started.runbook, started.title, started.world);
    engine.ports.events.emit(&RunEvent {
        run: how.run.clone(),
        at,
        branch: String::new(),
        kind: EventKind::Started { runbook, title, world },
    });
    Ok(lease)
}

fn entry(at: Timestamp, body: Body) -> Entry {
    Entry { key: None, at, body }
}

/// The plan as the program of a run: a runbook without accounts or parameters that says what it is
/// for, and the plan beside it.
fn program_of(source: &RunRow, plan: &Plan) -> Result<Program, RunnerError> {
    let title = format!("Rollback of {} {}", source.runbook, source.run);
    let script = format!(
        "//! Takes back what the run {} did. The plan is beside this file; the engine carries it out.\n\n\
         runbook(#{{ title: {title:?}, summary: \"{} calls are taken back, {} stay.\", accounts: #{{}}, params: #{{}} }});\n",
        source.run,
        plan.items.len(),
        plan.stays.len(),
    );
    let text = serde_json::to_string_pretty(plan)
        .map_err(|error| bug(&format!("the plan is no plain data: {error}")))?;
    let files = vec![
        ProgramFile { path: "rollback.rhai".to_owned(), text: script },
        ProgramFile { path: PLAN.to_owned(), text },
    ];
    Program::from_files(&source.runbook, files).map_err(RunnerError::Refused)
}

/// How the settling of doubts came out.
enum Settling {
    /// Nothing is in doubt; who settled it still has the run.
    Done(Box<Driver>),
    /// Somebody or something is waited for: nothing is taken back yet.
    Waits(Driven),
}

/// Settles what the source run left in doubt, each by its class.
fn settle(
    engine: &Engine,
    lease: Box<dyn Lease>,
    run: &RunId,
    how: &TakeBack,
    doubts: Vec<Doubtful>,
) -> Result<Settling, RunnerError> {
    let row = engine.ports.journal.find(&run.0)?;
    let driver = rebuild(engine, row, lease, &as_resume(how))?;
    // What was recorded is not asked again.
    driver.state().machine = Machine::new(Box::new(std::iter::empty()), Vec::new());
    for doubt in doubts {
        let call = call_of(&doubt);
        let send = |driver: &Driver, token: Option<&str>| driver.send(&call, token);
        let attempt = doubt.intent.attempt;
        let sending = Sending { key: doubt.key.clone(), attempt, call: &call, send: &send };
        match driver.settle(&sending, &doubt.intent, doubt.sent_at, None) {
            Ok(_) | Err(Halt::Thrown(_)) => {}
            Err(Halt::Stop | Halt::Script(_)) => return conclude(&driver).map(Settling::Waits),
        }
    }
    driver.state().recorder.commit()?;
    Ok(Settling::Done(Box::new(driver)))
}

fn conclude(driver: &Driver) -> Result<Driven, RunnerError> {
    let mut state = driver.state();
    let at = driver.now();
    match state.ending.take() {
        Some(Ending::Suspended(reason)) => {
            state.recorder.make(None, at, None, Body::Suspended(Suspended { reason }));
            state.recorder.commit()?;
            let end = run_end(&state.recorder.summary());
            Ok(Driven { run: driver.run.clone(), end })
        }
        Some(Ending::Journal(error)) => Err(error.into()),
        Some(Ending::Refused(diagnostics)) => Err(RunnerError::Refused(diagnostics)),
        Some(Ending::Cancelled | Ending::Beyond(_)) | None => {
            Err(bug("a doubt stopped and nothing says why"))
        }
    }
}

/// A recorded call, to be looked up or sent again.
fn call_of(doubt: &Doubtful) -> ScriptCall {
    let intent = &doubt.intent;
    as_call(&intent.service, &intent.operation, &intent.account, intent.input.clone(), intent.class)
}

/// A call as scripts make it.
pub(super) fn as_call(
    service: &str,
    operation: &str,
    account: &AccountRef,
    input: Value,
    class: Class,
) -> ScriptCall {
    let (operation, all_pages) = match operation.strip_suffix("_all") {
        Some(first) => (first, true),
        None => (operation, false),
    };
    let flagged = piton_models::service(service).and_then(|model| {
        let found = model.operation_by_script_name(operation)?;
        model.token_member(found).map(str::to_owned)
    });
    let token_member = catalogue::token_member(service, operation, flagged.as_deref());
    ScriptCall {
        account: account.clone(),
        service: service.to_owned(),
        operation: operation.to_owned(),
        all_pages,
        input,
        class,
        token_member: token_member.map(str::to_owned),
        place: None,
    }
}

/// The class of an operation by table and model.
pub(super) fn class_of(service: &str, operation: &str) -> Class {
    let facts = piton_models::service(service)
        .and_then(|model| {
            let found = model.operation_by_script_name(operation)?;
            Some(ModelFacts {
                has_token: model.token_member(found).is_some(),
                idempotent: found.idempotent,
                readonly: found.readonly,
            })
        })
        .unwrap_or_default();
    catalogue::class(service, operation, facts)
}

impl Driver {
    /// Whether the run is being taken back: then what is in doubt is not sent to have its effect.
    pub(crate) fn is_taken_back(&self) -> bool {
        self.state().recorder.summary().rolled_back_by.is_some()
    }

    /// A call in doubt had no effect, and is to have none.
    pub(crate) fn leave_undone(&self, sending: &Sending<'_>) -> Result<Value, Halt> {
        let reason = "nothing of it is there, and the run is taken back";
        let settled = Settled::by_engine(Settlement::Skip, reason);
        let at = self.now();
        let outcome = Outcome {
            read: None,
            attempt: sending.attempt,
            result: CallResult::Value(Value::Null),
            took: Span::from_millis(0),
            request_id: None,
            adopted: true,
        };
        let mut state = self.state();
        let State { machine, recorder, .. } = &mut *state;
        let key = || Some(sending.key.clone());
        recorder.make(Some(machine), at, key(), Body::Settled(settled));
        recorder.make(Some(machine), at, key(), Body::Outcome(outcome));
        Ok(Value::Null)
    }
}
