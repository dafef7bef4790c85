//! Inputs as the model takes them. What is put back was read, and reads show more than calls take.

use piton_models::{Model, Shape, ShapeKind};
use serde_json::Value;

/// The input with the members that the operation knows, at every depth.
pub(super) fn fitted(service: &str, operation: &str, input: Value) -> Value {
    let Some(model) = piton_models::service(service) else { return input };
    let shape = model.operation_by_script_name(operation).and_then(|it| model.input_shape(it));
    match shape {
        Some(shape) => fit(model, shape, input),
        None => input,
    }
}

fn fit(model: &Model, shape: &Shape, value: Value) -> Value {
    match (shape.kind, value) {
        (ShapeKind::Structure, Value::Object(members)) => Value::Object(
            members
                .into_iter()
                .filter_map(|(name, value)| {
                    let member = shape.member_named(&name)?;
                    let value = fit(model, model.shape(&member.shape), value);
                    Some((name, value))
                })
                .collect(),
        ),
        (ShapeKind::List, Value::Array(items)) => {
            let Some(member) = &shape.member else { return Value::Array(items) };
            let element = model.shape(&member.shape);
            items.into_iter().map(|item| fit(model, element, item)).collect()
        }
        (ShapeKind::Map, Value::Object(members)) => {
            let Some(held) = &shape.value else { return Value::Object(members) };
            let held = model.shape(&held.shape);
            let fitted = members.into_iter().map(|(name, value)| (name, fit(model, held, value)));
            Value::Object(fitted.collect())
        }
        (_, value) => value,
    }
}
