//! The status of a run, defined as a fold over its entries: the same table for live runs, for
//! recovery and for reports.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue::FieldChange;
use crate::diagnostic::Diagnostic;
use crate::entry::{
    Body, BranchVoid, BranchesClosed, Edited, End, Ended, Entry, Retried, RollbackStage, RolledBack,
};
use crate::gate::{GateKind, GateRequest};
use crate::key::Key;
use crate::ports::RunId;
use crate::time::Timestamp;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A process drives it.
    Running,
    /// It was running, and no live process holds it.
    Interrupted,
    /// It stopped with a durable reason and can be resumed.
    Suspended,
    /// What it did is being taken back.
    Compensating,
    /// The script came to its end.
    Succeeded,
    /// The script raised; `resume --retry` goes on.
    Failed,
    /// A person rejected, or a gate expired.
    Rejected,
    /// All it did was taken back.
    Compensated,
    /// A person must settle something.
    Stuck,
    /// Somebody ended it.
    Cancelled,
    /// The script asked for something else than was recorded.
    Mismatch,
    /// It goes on in another home.
    HandedOver,
}

impl RunStatus {
    /// The word that people and `--json` get.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Suspended => "suspended",
            Self::Compensating => "compensating",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Compensated => "compensated",
            Self::Stuck => "stuck",
            Self::Cancelled => "cancelled",
            Self::Mismatch => "mismatch",
            Self::HandedOver => "handed_over",
        }
    }

    /// Whether nothing goes on here: the run has ended, or goes on in another home.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::Rejected
                | Self::Compensated
                | Self::Cancelled
                | Self::HandedOver
        )
    }

    /// The documented exit code of a command that leaves a run like this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Succeeded | Self::Compensated => 0,
            Self::Running | Self::Interrupted | Self::Suspended | Self::Compensating => 3,
            Self::Failed => 4,
            Self::Stuck => 5,
            Self::Rejected => 6,
            Self::Mismatch => 7,
            Self::HandedOver => 8,
            Self::Cancelled => 9,
        }
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a run is suspended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    /// Open gates wait for people.
    Gates,
    /// A moment is awaited.
    Timer {
        /// Name of the wait.
        name: String,
        /// When it ends.
        until: Timestamp,
    },
    /// A state of AWS is awaited.
    State {
        /// Name of the wait.
        name: String,
        /// The state seen last.
        #[serde(default)]
        state: Value,
    },
    /// Credentials are missing or expired.
    Credentials {
        /// Alias that needs them.
        alias: String,
        /// What is wrong.
        message: String,
        /// Command that renews them, when it is known.
        renew_with: Option<String>,
    },
    /// AWS did not answer through every attempt.
    Unavailable {
        /// What happened.
        message: String,
    },
    /// A call was sent and nobody can say without a person whether it had its effect.
    Doubt {
        /// Entry in doubt.
        key: Key,
        /// `service.operation`.
        operation: String,
        /// Why the engine cannot decide.
        question: String,
        /// What it may have made, as AWS shows it.
        candidates: Vec<Candidate>,
    },
    /// A call that takes something back failed.
    NotTakenBack {
        /// Entry of the call.
        key: Key,
        /// `service.operation`.
        operation: String,
        /// What was to be taken back.
        what: String,
        /// What AWS said, or what the wait met.
        message: String,
        /// First entry that a new attempt voids.
        retry_from: u64,
    },
    /// A runbook that the script called waits for something itself.
    Child {
        /// The child run.
        run: RunId,
        /// Its runbook.
        runbook: String,
        /// Where it stands.
        status: RunStatus,
        /// What it waits for, with the run that each belongs to.
        waiting_for: Vec<WaitingFor>,
        /// What a person has to know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Box<Diagnostic>>,
    },
    /// Another run holds a lock.
    Lock {
        /// Name of the lock.
        name: String,
        /// The run that holds it.
        holder: RunId,
    },
    /// The person at the terminal stopped the driving.
    Interrupted,
    /// The script asked for something else than was recorded.
    Mismatch {
        /// The difference, for people.
        diagnostic: Box<Diagnostic>,
    },
    /// Several branches wait, each for something of its own.
    Several {
        /// What they wait for.
        reasons: Vec<Self>,
    },
}

impl Reason {
    /// One reason for what several branches wait for.
    #[must_use]
    pub fn joined(reasons: Vec<Self>) -> Self {
        let mut all: Vec<Self> = Vec::new();
        for reason in reasons {
            let parts = match reason {
                Self::Several { reasons } => reasons,
                one => vec![one],
            };
            for part in parts {
                if !all.contains(&part) {
                    all.push(part);
                }
            }
        }
        if all.len() == 1 { all.remove(0) } else { Self::Several { reasons: all } }
    }

