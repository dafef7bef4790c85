//! `piton ls`: the runs of this home.

use clap::Args;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::views::{self, RunView};

/// List runs, newest first
#[derive(Args)]
pub(crate) struct LsArgs {
    /// Only runs of this status, such as suspended
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only runs with this label
    #[arg(long = "label", value_name = "K=V")]
    labels: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &LsArgs) -> Outcome {
    let wanted = labels(&args.labels)?;
    let mut rows = context.journal()?.runs()?;
    rows.retain(|row| {
        args.status.as_deref().is_none_or(|status| status == row.status().as_str())
            && wanted.iter().all(|label| row.labels.contains(label))
    });
    if context.json {
        let views: Vec<RunView> = rows.iter().map(RunView::from).collect();
        console::document(&views);
        return Ok(exit::DONE);
    }
    if rows.is_empty() {
        console::err("no runs");
        return Ok(exit::DONE);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.run.0.clone(),
                match &row.summary.parent {
                    Some(parent) => format!("{} (called by {parent})", row.runbook),
                    None => row.runbook.clone(),
                },
                row.name.clone().unwrap_or_default(),
                match row.copy {
                    true => format!("{} (copy)", row.status()),
                    false => row.status().to_string(),
                },
                views::moment(row.summary.updated_at),
                views::waiting_words(&row.summary.waiting_for()),
            ]
        })
        .collect();
    let headings = ["run", "runbook", "name", "status", "last entry", "waiting for"];
    console::out(&console::table(&headings, &cells));
    Ok(exit::DONE)
}

/// Labels as `NAME=VALUE`.
pub(crate) fn labels(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |label: &String| {
        let (name, value) = label
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("`--label {label}` is not NAME=VALUE")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    given.iter().map(pair).collect()
}
