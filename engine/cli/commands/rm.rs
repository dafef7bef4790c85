//! `piton rm`: forgetting runs.

use clap::Args;
use piton_core::ports::{Journal, JournalError, RunId, RunRow};
use serde_json::json;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};

/// Remove runs with their journals; nothing in AWS is touched
#[derive(Args)]
pub(crate) struct RmArgs {
    /// Ids of runs, or beginnings of them
    #[arg(required = true)]
    run: Vec<String>,
    /// Remove runs against AWS too that have not ended
    #[arg(long)]
    yes: bool,
    /// Remove a rehearsal's world with it, unless another run uses it
    #[arg(long)]
    world: bool,
}

/// The run that called this one and has not ended, unless it is gone.
fn waiting_parent(journal: &dyn Journal, row: &RunRow) -> Result<Option<RunId>, Failure> {
    let Some(parent) = &row.summary.parent else { return Ok(None) };
    match journal.find(&parent.0) {
        Ok(caller) => Ok(Some(caller.run).filter(|_| !caller.summary.status.is_final())),
        Err(JournalError::NoRun(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &RmArgs) -> Outcome {
    let journal = context.journal()?;
    let mut rows = Vec::new();
    for prefix in &args.run {
        let row = journal.find(prefix)?;
        if let Some(parent) = waiting_parent(journal.as_ref(), &row)? {
            return Err(Failure::usage(format!(
                "run {} was called by run {parent}, which goes on with it and would do its work again",
                row.run
            ))
            .hint(format!("remove or cancel run {parent} first")));
        }
        let ends_nothing = row.status().is_final() || row.summary.world.is_some() || args.yes;
        let agreed = || {
            !context.json
                && console::is_interactive()
                && console::confirm(&format!("run {} is {}: remove it?", row.run, row.status()))
        };
        if !ends_nothing && !agreed() {
            return Err(Failure::usage(format!(
                "run {} is {}; what it created in AWS would be known to nobody",
                row.run,
                row.status()
            ))
            .hint("cancel it first, or remove it all the same with --yes"));
        }
        rows.push(row);
    }
    let mut removed = Vec::new();
    for row in rows {
        journal.remove(&row.run)?;
        if let Some(world) = row.summary.world.as_ref().filter(|_| args.world) {
            let others = journal.runs()?;
            if !others.iter().any(|other| other.summary.world.as_ref() == Some(world)) {
                context.home()?.worlds().remove(world)?;
            }
        }
        removed.push(row.run.0);
    }
    match context.json {
        true => console::document(&json!({"removed": removed})),
        false => removed.iter().for_each(|run| console::out(&format!("removed run {run}"))),
    }
    Ok(exit::DONE)
}
