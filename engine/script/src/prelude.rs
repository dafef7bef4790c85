//! What scripts can call, besides the operations of AWS.
//!
//! Every function is registered once, in one module that all evaluations share. Arguments are taken
//! as they come and checked here, so that a wrong one is said in the words of this language.

pub(crate) mod accounts;
mod branches;
pub(crate) mod calls;
mod children;
mod collections;
mod csv;
pub(crate) mod data;
mod gates;
pub(crate) mod params;
mod reports;
mod steps;

use rhai::{Dynamic, FnPtr, FuncRegistration, Module, NativeCallContext, RhaiNativeFunc, Variant};

use crate::failure::{self, Native};
use crate::value;

/// Functions with how they are called, for messages and for the checker.
pub(crate) const USAGE: &[(&str, &str)] = &[
    ("anchor", "anchor()"),
    ("approve", "approve(name) or approve(name, #{ show, from, need, ... })"),
    ("artifact", "artifact(name, text)"),
    ("asset", "asset(\"file of the runbook's folder\")"),
    ("aws", "aws(\"alias\") or aws(\"alias\", account_id)"),
    ("call_runbook", "call_runbook(\"name or path\", #{ ... }, #{ accounts: #{ ... } })"),
    ("ensure", "ensure(condition, message)"),
    ("fail", "fail(message)"),
    ("lock", "lock(name)"),
    ("manual", "manual(name, #{ instructions, evidence, ... })"),
    ("note", "note(text)"),
    ("now", "now()"),
    ("output", "output(name, value)"),
    ("parallel", "parallel(#{ first: || ..., second: || ... })"),
    ("parallel_map", "parallel_map(list, |item| ..., #{ max, tolerate, ramp })"),
    ("parse_csv", "parse_csv(text) or parse_csv(text, #{ separator, header })"),
    ("parse_json", "parse_json(text)"),
    ("query", "query(account, #{ sql, target: #{ ... } })"),
    ("random_password", "random_password() or random_password(#{ length, alphabet })"),
    ("render", "render(template, #{ ... })"),
    ("retry", "retry(name, || call, #{ on: [...], every, give_up })"),
    ("runbook", "runbook(#{ title, summary, accounts, params })"),
    ("secret_env", "secret_env(\"NAME\")"),
    ("sleep", "sleep(\"30s\")"),
    ("sleep_until", "sleep_until(\"2026-01-31T12:00:00Z\")"),
    ("step", "step(name, || ...)"),
    ("to_json", "to_json(value)"),
    ("undo", "undo(|| call)"),
    ("uuid", "uuid()"),
    ("wait_until", "wait_until(name, || call, #{ path, ok, fail, gone, every, give_up })"),
];

/// Functions that have an effect on a run: no module may call one while it is being imported.
pub(crate) const DURABLE: &[&str] = &[
    "anchor",
    "approve",
    "artifact",
    "call_runbook",
    "lock",
    "manual",
    "note",
    "now",
    "output",
    "parallel",
    "parallel_map",
    "print",
    "query",
    "random_password",
    "retry",
    "secret_env",
    "sleep",
    "sleep_until",
    "step",
    "undo",
    "uuid",
    "wait_until",
];

/// How a function is called.
pub(crate) fn usage(name: &str) -> Option<&'static str> {
    USAGE.iter().find(|(known, _)| *known == name).map(|(_, usage)| *usage)
}

/// The module of all prelude functions.
pub(crate) fn module() -> Module {
    let mut module = Module::new();
    accounts::register(&mut module);
    branches::register(&mut module);
    calls::register(&mut module);
    children::register(&mut module);
    collections::register(&mut module);
    data::register(&mut module);
    gates::register(&mut module);
    params::register(&mut module);
    reports::register(&mut module);
    steps::register(&mut module);
    module
}

fn add<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
    module: &mut Module,
    name: &str,
    function: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
) {
    FuncRegistration::new(name).set_into_module(module, function);
}

/// An argument that must be a text.
fn text(context: &NativeCallContext<'_>, what: &str, argument: &Dynamic) -> Native<String> {
    argument.as_immutable_string_ref().map(|text| text.to_string()).map_err(|_| {
        let function = context.fn_name();
        let found = value::describe(argument);
        failure::bad_argument_hint(
            context,
            format!("the {what} of `{function}` is a text, found {found}"),
            usage(function).unwrap_or_default(),
        )
    })
}

/// An argument that must be a closure.
fn closure(context: &NativeCallContext<'_>, argument: &Dynamic) -> Native<FnPtr> {
    argument.flatten_clone().try_cast::<FnPtr>().ok_or_else(|| {
        let function = context.fn_name();
        let found = value::describe(argument);
        failure::bad_argument_hint(
            context,
            format!("`{function}` takes a closure, found {found}"),
            usage(function).unwrap_or_default(),
        )
    })
}

/// A name that people see and keys hold: a text that is not blank.
fn name(context: &NativeCallContext<'_>, argument: &Dynamic) -> Native<String> {
    let name = text(context, "name", argument)?;
    if name.trim().is_empty() {
        let message = format!("the name of `{}` is empty", context.fn_name());
        return Err(failure::bad_argument(context, message));
    }
    Ok(name)
}
