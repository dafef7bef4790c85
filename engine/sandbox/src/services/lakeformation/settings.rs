//! A data lake's settings: one document an account and region, which several writers put as a whole.

use serde_json::{Value, json};

use super::{catalogue_scope, invalid, principals};
use crate::services::{AwsFault, Call, Reply};
use crate::world::{Scope, World};

const SETTINGS: &str = "lakeformation/settings";
const ID: &str = "settings";

/// The most administrators that a data lake can have.
const MOST_ADMINS: usize = 30;

/// The settings of an account that never put any: whatever IAM allows is allowed.
fn preset() -> Value {
    let everybody = json!([{
        "Principal": {"DataLakePrincipalIdentifier": principals::IAM_ALLOWED},
        "Permissions": ["ALL"],
    }]);
    json!({
        "DataLakeAdmins": [],
        "ReadOnlyAdmins": [],
        "CreateDatabaseDefaultPermissions": everybody,
        "CreateTableDefaultPermissions": everybody,
        "Parameters": {"CROSS_ACCOUNT_VERSION": "4", "SET_CONTEXT": "TRUE"},
        "TrustedResourceOwners": [],
        "AllowExternalDataFiltering": false,
        "AllowFullTableExternalDataAccess": false,
        "ExternalDataFilteringAllowList": [],
    })
}

pub(super) fn of(world: &World<'_>, scope: &Scope) -> Value {
    world.get(scope, SETTINGS, ID).unwrap_or_else(preset)
}

/// `GetDataLakeSettings`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    Ok(json!({"DataLakeSettings": of(call.world, &catalogue_scope(call)?)}))
}

/// `PutDataLakeSettings`: what the document leaves out is gone, but for the parameters.
pub(super) fn put(call: &Call<'_>) -> Reply {
    let scope = catalogue_scope(call)?;
    let mut settings = json!({
        "DataLakeAdmins": [], "ReadOnlyAdmins": [], "CreateDatabaseDefaultPermissions": [],
        "CreateTableDefaultPermissions": [], "TrustedResourceOwners": [],
        "Parameters": of(call.world, &scope)["Parameters"], "AllowExternalDataFiltering": false,
        "AllowFullTableExternalDataAccess": false, "ExternalDataFilteringAllowList": [],
    });
    for (member, value) in call.input["DataLakeSettings"].as_object().into_iter().flatten() {
        if !value.is_null() {
            settings[member] = value.clone();
        }
    }
    save(call.world, &scope, &settings)?;
    Ok(json!({}))
}

/// Writes settings whose administrators all exist: one that was deleted since refuses the whole.
fn save(world: &World<'_>, scope: &Scope, settings: &Value) -> Result<(), AwsFault> {
    for member in ["DataLakeAdmins", "ReadOnlyAdmins"] {
        let listed = identifiers(settings, member);
        if listed.len() > MOST_ADMINS {
            return Err(invalid(format!("{member} has more than {MOST_ADMINS} principals.")));
        }
        for principal in listed {
            if !principals::is_somebody(world, principal) {
                return Err(invalid(format!("Invalid principal, {principal}")));
            }
        }
    }
    // As if nobody had put any, so that putting back what was there leaves nothing behind.
    if *settings == preset() {
        world.delete(scope, SETTINGS, ID);
    } else {
        world.put(scope, SETTINGS, ID, settings);
    }
    Ok(())
}

/// Puts settings with an administrator whose role does not exist any more.
pub(crate) fn poison(world: &World<'_>, scope: &Scope) {
    let mut settings = of(world, scope);
    let former = format!("arn:aws:iam::{}:role/FormerDataLakeAdmin", scope.account);
    settings["DataLakeAdmins"] = json!([{"DataLakePrincipalIdentifier": former}]);
    world.put(scope, SETTINGS, ID, &settings);
}

/// Adds administrators in a service's name, under the same rules as a put.
pub(crate) fn add_admins(
    world: &World<'_>,
    scope: &Scope,
    arns: &[String],
) -> Result<(), AwsFault> {
    let mut settings = of(world, scope);
    let known: Vec<String> =
        identifiers(&settings, "DataLakeAdmins").into_iter().map(str::to_owned).collect();
    if let Some(admins) = settings["DataLakeAdmins"].as_array_mut() {
        let new = arns.iter().filter(|arn| !known.contains(arn));
        admins.extend(new.map(|arn| json!({"DataLakePrincipalIdentifier": arn})));
    }
    save(world, scope, &settings)
}

/// Whether somebody administers the data lake of an account and region.
pub(crate) fn is_admin(world: &World<'_>, scope: &Scope, principal_arn: &str) -> bool {
    let arn = principals::identity(world, principal_arn);
    let settings = of(world, scope);
    identifiers(&settings, "DataLakeAdmins").contains(&arn.as_str())
}

/// What the account's settings give everybody on new databases or tables: principal and permissions.
pub(super) fn defaults(
    world: &World<'_>,
    scope: &Scope,
    member: &str,
) -> Vec<(String, Vec<String>)> {
    given_to(&of(world, scope)[member])
}

/// Principals and permissions of a list in the form that settings and databases have.
pub(super) fn given_to(list: &Value) -> Vec<(String, Vec<String>)> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|given| {
            let principal = given["Principal"]["DataLakePrincipalIdentifier"].as_str()?;
            let permissions = crate::services::pages::texts(given, "Permissions");
            Some((principal.to_owned(), permissions))
        })
        .collect()
}

fn identifiers<'a>(settings: &'a Value, member: &str) -> Vec<&'a str> {
    let list = settings[member].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|admin| admin["DataLakePrincipalIdentifier"].as_str()).collect()
}
