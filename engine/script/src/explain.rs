//! What is known of an operation, as data: members, what may be repeated and taken back, lines to
//! paste. `piton explain` prints it and editors show it; the field names are a contract.
//!
//! It reads the service models and the catalogue. How it looks is left to those who show it.

pub mod snippet;
mod words;

use piton_core::catalogue::{self, Class, ModelFacts, Reviewed};
use piton_models::{Member, Model, Operation, Shape, ShapeKind};
use serde::Serialize;
use serde_json::Value;

pub use words::{Fact, described, facts};

/// How deep nested members are shown.
const DEPTH_MAX: usize = 4;

/// One operation with everything that is known of it.
#[derive(Serialize)]
pub struct OperationView {
    /// The script's name of the service.
    pub service: String,
    /// The script's name of the operation.
    pub operation: String,
    /// AWS's name.
    pub aws_name: String,
    /// AWS advises against new uses.
    pub deprecated: bool,
    /// What a repeated call does.
    pub class: &'static str,
    /// Why it is of this class, where that is not obvious.
    pub why: Option<String>,
    /// Input member that carries the idempotency token.
    pub token: Option<String>,
    /// How long AWS is known to recognise the token; nothing for an operation without one, or where the
    /// age of the token does not matter.
    pub token_counts_for: Option<String>,
    /// Input members that name the thing.
    pub natural_key: Vec<String>,
    /// Operation that looks for the thing by that key.
    pub found_by: Option<String>,
    /// What takes the call back.
    pub inverse: Option<InverseView>,
    /// Why nothing does.
    pub irreversible: Option<String>,
    /// The states to wait for.
    pub states: Option<StatesView>,
    /// There is an `_all` form that reads every page.
    pub pages: bool,
    /// Members of the input.
    pub input: Vec<MemberView>,
    /// Members of the output.
    pub output: Vec<MemberView>,
    /// Modelled errors.
    pub errors: Vec<ErrorRow>,
    /// Lines to paste.
    pub snippet: String,
}

/// What takes a call back.
#[derive(Serialize)]
pub struct InverseView {
    /// The operation.
    pub operation: &'static str,
    /// Its input, with places of the first call's input and output.
    pub input: &'static Value,
    /// What has to hold of the first call, by place.
    pub when: Value,
}

/// The states of what a call starts.
#[derive(Serialize)]
pub struct StatesView {
    /// Operation that reads the state.
    pub read: &'static str,
    /// Where its answer has it.
    pub path: &'static str,
    /// States that are the aim.
    pub ok: &'static [String],
    /// States on the way.
    pub progress: &'static [String],
    /// States that cannot become the aim.
    pub fail: &'static [String],
    /// Error codes that mean it is gone.
    pub gone: &'static [String],
}

/// A member of an input or output.
#[derive(Serialize)]
pub struct MemberView {
    /// Wire name.
    pub name: String,
    /// Type, as scripts see it.
    #[serde(rename = "type")]
    pub kind: String,
    /// It must be given.
    pub required: bool,
    /// Of the value itself, or of what a list or map of such values holds; so is the pattern.
    #[serde(rename = "enum")]
    pub choices: Vec<String>,
    /// Regular expression of the whole text.
    pub pattern: Option<String>,
    /// Smallest length, number or count.
    pub min: Option<f64>,
    /// Largest length, number or count.
    pub max: Option<f64>,
    /// What `min` and `max` count: `characters`, `elements`, `bytes`, or nothing for a number.
    pub unit: Option<&'static str>,
    /// The same of what a list or map holds.
    pub element_min: Option<f64>,
    /// The same of what a list or map holds.
    pub element_max: Option<f64>,
    /// Nested members, as deep as they are shown.
    pub members: Vec<Self>,
}

/// An error that the operation may answer.
#[derive(Serialize)]
pub struct ErrorRow {
    /// The code that a script catches.
    pub code: String,
    /// The HTTP status.
    pub http_status: u16,
}

/// What a repeated call of the operation does.
pub fn class(model: &Model, operation: &Operation) -> Class {
    let facts = ModelFacts {
        has_token: model.token_member(operation).is_some(),
        idempotent: operation.idempotent,
        readonly: operation.readonly,
    };
    catalogue::class(&model.script_name, &operation.script_name(), facts)
}

