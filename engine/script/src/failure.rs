//! Errors that native functions raise: as maps that a script can catch, or as an end that it cannot.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use piton_core::diagnostic::{Code, Diagnostic, Place};
use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext, Position};

use crate::host::{Halt, Thrown};
use crate::session::Session;
use crate::suspend::{self, Halted};
use crate::value;

/// An error on its way through Rhai.
pub(crate) type Raise = Box<EvalAltResult>;

/// What native functions return.
pub(crate) type Native<T = Dynamic> = Result<T, Raise>;

/// A thrown error with what a script's map does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) thrown: Thrown,
    /// Where the call was made: `throw e` elsewhere does not change it.
    pub(crate) place: Option<Place>,
    /// It came from the host: AWS's error, a failed wait, a rejection. Otherwise it is a mistake in
    /// the script.
    pub(crate) from_host: bool,
}

/// Does what a native function is for: refuses after the end, counts as progress, turns the host's
/// word into an error of the script, and a panic into an end.
pub(crate) fn durable<T>(
    context: &NativeCallContext<'_>,
    act: impl FnOnce(&Session) -> Result<T, Halt>,
) -> Native<T> {
    suspend::check()?;
    suspend::progressed();
    let session = Session::current();
    match catch_unwind(AssertUnwindSafe(|| act(&session))) {
        Ok(Ok(value)) => {
            suspend::progressed();
            suspend::check().map(|()| value)
        }
        Ok(Err(halt)) => {
            if matches!(halt, Halt::Stop) {
                session.host.stopped_at(session.place(context));
            }
            Err(raise_halt(&session, context, halt))
        }
        Err(panic) => {
            let message = format!("`{}` panicked: {}", context.fn_name(), panic_text(&*panic));
            let bug = Diagnostic::error(Code::Bug, message).at(session.place(context));
            session.report_bug(bug);
            Err(suspend::halt(Halted::Bug))
        }
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

pub(crate) fn raise_halt(session: &Session, context: &NativeCallContext<'_>, halt: Halt) -> Raise {
    match halt {
        Halt::Stop => suspend::halt(Halted::Stopped),
        Halt::Script(error) => error.0,
        Halt::Thrown(thrown) => {
            let place = session.place(context);
            throw(session, Recorded { thrown: *thrown, place, from_host: true })
        }
    }
}

/// A mistake in the script, at the place of the call.
pub(crate) fn raise(context: &NativeCallContext<'_>, diagnostic: Diagnostic) -> Raise {
    let session = Session::current();
    let place = session.place(context);
    raise_at(&session, diagnostic, place)
}

/// A mistake in the script at a place.
pub(crate) fn raise_at(session: &Session, diagnostic: Diagnostic, place: Option<Place>) -> Raise {
    let thrown = Thrown {
        code: diagnostic.code.as_str().to_owned(),
        message: diagnostic.message.clone(),
        service: None,
        operation: None,
        http_status: None,
        request_id: None,
        retryable: false,
        key: None,
        details: serde_json::Value::Null,
        diagnostic: Some(diagnostic.at(place.clone())),
    };
    throw(session, Recorded { thrown, place, from_host: false })
}

/// A wrong argument of a prelude function.
pub(crate) fn bad_argument(context: &NativeCallContext<'_>, message: impl Into<String>) -> Raise {
    raise(context, Diagnostic::error(Code::BadArgument, message))
}

/// A wrong argument, with how to do it.
pub(crate) fn bad_argument_hint(
    context: &NativeCallContext<'_>,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Raise {
    raise(context, Diagnostic::error(Code::BadArgument, message).hint(hint))
}

/// What an error that is no map would be as one.
pub(crate) fn error_map(diagnostic: &Diagnostic) -> Map {
    let thrown = Thrown {
        code: diagnostic.code.as_str().to_owned(),
        message: diagnostic.message.clone(),
        service: None,
        operation: None,
        http_status: None,
        request_id: None,
        retryable: false,
        key: None,
        details: serde_json::Value::Null,
        diagnostic: None,
    };
    script_map(&Recorded { thrown, place: None, from_host: false })
}

fn throw(session: &Session, recorded: Recorded) -> Raise {
    let mut value = Dynamic::from_map(script_map(&recorded));
    value.set_tag(session.record(recorded));
    EvalAltResult::ErrorRuntime(value, Position::NONE).into()
}

/// What `catch (e)` gets.
fn script_map(recorded: &Recorded) -> Map {
    let Recorded { thrown, from_host, .. } = recorded;
    let text = |text: &Option<String>| text.clone().map_or(Dynamic::UNIT, Dynamic::from);
    let kind = if *from_host && thrown.service.is_some() { "aws" } else { "piton" };
    [
        ("error", kind.into()),
        ("code", thrown.code.clone().into()),
        ("message", thrown.message.clone().into()),
        ("service", text(&thrown.service)),
        ("operation", text(&thrown.operation)),
        ("http_status", thrown.http_status.map_or(Dynamic::UNIT, |code| i64::from(code).into())),
        ("request_id", text(&thrown.request_id)),
        ("retryable", thrown.retryable.into()),
        ("key", text(&thrown.key)),
        ("details", value::from_json(thrown.details.clone())),
        ("branch", Dynamic::UNIT),
    ]
    .into_iter()
    .map(|(name, value): (&str, Dynamic)| (name.into(), value))
    .collect()
}
