//! Redshift's column types: their names, sizes, and what SQLite keeps for them.
//!
//! SQLite knows storage classes only, so the declared type of every column lives in the catalog and
//! that of every expression is worked out by `expr`. Casting values is `cast`'s.

use std::fmt;

use serde::{Deserialize, Serialize};
use sqlparser::ast::{CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

use super::SqlError;

/// The largest length of a `varchar`, in bytes: what `varchar(max)` and `text` casts mean.
const VARCHAR_MAX: u32 = 65_535;

/// A Redshift type with its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SqlType {
    /// `boolean`, kept as 0 and 1.
    Bool,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `numeric`, kept as a float and rounded to its scale: exact to 15 digits.
    Numeric {
        /// Digits in all, at most 38.
        precision: u32,
        /// Digits after the point.
        scale: u32,
    },
    /// `char(n)`, kept without its padding.
    Char(u32),
    /// `varchar(n)`, in bytes.
    Varchar(u32),
    /// `date`, kept as `2026-01-31`.
    Date,
    /// `time`, kept as `13:04:05`.
    Time,
    /// `timestamp`, kept as `2026-01-31 13:04:05`.
    Timestamp,
    /// `timestamptz`, kept in UTC with `+00` at its end.
    TimestampTz,
    /// `super`, kept as JSON text.
    Super,
    /// A span of time; only ever a literal.
    Interval,
    /// A string literal or NULL whose type its surroundings decide.
    Unknown,
}

impl SqlType {
    /// The type that a statement declares.
    pub(super) fn declared(data_type: &DataType) -> Result<Self, SqlError> {
        Ok(match data_type {
            DataType::Bool | DataType::Boolean => Self::Bool,
            DataType::SmallInt(_) | DataType::Int2(_) => Self::Int2,
            DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => Self::Int4,
            DataType::BigInt(_) | DataType::Int8(_) => Self::Int8,
            DataType::Real | DataType::Float4 => Self::Float4,
            DataType::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => Self::Float4,
            DataType::Float8
            | DataType::DoublePrecision
            | DataType::Double(_)
            | DataType::Float(_) => Self::Float8,
            DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => {
                numeric(info)?
            }
            DataType::Char(length) | DataType::Character(length) => Self::Char(sized(length, 1)),
            DataType::Varchar(length)
            | DataType::CharacterVarying(length)
            | DataType::CharVarying(length)
            | DataType::Nvarchar(length) => Self::Varchar(sized(length, 256)),
            DataType::Text => Self::Varchar(256),
            DataType::Date => Self::Date,
            DataType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Self::Time,
            DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
            | DataType::Datetime(_) => Self::Timestamp,
            DataType::Timestamp(_, _) => Self::TimestampTz,
            DataType::Custom(name, arguments) => Self::custom(&name.to_string(), arguments)?,
            other => return Err(SqlError::new(format!("type \"{other}\" does not exist"))),
        })
    }

    /// The type that a statement of Athena's declares: text has no length of its own.
    pub(super) fn declared_in_athena(data_type: &DataType) -> Result<Self, SqlError> {
        Ok(match data_type {
            DataType::Varchar(None) | DataType::String(_) | DataType::Text => Self::text(),
            DataType::TinyInt(_) => Self::Int2,
            DataType::Decimal(ExactNumberInfo::None) => Self::Numeric { precision: 38, scale: 0 },
            DataType::JSON => Self::Super,
            other => Self::declared(other)?,
        })
    }

    fn custom(name: &str, arguments: &[String]) -> Result<Self, SqlError> {
        let length = arguments.first().and_then(|length| length.parse().ok());
        Ok(match name.to_lowercase().as_str() {
            "super" => Self::Super,
            "bpchar" => Self::Char(length.unwrap_or(256)),
            "name" => Self::Varchar(128),
            "oid" => Self::Int8,
            "timestamptz" => Self::TimestampTz,
            "datetime" => Self::Timestamp,
            other => return Err(SqlError::new(format!("type \"{other}\" does not exist"))),
        })
    }

    /// The widest text type, what casting to text without a length gives.
    pub(crate) const fn text() -> Self {
        Self::Varchar(VARCHAR_MAX)
    }

