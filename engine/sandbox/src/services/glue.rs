//! AWS Glue's Data Catalog: databases, tables, their versions and partitions.
//!
//! Each account and region has one catalogue. Names are kept in lower case. What a table holds is in
//! Amazon S3, not here. A database or table may be a link to one of another account; reads go through
//! it. Lake Formation is asked about every table and database beside IAM. Crawlers, ETL, connections
//! and everything else of Glue are left out and refused by name.
//!
//! # Layout
//! - `state`: the documents, and what other services ask of them.
//! - `permission`: what Lake Formation says.
//! - `databases`, `tables`, `partitions`, `filter`, `search`: the operations. `catalogue`: settings,
//!   policy, tags.

mod catalogue;
mod databases;
mod filter;
mod partitions;
pub(crate) mod permission;
mod search;
mod state;
mod tables;

use serde_json::Value;

use super::pages::Paging;
use super::{AwsFault, Call, Reply, Service};
use crate::world::Scope;

pub(crate) use state::{
    Database, DatabaseRef, Table, TableRef, add_partition, create_database, create_table, database,
    databases, drop_database, drop_table, link_table, partitions_of, remove_partition,
    replace_table, table, tables,
};

/// AWS Glue.
#[derive(Debug)]
pub(crate) struct Glue;

impl Service for Glue {
    fn name(&self) -> &'static str {
        "glue"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "BatchCreatePartition",
            "BatchDeletePartition",
            "BatchDeleteTable",
            "BatchGetPartition",
            "CreateDatabase",
            "CreatePartition",
            "CreateTable",
            "DeleteDatabase",
            "DeletePartition",
            "DeleteResourcePolicy",
            "DeleteTable",
            "GetCatalogImportStatus",
            "GetDataCatalogEncryptionSettings",
            "GetDatabase",
            "GetDatabases",
            "GetPartition",
            "GetPartitionIndexes",
            "GetPartitions",
            "GetResourcePolicy",
            "GetTable",
            "GetTableVersion",
            "GetTableVersions",
            "GetTables",
            "GetTags",
            "PutDataCatalogEncryptionSettings",
            "PutResourcePolicy",
            "SearchTables",
            "TagResource",
            "UntagResource",
            "UpdateDatabase",
            "UpdatePartition",
            "UpdateTable",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "CreateDatabase" => databases::create(call),
            "GetDatabase" => databases::get(call),
            "GetDatabases" => databases::list(call),
            "UpdateDatabase" => databases::update(call),
            "DeleteDatabase" => databases::delete(call),
            "CreateTable" => tables::create(call),
            "GetTable" => tables::get(call),
            "GetTables" => tables::list(call),
            "UpdateTable" => tables::update(call),
            "DeleteTable" => tables::delete(call),
            "BatchDeleteTable" => tables::delete_many(call),
            "GetTableVersion" => tables::version(call),
            "GetTableVersions" => tables::versions(call),
            "SearchTables" => search::answer(call),
            "CreatePartition" => partitions::create(call),
            "BatchCreatePartition" => partitions::create_many(call),
            "GetPartition" => partitions::get(call),
            "BatchGetPartition" => partitions::get_many(call),
            "GetPartitions" => partitions::list(call),
            "GetPartitionIndexes" => partitions::indexes(call),
            "UpdatePartition" => partitions::update(call),
            "DeletePartition" => partitions::delete(call),
            "BatchDeletePartition" => partitions::delete_many(call),
            _ => catalogue::answer(call),
        }
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        let given = call.text("ResourceArn");
        if !given.is_empty() {
            return given.to_owned();
        }
        let database = match call.text("DatabaseName") {
            "" if call.operation.ends_with("Database") => {
                text(call.input, "Name").or(call.input.pointer("/DatabaseInput/Name"))
            }
            _ => text(call.input, "DatabaseName"),
        };
        let named = |value: Option<&Value>| {
            value.and_then(Value::as_str).unwrap_or_default().to_lowercase()
        };
        let (scope, database) = (catalog(call), named(database));
        let prefix = format!("arn:aws:glue:{}:{}", scope.region, scope.account);
        if database.is_empty() {
            return format!("{prefix}:catalog");
        }
        let table = match call.operation {
            "CreateTable" | "UpdateTable" => call.input.pointer("/TableInput/Name"),
            "GetTable" | "DeleteTable" => text(call.input, "Name"),
            _ => text(call.input, "TableName"),
        };
        match named(table) {
            table if table.is_empty() => format!("{prefix}:database/{database}"),
            table => format!("{prefix}:table/{database}/{table}"),
        }
    }
}

fn text<'v>(input: &'v Value, member: &str) -> Option<&'v Value> {
    input.get(member).filter(|value| value.is_string())
}

/// The catalogue that a call is about: its account's own unless it names another's.
fn catalog(call: &Call<'_>) -> Scope {
    let mut scope = call.scope();
    let given = call.text("CatalogId");
    if !given.is_empty() {
        given.clone_into(&mut scope.account);
    }
    scope
}

fn paging(most: usize) -> Paging {
    Paging {
        size: "MaxResults",
        token: "NextToken",
        next: "NextToken",
        most,
        error: "InvalidInputException",
    }
}

fn not_found(message: impl Into<String>) -> AwsFault {
    AwsFault::new("EntityNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> AwsFault {
    AwsFault::new("InvalidInputException", message)
}
