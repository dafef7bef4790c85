//! Statements that make rows: CREATE TABLE AS and INSERT.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::files;
use super::lake::{Failure, Place, Run, columns, failed};
use crate::services::glue::permission::{self, Wanted};
use crate::services::glue::{self, Table};
use crate::services::{lakeformation, s3};
use crate::sql::lake::{Format, LakeQuery, Property};
use crate::sql::{Cell, ResultSet, SqlType};

/// Where the name of a statement's own table stands, as far as errors tell.
const START: Place = (1, 1);

/// A CREATE TABLE AS.
pub(super) struct TableAs<'s> {
    pub(super) table: &'s [String],
    pub(super) if_not_exists: bool,
    pub(super) properties: &'s BTreeMap<String, Property>,
    pub(super) query: &'s LakeQuery,
    pub(super) with_data: bool,
}

fn one<'p>(properties: &'p BTreeMap<String, Property>, name: &str) -> Option<&'p str> {
    match properties.get(name) {
        Some(Property::One(text)) => Some(text),
        _ => None,
    }
}

impl Run<'_> {
    /// Runs a query as whoever runs the statement.
    pub(super) fn query(&mut self, query: &LakeQuery) -> Result<ResultSet, Failure> {
        let relations = self.relations(query)?;
        Ok(query.run(self.world, &self.execution.database, &relations)?)
    }

    /// CREATE TABLE AS; the rows that it wrote.
    pub(super) fn create_as(&mut self, create: &TableAs<'_>) -> Result<usize, Failure> {
        let reference = self.reference(create.table, START)?;
        let database = self.known_database(&reference.in_database(), START)?;
        let real = database.table(&reference.name);
        self.require("glue:CreateTable", &reference.arn())?;
        if glue::table(self.world, &real).is_some() {
            return match create.if_not_exists {
                true => Ok(0),
                false => failed(format!(
                    "TABLE_ALREADY_EXISTS: line 1:1: Destination table \
                     'awsdatacatalog.{reference}' already exists"
                )),
            };
        }
        permission::create_table(self.world, self.principal, &database)?;
        let location = self.place_of(create, &real.name)?;
        let mut result = self.query(create.query)?;
        check_names(&result)?;
        if !create.with_data {
            result.rows.clear();
        }
        let table = definition(create, &result, &real.name, &location)?;
        glue::create_table(self.world, &database, &self.principal.identity_arn, &table)?;
        let Some(made) = glue::table(self.world, &real) else {
            return failed("HIVE_METASTORE_ERROR: the table is gone");
        };
        self.write(&made, &result.rows)?;
        Ok(result.rows.len())
    }

    /// Where a new table's rows go: a place of its own, or the one that the statement gives.
    fn place_of(&self, create: &TableAs<'_>, name: &str) -> Result<String, Failure> {
        let location = match one(create.properties, "external_location") {
            Some(_) if self.execution.enforced => {
                return failed(
                    "The Create Table As Select query failed because it was submitted with an \
                     'external_location' property to an Athena Workgroup that enforces a \
                     centralized output location for all queries. Please remove the \
                     'external_location' property and resubmit the query.",
                );
            }
            Some(given) => format!("{}/", given.trim_end_matches('/')),
            None => format!("{}tables/{}/", self.execution.folder, self.execution.id),
        };
        let Some((bucket, prefix)) = s3::split_uri(&location) else {
            return failed(format!("External location is not a valid S3 path: {location}"));
        };
        if !s3::objects(self.world, bucket, prefix).is_empty() {
            return failed(format!(
                "HIVE_PATH_ALREADY_EXISTS: Target directory for table '{}.{name}' already exists: \
                 {location}. You may need to manually clean the data at this location before \
                 retrying.",
                self.execution.database
            ));
        }
        Ok(location)
    }

    /// INSERT; the rows that it wrote.
    pub(super) fn insert(
        &mut self,
        table: &[String],
        named: &[String],
        query: &LakeQuery,
    ) -> Result<usize, Failure> {
        let reference = self.reference(table, START)?;
        let entry = self.entry(&reference, START)?;
        let into = self.behind(entry, START)?;
        permission::table(self.world, self.principal, &into.reference, Wanted::Alter)?;
        if into.table_type() == "VIRTUAL_VIEW" {
            return failed(format!(
                "NOT_SUPPORTED: Inserting into views is not supported: {reference}"
            ));
        }
        let result = self.query(query)?;
        let known = columns(&into);
        let names: Vec<&String> = match named.is_empty() {
            true => known.iter().map(|(name, _)| name).collect(),
            false => named.iter().collect(),
        };
        if names.len() != result.columns.len() {
            return failed(format!(
                "TYPE_MISMATCH: Insert query has mismatched column types: Table: {} columns, Query: \
                 {} columns",
                names.len(),
                result.columns.len()
            ));
        }
        let mut places = Vec::new();
        for (name, _) in &known {
            places.push(names.iter().position(|given| *given == name));
        }
        if let Some(unknown) = names.iter().find(|name| !known.iter().any(|(one, _)| one == **name))
        {
            return failed(format!(
                "COLUMN_NOT_FOUND: line 1:1: Insert column name does not exist in target table: \
                 {unknown}"
            ));
        }
        check_types(&known, &places, &result)?;
        let rows: Vec<Vec<Cell>> = result
            .rows
            .iter()
            .map(|row| {
                places
                    .iter()
                    .map(|place| place.and_then(|at| row.get(at)).cloned().unwrap_or(Cell::Null))
                    .collect()
            })
            .collect();
        self.write(&into, &rows)?;
        Ok(rows.len())
    }

    /// Writes rows to a table's place, each partition to its own.
    fn write(&mut self, table: &Table, rows: &[Vec<Cell>]) -> Result<(), Failure> {
        let own = table.own_columns().len();
        let all = columns(table);
        let keys = &all[own..];
        let mut groups: BTreeMap<Vec<String>, Vec<Vec<Cell>>> = BTreeMap::new();
        for row in rows {
            let (values, ends) = row.split_at(own.min(row.len()));
            let spec = ends
                .iter()
                .zip(keys)
                .map(|(cell, (_, sql_type))| {
                    super::results::printed(cell, *sql_type)
                        .unwrap_or_else(|| "__HIVE_DEFAULT_PARTITION__".to_owned())
                })
                .collect();
            groups.entry(spec).or_default().push(values.to_vec());
        }
        for (spec, rows) in groups {
            let location = self.partition(table, &spec)?;
            let body = files::written(&all[..own], &rows, &files::format_of(table))?;
            self.put(&location, &body)?;
        }
        Ok(())
    }

    /// Where the rows of these values go; a partition that is new becomes one.
    fn partition(&self, table: &Table, values: &[String]) -> Result<String, Failure> {
        if values.is_empty() {
            return Ok(table.location().to_owned());
        }
        let partitions = glue::partitions_of(self.world, &table.reference);
        if let Some(known) = partitions.iter().find(|known| known.values() == values) {
            return Ok(known.location().to_owned());
        }
        let location = super::ddl::partition_location(table, values);
        let input = super::ddl::partition_input(table, values, &location);
        glue::add_partition(self.world, table, &input)?;
        Ok(location)
    }

    fn put(&mut self, location: &str, body: &[u8]) -> Result<(), Failure> {
        match lakeformation::is_registered(self.world, location) {
            true => self.require("lakeformation:GetDataAccess", "*")?,
            false => self.allowed("s3:PutObject", location)?,
        }
        let Some((bucket, prefix)) = s3::split_uri(location) else {
            return failed(format!("{location} is not a valid S3 path"));
        };
        let folder = match prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let id = &self.execution.id;
        let key = format!("{folder}{id}_{:05}", self.written.len());
        s3::put_object(self.world, bucket, &key, body, "application/octet-stream")?;
        self.written.push(format!("s3://{bucket}/{key}"));
        Ok(())
    }
}

