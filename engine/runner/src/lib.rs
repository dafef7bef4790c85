//! Runs: starting them, driving them until they end or must wait, telling how they went.
//!
//! This crate owns tokio's side of a run and nothing of its storage, of AWS or of the terminal:
//! those come in through [`piton_core::ports`]. The script runs on a thread of its own and asks a
//! [`drive::Driver`]; the driver asks the replay machine, and journals and sends what is new.
//!
//! # Layout
//! - [`engine`]: the wired ports, and the verbs: start, resume, cancel.
//! - `lifecycle`: start, resume, cancel. `drive`: one driving of one run, `heart` its heartbeat, `fence` its end when another took it,
//!   `host` what the script sees of it; `recorder`: entries to the journal, events to the sink.
//! - `calls`, `waits`, `gates`, `queries`: what the script's calls do when they are new.
//! - `branches`: concurrent branches; `turns`: their order in a rehearsal.
//! - [`children`]: runbooks that a script calls, `names` their names of accounts. `locks`: one run at a
//!   time for a name.
//! - `accounts`: who the accounts of a run are. `room`: what is too large, or too late, to begin.
//! - `before`: what was there before a call that replaces it. `rollback`: taking a run back.
//! - [`dry`]: a run evaluated without effects: whether it would go on, and with what.
//! - [`edit`]: going on with an edited script.
//! - `drift`: whether what a run left is still as it was.
//! - `doubt`: calls that were sent and not recorded. `pages`: paginated operations.
//! - [`vault`]: secret values, in memory; `sealed`: between processes; `credentials`: on their way
//!   into and out of calls.
//! - [`capsule`]: runs in a file. [`transfer`]: from one home to another; `homes`: when they may not.
//! - [`rehearsal`]: a run crashed at every boundary of its journal.
//! - [`report`]: the document of a run, from its journal alone.

mod accounts;
mod before;
mod branches;
mod calls;
pub mod capsule;
pub mod children;
mod credentials;
mod doubt;
pub mod drift;
mod drive;
pub mod dry;
pub mod edit;
pub mod engine;
mod fence;
mod gates;
mod heart;
mod homes;
mod host;
mod lifecycle;
mod locks;
mod names;
mod pages;
mod queries;
mod recorder;
pub mod rehearsal;
pub mod report;
pub mod rollback;
mod room;
mod sealed;
mod templates;
mod tokens;
pub mod transfer;
mod turns;
pub mod vault;
mod waits;

pub use turns::TurnClock;

pub use engine::{
    Driven, Engine, Interrupt, Options, Ports, Resume, RunnerError, Start, TakeBack, new_run_id,
};
