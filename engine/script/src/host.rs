//! What a script asks of whoever drives it. One implementation journals and sends; a test's answers
//! from a list.
//!
//! All methods block: scripts run on a thread of their own. A method that returns [`Halt::Stop`]
//! has kept its reason; the evaluation then ends at once and nothing in the script can catch it.

use std::collections::BTreeMap;
use std::sync::Arc;

use piton_core::account::AccountRef;
use piton_core::catalogue::Class;
use piton_core::diagnostic::{Diagnostic, Place};
pub use piton_core::entry::GroupKind;
use piton_core::gate::{GateKind, OnExpire};
use piton_core::key::Key;
use piton_core::secret::Origin;
use piton_core::time::{Span, Timestamp};
use serde_json::{Map, Value};

use crate::Program;
use crate::params::Bound;

/// Why a method has no value.
#[derive(Debug)]
pub enum Halt {
    /// An error that the script may catch, as the map it gets.
    Thrown(Box<Thrown>),
    /// An error of the script itself that passed through a callback, to be passed on unchanged.
    Script(ScriptError),
    /// The evaluation is over: suspended, cancelled, mismatched, or out of disk. Nothing catches it.
    Stop,
}

/// An error of the script inside a callback: opaque to the host.
#[derive(Debug)]
pub struct ScriptError(pub(crate) Box<rhai::EvalAltResult>);

/// An error that the script may catch.
#[derive(Debug, Clone, PartialEq)]
pub struct Thrown {
    /// AWS's code; `WaitFailed`, `GaveUp`, `Rejected`, `Expired` for the engine's own.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// Script's name of the service.
    pub service: Option<String>,
    /// Script's name of the operation.
    pub operation: Option<String>,
    /// HTTP status.
    pub http_status: Option<u16>,
    /// AWS's id of the request.
    pub request_id: Option<String>,
    /// The same call may succeed later.
    pub retryable: bool,
    /// Entry of the call, wait or gate.
    pub key: Option<String>,
    /// What else the error has, such as the state that a wait met.
    pub details: Value,
    /// Diagnostic code and hints when nothing catches it.
    pub diagnostic: Option<Diagnostic>,
}

/// A bound call, checked against the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptCall {
    /// Account.
    pub account: AccountRef,
    /// Script's name of the service.
    pub service: String,
    /// Script's name of the operation, without `_all`.
    pub operation: String,
    /// Every page is wanted.
    pub all_pages: bool,
    /// Input by wire names, handles in place of secrets, absent members left out.
    pub input: Value,
    /// Idempotency class.
    pub class: Class,
    /// Input member that takes the engine's token, when the script did not fill it.
    pub token_member: Option<String>,
    /// Where the script calls.
    pub place: Option<Place>,
}

/// Options of `wait_until`.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitSpec {
    /// Name in progress and reports.
    pub name: String,
    /// Dotted path of the state in the call's answer; empty for the answer itself.
    pub path: String,
    /// States that end the wait well.
    pub ok: Vec<Value>,
    /// States that end it badly, at once.
    pub fail: Vec<Value>,
    /// Error codes that mean: gone, which ends the wait well.
    pub gone: Vec<String>,
    /// Time between reads.
    pub every: Span,
    /// When to stop waiting.
    pub give_up: Span,
}

/// Options of `retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySpec {
    /// Name in progress.
    pub name: String,
    /// Error codes that AWS answers until it accepts the call.
    pub on: Vec<String>,
    /// Time between attempts.
    pub every: Span,
    /// When to stop.
    pub give_up: Span,
}

/// How much of a query's rows is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every row.
    All,
    /// The first rows.
    Sample,
    /// Columns, count and a keyed digest.
    Digest,
}

/// The service that runs a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryEngine {
    /// The Redshift Data API.
    DataApi,
    /// Athena.
    Athena,
}

