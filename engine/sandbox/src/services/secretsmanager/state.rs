//! The documents of Secrets Manager, and what other services read and write of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::services::{AwsFault, Call};
use crate::world::{Scope, World};

pub(super) const KIND: &str = "secretsmanager/secret";
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// One secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) kms_key_id: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Oldest first.
    pub(super) versions: Vec<Version>,
    /// RFC 3339.
    pub(super) created: String,
    /// RFC 3339.
    pub(super) changed: String,
    pub(super) deletion: Option<Deletion>,
    /// `redshift`, for a secret that a service made for itself.
    pub(super) owning_service: Option<String>,
}

/// One version of a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) stages: Vec<String>,
    pub(super) secret_string: Option<String>,
    /// Base64.
    pub(super) secret_binary: Option<String>,
    /// RFC 3339.
    pub(super) created: String,
}

/// A deletion that can still be taken back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Deletion {
    /// When it was asked for, RFC 3339.
    pub(super) asked: String,
    /// When the secret goes, RFC 3339.
    pub(super) purge: String,
}

/// The value of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretValue {
    Text(String),
    /// Base64.
    Bytes(String),
}

impl Secret {
    pub(super) fn new(world: &World<'_>, scope: &Scope, name: &str) -> Self {
        let seed =
            format!("{}/{}/{name}/{}", scope.account, scope.region, world.next_number("secret"));
        Self {
            arn: arn_of(scope, name, &super::suffix(&seed)),
            name: name.to_owned(),
            description: None,
            kms_key_id: None,
            tags: BTreeMap::new(),
            versions: Vec::new(),
            created: world.now_text(),
            changed: world.now_text(),
            deletion: None,
            owning_service: None,
        }
    }

    /// Adds a version as the current one; its id, the token or one made here, comes back.
    pub(super) fn add_version(
        &mut self,
        world: &World<'_>,
        token: &str,
        value: SecretValue,
    ) -> String {
        let id = match token {
            "" => format!("5a17db0c-0000-4000-9000-{:012x}", world.next_number("secret version")),
            token => token.to_owned(),
        };
        for version in &mut self.versions {
            version.stages.retain(|stage| stage != PREVIOUS);
            if let Some(stage) = version.stages.iter_mut().find(|stage| *stage == CURRENT) {
                PREVIOUS.clone_into(stage);
            }
        }
        self.push(world, &id, value, vec![CURRENT.to_owned()]);
        id
    }

    /// Adds a version with stages, which other versions lose.
    pub(super) fn push(
        &mut self,
        world: &World<'_>,
        id: &str,
        value: SecretValue,
        stages: Vec<String>,
    ) {
        for version in &mut self.versions {
            version.stages.retain(|stage| !stages.contains(stage));
        }
        let (secret_string, secret_binary) = match value {
            SecretValue::Text(text) => (Some(text), None),
            SecretValue::Bytes(bytes) => (None, Some(bytes)),
        };
        self.versions.push(Version {
            id: id.to_owned(),
            stages,
            secret_string,
            secret_binary,
            created: world.now_text(),
        });
    }

    /// The version with a stage.
    pub(super) fn staged(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.stages.iter().any(|known| known == stage))
    }
}

/// `arn:aws:secretsmanager:…:secret:name-suffix`.
pub(super) fn arn_of(scope: &Scope, name: &str, suffix: &str) -> String {
    format!("arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}", scope.region, scope.account)
}

/// The secret that an id means: a name, an ARN, or an ARN without its last six characters.
pub(super) fn find(call: &Call<'_>, id: &str) -> Option<(Scope, Secret)> {
    let scope = call.scope();
    if let Some(secret) = call.world.get::<Secret>(&scope, KIND, id) {
        return Some((scope, secret));
    }
    let secrets: Vec<Secret> = call.world.list(&scope, KIND);
    secrets
        .into_iter()
        .find(|secret| {
            let short = secret.arn.rsplit_once('-').map_or("", |(short, _)| short);
            secret.arn == id || short == id
        })
        .map(|secret| (scope, secret))
}

/// The secret that the input means, unless it is deleted.
pub(super) fn live(call: &Call<'_>) -> Result<(Scope, Secret), AwsFault> {
    let (scope, secret) = find(call, call.text("SecretId")).ok_or_else(no_secret)?;
    if secret.deletion.is_some() {
        return Err(AwsFault::new(
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        ));
    }
    Ok((scope, secret))
}

pub(super) fn no_secret() -> AwsFault {
    AwsFault::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

pub(super) fn save(world: &World<'_>, scope: &Scope, secret: &Secret) {
    world.put(scope, KIND, &secret.name, secret);
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

/// A secret as another service reads it.
#[derive(Debug, Clone)]
pub(crate) struct ReadableSecret {
    /// Full ARN.
    pub(crate) arn: String,
    /// Name.
    pub(crate) name: String,
    /// The current version's text; empty when it has none.
    pub(crate) value: String,
    /// Tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// The secret with this ARN in whatever account and region; nothing when it is deleted, even if it
/// could be restored.
pub(crate) fn secret_by_arn(world: &World<'_>, arn: &str) -> Option<ReadableSecret> {
    let stored = world
        .list_everywhere::<Secret>(KIND)
        .into_iter()
        .find(|stored| stored.document.arn == arn && stored.document.deletion.is_none())?;
    let secret = stored.document;
    let value = secret.staged(CURRENT).and_then(|version| version.secret_string.clone());
    Some(ReadableSecret {
        arn: secret.arn,
        name: secret.name,
        value: value.unwrap_or_default(),
        tags: secret.tags,
    })
}

/// Makes a secret that a service (`redshift`) manages; its ARN comes back.
pub(crate) fn create_managed(
    world: &World<'_>,
    scope: &Scope,
    owner: &str,
    name: &str,
    value: &Value,
) -> String {
    let mut secret = Secret::new(world, scope, name);
    secret.owning_service = Some(owner.to_owned());
    secret.add_version(world, "", SecretValue::Text(value.to_string()));
    save(world, scope, &secret);
    secret.arn
}

/// Removes a secret that a service manages; says whether it was there.
pub(crate) fn delete_managed(world: &World<'_>, scope: &Scope, arn: &str) -> bool {
    let secrets: Vec<Secret> = world.list(scope, KIND);
    secrets
        .iter()
        .find(|secret| secret.arn == arn)
        .is_some_and(|secret| world.delete(scope, KIND, &secret.name))
}
