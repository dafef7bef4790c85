//! Dates and times as Redshift counts and writes them.
//!
//! Values are text in the warehouse (`2026-01-31`, `2026-01-31 13:04:05.5`); this module parses,
//! moves and formats them. Time zones other than UTC and fixed offsets are not known.

use std::fmt;

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// A part of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Millennium,
    Century,
    Decade,
    Year,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

impl Part {
    /// The part that Redshift calls so, abbreviations included.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.trim_matches('\'').to_lowercase().as_str() {
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            "century" | "centuries" | "c" | "cent" | "cents" => Self::Century,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "year" | "years" | "y" | "yr" | "yrs" => Self::Year,
            "quarter" | "quarters" | "qtr" | "qtrs" => Self::Quarter,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "week" | "weeks" | "w" => Self::Week,
            "day" | "days" | "d" => Self::Day,
            "dayofweek" | "dow" | "dw" | "weekday" => Self::DayOfWeek,
            "dayofyear" | "doy" | "dy" | "yearday" => Self::DayOfYear,
            "hour" | "hours" | "h" | "hr" | "hrs" => Self::Hour,
            "minute" | "minutes" | "m" | "min" | "mins" => Self::Minute,
            "second" | "seconds" | "s" | "sec" | "secs" => Self::Second,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "mseconds" => {
                Self::Millisecond
            }
            "microsecond" | "microseconds" | "microsec" | "microsecs" | "us" | "usec" | "usecs" => {
                Self::Microsecond
            }
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }

    /// The full name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Millennium => "millennium",
            Self::Century => "century",
            Self::Decade => "decade",
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::DayOfWeek => "dow",
            Self::DayOfYear => "doy",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::Millisecond => "millisecond",
            Self::Microsecond => "microsecond",
            Self::Epoch => "epoch",
        }
    }

    /// Months in one of these, when it is made of months.
    fn months(self) -> Option<i64> {
        Some(match self {
            Self::Millennium => 12_000,
            Self::Century => 1_200,
            Self::Decade => 120,
            Self::Year => 12,
            Self::Quarter => 3,
            Self::Month => 1,
            _ => return None,
        })
    }

    /// Microseconds in one of these, when it is made of seconds.
    fn microseconds(self) -> Option<i64> {
        Some(match self {
            Self::Week => 604_800_000_000,
            Self::Day | Self::DayOfWeek | Self::DayOfYear => 86_400_000_000,
            Self::Hour => 3_600_000_000,
            Self::Minute => 60_000_000,
            Self::Second | Self::Epoch => 1_000_000,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1,
            _ => return None,
        })
    }
}

/// A span of time: months and microseconds, which do not convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) months: i64,
    pub(super) microseconds: i64,
}

impl Span {
    /// Reads `1 day 2 hours`, or a bare number in `unit`.
    pub(super) fn parse(text: &str, unit: Option<&str>) -> Option<Self> {
        let mut span = Self::default();
        let spaced = text.replace(',', " ");
        let mut words = spaced.split_whitespace().peekable();
        words.peek()?;
        while let Some(word) = words.next() {
            let split = word.find(|c: char| c.is_alphabetic()).unwrap_or(word.len());
            let (number, glued) = word.split_at(split);
            let count: f64 = number.parse().ok()?;
            let unit = match (glued, unit) {
                ("", Some(unit)) => unit,
                ("", None) => words.next()?,
                (glued, _) => glued,
            };
            span.add(Part::named(unit)?, count)?;
        }
        Some(span)
    }

    #[expect(clippy::cast_possible_truncation, reason = "spans beyond 292 thousand years saturate")]
    fn add(&mut self, part: Part, count: f64) -> Option<()> {
        match (part.months(), part.microseconds()) {
            (Some(months), _) => self.months += (count * months as f64).round() as i64,
            (_, Some(microseconds)) => {
                self.microseconds += (count * microseconds as f64).round() as i64;
            }
            _ => return None,
        }
        Some(())
    }

    /// Reads what [`Span`]'s Display writes.
    pub(super) fn stored(text: &str) -> Option<Self> {
        let (months, microseconds) = text.split_once(':')?;
        Some(Self { months: months.parse().ok()?, microseconds: microseconds.parse().ok()? })
    }

