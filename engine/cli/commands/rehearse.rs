//! `piton rehearse`: a runbook crashed at every boundary of its journal, in the sandbox.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::event::RunEnd;
use piton_core::ports::RunId;
use piton_core::status::RunStatus;
use piton_runner::engine::new_run_id;
use piton_runner::rehearsal::{
    Begin, Boundary, Change, Deed, Difference, Doubted, How, Kind, Matrix, Reference, Selection,
};
use piton_runner::{Interrupt, Options, TakeBack};
use serde::Serialize;

use crate::clocks::SystemEntropy;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::runbook::{self, Runbook};
use crate::stages::{Answers, Copy, Theatre};
use crate::{console, identity, render};

/// Differences that people are shown; programs get all.
const SHOWN: usize = 5;

/// Crash a runbook at every boundary of its journal, in the sandbox, and resume it each time
///
/// One run goes to its end; then, for every commit and every call of it, a process is begun anew on
/// what was stored when the crash came, and has to come to the same end: the same live things in the
/// sandbox, the same report, nothing done twice, no entry lost. Nothing is kept: neither runs nor
/// worlds. Gates are approved by somebody who may. Exit codes: 0 all ends are the same; 4 some differ;
/// 9 stopped by Ctrl-C; else what the run itself ended with, when it came to no end.
#[derive(Args)]
pub(crate) struct RehearseArgs {
    /// Name of a packaged runbook, or path of a script or of its folder
    runbook: String,
    /// A parameter
    #[arg(short, long = "param", value_name = "K=V")]
    params: Vec<String>,
    /// Parameters from a JSON or TOML file; -p counts more
    #[arg(long = "params", value_name = "FILE")]
    params_file: Option<PathBuf>,
    /// World to begin in: a copy of a stored one, or a new one from a world.toml [preset: the runbook's]
    #[arg(long, value_name = "WORLD", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    sandbox: Option<String>,
    /// Where to crash: everywhere, none, sample:N, or NUMBER:KIND or KEY:KIND to repeat one crash; the
    /// kinds are before-write, after-write, before-send, reply-lost, before-outcome
    #[arg(long, value_name = "WHERE", default_value = "everywhere")]
    crash: Selection,
    /// Rehearse the rollback of the run, instead of the run
    #[arg(long)]
    rollback: bool,
    /// Gate that is rejected, by its address or name; all others are approved
    #[arg(long = "reject", value_name = "GATE")]
    rejected: Vec<String>,
    /// What to fill into a form; else its presets, or the first value that it takes
    #[arg(long = "field", value_name = "K=V")]
    fields: Vec<String>,
    /// Alias of the account that counts as whoever starts the run
    #[arg(long = "as", value_name = "ALIAS")]
    as_alias: Option<String>,
    /// Drive every resume to the end of the run, also where the rest is known
    #[arg(long)]
    whole: bool,
    /// Crash each resumed process too, wherever it can be until it is back on its way, and resume it again
    #[arg(long)]
    twice: bool,
    /// Resumes at once [preset: one for each processor, at most 8]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Serialize)]
struct ReferenceLine<'a> {
    event: &'static str,
    run: &'a str,
    runbook: &'a str,
    status: &'static str,
    entries: u64,
    commits: usize,
    calls: usize,
}

#[derive(Serialize)]
struct BoundaryView<'a> {
    boundary: usize,
    kind: Kind,
    key: Option<&'a str>,
    what: &'a str,
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
}

#[derive(Serialize)]
struct DifferenceLine<'a> {
    event: &'static str,
    run: &'a str,
    #[serde(flatten)]
    at: BoundaryView<'a>,
    again: Option<usize>,
    changes: &'a [Change],
    error: Option<&'a str>,
    repeat_with: String,
}

#[derive(Serialize)]
struct DoubtLine<'a> {
    event: &'static str,
    run: &'a str,
    #[serde(flatten)]
    at: BoundaryView<'a>,
    in_doubt: &'a str,
    operation: &'a str,
    candidates: usize,
    settled: &'static str,
}

