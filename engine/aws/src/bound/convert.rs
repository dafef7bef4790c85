//! Plain data to and from the SDK's types: what the generated rows share.
//!
//! Into the SDK: members by wire name, times as RFC 3339 text or epoch seconds, bytes as base64 text or
//! a list of numbers, enums as text, unions as a map with one key. Out of it: the same, times as text
//! in UTC and bytes as base64. All problems of an input are found in one pass.

use std::collections::HashMap;

use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::operation::BuildError;
use aws_smithy_types::{Blob, DateTime, Document, Number, base64};
use piton_models::suggest;
use piton_models::validate::{Problem, ProblemKind};
use serde_json::{Map, Value};

pub(crate) type Problems = Vec<Problem>;

/// A type of the SDK that is made from plain data.
pub(crate) trait In: Sized {
    fn take(value: Value) -> Result<Self, Problems>;
}

/// A type of the SDK that becomes plain data.
pub(crate) trait Out {
    fn give(self) -> Value;
}

/// Text and the SDK's string enums: they may be keys of maps.
pub(crate) trait Text {
    fn from_text(text: String) -> Self;
    fn as_text(&self) -> &str;
}

fn problem(kind: ProblemKind, message: String) -> Problems {
    vec![Problem { path: String::new(), kind, message, hint: None }]
}

fn wrong_type(expected: &str, found: &Value) -> Problems {
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    };
    problem(ProblemKind::WrongType, format!("expected {expected}, found {found}"))
}

/// Puts a segment in front of the paths of problems.
pub(crate) fn at<T>(segment: &str, result: Result<T, Problems>) -> Result<T, Problems> {
    result.map_err(|mut problems| {
        for problem in &mut problems {
            problem.path = match problem.path.as_str() {
                "" => segment.to_owned(),
                path => format!("{segment}/{path}"),
            };
        }
        problems
    })
}

pub(crate) fn unknown_member(member: &str, known: &[&str]) -> Problems {
    let hint = match suggest::nearest(member, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("members: {}", known.join(", ")),
    };
    vec![Problem {
        path: member.to_owned(),
        kind: ProblemKind::UnknownMember,
        message: format!("`{member}` is not a member here"),
        hint: Some(hint),
    }]
}

/// The members of a map while a structure is made of them; problems are kept until the end, so that
/// all of them are told.
pub(crate) struct Fields {
    rest: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Problems,
}

impl Fields {
    pub(crate) fn open(value: Value) -> Result<Self, Problems> {
        match value {
            Value::Object(rest) => Ok(Self { rest, known: Vec::new(), problems: Vec::new() }),
            // An operation without input may be called without one.
            Value::Null => Ok(Self { rest: Map::new(), known: Vec::new(), problems: Vec::new() }),
            other => Err(wrong_type("a map", &other)),
        }
    }

    /// The member's value; null is absent.
    pub(crate) fn get<T: In>(&mut self, member: &'static str) -> Option<T> {
        self.known.push(member);
        let value = self.rest.remove(member)?;
        if value.is_null() {
            return None;
        }
        match at(member, T::take(value)) {
            Ok(value) => Some(value),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// Ends with what was built, unless something was wrong or is left.
    pub(crate) fn close<T>(mut self, built: T) -> Result<T, Problems> {
        self.refuse_rest();
        if self.problems.is_empty() { Ok(built) } else { Err(self.problems) }
    }

    /// Like [`Fields::close`] for a builder that may refuse. Its refusal is told only when nothing
    /// else was wrong: a member that could not be read is missing for the builder.
    pub(crate) fn close_checked<T>(mut self, built: Result<T, BuildError>) -> Result<T, Problems> {
        self.refuse_rest();
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        built.map_err(|error| problem(ProblemKind::MissingMember, error.to_string()))
    }

    fn refuse_rest(&mut self) {
        for member in self.rest.keys() {
            self.problems.extend(unknown_member(member, &self.known));
        }
    }
}

/// The one member of a union that is set.
pub(crate) fn only_member(value: Value, known: &[&str]) -> Result<(String, Value), Problems> {
    let Value::Object(map) = value else { return Err(wrong_type("a map with one key", &value)) };
    let mut set = map.into_iter().filter(|(_, value)| !value.is_null());
    match (set.next(), set.next()) {
        (Some(member), None) => Ok(member),
        _ => Err(problem(
            ProblemKind::Union,
            format!("exactly one member has to be set: {}", known.join(", ")),
        )),
    }
}

/// The members of a structure that is answered.
#[derive(Default)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    pub(crate) fn put<T: Out>(mut self, member: &str, value: T) -> Self {
        let value = value.give();
        if !value.is_null() {
            self.0.insert(member.to_owned(), value);
        }
        self
    }

