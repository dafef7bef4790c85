//! `piton explain`: services, operations and their members, as the models have them.

use std::fmt::Write as _;

use clap::Args;
use piton_core::catalogue::{self, ModelFacts};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::{Model, Operation, Shape, ShapeKind, suggest};
use serde::Serialize;

use crate::console;
use crate::context::Context;
use crate::failure::{Failure, Outcome, exit};

/// How deep nested members are shown.
const DEPTH_MAX: usize = 4;

/// Explain services and operations: members, errors, what may be repeated
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// datazone, or datazone.create_project; everything when left out
    #[arg(value_name = "SERVICE[.OPERATION]")]
    what: Option<String>,
}

#[derive(Serialize)]
struct ServicesView {
    services: Vec<ServiceRow>,
}

#[derive(Serialize)]
struct ServiceRow {
    service: &'static str,
    operations: usize,
    left_out: &'static [&'static str],
}

#[derive(Serialize)]
struct ServiceView {
    service: String,
    aws_name: String,
    api_version: String,
    operations: Vec<OperationRow>,
    left_out: &'static [&'static str],
}

#[derive(Serialize)]
struct OperationRow {
    operation: String,
    aws_name: String,
    class: &'static str,
    pages: bool,
}

#[derive(Serialize)]
struct OperationView {
    service: String,
    operation: String,
    aws_name: String,
    class: &'static str,
    why: Option<String>,
    token: Option<String>,
    found_by: Option<String>,
    pages: bool,
    input: Vec<MemberView>,
    output: Vec<MemberView>,
    errors: Vec<ErrorRow>,
}

#[derive(Serialize)]
struct MemberView {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    #[serde(rename = "enum")]
    choices: Vec<String>,
    pattern: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
    members: Vec<Self>,
}

#[derive(Serialize)]
struct ErrorRow {
    code: String,
    http_status: u16,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Outcome {
    let Some(what) = args.what.as_deref() else {
        services(context);
        return Ok(exit::DONE);
    };
    match what.split_once('.') {
        None => service(context, model(what)?),
        Some((name, wanted)) => {
            let model = model(name)?;
            operation(context, model, known_operation(model, wanted)?);
        }
    }
    Ok(exit::DONE)
}

fn services(context: &Context) {
    let rows: Vec<ServiceRow> = piton_models::services()
        .iter()
        .map(|service| ServiceRow {
            service,
            operations: piton_aws::bound_operations(service).len(),
            left_out: piton_aws::left_out(service),
        })
        .collect();
    if context.json {
        console::document(&ServicesView { services: rows });
        return;
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![row.service.to_owned(), row.operations.to_string(), row.left_out.join(", ")]
        })
        .collect();
    console::out(&console::table(&["service", "operations", "left out"], &cells));
}

fn model(name: &str) -> Result<&'static Model, Failure> {
    let known = || piton_models::services().iter().chain(piton_models::further_services()).copied();
    piton_models::service(name).ok_or_else(|| {
        let diagnostic =
            Diagnostic::error(Code::UnknownService, format!("there is no service `{name}`"));
        Failure::of(match suggest::nearest(name, known()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => {
                diagnostic.hint(format!("services: {}", known().collect::<Vec<_>>().join(", ")))
            }
        })
    })
}

fn known_operation(model: &'static Model, wanted: &str) -> Result<&'static Operation, Failure> {
    let by_name = model.operation_by_script_name(wanted).or_else(|| model.operations.get(wanted));
    by_name.ok_or_else(|| {
        let service = &model.script_name;
        let message = format!("{service} has no operation `{wanted}`");
        let diagnostic = Diagnostic::error(Code::UnknownOperation, message);
        Failure::of(match suggest::nearest(wanted, model.script_names()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!("`piton explain {service}` lists them")),
        })
    })
}

fn class(model: &Model, operation: &Operation) -> &'static str {
    let facts = ModelFacts {
        has_token: model.token_member(operation).is_some(),
        idempotent: operation.idempotent,
        readonly: operation.readonly,
    };
    catalogue::class(&model.script_name, &operation.script_name(), facts).as_str()
}

