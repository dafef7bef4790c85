//! Rules about documents and words: codes, links, names of tests and files, the glossary, no paths of
//! one machine.

use std::collections::BTreeSet;
use std::fs;

use piton_core::diagnostic::Code;

use super::{File, files, refuse, root, rust_files};

/// Words that the glossary rules out and that stay right where AWS or a library means its own thing:
/// path (or a beginning of it), word.
const OTHER_PEOPLES_WORDS: &[(&str, &str)] = &[];

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents that people read: the guide and reference, the readmes.
fn documents() -> Vec<File> {
    let mut found = files("docs");
    found.extend(files("runbooks"));
    found.push(File { path: "README.md".to_owned(), text: document("README.md") });
    found.retain(|file| file.has_ending("md"));
    found
}

#[test]
fn every_code_is_explained() {
    let text = document("docs/reference/errors.md");
    let explained: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("## PT")).map(|rest| &rest[..4]).collect();
    let known: Vec<&str> = Code::ALL.iter().map(|code| &code.as_str()[2..]).collect();
    assert_eq!(explained, known, "docs/reference/errors.md has a section for each code, in order");
    let mut problems = Vec::new();
    for section in text.split("\n## PT").skip(1) {
        for part in ["**Cause.**", "**What to do.**", "```"] {
            if !section.contains(part) {
                problems.push(format!("PT{}: no {part}", &section[..4]));
            }
        }
    }
    refuse(&problems, "each section has a cause, what to do, and an example");
}

#[test]
fn every_code_is_used() {
    let sources: String = rust_files()
        .into_iter()
        .filter(|file| file.path.contains("/src/") || file.path.starts_with("engine/cli/"))
        .map(|file| file.text)
        .collect();
    let problems: Vec<String> = Code::ALL
        .iter()
        .filter(|code| !sources.contains(&format!("Code::{code:?}")))
        .map(|code| format!("{code} ({code:?})"))
        .collect();
    refuse(&problems, "nothing reports these codes");
}

#[test]
fn every_prelude_function_is_explained() {
    let source = document("engine/script/src/prelude.rs");
    let table = source.split("const USAGE").nth(1).and_then(|rest| rest.split("];").next());
    let table = table.expect("the prelude lists its functions in USAGE");
    let text = document("docs/reference/prelude.md");
    let names: Vec<&str> = table
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\""))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(names.len() > 20, "USAGE is not written as it was: {names:?}");
    let problems: Vec<String> = names
        .iter()
        .filter(|name| !text.contains(&format!("`{name}(")))
        .map(|name| (*name).to_owned())
        .collect();
    refuse(&problems, "docs/reference/prelude.md does not explain these");
}

