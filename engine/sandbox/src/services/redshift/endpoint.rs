//! What answers statements, seen alike: a provisioned cluster or a serverless workgroup.

use serde::{Deserialize, Serialize};

use super::state::{arn, cluster};
use crate::services::redshift_serverless::{namespace, workgroup};
use crate::world::{Scope, World};

/// The name by which others know it: all that most of them keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndpointName {
    /// A provisioned cluster.
    Cluster(String),
    /// A serverless workgroup.
    Workgroup(String),
}

impl EndpointName {
    /// The name alone.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Cluster(name) | Self::Workgroup(name) => name,
        }
    }

    /// `cluster` or `workgroup`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Workgroup(_) => "workgroup",
        }
    }
}

/// A cluster or workgroup as it is now.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Its ARN.
    pub(crate) arn: String,
    /// Uuid of the namespace with its databases: another one once it was made again.
    pub(crate) namespace: String,
    /// Its state, in lower case.
    pub(crate) status: String,
    /// Encrypted at rest.
    pub(crate) encrypted: bool,
    /// Node type of a cluster; workgroups have none.
    pub(crate) node_type: Option<String>,
    /// Tags.
    pub(crate) tags: Vec<(String, String)>,
}

impl Endpoint {
    /// Whether statements are answered, if slowly.
    pub(crate) fn answers(&self) -> bool {
        matches!(self.status.as_str(), "available" | "modifying")
    }

    /// Why its data cannot be shared with another namespace, if so. Datashares need nodes that keep
    /// their data apart from the compute.
    pub(crate) fn cannot_share(&self) -> Option<String> {
        let node_type = self.node_type.as_deref()?;
        (!["ra3.", "rg."].iter().any(|family| node_type.starts_with(family)))
            .then(|| format!("nodes of the type {node_type} cannot share data"))
    }
}

/// The cluster or workgroup with this name in an account and region, whatever its status.
pub(crate) fn endpoint(world: &World<'_>, scope: &Scope, name: &EndpointName) -> Option<Endpoint> {
    match name {
        EndpointName::Cluster(name) => {
            let cluster = cluster(world, scope, name)?;
            Some(Endpoint {
                arn: arn(scope, &format!("cluster:{name}")),
                namespace: cluster.namespace,
                status: cluster.status.word().to_owned(),
                encrypted: cluster.encrypted,
                node_type: Some(cluster.node_type),
                tags: cluster.tags.into_iter().collect(),
            })
        }
        EndpointName::Workgroup(name) => {
            let workgroup = workgroup(world, scope, name)?;
            let namespace = namespace(world, scope, &workgroup.namespace)?;
            Some(Endpoint {
                arn: workgroup.arn(scope),
                namespace: namespace.id,
                status: workgroup.status.word().to_lowercase(),
                encrypted: true,
                node_type: None,
                tags: workgroup.tags.into_iter().collect(),
            })
        }
    }
}
