//! `piton cancel`: ending a run.

use std::sync::Arc;

use clap::Args;
use piton_core::status::RunStatus;
use piton_runner::Interrupt;
use serde_json::json;

use crate::context::Context;
use crate::failure::{Outcome, exit};
use crate::person::Nobody;
use crate::progress::{self, Screen};
use crate::wiring::Surroundings;
use crate::{console, identity};

/// End a run: at once when nobody drives it, else at its driver's next safe point
#[derive(Args)]
pub(crate) struct CancelArgs {
    /// Id of the run, or the beginning of one
    run: String,
    /// Why
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Alias of the account to cancel as
    #[arg(long = "as", value_name = "ALIAS")]
    as_alias: Option<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: CancelArgs) -> Outcome {
    let row = context.journal()?.find(&args.run)?;
    let surroundings = Surroundings::of_run(context, &row)?;
    let by = identity::known_name(context, &surroundings, args.as_alias.as_deref())?;
    let screen = Arc::new(Screen::new(false));
    let events = progress::sink(None, &screen);
    let engine = surroundings.engine(context, events, Arc::new(Nobody), Interrupt::default())?;
    let status = engine.cancel(&row.run, by, args.message)?;
    if context.json {
        console::document(&json!({"run": row.run, "status": status.as_str()}));
    } else if status == RunStatus::Cancelled {
        console::out(&format!("run {} is cancelled", row.run));
    } else {
        console::out(&format!("run {} ends at its next safe point", row.run));
    }
    Ok(exit::DONE)
}
