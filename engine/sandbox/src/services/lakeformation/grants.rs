//! Permissions: granted, revoked, listed.
//!
//! A grant is kept in the account that gave it. One to another account, or to somebody in it, is
//! carried there by a share of AWS RAM, which has to be accepted unless both are one organisation.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::resource::Resource;
use super::{PAGES, catalogue_scope, invalid, principals, rights};
use crate::people::hex;
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply, glue, ram};
use crate::world::{Scope, World};

pub(super) const GRANT: &str = "lakeformation/grant";

/// What is granted, to whom, on what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// ARN of a user or role, an account, `123456789012:IAMPrincipals`, or everybody whom IAM allows.
    pub(crate) principal: String,
    /// On what.
    pub(crate) resource: Resource,
    /// `SELECT`, `DESCRIBE`.
    pub(crate) permissions: Vec<String>,
    /// Those that the principal may hand on.
    pub(crate) grantable: Vec<String>,
}

/// A grant as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    #[serde(flatten)]
    pub(super) grant: Grant,
    /// Who granted last: ARN.
    pub(super) by: String,
    /// RFC 3339.
    pub(super) updated: String,
    /// The RAM share that carries it to another account.
    pub(super) share: Option<String>,
}

/// The grant of one principal on one resource has one place.
fn id_of(grant: &Grant) -> String {
    format!("{} on {}", grant.principal, grant.resource.shown())
}

/// Grants permissions in an account's name; the ARN of the RAM share comes back when they go to
/// another account.
///
/// # Errors
/// As GrantPermissions has them, but for the caller's own right to grant.
pub(crate) fn grant(
    world: &World<'_>,
    scope: &Scope,
    grant: &Grant,
    by: &str,
) -> Result<Option<String>, AwsFault> {
    check(world, grant)?;
    grant.resource.check(world, scope)?;
    Ok(keep(world, scope, grant, by))
}

/// Writes a grant that is known to be right, added to what the principal has.
pub(super) fn keep(world: &World<'_>, scope: &Scope, grant: &Grant, by: &str) -> Option<String> {
    let id = id_of(grant);
    let mut held = world.get::<Held>(scope, GRANT, &id).unwrap_or_else(|| Held {
        grant: Grant { permissions: Vec::new(), grantable: Vec::new(), ..grant.clone() },
        by: String::new(),
        updated: String::new(),
        share: None,
    });
    let before = held.grant.clone();
    add(&mut held.grant.permissions, &grant.permissions);
    add(&mut held.grant.permissions, &grant.grantable);
    add(&mut held.grant.grantable, &grant.grantable);
    if let (Some(account), Some(arn)) =
        (receiver(scope, grant), grant.resource.shared_arn(&scope.region))
    {
        let name = share_name(scope, account);
        held.share = Some(ram::share_for_service(world, scope, &name, &arn, account));
    }
    if before.permissions != held.grant.permissions || before.grantable != held.grant.grantable {
        by.clone_into(&mut held.by);
        held.updated = world.now_text();
    }
    world.put(scope, GRANT, &id, &held);
    held.share
}

/// Takes permissions back in an account's name.
///
/// # Errors
/// As RevokePermissions has them, but for the caller's own right to do it.
pub(crate) fn revoke(world: &World<'_>, scope: &Scope, grant: &Grant) -> Result<(), AwsFault> {
    check(world, grant).or_else(|fault| {
        // What a principal that is gone had can still be taken back.
        let held = world.get::<Held>(scope, GRANT, &id_of(grant)).is_some();
        if held { Ok(()) } else { Err(fault) }
    })?;
    let id = id_of(grant);
    let missing: Vec<&String> = match world.get::<Held>(scope, GRANT, &id) {
        None => grant.permissions.iter().collect(),
        Some(held) => {
            let has = |permission: &&String| !held.grant.permissions.contains(permission);
            grant.permissions.iter().filter(has).collect()
        }
    };
    let Some(mut held) = world.get::<Held>(scope, GRANT, &id).filter(|_| missing.is_empty()) else {
        let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        return Err(invalid(format!(
            "No permissions revoked. Grantee does not have: [{}]",
            missing.join(", ")
        )));
    };
    // With a list of those to hand on, only that right goes.
    if grant.grantable.is_empty() {
        held.grant.permissions.retain(|known| !grant.permissions.contains(known));
        held.grant.grantable.retain(|known| !grant.permissions.contains(known));
    } else {
        held.grant.grantable.retain(|known| !grant.grantable.contains(known));
        let kept =
            |known: &String| !grant.permissions.contains(known) || grant.grantable.contains(known);
        held.grant.permissions.retain(kept);
    }
    if held.grant.permissions.is_empty() {
        remove(world, scope, &id, &held);
    } else {
        held.updated = world.now_text();
        world.put(scope, GRANT, &id, &held);
    }
    Ok(())
}

