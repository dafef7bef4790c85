//! The checker: what is wrong with a program, said before anything is sent.
//!
//! It compiles and runs nothing. Values are followed through variables, functions, closures and
//! modules as far as that is certain; what is not known is not checked here, and again at run time.
//!
//! Inside: `tree` is the program as it is read, `ty` what is known of values, `infer` and `expr`
//! follow them, `aws`, `methods`, `natives`, `children`, `states`, `caught` and `columns` know what calls
//! take and answer, `names` and `spelling` have the rules that need no values, `template` looks into templates,
//! `watch` tells editors what is known at a place.

mod aws;
mod caught;
mod children;
mod columns;
mod expr;
mod infer;
mod methods;
mod names;
mod natives;
mod spelling;
mod states;
mod template;
mod tree;
mod ty;
mod watch;

use std::collections::BTreeSet;
use std::path::Path;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::ProgramFile;

use crate::Program;
use crate::program::{self, Gathered};
use infer::{Finding, Inference};
use rhai::Position;
use tree::Tree;
use ty::Spot;

pub(crate) use natives::options;
pub use watch::Receiver;
pub(crate) use watch::receivers;

/// Everything that is wrong with a program that loads, in order of file, line and column. Errors
/// stop a run, warnings do not.
pub fn check(program: &Program) -> Vec<Diagnostic> {
    program::on_deep_stack(|| {
        let tree = Tree::new(program.compiled());
        let mut inference = Inference::new(&tree);
        let findings = inference.run();
        let (mut problems, seen) = settled(&tree, findings);
        let slips = spelling::check(&tree, &seen).into_iter();
        problems.extend(
            slips.map(|(spot, slip)| slip.at(tree.files[spot.file].source.place(spot.position))),
        );
        problems.extend(unused_params(program, &inference));
        for file in 0..tree.files.len() {
            let source = tree.files[file].source;
            let found = names::check(&tree, file).into_iter();
            problems.extend(found.map(|(position, problem)| problem.at(source.place(position))));
        }
        problems.extend(circles(&tree));
        sorted(program, problems)
    })
}

/// Imports that lead back to the file they are in: a module is evaluated at its import, so that
/// would never end. Imports inside functions are made later, and may.
fn circles(tree: &Tree<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut done = BTreeSet::new();
    let mut open: Vec<(usize, Vec<(usize, Position)>)> = vec![(0, tree.imported_at_once(0))];
    while let Some((file, imports)) = open.last_mut() {
        let file = *file;
        let Some((next, position)) = imports.pop() else {
            done.insert(file);
            open.pop();
            continue;
        };
        if let Some(start) = open.iter().position(|(file, _)| *file == next) {
            let path = |file: usize| tree.files[file].source.path();
            let way = open[start..].iter().map(|(file, _)| path(*file)).chain([path(next)]);
            let way: Vec<&str> = way.collect();
            let message = format!("the imports go in a circle: {}", way.join(", "));
            problems.push(
                Diagnostic::error(Code::ModuleNotFound, message)
                    .hint("move what both need into a third module")
                    .at(tree.files[file].source.place(position)),
            );
        } else if !done.contains(&next) {
            open.push((next, tree.imported_at_once(next)));
        }
    }
    problems
}

/// Checks a packaged runbook, whether it loads or not.
pub fn check_packaged(name: &str) -> Vec<Diagnostic> {
    all(program::gather_packaged(name))
}

/// Checks a runbook from a path, as [`Program::from_folder_or_file`] takes it, whether it loads or
/// not.
pub fn check_path(path: &Path) -> Vec<Diagnostic> {
    all(program::gather_path(path))
}

/// Checks a program from its files alone, as [`Program::from_files`] takes them, whether it loads
/// or not.
pub fn check_files(name: &str, files: Vec<ProgramFile>) -> Vec<Diagnostic> {
    all(program::gather_files(name, files))
}

/// What loading says, and what the checker says of as much as could be loaded.
pub(crate) fn all(gathered: Gathered) -> Vec<Diagnostic> {
    let Gathered { program, mut problems } = gathered;
    let Some(program) = program else { return problems };
    let is_declared = problems.iter().all(|problem| problem.code != Code::Declaration);
    let of_loading = problems.len();
    for problem in check(&program) {
        // Without its declaration a runbook has no parameters: that was said.
        let follows = !is_declared && matches!(problem.code, Code::UnknownParameter | Code::Unused);
        if !follows && !problems[..of_loading].contains(&problem) {
            problems.push(problem);
        }
    }
    sorted(&program, problems)
}

/// The problems that stand once every call was followed, and the places that need no further look:
/// of those problems, and of what was read well.
fn settled(tree: &Tree<'_>, findings: Vec<Finding>) -> (Vec<Diagnostic>, BTreeSet<Spot>) {
    let good = |finding: &Finding| match finding {
        Finding::Good(spot) => Some(*spot),
        Finding::Possible(_) | Finding::Problem { .. } => None,
    };
    let mut seen: BTreeSet<Spot> = findings.iter().filter_map(good).collect();
    let excused = |finding: &Finding| match finding {
        Finding::Good(spot) | Finding::Possible(spot) => Some(*spot),
        Finding::Problem { .. } => None,
    };
    let excused: BTreeSet<Spot> = findings.iter().filter_map(excused).collect();
    let mut said = BTreeSet::new();
    let mut problems = Vec::new();
    for finding in findings {
        let Finding::Problem { spot, diagnostic, excusable } = finding else { continue };
        if excusable.is_some_and(|read| excused.contains(&read)) {
            continue;
        }
        seen.extend(excusable.into_iter().chain([spot]));
        if said.insert((spot, diagnostic.code.as_str(), diagnostic.message.clone())) {
            let source = tree.files[spot.file].source;
            problems.push(diagnostic.at(source.place(spot.position)));
        }
    }
    (problems, seen)
}

fn unused_params(program: &Program, inference: &Inference<'_>) -> Vec<Diagnostic> {
    let Some(read) = &inference.params_read else { return Vec::new() };
    let unread = program.declaration().params.iter().filter(|param| !read.contains(&param.name));
    unread
        .map(|param| {
            let message = format!("nothing reads the parameter `{}`", param.name);
            Diagnostic::warning(Code::Unused, message).at(param.place.clone())
        })
        .collect()
}

/// In order of file, line and column; files in the order of the program, others after them.
fn sorted(program: &Program, mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let scripts: Vec<&str> =
        program.compiled().scripts().iter().map(|script| script.source.path()).collect();
    problems.sort_by_cached_key(|problem| {
        problem.place.as_ref().map(|place| {
            let file = scripts.iter().position(|path| *path == place.file);
            (file.unwrap_or(usize::MAX), place.file.clone(), place.line, place.column)
        })
    });
    problems.dedup();
    problems
}
