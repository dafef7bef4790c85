//! Functions on numbers, and casts to them.
//!
//! Numerics are floats here. Rounding allows for the last binary digit, so that what was typed with
//! up to 15 digits rounds as its decimal form does.

use rusqlite::types::Value;

use super::{Arguments, Outcome, Scalar, bool_value};

pub(super) const FUNCTIONS: &[(&str, Scalar)] = &[
    ("rs_to_bool", to_bool),
    ("rs_to_int", to_int),
    ("rs_to_float", |a| Ok(Value::Real(a.float(0)?))),
    ("rs_to_numeric", to_numeric),
    ("rs_to_number", to_number),
    ("rs_round", |a| round(a, rounded)),
    ("rs_truncate", |a| round(a, truncated)),
    ("rs_ceil", |a| keep_kind(a, f64::ceil)),
    ("rs_floor", |a| keep_kind(a, f64::floor)),
    ("rs_divide", |a| match a.float(1)? {
        0.0 => Err("Divide by zero".to_owned()),
        divisor => Ok(Value::Real(a.float(0)? / divisor)),
    }),
    ("rs_int_divide", |a| match a.integer(1)? {
        0 => Err("Divide by zero".to_owned()),
        divisor => Ok(Value::Integer(a.integer(0)?.wrapping_div(divisor))),
    }),
    ("rs_modulo", modulo),
    ("rs_power", |a| finite(a.float(0)?.powf(a.float(1)?))),
    ("rs_atan2", |a| finite(a.float(0)?.atan2(a.float(1)?))),
    ("rs_math", math),
    ("rs_number_text", number_text),
];

fn finite(number: f64) -> Outcome {
    if number.is_finite() {
        Ok(Value::Real(number))
    } else {
        Err("result is out of range".to_owned())
    }
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub(in crate::sql) fn whole(number: f64) -> Result<i64, String> {
    let nearest = rounded(number, 0);
    if nearest.abs() < 9.3e18 { Ok(nearest as i64) } else { Err("bigint out of range".to_owned()) }
}

fn power_of_ten(places: i64) -> f64 {
    10_f64.powi(i32::try_from(places.clamp(-38, 38)).unwrap_or(0))
}

/// Rounds half away from zero in decimal.
pub(super) fn rounded(number: f64, places: i64) -> f64 {
    let scaled = number * power_of_ten(places);
    if scaled.abs() >= 9e15 || !scaled.is_finite() {
        return number;
    }
    let slack = scaled.abs() * 4.0 * f64::EPSILON;
    ((scaled.abs() + slack + 0.5).floor() / power_of_ten(places)).copysign(number)
}

fn truncated(number: f64, places: i64) -> f64 {
    let scaled = number * power_of_ten(places);
    if scaled.abs() >= 9e15 || !scaled.is_finite() {
        return number;
    }
    let slack = scaled.abs() * 4.0 * f64::EPSILON;
    ((scaled.abs() + slack).floor() / power_of_ten(places)).copysign(number)
}

/// A number with exactly this many digits after the point.
pub(in crate::sql) fn fixed(number: f64, scale: u32) -> String {
    let places = scale as usize;
    let text = format!("{:.places$}", rounded(number, i64::from(scale)));
    // A negative number that rounds to nothing has no sign.
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => digits.to_owned(),
        _ => text,
    }
}

/// The shortest text of a float.
pub(super) fn float_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    if number.abs() >= 1e15 || number.abs() < 1e-4 {
        let text = format!("{number:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if exponent.starts_with('-') => {
                format!("{digits}e-{:0>2}", &exponent[1..])
            }
            Some((digits, exponent)) => format!("{digits}e+{exponent:0>2}"),
            None => text,
        };
    }
    format!("{number}")
}

fn to_bool(arguments: &Arguments) -> Outcome {
    if let Some(Value::Integer(number)) = arguments.0.first() {
        return bool_value(*number != 0);
    }
    let text = arguments.text(0);
    match text.trim().to_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" | "on" => bool_value(true),
        "f" | "false" | "n" | "no" | "0" | "off" => bool_value(false),
        _ => Err(format!("invalid input syntax for type boolean: \"{text}\"")),
    }
}

fn to_int(arguments: &Arguments) -> Outcome {
    let number = arguments.integer(0)?;
    let (name, fits) = match arguments.integer(1)? {
        16 => ("smallint", i16::try_from(number).is_ok()),
        32 => ("integer", i32::try_from(number).is_ok()),
        _ => ("bigint", true),
    };
    if fits { Ok(Value::Integer(number)) } else { Err(format!("{name} out of range")) }
}

fn to_numeric(arguments: &Arguments) -> Outcome {
    let number = match arguments.0.first() {
        Some(Value::Text(text)) => text.trim().parse().map_err(|_not_a_number| {
            format!("invalid input syntax for type numeric: \"{text}\"")
        })?,
        _ => arguments.float(0)?,
    };
    let (precision, scale) = (arguments.integer(1)?, arguments.integer(2)?);
    let kept = rounded(number, scale);
    if kept.abs() >= power_of_ten(precision - scale) {
        return Err(format!("Numeric data overflow (numeric({precision},{scale}))"));
    }
    Ok(Value::Real(kept))
}

