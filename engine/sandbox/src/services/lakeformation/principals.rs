//! Who permissions are for.

use crate::access::account_of;
use crate::services::iam;
use crate::spec::WorldSpec;
use crate::world::World;

/// Everybody in the account whom IAM allows.
pub(crate) const IAM_ALLOWED: &str = "IAM_ALLOWED_PRINCIPALS";

/// Whether a user or role exists.
pub(super) fn is_somebody(world: &World<'_>, principal: &str) -> bool {
    iam::role(world, principal).is_some() || iam::user(world, principal).is_some()
}

/// Whether permissions can be granted to a principal: a user or role that exists, an account of the
/// world, its IAM principals as a group, or everybody whom IAM allows.
pub(super) fn is_valid(world: &World<'_>, principal: &str) -> bool {
    let known = |account: &str| WorldSpec::of(world).accounts.values().any(|id| id == account);
    match principal {
        IAM_ALLOWED => true,
        group if group.ends_with(":IAMPrincipals") => {
            known(group.trim_end_matches(":IAMPrincipals"))
        }
        other => known(other) || is_somebody(world, other),
    }
}

/// The account of a principal; nothing for [`IAM_ALLOWED`].
pub(super) fn account(principal: &str) -> Option<&str> {
    account_of(principal).or_else(|| {
        let id = principal.trim_end_matches(":IAMPrincipals");
        (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
    })
}

/// The user or role behind an ARN, which may be that of a session.
pub(super) fn identity(world: &World<'_>, arn: &str) -> String {
    let role = arn.strip_prefix("arn:aws:sts::").and_then(|rest| {
        let (account, session) = rest.split_once(":assumed-role/")?;
        let (name, _) = session.split_once('/')?;
        iam::role_by_name(world, account, name)
    });
    role.map_or_else(|| arn.to_owned(), |role| role.arn)
}
