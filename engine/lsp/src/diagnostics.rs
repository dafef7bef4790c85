//! Diagnostics of the checker as the protocol has them.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use lsp_types::{
    CodeDescription, Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity,
    DiagnosticTag, Location, NumberOrString, Position, Range, Uri,
};
use piton_core::diagnostic::{Code, Diagnostic, Frame, Place, Severity};
use piton_script::Draft;

use crate::documents::{Documents, Root};
use crate::lines::{count, units};
use crate::{address, errors};

/// Diagnostics by the URI of the document that they are about.
pub(crate) type ByDocument = BTreeMap<String, Vec<Shown>>;

/// Checks what a root stands for. What has no place is said of the root itself.
pub(crate) fn check(documents: &Documents, root: &Root) -> ByDocument {
    let open = documents.texts();
    let home = home(documents, root).map(|uri| uri.as_str().to_owned());
    let mut found = ByDocument::new();
    let draft = match documents.draft(root, &open) {
        Ok(draft) => draft,
        Err(problem) => {
            found.extend(home.map(|home| (home, vec![shown(&problem, &[])])));
            return found;
        }
    };
    let names = draft.clone();
    // A bug that one text provokes must not take the others' diagnostics along.
    let checked = panic::catch_unwind(AssertUnwindSafe(|| draft.check()));
    let problems = checked.unwrap_or_else(|_| {
        vec![Diagnostic::error(Code::Bug, "the check ended with a bug in Piton, told on stderr")]
    });
    for problem in problems {
        if matches!(root, Root::Tests(_)) && problem.code != Code::Syntax {
            continue;
        }
        let at = match &problem.place {
            Some(place) => address_of(documents, &names, &place.file)
                .map(|uri| uri.as_str().to_owned())
                .or_else(|| home.clone()),
            None => home.clone(),
        };
        let Some(at) = at else { continue };
        let related = related(documents, &names, &problem.frames);
        found.entry(at).or_default().push(shown(&problem, &related));
    }
    found
}

/// The document that a root is called by.
fn home(documents: &Documents, root: &Root) -> Option<Uri> {
    match root {
        Root::Runbook(path) | Root::Module(path) | Root::Tests(path) => address_at(documents, path),
        Root::Untitled(uri) => uri.parse().ok(),
    }
}

fn address_of(documents: &Documents, draft: &Draft, file: &str) -> Option<Uri> {
    address_at(documents, &draft.path_of(file)?)
}

/// The URI of a path: as the editor wrote it, when it is open there.
pub(crate) fn address_at(documents: &Documents, path: &Path) -> Option<Uri> {
    match documents.at(path) {
        Some(document) => Some(document.uri.clone()),
        None => address::uri(path).parse().ok(),
    }
}

/// The calls that led to the place.
fn related(
    documents: &Documents,
    draft: &Draft,
    frames: &[Frame],
) -> Vec<DiagnosticRelatedInformation> {
    let frames = frames.iter().filter_map(|Frame { name, place }| {
        let uri = address_of(documents, draft, &place.file)?;
        let location = Location { uri, range: range(place) };
        let message = format!("in `{name}`, called here");
        Some(DiagnosticRelatedInformation { location, message })
    });
    frames.collect()
}

fn shown(problem: &Diagnostic, related: &[DiagnosticRelatedInformation]) -> Shown {
    let hints = problem.hints.iter().map(|hint| format!("help: {hint}"));
    let lines: Vec<String> = std::iter::once(problem.message.clone()).chain(hints).collect();
    let start = Range::new(Position::new(0, 0), Position::new(0, 0));
    Shown {
        range: problem.place.as_ref().map_or(start, range),
        severity: Some(match problem.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(problem.code.to_string())),
        code_description: errors::page(problem.code).map(|href| CodeDescription { href }),
        source: Some("piton".to_owned()),
        message: lines.join("\n"),
        related_information: (!related.is_empty()).then(|| related.to_vec()),
        tags: (problem.code == Code::Unused).then(|| vec![DiagnosticTag::UNNECESSARY]),
        data: None,
    }
}

/// The range of a place. Its columns count characters; its own line tells how wide they are, where
/// it has one.
pub(crate) fn range(place: &Place) -> Range {
    let line = count(place.line.saturating_sub(1));
    let column = |column: usize| {
        let before = column.saturating_sub(1);
        let is_known = !place.source_line.is_empty();
        let width = if is_known { units(&place.source_line, before) } else { count(before) };
        Position::new(line, width)
    };
    Range::new(column(place.column), column(place.end_column))
}