/// A table needs a name for every column, and each only once.
pub(super) fn check_names(result: &ResultSet) -> Result<(), Failure> {
    for (index, column) in result.columns.iter().enumerate() {
        let nth = index + 1;
        if column.name == format!("_col{index}") {
            return failed(format!(
                "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {nth}"
            ));
        }
        if result.columns[..index].iter().any(|other| other.name == column.name) {
            return failed(format!(
                "DUPLICATE_COLUMN_NAME: line 1:1: Column name '{}' specified more than once",
                column.name
            ));
        }
    }
    Ok(())
}

/// Whether the columns of a query fit those of a table, as Presto has it.
fn check_types(
    known: &[(String, SqlType)],
    places: &[Option<usize>],
    result: &ResultSet,
) -> Result<(), Failure> {
    let group = |sql_type: SqlType| match sql_type {
        SqlType::Unknown => 0,
        kind if kind.is_number() => 1,
        kind if kind.is_text() => 2,
        SqlType::Bool => 3,
        SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz => 4,
        _ => 5,
    };
    for ((name, wanted), place) in known.iter().zip(places) {
        let Some(column) = place.and_then(|at| result.columns.get(at)) else { continue };
        let given = group(column.sql_type);
        let only_nulls = result
            .rows
            .iter()
            .all(|row| place.and_then(|at| row.get(at)).is_none_or(|cell| *cell == Cell::Null));
        if given != 0 && given != group(*wanted) && !only_nulls {
            return failed(format!(
                "TYPE_MISMATCH: Insert query has mismatched column types: the column {name} is {}, \
                 and the query gives {}",
                super::types::shown(*wanted).0,
                super::types::shown(column.sql_type).0
            ));
        }
    }
    Ok(())
}

