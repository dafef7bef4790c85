//! A program: a runbook's script with every module, asset and template that it can reach.
//!
//! A run owns its program. It is gathered once, from a folder or from what the binary carries, and
//! from then on only its stored files count.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io, thread};

use piton_core::canonical::Digest;
use piton_core::diagnostic::{Code, Diagnostic, Place};
use piton_core::ports::ProgramFile;
use piton_models::suggest;
use rhai::{AST, Engine, ParseErrorType, Position};

use crate::called::{self, Shelf};
use crate::declaration::{self, Declaration};
use crate::evaluate::STACK_BYTES;
use crate::prelude::params;
use crate::rules::AliasUse;
use crate::source::Source;
use crate::{duplicate, embedded, engine, rules};

/// Larger files are data, and no part of a program.
const LARGEST_FILE: u64 = 4 << 20;

/// Names of the packaged runbooks, in order.
pub fn packaged() -> Vec<&'static str> {
    embedded::runbooks().collect()
}

/// Every text file of a packaged runbook, its world and its tests included.
pub fn packaged_files(name: &str) -> Option<Vec<ProgramFile>> {
    let files = embedded::runbook(name)?;
    Some(files.iter().map(|(path, text)| file(path, text)).collect())
}

/// Names of the standard modules as scripts import them, in order.
pub fn standard_modules() -> Vec<&'static str> {
    embedded::modules().collect()
}

/// The text of a standard module.
pub fn standard_module(name: &str) -> Option<&'static str> {
    embedded::module(name)
}

fn file(path: &str, text: &str) -> ProgramFile {
    ProgramFile { path: path.to_owned(), text: text.to_owned() }
}

/// A checked and compiled program. Cheap to clone.
#[derive(Clone)]
pub struct Program(Arc<Compiled>);

impl std::fmt::Debug for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Program({}, {})", self.0.name, self.0.digest)
    }
}

/// One script of a program.
pub(crate) struct Script {
    pub(crate) source: Source,
    pub(crate) ast: AST,
}

/// What an evaluation needs of a program.
pub(crate) struct Compiled {
    name: String,
    /// The runbook's script first, the others by path.
    files: Vec<ProgramFile>,
    digest: Digest,
    pub(crate) declaration: Declaration,
    pub(crate) engine: Engine,
    /// The runbook's script first.
    scripts: Vec<Script>,
    /// Closures by Rhai's name, to the script that wrote them.
    closures: HashMap<String, usize>,
    functions: BTreeSet<String>,
    /// Runbooks that the scripts call, as they write them.
    called: BTreeMap<String, Program>,
}

impl Program {
    /// A runbook from a path: `x.rhai`, or a folder `x` with `x.rhai` in it. A script in a folder of
    /// its own name owns the text files of that folder; of any other folder it takes what its text
    /// names.
    pub fn from_folder_or_file(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        gather_path(path).whole()
    }

    /// A packaged runbook by name.
    pub fn packaged(name: &str) -> Result<Self, Vec<Diagnostic>> {
        gather_packaged(name).whole()
    }

    /// A stored program: nothing but these files is used. The first is the runbook's script.
    pub fn from_files(name: &str, files: Vec<ProgramFile>) -> Result<Self, Vec<Diagnostic>> {
        gather_files(name, files).whole()
    }

    /// The runbook's name, `pfizer_poc`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Every file: the runbook's script first, standard modules as `std/...`.
    pub fn files(&self) -> &[ProgramFile] {
        &self.0.files
    }

    /// The digest over names and contents of all files.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What the runbook says of itself.
    pub fn declaration(&self) -> &Declaration {
        &self.0.declaration
    }

    /// A template by its path in the runbook's folder.
    pub fn template(&self, path: &str) -> Option<&str> {
        self.0.file(path)
    }

    /// An asset by its path in the runbook's folder.
    pub fn asset(&self, path: &str) -> Option<&str> {
        self.0.file(path)
    }

    pub(crate) fn compiled(&self) -> &Arc<Compiled> {
        &self.0
    }
}

impl Compiled {
    /// Every script, the runbook's first.
    pub(crate) fn scripts(&self) -> &[Script] {
        &self.scripts
    }

    /// The runbook's script.
    pub(crate) fn script(&self) -> &Script {
        &self.scripts[0]
    }

    pub(crate) fn script_at(&self, path: &str) -> Option<&Script> {
        self.scripts.iter().find(|script| script.source.path() == path)
    }