/// Options of `query`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySpec {
    /// Who runs it.
    pub engine: QueryEngine,
    /// One SQL statement.
    pub sql: String,
    /// Where it runs, by the service's own members. Data API: `ClusterIdentifier` or
    /// `WorkgroupName`, `Database`, `SecretArn` or `DbUser`, `StatementName`. Athena: `WorkGroup`,
    /// `Database`, `Catalog`.
    pub target: Map<String, Value>,
    /// Named parameters; the Data API's alone.
    pub parameters: Map<String, Value>,
    /// How much is kept; absent means all in the sandbox, a digest against AWS.
    pub keep: Option<Keep>,
    /// When to stop waiting.
    pub give_up: Span,
    /// Where the script calls.
    pub place: Option<Place>,
}

/// Options of `approve` and `manual`.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSpec {
    /// Approval or manual.
    pub kind: GateKind,
    /// Name.
    pub name: String,
    /// What the decider sees.
    pub show: Value,
    /// Aliases and ARNs that may decide.
    pub from: Vec<String>,
    /// How many.
    pub need: u32,
    /// Aliases and ARNs that may not.
    pub exclude: Vec<String>,
    /// The requester may decide.
    pub by_requester: bool,
    /// Time until it expires.
    pub expires: Option<Span>,
    /// What expiry does.
    pub on_expire: OnExpire,
    /// Fields that the decider fills.
    pub form: Value,
    /// What a person is to do.
    pub instructions: Option<String>,
    /// What a person is to hand in.
    pub evidence: Option<String>,
    /// A rejection is returned instead of raised.
    pub returns_rejection: bool,
    /// The rule by which the world may decide first.
    pub settled_by: Option<SettledRule>,
    /// Where the script asks.
    pub place: Option<Place>,
}

/// `settled_by` without its call.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledRule {
    /// Dotted path of the state in the call's answer.
    pub path: String,
    /// States that count as approved.
    pub ok: Vec<Value>,
    /// States that count as rejected.
    pub fail: Vec<Value>,
    /// Dotted path of the real decider in the answer.
    pub by: Option<String>,
}

/// A group of concurrent branches that the script asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// What the script called.
    pub by: GroupKind,
    /// Names of the branches, in their order.
    pub names: Vec<String>,
    /// What people see of the items of `parallel_map`; empty for `parallel`.
    pub labels: Vec<String>,
    /// How many run at a time.
    pub max: usize,
    /// How many may fail before the group does.
    pub tolerate: usize,
    /// Begin with one at a time, and double while all succeed.
    pub ramp: bool,
}

/// How a branch ended, as far as the script sees it.
#[derive(Debug)]
pub enum BranchEnd {
    /// Its closure returned.
    Returned,
    /// It raised an error; the host's own, when it was one.
    Raised(Option<Box<Thrown>>),
    /// The host stopped it with [`Halt::Stop`].
    Stopped,
    /// Its evaluation cannot go on: an endless loop, or a mistake in Piton.
    Broken,
}

/// What a group of branches comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEnd {
    /// The branch whose error the script gets; nothing when it gets the results.
    pub raised: Option<usize>,
    /// Entry of the group.
    pub key: Key,
}

/// Concurrent branches that are going on. The script layer has the threads and the closures, the host
/// says who may go on.
pub trait Branches: Send + Sync {
    /// The next branch that may begin; waits while none may. Nothing when no more will begin, and all
    /// that began are over.
    fn next(&self) -> Option<usize>;

    /// The host of a branch that may begin.
    fn host(&self, index: usize) -> Arc<dyn Host>;

    /// Runs a branch on the present thread, which is its own, when its turn comes.
    fn run(&self, index: usize, body: &mut dyn FnMut() -> BranchEnd);

    /// A branch that may begin and cannot, for want of a thread.
    fn abandon(&self, index: usize, why: &str);

    /// What the group comes to, when [`Branches::next`] has none left.
    fn close(&self) -> Result<GroupEnd, Halt>;
}

/// A runbook that the script calls.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The runbook, as the script writes it.
    pub runbook: String,
    /// What it is.
    pub program: Program,
    /// Parameters as the script gave them, handles in place of secrets.
    pub given: Value,
    /// The same, bound to the runbook's declaration.
    pub params: Bound,
    /// Secret parameters that the script gave as handles.
    pub handles: Vec<(String, Origin)>,
    /// Aliases of the runbook that are called otherwise in the script's own.
    pub accounts: BTreeMap<String, String>,
    /// Where the script calls.
    pub place: Option<Place>,
}

