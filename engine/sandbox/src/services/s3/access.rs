//! Who may do what in Amazon S3: the caller's policies and the bucket's, together.
//!
//! Within one account either of the two is enough; across accounts both have to allow it.

use super::fault;
use super::store::{Bucket, bucket, no_such_bucket};
use crate::access::policy::{Asked, Context, Trustee, Verdict, resource_policy};
use crate::access::{self, Question, Refusal};
use crate::people::{Principal, PrincipalKind};
use crate::services::{AwsFault, Call};
use crate::world::World;

/// The permission that an operation needs, where it is not called like the operation.
const ACTIONS: [(&str, &str); 30] = [
    ("CopyObject", "PutObject"),
    ("DeleteBucketCors", "PutBucketCORS"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("DeleteBucketReplication", "PutReplicationConfiguration"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("DeleteObjects", "DeleteObject"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("GetBucketCors", "GetBucketCORS"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("ListBuckets", "ListAllMyBuckets"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListObjects", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("PutBucketAccelerateConfiguration", "PutAccelerateConfiguration"),
    ("PutBucketCors", "PutBucketCORS"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("PutBucketReplication", "PutReplicationConfiguration"),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
];

/// The permission that a call needs, `s3:ListBucket`.
fn action(operation: &str) -> String {
    let named = ACTIONS.iter().find(|(name, _)| *name == operation);
    format!("s3:{}", named.map_or(operation, |(_, action)| action))
}

/// The bucket of a call, when it is in the caller's region and the call is allowed.
pub(super) fn allowed_bucket(call: &Call<'_>) -> Result<Bucket, AwsFault> {
    let found = bucket(call.world, call.text("Bucket")).ok_or_else(no_such_bucket)?;
    let owner = call.text("ExpectedBucketOwner");
    if !owner.is_empty() && owner != found.account {
        return Err(fault("AccessDenied", 403, "Access Denied"));
    }
    // Where a bucket is can be asked from everywhere.
    if found.region != call.region && call.operation != "GetBucketLocation" {
        return Err(elsewhere());
    }
    let key = call.text("Key");
    let resource = if key.is_empty() { found.arn() } else { format!("{}/{key}", found.arn()) };
    allow(call, &found, &action(call.operation), &resource)?;
    Ok(found)
}

fn elsewhere() -> AwsFault {
    fault(
        "PermanentRedirect",
        301,
        "The bucket you are attempting to access must be addressed using the specified endpoint. \
         Please send all future requests to this endpoint.",
    )
}

/// Refuses a call that needs no bucket, unless the caller's policies allow it.
pub(super) fn allow_without_bucket(call: &Call<'_>, resource: &str) -> Result<(), AwsFault> {
    let action = action(call.operation);
    let context = Context::default().with("aws:RequestedRegion", call.region);
    let question = Question { principal: call.principal, action: &action, resource, context };
    access::decide(call.world, &question)
        .map_err(|refusal| refused(call.principal, &action, resource, &because(refusal, &action)))
}

/// Refuses a call about a bucket, or an object in it, that is not allowed.
pub(super) fn allow(
    call: &Call<'_>,
    bucket: &Bucket,
    action: &str,
    resource: &str,
) -> Result<(), AwsFault> {
    let mut context = Context::default().with("aws:RequestedRegion", call.region);
    for (member, key) in [("Prefix", "s3:prefix"), ("Delimiter", "s3:delimiter")] {
        if let Some(value) = call.input.get(member).and_then(serde_json::Value::as_str) {
            context.add(key, value);
        }
    }
    decide(call.world, call.principal, bucket, action, resource, context)
}

/// Whether a principal may do `action` (`s3:GetObject`) with an object; without a key, with the
/// bucket. The reason is the text of the refusal.
pub(crate) fn may(
    world: &World<'_>,
    principal: &Principal,
    action: &str,
    bucket: &Bucket,
    key: &str,
) -> Result<(), AwsFault> {
    let arn = bucket.arn();
    let resource = if key.is_empty() { arn } else { format!("{arn}/{key}") };
    decide(world, principal, bucket, action, &resource, Context::default())
}

fn decide(
    world: &World<'_>,
    principal: &Principal,
    bucket: &Bucket,
    action: &str,
    resource: &str,
    context: Context,
) -> Result<(), AwsFault> {
    let context = context.with("aws:ResourceAccount", bucket.account.as_str());
    let caller = Trustee::Caller {
        account: &principal.account,
        arn: &principal.arn,
        identity_arn: &principal.identity_arn,
    };
    let conditions = context
        .clone()
        .with("aws:PrincipalArn", principal.identity_arn.as_str())
        .with("aws:PrincipalAccount", principal.account.as_str())
        .with("aws:SecureTransport", "true");
    let asked = Asked { action, resource, context: &conditions };
    let by_bucket = bucket
        .policy()
        .map_or(Verdict::ImplicitDeny, |document| resource_policy(document, caller, &asked));
    let refuse = |why: String| Err(refused(principal, action, resource, &why));
    if by_bucket == Verdict::ExplicitDeny && principal.kind != PrincipalKind::Root {
        return refuse("with an explicit deny in a resource-based policy".to_owned());
    }
    let question = Question { principal, action, resource, context };
    let own = principal.account == bucket.account;
    match access::decide(world, &question) {
        Ok(()) if own || by_bucket == Verdict::Allow => Ok(()),
        Ok(()) => refuse(format!("because no resource-based policy allows the {action} action")),
        Err(Refusal::Identity) if own && by_bucket == Verdict::Allow => Ok(()),
        Err(refusal) => refuse(because(refusal, action)),
    }
}

fn because(refusal: Refusal, action: &str) -> String {
    match refusal {
        Refusal::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
        Refusal::Identity => format!("because no identity-based policy allows the {action} action"),
        Refusal::Boundary => format!("because no permissions boundary allows the {action} action"),
        Refusal::Session => format!("because no session policy allows the {action} action"),
    }
}

fn refused(principal: &Principal, action: &str, resource: &str, why: &str) -> AwsFault {
    let arn = &principal.arn;
    fault(
        "AccessDenied",
        403,
        format!(
            "User: {arn} is not authorized to perform: {action} on resource: \"{resource}\" {why}"
        ),
    )
}
