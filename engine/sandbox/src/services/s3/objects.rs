//! Writing, reading, copying, tagging and removing objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::access::{allow, allowed_bucket, may};
use super::fault;
use super::store::{Bucket, Object, bucket, new_object, no_such_bucket};
use crate::protocol::{percent_decoded, percent_encoded};
use crate::services::{AwsFault, Call, Reply};

/// Headers that an object is written with and answered with, by the model's member names.
const KEPT: [&str; 6] = [
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
];

/// What an object is called when its writer says nothing.
const UNKNOWN_TYPE: &str = "binary/octet-stream";

/// PutObject.
pub(super) fn put(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    let key = key(call)?;
    let known = bucket.object(call.world, key);
    let fits = match (call.text("IfNoneMatch"), call.text("IfMatch"), &known) {
        ("*", _, known) => known.is_none(),
        (_, "", _) => true,
        (_, etag, Some(known)) => known.etag == etag,
        (_, _, None) => return Err(no_such_key()),
    };
    if !fits {
        return Err(precondition_failed());
    }
    let body = STANDARD
        .decode(call.text("Body"))
        .map_err(|_not_base64| fault("InvalidRequest", 400, "The body cannot be read."))?;
    let mut object = new_object(call.world, &bucket.name, key, &body);
    object.headers.insert("ContentType".to_owned(), UNKNOWN_TYPE.to_owned());
    for member in KEPT {
        if let Some(value) = call.input.get(member).and_then(Value::as_str) {
            object.headers.insert(member.to_owned(), value.to_owned());
        }
    }
    object.metadata = metadata(call.input);
    object.tags = call
        .text("Tagging")
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (percent_decoded(key), percent_decoded(value)))
        .collect();
    bucket.save_object(call.world, &object, &body);
    let mut answer = json!({"ETag": object.etag, "ServerSideEncryption": "AES256"});
    let checksums = call.input.as_object().into_iter().flatten();
    for (member, value) in checksums.filter(|(member, _)| is_checksum(member)) {
        answer[member] = value.clone();
    }
    Ok(answer)
}

/// Whether a member is the checksum of a body.
fn is_checksum(member: &str) -> bool {
    member.starts_with("Checksum") && !matches!(member, "ChecksumAlgorithm" | "ChecksumMode")
}

fn metadata(input: &Value) -> std::collections::BTreeMap<String, String> {
    let given = input.get("Metadata").and_then(Value::as_object);
    given
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
        .collect()
}

fn key<'c>(call: &Call<'c>) -> Result<&'c str, AwsFault> {
    let key = call.input.get("Key").and_then(Value::as_str).unwrap_or_default();
    match key.len() {
        1..=1024 => Ok(key),
        _ => Err(fault("KeyTooLongError", 400, "Your key is too long")),
    }
}

/// CopyObject.
pub(super) fn copy(call: &Call<'_>) -> Reply {
    let target = allowed_bucket(call)?;
    let source = call.text("CopySource");
    let source = source.split("?versionId=").next().unwrap_or(source);
    let source = percent_decoded(source.trim_start_matches('/'));
    let (from, from_key) = source
        .split_once('/')
        .ok_or_else(|| fault("InvalidArgument", 400, "Invalid copy source object key"))?;
    let from = bucket(call.world, from).ok_or_else(no_such_bucket)?;
    may(call.world, call.principal, "s3:GetObject", &from, from_key)?;
    let known = from.object(call.world, from_key).ok_or_else(no_such_key)?;
    let body = from.body(call.world, from_key).unwrap_or_default();
    let mut object = new_object(call.world, &target.name, key(call)?, &body);
    object.headers.clone_from(&known.headers);
    object.tags.clone_from(&known.tags);
    object.metadata = match call.text("MetadataDirective") {
        "REPLACE" => metadata(call.input),
        _ => known.metadata,
    };
    target.save_object(call.world, &object, &body);
    Ok(json!({"CopyObjectResult": {"ETag": object.etag, "LastModified": object.modified}}))
}

/// GetObject.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let (bucket, object) = found(call)?;
    let body = bucket.body(call.world, &object.key).unwrap_or_default();
    let mut answer = shown(call, &object)?;
    answer["Body"] = json!(STANDARD.encode(body));
    Ok(answer)
}

/// HeadObject.
pub(super) fn head(call: &Call<'_>) -> Reply {
    let (_, object) = found(call)?;
    shown(call, &object)
}

