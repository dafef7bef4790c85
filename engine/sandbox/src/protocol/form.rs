//! The form that `query` services are sent.

use std::collections::BTreeMap;

use piton_models::{Model, Operation, ShapeKind, TimestampFormat};
use serde_json::{Map, Value};

use super::ProtocolError;
use super::at::At;
use super::rest::{parse_pairs, percent_encode};
use super::scalar::{from_text, to_text};

/// The whole form of a request.
pub(super) fn write(model: &Model, operation: &Operation, input: &Value) -> String {
    let mut pairs = vec![
        ("Action".to_owned(), operation.name.clone()),
        ("Version".to_owned(), model.metadata.api_version.clone()),
    ];
    if let Some(shape) = model.input_shape(operation) {
        write_value(At::root(model, shape), "", input, &mut pairs);
    }
    let mut form = String::new();
    for (key, value) in pairs {
        if !form.is_empty() {
            form.push('&');
        }
        percent_encode(&key, "", &mut form);
        form.push('=');
        percent_encode(&value, "", &mut form);
    }
    form
}

fn write_value(at: At<'_>, prefix: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let join = |name: &str| match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}.{name}"),
    };
    match (at.kind(), value) {
        (_, Value::Null) => {}
        (ShapeKind::Structure, Value::Object(given)) => {
            for (name, member) in at.members() {
                if let Some(value) = given.get(name) {
                    write_value(member, &join(member.wire_name(name)), value, pairs);
                }
            }
        }
        (ShapeKind::List, Value::Array(list)) => {
            if list.is_empty() {
                pairs.push((prefix.to_owned(), String::new()));
            }
            let Some(element) = at.element() else { return };
            let base = list_prefix(at, prefix);
            for (index, value) in list.iter().enumerate() {
                write_value(element, &format!("{base}.{}", index + 1), value, pairs);
            }
        }
        (ShapeKind::Map, Value::Object(map)) => {
            let (Some(key_at), Some(value_at)) = (at.key(), at.value()) else { return };
            let base = if at.flattened() { prefix.to_owned() } else { format!("{prefix}.entry") };
            let (key_name, value_name) = (key_at.wire_name("key"), value_at.wire_name("value"));
            for (index, (key, value)) in map.iter().enumerate() {
                pairs.push((format!("{base}.{}.{key_name}", index + 1), key.clone()));
                write_value(value_at, &format!("{base}.{}.{value_name}", index + 1), value, pairs);
            }
        }
        _ => {
            if let Some(text) = to_text(at, value, TimestampFormat::Iso8601) {
                pairs.push((prefix.to_owned(), text));
            }
        }
    }
}

/// Where the elements of a list are.
fn list_prefix(at: At<'_>, prefix: &str) -> String {
    if at.flattened() {
        return prefix.to_owned();
    }
    format!("{prefix}.{}", at.element().and_then(At::location_name).unwrap_or("member"))
}

/// A form as a tree: `Tags.member.1.Key=a` is the text `a` four levels down.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Self>,
}

impl Node {
    fn child(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, segment| node.children.get(segment))
    }

    /// Numbered children in the order of their numbers.
    fn numbered(&self) -> Vec<&Self> {
        let mut numbered: Vec<(u64, &Self)> = self
            .children
            .iter()
            .filter_map(|(key, node)| key.parse().ok().map(|number| (number, node)))
            .collect();
        numbered.sort_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, node)| node).collect()
    }
}

/// What a form says, and the names in it that the model does not have.
pub(super) fn read(at: At<'_>, form: &str) -> Result<(Value, Vec<String>), ProtocolError> {
    let mut root = Node::default();
    for (key, value) in parse_pairs(form) {
        let node = key
            .split('.')
            .fold(&mut root, |node, segment| node.children.entry(segment.to_owned()).or_default());
        node.text = Some(value);
    }
    let mut unknown: Vec<String> = root
        .children
        .keys()
        .filter(|name| !is_protocols_own(name) && !knows(at, name))
        .cloned()
        .collect();
    unknown.sort();
    let value = read_value(at, &root, "")?;
    Ok((value.unwrap_or_else(|| Value::Object(Map::new())), unknown))
}

/// Parameters of the protocol and of a signature in the query.
fn is_protocols_own(name: &str) -> bool {
    matches!(name, "Action" | "Version") || name.starts_with("X-Amz-")
}

fn knows(at: At<'_>, wire: &str) -> bool {
    at.members().any(|(name, member)| member.wire_name(name) == wire)
}

fn read_value(at: At<'_>, node: &Node, path: &str) -> Result<Option<Value>, ProtocolError> {
    let wrong = |expected| ProtocolError::Kind { path: path.to_owned(), expected };
    Ok(match at.kind() {
        ShapeKind::Structure => {
            let mut object = Map::new();
            for (name, member) in at.members() {
                let wire = member.wire_name(name);
                let below = format!("{path}/{name}");
                let value = match member.kind() {
                    ShapeKind::List => read_list(member, node, wire, &below)?,
                    _ => match node.child(wire) {
                        Some(child) => read_value(member, child, &below)?,
                        None => None,
                    },
                };
                if let Some(value) = value {
                    object.insert(name.to_owned(), value);
                }
            }
            Some(Value::Object(object))
        }
        ShapeKind::List => read_list(at, node, "", path)?,
        ShapeKind::Map => {
            let (Some(key_at), Some(value_at)) = (at.key(), at.value()) else { return Ok(None) };
            let entries = if at.flattened() { Some(node) } else { node.child("entry") };
            let mut map = Map::new();
            for entry in entries.map(Node::numbered).unwrap_or_default() {
                let key = entry.child(key_at.wire_name("key")).and_then(|key| key.text.clone());
                let value = match entry.child(value_at.wire_name("value")) {
                    Some(value) => read_value(value_at, value, path)?,
                    None => None,
                };
                map.insert(key.unwrap_or_default(), value.unwrap_or(Value::Null));
            }
            Some(Value::Object(map))
        }
        _ => match &node.text {
            Some(text) => Some(from_text(at, text).map_err(wrong)?),
            None => None,
        },
    })
}

fn read_list(
    at: At<'_>,
    parent: &Node,
    wire: &str,
    path: &str,
) -> Result<Option<Value>, ProtocolError> {
    let Some(element) = at.element() else { return Ok(None) };
    let prefix = list_prefix(at, wire);
    let base = parent.child(prefix.trim_start_matches('.'));
    let items = base.map(Node::numbered).unwrap_or_default();
    if items.is_empty() {
        let own = if wire.is_empty() { Some(parent) } else { parent.child(wire) };
        let given_empty = own.is_some_and(|own| own.text.as_deref() == Some(""));
        return Ok(given_empty.then(|| Value::Array(Vec::new())));
    }
    let mut list = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        list.push(read_value(element, item, &format!("{path}/{index}"))?.unwrap_or(Value::Null));
    }
    Ok(Some(Value::Array(list)))
}
