//! Tags of clusters.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::clusters::strings;
use super::state::{Cluster, KIND, arn, cluster, page};
use crate::services::{AwsFault, Call, Reply};

/// The tags that an input gives.
pub(super) fn given(input: &Value) -> BTreeMap<String, String> {
    let tags = input.get("Tags").and_then(Value::as_array);
    let text = |tag: &Value, member: &str| {
        tag.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    tags.into_iter().flatten().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect()
}

/// Whether a cluster has one of the tag keys, and one of the values, that an input asks for.
pub(super) fn fit(input: &Value, cluster: &Cluster) -> bool {
    let (keys, values) = (strings(input, "TagKeys"), strings(input, "TagValues"));
    (keys.is_empty() || keys.iter().any(|key| cluster.tags.contains_key(key)))
        && (values.is_empty() || cluster.tags.values().any(|value| values.contains(value)))
}

/// CreateTags.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let mut cluster = named(call)?;
    cluster.tags.extend(given(call.input));
    if cluster.tags.len() > 50 {
        return Err(AwsFault::new("TagLimitExceededFault", "A resource has at most 50 tags."));
    }
    cluster.save(call.world, &call.scope());
    Ok(json!({}))
}

/// DeleteTags.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let mut cluster = named(call)?;
    for key in strings(call.input, "TagKeys") {
        cluster.tags.remove(&key);
    }
    cluster.save(call.world, &call.scope());
    Ok(json!({}))
}

/// DescribeTags.
pub(super) fn describe(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let clusters = match (call.text("ResourceName"), call.text("ResourceType")) {
        ("", "" | "cluster") => call.world.list::<Cluster>(&scope, KIND),
        ("", _) => vec![],
        _ => vec![named(call)?],
    };
    let (keys, values) = (strings(call.input, "TagKeys"), strings(call.input, "TagValues"));
    let mut items = vec![];
    for cluster in clusters {
        for (key, value) in &cluster.tags {
            let wanted = (keys.is_empty() || keys.contains(key))
                && (values.is_empty() || values.contains(value));
            if wanted {
                items.push(json!({
                    "Tag": {"Key": key, "Value": value},
                    "ResourceName": arn(&scope, &format!("cluster:{}", cluster.identifier)),
                    "ResourceType": "cluster",
                }));
            }
        }
    }
    let (items, marker) = page(call.input, items);
    let mut output = json!({"TaggedResources": items});
    if let Some(marker) = marker {
        output["Marker"] = json!(marker);
    }
    Ok(output)
}

/// The cluster that an ARN in `ResourceName` names.
fn named(call: &Call<'_>) -> Result<Cluster, AwsFault> {
    let (scope, name) = (call.scope(), call.text("ResourceName"));
    name.strip_prefix(&arn(&scope, "cluster:"))
        .and_then(|identifier| cluster(call.world, &scope, identifier))
        .ok_or_else(|| {
            AwsFault::new("ResourceNotFoundFault", format!("The resource {name} was not found."))
        })
}
