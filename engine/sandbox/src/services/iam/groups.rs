//! Groups and who is in them.

use serde_json::{Value, json};

use super::entity::{
    Entity as _, below_prefix, conflict, load, page, path, refuse_duplicate, refuse_with_policies,
    save, scope,
};
use super::state::{Grants, Group, User, unique_id};
use super::users;
use crate::services::{Call, Reply};

pub(super) fn create(call: &Call<'_>) -> Reply {
    refuse_duplicate::<Group>(call)?;
    let (name, path) = (call.text("GroupName"), path(call));
    let group = Group {
        group_name: name.to_owned(),
        group_id: unique_id(call.world, "AGPA"),
        arn: format!("arn:aws:iam::{}:group{path}{name}", call.principal.account),
        path: path.to_owned(),
        create_date: call.world.now_text(),
        grants: Grants::default(),
    };
    save(call, &group);
    Ok(json!({"Group": shown(&group)}))
}

pub(super) fn get(call: &Call<'_>) -> Reply {
    let group: Group = load(call)?;
    let members = members(call, &group.group_name).iter().map(users::shown).collect();
    let mut output = page(call, "Users", members)?;
    output["Group"] = shown(&group);
    Ok(output)
}

fn members(call: &Call<'_>, group: &str) -> Vec<User> {
    let mut users: Vec<User> = call.world.list(&scope(call), User::KIND);
    users.retain(|user| user.groups.iter().any(|name| name == group));
    users
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    page(call, "Groups", below_prefix::<Group>(call).iter().map(shown).collect())
}

pub(super) fn delete(call: &Call<'_>) -> Reply {
    let group: Group = load(call)?;
    refuse_with_policies(&group.grants)?;
    if !members(call, &group.group_name).is_empty() {
        return Err(conflict("Cannot delete entity, must remove users from group first."));
    }
    call.world.delete(&scope(call), Group::KIND, &group.group_name);
    Ok(json!({}))
}

pub(super) fn add_user(call: &Call<'_>) -> Reply {
    let (group, mut user): (Group, User) = (load(call)?, load(call)?);
    if !user.groups.contains(&group.group_name) {
        user.groups.push(group.group_name);
    }
    save(call, &user);
    Ok(json!({}))
}

pub(super) fn remove_user(call: &Call<'_>) -> Reply {
    let (group, mut user): (Group, User) = (load(call)?, load(call)?);
    user.groups.retain(|name| *name != group.group_name);
    save(call, &user);
    Ok(json!({}))
}

pub(super) fn of_user(call: &Call<'_>) -> Reply {
    let user: User = load(call)?;
    let groups: Vec<Group> = call.world.list(&scope(call), Group::KIND);
    let groups = groups.iter().filter(|group| user.groups.contains(&group.group_name));
    page(call, "Groups", groups.map(shown).collect())
}

fn shown(group: &Group) -> Value {
    json!({
        "Path": group.path, "GroupName": group.group_name, "GroupId": group.group_id,
        "Arn": group.arn, "CreateDate": group.create_date,
    })
}
