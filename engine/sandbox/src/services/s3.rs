//! Amazon S3: buckets, their settings and their objects, as far as a data lake needs them.
//!
//! Names of buckets are global; a bucket lives in the account and region that made it, and whoever
//! comes from another region is told which one. Access follows the caller's policies and the
//! bucket's. Object versions, multipart uploads and ranges are left out: who asks for versions or
//! parts is refused by name, and a range is answered with the whole object, as HTTP allows.
//!
//! # Layout
//! - `store`: the documents, and what other services ask of them.
//! - `access`: who may do what.
//! - `buckets`, `objects`, `listing`: the operations. `settings`: what a bucket is configured with.

mod access;
mod buckets;
mod listing;
mod objects;
mod settings;
mod store;

use serde_json::Value;

use super::{AwsFault, Call, Reply, Service};
use crate::world::World;

pub(crate) use access::may;
pub(crate) use buckets::create_bucket;
pub(crate) use store::{body, bucket, objects, put_object, remove_objects, split_uri};

/// Amazon S3.
#[derive(Debug)]
pub(crate) struct S3;

impl Service for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "CopyObject",
            "CreateBucket",
            "DeleteBucket",
            "DeleteBucketCors",
            "DeleteBucketEncryption",
            "DeleteBucketLifecycle",
            "DeleteBucketOwnershipControls",
            "DeleteBucketPolicy",
            "DeleteBucketReplication",
            "DeleteBucketTagging",
            "DeleteBucketWebsite",
            "DeleteObject",
            "DeleteObjectTagging",
            "DeleteObjects",
            "DeletePublicAccessBlock",
            "GetBucketAccelerateConfiguration",
            "GetBucketAcl",
            "GetBucketCors",
            "GetBucketEncryption",
            "GetBucketLifecycleConfiguration",
            "GetBucketLocation",
            "GetBucketLogging",
            "GetBucketNotificationConfiguration",
            "GetBucketOwnershipControls",
            "GetBucketPolicy",
            "GetBucketPolicyStatus",
            "GetBucketReplication",
            "GetBucketRequestPayment",
            "GetBucketTagging",
            "GetBucketVersioning",
            "GetBucketWebsite",
            "GetObject",
            "GetObjectLockConfiguration",
            "GetObjectTagging",
            "GetPublicAccessBlock",
            "HeadBucket",
            "HeadObject",
            "ListBuckets",
            "ListObjectVersions",
            "ListObjects",
            "ListObjectsV2",
            "PutBucketAccelerateConfiguration",
            "PutBucketAcl",
            "PutBucketCors",
            "PutBucketEncryption",
            "PutBucketLifecycleConfiguration",
            "PutBucketLogging",
            "PutBucketNotificationConfiguration",
            "PutBucketOwnershipControls",
            "PutBucketPolicy",
            "PutBucketReplication",
            "PutBucketRequestPayment",
            "PutBucketTagging",
            "PutBucketVersioning",
            "PutBucketWebsite",
            "PutObject",
            "PutObjectTagging",
            "PutPublicAccessBlock",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "ListBuckets" => buckets::list(call),
            "CreateBucket" => buckets::create(call),
            "DeleteBucket" => buckets::delete(call),
            "HeadBucket" => buckets::head(call),
            "GetBucketLocation" => buckets::location(call),
            "GetBucketAcl" => buckets::acl(call),
            "PutBucketAcl" => buckets::put_acl(call),
            "GetBucketPolicyStatus" => buckets::policy_status(call),
            "PutObject" => objects::put(call),
            "CopyObject" => objects::copy(call),
            "GetObject" => objects::get(call),
            "HeadObject" => objects::head(call),
            "DeleteObject" => objects::delete(call),
            "DeleteObjects" => objects::delete_many(call),
            "GetObjectTagging" => objects::tagging(call),
            "PutObjectTagging" => objects::put_tagging(call),
            "DeleteObjectTagging" => objects::delete_tagging(call),
            "ListObjects" => listing::by_marker(call),
            "ListObjectsV2" => listing::by_token(call),
            "ListObjectVersions" => listing::versions(call),
            _ => settings::answer(call),
        }
    }

    /// The bucket's policy takes part in the decision.
    fn decides_access(&self, call: &Call<'_>) -> bool {
        let _ = call;
        true
    }

    /// Whoever asks for a bucket is told where it is, most of all in a refusal.
    fn answer_headers(&self, world: &World<'_>, input: &Value) -> Vec<(&'static str, String)> {
        let name = input.get("Bucket").and_then(Value::as_str).unwrap_or_default();
        bucket(world, name)
            .map(|bucket| vec![("x-amz-bucket-region", bucket.region)])
            .unwrap_or_default()
    }
}

/// An error with its HTTP status, which the model seldom has.
fn fault(code: &str, status: u16, message: impl Into<String>) -> AwsFault {
    AwsFault { code: code.to_owned(), message: message.into(), status: Some(status) }
}
