//! XML: what `query` services answer, and the documents of `rest-xml` in both directions.

use piton_models::{Model, Operation, Shape, ShapeKind, TimestampFormat};
use roxmltree::Node;
use serde_json::{Map, Value};

use super::at::At;
use super::scalar::{from_text, to_text};
use super::{ProtocolError, ServiceError};

/// A success.
pub(super) fn write(
    model: &Model,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> String {
    let name = &operation.name;
    let mut xml = String::new();
    open(&mut xml, &format!("{name}Response"), model.metadata.xml_namespace.as_deref());
    if let Some(reference) = &operation.output {
        let at = At::root(model, model.shape(&reference.shape));
        match &reference.result_wrapper {
            Some(wrapper) => write_element(at, wrapper, output, &mut xml),
            None => write_members(at, output, &mut xml),
        }
    }
    xml.push_str("<ResponseMetadata>");
    text_element(&mut xml, "RequestId", request_id);
    xml.push_str("</ResponseMetadata>");
    close(&mut xml, &format!("{name}Response"));
    xml
}

/// An error.
pub(super) fn write_error(
    model: &Model,
    shape: Option<&Shape>,
    error: &ServiceError,
    wire_code: &str,
    request_id: &str,
) -> String {
    let mut xml = String::new();
    // Amazon S3 alone has nothing around the error.
    let bare = model.metadata.service_id == "S3";
    if !bare {
        open(&mut xml, "ErrorResponse", model.metadata.xml_namespace.as_deref());
    }
    xml.push_str("<Error>");
    if !bare {
        text_element(&mut xml, "Type", if error.status < 500 { "Sender" } else { "Receiver" });
    }
    text_element(&mut xml, "Code", wire_code);
    let at = shape.map(|shape| At::root(model, shape));
    let has_message = at.is_some_and(|at| {
        error.members.as_object().is_some_and(|members| {
            at.members()
                .any(|(name, _)| name.eq_ignore_ascii_case("message") && members.contains_key(name))
        })
    });
    if !has_message && !error.message.is_empty() {
        text_element(&mut xml, "Message", &error.message);
    }
    if let Some(at) = at {
        write_members(at, &error.members, &mut xml);
    }
    if bare {
        text_element(&mut xml, "RequestId", request_id);
        xml.push_str("</Error>");
        return xml;
    }
    xml.push_str("</Error>");
    text_element(&mut xml, "RequestId", request_id);
    close(&mut xml, "ErrorResponse");
    xml
}

fn open(xml: &mut String, name: &str, namespace: Option<&str>) {
    xml.push('<');
    xml.push_str(name);
    if let Some(namespace) = namespace {
        xml.push_str(" xmlns=\"");
        escape(xml, namespace);
        xml.push('"');
    }
    xml.push('>');
}

fn close(xml: &mut String, name: &str) {
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn text_element(xml: &mut String, name: &str, text: &str) {
    open(xml, name, None);
    escape(xml, text);
    close(xml, name);
}

/// Characters that XML cannot carry at all are dropped: an answer must stay readable.
fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#13;"),
            '\n' | '\t' => xml.push(character),
            control if control.is_control() => {}
            other => xml.push(other),
        }
    }
}

/// A namespace: its URI and its prefix.
pub(super) type Namespace<'a> = (&'a str, Option<&'a str>);

/// A document: its root element, in this namespace.
pub(super) fn write_root(
    at: At<'_>,
    name: &str,
    namespace: Option<Namespace<'_>>,
    value: &Value,
    xml: &mut String,
) {
    if let Value::Object(given) = value {
        return write_structure(at, name, namespace, given, xml);
    }
    begin(xml, name, namespace);
    xml.push('>');
    if let Some(text) = to_text(at, value, TimestampFormat::Iso8601) {
        escape(xml, &text);
    }
    close(xml, name);
}

/// The beginning of an element, up to its attributes.
fn begin(xml: &mut String, name: &str, namespace: Option<Namespace<'_>>) {
    xml.push('<');
    xml.push_str(name);
    if let Some((uri, prefix)) = namespace {
        let prefix = prefix.map(|prefix| format!(":{prefix}")).unwrap_or_default();
        xml.push_str(&format!(" xmlns{prefix}=\""));
        escape(xml, uri);
        xml.push('"');
    }
}

