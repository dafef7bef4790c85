//! What is known of the name at a cursor, in Markdown: what `piton explain`, the reference and the
//! documentation of functions say.

use std::fmt::Write as _;

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};
use piton_models::Model;
use piton_script::check::Receiver;
use piton_script::declaration::{AccountSpec, ParamSpec};
use piton_script::explain::{self, MemberView, OperationView};
use piton_script::words;
use serde_json::Value;

use crate::cursor::{Cursor, Enclosing, Step};
use crate::look::{Input, Look};
use crate::script::{Function, Script};
use crate::{prelude, shapes};

/// How many members of an answer are listed.
const MOST_MEMBERS: usize = 24;

/// What is known at a position.
pub(crate) fn hover(look: &Look<'_>, position: Position) -> Option<Hover> {
    let at = look.lines.offset(position);
    let script = Script::new(look.lines.text());
    if script.is_comment(at) {
        return None;
    }
    let cursor = Cursor::new(&script, at);
    let (value, range) = match cursor.quoted {
        Some(index) => (of_text(look, &cursor, index)?, script.tokens[index].range.clone()),
        None if cursor.word.is_empty() => return None,
        None => (of_name(look, &cursor)?, cursor.word.clone()),
    };
    Some(Hover { contents: contents(value), range: Some(look.lines.range(range)) })
}

fn contents(value: String) -> HoverContents {
    HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value })
}

fn of_name(look: &Look<'_>, cursor: &Cursor<'_>) -> Option<String> {
    let script = cursor.script;
    let name = script.word(cursor.index);
    match cursor.before(1) {
        "." | "?." => return of_member(look, cursor, name),
        "::" => {
            let (file, text) = look.module(script, cursor.before(2))?;
            let module = Script::new(text);
            let functions = module.functions();
            let found = functions.iter().find(|function| function.name == name)?;
            return Some(of_function(found, Some(&file)));
        }
        _ => {}
    }
    if script.word(cursor.index + 1) == "::" || cursor.before(1) == "as" {
        let (file, text) = look.module(script, name)?;
        return Some(format!("**{file}**\n\n{}", Script::new(text).header()));
    }
    if let Some(call) = cursor.enclosing().filter(|call| call.key_in.is_some()) {
        return of_key(look, cursor, &call, name);
    }
    if name == "params" {
        return Some(prelude::params());
    }
    let functions = script.functions();
    if let Some(own) = functions.iter().find(|function| function.name == name) {
        return Some(of_function(own, None));
    }
    let function = prelude::function(name)?;
    Some(format!("```rhai\n{}\n```\n\n{}", function.usage, function.doc))
}

/// What stands after a dot.
fn of_member(look: &Look<'_>, cursor: &Cursor<'_>, name: &str) -> Option<String> {
    look.receivers(cursor).into_iter().find_map(|receiver| match receiver {
        Receiver::Account => match piton_models::service(name) {
            Some(model) => Some(service(model)),
            None => {
                let (_, usage) = prelude::ACCOUNT.iter().find(|(known, _)| *known == name)?;
                Some(format!("```rhai\n{usage}\n```"))
            }
        },
        Receiver::Client(service) => operation(service, name),
        Receiver::Params => look.declaration().param(name).map(param),
        Receiver::Answer { model, shape } => {
            let structure = shapes::structure(model, shape)?;
            Some(member(&explain::member(model, structure, name)?))
        }
        _ => None,
    })
}

/// The name of a member or option in the input of a call.
fn of_key(look: &Look<'_>, cursor: &Cursor<'_>, call: &Enclosing, name: &str) -> Option<String> {
    match look.input(cursor, call)? {
        Input::Shape { model, shape } => {
            let structure = shapes::structure(model, shape)?;
            Some(member(&explain::member(model, structure, name)?))
        }
        Input::Options { function, nested } => {
            let nested: Vec<&str> = nested.iter().map(String::as_str).collect();
            let options = words::options(&function, &nested);
            let option = options.into_iter().find(|option| option.name == name)?;
            let mut text = format!("**{name}**, option of `{function}`");
            if option.required {
                text.push_str(", required");
            }
            if let Some(said) = prelude::option(&function, name) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n\n{said}");
            }
            Some(text)
        }
    }
}

