//! `piton run`: starting a run.

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory as _};
use piton_core::account::AccountRef;
use piton_core::ports::RunId;
use piton_runner::Start;
use piton_runner::engine::new_run_id;
use piton_script::params::Bound;

use crate::args::Cli;
use crate::clocks::SystemEntropy;
use crate::commands::ls;
use crate::context::Context;
use crate::driving::{self, DriveArgs};
use crate::failure::{Failure, Outcome, exit};
use crate::runbook::{self, Runbook};
use crate::wiring::{Surroundings, identify_diagnostic};
use crate::{console, identity};

/// Run a runbook, against AWS or as a rehearsal in the sandbox
///
/// `piton run RUNBOOK --help` shows what the runbook takes.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct RunArgs {
    /// Name of a packaged runbook, or path of a script or of its folder
    runbook: Option<String>,
    /// A parameter
    #[arg(short, long = "param", value_name = "K=V")]
    params: Vec<String>,
    /// Parameters from a JSON or TOML file; -p counts more
    #[arg(long = "params", value_name = "FILE")]
    params_file: Option<PathBuf>,
    /// Rehearse in the sandbox: in a new world, a stored one, or one from a world.toml
    #[arg(long, value_name = "WORLD", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    sandbox: Option<String>,
    /// A name for the run
    #[arg(long)]
    name: Option<String>,
    /// A label for the run
    #[arg(long = "label", value_name = "K=V")]
    labels: Vec<String>,
    /// Start without asking
    #[arg(long)]
    yes: bool,
    /// Alias of the account that counts as whoever starts the run
    #[arg(long = "as", value_name = "ALIAS")]
    as_alias: Option<String>,
    #[command(flatten)]
    drive: DriveArgs,
    /// Show the flags, and what the runbook takes
    #[arg(short, long, action = ArgAction::SetTrue)]
    help: bool,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: RunArgs) -> Outcome {
    if args.help {
        return help(args.runbook.as_deref());
    }
    let Some(given) = &args.runbook else {
        return Err(Failure::usage("which runbook?")
            .hint(format!("packaged: {}", piton_script::program::packaged().join(", ")))
            .hint("piton run --help"));
    };
    let runbook = Runbook::load(given)?;
    runbook.check()?;
    context.journal()?.writable()?;
    let in_sandbox = args.sandbox.is_some();
    let declaration = runbook.program.declaration();
    let file = args.params_file.as_ref();
    let params = runbook::parameters(context, declaration, file, &args.params, in_sandbox)?;
    let labels = ls::labels(&args.labels)?;
    let options = args.drive.options(context)?;
    let run = new_run_id(&SystemEntropy);
    let surroundings = surroundings(context, &args, &runbook, &run)?;
    let requester = identity::requester(context, &surroundings, args.as_alias.as_deref())?;
    if !in_sandbox && !args.yes && !agreed(context, &surroundings, &runbook, &params)? {
        return Err(Failure::usage("not started"));
    }
    let start = Start {
        run: run.clone(),
        source: Some(runbook.source),
        program: runbook.program,
        params,
        name: args.name,
        labels,
        world: surroundings.world.as_ref().map(|world| world.name.clone()),
        requester,
        options,
    };
    let journal = context.journal()?;
    driving::drive(context, &surroundings, |engine| engine.start(start)).map_err(|failure| {
        // What went wrong may have come before the run was there, or after.
        if journal.find(&run.0).is_ok() { failure.about(&run.0) } else { failure }
    })
}

fn help(given: Option<&str>) -> Outcome {
    let mut command = Cli::command();
    command.build();
    let run = command.find_subcommand_mut("run").expect("`run` is a command");
    match given {
        None => console::out_exactly(&run.render_long_help().to_string()),
        Some(given) => {
            let runbook = Runbook::load(given)?;
            console::out(&runbook::help(&runbook.program));
            console::out_exactly(&run.render_help().to_string());
        }
    }
    Ok(exit::DONE)
}

fn surroundings(
    context: &Context,
    args: &RunArgs,
    runbook: &Runbook,
    run: &RunId,
) -> Result<Surroundings, Failure> {
    let Some(given) = &args.sandbox else {
        return Surroundings::of_aws(context, &run.0);
    };
    let stored = context.home()?.worlds();
    let world = match given.as_str() {
        "" => stored.fresh(runbook.program.name(), &runbook.world()?)?,
        given => stored.named(given)?,
    };
    Ok(Surroundings::of_world(world, &run.0))
}

/// Against AWS, at a terminal: shows as whom it runs, and asks.
fn agreed(
    context: &Context,
    surroundings: &Surroundings,
    runbook: &Runbook,
    params: &Bound,
) -> Result<bool, Failure> {
    if context.json || !console::is_interactive() {
        return Ok(true);
    }
    let declaration = runbook.program.declaration();
    console::err(&format!("{}: {}", runbook.program.name(), declaration.title));
    if !declaration.summary.is_empty() {
        console::err(&declaration.summary);
    }
    let mut rows = Vec::new();
    for account in &declaration.accounts {
        if account.many {
            let which = "one for each account that the script names".to_owned();
            rows.push(vec![account.alias.clone(), String::new(), which, String::new()]);
            continue;
        }
        let reference = AccountRef::alias(&account.alias);
        let identified = surroundings.operations.identify(&reference);
        rows.push(match context.runtime().block_on(identified) {
            _ if account.created_here => {
                vec![
                    account.alias.clone(),
                    String::new(),
                    "made by the run".to_owned(),
                    String::new(),
                ]
            }
            Ok(principal) => {
                vec![account.alias.clone(), principal.account, principal.arn, principal.region]
            }
            Err(error) => return Err(Failure::of(identify_diagnostic(&account.alias, &error))),
        });
    }
    if !rows.is_empty() {
        console::err(&console::table(&["alias", "account", "principal", "region"], &rows));
    }
    for (name, value) in &params.values {
        console::err(&format!("  {name} = {}", piton_core::secret::masked(value)));
    }
    Ok(console::confirm("This runs against AWS, and what it creates may cost money. Start?"))
}
