//! Hive's types, which the catalogue has, Presto's, which results have, and the engine's.

use serde_json::Number;

use crate::sql::SqlType;

/// The engine's type for one of Hive's. What it has no type for is read as JSON text.
pub(super) fn of_hive(hive: &str) -> SqlType {
    let lower = hive.trim().to_lowercase();
    let (name, arguments) = match lower.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.trim_end_matches(')')),
        None => (lower.as_str(), ""),
    };
    let numbers: Vec<u32> =
        arguments.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    match name {
        "boolean" => SqlType::Bool,
        "tinyint" | "smallint" => SqlType::Int2,
        "int" | "integer" => SqlType::Int4,
        "bigint" => SqlType::Int8,
        "float" | "real" => SqlType::Float4,
        "double" => SqlType::Float8,
        "decimal" => SqlType::Numeric {
            precision: numbers.first().copied().unwrap_or(10),
            scale: numbers.get(1).copied().unwrap_or(0),
        },
        "string" | "binary" => SqlType::text(),
        "varchar" => SqlType::Varchar(numbers.first().copied().unwrap_or(65_535)),
        "char" => SqlType::Char(numbers.first().copied().unwrap_or(1)),
        "date" => SqlType::Date,
        "timestamp" => SqlType::Timestamp,
        _ => SqlType::Super,
    }
}

/// Hive's type for one of the engine's.
pub(super) fn to_hive(sql_type: SqlType) -> String {
    match sql_type {
        SqlType::Bool => "boolean".to_owned(),
        SqlType::Int2 => "smallint".to_owned(),
        SqlType::Int4 => "int".to_owned(),
        SqlType::Int8 => "bigint".to_owned(),
        SqlType::Float4 => "float".to_owned(),
        SqlType::Float8 => "double".to_owned(),
        SqlType::Numeric { precision, scale } => format!("decimal({precision},{scale})"),
        SqlType::Char(length) => format!("char({length})"),
        SqlType::Varchar(length) if sql_type != SqlType::text() => format!("varchar({length})"),
        SqlType::Date => "date".to_owned(),
        SqlType::Timestamp | SqlType::TimestampTz => "timestamp".to_owned(),
        _ => "string".to_owned(),
    }
}

/// Name, precision and scale of a result's column.
pub(super) fn shown(sql_type: SqlType) -> (&'static str, u32, u32) {
    match sql_type {
        SqlType::Bool => ("boolean", 0, 0),
        SqlType::Int2 => ("smallint", 5, 0),
        SqlType::Int4 => ("integer", 10, 0),
        SqlType::Int8 => ("bigint", 19, 0),
        SqlType::Float4 => ("float", 17, 0),
        SqlType::Float8 => ("double", 17, 0),
        SqlType::Numeric { precision, scale } => ("decimal", precision, scale),
        SqlType::Char(length) => ("char", length, 0),
        SqlType::Varchar(length) if sql_type != SqlType::text() => ("varchar", length, 0),
        SqlType::Date => ("date", 0, 0),
        SqlType::Time => ("time", 0, 0),
        SqlType::Timestamp => ("timestamp", 3, 0),
        SqlType::TimestampTz => ("timestamp with time zone", 3, 0),
        SqlType::Super => ("json", 0, 0),
        _ => ("varchar", 2_147_483_647, 0),
    }
}

/// Presto's type for one of the engine's, with its sizes.
pub(super) fn presto(sql_type: SqlType) -> String {
    let (name, precision, scale) = shown(sql_type);
    match sql_type {
        SqlType::Numeric { .. } => format!("{name}({precision},{scale})"),
        SqlType::Char(_) | SqlType::Varchar(_) if sql_type != SqlType::text() => {
            format!("{name}({precision})")
        }
        _ => name.to_owned(),
    }
}

/// A double as Java prints it: with a point, and with an exponent where it is very large or small.
pub(super) fn float(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    if !number.is_finite() {
        return match number {
            number if number.is_nan() => "NaN".to_owned(),
            number if number > 0.0 => "Infinity".to_owned(),
            _ => "-Infinity".to_owned(),
        };
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// A number for JSON text; nothing where JSON has none.
pub(super) fn json_number(number: f64) -> Option<Number> {
    Number::from_f64(number)
}

#[cfg(test)]
mod tests {
    use super::{float, of_hive, to_hive};
    use crate::sql::SqlType;

    #[test]
    fn types_come_back_as_they_went() {
        for hive in ["int", "bigint", "double", "decimal(7,2)", "varchar(9)", "string", "date"] {
            assert_eq!(to_hive(of_hive(hive)), hive);
        }
        assert_eq!(of_hive("array<struct<a:int>>"), SqlType::Super);
    }

    #[test]
    fn doubles_are_printed_as_java_does() {
        assert_eq!(float(1.0), "1.0");
        assert_eq!(float(12_345_678.9), "1.23456789E7");
        assert_eq!(float(1e8), "1.0E8");
        assert_eq!(float(0.0001), "1.0E-4");
    }
}
