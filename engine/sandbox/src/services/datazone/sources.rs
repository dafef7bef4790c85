//! Data sources: what of a warehouse a project imports, and when.

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::room::{
    ENVIRONMENT, RUN, Room, SOURCE, Visit, conflict, copy, elements, flag, invalid, keep_equal,
    page, text, without_nulls,
};
use super::schedule::Schedule;
use super::standing::{Standing, project_for, project_to_read};
use super::warehouse::Storage;
use super::{environments, outside, runs};
use crate::services::{AwsFault, Call, Reply};

const GIVEN: [&str; 7] = [
    "name",
    "description",
    "recommendation",
    "enableSetting",
    "publishOnImport",
    "schedule",
    "assetFormsInput",
];

/// The data source that an environment is born with: its own schema, all of it, on demand.
pub(super) fn add_default(room: &Room<'_>, environment: &Value) {
    let parameters = elements(environment, "userParameters");
    let filter = json!({
        "databaseName": value_of(parameters, "dbName"), "schemaName": environment["_schema"],
        "filterExpressions": [{ "type": "INCLUDE", "expression": "*" }],
    });
    let id = room.new_id("src");
    let source = json!({
        "id": id, "dataSourceId": id, "domainId": room.domain,
        "projectId": environment["projectId"], "environmentId": environment["id"],
        "name": format!("{}-default-datasource", text(environment, "name")),
        "type": "REDSHIFT", "status": "READY", "enableSetting": "ENABLED",
        "publishOnImport": false,
        "recommendation": { "enableBusinessNameGeneration": true },
        "configuration": { "redshiftRunConfiguration": {
            "accountId": environment["awsAccountId"], "region": environment["awsAccountRegion"],
            "dataAccessRole": environment["_manageRole"],
            "redshiftCredentialConfiguration": {
                "secretManagerArn": value_of(parameters, "dataAccessSecretsArn") },
            "redshiftStorage": Storage::of_parameters(parameters).map(|storage| storage.json()),
            "relationalFilterConfigurations": [filter],
        } },
        "createdBy": environment["createdBy"], "createdAt": room.time(), "updatedAt": room.time(),
        "_default": true,
    });
    room.put(SOURCE, &source);
}

/// `CreateDataSource`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project = call.text("projectIdentifier");
    let (_, user) = project_for(&visit, project, Standing::Worker)?;
    if call.text("type") != "REDSHIFT" {
        return Err(invalid(format!(
            "The sandbox has no data sources of type {}, only REDSHIFT",
            call.text("type")
        )));
    }
    let name = call.text("name");
    let taken = visit
        .room
        .list(SOURCE)
        .iter()
        .any(|source| text(source, "projectId") == project && text(source, "name") == name);
    if taken {
        return Err(conflict(format!("A data source named {name} already exists in this project")));
    }
    let id = visit.room.new_id("src");
    let mut source = visit.document(&id, &user);
    source["dataSourceId"] = json!(id);
    source["projectId"] = json!(project);
    source["type"] = json!("REDSHIFT");
    source["status"] = json!("CREATING");
    source["enableSetting"] = json!("ENABLED");
    source["publishOnImport"] = json!(false);
    copy(call.input, &mut source, &GIVEN);
    let environment = environment_of(&visit, project)?;
    if let Some(environment) = &environment {
        source["environmentId"] = environment["id"].clone();
    }
    source["configuration"] = configuration(&visit, environment.as_ref())?;
    arrange(&visit.room, &mut source)?;
    visit.room.put(SOURCE, &source);
    visit.room.after(5, "source_ready", &id);
    Ok(source)
}

/// The environment that the source is bound to, when the input names one.
fn environment_of(visit: &Visit<'_>, project: &str) -> Result<Option<Value>, AwsFault> {
    let id = visit.text("environmentIdentifier");
    if id.is_empty() {
        return Ok(None);
    }
    let (environment, _) = environments::active(visit, id)?;
    if text(&environment, "projectId") != project {
        return Err(invalid(format!("Environment {id} is not of project {project}")));
    }
    Ok(Some(environment))
}

