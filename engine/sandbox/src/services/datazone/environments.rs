//! Environments: what a project has in an AWS account. Here, a schema in a Redshift warehouse, the
//! role that its people query it with, a subscription target and a data source.
//!
//! Creation and deletion are AWS deployments: they take minutes, they act with the roles of the
//! blueprint's configuration, and they fail late and with a reason when one of those is not as it
//! should be. A deleted environment stays visible, and its name stays taken.

use serde_json::{Value, json};

use super::blueprints::{chosen, value_of};
use super::profiles::{enabled, is_warehouse, may_use};
use super::room::{
    BLUEPRINT, ENVIRONMENT, PROFILE, Room, SOURCE, TARGET, Visit, conflict, copy, denied, elements,
    invalid, keep_equal, page, text,
};
use super::standing::{Standing, project_for, project_to_read};
use super::warehouse::Storage;
use super::{outside, sources, targets};
use crate::people::{SessionTerms, mint_role_session};
use crate::services::{AwsFault, Call, Reply};

/// Seconds until a new environment's parameters have been looked at.
const CHECKED_AFTER: i64 = 20;
/// Seconds that its deployment takes after that.
const MADE_AFTER: i64 = 220;
/// Seconds that the deletion takes.
const GONE_AFTER: i64 = 150;
/// Seconds that an environment's credentials last.
const CREDENTIALS_LAST: i64 = 3600;

/// `CreateEnvironment`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project = call.text("projectIdentifier");
    let (_, user) = project_for(&visit, project, Standing::Worker)?;
    let profile = visit
        .room
        .find(PROFILE, call.text("environmentProfileIdentifier"))
        .filter(|profile| may_use(profile, project))
        .ok_or_else(|| denied(call))?;
    let blueprint = visit.room.get(BLUEPRINT, text(&profile, "environmentBlueprintId"))?;
    if !is_warehouse(&blueprint) {
        return Err(invalid(format!(
            "The sandbox has no environments of the blueprint {}",
            text(&blueprint, "name")
        )));
    }
    name_is_free(&visit, project)?;
    let (account, region) = (text(&profile, "awsAccountId"), text(&profile, "awsAccountRegion"));
    let configuration = enabled(&visit, &blueprint, account, region)?;
    let parameters =
        chosen(elements(&profile, "userParameters"), elements(call.input, "userParameters"))?;
    require_parameters(&parameters)?;
    let id = visit.room.new_id("env");
    let mut environment = visit.document(&id, &user);
    environment["projectId"] = json!(project);
    environment["environmentProfileId"] = profile["id"].clone();
    environment["environmentBlueprintId"] = blueprint["id"].clone();
    environment["awsAccountId"] = json!(account);
    environment["awsAccountRegion"] = json!(region);
    environment["provider"] = blueprint["provider"].clone();
    environment["provisioningProperties"] = blueprint["provisioningProperties"].clone();
    environment["deploymentProperties"] = blueprint["deploymentProperties"].clone();
    environment["userParameters"] = json!(parameters);
    environment["provisionedResources"] = json!([]);
    environment["environmentActions"] = json!([]);
    environment["status"] = json!("CREATING");
    environment["lastDeployment"] = deployment(&visit.room, "CREATE");
    environment["_provisioningRole"] = configuration["provisioningRoleArn"].clone();
    environment["_manageRole"] = configuration["manageAccessRoleArn"].clone();
    copy(call.input, &mut environment, &["name", "description", "glossaryTerms"]);
    visit.room.put(ENVIRONMENT, &environment);
    visit.room.after(CHECKED_AFTER, "environment_checked", &id);
    Ok(environment)
}

/// A name is taken for ever within its project: an environment that reached DELETED keeps it.
fn name_is_free(visit: &Visit<'_>, project: &str) -> Result<(), AwsFault> {
    let name = visit.text("name");
    let taken = visit.room.list(ENVIRONMENT).iter().any(|environment| {
        text(environment, "projectId") == project && text(environment, "name") == name
    });
    match taken {
        true => {
            Err(conflict(format!("An environment named {name} already exists within this project")))
        }
        false => Ok(()),
    }
}

fn require_parameters(parameters: &[Value]) -> Result<(), AwsFault> {
    let absent: Vec<&str> = parameters
        .iter()
        .filter(|parameter| parameter["isOptional"] == false)
        .map(|parameter| text(parameter, "keyName"))
        .filter(|key| value_of(parameters, key).is_empty())
        .collect();
    if !absent.is_empty() {
        return Err(invalid(format!("User parameters are missing: {}", absent.join(", "))));
    }
    match Storage::of_parameters(parameters) {
        Some(_) => Ok(()),
        None => Err(invalid("Give either clusterName or workgroupName")),
    }
}

fn deployment(room: &Room<'_>, kind: &str) -> Value {
    json!({
        "deploymentId": room.new_id("dep"), "deploymentType": kind,
        "deploymentStatus": "IN_PROGRESS", "isDeploymentComplete": false, "messages": [],
    })
}

