//! botocore's own protocol suites, each case in both directions.
//!
//! They are not part of the repository: `PITON_PROTOCOL_SUITES` names a folder that has `input` and
//! `output` as in botocore's `tests/unit/protocols`. Without it this test says that it did not run.
//! Cases that cannot pass are listed with their reasons, and one of them that does pass is an error
//! too, so that the list stays true.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::print_stderr, reason = "a test that did not run must say so")]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use piton_models::{Location, Model, Operation, Protocol, ShapeKind};
use piton_sandbox::protocol::ServiceError;
use piton_sandbox::protocol::client::{Answer, parse_response, write_request};
use piton_sandbox::protocol::server::{parse_request, write_error, write_response};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const FILES: [&str; 5] =
    ["json.json", "json_1_0.json", "query.json", "rest-json.json", "rest-xml.json"];

/// Direction, case, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("client request", "AwsJson10HostWithPath", HOST),
    ("client request", "QueryHostWithPath", HOST),
    ("client request", "RestJsonHostWithPath", HOST),
    ("client request", "SDKAppliedContentEncoding_awsJson1_0", GZIP),
    ("server request", "SDKAppliedContentEncoding_awsJson1_0", GZIP),
    ("client request", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0", GZIP),
    ("server request", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0", GZIP),
    ("client request", "SDKAppliedContentEncoding_awsQuery", GZIP),
    ("server request", "SDKAppliedContentEncoding_awsQuery", GZIP),
    ("client request", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery", GZIP),
    ("server request", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery", GZIP),
    ("client request", "SDKAppliedContentEncoding_restJson1", GZIP),
    ("server request", "SDKAppliedContentEncoding_restJson1", GZIP),
    ("client request", "SDKAppendedGzipAfterProvidedEncoding_restJson1", GZIP),
    ("server request", "SDKAppendedGzipAfterProvidedEncoding_restJson1", GZIP),
    ("client request", "QueryProtocolIdempotencyTokenAutoFill", TOKEN),
    ("server request", "QueryProtocolIdempotencyTokenAutoFill", TOKEN),
    ("client request", "RestJsonQueryIdempotencyTokenAutoFill", TOKEN),
    ("server request", "RestJsonQueryIdempotencyTokenAutoFill", TOKEN),
    ("client request", "AwsJson11HostWithPath", HOST),
    ("client request", "SDKAppliedContentEncoding_awsJson1_1", GZIP),
    ("server request", "SDKAppliedContentEncoding_awsJson1_1", GZIP),
    ("client request", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1", GZIP),
    ("server request", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1", GZIP),
    ("client request", "RestJsonHttpChecksumRequired", "no listed service asks for Content-MD5"),
    ("server request", "QueryEmptyQueryMaps", NO_WAY_BACK),
    ("server request", "RestJsonHttpPrefixHeadersAreNotPresent", NO_WAY_BACK),
    ("server request", "RestJsonOmitsEmptyListQueryValues", NO_WAY_BACK),
    ("server request", "RestJsonQueryPrecedence", NO_WAY_BACK),
    ("server request", "RestJsonHttpWithEmptyStructurePayload", NO_WAY_BACK),
    ("server request", "RestJsonHttpWithHeadersButNoPayload", NO_WAY_BACK),
    ("server request", "RestJsonQueryParamsStringListMap", NO_WAY_BACK),
    ("server response", "AwsJson11DateTimeWithNegativeOffset", TOLERANCE),
    ("server response", "AwsJson11DateTimeWithPositiveOffset", TOLERANCE),
    ("server response", "AwsJson11DeserializeIgnoreType", TOLERANCE),
    ("server response", "handles_unexpected_json_output", TOLERANCE),
    ("server response", "AwsJson11IntEnums", "an answer has no X-Amz-Target"),
    (
        "server response",
        "parses_the_request_id_from_the_response",
        "the request id is the caller's",
    ),
    ("server response", "AwsJson10DeserializeIgnoreType", TOLERANCE),
    ("server response", "AwsJson10HandlesUnexpectedJsonOutput", TOLERANCE),
    ("server response", "RestJsonDateTimeWithNegativeOffset", TOLERANCE),
    ("server response", "RestJsonDateTimeWithPositiveOffset", TOLERANCE),
    ("server response", "RestJsonDeserializeIgnoreType", TOLERANCE),
    (
        "server response",
        "HttpPrefixHeadersResponse",
        "an empty prefix takes in the request id as well",
    ),
    ("client request", "RestXmlHostWithPath", HOST),
    ("client request", "SDKAppliedContentEncoding_restXml", GZIP),
    ("server request", "SDKAppliedContentEncoding_restXml", GZIP),
    ("client request", "SDKAppendedGzipAfterProvidedEncoding_restXml", GZIP),
    ("server request", "SDKAppendedGzipAfterProvidedEncoding_restXml", GZIP),
    ("client request", "QueryIdempotencyTokenAutoFill", TOKEN),
    ("server request", "QueryIdempotencyTokenAutoFill", TOKEN),
    ("server request", "AllQueryStringTypes", NO_WAY_BACK),
    ("server request", "HttpPrefixHeadersAreNotPresent", NO_WAY_BACK),
    ("server request", "RestXmlQueryParamsStringListMap", NO_WAY_BACK),
    ("server request", "RestXmlQueryPrecedence", NO_WAY_BACK),
    ("server request", "RestXmlQueryStringEscaping", NO_WAY_BACK),
    ("server request", "RestXmlSupportsInfinityFloatQueryValues", NO_WAY_BACK),
    ("server request", "RestXmlSupportsNaNFloatQueryValues", NO_WAY_BACK),
    ("server request", "RestXmlSupportsNegativeInfinityFloatQueryValues", NO_WAY_BACK),
    ("server request", "RestXmlZeroAndFalseQueryValues", NO_WAY_BACK),
    ("server response", "RestXmlDateTimeWithNegativeOffset", TOLERANCE),
    ("server response", "RestXmlDateTimeWithPositiveOffset", TOLERANCE),
    ("client request", "HttpPayloadWithXmlName", OWN_NAME),
    ("server response", "HttpPayloadWithXmlName", OWN_NAME),
    ("client request", "HttpPayloadWithXmlNamespace", OWN_NAME),
    ("server response", "HttpPayloadWithXmlNamespace", OWN_NAME),
    ("client request", "HttpPayloadWithXmlNamespaceAndPrefix", OWN_NAME),
    ("server response", "HttpPayloadWithXmlNamespaceAndPrefix", OWN_NAME),
    ("client request", "RestXmlHttpPayloadWithUnion", OWN_NAME),
    ("server response", "RestXmlHttpPayloadWithUnion", OWN_NAME),
    ("client request", "XmlAttributesOnPayload", OWN_NAME),
    ("client error", "ComplexError", "the case has a message and expects none"),
    ("client response", "IgnoreQueryParamsInResponse", PARAMETER),
    ("server response", "IgnoreQueryParamsInResponse", PARAMETER),
    ("server response", "RestXmlHttpResponseCode", "an answer without a body has no content type"),
];

const OWN_NAME: &str = "a payload goes by its member's name first, as Amazon S3 has it";
const PARAMETER: &str = "no output of a listed service has a query parameter";
const HOST: &str = "the suite counts the path of an endpoint as part of its host";
const GZIP: &str = "requests are never compressed: no listed service asks for it";
const TOKEN: &str = "a token is the engine's to choose, not the protocol's";
const NO_WAY_BACK: &str = "the request does not carry the difference";
const TOLERANCE: &str = "the answer tests what a reader tolerates, and no service would write it";

#[test]
fn the_suites_pass_in_both_directions() {
    let Ok(folder) = std::env::var("PITON_PROTOCOL_SUITES") else {
        eprintln!("PITON_PROTOCOL_SUITES is not set: the protocol suites DID NOT RUN");
        return;
    };
    let mut tally = Tally::default();
    for file in FILES {
        for (side, run) in [("input", input_case as Run), ("output", output_case as Run)] {
            let path = Path::new(&folder).join(side).join(file);
            let suites: Vec<Value> =
                serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            for suite in &suites {
                for case in suite["cases"].as_array().unwrap() {
                    run(suite, case, &mut tally);
                }
            }
        }
    }
    eprintln!("protocol suites: {} checks passed, {} excepted", tally.passed, tally.excepted);
    assert!(tally.failures.is_empty(), "\n{}", tally.failures.join("\n"));
}

type Run = fn(&Value, &Value, &mut Tally);

#[derive(Default)]
struct Tally {
    passed: usize,
    excepted: usize,
    failures: Vec<String>,
}

impl Tally {
    fn check(&mut self, direction: &str, id: &str, result: Result<(), String>) {
        let excepted = EXCEPTIONS.iter().any(|(d, i, _)| *d == direction && *i == id);
        match (result, excepted) {
            (Ok(()), false) => self.passed += 1,
            (Err(_), true) => self.excepted += 1,
            (Ok(()), true) => {
                self.failures
                    .push(format!("{direction} {id}: passes, but is listed as an exception"));
            }
            (Err(error), false) => self.failures.push(format!("{direction} {id}: {error}")),
        }
    }
}

fn model_of(suite: &Value, case: &Value) -> Model {
    let given = &case["given"];
    let mut metadata = suite["metadata"].clone();
    metadata["endpointPrefix"] = json!("example");
    metadata["serviceId"] = json!("Example");
    let name = given["name"].as_str().unwrap();
    let model = json!({
        "metadata": metadata,
        "shapes": with_namespace_objects(&suite["shapes"]),
        "operations": {name: with_namespace_objects(given)},
    });
    Model::parse(&model.to_string()).unwrap()
}

/// Some suites write a namespace as text where the models of services have an object.
fn with_namespace_objects(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(name, value)| match value {
                    Value::String(uri) if name == "xmlNamespace" => {
                        (name.clone(), json!({"uri": uri}))
                    }
                    value => (name.clone(), with_namespace_objects(value)),
                })
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(with_namespace_objects).collect()),
        other => other.clone(),
    }
}

fn operation_of<'a>(model: &'a Model, case: &Value) -> &'a Operation {
    &model.operations[case["given"]["name"].as_str().unwrap()]
}

