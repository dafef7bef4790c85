//! How a new world comes to be: people, secrets, clusters and faults from its description.
//!
//! Users, roles and people's keys are written directly; everything else is asked of the services
//! as a caller would, so that a seeded cluster is the same as a created one.

use rusqlite::Connection;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::access::managed;
use crate::door::{SandboxError, settle};
use crate::fault;
use crate::people::{self, NewPerson, Person, Principal, PrincipalKind};
use crate::services::iam::{self, Grants};
use crate::services::{self, Call};
use crate::spec::{ClusterSpec, PersonSpec, SecretSpec, WorldSpec};
use crate::world::World;

const ADMINISTRATOR: &str = "AdministratorAccess";

/// Longest time that a seeded cluster may take until it is there.
const PATIENCE: Duration = Duration::hours(2);

/// Fills a new world.
pub(crate) fn sow(
    connection: &Connection,
    spec: &WorldSpec,
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    let world = World::new(connection, start);
    for person in &spec.people {
        add_person(&world, spec, person)?;
    }
    for secret in &spec.secrets {
        add_secret(&world, spec, secret)?;
    }
    for cluster in &spec.clusters {
        add_cluster(connection, spec, cluster, start)?;
    }
    for rule in &spec.faults {
        fault::add(&world, rule);
    }
    // What the seed itself did is no part of what a reader of the world wants to see.
    connection.execute("DELETE FROM history", [])?;
    Ok(())
}

/// Makes a person whom nobody described: an administrator of the first account.
pub(crate) fn administrator(world: &World<'_>, spec: &WorldSpec, alias: &str) -> Person {
    let account = spec.first();
    if iam::user_by_name(world, &account, alias).is_none() {
        let attached = managed::arn_of(ADMINISTRATOR).into_iter().collect();
        let grants = Grants { attached, ..Grants::default() };
        iam::seed_user(world, &account, alias, grants);
    }
    people::add_person(
        world,
        &NewPerson {
            alias,
            account: &account,
            region: &spec.region,
            kind: PrincipalKind::User,
            name: alias,
        },
    )
}

fn add_person(
    world: &World<'_>,
    spec: &WorldSpec,
    person: &PersonSpec,
) -> Result<(), SandboxError> {
    let account = spec.account(&person.alias, person.account.as_deref())?;
    let (kind, name) = match (&person.role, &person.user) {
        (Some(role), _) => (PrincipalKind::Role, role.as_str()),
        (None, Some(user)) => (PrincipalKind::User, user.as_str()),
        (None, None) => (PrincipalKind::User, person.alias.as_str()),
    };
    if person.exists {
        let given = person.policies.iter().map(String::as_str);
        let attached = given
            .chain(person.administrator.then_some(ADMINISTRATOR))
            .filter_map(managed::arn_of)
            .collect();
        let own = person.policy.iter().map(|document| ("world".to_owned(), document.clone()));
        let grants = Grants { attached, inline: own.collect(), boundary: None };
        match kind {
            PrincipalKind::User | PrincipalKind::Root => {
                iam::seed_user(world, &account, name, grants);
            }
            PrincipalKind::Role => iam::seed_role(world, &account, name, grants),
        }
    }
    let region = person.region.as_deref().unwrap_or(&spec.region);
    people::add_person(
        world,
        &NewPerson { alias: &person.alias, account: &account, region, kind, name },
    );
    Ok(())
}

fn add_secret(
    world: &World<'_>,
    spec: &WorldSpec,
    secret: &SecretSpec,
) -> Result<(), SandboxError> {
    let account = spec.account(&secret.name, secret.account.as_deref())?;
    let region = secret.region.as_deref().unwrap_or(&spec.region);
    let text = match &secret.value {
        toml::Value::String(text) => text.clone(),
        other => serde_json::to_string(other)
            .map_err(|error| SandboxError::Seed(format!("{}: {error}", secret.name)))?,
    };
    let mut input = json!({"Name": secret.name, "SecretString": text, "Tags": tags(&secret.tags)});
    if let Some(description) = &secret.description {
        input["Description"] = json!(description);
    }
    ask(world, "secretsmanager", "CreateSecret", &account, region, &input)?;
    Ok(())
}

fn add_cluster(
    connection: &Connection,
    spec: &WorldSpec,
    cluster: &ClusterSpec,
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    let account = spec.account(&cluster.identifier, cluster.account.as_deref())?;
    let region = cluster.region.as_deref().unwrap_or(&spec.region);
    let password = cluster.master_password.clone().unwrap_or_else(|| {
        format!("Sandbox1{}", people::hex(&format!("{account}/{}", cluster.identifier), 16))
    });
    let mut input = json!({
        "ClusterIdentifier": cluster.identifier,
        "NodeType": cluster.node_type,
        "ClusterType": if cluster.nodes > 1 { "multi-node" } else { "single-node" },
        "Encrypted": cluster.encrypted,
        "DBName": cluster.database,
        "MasterUsername": cluster.master_user,
        "MasterUserPassword": password,
        "Tags": tags(&cluster.tags),
    });
    if cluster.nodes > 1 {
        input["NumberOfNodes"] = json!(cluster.nodes);
    }
    // The cluster was made before the world began, so that it is there when the world does.
    let world = World::new(connection, start - PATIENCE);
    ask(&world, "redshift", "CreateCluster", &account, region, &input)?;
    settle(connection, start - PATIENCE / 2);
    for sql in &cluster.sql {
        run_sql(connection, cluster, &account, region, sql, start)?;
    }
    Ok(())
}

fn run_sql(
    connection: &Connection,
    cluster: &ClusterSpec,
    account: &str,
    region: &str,
    sql: &str,
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    let world = World::new(connection, start - PATIENCE / 2);
    let input = json!({
        "ClusterIdentifier": cluster.identifier, "Database": cluster.database,
        "DbUser": cluster.master_user, "Sql": sql,
    });
    let statement = ask(&world, "redshift_data", "ExecuteStatement", account, region, &input)?;
    settle(connection, start);
    let world = World::new(connection, start);
    let id = json!({"Id": statement["Id"]});
    let described = ask(&world, "redshift_data", "DescribeStatement", account, region, &id)?;
    if described["Status"] == "FINISHED" {
        return Ok(());
    }
    let error = described["Error"].as_str().unwrap_or("it did not finish");
    Err(SandboxError::Seed(format!("{}: {sql}: {error}", cluster.identifier)))
}

fn tags(tags: &std::collections::BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// Asks a service as the account's own root would.
fn ask(
    world: &World<'_>,
    service: &str,
    operation: &str,
    account: &str,
    region: &str,
    input: &Value,
) -> Result<Value, SandboxError> {
    let arn = format!("arn:aws:iam::{account}:root");
    let principal = Principal {
        account: account.to_owned(),
        arn: arn.clone(),
        identity_arn: arn,
        kind: PrincipalKind::Root,
        user_id: account.to_owned(),
        name: "root".to_owned(),
        alias: None,
        session: None,
    };
    let call = Call { world, principal: &principal, region, operation, input };
    let room = services::by_name(service)
        .filter(|service| service.implements().contains(&operation))
        .ok_or_else(|| SandboxError::Seed(format!("{service}.{operation} is not implemented")))?;
    room.answer(&call)
        .map_err(|fault| SandboxError::Seed(format!("{operation}: {}", fault.message)))
}