    /// Whether it concerns the whole run. For the others a branch waits, while its siblings go on.
    pub fn is_of_run(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Mismatch { .. })
    }

    /// Where a run stands that stopped for it.
    pub fn status(&self) -> RunStatus {
        let of_one = |one: &Self| match one {
            Self::Mismatch { .. } => RunStatus::Mismatch,
            Self::Doubt { .. } | Self::NotTakenBack { .. } => RunStatus::Stuck,
            // Where a child stands, its parent stands.
            Self::Child { status: status @ (RunStatus::Mismatch | RunStatus::Stuck), .. } => {
                *status
            }
            _ => RunStatus::Suspended,
        };
        let all: Vec<RunStatus> = self.each().iter().map(of_one).collect();
        let worst = [RunStatus::Mismatch, RunStatus::Stuck];
        worst.into_iter().find(|status| all.contains(status)).unwrap_or(RunStatus::Suspended)
    }

    /// The reason, or each of several.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several { reasons } => reasons,
            one => std::slice::from_ref(one),
        }
    }
}

/// Something that a call in doubt may have made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id, for `resolve --adopt`.
    pub id: String,
    /// What AWS shows of it: the output to go on with.
    pub output: Value,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Who made it, as AWS names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Where it is not what the call asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<FieldChange>,
}

/// What a run waits for, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingFor {
    /// What kind of thing.
    pub kind: WaitingKind,
    /// The gate, for approvals and manual gates; the entry, for a doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// Its name for people.
    pub name: String,
    /// When a timer or an expiry is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The child run that waits for it; absent when it is the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// The kinds of things a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingKind {
    /// People decide.
    Approval,
    /// A person does something by hand.
    Manual,
    /// A moment.
    Timer,
    /// A state of AWS, or AWS itself.
    State,
    /// A person settles a doubt.
    Doubt,
    /// Credentials.
    Credentials,
}

/// The fold over a run's entries: what lists and `status` show without reading the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Status.
    pub status: RunStatus,
    /// When the run was started.
    pub started_at: Timestamp,
    /// When its last entry was made.
    pub updated_at: Timestamp,
    /// Stored name of its sandbox world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// Why it is suspended or stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Gates that are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<WaitingFor>,
    /// What ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// First entry that `resume --retry` would void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_from: Option<u64>,
    /// The run that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<RunId>,
    /// The run that takes this one back, or did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<RunId>,
    /// The run whose script called this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// The hand-over that it waits behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<Departure>,
    /// The same inside of the branches that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_in: Vec<BranchVoid>,
    /// Ranges of entries outside of branches that retries and edits made void: first and last position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided: Vec<(u64, u64)>,
    /// The same inside of branches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided_in: Vec<VoidedBranch>,
    /// Gates of branches that stopped because another failed. A retry opens them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<Withdrawn>,
}

/// A hand-over, and where the run stood before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// Id of the capsule.
    pub capsule: String,
    /// The status that whoever takes it over goes on from.
    pub was: RunStatus,
}

/// Entries of a branch that a retry or an edit made void.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoidedBranch {
    /// Path of the branch.
    pub branch: String,
    /// First void entry.
    pub from: u64,
    /// Last void entry.
    pub to: u64,
}

/// A gate that nobody waits at any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Path of the branch whose group is over.
    pub by: String,
    /// The gate.
    pub gate: WaitingFor,
}

/// An entry that cannot follow what came before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a `{kind}` entry cannot follow: the run is {status}")]
pub struct IllegalEntry {
    /// Kind of the entry.
    pub kind: &'static str,
    /// Status before it; `unborn` before the first.
    pub status: String,
}

impl RunSummary {
    /// The summary after a run's first entry.
    pub fn start(entry: &Entry) -> Result<Self, IllegalEntry> {
        let Body::Started(started) = &entry.body else {
            return Err(IllegalEntry { kind: entry.body.kind(), status: "unborn".to_owned() });
        };
        Ok(Self {
            status: RunStatus::Running,
            started_at: entry.at,
            updated_at: entry.at,
            world: started.world.clone(),
            reason: None,
            gates: Vec::new(),
            error: None,
            retry_from: None,
            rollback_of: started.rollback_of.clone(),
            rolled_back_by: None,
            parent: started.parent.as_ref().map(|parent| parent.run.clone()),
            handed_over: None,
            retry_in: Vec::new(),
            voided: Vec::new(),
            voided_in: Vec::new(),
            withdrawn: Vec::new(),
        })
    }

