//! `piton resume`: going on with a run.

use clap::Args;
use piton_core::ports::RunRow;
use piton_runner::{Options, Resume};

use crate::context::Context;
use crate::driving::{self, DriveArgs};
use crate::failure::Outcome;
use crate::wiring::Surroundings;

/// Go on with a run where it stood
#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// Id of the run, or the beginning of one
    run: String,
    /// Attempt again the call that failed the run
    #[arg(long)]
    retry: bool,
    /// Let an alias be somebody else from now on, on record
    #[arg(long, value_name = "ALIAS")]
    rebind: Vec<String>,
    #[command(flatten)]
    drive: DriveArgs,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ResumeArgs) -> Outcome {
    let how = Resume {
        retry: args.retry,
        rebind: args.rebind.clone(),
        options: args.drive.options(context)?,
    };
    let row = context.journal()?.find(&args.run)?;
    let surroundings =
        Surroundings::of_run(context, &row).map_err(|failure| failure.about(&row.run.0))?;
    go_on(context, &row, &surroundings, &how)
}

/// A resume that retries nothing.
pub(crate) fn how(options: Options) -> Resume {
    Resume { retry: false, rebind: Vec::new(), options }
}

/// Goes on with a run.
pub(crate) fn go_on(
    context: &Context,
    row: &RunRow,
    surroundings: &Surroundings,
    how: &Resume,
) -> Outcome {
    driving::drive(context, surroundings, |engine| engine.resume(&row.run, how))
        .map_err(|failure| failure.about(&row.run.0))
}
