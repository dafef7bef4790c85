//! Statements that make and drop tables, views and schemas; `alter` changes them.

use std::cell::Cell;

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateTable, CreateTableLikeKind, CreateView, ObjectName, ObjectType,
    Query, SchemaName, TableConstraint,
};

use super::catalog::{
    Catalog, ColumnDefinition, Privilege, Relation, RelationKind, RelationName, Schema, no_schema,
};
use super::clause::{output_names, rename};
use super::compile::{Compiled, Compiler, Session, folded, quoted, unsupported};
use super::parse::TableAttributes;
use super::relation::{parts, storage};
use super::types::SqlType;
use super::{SqlError, run_sql};
use crate::world::World;

/// Who changes which catalog.
pub(super) struct Ddl<'d> {
    pub(super) world: &'d World<'d>,
    pub(super) catalog: &'d mut Catalog,
    pub(super) user: &'d str,
    pub(super) database: &'d str,
}

impl Ddl<'_> {
    pub(super) fn session(&self) -> Session<'_> {
        Session {
            world: self.world,
            catalog: self.catalog,
            user: self.user,
            database: self.database,
            depth: 0,
        }
    }

    fn compiled(&self, query: &Query) -> Result<Compiled, SqlError> {
        let counter = Cell::new(0);
        Compiler::new(self.session(), &counter).query(query)
    }

    pub(super) fn storage(&self, name: &RelationName) -> String {
        quoted(&storage(&self.catalog.namespace, name))
    }

    /// The place of a new relation, whose schema lets the user create there.
    fn place(&self, name: &ObjectName) -> Result<RelationName, SqlError> {
        let name = self.session().placed(&parts(name)?)?;
        self.catalog.require_schema(self.user, &name.database, &name.schema, Privilege::Create)?;
        Ok(name)
    }

    /// CREATE TABLE, CREATE TABLE AS, CREATE TABLE (LIKE ..); rows that came with it.
    pub(super) fn create_table(
        &mut self,
        create: &CreateTable,
        attributes: TableAttributes,
    ) -> Result<usize, SqlError> {
        if create.temporary {
            return unsupported("a temporary table (every statement has a session of its own)");
        }
        if create.external || create.or_replace {
            return unsupported("an EXTERNAL table or OR REPLACE");
        }
        let name = self.place(&create.name)?;
        if self.catalog.relation(&name).is_ok() {
            return match create.if_not_exists {
                true => Ok(0),
                false => Err(exists(&name.name)),
            };
        }
        if let Some(query) = &create.query {
            let names: Vec<String> =
                create.columns.iter().map(|column| folded(&column.name)).collect();
            return self.create_as(&name, query, &names, attributes);
        }
        let columns = match &create.like {
            Some(CreateTableLikeKind::Parenthesized(like) | CreateTableLikeKind::Plain(like)) => {
                let source = self.session().resolve(&parts(&like.name)?)?;
                self.catalog.require_relation(self.user, &source, Privilege::Select)?;
                self.catalog.relation(&source)?.columns.clone()
            }
            None => columns(create, &attributes)?,
        };
        self.add_table(&name, columns, attributes)?;
        Ok(0)
    }

    /// CREATE TABLE AS and SELECT INTO.
    pub(super) fn create_as(
        &mut self,
        name: &RelationName,
        query: &Query,
        names: &[String],
        attributes: TableAttributes,
    ) -> Result<usize, SqlError> {
        let compiled = self.compiled(query)?;
        let outputs = rename(compiled.columns, names, &name.name)?;
        let count = outputs.len();
        let columns = outputs.into_iter().map(|output| ColumnDefinition {
            encoding: attributes.encoding.get(&output.name).cloned(),
            name: output.name,
            sql_type: output.sql_type,
            nullable: true,
            default: None,
            identity: None,
        });
        let columns = columns.collect();
        self.add_table(name, columns, attributes)?;
        let sql = format!(
            "INSERT INTO {} SELECT {} FROM ({})",
            self.storage(name),
            output_names(count),
            compiled.sql
        );
        run_sql(self.world, &sql)
    }

    /// `SELECT .. INTO name`.
    pub(super) fn select_into(
        &mut self,
        name: &ObjectName,
        query: &Query,
    ) -> Result<usize, SqlError> {
        let name = self.place(name)?;
        if self.catalog.relation(&name).is_ok() {
            return Err(exists(&name.name));
        }
        self.create_as(&name, query, &[], TableAttributes::default())
    }

    fn add_table(
        &mut self,
        name: &RelationName,
        columns: Vec<ColumnDefinition>,
        attributes: TableAttributes,
    ) -> Result<(), SqlError> {
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].iter().any(|known| known.name == column.name) {
                return Err(SqlError::new(format!("column \"{}\" duplicated", column.name)));
            }
        }
        let list: Vec<String> = columns.iter().map(column_sql).collect();
        run_sql(self.world, &format!("CREATE TABLE {} ({})", self.storage(name), list.join(", ")))?;
        let diststyle = match (&attributes.diststyle, &attributes.distkey) {
            (Some(style), _) => style.to_uppercase(),
            (None, Some(_)) => "KEY".to_owned(),
            (None, None) => "AUTO".to_owned(),
        };
        let kind = RelationKind::Table {
            diststyle,
            distkey: attributes.distkey,
            sortkey: attributes.sortkey,
        };
        self.add(name, kind, columns)
    }

    /// Puts a relation into the catalog.
    fn add(
        &mut self,
        name: &RelationName,
        kind: RelationKind,
        columns: Vec<ColumnDefinition>,
    ) -> Result<(), SqlError> {
        let id = self.catalog.take_id();
        let relation = Relation { id, owner: self.user.to_owned(), kind, columns, grants: vec![] };
        let schema = self.catalog.schema_mut(&name.database, &name.schema)?;
        schema.relations.insert(name.name.clone(), relation);
        Ok(())
    }

    /// CREATE VIEW; `text` is its query as it was written.
    pub(super) fn create_view(
        &mut self,
        create: &CreateView,
        text: String,
    ) -> Result<(), SqlError> {
        if create.materialized || create.temporary {
            return unsupported("a materialized or temporary view");
        }
        let names: Vec<String> = create.columns.iter().map(|column| folded(&column.name)).collect();
        let name = self.place(&create.name)?;
        let replaced = self.catalog.relation(&name).ok().cloned();
        if let Some(replaced) = &replaced {
            if create.if_not_exists {
                return Ok(());
            }
            if !create.or_replace {
                return Err(exists(&name.name));
            }
            if !matches!(replaced.kind, RelationKind::View { .. }) {
                return Err(SqlError::new(format!("\"{}\" is not a view", name.name)));
            }
            self.catalog.require_owner(self.user, &name)?;
        }
        let late_binding = create.with_no_schema_binding;
        let columns = if late_binding {
            vec![]
        } else {
            let compiled = self.compiled(&create.query)?;
            rename(compiled.columns, &names, &name.name)?
                .into_iter()
                .map(|output| ColumnDefinition {
                    name: output.name,
                    sql_type: output.sql_type,
                    nullable: true,
                    default: None,
                    identity: None,
                    encoding: None,
                })
                .collect()
        };
        self.add(&name, RelationKind::View { query: text, late_binding }, columns)?;
        if let Some(replaced) = replaced {
            self.catalog.relation_mut(&name)?.grants = replaced.grants;
        }
        Ok(())
    }

    /// CREATE SCHEMA.
    pub(super) fn create_schema(
        &mut self,
        name: &SchemaName,
        if_not_exists: bool,
    ) -> Result<(), SqlError> {
        let (name, owner) = match name {
            SchemaName::Simple(name) => (parts(name)?, None),
            SchemaName::UnnamedAuthorization(owner) => (vec![folded(owner)], Some(folded(owner))),
            SchemaName::NamedAuthorization(name, owner) => {
                (parts(name)?, Some(owner.value.clone()))
            }
        };
        let [name] = &name[..] else {
            return unsupported("creating a schema in another database");
        };
        let database = self.catalog.database(self.database)?;
        if !self.catalog.allows(self.user, &database.owner, &database.grants, Privilege::Create) {
            return Err(SqlError::new(format!("permission denied for database {}", self.database)));
        }
        if let Some(owner) = &owner {
            self.catalog.user(owner)?;
        }
        let reserved = name.starts_with("pg_") || name == "information_schema";
        if reserved {
            return Err(SqlError::new(format!("unacceptable schema name \"{name}\"")));
        }
        if database.schemas.contains_key(name) {
            return match if_not_exists {
                true => Ok(()),
                false => Err(SqlError::new(format!("schema \"{name}\" already exists"))),
            };
        }
        let owner = owner.unwrap_or_else(|| self.user.to_owned());
        let schema = Schema { owner, ..Schema::default() };
        self.catalog.database_mut(self.database)?.schemas.insert(name.clone(), schema);
        Ok(())
    }

    /// DROP TABLE, VIEW, SCHEMA or DATABASE.
    pub(super) fn drop(
        &mut self,
        kind: ObjectType,
        names: &[ObjectName],
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), SqlError> {
        for name in names {
            let parts = parts(name)?;
            match (kind, &parts[..]) {
                (ObjectType::Table | ObjectType::View, parts) => {
                    self.drop_relation(kind, parts, if_exists, cascade)?;
                }
                (ObjectType::Schema, [name]) => {
                    if self.catalog.schema(self.database, name).is_ok() {
                        self.require_schema_owner(name)?;
                        drop_schema(self.world, self.catalog, self.database, name, cascade)?;
                    } else if !if_exists {
                        return Err(no_schema(name));
                    }
                }
                (ObjectType::Database, [name]) => self.drop_database(name)?,
                (other, _) => return unsupported(format!("DROP {other} {name}")),
            }
        }
        Ok(())
    }

    fn require_schema_owner(&self, name: &str) -> Result<(), SqlError> {
        let schema = self.catalog.schema(self.database, name)?;
        if self.catalog.is_superuser(self.user) || schema.owner == self.user {
            return Ok(());
        }
        Err(SqlError::new(format!("must be owner of schema {name}")))
    }

    fn drop_relation(
        &mut self,
        kind: ObjectType,
        parts: &[String],
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), SqlError> {
        let word = if kind == ObjectType::View { "view" } else { "table" };
        let name = match self.session().resolve_here(parts) {
            Ok(name) => name,
            Err(_) if if_exists => return Ok(()),
            Err(_) => {
                let last = parts.last().map_or("", String::as_str);
                return Err(SqlError::new(format!("{word} \"{last}\" does not exist")));
            }
        };
        self.catalog.require_owner(self.user, &name)?;
        let is_view = matches!(self.catalog.relation(&name)?.kind, RelationKind::View { .. });
        if is_view != (kind == ObjectType::View) {
            return Err(SqlError::new(format!("\"{}\" is not a {word}", name.name)));
        }
        let dependents = dependents(self.world, self.catalog, &name);
        if !dependents.is_empty() && !cascade {
            return Err(SqlError::new(format!(
                "cannot drop {word} {} because other objects depend on it",
                name.name
            )));
        }
        for dependent in dependents {
            remove_relation(self.world, self.catalog, &dependent)?;
        }
        remove_relation(self.world, self.catalog, &name)
    }

    fn drop_database(&mut self, name: &str) -> Result<(), SqlError> {
        let database = self.catalog.database(name)?;
        if !self.catalog.is_superuser(self.user) && database.owner != self.user {
            return Err(SqlError::new(format!("must be owner of database {name}")));
        }
        if name == self.database {
            return Err(SqlError::new("cannot drop the currently open database"));
        }
        let schemas: Vec<String> = database.schemas.keys().cloned().collect();
        for schema in schemas {
            drop_schema(self.world, self.catalog, name, &schema, true)?;
        }
        self.catalog.databases.remove(name);
        Ok(())
    }

    /// TRUNCATE, which gives no count.
    pub(super) fn truncate(&self, names: &[ObjectName]) -> Result<(), SqlError> {
        for name in names {
            let name = self.session().resolve_here(&parts(name)?)?;
            self.catalog
                .require_relation(self.user, &name, Privilege::Truncate)
                .or_else(|_| self.catalog.require_owner(self.user, &name))?;
            require_table(self.catalog, &name)?;
            run_sql(self.world, &format!("DELETE FROM {}", self.storage(&name)))?;
        }
        Ok(())
    }
}