    /// Redshift's internal name, as result metadata has it: `int4`, `bpchar`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float4 => "float4",
            Self::Float8 => "float8",
            Self::Numeric { .. } => "numeric",
            Self::Char(_) => "bpchar",
            Self::Varchar(_) | Self::Unknown => "varchar",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamptz",
            Self::Super => "super",
            Self::Interval => "interval",
        }
    }

    /// The name that `information_schema` has: `integer`, `character varying`.
    pub(crate) fn standard_name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Numeric { .. } => "numeric",
            Self::Char(_) => "character",
            Self::Varchar(_) | Self::Unknown => "character varying",
            Self::Date => "date",
            Self::Time => "time without time zone",
            Self::Timestamp => "timestamp without time zone",
            Self::TimestampTz => "timestamp with time zone",
            Self::Super => "super",
            Self::Interval => "interval",
        }
    }

    /// Total digits, or the length of text, as result metadata has it.
    pub(crate) fn precision(self) -> u32 {
        match self {
            Self::Bool => 1,
            Self::Int2 => 5,
            Self::Int4 => 10,
            Self::Int8 => 19,
            Self::Float4 => 8,
            Self::Float8 => 17,
            Self::Numeric { precision, .. } => precision,
            Self::Char(length) | Self::Varchar(length) => length,
            Self::Date => 13,
            Self::Time => 15,
            Self::Timestamp => 29,
            Self::TimestampTz => 35,
            Self::Super | Self::Interval => 0,
            Self::Unknown => VARCHAR_MAX,
        }
    }

    /// Digits after the point.
    pub(crate) fn scale(self) -> u32 {
        match self {
            Self::Numeric { scale, .. } => scale,
            Self::Float4 => 8,
            Self::Float8 => 17,
            Self::Time | Self::Timestamp | Self::TimestampTz => 6,
            _ => 0,
        }
    }

    /// Bytes of a value, or the largest length of text, as `DescribeTable` has it.
    pub(crate) fn length(self) -> u32 {
        match self {
            Self::Bool => 1,
            Self::Int2 => 2,
            Self::Int4 | Self::Float4 | Self::Date => 4,
            Self::Int8 | Self::Float8 | Self::Time | Self::Timestamp | Self::TimestampTz => 8,
            Self::Numeric { precision, .. } => precision,
            Self::Char(length) | Self::Varchar(length) => length,
            Self::Super | Self::Interval => 0,
            Self::Unknown => VARCHAR_MAX,
        }
    }

    /// The SQLite type of a column that keeps such values.
    pub(super) fn affinity(self) -> &'static str {
        match self {
            Self::Bool | Self::Int2 | Self::Int4 | Self::Int8 => "INTEGER",
            Self::Float4 | Self::Float8 | Self::Numeric { .. } => "REAL",
            _ => "TEXT",
        }
    }

    pub(super) fn is_integer(self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::Float4 | Self::Float8)
    }

    /// Integers, numerics and floats: in metadata, what has a sign.
    pub(crate) fn is_number(self) -> bool {
        self.is_integer() || self.is_float() || matches!(self, Self::Numeric { .. })
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Char(_) | Self::Varchar(_) | Self::Unknown)
    }

    /// Dates and timestamps.
    pub(super) fn is_moment(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampTz)
    }

    /// Integers as the numeric that holds them; anything else as it is.
    pub(super) fn as_numeric(self) -> (u32, u32) {
        match self {
            Self::Numeric { precision, scale } => (precision, scale),
            Self::Int2 => (5, 0),
            Self::Int4 => (10, 0),
            _ => (19, 0),
        }
    }

    /// The type to which both sides of a comparison, a CASE or a UNION are brought.
    pub(super) fn common(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        match (self, other) {
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (left, right) if left.is_number() && right.is_number() => common_number(left, right),
            (left, right) if left.is_text() && right.is_text() => {
                Self::Varchar(left.length().max(right.length()))
            }
            (left, right) if left.is_moment() && right.is_moment() => {
                if left == Self::TimestampTz || right == Self::TimestampTz {
                    Self::TimestampTz
                } else {
                    Self::Timestamp
                }
            }
            (text, known) if text.is_text() => known,
            (known, _) => known,
        }
    }
}

/// A numeric with Redshift's limit of 38 digits.
pub(super) fn numeric_of(precision: u32, scale: u32) -> SqlType {
    let scale = scale.min(37);
    SqlType::Numeric { precision: precision.clamp(scale.max(1), 38), scale }
}

fn common_number(left: SqlType, right: SqlType) -> SqlType {
    if left.is_float() || right.is_float() {
        return SqlType::Float8;
    }
    if left.is_integer() && right.is_integer() {
        return if left.length() >= right.length() { left } else { right };
    }
    let (p1, s1) = left.as_numeric();
    let (p2, s2) = right.as_numeric();
    let scale = s1.max(s2);
    numeric_of((p1 - s1.min(p1)).max(p2 - s2.min(p2)) + scale, scale)
}

fn numeric(info: &ExactNumberInfo) -> Result<SqlType, SqlError> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (18, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    if !(1..=38).contains(&precision) {
        return Err(SqlError::new(format!(
            "NUMERIC precision {precision} must be between 1 and 38"
        )));
    }
    match u32::try_from(scale) {
        Ok(scale) if u64::from(scale) <= precision.min(37) => {
            Ok(SqlType::Numeric { precision: u32::try_from(precision).unwrap_or(38), scale })
        }
        _ => Err(SqlError::new(format!(
            "NUMERIC scale {scale} must be between 0 and precision {precision}"
        ))),
    }
}

fn sized(length: &Option<CharacterLength>, without: u32) -> u32 {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => {
            u32::try_from(*length).unwrap_or(VARCHAR_MAX).min(VARCHAR_MAX)
        }
        Some(CharacterLength::Max) => VARCHAR_MAX,
        None => without,
    }
}

impl fmt::Display for SqlType {
    /// The type as `pg_table_def` writes it, with its sizes.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.standard_name())?;
        match self {
            Self::Numeric { precision, scale } => write!(formatter, "({precision},{scale})"),
            Self::Char(length) | Self::Varchar(length) => write!(formatter, "({length})"),
            _ => Ok(()),
        }
    }
}
