//! The replay machine and the fold over entries, one file of tests for each entry kind.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "entries/support.rs"]
mod support;

#[path = "entries/branches.rs"]
mod branches;

#[path = "entries/edited.rs"]
mod edited;
#[path = "entries/gate.rs"]
mod gate;
#[path = "entries/handed_over.rs"]
mod handed_over;
#[path = "entries/intent.rs"]
mod intent;
#[path = "entries/notes.rs"]
mod notes;
#[path = "entries/outcome.rs"]
mod outcome;
#[path = "entries/retried.rs"]
mod retried;
#[path = "entries/run.rs"]
mod run;
#[path = "entries/sampled.rs"]
mod sampled;
#[path = "entries/settled.rs"]
mod settled;
#[path = "entries/step.rs"]
mod step;
#[path = "entries/wait.rs"]
mod wait;
