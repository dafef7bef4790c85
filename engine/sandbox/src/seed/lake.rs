//! The data lake that a world begins with: its buckets, its databases, and their tables, which Athena
//! makes as it would for anybody.

use rusqlite::Connection;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{ask, tags};
use crate::door::{SandboxError, settle};
use crate::services::s3;
use crate::spec::{BucketSpec, GlueDatabaseSpec, WorldSpec};
use crate::world::{Scope, World};

/// Longest time that a statement takes.
const PATIENCE: Duration = Duration::minutes(1);

/// Makes a bucket with its objects.
pub(super) fn add_bucket(
    world: &World<'_>,
    spec: &WorldSpec,
    bucket: &BucketSpec,
) -> Result<(), SandboxError> {
    let account = spec.account(&bucket.name, bucket.account.as_deref())?;
    let region = bucket.region.as_deref().unwrap_or(&spec.region);
    let failed = |message: String| SandboxError::Seed(format!("{}: {message}", bucket.name));
    s3::create_bucket(world, &Scope::new(&account, region), &bucket.name)
        .map_err(|fault| failed(fault.message))?;
    if !bucket.tags.is_empty() {
        let input = json!({"Bucket": bucket.name, "Tagging": {"TagSet": tags(&bucket.tags)}});
        ask(world, "s3", "PutBucketTagging", &account, region, &input)?;
    }
    for (key, text) in &bucket.objects {
        s3::put_object(world, &bucket.name, key, text.as_bytes(), "text/plain")
            .map_err(|fault| failed(fault.message))?;
    }
    Ok(())
}

/// Makes a database and runs its statements.
pub(super) fn add_database(
    connection: &Connection,
    spec: &WorldSpec,
    database: &GlueDatabaseSpec,
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    let account = spec.account(&database.name, database.account.as_deref())?;
    let region = database.region.as_deref().unwrap_or(&spec.region);
    let world = World::new(connection, start - PATIENCE);
    let mut input = json!({"Name": database.name});
    if let Some(description) = &database.description {
        input["Description"] = json!(description);
    }
    if let Some(location) = &database.location {
        input["LocationUri"] = json!(location);
    }
    let input = json!({"DatabaseInput": input});
    ask(&world, "glue", "CreateDatabase", &account, region, &input)?;
    for sql in &database.sql {
        run(connection, (&account, region), database, sql, start)?;
    }
    Ok(())
}

fn run(
    connection: &Connection,
    (account, region): (&str, &str),
    database: &GlueDatabaseSpec,
    sql: &str,
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    let world = World::new(connection, start - PATIENCE);
    let mut input =
        json!({"QueryString": sql, "QueryExecutionContext": {"Database": database.name}});
    if let Some(location) = &database.location {
        input["ResultConfiguration"] = json!({"OutputLocation": location});
    }
    let started = ask(&world, "athena", "StartQueryExecution", account, region, &input)?;
    settle(connection, start);
    let world = World::new(connection, start);
    let found = ask(&world, "athena", "GetQueryExecution", account, region, &started)?;
    let execution = &found["QueryExecution"];
    if execution["Status"]["State"] != "SUCCEEDED" {
        let reason = execution["Status"]["StateChangeReason"].as_str().unwrap_or("it did not end");
        return Err(SandboxError::Seed(format!("{}: {sql}: {reason}", database.name)));
    }
    // The tables' rows stay; what the statements told is nobody's.
    let told = [
        &execution["ResultConfiguration"]["OutputLocation"],
        &execution["Statistics"]["DataManifestLocation"],
    ];
    for uri in told.into_iter().filter_map(Value::as_str) {
        if let Some((bucket, key)) = s3::split_uri(uri).filter(|(_, key)| key.contains('.')) {
            s3::remove_objects(&world, bucket, key);
        }
    }
    Ok(())
}
