//! Why a command ends without its result, and the exit code that says so.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::JournalError;
use piton_runner::RunnerError;
use piton_runner::engine::journal_diagnostic;

/// The documented exit codes that are not a run's own.
pub(crate) mod exit {
    /// The command did what it is for.
    pub(crate) const DONE: u8 = 0;
    /// A bug in Piton.
    pub(crate) const BUG: u8 = 1;
    /// Wrong usage, an invalid runbook or invalid parameters.
    pub(crate) const USAGE: u8 = 2;
    /// Evidence that does not verify.
    pub(crate) const FORGED: u8 = 10;
}

/// What a command comes to: the exit code.
pub(crate) type Outcome = Result<u8, Failure>;

/// A command that was refused.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong; at least one.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Exit code.
    pub(crate) exit_code: u8,
    /// The run that it is about, when there is one.
    pub(crate) run: Option<String>,
}

impl Failure {
    /// One problem.
    pub(crate) fn of(diagnostic: Diagnostic) -> Self {
        Self::all(vec![diagnostic])
    }

    /// Several problems.
    pub(crate) fn all(diagnostics: Vec<Diagnostic>) -> Self {
        let is_bug = diagnostics.iter().any(|diagnostic| diagnostic.code == Code::Bug);
        let exit_code = if is_bug { exit::BUG } else { exit::USAGE };
        Self { diagnostics, exit_code, run: None }
    }

    /// A mistake on the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::of(Diagnostic::error(Code::Usage, message))
    }

    /// A file or folder that cannot be used.
    pub(crate) fn storage(message: impl Into<String>) -> Self {
        Self::of(Diagnostic::error(Code::Storage, message))
    }

    /// What is wrong, in one line.
    pub(crate) fn message(&self) -> String {
        let messages: Vec<&str> =
            self.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        messages.join("; ")
    }

    /// The same with one more hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(diagnostic) = self.diagnostics.first_mut() {
            diagnostic.hints.push(hint.into());
        }
        self
    }

    /// The same, about a run.
    pub(crate) fn about(mut self, run: &str) -> Self {
        self.run = Some(run.to_owned());
        self
    }
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        let exit_code = error.exit_code();
        let mut failure = Self::all(error.diagnostics());
        if failure.exit_code != exit::BUG {
            failure.exit_code = exit_code;
        }
        failure
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let exit_code = RunnerError::Journal(error.clone()).exit_code();
        Self { exit_code, ..Self::of(journal_diagnostic(&error)) }
    }
}

impl From<piton_sandbox::SandboxError> for Failure {
    fn from(error: piton_sandbox::SandboxError) -> Self {
        Self::of(Diagnostic::error(Code::World, error.to_string()))
    }
}

impl From<piton_aws::AccountsError> for Failure {
    fn from(error: piton_aws::AccountsError) -> Self {
        Self::of(Diagnostic::error(Code::Configuration, error.to_string()))
    }
}
