//! Roles and their trust policies.

use serde_json::{Value, json};

use super::entity::{
    Entity as _, below_prefix, boundary, load, page, path, refuse_duplicate, refuse_with_policies,
    save, scope, tags_of,
};
use super::grants::checked_boundary;
use super::state::{Grants, Role, role, unique_id, user};
use super::users::{with_tags, without_tags};
use crate::access::policy;
use crate::protocol::percent_encoded;
use crate::services::{AwsFault, Call, Reply};

pub(super) fn create(call: &Call<'_>) -> Reply {
    refuse_duplicate::<Role>(call)?;
    let document = checked_trust(call, "AssumeRolePolicyDocument")?;
    let (name, path) = (call.text("RoleName"), path(call));
    let description = call.input.get("Description").and_then(Value::as_str).map(str::to_owned);
    let role = Role {
        role_name: name.to_owned(),
        role_id: unique_id(call.world, "AROA"),
        arn: format!("arn:aws:iam::{}:role{path}{name}", call.principal.account),
        path: path.to_owned(),
        create_date: call.world.now_text(),
        assume_role_policy_document: document,
        description,
        max_session_duration: session_duration(call).unwrap_or(3600),
        grants: Grants { boundary: checked_boundary(call)?, ..Grants::default() },
        tags: tags_of(call.input),
    };
    save(call, &role);
    Ok(json!({"Role": shown(&role)}))
}

pub(super) fn get(call: &Call<'_>) -> Reply {
    let role: Role = load(call)?;
    let mut shown = shown(&role);
    shown["RoleLastUsed"] = json!({});
    Ok(json!({"Role": shown}))
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let roles = below_prefix::<Role>(call);
    page(call, "Roles", roles.iter().map(|role| without_tags(shown(role))).collect())
}

pub(super) fn update(call: &Call<'_>) -> Reply {
    let mut role: Role = load(call)?;
    if let Some(description) = call.input.get("Description").and_then(Value::as_str) {
        role.description = Some(description.to_owned());
    }
    if let Some(seconds) = session_duration(call) {
        role.max_session_duration = seconds;
    }
    save(call, &role);
    Ok(json!({}))
}

pub(super) fn update_description(call: &Call<'_>) -> Reply {
    let mut role: Role = load(call)?;
    role.description = Some(call.text("Description").to_owned());
    save(call, &role);
    Ok(json!({"Role": shown(&role)}))
}

pub(super) fn update_trust(call: &Call<'_>) -> Reply {
    let mut role: Role = load(call)?;
    role.assume_role_policy_document = checked_trust(call, "PolicyDocument")?;
    save(call, &role);
    Ok(json!({}))
}

pub(super) fn delete(call: &Call<'_>) -> Reply {
    let role: Role = load(call)?;
    refuse_with_policies(&role.grants)?;
    call.world.delete(&scope(call), Role::KIND, &role.role_name);
    call.world.remember(&scope(call), "iam/deleted_role", &json!({"arn": role.arn}));
    Ok(json!({}))
}

/// The sandbox has no instance profiles, and a role has none of them.
pub(super) fn instance_profiles(call: &Call<'_>) -> Reply {
    load::<Role>(call)?;
    page(call, "InstanceProfiles", Vec::new())
}

fn session_duration(call: &Call<'_>) -> Option<i64> {
    call.input.get("MaxSessionDuration").and_then(Value::as_i64)
}

/// A trust policy: well-formed, with principals that exist.
fn checked_trust(call: &Call<'_>, member: &str) -> Result<String, AwsFault> {
    let document = call.text(member);
    let malformed = |message: String| AwsFault::new("MalformedPolicyDocument", message);
    if let Some(message) = policy::malformed(document) {
        return Err(malformed(message));
    }
    let parsed: Value = serde_json::from_str(document)
        .map_err(|_| malformed("This policy contains invalid Json".to_owned()))?;
    for statement in statements(&parsed) {
        if statement.get("Resource").is_some() {
            return Err(malformed("Has prohibited field Resource".to_owned()));
        }
        let Some(principal) = statement.get("Principal") else {
            return Err(malformed("Missing required field Principal".to_owned()));
        };
        for name in aws_principals(principal) {
            if !exists(call, name) {
                return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{name}\"")));
            }
        }
    }
    Ok(document.to_owned())
}

fn statements(policy: &Value) -> Vec<&Value> {
    match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn aws_principals(principal: &Value) -> Vec<&str> {
    match principal.get("AWS") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect(),
        None => Vec::new(),
    }
}

/// Users and roles must exist; accounts and sessions are taken at their word.
fn exists(call: &Call<'_>, principal: &str) -> bool {
    let Some(rest) = principal.strip_prefix("arn:aws:iam::") else {
        let is_account =
            principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
        return principal == "*" || is_account || principal.starts_with("arn:aws:sts::");
    };
    match rest.split_once(':') {
        Some((_, "root")) => true,
        Some((_, path)) if path.starts_with("user/") => user(call.world, principal).is_some(),
        Some((_, path)) if path.starts_with("role/") => role(call.world, principal).is_some(),
        _ => false,
    }
}

/// A role as answers show it.
fn shown(role: &Role) -> Value {
    let mut shown = json!({
        "Path": role.path, "RoleName": role.role_name, "RoleId": role.role_id, "Arn": role.arn,
        "CreateDate": role.create_date, "MaxSessionDuration": role.max_session_duration,
        "AssumeRolePolicyDocument": percent_encoded(&role.assume_role_policy_document),
    });
    if let Some(description) = &role.description {
        shown["Description"] = json!(description);
    }
    if let Some(boundary) = boundary(&role.grants) {
        shown["PermissionsBoundary"] = boundary;
    }
    with_tags(&mut shown, &role.tags);
    shown
}
