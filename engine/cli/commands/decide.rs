//! `piton approve` and `piton reject`: an answer to a gate, recorded whoever drives the run.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use piton_core::canonical::Digest;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::gate::{self, Admission, Decider, Decision, Evidence, Verdict};
use piton_core::ports::{JournalError, Mail, OpenGate, RunId, RunRow};
use piton_core::time::Timestamp;
use serde::Serialize;

use crate::commands::resume;
use crate::context::Context;
use crate::driving::DriveArgs;
use crate::failure::{Failure, Outcome, exit};
use crate::gates::Directory;
use crate::wiring::Surroundings;
use crate::{console, gates, identity, views};

/// Longest evidence that is kept as text; of a longer one, name and digest are kept.
const EVIDENCE_MAX: usize = 64 * 1024;

/// Decide at a gate
#[derive(Args)]
pub(crate) struct DecideArgs {
    /// Id of the run, or the beginning of one; may be left out when one gate alone is open to you
    run: Option<String>,
    /// The gate's address or its plain name
    gate: Option<String>,
    /// Why
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Alias of the account to decide as
    #[arg(long = "as", value_name = "ALIAS")]
    as_alias: Option<String>,
    /// A field that the gate's form asks for
    #[arg(long = "field", value_name = "K=V")]
    fields: Vec<String>,
    /// A file to hand in; its digest is recorded, a short text in full
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// Go on with the run afterwards
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    drive: DriveArgs,
}

impl DecideArgs {
    /// Whether the run goes on afterwards.
    pub(crate) fn resumes(&self) -> bool {
        self.resume
    }
}

#[derive(Serialize)]
struct DecidedLine {
    event: &'static str,
    run: String,
    gate: String,
    decision: &'static str,
    by: String,
    alias: Option<String>,
    at: Timestamp,
    digest: String,
    /// The same person had said the same before: nothing changed.
    repeated: bool,
    resume_with: String,
}

/// What can be decided on, with who would decide.
struct Choice {
    row: RunRow,
    gate: OpenGate,
    decider: Decider,
    surroundings: Surroundings,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &DecideArgs, verdict: Verdict) -> Outcome {
    let choice = choose(context, args)?;
    let request = &choice.gate.request;
    let decision = Decision {
        gate: request.gate.clone(),
        verdict,
        by: choice.decider.clone(),
        comment: args.message.clone(),
        fields: gates::fields(&request.form, &args.fields)?,
        evidence: args.evidence.as_deref().map(evidence).transpose()?,
        at: choice.surroundings.clock.now(),
        digest: request.digest,
    };
    let journal = context.journal()?;
    let admission = journal
        .post(&choice.row.run, &Mail::Decision(decision.clone()))
        .map_err(|error| explained(context, &choice, error))?;
    // A child run is driven by the one that called it.
    let goes_on = views::outermost(journal.as_ref(), &choice.row)?;
    tell(context, args, &choice, &goes_on.run, &decision, admission);
    if !args.resume {
        return Ok(exit::DONE);
    }
    let how = resume::how(args.drive.options(context)?);
    resume::go_on(context, &goes_on, &choice.surroundings, &how)
}

fn tell(
    context: &Context,
    args: &DecideArgs,
    choice: &Choice,
    goes_on: &RunId,
    decision: &Decision,
    admission: Admission,
) {
    let run = &choice.row.run.0;
    let line = DecidedLine {
        event: "decided",
        run: run.clone(),
        gate: decision.gate.clone(),
        decision: decision.verdict.past(),
        by: decision.by.principal.stable_arn().to_owned(),
        alias: decision.by.alias.clone(),
        at: decision.at,
        digest: decision.digest.to_string(),
        repeated: admission == Admission::Repeated,
        resume_with: context.command(&["resume", &goes_on.0]),
    };
    if context.json {
        console::json_line(&line);
        return;
    }
    let again = if line.repeated { ", as before" } else { "" };
    console::out(&format!(
        "gate {} of run {run}: {} by {}{again}",
        line.gate, line.decision, line.by
    ));
    if choice.row.holder.is_none() && !args.resume {
        console::err(&format!("then go on with:  {}", line.resume_with));
    }
}

/// The gate that is meant and who decides it.
fn choose(context: &Context, args: &DecideArgs) -> Result<Choice, Failure> {
    match &args.run {
        Some(prefix) => {
            let row = context.journal()?.find(prefix)?;
            let surroundings = Surroundings::of_run(context, &row)?;
            let decider = identity::decider(context, &surroundings, args.as_alias.as_deref())?;
            let gate = gate_of_run(context, &row, args.gate.as_deref(), &decider)?;
            Ok(Choice { row, gate, decider, surroundings })
        }
        None => only_choice(context, args),
    }
}

