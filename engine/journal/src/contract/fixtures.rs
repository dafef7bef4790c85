//! Runs, entries and people for the cases of the contract.

use piton_core::account::{AccountRef, Principal};
use piton_core::canonical::Digest;
use piton_core::catalogue::Class;
use piton_core::entry::{
    Body, CallResult, End, Ended, Entry, Head, Intent, Note, Outcome, Started,
};
use piton_core::gate::{
    Closed, Decider, Decision, GateKind, GateRequest, GateResult, OnExpire, Verdict,
};
use piton_core::key::Key;
use piton_core::ports::{Holder, Journal, Lease, Mail, NewRun, ProgramFile, RunId};
use piton_core::status::RunSummary;
use piton_core::time::{Span, Timestamp};
use serde_json::{Value, json};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + second * 1000)
}

pub(super) fn run_id(id: &str) -> RunId {
    RunId(id.to_owned())
}

pub(super) fn holder(pid: u32) -> Holder {
    Holder { host: "laptop".to_owned(), pid, since: at(0) }
}

pub(super) fn entry(key: &str, second: i64, body: Body) -> Entry {
    let key = (!key.is_empty()).then(|| Key::from_text(key));
    Entry { key, at: at(second), body }
}

pub(super) fn note(key: &str, second: i64, text: &str) -> Entry {
    entry(key, second, Body::Note(Note { text: text.to_owned() }))
}

pub(super) fn intent(key: &str, second: i64) -> Entry {
    let body = Body::Intent(Intent {
        service: "datazone".to_owned(),
        operation: "create_project".to_owned(),
        account: AccountRef::alias("publisher"),
        class: Class::Token,
        input: json!({ "name": "sales", "domainIdentifier": "dzd_1" }),
        token: Some("t-1".to_owned()),
        attempt: 1,
        before: None,
    });
    entry(key, second, body)
}

pub(super) fn outcome(key: &str, second: i64, output: Value) -> Entry {
    let body = Body::Outcome(Outcome {
        read: None,
        attempt: 1,
        result: CallResult::Value(output),
        took: Span::from_millis(80),
        request_id: Some("r-1".to_owned()),
        adopted: false,
    });
    entry(key, second, body)
}

pub(super) fn ended(second: i64, end: End, retry_from: Option<u64>) -> Entry {
    entry("", second, Body::Ended(Ended { end, error: None, retry_from, retry_in: Vec::new() }))
}

pub(super) fn new_run(id: &str, script: &str) -> NewRun {
    let text = script.to_owned();
    let shared = "// shared by every program".to_owned();
    NewRun {
        run: run_id(id),
        runbook: "pfizer_poc".to_owned(),
        name: Some("spring".to_owned()),
        labels: vec![("team".to_owned(), "data".to_owned())],
        program: Digest::of(script.as_bytes()),
        files: vec![
            ProgramFile { path: "pfizer_poc.rhai".to_owned(), text },
            ProgramFile { path: "std/datazone".to_owned(), text: shared },
        ],
        sealed: Vec::new(),
    }
}

/// A run that is driven, with the summary that a driver keeps of it.
pub(super) struct Driven {
    pub(super) run: RunId,
    pub(super) lease: Box<dyn Lease>,
    pub(super) summary: RunSummary,
    pub(super) head: Head,
}

/// Starts a run.
pub(super) fn start(journal: &dyn Journal, id: &str) -> Driven {
    start_with(journal, &new_run(id, "runbook(#{});"))
}

pub(super) fn start_with(journal: &dyn Journal, run: &NewRun) -> Driven {
    let body = Body::Started(Started {
        runbook: run.runbook.clone(),
        title: "Spring".to_owned(),
        source: None,
        name: run.name.clone(),
        params: json!({ "cluster": "poc" }),
        program: run.program,
        world: None,
        requester: Some(person("rita").principal),
        rollback_of: None,
        parent: None,
        accounts: std::collections::BTreeMap::new(),
        version: "0.1.0".to_owned(),
    });
    let first = entry("", 0, body);
    let summary = RunSummary::start(&first).unwrap();
    let lease = journal.create(run, &[first], &summary, &holder(1)).unwrap();
    let head = journal.find(&run.run.0).unwrap().head;
    Driven { run: run.run.clone(), lease, summary, head }
}

impl Driven {
    /// Appends entries as a driver does.
    pub(super) fn append(&mut self, journal: &dyn Journal, entries: &[Entry]) -> Head {
        self.fold(entries);
        self.head = journal.append(self.lease.as_ref(), entries, &self.summary).unwrap();
        self.head
    }

    /// The summary after entries.
    pub(super) fn fold(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.summary.apply(entry).unwrap();
        }
    }
}

/// A lease as a process has it that another one has replaced.
pub(super) struct OldLease(pub(super) RunId, pub(super) u64);

impl Lease for OldLease {
    fn run(&self) -> &RunId {
        &self.0
    }

    fn epoch(&self) -> u64 {
        self.1
    }
}

pub(super) fn person(name: &str) -> Decider {
    let account = "111122223333".to_owned();
    let arn = format!("arn:aws:iam::{account}:user/{name}");
    let region = "eu-west-1".to_owned();
    Decider { alias: None, principal: Principal { account, arn, region } }
}

/// A gate that anybody but `rita` decides.
pub(super) fn gate(address: &str, show: &str) -> GateRequest {
    GateRequest {
        gate: address.to_owned(),
        name: "publish".to_owned(),
        kind: GateKind::Approval,
        show: json!({ "what": show }),
        from: Vec::new(),
        need: 1,
        exclude: Vec::new(),
        by_requester: false,
        requester: Some(person("rita").principal),
        expires_at: None,
        on_expire: OnExpire::Reject,
        form: Value::Null,
        instructions: None,
        evidence: None,
        returns_rejection: false,
        digest: Digest::of(show.as_bytes()),
    }
}

pub(super) fn opened(key: &str, second: i64, request: &GateRequest) -> Entry {
    entry(key, second, Body::GateOpened(request.clone()))
}

pub(super) fn closed(key: &str, second: i64, request: &GateRequest) -> Entry {
    let gate = request.gate.clone();
    let result = GateResult { gate, closed: Closed::Approved, at: at(second), value: Value::Null };
    entry(key, second, Body::GateClosed(result))
}

pub(super) fn decision(request: &GateRequest, by: &str, verdict: Verdict) -> Decision {
    Decision {
        gate: request.gate.clone(),
        verdict,
        by: person(by),
        comment: None,
        fields: Value::Null,
        evidence: None,
        at: at(50),
        digest: request.digest,
    }
}

pub(super) fn approval(request: &GateRequest, by: &str) -> Mail {
    Mail::Decision(decision(request, by, Verdict::Approve))
}

pub(super) fn rejection(request: &GateRequest, by: &str) -> Mail {
    Mail::Decision(decision(request, by, Verdict::Reject))
}
