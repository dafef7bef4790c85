//! Errors as data: a stable code, a place in a file, a cause and a way on. Only the command line
//! paints them.

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Warning,
    /// Nothing goes on.
    Error,
}

/// A place in a script: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// File name as the author knows it: `pfizer_poc.rhai`, `std/datazone`.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// Column after the last character of the token.
    pub end_column: usize,
    /// The line's text, for the snippet; nothing of a line too long to be shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_line: String,
}

/// One frame between the place of an error and the runbook: where a function was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Function or step that was entered.
    pub name: String,
    /// Where it was called.
    pub place: Place,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable code, `PT0203`; see [`Code`].
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// How it came there, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: None,
            frames: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// A warning without a place.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same at a place, unless it has one.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = self.place.or(place);
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Stable codes. Each has a section in docs/reference/errors.md.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code's text, `PT0203`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl<'de> Deserialize<'de> for Code {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                match text.as_str() {
                    $($text => Ok(Self::$name),)*
                    _ => Err(serde::de::Error::custom(format!("`{text}` is not a known code"))),
                }
            }
        }
    };
}

codes! {
    /// The script does not parse.
    Syntax = "PT0101",
    /// A name that is not defined.
    UndefinedName = "PT0102",
    /// The `runbook(#{...})` declaration is missing or wrong.
    Declaration = "PT0103",
    /// A parameter that the runbook does not have.
    UnknownParameter = "PT0104",
    /// A parameter of another type or form.
    BadParameter = "PT0105",
    /// A parameter that must be given.
    MissingParameter = "PT0106",
    /// No runbook of that name or path.
    RunbookNotFound = "PT0107",
    /// No module or asset of that name.
    ModuleNotFound = "PT0108",
    /// An account alias that is not declared or not configured.
    UnknownAlias = "PT0109",
    /// The command line is wrong.
    Usage = "PT0110",
    /// Something that nothing uses.
    Unused = "PT0111",
    /// A function that hides another.
    Shadowed = "PT0112",
    /// A closure that captures what it must not.
    Capture = "PT0113",
    /// A name or value that is nearly another.
    Misspelt = "PT0114",
    /// A service that is not bound.
    UnknownService = "PT0201",
    /// An operation that the service does not have.
    UnknownOperation = "PT0202",
    /// A member that the input does not have.
    UnknownMember = "PT0203",
    /// A required member is missing.
    MissingMember = "PT0204",
    /// A member's value is of the wrong type or breaks a constraint.
    BadMember = "PT0205",
    /// A value that cannot be journaled.
    NotPlainData = "PT0206",
    /// A call in a place where it is not allowed.
    MisplacedCall = "PT0207",
    /// A prelude function was called with the wrong arguments.
    BadArgument = "PT0208",
    /// A state or value that there never is.
    UnknownState = "PT0209",
    /// A gate that waits for ever.
    GateWithoutExpiry = "PT0210",
    /// A member that does not reach AWS.
    LostMember = "PT0211",
    /// A runbook that cannot be called.
    NotCallable = "PT0215",
    /// The script raised an error, by `fail`, `ensure`, `throw` or a mistake.
    ScriptError = "PT0301",
    /// AWS refused a call and the script did not catch it.
    AwsRefused = "PT0302",
    /// A wait met a state that cannot become the awaited one.
    WaitFailed = "PT0303",
    /// A wait or a retry gave up.
    GaveUp = "PT0304",
    /// A gate was rejected.
    Rejected = "PT0305",
    /// A gate expired.
    Expired = "PT0306",
    /// The run was cancelled.
    Cancelled = "PT0307",
    /// AWS did not answer.
    Unavailable = "PT0308",
    /// A limit of the engine was reached.
    Limit = "PT0309",
    /// More items of a `parallel_map` failed than it tolerates.
    TooManyFailed = "PT0310",
    /// A runbook that the script called did not succeed.
    ChildFailed = "PT0311",
    /// The script asks for something else than was recorded.
    Mismatch = "PT0401",
    /// A call was sent and its outcome is unknown.
    InDoubt = "PT0402",
    /// Another process drives the run.
    Held = "PT0403",
    /// This process lost the run to another one.
    LeaseLost = "PT0404",
    /// The database is not a journal or is damaged.
    JournalUnreadable = "PT0405",
    /// The database is from a newer version.
    JournalNewer = "PT0406",
    /// The disk does not take what must be written.
    Storage = "PT0407",
    /// No such run, or several.
    RunNotFound = "PT0408",
    /// The run's state does not allow the command.
    WrongState = "PT0409",
    /// A journal or report is not what was written.
    EvidenceBroken = "PT0410",
    /// A call that takes something back failed.
    NotTakenBack = "PT0411",
    /// The run is being taken back, or was.
    TakenBack = "PT0412",
    /// An edited script leaves something, or approvals, that nobody accepted.
    NotAccepted = "PT0413",
    /// The machine's clock is before what the run recorded last.
    ClockBack = "PT0419",
    /// The run goes on in another home.
    HandedOver = "PT0420",
    /// The home is a copy of another one.
    CopiedHome = "PT0421",
    /// The run is only kept to be read.
    ReadOnlyCopy = "PT0422",
    /// The home is on a network file system.
    NetworkHome = "PT0423",
    /// A capsule that this home does not take in.
    NotAdmitted = "PT0424",
    /// Credentials are missing or expired.
    Credentials = "PT0501",
    /// An alias is somebody else than it was.
    OtherPrincipal = "PT0502",
    /// An alias is in another account than it is pinned to.
    PinnedAccount = "PT0503",
    /// piton.toml is wrong.
    Configuration = "PT0504",
    /// The decider may not decide.
    NotEligible = "PT0601",
    /// No such gate is open.
    GateNotOpen = "PT0602",
    /// Somebody decided otherwise before.
    DecisionConflict = "PT0603",
    /// Several gates are open.
    AmbiguousGate = "PT0604",
    /// A report's template does not render.
    Template = "PT0701",
    /// A world or fault of the sandbox is wrong.
    World = "PT0801",
    /// A rehearsal whose crashed runs come to another end, or whose run comes to none.
    RehearsalDiffers = "PT0802",
    /// A bug in Piton.
    Bug = "PT0901",
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