/// The catalogue's entry of a new table.
fn definition(
    create: &TableAs<'_>,
    result: &ResultSet,
    name: &str,
    location: &str,
) -> Result<Value, Failure> {
    let format = one(create.properties, "format").unwrap_or("PARQUET");
    let Some(mut known) = Format::named(format) else {
        return failed(format!("INVALID_TABLE_PROPERTY: Unknown format: {format}"));
    };
    if let Some(delimiter) = one(create.properties, "field_delimiter") {
        known.parameters.insert("field.delim".to_owned(), delimiter.to_owned());
    }
    let keys: &[String] = match create.properties.get("partitioned_by") {
        Some(Property::List(keys)) => keys,
        _ => &[],
    };
    let own = result.columns.len().saturating_sub(keys.len());
    let last: Vec<&String> = result.columns[own..].iter().map(|column| &column.name).collect();
    if last != keys.iter().collect::<Vec<_>>() {
        return failed(
            "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and \
             in the same order as the table properties",
        );
    }
    let columns: Vec<Value> = result
        .columns
        .iter()
        .map(|column| json!({"Name": column.name, "Type": super::types::to_hive(column.sql_type)}))
        .collect();
    let mut parameters = json!({
        "EXTERNAL": "TRUE", "has_encrypted_data": "false", "auto.purge": "false",
        "transactional": "false", "numFiles": "-1", "numRows": "-1", "rawDataSize": "-1",
        "totalSize": "-1",
    });
    if format.eq_ignore_ascii_case("parquet") {
        let compression = one(create.properties, "write_compression").unwrap_or("GZIP");
        parameters["parquet.compression"] = json!(compression.to_uppercase());
    }
    Ok(table_input(&TableParts {
        name,
        columns: &columns[..own],
        keys: &columns[own..],
        format: &known,
        location,
        parameters,
        comment: None,
    }))
}

/// What a table's entry is made of.
pub(super) struct TableParts<'p> {
    pub(super) name: &'p str,
    pub(super) columns: &'p [Value],
    pub(super) keys: &'p [Value],
    pub(super) format: &'p Format,
    pub(super) location: &'p str,
    pub(super) parameters: Value,
    pub(super) comment: Option<&'p str>,
}

/// A table as `TableInput`.
pub(super) fn table_input(parts: &TableParts<'_>) -> Value {
    let mut input = json!({
        "Name": parts.name,
        "Owner": "hadoop",
        "Retention": 0,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parts.parameters,
        "PartitionKeys": parts.keys,
        "StorageDescriptor": {
            "Columns": parts.columns,
            "Location": parts.location,
            "InputFormat": parts.format.input,
            "OutputFormat": parts.format.output,
            "Compressed": false,
            "NumberOfBuckets": 0,
            "SerdeInfo": {
                "Name": parts.name, "SerializationLibrary": parts.format.serde,
                "Parameters": parts.format.parameters,
            },
            "BucketColumns": [],
            "SortColumns": [],
            "Parameters": {},
            "StoredAsSubDirectories": false,
        },
    });
    if let Some(comment) = parts.comment {
        input["Description"] = json!(comment);
    }
    input
}
