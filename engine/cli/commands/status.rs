//! `piton status`: waiting for what, since when, who can act, with which command, would it go on.

use clap::Args;
use piton_core::diagnostic::Diagnostic;
use piton_core::gate;
use piton_core::key::Key;
use piton_core::ports::{Holder, Journal, OpenGate, RunRow};
use piton_core::status::{Reason, RunStatus};
use piton_core::time::Timestamp;
use piton_script::Program;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::gates::{self, Directory, InboxItem};
use crate::views::RunView;
use crate::{clocks, console, views};

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
    would_resume: WouldResume,
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

#[derive(Serialize)]
struct WouldResume {
    /// Nothing that can be seen from here stands in the way; credentials are not tried.
    cleanly: bool,
    problems: Vec<String>,
    /// A resume would wait again at once.
    still_waits: bool,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &StatusArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    let open = journal.open_gates(&row.run)?;
    let view = StatusView {
        run: RunView::from(&row),
        since: row.summary.updated_at,
        holder: row.holder.clone(),
        locks: locks(journal.as_ref(), &row)?,
        actions: actions(context, &row, &open)?,
        would_resume: would_resume(context, &row, &open)?,
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
    for action in &view.actions {
        let since =
            action.since.map_or_else(String::new, |at| format!(" since {}", views::moment(at)));
        console::out(&format!("{}{since}, for {}:", action.what, action.who));
        console::out(&format!("  {}", action.command));
    }
    if !row.status().is_final() && view.holder.is_none() {
        match (view.would_resume.cleanly, view.would_resume.still_waits) {
            (true, false) => console::out("a resume would go on now"),
            (true, true) => console::out("a resume would wait again"),
            (false, _) => {
                console::out("a resume would be refused:");
                for problem in &view.would_resume.problems {
                    console::out(&format!("  {problem}"));
                }
            }
        }
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

fn actions(context: &Context, row: &RunRow, open: &[OpenGate]) -> Result<Vec<Action>, Failure> {
    let run = row.run.0.as_str();
    let mut actions = Vec::new();
    settle(context, row, open, &mut actions)?;
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
        Reason::Doubt { key, operation, .. } => (
            format!("{operation} is in doubt"),
            "anybody who can look in AWS",
            resolve(key, "--retry"),
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

fn would_resume(
    context: &Context,
    row: &RunRow,
    open: &[OpenGate],
) -> Result<WouldResume, Failure> {
    let mut problems = Vec::new();
    if let Some(holder) = &row.holder {
        problems.push(format!("process {} on {} drives it", holder.pid, holder.host));
    }
    if let Some(by) = &row.summary.rolled_back_by {
        problems.push(format!("run {by} takes it back"));
    }
    let attempts_again = matches!(row.summary.reason, Some(Reason::NotTakenBack { .. }));
    match row.status() {
        RunStatus::Stuck if attempts_again => {}
        RunStatus::Stuck => problems.push("a doubt is not settled".to_owned()),
        RunStatus::Mismatch => problems.push("its script asks for something else".to_owned()),
        _ => {}
    }
    let journal = context.journal()?;
    let files = journal.program(&row.program)?;
    if let Err(diagnostics) = Program::from_files(&row.runbook, files) {
        problems.extend(diagnostics.into_iter().map(|diagnostic| diagnostic.message));
    }
    let home = context.home()?;
    let mut now = clocks::machine_now();
    match &row.summary.world {
        Some(name) => match home.worlds().stored(name) {
            Ok(world) => now = clocks::timestamp(world.sandbox.now()?),
            Err(_) => problems.push(format!("its world {name} is gone")),
        },
        None => problems.extend(context.accounts().err().map(|failure| failure.message())),
    }
    if !journal.sealed(&row.run)?.is_empty() && !home.key_path().is_file() {
        problems
            .push(format!("{} is gone, and secrets are sealed with it", home.key_path().display()));
    }
    let still_waits = |reason: &Reason| match reason {
        Reason::Gates => {
            open.iter().all(|gate| gate::verdict(&gate.request, &gate.decisions, now).is_none())
        }
        // A virtual clock waits for nothing but people.
        Reason::Child { run, .. } => journal.open_gates(run).is_ok_and(|open| {
            !open.is_empty()
                && open
                    .iter()
                    .all(|gate| gate::verdict(&gate.request, &gate.decisions, now).is_none())
        }),
        Reason::Lock { name, .. } => {
            journal.locks().is_ok_and(|held| held.iter().any(|lock| lock.name == *name))
        }
        Reason::Timer { until, .. } => row.summary.world.is_none() && *until > now,
        _ => false,
    };
    let reasons = row.summary.reasons();
    Ok(WouldResume {
        cleanly: problems.is_empty() && !row.status().is_final(),
        problems,
        still_waits: !reasons.is_empty() && reasons.iter().all(still_waits),
    })
}
