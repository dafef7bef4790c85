//! What a value at a place is. The checker is asked with the text as it is, then with the unfinished
//! part left out; when neither parses, the tokens before the place tell as much as they can.

use piton_script::Draft;
use piton_script::check::Receiver;

use crate::cursor::{Cursor, Step};
use crate::lines::Lines;
use crate::script::Script;
use crate::shapes;
use crate::tokens::Kind;

/// Stands for what is not written yet.
const PLACEHOLDER: &str = "piton_cursor()";
/// How far definitions of variables are followed.
const FURTHEST: usize = 16;

/// A document with the program that it is part of.
pub(crate) struct View<'a> {
    pub(crate) draft: &'a Draft,
    /// The name of the document in the program.
    pub(crate) file: &'a str,
    pub(crate) lines: &'a Lines,
}

impl View<'_> {
    /// What the name at a cursor is read of or called on; the name may be missing yet.
    pub(crate) fn receivers(&self, cursor: &Cursor<'_>) -> Vec<Receiver> {
        let start = cursor.word.start;
        let (before, after) =
            (&cursor.script.text[..start], &cursor.script.text[cursor.word.end..]);
        let mut texts = Vec::new();
        if cursor.word.is_empty() {
            texts.push(format!("{before}{PLACEHOLDER}{after}"));
            texts.push(format!("{before}{PLACEHOLDER};{after}"));
        } else {
            texts.push(cursor.script.text.to_owned());
            texts.push(format!("{before}{PLACEHOLDER};{after}"));
        }
        let closers = cursor.closers();
        let further = functions_after(cursor);
        texts.push(format!("{before}{PLACEHOLDER}{closers}\n{further}"));
        texts.push(format!("{before}{PLACEHOLDER} {{}}{closers}\n{further}"));
        let known = self.ask(texts, start);
        known.unwrap_or_else(|| by_tokens(cursor.script, cursor.index, FURTHEST))
    }

    /// What the method is called on whose arguments a cursor is in.
    pub(crate) fn receivers_of_call(&self, cursor: &Cursor<'_>, callee: usize) -> Vec<Receiver> {
        let text = cursor.script.text;
        let start = cursor.script.tokens[callee].range.start;
        let mut texts = vec![text.to_owned()];
        if let Some(cut) = cursor.entry_start() {
            let after = &text[cursor.word.end..];
            texts.push(format!("{}{after}", &text[..cut]));
            let further = functions_after(cursor);
            texts.push(format!("{}{}\n{further}", &text[..cut], cursor.closers()));
        }
        let known = self.ask(texts, start);
        known.unwrap_or_else(|| by_tokens(cursor.script, callee, FURTHEST))
    }

    /// What the checker knows of the name at a byte, by the first text that parses and in which
    /// something is known.
    fn ask(&self, texts: Vec<String>, start: usize) -> Option<Vec<Receiver>> {
        let (line, column) = self.lines.place(start);
        texts.into_iter().find_map(|text| {
            let draft = self.draft.clone().with(self.file, text);
            draft.receivers(self.file, line, column).filter(|known| !known.is_empty())
        })
    }
}

/// The functions that are defined after a cursor: what comes between is left out where it is not
/// finished, and calls of them are known all the same.
fn functions_after(cursor: &Cursor<'_>) -> String {
    let functions = cursor.script.functions().into_iter();
    let after = functions.filter(|function| function.range.start > cursor.word.end);
    after.map(|function| format!("{}\n", &cursor.script.text[function.range])).collect()
}

/// What the name at a token is read of or called on, from the tokens before it alone.
fn by_tokens(script: &Script<'_>, index: usize, fuel: usize) -> Vec<Receiver> {
    let is_chain = matches!(script.word_before(index, 1), "." | "?.");
    match index.checked_sub(2).filter(|_| is_chain) {
        Some(end) => value(script, end, fuel),
        None => Vec::new(),
    }
}

