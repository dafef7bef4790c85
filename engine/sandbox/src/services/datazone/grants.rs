//! Subscription grants: a subscription made real in one target, as something that can be queried.
//!
//! A grant works once and is never tried again: one that failed is deleted and asked for anew. What
//! it leaves in the warehouse is what a query then reads, so a grant that says GRANTED and a SELECT
//! that fails cannot both be.

use serde_json::{Value, json};

use super::requests::require_filter;
use super::room::{
    ASSET, GRANT, Room, SUBSCRIPTION, Visit, conflict, copy, elements, flag, invalid, keep_equal,
    missing, page, sorted, text,
};
use super::standing::{Standing, project_for, project_to_read};
use super::subscriptions::{active, asset_of, asset_type_of};
use super::targets::{of_environment, takes};
use super::types::asset_type;
use super::{environments, fulfil};
use crate::services::{AwsFault, Call, Reply};

/// Begins to fulfil a subscription in a target; without a name the table keeps its own.
pub(super) fn begin(
    room: &Room<'_>,
    subscription: &Value,
    target: &Value,
    name: &str,
    user: &str,
) -> Value {
    let listing = &subscription["subscribedListing"];
    let id = room.new_id("gra");
    let grant = json!({
        "id": id, "domainId": room.domain, "status": "PENDING", "createdBy": user,
        "createdAt": room.time(), "updatedAt": room.time(),
        "environmentId": target["environmentId"], "subscriptionTargetId": target["id"],
        "grantedEntity": { "listing": { "id": listing["id"], "revision": listing["revision"] } },
        "assets": [], "subscriptionId": subscription["id"],
        "_project": subscription["_project"], "_listing": listing["id"], "_name": name,
    });
    room.put(GRANT, &grant);
    room.after(5, "grant_begins", &id);
    grant
}

/// A pending grant begins to work: only now it says which asset.
pub(super) fn begins(room: &Room<'_>, id: &str) {
    let Some(mut grant) = room.find(GRANT, id) else { return };
    let Some(subscription) = room.find(SUBSCRIPTION, text(&grant, "subscriptionId")) else {
        return;
    };
    if text(&grant, "status") != "PENDING" || flag(&grant, "_revoked") {
        return;
    }
    let (asset, revision) = asset_of(&subscription);
    grant["assets"] = json!([{
        "assetId": asset, "assetRevision": revision, "status": "GRANT_IN_PROGRESS",
    }]);
    grant["status"] = json!("IN_PROGRESS");
    grant["updatedAt"] = json!(room.time());
    room.put(GRANT, &grant);
    room.after(30, "grant_ends", id);
}

/// A grant ends: what it gives is made, or there is a reason.
pub(super) fn ends(room: &Room<'_>, id: &str) {
    let Some(mut grant) = in_progress(room, id) else { return };
    match fulfil::give(room, &grant) {
        Ok(held) => {
            grant["assets"][0]["targetName"] = json!(held.name);
            for (member, value) in held.kept.as_object().into_iter().flatten() {
                grant[member.as_str()] = value.clone();
            }
            settle(room, grant);
        }
        Err(reason) => {
            let now = room.time();
            let asset = &mut grant["assets"][0];
            asset["status"] = json!("GRANT_FAILED");
            asset["failureCause"] = json!({ "message": reason });
            asset["failureTimestamp"] = json!(now);
            grant["status"] = json!("GRANT_FAILED");
            grant["updatedAt"] = json!(now);
            room.put(GRANT, &grant);
        }
    }
}

/// It is looked again whether what a grant made can be read.
pub(super) fn settles(room: &Room<'_>, id: &str) {
    if let Some(grant) = in_progress(room, id) {
        settle(room, grant);
    }
}

/// A grant whose asset is being granted.
fn in_progress(room: &Room<'_>, id: &str) -> Option<Value> {
    let grant = room.find(GRANT, id)?;
    (text(&grant["assets"][0], "status") == "GRANT_IN_PROGRESS").then_some(grant)
}

