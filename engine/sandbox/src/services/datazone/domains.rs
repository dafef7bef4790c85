//! Domains: made in seconds, owned by who made them, gone some seconds after their deletion.

use serde_json::{Value, json};

use super::room::{
    ASSET, DOMAIN, ENVIRONMENT, OWNED_BY_A_DOMAIN, PROJECT, Room, SOURCE, UNIT, Visit, conflict,
    copy, elements, flag, invalid, keep_equal, new_id, page, text,
};
use super::{association, blueprints, outside, users};
use crate::services::{AwsFault, Call, Reply, kms};

/// `CreateDomain`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let name = call.text("name");
    let version = call.input.get("domainVersion").and_then(Value::as_str).unwrap_or("V1");
    if version != "V1" {
        return Err(invalid("The sandbox has domains of version V1 only: pass domainVersion V1"));
    }
    let taken = call
        .world
        .list::<Value>(&scope, DOMAIN)
        .iter()
        .any(|domain| text(domain, "name") == name && text(domain, "status") != "DELETED");
    if taken {
        return Err(conflict(format!(
            "Domain name already exists under this account, please use a different name: {name}"
        )));
    }
    execution_role(call)?;
    key(call)?;
    let id = new_id(call.world, "dzd");
    let room = Room { world: call.world, scope, domain: id.clone(), now: call.now() };
    let principal = call.principal;
    let creator =
        users::add_profile(&room, &principal.identity_arn, &principal.user_id, "ACTIVATED");
    let unit = add_root_unit(&room, name, &creator);
    blueprints::publish(&room);
    let account = &room.scope.account;
    let region = &room.scope.region;
    let mut domain = json!({
        "id": id, "name": name, "rootDomainUnitId": unit, "status": "CREATING",
        "arn": format!("arn:aws:datazone:{region}:{account}:domain/{id}"),
        "portalUrl": format!("https://{id}.datazone.{region}.on.aws"),
        "managedAccountId": account, "domainVersion": version,
        "singleSignOn": { "type": "DISABLED" }, "tags": {},
        "createdAt": room.time(), "lastUpdatedAt": room.time(),
    });
    copy(
        call.input,
        &mut domain,
        &["description", "singleSignOn", "domainExecutionRole", "kmsKeyIdentifier", "tags"],
    );
    room.put(DOMAIN, &domain);
    room.after(8, "domain_made", &id);
    Ok(domain)
}

/// The role that the domain acts with: it must exist, be the caller's to pass, trust DataZone, and
/// be older than the few seconds that IAM takes to tell everybody of it.
fn execution_role(call: &Call<'_>) -> Result<(), AwsFault> {
    let arn = call.text("domainExecutionRole");
    if arn.is_empty() {
        return Err(invalid("domainExecutionRole is required for domains of version V1"));
    }
    outside::pass_role(call, arn)?;
    let terms = outside::Trust {
        actions: &["sts:AssumeRole", "sts:TagSession"],
        source_account: &call.principal.account,
        source_arn: None,
    };
    outside::usable_role(call.world, arn, &terms, call.now()).map(|_| ()).map_err(|reason| {
        AwsFault::new(
            "AccessDeniedException",
            format!("DataZone cannot use the domain execution role {arn}: {reason}"),
        )
    })
}

/// The customer's key that the domain is encrypted with, if one is named: there, enabled, and the
/// execution role's to use.
fn key(call: &Call<'_>) -> Result<(), AwsFault> {
    let (key, role) = (call.text("kmsKeyIdentifier"), call.text("domainExecutionRole"));
    if key.is_empty() || kms::usable(call.world, &call.scope(), key, kms::User::Role(role)) {
        return Ok(());
    }
    Err(invalid(format!("The KMS key {key} cannot be used with the domain execution role {role}")))
}

fn add_root_unit(room: &Room<'_>, name: &str, creator: &str) -> String {
    let id = room.new_id("unit");
    let unit = json!({
        "id": id, "domainId": room.domain, "name": name, "description": "Root domain unit",
        "owners": [{ "user": { "userId": creator } }],
        "createdAt": room.time(), "lastUpdatedAt": room.time(),
        "createdBy": creator, "lastUpdatedBy": creator,
    });
    room.put(UNIT, &unit);
    id
}

/// `GetDomain`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    Visit::enter_any(call, "identifier")?.domain()
}

/// `ListDomains`: those of the caller's account and those that it is associated with.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let mut items = association::domains(call);
    keep_equal(call, &mut items, "status", "status");
    page(call, "items", items, 25)
}

