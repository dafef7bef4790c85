//! Who may do what with the data lake: the questions of the services that keep or read its tables.
//!
//! A principal has what it was granted by name, what everybody whom IAM allows was granted in its own
//! account, and, of another account's things, what its account was granted: as the administrator of
//! its own data lake at once, otherwise once that account has handed it on. Nothing of another account
//! arrives before the RAM share that carries it is accepted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::grants::{GRANT, Grant, Held, forget};
use super::resource::{DATABASE_PERMISSIONS, Resource, TABLE_PERMISSIONS, database_of};
use super::{principals, settings};
use crate::services::glue::{self, DatabaseRef, TableRef};
use crate::services::ram;
use crate::world::{Scope, World};

const TABLE_DEFAULTS: &str = "CreateTableDefaultPermissions";

/// Whether somebody may read a table's rows.
pub(crate) fn may_select(world: &World<'_>, principal_arn: &str, table: &TableRef) -> bool {
    has(world, principal_arn, &Resource::Table(table.clone()), &["SELECT"])
}

/// Whether somebody may see that a table exists, and its columns.
pub(crate) fn may_describe(world: &World<'_>, principal_arn: &str, table: &TableRef) -> bool {
    let scope = Scope::new(&table.account, &table.region);
    settings::is_admin(world, &scope, principal_arn)
        || has(world, principal_arn, &Resource::Table(table.clone()), TABLE_PERMISSIONS)
}

/// Whether somebody may see a database: any permission on it or on a table in it says so.
pub(crate) fn may_describe_database(
    world: &World<'_>,
    principal_arn: &str,
    database: &DatabaseRef,
) -> bool {
    let scope = Scope::new(&database.account, &database.region);
    settings::is_admin(world, &scope, principal_arn)
        || has(world, principal_arn, &Resource::Database(database.clone()), DATABASE_PERMISSIONS)
        || tables_of(world, database)
            .into_iter()
            .any(|table| has(world, principal_arn, &table, &[]))
}

/// Whether somebody may make tables in a database.
pub(crate) fn may_create_table(
    world: &World<'_>,
    principal_arn: &str,
    database: &DatabaseRef,
) -> bool {
    has(world, principal_arn, &Resource::Database(database.clone()), &["CREATE_TABLE"])
}

/// Whether somebody may change a table, its rows or its columns, or drop it.
pub(crate) fn may_alter(world: &World<'_>, principal_arn: &str, table: &TableRef) -> bool {
    let all = ["ALTER", "DELETE", "DROP", "INSERT"];
    has(world, principal_arn, &Resource::Table(table.clone()), &all)
}

/// Whether somebody may grant these permissions in an account's name: its data lake's administrator,
/// or one who has them all with the right to hand them on.
pub(crate) fn may_grant(
    world: &World<'_>,
    scope: &Scope,
    principal_arn: &str,
    resource: &Resource,
    permissions: &[&str],
) -> bool {
    let own = resource.account() == scope.account;
    if settings::is_admin(world, scope, principal_arn) {
        // Of another account's things an administrator has what the account was granted.
        return own || {
            let effective = effective(world, principal_arn, resource);
            permissions.iter().all(|permission| effective.contains(*permission))
        };
    }
    let arn = principals::identity(world, principal_arn);
    let held = world.list::<Held>(scope, GRANT);
    permissions.iter().all(|permission| {
        held.iter().any(|held| {
            held.grant.principal == arn
                && held.grant.resource.covers(resource)
                && includes(&held.grant.grantable, permission)
        })
    })
}

/// A database was made: its maker has every right to it, and others what the settings say.
pub(crate) fn database_created(world: &World<'_>, database: &DatabaseRef, creator_arn: &str) {
    let scope = Scope::new(&database.account, &database.region);
    let resource = Resource::Database(database.clone());
    let defaults = settings::defaults(world, &scope, "CreateDatabaseDefaultPermissions");
    created(world, &scope, &resource, DATABASE_PERMISSIONS, creator_arn, defaults);
}

/// A table was made: its maker has every right to it, and others what the settings say.
pub(crate) fn table_created(world: &World<'_>, table: &TableRef, creator_arn: &str) {
    let scope = Scope::new(&table.account, &table.region);
    let resource = Resource::Table(table.clone());
    // A database may say it for its own tables.
    let own = glue::database(world, &database_of(table))
        .and_then(|database| database.input.get(TABLE_DEFAULTS).cloned())
        .filter(Value::is_array);
    let defaults = match own {
        Some(list) => settings::given_to(&list),
        None => settings::defaults(world, &scope, TABLE_DEFAULTS),
    };
    created(world, &scope, &resource, TABLE_PERMISSIONS, creator_arn, defaults);
}

