//! Events as one JSON object a line on stdout.
//!
//! The last line of a driving is not written here: `driving` writes it, also when the driving was
//! refused before it had any event.

use piton_core::event::{EventKind, RunEvent};
use piton_core::ports::{EventSink, OpenGate, RunId};
use piton_core::secret::masked;
use piton_core::time::Timestamp;
use piton_runner::report::DecisionRow;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::console;

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    run: &'a RunId,
    at: Timestamp,
    #[serde(skip_serializing_if = "str::is_empty")]
    branch: &'a str,
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// The sink of `--json`.
pub(crate) struct JsonLines;

impl EventSink for JsonLines {
    fn emit(&self, event: &RunEvent) {
        let Some((name, details)) = describe(&event.kind) else { return };
        let details = match details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        let (run, at, branch) = (&event.run, event.at, event.branch.as_str());
        console::json_line(&Line { event: name, run, at, branch, details });
    }
}

/// The name and the members of an event.
fn describe(kind: &EventKind) -> Option<(&'static str, Value)> {
    Some(match kind {
        EventKind::Started { runbook, title, world } => {
            ("started", json!({"runbook": runbook, "title": title, "world": world}))
        }
        EventKind::Resumed { recorded } => ("resumed", json!({"recorded": recorded})),
        EventKind::Edited(edited) => ("edited", json!(edited)),
        EventKind::Bound { account, principal } => {
            ("bound", json!({"account": account.to_string(), "principal": principal}))
        }
        EventKind::StepOpened { path, name, depth } => {
            ("step_opened", json!({"path": path, "name": name, "depth": depth}))
        }
        EventKind::StepClosed { path, name, ok, took } => {
            ("step_closed", json!({"path": path, "name": name, "ok": ok, "took_ms": took.millis()}))
        }
        EventKind::BranchesOpened { key, branches, labels } => {
            ("branches_opened", json!({"key": key, "branches": branches, "labels": labels}))
        }
        EventKind::BranchesClosed { key, count, failed, ok, took } => (
            "branches_closed",
            json!({
                "key": key, "count": count, "failed": failed, "ok": ok, "took_ms": took.millis(),
            }),
        ),
        EventKind::Calling { key, account, service, operation, place: _ } => (
            "calling",
            json!({
                "key": key, "account": account.to_string(), "service": service,
                "operation": operation,
            }),
        ),
        EventKind::Called { key, account, service, operation, mutating, error, adopted } => (
            "called",
            json!({
                "key": key, "account": account.to_string(), "service": service,
                "operation": operation, "mutating": mutating, "error": error, "adopted": adopted,
            }),
        ),
        EventKind::Waiting { key, name, state } => {
            ("waiting", json!({"key": key, "name": name, "state": masked(state)}))
        }
        EventKind::Waited { key, name, ok, took } => {
            ("waited", json!({"key": key, "name": name, "ok": ok, "took_ms": took.millis()}))
        }
        EventKind::Retrying { name, error, next_in } => {
            ("retrying", json!({"name": name, "error": error, "next_in_ms": next_in.millis()}))
        }
        EventKind::GateOpened(gate) => ("gate_opened", opened_gate(gate)),
        EventKind::Decided(decision) => {
            let row = json!(DecisionRow::from(decision.as_ref()));
            ("decided", json!({"gate": decision.gate, "decision": row}))
        }
        EventKind::GateClosed(closed) => {
            ("gate_closed", json!({"gate": closed.gate, "closed": closed.closed}))
        }
        EventKind::Settled { key, how } => ("settled", json!({"key": key, "how": how})),
        EventKind::Note { text } => ("note", json!({"text": text})),
        EventKind::Output { name, value } => {
            ("output", json!({"name": name, "value": masked(value)}))
        }
        EventKind::Warning(diagnostic) => ("warning", json!({"diagnostic": diagnostic})),
        EventKind::End(_) => return None,
    })
}

fn opened_gate(gate: &OpenGate) -> Value {
    let request = &gate.request;
    json!({
        "gate": request.gate, "name": request.name, "kind": request.kind,
        "show": masked(&request.show), "need": request.need,
        "from": request.from.iter().map(|who| &who.name).collect::<Vec<_>>(),
        "expires_at": request.expires_at, "digest": request.digest,
    })
}
