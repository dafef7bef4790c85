//! Making, showing, changing and removing tables.

use regex_lite::Regex;
use serde_json::{Value, json};

use super::permission::{self, Wanted};
use super::state::{
    Table, TableRef, create_table, drop_table, replace_table, table, tables, versions_of,
};
use super::{databases, invalid, not_found, paging};
use crate::services::{AwsFault, Call, Reply};
use crate::world::World;

/// CreateTable.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let of = databases::real(call, call.text("DatabaseName"))?;
    permission::create_table(call.world, call.principal, &of)?;
    let input = call.input.get("TableInput").ok_or_else(|| invalid("TableInput is required."))?;
    check(input)?;
    create_table(call.world, &of, &call.principal.identity_arn, input)?;
    Ok(json!({}))
}

/// Names that Glue refuses although the model allows them.
fn check(input: &Value) -> Result<(), AwsFault> {
    let lists = [input.pointer("/StorageDescriptor/Columns"), input.get("PartitionKeys")];
    let mut names: Vec<String> = Vec::new();
    for column in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
        let name = column["Name"].as_str().unwrap_or_default().to_lowercase();
        if names.contains(&name) {
            return Err(invalid(format!("Column {name} is there twice.")));
        }
        names.push(name);
    }
    Ok(())
}

/// The table that a call names, when the caller may do this with it.
pub(super) fn named(call: &Call<'_>, member: &str, wanted: Wanted) -> Result<Table, AwsFault> {
    let of = databases::real(call, call.text("DatabaseName"))?;
    let reference = of.table(call.text(member));
    let missing = || not_found(format!("Table {} not found.", reference.name));
    let Some(found) = table(call.world, &reference) else { return Err(missing()) };
    permission::table(call.world, call.principal, &reference, wanted)?;
    Ok(found)
}

/// A table as somebody sees it: a link has the columns and the place of its target, when they may see
/// that.
fn shown(call: &Call<'_>, found: &Table) -> Value {
    let mut answer = found.shown(call.world);
    let Some(target) = found.target().and_then(|target| behind(call, &target)) else {
        return answer;
    };
    let seen = target.shown(call.world);
    let members = ["StorageDescriptor", "PartitionKeys", "TableType", "Parameters", "Description"];
    for member in members.into_iter().chain(["Owner", "ViewOriginalText", "ViewExpandedText"]) {
        if let (None, Some(value)) = (answer.get(member), seen.get(member)) {
            answer[member] = value.clone();
        }
    }
    answer["IsRegisteredWithLakeFormation"] = seen["IsRegisteredWithLakeFormation"].clone();
    answer
}

fn behind(call: &Call<'_>, target: &TableRef) -> Option<Table> {
    permission::table(call.world, call.principal, target, Wanted::Describe).ok()?;
    table(call.world, target)
}

/// GetTable.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let found = named(call, "Name", Wanted::Describe)?;
    Ok(json!({"Table": shown(call, &found)}))
}

/// GetTables: those that the caller may see and whose names fit the expression.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let of = databases::real(call, call.text("DatabaseName"))?;
    let fits = pattern(call.text("Expression"))?;
    let items = tables(call.world, &of)
        .iter()
        .filter(|found| fits.as_ref().is_none_or(|fits| fits.is_match(&found.reference.name)))
        .filter(|found| may_see(call, found))
        .map(|found| shown(call, found))
        .collect();
    paging(100).page(call, "TableList", items)
}

pub(super) fn may_see(call: &Call<'_>, found: &Table) -> bool {
    permission::table(call.world, call.principal, &found.reference, Wanted::Describe).is_ok()
}

/// A Hive pattern: a regular expression in which a star alone stands for any text.
fn pattern(expression: &str) -> Result<Option<Regex>, AwsFault> {
    if expression.is_empty() {
        return Ok(None);
    }
    let text = expression.replace(".*", "*").replace('*', ".*");
    Regex::new(&format!("(?i)^(?:{text})$"))
        .map(Some)
        .map_err(|_no_pattern| invalid(format!("Invalid expression: {expression}")))
}

/// UpdateTable: everything that is not given is gone.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let of = databases::real(call, call.text("DatabaseName"))?;
    let input = call.input.get("TableInput").ok_or_else(|| invalid("TableInput is required."))?;
    let reference = of.table(input["Name"].as_str().unwrap_or_default());
    let known = table(call.world, &reference)
        .ok_or_else(|| not_found(format!("Table {} not found.", reference.name)))?;
    permission::table(call.world, call.principal, &reference, Wanted::Alter)?;
    check(input)?;
    let version = call.text("VersionId");
    if !version.is_empty() && version != known.version.to_string() {
        let message = format!(
            "Update table failed due to concurrent modifications. The version \
                               of {} is {}.",
            known.reference.name, known.version
        );
        return Err(AwsFault::new("ConcurrentModificationException", message));
    }
    replace_table(call.world, &known, input);
    Ok(json!({}))
}

/// DeleteTable.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let known = named(call, "Name", Wanted::Drop)?;
    drop_table(call.world, &known.reference);
    Ok(json!({}))
}

/// BatchDeleteTable: each table on its own.
pub(super) fn delete_many(call: &Call<'_>) -> Reply {
    let of = databases::real(call, call.text("DatabaseName"))?;
    let names = crate::services::pages::texts(call.input, "TablesToDelete");
    let errors: Vec<Value> = names
        .iter()
        .filter_map(|name| {
            let error = remove(call.world, call, &of.table(name)).err()?;
            let detail = json!({"ErrorCode": error.code, "ErrorMessage": error.message});
            Some(json!({"TableName": name, "ErrorDetail": detail}))
        })
        .collect();
    Ok(if errors.is_empty() { json!({}) } else { json!({"Errors": errors}) })
}

fn remove(world: &World<'_>, call: &Call<'_>, of: &TableRef) -> Result<(), AwsFault> {
    if table(world, of).is_none() {
        return Err(not_found(format!("Table {} not found.", of.name)));
    }
    permission::table(world, call.principal, of, Wanted::Drop)?;
    drop_table(world, of);
    Ok(())
}

/// GetTableVersions.
pub(super) fn versions(call: &Call<'_>) -> Reply {
    let known = named(call, "TableName", Wanted::Describe)?;
    let items = versions_of(call.world, &known).iter().map(|one| version_of(call, one)).collect();
    paging(100).page(call, "TableVersions", items)
}

fn version_of(call: &Call<'_>, one: &Table) -> Value {
    json!({"Table": one.shown(call.world), "VersionId": one.version.to_string()})
}

/// GetTableVersion: the present one unless another is named.
pub(super) fn version(call: &Call<'_>) -> Reply {
    let known = named(call, "TableName", Wanted::Describe)?;
    let wanted = call.text("VersionId");
    versions_of(call.world, &known)
        .iter()
        .find(|one| wanted.is_empty() || one.version.to_string() == wanted)
        .map(|one| json!({"TableVersion": version_of(call, one)}))
        .ok_or_else(|| {
            not_found(format!("Version {wanted} of {} not found.", known.reference.name))
        })
}
