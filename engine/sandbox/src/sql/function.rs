//! Calls of functions: which there are, what they take, and the type they give.
//!
//! A name that is not here does not exist, so that no function of SQLite can be called by a
//! statement unless Redshift has it too. Aggregates and window functions are `aggregate`'s; the
//! scalar ones run in `scalar`.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::cast::{as_text, explicit, implicit};
use super::compile::{Compiler, Typed, literal, unsupported};
use super::expr::{common_type, compare, date_part};
use super::parse::Dialect;
use super::types::{SqlType, numeric_of};
use super::{SqlError, calendar, lake};

/// What a redshift says it is.
const VERSION: &str = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.115444";

/// How a scalar function's result type follows from its arguments.
#[derive(Clone, Copy)]
enum Gives {
    Text,
    Int,
    Long,
    Float,
    Bool,
    /// What the first argument is.
    First,
}

/// A function whose arguments go to SQLite as they are: its name there, the fewest and most
/// arguments, how many leading ones are brought to text, and what it gives.
fn direct(name: &str) -> Option<(&'static str, usize, usize, usize, Gives)> {
    Some(match name {
        "upper" => ("rs_upper", 1, 1, 1, Gives::Text),
        "lower" => ("rs_lower", 1, 1, 1, Gives::Text),
        "len" | "length" | "char_length" | "character_length" | "textlen" => {
            ("length", 1, 1, 1, Gives::Int)
        }
        "octet_length" => ("octet_length", 1, 1, 1, Gives::Int),
        "btrim" | "trim" => ("rs_btrim", 1, 2, 2, Gives::Text),
        "ltrim" => ("rs_ltrim", 1, 2, 2, Gives::Text),
        "rtrim" => ("rs_rtrim", 1, 2, 2, Gives::Text),
        "lpad" => ("rs_lpad", 2, 3, 1, Gives::Text),
        "rpad" => ("rs_rpad", 2, 3, 1, Gives::Text),
        "left" => ("rs_left", 2, 2, 1, Gives::Text),
        "right" => ("rs_right", 2, 2, 1, Gives::Text),
        "substring" | "substr" => ("rs_substring", 2, 3, 1, Gives::Text),
        "replace" => ("replace", 3, 3, 3, Gives::Text),
        "translate" => ("rs_translate", 3, 3, 3, Gives::Text),
        "reverse" => ("rs_reverse", 1, 1, 1, Gives::Text),
        "repeat" | "replicate" => ("rs_repeat", 2, 2, 1, Gives::Text),
        "initcap" => ("rs_initcap", 1, 1, 1, Gives::Text),
        "ascii" => ("rs_ascii", 1, 1, 1, Gives::Int),
        "chr" => ("char", 1, 1, 0, Gives::Text),
        "strpos" => ("instr", 2, 2, 2, Gives::Int),
        "split_part" => ("rs_split_part", 3, 3, 2, Gives::Text),
        "quote_ident" => ("rs_quote_ident", 1, 1, 1, Gives::Text),
        "quote_literal" => ("rs_quote_literal", 1, 1, 1, Gives::Text),
        "md5" => ("rs_md5", 1, 1, 1, Gives::Text),
        "sha2" => ("rs_sha2", 2, 2, 1, Gives::Text),
        "to_hex" => ("rs_to_hex", 1, 1, 0, Gives::Text),
        "strtol" => ("rs_strtol", 2, 2, 1, Gives::Long),
        "regexp_substr" => ("rs_regexp_substr", 2, 5, 2, Gives::Text),
        "regexp_replace" => ("rs_regexp_replace", 2, 5, 3, Gives::Text),
        "regexp_count" => ("rs_regexp_count", 2, 4, 2, Gives::Int),
        "regexp_instr" => ("rs_regexp_instr", 2, 6, 2, Gives::Int),
        "json_extract_path_text" => ("rs_json_path", 2, 7, 6, Gives::Text),
        "json_extract_array_element_text" => ("rs_json_element", 2, 3, 1, Gives::Text),
        "json_array_length" => ("rs_json_length", 1, 2, 1, Gives::Int),
        "is_valid_json" => ("rs_is_json", 1, 1, 1, Gives::Bool),
        "is_valid_json_array" => ("rs_is_json_array", 1, 1, 1, Gives::Bool),
        "sign" => ("sign", 1, 1, 0, Gives::First),
        "abs" => ("abs", 1, 1, 0, Gives::First),
        "power" | "pow" => ("rs_power", 2, 2, 0, Gives::Float),
        "atan2" => ("rs_atan2", 2, 2, 0, Gives::Float),
        _ => return None,
    })
}

