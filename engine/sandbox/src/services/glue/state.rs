//! Databases, tables and partitions as the world keeps them, and what other services ask of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{invalid, not_found};
use crate::services::{AwsFault, lakeformation};
use crate::world::{Scope, World};

const DATABASE: &str = "glue/database";
const TABLE: &str = "glue/table";
const PARTITION: &str = "glue/partition";
/// Former forms of tables.
const VERSION: &str = "_glue/version";

/// Which database of whose catalogue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct DatabaseRef {
    /// Account of the catalogue.
    pub(crate) account: String,
    /// Region of the catalogue.
    pub(crate) region: String,
    /// Name, in lower case.
    pub(crate) name: String,
}

/// Which table of whose catalogue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TableRef {
    /// Account of the catalogue.
    pub(crate) account: String,
    /// Region of the catalogue.
    pub(crate) region: String,
    /// Its database, in lower case.
    pub(crate) database: String,
    /// Name, in lower case.
    pub(crate) name: String,
}

/// One database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Database {
    /// Where it is.
    pub(crate) reference: DatabaseRef,
    /// `DatabaseInput` as it was given.
    pub(crate) input: Value,
    /// When it was made, RFC 3339.
    pub(super) created: String,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

/// One table, view or link.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    /// Where it is.
    pub(crate) reference: TableRef,
    /// `TableInput` as it was given.
    pub(crate) input: Value,
    /// When it was made, RFC 3339.
    pub(crate) created: String,
    /// When it was changed last, RFC 3339.
    pub(crate) updated: String,
    /// ARN of whoever made it.
    pub(crate) created_by: String,
    /// Counts its changes, from 0.
    pub(crate) version: u64,
}

/// One partition of a table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Partition {
    /// Its table.
    pub(crate) table: TableRef,
    /// `PartitionInput` as it was given.
    pub(crate) input: Value,
    /// When it was made, RFC 3339.
    pub(super) created: String,
}

/// One column: name, Hive type, comment.
pub(crate) type Column = (String, String, String);

impl DatabaseRef {
    /// A database by its name in any case.
    pub(crate) fn new(scope: &Scope, name: &str) -> Self {
        Self {
            account: scope.account.clone(),
            region: scope.region.clone(),
            name: name.to_lowercase(),
        }
    }

    /// `arn:aws:glue:eu-west-1:111111111111:database/sales`.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:glue:{}:{}:database/{}", self.region, self.account, self.name)
    }

    /// The catalogue that it is in.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(&self.account, &self.region)
    }

    /// A table in it, by its name in any case.
    pub(crate) fn table(&self, name: &str) -> TableRef {
        TableRef {
            account: self.account.clone(),
            region: self.region.clone(),
            database: self.name.clone(),
            name: name.to_lowercase(),
        }
    }
}

impl TableRef {
    /// `arn:aws:glue:eu-west-1:111111111111:table/sales/orders`.
    pub(crate) fn arn(&self) -> String {
        let Self { account, region, database, name } = self;
        format!("arn:aws:glue:{region}:{account}:table/{database}/{name}")
    }

    /// The catalogue that it is in.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(&self.account, &self.region)
    }

    /// Its database.
    pub(crate) fn in_database(&self) -> DatabaseRef {
        DatabaseRef {
            account: self.account.clone(),
            region: self.region.clone(),
            name: self.database.clone(),
        }
    }

    fn id(&self) -> String {
        format!("{}/{}", self.database, self.name)
    }
}

impl fmt::Display for TableRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.database, self.name)
    }
}

impl Database {
    /// The database that this one is a link to.
    pub(crate) fn target(&self) -> Option<DatabaseRef> {
        let target = self.input.get("TargetDatabase").filter(|target| target.is_object())?;
        let mut scope = self.reference.scope();
        place(target, &mut scope);
        Some(DatabaseRef::new(&scope, target["DatabaseName"].as_str()?))
    }

    pub(super) fn save(&self, world: &World<'_>) {
        world.put(&self.reference.scope(), DATABASE, &self.reference.name, self);
    }

    /// As an answer shows it.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.input.clone();
        shown["Name"] = json!(self.reference.name);
        shown["CatalogId"] = json!(self.reference.account);
        shown["CreateTime"] = json!(self.created);
        if shown.get("CreateTableDefaultPermissions").is_none() && self.target().is_none() {
            shown["CreateTableDefaultPermissions"] = json!([{
                "Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"},
                "Permissions": ["ALL"],
            }]);
        }
        shown
    }
}

/// Account and region of a link's target.
fn place(target: &Value, scope: &mut Scope) {
    for (member, into) in [("CatalogId", &mut scope.account), ("Region", &mut scope.region)] {
        if let Some(given) = target[member].as_str() {
            given.clone_into(into);
        }
    }
}

impl Table {
    /// Its columns in order, those that it is partitioned by last.
    pub(crate) fn columns(&self) -> Vec<Column> {
        self.own_columns().into_iter().chain(self.partition_columns()).collect()
    }

