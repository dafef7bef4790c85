//! `piton drift`: whether what a run left is still as it was.

use std::sync::Arc;

use clap::Args;
use piton_core::compensation::Origin;
use piton_runner::Interrupt;
use piton_runner::drift::{Drift, StandingNow, ThingNow};
use serde_json::Value;

use crate::console;
use crate::context::Context;
use crate::failure::{Outcome, exit};
use crate::person::Nobody;
use crate::progress::{self, Screen};
use crate::wiring::Surroundings;

/// Say whether what a run made or worked with is still as it left it
///
/// Reads everything again and shows what is gone, changed or made anew under the same name. Changes
/// nothing. Exit code 0 when all is as it was, 10 when something is not.
#[derive(Args)]
pub(crate) struct DriftArgs {
    /// Id of the run, or the beginning of one
    run: String,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &DriftArgs) -> Outcome {
    let row = context.journal()?.find(&args.run)?;
    let surroundings = Surroundings::of_run(context, &row)?;
    let screen = Arc::new(Screen::new(false));
    let events = progress::sink(None, &screen);
    let engine = surroundings.engine(context, events, Arc::new(Nobody), Interrupt::default())?;
    let drift = engine.drift(&row.run)?;
    match context.json {
        true => console::document(&drift),
        false => show(&drift),
    }
    Ok(if drift.is_none() { exit::DONE } else { exit::FORGED })
}

fn show(drift: &Drift) {
    let is_other = |thing: &&ThingNow| thing.standing != StandingNow::Same;
    let others: Vec<&ThingNow> = drift.things.iter().filter(is_other).collect();
    if others.is_empty() {
        let count = drift.things.len();
        console::out(&format!("{count} things are as run {} left them", drift.run));
        return;
    }
    let rows: Vec<Vec<String>> = others.into_iter().flat_map(rows).collect();
    let headings = ["what", "is", "field", "was", "is now", "from"];
    console::out(&console::printable(&console::table(&headings, &rows)));
}

/// One row for each difference, or one for the thing.
fn rows(thing: &ThingNow) -> Vec<Vec<String>> {
    let origin = match thing.origin {
        Origin::Made => "made",
        Origin::Found => "found",
    };
    let row = |field: &str, was: String, is: String| {
        let (what, standing) = (thing.what.clone(), thing.standing.as_str().to_owned());
        vec![what, standing, field.to_owned(), was, is, origin.to_owned()]
    };
    if thing.differences.is_empty() {
        return vec![row("", String::new(), thing.error.clone().unwrap_or_default())];
    }
    thing
        .differences
        .iter()
        .map(|change| row(&change.field, plain(&change.was), plain(&change.is)))
        .collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
