//! Values with places to fill in: how the reviewed table says what to ask AWS for.
//!
//! In a template a string `$input.a.b` is that part of a call's input, `$output.a.b` of its output,
//! `$before.a.b` of what was there before it, `$found.a.b` of a candidate that a search found, and
//! `$found` the whole of it; everything else is literal. A member whose part is absent is left out.
//!
//! An object with one member is a function of places:
//! - `{"$decoded": place}`: a text without the encoding of URLs;
//! - `{"$added": {"of": list, "to": list, "by": member}}`: what of the first list the second lacks,
//!   as the values of that member;
//! - `{"$replaced": {"of": list, "in": list, "by": member}}`: the elements of the second list that
//!   have a namesake in the first;
//! - `{"$without": {"of": list, "those": values, "by": member}}`: the elements of the list whose
//!   member has none of the values.
//!
//! A list that a function leaves empty is absent. A function of what is found later waits for it.

use serde_json::{Map, Value};

/// Names of the functions.
const FUNCTIONS: [&str; 4] = ["$decoded", "$added", "$replaced", "$without"];

/// What the places of a template stand for; null where there is no such thing.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) input: &'a Value,
    pub(super) output: &'a Value,
    pub(super) before: &'a Value,
    /// Absent where things are found later: their places stay.
    pub(super) found: Option<&'a Value>,
}

impl<'a> Scope<'a> {
    /// A call that was answered.
    pub(super) fn answered(input: &'a Value, output: &'a Value) -> Self {
        Self { input, output, before: &Value::Null, found: None }
    }

    /// A thing that was found on the way to taking a call back; the rest was filled in before.
    pub(super) fn found(found: &'a Value) -> Self {
        Self { found: Some(found), ..Self::answered(&Value::Null, &Value::Null) }
    }

    /// A call in doubt, and a candidate for what it made.
    pub(super) fn searched(input: &'a Value, found: &'a Value) -> Self {
        Self { found: Some(found), ..Self::answered(input, &Value::Null) }
    }

    /// The template with its places filled in.
    pub(super) fn fill(self, template: &Value) -> Value {
        match template {
            Value::String(text) => self.place(text).map_or_else(|| template.clone(), Value::clone),
            Value::Object(members) if function(members).is_some() => self.apply(members),
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
            "$before" => Some(part(self.before, path)),
            "$found" => self.found.map(|found| part(found, path)),
            _ => None,
        }
    }

    /// A function of places.
    fn apply(self, members: &Map<String, Value>) -> Value {
        let Some((name, argument)) = function(members) else { return Value::Null };
        let argument = self.fill(argument);
        if !places(&argument).is_empty() {
            return Value::Object(Map::from_iter([(name.to_owned(), argument)]));
        }
        if name == "$decoded" {
            return argument.as_str().map_or(Value::Null, |text| Value::String(url_decoded(text)));
        }
        let list = |name: &str| match part(&argument, name) {
            Value::Array(items) => items.clone(),
            _ => Vec::new(),
        };
        let by = part(&argument, "by").as_str().unwrap_or_default();
        let ours = list("of");
        let out: Vec<Value> = match name {
            "$added" => {
                let known = list("to");
                let is_new = |item: &&Value| known.iter().all(|it| part(it, by) != part(item, by));
                ours.iter().filter(is_new).map(|item| part(item, by).clone()).collect()
            }
            "$without" => {
                let those = list("those");
                ours.into_iter().filter(|item| !those.contains(part(item, by))).collect()
            }
            _ => {
                let is_ours = |item: &Value| ours.iter().any(|it| part(it, by) == part(item, by));
                list("in").into_iter().filter(is_ours).collect()
            }
        };
        if out.is_empty() { Value::Null } else { Value::Array(out) }
    }
}

/// The function that an object of a template is, with its argument.
pub(super) fn function(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = members.iter();
    match (all.next(), all.next()) {
        (Some((name, argument)), None) if FUNCTIONS.contains(&name.as_str()) => {
            Some((name.as_str(), argument))
        }
        _ => None,
    }
}

/// A text without the encoding of URLs.
pub(super) fn url_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
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