    pub(super) fn times(self, factor: i64) -> Self {
        Self { months: self.months * factor, microseconds: self.microseconds * factor }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.months, self.microseconds)
    }
}

/// A moment of the clock without its zone, which is UTC.
pub(super) fn plain(at: OffsetDateTime) -> PrimitiveDateTime {
    let at = at.to_offset(UtcOffset::UTC);
    PrimitiveDateTime::new(at.date(), at.time())
}

/// `2026-01-31`.
pub(super) fn date_text(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// `13:04:05`, with as much of a fraction as there is.
pub(super) fn time_text(time: Time) -> String {
    let whole = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    match time.microsecond() {
        0 => whole,
        fraction => format!("{whole}.{fraction:06}").trim_end_matches('0').to_owned(),
    }
}

/// `2026-01-31 13:04:05`.
pub(super) fn moment_text(moment: PrimitiveDateTime) -> String {
    format!("{} {}", date_text(moment.date()), time_text(moment.time()))
}

/// Reads a date or timestamp; an offset at its end brings it to UTC.
pub(super) fn parse(text: &str) -> Option<PrimitiveDateTime> {
    let text = text.trim();
    let split = text.find(['T', ' ']).filter(|_| !text.starts_with(char::is_alphabetic));
    let (date, rest) = match split {
        Some(index) => (&text[..index], text[index + 1..].trim()),
        None => (text, ""),
    };
    let date = parse_date(date)?;
    if rest.is_empty() {
        return Some(PrimitiveDateTime::new(date, Time::MIDNIGHT));
    }
    let (clock, offset) = split_offset(rest)?;
    let moment = PrimitiveDateTime::new(date, parse_time(clock)?);
    moment.checked_sub(Duration::seconds(offset))
}

fn parse_date(text: &str) -> Option<Date> {
    let numbers: Vec<&str> = text.split(['-', '/', '.']).collect();
    let (year, month, day) = match numbers[..] {
        [year, month, day] if year.len() == 4 => (year, month, day),
        [month, day, year] if year.len() == 4 => (year, month, day),
        [digits] if digits.len() == 8 && digits.is_ascii() => {
            (&digits[..4], &digits[4..6], &digits[6..])
        }
        _ => return None,
    };
    date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// A date, when there is such a day.
pub(super) fn date(year: i32, month: u8, day: u8) -> Option<Date> {
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

/// Reads `13:04`, `13:04:05` or `13:04:05.5`.
pub(super) fn parse_time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let (second, fraction) = match parts.next() {
        None => ("0", ""),
        Some(seconds) => seconds.split_once('.').unwrap_or((seconds, "")),
    };
    if parts.next().is_some() || !fraction.is_ascii() {
        return None;
    }
    let microsecond = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Time::from_hms_micro(hour, minute, second.parse().ok()?, microsecond).ok()
}

/// A clock time and the seconds of the offset behind it.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let upper = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if upper.len() < text.len() {
        let zone = text[upper.len()..].to_uppercase();
        return matches!(zone.as_str(), "Z" | "UTC" | "GMT").then_some((upper.trim(), 0));
    }
    let Some(index) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (clock, offset) = text.split_at(index);
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i64 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    let seconds = hours.parse::<i64>().ok()? * 3600 + minutes * 60;
    Some((clock.trim(), if offset.starts_with('-') { -seconds } else { seconds }))
}

/// The moment this many months later; a day that the month does not have becomes its last.
pub(super) fn add_months(moment: PrimitiveDateTime, months: i64) -> Option<PrimitiveDateTime> {
    let index = i64::from(moment.year()) * 12 + i64::from(u8::from(moment.month())) - 1 + months;
    let year = i32::try_from(index.div_euclid(12)).ok()?;
    let month = Month::try_from(u8::try_from(index.rem_euclid(12)).ok()? + 1).ok()?;
    let day = moment.day().min(month.length(year));
    Some(PrimitiveDateTime::new(Date::from_calendar_date(year, month, day).ok()?, moment.time()))
}

/// The moment a span later.
pub(super) fn add(moment: PrimitiveDateTime, span: Span) -> Option<PrimitiveDateTime> {
    add_months(moment, span.months)?.checked_add(Duration::microseconds(span.microseconds))
}

