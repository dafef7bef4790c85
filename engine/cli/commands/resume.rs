//! `piton resume`: going on with a run, also with an edited script.

mod preview;

use clap::Args;
use piton_core::ports::RunRow;
use piton_runner::edit::Edit;
use piton_runner::{Options, Resume};

use crate::context::Context;
use crate::driving::{self, DriveArgs};
use crate::failure::{Failure, Outcome};
use crate::identity;
use crate::runbook::Runbook;
use crate::wiring::Surroundings;

/// Go on with a run where it stood
///
/// `--preview` evaluates the run without any effect and says what a resume would do. With `--script`
/// the run goes on by an edited script, when everything recorded is what that script asks for.
#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// Id of the run, or the beginning of one
    run: String,
    /// Attempt again the call that failed the run
    #[arg(long)]
    retry: bool,
    /// Change nothing: say what matches, what differs and what is new
    #[arg(long)]
    preview: bool,
    /// Go on with this script, or the script of this folder, from now on
    #[arg(long, value_name = "FILE")]
    script: Option<String>,
    /// Accept that the edited script leaves recorded entries, and that approvals stand
    #[arg(long, requires = "script")]
    accept: bool,
    /// Alias of the account that counts as whoever edited the script
    #[arg(long = "as", value_name = "ALIAS", requires = "script")]
    as_alias: Option<String>,
    /// Let an alias be somebody else from now on, on record
    #[arg(long, value_name = "ALIAS")]
    rebind: Vec<String>,
    #[command(flatten)]
    drive: DriveArgs,
}

impl ResumeArgs {
    /// Whether it goes on with a run, and does not only look.
    pub(crate) fn drives(&self) -> bool {
        !self.preview
    }
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ResumeArgs) -> Outcome {
    let how = Resume {
        retry: args.retry,
        rebind: args.rebind.clone(),
        options: args.drive.options(context)?,
    };
    let row = context.journal()?.find(&args.run)?;
    let about = |failure: Failure| failure.about(&row.run.0);
    let script = match &args.script {
        Some(given) => Some(script(given).map_err(about)?),
        None => None,
    };
    if args.preview {
        return preview::run(context, &row, script.as_ref(), args).map_err(about);
    }
    let surroundings = Surroundings::of_run(context, &row).map_err(about)?;
    let Some(script) = script else { return go_on(context, &row, &surroundings, &how) };
    let by = identity::requester(context, &surroundings, args.as_alias.as_deref());
    let edit = Edit {
        program: script.program,
        source: Some(script.source),
        by: by.map_err(about)?,
        accept: args.accept,
    };
    driving::drive(context, &surroundings, |engine| engine.resume_edited(&row.run, &how, &edit))
        .map_err(about)
}

/// An edited script: checked like one that a run starts with.
fn script(given: &str) -> Result<Runbook, Failure> {
    let runbook = Runbook::load(given)?;
    runbook.check()?;
    Ok(runbook)
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
