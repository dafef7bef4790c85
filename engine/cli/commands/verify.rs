//! `piton verify`: whether a run's journal, a report or a capsule is what was written.

use std::fs;
use std::path::Path;

use clap::Args;
use piton_core::canonical::Digest;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::Body;
use piton_core::evidence::{Evidence, Flaw, program_digest};
use piton_core::ports::{Journal, JournalError, RunId, RunRow};
use piton_runner::capsule::{Capsule, CapsuleFlaw, Carried, Header};
use piton_runner::report::{Compared, Found, Proof};
use serde_json::json;

use crate::commands::import;
use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};

/// Check that a run's journal, a report or a capsule is what was written
///
/// A report with `--evidence`, and a capsule, is checked without this machine's journals. What verifying cannot show:
/// that the journal was true when it was written, or that no one rewrote it whole; for that, compare the
/// digest with one noted elsewhere.
#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// Id of the run or the beginning of one, or a file that `piton report` or `piton export` wrote
    #[arg(value_name = "RUN|FILE")]
    what: String,
    /// Require that an entry has this digest, which somebody noted elsewhere; what `anchor()` gave will do
    #[arg(long, value_name = "DIGEST")]
    anchor: Option<String>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &VerifyArgs) -> Outcome {
    let path = Path::new(&args.what);
    match path.is_file() {
        true => verify_file(context, path, args),
        false => verify_run(context, args),
    }
}

fn verify_file(context: &Context, path: &Path, args: &VerifyArgs) -> Outcome {
    let name = path.display().to_string();
    let bytes = fs::read(path)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    match Capsule::is_one(&bytes) {
        true => verify_capsule(context, &name, &bytes, args),
        false => verify_report(context, &name, &String::from_utf8_lossy(&bytes), args),
    }
}

fn verify_capsule(context: &Context, name: &str, bytes: &[u8], args: &VerifyArgs) -> Outcome {
    let capsule = Capsule::read(bytes).map_err(|flaw| match flaw {
        CapsuleFlaw::NotOne | CapsuleFlaw::Newer(_) => import::refused(name, &flaw),
        other => forgery(name, &other.to_string(), None),
    })?;
    if let Some(anchor) = &args.anchor {
        let all = capsule.runs.iter().map(|carried| &carried.evidence);
        check_anchor(name, anchor, all.flat_map(|evidence| &evidence.entries).map(|row| row.hash))?;
    }
    let runs: Vec<_> = capsule
        .runs
        .iter()
        .map(|Carried { evidence: Evidence { run, entries, head, .. }, .. }| {
            json!({"run": run, "entries": entries.len(), "head": head})
        })
        .collect();
    let Header { run, hand_over, id, .. } = &capsule.header;
    if context.json {
        console::document(&json!({
            "file": name, "run": run, "verifies": true, "capsule": id, "hand_over": hand_over,
            "runs": runs,
        }));
        return Ok(exit::DONE);
    }
    for carried in &capsule.runs {
        let Evidence { run, entries, head, .. } = &carried.evidence;
        console::out(&format!(
            "{name} verifies: run {run}, {} entries, head {head}",
            entries.len()
        ));
    }
    console::err(match hand_over {
        true => "a hand-over: it goes on with `piton import FILE --take-over`",
        false => "to be read: `piton import FILE`",
    });
    Ok(exit::DONE)
}

/// Requires that a digest noted elsewhere is that of an entry.
fn check_anchor(
    what: &str,
    anchor: &str,
    hashes: impl IntoIterator<Item = Digest>,
) -> Result<(), Failure> {
    let digest = anchor.rsplit(':').next().and_then(Digest::from_hex).ok_or_else(|| {
        Failure::usage(format!("`{anchor}` is no anchor")).hint(
            "an anchor is a digest of 64 digits, or what `anchor()` gave: piton:RUN:ENTRY:DIGEST",
        )
    })?;
    match hashes.into_iter().any(|hash| hash == digest) {
        true => Ok(()),
        false => Err(forgery(what, &format!("none of its entries has the digest {digest}"), None)),
    }
}

/// The program that a run's entries name: the one of its start, or of its last edit.
fn named_program(journal: &dyn Journal, row: &RunRow) -> Result<Digest, Failure> {
    let (mut named, mut after) = (row.program, 0);
    loop {
        let chunk = journal.entries(&row.run, after, 512)?;
        let Some(last) = chunk.last() else { return Ok(named) };
        after = last.seq;
        for stored in chunk {
            match stored.entry.body {
                Body::Started(started) => named = started.program,
                Body::Edited(edited) => named = edited.to,
                _ => {}
            }
        }
    }
}

/// The digests of a run's entries.
fn hashes(journal: &dyn Journal, run: &RunId) -> Result<Vec<Digest>, Failure> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let chunk = journal.entries(run, after, 512)?;
        let Some(last) = chunk.last() else { return Ok(found) };
        after = last.seq;
        found.extend(chunk.iter().map(|stored| stored.hash));
    }
}

fn verify_run(context: &Context, args: &VerifyArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.what)?;
    if let Some(seq) = journal.verify(&row.run)? {
        return forged(&format!("run {}", row.run), &Flaw::Entry(seq).to_string(), Some(seq));
    }
    // The chain holds; the program is what its entries name.
    if row.program != named_program(journal.as_ref(), &row)?
        || program_digest(&journal.program(&row.program)?) != row.program
    {
        return forged(&format!("run {}", row.run), &Flaw::Program.to_string(), Some(1));
    }
    if let Some(anchor) = &args.anchor {
        check_anchor(&format!("run {}", row.run), anchor, hashes(journal.as_ref(), &row.run)?)?;
    }
    // So does what is kept beside the entries, and the file.
    let damage = journal.check(Some(&row.run))?;
    if !damage.is_empty() {
        return forged(&format!("run {}", row.run), &damage.join("; "), None);
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

fn verify_report(context: &Context, name: &str, text: &str, args: &VerifyArgs) -> Outcome {
    let Some(found) = Found::parse(text) else {
        return forged(name, "it has no proof at its end, or one that cannot be read", None);
    };
    let recorded = match &found.proof.evidence {
        Some(evidence) => evidence.clone(),
        None => match of_this_home(context, &found.proof)? {
            Ok(evidence) => evidence,
            Err(why) => return forged(name, &why, None),
        },
    };
    if let Some(anchor) = &args.anchor {
        check_anchor(name, anchor, recorded.entries.iter().map(|row| row.hash))?;
    }
    let compared = match found.check(&recorded) {
        Ok(compared) => compared,
        Err(forgery) => return forged(name, &forgery.to_string(), None),
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
    Err(forgery(what, why, entry))
}

fn forgery(what: &str, why: &str, entry: Option<u64>) -> Failure {
    let message = format!("{what} does not verify: {why}");
    let mut failure = Failure::of(Diagnostic::error(Code::EvidenceBroken, message));
    failure.exit_code = exit::FORGED;
    if let Some(entry) = entry.filter(|entry| *entry > 1) {
        failure = failure.hint(format!("entries 1 to {} are what was appended", entry - 1));
    }
    failure
}