/// The error of a name that is taken.
pub(super) fn exists(name: &str) -> SqlError {
    SqlError::new(format!("Relation \"{name}\" already exists"))
}

/// Refuses views and shared relations where rows are changed.
pub(super) fn require_table(catalog: &Catalog, name: &RelationName) -> Result<(), SqlError> {
    match catalog.relation(name)?.kind {
        RelationKind::Table { .. } => Ok(()),
        RelationKind::View { .. } | RelationKind::Shared(_) => {
            Err(SqlError::new(format!("\"{}\" is not a table", name.name)))
        }
    }
}

fn columns(
    create: &CreateTable,
    attributes: &TableAttributes,
) -> Result<Vec<ColumnDefinition>, SqlError> {
    for constraint in &create.constraints {
        if !matches!(
            constraint,
            TableConstraint::PrimaryKey(_)
                | TableConstraint::Unique(_)
                | TableConstraint::ForeignKey(_)
        ) {
            return unsupported(format!("the constraint {constraint}"));
        }
    }
    let mut columns: Vec<ColumnDefinition> = create
        .columns
        .iter()
        .map(|definition| column(definition, attributes))
        .collect::<Result<_, _>>()?;
    for constraint in &create.constraints {
        let TableConstraint::PrimaryKey(key) = constraint else { continue };
        for part in &key.columns {
            let text = part.to_string().to_lowercase();
            let named = columns.iter_mut().find(|column| column.name == text.trim_matches('"'));
            if let Some(column) = named {
                column.nullable = false;
            }
        }
    }
    Ok(columns)
}

