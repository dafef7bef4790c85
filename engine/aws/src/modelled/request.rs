//! An operation's input as an HTTP request, by the service's model.
//!
//! Four protocols: `json`, `rest-json`, `query` and `rest-xml`. The input was held against the model
//! before; what is left to refuse is what has no place on the wire. Host and signature are added by
//! others.

use aws_smithy_types::base64;
use aws_smithy_types::date_time::{DateTime, Format};
use http::Method;
use piton_models::{
    Location, Member, Model, Operation, Protocol, Shape, ShapeKind, TimestampFormat,
};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::uri::{encoded, encoded_path};
use super::xml;
use crate::bound::In as _;

/// A request without host and signature.
pub(super) struct Draft {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Draft {
    fn header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }
}

/// Writes a request. `bucket_in_host` says that the endpoint carries the bucket, so that the path must
/// not.
///
/// # Errors
/// A sentence, when a value has no place on the wire.
pub(super) fn write(
    model: &Model,
    operation: &Operation,
    input: &Value,
    bucket_in_host: bool,
) -> Result<Draft, String> {
    let method = Method::from_bytes(operation.http.method.as_bytes())
        .map_err(|error| format!("the model's method: {error}"))?;
    let mut draft = Draft { method, target: "/".to_owned(), headers: Vec::new(), body: Vec::new() };
    let shape = model.input_shape(operation);
    match model.metadata.protocol() {
        Protocol::Json => {
            let version = model.metadata.json_version.as_deref().unwrap_or("1.1");
            draft.header("content-type", format!("application/x-amz-json-{version}"));
            let prefix = model.metadata.target_prefix.as_deref().unwrap_or_default();
            draft.header("x-amz-target", format!("{prefix}.{}", operation.name));
            let body = match shape {
                Some(shape) => json(model, shape, None, input)?,
                None => Value::Object(Map::new()),
            };
            draft.body = body.to_string().into_bytes();
        }
        Protocol::Query => {
            draft.header("content-type", "application/x-www-form-urlencoded");
            let mut form = format!(
                "Action={}&Version={}",
                encoded(&operation.name),
                encoded(&model.metadata.api_version)
            );
            if let Some(shape) = shape {
                members_as_form(model, shape, input, "", &mut form)?;
            }
            draft.body = form.into_bytes();
        }
        Protocol::RestJson | Protocol::RestXml => {
            let empty = empty();
            let rest = Rest { model, operation, shape: shape.unwrap_or(&empty), input };
            draft.target = rest.target(bucket_in_host)?;
            rest.headers(&mut draft)?;
            rest.body(&mut draft)?;
            checksum(operation, &mut draft);
        }
        Protocol::Other => {
            return Err(format!(
                "the protocol {} is not spoken here",
                model.metadata.protocol_name
            ));
        }
    }
    Ok(draft)
}

/// An operation that takes nothing, as a structure.
fn empty() -> Shape {
    serde_json::from_str(r#"{"type":"structure"}"#).expect("a structure without members is a shape")
}

/// The members of a value that are there.
pub(super) fn given<'a>(
    shape: &'a Shape,
    input: &'a Value,
) -> impl Iterator<Item = (&'a str, &'a Member, &'a Value)> {
    shape.members.0.iter().filter_map(move |(name, member)| {
        let value = input.get(name).filter(|value| !value.is_null())?;
        Some((name.as_str(), member, value))
    })
}

/// One of the two protocols that spread an input over URI, headers and body.
struct Rest<'a> {
    model: &'a Model,
    operation: &'a Operation,
    shape: &'a Shape,
    input: &'a Value,
}

