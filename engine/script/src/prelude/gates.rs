//! `approve` and `manual`: places where a person decides.

use piton_core::gate::{GateKind, OnExpire};
use piton_core::secret::masked;
use rhai::{Dynamic, FnPtr, Map, Module, NativeCallContext};
use serde_json::Value;

use super::{add, name};
use crate::callback::HostCallback;
use crate::failure::{Native, durable};
use crate::host::{GateSpec, SettledRule};
use crate::options::Options;
use crate::session::Session;
use crate::value::{self, Secrets};

const COMMON: [&str; 10] = [
    "show",
    "from",
    "need",
    "exclude",
    "self",
    "expires",
    "on_expire",
    "on_reject",
    "form",
    "settled_by",
];

/// More people than that do not sit at one gate.
const MOST_DECIDERS: u32 = 100;

pub(super) fn register(module: &mut Module) {
    add(module, "approve", |context: NativeCallContext<'_>, name: Dynamic| {
        gate(&context, GateKind::Approval, &name, Map::new().into())
    });
    add(module, "approve", |context: NativeCallContext<'_>, name: Dynamic, options: Dynamic| {
        gate(&context, GateKind::Approval, &name, options)
    });
    add(module, "manual", |context: NativeCallContext<'_>, name: Dynamic, options: Dynamic| {
        gate(&context, GateKind::Manual, &name, options)
    });
}

fn gate(
    context: &NativeCallContext<'_>,
    kind: GateKind,
    gate: &Dynamic,
    options: Dynamic,
) -> Native {
    let name = name(context, gate)?;
    let (owner, own): (_, &[&str]) = match kind {
        GateKind::Approval => ("approve", &[]),
        GateKind::Manual => ("manual", &["instructions", "evidence"]),
    };
    let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    let mut options = Options::new(context, owner, options, &known)?;
    let (settled_by, settled) = match settled_by(&mut options)? {
        Some((rule, call)) => (Some(rule), Some(call)),
        None => (None, None),
    };
    let instructions = options.text("instructions")?;
    let instructions = match kind {
        GateKind::Manual => Some(options.required("instructions", instructions)?),
        GateKind::Approval => None,
    };
    let on_expire = match options.text("on_expire")?.as_deref() {
        None | Some("reject") => OnExpire::Reject,
        Some("approve") => OnExpire::Approve,
        Some(_) => return Err(options.wrong("on_expire", "is \"reject\" or \"approve\"")),
    };
    let returns_rejection = match options.text("on_reject")?.as_deref() {
        None | Some("raise") => false,
        Some("return") => true,
        Some(_) => return Err(options.wrong("on_reject", "is \"raise\" or \"return\"")),
    };
    let spec = GateSpec {
        kind,
        name,
        show: masked(&options.plain("show", Secrets::Masked)?.unwrap_or(Value::Null)),
        from: options.texts("from")?,
        need: options.count("need", 1, MOST_DECIDERS)?.unwrap_or(1),
        exclude: options.texts("exclude")?,
        by_requester: options.boolean("self")?.unwrap_or(false),
        expires: options.span("expires")?,
        on_expire,
        form: options.object("form", Secrets::Refused)?.map_or(Value::Null, Value::Object),
        instructions,
        evidence: options.text("evidence")?,
        returns_rejection,
        settled_by,
        place: Session::current().place(context),
    };
    ask(context, spec, settled).map(value::from_json)
}

fn ask(context: &NativeCallContext<'_>, spec: GateSpec, settled: Option<FnPtr>) -> Native<Value> {
    match settled {
        None => durable(context, |session| session.host.gate(spec, None)),
        Some(call) => {
            let mut callback = HostCallback::new(context, call);
            durable(context, |session| {
                let answer = session.host.gate(spec, Some(&mut || callback.call()));
                callback.settle(answer)
            })
        }
    }
}

fn settled_by(options: &mut Options<'_>) -> Native<Option<(SettledRule, FnPtr)>> {
    let known = ["call", "path", "ok", "fail", "by"];
    let Some(mut rule) = options.nested("settled_by", &known)? else { return Ok(None) };
    let call = rule.closure("call")?;
    let call = rule.required("call", call)?;
    let path = rule.text("path")?.unwrap_or_default();
    let ok = rule.values_of("ok")?;
    let fail = rule.values_of("fail")?;
    let by = rule.text("by")?;
    if ok.is_empty() && fail.is_empty() {
        return Err(rule.wrong("ok", "or `fail` says which states decide"));
    }
    Ok(Some((SettledRule { path, ok, fail, by }, call)))
}
