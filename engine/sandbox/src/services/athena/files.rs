//! Rows in objects: the formats that tables are written and read in.
//!
//! Text and JSON are what they are anywhere. An object of a Parquet, ORC or Avro table has, in the
//! sandbox, its rows as JSON, a line each, behind a first line that says so: real files of these
//! formats cannot be read here, and the attempt is refused by name.

use serde_json::{Map, Value, json};

use super::lake::{Failure, failed};
use super::types;
use crate::services::glue::{Table, partitions_of};
use crate::services::s3;
use crate::sql::lake::Format;
use crate::sql::{Cell, SqlType};
use crate::world::World;

/// What the first line of a columnar object begins with.
const MARK: &str = "{\"sandbox\":";

/// Hive's text for a value that is not there.
const NULL: &str = "\\N";

/// Where rows are, and the values of the partition columns there.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) location: String,
    values: Vec<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) bytes: usize,
}

/// How an object's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Columnar,
    Json,
    Csv,
    Delimited,
}

/// The places that a table's rows are in: one, or one for each partition.
pub(super) fn places(world: &World<'_>, table: &Table) -> Result<Vec<Rows>, Failure> {
    if table.partition_columns().is_empty() {
        let location = table.location();
        if s3::split_uri(location).is_none() {
            return failed(format!(
                "HIVE_METASTORE_ERROR: Table is missing storage descriptor: {}",
                table.reference
            ));
        }
        return Ok(vec![Rows { location: location.to_owned(), values: Vec::new() }]);
    }
    let partitions = partitions_of(world, &table.reference);
    Ok(partitions
        .iter()
        .map(|partition| Rows {
            location: partition.location().to_owned(),
            values: partition.values(),
        })
        .collect())
}

/// Reads a table's rows from these places.
pub(super) fn read(world: &World<'_>, table: &Table, places: &[Rows]) -> Result<Read, Failure> {
    let format = format_of(table);
    let encoding = encoding(&format.serde)?;
    let columns: Vec<(String, SqlType)> = table
        .own_columns()
        .into_iter()
        .map(|(name, hive, _)| (name, types::of_hive(&hive)))
        .collect();
    let keys: Vec<SqlType> =
        table.partition_columns().iter().map(|(_, hive, _)| types::of_hive(hive)).collect();
    let skipped = table.input.pointer("/Parameters/skip.header.line.count");
    let skipped = skipped.and_then(Value::as_str).and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut read = Read::default();
    for place in places {
        let ends: Vec<Cell> =
            place.values.iter().zip(&keys).map(|(value, kind)| typed(value, *kind)).collect();
        for (key, body) in objects(world, &place.location) {
            read.bytes += body.len();
            let text = String::from_utf8_lossy(&body);
            let rows = match encoding {
                Encoding::Columnar => columnar(&text, &columns, &key)?,
                Encoding::Json => json_rows(text.lines(), &columns, &key)?,
                Encoding::Csv => csv_rows(&text, &columns, &format, skipped),
                Encoding::Delimited => delimited(&text, &columns, &format, skipped),
            };
            for mut row in rows {
                row.extend(ends.iter().cloned());
                read.rows.push(row);
            }
        }
    }
    Ok(read)
}

/// The objects at a place, hidden and empty ones left out.
fn objects(world: &World<'_>, location: &str) -> Vec<(String, Vec<u8>)> {
    let Some((bucket, prefix)) = s3::split_uri(location) else { return Vec::new() };
    let folder = match prefix.trim_end_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    s3::objects(world, bucket, &folder)
        .into_iter()
        .filter(|object| object.size > 0)
        .filter(|object| {
            !object.key[folder.len()..].split('/').any(|part| part.starts_with(['_', '.']))
        })
        .filter_map(|object| Some((object.key.clone(), s3::body(world, bucket, &object.key)?)))
        .collect()
}

