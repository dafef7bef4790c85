//! What an environment of the warehouse blueprint consists of: a schema in a Redshift warehouse, and
//! the role that its people query it with.

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::environments::{resource, role_name, schema_name};
use super::outside;
use super::room::{Room, elements, text};
use super::warehouse::of_environment;

/// Looks at the parameters before anything is made.
pub(super) fn check(room: &Room<'_>, environment: &Value) -> Result<(), String> {
    let secret = value_of(elements(environment, "userParameters"), "dataAccessSecretsArn");
    let role = outside::manage_access_role(room, text(environment, "_manageRole"))?;
    outside::readable_secret(room, &role, secret)?;
    of_environment(room, environment).map(|_| ())
}

/// Makes it all, or says why not.
pub(super) fn provision(room: &Room<'_>, environment: &mut Value) -> Result<(), String> {
    outside::provisioning_role(room, text(environment, "_provisioningRole"))?;
    let schema = schema_name(environment);
    let role = role_name(text(environment, "id"));
    let mut warehouse = of_environment(room, environment)?;
    warehouse.add_environment(&schema, &role)?;
    let role_arn = outside::add_environment_role(room, environment, &role)?;
    let parameters = elements(environment, "userParameters");
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
    Ok(())
}

/// Takes it all away, with the same roles and secret.
pub(super) fn tear_down(room: &Room<'_>, environment: &Value) -> Result<(), String> {
    let schema = text(environment, "_schema");
    outside::provisioning_role(room, text(environment, "_provisioningRole"))?;
    let manage = outside::manage_access_role(room, text(environment, "_manageRole"))?;
    let secret = value_of(elements(environment, "userParameters"), "dataAccessSecretsArn");
    outside::readable_secret(room, &manage, secret)?;
    let role = role_name(text(environment, "id"));
    of_environment(room, environment)?.drop_environment(schema, &role)?;
    outside::remove_environment_role(room, environment, &role);
    Ok(())
}
