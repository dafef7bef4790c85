//! `piton status`: waiting for what, since when, who can act, with which command, would it go on.

use clap::Args;
use piton_core::diagnostic::Diagnostic;
use piton_core::key::Key;
use piton_core::ports::{Holder, Journal, OpenGate, RunId, RunRow};
use piton_core::status::{Reason, RunStatus};
use piton_core::time::Timestamp;
use serde::Serialize;

use crate::context::Context;
use crate::diagnosis::{Diagnosis, Situation, Verdict};
use crate::doubts::{self, DoubtView};
use crate::failure::{Failure, Outcome, exit};
use crate::gates::{self, Directory, InboxItem};
use crate::views::RunView;
use crate::{console, views};

/// Say what a run waits for, who can act, and with which command
#[derive(Args)]
pub(crate) struct StatusArgs {
    /// Id of the run, or the beginning of one
    run: String,
}

#[derive(Serialize)]
struct StatusView {
    #[serde(flatten)]
    run: RunView,
    /// Since when the run is in this status.
    since: Timestamp,
    holder: Option<Holder>,
    /// Names of the locks that the run holds.
    locks: Vec<String>,
    /// What somebody can do, in the order that makes sense.
    actions: Vec<Action>,
    /// What a person has to settle, with what AWS has.
    doubts: Vec<DoubtView>,
    would_resume: Diagnosis,
    error: Option<Diagnostic>,
}

#[derive(Serialize)]
struct Action {
    /// What the run waits for, or what to do next.
    what: String,
    since: Option<Timestamp>,
    who: String,
    command: String,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &StatusArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    let open = journal.open_gates(&row.run)?;
    let mut situation = Situation::look(context, true)?;
    let heads = |run: &RunId| journal.find(&run.0).ok().map(|row| row.head.hash);
    let (would_resume, _) = situation.diagnose(&row, true, &heads)?;
    situation.keep();
    let doubts = doubts::of_run(context, journal.as_ref(), &row)?;
    let view = StatusView {
        run: RunView::from(&row),
        since: row.summary.updated_at,
        holder: row.holder.clone(),
        locks: locks(journal.as_ref(), &row)?,
        actions: actions(context, &row, &open, &doubts)?,
        doubts,
        would_resume,
        error: row.summary.error.clone(),
    };
    match context.json {
        true => console::document(&view),
        false => show(&row, &view),
    }
    Ok(exit::DONE)
}

fn show(row: &RunRow, view: &StatusView) {
    let since = views::moment(view.since);
    console::out(&format!("run {} of {} is {} since {since}", row.run, row.runbook, row.status()));
    if let Some(holder) = &view.holder {
        console::out(&format!("driven by process {} on {}", holder.pid, holder.host));
    }
    if !view.locks.is_empty() {
        console::out(&format!("holds {}", view.locks.join(", ")));
    }
    if let Some(error) = &view.error {
        console::out(&format!("{}: {}", error.code, error.message));
    }
    view.doubts.iter().for_each(DoubtView::show);
    for action in &view.actions {
        let since =
            action.since.map_or_else(String::new, |at| format!(" since {}", views::moment(at)));
        console::out(&format!("{}{since}, for {}:", action.what, action.who));
        console::out(&format!("  {}", action.command));
    }
    show_diagnosis(&view.would_resume, &view.actions);
}

fn show_diagnosis(diagnosis: &Diagnosis, told: &[Action]) {
    let heading = match diagnosis.verdict {
        Verdict::Ended => return,
        Verdict::GoesOn | Verdict::Ends | Verdict::Cancels => "a resume would go on now:",
        Verdict::Waits => "a resume would wait again:",
        Verdict::Fails => "a resume would fail:",
        Verdict::Mismatch => "a resume would stop at a mismatch:",
        Verdict::Held => "a resume would be refused now:",
        _ => "a resume would be refused, or go no further:",
    };
    console::out(heading);
    if diagnosis.would.is_empty() {
        console::out(&console::printable(&format!("  {}", diagnosis.reason)));
    }
    for would in &diagnosis.would {
        let place = would.file.as_ref().zip(would.line);
        let place = place.map_or_else(String::new, |(file, line)| format!(" ({file}:{line})"));
        console::out(&console::printable(&format!("  {}{place}", would.what)));
    }
    let is_new = |command: &&String| told.iter().all(|action| action.command != **command);
    for command in diagnosis.next.iter().filter(is_new) {
        console::out(&format!("  {command}"));
    }
}

