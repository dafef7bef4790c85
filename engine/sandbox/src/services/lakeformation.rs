//! Lake Formation: who may do what with the tables of the Glue catalogue.
//!
//! The questions that Glue, Athena and DataZone ask are in `rights`. Left out, and refused by name:
//! tags and their policies, cell filters, permissions on some of a table's columns, transactions,
//! opting in to hybrid access.

mod grants;
mod locations;
mod principals;
mod resource;
mod rights;
mod settings;

pub(crate) use grants::{Grant, grant, revoke};
pub(crate) use locations::{deregister_location, is_registered, register_location};
pub(crate) use principals::IAM_ALLOWED;
pub(crate) use resource::Resource;
pub(crate) use rights::{
    database_created, database_dropped, may_alter, may_create_table, may_describe,
    may_describe_database, may_grant, may_select, table_created, table_dropped,
};
pub(crate) use settings::{add_admins, is_admin, poison};

use super::pages::Paging;
use super::{AwsFault, Call, Reply, Service};
use crate::world::Scope;

/// AWS Lake Formation.
#[derive(Debug)]
pub(crate) struct LakeFormation;

/// How Lake Formation pages.
const PAGES: Paging = Paging {
    size: "MaxResults",
    token: "NextToken",
    next: "NextToken",
    most: 1000,
    error: "InvalidInputException",
};

impl Service for LakeFormation {
    fn name(&self) -> &'static str {
        "lakeformation"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "BatchGrantPermissions",
            "BatchRevokePermissions",
            "DeregisterResource",
            "DescribeResource",
            "GetDataLakeSettings",
            "GetEffectivePermissionsForPath",
            "GrantPermissions",
            "ListPermissions",
            "ListResources",
            "PutDataLakeSettings",
            "RegisterResource",
            "RevokePermissions",
            "UpdateResource",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "BatchGrantPermissions" => grants::many(call, true),
            "BatchRevokePermissions" => grants::many(call, false),
            "DeregisterResource" => locations::deregister(call),
            "DescribeResource" => locations::describe(call),
            "GetDataLakeSettings" => settings::get(call),
            "GetEffectivePermissionsForPath" => grants::for_path(call),
            "GrantPermissions" => grants::one(call, true),
            "ListPermissions" => grants::list(call),
            "ListResources" => locations::list(call),
            "PutDataLakeSettings" => settings::put(call),
            "RegisterResource" => locations::register(call),
            "RevokePermissions" => grants::one(call, false),
            "UpdateResource" => locations::update(call),
            other => Err(invalid(format!("{other} is unknown"))),
        }
    }
}

/// The account and region that a call is about: the caller's own, which is the only one that it may
/// name.
fn catalogue_scope(call: &Call<'_>) -> Result<Scope, AwsFault> {
    match call.text("CatalogId") {
        "" => Ok(call.scope()),
        own if own == call.principal.account => Ok(call.scope()),
        other => Err(AwsFault::new(
            "AccessDeniedException",
            format!("Cross account access to the data lake of {other} is not allowed."),
        )),
    }
}

fn invalid(message: impl Into<String>) -> AwsFault {
    AwsFault::new("InvalidInputException", message)
}
