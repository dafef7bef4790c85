//! Values with places to fill in: how the reviewed table says what to ask AWS for.
//!
//! In a template a string `$input.a.b` is that part of a call's input, `$output.a.b` of its output,
//! `$found.a.b` of a candidate that a search found, and `$found` the whole of it; everything else is
//! literal. A member whose part is absent is left out.

use serde_json::Value;

/// What the places of a template stand for; null where there is no such thing.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) input: &'a Value,
    pub(super) output: &'a Value,
    pub(super) found: &'a Value,
}

impl<'a> Scope<'a> {
    /// A call that was answered.
    pub(super) fn answered(input: &'a Value, output: &'a Value) -> Self {
        Self { input, output, found: &Value::Null }
    }

    /// A call in doubt, and a candidate for what it made.
    pub(super) fn searched(input: &'a Value, found: &'a Value) -> Self {
        Self { input, output: &Value::Null, found }
    }

    /// The template with its places filled in.
    pub(super) fn fill(self, template: &Value) -> Value {
        match template {
            Value::String(text) => self.place(text).map_or_else(|| template.clone(), Value::clone),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, member)| (name.clone(), self.fill(member)))
                    .filter(|(_, member)| !member.is_null())
                    .collect(),
            ),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            other => other.clone(),
        }
    }

    /// What a text stands for, when it is a place.
    pub(super) fn place(self, text: &str) -> Option<&'a Value> {
        let (root, path) = text.split_once('.').unwrap_or((text, ""));
        match root {
            "$input" => Some(part(self.input, path)),
            "$output" => Some(part(self.output, path)),
            "$found" => Some(part(self.found, path)),
            _ => None,
        }
    }
}

/// A part of a value by dotted path; `null` when it is not there. An empty path is the whole.
pub fn part<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').filter(|name| !name.is_empty()).fold(value, |value, name| match value {
        Value::Array(items) => {
            name.parse::<usize>().ok().and_then(|index| items.get(index)).unwrap_or(&Value::Null)
        }
        other => other.get(name).unwrap_or(&Value::Null),
    })
}

/// The places of a template, `$input.name`, in order of appearance.
pub fn places(template: &Value) -> Vec<&str> {
    match template {
        Value::String(text) if text.starts_with('$') => vec![text],
        Value::Object(members) => members.values().flat_map(places).collect(),
        Value::Array(items) => items.iter().flat_map(places).collect(),
        _ => Vec::new(),
    }
}
