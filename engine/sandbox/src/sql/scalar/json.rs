//! Functions on JSON text, and those that work on a group's values collected as a JSON array.

use rusqlite::types::Value;
use serde_json::Value as Json;

use super::{Arguments, Outcome, Scalar, bool_value, size_value, text_value};

pub(super) const FUNCTIONS: &[(&str, Scalar)] = &[
    ("rs_json_path", path),
    ("rs_json_element", element),
    ("rs_json_length", |a| match parsed(&a.text(0))? {
        Json::Array(list) => size_value(list.len()),
        _ => Err(format!("invalid json array object {}", a.text(0))),
    }),
    ("rs_is_json", |a| bool_value(parsed(&a.text(0)).is_ok())),
    ("rs_is_json_array", |a| bool_value(matches!(parsed(&a.text(0)), Ok(Json::Array(_))))),
    ("rs_json_parse", |a| text_value(parsed(&a.text(0))?.to_string())),
    ("rs_join", join),
    ("rs_percentile", percentile),
    ("rs_statistic", statistic),
];

fn parsed(text: &str) -> Result<Json, String> {
    serde_json::from_str(text)
        .map_err(|_not_json| format!("JSON parsing error: invalid json object {text}"))
}

/// A JSON value as Redshift's text functions give it: strings bare, nothing as NULL.
fn bare(value: Option<&Json>) -> Value {
    match value {
        None | Some(Json::Null) => Value::Null,
        Some(Json::String(text)) => Value::Text(text.clone()),
        Some(other) => Value::Text(other.to_string()),
    }
}

fn path(arguments: &Arguments) -> Outcome {
    let document = parsed(&arguments.text(0))?;
    let mut at = Some(&document);
    for index in 1..arguments.count() {
        let key = arguments.text(index);
        at = at.and_then(|value| match value {
            Json::Array(list) => key.parse::<usize>().ok().and_then(|index| list.get(index)),
            other => other.get(&key),
        });
    }
    Ok(bare(at))
}

fn element(arguments: &Arguments) -> Outcome {
    let index = usize::try_from(arguments.integer(1)?).unwrap_or(usize::MAX);
    match parsed(&arguments.text(0))? {
        Json::Array(list) => Ok(bare(list.get(index))),
        _ => Err(format!("invalid json array object {}", arguments.text(0))),
    }
}

fn list(arguments: &Arguments, index: usize) -> Result<Vec<Json>, String> {
    match parsed(&arguments.text(index))? {
        Json::Array(list) => Ok(list),
        _ => Err("a list of values is missing".to_owned()),
    }
}

/// LISTAGG: NULL when there is nothing to join.
fn join(arguments: &Arguments) -> Outcome {
    let list = list(arguments, 0)?;
    if list.is_empty() {
        return Ok(Value::Null);
    }
    let words: Vec<String> = list
        .iter()
        .map(|value| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    let joined = words.join(&arguments.text(1));
    if joined.len() > 65_535 {
        return Err("Result size exceeds LISTAGG limit".to_owned());
    }
    text_value(joined)
}

fn percentile(arguments: &Arguments) -> Outcome {
    let fraction = arguments.float(2)?;
    if !(0.0..=1.0).contains(&fraction) {
        return Err("percentile must be between 0 and 1".to_owned());
    }
    let values = list(arguments, 1)?;
    let mut sorted: Vec<f64> = values.iter().filter_map(Json::as_f64).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return Ok(Value::Null) };
    if arguments.text(0) == "percentile_disc" {
        let rank = (fraction * sorted.len() as f64).ceil();
        return Ok(Value::Real(sorted[index(rank - 1.0).min(last)]));
    }
    let position = fraction * last as f64;
    let (low, high) = (sorted[index(position.floor())], sorted[index(position.ceil()).min(last)]);
    Ok(Value::Real(low + (high - low) * position.fract()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position in a list that is in memory"
)]
fn index(position: f64) -> usize {
    position.max(0.0) as usize
}

fn statistic(arguments: &Arguments) -> Outcome {
    let values = list(arguments, 1)?;
    let name = arguments.text(0);
    if let "bit_and" | "bit_or" = name.as_str() {
        let bits = values.iter().filter_map(Json::as_i64);
        let folded =
            if name == "bit_and" { bits.reduce(|l, r| l & r) } else { bits.reduce(|l, r| l | r) };
        return Ok(folded.map_or(Value::Null, Value::Integer));
    }
    let numbers: Vec<f64> = values.iter().filter_map(Json::as_f64).collect();
    let count = numbers.len() as f64;
    let divisor = if name.ends_with("_pop") { count } else { count - 1.0 };
    if divisor <= 0.0 {
        return Ok(Value::Null);
    }
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / divisor;
    let result = if name.starts_with("std") { variance.sqrt() } else { variance };
    Ok(Value::Real(result))
}
