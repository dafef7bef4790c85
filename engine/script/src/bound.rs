//! An AWS call on its way from the script to the host and back: looked up, checked against the
//! service model, and its answer given the members that AWS left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use piton_core::catalogue::{self, ModelFacts};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::secret::Origin;
use piton_models::validate::{Problem, ProblemKind, fill_absent, validate};
use piton_models::{Model, Protocol, suggest};
use rhai::{Dynamic, Map, NativeCallContext};
use serde_json::Value;

use crate::failure::{self, Native, durable};
use crate::host::ScriptCall;
use crate::prelude::accounts::Client;
use crate::session::Session;
use crate::suspend;
use crate::value;

/// How many problems of one input are shown.
const PROBLEMS_SHOWN: usize = 6;

/// What a call needs to know of its operation, looked up once.
struct Bound {
    model: &'static Model,
    input: Option<&'static str>,
    output: Option<&'static str>,
    class: catalogue::Class,
    token_member: Option<String>,
    pages: bool,
}

/// Operations of a service by script's name. The model is parsed at the first call of the service.
fn operations(service: &str) -> Option<&'static HashMap<String, Bound>> {
    type Table = HashMap<String, Bound>;
    static TABLES: OnceLock<BTreeMap<&'static str, OnceLock<Table>>> = OnceLock::new();
    let tables =
        TABLES.get_or_init(|| services().map(|service| (service, OnceLock::new())).collect());
    let (name, table) = tables.get_key_value(service)?;
    Some(table.get_or_init(|| {
        let model = piton_models::service(name).expect("every listed service has a model");
        let script_names = model.script_names();
        script_names
            .filter_map(|script| Some((script.to_owned(), bind(model, name, script)?)))
            .collect()
    }))
}

fn bind(model: &'static Model, service: &str, script_name: &str) -> Option<Bound> {
    let operation = model.operation_by_script_name(script_name)?;
    let flagged = model.token_member(operation);
    let facts = ModelFacts {
        has_token: flagged.is_some(),
        idempotent: operation.idempotent,
        readonly: operation.readonly,
    };
    Some(Bound {
        model,
        input: operation.input.as_ref().map(|reference| reference.shape.as_str()),
        output: operation.output.as_ref().map(|reference| reference.shape.as_str()),
        class: catalogue::class(service, script_name, facts),
        token_member: catalogue::token_member(service, script_name, flagged).map(str::to_owned),
        pages: model.paginators.contains_key(&operation.name),
    })
}

/// The script's names of all services.
pub(crate) fn services() -> impl Iterator<Item = &'static str> {
    piton_models::services().iter().chain(piton_models::further_services()).copied()
}

/// A method call on a client.
pub(crate) fn call(
    context: &NativeCallContext<'_>,
    client: &Client,
    method: &str,
    input: &Map,
) -> Native {
    suspend::check()?;
    let (bound, operation, all_pages) = find(context, client, method)?;
    let input = value::to_input(input).map_err(|problem| {
        let message = problem.sentence(&format!("{}.{method}", client.service));
        failure::raise(context, Diagnostic::error(Code::NotPlainData, message))
    })?;
    check(context, bound, client, method, &input)?;
    let given = |member: &String| input.get(member).is_some();
    let token_member = bound.token_member.clone().filter(|member| !given(member));
    let mut output = durable(context, |session| {
        session.host.call(ScriptCall {
            account: client.account.as_ref().clone(),
            service: client.service.to_owned(),
            operation: operation.to_owned(),
            all_pages,
            input,
            class: bound.class,
            token_member,
            place: session.place(context),
        })
    })?;
    if let Some(shape) = bound.output {
        fill_absent(bound.model, shape, &mut output);
    }
    Ok(match output {
        Value::Null if bound.output.is_none() => Dynamic::UNIT,
        output => value::from_json(output),
    })
}

/// A method call with something else than one map.
pub(crate) fn refuse_input(
    context: &NativeCallContext<'_>,
    client: &Client,
    method: &str,
    input: &Dynamic,
) -> Native {
    suspend::check()?;
    find(context, client, method)?;
    let found = value::describe(input);
    let message = format!("{}.{method} takes one map of members, found {found}", client.service);
    let hint = format!("{method}(#{{ member: value, ... }})");
    Err(failure::raise(context, Diagnostic::error(Code::BadMember, message).hint(hint)))
}

fn find<'a>(
    context: &NativeCallContext<'_>,
    client: &Client,
    method: &'a str,
) -> Native<(&'static Bound, &'a str, bool)> {
    bound(client.service, method).map_err(|problem| failure::raise(context, problem))
}

/// What the checker needs to know of an operation.
pub(crate) struct Found {
    /// The service's model.
    pub(crate) model: &'static Model,
    /// Shape of the input.
    pub(crate) input: Option<&'static str>,
    /// Shape of the answer.
    pub(crate) output: Option<&'static str>,
    /// The member that the engine fills with a token.
    pub(crate) token: Option<&'static str>,
}

