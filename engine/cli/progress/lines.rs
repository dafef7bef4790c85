//! Events as lines for people: one for each step, wait and gate.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::event::{EventKind, RunEvent};
use piton_core::gate::{Closed, Decision};
use piton_core::ports::{EventSink, OpenGate};
use serde_json::Value;

use super::Screen;
use crate::{console, gates, render};

/// The sink for people.
pub(crate) struct Lines {
    screen: Arc<Screen>,
    seen: Mutex<Seen>,
}

/// What was told already.
#[derive(Default)]
struct Seen {
    /// Open steps by path, with how many are open with each.
    depths: HashMap<String, usize>,
    /// Waits and retries that have their line.
    told: HashSet<String>,
}

impl Lines {
    /// A sink that tells on a screen.
    pub(crate) fn new(screen: Arc<Screen>) -> Self {
        Self { screen, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // What was told stays told, whatever a panicking thread was doing.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line at the depth of the steps that are open.
    fn nested(&self, text: &str) {
        let depth = self.seen().depths.len();
        self.at_depth(depth, text);
    }

    fn at_depth(&self, depth: usize, text: &str) {
        self.screen.line(&console::printable(&format!("{}{text}", "  ".repeat(depth))));
    }

    /// Whether this is the first time.
    fn is_new(&self, what: String) -> bool {
        self.seen().told.insert(what)
    }
}

impl EventSink for Lines {
    fn emit(&self, event: &RunEvent) {
        match &event.kind {
            EventKind::Started { title, world, .. } => {
                let world = world.as_ref().map_or_else(String::new, |world| {
                    format!(" (rehearsal in the sandbox, world {world})")
                });
                self.at_depth(0, &format!("run {}: {title}{world}", event.run));
            }
            EventKind::Resumed { recorded } => {
                self.screen.line(&format!("run {} goes on after {recorded} entries", event.run));
            }
            EventKind::Bound { account, principal } => self.screen.line(&format!(
                "{account} is {} in {}",
                principal.stable_arn(),
                principal.region
            )),
            EventKind::StepOpened { path, name, depth } => {
                self.seen().depths.insert(path.clone(), *depth);
                self.screen.activity(name);
            }
            EventKind::StepClosed { path, name, ok, took } => {
                // Its line may come after the next step's beginning: it has its own depth.
                let depth = self.seen().depths.remove(path).unwrap_or(1).saturating_sub(1);
                self.at_depth(depth, &format!("{} {name}, {took}", word(*ok)));
            }
            EventKind::Calling { account, service, operation, .. } => {
                self.screen.activity(&format!("{service}.{operation} as {account}"));
            }
            EventKind::Called { service, operation, adopted, .. } => {
                if *adopted {
                    self.nested(&format!("{service}.{operation} had its effect: adopted"));
                }
            }
            EventKind::Waiting { key, name, state } => {
                if self.is_new(format!("wait {key}")) {
                    self.nested(&format!("waiting: {name}"));
                }
                self.screen.activity(&format!("{name}{}", seen_state(state)));
            }
            EventKind::Waited { name, ok, took, .. } => {
                self.nested(&format!("{} {name}, {took}", word(*ok)));
            }
            EventKind::Retrying { name, error, next_in } => {
                if self.is_new(format!("retry {name}")) {
                    let code = &error.code;
                    self.nested(&format!("{name}: not yet ({code}), again every {next_in}"));
                }
                self.screen.activity(&format!("{name}: {}", error.code));
            }
            EventKind::GateOpened(gate) => self.nested(&gate_line(gate)),
            EventKind::Decided(decision) => self.nested(&decision_line(decision)),
            EventKind::GateClosed(closed) => {
                let how = match closed.closed {
                    Closed::Approved => "approved",
                    Closed::Rejected => "rejected",
                    Closed::Expired => "expired",
                };
                self.nested(&format!("gate {}: {how}", closed.gate));
            }
            EventKind::Settled { key, how } => self.nested(&format!("doubt at {key}: {how}")),
            EventKind::Note { text } => self.nested(&format!("note: {text}")),
            EventKind::Warning(diagnostic) => {
                self.screen.suspend(|| render::to_stderr(std::slice::from_ref(diagnostic)));
            }
            // Results are shown at the end, from the journal; the end itself is the command's.
            EventKind::Output { .. } | EventKind::End(_) => {}
        }
    }
}

fn word(ok: bool) -> &'static str {
    if ok { "done" } else { "failed" }
}

fn seen_state(state: &Value) -> String {
    match state {
        Value::Null => String::new(),
        Value::String(text) => format!(": {text}"),
        other => format!(": {other}"),
    }
}

fn gate_line(gate: &OpenGate) -> String {
    let request = &gate.request;
    let until = request
        .expires_at
        .map_or_else(String::new, |at| format!(", until {}", crate::views::moment(at)));
    format!("gate {} is open for {}{until}", request.gate, gates::who_may(request))
}

fn decision_line(decision: &Decision) -> String {
    let who = decision.by.principal.stable_arn();
    let why = decision.comment.as_ref().map_or_else(String::new, |comment| format!(": {comment}"));
    format!("{} by {who}{why}", decision.verdict.past())
}
