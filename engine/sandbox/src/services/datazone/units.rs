//! Domain units and their owners.
//!
//! The creator of a domain is the only owner of its root unit: nobody else, IAM administrators
//! included, can make projects in it until they own it or a policy grant says so.

use serde_json::{Value, json};

use super::room::{
    PROJECT, UNIT, Visit, conflict, copy, denied, elements, invalid, keep_equal, missing, page,
    text,
};
use super::standing::{allowed_by_policy, owns_unit, unit_for_owner};
use super::users;
use crate::services::{AwsFault, Call, Reply};

/// `CreateDomainUnit`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let parent = call.text("parentDomainUnitIdentifier");
    if visit.room.find(UNIT, parent).is_none()
        || !(owns_unit(&visit.room, parent, &user)
            || allowed_by_policy(&visit.room, parent, "CREATE_DOMAIN_UNIT", &user))
    {
        return Err(denied(call));
    }
    let name = call.text("name");
    if children(&visit, parent).iter().any(|unit| text(unit, "name") == name) {
        return Err(conflict(format!("A domain unit named {name} already exists in {parent}")));
    }
    let mut unit = visit.document(&visit.room.new_id("unit"), &user);
    unit["parentDomainUnitId"] = json!(parent);
    unit["ancestorDomainUnitIds"] = json!(ancestors(&visit, parent));
    unit["owners"] = json!([{ "user": { "userId": user } }]);
    unit["lastUpdatedBy"] = json!(user);
    copy(call.input, &mut unit, &["name", "description"]);
    visit.room.put(UNIT, &unit);
    Ok(unit)
}

fn children(visit: &Visit<'_>, parent: &str) -> Vec<Value> {
    let mut units = visit.room.list(UNIT);
    units.retain(|unit| text(unit, "parentDomainUnitId") == parent);
    units
}

/// A unit and those above it, the root last.
fn ancestors(visit: &Visit<'_>, unit: &str) -> Vec<String> {
    let mut chain = Vec::new();
    let mut here = unit.to_owned();
    while let Some(unit) = visit.room.find(UNIT, &here) {
        chain.push(here);
        here = text(&unit, "parentDomainUnitId").to_owned();
    }
    chain
}

/// `GetDomainUnit`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    visit.room.get(UNIT, call.text("identifier"))
}

/// `ListDomainUnitsForParent`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    let mut items = visit.room.list(UNIT);
    keep_equal(call, &mut items, "parentDomainUnitIdentifier", "parentDomainUnitId");
    page(call, "items", items, 50)
}

/// `UpdateDomainUnit`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut unit, user) = unit_for_owner(&visit, call.text("identifier"))?;
    copy(call.input, &mut unit, &["name", "description"]);
    visit.touch(&mut unit, &user);
    visit.room.put(UNIT, &unit);
    Ok(unit)
}

/// `DeleteDomainUnit`.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let id = call.text("identifier");
    let (unit, _) = unit_for_owner(&visit, id)?;
    if text(&unit, "parentDomainUnitId").is_empty() {
        return Err(invalid("The root domain unit goes with its domain only"));
    }
    let used = visit.room.list(PROJECT).iter().any(|project| text(project, "domainUnitId") == id);
    if used || !children(&visit, id).is_empty() {
        return Err(conflict(format!("Domain unit {id} is not empty")));
    }
    visit.room.remove(UNIT, &unit);
    Ok(json!({}))
}

/// `AddEntityOwner`.
pub(super) fn add_owner(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut unit, user) = unit_for_owner(&visit, call.text("entityIdentifier"))?;
    let owner = owner_id(&visit)?;
    if owns_unit(&visit.room, text(&unit, "id"), &owner) {
        return Err(conflict(format!("User {owner} is already an owner of the domain unit")));
    }
    if let Some(owners) = unit["owners"].as_array_mut() {
        owners.push(json!({ "user": { "userId": owner } }));
    }
    visit.touch(&mut unit, &user);
    visit.room.put(UNIT, &unit);
    Ok(json!({}))
}

/// `RemoveEntityOwner`.
pub(super) fn remove_owner(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut unit, user) = unit_for_owner(&visit, call.text("entityIdentifier"))?;
    let owner = owner_id(&visit)?;
    if !owns_unit(&visit.room, text(&unit, "id"), &owner) {
        return Err(missing("datazone/owner", &owner));
    }
    if elements(&unit, "owners").len() == 1 {
        return Err(invalid("A domain unit keeps at least one owner"));
    }
    if let Some(owners) = unit["owners"].as_array_mut() {
        owners.retain(|entry| entry["user"]["userId"] != *owner);
    }
    visit.touch(&mut unit, &user);
    visit.room.put(UNIT, &unit);
    Ok(json!({}))
}

/// `ListEntityOwners`.
pub(super) fn list_owners(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    let unit = visit.room.find(UNIT, call.text("entityIdentifier")).ok_or_else(|| denied(call))?;
    page(call, "owners", elements(&unit, "owners").to_vec(), 50)
}

fn owner_id(visit: &Visit<'_>) -> Result<String, AwsFault> {
    match text(&visit.call.input["owner"]["user"], "userIdentifier") {
        "" => Err(invalid("The sandbox has no groups: name a user as the owner")),
        user => users::find_or_add(visit, user),
    }
}
