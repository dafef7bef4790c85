//! What reports show: `output`, `note`, `artifact`, `render`; and the plain ends, `fail`, `ensure`.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::suggest;
use rhai::{Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::{add, name, text};
use crate::failure::{self, Native, durable};
use crate::session::Session;
use crate::value::{self, Secrets};

pub(super) fn register(module: &mut Module) {
    add(module, "runbook", |_: Map| ());
    add(module, "output", |context: NativeCallContext<'_>, key: Dynamic, value: Dynamic| {
        let key = name(&context, &key)?;
        let value = shown(&context, "the output", &value)?;
        durable(&context, |session| session.host.output(&key, value))
    });
    add(module, "note", |context: NativeCallContext<'_>, text: Dynamic| {
        let text = in_words(&context, text)?;
        durable(&context, |session| session.host.note(&text))
    });
    add(
        module,
        "artifact",
        |context: NativeCallContext<'_>, artifact: Dynamic, contents: Dynamic| {
            let artifact = name(&context, &artifact)?;
            let contents = text(&context, "text", &contents)?;
            durable(&context, |session| session.host.artifact(&artifact, &contents))
        },
    );
    add(module, "render", |context: NativeCallContext<'_>, template: Dynamic, values: Dynamic| {
        render(&context, &template, &values)
    });
    add(module, "fail", |context: NativeCallContext<'_>, message: Dynamic| {
        let message = in_words(&context, message)?;
        Err::<(), _>(failure::raise(&context, Diagnostic::error(Code::ScriptError, message)))
    });
    add(
        module,
        "ensure",
        |context: NativeCallContext<'_>, condition: Dynamic, message: Dynamic| {
            ensure(&context, &condition, message)
        },
    );
}

fn ensure(context: &NativeCallContext<'_>, condition: &Dynamic, message: Dynamic) -> Native<()> {
    match condition.as_bool() {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = in_words(context, message)?;
            Err(failure::raise(context, Diagnostic::error(Code::ScriptError, message)))
        }
        Err(_) => {
            let found = value::describe(condition);
            let message = format!("the condition of `ensure` is true or false, found {found}");
            Err(failure::bad_argument(context, message))
        }
    }
}

/// Plain data for people: secrets are masked.
fn shown(context: &NativeCallContext<'_>, what: &str, value: &Dynamic) -> Native<Value> {
    value::to_json(value, Secrets::Masked).map_err(|problem| {
        failure::raise(context, Diagnostic::error(Code::NotPlainData, problem.sentence(what)))
    })
}

/// Any value as text, as an interpolated string has it.
fn in_words(context: &NativeCallContext<'_>, value: Dynamic) -> Native<String> {
    match value.into_immutable_string() {
        Ok(text) => Ok(text.to_string()),
        Err(_) => Err(failure::bad_argument_hint(
            context,
            format!("`{}` takes a text", context.fn_name()),
            "write `${value}` in backticks to make one",
        )),
    }
}

fn render(context: &NativeCallContext<'_>, template: &Dynamic, values: &Dynamic) -> Native<String> {
    let template = text(context, "template", template)?;
    let values = shown(context, "what `render` gets", values)?;
    let session = Session::current();
    if session.program.file(&template).is_none() {
        return Err(no_file(context, "template", &template));
    }
    durable(context, |session| session.host.render(&template, values))
}

/// The runbook's folder has no such file.
pub(super) fn no_file(context: &NativeCallContext<'_>, what: &str, wanted: &str) -> failure::Raise {
    let session = Session::current();
    let message = format!("the runbook's folder has no {what} `{wanted}`");
    let mut diagnostic = Diagnostic::error(Code::ModuleNotFound, message);
    let known = || session.program.other_files().map(|file| file.path.as_str());
    if let Some(near) = suggest::nearest(wanted, known()) {
        diagnostic = diagnostic.hint(format!("did you mean \"{near}\"?"));
    } else if known().next().is_some() {
        diagnostic = diagnostic.hint(format!("it has {}", known().collect::<Vec<_>>().join(", ")));
    }
    failure::raise(context, diagnostic)
}
