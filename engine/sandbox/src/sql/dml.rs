//! INSERT, UPDATE, DELETE and MERGE.

use std::cell::Cell;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Insert, Merge, MergeAction, MergeClause,
    MergeClauseKind, MergeInsertKind, MergeUpdateKind, ObjectName, Query, SetExpr, TableFactor,
    TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::catalog::{ColumnDefinition, Privilege, RelationName};
use super::compile::{Compiler, Session, folded, quoted, unsupported};
use super::ddl::require_table;
use super::relation::{parts, row_of, storage};
use super::{SqlError, cast, parse, query_number, run_sql};

/// A table that a statement changes, with the user's right to do it checked.
struct Target {
    name: RelationName,
    columns: Vec<ColumnDefinition>,
    /// The SQLite table, quoted.
    table: String,
}

fn target(
    session: &Session<'_>,
    name: &ObjectName,
    privilege: Privilege,
) -> Result<Target, SqlError> {
    let name = session.resolve_here(&parts(name)?)?;
    require_table(session.catalog, &name)?;
    session.catalog.require_relation(session.user, &name, privilege)?;
    Ok(Target {
        columns: session.catalog.relation(&name)?.columns.clone(),
        table: quoted(&storage(&session.catalog.namespace, &name)),
        name,
    })
}

impl Target {
    fn column(&self, name: &ObjectName) -> Result<&ColumnDefinition, SqlError> {
        let parts = parts(name)?;
        let wanted = parts.last().map_or("", String::as_str);
        self.columns.iter().find(|column| column.name == *wanted).ok_or_else(|| {
            SqlError::new(format!(
                "column \"{wanted}\" of relation \"{}\" does not exist",
                self.name.name
            ))
        })
    }
}

/// What a column gets that an INSERT does not mention: identity, default, or nothing.
fn left_out(
    session: Session<'_>,
    column: &ColumnDefinition,
    table: &str,
) -> Result<Option<String>, SqlError> {
    if let Some((seed, step)) = column.identity {
        let name = quoted(&column.name);
        return Ok(Some(format!(
            "(SELECT COALESCE(max({name}), {seed} - {step}) FROM {table}) + {step} * ROW_NUMBER() OVER ()"
        )));
    }
    let Some(default) = &column.default else { return Ok(None) };
    let counter = Cell::new(0);
    let value = Compiler::new(session, &counter).expr(&parse::expression(default)?)?;
    cast::assigned(&value, column.sql_type).map(Some)
}

/// The query of an INSERT with its DEFAULTs written out.
fn with_defaults(query: &Query, columns: &[&ColumnDefinition]) -> Result<Query, SqlError> {
    let mut query = query.clone();
    let SetExpr::Values(values) = query.body.as_mut() else { return Ok(query) };
    for row in &mut values.rows {
        for (value, column) in row.content.iter_mut().zip(columns) {
            let default = matches!(&*value, Expr::Identifier(ident)
                if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"));
            if default {
                *value = parse::expression(column.default.as_deref().unwrap_or("NULL"))?;
            }
        }
    }
    Ok(query)
}

/// INSERT; the rows it added.
pub(super) fn insert(session: Session<'_>, insert: &Insert) -> Result<usize, SqlError> {
    let TableObject::TableName(name) = &insert.table else {
        return unsupported("INSERT into anything but a table");
    };
    if insert.on.is_some() || insert.returning.is_some() || insert.overwrite {
        return unsupported("ON CONFLICT, RETURNING and OVERWRITE");
    }
    let target = target(&session, name, Privilege::Insert)?;
    let named: Vec<&ColumnDefinition> = if insert.columns.is_empty() {
        target.columns.iter().filter(|column| column.identity.is_none()).collect()
    } else {
        insert.columns.iter().map(|name| target.column(name)).collect::<Result<_, _>>()?
    };
    if let Some(column) = named.iter().find(|column| column.identity.is_some()) {
        return Err(SqlError::new(format!(
            "cannot set an identity column to a value: {}",
            column.name
        )));
    }
    let counter = Cell::new(0);
    let (source, mut values, given) = match &insert.source {
        None => ("(SELECT 1)".to_owned(), vec![], 0),
        Some(query) => {
            let query = with_defaults(query, &named)?;
            let compiled = Compiler::new(session, &counter).query(&query)?;
            let given = compiled.columns.len();
            if given > named.len() {
                return Err(SqlError::new("INSERT has more expressions than target columns"));
            }
            if given < named.len() && !insert.columns.is_empty() {
                return Err(SqlError::new("INSERT has more target columns than expressions"));
            }
            let values = compiled
                .columns
                .iter()
                .zip(&named)
                .enumerate()
                .map(|(index, (output, column))| {
                    let sql = format!("\"c{}\"", index + 1);
                    let value = super::compile::Typed::new(sql, output.sql_type);
                    cast::assigned(&value, column.sql_type)
                })
                .collect::<Result<Vec<String>, SqlError>>()?;
            (format!("({})", compiled.sql), values, given)
        }
    };
    let mut columns: Vec<String> =
        named[..given].iter().map(|column| quoted(&column.name)).collect();
    for column in &target.columns {
        let mentioned = named[..given].iter().any(|named| named.name == column.name);
        if !mentioned && let Some(value) = left_out(session, column, &target.table)? {
            columns.push(quoted(&column.name));
            values.push(value);
        }
    }
    if columns.is_empty() {
        return run_sql(session.world, &format!("INSERT INTO {} DEFAULT VALUES", target.table));
    }
    let sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM {source}",
        target.table,
        columns.join(", "),
        values.join(", ")
    );
    run_sql(session.world, &sql)
}

