//! Requests and answers as plain data, and where two of them differ.
//!
//! What is the same on the wire in two ways is the same here: the order of query parameters, escapes,
//! spaces in JSON, `1` and `1.0`, two texts of one moment.

use std::str::FromStr as _;

use axum::http::Request;
use piton_core::time::Timestamp;
use piton_models::{Location, Model, Operation, Protocol};
use serde_json::{Map, Value, json};

/// Where two values differ, with both sides; null is absent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// Members and positions joined by `/`.
    pub(super) path: String,
    pub(super) piton: Value,
    pub(super) boto3: Value,
}

/// A request as plain data: what makes two requests the same to the service.
pub(super) fn request(model: &Model, operation: &Operation, request: &Request<Vec<u8>>) -> Value {
    let uri = request.uri();
    let path: Vec<String> = uri.path().split('/').map(|part| decoded(part, false)).collect();
    json!({
        "host": request.headers().get("host").and_then(|host| host.to_str().ok()),
        "method": request.method().as_str(),
        "path": path,
        "query": pairs(uri.query().unwrap_or_default(), false),
        "headers": headers(model, operation, request),
        "signed_for": signed_for(request),
        "body": body(model, operation, request.body()),
    })
}

/// Content type, target, and the headers that the model binds members to.
fn headers(model: &Model, operation: &Operation, request: &Request<Vec<u8>>) -> Value {
    let mut names = vec!["x-amz-target".to_owned()];
    // Without a body nothing depends on its type.
    if !request.body().is_empty() {
        names.push("content-type".to_owned());
    }
    if let Some(shape) = model.input_shape(operation) {
        let members = shape.members.0.iter();
        names.extend(members.filter(|(_, member)| member.location == Some(Location::Header)).map(
            |(name, member)| member.location_name.as_deref().unwrap_or(name).to_ascii_lowercase(),
        ));
    }
    let value = |name: &String| {
        let value = request.headers().get(name)?.to_str().ok()?;
        let value = value.split(';').next().filter(|_| name == "content-type").unwrap_or(value);
        Some((name.clone(), Value::from(value)))
    };
    Value::Object(names.iter().filter_map(value).collect())
}

/// Region and service of the signature; null for an unsigned request.
fn signed_for(request: &Request<Vec<u8>>) -> Value {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let scope = header.and_then(|header| header.split("Credential=").nth(1)?.split(',').next());
    let scope = scope.map(|scope| scope.split('/').skip(2).collect::<Vec<_>>().join("/"));
    scope.map_or(Value::Null, Value::from)
}

fn body(model: &Model, operation: &Operation, body: &[u8]) -> Value {
    let is_payload = model.input_shape(operation).is_some_and(|shape| shape.payload.is_some());
    match model.metadata.protocol() {
        _ if body.is_empty() => Value::Null,
        Protocol::Query => pairs(&String::from_utf8_lossy(body), true),
        Protocol::RestJson if is_payload => json!(body),
        _ => serde_json::from_slice(body)
            .unwrap_or_else(|error| panic!("{}: {error}: {body:?}", operation.name)),
    }
}

/// The pairs of a query or form: values by name. The entries of a map in a form have numbers, and their
/// order says nothing: the key takes the number's place.
fn pairs(text: &str, is_form: bool) -> Value {
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name, is_form), decoded(value, is_form))
    };
    let mut pairs: Vec<(String, String)> =
        text.split('&').filter(|pair| !pair.is_empty()).map(split).collect();
    let keys: Vec<(String, String)> = pairs
        .iter()
        .filter_map(|(name, key)| {
            let entry = name.strip_suffix(".key")?;
            entry.contains(".entry.").then(|| (format!("{entry}."), key.clone()))
        })
        .collect();
    for (name, _) in &mut pairs {
        let entry = keys.iter().find(|(entry, _)| name.starts_with(entry.as_str()));
        if let Some((entry, key)) = entry {
            let map = entry.trim_end_matches(|one: char| one == '.' || one.is_ascii_digit());
            *name = format!("{map}.[{key}].{}", &name[entry.len()..]);
        }
    }
    let mut found = Map::new();
    for (name, value) in pairs {
        let values = found.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(Value::from(value));
        }
    }
    Value::Object(found)
}

/// Text without its percent escapes.
fn decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut found = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let escape = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                found.push(byte);
                at += 2;
            }
            None if bytes[at] == b'+' && plus_is_space => found.push(b' '),
            None => found.push(bytes[at]),
        }
        at += 1;
    }
    String::from_utf8(found).unwrap_or_else(|error| panic!("{text} is no UTF-8: {error}"))
}

/// Every place where two values differ.
pub(super) fn differences(piton: &Value, boto3: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", piton, boto3, &mut found);
    found
}

fn walk(path: &str, piton: &Value, boto3: &Value, found: &mut Vec<Difference>) {
    let below = |name: &str| {
        // The key of a map may have what separates the parts of a path.
        let name = name.replace('/', "~");
        if path.is_empty() { name } else { format!("{path}/{name}") }
    };
    match (piton, boto3) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in ours {
                walk(&below(name), value, theirs.get(name).unwrap_or(&Value::Null), found);
            }
            for (name, value) in theirs.iter().filter(|(name, _)| !ours.contains_key(*name)) {
                walk(&below(name), &Value::Null, value, found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for at in 0..ours.len().max(theirs.len()) {
                let [one, other] = [ours, theirs].map(|list| list.get(at).unwrap_or(&Value::Null));
                walk(&below(&at.to_string()), one, other, found);
            }
        }
        _ if same(piton, boto3) => {}
        _ => found.push(Difference {
            path: path.to_owned(),
            piton: piton.clone(),
            boto3: boto3.clone(),
        }),
    }
}

fn same(piton: &Value, boto3: &Value) -> bool {
    match (piton, boto3) {
        (Value::Number(ours), Value::Number(theirs)) => {
            ours == theirs
                || (ours.as_f64() == theirs.as_f64() && (ours.is_f64() || theirs.is_f64()))
        }
        (Value::String(ours), Value::String(theirs)) => {
            let moment = |text: &str| Timestamp::from_str(text).ok();
            // Two whole numbers in different digits may well be two names.
            let fraction = |text: &str| {
                let is_number = text.contains(['.', 'e', 'E']) && !text.contains("inf");
                text.parse::<f64>().ok().filter(|_| is_number)
            };
            ours == theirs
                || moment(ours).is_some_and(|moment_| moment(theirs) == Some(moment_))
                || (fraction(ours).or(fraction(theirs)).is_some()
                    && ours.parse::<f64>().ok() == theirs.parse::<f64>().ok())
        }
        _ => piton == boto3,
    }
}
