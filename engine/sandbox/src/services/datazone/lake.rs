//! What an environment of the data lake blueprint consists of: a Glue database for what its project
//! publishes and one for what it subscribes to, an Athena workgroup, a location in Amazon S3 that Lake
//! Formation has in its hands, and the role that its people query with.
//!
//! The provisioning role makes and removes it, and has to be an administrator of the account's data
//! lake for that.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::environments::{resource, role_name, slug};
use super::outside;
use super::room::{Room, elements, text};
use crate::services::glue::DatabaseRef;
use crate::services::iam::Role;
use crate::services::lakeformation::{self, Grant, IAM_ALLOWED, Resource};
use crate::services::{AwsFault, athena, glue, s3};
use crate::world::Scope;

/// Where an environment's things are.
pub(super) fn scope_of(environment: &Value) -> Scope {
    Scope::new(text(environment, "awsAccountId"), text(environment, "awsAccountRegion"))
}

/// The names of an environment's things: those that its parameters choose, else made of its own.
struct Names {
    producer: String,
    consumer: String,
    workgroup: String,
}

impl Names {
    fn of(environment: &Value) -> Self {
        let parameters = elements(environment, "userParameters");
        let own = slug(environment);
        let name = |key: &str, made: String| match value_of(parameters, key) {
            "" => made,
            chosen => chosen.to_lowercase(),
        };
        Self {
            producer: name("producerGlueDbName", format!("{own}_pub_db")),
            consumer: name("consumerGlueDbName", format!("{own}_sub_db")),
            workgroup: name("workgroupName", format!("{own}_workgroup")),
        }
    }

    fn databases(&self, scope: &Scope) -> [DatabaseRef; 2] {
        [&self.producer, &self.consumer].map(|name| DatabaseRef::new(scope, name))
    }
}

/// The provisioning role, when it administers the data lake.
fn provisioner(room: &Room<'_>, environment: &Value) -> Result<Role, String> {
    let role = outside::lake_provisioning_role(room, text(environment, "_provisioningRole"))?;
    match lakeformation::is_admin(room.world, &scope_of(environment), &role.arn) {
        true => Ok(role),
        false => Err(format!(
            "Insufficient Lake Formation permission(s): {} is not a data lake administrator of \
             account {}",
            role.arn,
            text(environment, "awsAccountId")
        )),
    }
}

/// Looks at the roles and the location before anything is made.
pub(super) fn check(room: &Room<'_>, environment: &Value) -> Result<(), String> {
    outside::lake_access_role(room, text(environment, "_manageRole"))?;
    outside::lake_provisioning_role(room, text(environment, "_provisioningRole"))?;
    let location = text(environment, "_s3Location");
    let bucket = s3::split_uri(location).and_then(|(name, _)| s3::bucket(room.world, name));
    let scope = scope_of(environment);
    match bucket {
        Some(bucket) if bucket.account == scope.account && bucket.region == scope.region => Ok(()),
        Some(_) => Err(format!(
            "The S3 location {location} is not in account {} and Region {}",
            scope.account, scope.region
        )),
        None => Err(format!("The bucket of the S3 location {location} does not exist")),
    }
}

/// Makes it all, or says why not.
pub(super) fn provision(room: &Room<'_>, environment: &mut Value) -> Result<(), String> {
    let role = provisioner(room, environment)?;
    let scope = scope_of(environment);
    let names = Names::of(environment);
    let databases = names.databases(&scope);
    for known in &databases {
        if glue::database(room.world, known).is_some() {
            return Err(format!("The database {} already exists", known.name));
        }
    }
    let id = text(environment, "id").to_owned();
    let user = outside::add_environment_role(room, environment, &role_name(&id))?;
    let location = location_of(room, environment);
    deploy(room, &role, &scope, &names, (&id, &user, &location)).map_err(|fault| fault.message)?;
    environment["provisionedResources"] = json!([
        resource("userRoleArn", "iamRole", &user),
        resource("glueProducerDBName", "glueDatabase", &names.producer),
        resource("glueConsumerDBName", "glueDatabase", &names.consumer),
        resource("athenaWorkGroupName", "athenaWorkGroup", &names.workgroup),
        resource("s3OutputLocation", "s3", &location),
    ]);
    environment["_producerDb"] = json!(names.producer);
    environment["_consumerDb"] = json!(names.consumer);
    environment["_roleArn"] = json!(user);
    Ok(())
}