/// A column as it is declared.
pub(super) fn column(
    definition: &ColumnDef,
    attributes: &TableAttributes,
) -> Result<ColumnDefinition, SqlError> {
    let name = folded(&definition.name);
    let identity = attributes.identity.get(&name).copied();
    let mut column = ColumnDefinition {
        sql_type: SqlType::declared(&definition.data_type)?,
        nullable: identity.is_none(),
        default: None,
        identity,
        encoding: attributes.encoding.get(&name).cloned(),
        name,
    };
    for option in &definition.options {
        match &option.option {
            ColumnOption::Null
            | ColumnOption::Unique(_)
            | ColumnOption::ForeignKey(_)
            | ColumnOption::Collation(_) => {}
            ColumnOption::NotNull | ColumnOption::PrimaryKey(_) => column.nullable = false,
            ColumnOption::Default(value) => column.default = Some(value.to_string()),
            other => return unsupported(format!("the column option {other}")),
        }
    }
    Ok(column)
}

fn column_sql(column: &ColumnDefinition) -> String {
    let not_null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{not_null}", quoted(&column.name), column.sql_type.affinity())
}

/// The bound views of the database that can no longer be read without this relation.
fn dependents(world: &World<'_>, catalog: &Catalog, name: &RelationName) -> Vec<RelationName> {
    let mut without = catalog.clone();
    let Ok(schema) = without.schema_mut(&name.database, &name.schema) else { return vec![] };
    schema.relations.remove(&name.name);
    let readable = |catalog: &Catalog, view: &RelationName, relation: &Relation| {
        let counter = Cell::new(0);
        let session =
            Session { world, catalog, user: &relation.owner, database: &view.database, depth: 0 };
        Compiler::new(session, &counter).columns_of(view, relation).is_ok()
    };
    let mut found = vec![];
    for (schema_name, schema) in
        catalog.database(&name.database).map(|d| &d.schemas).into_iter().flatten()
    {
        for (view_name, relation) in &schema.relations {
            let view = RelationName {
                database: name.database.clone(),
                schema: schema_name.clone(),
                name: view_name.clone(),
            };
            let bound = matches!(relation.kind, RelationKind::View { late_binding: false, .. });
            if bound
                && view != *name
                && readable(catalog, &view, relation)
                && !readable(&without, &view, relation)
            {
                found.push(view);
            }
        }
    }
    found
}