/// Functions of one number that give a float.
const MATH: [&str; 17] = [
    "sqrt", "cbrt", "exp", "ln", "dlog1", "log", "dlog10", "sin", "cos", "tan", "cot", "asin",
    "acos", "atan", "degrees", "radians", "dexp",
];

impl Compiler<'_> {
    /// A call as the statement has it.
    pub(super) fn function(&mut self, function: &Function) -> Result<Typed, SqlError> {
        let parts = super::relation::parts(&function.name)?;
        let name = match &parts[..] {
            [name] => name.clone(),
            [schema, name] if schema == "pg_catalog" => name.clone(),
            _ => return unsupported(format!("the function {}", function.name)),
        };
        if matches!(name.as_str(), "rollup" | "cube") {
            return unsupported("GROUP BY ROLLUP and CUBE");
        }
        if !matches!(function.parameters, FunctionArguments::None) || function.filter.is_some() {
            return unsupported("FILTER and parametric functions");
        }
        if matches!(function.args, FunctionArguments::None)
            && let Some(value) = self.special_word(&name)
        {
            return Ok(value);
        }
        if let Some(value) = self.aggregate(&name, function)? {
            return Ok(value);
        }
        if function.over.is_some() || !function.within_group.is_empty() {
            return Err(SqlError::new(format!("{name} is not an aggregate or window function")));
        }
        let arguments = plain_arguments(function)?;
        if let Some(value) = self.with_part(&name, &arguments)? {
            return Ok(value);
        }
        let values: Vec<Typed> =
            arguments.iter().map(|argument| self.expr(argument)).collect::<Result<_, _>>()?;
        self.call(&name, &values)
    }

    /// Functions that take the name of a date part, quoted or bare, as an argument.
    fn with_part(&mut self, name: &str, arguments: &[&Expr]) -> Result<Option<Typed>, SqlError> {
        let (part, rest) = match (name, arguments) {
            ("dateadd" | "date_add" | "datediff" | "date_diff", [part, rest @ ..])
                if rest.len() == 2 =>
            {
                (part, rest)
            }
            ("date_part" | "pgdate_part" | "date_trunc", [part, rest @ ..]) if rest.len() == 1 => {
                (part, rest)
            }
            ("date_part_year", [_]) => {
                let value = self.expr(arguments[0])?;
                return date_part("year", &value).map(Some);
            }
            _ => return Ok(None),
        };
        let word = part_word(part)?;
        let values: Vec<Typed> =
            rest.iter().map(|argument| self.expr(argument)).collect::<Result<_, _>>()?;
        let known = calendar::Part::named(&word)
            .ok_or_else(|| SqlError::new(format!("timestamp units \"{word}\" not recognized")))?;
        let unit = known.name();
        Ok(Some(match (name, &values[..]) {
            ("dateadd" | "date_add", [count, moment]) => {
                let sql_type = match moment.sql_type {
                    SqlType::TimestampTz => SqlType::TimestampTz,
                    _ => SqlType::Timestamp,
                };
                let start = explicit(moment, sql_type)?;
                let count = implicit(count, SqlType::Int8)?;
                let sql = format!("rs_date_add('{unit}', {count}, {start})");
                self.in_days(unit, moment, Typed::new(sql, sql_type))?.named("date_add")
            }
            ("datediff" | "date_diff", [from, to]) => {
                let sql = format!("rs_date_diff('{unit}', {}, {})", as_text(from), as_text(to));
                Typed::new(sql, SqlType::Int8).named("date_diff")
            }
            ("date_trunc", [moment]) => {
                let sql_type = match moment.sql_type {
                    SqlType::TimestampTz => SqlType::TimestampTz,
                    _ => SqlType::Timestamp,
                };
                let start = explicit(moment, sql_type)?;
                let value = Typed::new(format!("rs_date_trunc('{unit}', {start})"), sql_type);
                self.in_days(unit, moment, value)?.named("date_trunc")
            }
            (_, [moment]) => date_part(&word, moment)?,
            _ => return Ok(None),
        }))
    }

    /// Athena keeps dates where Redshift gives timestamps.
    fn in_days(&self, unit: &str, of: &Typed, value: Typed) -> Result<Typed, SqlError> {
        let athena = self.session.catalog.dialect == Dialect::Athena;
        match athena && lake::added(unit, of.sql_type) == SqlType::Date {
            true => Ok(Typed::new(explicit(&value, SqlType::Date)?, SqlType::Date)),
            false => Ok(value),
        }
    }

    /// A scalar function with its arguments.
    pub(super) fn call(&mut self, name: &str, arguments: &[Typed]) -> Result<Typed, SqlError> {
        let athena = self.session.catalog.dialect == Dialect::Athena;
        if athena && let Some(value) = lake::call(name, arguments)? {
            return Ok(value.named(name));
        }
        let mut value = self.known_call(name, arguments)?;
        if athena && lake::counts(name) {
            value.sql_type = SqlType::Int8;
        }
        Ok(value)
    }

    fn known_call(&mut self, name: &str, arguments: &[Typed]) -> Result<Typed, SqlError> {
        if let Some((function, fewest, most, texts, gives)) = direct(name) {
            if !(fewest..=most).contains(&arguments.len()) {
                return Err(no_function(name, arguments));
            }
            let list: Vec<String> = arguments
                .iter()
                .enumerate()
                .map(
                    |(index, value)| if index < texts { as_text(value) } else { value.sql.clone() },
                )
                .collect();
            let sql_type = match gives {
                Gives::Text => SqlType::text(),
                Gives::Int => SqlType::Int4,
                Gives::Long => SqlType::Int8,
                Gives::Float => SqlType::Float8,
                Gives::Bool => SqlType::Bool,
                Gives::First => arguments[0].sql_type,
            };
            return Ok(Typed::new(format!("{function}({})", list.join(", ")), sql_type).named(name));
        }
        if MATH.contains(&name) {
            let [value] = arguments else { return Err(no_function(name, arguments)) };
            let number = implicit(value, SqlType::Float8)?;
            return Ok(
                Typed::new(format!("rs_math('{name}', {number})"), SqlType::Float8).named(name)
            );
        }
        let value = match self.about_session(name, arguments)? {
            Some(value) => Some(value),
            None => match conditional(name, arguments)? {
                Some(value) => Some(value),
                None => match number_call(name, arguments)? {
                    Some(value) => Some(value),
                    None => date_call(name, arguments)?,
                },
            },
        };
        value.map(|value| value.named(name)).ok_or_else(|| no_function(name, arguments))
    }

    /// What a session can ask about itself.
    fn about_session(&self, name: &str, arguments: &[Typed]) -> Result<Option<Typed>, SqlError> {
        let text = |text: &str| Typed::new(literal(text), SqlType::Varchar(128));
        let session = &self.session;
        Ok(Some(match (name, arguments) {
            ("current_database", []) => text(session.database),
            ("current_schema", []) => {
                text(session.search_path().first().copied().unwrap_or("public"))
            }
            ("current_namespace", []) => text(&session.catalog.namespace),
            ("version", []) => Typed::new(literal(VERSION), SqlType::text()),
            (
                "getdate" | "now" | "timeofday" | "current_timestamp" | "sysdate" | "current_date"
                | "current_user" | "session_user" | "user",
                [],
            ) => {
                let word = match name {
                    "getdate" | "now" | "timeofday" => "sysdate",
                    word => word,
                };
                return Ok(self.special_word(word));
            }
            ("pg_backend_pid", []) => Typed::new("1073750000", SqlType::Int4),
            ("pi", []) => Typed::new(format!("{:?}", std::f64::consts::PI), SqlType::Float8),
            ("has_schema_privilege" | "has_table_privilege" | "has_database_privilege", _) => {
                return super::control::has_privilege(session, name, arguments).map(Some);
            }
            ("random" | "rand", []) => {
                return Err(SqlError::new(
                    "random() is not implemented in the sandbox: a run has to be repeatable",
                ));
            }
            _ => return Ok(None),
        }))
    }
}