/// A closure of the script, called with no arguments.
pub type Callback<'a> = &'a mut dyn FnMut() -> Result<Value, Halt>;

/// Whoever drives a script.
pub trait Host: Send + Sync {
    /// Parameters by name; secret ones are handles.
    fn params(&self) -> &Map<String, Value>;

    /// Says whether a run or a rehearsal: reports and presets differ.
    fn is_sandbox(&self) -> bool;

    /// The principal and region of an account, proven at its first use:
    /// `#{account, arn, region}`.
    fn identity(&self, account: &AccountRef) -> Result<Value, Halt>;

    /// Where the method that returned [`Halt::Stop`] was called; of nested ones the innermost comes first.
    fn stopped_at(&self, place: Option<Place>) {
        drop(place);
    }

    /// A bound call. Inside a callback of `wait_until` or `settled_by` it is read and not kept;
    /// inside `undo` it is recorded and not sent.
    fn call(&self, call: ScriptCall) -> Result<Value, Halt>;

    /// Opens a step.
    fn open_step(&self, name: &str) -> Result<(), Halt>;

    /// Closes the innermost step; `ok` when its body returned. Not called after [`Halt::Stop`].
    fn close_step(&self, ok: bool) -> Result<(), Halt>;

    /// Waits for a state of AWS and returns the answer that had it; `null` when it is gone.
    fn wait_until(&self, spec: WaitSpec, call: Callback<'_>) -> Result<Value, Halt>;

    /// Repeats a call that AWS will accept later.
    fn retry(&self, spec: RetrySpec, call: Callback<'_>) -> Result<Value, Halt>;

    /// SQL, awaited: `#{statement_id, columns, rows, row_count, digest}`.
    fn query(&self, account: &AccountRef, spec: QuerySpec) -> Result<Value, Halt>;

    /// Waits for a span of time.
    fn sleep(&self, span: Span) -> Result<(), Halt>;

    /// Waits for a moment.
    fn sleep_until(&self, until: Timestamp) -> Result<(), Halt>;

    /// The present moment, journaled.
    fn now(&self) -> Result<Timestamp, Halt>;

    /// A random UUID, journaled.
    fn uuid(&self) -> Result<String, Halt>;

    /// The run and the digest of its journal so far, as a text to note elsewhere.
    fn anchor(&self) -> Result<String, Halt>;

    /// A handle of a password; `shape` has `length` and `alphabet`.
    fn random_password(&self, shape: Value) -> Result<Origin, Halt>;

    /// A handle of an environment variable.
    fn secret_env(&self, name: &str) -> Result<Origin, Halt>;

    /// A gate; `settled` is the call of `settled_by`. Returns the decision.
    fn gate(&self, spec: GateSpec, settled: Option<Callback<'_>>) -> Result<Value, Halt>;

    /// Opens a group of concurrent branches.
    fn branches(self: Arc<Self>, spec: GroupSpec) -> Result<Box<dyn Branches>, Halt>;

    /// Drives another runbook to its end, as a run of its own, and returns its outputs.
    fn call_runbook(self: Arc<Self>, spec: ChildSpec) -> Result<Value, Halt>;

    /// Holds a lock until the run ends.
    fn lock(&self, name: &str) -> Result<(), Halt>;

    /// Records the calls that the callback makes as the compensation of the last mutating call.
    fn undo(&self, record: Callback<'_>) -> Result<(), Halt>;

    /// A named result.
    fn output(&self, name: &str, value: Value) -> Result<(), Halt>;

    /// A line for the report.
    fn note(&self, text: &str) -> Result<(), Halt>;

    /// A named document.
    fn artifact(&self, name: &str, text: &str) -> Result<(), Halt>;

    /// A template of the runbook's folder with values: pure, not journaled.
    fn render(&self, template: &str, values: Value) -> Result<String, Halt>;
}
