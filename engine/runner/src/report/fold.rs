//! Entries into the data of a report, one kind at a time.

use std::collections::HashMap;

use piton_core::canonical::Digest;
use piton_core::catalogue::{self, Class};
use piton_core::entry::{
    Body, BranchesClosed, BranchesOpened, CallResult, ChildResult, Intent, Outcome, Retried,
    Settled, Settlement, StoredEntry, WaitClosed, WaitOpened, WaitResult, WaitTarget,
};
use piton_core::gate::{Decision, GateRequest, GateResult};
use piton_core::key::{Key, branch_name, is_within};
use piton_core::ports::{ProgramFile, RunId, RunRow};
use piton_core::secret::masked;
use piton_core::status::{Candidate, Reason, RunStatus};
use piton_core::time::{Span, Timestamp};
use serde_json::{Map, Value};

use super::{
    Account, Artifact, Call, ChildRun, DecisionRow, Doubt, Edit, EvidenceRow, File, Gate, Note,
    Output, Program, Report, Step, Suspension, Table, Wait, picture, resources, timeline,
};

/// A report that grows entry by entry.
pub(super) struct Fold {
    report: Report,
    /// Outputs of mutating calls, by position in `report.calls`.
    answers: Vec<(usize, Value)>,
    /// Groups of branches that are going on: paths by entry.
    groups: HashMap<String, Vec<String>>,
    /// When the last entry of a branch was made.
    last_in: HashMap<String, Timestamp>,
}

impl Fold {
    /// The report of a run without entries.
    pub(super) fn new(row: &RunRow, files: &[ProgramFile]) -> Self {
        let summary = &row.summary;
        let status = row.status();
        let report = Report {
            run: row.run.clone(),
            runbook: row.runbook.clone(),
            title: row.runbook.clone(),
            name: row.name.clone(),
            labels: row.labels.clone(),
            status,
            rollback_of: summary.rollback_of.clone(),
            rolled_back_by: summary.rolled_back_by.clone(),
            parent: summary.parent.clone(),
            children: Vec::new(),
            sandbox: summary.world.is_some(),
            world: summary.world.clone(),
            program: Program {
                hash: row.program,
                files: files
                    .iter()
                    .map(|file| File {
                        path: file.path.clone(),
                        hash: Digest::of(file.text.as_bytes()),
                    })
                    .collect(),
            },
            version: String::new(),
            params: Value::Object(Map::new()),
            requester: None,
            accounts: Vec::new(),
            started_at: summary.started_at,
            updated_at: summary.updated_at,
            ended_at: status.is_final().then_some(summary.updated_at),
            took: summary.updated_at.since(summary.started_at),
            waiting_for: summary.waiting_for(),
            error: summary.error.clone(),
            steps: Vec::new(),
            calls: Vec::new(),
            resources: Vec::new(),
            waits: Vec::new(),
            gates: Vec::new(),
            doubts: Vec::new(),
            edits: Vec::new(),
            suspensions: Vec::new(),
            notes: Vec::new(),
            outputs: Vec::new(),
            artifacts: Vec::new(),
            pictures: Vec::new(),
            timeline: timeline::Timeline::default(),
            journal_hash: row.head.hash,
            entries: row.head.seq,
        };
        Self { report, answers: Vec::new(), groups: HashMap::new(), last_in: HashMap::new() }
    }

