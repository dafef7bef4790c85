//! The documented limits of calls a second, for worlds that enforce them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::fault::throttling_code;
use crate::services::AwsFault;
use crate::world::{Scope, World, parse_timestamp, timestamp};

const BUCKET: &str = "_throttle/bucket";

/// DataZone's limits by account and region: calls a second, and the operations that have it.
const LIMITS: [(f64, &[&str]); 3] = [
    (
        3.0,
        &[
            "AcceptSubscriptionRequest",
            "CancelSubscription",
            "CreateEnvironment",
            "CreateProject",
            "CreateProjectMembership",
            "CreateSubscriptionGrant",
            "CreateSubscriptionRequest",
            "DeleteEnvironment",
            "DeleteProject",
            "DeleteProjectMembership",
            "DeleteSubscriptionGrant",
            "DeleteSubscriptionRequest",
            "RejectSubscriptionRequest",
            "RevokeSubscription",
            "UpdateEnvironment",
            "UpdateProject",
        ],
    ),
    (
        8.0,
        &[
            "CreateDomain",
            "CreateEnvironmentProfile",
            "GetEnvironment",
            "GetEnvironmentCredentials",
            "GetSubscription",
            "ListEnvironmentBlueprints",
            "ListEnvironmentProfiles",
            "ListEnvironments",
            "ListProjectMemberships",
            "ListProjects",
            "ListSubscriptions",
        ],
    ),
    (10.0, &["PutEnvironmentBlueprintConfiguration", "StartMetadataGenerationRun"]),
];

/// Calls left at a moment.
#[derive(Debug, Serialize, Deserialize)]
struct Bucket {
    left: f64,
    at: String,
}

/// Takes one call from the operation's bucket, or refuses it.
pub(super) fn take(
    world: &World<'_>,
    scope: &Scope,
    service: &str,
    operation: &str,
) -> Result<(), AwsFault> {
    let limit = LIMITS
        .iter()
        .find(|(_, operations)| service == "datazone" && operations.contains(&operation))
        .map(|(limit, _)| *limit);
    let Some(limit) = limit else { return Ok(()) };
    let bucket = world.get::<Bucket>(scope, BUCKET, operation);
    let left = bucket.map_or(limit, |bucket| {
        let since = parse_timestamp(&bucket.at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        (bucket.left + (world.now() - since).as_seconds_f64() * limit).min(limit)
    });
    let refused = left < 1.0;
    let left = if refused { left } else { left - 1.0 };
    world.put(scope, BUCKET, operation, &Bucket { left, at: timestamp(world.now()) });
    if refused {
        return Err(AwsFault::new(throttling_code(service), "Rate exceeded"));
    }
    Ok(())
}
