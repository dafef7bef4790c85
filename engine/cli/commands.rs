//! The commands, one file each.

use crate::args::Command;
use crate::context::Context;
use crate::failure::Outcome;

pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod decide;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inbox;
pub(crate) mod journal;
pub(crate) mod ls;
pub(crate) mod lsp;
pub(crate) mod models;
pub(crate) mod rehearse;
pub(crate) mod report;
pub(crate) mod resolve;
pub(crate) mod resume;
pub(crate) mod rm;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod verify;
pub(crate) mod watch;

/// Runs one command.
pub(crate) fn run(context: &Context, command: Command) -> Outcome {
    use piton_core::gate::Verdict;
    // A file that cannot be used must not stand in the way of replacing it.
    if !matches!(command, Command::Models(_)) {
        models::load(context)?;
    }
    match command {
        Command::Run(args) => run::run(context, args),
        Command::Resume(args) => resume::run(context, &args),
        Command::Inbox(args) => inbox::run(context, &args),
        Command::Approve(args) => decide::run(context, &args, Verdict::Approve),
        Command::Reject(args) => decide::run(context, &args, Verdict::Reject),
        Command::Ls(args) => ls::run(context, &args),
        Command::Show(args) => show::run(context, &args),
        Command::Status(args) => status::run(context, &args),
        Command::Journal(args) => journal::run(context, &args),
        Command::Watch(args) => watch::run(context, &args),
        Command::Report(args) => report::run(context, &args),
        Command::Verify(args) => verify::run(context, &args),
        Command::Rollback(args) => rollback::run(context, &args),
        Command::Rehearse(args) => rehearse::run(context, &args),
        Command::Drift(args) => drift::run(context, &args),
        Command::Cancel(args) => cancel::run(context, args),
        Command::Resolve(args) => resolve::run(context, &args),
        Command::Rm(args) => rm::run(context, &args),
        Command::Export(args) => export::run(context, &args),
        Command::Import(args) => import::run(context, &args),
        Command::Check(args) => check::run(context, &args),
        Command::Explain(args) => explain::run(context, &args),
        Command::Lsp(args) => lsp::run(context, &args),
        Command::Models(args) => models::run(context, &args),
        Command::Sandbox(args) => sandbox::run(context, &args),
        Command::Doctor(args) => doctor::run(context, &args),
    }
}
