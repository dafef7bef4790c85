//! Secrets Manager: secrets, their versions and tags, and the window in which a deleted one returns.
//!
//! Left out: rotation, replication, putting resource policies (there never is one).

mod list;
mod password;
mod state;
mod versions;

pub(crate) use state::{create_managed, delete_managed, secret_by_arn};

use serde_json::{Value, json};
use time::Duration;

use super::{AwsFault, Call, Reply, Service};
use crate::people::hex;
use crate::world::{Due, World, timestamp};
use state::{KIND, Secret, arn_of, find, live, no_secret, save, tags_of};

/// Secrets Manager.
#[derive(Debug)]
pub(crate) struct SecretsManager;

impl Service for SecretsManager {
    fn name(&self) -> &'static str {
        "secretsmanager"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "BatchGetSecretValue",
            "CreateSecret",
            "DeleteSecret",
            "DescribeSecret",
            "GetRandomPassword",
            "GetResourcePolicy",
            "GetSecretValue",
            "ListSecretVersionIds",
            "ListSecrets",
            "PutSecretValue",
            "RestoreSecret",
            "TagResource",
            "UntagResource",
            "UpdateSecret",
            "UpdateSecretVersionStage",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "BatchGetSecretValue" => versions::batch_get(call),
            "CreateSecret" => create(call),
            "DeleteSecret" => delete(call),
            "DescribeSecret" => describe(call),
            "GetRandomPassword" => password::random(call),
            "GetResourcePolicy" => resource_policy(call),
            "GetSecretValue" => versions::get(call),
            "ListSecretVersionIds" => versions::list(call),
            "ListSecrets" => list::secrets(call),
            "PutSecretValue" => versions::put(call),
            "RestoreSecret" => restore(call),
            "TagResource" => tag(call),
            "UntagResource" => untag(call),
            "UpdateSecret" => update(call),
            "UpdateSecretVersionStage" => versions::move_stage(call),
            other => Err(AwsFault::new("InvalidRequestException", format!("{other} is not valid"))),
        }
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        let Some(name) = due.event["purge"].as_str() else { return };
        let scheduled = world
            .get::<Secret>(&due.scope, KIND, name)
            .and_then(|secret| secret.deletion)
            .is_some_and(|deletion| due.event["at"] == deletion.purge.as_str());
        if scheduled {
            world.delete(&due.scope, KIND, name);
        }
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        let (name, id) = (call.text("Name"), call.text("SecretId"));
        if !id.is_empty() {
            return match find(call, id) {
                Some((_, secret)) => secret.arn,
                None if id.starts_with("arn:") => id.to_owned(),
                None => arn_of(&call.scope(), id, "000000"),
            };
        }
        if name.is_empty() { "*".to_owned() } else { arn_of(&call.scope(), name, "000000") }
    }

    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        find(call, call.text("SecretId"))
            .map(|(_, secret)| secret.tags.into_iter().collect())
            .unwrap_or_default()
    }

    fn condition_keys(&self, call: &Call<'_>) -> Vec<(String, String)> {
        [("secretsmanager:Name", "Name"), ("secretsmanager:SecretId", "SecretId")]
            .into_iter()
            .filter(|(_, member)| !call.text(member).is_empty())
            .map(|(key, member)| (key.to_owned(), call.text(member).to_owned()))
            .collect()
    }
}

fn create(call: &Call<'_>) -> Reply {
    let (scope, name) = (call.scope(), call.text("Name"));
    if let Some(existing) = call.world.get::<Secret>(&scope, KIND, name) {
        return Err(match existing.deletion {
            Some(_) => AwsFault::new(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already scheduled \
                 for deletion.",
            ),
            None => AwsFault::new(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            ),
        });
    }
    let now = call.world.now_text();
    let mut secret = Secret::new(call.world, &scope, name);
    secret.description = call.input.get("Description").and_then(Value::as_str).map(str::to_owned);
    secret.kms_key_id = call.input.get("KmsKeyId").and_then(Value::as_str).map(str::to_owned);
    secret.tags = tags_of(call.input);
    secret.changed = now;
    let mut output = json!({"ARN": secret.arn, "Name": name});
    if let Some(value) = versions::value_of(call)? {
        let id = secret.add_version(call.world, call.text("ClientRequestToken"), value);
        output["VersionId"] = json!(id);
    }
    save(call.world, &scope, &secret);
    Ok(output)
}

fn describe(call: &Call<'_>) -> Reply {
    let (_, secret) = find(call, call.text("SecretId")).ok_or_else(no_secret)?;
    Ok(shown(&secret, "VersionIdsToStages"))
}

