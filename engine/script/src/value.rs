//! Script values as plain data and back.
//!
//! Only unit, booleans, integers, finite floats, texts, lists and maps are plain. Secrets are handles:
//! inside a script they are an opaque type, outside an object with one marked member.

use base64::Engine as _;
use piton_core::secret::{MARKER, MASK, Origin};
use rhai::{Array, Blob, Dynamic, ImmutableString, Map};
use serde_json::{Number, Value};

use crate::prelude::params::Params;
use crate::session::Session;

/// Deeper data is a mistake, and would exhaust the stack.
const DEPTH: usize = 200;

/// A secret as the script has it: it can be passed on and not looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Secret(pub(crate) Origin);

/// What becomes of secrets when a value leaves the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// They stay handles: inputs of AWS calls.
    Handles,
    /// They read [`MASK`]: what people see.
    Masked,
    /// They may not be there.
    Refused,
}

/// A value that is not plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotPlain {
    /// Members and positions joined by `/`, empty for the value itself.
    pub(crate) path: String,
    /// What it is, with its article.
    pub(crate) what: String,
}

impl NotPlain {
    fn new(what: impl Into<String>) -> Self {
        Self { path: String::new(), what: what.into() }
    }

    fn inside(mut self, segment: &str) -> Self {
        self.path = match self.path.is_empty() {
            true => segment.to_owned(),
            false => format!("{segment}/{}", self.path),
        };
        self
    }

    /// The sentence, about the value called `name`.
    pub(crate) fn sentence(&self, name: &str) -> String {
        let Self { path, what } = self;
        let at = if path.is_empty() { name.to_owned() } else { format!("{name}: `{path}`") };
        format!(
            "{at} is {what}, and only plain data (text, number, boolean, list, map) can leave the script"
        )
    }
}

/// A script value as plain data.
pub(crate) fn to_json(value: &Dynamic, secrets: Secrets) -> Result<Value, NotPlain> {
    convert(value, secrets, DEPTH)
}

/// A map of the script as an object. Members that are `()` are absent.
pub(crate) fn to_input(map: &Map) -> Result<Value, NotPlain> {
    members(map, Secrets::Handles, DEPTH, true).map(Value::Object)
}

fn convert(value: &Dynamic, secrets: Secrets, depth: usize) -> Result<Value, NotPlain> {
    convert_with(value, secrets, depth, false)
}

fn convert_with(
    value: &Dynamic,
    secrets: Secrets,
    depth: usize,
    drop_absent: bool,
) -> Result<Value, NotPlain> {
    if depth == 0 {
        return Err(NotPlain::new("nested too deeply"));
    }
    if value.is_shared() {
        return convert_with(&value.flatten_clone(), secrets, depth, drop_absent);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::String(text.as_str().to_owned()));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(map) = value.as_map_ref() {
        return members(&map, secrets, depth, drop_absent).map(Value::Object);
    }
    if let Ok(items) = value.as_array_ref() {
        let item = |(index, item): (usize, &Dynamic)| {
            convert_with(item, secrets, depth - 1, drop_absent)
                .map_err(|problem| problem.inside(&index.to_string()))
        };
        return items.iter().enumerate().map(item).collect();
    }
    scalar(value, secrets)
}

fn scalar(value: &Dynamic, secrets: Secrets) -> Result<Value, NotPlain> {
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(boolean) = value.as_bool() {
        return Ok(boolean.into());
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| NotPlain::new("a number that is not finite"));
    }
    if let Ok(character) = value.as_char() {
        return Ok(Value::String(character.to_string()));
    }
    if let Ok(bytes) = value.as_blob_ref() {
        return Ok(Value::String(base64::engine::general_purpose::STANDARD.encode(&*bytes)));
    }
    if let Some(secret) = value.read_lock::<Secret>() {
        return match secrets {
            Secrets::Handles => Ok(secret.0.handle()),
            Secrets::Masked => Ok(Value::String(MASK.to_owned())),
            Secrets::Refused => Err(NotPlain::new("a secret")),
        };
    }
    if value.is::<Params>() {
        let given = Value::Object(Session::current().host.params().clone());
        return convert(&from_json(given), secrets, DEPTH);
    }
    Err(NotPlain::new(describe(value)))
}

fn members(
    map: &Map,
    secrets: Secrets,
    depth: usize,
    drop_absent: bool,
) -> Result<serde_json::Map<String, Value>, NotPlain> {
    let mut out = serde_json::Map::new();
    for (name, member) in map {
        if drop_absent && member.is_unit() {
            continue;
        }
        if name == MARKER {
            return Err(NotPlain::new("a name kept for secrets").inside(MARKER));
        }
        let value = convert_with(member, secrets, depth - 1, drop_absent)
            .map_err(|problem| problem.inside(name))?;
        out.insert(name.to_string(), value);
    }
    Ok(out)
}

/// Plain data from outside as a script value. Handles become secrets.
pub(crate) fn from_json(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(boolean) => boolean.into(),
        Value::Number(number) => from_number(&number),
        Value::String(text) => Dynamic::from(ImmutableString::from(text)),
        Value::Array(items) => {
            Dynamic::from_array(items.into_iter().map(from_json).collect::<Array>())
        }
        Value::Object(object) => {
            if object.contains_key(MARKER)
                && let Some(origin) = Origin::of(&Value::Object(object.clone()))
            {
                return Dynamic::from(Secret(origin));
            }
            let members = object.into_iter().map(|(name, value)| (name.into(), from_json(value)));
            Dynamic::from_map(members.collect::<Map>())
        }
    }
}

/// Plain data from a text that the script parsed: nothing in it is a secret.
pub(crate) fn from_parsed(value: Value) -> Dynamic {
    match value {
        Value::Array(items) => {
            Dynamic::from_array(items.into_iter().map(from_parsed).collect::<Array>())
        }
        Value::Object(object) => {
            let members = object.into_iter().map(|(name, value)| (name.into(), from_parsed(value)));
            Dynamic::from_map(members.collect::<Map>())
        }
        scalar => from_json(scalar),
    }
}

/// Integers beyond 64 bits are floats, as in every JSON reader that scripts may have met.
fn from_number(number: &Number) -> Dynamic {
    match number.as_i64() {
        Some(integer) => integer.into(),
        None => number.as_f64().unwrap_or(f64::MAX).into(),
    }
}

/// What a value is, with its article, for messages.
pub(crate) fn describe(value: &Dynamic) -> String {
    let text = match () {
        () if value.is_unit() => "nothing",
        () if value.is_string() => "a text",
        () if value.is_bool() => "a boolean",
        () if value.is_int() => "a number",
        () if value.is_float() => "a fraction",
        () if value.is_array() => "a list",
        () if value.is_map() => "a map",
        () if value.is_fnptr() => "a closure",
        () if value.is::<Secret>() => "a secret",
        () if value.is::<Blob>() => "bytes",
        () if value.is::<Params>() => "a map",
        () if value.is::<crate::prelude::accounts::Account>() => "an account",
        () if value.is::<crate::prelude::accounts::Client>() => "a client",
        () => return format!("a `{}`", value.type_name()),
    };
    text.to_owned()
}
