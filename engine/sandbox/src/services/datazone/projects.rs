//! Projects and their members.

use serde_json::{Value, json};

use super::room::{
    ASSET, ENVIRONMENT, LISTING, PROFILE, PROJECT, Room, SOURCE, SUBSCRIPTION, UNIT, Visit, copy,
    denied, elements, flag, invalid, page, text,
};
use super::standing::{
    Standing, allowed_by_policy, owns_unit, project_for, project_to_read, stands,
};
use super::users;
use crate::services::{AwsFault, Call, Reply};

/// `CreateProject`. Names are not unique, as nothing says that AWS's are.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let domain = visit.domain()?;
    let unit = match call.text("domainUnitId") {
        "" => text(&domain, "rootDomainUnitId").to_owned(),
        unit => unit.to_owned(),
    };
    let allowed = visit.room.find(UNIT, &unit).is_some()
        && (owns_unit(&visit.room, &unit, &user)
            || allowed_by_policy(&visit.room, &unit, "CREATE_PROJECT", &user));
    if !allowed {
        return Err(denied(call));
    }
    let mut project = visit.document(&visit.room.new_id("prj"), &user);
    project["projectStatus"] = json!("ACTIVE");
    project["domainUnitId"] = json!(unit);
    project["_members"] = json!([member(&user, "PROJECT_OWNER")]);
    copy(call.input, &mut project, &["name", "description", "glossaryTerms", "projectCategory"]);
    for assignment in elements(call.input, "membershipAssignments") {
        let named = users::find_or_add(&visit, member_named(assignment)?)?;
        add_member(&mut project, &named, text(assignment, "designation"))?;
    }
    visit.room.put(PROJECT, &project);
    Ok(project)
}

fn member(user: &str, designation: &str) -> Value {
    json!({ "memberDetails": { "user": { "userId": user } }, "designation": designation })
}

fn member_named(assignment: &Value) -> Result<&str, AwsFault> {
    match text(&assignment["member"], "userIdentifier") {
        "" => Err(invalid("The sandbox has no groups: name a user as the member")),
        user => Ok(user),
    }
}

fn add_member(project: &mut Value, user: &str, designation: &str) -> Result<(), AwsFault> {
    if stands(project, user, Standing::Member) {
        return Err(invalid("User is already in the project."));
    }
    if let Some(members) = project["_members"].as_array_mut() {
        members.push(member(user, designation));
    }
    Ok(())
}

/// `GetProject`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    project_to_read(&Visit::enter(call)?, call.text("identifier"))
}

/// `ListProjects`: those of the caller, and those in the domain units they own.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let user = visit.user()?;
    let mut items = visit.room.list(PROJECT);
    items.retain(|project| {
        stands(project, &user, Standing::Member)
            || owns_unit(&visit.room, text(project, "domainUnitId"), &user)
    });
    let wanted = call.text("name");
    items.retain(|project| text(project, "name").contains(wanted));
    let of = call.text("userIdentifier");
    if !of.is_empty() {
        let of = users::find_profile(&visit.room, of);
        items.retain(|project| {
            of.as_ref().is_some_and(|of| stands(project, text(of, "id"), Standing::Member))
        });
    }
    page(call, "items", items, 50)
}

/// `UpdateProject`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut project, user) = project_for(&visit, call.text("identifier"), Standing::Owner)?;
    let unit = call.text("domainUnitId");
    if !unit.is_empty() && !owns_unit(&visit.room, unit, &user) {
        return Err(denied(call));
    }
    copy(call.input, &mut project, &["name", "description", "glossaryTerms", "domainUnitId"]);
    visit.touch(&mut project, &user);
    visit.room.put(PROJECT, &project);
    Ok(project)
}

