//! JSON bodies: the same for `rest-json` and `json`.

use piton_models::{Model, Shape, ShapeKind, TimestampFormat};
use serde_json::{Map, Value};

use super::ProtocolError;
use super::at::At;
use super::scalar::{time_from_json, time_to_json};

/// A canonical value as it is in a JSON body.
pub(super) fn encode(at: At<'_>, value: &Value) -> Value {
    if at.shape.document {
        return value.clone();
    }
    match (at.kind(), value) {
        (ShapeKind::Structure, Value::Object(given)) => {
            let mut object = Map::new();
            for (name, member) in at.members() {
                if let Some(value) = given.get(name).filter(|value| !value.is_null()) {
                    object.insert(member.wire_name(name).to_owned(), encode(member, value));
                }
            }
            Value::Object(object)
        }
        (ShapeKind::List, Value::Array(list)) => at.element().map_or(Value::Null, |element| {
            Value::Array(list.iter().map(|value| encode(element, value)).collect())
        }),
        (ShapeKind::Map, Value::Object(map)) => at.value().map_or(Value::Null, |element| {
            Value::Object(
                map.iter().map(|(key, value)| (key.clone(), encode(element, value))).collect(),
            )
        }),
        (ShapeKind::Timestamp, value) if !value.is_null() => {
            time_to_json(value, at.timestamp_format(TimestampFormat::UnixTimestamp))
                .unwrap_or_else(|| value.clone())
        }
        _ => value.clone(),
    }
}

/// Reads JSON bodies, noting members that the model does not have.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    path: Vec<String>,
    /// Paths of members that the model does not have.
    pub(super) unknown: Vec<String>,
}

impl Decoder {
    /// A whole body; an empty one is an empty structure.
    pub(super) fn body(
        &mut self,
        model: &Model,
        shape: &Shape,
        body: &[u8],
    ) -> Result<Value, ProtocolError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(Map::new()));
        }
        let value: Value =
            serde_json::from_slice(body).map_err(|error| ProtocolError::Body(error.to_string()))?;
        self.decode(At::root(model, shape), &value)
    }

    fn wrong(&self, expected: &'static str) -> ProtocolError {
        ProtocolError::Kind { path: self.path.join("/"), expected }
    }

    fn inside<T>(
        &mut self,
        segment: &str,
        read: impl FnOnce(&mut Self) -> Result<T, ProtocolError>,
    ) -> Result<T, ProtocolError> {
        self.path.push(segment.to_owned());
        let result = read(self)?;
        self.path.pop();
        Ok(result)
    }

    /// The canonical form of a value in a JSON body.
    pub(super) fn decode(&mut self, at: At<'_>, value: &Value) -> Result<Value, ProtocolError> {
        if at.shape.document {
            return Ok(value.clone());
        }
        match at.kind() {
            ShapeKind::Structure => self.structure(at, value),
            ShapeKind::List => {
                let list = value.as_array().ok_or_else(|| self.wrong("a list"))?;
                let Some(element) = at.element() else { return Ok(Value::Array(Vec::new())) };
                let mut decoded = Vec::with_capacity(list.len());
                for (index, value) in list.iter().enumerate() {
                    decoded.push(match value {
                        Value::Null => Value::Null,
                        value => {
                            self.inside(&index.to_string(), |inner| inner.decode(element, value))?
                        }
                    });
                }
                Ok(Value::Array(decoded))
            }
            ShapeKind::Map => {
                let map = value.as_object().ok_or_else(|| self.wrong("a map"))?;
                let Some(element) = at.value() else { return Ok(Value::Object(Map::new())) };
                let mut decoded = Map::new();
                for (key, value) in map {
                    let value = match value {
                        Value::Null => Value::Null,
                        value => self.inside(key, |inner| inner.decode(element, value))?,
                    };
                    decoded.insert(key.clone(), value);
                }
                Ok(Value::Object(decoded))
            }
            ShapeKind::Timestamp => {
                time_from_json(value).map(Value::String).ok_or_else(|| self.wrong("a timestamp"))
            }
            _ => self.scalar(at, value),
        }
    }

    fn structure(&mut self, at: At<'_>, value: &Value) -> Result<Value, ProtocolError> {
        let given = value.as_object().ok_or_else(|| self.wrong("a structure"))?;
        let mut object = Map::new();
        let mut known = 0;
        for (name, member) in at.members() {
            let Some(value) = given.get(member.wire_name(name)) else { continue };
            known += 1;
            if !value.is_null() {
                let value = self.inside(name, |inner| inner.decode(member, value))?;
                object.insert(name.to_owned(), value);
            }
        }
        if known < given.len() {
            for key in given.keys() {
                let is_known = at.members().any(|(name, member)| member.wire_name(name) == key);
                if !is_known && key != "__type" {
                    let mut path = self.path.clone();
                    path.push(key.clone());
                    self.unknown.push(path.join("/"));
                }
            }
        }
        Ok(Value::Object(object))
    }

    fn scalar(&self, at: At<'_>, value: &Value) -> Result<Value, ProtocolError> {
        let special = |text: &str| matches!(text, "NaN" | "Infinity" | "-Infinity");
        let (fits, expected) = match at.kind() {
            ShapeKind::Boolean => (value.is_boolean(), "true or false"),
            ShapeKind::Integer | ShapeKind::Long | ShapeKind::BigInteger => {
                let whole = value.as_f64().is_some_and(|number| number.fract() == 0.0);
                (value.is_i64() || value.is_u64() || whole, "an integer")
            }
            ShapeKind::Float | ShapeKind::Double | ShapeKind::BigDecimal => {
                (value.is_number() || value.as_str().is_some_and(special), "a number")
            }
            _ => (value.is_string(), "a string"),
        };
        if fits { Ok(value.clone()) } else { Err(self.wrong(expected)) }
    }
}
