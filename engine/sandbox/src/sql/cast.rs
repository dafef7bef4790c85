//! Values from one type to another: explicit casts, what surroundings imply, what a column accepts.

use super::SqlError;
use super::compile::Typed;
use super::types::SqlType;

/// `CAST(value AS type)`: text too long for the type is cut.
pub(super) fn explicit(value: &Typed, to: SqlType) -> Result<String, SqlError> {
    if value.sql_type == to {
        return Ok(value.sql.clone());
    }
    let sql = &value.sql;
    Ok(match to {
        SqlType::Char(length) | SqlType::Varchar(length) => {
            format!("rs_cut({}, {length})", as_text(value))
        }
        SqlType::Bool if value.sql_type.is_moment() => return Err(refusal(value, to)),
        SqlType::Bool => format!("rs_to_bool({sql})"),
        SqlType::Int2 => format!("rs_to_int({sql}, 16)"),
        SqlType::Int4 => format!("rs_to_int({sql}, 32)"),
        SqlType::Int8 => format!("rs_to_int({sql}, 64)"),
        _ if to.is_number() && value.sql_type.is_moment() => return Err(refusal(value, to)),
        SqlType::Float4 | SqlType::Float8 => format!("rs_to_float({sql})"),
        SqlType::Numeric { precision, scale } => {
            format!("rs_to_numeric({sql}, {precision}, {scale})")
        }
        _ if to.is_moment() && value.sql_type.is_number() => return Err(refusal(value, to)),
        SqlType::Date => format!("rs_to_date({sql})"),
        SqlType::Time => format!("rs_to_time({sql})"),
        SqlType::Timestamp => format!("rs_to_timestamp({sql})"),
        SqlType::TimestampTz => format!("rs_to_timestamptz({sql})"),
        SqlType::Interval => return Err(refusal(value, to)),
        SqlType::Super | SqlType::Unknown => sql.clone(),
    })
}

/// Brings a value to the type of what it is compared or united with; cuts nothing.
pub(super) fn implicit(value: &Typed, to: SqlType) -> Result<String, SqlError> {
    let same = value.sql_type == to || (value.sql_type.is_text() && to.is_text());
    let same_number = value.sql_type.is_number()
        && (to.is_float() || to.is_integer() && value.sql_type.is_integer());
    if same || value.sql == "NULL" {
        return Ok(value.sql.clone());
    }
    match to {
        _ if same_number => Ok(value.sql.clone()),
        SqlType::Numeric { .. } if value.sql_type.is_number() => Ok(value.sql.clone()),
        _ if to.is_text() => Ok(as_text(value)),
        _ => explicit(value, to),
    }
}

/// What a column of this type gets: text too long for it is an error.
pub(super) fn assigned(value: &Typed, to: SqlType) -> Result<String, SqlError> {
    match to {
        SqlType::Char(length) | SqlType::Varchar(length) => {
            Ok(format!("rs_fit({}, {length}, '{}')", as_text(value), to.standard_name()))
        }
        SqlType::Bool if value.sql_type.is_number() => Err(mismatch(value, to)),
        _ if to.is_number() && value.sql_type == SqlType::Bool => Err(mismatch(value, to)),
        _ => explicit(value, to),
    }
}

/// A value as the text that Redshift prints for it.
pub(super) fn as_text(value: &Typed) -> String {
    let sql = &value.sql;
    match value.sql_type {
        SqlType::Bool => format!("CASE WHEN {sql} THEN 'true' WHEN NOT {sql} THEN 'false' END"),
        SqlType::Numeric { scale, .. } => format!("rs_numeric_text({sql}, {scale})"),
        SqlType::Float4 | SqlType::Float8 => format!("rs_float_text({sql})"),
        kind if kind.is_integer() => format!("CAST({sql} AS TEXT)"),
        _ => sql.clone(),
    }
}

fn refusal(value: &Typed, to: SqlType) -> SqlError {
    SqlError::new(format!(
        "cannot cast type {} to {}",
        value.sql_type.standard_name(),
        to.standard_name()
    ))
}

fn mismatch(value: &Typed, to: SqlType) -> SqlError {
    SqlError::new(format!(
        "column is of type {} but expression is of type {}",
        to.standard_name(),
        value.sql_type.standard_name()
    ))
}
