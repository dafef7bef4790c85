//! What makes a report provable: a line at its end that names the run, the number of entries and the
//! digest they are chained to, and with that, when asked for, the entries themselves.
//!
//! A report is text: whoever has it can change it. The line is the thread from the text back to the
//! journal, and [`check`] follows it: the chain is recomputed, the report is rendered again from the
//! entries, and the two texts have to be the same.

use piton_core::canonical::Digest;
use piton_core::evidence::{Evidence, Flaw};
use piton_core::ports::RunId;
use piton_core::status::RunStatus;
use serde::{Deserialize, Serialize};

use super::{Format, Report, ReportError, Template};

/// How the line begins in Markdown and HTML: a comment, which no reader sees.
const OPENING: &str = "<!-- piton-proof ";
const CLOSING: &str = " -->\n";

/// A report in its JSON form.
type Document = serde_json::Map<String, serde_json::Value>;

/// The thread from a report to its journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The run.
    pub run: RunId,
    /// Number of entries that the report was made of.
    pub entries: u64,
    /// Digest of the last one.
    pub head: Digest,
    /// Version of Piton that rendered the report.
    pub version: String,
    /// What it was rendered with.
    pub template: Source,
    /// A process drove the run at that moment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driven: bool,
    /// Program and entries, when the report carries them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// Where a report's template comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Piton's own.
    Preset,
    /// A file of the runbook's folder, which the run owns.
    Runbook,
    /// A file given on the command line.
    Given,
}

/// A report as it was found, taken apart.
#[derive(Debug)]
pub struct Found {
    /// Its form.
    pub format: Format,
    /// Its thread.
    pub proof: Proof,
    /// All but the proof.
    text: String,
}

/// Why a report does not verify.
#[derive(Debug, thiserror::Error)]
pub enum Forgery {
    /// The evidence is not whole.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// The evidence is that of another state or run.
    #[error(
        "its proof names run {run} with {entries} entries and the digest {head}, and the evidence has another end"
    )]
    OtherEnd {
        /// The run as named.
        run: RunId,
        /// Entries as named.
        entries: u64,
        /// Digest as named.
        head: Digest,
    },
    /// The text says something else than the entries.
    #[error("line {line} is not what the journal says")]
    Text {
        /// First line that differs, from 1.
        line: usize,
    },
    /// It cannot be rendered again.
    #[error(transparent)]
    Render(#[from] ReportError),
}

/// What was compared of a report that verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// The chain and every line of the text.
    Text,
    /// The chain alone: the text was made with a template that the run does not own.
    GivenTemplate,
    /// The chain alone: another version of Piton rendered the text.
    OtherVersion,
    /// The chain alone: a process drove the run at that moment, which no entry says.
    Driven,
}

impl Proof {
    /// The proof of a report that is rendered now.
    pub fn of(report: &Report, template: Source, evidence: Option<Evidence>) -> Self {
        Self {
            run: report.run.clone(),
            entries: report.entries,
            head: report.journal_hash,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            template,
            driven: report.status == RunStatus::Running,
            evidence,
        }
    }

    /// A rendered report with its proof at the end.
    ///
    /// # Errors
    /// When the proof has no JSON form.
    pub fn seal(&self, format: Format, text: &str) -> Result<String, ReportError> {
        if format == Format::Json {
            let proof = serde_json::to_string(self)?;
            // The members keep the order in which the report has them.
            let members = text.trim_end().trim_end_matches('}').trim_end();
            return Ok(format!("{members},\n  \"proof\": {proof}\n}}\n"));
        }
        // Two hyphens would end the comment; inside JSON they occur in texts alone.
        let proof = serde_json::to_string(self)?.replace("--", "-\\u002d");
        Ok(format!("{text}{OPENING}{proof}{CLOSING}"))
    }
}

impl Found {
    /// Takes a report apart; nothing when it has no proof.
    pub fn parse(file: &str) -> Option<Self> {
        if let Ok(mut document) = serde_json::from_str::<Document>(file) {
            let proof = serde_json::from_value(document.remove("proof")?).ok()?;
            let text = serde_json::to_string_pretty(&document).ok()?;
            return Some(Self { format: Format::Json, proof, text });
        }
        let start = file.rfind(OPENING)?;
        let proof = file[start + OPENING.len()..].strip_suffix(CLOSING)?;
        let proof = serde_json::from_str(proof).ok()?;
        let text = file[..start].to_owned();
        let is_html =
            text.trim_start().get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"));
        let format = if is_html { Format::Html } else { Format::Markdown };
        Some(Self { format, proof, text })
    }

    /// Follows the thread: the chain, its end, and the text.
    ///
    /// # Errors
    /// What does not verify.
    pub fn check(&self, evidence: &Evidence) -> Result<Compared, Forgery> {
        evidence.verify()?;
        let Proof { run, entries, head, .. } = &self.proof;
        let is_that = evidence.run == *run
            && evidence.entries.len() as u64 == *entries
            && evidence.head == *head;
        if !is_that {
            return Err(Forgery::OtherEnd { run: run.clone(), entries: *entries, head: *head });
        }
        if self.proof.template == Source::Given {
            return Ok(Compared::GivenTemplate);
        }
        if self.proof.version != env!("CARGO_PKG_VERSION") {
            return Ok(Compared::OtherVersion);
        }
        if self.proof.driven {
            return Ok(Compared::Driven);
        }
        let template = match self.proof.template {
            Source::Runbook => Template::of_program(&evidence.files, self.format),
            Source::Preset | Source::Given => None,
        };
        let again = Report::of_evidence(evidence)?.render(self.format, template)?;
        let again = match self.format {
            // JSON is compared as data: members in one order, whoever wrote them down.
            Format::Json => serde_json::from_str::<Document>(&again)
                .and_then(|document| serde_json::to_string_pretty(&document))
                .map_err(ReportError::from)?,
            Format::Html | Format::Markdown => again,
        };
        match first_difference(&again, &self.text) {
            None => Ok(Compared::Text),
            Some(line) => Err(Forgery::Text { line }),
        }
    }
}

fn first_difference(expected: &str, found: &str) -> Option<usize> {
    if expected == found {
        return None;
    }
    let same = expected.lines().zip(found.lines()).take_while(|(one, other)| one == other).count();
    Some(same + 1)
}
