//! The clauses of a query that need no scope: order, limits, positions, set operations.

use sqlparser::ast::{
    ExcludeSelectItem, Expr, GroupByExpr, LimitClause, OrderByExpr, OrderBySort, Query, Select,
    SelectItem, SetOperator, SetQuantifier, TopQuantity, Value, WildcardAdditionalOptions,
};

use super::SqlError;
use super::cast::implicit;
use super::compile::{Compiled, Output, Typed, folded, unsupported};
use super::relation::parts;

/// Refuses the clauses of a SELECT that are not known here.
pub(super) fn refuse_clauses(select: &Select) -> Result<(), SqlError> {
    let GroupByExpr::Expressions(_, _) = &select.group_by else {
        return unsupported("GROUP BY ALL");
    };
    for (present, clause) in [
        (select.into.is_some(), "SELECT INTO inside a query"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (!select.named_window.is_empty(), "WINDOW"),
        (select.value_table_mode.is_some(), "SELECT AS STRUCT"),
        (select.exclude.is_some(), "EXCLUDE after the select list"),
    ] {
        if present {
            return unsupported(clause);
        }
    }
    Ok(())
}

/// The columns that `* EXCLUDE` leaves out.
pub(super) fn excluded(options: &WildcardAdditionalOptions) -> Result<Vec<String>, SqlError> {
    if options.opt_ilike.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
    {
        return unsupported("an option of *");
    }
    match &options.opt_exclude {
        None => Ok(vec![]),
        Some(ExcludeSelectItem::Single(name)) => parts(name),
        Some(ExcludeSelectItem::Multiple(names)) => {
            names.iter().map(parts).collect::<Result<Vec<_>, _>>().map(|all| all.concat())
        }
    }
}

/// The expression of a select item that has one.
pub(super) fn item_expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// The expression that a select list calls so.
pub(super) fn aliased<'q>(select: &'q Select, name: &str) -> Option<&'q Expr> {
    select.projection.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if folded(alias) == name => Some(expr),
        _ => None,
    })
}

/// A number that stands alone, as positions in GROUP BY and ORDER BY do.
pub(super) fn constant_position(expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The error of a position that the select list does not have.
pub(super) fn bad_position(clause: &str, position: usize) -> SqlError {
    SqlError::new(format!("{clause} position {position} is not in select list"))
}

/// The output that an ORDER BY key names, by number or by name.
pub(super) fn position(key: &Expr, columns: &[Output]) -> Result<Option<usize>, SqlError> {
    if let Some(position) = constant_position(key) {
        return match (1..=columns.len()).contains(&position) {
            true => Ok(Some(position)),
            false => Err(bad_position("ORDER BY", position)),
        };
    }
    let Expr::Identifier(ident) = key else { return Ok(None) };
    let name = folded(ident);
    Ok(columns.iter().position(|column| column.name == name).map(|index| index + 1))
}

/// ASC or DESC, with NULLs last or first as Redshift sorts them.
pub(super) fn direction(key: &OrderByExpr) -> String {
    let descending = matches!(key.options.sort, Some(OrderBySort::Desc));
    let nulls_first = key.options.nulls_first.unwrap_or(descending);
    format!(
        " {} NULLS {}",
        if descending { "DESC" } else { "ASC" },
        if nulls_first { "FIRST" } else { "LAST" }
    )
}

/// An ORDER BY of written keys.
pub(super) fn order(keys: &[String]) -> String {
    if keys.is_empty() { String::new() } else { format!(" ORDER BY {}", keys.join(", ")) }
}

/// `"c1", "c2", ...`
pub(super) fn output_names(count: usize) -> String {
    let names: Vec<String> = (1..=count).map(|n| format!("\"c{n}\"")).collect();
    names.join(", ")
}

/// Gives a query's columns the names that an alias lists.
pub(super) fn rename(
    columns: Vec<Output>,
    names: &[String],
    of: &str,
) -> Result<Vec<Output>, SqlError> {
    if names.len() > columns.len() {
        return Err(SqlError::new(format!(
            "table \"{of}\" has {} columns available but {} columns specified",
            columns.len(),
            names.len()
        )));
    }
    let names = names.iter().map(Some).chain(std::iter::repeat(None));
    Ok(columns
        .into_iter()
        .zip(names)
        .map(|(column, name)| match name {
            Some(name) => Output { name: name.clone(), ..column },
            None => column,
        })
        .collect())
}

/// LIMIT, OFFSET and FETCH.
pub(super) fn limit(query: &Query) -> Result<String, SqlError> {
    let (count, offset) = match (&query.limit_clause, &query.fetch) {
        (None, None) => (None, None),
        (None, Some(fetch)) if fetch.percent || fetch.with_ties => {
            return unsupported("FETCH with PERCENT or TIES");
        }
        (None, Some(fetch)) => (fetch.quantity.as_ref(), None),
        (Some(LimitClause::LimitOffset { limit, offset, limit_by }), None)
            if limit_by.is_empty() =>
        {
            (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
        }
        (Some(LimitClause::OffsetCommaLimit { .. }), _) => return unsupported("LIMIT a, b"),
        _ => return unsupported("LIMIT BY, or LIMIT with FETCH"),
    };
    let count = count.map(number).transpose()?;
    let offset = offset.map(number).transpose()?;
    Ok(match (count, offset) {
        (None, None) => String::new(),
        (count, offset) => {
            format!(" LIMIT {} OFFSET {}", count.unwrap_or(-1), offset.unwrap_or(0))
        }
    })
}

/// A count that a statement gives as a literal.
fn number(expression: &Expr) -> Result<i64, SqlError> {
    let text = match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) | Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    };
    text.and_then(|text| text.parse().ok()).ok_or_else(|| SqlError::new("LIMIT must be a number"))
}

