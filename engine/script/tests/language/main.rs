//! Scripts against a host that answers from a list: what the language does, without a journal.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod branches;
mod calls;
mod children;
mod declaration;
mod errors;
mod loading;
mod misspelt;
mod params;
mod prelude;
mod secrets;
mod support;
mod suspension;
mod traps;
