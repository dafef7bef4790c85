//! What a grant does to the data: a view in the subscriber's warehouse, or a link in their lake.
//!
//! DataZone acts with the manage access roles of both sides: that of whoever has the data, and that
//! of the environment which gets it. The reasons here are what people read of a failed grant.

use serde_json::{Value, json};

use super::assets::{lake_table_of, table_of};
use super::room::{ASSET, Room, elements, text};
use super::targets::of_grant;
use super::warehouse::{self, Consents, Share};
use super::{association, environments, lake_grants, outside};
use crate::sql;

/// What a grant put in its target.
#[derive(Debug)]
pub(super) struct Held {
    /// Name of the table or view.
    pub(super) name: String,
    /// Members that the grant keeps, for taking it back.
    pub(super) kept: Value,
}

/// Puts the asset of a grant into its target; a refusal leaves nothing behind.
pub(super) fn give(room: &Room<'_>, grant: &Value) -> Result<Held, String> {
    room.world.atomically(|| put(room, grant))
}

fn put(room: &Room<'_>, grant: &Value) -> Result<Held, String> {
    let (environment, target) =
        of_grant(room, grant).ok_or_else(|| "The subscription target is gone".to_owned())?;
    if text(&environment, "status") != "ACTIVE" {
        return Err(format!("Environment {} is not ACTIVE", text(&environment, "id")));
    }
    let account = text(&environment, "awsAccountId");
    if !association::holds(room, account) {
        return Err(format!("Account {account} is not associated with the domain"));
    }
    let asset = room
        .find(ASSET, text(&grant["assets"][0], "assetId"))
        .ok_or_else(|| "The asset is gone".to_owned())?;
    match lake_table_of(&asset) {
        Some(table) => lake_grants::give(room, grant, &environment, &target, &asset, &table),
        None => show_in_warehouse(room, grant, &environment, &target, &asset),
    }
}

/// Whether the subscriber can read what a grant put into its target.
pub(super) fn can_be_read(room: &Room<'_>, grant: &Value) -> bool {
    grant["_link"].is_null() || lake_grants::can_be_read(room, grant)
}

/// The name that the subscriber chose, else the table's own.
pub(super) fn chosen_name<'v>(grant: &'v Value, table: &'v str) -> &'v str {
    match text(grant, "_name") {
        "" => table,
        name => name,
    }
}

/// The role in whose name the producer's side acts: the one that imported the asset. Assets that were
/// not imported have none, and the target's acts for both.
pub(super) fn producer_role<'v>(asset: &'v Value, target: &'v Value) -> &'v str {
    match text(asset, "_role") {
        "" => text(target, "manageAccessRole"),
        role => role,
    }
}

fn show_in_warehouse(
    room: &Room<'_>,
    grant: &Value,
    environment: &Value,
    target: &Value,
    asset: &Value,
) -> Result<Held, String> {
    let table = table_of(asset);
    let storage = warehouse::storage(&table["storage"])
        .ok_or_else(|| "The asset is not in a warehouse".to_owned())?;
    let giving = outside::manage_access_role(room, producer_role(asset, target))?;
    let getting = outside::manage_access_role(room, text(target, "manageAccessRole"))?;
    let secret = text(asset, "_secret");
    outside::readable_secret(room, &giving, secret)?;
    let (account, region) = (text(&table, "accountId"), text(&table, "region"));
    let mut producer = warehouse::open(room, account, region, &storage, secret)?;
    let mut consumer = warehouse::of_environment(room, environment)?;
    let name = chosen_name(grant, text(&table, "tableName"));
    let schema = text(environment, "_schema");
    let datashare = format!("datazone_{}", text(grant, "id").replace('-', "_"));
    let share = Share {
        database: text(&table, "databaseName"),
        schema: text(&table, "schemaName"),
        table: text(&table, "tableName"),
        view_schema: schema,
        view: name,
        role: &environments::role_name(text(environment, "id")),
        datashare: &datashare,
    };
    let consents = Consents { producer: &giving, consumer: &getting };
    let shared = consumer.add_share(room, &mut producer, &share, &consents)?;
    let mut kept = json!({ "_schema": schema });
    if shared {
        kept["_datashare"] = json!({
            "name": datashare, "namespace": producer.namespace(), "accountId": account,
            "region": region, "storage": table["storage"], "secret": secret,
        });
    }
    Ok(Held { name: name.to_owned(), kept })
}

/// Takes back what a grant put into its target.
pub(super) fn take_back(room: &Room<'_>, grant: &Value) -> Result<(), String> {
    let gone = || "The subscription target is gone".to_owned();
    if !grant["_link"].is_null() {
        let (environment, _) = of_grant(room, grant).ok_or_else(gone)?;
        return lake_grants::take_back(room, grant, &environment);
    }
    let Some(schema) = grant["_schema"].as_str() else {
        return Ok(());
    };
    let (environment, _) = of_grant(room, grant).ok_or_else(gone)?;
    let mut warehouse = warehouse::of_environment(room, &environment)?;
    for asset in elements(grant, "assets") {
        warehouse.remove_share(schema, text(asset, "targetName"))?;
    }
    drop_datashare(room, &grant["_datashare"])
}

/// Takes away the producer's datashare, if there was one and the namespace that had it is still there.
fn drop_datashare(room: &Room<'_>, datashare: &Value) -> Result<(), String> {
    let namespace = text(datashare, "namespace");
    let Some(storage) = warehouse::storage(&datashare["storage"]) else { return Ok(()) };
    if sql::Warehouse::open(room.world, namespace).is_none() {
        return Ok(());
    }
    let (account, region) = (text(datashare, "accountId"), text(datashare, "region"));
    let mut producer = warehouse::open(room, account, region, &storage, text(datashare, "secret"))?;
    producer.remove_datashare(text(datashare, "name"))
}