    pub(crate) fn close(self) -> Value {
        Value::Object(self.0)
    }
}

pub(crate) fn one_key<T: Out>(member: &str, value: T) -> Value {
    Value::Object(Map::from_iter([(member.to_owned(), value.give())]))
}

/// `In` and `Out` for something that is text.
macro_rules! text {
    ($type:path) => {
        impl $crate::bound::convert::In for $type {
            fn take(value: serde_json::Value) -> Result<Self, $crate::bound::convert::Problems> {
                $crate::bound::convert::take_text(value)
                    .map(<Self as $crate::bound::convert::Text>::from_text)
            }
        }
        impl $crate::bound::convert::Out for $type {
            fn give(self) -> serde_json::Value {
                serde_json::Value::from($crate::bound::convert::Text::as_text(&self))
            }
        }
    };
}
pub(crate) use text;

pub(crate) fn take_text(value: Value) -> Result<String, Problems> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_type("a string", &other)),
    }
}

impl Text for String {
    fn from_text(text: String) -> Self {
        text
    }
    fn as_text(&self) -> &str {
        self
    }
}

text!(String);

impl In for bool {
    fn take(value: Value) -> Result<Self, Problems> {
        value.as_bool().ok_or_else(|| wrong_type("a boolean", &value))
    }
}

impl Out for bool {
    fn give(self) -> Value {
        Value::Bool(self)
    }
}

impl In for i64 {
    fn take(value: Value) -> Result<Self, Problems> {
        value.as_i64().ok_or_else(|| wrong_type("a whole number", &value))
    }
}

impl Out for i64 {
    fn give(self) -> Value {
        Value::from(self)
    }
}

impl In for i32 {
    fn take(value: Value) -> Result<Self, Problems> {
        let number = i64::take(value)?;
        Self::try_from(number).map_err(|_| {
            problem(ProblemKind::Range, format!("{number} does not fit a 32-bit integer"))
        })
    }
}

impl Out for i32 {
    fn give(self) -> Value {
        Value::from(self)
    }
}

impl In for f64 {
    fn take(value: Value) -> Result<Self, Problems> {
        value.as_f64().ok_or_else(|| wrong_type("a number", &value))
    }
}

impl Out for f64 {
    fn give(self) -> Value {
        // JSON has no other way to say what is not finite; the services write the same words.
        match self {
            number if number.is_finite() => Value::from(number),
            number if number.is_nan() => Value::from("NaN"),
            number if number > 0.0 => Value::from("Infinity"),
            _ => Value::from("-Infinity"),
        }
    }
}

impl In for f32 {
    fn take(value: Value) -> Result<Self, Problems> {
        #[expect(clippy::cast_possible_truncation, reason = "the service itself holds 32 bits")]
        f64::take(value).map(|number| number as Self)
    }
}

impl Out for f32 {
    fn give(self) -> Value {
        // By way of its text: 0.1 as 32 bits is 0.10000000149 as 64.
        self.to_string().parse::<f64>().unwrap_or(f64::NAN).give()
    }
}

impl In for DateTime {
    fn take(value: Value) -> Result<Self, Problems> {
        match &value {
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(seconds), _) => Ok(Self::from_secs(seconds)),
                (None, Some(seconds)) => Ok(Self::from_secs_f64(seconds)),
                (None, None) => Err(wrong_type("a time", &value)),
            },
            Value::String(text) => Self::from_str(text, Format::DateTimeWithOffset).map_err(|_| {
                let message = format!("`{text}` is not a time such as `2026-01-02T03:04:05Z`");
                problem(ProblemKind::WrongType, message)
            }),
            _ => Err(wrong_type("a time", &value)),
        }
    }
}

