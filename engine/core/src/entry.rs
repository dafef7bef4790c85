//! The entries of a journal: one type a kind, plain data, append-only.
//!
//! Entries with a key belong to a place in the script and are what replay answers from. Entries
//! without one tell the story of the run: started, suspended, resumed, ended. Notes, outputs and
//! artifacts have a key but are never compared: they follow from what was compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::{AccountRef, Principal};
use crate::canonical::Digest;
use crate::catalogue::Class;
use crate::diagnostic::Diagnostic;
use crate::gate::{Decision, GateRequest, GateResult};
use crate::key::Key;
use crate::ports::{AwsError, RunId};
use crate::status::{Reason, RunStatus};
use crate::time::{Span, Timestamp};

/// One entry before it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its address, when it belongs to a place in the script.
    pub key: Option<Key>,
    /// When it was made.
    pub at: Timestamp,
    /// What it says.
    pub body: Body,
}

/// One entry as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// Position in the run's journal, from 1.
    pub seq: u64,
    /// Digest over this entry and the one before.
    pub hash: Digest,
    /// The entry.
    pub entry: Entry,
    /// The stored text of its body: what digests are taken of.
    pub text: String,
}

/// The end of a journal: what the next entry is chained to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Position of the last entry; 0 for an empty journal.
    pub seq: u64,
    /// Its digest.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty journal.
    pub const EMPTY: Self = Self { seq: 0, hash: Digest::from_bytes([0; 32]) };

    /// The head after one more entry, and the digest that the entry gets. `body` is the stored
    /// text, so that what is verified is what is stored.
    #[must_use]
    pub fn next(&self, key: Option<&Key>, kind: &str, at: Timestamp, body: &str) -> Self {
        let seq = self.seq + 1;
        let hash = Digest::of_parts([
            self.hash.bytes().as_slice(),
            &seq.to_be_bytes(),
            key.map_or("", Key::as_str).as_bytes(),
            kind.as_bytes(),
            &at.millis().to_be_bytes(),
            body.as_bytes(),
        ]);
        Self { seq, hash }
    }
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $kind:literal $variant:ident($data:ty)),* $(,)?) => {
        /// What an entry says.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Body {
            $($(#[$doc])* $variant($data),)*
        }

        impl Body {
            /// Every kind's name, as journals have it.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// The kind's name.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// The stored text of the body.
            pub fn encode(&self) -> String {
                match self {
                    $(Self::$variant(data) => serde_json::to_string(data),)*
                }
                .expect("an entry is plain data")
            }

            /// The body from its kind and stored text.
            pub fn decode(kind: &str, text: &str) -> Result<Self, EntryError> {
                match kind {
                    $($kind => serde_json::from_str(text).map(Self::$variant).map_err(|error| {
                        EntryError::Unreadable { kind: kind.to_owned(), reason: error.to_string() }
                    }),)*
                    _ => Err(EntryError::UnknownKind(kind.to_owned())),
                }
            }
        }
    };
}

bodies! {
    /// The run exists.
    "started" Started(Started),
    /// An alias was bound to a proven principal.
    "bound" Bound(Bound),
    /// A mutating operation is about to be sent.
    "intent" Intent(Intent),
    /// AWS's last word on an operation. A read has no intent and names its operation here.
    "outcome" Outcome(Outcome),
    /// A doubt was settled.
    "settled" Settled(Settled),
    /// A step began.
    "step_opened" StepOpened(StepOpened),
    /// A step ended.
    "step_closed" StepClosed(StepClosed),
    /// A wait for time or for a state of AWS began.
    "wait_opened" WaitOpened(WaitOpened),
    /// A wait ended.
    "wait_closed" WaitClosed(WaitClosed),
    /// A value of chance or time was taken.
    "sampled" Sampled(Sampled),
    /// A gate opened: people were asked.
    "gate_opened" GateOpened(GateRequest),
    /// Somebody decided.
    "decision" Decided(Decision),
    /// A gate closed.
    "gate_closed" GateClosed(GateResult),
    /// Concurrent branches began.
    "branches_opened" BranchesOpened(BranchesOpened),
    /// Concurrent branches are over.
    "branches_closed" BranchesClosed(BranchesClosed),
    /// A runbook that the script called came to its end.
    "child" Child(Child),
    /// The run holds a lock.
    "locked" Locked(Locked),
    /// The compensation of a call, as data.
    "undo" Undo(Undo),
    /// A line for the report.
    "note" Note(Note),
    /// A named result.
    "output" Output(Output),
    /// A named document.
    "artifact" Artifact(Artifact),
    /// The run stopped for a reason that will pass.
    "suspended" Suspended(Suspended),
    /// The run goes on.
    "resumed" Resumed(Resumed),
    /// What failed is to be attempted again.
    "retried" Retried(Retried),
    /// The run goes on with an edited script.
    "edited" Edited(Edited),
    /// Somebody asked the run to end.
    "cancelled" Cancelled(Cancelled),
    /// The run ended.
    "ended" Ended(Ended),
    /// Another run takes back what this one did.
    "rolled_back" RolledBack(RolledBack),
    /// The run goes on in another home from here.
    "handed_over" HandedOver(HandedOver),
    /// This home goes on with it.
    "taken_over" TakenOver(TakenOver),
}

