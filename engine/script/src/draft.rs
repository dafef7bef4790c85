//! A program that is being written: what is open in an editor counts, not what is on disk, and it may
//! be incomplete.
//!
//! A draft is made for one look at it. Positions are those of diagnostics: lines and columns from 1,
//! columns in characters. What an editor's protocol makes of it is `piton-lsp`'s part.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::ProgramFile;

use crate::called::Shelf;
use crate::check::{self, Receiver};
use crate::program::{self, Gathered, files_below, is_part, owns, resolve, stem};

/// Texts that are open in an editor, by path.
pub type OpenTexts = BTreeMap<PathBuf, String>;

/// The script that imports a module which is looked at alone.
const IMPORTER: &str = "(importer).rhai";

/// A program that is being written.
#[derive(Debug, Clone)]
pub struct Draft {
    name: String,
    main: ProgramFile,
    /// Files that may belong to it, by path inside its folder.
    beside: BTreeMap<String, String>,
    only_named: bool,
    is_module: bool,
    folder: PathBuf,
}

impl Draft {
    /// A runbook by the path of its script, which need not be on disk yet.
    ///
    /// # Errors
    /// When the script is neither open nor readable.
    pub fn runbook(script: &Path, open: &OpenTexts) -> Result<Self, Diagnostic> {
        let text = text_of(script, open).ok_or_else(|| not_readable(script))?;
        let folder = script.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let name = stem(script);
        let owns_folder = owns(&folder, &name);
        // A folder that is not there yet has no files.
        let on_disk = files_below(&folder, owns_folder).unwrap_or_default();
        let mut beside: BTreeMap<String, String> =
            on_disk.into_iter().map(|file| (file.path, file.text)).collect();
        for (path, text) in open {
            if let Some(path) = inside(&folder, path)
                && is_part(&path)
                && (owns_folder || !path.contains('/'))
            {
                beside.insert(path, text.clone());
            }
        }
        let main = ProgramFile { path: format!("{name}.rhai"), text };
        beside.remove(&main.path);
        Ok(Self { name, main, beside, only_named: !owns_folder, is_module: false, folder })
    }

    /// A runbook that has no path yet.
    pub fn untitled(text: &str) -> Self {
        let main = ProgramFile { path: "untitled.rhai".to_owned(), text: text.to_owned() };
        Self {
            name: "untitled".to_owned(),
            main,
            beside: BTreeMap::new(),
            only_named: true,
            is_module: false,
            folder: PathBuf::new(),
        }
    }

    /// A module by its path, as a runbook would see it that imports it and of which nothing is known:
    /// its parameters and accounts may be any.
    ///
    /// # Errors
    /// When the module is neither open nor readable.
    pub fn module(path: &Path, open: &OpenTexts) -> Result<Self, Diagnostic> {
        let text = text_of(path, open).ok_or_else(|| not_readable(path))?;
        let mut folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let ups = imports(&text).iter().map(|path| path.matches("../").count()).max();
        for _ in 0..ups.unwrap_or(0) {
            folder.pop();
        }
        let own = inside(&folder, path).unwrap_or_else(|| format!("{}.rhai", stem(path)));
        let import = own.trim_end_matches(".rhai").to_owned();
        let beside = imported(&folder, own, text, open);
        let text = format!(
            "runbook(#{{ title: \"importer\", summary: \"\" }});\nimport \"./{import}\" as it;\n"
        );
        let main = ProgramFile { path: IMPORTER.to_owned(), text };
        let name = stem(path);
        Ok(Self { name, main, beside, only_named: true, is_module: true, folder })
    }

    /// The path of one of its files on disk, by the name that diagnostics have for it. Nothing for
    /// standard modules.
    pub fn path_of(&self, file: &str) -> Option<PathBuf> {
        let is_own = file != IMPORTER && !file.starts_with("std/");
        (is_own && !self.folder.as_os_str().is_empty()).then(|| self.folder.join(file))
    }

