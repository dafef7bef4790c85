//! What the `rest` protocols put outside their body: labels, query parameters, headers, status, payload.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use piton_models::{Location, ShapeKind, TimestampFormat};
use serde_json::{Map, Value};

use super::ProtocolError;
use super::at::At;
use super::json::{self, Decoder};
use super::scalar::{from_text, to_text};

/// Path and query of a request.
pub(super) fn write_uri(
    template: &str,
    at: Option<At<'_>>,
    input: &Value,
) -> Result<String, ProtocolError> {
    let (path, constants) = template.split_once('?').unwrap_or((template, ""));
    let mut uri = String::new();
    let mut rest = path;
    while let Some(start) = rest.find('{') {
        let Some(length) = rest[start..].find('}') else { break };
        uri.push_str(&rest[..start]);
        let label = &rest[start + 1..start + length];
        let (name, greedy) = label.strip_suffix('+').map_or((label, false), |name| (name, true));
        let text = at
            .and_then(|at| bound(at, Location::Uri).find(|(wire, _, _)| *wire == name))
            .and_then(|(_, member_name, member)| {
                to_text(member, input.get(member_name)?, TimestampFormat::Iso8601)
            })
            .filter(|text| !text.is_empty())
            .ok_or_else(|| ProtocolError::EmptyLabel(name.to_owned()))?;
        percent_encode(&text, if greedy { "/" } else { "" }, &mut uri);
        rest = &rest[start + length + 1..];
    }
    uri.push_str(rest);
    let mut pairs: Vec<(String, String)> = Vec::new();
    if let Some(at) = at {
        write_query(at, input, &mut pairs);
    }
    let mut query = constants.to_owned();
    for (key, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        percent_encode(&key, "", &mut query);
        query.push('=');
        percent_encode(&value, "", &mut query);
    }
    if !query.is_empty() {
        uri.push('?');
        uri.push_str(&query);
    }
    Ok(uri)
}

fn write_query(at: At<'_>, input: &Value, pairs: &mut Vec<(String, String)>) {
    let format = TimestampFormat::Iso8601;
    // A parameter of its own wins over the same key in a map.
    let named: Vec<&str> = bound(at, Location::Querystring)
        .filter(|(_, name, member)| {
            member.kind() != ShapeKind::Map && input.get(name).is_some_and(|value| !value.is_null())
        })
        .map(|(wire, _, _)| wire)
        .collect();
    let mut push = |key: &str, at: Option<At<'_>>, value: &Value| {
        if let Some(text) = at.and_then(|at| to_text(at, value, format)) {
            pairs.push((key.to_owned(), text));
        }
    };
    for (wire, name, member) in bound(at, Location::Querystring) {
        match input.get(name) {
            Some(Value::Array(list)) => {
                list.iter().for_each(|value| push(wire, member.element(), value));
            }
            Some(Value::Object(map)) => {
                for (key, value) in map.iter().filter(|(key, _)| !named.contains(&key.as_str())) {
                    match value {
                        Value::Array(list) => {
                            let element = member.value().and_then(At::element);
                            list.iter().for_each(|value| push(key, element, value));
                        }
                        value => push(key, member.value(), value),
                    }
                }
            }
            Some(value) => push(wire, Some(member), value),
            None => {}
        }
    }
}

/// Members at a place, with their name there and their own.
fn bound<'a>(at: At<'a>, location: Location) -> impl Iterator<Item = (&'a str, &'a str, At<'a>)> {
    at.members()
        .filter(move |(_, member)| member.location() == Some(location))
        .map(|(name, member)| (member.wire_name(name), name, member))
}

