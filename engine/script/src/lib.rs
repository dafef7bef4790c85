//! Runbooks in Rhai: compiling them, evaluating them, and saying where they go wrong.
//!
//! This crate owns `rhai`. It knows the prelude, plain data, positions and suspension; it does not
//! know journals, networks or clocks: everything that has an effect goes through [`host::Host`].
//!
//! # Layout
//! - [`program`]: the script with its modules, assets and templates; where they come from.
//! - [`declaration`]: the literal `runbook(#{...})` header; [`params`]: parameters against it.
//! - [`check`](mod@check): what is wrong with a program, before anything is sent.
//! - [`draft`]: the same of a program that is open in an editor; [`words`]: what the language has.
//! - [`explain`]: what is known of an operation.
//! - [`evaluate`]: one evaluation from the top.
//! - [`host`]: what a script asks of whoever drives it.
//!
//! Inside: `engine` sets Rhai up; `prelude` is what scripts can call; `bound` is the way of an AWS
//! call; `value` turns script values into plain data and back; `session` is the evaluation that the
//! present thread is in, `suspend` what ends it; `failure` makes errors and `raised` reads them;
//! `called` finds the runbooks that a runbook calls; `source` finds places, `duplicate` the first of two members, `rules` refuses what cannot work before anything runs.

mod bound;
mod callback;
mod called;
pub mod check;
pub mod declaration;
pub mod draft;
mod duplicate;
mod embedded;
mod engine;
pub mod evaluate;
pub mod explain;
mod failure;
pub mod host;
mod literal;
mod options;
pub mod params;
mod prelude;
pub mod program;
mod raised;
mod rules;
mod session;
mod source;
mod suspend;
mod value;
pub mod words;

pub use check::check;
pub use draft::Draft;
pub use evaluate::{Evaluation, Raised, evaluate};
pub use program::Program;
