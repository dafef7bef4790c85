//! Environment profiles: a blueprint with values chosen, owned by one project.

use serde_json::{Value, json};

use super::association;
use super::blueprints::{chosen, configuration_id, value_of};
use super::room::{
    BLUEPRINT, BLUEPRINT_CONFIGURATION, ENVIRONMENT, PROFILE, Visit, conflict, copy, denied,
    elements, invalid, keep_equal, page, text,
};
use super::standing::{Standing, may_use_blueprint, project_for, stands};
use crate::services::{AwsFault, Call, Reply};

/// What a connection to a warehouse is made of: the members that a parameter set fixes.
const CONNECTION: [&str; 4] = ["dataAccessSecretsArn", "dbName", "clusterName", "workgroupName"];

/// `CreateEnvironmentProfile`. A caller who is no member of the owning project is refused, whatever
/// IAM says.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project_id = call.text("projectIdentifier");
    let (project, user) = project_for(&visit, project_id, Standing::Worker)?;
    let blueprint = visit.room.get(BLUEPRINT, call.text("environmentBlueprintIdentifier"))?;
    let account = given(call.text("awsAccountId"), &visit.room.scope.account);
    let region = given(call.text("awsAccountRegion"), call.region);
    let configuration = enabled(&visit, &blueprint, account, region)?;
    if !may_use_blueprint(&visit.room, text(&configuration, "id"), &project) {
        return Err(denied(call));
    }
    let name = call.text("name");
    let taken =
        visit.room.list(PROFILE).iter().any(|profile| {
            text(profile, "projectId") == project_id && text(profile, "name") == name
        });
    if taken {
        return Err(conflict(format!(
            "An environment profile named {name} already exists within this project"
        )));
    }
    let parameters =
        chosen(elements(&blueprint, "userParameters"), elements(call.input, "userParameters"))?;
    check_values(&configuration, region, &parameters)?;
    let mut profile = visit.document(&visit.room.new_id("pro"), &user);
    profile["environmentBlueprintId"] = blueprint["id"].clone();
    profile["projectId"] = json!(project_id);
    profile["awsAccountId"] = json!(account);
    profile["awsAccountRegion"] = json!(region);
    profile["userParameters"] = json!(parameters);
    copy(call.input, &mut profile, &["name", "description"]);
    visit.room.put(PROFILE, &profile);
    Ok(profile)
}

fn given<'v>(text: &'v str, otherwise: &'v str) -> &'v str {
    if text.is_empty() { otherwise } else { text }
}

/// The account's configuration of a blueprint, when it is enabled in the region.
pub(super) fn enabled(
    visit: &Visit<'_>,
    blueprint: &Value,
    account: &str,
    region: &str,
) -> Result<Value, AwsFault> {
    if !association::holds(&visit.room, account) {
        return Err(invalid(format!("Account {account} is not associated with the domain")));
    }
    let id = configuration_id(account, text(blueprint, "id"));
    visit
        .room
        .find(BLUEPRINT_CONFIGURATION, &id)
        .filter(|found| elements(found, "enabledRegions").iter().any(|known| *known == *region))
        .ok_or_else(|| {
            invalid(format!(
                "Account {account} needs to enable blueprint {} in at least one region, {region}",
                text(blueprint, "name")
            ))
        })
}

/// Refuses values that the blueprint or its configuration does not allow.
fn check_values(configuration: &Value, region: &str, parameters: &[Value]) -> Result<(), AwsFault> {
    let level = value_of(parameters, "profilePermissionLevel");
    if !matches!(level, "FULL_ACCESS" | "LIMITED_ACCESS") {
        return Err(invalid(format!(
            "profilePermissionLevel is FULL_ACCESS or LIMITED_ACCESS, not {level}"
        )));
    }
    let sets = elements(configuration, "resourceConfigurations");
    let own_values = configuration["allowUserProvidedConfigurations"].as_bool().unwrap_or(true);
    let matches = |set: &Value| {
        text(set, "region") == region
            && CONNECTION
                .iter()
                .all(|key| text(&set["parameters"], key) == value_of(parameters, key))
    };
    if own_values || sets.is_empty() || sets.iter().any(matches) {
        return Ok(());
    }
    Err(invalid(
        "The blueprint's configuration does not allow connections other than those of its resource \
         configurations",
    ))
}

