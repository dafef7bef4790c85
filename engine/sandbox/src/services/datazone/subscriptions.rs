//! Subscriptions: what follows an accepted request, until one of the two sides ends it.

use serde_json::{Value, json};

use super::grants;
use super::requests::{concerns, require_filter};
use super::room::{
    ENVIRONMENT, GRANT, REQUEST, Room, SUBSCRIPTION, TARGET, Visit, conflict, denied, flag,
    keep_equal, page, sorted, text,
};
use super::standing::{Standing, project_for};
use super::targets::takes;
use crate::services::{Call, Reply};

/// Seconds until a new subscription begins to be fulfilled.
const GRANTED_AFTER: i64 = 2;

/// An accepted request gets its subscription.
pub(super) fn begins(room: &Room<'_>, request: &str) {
    let Some(request) = room.find(REQUEST, request) else { return };
    let id = room.new_id("sub");
    let subscription = json!({
        "id": id, "domainId": room.domain, "status": "APPROVED",
        "createdBy": request["reviewerId"], "createdAt": room.time(), "updatedAt": room.time(),
        "subscribedPrincipal": request["subscribedPrincipals"][0],
        "subscribedListing": request["subscribedListings"][0],
        "subscriptionRequestId": request["id"], "retainPermissions": false,
        "_project": request["_project"], "_owner": request["_owner"],
        "_listing": request["_listing"],
    });
    room.put(SUBSCRIPTION, &subscription);
    room.after(GRANTED_AFTER, "subscription_fulfilled", &id);
}

/// A new subscription is fulfilled in every environment that its project has at this moment: one
/// made later gets nothing until somebody asks for a grant.
pub(super) fn fulfilled(room: &Room<'_>, id: &str) {
    let Some(subscription) = room.find(SUBSCRIPTION, id) else { return };
    if text(&subscription, "status") != "APPROVED" {
        return;
    }
    for target in room.list(TARGET) {
        let environment = room.find(ENVIRONMENT, text(&target, "environmentId"));
        let active = environment.is_some_and(|found| text(&found, "status") == "ACTIVE");
        if active
            && target["projectId"] == subscription["_project"]
            && text(&target, "subscriptionGrantCreationMode") == "AUTOMATIC"
            && takes(&target, asset_type_of(&subscription))
        {
            grants::begin(room, &subscription, &target, "", text(&subscription, "createdBy"));
        }
    }
}

/// `GetSubscription`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let subscription = visit.room.get(SUBSCRIPTION, call.text("identifier"))?;
    match concerns(&visit.room, &subscription, &user) {
        true => Ok(subscription),
        false => Err(denied(call)),
    }
}

/// `ListSubscriptions`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let filters = [
        ("subscriptionRequestIdentifier", "subscriptionRequestId"),
        ("subscribedListingId", "_listing"),
        ("owningProjectId", "_project"),
        ("approverProjectId", "_owner"),
    ];
    require_filter(call, &filters)?;
    let mut items = visit.room.list(SUBSCRIPTION);
    items.retain(|subscription| concerns(&visit.room, subscription, &user));
    for (filter, member) in filters {
        keep_equal(call, &mut items, filter, member);
    }
    keep_equal(call, &mut items, "status", "status");
    sorted(call, &mut items);
    page(call, "items", items, 50)
}

/// `CancelSubscription`, by the side that subscribed.
pub(super) fn cancel(call: &Call<'_>) -> Reply {
    end(call, "_project", Standing::Consumer, "CANCELLED")
}

/// `RevokeSubscription`, by the side that owns the data.
pub(super) fn revoke(call: &Call<'_>) -> Reply {
    end(call, "_owner", Standing::Steward, "REVOKED")
}

fn end(call: &Call<'_>, side: &str, standing: Standing, status: &str) -> Reply {
    let visit = Visit::enter(call)?;
    let mut subscription = visit.room.get(SUBSCRIPTION, call.text("identifier"))?;
    let (_, user) = project_for(&visit, text(&subscription, side), standing)?;
    if text(&subscription, "status") != "APPROVED" {
        return Err(conflict(format!(
            "Subscription {} is already {}",
            text(&subscription, "id"),
            text(&subscription, "status")
        )));
    }
    let retain = flag(call.input, "retainPermissions");
    subscription["status"] = json!(status);
    subscription["retainPermissions"] = json!(retain);
    visit.touch(&mut subscription, &user);
    visit.room.put(SUBSCRIPTION, &subscription);
    let record = json!({
        "id": subscription["id"], "domainId": visit.room.domain, "status": status,
        "endedBy": user, "endedAt": visit.room.time(),
    });
    visit.room.world.remember(&visit.room.scope, SUBSCRIPTION, &record);
    if !retain {
        for grant in visit.room.list(GRANT) {
            if grant["subscriptionId"] == subscription["id"] {
                grants::revoke(&visit.room, grant, &user);
            }
        }
    }
    Ok(subscription)
}

/// The active subscription of a project to a listing.
pub(super) fn active(room: &Room<'_>, project: &str, listing: &str) -> Option<Value> {
    room.list(SUBSCRIPTION).into_iter().find(|subscription| {
        text(subscription, "_project") == project
            && text(subscription, "_listing") == listing
            && text(subscription, "status") == "APPROVED"
    })
}

/// The asset of a subscription's listing, with its revision.
pub(super) fn asset_of(subscription: &Value) -> (&str, &str) {
    let item = &subscription["subscribedListing"]["item"]["assetListing"];
    (text(item, "entityId"), text(item, "entityRevision"))
}

/// The type of a subscription's asset.
pub(super) fn asset_type_of(subscription: &Value) -> &str {
    text(&subscription["subscribedListing"]["item"]["assetListing"], "entityType")
}