    /// Takes one more entry, in order.
    pub(super) fn take(&mut self, stored: &StoredEntry) {
        let at = stored.entry.at;
        let key = stored.entry.key.as_ref();
        if let Some(branch) = key.map(Key::branch).filter(|branch| !branch.is_empty()) {
            self.last_in.insert(branch.to_owned(), at);
        }
        let report = &mut self.report;
        match &stored.entry.body {
            Body::Started(started) => {
                report.title.clone_from(&started.title);
                report.version.clone_from(&started.version);
                report.params = masked(&started.params);
                report.requester.clone_from(&started.requester);
            }
            Body::Bound(bound) => report.accounts.push(Account {
                alias: bound.account.to_string(),
                account: bound.principal.account.clone(),
                arn: bound.principal.arn.clone(),
                region: bound.principal.region.clone(),
                rebound: bound.rebound,
            }),
            Body::Intent(intent) => self.intent(stored.seq, key, at, intent),
            Body::Outcome(outcome) => self.outcome(stored.seq, key, at, outcome),
            Body::Settled(settled) => self.settled(key, at, settled),
            Body::StepOpened(opened) => self.open_step(&opened.path, &opened.name, at),
            Body::StepClosed(closed) => self.close_step(&closed.path, closed.ok, at),
            Body::WaitOpened(opened) => self.open_wait(key, at, opened),
            Body::WaitClosed(closed) => self.close_wait(key, at, closed),
            Body::GateOpened(gate) => self.open_gate(key, at, gate),
            Body::Decided(decision) => self.decided(decision),
            Body::GateClosed(closed) => self.close_gate(closed),
            Body::Note(note) => {
                report.notes.push(Note { step: step_of(key), text: note.text.clone(), at });
            }
            Body::Output(output) => self.output(&output.name, &output.value),
            Body::Artifact(artifact) => {
                report.artifacts.retain(|earlier| earlier.name != artifact.name);
                let (name, text) = (artifact.name.clone(), artifact.text.clone());
                report.artifacts.push(Artifact { name, text, at });
            }
            Body::Suspended(suspended) => self.suspended(at, &suspended.reason),
            Body::Resumed(_) | Body::Ended(_) => self.moves_on(at),
            Body::Retried(retried) => self.retried(at, retried),
            Body::BranchesOpened(group) => self.open_branches(key, group, at),
            Body::BranchesClosed(closed) => self.close_branches(key, closed, at),
            Body::Child(child) => {
                let status = match &child.result {
                    ChildResult::Outputs(_) => RunStatus::Succeeded,
                    ChildResult::Failed(failure) => failure.status,
                };
                self.child(&child.run, &child.runbook, status, at);
            }
            Body::Edited(edited) => report.edits.push(Edit {
                at,
                by: edited.by.as_ref().map(|by| by.stable_arn().to_owned()),
                source: edited.source.clone(),
                from: edited.from,
                to: edited.to,
                stands: edited.stands.clone(),
                left: edited.left.clone(),
            }),
            Body::Sampled(_)
            | Body::Locked(_)
            | Body::Undo(_)
            | Body::Cancelled(_)
            | Body::RolledBack(_)
            | Body::HandedOver(_)
            | Body::TakenOver(_) => {}
        }
    }

    /// The report, complete.
    pub(super) fn finish(self) -> Report {
        let mut report = self.report;
        for step in report.steps.iter_mut().filter(|step| step.ended_at.is_none()) {
            step.status = report.status.as_str();
        }
        report.resources = resources::created(&report.calls, &self.answers);
        report.timeline = timeline::draw(&report);
        report.pictures = picture::draw(&report.artifacts);
        report
    }

    fn intent(&mut self, seq: u64, key: Option<&Key>, at: Timestamp, intent: &Intent) {
        self.report.calls.push(Call {
            seq,
            key: text_of(key),
            step: step_of(key),
            service: intent.service.clone(),
            operation: intent.operation.clone(),
            account: intent.account.to_string(),
            class: intent.class,
            mutating: intent.class.is_mutating(),
            attempt: intent.attempt,
            at,
            took: None,
            status: "in doubt",
            error: None,
            adopted: false,
            input: masked(&intent.input),
        });
    }