/// What the stack of an environment makes, in the provisioning role's name.
fn deploy(
    room: &Room<'_>,
    role: &Role,
    scope: &Scope,
    names: &Names,
    (id, user, location): (&str, &str, &str),
) -> Result<(), AwsFault> {
    // The stack writes the account's settings, which fails when they name somebody who is gone.
    lakeformation::add_admins(room.world, scope, &[])?;
    let arn = arn_of(location);
    lakeformation::register_location(room.world, scope, &arn, None, false);
    let databases = names.databases(scope);
    for known in &databases {
        let input = json!({
            "Name": known.name, "LocationUri": format!("{location}/{}", known.name),
            "CreateTableDefaultPermissions": [],
        });
        glue::create_database(room.world, scope, &role.arn, &input)?;
        close_to_iam(room, scope, known);
    }
    athena::create_workgroup(
        room.world,
        scope,
        &names.workgroup,
        &format!("{location}/sys/athena/"),
        BTreeMap::from([("AmazonDataZoneEnvironment".to_owned(), id.to_owned())]),
    )?;
    for grant in rights(user, &databases, scope, &arn) {
        lakeformation::grant(room.world, scope, &grant, &role.arn)?;
    }
    Ok(())
}

/// The environment's own part of the blueprint's location.
fn location_of(room: &Room<'_>, environment: &Value) -> String {
    format!(
        "{}/datazone/{}/{}/{}",
        text(environment, "_s3Location").trim_end_matches('/'),
        room.domain,
        text(environment, "projectId"),
        text(environment, "id")
    )
}

fn arn_of(location: &str) -> String {
    format!("arn:aws:s3:::{}", location.trim_start_matches("s3://"))
}

/// Takes away what the account's settings may give everybody on a new database: an environment's
/// tables are Lake Formation's alone.
fn close_to_iam(room: &Room<'_>, scope: &Scope, database: &DatabaseRef) {
    let grant = Grant {
        principal: IAM_ALLOWED.to_owned(),
        resource: Resource::Database(database.clone()),
        permissions: vec!["ALL".to_owned()],
        grantable: vec![],
    };
    // Refused when the settings gave nothing, and then there is nothing to take.
    let _nothing_there = lakeformation::revoke(room.world, scope, &grant);
}

/// What an environment's people may do in its databases.
fn rights(
    user: &str,
    [producer, consumer]: &[DatabaseRef; 2],
    scope: &Scope,
    location: &str,
) -> Vec<Grant> {
    let grant = |resource: Resource, permissions: &[&str]| Grant {
        principal: user.to_owned(),
        resource,
        permissions: permissions.iter().map(|&permission| permission.to_owned()).collect(),
        grantable: vec![],
    };
    let data = Resource::Location { account: scope.account.clone(), arn: location.to_owned() };
    vec![
        grant(Resource::Database(producer.clone()), &["ALTER", "CREATE_TABLE", "DESCRIBE"]),
        grant(
            Resource::AllTables(producer.clone()),
            &["ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT", "SELECT"],
        ),
        grant(Resource::Database(consumer.clone()), &["DESCRIBE"]),
        grant(data, &["DATA_LOCATION_ACCESS"]),
    ]
}

/// Takes it all away, with the same roles. Objects in Amazon S3 stay, as AWS leaves them.
pub(super) fn tear_down(room: &Room<'_>, environment: &Value) -> Result<(), String> {
    provisioner(room, environment)?;
    outside::lake_access_role(room, text(environment, "_manageRole"))?;
    let scope = scope_of(environment);
    let names = Names::of(environment);
    for known in names.databases(&scope) {
        glue::drop_database(room.world, &known);
    }
    athena::drop_workgroup(room.world, &scope, &names.workgroup);
    let location = arn_of(&location_of(room, environment));
    lakeformation::deregister_location(room.world, &scope, &location);
    revoke_location(room, environment, &scope, &location);
    outside::remove_environment_role(room, environment, &role_name(text(environment, "id")));
    Ok(())
}

/// The one right of the environment's role that does not go with a database.
fn revoke_location(room: &Room<'_>, environment: &Value, scope: &Scope, location: &str) {
    let grant = Grant {
        principal: text(environment, "_roleArn").to_owned(),
        resource: Resource::Location { account: scope.account.clone(), arn: location.to_owned() },
        permissions: vec!["DATA_LOCATION_ACCESS".to_owned()],
        grantable: vec![],
    };
    // Somebody may have taken it back already.
    let _already_gone = lakeformation::revoke(room.world, scope, &grant);
}
