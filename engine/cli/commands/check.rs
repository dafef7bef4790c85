//! `piton check`: what is wrong with a runbook, without running it.

use std::env;

use clap::{Args, ValueEnum};
use piton_core::diagnostic::{Code, Diagnostic, Place, Severity};
use serde::Serialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Outcome, exit};
use crate::{console, render, runbook};

/// Check a runbook and all that it imports, without running it
///
/// Operations, members, values, states, parameters and names are compared with the AWS service models
/// and with the script itself. Ends with 2 when there are errors; warnings alone end with 0.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Name of a packaged runbook, or path of a script or of its folder
    runbook: String,
    /// How to say it, for CI: annotations of GitHub, or SARIF
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One `::error` or `::warning` a line
    Github,
    /// SARIF 2.1.0, one document
    Sarif,
}

#[derive(Serialize)]
struct View<'a> {
    diagnostics: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    code: Code,
    severity: Severity,
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
    message: &'a str,
    hints: &'a [String],
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &CheckArgs) -> Outcome {
    let problems = runbook::problems(&args.runbook);
    match (args.format, context.json) {
        (Some(Format::Github), _) => {
            let problems = in_repository(&args.runbook, &problems);
            problems.iter().for_each(|problem| console::out(&annotation(problem)));
        }
        (Some(Format::Sarif), _) => {
            console::document(&sarif(&in_repository(&args.runbook, &problems)));
        }
        (None, true) => {
            console::document(&View { diagnostics: problems.iter().map(row).collect() });
        }
        (None, false) => {
            render::to_stderr(&problems);
            console::err(&summary(&args.runbook, &problems));
        }
    }
    if problems.iter().any(|problem| problem.code == Code::Bug) {
        return Ok(exit::BUG);
    }
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(if has_errors { exit::USAGE } else { exit::DONE })
}

/// The same with files as CI knows them: relative to the repository, else to the working directory.
/// Standard modules and packaged runbooks are in neither and keep their names.
fn in_repository(given: &str, problems: &[Diagnostic]) -> Vec<Diagnostic> {
    let Some(folder) = runbook::folder(given).and_then(|folder| folder.canonicalize().ok()) else {
        return problems.to_vec();
    };
    let repository = folder.ancestors().find(|above| above.join(".git").exists());
    let root = match repository {
        Some(root) => Some(root.to_owned()),
        None => env::current_dir().and_then(|here| here.canonicalize()).ok(),
    };
    let prefix = root.and_then(|root| folder.strip_prefix(root).ok()).unwrap_or(&folder);
    let prefix = prefix.to_string_lossy().replace('\\', "/");
    let mut problems = problems.to_vec();
    let places = problems.iter_mut().filter_map(|problem| problem.place.as_mut());
    for place in places.filter(|place| !place.file.starts_with("std/") && !prefix.is_empty()) {
        place.file = format!("{prefix}/{}", place.file);
    }
    problems
}

fn summary(name: &str, problems: &[Diagnostic]) -> String {
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings == 0 {
        return format!("{name}: nothing to say");
    }
    let words = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    format!("{name}: {}, {}", words(errors, "error"), words(warnings, "warning"))
}

fn row(problem: &Diagnostic) -> Row<'_> {
    let place = problem.place.as_ref();
    Row {
        code: problem.code,
        severity: problem.severity,
        file: place.map(|place| place.file.as_str()),
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
        // A token is on one line.
        end_line: place.map(|place| place.line),
        end_column: place.map(|place| place.end_column),
        message: &problem.message,
        hints: &problem.hints,
    }
}

fn level(problem: &Diagnostic) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The message with its hints.
fn told(problem: &Diagnostic) -> String {
    let hints = problem.hints.iter().map(String::as_str);
    std::iter::once(problem.message.as_str()).chain(hints).collect::<Vec<_>>().join("\n")
}

/// An annotation, `::error file=...,line=...::message`.
fn annotation(problem: &Diagnostic) -> String {
    let mut properties = vec![format!("title={}", problem.code)];
    if let Some(Place { file, line, column, end_column, .. }) = &problem.place {
        properties.insert(0, format!("endColumn={end_column}"));
        properties.insert(0, format!("col={column}"));
        properties.insert(0, format!("line={line}"));
        properties
            .insert(0, format!("file={}", escaped(file).replace(':', "%3A").replace(',', "%2C")));
    }
    format!("::{} {}::{}", level(problem), properties.join(","), escaped(&told(problem)))
}

/// A path as a relative URI.
fn as_uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().fold(String::new(), |mut uri, byte| {
        if plain(byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn sarif(problems: &[Diagnostic]) -> Value {
    let mut codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code })).collect();
    let results: Vec<Value> = problems.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "piton",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            // Columns of ours count characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(problem: &Diagnostic) -> Value {
    let mut result = json!({
        "ruleId": problem.code,
        "level": level(problem),
        "message": { "text": told(problem) },
    });
    if let Some(place) = &problem.place {
        result["locations"] = json!([{ "physicalLocation": {
            "artifactLocation": { "uri": as_uri(&place.file) },
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.line,
                "endColumn": place.end_column,
            },
        } }]);
    }
    result
}
