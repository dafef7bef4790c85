//! `piton doctor`: whether everything that Piton needs is in order here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use clap::Args;
use piton_runner::engine::journal_diagnostic;
use serde::Serialize;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};
use crate::home::create_folder;
use crate::wiring::{Surroundings, identify_diagnostic};

/// Check the home folder, the journal, the key and piton.toml
#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Prove every alias of piton.toml too, which calls AWS
    #[arg(long)]
    accounts: bool,
}

#[derive(Serialize)]
struct DoctorView {
    ok: bool,
    version: &'static str,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: String,
    ok: bool,
    detail: String,
    hints: Vec<String>,
}

impl Check {
    fn of(name: impl Into<String>, result: Result<String, Failure>) -> Self {
        let name = name.into();
        match result {
            Ok(detail) => Self { name, ok: true, detail, hints: Vec::new() },
            Err(failure) => {
                let detail = failure.message();
                let hints = failure.diagnostics.into_iter().flat_map(|d| d.hints).collect();
                Self { name, ok: false, detail, hints }
            }
        }
    }
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &DoctorArgs) -> Outcome {
    let mut checks = vec![
        Check::of("home", home(context)),
        Check::of("journal", journal(context)),
        Check::of("key", key(context)),
        Check::of("locks", locks(context)),
        Check::of("worlds", worlds(context)),
        Check::of("piton.toml", configuration(context)),
    ];
    if args.accounts {
        checks.extend(accounts(context));
    }
    let ok = checks.iter().all(|check| check.ok);
    if context.json {
        console::document(&DoctorView { ok, version: env!("CARGO_PKG_VERSION"), checks });
    } else {
        console::out(&format!("piton {}", env!("CARGO_PKG_VERSION")));
        for check in &checks {
            let word = if check.ok { "ok" } else { "bad" };
            console::out(&format!("{word:<4} {:<12} {}", check.name, check.detail));
            check.hints.iter().for_each(|hint| console::out(&format!("     {hint}")));
        }
    }
    Ok(if ok { exit::DONE } else { exit::USAGE })
}

fn home(context: &Context) -> Result<String, Failure> {
    let home = context.home()?;
    let folder = home.folder();
    let refused = |error: std::io::Error| {
        Failure::storage(format!("{} cannot be written: {error}", folder.display()))
            .hint("give another folder with --home, or its owner the right to write")
    };
    create_folder(folder).map_err(refused)?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(refused)?;
    Ok(folder.display().to_string())
}

fn journal(context: &Context) -> Result<String, Failure> {
    let runs =
        context.journal()?.runs().map_err(|error| Failure::of(journal_diagnostic(&error)))?;
    let waiting = runs.iter().filter(|row| !row.status().is_final()).count();
    Ok(format!("{} runs, {waiting} not ended", runs.len()))
}

fn locks(context: &Context) -> Result<String, Failure> {
    let held =
        context.journal()?.locks().map_err(|error| Failure::of(journal_diagnostic(&error)))?;
    let words: Vec<String> =
        held.iter().map(|lock| format!("{} by run {}", lock.name, lock.run)).collect();
    Ok(match words.is_empty() {
        true => "none held".to_owned(),
        false => format!("held: {}", words.join(", ")),
    })
}

fn key(context: &Context) -> Result<String, Failure> {
    let home = context.home()?;
    let path = home.key_path();
    if !path.exists() {
        return Ok("not needed yet".to_owned());
    }
    home.sealing_key()?;
    let readable = |error: std::io::Error| Failure::storage(format!("{}: {error}", path.display()));
    let mode = fs::metadata(&path).map_err(readable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure::storage(format!("{} can be read by others", path.display()))
            .hint(format!("chmod 600 {}", console::shell_word(&path.to_string_lossy()))));
    }
    Ok("readable by its owner alone".to_owned())
}

fn worlds(context: &Context) -> Result<String, Failure> {
    let worlds = context.home()?.worlds();
    let names = worlds.names();
    for name in &names {
        worlds.stored(name)?;
    }
    Ok(format!("{} stored", names.len()))
}

fn configuration(context: &Context) -> Result<String, Failure> {
    let accounts = context.accounts()?;
    let Some(path) = &accounts.path else {
        return Ok("none: only the sandbox and the alias `default` can be used".to_owned());
    };
    let aliases: Vec<&str> = accounts.accounts.keys().map(String::as_str).collect();
    Ok(format!("{}: {}", path.display(), aliases.join(", ")))
}

fn accounts(context: &Context) -> Vec<Check> {
    let prove = || -> Result<Vec<Check>, Failure> {
        let configured = context.accounts()?.accounts.into_iter();
        let surroundings = Surroundings::of_aws(context, "doctor")?;
        Ok(configured
            .map(|(alias, account)| {
                let role = account.role_arn.as_deref().unwrap_or_default();
                if role.contains("{account}") && account.account_id.is_none() {
                    let several = "several accounts: proven where a run names one".to_owned();
                    return Check::of(format!("account {alias}"), Ok(several));
                }
                let proven = surroundings
                    .identify(context, &alias)
                    .map(|who| format!("{} in {}", who.arn, who.region))
                    .map_err(|error| Failure::of(identify_diagnostic(&alias, &error)));
                Check::of(format!("account {alias}"), proven)
            })
            .collect())
    };
    prove().unwrap_or_else(|failure| vec![Check::of("accounts", Err(failure))])
}
