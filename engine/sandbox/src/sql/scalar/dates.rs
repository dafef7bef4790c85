//! Functions on dates and times, which are text here; `calendar` does the counting.

use rusqlite::types::Value;
use time::{Duration, PrimitiveDateTime, Time};

use super::super::calendar::{self, Part, Span};
use super::{Arguments, Outcome, Scalar, text_value};

pub(super) const FUNCTIONS: &[(&str, Scalar)] = &[
    ("rs_to_date", |a| text_value(calendar::date_text(moment(a, 0, "date")?.date()))),
    ("rs_to_time", to_time),
    ("rs_to_timestamp", |a| text_value(calendar::moment_text(moment(a, 0, "timestamp")?))),
    ("rs_to_timestamptz", |a| {
        text_value(format!("{}+00", calendar::moment_text(moment(a, 0, "timestamptz")?)))
    }),
    ("rs_add_span", add_span),
    ("rs_add_days", |a| {
        let day = moment(a, 0, "date")?;
        let moved = calendar::add_part(day, Part::Day, a.integer(1)?).ok_or("date out of range")?;
        text_value(calendar::date_text(moved.date()))
    }),
    ("rs_date_add", date_add),
    ("rs_date_diff", |a| {
        let (from, to) = (moment(a, 1, "timestamp")?, moment(a, 2, "timestamp")?);
        Ok(Value::Integer(calendar::difference(part(a)?, from, to)))
    }),
    ("rs_date_trunc", |a| {
        let start = calendar::truncate(part(a)?, moment(a, 1, "timestamp")?);
        text_value(like(a, 1, start.ok_or("timestamp out of range")?))
    }),
    ("rs_date_part", |a| {
        Ok(Value::Integer(calendar::part_of(part(a)?, moment(a, 1, "timestamp")?)))
    }),
    ("rs_last_day", last_day),
    ("rs_add_months", |a| {
        let moved = calendar::add_months(moment(a, 0, "timestamp")?, a.integer(1)?);
        text_value(calendar::moment_text(moved.ok_or("timestamp out of range")?))
    }),
    ("rs_months_between", |a| {
        let months =
            calendar::months_between(moment(a, 0, "timestamp")?, moment(a, 1, "timestamp")?);
        Ok(Value::Real(months))
    }),
    ("rs_next_day", next_day),
    ("rs_parse_date", |a| text_value(calendar::date_text(parse_format(a)?.date()))),
    ("rs_parse_moment", |a| text_value(calendar::moment_text(parse_format(a)?))),
    ("rs_moment_format", format_moment),
    ("rs_convert_zone", convert_zone),
];

fn moment(arguments: &Arguments, index: usize, kind: &str) -> Result<PrimitiveDateTime, String> {
    let text = arguments.text(index);
    calendar::parse(&text)
        .ok_or_else(|| format!("invalid input syntax for type {kind}: \"{text}\""))
}

/// The date part that the first argument names.
fn part(arguments: &Arguments) -> Result<Part, String> {
    let name = arguments.text(0);
    Part::named(&name).ok_or_else(|| format!("timestamp units \"{name}\" not recognized"))
}

/// A moment written like an argument: with `+00` when that has it.
fn like(arguments: &Arguments, index: usize, moment: PrimitiveDateTime) -> String {
    let zone = if arguments.text(index).ends_with("+00") { "+00" } else { "" };
    format!("{}{zone}", calendar::moment_text(moment))
}

fn to_time(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let time = calendar::parse_time(text.trim())
        .or_else(|| calendar::parse(&text).map(PrimitiveDateTime::time))
        .ok_or_else(|| format!("invalid input syntax for type time: \"{text}\""))?;
    text_value(calendar::time_text(time))
}

fn add_span(arguments: &Arguments) -> Outcome {
    let start = moment(arguments, 0, "timestamp")?;
    let span = Span::stored(&arguments.text(1)).ok_or("an interval is not readable")?;
    let moved = calendar::add(start, span.times(arguments.integer(2)?));
    text_value(like(arguments, 0, moved.ok_or("timestamp out of range")?))
}