fn locks(journal: &dyn Journal, row: &RunRow) -> Result<Vec<String>, Failure> {
    let held = journal.locks()?.into_iter().filter(|lock| lock.run == row.run);
    Ok(held.map(|lock| lock.name).collect())
}

/// What can be done about what a run waits for, and about what its child runs wait for.
fn settle(
    context: &Context,
    row: &RunRow,
    open: &[OpenGate],
    actions: &mut Vec<Action>,
) -> Result<(), Failure> {
    let directory = Directory::known(context, row.summary.world.as_deref());
    for gate in open.iter().filter(|gate| !gates::is_decided(gate)) {
        let item = InboxItem::new(context, &row.run, gate, &directory);
        actions.push(Action {
            what: format!("gate {} is open", item.gate),
            since: Some(gate.opened_at),
            who: gates::who_may(&gate.request),
            command: item.approve_with,
        });
    }
    actions.extend(row.summary.reasons().iter().filter_map(|one| remedy(context, row, one)));
    let journal = context.journal()?;
    for reason in row.summary.reasons() {
        if let Reason::Child { run, .. } = reason {
            let open = journal.open_gates(run)?;
            settle(context, &journal.find(&run.0)?, &open, actions)?;
        }
    }
    Ok(())
}

fn actions(
    context: &Context,
    row: &RunRow,
    open: &[OpenGate],
    doubts: &[DoubtView],
) -> Result<Vec<Action>, Failure> {
    let run = row.run.0.as_str();
    let mut actions = Vec::new();
    settle(context, row, open, &mut actions)?;
    for doubt in doubts {
        actions.extend(doubt.ways.iter().map(|way| Action {
            what: format!("{} is in doubt: {}", doubt.operation, way.when),
            since: Some(doubt.since),
            who: "anybody who can look in AWS".to_owned(),
            command: way.command.clone(),
        }));
    }
    let go_on = match row.status() {
        RunStatus::Compensating | RunStatus::Stuck if row.summary.rolled_back_by.is_some() => {
            Some(views::go_on(row))
        }
        RunStatus::Stuck if row.summary.rollback_of.is_some() => Some(views::go_on(row)),
        RunStatus::Suspended | RunStatus::Interrupted => Some(views::go_on(row)),
        RunStatus::Failed if row.summary.retry_from.is_some() => {
            Some(vec!["resume", run, "--retry"])
        }
        _ => None,
    };
    if let Some(words) = go_on {
        actions.push(Action {
            what: "the run goes on with a resume".to_owned(),
            since: None,
            who: "anybody with its credentials".to_owned(),
            command: context.command(&words),
        });
    }
    Ok(actions)
}

/// What somebody can do about a reason that is no gate.
fn remedy(context: &Context, row: &RunRow, reason: &Reason) -> Option<Action> {
    let resolve = |key: &Key, how: &str| {
        context.command(&["resolve", &row.run.0, key.as_str(), how, "-m", "REASON"])
    };
    let (what, who, command) = match reason {
        Reason::Credentials { alias, renew_with: Some(command), .. } => (
            format!("the credentials of {alias} do not work"),
            "whoever holds them",
            command.clone(),
        ),
        Reason::NotTakenBack { key, what, .. } => (
            format!("{what} was not taken back; it may be left as it is"),
            "anybody who can look in AWS",
            resolve(key, "--skip"),
        ),
        _ => return None,
    };
    Some(Action { what, since: Some(row.summary.updated_at), who: who.to_owned(), command })
}
