//! Namespaces and workgroups as the world keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::services::{AwsFault, Call};
use crate::world::{Scope, Stored, World};

pub(super) const NAMESPACE: &str = "redshift_serverless/namespace";
pub(super) const WORKGROUP: &str = "redshift_serverless/workgroup";

/// Where a namespace or workgroup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    /// Not there yet; workgroups only.
    Creating,
    /// As it was asked for.
    Available,
    /// Being changed.
    Modifying,
    /// Going for good.
    Deleting,
}

impl Status {
    /// AWS's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Available => "AVAILABLE",
            Self::Modifying => "MODIFYING",
            Self::Deleting => "DELETING",
        }
    }
}

/// Databases and users.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Namespace {
    /// The name, which a later namespace may have again.
    pub(crate) name: String,
    /// The uuid, which no other one ever has: the name of its databases in [`crate::sql`].
    pub(crate) id: String,
    /// Where it stands.
    pub(crate) status: Status,
    /// The superuser that was made with it.
    pub(crate) admin_username: String,
    /// The secret with that user's password, when Redshift manages it.
    pub(crate) admin_secret_arn: Option<String>,
    /// The database that was made with it.
    pub(crate) database: String,
    /// The key it is encrypted with: there are no others.
    pub(crate) kms_key_id: String,
    /// When it was asked for, RFC 3339.
    pub(crate) created: String,
    /// Members that are kept as they were given: roles, logs.
    pub(crate) settings: Map<String, Value>,
    /// Tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// What answers the statements of a namespace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Workgroup {
    /// The name, which a later workgroup may have again.
    pub(crate) name: String,
    /// The uuid, which no other one ever has.
    pub(crate) id: String,
    /// Name of its namespace.
    pub(crate) namespace: String,
    /// Where it stands.
    pub(crate) status: Status,
    /// When it was asked for, RFC 3339.
    pub(crate) created: String,
    /// Members that are kept as they were given: capacities, networks, parameters.
    pub(crate) settings: Map<String, Value>,
    /// Tags.
    pub(crate) tags: BTreeMap<String, String>,
}

impl Namespace {
    /// Its ARN.
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        arn(scope, &format!("namespace/{}", self.id))
    }

    pub(super) fn save(&self, world: &World<'_>, scope: &Scope) {
        world.put(scope, NAMESPACE, &self.name, self);
    }

    /// As the API shows it.
    pub(super) fn shown(&self, scope: &Scope) -> Value {
        let mut shown = Value::Object(self.settings.clone());
        shown["namespaceName"] = json!(self.name);
        shown["namespaceId"] = json!(self.id);
        shown["namespaceArn"] = json!(self.arn(scope));
        shown["status"] = json!(self.status.word());
        shown["adminUsername"] = json!(self.admin_username);
        shown["dbName"] = json!(self.database);
        shown["kmsKeyId"] = json!(self.kms_key_id);
        shown["creationDate"] = json!(self.created);
        if let Some(secret) = &self.admin_secret_arn {
            shown["adminPasswordSecretArn"] = json!(secret);
        }
        shown
    }
}

impl Workgroup {
    /// Its ARN.
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        arn(scope, &format!("workgroup/{}", self.id))
    }

    pub(super) fn save(&self, world: &World<'_>, scope: &Scope) {
        world.put(scope, WORKGROUP, &self.name, self);
    }

    /// As the API shows it.
    pub(super) fn shown(&self, scope: &Scope) -> Value {
        let mut shown = Value::Object(self.settings.clone());
        shown["workgroupName"] = json!(self.name);
        shown["workgroupId"] = json!(self.id);
        shown["workgroupArn"] = json!(self.arn(scope));
        shown["namespaceName"] = json!(self.namespace);
        shown["status"] = json!(self.status.word());
        shown["creationDate"] = json!(self.created);
        shown["patchVersion"] = json!("187");
        shown["workgroupVersion"] = json!("1.0.115444");
        // Until it has been available nothing can be reached.
        if self.status != Status::Creating {
            let host = format!("{}.{}.{}", self.name, scope.account, scope.region);
            shown["endpoint"] = json!({
                "address": format!("{host}.redshift-serverless.amazonaws.com"),
                "port": self.settings.get("port").cloned().unwrap_or_else(|| json!(5439)),
                "vpcEndpoints": [],
            });
        }
        shown
    }
}

/// The namespace with this name in an account and region, whatever its status.
pub(crate) fn namespace(world: &World<'_>, scope: &Scope, name: &str) -> Option<Namespace> {
    world.get(scope, NAMESPACE, name)
}

/// Every namespace, with where it lives.
pub(crate) fn namespaces(world: &World<'_>) -> Vec<Stored<Namespace>> {
    world.list_everywhere(NAMESPACE)
}

/// The workgroup with this name in an account and region, whatever its status.
pub(crate) fn workgroup(world: &World<'_>, scope: &Scope, name: &str) -> Option<Workgroup> {
    world.get(scope, WORKGROUP, name)
}

/// An ARN of Redshift Serverless.
pub(super) fn arn(scope: &Scope, resource: &str) -> String {
    format!("arn:aws:redshift-serverless:{}:{}:{resource}", scope.region, scope.account)
}

pub(super) fn not_found(kind: &str, name: &str) -> AwsFault {
    AwsFault::new("ResourceNotFoundException", format!("{kind} {name} not found."))
}

pub(super) fn conflict(message: impl Into<String>) -> AwsFault {
    AwsFault::new("ConflictException", message)
}

pub(super) fn invalid(message: impl Into<String>) -> AwsFault {
    AwsFault::new("ValidationException", message)
}

/// Refuses members that the sandbox would have to pass over.
pub(super) fn refuse_unknown(call: &Call<'_>, known: &[&[&str]]) -> Result<(), AwsFault> {
    let members = call.input.as_object().into_iter().flat_map(Map::keys);
    match members
        .into_iter()
        .find(|member| !known.iter().any(|list| list.contains(&member.as_str())))
    {
        None => Ok(()),
        Some(member) => Err(AwsFault {
            code: "NotImplementedInSandbox".to_owned(),
            message: format!("{}.{member} is not implemented in the sandbox", call.operation),
            status: Some(501),
        }),
    }
}

/// Puts those of the named members that the input has among the settings; says whether one changed.
pub(super) fn take_settings(
    call: &Call<'_>,
    settings: &mut Map<String, Value>,
    members: &[&str],
) -> bool {
    let before = settings.clone();
    for member in members {
        if let Some(value) = call.input.get(member).filter(|value| !value.is_null()) {
            settings.insert((*member).to_owned(), value.clone());
        }
    }
    *settings != before
}

/// One page of a list.
pub(super) fn page(call: &Call<'_>, member: &str, items: Vec<Value>) -> Value {
    let size = call.input.get("maxResults").and_then(Value::as_u64).unwrap_or(100);
    let size = usize::try_from(size).unwrap_or(100).clamp(1, 100);
    let start = call.text("nextToken").parse::<usize>().unwrap_or(0);
    let more = items.len() > start.saturating_add(size);
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut output = json!({ member: shown });
    if more {
        output["nextToken"] = json!((start + size).to_string());
    }
    output
}
