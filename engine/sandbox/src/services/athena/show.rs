//! SHOW and DESCRIBE: what a statement tells about the catalogue.

use regex_lite::Regex;
use serde_json::Value;

use super::lake::{Failure, Place, Run, failed, view_of};
use crate::services::glue::permission::{self, Wanted};
use crate::services::glue::{self, Table};
use crate::sql::lake::Show;
use crate::sql::{Cell, Column, ResultSet, SqlType};

const START: Place = (1, 1);

impl Run<'_> {
    /// Answers a SHOW or DESCRIBE.
    pub(super) fn show(&self, show: &Show) -> Result<ResultSet, Failure> {
        match show {
            Show::Databases(pattern) => {
                self.require("glue:GetDatabases", &self.catalog())?;
                let fits = fitting(pattern.as_deref())?;
                let names = glue::databases(self.world, self.scope)
                    .into_iter()
                    .filter(|found| {
                        permission::database(self.world, self.principal, &found.reference).is_ok()
                    })
                    .map(|found| found.reference.name)
                    .filter(|name| fits(name));
                Ok(listed("database_name", names.collect()))
            }
            Show::Tables(database, pattern) => {
                self.names(database.as_deref(), pattern.as_deref(), |_| true, "tab_name")
            }
            Show::Views(database, pattern) => self.names(
                database.as_deref(),
                pattern.as_deref(),
                |table| view_of(table).is_some(),
                "views",
            ),
            Show::Columns(name) => {
                let table = self.told(name)?;
                let names = table.columns().into_iter().map(|(name, ..)| name);
                Ok(listed("field", names.collect()))
            }
            Show::Partitions(name) => self.partitions(name),
            Show::CreateTable(name) => self.statement_of_table(name),
            Show::CreateView(name) => self.statement_of_view(name),
            Show::Describe(name) => Ok(described(&self.told(name)?)),
        }
    }

    fn partitions(&self, name: &[String]) -> Result<ResultSet, Failure> {
        let table = self.told(name)?;
        let columns = table.partition_columns();
        if columns.is_empty() {
            return failed(format!(
                "FAILED: Execution Error, return code 1. Table {} is not a partitioned table",
                table.reference.name
            ));
        }
        let partitions = glue::partitions_of(self.world, &table.reference);
        let lines = partitions.iter().map(|partition| {
            let parts: Vec<String> = columns
                .iter()
                .zip(partition.values())
                .map(|((name, ..), value)| format!("{name}={value}"))
                .collect();
            parts.join("/")
        });
        Ok(listed("partition", lines.collect()))
    }

    fn statement_of_table(&self, name: &[String]) -> Result<ResultSet, Failure> {
        let table = self.told(name)?;
        match view_of(&table) {
            Some(_) => failed("FAILED: SHOW CREATE TABLE is for tables; use SHOW CREATE VIEW"),
            None => Ok(listed("createtab_stmt", statement(&table))),
        }
    }

    fn statement_of_view(&self, name: &[String]) -> Result<ResultSet, Failure> {
        let table = self.told(name)?;
        let Some(view) = view_of(&table) else {
            return failed(format!("TYPE_MISMATCH: line 1:1: {} is no view", table.reference));
        };
        let head = format!("CREATE VIEW {} AS", table.reference);
        Ok(listed("Create View", vec![head, view.sql]))
    }

    fn catalog(&self) -> String {
        format!("arn:aws:glue:{}:{}:catalog", self.scope.region, self.scope.account)
    }

    /// The table that a statement tells about; of a link, its target.
    fn told(&self, name: &[String]) -> Result<Table, Failure> {
        let reference = self.reference(name, START)?;
        let entry = self.entry(&reference, START)?;
        self.behind(entry, START)
    }

    fn names(
        &self,
        database: Option<&str>,
        pattern: Option<&str>,
        wanted: impl Fn(&Table) -> bool,
        column: &str,
    ) -> Result<ResultSet, Failure> {
        let of = self.database(database.unwrap_or(&self.execution.database));
        let real = self.known_database(&of, START)?;
        self.require("glue:GetTables", &of.arn())?;
        let fits = fitting(pattern)?;
        let names = glue::tables(self.world, &real)
            .into_iter()
            .filter(|table| wanted(table) && fits(&table.reference.name))
            .filter(|table| {
                let seen = &table.reference;
                permission::table(self.world, self.principal, seen, Wanted::Describe).is_ok()
            })
            .map(|table| table.reference.name);
        Ok(listed(column, names.collect()))
    }
}

