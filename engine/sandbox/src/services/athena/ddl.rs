//! Statements that make, change and remove databases, tables, views and partitions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lake::{Failure, Place, Run, failed, view_of, view_text};
use super::write::{TableParts, check_names, table_input};
use crate::services::glue::permission::{self, Wanted};
use crate::services::glue::{self, Table};
use crate::services::s3;
use crate::sql::lake::{ExternalTable, LakeQuery, PartitionSpec};

const START: Place = (1, 1);

/// A CREATE DATABASE.
pub(super) struct NewDatabase<'s> {
    pub(super) name: &'s str,
    pub(super) if_not_exists: bool,
    pub(super) comment: Option<&'s str>,
    pub(super) location: Option<&'s str>,
    pub(super) properties: &'s BTreeMap<String, String>,
}

impl Run<'_> {
    /// CREATE DATABASE.
    pub(super) fn create_database(&self, new: &NewDatabase<'_>) -> Result<(), Failure> {
        let reference = self.database(new.name);
        self.require("glue:CreateDatabase", &reference.arn())?;
        if glue::database(self.world, &reference).is_some() {
            return match new.if_not_exists {
                true => Ok(()),
                false => failed(format!(
                    "FAILED: Execution Error, return code 1. Database {} already exists",
                    reference.name
                )),
            };
        }
        let mut input = json!({"Name": reference.name});
        if let Some(comment) = new.comment {
            input["Description"] = json!(comment);
        }
        if let Some(location) = new.location {
            input["LocationUri"] = json!(location);
        }
        if !new.properties.is_empty() {
            input["Parameters"] = json!(new.properties);
        }
        let creator = &self.principal.identity_arn;
        Ok(glue::create_database(self.world, self.scope, creator, &input)?)
    }

    /// DROP DATABASE.
    pub(super) fn drop_database(
        &self,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), Failure> {
        let reference = self.database(name);
        self.require("glue:DeleteDatabase", &reference.arn())?;
        if glue::database(self.world, &reference).is_none() {
            return match if_exists {
                true => Ok(()),
                false => {
                    failed(format!("FAILED: SemanticException Database does not exist: {name}"))
                }
            };
        }
        permission::database(self.world, self.principal, &reference)?;
        if !cascade && !glue::tables(self.world, &reference).is_empty() {
            return failed(format!(
                "FAILED: Execution Error, return code 1. InvalidOperationException(message:Database \
                 {} is not empty. One or more tables exist.)",
                reference.name
            ));
        }
        glue::drop_database(self.world, &reference);
        Ok(())
    }

    /// CREATE EXTERNAL TABLE.
    pub(super) fn create_external(
        &self,
        table: &[String],
        if_not_exists: bool,
        definition: &ExternalTable,
    ) -> Result<(), Failure> {
        let reference = self.reference(table, START)?;
        let database = self.known_database(&reference.in_database(), START)?;
        self.require("glue:CreateTable", &reference.arn())?;
        if glue::table(self.world, &database.table(&reference.name)).is_some() {
            return match if_not_exists {
                true => Ok(()),
                false => failed(format!(
                    "FAILED: Execution Error, return code 1. AlreadyExistsException(message:Table {} \
                     already exists)",
                    reference.name
                )),
            };
        }
        permission::create_table(self.world, self.principal, &database)?;
        match s3::split_uri(&definition.location) {
            None => return failed("FAILED: The location of a table must be a folder in Amazon S3"),
            Some((bucket, _)) if s3::bucket(self.world, bucket).is_none() => {
                return failed(format!("FAILED: The bucket {bucket} does not exist"));
            }
            Some(_) => {}
        }
        let shown = |(name, kind, comment): &(String, String, Option<String>)| {
            let mut column = json!({"Name": name, "Type": kind});
            if let Some(comment) = comment {
                column["Comment"] = json!(comment);
            }
            column
        };
        let mut parameters = json!(definition.properties);
        parameters["EXTERNAL"] = json!("TRUE");
        let columns: Vec<Value> = definition.columns.iter().map(shown).collect();
        let keys: Vec<Value> = definition.partitioned_by.iter().map(shown).collect();
        let input = table_input(&TableParts {
            name: &reference.name,
            columns: &columns,
            keys: &keys,
            format: &definition.format,
            location: &definition.location,
            parameters,
            comment: definition.comment.as_deref(),
        });
        let creator = &self.principal.identity_arn;
        Ok(glue::create_table(self.world, &database, creator, &input)?)
    }

    /// CREATE VIEW: the query is run, so that a view that cannot be read is not made.
    pub(super) fn create_view(
        &mut self,
        view: &[String],
        or_replace: bool,
        query: &LakeQuery,
    ) -> Result<(), Failure> {
        let reference = self.reference(view, START)?;
        let database = self.known_database(&reference.in_database(), START)?;
        let real = database.table(&reference.name);
        self.require("glue:CreateTable", &reference.arn())?;
        let known = glue::table(self.world, &real);
        match &known {
            Some(known) if view_of(known).is_none() => {
                return failed(format!("TABLE_ALREADY_EXISTS: line 1:1: {reference} is no view"));
            }
            Some(_) if !or_replace => {
                return failed(format!(
                    "TABLE_ALREADY_EXISTS: line 1:1: View already exists: \
                     'awsdatacatalog.{reference}'"
                ));
            }
            Some(_) => permission::table(self.world, self.principal, &real, Wanted::Alter)?,
            None => permission::create_table(self.world, self.principal, &database)?,
        }
        let result = self.query(query)?;
        check_names(&result)?;
        let columns: Vec<_> =
            result.columns.iter().map(|column| (column.name.clone(), column.sql_type)).collect();
        let listed: Vec<Value> = columns
            .iter()
            .map(|(name, kind)| json!({"Name": name, "Type": super::types::to_hive(*kind)}))
            .collect();
        let input = json!({
            "Name": reference.name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "PartitionKeys": [],
            "ViewOriginalText": view_text(&query.text(), &self.execution.database, &columns),
            "ViewExpandedText": "/* Presto View */",
            "StorageDescriptor": {
                "Columns": listed, "Location": "", "SerdeInfo": {}, "NumberOfBuckets": 0,
                "Compressed": false, "StoredAsSubDirectories": false,
            },
        });
        match known {
            Some(known) => glue::replace_table(self.world, &known, &input),
            None => {
                let creator = &self.principal.identity_arn;
                glue::create_table(self.world, &database, creator, &input)?;
            }
        }
        Ok(())
    }

    /// DROP TABLE and DROP VIEW: rows stay where they are.
    pub(super) fn drop_table(
        &self,
        name: &[String],
        if_exists: bool,
        view: bool,
    ) -> Result<(), Failure> {
        let reference = self.reference(name, START)?;
        self.require("glue:DeleteTable", &reference.arn())?;
        let database = self.known_database(&reference.in_database(), START)?;
        let real = database.table(&reference.name);
        let Some(known) = glue::table(self.world, &real) else {
            return match (if_exists, view) {
                (true, _) => Ok(()),
                (false, false) => failed(format!(
                    "FAILED: SemanticException [Error 10001]: Table not found {reference}"
                )),
                (false, true) => failed(format!(
                    "TABLE_NOT_FOUND: line 1:1: View 'awsdatacatalog.{reference}' does not exist"
                )),
            };
        };
        if view && view_of(&known).is_none() {
            return failed(format!("TYPE_MISMATCH: line 1:1: {reference} is no view"));
        }
        permission::table(self.world, self.principal, &real, Wanted::Drop)?;
        glue::drop_table(self.world, &real);
        Ok(())
    }

    /// A table that a statement changes.
    fn changed(&self, name: &[String]) -> Result<Table, Failure> {
        let reference = self.reference(name, START)?;
        let entry = self.entry(&reference, START)?;
        self.require("glue:UpdateTable", &reference.arn())?;
        permission::table(self.world, self.principal, &entry.reference, Wanted::Alter)?;
        Ok(entry)
    }

    /// ALTER TABLE ADD PARTITION.
    pub(super) fn add_partitions(
        &self,
        name: &[String],
        if_not_exists: bool,
        partitions: &[(PartitionSpec, Option<String>)],
    ) -> Result<(), Failure> {
        let table = self.changed(name)?;
        for (spec, location) in partitions {
            let values = values_of(&table, spec)?;
            let known = glue::partitions_of(self.world, &table.reference);
            if known.iter().any(|known| known.values() == values) {
                if if_not_exists {
                    continue;
                }
                return failed("FAILED: SemanticException Partition already exists");
            }
            let place = location.clone().unwrap_or_else(|| partition_location(&table, &values));
            glue::add_partition(self.world, &table, &partition_input(&table, &values, &place))?;
        }
        Ok(())
    }

    /// ALTER TABLE DROP PARTITION.
    pub(super) fn drop_partitions(
        &self,
        name: &[String],
        if_exists: bool,
        partitions: &[PartitionSpec],
    ) -> Result<(), Failure> {
        let table = self.changed(name)?;
        for spec in partitions {
            let values = values_of(&table, spec)?;
            let known = glue::partitions_of(self.world, &table.reference);
            match known.iter().find(|known| known.values() == values) {
                Some(known) => {
                    glue::remove_partition(self.world, known);
                }
                None if if_exists => {}
                None => return failed("FAILED: SemanticException Partition not found"),
            }
        }
        Ok(())
    }

    /// MSCK REPAIR TABLE: folders of the form `name=value` become partitions.
    pub(super) fn repair(&self, name: &[String]) -> Result<(), Failure> {
        let table = self.changed(name)?;
        let keys: Vec<String> =
            table.partition_columns().into_iter().map(|(name, ..)| name).collect();
        let Some((bucket, prefix)) = s3::split_uri(table.location()) else {
            return failed("FAILED: The table has no location");
        };
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        for object in s3::objects(self.world, bucket, &prefix) {
            let folders: Vec<&str> = object.key[prefix.len()..].split('/').collect();
            let values: Option<Vec<String>> = keys
                .iter()
                .zip(&folders)
                .map(|(key, folder)| {
                    let (name, value) = folder.split_once('=')?;
                    (name.eq_ignore_ascii_case(key))
                        .then(|| crate::protocol::percent_decoded(value))
                })
                .collect();
            let Some(values) = values.filter(|values| values.len() == keys.len()) else { continue };
            let known = glue::partitions_of(self.world, &table.reference);
            if !keys.is_empty() && !known.iter().any(|known| known.values() == values) {
                let place = partition_location(&table, &values);
                glue::add_partition(self.world, &table, &partition_input(&table, &values, &place))?;
            }
        }
        Ok(())
    }

    /// ALTER TABLE SET TBLPROPERTIES.
    pub(super) fn set_properties(
        &self,
        name: &[String],
        properties: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let table = self.changed(name)?;
        let mut input = table.input.clone();
        for (property, value) in properties {
            input["Parameters"][property] = json!(value);
        }
        glue::replace_table(self.world, &table, &input);
        Ok(())
    }

    /// ALTER TABLE SET LOCATION.
    pub(super) fn set_location(&self, name: &[String], location: &str) -> Result<(), Failure> {
        let table = self.changed(name)?;
        if s3::split_uri(location).is_none() {
            return failed("FAILED: The location of a table must be a folder in Amazon S3");
        }
        let mut input = table.input.clone();
        input["StorageDescriptor"]["Location"] = json!(location);
        glue::replace_table(self.world, &table, &input);
        Ok(())
    }
}

/// The values of a partition in the order of the table's columns.
fn values_of(table: &Table, spec: &[(String, String)]) -> Result<Vec<String>, Failure> {
    let columns = table.partition_columns();
    let value = |name: &str| spec.iter().find(|(given, _)| given == name).map(|(_, value)| value);
    let values: Option<Vec<String>> =
        columns.iter().map(|(name, ..)| value(name).cloned()).collect();
    match values.filter(|values| values.len() == spec.len()) {
        Some(values) => Ok(values),
        None => failed("FAILED: SemanticException the partition's columns are not the table's"),
    }
}

/// The folder of a partition below its table's.
pub(super) fn partition_location(table: &Table, values: &[String]) -> String {
    let mut location = table.location().trim_end_matches('/').to_owned();
    for ((name, ..), value) in table.partition_columns().iter().zip(values) {
        location.push_str(&format!("/{name}={}", crate::protocol::percent_encoded(value)));
    }
    format!("{location}/")
}

/// A partition as `PartitionInput`.
pub(super) fn partition_input(table: &Table, values: &[String], location: &str) -> Value {
    let mut descriptor = table.input["StorageDescriptor"].clone();
    descriptor["Location"] = json!(location);
    json!({"Values": values, "StorageDescriptor": descriptor})
}