/// Says that something is granted, once the subscriber can read it: a table of another account only
/// when AWS RAM shares it.
fn settle(room: &Room<'_>, mut grant: Value) {
    let now = room.time();
    match fulfil::can_be_read(room, &grant) {
        true => {
            grant["assets"][0]["status"] = json!("GRANTED");
            grant["assets"][0]["grantedTimestamp"] = json!(now);
            grant["status"] = json!("COMPLETED");
            grant["updatedAt"] = json!(now);
        }
        false => room.after(5, "grant_settles", text(&grant, "id")),
    }
    room.put(GRANT, &grant);
}

/// Whether a grant still has, or may come to have, something in its target.
pub(super) fn holds_data(grant: &Value) -> bool {
    match elements(grant, "assets") {
        [] => matches!(text(grant, "status"), "PENDING" | "IN_PROGRESS"),
        assets => {
            assets.iter().any(|asset| !matches!(text(asset, "status"), "REVOKED" | "GRANT_FAILED"))
        }
    }
}

/// Begins to take a grant back.
pub(super) fn revoke(room: &Room<'_>, mut grant: Value, user: &str) {
    if !holds_data(&grant) {
        return;
    }
    grant["_revoked"] = json!(true);
    grant["status"] = json!("PENDING");
    grant["updatedBy"] = json!(user);
    grant["updatedAt"] = json!(room.time());
    if let Some(assets) = grant["assets"].as_array_mut() {
        for asset in assets {
            asset["status"] = json!("REVOKE_PENDING");
        }
    }
    room.put(GRANT, &grant);
    room.after(5, "revoke_begins", text(&grant, "id"));
}

/// A grant begins to be taken back.
pub(super) fn revoke_begins(room: &Room<'_>, id: &str) {
    let Some(mut grant) = room.find(GRANT, id) else { return };
    grant["status"] = json!("IN_PROGRESS");
    if let Some(assets) = grant["assets"].as_array_mut() {
        for asset in assets {
            asset["status"] = json!("REVOKE_IN_PROGRESS");
        }
    }
    room.put(GRANT, &grant);
    room.after(15, "revoke_ends", id);
}

/// A grant is taken back, or a reason why its view is still there.
pub(super) fn revoke_ends(room: &Room<'_>, id: &str) {
    let Some(mut grant) = room.find(GRANT, id) else { return };
    let outcome = fulfil::take_back(room, &grant);
    if outcome.is_ok() && flag(&grant, "_delete") {
        room.remove(GRANT, &grant);
        return;
    }
    let (overall, status) = match &outcome {
        Ok(()) => ("COMPLETED", "REVOKED"),
        Err(_) => ("REVOKE_FAILED", "REVOKE_FAILED"),
    };
    grant["status"] = json!(overall);
    grant["updatedAt"] = json!(room.time());
    if let Some(assets) = grant["assets"].as_array_mut() {
        for asset in assets {
            asset["status"] = json!(status);
            if let Err(reason) = &outcome {
                asset["failureCause"] = json!({ "message": reason });
                asset["failureTimestamp"] = json!(room.time());
            }
        }
    }
    room.put(GRANT, &grant);
}