    fn outcome(&mut self, seq: u64, key: Option<&Key>, at: Timestamp, outcome: &Outcome) {
        let index = match &outcome.read {
            Some(read) => {
                self.report.calls.push(Call {
                    seq,
                    key: text_of(key),
                    step: step_of(key),
                    service: read.service.clone(),
                    operation: read.operation.clone(),
                    account: read.account.to_string(),
                    class: Class::Read,
                    mutating: false,
                    attempt: outcome.attempt,
                    at,
                    took: None,
                    status: "done",
                    error: None,
                    adopted: false,
                    input: masked(&read.input),
                });
                self.report.calls.len() - 1
            }
            None => match self.open_call(key) {
                Some(index) => index,
                None => return,
            },
        };
        let call = &mut self.report.calls[index];
        call.took = Some(outcome.took);
        call.adopted = outcome.adopted;
        match &outcome.result {
            CallResult::Value(value) => {
                call.status = "done";
                self.answers.push((index, masked(value)));
            }
            CallResult::Error(error) => {
                call.status = "refused";
                call.error = Some(error.clone());
            }
        }
    }

    /// The doubt about the last call with this key that is not settled for good: a call that is sent
    /// again and not answered is in doubt still. A new one when there is none.
    fn doubt_at(&mut self, key: &str, at: Timestamp) -> &mut Doubt {
        let last = self.report.calls.iter().rev().find(|call| call.key == key);
        let is_unanswered = last.is_some_and(|call| call.status == "in doubt");
        let open = |doubt: &Doubt| {
            let is_repeated = doubt.how == Some("repeated") && is_unanswered;
            doubt.key == key && (doubt.how.is_none() || is_repeated)
        };
        let position = self.report.doubts.iter().rposition(open).unwrap_or_else(|| {
            let call = self.report.calls.iter().rev().find(|call| call.key == key);
            self.report.doubts.push(new_doubt(key, call, at));
            self.report.doubts.len() - 1
        });
        &mut self.report.doubts[position]
    }

    /// The last call with this key that has no outcome.
    fn open_call(&self, key: Option<&Key>) -> Option<usize> {
        let key = key?.as_str();
        self.report.calls.iter().rposition(|call| call.key == key && call.status == "in doubt")
    }

    fn settled(&mut self, key: Option<&Key>, at: Timestamp, settled: &Settled) {
        let doubt = self.doubt_at(&text_of(key), at);
        let (how, adopted) = match &settled.how {
            Settlement::Adopt { output } => {
                let shown = doubt.candidates.iter().find(|candidate| candidate.output == *output);
                ("adopted", shown.map(|candidate| candidate.id.clone()))
            }
            Settlement::Found { id } => ("adopted", id.clone()),
            Settlement::Retry => ("sent anew", None),
            Settlement::Skip => ("skipped", None),
            Settlement::Repeat => ("repeated", None),
        };
        doubt.how = Some(how);
        doubt.adopted = adopted;
        doubt.reason = Some(settled.reason.clone());
        doubt.by.clone_from(&settled.by);
        doubt.at = settled.at.unwrap_or(at);
        if let Some(index) = self.open_call(key) {
            let call = &mut self.report.calls[index];
            match &settled.how {
                Settlement::Adopt { output } => {
                    call.status = "done";
                    call.adopted = true;
                    self.answers.push((index, masked(output)));
                }
                Settlement::Skip => call.status = "skipped",
                // Another attempt takes its place.
                Settlement::Retry => call.status = "sent anew",
                // What follows says what became of it.
                Settlement::Found { .. } | Settlement::Repeat => {}
            }
        }
    }

    fn open_step(&mut self, path: &str, name: &str, at: Timestamp) {
        // A retried step begins again under its path: it is one step to the reader.
        if let Some(step) = self.report.steps.iter_mut().find(|step| step.path == path) {
            step.ended_at = None;
            step.took = None;
            return;
        }
        let step = Step {
            path: path.to_owned(),
            name: name.to_owned(),
            depth: path.matches('/').count(),
            status: "running",
            started_at: at,
            ended_at: None,
            took: None,
        };
        // Branches go on at the same time: each step comes after what it is inside of.
        let around = path.rsplit_once('/').map_or("", |(around, _)| around);
        let last = self.report.steps.iter().rposition(|other| is_within(&other.path, around));
        let place = last.map_or(self.report.steps.len(), |last| last + 1);
        self.report.steps.insert(place, step);
    }