fn input_case(suite: &Value, case: &Value, tally: &mut Tally) {
    let model = model_of(suite, case);
    let operation = operation_of(&model, case);
    let id = case["id"].as_str().unwrap();
    let input = operation.input.as_ref().map_or_else(
        || json!({}),
        |reference| canonical(&model, &reference.shape, false, &case["params"]),
    );
    let endpoint = suite["clientEndpoint"].as_str().unwrap_or("https://example.com");
    tally.check("client request", id, client_request(&model, operation, case, &input, endpoint));
    tally.check("server request", id, server_request(&model, operation, case, &input));
}

fn client_request(
    model: &Model,
    operation: &Operation,
    case: &Value,
    input: &Value,
    endpoint: &str,
) -> Result<(), String> {
    let expected = &case["serialized"];
    let request =
        write_request(model, operation, input, endpoint).map_err(|error| error.to_string())?;
    if let Some(method) = expected["method"].as_str() {
        differ("method", request.method().as_str(), method)?;
    }
    let uri = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    differ(
        "uri",
        &sorted_query(&uri),
        &sorted_query(expected["uri"].as_str().unwrap_or_default()),
    )?;
    if let Some(host) = expected["host"].as_str() {
        differ("host", request.uri().host().unwrap_or_default(), host)?;
    }
    headers_hold(request.headers(), expected)?;
    if let Some(body) = expected["body"].as_str() {
        bodies_agree(model, &String::from_utf8_lossy(request.body()), body)?;
    }
    Ok(())
}