/// `CreateSubscriptionGrant`: for an environment that is younger than the subscription, or after a
/// grant that failed.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (environment, user) = environments::active(&visit, call.text("environmentIdentifier"))?;
    let project = text(&environment, "projectId");
    let listing = text(&call.input["grantedEntity"]["listing"], "identifier");
    let subscription = active(&visit.room, project, listing).ok_or_else(|| {
        invalid(format!(
            "Principal id {project} does not have an active subscription for asset listing \
             {listing}"
        ))
    })?;
    let wanted = call.text("subscriptionTargetIdentifier");
    let target = of_environment(&visit.room, text(&environment, "id"))
        .into_iter()
        .filter(|target| takes(target, asset_type_of(&subscription)))
        .find(|target| wanted.is_empty() || text(target, "id") == wanted)
        .ok_or_else(|| invalid("The environment has no subscription target for the asset"))?;
    let exists = visit.room.list(GRANT).iter().any(|grant| {
        grant["subscriptionTargetId"] == target["id"]
            && text(grant, "_listing") == listing
            && text(grant, "status") != "GRANT_FAILED"
            && holds_data(grant)
    });
    if exists {
        return Err(conflict(format!("A grant of listing {listing} to the target already exists")));
    }
    let (asset, _) = asset_of(&subscription);
    let name = elements(call.input, "assetTargetNames")
        .iter()
        .find(|named| text(named, "assetId") == asset)
        .map_or("", |named| text(named, "targetName"));
    Ok(begin(&visit.room, &subscription, &target, name, &user))
}

/// `GetSubscriptionGrant`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let grant = visit.room.get(GRANT, call.text("identifier"))?;
    readable(&visit, &grant)?;
    Ok(grant)
}

/// Refuses who is a member neither of the project that has the grant nor of the one that gave it.
fn readable(visit: &Visit<'_>, grant: &Value) -> Result<(), AwsFault> {
    let owner = visit
        .room
        .find(SUBSCRIPTION, text(grant, "subscriptionId"))
        .map(|subscription| text(&subscription, "_owner").to_owned())
        .unwrap_or_default();
    project_to_read(visit, text(grant, "_project"))
        .or_else(|refused| project_to_read(visit, &owner).map_err(|_| refused))
        .map(|_| ())
}

/// `ListSubscriptionGrants`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let filters = [
        ("environmentId", "environmentId"),
        ("subscriptionTargetId", "subscriptionTargetId"),
        ("subscribedListingId", "_listing"),
        ("subscriptionId", "subscriptionId"),
        ("owningProjectId", "_project"),
    ];
    require_filter(call, &filters)?;
    let mut items = visit.room.list(GRANT);
    for (filter, member) in filters {
        keep_equal(call, &mut items, filter, member);
    }
    items.retain(|grant| readable(&visit, grant).is_ok());
    sorted(call, &mut items);
    page(call, "items", items, 50)
}

/// `DeleteSubscriptionGrant`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let mut grant = visit.room.get(GRANT, call.text("identifier"))?;
    let (_, user) = project_for(&visit, text(&grant, "_project"), Standing::Worker)?;
    if !holds_data(&grant) {
        visit.room.remove(GRANT, &grant);
        return Ok(grant);
    }
    grant["_delete"] = json!(true);
    revoke(&visit.room, grant.clone(), &user);
    visit.room.get(GRANT, text(&grant, "id"))
}

/// `UpdateSubscriptionGrantStatus`: for assets that people fulfil by hand.
pub(super) fn update_status(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let mut grant = visit.room.get(GRANT, call.text("identifier"))?;
    let id = call.text("assetIdentifier");
    let asset = visit.room.get(ASSET, id)?;
    let (_, user) = project_for(&visit, text(&asset, "owningProjectId"), Standing::Worker)?;
    if asset_type(text(&asset, "typeIdentifier")).is_none_or(|known| known.managed) {
        return Err(invalid("DataZone itself fulfils grants of this asset's type"));
    }
    let status = call.text("status");
    let noted = grant["assets"]
        .as_array_mut()
        .and_then(|assets| assets.iter_mut().find(|noted| text(noted, "assetId") == id))
        .ok_or_else(|| missing(ASSET, id))?;
    noted["status"] = json!(status);
    copy(call.input, noted, &["failureCause", "targetName"]);
    grant["status"] = json!(match status {
        "GRANTED" | "REVOKED" => "COMPLETED",
        "GRANT_FAILED" => "GRANT_FAILED",
        "REVOKE_FAILED" => "REVOKE_FAILED",
        _ => "IN_PROGRESS",
    });
    visit.touch(&mut grant, &user);
    visit.room.put(GRANT, &grant);
    Ok(grant)
}
