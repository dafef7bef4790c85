//! What users, roles and groups have in common: to be found, listed, tagged and refused.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::state::{GROUP, Grants, Group, ROLE, Role, USER, User};
use crate::services::{AwsFault, Call, Reply};
use crate::world::Scope;

/// A user, role or group.
pub(super) trait Entity: Serialize + DeserializeOwned {
    /// Kind of document.
    const KIND: &'static str;
    /// Input member with the name.
    const NAME: &'static str;
    /// What messages call it.
    const NOUN: &'static str;

    fn name(&self) -> &str;
    fn path(&self) -> &str;
    fn grants(&self) -> &Grants;
    fn grants_mut(&mut self) -> &mut Grants;
}

/// An entity with tags.
pub(super) trait Tagged: Entity {
    fn tags(&self) -> &BTreeMap<String, String>;
    fn tags_mut(&mut self) -> &mut BTreeMap<String, String>;
}

macro_rules! entity {
    ($type:ty, $kind:expr, $member:literal, $noun:literal, $name:ident) => {
        impl Entity for $type {
            const KIND: &'static str = $kind;
            const NAME: &'static str = $member;
            const NOUN: &'static str = $noun;

            fn name(&self) -> &str {
                &self.$name
            }

            fn path(&self) -> &str {
                &self.path
            }

            fn grants(&self) -> &Grants {
                &self.grants
            }

            fn grants_mut(&mut self) -> &mut Grants {
                &mut self.grants
            }
        }
    };
}

entity!(User, USER, "UserName", "user", user_name);
entity!(Role, ROLE, "RoleName", "role", role_name);
entity!(Group, GROUP, "GroupName", "group", group_name);

impl Tagged for User {
    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.tags
    }
}

impl Tagged for Role {
    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.tags
    }
}

/// Where the caller's entities live.
pub(super) fn scope(call: &Call<'_>) -> Scope {
    Scope::global(&call.principal.account)
}

/// The entity that the input names.
pub(super) fn load<E: Entity>(call: &Call<'_>) -> Result<E, AwsFault> {
    named(call, call.text(E::NAME))
}

/// The entity with this name.
pub(super) fn named<E: Entity>(call: &Call<'_>, name: &str) -> Result<E, AwsFault> {
    call.world
        .get(&scope(call), E::KIND, name)
        .ok_or_else(|| missing(format!("The {} with name {name} cannot be found.", E::NOUN)))
}

/// Writes an entity.
pub(super) fn save<E: Entity>(call: &Call<'_>, entity: &E) {
    call.world.put(&scope(call), E::KIND, entity.name(), entity);
}

/// Refuses a name that is taken; names differ by more than case.
pub(super) fn refuse_duplicate<E: Entity>(call: &Call<'_>) -> Result<(), AwsFault> {
    let name = call.text(E::NAME);
    let all: Vec<E> = call.world.list(&scope(call), E::KIND);
    if all.iter().any(|entity| entity.name().eq_ignore_ascii_case(name)) {
        let mut noun = E::NOUN.to_owned();
        noun[..1].make_ascii_uppercase();
        return Err(AwsFault::new(
            "EntityAlreadyExists",
            format!("{noun} with name {name} already exists."),
        ));
    }
    Ok(())
}

/// `NoSuchEntity`.
pub(super) fn missing(message: String) -> AwsFault {
    AwsFault::new("NoSuchEntity", message)
}

/// `DeleteConflict`.
pub(super) fn conflict(message: &str) -> AwsFault {
    AwsFault::new("DeleteConflict", message)
}

/// The path of a new entity.
pub(super) fn path<'a>(call: &'a Call<'_>) -> &'a str {
    match call.text("Path") {
        "" => "/",
        path => path,
    }
}

/// One page of `items`, with the members that IAM pages by.
pub(super) fn page(call: &Call<'_>, member: &str, items: Vec<Value>) -> Reply {
    let size = call.input.get("MaxItems").and_then(Value::as_u64).unwrap_or(100);
    let size = usize::try_from(size).unwrap_or(100);
    let start = match call.text("Marker") {
        "" => 0,
        marker => {
            marker.parse().map_err(|_| AwsFault::new("ValidationError", "Invalid Marker."))?
        }
    };
    let more = items.len() > start + size;
    let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut output = json!({"IsTruncated": more});
    output[member] = Value::Array(items);
    if more {
        output["Marker"] = json!((start + size).to_string());
    }
    Ok(output)
}

/// Every entity of a kind below the input's `PathPrefix`, by name.
pub(super) fn below_prefix<E: Entity>(call: &Call<'_>) -> Vec<E> {
    let prefix = call.text("PathPrefix");
    let mut entities: Vec<E> = call.world.list(&scope(call), E::KIND);
    entities.retain(|entity| entity.path().starts_with(prefix));
    entities.sort_by(|one, other| one.name().cmp(other.name()));
    entities
}

/// Tags from an input's list.
pub(super) fn tags_of(input: &Value) -> BTreeMap<String, String> {
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    input
        .get("Tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|tag| (text(tag, "Key"), text(tag, "Value")))
        .collect()
}

/// Tags as an answer lists them.
pub(super) fn tag_list(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The boundary member of an answer.
pub(super) fn boundary(grants: &Grants) -> Option<Value> {
    grants
        .boundary
        .as_ref()
        .map(|arn| json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}))
}

/// Refuses to delete what still has policies.
pub(super) fn refuse_with_policies(grants: &Grants) -> Result<(), AwsFault> {
    if !grants.attached.is_empty() {
        return Err(conflict("Cannot delete entity, must detach all policies first."));
    }
    if !grants.inline.is_empty() {
        return Err(conflict("Cannot delete entity, must delete policies first."));
    }
    Ok(())
}

pub(super) fn list_tags<E: Tagged>(call: &Call<'_>) -> Reply {
    page(call, "Tags", tag_list(load::<E>(call)?.tags()))
}

pub(super) fn tag<E: Tagged>(call: &Call<'_>) -> Reply {
    let mut entity = load::<E>(call)?;
    entity.tags_mut().extend(tags_of(call.input));
    if entity.tags().len() > 50 {
        return Err(AwsFault::new(
            "LimitExceeded",
            "The number of tags has reached the maximum limit.",
        ));
    }
    save(call, &entity);
    Ok(json!({}))
}

pub(super) fn untag<E: Tagged>(call: &Call<'_>) -> Reply {
    let mut entity = load::<E>(call)?;
    for key in removed_keys(call.input) {
        entity.tags_mut().remove(key);
    }
    save(call, &entity);
    Ok(json!({}))
}

/// Keys of tags to take away.
pub(super) fn removed_keys(input: &Value) -> impl Iterator<Item = &str> {
    input.get("TagKeys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
