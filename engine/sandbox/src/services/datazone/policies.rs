//! Policy grants: what users may do in a domain unit, which projects may use a blueprint.

use serde_json::{Value, json};

use super::room::{
    BLUEPRINT_CONFIGURATION, POLICY_GRANT, Visit, conflict, copy, denied, invalid, page, text,
};
use super::standing::unit_for_owner;
use super::users;
use crate::services::{AwsFault, Call, Reply};

/// AWS's quota for one policy on one entity.
const MOST: usize = 20;

/// `AddPolicyGrant`.
pub(super) fn add(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = may_govern(&visit)?;
    let grantee = text(&call.input["principal"]["user"], "userIdentifier");
    if !grantee.is_empty() && users::find_profile(&visit.room, grantee).is_none() {
        return Err(invalid(format!("The user {grantee} does not exist in the domain")));
    }
    let existing = here(&visit);
    if existing.iter().any(|grant| grant["principal"] == call.input["principal"]) {
        return Err(conflict("A grant of this policy to this principal already exists"));
    }
    if existing.len() >= MOST {
        return Err(AwsFault::new(
            "ServiceQuotaExceededException",
            format!("There are {MOST} grants of {} already", call.text("policyType")),
        ));
    }
    let number = visit.room.world.next_number("datazone/policy_grant");
    let id = format!("grant{number:05}");
    let mut grant = visit.document(&id, &user);
    grant["grantId"] = json!(id);
    grant["_entityType"] = json!(call.text("entityType"));
    grant["_entity"] = json!(call.text("entityIdentifier"));
    grant["_policyType"] = json!(call.text("policyType"));
    copy(call.input, &mut grant, &["principal", "detail"]);
    visit.room.put(POLICY_GRANT, &grant);
    Ok(grant)
}

/// `RemovePolicyGrant`.
pub(super) fn remove(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    may_govern(&visit)?;
    let wanted = call.text("grantIdentifier");
    let grant = here(&visit).into_iter().find(|grant| match wanted {
        "" => grant["principal"] == call.input["principal"],
        id => text(grant, "grantId") == id,
    });
    match grant {
        Some(grant) => {
            visit.room.remove(POLICY_GRANT, &grant);
            Ok(json!({}))
        }
        None => Err(invalid("There is no such grant")),
    }
}

/// `ListPolicyGrants`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    if call.text("entityType") != "ENVIRONMENT_BLUEPRINT_CONFIGURATION" {
        visit.user()?;
    }
    page(call, "grantList", here(&visit), 25)
}

/// The grants of the policy and entity that the input names.
fn here(visit: &Visit<'_>) -> Vec<Value> {
    let mut grants = visit.room.list(POLICY_GRANT);
    grants.retain(|grant| {
        text(grant, "_entityType") == visit.text("entityType")
            && text(grant, "_entity") == visit.text("entityIdentifier")
            && text(grant, "_policyType") == visit.text("policyType")
    });
    grants
}

/// The caller's profile, when the entity is theirs to govern: a domain unit they own, or a
/// blueprint's configuration in their own account.
fn may_govern(visit: &Visit<'_>) -> Result<String, AwsFault> {
    let entity = visit.text("entityIdentifier");
    match visit.text("entityType") {
        "DOMAIN_UNIT" => unit_for_owner(visit, entity).map(|(_, user)| user),
        "ENVIRONMENT_BLUEPRINT_CONFIGURATION" => {
            let account = entity.split_once(':').map_or("", |(account, _)| account);
            let known = visit.room.find(BLUEPRINT_CONFIGURATION, entity).is_some();
            match known && account == visit.call.principal.account {
                // An associated account's administrator need not be a user of the domain.
                true => Ok(visit.user().unwrap_or_else(|_| visit.call.principal.arn.clone())),
                false => Err(denied(visit.call)),
            }
        }
        other => Err(invalid(format!("The sandbox has no policies on {other}"))),
    }
}
