//! `piton inbox`: gates that wait for people, and doubts that only people can settle.

use clap::Args;
use piton_core::status::RunStatus;

use crate::context::Context;
use crate::doubts::DoubtView;
use crate::failure::{Failure, Outcome, exit};
use crate::{console, doubts, gates, views};

/// List what waits for a decision, with the commands that decide it
#[derive(Args)]
pub(crate) struct InboxArgs {
    /// Only gates of this run
    run: Option<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &InboxArgs) -> Outcome {
    let mut open = gates::open_everywhere(context)?;
    if let Some(prefix) = &args.run {
        let run = context.journal()?.find(prefix)?.run;
        open.retain(|(row, _)| row.run == run);
    }
    let items = gates::items(context, &open);
    if context.json {
        console::document(&items);
        return Ok(exit::DONE);
    }
    let in_doubt = in_doubt(context, args)?;
    if items.is_empty() && in_doubt.is_empty() {
        console::err("nothing waits for a decision");
    }
    for (item, (row, gate)) in items.iter().zip(&open) {
        let since = views::moment(item.opened_at);
        console::out(&format!(
            "{}  (run {} of {}, since {since})",
            item.gate, item.run, row.runbook
        ));
        console::out(&format!("  for {}, {} needed", gates::who_may(&gate.request), item.need));
        if let Some(at) = item.expires_at {
            console::out(&format!("  expires {}", views::moment(at)));
        }
        for decision in &item.decisions {
            console::out(&format!("  {} by {}", decision.decision, decision.by));
        }
        if let Some(instructions) = &gate.request.instructions {
            console::out(&console::printable(&format!("  {instructions}")));
        }
        if !item.show.is_null() {
            let text = serde_json::to_string_pretty(&item.show).expect("a view is plain data");
            text.lines().for_each(|line| console::out(&format!("    {line}")));
        }
        console::out(&format!("  {}", item.approve_with));
        console::out(&format!("  {}", item.reject_with));
    }
    doubts::show(&in_doubt);
    Ok(exit::DONE)
}

/// What a person has to settle besides gates.
fn in_doubt(context: &Context, args: &InboxArgs) -> Result<Vec<DoubtView>, Failure> {
    let journal = context.journal()?;
    let rows = match &args.run {
        Some(prefix) => vec![journal.find(prefix)?],
        // A child is shown with the run that waits for it.
        None => journal.runs()?.into_iter().filter(|row| row.summary.parent.is_none()).collect(),
    };
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| row.status() == RunStatus::Stuck) {
        found.extend(doubts::of_run(context, journal.as_ref(), row)?);
    }
    Ok(found)
}
