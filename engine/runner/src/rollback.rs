//! Taking a run back: a run of its own, whose program is a plan.
//!
//! The plan is made from the source run's journal alone and stored as the program of the new run, so
//! that a resume carries out the same plan whatever the catalogue of a later version says. Carrying
//! it out uses the driver as scripts do, from Rust: journal, doubts, waits, gates and events are those
//! of any run. The source run is marked before anything is sent and after it ended; while it is being
//! taken back it goes on no more.
//!
//! # Layout
//! - `family`: a run together with those that it called.
//! - `begin`: settles what the source run left in doubt, makes the plan, creates the run.
//! - `looks`: how the things stand now, and what somebody changed since.
//! - `carry`: the plan, call by call. `shape`: inputs as the model takes them.

mod begin;
mod carry;
mod family;
mod looks;
mod shape;

use std::sync::Arc;

use piton_core::compensation::{Ledger, Plan};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, End, Resumed, RollbackStage, RolledBack};
use piton_core::event::EventKind;
use piton_core::ports::{Journal, JournalError, RunId, RunRow};
use piton_core::status::{Reason, RunStatus};
use piton_script::Raised;
use piton_script::evaluate::Evaluation;
use piton_script::host::{Halt, Thrown};

use crate::drive::{Driver, drive, run_end};
use crate::engine::{Driven, Engine, Resume, RunnerError};
use crate::lifecycle::{rebuild, retry};
use crate::recorder::Recorder;

pub(crate) use begin::rollback;

/// Name of the file that holds the plan, among those of the program.
const PLAN: &str = "plan.json";

/// What a run and those that it called did, from their journals.
///
/// # Errors
/// When there is no such run, or an entry cannot be read.
pub fn ledger(journal: &dyn Journal, run: &RunId) -> Result<Ledger, JournalError> {
    family::ledger(journal, &journal.find(&run.0)?)
}

/// What a run did by itself, by its own keys and names.
fn own_ledger(journal: &dyn Journal, run: &RunId) -> Result<Ledger, JournalError> {
    let mut ledger = Ledger::new(run.clone());
    let mut after = 0;
    loop {
        let entries = journal.entries(run, after, 512)?;
        let Some(last) = entries.last() else { return Ok(ledger) };
        after = last.seq;
        entries.iter().for_each(|stored| ledger.take(stored));
    }
}

/// Refuses to go on with a run that is being taken back, or goes on in another home.
pub(crate) fn refuse_taken_back(row: &RunRow) -> Result<(), RunnerError> {
    refuse_elsewhere(row)?;
    match &row.summary.rolled_back_by {
        Some(by) if !row.summary.status.is_final() => Err(RunnerError::refused(
            Diagnostic::error(
                Code::TakenBack,
                format!("run {} is being taken back by run {by}", row.run),
            )
            .hint(format!("go on with that: piton rollback {}", row.run)),
        )),
        _ => Ok(()),
    }
}

/// Refuses to do anything with a run that goes on in another home.
pub(crate) fn refuse_elsewhere(row: &RunRow) -> Result<(), RunnerError> {
    row.elsewhere().map_or(Ok(()), |error| Err(error.into()))
}

