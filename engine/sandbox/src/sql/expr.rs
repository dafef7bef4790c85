//! Expressions: operators, literals, casts and conditions, with the Redshift type of each.
//!
//! Calls of functions are `function`'s. What SQLite would answer differently from Redshift goes
//! through a function of `scalar` (`rs_divide`, `rs_like`, ...) instead of the bare operator.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, Ident,
    Interval, TrimWhereField, TypedString, UnaryOperator, Value,
};

use super::cast::{as_text, explicit, implicit};
use super::compile::{Compiler, Typed, folded, literal, unsupported};
use super::parse::Dialect;
use super::types::{SqlType, numeric_of};
use super::{SqlError, calendar};

impl Compiler<'_> {
    /// An expression.
    pub(super) fn expr(&mut self, expression: &Expr) -> Result<Typed, SqlError> {
        if let Some(group) = self.as_group(expression) {
            return Ok(group);
        }
        match expression {
            Expr::Identifier(ident) => self.identifier(ident),
            Expr::CompoundIdentifier(idents) => {
                let parts: Vec<String> = idents.iter().map(folded).collect();
                self.qualified_column(&parts)
            }
            Expr::CompoundFieldAccess { .. } | Expr::JsonAccess { .. } => {
                unsupported("navigating into a SUPER value")
            }
            Expr::Nested(inner) => {
                let value = self.expr(inner)?;
                Ok(Typed { sql: format!("({})", value.sql), ..value })
            }
            Expr::Value(value) => {
                let value = constant(&value.value)?;
                Ok(if self.in_athena() { of_its_length(value) } else { value })
            }
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::Interval(interval) => self.interval(interval),
            Expr::Cast { kind: CastKind::TryCast, expr, data_type, .. } => {
                let cast = self.cast(expr, data_type)?;
                Ok(Typed { sql: cast.sql.replacen("rs_to_", "rs_try_to_", 1), ..cast })
            }
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Expr::Convert { expr, data_type: Some(data_type), charset: None, .. } => {
                self.cast(expr, data_type)
            }
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { .. } => self.chain(expression),
            Expr::Function(function) => self.function(function),
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::AtTimeZone { timestamp, time_zone } => self.at_time_zone(timestamp, time_zone),
            Expr::Tuple(_) => unsupported("a row value"),
            Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. } => self.special_call(expression),
            _ => self.predicate(expression),
        }
    }

    pub(super) fn in_athena(&self) -> bool {
        self.session.catalog.dialect == Dialect::Athena
    }

    /// A type that a statement names.
    fn declared(&self, data_type: &DataType) -> Result<SqlType, SqlError> {
        match self.in_athena() {
            true => SqlType::declared_in_athena(data_type),
            false => SqlType::declared(data_type),
        }
    }

    /// The expression as one of the GROUP BY's, when it is one.
    fn as_group(&mut self, expression: &Expr) -> Option<Typed> {
        let frame = self.frames.last_mut()?;
        if frame.in_aggregate || matches!(expression, Expr::Value(_)) {
            return None;
        }
        let groups = frame.grouped.take()?;
        let saw_aggregate = frame.saw_aggregate;
        let probe = self.expr(expression);
        let frame = self.frame();
        frame.saw_aggregate = saw_aggregate;
        let found = probe.ok().filter(|value| groups.contains(&value.sql));
        frame.grouped = Some(groups);
        found
    }

    fn identifier(&mut self, ident: &Ident) -> Result<Typed, SqlError> {
        let name = folded(ident);
        let column = self.column(&name);
        if column.is_err()
            && ident.quote_style.is_none()
            && let Some(value) = self.special_word(&name)
        {
            return Ok(value);
        }
        column
    }

    /// The words that are functions without parentheses.
    pub(super) fn special_word(&self, name: &str) -> Option<Typed> {
        let now = self.session.world.now();
        Some(match name {
            "current_user" | "session_user" | "user" => {
                Typed::new(literal(self.session.user), SqlType::Varchar(128)).named(name)
            }
            "current_user_id" => {
                let id = self.session.catalog.user(self.session.user).map_or(0, |user| user.id);
                Typed::new(id.to_string(), SqlType::Int4).named(name)
            }
            "current_date" => {
                Typed::new(literal(&calendar::date_text(now.date())), SqlType::Date).named("date")
            }
            "current_timestamp" | "sysdate" if self.in_athena() => {
                super::lake::now(now).named(name)
            }
            "sysdate" | "current_timestamp" | "localtimestamp" => {
                let text = calendar::moment_text(calendar::plain(now));
                Typed::new(literal(&text), SqlType::Timestamp).named("timestamp")
            }
            _ => return None,
        })
    }

    fn typed_string(&mut self, typed: &TypedString) -> Result<Typed, SqlError> {
        let to = self.declared(&typed.data_type)?;
        let value = constant(&typed.value.value)?;
        Ok(Typed::new(explicit(&value, to)?, to).named(to.name()))
    }

    fn cast(&mut self, expression: &Expr, data_type: &DataType) -> Result<Typed, SqlError> {
        let to = self.declared(data_type)?;
        let value = self.expr(expression)?;
        let name = if value.name == "?column?" { to.name().to_owned() } else { value.name.clone() };
        let nullable = value.nullable;
        let mut cast = Typed::new(explicit(&value, to)?, to).named(&name);
        cast.nullable = nullable;
        Ok(cast)
    }

    fn at_time_zone(&mut self, moment: &Expr, zone: &Expr) -> Result<Typed, SqlError> {
        let zone = self.expr(zone)?;
        if !zone.sql.eq_ignore_ascii_case("'UTC'") {
            return unsupported("a time zone other than UTC");
        }
        let moment = self.expr(moment)?;
        let to = match moment.sql_type {
            SqlType::TimestampTz => SqlType::Timestamp,
            _ => SqlType::TimestampTz,
        };
        Ok(Typed::new(explicit(&moment, to)?, to).named("timezone"))
    }

    fn interval(&mut self, interval: &Interval) -> Result<Typed, SqlError> {
        let Expr::Value(value) = interval.value.as_ref() else {
            return unsupported("an interval that is not a literal");
        };
        let (Value::SingleQuotedString(text) | Value::Number(text, _)) = &value.value else {
            return unsupported("an interval that is not a literal");
        };
        let unit = interval.leading_field.as_ref().map(ToString::to_string);
        let span = calendar::Span::parse(text, unit.as_deref()).ok_or_else(|| {
            SqlError::new(format!("invalid input syntax for type interval: \"{text}\""))
        })?;
        Ok(Typed::new(literal(&span.to_string()), SqlType::Interval).named("interval"))
    }

    fn scalar_subquery(&mut self, query: &sqlparser::ast::Query) -> Result<Typed, SqlError> {
        let compiled = self.query(query)?;
        let [column] = &compiled.columns[..] else {
            return Err(SqlError::new("subquery must return only one column"));
        };
        Ok(Typed::new(format!("({})", compiled.sql), column.sql_type).named(&column.name))
    }

    fn unary(&mut self, operator: UnaryOperator, expression: &Expr) -> Result<Typed, SqlError> {
        let value = self.expr(expression)?;
        let number = |what: &str| match value.sql_type {
            kind if kind.is_number() => Ok(()),
            other => Err(SqlError::new(format!(
                "operator does not exist: {what} {}",
                other.standard_name()
            ))),
        };
        Ok(match operator {
            UnaryOperator::Not => {
                let sql = implicit(&value, SqlType::Bool)?;
                Typed {
                    nullable: value.nullable,
                    ..Typed::new(format!("(NOT {sql})"), SqlType::Bool)
                }
            }
            UnaryOperator::Minus => {
                number("-")?;
                // A space, so that two minus signs cannot become a comment.
                Typed {
                    nullable: value.nullable,
                    ..Typed::new(format!("(- {})", value.sql), value.sql_type)
                }
            }
            UnaryOperator::Plus => {
                number("+")?;
                value
            }
            UnaryOperator::BitwiseNot => Typed::new(format!("(~ {})", value.sql), value.sql_type),
            UnaryOperator::PGAbs => Typed::new(format!("abs({})", value.sql), value.sql_type),
            UnaryOperator::PGSquareRoot => {
                Typed::new(format!("rs_math('sqrt', {})", value.sql), SqlType::Float8)
            }
            UnaryOperator::PGCubeRoot => {
                Typed::new(format!("rs_math('cbrt', {})", value.sql), SqlType::Float8)
            }
            other => return unsupported(format!("the operator {other}")),
        })
    }

    /// `a + b + c`: a loop over the operators, because a chain may be longer than the stack is deep.
    fn chain(&mut self, expression: &Expr) -> Result<Typed, SqlError> {
        let mut links = vec![];
        let mut first = expression;
        let mut group = None;
        while let (Expr::BinaryOp { left, op, right }, None) = (first, &group) {
            links.push((op, right));
            first = left;
            group = self.as_group(first);
        }
        let mut value = match group {
            Some(group) => group,
            None => self.expr(first)?,
        };
        for (operator, right) in links.into_iter().rev() {
            let right = self.expr(right)?;
            value = binary(&value, operator, &right)?;
        }
        Ok(value)
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<Typed, SqlError> {
        let operand = operand.map(|operand| self.expr(operand)).transpose()?;
        let mut conditions = vec![];
        let mut results = vec![];
        for branch in branches {
            let condition = self.expr(&branch.condition)?;
            conditions.push(match &operand {
                Some(operand) => compare(operand, "=", &condition)?.sql,
                None => implicit(&condition, SqlType::Bool)?,
            });
            results.push(self.expr(&branch.result)?);
        }
        let otherwise = otherwise.map(|otherwise| self.expr(otherwise)).transpose()?;
        let common = common_type(results.iter().chain(&otherwise));
        let mut sql = "CASE".to_owned();
        for (condition, result) in conditions.iter().zip(&results) {
            sql.push_str(&format!(" WHEN {condition} THEN {}", implicit(result, common)?));
        }
        if let Some(otherwise) = &otherwise {
            sql.push_str(&format!(" ELSE {}", implicit(otherwise, common)?));
        }
        sql.push_str(" END");
        Ok(Typed::new(sql, common).named("case"))
    }

    /// Conditions that are not operators.
    fn predicate(&mut self, expression: &Expr) -> Result<Typed, SqlError> {
        let sql = match expression {
            Expr::IsNull(value) | Expr::IsUnknown(value) => {
                format!("({} IS NULL)", self.expr(value)?.sql)
            }
            Expr::IsNotNull(value) | Expr::IsNotUnknown(value) => {
                format!("({} IS NOT NULL)", self.expr(value)?.sql)
            }
            Expr::IsTrue(value) => format!("({} IS 1)", self.expr(value)?.sql),
            Expr::IsNotTrue(value) => format!("({} IS NOT 1)", self.expr(value)?.sql),
            Expr::IsFalse(value) => format!("({} IS 0)", self.expr(value)?.sql),
            Expr::IsNotFalse(value) => format!("({} IS NOT 0)", self.expr(value)?.sql),
            Expr::Between { expr, negated, low, high } => {
                let value = self.expr(expr)?;
                let low = compare(&value, ">=", &self.expr(low)?)?;
                let high = compare(&value, "<=", &self.expr(high)?)?;
                format!("({}({} AND {}))", not(*negated), low.sql, high.sql)
            }
            Expr::InList { expr, list, negated } => {
                let value = self.expr(expr)?;
                let list =
                    list.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>, _>>()?;
                let common = common_type(std::iter::once(&value).chain(&list));
                let items: Result<Vec<String>, SqlError> =
                    list.iter().map(|item| implicit(item, common)).collect();
                format!(
                    "({} {}IN ({}))",
                    implicit(&value, common)?,
                    not(*negated),
                    items?.join(", ")
                )
            }
            Expr::InSubquery { expr, subquery, negated } => {
                let value = self.expr(expr)?;
                let compiled = self.query(subquery)?;
                let [column] = &compiled.columns[..] else {
                    return Err(SqlError::new("subquery has too many columns"));
                };
                format!(
                    "({} {}IN ({}))",
                    implicit(&value, column.sql_type)?,
                    not(*negated),
                    compiled.sql
                )
            }
            Expr::Exists { subquery, negated } => {
                format!("({}EXISTS ({}))", not(*negated), self.query(subquery)?.sql)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like("rs_like", *negated, expr, pattern, escape_char.as_deref())?
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like("rs_ilike", *negated, expr, pattern, escape_char.as_deref())?
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char: None } => {
                let value = self.expr(expr)?;
                let pattern = self.expr(pattern)?;
                format!("({}rs_similar({}, {}))", not(*negated), as_text(&value), pattern.sql)
            }
            other => return unsupported(format!("the expression {other}")),
        };
        Ok(Typed::new(sql, SqlType::Bool))
    }

    fn like(
        &mut self,
        function: &str,
        negated: bool,
        value: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
    ) -> Result<String, SqlError> {
        let value = self.expr(value)?;
        let pattern = self.expr(pattern)?;
        // Redshift's escape character is a backslash unless the statement names another.
        let escape = match escape {
            Some(escape) => self.expr(escape)?.sql,
            None if self.in_athena() => literal(""),
            None => literal("\\"),
        };
        let (value, pattern) = (as_text(&value), as_text(&pattern));
        Ok(format!("({}{function}({value}, {pattern}, {escape}))", not(negated)))
    }

    /// Functions that have a syntax of their own.
    fn special_call(&mut self, expression: &Expr) -> Result<Typed, SqlError> {
        match expression {
            Expr::Extract { field, expr, .. } => {
                let moment = self.expr(expr)?;
                date_part(&field_name(field), &moment)
            }
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                let value = self.expr(expr)?;
                self.call("ceil", &[value])
            }
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => {
                let value = self.expr(expr)?;
                self.call("floor", &[value])
            }
            Expr::Position { expr, r#in } => {
                let (needle, text) = (self.expr(expr)?, self.expr(r#in)?);
                self.call("strpos", &[text, needle])
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let mut arguments = vec![self.expr(expr)?];
                match substring_from {
                    Some(from) => arguments.push(self.expr(from)?),
                    None => arguments.push(Typed::new("1", SqlType::Int4)),
                }
                if let Some(length) = substring_for {
                    arguments.push(self.expr(length)?);
                }
                self.call("substring", &arguments)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let function = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    Some(TrimWhereField::Both) | None => "btrim",
                };
                let mut arguments = vec![self.expr(expr)?];
                let given = trim_characters.as_ref().and_then(|characters| characters.first());
                if let Some(characters) = trim_what.as_deref().or(given) {
                    arguments.push(self.expr(characters)?);
                }
                self.call(function, &arguments)
            }
            other => unsupported(format!("the expression {other}")),
        }
    }
}

