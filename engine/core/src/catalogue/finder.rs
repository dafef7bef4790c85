//! Searches for what a call in doubt may have made or removed.
//!
//! A candidate is held against the call in three ways: the natural key and the other inputs, when it
//! was made, and who made it. Only what agrees in all that AWS shows is taken for the call's own;
//! whatever else may be from it is for a person, with the differences.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::look::{FieldChange, normal};
use super::template::{Scope, part, places};
use crate::account::without_session;
use crate::status::Candidate;
use crate::time::{Span, Timestamp};

/// How to look for what a call in doubt may have made. Inputs and outputs are templates over
/// `$input` and `$found`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finder {
    /// Script's name of the operation that looks, of the same service; `..._all` reads every page.
    pub operation: String,
    /// Template of its input.
    pub input: Value,
    /// Where its output has candidates, a dotted path; absent when the output is the candidate.
    #[serde(default)]
    pub items: Option<String>,
    /// What a candidate must have: dotted path to template. A list stands for any of its elements.
    #[serde(default, rename = "where")]
    pub matches: BTreeMap<String, Value>,
    /// Dotted paths of what a candidate must have at all.
    #[serde(default)]
    pub has: Vec<String>,
    /// Where a candidate has its time of creation: an older one is not from this call.
    #[serde(default)]
    pub created: Option<String>,
    /// Where a candidate says who made it.
    #[serde(default)]
    pub creator: Option<Creator>,
    /// Nothing proves that a candidate is from this call: it is shown to a person, never adopted.
    #[serde(default)]
    pub unproven: bool,
    /// Dotted path of a candidate's id, for people.
    #[serde(default)]
    pub id: Option<String>,
    /// A second read that answers what the call would have answered, input by template.
    #[serde(default)]
    pub then: Option<Then>,
    /// Template of the output to go on with; absent when the (second) answer is that output.
    #[serde(default)]
    pub output: Option<Value>,
    /// Error codes of the search that mean: there is none.
    #[serde(default)]
    pub none_on: Vec<String>,
    /// The call removes: no candidate means that it had its effect, with this output.
    #[serde(default)]
    pub gone_is_done: bool,
    /// Values of members that say of a candidate that it is on its way out.
    #[serde(default)]
    pub leaving: BTreeMap<String, Vec<Value>>,
}

/// A second read of a [`Finder`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// Script's name of the operation.
    pub operation: String,
    /// Template of its input.
    pub input: Value,
}

/// Where a thing says who made it, and what it calls people.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creator {
    /// Dotted path in a candidate.
    pub path: String,
    /// What stands there.
    pub is: CreatorName,
}

/// What a service calls the one who made a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreatorName {
    /// The ARN of a user or role, with or without a session.
    Arn,
    /// The id of their profile in the DataZone domain.
    Profile,
}

/// What a search for a call in doubt found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nothing: the call had no effect.
    Nothing,
    /// Exactly one thing that can be from this call by key and time.
    One(Value),
    /// Some that may be: a person decides.
    Several(Vec<Candidate>),
}

/// Clocks of AWS and of this machine may differ by this much before a candidate counts as older
/// than the call.
pub(super) const CLOCK_SKEW: Span = Span::from_secs(60);

impl Finder {
    /// The members of the call's input that make up the natural key, in order of name.
    pub fn natural_key(&self) -> Vec<&str> {
        let searched = places(&self.input);
        let compared = self.matches.values().flat_map(places);
        let mut key: Vec<&str> = searched
            .into_iter()
            .chain(compared)
            .filter_map(|it| it.strip_prefix("$input."))
            .collect();
        key.sort_unstable();
        key.dedup();
        key
    }

    /// The input of the search for a call with `input`.
    pub fn search_input(&self, input: &Value) -> Value {
        Scope::searched(input, &Value::Null).fill(&self.input)
    }

    /// What the answer of the search says about the call that was sent at `sent_at`.
    pub fn judge(&self, input: &Value, answer: &Value, sent_at: Timestamp) -> Found {
        let all: Vec<&Value> = match &self.items {
            None => vec![answer],
            Some(path) => match part(answer, path) {
                Value::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            },
        };
        let mut candidates: Vec<&Value> = all
            .into_iter()
            .filter(|candidate| self.fits(input, candidate))
            // A candidate that does not say when it was made cannot be ruled out.
            .filter(|candidate| !self.is_older(candidate, sent_at))
            .collect();
        match candidates.len() {
            0 => Found::Nothing,
            1 if !self.unproven => Found::One(candidates.remove(0).clone()),
            _ => Found::Several(candidates.into_iter().map(|one| self.candidate(one)).collect()),
        }
    }

    fn fits(&self, input: &Value, candidate: &Value) -> bool {
        self.matches.iter().all(|(path, template)| {
            let wanted = Scope::searched(input, candidate).fill(template);
            wanted.is_null() || is_wanted(&wanted, part(candidate, path))
        }) && self.has.iter().all(|path| !part(candidate, path).is_null())
    }

