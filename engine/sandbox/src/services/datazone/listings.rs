//! Listings: what of an inventory the whole domain can find and ask for.
//!
//! A listing keeps its id through publications; each one is a new revision. It becomes active some
//! seconds after the change set, and is found by the search some seconds after that.

use serde_json::{Map, Value, json};

use super::assets::{revision, to_change};
use super::room::{
    ASSET, LISTING, Room, SUBSCRIPTION, Visit, conflict, elements, invalid, text, without_nulls,
};
use super::standing::{Standing, project_for};
use crate::services::{AwsFault, Call, Reply};

/// `CreateListingChangeSet`.
pub(super) fn change(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    if call.text("entityType") != "ASSET" {
        return Err(invalid("The sandbox lists assets only"));
    }
    let (asset, user) = to_change(&visit, call.text("entityIdentifier"))?;
    let listing = match call.text("action") {
        "UNPUBLISH" => unpublish(&visit.room, &asset, &user)?,
        _ => publish_revision(&visit.room, &asset, call.text("entityRevision"), &user)?,
    };
    Ok(json!({
        "listingId": listing["id"], "listingRevision": listing["listingRevision"],
        "status": listing["status"],
    }))
}

/// Publishes the latest revision of an asset.
pub(super) fn publish(room: &Room<'_>, asset: &str, user: &str) -> Result<(), AwsFault> {
    let asset = room.get(ASSET, asset)?;
    publish_revision(room, &asset, "", user).map(|_| ())
}

fn publish_revision(
    room: &Room<'_>,
    asset: &Value,
    wanted: &str,
    user: &str,
) -> Result<Value, AwsFault> {
    let shown = revision(asset, wanted)?;
    let before = of_asset(room, text(asset, "id"));
    if let Some(before) = &before
        && before["item"]["assetListing"]["assetRevision"] == shown["revision"]
        && matches!(text(before, "status"), "ACTIVE" | "CREATING")
    {
        return Ok(before.clone());
    }
    let now = room.time();
    let mut listing = before.unwrap_or_else(|| {
        json!({
            "id": room.new_id("lst"), "domainId": room.domain, "listingRevision": "0",
            "createdAt": now, "createdBy": user,
            "_asset": asset["id"], "_project": asset["owningProjectId"],
        })
    });
    let number = text(&listing, "listingRevision").parse::<u32>().map_or(1, |number| number + 1);
    listing["listingRevision"] = json!(number.to_string());
    listing["updatedAt"] = json!(now);
    listing["updatedBy"] = json!(user);
    listing["status"] = json!("CREATING");
    listing["name"] = shown["name"].clone();
    listing["description"] = json!(text(&shown, "description"));
    listing["item"] = json!({ "assetListing": without_nulls(json!({
        "assetId": asset["id"], "assetRevision": shown["revision"],
        "assetType": shown["typeIdentifier"], "createdAt": shown["createdAt"],
        "forms": forms(&shown).to_string(), "owningProjectId": asset["owningProjectId"],
    })) });
    save(room, &listing);
    room.after(6, "listing_active", text(&listing, "id"));
    Ok(listing)
}

/// The forms of an asset as listings have them: one object by form name.
fn forms(asset: &Value) -> Value {
    let forms: Map<String, Value> = elements(asset, "formsOutput")
        .iter()
        .map(|form| {
            let content = serde_json::from_str(text(form, "content")).unwrap_or_default();
            (text(form, "formName").to_owned(), content)
        })
        .collect();
    Value::Object(forms)
}

/// Writes a listing, and its status into its asset.
fn save(room: &Room<'_>, listing: &Value) {
    room.put(LISTING, listing);
    if let Some(mut asset) = room.find(ASSET, text(listing, "_asset")) {
        asset["listing"] =
            json!({ "listingId": listing["id"], "listingStatus": listing["status"] });
        room.put(ASSET, &asset);
    }
}

fn of_asset(room: &Room<'_>, asset: &str) -> Option<Value> {
    room.list(LISTING).into_iter().find(|listing| text(listing, "_asset") == asset)
}

fn unpublish(room: &Room<'_>, asset: &Value, user: &str) -> Result<Value, AwsFault> {
    let mut listing = of_asset(room, text(asset, "id"))
        .ok_or_else(|| invalid(format!("Asset {} is not published", text(asset, "id"))))?;
    nobody_subscribes(room, &listing)?;
    if text(&listing, "status") == "INACTIVE" {
        return Ok(listing);
    }
    listing["status"] = json!("INACTIVE");
    listing["updatedAt"] = json!(room.time());
    listing["updatedBy"] = json!(user);
    save(room, &listing);
    room.after(10, "listing_indexed", text(&listing, "id"));
    Ok(listing)
}

fn nobody_subscribes(room: &Room<'_>, listing: &Value) -> Result<(), AwsFault> {
    let id = text(listing, "id");
    let subscribed = room
        .list(SUBSCRIPTION)
        .iter()
        .filter(|subscription| {
            text(subscription, "_listing") == id && text(subscription, "status") == "APPROVED"
        })
        .count();
    match subscribed {
        0 => Ok(()),
        count => Err(conflict(format!("Listing {id} still has {count} active subscription(s)"))),
    }
}

/// A published listing becomes active.
pub(super) fn active(room: &Room<'_>, id: &str) {
    let Some(mut listing) = room.find(LISTING, id) else { return };
    if text(&listing, "status") == "CREATING" {
        listing["status"] = json!("ACTIVE");
        listing["updatedAt"] = json!(room.time());
        save(room, &listing);
        room.after(15, "listing_indexed", id);
    }
}

/// The search learns of a listing's present state.
pub(super) fn indexed(room: &Room<'_>, id: &str) {
    let Some(mut listing) = room.find(LISTING, id) else { return };
    listing["_index"] = match text(&listing, "status") {
        "ACTIVE" => found(&listing),
        _ => Value::Null,
    };
    room.put(LISTING, &listing);
}

/// A listing as the search answers it.
fn found(listing: &Value) -> Value {
    let item = &listing["item"]["assetListing"];
    json!({
        "listingId": listing["id"], "listingRevision": listing["listingRevision"],
        "name": listing["name"], "description": listing["description"],
        "entityId": item["assetId"], "entityRevision": item["assetRevision"],
        "entityType": item["assetType"], "createdAt": listing["createdAt"],
        "listingCreatedBy": listing["createdBy"], "listingUpdatedBy": listing["updatedBy"],
        "owningProjectId": item["owningProjectId"], "glossaryTerms": [],
        "additionalAttributes": { "forms": item["forms"] },
    })
}

/// `GetListing`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    let listing = visit.room.get(LISTING, call.text("identifier"))?;
    let wanted = call.text("listingRevision");
    if !wanted.is_empty() && wanted != text(&listing, "listingRevision") {
        return Err(super::room::missing("datazone/listing_revision", wanted));
    }
    Ok(listing)
}

/// `DeleteListing`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let listing = visit.room.get(LISTING, call.text("identifier"))?;
    project_for(&visit, text(&listing, "_project"), Standing::Steward)?;
    nobody_subscribes(&visit.room, &listing)?;
    if let Some(mut asset) = visit.room.find(ASSET, text(&listing, "_asset")) {
        asset["listing"] = Value::Null;
        visit.room.put(ASSET, &asset);
    }
    visit.room.remove(LISTING, &listing);
    Ok(json!({}))
}