    /// The columns that are in its files.
    pub(crate) fn own_columns(&self) -> Vec<Column> {
        columns_of(self.input.pointer("/StorageDescriptor/Columns"))
    }

    /// The columns that it is partitioned by.
    pub(crate) fn partition_columns(&self) -> Vec<Column> {
        columns_of(self.input.get("PartitionKeys"))
    }

    /// Where its rows are, `s3://bucket/prefix/`; empty for views and links.
    pub(crate) fn location(&self) -> &str {
        let location = self.input.pointer("/StorageDescriptor/Location").and_then(Value::as_str);
        location.unwrap_or_default()
    }

    /// `EXTERNAL_TABLE`, `VIRTUAL_VIEW`.
    pub(crate) fn table_type(&self) -> &str {
        self.input.get("TableType").and_then(Value::as_str).unwrap_or_default()
    }

    /// The table that this one is a link to.
    pub(crate) fn target(&self) -> Option<TableRef> {
        let target = self.input.get("TargetTable").filter(|target| target.is_object())?;
        let mut scope = self.reference.scope();
        place(target, &mut scope);
        let database = DatabaseRef::new(&scope, target["DatabaseName"].as_str()?);
        Some(database.table(target["Name"].as_str()?))
    }

    fn save(&self, world: &World<'_>) {
        world.put(&self.reference.scope(), TABLE, &self.reference.id(), self);
    }

    /// As an answer shows it.
    pub(super) fn shown(&self, world: &World<'_>) -> Value {
        let mut shown = self.input.clone();
        shown["Name"] = json!(self.reference.name);
        shown["DatabaseName"] = json!(self.reference.database);
        shown["CatalogId"] = json!(self.reference.account);
        shown["CreateTime"] = json!(self.created);
        shown["UpdateTime"] = json!(self.updated);
        shown["CreatedBy"] = json!(self.created_by);
        shown["VersionId"] = json!(self.version.to_string());
        shown["IsRegisteredWithLakeFormation"] =
            json!(lakeformation::is_registered(world, self.location()));
        if shown.get("Retention").is_none() {
            shown["Retention"] = json!(0);
        }
        shown
    }
}

fn columns_of(list: Option<&Value>) -> Vec<Column> {
    let text = |column: &Value, member: &str| {
        column.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|column| {
            let kind = match text(column, "Type") {
                kind if kind.is_empty() => "string".to_owned(),
                kind => kind,
            };
            (text(column, "Name").to_lowercase(), kind, text(column, "Comment"))
        })
        .collect()
}

/// The database, when it is there.
pub(crate) fn database(world: &World<'_>, of: &DatabaseRef) -> Option<Database> {
    world.get(&of.scope(), DATABASE, &of.name)
}

/// The databases of a catalogue, by name.
pub(crate) fn databases(world: &World<'_>, scope: &Scope) -> Vec<Database> {
    world.list_under(scope, DATABASE, "", "", usize::MAX)
}

/// Makes a database in somebody's name; their right to do so is the caller's to check.
pub(crate) fn create_database(
    world: &World<'_>,
    scope: &Scope,
    creator_arn: &str,
    input: &Value,
) -> Result<(), AwsFault> {
    let reference = DatabaseRef::new(scope, name_of(input)?);
    if database(world, &reference).is_some() {
        return Err(AwsFault::new("AlreadyExistsException", "Database already exists."));
    }
    let made = Database {
        input: input.clone(),
        created: world.now_text(),
        tags: BTreeMap::new(),
        reference,
    };
    made.save(world);
    lakeformation::database_created(world, &made.reference, creator_arn);
    Ok(())
}

/// Removes a database with its tables; says whether it was there.
pub(crate) fn drop_database(world: &World<'_>, of: &DatabaseRef) -> bool {
    for table in tables(world, of) {
        drop_table(world, &table.reference);
    }
    let dropped = world.delete(&of.scope(), DATABASE, &of.name);
    if dropped {
        lakeformation::database_dropped(world, of);
    }
    dropped
}

/// The table, view or link, when it is there.
pub(crate) fn table(world: &World<'_>, of: &TableRef) -> Option<Table> {
    world.get(&of.scope(), TABLE, &of.id())
}

/// The tables, views and links of a database, by name.
pub(crate) fn tables(world: &World<'_>, of: &DatabaseRef) -> Vec<Table> {
    world.list_under(&of.scope(), TABLE, &format!("{}/", of.name), "", usize::MAX)
}

/// Makes a table in somebody's name; their right to do so is the caller's to check.
pub(crate) fn create_table(
    world: &World<'_>,
    of: &DatabaseRef,
    creator_arn: &str,
    input: &Value,
) -> Result<(), AwsFault> {
    if database(world, of).is_none() {
        return Err(not_found(format!("Database {} not found.", of.name)));
    }
    let reference = of.table(name_of(input)?);
    if table(world, &reference).is_some() {
        return Err(AwsFault::new("AlreadyExistsException", "Table already exists."));
    }
    let now = world.now_text();
    let made = Table {
        reference,
        input: input.clone(),
        created: now.clone(),
        updated: now,
        created_by: creator_arn.to_owned(),
        version: 0,
    };
    made.save(world);
    lakeformation::table_created(world, &made.reference, creator_arn);
    Ok(())
}

