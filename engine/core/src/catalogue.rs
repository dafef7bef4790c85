//! What is known of each operation beyond its shape: what may be repeated, how a doubt is looked up,
//! what takes a call back, and which states to wait for.
//!
//! The class comes from the reviewed table first, one file for each service beside this one, then
//! from what the service model says. A mutating operation that neither knows is [`Class::Unsafe`]:
//! nothing is guessed. Who searches, waits and takes back is left to the runner; that the table agrees
//! with the models is left to tests, since this crate has no models.

mod finder;
mod look;
mod states;
mod template;
mod tokens;
mod undo;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use finder::{Creator, CreatorName, Finder, Found, Then};
pub(crate) use look::normal;
pub use look::{FieldChange, Look, Standing, Thing};
pub use states::{Stage, States};
pub use template::{part, places};
pub use tokens::{TokenWindow, token_window};
pub use undo::{Inverse, Recorded};

/// What a repeated call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It changes nothing.
    Read,
    /// A repeated token has no second effect; the engine gives the token.
    Token,
    /// The same call again leaves the same state.
    Put,
    /// A second call may make a second thing: look for the first by its natural key.
    NaturalKey,
    /// Nobody can say: a doubt is for a person.
    Unsafe,
}

impl Class {
    /// Whether the call changes AWS.
    pub fn is_mutating(self) -> bool {
        self != Self::Read
    }

    /// The word in journals and `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Token => "token",
            Self::Put => "put",
            Self::NaturalKey => "natural_key",
            Self::Unsafe => "unsafe",
        }
    }
}

/// What the service model says about an operation.
#[derive(Debug, Clone, Copy, Default)]
pub struct ModelFacts {
    /// The input has a member that is flagged as an idempotency token.
    pub has_token: bool,
    /// The model says that repeating the call has the effect of one call.
    pub idempotent: bool,
    /// The model says that the call changes nothing.
    pub readonly: bool,
}

/// One row of the reviewed table. A mutating operation has an `inverse` or says why it is
/// `irreversible`, never both. A row of a read says what it shows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// Class.
    pub class: Class,
    /// Input member that takes the token, when the model does not flag one.
    #[serde(default)]
    pub token_member: Option<String>,
    /// The member that the model flags as a token is none: it names what the call is about.
    #[serde(default)]
    pub no_token: bool,
    /// How a doubt is looked up. For the class `token` it is what shows candidates to a person once
    /// the token has expired.
    #[serde(default)]
    pub find: Option<Finder>,
    /// For the class `token`: the same call again leaves the same state, also when AWS has forgotten
    /// the token.
    #[serde(default)]
    pub ageless: bool,
    /// AWS refuses the call while what an earlier one began is under way: before it is repeated, the
    /// state in `states` has to be at rest.
    #[serde(default)]
    pub in_turn: bool,
    /// Why the class is what it is, where that is not obvious.
    #[serde(default)]
    pub why: Option<String>,
    /// What takes the call back.
    #[serde(default)]
    pub inverse: Option<Inverse>,
    /// What is left even when the call was taken back.
    #[serde(default)]
    pub remains: Option<String>,
    /// Further calls that take it back, made before `inverse`.
    #[serde(default)]
    pub also: Vec<Inverse>,
    /// What to look at before the call, since taking it back needs what was there.
    #[serde(default)]
    pub before: Option<Look>,
    /// Why nothing takes the call back by itself.
    #[serde(default)]
    pub irreversible: Option<String>,
    /// Why nothing takes back a call to which no inverse applies; absent when there is nothing to
    /// take back then.
    #[serde(default)]
    pub otherwise: Option<String>,
    /// When the call changes nothing.
    #[serde(default)]
    pub harmless: Option<Harmless>,
    /// The states to wait for after the call.
    #[serde(default)]
    pub states: Option<States>,
    /// The read that shows what the call made or changed.
    #[serde(default)]
    pub shows: Option<Shows>,
    /// What a read shows, for operations of the class `read`.
    #[serde(default)]
    pub thing: Option<Thing>,
}

/// The read that shows what a call made or changed: an operation of the same service whose row has a
/// [`Thing`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shows {
    /// Script's name of the operation.
    pub operation: String,
    /// Template of its input.
    pub input: Value,
    /// Where the call's own output has the thing, in the form of the read; absent when nowhere.
    #[serde(default)]
    pub of: Option<String>,
    /// The call changes what the read does not show: all that counts is whether it is still that thing.
    #[serde(default)]
    pub part: bool,
}

impl Shows {
    /// The input of the read for a call with this input and output.
    pub fn read_input(&self, input: &Value, output: &Value) -> Value {
        template::Scope::answered(input, output).fill(&self.input)
    }
}

