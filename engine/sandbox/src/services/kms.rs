//! KMS: keys with their policies, states, aliases, grants and tags.
//!
//! There is no cryptography: a key is something that other resources refer to and that a policy lets
//! somebody use. A key's policy decides first, as in KMS: where it names only the account, the
//! account's own IAM policies decide. Left out: other kinds of keys than symmetric ones, imported
//! material, replicas, rotation.

mod grants;
mod policy;
mod state;

pub(crate) use policy::{User, usable};

use serde_json::{Value, json};
use time::Duration;

use super::pages::{Paging, texts};
use super::{AwsFault, Call, Reply, Service};
use crate::world::{Due, World, timestamp};
use state::{ALIAS, Alias, KEY, Key, find, load, not_found, shown, tag_list, tags_of};

/// Key Management Service.
#[derive(Debug)]
pub(crate) struct Kms;

/// How KMS pages.
const PAGES: Paging = Paging {
    size: "Limit",
    token: "Marker",
    next: "NextMarker",
    most: 100,
    error: "InvalidMarkerException",
};

/// The name that every key's only policy has.
const POLICY_NAME: &str = "default";

impl Service for Kms {
    fn name(&self) -> &'static str {
        "kms"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "CancelKeyDeletion",
            "CreateAlias",
            "CreateGrant",
            "CreateKey",
            "DeleteAlias",
            "DescribeKey",
            "DisableKey",
            "EnableKey",
            "GetKeyPolicy",
            "ListAliases",
            "ListGrants",
            "ListKeyPolicies",
            "ListKeys",
            "ListResourceTags",
            "PutKeyPolicy",
            "RevokeGrant",
            "ScheduleKeyDeletion",
            "TagResource",
            "UntagResource",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "CancelKeyDeletion" => cancel_deletion(call),
            "CreateAlias" => create_alias(call),
            "CreateGrant" => grants::create(call),
            "CreateKey" => create(call),
            "DeleteAlias" => delete_alias(call),
            "DescribeKey" => Ok(json!({"KeyMetadata": shown(&load(call)?.1)})),
            "DisableKey" => enable(call, false),
            "EnableKey" => enable(call, true),
            "GetKeyPolicy" => {
                let (_, key) = load(call)?;
                Ok(json!({"Policy": key.policy, "PolicyName": POLICY_NAME}))
            }
            "ListAliases" => list_aliases(call),
            "ListGrants" => grants::list(call),
            "ListKeyPolicies" => {
                load(call)?;
                page(call, "PolicyNames", vec![json!(POLICY_NAME)])
            }
            "ListKeys" => list(call),
            "ListResourceTags" => {
                let (_, key) = load(call)?;
                page(call, "Tags", tag_list(&key.tags))
            }
            "PutKeyPolicy" => put_policy(call),
            "RevokeGrant" => grants::revoke(call),
            "ScheduleKeyDeletion" => schedule_deletion(call),
            "TagResource" => tag(call),
            "UntagResource" => untag(call),
            other => Err(AwsFault::new("UnsupportedOperationException", other)),
        }
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        let Some(id) = due.event["key"].as_str() else { return };
        let Some(key) = world.get::<Key>(&due.scope, KEY, id) else { return };
        if key.deletion.as_deref() != due.event["at"].as_str() {
            return;
        }
        world.delete(&due.scope, KEY, id);
        for alias in world.list::<Alias>(&due.scope, ALIAS) {
            if alias.key == id {
                world.delete(&due.scope, ALIAS, &alias.name);
            }
        }
        world.remember(&due.scope, "kms/deleted_key", &json!({"arn": key.arn}));
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        find(call, key_of(call)).map_or_else(|| "*".to_owned(), |(_, key)| key.arn)
    }

    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        find(call, key_of(call)).map(|(_, key)| key.tags.into_iter().collect()).unwrap_or_default()
    }

    fn decides_access(&self, call: &Call<'_>) -> bool {
        find(call, key_of(call)).is_some()
    }
}

/// The key that a call names.
fn key_of<'a>(call: &'a Call<'_>) -> &'a str {
    match call.text("KeyId") {
        "" => call.text("TargetKeyId"),
        id => id,
    }
}

/// One page of a list, with the member that says whether there is more.
fn page(call: &Call<'_>, member: &str, items: Vec<Value>) -> Reply {
    let mut answer = PAGES.page(call, member, items)?;
    answer["Truncated"] = json!(answer.get(PAGES.next).is_some());
    Ok(answer)
}

fn create(call: &Call<'_>) -> Reply {
    let given = |member: &str, only: &str| match call.text(member) {
        "" => Ok(()),
        value if value == only => Ok(()),
        other => Err(AwsFault::new(
            "UnsupportedOperationException",
            format!("The sandbox has keys of {member} {only} only, and not {other}."),
        )),
    };
    given("KeyUsage", "ENCRYPT_DECRYPT")?;
    given("KeySpec", "SYMMETRIC_DEFAULT")?;
    given("CustomerMasterKeySpec", "SYMMETRIC_DEFAULT")?;
    given("Origin", "AWS_KMS")?;
    let scope = call.scope();
    let mut key = Key::new(call.world, &scope);
    call.text("Description").clone_into(&mut key.description);
    key.tags = tags_of(call.input);
    if !call.text("Policy").is_empty() {
        key.policy = policy::checked(call, &key.arn)?;
    }
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({"KeyMetadata": shown(&key)}))
}

