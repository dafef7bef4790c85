//! Tables by name, and what whoever runs a statement may do with them.
//!
//! A name is looked for in the account's own catalogue. A link leads to its target, in another account
//! mostly; Lake Formation is asked about the target too. IAM is asked as in AWS: for the catalogue's
//! entry, and for the objects unless Lake Formation has their place in its hands.

use std::fmt;

use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::store::Execution;
use super::{CATALOG, files, schema, types};
use crate::access::policy::Context;
use crate::access::{self, Question};
use crate::people::Principal;
use crate::services::glue::permission::{self, Wanted};
use crate::services::glue::{self, DatabaseRef, Table, TableRef};
use crate::services::{AwsFault, lakeformation, s3};
use crate::sql::lake::{Body, LakeQuery, Relation, in_athena_words};
use crate::sql::{SqlError, SqlType};
use crate::world::{Scope, World};

/// How deep views may nest.
const DEPTH: usize = 16;

/// Why a statement failed, in Athena's words.
#[derive(Debug, Clone)]
pub(super) struct Failure(pub(super) String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self(in_athena_words(&error))
    }
}

impl From<AwsFault> for Failure {
    fn from(fault: AwsFault) -> Self {
        Self(fault.message)
    }
}

pub(super) fn failed<T>(reason: impl Into<String>) -> Result<T, Failure> {
    Err(Failure(reason.into()))
}

/// One statement on its way.
pub(super) struct Run<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) scope: &'a Scope,
    pub(super) principal: &'a Principal,
    pub(super) execution: &'a Execution,
    /// Bytes that were read so far.
    pub(super) scanned: usize,
    /// URIs of the objects that were written.
    pub(super) written: Vec<String>,
}

/// Where a name stands in a statement: line and column.
pub(super) type Place = (u64, u64);

