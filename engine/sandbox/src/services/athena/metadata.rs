//! The catalogue as Athena shows it.

use serde_json::{Value, json};

use super::{CATALOG, paging, text};
use crate::services::glue::permission::{self, Wanted};
use crate::services::glue::{self, Database, DatabaseRef, Table};
use crate::services::{AwsFault, Call, Reply};

fn metadata_error(message: impl Into<String>) -> AwsFault {
    AwsFault::new("MetadataException", message)
}

/// Refuses another catalogue than the account's own.
fn own_catalog(call: &Call<'_>, member: &str) -> Result<(), AwsFault> {
    let name = call.text(member);
    match name.eq_ignore_ascii_case(CATALOG) {
        true => Ok(()),
        false => Err(metadata_error(format!("Data catalog {name} was not found"))),
    }
}

/// ListDataCatalogs: the account's own.
pub(super) fn catalogs(call: &Call<'_>) -> Reply {
    let only = json!({"CatalogName": CATALOG, "Type": "GLUE"});
    paging(50).page(call, "DataCatalogsSummary", vec![only])
}

/// GetDataCatalog.
pub(super) fn catalog(call: &Call<'_>) -> Reply {
    own_catalog(call, "Name").map_err(|error| super::invalid(error.message))?;
    Ok(json!({"DataCatalog": {
        "Name": CATALOG, "Type": "GLUE", "Parameters": {"catalog-id": call.principal.account},
    }}))
}

fn shown_database(found: &Database) -> Value {
    let mut shown = json!({"Name": found.reference.name});
    for member in ["Description", "Parameters"] {
        if let Some(value) = found.input.get(member) {
            shown[member] = value.clone();
        }
    }
    shown
}

/// ListDatabases.
pub(super) fn databases(call: &Call<'_>) -> Reply {
    own_catalog(call, "CatalogName")?;
    let found = glue::databases(call.world, &call.scope())
        .iter()
        .filter(|found| permission::database(call.world, call.principal, &found.reference).is_ok())
        .map(shown_database)
        .collect();
    paging(50).page(call, "DatabaseList", found)
}

fn named_database(call: &Call<'_>) -> Result<Database, AwsFault> {
    own_catalog(call, "CatalogName")?;
    let reference = DatabaseRef::new(&call.scope(), call.text("DatabaseName"));
    glue::database(call.world, &reference)
        .filter(|_| permission::database(call.world, call.principal, &reference).is_ok())
        .ok_or_else(|| {
            metadata_error(format!("Database {} not found. (Service: AWSGlue)", reference.name))
        })
}

/// GetDatabase.
pub(super) fn database(call: &Call<'_>) -> Reply {
    Ok(json!({"Database": shown_database(&named_database(call)?)}))
}

/// A table; a link shows what it leads to.
fn shown_table(call: &Call<'_>, found: &Table) -> Value {
    let behind = found.target().and_then(|target| glue::table(call.world, &target));
    let real = behind.as_ref().unwrap_or(found);
    let listed = |columns: Vec<(String, String, String)>| -> Value {
        columns
            .into_iter()
            .map(|(name, kind, comment)| match comment.is_empty() {
                true => json!({"Name": name, "Type": kind}),
                false => json!({"Name": name, "Type": kind, "Comment": comment}),
            })
            .collect()
    };
    let mut parameters = match real.input.get("Parameters") {
        Some(Value::Object(given)) => given.clone(),
        _ => serde_json::Map::new(),
    };
    let descriptor = real.input.get("StorageDescriptor").unwrap_or(&Value::Null);
    for (name, value) in [
        ("location", text(descriptor, "Location")),
        ("inputformat", text(descriptor, "InputFormat")),
        ("outputformat", text(descriptor, "OutputFormat")),
        ("serde.serialization.lib", text(&descriptor["SerdeInfo"], "SerializationLibrary")),
    ] {
        parameters.insert(name.to_owned(), json!(value));
    }
    json!({
        "Name": found.reference.name,
        "CreateTime": found.created,
        "TableType": real.table_type(),
        "Columns": listed(real.own_columns()),
        "PartitionKeys": listed(real.partition_columns()),
        "Parameters": parameters,
    })
}

fn may_see(call: &Call<'_>, found: &Table) -> bool {
    permission::table(call.world, call.principal, &found.reference, Wanted::Describe).is_ok()
}

/// ListTableMetadata.
pub(super) fn tables(call: &Call<'_>) -> Reply {
    let database = named_database(call)?;
    let of = database.target().unwrap_or(database.reference);
    let expression = call.text("Expression").replace(".*", "*").replace('*', ".*");
    let pattern = regex_lite::Regex::new(&format!("(?i)^(?:{expression})$"))
        .map_err(|_no_pattern| super::invalid("The expression is no regular expression."))?;
    let found = glue::tables(call.world, &of)
        .iter()
        .filter(|table| expression.is_empty() || pattern.is_match(&table.reference.name))
        .filter(|table| may_see(call, table))
        .map(|table| shown_table(call, table))
        .collect();
    paging(50).page(call, "TableMetadataList", found)
}

/// GetTableMetadata.
pub(super) fn table(call: &Call<'_>) -> Reply {
    let database = named_database(call)?;
    let of = database.target().unwrap_or(database.reference);
    let name = call.text("TableName");
    glue::table(call.world, &of.table(name))
        .filter(|found| may_see(call, found))
        .map(|found| json!({"TableMetadata": shown_table(call, &found)}))
        .ok_or_else(|| metadata_error(format!("Table {name} not found. (Service: AWSGlue)")))
}
