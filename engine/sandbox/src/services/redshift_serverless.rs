//! Redshift Serverless: namespaces, which hold the data, and workgroups, which answer statements.
//!
//! A namespace is a warehouse of [`crate::sql`] as a cluster is one; a workgroup makes it reachable
//! and comes and goes on the virtual clock. Statements are `redshift_data`'s. Snapshots, recovery
//! points, usage limits, endpoints of other networks and custom domains are left out and refused by
//! name.

mod credentials;
mod namespaces;
mod state;
mod tags;
mod workgroups;

use super::{AwsFault, Call, Reply, Service};
use crate::world::{Due, World};

pub(crate) use state::{namespace, namespaces, workgroup};

/// Redshift Serverless.
#[derive(Debug)]
pub(crate) struct RedshiftServerless;

impl Service for RedshiftServerless {
    fn name(&self) -> &'static str {
        "redshift_serverless"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "CreateNamespace",
            "CreateWorkgroup",
            "DeleteNamespace",
            "DeleteWorkgroup",
            "GetCredentials",
            "GetNamespace",
            "GetWorkgroup",
            "ListNamespaces",
            "ListTagsForResource",
            "ListWorkgroups",
            "TagResource",
            "UntagResource",
            "UpdateNamespace",
            "UpdateWorkgroup",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "CreateNamespace" => namespaces::create(call),
            "CreateWorkgroup" => workgroups::create(call),
            "DeleteNamespace" => namespaces::delete(call),
            "DeleteWorkgroup" => workgroups::delete(call),
            "GetCredentials" => credentials::for_caller(call),
            "GetNamespace" => namespaces::get(call),
            "GetWorkgroup" => workgroups::get(call),
            "ListNamespaces" => namespaces::list(call),
            "ListTagsForResource" => tags::list(call),
            "ListWorkgroups" => workgroups::list(call),
            "TagResource" => tags::add(call),
            "UntagResource" => tags::remove(call),
            "UpdateNamespace" => namespaces::update(call),
            "UpdateWorkgroup" => workgroups::update(call),
            other => Err(AwsFault::new("NotImplementedInSandbox", other)),
        }
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        match due.event.get("workgroup") {
            Some(_) => workgroups::arrive(world, due),
            None => namespaces::arrive(world, due),
        }
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        let scope = call.scope();
        match (call.text("resourceArn"), call.text("workgroupName"), call.text("namespaceName")) {
            ("", "", "") => "*".to_owned(),
            ("", "", name) => namespace(call.world, &scope, name)
                .map_or_else(|| state::arn(&scope, "namespace/*"), |found| found.arn(&scope)),
            ("", name, _) => workgroup(call.world, &scope, name)
                .map_or_else(|| state::arn(&scope, "workgroup/*"), |found| found.arn(&scope)),
            (arn, _, _) => arn.to_owned(),
        }
    }

    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let scope = call.scope();
        let of_workgroup = workgroup(call.world, &scope, call.text("workgroupName"));
        let of_namespace = namespace(call.world, &scope, call.text("namespaceName"));
        of_workgroup
            .map(|found| found.tags)
            .or_else(|| of_namespace.map(|found| found.tags))
            .or_else(|| tags::of(call.world, &scope, call.text("resourceArn")))
            .unwrap_or_default()
            .into_iter()
            .collect()
    }
}
