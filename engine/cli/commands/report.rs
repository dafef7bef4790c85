//! `piton report`: the document of a run.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::evidence::Evidence;
use piton_runner::report::{Format, Proof, Report, ReportError, Source, Template};
use serde_json::json;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};

/// Write the report of a run, from its journal alone
#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Id of the run, or the beginning of one
    run: String,
    /// html, md or json [preset: what the file or template is called, else md]
    #[arg(long, value_name = "FORM")]
    format: Option<Format>,
    /// A template to use instead; the ending before .j2 decides what is escaped
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Let the report carry the run's program and journal: it then verifies without this machine
    #[arg(long)]
    evidence: bool,
    /// File to write instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ReportArgs) -> Outcome {
    let journal = context.journal()?;
    let row = journal.find(&args.run)?;
    let report = Report::load(journal.as_ref(), &row.run)?;
    let format = args.format.unwrap_or_else(|| implied(context, args));
    let (template, source) = match &args.template {
        Some(path) => (Some(read_template(path)?), Source::Given),
        None => match Template::of_program(&journal.program(&row.program)?, format) {
            Some(template) => (Some(template), Source::Runbook),
            None => (None, Source::Preset),
        },
    };
    let evidence = match args.evidence {
        true => Some(Evidence::of(journal.as_ref(), &row.run, Some(report.entries))?),
        false => None,
    };
    // What somebody's own template makes may be in any form: a comment might not be one there.
    let is_provable = source != Source::Given || evidence.is_some();
    let text = report
        .render(format, template)
        .and_then(|text| match is_provable {
            true => Proof::of(&report, source, evidence).seal(format, &text),
            false => Ok(text),
        })
        .map_err(|error| refused(&error))?;
    match &args.output {
        None => console::out_exactly(&text),
        Some(path) => {
            fs::write(path, text).map_err(|error| {
                Failure::storage(format!("{} cannot be written: {error}", path.display()))
            })?;
            let path = path.to_string_lossy();
            match context.json {
                true => console::document(&json!({"run": row.run, "file": path})),
                false => console::err(&format!("wrote {path}")),
            }
        }
    }
    Ok(exit::DONE)
}

/// The form that the names of files speak of.
fn implied(context: &Context, args: &ReportArgs) -> Format {
    let by_name = |path: &PathBuf| {
        let name = path.to_string_lossy().into_owned();
        name.trim_end_matches(".j2").rsplit_once('.')?.1.parse().ok()
    };
    let named = args.output.as_ref().and_then(by_name);
    named.or_else(|| args.template.as_ref().and_then(by_name)).unwrap_or(match context.json {
        true => Format::Json,
        false => Format::Markdown,
    })
}

fn read_template(path: &Path) -> Result<Template, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("the template {} cannot be read: {error}", path.display()))
    })?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Template { name, text })
}

fn refused(error: &ReportError) -> Failure {
    Failure::of(Diagnostic::error(Code::Template, error.to_string()))
}
