//! The documents that are open in the editor, and which program each of them is part of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lsp_types::{TextDocumentContentChangeEvent, Uri};
use piton_core::diagnostic::Diagnostic;
use piton_script::Draft;
use piton_script::declaration;
use piton_script::draft::{OpenTexts, reaches};

use crate::address;
use crate::lines::Lines;
use crate::script::Script;

/// How many folders upward a module's runbook is looked for.
const FOLDERS_UP: usize = 4;
/// How many scripts beside a module are looked at for its runbook.
const MOST_BESIDE: usize = 64;

/// An open document.
pub(crate) struct Document {
    pub(crate) uri: Uri,
    /// Where it is on disk, or will be.
    pub(crate) path: Option<PathBuf>,
    pub(crate) version: i32,
    pub(crate) lines: Lines,
}

/// What a document is checked as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    /// A runbook, itself or the one that imports it.
    Runbook(PathBuf),
    /// A module that no known runbook imports.
    Module(PathBuf),
    /// A text without a path, by its URI.
    Untitled(String),
    /// A runbook's tests, by their path: only their form is checked.
    Tests(PathBuf),
}

/// Every open document, by URI.
#[derive(Default)]
pub(crate) struct Documents(BTreeMap<String, Document>);

impl Documents {
    pub(crate) fn open(&mut self, uri: Uri, version: i32, text: String) {
        let path = address::path(uri.as_str());
        let key = uri.as_str().to_owned();
        self.0.insert(key, Document { uri, path, version, lines: Lines::new(text) });
    }

    /// Applies changes in their order; those of a document that is not open are dropped.
    pub(crate) fn change(
        &mut self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) {
        let Some(document) = self.0.get_mut(uri.as_str()) else { return };
        document.version = version;
        for change in changes {
            match change.range {
                Some(range) => document.lines.replace(range, &change.text),
                None => document.lines = Lines::new(change.text),
            }
        }
    }

    pub(crate) fn close(&mut self, uri: &Uri) {
        self.0.remove(uri.as_str());
    }

    pub(crate) fn get(&self, uri: &str) -> Option<&Document> {
        self.0.get(uri)
    }

    /// Those that are scripts: templates, worlds and whatever else is open beside them are texts of
    /// somebody else.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &Document> {
        self.0.values().filter(|document| document.is_script())
    }

    pub(crate) fn at(&self, path: &Path) -> Option<&Document> {
        self.0.values().find(|document| document.path.as_deref() == Some(path))
    }

    pub(crate) fn texts(&self) -> OpenTexts {
        let open = self.0.values().filter_map(|document| {
            Some((document.path.clone()?, document.lines.text().to_owned()))
        });
        open.collect()
    }

    /// What a document is checked as.
    pub(crate) fn root(&self, document: &Document, open: &OpenTexts) -> Root {
        let Some(path) = &document.path else {
            return Root::Untitled(document.uri.as_str().to_owned());
        };
        if path.to_string_lossy().ends_with(".test.rhai") {
            return Root::Tests(path.clone());
        }
        let script = Script::new(document.lines.text());
        if script.declaration().is_some() {
            return Root::Runbook(path.clone());
        }
        match self.importer(path, open) {
            Some(runbook) => Root::Runbook(runbook),
            // What defines nothing for others is a runbook that does not say so yet.
            None if script.functions().is_empty() => Root::Runbook(path.clone()),
            None => Root::Module(path.clone()),
        }
    }

    /// A runbook that imports a module: one that is open, one that owns a folder around the module,
    /// or one beside it.
    fn importer(&self, module: &Path, open: &OpenTexts) -> Option<PathBuf> {
        let others = self.scripts().filter_map(|document| document.path.clone());
        let owners = module.ancestors().skip(1).take(FOLDERS_UP).filter_map(|folder| {
            let name = folder.file_name()?.to_str()?;
            Some(folder.join(format!("{name}.rhai")))
        });
        let beside = module.parent().and_then(|folder| fs::read_dir(folder).ok());
        let beside = beside.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let beside = beside.filter(|path| path.extension().is_some_and(|ending| ending == "rhai"));
        let mut beside: Vec<PathBuf> = beside.take(MOST_BESIDE).collect();
        beside.sort_unstable();
        let candidates = others.chain(owners).chain(beside);
        candidates.filter(|path| path != module).find(|path| {
            let text = open.get(path).cloned().or_else(|| fs::read_to_string(path).ok());
            // Through a runbook that does not parse nothing is seen of its modules.
            text.is_some_and(|text| {
                Script::new(&text).declaration().is_some()
                    && reaches(path, module, open)
                    && declaration::sketch("runbook", &text).is_some()
            })
        })
    }

    /// The program that a root stands for.
    ///
    /// # Errors
    /// When its script is neither open nor readable.
    pub(crate) fn draft(&self, root: &Root, open: &OpenTexts) -> Result<Draft, Diagnostic> {
        match root {
            Root::Runbook(path) => Draft::runbook(path, open),
            Root::Module(path) => Draft::module(path, open),
            Root::Untitled(uri) => Ok(self.alone(self.get(uri))),
            Root::Tests(path) => Ok(self.alone(self.at(path))),
        }
    }

    fn alone(&self, document: Option<&Document>) -> Draft {
        Draft::untitled(document.map_or("", |document| document.lines.text()))
    }
}

impl Document {
    fn is_script(&self) -> bool {
        match &self.path {
            Some(path) => path.extension().is_some_and(|ending| ending == "rhai"),
            None => true,
        }
    }

    /// The name of the document in a program.
    pub(crate) fn file_in(&self, draft: &Draft) -> String {
        let own = self.path.as_ref().and_then(|path| draft.file_at(path));
        own.unwrap_or_else(|| draft.script().to_owned())
    }
}
