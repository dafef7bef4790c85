//! The answering end: requests into inputs, outputs and errors into answers.

use http::{Request, Response, StatusCode};
use piton_models::{Location, Model, Operation, Protocol, Shape};
use serde_json::{Map, Value, json};

use super::at::At;
use super::json::Decoder;
use super::{ProtocolError, ServiceError, form, rest, rest_xml, xml};

/// What a request says.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The operation's input.
    pub input: Value,
    /// Paths of members that the model does not have.
    pub unknown: Vec<String>,
}

/// Reads a request for a known operation.
///
/// # Errors
/// When it does not follow its protocol or its model.
pub fn parse_request(
    model: &Model,
    operation: &Operation,
    request: &Request<Vec<u8>>,
) -> Result<Parsed, ProtocolError> {
    let Some(shape) = model.input_shape(operation) else {
        return Ok(Parsed { input: Value::Object(Map::new()), unknown: Vec::new() });
    };
    let at = At::root(model, shape);
    let query = request.uri().query().unwrap_or_default();
    match model.metadata.protocol() {
        Protocol::RestJson => {
            let mut input = Map::new();
            let template = &operation.http.request_uri;
            rest::read_uri(template, request.uri().path(), query, at, &mut input)?;
            rest::read_headers(at, request.headers(), &mut input)?;
            let mut decoder = Decoder::default();
            rest::read_body(&mut decoder, at, request.body(), &mut input)?;
            Ok(Parsed { input: Value::Object(input), unknown: decoder.unknown })
        }
        Protocol::Json => {
            let mut decoder = Decoder::default();
            let input = decoder.body(model, shape, request.body())?;
            Ok(Parsed { input, unknown: decoder.unknown })
        }
        Protocol::Query => {
            let body = String::from_utf8_lossy(request.body());
            let separator = if body.is_empty() || query.is_empty() { "" } else { "&" };
            let (input, unknown) = form::read(at, &format!("{query}{separator}{body}"))?;
            Ok(Parsed { input, unknown })
        }
        Protocol::RestXml => {
            let mut input = Map::new();
            let template = &operation.http.request_uri;
            rest::read_uri(template, request.uri().path(), query, at, &mut input)?;
            let whole = rest_xml::unchunked(request);
            let (body, headers) = whole
                .as_ref()
                .map_or((request.body(), request.headers()), |(body, headers)| (body, headers));
            rest::read_headers(at, headers, &mut input)?;
            rest_xml::read_body(at, body, &mut input)?;
            Ok(Parsed { input: Value::Object(input), unknown: Vec::new() })
        }
        Protocol::Other => Err(ProtocolError::Unsupported(model.metadata.protocol_name.clone())),
    }
}

