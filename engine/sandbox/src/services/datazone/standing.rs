//! Who may do what inside a domain: ownership of domain units, policy grants, project membership.
//!
//! IAM decided before a call came here; DataZone then asks these questions of its own, and an IAM
//! administrator who is nobody in a project is refused like anybody else.

use serde_json::Value;

use super::room::{POLICY_GRANT, PROJECT, Room, UNIT, Visit, absent, denied, elements, flag, text};
use crate::services::AwsFault;

/// What a member of a project must be for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// An owner.
    Owner,
    /// An owner or contributor: who works in the project.
    Worker,
    /// Who may publish and decide about requests: a worker or a catalogue steward.
    Steward,
    /// Who may ask for data: a worker or a catalogue consumer.
    Consumer,
    /// Any member.
    Member,
}

impl Standing {
    fn covers(self, designation: &str) -> bool {
        match designation {
            "PROJECT_OWNER" => true,
            "PROJECT_CONTRIBUTOR" => self != Self::Owner,
            "PROJECT_CATALOG_STEWARD" => matches!(self, Self::Steward | Self::Member),
            "PROJECT_CATALOG_CONSUMER" => matches!(self, Self::Consumer | Self::Member),
            _ => self == Self::Member,
        }
    }
}

/// The designation of a user in a project, when they are a member.
pub(super) fn designation<'v>(project: &'v Value, user: &str) -> Option<&'v str> {
    elements(project, "_members")
        .iter()
        .find(|member| member["memberDetails"]["user"]["userId"] == *user)
        .map(|member| text(member, "designation"))
}

/// Whether a user has a standing in a project.
pub(super) fn stands(project: &Value, user: &str, standing: Standing) -> bool {
    designation(project, user).is_some_and(|designation| standing.covers(designation))
}

/// The project, when the caller has this standing in it; else the refusal that a project which does
/// not exist gets too.
pub(super) fn project_for(
    visit: &Visit<'_>,
    project: &str,
    standing: Standing,
) -> Result<(Value, String), AwsFault> {
    let user = visit.user()?;
    let project = visit.room.find(PROJECT, project).ok_or_else(|| absent(visit.call))?;
    let overrides = || {
        standing == Standing::Owner
            && allowed_by_policy(
                &visit.room,
                text(&project, "domainUnitId"),
                "OVERRIDE_PROJECT_OWNERS",
                &user,
            )
    };
    if stands(&project, &user, standing) || overrides() {
        return Ok((project, user));
    }
    Err(denied(visit.call))
}

/// Like [`project_for`] for reading: owners of the project's domain unit may look too.
pub(super) fn project_to_read(visit: &Visit<'_>, project: &str) -> Result<Value, AwsFault> {
    let user = visit.user()?;
    let project = visit.room.find(PROJECT, project).ok_or_else(|| absent(visit.call))?;
    if stands(&project, &user, Standing::Member)
        || owns_unit(&visit.room, text(&project, "domainUnitId"), &user)
    {
        return Ok(project);
    }
    Err(denied(visit.call))
}

/// Whether a user owns a domain unit.
pub(super) fn owns_unit(room: &Room<'_>, unit: &str, user: &str) -> bool {
    room.find(UNIT, unit).is_some_and(|unit| {
        elements(&unit, "owners").iter().any(|owner| owner["user"]["userId"] == *user)
    })
}

/// The domain unit, when the caller owns it.
pub(super) fn unit_for_owner(visit: &Visit<'_>, unit: &str) -> Result<(Value, String), AwsFault> {
    let user = visit.user()?;
    match visit.room.find(UNIT, unit) {
        Some(document) if owns_unit(&visit.room, unit, &user) => Ok((document, user)),
        _ => Err(denied(visit.call)),
    }
}

/// Whether a policy grant on a domain unit, or on one above it that covers its children, allows
/// the user something.
pub(super) fn allowed_by_policy(room: &Room<'_>, unit: &str, policy: &str, user: &str) -> bool {
    let grants = room.list(POLICY_GRANT);
    let mut here = unit.to_owned();
    let mut inherited = false;
    while !here.is_empty() {
        let allowed = grants.iter().any(|grant| {
            text(grant, "_entityType") == "DOMAIN_UNIT"
                && text(grant, "_entity") == here
                && text(grant, "_policyType") == policy
                && (!inherited || covers_children(grant))
                && names_user(room, &grant["principal"], user)
        });
        if allowed {
            return true;
        }
        here = room
            .find(UNIT, &here)
            .map(|unit| text(&unit, "parentDomainUnitId").to_owned())
            .unwrap_or_default();
        inherited = true;
    }
    false
}

fn covers_children(grant: &Value) -> bool {
    grant["detail"]
        .as_object()
        .is_some_and(|detail| detail.values().any(|terms| flag(terms, "includeChildDomainUnits")))
}

fn names_user(room: &Room<'_>, principal: &Value, user: &str) -> bool {
    let grantee = &principal["user"];
    let named = text(grantee, "userIdentifier");
    !grantee["allUsersGrantFilter"].is_null()
        || (!named.is_empty()
            && super::users::find_profile(room, named)
                .is_some_and(|profile| text(&profile, "id") == user))
}

/// Whether a project may make environment profiles from a blueprint's configuration: everybody may
/// until the first grant names who.
pub(super) fn may_use_blueprint(room: &Room<'_>, configuration: &str, project: &Value) -> bool {
    let mut grants = room.list(POLICY_GRANT);
    grants.retain(|grant| {
        text(grant, "_entityType") == "ENVIRONMENT_BLUEPRINT_CONFIGURATION"
            && text(grant, "_entity") == configuration
            && text(grant, "_policyType") == "CREATE_ENVIRONMENT_PROFILE"
    });
    grants.is_empty()
        || grants.iter().any(|grant| names_project(room, &grant["principal"], project))
}

fn names_project(room: &Room<'_>, principal: &Value, project: &Value) -> bool {
    let grantee = &principal["project"];
    if text(grantee, "projectIdentifier") == text(project, "id") {
        return true;
    }
    let filter = &grantee["projectGrantFilter"]["domainUnitFilter"];
    let unit = text(filter, "domainUnit");
    if unit.is_empty() {
        return false;
    }
    let mut here = text(project, "domainUnitId").to_owned();
    loop {
        if here == unit {
            return true;
        }
        let parent = room
            .find(UNIT, &here)
            .map(|unit| text(&unit, "parentDomainUnitId").to_owned())
            .filter(|parent| !parent.is_empty() && flag(filter, "includeChildDomainUnits"));
        match parent {
            Some(parent) => here = parent,
            None => return false,
        }
    }
}
