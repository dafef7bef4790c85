//! Journal entries as rows: one form for every kind.
//!
//! What was asked is `input`, what came of it is `outcome`. A mutating call is two rows, its intent
//! and its outcome; the second repeats what the call was, so that each row can be read alone.

use std::collections::HashMap;

use piton_core::entry::{Body, CallResult, Intent, Outcome, StoredEntry};
use piton_core::ports::AwsError;
use piton_core::secret::masked;
use piton_core::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// One row of `journal`.
#[derive(Debug, Serialize)]
pub(crate) struct EntryView {
    pub(crate) seq: u64,
    pub(crate) key: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) class: Option<&'static str>,
    pub(crate) input: Value,
    pub(crate) outcome: Value,
    pub(crate) error: Option<AwsError>,
    pub(crate) token: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) hash: String,
}

/// Turns entries into rows, in order.
#[derive(Default)]
pub(crate) struct Rows {
    intents: HashMap<String, Intent>,
}

impl Rows {
    /// The row of the next entry.
    pub(crate) fn row(&mut self, stored: &StoredEntry) -> EntryView {
        let entry = &stored.entry;
        let mut row = EntryView {
            seq: stored.seq,
            key: entry.key.as_ref().map(|key| key.as_str().to_owned()),
            kind: entry.body.kind(),
            service: None,
            operation: None,
            account: None,
            class: None,
            input: Value::Null,
            outcome: Value::Null,
            error: None,
            token: None,
            at: entry.at,
            hash: stored.hash.to_string(),
        };
        match &entry.body {
            Body::Intent(intent) => {
                row.describe(intent);
                row.input = masked(&intent.input);
                row.token.clone_from(&intent.token);
                self.intents.insert(row.key.clone().unwrap_or_default(), intent.clone());
            }
            Body::Outcome(outcome) => self.outcome(&mut row, outcome),
            Body::Started(_)
            | Body::StepOpened(_)
            | Body::WaitOpened(_)
            | Body::GateOpened(_)
            | Body::BranchesOpened(_)
            | Body::Undo(_) => row.input = body(stored),
            _ => row.outcome = body(stored),
        }
        row
    }

    fn outcome(&mut self, row: &mut EntryView, outcome: &Outcome) {
        match &outcome.read {
            Some(read) => {
                row.service = Some(read.service.clone());
                row.operation = Some(read.operation.clone());
                row.account = Some(read.account.to_string());
                row.class = Some("read");
                row.input = masked(&read.input);
            }
            None => {
                let key = row.key.clone().unwrap_or_default();
                if let Some(intent) = self.intents.remove(&key) {
                    row.describe(&intent);
                }
            }
        }
        match &outcome.result {
            CallResult::Value(value) => row.outcome = masked(value),
            CallResult::Error(error) => row.error = Some(error.clone()),
        }
    }
}

impl EntryView {
    fn describe(&mut self, intent: &Intent) {
        self.service = Some(intent.service.clone());
        self.operation = Some(intent.operation.clone());
        self.account = Some(intent.account.to_string());
        self.class = Some(intent.class.as_str());
    }

    /// The row on one line, for people.
    pub(crate) fn line(&self) -> String {
        let at = super::moment(self.at);
        let what = match (&self.service, &self.operation) {
            (Some(service), Some(operation)) => format!("{service}.{operation}"),
            _ => self.gist(),
        };
        let account = self.account.as_ref().map_or_else(String::new, |as_| format!(" as {as_}"));
        let error = self
            .error
            .as_ref()
            .map_or_else(String::new, |error| format!(": {}: {}", error.code, error.message));
        let key = self.key.as_ref().filter(|key| !key.is_empty());
        let key = key.map_or_else(String::new, |key| format!("  ({key})"));
        format!("{:>5}  {at}  {:<12} {what}{account}{error}{key}", self.seq, self.kind)
    }

    /// What tells entries of one kind apart.
    fn gist(&self) -> String {
        let data = if self.input.is_null() { &self.outcome } else { &self.input };
        let member = ["gate", "name", "path", "text", "source", "runbook", "end", "reason", "by"]
            .iter()
            .find_map(|name| data.get(name));
        match member {
            Some(Value::String(text)) => text.lines().next().unwrap_or_default().to_owned(),
            Some(Value::Object(reason)) => {
                reason.get("why").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }
}

/// The body as plain data, secrets masked.
fn body(stored: &StoredEntry) -> Value {
    serde_json::from_str(&stored.text).map_or_else(|_| json!(stored.text), |value| masked(&value))
}
