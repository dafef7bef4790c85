//! Athena's SQL: the same compiler, over tables that are loaded for one statement.
//!
//! A statement is read into [`Statement`]; who may use which table, and what a table holds, is the
//! service's to say: it names the [`Relation`]s, and a query then runs over a catalogue that has just
//! these. Presto's functions and habits that the compiler does not have are rewritten in the tree
//! first (`rewrite`); statements that are not queries are read by hand (`statement`, `external`).

mod external;
mod function;
mod rewrite;
mod statement;
mod words;

use std::cell::Cell as Counter;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, Visit as _, Visitor};

use super::catalog::{
    Catalog, ColumnDefinition, Relation as Known, RelationKind, RelationName, Schema,
};
use super::compile::{Compiler, Session, quoted};
use super::parse::{self, Dialect};
use super::relation::storage;
use super::types::SqlType;
use super::{Cell, ResultSet, SqlError, run_query, scalar, sqlite_error};
use crate::world::World;

pub(crate) use external::{ExternalTable, Format};
pub(super) use function::{added, call, counts, now};
pub(crate) use statement::{
    Kind, PartitionSpec, Property, Show, Statement, parse, with_parameters,
};
pub(crate) use words::in_athena_words;

/// The database of the catalogue that a query sees: Athena's own name for it.
const DATABASE: &str = "awsdatacatalog";

/// The name of the user that a query runs as within the engine: rights are the service's matter.
const USER: &str = "athena";

/// A query, with the Presto of it rewritten.
#[derive(Debug, Clone)]
pub(crate) struct LakeQuery {
    query: Box<Query>,
}

/// A table's name in a query, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Used {
    /// One to three parts, in lower case.
    pub(crate) parts: Vec<String>,
    /// Line and column, from 1.
    pub(crate) place: (u64, u64),
}

/// What a query may read.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// Database and name, in lower case.
    pub(crate) name: (String, String),
    /// What it is.
    pub(crate) body: Body,
}

/// What a relation is.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Rows, as wide as the columns.
    Table {
        /// Names and types.
        columns: Vec<(String, SqlType)>,
        /// The rows.
        rows: Vec<Vec<Cell>>,
    },
    /// A query over other relations, all of whose names have their database.
    View {
        /// The query's text.
        query: String,
    },
}

impl LakeQuery {
    pub(super) fn new(mut query: Box<Query>) -> Self {
        rewrite::rewrite(&mut query);
        Self { query }
    }

    /// Reads a query alone, such as a view's.
    pub(crate) fn parse(text: &str) -> Result<Self, SqlError> {
        parse::query_in(Dialect::Athena, text).map(Self::new)
    }

    /// Its text, in one line.
    pub(crate) fn text(&self) -> String {
        self.query.to_string()
    }

    /// Its text with this database before every bare name.
    pub(crate) fn text_in(&self, database: &str) -> String {
        let mut names = Names::default();
        let _ = self.query.visit(&mut names);
        let mut query = self.query.clone();
        rewrite::qualify(&mut query, database, names.own);
        query.to_string()
    }

    /// The tables and views that it names, each once; its own `WITH` queries are none.
    pub(crate) fn used(&self) -> Vec<Used> {
        let mut names = Names::default();
        let _ = self.query.visit(&mut names);
        let mut used: Vec<Used> = Vec::new();
        for name in names.found {
            let own = matches!(&name.parts[..], [only] if names.own.contains(only));
            if !own && !used.iter().any(|known| known.parts == name.parts) {
                used.push(name);
            }
        }
        used
    }

    /// Runs it over these relations. Bare names are looked for in `database`.
    pub(crate) fn run(
        &self,
        world: &World<'_>,
        database: &str,
        relations: &[Relation],
    ) -> Result<ResultSet, SqlError> {
        scalar::register(world.connection()).map_err(|error| sqlite_error(&error))?;
        let catalog = catalog_of(database, relations);
        let loaded = load(world, &catalog, relations);
        let result = loaded.and_then(|()| {
            let session =
                Session { world, catalog: &catalog, user: USER, database: DATABASE, depth: 0 };
            let counter = Counter::new(0);
            let compiled = Compiler::new(session, &counter).query(&self.query)?;
            run_query(world, &compiled)
        });
        unload(world, &catalog, relations)?;
        result
    }
}

