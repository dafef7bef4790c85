//! What a run came to, and whether another one came to the same.

use std::collections::{BTreeMap, BTreeSet};

use piton_core::catalogue::Class;
use piton_core::entry::Body;
use piton_core::ports::{JournalError, RunId};
use serde_json::{Value, json};

use super::comparison::{Change, Order, changes, lasting_text};
use super::{Effect, Stage};
use crate::engine::RunnerError;
use crate::report::Report;

/// Differences that are shown of one crash.
const SHOWN: usize = 8;

/// Members of a report that tell when and how often something happened, not what.
const OF_A_DRIVING: [&str; 20] = [
    "adopted",
    "at",
    "attempt",
    "digest",
    "doubts",
    "ended_at",
    "entries",
    "expires_at",
    "journal_hash",
    "reads",
    "request_id",
    "seq",
    "started_at",
    "suspensions",
    "timeline",
    "took",
    "until",
    "updated_at",
    "version",
    "world",
];

/// Where one run and everything it acted on stand.
pub(super) struct End {
    /// By run: status and report.
    reports: BTreeMap<RunId, Value>,
    resources: Value,
    /// How often each call changed the world.
    effects: BTreeMap<String, Effects>,
    /// Keys with the kinds of their entries, by run.
    entries: BTreeSet<String>,
    has_branches: bool,
}

struct Effects {
    count: usize,
    is_harmless: bool,
}

/// One call as it counts: who asked for what, tokens aside.
pub(super) fn of_effect(effect: &Effect) -> String {
    let mut input = effect.input.clone();
    let tokens = token_members(&effect.service, &effect.operation);
    if let Some(members) = input.as_object_mut() {
        members.retain(|name, _| !tokens.contains(&name.as_str()));
    }
    let Effect { account, service, operation, .. } = effect;
    format!("{service}.{operation} in {account}: {input}")
}

fn token_members(service: &str, operation: &str) -> Vec<&'static str> {
    let mut members = vec!["clientToken", "ClientToken", "ClientRequestToken"];
    let model = piton_models::service(service);
    let member = model.and_then(|model| {
        let operation = model.operation_by_script_name(&piton_models::names::to_script(operation));
        operation.and_then(|operation| model.token_member(operation))
    });
    members.extend(member);
    members
}

/// Whether a repetition of a call is harmless: the same state again.
fn is_harmless(effect: &Effect) -> bool {
    let operation = piton_models::names::to_script(&effect.operation);
    let reviewed = piton_core::catalogue::reviewed(&effect.service, &operation);
    reviewed.is_some_and(|reviewed| reviewed.class == Class::Put)
}

impl End {
    /// The end of every run on a stage.
    pub(super) fn of(stage: &dyn Stage) -> Result<Self, RunnerError> {
        let journal = stage.engine().ports.journal;
        let mut end = Self {
            reports: BTreeMap::new(),
            resources: stage.resources()?,
            effects: BTreeMap::new(),
            entries: BTreeSet::new(),
            has_branches: false,
        };
        for row in journal.runs()? {
            let report = Report::load(journal.as_ref(), &row.run)?;
            let report = serde_json::to_value(&report).map_err(|error| JournalError::Entry {
                run: row.run.0.clone(),
                seq: 0,
                reason: error.to_string(),
            })?;
            end.reports.insert(row.run.clone(), lasting(report));
            for stored in journal.entries(&row.run, 0, usize::MAX)? {
                let kind = stored.entry.body.kind();
                end.has_branches |= matches!(stored.entry.body, Body::BranchesOpened(_));
                // How a doubt was settled is its crash's own.
                if let Some(key) = stored.entry.key.filter(|_| kind != "settled") {
                    end.entries.insert(format!("{} {key} {kind}", row.run));
                }
            }
        }
        let order = end.order();
        for effect in stage.effects(0)? {
            let is_harmless = is_harmless(&effect);
            let known = end.effects.entry(lasting_text(&of_effect(&effect), order));
            known.or_insert(Effects { count: 0, is_harmless }).count += 1;
        }
        Ok(end)
    }

    fn order(&self) -> Order {
        if self.has_branches { Order::Branches } else { Order::Same }
    }

    /// Where another end of `run` and of those that it called differs from this one.
    pub(super) fn differences(&self, other: &Self, of: &RunId) -> Vec<Change> {
        let order = self.order();
        let mut all = changes("resources", order, &self.resources, &other.resources, SHOWN);
        for (run, report) in &self.reports {
            let found = other.reports.get(run).unwrap_or(&Value::Null);
            let what = if run == of { "report".to_owned() } else { format!("report of {run}") };
            all.extend(changes(&what, order, report, found, SHOWN));
        }
        for (effect, here) in &other.effects {
            let before = self.effects.get(effect).map_or(0, |effects| effects.count);
            if here.count > before && !here.is_harmless {
                all.push(Change {
                    path: format!("times that it changed the world: {effect}"),
                    expected: json!(before),
                    found: json!(here.count),
                });
            }
        }
        for lost in self.entries.difference(&other.entries) {
            all.push(Change {
                path: format!("entry {lost}"),
                expected: json!(true),
                found: json!(false),
            });
        }
        all.truncate(SHOWN);
        all
    }
}

/// A report without what is one driving's own. Calls that a later attempt replaced are left out, and
/// lists whose order is that of time are in the order of their keys.
fn lasting(mut report: Value) -> Value {
    if let Some(calls) = report.get_mut("calls").and_then(Value::as_array_mut) {
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for call in std::mem::take(calls) {
            last.insert(call["key"].to_string(), call);
        }
        calls.extend(last.into_values());
    }
    for list in ["steps", "waits", "gates", "resources", "notes"] {
        if let Some(list) = report.get_mut(list).and_then(Value::as_array_mut) {
            list.sort_by_key(|item| {
                let part = |name: &str| item[name].to_string();
                (part("key"), part("path"), part("id"), part("text"))
            });
        }
    }
    without(report)
}

fn without(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(name, _)| OF_A_DRIVING.binary_search(&name.as_str()).is_err())
                .map(|(name, value)| (name, without(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without).collect()),
        other => other,
    }
}
