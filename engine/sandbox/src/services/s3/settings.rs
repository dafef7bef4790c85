//! What a bucket is configured with: one document for each setting, kept as it was put.
//!
//! A setting that nobody made is answered as AWS does: with its preset, or with the error that names
//! it. Settings that would need behaviour which is not here, object versions, are refused by name.

use serde_json::{Value, json};

use super::access::allowed_bucket;
use super::fault;
use crate::access::policy::malformed;
use crate::services::{AwsFault, Call, Reply};

/// What a setting is before anybody made it.
#[derive(Clone, Copy)]
enum Preset {
    /// An error by code and message; its status is 404.
    Missing(&'static str, &'static str),
    /// A value, as JSON text.
    Value(&'static str),
}

/// One setting.
struct Setting {
    /// Its name among the bucket's.
    name: &'static str,
    get: &'static str,
    put: &'static str,
    delete: &'static str,
    /// Input member with the value.
    member: &'static str,
    /// Output member with the value; without one its members are the output's.
    payload: Option<&'static str>,
    preset: Preset,
}

/// `DELETE` of a setting that can only be put; no operation has this name.
const NEVER: &str = "";

const SETTINGS: [Setting; 15] = [
    Setting {
        name: "Accelerate",
        get: "GetBucketAccelerateConfiguration",
        put: "PutBucketAccelerateConfiguration",
        delete: NEVER,
        member: "AccelerateConfiguration",
        payload: None,
        preset: Preset::Value("{}"),
    },
    Setting {
        name: "Cors",
        get: "GetBucketCors",
        put: "PutBucketCors",
        delete: "DeleteBucketCors",
        member: "CORSConfiguration",
        payload: None,
        preset: Preset::Missing("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    },
    Setting {
        name: "Encryption",
        get: "GetBucketEncryption",
        put: "PutBucketEncryption",
        delete: "DeleteBucketEncryption",
        member: "ServerSideEncryptionConfiguration",
        payload: Some("ServerSideEncryptionConfiguration"),
        preset: Preset::Value(
            r#"{"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                           "BucketKeyEnabled": false}]}"#,
        ),
    },
    Setting {
        name: "Lifecycle",
        get: "GetBucketLifecycleConfiguration",
        put: "PutBucketLifecycleConfiguration",
        delete: "DeleteBucketLifecycle",
        member: "LifecycleConfiguration",
        payload: None,
        preset: Preset::Missing(
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
    },
    Setting {
        name: "Logging",
        get: "GetBucketLogging",
        put: "PutBucketLogging",
        delete: NEVER,
        member: "BucketLoggingStatus",
        payload: None,
        preset: Preset::Value("{}"),
    },
    Setting {
        name: "Notification",
        get: "GetBucketNotificationConfiguration",
        put: "PutBucketNotificationConfiguration",
        delete: NEVER,
        member: "NotificationConfiguration",
        payload: None,
        preset: Preset::Value("{}"),
    },
    Setting {
        name: "ObjectLock",
        get: "GetObjectLockConfiguration",
        put: NEVER,
        delete: NEVER,
        member: "ObjectLockConfiguration",
        payload: Some("ObjectLockConfiguration"),
        preset: Preset::Missing(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
    },
    Setting {
        name: "OwnershipControls",
        get: "GetBucketOwnershipControls",
        put: "PutBucketOwnershipControls",
        delete: "DeleteBucketOwnershipControls",
        member: "OwnershipControls",
        payload: Some("OwnershipControls"),
        preset: Preset::Missing(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        ),
    },
    Setting {
        name: "Policy",
        get: "GetBucketPolicy",
        put: "PutBucketPolicy",
        delete: "DeleteBucketPolicy",
        member: "Policy",
        payload: Some("Policy"),
        preset: Preset::Missing("NoSuchBucketPolicy", "The bucket policy does not exist"),
    },
    Setting {
        name: "PublicAccessBlock",
        get: "GetPublicAccessBlock",
        put: "PutPublicAccessBlock",
        delete: "DeletePublicAccessBlock",
        member: "PublicAccessBlockConfiguration",
        payload: Some("PublicAccessBlockConfiguration"),
        preset: Preset::Missing(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
    },
    Setting {
        name: "Replication",
        get: "GetBucketReplication",
        put: "PutBucketReplication",
        delete: "DeleteBucketReplication",
        member: "ReplicationConfiguration",
        payload: Some("ReplicationConfiguration"),
        preset: Preset::Missing(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
    },
    Setting {
        name: "RequestPayment",
        get: "GetBucketRequestPayment",
        put: "PutBucketRequestPayment",
        delete: NEVER,
        member: "RequestPaymentConfiguration",
        payload: None,
        preset: Preset::Value(r#"{"Payer": "BucketOwner"}"#),
    },
    Setting {
        name: "Tagging",
        get: "GetBucketTagging",
        put: "PutBucketTagging",
        delete: "DeleteBucketTagging",
        member: "Tagging",
        payload: None,
        preset: Preset::Missing("NoSuchTagSet", "The TagSet does not exist"),
    },
    Setting {
        name: "Versioning",
        get: "GetBucketVersioning",
        put: "PutBucketVersioning",
        delete: NEVER,
        member: "VersioningConfiguration",
        payload: None,
        preset: Preset::Value("{}"),
    },
    Setting {
        name: "Website",
        get: "GetBucketWebsite",
        put: "PutBucketWebsite",
        delete: "DeleteBucketWebsite",
        member: "WebsiteConfiguration",
        payload: None,
        preset: Preset::Missing(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
    },
];

/// Reads, puts or removes a setting.
pub(super) fn answer(call: &Call<'_>) -> Reply {
    let operation = call.operation;
    let setting = SETTINGS
        .iter()
        .find(|setting| [setting.get, setting.put, setting.delete].contains(&operation))
        .ok_or_else(|| AwsFault::new("NotImplementedInSandbox", operation))?;
    let mut bucket = allowed_bucket(call)?;
    if operation == setting.get {
        let value = match (bucket.settings.get(setting.name), setting.preset) {
            (Some(value), _) => value.clone(),
            (None, Preset::Value(text)) => serde_json::from_str(text).unwrap_or_default(),
            (None, Preset::Missing(code, message)) => return Err(fault(code, 404, message)),
        };
        return Ok(match setting.payload {
            Some(payload) => json!({payload: value}),
            None => value,
        });
    }
    if operation == setting.put {
        let value = call.input.get(setting.member).cloned().unwrap_or_else(|| json!({}));
        check(setting, &value)?;
        bucket.settings.insert(setting.name.to_owned(), value);
    } else {
        bucket.settings.remove(setting.name);
    }
    bucket.save(call.world);
    Ok(json!({}))
}

fn check(setting: &Setting, value: &Value) -> Result<(), AwsFault> {
    match setting.name {
        "Policy" => match malformed(value.as_str().unwrap_or_default()) {
            Some(wrong) => Err(fault("MalformedPolicy", 400, wrong)),
            None => Ok(()),
        },
        "Versioning" if value["Status"] == "Enabled" => Err(without_versions()),
        "Tagging" => {
            let tags = value["TagSet"].as_array().map_or(&[][..], Vec::as_slice);
            let twice = tags
                .iter()
                .enumerate()
                .any(|(index, tag)| tags[..index].iter().any(|other| other["Key"] == tag["Key"]));
            match twice {
                true => {
                    Err(fault("InvalidTag", 400, "Cannot provide multiple Tags with the same key"))
                }
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

pub(super) fn without_versions() -> AwsFault {
    fault("NotImplementedInSandbox", 501, "not implemented in the sandbox: object versions in s3")
}

pub(super) fn no_policy() -> AwsFault {
    fault("NoSuchBucketPolicy", 404, "The bucket policy does not exist")
}
