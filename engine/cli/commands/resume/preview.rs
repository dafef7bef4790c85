//! `piton resume --preview`: what a resume would do, with nothing done.

use std::collections::BTreeMap;

use piton_core::diagnostic::Diagnostic;
use piton_core::entry::Left;
use piton_core::ports::{ProgramFile, RunRow};
use piton_core::status::RunStatus;
use piton_runner::dry::{self, DryEnd, Next, Question, Reached, Replay};
use piton_runner::edit;
use serde::Serialize;
use serde_json::Value;

use super::ResumeArgs;
use crate::context::Context;
use crate::diagnosis::{Situation, words};
use crate::failure::{Failure, Outcome, exit};
use crate::runbook::Runbook;
use crate::{console, render};

#[derive(Serialize)]
struct PreviewView {
    run: String,
    runbook: String,
    status: &'static str,
    /// Where the script was read from; nothing for the stored one.
    script: Option<String>,
    /// Files of the program that are not as they were stored.
    files: BTreeMap<String, &'static str>,
    /// A resume would go on.
    would_resume: bool,
    /// `goes_on`, `ends`, `mismatch`, `fails`, `refused`, `not_accepted` or `ended`.
    verdict: &'static str,
    /// Recorded entries that the script asks for.
    matched: u64,
    /// Recorded entries.
    recorded: u64,
    /// What does not fit.
    differs: Vec<Diagnostic>,
    /// Recorded entries that the script does not ask for.
    left: Vec<Left>,
    /// Gates that were approved for an earlier script.
    stands: Vec<String>,
    /// What would come first.
    new: Vec<New>,
    /// The command that goes on like this.
    next: Option<String>,
}

/// Something that nothing is recorded of yet.
#[derive(Serialize)]
struct New {
    run: String,
    key: Option<String>,
    what: String,
    input: Value,
    file: Option<String>,
    line: Option<usize>,
}

/// Runs the command.
pub(super) fn run(
    context: &Context,
    row: &RunRow,
    script: Option<&Runbook>,
    args: &ResumeArgs,
) -> Outcome {
    let failed = row.summary.status == RunStatus::Failed;
    let goes_on = !row.summary.status.is_final() || failed && (args.retry || script.is_some());
    let view = match goes_on {
        true => look(context, row, script, args)?,
        false => ended(row, script),
    };
    match context.json {
        true => console::document(&view),
        false => show(&view),
    }
    Ok(match view.verdict {
        "mismatch" => RunStatus::Mismatch.exit_code(),
        "fails" => RunStatus::Failed.exit_code(),
        "refused" | "not_accepted" => exit::USAGE,
        _ => exit::DONE,
    })
}

fn look(
    context: &Context,
    row: &RunRow,
    script: Option<&Runbook>,
    args: &ResumeArgs,
) -> Result<PreviewView, Failure> {
    let journal = context.journal()?;
    let mut view = ended(row, script);
    let stored = journal.program(&row.program)?;
    let program = script.map(|script| script.program.clone());
    let program = program.filter(|program| program.digest() != row.program);
    if let Some(program) = &program {
        edit::refuse(row)?;
        view.files = changes(&stored, program.files());
    }
    let is_edited = program.is_some();
    let question =
        Question { run: row.run.clone(), program, retry: args.retry, accept: args.accept };
    let situation = Situation::look(context, false)?;
    let replay = dry::replay(&situation.dry_look(), &question)?;
    if is_edited {
        view.stands = edit::approved(journal.as_ref(), row, &replay)?;
    }
    let Replay { end, reached, matched, recorded, left, .. } = replay;
    (view.matched, view.recorded, view.left) = (matched, recorded, left);
    view.new = reached.iter().map(new).collect();
    (view.verdict, view.differs) = match end {
        DryEnd::Reaches | DryEnd::Ends if !view.stands.is_empty() && !args.accept => {
            ("not_accepted", Vec::new())
        }
        DryEnd::Reaches => ("goes_on", Vec::new()),
        DryEnd::Ends => ("ends", Vec::new()),
        DryEnd::Fails { error } => ("fails", vec![*error]),
        DryEnd::Mismatch { error } if is_edited => {
            ("mismatch", vec![edit::mismatch(&error, args.accept)])
        }
        DryEnd::Mismatch { error } => ("mismatch", vec![*error]),
        DryEnd::Refused { errors } => ("refused", errors),
    };
    view.would_resume = matches!(view.verdict, "goes_on" | "ends");
    let accept = args.accept || view.verdict == "not_accepted";
    if view.would_resume || accept && view.differs.is_empty() {
        view.next = Some(command(context, row, args, accept));
    }
    Ok(view)
}