    /// The script that an import means. Rhai may name the wrong importer for closures, so any other
    /// file's view of the path is tried after.
    pub(crate) fn imported(&self, importer: Option<&str>, path: &str) -> Option<&Script> {
        let importers =
            importer.into_iter().chain(self.scripts.iter().map(|script| script.source.path()));
        importers
            .filter_map(|importer| resolve(importer, path).ok())
            .find_map(|path| self.script_at(&path))
    }

    /// A runbook that the scripts call.
    pub(crate) fn called(&self, runbook: &str) -> Option<&Program> {
        self.called.get(runbook)
    }

    /// The file of a closure.
    pub(crate) fn home_of(&self, function: &str) -> Option<&str> {
        self.closures.get(function).map(|at| self.scripts[*at].source.path())
    }

    /// Names of the functions that the program defines.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(String::as_str)
    }

    /// A file that is no script.
    pub(crate) fn file(&self, path: &str) -> Option<&str> {
        let path = path.strip_prefix("./").unwrap_or(path);
        self.other_files().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Files that are no scripts, those of called runbooks left out.
    pub(crate) fn other_files(&self) -> impl Iterator<Item = &ProgramFile> {
        let is_own = |file: &&ProgramFile| !called::is_called(&file.path);
        self.files.iter().filter(is_own).filter(|file| self.script_at(&file.path).is_none())
    }

    pub(crate) fn place(&self, file: &str, position: Position) -> Option<Place> {
        self.script_at(file)?.source.place(position)
    }

    /// The place of a call by name. Rhai may name the wrong file for closures: the one that has the
    /// name at the position is right.
    pub(crate) fn place_of_call(
        &self,
        file: Option<&str>,
        position: Position,
        name: &str,
    ) -> Option<Place> {
        let named = file.and_then(|file| self.script_at(file)).unwrap_or(self.script());
        if named.source.has_name_at(position, name) {
            return named.source.place(position);
        }
        let other = self.scripts.iter().find(|script| script.source.has_name_at(position, name));
        other.unwrap_or(named).source.place(position)
    }
}

/// What could be loaded of a program, and what is wrong with it.
pub(crate) struct Gathered {
    /// There is none when the runbook's own script cannot be read.
    pub(crate) program: Option<Program>,
    pub(crate) problems: Vec<Diagnostic>,
}

impl Gathered {
    pub(crate) fn nothing(problem: Diagnostic) -> Self {
        Self { program: None, problems: vec![problem] }
    }

    /// The program, when nothing is wrong with it.
    pub(crate) fn whole(self) -> Result<Program, Vec<Diagnostic>> {
        match self.program {
            Some(program) if self.problems.is_empty() => Ok(program),
            _ => Err(self.problems),
        }
    }
}

/// See [`Program::from_folder_or_file`].
pub(crate) fn gather_path(path: &Path) -> Gathered {
    gather_path_for(path, &[])
}

/// The same for a chain of runbooks that call each other.
pub(crate) fn gather_path_for(path: &Path, callers: &[String]) -> Gathered {
    let script = match script_path(path) {
        Ok(script) => script,
        Err(problem) => return Gathered::nothing(problem),
    };
    let folder = script.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let stem = stem(&script);
    let text = match fs::read_to_string(&script) {
        Ok(text) => text,
        Err(error) => return Gathered::nothing(unreadable(&script, &error)),
    };
    let main = ProgramFile { path: format!("{stem}.rhai"), text };
    let owns_folder = owns(&folder, &stem);
    match files_below(&folder, owns_folder) {
        Ok(beside) => {
            let shelf = Shelf::folder(&folder, &main.path, callers);
            load(&stem, main, beside, !owns_folder, shelf)
        }
        Err(error) => Gathered::nothing(unreadable(&folder, &error)),
    }
}

/// Whether a script of this name owns the folder that it is in.
pub(crate) fn owns(folder: &Path, stem: &str) -> bool {
    let folder = folder.canonicalize();
    folder.is_ok_and(|folder| folder.file_name().is_some_and(|name| name == stem))
}

/// See [`Program::packaged`].
pub(crate) fn gather_packaged(name: &str) -> Gathered {
    gather_packaged_for(name, &[])
}

/// The same for a chain of runbooks that call each other.
pub(crate) fn gather_packaged_for(name: &str, callers: &[String]) -> Gathered {
    let Some(mut files) = packaged_files(name) else {
        return Gathered::nothing(not_packaged(name));
    };
    let script = format!("{name}.rhai");
    let Some(at) = files.iter().position(|file| file.path == script) else {
        let message = format!("the packaged runbook `{name}` has no {script}");
        return Gathered::nothing(Diagnostic::error(Code::RunbookNotFound, message));
    };
    let main = files.remove(at);
    files.retain(|file| is_part(&file.path));
    load(name, main, files, false, Shelf::packaged(name, callers))
}

