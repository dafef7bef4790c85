//! `piton doctor`: whether everything that Piton needs is in order here, and what each run needs.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use clap::Args;
use piton_core::ports::{Journal, RunId, RunRow};
use piton_runner::engine::journal_diagnostic;
use serde::Serialize;

use crate::adoption;
use crate::console;
use crate::context::Context;
use crate::diagnosis::{Diagnosis, Situation};
use crate::failure::{Failure, Outcome, exit};
use crate::home::create_folder;
use crate::wiring::{Surroundings, identify_diagnostic};

/// Check the home folder, the journal, the key and piton.toml, and say what each run needs
///
/// For every run that has not ended it says what a resume would come to. Dry replays are kept in the
/// home and used until the program, the journal or Piton changes.
#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Make a home that was copied, restored or moved to another machine one of its own, and do nothing else
    #[arg(long, conflicts_with = "accounts")]
    adopt_home: bool,
    /// Prove every alias of piton.toml too, which calls AWS
    #[arg(long)]
    accounts: bool,
    /// Replay every run that has not ended, instead of using what was found before, and read the whole
    /// journal and every world
    #[arg(long)]
    replay: bool,
}

#[derive(Serialize)]
struct DoctorView {
    ok: bool,
    version: &'static str,
    checks: Vec<Check>,
    /// Runs that have not ended, by what a resume would come to.
    verdicts: BTreeMap<&'static str, usize>,
    runs: Vec<RunLine>,
}

/// What a run that has not ended needs.
#[derive(Serialize)]
struct RunLine {
    run: String,
    runbook: String,
    status: &'static str,
    #[serde(flatten)]
    diagnosis: Diagnosis,
    /// The dry replay was made before.
    known: bool,
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
    if args.adopt_home {
        return adoption::run(context);
    }
    let mut checks = vec![
        Check::of("home", home(context)),
        Check::of("journal", journal(context, args.replay)),
        Check::of("key", key(context)),
        Check::of("locks", locks(context)),
        Check::of("worlds", worlds(context, args.replay)),
        Check::of("piton.toml", configuration(context)),
    ];
    if args.accounts {
        checks.extend(accounts(context));
    }
    // Without a journal there are no runs, and the check above says why.
    let runs = match context.journal() {
        Ok(journal) => runs(context, journal.as_ref(), args.replay)?,
        Err(_) => Vec::new(),
    };
    let mut verdicts = BTreeMap::new();
    for line in &runs {
        *verdicts.entry(line.diagnosis.verdict.as_str()).or_insert(0) += 1;
    }
    let ok = checks.iter().all(|check| check.ok);
    let version = env!("CARGO_PKG_VERSION");
    let view = DoctorView { ok, version, checks, verdicts, runs };
    match context.json {
        true => console::document(&view),
        false => show(&view),
    }
    Ok(if ok { exit::DONE } else { exit::USAGE })
}

fn show(view: &DoctorView) {
    console::out(&format!("piton {}", view.version));
    for check in &view.checks {
        let word = if check.ok { "ok" } else { "bad" };
        console::out(&format!("{word:<4} {:<12} {}", check.name, check.detail));
        check.hints.iter().for_each(|hint| console::out(&format!("     {hint}")));
    }
    if view.runs.is_empty() {
        return;
    }
    let counts: Vec<String> =
        view.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    console::out(&format!("runs that have not ended: {}", counts.join(", ")));
    let cells: Vec<Vec<String>> = view
        .runs
        .iter()
        .map(|line| {
            let Diagnosis { verdict, reason, next, .. } = &line.diagnosis;
            let next = next.first().cloned().unwrap_or_default();
            let cells = [line.runbook.as_str(), verdict.as_str(), reason, &next];
            let run = std::iter::once(line.run.clone());
            run.chain(cells.into_iter().map(console::printable)).collect()
        })
        .collect();
    let headings = ["run", "runbook", "verdict", "a resume", "next"];
    console::out(&console::table(&headings, &cells));
}

/// What every run that has not ended would come to, newest first.
fn runs(context: &Context, journal: &dyn Journal, anew: bool) -> Result<Vec<RunLine>, Failure> {
    let rows = journal.runs()?;
    let by_run: HashMap<&RunId, &RunRow> = rows.iter().map(|row| (&row.run, row)).collect();
    let heads = |run: &RunId| by_run.get(run).map(|row| row.head.hash);
    let mut situation = Situation::look(context, false)?;
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| !row.status().is_final()) {
        let (diagnosis, known) = situation.diagnose(row, anew, &heads)?;
        lines.push(RunLine {
            run: row.run.0.clone(),
            runbook: row.runbook.clone(),
            status: row.status().as_str(),
            diagnosis,
            known,
        });
    }
    situation.retain(&by_run);
    situation.keep();
    Ok(lines)
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

/// Whether there is a journal that runs can be driven from; `thoroughly` reads the whole file.
fn journal(context: &Context, thoroughly: bool) -> Result<String, Failure> {
    context.journal()?.writable()?;
    if thoroughly {
        let damage = context.journal()?.check(None)?;
        if !damage.is_empty() {
            let hint =
                "restore the file from a backup; `piton verify RUN` says which runs are whole";
            return Err(Failure::storage(damage.join("; ")).hint(hint));
        }
    }
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

/// Whether the files of the worlds are databases; `thoroughly` opens each of them, which takes a while.
fn worlds(context: &Context, thoroughly: bool) -> Result<String, Failure> {
    let worlds = context.home()?.worlds();
    let names = worlds.names();
    for name in &names {
        match thoroughly {
            true => drop(worlds.stored(name)?),
            false => worlds.look(name)?,
        }
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