/// The arguments of a scalar call.
fn plain_arguments(function: &Function) -> Result<Vec<&Expr>, SqlError> {
    let list = match &function.args {
        FunctionArguments::None => return Ok(vec![]),
        FunctionArguments::Subquery(_) => {
            return unsupported("a subquery as a function's arguments");
        }
        FunctionArguments::List(list) => list,
    };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return Err(SqlError::new(format!(
            "DISTINCT specified, but {} is not an aggregate function",
            function.name
        )));
    }
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Ok(argument),
            other => unsupported(format!("the argument {other}")),
        })
        .collect()
}

fn part_word(part: &Expr) -> Result<String, SqlError> {
    match part {
        Expr::Identifier(ident) => Ok(ident.value.to_lowercase()),
        Expr::Value(value) => value
            .value
            .clone()
            .into_string()
            .map(|word| word.to_lowercase())
            .ok_or_else(|| SqlError::new("a date part must be a name")),
        _ => Err(SqlError::new("a date part must be a name")),
    }
}

fn no_function(name: &str, arguments: &[Typed]) -> SqlError {
    let types: Vec<&str> = arguments
        .iter()
        .map(|argument| match argument.sql_type {
            SqlType::Unknown => "\"unknown\"",
            known => known.standard_name(),
        })
        .collect();
    SqlError::new(format!("function {name}({}) does not exist", types.join(", ")))
}