fn headers_hold(headers: &HeaderMap, expected: &Value) -> Result<(), String> {
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        let found = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("(none)");
        differ(name, found, value.as_str().unwrap())?;
    }
    let named = |list: &str| {
        expected[list]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for name in named("forbidHeaders") {
        if headers.contains_key(&name) {
            return Err(format!("has the header {name}"));
        }
    }
    for name in named("requireHeaders") {
        // Its value is the HTTP client's to set.
        if !headers.contains_key(&name) && name != "Content-Length" {
            return Err(format!("lacks the header {name}"));
        }
    }
    Ok(())
}

fn server_request(
    model: &Model,
    operation: &Operation,
    case: &Value,
    input: &Value,
) -> Result<(), String> {
    let serialized = &case["serialized"];
    let mut request = Request::builder()
        .method(serialized["method"].as_str().unwrap_or("POST"))
        .uri(serialized["uri"].as_str().unwrap_or("/"))
        .body(serialized["body"].as_str().unwrap_or_default().as_bytes().to_vec())
        .map_err(|error| error.to_string())?;
    *request.headers_mut() = headers_of(&serialized["headers"]);
    let parsed = parse_request(model, operation, &request).map_err(|error| error.to_string())?;
    agree(&parsed.input, input)
}

fn output_case(suite: &Value, case: &Value, tally: &mut Tally) {
    let model = model_of(suite, case);
    let operation = operation_of(&model, case);
    let id = case["id"].as_str().unwrap();
    let response = response_of(&case["response"]);
    if let Some(code) = case["errorCode"].as_str() {
        error_case(&model, operation, case, code, &response, tally);
        return;
    }
    let output = operation.output.as_ref().map_or_else(
        || json!({}),
        |reference| canonical(&model, &reference.shape, false, &case["result"]),
    );
    let parsed = match parse_response(&model, operation, &response) {
        Ok(Answer::Success(parsed)) => agree(&parsed, &output),
        Ok(Answer::Failure(error)) => Err(format!("an error: {error:?}")),
        Err(error) => Err(error.to_string()),
    };
    tally.check("client response", id, parsed);
    tally.check("server response", id, server_response(&model, operation, case, &output));
}