/// The operation that a method means, or what is wrong with its name.
pub(crate) fn lookup(service: &str, method: &str) -> Result<Found, Diagnostic> {
    let (Bound { model, input, output, token_member, .. }, ..) = bound(service, method)?;
    Ok(Found { model, input: *input, output: *output, token: token_member.as_deref() })
}

/// Whether the SDK sends unions to this service without the names of their members: the serializer
/// of its `query` crates does.
pub(crate) fn loses_unions(model: &Model) -> bool {
    model.metadata.protocol() == Protocol::Query
        && piton_models::services().contains(&model.script_name.as_str())
}

/// Whether a service has an operation of this name, all pages of it included.
pub(crate) fn has_operation(service: &str, method: &str) -> bool {
    operations(service).is_some_and(|table| {
        let single = method.strip_suffix("_all").and_then(|single| table.get(single));
        table.contains_key(method) || single.is_some_and(|bound| bound.pages)
    })
}

fn bound<'a>(
    service: &str,
    method: &'a str,
) -> Result<(&'static Bound, &'a str, bool), Diagnostic> {
    let table = operations(service).expect("a client is of a known service");
    if let Some(bound) = table.get(method) {
        return Ok((bound, method, false));
    }
    let single = method.strip_suffix("_all");
    if let Some((single, bound)) = single.and_then(|name| Some((name, table.get(name)?))) {
        if bound.pages {
            return Ok((bound, single, true));
        }
        let message = format!("{service}.{single} has no pages, so there is no `{method}`");
        let hint = format!("call `{single}`");
        return Err(Diagnostic::error(Code::UnknownOperation, message).hint(hint));
    }
    let message = format!("the service {service} has no operation `{method}`");
    let mut diagnostic = Diagnostic::error(Code::UnknownOperation, message);
    let mut known: Vec<&str> = table.keys().map(String::as_str).collect();
    known.sort_unstable();
    if let Some(near) = suggest::nearest(single.unwrap_or(method), known) {
        let all = if single.is_some() { "_all" } else { "" };
        diagnostic = diagnostic.hint(format!("did you mean `{near}{all}`?"));
    }
    let elsewhere = services().find(|other| {
        *other != service && operations(other).is_some_and(|table| table.contains_key(method))
    });
    if let Some(elsewhere) = elsewhere {
        diagnostic = diagnostic.hint(format!("`{method}` is an operation of {elsewhere}"));
    }
    Err(diagnostic.hint(format!("`piton explain {service}` lists them")))
}

fn check(
    context: &NativeCallContext<'_>,
    bound: &Bound,
    client: &Client,
    method: &str,
    input: &Value,
) -> Native<()> {
    let problems = match bound.input {
        Some(shape) => {
            let mut problems =
                validate(bound.model, shape, input, &|value| Origin::of(value).is_some());
            problems.extend(unfilled(bound, shape, input));
            problems
        }
        None if input.as_object().is_none_or(serde_json::Map::is_empty) => return Ok(()),
        None => vec![Problem {
            path: String::new(),
            kind: ProblemKind::UnknownMember,
            message: "the operation takes no members".to_owned(),
            hint: Some(format!("{method}()")),
        }],
    };
    let Some(first) = problems.first() else { return Ok(()) };
    let service = client.service;
    let mut diagnostic =
        Diagnostic::error(code_of(first.kind), format!("{service}.{method}: {}", said(first)));
    if let Some(hint) = &first.hint {
        diagnostic = diagnostic.hint(hint.clone());
    }
    for further in problems.iter().skip(1).take(PROBLEMS_SHOWN) {
        let hint = further.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        diagnostic = diagnostic.hint(format!("also: {}{hint}", said(further)));
    }
    let diagnostic =
        diagnostic.hint(format!("`piton explain {service}.{method}` shows the members"));
    let session = Session::current();
    let place = session.place(context);
    Err(failure::raise_at(&session, diagnostic, place))
}

/// Required members that the model flags as a token and the catalogue knows to be none: nobody fills
/// them.
fn unfilled(bound: &Bound, shape: &str, input: &Value) -> Vec<Problem> {
    let shape = bound.model.shape(shape);
    let is_missing = |name: &&String| {
        shape.member_named(name).is_some_and(|member| member.idempotency_token)
            && bound.token_member.as_deref() != Some(name.as_str())
            && input.get(name.as_str()).is_none_or(Value::is_null)
    };
    let missing = shape.required.iter().filter(is_missing).map(|name| Problem {
        path: name.clone(),
        kind: ProblemKind::MissingMember,
        message: format!("`{name}` is required"),
        hint: None,
    });
    missing.collect()
}

/// The code of a problem.
pub(crate) fn code_of(kind: ProblemKind) -> Code {
    match kind {
        ProblemKind::UnknownMember => Code::UnknownMember,
        ProblemKind::MissingMember => Code::MissingMember,
        _ => Code::BadMember,
    }
}

/// The problem with its path, where the path says more than the message does.
pub(crate) fn said(problem: &Problem) -> String {
    let Problem { path, message, .. } = problem;
    let last = path.rsplit('/').next().unwrap_or_default();
    if path.is_empty() || (path == last && message.contains(&format!("`{last}`"))) {
        message.clone()
    } else {
        format!("`{path}`: {message}")
    }
}
