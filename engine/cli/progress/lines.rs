//! Events as lines for people: one for each step, wait and gate. Lines of branches begin with the
//! branch; what each of them is doing right now shares the moving line.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::entry::Edited;
use piton_core::event::{EventKind, RunEvent};
use piton_core::gate::{Closed, Decision};
use piton_core::key::{branch_name, branch_of, is_within};
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
    /// What people see of branches that have more than a name, by path.
    labels: HashMap<String, String>,
    /// What each branch is doing, the last news last.
    activities: Vec<(String, String)>,
}

/// Branches whose doing fits the moving line.
const SHOWN: usize = 3;

impl Seen {
    /// How many steps are open around something in a branch, those of its siblings left out.
    fn depth(&self, branch: &str) -> usize {
        self.depths.keys().filter(|path| is_within(branch, branch_of(path))).count()
    }

    /// The branch and those around it, as lines begin with them.
    fn prefix(&self, branch: &str) -> String {
        let ends = branch.match_indices('/').map(|(at, _)| at).chain([branch.len()]);
        let inside = ends.map(|end| &branch[..end]).filter(|path| branch_of(path) == *path);
        inside
            .filter(|path| !path.is_empty())
            .map(|path| match self.labels.get(path) {
                Some(label) => format!("[{label}] "),
                None => format!("[{}] ", branch_name(path)),
            })
            .collect()
    }

    /// Keeps what a branch is doing; returns the moving line.
    fn activity(&mut self, branch: &str, text: &str) -> String {
        self.activities.retain(|(known, _)| known != branch);
        self.activities.push((branch.to_owned(), text.to_owned()));
        let in_branches = || self.activities.iter().filter(|(known, _)| !known.is_empty());
        let count = in_branches().count();
        if count == 0 {
            return text.to_owned();
        }
        let shown: Vec<String> = in_branches()
            .rev()
            .take(SHOWN)
            .map(|(branch, text)| format!("{}{text}", self.prefix(branch)))
            .collect();
        let more = match count.saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!("; {more} more"),
        };
        format!("{}{more}", shown.join("; "))
    }

    /// The branches inside of one are over.
    fn forget_branches(&mut self, around: &str) {
        self.activities.retain(|(branch, _)| branch == around || !is_within(branch, around));
        self.labels.retain(|branch, _| !is_within(branch, around));
        self.depths.retain(|path, _| {
            let branch = branch_of(path);
            branch == around || !is_within(branch, around)
        });
    }
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

    /// A line at the depth of the steps that are open around it.
    fn nested(&self, event: &RunEvent, text: &str) {
        let depth = self.seen().depth(&event.branch);
        self.in_branch(event, depth, text);
    }

    fn in_branch(&self, event: &RunEvent, depth: usize, text: &str) {
        let prefix = self.seen().prefix(&event.branch);
        self.at_depth(depth, &format!("{prefix}{text}"));
    }

    /// What a branch is doing right now.
    fn activity(&self, event: &RunEvent, text: &str) {
        let line = self.seen().activity(&event.branch, text);
        self.screen.activity(&line);
    }

    /// A step or a group of branches begins or ends.
    fn block(&self, event: &RunEvent) {
        match &event.kind {
            EventKind::StepOpened { path, name, depth } => {
                let branches = path.split('/').filter(|part| part.starts_with('[')).count();
                self.seen().depths.insert(path.clone(), depth.saturating_sub(branches));
                self.activity(event, name);
            }
            EventKind::StepClosed { path, name, ok, took } => {
                // Its line may come after the next step's beginning: it has its own depth.
                let depth = self.seen().depths.remove(path).unwrap_or(1).saturating_sub(1);
                self.in_branch(event, depth, &format!("{} {name}, {took}", word(*ok)));
            }
            EventKind::BranchesOpened { branches, labels, .. } => {
                let named = branches.iter().zip(labels).filter(|(_, label)| !label.is_empty());
                let named = named.map(|(path, label)| (path.clone(), label.clone()));
                self.seen().labels.extend(named);
            }
            EventKind::BranchesClosed { count, failed, ok, took, .. } => {
                self.seen().forget_branches(&event.branch);
                let failed = match failed {
                    0 => String::new(),
                    failed => format!(", {failed} failed"),
                };
                let text = format!("{} {count} branches{failed}, {took}", word(*ok));
                self.nested(event, &text);
            }
            _ => unreachable!("only what begins and ends comes here"),
        }
    }

    fn at_depth(&self, depth: usize, text: &str) {
        self.screen.line(&console::printable(&format!("{}{text}", "  ".repeat(depth))));
    }

    fn edited(&self, edited: &Edited) {
        self.screen.line("the script is an edited one from here on");
        for left in &edited.left {
            let line = format!("left: {} at {}", left.what, left.key);
            self.screen.line(&console::printable(&line));
        }
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
            EventKind::Edited(edited) => self.edited(edited),
            EventKind::Bound { account, principal } => self.screen.line(&format!(
                "{account} is {} in {}",
                principal.stable_arn(),
                principal.region
            )),
            EventKind::StepOpened { .. }
            | EventKind::StepClosed { .. }
            | EventKind::BranchesOpened { .. }
            | EventKind::BranchesClosed { .. } => self.block(event),
            EventKind::Calling { account, service, operation, .. } => {
                self.activity(event, &format!("{service}.{operation} as {account}"));
            }
            EventKind::Called { service, operation, adopted, .. } => {
                if *adopted {
                    let text = format!("{service}.{operation} had its effect: adopted");
                    self.nested(event, &text);
                }
            }
            EventKind::Waiting { key, name, state } => {
                if self.is_new(format!("wait {} {key}", event.run)) {
                    self.nested(event, &format!("waiting: {name}"));
                }
                self.activity(event, &format!("{name}{}", seen_state(state)));
            }
            EventKind::Waited { name, ok, took, .. } => {
                self.nested(event, &format!("{} {name}, {took}", word(*ok)));
            }
            EventKind::Retrying { name, error, next_in } => {
                if self.is_new(format!("retry {} {} {name}", event.run, event.branch)) {
                    let code = &error.code;
                    self.nested(event, &format!("{name}: not yet ({code}), again every {next_in}"));
                }
                self.activity(event, &format!("{name}: {}", error.code));
            }
            EventKind::GateOpened(gate) => self.nested(event, &gate_line(gate)),
            EventKind::Decided(decision) => self.nested(event, &decision_line(decision)),
            EventKind::GateClosed(closed) => {
                let how = match closed.closed {
                    Closed::Approved => "approved",
                    Closed::Rejected => "rejected",
                    Closed::Expired => "expired",
                };
                self.nested(event, &format!("gate {}: {how}", closed.gate));
            }
            EventKind::Settled { key, how } => {
                self.nested(event, &format!("doubt at {key}: {how}"));
            }
            EventKind::Note { text } => self.nested(event, &format!("note: {text}")),
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