/// The object of a call. Whoever may not list the bucket is not told that a key is missing.
fn found(call: &Call<'_>) -> Result<(Bucket, Object), AwsFault> {
    let bucket = allowed_bucket(call)?;
    match bucket.object(call.world, call.text("Key")) {
        Some(object) => Ok((bucket, object)),
        None => {
            may(call.world, call.principal, "s3:ListBucket", &bucket, "")?;
            Err(no_such_key())
        }
    }
}

fn shown(call: &Call<'_>, object: &Object) -> Reply {
    let unquoted = |text: &str| text.trim_matches('"').to_owned();
    let etag = unquoted(&object.etag);
    let (wanted, unwanted) = (call.text("IfMatch"), call.text("IfNoneMatch"));
    if !wanted.is_empty() && unquoted(wanted) != etag {
        return Err(precondition_failed());
    }
    if !unwanted.is_empty() && unquoted(unwanted) == etag {
        return Err(fault("NotModified", 304, "Not Modified"));
    }
    let mut answer = json!({
        "AcceptRanges": "bytes", "ContentLength": object.size, "ETag": object.etag,
        "LastModified": object.modified, "ServerSideEncryption": "AES256",
    });
    for (member, value) in &object.headers {
        answer[member] = json!(value);
    }
    if !object.metadata.is_empty() {
        answer["Metadata"] = json!(object.metadata);
    }
    if !object.tags.is_empty() && call.operation == "GetObject" {
        answer["TagCount"] = json!(object.tags.len());
    }
    Ok(answer)
}

/// DeleteObject: a key that is not there is as good as removed.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    bucket.remove_object(call.world, call.text("Key"));
    Ok(json!({}))
}

/// DeleteObjects: each object on its own.
pub(super) fn delete_many(call: &Call<'_>) -> Reply {
    let bucket = bucket(call.world, call.text("Bucket")).ok_or_else(no_such_bucket)?;
    let delete = call.input.get("Delete").unwrap_or(&Value::Null);
    let keys: Vec<&str> = delete["Objects"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|object| object["Key"].as_str())
        .collect();
    if keys.is_empty() || keys.len() > 1000 {
        let message = "The XML you provided was not well-formed or did not validate against our \
                       published schema";
        return Err(fault("MalformedXML", 400, message));
    }
    let (mut deleted, mut errors) = (vec![], vec![]);
    for key in keys {
        let resource = format!("{}/{key}", bucket.arn());
        match allow(call, &bucket, "s3:DeleteObject", &resource) {
            Ok(()) => {
                bucket.remove_object(call.world, key);
                deleted.push(json!({"Key": key}));
            }
            Err(refusal) => {
                let (code, message) = (refusal.code, refusal.message);
                errors.push(json!({"Key": key, "Code": code, "Message": message}));
            }
        }
    }
    let mut answer = Map::new();
    if delete["Quiet"] != true && !deleted.is_empty() {
        answer.insert("Deleted".to_owned(), Value::Array(deleted));
    }
    if !errors.is_empty() {
        answer.insert("Errors".to_owned(), Value::Array(errors));
    }
    Ok(Value::Object(answer))
}

/// GetObjectTagging.
pub(super) fn tagging(call: &Call<'_>) -> Reply {
    let (_, object) = found(call)?;
    let tags = object.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
    Ok(json!({"TagSet": tags.collect::<Vec<_>>()}))
}

/// PutObjectTagging.
pub(super) fn put_tagging(call: &Call<'_>) -> Reply {
    let (bucket, mut object) = found(call)?;
    let set = call.input.pointer("/Tagging/TagSet").and_then(Value::as_array);
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    object.tags =
        set.into_iter().flatten().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect();
    bucket.save_tags(call.world, &object);
    Ok(json!({}))
}

/// DeleteObjectTagging.
pub(super) fn delete_tagging(call: &Call<'_>) -> Reply {
    let (bucket, mut object) = found(call)?;
    object.tags.clear();
    bucket.save_tags(call.world, &object);
    Ok(json!({}))
}

fn no_such_key() -> AwsFault {
    fault("NoSuchKey", 404, "The specified key does not exist.")
}

fn precondition_failed() -> AwsFault {
    fault(
        "PreconditionFailed",
        412,
        "At least one of the pre-conditions you specified did not hold",
    )
}

/// A key as a list shows it to a client that asks for encoded ones: slashes stay.
pub(super) fn encoded_key(key: &str) -> String {
    key.split('/').map(percent_encoded).collect::<Vec<_>>().join("/")
}