/// The configuration as it is kept and answered: what the request leaves out comes from the
/// environment.
fn configuration(visit: &Visit<'_>, environment: Option<&Value>) -> Result<Value, AwsFault> {
    let given = &visit.call.input["configuration"]["redshiftRunConfiguration"];
    if given.is_null() {
        return Err(invalid("A REDSHIFT data source needs a redshiftRunConfiguration"));
    }
    let mut kept = json!({
        "accountId": visit.call.principal.account, "region": visit.call.region,
    });
    let members = [
        "dataAccessRole",
        "relationalFilterConfigurations",
        "redshiftCredentialConfiguration",
        "redshiftStorage",
    ];
    if let Some(environment) = environment {
        let parameters = elements(environment, "userParameters");
        kept["accountId"] = environment["awsAccountId"].clone();
        kept["region"] = environment["awsAccountRegion"].clone();
        kept["dataAccessRole"] = environment["_manageRole"].clone();
        kept["redshiftCredentialConfiguration"] =
            json!({ "secretManagerArn": value_of(parameters, "dataAccessSecretsArn") });
        kept["redshiftStorage"] =
            json!(Storage::of_parameters(parameters).map(|storage| storage.json()));
    }
    copy(given, &mut kept, &members);
    let absent: Vec<&str> = members.into_iter().filter(|member| kept[*member].is_null()).collect();
    if !absent.is_empty() {
        return Err(invalid(format!(
            "Without an environment the configuration needs {}",
            absent.join(", ")
        )));
    }
    if let Some(environment) = environment {
        may_publish(environment, &kept)?;
    }
    let secret = text(&kept["redshiftCredentialConfiguration"], "secretManagerArn");
    outside::manage_access_role(&visit.room, text(&kept, "dataAccessRole"))
        .and_then(|role| outside::readable_secret(&visit.room, &role, secret))
        .map_err(|reason| AwsFault::new("AccessDeniedException", reason))?;
    Ok(json!({ "redshiftRunConfiguration": kept }))
}

/// Refuses schemas that the environment's profile does not let a project publish.
fn may_publish(environment: &Value, configuration: &Value) -> Result<(), AwsFault> {
    let parameters = elements(environment, "userParameters");
    let limited = value_of(parameters, "profilePermissionLevel") == "LIMITED_ACCESS";
    let allowed = value_of(parameters, "allowedSchemas");
    for filter in elements(configuration, "relationalFilterConfigurations") {
        let schema = text(filter, "schemaName");
        if schema.is_empty() {
            return Err(invalid("A REDSHIFT data source names the schema in each filter"));
        }
        let own = schema == text(environment, "_schema");
        let listed =
            allowed.is_empty() || allowed.split(',').any(|allowed| allowed.trim() == schema);
        if !own && (limited || !listed) {
            return Err(invalid(format!(
                "The environment's profile does not allow to publish the schema {schema}"
            )));
        }
    }
    Ok(())
}

/// Arranges the next scheduled run, when the source has a schedule and is enabled. The number that
/// goes with it voids what was arranged before.
fn arrange(room: &Room<'_>, source: &mut Value) -> Result<(), AwsFault> {
    let round = source["_round"].as_u64().unwrap_or_default() + 1;
    source["_round"] = json!(round);
    if source["schedule"].is_null() || text(source, "enableSetting") == "DISABLED" {
        return Ok(());
    }
    let schedule = Schedule::parse(&source["schedule"]).map_err(invalid)?;
    if let Some(next) = schedule.next_after(room.now) {
        room.at(next, "source_scheduled", &format!("{}/{round}", text(source, "id")));
    }
    Ok(())
}

