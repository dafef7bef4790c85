//! Whether two ends are the same, times and generated ids aside, and if not, where they differ.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// One place where two values differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Path of members and positions, `resources/111111111111/aws-global/iam/role/R/tags`.
    pub path: String,
    /// What the reference has there; null when nothing.
    pub expected: Value,
    /// What is there; null when nothing.
    pub found: Value,
}

impl std::fmt::Display for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, expected, found } = self;
        write!(formatter, "{path}: {expected} in the reference, {found} here")
    }
}

/// How far two ends have to be alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Every call came after the same one: all numbers that the sandbox gave out are the same.
    Same,
    /// Branches may have taken turns in another order: the same things under other numbers.
    Branches,
}

/// The places where two values differ, at most `limit` of them, when what is a run's own is left out:
/// moments, UUIDs, digests, and with [`Order::Branches`] the sandbox's numbers.
pub fn changes(
    what: &str,
    order: Order,
    expected: &Value,
    found: &Value,
    limit: usize,
) -> Vec<Change> {
    let (mut left, mut right) = (normal(expected), normal(found));
    if order == Order::Branches && left != right {
        (left, right) = (unnumbered(&left), unnumbered(&right));
    }
    let mut all = Vec::new();
    collect(&left, &right, what, limit, &mut all);
    all
}

/// A text without what is a run's own.
pub(super) fn lasting_text(text: &str, order: Order) -> String {
    match order {
        Order::Same => own(text),
        Order::Branches => without_number(&own(text)),
    }
}

fn collect(expected: &Value, found: &Value, path: &str, limit: usize, all: &mut Vec<Change>) {
    if all.len() >= limit || expected == found {
        return;
    }
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            let further = right.keys().filter(|key| !left.contains_key(*key));
            for key in left.keys().chain(further) {
                let (left, right) = (&expected[key], &found[key]);
                collect(left, right, &format!("{path}/{key}"), limit, all);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for index in 0..left.len().max(right.len()) {
                let (left, right) = (left.get(index), right.get(index));
                let (left, right) = (left.unwrap_or(&Value::Null), right.unwrap_or(&Value::Null));
                collect(left, right, &format!("{path}/{index}"), limit, all);
            }
        }
        _ => all.push(Change {
            path: path.to_owned(),
            expected: expected.clone(),
            found: found.clone(),
        }),
    }
}

/// A value without what is a run's own: tokens, passwords, moments, keyed digests.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let entries = members.iter().map(|(key, value)| (own(key), normal(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(normal).collect()),
        Value::String(text) => Value::String(own(text)),
        other => other.clone(),
    }
}

/// A value without the sandbox's numbers. What had its place by a number is a list by its contents
/// then.
fn unnumbered(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut kept: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for (key, value) in members {
                let mut value = value.clone();
                // What Athena says it wrote are paths with those numbers in them: another digest.
                if let Some(object) =
                    value.as_object_mut().filter(|_| key.ends_with("-manifest.csv"))
                {
                    object.remove("etag");
                }
                kept.entry(without_number(key)).or_default().push(unnumbered(&value));
            }
            let entries = kept.into_iter().map(|(key, values)| (key, in_order(values)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => in_order(items.iter().map(unnumbered).collect()),
        Value::String(text) => Value::String(without_number(text)),
        other => other.clone(),
    }
}

fn in_order(mut values: Vec<Value>) -> Value {
    values.sort_by_key(Value::to_string);
    Value::Array(values)
}

/// `env-sandbox-0003`, `gra_sandbox_0003` and `AROASANDBOX0003` without the number.
fn without_number(text: &str) -> String {
    ["-sandbox-", "_sandbox_", "SANDBOX"].iter().fold(text.to_owned(), |text, before| {
        let mut parts = text.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |known, part| {
            let rest = part.trim_start_matches(|next: char| next.is_ascii_digit());
            format!("{known}{before}{rest}")
        })
    })
}

fn own(text: &str) -> String {
    if text.starts_with("[secret ") {
        return "[secret]".to_owned();
    }
    text.split_inclusive(|next: char| !next.is_ascii_alphanumeric() && !"-:.".contains(next))
        .map(word)
        .collect()
}

/// One word: a UUID, a digest, an anchor or a moment loses its value.
fn word(word: &str) -> String {
    let end = word.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    let rest = &word[end.len()..];
    let groups: Vec<usize> = end.split('-').map(str::len).collect();
    let hexadecimal = end.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    if groups == [8, 4, 4, 4, 12] && hexadecimal {
        return format!("<uuid>{rest}");
    }
    if groups == [64] && hexadecimal {
        return format!("<digest>{rest}");
    }
    if end.starts_with("piton:") && end.rsplit(':').next().is_some_and(|last| last.len() == 64) {
        return format!("<anchor>{rest}");
    }
    let moment = end.len() >= 19
        && end.as_bytes()[10] == b'T'
        && end.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte));
    match moment {
        true => format!("<moment>{rest}"),
        false => word.to_owned(),
    }
}