impl Rest<'_> {
    fn text(
        &self,
        member: &Member,
        value: &Value,
        format: TimestampFormat,
    ) -> Result<String, String> {
        text(self.model.shape(&member.shape), Some(member), value, format)
    }

    fn target(&self, bucket_in_host: bool) -> Result<String, String> {
        let (path, constants) = self
            .operation
            .http
            .request_uri
            .split_once('?')
            .unwrap_or((&self.operation.http.request_uri, ""));
        let path = match path.strip_prefix("/{Bucket}").filter(|_| bucket_in_host) {
            Some(rest) => {
                // An empty one would make another operation of it.
                self.label("Bucket")?;
                if rest.is_empty() { "/" } else { rest }
            }
            None => path,
        };
        let mut target = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            target.push_str(before);
            let (label, after) = after.split_once('}').unwrap_or((after, ""));
            let (label, greedy) = label.strip_suffix('+').map_or((label, false), |l| (l, true));
            let value = self.label(label)?;
            target.push_str(&if greedy { encoded_path(&value) } else { encoded(&value) });
            rest = after;
        }
        target.push_str(rest);
        let mut pairs: Vec<String> =
            constants.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
        for (name, member, value) in given(self.shape, self.input) {
            if member.location == Some(Location::Querystring) {
                self.query(wire_name(name, member), member, value, &mut pairs)?;
            }
        }
        if !pairs.is_empty() {
            target.push('?');
            target.push_str(&pairs.join("&"));
        }
        Ok(target)
    }

    fn label(&self, label: &str) -> Result<String, String> {
        for (name, member, value) in given(self.shape, self.input) {
            if member.location == Some(Location::Uri) && wire_name(name, member) == label {
                let text = self.text(member, value, TimestampFormat::Iso8601)?;
                if !text.is_empty() {
                    return Ok(text);
                }
            }
        }
        Err(format!("{label} is part of the URI and must not be empty"))
    }

    fn query(
        &self,
        name: &str,
        member: &Member,
        value: &Value,
        pairs: &mut Vec<String>,
    ) -> Result<(), String> {
        let shape = self.model.shape(&member.shape);
        let mut pair = |name: &str, member: &Member, value: &Value| {
            let text = self.text(member, value, TimestampFormat::Iso8601)?;
            pairs.push(format!("{}={}", encoded(name), encoded(&text)));
            Ok::<_, String>(())
        };
        match (value, &shape.member, &shape.value) {
            (Value::Array(items), Some(element), _) => {
                items.iter().try_for_each(|item| pair(name, element, item))
            }
            (Value::Object(entries), _, Some(element)) => {
                for (key, value) in entries {
                    match (value, &self.model.shape(&element.shape).member) {
                        (Value::Array(items), Some(element)) => {
                            items.iter().try_for_each(|item| pair(key, element, item))?;
                        }
                        _ => pair(key, element, value)?,
                    }
                }
                Ok(())
            }
            _ => pair(name, member, value),
        }
    }

    fn headers(&self, draft: &mut Draft) -> Result<(), String> {
        for (name, member, value) in given(self.shape, self.input) {
            let shape = self.model.shape(&member.shape);
            match (member.location, value) {
                (Some(Location::Header), Value::Array(items)) => {
                    let Some(element) = &shape.member else { continue };
                    let texts: Result<Vec<String>, String> = items
                        .iter()
                        .map(|item| self.text(element, item, TimestampFormat::Rfc822))
                        .collect();
                    draft.header(wire_name(name, member), texts?.join(","));
                }
                (Some(Location::Header), value) => {
                    let text = self.text(member, value, TimestampFormat::Rfc822)?;
                    let text = if member.jsonvalue { base64::encode(text) } else { text };
                    draft.header(wire_name(name, member), text);
                }
                (Some(Location::Headers), Value::Object(entries)) => {
                    for (key, value) in entries {
                        let text = value.as_str().unwrap_or_default();
                        draft.header(&format!("{}{key}", wire_name(name, member)), text);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn body(&self, draft: &mut Draft) -> Result<(), String> {
        if let Some(payload) = &self.shape.payload {
            let Some(member) = self.shape.member_named(payload) else { return Ok(()) };
            let value = self.input.get(payload).filter(|value| !value.is_null());
            let Some(value) = value else { return Ok(()) };
            let shape = self.model.shape(&member.shape);
            return match shape.kind {
                ShapeKind::Blob => {
                    draft.body = bytes(value)?;
                    content_type(draft, "application/octet-stream");
                    Ok(())
                }
                ShapeKind::String => {
                    draft.body = value.as_str().unwrap_or_default().as_bytes().to_vec();
                    content_type(draft, "text/plain");
                    Ok(())
                }
                _ => self.document(draft, shape, Some((payload.as_str(), member)), value),
            };
        }
        let in_body = |(_, member): &(String, Member)| member.location.is_none();
        if self.shape.members.0.iter().any(in_body) {
            self.document(draft, self.shape, None, self.input)?;
        }
        Ok(())
    }

    /// A structure as the whole body.
    fn document(
        &self,
        draft: &mut Draft,
        shape: &Shape,
        payload: Option<(&str, &Member)>,
        value: &Value,
    ) -> Result<(), String> {
        if self.model.metadata.protocol() == Protocol::RestXml {
            let reference = self.operation.input.as_ref();
            let root = match payload {
                Some((name, member)) => xml::Root {
                    name: member
                        .location_name
                        .as_deref()
                        .or(shape.location_name.as_deref())
                        .unwrap_or(name),
                    namespace: member.xml_namespace.as_deref().or(shape.xml_namespace.as_deref()),
                },
                None => xml::Root {
                    name: reference
                        .and_then(|input| input.location_name.as_deref())
                        .or_else(|| reference.map(|input| input.shape.as_str()))
                        .unwrap_or("Request"),
                    namespace: reference.and_then(|input| input.xml_namespace.as_ref()),
                },
            };
            draft.body = xml::write(self.model, shape, &root, value)?.into_bytes();
            content_type(draft, "application/xml");
        } else {
            draft.body = json(self.model, shape, None, value)?.to_string().into_bytes();
            content_type(draft, "application/json");
        }
        Ok(())
    }
}

/// The body's type, unless the caller gave one.
fn content_type(draft: &mut Draft, preset: &str) {
    if !draft.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        draft.header("content-type", preset);
    }
}

/// The checksum without which a service refuses, unless the caller gave one.
fn checksum(operation: &Operation, draft: &mut Draft) {
    let required =
        operation.http_checksum.as_ref().is_some_and(|checksum| checksum.request_checksum_required);
    let has_own = draft.headers.iter().any(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name == "content-md5"
            || (name.starts_with("x-amz-checksum-") && name != "x-amz-checksum-type")
    });
    if required && !has_own {
        draft
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("x-amz-sdk-checksum-algorithm"));
        draft.header("x-amz-sdk-checksum-algorithm", "SHA256");
        draft.header("x-amz-checksum-sha256", base64::encode(Sha256::digest(&draft.body)));
    }
}

pub(super) fn wire_name<'a>(name: &'a str, member: &'a Member) -> &'a str {
    member.location_name.as_deref().unwrap_or(name)
}

/// A value as JSON on the wire; the members that travel elsewhere stay out.
fn json(
    model: &Model,
    shape: &Shape,
    member: Option<&Member>,
    value: &Value,
) -> Result<Value, String> {
    if shape.document {
        return Ok(value.clone());
    }
    Ok(match (shape.kind, value) {
        (ShapeKind::Structure, _) => {
            let mut members = Map::new();
            for (name, member, value) in given(shape, value) {
                if member.location.is_none() {
                    let inner = json(model, model.shape(&member.shape), Some(member), value)?;
                    members.insert(wire_name(name, member).to_owned(), inner);
                }
            }
            Value::Object(members)
        }
        (ShapeKind::List, Value::Array(items)) => match &shape.member {
            Some(element) => {
                let inner = model.shape(&element.shape);
                let items = items.iter().map(|item| json(model, inner, Some(element), item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            None => value.clone(),
        },
        (ShapeKind::Map, Value::Object(entries)) => match &shape.value {
            Some(element) => {
                let inner = model.shape(&element.shape);
                let entries = entries
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), json(model, inner, Some(element), item)?)));
                Value::Object(entries.collect::<Result<Map<_, _>, String>>()?)
            }
            None => value.clone(),
        },
        (ShapeKind::Blob, _) => Value::from(base64::encode(bytes(value)?)),
        (ShapeKind::Timestamp, _) => {
            let format = timestamp_format(shape, member, TimestampFormat::UnixTimestamp);
            let text = timestamp(value, format)?;
            match format {
                TimestampFormat::UnixTimestamp => {
                    serde_json::from_str(&text).map_err(|error| error.to_string())?
                }
                _ => Value::from(text),
            }
        }
        _ => value.clone(),
    })
}