/// An invariant that no test holds is a wish.
#[test]
fn every_invariant_names_its_test() {
    let text = document("docs/architecture.md");
    let tests: BTreeSet<String> = rust_files()
        .iter()
        .flat_map(|file| file.text.split("fn ").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect();
    let paragraphs: Vec<&str> =
        text.split("\n\n").filter(|paragraph| paragraph.contains("**Invariant:**")).collect();
    assert!(paragraphs.len() >= 8, "the invariants are not written as they were");
    let mut problems = Vec::new();
    for paragraph in paragraphs {
        let beginning: String = paragraph.chars().take(60).collect();
        match paragraph.split("Held by").nth(1) {
            None => problems.push(format!("{beginning}...: no `Held by`")),
            Some(held) => {
                let named =
                    in_code(held).into_iter().filter(|name| !name.contains(['/', '.', ' ']));
                let named: Vec<&str> = named.collect();
                if named.is_empty() {
                    problems.push(format!("{beginning}...: names no test"));
                }
                let gone = named.into_iter().filter(|name| !tests.contains(*name));
                problems.extend(gone.map(|name| format!("{beginning}...: no test `{name}`")));
            }
        }
    }
    refuse(&problems, "docs/architecture.md: each invariant names the test that holds it");
}

/// The parts of a text between single backticks.
fn in_code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The first page is worth nothing once a function has moved.
#[test]
fn the_way_of_a_call_is_as_told() {
    let text = document("docs/architecture.md");
    let section = text.split("\n## ").find(|section| section.starts_with("The way of a call"));
    let section = section.expect("the first section of docs/architecture.md");
    // The drawing is in a block of its own.
    let prose = section.split("```").next().unwrap_or_default();
    let sources = rust_files();
    let mut problems = Vec::new();
    for name in in_code(prose).into_iter().filter(|name| !name.contains(['/', ' '])) {
        let (owner, item) = name.rsplit_once("::").unwrap_or(("", name));
        let is_module = owner.chars().next().is_some_and(char::is_lowercase);
        let is_there = sources.iter().any(|file| {
            let in_place = !is_module || file.path.ends_with(&format!("/{owner}.rs"));
            in_place && defines(&file.text, item)
        });
        if !is_there {
            problems.push(name.to_owned());
        }
    }
    refuse(&problems, "docs/architecture.md tells of what is not there, or not any more");
}

/// Whether a source has a function, a type or a variant of this name.
fn defines(text: &str, name: &str) -> bool {
    ["fn ", "struct ", "enum ", "trait ", "type ", "    "].iter().any(|before| {
        text.match_indices(&format!("{before}{name}")).any(|(at, found)| {
            text[at + found.len()..].starts_with(['(', '<', ' ', ',', ';', '\n'])
        })
    })
}

#[test]
fn files_that_documents_name_are_there() {
    let beginnings = ["engine/", "docs/", "tests/", "stdlib/", "runbooks/", ".ci/"];
    let mut problems = Vec::new();
    for file in documents() {
        for name in in_code(&file.text) {
            let is_path = beginnings.iter().any(|beginning| name.starts_with(beginning))
                && !name.contains([' ', '*', '<', '{', '\n', ':']);
            if is_path && !root().join(name).exists() {
                problems.push(format!("{}: `{name}`", file.path));
            }
        }
    }
    refuse(&problems, "documents name files that are not there");
}

#[test]
fn links_lead_somewhere() {
    let mut problems = Vec::new();
    for file in documents() {
        let folder = root().join(&file.path);
        let folder = folder.parent().expect("a file is in a folder");
        for target in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.contains(['\n', ' ']) {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { root().join(&file.path) } else { folder.join(path) };
            let Ok(text) = fs::read_to_string(&path) else {
                if !path.exists() {
                    problems.push(format!("{}: {target}", file.path));
                }
                continue;
            };
            if !anchor.is_empty() && !anchors(&text).contains(anchor) {
                problems.push(format!("{}: {target} has no such heading", file.path));
            }
        }
    }
    refuse(&problems, "links that lead nowhere");
}

/// The anchors of a Markdown text's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[test]
fn the_glossary_is_kept() {
    let glossary = document("docs/glossary.md");
    let banned: Vec<&str> = glossary
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.trim_end_matches('|').rsplit('|').next())
        .flat_map(|cell| cell.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty() && *word != "not" && !word.starts_with('-'))
        .collect();
    assert!(banned.contains(&"workflow"), "the glossary's table is not written as it was");
    let mut problems = Vec::new();
    for file in documents().iter().filter(|file| file.path != "docs/glossary.md") {
        look_for(&banned, &file.path, &file.text, &mut problems);
    }
    for file in rust_files().iter().filter(|file| !file.is_generated()) {
        let comments = file.text.lines().filter_map(|line| line.trim_start().strip_prefix("//"));
        let comments: Vec<&str> = comments.collect();
        look_for(&banned, &file.path, &comments.join("\n"), &mut problems);
    }
    refuse(&problems, "docs/glossary.md has another word for these");
}

fn look_for(banned: &[&str], path: &str, text: &str, problems: &mut Vec<String>) {
    let text = text.to_lowercase();
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for word in banned {
        let plural = format!("{word}s");
        let is_there = words.contains(word) || words.contains(plural.as_str());
        let is_theirs = OTHER_PEOPLES_WORDS
            .iter()
            .any(|(beginning, theirs)| path.starts_with(beginning) && theirs == word);
        if is_there && !is_theirs {
            problems.push(format!("{path}: {word}"));
        }
    }
}

#[test]
fn nothing_names_a_folder_of_one_machine() {
    // Put together here, so that this file does not name them either.
    let folders: Vec<String> =
        ["home", "root", "work", "Users", "tmp"].iter().map(|name| format!("/{name}/")).collect();
    let mut all = documents();
    all.extend(files("engine"));
    all.extend(files("stdlib"));
    let mut problems = Vec::new();
    for file in &all {
        for (number, line) in file.text.lines().enumerate() {
            let named = folders.iter().any(|folder| {
                line.match_indices(folder.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|c| c.is_whitespace() || "\"'`(=<".contains(c))
                })
            });
            if named {
                problems.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    refuse(&problems, "paths of one machine");
}