/// No secret has a policy of its own.
fn resource_policy(call: &Call<'_>) -> Reply {
    let (_, secret) = live(call)?;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

/// A secret as DescribeSecret and ListSecrets show it; they differ in one member's name.
fn shown(secret: &Secret, stages_member: &str) -> Value {
    let mut shown = json!({
        "ARN": secret.arn, "Name": secret.name, "LastChangedDate": secret.changed,
        "CreatedDate": secret.created,
        "Tags": secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect::<Vec<_>>(),
    });
    let stages: serde_json::Map<String, Value> = secret
        .versions
        .iter()
        .filter(|version| !version.stages.is_empty())
        .map(|version| (version.id.clone(), json!(version.stages)))
        .collect();
    if !stages.is_empty() {
        shown[stages_member] = Value::Object(stages);
    }
    let optional = [
        ("Description", &secret.description),
        ("KmsKeyId", &secret.kms_key_id),
        ("OwningService", &secret.owning_service),
    ];
    for (member, value) in optional {
        if let Some(value) = value {
            shown[member] = json!(value);
        }
    }
    if let Some(deletion) = &secret.deletion {
        shown["DeletedDate"] = json!(deletion.asked);
    }
    shown
}

fn delete(call: &Call<'_>) -> Reply {
    let force =
        call.input.get("ForceDeleteWithoutRecovery").and_then(Value::as_bool).unwrap_or(false);
    let window = call.input.get("RecoveryWindowInDays").and_then(Value::as_i64);
    if force && window.is_some() {
        return Err(AwsFault::new(
            "InvalidParameterException",
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let days = window.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(AwsFault::new(
            "InvalidParameterException",
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    let (scope, mut secret) = find(call, call.text("SecretId")).ok_or_else(no_secret)?;
    refuse_managed(&secret)?;
    let now = call.now();
    if force {
        call.world.delete(&scope, KIND, &secret.name);
        call.world.remember(&scope, "secretsmanager/deleted_secret", &json!({"arn": secret.arn}));
        return Ok(json!({
            "ARN": secret.arn, "Name": secret.name, "DeletionDate": timestamp(now),
        }));
    }
    let purge_at = now + Duration::days(days);
    let purge = timestamp(purge_at);
    if secret.deletion.is_none() {
        secret.deletion = Some(state::Deletion { asked: timestamp(now), purge: purge.clone() });
        call.world.schedule(
            purge_at,
            "secretsmanager",
            &scope,
            &json!({"purge": secret.name, "at": purge}),
        );
        save(call.world, &scope, &secret);
    }
    let purge = secret.deletion.as_ref().map_or(purge, |deletion| deletion.purge.clone());
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": purge}))
}

fn restore(call: &Call<'_>) -> Reply {
    let (scope, mut secret) = find(call, call.text("SecretId")).ok_or_else(no_secret)?;
    secret.deletion = None;
    save(call.world, &scope, &secret);
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

fn update(call: &Call<'_>) -> Reply {
    let (scope, mut secret) = live(call)?;
    refuse_managed(&secret)?;
    if let Some(description) = call.input.get("Description").and_then(Value::as_str) {
        secret.description = Some(description.to_owned());
    }
    if let Some(key) = call.input.get("KmsKeyId").and_then(Value::as_str) {
        secret.kms_key_id = Some(key.to_owned());
    }
    let mut output = json!({"ARN": secret.arn, "Name": secret.name});
    if let Some(value) = versions::value_of(call)? {
        let id = secret.add_version(call.world, call.text("ClientRequestToken"), value);
        output["VersionId"] = json!(id);
    }
    secret.changed = call.world.now_text();
    save(call.world, &scope, &secret);
    Ok(output)
}

fn tag(call: &Call<'_>) -> Reply {
    let (scope, mut secret) = live(call)?;
    secret.tags.extend(tags_of(call.input));
    save(call.world, &scope, &secret);
    Ok(json!({}))
}

fn untag(call: &Call<'_>) -> Reply {
    let (scope, mut secret) = live(call)?;
    let keys = call.input.get("TagKeys").and_then(Value::as_array);
    for key in keys.into_iter().flatten().filter_map(Value::as_str) {
        secret.tags.remove(key);
    }
    save(call.world, &scope, &secret);
    Ok(json!({}))
}

/// A secret that a service owns is the service's to change.
fn refuse_managed(secret: &Secret) -> Result<(), AwsFault> {
    match &secret.owning_service {
        None => Ok(()),
        Some(owner) => Err(AwsFault::new(
            "InvalidRequestException",
            format!("You can't modify or delete this secret because it is managed by {owner}."),
        )),
    }
}

/// Six characters that AWS would choose by chance.
fn suffix(seed: &str) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let digits = hex(seed, 24);
    (0..6)
        .map(|index| {
            let four = digits.get(index * 4..index * 4 + 4).unwrap_or("0");
            let number = usize::from_str_radix(four, 16).unwrap_or(0);
            char::from(ALPHABET[number % ALPHABET.len()])
        })
        .collect()
}