impl Body {
    /// Whether replay compares entries of this kind with what the script asks. The rest is either
    /// the story of the run or an annotation.
    pub fn is_compared(&self) -> bool {
        !matches!(
            self,
            Self::Started(_)
                | Self::Bound(_)
                | Self::Undo(_)
                | Self::Note(_)
                | Self::Output(_)
                | Self::Artifact(_)
                | Self::Suspended(_)
                | Self::Resumed(_)
                | Self::Retried(_)
                | Self::Edited(_)
                | Self::Cancelled(_)
                | Self::Ended(_)
                | Self::RolledBack(_)
                | Self::HandedOver(_)
                | Self::TakenOver(_)
        )
    }
}

/// An entry that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A kind from another version.
    #[error("entries of the kind `{0}` are not known to this version")]
    UnknownKind(String),
    /// A text of another form.
    #[error("a `{kind}` entry is not readable: {reason}")]
    Unreadable {
        /// Kind of the entry.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// See [`Body::Started`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Name of the runbook, `pfizer_poc`.
    pub runbook: String,
    /// Title from its declaration.
    pub title: String,
    /// Name of the run, when it was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Parameters by name; secret ones are handles.
    pub params: Value,
    /// Digest of the program: script, modules, assets, templates.
    pub program: Digest,
    /// Where the program was read from, as the person named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Stored name of the sandbox world; absent against AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// Who started the run, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Principal>,
    /// The run that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<RunId>,
    /// The run whose script called this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What the aliases of a child run are in the outermost run, where they have other names there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, String>,
    /// Version of Piton that started it.
    pub version: String,
}

/// Whose child a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The run whose script called it.
    pub run: RunId,
    /// Entry of the call.
    pub key: Key,
    /// The outermost run: the one that nobody called. Its locks are those of all inside it.
    pub outermost: RunId,
}

/// See [`Body::Bound`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// Alias, or a derived account.
    pub account: AccountRef,
    /// Who it proved to be.
    pub principal: Principal,
    /// An earlier binding was replaced on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebound: bool,
}

/// See [`Body::Intent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Script's name of the service.
    pub service: String,
    /// Script's name of the operation.
    pub operation: String,
    /// Account it is sent as.
    pub account: AccountRef,
    /// Idempotency class.
    pub class: Class,
    /// Input as the script gave it, handles in place of secrets, no token.
    pub input: Value,
    /// Idempotency token, when the operation takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// From 1; a repeated attempt under the same key counts up.
    pub attempt: u32,
    /// What was there before, for calls that replace it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// What a look before a call showed: what taking the call back restores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum Before {
    /// Nothing was there.
    Absent,
    /// This was there.
    There {
        /// The thing as the look showed it.
        value: Value,
    },
    /// AWS did not let us look: the call cannot be taken back.
    Unknown {
        /// Why not.
        error: AwsError,
    },
}

/// See [`Body::Outcome`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What a read was; absent after an intent, which says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Read>,
    /// The attempt that it answers.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempt: u32,
    /// The output, or AWS's error.
    pub result: CallResult,
    /// Time between the first send and the answer.
    pub took: Span,
    /// AWS's id of the request; never compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// It was found by its natural key after a crash, not answered to a send.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(attempt: &u32) -> bool {
    *attempt == 1
}

/// The operation of a read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Script's name of the service.
    pub service: String,
    /// Script's name of the operation; `list_projects_all` when every page was read.
    pub operation: String,
    /// Account it was sent as.
    pub account: AccountRef,
    /// Input as the script gave it.
    pub input: Value,
}

/// AWS's last word on a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// The output.
    Value(Value),
    /// The error.
    Error(AwsError),
}

