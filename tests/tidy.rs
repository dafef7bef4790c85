//! The repository's own rules, as tests: layout, sizes, arrows between crates, words, and documents
//! that must say what the code says.
//!
//! Each rule is written down in docs/style.md or docs/contributing.md. Offenders that were there when
//! a rule came are listed with their size and may only shrink. Nothing here knows what the code does.

mod crates;
mod documents;
mod examples;
mod generated;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One text file of the repository.
struct File {
    /// Path from the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn has_ending(&self, ending: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == ending)
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Written by a program of ours and marked so; rules for people do not apply.
    fn is_generated(&self) -> bool {
        self.text.lines().take(3).any(|line| line.contains("@generated"))
    }
}

/// Every file below a folder of the root that is text, in order of path. Build folders are no part of
/// the repository, and neither are hidden ones.
fn files(below: &str) -> Vec<File> {
    let mut found = Vec::new();
    let start = root().join(below);
    assert!(start.exists(), "{below} is not there: a rule would check nothing");
    let mut open: Vec<PathBuf> = vec![start];
    while let Some(path) = open.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_ours = name != "target" && (path == root() || !name.starts_with('.'));
            if is_ours {
                let entries = fs::read_dir(&path).expect("a folder of the repository is readable");
                open.extend(entries.map(|entry| entry.expect("its entries too").path()));
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).expect("it was found below the root");
            found.push(File { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// The hand-written Rust files of the engine and of the tests.
fn rust_files() -> Vec<File> {
    let mut found = files("engine");
    found.extend(files("tests"));
    found.retain(|file| file.has_ending("rs"));
    found
}

/// Fails with every problem at once, so that one run shows all there is to do.
#[track_caller]
fn refuse(problems: &[String], rule: &str) {
    assert!(problems.is_empty(), "{rule}\n  {}\n", problems.join("\n  "));
}

#[test]
fn the_top_level_has_seven_names() {
    let wanted = ["Cargo.toml", "README.md", "docs", "engine", "runbooks", "stdlib", "tests"];
    let entries = fs::read_dir(root()).expect("the root is readable");
    let mut found: Vec<String> = entries
        .map(|entry| entry.expect("its entries too").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "target" && name != "Cargo.lock")
        .collect();
    found.sort_unstable();
    assert_eq!(found, wanted, "configuration goes into dotfiles, everything else below these");
}