    /// The summary after one more entry.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), IllegalEntry> {
        let illegal = |status: RunStatus| IllegalEntry {
            kind: entry.body.kind(),
            status: status.as_str().to_owned(),
        };
        self.updated_at = self.updated_at.max(entry.at);
        match (&entry.body, self.status) {
            (Body::Started(_), status) => return Err(illegal(status)),
            (Body::TakenOver(_), RunStatus::HandedOver) => self.take_over(),
            (Body::TakenOver(_), status) | (_, status @ RunStatus::HandedOver) => {
                return Err(illegal(status));
            }
            (Body::HandedOver(handed_over), was) => self.hand_over(&handed_over.capsule, was),
            (Body::RolledBack(rolled_back), _) => self.roll_back(rolled_back),
            // What is taken back goes on no more.
            (Body::Resumed(_) | Body::Ended(_) | Body::Edited(_), status)
                if self.rolled_back_by.is_some() =>
            {
                return Err(illegal(status));
            }
            (Body::Resumed(_), status) if !status.is_final() => self.run(),
            (Body::Retried(retried), RunStatus::Failed | RunStatus::Stuck) => {
                self.retry(retried);
            }
            // With another script, what failed may succeed.
            (Body::Edited(edited), status) if status == RunStatus::Failed || !status.is_final() => {
                self.edit(edited);
            }
            (Body::Suspended(suspended), RunStatus::Running) => {
                self.status = suspended.reason.status();
                self.reason = Some(suspended.reason.clone());
                if let Reason::NotTakenBack { retry_from, .. } = &suspended.reason {
                    self.retry_from = Some(*retry_from);
                }
            }
            // Before it is taken back, its doubts are settled.
            (Body::Suspended(suspended), RunStatus::Compensating) => {
                self.status = match suspended.reason.status() {
                    RunStatus::Stuck => RunStatus::Stuck,
                    _ => RunStatus::Compensating,
                };
                self.reason = Some(suspended.reason.clone());
            }
            (Body::Ended(ended), status) if !status.is_final() => self.end(ended),
            (Body::BranchesClosed(closed), RunStatus::Running) => {
                self.withdraw(entry.key.as_ref().map_or("", Key::branch), closed);
            }
            (Body::GateOpened(gate), RunStatus::Running) => self.open_gate(gate),
            (Body::GateClosed(closed), RunStatus::Running) => {
                self.gates.retain(|open| open.gate.as_deref() != Some(&closed.gate));
            }
            (Body::Cancelled(_) | Body::Settled(_) | Body::Bound(_), status)
                if !status.is_final() => {}
            (_, RunStatus::Running) | (Body::Outcome(_), RunStatus::Compensating) => {}
            (_, status) => return Err(illegal(status)),
        }
        Ok(())
    }

    fn hand_over(&mut self, capsule: &str, was: RunStatus) {
        self.handed_over = Some(Departure { capsule: capsule.to_owned(), was });
        self.status = RunStatus::HandedOver;
    }

    fn take_over(&mut self) {
        if let Some(departure) = self.handed_over.take() {
            self.status = departure.was;
        }
    }

    fn roll_back(&mut self, rolled_back: &RolledBack) {
        self.reason = None;
        self.gates.clear();
        self.rolled_back_by = Some(rolled_back.by.clone());
        self.status = match rolled_back.stage {
            RollbackStage::Underway => RunStatus::Compensating,
            RollbackStage::Stuck | RollbackStage::GivenUp => RunStatus::Stuck,
            RollbackStage::Done => RunStatus::Compensated,
        };
    }

    fn open_gate(&mut self, gate: &GateRequest) {
        self.gates.retain(|open| open.gate.as_deref() != Some(&gate.gate));
        self.gates.push(WaitingFor {
            kind: match gate.kind {
                GateKind::Approval => WaitingKind::Approval,
                GateKind::Manual => WaitingKind::Manual,
            },
            gate: Some(gate.gate.clone()),
            name: gate.name.clone(),
            until: gate.expires_at,
            run: None,
        });
    }

    fn run(&mut self) {
        self.status = RunStatus::Running;
        self.reason = None;
        self.error = None;
        self.retry_from = None;
        self.retry_in.clear();
    }

    fn end(&mut self, ended: &Ended) {
        self.status = match ended.end {
            End::Succeeded => RunStatus::Succeeded,
            End::Failed => RunStatus::Failed,
            End::Rejected => RunStatus::Rejected,
            End::Cancelled => RunStatus::Cancelled,
            End::Compensated => RunStatus::Compensated,
        };
        self.reason = None;
        self.error.clone_from(&ended.error);
        self.retry_from = ended.retry_from;
        self.retry_in.clone_from(&ended.retry_in);
        // After a retry, branches that did not fail go on where they stood: at their gates.
        if ended.end != End::Failed {
            self.gates.clear();
            self.withdrawn.clear();
        }
    }

    fn retry(&mut self, retried: &Retried) {
        let to = retried.to_seq;
        self.voided.push((retried.from_seq, to));
        self.voided_in.extend(retried.branches.iter().map(|void| VoidedBranch {
            branch: void.branch.clone(),
            from: void.from_seq,
            to,
        }));
        let (again, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.withdrawn)
            .into_iter()
            .partition(|gate| retried.from_seq_of(&gate.by).is_some());
        self.withdrawn = kept;
        self.gates.extend(again.into_iter().map(|withdrawn| withdrawn.gate));
        self.run();
    }

    fn edit(&mut self, edited: &Edited) {
        for left in &edited.left {
            let (from, to) = (left.from_seq, left.to_seq);
            match left.branch.is_empty() {
                true => self.voided.push((from, to)),
                false => {
                    self.voided_in.push(VoidedBranch { branch: left.branch.clone(), from, to });
                }
            }
        }
        self.gates
            .retain(|open| !open.gate.as_ref().is_some_and(|at| edited.withdrawn.contains(at)));
        if self.status == RunStatus::Failed {
            self.run();
        }
    }

    fn withdraw(&mut self, by: &str, closed: &BranchesClosed) {
        let (gone, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.gates)
            .into_iter()
            .partition(|gate| gate.gate.as_ref().is_some_and(|at| closed.withdrawn.contains(at)));
        self.gates = open;
        self.withdrawn.extend(gone.into_iter().map(|gate| Withdrawn { by: by.to_owned(), gate }));
    }

    /// The ranges of void entries of one branch; its path is empty outside of branches.
    pub fn voided_of(&self, branch: &str) -> Vec<(u64, u64)> {
        if branch.is_empty() {
            return self.voided.clone();
        }
        let own = self.voided_in.iter().filter(|void| void.branch == branch);
        own.map(|void| (void.from, void.to)).collect()
    }

    /// Whether a retry made an entry void.
    pub fn is_void(&self, seq: u64, key: Option<&Key>) -> bool {
        let ranges = self.voided_of(key.map_or("", Key::branch));
        ranges.iter().any(|(first, last)| (*first..=*last).contains(&seq))
    }

    /// Why it is suspended or stuck: nothing, one reason, or that of each branch that waits.
    pub fn reasons(&self) -> &[Reason] {
        self.reason.as_ref().map_or(&[], Reason::each)
    }

    /// What the run waits for, as every command shows it.
    pub fn waiting_for(&self) -> Vec<WaitingFor> {
        match self.reason {
            _ if self.handed_over.is_some() => Vec::new(),
            None if self.status == RunStatus::Running => self.gates.clone(),
            _ => self.reasons().iter().flat_map(|one| self.awaited(one)).collect(),
        }
    }

    fn awaited(&self, reason: &Reason) -> Vec<WaitingFor> {
        let one = |kind, gate, name: String, until| {
            vec![WaitingFor { kind, gate, name, until, run: None }]
        };
        match reason {
            Reason::Interrupted | Reason::Mismatch { .. } | Reason::Several { .. } => Vec::new(),
            Reason::Gates => self.gates.clone(),
            Reason::Timer { name, until } => {
                one(WaitingKind::Timer, None, name.clone(), Some(*until))
            }
            Reason::State { name, .. } => one(WaitingKind::State, None, name.clone(), None),
            Reason::Child { waiting_for, .. } => waiting_for.clone(),
            Reason::Lock { name, holder } => {
                one(WaitingKind::State, None, format!("lock {name}, held by run {holder}"), None)
            }
            Reason::Unavailable { message } => {
                one(WaitingKind::State, None, format!("AWS to answer: {message}"), None)
            }
            Reason::Credentials { alias, .. } => {
                one(WaitingKind::Credentials, None, alias.clone(), None)
            }
            Reason::NotTakenBack { key, what, .. } => {
                one(WaitingKind::Doubt, Some(key.as_str().to_owned()), what.clone(), None)
            }
            Reason::Doubt { key, operation, .. } => {
                one(WaitingKind::Doubt, Some(key.as_str().to_owned()), operation.clone(), None)
            }
        }
    }
}