fn date_add(arguments: &Arguments) -> Outcome {
    let start = moment(arguments, 2, "timestamp")?;
    let moved = calendar::add_part(start, part(arguments)?, arguments.integer(1)?);
    text_value(like(arguments, 2, moved.ok_or("timestamp out of range")?))
}

fn last_day(arguments: &Arguments) -> Outcome {
    let day = moment(arguments, 0, "date")?;
    let last = day.month().length(day.year());
    let date = day.date().replace_day(last).map_err(|error| error.to_string())?;
    text_value(calendar::date_text(date))
}

fn next_day(arguments: &Arguments) -> Outcome {
    let start = moment(arguments, 0, "date")?;
    let name = arguments.text(1).to_lowercase();
    for ahead in 1..=7 {
        let day = start.checked_add(Duration::days(ahead)).ok_or("date out of range")?;
        let weekday = day.weekday().to_string().to_lowercase();
        if name.len() >= 2 && weekday.starts_with(&name) {
            return text_value(calendar::date_text(day.date()));
        }
    }
    Err(format!("\"{}\" is not a day of the week", arguments.text(1)))
}

fn convert_zone(arguments: &Arguments) -> Outcome {
    let offset = |index: usize| -> Result<i64, String> {
        let name = arguments.text(index);
        match name.to_uppercase().as_str() {
            "UTC" | "GMT" | "Z" | "ETC/UTC" => return Ok(0),
            zone if zone.starts_with(['+', '-']) => {
                let hours: Option<i64> =
                    zone.split(':').next().and_then(|hours| hours.parse().ok());
                if let Some(hours) = hours {
                    return Ok(hours * 60);
                }
            }
            _ => {}
        }
        Err(format!(
            "the time zone \"{name}\" is not implemented in the sandbox, only UTC and fixed hours"
        ))
    };
    let moved = moment(arguments, 2, "timestamp")?
        .checked_add(Duration::minutes(offset(1)? - offset(0)?))
        .ok_or("timestamp out of range")?;
    text_value(calendar::moment_text(moved))
}

/// The fields of TO_CHAR and TO_DATE, longest first.
const FIELDS: [&str; 23] = [
    "MONTH", "HH24", "HH12", "YYYY", "DDD", "DAY", "MON", "YY", "MM", "DD", "DY", "HH", "MI", "SS",
    "MS", "US", "AM", "PM", "WW", "IW", "Q", "D", "J",
];

