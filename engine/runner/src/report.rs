//! The document of a run, from its journal alone.
//!
//! [`Report::load`] folds the entries into plain data; the same data feeds the templates, the JSON
//! form and the command line's views of a run. Two loads of one journal give the same report: no
//! clock, no files and no AWS are asked. Secrets are masked here, before any template sees them.
//!
//! # Layout
//! - `fold`: entries into the data below; `resources`: what the calls created.
//! - `proof`: the thread from a report back to its journal.
//! - `timeline`: the geometry of the chart; `picture`: that of what a runbook sketched. `render`: templates, the runbook's own included.

use piton_core::account::Principal;
use piton_core::canonical::Digest;
use piton_core::catalogue::Class;
use piton_core::diagnostic::Diagnostic;
use piton_core::entry::Left;
use piton_core::evidence::{Evidence, Flaw};
use piton_core::gate::{Closed, GateKind, OnExpire, Verdict};
use piton_core::ports::{AwsError, Journal, JournalError, RunId};
use piton_core::status::{Candidate, RunStatus, WaitingFor};
use piton_core::time::{Span, Timestamp};
use serde::Serialize;
use serde_json::Value;

mod fold;
mod picture;
mod proof;
mod render;
mod resources;
mod timeline;

pub use picture::{Area, Line, Picture};
pub use proof::{Compared, Forgery, Found, Proof, Source};
pub use render::{Format, ReportError, Template};
pub use timeline::{Bar, Tick, Timeline};

/// Everything a report shows.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// Name of the runbook.
    pub runbook: String,
    /// Its title.
    pub title: String,
    /// Name of the run.
    pub name: Option<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Where the run stands.
    pub status: RunStatus,
    /// The run that this one takes back.
    pub rollback_of: Option<RunId>,
    /// The run that takes this one back, or did.
    pub rolled_back_by: Option<RunId>,
    /// The run whose script called this one.
    pub parent: Option<RunId>,
    /// The runs that its script called.
    pub children: Vec<ChildRun>,
    /// It ran against a sandbox: nothing in AWS was touched.
    pub sandbox: bool,
    /// Stored name of the sandbox's world.
    pub world: Option<String>,
    /// The program that the run owns.
    pub program: Program,
    /// Version of Piton that started it.
    pub version: String,
    /// Parameters, secrets masked.
    pub params: Value,
    /// Who started it.
    pub requester: Option<Principal>,
    /// Who the aliases proved to be.
    pub accounts: Vec<Account>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When its last entry was made.
    pub updated_at: Timestamp,
    /// When it ended; absent while it can go on.
    pub ended_at: Option<Timestamp>,
    /// Time from its start to its last entry.
    pub took: Span,
    /// What it waits for.
    pub waiting_for: Vec<WaitingFor>,
    /// What ended it.
    pub error: Option<Diagnostic>,
    /// Steps and branches, each after what it is inside of, else in the order in which they began;
    /// `depth` makes the tree.
    pub steps: Vec<Step>,
    /// Calls in the order in which they were made.
    pub calls: Vec<Call>,
    /// What the calls created.
    pub resources: Vec<Resource>,
    /// Waits for time or for a state of AWS.
    pub waits: Vec<Wait>,
    /// Gates with their decisions.
    pub gates: Vec<Gate>,
    /// Calls whose outcome was unknown, and how that was settled.
    pub doubts: Vec<Doubt>,
    /// Where it went on with an edited script.
    pub edits: Vec<Edit>,
    /// When and why nobody drove the run.
    pub suspensions: Vec<Suspension>,
    /// Lines for the reader.
    pub notes: Vec<Note>,
    /// Named results.
    pub outputs: Vec<Output>,
    /// Named documents.
    pub artifacts: Vec<Artifact>,
    /// Those of the documents that are pictures, drawn.
    pub pictures: Vec<Picture>,
    /// The chart.
    pub timeline: Timeline,
    /// Digest of the journal's last entry, which stands for all of them.
    pub journal_hash: Digest,
    /// Number of entries.
    pub entries: u64,
}