/// COALESCE and its relatives: arguments brought to one type.
fn conditional(name: &str, arguments: &[Typed]) -> Result<Option<Typed>, SqlError> {
    let together = |function: &str, values: &[Typed]| -> Result<Typed, SqlError> {
        let common = common_type(values.iter());
        let list: Result<Vec<String>, SqlError> =
            values.iter().map(|value| implicit(value, common)).collect();
        Ok(Typed::new(format!("{function}({})", list?.join(", ")), common))
    };
    Ok(Some(match (name, arguments) {
        ("coalesce" | "nvl" | "ifnull", [only]) => only.clone(),
        ("coalesce" | "nvl", [_, _, ..]) | ("ifnull", [_, _]) => {
            let mut value = together("coalesce", arguments)?;
            value.nullable = arguments.iter().all(|argument| argument.nullable);
            value
        }
        ("nullif", [left, right]) => {
            let equal = compare(left, "=", right)?;
            Typed::new(
                format!("CASE WHEN {} THEN NULL ELSE {} END", equal.sql, left.sql),
                left.sql_type,
            )
        }
        ("nvl2", [tested, present, absent]) => {
            let common = present.sql_type.common(absent.sql_type);
            let (present, absent) = (implicit(present, common)?, implicit(absent, common)?);
            Typed::new(
                format!("CASE WHEN {} IS NOT NULL THEN {present} ELSE {absent} END", tested.sql),
                common,
            )
        }
        ("decode", [value, rest @ ..]) if rest.len() >= 2 => decode(value, rest)?,
        ("greatest", [_, ..]) => together("rs_greatest", arguments)?,
        ("least", [_, ..]) => together("rs_least", arguments)?,
        ("concat", [left, right]) => {
            Typed::new(format!("({} || {})", as_text(left), as_text(right)), SqlType::text())
        }
        ("charindex" | "position", [needle, text]) => {
            Typed::new(format!("instr({}, {})", as_text(text), as_text(needle)), SqlType::Int4)
        }
        ("json_parse", [text]) => {
            Typed::new(format!("rs_json_parse({})", as_text(text)), SqlType::Super)
        }
        ("json_serialize", [value]) => Typed::new(value.sql.clone(), SqlType::text()),
        ("text" | "varchar", [value]) => Typed::new(as_text(value), SqlType::text()),
        _ => return Ok(None),
    }))
}

/// DECODE compares NULL with NULL as equal, which is why it is not a CASE.
fn decode(value: &Typed, rest: &[Typed]) -> Result<Typed, SqlError> {
    let (pairs, otherwise) = rest.as_chunks::<2>();
    let results = pairs.iter().map(|[_, result]| result).chain(otherwise);
    let common = common_type(results);
    let mut sql = "CASE".to_owned();
    for [search, result] in pairs {
        let common_search = value.sql_type.common(search.sql_type);
        sql.push_str(&format!(
            " WHEN {} IS {} THEN {}",
            implicit(value, common_search)?,
            implicit(search, common_search)?,
            implicit(result, common)?
        ));
    }
    if let [otherwise] = otherwise {
        sql.push_str(&format!(" ELSE {}", implicit(otherwise, common)?));
    }
    Ok(Typed::new(format!("{sql} END"), common))
}