/// What stands in quotes: a module, an account, a service, the name of a member.
fn of_text(look: &Look<'_>, cursor: &Cursor<'_>, index: usize) -> Option<String> {
    let script = cursor.script;
    let text = script.quoted(index)?;
    if cursor.before(1) == "import" {
        let (file, text) = look.draft.module_of(&look.file, text)?;
        return Some(format!("**{file}**\n\n{}", Script::new(text).header()));
    }
    let call = cursor.enclosing()?;
    if call.key_in.is_some() {
        return of_key(look, cursor, &call, text);
    }
    match script.word(call.callee) {
        "aws" => {
            let declaration = look.declaration();
            declaration.accounts.iter().find(|account| account.alias == text).map(account)
        }
        "service" => piton_models::service(text).map(service),
        "get" | "contains" if script.word_before(call.callee, 2) == "params" => {
            look.declaration().param(text).map(param)
        }
        // The value of a member is explained by the member.
        _ => {
            let Some((Step::Member(name), outer)) = call.path.split_last() else { return None };
            let outer = Enclosing { path: outer.to_vec(), ..call };
            of_key(look, cursor, &outer, name)
        }
    }
}

/// A service in a few lines.
fn service(model: &Model) -> String {
    let name = &model.script_name;
    let count = model.operations.len();
    let id = &model.metadata.service_id;
    let version = &model.metadata.api_version;
    format!(
        "**{name}**: {id}, API of {version}\n\n{count} operations; `piton explain {name}` lists them."
    )
}

/// An operation as `piton explain` has it, shortened: what must be given, and what is answered.
pub(crate) fn operation(service: &str, name: &str) -> Option<String> {
    let model = piton_models::service(service)?;
    let view = explain::operation(model, shapes::operation(model, name)?);
    let mut text = format!("**{service}.{}** ({})\n", view.operation, view.aws_name);
    if view.deprecated {
        text.push_str("\nAWS advises against new uses.\n");
    }
    text.push('\n');
    for fact in explain::facts(&view) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- {}: {}", fact.what, plain(&fact.said));
    }
    push_input(&mut text, &view);
    push_members(&mut text, "Answers", &view.output);
    let _ = write!(text, "\n`piton explain {service}.{}` has everything.", view.operation);
    Some(text)
}

fn push_input(text: &mut String, view: &OperationView) {
    let (required, optional): (Vec<_>, Vec<_>) =
        view.input.iter().partition(|member| member.required);
    if !required.is_empty() {
        text.push_str("\n**Required**\n\n");
    }
    for member in required {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- {}", line(member));
    }
    let names: Vec<String> = optional.iter().map(|member| format!("`{}`", member.name)).collect();
    if !names.is_empty() {
        let _ = writeln!(text, "\n**Optional** {}", names.join(", "));
    }
}

fn push_members(text: &mut String, title: &str, members: &[MemberView]) {
    if members.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "\n**{title}**\n\n");
    for member in members.iter().take(MOST_MEMBERS) {
        let _ = writeln!(text, "- {}", line(member));
    }
    if let Some(more @ 1..) = members.len().checked_sub(MOST_MEMBERS) {
        let _ = writeln!(text, "- and {more} more");
    }
}

fn line(member: &MemberView) -> String {
    format!("`{}`: {}", member.name, plain(&explain::described(member)))
}

/// A member of an input or of an answer.
pub(crate) fn member(view: &MemberView) -> String {
    format!("**{}**: {}", view.name, plain(&explain::described(view)))
}

/// A text that Markdown leaves as it is.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '*' | '_' | '`' | '<' | '[' | ']' | '#' | '|') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A parameter as it is declared.
pub(crate) fn param(param: &ParamSpec) -> String {
    let mut text = format!("**{}**: {}", param.name, param.kind.as_str());
    let mut note = |what: &str, value: &Value| {
        // Writing to a String cannot fail.
        let _ = write!(text, ", {what} `{value}`");
    };
    if let Some(preset) = &param.preset {
        note("preset", preset);
    }
    if let Some(preset) = &param.sandbox_preset {
        note("in the sandbox", preset);
    }
    if param.optional {
        text.push_str(", optional");
    }
    if let Some(pattern) = &param.pattern {
        let _ = write!(text, ", pattern `{pattern}`");
    }
    if !param.choices.is_empty() {
        let choices: Vec<String> = param.choices.iter().map(|it| format!("`{it}`")).collect();
        let _ = write!(text, ", one of {}", choices.join(", "));
    }
    if !param.doc.is_empty() {
        let _ = write!(text, "\n\n{}", param.doc.trim());
    }
    text
}

fn account(account: &AccountSpec) -> String {
    let many = if account.many { ", several accounts" } else { "" };
    let later = if account.created_here { ", made by the run" } else { "" };
    format!("**{}**, account{many}{later}\n\n{}", account.alias, account.doc)
}

fn of_function(function: &Function<'_>, module: Option<&str>) -> String {
    let from = module.map(|file| format!("*{file}*\n\n")).unwrap_or_default();
    format!("```rhai\n{}\n```\n\n{from}{}", function.signature, function.doc)
}
