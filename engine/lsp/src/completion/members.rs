//! What stands after a dot, and what stands in the input of a call: clients, operations, members of
//! answers and inputs, options, the values that they take.

use std::collections::BTreeSet;

use lsp_types::CompletionItemKind;
use piton_models::{Model, ShapeKind};
use piton_script::check::Receiver;
use piton_script::explain::{self, snippet};
use piton_script::words::{self, FunctionOption};
use serde_json::json;

use super::{Offer, called};
use crate::cursor::{self, Cursor, Enclosing};
use crate::look::{Input, Look};
use crate::{hover, prelude, shapes};

/// Methods of lists, maps and texts that scripts use, with how they are called.
const LIST: [(&str, &str); 12] = [
    ("all", "all(|item| condition)"),
    ("contains", "contains(item)"),
    ("filter", "filter(|item| condition)"),
    ("find", "find(|item| condition)"),
    ("for_each", "for_each(|item| ...)"),
    ("index_of", "index_of(item)"),
    ("is_empty", "is_empty()"),
    ("len", "len()"),
    ("map", "map(|item| ...)"),
    ("push", "push(item)"),
    ("some", "some(|item| condition)"),
    ("sort", "sort(|left, right| order)"),
];
const MAP: [(&str, &str); 4] = [
    ("contains", "contains(\"member\")"),
    ("get", "get(\"path.to.member\") or get(\"path.to.member\", preset)"),
    ("keys", "keys()"),
    ("values", "values()"),
];
const TEXT: [(&str, &str); 6] = [
    ("contains", "contains(\"part\")"),
    ("ends_with", "ends_with(\"end\")"),
    ("len", "len()"),
    ("split", "split(\",\")"),
    ("starts_with", "starts_with(\"beginning\")"),
    ("to_lower", "to_lower()"),
];
const PARAMS: [(&str, &str); 3] =
    [("contains", "contains(\"name\")"), ("get", "get(\"name\", preset)"), ("keys", "keys()")];

/// What stands after a dot.
pub(super) fn after_dot(look: &Look<'_>, cursor: &Cursor<'_>) -> Vec<Offer> {
    let receivers = look.receivers(cursor);
    receivers.iter().flat_map(|receiver| of(look, receiver, cursor)).collect()
}

fn of(look: &Look<'_>, receiver: &Receiver, cursor: &Cursor<'_>) -> Vec<Offer> {
    match receiver {
        Receiver::Account => {
            let services = piton_models::services().iter().map(|service| {
                Offer::new(*service, CompletionItemKind::MODULE).detail("client").rank(1)
            });
            services.chain(methods(&prelude::ACCOUNT, cursor)).collect()
        }
        Receiver::Client(service) => {
            piton_models::service(service).map_or_else(Vec::new, |model| operations(model, cursor))
        }
        Receiver::Params => {
            let declaration = look.declaration();
            let declared = declaration.params.iter().map(|param| {
                Offer::new(&param.name, CompletionItemKind::FIELD)
                    .detail(param.kind.as_str())
                    .doc(hover::param(param))
                    .rank(1)
            });
            declared.chain(methods(&PARAMS, cursor)).collect()
        }
        Receiver::Answer { model, shape } => of_answer(model, shape, cursor),
        Receiver::Map(members) => {
            let members = members.iter().filter(|(name, _)| snippet::key(name) == *name);
            let members = members.map(|(name, what)| {
                Offer::new(name, CompletionItemKind::FIELD).detail(*what).rank(1)
            });
            members.chain(methods(&MAP, cursor)).collect()
        }
        Receiver::List => methods(&LIST, cursor).collect(),
        Receiver::Text => methods(&TEXT, cursor).collect(),
    }
}

fn methods<'m>(
    methods: &'m [(&str, &str)],
    cursor: &'m Cursor<'_>,
) -> impl Iterator<Item = Offer> + 'm {
    methods.iter().map(|(name, usage)| {
        let offer = Offer::new(*name, CompletionItemKind::METHOD).detail(*usage);
        called(offer, cursor, !usage.ends_with("()"))
    })
}

fn operations(model: &'static Model, cursor: &Cursor<'_>) -> Vec<Offer> {
    let mut offers = Vec::new();
    for name in model.script_names() {
        let Some(operation) = model.operation_by_script_name(name) else { continue };
        let class = explain::class(model, operation).as_str();
        let takes = model.input_shape(operation).is_some_and(|shape| !shape.members.0.is_empty());
        let pages = model.paginators.contains_key(&operation.name);
        let names = [Some(name.to_owned()), pages.then(|| format!("{name}_all"))];
        for name in names.into_iter().flatten() {
            let detail = if name.ends_with("_all") { "every page" } else { class };
            let offer = Offer::new(&name, CompletionItemKind::METHOD).detail(detail);
            let mut offer = called(offer, cursor, takes);
            offer.data = Some(json!({ "operation": format!("{}.{name}", model.script_name) }));
            if takes && offer.snippet.is_some() {
                offer.snippet = Some(format!("{name}(#{{ $0 }})"));
            }
            offers.push(offer);
        }
    }
    offers
}

