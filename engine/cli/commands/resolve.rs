//! `piton resolve`: a person settles what the engine cannot know.

use clap::{ArgGroup, Args};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Settled, Settlement};
use piton_core::key::Key;
use piton_core::ports::{Mail, RunRow};
use piton_core::status::{Candidate, Reason};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::wiring::Surroundings;
use crate::{console, identity, views};

/// Settle a call that was sent and whose outcome is unknown
#[derive(Args)]
#[command(group(ArgGroup::new("how").required(true).args(["adopt", "retry", "skip"])))]
pub(crate) struct ResolveArgs {
    /// Id of the run, or the beginning of one
    run: String,
    /// Key of the call, as `status` shows it
    key: String,
    /// It had its effect: go on with this thing that it made
    #[arg(long, value_name = "ID")]
    adopt: Option<String>,
    /// It had no effect, or repeating it is harmless: send it again
    #[arg(long)]
    retry: bool,
    /// Go on without it: the call answers nothing
    #[arg(long)]
    skip: bool,
    /// What the call would have answered, as JSON, for a thing that is not among the candidates
    #[arg(long, value_name = "JSON", requires = "adopt")]
    output: Option<String>,
    /// Why
    #[arg(short, long, value_name = "TEXT")]
    message: String,
    /// Alias of the account to settle as
    #[arg(long = "as", value_name = "ALIAS")]
    as_alias: Option<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ResolveArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    let candidates = doubt(&row, &args.key)?;
    let how = match &args.adopt {
        Some(id) => Settlement::Adopt { output: adopted(id, args.output.as_deref(), candidates)? },
        None if args.retry => Settlement::Retry,
        None => Settlement::Skip,
    };
    let surroundings = Surroundings::of_run(context, &row)?;
    let by = identity::known_name(context, &surroundings, args.as_alias.as_deref())?;
    let key = Key::from_text(&args.key);
    let settled = Settled { how, reason: args.message.clone(), by };
    journal.post(&row.run, &Mail::Settle { key, settled })?;
    let goes_on = views::outermost(journal.as_ref(), &row)?;
    let resume_with = context.command(&views::go_on(&goes_on));
    if context.json {
        let view = json!({"run": row.run, "key": args.key, "resume_with": resume_with});
        console::document(&view);
    } else {
        console::out(&format!("the doubt at {} of run {} is settled", args.key, row.run));
        console::err(&format!("then go on with:  {resume_with}"));
    }
    Ok(exit::DONE)
}

/// What the call in doubt may have made.
fn doubt<'a>(row: &'a RunRow, given: &str) -> Result<&'a [Candidate], Failure> {
    let mut others = Vec::new();
    for reason in row.summary.reasons() {
        match reason {
            Reason::Doubt { key, candidates, .. } if key.as_str() == given => {
                return Ok(candidates);
            }
            Reason::NotTakenBack { key, .. } if key.as_str() == given => return Ok(&[]),
            Reason::Doubt { key, .. } => others.push(key.as_str()),
            _ => {}
        }
    }
    let others = others.join(" and ");
    Err(wrong_state(match others.is_empty() {
        true => format!("run {} is {} and in doubt about nothing", row.run, row.status()),
        false => format!("run {} is in doubt about {others}, not about {given}", row.run),
    }))
}

fn wrong_state(message: String) -> Failure {
    Failure::of(Diagnostic::error(Code::WrongState, message))
        .hint("`piton status RUN` says what it waits for")
}

fn adopted(id: &str, output: Option<&str>, candidates: &[Candidate]) -> Result<Value, Failure> {
    if let Some(text) = output {
        return serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("--output is not JSON: {error}")));
    }
    if let Some(candidate) = candidates.iter().find(|candidate| candidate.id == id) {
        return Ok(candidate.output.clone());
    }
    let known: Vec<&str> = candidates.iter().map(|candidate| candidate.id.as_str()).collect();
    let failure = Failure::usage(format!("`{id}` is not among what the call may have made"));
    Err(match known.is_empty() {
        true => failure.hint("say what the call would have answered with --output JSON"),
        false => failure.hint(format!("the candidates are {}", known.join(", "))),
    })
}
