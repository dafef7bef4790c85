//! `piton show`: what a run is and what came of it.

use std::collections::BTreeMap;

use clap::Args;
use piton_core::diagnostic::Diagnostic;
use piton_core::time::Timestamp;
use piton_runner::report::{Artifact, ChildRun, Program, Report};
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::doubts::{self, DoubtView};
use crate::failure::{Outcome, exit};
use crate::views::{self, RunView};
use crate::{console, render};

/// Show a run: parameters, accounts, steps, results
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Id of the run, or the beginning of one
    run: String,
}

#[derive(Serialize)]
struct ShowView {
    #[serde(flatten)]
    run: RunView,
    title: String,
    world: Option<String>,
    children: Vec<ChildRun>,
    labels: BTreeMap<String, String>,
    params: Value,
    accounts: Vec<AccountView>,
    steps: Vec<StepView>,
    outputs: BTreeMap<String, Value>,
    artifacts: Vec<Artifact>,
    program: Program,
    error: Option<Diagnostic>,
    /// What a person has to settle.
    doubts: Vec<DoubtView>,
}

#[derive(Serialize)]
struct AccountView {
    alias: String,
    account: String,
    arn: String,
    region: String,
}

#[derive(Serialize)]
struct StepView {
    path: String,
    name: String,
    status: &'static str,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ShowArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    let report = Report::load(journal.as_ref(), &row.run)?;
    let in_doubt = doubts::of_run(context, journal.as_ref(), &row)?;
    if context.json {
        console::document(&view(RunView::from(&row), report, in_doubt));
    } else {
        show(&report);
        doubts::show(&in_doubt);
    }
    Ok(exit::DONE)
}

fn view(run: RunView, report: Report, doubts: Vec<DoubtView>) -> ShowView {
    ShowView {
        run,
        doubts,
        title: report.title,
        world: report.world,
        children: report.children,
        labels: report.labels.into_iter().collect(),
        params: report.params,
        accounts: report
            .accounts
            .into_iter()
            .map(|account| AccountView {
                alias: account.alias,
                account: account.account,
                arn: account.arn,
                region: account.region,
            })
            .collect(),
        steps: report
            .steps
            .into_iter()
            .map(|step| StepView {
                path: step.path,
                name: step.name,
                status: step.status,
                started_at: step.started_at,
                ended_at: step.ended_at,
            })
            .collect(),
        outputs: report.outputs.into_iter().map(|output| (output.name, output.value)).collect(),
        artifacts: report.artifacts,
        program: report.program,
        error: report.error,
    }
}

fn show(report: &Report) {
    let name = report.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    console::out(&format!("{}  {}{name}", report.run, report.title));
    console::out(&format!("runbook   {}, program {}", report.runbook, report.program.hash));
    console::out(&format!("status    {}", report.status));
    if let Some(world) = &report.world {
        console::out(&format!("sandbox   world {world}"));
    }
    let (from, to) = (views::moment(report.started_at), views::moment(report.updated_at));
    console::out(&format!("time      {from} to {to}, {}", report.took));
    if !report.waiting_for.is_empty() {
        console::out(&format!("waiting   {}", views::waiting_words(&report.waiting_for)));
    }
    if let Some(parent) = &report.parent {
        console::out(&format!("called by {parent}"));
    }
    section("called", &report.children, |child| {
        format!("{}: run {}, {}", child.runbook, child.run, child.status)
    });
    section("parameters", report.params.as_object().into_iter().flatten(), |(name, value)| {
        format!("{name} = {}", plain(value))
    });
    section("accounts", &report.accounts, |account| {
        format!("{}  {} in {}", account.alias, account.arn, account.region)
    });
    section("steps", &report.steps, |step| {
        let took = step.took.map_or_else(String::new, |took| format!(", {took}"));
        format!("{}{}: {}{took}", "  ".repeat(step.depth), step.name, step.status)
    });
    section("created", &report.resources, |made| {
        let id = made.id.as_ref().or(made.arn.as_ref()).or(made.name.as_ref());
        let deleted = if made.deleted { " (deleted)" } else { "" };
        format!("{} {} {}{deleted}", made.service, made.kind, id.map_or("", String::as_str))
    });
    section("results", &report.outputs, |output| {
        format!("{} = {}", output.name, plain(&output.value))
    });
    section("documents", &report.artifacts, |artifact| artifact.name.clone());
    if let Some(error) = &report.error {
        render::to_stderr(std::slice::from_ref(error));
    }
}

fn section<T>(title: &str, items: impl IntoIterator<Item = T>, line: impl Fn(T) -> String) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_some() {
        console::out(title);
        items.for_each(|item| console::out(&console::printable(&format!("  {}", line(item)))));
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
