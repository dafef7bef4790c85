//! The functions that endpoint rules call. A null is what has no value; a function that finds nothing
//! gives one.

use std::net::IpAddr;

use piton_models::partitions;
use regex_lite::Regex;
use serde_json::{Map, Value, json};

/// Calls a function by the rules' name for it.
pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let argument = |index: usize| arguments.get(index).unwrap_or(&Value::Null);
    let text = |index: usize| argument(index).as_str();
    let truth = |index: usize| argument(index).as_bool().unwrap_or(false);
    Ok(match name {
        "isSet" => Value::Bool(!argument(0).is_null()),
        "not" => Value::Bool(!truth(0)),
        "stringEquals" | "booleanEquals" => Value::Bool(argument(0) == argument(1)),
        "getAttr" => attribute(argument(0), text(1).unwrap_or_default()),
        "coalesce" => {
            arguments.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null)
        }
        "ite" => argument(if truth(0) { 1 } else { 2 }).clone(),
        "substring" => {
            let place = |index: usize| {
                argument(index).as_u64().and_then(|place| usize::try_from(place).ok())
            };
            match (text(0), place(1), place(2)) {
                (Some(text), Some(start), Some(stop)) => substring(text, start, stop, truth(3)),
                _ => Value::Null,
            }
        }
        "split" => match (text(0), text(1), argument(2).as_u64()) {
            (Some(text), Some(delimiter), Some(limit)) => split(text, delimiter, limit),
            _ => Value::Null,
        },
        "uriEncode" => text(0).map_or(Value::Null, |text| super::super::uri::encoded(text).into()),
        "parseURL" => text(0).and_then(parse_url).unwrap_or(Value::Null),
        "isValidHostLabel" => Value::Bool(text(0).is_some_and(|text| host_label(text, truth(1)))),
        "aws.partition" => text(0).and_then(partition).unwrap_or(Value::Null),
        "aws.parseArn" => text(0).and_then(parse_arn).unwrap_or(Value::Null),
        "aws.isVirtualHostableS3Bucket" => {
            Value::Bool(text(0).is_some_and(|text| virtual_hostable(text, truth(1))))
        }
        other => return Err(format!("the endpoint rules call `{other}`, which is not known here")),
    })
}

/// A part of a record by a path such as `authority` or `resourceId[0]`.
pub(super) fn attribute(value: &Value, path: &str) -> Value {
    let mut at = value;
    for part in path.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<i64>().ok()),
            None => (part, None),
        };
        if !name.is_empty() {
            at = &at[name];
        }
        if let Some(index) = index {
            let length = at.as_array().map_or(0, Vec::len);
            // A negative index counts from the end.
            let index = usize::try_from(index)
                .ok()
                .or_else(|| length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?));
            at = index.and_then(|index| at.get(index)).unwrap_or(&Value::Null);
        }
    }
    at.clone()
}

fn substring(text: &str, start: usize, stop: usize, reverse: bool) -> Value {
    if !text.is_ascii() || start >= stop || text.len() < stop {
        return Value::Null;
    }
    let range = if reverse { text.len() - stop..text.len() - start } else { start..stop };
    text.get(range).map_or(Value::Null, Value::from)
}

fn split(text: &str, delimiter: &str, limit: u64) -> Value {
    let parts: Vec<&str> = match usize::try_from(limit) {
        Ok(0) | Err(_) => text.split(delimiter).collect(),
        Ok(limit) => text.splitn(limit, delimiter).collect(),
    };
    json!(parts)
}

fn parse_url(url: &str) -> Option<Value> {
    let uri: http::Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    if uri.query().is_some() {
        return None;
    }
    let host = uri.host()?.trim_matches(['[', ']']);
    let path = if uri.path() == "/" && !url.ends_with('/') { "" } else { uri.path() };
    let closed = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
    Some(json!({
        "scheme": scheme,
        "authority": uri.authority()?.as_str(),
        "path": path,
        "normalizedPath": closed,
        "isIp": host.parse::<IpAddr>().is_ok(),
    }))
}

fn host_label(text: &str, with_dots: bool) -> bool {
    if with_dots {
        return text.split('.').all(|label| host_label(label, false));
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '-';
    (1..=63).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('-')
}

fn virtual_hostable(bucket: &str, with_dots: bool) -> bool {
    let label = |label: &str| {
        host_label(label, false)
            && !label.ends_with('-')
            && !label.chars().any(|character| character.is_ascii_uppercase())
    };
    let labels = if with_dots { bucket.split('.').all(label) } else { label(bucket) };
    labels && (3..=63).contains(&bucket.len()) && bucket.parse::<IpAddr>().is_err()
}

fn parse_arn(arn: &str) -> Option<Value> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [prefix, partition, service, region, account, resource] = parts.as_slice() else {
        return None;
    };
    let whole = *prefix == "arn" && [partition, service, resource].iter().all(|p| !p.is_empty());
    whole.then(|| {
        json!({
            "partition": partition,
            "service": service,
            "region": region,
            "accountId": account,
            "resourceId": resource.split([':', '/']).collect::<Vec<_>>(),
        })
    })
}

/// The partition of a region; what is known of the region itself comes on top. An unknown region
/// counts as one of the commercial partition, as AWS's own rules have it.
fn partition(region: &str) -> Option<Value> {
    let all = partitions()["partitions"].as_array()?;
    let known = all.iter().find(|partition| partition["regions"].get(region).is_some());
    let by_pattern = || {
        all.iter().find(|partition| {
            let pattern = partition["regionRegex"].as_str().and_then(|text| Regex::new(text).ok());
            pattern.is_some_and(|pattern| pattern.is_match(region))
        })
    };
    let commercial = || all.iter().find(|partition| partition["id"] == "aws");
    let partition = known.or_else(by_pattern).or_else(commercial)?;
    let mut outputs: Map<String, Value> = partition["outputs"].as_object()?.clone();
    if let Some(own) = partition["regions"].get(region).and_then(Value::as_object) {
        outputs.extend(own.clone());
    }
    outputs.insert("name".to_owned(), partition["id"].clone());
    Some(Value::Object(outputs))
}
