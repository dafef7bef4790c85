//! Integration tests of the whole program: one binary, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod catalogue;
mod cli;
mod clients;
mod crash;
mod doubts;
mod journals;
mod kill;
mod leases;
mod library;
mod lsp;
mod parity;
mod support;
mod tidy;