/// Values of labels and query parameters of a request that the template matches.
pub(super) fn read_uri(
    template: &str,
    path: &str,
    query: &str,
    at: At<'_>,
    into: &mut Map<String, Value>,
) -> Result<(), ProtocolError> {
    let template = template.split('?').next().unwrap_or(template);
    let labels = match_path(template, path).map(|matched| matched.labels).unwrap_or_default();
    let wrong = |name: &str| {
        let name = name.to_owned();
        move |expected| ProtocolError::Kind { path: name, expected }
    };
    for (wire, name, member) in bound(at, Location::Uri) {
        if let Some((_, text)) = labels.iter().find(|(label, _)| label == wire) {
            into.insert(name.to_owned(), from_text(member, text).map_err(wrong(name))?);
        }
    }
    let pairs = parse_pairs(query);
    for (wire, name, member) in bound(at, Location::Querystring) {
        let values = pairs.iter().filter(|(key, _)| key == wire).map(|(_, value)| value.as_str());
        match member.kind() {
            ShapeKind::Map => {
                let map = read_query_map(member, &pairs).map_err(wrong(name))?;
                if !map.is_empty() {
                    into.insert(name.to_owned(), Value::Object(map));
                }
            }
            ShapeKind::List => {
                let Some(element) = member.element() else { continue };
                let list: Result<Vec<Value>, _> =
                    values.map(|value| from_text(element, value)).collect();
                let list = list.map_err(wrong(name))?;
                if !list.is_empty() {
                    into.insert(name.to_owned(), Value::Array(list));
                }
            }
            _ => {
                if let Some(value) = values.into_iter().next() {
                    into.insert(name.to_owned(), from_text(member, value).map_err(wrong(name))?);
                }
            }
        }
    }
    Ok(())
}

/// Every parameter, as a map.
fn read_query_map(
    member: At<'_>,
    pairs: &[(String, String)],
) -> Result<Map<String, Value>, &'static str> {
    let mut map = Map::new();
    let Some(element) = member.value() else { return Ok(map) };
    for (key, value) in pairs {
        match element.element() {
            Some(inner) => {
                let value = from_text(inner, value)?;
                if let Value::Array(list) =
                    map.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()))
                {
                    list.push(value);
                }
            }
            None => {
                map.insert(key.clone(), from_text(element, value)?);
            }
        }
    }
    Ok(map)
}

/// Headers of a request or an answer.
pub(super) fn write_headers(
    at: At<'_>,
    value: &Value,
    headers: &mut HeaderMap,
) -> Result<(), ProtocolError> {
    for (wire, name, member) in bound(at, Location::Header) {
        let Some(value) = value.get(name).filter(|value| !value.is_null()) else { continue };
        let text = match value {
            _ if member.jsonvalue() => Some(STANDARD.encode(value.to_string())),
            Value::Array(list) => member.element().map(|element| write_list(element, list)),
            value => to_text(member, value, TimestampFormat::Rfc822),
        };
        if let Some(text) = text {
            set(headers, wire, &text)?;
        }
    }
    for (prefix, name, member) in bound(at, Location::Headers) {
        let Some(Value::Object(map)) = value.get(name) else { continue };
        for (key, value) in map {
            let text = member.value().and_then(|at| to_text(at, value, TimestampFormat::Rfc822));
            if let Some(text) = text {
                set(headers, &format!("{prefix}{key}"), &text)?;
            }
        }
    }
    Ok(())
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), ProtocolError> {
    let wrong = |error: String| ProtocolError::Http(format!("{name}: {error}"));
    let header =
        HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let value = HeaderValue::from_str(value).map_err(|error| wrong(error.to_string()))?;
    headers.insert(header, value);
    Ok(())
}

