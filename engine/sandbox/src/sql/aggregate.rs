//! Aggregates and window functions, with the types that Redshift gives them.
//!
//! What SQLite has no aggregate for is collected as a JSON array and worked out by a scalar
//! function, which then works over windows too.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, NullTreatment, OrderByExpr, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use super::SqlError;
use super::cast::{as_text, implicit};
use super::clause::direction;
use super::compile::{Compiler, Typed, literal, unsupported};
use super::types::{SqlType, numeric_of};

const AGGREGATES: [&str; 20] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "any_value",
    "listagg",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "variance",
    "var_samp",
    "var_pop",
    "median",
    "percentile_cont",
    "percentile_disc",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
];

const RANKINGS: [&str; 12] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    "ratio_to_report",
];

/// A call's parts, once they are SQLite's text.
struct Parts {
    arguments: Vec<Typed>,
    star: bool,
    distinct: &'static str,
    /// ` ORDER BY ...` of WITHIN GROUP, or nothing.
    order: String,
    /// The expression of WITHIN GROUP, for percentiles.
    within: Option<Typed>,
    /// ` OVER (...)`, or nothing.
    over: String,
}

impl Compiler<'_> {
    /// The call as an aggregate or window function, when it is one.
    pub(super) fn aggregate(
        &mut self,
        name: &str,
        function: &Function,
    ) -> Result<Option<Typed>, SqlError> {
        let ranking = RANKINGS.contains(&name);
        if !ranking && !AGGREGATES.contains(&name) {
            return Ok(None);
        }
        if ranking && function.over.is_none() {
            return Err(SqlError::new(format!("{name} requires an OVER clause")));
        }
        if function.over.is_none() {
            self.begin_aggregate()?;
        }
        let parts = self.parts(function);
        if function.over.is_none() {
            self.frame().in_aggregate = false;
        }
        let mut parts = parts?;
        if let Some(over) = &function.over {
            parts.over = self.window(over)?;
        }
        if name == "avg"
            && self.in_athena()
            && let [value] = &mut parts.arguments[..]
            && value.sql_type.is_integer()
        {
            *value = Typed::new(format!("CAST({} AS REAL)", value.sql), SqlType::Float8);
        }
        let value = if ranking { ranked(name, &parts)? } else { aggregated(name, &parts)? };
        Ok(Some(value.named(name)))
    }

    fn begin_aggregate(&mut self) -> Result<(), SqlError> {
        let frame = self.frame();
        if let Some(clause) = frame.without_aggregates {
            return Err(SqlError::new(format!("aggregates not allowed in {clause} clause")));
        }
        if frame.in_aggregate {
            return Err(SqlError::new("aggregate function calls may not be nested"));
        }
        frame.saw_aggregate = true;
        frame.in_aggregate = true;
        Ok(())
    }

    fn parts(&mut self, function: &Function) -> Result<Parts, SqlError> {
        let empty =
            FunctionArgumentList { duplicate_treatment: None, args: vec![], clauses: vec![] };
        let list = match &function.args {
            FunctionArguments::List(list) => list,
            FunctionArguments::None => &empty,
            FunctionArguments::Subquery(_) => return unsupported("a subquery as an argument"),
        };
        let respects = |treatment: &NullTreatment| *treatment == NullTreatment::RespectNulls;
        let clauses_known = list.clauses.iter().all(|clause| {
            matches!(clause, FunctionArgumentClause::IgnoreOrRespectNulls(treatment) if respects(treatment))
        });
        if !clauses_known || function.null_treatment.as_ref().is_some_and(|known| !respects(known))
        {
            return unsupported("IGNORE NULLS");
        }
        let mut arguments = vec![];
        let mut star = false;
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => star = true,
                FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => {
                    arguments.push(self.expr(argument)?);
                }
                other => return unsupported(format!("the argument {other}")),
            }
        }
        let within = match function.within_group.first() {
            Some(key) => Some(self.expr(&key.expr)?),
            None => None,
        };
        Ok(Parts {
            arguments,
            star,
            distinct: match list.duplicate_treatment {
                Some(DuplicateTreatment::Distinct) => "DISTINCT ",
                Some(DuplicateTreatment::All) | None => "",
            },
            order: self.keys(&function.within_group)?,
            within,
            over: String::new(),
        })
    }

    fn keys(&mut self, keys: &[OrderByExpr]) -> Result<String, SqlError> {
        if keys.is_empty() {
            return Ok(String::new());
        }
        let list: Result<Vec<String>, SqlError> = keys
            .iter()
            .map(|key| Ok(format!("{}{}", self.expr(&key.expr)?.sql, direction(key))))
            .collect();
        Ok(format!(" ORDER BY {}", list?.join(", ")))
    }

    fn window(&mut self, window: &WindowType) -> Result<String, SqlError> {
        let WindowType::WindowSpec(WindowSpec {
            window_name: None,
            partition_by,
            order_by,
            window_frame,
        }) = window
        else {
            return unsupported("a named window");
        };
        let mut inner = String::new();
        if !partition_by.is_empty() {
            let list: Result<Vec<String>, SqlError> = partition_by
                .iter()
                .map(|expression| self.expr(expression).map(|value| value.sql))
                .collect();
            inner.push_str(&format!("PARTITION BY {}", list?.join(", ")));
        }
        inner.push_str(&self.keys(order_by)?);
        if let Some(frame) = window_frame {
            inner.push_str(&frame_text(frame)?);
        }
        Ok(format!(" OVER ({})", inner.trim_start()))
    }
}

