//! The Redshift Data API: statements on a cluster or workgroup, run on the virtual clock.
//!
//! A statement is kept when it is submitted and runs, once, when its moment comes: the event that
//! runs it and what it does to the warehouse are one transaction of the world. Until then it can be
//! cancelled. Who may sign in as whom is decided here; what a database user may do, and what SQL
//! means, is [`crate::sql`]'s. Sessions that outlive a statement are left out.

mod metadata;
mod results;
mod session;
mod statements;
mod store;

use super::{AwsFault, Call, Reply, Service};
use crate::access;
use crate::services::redshift::{EndpointName, endpoint};
use crate::world::{Due, World};

pub(crate) use session::{database_user, sign_in_caller};

/// The Redshift Data API.
#[derive(Debug)]
pub(crate) struct RedshiftData;

impl Service for RedshiftData {
    fn name(&self) -> &'static str {
        "redshift_data"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "BatchExecuteStatement",
            "CancelStatement",
            "DescribeStatement",
            "DescribeTable",
            "ExecuteStatement",
            "GetStatementResult",
            "GetStatementResultV2",
            "ListDatabases",
            "ListSchemas",
            "ListStatements",
            "ListTables",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "ExecuteStatement" | "BatchExecuteStatement" => statements::submit(call),
            "DescribeStatement" => statements::describe(call),
            "CancelStatement" => statements::cancel(call),
            "ListStatements" => statements::list(call),
            "GetStatementResult" => results::cells(call),
            "GetStatementResultV2" => results::csv(call),
            "ListDatabases" => metadata::databases(call),
            "ListSchemas" => metadata::schemas(call),
            "ListTables" => metadata::tables(call),
            "DescribeTable" => metadata::columns(call),
            other => Err(AwsFault::new("NotImplementedInSandbox", other)),
        }
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        statements::run(world, due);
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        let scope = call.scope();
        let (cluster, workgroup) = (call.text("ClusterIdentifier"), call.text("WorkgroupName"));
        match (cluster, workgroup) {
            ("", "") => "*".to_owned(),
            ("", name) => {
                let name = EndpointName::Workgroup(name.to_owned());
                let unknown = format!(
                    "arn:aws:redshift-serverless:{}:{}:workgroup/*",
                    scope.region, scope.account
                );
                endpoint(call.world, &scope, &name).map_or(unknown, |endpoint| endpoint.arn)
            }
            (name, _) => {
                format!("arn:aws:redshift:{}:{}:cluster:{name}", scope.region, scope.account)
            }
        }
    }

    /// A statement is seen by whoever submitted it: the policy condition
    /// `redshift-data:statement-owner-iam-userid` compares with this.
    fn condition_keys(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let owner = match call.text("Id") {
            "" => call.principal.user_id.clone(),
            id => store::found(call, id).map(|statement| statement.owner).unwrap_or_default(),
        };
        vec![("redshift-data:statement-owner-iam-userid".to_owned(), owner)]
    }
}

fn validation(message: impl Into<String>) -> AwsFault {
    AwsFault::new("ValidationException", message)
}

/// Refuses a caller whose policies do not allow a database login.
fn require(call: &Call<'_>, action: &str, resource: &str) -> Result<(), AwsFault> {
    access::require(call, action, resource, &[])
}
