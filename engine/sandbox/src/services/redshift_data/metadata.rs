//! ListDatabases, ListSchemas, ListTables and DescribeTable: the catalog without SQL.

use serde_json::{Value, json};

use super::results::{metadata, page};
use super::session::{Login, log_in};
use crate::services::{AwsFault, Call, Reply};
use crate::sql::{Privilege, RelationInfo};

/// The most that one page has.
const MOST: u64 = 1_000;

/// Signs in; a sign-in that fails is an error of the call here.
fn signed_in<'w>(call: &Call<'w>) -> Result<(Login<'w>, String), AwsFault> {
    let login = log_in(call)?;
    let failed = |message: String| AwsFault::new("DatabaseConnectionException", message);
    let user = login.user.clone().map_err(failed)?;
    let wanted = [login.database.as_str(), call.text("Database")];
    let databases = login.warehouse.databases();
    for name in wanted.into_iter().filter(|name| !name.is_empty()) {
        if !databases.contains(&name.to_lowercase()) {
            return Err(failed(format!("FATAL: database \"{name}\" does not exist")));
        }
    }
    Ok((login, user))
}

/// ListDatabases.
pub(super) fn databases(call: &Call<'_>) -> Reply {
    let (login, _) = signed_in(call)?;
    let items = login.warehouse.databases().into_iter().map(Value::from).collect();
    page(call, "Databases", items, MOST)
}

/// ListSchemas.
pub(super) fn schemas(call: &Call<'_>) -> Reply {
    let (login, user) = signed_in(call)?;
    let items = visible_schemas(call, &login, &user).into_iter().map(Value::from).collect();
    page(call, "Schemas", items, MOST)
}

fn visible_schemas(call: &Call<'_>, login: &Login<'_>, user: &str) -> Vec<String> {
    let database = call.text("Database").to_lowercase();
    let mut schemas = login.warehouse.schemas(user, &database);
    schemas.extend(["information_schema", "pg_catalog"].map(str::to_owned));
    schemas.sort();
    schemas.retain(|schema| fits(schema, call.text("SchemaPattern")));
    schemas
}

/// ListTables.
pub(super) fn tables(call: &Call<'_>) -> Reply {
    let (login, user) = signed_in(call)?;
    let items = visible_tables(call, &login, &user)
        .into_iter()
        .filter(|table| fits(&table.name, call.text("TablePattern")))
        .map(|table| json!({"name": table.name, "schema": table.schema, "type": table.kind}))
        .collect();
    page(call, "Tables", items, MOST)
}

fn visible_tables(call: &Call<'_>, login: &Login<'_>, user: &str) -> Vec<RelationInfo> {
    let database = call.text("Database").to_lowercase();
    visible_schemas(call, login, user)
        .iter()
        .filter_map(|schema| login.warehouse.tables(&database, schema).ok())
        .flatten()
        .filter(|table| {
            let readable =
                [Privilege::Select, Privilege::Insert, Privilege::Update, Privilege::Delete];
            readable.into_iter().any(|privilege| {
                login.warehouse.may(user, &database, &table.schema, &table.name, privilege).is_ok()
            })
        })
        .collect()
}

/// DescribeTable: no columns for a table that is not there, or that the user may not see.
pub(super) fn columns(call: &Call<'_>) -> Reply {
    let (login, user) = signed_in(call)?;
    let database = call.text("Database").to_lowercase();
    let (schema, wanted) = (call.text("Schema").to_lowercase(), call.text("Table").to_lowercase());
    let tables = visible_tables(call, &login, &user).into_iter().filter(|table| {
        (schema.is_empty() || table.schema == schema) && (wanted.is_empty() || table.name == wanted)
    });
    let mut items = vec![];
    for table in tables {
        let columns = login
            .warehouse
            .columns(&database, &table.schema, &table.name)
            .map_err(|error| AwsFault::new("InternalServerException", error.to_string()))?;
        items.extend(columns.iter().map(|column| metadata(column, false)));
    }
    let mut output = page(call, "ColumnList", items, MOST)?;
    output["TableName"] = json!(call.text("Table"));
    Ok(output)
}

/// A LIKE pattern over names: `%` any text, `_` one character; no pattern fits all.
fn fits(name: &str, pattern: &str) -> bool {
    fn matches(name: &[u8], pattern: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'%', rest)) => (0..=name.len()).any(|skip| matches(&name[skip..], rest)),
            Some((b'_', rest)) => !name.is_empty() && matches(&name[1..], rest),
            Some((letter, rest)) => name.first() == Some(letter) && matches(&name[1..], rest),
        }
    }
    pattern.is_empty() || matches(name.as_bytes(), pattern.to_lowercase().as_bytes())
}