fn frame_text(frame: &WindowFrame) -> Result<String, SqlError> {
    let units = match frame.units {
        WindowFrameUnits::Rows => "ROWS",
        WindowFrameUnits::Range => "RANGE",
        WindowFrameUnits::Groups => return unsupported("a GROUPS frame"),
    };
    let bound = |bound: &WindowFrameBound| -> Result<String, SqlError> {
        let count = |count: &Option<Box<Expr>>| match count.as_deref() {
            None => Ok("UNBOUNDED".to_owned()),
            Some(Expr::Value(value)) => match value.value.to_string().parse::<u32>() {
                Ok(count) => Ok(count.to_string()),
                Err(_) => unsupported("a window frame that is not a number"),
            },
            Some(_) => unsupported("a window frame that is not a number"),
        };
        Ok(match bound {
            WindowFrameBound::CurrentRow => "CURRENT ROW".to_owned(),
            WindowFrameBound::Preceding(rows) => format!("{} PRECEDING", count(rows)?),
            WindowFrameBound::Following(rows) => format!("{} FOLLOWING", count(rows)?),
        })
    };
    let start = bound(&frame.start_bound)?;
    Ok(match &frame.end_bound {
        Some(end) => format!(" {units} BETWEEN {start} AND {}", bound(end)?),
        None => format!(" {units} {start}"),
    })
}

fn only<'p>(name: &str, parts: &'p Parts) -> Result<&'p Typed, SqlError> {
    match &parts.arguments[..] {
        [value] => Ok(value),
        other => Err(SqlError::new(format!(
            "function {name} with {} arguments does not exist",
            other.len()
        ))),
    }
}