/// Whether a name fits a pattern of Hive's: a regular expression in which a star is any text.
fn fitting(pattern: Option<&str>) -> Result<impl Fn(&str) -> bool, Failure> {
    let regex = match pattern {
        None => None,
        Some(pattern) => {
            let text = pattern.replace(".*", "*").replace(['*', '%'], ".*");
            match Regex::new(&format!("(?i)^(?:{text})$")) {
                Ok(regex) => Some(regex),
                Err(_) => return failed(format!("FAILED: ParseException the pattern {pattern}")),
            }
        }
    };
    Ok(move |name: &str| regex.as_ref().is_none_or(|regex| regex.is_match(name)))
}

/// One column of texts.
fn listed(column: &str, texts: Vec<String>) -> ResultSet {
    table(&[column], texts.into_iter().map(|text| vec![Cell::Text(text)]).collect())
}

fn table(columns: &[&str], rows: Vec<Vec<Cell>>) -> ResultSet {
    let columns = columns
        .iter()
        .map(|name| Column {
            name: (*name).to_owned(),
            sql_type: SqlType::text(),
            nullable: true,
            schema: String::new(),
            table: String::new(),
            default: None,
        })
        .collect();
    ResultSet { columns, affected: 0, rows, is_query: false }
}

/// Hive's way of describing: each row is one text, its parts side by side.
fn described(of: &Table) -> ResultSet {
    let line = |name: &str, kind: &str, comment: &str| {
        vec![Cell::Text(format!("{name:<20}\t{kind:<20}\t{comment:<20}"))]
    };
    let mut rows: Vec<Vec<Cell>> =
        of.columns().iter().map(|(name, kind, comment)| line(name, kind, comment)).collect();
    let keys = of.partition_columns();
    if !keys.is_empty() {
        rows.push(line("", "", ""));
        rows.push(line("# Partition Information", "", ""));
        rows.push(line("# col_name", "data_type", "comment"));
        rows.extend(keys.iter().map(|(name, kind, comment)| line(name, kind, comment)));
    }
    let mut result = table(&["col_name", "data_type", "comment"], Vec::new());
    result.rows = rows;
    result
}

/// The statement that makes a table, line by line.
fn statement(of: &Table) -> Vec<String> {
    let column = |(name, kind, comment): &(String, String, String)| {
        let comment = match comment.as_str() {
            "" => String::new(),
            comment => format!(" COMMENT '{}'", comment.replace('\'', "\\'")),
        };
        format!("  `{name}` {kind}{comment}")
    };
    let list = |columns: &[(String, String, String)], lines: &mut Vec<String>| {
        let last = columns.len();
        for (index, one) in columns.iter().enumerate() {
            let end = if index + 1 == last { ")" } else { ", " };
            lines.push(format!("{}{end}", column(one)));
        }
    };
    let mut lines = vec![format!("CREATE EXTERNAL TABLE `{}`(", of.reference)];
    list(&of.own_columns(), &mut lines);
    let keys = of.partition_columns();
    if !keys.is_empty() {
        lines.push("PARTITIONED BY ( ".to_owned());
        list(&keys, &mut lines);
    }
    let text =
        |pointer: &str| of.input.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    for (words, pointer) in [
        ("ROW FORMAT SERDE ", "/StorageDescriptor/SerdeInfo/SerializationLibrary"),
        ("STORED AS INPUTFORMAT ", "/StorageDescriptor/InputFormat"),
        ("OUTPUTFORMAT ", "/StorageDescriptor/OutputFormat"),
        ("LOCATION", "/StorageDescriptor/Location"),
    ] {
        lines.push(words.to_owned());
        lines.push(format!("  '{}'", text(pointer)));
    }
    let parameters = of.input.get("Parameters").and_then(Value::as_object);
    let properties: Vec<String> = parameters
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "EXTERNAL")
        .map(|(name, value)| format!("  '{name}'='{}'", value.as_str().unwrap_or_default()))
        .collect();
    if !properties.is_empty() {
        lines.push("TBLPROPERTIES (".to_owned());
        let last = properties.len();
        for (index, property) in properties.into_iter().enumerate() {
            let end = if index + 1 == last { ")" } else { ", " };
            lines.push(format!("{property}{end}"));
        }
    }
    lines
}
