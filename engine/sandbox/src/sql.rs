//! The warehouse: Redshift's SQL, rewritten onto SQLite in the world's own file and transaction.
//!
//! A [`Warehouse`] is one cluster's databases, known by the cluster's namespace uuid. A statement is
//! parsed by sqlparser, compiled by hand against the warehouse's own catalog ([`catalog`]) and only
//! then given to SQLite: a name that the catalog does not have resolves to nothing, and a construct
//! that the compiler does not know is refused by name. So no statement reaches another warehouse,
//! the sandbox's documents, or SQLite's own commands.
//!
//! Who may call is the Data API's to say; what a database user may do is enforced here, with views
//! read by their owner's rights. A statement happens whole or not at all.
//!
//! # Layout
//! - `parse`: text to statements; `run`: which statement is whose.
//! - `compile`, `clause`, `relation`, `expr`, `function`, `aggregate`, `cast`: queries to SQLite's text.
//! - `ddl`, `alter`, `dml`, `control`, `datashare`: statements that change relations, rows, and rights.
//! - `lake`: Athena's SQL, over tables that are loaded for one statement.
//! - `system`: `pg_*`, `information_schema`, `svv_*`.
//! - `types`, `scalar`, `calendar`: types, the functions that SQLite runs, dates.

mod aggregate;
mod alter;
mod calendar;
mod cast;
mod catalog;
mod clause;
mod compile;
mod control;
mod datashare;
mod ddl;
mod dml;
mod expr;
mod function;
pub(crate) mod lake;
mod parse;
mod relation;
mod run;
mod scalar;
mod system;
#[cfg(test)]
mod tests;
mod types;

use std::cell::Cell as Counter;

use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

pub(crate) use catalog::{Grantee, Privilege, SharedRelation};
pub(crate) use datashare::ShareInfo;
pub(crate) use parse::{parameter_names, without_passwords};
pub(crate) use scalar::md5;
pub(crate) use types::SqlType;

use crate::world::{Scope, World};
use catalog::{
    Catalog, ColumnDefinition, Relation, RelationKind, RelationName, Role, Schema, add_grant,
    digest,
};
use compile::{Compiler, Output, Session};

/// The documents of the warehouses' catalogs.
const KIND: &str = "redshift/warehouse";

/// An error in Redshift's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ERROR: {message}")]
pub(crate) struct SqlError {
    message: String,
}

impl SqlError {
    /// An error with this message, which is written without `ERROR: `.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    fn no_relation(name: &str) -> Self {
        Self::new(format!("relation \"{name}\" does not exist"))
    }
}

/// What a statement gave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResultSet {
    /// The columns; empty for a statement that is not a query.
    pub(crate) columns: Vec<Column>,
    /// The rows, each as wide as `columns`.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Rows added, changed or taken away; for a query, its rows.
    pub(crate) affected: usize,
    /// The statement is a query, though it may have no rows.
    pub(crate) is_query: bool,
}

/// A column of a result or of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// Its name, in lower case.
    pub(crate) name: String,
    /// Its type.
    pub(crate) sql_type: SqlType,
    /// Whether it may be NULL.
    pub(crate) nullable: bool,
    /// Schema of the relation it comes from unchanged, else empty.
    pub(crate) schema: String,
    /// That relation, else empty.
    pub(crate) table: String,
    /// Its default as SQL text.
    pub(crate) default: Option<String>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// A smallint, integer or bigint.
    Int(i64),
    /// A real or double precision.
    Float(f64),
    /// Everything else, numerics with their scale included.
    Text(String),
}

/// A table, a view, or a relation that another warehouse shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelationInfo {
    /// Schema.
    pub(crate) schema: String,
    /// Name.
    pub(crate) name: String,
    /// `TABLE` or `VIEW`.
    pub(crate) kind: &'static str,
}

/// A statement's `:name` parameters: names and texts.
pub(crate) type Parameters = [(String, String)];

/// One cluster's databases. Changes are written to the world at once.
pub(crate) struct Warehouse<'w> {
    world: &'w World<'w>,
    scope: Scope,
    catalog: Catalog,
}

