//! The calling end: inputs into requests, answers into outputs and errors.

use http::{HeaderMap, Method, Request, Response};
use piton_models::{Location, Model, Operation, Protocol, ShapeKind};
use serde_json::{Map, Value};

use super::at::At;
use super::json::Decoder;
use super::{ProtocolError, ServiceError, form, rest, rest_xml, server, xml};

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The operation's output.
    Success(Value),
    /// An error.
    Failure(ServiceError),
}

/// Writes a request to `endpoint`, such as `https://datazone.eu-west-1.api.aws`, without a
/// signature.
///
/// # Errors
/// When the input lacks a part of the URI, or cannot be written as the model says.
pub fn write_request(
    model: &Model,
    operation: &Operation,
    input: &Value,
    endpoint: &str,
) -> Result<Request<Vec<u8>>, ProtocolError> {
    let at = model.input_shape(operation).map(|shape| At::root(model, shape));
    let mut headers = HeaderMap::new();
    let mut body = Vec::new();
    let mut path = "/".to_owned();
    match model.metadata.protocol() {
        Protocol::RestJson => {
            path = rest::write_uri(&operation.http.request_uri, at, input)?;
            if let Some(at) = at {
                rest::write_headers(at, input, &mut headers)?;
                if let Some((bytes, content_type)) = rest::write_body(at, input)? {
                    rest::content_type(&mut headers, &content_type)?;
                    body = bytes;
                }
            }
        }
        Protocol::Json => {
            let version = model.metadata.json_version.as_deref().unwrap_or("1.1");
            rest::content_type(&mut headers, &format!("application/x-amz-json-{version}"))?;
            let prefix = model.metadata.target_prefix.as_deref().unwrap_or_default();
            let target = format!("{prefix}.{}", operation.name);
            let target = http::HeaderValue::from_str(&target)
                .map_err(|error| ProtocolError::Http(error.to_string()))?;
            headers.insert("x-amz-target", target);
            let value =
                at.map_or_else(|| Value::Object(Map::new()), |at| super::json::encode(at, input));
            body = value.to_string().into_bytes();
        }
        Protocol::Query => {
            rest::content_type(&mut headers, "application/x-www-form-urlencoded")?;
            body = form::write(model, operation, input).into_bytes();
        }
        Protocol::RestXml => {
            path = rest::write_uri(&operation.http.request_uri, at, input)?;
            if let Some(at) = at {
                rest::write_headers(at, input, &mut headers)?;
                if let Some((bytes, content_type)) = rest_xml::write_request(operation, at, input)?
                {
                    rest::content_type(&mut headers, &content_type)?;
                    body = bytes;
                }
            }
        }
        Protocol::Other => {
            return Err(ProtocolError::Unsupported(model.metadata.protocol_name.clone()));
        }
    }
    let endpoint = with_host_prefix(operation, at, input, endpoint);
    let method = Method::from_bytes(operation.http.method.as_bytes())
        .map_err(|error| ProtocolError::Http(error.to_string()))?;
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", endpoint.trim_end_matches('/')))
        .body(body)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The endpoint with the operation's host prefix, `{label}` filled in.
fn with_host_prefix(
    operation: &Operation,
    at: Option<At<'_>>,
    input: &Value,
    endpoint: &str,
) -> String {
    let prefix = operation
        .endpoint
        .as_ref()
        .and_then(|endpoint| endpoint.get("hostPrefix"))
        .and_then(Value::as_str);
    let Some(prefix) = prefix else { return endpoint.to_owned() };
    let mut filled = prefix.to_owned();
    for (name, member) in at.into_iter().flat_map(At::members) {
        if let Some(value) = input.get(name).and_then(Value::as_str) {
            for label in [name, member.wire_name(name)] {
                filled = filled.replace(&format!("{{{label}}}"), value);
            }
        }
    }
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{filled}{host}"),
        None => format!("{filled}{endpoint}"),
    }
}

