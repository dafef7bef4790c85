//! The journal on SQLite: where runs, their entries, programs, leases and mail are kept.
//!
//! One file, `HOME/journal.db`, serves every process of one machine. An append is one transaction
//! with one fsync; whoever appends proves by its lease's epoch that no other process took the run.
//! What entries mean, who may decide a gate and what a status is belongs to `piton-core`.
//!
//! # Layout
//! - [`SqliteJournal`] (`sqlite`): the port, each method a few lines over the modules below.
//! - `open`: the folder, the file, its format and migrations. `store`: the two connections.
//! - `home`: whose file it is. `machine`: what that and leases know of the machine.
//! - `arrivals`: runs that come from another home.
//! - `memory`: a journal without a file, for rehearsals.
//! - `append`: the one way entries are written. `gates`: open gates and their answers.
//! - `room`: what is kept free on the disk for outcomes.
//! - `mailbox`: what anyone may leave. `lease`: who drives. `runs`: lists. `programs`: files.
//! - `locks`: one run at a time for a name. `verify`: the hash chain. `failure`: SQLite's errors in words.
//! - [`contract`]: what every journal must do, as a suite of cases.

mod append;
mod arrivals;
#[expect(clippy::unwrap_used, reason = "a case stops at the first surprise")]
pub mod contract;
mod failure;
mod gates;
mod home;
mod lease;
mod locks;
mod machine;
mod mailbox;
mod memory;
mod open;
mod programs;
mod room;
mod runs;
mod sqlite;
mod store;
mod verify;

pub use home::Adoption;
pub use machine::{FileSystemOf, Machine};
pub use sqlite::SqliteJournal;
pub use store::Now;