#[derive(Serialize)]
struct EndLine<'a> {
    event: &'static str,
    run: &'a str,
    status: &'static str,
    exit_code: u8,
    boundaries: usize,
    kinds: usize,
    crashes: usize,
    states: usize,
    resumes: usize,
    to_the_end: usize,
    cut_short: usize,
    crashed_again: usize,
    put_to_a_person: usize,
    differences: usize,
    stopped: bool,
    took_ms: u128,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &RehearseArgs) -> Outcome {
    let begun = Instant::now();
    let runbook = Runbook::load(&args.runbook)?;
    runbook.check()?;
    let run = new_run_id(&SystemEntropy);
    let answers = Answers { rejected: args.rejected.clone(), fields: args.fields.clone() };
    let runtime = context.runtime().handle().clone();
    let theatre = Theatre::new(runbook.program.name(), &run, answers, runtime)?;
    let stage = first_stage(context, args, &runbook, &theatre)?;
    let interrupt = Interrupt::default();
    let bar = bar(context);
    listen(context, &interrupt, bar.as_ref());
    let reference = reference(context, args, runbook, &run, &stage, &interrupt)?;
    drop(stage);
    let name = args.runbook.as_str();
    tell_reference(context, name, &reference);
    if !reference.driven.end.status.is_final() {
        return Ok(no_end(context, &reference));
    }
    let matrix = reference.crash(&How {
        stages: &theatre,
        selection: &args.crash,
        threads: args.threads.unwrap_or_else(processors),
        whole: args.whole,
        twice: args.twice,
        interrupt: &interrupt,
        progress: &|done, of| {
            if let Some(bar) = &bar {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
        },
    })?;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    if matrix.crashes == 0 && matches!(args.crash, Selection::At { .. }) {
        return Err(Failure::usage("there is no such boundary, or it has no crash of that kind")
            .hint("`piton rehearse RUNBOOK --json` numbers the boundaries that differ"));
    }
    Ok(tell(context, args, &reference, &matrix, begun))
}

fn first_stage(
    context: &Context,
    args: &RehearseArgs,
    runbook: &Runbook,
    theatre: &Theatre,
) -> Result<Arc<Copy>, Failure> {
    match args.sandbox.as_deref() {
        None | Some("") => theatre.fresh(&runbook.world()?),
        Some(given) => match context.home()?.worlds().described(given)? {
            Some(spec) => theatre.fresh(&spec),
            None => theatre.copy_of(&context.home()?.worlds().named(given)?),
        },
    }
}

/// The run that nothing crashes; with `--rollback`, that of its rollback.
fn reference(
    context: &Context,
    args: &RehearseArgs,
    runbook: Runbook,
    run: &RunId,
    stage: &Arc<Copy>,
    interrupt: &Interrupt,
) -> Result<Reference, Failure> {
    let declaration = runbook.program.declaration();
    let file = args.params_file.as_ref();
    let params = runbook::parameters(context, declaration, file, &args.params, true)?;
    let requester = identity::requester(context, &stage.surroundings, args.as_alias.as_deref())?;
    let begin = Deed::Run(Box::new(Begin {
        run: run.clone(),
        source: Some(runbook.source),
        world: runbook.program.name().to_owned(),
        program: runbook.program,
        params,
        requester: requester.clone(),
    }));
    let stage: Arc<dyn piton_runner::rehearsal::Stage> = Arc::clone(stage) as _;
    let forward = Reference::record(&stage, begin, interrupt)?;
    if !args.rollback || !forward.driven.end.status.is_final() {
        return Ok(forward);
    }
    let back = Deed::Rollback(TakeBack {
        source: run.clone(),
        run: new_run_id(&SystemEntropy),
        requester,
        labels: Vec::new(),
        options: Options { wait_limit: None, step_mode: false },
    });
    Ok(Reference::record(&stage, back, interrupt)?)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, |count| count.get().min(8))
}

fn bar(context: &Context) -> Option<ProgressBar> {
    (!context.json && console::stderr_is_terminal()).then(|| {
        let style = ProgressStyle::with_template(
            "{spinner} {pos} of {len} resumed {bar:30} {elapsed:.dim}",
        )
        .expect("the template is part of the program");
        ProgressBar::new(0).with_style(style)
    })
}

