//! The sentences of an explanation: the facts of an operation, type and constraints of a member.

use super::{MemberView, OperationView};

/// A bound from here on is the largest number of a type, and bounds nothing.
const UNBOUNDED: f64 = 2_147_483_647.0;

/// One thing that is known of an operation.
pub struct Fact {
    /// What it is about, `class`.
    pub what: &'static str,
    /// What holds.
    pub said: String,
}

/// What is known of an operation beside its members and errors, in the order of importance.
pub fn facts(view: &OperationView) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |what, said: String| facts.push(Fact { what, said });
    let class = match &view.why {
        Some(why) => format!("{}: {why}", view.class),
        None => view.class.to_owned(),
    };
    fact("class", class);
    if let Some(token) = &view.token {
        let counts = match &view.token_counts_for {
            Some(span) => format!("; in a doubt it counts: {span}"),
            None => String::new(),
        };
        fact("token", format!("{token}, filled by the engine{counts}"));
    }
    if let Some(find) = &view.found_by {
        let key = view.natural_key.join(", ");
        let key = if key.is_empty() { "none".to_owned() } else { key };
        fact("natural key", format!("{key}; looked up by {find}"));
    }
    if let Some(inverse) = &view.inverse {
        let when = match inverse.when.as_object() {
            Some(when) if !when.is_empty() => {
                let when: Vec<String> =
                    when.iter().map(|(place, wanted)| said_condition(place, wanted)).collect();
                format!(" when {}", when.join(" and "))
            }
            _ => String::new(),
        };
        fact("taken back by", format!("{}{when}", inverse.operation));
    }
    if let Some(why) = &view.irreversible {
        fact("irreversible", why.clone());
    }
    if let Some(states) = &view.states {
        let mut parts = Vec::new();
        let mut done: Vec<&str> = states.ok.iter().map(String::as_str).collect();
        if !states.gone.is_empty() {
            done.push("gone");
        }
        parts.push(format!("{} {} until {}", states.read, states.path, done.join(" or ")));
        if !states.progress.is_empty() {
            parts.push(format!("on the way: {}", states.progress.join(", ")));
        }
        if !states.fail.is_empty() {
            parts.push(format!("failed: {}", states.fail.join(", ")));
        }
        fact("states", parts.join("; "));
    }
    if view.pages {
        fact("pages", format!("{}_all reads every page", view.operation));
    }
    facts
}

fn said_condition(place: &str, wanted: &serde_json::Value) -> String {
    let place = place.trim_start_matches("$input.");
    match wanted.is_null() {
        true => format!("{place} is absent"),
        false => format!("{place} is {wanted}"),
    }
}

/// Type and constraints of a member in a line.
pub fn described(member: &MemberView) -> String {
    let mut parts = vec![member.kind.clone()];
    if member.required {
        parts.push("required".to_owned());
    }
    parts.extend(bounds(member.min, member.max, member.unit));
    if member.element_min.is_some() || member.element_max.is_some() {
        let unit = match member.kind.split_once(" of ") {
            Some((_, "string")) => Some("characters"),
            Some((_, held)) if held.contains(" of ") => Some("elements"),
            _ => None,
        };
        let each = bounds(member.element_min, member.element_max, unit);
        parts.extend(each.map(|each| format!("each {each}")));
    }
    if let Some(pattern) = &member.pattern {
        parts.push(format!("pattern {pattern}"));
    }
    if !member.choices.is_empty() {
        parts.push(format!("one of {}", member.choices.join(", ")));
    }
    parts.join(", ")
}

fn bounds(min: Option<f64>, max: Option<f64>, unit: Option<&str>) -> Option<String> {
    let max = max.filter(|max| *max < UNBOUNDED);
    let range = match (min, max) {
        (None, None) => return None,
        (Some(min), Some(max)) if min == max => format!("{min}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
    };
    Some(match unit {
        Some(unit) if range == "1" => format!("{range} {}", unit.trim_end_matches('s')),
        Some(unit) => format!("{range} {unit}"),
        None => range,
    })
}