/// The catalog of a warehouse, with the scope of its cluster.
fn load(world: &World<'_>, namespace: &str) -> Option<(Scope, Catalog)> {
    world.find_anywhere::<Catalog>(KIND, namespace).map(|stored| (stored.scope, stored.document))
}

impl<'w> Warehouse<'w> {
    /// Makes the warehouse of a new cluster: one database, its `public` schema, one superuser.
    pub(crate) fn create(
        world: &'w World<'w>,
        scope: &Scope,
        namespace: &str,
        database: &str,
        master: &str,
        password: Option<&str>,
    ) -> Self {
        let catalog = Catalog::new(namespace, database, master, password);
        let warehouse = Self { world, scope: scope.clone(), catalog };
        warehouse.save();
        warehouse
    }

    /// The warehouse with this namespace uuid.
    pub(crate) fn open(world: &'w World<'w>, namespace: &str) -> Option<Self> {
        let (scope, catalog) = load(world, namespace)?;
        Some(Self { world, scope, catalog })
    }

    /// Takes the warehouse away with all its rows.
    pub(crate) fn destroy(mut self) -> Result<(), SqlError> {
        let databases = self.databases();
        for database in databases {
            let schemas: Vec<String> =
                self.catalog.database(&database)?.schemas.keys().cloned().collect();
            for schema in schemas {
                ddl::drop_schema(self.world, &mut self.catalog, &database, &schema, true)?;
            }
        }
        self.world.delete(&self.scope, KIND, &self.catalog.namespace);
        Ok(())
    }

    fn save(&self) {
        self.world.put(&self.scope, KIND, &self.catalog.namespace, &self.catalog);
    }

    /// Runs one statement as `user`, connected to `database`.
    pub(crate) fn execute(
        &mut self,
        user: &str,
        database: &str,
        sql: &str,
        parameters: &Parameters,
    ) -> Result<ResultSet, SqlError> {
        self.atomically(|warehouse| {
            let mut statements = parse::statements(sql, parameters)?;
            match (statements.pop(), statements.is_empty()) {
                (Some(only), true) => warehouse.run(user, database, only),
                (None, _) => Ok(ResultSet::default()),
                _ => {
                    Err(SqlError::new("cannot insert multiple commands into a prepared statement"))
                }
            }
        })
    }

