//! The data lake that a world has from the start: buckets with objects, databases with tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One bucket in Amazon S3.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BucketSpec {
    /// Name, unique in the world.
    pub name: String,
    /// Account by name or id; absent means the first.
    #[serde(default)]
    pub account: Option<String>,
    /// Region, when it is not the world's.
    #[serde(default)]
    pub region: Option<String>,
    /// Text objects by key.
    #[serde(default)]
    pub objects: BTreeMap<String, String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// One database of the Glue Data Catalog.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GlueDatabaseSpec {
    /// Name.
    pub name: String,
    /// Account by name or id; absent means the first.
    #[serde(default)]
    pub account: Option<String>,
    /// Region, when it is not the world's.
    #[serde(default)]
    pub region: Option<String>,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// Where its tables' rows are, `s3://bucket/prefix`; needed when there is `sql`.
    #[serde(default)]
    pub location: Option<String>,
    /// Athena's SQL that is run in the database, one statement each.
    #[serde(default)]
    pub sql: Vec<String>,
}
