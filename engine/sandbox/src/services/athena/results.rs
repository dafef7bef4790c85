//! What a statement gave: by page, and as the object that is left in Amazon S3.

use serde_json::{Value, json};

use super::store::{Ending, Execution, result};
use super::{executions, invalid, paging, types};
use crate::services::{AwsFault, Call, Reply};
use crate::sql::{Cell, Column, ResultSet, SqlType};

/// The largest page.
const PAGE: usize = 1000;

/// GetQueryResults: of a query the first row has the names of the columns.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let found = executions::named(call, call.text("QueryExecutionId"))?;
    finished(call, &found)?;
    let result = result(call.world, &call.scope(), &found.id).unwrap_or_default();
    let cell =
        |text: Option<String>| text.map_or_else(|| json!({}), |text| json!({"VarCharValue": text}));
    let row = |cells: Vec<Value>| json!({"Data": cells});
    let header = result.columns.iter().map(|column| cell(Some(column.name.clone()))).collect();
    let with_header = found.word == "SELECT";
    let rows: Vec<Value> = with_header
        .then(|| row(header))
        .into_iter()
        .chain(texts(&result).into_iter().map(|texts| row(texts.into_iter().map(cell).collect())))
        .collect();
    let mut answer = paging(PAGE).page(call, "Rows", rows)?;
    let next = answer.get("NextToken").cloned();
    let columns: Vec<Value> = result.columns.iter().map(column_info).collect();
    answer = json!({
        "UpdateCount": found.written,
        "ResultSet": {
            "Rows": answer["Rows"], "ResultSetMetadata": {"ColumnInfo": columns},
        },
    });
    if let Some(next) = next {
        answer["NextToken"] = next;
    }
    Ok(answer)
}

fn finished(call: &Call<'_>, found: &Execution) -> Result<(), AwsFault> {
    match found.ending {
        Some(Ending::Succeeded) => Ok(()),
        Some(ending) => Err(invalid(format!(
            "Query did not finish successfully. Final query state: {}",
            ending.word()
        ))),
        None => Err(invalid(format!(
            "Query has not yet finished. Current state: {}",
            found.state(call.now())
        ))),
    }
}

fn column_info(column: &Column) -> Value {
    let (name, precision, scale) = types::shown(column.sql_type);
    json!({
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": name,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": name == "varchar" || name == "char",
    })
}

/// The rows as Athena prints them; nothing for NULL.
pub(super) fn texts(result: &ResultSet) -> Vec<Vec<Option<String>>> {
    result
        .rows
        .iter()
        .map(|row| {
            row.iter()
                .zip(&result.columns)
                .map(|(cell, column)| printed(cell, column.sql_type))
                .collect()
        })
        .collect()
}

/// A value as Athena prints it.
pub(super) fn printed(cell: &Cell, sql_type: SqlType) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Bool(truth) => truth.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => types::float(*number),
        Cell::Text(text) => match sql_type {
            SqlType::Timestamp => with_milliseconds(text),
            SqlType::TimestampTz => {
                let plain = text.strip_suffix("+00").unwrap_or(text);
                format!("{} UTC", with_milliseconds(plain))
            }
            _ => text.clone(),
        },
    })
}

fn with_milliseconds(text: &str) -> String {
    match text.split_once('.') {
        None => format!("{text}.000"),
        Some((whole, fraction)) => {
            let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
            format!("{whole}.{digits}")
        }
    }
}

/// The rows of a query as its object in Amazon S3 has them: every value in quotes, NULL as nothing.
pub(super) fn csv(result: &ResultSet) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
    let header: Vec<String> = result.columns.iter().map(|column| quoted(&column.name)).collect();
    let lines = texts(result).into_iter().map(|row| {
        row.iter()
            .map(|text| text.as_ref().map(quoted).unwrap_or_default())
            .collect::<Vec<_>>()
            .join(",")
    });
    let mut csv = String::new();
    for line in std::iter::once(header.join(",")).chain(lines) {
        csv.push_str(&line);
        csv.push('\n');
    }
    csv
}

/// The rows of anything else: one line each.
pub(super) fn plain(result: &ResultSet) -> String {
    let mut text = String::new();
    for row in texts(result) {
        let cells: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text
}