/// How a table's rows are written, as its catalogue entry says.
pub(super) fn format_of(table: &Table) -> Format {
    let descriptor = table.input.get("StorageDescriptor").unwrap_or(&Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parameters = descriptor["SerdeInfo"]["Parameters"].as_object();
    Format {
        input: text(&descriptor["InputFormat"]),
        output: text(&descriptor["OutputFormat"]),
        serde: text(&descriptor["SerdeInfo"]["SerializationLibrary"]),
        parameters: parameters
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    }
}

fn encoding(serde: &str) -> Result<Encoding, Failure> {
    let class = serde.rsplit('.').next().unwrap_or(serde);
    Ok(match class {
        "ParquetHiveSerDe" | "OrcSerde" | "AvroSerDe" => Encoding::Columnar,
        "JsonSerDe" | "OpenXJsonSerDe" => Encoding::Json,
        "OpenCSVSerde" => Encoding::Csv,
        "LazySimpleSerDe" | "" => Encoding::Delimited,
        other => {
            return failed(format!(
                "NOT_SUPPORTED: the SerDe {other} is not implemented in the sandbox"
            ));
        }
    })
}

/// A value of a text file; one that is not of its type is NULL.
fn typed(text: &str, sql_type: SqlType) -> Cell {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    match sql_type {
        SqlType::Bool => match text.trim().to_lowercase().as_str() {
            "true" => Cell::Bool(true),
            "false" => Cell::Bool(false),
            _ => Cell::Null,
        },
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => {
            text.trim().parse().map_or(Cell::Null, Cell::Int)
        }
        SqlType::Float4 | SqlType::Float8 => number(text).map_or(Cell::Null, Cell::Float),
        SqlType::Numeric { .. } => {
            number(text).map_or(Cell::Null, |_| Cell::Text(text.trim().to_owned()))
        }
        SqlType::Date if !is_date(text) => Cell::Null,
        SqlType::Timestamp => Cell::Text(text.trim_end_matches(".000").to_owned()),
        _ => Cell::Text(text.to_owned()),
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u16>().is_ok())
}

fn columnar(
    text: &str,
    columns: &[(String, SqlType)],
    key: &str,
) -> Result<Vec<Vec<Cell>>, Failure> {
    let mut lines = text.lines();
    if !lines.next().is_some_and(|first| first.starts_with(MARK)) {
        return failed(format!(
            "HIVE_BAD_DATA: {key} was not written by the sandbox, which cannot read Parquet, ORC and \
             Avro files"
        ));
    }
    json_rows(lines, columns, key)
}

fn json_rows<'t>(
    lines: impl Iterator<Item = &'t str>,
    columns: &[(String, SqlType)],
    key: &str,
) -> Result<Vec<Vec<Cell>>, Failure> {
    lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let Ok(Value::Object(row)) = serde_json::from_str::<Value>(line) else {
                return failed(format!(
                    "HIVE_CURSOR_ERROR: Row is not a valid JSON Object in {key}"
                ));
            };
            let lower: Map<String, Value> =
                row.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
            Ok(columns.iter().map(|(name, sql_type)| of_json(lower.get(name), *sql_type)).collect())
        })
        .collect()
}

fn of_json(value: Option<&Value>, sql_type: SqlType) -> Cell {
    match value {
        None | Some(Value::Null) => Cell::Null,
        Some(Value::String(text)) => typed(text, sql_type),
        Some(Value::Bool(truth)) if sql_type == SqlType::Bool => Cell::Bool(*truth),
        Some(other) => typed(&other.to_string(), sql_type),
    }
}

fn delimited(
    text: &str,
    columns: &[(String, SqlType)],
    format: &Format,
    skipped: usize,
) -> Vec<Vec<Cell>> {
    let parameter = |name: &str| format.parameters.get(name).map(String::as_str);
    let separator = match parameter("field.delim").or(parameter("serialization.format")) {
        None | Some("" | "1") => "\u{1}",
        Some(separator) => separator,
    };
    let null = parameter("serialization.null.format").unwrap_or(NULL);
    text.lines()
        .skip(skipped)
        .map(|line| {
            let mut parts = line.split(separator);
            columns
                .iter()
                .map(|(_, sql_type)| match parts.next() {
                    Some(part) if part != null => typed(part, *sql_type),
                    _ => Cell::Null,
                })
                .collect()
        })
        .collect()
}

