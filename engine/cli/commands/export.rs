//! `piton export`: a run in a file, to be read or to go on elsewhere.

use std::path::{Path, PathBuf};

use clap::Args;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::RunRow;
use piton_runner::capsule::{Capsule, CarriedWorld};
use piton_runner::transfer::Mover;
use serde_json::json;

use crate::clocks::{SystemEntropy, machine_now};
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::wiring::this_process;
use crate::{console, files};

/// Write a run to a file: its program, journal and those of the runs that belong to it
///
/// The file is a capsule: `piton verify FILE` checks it on any machine, `piton import FILE` keeps it to be
/// read. With --hand-over the run goes on with the capsule, and in this home no more. No secret and no key
/// is in it; inputs and answers of calls are: send it only to people who may read them.
#[derive(Args)]
pub(crate) struct ExportArgs {
    /// Id of the run, or the beginning of one
    run: String,
    /// File to write, which must not exist [preset: RUN.capsule]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Let the run go on where the capsule is taken over, and here no more
    #[arg(long)]
    hand_over: bool,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ExportArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    let path = args.output.clone().unwrap_or_else(|| format!("{}.capsule", row.run).into());
    refuse_existing(&path)?;
    let key = context.home()?.sealing_key()?;
    let mover = Mover {
        journal: journal.as_ref(),
        key: &key,
        entropy: &SystemEntropy,
        holder: &this_process(),
        now: machine_now(),
    };
    let id = match args.hand_over {
        true => Some(
            mover.hand_over(&row.run).map_err(|error| Failure::from(error).about(&row.run.0))?,
        ),
        false => None,
    };
    let world = match args.hand_over {
        true => world(context, &row)?,
        false => None,
    };
    let capsule = mover.pack(&row.run, id, world)?;
    write(&path, &capsule).map_err(|failure| match args.hand_over {
        // The run goes on nowhere until there is a file.
        true => failure.hint(format!(
            "the run is handed over: write its capsule elsewhere with `piton export {} --hand-over -o \
             FILE`",
            row.run
        )),
        false => failure,
    })?;
    tell(context, &path, &capsule);
    Ok(exit::DONE)
}

/// Before anything is handed over: whether the file can be a new one.
fn refuse_existing(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(Failure::usage(format!("{} is there already", path.display()))
            .hint("name another file with -o, or remove that one")),
        Err(_) => Ok(()),
    }
}

/// The world that a rehearsal goes on in.
fn world(context: &Context, row: &RunRow) -> Result<Option<CarriedWorld>, Failure> {
    let Some(name) = &row.summary.world else { return Ok(None) };
    let bytes = context.home()?.worlds().stored(name)?.sandbox.image()?;
    Ok(Some(CarriedWorld { name: name.clone(), bytes }))
}

fn write(path: &Path, capsule: &Capsule) -> Result<(), Failure> {
    let mut text = Vec::new();
    let written = capsule.write(&mut text).and_then(|()| files::create(path, &text));
    written.map_err(|error| {
        Failure::of(Diagnostic::error(
            Code::Storage,
            format!("{} cannot be written: {error}", path.display()),
        ))
    })
}

fn tell(context: &Context, path: &Path, capsule: &Capsule) {
    let header = &capsule.header;
    let file = path.to_string_lossy();
    let evidence = &capsule.runs[0].evidence;
    let (entries, head) = (evidence.entries.len(), evidence.head);
    if context.json {
        let runs: Vec<_> = capsule.runs.iter().map(|carried| &carried.evidence.run).collect();
        console::document(&json!({
            "run": header.run, "file": file, "capsule": header.id, "hand_over": header.hand_over,
            "runs": runs, "entries": entries, "head": head,
            "world": capsule.world.as_ref().map(|world| &world.name),
        }));
        return;
    }
    let others = match capsule.runs.len() - 1 {
        0 => String::new(),
        others => format!(", with {others} more that belong to it"),
    };
    console::err(&format!("wrote {file}: run {}, {entries} entries{others}", header.run));
    let file = console::shell_word(&file);
    if capsule.world.is_some() {
        console::err(
            "the rehearsal's world goes along, with the values of the secrets that were made in it",
        );
    }
    if header.hand_over {
        console::err("the run goes on with this file alone; where it is to go on:");
        console::out(&format!("piton import {file} --take-over"));
    } else {
        console::err("to check it anywhere:");
        console::out(&format!("piton verify {file}"));
    }
}