/// See [`Body::Settled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// How.
    pub how: Settlement,
    /// Why, in the words of whoever settled it.
    pub reason: String,
    /// Who; absent when the engine found it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When a person settled it; the entry is made when a run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Settled {
    /// What the engine settled by itself.
    pub fn by_engine(how: Settlement, reason: impl Into<String>) -> Self {
        Self { how, reason: reason.into(), by: None, at: None }
    }
}

/// How a doubt is settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Settlement {
    /// The call had its effect; this is its output.
    Adopt {
        /// Output to go on with.
        output: Value,
    },
    /// The call had no effect, or repeating it is harmless: send it again.
    Retry,
    /// Go on without it: the call answers nothing.
    Skip,
    /// The engine looked for what the call did and goes on with that: the outcome has it.
    Found {
        /// What was found; absent when that it is gone is what the call was for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// The engine sends it again as it was, which has no second effect.
    Repeat,
}

/// See [`Body::StepOpened`]. The entry's key is the step's path with the number 0 of its parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepOpened {
    /// Path of the step.
    pub path: String,
    /// Name as the author wrote it.
    pub name: String,
}

/// See [`Body::StepClosed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepClosed {
    /// Path of the step.
    pub path: String,
    /// The step's body returned; otherwise it raised.
    pub ok: bool,
}

/// See [`Body::WaitOpened`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitOpened {
    /// Name in progress and reports.
    pub name: String,
    /// What is waited for.
    pub target: WaitTarget,
}

/// What a wait waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum WaitTarget {
    /// A moment.
    Time {
        /// When the wait ends.
        until: Timestamp,
    },
    /// A state of AWS, read every so often.
    State {
        /// Time between reads.
        every: Span,
        /// When the wait fails.
        give_up_at: Timestamp,
    },
}

impl WaitTarget {
    /// When the wait ends at the latest.
    pub fn end(&self) -> Timestamp {
        match self {
            Self::Time { until } => *until,
            Self::State { give_up_at, .. } => *give_up_at,
        }
    }
}

/// See [`Body::WaitClosed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitClosed {
    /// How it ended.
    pub result: WaitResult,
    /// How many reads it took.
    pub reads: u32,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum WaitResult {
    /// The awaited state came; the last answer.
    Reached {
        /// The answer that had it.
        value: Value,
    },
    /// What was awaited is gone, as the wait wanted.
    Gone,
    /// A state that cannot become the awaited one.
    Failed {
        /// The state.
        state: Value,
        /// The answer that had it.
        value: Value,
    },
    /// The time was up.
    GaveUp {
        /// The last state seen.
        state: Value,
    },
    /// AWS refused the read.
    Refused {
        /// The error.
        error: AwsError,
    },
}

/// See [`Body::Sampled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// `now`, `uuid`, `anchor` or `random_password`.
    pub source: String,
    /// What was drawn; a handle for a password.
    pub value: Value,
}

/// See [`Body::BranchesOpened`]. The paths of the branches follow from the key: those of the group's
/// place with `[name]` below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchesOpened {
    /// What the script called.
    pub by: GroupKind,
    /// Paths of the branches, in their order.
    pub branches: Vec<String>,
    /// What people see of the items of `parallel_map`; empty for `parallel`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// What opens branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// One closure for each branch.
    Parallel,
    /// One closure for all items of a list.
    ParallelMap,
}

impl GroupKind {
    /// The function's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parallel => "parallel",
            Self::ParallelMap => "parallel_map",
        }
    }
}

/// See [`Body::BranchesClosed`]. Branches that are in no list returned. Positions count from 0, in
/// the order of [`BranchesOpened::branches`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchesClosed {
    /// Branches that raised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<u32>,
    /// Branches that stopped before their next effect because another had failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<u32>,
    /// Branches that never began, for the same reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unstarted: Vec<u32>,
    /// The script got an error, not the results.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raised: bool,
    /// Gates of the branches that stopped: nobody waits at them any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
}

/// See [`Body::Child`]. It is made when the child run ended; until then the child's own journal says
/// where it stands, and its id follows from the parent and the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// The child run.
    pub run: RunId,
    /// The runbook, as the script wrote it.
    pub runbook: String,
    /// Parameters as the script gave them; secret ones are handles.
    pub params: Value,
    /// Aliases of the child that the script gave other names: those of the parent, by the child's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, String>,
    /// How it ended.
    pub result: ChildResult,
}

/// How a child run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildResult {
    /// It succeeded; its outputs by name.
    Outputs(Value),
    /// It did not succeed.
    Failed(ChildFailure),
}

