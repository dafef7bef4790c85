//! `piton resolve`: a person settles what the engine cannot know.

use clap::{ArgGroup, Args};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Settled, Settlement};
use piton_core::gate::Admission;
use piton_core::key::Key;
use piton_core::ports::{JournalError, Mail, RunRow};
use piton_core::status::{Candidate, Reason};
use piton_models::validate::{ProblemKind, validate};
use piton_models::{Model, Shape};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::wiring::Surroundings;
use crate::{console, doubts, identity, views};

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

/// What is in doubt under a key.
struct Doubt<'a> {
    /// `service.operation`.
    operation: &'a str,
    candidates: &'a [Candidate],
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ResolveArgs) -> Outcome {
    if args.message.trim().is_empty() {
        return Err(Failure::usage("the reason is empty")
            .hint("say with -m what you saw: whoever reads the report will ask"));
    }
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    row.elsewhere().map_or(Ok(()), Err)?;
    let doubt = doubt(context, &row, &args.key)?;
    let (word, how) = match &args.adopt {
        Some(id) => {
            let output = adopted(context, &row, args, id, &doubt)?;
            ("adopted", Settlement::Adopt { output })
        }
        None if args.retry => ("sent anew", Settlement::Retry),
        None => ("skipped", Settlement::Skip),
    };
    let surroundings = Surroundings::of_run(context, &row)?;
    let by = identity::known_name(context, &surroundings, args.as_alias.as_deref())?;
    let at = Some(surroundings.clock.now());
    let settled = Settled { how, reason: args.message.clone(), by: by.clone(), at };
    let goes_on = views::outermost(journal.as_ref(), &row)?;
    let resume_with = context.command(&views::go_on(&goes_on));
    let key = Key::from_text(&args.key);
    let posted = journal.post(&row.run, &Mail::Settle { key, settled });
    let admission = posted.map_err(|error| contradicted(error, &resume_with))?;
    let repeated = admission == Admission::Repeated;
    if context.json {
        console::document(&json!({
            "run": row.run, "key": args.key, "operation": doubt.operation, "how": word,
            "adopted": args.adopt, "reason": args.message, "by": by, "at": at,
            "repeated": repeated, "resume_with": resume_with,
        }));
    } else {
        let was = if repeated { "was settled so before" } else { "is settled" };
        console::out(&format!("the doubt at {} of run {} {was}: {word}", args.key, row.run));
        console::err(&format!("then go on with:  {resume_with}"));
    }
    Ok(exit::DONE)
}

/// Somebody settled it otherwise, and the run has not gone on since: the first word counts.
fn contradicted(error: JournalError, resume_with: &str) -> Failure {
    let is_refused = matches!(error, JournalError::Refused(_));
    let failure = Failure::from(error);
    match is_refused {
        true => failure.hint(format!("go on with what was said first:  {resume_with}")),
        false => failure,
    }
}

/// What is in doubt under the key that was given.
fn doubt<'a>(context: &Context, row: &'a RunRow, given: &str) -> Result<Doubt<'a>, Failure> {
    let mut others = Vec::new();
    let mut children = Vec::new();
    for reason in row.summary.reasons() {
        match reason {
            Reason::Doubt { key, operation, candidates, .. } if key.as_str() == given => {
                return Ok(Doubt { operation, candidates });
            }
            Reason::NotTakenBack { key, operation, .. } if key.as_str() == given => {
                return Ok(Doubt { operation, candidates: &[] });
            }
            Reason::Doubt { key, .. } | Reason::NotTakenBack { key, .. } => {
                others.push(key.as_str());
            }
            Reason::Child { run, .. } => children.push(run.0.as_str()),
            _ => {}
        }
    }
    let run = row.run.0.as_str();
    let failure = |message: String| Failure::of(Diagnostic::error(Code::WrongState, message));
    let status = |run: &str| context.command(&["status", run]);
    if !others.is_empty() {
        let others = others.join(" and ");
        let message = format!("run {run} is in doubt about {others}, not about {given}");
        return Err(
            failure(message).hint(format!("what AWS has, and the commands:  {}", status(run)))
        );
    }
    let failure = failure(format!("run {run} is {} and in doubt about nothing", row.status()));
    Err(match children.first() {
        Some(child) => failure.hint(format!("the run that it waits for:  {}", status(child))),
        None => failure.hint(format!("what it waits for:  {}", status(run))),
    })
}

