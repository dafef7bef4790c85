//! Managed policies: the customer's, and AWS's to read.

use serde_json::{Value, json};

use super::entity::{
    Entity, conflict, missing, page, path, removed_keys, scope, tag_list, tags_of,
};
use super::grants::checked_document;
use super::state::{Group, POLICY, Policy, PolicyVersion, Role, User, customer_policy, unique_id};
use super::users::with_tags;
use crate::access::managed::{self, ManagedPolicy};
use crate::protocol::percent_encoded;
use crate::services::{AwsFault, Call, Reply};

/// Versions that one policy may have.
const MOST_VERSIONS: usize = 5;

/// When AWS's own policies were made, as far as the sandbox is concerned.
const AWS_DATE: &str = "2023-09-22T20:00:00Z";

pub(super) fn create(call: &Call<'_>) -> Reply {
    let (name, path) = (call.text("PolicyName"), path(call));
    let policies: Vec<Policy> = call.world.list(&scope(call), POLICY);
    if policies.iter().any(|policy| policy.policy_name.eq_ignore_ascii_case(name)) {
        return Err(AwsFault::new(
            "EntityAlreadyExists",
            format!("A policy called {name} already exists. Duplicate names are not allowed."),
        ));
    }
    let now = call.world.now_text();
    let document = checked_document(call)?;
    let version = PolicyVersion { id: "v1".to_owned(), document, create_date: now.clone() };
    let policy = Policy {
        policy_name: name.to_owned(),
        policy_id: unique_id(call.world, "ANPA"),
        arn: format!("arn:aws:iam::{}:policy{path}{name}", call.principal.account),
        path: path.to_owned(),
        description: call.input.get("Description").and_then(Value::as_str).map(str::to_owned),
        create_date: now.clone(),
        update_date: now,
        default_version: "v1".to_owned(),
        last_version: 1,
        versions: vec![version],
        tags: tags_of(call.input),
    };
    save(call, &policy);
    Ok(json!({"Policy": shown(call, &policy)}))
}

pub(super) fn get(call: &Call<'_>) -> Reply {
    if let Some(policy) = managed::by_arn(call.text("PolicyArn")) {
        return Ok(json!({"Policy": shown_managed(call, policy)}));
    }
    Ok(json!({"Policy": shown(call, &own(call)?)}))
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let (scope_wanted, prefix) = (call.text("Scope"), call.text("PathPrefix"));
    let only_attached = call.input.get("OnlyAttached").and_then(Value::as_bool).unwrap_or(false);
    let mut policies = Vec::new();
    if scope_wanted != "Local" {
        policies.extend(managed::POLICIES.iter().map(|policy| shown_managed(call, policy)));
    }
    if scope_wanted != "AWS" {
        let own: Vec<Policy> = call.world.list(&scope(call), POLICY);
        policies.extend(own.iter().map(|policy| {
            let mut shown = shown(call, policy);
            if let Some(object) = shown.as_object_mut() {
                object.remove("Tags");
                object.remove("Description");
            }
            shown
        }));
    }
    policies.retain(|policy| {
        policy["Path"].as_str().is_some_and(|path| path.starts_with(prefix))
            && (!only_attached || policy["AttachmentCount"] != 0)
    });
    page(call, "Policies", policies)
}

