//! What DataZone does in a warehouse: look at its tables, keep an environment's schema, and show one
//! project's table to another as a view.
//!
//! All of it is SQL in the name of the user in the environment's secret, as in AWS: what that user may
//! not do, DataZone cannot do either.

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::outside::{self, Credentials};
use super::room::{Room, elements, text};
use crate::services::iam::Role;
use crate::services::redshift::{self, Endpoint, EndpointName};
use crate::sql::{self, Grantee, Privilege, SharedRelation, SqlError};
use crate::world::Scope;

/// The cluster or workgroup that an environment's parameters choose: exactly one.
pub(super) fn chosen_storage(parameters: &[Value]) -> Option<EndpointName> {
    match (value_of(parameters, "clusterName"), value_of(parameters, "workgroupName")) {
        (cluster, "") if !cluster.is_empty() => Some(EndpointName::Cluster(cluster.to_owned())),
        ("", name) if !name.is_empty() => Some(EndpointName::Workgroup(name.to_owned())),
        _ => None,
    }
}

/// What a `redshiftStorage` member names.
pub(super) fn storage(member: &Value) -> Option<EndpointName> {
    let cluster = text(&member["redshiftClusterSource"], "clusterName");
    let workgroup = text(&member["redshiftServerlessSource"], "workgroupName");
    match (cluster, workgroup) {
        ("", "") => None,
        ("", workgroup) => Some(EndpointName::Workgroup(workgroup.to_owned())),
        (cluster, _) => Some(EndpointName::Cluster(cluster.to_owned())),
    }
}

/// A `redshiftStorage` member.
pub(super) fn storage_member(storage: &EndpointName) -> Value {
    match storage {
        EndpointName::Cluster(name) => {
            json!({ "redshiftClusterSource": { "clusterName": name } })
        }
        EndpointName::Workgroup(name) => {
            json!({ "redshiftServerlessSource": { "workgroupName": name } })
        }
    }
}

/// A table or view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) is_view: bool,
    /// Names and declared types, in order.
    pub(super) columns: Vec<(String, String)>,
}

/// What a grant shows, and where.
#[derive(Debug)]
pub(super) struct Share<'a> {
    pub(super) database: &'a str,
    pub(super) schema: &'a str,
    pub(super) table: &'a str,
    /// The consumer's schema.
    pub(super) view_schema: &'a str,
    pub(super) view: &'a str,
    /// Name of the role that may read the view.
    pub(super) role: &'a str,
    /// Name of the datashare, when it takes one.
    pub(super) datashare: &'a str,
}

/// The roles in whose names the two sides of a datashare consent.
pub(super) struct Consents<'a> {
    /// Of the account that has the data.
    pub(super) producer: &'a Role,
    /// Of the account that gets it.
    pub(super) consumer: &'a Role,
}

/// A warehouse that answers, in the name of one of its users.
pub(super) struct Warehouse<'a> {
    sql: sql::Warehouse<'a>,
    scope: Scope,
    /// What it is reached by; its namespace is what one that was made again does not share with the
    /// one before.
    endpoint: Endpoint,
    /// The environment's database; empty for a warehouse that is only looked at.
    database: String,
    /// The secret's user, who owns what DataZone makes.
    user: String,
}

/// The warehouse of an environment.
pub(super) fn of_environment<'a>(
    room: &Room<'a>,
    environment: &Value,
) -> Result<Warehouse<'a>, String> {
    let parameters = elements(environment, "userParameters");
    let storage = chosen_storage(parameters)
        .ok_or_else(|| "The environment names no warehouse".to_owned())?;
    let mut warehouse = open(
        room,
        text(environment, "awsAccountId"),
        text(environment, "awsAccountRegion"),
        &storage,
        value_of(parameters, "dataAccessSecretsArn"),
    )?;
    value_of(parameters, "dbName").clone_into(&mut warehouse.database);
    match warehouse.sql.databases().contains(&warehouse.database) {
        true => Ok(warehouse),
        false => Err(format!("database \"{}\" does not exist", warehouse.database)),
    }
}

