//! XML bodies: what `rest-xml` sends, and what `rest-xml` and `query` answer.

use piton_models::{Member, Model, Shape, ShapeKind, TimestampFormat, XmlNamespace};
use roxmltree::Node;
use serde_json::{Map, Value};

use super::request::{given, is_flat, text, wire_name};
use super::response::scalar;

/// The outermost element.
pub(super) struct Root<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a XmlNamespace>,
}

/// A structure as a document.
pub(super) fn write(
    model: &Model,
    shape: &Shape,
    root: &Root<'_>,
    value: &Value,
) -> Result<String, String> {
    let mut out = String::new();
    element(model, shape, None, (root.name, root.namespace), value, &mut out)?;
    Ok(out)
}

fn element(
    model: &Model,
    shape: &Shape,
    member: Option<&Member>,
    (name, namespace): (&str, Option<&XmlNamespace>),
    value: &Value,
    out: &mut String,
) -> Result<(), String> {
    out.push('<');
    out.push_str(name);
    if let Some(XmlNamespace { uri, prefix }) = namespace {
        let prefix = prefix.as_ref().map(|prefix| format!(":{prefix}")).unwrap_or_default();
        attribute(&format!("xmlns{prefix}"), uri, out);
    }
    if shape.kind == ShapeKind::Structure {
        for (name, member, value) in
            given(shape, value).filter(|(_, member, _)| member.xml_attribute)
        {
            attribute(wire_name(name, member), value.as_str().unwrap_or_default(), out);
        }
    }
    out.push('>');
    content(model, shape, member, value, out)?;
    out.push_str(&format!("</{name}>"));
    Ok(())
}

fn content(
    model: &Model,
    shape: &Shape,
    member: Option<&Member>,
    value: &Value,
    out: &mut String,
) -> Result<(), String> {
    match (shape.kind, value) {
        (ShapeKind::Structure, _) => {
            for (name, member, value) in given(shape, value) {
                if !member.xml_attribute && member.location.is_none() {
                    child(model, name, member, value, out)?;
                }
            }
        }
        (ShapeKind::List, Value::Array(items)) => {
            let Some(inner) = &shape.member else { return Ok(()) };
            let name = wire_name("member", inner);
            for item in items {
                single(model, name, inner, item, out)?;
            }
        }
        (ShapeKind::Map, Value::Object(entries)) => {
            for (key, item) in entries {
                entry(model, shape, "entry", (key, item), out)?;
            }
        }
        _ => escape(&text(shape, member, value, TimestampFormat::Iso8601)?, out),
    }
    Ok(())
}

/// A member of a structure: one element, or several where a list or map is flattened.
fn child(
    model: &Model,
    name: &str,
    member: &Member,
    value: &Value,
    out: &mut String,
) -> Result<(), String> {
    let shape = model.shape(&member.shape);
    let name = member_tag(model, name, member);
    match value {
        Value::Array(items) if is_flat(shape, member) => {
            let Some(inner) = &shape.member else { return Ok(()) };
            items.iter().try_for_each(|item| single(model, name, inner, item, out))
        }
        Value::Object(entries) if shape.kind == ShapeKind::Map && is_flat(shape, member) => {
            entries.iter().try_for_each(|pair| entry(model, shape, name, pair, out))
        }
        _ => single(model, name, member, value, out),
    }
}

fn single(
    model: &Model,
    name: &str,
    member: &Member,
    value: &Value,
    out: &mut String,
) -> Result<(), String> {
    let shape = model.shape(&member.shape);
    let namespace = member.xml_namespace.as_deref().or(shape.xml_namespace.as_deref());
    element(model, shape, Some(member), (name, namespace), value, out)
}

