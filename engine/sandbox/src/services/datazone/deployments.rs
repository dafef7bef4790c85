//! What deploys and removes an environment, minutes after it was asked for.
//!
//! A deployment first looks at its parameters, then makes everything or nothing; it acts with the
//! roles of the blueprint's configuration, and ends late and with a reason when one of them is not as
//! it should be. What each blueprint makes is `warehouse_environment`'s and `lake`'s.

use serde_json::{Value, json};

use super::association::{self, failures};
use super::room::{ENVIRONMENT, Room, SOURCE, TARGET, flag, text};
use super::{lake, sources, targets, warehouse_environment};

/// Seconds until a new environment's parameters have been looked at.
const CHECKED_AFTER: i64 = 20;
/// Seconds that its deployment takes after that.
const MADE_AFTER: i64 = 220;
/// Seconds that the deletion takes.
const GONE_AFTER: i64 = 150;
/// Seconds by which a subscription target is late, in worlds where it is.
const TARGET_LATE: i64 = 600;
/// The code of a deletion that took too long.
const TIMED_OUT: &str = "408";

/// What an environment is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A schema in a Redshift warehouse.
    Warehouse,
    /// Glue databases and an Athena workgroup.
    Lake,
}

impl Kind {
    /// The kind of an environment.
    pub(super) fn of(environment: &Value) -> Self {
        if flag(environment, "_lake") { Self::Lake } else { Self::Warehouse }
    }
}

/// A deployment as environments show it.
fn deployment(room: &Room<'_>, kind: &str) -> Value {
    json!({
        "deploymentId": room.new_id("dep"), "deploymentType": kind,
        "deploymentStatus": "IN_PROGRESS", "isDeploymentComplete": false, "messages": [],
    })
}

/// Begins the deployment of a new environment.
pub(super) fn begin(room: &Room<'_>, environment: &mut Value) {
    environment["status"] = json!("CREATING");
    environment["lastDeployment"] = deployment(room, "CREATE");
    room.after(CHECKED_AFTER, "environment_checked", text(environment, "id"));
}

/// Begins the deletion of an environment.
pub(super) fn begin_deletion(room: &Room<'_>, environment: &mut Value) {
    environment["status"] = json!("DELETING");
    environment["lastDeployment"] = deployment(room, "DELETE");
    room.after(GONE_AFTER, "environment_gone", text(environment, "id"));
}

/// A deployment's parameters are looked at: a secret that DataZone may not read, or a warehouse that
/// does not answer, ends it here.
pub(super) fn checked(room: &Room<'_>, id: &str) {
    let Some(mut environment) = room.find(ENVIRONMENT, id) else { return };
    let outcome = match Kind::of(&environment) {
        Kind::Warehouse => warehouse_environment::check(room, &environment),
        Kind::Lake => lake::check(room, &environment),
    };
    match outcome {
        Ok(()) => room.after(MADE_AFTER, "environment_made", id),
        Err(reason) => {
            environment["status"] = json!("VALIDATION_FAILED");
            fail(room, &mut environment, "400", &reason);
        }
    }
}

/// A deployment ends: with everything there, or with nothing and a reason.
pub(super) fn made(room: &Room<'_>, id: &str) {
    let Some(mut environment) = room.find(ENVIRONMENT, id) else { return };
    match room.world.atomically(|| provision(room, &mut environment)) {
        Ok(()) => {
            environment["status"] = json!("ACTIVE");
            succeed(room, &mut environment);
        }
        Err(reason) => {
            environment["status"] = json!("CREATE_FAILED");
            fail(room, &mut environment, "400", &reason);
        }
    }
}

fn provision(room: &Room<'_>, environment: &mut Value) -> Result<(), String> {
    let account = text(environment, "awsAccountId");
    if !association::holds(room, account) {
        return Err(format!("Account {account} is not associated with the domain"));
    }
    match Kind::of(environment) {
        Kind::Warehouse => warehouse_environment::provision(room, environment)?,
        Kind::Lake => lake::provision(room, environment)?,
    }
    if failures(room.world).grant_without_target {
        room.after(TARGET_LATE, "target_made", text(environment, "id"));
    } else {
        targets::add_default(room, environment);
    }
    sources::add_default(room, environment);
    Ok(())
}

/// A late subscription target is there, unless its environment went meanwhile.
pub(super) fn target_made(room: &Room<'_>, id: &str) {
    let environment = room.find(ENVIRONMENT, id);
    if let Some(environment) = environment.filter(|found| text(found, "status") == "ACTIVE") {
        targets::add_default(room, &environment);
    }
}

fn succeed(room: &Room<'_>, environment: &mut Value) {
    environment["lastDeployment"]["deploymentStatus"] = json!("SUCCESSFUL");
    environment["lastDeployment"]["isDeploymentComplete"] = json!(true);
    environment["updatedAt"] = json!(room.time());
    room.put(ENVIRONMENT, environment);
}

fn fail(room: &Room<'_>, environment: &mut Value, code: &str, reason: &str) {
    let deployment = &mut environment["lastDeployment"];
    deployment["deploymentStatus"] = json!("FAILED");
    deployment["isDeploymentComplete"] = json!(true);
    deployment["failureReason"] = json!({ "code": code, "message": reason });
    deployment["messages"] = json!([reason]);
    environment["updatedAt"] = json!(room.time());
    room.put(ENVIRONMENT, environment);
}

/// A deletion ends. It needs the roles, the secret and the warehouse as they were at the creation:
/// an environment that outlived them cannot be deleted.
pub(super) fn gone(room: &Room<'_>, id: &str) {
    let Some(mut environment) = room.find(ENVIRONMENT, id) else { return };
    if failures(room.world).environment_deletion_times_out && !flag(&environment, "_timedOut") {
        environment["_timedOut"] = json!(true);
        environment["status"] = json!("DELETE_FAILED");
        let reason = "The deletion of the environment's stack timed out";
        return fail(room, &mut environment, TIMED_OUT, reason);
    }
    match tear_down(room, &environment) {
        Ok(()) => {
            for kind in [TARGET, SOURCE] {
                for document in room.list(kind) {
                    if text(&document, "environmentId") == id && document["_default"] == true {
                        room.remove(kind, &document);
                    }
                }
            }
            environment["status"] = json!("DELETED");
            environment["provisionedResources"] = json!([]);
            let record = json!({
                "id": id, "domainId": room.domain, "name": environment["name"],
                "deletedAt": room.time(),
            });
            room.world.remember(&room.scope, ENVIRONMENT, &record);
            succeed(room, &mut environment);
        }
        Err(reason) => {
            environment["status"] = json!("DELETE_FAILED");
            fail(room, &mut environment, "400", &reason);
        }
    }
}

fn tear_down(room: &Room<'_>, environment: &Value) -> Result<(), String> {
    if environment["_roleArn"].is_null() {
        return Ok(());
    }
    let torn = room.world.atomically(|| match Kind::of(environment) {
        Kind::Warehouse => warehouse_environment::tear_down(room, environment),
        Kind::Lake => lake::tear_down(room, environment),
    });
    match torn {
        Err(_) if !failures(room.world).environment_undeletable_without_role => Ok(()),
        other => other,
    }
}