/// The one gate of all runs that is open to whoever decides.
fn only_choice(context: &Context, args: &DecideArgs) -> Result<Choice, Failure> {
    let open = gates::open_everywhere(context)?;
    let mut known: HashMap<Option<String>, (Surroundings, Decider)> = HashMap::new();
    let mut choices = Vec::new();
    for (row, gate) in &open {
        let world = row.summary.world.clone();
        if !known.contains_key(&world) {
            let surroundings = Surroundings::of_run(context, row)?;
            let decider = identity::decider(context, &surroundings, args.as_alias.as_deref())?;
            known.insert(world.clone(), (surroundings, decider));
        }
        let (surroundings, decider) = &known[&world];
        if gates::can_answer(gate, decider) {
            choices.push(Choice {
                row: row.clone(),
                gate: gate.clone(),
                decider: decider.clone(),
                surroundings: surroundings.clone(),
            });
        }
    }
    match choices.len() {
        1 => Ok(choices.remove(0)),
        0 => Err(nothing_open(context, &open)),
        _ => {
            let all: Vec<(RunRow, OpenGate)> =
                choices.into_iter().map(|choice| (choice.row, choice.gate)).collect();
            Err(several(context, &all, "several gates are open to you; say which"))
        }
    }
}

/// The gate of a run that a person names, or the only one that is open to them.
fn gate_of_run(
    context: &Context,
    row: &RunRow,
    given: Option<&str>,
    decider: &Decider,
) -> Result<OpenGate, Failure> {
    let mut open = context.journal()?.open_gates(&row.run)?;
    if let Some(given) = given {
        if let Some(position) = open.iter().position(|gate| gate.request.gate == given) {
            return Ok(open.remove(position));
        }
        open.retain(|gate| gate.request.name == given);
        if open.is_empty() {
            let (run, gate) = (row.run.0.clone(), given.to_owned());
            return Err(JournalError::NoGate { run, gate }.into());
        }
    }
    if open.len() == 1 {
        return Ok(open.remove(0));
    }
    if open.is_empty() {
        return Err(nothing_open(context, &[]));
    }
    let (mut mine, others): (Vec<OpenGate>, Vec<OpenGate>) =
        open.into_iter().partition(|gate| gates::can_answer(gate, decider));
    if mine.len() == 1 {
        return Ok(mine.remove(0));
    }
    let all = if mine.is_empty() { others } else { mine };
    let all: Vec<(RunRow, OpenGate)> = all.into_iter().map(|gate| (row.clone(), gate)).collect();
    Err(several(context, &all, "several gates of this run are open; say which"))
}

fn nothing_open(context: &Context, others: &[(RunRow, OpenGate)]) -> Failure {
    if others.is_empty() {
        return Failure::of(
            Diagnostic::error(Code::GateNotOpen, "no gate is open")
                .hint("`piton inbox` lists what waits for a decision"),
        );
    }
    let message = "no gate is open to you; these are open to others";
    let mut failure = several(context, others, message);
    failure.diagnostics[0].code = Code::NotEligible;
    failure
}

/// A refusal with the list of gates that could be meant.
fn several(context: &Context, open: &[(RunRow, OpenGate)], message: &str) -> Failure {
    let mut failure = Failure::of(Diagnostic::error(Code::AmbiguousGate, message));
    for item in gates::items(context, open) {
        failure = failure.hint(item.approve_with);
    }
    failure
}

/// A refused decision with the command that the right person would use.
fn explained(context: &Context, choice: &Choice, error: JournalError) -> Failure {
    let is_eligibility = matches!(&error, JournalError::Refused(gate::Refusal::NotEligible { .. }));
    let failure = Failure::from(error);
    if !is_eligibility {
        return failure;
    }
    let world = choice.row.summary.world.as_deref();
    let directory = Directory::known(context, world);
    match directory.next_eligible(&choice.gate) {
        Some(alias) => {
            let (run, gate) = (choice.row.run.0.as_str(), choice.gate.request.gate.as_str());
            let who = gates::who_may(&choice.gate.request);
            let command = context.command(&["approve", run, gate, "--as", &alias]);
            failure.hint(format!("it is open to {who}, for example: {command}"))
        }
        None => failure,
    }
}

fn evidence(path: &Path) -> Result<Evidence, Failure> {
    let bytes = fs::read(path).map_err(|error| {
        Failure::usage(format!("the evidence {} cannot be read: {error}", path.display()))
    })?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let digest = Digest::of(&bytes);
    let text = (bytes.len() <= EVIDENCE_MAX).then(|| String::from_utf8(bytes).ok()).flatten();
    Ok(Evidence { name, digest, text })
}
