//! An error that nothing caught, for people: what, where, and how it came there.

use piton_core::diagnostic::{Code, Diagnostic, Frame, Place};
use piton_models::suggest;
use rhai::{Dynamic, EvalAltResult, Position};

use crate::failure::{Raise, Recorded};
use crate::host::Thrown;
use crate::prelude;
use crate::program::Compiled;
use crate::session::Session;
use crate::value::{self, Secrets};

/// What nothing caught.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// For people.
    pub diagnostic: Diagnostic,
    /// The host's own error, when it was one: AWS refused, a wait failed, a gate was rejected.
    pub thrown: Option<Thrown>,
}

const STEP: &str = "step `";

/// The name of the frame that a step is.
pub(crate) fn step_frame(name: &str) -> String {
    format!("{STEP}{name}`")
}

const BRANCH: &str = "branch `";

/// The name of the frame that a branch is.
pub(crate) fn branch_frame(name: &str) -> String {
    format!("{BRANCH}{name}`")
}

/// Rhai's names of closures begin like that and say nothing to people.
const CLOSURE: &str = "anon$";

/// An error with its place and frames.
pub(crate) fn read(session: &Session, error: &EvalAltResult) -> Raised {
    let program = &session.program;
    let mut trail =
        Trail { program, file: program.script().source.path(), frames: Vec::new(), in_step: false };
    let inner = trail.follow(error);
    let place = trail.place(inner.position());
    let mut frames = trail.frames;
    frames.reverse();
    let place = place.or_else(|| frames.first().map(|frame: &Frame| frame.place.clone()));
    let recorded = match inner {
        EvalAltResult::ErrorRuntime(value, _) => session.recall(value),
        _ => None,
    };
    let (mut diagnostic, thrown) = match recorded {
        Some(recorded) => of_recorded(recorded),
        None => (of_script(program, inner), None),
    };
    diagnostic = diagnostic.at(place);
    diagnostic.frames = frames;
    Raised { diagnostic, thrown }
}

/// The way from the runbook to the error.
struct Trail<'a> {
    program: &'a Compiled,
    /// The file in which the next position lies.
    file: &'a str,
    frames: Vec<Frame>,
    /// The last frame is a step or a branch: the closure that is its body says nothing new.
    in_step: bool,
}

impl<'a> Trail<'a> {
    fn place(&self, position: Position) -> Option<Place> {
        self.program.place(self.file, position)
    }

    fn follow<'e>(&mut self, mut error: &'e EvalAltResult) -> &'e EvalAltResult {
        loop {
            match error {
                EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                    let is_closure = name.starts_with(CLOSURE);
                    if !(self.in_step && is_closure) {
                        self.enter(if is_closure { "closure" } else { name }, *position);
                    }
                    self.in_step = name.starts_with(STEP) || name.starts_with(BRANCH);
                    if let Some(home) = self.program.home_of(name) {
                        self.file = home;
                    } else if let Some(known) = self.program.script_at(source) {
                        self.file = known.source.path();
                    }
                    error = inner;
                }
                EvalAltResult::ErrorInModule(file, inner, position) => {
                    self.enter(&format!("import \"{file}\""), *position);
                    if let Some(known) = self.program.script_at(file) {
                        self.file = known.source.path();
                    }
                    error = inner;
                }
                inner => return inner,
            }
        }
    }

    fn enter(&mut self, name: &str, position: Position) {
        let place = self.place(position);
        if let Some(place) = place.or_else(|| self.frames.last().map(|last| last.place.clone())) {
            self.frames.push(Frame { name: name.to_owned(), place });
        }
    }
}

