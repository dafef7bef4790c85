//! Environment blueprints: the two that AWS manages, and what an account says about them.
//!
//! A configuration belongs to the account of whoever puts it, and each put replaces it whole.

use serde_json::{Value, json};

use super::outside;
use super::room::{
    BLUEPRINT, BLUEPRINT_CONFIGURATION, Room, Visit, copy, denied, elements, flag, invalid,
    keep_equal, page, text,
};
use crate::services::{AwsFault, Call, Reply};

/// The blueprint of environments over a Redshift warehouse.
const WAREHOUSE: &str = "DefaultDataWarehouse";
/// The blueprint of environments over Glue and Athena.
pub(super) const LAKE: &str = "DefaultDataLake";

/// Writes the managed blueprints of a new domain.
pub(super) fn publish(room: &Room<'_>) {
    for (name, description, parameters) in [
        (LAKE, "Publish and consume data in a data lake", lake_parameters()),
        (WAREHOUSE, "Publish and consume data in a Redshift warehouse", warehouse_parameters()),
    ] {
        let id = room.new_id("blu");
        let blueprint = json!({
            "id": id, "domainId": room.domain, "name": name, "description": description,
            "provider": "Amazon DataZone", "userParameters": parameters,
            "provisioningProperties": { "cloudFormation": {
                "templateUrl": format!("https://sandbox.invalid/blueprints/{name}.json") } },
            "deploymentProperties": { "startTimeoutMinutes": 60, "endTimeoutMinutes": 60 },
            "createdAt": room.time(), "updatedAt": room.time(), "_managed": true,
        });
        room.put(BLUEPRINT, &blueprint);
    }
}

fn parameter(key: &str, optional: bool, preset: Option<&str>, description: &str) -> Value {
    super::room::without_nulls(json!({
        "keyName": key, "fieldType": "String", "description": description,
        "defaultValue": preset, "isEditable": true, "isOptional": optional,
        "isUpdateSupported": false,
    }))
}

fn access_parameters() -> [Value; 2] {
    [
        parameter(
            "profilePermissionLevel",
            true,
            Some("FULL_ACCESS"),
            "FULL_ACCESS publishes any schema, LIMITED_ACCESS the environment's own alone",
        ),
        parameter("allowedProjects", true, None, "Projects that may use the profile; absent: all"),
    ]
}

fn warehouse_parameters() -> Vec<Value> {
    let mut parameters = vec![
        parameter("dataAccessSecretsArn", false, None, "Secret with a superuser's credentials"),
        parameter("dbName", false, None, "Database"),
        parameter("clusterName", true, None, "Provisioned cluster, or else a workgroup"),
        parameter("workgroupName", true, None, "Serverless workgroup, or else a cluster"),
        parameter("allowedSchemas", true, None, "Schemas that may be published; absent: all"),
    ];
    parameters.extend(access_parameters());
    parameters
}

fn lake_parameters() -> Vec<Value> {
    let mut parameters = vec![
        parameter("producerGlueDbName", true, None, "Database for published tables"),
        parameter("consumerGlueDbName", true, None, "Database for subscribed tables"),
        parameter("workgroupName", true, None, "Athena workgroup"),
    ];
    parameters.extend(access_parameters());
    parameters
}

/// `ListEnvironmentBlueprints`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let mut items = visit.room.list(BLUEPRINT);
    keep_equal(call, &mut items, "name", "name");
    if let Some(managed) = call.input.get("managed").and_then(Value::as_bool) {
        items.retain(|blueprint| flag(blueprint, "_managed") == managed);
    }
    page(call, "items", items, 50)
}

/// `GetEnvironmentBlueprint`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.room.get(BLUEPRINT, call.text("identifier"))
}