/// `UpdateDomain`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter_any(call, "identifier")?;
    users::administrator(&visit)?;
    let mut domain = visit.domain()?;
    if !call.text("domainExecutionRole").is_empty() {
        execution_role(call)?;
    }
    copy(call.input, &mut domain, &["description", "singleSignOn", "domainExecutionRole", "name"]);
    domain["lastUpdatedAt"] = json!(visit.room.time());
    visit.room.put(DOMAIN, &domain);
    Ok(domain)
}

/// `DeleteDomain`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter_any(call, "identifier")?;
    users::administrator(&visit)?;
    let mut domain = visit.domain()?;
    let skip = flag(call.input, "skipDeletionCheck");
    let cascade = flag(call.input, "cascadeDelete");
    if skip && cascade {
        return Err(invalid("skipDeletionCheck and cascadeDelete exclude each other"));
    }
    if text(&domain, "status") == "DELETING" {
        return Ok(domain);
    }
    let projects = visit.room.list(PROJECT);
    if !(skip || cascade || projects.is_empty()) {
        return Err(conflict(format!(
            "Domain {} still has {} project(s); delete them first",
            visit.room.domain,
            projects.len()
        )));
    }
    domain["status"] = json!("DELETING");
    domain["lastUpdatedAt"] = json!(visit.room.time());
    domain["_cascade"] = json!(cascade);
    visit.room.put(DOMAIN, &domain);
    visit.room.after(20, "domain_gone", &visit.room.domain);
    Ok(domain)
}

/// A domain reaches AVAILABLE.
pub(super) fn made(room: &Room<'_>) {
    let Some(mut domain) = room.world.get::<Value>(&room.scope, DOMAIN, &room.domain) else {
        return;
    };
    if text(&domain, "status") == "CREATING" {
        domain["status"] = json!("AVAILABLE");
        domain["lastUpdatedAt"] = json!(room.time());
        room.put(DOMAIN, &domain);
    }
}

/// A domain that is being deleted goes, with everything in it. A cascade that meets an environment
/// which still has AWS resources fails, as AWS's does when a project cannot be deleted.
pub(super) fn gone(room: &Room<'_>) {
    let Some(mut domain) = room.world.get::<Value>(&room.scope, DOMAIN, &room.domain) else {
        return;
    };
    let standing: Vec<Value> = room
        .list(ENVIRONMENT)
        .into_iter()
        .filter(|environment| text(environment, "status") != "DELETED")
        .collect();
    if flag(&domain, "_cascade") && !standing.is_empty() {
        domain["status"] = json!("DELETION_FAILED");
        domain["failureReasons"] = json!([{
            "id": standing[0]["projectId"],
            "message": format!("Environment {} could not be deleted", text(&standing[0], "name")),
        }]);
        domain["lastUpdatedAt"] = json!(room.time());
        room.put(DOMAIN, &domain);
        return;
    }
    for kind in [ASSET, SOURCE, PROJECT] {
        for document in room.list(kind) {
            room.remove(kind, &document);
        }
    }
    for kind in OWNED_BY_A_DOMAIN {
        for document in room.list(kind) {
            room.world.delete(&room.scope, kind, text(&document, "id"));
        }
    }
    room.remove(DOMAIN, &domain);
}

/// `ListTagsForResource`.
pub(super) fn tags(call: &Call<'_>) -> Reply {
    let (_, domain) = tagged(call)?;
    Ok(json!({ "tags": domain["tags"] }))
}

/// `TagResource`.
pub(super) fn tag(call: &Call<'_>) -> Reply {
    let (visit, mut domain) = tagged(call)?;
    users::administrator(&visit)?;
    for (key, value) in call.input["tags"].as_object().into_iter().flatten() {
        domain["tags"][key] = value.clone();
    }
    visit.room.put(DOMAIN, &domain);
    Ok(json!({}))
}

/// `UntagResource`.
pub(super) fn untag(call: &Call<'_>) -> Reply {
    let (visit, mut domain) = tagged(call)?;
    users::administrator(&visit)?;
    if let Some(tags) = domain["tags"].as_object_mut() {
        for key in elements(call.input, "tagKeys") {
            tags.remove(key.as_str().unwrap_or_default());
        }
    }
    visit.room.put(DOMAIN, &domain);
    Ok(json!({}))
}

/// The domain that `resourceArn` names: nothing else of DataZone's has tags here.
fn tagged<'a>(call: &'a Call<'a>) -> Result<(Visit<'a>, Value), AwsFault> {
    let id = call.text("resourceArn").rsplit_once(":domain/").map_or("", |(_, id)| id);
    let visit = Visit::enter_id(call, id)?;
    let domain = visit.domain()?;
    Ok((visit, domain))
}
