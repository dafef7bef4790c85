//! The failures that a world can be told to have: `[failures]` of a `world.toml`.
//!
//! Each is something that people report of AWS. Most are off unless a world asks for it; what AWS
//! always does is on, and a world may switch it off. A service looks at its own switches. Single
//! calls are struck by `[[faults]]` instead.

use serde::{Deserialize, Serialize};

use super::WorldSpec;
use crate::world::{Scope, World};

const STRUCK: &str = "_failures/struck";

/// Which of them a world has.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "switches, each on its own")]
pub struct Failures {
    /// Each account's data lake has an administrator whose role was deleted: no settings can be put
    /// until it is taken out.
    pub poisoned_lake_formation_admins: bool,
    /// Principals that are given when a resource share is created are lost, without an error.
    pub lost_ram_principal: bool,
    /// The first resource that is associated with a resource share ends FAILED.
    pub failed_ram_resource: bool,
    /// The first invitation to a resource share expires at once instead of after seven days.
    pub invitation_expired: bool,
    /// AWS RAM has other names for the permissions of a DataZone domain: those that documents name.
    pub wrong_permission_names: bool,
    /// Seconds that a new role cannot be used by DataZone: IAM's eventual consistency.
    pub role_not_yet_usable: u32,
    /// Seconds that an associated account is refused by DataZone after AWS RAM says ASSOCIATED.
    pub association_lag: u32,
    /// An environment's subscription target comes ten minutes after the environment is ACTIVE: what is
    /// approved before has no grant.
    pub grant_without_target: bool,
    /// The first deletion of each environment ends DELETE_FAILED with the code 408.
    pub environment_deletion_times_out: bool,
    /// An environment cannot be deleted once its roles, its secret or its warehouse are gone. On unless
    /// a world says otherwise, as in AWS.
    pub environment_undeletable_without_role: bool,
    /// What one has deleted answers 403, not 404. On unless a world says otherwise, as in AWS.
    pub forbidden_after_own_delete: bool,
    /// The name of a DELETED environment stays taken. On unless a world says otherwise, as in AWS.
    pub deleted_name_not_reusable: bool,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            poisoned_lake_formation_admins: false,
            lost_ram_principal: false,
            failed_ram_resource: false,
            invitation_expired: false,
            wrong_permission_names: false,
            role_not_yet_usable: 10,
            association_lag: 90,
            grant_without_target: false,
            environment_deletion_times_out: false,
            environment_undeletable_without_role: true,
            forbidden_after_own_delete: true,
            deleted_name_not_reusable: true,
        }
    }
}

/// Whether a failure that strikes once in a world strikes now; from then on it does not.
pub(crate) fn once(world: &World<'_>, name: &str, switch: fn(&Failures) -> bool) -> bool {
    let scope = Scope::global("");
    if !switch(&WorldSpec::of(world).failures) || world.get::<bool>(&scope, STRUCK, name).is_some()
    {
        return false;
    }
    world.put(&scope, STRUCK, name, &true);
    true
}