/// Ctrl-C stops when what is being resumed has stopped; a second one at once.
fn listen(context: &Context, interrupt: &Interrupt, bar: Option<&ProgressBar>) {
    let (interrupt, bar) = (interrupt.clone(), bar.cloned());
    context.runtime().spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        interrupt.raise();
        let stopping = || console::err("stopping; Ctrl-C again stops at once");
        bar.as_ref().map_or_else(stopping, |bar| bar.suspend(stopping));
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
}

fn tell_reference(context: &Context, runbook: &str, reference: &Reference) {
    let calls = reference.boundaries.iter().filter(|boundary| boundary.is_send).count();
    let commits = reference.boundaries.len() - calls;
    let Reference { driven, entries, .. } = reference;
    let status = driven.end.status;
    if context.json {
        console::json_line(&ReferenceLine {
            event: "reference",
            run: &driven.run.0,
            runbook,
            status: status.as_str(),
            entries: *entries,
            commits,
            calls,
        });
        return;
    }
    console::err(&format!(
        "{runbook} without a crash: {status}, {entries} entries in {commits} commits, {calls} calls"
    ));
}

/// A run that waits has no end to compare with.
fn no_end(context: &Context, reference: &Reference) -> u8 {
    let RunEnd { status, waiting_for, error } = &reference.driven.end;
    let code = match status {
        RunStatus::Suspended | RunStatus::Interrupted if waiting_for.is_empty() => 9,
        other => other.exit_code(),
    };
    let mut problem = Diagnostic::error(
        Code::RehearsalDiffers,
        format!("the run came to no end, so that nothing can be compared: it is {status}"),
    );
    if let Some(waiting) = waiting_for.first() {
        problem = problem.hint(format!("it waits for {}", waiting.name));
    }
    let mut problems: Vec<Diagnostic> = error.iter().cloned().collect();
    problems.push(problem);
    render::to_stderr(&problems);
    if context.json {
        console::json_line(&end_line(reference, &Matrix::default(), code, 0));
    }
    code
}

fn tell(
    context: &Context,
    args: &RehearseArgs,
    reference: &Reference,
    matrix: &Matrix,
    begun: Instant,
) -> u8 {
    let code = match (matrix.differences.is_empty(), matrix.stopped) {
        (false, _) => RunStatus::Failed.exit_code(),
        (true, true) => RunStatus::Cancelled.exit_code(),
        (true, false) => exit::DONE,
    };
    if context.json {
        let run = &reference.driven.run.0;
        for doubted in &matrix.doubted {
            console::json_line(&doubt_line(run, doubted));
        }
        for difference in &matrix.differences {
            console::json_line(&DifferenceLine {
                event: "difference",
                run,
                at: view(&difference.boundary, difference.kind),
                again: difference.again,
                changes: &difference.changes,
                error: difference.error.as_ref().map(|error| error.message.as_str()),
                repeat_with: repeat_with(context, args, difference),
            });
        }
        let took = begun.elapsed().as_millis();
        console::json_line(&end_line(reference, matrix, code, took));
        return code;
    }
    for difference in matrix.differences.iter().take(SHOWN) {
        render::to_stderr(&[diagnostic(context, args, difference)]);
    }
    if matrix.differences.len() > SHOWN {
        let more = matrix.differences.len() - SHOWN;
        console::err(&format!("and {more} more; --json has them all"));
    }
    for doubted in &matrix.doubted {
        console::err(&words_of(doubted));
    }
    console::out(&summary(reference, matrix, begun));
    code
}

