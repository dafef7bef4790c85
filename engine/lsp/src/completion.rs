//! What can be written at a cursor: services, operations, members, values, parameters, functions.
//!
//! `members` has what stands after a dot and in the input of a call, `texts` what stands in quotes.
//! Here is the order in which they are tried, and everything that may stand anywhere.

mod members;
mod texts;

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, InsertTextFormat,
    MarkupContent, MarkupKind, Position, Range, TextEdit,
};
use serde_json::Value;

use crate::cursor::Cursor;
use crate::look::Look;
use crate::prelude;
use crate::script::{Function, Script};

/// Words after which a new name is made up: nothing known can stand there.
const NAMING: [&str; 4] = ["let", "const", "fn", "as"];

/// Something that can be written.
pub(crate) struct Offer {
    label: String,
    kind: CompletionItemKind,
    detail: Option<String>,
    doc: Option<String>,
    /// What is written; the label when nothing is said.
    insert: Option<String>,
    /// The same with `$0` where the cursor goes, for editors that take it.
    snippet: Option<String>,
    /// Offers of a lower rank come first.
    rank: u8,
    /// What is looked up when the editor asks for more.
    data: Option<Value>,
}

impl Offer {
    fn new(label: impl Into<String>, kind: CompletionItemKind) -> Self {
        Self {
            label: label.into(),
            kind,
            detail: None,
            doc: None,
            insert: None,
            snippet: None,
            rank: 5,
            data: None,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = Some(doc.into()).filter(|doc: &String| !doc.is_empty());
        self
    }

    fn insert(mut self, text: impl Into<String>) -> Self {
        self.insert = Some(text.into());
        self
    }

    fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }

    /// The item that puts it into a range.
    fn item(self, range: Range, with_snippets: bool) -> CompletionItem {
        let snippet = self.snippet.filter(|_| with_snippets);
        let format = snippet.as_ref().map(|_| InsertTextFormat::SNIPPET);
        let new_text = snippet.or(self.insert).unwrap_or_else(|| self.label.clone());
        CompletionItem {
            sort_text: Some(format!("{}{}", self.rank, self.label)),
            filter_text: Some(self.label.clone()),
            label: self.label,
            kind: Some(self.kind),
            detail: self.detail,
            documentation: self.doc.map(markdown),
            insert_text_format: format,
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text })),
            data: self.data,
            ..CompletionItem::default()
        }
    }
}

/// A text as the protocol has Markdown.
pub(crate) fn markdown(value: String) -> Documentation {
    Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })
}

/// Whether a sign that was just written asks for something: a brace may begin a map or a block, a
/// quote may begin or end a text.
fn opens(sign: &str, cursor: &Cursor<'_>) -> bool {
    match sign {
        "." => cursor.quoted.is_none(),
        ":" => cursor.before(1) == "::",
        "{" | "," => cursor.enclosing().is_some_and(|call| call.key_in.is_some()),
        _ => cursor.quoted.is_some(),
    }
}

/// Everything that can be written at a position; `trigger` is the sign that made the editor ask.
pub(crate) fn complete(
    look: &Look<'_>,
    position: Position,
    trigger: Option<&str>,
    with_snippets: bool,
) -> Vec<CompletionItem> {
    let at = look.lines.offset(position);
    let script = Script::new(look.lines.text());
    let cursor = Cursor::new(&script, at);
    if script.is_comment(at) || trigger.is_some_and(|sign| !opens(sign, &cursor)) {
        return Vec::new();
    }
    let (offers, range) = match cursor.quoted {
        Some(index) => {
            let token = &script.tokens[index];
            let length = script.quoted(index).map_or(0, str::len);
            let is_closed = script.word(index).len() == length + 2;
            let end = if is_closed { token.range.end - 1 } else { at };
            (texts::offers(look, &cursor, index), token.range.start + 1..end)
        }
        None => (names(look, &cursor), cursor.word.start..at),
    };
    let range = look.lines.range(range);
    let mut items: Vec<CompletionItem> =
        offers.into_iter().map(|offer| offer.item(range, with_snippets)).collect();
    items.sort_by(|left, right| left.sort_text.cmp(&right.sort_text));
    items.dedup_by(|left, right| left.label == right.label);
    items
}

/// What can be written outside of quotes.
fn names(look: &Look<'_>, cursor: &Cursor<'_>) -> Vec<Offer> {
    match cursor.before(1) {
        "." | "?." => return members::after_dot(look, cursor),
        "::" => return of_module(look, cursor),
        before if NAMING.contains(&before) => return Vec::new(),
        _ => {}
    }
    let call = cursor.enclosing();
    if let Some(call) = call.as_ref().filter(|call| call.key_in.is_some()) {
        return members::keys(look, cursor, call);
    }
    let mut offers = call.map_or_else(Vec::new, |call| members::values(look, cursor, &call));
    offers.extend(anywhere(cursor));
    offers
}

/// The functions of the module before `::`.
fn of_module(look: &Look<'_>, cursor: &Cursor<'_>) -> Vec<Offer> {
    let Some((_, text)) = look.module(cursor.script, cursor.before(2)) else { return Vec::new() };
    let module = Script::new(text);
    let functions = module.functions().into_iter().filter(|function| !function.is_private);
    functions.map(|function| of_function(&function, cursor)).collect()
}

fn of_function(function: &Function<'_>, cursor: &Cursor<'_>) -> Offer {
    let has_arguments = !function.signature.ends_with("()");
    let offer = Offer::new(function.name, CompletionItemKind::FUNCTION);
    called(offer.detail(&function.signature).doc(&function.doc), cursor, has_arguments)
}

/// An offer that writes the brackets of a call, where there are none.
fn called(mut offer: Offer, cursor: &Cursor<'_>, has_arguments: bool) -> Offer {
    let next = cursor.index + usize::from(!cursor.word.is_empty());
    if cursor.script.word(next) != "(" {
        let inside = if has_arguments { "$0" } else { "" };
        offer.snippet = Some(format!("{}({inside})", offer.label));
    }
    offer
}

/// Variables, functions, modules and the prelude.
fn anywhere(cursor: &Cursor<'_>) -> Vec<Offer> {
    let script = cursor.script;
    let variables = script.variables_before(cursor.index).into_iter();
    let variables =
        variables.map(|(name, _)| Offer::new(name, CompletionItemKind::VARIABLE).rank(1));
    let functions = script.functions();
    let functions = functions.iter().map(|function| of_function(function, cursor).rank(2));
    let imports = script.imports().into_iter().map(|import| {
        Offer::new(import.name, CompletionItemKind::MODULE)
            .detail(import.path)
            .insert(format!("{}::", import.name))
            .rank(2)
    });
    let params = Offer::new("params", CompletionItemKind::KEYWORD).doc(prelude::params()).rank(3);
    let prelude = prelude::functions().iter().map(|function| {
        let offer = Offer::new(function.name, CompletionItemKind::FUNCTION)
            .detail(function.usage)
            .doc(&function.doc)
            .rank(3);
        called(offer, cursor, !function.usage.ends_with("()"))
    });
    variables.chain(functions).chain(imports).chain([params]).chain(prelude).collect()
}