    /// Does several things that happen together or not at all: an error takes all of them back.
    pub(crate) fn atomically<T, E: From<SqlError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.world.connection();
        let file = |error: rusqlite::Error| E::from(sqlite_error(&error));
        scalar::register(connection).map_err(file)?;
        let before = self.catalog.clone();
        connection.execute_batch("SAVEPOINT warehouse").map_err(file)?;
        let done = work(self);
        if done.is_ok() {
            self.save();
        } else {
            self.catalog = before;
            connection.execute_batch("ROLLBACK TO warehouse").map_err(file)?;
        }
        connection.execute_batch("RELEASE warehouse").map_err(file)?;
        done
    }

    fn session<'s>(&'s self, user: &'s str, database: &'s str) -> Session<'s> {
        Session { world: self.world, catalog: &self.catalog, user, database, depth: 0 }
    }

    /// The databases, in order.
    pub(crate) fn databases(&self) -> Vec<String> {
        self.catalog.databases.keys().cloned().collect()
    }

    /// The schemas of a database that `user` may use; none when there is no such database.
    pub(crate) fn schemas(&self, user: &str, database: &str) -> Vec<String> {
        system::schemas(&self.session(user, database), Some(database))
            .into_iter()
            .map(|(_, schema, _)| schema)
            .collect()
    }

    /// The relations of a schema, in order, whoever may read them.
    pub(crate) fn tables(
        &self,
        database: &str,
        schema: &str,
    ) -> Result<Vec<RelationInfo>, SqlError> {
        let relations = &self.catalog.schema(database, schema)?.relations;
        Ok(relations
            .iter()
            .map(|(name, relation)| RelationInfo {
                schema: schema.to_owned(),
                name: name.clone(),
                kind: match relation.kind {
                    RelationKind::View { .. } => "VIEW",
                    RelationKind::Table { .. } | RelationKind::Shared(_) => "TABLE",
                },
            })
            .collect())
    }

    /// The columns of a relation as they are now.
    pub(crate) fn columns(
        &self,
        database: &str,
        schema: &str,
        relation: &str,
    ) -> Result<Vec<Column>, SqlError> {
        let name = full_name(database, schema, relation);
        let found = self.catalog.relation(&name)?;
        let session = self.session(&found.owner, database);
        let outputs = current_columns(&session, &name, found);
        Ok(outputs
            .into_iter()
            .enumerate()
            .map(|(index, output)| Column {
                default: found.columns.get(index).and_then(|column| column.default.clone()),
                name: output.name,
                sql_type: output.sql_type,
                nullable: output.nullable,
                schema: schema.to_owned(),
                table: relation.to_owned(),
            })
            .collect())
    }

    /// Whether `user` may do this to a relation, its schema's USAGE included.
    pub(crate) fn may(
        &self,
        user: &str,
        database: &str,
        schema: &str,
        relation: &str,
        privilege: Privilege,
    ) -> Result<(), SqlError> {
        self.catalog.require_relation(user, &full_name(database, schema, relation), privilege)
    }

    /// Makes a schema owned by `owner` unless it is there; says whether it is new.
    pub(crate) fn create_schema(
        &mut self,
        database: &str,
        schema: &str,
        owner: &str,
    ) -> Result<bool, SqlError> {
        let schemas = &mut self.catalog.database_mut(database)?.schemas;
        if schemas.contains_key(schema) {
            return Ok(false);
        }
        let created = Schema { owner: owner.to_owned(), ..Schema::default() };
        schemas.insert(schema.to_owned(), created);
        self.save();
        Ok(true)
    }

    /// Takes a schema away with everything in it; says whether it was there.
    pub(crate) fn drop_schema(&mut self, database: &str, schema: &str) -> Result<bool, SqlError> {
        if self.catalog.schema(database, schema).is_err() {
            return Ok(false);
        }
        self.atomically(|warehouse| {
            ddl::drop_schema(warehouse.world, &mut warehouse.catalog, database, schema, true)
        })?;
        Ok(true)
    }

    /// Makes or replaces a late-binding view owned by `owner`, whose rights it is read with.
    pub(crate) fn create_view(
        &mut self,
        database: &str,
        schema: &str,
        view: &str,
        owner: &str,
        query: &str,
    ) -> Result<(), SqlError> {
        parse::query(query)?;
        let kind = RelationKind::View { query: query.to_owned(), late_binding: true };
        self.put_relation(&full_name(database, schema, view), owner, kind, vec![])
    }

    /// Makes or replaces a relation that shows one of another warehouse, as a datashare does. It is
    /// read with the rights of nobody: sharing is what allows it.
    pub(crate) fn create_shared_relation(
        &mut self,
        database: &str,
        schema: &str,
        name: &str,
        owner: &str,
        shared: &SharedRelation,
    ) -> Result<(), SqlError> {
        let missing = || SqlError::no_relation(&shared.relation);
        let producer = Warehouse::open(self.world, &shared.namespace).ok_or_else(missing)?;
        let columns = producer
            .columns(&shared.database, &shared.schema, &shared.relation)?
            .into_iter()
            .map(|column| ColumnDefinition {
                name: column.name,
                sql_type: column.sql_type,
                nullable: column.nullable,
                default: None,
                identity: None,
                encoding: None,
            })
            .collect();
        let kind = RelationKind::Shared(shared.clone());
        self.put_relation(&full_name(database, schema, name), owner, kind, columns)
    }

    fn put_relation(
        &mut self,
        name: &RelationName,
        owner: &str,
        kind: RelationKind,
        columns: Vec<ColumnDefinition>,
    ) -> Result<(), SqlError> {
        if let Ok(Relation { kind: RelationKind::Table { .. }, .. }) = self.catalog.relation(name) {
            return Err(SqlError::new(format!("Relation \"{}\" already exists", name.name)));
        }
        let id = self.catalog.take_id();
        let relation = Relation { id, owner: owner.to_owned(), kind, columns, grants: vec![] };
        let schema = self.catalog.schema_mut(&name.database, &name.schema)?;
        schema.relations.insert(name.name.clone(), relation);
        self.save();
        Ok(())
    }

    /// Takes a relation away; says whether it was there.
    pub(crate) fn drop_relation(
        &mut self,
        database: &str,
        schema: &str,
        relation: &str,
    ) -> Result<bool, SqlError> {
        let name = full_name(database, schema, relation);
        if self.catalog.relation(&name).is_err() {
            return Ok(false);
        }
        ddl::remove_relation(self.world, &mut self.catalog, &name)?;
        self.save();
        Ok(true)
    }

    /// Whether there is such a user.
    pub(crate) fn has_user(&self, user: &str) -> bool {
        self.catalog.users.contains_key(user)
    }

    /// Whether there is such a user, with all rights.
    pub(crate) fn is_superuser(&self, user: &str) -> bool {
        self.catalog.is_superuser(user)
    }

    /// Makes a user without a password unless there is one; says whether it is new. A superuser stays
    /// one.
    pub(crate) fn ensure_user(&mut self, user: &str, superuser: bool) -> bool {
        if self.catalog.users.contains_key(user) {
            return false;
        }
        self.catalog.add_user(user, superuser, None);
        self.save();
        true
    }

    /// Makes a role unless there is one, and gives it to a user.
    pub(crate) fn ensure_role(&mut self, role: &str, member: Option<&str>) {
        let superuser = "rdsdb".to_owned();
        let known = self
            .catalog
            .roles
            .entry(role.to_owned())
            .or_insert_with(|| Role { owner: superuser, ..Role::default() });
        known.users.extend(member.map(str::to_owned));
        self.save();
    }

    /// Adds a user to groups that exist.
    pub(crate) fn join_groups(&mut self, user: &str, groups: &[String]) {
        for group in groups {
            if let Some(members) = self.catalog.groups.get_mut(group) {
                members.insert(user.to_owned());
            }
        }
        self.save();
    }

    /// Sets a user's password.
    pub(crate) fn set_password(&mut self, user: &str, password: &str) {
        if let Some(known) = self.catalog.users.get_mut(user) {
            known.password = Some(digest(password));
        }
        self.save();
    }

    /// The user that a name and password sign in as; names are folded as identifiers are.
    pub(crate) fn authenticate(&self, user: &str, password: &str) -> Result<String, SqlError> {
        let folded = user.to_lowercase();
        let known = self.catalog.users.get(&folded);
        match known.and_then(|known| known.password.as_ref()) {
            Some(kept) if *kept == digest(password) => Ok(folded),
            _ => Err(SqlError::new(format!("password authentication failed for user \"{user}\""))),
        }
    }

    /// Gives privileges on a relation.
    pub(crate) fn grant(
        &mut self,
        database: &str,
        schema: &str,
        relation: &str,
        privileges: &[Privilege],
        to: &Grantee,
    ) -> Result<(), SqlError> {
        let name = full_name(database, schema, relation);
        add_grant(&mut self.catalog.relation_mut(&name)?.grants, to, privileges);
        self.save();
        Ok(())
    }

    /// Gives privileges on a schema.
    pub(crate) fn grant_schema(
        &mut self,
        database: &str,
        schema: &str,
        privileges: &[Privilege],
        to: &Grantee,
    ) -> Result<(), SqlError> {
        add_grant(&mut self.catalog.schema_mut(database, schema)?.grants, to, privileges);
        self.save();
        Ok(())
    }
}

