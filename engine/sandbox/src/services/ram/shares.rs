//! Shares themselves: made, shown, changed and deleted.

use serde_json::{Value, json};

use super::links::{self, Asked};
use super::state::{
    DELETED, SHARE, Share, not_permitted, save, share, shown, tags_of, unknown, with_token,
};
use super::{PAGES, arrange, own_share, permissions};
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};
use crate::spec::WorldSpec;
use crate::world::{Scope, World};

/// How long a share is PENDING, and how long DELETING.
const SECONDS: i64 = 2;
/// How long a deleted share can still be seen.
const SEEN_AFTER_DELETION: i64 = 2 * 3600;

/// `CreateResourceShare`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let mut share = Share::new(call.world, &scope, call.text("name"));
    share.allow_external =
        call.input.get("allowExternalPrincipals").and_then(Value::as_bool).unwrap_or(true);
    share.tags = tags_of(call.input);
    for arn in texts(call.input, "permissionArns") {
        share.permissions.push(permissions::by_arn(call.world, &arn)?.arn());
    }
    let mut asked = Asked::of(call)?;
    if WorldSpec::of(call.world).failures.lost_ram_principal {
        asked.principals.clear();
    }
    links::begin(call, &scope, &mut share, &asked)?;
    save(call.world, &scope, &share);
    let event = json!({"event": "share_active", "share": share.arn});
    arrange(call.world, &scope, SECONDS, &event);
    Ok(with_token(call, json!({"resourceShare": shown(&share, true)})))
}

/// A new share becomes usable.
pub(super) fn activate(world: &World<'_>, arn: &str) {
    if let Some((scope, mut share)) = share(world, arn).filter(|(_, share)| is_pending(share)) {
        "ACTIVE".clone_into(&mut share.status);
        share.updated = world.now_text();
        save(world, &scope, &share);
    }
}

fn is_pending(share: &Share) -> bool {
    share.status == "PENDING"
}

/// `GetResourceShares`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let account = &call.principal.account;
    let own = call.text("resourceOwner") == "SELF";
    let mut shares: Vec<Share> = if own {
        let mut own = call.world.list::<Share>(&call.scope(), SHARE);
        own.extend(call.world.list::<Share>(&call.scope(), DELETED));
        own
    } else {
        let all = call.world.list_everywhere::<Share>(SHARE).into_iter();
        all.filter(|stored| stored.scope.region == call.region)
            .filter(|stored| stored.scope.account != *account)
            .filter(|stored| stored.document.membership(call.world, account).is_some())
            .map(|stored| stored.document)
            .collect()
    };
    let arns = texts(call.input, "resourceShareArns");
    if let Some(arn) = arns.iter().find(|arn| !shares.iter().any(|share| share.arn == **arn)) {
        return Err(unknown(format!("ResourceShare {arn} could not be found.")));
    }
    let matches = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
    shares.retain(|share| {
        (arns.is_empty() || arns.contains(&share.arn))
            && matches(call.text("name"), &share.name)
            && matches(call.text("resourceShareStatus"), &share.status)
            && (call.text("permissionArn").is_empty()
                || share.permissions.iter().any(|arn| arn == call.text("permissionArn")))
            && has_tags(share, call.input)
    });
    PAGES.page(call, "resourceShares", shares.iter().map(|share| shown(share, own)).collect())
}

fn has_tags(share: &Share, input: &Value) -> bool {
    let filters = input.get("tagFilters").and_then(Value::as_array);
    filters.into_iter().flatten().all(|filter| {
        let values = texts(filter, "tagValues");
        share
            .tags
            .get(filter["tagKey"].as_str().unwrap_or_default())
            .is_some_and(|value| values.is_empty() || values.contains(value))
    })
}

