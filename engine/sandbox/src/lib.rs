//! The sandbox: AWS's data-platform services, small enough to run inside a laptop's process.
//!
//! One entrance, [`Sandbox::handle`]: an HTTP request in the real wire protocol goes in, the answer
//! comes out. Everything else here is for the person who rehearses: the clock, the call log, the
//! dump of the world. It shares only `models` with the rest of the engine, so that the binding and
//! the sandbox check each other. What it does not know fails by name, never with an invented
//! success.
//!
//! # Layout
//! - [`protocol`]: requests and answers between HTTP and JSON values, driven by the models.
//! - `door`: the entrance: clock, sign-in, faults, idempotency tokens, call log, dump.
//! - `world`: the state, in one SQLite file, committed before each reply.
//! - `people`: who an access key belongs to; `access` decides what they may do.
//! - `spec`, `seed`: what a world starts with, and how it comes to be.
//! - `services`: one folder or file for each service's behaviour.
//! - `sql`: Redshift's and Athena's SQL, rewritten onto SQLite.

mod access;
mod door;
mod fault;
mod people;
pub mod protocol;
mod seed;
mod services;
mod spec;
mod sql;
mod world;

pub use door::{CallRecord, InProcess, ReplyLost, Sandbox, SandboxError};
pub use fault::{Fault, FaultKind};
pub use people::Person;
pub use services::coverage;
pub use spec::{
    BucketSpec, ClusterSpec, Failures, GlueDatabaseSpec, KeySpec, PersonSpec, SecretSpec,
    SpecError, WorkgroupSpec, WorldSpec,
};