/// Reads an answer.
///
/// # Errors
/// When it follows neither its protocol nor its model.
pub fn parse_response(
    model: &Model,
    operation: &Operation,
    response: &Response<Vec<u8>>,
) -> Result<Answer, ProtocolError> {
    let status = response.status().as_u16();
    if status >= 300 {
        return parse_error(model, response).map(Answer::Failure);
    }
    let at = model.output_shape(operation).map(|shape| At::root(model, shape));
    let mut output = Map::new();
    match model.metadata.protocol() {
        protocol @ (Protocol::RestJson | Protocol::RestXml) => {
            if let Some(at) = at {
                rest::read_headers(at, response.headers(), &mut output)?;
                for (name, member) in at.members() {
                    if member.location() == Some(Location::StatusCode) {
                        output.insert(name.to_owned(), Value::from(status));
                    }
                    // A prefix without headers is an empty map, which differs from none.
                    if member.location() == Some(Location::Headers)
                        && member.kind() == ShapeKind::Map
                    {
                        output.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
                    }
                }
                let body = response.body();
                match protocol {
                    Protocol::RestXml => {
                        rest_xml::read_response(operation, at, body, &mut output)?;
                    }
                    _ => rest::read_body(&mut Decoder::default(), at, body, &mut output)?,
                }
            }
        }
        Protocol::Json => {
            if let Some(shape) = model.output_shape(operation) {
                return Decoder::default().body(model, shape, response.body()).map(Answer::Success);
            }
        }
        Protocol::Query => {
            let body = String::from_utf8_lossy(response.body());
            return xml::read(model, operation, &body).map(Answer::Success);
        }
        Protocol::Other => {
            return Err(ProtocolError::Unsupported(model.metadata.protocol_name.clone()));
        }
    }
    Ok(Answer::Success(Value::Object(output)))
}

fn parse_error(model: &Model, response: &Response<Vec<u8>>) -> Result<ServiceError, ProtocolError> {
    let status = response.status().as_u16();
    let text = String::from_utf8_lossy(response.body());
    let rest_xml = model.metadata.protocol() == Protocol::RestXml;
    if rest_xml && text.trim().is_empty() {
        // An answer to HEAD has no body: the status is all there is.
        let reason = response.status().canonical_reason().unwrap_or_default();
        let (code, members) = (reason.replace(' ', ""), Value::Object(Map::new()));
        return Ok(ServiceError { code, message: String::new(), status, members });
    }
    if rest_xml || model.metadata.protocol() == Protocol::Query {
        let (wire, message, element) = xml::read_error(&text)?;
        let found = server::error_shape(model, &wire);
        let mut members = match found {
            Some((_, shape)) => xml::read_error_members(model, shape, &element)?,
            None => Value::Object(Map::new()),
        };
        if let (Some((_, shape)), true, Value::Object(members)) = (found, rest_xml, &mut members) {
            rest::read_headers(At::root(model, shape), response.headers(), members)?;
        }
        return Ok(ServiceError { code: wire, message, status, members });
    }
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let in_body = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let wire = response
        .headers()
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
        .or_else(|| in_body("__type"))
        .or_else(|| in_body("code"))
        .unwrap_or_default();
    // `aws.protocoltests#FooError:http://...` is FooError.
    let wire = wire.split(':').next().unwrap_or_default();
    let wire = wire.rsplit('#').next().unwrap_or_default();
    let found = server::error_shape(model, wire);
    let mut members = Map::new();
    if let Some((_, shape)) = found {
        let at = At::root(model, shape);
        rest::read_headers(at, response.headers(), &mut members)?;
        rest::read_body(&mut Decoder::default(), at, response.body(), &mut members)?;
    }
    let message = in_body("message").or_else(|| in_body("Message")).unwrap_or_default();
    let code = wire.to_owned();
    Ok(ServiceError { code, message, status, members: Value::Object(members) })
}
