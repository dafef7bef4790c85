//! The command line as people and programs see it: the real binary, temporary homes, the sandbox.

mod accounts;
mod branches;
mod canary;
mod checking;
mod children;
mod cross_account;
mod deciding;
mod diagnosis;
mod doubts;
mod evidence;
mod explain;
mod failures;
mod models;
mod preview;
mod queries;
mod rehearse;
mod reports;
mod rollback;
mod running;
mod sandbox;
mod transfer;
