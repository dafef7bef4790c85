//! `information_schema`: the catalogue as tables of its own, with what one may see of it.

use super::lake::{Failure, Place, Run, columns, failed};
use crate::services::glue;
use crate::services::glue::permission::{self, Wanted};
use crate::sql::lake::Body;
use crate::sql::{Cell, SqlType};

/// The database that every catalogue has.
pub(super) const NAME: &str = "information_schema";

/// The account's own catalogue, as a value.
const CATALOG: &str = "awsdatacatalog";

impl Run<'_> {
    /// One of its tables.
    pub(super) fn schema(&self, name: &str, place: Place) -> Result<Body, Failure> {
        let (names, rows): (&[&str], Vec<Vec<Cell>>) = match name {
            "schemata" => (&["catalog_name", "schema_name"], self.schemata()),
            "tables" => {
                (&["table_catalog", "table_schema", "table_name", "table_type"], self.tables())
            }
            "columns" => (
                &[
                    "table_catalog",
                    "table_schema",
                    "table_name",
                    "column_name",
                    "ordinal_position",
                    "column_default",
                    "is_nullable",
                    "data_type",
                ],
                self.all_columns(),
            ),
            other => {
                let (line, column) = place;
                return failed(format!(
                    "TABLE_NOT_FOUND: line {line}:{column}: Table '{CATALOG}.{NAME}.{other}' does \
                     not exist"
                ));
            }
        };
        let kind = |name: &str| match name {
            "ordinal_position" => SqlType::Int8,
            _ => SqlType::text(),
        };
        let columns = names.iter().map(|name| ((*name).to_owned(), kind(name))).collect();
        Ok(Body::Table { columns, rows })
    }

    fn schemata(&self) -> Vec<Vec<Cell>> {
        self.databases().iter().map(|name| vec![text(CATALOG), text(name)]).collect()
    }

    fn databases(&self) -> Vec<String> {
        glue::databases(self.world, self.scope)
            .into_iter()
            .map(|found| found.reference)
            .filter(|of| permission::database(self.world, self.principal, of).is_ok())
            .map(|of| of.name)
            .collect()
    }

    /// The tables and views that one may see, links with their targets' columns.
    fn seen(&self) -> Vec<(String, String, glue::Table)> {
        let mut seen = Vec::new();
        for database in self.databases() {
            for table in glue::tables(self.world, &self.database(&database)) {
                let of = &table.reference;
                let may = permission::table(self.world, self.principal, of, Wanted::Describe);
                let name = of.name.clone();
                if let Some(real) = may.ok().and_then(|()| self.behind(table, (1, 1)).ok()) {
                    seen.push((database.clone(), name, real));
                }
            }
        }
        seen
    }

    fn tables(&self) -> Vec<Vec<Cell>> {
        self.seen()
            .into_iter()
            .map(|(database, name, table)| {
                let view = table.table_type() == "VIRTUAL_VIEW";
                let kind = if view { "VIEW" } else { "BASE TABLE" };
                vec![text(CATALOG), text(&database), text(&name), text(kind)]
            })
            .collect()
    }

    fn all_columns(&self) -> Vec<Vec<Cell>> {
        let mut rows = Vec::new();
        for (database, name, table) in self.seen() {
            for (index, (column, kind)) in columns(&table).into_iter().enumerate() {
                let position = i64::try_from(index + 1).unwrap_or(i64::MAX);
                rows.push(vec![
                    text(CATALOG),
                    text(&database),
                    text(&name),
                    text(&column),
                    Cell::Int(position),
                    Cell::Null,
                    text("YES"),
                    text(&super::types::presto(kind)),
                ]);
            }
        }
        rows
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}
