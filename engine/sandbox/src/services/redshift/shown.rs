//! A cluster as the API shows it.

use serde_json::{Value, json};

use super::state::{Cluster, Status};
use crate::world::Scope;

/// The `Cluster` member of replies.
pub(super) fn shown(cluster: &Cluster, scope: &Scope) -> Value {
    let mut shown = json!({
        "ClusterIdentifier": cluster.identifier,
        "NodeType": cluster.node_type,
        "ClusterStatus": cluster.status.word(),
        "ClusterAvailabilityStatus": availability(cluster.status),
        "MasterUsername": cluster.master_username,
        "DBName": cluster.database,
        "ClusterCreateTime": cluster.created,
        "AutomatedSnapshotRetentionPeriod": 1,
        "ManualSnapshotRetentionPeriod": -1,
        "ClusterSecurityGroups": [],
        "VpcSecurityGroups": [
            {"VpcSecurityGroupId": "sg-0123456789abcdef0", "Status": "active"}
        ],
        "ClusterParameterGroups": [
            {"ParameterGroupName": "default.redshift-2.0", "ParameterApplyStatus": "in-sync"}
        ],
        "ClusterSubnetGroupName": cluster.subnet_group,
        "VpcId": "vpc-0123456789abcdef0",
        "AvailabilityZone": cluster.availability_zone,
        "PreferredMaintenanceWindow": "sun:06:00-sun:06:30",
        "PendingModifiedValues": {},
        "ClusterVersion": "1.0",
        "AllowVersionUpgrade": true,
        "NumberOfNodes": cluster.number_of_nodes,
        "PubliclyAccessible": cluster.publicly_accessible,
        "Encrypted": cluster.encrypted,
        "ClusterNodes": nodes(cluster),
        "ClusterRevisionNumber": "115444",
        "Tags": tags(cluster),
        "EnhancedVpcRouting": cluster.enhanced_vpc_routing,
        "IamRoles": cluster.iam_roles.iter()
            .map(|role| json!({"IamRoleArn": role, "ApplyStatus": "in-sync"}))
            .collect::<Vec<_>>(),
        "MaintenanceTrackName": "current",
        "ClusterNamespaceArn": cluster.namespace_arn(scope),
        "MultiAZ": "Disabled",
    });
    // An endpoint is there once the cluster has been available.
    if cluster.status != Status::Creating {
        shown["Endpoint"] =
            json!({"Address": cluster.address(&scope.region), "Port": cluster.port});
    }
    if let Some(key) = &cluster.kms_key_id {
        shown["KmsKeyId"] = json!(key);
    }
    if let Some(secret) = &cluster.master_secret_arn {
        shown["MasterPasswordSecretArn"] = json!(secret);
    }
    shown
}

/// The tags in a reply's form.
pub(super) fn tags(cluster: &Cluster) -> Vec<Value> {
    cluster.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

fn nodes(cluster: &Cluster) -> Vec<Value> {
    if cluster.number_of_nodes == 1 {
        return vec![json!({"NodeRole": "SHARED", "PrivateIPAddress": "10.0.0.10"})];
    }
    let compute = (0..cluster.number_of_nodes).map(|index| {
        json!({"NodeRole": format!("COMPUTE-{index}"), "PrivateIPAddress": format!("10.0.0.{}", index + 11)})
    });
    let leader = json!({"NodeRole": "LEADER", "PrivateIPAddress": "10.0.0.10"});
    std::iter::once(leader).chain(compute).collect()
}

fn availability(status: Status) -> &'static str {
    match status {
        Status::Available => "Available",
        Status::Paused => "Unavailable",
        Status::Creating
        | Status::Modifying
        | Status::Pausing
        | Status::Resuming
        | Status::Rebooting
        | Status::Deleting => "Modifying",
    }
}