/// The output to go on with: that of a candidate, or what the person gives.
fn adopted(
    context: &Context,
    row: &RunRow,
    args: &ResolveArgs,
    id: &str,
    doubt: &Doubt<'_>,
) -> Result<Value, Failure> {
    let (service, operation) = doubt.operation.split_once('.').unwrap_or((doubt.operation, ""));
    let answered = answered(service, operation);
    if let Some(text) = &args.output {
        let output = serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("--output is not JSON: {error}")))?;
        return checked(service, operation, output);
    }
    if let Some(candidate) = doubt.candidates.iter().find(|candidate| candidate.id == id) {
        return Ok(candidate.output.clone());
    }
    let names: Vec<&str> = answered
        .into_iter()
        .flat_map(|(_, shape)| shape.members.0.iter().map(|(name, _)| name.as_str()))
        .collect();
    if doubt.candidates.is_empty() && names.is_empty() {
        return Ok(json!({}));
    }
    let failure = Failure::usage(format!("`{id}` is not among what the call may have made"));
    if doubt.candidates.is_empty() {
        let hint = "say with --output JSON what the call would have answered";
        return Err(failure.hint(format!("{hint}: a map with {}", names.join(", "))));
    }
    let ways = doubts::ways(context, &row.run, &Key::from_text(&args.key), doubt.candidates);
    let hint = |failure: Failure, way: &doubts::Way| {
        failure.hint(format!("{}:  {}", way.when, way.command))
    };
    Err(ways.iter().fold(failure, hint))
}

/// The model of a service and the shape of what an operation answers.
fn answered(service: &str, operation: &str) -> Option<(&'static Model, &'static Shape)> {
    let model = piton_models::service(service)?;
    let found = model.operation_by_script_name(operation)?;
    Some((model, model.output_shape(found)?))
}

/// An output that a person gives, when the operation might have answered it. What it would have
/// answered besides may be left out: the script says what it needs.
fn checked(service: &str, operation: &str, output: Value) -> Result<Value, Failure> {
    for path in piton_models::credential_members(service, operation) {
        let found = path.split('/').fold(vec![&output], |values, name| {
            values.into_iter().flat_map(|value| members(value, name)).collect()
        });
        if found.into_iter().any(|value| !value.is_null()) {
            return Err(Failure::usage(format!("--output has a secret, {path}"))
                .hint("leave it out, since what is given here is stored"));
        }
    }
    let shape = piton_models::service(service).and_then(|model| {
        let found = model.operation_by_script_name(operation)?;
        Some((model, found.output.as_ref()?.shape.as_str()))
    });
    let Some((model, shape)) = shape else { return Ok(output) };
    let problem = validate(model, shape, &output, &|_| false)
        .into_iter()
        .find(|problem| problem.kind != ProblemKind::MissingMember);
    match problem {
        None => Ok(output),
        Some(problem) => {
            let place = if problem.path.is_empty() { "the value" } else { problem.path.as_str() };
            let failure = Failure::usage(format!(
                "--output is not what {service}.{operation} answers: {place}: {}",
                problem.message
            ));
            Err(match problem.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
    }
}

/// The members of a value under a name; `*` stands for all.
fn members<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match value {
        Value::Array(items) if name == "*" => items.iter().collect(),
        Value::Object(all) if name == "*" => all.values().collect(),
        other => other.get(name).into_iter().collect(),
    }
}