/// Removes a grant, and its resource from the share unless another grant needs it there.
fn remove(world: &World<'_>, scope: &Scope, id: &str, held: &Held) {
    world.delete(scope, GRANT, id);
    let (Some(account), Some(arn)) =
        (receiver(scope, &held.grant), held.grant.resource.shared_arn(&scope.region))
    else {
        return;
    };
    let needed = world.list::<Held>(scope, GRANT).iter().any(|other| {
        receiver(scope, &other.grant) == Some(account)
            && other.grant.resource == held.grant.resource
    });
    if !needed {
        ram::unshare_for_service(world, scope, &share_name(scope, account), &arn, account);
    }
}

/// Removes every grant on what is gone.
pub(super) fn forget(world: &World<'_>, gone: impl Fn(&Resource) -> bool) {
    for stored in world.list_everywhere::<Held>(GRANT) {
        if gone(&stored.document.grant.resource) {
            remove(world, &stored.scope, &stored.id, &stored.document);
        }
    }
}

/// The account that gets a grant from elsewhere.
fn receiver<'a>(scope: &Scope, grant: &'a Grant) -> Option<&'a str> {
    // What one account hands on of another's is inside that account.
    let own = grant.resource.account() == scope.account;
    principals::account(&grant.principal).filter(|account| own && *account != scope.account)
}

/// Lake Formation has one share for each account that it shares with.
fn share_name(scope: &Scope, account: &str) -> String {
    let seed = format!("{}/{}/{account}", scope.account, scope.region);
    format!("LakeFormation-V4-{}", hex(&seed, 10).to_uppercase())
}

fn add(list: &mut Vec<String>, more: &[String]) {
    list.extend(more.iter().cloned());
    list.sort_unstable();
    list.dedup();
}

fn check(world: &World<'_>, grant: &Grant) -> Result<(), AwsFault> {
    if grant.permissions.is_empty() {
        return Err(invalid("Permissions must be specified."));
    }
    let known = grant.resource.permissions();
    let mut asked = grant.permissions.iter().chain(&grant.grantable);
    if let Some(wrong) = asked.find(|permission| !known.contains(&permission.as_str())) {
        return Err(invalid(format!(
            "Permissions modification is invalid: {wrong} cannot be granted on {} (known: {})",
            grant.resource.kind(),
            known.join(", ")
        )));
    }
    if !principals::is_valid(world, &grant.principal) {
        return Err(invalid(format!("Invalid principal, {}", grant.principal)));
    }
    Ok(())
}

/// What an entry of an input asks for; `catalogue` is whose things it means where it does not say.
fn asked(call: &Call<'_>, entry: &Value, catalogue: &str) -> Result<Grant, AwsFault> {
    let principal = entry["Principal"]["DataLakePrincipalIdentifier"].as_str();
    if entry.get("Condition").is_some_and(|condition| !condition.is_null()) {
        return Err(invalid("Conditions on permissions are not in the sandbox."));
    }
    Ok(Grant {
        principal: principal.ok_or_else(|| invalid("Principal must be specified."))?.to_owned(),
        resource: Resource::of(call, &entry["Resource"], catalogue)?,
        permissions: texts(entry, "Permissions"),
        grantable: texts(entry, "PermissionsWithGrantOption"),
    })
}

