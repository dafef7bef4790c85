//! Presto's scalar functions that Redshift does not have, or has with another result.

use crate::sql::SqlError;
use crate::sql::calendar;
use crate::sql::cast::{as_text, explicit, implicit};
use crate::sql::compile::{Typed, literal};
use crate::sql::expr::{common_type, date_part};
use crate::sql::types::SqlType;

/// Functions that give a part of a date, and the part.
const PARTS: [(&str, &str); 13] = [
    ("year", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("week", "week"),
    ("week_of_year", "week"),
    ("day", "day"),
    ("day_of_month", "day"),
    ("day_of_week", "dow"),
    ("dow", "dow"),
    ("day_of_year", "doy"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("second", "second"),
];

/// Functions that count: their results are bigint, where Redshift's are integer.
const COUNTS: [&str; 6] = ["length", "strpos", "codepoint", "char_length", "position", "ascii"];

/// Whether a function's result is a bigint in Presto.
pub(in crate::sql) fn counts(name: &str) -> bool {
    COUNTS.contains(&name)
}

/// The call of a function that only Presto has; nothing for every other.
pub(in crate::sql) fn call(name: &str, arguments: &[Typed]) -> Result<Option<Typed>, SqlError> {
    if let ([value], Some((_, part))) =
        (arguments, PARTS.iter().find(|(function, _)| *function == name))
    {
        let mut found = date_part(part, value)?;
        if *part == "dow" {
            // Sunday is 0 in the one and 7 in the other.
            found.sql = format!("((({} + 6) % 7) + 1)", found.sql);
        }
        found.sql_type = SqlType::Int8;
        return Ok(Some(found));
    }
    match of_date(name, arguments)? {
        Some(value) => Ok(Some(value)),
        None => of_value(name, arguments),
    }
}

/// Functions of texts, numbers and JSON.
fn of_value(name: &str, arguments: &[Typed]) -> Result<Option<Typed>, SqlError> {
    Ok(Some(match (name, arguments) {
        ("concat", [_, _, ..]) => {
            let texts: Vec<String> = arguments.iter().map(as_text).collect();
            Typed::new(format!("({})", texts.join(" || ")), SqlType::text())
        }
        ("regexp_like", [text, pattern]) => {
            let sql = format!("rs_regex({}, {}, 0)", as_text(text), as_text(pattern));
            Typed::new(sql, SqlType::Bool)
        }
        ("regexp_extract", [text, pattern]) => {
            let (text, pattern) = (as_text(text), as_text(pattern));
            let sql = format!("nullif(rs_regexp_substr({text}, {pattern}), '')");
            Typed::new(sql, SqlType::text())
        }
        ("log2", [value]) => {
            let value = implicit(value, SqlType::Float8)?;
            let sql = format!("(rs_math('ln', {value}) / {:?})", std::f64::consts::LN_2);
            Typed::new(sql, SqlType::Float8)
        }
        ("log10", [value]) => {
            let value = implicit(value, SqlType::Float8)?;
            Typed::new(format!("rs_math('log', {value})"), SqlType::Float8)
        }
        ("json_extract_scalar", [text, path]) => {
            Typed::new(format!("CAST({} AS TEXT)", json(text, path)), SqlType::text())
        }
        ("json_extract", [text, path]) => Typed::new(json(text, path), SqlType::Super),
        ("typeof", [value]) => Typed::new(literal(&presto_name(value.sql_type)), SqlType::text()),
        ("truncate", [value]) => {
            Typed::new(format!("rs_truncate({}, 0)", value.sql), value.sql_type)
        }
        ("greatest" | "least", [_, ..]) => {
            // In Presto a NULL makes the whole NULL.
            let common = common_type(arguments.iter());
            let list: Result<Vec<String>, SqlError> =
                arguments.iter().map(|value| implicit(value, common)).collect();
            let list = list?;
            let nulls: Vec<String> = list.iter().map(|value| format!("{value} IS NULL")).collect();
            let nulls = nulls.join(" OR ");
            let call = format!("rs_{name}({})", list.join(", "));
            Typed::new(format!("CASE WHEN {nulls} THEN NULL ELSE {call} END"), common)
        }
        _ => return Ok(None),
    }))
}

/// Functions of dates and moments.
fn of_date(name: &str, arguments: &[Typed]) -> Result<Option<Typed>, SqlError> {
    Ok(Some(match (name, arguments) {
        ("from_iso8601_date", [text]) => Typed::new(explicit(text, SqlType::Date)?, SqlType::Date),
        ("from_iso8601_timestamp", [text]) => {
            let plain = format!("replace({}, 'T', ' ')", as_text(text));
            let moment = Typed::new(plain, SqlType::text());
            Typed::new(explicit(&moment, SqlType::TimestampTz)?, SqlType::TimestampTz)
        }
        ("to_iso8601", [moment]) => {
            let text = as_text(moment);
            Typed::new(format!("replace({text}, ' ', 'T')"), SqlType::text())
        }
        ("from_unixtime", [seconds]) => {
            let seconds = implicit(seconds, SqlType::Float8)?;
            Typed::new(format!("datetime({seconds}, 'unixepoch')"), SqlType::Timestamp)
        }
        ("to_unixtime", [moment]) => {
            let moment = explicit(moment, SqlType::Timestamp)?;
            Typed::new(format!("CAST(strftime('%s', {moment}) AS REAL)"), SqlType::Float8)
        }
        ("date_format", [moment, pattern]) => {
            let moment = explicit(moment, SqlType::Timestamp)?;
            let pattern = converted(pattern)?;
            Typed::new(format!("rs_moment_format({moment}, {pattern})"), SqlType::text())
        }
        ("date_parse", [text, pattern]) => {
            let pattern = converted(pattern)?;
            let sql = format!("rs_parse_moment({}, {pattern})", as_text(text));
            Typed::new(sql, SqlType::Timestamp)
        }
        _ => return Ok(None),
    }))
}

/// A value inside a JSON text; one that is no JSON has none.
fn json(text: &Typed, path: &Typed) -> String {
    let text = as_text(text);
    format!("CASE WHEN json_valid({text}) THEN json_extract({text}, {}) END", path.sql)
}

/// What `date_add` gives: a date stays one when whole days are added.
pub(in crate::sql) fn added(unit: &str, moment: SqlType) -> SqlType {
    match moment {
        SqlType::Date if ["day", "week", "month", "quarter", "year"].contains(&unit) => {
            SqlType::Date
        }
        other => other,
    }
}

/// A pattern of MySQL's as one of PostgreSQL's; it has to be a literal.
fn converted(pattern: &Typed) -> Result<String, SqlError> {
    let text = pattern.sql.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let text = text.ok_or_else(|| SqlError::new("a date format must be a literal"))?;
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        out.push_str(match letters.next() {
            Some('Y') => "YYYY",
            Some('y') => "YY",
            Some('m') => "MM",
            Some('c') => "FMMM",
            Some('d') => "DD",
            Some('e') => "FMDD",
            Some('H') => "HH24",
            Some('h' | 'I') => "HH12",
            Some('i') => "MI",
            Some('s' | 'S') => "SS",
            Some('f') => "US",
            Some('p') => "AM",
            Some('j') => "DDD",
            Some('M') => "FMMonth",
            Some('b') => "Mon",
            Some('W') => "FMDay",
            Some('a') => "Dy",
            Some('T') => "HH24:MI:SS",
            Some('%') => "%",
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(SqlError::new(format!(
                    "the date format %{other} is not implemented in the sandbox"
                )));
            }
        });
    }
    Ok(literal(&out))
}

