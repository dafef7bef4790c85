//! Values of secrets and their stages.

use serde_json::{Value, json};

use super::state::{Secret, SecretValue, Version, find, live, no_secret, save};
use crate::access;
use crate::services::{AwsFault, Call, Reply};

/// The value that an input carries, in one of its two forms.
pub(super) fn value_of(call: &Call<'_>) -> Result<Option<SecretValue>, AwsFault> {
    let text = call.input.get("SecretString").and_then(Value::as_str);
    let bytes = call.input.get("SecretBinary").and_then(Value::as_str);
    match (text, bytes) {
        (Some(_), Some(_)) => Err(AwsFault::new(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same \
             secret.",
        )),
        (Some(text), None) => Ok(Some(SecretValue::Text(text.to_owned()))),
        (None, Some(bytes)) => Ok(Some(SecretValue::Bytes(bytes.to_owned()))),
        (None, None) => Ok(None),
    }
}

pub(super) fn put(call: &Call<'_>) -> Reply {
    let (scope, mut secret) = live(call)?;
    super::refuse_managed(&secret)?;
    let value = value_of(call)?.ok_or_else(|| {
        AwsFault::new(
            "InvalidRequestException",
            "You must provide either SecretString or SecretBinary.",
        )
    })?;
    let token = call.text("ClientRequestToken");
    if let Some(version) = secret.versions.iter().find(|version| version.id == token) {
        return same_version(&secret, version, &value);
    }
    let stages: Vec<String> = stages(call);
    let id = if stages.is_empty() || stages.iter().any(|stage| stage == "AWSCURRENT") {
        secret.add_version(call.world, token, value)
    } else {
        let id = match token {
            "" => {
                format!("5a17db0c-0000-4000-9000-{:012x}", call.world.next_number("secret version"))
            }
            token => token.to_owned(),
        };
        secret.push(call.world, &id, value, stages);
        id
    };
    secret.changed = call.world.now_text();
    save(call.world, &scope, &secret);
    let shown = secret.versions.iter().find(|version| version.id == id);
    Ok(json!({
        "ARN": secret.arn, "Name": secret.name, "VersionId": id,
        "VersionStages": shown.map(|version| version.stages.clone()).unwrap_or_default(),
    }))
}

/// A token that is already a version's id: the same value is no news, another one is refused.
fn same_version(secret: &Secret, version: &Version, value: &SecretValue) -> Reply {
    let same = match value {
        SecretValue::Text(text) => version.secret_string.as_deref() == Some(text),
        SecretValue::Bytes(bytes) => version.secret_binary.as_deref() == Some(bytes),
    };
    if !same {
        return Err(AwsFault::new(
            "ResourceExistsException",
            format!(
                "The ClientRequestToken {} is already used for a version with another value.",
                version.id
            ),
        ));
    }
    Ok(json!({
        "ARN": secret.arn, "Name": secret.name, "VersionId": version.id,
        "VersionStages": version.stages,
    }))
}

fn stages(call: &Call<'_>) -> Vec<String> {
    call.input
        .get("VersionStages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

pub(super) fn get(call: &Call<'_>) -> Reply {
    let (_, secret) = live(call)?;
    let (id, stage) = (call.text("VersionId"), call.text("VersionStage"));
    let stage = if id.is_empty() && stage.is_empty() { "AWSCURRENT" } else { stage };
    let version = secret
        .versions
        .iter()
        .find(|version| {
            (id.is_empty() || version.id == id)
                && (stage.is_empty() || version.stages.iter().any(|known| known == stage))
        })
        .ok_or_else(|| {
            let what = if stage.is_empty() {
                format!("VersionId: {id}")
            } else {
                format!("staging label: {stage}")
            };
            AwsFault::new(
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret value for {what}"),
            )
        })?;
    Ok(shown(&secret, version))
}

fn shown(secret: &Secret, version: &Version) -> Value {
    let mut shown = json!({
        "ARN": secret.arn, "Name": secret.name, "VersionId": version.id,
        "VersionStages": version.stages, "CreatedDate": version.created,
    });
    if let Some(text) = &version.secret_string {
        shown["SecretString"] = json!(text);
    }
    if let Some(bytes) = &version.secret_binary {
        shown["SecretBinary"] = json!(bytes);
    }
    shown
}

/// Values of several secrets by id; each needs the right to read it.
pub(super) fn batch_get(call: &Call<'_>) -> Reply {
    let ids = call.input.get("SecretIdList").and_then(Value::as_array).ok_or_else(|| {
        AwsFault::new(
            "InvalidParameterException",
            "the sandbox reads values by SecretIdList, not by Filters",
        )
    })?;
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids.iter().filter_map(Value::as_str) {
        match readable(call, id) {
            Ok(value) => values.push(value),
            Err(fault) => errors.push(json!({
                "SecretId": id, "ErrorCode": fault.code, "Message": fault.message,
            })),
        }
    }
    Ok(json!({"SecretValues": values, "Errors": errors}))
}

fn readable(call: &Call<'_>, id: &str) -> Result<Value, AwsFault> {
    let (_, secret) =
        find(call, id).filter(|(_, secret)| secret.deletion.is_none()).ok_or_else(no_secret)?;
    let tags: Vec<(String, String)> = secret.tags.clone().into_iter().collect();
    access::require(call, "secretsmanager:GetSecretValue", &secret.arn, &tags)?;
    secret.staged("AWSCURRENT").map(|version| shown(&secret, version)).ok_or_else(no_secret)
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let (_, secret) = find(call, call.text("SecretId")).ok_or_else(no_secret)?;
    let all = call.input.get("IncludeDeprecated").and_then(Value::as_bool).unwrap_or(false);
    let versions: Vec<Value> = secret
        .versions
        .iter()
        .filter(|version| all || !version.stages.is_empty())
        .map(|version| {
            json!({
                "VersionId": version.id, "VersionStages": version.stages,
                "CreatedDate": version.created,
            })
        })
        .collect();
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "Versions": versions}))
}

pub(super) fn move_stage(call: &Call<'_>) -> Reply {
    let (scope, mut secret) = live(call)?;
    let stage = call.text("VersionStage");
    let (from, to) = (call.text("RemoveFromVersionId"), call.text("MoveToVersionId"));
    let holder = secret.staged(stage).map(|version| version.id.clone());
    if holder.as_deref().is_some_and(|holder| holder != from && holder != to) {
        return Err(AwsFault::new(
            "InvalidParameterException",
            format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is \
                     currently attached to another version."
            ),
        ));
    }
    let stages = |secret: &Secret| -> Vec<Vec<String>> {
        secret.versions.iter().map(|version| version.stages.clone()).collect()
    };
    let before = stages(&secret);
    for version in &mut secret.versions {
        version.stages.retain(|known| known != stage);
        if stage == "AWSCURRENT" && version.id != to {
            version.stages.retain(|known| known != "AWSPREVIOUS");
        }
        if stage == "AWSCURRENT" && Some(&version.id) == holder.as_ref() && version.id != to {
            version.stages.push("AWSPREVIOUS".to_owned());
        }
    }
    if !to.is_empty() {
        let target =
            secret.versions.iter_mut().find(|version| version.id == to).ok_or_else(no_secret)?;
        target.stages.retain(|known| stage != "AWSCURRENT" || known != "AWSPREVIOUS");
        target.stages.push(stage.to_owned());
    }
    if stages(&secret) != before {
        secret.changed = call.world.now_text();
        save(call.world, &scope, &secret);
    }
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}