/// The query of a view, ready to be compiled.
pub(super) fn view(text: &str) -> Result<Box<Query>, SqlError> {
    LakeQuery::parse(text).map(|parsed| parsed.query)
}

/// The names of relations in a query, and of its `WITH` queries.
#[derive(Default)]
struct Names {
    found: Vec<Used>,
    own: Vec<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        if let Ok(parts) = super::relation::parts(name) {
            let start = name.0.first().and_then(|part| part.as_ident()).map(|name| name.span.start);
            let place = start.map_or((1, 1), |start| (start.line, start.column));
            self.found.push(Used { parts, place });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.own.extend(tables.map(|table| super::compile::folded(&table.alias.name)));
        ControlFlow::Continue(())
    }
}

fn catalog_of(database: &str, relations: &[Relation]) -> Catalog {
    let mut catalog = Catalog::new("lake", DATABASE, USER, None);
    catalog.dialect = Dialect::Athena;
    catalog.current_schema = Some(database.to_owned());
    let Ok(known) = catalog.database_mut(DATABASE) else { return catalog };
    known.schemas.clear();
    for relation in relations {
        let (schema, name) = &relation.name;
        let schema = known
            .schemas
            .entry(schema.clone())
            .or_insert_with(|| Schema { owner: USER.to_owned(), ..Schema::default() });
        let (kind, columns) = match &relation.body {
            Body::Table { columns, .. } => {
                let kind = RelationKind::Table {
                    diststyle: String::new(),
                    distkey: None,
                    sortkey: Vec::new(),
                };
                (kind, columns.iter().map(column).collect())
            }
            Body::View { query } => {
                (RelationKind::View { query: query.clone(), late_binding: true }, Vec::new())
            }
        };
        let known = Known { id: 0, owner: USER.to_owned(), kind, columns, grants: Vec::new() };
        schema.relations.insert(name.clone(), known);
    }
    catalog
}

fn column((name, sql_type): &(String, SqlType)) -> ColumnDefinition {
    ColumnDefinition {
        name: name.clone(),
        sql_type: *sql_type,
        nullable: true,
        default: None,
        identity: None,
        encoding: None,
    }
}

/// The SQLite table that a relation's rows are loaded into.
fn place_of(catalog: &Catalog, relation: &Relation) -> String {
    let name = RelationName {
        database: DATABASE.to_owned(),
        schema: relation.name.0.clone(),
        name: relation.name.1.clone(),
    };
    quoted(&storage(&catalog.namespace, &name))
}

/// Loads rows into temporary tables: they belong to the connection and to no file.
fn load(world: &World<'_>, catalog: &Catalog, relations: &[Relation]) -> Result<(), SqlError> {
    let connection = world.connection();
    let failed = |error: rusqlite::Error| sqlite_error(&error);
    for relation in relations {
        let Body::Table { columns, rows } = &relation.body else { continue };
        let table = place_of(catalog, relation);
        let list: Vec<String> = columns
            .iter()
            .map(|(name, sql_type)| format!("{} {}", quoted(name), sql_type.affinity()))
            .collect();
        connection
            .execute(&format!("CREATE TEMP TABLE {table} ({})", list.join(", ")), [])
            .map_err(failed)?;
        let places = vec!["?"; columns.len()].join(", ");
        let mut insert = connection
            .prepare(&format!("INSERT INTO {table} VALUES ({places})"))
            .map_err(failed)?;
        for row in rows {
            insert.execute(rusqlite::params_from_iter(row.iter().map(stored))).map_err(failed)?;
        }
    }
    Ok(())
}

fn unload(world: &World<'_>, catalog: &Catalog, relations: &[Relation]) -> Result<(), SqlError> {
    for relation in relations.iter().filter(|one| matches!(one.body, Body::Table { .. })) {
        let drop = format!("DROP TABLE IF EXISTS temp.{}", place_of(catalog, relation));
        world.connection().execute(&drop, []).map_err(|error| sqlite_error(&error))?;
    }
    Ok(())
}

/// A value as SQLite keeps it.
fn stored(cell: &Cell) -> rusqlite::types::Value {
    use rusqlite::types::Value;
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(truth) => Value::Integer(i64::from(*truth)),
        Cell::Int(number) => Value::Integer(*number),
        Cell::Float(number) => Value::Real(*number),
        Cell::Text(text) => Value::Text(text.clone()),
    }
}
