//! The call log and the dump: what a person sees of a world.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::SandboxError;

/// What a secret is shown as.
const MASK: &str = "[secret]";

/// Members of documents whose text is a secret, in lower case and without underscores.
const SECRET_MEMBERS: [&str; 9] = [
    "adminuserpassword",
    "masteruserpassword",
    "newpassword",
    "oldpassword",
    "password",
    "secretaccesskey",
    "secretbinary",
    "secretstring",
    "sessiontoken",
];

/// Members that differ between two runs that did the same.
const FLEETING_MEMBERS: [&str; 3] = ["duration", "durationmillis", "durationnanos"];

/// One call that the world has had.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallRecord {
    /// Number, from 1.
    pub seq: u64,
    /// When, RFC 3339, on the virtual clock.
    pub at: String,
    /// Account of the caller, twelve digits; empty when the caller is unknown.
    pub account: String,
    /// ARN of the caller, or the key id of an unknown one.
    pub principal: String,
    /// The script's name of the service.
    pub service: String,
    /// AWS's name of the operation.
    pub operation: String,
    /// The operation is one that changes things.
    pub mutating: bool,
    /// This call did change the world.
    pub effect: bool,
    /// HTTP status of the answer.
    pub status: u16,
    /// Code of the error, when it was one.
    pub error: Option<String>,
    /// The input, with credential members masked.
    pub input: Value,
}

/// Where a call came from: what CloudTrail tells beside its record.
pub(super) struct Origin<'a> {
    /// Region of the signature.
    pub(super) region: &'a str,
    /// The key that it was signed with.
    pub(super) access_key_id: &'a str,
}

/// Gives the tables of an older world's file the columns that came later.
pub(super) fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    for (table, column) in [("calls", "region"), ("calls", "access_key_id"), ("tokens", "at")] {
        let there: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)")?
            .query_row([table, column], |row| row.get(0))?;
        if !there {
            connection.execute_batch(&format!(
                "ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''"
            ))?;
        }
    }
    Ok(())
}

/// Adds a call to the log; its `seq` is ignored.
pub(super) fn record(
    connection: &Connection,
    call: &CallRecord,
    origin: &Origin<'_>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO calls (at, account, principal, service, operation, mutating, effect,
                                status, error, input, region, access_key_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            call.at,
            call.account,
            call.principal,
            call.service,
            call.operation,
            call.mutating,
            call.effect,
            call.status,
            call.error,
            call.input.to_string(),
            origin.region,
            origin.access_key_id
        ])?;
    Ok(())
}

/// The number that the next call will have.
pub(super) fn next_seq(connection: &Connection) -> rusqlite::Result<u64> {
    let last: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM calls")?
        .query_row([], |row| row.get(0))?;
    Ok(last.unsigned_abs() + 1)
}

