//! The documented limits of calls a second, for worlds that enforce them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::fault::throttling_code;
use crate::services::AwsFault;
use crate::world::{Scope, World, parse_timestamp, timestamp};

const BUCKET: &str = "_throttle/bucket";

/// Limits by account and region: the service, calls a second, and the operations that have it.
const LIMITS: [(&str, f64, &[&str]); 4] = [
    ("cloudtrail", 2.0, &["LookupEvents"]),
    (
        "datazone",
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
            "DeleteSubscriptionTarget",
            "RejectSubscriptionRequest",
            "RevokeSubscription",
            "UpdateEnvironment",
            "UpdateProject",
        ],
    ),
    (
        "datazone",
        8.0,
        &[
            "CreateDomain",
            "CreateEnvironmentProfile",
            "GetEnvironment",
            "GetEnvironmentCredentials",
            "GetSubscription",
            "GetSubscriptionGrant",
            "GetSubscriptionRequestDetails",
            "GetSubscriptionTarget",
            "ListEnvironmentBlueprints",
            "ListEnvironmentProfiles",
            "ListEnvironments",
            "ListProjectMemberships",
            "ListProjects",
            "ListSubscriptionGrants",
            "ListSubscriptionRequests",
            "ListSubscriptionTargets",
            "ListSubscriptions",
        ],
    ),
    ("datazone", 10.0, &["PutEnvironmentBlueprintConfiguration", "StartMetadataGenerationRun"]),
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
        .find(|(limited, _, operations)| service == *limited && operations.contains(&operation))
        .map(|(_, limit, _)| *limit);
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
