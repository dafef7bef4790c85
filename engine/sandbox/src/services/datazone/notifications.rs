//! The inbox: what waits for a decision of the caller, and what was decided about their requests.
//!
//! Nothing is stored here: the requests themselves say it all.

use serde_json::{Value, json};

use super::room::{PROJECT, REQUEST, Visit, elements, moment, page, text};
use super::standing::{Standing, stands};
use crate::services::{Call, Reply};

/// `ListNotifications`, newest first.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let tasks = call.text("type") == "TASK";
    let mut items: Vec<Value> = visit
        .room
        .list(REQUEST)
        .iter()
        .filter(|request| tasks || text(request, "status") != "PENDING")
        .filter_map(|request| {
            let (side, standing) = match tasks {
                true => ("_owner", Standing::Steward),
                false => ("_project", Standing::Member),
            };
            let project = visit.room.find(PROJECT, text(request, side))?;
            stands(&project, &user, standing).then(|| notification(&visit, request, &project))
        })
        .collect();
    let wanted = call.text("taskStatus");
    items.retain(|item| wanted.is_empty() || text(item, "status") == wanted);
    let after = moment(call.text("afterTimestamp"));
    let before = moment(call.text("beforeTimestamp"));
    items.retain(|item| {
        let at = moment(text(item, "creationTimestamp"));
        after.is_none_or(|after| at > Some(after)) && before.is_none_or(|before| at < Some(before))
    });
    items.reverse();
    page(call, "notifications", items, 50)
}

fn notification(visit: &Visit<'_>, request: &Value, project: &Value) -> Value {
    let tasks = visit.text("type") == "TASK";
    let id = text(request, "id");
    let listing = elements(request, "subscribedListings").first().cloned().unwrap_or_default();
    let asking = &request["subscribedPrincipals"][0]["project"];
    let (title, role, at) = match (tasks, text(request, "status")) {
        (true, _) => ("Subscription request created", "PROJECT_OWNER", "createdAt"),
        (false, "ACCEPTED") => ("Subscription request accepted", "PROJECT_SUBSCRIBER", "updatedAt"),
        (false, _) => ("Subscription request rejected", "PROJECT_SUBSCRIBER", "updatedAt"),
    };
    let status = if text(request, "status") == "PENDING" { "ACTIVE" } else { "INACTIVE" };
    let mut item = json!({
        "identifier": format!("ntf-{id}"), "domainIdentifier": visit.room.domain,
        "type": visit.text("type"), "title": title,
        "message": format!(
            "{} asks for {}", text(asking, "name"), text(&listing, "name")),
        "topic": {
            "subject": title, "role": role,
            "resource": { "type": "PROJECT", "id": project["id"], "name": project["name"] },
        },
        "actionLink": format!("/domains/{}/subscription-requests/{id}", visit.room.domain),
        "creationTimestamp": request[at], "lastUpdatedTimestamp": request["updatedAt"],
        "metadata": { "subscriptionRequestId": id },
    });
    if tasks {
        item["status"] = json!(status);
    }
    item
}
