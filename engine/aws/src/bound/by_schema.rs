//! The crates whose types describe themselves by a schema: plain data in, plain data out.
//!
//! Such a type reads what is there, ignores what it does not know and puts an empty text where a
//! required member is missing. So an input is held against the service model first, and only then
//! read. Values look as they do in [`super::convert`], which converts the single ones.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_schema::Schema;
use aws_smithy_schema::serde::{
    SerdeError, SerializableStruct, ShapeDeserializer, ShapeSerializer,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::{BigDecimal, BigInteger, Blob, DateTime, Document};
use aws_types::request_id::RequestId;
use piton_models::validate::{Problem, ProblemKind};
use serde_json::{Map, Value};

use super::convert::{In, Out as _};
use super::{Failure, Reply, Unsent};

/// An operation's input from plain data.
pub(super) fn read<T>(
    service: &str,
    operation: &str,
    value: &Value,
    deserialize: impl FnOnce(&mut dyn ShapeDeserializer) -> Result<T, SerdeError>,
) -> Result<T, Unsent> {
    let empty = Value::Object(Map::new());
    // An operation without input may be called without one.
    let value = if value.is_null() { &empty } else { value };
    super::check_form(service, operation, value)?;
    deserialize(&mut Reader(value)).map_err(|error| {
        Unsent::Input(vec![Problem {
            path: String::new(),
            kind: ProblemKind::WrongType,
            message: error.to_string(),
            hint: None,
        }])
    })
}

/// What a service answered, as plain data.
pub(super) fn reply<T: SerializableStruct + RequestId, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Reply, Failure> {
    match result {
        Ok(output) => {
            let request_id = output.request_id().map(str::to_owned);
            let mut members = Writer::members();
            let written = output.serialize_members(&mut members);
            written.map_err(|error| Box::new(SdkError::construction_failure(error)))?;
            Ok(Reply { output: members.done(), request_id })
        }
        Err(error) => Err(Box::new(error.map_service_error(|error| error.meta().clone()))),
    }
}

/// Plain data as a schema reads it.
struct Reader<'a>(&'a Value);

impl Reader<'_> {
    fn take<T: In>(&self) -> Result<T, SerdeError> {
        T::take(self.0.clone()).map_err(|problems| {
            let told = problems.iter().map(|problem| problem.message.as_str());
            SerdeError::custom(told.collect::<Vec<_>>().join("; "))
        })
    }

    fn whole<T: TryFrom<i64>>(&self) -> Result<T, SerdeError> {
        let number: i64 = self.take()?;
        T::try_from(number).map_err(|_| SerdeError::custom(format!("{number} is too large here")))
    }
}