/// What the expression comes to that ends with a token.
fn value(script: &Script<'_>, end: usize, fuel: usize) -> Vec<Receiver> {
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
    match script.word(end) {
        ")" => match script.opening(end).and_then(|open| open.checked_sub(1)) {
            Some(callee) if script.is_name(callee) => call(script, callee, end, fuel),
            _ => Vec::new(),
        },
        "]" => match script.opening(end).and_then(|open| open.checked_sub(1)) {
            Some(before) => elements(value(script, before, fuel)),
            None => Vec::new(),
        },
        "params" => vec![Receiver::Params],
        name if script.is_name(end) => match script.word_before(end, 1) {
            "." | "?." => members(by_tokens(script, end, fuel), name),
            "::" => Vec::new(),
            _ => variable(script, end, name, fuel),
        },
        _ => Vec::new(),
    }
}

fn call(script: &Script<'_>, callee: usize, close: usize, fuel: usize) -> Vec<Receiver> {
    let name = script.word(callee);
    if !matches!(script.word_before(callee, 1), "." | "?.") {
        return match name {
            "aws" => vec![Receiver::Account],
            "step" | "retry" | "wait_until" => closure(script, callee + 1, close, fuel),
            _ => Vec::new(),
        };
    }
    let answers = by_tokens(script, callee, fuel).into_iter().filter_map(|of| match of {
        Receiver::Account => match name {
            "service" => {
                let service = script.quoted(callee + 2)?;
                shapes::services().find(|known| *known == service).map(Receiver::Client)
            }
            "assume" | "environment" | "region" => Some(Receiver::Account),
            _ => None,
        },
        Receiver::Client(service) => {
            let model = piton_models::service(service)?;
            let shape = shapes::operation(model, name)?.output.as_ref()?.shape.as_str();
            Some(Receiver::Answer { model, shape })
        }
        _ => None,
    });
    answers.collect()
}

/// What the first closure among the arguments of a call answers.
fn closure(script: &Script<'_>, open: usize, close: usize, fuel: usize) -> Vec<Receiver> {
    let Some(bars) = (open..close).find(|index| script.word(*index) == "||") else {
        return Vec::new();
    };
    let end = end_of_expression(script, bars + 1);
    match script.word(bars + 1) {
        // A block answers its last expression.
        "{" => end.checked_sub(1).map_or_else(Vec::new, |last| value(script, last, fuel)),
        _ => value(script, end, fuel),
    }
}

/// The last token of the expression that begins with one.
fn end_of_expression(script: &Script<'_>, start: usize) -> usize {
    let mut index = start;
    while index < script.tokens.len() {
        match script.kind(index) {
            Some(Kind::Open) => {
                // The body of a loop is no part of what it goes through.
                if script.word(index) == "{" && index > start {
                    break;
                }
                index = script.closing(index);
            }
            Some(Kind::Close) => break,
            _ if matches!(script.word(index), "," | ";") => break,
            _ => {}
        }
        index += 1;
    }
    index.saturating_sub(1)
}

fn variable(script: &Script<'_>, at: usize, name: &str, fuel: usize) -> Vec<Receiver> {
    let variables = script.variables_before(at);
    let defined = variables.into_iter().find(|(known, _)| *known == name);
    match defined {
        Some((_, next)) if script.word(next) == "=" => {
            value(script, end_of_expression(script, next + 1), fuel)
        }
        Some((_, next)) if script.word(next) == "in" => {
            elements(value(script, end_of_expression(script, next + 1), fuel))
        }
        _ => Vec::new(),
    }
}

/// What a member of each of some values is.
pub(crate) fn members(of: Vec<Receiver>, name: &str) -> Vec<Receiver> {
    let by_name = || shapes::services().find(|known| *known == name).map(Receiver::Client);
    if of.is_empty() {
        // Of something unknown, a member that is called like a service is its client.
        return by_name().into_iter().collect();
    }
    let members = of.into_iter().filter_map(|of| match of {
        Receiver::Account => by_name(),
        Receiver::Answer { model, shape } => {
            let shape = shapes::part(model, shape, &[Step::Member(name.to_owned())])?;
            Some(Receiver::Answer { model, shape })
        }
        _ => None,
    });
    members.collect()
}

fn elements(of: Vec<Receiver>) -> Vec<Receiver> {
    let elements = of.into_iter().filter_map(|of| match of {
        Receiver::Answer { model, shape } => {
            let shape = shapes::part(model, shape, &[Step::Element])?;
            Some(Receiver::Answer { model, shape })
        }
        _ => None,
    });
    elements.collect()
}
