//! The command line as people and programs see it: the real binary, temporary homes, the sandbox.

mod accounts;
mod checking;
mod deciding;
mod explain;
mod failures;
mod models;
mod queries;
mod reports;
mod running;
mod sandbox;
