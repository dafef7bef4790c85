//! Making, showing, changing and removing databases.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::state::{Database, DatabaseRef, create_database, database, databases, drop_database};
use super::{catalog, invalid, not_found, paging, permission};
use crate::services::{AwsFault, Call, Reply};

/// CreateDatabase.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let input = call.input.get("DatabaseInput").unwrap_or(&Value::Null);
    let scope = catalog(call);
    let reference = DatabaseRef::new(&scope, input["Name"].as_str().unwrap_or_default());
    permission::create_database(call.principal, &reference)?;
    create_database(call.world, &scope, &call.principal.identity_arn, input)?;
    let given = call.input.get("Tags").and_then(Value::as_object);
    let tags: BTreeMap<String, String> = given
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    if !tags.is_empty()
        && let Some(mut made) = database(call.world, &reference)
    {
        made.tags = tags;
        made.save(call.world);
    }
    Ok(json!({}))
}

/// The database of this name in the catalogue of a call.
pub(super) fn named(call: &Call<'_>, name: &str) -> Result<Database, AwsFault> {
    let reference = DatabaseRef::new(&catalog(call), name);
    let found = database(call.world, &reference)
        .ok_or_else(|| not_found(format!("Database {} not found.", reference.name)));
    // Of another account's databases nobody is told who has no permission on them.
    if reference.account != call.principal.account || found.is_ok() {
        permission::database(call.world, call.principal, &reference)?;
    }
    found
}

/// The database that a call's tables are in: that of this name, or the one it is a link to.
pub(super) fn real(call: &Call<'_>, name: &str) -> Result<DatabaseRef, AwsFault> {
    let found = named(call, name)?;
    let Some(target) = found.target() else { return Ok(found.reference) };
    permission::database(call.world, call.principal, &target)?;
    match database(call.world, &target) {
        Some(target) => Ok(target.reference),
        None => Err(not_found(format!("Database {} not found.", target.name))),
    }
}

/// GetDatabase.
pub(super) fn get(call: &Call<'_>) -> Reply {
    Ok(json!({"Database": named(call, call.text("Name"))?.shown()}))
}

/// GetDatabases: those that the caller may see.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let items = databases(call.world, &catalog(call))
        .into_iter()
        .filter(|found| permission::database(call.world, call.principal, &found.reference).is_ok())
        .map(|found| found.shown())
        .collect();
    paging(100).page(call, "DatabaseList", items)
}

/// UpdateDatabase: everything that is not given is gone.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let mut known = named(call, call.text("Name"))?;
    permission::change_database(call.world, call.principal, &known.reference)?;
    let input = call.input.get("DatabaseInput").unwrap_or(&Value::Null);
    let name = input["Name"].as_str().unwrap_or_default();
    if !name.eq_ignore_ascii_case(&known.reference.name) {
        return Err(invalid("Cannot rename a database."));
    }
    known.input = input.clone();
    known.save(call.world);
    Ok(json!({}))
}

/// DeleteDatabase: its tables go with it.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let known = named(call, call.text("Name"))?;
    permission::change_database(call.world, call.principal, &known.reference)?;
    drop_database(call.world, &known.reference);
    Ok(json!({}))
}