/// The one table that a statement changes, and its alias.
fn single<'t>(
    item: &'t TableWithJoins,
    what: &str,
) -> Result<(&'t ObjectName, Option<String>), SqlError> {
    match (&item.relation, &item.joins[..]) {
        (TableFactor::Table { name, alias, .. }, []) => {
            Ok((name, alias.as_ref().map(|alias| folded(&alias.name))))
        }
        _ => unsupported(format!("{what} over anything but a table")),
    }
}

/// A compiler whose frame has the target table; and the table with its alias in SQLite's text.
fn with_target<'s>(
    session: Session<'s>,
    counter: &'s Cell<usize>,
    target: &Target,
    alias: Option<String>,
) -> Result<(Compiler<'s>, String), SqlError> {
    let mut compiler = Compiler::new(session, counter);
    let relation = session.catalog.relation(&target.name)?;
    let visible = alias.unwrap_or_else(|| target.name.name.clone());
    let (sql, source) = compiler.table(&target.name, relation, &visible);
    compiler.add_source(source)?;
    Ok((compiler, sql))
}

fn assignments(
    compiler: &mut Compiler<'_>,
    target: &Target,
    assignments: &[Assignment],
) -> Result<String, SqlError> {
    let mut list = vec![];
    for assignment in assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return unsupported("assigning to several columns at once");
        };
        let column = target.column(name)?;
        let value = compiler.expr(&assignment.value)?;
        let value = cast::assigned(&value, column.sql_type)?;
        list.push(format!("{} = {value}", quoted(&column.name)));
    }
    Ok(list.join(", "))
}

/// UPDATE; the rows it changed.
pub(super) fn update(session: Session<'_>, update: &Update) -> Result<usize, SqlError> {
    if update.returning.is_some() || update.limit.is_some() {
        return unsupported("RETURNING and LIMIT in an UPDATE");
    }
    let (name, alias) = single(&update.table, "UPDATE")?;
    let target = target(&session, name, Privilege::Update)?;
    let counter = Cell::new(0);
    let (mut compiler, table) = with_target(session, &counter, &target, alias)?;
    let from = match &update.from {
        None => String::new(),
        Some(UpdateTableFromKind::AfterSet(items) | UpdateTableFromKind::BeforeSet(items)) => {
            compiler.from(items)?
        }
    };
    let set = assignments(&mut compiler, &target, &update.assignments)?;
    let condition = condition(&mut compiler, update.selection.as_ref())?;
    run_sql(session.world, &format!("UPDATE {table} SET {set}{from}{condition}"))
}

fn condition(compiler: &mut Compiler<'_>, condition: Option<&Expr>) -> Result<String, SqlError> {
    match condition {
        Some(condition) => Ok(format!(" WHERE {}", compiler.condition(condition, "WHERE")?)),
        None => Ok(String::new()),
    }
}

/// DELETE; the rows it took away.
pub(super) fn delete(session: Session<'_>, delete: &Delete) -> Result<usize, SqlError> {
    if delete.returning.is_some() || delete.limit.is_some() {
        return unsupported("RETURNING and LIMIT in a DELETE");
    }
    let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
    let [item] = &tables[..] else { return unsupported("DELETE from several tables") };
    let (name, alias) = single(item, "DELETE")?;
    let target = target(&session, name, Privilege::Delete)?;
    let counter = Cell::new(0);
    let (mut compiler, table) = with_target(session, &counter, &target, alias)?;
    let using = match &delete.using {
        None => String::new(),
        Some(items) => {
            let from = compiler.from(items)?;
            from.replacen(" FROM ", " CROSS JOIN ", 1)
        }
    };
    let condition = condition(&mut compiler, delete.selection.as_ref())?;
    let sql = format!(
        "DELETE FROM {} WHERE rowid IN (SELECT {} FROM {table}{using}{condition})",
        target.table,
        row_of(&table)
    );
    run_sql(session.world, &sql)
}