fn put_policy(call: &Call<'_>) -> Reply {
    let (scope, mut key) = load(call)?;
    if !matches!(call.text("PolicyName"), "" | POLICY_NAME) {
        return Err(not_found(&format!("The policy {}", call.text("PolicyName"))));
    }
    key.policy = policy::checked(call, &key.arn)?;
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({}))
}

fn enable(call: &Call<'_>, enabled: bool) -> Reply {
    let (scope, mut key) = load(call)?;
    refuse_deleted(&key)?;
    key.enabled = enabled;
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({}))
}

fn refuse_deleted(key: &Key) -> Result<(), AwsFault> {
    match key.deletion {
        None => Ok(()),
        Some(_) => Err(AwsFault::new(
            "KMSInvalidStateException",
            format!("{} is pending deletion.", key.arn),
        )),
    }
}

fn schedule_deletion(call: &Call<'_>) -> Reply {
    let (scope, mut key) = load(call)?;
    refuse_deleted(&key)?;
    let days = call.input.get("PendingWindowInDays").and_then(Value::as_i64).unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(AwsFault::new(
            "ValidationException",
            "PendingWindowInDays must be between 7 and 30.",
        ));
    }
    let at = call.now() + Duration::days(days);
    let text = timestamp(at);
    call.world.schedule(at, "kms", &scope, &json!({"key": key.id, "at": text}));
    key.enabled = false;
    key.deletion = Some(text.clone());
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({
        "KeyId": key.arn, "DeletionDate": text, "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

/// A key whose deletion is taken back stays disabled.
fn cancel_deletion(call: &Call<'_>) -> Reply {
    let (scope, mut key) = load(call)?;
    if key.deletion.take().is_none() {
        return Err(AwsFault::new(
            "KMSInvalidStateException",
            format!("{} is not pending deletion.", key.arn),
        ));
    }
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({"KeyId": key.arn}))
}

fn list(call: &Call<'_>) -> Reply {
    let keys = call.world.list::<Key>(&call.scope(), KEY);
    let shown = keys.iter().map(|key| json!({"KeyId": key.id, "KeyArn": key.arn})).collect();
    page(call, "Keys", shown)
}

fn create_alias(call: &Call<'_>) -> Reply {
    let (scope, name) = (call.scope(), call.text("AliasName"));
    let reserved = name.starts_with("alias/aws/");
    if reserved || !name.starts_with("alias/") || name.len() == "alias/".len() {
        return Err(AwsFault::new(
            "InvalidAliasNameException",
            "An alias begins with alias/, and alias/aws/ is reserved.",
        ));
    }
    if call.world.get::<Alias>(&scope, ALIAS, name).is_some() {
        return Err(AwsFault::new(
            "AlreadyExistsException",
            format!("An alias with the name {name} already exists"),
        ));
    }
    let (key_scope, key) = find(call, call.text("TargetKeyId"))
        .ok_or_else(|| not_found(&format!("Key '{}'", call.text("TargetKeyId"))))?;
    if key_scope != scope {
        return Err(not_found(&format!("Key '{}'", key.arn)));
    }
    policy::require(call, &key)?;
    refuse_deleted(&key)?;
    let now = call.world.now_text();
    let alias = Alias { name: name.to_owned(), key: key.id, created: now };
    call.world.put(&scope, ALIAS, name, &alias);
    Ok(json!({}))
}

fn delete_alias(call: &Call<'_>) -> Reply {
    let (scope, name) = (call.scope(), call.text("AliasName"));
    if !call.world.delete(&scope, ALIAS, name) {
        return Err(not_found(&format!("Alias {}", state::alias_arn(&scope, name))));
    }
    Ok(json!({}))
}

fn list_aliases(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let mut aliases = call.world.list::<Alias>(&scope, ALIAS);
    if !call.text("KeyId").is_empty() {
        let (_, key) = load(call)?;
        aliases.retain(|alias| alias.key == key.id);
    }
    let shown = aliases
        .iter()
        .map(|alias| {
            json!({
                "AliasName": alias.name, "AliasArn": state::alias_arn(&scope, &alias.name),
                "TargetKeyId": alias.key, "CreationDate": alias.created,
                "LastUpdatedDate": alias.created,
            })
        })
        .collect();
    page(call, "Aliases", shown)
}

fn tag(call: &Call<'_>) -> Reply {
    let (scope, mut key) = load(call)?;
    refuse_deleted(&key)?;
    key.tags.extend(tags_of(call.input));
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({}))
}

fn untag(call: &Call<'_>) -> Reply {
    let (scope, mut key) = load(call)?;
    refuse_deleted(&key)?;
    for name in texts(call.input, "TagKeys") {
        key.tags.remove(&name);
    }
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({}))
}
