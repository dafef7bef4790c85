//! What a run tells while it goes on: one stream for the progress bar, the JSON lines and the inbox.
//!
//! An event about a mutating call is sent only after its outcome is on disk; on replay nothing is
//! told twice. [`RunEvent::Calling`] is the exception: it says what is in flight and is not kept.

use serde::Serialize;
use serde_json::Value;

use crate::account::{AccountRef, Principal};
use crate::diagnostic::{Diagnostic, Place};
use crate::entry::Edited;
use crate::gate::{Decision, GateResult};
use crate::key::Key;
use crate::ports::{AwsError, OpenGate, RunId};
use crate::status::{RunStatus, WaitingFor};
use crate::time::{Span, Timestamp};

/// One event of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEvent {
    /// The run.
    pub run: RunId,
    /// When, by the run's clock.
    pub at: Timestamp,
    /// Path of the branch it happened in; empty outside of branches.
    pub branch: String,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The run was created.
    Started {
        /// Runbook.
        runbook: String,
        /// Title.
        title: String,
        /// Sandbox world, when it is a rehearsal.
        world: Option<String>,
    },
    /// The run goes on after having stopped.
    Resumed {
        /// Entries that are answered from the journal.
        recorded: u64,
    },
    /// The run goes on with an edited script.
    Edited(Box<Edited>),
    /// An alias proved who it is.
    Bound {
        /// The account.
        account: AccountRef,
        /// Who.
        principal: Principal,
    },
    /// A step began.
    StepOpened {
        /// Path.
        path: String,
        /// Name.
        name: String,
        /// How many steps are open around it.
        depth: usize,
    },
    /// A step ended.
    StepClosed {
        /// Path.
        path: String,
        /// Name.
        name: String,
        /// It returned.
        ok: bool,
        /// How long it took.
        took: Span,
    },
    /// Concurrent branches began.
    BranchesOpened {
        /// Entry.
        key: Key,
        /// Paths of the branches, in their order.
        branches: Vec<String>,
        /// What people see of the items of `parallel_map`; empty for `parallel`.
        labels: Vec<String>,
    },
    /// Concurrent branches are over.
    BranchesClosed {
        /// Entry.
        key: Key,
        /// How many there were.
        count: usize,
        /// How many raised.
        failed: usize,
        /// The script got the results, not an error.
        ok: bool,
        /// How long it took.
        took: Span,
    },
    /// A call is in flight.
    Calling {
        /// Entry.
        key: Key,
        /// Account.
        account: AccountRef,
        /// Service.
        service: String,
        /// Operation.
        operation: String,
        /// Where the script makes the call; absent for calls that no script makes.
        place: Option<Place>,
    },
    /// A call has its outcome on disk.
    Called {
        /// Entry.
        key: Key,
        /// Account.
        account: AccountRef,
        /// Service.
        service: String,
        /// Operation.
        operation: String,
        /// It changes AWS.
        mutating: bool,
        /// The error, when AWS refused.
        error: Option<AwsError>,
        /// It was adopted after a crash.
        adopted: bool,
    },
    /// A wait began or goes on.
    Waiting {
        /// Entry.
        key: Key,
        /// Name.
        name: String,
        /// State seen last.
        state: Value,
    },
    /// A wait ended.
    Waited {
        /// Entry.
        key: Key,
        /// Name.
        name: String,
        /// The awaited state came.
        ok: bool,
        /// How long it took.
        took: Span,
    },
    /// A call is attempted again, because AWS will accept it later.
    Retrying {
        /// Name.
        name: String,
        /// The error.
        error: AwsError,
        /// Time until the next attempt.
        next_in: Span,
    },
    /// A gate opened.
    GateOpened(Box<OpenGate>),
    /// Somebody decided.
    Decided(Box<Decision>),
    /// A gate closed.
    GateClosed(Box<GateResult>),
    /// A doubt was settled.
    Settled {
        /// Entry.
        key: Key,
        /// How, in words.
        how: String,
    },
    /// A line for the reader.
    Note {
        /// Text.
        text: String,
    },
    /// A named result.
    Output {
        /// Name.
        name: String,
        /// Plain data.
        value: Value,
    },
    /// Something to know that does not stop the run.
    Warning(Box<Diagnostic>),
    /// The driving ended: the run is over or waits.
    End(Box<RunEnd>),
}

/// How a driving ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunEnd {
    /// Status of the run now.
    pub status: RunStatus,
    /// What it waits for.
    pub waiting_for: Vec<WaitingFor>,
    /// What went wrong.
    pub error: Option<Diagnostic>,
}
