//! An HTTP answer as an operation's output, or as AWS's error, by the service's model.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::base64;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::error::metadata::ErrorMetadata;
use http::StatusCode;
use piton_models::{
    Location, Member, Model, Operation, Protocol, Shape, ShapeKind, TimestampFormat,
};
use roxmltree::{Document, Node};
use serde_json::{Map, Value};

use super::request::{timestamp_format, wire_name};
use super::xml;
use crate::bound::Out as _;

/// What an answer is.
pub(super) enum Read {
    /// The operation's output, without the members that are absent.
    Output(Value),
    /// The service refused.
    Error(ErrorMetadata),
}

/// Reads an answer.
///
/// # Errors
/// A sentence, when the body is not of the protocol's form.
pub(super) fn read(
    model: &Model,
    operation: &Operation,
    response: &HttpResponse,
) -> Result<Read, String> {
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        return error(model, response, body).map(Read::Error);
    }
    let Some(shape) = model.output_shape(operation) else {
        return Ok(Read::Output(Value::Object(Map::new())));
    };
    let output = match model.metadata.protocol() {
        Protocol::Json => json(model, shape, None, &parse_json(body)?)?,
        Protocol::Query => {
            let text = utf8(body)?;
            let document = parse_xml(text)?;
            let root = document.root_element();
            let wrapper =
                operation.output.as_ref().and_then(|output| output.result_wrapper.as_ref());
            let result = match wrapper {
                Some(wrapper) => child(root, wrapper).unwrap_or(root),
                None => root,
            };
            Value::Object(xml::read_members(model, shape, result)?)
        }
        Protocol::RestJson | Protocol::RestXml => {
            // Amazon S3 may find out that it failed after it began to answer.
            if model.metadata.protocol() == Protocol::RestXml
                && let Some(error) = late_error(shape, body)
            {
                return Ok(Read::Error(error));
            }
            let mut members = rest_body(model, shape, body)?;
            rest_headers(model, shape, response, &mut members)?;
            Value::Object(members)
        }
        Protocol::Other => {
            return Err(format!(
                "the protocol {} is not spoken here",
                model.metadata.protocol_name
            ));
        }
    };
    Ok(Read::Output(output))
}

fn utf8(body: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(body).map_err(|error| error.to_string())
}

fn parse_json(body: &[u8]) -> Result<Value, String> {
    match body {
        [] => Ok(Value::Object(Map::new())),
        body => serde_json::from_slice(body).map_err(|error| error.to_string()),
    }
}

fn parse_xml(text: &str) -> Result<Document<'_>, String> {
    Document::parse(text).map_err(|error| error.to_string())
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.tag_name().name() == name)
}

/// The members of the body.
fn rest_body(model: &Model, shape: &Shape, body: &[u8]) -> Result<Map<String, Value>, String> {
    let is_xml = model.metadata.protocol() == Protocol::RestXml;
    let payload = shape.payload.as_ref().and_then(|name| Some((name, shape.member_named(name)?)));
    if let Some((name, member)) = payload {
        let inner = model.shape(&member.shape);
        let value = match inner.kind {
            ShapeKind::Blob => Value::from(base64::encode(body)),
            ShapeKind::String => Value::from(utf8(body)?),
            _ if body.is_empty() => return Ok(Map::new()),
            _ if is_xml => {
                let document = parse_xml(utf8(body)?)?;
                xml::read(model, member, document.root_element())?
            }
            _ => json(model, inner, Some(member), &parse_json(body)?)?,
        };
        return Ok(Map::from_iter([(name.clone(), value)]));
    }
    let mut in_body = shape.members.0.iter().filter(|(_, member)| member.location.is_none());
    let (Some((name, member)), more) = (in_body.next(), in_body.next()) else {
        return Ok(Map::new());
    };
    if body.is_empty() {
        return Ok(Map::new());
    }
    if !is_xml {
        return match json(model, shape, None, &parse_json(body)?)? {
            Value::Object(members) => Ok(members),
            _ => Ok(Map::new()),
        };
    }
    let document = parse_xml(utf8(body)?)?;
    let root = document.root_element();
    // Amazon S3 answers GetBucketLocation with the member itself as the root.
    if more.is_none()
        && root.tag_name().name() == wire_name(name, member)
        && child(root, wire_name(name, member)).is_none()
        && !matches!(model.shape(&member.shape).kind, ShapeKind::List | ShapeKind::Structure)
    {
        let value = xml::text_of(root);
        let value = if value.is_empty() { Value::Null } else { Value::from(value) };
        return Ok(Map::from_iter([(name.clone(), value)]));
    }
    xml::read_members(model, shape, root)
}