/// Two values and an operator.
fn binary(left: &Typed, operator: &BinaryOperator, right: &Typed) -> Result<Typed, SqlError> {
    match operator {
        BinaryOperator::And | BinaryOperator::Or => {
            let word = if *operator == BinaryOperator::And { "AND" } else { "OR" };
            logical(left, word, right)
        }
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Lt
        | BinaryOperator::LtEq
        | BinaryOperator::Gt
        | BinaryOperator::GtEq => compare(left, &operator.to_string(), right),
        BinaryOperator::Plus | BinaryOperator::Minus
            if left.sql_type.is_moment() || right.sql_type.is_moment() =>
        {
            moment_arithmetic(left, *operator == BinaryOperator::Minus, right)
        }
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => arithmetic(left, operator, right),
        BinaryOperator::StringConcat => {
            let sql = format!("({} || {})", as_text(left), as_text(right));
            Ok(nullable_of(Typed::new(sql, SqlType::text()), left, right))
        }
        // `^` raises to a power in Redshift; the dialect reads it as MySQL's XOR.
        BinaryOperator::BitwiseXor | BinaryOperator::PGExp => {
            Ok(Typed::new(format!("rs_power({}, {})", left.sql, right.sql), SqlType::Float8))
        }
        BinaryOperator::BitwiseAnd
        | BinaryOperator::BitwiseOr
        | BinaryOperator::PGBitwiseShiftLeft
        | BinaryOperator::PGBitwiseShiftRight => {
            let sql = format!("({} {operator} {})", left.sql, right.sql);
            Ok(Typed::new(sql, left.sql_type.common(right.sql_type)))
        }
        BinaryOperator::PGRegexMatch => Ok(regex(left, right, false, false)),
        BinaryOperator::PGRegexIMatch => Ok(regex(left, right, true, false)),
        BinaryOperator::PGRegexNotMatch => Ok(regex(left, right, false, true)),
        BinaryOperator::PGRegexNotIMatch => Ok(regex(left, right, true, true)),
        other => unsupported(format!("the operator {other}")),
    }
}

