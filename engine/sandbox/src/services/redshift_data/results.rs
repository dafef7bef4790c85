//! The results of statements, page by page, as typed cells or as CSV.

use serde_json::{Value, json};

use super::store::{Ending, Statement, found, part_index, result};
use super::validation;
use crate::services::{AwsFault, Call, Reply};
use crate::sql::{Cell, Column, ResultSet, SqlType};

/// Rows on a page.
const PAGE: usize = 500;

/// GetStatementResult.
pub(super) fn cells(call: &Call<'_>) -> Reply {
    let (statement, found) = complete(call)?;
    if statement.csv {
        return Err(validation("Use GetStatementResultV2 for results in CSV format."));
    }
    let (rows, next) = rows(call, &found)?;
    let records: Vec<Value> =
        rows.iter().map(|row| row.iter().map(field).collect::<Value>()).collect();
    Ok(reply(&found, &json!(records), next))
}

/// GetStatementResultV2.
pub(super) fn csv(call: &Call<'_>) -> Reply {
    let (statement, found) = complete(call)?;
    if !statement.csv {
        return Err(validation("Use GetStatementResult for results in JSON format."));
    }
    let (rows, next) = rows(call, &found)?;
    let lines: String = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row.iter().map(csv_cell).collect();
            format!("{}\r\n", cells.join(","))
        })
        .collect();
    let mut output = reply(&found, &json!([{"CSVRecords": lines}]), next);
    output["ResultFormat"] = json!("CSV");
    Ok(output)
}

/// The finished query that a call asks for.
fn complete(call: &Call<'_>) -> Result<(Statement, ResultSet), AwsFault> {
    let id = call.text("Id");
    let statement = found(call, id)?;
    let none = || {
        AwsFault::new(
            "ResourceNotFoundException",
            "Query does not have result. Please check query status with DescribeStatement.",
        )
    };
    let index = part_index(&statement, id).ok_or_else(none)?;
    if statement.ended != Some(Ending::Finished) && !statement.auto_commit {
        return Err(none());
    }
    let found = result(call, &statement, index).ok_or_else(none)?;
    Ok((statement, found))
}

fn reply(found: &ResultSet, records: &Value, next: Option<String>) -> Value {
    let columns: Vec<Value> = found.columns.iter().map(|column| metadata(column, true)).collect();
    let mut output = json!({
        "Records": records,
        "ColumnMetadata": columns,
        "TotalNumRows": found.rows.len(),
    });
    if let Some(next) = next {
        output["NextToken"] = json!(next);
    }
    output
}

fn rows<'r>(
    call: &Call<'_>,
    found: &'r ResultSet,
) -> Result<(&'r [Vec<Cell>], Option<String>), AwsFault> {
    let start = offset(call)?.min(found.rows.len());
    let end = (start + PAGE).min(found.rows.len());
    let next = (end < found.rows.len()).then(|| end.to_string());
    Ok((&found.rows[start..end], next))
}

fn offset(call: &Call<'_>) -> Result<usize, AwsFault> {
    match call.text("NextToken") {
        "" => Ok(0),
        token => token.parse().map_err(|_not_ours| validation("NextToken is not valid.")),
    }
}

/// One page of a list under `member`, with the token of the next one.
pub(super) fn page(call: &Call<'_>, member: &str, items: Vec<Value>, most: u64) -> Reply {
    let asked = call.input.get("MaxResults").and_then(Value::as_u64).filter(|asked| *asked > 0);
    let size = usize::try_from(asked.unwrap_or(most).min(most)).unwrap_or(PAGE);
    let start = offset(call)?;
    let more = items.len() > start.saturating_add(size);
    let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut output = json!({member: items});
    if more {
        output["NextToken"] = json!((start + size).to_string());
    }
    Ok(output)
}

fn field(cell: &Cell) -> Value {
    match cell {
        Cell::Null => json!({"isNull": true}),
        Cell::Bool(truth) => json!({"booleanValue": truth}),
        Cell::Int(number) => json!({"longValue": number}),
        Cell::Float(number) => json!({"doubleValue": number}),
        Cell::Text(text) => json!({"stringValue": text}),
    }
}

fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(truth) => truth.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => number.to_string(),
        Cell::Text(text) if text.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Cell::Text(text) => text.clone(),
    }
}

/// The bytes of a result's values.
pub(super) fn size(result: &ResultSet) -> usize {
    result.rows.iter().flatten().map(|cell| csv_cell(cell).len()).sum()
}

/// A column as `ColumnMetadata`: of a result, or of a table.
pub(super) fn metadata(column: &Column, of_result: bool) -> Value {
    let kind = column.sql_type;
    let mut shown = json!({
        "isCaseSensitive": kind.is_text(),
        "isCurrency": false,
        "isSigned": kind.is_number(),
        "length": if of_result { 0 } else { kind.length() },
        "name": column.name,
        "nullable": i32::from(column.nullable),
        "precision": kind.precision(),
        "scale": if matches!(kind, SqlType::Numeric { .. } | SqlType::Timestamp | SqlType::TimestampTz) { kind.scale() } else { 0 },
        "schemaName": column.schema,
        "tableName": column.table,
        "typeName": kind.name(),
    });
    if of_result {
        shown["label"] = json!(column.name);
    }
    if let Some(default) = &column.default {
        shown["columnDefault"] = json!(default);
    }
    shown
}