/// See [`Program::from_files`].
pub(crate) fn gather_files(name: &str, files: Vec<ProgramFile>) -> Gathered {
    let (own, called) = called::split(files);
    let mut files = own.into_iter();
    let Some(main) = files.next() else {
        let message = format!("the program of `{name}` has no files");
        return Gathered::nothing(Diagnostic::error(Code::RunbookNotFound, message));
    };
    let mut loader = Loader::new(files.collect(), false, Shelf::stored(called));
    loader.standard_from_binary = false;
    on_deep_stack(|| loader.load(name, main))
}

/// A program of a script and what may belong to it; standard modules are the binary's.
pub(crate) fn load(
    name: &str,
    main: ProgramFile,
    beside: Vec<ProgramFile>,
    only_named: bool,
    shelf: Shelf,
) -> Gathered {
    let mut loader = Loader::new(beside, only_named, shelf);
    on_deep_stack(|| loader.load(name, main))
}

/// The parser recurses deeply, and callers may have small stacks.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => panic!("no thread for the parser: {error}"),
        }
    })
}

/// Gathers and compiles what a script imports.
struct Loader {
    /// Files beside the script, by path.
    beside: BTreeMap<String, String>,
    /// Of those, only what the scripts' texts name belongs to the program.
    only_named: bool,
    standard_from_binary: bool,
    /// Where called runbooks come from.
    shelf: Shelf,
    called: BTreeMap<String, Program>,
    scripts: Vec<Script>,
    methods: BTreeSet<String>,
    /// Account aliases that the scripts write out, with their places.
    aliases: Vec<(AliasUse, Option<Place>)>,
    texts: BTreeSet<String>,
    problems: Vec<Diagnostic>,
}