fn full_name(database: &str, schema: &str, name: &str) -> RelationName {
    RelationName { database: database.to_owned(), schema: schema.to_owned(), name: name.to_owned() }
}

/// A relation's columns: those of a late-binding view are its query's of now, and none when that
/// cannot be read.
fn current_columns(session: &Session<'_>, name: &RelationName, relation: &Relation) -> Vec<Output> {
    if matches!(relation.kind, RelationKind::View { late_binding: true, .. }) {
        let counter = Counter::new(0);
        return Compiler::new(*session, &counter).columns_of(name, relation).unwrap_or_default();
    }
    relation
        .columns
        .iter()
        .map(|column| Output {
            name: column.name.clone(),
            sql_type: column.sql_type,
            nullable: column.nullable,
            origin: Some((name.schema.clone(), name.name.clone())),
        })
        .collect()
}

/// The rows of a table, for `svv_table_info`.
fn row_count(session: &Session<'_>, name: &RelationName) -> i64 {
    let table = compile::quoted(&relation::storage(&session.catalog.namespace, name));
    query_number(session.world, &format!("SELECT count(*) FROM {table}")).unwrap_or(0)
}

/// Runs compiled SQL that gives no rows; the number of rows it changed.
fn run_sql(world: &World<'_>, sql: &str) -> Result<usize, SqlError> {
    world.connection().execute(sql, []).map_err(|error| sqlite_error(&error))
}

