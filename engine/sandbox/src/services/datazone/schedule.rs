//! When a data source runs by itself: the cron expressions that DataZone takes.
//!
//! Minute and hour are plain numbers, as the model demands; days, months and weekdays may be `*`,
//! `?`, numbers, names, lists, ranges and steps. Times are UTC: other zones are refused, because a
//! schedule that is silently hours off would teach the wrong thing.

use serde_json::Value;
use time::{Date, Duration, OffsetDateTime, Time};

use super::room::text;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A parsed schedule.
#[derive(Debug)]
pub(super) struct Schedule {
    time: Time,
    days: Vec<u32>,
    months: Vec<u32>,
    /// AWS counts from 1, Sunday.
    weekdays: Vec<u32>,
    years: Vec<u32>,
}

impl Schedule {
    /// Reads `{ schedule, timezone }`, or says what it does not understand.
    pub(super) fn parse(given: &Value) -> Result<Self, String> {
        let zone = text(given, "timezone");
        if !matches!(zone, "" | "UTC") {
            return Err(format!("The sandbox's schedules know UTC only, not {zone}"));
        }
        let expression = text(given, "schedule");
        let fields: Vec<&str> = expression
            .strip_prefix("cron(")
            .and_then(|rest| rest.strip_suffix(')'))
            .map(|inner| inner.split_whitespace().collect())
            .unwrap_or_default();
        let [minute, hour, day, month, weekday, year] = fields.as_slice() else {
            return Err(format!("The schedule {expression} is not cron() with six fields"));
        };
        let number = |field: &str| field.parse::<u8>().ok();
        let time = number(hour)
            .zip(number(minute))
            .and_then(|(hour, minute)| Time::from_hms(hour, minute, 0).ok())
            .ok_or_else(|| format!("The schedule {expression} has no plain minute and hour"))?;
        Ok(Self {
            time,
            days: values(day, 1, 31, &[])?,
            months: values(month, 1, 12, &MONTHS)?,
            weekdays: values(weekday, 1, 7, &WEEKDAYS)?,
            years: values(year, 1970, 2199, &[])?,
        })
    }

    /// The next moment after `now`, unless there is none within the next four years.
    pub(super) fn next_after(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let now = now.to_offset(time::UtcOffset::UTC);
        (0..4 * 366)
            .map(|days| now + Duration::days(days))
            .filter(|day| self.has_day(day.date()))
            .map(|day| day.replace_time(self.time))
            .find(|moment| *moment > now)
    }

    fn has_day(&self, date: Date) -> bool {
        let weekday = u32::from(date.weekday().number_days_from_sunday()) + 1;
        self.days.contains(&u32::from(date.day()))
            && self.months.contains(&u32::from(u8::from(date.month())))
            && self.weekdays.contains(&weekday)
            && u32::try_from(date.year()).is_ok_and(|year| self.years.contains(&year))
    }
}

/// The numbers that one field stands for.
fn values(field: &str, low: u32, high: u32, names: &[&str]) -> Result<Vec<u32>, String> {
    let refused = || format!("The sandbox does not understand {field} in a schedule");
    let number = |word: &str| -> Result<u32, String> {
        let named = names.iter().zip(low..).find(|(name, _)| name.eq_ignore_ascii_case(word));
        match named {
            Some((_, number)) => Ok(number),
            None => {
                word.parse().ok().filter(|number| (low..=high).contains(number)).ok_or_else(refused)
            }
        }
    };
    let mut all = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().map_err(|_| refused())?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None if matches!(range, "*" | "?") => (low, high),
            None if step > 1 => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        all.extend((first..=last).step_by(step.max(1)));
    }
    Ok(all)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::Schedule;

    fn schedule(expression: &str) -> Result<Schedule, String> {
        Schedule::parse(&json!({ "schedule": expression, "timezone": "UTC" }))
    }

    #[test]
    fn a_daily_schedule_is_today_or_tomorrow() {
        let daily = schedule("cron(30 6 * * ? *)").unwrap();
        let next = |now| daily.next_after(now).unwrap();
        assert_eq!(next(datetime!(2026-03-01 06:00 UTC)), datetime!(2026-03-01 06:30 UTC));
        assert_eq!(next(datetime!(2026-03-01 06:30 UTC)), datetime!(2026-03-02 06:30 UTC));
    }

    #[test]
    fn weekdays_count_from_sunday_and_may_be_named() {
        let monday = schedule("cron(0 0 ? * MON *)").unwrap();
        let second = schedule("cron(0 0 ? * 2 *)").unwrap();
        let now = datetime!(2026-03-04 12:00 UTC);
        assert_eq!(monday.next_after(now), second.next_after(now));
        assert_eq!(monday.next_after(now).unwrap(), datetime!(2026-03-09 00:00 UTC));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(schedule("cron(0 0 L * ? *)").is_err());
        assert!(schedule("rate(1 day)").is_err());
        let elsewhere = json!({ "schedule": "cron(0 0 * * ? *)", "timezone": "EUROPE_PARIS" });
        assert!(Schedule::parse(&elsewhere).is_err());
    }
}
