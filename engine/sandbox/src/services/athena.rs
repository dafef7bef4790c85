//! Amazon Athena: workgroups, and statements over the tables of the Data Catalog.
//!
//! A statement is kept when it is started and runs, once, when its moment comes, as whoever started
//! it: what IAM, Lake Formation and the buckets allow that moment counts. What a table holds is read
//! from its objects in Amazon S3, and what a statement makes is written there; results are objects
//! too. Sessions, notebooks, capacity and other catalogues than the account's own are left out.
//!
//! # Layout
//! - `workgroups`, `named`: the operations on what lasts. `metadata`: the catalogue as Athena shows it.
//! - `executions`: starting, showing and stopping statements; `results`: what they gave, by page.
//! - `run`: a statement whose moment has come; `ddl`, `write`: what it makes; `show`: what it tells.
//! - `lake`: tables by name, with what the caller may do; `schema`: `information_schema`.
//! - `files`: rows in objects; `types`: Hive's types.
//! - `store`: the documents.

mod ddl;
mod executions;
mod files;
mod lake;
mod metadata;
mod named;
mod results;
mod run;
mod schema;
mod show;
mod store;
mod types;
mod workgroups;
mod write;

use serde_json::Value;

use super::pages::Paging;
use super::{AwsFault, Call, Reply, Service};
use crate::world::{Due, World};

pub(crate) use workgroups::{create_workgroup, drop_workgroup, workgroup_arn};

/// The name of the account's own catalogue.
const CATALOG: &str = "AwsDataCatalog";

/// Amazon Athena.
#[derive(Debug)]
pub(crate) struct Athena;

impl Service for Athena {
    fn name(&self) -> &'static str {
        "athena"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "BatchGetNamedQuery",
            "BatchGetQueryExecution",
            "CreateNamedQuery",
            "CreateWorkGroup",
            "DeleteNamedQuery",
            "DeleteWorkGroup",
            "GetDataCatalog",
            "GetDatabase",
            "GetNamedQuery",
            "GetQueryExecution",
            "GetQueryResults",
            "GetQueryRuntimeStatistics",
            "GetTableMetadata",
            "GetWorkGroup",
            "ListDataCatalogs",
            "ListDatabases",
            "ListEngineVersions",
            "ListNamedQueries",
            "ListQueryExecutions",
            "ListTableMetadata",
            "ListTagsForResource",
            "ListWorkGroups",
            "StartQueryExecution",
            "StopQueryExecution",
            "TagResource",
            "UntagResource",
            "UpdateNamedQuery",
            "UpdateWorkGroup",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "CreateWorkGroup" => workgroups::create(call),
            "GetWorkGroup" => workgroups::get(call),
            "ListWorkGroups" => workgroups::list(call),
            "UpdateWorkGroup" => workgroups::update(call),
            "DeleteWorkGroup" => workgroups::delete(call),
            "ListTagsForResource" => workgroups::tags(call),
            "TagResource" => workgroups::tag(call),
            "UntagResource" => workgroups::untag(call),
            "ListEngineVersions" => workgroups::engines(call),
            "CreateNamedQuery" => named::create(call),
            "GetNamedQuery" => named::get(call),
            "BatchGetNamedQuery" => named::get_many(call),
            "ListNamedQueries" => named::list(call),
            "UpdateNamedQuery" => named::update(call),
            "DeleteNamedQuery" => named::delete(call),
            "StartQueryExecution" => executions::start(call),
            "StopQueryExecution" => executions::stop(call),
            "GetQueryExecution" => executions::get(call),
            "BatchGetQueryExecution" => executions::get_many(call),
            "ListQueryExecutions" => executions::list(call),
            "GetQueryRuntimeStatistics" => executions::statistics(call),
            "GetQueryResults" => results::get(call),
            "ListDataCatalogs" => metadata::catalogs(call),
            "GetDataCatalog" => metadata::catalog(call),
            "ListDatabases" => metadata::databases(call),
            "GetDatabase" => metadata::database(call),
            "ListTableMetadata" => metadata::tables(call),
            "GetTableMetadata" => metadata::table(call),
            other => Err(AwsFault::new("NotImplementedInSandbox", other)),
        }
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        run::run(world, due);
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        let scope = call.scope();
        let arn = call.text("ResourceARN");
        if !arn.is_empty() {
            return arn.to_owned();
        }
        let workgroup = match call.operation {
            "CreateWorkGroup" => call.text("Name").to_owned(),
            "ListWorkGroups" | "ListEngineVersions" => return "*".to_owned(),
            "ListDataCatalogs" | "GetDataCatalog" | "ListDatabases" | "GetDatabase"
            | "ListTableMetadata" | "GetTableMetadata" => {
                let (region, account) = (scope.region, scope.account);
                return format!("arn:aws:athena:{region}:{account}:datacatalog/{CATALOG}");
            }
            _ => workgroup_of(call),
        };
        workgroup_arn(&scope, &workgroup)
    }
}

/// The workgroup that a call is about: by name, by what it names, or the one that is always there.
fn workgroup_of(call: &Call<'_>) -> String {
    let scope = call.scope();
    let of_execution = || {
        let execution = store::execution(call.world, &scope, call.text("QueryExecutionId"))?;
        Some(execution.workgroup)
    };
    let of_query = || named::workgroup(call.world, &scope, call.text("NamedQueryId"));
    match call.text("WorkGroup") {
        "" => of_execution().or_else(of_query).unwrap_or_else(|| workgroups::PRIMARY.to_owned()),
        name => name.to_owned(),
    }
}

fn paging(most: usize) -> Paging {
    Paging {
        size: "MaxResults",
        token: "NextToken",
        next: "NextToken",
        most,
        error: "InvalidRequestException",
    }
}

fn invalid(message: impl Into<String>) -> AwsFault {
    AwsFault::new("InvalidRequestException", message)
}

/// A member of a value as text, empty when it is absent.
fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