/// `PutEnvironmentBlueprintConfiguration`.
pub(super) fn put_configuration(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let blueprint = call.text("environmentBlueprintIdentifier");
    visit.room.get(BLUEPRINT, blueprint)?;
    for member in ["provisioningRoleArn", "manageAccessRoleArn"] {
        if !call.text(member).is_empty() {
            outside::pass_role(call, call.text(member))?;
        }
    }
    let id = configuration_id(&call.principal.account, blueprint);
    let before = visit.room.find(BLUEPRINT_CONFIGURATION, &id);
    let now = visit.room.time();
    let mut configuration = json!({
        "id": id, "domainId": visit.room.domain, "environmentBlueprintId": blueprint,
        "createdAt": before.as_ref().map_or(json!(now), |before| before["createdAt"].clone()),
        "updatedAt": now,
    });
    copy(
        call.input,
        &mut configuration,
        &[
            "provisioningRoleArn",
            "manageAccessRoleArn",
            "environmentRolePermissionBoundary",
            "enabledRegions",
            "regionalParameters",
            "allowUserProvidedConfigurations",
            "provisioningConfigurations",
        ],
    );
    let sets = parameter_sets(&visit, before.as_ref())?;
    if !sets.is_empty() {
        configuration["resourceConfigurations"] = Value::Array(sets);
    }
    visit.room.put(BLUEPRINT_CONFIGURATION, &configuration);
    Ok(configuration)
}

/// The parameter sets of the input with their identifiers: one that keeps its name keeps its
/// identifier, although all else is replaced.
fn parameter_sets(visit: &Visit<'_>, before: Option<&Value>) -> Result<Vec<Value>, AwsFault> {
    let mut sets: Vec<Value> = Vec::new();
    for given in elements(visit.call.input, "resourceConfigurations") {
        let name = text(given, "name");
        if sets.iter().any(|set| text(set, "name") == name) {
            return Err(invalid(format!("Two resource configurations are named {name}")));
        }
        let known = before
            .map(|before| elements(before, "resourceConfigurations"))
            .unwrap_or_default()
            .iter()
            .find(|set| text(set, "name") == name)
            .map(|set| set["identifier"].clone());
        let mut set = given.clone();
        set["identifier"] = known.unwrap_or_else(|| json!(visit.room.new_id("set")));
        sets.push(set);
    }
    Ok(sets)
}

/// `GetEnvironmentBlueprintConfiguration`.
pub(super) fn get_configuration(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let blueprint = call.text("environmentBlueprintIdentifier");
    let id = configuration_id(&call.principal.account, blueprint);
    visit.room.get(BLUEPRINT_CONFIGURATION, &id)
}

/// `ListEnvironmentBlueprintConfigurations`.
pub(super) fn list_configurations(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let mine = format!("{}:", call.principal.account);
    let mut items = visit.room.list(BLUEPRINT_CONFIGURATION);
    items.retain(|configuration| text(configuration, "id").starts_with(&mine));
    page(call, "items", items, 50)
}

/// `DeleteEnvironmentBlueprintConfiguration`.
pub(super) fn delete_configuration(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let blueprint = call.text("environmentBlueprintIdentifier");
    let id = configuration_id(&call.principal.account, blueprint);
    let configuration =
        visit.room.find(BLUEPRINT_CONFIGURATION, &id).ok_or_else(|| denied(call))?;
    visit.room.remove(BLUEPRINT_CONFIGURATION, &configuration);
    Ok(json!({}))
}

/// The id of an account's configuration of a blueprint, which policy grants use too.
pub(super) fn configuration_id(account: &str, blueprint: &str) -> String {
    format!("{account}:{blueprint}")
}

/// The definitions of a blueprint's parameters with the chosen values where AWS puts them: in
/// `defaultValue`. Unknown keys are refused, with the known ones named.
pub(super) fn chosen(definitions: &[Value], chosen: &[Value]) -> Result<Vec<Value>, AwsFault> {
    let mut parameters = definitions.to_vec();
    for choice in chosen {
        let (name, value) = (text(choice, "name"), text(choice, "value"));
        let known = parameters.iter_mut().find(|parameter| text(parameter, "keyName") == name);
        match known {
            Some(parameter) => parameter["defaultValue"] = json!(value),
            None => {
                let keys: Vec<&str> =
                    definitions.iter().map(|parameter| text(parameter, "keyName")).collect();
                return Err(invalid(format!(
                    "The blueprint has no user parameter {name}; it has {}",
                    keys.join(", ")
                )));
            }
        }
    }
    Ok(parameters)
}

/// The value of a parameter among chosen ones, empty when it has none.
pub(super) fn value_of<'v>(parameters: &'v [Value], key: &str) -> &'v str {
    parameters
        .iter()
        .find(|parameter| text(parameter, "keyName") == key)
        .map_or("", |parameter| text(parameter, "defaultValue"))
}
