//! What `run`, `resume` and `approve --resume` share: one driving, from wiring to exit code.

use std::sync::Arc;

use piton_core::account::AccountRef;
use piton_core::event::RunEnd;
use piton_core::gate::Decider;
use piton_core::ports::{Person, RunId, RunRow};
use piton_core::status::{Reason, RunStatus};
use piton_core::time::Span;
use piton_runner::report::Report;
use piton_runner::{Driven, Engine, Interrupt, Options, RunnerError};
use serde_json::Value;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::gates::{Directory, InboxItem};
use crate::person::{Identities, Nobody, Terminal};
use crate::progress::{self, JsonLines, Screen};
use crate::views::{self, EndLine};
use crate::wiring::Surroundings;
use crate::{console, doubts, render};

/// Flags about how a run is driven.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DriveArgs {
    /// Longest wait to stay for (30s, 5m, 2h); a longer one suspends the run [preset: 1h]
    #[arg(long, value_name = "T")]
    pub(crate) wait_limit: Option<Span>,
    /// Ask before each call that changes AWS
    #[arg(long)]
    pub(crate) step: bool,
}

impl DriveArgs {
    /// The engine's options.
    pub(crate) fn options(&self, context: &Context) -> Result<Options, Failure> {
        if self.step && (context.json || !console::is_interactive()) {
            return Err(Failure::usage("--step asks before each call, and here is nobody to ask")
                .hint("leave out --step, or run it at a terminal"));
        }
        Ok(Options { wait_limit: self.wait_limit, step_mode: self.step })
    }
}

/// Drives a run and tells how it went.
pub(crate) fn drive(
    context: &Context,
    surroundings: &Surroundings,
    go: impl FnOnce(&Engine) -> Result<Driven, RunnerError>,
) -> Outcome {
    surroundings.remember(context)?;
    let interrupt = Interrupt::default();
    let screen = Arc::new(Screen::new(!context.json));
    let sink = progress::sink(context.json.then_some(JsonLines), &screen);
    let person = person(context, surroundings, &screen, &interrupt)?;
    let engine = surroundings.engine(context, sink, person, interrupt.clone())?;
    listen(context, interrupt, Arc::clone(&screen));
    let driven = go(&engine);
    screen.finish();
    let driven = driven?;
    tell_end(context, &driven)?;
    Ok(driven.end.status.exit_code())
}

/// Who can be asked: somebody at a terminal, else nobody.
fn person(
    context: &Context,
    surroundings: &Surroundings,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Result<Arc<dyn Person>, Failure> {
    if context.json || !console::is_interactive() {
        return Ok(Arc::new(Nobody));
    }
    let identities = match &surroundings.world {
        Some(world) => Identities::World(world.clone()),
        None => {
            let own = AccountRef::alias(piton_aws::DEFAULT_ALIAS);
            let principal = context.runtime().block_on(surroundings.operations.identify(&own));
            Identities::Own(principal.ok().map(|principal| Decider { alias: None, principal }))
        }
    };
    Ok(Arc::new(Terminal {
        identities,
        clock: Arc::clone(&surroundings.clock),
        screen: Arc::clone(screen),
        interrupt: interrupt.clone(),
    }))
}

/// The first Ctrl-C asks the driving to stop where it is safe, the second ends the process.
fn listen(context: &Context, interrupt: Interrupt, screen: Arc<Screen>) {
    context.runtime().spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        interrupt.raise();
        screen
            .line("stopping as soon as what is in flight is recorded; Ctrl-C again stops at once");
        if tokio::signal::ctrl_c().await.is_ok() {
            screen.finish();
            std::process::exit(130);
        }
    });
}