impl ShapeDeserializer for Reader<'_> {
    fn read_struct(
        &mut self,
        schema: &Schema<'_>,
        state: &mut dyn FnMut(&Schema<'_>, &mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let members = self.0.as_object().ok_or_else(|| SerdeError::custom("expected a map"))?;
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let member = schema.member_schema(name).ok_or_else(|| {
                // The model is newer than the crate.
                SerdeError::custom(format!("this version of the SDK has no member {name}"))
            })?;
            state(member, &mut Reader(value))?;
        }
        Ok(())
    }

    fn read_list(
        &mut self,
        _: &Schema<'_>,
        state: &mut dyn FnMut(&mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let items = self.0.as_array().ok_or_else(|| SerdeError::custom("expected a list"))?;
        items.iter().try_for_each(|item| state(&mut Reader(item)))
    }

    fn read_map(
        &mut self,
        _: &Schema<'_>,
        state: &mut dyn FnMut(String, &mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let members = self.0.as_object().ok_or_else(|| SerdeError::custom("expected a map"))?;
        members.iter().try_for_each(|(key, value)| state(key.clone(), &mut Reader(value)))
    }

    fn read_boolean(&mut self, _: &Schema<'_>) -> Result<bool, SerdeError> {
        self.take()
    }
    fn read_byte(&mut self, _: &Schema<'_>) -> Result<i8, SerdeError> {
        self.whole()
    }
    fn read_short(&mut self, _: &Schema<'_>) -> Result<i16, SerdeError> {
        self.whole()
    }
    fn read_integer(&mut self, _: &Schema<'_>) -> Result<i32, SerdeError> {
        self.whole()
    }
    fn read_long(&mut self, _: &Schema<'_>) -> Result<i64, SerdeError> {
        self.take()
    }
    fn read_float(&mut self, _: &Schema<'_>) -> Result<f32, SerdeError> {
        self.take()
    }
    fn read_double(&mut self, _: &Schema<'_>) -> Result<f64, SerdeError> {
        self.take()
    }
    fn read_big_integer(&mut self, _: &Schema<'_>) -> Result<BigInteger, SerdeError> {
        Err(unsupported("big integers"))
    }
    fn read_big_decimal(&mut self, _: &Schema<'_>) -> Result<BigDecimal, SerdeError> {
        Err(unsupported("big decimals"))
    }
    fn read_string(&mut self, _: &Schema<'_>) -> Result<String, SerdeError> {
        self.take()
    }
    fn read_blob(&mut self, _: &Schema<'_>) -> Result<Blob, SerdeError> {
        self.take()
    }
    fn read_timestamp(&mut self, _: &Schema<'_>) -> Result<DateTime, SerdeError> {
        self.take()
    }
    fn read_document(&mut self, _: &Schema<'_>) -> Result<Document, SerdeError> {
        self.take()
    }
    fn is_null(&self) -> bool {
        self.0.is_null()
    }
    fn container_size(&self) -> Option<usize> {
        match self.0 {
            Value::Array(items) => Some(items.len()),
            Value::Object(members) => Some(members.len()),
            _ => None,
        }
    }
}

/// No service that is bound has such a member; a test of the models would say so.
fn unsupported(what: &str) -> SerdeError {
    SerdeError::custom(format!("{what} are not supported"))
}

/// What a schema writes into: one container, whose parts come one after the other.
enum Writer {
    /// The members of a structure, by the name that the schema gives each.
    Members(Map<String, Value>),
    /// The elements of a list.
    Items(Vec<Value>),
    /// The entries of a map: a key, then its value.
    Entries { done: Vec<(String, Value)>, key: Option<String> },
}

impl Writer {
    fn members() -> Self {
        Self::Members(Map::new())
    }

    fn put(&mut self, schema: &Schema<'_>, value: Value) -> Result<(), SerdeError> {
        match self {
            Self::Members(done) => {
                let name = schema.member_name();
                let name = name.ok_or_else(|| SerdeError::custom("a member without a name"))?;
                done.insert(name.to_owned(), value);
            }
            Self::Items(done) => done.push(value),
            Self::Entries { done, key } => match (key.take(), value) {
                (Some(key), value) => done.push((key, value)),
                (None, Value::String(text)) => *key = Some(text),
                (None, _) => return Err(SerdeError::custom("a map's key is not text")),
            },
        }
        Ok(())
    }

    fn done(self) -> Value {
        match self {
            Self::Members(members) => Value::Object(members),
            Self::Items(items) => Value::Array(items),
            Self::Entries { mut done, .. } => {
                // The order of a hash map differs from run to run, and an answer is recorded.
                done.sort_by(|left, right| left.0.cmp(&right.0));
                Value::Object(done.into_iter().collect())
            }
        }
    }
}

impl ShapeSerializer for Writer {
    fn write_struct(
        &mut self,
        schema: &Schema<'_>,
        value: &dyn SerializableStruct,
    ) -> Result<(), SerdeError> {
        let mut members = Self::members();
        value.serialize_members(&mut members)?;
        self.put(schema, members.done())
    }

    fn write_list(
        &mut self,
        schema: &Schema<'_>,
        write_elements: &dyn Fn(&mut dyn ShapeSerializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let mut items = Self::Items(Vec::new());
        write_elements(&mut items)?;
        self.put(schema, items.done())
    }

    fn write_map(
        &mut self,
        schema: &Schema<'_>,
        write_entries: &dyn Fn(&mut dyn ShapeSerializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let mut entries = Self::Entries { done: Vec::new(), key: None };
        write_entries(&mut entries)?;
        self.put(schema, entries.done())
    }

    fn write_boolean(&mut self, schema: &Schema<'_>, value: bool) -> Result<(), SerdeError> {
        self.put(schema, value.give())
    }
    fn write_byte(&mut self, schema: &Schema<'_>, value: i8) -> Result<(), SerdeError> {
        self.put(schema, Value::from(value))
    }
    fn write_short(&mut self, schema: &Schema<'_>, value: i16) -> Result<(), SerdeError> {
        self.put(schema, Value::from(value))
    }
    fn write_integer(&mut self, schema: &Schema<'_>, value: i32) -> Result<(), SerdeError> {
        self.put(schema, value.give())
    }
    fn write_long(&mut self, schema: &Schema<'_>, value: i64) -> Result<(), SerdeError> {
        self.put(schema, value.give())
    }
    fn write_float(&mut self, schema: &Schema<'_>, value: f32) -> Result<(), SerdeError> {
        self.put(schema, value.give())
    }
    fn write_double(&mut self, schema: &Schema<'_>, value: f64) -> Result<(), SerdeError> {
        self.put(schema, value.give())
    }
    fn write_big_integer(&mut self, _: &Schema<'_>, _: &BigInteger) -> Result<(), SerdeError> {
        Err(unsupported("big integers"))
    }
    fn write_big_decimal(&mut self, _: &Schema<'_>, _: &BigDecimal) -> Result<(), SerdeError> {
        Err(unsupported("big decimals"))
    }
    fn write_string(&mut self, schema: &Schema<'_>, value: &str) -> Result<(), SerdeError> {
        self.put(schema, Value::from(value))
    }
    fn write_blob(&mut self, schema: &Schema<'_>, value: Blob) -> Result<(), SerdeError> {
        self.put(schema, value.give())
    }
    fn write_timestamp(&mut self, schema: &Schema<'_>, value: &DateTime) -> Result<(), SerdeError> {
        self.put(schema, (*value).give())
    }
    fn write_document(&mut self, schema: &Schema<'_>, value: &Document) -> Result<(), SerdeError> {
        self.put(schema, value.clone().give())
    }
    fn write_null(&mut self, schema: &Schema<'_>) -> Result<(), SerdeError> {
        match self {
            // An absent member is left out; in a list or map its place counts.
            Self::Members(_) => Ok(()),
            Self::Items(_) | Self::Entries { .. } => self.put(schema, Value::Null),
        }
    }
}
