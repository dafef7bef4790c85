//! DataZone from outside: the whole of a warehouse proof of concept and of a collaboration between two
//! accounts, and every way they go wrong.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::needless_pass_by_value, reason = "a call reads best with json!() in its place")]

#[path = "datazone/access.rs"]
mod access;
#[path = "datazone/accounts.rs"]
mod accounts;
#[path = "datazone/association.rs"]
mod association;
#[path = "datazone/drift.rs"]
mod drift;
#[path = "datazone/environments.rs"]
mod environments;
#[path = "datazone/failures.rs"]
mod failures;
#[path = "datazone/lake.rs"]
mod lake;
#[path = "datazone/publishing.rs"]
mod publishing;
#[path = "datazone/sharing.rs"]
mod sharing;
#[path = "datazone/stage.rs"]
mod stage;
#[path = "datazone/subscriptions.rs"]
mod subscriptions;
mod support;
#[path = "datazone/undo.rs"]
mod undo;
#[path = "datazone/upkeep.rs"]
mod upkeep;
