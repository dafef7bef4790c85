//! Whole runs against a small AWS in memory: what is journaled, what is sent, and what a crash at
//! any boundary leaves.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "drive/support.rs"]
mod support;

#[path = "drive/branches.rs"]
mod branches;
#[path = "drive/children.rs"]
mod children;
#[path = "drive/crash.rs"]
mod crash;
#[path = "drive/doubt.rs"]
mod doubt;
#[path = "drive/dry.rs"]
mod dry;
#[path = "drive/freezing.rs"]
mod freezing;
#[path = "drive/frozen.rs"]
mod frozen;
#[path = "drive/gates.rs"]
mod gates;
#[path = "drive/rollback.rs"]
mod rollback;
#[path = "drive/runs.rs"]
mod runs;
#[path = "drive/secrets.rs"]
mod secrets;
#[path = "drive/storage.rs"]
mod storage;
#[path = "drive/transfer.rs"]
mod transfer;
