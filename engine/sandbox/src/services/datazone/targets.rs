//! Subscription targets: where in an environment granted data appears.

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::deployments::Kind;
use super::environments::{to_read, to_work};
use super::room::{
    ENVIRONMENT, GRANT, Room, TARGET, Visit, conflict, copy, elements, missing, page, sorted, text,
};
use crate::services::{AwsFault, Call, Reply};

/// The asset types that a warehouse takes.
const TAKES: [&str; 2] =
    ["amazon.datazone.RedshiftTableAssetType", "amazon.datazone.RedshiftViewAssetType"];

/// The asset type that a data lake takes.
const LAKE_TAKES: [&str; 1] = ["amazon.datazone.GlueTableAssetType"];

const CHANGEABLE: [&str; 7] = [
    "name",
    "authorizedPrincipals",
    "applicableAssetTypes",
    "subscriptionTargetConfig",
    "manageAccessRole",
    "provider",
    "subscriptionGrantCreationMode",
];

/// The target that an environment is born with.
pub(super) fn add_default(room: &Room<'_>, environment: &Value) {
    let (kind, form, content, takes): (&str, &str, Value, &[&str]) = match Kind::of(environment) {
        Kind::Warehouse => (
            "RedshiftSubscriptionTargetType",
            "RedshiftSubscriptionTargetConfigForm",
            warehouse_form(environment),
            &TAKES,
        ),
        Kind::Lake => (
            "GlueSubscriptionTargetType",
            "GlueSubscriptionTargetConfigForm",
            json!({ "databaseName": environment["_consumerDb"] }),
            &LAKE_TAKES,
        ),
    };
    let id = room.new_id("tgt");
    let target = json!({
        "id": id, "domainId": room.domain, "projectId": environment["projectId"],
        "environmentId": environment["id"],
        "name": format!("{}-default-target", text(environment, "name")), "type": kind,
        "createdBy": environment["createdBy"], "createdAt": room.time(), "updatedAt": room.time(),
        "manageAccessRole": environment["_manageRole"],
        "authorizedPrincipals": [environment["_roleArn"]], "applicableAssetTypes": takes,
        "subscriptionTargetConfig": [{ "formName": form, "content": content.to_string() }],
        "provider": "Amazon DataZone", "subscriptionGrantCreationMode": "AUTOMATIC",
        "_default": true,
    });
    room.put(TARGET, &target);
}

fn warehouse_form(environment: &Value) -> Value {
    let parameters = elements(environment, "userParameters");
    let mut form = json!({
        "databaseName": value_of(parameters, "dbName"),
        "schemaName": environment["_schema"],
        "secretManagerArn": value_of(parameters, "dataAccessSecretsArn"),
    });
    for (key, member) in [("clusterName", "clusterIdentifier"), ("workgroupName", "workgroupName")]
    {
        if !value_of(parameters, key).is_empty() {
            form[member] = json!(value_of(parameters, key));
        }
    }
    form
}

/// `CreateSubscriptionTarget`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (environment, user) = to_work(&visit, call.text("environmentIdentifier"))?;
    let name = call.text("name");
    if of_environment(&visit.room, text(&environment, "id"))
        .iter()
        .any(|target| text(target, "name") == name)
    {
        return Err(conflict(format!("A subscription target named {name} already exists")));
    }
    let mut target = visit.document(&visit.room.new_id("tgt"), &user);
    target["projectId"] = environment["projectId"].clone();
    target["environmentId"] = environment["id"].clone();
    target["provider"] = json!("Amazon DataZone");
    target["subscriptionGrantCreationMode"] = json!("AUTOMATIC");
    copy(call.input, &mut target, &["type"]);
    copy(call.input, &mut target, &CHANGEABLE);
    visit.room.put(TARGET, &target);
    Ok(target)
}

/// The targets of an environment.
pub(super) fn of_environment(room: &Room<'_>, environment: &str) -> Vec<Value> {
    let mut targets = room.list(TARGET);
    targets.retain(|target| text(target, "environmentId") == environment);
    targets
}

/// `GetSubscriptionTarget`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    to_read(&visit, call.text("environmentIdentifier"))?;
    named(&visit)
}

fn named(visit: &Visit<'_>) -> Result<Value, AwsFault> {
    let id = visit.text("identifier");
    visit
        .room
        .find(TARGET, id)
        .filter(|target| text(target, "environmentId") == visit.text("environmentIdentifier"))
        .ok_or_else(|| missing(TARGET, id))
}

/// `ListSubscriptionTargets`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let environment = call.text("environmentIdentifier");
    to_read(&visit, environment)?;
    let mut items = of_environment(&visit.room, environment);
    sorted(call, &mut items);
    page(call, "items", items, 50)
}

/// `UpdateSubscriptionTarget`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (_, user) = to_work(&visit, call.text("environmentIdentifier"))?;
    let mut target = named(&visit)?;
    copy(call.input, &mut target, &CHANGEABLE);
    visit.touch(&mut target, &user);
    visit.room.put(TARGET, &target);
    Ok(target)
}

/// `DeleteSubscriptionTarget`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    to_work(&visit, call.text("environmentIdentifier"))?;
    let target = named(&visit)?;
    let id = text(&target, "id");
    let used =
        visit.room.list(GRANT).iter().any(|grant| {
            text(grant, "subscriptionTargetId") == id && super::grants::holds_data(grant)
        });
    if used {
        return Err(conflict(format!("Subscription target {id} still has grants")));
    }
    visit.room.remove(TARGET, &target);
    Ok(Value::Null)
}

/// The environment and the target that a grant is for, when both are there.
pub(super) fn of_grant(room: &Room<'_>, grant: &Value) -> Option<(Value, Value)> {
    let target = room.find(TARGET, text(grant, "subscriptionTargetId"))?;
    let environment = room.find(ENVIRONMENT, text(&target, "environmentId"))?;
    Some((environment, target))
}

/// Whether a target takes assets of a type.
pub(super) fn takes(target: &Value, asset_type: &str) -> bool {
    elements(target, "applicableAssetTypes").iter().any(|taken| *taken == *asset_type)
}
