//! A serverless workgroup that a world has from the start, with its namespace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One Redshift Serverless workgroup and its namespace.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WorkgroupSpec {
    /// Name of the workgroup.
    pub name: String,
    /// Name of its namespace; absent means the workgroup's.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Account by name or id; absent means the first.
    #[serde(default)]
    pub account: Option<String>,
    /// Region, when it is not the world's.
    #[serde(default)]
    pub region: Option<String>,
    /// Database made with the namespace.
    #[serde(default = "super::database")]
    pub database: String,
    /// Superuser.
    #[serde(default = "super::master_user")]
    pub admin_user: String,
    /// Their password; absent means one that the world makes.
    #[serde(default)]
    pub admin_password: Option<String>,
    /// SQL that is run as the superuser, one statement each.
    #[serde(default)]
    pub sql: Vec<String>,
    /// Tags of the workgroup.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}
