//! `piton models`: models of further AWS services, beside those that are part of the program.
//!
//! They are one file a service in a folder of the home, or in the one that `PITON_MODELS` names, and are
//! read before every command. What a service is called with is checked against them as against any.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};

/// Add models of further AWS services
#[derive(Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// Add the model of one service, for `aws(alias).service(name)`
    ///
    /// FILE is a `service-2.json` of botocore; `paginators-1.json` and `endpoint-rule-set-1.json` are
    /// taken from the same folder.
    Add {
        /// botocore/data/<service>/<version>/service-2.json
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Serialize)]
struct AddedView {
    service: String,
    path: String,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ModelsArgs) -> Outcome {
    let ModelsCommand::Add { file } = &args.command;
    let service = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let paginators = beside(file, "paginators-1.json")?;
    let rules = beside(file, "endpoint-rule-set-1.json")?;
    let (name, text) =
        piton_models::assemble(file, &service, paginators.as_deref(), rules.as_deref())
            .map_err(|error| Failure::usage(error.to_string()))?;
    let folder = folder(context)?;
    let path = folder.join(format!("{name}.json"));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
    written.map_err(|error| Failure::storage(format!("{}: {error}", path.display())))?;
    let path = path.display().to_string();
    if context.json {
        console::document(&AddedView { service: name, path });
    } else {
        console::out(&format!(
            "{name} is now `aws(alias).service(\"{name}\")`; its model is {path}"
        ));
        if rules.is_none() {
            console::err("it has no endpoint rules: an account that calls it needs endpoint_url");
        }
    }
    Ok(exit::DONE)
}

/// Makes the models of the folder known to this process.
pub(crate) fn load(context: &Context) -> Result<(), Failure> {
    // Without a home there is nothing to read; a command that needs one says so.
    let Ok(folder) = folder(context) else { return Ok(()) };
    piton_models::add_folder(&folder).map_err(|error| {
        Failure::usage(error.to_string()).hint("remove the file, or add it again from botocore")
    })
}

/// `PITON_MODELS`, else `models` in the home.
pub(crate) fn folder(context: &Context) -> Result<PathBuf, Failure> {
    match env::var_os("PITON_MODELS").filter(|value| !value.is_empty()) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(context.home()?.folder().join("models")),
    }
}

fn beside(file: &Path, name: &str) -> Result<Option<String>, Failure> {
    let path = file.with_file_name(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}