impl Loader {
    fn new(beside: Vec<ProgramFile>, only_named: bool, shelf: Shelf) -> Self {
        Self {
            beside: beside.into_iter().map(|file| (file.path, file.text)).collect(),
            only_named,
            standard_from_binary: true,
            shelf,
            called: BTreeMap::new(),
            scripts: Vec::new(),
            methods: BTreeSet::new(),
            aliases: Vec::new(),
            texts: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    fn load(&mut self, name: &str, main: ProgramFile) -> Gathered {
        let mut engine = match engine::engine() {
            Ok(engine) => engine,
            Err(error) => {
                let message = format!("the language cannot be set up: {error}");
                return Gathered::nothing(Diagnostic::error(Code::Bug, message));
            }
        };
        let mut waiting = vec![Source::new(main.path.clone(), main.text.clone())];
        let mut seen = BTreeSet::from([main.path.clone()]);
        while let Some(source) = waiting.pop() {
            for next in self.compile(&engine, source) {
                if seen.insert(next.path().to_owned()) {
                    waiting.push(next);
                }
            }
        }
        let script = self.scripts.first().filter(|script| script.source.path() == main.path);
        let Some(script) = script else {
            return Gathered { program: None, problems: std::mem::take(&mut self.problems) };
        };
        let declaration = match declaration::read(&script.ast, &script.source) {
            Ok(declaration) => {
                let wrong = self.aliases.drain(..).filter_map(|(used, place)| {
                    Some(declaration.misused(&used.alias, used.of_account)?.at(place))
                });
                self.problems.extend(wrong);
                declaration
            }
            Err(problems) => {
                self.problems.extend(problems);
                Declaration::default()
            }
        };
        engine::bind_methods(&mut engine, self.methods.iter().map(String::as_str));
        let program = Program(Arc::new(self.finish(name, main, declaration, engine)));
        Gathered { program: Some(program), problems: std::mem::take(&mut self.problems) }
    }

    /// Compiles a script and returns what it imports.
    fn compile(&mut self, engine: &Engine, source: Source) -> Vec<Source> {
        let mut ast = match engine.compile(source.text()) {
            Ok(ast) => ast,
            Err(error) => {
                let (problem, position) = (error.err_type(), error.position());
                if let ParseErrorType::DuplicatedProperty(name) = problem {
                    let first = duplicate::first_of_two(engine, source.text(), position, name);
                    let first = first.map(|first| syntax_error(&source, problem, first));
                    self.problems.extend(first);
                }
                self.problems.push(syntax_error(&source, problem, position));
                return Vec::new();
            }
        };
        ast.set_source(source.path());
        let survey = rules::survey(&ast);
        let is_module = !self.scripts.is_empty();
        if is_module {
            self.problems.extend(rules::check_module(&ast, &source));
        }
        for position in survey.computed_imports {
            let message = "the path of an import is a literal text";
            self.problems.push(
                Diagnostic::error(Code::ModuleNotFound, message)
                    .hint("import \"std/datazone\" as dz;")
                    .at(source.place(position)),
            );
        }
        let mut imports = Vec::new();
        for (path, position) in &survey.imports {
            match self.module(source.path(), path) {
                Ok(module) => imports.push(module),
                Err(problem) => self.problems.push(problem.at(source.place(*position))),
            }
        }
        for position in survey.computed_calls {
            let message = "the runbook that `call_runbook` calls is a literal text";
            let problem = Diagnostic::error(Code::NotCallable, message);
            let hint = "a run owns its program: what it calls is part of it from the start";
            self.problems.push(problem.hint(hint).at(source.place(position)));
        }
        for (runbook, position) in survey.called {
            if self.called.contains_key(&runbook) {
                continue;
            }
            match self.shelf.program(&runbook) {
                Ok(program) => drop(self.called.insert(runbook, program)),
                Err(problem) => self.problems.push(problem.at(source.place(position))),
            }
        }
        self.aliases.extend(survey.aliases.into_iter().map(|used| {
            let place = source.place(used.position);
            (used, place)
        }));
        self.methods.extend(survey.methods);
        self.texts.extend(survey.texts);
        self.scripts.push(Script { source, ast });
        imports
    }

    fn module(&self, importer: &str, path: &str) -> Result<Source, Diagnostic> {
        let resolved = resolve(importer, path)?;
        let standard = resolved.starts_with("std/") && self.standard_from_binary;
        let text = match standard {
            true => embedded::module(&resolved),
            false => self.beside.get(&resolved).map(String::as_str),
        };
        if let Some(text) = text {
            return Ok(Source::new(resolved, text));
        }
        let message = format!("there is no module \"{path}\"");
        let diagnostic = Diagnostic::error(Code::ModuleNotFound, message);
        let near = match standard {
            true => suggest::nearest(&resolved, embedded::modules()).map(str::to_owned),
            false => {
                let scripts = self.beside.keys().filter(|path| path.ends_with(".rhai"));
                suggest::nearest(&resolved, scripts.map(String::as_str))
                    .map(|near| format!("./{}", near.trim_end_matches(".rhai")))
            }
        };
        Err(match near {
            Some(near) => diagnostic.hint(format!("did you mean \"{near}\"?")),
            None if standard => diagnostic
                .hint(format!("modules: {}", embedded::modules().collect::<Vec<_>>().join(", "))),
            None => diagnostic.hint(format!("looked for {resolved} in the runbook's folder")),
        })
    }

    fn finish(
        &mut self,
        name: &str,
        main: ProgramFile,
        declaration: Declaration,
        engine: Engine,
    ) -> Compiled {
        let scripts = std::mem::take(&mut self.scripts);
        let mut others: BTreeMap<String, String> = std::mem::take(&mut self.beside);
        let texts = &self.texts;
        others.retain(|path, _| {
            let named = texts.contains(path) || path.ends_with(".j2");
            !path.ends_with(".rhai") && !path.starts_with("std/") && (!self.only_named || named)
        });
        for script in &scripts[1..] {
            others.insert(script.source.path().to_owned(), script.source.text().to_owned());
        }
        let called = std::mem::take(&mut self.called);
        for (runbook, program) in &called {
            let files = program.files().iter();
            others.extend(files.map(|file| (called::path(runbook, &file.path), file.text.clone())));
        }
        let others = others.into_iter().map(|(path, text)| ProgramFile { path, text });
        let files: Vec<ProgramFile> = std::iter::once(main).chain(others).collect();
        let digest = piton_core::evidence::program_digest(&files);
        let (closures, functions) = index(&scripts);
        Compiled {
            name: name.to_owned(),
            files,
            digest,
            declaration,
            engine,
            scripts,
            closures,
            functions,
            called,
        }
    }
}

/// Closures by Rhai's name, and the names of functions. Two closures of one text at one position
/// have one name: then neither is known.
fn index(scripts: &[Script]) -> (HashMap<String, usize>, BTreeSet<String>) {
    let mut closures = HashMap::new();
    let mut doubtful = BTreeSet::new();
    let mut functions = BTreeSet::new();
    for (at, script) in scripts.iter().enumerate() {
        for function in script.ast.iter_functions() {
            if !function.name.starts_with("anon$") {
                functions.insert(function.name.to_owned());
            } else if closures.insert(function.name.to_owned(), at).is_some() {
                doubtful.insert(function.name.to_owned());
            }
        }
    }
    closures.retain(|name, _| !doubtful.contains(name));
    (closures, functions)
}

/// The path in the program that an import means.
pub(crate) fn resolve(importer: &str, path: &str) -> Result<String, Diagnostic> {
    let wrong = |message: String| {
        Err(Diagnostic::error(Code::ModuleNotFound, message).hint(
            "write \"std/name\" for a standard module, \"./name\" for a file beside the script",
        ))
    };
    if path.starts_with("std/") {
        return Ok(path.trim_end_matches(".rhai").to_owned());
    }
    if !path.starts_with("./") && !path.starts_with("../") {
        return wrong(format!("there is no module \"{path}\""));
    }
    let mut folders: Vec<&str> = importer.split('/').collect();
    folders.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                if folders.pop().is_none() {
                    return wrong(format!("\"{path}\" is outside the runbook's folder"));
                }
            }
            part => folders.push(part),
        }
    }
    let joined = folders.join("/");
    let joined = joined.trim_end_matches(".rhai");
    Ok(if joined.starts_with("std/") { joined.to_owned() } else { format!("{joined}.rhai") })
}