/// `GetEnvironment`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    to_read(&visit, call.text("identifier"))
}

/// An environment, when the caller may look at its project.
pub(super) fn to_read(visit: &Visit<'_>, id: &str) -> Result<Value, AwsFault> {
    let environment = visit.room.find(ENVIRONMENT, id).ok_or_else(|| denied(visit.call))?;
    project_to_read(visit, text(&environment, "projectId"))?;
    Ok(environment)
}

/// An environment, when the caller works in its project, with the caller's profile.
pub(super) fn to_work(visit: &Visit<'_>, id: &str) -> Result<(Value, String), AwsFault> {
    let environment = visit.room.find(ENVIRONMENT, id).ok_or_else(|| denied(visit.call))?;
    let (_, user) = project_for(visit, text(&environment, "projectId"), Standing::Worker)?;
    Ok((environment, user))
}

/// Like [`to_work`], for what only an active environment can do.
pub(super) fn active(visit: &Visit<'_>, id: &str) -> Result<(Value, String), AwsFault> {
    let (environment, user) = to_work(visit, id)?;
    match text(&environment, "status") {
        "ACTIVE" => Ok((environment, user)),
        status => Err(invalid(format!("Environment {id} is {status}, not ACTIVE"))),
    }
}

/// `ListEnvironments`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    project_to_read(&visit, call.text("projectIdentifier"))?;
    let mut items = visit.room.list(ENVIRONMENT);
    for (filter, member) in [
        ("projectIdentifier", "projectId"),
        ("name", "name"),
        ("status", "status"),
        ("awsAccountId", "awsAccountId"),
        ("awsAccountRegion", "awsAccountRegion"),
        ("environmentProfileIdentifier", "environmentProfileId"),
        ("environmentBlueprintIdentifier", "environmentBlueprintId"),
        ("provider", "provider"),
    ] {
        keep_equal(call, &mut items, filter, member);
    }
    page(call, "items", items, 50)
}

/// `UpdateEnvironment`: words only; no parameter of the blueprint can be updated.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut environment, user) = to_work(&visit, call.text("identifier"))?;
    if text(&environment, "status") != "ACTIVE" {
        return Err(conflict("Only an ACTIVE environment can be updated"));
    }
    if !elements(call.input, "userParameters").is_empty() {
        return Err(invalid("The blueprint's user parameters cannot be updated"));
    }
    let name = call.text("name");
    if !name.is_empty() && name != text(&environment, "name") {
        name_is_free(&visit, text(&environment, "projectId"))?;
    }
    copy(call.input, &mut environment, &["name", "description", "glossaryTerms"]);
    visit.touch(&mut environment, &user);
    visit.room.put(ENVIRONMENT, &environment);
    Ok(environment)
}

/// `DeleteEnvironment`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let id = call.text("identifier");
    let (mut environment, user) = to_work(&visit, id)?;
    match text(&environment, "status") {
        "DELETED" => return Err(denied(call)),
        "DELETING" => return Ok(Value::Null),
        status @ ("CREATING" | "UPDATING") => {
            return Err(invalid(format!("Environment {id} is {status}; wait for it")));
        }
        _ => {}
    }
    environment["status"] = json!("DELETING");
    environment["lastDeployment"] = deployment(&visit.room, "DELETE");
    visit.touch(&mut environment, &user);
    visit.room.put(ENVIRONMENT, &environment);
    visit.room.after(GONE_AFTER, "environment_gone", id);
    Ok(Value::Null)
}

/// `GetEnvironmentCredentials`: a session of the environment's role.
pub(super) fn credentials(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (environment, user) = active(&visit, call.text("environmentIdentifier"))?;
    let terms = SessionTerms {
        lasts: time::Duration::seconds(CREDENTIALS_LAST),
        policy: None,
        alias: call.principal.alias.as_deref(),
    };
    let session = mint_role_session(
        call.world,
        text(&environment, "awsAccountId"),
        &role_name(text(&environment, "id")),
        &format!("datazone-{user}"),
        &terms,
    );
    Ok(json!({
        "accessKeyId": session.access_key_id, "secretAccessKey": session.secret_access_key,
        "sessionToken": session.session_token,
        "expiration": crate::world::timestamp(session.expiration),
    }))
}

/// Name of the role that an environment's people query with.
pub(super) fn role_name(environment: &str) -> String {
    format!("datazone_usr_role_{environment}")
}

/// Name of an environment's own schema.
pub(super) fn schema_name(environment: &Value) -> String {
    let name = text(environment, "name").to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("datazone_env_{name}")
}