/// The moment `count` parts later, as DATEADD does it.
pub(super) fn add_part(
    moment: PrimitiveDateTime,
    part: Part,
    count: i64,
) -> Option<PrimitiveDateTime> {
    let span = Span {
        months: part.months().unwrap_or(0).checked_mul(count)?,
        microseconds: part.microseconds().unwrap_or(0).checked_mul(count)?,
    };
    add(moment, span)
}

/// The boundaries of a part that lie between two moments, as DATEDIFF counts them.
pub(super) fn difference(part: Part, from: PrimitiveDateTime, to: PrimitiveDateTime) -> i64 {
    let months =
        |at: PrimitiveDateTime| i64::from(at.year()) * 12 + i64::from(u8::from(at.month())) - 1;
    if let Some(size) = part.months() {
        return months(to).div_euclid(size) - months(from).div_euclid(size);
    }
    let size = i128::from(part.microseconds().unwrap_or(1));
    let ticks = |at: PrimitiveDateTime| {
        // A week begins on Sunday when it is counted; day 0 was a Thursday.
        let shift = if part == Part::Week { 4 * 86_400_000_000_i128 } else { 0 };
        (at.assume_utc().unix_timestamp_nanos() / 1_000 + shift).div_euclid(size)
    };
    i64::try_from(ticks(to) - ticks(from)).unwrap_or(i64::MAX)
}

/// The beginning of the part that a moment is in, as DATE_TRUNC gives it.
pub(super) fn truncate(part: Part, moment: PrimitiveDateTime) -> Option<PrimitiveDateTime> {
    let midnight = moment.replace_time(Time::MIDNIGHT);
    if let Some(size) = part.months() {
        let index = i64::from(moment.year()) * 12 + i64::from(u8::from(moment.month())) - 1;
        let start = index.div_euclid(size) * size;
        let first = midnight.replace_day(1).ok()?;
        return add_months(first, start - index);
    }
    match part {
        Part::Week => {
            let days = i64::from(moment.weekday().number_days_from_monday());
            midnight.checked_sub(Duration::days(days))
        }
        Part::Day | Part::DayOfWeek | Part::DayOfYear => Some(midnight),
        _ => {
            let size = part.microseconds()?;
            let since = (moment - midnight).whole_microseconds();
            let kept = i64::try_from(since).ok()?.div_euclid(size) * size;
            midnight.checked_add(Duration::microseconds(kept))
        }
    }
}

/// The number of a part, as EXTRACT gives it.
pub(super) fn part_of(part: Part, moment: PrimitiveDateTime) -> i64 {
    let year = i64::from(moment.year());
    match part {
        Part::Millennium => (year + 999) / 1000,
        Part::Century => (year + 99) / 100,
        Part::Decade => year / 10,
        Part::Year => year,
        Part::Quarter => i64::from((u8::from(moment.month()) - 1) / 3 + 1),
        Part::Month => i64::from(u8::from(moment.month())),
        Part::Week => i64::from(moment.iso_week()),
        Part::Day => i64::from(moment.day()),
        Part::DayOfWeek => i64::from(moment.weekday().number_days_from_sunday()),
        Part::DayOfYear => i64::from(moment.ordinal()),
        Part::Hour => i64::from(moment.hour()),
        Part::Minute => i64::from(moment.minute()),
        Part::Second => i64::from(moment.second()),
        Part::Millisecond => i64::from(moment.millisecond()),
        Part::Microsecond => i64::from(moment.microsecond()),
        Part::Epoch => moment.assume_utc().unix_timestamp(),
    }
}

/// Months between two moments as MONTHS_BETWEEN has them: whole when the days agree.
pub(super) fn months_between(later: PrimitiveDateTime, earlier: PrimitiveDateTime) -> f64 {
    let whole = difference(Part::Month, earlier, later) as f64;
    let last = |at: PrimitiveDateTime| at.day() == at.month().length(at.year());
    if later.day() == earlier.day() || (last(later) && last(earlier)) {
        return whole;
    }
    whole + (f64::from(later.day()) - f64::from(earlier.day())) / 31.0
}