/// The last line for programs; for people the result, and what to do next.
fn tell_end(context: &Context, driven: &Driven) -> Result<(), Failure> {
    let Driven { run, end } = driven;
    if context.json {
        if let Some(error) = &end.error {
            render::to_stderr(std::slice::from_ref(error));
        }
        tell_next(context, run, end)?;
        console::json_line(&EndLine::driven(&run.0, end));
        return Ok(());
    }
    if let Some(error) = &end.error {
        render::to_stderr(std::slice::from_ref(error));
    }
    let mut line = format!("run {run} {}", status_words(end.status));
    if !end.waiting_for.is_empty() {
        line = format!("{line}: waiting for {}", views::waiting_words(&end.waiting_for));
    }
    console::out(&line);
    if end.status.is_final() {
        let report = Report::load(context.journal()?.as_ref(), run)?;
        for output in &report.outputs {
            let line = format!("  {}: {}", output.name, plain(&output.value));
            console::out(&console::printable(&line));
        }
    }
    tell_next(context, run, end)
}

fn status_words(status: RunStatus) -> String {
    match status {
        RunStatus::Suspended | RunStatus::Interrupted => format!("is {status}"),
        RunStatus::Rejected | RunStatus::Cancelled | RunStatus::Compensated => {
            format!("was {status}")
        }
        RunStatus::Stuck => "is stuck: a person must settle something".to_owned(),
        RunStatus::Mismatch => "stopped at a mismatch".to_owned(),
        other => other.to_string(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The exact commands that lead on, on stderr.
fn tell_next(context: &Context, run: &RunId, end: &RunEnd) -> Result<(), Failure> {
    for command in next_commands(context, run, end)? {
        console::err(&command);
    }
    Ok(())
}

fn next_commands(context: &Context, run: &RunId, end: &RunEnd) -> Result<Vec<String>, Failure> {
    let journal = context.journal()?;
    let row = journal.find(&run.0)?;
    let resume = |flags: &[&str]| {
        let words: Vec<&str> =
            views::go_on(&row).into_iter().chain(flags.iter().copied()).collect();
        context.command(&words)
    };
    let mut lines = Vec::new();
    match end.status {
        RunStatus::Suspended => {
            remedies(context, &row, &mut lines)?;
            lines.push(format!("then go on with:  {}", resume(&[])));
        }
        RunStatus::Failed if row.summary.retry_from.is_some() => {
            lines.push(format!("to try the failed call again:  {}", resume(&["--retry"])));
        }
        RunStatus::Stuck => {
            remedies(context, &row, &mut lines)?;
            let settles = |one: &Reason| matches!(one, Reason::Doubt { .. } | Reason::Child { .. });
            if row.summary.reasons().iter().any(settles) {
                lines.push(format!("then go on with:  {}", resume(&[])));
            }
            if let Some(Reason::NotTakenBack { key, .. }) = &row.summary.reason {
                let words = ["resolve", &run.0, key.as_str(), "--skip", "-m", "REASON"];
                lines.push(format!("to attempt it again:  {}", resume(&[])));
                lines.push(format!("to leave it as it is:  {}", context.command(&words)));
            }
        }
        _ => {}
    }
    Ok(lines)
}

/// What somebody can do about what a run waits for, and about what its child runs wait for.
fn remedies(context: &Context, row: &RunRow, lines: &mut Vec<String>) -> Result<(), Failure> {
    let journal = context.journal()?;
    for reason in row.summary.reasons() {
        match reason {
            Reason::Gates => {
                let directory = Directory::known(context, row.summary.world.as_deref());
                for gate in journal.open_gates(&row.run)? {
                    let item = InboxItem::new(context, &row.run, &gate, &directory);
                    lines.push(format!("to approve {}:  {}", item.gate, item.approve_with));
                    lines.push(format!("to reject it:  {}", item.reject_with));
                }
            }
            Reason::Credentials { renew_with: Some(command), .. } => {
                lines.push(format!("to renew the credentials:  {command}"));
            }
            Reason::Doubt { key, candidates, .. } => {
                let ways = doubts::ways(context, &row.run, key, candidates);
                lines.extend(ways.iter().map(|way| format!("{}:  {}", way.when, way.command)));
            }
            Reason::Child { run, .. } => remedies(context, &journal.find(&run.0)?, lines)?,
            _ => {}
        }
    }
    Ok(())
}

/// The last line of a driving that did not begin.
pub(crate) fn print_refusal(failure: &Failure) {
    let error = failure.diagnostics.first();
    console::json_line(&EndLine::refused(failure.run.as_deref(), failure.exit_code, error));
}
