//! Associated accounts: those that AWS RAM shares a domain with.
//!
//! DataZone has no operation for it: the association is the share. An account that is associated may
//! configure blueprints and have environments; its people come in only when the share's permission
//! has portal access. DataZone learns of a share some time after RAM says ASSOCIATED, and forgets it
//! at once.

use serde_json::Value;
use time::Duration;

use super::room::{DOMAIN, Room, text};
use crate::services::{Call, kms, ram};
use crate::spec::WorldSpec;
use crate::world::{Stored, World};

/// What the administrators of an associated account need, which every permission of a share has.
const ADMINISTRATION: [&str; 12] = [
    "AddPolicyGrant",
    "DeleteEnvironmentBlueprintConfiguration",
    "GetDomain",
    "GetEnvironmentBlueprint",
    "GetEnvironmentBlueprintConfiguration",
    "ListDomains",
    "ListEnvironmentBlueprintConfigurations",
    "ListEnvironmentBlueprints",
    "ListPolicyGrants",
    "ListTagsForResource",
    "PutEnvironmentBlueprintConfiguration",
    "RemovePolicyGrant",
];

/// Whether the caller may know a domain: their own account's, or one that is shared with it for what
/// they ask.
pub(super) fn may_enter(domain: &Stored<Value>, call: &Call<'_>) -> bool {
    let account = &call.principal.account;
    if domain.scope.account == *account {
        return true;
    }
    if !may_use_key(domain, call) {
        return false;
    }
    ram::association(call.world, text(&domain.document, "arn"), account).is_some_and(|found| {
        let lag = Duration::seconds(i64::from(WorldSpec::of(call.world).failures.association_lag));
        let portal = found.permissions.iter().any(|permission| permission.contains("Portal"));
        call.now() >= found.since + lag && (portal || ADMINISTRATION.contains(&call.operation))
    })
}

/// Whether the key of an encrypted domain, if it has one of its own, lets the caller's account read.
fn may_use_key(domain: &Stored<Value>, call: &Call<'_>) -> bool {
    let key = text(&domain.document, "kmsKeyIdentifier");
    let user = kms::User::Account(&call.principal.account);
    key.is_empty() || kms::usable(call.world, &domain.scope, key, user)
}

/// Whether a domain may have resources and users in an account: its own, or an associated one.
pub(super) fn holds(room: &Room<'_>, account: &str) -> bool {
    let domain: Value = room.world.get(&room.scope, DOMAIN, &room.domain).unwrap_or_default();
    room.scope.account == account
        || ram::association(room.world, text(&domain, "arn"), account).is_some()
}

/// The domains that an account sees in a region: its own, then those shared with it.
pub(super) fn domains(call: &Call<'_>) -> Vec<Value> {
    let own = call.scope();
    let everywhere: Vec<Stored<Value>> = call.world.list_everywhere(DOMAIN);
    let (mine, others): (Vec<_>, Vec<_>) =
        everywhere.into_iter().partition(|stored| stored.scope == own);
    let shared = others
        .into_iter()
        .filter(|stored| stored.scope.region == own.region && may_enter(stored, call));
    mine.into_iter().chain(shared).map(|stored| stored.document).collect()
}

/// What a world has of DataZone's own failures.
pub(super) fn failures(world: &World<'_>) -> crate::spec::Failures {
    WorldSpec::of(world).failures
}