/// Makes a link to a table of another database, mostly of another account's.
pub(crate) fn link_table(
    world: &World<'_>,
    of: &DatabaseRef,
    name: &str,
    creator_arn: &str,
    target: &TableRef,
) -> Result<(), AwsFault> {
    let input = json!({
        "Name": name,
        "TargetTable": {
            "CatalogId": target.account, "DatabaseName": target.database, "Name": target.name,
            "Region": target.region,
        },
    });
    create_table(world, of, creator_arn, &input)
}

/// Gives a table another form and keeps the former one; an equal one changes nothing.
pub(crate) fn replace_table(world: &World<'_>, known: &Table, input: &Value) {
    if known.input == *input {
        return;
    }
    let id = format!("{}/{:010}", known.reference.id(), known.version);
    world.put(&known.reference.scope(), VERSION, &id, known);
    let changed = Table {
        input: input.clone(),
        updated: world.now_text(),
        version: known.version + 1,
        ..known.clone()
    };
    changed.save(world);
}

/// A table's forms, the present one first.
pub(super) fn versions_of(world: &World<'_>, known: &Table) -> Vec<Table> {
    let prefix = format!("{}/", known.reference.id());
    let former =
        world.list_under::<Table>(&known.reference.scope(), VERSION, &prefix, "", usize::MAX);
    std::iter::once(known.clone()).chain(former.into_iter().rev()).collect()
}

/// Removes a table with its partitions, and leaves its rows where they are; says whether it was
/// there.
pub(crate) fn drop_table(world: &World<'_>, of: &TableRef) -> bool {
    let scope = of.scope();
    for partition in partitions_of(world, of) {
        remove_partition(world, &partition);
    }
    if let Some(known) = table(world, of) {
        for former in versions_of(world, &known).iter().skip(1) {
            world.delete(&scope, VERSION, &format!("{}/{:010}", of.id(), former.version));
        }
    }
    let dropped = world.delete(&scope, TABLE, &of.id());
    if dropped {
        lakeformation::table_dropped(world, of);
    }
    dropped
}

impl Partition {
    /// The values of the columns that its table is partitioned by.
    pub(crate) fn values(&self) -> Vec<String> {
        let list = self.input.get("Values").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Where its rows are.
    pub(crate) fn location(&self) -> &str {
        let location = self.input.pointer("/StorageDescriptor/Location").and_then(Value::as_str);
        location.unwrap_or_default()
    }

    fn id(&self) -> String {
        let escaped: Vec<String> =
            self.values().iter().map(|value| crate::protocol::percent_encoded(value)).collect();
        format!("{}/{}", self.table.id(), escaped.join("/"))
    }

    pub(super) fn save(&self, world: &World<'_>) {
        world.put(&self.table.scope(), PARTITION, &self.id(), self);
    }

    /// As an answer shows it.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.input.as_object().cloned().unwrap_or_else(Map::new);
        shown.insert("DatabaseName".to_owned(), json!(self.table.database));
        shown.insert("TableName".to_owned(), json!(self.table.name));
        shown.insert("CatalogId".to_owned(), json!(self.table.account));
        shown.insert("CreationTime".to_owned(), json!(self.created));
        Value::Object(shown)
    }
}

/// The partitions of a table, by their values.
pub(crate) fn partitions_of(world: &World<'_>, of: &TableRef) -> Vec<Partition> {
    world.list_under(&of.scope(), PARTITION, &format!("{}/", of.id()), "", usize::MAX)
}

/// Adds a partition to a table.
pub(crate) fn add_partition(
    world: &World<'_>,
    known: &Table,
    input: &Value,
) -> Result<(), AwsFault> {
    let partition = Partition {
        table: known.reference.clone(),
        input: input.clone(),
        created: world.now_text(),
    };
    if partition.values().len() != known.partition_columns().len() {
        return Err(invalid(
            "The number of partition keys do not match the number of partition values",
        ));
    }
    let taken = partitions_of(world, &known.reference);
    if taken.iter().any(|other| other.values() == partition.values()) {
        return Err(AwsFault::new("AlreadyExistsException", "Partition already exists."));
    }
    partition.save(world);
    Ok(())
}

/// Removes a partition; says whether it was there.
pub(crate) fn remove_partition(world: &World<'_>, partition: &Partition) -> bool {
    world.delete(&partition.table.scope(), PARTITION, &partition.id())
}

fn name_of(input: &Value) -> Result<&str, AwsFault> {
    input
        .get("Name")
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| invalid("Name cannot be empty"))
}
