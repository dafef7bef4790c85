//! A cluster as the world keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::Duration;

use crate::people::hex;
use crate::services::AwsFault;
use crate::world::{Scope, World};

pub(super) const KIND: &str = "redshift/cluster";

/// One provisioned cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// The name, which a later cluster may have again.
    pub(crate) identifier: String,
    /// The namespace uuid, which no other cluster ever has: the name of its databases in
    /// [`crate::sql`].
    pub(crate) namespace: String,
    /// Where it stands.
    pub(crate) status: Status,
    /// `ra3.xlplus`.
    pub(crate) node_type: String,
    /// Number of nodes.
    pub(crate) number_of_nodes: i64,
    /// Encrypted at rest.
    pub(crate) encrypted: bool,
    /// The key it is encrypted with.
    pub(crate) kms_key_id: Option<String>,
    /// The database that was made with it.
    pub(crate) database: String,
    /// The superuser that was made with it.
    pub(crate) master_username: String,
    /// The secret with the superuser's password, when Redshift manages it.
    pub(crate) master_secret_arn: Option<String>,
    /// When it was asked for, RFC 3339.
    pub(crate) created: String,
    /// Port.
    pub(crate) port: i64,
    /// Zone.
    pub(crate) availability_zone: String,
    /// Reachable from the internet.
    pub(crate) publicly_accessible: bool,
    /// Enhanced VPC routing.
    pub(crate) enhanced_vpc_routing: bool,
    /// Subnet group.
    pub(crate) subnet_group: String,
    /// Roles that it may use.
    pub(crate) iam_roles: Vec<String>,
    /// Tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// Where a cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Not there yet.
    Creating,
    /// Answers statements.
    Available,
    /// Being resized or encrypted.
    Modifying,
    /// Going down for a pause.
    Pausing,
    /// Keeps its data and answers nothing.
    Paused,
    /// Coming back from a pause.
    Resuming,
    /// Restarting.
    Rebooting,
    /// Going for good.
    Deleting,
}

impl Status {
    /// AWS's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Modifying => "modifying",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Resuming => "resuming",
            Self::Rebooting => "rebooting",
            Self::Deleting => "deleting",
        }
    }

    /// What comes after a state that passes, and how long it takes; nothing comes after the others
    /// (and nothing is left after deleting).
    pub(super) fn passes(self) -> Option<(Duration, Self)> {
        Some(match self {
            Self::Creating => (Duration::minutes(5), Self::Available),
            Self::Modifying => (Duration::minutes(8), Self::Available),
            Self::Pausing => (Duration::minutes(4), Self::Paused),
            Self::Resuming => (Duration::minutes(4), Self::Available),
            Self::Rebooting => (Duration::minutes(2), Self::Available),
            Self::Deleting => (Duration::minutes(3), Self::Deleting),
            Self::Available | Self::Paused => return None,
        })
    }
}

impl Cluster {
    /// Host name of its endpoint.
    pub(crate) fn address(&self, region: &str) -> String {
        let account = hex(&format!("endpoint/{}", self.identifier), 12);
        format!("{}.{account}.{region}.redshift.amazonaws.com", self.identifier)
    }

    /// ARN of its namespace: changes when the cluster is made again.
    pub(crate) fn namespace_arn(&self, scope: &Scope) -> String {
        arn(scope, &format!("namespace:{}", self.namespace))
    }

    /// Moves to a state, and arranges what comes after it.
    pub(super) fn enter(&mut self, world: &World<'_>, scope: &Scope, status: Status) {
        self.status = status;
        if let Some((after, _)) = status.passes() {
            let event =
                json!({"namespace": self.namespace, "cluster": self.identifier, "leaves": status});
            world.schedule(world.now() + after, "redshift", scope, &event);
        }
        self.save(world, scope);
    }

    pub(super) fn save(&self, world: &World<'_>, scope: &Scope) {
        world.put(scope, KIND, &self.identifier, self);
    }
}

/// The cluster with this name in an account and region, whatever its status.
pub(crate) fn cluster(world: &World<'_>, scope: &Scope, identifier: &str) -> Option<Cluster> {
    world.get(scope, KIND, identifier)
}

/// An ARN of Redshift.
pub(super) fn arn(scope: &Scope, resource: &str) -> String {
    format!("arn:aws:redshift:{}:{}:{resource}", scope.region, scope.account)
}

/// The next namespace uuid of the world.
pub(crate) fn next_namespace(world: &World<'_>) -> String {
    uuid(&format!("namespace/{}", world.next_number("redshift namespace")))
}

/// A uuid that a seed always gives.
pub(crate) fn uuid(seed: &str) -> String {
    let digits = hex(seed, 32);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

pub(super) fn not_found(identifier: &str) -> AwsFault {
    AwsFault::new("ClusterNotFound", format!("Cluster {identifier} not found."))
}

/// A fault that every query service has and no model names.
pub(super) fn invalid(message: impl Into<String>) -> AwsFault {
    AwsFault {
        code: "InvalidParameterValue".to_owned(),
        message: message.into(),
        status: Some(400),
    }
}

/// One page of a list, with the marker of the next one.
pub(super) fn page(input: &Value, items: Vec<Value>) -> (Vec<Value>, Option<String>) {
    let size = input.get("MaxRecords").and_then(Value::as_u64).unwrap_or(100);
    let size = usize::try_from(size).unwrap_or(100).clamp(1, 100);
    let start = input
        .get("Marker")
        .and_then(Value::as_str)
        .and_then(|marker| marker.parse::<usize>().ok())
        .unwrap_or(0);
    let end = start.saturating_add(size);
    let marker = (items.len() > end).then(|| end.to_string());
    (items.into_iter().skip(start).take(size).collect(), marker)
}
