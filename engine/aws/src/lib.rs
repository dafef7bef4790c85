//! AWS as an adapter: accounts, credentials, every bound operation, and what an SDK error means.
//!
//! [`Aws`] is core's `Operations` port, over the network or into the sandbox. What may be repeated is
//! core's decision; what an operation is called and takes, the models'.
//!
//! # Layout
//! - [`Accounts`]: `piton.toml`, what an alias means.
//! - `operations`: the port; `credentials`: profiles and derived roles; `transport`: TLS or sandbox.
//! - `error`: SDK errors in core's terms; `retries`: what the SDK may repeat on its own.
//! - `bound`: generated rows for all operations, and their meaning.
//! - `modelled`: the services that have no typed client, by their models.

mod accounts;
mod bound;
mod credentials;
mod error;
mod fence;
mod modelled;
mod operations;
mod retries;
mod transport;

pub use accounts::{Account, Accounts, AccountsError, DEFAULT_ALIAS, Defaults, FILE_NAME};
pub use bound::{bound_operations, left_out, sdk_version};
pub use error::UNREADABLE_RESPONSE;
pub use modelled::unsupported;
pub use operations::{Aws, People, SandboxPerson};
pub use transport::Door;
