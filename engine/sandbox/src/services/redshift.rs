//! Redshift: provisioned clusters, their state machine, tags and credentials, and datashares, those of
//! serverless namespaces included.
//!
//! A cluster is created, paused, resized and deleted on the virtual clock; its databases are
//! [`crate::sql`]'s, under the cluster's namespace uuid. A cluster that is made again under the same
//! name is another namespace: whatever remembered only the name has drifted. Statements are
//! `redshift_data`'s.

mod clusters;
mod credentials;
mod datashares;
mod endpoint;
mod shown;
mod state;
mod tags;

use super::{AwsFault, Call, Reply, Service};
use crate::world::{Due, World};
use state::{Status, cluster};

pub(crate) use clusters::password_rule;
pub(crate) use datashares::datashare_arn;
pub(crate) use endpoint::{Endpoint, EndpointName, endpoint};
pub(crate) use state::{next_namespace, uuid};

/// Redshift.
#[derive(Debug)]
pub(crate) struct Redshift;

impl Service for Redshift {
    fn name(&self) -> &'static str {
        "redshift"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "AssociateDataShareConsumer",
            "AuthorizeDataShare",
            "CreateCluster",
            "CreateTags",
            "DeauthorizeDataShare",
            "DeleteCluster",
            "DeleteTags",
            "DescribeClusters",
            "DescribeDataShares",
            "DescribeDataSharesForConsumer",
            "DescribeDataSharesForProducer",
            "DescribeTags",
            "DisassociateDataShareConsumer",
            "GetClusterCredentials",
            "GetClusterCredentialsWithIAM",
            "ModifyCluster",
            "PauseCluster",
            "RebootCluster",
            "ResumeCluster",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "CreateCluster" => clusters::create(call),
            "DescribeClusters" => clusters::describe(call),
            "DeleteCluster" => clusters::delete(call),
            "ModifyCluster" => clusters::modify(call),
            "PauseCluster" => clusters::pass(call, Status::Available, Status::Pausing),
            "ResumeCluster" => clusters::pass(call, Status::Paused, Status::Resuming),
            "RebootCluster" => clusters::pass(call, Status::Available, Status::Rebooting),
            "CreateTags" => tags::create(call),
            "DeleteTags" => tags::delete(call),
            "DescribeTags" => tags::describe(call),
            "GetClusterCredentials" => credentials::for_user(call),
            "GetClusterCredentialsWithIAM" => credentials::for_caller(call),
            "DescribeDataShares"
            | "DescribeDataSharesForConsumer"
            | "DescribeDataSharesForProducer" => datashares::describe(call),
            "AuthorizeDataShare" => datashares::authorise(call, true),
            "DeauthorizeDataShare" => datashares::authorise(call, false),
            "AssociateDataShareConsumer" => datashares::associate(call, true),
            "DisassociateDataShareConsumer" => datashares::associate(call, false),
            other => Err(AwsFault::new("NotImplementedInSandbox", other)),
        }
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        clusters::arrive(world, due);
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        for member in ["ResourceName", "DataShareArn"] {
            if !call.text(member).is_empty() {
                return call.text(member).to_owned();
            }
        }
        let (scope, identifier) = (call.scope(), call.text("ClusterIdentifier"));
        match (call.operation, identifier) {
            (_, "") => "*".to_owned(),
            ("GetClusterCredentials", _) => {
                let user = call.text("DbUser");
                state::arn(&scope, &format!("dbuser:{identifier}/{user}"))
            }
            ("GetClusterCredentialsWithIAM", _) => {
                state::arn(&scope, &format!("dbname:{identifier}/{}", call.text("DbName")))
            }
            _ => state::arn(&scope, &format!("cluster:{identifier}")),
        }
    }

    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let named = call.text("ResourceName").rsplit(':').next().unwrap_or_default();
        let identifier = match call.text("ClusterIdentifier") {
            "" => named,
            identifier => identifier,
        };
        cluster(call.world, &call.scope(), identifier)
            .map(|cluster| cluster.tags.into_iter().collect())
            .unwrap_or_default()
    }
}
