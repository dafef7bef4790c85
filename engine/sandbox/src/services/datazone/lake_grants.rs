//! Grants of lake tables: Lake Formation permissions, and a resource link in the subscriber's
//! database.
//!
//! Between accounts the table is granted to the subscriber's account, which Lake Formation shares
//! through AWS RAM; DataZone accepts that share itself and hands the permission on to the
//! environment's role.

use serde_json::{Value, json};

use super::fulfil::{Held, chosen_name, producer_role};
use super::lake::scope_of;
use super::outside;
use super::room::{GRANT, Room, text};
use crate::services::glue::{self, DatabaseRef, TableRef};
use crate::services::iam::Role;
use crate::services::lakeformation::{self, Grant, Resource};
use crate::services::{AwsFault, ram};
use crate::world::Scope;

/// What a subscriber gets on a table.
const READING: [&str; 2] = ["DESCRIBE", "SELECT"];

/// Puts a table into an environment's database.
pub(super) fn give(
    room: &Room<'_>,
    grant: &Value,
    environment: &Value,
    target: &Value,
    asset: &Value,
    table: &TableRef,
) -> Result<Held, String> {
    let giving = outside::lake_access_role(room, producer_role(asset, target))?;
    let getting = outside::lake_access_role(room, text(target, "manageAccessRole"))?;
    let from = table.scope();
    let to = scope_of(environment);
    can_grant(room, table, &from, &to, &giving, &getting)?;
    let user = text(environment, "_roleArn");
    let name = chosen_name(grant, &table.name).to_lowercase();
    let database = DatabaseRef::new(&to, text(environment, "_consumerDb"));
    let link = database.table(&name);
    if glue::table(room.world, &link).is_some() {
        return Err(format!("The table {name} already exists in {}", database.name));
    }
    let failed = |fault: AwsFault| fault.message;
    let across = from.account != to.account;
    if across {
        let account = reading(&to.account, table, true);
        let share =
            lakeformation::grant(room.world, &from, &account, &giving.arn).map_err(failed)?;
        if let Some(share) = share {
            ram::accept_for_service(room.world, &share, &to.account);
        }
    }
    lakeformation::grant(room.world, &to, &reading(user, table, false), &getting.arn)
        .map_err(failed)?;
    glue::link_table(room.world, &database, &name, &getting.arn, table).map_err(failed)?;
    let seeing = Grant { permissions: vec!["DESCRIBE".to_owned()], ..reading(user, &link, false) };
    lakeformation::grant(room.world, &to, &seeing, &getting.arn).map_err(failed)?;
    let kept = json!({ "_link": {
        "link": link, "table": table, "user": user, "role": giving.arn,
    } });
    Ok(Held { name, kept })
}

/// Whether the environment's role sees the table that was given to it: a share takes a moment.
pub(super) fn can_be_read(room: &Room<'_>, grant: &Value) -> bool {
    let kept = &grant["_link"];
    serde_json::from_value::<TableRef>(kept["table"].clone())
        .is_ok_and(|table| lakeformation::may_describe(room.world, text(kept, "user"), &table))
}

fn reading(principal: &str, table: &TableRef, hand_on: bool) -> Grant {
    let permissions: Vec<String> = READING.map(str::to_owned).to_vec();
    Grant {
        principal: principal.to_owned(),
        resource: Resource::Table(table.clone()),
        grantable: if hand_on { permissions.clone() } else { vec![] },
        permissions,
    }
}

/// Refuses what Lake Formation, or DataZone for it, cannot grant.
fn can_grant(
    room: &Room<'_>,
    table: &TableRef,
    from: &Scope,
    to: &Scope,
    giving: &Role,
    getting: &Role,
) -> Result<(), String> {
    let name = table.to_string();
    let found =
        glue::table(room.world, table).ok_or_else(|| format!("The table {name} does not exist"))?;
    if found.target().is_some() {
        return Err(format!("{name} is a resource link, which cannot be granted"));
    }
    if from.region != to.region {
        return Err(format!(
            "DataZone does not share tables between Regions: {name} is in {} and the environment \
             in {}",
            from.region, to.region
        ));
    }
    if !lakeformation::is_registered(room.world, found.location()) {
        return Err(format!("{name} is not managed by Lake Formation"));
    }
    let resource = Resource::Table(table.clone());
    if !lakeformation::may_grant(room.world, from, &giving.arn, &resource, &READING) {
        return Err(format!(
            "The role {} has no grantable Lake Formation permissions on {name}",
            giving.arn
        ));
    }
    match lakeformation::is_admin(room.world, to, &getting.arn) {
        true => Ok(()),
        false => Err(format!(
            "The role {} is not a data lake administrator of account {}",
            getting.arn, to.account
        )),
    }
}

/// Takes a table out of an environment's database again.
pub(super) fn take_back(room: &Room<'_>, grant: &Value, environment: &Value) -> Result<(), String> {
    let kept = &grant["_link"];
    let read = |member: &str| serde_json::from_value::<TableRef>(kept[member].clone());
    let (Ok(link), Ok(table)) = (read("link"), read("table")) else {
        return Err("The grant's table is unknown".to_owned());
    };
    outside::lake_access_role(room, text(kept, "role"))?;
    let from = table.scope();
    let to = scope_of(environment);
    glue::drop_table(room.world, &link);
    take(room, &to, &reading(text(kept, "user"), &table, false));
    if from.account != to.account && !another_holds(room, grant, &table, &to.account) {
        take(room, &from, &reading(&to.account, &table, false));
    }
    Ok(())
}

/// Revokes what is there; an administrator may have taken it back already.
fn take(room: &Room<'_>, scope: &Scope, grant: &Grant) {
    let _already_gone = lakeformation::revoke(room.world, scope, grant);
}

/// Whether another grant of the table to the same account needs the account's permission still.
fn another_holds(room: &Room<'_>, grant: &Value, table: &TableRef, account: &str) -> bool {
    room.list(GRANT).iter().any(|other| {
        other["id"] != grant["id"]
            && other["_link"]["table"] == json!(table)
            && other["_link"]["link"]["account"] == *account
            && super::grants::holds_data(other)
    })
}