/// `DeleteProject`. Without `skipDeletionCheck` an empty project only; with it DataZone forgets the
/// contents, and what AWS resources they had stays behind.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let id = call.text("identifier");
    let (mut project, user) = project_for(&visit, id, Standing::Owner)?;
    if text(&project, "projectStatus") == "DELETING" {
        return Ok(json!({}));
    }
    if !flag(call.input, "skipDeletionCheck") {
        let left = contents(&visit.room, id);
        if !left.is_empty() {
            return Err(invalid(format!(
                "Project {id} cannot be deleted, it still has: {}",
                left.join(", ")
            )));
        }
    }
    project["projectStatus"] = json!("DELETING");
    visit.touch(&mut project, &user);
    visit.room.put(PROJECT, &project);
    visit.room.after(10, "project_gone", id);
    Ok(json!({}))
}

/// What stands in the way of a project's deletion, in words.
fn contents(room: &Room<'_>, project: &str) -> Vec<String> {
    let counted = [
        (ENVIRONMENT, "projectId", "environment"),
        (PROFILE, "projectId", "environment profile"),
        (SOURCE, "projectId", "data source"),
        (ASSET, "owningProjectId", "asset"),
        (LISTING, "_project", "listing"),
        (SUBSCRIPTION, "_project", "subscription"),
    ];
    counted
        .into_iter()
        .filter_map(|(kind, member, name)| {
            let count = room
                .list(kind)
                .iter()
                .filter(|document| text(document, member) == project && is_live(document))
                .count();
            (count > 0).then(|| format!("{count} {name}(s)"))
        })
        .collect()
}

fn is_live(document: &Value) -> bool {
    !matches!(text(document, "status"), "DELETED" | "CANCELLED" | "REVOKED" | "INACTIVE")
}

/// A deleted project goes, with what DataZone knew of its contents.
pub(super) fn gone(room: &Room<'_>, id: &str) {
    let Some(project) = room.find(PROJECT, id) else { return };
    for (kind, member) in [
        (ENVIRONMENT, "projectId"),
        (PROFILE, "projectId"),
        (SOURCE, "projectId"),
        (ASSET, "owningProjectId"),
        (LISTING, "_project"),
        (SUBSCRIPTION, "_project"),
    ] {
        for document in room.list(kind) {
            if text(&document, member) == id {
                room.remove(kind, &document);
            }
        }
    }
    room.remove(PROJECT, &project);
}

/// `CreateProjectMembership`.
pub(super) fn add_membership(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut project, user) = project_for(&visit, call.text("projectIdentifier"), Standing::Owner)?;
    let named = users::find_or_add(&visit, member_named(call.input)?)?;
    add_member(&mut project, &named, call.text("designation"))?;
    visit.touch(&mut project, &user);
    visit.room.put(PROJECT, &project);
    Ok(json!({}))
}

/// `DeleteProjectMembership`.
pub(super) fn remove_membership(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut project, user) = project_for(&visit, call.text("projectIdentifier"), Standing::Owner)?;
    let identifier = member_named(call.input)?;
    let named = users::find_profile(&visit.room, identifier)
        .map(|profile| text(&profile, "id").to_owned())
        .filter(|named| stands(&project, named, Standing::Member))
        .ok_or_else(|| invalid(format!("{identifier} is not a member of the project")))?;
    let owners = |project: &Value| {
        elements(project, "_members")
            .iter()
            .filter(|member| text(member, "designation") == "PROJECT_OWNER")
            .count()
    };
    if stands(&project, &named, Standing::Owner) && owners(&project) == 1 {
        return Err(invalid("A project keeps at least one owner"));
    }
    if let Some(members) = project["_members"].as_array_mut() {
        members.retain(|member| member["memberDetails"]["user"]["userId"] != *named);
    }
    visit.touch(&mut project, &user);
    visit.room.put(PROJECT, &project);
    Ok(json!({}))
}

/// `ListProjectMemberships`.
pub(super) fn list_memberships(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project = project_to_read(&visit, call.text("projectIdentifier"))?;
    let mut members = elements(&project, "_members").to_vec();
    if call.text("sortOrder") == "DESCENDING" {
        members.reverse();
    }
    page(call, "members", members, 50)
}