/// One operation with everything that is known of it.
pub fn operation(model: &Model, operation: &Operation) -> OperationView {
    let name = operation.script_name();
    let service = &model.script_name;
    let reviewed = catalogue::reviewed(service, &name);
    let find = reviewed.and_then(|row| row.find.as_ref());
    let states = reviewed.and_then(|row| row.states.as_ref());
    let shown =
        |shape: Option<&Shape>| shape.map_or_else(Vec::new, |shape| members(model, shape, 1));
    OperationView {
        service: service.clone(),
        aws_name: operation.name.clone(),
        deprecated: operation.deprecated,
        class: class(model, operation).as_str(),
        why: reviewed.and_then(|row| row.why.clone()),
        token: catalogue::token_member(service, &name, model.token_member(operation))
            .map(str::to_owned),
        token_counts_for: (class(model, operation) == Class::Token
            && !reviewed.is_some_and(|row| row.ageless))
        .then(|| catalogue::token_window(service).words()),
        natural_key: find.map_or_else(Vec::new, |find| {
            find.natural_key().into_iter().map(str::to_owned).collect()
        }),
        found_by: find.map(|find| find.operation.clone()),
        inverse: reviewed.and_then(inverse),
        irreversible: reviewed.and_then(|row| row.irreversible.clone()),
        states: states.map(|states| StatesView {
            read: &states.read,
            path: &states.path,
            ok: &states.ok,
            progress: &states.progress,
            fail: &states.fail,
            gone: &states.gone,
        }),
        pages: model.paginators.contains_key(&operation.name),
        input: shown(model.input_shape(operation)),
        output: shown(model.output_shape(operation)),
        errors: operation.errors.iter().map(|error| error_row(model, &error.shape)).collect(),
        snippet: snippet::of(model, operation, states),
        operation: name,
    }
}

fn inverse(row: &'static Reviewed) -> Option<InverseView> {
    let inverse = row.inverse.as_ref()?;
    let when = inverse.when.iter().map(|(place, wanted)| (place.clone(), wanted.clone()));
    Some(InverseView {
        operation: &inverse.operation,
        input: &inverse.input,
        when: Value::Object(when.collect()),
    })
}

fn error_row(model: &Model, name: &str) -> ErrorRow {
    let shape = model.shape(name);
    let preset = if shape.fault { 500 } else { 400 };
    let details = shape.error.as_ref();
    ErrorRow {
        code: details.and_then(|error| error.code.clone()).unwrap_or_else(|| name.to_owned()),
        http_status: details.and_then(|error| error.http_status_code).unwrap_or(preset),
    }
}

/// The members of a structure, with those nested in them up to [`DEPTH_MAX`] levels in all.
fn members(model: &Model, shape: &Shape, depth: usize) -> Vec<MemberView> {
    let views = shape.members.0.iter();
    views.map(|(name, member)| view(model, shape, (name, member), depth)).collect()
}

/// One member of a structure, without what is nested in it.
pub fn member(model: &Model, shape: &Shape, name: &str) -> Option<MemberView> {
    let member = shape.member_named(name)?;
    Some(view(model, shape, (name, member), DEPTH_MAX))
}

fn view(model: &Model, shape: &Shape, (name, member): (&str, &Member), depth: usize) -> MemberView {
    let inner = model.shape(&member.shape);
    // What a list or map holds is described in its place.
    let element = element_of(model, inner);
    let holds = !std::ptr::eq(inner, element);
    let deeper = element.kind == ShapeKind::Structure && depth < DEPTH_MAX;
    MemberView {
        name: name.to_owned(),
        kind: kind(model, inner, 1),
        required: shape.requires(name),
        choices: element.enumeration.clone(),
        pattern: element.pattern.clone(),
        min: inner.min,
        max: inner.max,
        unit: unit(inner.kind),
        element_min: if holds { element.min } else { None },
        element_max: if holds { element.max } else { None },
        members: if deeper { members(model, element, depth + 1) } else { Vec::new() },
    }
}

fn unit(kind: ShapeKind) -> Option<&'static str> {
    match kind {
        ShapeKind::String | ShapeKind::Character => Some("characters"),
        ShapeKind::List | ShapeKind::Map => Some("elements"),
        ShapeKind::Blob => Some("bytes"),
        _ => None,
    }
}

fn element_of<'a>(model: &'a Model, shape: &'a Shape) -> &'a Shape {
    let element = match shape.kind {
        ShapeKind::List => shape.member.as_ref(),
        ShapeKind::Map => shape.value.as_ref(),
        _ => None,
    };
    element.map_or(shape, |element| model.shape(&element.shape))
}

fn kind(model: &Model, shape: &Shape, depth: usize) -> String {
    let of = |member: &Option<Box<Member>>| match member {
        Some(member) if depth < DEPTH_MAX => kind(model, model.shape(&member.shape), depth + 1),
        _ => "any".to_owned(),
    };
    match shape.kind {
        ShapeKind::Structure if shape.document => "any".to_owned(),
        ShapeKind::Structure if shape.union => "map (one member)".to_owned(),
        ShapeKind::Structure => "map".to_owned(),
        ShapeKind::List => format!("list of {}", of(&shape.member)),
        ShapeKind::Map => format!("map of {}", of(&shape.value)),
        ShapeKind::String | ShapeKind::Character => "string".to_owned(),
        ShapeKind::Integer | ShapeKind::Long | ShapeKind::BigInteger => "int".to_owned(),
        ShapeKind::Float | ShapeKind::Double | ShapeKind::BigDecimal => "float".to_owned(),
        ShapeKind::Boolean => "bool".to_owned(),
        ShapeKind::Blob => "bytes".to_owned(),
        ShapeKind::Timestamp => "timestamp".to_owned(),
    }
}
