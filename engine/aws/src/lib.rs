//! AWS as an adapter: accounts, credentials, every bound operation, and what an SDK error means.

mod bound;

pub use bound::{bound_operations, left_out};
