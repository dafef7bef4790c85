//! The command line as data. What each command's flags are is said in the command's own file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    cancel, check, decide, doctor, drift, explain, export, import, inbox, journal, ls, lsp, models,
    rehearse, report, resolve, resume, rm, rollback, run, sandbox, show, status, verify, watch,
};

/// Durable runbooks for AWS data platforms.
///
/// A run survives a crash, a reboot and a two-week wait for an approval, and goes on exactly where it
/// stood. `piton run RUNBOOK --sandbox` rehearses one without an account.
///
/// Exit codes: 0 done; 1 a bug in Piton; 2 usage, invalid runbook or parameters; 3 suspended, which is
/// no failure; 4 the run failed; 5 stuck, a person must settle something; 6 rejected or expired at a
/// gate; 7 mismatch; 8 another process holds the run; 9 cancelled; 10 evidence does not verify.
#[derive(Parser)]
#[command(name = "piton", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args)]
pub(crate) struct Global {
    /// Folder that runs are kept in [preset: $PITON_HOME, else the XDG state folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// The piton.toml that says what account aliases are [preset: the nearest one upward]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep runs on a network file system all the same: its locks have to hold between machines
    #[arg(long, global = true)]
    pub(crate) network_home: bool,
    /// Answer for programs: one document, or one object a line for `run`, `resume` and `rollback`
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    Run(run::RunArgs),
    Resume(resume::ResumeArgs),
    Inbox(inbox::InboxArgs),
    Approve(decide::DecideArgs),
    Reject(decide::DecideArgs),
    Ls(ls::LsArgs),
    Show(show::ShowArgs),
    Status(status::StatusArgs),
    Journal(journal::JournalArgs),
    Watch(watch::WatchArgs),
    Report(report::ReportArgs),
    Verify(verify::VerifyArgs),
    Rollback(rollback::RollbackArgs),
    Drift(drift::DriftArgs),
    Cancel(cancel::CancelArgs),
    Resolve(resolve::ResolveArgs),
    Rm(rm::RmArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Check(check::CheckArgs),
    Rehearse(rehearse::RehearseArgs),
    Explain(explain::ExplainArgs),
    Lsp(lsp::LspArgs),
    Models(models::ModelsArgs),
    Sandbox(sandbox::SandboxArgs),
    Doctor(doctor::DoctorArgs),
}

impl Command {
    /// Whether its output with `--json` is lines that end with the run's end.
    pub(crate) fn drives_a_run(&self) -> bool {
        match self {
            Self::Run(_) | Self::Rehearse(_) => true,
            Self::Resume(resume) => resume.drives(),
            Self::Rollback(rollback) => rollback.drives(),
            Self::Approve(decide) | Self::Reject(decide) => decide.resumes(),
            _ => false,
        }
    }
}