/// Every call after one, in order.
pub(super) fn log(connection: &Connection, after: u64) -> Result<Vec<CallRecord>, SandboxError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, account, principal, service, operation, mutating, effect, status, error,
                input
         FROM calls WHERE seq > ?1 ORDER BY seq",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = statement.query_map([after], |row| {
        let input: String = row.get(10)?;
        Ok(CallRecord {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            at: row.get(1)?,
            account: row.get(2)?,
            principal: row.get(3)?,
            service: row.get(4)?,
            operation: row.get(5)?,
            mutating: row.get(6)?,
            effect: row.get(7)?,
            status: row.get(8)?,
            error: row.get(9)?,
            input: serde_json::from_str(&input).unwrap_or(Value::Null),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An input with its secrets masked, passwords inside SQL too. `operation` is the script's name.
pub(super) fn masked(service: &str, operation: &str, input: &Value) -> Value {
    let mut masked = match service {
        "redshift_data" => transform_texts(input, &|text| {
            text.to_lowercase().contains("password").then(|| mask_sql(text))
        }),
        _ => input.clone(),
    };
    for path in piton_models::secret_input_members(service, operation) {
        let segments: Vec<&str> = path.split('/').collect();
        mask_path(&mut masked, &segments);
    }
    masked
}

fn mask_path(value: &mut Value, path: &[&str]) {
    let Some((segment, rest)) = path.split_first() else {
        *value = json!(MASK);
        return;
    };
    match value {
        Value::Array(list) if *segment == "*" => {
            list.iter_mut().for_each(|item| mask_path(item, rest));
        }
        Value::Object(map) if *segment == "*" => {
            map.values_mut().for_each(|item| mask_path(item, rest));
        }
        Value::Object(map) => {
            if let Some(inner) = map.get_mut(*segment) {
                mask_path(inner, rest);
            }
        }
        _ => {}
    }
}

fn transform_texts(value: &Value, replace: &dyn Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::String(text) => replace(text).map_or_else(|| value.clone(), Value::String),
        Value::Array(list) => {
            Value::Array(list.iter().map(|item| transform_texts(item, replace)).collect())
        }
        Value::Object(map) => Value::Object(
            map.iter().map(|(name, item)| (name.clone(), transform_texts(item, replace))).collect(),
        ),
        other => other.clone(),
    }
}

fn is_secret(name: &str) -> bool {
    SECRET_MEMBERS.contains(&name.to_lowercase().replace('_', "").as_str())
}

/// SQL with the text after `PASSWORD` masked.
fn mask_sql(sql: &str) -> String {
    let mut masked = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(found) = rest.to_ascii_lowercase().find("password") {
        let after = found + "password".len();
        masked.push_str(&rest[..after]);
        rest = &rest[after..];
        let trimmed = rest.trim_start();
        if let Some(quoted) = trimmed.strip_prefix('\'') {
            let end = quoted.find('\'').map_or(quoted.len(), |end| end + 1);
            masked.push_str(" '[secret]'");
            rest = &quoted[end..];
        }
    }
    masked.push_str(rest);
    masked
}

/// The whole state: `resources` by account, region, service and kind, `history` in the same order.
///
/// A secret is shown as a digest, so that two worlds can be compared and neither gives it away.
pub(super) fn dump(connection: &Connection) -> Result<Value, SandboxError> {
    type Kinds = BTreeMap<String, BTreeMap<String, Value>>;
    let mut resources: BTreeMap<String, BTreeMap<String, BTreeMap<String, Kinds>>> =
        BTreeMap::new();
    let mut statement = connection.prepare(
        "SELECT account, region, kind, id, document FROM documents
         WHERE substr(kind, 1, 1) <> '_' ORDER BY account, region, kind, id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, document): (String, String) = (row.get(2)?, row.get(4)?);
        let Some((service, kind)) = kind.split_once('/') else { continue };
        if kind.starts_with('_') {
            continue;
        }
        let id: String = row.get(3)?;
        let mut document: Value =
            serde_json::from_str(&document).map_err(|_| SandboxError::Unreadable("document"))?;
        if kind == "warehouse" {
            document["rows"] = warehouse_rows(connection, &id)?;
            // A counter tells what has been, not what is.
            document.as_object_mut().and_then(|members| members.remove("next_id"));
        }
        if (service, kind) == ("glue", "table") {
            // So does the number of a table's changes.
            document.as_object_mut().and_then(|members| members.remove("version"));
        }
        resources
            .entry(row.get(0)?)
            .or_default()
            .entry(row.get(1)?)
            .or_default()
            .entry(service.to_owned())
            .or_default()
            .entry(kind.to_owned())
            .or_default()
            .insert(id, lasting(&document));
    }
    Ok(json!({"resources": resources, "history": history(connection)?}))
}

