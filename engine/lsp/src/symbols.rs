//! The outline of a script: its functions and steps, as they contain each other.

use std::ops::Range;

use lsp_types::{DocumentSymbol, SymbolKind};

use crate::lines::Lines;
use crate::script::Script;

/// A function or step on its way into the outline.
struct Entry {
    name: String,
    detail: Option<String>,
    kind: SymbolKind,
    at: Range<usize>,
    range: Range<usize>,
}

/// The outline of a text.
pub(crate) fn outline(lines: &Lines) -> Vec<DocumentSymbol> {
    let script = Script::new(lines.text());
    let functions = script.functions().into_iter().map(|function| Entry {
        name: function.name.to_owned(),
        detail: Some(function.signature),
        kind: SymbolKind::FUNCTION,
        at: function.at,
        range: function.range,
    });
    let steps = script.steps().into_iter().map(|step| Entry {
        // An outline has no empty names.
        name: if step.name.is_empty() { "step".to_owned() } else { step.name.to_owned() },
        detail: Some("step".to_owned()),
        kind: SymbolKind::EVENT,
        at: step.at,
        range: step.range,
    });
    let mut entries: Vec<Entry> = functions.chain(steps).collect();
    entries.sort_by_key(|entry| (entry.range.start, std::cmp::Reverse(entry.range.end)));
    let mut entries = entries.into_iter().peekable();
    inside(lines, &mut entries, usize::MAX)
}

/// The entries that begin before a byte, with those inside each of them.
fn inside(
    lines: &Lines,
    entries: &mut std::iter::Peekable<impl Iterator<Item = Entry>>,
    end: usize,
) -> Vec<DocumentSymbol> {
    let mut symbols = Vec::new();
    while let Some(entry) = entries.next_if(|entry| entry.range.start < end) {
        let children = inside(lines, entries, entry.range.end);
        #[expect(deprecated, reason = "the protocol's own predecessor of `tags` has to be named")]
        symbols.push(DocumentSymbol {
            name: entry.name,
            detail: entry.detail,
            kind: entry.kind,
            tags: None,
            deprecated: None,
            range: lines.range(entry.range),
            selection_range: lines.range(entry.at),
            children: (!children.is_empty()).then_some(children),
        });
    }
    symbols
}
