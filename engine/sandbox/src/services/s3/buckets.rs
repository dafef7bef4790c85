//! Making, showing and removing buckets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::access::{allow_without_bucket, allowed_bucket};
use super::fault;
use super::store::{Bucket, bucket, buckets_of};
use crate::people;
use crate::services::{AwsFault, Call, Reply};
use crate::world::{Scope, World};

/// ListBuckets.
pub(super) fn list(call: &Call<'_>) -> Reply {
    allow_without_bucket(call, "*")?;
    let (prefix, region) = (call.text("Prefix"), call.text("BucketRegion"));
    let after = call.text("ContinuationToken");
    let limit = call.input.get("MaxBuckets").and_then(Value::as_u64).unwrap_or(10_000);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found: Vec<Bucket> = buckets_of(call.world, &call.principal.account)
        .into_iter()
        .filter(|bucket| bucket.name.starts_with(prefix))
        .filter(|bucket| region.is_empty() || bucket.region == region)
        .filter(|bucket| bucket.name.as_str() > after)
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let mut shown = json!({"Owner": owner(&call.principal.account)});
    if let Some(last) = found.last().filter(|_| more) {
        shown["ContinuationToken"] = json!(last.name);
    }
    shown["Buckets"] = found
        .iter()
        .map(|bucket| {
            json!({"Name": bucket.name, "CreationDate": bucket.created,
                   "BucketRegion": bucket.region, "BucketArn": bucket.arn()})
        })
        .collect();
    Ok(shown)
}

/// An account as S3 names it.
pub(super) fn owner(account: &str) -> Value {
    json!({"ID": people::hex(&format!("canonical user of {account}"), 64)})
}

/// CreateBucket.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let name = call.text("Bucket");
    allow_without_bucket(call, &format!("arn:aws:s3:::{name}"))?;
    let configuration = call.input.get("CreateBucketConfiguration").unwrap_or(&Value::Null);
    let constraint = configuration["LocationConstraint"].as_str().unwrap_or_default();
    let region = match (constraint, call.region) {
        ("", "us-east-1" | "aws-global") => "us-east-1",
        ("", _) => return Err(illegal_location("unspecified")),
        ("EU", _) => "eu-west-1",
        (wanted, "us-east-1" | "aws-global") => wanted,
        (wanted, here) if wanted == here => here,
        (wanted, _) => return Err(illegal_location(wanted)),
    };
    if call.input.get("ObjectLockEnabledForBucket") == Some(&json!(true)) {
        return Err(super::settings::without_versions());
    }
    let scope = Scope::new(&call.principal.account, region);
    let is_own = bucket(call.world, name)
        .is_some_and(|bucket| bucket.account == scope.account && bucket.region == "us-east-1");
    // The oldest region answers a repetition as if it were the first.
    if !(is_own && region == "us-east-1") {
        let mut made = make(call.world, &scope, name)?;
        if let Some(tags) = configuration.get("Tags").filter(|tags| !tags.is_null()) {
            made.settings.insert("Tagging".to_owned(), json!({"TagSet": tags}));
        }
        if let Some(ownership) = call.input.get("ObjectOwnership").and_then(Value::as_str) {
            made.settings.insert("OwnershipControls".to_owned(), ownership_of(ownership));
        }
        made.save(call.world);
    }
    let location = match region {
        "us-east-1" => format!("/{name}"),
        _ => format!("http://{name}.s3.amazonaws.com/"),
    };
    Ok(json!({"Location": location, "BucketArn": format!("arn:aws:s3:::{name}")}))
}

fn illegal_location(constraint: &str) -> AwsFault {
    fault(
        "IllegalLocationConstraintException",
        400,
        format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint \
             this request was sent to."
        ),
    )
}

fn ownership_of(ownership: &str) -> Value {
    json!({"Rules": [{"ObjectOwnership": ownership}]})
}

/// Makes a bucket in the name of a service.
pub(crate) fn create_bucket(world: &World<'_>, scope: &Scope, name: &str) -> Result<(), AwsFault> {
    make(world, scope, name).map(|_| ())
}

fn make(world: &World<'_>, scope: &Scope, name: &str) -> Result<Bucket, AwsFault> {
    if !is_valid(name) {
        return Err(fault("InvalidBucketName", 400, "The specified bucket is not valid."));
    }
    match bucket(world, name) {
        Some(known) if known.account == scope.account => {
            return Err(AwsFault::new(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        Some(_) => {
            return Err(AwsFault::new(
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all \
                 users of the system. Please select a different name and try again.",
            ));
        }
        None => {}
    }
    let closed = json!({"BlockPublicAcls": true, "IgnorePublicAcls": true,
                        "BlockPublicPolicy": true, "RestrictPublicBuckets": true});
    let made = Bucket {
        name: name.to_owned(),
        account: scope.account.clone(),
        region: scope.region.clone(),
        created: world.now_text(),
        settings: BTreeMap::from([
            ("OwnershipControls".to_owned(), ownership_of("BucketOwnerEnforced")),
            ("PublicAccessBlock".to_owned(), closed),
        ]),
    };
    made.save(world);
    Ok(made)
}

fn is_valid(name: &str) -> bool {
    let end = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && end(bytes.first())
        && end(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(byte))
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

/// DeleteBucket.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    if !bucket.objects_after(call.world, "", "", 1).is_empty() {
        let message = "The bucket you tried to delete is not empty";
        return Err(fault("BucketNotEmpty", 409, message));
    }
    bucket.forget(call.world);
    Ok(json!({}))
}

/// HeadBucket.
pub(super) fn head(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    Ok(json!({"BucketRegion": bucket.region, "AccessPointAlias": false, "BucketArn": bucket.arn()}))
}

/// GetBucketLocation: the oldest region has no name there.
pub(super) fn location(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    Ok(match bucket.region.as_str() {
        "us-east-1" => json!({}),
        region => json!({"LocationConstraint": region}),
    })
}

/// GetBucketAcl: owners are enforced, so that there is one list only.
pub(super) fn acl(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    let owner = owner(&bucket.account);
    let grantee = json!({"ID": owner["ID"], "Type": "CanonicalUser"});
    Ok(json!({
        "Owner": owner, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}],
    }))
}

/// PutBucketAcl: only the list that a bucket has anyway is accepted.
pub(super) fn put_acl(call: &Call<'_>) -> Reply {
    allowed_bucket(call)?;
    match call.text("ACL") {
        "private" | "bucket-owner-full-control" => Ok(json!({})),
        _ => Err(fault("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")),
    }
}

/// GetBucketPolicyStatus.
pub(super) fn policy_status(call: &Call<'_>) -> Reply {
    let bucket = allowed_bucket(call)?;
    let policy = bucket.policy().ok_or_else(super::settings::no_policy)?;
    let open = serde_json::from_str::<Value>(policy).is_ok_and(|policy| is_public(&policy));
    Ok(json!({"PolicyStatus": {"IsPublic": open}}))
}

/// Whether a statement lets everybody in without a condition.
fn is_public(policy: &Value) -> bool {
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    statements.iter().any(|statement| {
        let everybody = [&statement["Principal"], &statement["Principal"]["AWS"]];
        statement["Effect"] == "Allow"
            && statement.get("Condition").is_none()
            && everybody.iter().any(|principal| **principal == "*")
    })
}
