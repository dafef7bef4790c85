//! Workgroups: where results go, and who pays attention.
//!
//! Every account has a workgroup `primary` in every region; it becomes a document when somebody
//! changes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{invalid, paging, store, text};
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};
use crate::world::{Scope, World};

const KIND: &str = "athena/workgroup";

/// The workgroup that is always there.
pub(super) const PRIMARY: &str = "primary";

/// The only engine.
const ENGINE: &str = "Athena engine version 3";

/// One workgroup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Workgroup {
    pub(super) name: String,
    #[serde(default)]
    description: Option<String>,
    pub(super) enabled: bool,
    /// `WorkGroupConfiguration` as it was given.
    configuration: Value,
    /// When it was made, RFC 3339.
    created: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Workgroup {
    /// Where results go, when the workgroup says it.
    pub(super) fn output_location(&self) -> &str {
        let location = self.configuration.pointer("/ResultConfiguration/OutputLocation");
        location.and_then(Value::as_str).unwrap_or_default()
    }

    /// What a statement says about its results does not count.
    pub(super) fn enforces(&self) -> bool {
        self.configuration["EnforceWorkGroupConfiguration"] != json!(false)
    }

    fn save(&self, world: &World<'_>, scope: &Scope) {
        world.put(scope, KIND, &self.name, self);
    }

    fn shown(&self) -> Value {
        let mut configuration = self.configuration.clone();
        configuration["EnforceWorkGroupConfiguration"] = json!(self.enforces());
        for member in ["PublishCloudWatchMetricsEnabled", "RequesterPaysEnabled"] {
            if configuration.get(member).is_none() {
                configuration[member] = json!(false);
            }
        }
        if configuration.get("ResultConfiguration").is_none() {
            configuration["ResultConfiguration"] = json!({});
        }
        configuration["EngineVersion"] = engine(&self.configuration);
        let mut shown = self.summary();
        shown["Configuration"] = configuration;
        if let Some(object) = shown.as_object_mut() {
            object.remove("EngineVersion");
        }
        shown
    }

    fn summary(&self) -> Value {
        let mut shown = json!({
            "Name": self.name,
            "State": if self.enabled { "ENABLED" } else { "DISABLED" },
            "CreationTime": self.created,
            "EngineVersion": engine(&self.configuration),
        });
        if let Some(description) = &self.description {
            shown["Description"] = json!(description);
        }
        shown
    }
}

fn engine(configuration: &Value) -> Value {
    let selected = configuration.pointer("/EngineVersion/SelectedEngineVersion");
    let selected = selected.and_then(Value::as_str).unwrap_or("AUTO");
    json!({"SelectedEngineVersion": selected, "EffectiveEngineVersion": ENGINE})
}

/// `arn:aws:athena:eu-west-1:111111111111:workgroup/primary`.
pub(crate) fn workgroup_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:athena:{}:{}:workgroup/{name}", scope.region, scope.account)
}

/// The workgroup of this name.
pub(super) fn workgroup(world: &World<'_>, scope: &Scope, name: &str) -> Option<Workgroup> {
    let untouched = || Workgroup {
        name: PRIMARY.to_owned(),
        description: None,
        enabled: true,
        configuration: json!({"EnforceWorkGroupConfiguration": false}),
        created: "2020-01-01T00:00:00Z".to_owned(),
        tags: BTreeMap::new(),
    };
    world.get(scope, KIND, name).or_else(|| (name == PRIMARY).then(untouched))
}

/// Makes a workgroup in the name of a service. Its output location is enforced.
pub(crate) fn create_workgroup(
    world: &World<'_>,
    scope: &Scope,
    name: &str,
    output_location: &str,
    tags: BTreeMap<String, String>,
) -> Result<(), AwsFault> {
    let configuration = json!({
        "EnforceWorkGroupConfiguration": true,
        "ResultConfiguration": {"OutputLocation": output_location},
    });
    add(world, scope, name, None, configuration, tags)
}

/// Removes a workgroup with everything in it; says whether it was there.
pub(crate) fn drop_workgroup(world: &World<'_>, scope: &Scope, name: &str) -> bool {
    super::named::forget(world, scope, name);
    world.delete(scope, KIND, name)
}

fn add(
    world: &World<'_>,
    scope: &Scope,
    name: &str,
    description: Option<String>,
    configuration: Value,
    tags: BTreeMap<String, String>,
) -> Result<(), AwsFault> {
    if workgroup(world, scope, name).is_some() {
        return Err(invalid("WorkGroup is already created"));
    }
    let made = Workgroup {
        name: name.to_owned(),
        description,
        enabled: true,
        configuration,
        created: world.now_text(),
        tags,
    };
    made.save(world, scope);
    Ok(())
}

fn given_tags(input: &Value) -> BTreeMap<String, String> {
    let list = input.get("Tags").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|tag| (text(tag, "Key").to_owned(), text(tag, "Value").to_owned()))
        .collect()
}

/// CreateWorkGroup.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let mut configuration = call.input.get("Configuration").cloned().unwrap_or_else(|| json!({}));
    if configuration.get("EnforceWorkGroupConfiguration").is_none() {
        configuration["EnforceWorkGroupConfiguration"] = json!(true);
    }
    check(&configuration)?;
    let description = call.input.get("Description").and_then(Value::as_str).map(str::to_owned);
    let tags = given_tags(call.input);
    add(call.world, &call.scope(), call.text("Name"), description, configuration, tags)?;
    Ok(json!({}))
}