/// UNION, INTERSECT or EXCEPT of two queries.
pub(super) fn set_operation(
    left: &Compiled,
    operator: SetOperator,
    quantifier: SetQuantifier,
    right: &Compiled,
) -> Result<Compiled, SqlError> {
    let word = match (operator, quantifier) {
        (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
        (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "UNION",
        (SetOperator::Intersect, SetQuantifier::None | SetQuantifier::Distinct) => "INTERSECT",
        (
            SetOperator::Except | SetOperator::Minus,
            SetQuantifier::None | SetQuantifier::Distinct,
        ) => "EXCEPT",
        (operator, quantifier) => return unsupported(format!("{operator} {quantifier}")),
    };
    if left.columns.len() != right.columns.len() {
        return Err(SqlError::new(format!(
            "each {} query must have the same number of columns",
            word.split(' ').next().unwrap_or(word)
        )));
    }
    let columns: Vec<Output> = left
        .columns
        .iter()
        .zip(&right.columns)
        .map(|(left, right)| Output {
            name: left.name.clone(),
            sql_type: left.sql_type.common(right.sql_type),
            nullable: left.nullable || right.nullable,
            origin: None,
        })
        .collect();
    let sql = format!("{} {word} {}", side(left, &columns)?, side(right, &columns)?);
    Ok(Compiled { sql, columns })
}

/// One side of a set operation, with its columns brought to the common types.
fn side(compiled: &Compiled, columns: &[Output]) -> Result<String, SqlError> {
    let list: Result<Vec<String>, SqlError> = compiled
        .columns
        .iter()
        .zip(columns)
        .enumerate()
        .map(|(index, (own, common))| {
            let name = format!("\"c{}\"", index + 1);
            let value = Typed::new(name.clone(), own.sql_type);
            Ok(format!("{} AS {name}", implicit(&value, common.sql_type)?))
        })
        .collect();
    Ok(format!("SELECT {} FROM ({})", list?.join(", "), compiled.sql))
}

/// The limit of a SELECT: its TOP, else that of the query around it.
pub(super) fn top(select: &Select, limit: &str) -> Result<String, SqlError> {
    Ok(match &select.top {
        None => limit.to_owned(),
        Some(top) if top.percent || top.with_ties => {
            return unsupported("TOP with PERCENT or TIES");
        }
        Some(top) => match &top.quantity {
            Some(TopQuantity::Constant(count)) => format!(" LIMIT {count}"),
            Some(TopQuantity::Expr(count)) => format!(" LIMIT {}", number(count)?),
            None => String::new(),
        },
    })
}
