//! `call_runbook`: another runbook as a run of its own. `lock`: one run at a time for a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::secret::Origin;
use rhai::{Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::{add, name, text, usage};
use crate::Program;
use crate::declaration::ParamType;
use crate::failure::{self, Native, Raise, durable};
use crate::host::ChildSpec;
use crate::options::Options;
use crate::params::{self, Bound, Given};
use crate::session::Session;
use crate::value::{self, Secrets};

pub(super) fn register(module: &mut Module) {
    add(module, "call_runbook", |context: NativeCallContext<'_>, runbook: Dynamic| {
        call(&context, &runbook, Map::new().into(), Map::new().into())
    });
    add(
        module,
        "call_runbook",
        |context: NativeCallContext<'_>, runbook: Dynamic, params: Dynamic| {
            call(&context, &runbook, params, Map::new().into())
        },
    );
    add(
        module,
        "call_runbook",
        |context: NativeCallContext<'_>, runbook: Dynamic, params: Dynamic, options: Dynamic| {
            call(&context, &runbook, params, options)
        },
    );
    add(module, "lock", |context: NativeCallContext<'_>, lock: Dynamic| {
        let name = name(&context, &lock)?;
        durable(&context, |session| session.host.lock(&name))
    });
}

fn call(
    context: &NativeCallContext<'_>,
    runbook: &Dynamic,
    params: Dynamic,
    options: Dynamic,
) -> Native {
    let runbook = text(context, "runbook", runbook)?;
    let session = Session::current();
    let Some(program) = session.program.called(&runbook).cloned() else {
        let message = format!("the program has no runbook `{runbook}` to call");
        let hint = "write the runbook's name or path as a literal text";
        let problem = Diagnostic::error(Code::NotCallable, message).hint(hint);
        return Err(failure::raise(context, problem));
    };
    let mut options = Options::new(context, "call_runbook", options, &["accounts"])?;
    let accounts = accounts(&mut options)?;
    if let Some(problem) = session.program.declaration.cannot_lend(program.declaration(), &accounts)
    {
        return Err(failure::raise(context, problem));
    }
    let (given, handles) = given(context, &program, params)?;
    let params = bound(&program, &given, &handles, session.host.is_sandbox())
        .map_err(|problem| of_call(context, &runbook, problem))?;
    let spec = ChildSpec {
        runbook,
        program,
        given: Value::Object(given),
        params,
        handles,
        accounts,
        place: session.place(context),
    };
    durable(context, |session| Arc::clone(&session.host).call_runbook(spec)).map(value::from_json)
}

fn accounts(options: &mut Options<'_>) -> Native<BTreeMap<String, String>> {
    let given = options.object("accounts", Secrets::Refused)?.unwrap_or_default();
    let name = |(alias, own): (String, Value)| match own {
        Value::String(own) => Ok((alias, own)),
        other => Err(options.wrong("accounts", &format!("takes aliases, found {other}"))),
    };
    given.into_iter().map(name).collect()
}

type Members = serde_json::Map<String, Value>;

/// Parameters as plain data; `()` is one that is not given. Handles are for secret parameters alone.
fn given(
    context: &NativeCallContext<'_>,
    program: &Program,
    params: Dynamic,
) -> Native<(Members, Vec<(String, Origin)>)> {
    let found = value::describe(&params);
    let Some(params) = params.flatten().try_cast::<Map>() else {
        let message = format!("the parameters of `call_runbook` are a map, found {found}");
        let hint = usage("call_runbook").unwrap_or_default();
        return Err(failure::bad_argument_hint(context, message, hint));
    };
    let mut given = Members::new();
    let mut handles = Vec::new();
    for (name, param) in params {
        if param.is_unit() {
            continue;
        }
        let spec = program.declaration().param(&name);
        let is_secret = spec.is_some_and(|spec| spec.kind == ParamType::Secret);
        let secrets = if is_secret { Secrets::Handles } else { Secrets::Refused };
        let plain = value::to_json(&param, secrets).map_err(|problem| {
            failure::bad_argument(context, problem.sentence(&format!("the parameter `{name}`")))
        })?;
        if let Some(origin) = Origin::of(&plain) {
            handles.push((name.to_string(), origin));
        }
        given.insert(name.into(), plain);
    }
    Ok((given, handles))
}

fn bound(
    program: &Program,
    given: &Members,
    handles: &[(String, Origin)],
    sandbox: bool,
) -> Result<Bound, Diagnostic> {
    let is_handle = |name: &str| handles.iter().any(|(handle, _)| handle == name);
    let plain = given.iter().filter(|(name, _)| !is_handle(name));
    let plain: Vec<(String, Given)> =
        plain.map(|(name, value)| (name.clone(), Given::Value(value.clone()))).collect();
    let mut bound = params::bind(program.declaration(), &plain, sandbox)
        .map_err(|mut problems| problems.remove(0))?;
    bound.secrets.retain(|(name, _)| !is_handle(name));
    for (name, _) in handles {
        bound.values.insert(name.clone(), Origin::Param { name: name.clone() }.handle());
    }
    match bound.missing_secrets.iter().find(|name| !is_handle(name)) {
        Some(name) => Err(params::not_given(program.declaration(), name)),
        None => {
            bound.missing_secrets.clear();
            Ok(bound)
        }
    }
}

fn of_call(context: &NativeCallContext<'_>, runbook: &str, mut problem: Diagnostic) -> Raise {
    problem.message = format!("`{runbook}`: {}", problem.message);
    // How a parameter is given on the command line says nothing here.
    problem.hints.retain(|hint| !hint.starts_with("-p "));
    failure::raise(context, problem)
}
