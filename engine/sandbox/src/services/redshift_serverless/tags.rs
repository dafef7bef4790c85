//! Tags of namespaces and workgroups, which the API addresses by ARN.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::state::{NAMESPACE, Namespace, WORKGROUP, Workgroup, not_found};
use crate::services::{AwsFault, Call, Reply};
use crate::world::{Scope, World};

/// The most tags of one resource.
const MOST: usize = 50;

/// The tags that an input gives.
pub(super) fn given(input: &Value) -> BTreeMap<String, String> {
    let tags = input.get("tags").and_then(Value::as_array);
    let text = |tag: &Value, member: &str| {
        tag.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    tags.into_iter().flatten().map(|tag| (text(tag, "key"), text(tag, "value"))).collect()
}

/// The tags of the resource with this ARN.
pub(super) fn of(world: &World<'_>, scope: &Scope, arn: &str) -> Option<BTreeMap<String, String>> {
    find(world, scope, arn).map(|found| match found {
        Tagged::Namespace(namespace) => namespace.tags,
        Tagged::Workgroup(workgroup) => workgroup.tags,
    })
}

enum Tagged {
    Namespace(Namespace),
    Workgroup(Workgroup),
}

fn find(world: &World<'_>, scope: &Scope, arn: &str) -> Option<Tagged> {
    let namespaces = world.list::<Namespace>(scope, NAMESPACE);
    let namespace = namespaces.into_iter().find(|found| found.arn(scope) == arn);
    namespace.map(Tagged::Namespace).or_else(|| {
        let workgroups = world.list::<Workgroup>(scope, WORKGROUP);
        workgroups.into_iter().find(|found| found.arn(scope) == arn).map(Tagged::Workgroup)
    })
}

/// ListTagsForResource.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let arn = call.text("resourceArn");
    let tags = of(call.world, &call.scope(), arn).ok_or_else(|| not_found("Resource", arn))?;
    let shown: Vec<Value> =
        tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    Ok(json!({ "tags": shown }))
}

/// TagResource.
pub(super) fn add(call: &Call<'_>) -> Reply {
    let more = given(call.input);
    change(call, |tags| tags.extend(more))
}

/// UntagResource.
pub(super) fn remove(call: &Call<'_>) -> Reply {
    let keys = call.input.get("tagKeys").and_then(Value::as_array);
    change(call, |tags| {
        for key in keys.into_iter().flatten().filter_map(Value::as_str) {
            tags.remove(key);
        }
    })
}

fn change(call: &Call<'_>, work: impl FnOnce(&mut BTreeMap<String, String>)) -> Reply {
    let (scope, arn) = (call.scope(), call.text("resourceArn"));
    let mut found = find(call.world, &scope, arn).ok_or_else(|| not_found("Resource", arn))?;
    let tags = match &mut found {
        Tagged::Namespace(namespace) => &mut namespace.tags,
        Tagged::Workgroup(workgroup) => &mut workgroup.tags,
    };
    work(tags);
    if tags.len() > MOST {
        return Err(AwsFault::new(
            "TooManyTagsException",
            format!("A resource has at most {MOST} tags."),
        ));
    }
    match &found {
        Tagged::Namespace(namespace) => namespace.save(call.world, &scope),
        Tagged::Workgroup(workgroup) => workgroup.save(call.world, &scope),
    }
    Ok(json!({}))
}
