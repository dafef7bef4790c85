//! A JSON value against a shape: what AWS would refuse, said before anything is sent.
//!
//! Values are as scripts write them: members by wire name, timestamps as RFC 3339 text or epoch
//! seconds, blobs as base64 text or a list of bytes, unions as a map with one key, null for absent.
//! All problems of a value are found in one pass. Where in a script a problem sits, and how it is shown,
//! is left to the callers.

use std::sync::OnceLock;

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::{Model, Shape, ShapeKind, suggest};

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: member names, list positions and map keys joined by `/`, such as `Tags/0/Key`; empty for
    /// the value itself. A missing or unknown member is part of the path.
    pub path: String,
    /// What rule is broken.
    pub kind: ProblemKind,
    /// The problem in a sentence fragment, without the path.
    pub message: String,
    /// A likely remedy, such as "did you mean `name`?".
    pub hint: Option<String>,
}

/// The rule that a [`Problem`] breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The structure has no such member.
    UnknownMember,
    /// A required member is absent.
    MissingMember,
    /// A value of another type than the model's.
    WrongType,
    /// A text outside the enumeration.
    NotInEnum,
    /// A text, list, map or blob that is too short or too long.
    Length,
    /// A number outside its bounds.
    Range,
    /// A text that does not match the pattern.
    Pattern,
    /// A union with no member or more than one.
    Union,
}

/// Checks a value against a shape. `opaque` says which values are secret handles: they stand for a
/// text that cannot be seen and pass for any text or blob.
///
/// A required member that carries an idempotency token may be absent: the engine fills it.
///
/// # Panics
/// When `shape` is not a shape of this model.
pub fn validate(
    model: &Model,
    shape: &str,
    value: &Value,
    opaque: &dyn Fn(&Value) -> bool,
) -> Vec<Problem> {
    let mut check = Check { model, opaque, path: Vec::new(), problems: Vec::new() };
    check.value(shape, value);
    check.problems
}

