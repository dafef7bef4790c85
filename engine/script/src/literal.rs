//! Literals in a syntax tree, read without running anything.

use rhai::{Expr, Position};
use serde_json::{Map, Number, Value};

/// A literal with its position.
#[derive(Debug, Clone)]
pub(crate) struct Literal {
    pub(crate) position: Position,
    pub(crate) kind: Kind,
}

/// What a literal is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Members in the order of the text, each with the position of its name.
    Map(Vec<(String, Position, Literal)>),
    /// Elements.
    List(Vec<Literal>),
    /// Text, number, boolean or `()`.
    Scalar(Value),
}

/// An expression that is no literal.
#[derive(Debug)]
pub(crate) struct NotLiteral(pub(crate) Position);

impl Literal {
    pub(crate) fn read(expression: &Expr) -> Result<Self, NotLiteral> {
        let position = expression.position();
        let scalar = |value: Value| Ok(Self { position, kind: Kind::Scalar(value) });
        match expression {
            Expr::Unit(_) => scalar(Value::Null),
            Expr::BoolConstant(value, _) => scalar((*value).into()),
            Expr::IntegerConstant(value, _) => scalar((*value).into()),
            Expr::FloatConstant(value, _) => {
                let number = Number::from_f64(**value).ok_or(NotLiteral(position))?;
                scalar(Value::Number(number))
            }
            Expr::CharConstant(value, _) => scalar(value.to_string().into()),
            Expr::StringConstant(value, _) => scalar(value.as_str().into()),
            Expr::Array(items, _) => {
                let items = items.iter().map(Self::read).collect::<Result<_, _>>()?;
                Ok(Self { position, kind: Kind::List(items) })
            }
            Expr::Map(map, _) => {
                let members = map
                    .0
                    .iter()
                    .map(|(name, value)| Ok((name.name.to_string(), name.pos, Self::read(value)?)));
                Ok(Self { position, kind: Kind::Map(members.collect::<Result<_, _>>()?) })
            }
            Expr::FnCall(call, _) if call.is_operator_call() => {
                match (call.name.as_str(), &*call.args) {
                    ("-", [operand]) => {
                        scalar(negated(Self::read(operand)?).ok_or(NotLiteral(position))?)
                    }
                    ("+", [left, right]) => {
                        let joined = joined(Self::read(left)?, Self::read(right)?);
                        scalar(joined.ok_or(NotLiteral(position))?)
                    }
                    _ => Err(NotLiteral(position)),
                }
            }
            _ => Err(NotLiteral(position)),
        }
    }

    /// The value without positions.
    pub(crate) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Map(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, _, member)| (name.clone(), member.value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

fn negated(operand: Literal) -> Option<Value> {
    match operand.kind {
        Kind::Scalar(Value::Number(number)) => match number.as_i64() {
            Some(integer) => Some(integer.checked_neg()?.into()),
            None => Number::from_f64(-number.as_f64()?).map(Value::Number),
        },
        _ => None,
    }
}

/// Long texts are written in parts.
fn joined(left: Literal, right: Literal) -> Option<Value> {
    match (left.kind, right.kind) {
        (Kind::Scalar(Value::String(left)), Kind::Scalar(Value::String(right))) => {
            Some((left + right.as_str()).into())
        }
        _ => None,
    }
}