fn summary(reference: &Reference, matrix: &Matrix, begun: Instant) -> String {
    let mut line = format!(
        "{} boundaries, {} kinds, {} crashes; {} states, {} resumes ({} to the end)",
        grouped(reference.boundaries.len()),
        Kind::ALL.len(),
        grouped(matrix.crashes),
        grouped(matrix.states),
        grouped(matrix.resumed),
        grouped(matrix.to_the_end),
    );
    if matrix.crashed_again > 0 {
        line = format!("{line}, {} crashed again and resumed", grouped(matrix.crashed_again));
    }
    line = format!("{line}, {} differences", grouped(matrix.differences.len()));
    if !matrix.doubted.is_empty() {
        line = format!("{line}, {} put to a person", matrix.doubted.len());
    }
    if matrix.stopped {
        line = format!("{line}; stopped before the end");
    }
    format!("{line}; {:.1} s", begun.elapsed().as_secs_f64())
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn end_line<'a>(
    reference: &'a Reference,
    matrix: &Matrix,
    exit_code: u8,
    took_ms: u128,
) -> EndLine<'a> {
    EndLine {
        event: "end",
        run: &reference.driven.run.0,
        status: reference.driven.end.status.as_str(),
        exit_code,
        boundaries: reference.boundaries.len(),
        kinds: Kind::ALL.len(),
        crashes: matrix.crashes,
        states: matrix.states,
        resumes: matrix.resumed,
        to_the_end: matrix.to_the_end,
        cut_short: matrix.cut_short,
        crashed_again: matrix.crashed_again,
        put_to_a_person: matrix.doubted.len(),
        differences: matrix.differences.len(),
        stopped: matrix.stopped,
        took_ms,
    }
}

fn view(boundary: &Boundary, kind: Kind) -> BoundaryView<'_> {
    let place = boundary.place.as_ref();
    BoundaryView {
        boundary: boundary.number,
        kind,
        key: boundary.key.as_deref(),
        what: &boundary.what,
        file: place.map(|place| place.file.as_str()),
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
    }
}

fn doubt_line<'a>(run: &'a str, doubted: &'a Doubted) -> DoubtLine<'a> {
    DoubtLine {
        event: "put_to_a_person",
        run,
        at: view(&doubted.boundary, doubted.kind),
        in_doubt: &doubted.key,
        operation: &doubted.operation,
        candidates: doubted.candidates,
        settled: settled(doubted),
    }
}

fn settled(doubted: &Doubted) -> &'static str {
    if doubted.adopted { "adopted" } else { "sent again" }
}

fn words_of(doubted: &Doubted) -> String {
    let Doubted { boundary, kind, key, operation, candidates, .. } = doubted;
    format!(
        "boundary {}, {kind}: {operation} (`{key}`) was put to a person with {candidates} candidates, \
         and then {}",
        boundary.number,
        settled(doubted),
    )
}

fn diagnostic(context: &Context, args: &RehearseArgs, difference: &Difference) -> Diagnostic {
    let Difference { boundary, kind, again, changes, error } = difference;
    let twice = again.map(|number| format!(", then crash {number} of the resumed process"));
    let twice = twice.unwrap_or_default();
    let mut place = format!("boundary {}, {kind}{twice}: {}", boundary.number, boundary.what);
    if let Some(key) = &boundary.key {
        place = format!("{place} (`{key}`)");
    }
    let message = match error {
        Some(error) => format!("{place}: the resume says: {}", error.message),
        None => format!("{place}: the resume comes to another end"),
    };
    let mut diagnostic =
        Diagnostic::error(Code::RehearsalDiffers, message).at(boundary.place.clone());
    for change in changes {
        diagnostic = diagnostic.hint(console::printable(&change.to_string()));
    }
    diagnostic.hint(format!("repeat it: {}", repeat_with(context, args, difference)))
}

/// The command that repeats one crash alone.
fn repeat_with(context: &Context, args: &RehearseArgs, difference: &Difference) -> String {
    let mut words = vec!["rehearse".to_owned(), args.runbook.clone()];
    for param in &args.params {
        words.extend(["-p".to_owned(), param.clone()]);
    }
    if let Some(file) = &args.params_file {
        words.extend(["--params".to_owned(), file.display().to_string()]);
    }
    if let Some(world) = args.sandbox.as_ref().filter(|world| !world.is_empty()) {
        words.push(format!("--sandbox={world}"));
    }
    for (flag, values) in [("--reject", &args.rejected), ("--field", &args.fields)] {
        for value in values {
            words.extend([flag.to_owned(), value.clone()]);
        }
    }
    if let Some(alias) = &args.as_alias {
        words.extend(["--as".to_owned(), alias.clone()]);
    }
    for (flag, is_given) in [("--rollback", args.rollback), ("--twice", difference.again.is_some())]
    {
        if is_given {
            words.push(flag.to_owned());
        }
    }
    words.extend([
        "--crash".to_owned(),
        format!("{}:{}", difference.boundary.number, difference.kind),
    ]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    context.command(&words)
}