/// The one number of a compiled query.
fn query_number(world: &World<'_>, sql: &str) -> Result<i64, SqlError> {
    world.connection().query_row(sql, [], |row| row.get(0)).map_err(|error| sqlite_error(&error))
}

/// Runs a compiled query.
fn run_query(world: &World<'_>, query: &compile::Compiled) -> Result<ResultSet, SqlError> {
    let failed = |error: rusqlite::Error| sqlite_error(&error);
    let mut statement = world.connection().prepare(&query.sql).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    let mut rows = vec![];
    while let Some(row) = found.next().map_err(failed)? {
        let cells: Result<Vec<Cell>, SqlError> = query
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| Ok(cell(row.get_ref(index).map_err(failed)?, column.sql_type)))
            .collect();
        rows.push(cells?);
    }
    let columns = query.columns.iter().map(|output| {
        let (schema, table) = output.origin.clone().unwrap_or_default();
        Column {
            name: output.name.clone(),
            sql_type: output.sql_type,
            nullable: output.nullable,
            schema,
            table,
            default: None,
        }
    });
    Ok(ResultSet { columns: columns.collect(), affected: rows.len(), rows, is_query: true })
}

/// A value of SQLite as the declared type shows it.
fn cell(value: ValueRef<'_>, sql_type: SqlType) -> Cell {
    let text = |bytes: &[u8]| Cell::Text(String::from_utf8_lossy(bytes).into_owned());
    match (value, sql_type) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(number), SqlType::Bool) => Cell::Bool(number != 0),
        (ValueRef::Integer(number), SqlType::Float4 | SqlType::Float8) => {
            Cell::Float(number as f64)
        }
        (ValueRef::Integer(number), kind) if kind.is_integer() => Cell::Int(number),
        (ValueRef::Integer(number), SqlType::Numeric { scale, .. }) => {
            Cell::Text(scalar::fixed(number as f64, scale))
        }
        (ValueRef::Integer(number), _) => Cell::Text(number.to_string()),
        (ValueRef::Real(number), SqlType::Numeric { scale, .. }) => {
            Cell::Text(scalar::fixed(number, scale))
        }
        (ValueRef::Real(number), kind) if kind.is_integer() => {
            scalar::whole(number).map_or(Cell::Float(number), Cell::Int)
        }
        (ValueRef::Real(number), _) => Cell::Float(number),
        (ValueRef::Text(bytes) | ValueRef::Blob(bytes), _) => text(bytes),
    }
}

/// SQLite's error in Redshift's words, as far as a statement can cause it.
fn sqlite_error(error: &rusqlite::Error) -> SqlError {
    let text = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    if let Some(column) = text.strip_prefix("NOT NULL constraint failed: ") {
        let column = column.rsplit('.').next().unwrap_or(column);
        return SqlError::new(format!("Cannot insert a NULL value into column {column}"));
    }
    SqlError::new(text)
}
