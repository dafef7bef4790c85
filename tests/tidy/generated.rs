//! Reference pages that are written from the code: the command line, the standard library and the
//! catalogue of operations.
//!
//! `PITON_BLESS=1 cargo test --release --test piton-tests tidy::generated` writes them; without it a
//! page that differs from the code fails.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use piton_core::catalogue::{self, Reviewed};

use super::{File, files, root};

/// Where the generated part of a page begins and ends.
const BEGIN: &str = "<!-- generated: begin -->";
const END: &str = "<!-- generated: end -->";

/// Compares the generated part of a page, or writes it.
#[track_caller]
fn compare(page: &str, wanted: &str) {
    let path = root().join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (before, rest) = text.split_once(BEGIN).expect("the page has its generated part");
    let (found, after) = rest.split_once(END).expect("the generated part ends");
    let wanted = format!("\n\n{}\n\n", wanted.trim());
    if std::env::var_os("PITON_BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}"))
            .unwrap_or_else(|error| panic!("{page}: {error}"));
        return;
    }
    let difference =
        found.lines().zip(wanted.lines()).enumerate().find(|(_, (found, wanted))| found != wanted);
    assert!(
        found == wanted,
        "{page} is not what the code says ({}); write it again:\n  \
         PITON_BLESS=1 cargo test --release --test piton-tests tidy::generated",
        difference.map_or_else(
            || "it ends elsewhere".to_owned(),
            |(number, (found, wanted))| format!("line {number}: `{found}` is `{wanted}` now"),
        )
    );
}

/// What `piton <words> --help` says.
fn help(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_piton"))
        .args(words)
        .arg("--help")
        .env_remove("COLUMNS")
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "piton {words:?} --help failed");
    let text = String::from_utf8(output.stdout).expect("help is text");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn describe(words: &[&str], page: &mut String) {
    let text = help(words);
    let level = "#".repeat(2 + words.len().saturating_sub(1));
    let name = words.iter().fold("piton".to_owned(), |name, word| format!("{name} {word}"));
    // Writing to a String cannot fail.
    let _ = write!(page, "{level} {name}\n\n```text\n{text}\n```\n\n");
    for command in commands(&text) {
        let below: Vec<&str> = words.iter().copied().chain([command.as_str()]).collect();
        describe(&below, page);
    }
}

#[test]
fn the_command_line_is_documented_as_it_is() {
    let mut page = String::new();
    describe(&[], &mut page);
    assert!(page.contains("## piton run\n"), "the help's list of commands is not read as it is");
    compare("docs/reference/cli.md", &page);
}

#[test]
fn the_standard_library_is_documented_as_it_is() {
    let modules = files("stdlib");
    assert!(modules.len() > 5, "the standard library is not where it was");
    let mut page = String::new();
    for module in modules.iter().filter(|file| file.has_ending("rhai")) {
        describe_module(module, &mut page);
    }
    compare("docs/reference/stdlib.md", &page);
}

fn describe_module(module: &File, page: &mut String) {
    let name = module.name().trim_end_matches(".rhai");
    let header: Vec<&str> =
        module.text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    // Writing to a String cannot fail.
    let _ = write!(page, "## std/{name}\n\n{}\n\n", unindented(&header));
    let mut documentation: Vec<&str> = Vec::new();
    for line in module.text.lines() {
        if let Some(text) = line.strip_prefix("///") {
            documentation.push(text);
            continue;
        }
        if let Some(signature) = line.strip_prefix("fn ").and_then(|rest| rest.split('{').next()) {
            let signature = signature.trim();
            assert!(!documentation.is_empty(), "{}: `{signature}` has no docs", module.path);
            let text = unindented(&documentation).replace("# Example\n", "Example:\n\n");
            let _ = write!(page, "### `{name}::{signature}`\n\n{text}\n\n");
        }
        documentation.clear();
    }
}

fn unindented(lines: &[&str]) -> String {
    let lines: Vec<&str> =
        lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

#[test]
fn the_catalogue_is_documented_as_it_is() {
    let mut page = String::new();
    for service in catalogue::SERVICES {
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "## {service}\n\n| operation | class | natural key | taken back by |\n|---|---|---|---|\n"
        );
        for (name, row) in catalogue::reviewed_operations(service) {
            let _ = writeln!(page, "{}", catalogue_line(name, row));
        }
        page.push('\n');
    }
    assert!(page.matches("\n| `").count() > 600, "the tables are not read as they are");
    compare("docs/reference/catalogue.md", &page);
}

fn catalogue_line(name: &str, row: &Reviewed) -> String {
    let key = row.find.as_ref().map_or_else(String::new, |find| find.natural_key().join(", "));
    let back = match (&row.inverse, &row.irreversible) {
        (Some(inverse), _) => {
            let calls =
                row.also.iter().chain([inverse]).map(|call| format!("`{}`", call.operation));
            let calls = calls.collect::<Vec<_>>().join(", ");
            if row.before.is_some() { format!("{calls} (before)") } else { calls }
        }
        (None, Some(why)) => why.clone(),
        (None, None) => String::new(),
    };
    format!("| `{name}` | {} | {key} | {back} |", row.class.as_str()).replace("  |", " |")
}
