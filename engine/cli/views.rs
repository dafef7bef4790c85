//! The JSON forms that programs rely on: their field names are a contract.

use piton_core::diagnostic::Diagnostic;
use piton_core::event::RunEnd;
use piton_core::ports::{Journal, JournalError, RunId, RunRow};
use piton_core::status::{WaitingFor, WaitingKind};
use piton_core::time::Timestamp;
use serde::Serialize;

pub(crate) mod entries;

/// What a run waits for.
#[derive(Debug, Serialize)]
pub(crate) struct Waiting {
    kind: WaitingKind,
    gate: Option<String>,
    name: String,
    until: Option<Timestamp>,
    /// The child run that waits for it; absent when it is the run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
}

impl From<&WaitingFor> for Waiting {
    fn from(waiting: &WaitingFor) -> Self {
        Self {
            kind: waiting.kind,
            gate: waiting.gate.clone(),
            name: waiting.name.clone(),
            until: waiting.until,
            run: waiting.run.clone(),
        }
    }
}

/// Everything that a run waits for.
pub(crate) fn waiting(all: &[WaitingFor]) -> Vec<Waiting> {
    all.iter().map(Waiting::from).collect()
}

/// What went wrong, in one object.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorView {
    code: &'static str,
    message: String,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
}

impl From<&Diagnostic> for ErrorView {
    fn from(diagnostic: &Diagnostic) -> Self {
        let place = diagnostic.place.as_ref();
        Self {
            code: diagnostic.code.as_str(),
            message: diagnostic.message.clone(),
            file: place.map(|place| place.file.clone()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        }
    }
}

/// The last line of `run` and `resume`.
#[derive(Debug, Serialize)]
pub(crate) struct EndLine {
    event: &'static str,
    run: Option<String>,
    status: &'static str,
    exit_code: u8,
    waiting_for: Vec<Waiting>,
    error: Option<ErrorView>,
}

impl EndLine {
    /// A driving that came to an end.
    pub(crate) fn driven(run: &str, end: &RunEnd) -> Self {
        Self {
            event: "end",
            run: Some(run.to_owned()),
            status: end.status.as_str(),
            exit_code: end.status.exit_code(),
            waiting_for: waiting(&end.waiting_for),
            error: end.error.as_ref().map(ErrorView::from),
        }
    }

    /// A driving that did not begin: the status is `refused`, which no run has.
    pub(crate) fn refused(run: Option<&str>, exit_code: u8, error: Option<&Diagnostic>) -> Self {
        Self {
            event: "end",
            run: run.map(str::to_owned),
            status: "refused",
            exit_code,
            waiting_for: Vec::new(),
            error: error.map(ErrorView::from),
        }
    }
}

/// One row of `ls`.
#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    pub(crate) run: String,
    pub(crate) runbook: String,
    pub(crate) name: Option<String>,
    /// The run whose script called this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<RunId>,
    pub(crate) status: &'static str,
    pub(crate) started_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) waiting_for: Vec<Waiting>,
    /// It is only kept to be read: it goes on in another home.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) copy: bool,
}

impl From<&RunRow> for RunView {
    fn from(row: &RunRow) -> Self {
        Self {
            run: row.run.0.clone(),
            runbook: row.runbook.clone(),
            name: row.name.clone(),
            parent: row.summary.parent.clone(),
            status: row.status().as_str(),
            started_at: row.summary.started_at,
            updated_at: row.summary.updated_at,
            waiting_for: waiting(&row.summary.waiting_for()),
            copy: row.copy,
        }
    }
}

/// The words of the command that goes on with a run: what is taken back goes on with that.
pub(crate) fn go_on(row: &RunRow) -> Vec<&str> {
    match row.summary.rolled_back_by {
        Some(_) => vec!["rollback", &row.run.0],
        None => vec!["resume", &row.run.0],
    }
}

/// The run to go on with after something happened in a child run: the outermost one that goes on.
pub(crate) fn outermost(journal: &dyn Journal, row: &RunRow) -> Result<RunRow, JournalError> {
    let mut outermost = row.clone();
    while let Some(parent) = &outermost.summary.parent {
        match journal.find(&parent.0) {
            Ok(caller) if caller.status().is_final() => break,
            Ok(caller) => outermost = caller,
            // It was removed: the child goes on by itself.
            Err(JournalError::NoRun(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(outermost)
}

/// What a run waits for, in a few words.
pub(crate) fn waiting_words(all: &[WaitingFor]) -> String {
    let words: Vec<String> = all
        .iter()
        .map(|waiting| {
            let kind = match waiting.kind {
                WaitingKind::Approval => "approval of",
                WaitingKind::Manual => "somebody to do",
                WaitingKind::Timer => "the timer",
                WaitingKind::State => "the state",
                WaitingKind::Doubt => "a decision about",
                WaitingKind::Credentials => "credentials of",
            };
            // Gates of branches may have one name: their addresses tell them apart.
            let is_alone = all.iter().filter(|other| other.name == waiting.name).count() == 1;
            let address = waiting.gate.as_ref().filter(|_| !is_alone);
            let child = waiting.run.as_ref();
            let child = child.map_or_else(String::new, |run| format!(" in run {run}"));
            format!("{kind} {}{child}", address.unwrap_or(&waiting.name))
        })
        .collect();
    words.join(", ")
}

/// A moment for people: `2026-01-31 12:00:00`, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let text = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
    text.trim_end_matches('Z').replacen('T', " ", 1)
}