pub(super) fn delete(call: &Call<'_>) -> Reply {
    let policy = own(call)?;
    if attachments(call, &policy.arn) > 0 {
        return Err(conflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(conflict(
            "This policy has more than one version. Before you delete a policy, you must delete \
             the policy's versions. The default version is deleted with the policy.",
        ));
    }
    call.world.delete(&scope(call), POLICY, &policy.arn);
    Ok(json!({}))
}

pub(super) fn create_version(call: &Call<'_>) -> Reply {
    let mut policy = own(call)?;
    if policy.versions.len() >= MOST_VERSIONS {
        return Err(AwsFault::new(
            "LimitExceeded",
            "A managed policy can have up to 5 versions. Before you create a new version, you must \
             delete an existing version.",
        ));
    }
    let document = checked_document(call)?;
    policy.last_version += 1;
    let version = PolicyVersion {
        id: format!("v{}", policy.last_version),
        document,
        create_date: call.world.now_text(),
    };
    if call.input.get("SetAsDefault").and_then(Value::as_bool).unwrap_or(false) {
        policy.default_version.clone_from(&version.id);
    }
    policy.update_date = call.world.now_text();
    let output = json!({"PolicyVersion": {
        "VersionId": version.id, "IsDefaultVersion": version.id == policy.default_version,
        "CreateDate": version.create_date,
    }});
    policy.versions.push(version);
    save(call, &policy);
    Ok(output)
}

pub(super) fn get_version(call: &Call<'_>) -> Reply {
    let wanted = call.text("VersionId");
    if let Some(policy) = managed::by_arn(call.text("PolicyArn")) {
        if wanted != policy.version {
            return Err(no_version(call));
        }
        return Ok(json!({"PolicyVersion": {
            "Document": percent_encoded(policy.document), "VersionId": policy.version,
            "IsDefaultVersion": true, "CreateDate": AWS_DATE,
        }}));
    }
    let policy = own(call)?;
    let version = policy
        .versions
        .iter()
        .find(|version| version.id == wanted)
        .ok_or_else(|| no_version(call))?;
    let mut shown = shown_version(&policy, version);
    shown["Document"] = json!(percent_encoded(&version.document));
    Ok(json!({"PolicyVersion": shown}))
}

pub(super) fn list_versions(call: &Call<'_>) -> Reply {
    if let Some(policy) = managed::by_arn(call.text("PolicyArn")) {
        let only = json!({
            "VersionId": policy.version, "IsDefaultVersion": true, "CreateDate": AWS_DATE,
        });
        return page(call, "Versions", vec![only]);
    }
    let policy = own(call)?;
    let versions =
        policy.versions.iter().rev().map(|version| shown_version(&policy, version)).collect();
    page(call, "Versions", versions)
}

pub(super) fn set_default(call: &Call<'_>) -> Reply {
    let mut policy = own(call)?;
    let wanted = call.text("VersionId");
    if !policy.versions.iter().any(|version| version.id == wanted) {
        return Err(no_version(call));
    }
    wanted.clone_into(&mut policy.default_version);
    save(call, &policy);
    Ok(json!({}))
}

pub(super) fn delete_version(call: &Call<'_>) -> Reply {
    let mut policy = own(call)?;
    let wanted = call.text("VersionId");
    if policy.default_version == wanted {
        return Err(conflict("Cannot delete the default version of a policy."));
    }
    let before = policy.versions.len();
    policy.versions.retain(|version| version.id != wanted);
    if policy.versions.len() == before {
        return Err(no_version(call));
    }
    save(call, &policy);
    Ok(json!({}))
}

/// Who has a policy attached.
pub(super) fn entities(call: &Call<'_>) -> Reply {
    let arn = call.text("PolicyArn");
    if managed::by_arn(arn).is_none() {
        own(call)?;
    }
    let users = holders::<User>(call, arn);
    let roles = holders::<Role>(call, arn);
    let groups = holders::<Group>(call, arn);
    Ok(json!({
        "IsTruncated": false,
        "PolicyUsers": users.iter().map(|user| {
            json!({"UserName": user.user_name, "UserId": user.user_id})
        }).collect::<Vec<_>>(),
        "PolicyRoles": roles.iter().map(|role| {
            json!({"RoleName": role.role_name, "RoleId": role.role_id})
        }).collect::<Vec<_>>(),
        "PolicyGroups": groups.iter().map(|group| {
            json!({"GroupName": group.group_name, "GroupId": group.group_id})
        }).collect::<Vec<_>>(),
    }))
}

pub(super) fn list_tags(call: &Call<'_>) -> Reply {
    page(call, "Tags", tag_list(&own(call)?.tags))
}

pub(super) fn tag(call: &Call<'_>) -> Reply {
    let mut policy = own(call)?;
    policy.tags.extend(tags_of(call.input));
    save(call, &policy);
    Ok(json!({}))
}

pub(super) fn untag(call: &Call<'_>) -> Reply {
    let mut policy = own(call)?;
    for key in removed_keys(call.input) {
        policy.tags.remove(key);
    }
    save(call, &policy);
    Ok(json!({}))
}

/// The customer's policy that the input names, in the caller's account.
fn own(call: &Call<'_>) -> Result<Policy, AwsFault> {
    let arn = call.text("PolicyArn");
    customer_policy(call.world, arn)
        .filter(|_| arn.starts_with(&format!("arn:aws:iam::{}:", call.principal.account)))
        .ok_or_else(|| missing(format!("Policy {arn} was not found.")))
}

fn save(call: &Call<'_>, policy: &Policy) {
    call.world.put(&scope(call), POLICY, &policy.arn, policy);
}

fn no_version(call: &Call<'_>) -> AwsFault {
    missing(format!(
        "Policy {} version {} does not exist or is not attachable.",
        call.text("PolicyArn"),
        call.text("VersionId")
    ))
}

fn holders<E: Entity>(call: &Call<'_>, arn: &str) -> Vec<E> {
    let mut holders: Vec<E> = call.world.list(&scope(call), E::KIND);
    holders.retain(|holder| holder.grants().attached.iter().any(|attached| attached == arn));
    holders
}

fn attachments(call: &Call<'_>, arn: &str) -> usize {
    holders::<User>(call, arn).len()
        + holders::<Role>(call, arn).len()
        + holders::<Group>(call, arn).len()
}

fn shown(call: &Call<'_>, policy: &Policy) -> Value {
    let mut shown = json!({
        "PolicyName": policy.policy_name, "PolicyId": policy.policy_id, "Arn": policy.arn,
        "Path": policy.path, "DefaultVersionId": policy.default_version,
        "AttachmentCount": attachments(call, &policy.arn), "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": true, "CreateDate": policy.create_date, "UpdateDate": policy.update_date,
    });
    if let Some(description) = &policy.description {
        shown["Description"] = json!(description);
    }
    with_tags(&mut shown, &policy.tags);
    shown
}

fn shown_managed(call: &Call<'_>, policy: &ManagedPolicy) -> Value {
    let arn = policy.arn();
    json!({
        "PolicyName": policy.name, "PolicyId": format!("ANPASANDBOX{}", policy.name), "Arn": arn,
        "Path": policy.path, "DefaultVersionId": policy.version,
        "AttachmentCount": attachments(call, &arn), "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": true, "CreateDate": AWS_DATE, "UpdateDate": AWS_DATE,
    })
}

fn shown_version(policy: &Policy, version: &PolicyVersion) -> Value {
    json!({
        "VersionId": version.id, "IsDefaultVersion": version.id == policy.default_version,
        "CreateDate": version.create_date,
    })
}
