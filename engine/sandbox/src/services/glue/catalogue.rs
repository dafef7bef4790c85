//! What belongs to the catalogue as a whole: its encryption, its policy, the tags of what is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::state::{Database, DatabaseRef, database};
use super::{catalog, invalid, not_found};
use crate::access::policy::malformed;
use crate::people;
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};

const SETTINGS: &str = "glue/settings";
const ENCRYPTION: &str = "encryption";
const POLICY: &str = "policy";

/// The policy of a catalogue.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Policy {
    text: String,
    created: String,
    updated: String,
}

impl Policy {
    fn hash(&self) -> String {
        people::hex(&self.text, 32)
    }
}

pub(super) fn answer(call: &Call<'_>) -> Reply {
    match call.operation {
        "GetCatalogImportStatus" => Ok(json!({"ImportStatus": {"ImportCompleted": true}})),
        "GetDataCatalogEncryptionSettings" => Ok(encryption(call)),
        "PutDataCatalogEncryptionSettings" => put_encryption(call),
        "GetResourcePolicy" => policy(call),
        "PutResourcePolicy" => put_policy(call),
        "DeleteResourcePolicy" => delete_policy(call),
        "GetTags" => Ok(json!({"Tags": tagged(call)?.tags})),
        "TagResource" => tag(call),
        "UntagResource" => untag(call),
        other => Err(AwsFault::new("NotImplementedInSandbox", other)),
    }
}

fn encryption(call: &Call<'_>) -> Value {
    let stored = call.world.get::<Value>(&catalog(call), SETTINGS, ENCRYPTION);
    let settings = stored.unwrap_or_else(|| {
        json!({
            "EncryptionAtRest": {"CatalogEncryptionMode": "DISABLED"},
            "ConnectionPasswordEncryption": {"ReturnConnectionPasswordEncrypted": false},
        })
    });
    json!({"DataCatalogEncryptionSettings": settings})
}

fn put_encryption(call: &Call<'_>) -> Reply {
    let settings = call.input.get("DataCatalogEncryptionSettings").unwrap_or(&Value::Null);
    call.world.put(&catalog(call), SETTINGS, ENCRYPTION, settings);
    Ok(json!({}))
}

fn stored_policy(call: &Call<'_>) -> Result<Policy, AwsFault> {
    call.world
        .get::<Policy>(&call.scope(), SETTINGS, POLICY)
        .ok_or_else(|| not_found("Policy not found"))
}

fn policy(call: &Call<'_>) -> Reply {
    let policy = stored_policy(call)?;
    Ok(json!({
        "PolicyInJson": policy.text, "PolicyHash": policy.hash(), "CreateTime": policy.created,
        "UpdateTime": policy.updated,
    }))
}

fn put_policy(call: &Call<'_>) -> Reply {
    let text = call.text("PolicyInJson").to_owned();
    if let Some(wrong) = malformed(&text) {
        return Err(invalid(wrong));
    }
    let known = stored_policy(call).ok();
    check_hash(call, known.as_ref())?;
    match (call.text("PolicyExistsCondition"), &known) {
        ("MUST_EXIST", None) => return Err(not_found("Policy not found")),
        ("NOT_EXIST", Some(_)) => {
            return Err(AwsFault::new("ConditionCheckFailureException", "The policy exists."));
        }
        _ => {}
    }
    let now = call.world.now_text();
    let policy = match known {
        Some(known) if known.text == text => known,
        Some(known) => Policy { text, updated: now, ..known },
        None => Policy { text, created: now.clone(), updated: now },
    };
    call.world.put(&call.scope(), SETTINGS, POLICY, &policy);
    Ok(json!({"PolicyHash": policy.hash()}))
}

fn check_hash(call: &Call<'_>, known: Option<&Policy>) -> Result<(), AwsFault> {
    let wanted = call.text("PolicyHashCondition");
    match wanted.is_empty() || known.is_some_and(|known| known.hash() == wanted) {
        true => Ok(()),
        false => Err(AwsFault::new(
            "ConditionCheckFailureException",
            "The policy is another one than the hash says.",
        )),
    }
}

fn delete_policy(call: &Call<'_>) -> Reply {
    let known = stored_policy(call)?;
    check_hash(call, Some(&known))?;
    call.world.delete(&call.scope(), SETTINGS, POLICY);
    Ok(json!({}))
}

/// The database whose ARN a call names: nothing else here has tags.
fn tagged(call: &Call<'_>) -> Result<Database, AwsFault> {
    let arn = call.text("ResourceArn");
    let name = arn.rsplit_once(":database/").map(|(_, name)| name);
    name.map(|name| DatabaseRef::new(&call.scope(), name))
        .filter(|reference| reference.arn() == arn)
        .and_then(|reference| database(call.world, &reference))
        .ok_or_else(|| not_found(format!("Resource {arn} not found.")))
}

fn tag(call: &Call<'_>) -> Reply {
    let mut known = tagged(call)?;
    let given = call.input.get("TagsToAdd").and_then(Value::as_object);
    let added: BTreeMap<String, String> = given
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    known.tags.extend(added);
    known.save(call.world);
    Ok(json!({}))
}

fn untag(call: &Call<'_>) -> Reply {
    let mut known = tagged(call)?;
    for key in texts(call.input, "TagsToRemove") {
        known.tags.remove(&key);
    }
    known.save(call.world);
    Ok(json!({}))
}
