//! Queries: from Redshift's syntax tree to SQLite's text, with the type of every output column.
//!
//! Every node is written out by hand: what is not known here is refused by name, and no text of the
//! statement reaches SQLite except as an escaped literal or a quoted name that the catalog has.
//! Relations get aliases of their own (`r1`, `r2`, ...) and outputs are called `c1`, `c2`, ..., so
//! that no name of the statement can clash or be looked up by SQLite's rules instead of Redshift's.
//! FROM and its relations are `relation`'s, expressions are `expr`'s.

use std::cell::Cell;

use sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Ident, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Values,
};

use super::SqlError;
use super::catalog::Catalog;
use super::clause::{
    aliased, bad_position, constant_position, direction, excluded, item_expression, limit, order,
    output_names, position, refuse_clauses, rename, set_operation, top,
};
use super::types::SqlType;
use crate::world::World;

/// Rows after which a recursive query is stopped: a missing end condition must not hang the world.
const RECURSION_ROWS: u32 = 100_000;

/// Queries within queries, those of views included: a bound on recursion, which also ends shared
/// relations that point at each other.
pub(super) const QUERY_DEPTH: usize = 34;

/// Whose eyes a statement is read with.
#[derive(Clone, Copy)]
pub(super) struct Session<'s> {
    pub(super) world: &'s World<'s>,
    pub(super) catalog: &'s Catalog,
    pub(super) user: &'s str,
    pub(super) database: &'s str,
    /// How many queries this one is inside of.
    pub(super) depth: usize,
}

/// Turns one statement into SQLite's text.
pub(super) struct Compiler<'s> {
    pub(super) session: Session<'s>,
    counter: &'s Cell<usize>,
    pub(super) frames: Vec<Frame>,
    pub(super) ctes: Vec<CommonTable>,
}

/// What one SELECT can see.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) sources: Vec<Source>,
    /// Outputs so far, which later outputs may name.
    pub(super) outputs: Vec<(String, Typed)>,
    /// The GROUP BY expressions as SQLite's text, once the query is known to be grouped.
    pub(super) grouped: Option<Vec<String>>,
    pub(super) in_aggregate: bool,
    pub(super) saw_aggregate: bool,
    /// The clause that is being read when aggregates are not allowed there.
    pub(super) without_aggregates: Option<&'static str>,
}

/// One relation of a FROM.
#[derive(Clone)]
pub(super) struct Source {
    /// The name that columns are qualified with.
    pub(super) name: String,
    pub(super) schema: Option<String>,
    pub(super) database: Option<String>,
    pub(super) columns: Vec<SourceColumn>,
}

/// One column of a relation.
#[derive(Clone)]
pub(super) struct SourceColumn {
    pub(super) name: String,
    pub(super) value: Typed,
    /// The right-hand twin of a USING column: seen only when it is qualified.
    pub(super) hidden: bool,
}

/// One `WITH` query.
#[derive(Clone)]
pub(super) struct CommonTable {
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) columns: Vec<Output>,
}

/// An expression in SQLite's text, with its Redshift type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) sql: String,
    pub(super) sql_type: SqlType,
    pub(super) nullable: bool,
    /// What the column is called when nobody names it.
    pub(super) name: String,
    /// Schema and table that the value comes from unchanged.
    pub(super) origin: Option<(String, String)>,
}

/// A column of a query's result.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) sql_type: SqlType,
    pub(super) nullable: bool,
    pub(super) origin: Option<(String, String)>,
}

/// A query in SQLite's text; its columns are called `c1`, `c2`, ...
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) sql: String,
    pub(super) columns: Vec<Output>,
}

impl Typed {
    pub(super) fn new(sql: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            sql: sql.into(),
            sql_type,
            nullable: true,
            name: "?column?".to_owned(),
            origin: None,
        }
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub(super) fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }
}

impl Output {
    fn of(name: &str, value: &Typed) -> Self {
        let sql_type = match value.sql_type {
            SqlType::Unknown => SqlType::text(),
            known => known,
        };
        let (nullable, origin) = (value.nullable, value.origin.clone());
        Self { name: name.to_owned(), sql_type, nullable, origin }
    }
}

/// A name for SQLite.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text for SQLite.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An identifier as Redshift folds it: quoted ones too.
pub(super) fn folded(ident: &Ident) -> String {
    ident.value.to_lowercase()
}

/// Refuses what is not known here, by name.
pub(super) fn unsupported<T>(what: impl std::fmt::Display) -> Result<T, SqlError> {
    Err(SqlError::new(format!("{what} is not implemented in the sandbox")))
}

