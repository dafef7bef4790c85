//! The scalar functions that SQLite runs for Redshift, registered on the world's connection.
//!
//! All begin with `rs_`, take any number of arguments (the compiler has counted them) and answer NULL
//! when an argument is NULL, GREATEST and LEAST aside. Errors are in Redshift's words.

mod dates;
mod hash;
mod json;
mod numbers;
mod pattern;
mod text;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value, ValueRef};

pub(crate) use hash::md5;
pub(super) use numbers::{fixed, whole};

/// The arguments of one call, none of them NULL.
struct Arguments(Vec<Value>);

/// What a call gives, or the reason that it cannot.
type Outcome = Result<Value, String>;

/// One function.
type Scalar = fn(&Arguments) -> Outcome;

impl Arguments {
    fn count(&self) -> usize {
        self.0.len()
    }

    /// Text, or the text of a number.
    fn text(&self, index: usize) -> String {
        match self.0.get(index) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Real(number)) => numbers::float_text(*number),
            _ => String::new(),
        }
    }

    /// A whole number; a fraction is rounded.
    fn integer(&self, index: usize) -> Result<i64, String> {
        match self.0.get(index) {
            Some(Value::Integer(number)) => Ok(*number),
            Some(Value::Real(number)) => whole(*number),
            Some(Value::Text(text)) => text
                .trim()
                .parse()
                .map_err(|_not_a_number| format!("invalid input syntax for integer: \"{text}\"")),
            _ => Err("a number is missing".to_owned()),
        }
    }

    fn float(&self, index: usize) -> Result<f64, String> {
        match self.0.get(index) {
            Some(Value::Integer(number)) => Ok(*number as f64),
            Some(Value::Real(number)) => Ok(*number),
            Some(Value::Text(text)) => text.trim().parse().map_err(|_not_a_number| {
                format!("invalid input syntax for type double precision: \"{text}\"")
            }),
            _ => Err("a number is missing".to_owned()),
        }
    }
}

/// Registers the functions unless this connection has them.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    if connection.prepare_cached("SELECT rs_registered()").is_ok() {
        return Ok(());
    }
    for table in
        [text::FUNCTIONS, pattern::FUNCTIONS, numbers::FUNCTIONS, dates::FUNCTIONS, json::FUNCTIONS]
    {
        for (name, function) in table {
            strict(connection, name, *function)?;
            // TRY_CAST: a value that cannot be cast is NULL.
            if let Some(rest) = name.strip_prefix("rs_to_") {
                attempt(connection, &format!("rs_try_to_{rest}"), *function)?;
            }
        }
    }
    lenient(connection, "rs_greatest", std::cmp::Ordering::Greater)?;
    lenient(connection, "rs_least", std::cmp::Ordering::Less)?;
    strict(connection, "rs_registered", |_| Ok(Value::Integer(1)))
}

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// A function that is NULL when an argument is.
fn strict(connection: &Connection, name: &str, function: Scalar) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, -1, FLAGS, move |context| {
        let values: Vec<Value> =
            (0..context.len()).map(|index| context.get(index)).collect::<rusqlite::Result<_>>()?;
        if values.contains(&Value::Null) {
            return Ok(Value::Null);
        }
        function(&Arguments(values))
            .map_err(|reason| rusqlite::Error::UserFunctionError(reason.into()))
    })
}

/// A function that is NULL when an argument is, and when it fails.
fn attempt(connection: &Connection, name: &str, function: Scalar) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, -1, FLAGS, move |context| {
        let values: Vec<Value> =
            (0..context.len()).map(|index| context.get(index)).collect::<rusqlite::Result<_>>()?;
        if values.contains(&Value::Null) {
            return Ok(Value::Null);
        }
        Ok(function(&Arguments(values)).unwrap_or(Value::Null))
    })
}

/// GREATEST or LEAST: NULLs are passed over.
fn lenient(
    connection: &Connection,
    name: &str,
    wanted: std::cmp::Ordering,
) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, -1, FLAGS, move |context| {
        let mut best = Value::Null;
        for index in 0..context.len() {
            let candidate: Value = context.get(index)?;
            if candidate == Value::Null {
                continue;
            }
            if best == Value::Null || order(&candidate, &best) == Some(wanted) {
                best = candidate;
            }
        }
        Ok(best)
    })
}

fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (ValueRef::from(left), ValueRef::from(right)) {
        (ValueRef::Text(left), ValueRef::Text(right)) => Some(left.cmp(right)),
        _ => number(left)?.partial_cmp(&number(right)?),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        _ => None,
    }
}

fn text_value(text: impl Into<String>) -> Outcome {
    Ok(Value::Text(text.into()))
}

fn bool_value(truth: bool) -> Outcome {
    Ok(Value::Integer(i64::from(truth)))
}

/// A count or position as a value.
fn size_value(size: usize) -> Outcome {
    Ok(Value::Integer(i64::try_from(size).unwrap_or(i64::MAX)))
}
