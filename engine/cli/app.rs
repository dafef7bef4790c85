//! From the process's arguments to its exit code.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use piton_core::diagnostic::{Code, Diagnostic};

use crate::args::Cli;
use crate::context::Context;
use crate::failure::{Failure, exit};
use crate::{commands, console, driving, render};

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    panic::set_hook(Box::new(report_bug));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(refused_by_clap(&error)),
    };
    let context = Context::new(&cli.global);
    let drives = cli.command.drives_a_run();
    let ran = panic::catch_unwind(AssertUnwindSafe(|| commands::run(&context, cli.command)));
    let code = match ran {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            render::to_stderr(&failure.diagnostics);
            if drives && context.json {
                driving::print_refusal(&failure);
            }
            failure.exit_code
        }
        Err(_) => {
            if drives && context.json {
                let bug = Diagnostic::error(Code::Bug, "a bug in Piton, described on stderr");
                driving::print_refusal(&Failure::of(bug));
            }
            exit::BUG
        }
    };
    ExitCode::from(code)
}

/// Help and versions go to stdout and succeed; the rest is usage.
fn refused_by_clap(error: &clap::Error) -> u8 {
    // Whether the terminal is still there changes nothing about the exit code.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::DONE,
        _ => {
            if asks_for_lines() {
                let first = error.to_string();
                let first = first.lines().next().unwrap_or_default();
                let message = first.trim_start_matches("error: ").to_owned();
                driving::print_refusal(&Failure::of(Diagnostic::error(Code::Usage, message)));
            }
            exit::USAGE
        }
    }
}

/// Whether the arguments, wrong as they are, ask `run` or `resume` for JSON lines: their last line is
/// promised even then.
fn asks_for_lines() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.iter().any(|argument| argument == "--json")
        && arguments.iter().any(|argument| argument == "run" || argument == "resume")
}

fn report_bug(info: &PanicHookInfo<'_>) {
    let place = info
        .location()
        .map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    console::err(&format!(
        "a bug in Piton{place}: {message}\n\
         What was recorded is safe: the run can be resumed. Please report this with the text above."
    ));
}
