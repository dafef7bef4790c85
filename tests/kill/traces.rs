//! What a run leaves behind, and what two runs of the same runbook must have in common.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What is left when a run has ended.
pub(super) struct Traces {
    /// `piton show`.
    pub(super) shown: Value,
    /// `piton sandbox dump`.
    pub(super) dump: Value,
    /// `piton sandbox log`.
    pub(super) log: Value,
}

/// How far two runs of one runbook are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Every call came after the same one: all numbers that the sandbox gave out are the same.
    Same,
    /// Branches took turns in another order: the same things are there, under other numbers.
    Branches,
}

impl Traces {
    /// No change was made twice: each mutating operation took effect at most once with one input,
    /// idempotency tokens aside.
    pub(super) fn assert_nothing_twice(&self) {
        assert_nothing_twice(&self.log);
    }

    /// Both ended in the same world, with the same outputs by the same steps.
    pub(super) fn assert_same_end(&self, other: &Self, order: Order) {
        for part in ["status", "outputs"] {
            same(part, order, &self.shown[part], &other.shown[part]);
        }
        let steps = |shown: &Value| -> Vec<Value> {
            let steps = shown["steps"].as_array().expect("a list");
            steps.iter().map(|step| json!([step["path"], step["status"]])).collect()
        };
        same("steps", order, &json!(steps(&self.shown)), &json!(steps(&other.shown)));
        same("resources", order, &self.dump["resources"], &other.dump["resources"]);
        same("history", order, &self.dump["history"], &other.dump["history"]);
    }
}

/// See [`Traces::assert_nothing_twice`], of a call log.
pub(super) fn assert_nothing_twice(log: &Value) {
    let mut seen: BTreeMap<String, &Value> = BTreeMap::new();
    for call in log.as_array().expect("a list") {
        if call["mutating"] != json!(true) || call["effect"] != json!(true) {
            continue;
        }
        let mut call_of = call["input"].clone();
        if let Some(members) = call_of.as_object_mut() {
            members.retain(|name, _| {
                !matches!(name.as_str(), "clientToken" | "ClientToken" | "ClientRequestToken")
            });
        }
        let key = format!("{} {} {call_of}", call["account"], call["operation"]);
        if let Some(first) = seen.insert(key, call) {
            panic!("made twice:\n{first}\n{call}");
        }
    }
    assert!(!seen.is_empty(), "nothing was changed at all");
}

fn same(what: &str, order: Order, expected: &Value, actual: &Value) {
    let (mut expected, mut actual) = (normal(expected), normal(actual));
    if order == Order::Branches {
        (expected, actual) = (unnumbered(&expected), unnumbered(&actual));
    }
    if let Some(place) = difference(&expected, &actual, what) {
        panic!("the killed run ended elsewhere: {place}");
    }
}

/// The first place where two values differ.
fn difference(expected: &Value, actual: &Value, place: &str) -> Option<String> {
    match (expected, actual) {
        (Value::Object(left), Value::Object(right)) => {
            left.keys().chain(right.keys()).find_map(|key| match (left.get(key), right.get(key)) {
                (Some(left), Some(right)) => difference(left, right, &format!("{place}/{key}")),
                (left, right) => Some(format!("{place}/{key}: {left:?} and {right:?}")),
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            left.iter().zip(right).enumerate().find_map(|(index, (left, right))| {
                difference(left, right, &format!("{place}/{index}"))
            })
        }
        _ if expected == actual => None,
        _ => Some(format!("{place}: {expected} and {actual}")),
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

/// A value without the sandbox's numbers. What had its place by a number is a
/// list by its contents then.
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

/// `env-sandbox-0003` and `AROASANDBOX0003` without the number.
fn without_number(text: &str) -> String {
    ["-sandbox-", "SANDBOX"].iter().fold(text.to_owned(), |text, before| {
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

/// One word: a UUID, a digest or a moment loses its value.
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
    let moment = end.len() >= 19
        && end.as_bytes()[10] == b'T'
        && end.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte));
    match moment {
        true => format!("<moment>{rest}"),
        false => word.to_owned(),
    }
}