    /// The name that diagnostics have for a path.
    pub fn file_at(&self, path: &Path) -> Option<String> {
        inside(&self.folder, path).filter(|_| !self.folder.as_os_str().is_empty())
    }

    /// The name of the runbook's script.
    pub fn script(&self) -> &str {
        &self.main.path
    }

    /// The text of the runbook's script.
    pub fn script_text(&self) -> &str {
        &self.main.text
    }

    /// Name and text of the module that a file imports by a path.
    pub fn module_of(&self, importer: &str, path: &str) -> Option<(String, &str)> {
        let file = resolve(importer, path).ok()?;
        let text = match program::standard_module(&file) {
            Some(text) => text,
            None => self.beside.get(&file)?,
        };
        Some((file, text))
    }

    /// Paths of the files that may belong to it, its script left out.
    pub fn beside(&self) -> impl Iterator<Item = &str> {
        self.beside.keys().map(String::as_str)
    }

    /// The same with another text of one of its files.
    #[must_use]
    pub fn with(mut self, file: &str, text: String) -> Self {
        match file == self.main.path {
            true => self.main.text = text,
            false => drop(self.beside.insert(file.to_owned(), text)),
        }
        self
    }

    /// Everything that is wrong with it.
    pub fn check(self) -> Vec<Diagnostic> {
        let is_module = self.is_module;
        let mut problems = check::all(self.gather());
        if is_module {
            problems.retain(|problem| {
                let open = matches!(problem.code, Code::UnknownParameter | Code::UnknownAlias);
                let is_ours = problem.place.as_ref().is_some_and(|place| place.file == IMPORTER);
                !open && !is_ours
            });
        }
        problems
    }

    /// What the name at a place of a file is read of or called on; see
    /// [`Receiver`]. Nothing when the file does not parse.
    pub fn receivers(self, file: &str, line: usize, column: usize) -> Option<Vec<Receiver>> {
        let program = self.gather().program?;
        check::receivers(&program, file, line, column)
    }

    fn gather(self) -> Gathered {
        let beside = self.beside.into_iter().map(|(path, text)| ProgramFile { path, text });
        let shelf = Shelf::folder(&self.folder, &self.main.path, &[]);
        program::load(&self.name, self.main, beside.collect(), self.only_named, shelf)
    }
}

/// Whether a script imports a module, by itself or through others.
pub fn reaches(script: &Path, module: &Path, open: &OpenTexts) -> bool {
    let folder = script.parent().unwrap_or(Path::new(""));
    let (Some(own), Some(module)) = (inside(folder, script), inside(folder, module)) else {
        return false;
    };
    text_of(script, open)
        .is_some_and(|text| imported(folder, own, text, open).contains_key(&module))
}

/// A script and what it imports, by itself or through others, by path inside a folder.
fn imported(
    folder: &Path,
    own: String,
    text: String,
    open: &OpenTexts,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![(own, text)];
    while let Some((own, text)) = waiting.pop() {
        for import in imports(&text) {
            let Ok(next) = resolve(&own, &import) else { continue };
            if !found.contains_key(&next)
                && let Some(text) = text_of(&folder.join(&next), open)
            {
                waiting.push((next, text));
            }
        }
        found.insert(own, text);
    }
    found
}

/// What is open, else what is on disk.
fn text_of(path: &Path, open: &OpenTexts) -> Option<String> {
    open.get(path).cloned().or_else(|| fs::read_to_string(path).ok())
}

fn not_readable(path: &Path) -> Diagnostic {
    let message = format!("{} cannot be read", path.display());
    Diagnostic::error(Code::RunbookNotFound, message)
}

/// A path inside a folder, with `/`.
fn inside(folder: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(folder).ok()?;
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty())
}

/// The paths that a text imports, read without parsing it: it may be incomplete.
fn imports(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix("import")?.trim_start().strip_prefix('"'))
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect()
}