/// The members of a structure as pairs of a form, each with its separator in front.
fn members_as_form(
    model: &Model,
    shape: &Shape,
    value: &Value,
    prefix: &str,
    form: &mut String,
) -> Result<(), String> {
    for (name, member, value) in given(shape, value) {
        let name = match &model.shape(&member.shape).member {
            // A flattened list goes by the name of its elements.
            Some(element) if is_flat(model.shape(&member.shape), member) => {
                element.location_name.as_deref().unwrap_or_else(|| wire_name(name, member))
            }
            _ => wire_name(name, member),
        };
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        form_value(model, member, value, &name, form)?;
    }
    Ok(())
}

fn form_value(
    model: &Model,
    member: &Member,
    value: &Value,
    name: &str,
    form: &mut String,
) -> Result<(), String> {
    let shape = model.shape(&member.shape);
    match (shape.kind, value) {
        (ShapeKind::Structure, _) => members_as_form(model, shape, value, name, form)?,
        (ShapeKind::List, Value::Array(items)) => {
            let Some(element) = &shape.member else { return Ok(()) };
            let prefix = match is_flat(shape, member) {
                true => name.to_owned(),
                false => format!("{name}.{}", element.location_name.as_deref().unwrap_or("member")),
            };
            if items.is_empty() {
                form.push_str(&format!("&{}=", encoded(name)));
            }
            for (index, item) in items.iter().enumerate() {
                form_value(model, element, item, &format!("{prefix}.{}", index + 1), form)?;
            }
        }
        (ShapeKind::Map, Value::Object(entries)) => {
            let (Some(key), Some(element)) = (&shape.key, &shape.value) else { return Ok(()) };
            let entry = if is_flat(shape, member) { "" } else { ".entry" };
            for (index, (text, item)) in entries.iter().enumerate() {
                let prefix = format!("{name}{entry}.{}", index + 1);
                let named = wire_name("key", key);
                form.push_str(&format!(
                    "&{}={}",
                    encoded(&format!("{prefix}.{named}")),
                    encoded(text)
                ));
                let named = wire_name("value", element);
                form_value(model, element, item, &format!("{prefix}.{named}"), form)?;
            }
        }
        _ => {
            let text = text(shape, Some(member), value, TimestampFormat::Iso8601)?;
            form.push_str(&format!("&{}={}", encoded(name), encoded(&text)));
        }
    }
    Ok(())
}