/// Takes a relation and its rows away.
pub(super) fn remove_relation(
    world: &World<'_>,
    catalog: &mut Catalog,
    name: &RelationName,
) -> Result<(), SqlError> {
    let table = quoted(&storage(&catalog.namespace, name));
    let schema = catalog.schema_mut(&name.database, &name.schema)?;
    if let Some(Relation { kind: RelationKind::Table { .. }, .. }) =
        schema.relations.remove(&name.name)
    {
        run_sql(world, &format!("DROP TABLE {table}"))?;
    }
    Ok(())
}

/// Takes a schema away, with what is in it when `cascade` says so.
pub(super) fn drop_schema(
    world: &World<'_>,
    catalog: &mut Catalog,
    database: &str,
    name: &str,
    cascade: bool,
) -> Result<(), SqlError> {
    let relations: Vec<String> =
        catalog.schema(database, name)?.relations.keys().cloned().collect();
    if !relations.is_empty() && !cascade {
        return Err(SqlError::new(format!(
            "cannot drop schema {name} because other objects depend on it"
        )));
    }
    for relation in relations {
        let full =
            RelationName { database: database.to_owned(), schema: name.to_owned(), name: relation };
        remove_relation(world, catalog, &full)?;
    }
    catalog.database_mut(database)?.schemas.remove(name);
    Ok(())
}