/// `UpdateResourceShare`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let (scope, mut share) = own_share(call)?;
    let before = (share.name.clone(), share.allow_external);
    if !call.text("name").is_empty() {
        call.text("name").clone_into(&mut share.name);
    }
    if let Some(allow) = call.input.get("allowExternalPrincipals").and_then(Value::as_bool) {
        if !allow && share.links.iter().any(|link| link.external && !link.status.starts_with("DIS"))
        {
            return Err(not_permitted(
                "The resource share still has principals outside your organization.",
            ));
        }
        share.allow_external = allow;
    }
    if before != (share.name.clone(), share.allow_external) {
        share.updated = call.world.now_text();
        save(call.world, &scope, &share);
    }
    Ok(with_token(call, json!({"resourceShare": shown(&share, true)})))
}

/// `DeleteResourceShare`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let (scope, share) = own_share(call)?;
    begin_deletion(call.world, &scope, share);
    Ok(with_token(call, json!({"returnValue": true})))
}

/// A share goes: nobody has its resources from now on.
pub(super) fn begin_deletion(world: &World<'_>, scope: &Scope, mut share: Share) {
    if share.status == "DELETING" {
        return;
    }
    "DELETING".clone_into(&mut share.status);
    share.updated = world.now_text();
    for link in &mut share.links {
        "DISASSOCIATING".clone_into(&mut link.status);
        link.updated = world.now_text();
    }
    super::invitations::withdraw(world, &share.arn, None);
    save(world, scope, &share);
    arrange(world, scope, SECONDS, &json!({"event": "share_gone", "share": share.arn}));
}

/// A share is deleted; it can be seen for a while.
pub(super) fn gone(world: &World<'_>, scope: &Scope, arn: &str) {
    let Some(mut share) = world.get::<Share>(scope, SHARE, arn) else { return };
    "DELETED".clone_into(&mut share.status);
    share.updated = world.now_text();
    for link in &mut share.links {
        "DISASSOCIATED".clone_into(&mut link.status);
        link.updated = world.now_text();
    }
    world.delete(scope, SHARE, arn);
    world.put(scope, DELETED, arn, &share);
    let record = json!({"arn": share.arn, "name": share.name, "deleted": share.updated});
    world.remember(scope, "ram/deleted_share", &record);
    let event = json!({"event": "share_forgotten", "share": arn});
    arrange(world, scope, SEEN_AFTER_DELETION, &event);
}

/// A deleted share can no longer be seen.
pub(super) fn forget(world: &World<'_>, scope: &Scope, arn: &str) {
    world.delete(scope, DELETED, arn);
}

/// `EnableSharingWithAwsOrganization`: on from the start where there is an organisation.
pub(super) fn enable_organisation(call: &Call<'_>) -> Reply {
    let spec = WorldSpec::of(call.world);
    if !spec.organisation {
        return Err(not_permitted("Your account is not a member of an organization."));
    }
    if spec.first() != call.principal.account {
        return Err(not_permitted(
            "Only the management account of an organization can enable sharing with it.",
        ));
    }
    Ok(json!({"returnValue": true}))
}

/// `TagResource`.
pub(super) fn tag(call: &Call<'_>) -> Reply {
    let (scope, mut share) = tagged(call)?;
    share.tags.extend(tags_of(call.input));
    if share.tags.len() > 50 {
        return Err(AwsFault::new(
            "TagLimitExceededException",
            "A resource share has at most 50 tags.",
        ));
    }
    save(call.world, &scope, &share);
    Ok(json!({}))
}

/// `UntagResource`.
pub(super) fn untag(call: &Call<'_>) -> Reply {
    let (scope, mut share) = tagged(call)?;
    for key in texts(call.input, "tagKeys") {
        share.tags.remove(&key);
    }
    save(call.world, &scope, &share);
    Ok(json!({}))
}

/// The share to tag; its ARN may come under two names.
fn tagged(call: &Call<'_>) -> Result<(Scope, Share), AwsFault> {
    let arn = match call.text("resourceShareArn") {
        "" => call.text("resourceArn"),
        arn => arn,
    };
    share(call.world, arn)
        .filter(|(scope, _)| *scope == call.scope())
        .ok_or_else(|| unknown(format!("ResourceShare {arn} could not be found.")))
}