/// A type by Presto's name.
fn presto_name(sql_type: SqlType) -> String {
    match sql_type {
        SqlType::Int2 => "smallint".to_owned(),
        SqlType::Int4 => "integer".to_owned(),
        SqlType::Int8 => "bigint".to_owned(),
        SqlType::Float4 => "real".to_owned(),
        SqlType::Float8 => "double".to_owned(),
        SqlType::Numeric { precision, scale } => format!("decimal({precision},{scale})"),
        SqlType::Bool => "boolean".to_owned(),
        SqlType::Char(length) => format!("char({length})"),
        other if other == SqlType::text() => "varchar".to_owned(),
        SqlType::Varchar(length) => format!("varchar({length})"),
        SqlType::Timestamp => "timestamp(3)".to_owned(),
        SqlType::TimestampTz => "timestamp(3) with time zone".to_owned(),
        SqlType::Super => "json".to_owned(),
        SqlType::Unknown => "unknown".to_owned(),
        other => other.standard_name().to_owned(),
    }
}

/// The moment in which a statement runs, as `now()` gives it.
pub(in crate::sql) fn now(moment: time::OffsetDateTime) -> Typed {
    let text = format!("{}+00", calendar::moment_text(calendar::plain(moment)));
    Typed::new(literal(&text), SqlType::TimestampTz)
}