fn check(configuration: &Value) -> Result<(), AwsFault> {
    let location = configuration.pointer("/ResultConfiguration/OutputLocation");
    let location = location.and_then(Value::as_str).unwrap_or_default();
    if !location.is_empty() && crate::services::s3::split_uri(location).is_none() {
        return Err(invalid("outputLocation is not a valid S3 path."));
    }
    let selected = configuration.pointer("/EngineVersion/SelectedEngineVersion");
    match selected.and_then(Value::as_str) {
        None | Some("AUTO" | ENGINE) => Ok(()),
        Some(other) => Err(invalid(format!("Engine version {other} is not supported."))),
    }
}

/// The workgroup that a call names, or AWS's words for one that is not there.
pub(super) fn named(call: &Call<'_>, name: &str) -> Result<Workgroup, AwsFault> {
    workgroup(call.world, &call.scope(), name)
        .ok_or_else(|| invalid(format!("WorkGroup {name} is not found.")))
}

/// GetWorkGroup.
pub(super) fn get(call: &Call<'_>) -> Reply {
    Ok(json!({"WorkGroup": named(call, call.text("WorkGroup"))?.shown()}))
}

/// ListWorkGroups.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let mut names: Vec<String> =
        call.world.list::<Workgroup>(&scope, KIND).into_iter().map(|one| one.name).collect();
    if !names.iter().any(|name| name == PRIMARY) {
        names.push(PRIMARY.to_owned());
    }
    names.sort_unstable();
    let found = names.iter().filter_map(|name| workgroup(call.world, &scope, name));
    paging(50).page(call, "WorkGroups", found.map(|one| one.summary()).collect())
}

/// UpdateWorkGroup: what is not given stays.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let mut known = named(call, call.text("WorkGroup"))?;
    if let Some(description) = call.input.get("Description").and_then(Value::as_str) {
        known.description = Some(description.to_owned());
    }
    match call.text("State") {
        "" => {}
        state => known.enabled = state == "ENABLED",
    }
    let updates = call.input.get("ConfigurationUpdates").and_then(Value::as_object);
    for (member, value) in updates.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match member.as_str() {
            "ResultConfigurationUpdates" => update_results(&mut known.configuration, value),
            "RemoveBytesScannedCutoffPerQuery" => {
                remove(&mut known.configuration, "BytesScannedCutoffPerQuery", value);
            }
            "RemoveCustomerContentEncryptionConfiguration" => {
                remove(&mut known.configuration, "CustomerContentEncryptionConfiguration", value);
            }
            "ManagedQueryResultsConfigurationUpdates" => {
                known.configuration["ManagedQueryResultsConfiguration"] = value.clone();
            }
            _ => known.configuration[member] = value.clone(),
        }
    }
    check(&known.configuration)?;
    known.save(call.world, &call.scope());
    Ok(json!({}))
}

fn remove(configuration: &mut Value, member: &str, wanted: &Value) {
    if let Some(object) = configuration.as_object_mut().filter(|_| *wanted == json!(true)) {
        object.remove(member);
    }
}

fn update_results(configuration: &mut Value, updates: &Value) {
    if !configuration["ResultConfiguration"].is_object() {
        configuration["ResultConfiguration"] = json!({});
    }
    let results = &mut configuration["ResultConfiguration"];
    let members =
        ["OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration"];
    for member in members {
        remove(results, member, &updates[format!("Remove{member}")]);
        if !updates[member].is_null() {
            results[member] = updates[member].clone();
        }
    }
}

/// DeleteWorkGroup.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let (name, scope) = (call.text("WorkGroup"), call.scope());
    if name == PRIMARY {
        return Err(invalid("Primary WorkGroup could not be deleted"));
    }
    named(call, name)?;
    let used = super::named::any(call.world, &scope, name)
        || store::executions(call.world, &scope).iter().any(|one| one.workgroup == name);
    if used && call.input.get("RecursiveDeleteOption") != Some(&json!(true)) {
        return Err(invalid(format!("WorkGroup {name} is not empty")));
    }
    drop_workgroup(call.world, &scope, name);
    Ok(json!({}))
}

/// The workgroup whose ARN a call names: nothing else here has tags.
fn tagged(call: &Call<'_>) -> Result<Workgroup, AwsFault> {
    let arn = call.text("ResourceARN");
    let name = arn.rsplit_once(":workgroup/").map(|(_, name)| name).unwrap_or_default();
    workgroup(call.world, &call.scope(), name)
        .filter(|known| workgroup_arn(&call.scope(), &known.name) == arn)
        .ok_or_else(|| {
            AwsFault::new("ResourceNotFoundException", format!("Resource {arn} is not found."))
        })
}

/// ListTagsForResource.
pub(super) fn tags(call: &Call<'_>) -> Reply {
    let known = tagged(call)?;
    let tags = known.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
    paging(75).page(call, "Tags", tags.collect())
}

/// TagResource.
pub(super) fn tag(call: &Call<'_>) -> Reply {
    let mut known = tagged(call)?;
    known.tags.extend(given_tags(call.input));
    known.save(call.world, &call.scope());
    Ok(json!({}))
}

/// UntagResource.
pub(super) fn untag(call: &Call<'_>) -> Reply {
    let mut known = tagged(call)?;
    for key in texts(call.input, "TagKeys") {
        known.tags.remove(&key);
    }
    known.save(call.world, &call.scope());
    Ok(json!({}))
}

/// ListEngineVersions.
pub(super) fn engines(call: &Call<'_>) -> Reply {
    let versions = vec![
        json!({"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE}),
        json!({"SelectedEngineVersion": ENGINE, "EffectiveEngineVersion": ENGINE}),
    ];
    paging(10).page(call, "EngineVersions", versions)
}
