//! User profiles: who of IAM is known in a domain.
//!
//! There is no deletion, as in AWS: a profile can only be deactivated. The profile's id, not the
//! ARN, is what memberships, owners and authors are written with.

use serde_json::{Value, json};

use super::room::{Room, USER, Visit, denied, invalid, page, text};
use super::{association, outside};
use crate::services::{AwsFault, Call, Reply};

/// `CreateUserProfile`, by the domain's own account; of its users and of those of associated accounts.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    administrator(&visit)?;
    let arn = call.text("userIdentifier");
    if !arn.starts_with("arn:aws:iam::") {
        return Err(invalid(
            "The sandbox knows IAM users and roles only: userIdentifier is no ARN",
        ));
    }
    if find_profile(&visit.room, arn).is_some() {
        return Err(invalid(format!(
            "Cannot create a user profile for existing principalId {arn}"
        )));
    }
    let principal_id = known_principal(&visit, arn)?;
    let id = add_profile(&visit.room, arn, &principal_id, "ASSIGNED");
    visit.room.get(USER, &id)
}

/// The unique id of an IAM principal that may have a profile.
fn known_principal(visit: &Visit<'_>, arn: &str) -> Result<String, AwsFault> {
    let account = arn.split(':').nth(4).unwrap_or_default();
    if !association::holds(&visit.room, account) {
        return Err(invalid(format!("Account {account} is not associated with the domain")));
    }
    outside::principal_id(visit.room.world, arn)
        .ok_or_else(|| invalid(format!("The IAM principal {arn} does not exist")))
}

/// `GetUserProfile`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let identifier = call.text("userIdentifier");
    find_profile(&visit.room, identifier).ok_or_else(|| super::room::missing(USER, identifier))
}

/// `UpdateUserProfile`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    administrator(&visit)?;
    let identifier = call.text("userIdentifier");
    let mut profile = find_profile(&visit.room, identifier)
        .ok_or_else(|| super::room::missing(USER, identifier))?;
    profile["status"] = json!(call.text("status"));
    visit.room.put(USER, &profile);
    Ok(profile)
}

/// `SearchUserProfiles`.
pub(super) fn search(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let wanted = call.text("searchText").to_lowercase();
    let mut items = match call.text("userType") {
        "DATAZONE_USER" | "DATAZONE_IAM_USER" => visit.room.list(USER),
        _ => Vec::new(),
    };
    items
        .retain(|profile| text(&profile["details"]["iam"], "arn").to_lowercase().contains(&wanted));
    page(call, "items", items, 50)
}

/// Writes a new profile; its id is a UUID, as AWS's are.
pub(super) fn add_profile(room: &Room<'_>, arn: &str, principal_id: &str, status: &str) -> String {
    let number = room.world.next_number("datazone/user_profile");
    let id = format!("5a4db0c5-0000-4000-8000-{number:012}");
    let profile = json!({
        "id": id, "domainId": room.domain, "type": "IAM", "status": status,
        "details": { "iam": { "arn": arn, "principalId": principal_id } },
    });
    room.put(USER, &profile);
    id
}

/// The profile of an ARN.
pub(super) fn profile_of(room: &Room<'_>, arn: &str) -> Option<Value> {
    room.list(USER).into_iter().find(|profile| text(&profile["details"]["iam"], "arn") == arn)
}

/// The profile named by ARN or by its own id.
pub(super) fn find_profile(room: &Room<'_>, identifier: &str) -> Option<Value> {
    match identifier.starts_with("arn:") {
        true => profile_of(room, identifier),
        false => room.find(USER, identifier),
    }
}

/// The profile of a user who is to be made a member or owner; an IAM principal of the domain's
/// account, or of an associated one, gets one on this occasion.
pub(super) fn find_or_add(visit: &Visit<'_>, identifier: &str) -> Result<String, AwsFault> {
    if let Some(profile) = find_profile(&visit.room, identifier) {
        return match text(&profile, "status") {
            "DEACTIVATED" => Err(invalid(format!("The user {identifier} is deactivated"))),
            _ => Ok(text(&profile, "id").to_owned()),
        };
    }
    if !identifier.starts_with("arn:") {
        return Err(invalid(format!("The user {identifier} does not exist in the domain")));
    }
    let principal_id = known_principal(visit, identifier)?;
    Ok(add_profile(&visit.room, identifier, &principal_id, "ASSIGNED"))
}

/// Refuses callers of other accounts than the domain's: within it, IAM alone chooses the domain's
/// administrators.
pub(super) fn administrator(visit: &Visit<'_>) -> Result<(), AwsFault> {
    match visit.call.principal.account == visit.room.scope.account {
        true => Ok(()),
        false => Err(denied(visit.call)),
    }
}
