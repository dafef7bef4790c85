//! Looks into AWS that the reviewed table describes: what there is now, told apart from what there
//! is not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template::{Scope, part};

/// One read and what of its answer counts. Its input and `where` are templates over the call that
/// it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Script's name of the operation that reads, of the same service; `..._all` reads every page.
    pub operation: String,
    /// Template of its input.
    pub input: Value,
    /// Where its answer has the things, a dotted path; absent when the answer is the thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// What a thing must have: dotted path to template. A template that stands for nothing is not
    /// compared.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub matches: BTreeMap<String, Value>,
    /// Error codes of the read that mean: there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub none_on: Vec<String>,
}

impl Look {
    /// The look of a call that was answered: no place is left in it.
    #[must_use]
    pub fn about(&self, input: &Value, output: &Value) -> Self {
        let scope = Scope::answered(input, output);
        Self {
            input: scope.fill(&self.input),
            matches: self
                .matches
                .iter()
                .map(|(path, template)| (path.clone(), scope.fill(template)))
                .filter(|(_, wanted)| !wanted.is_null())
                .collect(),
            ..self.clone()
        }
    }

    /// The things of an answer that count. The places must have been filled in before.
    pub fn things<'a>(&self, answer: &'a Value) -> Vec<&'a Value> {
        let all: Vec<&Value> = match &self.items {
            None => vec![answer],
            Some(path) => match part(answer, path) {
                Value::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            },
        };
        let fits = |thing: &Value| {
            self.matches.iter().all(|(path, wanted)| match wanted {
                Value::Array(any) => any.contains(part(thing, path)),
                one => part(thing, path) == one,
            })
        };
        all.into_iter().filter(|thing| fits(thing)).collect()
    }
}

/// What a read shows of a thing: how it is named, what tells it from another of the same name, and
/// what somebody may have changed. Paths are relative to `at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// What it is, for people: `project`.
    pub kind: String,
    /// Where the answer has it; empty for the answer itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// Its name, or what people know it by.
    pub name: String,
    /// Members that another thing of the same name does not share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<String>,
    /// Members that stay as they are unless somebody changes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Error codes that mean that it is gone. A refusal of access is none: it may be just that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone_on: Vec<String>,
    /// Values of members that mean that it is gone; no values stand for any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gone_when: BTreeMap<String, Vec<Value>>,
}

/// How a thing stands now, held against what was known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// As it was.
    Same,
    /// There is none.
    Gone,
    /// Another thing of the same name.
    Replaced {
        /// What tells the two apart.
        differences: Vec<FieldChange>,
    },
    /// The same thing, and somebody changed it.
    Changed {
        /// What changed.
        differences: Vec<FieldChange>,
    },
}

/// One member that is not as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Dotted path in the thing.
    pub field: String,
    /// What was known.
    pub was: Value,
    /// What AWS shows now; null when it is not there.
    pub is: Value,
}

impl Thing {
    /// What is kept of the thing in an answer, by path: its anchors and fields that are there.
    pub fn known(&self, answer: &Value) -> BTreeMap<String, Value> {
        let thing = part(answer, &self.at);
        let paths = self.anchors.iter().chain(&self.fields).chain([&self.name]);
        paths
            .map(|path| (path.clone(), normal(part(thing, path))))
            .filter(|(_, value)| !value.is_null())
            .collect()
    }

    /// How the thing stands, given what was known and what the read answers now.
    pub fn standing(&self, known: &BTreeMap<String, Value>, answer: &Value) -> Standing {
        let thing = part(answer, &self.at);
        let is_gone = self.gone_when.iter().any(|(path, states)| {
            match (part(thing, path), states.is_empty()) {
                (value, true) => !value.is_null(),
                (value, false) => states.contains(value),
            }
        });
        if is_gone || thing.is_null() {
            return Standing::Gone;
        }
        let differences = |paths: &[String]| -> Vec<FieldChange> {
            paths
                .iter()
                .filter_map(|path| {
                    let was = known.get(path)?;
                    let is = normal(part(thing, path));
                    (crate::canonical::text(was) != crate::canonical::text(&is))
                        .then(|| FieldChange { field: path.clone(), was: was.clone(), is })
                })
                .collect()
        };
        let mut replaced = differences(&self.anchors);
        // An anchor that is not shown tells nothing.
        replaced.retain(|difference| !difference.is.is_null());
        if !replaced.is_empty() {
            return Standing::Replaced { differences: replaced };
        }
        let changed = differences(&self.fields);
        match changed.is_empty() {
            true => Standing::Same,
            false => Standing::Changed { differences: changed },
        }
    }
}

/// A value as it is compared: JSON inside a text is read, encoded as in a URL or not, since AWS
/// writes policies either way.
pub(crate) fn normal(value: &Value) -> Value {
    let Some(text) = value.as_str() else { return value.clone() };
    let decoded = match text.starts_with("%7B") {
        true => super::template::url_decoded(text),
        false => text.to_owned(),
    };
    match decoded.starts_with('{') {
        true => serde_json::from_str(&decoded).unwrap_or(Value::String(decoded)),
        false => Value::String(decoded),
    }
}
