//! The status of a run, defined as a fold over its entries: the same table for live runs, for
//! recovery and for reports.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::entry::{Body, End, Entry};
use crate::gate::GateKind;
use crate::key::Key;
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
        }
    }

    /// Whether resuming only repeats the end.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Rejected | Self::Compensated | Self::Cancelled
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
    /// The person at the terminal stopped the driving.
    Interrupted,
    /// The script asked for something else than was recorded.
    Mismatch {
        /// The difference, for people.
        diagnostic: Box<Diagnostic>,
    },
}

/// Something that a call in doubt may have made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id, for `resolve --adopt`.
    pub id: String,
    /// What AWS shows of it: the output to go on with.
    pub output: Value,
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
    /// Ranges of entries that retries made void: first and last position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided: Vec<(u64, u64)>,
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
            voided: Vec::new(),
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
            (Body::Resumed(_), status) if !status.is_final() => self.run(),
            (Body::Retried(retried), RunStatus::Failed) => {
                self.voided.push((retried.from_seq, retried.to_seq));
                self.run();
            }
            (Body::Suspended(suspended), RunStatus::Running) => {
                self.status = match suspended.reason {
                    Reason::Doubt { .. } => RunStatus::Stuck,
                    Reason::Mismatch { .. } => RunStatus::Mismatch,
                    _ => RunStatus::Suspended,
                };
                self.reason = Some(suspended.reason.clone());
            }
            (Body::Ended(ended), status) if !status.is_final() => {
                self.status = match ended.end {
                    End::Succeeded => RunStatus::Succeeded,
                    End::Failed => RunStatus::Failed,
                    End::Rejected => RunStatus::Rejected,
                    End::Cancelled => RunStatus::Cancelled,
                };
                self.reason = None;
                self.gates.clear();
                self.error.clone_from(&ended.error);
                self.retry_from = ended.retry_from;
            }
            (Body::GateOpened(gate), RunStatus::Running) => {
                self.gates.retain(|open| open.gate.as_deref() != Some(&gate.gate));
                self.gates.push(WaitingFor {
                    kind: match gate.kind {
                        GateKind::Approval => WaitingKind::Approval,
                        GateKind::Manual => WaitingKind::Manual,
                    },
                    gate: Some(gate.gate.clone()),
                    name: gate.name.clone(),
                    until: gate.expires_at,
                });
            }
            (Body::GateClosed(closed), RunStatus::Running) => {
                self.gates.retain(|open| open.gate.as_deref() != Some(&closed.gate));
            }
            (Body::Cancelled(_) | Body::Settled(_) | Body::Bound(_), status)
                if !status.is_final() => {}
            (_, RunStatus::Running) => {}
            (_, status) => return Err(illegal(status)),
        }
        Ok(())
    }

    fn run(&mut self) {
        self.status = RunStatus::Running;
        self.reason = None;
        self.error = None;
        self.retry_from = None;
    }

    /// What the run waits for, as every command shows it.
    pub fn waiting_for(&self) -> Vec<WaitingFor> {
        let one = |kind, gate, name: String, until| vec![WaitingFor { kind, gate, name, until }];
        match &self.reason {
            None if self.status == RunStatus::Running => self.gates.clone(),
            None | Some(Reason::Interrupted | Reason::Mismatch { .. }) => Vec::new(),
            Some(Reason::Gates) => self.gates.clone(),
            Some(Reason::Timer { name, until }) => {
                one(WaitingKind::Timer, None, name.clone(), Some(*until))
            }
            Some(Reason::State { name, .. }) => one(WaitingKind::State, None, name.clone(), None),
            Some(Reason::Unavailable { message }) => {
                one(WaitingKind::State, None, format!("AWS to answer: {message}"), None)
            }
            Some(Reason::Credentials { alias, .. }) => {
                one(WaitingKind::Credentials, None, alias.clone(), None)
            }
            Some(Reason::Doubt { key, operation, .. }) => {
                one(WaitingKind::Doubt, Some(key.as_str().to_owned()), operation.clone(), None)
            }
        }
    }
}