/// Grants one entry, or revokes it, when the caller may.
fn change(call: &Call<'_>, scope: &Scope, entry: &Value, grants: bool) -> Result<(), AwsFault> {
    let wanted = asked(call, entry, &scope.account)?;
    let needed: Vec<&str> = wanted.permissions.iter().map(String::as_str).collect();
    let by = &call.principal.identity_arn;
    if !rights::may_grant(call.world, scope, by, &wanted.resource, &needed) {
        return Err(AwsFault::new(
            "AccessDeniedException",
            format!(
                "Insufficient Lake Formation permission(s): {by} is no data lake administrator of \
                 {} and may not hand on {} on {}",
                scope.account,
                needed.join(", "),
                wanted.resource.shown()
            ),
        ));
    }
    if grants {
        grant(call.world, scope, &wanted, by).map(|_| ())
    } else {
        revoke(call.world, scope, &wanted)
    }
}

/// `GrantPermissions` and `RevokePermissions`.
pub(super) fn one(call: &Call<'_>, grants: bool) -> Reply {
    let scope = catalogue_scope(call)?;
    change(call, &scope, call.input, grants)?;
    Ok(json!({}))
}

/// `BatchGrantPermissions` and `BatchRevokePermissions`: what fails is listed, the rest is done.
pub(super) fn many(call: &Call<'_>, grants: bool) -> Reply {
    let scope = catalogue_scope(call)?;
    let entries = call.input["Entries"].as_array().cloned().unwrap_or_default();
    let failures: Vec<Value> = entries
        .iter()
        .filter_map(|entry| {
            let fault = change(call, &scope, entry, grants).err()?;
            let error = json!({"ErrorCode": fault.code, "ErrorMessage": fault.message});
            Some(json!({"RequestEntry": entry, "Error": error}))
        })
        .collect();
    Ok(json!({ "Failures": failures }))
}

/// `ListPermissions`: what the account granted, and what it was granted by others.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let scope = catalogue_scope(call)?;
    let principal = call.input["Principal"]["DataLakePrincipalIdentifier"].as_str();
    let resource = match call.input.get("Resource").filter(|resource| !resource.is_null()) {
        Some(resource) => Some(Resource::of(call, resource, &scope.account)?),
        None => None,
    };
    let kind = call.text("ResourceType");
    let mut held = seen(call.world, &scope);
    held.retain(|held| {
        principal.is_none_or(|principal| held.grant.principal == principal)
            && resource.as_ref().is_none_or(|resource| matches(&held.grant.resource, resource))
            && (kind.is_empty() || held.grant.resource.kind() == kind)
    });
    PAGES.page(call, "PrincipalResourcePermissions", held.iter().map(shown).collect())
}

fn matches(granted: &Resource, wanted: &Resource) -> bool {
    granted == wanted || granted.covers(wanted)
}

/// The grants that an account can see in a region.
fn seen(world: &World<'_>, scope: &Scope) -> Vec<Held> {
    let everywhere = world.list_everywhere::<Held>(GRANT).into_iter();
    everywhere
        .filter(|stored| stored.scope.region == scope.region)
        .filter(|stored| {
            stored.scope == *scope
                || receiver(&stored.scope, &stored.document.grant)
                    .is_some_and(|account| account == scope.account)
        })
        .map(|stored| stored.document)
        .collect()
}

fn shown(held: &Held) -> Value {
    let mut shown = json!({
        "Principal": {"DataLakePrincipalIdentifier": held.grant.principal},
        "Resource": held.grant.resource.shown(), "Permissions": held.grant.permissions,
        "PermissionsWithGrantOption": held.grant.grantable, "LastUpdated": held.updated,
        "LastUpdatedBy": held.by,
    });
    if let Some(share) = &held.share {
        shown["AdditionalDetails"] = json!({"ResourceShare": [share]});
    }
    shown
}

/// `GetEffectivePermissionsForPath`: on the location itself, and on tables whose data lie in it.
pub(super) fn for_path(call: &Call<'_>) -> Reply {
    let scope = catalogue_scope(call)?;
    let path = call.text("ResourceArn");
    let below = |uri: &str| {
        let arn = uri.strip_prefix("s3://").map(|path| format!("arn:aws:s3:::{path}"));
        arn.is_some_and(|arn| super::resource::is_below(arn.trim_end_matches('/'), path))
    };
    let mut held = seen(call.world, &scope);
    held.retain(|held| match &held.grant.resource {
        Resource::Location { arn, .. } => super::resource::is_below(arn, path),
        Resource::Table(table) => {
            glue::table(call.world, table).is_some_and(|table| below(table.location()))
        }
        _ => false,
    });
    PAGES.page(call, "Permissions", held.iter().map(shown).collect())
}
