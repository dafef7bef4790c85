//! One evaluation of a program from the top, against a host.
//!
//! Replay and first run look alike from here: the host answers from its journal, or from AWS.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use piton_core::diagnostic::{Code, Diagnostic};
use rhai::{EvalAltResult, Scope};

use crate::failure::panic_text;
use crate::host::Host;
use crate::program::Program;
use crate::raised;
pub use crate::raised::Raised;
use crate::session::Session;
use crate::suspend::{self, Halted};

/// How an evaluation ended.
#[derive(Debug)]
pub enum Evaluation {
    /// The script came to its end.
    Finished,
    /// The host stopped it with [`crate::host::Halt::Stop`], and has the reason.
    Stopped,
    /// An error that the script did not catch.
    Raised(Box<Raised>),
}

/// Bounds of an evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Operations of the script between two durable calls: about ten a line. What takes more is
    /// taken for an endless loop.
    pub operations: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // Some seconds of computing: beyond what any runbook does between two calls.
        Self { operations: 50_000_000 }
    }
}

/// Stack of a thread that evaluates: deep calls of deep expressions fit, and only what is used is
/// ever committed.
pub const STACK_BYTES: usize = 64 << 20;

/// Starts a thread whose stack is large enough for [`evaluate`].
pub fn on_script_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work)
}

/// Evaluates a program on the present thread, which should be from [`on_script_thread`]: on a smaller
/// stack deep recursion of a script ends the process.
pub fn evaluate(program: &Program, host: Arc<dyn Host>) -> Evaluation {
    evaluate_within(program, host, Limits::default())
}

/// [`evaluate`] with other bounds.
pub fn evaluate_within(program: &Program, host: Arc<dyn Host>, limits: Limits) -> Evaluation {
    let session = Arc::new(Session::new(host, Arc::clone(program.compiled())));
    let _entered = session.enter(limits.operations);
    let compiled = &session.program;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        compiled.engine.run_ast_with_scope(&mut Scope::new(), &compiled.script().ast)
    }));
    let raised = |raised: Raised| Evaluation::Raised(Box::new(raised));
    let bug = |diagnostic| raised(Raised { diagnostic, thrown: None });
    match (suspend::halted(), outcome) {
        (Halted::Stopped, _) => Evaluation::Stopped,
        (Halted::Limit, outcome) => {
            let error = outcome.ok().and_then(Result::err);
            raised(raised::endless(&session, error.as_ref(), limits.operations))
        }
        (Halted::Bug, _) => bug(session
            .bug()
            .unwrap_or_else(|| Diagnostic::error(Code::Bug, "a native function panicked"))),
        (Halted::No, Ok(Ok(()))) => Evaluation::Finished,
        (Halted::No, Ok(Err(error))) if matches!(*error, EvalAltResult::Exit(..)) => {
            Evaluation::Finished
        }
        (Halted::No, Ok(Err(error))) => raised(raised::read(&session, &error)),
        (Halted::No, Err(panic)) => bug(Diagnostic::error(
            Code::Bug,
            format!("the evaluation panicked: {}", panic_text(&*panic)),
        )),
    }
}
