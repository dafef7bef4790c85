//! Data sources: what of a warehouse or a data lake a project imports, and when.

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::deployments::Kind;
use super::room::{
    ENVIRONMENT, RUN, Room, SOURCE, Visit, conflict, copy, elements, flag, invalid, keep_equal,
    page, text, without_nulls,
};
use super::schedule::Schedule;
use super::standing::{Standing, project_for, project_to_read};
use super::warehouse::{chosen_storage, storage_member};
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

/// The data source that an environment is born with: its own schema or database, all of it, on
/// demand.
pub(super) fn add_default(room: &Room<'_>, environment: &Value) {
    let everything = json!([{ "type": "INCLUDE", "expression": "*" }]);
    let (kind, filter) = match Kind::of(environment) {
        Kind::Warehouse => {
            let database = value_of(elements(environment, "userParameters"), "dbName");
            let filter = json!({
                "databaseName": database, "schemaName": environment["_schema"],
                "filterExpressions": everything,
            });
            (REDSHIFT, filter)
        }
        Kind::Lake => {
            let database = &environment["_producerDb"];
            (GLUE, json!({ "databaseName": database, "filterExpressions": everything }))
        }
    };
    let mut configuration = from_environment(environment);
    configuration["relationalFilterConfigurations"] = json!([filter]);
    let id = room.new_id("src");
    let source = json!({
        "id": id, "dataSourceId": id, "domainId": room.domain,
        "projectId": environment["projectId"], "environmentId": environment["id"],
        "name": format!("{}-default-datasource", text(environment, "name")),
        "type": kind.name, "status": "READY", "enableSetting": "ENABLED",
        "publishOnImport": false,
        "recommendation": { "enableBusinessNameGeneration": true },
        "configuration": { kind.member: configuration },
        "createdBy": environment["createdBy"], "createdAt": room.time(), "updatedAt": room.time(),
        "_default": true,
    });
    room.put(SOURCE, &source);
}

/// A type of data source, and what its configuration is.
struct Kinded {
    name: &'static str,
    /// The member of `configuration`.
    member: &'static str,
    /// What the configuration must have in the end.
    needs: &'static [&'static str],
    /// What else a request may give.
    takes: &'static [&'static str],
    /// The environments that such a source is bound to.
    of: Kind,
}

const REDSHIFT: Kinded = Kinded {
    name: "REDSHIFT",
    member: "redshiftRunConfiguration",
    needs: &[
        "dataAccessRole",
        "relationalFilterConfigurations",
        "redshiftCredentialConfiguration",
        "redshiftStorage",
    ],
    takes: &[],
    of: Kind::Warehouse,
};

const GLUE: Kinded = Kinded {
    name: "GLUE",
    member: "glueRunConfiguration",
    needs: &["dataAccessRole", "relationalFilterConfigurations"],
    takes: &["autoImportDataQualityResult", "catalogName"],
    of: Kind::Lake,
};

fn kind_named(name: &str) -> Result<&'static Kinded, AwsFault> {
    [&REDSHIFT, &GLUE].into_iter().find(|kind| kind.name == name).ok_or_else(|| {
        invalid(format!("The sandbox has no data sources of type {name}, only REDSHIFT and GLUE"))
    })
}

/// What a source inherits of its environment.
fn from_environment(environment: &Value) -> Value {
    let mut members = json!({
        "accountId": environment["awsAccountId"], "region": environment["awsAccountRegion"],
        "dataAccessRole": environment["_manageRole"],
    });
    if Kind::of(environment) == Kind::Warehouse {
        let parameters = elements(environment, "userParameters");
        members["redshiftCredentialConfiguration"] =
            json!({ "secretManagerArn": value_of(parameters, "dataAccessSecretsArn") });
        members["redshiftStorage"] =
            json!(chosen_storage(parameters).map(|storage| storage_member(&storage)));
    }
    members
}

/// `CreateDataSource`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project = call.text("projectIdentifier");
    let (_, user) = project_for(&visit, project, Standing::Worker)?;
    let kind = kind_named(call.text("type"))?;
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
    source["type"] = json!(kind.name);
    source["status"] = json!("CREATING");
    source["enableSetting"] = json!("ENABLED");
    source["publishOnImport"] = json!(false);
    copy(call.input, &mut source, &GIVEN);
    let environment = environment_of(&visit, project)?;
    if let Some(environment) = &environment {
        source["environmentId"] = environment["id"].clone();
    }
    source["configuration"] = configuration(&visit, kind, environment.as_ref())?;
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
fn configuration(
    visit: &Visit<'_>,
    kind: &Kinded,
    environment: Option<&Value>,
) -> Result<Value, AwsFault> {
    let given = &visit.call.input["configuration"][kind.member];
    if given.is_null() {
        return Err(invalid(format!("A {} data source needs a {}", kind.name, kind.member)));
    }
    let mut kept = match environment {
        Some(environment) if Kind::of(environment) == kind.of => from_environment(environment),
        Some(environment) => {
            return Err(invalid(format!(
                "Environment {} takes no data sources of type {}",
                text(environment, "id"),
                kind.name
            )));
        }
        None => json!({
            "accountId": visit.call.principal.account, "region": visit.call.region,
        }),
    };
    copy(given, &mut kept, kind.needs);
    copy(given, &mut kept, kind.takes);
    let absent: Vec<&str> =
        kind.needs.iter().copied().filter(|member| kept[*member].is_null()).collect();
    if !absent.is_empty() {
        return Err(invalid(format!(
            "Without an environment the configuration needs {}",
            absent.join(", ")
        )));
    }
    if let Some(environment) = environment {
        for filter in elements(&kept, "relationalFilterConfigurations") {
            environments::may_publish(environment, published(kind, filter)?)?;
        }
    }
    may_read(visit, kind, &kept)
        .map_err(|reason| AwsFault::new("AccessDeniedException", reason))?;
    Ok(json!({ kind.member: kept }))
}

/// The schema or database that a filter is about.
fn published<'v>(kind: &Kinded, filter: &'v Value) -> Result<&'v str, AwsFault> {
    let (schema, database) = (text(filter, "schemaName"), text(filter, "databaseName"));
    match kind.of {
        Kind::Lake => Ok(database),
        Kind::Warehouse if schema.is_empty() => {
            Err(invalid("A REDSHIFT data source names the schema in each filter"))
        }
        Kind::Warehouse => Ok(schema),
    }
}

/// Refuses a role, or a secret, that DataZone cannot use.
fn may_read(visit: &Visit<'_>, kind: &Kinded, kept: &Value) -> Result<(), String> {
    let role = text(kept, "dataAccessRole");
    match kind.of {
        Kind::Lake => outside::lake_access_role(&visit.room, role).map(|_| ()),
        Kind::Warehouse => {
            let secret = text(&kept["redshiftCredentialConfiguration"], "secretManagerArn");
            let role = outside::manage_access_role(&visit.room, role)?;
            outside::readable_secret(&visit.room, &role, secret)
        }
    }
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
    let before = source.clone();
    copy(call.input, &mut source, &GIVEN);
    if !call.input["configuration"].is_null() {
        let environment = visit.room.find(ENVIRONMENT, text(&source, "environmentId"));
        let kind = kind_named(text(&source, "type"))?;
        source["configuration"] = configuration(&visit, kind, environment.as_ref())?;
    }
    if source == before {
        return Ok(source);
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