/// Splits a format into fields (as they are written) and the text between them.
fn fields(format: &str) -> Vec<(Option<&'static str>, String)> {
    let mut rest = format;
    let mut out = vec![];
    while let Some(first) = rest.chars().next() {
        let found = FIELDS.into_iter().find(|field| {
            rest.get(..field.len()).is_some_and(|head| head.eq_ignore_ascii_case(field))
        });
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            out.push((None, quoted[..end].to_owned()));
            rest = quoted.get(end + 1..).unwrap_or_default();
        } else if rest.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("FM")) {
            rest = &rest[2..];
        } else if let Some(field) = found {
            out.push((Some(field), rest[..field.len()].to_owned()));
            rest = &rest[field.len()..];
        } else {
            out.push((None, first.to_string()));
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// A name in the case of its field: `Mon`, `MON` or `mon`.
fn in_case(name: &str, field: &str) -> String {
    if field.chars().all(char::is_uppercase) {
        name.to_uppercase()
    } else if field.starts_with(char::is_lowercase) {
        name.to_lowercase()
    } else {
        name.to_owned()
    }
}

fn format_moment(arguments: &Arguments) -> Outcome {
    let at = moment(arguments, 0, "timestamp")?;
    let format = arguments.text(1);
    let bare = format.to_uppercase().contains("FM");
    let width = if bare { 0 } else { 9 };
    let mut out = String::new();
    for (field, text) in fields(&format) {
        let (month, weekday) = (at.month().to_string(), at.weekday().to_string());
        let hour12 = match at.hour() % 12 {
            0 => 12,
            hour => hour,
        };
        let written = match field {
            None => text,
            Some("YYYY") => format!("{:04}", at.year()),
            Some("YY") => format!("{:02}", at.year().rem_euclid(100)),
            Some("MONTH") => format!("{:<width$}", in_case(&month, &text)),
            Some("MON") => in_case(&month[..3], &text),
            Some("MM") => format!("{:02}", u8::from(at.month())),
            Some("DD") => format!("{:02}", at.day()),
            Some("DDD") => format!("{:03}", at.ordinal()),
            Some("DAY") => format!("{:<width$}", in_case(&weekday, &text)),
            Some("DY") => in_case(&weekday[..3], &text),
            Some("D") => (at.weekday().number_days_from_sunday() + 1).to_string(),
            Some("HH24") => format!("{:02}", at.hour()),
            Some("HH12" | "HH") => format!("{hour12:02}"),
            Some("MI") => format!("{:02}", at.minute()),
            Some("SS") => format!("{:02}", at.second()),
            Some("MS") => format!("{:03}", at.millisecond()),
            Some("US") => format!("{:06}", at.microsecond()),
            Some("AM" | "PM") => in_case(if at.hour() < 12 { "AM" } else { "PM" }, &text),
            Some("Q") => calendar::part_of(Part::Quarter, at).to_string(),
            Some("WW") => format!("{:02}", (at.ordinal() - 1) / 7 + 1),
            Some("IW") => format!("{:02}", at.iso_week()),
            Some("J") => at.to_julian_day().to_string(),
            Some(other) => return Err(format!("the format {other} is not known")),
        };
        out.push_str(&written);
    }
    text_value(out)
}

/// Reads a text by a format, as TO_DATE and TO_TIMESTAMP do.
fn parse_format(arguments: &Arguments) -> Result<PrimitiveDateTime, String> {
    let (text, format) = (arguments.text(0), arguments.text(1));
    let refusal = || format!("invalid value \"{text}\" for the format \"{format}\"");
    let (mut year, mut month, mut day) = (1, 1_u8, 1_u8);
    let (mut hour, mut minute, mut second, mut microsecond) = (0_u8, 0_u8, 0_u8, 0_u32);
    let mut afternoon = None;
    let mut rest = text.trim();
    for (field, _) in fields(&format) {
        let Some(field) = field else {
            rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
            continue;
        };
        if matches!(field, "MON" | "MONTH" | "DAY" | "DY" | "AM" | "PM") {
            let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
            let word = rest[..end].to_lowercase();
            rest = &rest[end..];
            match field {
                "MON" | "MONTH" => month = month_named(&word).ok_or_else(refusal)?,
                "AM" | "PM" => afternoon = Some(word == "pm"),
                _ => {}
            }
            continue;
        }
        let most = match field {
            "YYYY" => 4,
            "DDD" | "MS" => 3,
            "US" => 6,
            _ => 2,
        };
        let end = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.split_at(end);
        let number: u32 = digits.parse().map_err(|_not_a_number| refusal())?;
        let small = || u8::try_from(number).map_err(|_too_large| refusal());
        match field {
            "YYYY" => year = i32::try_from(number).map_err(|_too_large| refusal())?,
            "YY" => year = 2000 + i32::try_from(number).map_err(|_too_large| refusal())?,
            "MM" => month = small()?,
            "DD" => day = small()?,
            "HH24" | "HH12" | "HH" => hour = small()?,
            "MI" => minute = small()?,
            "SS" => second = small()?,
            "MS" => microsecond = number * 1_000,
            "US" => microsecond = number,
            _ => return Err(format!("the format {field} cannot be read")),
        }
        rest = after;
    }
    match afternoon {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ => {}
    }
    let date = calendar::date(year, month, day).ok_or_else(refusal)?;
    let time = Time::from_hms_micro(hour, minute, second, microsecond);
    Ok(PrimitiveDateTime::new(date, time.map_err(|_no_such_time| refusal())?))
}

fn month_named(word: &str) -> Option<u8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let index = MONTHS.iter().position(|month| word.starts_with(month))?;
    u8::try_from(index + 1).ok()
}