/// An edit of the script of a run that was under way.
#[derive(Debug, Clone, Serialize)]
pub struct Edit {
    /// When.
    pub at: Timestamp,
    /// Who, as far as known.
    pub by: Option<String>,
    /// Where the script was read from.
    pub source: Option<String>,
    /// Digest of the program before.
    pub from: Digest,
    /// Digest of the program after.
    pub to: Digest,
    /// Gates that were approved for an earlier script, and stand.
    pub stands: Vec<String>,
    /// Recorded entries that the script left.
    pub left: Vec<Left>,
}

/// The program of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Program {
    /// Digest of all files.
    pub hash: Digest,
    /// The files, the script first.
    pub files: Vec<File>,
}

/// One file of a program.
#[derive(Debug, Clone, Serialize)]
pub struct File {
    /// Path as the program knows it.
    pub path: String,
    /// Digest of its contents.
    pub hash: Digest,
}

/// A run that the script called.
#[derive(Debug, Clone, Serialize)]
pub struct ChildRun {
    /// The run.
    pub run: RunId,
    /// The runbook, as the script calls it.
    pub runbook: String,
    /// Where it stood when its caller looked last.
    pub status: RunStatus,
    /// When that was.
    pub at: Timestamp,
}

/// An alias or derived account with its proven principal.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// Alias, with what was derived from it.
    pub alias: String,
    /// Twelve digits.
    pub account: String,
    /// ARN.
    pub arn: String,
    /// Region.
    pub region: String,
    /// An earlier binding was replaced on purpose.
    pub rebound: bool,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Path.
    pub path: String,
    /// Name as the author wrote it.
    pub name: String,
    /// How many steps are around it.
    pub depth: usize,
    /// `succeeded` or `failed`; the run's status while it is open.
    pub status: &'static str,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How long it took.
    pub took: Option<Span>,
}

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// Position of the entry that began it.
    pub seq: u64,
    /// Key.
    pub key: String,
    /// Path of the step it belongs to.
    pub step: String,
    /// Script's name of the service.
    pub service: String,
    /// Script's name of the operation.
    pub operation: String,
    /// Account it was sent as.
    pub account: String,
    /// Idempotency class.
    pub class: Class,
    /// It changes AWS.
    pub mutating: bool,
    /// From 1.
    pub attempt: u32,
    /// When it was sent; for a read, when it was answered.
    pub at: Timestamp,
    /// Time between sending and answer.
    pub took: Option<Span>,
    /// `done`, `refused`, `in doubt`, `skipped` or `sent anew` as somebody settled a doubt about it, or `void`
    /// when a retry replaced it.
    pub status: &'static str,
    /// AWS's error.
    pub error: Option<AwsError>,
    /// It was found after a crash, not answered to a send.
    pub adopted: bool,
    /// Input, secrets masked.
    pub input: Value,
}

/// Something that a call created.
#[derive(Debug, Clone, Serialize)]
pub struct Resource {
    /// Script's name of the service.
    pub service: String,
    /// What it is, `project`.
    pub kind: String,
    /// Its id.
    pub id: Option<String>,
    /// Its ARN.
    pub arn: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Account it was created as.
    pub account: String,
    /// Key of the call.
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// A later call of the run deleted it.
    pub deleted: bool,
}

/// One wait.
#[derive(Debug, Clone, Serialize)]
pub struct Wait {
    /// Key.
    pub key: String,
    /// Name.
    pub name: String,
    /// `time` or `state`.
    pub kind: &'static str,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How long it took.
    pub took: Option<Span>,
    /// How it ended, in words.
    pub result: Option<String>,
    /// It ended as wished.
    pub ok: Option<bool>,
    /// How many reads it took.
    pub reads: u32,
}

/// One gate.
#[derive(Debug, Clone, Serialize)]
pub struct Gate {
    /// Name and iteration path.
    pub gate: String,
    /// Name.
    pub name: String,
    /// Approval or manual.
    pub kind: GateKind,
    /// Key.
    pub key: String,
    /// When it opened.
    pub started_at: Timestamp,
    /// When it closed.
    pub ended_at: Option<Timestamp>,
    /// Time between the two.
    pub took: Option<Span>,
    /// How it closed.
    pub closed: Option<Closed>,
    /// It opened anew with something else to show, so that nothing decided here counts.
    pub void: bool,
    /// The world decided first: a request that was accepted elsewhere.
    pub settled_by_world: bool,
    /// What the deciders saw, secrets masked.
    pub show: Value,
    /// What a person was to do by hand.
    pub instructions: Option<String>,
    /// Who may decide; empty means anybody but the requester.
    pub from: Vec<String>,
    /// How many had to approve.
    pub need: u32,
    /// The requester may decide too.
    pub by_requester: bool,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// What expiry does.
    pub on_expire: OnExpire,
    /// Digest of what was to be decided.
    pub digest: Digest,
    /// The answers.
    pub decisions: Vec<DecisionRow>,
}