/// MERGE; the rows it added, changed and took away.
///
/// New rows go in first, and only rows that were there before are changed after it: no row is both.
pub(super) fn merge(session: Session<'_>, merge: &Merge) -> Result<usize, SqlError> {
    let TableFactor::Table { name, alias, .. } = &merge.table else {
        return unsupported("MERGE into anything but a table");
    };
    let alias = alias.as_ref().map(|alias| folded(&alias.name));
    let target = target(&session, name, Privilege::Update)?;
    let source = [TableWithJoins { relation: merge.source.clone(), joins: vec![] }];
    let last = query_number(
        session.world,
        &format!("SELECT COALESCE(max(rowid), 0) FROM {}", target.table),
    )?;
    refuse_double_matches(session, &target, alias.clone(), &source, &merge.on)?;
    let merging = Merging { session, target, alias, source, on: &merge.on, last };
    let mut total = 0;
    for inserts in [true, false] {
        for clause in &merge.clauses {
            if inserts == matches!(clause.action, MergeAction::Insert(_)) {
                total += run_sql(session.world, &merging.clause(clause)?)?;
            }
        }
    }
    Ok(total)
}

/// A MERGE between its clauses.
struct Merging<'m> {
    session: Session<'m>,
    target: Target,
    alias: Option<String>,
    source: [TableWithJoins; 1],
    on: &'m Expr,
    /// The last row that was there before.
    last: i64,
}

impl Merging<'_> {
    /// What one clause does, in SQLite's text.
    fn clause(&self, clause: &MergeClause) -> Result<String, SqlError> {
        if clause.predicate.is_some() {
            return unsupported("a condition in a MERGE clause");
        }
        let Self { session, target, source, last, .. } = self;
        let counter = Cell::new(0);
        let (mut compiler, table) = with_target(*session, &counter, target, self.alias.clone())?;
        let from = compiler.from(source)?;
        let on = compiler.condition(self.on, "MERGE ON")?;
        let row = row_of(&table);
        let require = |privilege: Privilege| {
            session.catalog.require_relation(session.user, &target.name, privilege)
        };
        match (&clause.action, clause.clause_kind == MergeClauseKind::Matched) {
            (MergeAction::Insert(action), false) => {
                require(Privilege::Insert)?;
                let MergeInsertKind::Values(values) = &action.kind else {
                    return unsupported("MERGE .. INSERT ROW");
                };
                let [new] = &values.rows[..] else {
                    return unsupported("MERGE .. INSERT of several rows");
                };
                let (columns, values) =
                    merge_values(&mut compiler, target, &action.columns, &new.content)?;
                Ok(format!(
                    "INSERT INTO {} ({columns}) SELECT {values}{from} \
                     WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {on})",
                    target.table
                ))
            }
            (MergeAction::Update(action), true) => {
                let MergeUpdateKind::Set(list) = &action.kind else {
                    return unsupported("MERGE .. UPDATE *");
                };
                let set = assignments(&mut compiler, target, list)?;
                Ok(format!("UPDATE {table} SET {set}{from} WHERE {on} AND {row} <= {last}"))
            }
            (MergeAction::Delete { .. }, true) => {
                require(Privilege::Delete)?;
                let source = from.replacen(" FROM ", " CROSS JOIN ", 1);
                Ok(format!(
                    "DELETE FROM {} WHERE rowid IN \
                     (SELECT {row} FROM {table}{source} WHERE {on} AND {row} <= {last})",
                    target.table
                ))
            }
            _ => unsupported("this MERGE clause"),
        }
    }
}

fn refuse_double_matches(
    session: Session<'_>,
    target: &Target,
    alias: Option<String>,
    source: &[TableWithJoins],
    on: &Expr,
) -> Result<(), SqlError> {
    let counter = Cell::new(0);
    let (mut compiler, table) = with_target(session, &counter, target, alias)?;
    let from = compiler.from(source)?.replacen(" FROM ", " CROSS JOIN ", 1);
    let on = compiler.condition(on, "MERGE ON")?;
    let row = row_of(&table);
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {table}{from} WHERE {on} GROUP BY {row} HAVING count(*) > 1)"
    );
    if query_number(session.world, &sql)? > 0 {
        return Err(SqlError::new("Found multiple matches to update the same tuple."));
    }
    Ok(())
}

fn merge_values(
    compiler: &mut Compiler<'_>,
    target: &Target,
    columns: &[ObjectName],
    values: &[Expr],
) -> Result<(String, String), SqlError> {
    let columns: Vec<&ColumnDefinition> = if columns.is_empty() {
        target.columns.iter().collect()
    } else {
        columns.iter().map(|name| target.column(name)).collect::<Result<_, _>>()?
    };
    if columns.len() != values.len() {
        return Err(SqlError::new("INSERT has not as many expressions as target columns"));
    }
    let mut names = vec![];
    let mut list = vec![];
    for (column, value) in columns.iter().zip(values) {
        let value = compiler.expr(value)?;
        names.push(quoted(&column.name));
        list.push(cast::assigned(&value, column.sql_type)?);
    }
    Ok((names.join(", "), list.join(", ")))
}
