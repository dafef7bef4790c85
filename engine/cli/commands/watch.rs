//! `piton watch`: a run's entries as they are made.

use std::thread;
use std::time::Duration;

use clap::Args;
use piton_core::status::RunStatus;

use crate::context::Context;
use crate::failure::{Outcome, exit};
use crate::views::entries::Rows;
use crate::{console, views};

/// Entries read at a time.
const CHUNK: usize = 512;

/// How often the journal is looked at: often enough to look live, seldom enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(200);

/// Follow a run while another process drives it
#[derive(Args)]
pub(crate) struct WatchArgs {
    /// Id of the run, or the beginning of one
    run: String,
}

/// Runs the command: until nobody drives the run.
pub(crate) fn run(context: &Context, args: &WatchArgs) -> Outcome {
    let journal = context.journal()?;
    let run = journal.find(&args.run)?.run;
    let mut rows = Rows::default();
    let mut after = 0;
    loop {
        // The state is read before the entries: an end that comes in between is seen next time.
        let row = journal.find(&run.0)?;
        loop {
            let entries = journal.entries(&run, after, CHUNK)?;
            let Some(last) = entries.last() else { break };
            after = last.seq;
            for entry in &entries {
                let view = rows.row(entry);
                match context.json {
                    true => console::json_line(&view),
                    false => console::out(&console::printable(&view.line())),
                }
            }
        }
        if row.status() != RunStatus::Running {
            let waiting = row.summary.waiting_for();
            let words = match waiting.is_empty() {
                true => String::new(),
                false => format!(", waiting for {}", views::waiting_words(&waiting)),
            };
            console::err(&format!("run {run} is {}{words}", row.status()));
            return Ok(exit::DONE);
        }
        thread::sleep(PAUSE);
    }
}