fn syntax_error(source: &Source, error: &ParseErrorType, position: Position) -> Diagnostic {
    let place = source.place(position);
    let is_params = source.has_name_at(position, params::WORD);
    let (code, hint) = match error {
        ParseErrorType::VariableUndefined(name) => (
            Code::UndefinedName,
            Some(format!(
                "functions see no outer variables: pass `{name}` as an argument, or define it"
            )),
        ),
        ParseErrorType::ModuleUndefined(name) => {
            (Code::UndefinedName, Some(format!("import \"...\" as {name};")))
        }
        ParseErrorType::Reserved(word) if matches!(word.as_str(), "eval" | "Fn") => {
            (Code::Syntax, Some(format!("`{word}` is off: a closure does it, || ...")))
        }
        ParseErrorType::Reserved(word) => (
            Code::Syntax,
            Some(format!("the language keeps this word: as a member write \"{word}\" in quotes")),
        ),
        ParseErrorType::PropertyExpected if is_params => (
            Code::Syntax,
            Some("`params` is a word of the language: write map[\"params\"]".to_owned()),
        ),
        _ => (Code::Syntax, None),
    };
    let diagnostic = Diagnostic::error(code, error.to_string()).at(place);
    match hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

pub(crate) fn script_path(path: &Path) -> Result<PathBuf, Diagnostic> {
    let not_found = |message: String| Diagnostic::error(Code::RunbookNotFound, message);
    let script = match path.is_dir() {
        true => {
            let name = path.canonicalize().ok();
            let name = name.as_deref().map(stem).unwrap_or_default();
            path.join(format!("{name}.rhai"))
        }
        false => path.to_path_buf(),
    };
    if script.is_file() {
        Ok(script)
    } else if path.is_dir() {
        Err(not_found(format!("{} has no script {}", path.display(), script.display())))
    } else {
        Err(not_found(format!("there is no runbook at {}", path.display())))
    }
}

pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let message = format!("{} cannot be read: {error}", path.display());
    Diagnostic::error(Code::RunbookNotFound, message)
}

fn not_packaged(name: &str) -> Diagnostic {
    let message = format!("there is no packaged runbook `{name}`");
    let diagnostic = Diagnostic::error(Code::RunbookNotFound, message);
    match suggest::nearest(name, embedded::runbooks()) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic
            .hint(format!("packaged: {}", embedded::runbooks().collect::<Vec<_>>().join(", ")))
            .hint("a path ends in .rhai or is a folder"),
    }
}

/// Tests, worlds and the description of a runbook are not part of what it runs. Worlds have passwords,
/// which no journal needs.
pub(crate) fn is_part(path: &str) -> bool {
    let is_world = path == "world.toml" || path.starts_with("worlds/");
    !path.ends_with(".test.rhai") && !is_world && path != "README.md"
}

/// Text files of a folder that may belong to a program, by path inside it.
pub(crate) fn files_below(folder: &Path, recursively: bool) -> io::Result<Vec<ProgramFile>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut files = Vec::new();
    collect(folder, "", recursively, &mut files)?;
    Ok(files)
}

fn collect(
    folder: &Path,
    prefix: &str,
    recursively: bool,
    files: &mut Vec<ProgramFile>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let path = format!("{prefix}{name}");
        let metadata = fs::metadata(entry.path())?;
        if metadata.is_dir() && recursively {
            collect(&entry.path(), &format!("{path}/"), true, files)?;
        } else if metadata.is_file() && metadata.len() <= LARGEST_FILE && is_part(&path) {
            // What is not text is no part of a program.
            if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
                files.push(ProgramFile { path, text });
            }
        }
    }
    Ok(())
}
