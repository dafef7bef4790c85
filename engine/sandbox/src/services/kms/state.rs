//! The documents of KMS, and how a key is named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::policy;
use crate::services::{AwsFault, Call};
use crate::world::{Scope, World};

pub(super) const KEY: &str = "kms/key";
pub(super) const ALIAS: &str = "kms/alias";

/// One symmetric key of a customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) description: String,
    pub(super) enabled: bool,
    /// When it goes, RFC 3339.
    pub(super) deletion: Option<String>,
    /// JSON text.
    pub(super) policy: String,
    pub(super) grants: Vec<Grant>,
    pub(super) tags: BTreeMap<String, String>,
    /// RFC 3339.
    pub(super) created: String,
}

/// A grant of some of a key's operations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) name: Option<String>,
    /// ARN.
    pub(super) grantee: String,
    pub(super) retiring: Option<String>,
    pub(super) operations: Vec<String>,
    pub(super) constraints: Option<Value>,
    /// RFC 3339.
    pub(super) created: String,
}

/// Another name of a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Alias {
    /// `alias/data`.
    pub(super) name: String,
    /// Id of the key.
    pub(super) key: String,
    /// RFC 3339.
    pub(super) created: String,
}

impl Key {
    /// A new key, whose policy leaves everything to the account's own policies.
    pub(super) fn new(world: &World<'_>, scope: &Scope) -> Self {
        let id = format!("5a17db0c-0000-4000-8c00-{:012x}", world.next_number("kms/key"));
        Self {
            arn: format!("arn:aws:kms:{}:{}:key/{id}", scope.region, scope.account),
            id,
            description: String::new(),
            enabled: true,
            deletion: None,
            policy: policy::preset(&scope.account),
            grants: Vec::new(),
            tags: BTreeMap::new(),
            created: world.now_text(),
        }
    }
}

/// The key that an id, an ARN or an alias means for somebody who looks from `scope`.
pub(super) fn find_in(world: &World<'_>, scope: &Scope, name: &str) -> Option<(Scope, Key)> {
    let (scope, name) = match name.strip_prefix("arn:aws:kms:") {
        Some(rest) => {
            let mut parts = rest.splitn(3, ':');
            let (region, account) = (parts.next()?, parts.next()?);
            (Scope::new(account, region), parts.next()?)
        }
        None => (scope.clone(), name),
    };
    let id = match name.strip_prefix("key/") {
        Some(id) => id.to_owned(),
        None if name.starts_with("alias/") => world.get::<Alias>(&scope, ALIAS, name)?.key,
        None => name.to_owned(),
    };
    let key = world.get::<Key>(&scope, KEY, &id)?;
    Some((scope, key))
}

/// The key that a call means by a name; in the region of the call.
pub(super) fn find(call: &Call<'_>, name: &str) -> Option<(Scope, Key)> {
    find_in(call.world, &call.scope(), name).filter(|(scope, _)| scope.region == call.region)
}

/// The key of `KeyId`, when the caller may do the call's operation with it.
pub(super) fn load(call: &Call<'_>) -> Result<(Scope, Key), AwsFault> {
    let name = call.text("KeyId");
    let (scope, key) = find(call, name).ok_or_else(|| not_found(&format!("Key '{name}'")))?;
    policy::require(call, &key)?;
    Ok((scope, key))
}

pub(super) fn not_found(what: &str) -> AwsFault {
    AwsFault::new("NotFoundException", format!("{what} does not exist"))
}

pub(super) fn alias_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:kms:{}:{}:{name}", scope.region, scope.account)
}

/// A key as answers show it.
pub(super) fn shown(key: &Key) -> Value {
    let state = match (&key.deletion, key.enabled) {
        (Some(_), _) => "PendingDeletion",
        (None, true) => "Enabled",
        (None, false) => "Disabled",
    };
    let mut shown = json!({
        "AWSAccountId": key.arn.split(':').nth(4), "KeyId": key.id, "Arn": key.arn,
        "CreationDate": key.created, "Enabled": key.enabled, "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": state, "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT", "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
    });
    if let Some(at) = &key.deletion {
        shown["DeletionDate"] = json!(at);
    }
    shown
}

/// Tags from an input.
pub(super) fn tags_of(input: &Value) -> BTreeMap<String, String> {
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    let tags = input.get("Tags").and_then(Value::as_array);
    tags.into_iter().flatten().map(|tag| (text(tag, "TagKey"), text(tag, "TagValue"))).collect()
}

pub(super) fn tag_list(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect()
}