    fn close_step(&mut self, path: &str, ok: bool, at: Timestamp) {
        self.end_step(path, if ok { "succeeded" } else { "failed" }, at);
    }

    fn end_step(&mut self, path: &str, status: &'static str, at: Timestamp) {
        if let Some(step) = self.report.steps.iter_mut().find(|step| step.path == path) {
            step.ended_at = Some(at);
            step.took = Some(at.since(step.started_at));
            step.status = status;
        }
    }

    fn open_wait(&mut self, key: Option<&Key>, at: Timestamp, opened: &WaitOpened) {
        self.report.waits.push(Wait {
            key: text_of(key),
            name: opened.name.clone(),
            kind: match opened.target {
                WaitTarget::Time { .. } => "time",
                WaitTarget::State { .. } => "state",
            },
            started_at: at,
            ended_at: None,
            took: None,
            result: None,
            ok: None,
            reads: 0,
        });
    }

    fn close_wait(&mut self, key: Option<&Key>, at: Timestamp, closed: &WaitClosed) {
        let text = text_of(key);
        let open = |wait: &&mut Wait| wait.key == text && wait.ended_at.is_none();
        if let Some(wait) = self.report.waits.iter_mut().rev().find(open) {
            let (ok, words) = wait_words(&closed.result);
            wait.ended_at = Some(at);
            wait.took = Some(at.since(wait.started_at));
            wait.result = Some(words);
            wait.ok = Some(ok);
            wait.reads = closed.reads;
        }
    }

    fn open_gate(&mut self, key: Option<&Key>, at: Timestamp, gate: &GateRequest) {
        // A gate that opens anew shows something else: what was decided before is void.
        if let Some(before) = self.open_gate_named(&gate.gate) {
            before.void = true;
            before.ended_at = Some(at);
            before.took = Some(at.since(before.started_at));
        }
        self.report.gates.push(Gate {
            gate: gate.gate.clone(),
            name: gate.name.clone(),
            kind: gate.kind,
            key: text_of(key),
            started_at: at,
            ended_at: None,
            took: None,
            closed: None,
            void: false,
            settled_by_world: false,
            show: masked(&gate.show),
            instructions: gate.instructions.clone(),
            from: gate.from.iter().map(|eligible| eligible.name.clone()).collect(),
            need: gate.need,
            by_requester: gate.by_requester,
            expires_at: gate.expires_at,
            on_expire: gate.on_expire,
            digest: gate.digest,
            decisions: Vec::new(),
        });
    }

    fn decided(&mut self, decision: &Decision) {
        if let Some(gate) = self.open_gate_named(&decision.gate) {
            gate.decisions.push(decision_row(decision));
        }
    }

    fn close_gate(&mut self, closed: &GateResult) {
        if let Some(gate) = self.open_gate_named(&closed.gate) {
            gate.closed = Some(closed.closed);
            gate.ended_at = Some(closed.at);
            gate.took = Some(closed.at.since(gate.started_at));
            gate.settled_by_world =
                catalogue::part(&closed.value, "settled").as_bool().unwrap_or(false);
        }
    }

    fn open_gate_named(&mut self, name: &str) -> Option<&mut Gate> {
        self.report
            .gates
            .iter_mut()
            .rev()
            .find(|gate| gate.gate == name && gate.closed.is_none() && !gate.void)
    }

    fn output(&mut self, name: &str, value: &Value) {
        let value = masked(value);
        let output = Output { name: name.to_owned(), table: table_of(&value), value };
        match self.report.outputs.iter_mut().find(|earlier| earlier.name == name) {
            Some(earlier) => *earlier = output,
            None => self.report.outputs.push(output),
        }
    }