fn server_response(
    model: &Model,
    operation: &Operation,
    case: &Value,
    output: &Value,
) -> Result<(), String> {
    let expected = &case["response"];
    let written = write_response(model, operation, output, "request-id")
        .map_err(|error| error.to_string())?;
    let status = written.status().as_u16().to_string();
    differ("status", &status, &expected["status_code"].to_string())?;
    let headers = expected["headers"].as_object().into_iter().flatten();
    // Its value is the HTTP server's to set.
    for (name, value) in headers.filter(|(name, _)| *name != "Content-Length") {
        let found =
            written.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("(none)");
        differ(name, found, value.as_str().unwrap())?;
    }
    match parse_response(model, operation, &written) {
        Ok(Answer::Success(parsed)) => agree(&parsed, output)?,
        Ok(Answer::Failure(error)) => return Err(format!("an error: {error:?}")),
        Err(error) => return Err(error.to_string()),
    }
    let body = expected["body"].as_str().unwrap_or_default();
    if model.metadata.protocol() == Protocol::Query || body.is_empty() {
        return Ok(());
    }
    bodies_agree(model, &String::from_utf8_lossy(written.body()), body)
}

fn error_case(
    model: &Model,
    operation: &Operation,
    case: &Value,
    code: &str,
    response: &Response<Vec<u8>>,
    tally: &mut Tally,
) {
    let id = case["id"].as_str().unwrap();
    let shape = &operation.errors[0].shape;
    let members = canonical(model, shape, false, &case["error"]);
    let expected = ServiceError {
        code: code.to_owned(),
        message: case["errorMessage"].as_str().unwrap_or_default().to_owned(),
        status: response.status().as_u16(),
        members,
    };
    tally.check("client error", id, error_agrees(model, operation, response, &expected));
    let written = write_error(model, &expected, "request-id").map_err(|error| error.to_string());
    let checked = written.and_then(|written| error_agrees(model, operation, &written, &expected));
    tally.check("server error", id, checked);
}

fn error_agrees(
    model: &Model,
    operation: &Operation,
    response: &Response<Vec<u8>>,
    expected: &ServiceError,
) -> Result<(), String> {
    match parse_response(model, operation, response) {
        Ok(Answer::Failure(error)) => {
            differ("code", &error.code, &expected.code)?;
            differ("message", &error.message, &expected.message)?;
            differ("status", &error.status.to_string(), &expected.status.to_string())?;
            agree(&error.members, &expected.members)
        }
        Ok(Answer::Success(output)) => Err(format!("a success: {output}")),
        Err(error) => Err(error.to_string()),
    }
}

