//! `step`, and what waits without asking anybody: `wait_until`, `retry`, `sleep`, `undo`.

use std::str::FromStr as _;

use piton_core::time::{Span, Timestamp};
use rhai::{Dynamic, EvalAltResult, Module, NativeCallContext};

use super::{add, closure, name, text};
use crate::callback::{Callback, HostCallback};
use crate::failure::{self, Native, Raise, durable};
use crate::host::{RetrySpec, WaitSpec};
use crate::options::Options;
use crate::suspend::{self, Halted};
use crate::value;

const WAIT_EVERY: Span = Span::from_secs(15);
const WAIT_GIVE_UP: Span = Span::from_secs(3600);
const RETRY_EVERY: Span = Span::from_secs(5);
const RETRY_GIVE_UP: Span = Span::from_secs(600);

pub(super) fn register(module: &mut Module) {
    add(module, "step", |context: NativeCallContext<'_>, name: Dynamic, body: Dynamic| {
        step(&context, &name, &body)
    });
    add(
        module,
        "wait_until",
        |context: NativeCallContext<'_>, name: Dynamic, call: Dynamic, options: Dynamic| {
            wait_until(&context, &name, &call, options)
        },
    );
    add(
        module,
        "retry",
        |context: NativeCallContext<'_>, name: Dynamic, call: Dynamic, options: Dynamic| {
            retry(&context, &name, &call, options)
        },
    );
    // Rhai's own `sleep` blocks the thread; each of its signatures needs one here to win over it.
    add(module, "sleep", |context: NativeCallContext<'_>, span: Dynamic| sleep(&context, &span));
    add(module, "sleep", |context: NativeCallContext<'_>, seconds: i64| {
        sleep(&context, &seconds.into())
    });
    add(module, "sleep", |context: NativeCallContext<'_>, seconds: f64| {
        sleep(&context, &seconds.into())
    });
    add(module, "sleep_until", |context: NativeCallContext<'_>, until: Dynamic| {
        sleep_until(&context, &until)
    });
    add(module, "undo", |context: NativeCallContext<'_>, calls: Dynamic| undo(&context, &calls));
}

fn step(context: &NativeCallContext<'_>, step: &Dynamic, body: &Dynamic) -> Native {
    let name = name(context, step)?;
    let body = closure(context, body)?;
    durable(context, |session| session.host.open_step(&name))?;
    let result = Callback::new(context, body).call([]);
    if suspend::halted() == Halted::Stopped {
        return Err(suspend::terminated());
    }
    let ended = match &result {
        Ok(_) => true,
        Err(error) => error.is_pseudo_error(),
    };
    if suspend::halted() == Halted::No {
        durable(context, |session| session.host.close_step(ended))?;
    }
    result.map_err(|error| in_step(context, &name, error))
}

/// The error with the step as a frame; an end stays what it is.
fn in_step(context: &NativeCallContext<'_>, name: &str, error: Raise) -> Raise {
    if !error.is_catchable() {
        return error;
    }
    let source = context.call_source().unwrap_or_default().to_owned();
    let frame = crate::raised::step_frame(name);
    EvalAltResult::ErrorInFunctionCall(frame, source, error, context.call_position()).into()
}

fn wait_until(
    context: &NativeCallContext<'_>,
    wait: &Dynamic,
    call: &Dynamic,
    options: Dynamic,
) -> Native {
    let name = name(context, wait)?;
    let call = closure(context, call)?;
    let known = ["path", "ok", "fail", "gone", "every", "give_up"];
    let mut options = Options::new(context, "wait_until", options, &known)?;
    let spec = WaitSpec {
        name,
        path: options.text("path")?.unwrap_or_default(),
        ok: options.values_of("ok")?,
        fail: options.values_of("fail")?,
        gone: options.texts("gone")?,
        every: options.span("every")?.unwrap_or(WAIT_EVERY),
        give_up: options.span("give_up")?.unwrap_or(WAIT_GIVE_UP),
    };
    if spec.ok.is_empty() && spec.gone.is_empty() {
        return Err(failure::bad_argument_hint(
            context,
            "`wait_until` needs `ok`, the states that end it, or `gone`, the error codes that do",
            "#{ path: \"status\", ok: [\"ACTIVE\"], fail: [\"CREATE_FAILED\"] }",
        ));
    }
    let mut callback = HostCallback::new(context, call);
    durable(context, |session| {
        let answer = session.host.wait_until(spec, &mut || callback.call());
        callback.settle(answer)
    })
    .map(value::from_json)
}

fn retry(
    context: &NativeCallContext<'_>,
    retry: &Dynamic,
    call: &Dynamic,
    options: Dynamic,
) -> Native {
    let name = name(context, retry)?;
    let call = closure(context, call)?;
    let mut options = Options::new(context, "retry", options, &["on", "every", "give_up"])?;
    let on = options.texts("on")?;
    if on.is_empty() {
        let message = "`retry` needs `on`, the error codes after which it tries again";
        let hint = "#{ on: [\"AccessDeniedException\"], every: \"5s\", give_up: \"10m\" }";
        return Err(failure::bad_argument_hint(context, message, hint));
    }
    let spec = RetrySpec {
        name,
        on,
        every: options.span("every")?.unwrap_or(RETRY_EVERY),
        give_up: options.span("give_up")?.unwrap_or(RETRY_GIVE_UP),
    };
    let mut callback = HostCallback::new(context, call);
    durable(context, |session| {
        let answer = session.host.retry(spec, &mut || callback.call());
        callback.settle(answer)
    })
    .map(value::from_json)
}

fn sleep(context: &NativeCallContext<'_>, span: &Dynamic) -> Native<()> {
    if let Ok(seconds) = span.as_int() {
        let message = format!("`sleep` takes a text with its unit, found {seconds}");
        let hint = format!("write sleep(\"{seconds}s\")");
        return Err(failure::bad_argument_hint(context, message, hint));
    }
    let text = text(context, "length of time", span)?;
    let span = Span::from_str(&text)
        .map_err(|problem| failure::bad_argument(context, format!("`sleep`: {problem}")))?;
    durable(context, |session| session.host.sleep(span))
}

fn sleep_until(context: &NativeCallContext<'_>, until: &Dynamic) -> Native<()> {
    let text = text(context, "moment", until)?;
    let until = Timestamp::from_str(&text)
        .map_err(|problem| failure::bad_argument(context, format!("`sleep_until`: {problem}")))?;
    durable(context, |session| session.host.sleep_until(until))
}

fn undo(context: &NativeCallContext<'_>, calls: &Dynamic) -> Native<()> {
    let calls = closure(context, calls)?;
    let mut callback = HostCallback::new(context, calls);
    durable(context, |session| {
        let answer = session.host.undo(&mut || callback.call());
        callback.settle(answer)
    })
}