/// The namespace that a shape or the member that refers to it has.
pub(super) fn namespace_of(at: At<'_>) -> Option<Namespace<'_>> {
    at.xml_namespace().map(|namespace| (namespace.uri.as_str(), namespace.prefix.as_deref()))
}

fn write_structure(
    at: At<'_>,
    name: &str,
    namespace: Option<Namespace<'_>>,
    given: &Map<String, Value>,
    xml: &mut String,
) {
    begin(xml, name, namespace);
    for (member_name, member) in at.members().filter(|(_, member)| member.xml_attribute()) {
        let text = given
            .get(member_name)
            .and_then(|value| to_text(member, value, TimestampFormat::Iso8601));
        if let Some(text) = text {
            xml.push_str(&format!(" {}=\"", member.wire_name(member_name)));
            escape(xml, &text);
            xml.push('"');
        }
    }
    xml.push('>');
    for (name, member) in at.members().filter(|(_, member)| in_body(*member)) {
        if let Some(value) = given.get(name).filter(|value| !value.is_null()) {
            write_element(member, member.element_name(name), value, xml);
        }
    }
    close(xml, name);
}

/// Whether a member is an element of the body.
fn in_body(member: At<'_>) -> bool {
    !member.xml_attribute() && member.location().is_none()
}

/// The members of a structure without an element around them.
fn write_members(at: At<'_>, value: &Value, xml: &mut String) {
    for (name, member) in at.members().filter(|(_, member)| in_body(*member)) {
        if let Some(value) = value.get(name).filter(|value| !value.is_null()) {
            write_element(member, member.element_name(name), value, xml);
        }
    }
}

fn write_element(at: At<'_>, name: &str, value: &Value, xml: &mut String) {
    match (at.kind(), value) {
        (ShapeKind::Structure, Value::Object(given)) => {
            write_structure(at, name, namespace_of(at), given, xml);
        }
        (ShapeKind::List, Value::Array(list)) => {
            let Some(element) = at.element() else { return };
            if at.flattened() {
                list.iter().for_each(|value| write_element(element, name, value, xml));
                return;
            }
            open(xml, name, None);
            let inner = element.location_name().unwrap_or("member");
            list.iter().for_each(|value| write_element(element, inner, value, xml));
            close(xml, name);
        }
        (ShapeKind::Map, Value::Object(map)) => {
            let (Some(key_at), Some(value_at)) = (at.key(), at.value()) else { return };
            let entry = if at.flattened() { name } else { "entry" };
            if !at.flattened() {
                open(xml, name, None);
            }
            for (key, value) in map {
                open(xml, entry, None);
                text_element(xml, key_at.wire_name("key"), key);
                write_element(value_at, value_at.wire_name("value"), value, xml);
                close(xml, entry);
            }
            if !at.flattened() {
                close(xml, name);
            }
        }
        (_, value) => {
            if let Some(text) = to_text(at, value, TimestampFormat::Iso8601) {
                text_element(xml, name, &text);
            }
        }
    }
}

/// Reads a success.
pub(super) fn read(
    model: &Model,
    operation: &Operation,
    body: &str,
) -> Result<Value, ProtocolError> {
    let Some(reference) = &operation.output else { return Ok(Value::Object(Map::new())) };
    if body.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let document = parse(body)?;
    let root = document.root_element();
    let node = match &reference.result_wrapper {
        Some(wrapper) => child(root, wrapper).unwrap_or(root),
        None => child(root, &format!("{}Result", operation.name)).unwrap_or(root),
    };
    read_node(At::root(model, model.shape(&reference.shape)), node)
}

/// Reads an error: its code, its message, and its element for the members.
pub(super) fn read_error(body: &str) -> Result<(String, String, String), ProtocolError> {
    let document = parse(body)?;
    let root = document.root_element();
    let error = child(root, "Error")
        .or_else(|| child(root, "Errors").and_then(|errors| child(errors, "Error")))
        .unwrap_or(root);
    let text = |name: &str| {
        child(error, name).and_then(|node| node.text()).unwrap_or_default().trim().to_owned()
    };
    let message = match text("Message") {
        empty if empty.is_empty() => text("message"),
        message => message,
    };
    Ok((text("Code"), message, body[error.range()].to_owned()))
}

/// Members of an error's shape from its element.
pub(super) fn read_error_members(
    model: &Model,
    shape: &Shape,
    element: &str,
) -> Result<Value, ProtocolError> {
    let document = parse(element)?;
    read_node(At::root(model, shape), document.root_element())
}

/// A document's value: its root element as a value of this shape.
pub(super) fn read_document(at: At<'_>, body: &str) -> Result<Value, ProtocolError> {
    let document = parse(body)?;
    read_node(at, document.root_element())
}

fn parse(body: &str) -> Result<roxmltree::Document<'_>, ProtocolError> {
    roxmltree::Document::parse(body).map_err(|error| ProtocolError::Body(error.to_string()))
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    children(node, name).next()
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    // A model's name may carry a prefix, which the reader has resolved to a namespace.
    let name = name.rsplit(':').next().unwrap_or(name).to_owned();
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

fn read_node(at: At<'_>, node: Node<'_, '_>) -> Result<Value, ProtocolError> {
    let wrong =
        |expected| ProtocolError::Kind { path: node.tag_name().name().to_owned(), expected };
    Ok(match at.kind() {
        ShapeKind::Structure => {
            let mut object = Map::new();
            for (name, member) in at.members().filter(|(_, member)| member.location().is_none()) {
                if let Some(value) = read_member(name, member, node)? {
                    object.insert(name.to_owned(), value);
                }
            }
            Value::Object(object)
        }
        ShapeKind::List => {
            let Some(element) = at.element() else { return Ok(Value::Array(Vec::new())) };
            let name = element.location_name().unwrap_or("member");
            let list: Result<Vec<Value>, _> =
                children(node, name).map(|item| read_node(element, item)).collect();
            Value::Array(list?)
        }
        ShapeKind::Map => Value::Object(read_entries(at, children(node, "entry"))?),
        ShapeKind::String => Value::String(all_text(node)),
        _ => from_text(at, &all_text(node)).map_err(wrong)?,
    })
}

fn read_member(
    name: &str,
    member: At<'_>,
    parent: Node<'_, '_>,
) -> Result<Option<Value>, ProtocolError> {
    let wire = member.element_name(name);
    if member.xml_attribute() {
        let local = wire.rsplit(':').next().unwrap_or(wire);
        let text = parent.attributes().find(|attribute| attribute.name() == local);
        return text
            .map(|attribute| {
                from_text(member, attribute.value())
                    .map_err(|expected| ProtocolError::Kind { path: wire.to_owned(), expected })
            })
            .transpose();
    }
    if member.flattened() {
        if let Some(element) = member.element() {
            let list: Result<Vec<Value>, _> =
                children(parent, wire).map(|item| read_node(element, item)).collect();
            let list = list?;
            return Ok((!list.is_empty()).then_some(Value::Array(list)));
        }
        if member.kind() == ShapeKind::Map {
            let map = read_entries(member, children(parent, wire))?;
            return Ok((!map.is_empty()).then_some(Value::Object(map)));
        }
    }
    child(parent, wire).map(|node| read_node(member, node)).transpose()
}

fn read_entries<'a, 'input: 'a>(
    at: At<'_>,
    entries: impl Iterator<Item = Node<'a, 'input>>,
) -> Result<Map<String, Value>, ProtocolError> {
    let mut map = Map::new();
    let (Some(key_at), Some(value_at)) = (at.key(), at.value()) else { return Ok(map) };
    for entry in entries {
        let key = child(entry, key_at.wire_name("key")).map(all_text).unwrap_or_default();
        if let Some(value) = child(entry, value_at.wire_name("value")) {
            map.insert(key, read_node(value_at, value)?);
        }
    }
    Ok(map)
}

fn all_text(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|text| text.text()).collect()
}
