//! Numbers, times, bytes and texts where the wire has only text; times in JSON too.

use piton_models::{ShapeKind, TimestampFormat};
use serde_json::{Number, Value};
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::at::At;

const HTTP_DATE: &[FormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const HTTP_DATE_FRACTION: &[FormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second].[subsecond] GMT"
);

/// A canonical time from a JSON value of any of the wire's forms.
pub(super) fn time_from_json(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => time_from_epoch(number.as_f64()?),
        Value::String(text) => time_from_text(text),
        _ => None,
    }
}

/// A canonical time from text of any of the wire's forms.
pub(super) fn time_from_text(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return canonical(moment);
    }
    for format in [HTTP_DATE, HTTP_DATE_FRACTION] {
        if let Ok(moment) = PrimitiveDateTime::parse(text, format) {
            return canonical(moment.assume_utc());
        }
    }
    time_from_epoch(text.parse().ok()?)
}

fn time_from_epoch(seconds: f64) -> Option<String> {
    if !seconds.is_finite() {
        return None;
    }
    let milliseconds = (seconds * 1000.0).round();
    let nanoseconds = (milliseconds as i128).checked_mul(1_000_000)?;
    canonical(OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?)
}

fn canonical(moment: OffsetDateTime) -> Option<String> {
    moment.to_offset(UtcOffset::UTC).format(&Rfc3339).ok()
}

fn moment(value: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(&time_from_json(value)?, &Rfc3339).ok()
}

/// A canonical time as JSON has it on the wire.
pub(super) fn time_to_json(value: &Value, format: TimestampFormat) -> Option<Value> {
    match format {
        TimestampFormat::UnixTimestamp => {
            let nanoseconds = moment(value)?.unix_timestamp_nanos();
            let milliseconds = nanoseconds.div_euclid(1_000_000);
            Some(if milliseconds % 1000 == 0 {
                Value::from(i64::try_from(milliseconds / 1000).ok()?)
            } else {
                Value::Number(Number::from_f64(milliseconds as f64 / 1000.0)?)
            })
        }
        _ => time_to_text(value, format).map(Value::String),
    }
}

/// A canonical time as text has it on the wire.
pub(super) fn time_to_text(value: &Value, format: TimestampFormat) -> Option<String> {
    match format {
        TimestampFormat::Iso8601 => canonical(moment(value)?),
        TimestampFormat::Rfc822 => moment(value)?.to_offset(UtcOffset::UTC).format(HTTP_DATE).ok(),
        TimestampFormat::UnixTimestamp => {
            time_to_json(value, format).map(|number| number.to_string())
        }
    }
}

/// A scalar as text on the wire; nothing for values of another kind.
pub(super) fn to_text(at: At<'_>, value: &Value, default: TimestampFormat) -> Option<String> {
    match (at.kind(), value) {
        (ShapeKind::Timestamp, _) => time_to_text(value, at.timestamp_format(default)),
        (_, Value::String(text)) => Some(text.clone()),
        (_, Value::Number(number)) => Some(number.to_string()),
        (_, Value::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    }
}

/// A scalar from text on the wire, or what it should have been.
pub(super) fn from_text(at: At<'_>, text: &str) -> Result<Value, &'static str> {
    Ok(match at.kind() {
        ShapeKind::Timestamp => time_from_text(text).map(Value::String).ok_or("a timestamp")?,
        ShapeKind::Boolean => match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err("true or false"),
        },
        ShapeKind::Integer | ShapeKind::Long | ShapeKind::BigInteger => {
            let text = text.trim();
            match (text.parse::<i64>(), text.parse::<u64>()) {
                (Ok(number), _) => Value::from(number),
                (_, Ok(number)) => Value::from(number),
                _ => return Err("an integer"),
            }
        }
        ShapeKind::Float | ShapeKind::Double | ShapeKind::BigDecimal => match text.trim() {
            special @ ("NaN" | "Infinity" | "-Infinity") => Value::String(special.to_owned()),
            text => {
                text.parse().ok().and_then(Number::from_f64).map(Value::Number).ok_or("a number")?
            }
        },
        ShapeKind::String | ShapeKind::Character | ShapeKind::Blob => {
            Value::String(text.to_owned())
        }
        ShapeKind::Structure | ShapeKind::List | ShapeKind::Map => return Err("a single value"),
    })
}
