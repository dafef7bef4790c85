//! Handles for values that no journal, log, report or message may hold.
//!
//! A handle is plain data in a journaled input: an object with the single member [`MARKER`] that
//! names where the value comes from. It is compared by that origin, never by the value; only the
//! sender of an AWS call exchanges it for the value, in memory, just before the call.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::key::Key;

/// The member name that marks a handle. A script's own map may not have it.
pub const MARKER: &str = "$secret";

/// What a handle reads as wherever a person could see it.
pub const MASK: &str = "[secret]";

/// Where a secret value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A parameter of type `secret`.
    Param {
        /// Name of the parameter.
        name: String,
    },
    /// An environment variable, `secret_env(name)`.
    Env {
        /// Name of the variable.
        name: String,
    },
    /// `random_password(...)`, derived from a key outside the database, the run and this entry.
    Password {
        /// Entry of the call.
        key: Key,
        /// Length and alphabet, canonical JSON.
        shape: String,
    },
    /// JSON text around other handles: the body of a secret that a runbook makes.
    Json {
        /// Canonical JSON, handles in place of values.
        text: String,
    },
    /// A value that the script itself wrote into a member that holds secrets.
    Literal {
        /// Keyed digest of the value: says whether it is the same, and nothing else.
        digest: String,
    },
    /// A credential member of an operation's output.
    Output {
        /// Entry of the call.
        key: Key,
        /// Path of the member, `Credentials/SecretAccessKey`.
        member: String,
    },
}

impl Origin {
    /// The handle as plain data.
    pub fn handle(&self) -> Value {
        let origin = serde_json::to_value(self).expect("an origin is plain data");
        json!({ MARKER: origin })
    }

    /// The origin of a handle, or nothing when the value is no handle.
    pub fn of(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        if members.len() != 1 {
            return None;
        }
        serde_json::from_value(members.get(MARKER)?.clone()).ok()
    }
}

/// The value with every handle replaced by [`MASK`], for people.
pub fn masked(value: &Value) -> Value {
    if Origin::of(value).is_some() {
        return Value::String(MASK.to_owned());
    }
    match value {
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, member)| (name.clone(), masked(member))).collect(),
        ),
        Value::Array(items) => items.iter().map(masked).collect(),
        other => other.clone(),
    }
}

/// The value with every handle exchanged by `resolve`.
pub fn resolved<E>(
    value: &Value,
    resolve: &mut dyn FnMut(&Origin) -> Result<String, E>,
) -> Result<Value, E> {
    if let Some(origin) = Origin::of(value) {
        return resolve(&origin).map(Value::String);
    }
    Ok(match value {
        Value::Object(members) => {
            let mut out = serde_json::Map::new();
            for (name, member) in members {
                out.insert(name.clone(), resolved(member, resolve)?);
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(
            items.iter().map(|item| resolved(item, resolve)).collect::<Result<_, E>>()?,
        ),
        other => other.clone(),
    })
}

/// Whether a value holds a handle anywhere.
pub fn has_handle(value: &Value) -> bool {
    Origin::of(value).is_some()
        || match value {
            Value::Object(members) => members.values().any(has_handle),
            Value::Array(items) => items.iter().any(has_handle),
            _ => false,
        }
}

/// The text with every occurrence of a secret value replaced by [`MASK`]: AWS errors echo inputs.
/// Values of fewer than four characters are left alone, since they would hide innocent text.
pub fn scrub(text: &str, secrets: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    secrets.into_iter().fold(text.to_owned(), |text, secret| {
        let secret = secret.as_ref();
        match secret.chars().count() < 4 {
            true => text,
            false => text.replace(secret, MASK),
        }
    })
}
