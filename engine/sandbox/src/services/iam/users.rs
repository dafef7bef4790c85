//! Users.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::entity::{
    Entity as _, below_prefix, boundary, conflict, load, named, page, path, refuse_duplicate,
    refuse_with_policies, save, scope, tag_list, tags_of,
};
use super::grants::checked_boundary;
use super::state::{Grants, User, unique_id};
use crate::people;
use crate::people::PrincipalKind;
use crate::services::{AwsFault, Call, Reply};

pub(super) fn create(call: &Call<'_>) -> Reply {
    refuse_duplicate::<User>(call)?;
    let (name, path) = (call.text("UserName"), path(call));
    let user = User {
        user_name: name.to_owned(),
        user_id: unique_id(call.world, "AIDA"),
        arn: format!("arn:aws:iam::{}:user{path}{name}", call.principal.account),
        path: path.to_owned(),
        create_date: call.world.now_text(),
        grants: Grants { boundary: checked_boundary(call)?, ..Grants::default() },
        groups: Vec::new(),
        login: None,
        tags: tags_of(call.input),
    };
    save(call, &user);
    Ok(json!({"User": shown(&user)}))
}

pub(super) fn get(call: &Call<'_>) -> Reply {
    Ok(json!({"User": shown(&target(call)?)}))
}

/// The user that the input names, or the caller.
pub(super) fn target(call: &Call<'_>) -> Result<User, AwsFault> {
    match (call.text(User::NAME), call.principal.kind) {
        ("", PrincipalKind::User) => named(call, &call.principal.name),
        ("", _) => Err(AwsFault::new(
            "ValidationError",
            "Must specify userName when calling with non-User credentials",
        )),
        _ => load(call),
    }
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let users = below_prefix::<User>(call);
    page(call, "Users", users.iter().map(|user| without_tags(shown(user))).collect())
}

pub(super) fn update(call: &Call<'_>) -> Reply {
    let mut user: User = load(call)?;
    let old_name = user.user_name.clone();
    if !call.text("NewPath").is_empty() {
        call.text("NewPath").clone_into(&mut user.path);
    }
    let new_name = call.text("NewUserName");
    if !new_name.is_empty() && new_name != old_name {
        if call.world.get::<User>(&scope(call), User::KIND, new_name).is_some() {
            return Err(AwsFault::new(
                "EntityAlreadyExists",
                format!("User with name {new_name} already exists."),
            ));
        }
        new_name.clone_into(&mut user.user_name);
        call.world.delete(&scope(call), User::KIND, &old_name);
        for mut key in people::access_keys(call.world, &call.principal.account, &old_name) {
            new_name.clone_into(&mut key.holder);
            people::put_key(call.world, &key);
        }
    }
    user.arn =
        format!("arn:aws:iam::{}:user{}{}", call.principal.account, user.path, user.user_name);
    save(call, &user);
    Ok(json!({}))
}

pub(super) fn delete(call: &Call<'_>) -> Reply {
    let user: User = load(call)?;
    refuse_with_policies(&user.grants)?;
    if user.login.is_some() {
        return Err(conflict("Cannot delete entity, must delete login profile first."));
    }
    if !people::access_keys(call.world, &call.principal.account, &user.user_name).is_empty() {
        return Err(conflict("Cannot delete entity, must delete access keys first."));
    }
    if !user.groups.is_empty() {
        return Err(conflict("Cannot delete entity, must remove users from group first."));
    }
    call.world.delete(&scope(call), User::KIND, &user.user_name);
    call.world.remember(&scope(call), "iam/deleted_user", &json!({"arn": user.arn}));
    Ok(json!({}))
}

/// A user as answers show it.
pub(super) fn shown(user: &User) -> Value {
    let mut shown = json!({
        "Path": user.path, "UserName": user.user_name, "UserId": user.user_id, "Arn": user.arn,
        "CreateDate": user.create_date,
    });
    if let Some(boundary) = boundary(&user.grants) {
        shown["PermissionsBoundary"] = boundary;
    }
    with_tags(&mut shown, &user.tags);
    shown
}

/// Adds the tags, when there are any.
pub(super) fn with_tags(shown: &mut Value, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        shown["Tags"] = Value::Array(tag_list(tags));
    }
}

/// Lists leave out tags and boundary.
pub(super) fn without_tags(mut shown: Value) -> Value {
    if let Some(object) = shown.as_object_mut() {
        object.remove("Tags");
        object.remove("PermissionsBoundary");
    }
    shown
}