fn write_list(element: At<'_>, list: &[Value]) -> String {
    list.iter()
        .filter_map(|value| to_text(element, value, TimestampFormat::Rfc822))
        .map(|text| {
            let quoted = element.kind() == ShapeKind::String
                && (text.contains(['"', ',']) || text.trim() != text);
            if quoted {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            } else {
                text
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// Values of headers.
pub(super) fn read_headers(
    at: At<'_>,
    headers: &HeaderMap,
    into: &mut Map<String, Value>,
) -> Result<(), ProtocolError> {
    for (wire, name, member) in bound(at, Location::Header) {
        let all: Vec<&str> =
            headers.get_all(wire).iter().filter_map(|value| value.to_str().ok()).collect();
        if all.is_empty() {
            continue;
        }
        let text = all.join(",");
        let wrong = |expected| ProtocolError::Kind { path: name.to_owned(), expected };
        let value = if member.jsonvalue() {
            STANDARD
                .decode(text.as_bytes())
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .ok_or_else(|| wrong("base64 of JSON"))?
        } else if text.is_empty() && member.kind() == ShapeKind::List {
            Value::Array(Vec::new())
        } else if let Some(element) = member.element() {
            let list: Result<Vec<Value>, _> =
                split_list(element, &text).iter().map(|text| from_text(element, text)).collect();
            Value::Array(list.map_err(wrong)?)
        } else {
            from_text(member, &text).map_err(wrong)?
        };
        into.insert(name.to_owned(), value);
    }
    for (prefix, name, member) in bound(at, Location::Headers) {
        let mut map = Map::new();
        for (header, value) in headers {
            let rest = strip_prefix_ignoring_case(header.as_str(), prefix);
            if let (Some(key), Ok(text), Some(element)) = (rest, value.to_str(), member.value()) {
                let value = from_text(element, text)
                    .map_err(|expected| ProtocolError::Kind { path: name.to_owned(), expected })?;
                map.insert(key.to_owned(), value);
            }
        }
        if !map.is_empty() {
            into.insert(name.to_owned(), Value::Object(map));
        }
    }
    Ok(())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Elements of a list in a header: quotes keep commas, and an HTTP date has one of its own.
fn split_list(element: At<'_>, text: &str) -> Vec<String> {
    let dates = element.kind() == ShapeKind::Timestamp
        && element.timestamp_format(TimestampFormat::Rfc822) == TimestampFormat::Rfc822;
    let mut parts: Vec<String> = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(character) = chars.next() {
        match character {
            '\\' if quoted => current.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(std::mem::take(&mut current)),
            _ => current.push(character),
        }
    }
    parts.push(current);
    let parts = parts.into_iter().map(|part| part.trim().to_owned());
    if !dates {
        return parts.collect();
    }
    let parts: Vec<String> = parts.collect();
    parts.chunks(2).map(|pair| pair.join(", ")).collect()
}

/// The body of a request or an answer, with its content type; none when there is nothing to send.
pub(super) fn write_body(
    at: At<'_>,
    value: &Value,
) -> Result<Option<(Vec<u8>, String)>, ProtocolError> {
    let json =
        |value: &Value| Some((value.to_string().into_bytes(), "application/json".to_owned()));
    let Some(payload) = at.shape.payload.as_deref() else {
        let has_body = at.members().any(|(_, member)| member.location().is_none());
        if !has_body {
            return Ok(None);
        }
        let mut body = json::encode(at, value);
        if let Value::Object(object) = &mut body {
            for (name, member) in at.members().filter(|(_, member)| member.location().is_some()) {
                object.remove(member.wire_name(name));
            }
        }
        return Ok(json(&body));
    };
    let member = at.member_named(payload);
    let given = value.get(payload).filter(|value| !value.is_null());
    let (Some(member), Some(given)) = (member, given) else {
        let structure = member.is_some_and(|member| {
            member.kind() == ShapeKind::Structure && !member.shape.document && !member.shape.union
        });
        return Ok(if structure { json(&Value::Object(Map::new())) } else { None });
    };
    if member.shape.document {
        return Ok(json(given));
    }
    match raw_payload(member, payload, given)? {
        Some(raw) => Ok(Some(raw)),
        None => Ok(json(&json::encode(member, given))),
    }
}

/// A payload that travels as it is, bytes or text, with its content type; nothing for a structure.
pub(super) fn raw_payload(
    member: At<'_>,
    name: &str,
    given: &Value,
) -> Result<Option<(Vec<u8>, String)>, ProtocolError> {
    let raw = |bytes: Vec<u8>, content_type: &str| Some((bytes, content_type.to_owned()));
    Ok(match (member.kind(), given) {
        (ShapeKind::Blob, Value::String(text)) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| ProtocolError::Kind { path: name.to_owned(), expected: "base64" })?;
            raw(bytes, "application/octet-stream")
        }
        (ShapeKind::String, Value::String(text)) => raw(text.clone().into_bytes(), "text/plain"),
        _ => None,
    })
}

/// A payload that came as it is: bytes as base64, or text.
pub(super) fn read_raw(member: At<'_>, body: &[u8]) -> Value {
    match member.kind() {
        ShapeKind::Blob => Value::String(STANDARD.encode(body)),
        _ => Value::String(String::from_utf8_lossy(body).into_owned()),
    }
}

/// Values of the body.
pub(super) fn read_body(
    decoder: &mut Decoder,
    at: At<'_>,
    body: &[u8],
    into: &mut Map<String, Value>,
) -> Result<(), ProtocolError> {
    let Some(payload) = at.shape.payload.as_deref() else {
        let has_body = at.members().any(|(_, member)| member.location().is_none());
        if has_body && let Value::Object(object) = decoder.body(at.model, at.shape, body)? {
            into.extend(object.into_iter().filter(|(name, _)| {
                at.member_named(name).is_none_or(|member| member.location().is_none())
            }));
        }
        return Ok(());
    };
    let Some(member) = at.member_named(payload).filter(|_| !body.is_empty()) else {
        return Ok(());
    };
    let value = match member.kind() {
        ShapeKind::Blob => read_raw(member, body),
        ShapeKind::String if !member.shape.document => read_raw(member, body),
        _ if member.shape.document => {
            serde_json::from_slice(body).map_err(|error| ProtocolError::Body(error.to_string()))?
        }
        _ => decoder.body(at.model, member.shape, body)?,
    };
    into.insert(payload.to_owned(), value);
    Ok(())
}

/// Sets the content type unless a member has set it.
pub(super) fn content_type(headers: &mut HeaderMap, value: &str) -> Result<(), ProtocolError> {
    if headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    set(headers, CONTENT_TYPE.as_str(), value)
}

/// How a path matches a template.
#[derive(Debug)]
pub(super) struct PathMatch {
    /// How many segments are literally the template's: the more, the better the match.
    pub(super) literals: usize,
    /// Labels and their values, decoded.
    pub(super) labels: Vec<(String, String)>,
}

/// Matches a path (without query) with a template (without query).
pub(super) fn match_path(template: &str, path: &str) -> Option<PathMatch> {
    let split = |text: &'_ str| -> Vec<String> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        text.split('/').map(str::to_owned).collect()
    };
    let folder = path.len() > 1 && path.ends_with('/');
    let (template, path) = (split(template), split(path));
    let mut matched = PathMatch { literals: 0, labels: Vec::new() };
    let mut position = 0;
    for (index, segment) in template.iter().enumerate() {
        let Some(label) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            if path.get(position) != Some(segment) {
                return None;
            }
            matched.literals += 1;
            position += 1;
            continue;
        };
        let (name, taken) = match label.strip_suffix('+') {
            Some(name) => (name, path.len().checked_sub(position + template.len() - index - 1)?),
            None => (label, 1),
        };
        let values = path.get(position..position + taken).filter(|values| !values.is_empty())?;
        let mut value = percent_decode(&values.join("/"));
        // The slash at the end of a greedy label is part of it.
        if folder && label.ends_with('+') && position + taken == path.len() {
            value.push('/');
        }
        if value.is_empty() {
            return None;
        }
        matched.labels.push((name.to_owned(), value));
        position += taken;
    }
    (position == path.len()).then_some(matched)
}

/// Pairs of a query string or a form, decoded.
pub(super) fn parse_pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| percent_decode(&text.replace('+', " "));
            (plain(key), plain(value))
        })
        .collect()
}

/// Appends `text` with everything but unreserved characters and those of `keep` encoded.
pub(super) fn percent_encode(text: &str, keep: &str, into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || keep.as_bytes().contains(&byte);
        if plain {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Text without its percent-encoding.
pub(super) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair = text.get(index + 1..index + 3).filter(|_| bytes[index] == b'%');
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                index += 3;
            }
            None => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