/// A literal.
fn constant(value: &Value) -> Result<Typed, SqlError> {
    Ok(match value {
        Value::Number(text, _) => number(text)?,
        Value::SingleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::NationalStringLiteral(text) => {
            Typed::new(literal(text), SqlType::Unknown).not_null()
        }
        Value::DollarQuotedString(text) => {
            Typed::new(literal(&text.value), SqlType::Unknown).not_null()
        }
        Value::Boolean(truth) => {
            Typed::new(if *truth { "1" } else { "0" }, SqlType::Bool).named("bool").not_null()
        }
        Value::Null => Typed::new("NULL", SqlType::Unknown),
        Value::Placeholder(name) => {
            return Err(SqlError::new(format!("there is no parameter {name}")));
        }
        other => return unsupported(format!("the literal {other}")),
    })
}

/// A string literal as Presto has it: as long as it is.
fn of_its_length(value: Typed) -> Typed {
    let text = value.sql.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    match text {
        Some(text) if value.sql_type == SqlType::Unknown => {
            let length = text.replace("''", "'").chars().count();
            let sql_type = SqlType::Varchar(u32::try_from(length).unwrap_or(u32::MAX));
            Typed { sql_type, ..value }
        }
        _ => value,
    }
}

fn number(text: &str) -> Result<Typed, SqlError> {
    let malformed = || SqlError::new(format!("syntax error at or near \"{text}\""));
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
        return Err(malformed());
    }
    let parsed: f64 = text.parse().map_err(|_not_a_number| malformed())?;
    if !parsed.is_finite() {
        return Err(SqlError::new(format!("\"{text}\" is out of range for type double precision")));
    }
    let sql_type = match text.parse::<i64>() {
        Ok(small) if i32::try_from(small).is_ok() => SqlType::Int4,
        Ok(_) => SqlType::Int8,
        Err(_) if text.contains(['e', 'E']) => SqlType::Float8,
        Err(_) => {
            let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let size = |digits: usize| u32::try_from(digits).unwrap_or(38);
            numeric_of(size(digits), size(scale))
        }
    };
    let sql = if sql_type.is_integer() { text.to_owned() } else { format!("{parsed:?}") };
    Ok(Typed::new(sql, sql_type).not_null())
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn nullable_of(value: Typed, left: &Typed, right: &Typed) -> Typed {
    Typed { nullable: left.nullable || right.nullable, ..value }
}

