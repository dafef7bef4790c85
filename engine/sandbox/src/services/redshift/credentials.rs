//! Temporary database credentials.
//!
//! The sandbox has no SQL port to use them on: what they are good for is that a database user comes
//! to be, and that a caller without the permission is refused.

use serde_json::{Value, json};
use time::Duration;

use super::clusters::{flag, found, strings};
use super::state::{Cluster, Status};
use crate::people::hex;
use crate::services::{AwsFault, Call, Reply, redshift_data};
use crate::sql::Warehouse;
use crate::world::timestamp;

/// GetClusterCredentials: as a named user, made on request.
pub(super) fn for_user(call: &Call<'_>) -> Reply {
    let cluster = usable(call)?;
    let user = call.text("DbUser").to_lowercase();
    let create = flag(call.input, "AutoCreate").unwrap_or(false);
    if let (true, Some(mut warehouse)) = (create, Warehouse::open(call.world, &cluster.namespace)) {
        warehouse.ensure_user(&user, false);
        warehouse.join_groups(&user, &strings(call.input, "DbGroups"));
    }
    let prefix = if create { "IAMA" } else { "IAM" };
    Ok(credentials(call, &cluster, &format!("{prefix}:{user}")))
}

/// GetClusterCredentialsWithIAM: as the caller's own IAM identity.
pub(super) fn for_caller(call: &Call<'_>) -> Reply {
    let cluster = usable(call)?;
    let user = match Warehouse::open(call.world, &cluster.namespace) {
        Some(mut warehouse) => redshift_data::sign_in_caller(call, &mut warehouse),
        None => redshift_data::database_user(call),
    };
    let mut output = credentials(call, &cluster, &user);
    output["NextRefreshTime"] = output["Expiration"].clone();
    Ok(output)
}

fn usable(call: &Call<'_>) -> Result<Cluster, AwsFault> {
    let cluster = found(call, call.text("ClusterIdentifier"))?;
    match cluster.status {
        Status::Available | Status::Modifying => Ok(cluster),
        status => Err(AwsFault::new(
            "UnsupportedOperation",
            format!("Cluster {} is {}.", cluster.identifier, status.word()),
        )),
    }
}

fn credentials(call: &Call<'_>, cluster: &Cluster, user: &str) -> Value {
    let seconds = call.input.get("DurationSeconds").and_then(Value::as_i64).unwrap_or(900);
    let expires = call.now() + Duration::seconds(seconds);
    let seed = format!("{}/{user}/{expires}", cluster.namespace);
    json!({
        "DbUser": user,
        "DbPassword": format!("sandbox-{}", hex(&seed, 40)),
        "Expiration": timestamp(expires),
    })
}