    fn child(&mut self, run: &RunId, runbook: &str, status: RunStatus, at: Timestamp) {
        let runbook = runbook.to_owned();
        let child = ChildRun { run: run.clone(), runbook, status, at };
        match self.report.children.iter_mut().find(|known| known.run == *run) {
            Some(known) => *known = child,
            None => self.report.children.push(child),
        }
    }

    fn suspended(&mut self, at: Timestamp, reason: &Reason) {
        for one in reason.each() {
            if let Reason::Child { run, runbook, status, .. } = one {
                self.child(run, runbook, *status, at);
            }
            let Reason::Doubt { key, question, candidates, .. } = one else { continue };
            let doubt = self.doubt_at(key.as_str(), at);
            doubt.question = Some(question.clone());
            doubt.candidates = candidates
                .iter()
                .map(|shown| Candidate { output: masked(&shown.output), ..shown.clone() })
                .collect();
        }
        let why = reason_words(reason);
        self.report.suspensions.push(Suspension { why, started_at: at, ended_at: None });
    }

    fn moves_on(&mut self, at: Timestamp) {
        if let Some(suspension) = self.report.suspensions.last_mut() {
            suspension.ended_at.get_or_insert(at);
        }
    }

    fn retried(&mut self, at: Timestamp, retried: &Retried) {
        self.moves_on(at);
        let is_void =
            |call: &&mut Call| retried.covers(call.seq, Some(&Key::from_text(call.key.as_str())));
        for call in self.report.calls.iter_mut().filter(is_void) {
            call.status = "void";
        }
    }

    /// Each branch is a step to the reader.
    fn open_branches(&mut self, key: Option<&Key>, group: &BranchesOpened, at: Timestamp) {
        self.groups.insert(text_of(key), group.branches.clone());
        for (index, path) in group.branches.iter().enumerate() {
            let name = match group.labels.get(index).filter(|label| !label.is_empty()) {
                Some(label) => format!("[{index}] {label}"),
                None => format!("[{}]", branch_name(path)),
            };
            self.open_step(path, &name, at);
        }
    }

    /// Branches have no entries of their own when they end: what happened in them last is their end.
    fn close_branches(&mut self, key: Option<&Key>, closed: &BranchesClosed, at: Timestamp) {
        let Some(branches) = self.groups.remove(&text_of(key)) else { return };
        for (index, path) in (0_u32..).zip(branches) {
            let ended = self.last_in.remove(&path).unwrap_or(at);
            let status = if closed.failed.contains(&index) {
                "failed"
            } else if closed.stopped.contains(&index) || closed.unstarted.contains(&index) {
                "stopped"
            } else {
                "succeeded"
            };
            self.end_step(&path, status, ended);
            // A branch that was stopped left its steps open.
            let inside = |step: &&Step| step.ended_at.is_none() && is_within(&step.path, &path);
            let left: Vec<String> =
                self.report.steps.iter().filter(inside).map(|step| step.path.clone()).collect();
            left.iter().for_each(|step| self.end_step(step, "stopped", ended));
        }
    }
}

fn new_doubt(key: &str, call: Option<&Call>, at: Timestamp) -> Doubt {
    Doubt {
        key: key.to_owned(),
        operation: call.map_or_else(String::new, |it| format!("{}.{}", it.service, it.operation)),
        account: call.map_or_else(String::new, |call| call.account.clone()),
        class: call.map(|call| call.class),
        sent_at: call.map(|call| call.at),
        question: None,
        candidates: Vec::new(),
        how: None,
        adopted: None,
        reason: None,
        by: None,
        at,
    }
}

/// An answer as reports and the inbox show it.
pub(super) fn decision_row(decision: &Decision) -> DecisionRow {
    DecisionRow {
        verdict: decision.verdict,
        decision: decision.verdict.past(),
        alias: decision.by.alias.clone(),
        by: decision.by.principal.stable_arn().to_owned(),
        account: decision.by.principal.account.clone(),
        comment: decision.comment.clone(),
        fields: masked(&decision.fields),
        evidence: decision.evidence.as_ref().map(|evidence| EvidenceRow {
            name: evidence.name.clone(),
            digest: evidence.digest,
            text: evidence.text.clone(),
        }),
        at: decision.at,
        digest: decision.digest,
    }
}

