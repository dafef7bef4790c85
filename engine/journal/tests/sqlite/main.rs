//! What the SQLite journal promises beyond the contract: about its file, its hash chain, and
//! processes that are killed.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod chain;
mod file;
mod processes;
mod silence;
mod support;