/// The members that are in headers or the status.
fn rest_headers(
    model: &Model,
    shape: &Shape,
    response: &HttpResponse,
    members: &mut Map<String, Value>,
) -> Result<(), String> {
    for (name, member) in &shape.members.0 {
        let inner = model.shape(&member.shape);
        let wire = wire_name(name, member);
        let value = match member.location {
            Some(Location::StatusCode) => Value::from(response.status().as_u16()),
            Some(Location::Header) => match response.headers().get(wire) {
                Some(text) => header(model, inner, member, text)?,
                None => continue,
            },
            Some(Location::Headers) => {
                let prefix = wire.to_ascii_lowercase();
                let headers = response.headers().iter();
                let found = headers.filter_map(|(name, value)| {
                    let key = name.to_ascii_lowercase().strip_prefix(&prefix)?.to_owned();
                    Some((key, Value::from(value)))
                });
                Value::Object(found.collect())
            }
            Some(Location::Uri | Location::Querystring) | None => continue,
        };
        members.insert(name.clone(), value);
    }
    Ok(())
}

fn header(model: &Model, shape: &Shape, member: &Member, text: &str) -> Result<Value, String> {
    if let Some(element) = shape.member.as_ref().filter(|_| shape.kind == ShapeKind::List) {
        let inner = model.shape(&element.shape);
        let items = text
            .split(',')
            .map(|item| scalar(inner, Some(element), item.trim(), TimestampFormat::Rfc822));
        return Ok(Value::Array(items.collect::<Result<_, _>>()?));
    }
    if member.jsonvalue {
        let decoded = base64::decode(text).map_err(|error| error.to_string())?;
        return Ok(Value::from(utf8(&decoded)?));
    }
    scalar(shape, Some(member), text, TimestampFormat::Rfc822)
}

/// A single value from its text outside JSON.
pub(super) fn scalar(
    shape: &Shape,
    member: Option<&Member>,
    text: &str,
    preset: TimestampFormat,
) -> Result<Value, String> {
    let not = |kind: &str| format!("`{text}` is no {kind}");
    Ok(match shape.kind {
        ShapeKind::Boolean => Value::from(text.trim().parse::<bool>().map_err(|_| not("boolean"))?),
        ShapeKind::Integer | ShapeKind::Long => {
            Value::from(text.trim().parse::<i64>().map_err(|_| not("whole number"))?)
        }
        ShapeKind::Float | ShapeKind::Double => {
            text.trim().parse::<f64>().map_err(|_| not("number"))?.give()
        }
        ShapeKind::Timestamp => moment(text, timestamp_format(shape, member, preset))?,
        _ => Value::from(text),
    })
}

/// A time in any of AWS's forms, as RFC 3339 text: the model's form first, since services are lax.
fn moment(text: &str, format: TimestampFormat) -> Result<Value, String> {
    let first = match format {
        TimestampFormat::Iso8601 => Format::DateTimeWithOffset,
        TimestampFormat::UnixTimestamp => Format::EpochSeconds,
        TimestampFormat::Rfc822 => Format::HttpDate,
    };
    let text = text.trim();
    [first, Format::DateTimeWithOffset, Format::HttpDate, Format::EpochSeconds]
        .into_iter()
        .find_map(|format| DateTime::from_str(text, format).ok())
        .map(DateTime::give)
        .ok_or_else(|| format!("`{text}` is no time"))
}