/// One answer to a gate.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionRow {
    /// The answer.
    pub verdict: Verdict,
    /// `approved` or `rejected`.
    pub decision: &'static str,
    /// Alias that the decider came with.
    pub alias: Option<String>,
    /// Who they proved to be.
    pub by: String,
    /// Their account.
    pub account: String,
    /// Why.
    pub comment: Option<String>,
    /// The form's fields.
    pub fields: Value,
    /// Name and digest of what was handed in.
    pub evidence: Option<EvidenceRow>,
    /// When.
    pub at: Timestamp,
    /// The digest that was decided on.
    pub digest: Digest,
}

/// What a decider handed in.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceRow {
    /// File name.
    pub name: String,
    /// Digest of the contents.
    pub digest: Digest,
    /// Contents, when they are text and not long.
    pub text: Option<String>,
}

/// A call whose outcome was unknown.
#[derive(Debug, Clone, Serialize)]
pub struct Doubt {
    /// Key of the call.
    pub key: String,
    /// `service.operation`.
    pub operation: String,
    /// Account it was sent as.
    pub account: String,
    /// Idempotency class.
    pub class: Option<Class>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// Why the engine could not decide; absent when it could.
    pub question: Option<String>,
    /// What it may have made, secrets masked.
    pub candidates: Vec<Candidate>,
    /// `adopted`, `repeated`, `sent anew` or `skipped`; absent when nobody settled it yet.
    pub how: Option<&'static str>,
    /// Id of what was adopted, where it has one.
    pub adopted: Option<String>,
    /// Why, in the words of whoever settled it.
    pub reason: Option<String>,
    /// Who settled it; absent when the engine did.
    pub by: Option<String>,
    /// When it was settled, else when it was found.
    pub at: Timestamp,
}

/// A time in which nobody drove the run.
#[derive(Debug, Clone, Serialize)]
pub struct Suspension {
    /// Why, in words.
    pub why: String,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when.
    pub ended_at: Option<Timestamp>,
}

/// A line for the reader.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    /// Path of the step that wrote it.
    pub step: String,
    /// Text.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// A named result.
#[derive(Debug, Clone, Serialize)]
pub struct Output {
    /// Name.
    pub name: String,
    /// Plain data, secrets masked.
    pub value: Value,
    /// The value as a table, when it is rows.
    pub table: Option<Table>,
}

/// Rows under columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells, as many in each row as there are columns.
    pub rows: Vec<Vec<Value>>,
}

/// A named document.
#[derive(Debug, Clone, Serialize)]
pub struct Artifact {
    /// File name.
    pub name: String,
    /// Contents.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Entries read at a time.
const CHUNK: usize = 512;

impl Report {
    /// The report of a run as its journal stands now.
    ///
    /// # Errors
    /// When there is no such run, or an entry cannot be read.
    pub fn load(journal: &dyn Journal, run: &RunId) -> Result<Self, JournalError> {
        let row = journal.find(&run.0)?;
        let files = journal.program(&row.program)?;
        let mut fold = fold::Fold::new(&row, &files);
        let mut after = 0;
        loop {
            let entries = journal.entries(&row.run, after, CHUNK)?;
            let Some(last) = entries.last() else { break };
            after = last.seq;
            for stored in &entries {
                fold.take(stored);
            }
        }
        Ok(fold.finish())
    }

    /// The report as it was at the last entry of some evidence, which is verified by the caller.
    ///
    /// # Errors
    /// When an entry cannot be read or cannot follow the ones before.
    pub fn of_evidence(evidence: &Evidence) -> Result<Self, Flaw> {
        let mut fold = fold::Fold::new(&evidence.row()?, &evidence.files);
        for stored in evidence.stored() {
            fold.take(&stored?);
        }
        Ok(fold.finish())
    }
}