struct Check<'a> {
    model: &'a Model,
    opaque: &'a dyn Fn(&Value) -> bool,
    path: Vec<String>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn report(&mut self, kind: ProblemKind, message: String, hint: Option<String>) {
        self.problems.push(Problem { path: self.path.join("/"), kind, message, hint });
    }

    fn wrong_type(&mut self, expected: &str, value: &Value) {
        let found = if (self.opaque)(value) { "a secret" } else { describe(value) };
        let hint = match value {
            Value::String(text) if text == "true" || text == "false" => {
                (expected == "a boolean").then(|| format!("write {text} without quotes"))
            }
            Value::String(text) if text.parse::<f64>().is_ok() && expected.contains("number") => {
                Some(format!("write {text} without quotes"))
            }
            Value::Number(number) if expected == "a string" => Some(format!("write \"{number}\"")),
            _ => None,
        };
        self.report(ProblemKind::WrongType, format!("expected {expected}, found {found}"), hint);
    }

    fn at(&mut self, segment: impl Into<String>, check: impl FnOnce(&mut Self)) {
        self.path.push(segment.into());
        check(self);
        self.path.pop();
    }

    fn value(&mut self, name: &str, value: &Value) {
        let model = self.model;
        let shape = model.shape(name);
        let textual =
            matches!(shape.kind, ShapeKind::String | ShapeKind::Character | ShapeKind::Blob);
        if shape.document || (textual && (self.opaque)(value)) {
            return;
        }
        match shape.kind {
            ShapeKind::Structure => match value {
                Value::Object(map) if !(self.opaque)(value) => self.structure(name, shape, map),
                _ => self.wrong_type("a map", value),
            },
            ShapeKind::List => match value {
                Value::Array(items) => {
                    self.length(shape, items.len(), "elements");
                    for (index, item) in items.iter().enumerate() {
                        let Some(member) = &shape.member else { continue };
                        self.at(index.to_string(), |check| check.value(&member.shape, item));
                    }
                }
                _ => self.wrong_type("a list", value),
            },
            ShapeKind::Map => match value {
                Value::Object(map) if !(self.opaque)(value) => self.map(shape, map),
                _ => self.wrong_type("a map", value),
            },
            ShapeKind::String | ShapeKind::Character => match value {
                Value::String(text) => self.text(shape, text),
                _ => self.wrong_type("a string", value),
            },
            ShapeKind::Boolean => {
                if !value.is_boolean() {
                    self.wrong_type("a boolean", value);
                }
            }
            ShapeKind::Integer | ShapeKind::Long | ShapeKind::BigInteger => {
                self.integer(shape, value);
            }
            ShapeKind::Float | ShapeKind::Double | ShapeKind::BigDecimal => match value.as_f64() {
                Some(number) => self.range(shape, number),
                None => self.wrong_type("a number", value),
            },
            ShapeKind::Blob => self.blob(shape, value),
            ShapeKind::Timestamp => self.timestamp(value),
        }
    }

    fn structure(&mut self, name: &str, shape: &Shape, map: &Map<String, Value>) {
        for (key, value) in map {
            match shape.member_named(key) {
                Some(_) if value.is_null() => {}
                Some(member) => self.at(key, |check| check.value(&member.shape, value)),
                None => {
                    let known = shape.members.0.iter().map(|(member, _)| member.as_str());
                    let hint = suggest::nearest(key, known)
                        .map(|near| format!("did you mean `{near}`?"))
                        .or_else(|| known_members(shape));
                    self.at(key, |check| {
                        let message = format!("`{key}` is not a member of {name}");
                        check.report(ProblemKind::UnknownMember, message, hint);
                    });
                }
            }
        }
        let given = |member: &str| map.get(member).is_some_and(|value| !value.is_null());
        if shape.union {
            let set = shape.members.0.iter().filter(|(member, _)| given(member)).count();
            // An unknown key was reported above; to ask for a member on top of it would be noise.
            let unknown = map.keys().any(|key| shape.member_named(key).is_none());
            if set > 1 || (set == 0 && !unknown) {
                let message = format!("{name} takes exactly one member, {set} are given");
                self.report(ProblemKind::Union, message, known_members(shape));
            }
        }
        for required in &shape.required {
            let filled_in =
                shape.member_named(required).is_some_and(|member| member.idempotency_token);
            // Whoever is told what a member is called needs not be told that it is missing.
            let misspelt = map.keys().any(|key| shape.misspells(key, required));
            if !given(required) && !filled_in && !misspelt {
                self.at(required, |check| {
                    let message = format!("`{required}` is required");
                    check.report(ProblemKind::MissingMember, message, None);
                });
            }
        }
    }

    fn map(&mut self, shape: &Shape, map: &Map<String, Value>) {
        self.length(shape, map.len(), "entries");
        for (key, item) in map {
            self.at(key, |check| {
                if let Some(key_member) = &shape.key {
                    let key_shape = check.model.shape(&key_member.shape);
                    check.text(key_shape, key);
                }
                if let Some(member) = &shape.value {
                    check.value(&member.shape, item);
                }
            });
        }
    }

    fn text(&mut self, shape: &Shape, text: &str) {
        if !shape.enumeration.is_empty() {
            let allowed = || shape.enumeration.iter().map(String::as_str);
            if !allowed().any(|value| value == text) {
                let hint = suggest::nearest(text, allowed())
                    .map(|near| format!("did you mean `{near}`?"))
                    .or_else(|| Some(format!("one of {}", shortened(allowed()))));
                let message = format!("`{text}` is not one of the allowed values");
                self.report(ProblemKind::NotInEnum, message, hint);
            }
            return;
        }
        self.length(shape, text.chars().count(), "characters");
        if let (Some(regex), Some(pattern)) = (shape.pattern_regex(), &shape.pattern)
            && !regex.is_match(text)
        {
            let message = format!("`{text}` does not match the pattern {pattern}");
            self.report(ProblemKind::Pattern, message, None);
        }
    }

    fn integer(&mut self, shape: &Shape, value: &Value) {
        let Some(number) = value.as_i64() else {
            self.wrong_type("a whole number", value);
            return;
        };
        if shape.kind == ShapeKind::Integer && i32::try_from(number).is_err() {
            let message = format!("{number} does not fit a 32-bit integer");
            self.report(ProblemKind::Range, message, None);
            return;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "the models' bounds are far below 2^53, where a double is exact"
        )]
        self.range(shape, number as f64);
    }

    fn range(&mut self, shape: &Shape, number: f64) {
        let low = shape.min.is_some_and(|min| number < min);
        let high = shape.max.is_some_and(|max| number > max);
        if low || high {
            let message = format!("{number} is out of range: {}", bounds(shape));
            self.report(ProblemKind::Range, message, None);
        }
    }

    fn length(&mut self, shape: &Shape, length: usize, unit: &str) {
        #[expect(clippy::cast_precision_loss, reason = "no value in memory is 2^53 long")]
        let count = length as f64;
        if shape.min.is_some_and(|min| count < min) || shape.max.is_some_and(|max| count > max) {
            let message = format!("{length} {unit}: {} allowed", bounds(shape));
            self.report(ProblemKind::Length, message, None);
        }
    }

    fn blob(&mut self, shape: &Shape, value: &Value) {
        let length = match value {
            Value::String(text) => base64_length(text),
            Value::Array(bytes) => bytes
                .iter()
                .all(|byte| byte.as_u64().is_some_and(|byte| byte <= 255))
                .then_some(bytes.len()),
            _ => None,
        };
        match length {
            Some(length) => self.length(shape, length, "bytes"),
            None => self.wrong_type("base64 text or a list of bytes", value),
        }
    }

    fn timestamp(&mut self, value: &Value) {
        static RFC3339: OnceLock<Option<Regex>> = OnceLock::new();
        let pattern = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:\
                       ([0-5][0-9]|60)([.][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";
        let valid = match value {
            Value::Number(_) => true,
            Value::String(text) => RFC3339
                .get_or_init(|| Regex::new(pattern).ok())
                .as_ref()
                .is_none_or(|regex| regex.is_match(text)),
            _ => false,
        };
        if !valid {
            self.wrong_type("a time (`2026-01-02T03:04:05Z` or epoch seconds)", value);
        }
    }
}

/// Decoded length of standard base64 with padding, or nothing when the text is not that.
fn base64_length(text: &str) -> Option<usize> {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let valid = text.len().is_multiple_of(4) && padding <= 2 && body.bytes().all(alphabet);
    valid.then(|| text.len() / 4 * 3 - padding)
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn bounds(shape: &Shape) -> String {
    match (shape.min, shape.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any".to_owned(),
    }
}

fn known_members(shape: &Shape) -> Option<String> {
    let names = || shape.members.0.iter().map(|(member, _)| member.as_str());
    (!shape.members.0.is_empty()).then(|| format!("members: {}", shortened(names())))
}

fn shortened<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<_> = names.collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let list = names.join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

/// Fills the absent members of structures with null, at every depth, so that a script that reads an
/// optional member of an answer finds `()`. Unions stay maps with one key; documents and values of
/// other types than the model's stay as they are.
///
/// # Panics
/// When `shape` is not a shape of this model.
pub fn fill_absent(model: &Model, shape: &str, value: &mut Value) {
    let shape = model.shape(shape);
    if shape.document {
        return;
    }
    match value {
        Value::Object(map) if shape.kind == ShapeKind::Structure => {
            for (name, member) in &shape.members.0 {
                match map.get_mut(name) {
                    Some(value) => fill_absent(model, &member.shape, value),
                    None if shape.union => {}
                    None => {
                        map.insert(name.clone(), Value::Null);
                    }
                }
            }
        }
        Value::Object(map) => {
            if let Some(member) = &shape.value {
                for value in map.values_mut() {
                    fill_absent(model, &member.shape, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(member) = &shape.member {
                for item in items {
                    fill_absent(model, &member.shape, item);
                }
            }
        }
        _ => {}
    }
}