fn of_answer(model: &'static Model, shape: &str, cursor: &Cursor<'_>) -> Vec<Offer> {
    let described = model.shape(shape);
    match described.kind {
        ShapeKind::Structure => {
            let names = described.members.0.iter().map(|(name, _)| name);
            // What the language keeps for itself is not written after a dot.
            let names = names.filter(|name| snippet::key(name) == **name);
            let members = names.filter_map(|name| {
                let view = explain::member(model, described, name)?;
                let offer = Offer::new(name, CompletionItemKind::FIELD).detail(&view.kind);
                Some(offer.doc(hover::member(&view)).rank(1))
            });
            members.chain(methods(&MAP, cursor)).collect()
        }
        ShapeKind::Map => methods(&MAP, cursor).collect(),
        ShapeKind::List => methods(&LIST, cursor).collect(),
        ShapeKind::String => methods(&TEXT, cursor).collect(),
        _ => Vec::new(),
    }
}

/// The members or options that the map at a cursor takes and does not have, required ones first.
pub(super) fn keys(look: &Look<'_>, cursor: &Cursor<'_>, call: &Enclosing) -> Vec<Offer> {
    let Some(open) = call.key_in else { return Vec::new() };
    let given: BTreeSet<String> = cursor::keys(cursor.script, open)
        .into_iter()
        .filter(|(_, index)| *index != cursor.index)
        .map(|(name, _)| name)
        .collect();
    let has_colon = cursor.script.word(cursor.index + 1) == ":";
    let offers = all_keys(look, cursor, call).into_iter();
    let offers = offers.filter(|offer| !given.contains(&offer.label)).map(|offer| {
        let key = snippet::key(&offer.label);
        match (cursor.quoted.is_some(), has_colon && !cursor.word.is_empty()) {
            // The quotes are there.
            (true, _) => offer,
            (false, true) => offer.insert(key),
            (false, false) => offer.insert(format!("{key}: ")),
        }
    });
    offers.collect()
}

fn all_keys(look: &Look<'_>, cursor: &Cursor<'_>, call: &Enclosing) -> Vec<Offer> {
    match look.input(cursor, call) {
        Some(Input::Shape { model, shape }) => {
            let Some(structure) = shapes::structure(model, shape) else { return Vec::new() };
            let members = structure.members.0.iter().filter_map(|(name, _)| {
                let view = explain::member(model, structure, name)?;
                let rank = if view.required { 0 } else { 1 };
                let detail = if view.required { ", required" } else { "" };
                let offer = Offer::new(name, CompletionItemKind::FIELD).rank(rank);
                Some(offer.detail(format!("{}{detail}", view.kind)).doc(hover::member(&view)))
            });
            members.collect()
        }
        Some(Input::Options { function, nested }) => {
            let nested: Vec<&str> = nested.iter().map(String::as_str).collect();
            let options = words::options(&function, &nested).into_iter();
            options.map(|option| of_option(&function, option)).collect()
        }
        None => Vec::new(),
    }
}

fn of_option(function: &str, option: FunctionOption) -> Offer {
    let offer = Offer::new(option.name, CompletionItemKind::PROPERTY)
        .rank(if option.required { 0 } else { 1 })
        .doc(prelude::option(function, option.name).unwrap_or_default());
    match option.required {
        true => offer.detail("required"),
        false => offer,
    }
}

/// The values that the member or option at a cursor takes, when there are only some.
pub(super) fn values(look: &Look<'_>, cursor: &Cursor<'_>, call: &Enclosing) -> Vec<Offer> {
    let value = |text: String| {
        let offer = Offer::new(text.as_str(), CompletionItemKind::ENUM_MEMBER).rank(0);
        match cursor.quoted {
            Some(_) => offer,
            None => offer.insert(format!("\"{text}\"")),
        }
    };
    match look.input(cursor, call) {
        Some(Input::Shape { model, shape }) => {
            let shape = model.shape(shape);
            let truths: &[&str] = match shape.kind {
                ShapeKind::Boolean if cursor.quoted.is_none() => &["true", "false"],
                _ => &[],
            };
            let truths =
                truths.iter().map(|word| Offer::new(*word, CompletionItemKind::KEYWORD).rank(0));
            shape.enumeration.iter().cloned().map(value).chain(truths).collect()
        }
        Some(Input::Options { function, nested }) => {
            let Some((last, outer)) = nested.split_last() else { return Vec::new() };
            let outer: Vec<&str> = outer.iter().map(String::as_str).collect();
            let options = words::options(&function, &outer);
            let option = options.into_iter().find(|option| option.name == last);
            let choices = option.map_or(&[][..], |option| option.choices);
            choices.iter().map(|choice| value((*choice).to_owned())).collect()
        }
        None => Vec::new(),
    }
}