/// A scheduled moment comes: a run starts, and the next one is arranged.
pub(super) fn scheduled(room: &Room<'_>, id: &str) {
    let Some((id, round)) = id.split_once('/') else { return };
    let Some(mut source) = room.find(SOURCE, id) else { return };
    if source["_round"].as_u64() != round.parse().ok() {
        return;
    }
    // The schedule was parsed when it was given, so it cannot be refused now.
    if arrange(room, &mut source).is_ok() {
        room.put(SOURCE, &source);
    }
    runs::start_scheduled(room, &source);
}

/// A new or changed source is ready.
pub(super) fn ready(room: &Room<'_>, id: &str) {
    let Some(mut source) = room.find(SOURCE, id) else { return };
    if matches!(text(&source, "status"), "CREATING" | "UPDATING") {
        source["status"] = json!("READY");
        source["updatedAt"] = json!(room.time());
        room.put(SOURCE, &source);
    }
}

/// `GetDataSource`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    to_look_at(&visit, call.text("identifier"))
}

/// A data source, when the caller may look at its project.
pub(super) fn to_look_at(visit: &Visit<'_>, id: &str) -> Result<Value, AwsFault> {
    let source = visit.room.get(SOURCE, id)?;
    project_to_read(visit, text(&source, "projectId"))?;
    Ok(source)
}

/// A data source, when the caller works in its project.
pub(super) fn to_change(visit: &Visit<'_>, id: &str) -> Result<(Value, String), AwsFault> {
    let source = visit.room.get(SOURCE, id)?;
    let (_, user) = project_for(visit, text(&source, "projectId"), Standing::Worker)?;
    Ok((source, user))
}

/// `ListDataSources`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    project_to_read(&visit, call.text("projectIdentifier"))?;
    let mut items = visit.room.list(SOURCE);
    for (filter, member) in [
        ("projectIdentifier", "projectId"),
        ("environmentIdentifier", "environmentId"),
        ("type", "type"),
        ("status", "status"),
        ("name", "name"),
    ] {
        keep_equal(call, &mut items, filter, member);
    }
    page(call, "items", items, 50)
}

/// `UpdateDataSource`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut source, user) = to_change(&visit, call.text("identifier"))?;
    is_idle(&source)?;
    copy(call.input, &mut source, &GIVEN);
    if !call.input["configuration"].is_null() {
        let environment = visit.room.find(ENVIRONMENT, text(&source, "environmentId"));
        source["configuration"] = configuration(&visit, environment.as_ref())?;
    }
    source["status"] = json!("UPDATING");
    arrange(&visit.room, &mut source)?;
    visit.touch(&mut source, &user);
    visit.room.put(SOURCE, &source);
    visit.room.after(5, "source_ready", text(&source, "id"));
    Ok(source)
}

fn is_idle(source: &Value) -> Result<(), AwsFault> {
    match text(source, "status") {
        "RUNNING" | "DELETING" => Err(conflict(format!(
            "Data source {} is {}",
            text(source, "id"),
            text(source, "status")
        ))),
        _ => Ok(()),
    }
}

/// `DeleteDataSource`. Its assets stay.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut source, user) = to_change(&visit, call.text("identifier"))?;
    is_idle(&source)?;
    source["status"] = json!("DELETING");
    source["retainPermissionsOnRevokeFailure"] =
        json!(flag(call.input, "retainPermissionsOnRevokeFailure"));
    visit.touch(&mut source, &user);
    visit.room.put(SOURCE, &source);
    visit.room.after(8, "source_gone", text(&source, "id"));
    Ok(without_nulls(source))
}

/// A deleted source goes, with its runs.
pub(super) fn gone(room: &Room<'_>, id: &str) {
    let Some(source) = room.find(SOURCE, id) else { return };
    for run in room.list(RUN) {
        if text(&run, "dataSourceId") == id {
            room.world.delete(&room.scope, RUN, text(&run, "id"));
        }
    }
    room.remove(SOURCE, &source);
}
