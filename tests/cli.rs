//! The command line as people and programs see it: the real binary, temporary homes, the sandbox.

mod accounts;
mod deciding;
mod failures;
mod queries;
mod reports;
mod running;
mod sandbox;