impl<'s> Compiler<'s> {
    pub(super) fn new(session: Session<'s>, counter: &'s Cell<usize>) -> Self {
        Self { session, counter, frames: vec![], ctes: vec![] }
    }

    /// A compiler for the query of a view, which sees nothing of the statement around it.
    pub(super) fn inside<'n>(&self, session: Session<'n>) -> Compiler<'n>
    where
        's: 'n,
    {
        Compiler { session, counter: self.counter, frames: vec![], ctes: vec![] }
    }

    /// A new alias.
    pub(super) fn alias(&self) -> String {
        self.counter.set(self.counter.get() + 1);
        format!("r{}", self.counter.get())
    }

    /// The innermost SELECT.
    pub(super) fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// A whole query.
    pub(super) fn query(&mut self, query: &Query) -> Result<Compiled, SqlError> {
        if self.session.depth >= QUERY_DEPTH {
            return Err(SqlError::new("statement is nested too deeply"));
        }
        self.session.depth += 1;
        let compiled = self.whole(query);
        self.session.depth -= 1;
        compiled
    }

    fn whole(&mut self, query: &Query) -> Result<Compiled, SqlError> {
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            return unsupported("FOR, SETTINGS and FORMAT");
        }
        if !query.locks.is_empty() || !query.pipe_operators.is_empty() {
            return unsupported("FOR UPDATE");
        }
        let known = self.ctes.len();
        let with = match &query.with {
            Some(with) => {
                let tables: Result<Vec<String>, SqlError> = with
                    .cte_tables
                    .iter()
                    .map(|cte| self.common_table(cte, with.recursive))
                    .collect();
                let recursive = if with.recursive { "RECURSIVE " } else { "" };
                format!("WITH {recursive}{} ", tables?.join(", "))
            }
            None => String::new(),
        };
        let limit = limit(query)?;
        let order_by = match query.order_by.as_ref().map(|order_by| &order_by.kind) {
            None => &[][..],
            Some(OrderByKind::Expressions(keys)) => keys,
            Some(OrderByKind::All(_)) => return unsupported("ORDER BY ALL"),
        };
        let mut compiled = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, order_by, &limit)?,
            body => {
                let body = self.body(body)?;
                let keys = order_by
                    .iter()
                    .map(|key| match position(&key.expr, &body.columns)? {
                        Some(position) => Ok(format!("{position}{}", direction(key))),
                        None => {
                            unsupported("ORDER BY an expression over UNION, INTERSECT or EXCEPT")
                        }
                    })
                    .collect::<Result<Vec<String>, SqlError>>()?;
                let sql = format!("SELECT * FROM ({}){}{limit}", body.sql, order(&keys));
                Compiled { sql, columns: body.columns }
            }
        };
        self.ctes.truncate(known);
        compiled.sql.insert_str(0, &with);
        Ok(compiled)
    }

    fn common_table(&mut self, cte: &Cte, recursive: bool) -> Result<String, SqlError> {
        let name = folded(&cte.alias.name);
        let renamed: Vec<String> =
            cte.alias.columns.iter().map(|column| folded(&column.name)).collect();
        let alias = self.alias();
        if let (
            true,
            SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right },
        ) = (recursive, cte.query.body.as_ref())
        {
            let first = self.body(left)?;
            let columns = rename(first.columns, &renamed, &name)?;
            let table = CommonTable { name, alias: alias.clone(), columns: columns.clone() };
            self.ctes.push(table);
            let rest = self.body(right)?;
            let all = if *set_quantifier == SetQuantifier::All { " ALL" } else { "" };
            return Ok(format!(
                "{alias}({}) AS ({} UNION{all} {} LIMIT {RECURSION_ROWS})",
                output_names(columns.len()),
                first.sql,
                rest.sql
            ));
        }
        let compiled = self.query(&cte.query)?;
        let columns = rename(compiled.columns, &renamed, &name)?;
        self.ctes.push(CommonTable { name, alias: alias.clone(), columns });
        Ok(format!("{alias} AS ({})", compiled.sql))
    }

    fn body(&mut self, body: &SetExpr) -> Result<Compiled, SqlError> {
        match body {
            SetExpr::Select(select) => self.select(select, &[], ""),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let left = self.body(left)?;
                let right = self.body(right)?;
                set_operation(&left, *op, *set_quantifier, &right)
            }
            other => unsupported(format!("{other} as a query")),
        }
    }

    fn values(&mut self, values: &Values) -> Result<Compiled, SqlError> {
        let mut rows: Vec<Vec<Typed>> = vec![];
        for row in &values.rows {
            rows.push(row.content.iter().map(|value| self.expr(value)).collect::<Result<_, _>>()?);
        }
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(SqlError::new("VALUES lists must all be the same length"));
        }
        let columns: Vec<Output> = (0..width)
            .map(|index| {
                let common = rows
                    .iter()
                    .map(|row| row[index].sql_type)
                    .reduce(SqlType::common)
                    .unwrap_or(SqlType::Unknown);
                let name = match self.in_athena() {
                    true => format!("_col{index}"),
                    false => format!("column{}", index + 1),
                };
                Output::of(&name, &Typed::new("", common))
            })
            .collect();
        let rows = rows
            .iter()
            .map(|row| {
                let cells: Result<Vec<String>, SqlError> = row
                    .iter()
                    .zip(&columns)
                    .map(|(value, column)| super::cast::implicit(value, column.sql_type))
                    .collect();
                Ok(format!("({})", cells?.join(", ")))
            })
            .collect::<Result<Vec<String>, SqlError>>()?;
        let selected: Vec<String> = (1..=width).map(|n| format!("column{n} AS \"c{n}\"")).collect();
        let sql = format!("SELECT {} FROM (VALUES {})", selected.join(", "), rows.join(", "));
        Ok(Compiled { sql, columns })
    }

    fn select(
        &mut self,
        select: &Select,
        order_by: &[OrderByExpr],
        limit: &str,
    ) -> Result<Compiled, SqlError> {
        refuse_clauses(select)?;
        self.frames.push(Frame::default());
        let compiled = self.select_in_frame(select, order_by, limit);
        self.frames.pop();
        compiled
    }

    fn select_in_frame(
        &mut self,
        select: &Select,
        order_by: &[OrderByExpr],
        limit: &str,
    ) -> Result<Compiled, SqlError> {
        let (items, tail) = self.rows(select)?;
        let columns: Vec<Output> =
            items.iter().map(|(name, value)| self.output(name, value)).collect();
        let mut list: Vec<String> = items
            .iter()
            .enumerate()
            .map(|(index, (_, value))| format!("{} AS \"c{}\"", value.sql, index + 1))
            .collect();
        // Rows that a QUALIFY passes are sorted outside of it, by keys that it carries along.
        let mut keys = vec![];
        for key in order_by {
            let target = match (position(&key.expr, &columns)?, &select.qualify) {
                (Some(position), _) => position.to_string(),
                (None, None) => self.expr(&key.expr)?.sql,
                (None, Some(_)) => {
                    let name = format!("\"k{}\"", list.len());
                    list.push(format!("{} AS {name}", self.expr(&key.expr)?.sql));
                    name
                }
            };
            keys.push(format!("{target}{}", direction(key)));
        }
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => "",
            Some(Distinct::Distinct) => "DISTINCT ",
            Some(Distinct::On(_)) => return unsupported("DISTINCT ON"),
        };
        let end = format!("{}{}", order(&keys), top(select, limit)?);
        let sql = match &select.qualify {
            None => format!("SELECT {distinct}{}{tail}{end}", list.join(", ")),
            Some(qualify) => {
                list.push(format!("{} AS \"q\"", self.truth(qualify, "QUALIFY")?));
                format!(
                    "SELECT {distinct}{} FROM (SELECT {}{tail}) WHERE \"q\"{end}",
                    output_names(columns.len()),
                    list.join(", ")
                )
            }
        };
        Ok(Compiled { sql, columns })
    }

    /// A column of a result. In Athena a NULL stays without a type, for a UNION to give it one.
    fn output(&self, name: &str, value: &Typed) -> Output {
        let output = Output::of(name, value);
        match self.in_athena() {
            true => Output { sql_type: value.sql_type, ..output },
            false => output,
        }
    }

    /// The outputs of a SELECT, and its FROM, WHERE, GROUP BY and HAVING.
    fn rows(&mut self, select: &Select) -> Result<(Vec<(String, Typed)>, String), SqlError> {
        let mut tail = self.from(&select.from)?;
        if let Some(condition) = &select.selection {
            tail.push_str(&format!(" WHERE {}", self.condition(condition, "WHERE")?));
        }
        let groups = self.groups(select)?;
        let mut items = self.projection(&select.projection)?;
        if !groups.is_empty() || select.having.is_some() || self.frame().saw_aggregate {
            let frame = self.frame();
            frame.outputs.clear();
            frame.grouped = Some(groups.clone());
            items = self.projection(&select.projection)?;
        }
        if !groups.is_empty() {
            tail.push_str(&format!(" GROUP BY {}", groups.join(", ")));
        }
        if let Some(having) = &select.having {
            tail.push_str(&format!(" HAVING {}", self.truth(having, "HAVING")?));
        }
        Ok((items, tail))
    }

    /// The GROUP BY expressions: positions and output names stand for what they name.
    fn groups(&mut self, select: &Select) -> Result<Vec<String>, SqlError> {
        let GroupByExpr::Expressions(expressions, modifiers) = &select.group_by else {
            return unsupported("GROUP BY ALL");
        };
        if !modifiers.is_empty() {
            return unsupported("GROUP BY with a modifier");
        }
        let mut groups = vec![];
        for expression in expressions {
            let mut target = expression;
            if let Some(position) = constant_position(expression) {
                target = position
                    .checked_sub(1)
                    .and_then(|index| select.projection.get(index))
                    .and_then(item_expression)
                    .ok_or_else(|| bad_position("GROUP BY", position))?;
            } else if let Expr::Identifier(ident) = expression
                && !self.frame().sources.iter().any(|source| source.has(&folded(ident)))
            {
                target = aliased(select, &folded(ident)).unwrap_or(expression);
            }
            self.frame().without_aggregates = Some("GROUP BY");
            let value = self.expr(target);
            self.frame().without_aggregates = None;
            groups.push(value?.sql);
        }
        Ok(groups)
    }

    fn projection(&mut self, items: &[SelectItem]) -> Result<Vec<(String, Typed)>, SqlError> {
        let mut outputs = vec![];
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    let value = self.expr(expression)?;
                    let column =
                        matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                    // Athena gives a name to a column alone.
                    let name = match self.in_athena() && !column {
                        true => format!("_col{}", outputs.len()),
                        false => value.name.clone(),
                    };
                    outputs.push((name, value));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let value = self.expr(expr)?;
                    let name = folded(alias);
                    self.frame().outputs.push((name.clone(), value.clone()));
                    outputs.push((name, value));
                }
                SelectItem::Wildcard(options) => {
                    let excluded = excluded(options)?;
                    if self.frame().sources.is_empty() {
                        return Err(SqlError::new(
                            "SELECT * with no tables specified is not valid",
                        ));
                    }
                    self.every_column(None, &excluded, &mut outputs)?;
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    let excluded = excluded(options)?;
                    let parts: Vec<String> = super::relation::parts(name)?;
                    self.every_column(parts.last().map(String::as_str), &excluded, &mut outputs)?;
                }
                other => return unsupported(format!("{other} in a select list")),
            }
        }
        Ok(outputs)
    }

    /// Writes out `*` or `name.*`.
    fn every_column(
        &mut self,
        of: Option<&str>,
        excluded: &[String],
        outputs: &mut Vec<(String, Typed)>,
    ) -> Result<(), SqlError> {
        let columns: Vec<SourceColumn> = self
            .frame()
            .sources
            .iter()
            .filter(|source| of.is_none_or(|name| source.name == name))
            .flat_map(|source| source.columns.iter())
            .filter(|column| of.is_some() || !column.hidden)
            .filter(|column| !excluded.contains(&column.name))
            .cloned()
            .collect();
        if let (Some(name), true) = (of, columns.is_empty()) {
            return Err(SqlError::no_relation(name));
        }
        for column in columns {
            self.require_grouped(&column.name, &column.value)?;
            outputs.push((column.name, column.value));
        }
        Ok(())
    }

    /// Refuses a column that a grouped query does not group by.
    pub(super) fn require_grouped(&mut self, name: &str, value: &Typed) -> Result<(), SqlError> {
        let frame = self.frame();
        let fits = frame.in_aggregate
            || frame.grouped.as_ref().is_none_or(|groups| groups.contains(&value.sql));
        if fits {
            return Ok(());
        }
        let table = value.origin.as_ref().map_or(String::new(), |(_, table)| format!("{table}."));
        Err(SqlError::new(format!(
            "column \"{table}{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
        )))
    }

    /// A condition that is read before rows are grouped.
    pub(super) fn condition(
        &mut self,
        expression: &Expr,
        clause: &'static str,
    ) -> Result<String, SqlError> {
        self.frame().without_aggregates = Some(clause);
        let truth = self.truth(expression, clause);
        self.frame().without_aggregates = None;
        truth
    }

    fn truth(&mut self, expression: &Expr, clause: &str) -> Result<String, SqlError> {
        let value = self.expr(expression)?;
        match value.sql_type {
            SqlType::Bool => Ok(value.sql),
            SqlType::Unknown => super::cast::implicit(&value, SqlType::Bool),
            other => Err(SqlError::new(format!(
                "argument of {clause} must be type boolean, not type {}",
                other.standard_name()
            ))),
        }
    }
}

impl Source {
    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known.name == column)
    }
}
