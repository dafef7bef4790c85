//! Locations in Amazon S3 that Lake Formation manages.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::resource::is_below;
use super::{PAGES, invalid};
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply, iam};
use crate::world::{Scope, World};

const LOCATION: &str = "lakeformation/location";

/// One registered location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Location {
    arn: String,
    role_arn: String,
    with_federation: bool,
    hybrid: bool,
    /// RFC 3339.
    modified: String,
}

/// `RegisterResource`.
pub(super) fn register(call: &Call<'_>) -> Reply {
    let arn = s3_arn(call)?;
    let (scope, own_role) = (call.scope(), call.text("RoleArn"));
    let linked = flag(call, "UseServiceLinkedRole");
    if linked != own_role.is_empty() {
        return Err(invalid("Give a RoleArn, or UseServiceLinkedRole, and not both."));
    }
    if !own_role.is_empty() && iam::role(call.world, own_role).is_none() {
        return Err(invalid(format!("Role {own_role} does not exist.")));
    }
    if has_exactly(call.world, &scope, &arn) {
        return Err(AwsFault::new(
            "AlreadyExistsException",
            "Resource is already registered in this account.",
        ));
    }
    let location = Location {
        role_arn: match own_role {
            "" => linked_role(&scope),
            role => role.to_owned(),
        },
        with_federation: flag(call, "WithFederation"),
        hybrid: flag(call, "HybridAccessEnabled"),
        modified: call.world.now_text(),
        arn,
    };
    call.world.put(&scope, LOCATION, &location.arn, &location);
    Ok(json!({}))
}

/// Registers a location in a service's name; one that is registered stays as it is.
pub(crate) fn register_location(
    world: &World<'_>,
    scope: &Scope,
    s3_arn: &str,
    role_arn: Option<&str>,
    hybrid: bool,
) {
    let arn = s3_arn.trim_end_matches('/').to_owned();
    if has_exactly(world, scope, &arn) {
        return;
    }
    let location = Location {
        role_arn: role_arn.map_or_else(|| linked_role(scope), str::to_owned),
        with_federation: false,
        hybrid,
        modified: world.now_text(),
        arn,
    };
    world.put(scope, LOCATION, &location.arn, &location);
}

/// Takes a location out of Lake Formation's hands in a service's name; says whether it was there.
pub(crate) fn deregister_location(world: &World<'_>, scope: &Scope, s3_arn: &str) -> bool {
    let arn = s3_arn.trim_end_matches('/');
    let there = world.delete(scope, LOCATION, arn);
    if there {
        world.remember(scope, "lakeformation/deregistered_location", &json!({"arn": arn}));
    }
    there
}

/// `DeregisterResource`.
pub(super) fn deregister(call: &Call<'_>) -> Reply {
    match deregister_location(call.world, &call.scope(), call.text("ResourceArn")) {
        true => Ok(json!({})),
        false => Err(not_found()),
    }
}

/// `DescribeResource`.
pub(super) fn describe(call: &Call<'_>) -> Reply {
    Ok(json!({"ResourceInfo": shown(&load(call)?)}))
}

/// `UpdateResource`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let before = load(call)?;
    let mut location = before.clone();
    let role = call.text("RoleArn");
    if iam::role(call.world, role).is_none() {
        return Err(invalid(format!("Role {role} does not exist.")));
    }
    role.clone_into(&mut location.role_arn);
    if let Some(federation) = call.input.get("WithFederation").and_then(Value::as_bool) {
        location.with_federation = federation;
    }
    if let Some(hybrid) = call.input.get("HybridAccessEnabled").and_then(Value::as_bool) {
        location.hybrid = hybrid;
    }
    if location != before {
        location.modified = call.world.now_text();
        call.world.put(&call.scope(), LOCATION, &location.arn, &location);
    }
    Ok(json!({}))
}

/// `ListResources`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let mut locations = call.world.list::<Location>(&call.scope(), LOCATION);
    let filters = call.input.get("FilterConditionList").and_then(Value::as_array);
    for filter in filters.into_iter().flatten() {
        let wanted = texts(filter, "StringValueList");
        let role = match filter["Field"].as_str() {
            Some("RESOURCE_ARN") => false,
            Some("ROLE_ARN") => true,
            other => return Err(invalid(format!("The sandbox does not filter by {other:?}."))),
        };
        let test: fn(&str, &str) -> bool = match filter["ComparisonOperator"].as_str() {
            Some("EQ" | "IN") => |value, wanted| value == wanted,
            Some("CONTAINS") => |value, wanted| value.contains(wanted),
            Some("BEGINS_WITH") => |value, wanted| value.starts_with(wanted),
            other => return Err(invalid(format!("The sandbox does not compare by {other:?}."))),
        };
        locations.retain(|location| {
            let value = if role { &location.role_arn } else { &location.arn };
            wanted.iter().any(|wanted| test(value, wanted))
        });
    }
    PAGES.page(call, "ResourceInfoList", locations.iter().map(shown).collect())
}

/// Whether the ARN lies in a location that this account registered.
pub(super) fn has(world: &World<'_>, scope: &Scope, arn: &str) -> bool {
    let locations = world.list::<Location>(scope, LOCATION);
    locations.iter().any(|location| is_below(arn, &location.arn))
}

fn has_exactly(world: &World<'_>, scope: &Scope, arn: &str) -> bool {
    world.get::<Location>(scope, LOCATION, arn).is_some()
}

/// Whether Lake Formation has the location of data, `s3://bucket/prefix`, in its hands: registered
/// by whatever account.
pub(crate) fn is_registered(world: &World<'_>, s3_uri: &str) -> bool {
    let Some(path) = s3_uri.strip_prefix("s3://") else { return false };
    let arn = format!("arn:aws:s3:::{}", path.trim_end_matches('/'));
    let locations = world.list_everywhere::<Location>(LOCATION);
    locations.iter().any(|stored| is_below(&arn, &stored.document.arn))
}

fn load(call: &Call<'_>) -> Result<Location, AwsFault> {
    let arn = s3_arn(call)?;
    call.world.get(&call.scope(), LOCATION, &arn).ok_or_else(not_found)
}

fn s3_arn(call: &Call<'_>) -> Result<String, AwsFault> {
    let arn = call.text("ResourceArn").trim_end_matches('/');
    match arn.strip_prefix("arn:aws:s3:::") {
        Some(path) if !path.is_empty() => Ok(arn.to_owned()),
        _ => Err(invalid(format!("{arn} is no ARN of a location in Amazon S3."))),
    }
}

fn linked_role(scope: &Scope) -> String {
    format!(
        "arn:aws:iam::{}:role/aws-service-role/lakeformation.amazonaws.com/\
         AWSServiceRoleForLakeFormationDataAccess",
        scope.account
    )
}

fn flag(call: &Call<'_>, member: &str) -> bool {
    call.input.get(member).and_then(Value::as_bool).unwrap_or(false)
}

fn shown(location: &Location) -> Value {
    json!({
        "ResourceArn": location.arn, "RoleArn": location.role_arn,
        "LastModified": location.modified, "WithFederation": location.with_federation,
        "HybridAccessEnabled": location.hybrid,
    })
}

fn not_found() -> AwsFault {
    AwsFault::new("EntityNotFoundException", "Entity not found")
}