/// A JSON value by its shape; what the model does not know stays out.
fn json(
    model: &Model,
    shape: &Shape,
    member: Option<&Member>,
    value: &Value,
) -> Result<Value, String> {
    if shape.document || value.is_null() {
        return Ok(value.clone());
    }
    Ok(match (shape.kind, value) {
        (ShapeKind::Structure, Value::Object(map)) => {
            let mut members = Map::new();
            for (name, member) in &shape.members.0 {
                let found = map.get(wire_name(name, member)).filter(|_| member.location.is_none());
                if let Some(found) = found {
                    let inner = model.shape(&member.shape);
                    members.insert(name.clone(), json(model, inner, Some(member), found)?);
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
        (ShapeKind::Timestamp, Value::Number(number)) => {
            moment(&number.to_string(), TimestampFormat::UnixTimestamp)?
        }
        (ShapeKind::Timestamp, Value::String(text)) => {
            moment(text, timestamp_format(shape, member, TimestampFormat::Iso8601))?
        }
        _ => value.clone(),
    })
}

/// The error of an answer that says so by its status.
fn error(model: &Model, response: &HttpResponse, body: &[u8]) -> Result<ErrorMetadata, String> {
    let (code, message) = match model.metadata.protocol() {
        Protocol::Query | Protocol::RestXml => xml_error(response, body)?,
        Protocol::Json | Protocol::RestJson | Protocol::Other => json_error(response, body)?,
    };
    Ok(metadata(code, message))
}

fn metadata(code: String, message: Option<String>) -> ErrorMetadata {
    let mut metadata = ErrorMetadata::builder().code(code);
    if let Some(message) = message {
        metadata = metadata.message(message);
    }
    metadata.build()
}

fn json_error(response: &HttpResponse, body: &[u8]) -> Result<(String, Option<String>), String> {
    let parsed = parse_json(body);
    let member = |names: &[&str]| {
        let parsed = parsed.as_ref().ok()?;
        names.iter().find_map(|name| parsed[*name].as_str()).map(str::to_owned)
    };
    let code = response
        .headers()
        .get("x-amzn-errortype")
        .map(str::to_owned)
        .or_else(|| member(&["__type", "code", "Code"]));
    let code = code.ok_or("an error without a code")?;
    // `com.amazonaws.kms#NotFoundException:http://...` is `NotFoundException`.
    let plain = code.split(':').next().unwrap_or(&code);
    let plain = plain.rsplit('#').next().unwrap_or(plain);
    Ok((plain.to_owned(), member(&["message", "Message", "errorMessage"])))
}

fn xml_error(response: &HttpResponse, body: &[u8]) -> Result<(String, Option<String>), String> {
    if body.is_empty() {
        // An answer to HEAD has no body: the status is all there is.
        let status = StatusCode::from_u16(response.status().as_u16());
        let reason = status.ok().and_then(|status| status.canonical_reason());
        let code = reason.ok_or("an error without a body")?.replace(' ', "");
        return Ok((code, None));
    }
    let document = parse_xml(utf8(body)?)?;
    error_element(&document).ok_or_else(|| "an error without a code".to_owned())
}

/// `<ErrorResponse><Error>`, `<Error>`, and the older `<Response><Errors><Error>`.
fn error_element(document: &Document<'_>) -> Option<(String, Option<String>)> {
    // By local name: some services answer in a namespace.
    let error = document.descendants().find(|node| node.tag_name().name() == "Error")?;
    let code = xml::text_of(child(error, "Code")?);
    let message = child(error, "Message").or_else(|| child(error, "message")).map(xml::text_of);
    Some((code, message))
}

fn late_error(shape: &Shape, body: &[u8]) -> Option<ErrorMetadata> {
    // A payload of bytes is whatever the caller stored.
    if shape.payload.is_some() || body.is_empty() {
        return None;
    }
    let document = parse_xml(utf8(body).ok()?).ok()?;
    if document.root_element().tag_name().name() != "Error" {
        return None;
    }
    let (code, message) = error_element(&document)?;
    Some(metadata(code, message))
}
