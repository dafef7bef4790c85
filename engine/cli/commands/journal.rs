//! `piton journal`: the entries of a run.

use clap::Args;

use crate::console;
use crate::context::Context;
use crate::failure::{Outcome, exit};
use crate::views::entries::{EntryView, Rows};

/// Entries read at a time.
const CHUNK: usize = 512;

/// List the entries of a run's journal
#[derive(Args)]
pub(crate) struct JournalArgs {
    /// Id of the run, or the beginning of one
    run: String,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &JournalArgs) -> Outcome {
    let journal = context.journal()?;
    let run = journal.find(&args.run)?.run;
    let mut rows = Rows::default();
    let mut views: Vec<EntryView> = Vec::new();
    let mut after = 0;
    loop {
        let entries = journal.entries(&run, after, CHUNK)?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        views.extend(entries.iter().map(|entry| rows.row(entry)));
    }
    match context.json {
        true => console::document(&views),
        false => views.iter().for_each(|view| console::out(&console::printable(&view.line()))),
    }
    Ok(exit::DONE)
}
