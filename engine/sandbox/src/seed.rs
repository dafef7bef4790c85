//! How a new world comes to be: people, secrets, clusters and faults from its description.
//!
//! Users, roles and people's keys are written directly; everything else is asked of the services
//! as a caller would, so that a seeded cluster is the same as a created one.

mod lake;

use rusqlite::Connection;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::access::managed;
use crate::door::{SandboxError, settle};
use crate::fault;
use crate::people::{self, NewPerson, Person, Principal, PrincipalKind};
use crate::services::iam::{self, Grants};
use crate::services::{self, Call, lakeformation};
use crate::spec::{ClusterSpec, KeySpec, PersonSpec, SecretSpec, WorkgroupSpec, WorldSpec};
use crate::world::{Scope, World};

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
    for key in &spec.keys {
        add_key(&world, spec, key)?;
    }
    if spec.failures.poisoned_lake_formation_admins {
        for account in spec.accounts.values() {
            lakeformation::poison(&world, &Scope::new(account, &spec.region));
        }
    }
    for secret in &spec.secrets {
        add_secret(&world, spec, secret)?;
    }
    for cluster in &spec.clusters {
        add_cluster(connection, spec, cluster, start)?;
    }
    for workgroup in &spec.workgroups {
        add_workgroup(connection, spec, workgroup, start)?;
    }
    for bucket in &spec.buckets {
        lake::add_bucket(&world, spec, bucket)?;
    }
    for database in &spec.glue_databases {
        lake::add_database(connection, spec, database, start)?;
    }
    for rule in &spec.faults {
        fault::add(&world, rule);
    }
    // What the seed itself did is no part of what a reader of the world wants to see.
    connection.execute("DELETE FROM history", [])?;
    connection.execute("DELETE FROM documents WHERE substr(kind, 1, 8) = '_athena/'", [])?;
    Ok(())
}

/// Makes a person who is not there yet: `alias`, or `alias/222222222222` for one of several accounts.
///
/// The one of an account is like the alias's first description. An alias that nobody described is an
/// administrator, of the world's first account unless it names another.
///
/// # Errors
/// When the world does not have the account, or nobody says which of several.
pub(crate) fn newcomer(
    world: &World<'_>,
    spec: &WorldSpec,
    alias: &str,
) -> Result<Person, SandboxError> {
    let describes = |alias: &str| spec.people.iter().find(|person| person.alias == alias);
    let (base, account) = match alias.split_once('/') {
        // Described and not there: there is one in each of several accounts.
        None if describes(alias).is_some() => {
            let people = people::people(world).into_iter().map(|person| person.alias);
            let known = people.filter(|known| people::base_alias(known) == alias);
            return Err(SandboxError::WhichAccount {
                alias: alias.to_owned(),
                known: known.collect::<Vec<_>>().join(", "),
            });
        }
        None => (alias, spec.first()),
        Some((base, id)) => {
            if !spec.accounts.values().any(|known| known == id) {
                let known = spec.accounts.iter().map(|(name, id)| format!("{id} ({name})"));
                return Err(SandboxError::NoSuchAccount {
                    account: id.to_owned(),
                    known: known.collect::<Vec<_>>().join(", "),
                });
            }
            (base, id.to_owned())
        }
    };
    Ok(match describes(base) {
        Some(person) => make_person(world, spec, person, alias, &account),
        None => {
            let administrator = PersonSpec::administrator(base);
            make_person(world, spec, &administrator, alias, &account)
        }
    })
}

fn add_person(
    world: &World<'_>,
    spec: &WorldSpec,
    person: &PersonSpec,
) -> Result<(), SandboxError> {
    let of_alias = spec.people.iter().filter(|other| other.alias == person.alias);
    let several = person.accounts.len() > 1 || of_alias.count() > 1;
    for account in spec.accounts_of(person)? {
        let alias = match several {
            true => format!("{}/{account}", person.alias),
            false => person.alias.clone(),
        };
        make_person(world, spec, person, &alias, &account);
    }
    Ok(())
}

/// Makes a described person in an account, under the alias that it has there.
fn make_person(
    world: &World<'_>,
    spec: &WorldSpec,
    person: &PersonSpec,
    alias: &str,
    account: &str,
) -> Person {
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
        let (_, plain) = people::split_path(name);
        match kind {
            // Somebody may have made it meanwhile: then it stays what it is.
            PrincipalKind::User | PrincipalKind::Root => {
                if iam::user_by_name(world, account, plain).is_none() {
                    iam::seed_user(world, account, name, grants);
                }
            }
            PrincipalKind::Role => {
                if iam::role_by_name(world, account, plain).is_none() {
                    iam::seed_role(world, account, name, grants);
                }
            }
        }
    }
    let region = person.region.as_deref().unwrap_or(&spec.region);
    people::add_person(world, &NewPerson { alias, account, region, kind, name })
}

