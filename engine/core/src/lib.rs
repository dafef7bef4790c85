//! The pure heart of Piton: what a run is, how it replays, who may decide, what may be repeated.
//!
//! No clock, no files, no network, no threads, no AWS: everything outside comes in through
//! [`ports`]. That is why all of it can be tested in microseconds, and why another backend than
//! SQLite can drive it.
//!
//! # Layout
//! - [`entry`]: the journal's entries, one type a kind; [`key`]: how they are addressed.
//! - [`replay`]: the machine that answers a script's calls from the journal, or says what to do;
//!   [`reader`]: the entries it reads, in constant memory.
//! - [`status`]: the status of a run as a fold over its entries.
//! - [`gate`]: approvals: who may decide, what a decision means, when it is void.
//! - [`catalogue`]: the idempotency class of each operation, and how a doubt is looked up.
//! - [`compensation`]: what takes a run back, from its entries alone.
//! - [`account`]: aliases, derived accounts, principals. [`secret`]: handles for what is not stored.
//! - [`canonical`]: one text for one value, digests and field-level differences.
//! - [`evidence`]: a run as a document that proves itself. [`limits`]: how large a journal may become.
//! - [`diagnostic`]: errors as data. [`event`]: what a run tells while it goes on.
//! - [`time`]: moments and durations. [`ports`]: the whole outside world.

pub mod account;
pub mod canonical;
pub mod catalogue;
pub mod compensation;
pub mod diagnostic;
pub mod entry;
pub mod event;
pub mod evidence;
pub mod gate;
pub mod key;
pub mod limits;
pub mod ports;
pub mod reader;
pub mod replay;
pub mod secret;
pub mod status;
pub mod time;

pub use serde_json::Value;