/// Goes on with a rollback. `row` is that of the rollback's own run.
pub(crate) fn resume(engine: &Engine, row: RunRow, how: &Resume) -> Result<Driven, RunnerError> {
    let Some(source) = row.summary.rollback_of.clone() else {
        return Err(bug("the run takes nothing back"));
    };
    refuse_elsewhere(&row)?;
    if row.summary.status.is_final() {
        // The process may have ended between the end of this run and the mark on the other.
        mark_all(engine, &source, &row.run, stage_of(row.summary.status))?;
        return Ok(Driven { run: row.run, end: run_end(&row.summary) });
    }
    let lease = engine.ports.journal.acquire(&row.run, &engine.holder)?;
    let row = engine.ports.journal.find(&row.run.0)?;
    mark_all(engine, &source, &row.run, RollbackStage::Underway)?;
    let failed = matches!(row.summary.reason, Some(Reason::NotTakenBack { .. }));
    let driver = rebuild(engine, row, lease, how)?;
    {
        let mut state = driver.state();
        let at = driver.now();
        if failed {
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
    drive_and_mark(engine, driver, &source)
}

/// Drives a rollback and tells the source run how far it came.
fn drive_and_mark(engine: &Engine, driver: Driver, source: &RunId) -> Result<Driven, RunnerError> {
    let driven = drive(driver)?;
    mark_all(engine, source, &driven.run, stage_of(driven.end.status))?;
    Ok(driven)
}

fn stage_of(status: RunStatus) -> RollbackStage {
    match status {
        RunStatus::Compensated => RollbackStage::Done,
        RunStatus::Cancelled | RunStatus::Failed | RunStatus::Rejected => RollbackStage::GivenUp,
        RunStatus::Stuck | RunStatus::Mismatch => RollbackStage::Stuck,
        _ => RollbackStage::Underway,
    }
}

/// Says in the journals of the source run and of those that are taken back with it how far it is.
fn mark_all(
    engine: &Engine,
    source: &RunId,
    by: &RunId,
    stage: RollbackStage,
) -> Result<(), RunnerError> {
    mark(engine, source, by, stage)?;
    let journal = engine.ports.journal.as_ref();
    let row = journal.find(&source.0)?;
    for child in family::descendants(journal, &row)? {
        mark(engine, &child.run, by, stage)?;
    }
    Ok(())
}

/// Says in the source run's journal how far the run `by` came with taking it back.
fn mark(
    engine: &Engine,
    source: &RunId,
    by: &RunId,
    stage: RollbackStage,
) -> Result<(), RunnerError> {
    let row = engine.ports.journal.find(&source.0)?;
    if row.summary.rolled_back_by.as_ref().is_some_and(|other| other != by) {
        let other = row.summary.rolled_back_by.map(|other| other.0).unwrap_or_default();
        return Err(RunnerError::refused(
            Diagnostic::error(
                Code::TakenBack,
                format!("run {source} is taken back by run {other}, and no more by run {by}"),
            )
            .hint(format!("go on with that: piton rollback {source}")),
        ));
    }
    let wanted = match stage {
        RollbackStage::Underway => RunStatus::Compensating,
        RollbackStage::Stuck | RollbackStage::GivenUp => RunStatus::Stuck,
        RollbackStage::Done => RunStatus::Compensated,
    };
    if row.summary.rolled_back_by.is_some() && row.summary.status == wanted {
        return Ok(());
    }
    let lease = engine.ports.journal.acquire(source, &engine.holder)?;
    let row = engine.ports.journal.find(&source.0)?;
    let mut recorder = recorder_of(engine, row, lease);
    make_mark(engine, &mut recorder, by, stage)
}

fn recorder_of(engine: &Engine, row: RunRow, lease: Box<dyn piton_core::ports::Lease>) -> Recorder {
    let (journal, events) = (Arc::clone(&engine.ports.journal), Arc::clone(&engine.ports.events));
    Recorder::new(journal, events, lease, row.head, row.summary)
}

fn make_mark(
    engine: &Engine,
    recorder: &mut Recorder,
    by: &RunId,
    stage: RollbackStage,
) -> Result<(), RunnerError> {
    let body = Body::RolledBack(RolledBack { by: by.clone(), stage });
    recorder.make(None, engine.ports.clock.now(), None, body);
    recorder.commit()?;
    Ok(())
}

/// Carries the plan of a rollback out, in place of evaluating a script.
pub(crate) fn evaluate(driver: &Driver) -> Evaluation {
    let plan = driver.program.asset(PLAN).map(serde_json::from_str::<Plan>);
    let carried = match plan {
        Some(Ok(plan)) => carry::carry_out(driver, &plan),
        Some(Err(error)) => return raised(bug_diagnostic(&format!("the plan: {error}")), None),
        None => return raised(bug_diagnostic("the run has no plan"), None),
    };
    match carried {
        Ok(()) => Evaluation::Finished,
        Err(Halt::Stop) => Evaluation::Stopped,
        Err(Halt::Thrown(thrown)) => {
            let diagnostic = thrown
                .diagnostic
                .clone()
                .unwrap_or_else(|| Diagnostic::error(Code::AwsRefused, thrown.message.clone()));
            raised(diagnostic, Some(*thrown))
        }
        Err(Halt::Script(_)) => raised(bug_diagnostic("a script's error without a script"), None),
    }
}

fn raised(diagnostic: Diagnostic, thrown: Option<Thrown>) -> Evaluation {
    Evaluation::Raised(Box::new(Raised { diagnostic, thrown }))
}

fn bug_diagnostic(message: &str) -> Diagnostic {
    Diagnostic::error(Code::Bug, message)
}

fn bug(message: &str) -> RunnerError {
    RunnerError::refused(bug_diagnostic(message))
}

impl Driver {
    /// How the run ends when its evaluation came to its end.
    pub(crate) fn good_end(&self) -> End {
        match self.started.rollback_of {
            Some(_) => End::Compensated,
            None => End::Succeeded,
        }
    }
}
