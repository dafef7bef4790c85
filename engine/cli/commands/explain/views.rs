//! What `piton explain` says, as data: the field names are a contract.

use piton_core::catalogue::{self, Class, ModelFacts, Reviewed};
use piton_models::{Model, Operation, Shape, ShapeKind};
use serde::Serialize;
use serde_json::Value;

use super::search::Hit;
use super::snippet;

/// How deep nested members are shown.
const DEPTH_MAX: usize = 4;

#[derive(Serialize)]
pub(super) struct ServicesView {
    pub(super) services: Vec<ServiceRow>,
    /// Services that are called by their model alone.
    pub(super) further: Vec<FurtherRow>,
}

#[derive(Serialize)]
pub(super) struct ServiceRow {
    pub(super) service: &'static str,
    pub(super) operations: usize,
    pub(super) left_out: &'static [&'static str],
}

#[derive(Serialize)]
pub(super) struct FurtherRow {
    pub(super) service: &'static str,
    pub(super) operations: usize,
}

#[derive(Serialize)]
pub(super) struct ServiceView {
    pub(super) service: String,
    pub(super) aws_name: String,
    pub(super) api_version: String,
    pub(super) operations: Vec<OperationRow>,
    pub(super) left_out: &'static [&'static str],
}

#[derive(Serialize)]
pub(super) struct FoundView {
    pub(super) search: String,
    pub(super) operations: Vec<OperationRow>,
}

#[derive(Serialize)]
pub(super) struct OperationRow {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) aws_name: String,
    pub(super) class: &'static str,
    pub(super) pages: bool,
    pub(super) inverse: Option<String>,
}

#[derive(Serialize)]
pub(super) struct OperationView {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) aws_name: String,
    pub(super) deprecated: bool,
    pub(super) class: &'static str,
    pub(super) why: Option<String>,
    pub(super) token: Option<String>,
    pub(super) natural_key: Vec<String>,
    pub(super) found_by: Option<String>,
    pub(super) inverse: Option<InverseView>,
    pub(super) irreversible: Option<String>,
    pub(super) states: Option<StatesView>,
    pub(super) pages: bool,
    pub(super) input: Vec<MemberView>,
    pub(super) output: Vec<MemberView>,
    pub(super) errors: Vec<ErrorRow>,
    pub(super) snippet: String,
}

#[derive(Serialize)]
pub(super) struct InverseView {
    pub(super) operation: &'static str,
    pub(super) input: &'static Value,
    pub(super) when: Value,
}

#[derive(Serialize)]
pub(super) struct StatesView {
    pub(super) read: &'static str,
    pub(super) path: &'static str,
    pub(super) ok: &'static [String],
    pub(super) progress: &'static [String],
    pub(super) fail: &'static [String],
    pub(super) gone: &'static [String],
}

#[derive(Serialize)]
pub(super) struct MemberView {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) required: bool,
    /// Of the value itself, or of what a list or map of such values holds; so is the pattern.
    #[serde(rename = "enum")]
    pub(super) choices: Vec<String>,
    pub(super) pattern: Option<String>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    /// What `min` and `max` count: `characters`, `elements`, `bytes`, or nothing for a number.
    pub(super) unit: Option<&'static str>,
    pub(super) element_min: Option<f64>,
    pub(super) element_max: Option<f64>,
    pub(super) members: Vec<Self>,
}

#[derive(Serialize)]
pub(super) struct ErrorRow {
    pub(super) code: String,
    pub(super) http_status: u16,
}

/// Every service with its count.
pub(super) fn services() -> ServicesView {
    let services = piton_models::services()
        .iter()
        .map(|service| ServiceRow {
            service,
            operations: piton_aws::bound_operations(service).len(),
            left_out: piton_aws::left_out(service),
        })
        .collect();
    let further = piton_models::further_services()
        .iter()
        .filter_map(|service| {
            let operations = piton_models::service(service)?.operations.len();
            Some(FurtherRow { service, operations })
        })
        .collect();
    ServicesView { services, further }
}

/// One service with its operations.
pub(super) fn service(model: &Model) -> ServiceView {
    ServiceView {
        service: model.script_name.clone(),
        aws_name: model.metadata.service_id.clone(),
        api_version: model.metadata.api_version.clone(),
        left_out: piton_aws::left_out(&model.script_name),
        operations: model
            .script_names()
            .filter_map(|name| model.operation_by_script_name(name))
            .map(|operation| row(model, operation))
            .collect(),
    }
}

/// What was found for some words.
pub(super) fn found(words: &str, hits: &[Hit]) -> FoundView {
    let operations = hits.iter().map(|hit| row(hit.model, hit.operation)).collect();
    FoundView { search: words.to_owned(), operations }
}

fn row(model: &Model, operation: &Operation) -> OperationRow {
    let name = operation.script_name();
    let reviewed = catalogue::reviewed(&model.script_name, &name);
    OperationRow {
        service: model.script_name.clone(),
        aws_name: operation.name.clone(),
        class: class(model, operation).as_str(),
        pages: model.paginators.contains_key(&operation.name),
        inverse: reviewed
            .and_then(|row| row.inverse.as_ref())
            .map(|inverse| inverse.operation.clone()),
        operation: name,
    }
}

fn class(model: &Model, operation: &Operation) -> Class {
    let facts = ModelFacts {
        has_token: model.token_member(operation).is_some(),
        idempotent: operation.idempotent,
        readonly: operation.readonly,
    };
    catalogue::class(&model.script_name, &operation.script_name(), facts)
}

/// One operation with everything that is known of it.
pub(super) fn operation(model: &Model, operation: &Operation) -> OperationView {
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

fn members(model: &Model, shape: &Shape, depth: usize) -> Vec<MemberView> {
    let view = |(name, member): &(String, piton_models::Member)| {
        let inner = model.shape(&member.shape);
        // What a list or map holds is described in its place.
        let described = described(model, inner);
        let holds = !std::ptr::eq(inner, described);
        let deeper = described.kind == ShapeKind::Structure && depth < DEPTH_MAX;
        MemberView {
            name: name.clone(),
            kind: kind(model, inner, 1),
            required: shape.requires(name),
            choices: described.enumeration.clone(),
            pattern: described.pattern.clone(),
            min: inner.min,
            max: inner.max,
            unit: unit(inner.kind),
            element_min: if holds { described.min } else { None },
            element_max: if holds { described.max } else { None },
            members: if deeper { members(model, described, depth + 1) } else { Vec::new() },
        }
    };
    shape.members.0.iter().map(view).collect()
}

fn unit(kind: ShapeKind) -> Option<&'static str> {
    match kind {
        ShapeKind::String | ShapeKind::Character => Some("characters"),
        ShapeKind::List | ShapeKind::Map => Some("elements"),
        ShapeKind::Blob => Some("bytes"),
        _ => None,
    }
}

fn described<'a>(model: &'a Model, shape: &'a Shape) -> &'a Shape {
    let element = match shape.kind {
        ShapeKind::List => shape.member.as_ref(),
        ShapeKind::Map => shape.value.as_ref(),
        _ => None,
    };
    element.map_or(shape, |element| model.shape(&element.shape))
}

fn kind(model: &Model, shape: &Shape, depth: usize) -> String {
    let of = |member: &Option<piton_models::Member>| match member {
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
