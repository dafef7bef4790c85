//! `piton import`: runs of another home, to be read or to go on here.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::{Journal, JournalError};
use piton_runner::capsule::{Capsule, CapsuleFlaw};
use piton_runner::transfer::{Mover, secrets_wanted};
use piton_script::params::{SecretSource, reference};
use serde_json::json;

use crate::clocks::{SystemEntropy, machine_now};
use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::wiring::this_process;

/// Take in a capsule of `piton export`: to be read, or with --take-over to go on here
#[derive(Args)]
pub(crate) struct ImportArgs {
    /// The capsule
    file: PathBuf,
    /// Go on with the run here; the capsule must be a hand-over
    #[arg(long)]
    take_over: bool,
    /// Where a secret parameter's value is: env:VARIABLE, file:PATH or secretsmanager:ARN
    #[arg(long, value_name = "NAME=SOURCE", requires = "take_over")]
    secret: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ImportArgs) -> Outcome {
    let capsule = read(args)?;
    let journal = context.journal()?;
    journal.writable()?;
    let key = context.home()?.sealing_key()?;
    let mover = Mover {
        journal: journal.as_ref(),
        key: &key,
        entropy: &SystemEntropy,
        holder: &this_process(),
        now: machine_now(),
    };
    let header = capsule.header.clone();
    let world = capsule.world.as_ref().map(|world| world.name.clone());
    let runs: Vec<_> = capsule.runs.iter().map(|carried| carried.evidence.run.clone()).collect();
    match args.take_over {
        true => {
            let secrets = secrets(context, &args.secret, &capsule)?;
            mover.check(&capsule, &secrets)?;
            place_world(context, journal.as_ref(), &capsule)?;
            mover.take_over(capsule, &secrets)?;
        }
        false => mover.keep(capsule)?,
    }
    let row = journal.find(&header.run.0)?;
    let run = row.run.0.as_str();
    if context.json {
        console::document(&json!({
            "run": run, "capsule": header.id, "take_over": args.take_over, "runs": runs,
            "status": row.status().as_str(), "entries": row.head.seq, "head": row.head.hash,
            "world": world.filter(|_| args.take_over),
        }));
        return Ok(exit::DONE);
    }
    match args.take_over {
        true => {
            console::err(&format!("run {run} goes on here; it is {}", row.status()));
            console::out(&context.command(&["status", run]));
        }
        false => {
            console::err(&format!("run {run} is kept to be read; it was {}", row.status()));
            console::out(&context.command(&["show", run]));
        }
    }
    Ok(exit::DONE)
}

fn read(args: &ImportArgs) -> Result<Capsule, Failure> {
    let name = args.file.display();
    let text = fs::read(&args.file)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    Capsule::read(&text).map_err(|flaw| refused(&name.to_string(), &flaw))
}

/// A file that is no good capsule: with exit code 10 when it was one.
pub(crate) fn refused(name: &str, flaw: &CapsuleFlaw) -> Failure {
    let message = format!("{name}: {flaw}");
    match flaw {
        CapsuleFlaw::NotOne => Failure::of(Diagnostic::error(Code::NotAdmitted, message))
            .hint("`piton export RUN` writes one"),
        CapsuleFlaw::Newer(_) => Failure::of(Diagnostic::error(Code::NotAdmitted, message))
            .hint("use the newer version of Piton"),
        _ => {
            let diagnostic = Diagnostic::error(Code::EvidenceBroken, message)
                .hint("have it written again where it comes from, and send it again");
            Failure { exit_code: exit::FORGED, ..Failure::of(diagnostic) }
        }
    }
}

/// Where the secret parameters are: what was given, and what somebody at the terminal types.
fn secrets(
    context: &Context,
    given: &[String],
    capsule: &Capsule,
) -> Result<Vec<(String, SecretSource)>, Failure> {
    let mut known = Vec::new();
    for pair in given {
        let source = pair
            .split_once('=')
            .and_then(|(name, source)| Some((name.to_owned(), reference(source)?)));
        known.push(source.ok_or_else(|| {
            Failure::usage(format!("`--secret {}` is not NAME=SOURCE", pair_name(pair)))
                .hint("SOURCE is env:VARIABLE, file:PATH or secretsmanager:ARN, never the value")
        })?);
    }
    if context.json || !console::is_interactive() {
        return Ok(known);
    }
    for name in secrets_wanted(capsule) {
        if known.iter().all(|(given, _)| *given != name) {
            let value = console::ask_secret(&format!("{name} (not shown):"))
                .ok_or_else(|| Failure::usage(format!("`{name}` was not given")))?;
            known.push((name, SecretSource::Literal(value)));
        }
    }
    Ok(known)
}

/// The name alone: what comes after it may be a secret that somebody wrote there.
fn pair_name(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

/// Puts the world of a rehearsal in its place. One that is there is replaced when it is what the run
/// left here when it was handed over, and nothing else goes on in it.
fn place_world(context: &Context, journal: &dyn Journal, capsule: &Capsule) -> Result<(), Failure> {
    let Some(world) = &capsule.world else { return Ok(()) };
    let (mut was_here, mut is_in_use) = (false, false);
    for row in journal.runs()? {
        let is_carried = capsule.runs.iter().any(|carried| carried.evidence.run == row.run);
        if row.summary.world.as_ref() != Some(&world.name) {
            continue;
        }
        match (is_carried, row.elsewhere()) {
            (true, None) => {
                let reason = "it is in this home already, and goes on here".to_owned();
                return Err(JournalError::NotAdmitted { run: row.run.0, reason }.into());
            }
            (true, Some(_)) => was_here = true,
            (false, _) => is_in_use |= !row.summary.status.is_final() && !row.copy,
        }
    }
    let worlds = context.home()?.worlds();
    worlds.place(&world.name, &world.bytes, was_here && !is_in_use)
}