fn of_recorded(recorded: Recorded) -> (Diagnostic, Option<Thrown>) {
    let Recorded { thrown, place, from_host } = recorded;
    let diagnostic = thrown.diagnostic.clone().unwrap_or_else(|| {
        let code = match thrown.code.as_str() {
            "WaitFailed" => Code::WaitFailed,
            "GaveUp" => Code::GaveUp,
            "Rejected" => Code::Rejected,
            "Expired" => Code::Expired,
            _ => Code::AwsRefused,
        };
        let operation = match (&thrown.service, &thrown.operation) {
            (Some(service), Some(operation)) => format!("{service}.{operation}: "),
            _ => String::new(),
        };
        Diagnostic::error(code, format!("{operation}{}: {}", thrown.code, thrown.message))
    });
    (diagnostic.at(place), from_host.then_some(thrown))
}

/// An error of the language, or one that the script threw itself.
fn of_script(program: &Compiled, error: &EvalAltResult) -> Diagnostic {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => {
            Diagnostic::error(Code::ScriptError, thrown_text(value))
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            Diagnostic::error(Code::UndefinedName, format!("the map has no member `{name}`")).hint(
                format!(
                    "read what may be absent with `.get(\"{name}\")`, or test `\"{name}\" in map`"
                ),
            )
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => missing_function(program, signature),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            Diagnostic::error(Code::UndefinedName, format!("`{name}` is not defined"))
        }
        EvalAltResult::ErrorModuleNotFound(name, _) => {
            Diagnostic::error(Code::ModuleNotFound, format!("there is no module `{name}`"))
        }
        EvalAltResult::ErrorDataRace(..) => Diagnostic::error(
            Code::ScriptError,
            "a variable that closures share is used while a method of it runs",
        )
        .hint("copy it first: let copy = list; copy.map(|item| ...)"),
        EvalAltResult::ErrorStackOverflow(_) => {
            Diagnostic::error(Code::Limit, "functions call each other too deeply")
        }
        EvalAltResult::ErrorTooManyOperations(_)
        | EvalAltResult::ErrorTooManyVariables(_)
        | EvalAltResult::ErrorTooManyModules(_)
        | EvalAltResult::ErrorDataTooLarge(..) => Diagnostic::error(Code::Limit, sentence(error)),
        other => Diagnostic::error(Code::ScriptError, sentence(other)),
    }
}

/// The script computed without end.
pub(crate) fn endless(session: &Session, error: Option<&Raise>, limit: u64) -> Raised {
    let message =
        format!("the script took {limit} operations without any durable call: an endless loop?");
    let mut raised = Raised { diagnostic: Diagnostic::error(Code::Limit, message), thrown: None };
    if let Some(error) = error {
        let read = read(session, error);
        raised.diagnostic = raised.diagnostic.at(read.diagnostic.place);
        raised.diagnostic.frames = read.diagnostic.frames;
    }
    raised
}

fn missing_function(program: &Compiled, signature: &str) -> Diagnostic {
    let name = signature.split([' ', '(']).next().unwrap_or(signature);
    if let Some(usage) = prelude::usage(name) {
        let message = format!("`{name}` does not take these arguments");
        return Diagnostic::error(Code::BadArgument, message).hint(usage);
    }
    let plain = signature
        .replace("&str | ImmutableString | String", "text")
        .replace("i64", "int")
        .replace("f64", "float");
    let message = format!("there is no function `{plain}`");
    let known = prelude::USAGE.iter().map(|(name, _)| *name).chain(program.functions());
    let diagnostic = Diagnostic::error(Code::UndefinedName, message);
    match suggest::nearest(name, known) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// What a thrown value says.
fn thrown_text(value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.to_string();
    }
    let said = value.as_map_ref().ok().and_then(|map| {
        map.get("message").and_then(|text| text.clone().into_immutable_string().ok())
    });
    match said {
        Some(message) => message.to_string(),
        None => value::to_json(value, Secrets::Masked)
            .map_or_else(|_| value::describe(value), |value| value.to_string()),
    }
}

/// Rhai's own words, without its position.
fn sentence(error: &EvalAltResult) -> String {
    let text = error.to_string();
    let text = text.split(" (line ").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}