fn ended(row: &RunRow, script: Option<&Runbook>) -> PreviewView {
    PreviewView {
        run: row.run.0.clone(),
        runbook: row.runbook.clone(),
        status: row.status().as_str(),
        script: script.map(|script| script.source.clone()),
        files: BTreeMap::new(),
        would_resume: false,
        verdict: "ended",
        matched: 0,
        recorded: 0,
        differs: Vec::new(),
        left: Vec::new(),
        stands: Vec::new(),
        new: Vec::new(),
        next: None,
    }
}

/// The same without `--preview`.
fn command(context: &Context, row: &RunRow, args: &ResumeArgs, accept: bool) -> String {
    let mut line = vec!["resume", row.run.0.as_str()];
    if args.retry {
        line.push("--retry");
    }
    if let Some(script) = &args.script {
        line.extend(["--script", script]);
        if accept {
            line.push("--accept");
        }
    }
    context.command(&line)
}

/// Files of a program that are not as they were.
fn changes(stored: &[ProgramFile], edited: &[ProgramFile]) -> BTreeMap<String, &'static str> {
    let by_path = |files: &[ProgramFile]| -> BTreeMap<String, String> {
        files.iter().map(|file| (file.path.clone(), file.text.clone())).collect()
    };
    let (before, after) = (by_path(stored), by_path(edited));
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let mut changes: BTreeMap<String, &'static str> =
        gone.map(|path| (path.clone(), "removed")).collect();
    for (path, text) in &after {
        match before.get(path) {
            None => drop(changes.insert(path.clone(), "added")),
            Some(known) if known != text => drop(changes.insert(path.clone(), "changed")),
            Some(_) => {}
        }
    }
    changes
}

fn new(reached: &Reached) -> New {
    let input = match &reached.next {
        Next::Call { input, .. } => input.clone(),
        _ => Value::Null,
    };
    let place = reached.place.as_ref();
    New {
        run: reached.run.0.clone(),
        key: reached.key.as_ref().map(|key| key.as_str().to_owned()),
        what: words(&reached.next),
        input,
        file: place.map(|place| place.file.clone()),
        line: place.map(|place| place.line),
    }
}

fn show(view: &PreviewView) {
    let PreviewView { run, runbook, .. } = view;
    if view.verdict == "ended" {
        console::out(&format!(
            "run {run} of {runbook} is {}: there is nothing to go on with",
            view.status
        ));
        return;
    }
    match &view.script {
        Some(script) => console::out(&format!("run {run} of {runbook}, with {script}")),
        None => console::out(&format!("run {run} of {runbook}, with its own script")),
    }
    for (path, change) in &view.files {
        console::out(&format!("{change}: {path}"));
    }
    console::out(&format!("matches: {} of {} recorded entries", view.matched, view.recorded));
    for left in &view.left {
        let effect = if left.effect { " (what it did stays)" } else { "" };
        console::out(&console::printable(&format!("left: {} at {}{effect}", left.what, left.key)));
    }
    for gate in &view.stands {
        console::out(&format!("approved for the script before: {gate}"));
    }
    for new in &view.new {
        let place = new.file.as_ref().zip(new.line);
        let place = place.map_or_else(String::new, |(file, line)| format!(" ({file}:{line})"));
        console::out(&console::printable(&format!("new: {}{place}", new.what)));
        if !new.input.is_null() {
            let text = serde_json::to_string_pretty(&new.input).expect("an input is plain data");
            text.lines().for_each(|line| console::out(&console::printable(&format!("    {line}"))));
        }
    }
    match view.verdict {
        "ends" => console::out("new: the run comes to its end"),
        "goes_on" => console::out("what comes after that is not known before it is answered"),
        "not_accepted" => console::out("the approvals stand only if somebody says so: --accept"),
        _ => {}
    }
    render::to_stderr(&view.differs);
    if let Some(next) = &view.next {
        console::out(&format!("go on with:  {next}"));
    }
}