/// The type that all of these are brought to.
pub(super) fn common_type<'t>(values: impl Iterator<Item = &'t Typed>) -> SqlType {
    values.map(|value| value.sql_type).reduce(SqlType::common).unwrap_or(SqlType::Unknown)
}

fn logical(left: &Typed, word: &str, right: &Typed) -> Result<Typed, SqlError> {
    for side in [left, right] {
        if !matches!(side.sql_type, SqlType::Bool | SqlType::Unknown) {
            return Err(SqlError::new(format!(
                "argument of {word} must be type boolean, not type {}",
                side.sql_type.standard_name()
            )));
        }
    }
    let (l, r) = (implicit(left, SqlType::Bool)?, implicit(right, SqlType::Bool)?);
    Ok(nullable_of(Typed::new(format!("({l} {word} {r})"), SqlType::Bool), left, right))
}

/// A comparison, both sides brought to one type.
pub(super) fn compare(left: &Typed, operator: &str, right: &Typed) -> Result<Typed, SqlError> {
    let common = left.sql_type.common(right.sql_type);
    let comparable = |side: &Typed| {
        side.sql_type == common
            || side.sql_type.is_text()
            || side.sql_type.is_number() && common.is_number()
            || side.sql_type.is_moment() && common.is_moment()
    };
    if !comparable(left) || !comparable(right) {
        return Err(no_operator(left, operator, right));
    }
    let (l, r) = (implicit(left, common)?, implicit(right, common)?);
    let (l, r) = match common {
        // Numerics are floats here: the same digits have to be the same number.
        SqlType::Numeric { scale, .. } => (rounded(&l, scale), rounded(&r, scale)),
        _ => (l, r),
    };
    Ok(nullable_of(Typed::new(format!("({l} {operator} {r})"), SqlType::Bool), left, right))
}