/// The rows of a warehouse's tables: how many, and a digest of all of them in order.
fn warehouse_rows(connection: &Connection, namespace: &str) -> Result<Value, SandboxError> {
    let prefix = format!("wh/{namespace}/");
    let names: Vec<String> = connection
        .prepare(
            "SELECT name FROM sqlite_master
             WHERE type = 'table' AND substr(name, 1, length(?1)) = ?1 ORDER BY name",
        )?
        .query_map([&prefix], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut tables = Map::new();
    for name in names {
        let quoted = name.replace('"', "\"\"");
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
        let width = statement.column_count();
        let mut lines: Vec<String> = statement
            .query_map([], |row| {
                let values = (0..width).map(|index| row.get_ref(index));
                values.map(|value| value.map(|value| format!("{value:?}"))).collect()
            })?
            .map(|cells| cells.map(|cells: Vec<String>| cells.join("|")))
            .collect::<Result<_, _>>()?;
        lines.sort_unstable();
        let digest = crate::people::hex(&lines.join("\n"), 16);
        let shown = json!({"count": lines.len(), "digest": digest});
        tables.insert(name[prefix.len()..].to_owned(), shown);
    }
    Ok(Value::Object(tables))
}

fn history(connection: &Connection) -> Result<Vec<Value>, SandboxError> {
    let mut statement = connection.prepare(
        "SELECT account, region, kind, record FROM history
         ORDER BY account, region, kind, position",
    )?;
    let mut rows = statement.query([])?;
    let mut history = Vec::new();
    while let Some(row) = rows.next()? {
        let (account, region, kind): (String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let record: Value = serde_json::from_str(&row.get::<_, String>(3)?)
            .map_err(|_| SandboxError::Unreadable("record"))?;
        let (service, kind) = kind.split_once('/').unwrap_or(("", &kind));
        history.push(json!({
            "account": account, "region": region, "service": service, "kind": kind,
            "record": lasting(&record),
        }));
    }
    Ok(history)
}

/// A document without times and durations, and with its secrets as digests.
fn lasting(document: &Value) -> Value {
    transform(document, &|name, value| match value {
        _ if FLEETING_MEMBERS.contains(&name.to_lowercase().replace('_', "").as_str()) => {
            Some(Value::Null)
        }
        Value::String(text) if is_secret(name) => Some(json!(digest(text))),
        Value::String(text) if crate::world::parse_timestamp(text).is_some() => Some(Value::Null),
        _ => None,
    })
}

fn digest(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    let head: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("[secret {head}]")
}

/// A copy in which `replace` may give members another value; null leaves the member out.
fn transform(value: &Value, replace: &dyn Fn(&str, &Value) -> Option<Value>) -> Value {
    match value {
        Value::Object(object) => {
            let mut copy = Map::new();
            for (name, value) in object {
                match replace(name, value) {
                    Some(Value::Null) => {}
                    Some(replaced) => {
                        copy.insert(name.clone(), replaced);
                    }
                    None => {
                        copy.insert(name.clone(), transform(value, replace));
                    }
                }
            }
            Value::Object(copy)
        }
        Value::Array(list) => {
            Value::Array(list.iter().map(|value| transform(value, replace)).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{lasting, mask_sql, masked};

    #[test]
    fn secrets_are_masked_in_inputs_and_in_sql() {
        let input = json!({"Name": "db", "SecretString": "s3cret", "Tags": [{"Key": "password"}]});
        let shown =
            json!({"Name": "db", "SecretString": "[secret]", "Tags": [{"Key": "password"}]});
        assert_eq!(masked("secretsmanager", "create_secret", &input), shown);
        assert_eq!(
            mask_sql("CREATE USER a PASSWORD 'Secret1' CREATEDB"),
            "CREATE USER a PASSWORD '[secret]' CREATEDB"
        );
    }

    #[test]
    fn a_dump_has_neither_times_nor_secrets() {
        let document = json!({
            "name": "a", "created": "2026-01-02T03:04:05Z", "secret_string": "s3cret",
            "duration": 12, "list": [{"at": "2026-01-02T03:04:05.5Z", "kept": 1}]
        });
        let dumped = lasting(&document);
        assert_eq!(dumped["list"], json!([{"kept": 1}]));
        assert!(!dumped.to_string().contains("s3cret"));
        assert!(dumped.get("created").is_none() && dumped.get("duration").is_none());
    }
}
