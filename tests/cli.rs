//! The command line as people and programs see it: the real binary, temporary homes, the sandbox.

mod accounts;
mod branches;
mod checking;
mod children;
mod cross_account;
mod deciding;
mod evidence;
mod explain;
mod failures;
mod models;
mod queries;
mod reports;
mod rollback;
mod running;
mod sandbox;
