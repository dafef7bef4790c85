//! What DataZone does in a warehouse: look at its tables, keep an environment's schema, and show one
//! project's table to another as a view.
//!
//! All of it is SQL in the name of the user in the environment's secret, as in AWS: what that user may
//! not do, DataZone cannot do either.

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::outside::{self, Credentials};
use super::room::{Room, elements, text};
use crate::services::redshift;
use crate::sql::{self, Grantee, Privilege, SharedRelation, SqlError};
use crate::world::Scope;

/// Where a warehouse is: DataZone keeps a name and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Storage {
    /// A provisioned cluster.
    Cluster(String),
    /// A serverless workgroup.
    Workgroup(String),
}

impl Storage {
    /// The storage that an environment's parameters choose: exactly one.
    pub(super) fn of_parameters(parameters: &[Value]) -> Option<Self> {
        match (value_of(parameters, "clusterName"), value_of(parameters, "workgroupName")) {
            ("", "") => None,
            (cluster, "") => Some(Self::Cluster(cluster.to_owned())),
            ("", workgroup) => Some(Self::Workgroup(workgroup.to_owned())),
            _ => None,
        }
    }

    /// The storage in a `redshiftStorage` member.
    pub(super) fn of_json(storage: &Value) -> Option<Self> {
        let cluster = text(&storage["redshiftClusterSource"], "clusterName");
        let workgroup = text(&storage["redshiftServerlessSource"], "workgroupName");
        match (cluster, workgroup) {
            ("", "") => None,
            ("", workgroup) => Some(Self::Workgroup(workgroup.to_owned())),
            (cluster, _) => Some(Self::Cluster(cluster.to_owned())),
        }
    }

    /// As a `redshiftStorage` member.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Cluster(name) => json!({ "redshiftClusterSource": { "clusterName": name } }),
            Self::Workgroup(name) => {
                json!({ "redshiftServerlessSource": { "workgroupName": name } })
            }
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Cluster(name) | Self::Workgroup(name) => name,
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
}

/// A warehouse that answers, in the name of one of its users.
pub(super) struct Warehouse<'a> {
    sql: sql::Warehouse<'a>,
    /// The namespace: what a cluster that was made again does not share with the one before.
    namespace: String,
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
    let storage = Storage::of_parameters(parameters)
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
    storage: &Storage,
    secret: &str,
) -> Result<Warehouse<'a>, String> {
    let Storage::Cluster(cluster) = storage else {
        return Err(format!("The workgroup {} does not exist", storage.name()));
    };
    let namespace = namespace_of(room, &Scope::new(account, region), cluster)?;
    let sql = sql::Warehouse::open(room.world, &namespace)
        .ok_or_else(|| format!("The cluster {cluster} does not answer"))?;
    let Credentials { user, password } = outside::credentials(room, secret)?;
    let user = sql.authenticate(&user, &password).map_err(|error| error.to_string())?;
    match sql.is_superuser(&user) {
        true => Ok(Warehouse { sql, namespace, database: String::new(), user }),
        false => Err(format!("The user {user} of the cluster {cluster} is not a superuser")),
    }
}

impl Warehouse<'_> {
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

    /// Shows a producer's table as a view in an environment's schema: directly within one cluster,
    /// through a datashare between two.
    pub(super) fn add_share(
        &mut self,
        producer: &Warehouse<'_>,
        share: &Share<'_>,
    ) -> Result<(), String> {
        self.shared(producer, share).map_err(|error| error.to_string())
    }

    fn shared(&mut self, producer: &Warehouse<'_>, share: &Share<'_>) -> Result<(), SqlError> {
        let Share { database, schema, table, view_schema, view, role } = *share;
        producer.sql.columns(database, schema, table)?;
        let taken = self.sql.tables(&self.database, view_schema)?;
        if taken.iter().any(|known| known.name == view) {
            return Err(SqlError::new(format!("Relation \"{view}\" already exists")));
        }
        if self.namespace == producer.namespace {
            let query = format!("SELECT * FROM \"{database}\".\"{schema}\".\"{table}\"");
            self.sql.create_view(&self.database, view_schema, view, &self.user, &query)?;
        } else {
            let shared = SharedRelation {
                namespace: producer.namespace.clone(),
                database: database.to_owned(),
                schema: schema.to_owned(),
                relation: table.to_owned(),
            };
            self.sql.create_shared_relation(
                &self.database,
                view_schema,
                view,
                &self.user,
                &shared,
            )?;
        }
        let reader = Grantee::User(database_user(role));
        self.sql.grant(&self.database, view_schema, view, &[Privilege::Select], &reader)
    }

    /// Takes a view back; one that is gone already is no failure.
    pub(super) fn remove_share(&mut self, schema: &str, view: &str) -> Result<(), String> {
        let dropped = self.sql.drop_relation(&self.database, schema, view);
        dropped.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// The namespace of a cluster that answers now.
fn namespace_of(room: &Room<'_>, scope: &Scope, name: &str) -> Result<String, String> {
    let cluster = redshift::cluster(room.world, scope, name)
        .ok_or_else(|| format!("The cluster {name} does not exist"))?;
    match cluster.status {
        redshift::Status::Available => Ok(cluster.namespace),
        status => Err(format!("The cluster {name} is {}, not available", status.word())),
    }
}

/// The database user of a role that signs in with its temporary credentials.
fn database_user(role: &str) -> String {
    format!("IAMR:{role}")
}
