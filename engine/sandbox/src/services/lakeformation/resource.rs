//! What permissions are about: the members of a request's `Resource`, and their forms in answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::invalid;
use crate::services::glue::{self, DatabaseRef, TableRef};
use crate::services::{AwsFault, Call};
use crate::world::{Scope, World};

/// A thing of one account's data lake that permissions are granted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Resource {
    /// The whole catalogue of an account.
    Catalog {
        /// Whose.
        account: String,
    },
    /// A database.
    Database(DatabaseRef),
    /// A table, all columns of it.
    Table(TableRef),
    /// Every table of a database, also of later days.
    AllTables(DatabaseRef),
    /// A location in Amazon S3.
    Location {
        /// The account that registered it.
        account: String,
        /// ARN of a bucket, or of a prefix in one.
        arn: String,
    },
}

impl Resource {
    /// What an input's `Resource` means; catalogues that it does not name are `default`.
    pub(super) fn of(call: &Call<'_>, value: &Value, default: &str) -> Result<Self, AwsFault> {
        let members = value.as_object().ok_or_else(|| invalid("Resource must be specified."))?;
        let mut given = members.iter().filter(|(_, value)| !value.is_null());
        let (Some((kind, inner)), None) = (given.next(), given.next()) else {
            return Err(invalid("Resource must have exactly one member."));
        };
        let text = |member: &str| inner[member].as_str().unwrap_or_default();
        let account = |member: &str| match text(member) {
            "" => default.to_owned(),
            account => account.to_owned(),
        };
        let database = |name: &str| DatabaseRef {
            account: account("CatalogId"),
            region: call.region.to_owned(),
            name: name.to_lowercase(),
        };
        let table = || TableRef {
            account: account("CatalogId"),
            region: call.region.to_owned(),
            database: text("DatabaseName").to_lowercase(),
            name: text("Name").to_lowercase(),
        };
        match kind.as_str() {
            "Catalog" => Ok(Self::Catalog { account: account("Id") }),
            "Database" => Ok(Self::Database(database(text("Name")))),
            "Table" if inner["TableWildcard"].is_object() => {
                Ok(Self::AllTables(database(text("DatabaseName"))))
            }
            "Table" if text("Name").is_empty() => {
                Err(invalid("Table must have a Name or a TableWildcard."))
            }
            "Table" => Ok(Self::Table(table())),
            "TableWithColumns" => {
                let columns = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
                if columns(&inner["ColumnNames"])
                    || columns(&inner["ColumnWildcard"]["ExcludedColumnNames"])
                {
                    return Err(not_here("permissions on some of a table's columns"));
                }
                Ok(Self::Table(table()))
            }
            "DataLocation" => Ok(Self::Location {
                account: account("CatalogId"),
                arn: text("ResourceArn").to_owned(),
            }),
            other => Err(not_here(&format!("permissions on {other}"))),
        }
    }

    /// The account whose thing it is.
    pub(super) fn account(&self) -> &str {
        match self {
            Self::Catalog { account } | Self::Location { account, .. } => account,
            Self::Database(database) | Self::AllTables(database) => &database.account,
            Self::Table(table) => &table.account,
        }
    }

    /// The database that it is, or is in.
    pub(super) fn database(&self) -> Option<DatabaseRef> {
        match self {
            Self::Database(database) | Self::AllTables(database) => Some(database.clone()),
            Self::Table(table) => Some(database_of(table)),
            Self::Catalog { .. } | Self::Location { .. } => None,
        }
    }

    /// The ARN under which Lake Formation shares it with another account.
    pub(super) fn shared_arn(&self, region: &str) -> Option<String> {
        let arn = |account: &str, rest: &str| format!("arn:aws:glue:{region}:{account}:{rest}");
        match self {
            Self::Catalog { account } => Some(arn(account, "catalog")),
            Self::Database(database) => {
                Some(arn(&database.account, &format!("database/{}", database.name)))
            }
            Self::Table(table) => {
                Some(arn(&table.account, &format!("table/{}/{}", table.database, table.name)))
            }
            Self::AllTables(database) => {
                Some(arn(&database.account, &format!("table/{}/*", database.name)))
            }
            Self::Location { .. } => None,
        }
    }

    /// The type that ListPermissions filters by.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Catalog { .. } => "CATALOG",
            Self::Database(_) => "DATABASE",
            Self::Table(_) | Self::AllTables(_) => "TABLE",
            Self::Location { .. } => "DATA_LOCATION",
        }
    }

    /// The permissions that can be granted on it.
    pub(super) fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::Catalog { .. } => &["ALL", "CREATE_CATALOG", "CREATE_DATABASE", "DESCRIBE"],
            Self::Database(_) => DATABASE_PERMISSIONS,
            Self::Table(_) | Self::AllTables(_) => TABLE_PERMISSIONS,
            Self::Location { .. } => &["DATA_LOCATION_ACCESS"],
        }
    }

    /// Whether a permission on it is one on `other` too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AllTables(database), Self::Table(table)) => *database == database_of(table),
            (
                Self::Location { account, arn },
                Self::Location { account: other_account, arn: inner },
            ) => account == other_account && is_below(inner, arn),
            _ => self == other,
        }
    }

    /// Refuses what is not there.
    pub(super) fn check(&self, world: &World<'_>, scope: &Scope) -> Result<(), AwsFault> {
        let missing =
            |what: &str| AwsFault::new("EntityNotFoundException", format!("{what} not found."));
        if let Some(database) = self.database()
            && glue::database(world, &database).is_none()
        {
            return Err(missing("Database"));
        }
        match self {
            Self::Table(table) if glue::table(world, table).is_none() => Err(missing("Table")),
            Self::Location { arn, .. } if !super::locations::has(world, scope, arn) => {
                Err(missing("Data location"))
            }
            _ => Ok(()),
        }
    }

    /// It as answers show it.
    pub(super) fn shown(&self) -> Value {
        match self {
            Self::Catalog { account } => json!({"Catalog": {"Id": account}}),
            Self::Database(database) => {
                json!({"Database": {"CatalogId": database.account, "Name": database.name}})
            }
            Self::Table(table) => json!({"Table": {
                "CatalogId": table.account, "DatabaseName": table.database, "Name": table.name,
            }}),
            Self::AllTables(database) => json!({"Table": {
                "CatalogId": database.account, "DatabaseName": database.name,
                "Name": "ALL_TABLES", "TableWildcard": {},
            }}),
            Self::Location { account, arn } => {
                json!({"DataLocation": {"CatalogId": account, "ResourceArn": arn}})
            }
        }
    }
}

/// What a database's creator gets.
pub(super) const DATABASE_PERMISSIONS: &[&str] =
    &["ALL", "ALTER", "CREATE_TABLE", "DESCRIBE", "DROP"];

/// What a table's creator gets.
pub(super) const TABLE_PERMISSIONS: &[&str] =
    &["ALL", "ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT", "SELECT"];

/// The database that a table is in.
pub(super) fn database_of(table: &TableRef) -> DatabaseRef {
    DatabaseRef {
        account: table.account.clone(),
        region: table.region.clone(),
        name: table.database.clone(),
    }
}

/// Whether one S3 ARN is another or lies below it.
pub(super) fn is_below(inner: &str, outer: &str) -> bool {
    let outer = outer.trim_end_matches(['/', '*']);
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn not_here(what: &str) -> AwsFault {
    AwsFault {
        code: "NotImplementedInSandbox".to_owned(),
        message: format!("not implemented in the sandbox: lakeformation {what}"),
        status: Some(501),
    }
}