fn aggregated(name: &str, parts: &Parts) -> Result<Typed, SqlError> {
    let Parts { distinct, over, .. } = parts;
    Ok(match name {
        "count" if parts.star => Typed::new(format!("count(*){over}"), SqlType::Int8).not_null(),
        "count" => {
            let value = only(name, parts)?;
            Typed::new(format!("count({distinct}{}){over}", value.sql), SqlType::Int8).not_null()
        }
        "sum" => total(only(name, parts)?, "sum", distinct, over)?,
        "avg" => total(only(name, parts)?, "avg", distinct, over)?,
        "min" | "max" => {
            let value = only(name, parts)?;
            Typed::new(format!("{name}({}){over}", value.sql), value.sql_type)
        }
        "any_value" => {
            let value = only(name, parts)?;
            Typed::new(format!("min({}){over}", value.sql), value.sql_type)
        }
        "bool_and" | "bool_or" => {
            let value = only(name, parts)?;
            let function = if name == "bool_and" { "min" } else { "max" };
            Typed::new(
                format!("{function}({}){over}", implicit(value, SqlType::Bool)?),
                SqlType::Bool,
            )
        }
        "listagg" => {
            let (value, separator) = match &parts.arguments[..] {
                [value] => (value, literal("")),
                [value, separator] => (value, separator.sql.clone()),
                _ => return Err(SqlError::new("listagg takes one or two arguments")),
            };
            let list = collected(&as_text(value), parts);
            Typed::new(format!("rs_join({list}, {separator})"), SqlType::text())
        }
        "percentile_cont" | "percentile_disc" => {
            let fraction = only(name, parts)?;
            let Some(within) = &parts.within else {
                return Err(SqlError::new(format!("{name} requires WITHIN GROUP (ORDER BY ...)")));
            };
            let list = collected(&within.sql, parts);
            let sql_type =
                if name == "percentile_disc" { within.sql_type } else { averaged(within.sql_type) };
            Typed::new(format!("rs_percentile('{name}', {list}, {})", fraction.sql), sql_type)
        }
        "median" => {
            let value = only(name, parts)?;
            let list = collected(&value.sql, parts);
            let sql_type = averaged(value.sql_type);
            Typed::new(format!("rs_percentile('percentile_cont', {list}, 0.5)"), sql_type)
        }
        _ => {
            let value = only(name, parts)?;
            let list = collected(&value.sql, parts);
            let sql_type = if name.starts_with("bit_") { value.sql_type } else { SqlType::Float8 };
            Typed::new(format!("rs_statistic('{name}', {list})"), sql_type)
        }
    })
}

/// The values of a group as a JSON array, NULLs left out, in order.
fn collected(value: &str, parts: &Parts) -> String {
    format!(
        "json_group_array({}{value}{}) FILTER (WHERE {value} IS NOT NULL){}",
        parts.distinct,
        if parts.over.is_empty() { parts.order.as_str() } else { "" },
        parts.over
    )
}

fn averaged(of: SqlType) -> SqlType {
    match of {
        SqlType::Numeric { precision, scale } => numeric_of(precision, scale.max(1)),
        _ => SqlType::Float8,
    }
}

/// SUM and AVG: of integers bigint, of numerics numeric with the same scale, of floats float.
fn total(value: &Typed, function: &str, distinct: &str, over: &str) -> Result<Typed, SqlError> {
    let call = format!("{function}({distinct}{}){over}", value.sql);
    Ok(match value.sql_type {
        kind if kind.is_integer() => Typed::new(format!("CAST({call} AS INTEGER)"), SqlType::Int8),
        SqlType::Numeric { scale, .. } => {
            Typed::new(format!("rs_round({call}, {scale})"), numeric_of(38, scale))
        }
        kind if kind.is_float() => Typed::new(call, SqlType::Float8),
        other => {
            return Err(SqlError::new(format!(
                "function {function}({}) does not exist",
                other.standard_name()
            )));
        }
    })
}

fn ranked(name: &str, parts: &Parts) -> Result<Typed, SqlError> {
    let over = &parts.over;
    let list: Vec<&str> = parts.arguments.iter().map(|value| value.sql.as_str()).collect();
    let call = format!("{name}({}){over}", list.join(", "));
    Ok(match (name, &parts.arguments[..]) {
        ("row_number" | "rank" | "dense_rank", []) => Typed::new(call, SqlType::Int8).not_null(),
        ("ntile", [_]) => Typed::new(call, SqlType::Int8),
        ("percent_rank" | "cume_dist", []) => Typed::new(call, SqlType::Float8),
        ("lag" | "lead", [value, ..]) if list.len() <= 3 => Typed::new(call, value.sql_type),
        ("first_value" | "last_value", [value]) | ("nth_value", [value, _]) => {
            Typed::new(call, value.sql_type)
        }
        ("ratio_to_report", [value]) => {
            let sql = format!("rs_divide({}, sum({}){over})", value.sql, value.sql);
            Typed::new(sql, SqlType::Float8)
        }
        _ => {
            return Err(SqlError::new(format!(
                "function {name} with {} arguments does not exist",
                list.len()
            )));
        }
    })
}
