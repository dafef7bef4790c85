//! `piton verify`: whether a run's journal, or a report, is what was written.

use std::fs;
use std::path::Path;

use clap::Args;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::evidence::{Evidence, Flaw};
use piton_core::ports::JournalError;
use piton_runner::report::{Compared, Found, Proof};
use serde_json::json;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};

/// Check that a run's journal, or a report, is what was written
///
/// A report with `--evidence` is checked without this machine's journals. What verifying cannot show:
/// that the journal was true when it was written, or that no one rewrote it whole; for that, compare the
/// digest with one noted elsewhere.
#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// Id of the run or the beginning of one, or a file that `piton report` wrote
    #[arg(value_name = "RUN|FILE")]
    what: String,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &VerifyArgs) -> Outcome {
    let path = Path::new(&args.what);
    match path.is_file() {
        true => verify_report(context, path),
        false => verify_run(context, &args.what),
    }
}

fn verify_run(context: &Context, run: &str) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(run)?;
    if let Some(seq) = journal.verify(&row.run)? {
        return forged(&format!("run {}", row.run), &Flaw::Entry(seq).to_string(), Some(seq));
    }
    // The chain holds; the program is what its first entry names.
    let first = Evidence::of(journal.as_ref(), &row.run, Some(1))?;
    if let Err(flaw) = first.verify() {
        return forged(&format!("run {}", row.run), &flaw.to_string(), Some(1));
    }
    let (entries, head) = (row.head.seq, row.head.hash);
    match context.json {
        true => console::document(
            &json!({"run": row.run, "verifies": true, "entries": entries, "head": head}),
        ),
        false => {
            console::out(&format!("run {} verifies: {entries} entries, head {head}", row.run));
        }
    }
    Ok(exit::DONE)
}

fn verify_report(context: &Context, path: &Path) -> Outcome {
    let name = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    let Some(found) = Found::parse(&text) else {
        return forged(&name, "it has no proof at its end, or one that cannot be read", None);
    };
    let recorded = match &found.proof.evidence {
        Some(evidence) => evidence.clone(),
        None => match of_this_home(context, &found.proof)? {
            Ok(evidence) => evidence,
            Err(why) => return forged(&name, &why, None),
        },
    };
    let compared = match found.check(&recorded) {
        Ok(compared) => compared,
        Err(forgery) => return forged(&name, &forgery.to_string(), None),
    };
    let Proof { run, entries, head, evidence, .. } = &found.proof;
    let against = if evidence.is_some() { "report" } else { "journal" };
    match context.json {
        true => console::document(&json!({
            "file": name, "run": run, "verifies": true, "entries": entries, "head": head,
            "against": against, "text_compared": compared == Compared::Text,
        })),
        false => {
            console::out(&format!("{name} verifies: run {run}, {entries} entries, head {head}"));
            console::err(match against {
                "report" => "compared with the evidence that the report carries",
                _ => "compared with the journal of this home",
            });
            if let Some(left_out) = left_out(compared) {
                console::err(left_out);
            }
        }
    }
    Ok(exit::DONE)
}

/// The journal of this home at the state that a report was made of.
fn of_this_home(context: &Context, proof: &Proof) -> Result<Result<Evidence, String>, Failure> {
    let journal = context.journal()?;
    match Evidence::of(journal.as_ref(), &proof.run, Some(proof.entries)) {
        Ok(evidence) => Ok(Ok(evidence)),
        Err(JournalError::NoRun(run)) => Ok(Err(format!(
            "run {run} is not in this home, and the report carries no evidence (`piton report \
             --evidence` makes one that does)"
        ))),
        Err(error) => Err(error.into()),
    }
}

fn left_out(compared: Compared) -> Option<&'static str> {
    match compared {
        Compared::Text => None,
        Compared::GivenTemplate => {
            Some("its text was not compared: it was made with a template that the run does not own")
        }
        Compared::OtherVersion => {
            Some("its text was not compared: another version of Piton made it")
        }
        Compared::Driven => {
            Some("its text was not compared: the run was going on when the report was made")
        }
    }
}

fn forged(what: &str, why: &str, entry: Option<u64>) -> Outcome {
    let message = format!("{what} does not verify: {why}");
    let mut failure = Failure::of(Diagnostic::error(Code::EvidenceBroken, message));
    failure.exit_code = exit::FORGED;
    if let Some(entry) = entry.filter(|entry| *entry > 1) {
        failure = failure.hint(format!("entries 1 to {} are what was appended", entry - 1));
    }
    Err(failure)
}