fn number_call(name: &str, arguments: &[Typed]) -> Result<Option<Typed>, SqlError> {
    Ok(Some(match (name, arguments) {
        ("ceil" | "ceiling" | "floor", [value]) => {
            let function = if name == "floor" { "rs_floor" } else { "rs_ceil" };
            let sql_type = match value.sql_type {
                SqlType::Numeric { precision, .. } => numeric_of(precision, 0),
                kind if kind.is_integer() => kind,
                _ => SqlType::Float8,
            };
            Typed::new(format!("{function}({})", implicit(value, SqlType::Float8)?), sql_type)
        }
        ("round" | "trunc", [value]) if value.sql_type.is_number() => digits(name, value, "0"),
        ("round" | "trunc", [value, places]) => digits(name, value, &places.sql),
        ("mod", [left, right]) => Typed::new(
            format!("rs_modulo({}, {})", left.sql, right.sql),
            left.sql_type.common(right.sql_type),
        ),
        ("to_number", [text, format]) => {
            let scale = format
                .sql
                .split_once(['.', 'D'])
                .map_or(0, |(_, rest)| rest.chars().filter(|c| matches!(c, '9' | '0')).count());
            let scale = u32::try_from(scale).unwrap_or(0);
            Typed::new(format!("rs_to_number({})", as_text(text)), numeric_of(38, scale))
        }
        _ => return Ok(None),
    }))
}

fn digits(name: &str, value: &Typed, places: &str) -> Typed {
    let function = if name == "round" { "rs_round" } else { "rs_truncate" };
    let sql_type = match (value.sql_type, places.parse::<u32>()) {
        (SqlType::Numeric { precision, .. }, Ok(scale)) => numeric_of(precision, scale),
        (SqlType::Unknown, _) => SqlType::Float8,
        (known, _) => known,
    };
    Typed::new(format!("{function}({}, {places})", value.sql), sql_type)
}

fn date_call(name: &str, arguments: &[Typed]) -> Result<Option<Typed>, SqlError> {
    let date = |value: &Typed| explicit(value, SqlType::Date);
    let moment = |value: &Typed| explicit(value, SqlType::Timestamp);
    Ok(Some(match (name, arguments) {
        ("trunc" | "date", [value]) => Typed::new(date(value)?, SqlType::Date),
        ("last_day", [value]) => {
            Typed::new(format!("rs_last_day({})", date(value)?), SqlType::Date)
        }
        ("add_months", [value, months]) => {
            let sql = format!("rs_add_months({}, {})", moment(value)?, months.sql);
            Typed::new(sql, SqlType::Timestamp)
        }
        ("months_between", [later, earlier]) => Typed::new(
            format!("rs_months_between({}, {})", moment(later)?, moment(earlier)?),
            SqlType::Float8,
        ),
        ("next_day", [value, day]) => {
            Typed::new(format!("rs_next_day({}, {})", date(value)?, day.sql), SqlType::Date)
        }
        ("to_date", [text, format]) => {
            Typed::new(format!("rs_parse_date({}, {})", as_text(text), format.sql), SqlType::Date)
        }
        ("to_timestamp", [text, format]) => {
            let sql = format!("rs_parse_moment({}, {}) || '+00'", as_text(text), format.sql);
            Typed::new(format!("({sql})"), SqlType::TimestampTz)
        }
        ("to_char", [value, format]) if value.sql_type.is_number() => {
            let number = implicit(value, SqlType::Float8)?;
            Typed::new(format!("rs_number_text({number}, {})", format.sql), SqlType::text())
        }
        ("to_char", [value, format]) => Typed::new(
            format!("rs_moment_format({}, {})", moment(value)?, format.sql),
            SqlType::text(),
        ),
        ("convert_timezone", [zone, value]) => Typed::new(
            format!("rs_convert_zone('UTC', {}, {})", zone.sql, moment(value)?),
            SqlType::Timestamp,
        ),
        ("convert_timezone", [from, to, value]) => Typed::new(
            format!("rs_convert_zone({}, {}, {})", from.sql, to.sql, moment(value)?),
            SqlType::Timestamp,
        ),
        _ => return Ok(None),
    }))
}
