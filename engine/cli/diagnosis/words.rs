//! What a dry replay reached, in words.

use piton_core::status::Reason;
use piton_runner::dry::{Next, Wanted};

use super::{Comes, Verdict};

/// A secret that this process cannot have, in words.
fn missing(wanted: &Wanted) -> Option<String> {
    match wanted {
        Wanted::Env { name } => std::env::var_os(name)
            .is_none()
            .then(|| format!("the environment variable {name}, which is not set")),
        Wanted::Param { name } => {
            Some(format!("the secret parameter {name}, which is not sealed here"))
        }
    }
}

pub(super) fn is_missing(wanted: &[Wanted]) -> bool {
    wanted.iter().any(|one| missing(one).is_some())
}

/// What a call needs and is not here.
pub(super) fn needs(operation: &str, wanted: &[Wanted]) -> String {
    let missing: Vec<String> = wanted.iter().filter_map(missing).collect();
    format!("{operation} needs {}", missing.join(" and "))
}

pub(super) const SECRET_MISSING: Comes = Comes::Blocked(Verdict::SecretMissing);

/// Something else that the driver stops for.
pub(super) fn stop(reason: &Reason) -> (String, Comes) {
    match reason {
        Reason::Credentials { message, .. } => {
            (message.clone(), Comes::Blocked(Verdict::SecretMissing))
        }
        Reason::NotTakenBack { what, .. } => {
            (format!("attempts again to take {what} back"), Comes::GoesOn)
        }
        Reason::Unavailable { message } => (message.clone(), Comes::GoesOn),
        _ => ("goes on".to_owned(), Comes::GoesOn),
    }
}

/// Something that was reached, in words that hold at any time.
pub(crate) fn words(next: &Next) -> String {
    match next {
        Next::Call { service, operation, account, .. } => {
            format!("{service}.{operation} as {account}")
        }
        Next::Doubt { operation, account, .. } => {
            format!("{operation} as {account}, which is in doubt, is settled")
        }
        Next::Gate { gate, opened_at: None, .. } => format!("the gate {gate} opens"),
        Next::Gate { gate, changed: true, .. } => {
            format!("the gate {gate} opens anew: answers to it are void")
        }
        Next::Gate { gate, .. } => format!("a decision at the gate {gate}"),
        Next::Timer { name, .. } => format!("the end of {name}"),
        Next::State { name, .. } => format!("the state {name}"),
        Next::Sample { source } => format!("a value of {source}()"),
        Next::Identity { account } => format!("who {account} is"),
        Next::Child { runbook } => format!("the runbook {runbook} is called"),
        Next::ChildEnds { runbook, .. } => format!("the runbook {runbook} ends"),
        Next::Lock { name } => format!("the lock {name}"),
        Next::Stop { reason } => stop(reason).0,
    }
}
