//! Operations by words: which of them have to do with `subscription grant`.

use piton_models::{Model, Operation, Shape};

use super::names;

/// An operation that was found.
pub(crate) struct Hit {
    pub(super) model: &'static Model,
    pub(super) operation: &'static Operation,
    score: u32,
}

/// What a word in the name of an operation is worth, down to one in the name of a member.
const WHOLE_WORD: u32 = 12;
const BEGINNING: u32 = 8;
const INSIDE: u32 = 4;
const SERVICE: u32 = 6;
const MEMBER: u32 = 2;
/// Words that follow each other in the name as they do in the search.
const IN_ORDER: u32 = 10;

/// The operations that have to do with every one of the words, best first.
pub(super) fn operations(words: &str) -> Vec<Hit> {
    let words = words_of(words);
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<Hit> = names::services()
        .filter_map(piton_models::service)
        .flat_map(|model| model.operations.values().map(move |operation| (model, operation)))
        .filter_map(|(model, operation)| {
            score(model, operation, &words).map(|score| Hit { model, operation, score })
        })
        .collect();
    // Among equals the shorter name is nearer to the words; the order of services does the rest.
    found.sort_by_key(|hit| (std::cmp::Reverse(hit.score), hit.operation.name.len()));
    found
}

fn words_of(text: &str) -> Vec<String> {
    let spread = |c: char| !c.is_alphanumeric();
    text.to_lowercase().split(spread).filter(|word| !word.is_empty()).map(singular).collect()
}

/// Grants are searched for as a grant is.
fn singular(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with(['s', 'u']) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

/// What an operation is worth; nothing when one of the words is nowhere in it.
fn score(model: &Model, operation: &Operation, words: &[String]) -> Option<u32> {
    let name = words_of(&operation.script_name());
    let service = words_of(&model.script_name);
    let mut members: Option<Vec<String>> = None;
    let mut total = 0;
    for word in words {
        let in_name = name.iter().map(|part| likeness(part, word)).max().unwrap_or(0);
        let in_service = if service.contains(word) { SERVICE } else { 0 };
        let best = in_name.max(in_service);
        total += match best {
            0 => {
                let members = members.get_or_insert_with(|| member_names(model, operation));
                let is_there = members.iter().any(|member| member.contains(word.as_str()));
                is_there.then_some(MEMBER)?
            }
            best => best,
        };
    }
    let in_order = words.len() > 1 && name.windows(words.len()).any(|window| window == words);
    Some(total + if in_order { IN_ORDER } else { 0 })
}

fn likeness(part: &str, word: &str) -> u32 {
    if part == word {
        WHOLE_WORD
    } else if part.starts_with(word) {
        BEGINNING
    } else if word.len() > 2 && part.contains(word) {
        INSIDE
    } else {
        0
    }
}

fn member_names(model: &Model, operation: &Operation) -> Vec<String> {
    let shapes = [model.input_shape(operation), model.output_shape(operation)];
    let names = |shape: &Shape| -> Vec<String> {
        shape.members.0.iter().map(|(name, _)| name.to_lowercase()).collect()
    };
    shapes.into_iter().flatten().flat_map(names).collect()
}