    /// Whether a candidate says that it is on its way out.
    pub fn is_leaving(&self, candidate: &Value) -> bool {
        self.leaving.iter().any(|(path, values)| values.contains(part(candidate, path)))
    }

    /// Whether a candidate says that it was made before a call that was sent at `sent_at`.
    pub fn is_older(&self, candidate: &Value, sent_at: Timestamp) -> bool {
        self.created_at(candidate).is_some_and(|created| created.after(CLOCK_SKEW) < sent_at)
    }

    /// When a candidate was made, as it says.
    fn created_at(&self, candidate: &Value) -> Option<Timestamp> {
        match part(candidate, self.created.as_ref()?) {
            Value::String(text) => text.parse().ok(),
            Value::Number(seconds) => {
                seconds.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64))
            }
            _ => None,
        }
    }

    /// A thing that was found, for people.
    pub fn candidate(&self, thing: &Value) -> Candidate {
        let text = |path: &str| part(thing, path).as_str().map(str::to_owned);
        Candidate {
            id: self.candidate_id(thing),
            output: thing.clone(),
            name: text("name").or_else(|| text("Name")),
            created_at: self.created_at(thing),
            created_by: self.creator.as_ref().and_then(|creator| text(&creator.path)),
            differences: Vec::new(),
        }
    }

    /// A candidate's id, for people.
    pub fn candidate_id(&self, candidate: &Value) -> String {
        let id = self.id.as_ref().map_or(&Value::Null, |path| part(candidate, path));
        id.as_str().map_or_else(|| candidate.to_string(), str::to_owned)
    }

    /// What a thing shows otherwise than the call asked for it: texts, numbers and truth values under
    /// the same names, at the top of the input and one level below. What the thing does not show is
    /// not compared, nor are names that AWS may write in another form.
    pub fn differences(&self, input: &Value, whole: &Value) -> Vec<FieldChange> {
        let mut found = Vec::new();
        for (name, asked) in input.as_object().into_iter().flatten() {
            match asked {
                Value::Object(members) => {
                    for (member, asked) in members {
                        let path = format!("{name}.{member}");
                        found.extend(differs(path, asked, shown(whole, member)));
                    }
                }
                asked => found.extend(differs(name.clone(), asked, shown(whole, name))),
            }
        }
        found
    }

    /// That a thing says that somebody else made it; nothing when it does not say, or names `us`.
    pub fn other_creator(&self, thing: &Value, us: Option<&str>) -> Option<FieldChange> {
        let Creator { path, .. } = self.creator.as_ref()?;
        let (by, us) = (part(thing, path).as_str()?, us?);
        (without_session(by) != without_session(us)).then(|| FieldChange {
            field: path.clone(),
            was: Value::String(us.to_owned()),
            is: Value::String(by.to_owned()),
        })
    }

    /// The second read for a candidate, when there is one: operation and input.
    pub fn then_input(&self, input: &Value, found: &Value) -> Option<(&str, Value)> {
        let scope = Scope::searched(input, found);
        self.then.as_ref().map(|then| (then.operation.as_str(), scope.fill(&then.input)))
    }

    /// The output that the run goes on with.
    pub fn adopted_output(&self, input: &Value, found: &Value) -> Value {
        let scope = Scope::searched(input, found);
        self.output.as_ref().map_or_else(|| found.clone(), |output| scope.fill(output))
    }
}

/// Whether a member is what is wanted, or one of what is wanted.
fn is_wanted(wanted: &Value, shown: &Value) -> bool {
    match (wanted, shown) {
        (Value::Array(any), Value::Array(all)) => all.iter().any(|one| any.contains(one)),
        (Value::Array(any), one) => any.contains(one),
        (wanted, shown) => wanted == shown,
    }
}

/// What a thing shows under a name: at its top, else in the one object that it consists of.
fn shown<'a>(whole: &'a Value, name: &str) -> &'a Value {
    let Some(members) = whole.as_object() else { return &Value::Null };
    let only = || members.values().next().filter(|_| members.len() == 1);
    members.get(name).or_else(|| only()?.get(name)).unwrap_or(&Value::Null)
}

/// The difference between what was asked and what is shown, where both can be compared.
fn differs(field: String, asked: &Value, is: &Value) -> Option<FieldChange> {
    let (wanted, shows) = (normal(asked), normal(is));
    let is_plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let same = match (&wanted, &shows) {
        (Value::String(ours), Value::String(theirs)) => {
            is_other_form(ours, theirs) || ours.trim().eq_ignore_ascii_case(theirs.trim())
        }
        // A policy is compared as what it says.
        (Value::Object(_), Value::Object(_)) if asked.is_string() => wanted == shows,
        _ if is_plain(&wanted) && is_plain(&shows) => wanted == shows,
        _ => true,
    };
    (!same).then(|| FieldChange { field, was: asked.clone(), is: is.clone() })
}

/// Whether one is a name and the other an ARN or an alias: both may stand for one thing.
fn is_other_form(one: &str, other: &str) -> bool {
    let is_long = |text: &str| text.starts_with("arn:") || text.starts_with("alias/");
    is_long(one) != is_long(other)
}