impl From<&Decision> for DecisionRow {
    fn from(decision: &Decision) -> Self {
        decision_row(decision)
    }
}

fn text_of(key: Option<&Key>) -> String {
    key.map_or_else(String::new, |key| key.as_str().to_owned())
}

fn step_of(key: Option<&Key>) -> String {
    key.map_or_else(String::new, |key| key.path().to_owned())
}

/// Whether a wait ended as wished, and how, in words.
fn wait_words(result: &WaitResult) -> (bool, String) {
    match result {
        WaitResult::Reached { .. } => (true, "reached".to_owned()),
        WaitResult::Gone => (true, "gone".to_owned()),
        WaitResult::Failed { state, .. } => (false, format!("met the state {}", plain(state))),
        WaitResult::GaveUp { state } => (false, format!("gave up at the state {}", plain(state))),
        WaitResult::Refused { error } => (false, error.to_string()),
    }
}

/// A scalar without quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Why a run stopped, in words.
fn reason_words(reason: &Reason) -> String {
    match reason {
        Reason::Gates => "people decide".to_owned(),
        Reason::Timer { name, until } => format!("{name}, until {until}"),
        Reason::State { name, .. } => format!("{name}: a state of AWS"),
        Reason::Credentials { alias, message, .. } => {
            format!("credentials of {alias}: {message}")
        }
        Reason::Unavailable { message } => format!("AWS did not answer: {message}"),
        Reason::Doubt { key, operation, .. } => format!("{operation} at {key} is in doubt"),
        Reason::NotTakenBack { what, message, .. } => {
            format!("{what} could not be taken back: {message}")
        }
        Reason::Child { run, runbook, status, .. } => {
            format!("the runbook {runbook}, run {run}, is {status}")
        }
        Reason::Lock { name, holder } => format!("run {holder} holds the lock {name}"),
        Reason::Interrupted => "stopped at the terminal".to_owned(),
        Reason::Mismatch { diagnostic } => diagnostic.message.clone(),
        Reason::Several { reasons } => {
            reasons.iter().map(reason_words).collect::<Vec<_>>().join("; ")
        }
    }
}

/// A value as a table: a list of maps, or what `query` answers.
fn table_of(value: &Value) -> Option<Table> {
    if let (Some(columns), Some(rows)) = (
        value.get("columns").and_then(Value::as_array),
        value.get("rows").and_then(Value::as_array),
    ) {
        let columns: Vec<String> = columns.iter().map(column_name).collect();
        let rows = rows.iter().map(|row| cells(&columns, row)).collect::<Option<_>>()?;
        return Some(Table { columns, rows });
    }
    let rows = value.as_array().filter(|rows| !rows.is_empty())?;
    let mut columns: Vec<String> = Vec::new();
    for row in rows {
        for name in row.as_object()?.keys() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    let rows = rows.iter().map(|row| cells(&columns, row)).collect::<Option<_>>()?;
    Some(Table { columns, rows })
}

fn column_name(column: &Value) -> String {
    plain(column.get("name").unwrap_or(column))
}

fn cells(columns: &[String], row: &Value) -> Option<Vec<Value>> {
    match row {
        Value::Array(cells) => (cells.len() == columns.len()).then(|| cells.clone()),
        Value::Object(members) => Some(
            columns.iter().map(|name| members.get(name).cloned().unwrap_or(Value::Null)).collect(),
        ),
        _ => None,
    }
}

/// How long something took, to its end or to the last entry.
pub(super) fn lasted(from: Timestamp, to: Option<Timestamp>, last: Timestamp) -> Span {
    to.unwrap_or(last).since(from)
}