fn to_number(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let digits: String =
        text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | '-')).collect();
    let negative = digits.contains('-');
    let number: f64 = digits
        .replace('-', "")
        .parse()
        .map_err(|_not_a_number| format!("invalid input syntax for type numeric: \"{text}\""))?;
    Ok(Value::Real(if negative { -number } else { number }))
}

fn round(arguments: &Arguments, function: fn(f64, i64) -> f64) -> Outcome {
    let places = arguments.integer(1)?;
    match arguments.0.first() {
        Some(Value::Integer(number)) if places >= 0 => Ok(Value::Integer(*number)),
        Some(Value::Integer(number)) => {
            Ok(Value::Integer(whole(function(*number as f64, places))?))
        }
        _ => Ok(Value::Real(function(arguments.float(0)?, places))),
    }
}

fn keep_kind(arguments: &Arguments, function: fn(f64) -> f64) -> Outcome {
    match arguments.0.first() {
        Some(Value::Integer(number)) => Ok(Value::Integer(*number)),
        _ => Ok(Value::Real(function(arguments.float(0)?))),
    }
}

fn modulo(arguments: &Arguments) -> Outcome {
    match (arguments.0.first(), arguments.0.get(1)) {
        (_, Some(Value::Integer(0))) => Err("Divide by zero".to_owned()),
        (Some(Value::Integer(left)), Some(Value::Integer(right))) => {
            Ok(Value::Integer(left.wrapping_rem(*right)))
        }
        _ => match arguments.float(1)? {
            0.0 => Err("Divide by zero".to_owned()),
            divisor => Ok(Value::Real(arguments.float(0)? % divisor)),
        },
    }
}

fn math(arguments: &Arguments) -> Outcome {
    let number = arguments.float(1)?;
    let name = arguments.text(0);
    finite(match name.as_str() {
        "sqrt" if number < 0.0 => {
            return Err("cannot take square root of a negative number".to_owned());
        }
        "ln" | "dlog1" | "log" | "dlog10" if number <= 0.0 => {
            return Err("cannot take logarithm of a negative number or zero".to_owned());
        }
        "sqrt" => number.sqrt(),
        "cbrt" => number.cbrt(),
        "exp" | "dexp" => number.exp(),
        "ln" | "dlog1" => number.ln(),
        "log" | "dlog10" => number.log10(),
        "sin" => number.sin(),
        "cos" => number.cos(),
        "tan" => number.tan(),
        "cot" => number.tan().recip(),
        "asin" => number.asin(),
        "acos" => number.acos(),
        "atan" => number.atan(),
        "degrees" => number.to_degrees(),
        "radians" => number.to_radians(),
        _ => return Err(format!("there is no function {name}")),
    })
}

/// TO_CHAR of a number: `9` and `0` are digits, `.` or `D` the point, `,` or `G` groups, `S` and
/// `MI` signs, `$` and `L` currency, `FM` no padding.
fn number_text(arguments: &Arguments) -> Outcome {
    let number = arguments.float(0)?;
    let original = arguments.text(1).to_uppercase();
    let bare = original.strip_prefix("FM");
    let format = bare.unwrap_or(&original);
    let (whole_part, fraction) = format.split_once(['.', 'D']).unwrap_or((format, ""));
    let places = fraction.chars().filter(|c| matches!(c, '9' | '0')).count();
    let text = fixed(number.abs(), u32::try_from(places).unwrap_or(0));
    let (digits, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let slots = whole_part.chars().filter(|c| matches!(c, '9' | '0')).count();
    if digits.len() > slots && digits != "0" {
        return Ok(Value::Text("#".repeat(format.len() + 1)));
    }
    let zeros = whole_part
        .find('0')
        .map_or(0, |first| whole_part[first..].chars().filter(|c| matches!(c, '9' | '0')).count());
    let digits = if digits == "0" && zeros == 0 && places > 0 { "" } else { digits };
    let mut left: Vec<char> = format!("{digits:0>zeros$}").chars().collect();
    let mut out: Vec<char> = vec![];
    for slot in whole_part.chars().rev() {
        match slot {
            '9' | '0' => out.push(left.pop().unwrap_or(' ')),
            ',' | 'G' => out.push(if left.is_empty() { ' ' } else { ',' }),
            '$' | 'L' => out.push('$'),
            _ => {}
        }
    }
    let mut body: String = out.iter().rev().collect();
    if places > 0 {
        let kept = if bare.is_some() && !fraction.contains('0') {
            decimals.trim_end_matches('0')
        } else {
            decimals
        };
        body = format!("{body}.{kept}");
    }
    let sign = if number < 0.0 {
        "-"
    } else if format.contains('S') {
        "+"
    } else {
        " "
    };
    let trimmed = body.trim_start();
    let text = format!("{}{sign}{trimmed}", " ".repeat(body.len() - trimmed.len()));
    Ok(Value::Text(if bare.is_some() { text.trim().to_owned() } else { text }))
}
