//! Environments: what a project has in an AWS account, the domain's own or an associated one.
//!
//! Creation and deletion are AWS deployments, which `deployments` carries out. A deleted environment
//! stays visible, and its name stays taken.

use serde_json::{Value, json};

use super::association::failures;
use super::blueprints::{LAKE, chosen, value_of};
use super::deployments::{self, Kind};
use super::profiles::{enabled, may_use};
use super::room::{
    BLUEPRINT, ENVIRONMENT, PROFILE, Visit, absent, conflict, copy, denied, elements, invalid,
    keep_equal, page, text,
};
use super::standing::{Standing, project_for, project_to_read};
use super::warehouse::chosen_storage;
use crate::people::{SessionTerms, mint_role_session};
use crate::services::{AwsFault, Call, Reply};

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
    name_is_free(&visit, project)?;
    let (account, region) = (text(&profile, "awsAccountId"), text(&profile, "awsAccountRegion"));
    let configuration = enabled(&visit, &blueprint, account, region)?;
    let parameters =
        chosen(elements(&profile, "userParameters"), elements(call.input, "userParameters"))?;
    let lake = text(&blueprint, "name") == LAKE;
    let location = text(&configuration["regionalParameters"][region], "S3Location");
    match lake {
        false => require_parameters(&parameters)?,
        true if location.is_empty() => {
            return Err(invalid(format!(
                "Account {account} needs to enable blueprint {LAKE} in at least one region with an \
                 S3Location: {region} has none"
            )));
        }
        true => {}
    }
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
    environment["_provisioningRole"] = configuration["provisioningRoleArn"].clone();
    environment["_manageRole"] = configuration["manageAccessRoleArn"].clone();
    if lake {
        environment["_lake"] = json!(true);
        environment["_s3Location"] = json!(location);
    }
    copy(call.input, &mut environment, &["name", "description", "glossaryTerms"]);
    deployments::begin(&visit.room, &mut environment);
    visit.room.put(ENVIRONMENT, &environment);
    Ok(environment)
}

/// A name is taken for ever within its project: an environment that reached DELETED keeps it.
fn name_is_free(visit: &Visit<'_>, project: &str) -> Result<(), AwsFault> {
    let name = visit.text("name");
    let keeps = failures(visit.room.world).deleted_name_not_reusable;
    let taken = visit.room.list(ENVIRONMENT).iter().any(|environment| {
        text(environment, "projectId") == project
            && text(environment, "name") == name
            && (keeps || text(environment, "status") != "DELETED")
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
    match chosen_storage(parameters) {
        Some(_) => Ok(()),
        None => Err(invalid("Give either clusterName or workgroupName")),
    }
}

/// `GetEnvironment`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    to_read(&visit, call.text("identifier"))
}

/// An environment, when the caller may look at its project.
pub(super) fn to_read(visit: &Visit<'_>, id: &str) -> Result<Value, AwsFault> {
    let environment = visit.room.find(ENVIRONMENT, id).ok_or_else(|| absent(visit.call))?;
    project_to_read(visit, text(&environment, "projectId"))?;
    Ok(environment)
}

/// An environment, when the caller works in its project, with the caller's profile.
pub(super) fn to_work(visit: &Visit<'_>, id: &str) -> Result<(Value, String), AwsFault> {
    let environment = visit.room.find(ENVIRONMENT, id).ok_or_else(|| absent(visit.call))?;
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
        "DELETED" => return Err(absent(call)),
        "DELETING" => return Ok(Value::Null),
        status @ ("CREATING" | "UPDATING") => {
            return Err(invalid(format!("Environment {id} is {status}; wait for it")));
        }
        _ => {}
    }
    deployments::begin_deletion(&visit.room, &mut environment);
    visit.touch(&mut environment, &user);
    visit.room.put(ENVIRONMENT, &environment);
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

/// An environment's name as a part of names in AWS: lower case, and underscores for all else.
pub(super) fn slug(environment: &Value) -> String {
    let name = text(environment, "name").to_lowercase();
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Name of an environment's own schema.
pub(super) fn schema_name(environment: &Value) -> String {
    format!("datazone_env_{}", slug(environment))
}

/// One thing that a deployment made, as environments list it.
pub(super) fn resource(name: &str, kind: &str, value: &str) -> Value {
    json!({ "provider": "AWS", "name": name, "type": kind, "value": value })
}

/// What an environment's project may publish besides the environment's own schema or database:
/// everything, unless its profile is limited or names what.
pub(super) fn may_publish(environment: &Value, wanted: &str) -> Result<(), AwsFault> {
    let parameters = elements(environment, "userParameters");
    let limited = value_of(parameters, "profilePermissionLevel") == "LIMITED_ACCESS";
    let allowed = value_of(parameters, "allowedSchemas");
    let (own, what) = match Kind::of(environment) {
        Kind::Warehouse => (text(environment, "_schema"), "schema"),
        Kind::Lake => (text(environment, "_producerDb"), "database"),
    };
    let listed = allowed.is_empty() || allowed.split(',').any(|known| known.trim() == wanted);
    match wanted == own || (!limited && listed) {
        true => Ok(()),
        false => Err(invalid(format!(
            "The environment's profile does not allow to publish the {what} {wanted}"
        ))),
    }
}