fn rounded(sql: &str, scale: u32) -> String {
    format!("rs_round({sql}, {scale})")
}

fn no_operator(left: &Typed, operator: &str, right: &Typed) -> SqlError {
    SqlError::new(format!(
        "operator does not exist: {} {operator} {}",
        left.sql_type.standard_name(),
        right.sql_type.standard_name()
    ))
}

/// Arithmetic on numbers, with Redshift's scales.
fn arithmetic(left: &Typed, operator: &BinaryOperator, right: &Typed) -> Result<Typed, SqlError> {
    let known = |side: SqlType, other: SqlType| match side {
        SqlType::Unknown if other.is_number() => other,
        SqlType::Unknown => SqlType::Int4,
        known => known,
    };
    let (lt, rt) = (known(left.sql_type, right.sql_type), known(right.sql_type, left.sql_type));
    if !lt.is_number() || !rt.is_number() {
        return Err(no_operator(left, &operator.to_string(), right));
    }
    let (l, r) = (implicit(left, lt)?, implicit(right, rt)?);
    let sql_type = result_type(lt, operator, rt);
    let plain = match operator {
        BinaryOperator::Divide if sql_type.is_integer() => format!("rs_int_divide({l}, {r})"),
        BinaryOperator::Divide => format!("rs_divide({l}, {r})"),
        BinaryOperator::Modulo => format!("rs_modulo({l}, {r})"),
        _ => format!("({l} {operator} {r})"),
    };
    let sql = match sql_type {
        SqlType::Numeric { scale, .. } => rounded(&plain, scale),
        _ => plain,
    };
    Ok(nullable_of(Typed::new(sql, sql_type), left, right))
}