fn created(
    world: &World<'_>,
    scope: &Scope,
    resource: &Resource,
    all: &[&str],
    creator_arn: &str,
    defaults: Vec<(String, Vec<String>)>,
) {
    let all: Vec<String> = all.iter().map(|permission| (*permission).to_owned()).collect();
    let creator = principals::identity(world, creator_arn);
    let owner = (creator, all.clone(), all);
    let others =
        defaults.into_iter().map(|(principal, permissions)| (principal, permissions, Vec::new()));
    for (principal, permissions, grantable) in std::iter::once(owner).chain(others) {
        let grant = Grant { principal, resource: resource.clone(), permissions, grantable };
        // A maker that is nobody any more, or a default for one, is left out as AWS leaves it out.
        if principals::is_valid(world, &grant.principal) && !grant.permissions.is_empty() {
            super::grants::keep(world, scope, &grant, creator_arn);
        }
    }
}

/// A database is gone, and every permission on it and its tables.
pub(crate) fn database_dropped(world: &World<'_>, database: &DatabaseRef) {
    forget(world, |resource| resource.database().as_ref() == Some(database));
}

/// A table is gone, and every permission on it.
pub(crate) fn table_dropped(world: &World<'_>, table: &TableRef) {
    forget(world, |resource| *resource == Resource::Table(table.clone()));
}

fn tables_of(world: &World<'_>, database: &DatabaseRef) -> Vec<Resource> {
    let held = world.list_everywhere::<Held>(GRANT).into_iter();
    held.map(|stored| stored.document.grant.resource)
        .filter(|resource| match resource {
            Resource::Table(table) => database_of(table) == *database,
            Resource::AllTables(inside) => inside == database,
            _ => false,
        })
        .collect()
}

/// Whether somebody has one of the permissions on a resource; of an empty list, any at all.
fn has(world: &World<'_>, arn: &str, resource: &Resource, one_of: &[&str]) -> bool {
    let effective = effective(world, arn, resource);
    match one_of {
        [] => !effective.is_empty(),
        wanted => wanted.iter().any(|permission| effective.contains(*permission)),
    }
}

/// What somebody may do with a resource, `ALL` spelt out.
fn effective(world: &World<'_>, principal_arn: &str, resource: &Resource) -> BTreeSet<String> {
    let arn = principals::identity(world, principal_arn);
    let (Some(account), Some(database)) = (principals::account(&arn), resource.database()) else {
        return BTreeSet::new();
    };
    let owner = Scope::new(&database.account, &database.region);
    let own = Scope::new(account, &database.region);
    if owner == own {
        return granted(world, &owner, resource, |held| {
            let principal = held.grant.principal.as_str();
            is_named(principal, &arn, account) || principal == principals::IAM_ALLOWED
        });
    }
    let arrived = |held: &Held| {
        let shared = held.grant.resource.shared_arn(&database.region);
        shared.is_some_and(|shared| ram::association(world, &shared, account).is_some())
    };
    let mut effective = granted(world, &owner, resource, |held| {
        is_named(&held.grant.principal, &arn, account) && arrived(held)
    });
    let of_account =
        granted(world, &owner, resource, |held| held.grant.principal == account && arrived(held));
    if of_account.is_empty() || settings::is_admin(world, &own, &arn) {
        effective.extend(of_account);
        return effective;
    }
    let handed_on =
        granted(world, &own, resource, |held| is_named(&held.grant.principal, &arn, account));
    effective.extend(of_account.intersection(&handed_on).cloned());
    effective
}

fn is_named(principal: &str, arn: &str, account: &str) -> bool {
    principal == arn || principal.strip_suffix(":IAMPrincipals") == Some(account)
}

/// What an account's grants of a kind give on a resource.
fn granted(
    world: &World<'_>,
    scope: &Scope,
    resource: &Resource,
    of_kind: impl Fn(&Held) -> bool,
) -> BTreeSet<String> {
    let held = world.list::<Held>(scope, GRANT).into_iter();
    let giving = held.filter(|held| held.grant.resource.covers(resource) && of_kind(held));
    let mut permissions: BTreeSet<String> =
        giving.flat_map(|held| held.grant.permissions).collect();
    if permissions.contains("ALL") {
        permissions.extend(resource.permissions().iter().map(|one| (*one).to_owned()));
    }
    permissions
}

fn includes(permissions: &[String], wanted: &str) -> bool {
    permissions.iter().any(|known| known == wanted || known == "ALL")
}
