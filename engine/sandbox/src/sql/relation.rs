//! FROM: names to relations, views to their queries, joins.
//!
//! A name resolves through the catalog or not at all. A view is expanded where it is used and read
//! with its owner's rights; a shared relation is read in its own warehouse's catalog.

use sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableWithJoins,
};

use super::SqlError;
use super::catalog::{Catalog, Privilege, Relation, RelationKind, RelationName, SharedRelation};
use super::clause::rename;
use super::compile::{
    Compiled, Compiler, Output, QUERY_DEPTH, Session, Source, SourceColumn, Typed, folded, quoted,
    unsupported,
};
use super::types::SqlType;
use super::{lake, parse, system};

/// The parts of a name, in lower case.
pub(super) fn parts(name: &ObjectName) -> Result<Vec<String>, SqlError> {
    name.0
        .iter()
        .map(|part| match part.as_ident() {
            Some(ident) => Ok(folded(ident)),
            None => unsupported(format!("the name {name}")),
        })
        .collect()
}

/// The SQLite table with a relation's rows. Dots and slashes inside names are escaped, so that no
/// two names meet.
pub(super) fn storage(namespace: &str, name: &RelationName) -> String {
    let escape = |part: &str| part.replace('%', "%25").replace('.', "%2e").replace('/', "%2f");
    format!(
        "wh/{namespace}/{}.{}.{}",
        escape(&name.database),
        escape(&name.schema),
        escape(&name.name)
    )
}

impl Session<'_> {
    /// The schemas in which a bare name is looked for: the user's own, then `public`.
    pub(super) fn search_path(&self) -> Vec<&str> {
        self.catalog.search_path(self.user, self.database)
    }

    /// The full name of an existing relation.
    pub(super) fn resolve(&self, parts: &[String]) -> Result<RelationName, SqlError> {
        self.catalog.resolve(self.user, self.database, parts)
    }

    /// The full name of a relation that a statement is about to create.
    pub(super) fn placed(&self, parts: &[String]) -> Result<RelationName, SqlError> {
        let (database, schema, name) = match parts {
            [name] => {
                let schema = self.search_path().first().copied().unwrap_or("public");
                (self.database, schema, name)
            }
            [schema, name] => (self.database, schema.as_str(), name),
            [database, schema, name] if database == self.database => {
                (self.database, schema.as_str(), name)
            }
            [database, _, _] => return Err(cross_database(database)),
            _ => return Err(SqlError::new("improper qualified name (too many dotted names)")),
        };
        self.catalog.schema(database, schema)?;
        Ok(RelationName {
            database: database.to_owned(),
            schema: schema.to_owned(),
            name: name.clone(),
        })
    }

    /// A relation that a statement changes: it has to be in the connected database.
    pub(super) fn resolve_here(&self, parts: &[String]) -> Result<RelationName, SqlError> {
        let name = self.resolve(parts)?;
        if name.database == self.database { Ok(name) } else { Err(cross_database(&name.database)) }
    }
}

fn cross_database(database: &str) -> SqlError {
    SqlError::new(format!("cross-database reference to database \"{database}\" is not supported"))
}

