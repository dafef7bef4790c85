//! What a data source's run finds: tables and views of a warehouse, or of a Glue catalogue.
//!
//! It reads what is really there when it works, so a table that was dropped, a cluster that was made
//! again under the same name, a secret that lost its tag and a role that is no administrator of the
//! data lake any more show here, as they do in AWS.

use serde_json::{Value, json};

use super::assets::Find;
use super::outside;
use super::room::{GRANT, Room, elements, text};
use super::types::{GLUE, TABLE, VIEW};
use super::warehouse::{self, Relation, Warehouse, storage_member};
use crate::services::glue::{self, DatabaseRef, Table};
use crate::services::iam::Role;
use crate::services::lakeformation::{self, Resource};
use crate::services::redshift::EndpointName;
use crate::world::Scope;

/// A failure of a whole run: DataZone's kind of error and the detail.
pub(super) type Failure = (&'static str, String);

/// A table that is there and cannot be imported, with the reason.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) database: String,
    pub(super) name: String,
    pub(super) reason: String,
}

/// Everything that the filters of a source take, in order.
pub(super) fn of_source(
    room: &Room<'_>,
    source: &Value,
) -> Result<Vec<Result<Find, Refused>>, Failure> {
    match source["configuration"].get("glueRunConfiguration") {
        Some(configuration) => in_catalogue(room, configuration),
        None => in_warehouse(room, &source["configuration"]["redshiftRunConfiguration"]),
    }
}

/// Where a warehouse is, for the names of what is in it.
struct Place<'a> {
    account: &'a str,
    region: &'a str,
    storage: EndpointName,
    secret: &'a str,
    role: &'a str,
}

fn in_warehouse(
    room: &Room<'_>,
    configuration: &Value,
) -> Result<Vec<Result<Find, Refused>>, Failure> {
    let secret = text(&configuration["redshiftCredentialConfiguration"], "secretManagerArn");
    let role = text(configuration, "dataAccessRole");
    outside::manage_access_role(room, role)
        .and_then(|role| outside::readable_secret(room, &role, secret))
        .map_err(|reason| ("ACCESS_DENIED_EXCEPTION", reason))?;
    let storage = warehouse::storage(&configuration["redshiftStorage"])
        .ok_or_else(|| ("VALIDATION_EXCEPTION", "The source names no warehouse".to_owned()))?;
    let (account, region) = (text(configuration, "accountId"), text(configuration, "region"));
    let warehouse = warehouse::open(room, account, region, &storage, secret)
        .map_err(|reason| ("RESOURCE_NOT_FOUND_EXCEPTION", reason))?;
    let place = Place { account, region, storage, secret, role };
    let mut found = vec![];
    for filter in elements(configuration, "relationalFilterConfigurations") {
        for relation in matching(room, &warehouse, filter)? {
            found.push(Ok(relation_found(&place, filter, &relation)));
        }
    }
    Ok(found)
}

fn relation_found(place: &Place<'_>, filter: &Value, relation: &Relation) -> Find {
    let (database, schema) = (text(filter, "databaseName"), text(filter, "schemaName"));
    let columns: Vec<Value> = relation
        .columns
        .iter()
        .map(|(name, kind)| json!({ "columnName": name, "dataType": kind }))
        .collect();
    Find {
        name: relation.name.clone(),
        database: database.to_owned(),
        kind: if relation.is_view { &VIEW } else { &TABLE },
        external: format!(
            "arn:aws:redshift:{}:{}:table:{}/{database}/{schema}/{}",
            place.region,
            place.account,
            place.storage.name(),
            relation.name
        ),
        content: json!({
            "accountId": place.account, "region": place.region,
            "storage": storage_member(&place.storage), "databaseName": database,
            "schemaName": schema, "tableName": relation.name, "columns": columns,
        }),
        secret: place.secret.to_owned(),
        role: place.role.to_owned(),
    }
}

