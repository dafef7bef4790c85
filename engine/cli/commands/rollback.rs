//! `piton rollback`: taking back what a run did.

use clap::Args;
use piton_core::compensation::Plan;
use piton_core::ports::{RunId, RunRow};
use piton_runner::engine::new_run_id;
use piton_runner::{TakeBack, rollback};
use serde::Serialize;
use serde_json::Value;

use crate::clocks::SystemEntropy;
use crate::commands::ls;
use crate::context::Context;
use crate::driving::{self, DriveArgs};
use crate::failure::{Failure, Outcome, exit};
use crate::wiring::Surroundings;
use crate::{console, identity};

/// Take back what a run did, in a run of its own
///
/// The reverse of everything the run created or changed, made from its journal. Only what the run did
/// is touched; what somebody changed since is shown and asked about. The rollback is a run with its
/// own id: journaled, resumable, with gates and a report. Asked again, it goes on where it stood.
#[derive(Args)]
pub(crate) struct RollbackArgs {
    /// Id of the run, or the beginning of one
    run: String,
    /// Show what would be taken back, and what stays; nothing is sent
    #[arg(long)]
    plan: bool,
    /// Begin without asking
    #[arg(long)]
    yes: bool,
    /// A label for the run
    #[arg(long = "label", value_name = "K=V")]
    labels: Vec<String>,
    /// Alias of the account that counts as whoever starts the rollback
    #[arg(long = "as", value_name = "ALIAS")]
    as_alias: Option<String>,
    #[command(flatten)]
    drive: DriveArgs,
}

impl RollbackArgs {
    /// Whether a run is driven: a plan is a query.
    pub(crate) fn drives(&self) -> bool {
        !self.plan
    }
}

/// The plan, as programs get it.
#[derive(Serialize)]
struct PlanView {
    run: String,
    runbook: String,
    /// What is taken back, in order.
    takes_back: Vec<ItemView>,
    /// What stays.
    stays: Vec<StayView>,
}

#[derive(Serialize)]
struct ItemView {
    what: String,
    made_by: String,
    key: String,
    account: String,
    /// The script named what takes it back.
    by_script: bool,
    calls: Vec<CallView>,
    /// What is left all the same.
    remains: Option<String>,
}

#[derive(Serialize)]
struct CallView {
    service: String,
    operation: String,
    account: String,
    input: Value,
    /// The read that says for what it is made, each time for one thing.
    for_each: Option<String>,
}

#[derive(Serialize)]
struct StayView {
    what: String,
    made_by: String,
    key: String,
    account: String,
    why: String,
    goes_with: Option<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &RollbackArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    if args.plan {
        let plan = rollback::ledger(journal.as_ref(), &row.run)?.plan();
        show(context, &plan);
        return Ok(exit::DONE);
    }
    let options = args.drive.options(context)?;
    let begun = row.summary.rolled_back_by.clone();
    let is_new = begun.as_ref().is_none_or(|by| journal.find(&by.0).is_err());
    let run = begun.unwrap_or_else(|| new_run_id(&SystemEntropy));
    let surroundings = surroundings(context, &row, &run)?;
    if is_new && !args.yes && !agreed(context, &row)? {
        return Err(Failure::usage("nothing was taken back"));
    }
    let how = TakeBack {
        source: row.run.clone(),
        run: if is_new { run } else { new_run_id(&SystemEntropy) },
        requester: identity::requester(context, &surroundings, args.as_alias.as_deref())?,
        labels: ls::labels(&args.labels)?,
        options,
    };
    driving::drive(context, &surroundings, |engine| engine.rollback(&how))
        .map_err(|failure| failure.about(&row.run.0))
}

/// What the run acted on, in sessions that carry the id of the rollback.
fn surroundings(context: &Context, row: &RunRow, run: &RunId) -> Result<Surroundings, Failure> {
    let own = RunRow { run: run.clone(), ..row.clone() };
    Surroundings::of_run(context, &own).map_err(|failure| failure.about(&row.run.0))
}

/// At a terminal: shows the plan and asks.
fn agreed(context: &Context, row: &RunRow) -> Result<bool, Failure> {
    if context.json || !console::is_interactive() {
        return Ok(true);
    }
    let plan = rollback::ledger(context.journal()?.as_ref(), &row.run)?.plan();
    console::err(&text(&plan));
    let where_to = if row.summary.world.is_some() { "in the sandbox" } else { "in AWS" };
    let question = format!("This takes {} things back {where_to}. Begin?", plan.items.len());
    Ok(console::confirm(&question))
}

fn show(context: &Context, plan: &Plan) {
    match context.json {
        true => console::document(&view(plan)),
        false => console::out(&text(plan)),
    }
}

fn view(plan: &Plan) -> PlanView {
    PlanView {
        run: plan.source.0.clone(),
        runbook: plan.runbook.clone(),
        takes_back: plan
            .items
            .iter()
            .map(|item| ItemView {
                what: item.what.clone(),
                made_by: item.made_by.clone(),
                key: item.key.as_str().to_owned(),
                account: item.account.to_string(),
                by_script: item.by_script,
                calls: item
                    .calls
                    .iter()
                    .map(|call| CallView {
                        service: call.service.clone(),
                        operation: call.inverse.operation.clone(),
                        account: call.account.to_string(),
                        input: call.inverse.input.clone(),
                        for_each: call.inverse.each.as_ref().map(|look| look.operation.clone()),
                    })
                    .collect(),
                remains: item.remains.clone(),
            })
            .collect(),
        stays: plan
            .stays
            .iter()
            .map(|stay| StayView {
                what: stay.what.clone(),
                made_by: stay.made_by.clone(),
                key: stay.key.as_str().to_owned(),
                account: stay.account.to_string(),
                why: stay.why.clone(),
                goes_with: stay.goes_with.clone(),
            })
            .collect(),
    }
}

fn text(plan: &Plan) -> String {
    let mut parts = Vec::new();
    if plan.items.is_empty() {
        parts.push(format!("run {} did nothing that is taken back", plan.source));
    } else {
        let rows: Vec<Vec<String>> = plan
            .items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let calls: Vec<String> = item
                    .calls
                    .iter()
                    .map(|call| format!("{}.{}", call.service, call.inverse.operation))
                    .collect();
                vec![
                    (index + 1).to_string(),
                    item.what.clone(),
                    calls.join(", "),
                    item.account.to_string(),
                ]
            })
            .collect();
        let table = console::table(&["", "what", "taken back by", "as"], &rows);
        parts.push(console::printable(&table));
    }
    let remains = plan.items.iter().filter_map(|item| {
        let remains = item.remains.as_ref()?;
        Some(vec![item.what.clone(), item.made_by.clone(), remains.clone()])
    });
    let stays = plan.stays.iter().map(|stay| {
        let why = match &stay.goes_with {
            Some(with) => format!("goes away with {with}"),
            None => stay.why.clone(),
        };
        vec![stay.what.clone(), stay.made_by.clone(), why]
    });
    let rows: Vec<Vec<String>> = remains.chain(stays).collect();
    if !rows.is_empty() {
        parts.push(String::new());
        let table = console::table(&["stays", "made by", "why"], &rows);
        parts.push(console::printable(&table));
    }
    parts.join("\n")
}