impl Compiler<'_> {
    /// Writes a FROM and puts its relations into the frame.
    pub(super) fn from(&mut self, items: &[TableWithJoins]) -> Result<String, SqlError> {
        if items.is_empty() {
            return Ok(String::new());
        }
        let mut list = vec![];
        for item in items {
            let sql = self.joined(item)?;
            list.push(if items.len() > 1 && !item.joins.is_empty() {
                format!("({sql})")
            } else {
                sql
            });
        }
        Ok(format!(" FROM {}", list.join(" CROSS JOIN ")))
    }

    fn joined(&mut self, item: &TableWithJoins) -> Result<String, SqlError> {
        let first = self.frame().sources.len();
        let mut sql = self.factor(&item.relation)?;
        for join in &item.joins {
            sql = self.join(&sql, join, first)?;
        }
        Ok(sql)
    }

    /// Adds one join; `first` is where this FROM item's relations begin in the frame.
    fn join(&mut self, left: &str, join: &Join, first: usize) -> Result<String, SqlError> {
        let (word, constraint) = match &join.join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
                ("JOIN", constraint)
            }
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                ("LEFT JOIN", constraint)
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                ("RIGHT JOIN", constraint)
            }
            JoinOperator::FullOuter(constraint) => ("FULL JOIN", constraint),
            JoinOperator::CrossJoin(constraint) => ("CROSS JOIN", constraint),
            _ => return unsupported("this kind of join"),
        };
        let middle = self.frame().sources.len();
        let right = self.factor(&join.relation)?;
        self.outer_nulls(word, first, middle);
        let condition = match constraint {
            JoinConstraint::None if word == "CROSS JOIN" => String::new(),
            JoinConstraint::None => {
                return Err(SqlError::new("syntax error: JOIN without ON or USING"));
            }
            JoinConstraint::On(condition) => {
                format!(" ON {}", self.condition(condition, "JOIN/ON")?)
            }
            JoinConstraint::Using(names) => {
                let names: Result<Vec<Vec<String>>, SqlError> = names.iter().map(parts).collect();
                self.using(word, &names?.concat(), first, middle)?
            }
            JoinConstraint::Natural => {
                let names = self.shared_names(first, middle);
                self.using(word, &names, first, middle)?
            }
        };
        Ok(format!("{left} {word} {right}{condition}"))
    }

    /// An outer join may put NULLs where the table has none.
    fn outer_nulls(&mut self, word: &str, first: usize, middle: usize) {
        for (index, source) in self.frame().sources.iter_mut().enumerate().skip(first) {
            let optional = match word {
                "LEFT JOIN" => index >= middle,
                "RIGHT JOIN" => index < middle,
                "FULL JOIN" => true,
                _ => false,
            };
            for column in source.columns.iter_mut().filter(|_| optional) {
                column.value.nullable = true;
            }
        }
    }

    fn shared_names(&mut self, first: usize, middle: usize) -> Vec<String> {
        let sources = &self.frame().sources;
        let right: Vec<&String> =
            sources[middle..].iter().flat_map(|source| &source.columns).map(|c| &c.name).collect();
        sources[first..middle]
            .iter()
            .flat_map(|source| &source.columns)
            .filter(|column| !column.hidden && right.contains(&&column.name))
            .map(|column| column.name.clone())
            .collect()
    }

    /// `USING (a, b)`: one column for both sides, equal where both are there.
    fn using(
        &mut self,
        word: &str,
        names: &[String],
        first: usize,
        middle: usize,
    ) -> Result<String, SqlError> {
        let mut conditions = vec![];
        for name in names {
            let sources = &mut self.frame().sources;
            let missing = |side: &str| {
                SqlError::new(format!(
                    "column \"{name}\" specified in USING clause does not exist in {side} table"
                ))
            };
            let (left_side, right_side) = sources.split_at_mut(middle);
            let left = left_side[first..]
                .iter_mut()
                .flat_map(|source| &mut source.columns)
                .find(|column| !column.hidden && column.name == *name)
                .ok_or_else(|| missing("left"))?;
            let right = right_side
                .iter_mut()
                .flat_map(|source| &mut source.columns)
                .find(|column| column.name == *name)
                .ok_or_else(|| missing("right"))?;
            conditions.push(format!("{} = {}", left.value.sql, right.value.sql));
            match word {
                "RIGHT JOIN" => left.hidden = true,
                "FULL JOIN" => {
                    left.value.sql = format!("COALESCE({}, {})", left.value.sql, right.value.sql);
                    right.hidden = true;
                }
                _ => right.hidden = true,
            }
        }
        if conditions.is_empty() {
            return Err(SqlError::new("a NATURAL JOIN needs a column that both sides have"));
        }
        Ok(format!(" ON {}", conditions.join(" AND ")))
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<String, SqlError> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                version: None,
                with_ordinality: false,
                json_path: None,
                sample: None,
                ..
            } => {
                let (sql, source) = self.named(&parts(name)?, alias.as_ref())?;
                self.add_source(source)?;
                Ok(sql)
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                if alias.is_none() && !self.in_athena() {
                    return Err(SqlError::new("subquery in FROM must have an alias"));
                }
                // The relations beside a subquery are not seen in it; those around the SELECT are.
                let frame = self.frames.pop();
                let compiled = self.query(subquery);
                self.frames.extend(frame);
                let compiled = compiled?;
                let name = match alias {
                    Some(alias) => folded(&alias.name),
                    None => self.alias(),
                };
                let (sql, source) = self.derived(compiled, &name, alias.as_ref())?;
                self.add_source(source)?;
                Ok(sql)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                Ok(format!("({})", self.joined(table_with_joins)?))
            }
            TableFactor::Table { name, .. } => unsupported(format!("this use of {name} in FROM")),
            _ => unsupported("this kind of FROM item"),
        }
    }

    pub(super) fn add_source(&mut self, source: Source) -> Result<(), SqlError> {
        let frame = self.frame();
        if frame
            .sources
            .iter()
            .any(|known| known.name == source.name && known.schema == source.schema)
        {
            return Err(SqlError::new(format!(
                "table name \"{}\" specified more than once",
                source.name
            )));
        }
        frame.sources.push(source);
        Ok(())
    }

    /// A relation by name: a WITH query, a system view, or a relation of the catalog.
    fn named(
        &mut self,
        parts: &[String],
        alias: Option<&TableAlias>,
    ) -> Result<(String, Source), SqlError> {
        let visible = alias
            .map_or_else(|| parts.last().cloned().unwrap_or_default(), |alias| folded(&alias.name));
        if let [name] = parts
            && let Some(table) = self.ctes.iter().rev().find(|table| table.name == *name).cloned()
        {
            let compiled = Compiled { sql: table.alias.clone(), columns: table.columns };
            return self.aliased(&table.alias, compiled, &visible, alias);
        }
        match self.session.resolve(parts) {
            Ok(name) => {
                self.session.catalog.require_relation(
                    self.session.user,
                    &name,
                    Privilege::Select,
                )?;
                let relation = self.session.catalog.relation(&name)?;
                let (sql, mut source) = self.relation(&name, relation, &visible, alias)?;
                if alias.is_none() {
                    source.schema = Some(name.schema);
                    source.database = Some(name.database);
                }
                Ok((sql, source))
            }
            Err(error) if self.in_athena() => Err(error),
            Err(error) => match system::relation(&self.session, parts) {
                Some(compiled) => self.derived(compiled, &visible, alias),
                None => Err(error),
            },
        }
    }

    fn relation(
        &self,
        name: &RelationName,
        relation: &Relation,
        visible: &str,
        alias: Option<&TableAlias>,
    ) -> Result<(String, Source), SqlError> {
        match &relation.kind {
            RelationKind::Table { .. } => {
                let (sql, mut source) = self.table(name, relation, visible);
                if let Some(alias) = alias.filter(|alias| !alias.columns.is_empty()) {
                    for (column, name) in source.columns.iter_mut().zip(&alias.columns) {
                        column.name = folded(&name.name);
                        column.value.name = folded(&name.name);
                    }
                }
                Ok((sql, source))
            }
            RelationKind::View { .. } | RelationKind::Shared(_) => {
                let compiled = self.expanded(name, relation)?;
                self.derived(compiled, visible, alias)
            }
        }
    }

    /// A table under an alias of its own.
    pub(super) fn table(
        &self,
        name: &RelationName,
        relation: &Relation,
        visible: &str,
    ) -> (String, Source) {
        let alias = self.alias();
        let columns = relation.columns.iter().map(|column| {
            let mut value =
                Typed::new(format!("{alias}.{}", quoted(&column.name)), column.sql_type)
                    .named(&column.name);
            value.nullable = column.nullable;
            value.origin = Some((name.schema.clone(), name.name.clone()));
            SourceColumn { name: column.name.clone(), value, hidden: false }
        });
        let source = Source {
            name: visible.to_owned(),
            schema: None,
            database: None,
            columns: columns.collect(),
        };
        let table = quoted(&storage(&self.session.catalog.namespace, name));
        (format!("{table} AS {alias}"), source)
    }

    /// The query behind a view or a shared relation, read with its owner's rights.
    fn expanded(&self, name: &RelationName, relation: &Relation) -> Result<Compiled, SqlError> {
        let inner = Session {
            user: &relation.owner,
            database: &name.database,
            depth: self.session.depth + 1,
            ..self.session
        };
        if inner.depth >= QUERY_DEPTH {
            return Err(SqlError::new("views are nested too deeply"));
        }
        match &relation.kind {
            RelationKind::View { query, late_binding } => {
                let query = match self.in_athena() {
                    true => lake::view(query)?,
                    false => parse::query(query)?,
                };
                let compiled = self.inside(inner).query(&query)?;
                if *late_binding {
                    return Ok(compiled);
                }
                let names: Vec<String> =
                    relation.columns.iter().map(|column| column.name.clone()).collect();
                let columns = rename(compiled.columns, &names, &name.name)?;
                Ok(Compiled { sql: compiled.sql, columns })
            }
            RelationKind::Shared(shared) => {
                let missing = || SqlError::no_relation(&name.name);
                let (producer, catalog) =
                    super::load(self.session.world, &shared.namespace).ok_or_else(missing)?;
                self.may_read_through(shared, &producer.account, &catalog)?;
                let target = RelationName {
                    database: shared.database.clone(),
                    schema: shared.schema.clone(),
                    name: shared.relation.clone(),
                };
                let relation = catalog.relation(&target).map_err(|_gone| missing())?;
                let session = Session { catalog: &catalog, database: &target.database, ..inner };
                let compiler = self.inside(session);
                let (sql, source) = compiler.relation(&target, relation, &target.name, None)?;
                let list: Vec<String> = source
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(index, column)| format!("{} AS \"c{}\"", column.value.sql, index + 1))
                    .collect();
                let columns = source
                    .columns
                    .iter()
                    .map(|column| Output {
                        name: column.name.clone(),
                        sql_type: column.value.sql_type,
                        nullable: column.value.nullable,
                        origin: None,
                    })
                    .collect();
                Ok(Compiled { sql: format!("SELECT {} FROM {sql}", list.join(", ")), columns })
            }
            RelationKind::Table { .. } => unsupported("expanding a table"),
        }
    }

    /// Refuses a relation whose datashare is gone, does not have it any more, or was taken back.
    fn may_read_through(
        &self,
        shared: &SharedRelation,
        producer: &str,
        catalog: &Catalog,
    ) -> Result<(), SqlError> {
        let Some(name) = &shared.datashare else { return Ok(()) };
        let here = &self.session.catalog.namespace;
        let account = super::load(self.session.world, here).map(|(scope, _)| scope.account);
        let through = catalog.datashares.get(name).is_some_and(|share| {
            share.relations.contains(&format!("{}.{}", shared.schema, shared.relation))
                && share.reaches(producer, account.as_deref().unwrap_or_default(), here)
        });
        match through {
            true => Ok(()),
            false => Err(SqlError::new(format!(
                "datashare \"{name}\" of namespace {} is not shared with this namespace",
                shared.namespace
            ))),
        }
    }

    /// The columns of a view as they are now.
    pub(super) fn columns_of(
        &self,
        name: &RelationName,
        relation: &Relation,
    ) -> Result<Vec<Output>, SqlError> {
        self.expanded(name, relation).map(|compiled| compiled.columns)
    }

    /// A query as a relation.
    fn derived(
        &self,
        compiled: Compiled,
        visible: &str,
        alias: Option<&TableAlias>,
    ) -> Result<(String, Source), SqlError> {
        let sql = format!("({})", compiled.sql);
        self.aliased(&sql, compiled, visible, alias)
    }

    fn aliased(
        &self,
        from: &str,
        compiled: Compiled,
        visible: &str,
        alias: Option<&TableAlias>,
    ) -> Result<(String, Source), SqlError> {
        let names: Vec<String> = alias
            .map(|alias| alias.columns.iter().map(|column| folded(&column.name)).collect())
            .unwrap_or_default();
        let columns = rename(compiled.columns, &names, visible)?;
        let sql_alias = self.alias();
        let columns = columns.into_iter().enumerate().map(|(index, column)| SourceColumn {
            value: Typed {
                sql: format!("{sql_alias}.\"c{}\"", index + 1),
                sql_type: column.sql_type,
                nullable: column.nullable,
                name: column.name.clone(),
                origin: Some((String::new(), visible.to_owned())),
            },
            name: column.name,
            hidden: false,
        });
        let source = Source {
            name: visible.to_owned(),
            schema: None,
            database: None,
            columns: columns.collect(),
        };
        Ok((format!("{from} AS {sql_alias}"), source))
    }

    /// A column by its bare name, looked for from the innermost SELECT outwards.
    pub(super) fn column(&mut self, name: &str) -> Result<Typed, SqlError> {
        let innermost = self.frames.len();
        for (index, frame) in self.frames.iter().enumerate().rev() {
            let mut found = frame
                .sources
                .iter()
                .flat_map(|source| &source.columns)
                .filter(|column| !column.hidden && column.name == name);
            if let Some(column) = found.next() {
                if found.next().is_some() {
                    return Err(SqlError::new(format!("column reference \"{name}\" is ambiguous")));
                }
                let value = column.value.clone();
                if index + 1 == innermost {
                    self.require_grouped(name, &value)?;
                }
                return Ok(value);
            }
        }
        if let Some((_, value)) =
            self.frame().outputs.iter().rev().find(|(output, _)| output == name).cloned()
        {
            return Ok(value);
        }
        let tables: Vec<String> =
            self.frame().sources.iter().map(|source| source.name.clone()).collect();
        let inside =
            if tables.is_empty() { String::new() } else { format!(" in {}", tables.join(", ")) };
        Err(SqlError::new(format!("column \"{name}\" does not exist{inside}")))
    }

    /// `table.column`, `schema.table.column` or `database.schema.table.column`.
    pub(super) fn qualified_column(&mut self, parts: &[String]) -> Result<Typed, SqlError> {
        let Some(([qualifier @ .., table], name)) =
            parts.split_last().map(|(name, rest)| (rest, name))
        else {
            return Err(SqlError::new("improper column reference"));
        };
        let fits = |source: &Source| {
            let wanted = qualifier.iter().rev();
            let known = [source.schema.as_ref(), source.database.as_ref()];
            source.name == *table
                && wanted
                    .zip(known)
                    .all(|(wanted, known)| known.is_none_or(|known| known == wanted))
        };
        let innermost = self.frames.len();
        let found = self.frames.iter().enumerate().rev().find_map(|(index, frame)| {
            frame.sources.iter().find(|source| fits(source)).map(|source| (index, source.clone()))
        });
        let Some((index, source)) = found else {
            return Err(SqlError::new(format!("missing FROM-clause entry for table \"{table}\"")));
        };
        let column = source
            .columns
            .iter()
            .find(|column| column.name == *name)
            .ok_or_else(|| SqlError::new(format!("column {table}.{name} does not exist")))?;
        if index + 1 == innermost {
            self.require_grouped(name, &column.value)?;
        }
        Ok(column.value.clone())
    }
}

/// The row number behind a table's alias, for statements that change some of its rows.
pub(super) fn row_of(source_sql: &str) -> String {
    let alias = source_sql.rsplit(' ').next().unwrap_or_default();
    format!("{alias}.rowid")
}

/// A result column that nothing is known of but its type.
pub(super) fn plain_output(name: &str, sql_type: SqlType) -> Output {
    Output { name: name.to_owned(), sql_type, nullable: true, origin: None }
}
