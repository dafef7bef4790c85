//! What the SQLite journal promises beyond the contract: about its file, its hash chain, disks that
//! fail, files that are damaged, and processes that are killed.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod blocked;
mod chain;
mod damage;
mod faults;
mod file;
mod full;
mod homes;
mod processes;
mod silence;
mod support;