fn entry(
    model: &Model,
    shape: &Shape,
    name: &str,
    (key, item): (&String, &Value),
    out: &mut String,
) -> Result<(), String> {
    let (Some(keys), Some(values)) = (&shape.key, &shape.value) else { return Ok(()) };
    out.push_str(&format!("<{name}>"));
    single(model, wire_name("key", keys), keys, &Value::from(key.as_str()), out)?;
    single(model, wire_name("value", values), values, item, out)?;
    out.push_str(&format!("</{name}>"));
    Ok(())
}

fn attribute(name: &str, value: &str, out: &mut String) {
    out.push_str(&format!(" {name}=\""));
    escape(value, out);
    out.push('"');
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\n' => out.push_str("&#xA;"),
            other => out.push(other),
        }
    }
}

/// The tag of a structure's member; a flattened list goes by the name of its elements.
fn member_tag<'a>(model: &'a Model, name: &'a str, member: &'a Member) -> &'a str {
    let shape = model.shape(&member.shape);
    let elements = shape.member.as_ref().filter(|_| is_flat(shape, member));
    elements
        .and_then(|elements| elements.location_name.as_deref())
        .unwrap_or_else(|| wire_name(name, member))
}

/// The value of an element.
pub(super) fn read(model: &Model, member: &Member, node: Node<'_, '_>) -> Result<Value, String> {
    let shape = model.shape(&member.shape);
    match shape.kind {
        ShapeKind::Structure => read_members(model, shape, node).map(Value::Object),
        ShapeKind::List => {
            let Some(inner) = &shape.member else { return Ok(Value::Null) };
            let items = node.children().filter(Node::is_element);
            Ok(Value::Array(items.map(|item| read(model, inner, item)).collect::<Result<_, _>>()?))
        }
        ShapeKind::Map => read_entries(model, shape, node.children().filter(Node::is_element)),
        _ => scalar(shape, Some(member), &text_of(node), TimestampFormat::Iso8601),
    }
}

/// The members of a structure that are in the body.
pub(super) fn read_members(
    model: &Model,
    shape: &Shape,
    node: Node<'_, '_>,
) -> Result<Map<String, Value>, String> {
    let mut members = Map::new();
    for (name, member) in shape.members.0.iter().filter(|(_, member)| member.location.is_none()) {
        let tag = member_tag(model, name, member);
        let inner = model.shape(&member.shape);
        if member.xml_attribute {
            let local = tag.rsplit(':').next().unwrap_or(tag);
            let found = node.attributes().find(|attribute| attribute.name() == local);
            if let Some(found) = found {
                members.insert(name.clone(), Value::from(found.value()));
            }
            continue;
        }
        let mut nodes = node.children().filter(|child| child.tag_name().name() == tag).peekable();
        if nodes.peek().is_none() {
            continue;
        }
        let value = match (&inner.member, inner.kind) {
            (Some(element), ShapeKind::List) if is_flat(inner, member) => Value::Array(
                nodes.map(|node| read(model, element, node)).collect::<Result<_, _>>()?,
            ),
            (_, ShapeKind::Map) if is_flat(inner, member) => read_entries(model, inner, nodes)?,
            _ => match nodes.next() {
                Some(node) => read(model, member, node)?,
                None => continue,
            },
        };
        members.insert(name.clone(), value);
    }
    Ok(members)
}

fn read_entries<'a, 'input: 'a>(
    model: &Model,
    shape: &Shape,
    nodes: impl Iterator<Item = Node<'a, 'input>>,
) -> Result<Value, String> {
    let (Some(key), Some(element)) = (&shape.key, &shape.value) else { return Ok(Value::Null) };
    let mut entries = Map::new();
    for node in nodes {
        let named = |name: &str| node.children().find(|child| child.tag_name().name() == name);
        let (key, value) = (named(wire_name("key", key)), named(wire_name("value", element)));
        if let (Some(key), Some(value)) = (key, value) {
            entries.insert(text_of(key), read(model, element, value)?);
        }
    }
    Ok(Value::Object(entries))
}

/// All text of an element.
pub(super) fn text_of(node: Node<'_, '_>) -> String {
    node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect()
}