impl Run<'_> {
    /// Refuses what the policies of whoever runs the statement do not allow.
    pub(super) fn require(&self, action: &str, resource: &str) -> Result<(), Failure> {
        let account = access::account_of(resource).unwrap_or(&self.scope.account);
        let context = Context::default()
            .with("aws:RequestedRegion", self.scope.region.as_str())
            .with("aws:ResourceAccount", account)
            .with("aws:CalledVia", "athena.amazonaws.com");
        let question = Question { principal: self.principal, action, resource, context };
        access::decide(self.world, &question).map_err(|refusal| {
            let service = action.split(':').next().unwrap_or_default();
            access::denied(service, self.principal, action, resource, refusal).into()
        })
    }

    /// The database that a statement means, which need not be there.
    pub(super) fn database(&self, name: &str) -> DatabaseRef {
        DatabaseRef::new(self.scope, name)
    }

    /// The table that a name of one to three parts means, which need not be there.
    pub(super) fn reference(&self, parts: &[String], place: Place) -> Result<TableRef, Failure> {
        Ok(match parts {
            [name] => self.database(&self.execution.database).table(name),
            [database, name] => self.database(database).table(name),
            [catalog, database, name] if catalog.eq_ignore_ascii_case(CATALOG) => {
                self.database(database).table(name)
            }
            [catalog, ..] => {
                let (line, column) = place;
                return failed(format!(
                    "CATALOG_NOT_FOUND: line {line}:{column}: Catalog '{catalog}' does not exist"
                ));
            }
            [] => return failed("SYNTAX_ERROR: a name is missing"),
        })
    }

    /// The database, when it is there and whoever runs the statement may see it; through a link.
    pub(super) fn known_database(
        &self,
        of: &DatabaseRef,
        place: Place,
    ) -> Result<DatabaseRef, Failure> {
        self.require("glue:GetDatabase", &of.arn())?;
        let (line, column) = place;
        let missing = || {
            Failure(format!(
                "SCHEMA_NOT_FOUND: line {line}:{column}: Schema '{}' does not exist",
                of.name
            ))
        };
        let found = glue::database(self.world, of).ok_or_else(missing)?;
        permission::database(self.world, self.principal, of).map_err(|_unseen| missing())?;
        let Some(target) = found.target() else { return Ok(of.clone()) };
        match glue::database(self.world, &target) {
            Some(_) => Ok(target),
            None => Err(missing()),
        }
    }

    /// The catalogue's entry of a table, when whoever runs the statement may see it.
    pub(super) fn entry(&self, of: &TableRef, place: Place) -> Result<Table, Failure> {
        let database = self.known_database(&of.in_database(), place)?;
        let real = database.table(&of.name);
        self.require("glue:GetTable", &of.arn())?;
        let (line, column) = place;
        let missing = || {
            Failure(format!(
                "TABLE_NOT_FOUND: line {line}:{column}: Table 'awsdatacatalog.{of}' does not exist"
            ))
        };
        let found = glue::table(self.world, &real).ok_or_else(missing)?;
        permission::table(self.world, self.principal, &real, Wanted::Describe)?;
        Ok(found)
    }

    /// The table behind a name: a link leads to its target.
    pub(super) fn behind(&self, entry: Table, place: Place) -> Result<Table, Failure> {
        let Some(target) = entry.target() else { return Ok(entry) };
        let (line, column) = place;
        let found = glue::table(self.world, &target).ok_or_else(|| {
            Failure(format!(
                "TABLE_NOT_FOUND: line {line}:{column}: Table 'awsdatacatalog.{}' is a link to \
                 '{target}' of account {}, which does not exist",
                entry.reference, target.account
            ))
        })?;
        permission::table(self.world, self.principal, &target, Wanted::Describe)?;
        Ok(found)
    }

    /// What a query may read: the tables that it names, with their rows.
    pub(super) fn relations(&mut self, query: &LakeQuery) -> Result<Vec<Relation>, Failure> {
        let mut found = Vec::new();
        self.gather(query, &mut found, 0)?;
        Ok(found)
    }

    fn gather(
        &mut self,
        query: &LakeQuery,
        found: &mut Vec<Relation>,
        depth: usize,
    ) -> Result<(), Failure> {
        if depth > DEPTH {
            return failed("INVALID_VIEW: views are nested too deeply");
        }
        for used in query.used() {
            let reference = self.reference(&used.parts, used.place)?;
            let name = (reference.database.clone(), reference.name.clone());
            if found.iter().any(|known| known.name == name) {
                continue;
            }
            if reference.database == schema::NAME {
                let body = self.schema(&reference.name, used.place)?;
                found.push(Relation { name, body });
                continue;
            }
            let entry = self.entry(&reference, used.place)?;
            let table = self.behind(entry, used.place)?;
            permission::table(self.world, self.principal, &table.reference, Wanted::Select)?;
            let body = match view_of(&table) {
                Some(view) => {
                    let parsed = LakeQuery::parse(&view.sql)?;
                    let text = parsed.text_in(&view.database);
                    self.gather(&LakeQuery::parse(&text)?, found, depth + 1)?;
                    Body::View { query: text }
                }
                None => self.loaded(&table)?,
            };
            found.push(Relation { name, body });
        }
        Ok(())
    }

    /// A table with its rows, when whoever runs the statement may read its objects.
    fn loaded(&mut self, table: &Table) -> Result<Body, Failure> {
        let mut objects = Vec::new();
        for place in files::places(self.world, table)? {
            self.may_read(&place.location)?;
            objects.push(place);
        }
        let read = files::read(self.world, table, &objects)?;
        self.scanned += read.bytes;
        Ok(Body::Table { columns: columns(table), rows: read.rows })
    }

    fn may_read(&self, location: &str) -> Result<(), Failure> {
        if lakeformation::is_registered(self.world, location) {
            return self.require("lakeformation:GetDataAccess", "*");
        }
        self.allowed("s3:GetObject", location)
    }

    /// Refuses a place in Amazon S3 that whoever runs the statement may not use.
    pub(super) fn allowed(&self, action: &str, location: &str) -> Result<(), Failure> {
        let denied = || Failure(format!("Permission denied on S3 path: {location}"));
        let (bucket, key) = s3::split_uri(location).ok_or_else(denied)?;
        let Some(bucket) = s3::bucket(self.world, bucket) else {
            return failed(format!(
                "The specified bucket does not exist (Bucket: {bucket}, Path: {location})"
            ));
        };
        let key = format!("{}/*", key.trim_end_matches('/'));
        s3::may(self.world, self.principal, action, &bucket, key.trim_start_matches('/'))
            .map_err(|_refused| denied())
    }
}

/// Names and types of a table's columns.
pub(super) fn columns(table: &Table) -> Vec<(String, SqlType)> {
    table.columns().into_iter().map(|(name, hive, _)| (name, types::of_hive(&hive))).collect()
}

/// What a view is.
#[derive(Debug)]
pub(super) struct View {
    pub(super) sql: String,
    /// In which its bare names are looked for.
    pub(super) database: String,
}

/// The query of a view; nothing for a table.
pub(super) fn view_of(table: &Table) -> Option<View> {
    if table.table_type() != "VIRTUAL_VIEW" {
        return None;
    }
    let text = table.input.get("ViewOriginalText").and_then(Value::as_str)?;
    let encoded = text.strip_prefix("/* Presto View: ")?.strip_suffix(" */")?;
    let decoded: Value = serde_json::from_slice(&STANDARD.decode(encoded).ok()?).ok()?;
    Some(View {
        sql: decoded["originalSql"].as_str()?.to_owned(),
        database: decoded["schema"].as_str().unwrap_or(&table.reference.database).to_owned(),
    })
}

/// A view's text as Athena keeps it.
pub(super) fn view_text(sql: &str, database: &str, columns: &[(String, SqlType)]) -> String {
    let columns: Vec<Value> = columns
        .iter()
        .map(|(name, sql_type)| json!({"name": name, "type": types::shown(*sql_type).0}))
        .collect();
    let view = json!({
        "originalSql": sql, "catalog": "awsdatacatalog", "schema": database, "columns": columns,
    });
    format!("/* Presto View: {} */", STANDARD.encode(view.to_string()))
}
