//! What Lake Formation says about databases and tables: the one place where it is asked.
//!
//! It decides beside IAM: a call needs both. An account's own root, who makes what a world begins
//! with, is not asked about.

use super::state::{DatabaseRef, TableRef};
use crate::people::{Principal, PrincipalKind};
use crate::services::{AwsFault, lakeformation};
use crate::world::World;

/// What somebody wants of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// To see that it is there, and its columns.
    Describe,
    /// To read its rows.
    Select,
    /// To change its columns or its rows.
    Alter,
    /// To remove it.
    Drop,
}

impl Wanted {
    fn word(self) -> &'static str {
        match self {
            Self::Describe => "Describe",
            Self::Select => "Select",
            Self::Alter => "Alter",
            Self::Drop => "Drop",
        }
    }
}

/// Refuses unless Lake Formation lets somebody do this with a table.
pub(crate) fn table(
    world: &World<'_>,
    principal: &Principal,
    table: &TableRef,
    wanted: Wanted,
) -> Result<(), AwsFault> {
    let arn = &principal.identity_arn;
    let allowed = principal.kind == PrincipalKind::Root
        || match wanted {
            Wanted::Describe => lakeformation::may_describe(world, arn, table),
            Wanted::Select => lakeformation::may_select(world, arn, table),
            Wanted::Alter | Wanted::Drop => lakeformation::may_alter(world, arn, table),
        };
    if allowed { Ok(()) } else { Err(insufficient(wanted.word(), &table.name)) }
}

/// Refuses unless Lake Formation lets somebody see a database.
pub(crate) fn database(
    world: &World<'_>,
    principal: &Principal,
    database: &DatabaseRef,
) -> Result<(), AwsFault> {
    let allowed = principal.kind == PrincipalKind::Root
        || lakeformation::may_describe_database(world, &principal.identity_arn, database);
    if allowed { Ok(()) } else { Err(insufficient("Describe", &database.name)) }
}

/// Refuses unless Lake Formation lets somebody make tables in a database.
pub(crate) fn create_table(
    world: &World<'_>,
    principal: &Principal,
    database: &DatabaseRef,
) -> Result<(), AwsFault> {
    let allowed = principal.kind == PrincipalKind::Root
        || lakeformation::may_create_table(world, &principal.identity_arn, database);
    if allowed { Ok(()) } else { Err(insufficient("Create Table", &database.name)) }
}

/// Refuses a change to another account's catalogue, and to a database that somebody may not see.
pub(super) fn change_database(
    world: &World<'_>,
    principal: &Principal,
    of: &DatabaseRef,
) -> Result<(), AwsFault> {
    match principal.account == of.account {
        true => database(world, principal, of),
        false => Err(insufficient("Alter", &of.name)),
    }
}

/// Refuses to make a database in another account's catalogue.
pub(super) fn create_database(principal: &Principal, of: &DatabaseRef) -> Result<(), AwsFault> {
    match principal.account == of.account {
        true => Ok(()),
        false => Err(insufficient("Create Database", "Catalog")),
    }
}

fn insufficient(wanted: &str, on: &str) -> AwsFault {
    AwsFault {
        code: "AccessDeniedException".to_owned(),
        message: format!("Insufficient Lake Formation permission(s): Required {wanted} on {on}"),
        status: Some(400),
    }
}
