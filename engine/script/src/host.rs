//! What a script asks of whoever drives it. One implementation journals and sends; a test's answers
//! from a list.
//!
//! All methods block: scripts run on a thread of their own. A method that returns [`Halt::Stop`]
//! has kept its reason; the evaluation then ends at once and nothing in the script can catch it.

use piton_core::account::AccountRef;
use piton_core::catalogue::Class;
use piton_core::diagnostic::{Diagnostic, Place};
use piton_core::gate::{GateKind, OnExpire};
use piton_core::secret::Origin;
use piton_core::time::{Span, Timestamp};
use serde_json::{Map, Value};

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

/// Options of `query`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySpec {
    /// One SQL statement.
    pub sql: String,
    /// Target members of ExecuteStatement: `ClusterIdentifier` or `WorkgroupName`, `Database`,
    /// `SecretArn` or `DbUser`, `StatementName`.
    pub target: Map<String, Value>,
    /// Named parameters.
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

    /// A handle of a password; `shape` has `length` and `alphabet`.
    fn random_password(&self, shape: Value) -> Result<Origin, Halt>;

    /// A handle of an environment variable.
    fn secret_env(&self, name: &str) -> Result<Origin, Halt>;

    /// A gate; `settled` is the call of `settled_by`. Returns the decision.
    fn gate(&self, spec: GateSpec, settled: Option<Callback<'_>>) -> Result<Value, Halt>;

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