/// The relations that a filter takes, without those that grants put there.
fn matching(
    room: &Room<'_>,
    warehouse: &Warehouse<'_>,
    filter: &Value,
) -> Result<Vec<Relation>, Failure> {
    let schema = text(filter, "schemaName");
    let mut relations = warehouse
        .relations(text(filter, "databaseName"), schema)
        .map_err(|reason| ("RESOURCE_NOT_FOUND_EXCEPTION", reason))?;
    let granted = room.list(GRANT);
    relations.retain(|relation| {
        takes(elements(filter, "filterExpressions"), &relation.name)
            && !granted.iter().any(|grant| {
                text(grant, "_schema") == schema
                    && elements(grant, "assets")
                        .iter()
                        .any(|asset| text(asset, "targetName") == relation.name)
            })
    });
    Ok(relations)
}

/// Whether filter expressions take a name: some INCLUDE (or there is none) and no EXCLUDE.
fn takes(expressions: &[Value], name: &str) -> bool {
    let of = |kind: &'static str| {
        expressions.iter().filter(move |expression| text(expression, "type") == kind)
    };
    let matches = |expression: &Value| like(text(expression, "expression"), name);
    (of("INCLUDE").count() == 0 || of("INCLUDE").any(matches)) && !of("EXCLUDE").any(matches)
}

/// Whether a name matches a pattern in which `*` stands for anything.
fn like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(name),
        Some((head, rest)) => name
            .get(..head.len())
            .filter(|start| start.eq_ignore_ascii_case(head))
            .is_some_and(|_| {
                (head.len()..=name.len())
                    .filter_map(|start| name.get(start..))
                    .any(|tail| like(rest, tail))
            }),
    }
}

fn in_catalogue(
    room: &Room<'_>,
    configuration: &Value,
) -> Result<Vec<Result<Find, Refused>>, Failure> {
    let role = outside::lake_access_role(room, text(configuration, "dataAccessRole"))
        .map_err(|reason| ("ACCESS_DENIED_EXCEPTION", reason))?;
    let scope = Scope::new(text(configuration, "accountId"), text(configuration, "region"));
    let mut found = vec![];
    for filter in elements(configuration, "relationalFilterConfigurations") {
        let database = DatabaseRef::new(&scope, text(filter, "databaseName"));
        if glue::database(room.world, &database).is_none() {
            let reason = format!("The database {} does not exist", database.name);
            return Err(("RESOURCE_NOT_FOUND_EXCEPTION", reason));
        }
        for table in glue::tables(room.world, &database) {
            // A link shows the table of another catalogue, which is not this project's to publish.
            if table.target().is_none()
                && takes(elements(filter, "filterExpressions"), &table.reference.name)
            {
                found.push(table_found(room, &scope, &role, &table));
            }
        }
    }
    Ok(found)
}

/// A table of the catalogue, when the role could grant it: that is what publishing is for.
fn table_found(
    room: &Room<'_>,
    scope: &Scope,
    role: &Role,
    table: &Table,
) -> Result<Find, Refused> {
    let reference = &table.reference;
    let resource = Resource::Table(reference.clone());
    let wanted = ["DESCRIBE", "SELECT"];
    if !lakeformation::may_grant(room.world, scope, &role.arn, &resource, &wanted) {
        return Err(Refused {
            database: reference.database.clone(),
            name: reference.name.clone(),
            reason: format!(
                "Insufficient Lake Formation permission(s) of {} on {}",
                role.arn, reference.name
            ),
        });
    }
    let columns: Vec<Value> = table
        .columns()
        .into_iter()
        .map(|(name, kind, _)| json!({ "columnName": name, "dataType": kind }))
        .collect();
    Ok(Find {
        name: reference.name.clone(),
        database: reference.database.clone(),
        kind: &GLUE,
        external: reference.arn(),
        content: json!({
            "catalogId": scope.account, "region": scope.region, "tableArn": reference.arn(),
            "tableName": reference.name, "sourceLocation": table.location(), "columns": columns,
        }),
        secret: String::new(),
        role: role.arn.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn a_star_stands_for_anything_and_case_does_not_count() {
        assert!(like("*", "mkt_sls_table"));
        assert!(like("mkt_*_table", "MKT_SLS_TABLE"));
        assert!(!like("mkt_*", "rs_sls_tbl"));
        assert!(!like("mkt", "mkt_sls"));
    }
}