/// A case's value as the protocol layer has it: the suites have times as numbers and bytes as text.
fn canonical(model: &Model, shape: &str, jsonvalue: bool, value: &Value) -> Value {
    let shape = model.shape(shape);
    if jsonvalue {
        // The suites have the JSON text, the protocol layer its value.
        let text = value.as_str().unwrap_or_default();
        return serde_json::from_str(text).unwrap_or_else(|_| value.clone());
    }
    if shape.document {
        return value.clone();
    }
    match (shape.kind, value) {
        (ShapeKind::Structure, Value::Object(object)) => Value::Object(
            object
                .iter()
                .map(|(name, value)| {
                    let member = shape.member_named(name).unwrap();
                    let header = member.location == Some(Location::Header);
                    let jsonvalue = member.jsonvalue && header;
                    (name.clone(), canonical(model, &member.shape, jsonvalue, value))
                })
                .collect(),
        ),
        (ShapeKind::List, Value::Array(list)) => {
            let member = &shape.member.as_ref().unwrap().shape;
            Value::Array(list.iter().map(|value| canonical(model, member, false, value)).collect())
        }
        (ShapeKind::Map, Value::Object(map)) => {
            let member = &shape.value.as_ref().unwrap().shape;
            Value::Object(
                map.iter()
                    .map(|(key, value)| (key.clone(), canonical(model, member, false, value)))
                    .collect(),
            )
        }
        (ShapeKind::Timestamp, Value::Number(number)) => {
            let milliseconds = (number.as_f64().unwrap() * 1000.0).round() as i128;
            let moment =
                OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).unwrap();
            json!(moment.format(&Rfc3339).unwrap())
        }
        (ShapeKind::Blob, Value::String(text)) => json!(STANDARD.encode(text)),
        _ => value.clone(),
    }
}

fn response_of(response: &Value) -> Response<Vec<u8>> {
    let mut built =
        Response::new(response["body"].as_str().unwrap_or_default().as_bytes().to_vec());
    *built.status_mut() =
        http::StatusCode::from_u16(response["status_code"].as_u64().unwrap() as u16).unwrap();
    *built.headers_mut() = headers_of(&response["headers"]);
    built
}

fn headers_of(headers: &Value) -> HeaderMap {
    headers
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
            )
        })
        .collect()
}

fn sorted_query(uri: &str) -> String {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    format!("{path}?{}", pairs.join("&"))
}

fn bodies_agree(model: &Model, found: &str, expected: &str) -> Result<(), String> {
    if model.metadata.protocol() == Protocol::Query {
        return differ(
            "body",
            &sorted_query(&format!("?{found}")),
            &sorted_query(&format!("?{expected}")),
        );
    }
    if model.metadata.protocol() == Protocol::RestXml
        && let (Ok(found), Ok(expected)) =
            (roxmltree::Document::parse(found), roxmltree::Document::parse(expected))
    {
        return differ("body", &tree(found.root_element()), &tree(expected.root_element()));
    }
    match (serde_json::from_str::<Value>(found), serde_json::from_str::<Value>(expected)) {
        (Ok(found), Ok(expected)) => agree(&found, &expected),
        _ => differ("body", found, expected),
    }
}

/// An element without its namespaces, and with its children in order of their texts: a model keeps no
/// order of members.
fn tree(node: roxmltree::Node<'_, '_>) -> String {
    let attributes: Vec<String> =
        node.attributes().map(|one| format!("{}={}", one.name(), one.value())).collect();
    let mut children: Vec<String> =
        node.children().filter(roxmltree::Node::is_element).map(tree).collect();
    if children.is_empty() {
        children.push(node.text().unwrap_or_default().to_owned());
    }
    children.sort_unstable();
    format!("<{} {attributes:?}>{}</>", node.tag_name().name(), children.join(""))
}

fn differ(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found}, expected {expected}"))
}

fn agree(found: &Value, expected: &Value) -> Result<(), String> {
    let (found, expected) = (plain(found), plain(expected));
    if found == expected {
        return Ok(());
    }
    Err(format!("found {found}, expected {expected}"))
}

/// Without null members, and with every number as a float.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}