impl Out for DateTime {
    fn give(self) -> Value {
        // A time that came as a number was read as a double, whose last digits are off; no service
        // is finer than a microsecond.
        let micros = (self.as_nanos() + 500).div_euclid(1000);
        let rounded = Self::from_nanos(micros * 1000).unwrap_or(self);
        // Years beyond 9999 have no RFC 3339 text; epoch seconds are what an input takes as well.
        rounded.fmt(Format::DateTime).map_or_else(|_| Value::from(self.secs()), Value::from)
    }
}

impl In for Blob {
    fn take(value: Value) -> Result<Self, Problems> {
        let bytes = match &value {
            Value::String(text) => base64::decode(text).ok(),
            Value::Array(bytes) => bytes
                .iter()
                .map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()))
                .collect(),
            _ => None,
        };
        bytes.map(Self::new).ok_or_else(|| wrong_type("base64 text or a list of bytes", &value))
    }
}

impl Out for Blob {
    fn give(self) -> Value {
        Value::from(base64::encode(self))
    }
}

impl In for Document {
    fn take(value: Value) -> Result<Self, Problems> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => Self::Number(match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Number::PosInt(number),
                (None, Some(number)) => Number::NegInt(number),
                (None, None) => Number::Float(number.as_f64().unwrap_or(f64::NAN)),
            }),
            Value::String(text) => Self::String(text),
            Value::Array(items) => {
                Self::Array(items.into_iter().map(Self::take).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members.into_iter();
                let taken = members.map(|(name, value)| Ok((name, Self::take(value)?)));
                Self::Object(taken.collect::<Result<_, Problems>>()?)
            }
        })
    }
}

impl Out for Document {
    fn give(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(truth),
            Self::Number(Number::PosInt(number)) => Value::from(number),
            Self::Number(Number::NegInt(number)) => Value::from(number),
            Self::Number(Number::Float(number)) => number.give(),
            Self::String(text) => Value::from(text),
            Self::Array(items) => items.give(),
            Self::Object(members) => members.give(),
        }
    }
}

impl<T: In> In for Box<T> {
    fn take(value: Value) -> Result<Self, Problems> {
        T::take(value).map(Self::new)
    }
}

impl<T: Out> Out for Box<T> {
    fn give(self) -> Value {
        (*self).give()
    }
}

impl<T: In> In for Vec<T> {
    fn take(value: Value) -> Result<Self, Problems> {
        let Value::Array(items) = value else { return Err(wrong_type("a list", &value)) };
        let mut taken = Self::with_capacity(items.len());
        let mut problems = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            match at(&index.to_string(), T::take(item)) {
                Ok(item) => taken.push(item),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(taken) } else { Err(problems) }
    }
}

impl<T: Out> Out for Vec<T> {
    fn give(self) -> Value {
        Value::Array(self.into_iter().map(Out::give).collect())
    }
}

impl<K: Text + std::hash::Hash + Eq, T: In> In for HashMap<K, T> {
    fn take(value: Value) -> Result<Self, Problems> {
        let Value::Object(map) = value else { return Err(wrong_type("a map", &value)) };
        let mut taken = Self::with_capacity(map.len());
        let mut problems = Vec::new();
        for (key, item) in map {
            match at(&key, T::take(item)) {
                Ok(item) => {
                    taken.insert(K::from_text(key), item);
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(taken) } else { Err(problems) }
    }
}

impl<K: Text, T: Out> Out for HashMap<K, T> {
    fn give(self) -> Value {
        let mut entries: Vec<_> =
            self.into_iter().map(|(key, item)| (key.as_text().to_owned(), item.give())).collect();
        // The order of a hash map differs from run to run, and an answer is recorded.
        entries.sort_by(|left, right| left.0.cmp(&right.0));
        Value::Object(entries.into_iter().collect())
    }
}

impl<T: Out> Out for Option<T> {
    fn give(self) -> Value {
        self.map_or(Value::Null, Out::give)
    }
}