/// Comma-separated values with quotes, which may have line ends inside.
fn csv_rows(
    text: &str,
    columns: &[(String, SqlType)],
    format: &Format,
    skipped: usize,
) -> Vec<Vec<Cell>> {
    let letter = |name: &str, preset: char| {
        format.parameters.get(name).and_then(|value| value.chars().next()).unwrap_or(preset)
    };
    let (separator, quote) = (letter("separatorChar", ','), letter("quoteChar", '"'));
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(next) = letters.next() {
        let Some(last) = rows.last_mut().and_then(|row| row.last_mut()) else { break };
        match next {
            letter if letter == quote && quoted && letters.peek() == Some(&quote) => {
                last.push(quote);
                letters.next();
            }
            letter if letter == quote => quoted = !quoted,
            letter if letter == separator && !quoted => {
                if let Some(row) = rows.last_mut() {
                    row.push(String::new());
                }
            }
            '\n' if !quoted => rows.push(vec![String::new()]),
            '\r' if !quoted => {}
            letter => last.push(letter),
        }
    }
    rows.retain(|row| row.len() > 1 || row.first().is_some_and(|only| !only.is_empty()));
    rows.into_iter()
        .skip(skipped)
        .map(|row| {
            columns
                .iter()
                .enumerate()
                .map(|(index, (_, sql_type))| {
                    row.get(index).map_or(Cell::Null, |part| typed(part, *sql_type))
                })
                .collect()
        })
        .collect()
}

/// Rows as the object that a statement writes.
pub(super) fn written(
    columns: &[(String, SqlType)],
    rows: &[Vec<Cell>],
    format: &Format,
) -> Result<Vec<u8>, Failure> {
    let mut text = String::new();
    let encoding = encoding(&format.serde)?;
    if encoding == Encoding::Columnar {
        let class = format.serde.rsplit('.').next().unwrap_or_default();
        let name = class.trim_end_matches("SerDe").trim_end_matches("Serde");
        let name = name.trim_end_matches("Hive").to_lowercase();
        text.push_str(&format!("{MARK}\"the rows of one {name} file, a line each\"}}\n"));
    }
    for row in rows {
        text.push_str(&match encoding {
            Encoding::Columnar | Encoding::Json => as_json(columns, row),
            Encoding::Csv => {
                joined(columns, row, ",", "", |text| format!("\"{}\"", text.replace('"', "\"\"")))
            }
            Encoding::Delimited => {
                let separator =
                    format.parameters.get("field.delim").map_or("\u{1}", String::as_str);
                joined(columns, row, separator, NULL, |text| text.to_owned())
            }
        });
        text.push('\n');
    }
    Ok(text.into_bytes())
}

fn joined(
    columns: &[(String, SqlType)],
    row: &[Cell],
    separator: &str,
    null: &str,
    shown: impl Fn(&str) -> String,
) -> String {
    let parts: Vec<String> = row
        .iter()
        .zip(columns)
        .map(|(cell, (_, sql_type))| {
            super::results::printed(cell, *sql_type)
                .map_or_else(|| null.to_owned(), |text| shown(&text))
        })
        .collect();
    parts.join(separator)
}

fn as_json(columns: &[(String, SqlType)], row: &[Cell]) -> String {
    let members: Map<String, Value> = columns
        .iter()
        .zip(row)
        .filter_map(|((name, _), cell)| {
            let value = match cell {
                Cell::Null => return None,
                Cell::Bool(truth) => json!(truth),
                Cell::Int(number) => json!(number),
                Cell::Float(number) => types::json_number(*number)
                    .map_or_else(|| json!(types::float(*number)), Value::Number),
                Cell::Text(text) => json!(text),
            };
            Some((name.clone(), value))
        })
        .collect();
    Value::Object(members).to_string()
}
