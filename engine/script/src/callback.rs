//! Closures of the script, called from native functions.
//!
//! Rhai takes the file that is being evaluated from the caller; a closure written in one file and
//! called from another would report positions of the wrong one. Here it gets its own file back.

use piton_core::diagnostic::Place;
use rhai::{
    Dynamic, Engine, EvalAltResult, FnPtr, GlobalRuntimeState, NativeCallContext, Position,
};
use serde_json::Value;

use crate::failure::{Native, Raise};
use crate::host::{Halt, ScriptError, Thrown};
use crate::session::Session;
use crate::suspend::{self, Halted};
use crate::value::{self, Secrets};

/// A closure with the context in which it is called.
pub(crate) struct Callback<'a> {
    engine: &'a Engine,
    name: &'a str,
    position: Position,
    global: GlobalRuntimeState,
    closure: FnPtr,
}

impl<'a> Callback<'a> {
    pub(crate) fn new(context: &'a NativeCallContext<'a>, closure: FnPtr) -> Self {
        let mut global = context.global_runtime_state().clone();
        if let Some(home) = Session::current().program.home_of(closure.fn_name()) {
            global.source = Some(home.into());
        }
        Self {
            engine: context.engine(),
            name: context.fn_name(),
            position: context.call_position(),
            global,
            closure,
        }
    }

    fn context(&self) -> NativeCallContext<'_> {
        NativeCallContext::new_with_all_fields(
            self.engine,
            self.name,
            None,
            &self.global,
            self.position,
        )
    }

    /// Where the native function was called.
    pub(crate) fn place(&self, session: &Session) -> Option<Place> {
        session.place(&self.context())
    }

    /// Calls it with arguments.
    pub(crate) fn call(&self, arguments: impl AsMut<[Dynamic]>) -> Native {
        suspend::check()?;
        let result = self.closure.call_raw(&self.context(), None, arguments);
        suspend::check()?;
        result
    }

    /// Calls it as Rhai's own list functions do: an element as argument or as `this`, an index if
    /// the closure takes one. Errors pass unwrapped, so that an end stays an end.
    pub(crate) fn call_element<const N: usize, const E: usize>(
        &self,
        element: Option<&mut Dynamic>,
        arguments: [Dynamic; N],
        extras: [Dynamic; E],
        element_as: Option<usize>,
    ) -> Native {
        suspend::check()?;
        let context = self.context();
        let result = self
            .closure
            .call_raw_with_extra_args(self.name, &context, element, arguments, extras, element_as);
        suspend::check()?;
        result.map_err(|error| match *error {
            EvalAltResult::ErrorInFunctionCall(name, _, inner, _) if name == self.name => inner,
            other => other.into(),
        })
    }
}

/// A callback for the host: no arguments, plain data back. What it raised is kept, so that the
/// script gets it unchanged when the host hands it on.
pub(crate) struct HostCallback<'a> {
    callback: Callback<'a>,
    raised: Option<(Thrown, Raise)>,
}

impl<'a> HostCallback<'a> {
    pub(crate) fn new(context: &'a NativeCallContext<'a>, closure: FnPtr) -> Self {
        Self { callback: Callback::new(context, closure), raised: None }
    }

    /// Calls it once.
    pub(crate) fn call(&mut self) -> Result<Value, Halt> {
        let value = self.callback.call([]).map_err(|error| self.halt(error))?;
        value::to_json(&value, Secrets::Handles).map_err(|problem| {
            let message = problem.sentence("what the closure returns");
            let session = Session::current();
            let diagnostic = piton_core::diagnostic::Diagnostic::error(
                piton_core::diagnostic::Code::NotPlainData,
                message,
            );
            let place = session.place(&self.callback.context());
            Halt::Script(ScriptError(crate::failure::raise_at(&session, diagnostic, place)))
        })
    }

    fn halt(&mut self, error: Raise) -> Halt {
        match suspend::halted() {
            Halted::Stopped => return Halt::Stop,
            Halted::Limit | Halted::Bug => return Halt::Script(ScriptError(error)),
            Halted::No => {}
        }
        let recorded = match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => Session::current().recall(value),
            _ => None,
        };
        match recorded.filter(|recorded| recorded.from_host) {
            Some(recorded) => {
                self.raised = Some((recorded.thrown.clone(), error));
                Halt::Thrown(Box::new(recorded.thrown))
            }
            None => Halt::Script(ScriptError(error)),
        }
    }

    /// What the host answers: an error that the callback raised and the host hands on keeps its
    /// place.
    pub(crate) fn settle<T>(self, answer: Result<T, Halt>) -> Result<T, Halt> {
        answer.map_err(|halt| match (halt, self.raised) {
            (Halt::Thrown(thrown), Some((raised, error))) if *thrown == raised => {
                Halt::Script(ScriptError(error))
            }
            (halt, _) => halt,
        })
    }
}