/// Writes the answer of a success.
///
/// # Errors
/// When the output cannot be written as the model says.
pub fn write_response(
    model: &Model,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> Result<Response<Vec<u8>>, ProtocolError> {
    let mut response = Response::builder()
        .status(operation.http.response_code.unwrap_or(200))
        .header("x-amzn-requestid", request_id)
        .body(Vec::new())?;
    let at = model.output_shape(operation).map(|shape| At::root(model, shape));
    match model.metadata.protocol() {
        Protocol::RestJson => {
            let Some(at) = at else { return Ok(response) };
            rest::write_headers(at, output, response.headers_mut())?;
            let body = match rest::write_body(at, output)? {
                // An answer without content is an empty object, unless its status says that it has
                // no body.
                None if at.shape.payload.is_none() && response.status() != 204 => {
                    Some((b"{}".to_vec(), "application/json".to_owned()))
                }
                _ if response.status() == 204 => None,
                body => body,
            };
            if let Some((body, content_type)) = body {
                rest::content_type(response.headers_mut(), &content_type)?;
                *response.body_mut() = body;
            }
            set_status(at, output, &mut response)?;
        }
        Protocol::RestXml => {
            let Some(at) = at else { return Ok(response) };
            rest::write_headers(at, output, response.headers_mut())?;
            if let Some((body, content_type)) = rest_xml::write_response(operation, at, output)? {
                rest::content_type(response.headers_mut(), &content_type)?;
                *response.body_mut() = body;
            }
            set_status(at, output, &mut response)?;
        }
        Protocol::Json => {
            rest::content_type(response.headers_mut(), &json_content_type(model))?;
            let body = at.map_or_else(|| json!({}), |at| super::json::encode(at, output));
            *response.body_mut() = body.to_string().into_bytes();
        }
        Protocol::Query => {
            rest::content_type(response.headers_mut(), "text/xml")?;
            *response.body_mut() = xml::write(model, operation, output, request_id).into_bytes();
        }
        Protocol::Other => {
            return Err(ProtocolError::Unsupported(model.metadata.protocol_name.clone()));
        }
    }
    Ok(response)
}

/// The status that a member of the output stands for.
fn set_status(
    at: At<'_>,
    output: &Value,
    response: &mut Response<Vec<u8>>,
) -> Result<(), ProtocolError> {
    let status = at
        .members()
        .find(|(_, member)| member.location() == Some(Location::StatusCode))
        .and_then(|(name, _)| output.get(name)?.as_u64())
        .and_then(|status| u16::try_from(status).ok());
    if let Some(status) = status {
        *response.status_mut() =
            StatusCode::from_u16(status).map_err(|error| ProtocolError::Http(error.to_string()))?;
    }
    Ok(())
}

/// Writes the answer of an error; one that the model does not know goes out as it is named.
///
/// # Errors
/// When a member cannot be written as the model says.
pub fn write_error(
    model: &Model,
    error: &ServiceError,
    request_id: &str,
) -> Result<Response<Vec<u8>>, ProtocolError> {
    let (name, shape) = error_shape(model, &error.code).unzip();
    let trait_code =
        shape.and_then(|shape| shape.error.as_ref()).and_then(|error| error.code.as_deref());
    let wire_code = trait_code.or(name).unwrap_or(&error.code);
    let mut response = Response::builder()
        .status(error.status)
        .header("x-amzn-requestid", request_id)
        .body(Vec::new())?;
    let at = shape.map(|shape| At::root(model, shape));
    let headers = response.headers_mut();
    match model.metadata.protocol() {
        Protocol::Query | Protocol::RestXml => {
            let rest_xml = model.metadata.protocol() == Protocol::RestXml;
            if let Some(at) = at.filter(|_| rest_xml) {
                rest::write_headers(at, &error.members, headers)?;
            }
            rest::content_type(headers, if rest_xml { "application/xml" } else { "text/xml" })?;
            let xml = xml::write_error(model, shape, error, wire_code, request_id);
            *response.body_mut() = xml.into_bytes();
        }
        Protocol::RestJson => {
            if let Some(at) = at {
                rest::write_headers(at, &error.members, headers)?;
            }
            rest::content_type(headers, "application/json")?;
            let code = http::HeaderValue::from_str(wire_code)
                .map_err(|error| ProtocolError::Http(error.to_string()))?;
            headers.insert("x-amzn-errortype", code);
            let body = error_body(at, error);
            *response.body_mut() = Value::Object(body).to_string().into_bytes();
        }
        Protocol::Json | Protocol::Other => {
            rest::content_type(headers, &json_content_type(model))?;
            let mut body = error_body(at, error);
            body.insert("__type".to_owned(), Value::from(wire_code));
            *response.body_mut() = Value::Object(body).to_string().into_bytes();
        }
    }
    Ok(response)
}

fn error_body(at: Option<At<'_>>, error: &ServiceError) -> Map<String, Value> {
    let members = match at {
        Some(at) => super::json::encode(at, &error.members),
        None => Value::Null,
    };
    let mut body = match members {
        Value::Object(mut members) => {
            if let Some(at) = at {
                for (name, _) in at.members().filter(|(_, member)| member.location().is_some()) {
                    members.remove(name);
                }
            }
            members
        }
        _ => Map::new(),
    };
    let has_message = body.keys().any(|name| name.eq_ignore_ascii_case("message"));
    if !has_message && !error.message.is_empty() {
        let name = at
            .and_then(|at| {
                at.members()
                    .find(|(name, _)| name.eq_ignore_ascii_case("message"))
                    .map(|(name, member)| member.wire_name(name))
            })
            .unwrap_or("message");
        body.insert(name.to_owned(), Value::from(error.message.as_str()));
    }
    body
}

/// The shape of an error by its name or its code on the wire.
pub(super) fn error_shape<'a>(model: &'a Model, code: &str) -> Option<(&'a str, &'a Shape)> {
    let is_error = |shape: &Shape| shape.exception || shape.error.is_some();
    model
        .shapes
        .get_key_value(code)
        .filter(|(_, shape)| is_error(shape))
        .or_else(|| {
            model.shapes.iter().find(|(_, shape)| {
                is_error(shape)
                    && shape.error.as_ref().is_some_and(|error| error.code.as_deref() == Some(code))
            })
        })
        .map(|(name, shape)| (name.as_str(), shape))
}

/// HTTP status that the model gives an error, by its name or its code on the wire.
pub fn error_status(model: &Model, code: &str) -> Option<u16> {
    let (_, shape) = error_shape(model, code)?;
    let modelled = shape.error.as_ref().and_then(|error| error.http_status_code);
    modelled.or(Some(if shape.fault { 500 } else { 400 }))
}

fn json_content_type(model: &Model) -> String {
    format!("application/x-amz-json-{}", model.metadata.json_version.as_deref().unwrap_or("1.1"))
}
