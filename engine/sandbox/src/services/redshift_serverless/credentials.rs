//! GetCredentials: temporary database credentials of the caller's own IAM identity.
//!
//! The sandbox has no SQL port to use them on: what they are good for is that a database user comes
//! to be, and that a caller without the permission is refused.

use serde_json::{Value, json};
use time::Duration;

use super::state::{Status, invalid, namespace, not_found, workgroup};
use crate::people::hex;
use crate::services::{Call, Reply, redshift_data};
use crate::sql::Warehouse;
use crate::world::timestamp;

/// GetCredentials.
pub(super) fn for_caller(call: &Call<'_>) -> Reply {
    let (scope, name) = (call.scope(), call.text("workgroupName"));
    if !call.text("customDomainName").is_empty() {
        return Err(invalid("The sandbox has no custom domains: name the workgroup."));
    }
    let workgroup =
        workgroup(call.world, &scope, name).ok_or_else(|| not_found("Workgroup", name))?;
    if !matches!(workgroup.status, Status::Available | Status::Modifying) {
        return Err(invalid(format!("The workgroup {name} is {}.", workgroup.status.word())));
    }
    let seconds = call.input.get("durationSeconds").and_then(Value::as_i64).unwrap_or(900);
    if !(900..=3600).contains(&seconds) {
        return Err(invalid("durationSeconds must be between 900 and 3600."));
    }
    let namespace = namespace(call.world, &scope, &workgroup.namespace)
        .ok_or_else(|| not_found("Namespace", &workgroup.namespace))?;
    let user = match Warehouse::open(call.world, &namespace.id) {
        Some(mut warehouse) => redshift_data::sign_in_caller(call, &mut warehouse),
        None => redshift_data::database_user(call),
    };
    let expires = call.now() + Duration::seconds(seconds);
    let seed = format!("{}/{user}/{expires}", namespace.id);
    Ok(json!({
        "dbUser": user, "dbPassword": format!("sandbox-{}", hex(&seed, 40)),
        "expiration": timestamp(expires), "nextRefreshTime": timestamp(expires),
    }))
}
