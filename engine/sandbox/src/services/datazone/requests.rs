//! Subscription requests: one project asks, the project that owns the listing decides.

use serde_json::{Value, json};

use super::room::{
    LISTING, PROJECT, REQUEST, Room, SUBSCRIPTION, Visit, conflict, copy, denied, elements,
    invalid, keep_equal, missing, page, sorted, text, without_nulls,
};
use super::standing::{Standing, project_for, stands};
use crate::services::{AwsFault, Call, Reply};

/// Seconds until an accepted request has its subscription.
const SUBSCRIBED_AFTER: i64 = 3;

/// `CreateSubscriptionRequest`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let [principal] = elements(call.input, "subscribedPrincipals") else {
        return Err(invalid("A request has exactly one subscribed principal"));
    };
    let [wanted] = elements(call.input, "subscribedListings") else {
        return Err(invalid("A request has exactly one subscribed listing"));
    };
    let project_id = match text(&principal["project"], "identifier") {
        "" => return Err(invalid("In the sandbox only projects subscribe")),
        id => id,
    };
    let (project, user) = project_for(&visit, project_id, Standing::Consumer)?;
    let id = text(wanted, "identifier");
    let listing = visit
        .room
        .find(LISTING, id)
        .filter(|listing| text(listing, "status") == "ACTIVE")
        .ok_or_else(|| missing(LISTING, id))?;
    is_open(&visit.room, project_id, id)?;
    let owner = text(&listing, "_project");
    let mut request = visit.document(&visit.room.new_id("req"), &user);
    request["status"] = json!("PENDING");
    request["subscribedPrincipals"] =
        json!([{ "project": { "id": project["id"], "name": project["name"] } }]);
    request["subscribedListings"] = json!([subscribed(&visit.room, &listing)]);
    request["metadataForms"] = elements(call.input, "metadataForms")
        .iter()
        .map(|form| {
            without_nulls(json!({
                "formName": form["formName"], "typeName": form["typeIdentifier"],
                "typeRevision": form["typeRevision"], "content": form["content"],
            }))
        })
        .collect();
    request["_project"] = json!(project_id);
    request["_owner"] = json!(owner);
    request["_listing"] = json!(id);
    copy(call.input, &mut request, &["requestReason"]);
    if owner == project_id {
        // Nobody asks a project for its own data: AWS accepts such a request by itself.
        decide(&visit.room, &mut request, "ACCEPTED", &user);
    }
    visit.room.put(REQUEST, &request);
    Ok(request)
}

/// One open request, or one subscription, for each project and listing.
fn is_open(room: &Room<'_>, project: &str, listing: &str) -> Result<(), AwsFault> {
    let same = |document: &Value, status: &str| {
        text(document, "_project") == project
            && text(document, "_listing") == listing
            && text(document, "status") == status
    };
    if room.list(REQUEST).iter().any(|request| same(request, "PENDING")) {
        return Err(conflict(format!(
            "SubscriptionRequest already exists for subscribed principal {project} and Listing \
             {listing}"
        )));
    }
    if room.list(SUBSCRIPTION).iter().any(|known| same(known, "APPROVED")) {
        return Err(conflict(format!(
            "Subscription already exists for subscribed principal {project} and Listing {listing}"
        )));
    }
    Ok(())
}

/// A listing as requests and subscriptions keep it.
fn subscribed(room: &Room<'_>, listing: &Value) -> Value {
    let item = &listing["item"]["assetListing"];
    let owner = text(listing, "_project");
    let project = room.find(PROJECT, owner).unwrap_or_default();
    without_nulls(json!({
        "id": listing["id"], "revision": listing["listingRevision"], "name": listing["name"],
        "description": text(listing, "description"),
        "item": { "assetListing": {
            "entityId": item["assetId"], "entityRevision": item["assetRevision"],
            "entityType": item["assetType"], "forms": item["forms"], "glossaryTerms": [],
        } },
        "ownerProjectId": owner, "ownerProjectName": project["name"],
    }))
}

/// Writes a decision into a request and into the world's history.
fn decide(room: &Room<'_>, request: &mut Value, status: &str, reviewer: &str) {
    request["status"] = json!(status);
    request["reviewerId"] = json!(reviewer);
    request["updatedBy"] = json!(reviewer);
    request["updatedAt"] = json!(room.time());
    let record = without_nulls(json!({
        "id": request["id"], "domainId": room.domain, "status": status, "reviewerId": reviewer,
        "subscribedPrincipals": request["subscribedPrincipals"],
        "listingId": request["_listing"], "requestReason": request["requestReason"],
        "decisionComment": request["decisionComment"], "decidedAt": room.time(),
    }));
    room.world.remember(&room.scope, REQUEST, &record);
    if status == "ACCEPTED" {
        room.after(SUBSCRIBED_AFTER, "request_accepted", text(request, "id"));
    }
}

