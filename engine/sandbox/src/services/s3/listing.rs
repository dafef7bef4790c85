//! Lists of objects, by page, and grouped at a delimiter.

use serde_json::{Value, json};

use super::access::allowed_bucket;
use super::buckets::owner;
use super::fault;
use super::objects::encoded_key;
use super::store::{Bucket, Object};
use crate::services::{AwsFault, Call, Reply};

/// What a list shows, and where it stopped.
struct Page {
    objects: Vec<Object>,
    /// Keys up to their first delimiter, for objects that are shown as one.
    folders: Vec<String>,
    /// The key or folder after which the next page begins, when there is one.
    next: Option<String>,
}

/// One page of a bucket's objects after a key.
fn page(call: &Call<'_>, bucket: &Bucket, after: &str) -> Result<Page, AwsFault> {
    let (prefix, delimiter) = (call.text("Prefix"), call.text("Delimiter"));
    let limit = limit(call)?;
    let mut page = Page { objects: vec![], folders: vec![], next: None };
    let mut last = after.to_owned();
    for object in bucket.objects_after(call.world, prefix, after, usize::MAX) {
        let rest = object.key.get(prefix.len()..).unwrap_or_default();
        let folder = match rest.find(delimiter) {
            Some(at) if !delimiter.is_empty() => {
                Some(format!("{prefix}{}{delimiter}", &rest[..at]))
            }
            _ => None,
        };
        // A folder that was shown, on this page or one before, takes in its other objects.
        if folder.as_ref().is_some_and(|folder| *folder == last) {
            continue;
        }
        if page.objects.len() + page.folders.len() == limit {
            page.next = Some(last);
            return Ok(page);
        }
        last = folder.clone().unwrap_or_else(|| object.key.clone());
        match folder {
            Some(folder) => page.folders.push(folder),
            None => page.objects.push(object),
        }
    }
    Ok(page)
}

fn limit(call: &Call<'_>) -> Result<usize, AwsFault> {
    match call.input.get("MaxKeys").and_then(Value::as_i64) {
        None => Ok(1000),
        Some(wanted) => {
            usize::try_from(wanted).map(|wanted| wanted.min(1000)).map_err(|_negative| {
                fault(
                    "InvalidArgument",
                    400,
                    "Argument maxKeys must be an integer between 0 and 2147483647",
                )
            })
        }
    }
}

/// The members that every list has.
fn shown(call: &Call<'_>, bucket: &Bucket, page: &Page, with_owner: bool) -> Value {
    let encoding = call.text("EncodingType");
    let text = |key: &str| if encoding == "url" { encoded_key(key) } else { key.to_owned() };
    let mut answer = json!({
        "Name": bucket.name,
        "Prefix": text(call.text("Prefix")),
        "MaxKeys": call.input.get("MaxKeys").and_then(Value::as_i64).unwrap_or(1000),
        "IsTruncated": page.next.is_some(),
    });
    if !call.text("Delimiter").is_empty() {
        answer["Delimiter"] = json!(text(call.text("Delimiter")));
    }
    if !encoding.is_empty() {
        answer["EncodingType"] = json!(encoding);
    }
    if !page.objects.is_empty() {
        answer["Contents"] = page
            .objects
            .iter()
            .map(|object| {
                let mut shown = json!({
                    "Key": text(&object.key), "LastModified": object.modified,
                    "ETag": object.etag, "Size": object.size, "StorageClass": "STANDARD",
                });
                if with_owner {
                    shown["Owner"] = owner(&bucket.account);
                }
                shown
            })
            .collect();
    }
    if !page.folders.is_empty() {
        answer["CommonPrefixes"] =
            page.folders.iter().map(|folder| json!({"Prefix": text(folder)})).collect();
    }
    answer
}

/// ListObjectsV2.
pub(super) fn by_token(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    let token = call.text("ContinuationToken");
    let after = match token {
        "" => call.text("StartAfter").to_owned(),
        token => after_token(token)?,
    };
    let page = page(call, &bucket, &after)?;
    let with_owner = call.input.get("FetchOwner") == Some(&json!(true));
    let mut answer = shown(call, &bucket, &page, with_owner);
    answer["KeyCount"] = json!(page.objects.len() + page.folders.len());
    if !call.text("StartAfter").is_empty() {
        answer["StartAfter"] = json!(call.text("StartAfter"));
    }
    if !token.is_empty() {
        answer["ContinuationToken"] = json!(token);
    }
    if let Some(next) = &page.next {
        answer["NextContinuationToken"] = json!(token_after(next));
    }
    Ok(answer)
}

/// A token is the last key that was shown, in hex, so that nobody reads more into it.
fn token_after(key: &str) -> String {
    key.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn after_token(token: &str) -> Result<String, AwsFault> {
    let wrong = || fault("InvalidArgument", 400, "The continuation token provided is incorrect");
    let bytes: Option<Vec<u8>> = (0..token.len())
        .step_by(2)
        .map(|at| token.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)
}

/// ListObjects.
pub(super) fn by_marker(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    let page = page(call, &bucket, call.text("Marker"))?;
    let mut answer = shown(call, &bucket, &page, true);
    answer["Marker"] = json!(call.text("Marker"));
    // Without a delimiter a client goes on from the last key.
    if let Some(next) = page.next.filter(|_| !call.text("Delimiter").is_empty()) {
        answer["NextMarker"] = json!(next);
    }
    Ok(answer)
}

/// ListObjectVersions: every object has one version, which is called `null`.
pub(super) fn versions(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    let page = page(call, &bucket, call.text("KeyMarker"))?;
    let mut answer = shown(call, &bucket, &page, true);
    if let Some(object) = answer.as_object_mut()
        && let Some(Value::Array(mut versions)) = object.remove("Contents")
    {
        for version in &mut versions {
            version["VersionId"] = json!("null");
            version["IsLatest"] = json!(true);
        }
        object.insert("Versions".to_owned(), Value::Array(versions));
    }
    if let Some(next) = page.next {
        answer["NextKeyMarker"] = json!(next);
        answer["NextVersionIdMarker"] = json!("null");
    }
    Ok(answer)
}