/// `GetEnvironmentProfile`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    visible(&visit, call.text("identifier"), &user)
}

/// The profile, when the caller works in a project that may use it.
fn visible(visit: &Visit<'_>, id: &str, user: &str) -> Result<Value, AwsFault> {
    let profile = visit.room.find(PROFILE, id).ok_or_else(|| denied(visit.call))?;
    let mine = visit.room.list(super::room::PROJECT).into_iter().any(|project| {
        stands(&project, user, Standing::Member) && may_use(&profile, text(&project, "id"))
    });
    if mine { Ok(profile) } else { Err(denied(visit.call)) }
}

/// Whether a project may make environments of a profile.
pub(super) fn may_use(profile: &Value, project: &str) -> bool {
    let allowed = value_of(elements(profile, "userParameters"), "allowedProjects");
    text(profile, "projectId") == project
        || allowed.is_empty()
        || allowed.split(',').any(|allowed| allowed.trim() == project)
}

/// `ListEnvironmentProfiles`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let projects: Vec<String> = visit
        .room
        .list(super::room::PROJECT)
        .iter()
        .filter(|project| stands(project, &user, Standing::Member))
        .map(|project| text(project, "id").to_owned())
        .collect();
    let wanted = call.text("projectIdentifier");
    if !wanted.is_empty() && !projects.iter().any(|project| project == wanted) {
        return Err(denied(call));
    }
    let mut items = visit.room.list(PROFILE);
    items.retain(|profile| match wanted {
        "" => projects.iter().any(|project| may_use(profile, project)),
        project => may_use(profile, project),
    });
    for (filter, member) in [
        ("name", "name"),
        ("awsAccountId", "awsAccountId"),
        ("awsAccountRegion", "awsAccountRegion"),
        ("environmentBlueprintIdentifier", "environmentBlueprintId"),
    ] {
        keep_equal(call, &mut items, filter, member);
    }
    page(call, "items", items, 50)
}

/// `UpdateEnvironmentProfile`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut profile, user) = owned(&visit)?;
    copy(call.input, &mut profile, &["name", "description", "awsAccountId", "awsAccountRegion"]);
    let parameters =
        chosen(elements(&profile, "userParameters"), elements(call.input, "userParameters"))?;
    let blueprint = visit.room.get(BLUEPRINT, text(&profile, "environmentBlueprintId"))?;
    let region = text(&profile, "awsAccountRegion");
    let configuration = enabled(&visit, &blueprint, text(&profile, "awsAccountId"), region)?;
    check_values(&configuration, region, &parameters)?;
    profile["userParameters"] = json!(parameters);
    visit.touch(&mut profile, &user);
    visit.room.put(PROFILE, &profile);
    Ok(profile)
}

fn owned(visit: &Visit<'_>) -> Result<(Value, String), AwsFault> {
    let profile =
        visit.room.find(PROFILE, visit.text("identifier")).ok_or_else(|| denied(visit.call))?;
    let (_, user) = project_for(visit, text(&profile, "projectId"), Standing::Worker)?;
    Ok((profile, user))
}

/// `DeleteEnvironmentProfile`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (profile, _) = owned(&visit)?;
    let id = text(&profile, "id");
    let used = visit.room.list(ENVIRONMENT).iter().any(|environment| {
        text(environment, "environmentProfileId") == id && text(environment, "status") != "DELETED"
    });
    if used {
        return Err(invalid(format!("Environment profile {id} still has environments")));
    }
    visit.room.remove(PROFILE, &profile);
    Ok(Value::Null)
}
