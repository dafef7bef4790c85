//! A runbook from the command line: which program is meant, with which parameters and which world.

use std::fs;
use std::path::{Path, PathBuf};

use piton_core::diagnostic::{Code, Diagnostic, Severity};
use piton_sandbox::WorldSpec;
use piton_script::declaration::{Declaration, ParamSpec};
use piton_script::params::{Bound, Given, SecretSource, bind};
use piton_script::program::{packaged, packaged_files};
use piton_script::{Program, check};
use serde_json::Value;

use crate::console;
use crate::context::Context;
use crate::failure::Failure;
use crate::worlds::parse_world;

/// Name of the file that describes a runbook's world.
const WORLD_FILE: &str = "world.toml";

/// A runbook that a person named.
pub(crate) struct Runbook {
    pub(crate) program: Program,
    /// What the person wrote.
    pub(crate) source: String,
    /// The world that it brings: text, and the file's name for messages.
    world: Option<(String, String)>,
}

impl Runbook {
    /// A packaged runbook by name, or one from a path.
    pub(crate) fn load(given: &str) -> Result<Self, Failure> {
        let is_packaged = packaged().contains(&given);
        if is_packaged || !is_path(given) {
            let program = Program::packaged(given).map_err(|problems| {
                let folder = Path::new(given).is_dir();
                let failure = Failure::all(problems);
                if folder {
                    failure.hint(format!("for the folder, write ./{given}"))
                } else {
                    failure
                }
            })?;
            let world = packaged_files(given)
                .into_iter()
                .flatten()
                .find(|file| file.path == WORLD_FILE)
                .map(|file| (file.text, format!("{given}/{WORLD_FILE}")));
            return Ok(Self { program, source: given.to_owned(), world });
        }
        let path = Path::new(given);
        let program = Program::from_folder_or_file(path).map_err(Failure::all)?;
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let world = read_world(&folder.join(WORLD_FILE))?;
        Ok(Self { program, source: given.to_owned(), world })
    }

    /// Refuses a runbook with errors: nothing has been touched yet.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let problems = check(&self.program);
        match problems.iter().any(|problem| problem.severity == Severity::Error) {
            true => Err(Failure::all(problems)),
            false => Ok(()),
        }
    }

    /// The world that a rehearsal starts with: the runbook's own, else the built-in one.
    pub(crate) fn world(&self) -> Result<WorldSpec, Failure> {
        match &self.world {
            Some((text, name)) => parse_world(text, name),
            None => Ok(WorldSpec::built_in()),
        }
    }
}

/// Everything that the checker says of a runbook that a person named, whether it loads or not.
pub(crate) fn problems(given: &str) -> Vec<Diagnostic> {
    if packaged().contains(&given) || !is_path(given) {
        check::check_packaged(given)
    } else {
        check::check_path(Path::new(given))
    }
}

/// The folder of a runbook that a person named by its path; a packaged one has none.
pub(crate) fn folder(given: &str) -> Option<PathBuf> {
    if packaged().contains(&given) || !is_path(given) {
        return None;
    }
    let path = Path::new(given);
    let folder = if path.is_dir() { path } else { path.parent()? };
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

fn is_path(given: &str) -> bool {
    given.contains(['/', '\\']) || given.ends_with(".rhai") || given.starts_with('.')
}

fn read_world(path: &Path) -> Result<Option<(String, String)>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((text, path.display().to_string()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::of(Diagnostic::error(
            Code::World,
            format!("{} cannot be read: {error}", path.display()),
        ))),
    }
}

/// The parameters of a run, from a file and from `-p`, which counts more.
pub(crate) fn parameters(
    context: &Context,
    declaration: &Declaration,
    file: Option<&PathBuf>,
    given: &[String],
    in_sandbox: bool,
) -> Result<Bound, Failure> {
    let mut all = match file {
        Some(path) => read_parameters(path)?,
        None => Vec::new(),
    };
    for pair in given {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("`-p {pair}` is not NAME=VALUE")))?;
        all.push((name.to_owned(), Given::Text(text.to_owned())));
    }
    let mut bound = bind(declaration, &all, in_sandbox).map_err(Failure::all)?;
    let missing = std::mem::take(&mut bound.missing_secrets);
    if missing.is_empty() {
        return Ok(bound);
    }
    if context.json || !console::is_interactive() {
        let diagnostic = |name: &String| {
            Diagnostic::error(
                Code::MissingParameter,
                format!("the secret parameter `{name}` must be given"),
            )
            .hint(format!("-p {name}=env:VARIABLE, file:PATH or secretsmanager:ARN"))
        };
        return Err(Failure::all(missing.iter().map(diagnostic).collect()));
    }
    for name in missing {
        let value = console::ask_secret(&format!("{name} (not shown):"))
            .ok_or_else(|| Failure::usage(format!("`{name}` was not given")))?;
        bound.secrets.push((name, SecretSource::Literal(value)));
    }
    Ok(bound)
}

fn read_parameters(path: &Path) -> Result<Vec<(String, Given)>, Failure> {
    let refused = |problem: String| {
        Failure::of(Diagnostic::error(
            Code::BadParameter,
            format!("the parameters in {}: {problem}", path.display()),
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let is_toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let value: Value = match is_toml {
        true => toml::from_str(&text).map_err(|error| refused(error.to_string()))?,
        false => serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?,
    };
    let Value::Object(members) = value else {
        return Err(refused("one object with a member for each parameter is wanted".to_owned()));
    };
    Ok(members.into_iter().map(|(name, value)| (name, Given::Value(value))).collect())
}

/// What a runbook is and takes, for people.
pub(crate) fn help(program: &Program) -> String {
    let declaration = program.declaration();
    let mut text = format!("{}: {}\n", program.name(), declaration.title);
    if !declaration.summary.is_empty() {
        text.push_str(&format!("\n{}\n", declaration.summary));
    }
    if !declaration.accounts.is_empty() {
        text.push_str("\nAccounts:\n");
    }
    for account in &declaration.accounts {
        let many = if account.many { " (several accounts)" } else { "" };
        let later = if account.created_here { " (made by the run)" } else { "" };
        text.push_str(&format!("  {}{many}{later}\n", account.alias));
        push_doc(&mut text, &account.doc);
    }
    if !declaration.params.is_empty() {
        text.push_str("\nParameters (-p NAME=VALUE):\n");
    }
    for param in &declaration.params {
        text.push_str(&format!("  {} <{}>{}\n", param.name, param.kind.as_str(), preset(param)));
        push_doc(&mut text, &param.doc);
        if !param.choices.is_empty() {
            let choices: Vec<String> = param.choices.iter().map(plain).collect();
            push_doc(&mut text, &format!("one of {}", choices.join(", ")));
        }
        if let Some(pattern) = &param.pattern {
            push_doc(&mut text, &format!("matches {pattern}"));
        }
    }
    text
}

fn push_doc(text: &mut String, doc: &str) {
    for line in doc.lines().filter(|line| !line.trim().is_empty()) {
        text.push_str(&format!("      {}\n", line.trim()));
    }
}

fn preset(param: &ParamSpec) -> String {
    let mut notes = Vec::new();
    if let Some(preset) = &param.preset {
        notes.push(format!("preset {}", plain(preset)));
    }
    if let Some(preset) = &param.sandbox_preset {
        notes.push(format!("in the sandbox {}", plain(preset)));
    }
    if param.optional {
        notes.push("optional".to_owned());
    }
    if param.is_required(false) && notes.is_empty() {
        notes.push("required".to_owned());
    }
    format!(" [{}]", notes.join("; "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
