//! What stands in quotes: account aliases, paths of modules and files, services, values of members,
//! names of parameters.

use lsp_types::CompletionItemKind;
use piton_models::Model;
use piton_script::check::Receiver;
use piton_script::program;

use super::{Offer, members};
use crate::cursor::{self, Cursor, Enclosing, Step};
use crate::known;
use crate::look::Look;
use crate::script::Script;
use crate::shapes;

/// Offers for the text in quotes at a cursor.
pub(super) fn offers(look: &Look<'_>, cursor: &Cursor<'_>, index: usize) -> Vec<Offer> {
    let script = cursor.script;
    match cursor.before(1) {
        "import" => return modules(look),
        "==" | "!=" => return compared(look, script, index),
        _ => {}
    }
    let Some(call) = cursor.enclosing() else { return Vec::new() };
    if call.key_in.is_some() {
        return members::keys(look, cursor, &call);
    }
    let name = script.word(call.callee);
    let owner = script.word_before(call.callee, 2);
    match (script.word_before(call.callee, 1), name) {
        ("." | "?.", "service") => shapes::services()
            .map(|service| Offer::new(service, CompletionItemKind::MODULE))
            .collect(),
        ("." | "?.", "get" | "contains") if owner == "params" => {
            let declaration = look.declaration();
            let params = declaration.params.iter();
            params
                .map(|param| {
                    Offer::new(&param.name, CompletionItemKind::FIELD).detail(param.kind.as_str())
                })
                .collect()
        }
        ("." | "?." | "::", _) => members::values(look, cursor, &call),
        (_, "aws") if call.argument == 0 => aliases(look),
        (_, "asset" | "render") if call.argument == 0 && call.path.is_empty() => files(look),
        (_, "wait_until") => states(look, cursor, &call),
        _ => members::values(look, cursor, &call),
    }
}

fn aliases(look: &Look<'_>) -> Vec<Offer> {
    let declaration = look.declaration();
    let accounts = declaration.accounts.iter();
    accounts
        .map(|account| Offer::new(&account.alias, CompletionItemKind::CONSTANT).doc(&account.doc))
        .collect()
}

/// Standard modules, and scripts beside the runbook.
fn modules(look: &Look<'_>) -> Vec<Offer> {
    let standard = program::standard_modules().into_iter().map(|name| {
        let text = program::standard_module(name).unwrap_or_default();
        Offer::new(name, CompletionItemKind::MODULE).doc(Script::new(text).header())
    });
    let own = look.draft.beside().filter(|path| **path != *look.file);
    let own = own.filter_map(|path| Some(format!("./{}", path.strip_suffix(".rhai")?)));
    // Paths are written from the file's own folder; those of other folders take some counting.
    let is_at_top = !look.file.contains('/');
    let own = own.filter(|_| is_at_top);
    standard.chain(own.map(|path| Offer::new(path, CompletionItemKind::FILE).rank(4))).collect()
}

/// Files of the runbook's folder that are no scripts.
fn files(look: &Look<'_>) -> Vec<Offer> {
    let files = look.draft.beside().filter(|path| !path.ends_with(".rhai"));
    files.map(|path| Offer::new(path, CompletionItemKind::FILE)).collect()
}

/// What a part of an answer can be that is compared with the text.
fn compared(look: &Look<'_>, script: &Script<'_>, index: usize) -> Vec<Offer> {
    let Some(part) = index.checked_sub(2).filter(|part| script.is_name(*part)) else {
        return Vec::new();
    };
    let at = Cursor::new(script, script.tokens[part].range.end);
    let of = known::members(look.receivers(&at), script.word(part));
    let offers = of.into_iter().flat_map(|of| match of {
        Receiver::Answer { model, shape } => choices(model, shape),
        _ => Vec::new(),
    });
    offers.collect()
}

fn choices(model: &Model, shape: &str) -> Vec<Offer> {
    let values = model.shape(shape).enumeration.iter();
    values.map(|value| Offer::new(value, CompletionItemKind::ENUM_MEMBER)).collect()
}

/// The states that a wait can see: those of the part of the answer that its `path` names.
fn states(look: &Look<'_>, cursor: &Cursor<'_>, call: &Enclosing) -> Vec<Offer> {
    let is_state = matches!(
        call.path.as_slice(),
        [Step::Member(option)] | [Step::Member(option), Step::Element]
            if option == "ok" || option == "fail"
    );
    let script = cursor.script;
    let close = script.closing(call.callee + 1);
    let of_wait = || call.callee..close;
    let path =
        of_wait().find(|index| script.word(*index) == "path" && script.word(index + 1) == ":");
    let path = path.and_then(|index| script.quoted(index + 2)).unwrap_or_default();
    // The call that is repeated stands before the options: the first method that makes no account.
    let options = of_wait().rfind(|index| {
        script.word(*index) == "#{"
            && cursor::keys(script, *index).iter().any(|(key, _)| key == "path")
    });
    let end = options.unwrap_or(close);
    let method = (call.callee..end).find(|index| {
        script.is_name(*index)
            && script.word(index + 1) == "("
            && matches!(script.word_before(*index, 1), "." | "?.")
            && !matches!(script.word(*index), "service" | "region" | "assume" | "environment")
    });
    let Some(method) = method.filter(|_| is_state) else {
        return members::values(look, cursor, call);
    };
    let at = Cursor::new(script, script.tokens[method].range.end);
    let steps: Vec<Step> = path
        .split('.')
        .filter(|part| !part.is_empty())
        .map(|part| match part.parse::<usize>() {
            Ok(_) => Step::Element,
            Err(_) => Step::Member(part.to_owned()),
        })
        .collect();
    let offers = look.receivers(&at).into_iter().filter_map(|of| {
        let Receiver::Client(service) = of else { return None };
        let model = piton_models::service(service)?;
        let answer = shapes::operation(model, script.word(method))?.output.as_ref()?;
        Some(choices(model, shapes::part(model, &answer.shape, &steps)?))
    });
    offers.flatten().collect()
}