/// A deployment's parameters are looked at: a secret that DataZone may not read or a warehouse that
/// does not answer ends it here.
pub(super) fn checked(room: &Room<'_>, id: &str) {
    let Some(mut environment) = room.find(ENVIRONMENT, id) else { return };
    let parameters = elements(&environment, "userParameters");
    let secret = value_of(parameters, "dataAccessSecretsArn");
    let outcome = outside::manage_access_role(room, text(&environment, "_manageRole"))
        .and_then(|role| outside::readable_secret(room, &role, secret))
        .and_then(|()| super::warehouse::of_environment(room, &environment).map(|_| ()));
    match outcome {
        Ok(()) => room.after(MADE_AFTER, "environment_made", id),
        Err(reason) => {
            environment["status"] = json!("VALIDATION_FAILED");
            fail(room, &mut environment, &reason);
        }
    }
}

/// A deployment ends: with everything there, or with nothing and a reason.
pub(super) fn made(room: &Room<'_>, id: &str) {
    let Some(mut environment) = room.find(ENVIRONMENT, id) else { return };
    match provision(room, &mut environment) {
        Ok(()) => {
            environment["status"] = json!("ACTIVE");
            succeed(room, &mut environment);
        }
        Err(reason) => {
            environment["status"] = json!("CREATE_FAILED");
            fail(room, &mut environment, &reason);
        }
    }
}

fn provision(room: &Room<'_>, environment: &mut Value) -> Result<(), String> {
    outside::provisioning_role(room, text(environment, "_provisioningRole"))?;
    let id = text(environment, "id").to_owned();
    let schema = schema_name(environment);
    let role = role_name(&id);
    let mut warehouse = super::warehouse::of_environment(room, environment)?;
    warehouse.add_environment(&schema, &role)?;
    let role_arn = outside::add_environment_role(room, environment, &role)?;
    let parameters = elements(environment, "userParameters");
    let resource = |name: &str, kind: &str, value: &str| json!({ "provider": "AWS", "name": name, "type": kind, "value": value });
    let mut resources = vec![
        resource("userRoleArn", "iamRole", &role_arn),
        resource("databaseName", "redshiftDatabase", value_of(parameters, "dbName")),
        resource("schemaName", "redshiftSchema", &schema),
    ];
    for key in ["clusterName", "workgroupName"] {
        if !value_of(parameters, key).is_empty() {
            resources.push(resource(key, "redshift", value_of(parameters, key)));
        }
    }
    environment["provisionedResources"] = json!(resources);
    environment["_schema"] = json!(schema);
    environment["_roleArn"] = json!(role_arn);
    targets::add_default(room, environment);
    sources::add_default(room, environment);
    Ok(())
}

fn succeed(room: &Room<'_>, environment: &mut Value) {
    environment["lastDeployment"]["deploymentStatus"] = json!("SUCCESSFUL");
    environment["lastDeployment"]["isDeploymentComplete"] = json!(true);
    environment["updatedAt"] = json!(room.time());
    room.put(ENVIRONMENT, environment);
}

fn fail(room: &Room<'_>, environment: &mut Value, reason: &str) {
    let deployment = &mut environment["lastDeployment"];
    deployment["deploymentStatus"] = json!("FAILED");
    deployment["isDeploymentComplete"] = json!(true);
    deployment["failureReason"] = json!({ "code": "400", "message": reason });
    deployment["messages"] = json!([reason]);
    environment["updatedAt"] = json!(room.time());
    room.put(ENVIRONMENT, environment);
}

/// A deletion ends. It needs the roles, the secret and the warehouse as they were at the creation:
/// an environment that outlived them cannot be deleted.
pub(super) fn gone(room: &Room<'_>, id: &str) {
    let Some(mut environment) = room.find(ENVIRONMENT, id) else { return };
    match tear_down(room, &environment) {
        Ok(()) => {
            for kind in [TARGET, SOURCE] {
                for document in room.list(kind) {
                    if text(&document, "environmentId") == id && document["_default"] == true {
                        room.remove(kind, &document);
                    }
                }
            }
            environment["status"] = json!("DELETED");
            environment["provisionedResources"] = json!([]);
            let record = json!({
                "id": id, "domainId": room.domain, "name": environment["name"],
                "deletedAt": room.time(),
            });
            room.world.remember(&room.scope, ENVIRONMENT, &record);
            succeed(room, &mut environment);
        }
        Err(reason) => {
            environment["status"] = json!("DELETE_FAILED");
            fail(room, &mut environment, &reason);
        }
    }
}

fn tear_down(room: &Room<'_>, environment: &Value) -> Result<(), String> {
    let Some(schema) = environment["_schema"].as_str() else {
        return Ok(());
    };
    outside::provisioning_role(room, text(environment, "_provisioningRole"))?;
    let manage = outside::manage_access_role(room, text(environment, "_manageRole"))?;
    let secret = value_of(elements(environment, "userParameters"), "dataAccessSecretsArn");
    outside::readable_secret(room, &manage, secret)?;
    let role = role_name(text(environment, "id"));
    super::warehouse::of_environment(room, environment)?.drop_environment(schema, &role)?;
    outside::remove_environment_role(room, environment, &role);
    Ok(())
}