/// `AcceptSubscriptionRequest`.
pub(super) fn accept(call: &Call<'_>) -> Reply {
    decided(call, "ACCEPTED")
}

/// `RejectSubscriptionRequest`.
pub(super) fn reject(call: &Call<'_>) -> Reply {
    decided(call, "REJECTED")
}

/// A decision: by who works in, or is a steward of, the project that owns the listing. What IAM
/// allows, and being a member of the project that asks, does not count.
fn decided(call: &Call<'_>, status: &str) -> Reply {
    let visit = Visit::enter(call)?;
    let mut request = visit.room.get(REQUEST, call.text("identifier"))?;
    let (_, user) = project_for(&visit, text(&request, "_owner"), Standing::Steward)?;
    if text(&request, "status") != "PENDING" {
        return Err(conflict(format!(
            "SubscriptionRequest {} is already {}",
            text(&request, "id"),
            text(&request, "status")
        )));
    }
    let listed = visit
        .room
        .find(LISTING, text(&request, "_listing"))
        .is_some_and(|listing| text(&listing, "status") == "ACTIVE");
    if status == "ACCEPTED" && !listed {
        return Err(conflict("The listing is not active any more"));
    }
    copy(call.input, &mut request, &["decisionComment"]);
    decide(&visit.room, &mut request, status, &user);
    visit.room.put(REQUEST, &request);
    Ok(request)
}

/// `GetSubscriptionRequestDetails`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let request = visit.room.get(REQUEST, call.text("identifier"))?;
    match concerns(&visit.room, &request, &user) {
        true => Ok(request),
        false => Err(denied(call)),
    }
}

/// Whether a user is a member of one of the two projects of a request or subscription.
pub(super) fn concerns(room: &Room<'_>, document: &Value, user: &str) -> bool {
    ["_project", "_owner"].into_iter().any(|member| {
        room.find(PROJECT, text(document, member))
            .is_some_and(|project| stands(&project, user, Standing::Member))
    })
}

/// `ListSubscriptionRequests`: pending ones, unless another status is asked for.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let filters = [
        ("subscribedListingId", "_listing"),
        ("owningProjectId", "_project"),
        ("approverProjectId", "_owner"),
        ("owningUserId", "createdBy"),
    ];
    require_filter(call, &filters)?;
    let mut items = visit.room.list(REQUEST);
    items.retain(|request| concerns(&visit.room, request, &user));
    for (filter, member) in filters {
        keep_equal(call, &mut items, filter, member);
    }
    let status = match call.text("status") {
        "" => "PENDING",
        status => status,
    };
    items.retain(|request| text(request, "status") == status);
    sorted(call, &mut items);
    page(call, "items", items, 50)
}

/// Refuses a list without any of its filters.
pub(super) fn require_filter(call: &Call<'_>, filters: &[(&str, &str)]) -> Result<(), AwsFault> {
    match filters.iter().any(|(filter, _)| !call.text(filter).is_empty()) {
        true => Ok(()),
        false => {
            let names: Vec<&str> = filters.iter().map(|(filter, _)| *filter).collect();
            Err(invalid(format!("Missing required filters, one of: {}", names.join(", "))))
        }
    }
}

/// A pending request of a project in which the caller may ask for data.
fn own_pending(visit: &Visit<'_>) -> Result<(Value, String), AwsFault> {
    let request = visit.room.get(REQUEST, visit.text("identifier"))?;
    let (_, user) = project_for(visit, text(&request, "_project"), Standing::Consumer)?;
    match text(&request, "status") {
        "PENDING" => Ok((request, user)),
        status => Err(conflict(format!(
            "SubscriptionRequest {} is already {status}",
            text(&request, "id")
        ))),
    }
}

/// `UpdateSubscriptionRequest`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut request, user) = own_pending(&visit)?;
    copy(call.input, &mut request, &["requestReason"]);
    visit.touch(&mut request, &user);
    visit.room.put(REQUEST, &request);
    Ok(request)
}

/// `DeleteSubscriptionRequest`, while it is pending.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (request, _) = own_pending(&visit)?;
    visit.room.remove(REQUEST, &request);
    Ok(Value::Null)
}