/// The warehouse behind a name, when it answers and the secret's user may sign in with all rights.
pub(super) fn open<'a>(
    room: &Room<'a>,
    account: &str,
    region: &str,
    storage: &EndpointName,
    secret: &str,
) -> Result<Warehouse<'a>, String> {
    let (kind, name) = (storage.kind(), storage.name());
    let scope = Scope::new(account, region);
    let endpoint = redshift::endpoint(room.world, &scope, storage)
        .ok_or_else(|| format!("The {kind} {name} does not exist"))?;
    if endpoint.status != "available" {
        return Err(format!("The {kind} {name} is {}, not available", endpoint.status));
    }
    let sql = sql::Warehouse::open(room.world, &endpoint.namespace)
        .ok_or_else(|| format!("The {kind} {name} does not answer"))?;
    let Credentials { user, password } = outside::credentials(room, secret)?;
    let user = sql.authenticate(&user, &password).map_err(|error| error.to_string())?;
    match sql.is_superuser(&user) {
        true => Ok(Warehouse { sql, scope, endpoint, database: String::new(), user }),
        false => Err(format!("The user {user} of the {kind} {name} is not a superuser")),
    }
}

impl Warehouse<'_> {
    /// Uuid of its namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.endpoint.namespace
    }

    /// The tables and views of a schema.
    pub(super) fn relations(&self, database: &str, schema: &str) -> Result<Vec<Relation>, String> {
        let relations = || -> Result<Vec<Relation>, SqlError> {
            self.sql
                .tables(database, schema)?
                .into_iter()
                .map(|found| {
                    let columns = self.sql.columns(database, schema, &found.name)?;
                    Ok(Relation {
                        is_view: found.kind == "VIEW",
                        columns: columns
                            .into_iter()
                            .map(|column| (column.name, column.sql_type.to_string()))
                            .collect(),
                        name: found.name,
                    })
                })
                .collect()
        };
        relations().map_err(|error| error.to_string())
    }

    /// Makes an environment's schema, and the user that its role signs in as. A schema of that name
    /// that is there already, another environment's or one left behind, is not taken over.
    pub(super) fn add_environment(&mut self, schema: &str, role: &str) -> Result<(), String> {
        let failed = |error: SqlError| error.to_string();
        if !self.sql.create_schema(&self.database, schema, &self.user).map_err(failed)? {
            return Err(SqlError::new(format!("schema \"{schema}\" already exists")).to_string());
        }
        let user = database_user(role);
        self.sql.ensure_user(&user, false);
        let rights = [Privilege::Usage, Privilege::Create];
        let grantee = Grantee::User(user);
        self.sql.grant_schema(&self.database, schema, &rights, &grantee).map_err(failed)
    }

    /// Drops an environment's schema and user, unless something of its people is left in the schema:
    /// their tables are not DataZone's to delete. A warehouse that was made again has neither.
    pub(super) fn drop_environment(&mut self, schema: &str, role: &str) -> Result<(), String> {
        let tables = self.sql.tables(&self.database, schema);
        if tables.is_ok_and(|tables| !tables.is_empty()) {
            return Ok(());
        }
        let drop = format!("DROP USER IF EXISTS \"{}\"", database_user(role));
        let dropped = self
            .sql
            .drop_schema(&self.database, schema)
            .and_then(|_| self.sql.execute(&self.user, &self.database, &drop, &[]));
        dropped.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Shows a producer's table as a view in an environment's schema: directly within one namespace,
    /// through a datashare between two. Says whether there is a datashare.
    pub(super) fn add_share(
        &mut self,
        room: &Room<'_>,
        producer: &mut Warehouse<'_>,
        share: &Share<'_>,
        consents: &Consents<'_>,
    ) -> Result<bool, String> {
        let failed = |error: SqlError| error.to_string();
        let Share { database, schema, table, view_schema, view, role, datashare } = *share;
        producer.sql.columns(database, schema, table).map_err(failed)?;
        let taken = self.sql.tables(&self.database, view_schema).map_err(failed)?;
        if taken.iter().any(|known| known.name == view) {
            return Err(SqlError::new(format!("Relation \"{view}\" already exists")).to_string());
        }
        let apart = self.endpoint.namespace != producer.endpoint.namespace;
        if apart {
            self.can_share_with(producer)?;
            self.add_datashare(room, producer, share, consents)?;
            let shared = SharedRelation {
                namespace: producer.endpoint.namespace.clone(),
                database: database.to_owned(),
                schema: schema.to_owned(),
                relation: table.to_owned(),
                datashare: Some(datashare.to_owned()),
            };
            let user = self.user.clone();
            self.sql
                .create_shared_relation(&self.database, view_schema, view, &user, &shared)
                .map_err(failed)?;
        } else {
            let query = format!("SELECT * FROM \"{database}\".\"{schema}\".\"{table}\"");
            self.sql
                .create_view(&self.database, view_schema, view, &self.user, &query)
                .map_err(failed)?;
        }
        let reader = Grantee::User(database_user(role));
        self.sql
            .grant(&self.database, view_schema, view, &[Privilege::Select], &reader)
            .map_err(failed)?;
        Ok(apart)
    }

    /// Refuses two warehouses between which Redshift has no datashares.
    fn can_share_with(&self, producer: &Warehouse<'_>) -> Result<(), String> {
        for (side, warehouse) in [("producer", producer), ("consumer", self)] {
            if let Some(reason) = warehouse.endpoint.cannot_share() {
                return Err(format!("The {side}'s warehouse cannot share data: {reason}"));
            }
        }
        if self.scope.region != producer.scope.region {
            return Err(format!(
                "DataZone does not share data between Regions: it is in {} and the environment in {}",
                producer.scope.region, self.scope.region
            ));
        }
        let both = self.endpoint.encrypted && producer.endpoint.encrypted;
        if self.scope.account != producer.scope.account && !both {
            return Err(
                "Both warehouses must be encrypted to share data between accounts".to_owned()
            );
        }
        if self.endpoint.encrypted != producer.endpoint.encrypted {
            return Err("Both warehouses must be encrypted, or neither, to share data".to_owned());
        }
        Ok(())
    }

    /// Makes the datashare of one table, for this warehouse's namespace or, where that is another
    /// account's, for the account, with the consents of both sides.
    fn add_datashare(
        &self,
        room: &Room<'_>,
        producer: &mut Warehouse<'_>,
        share: &Share<'_>,
        consents: &Consents<'_>,
    ) -> Result<(), String> {
        let Share { database, schema, table, datashare, .. } = *share;
        let account = &self.scope.account;
        let across = *account != producer.scope.account;
        let consumer = match across {
            true => format!("ACCOUNT '{account}'"),
            false => format!("NAMESPACE '{}'", self.endpoint.namespace),
        };
        for sql in [
            format!("CREATE DATASHARE \"{datashare}\""),
            format!("ALTER DATASHARE \"{datashare}\" ADD SCHEMA \"{schema}\""),
            format!("ALTER DATASHARE \"{datashare}\" ADD TABLE \"{schema}\".\"{table}\""),
            format!("GRANT USAGE ON DATASHARE \"{datashare}\" TO {consumer}"),
        ] {
            let user = producer.user.clone();
            producer.sql.execute(&user, database, &sql, &[]).map_err(|error| error.to_string())?;
        }
        if !across {
            return Ok(());
        }
        let namespace = &producer.endpoint.namespace;
        let arn = redshift::datashare_arn(&producer.scope, namespace, datashare);
        let what = "manage access role";
        outside::require(room, consents.producer, "redshift:AuthorizeDataShare", &arn, what)?;
        producer.sql.authorise(datashare, account, true);
        let action = "redshift:AssociateDataShareConsumer";
        outside::require(room, consents.consumer, action, &arn, what)?;
        producer.sql.associate(datashare, account, &self.endpoint.namespace, true);
        Ok(())
    }

    /// Takes a datashare back, in the warehouse that has it; one that is gone already is no failure.
    pub(super) fn remove_datashare(&mut self, name: &str) -> Result<(), String> {
        if !self.sql.datashares().iter().any(|known| known.name == name) {
            return Ok(());
        }
        let drop = format!("DROP DATASHARE \"{name}\"");
        let database = self.sql.databases().into_iter().next().unwrap_or_default();
        let dropped = self.sql.execute(&self.user, &database, &drop, &[]);
        dropped.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Takes a view back; one that is gone already is no failure.
    pub(super) fn remove_share(&mut self, schema: &str, view: &str) -> Result<(), String> {
        let dropped = self.sql.drop_relation(&self.database, schema, view);
        dropped.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// The database user of a role that signs in with its temporary credentials.
fn database_user(role: &str) -> String {
    format!("IAMR:{role}")
}