pub(super) fn is_flat(shape: &Shape, member: &Member) -> bool {
    shape.flattened || member.flattened
}

/// A single value as text outside JSON.
pub(super) fn text(
    shape: &Shape,
    member: Option<&Member>,
    value: &Value,
    preset: TimestampFormat,
) -> Result<String, String> {
    Ok(match (shape.kind, value) {
        (ShapeKind::Timestamp, _) => timestamp(value, timestamp_format(shape, member, preset))?,
        (ShapeKind::Blob, _) => base64::encode(bytes(value)?),
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    })
}

pub(super) fn timestamp_format(
    shape: &Shape,
    member: Option<&Member>,
    preset: TimestampFormat,
) -> TimestampFormat {
    member.and_then(|member| member.timestamp_format).or(shape.timestamp_format).unwrap_or(preset)
}

fn timestamp(value: &Value, format: TimestampFormat) -> Result<String, String> {
    let moment = DateTime::take(value.clone()).map_err(|problems| {
        problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; ")
    })?;
    let format = match format {
        TimestampFormat::Iso8601 => Format::DateTime,
        TimestampFormat::UnixTimestamp => Format::EpochSeconds,
        TimestampFormat::Rfc822 => Format::HttpDate,
    };
    moment.fmt(format).map_err(|error| error.to_string())
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    aws_smithy_types::Blob::take(value.clone())
        .map(aws_smithy_types::Blob::into_inner)
        .map_err(|_| "expected base64 text or a list of bytes".to_owned())
}