fn add_key(world: &World<'_>, spec: &WorldSpec, key: &KeySpec) -> Result<(), SandboxError> {
    let account = spec.account(&key.alias, key.account.as_deref())?;
    let region = key.region.as_deref().unwrap_or(&spec.region);
    let tags: Vec<Value> =
        key.tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect();
    let mut input = json!({"Tags": tags});
    if let Some(policy) = &key.policy {
        input["Policy"] = json!(policy);
    }
    let made = ask(world, "kms", "CreateKey", &account, region, &input)?;
    let id = &made["KeyMetadata"]["KeyId"];
    let input = json!({"AliasName": format!("alias/{}", key.alias), "TargetKeyId": id});
    ask(world, "kms", "CreateAlias", &account, region, &input)?;
    if !key.enabled {
        ask(world, "kms", "DisableKey", &account, region, &json!({"KeyId": id}))?;
    }
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
    let target = json!({
        "ClusterIdentifier": cluster.identifier, "Database": cluster.database,
        "DbUser": cluster.master_user,
    });
    run_sql(connection, (&account, region), &target, &cluster.sql, start)
}

fn add_workgroup(
    connection: &Connection,
    spec: &WorldSpec,
    workgroup: &WorkgroupSpec,
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    let account = spec.account(&workgroup.name, workgroup.account.as_deref())?;
    let region = workgroup.region.as_deref().unwrap_or(&spec.region);
    let namespace = workgroup.namespace.as_ref().unwrap_or(&workgroup.name);
    let password = workgroup.admin_password.clone().unwrap_or_else(|| {
        format!("Sandbox1{}", people::hex(&format!("{account}/{namespace}"), 16))
    });
    let world = World::new(connection, start - PATIENCE);
    let input = json!({
        "namespaceName": namespace, "dbName": workgroup.database,
        "adminUsername": workgroup.admin_user, "adminUserPassword": password,
    });
    ask(&world, "redshift_serverless", "CreateNamespace", &account, region, &input)?;
    let tags: Vec<Value> =
        workgroup.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let input = json!({"workgroupName": workgroup.name, "namespaceName": namespace, "tags": tags});
    ask(&world, "redshift_serverless", "CreateWorkgroup", &account, region, &input)?;
    settle(connection, start - PATIENCE / 2);
    if workgroup.sql.is_empty() {
        return Ok(());
    }
    // A workgroup knows no named users: the superuser signs in with a secret, which is there for it.
    let world = World::new(connection, start - PATIENCE / 2);
    let value = json!({"username": workgroup.admin_user, "password": password}).to_string();
    let input = json!({"Name": format!("seed/{namespace}"), "SecretString": value});
    let secret = ask(&world, "secretsmanager", "CreateSecret", &account, region, &input)?;
    let target = json!({
        "WorkgroupName": workgroup.name, "Database": workgroup.database,
        "SecretArn": secret["ARN"],
    });
    run_sql(connection, (&account, region), &target, &workgroup.sql, start)?;
    let world = World::new(connection, start);
    let input = json!({"SecretId": secret["ARN"], "ForceDeleteWithoutRecovery": true});
    ask(&world, "secretsmanager", "DeleteSecret", &account, region, &input)?;
    Ok(())
}

/// Runs statements one by one; `target` says where and as whom.
fn run_sql(
    connection: &Connection,
    (account, region): (&str, &str),
    target: &Value,
    sqls: &[String],
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    for sql in sqls {
        let world = World::new(connection, start - PATIENCE / 2);
        let mut input = target.clone();
        input["Sql"] = json!(sql);
        let statement = ask(&world, "redshift_data", "ExecuteStatement", account, region, &input)?;
        settle(connection, start);
        let world = World::new(connection, start);
        let id = json!({"Id": statement["Id"]});
        let described = ask(&world, "redshift_data", "DescribeStatement", account, region, &id)?;
        if described["Status"] != "FINISHED" {
            let error = described["Error"].as_str().unwrap_or("it did not finish");
            let name = target["ClusterIdentifier"].as_str().or(target["WorkgroupName"].as_str());
            let name = name.unwrap_or_default();
            return Err(SandboxError::Seed(format!("{name}: {sql}: {error}")));
        }
    }
    Ok(())
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
