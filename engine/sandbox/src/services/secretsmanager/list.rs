//! ListSecrets with its filters.

use serde_json::{Value, json};

use super::shown;
use super::state::{KIND, Secret};
use crate::services::{AwsFault, Call, Reply};

pub(super) fn secrets(call: &Call<'_>) -> Reply {
    let planned =
        call.input.get("IncludePlannedDeletion").and_then(Value::as_bool).unwrap_or(false);
    let filters: Vec<Filter> = call
        .input
        .get("Filters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(Filter::read)
        .collect::<Result<_, _>>()?;
    let mut secrets: Vec<Secret> = call.world.list(&call.scope(), KIND);
    secrets.retain(|secret| {
        (planned || secret.deletion.is_none()) && filters.iter().all(|filter| filter.fits(secret))
    });
    match call.text("SortBy") {
        "name" => secrets.sort_by(|one, other| one.name.cmp(&other.name)),
        "last-changed-date" => secrets.sort_by(|one, other| one.changed.cmp(&other.changed)),
        _ => {}
    }
    if call.text("SortOrder") == "desc" {
        secrets.reverse();
    }
    let start: usize = match call.text("NextToken") {
        "" => 0,
        token => token.parse().map_err(|_| {
            AwsFault::new("InvalidNextTokenException", "The NextToken value is invalid.")
        })?,
    };
    let size = call.input.get("MaxResults").and_then(Value::as_u64).unwrap_or(100);
    let size = usize::try_from(size).unwrap_or(100);
    let more = secrets.len() > start + size;
    let page: Vec<Value> = secrets
        .iter()
        .skip(start)
        .take(size)
        .map(|secret| shown(secret, "SecretVersionsToStages"))
        .collect();
    let mut output = json!({"SecretList": page});
    if more {
        output["NextToken"] = json!((start + size).to_string());
    }
    Ok(output)
}

/// One filter: any of its values fits; a value that begins with `!` must not.
struct Filter {
    key: String,
    values: Vec<String>,
}

impl Filter {
    fn read(filter: &Value) -> Result<Self, AwsFault> {
        let key = filter["Key"].as_str().unwrap_or_default().to_owned();
        let values: Vec<String> = filter["Values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        if values.is_empty() {
            return Err(AwsFault::new(
                "InvalidParameterException",
                format!("The filter {key} has no values."),
            ));
        }
        Ok(Self { key, values })
    }

    fn fits(&self, secret: &Secret) -> bool {
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(unwanted) => !self.has(secret, unwanted),
            None => self.has(secret, value),
        })
    }

    fn has(&self, secret: &Secret, wanted: &str) -> bool {
        let words = |text: &str| {
            let wanted = wanted.to_lowercase();
            text.to_lowercase().split_whitespace().any(|word| word.starts_with(&wanted))
        };
        let name = || secret.name.starts_with(wanted);
        let description = || secret.description.as_deref().is_some_and(words);
        let tag_key = || secret.tags.keys().any(|key| key.starts_with(wanted));
        let tag_value = || secret.tags.values().any(|value| value.starts_with(wanted));
        let owner = || secret.owning_service.as_deref().is_some_and(|o| o.starts_with(wanted));
        match self.key.as_str() {
            "name" => name(),
            "description" => description(),
            "tag-key" => tag_key(),
            "tag-value" => tag_value(),
            "owning-service" => owner(),
            "primary-region" => secret.arn.split(':').nth(3) == Some(wanted),
            _ => name() || description() || tag_key() || tag_value() || owner(),
        }
    }
}
