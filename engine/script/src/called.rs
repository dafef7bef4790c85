//! Runbooks that a runbook calls: where they come from, and where they are kept.
//!
//! A run owns its program, so the files of what it calls belong to it. They are kept beside its own,
//! each below the name that the script calls its runbook by: `call(./prepare)/prepare.rhai`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::ProgramFile;

use crate::program::{self, Gathered, Program};

const BEFORE: &str = "call(";
const AFTER: &str = ")/";

/// The path of a called runbook's file in the program of its caller.
pub(crate) fn path(runbook: &str, file: &str) -> String {
    format!("{BEFORE}{runbook}{AFTER}{file}")
}

/// Whether a path is that of a called runbook's file.
pub(crate) fn is_called(path: &str) -> bool {
    path.starts_with(BEFORE)
}

/// The files of each called runbook, by how the script calls it.
pub(crate) type CalledFiles = BTreeMap<String, Vec<ProgramFile>>;

/// A program's own files, and those of the runbooks that it calls.
pub(crate) fn split(files: Vec<ProgramFile>) -> (Vec<ProgramFile>, CalledFiles) {
    let mut own = Vec::new();
    let mut called = CalledFiles::new();
    for file in files {
        let place = file.path.strip_prefix(BEFORE).and_then(|rest| rest.split_once(AFTER));
        match place.map(|(runbook, path)| (runbook.to_owned(), path.to_owned())) {
            Some((runbook, path)) => {
                called.entry(runbook).or_default().push(ProgramFile { path, text: file.text });
            }
            None => own.push(file),
        }
    }
    (own, called)
}

/// Where the runbooks come from that a runbook calls.
pub(crate) struct Shelf {
    stock: Stock,
    /// Who called whom down to here, the runbook itself last.
    chain: Vec<String>,
}

enum Stock {
    /// What the binary carries.
    Binary,
    /// A folder, and what the binary carries.
    Folder(PathBuf),
    /// What is stored with the caller, and nothing else.
    Stored(CalledFiles),
}

impl Shelf {
    /// That of a packaged runbook.
    pub(crate) fn packaged(name: &str, callers: &[String]) -> Self {
        Self { stock: Stock::Binary, chain: longer(callers, name.to_owned()) }
    }

    /// That of a script in a folder.
    pub(crate) fn folder(folder: &Path, script: &str, callers: &[String]) -> Self {
        let own = whole(&folder.join(script));
        Self { stock: Stock::Folder(folder.to_owned()), chain: longer(callers, own) }
    }

    /// That of a stored program.
    pub(crate) fn stored(files: CalledFiles) -> Self {
        Self { stock: Stock::Stored(files), chain: Vec::new() }
    }

    /// A runbook that the script calls.
    pub(crate) fn program(&self, runbook: &str) -> Result<Program, Diagnostic> {
        let gathered = match &self.stock {
            Stock::Stored(files) => return stored(files, runbook),
            _ if runbook.contains(')') => {
                return Err(refused(format!("the name `{runbook}` has a parenthesis")));
            }
            _ if !is_path(runbook) => {
                self.refuse_ring(runbook)?;
                program::gather_packaged_for(runbook, &self.chain)
            }
            Stock::Binary => {
                let message = format!("there is no folder here to find `{runbook}` in");
                return Err(refused(message).hint("a packaged runbook calls others by their names"));
            }
            Stock::Folder(folder) => {
                let script = program::script_path(&folder.join(runbook))?;
                self.refuse_ring(&whole(&script))?;
                program::gather_path_for(&script, &self.chain)
            }
        };
        sound(runbook, gathered)
    }

    /// A runbook that calls itself, by whatever way, would never end.
    fn refuse_ring(&self, next: &str) -> Result<(), Diagnostic> {
        let Some(start) = self.chain.iter().position(|caller| caller == next) else {
            return Ok(());
        };
        let short = |caller: &str| program::stem(Path::new(caller));
        let ring = self.chain[start..].iter().map(String::as_str).chain([next]);
        let ring: Vec<String> = ring.map(short).collect();
        Err(refused(format!("the runbook calls itself: {}", ring.join(", ")))
            .hint("repeat inside one runbook: loop, or parallel_map"))
    }
}

fn stored(files: &CalledFiles, runbook: &str) -> Result<Program, Diagnostic> {
    let mut files = files.get(runbook).cloned().unwrap_or_default();
    let name = program::stem(Path::new(runbook));
    let script = format!("{name}.rhai");
    let Some(at) = files.iter().position(|file| file.path == script) else {
        return Err(refused(format!("the runbook `{runbook}` is not stored with the program")));
    };
    let script = files.remove(at);
    files.insert(0, script);
    sound(runbook, program::gather_files(&name, files))
}

fn sound(runbook: &str, gathered: Gathered) -> Result<Program, Diagnostic> {
    gathered.whole().map_err(|problems| {
        // A ring is said at every call of it; what it is counts.
        let ring = problems.iter().find(|problem| problem.code == Code::NotCallable);
        let Some(first) = ring.or(problems.first()) else {
            return refused(format!("the runbook `{runbook}` cannot be loaded"));
        };
        let at = first.place.as_ref().map_or_else(String::new, |place| {
            format!(" ({}:{}:{})", place.file, place.line, place.column)
        });
        let message = format!("the runbook `{runbook}` cannot be called: {}{at}", first.message);
        first.hints.iter().fold(refused(message), |problem, hint| problem.hint(hint.clone()))
    })
}

fn longer(callers: &[String], own: String) -> Vec<String> {
    callers.iter().cloned().chain([own]).collect()
}

/// A path by which a script is known, however it is written.
fn whole(script: &Path) -> String {
    let whole = script.canonicalize().unwrap_or_else(|_| script.to_owned());
    whole.to_string_lossy().into_owned()
}

fn is_path(runbook: &str) -> bool {
    runbook.contains(['/', '\\']) || runbook.ends_with(".rhai") || runbook.starts_with('.')
}

fn refused(message: String) -> Diagnostic {
    Diagnostic::error(Code::NotCallable, message)
}
