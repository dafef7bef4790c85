//! Runbooks in Rhai: compiling them, evaluating them, and saying where they go wrong.
//!
//! This crate owns `rhai`. It knows the prelude, plain data, positions and suspension; it does not
//! know journals, networks or clocks: everything that has an effect goes through [`host::Host`].
//!
//! # Layout
//! - [`program`]: the script with its modules, assets and templates; where they come from.
//! - [`declaration`]: the literal `runbook(#{...})` header; [`params`]: parameters against it.
//! - [`evaluate`]: one evaluation from the top.
//! - [`host`]: what a script asks of whoever drives it.

pub mod declaration;
pub mod evaluate;
pub mod host;
pub mod params;
pub mod program;

pub use evaluate::{Evaluation, Raised, evaluate};
pub use program::Program;
