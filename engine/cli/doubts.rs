//! Doubts on the command line: what a call may have made, and the commands that settle it. Every
//! command that shows a run shows them through here.

use piton_core::key::Key;
use piton_core::ports::{Journal, JournalError, RunId, RunRow};
use piton_core::secret;
use piton_core::status::{Candidate, Reason};
use piton_core::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::{console, views};

/// One doubt that a person has to settle.
#[derive(Debug, Serialize)]
pub(crate) struct DoubtView {
    /// The run that is in doubt: the one asked about, or a child of it.
    pub(crate) run: RunId,
    key: String,
    /// `service.operation`.
    pub(crate) operation: String,
    /// Why the engine cannot decide.
    question: String,
    /// What AWS has that may be from the call.
    candidates: Vec<CandidateView>,
    /// The ways out, each with its command.
    pub(crate) ways: Vec<Way>,
    /// Since when the run is in doubt.
    pub(crate) since: Timestamp,
}

#[derive(Debug, Serialize)]
struct CandidateView {
    id: String,
    name: Option<String>,
    created_at: Option<Timestamp>,
    created_by: Option<String>,
    differences: Vec<DifferenceView>,
}

/// Where a candidate is not what the call asked for.
#[derive(Debug, Serialize)]
struct DifferenceView {
    field: String,
    asked: Value,
    shown: Value,
}

/// One way out of a doubt.
#[derive(Debug, Serialize)]
pub(crate) struct Way {
    /// When it is the right one: `if it had no effect`.
    pub(crate) when: String,
    /// A complete command line.
    pub(crate) command: String,
}

/// The doubts of a run and of the runs that it waits for.
pub(crate) fn of_run(
    context: &Context,
    journal: &dyn Journal,
    row: &RunRow,
) -> Result<Vec<DoubtView>, JournalError> {
    let mut found = Vec::new();
    for reason in row.summary.reasons() {
        match reason {
            Reason::Doubt { key, operation, question, candidates } => found.push(DoubtView {
                run: row.run.clone(),
                key: key.as_str().to_owned(),
                operation: operation.clone(),
                question: question.clone(),
                candidates: candidates.iter().map(CandidateView::of).collect(),
                ways: ways(context, &row.run, key, candidates),
                since: row.summary.updated_at,
            }),
            Reason::Child { run, .. } => {
                found.extend(of_run(context, journal, &journal.find(&run.0)?)?);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The ways out of a doubt.
pub(crate) fn ways(
    context: &Context,
    run: &RunId,
    key: &Key,
    candidates: &[Candidate],
) -> Vec<Way> {
    let way = |when: String, how: &[&str]| {
        let words = ["resolve", run.0.as_str(), key.as_str()].into_iter();
        let words: Vec<&str> = words.chain(how.iter().copied()).chain(["-m", "REASON"]).collect();
        Way { when, command: context.command(&words) }
    };
    let mut all: Vec<Way> = candidates
        .iter()
        .map(|candidate| {
            way(format!("if it made {}", candidate.id), &["--adopt", candidate.id.as_str()])
        })
        .collect();
    if candidates.is_empty() {
        let how = ["--adopt", "ID", "--output", "JSON"];
        all.push(way("if it had its effect".to_owned(), &how));
    }
    all.push(way("if it had no effect".to_owned(), &["--retry"]));
    all.push(way("to go on without it".to_owned(), &["--skip"]));
    all
}

impl CandidateView {
    fn of(candidate: &Candidate) -> Self {
        Self {
            id: candidate.id.clone(),
            name: candidate.name.clone(),
            created_at: candidate.created_at,
            created_by: candidate.created_by.clone(),
            differences: candidate
                .differences
                .iter()
                .map(|difference| DifferenceView {
                    field: difference.field.clone(),
                    asked: secret::masked(&difference.was),
                    shown: secret::masked(&difference.is),
                })
                .collect(),
        }
    }

    fn words(&self) -> String {
        let mut text = self.id.clone();
        if let Some(name) = self.name.as_ref().filter(|name| **name != self.id) {
            text.push_str(&format!(", named {name}"));
        }
        if let Some(at) = self.created_at {
            text.push_str(&format!(", made {}", views::moment(at)));
        }
        if let Some(by) = &self.created_by {
            text.push_str(&format!(" by {by}"));
        }
        text
    }
}

impl DoubtView {
    /// Shows what is in doubt, why, and what AWS has.
    pub(crate) fn show(&self) {
        console::out(&format!("in doubt: {} at {} of run {}", self.operation, self.key, self.run));
        console::out(&console::printable(&format!("  {}", self.question)));
        for candidate in &self.candidates {
            console::out(&console::printable(&format!("  AWS has {}", candidate.words())));
            for DifferenceView { field, asked, shown } in &candidate.differences {
                let line = format!("    {field}: asked {asked}, is {shown}");
                console::out(&console::printable(&line));
            }
        }
    }
}

/// Shows the doubts to people, with the ways out.
pub(crate) fn show(doubts: &[DoubtView]) {
    for doubt in doubts {
        doubt.show();
        for way in &doubt.ways {
            console::out(&format!("  {}:", way.when));
            console::out(&format!("    {}", way.command));
        }
    }
}
