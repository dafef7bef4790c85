//! Going on with an edited script: only where every recorded entry is one that it asks for, or where a
//! person accepts that it leaves some.
//!
//! The script is evaluated dry first. What an effect was can never change: another operation, account
//! or input under a recorded key is refused whatever is accepted. The edit itself is an entry, with
//! both programs, who made it, what was left and which approvals were given for an earlier script.

use std::sync::Arc;

use piton_core::account::Principal;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, Edited, Entry, Retried};
use piton_core::event::EventKind;
use piton_core::gate::Closed;
use piton_core::ports::{Journal, JournalError, Lease, RunId, RunRow};
use piton_core::status::{RunStatus, RunSummary};
use piton_script::Program;

use crate::dry::{self, DryEnd, Look, Question, Replay};
use crate::engine::{Driven, Engine, Resume, RunnerError};
use crate::lifecycle::{Further, go_on};

/// A script to go on with.
#[derive(Clone)]
pub struct Edit {
    /// The script.
    pub program: Program,
    /// Where it was read from, as the person named it.
    pub source: Option<String>,
    /// Who goes on with it, as far as known.
    pub by: Option<Principal>,
    /// That person accepts what is left, and that approvals for an earlier script stand.
    pub accept: bool,
}

/// See [`Engine::resume_edited`].
pub(crate) fn resume(
    engine: &Engine,
    run: &RunId,
    how: &Resume,
    edit: &Edit,
) -> Result<Driven, RunnerError> {
    let row = engine.ports.journal.find(&run.0)?;
    refuse(&row)?;
    if row.program == edit.program.digest() {
        return crate::lifecycle::resume(engine, run, how);
    }
    let lease = engine.ports.journal.acquire(&row.run, &engine.holder)?;
    let row = engine.ports.journal.find(&row.run.0)?;
    let look = Look {
        journal: Arc::clone(&engine.ports.journal),
        sealing_key: engine.sealing_key.clone(),
        runtime: engine.runtime.clone(),
    };
    let question = Question {
        run: row.run.clone(),
        program: Some(edit.program.clone()),
        retry: how.retry,
        accept: edit.accept,
    };
    let replay = dry::replay(&look, &question)?;
    let stands = approved(engine.ports.journal.as_ref(), &row, &replay)?;
    refuse_replay(&replay, edit, &stands)?;
    record(engine, lease.as_ref(), &row, how, edit, replay, stands)?;
    let row = engine.ports.journal.find(&row.run.0)?;
    // What failed was made void, or belongs to the script before.
    let how = Resume { retry: false, ..how.clone() };
    go_on(engine, row, lease, &how, Further::default())
}

/// Refuses runs that no script can be changed of.
///
/// # Errors
/// Why not.
pub fn refuse(row: &RunRow) -> Result<(), RunnerError> {
    crate::rollback::refuse_taken_back(row)?;
    let status = row.summary.status;
    let why = if row.summary.rollback_of.is_some() {
        "it takes another run back, by a plan and not by a script".to_owned()
    } else if status.is_final() && status != RunStatus::Failed {
        format!("it is {status}")
    } else {
        return Ok(());
    };
    let message = format!("run {} cannot go on with another script: {why}", row.run);
    Err(RunnerError::refused(Diagnostic::error(Code::WrongState, message)))
}

/// Refuses a script that does not fit what is recorded.
fn refuse_replay(replay: &Replay, edit: &Edit, stands: &[String]) -> Result<(), RunnerError> {
    match &replay.end {
        DryEnd::Mismatch { error } => {
            return Err(RunnerError::refused(mismatch(error, edit.accept)));
        }
        DryEnd::Refused { errors } => return Err(RunnerError::Refused(errors.clone())),
        DryEnd::Fails { error } => {
            let mut diagnostic = (**error).clone();
            diagnostic.message =
                format!("the edited script fails before anything new: {}", diagnostic.message);
            return Err(RunnerError::refused(diagnostic));
        }
        DryEnd::Reaches | DryEnd::Ends => {}
    }
    if stands.is_empty() || edit.accept {
        return Ok(());
    }
    let message = format!("approved for an earlier script: {}", stands.join(", "));
    Err(RunnerError::refused(
        Diagnostic::error(Code::NotAccepted, message)
            .hint("look at what changed: add --preview")
            .hint("say, on record, that the approvals stand for the edited script: add --accept"),
    ))
}

