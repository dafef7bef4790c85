//! `params.name`: the run's parameters, read-only, the same everywhere in a program.
//!
//! `params` is a word of the language and no variable: functions in Rhai see no outer variables, and
//! a captured map would be shared between closures.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::suggest;
use rhai::{Array, Dynamic, Engine, ImmutableString, Module, NativeCallContext, ParseError};
use serde_json::Value;

use super::add;
use crate::failure::{self, Native};
use crate::session::Session;
use crate::value;

/// What the word `params` stands for; the values are the host's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Params;

/// The word.
pub(crate) const WORD: &str = "params";

/// Makes `params` a word of the language.
pub(crate) fn register_word(engine: &mut Engine) -> Result<(), ParseError> {
    engine.register_custom_syntax([WORD], false, |_, _| Ok(Dynamic::from(Params)))?;
    Ok(())
}

/// The type, where an engine keeps types.
pub(crate) fn register_types(engine: &mut Engine) {
    engine.register_type_with_name::<Params>("params");
    engine.register_indexer_get(
        |context: NativeCallContext<'_>, _: &mut Params, name: ImmutableString| {
            read(&context, &name)
        },
    );
}

pub(super) fn register(module: &mut Module) {
    add(module, "get", |_: Params, name: ImmutableString| given(&name).unwrap_or(Dynamic::UNIT));
    add(module, "get", |_: Params, name: ImmutableString, preset: Dynamic| {
        given(&name).filter(|value| !value.is_unit()).unwrap_or(preset)
    });
    add(module, "contains", |_: Params, name: ImmutableString| {
        Session::current().host.params().contains_key(name.as_str())
    });
    add(module, "keys", |_: Params| -> Array {
        Session::current().host.params().keys().map(|name| name.clone().into()).collect()
    });
    add(module, "to_string", |_: Params| masked());
    add(module, "to_debug", |_: Params| masked());
}

fn masked() -> String {
    let given = Value::Object(Session::current().host.params().clone());
    piton_core::canonical::text(&piton_core::secret::masked(&given))
}

fn given(name: &str) -> Option<Dynamic> {
    Session::current().host.params().get(name).cloned().map(value::from_json)
}

fn read(context: &NativeCallContext<'_>, name: &str) -> Native {
    if let Some(value) = given(name) {
        return Ok(value);
    }
    let session = Session::current();
    let params = session.host.params();
    let source = context.call_source();
    let place = session.program.place_of_call(source, context.call_position(), name);
    let diagnostic = unknown_parameter(name, params.keys().map(String::as_str));
    Err(failure::raise_at(&session, diagnostic, place))
}

/// The runbook declares no parameter of this name.
pub(crate) fn unknown_parameter<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let message = format!("the runbook has no parameter `{name}`");
    let hint = match suggest::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("declare it: `params: #{{ {name}: #{{ type: \"string\" }} }}`"),
    };
    Diagnostic::error(Code::UnknownParameter, message).hint(hint)
}
