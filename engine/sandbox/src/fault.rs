//! Injected failures: rules that make a call fail in the ways that real calls do.
//!
//! A rule names an operation, which of its calls it strikes, and what happens. Rules come from
//! `[[faults]]` of a world or from [`crate::Sandbox::inject`]; they live in the world's file, with
//! their counters, so that a resumed run meets them exactly once.

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::services::AwsFault;
use crate::world::{Scope, World};

const RULE: &str = "_fault/rule";

/// What happens to the call that a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// `ThrottlingException`: nothing happened, try again later.
    Throttle,
    /// HTTP 500: nothing happened.
    ServerError,
    /// HTTP 503: nothing happened.
    Unavailable,
    /// The call takes effect and its reply never arrives.
    ReplyLost,
    /// The call takes effect, and takes `seconds` of the virtual clock.
    Slow,
    /// `AccessDeniedException`: nothing happened.
    AccessDenied,
    /// Any error by `code`, `message` and `status`: nothing happened.
    Error,
}

/// One rule: which call is struck, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `datazone.CreateProject` or `datazone.create_project`; `datazone.*` and `*` strike more.
    pub operation: String,
    /// The first call that is struck, counting those that match, from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many calls are struck, from the `nth` on; 0 means all of them.
    #[serde(default = "one")]
    pub times: u32,
    /// What happens.
    pub kind: FaultKind,
    /// How long a slow call takes.
    #[serde(default)]
    pub seconds: u32,
    /// Error code of `error`.
    #[serde(default)]
    pub code: Option<String>,
    /// Message of `error`.
    #[serde(default)]
    pub message: Option<String>,
    /// HTTP status of `error`.
    #[serde(default)]
    pub status: Option<u16>,
}

fn one() -> u32 {
    1
}

/// A rule in the world's file, with how many calls it has matched.
#[derive(Debug, Serialize, Deserialize)]
struct Rule {
    fault: Fault,
    seen: u32,
}

/// What the door does with a call that was struck.
#[derive(Debug)]
pub(crate) enum Strike {
    /// Answer this error; nothing happens.
    Fail(AwsFault),
    /// Let it happen and drop the reply.
    LoseReply,
    /// Let the clock run before answering.
    Delay(Duration),
}

impl Fault {
    fn matches(&self, service: &str, operation: &str) -> bool {
        let Some((rule_service, rule_operation)) = self.operation.split_once('.') else {
            return self.operation == "*";
        };
        rule_service == service
            && (rule_operation == "*"
                || rule_operation == operation
                || rule_operation == piton_models::names::to_script(operation))
    }

    fn strikes(&self, seen: u32) -> bool {
        seen >= self.nth && (self.times == 0 || seen - self.nth < self.times)
    }

    fn strike(&self, service: &str, operation: &str) -> Strike {
        let fail = |code: &str, status: u16, message: String| {
            Strike::Fail(AwsFault { code: code.to_owned(), message, status: Some(status) })
        };
        match self.kind {
            FaultKind::Throttle if service == "s3" => {
                fail("SlowDown", 503, "Please reduce your request rate.".to_owned())
            }
            FaultKind::Throttle => {
                Strike::Fail(AwsFault::new(throttling_code(service), "Rate exceeded"))
            }
            FaultKind::ServerError => fail(
                "InternalServerException",
                500,
                "The request failed because of an internal error (injected).".to_owned(),
            ),
            FaultKind::Unavailable => fail(
                "ServiceUnavailable",
                503,
                "The service is not available (injected).".to_owned(),
            ),
            FaultKind::AccessDenied => fail(
                if speaks_query(service) || service == "s3" {
                    "AccessDenied"
                } else {
                    "AccessDeniedException"
                },
                403,
                format!("Access to {operation} is denied (injected)."),
            ),
            FaultKind::Error => fail(
                self.code.as_deref().unwrap_or("InternalFailure"),
                self.status.unwrap_or(400),
                self.message.clone().unwrap_or_else(|| "An injected error.".to_owned()),
            ),
            FaultKind::ReplyLost => Strike::LoseReply,
            FaultKind::Slow => Strike::Delay(Duration::seconds(i64::from(self.seconds))),
        }
    }
}

/// The code with which a service says that it is asked too often.
pub(crate) fn throttling_code(service: &str) -> &'static str {
    match service {
        "athena" => "TooManyRequestsException",
        _ if speaks_query(service) => "Throttling",
        _ => "ThrottlingException",
    }
}

/// The older services, whose codes do not end in `Exception`.
fn speaks_query(service: &str) -> bool {
    matches!(service, "iam" | "sts" | "redshift")
}

/// Adds a rule to the world.
pub(crate) fn add(world: &World<'_>, fault: &Fault) {
    let id = format!("{:06}", world.next_number("fault"));
    world.put(&Scope::global(""), RULE, &id, &Rule { fault: fault.clone(), seen: 0 });
}

/// Counts this call in every rule that matches it, and gives what the first one that strikes does.
pub(crate) fn strike(world: &World<'_>, service: &str, operation: &str) -> Option<Strike> {
    let mut struck = None;
    for stored in world.list_everywhere::<Rule>(RULE) {
        let mut rule = stored.document;
        if !rule.fault.matches(service, operation) {
            continue;
        }
        rule.seen += 1;
        world.put(&stored.scope, RULE, &stored.id, &rule);
        if struck.is_none() && rule.fault.strikes(rule.seen) {
            struck = Some(rule.fault.strike(service, operation));
        }
    }
    struck
}