/// What does not fit, with the ways on that an edit has.
pub fn mismatch(error: &Diagnostic, accepted: bool) -> Diagnostic {
    let mut diagnostic = error.clone();
    diagnostic.hints.retain(|hint| !hint.starts_with("look at it with"));
    if !accepted {
        diagnostic = diagnostic
            .hint("where the script only leaves what was recorded: --preview --accept shows that");
    }
    diagnostic.hint("or go on with the stored script: piton resume RUN")
}

/// Gates that were approved and that the edited script still has, in the order they closed. Those whose
/// standing was accepted by an edit before count anew: the script is another one again.
///
/// # Errors
/// Entries that cannot be read.
pub fn approved(
    journal: &dyn Journal,
    row: &RunRow,
    replay: &Replay,
) -> Result<Vec<String>, JournalError> {
    let mut gates = Vec::new();
    let mut after = 0;
    while after < row.head.seq {
        let chunk = journal.entries(&row.run, after, 512)?;
        let Some(last) = chunk.last() else { break };
        after = last.seq;
        for stored in chunk {
            let Body::GateClosed(result) = stored.entry.body else { continue };
            let key = stored.entry.key.as_ref();
            let is_left = replay.left.iter().any(|left| {
                key.is_some_and(|key| key.branch() == left.branch)
                    && (left.from_seq..=left.to_seq).contains(&stored.seq)
            });
            let counts = !is_left && !row.summary.is_void(stored.seq, key);
            if counts && result.closed == Closed::Approved && !gates.contains(&result.gate) {
                gates.push(result.gate);
            }
        }
    }
    Ok(gates)
}

/// Stores the edited program and its entry in one commit.
fn record(
    engine: &Engine,
    lease: &dyn Lease,
    row: &RunRow,
    how: &Resume,
    edit: &Edit,
    replay: Replay,
    stands: Vec<String>,
) -> Result<(), RunnerError> {
    let at = engine.ports.clock.now().max(row.summary.updated_at);
    let edited = Edited {
        source: edit.source.clone(),
        by: edit.by.clone(),
        stands,
        left: replay.left,
        withdrawn: replay.withdrawn,
        ..Edited::plain(row.program, edit.program.digest())
    };
    let told = EventKind::Edited(Box::new(edited.clone()));
    let mut entries = Vec::new();
    if let (true, RunStatus::Failed, Some(from_seq)) =
        (how.retry, row.summary.status, row.summary.retry_from)
    {
        let branches = row.summary.retry_in.clone();
        let retried = Retried { from_seq, to_seq: row.head.seq, branches };
        entries.push(Entry { key: None, at, body: Body::Retried(retried) });
    }
    entries.push(Entry { key: None, at, body: Body::Edited(edited) });
    let summary = folded(row, &entries)?;
    let (program, files) = (edit.program.digest(), edit.program.files());
    engine.ports.journal.edit(lease, &program, files, &entries, &summary)?;
    let run = row.run.clone();
    let event = piton_core::event::RunEvent { run, at, branch: String::new(), kind: told };
    engine.ports.events.emit(&event);
    Ok(())
}

fn folded(row: &RunRow, entries: &[Entry]) -> Result<RunSummary, RunnerError> {
    let mut summary = row.summary.clone();
    for entry in entries {
        summary.apply(entry).map_err(|illegal| {
            RunnerError::refused(Diagnostic::error(Code::WrongState, illegal.to_string()))
        })?;
    }
    Ok(summary)
}