/// Why a child run did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildFailure {
    /// Where it stands.
    pub status: RunStatus,
    /// What ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// Another attempt may come to something else.
    pub can_retry: bool,
}

/// See [`Body::Locked`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// Name of the lock.
    pub name: String,
}

/// See [`Body::Undo`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// Entry of the call that is taken back.
    pub of: Key,
    /// The calls that take it back, in order.
    pub calls: Vec<Read>,
}

/// See [`Body::Note`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// One line or more.
    pub text: String,
}

/// See [`Body::Output`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its name; a later output of the same name replaces it.
    pub name: String,
    /// Plain data.
    pub value: Value,
}

/// See [`Body::Artifact`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// File name.
    pub name: String,
    /// Contents.
    pub text: String,
}

/// See [`Body::Suspended`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspended {
    /// Why.
    pub reason: Reason,
}

/// See [`Body::Resumed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// Host and process that drives the run now.
    pub holder: String,
    /// Version of Piton that drives it now.
    pub version: String,
}

/// See [`Body::Retried`]: everything from `from_seq` to `to_seq` is void for replay, outside of
/// branches; inside of branches, what `branches` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retried {
    /// First void entry.
    pub from_seq: u64,
    /// Last void entry.
    pub to_seq: u64,
    /// Branches with void entries of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<BranchVoid>,
}

impl Retried {
    /// Where the void entries of a branch begin; its path is empty outside of branches.
    pub fn from_seq_of(&self, branch: &str) -> Option<u64> {
        if branch.is_empty() {
            return Some(self.from_seq);
        }
        self.branches.iter().find(|void| void.branch == branch).map(|void| void.from_seq)
    }

    /// Whether it makes an entry void.
    pub fn covers(&self, seq: u64, key: Option<&Key>) -> bool {
        let from = self.from_seq_of(key.map_or("", Key::branch));
        from.is_some_and(|from| (from..=self.to_seq).contains(&seq))
    }
}

/// Entries of one branch that are void, or would be after a retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchVoid {
    /// Path of the branch.
    pub branch: String,
    /// The first of them.
    pub from_seq: u64,
}

/// See [`Body::Edited`]. Every recorded entry that is not in `left` is one that the edited script asks
/// for in the same place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edited {
    /// Digest of the program until now.
    pub from: Digest,
    /// Digest of the program from now on.
    pub to: Digest,
    /// Where it was read from, as the person named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Who, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Principal>,
    /// Gates that were approved for an earlier script: that person says that they stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stands: Vec<String>,
    /// Recorded entries that the edited script does not ask for, void from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// Open gates among them: nobody waits there any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
}

impl Edited {
    /// An edit that leaves nothing.
    pub fn plain(from: Digest, to: Digest) -> Self {
        let (stands, left, withdrawn) = (Vec::new(), Vec::new(), Vec::new());
        Self { from, to, source: None, by: None, stands, left, withdrawn }
    }
}

/// Entries of one branch that an edited script leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Path of the branch; empty outside of branches.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// The first of them.
    pub from_seq: u64,
    /// The last of them.
    pub to_seq: u64,
    /// Key of the first.
    pub key: Key,
    /// What they are, in words.
    pub what: String,
    /// They changed something in AWS, which stays as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub effect: bool,
}

/// See [`Body::Cancelled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Who asked, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// See [`Body::Ended`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub end: End,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// First entry that `resume --retry` would void: the call that failed, or the reads that a
    /// refusal of the script rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_from: Option<u64>,
    /// The same inside of the branches that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_in: Vec<BranchVoid>,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The script came to its end.
    Succeeded,
    /// The script raised an error that nothing caught.
    Failed,
    /// A person rejected at a gate, or a gate expired.
    Rejected,
    /// Somebody cancelled the run.
    Cancelled,
    /// A rollback came to its end.
    Compensated,
}

/// See [`Body::RolledBack`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The run that takes it back.
    pub by: RunId,
    /// How far it came.
    pub stage: RollbackStage,
}

/// How far a rollback came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackStage {
    /// It began or goes on.
    Underway,
    /// A call that takes something back failed, or is in doubt.
    Stuck,
    /// It came to its end.
    Done,
    /// Somebody ended it before its end.
    GivenUp,
}

/// See [`Body::HandedOver`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// Id of the capsule that carries the run.
    pub capsule: String,
    /// Host that handed it over.
    pub host: String,
}

/// See [`Body::TakenOver`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOver {
    /// Id of the capsule that carried the run.
    pub capsule: String,
    /// Host that took it over.
    pub host: String,
    /// Version of Piton that took it over.
    pub version: String,
}