/// A call that changes nothing: a member of its input is a text of such words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Harmless {
    /// The member.
    pub member: String,
    /// The words it begins with.
    pub begins: Vec<String>,
    /// Words that it does not have anywhere.
    #[serde(default)]
    pub unless: Vec<String>,
}

impl Harmless {
    /// Whether a call with this input changes nothing.
    pub fn is(&self, input: &Value) -> bool {
        let text = part(input, &self.member).as_str().unwrap_or_default();
        let mut words = text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty());
        let is_in = |list: &[String], word: &str| {
            list.iter().any(|listed| listed.eq_ignore_ascii_case(word))
        };
        words.next().is_some_and(|first| is_in(&self.begins, first))
            && !words.any(|word| is_in(&self.unless, word))
    }
}

macro_rules! reviewed_services {
    ($($service:literal),* $(,)?; $($partly:literal),* $(,)?) => {
        /// The script's names of the services that have a reviewed table.
        pub const SERVICES: &[&str] = &[$($service),*];

        /// Services of which only some operations are reviewed: those that runbooks here call, and those that
        /// the sandbox has.
        pub const PARTLY: &[&str] = &[$($partly),*];

        fn table(service: &str) -> Option<&'static BTreeMap<String, Reviewed>> {
            match service {
                $($service => {
                    static TABLE: OnceLock<BTreeMap<String, Reviewed>> = OnceLock::new();
                    Some(TABLE.get_or_init(|| {
                        parse(include_str!(concat!("catalogue/", $service, ".json")))
                    }))
                })*
                $($partly => {
                    static TABLE: OnceLock<BTreeMap<String, Reviewed>> = OnceLock::new();
                    Some(TABLE.get_or_init(|| {
                        parse(include_str!(concat!("catalogue/", $partly, ".json")))
                    }))
                })*
                _ => None,
            }
        }
    };
}

reviewed_services!(
    "athena",
    "datazone",
    "glue",
    "iam",
    "lakeformation",
    "ram",
    "redshift",
    "redshift_data",
    "redshift_serverless",
    "secretsmanager",
    "sts";
    "kms",
    "s3",
);

fn parse(text: &str) -> BTreeMap<String, Reviewed> {
    serde_json::from_str(text)
        .expect("the reviewed tables are part of the program and are parsed by a test")
}

/// The reviewed row of an operation, both by script's name. The first call for a service parses its
/// table.
pub fn reviewed(service: &str, operation: &str) -> Option<&'static Reviewed> {
    table(service)?.get(operation)
}

/// The operations of a service that its table has, in order; none for a service without a table.
pub fn reviewed_operations(
    service: &str,
) -> impl Iterator<Item = (&'static str, &'static Reviewed)> + use<> {
    table(service).into_iter().flatten().map(|(name, row)| (name.as_str(), row))
}

/// How late the things of a service are taken back: those of a later tier hold up what is in an
/// earlier one. Roles, secrets and warehouses outlive whatever works with them, whenever they were
/// made; within a tier, what was made last goes first.
pub fn tier(service: &str) -> u8 {
    match service {
        "iam" => 4,
        "kms" => 3,
        "secretsmanager" | "redshift" | "redshift_serverless" | "logs" | "s3" => 2,
        "lakeformation" => 1,
        _ => 0,
    }
}

/// The input member that takes the token of an operation, given the one that the model flags.
pub fn token_member<'a>(
    service: &str,
    operation: &str,
    flagged: Option<&'a str>,
) -> Option<&'a str> {
    match reviewed(service, operation) {
        Some(reviewed) if reviewed.no_token => None,
        Some(reviewed) => reviewed.token_member.as_deref().or(flagged),
        None => flagged,
    }
}

/// Whether a call may be sent again at once and blindly when nobody knows what became of it.
pub fn may_repeat(service: &str, operation: &str, class: Class) -> bool {
    let in_turn = reviewed(service, operation).is_some_and(|row| row.in_turn);
    matches!(class, Class::Read | Class::Token | Class::Put) && !in_turn
}

const READ_PREFIXES: [&str; 9] = [
    "get_",
    "list_",
    "describe_",
    "search",
    "batch_get_",
    "lookup_",
    "query_",
    "head_",
    "simulate_",
];

/// The class of an operation.
pub fn class(service: &str, operation: &str, facts: ModelFacts) -> Class {
    if let Some(reviewed) = reviewed(service, operation) {
        return reviewed.class;
    }
    let is_read = READ_PREFIXES.iter().any(|prefix| operation.starts_with(prefix));
    if facts.readonly || is_read {
        Class::Read
    } else if facts.has_token {
        Class::Token
    } else if facts.idempotent {
        Class::Put
    } else {
        Class::Unsafe
    }
}