fn service(context: &Context, model: &Model) {
    let operations: Vec<OperationRow> = model
        .script_names()
        .filter_map(|name| model.operation_by_script_name(name))
        .map(|operation| OperationRow {
            operation: operation.script_name(),
            aws_name: operation.name.clone(),
            class: class(model, operation),
            pages: model.paginators.contains_key(&operation.name),
        })
        .collect();
    if context.json {
        console::document(&ServiceView {
            service: model.script_name.clone(),
            aws_name: model.metadata.service_id.clone(),
            api_version: model.metadata.api_version.clone(),
            left_out: piton_aws::left_out(&model.script_name),
            operations,
        });
        return;
    }
    let cells: Vec<Vec<String>> = operations
        .into_iter()
        .map(|row| {
            let pages = if row.pages { "also _all" } else { "" };
            vec![row.operation, row.class.to_owned(), pages.to_owned()]
        })
        .collect();
    console::out(&console::table(&["operation", "class", "pages"], &cells));
}

fn operation(context: &Context, model: &Model, operation: &Operation) {
    let name = operation.script_name();
    let reviewed = catalogue::reviewed(&model.script_name, &name);
    let token = reviewed
        .and_then(|row| row.token_member.clone())
        .or_else(|| model.token_member(operation).map(str::to_owned));
    let view = OperationView {
        service: model.script_name.clone(),
        aws_name: operation.name.clone(),
        class: class(model, operation),
        why: reviewed.and_then(|row| row.why.clone()),
        token,
        found_by: reviewed.and_then(|row| row.find.as_ref()).map(|find| find.operation.clone()),
        pages: model.paginators.contains_key(&operation.name),
        input: model.input_shape(operation).map_or_else(Vec::new, |shape| members(model, shape, 1)),
        output: model
            .output_shape(operation)
            .map_or_else(Vec::new, |shape| members(model, shape, 1)),
        errors: operation.errors.iter().map(|error| error_row(model, &error.shape)).collect(),
        operation: name,
    };
    match context.json {
        true => console::document(&view),
        false => console::out_exactly(&page(&view)),
    }
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
    shape
        .members
        .0
        .iter()
        .map(|(name, member)| {
            let inner = model.shape(&member.shape);
            // What a list or map holds is described in its place.
            let described = described(model, inner);
            let deeper = described.kind == ShapeKind::Structure && depth < DEPTH_MAX;
            MemberView {
                name: name.clone(),
                kind: kind(model, inner, 1),
                required: shape.requires(name),
                choices: described.enumeration.clone(),
                pattern: described.pattern.clone(),
                min: inner.min,
                max: inner.max,
                members: if deeper { members(model, described, depth + 1) } else { Vec::new() },
            }
        })
        .collect()
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

fn page(view: &OperationView) -> String {
    let mut text = format!("{}.{} ({})\n", view.service, view.operation, view.aws_name);
    text.push_str(&format!("class    {}", view.class));
    if let Some(why) = &view.why {
        text.push_str(&format!(": {why}"));
    }
    text.push('\n');
    if let Some(token) = &view.token {
        text.push_str(&format!("token    {token}, filled by the engine\n"));
    }
    if let Some(find) = &view.found_by {
        text.push_str(&format!("doubt    looked up by {find}\n"));
    }
    if view.pages {
        text.push_str(&format!("pages    {}_all reads every page\n", view.operation));
    }
    for (title, all) in [("input", &view.input), ("output", &view.output)] {
        if !all.is_empty() {
            text.push_str(&format!("{title}\n"));
            push_members(&mut text, all, 1);
        }
    }
    if !view.errors.is_empty() {
        text.push_str("errors\n");
    }
    for error in &view.errors {
        text.push_str(&format!("  {} {}\n", error.code, error.http_status));
    }
    text
}

fn push_members(text: &mut String, members: &[MemberView], depth: usize) {
    for member in members {
        let required = if member.required { ", required" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{}: {}{required}", "  ".repeat(depth), member.name, member.kind);
        if !member.choices.is_empty() {
            let _ = write!(text, " ({})", member.choices.join(" | "));
        }
        text.push('\n');
        push_members(text, &member.members, depth + 1);
    }
}