fn result_type(left: SqlType, operator: &BinaryOperator, right: SqlType) -> SqlType {
    let common = left.common(right);
    if !matches!(common, SqlType::Numeric { .. }) {
        return common;
    }
    let ((p1, s1), (p2, s2)) = (left.as_numeric(), right.as_numeric());
    match operator {
        BinaryOperator::Multiply => numeric_of(p1 + p2 + 1, s1 + s2),
        BinaryOperator::Divide => {
            let scale = (s1 + p2 + 1).saturating_sub(s2).max(4);
            let whole = (p1 + s2).saturating_sub(s1);
            // Digits before the point are kept at the price of those after it.
            let scale = scale.min(38_u32.saturating_sub(whole).max(4));
            numeric_of(whole + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            numeric_of((p1 - s1.min(p1)).max(p2 - s2.min(p2)) + scale + 1, scale)
        }
    }
}

/// Dates and timestamps with days, intervals and each other.
fn moment_arithmetic(left: &Typed, minus: bool, right: &Typed) -> Result<Typed, SqlError> {
    let sign = if minus { "-1" } else { "1" };
    let (moment, other) = if left.sql_type.is_moment() { (left, right) } else { (right, left) };
    let typed = match other.sql_type {
        SqlType::Interval => {
            let sql_type =
                if moment.sql_type == SqlType::Date { SqlType::Timestamp } else { moment.sql_type };
            let start = explicit(moment, sql_type)?;
            Typed::new(format!("rs_add_span({start}, {}, {sign})", other.sql), sql_type)
        }
        kind if kind.is_integer() && moment.sql_type == SqlType::Date => Typed::new(
            format!("rs_add_days({}, {sign} * {})", moment.sql, other.sql),
            SqlType::Date,
        ),
        SqlType::Date if minus && left.sql_type == SqlType::Date => {
            Typed::new(format!("rs_date_diff('day', {}, {})", right.sql, left.sql), SqlType::Int4)
        }
        kind if kind.is_moment() => return unsupported("the interval between two timestamps"),
        _ => return Err(no_operator(left, if minus { "-" } else { "+" }, right)),
    };
    Ok(nullable_of(typed, left, right))
}

fn regex(left: &Typed, right: &Typed, ignore_case: bool, negated: bool) -> Typed {
    let sql = format!(
        "({}rs_regex({}, {}, {}))",
        not(negated),
        as_text(left),
        as_text(right),
        i32::from(ignore_case)
    );
    nullable_of(Typed::new(sql, SqlType::Bool), left, right)
}

/// A part of a date, as EXTRACT and DATE_PART give it.
pub(super) fn date_part(field: &str, moment: &Typed) -> Result<Typed, SqlError> {
    let part = calendar::Part::named(field)
        .ok_or_else(|| SqlError::new(format!("timestamp units \"{field}\" not recognized")))?;
    let moment = match moment.sql_type {
        SqlType::Unknown => explicit(moment, SqlType::Timestamp)?,
        kind if kind.is_moment() || kind.is_text() => moment.sql.clone(),
        other => {
            return Err(SqlError::new(format!(
                "function date_part(\"unknown\", {}) does not exist",
                other.standard_name()
            )));
        }
    };
    let sql_type = if part == calendar::Part::Epoch { SqlType::Int8 } else { SqlType::Int4 };
    Ok(Typed::new(format!("rs_date_part('{}', {moment})", part.name()), sql_type)
        .named("date_part"))
}

/// The name of an EXTRACT field, also when it was quoted.
fn field_name(field: &DateTimeField) -> String {
    field.to_string().trim_matches('\'').to_lowercase()
}
