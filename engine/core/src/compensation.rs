//! What takes a run back: a plan, as data, from the run's entries alone.
//!
//! A [`Ledger`] takes a run's entries in order and keeps what its calls did, what of that is still in
//! doubt, and what the run knows of the things it made or found. Its [`Plan`] is the reverse of every
//! effect: first what the script recorded with `undo`, else what the reviewed table says. Carrying a
//! plan out, and looking at how the things stand now, is left to the runner.
//!
//! Void entries count here: what a retry made void for replay had its effect all the same.
//!
//! # Layout
//! - `ledger`: entries into effects; `things`: what the run knew of what it made or found.
//! - `plan`: effects into what takes them back; `words`: effects for people.

mod ledger;
mod plan;
mod things;
mod words;

pub use ledger::{Doubtful, Ledger};
pub use plan::{Back, Item, Plan, Stay};
pub use things::{KnownThing, Origin};
