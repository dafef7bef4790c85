//! What a warehouse knows of itself: databases, schemas, relations, users and who may do what.
//!
//! One document for each warehouse, read whole and written whole: a statement works on its copy, and
//! a failed one leaves the stored catalog as it was. Nothing outside this catalog can be named by a
//! statement, so other warehouses and the sandbox's own tables stay out of reach.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::SqlError;
use super::parse::Dialect;
use super::types::SqlType;

/// One warehouse.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Catalog {
    /// The cluster's namespace uuid.
    pub(super) namespace: String,
    pub(super) databases: BTreeMap<String, Database>,
    pub(super) users: BTreeMap<String, User>,
    /// Members by group name.
    pub(super) groups: BTreeMap<String, BTreeSet<String>>,
    /// Roles, with the users and roles that hold each.
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) datashares: BTreeMap<String, Datashare>,
    /// The next id of a user or relation.
    pub(super) next_id: i64,
    /// The SQL of its statements and views.
    #[serde(skip)]
    pub(super) dialect: Dialect,
    /// The schema in which bare names are looked for, instead of the user's own and `public`.
    #[serde(skip)]
    pub(super) current_schema: Option<String>,
}

/// One database.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Database {
    pub(super) owner: String,
    pub(super) schemas: BTreeMap<String, Schema>,
    #[serde(default)]
    pub(super) grants: Vec<Grant>,
    /// The datashare that a consumer database shows, as it was written.
    #[serde(default)]
    pub(super) from_datashare: Option<String>,
}

/// One schema.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Schema {
    pub(super) owner: String,
    pub(super) relations: BTreeMap<String, Relation>,
    #[serde(default)]
    pub(super) grants: Vec<Grant>,
}

/// A table, a view, or a table of another warehouse.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Relation {
    pub(super) id: i64,
    pub(super) owner: String,
    pub(super) kind: RelationKind,
    pub(super) columns: Vec<ColumnDefinition>,
    #[serde(default)]
    pub(super) grants: Vec<Grant>,
}

/// What a relation is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RelationKind {
    /// Rows of its own.
    Table { diststyle: String, distkey: Option<String>, sortkey: Vec<String> },
    /// A query, expanded where it is used with its owner's rights.
    View {
        query: String,
        /// Names and types are looked up at each use: `WITH NO SCHEMA BINDING`.
        late_binding: bool,
    },
    /// A relation of another warehouse, as a datashare shows it.
    Shared(SharedRelation),
}

/// Where a shared relation comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedRelation {
    /// Namespace uuid of the producing warehouse.
    pub(crate) namespace: String,
    /// Its database.
    pub(crate) database: String,
    /// Its schema.
    pub(crate) schema: String,
    /// Its table or view.
    pub(crate) relation: String,
    /// The producer's datashare that it is read through: without it, or once that is taken back, it
    /// cannot be read. Nothing for a relation that needs none.
    #[serde(default)]
    pub(crate) datashare: Option<String>,
}

/// One column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ColumnDefinition {
    pub(super) name: String,
    pub(super) sql_type: SqlType,
    pub(super) nullable: bool,
    /// The default as SQL text.
    #[serde(default)]
    pub(super) default: Option<String>,
    /// Seed and step.
    #[serde(default)]
    pub(super) identity: Option<(i64, i64)>,
    #[serde(default)]
    pub(super) encoding: Option<String>,
}

/// One database user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) superuser: bool,
    pub(super) create_database: bool,
    /// SHA-256 of the password in hex; a user without one signs in through IAM only.
    pub(super) password: Option<String>,
}

/// Who holds a role.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) owner: String,
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
}

/// A datashare, as its producer sees it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Datashare {
    pub(super) owner: String,
    pub(super) database: String,
    pub(super) public: bool,
    pub(super) schemas: BTreeSet<String>,
    /// Relations as `schema.name`.
    pub(super) relations: BTreeSet<String>,
    /// `NAMESPACE <uuid>` or `ACCOUNT <id>`.
    pub(super) consumers: BTreeSet<String>,
    /// Other accounts that the producer's administrator has authorised.
    #[serde(default)]
    pub(super) authorised: BTreeSet<String>,
    /// Namespaces that a consumer's administrator has associated; `ACCOUNT <id>` for all of an
    /// account.
    #[serde(default)]
    pub(super) associated: BTreeSet<String>,
}

impl Datashare {
    /// Whether a namespace of `account` may read through it: one that it names, or one of an account
    /// that it names, which takes two consents more when that is not the producer's own.
    pub(super) fn reaches(&self, producer: &str, account: &str, namespace: &str) -> bool {
        if self.consumers.contains(&format!("NAMESPACE {namespace}")) {
            return true;
        }
        let whole = format!("ACCOUNT {account}");
        let consented = self.authorised.contains(account)
            && (self.associated.contains(namespace) || self.associated.contains(&whole));
        self.consumers.contains(&whole) && (producer == account || consented)
    }
}

/// Privileges on one object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) grantee: Grantee,
    pub(super) privileges: BTreeSet<Privilege>,
}

/// To whom something is granted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Grantee {
    /// Everybody.
    Public,
    /// A user.
    User(String),
    /// A group.
    Group(String),
    /// A role.
    Role(String),
}

/// What may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Drop,
    Truncate,
    Alter,
    References,
    Trigger,
    Rule,
    Usage,
    Create,
    Temporary,
}

impl Privilege {
    pub(super) const ON_RELATION: [Self; 10] = [
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Drop,
        Self::Truncate,
        Self::Alter,
        Self::References,
        Self::Trigger,
        Self::Rule,
    ];
    pub(super) const ON_SCHEMA: [Self; 2] = [Self::Usage, Self::Create];
    pub(super) const ON_DATABASE: [Self; 3] = [Self::Create, Self::Temporary, Self::Usage];

    /// The privilege of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_uppercase().as_str() {
            "SELECT" => Self::Select,
            "INSERT" => Self::Insert,
            "UPDATE" => Self::Update,
            "DELETE" => Self::Delete,
            "DROP" => Self::Drop,
            "TRUNCATE" => Self::Truncate,
            "ALTER" => Self::Alter,
            "REFERENCES" => Self::References,
            "TRIGGER" => Self::Trigger,
            "RULE" => Self::Rule,
            "USAGE" => Self::Usage,
            "CREATE" => Self::Create,
            "TEMPORARY" | "TEMP" => Self::Temporary,
            _ => return None,
        })
    }

    /// The word in a GRANT.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Drop => "DROP",
            Self::Truncate => "TRUNCATE",
            Self::Alter => "ALTER",
            Self::References => "REFERENCES",
            Self::Trigger => "TRIGGER",
            Self::Rule => "RULE",
            Self::Usage => "USAGE",
            Self::Create => "CREATE",
            Self::Temporary => "TEMPORARY",
        }
    }
}

/// A relation's full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelationName {
    pub(super) database: String,
    pub(super) schema: String,
    pub(super) name: String,
}

impl Catalog {
    /// The catalog of a new warehouse: one database with its `public` schema, one superuser.
    pub(super) fn new(
        namespace: &str,
        database: &str,
        master: &str,
        password: Option<&str>,
    ) -> Self {
        let mut catalog = Self {
            namespace: namespace.to_owned(),
            databases: BTreeMap::new(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            datashares: BTreeMap::new(),
            next_id: 100,
            dialect: Dialect::Redshift,
            current_schema: None,
        };
        catalog.add_user("rdsdb", true, None);
        let master = master.to_lowercase();
        catalog.add_user(&master, true, password);
        catalog.add_database(&database.to_lowercase(), &master);
        catalog
    }

    /// The next id of a user or relation.
    pub(super) fn take_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id - 1
    }

    pub(super) fn add_user(&mut self, name: &str, superuser: bool, password: Option<&str>) {
        let id = if name == "rdsdb" { 1 } else { self.take_id() };
        let password = password.map(digest);
        self.users
            .insert(name.to_owned(), User { id, superuser, create_database: superuser, password });
    }

    pub(super) fn add_database(&mut self, name: &str, owner: &str) {
        let everybody = |privileges: &[Privilege]| Grant {
            grantee: Grantee::Public,
            privileges: privileges.iter().copied().collect(),
        };
        let public = Schema {
            owner: "rdsdb".to_owned(),
            relations: BTreeMap::new(),
            grants: vec![everybody(&Privilege::ON_SCHEMA)],
        };
        let database = Database {
            owner: owner.to_owned(),
            schemas: BTreeMap::from([("public".to_owned(), public)]),
            grants: vec![everybody(&[Privilege::Temporary])],
            from_datashare: None,
        };
        self.databases.insert(name.to_owned(), database);
    }

    pub(super) fn database(&self, name: &str) -> Result<&Database, SqlError> {
        self.databases.get(name).ok_or_else(|| no_database(name))
    }

    pub(super) fn database_mut(&mut self, name: &str) -> Result<&mut Database, SqlError> {
        self.databases.get_mut(name).ok_or_else(|| no_database(name))
    }

    pub(super) fn schema(&self, database: &str, name: &str) -> Result<&Schema, SqlError> {
        self.database(database)?.schemas.get(name).ok_or_else(|| no_schema(name))
    }

    pub(super) fn schema_mut(
        &mut self,
        database: &str,
        name: &str,
    ) -> Result<&mut Schema, SqlError> {
        self.database_mut(database)?.schemas.get_mut(name).ok_or_else(|| no_schema(name))
    }

    pub(super) fn relation(&self, name: &RelationName) -> Result<&Relation, SqlError> {
        self.schema(&name.database, &name.schema)?
            .relations
            .get(&name.name)
            .ok_or_else(|| SqlError::no_relation(&name.name))
    }

    pub(super) fn relation_mut(&mut self, name: &RelationName) -> Result<&mut Relation, SqlError> {
        self.schema_mut(&name.database, &name.schema)?
            .relations
            .get_mut(&name.name)
            .ok_or_else(|| SqlError::no_relation(&name.name))
    }

    pub(super) fn user(&self, name: &str) -> Result<&User, SqlError> {
        self.users.get(name).ok_or_else(|| SqlError::new(format!("user \"{name}\" does not exist")))
    }

    pub(super) fn is_superuser(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.superuser)
    }

    /// The schemas in which a bare name is looked for: the user's own, then `public`.
    pub(super) fn search_path<'n>(&'n self, user: &'n str, database: &str) -> Vec<&'n str> {
        if let Some(schema) = &self.current_schema {
            return vec![schema];
        }
        [user, "public"]
            .into_iter()
            .filter(|schema| self.schema(database, schema).is_ok())
            .collect()
    }

    /// The full name of an existing relation, from one to three parts.
    pub(super) fn resolve(
        &self,
        user: &str,
        database: &str,
        parts: &[String],
    ) -> Result<RelationName, SqlError> {
        let full = |database: &str, schema: &str, name: &str| RelationName {
            database: database.to_owned(),
            schema: schema.to_owned(),
            name: name.to_owned(),
        };
        let found = match parts {
            [name] => {
                return self
                    .search_path(user, database)
                    .into_iter()
                    .map(|schema| full(database, schema, name))
                    .find(|candidate| self.relation(candidate).is_ok())
                    .ok_or_else(|| SqlError::no_relation(name));
            }
            [schema, name] => full(database, schema, name),
            [database, schema, name] => full(database, schema, name),
            _ => {
                return Err(SqlError::new(format!(
                    "improper qualified name (too many dotted names): {}",
                    parts.join(".")
                )));
            }
        };
        self.relation(&found)?;
        Ok(found)
    }

    /// Whether `user` holds this grant: by name, by group, by role, or as anybody.
    pub(super) fn holds(&self, user: &str, grantee: &Grantee) -> bool {
        match grantee {
            Grantee::Public => true,
            Grantee::User(name) => name == user,
            Grantee::Group(group) => {
                self.groups.get(group).is_some_and(|members| members.contains(user))
            }
            Grantee::Role(role) => self.has_role(user, role, 0),
        }
    }

    fn has_role(&self, user: &str, role: &str, depth: usize) -> bool {
        // Roles may be granted to roles; a chain longer than this is a circle.
        depth < 16
            && self.roles.get(role).is_some_and(|held| {
                held.users.contains(user)
                    || held.roles.iter().any(|outer| self.has_role(user, outer, depth + 1))
            })
    }

    /// Whether `user` may do this to an object of `owner` with these grants.
    pub(super) fn allows(
        &self,
        user: &str,
        owner: &str,
        grants: &[Grant],
        privilege: Privilege,
    ) -> bool {
        self.is_superuser(user)
            || owner == user
            || grants.iter().any(|grant| {
                grant.privileges.contains(&privilege) && self.holds(user, &grant.grantee)
            })
    }

    /// Whether the database shows a datashare and the user may use it: then everything in it may be
    /// read.
    fn uses_shared(&self, user: &str, database: &str) -> bool {
        self.databases.get(database).is_some_and(|database| {
            database.from_datashare.is_some()
                && self.allows(user, &database.owner, &database.grants, Privilege::Usage)
        })
    }

    /// Refuses a user who may not use the schema.
    pub(super) fn require_schema(
        &self,
        user: &str,
        database: &str,
        schema: &str,
        privilege: Privilege,
    ) -> Result<(), SqlError> {
        let found = self.schema(database, schema)?;
        if privilege == Privilege::Usage && self.uses_shared(user, database) {
            return Ok(());
        }
        if self.allows(user, &found.owner, &found.grants, privilege) {
            return Ok(());
        }
        Err(SqlError::new(format!("permission denied for schema {schema}")))
    }

    /// Refuses a user who may not do this to the relation.
    pub(super) fn require_relation(
        &self,
        user: &str,
        name: &RelationName,
        privilege: Privilege,
    ) -> Result<(), SqlError> {
        let relation = self.relation(name)?;
        self.require_schema(user, &name.database, &name.schema, Privilege::Usage)?;
        if privilege == Privilege::Select && self.uses_shared(user, &name.database) {
            return Ok(());
        }
        if self.allows(user, &relation.owner, &relation.grants, privilege) {
            return Ok(());
        }
        Err(SqlError::new(format!("permission denied for relation {}", name.name)))
    }

    /// Refuses a user who does not own the relation.
    pub(super) fn require_owner(&self, user: &str, name: &RelationName) -> Result<(), SqlError> {
        let relation = self.relation(name)?;
        if self.is_superuser(user) || relation.owner == user {
            return Ok(());
        }
        Err(SqlError::new(format!("must be owner of relation {}", name.name)))
    }

    /// Refuses everybody but superusers.
    pub(super) fn require_superuser(&self, user: &str, what: &str) -> Result<(), SqlError> {
        if self.is_superuser(user) {
            return Ok(());
        }
        Err(SqlError::new(format!("permission denied to {what}")))
    }
}

/// Adds privileges to an object's grants.
pub(super) fn add_grant(grants: &mut Vec<Grant>, grantee: &Grantee, privileges: &[Privilege]) {
    match grants.iter_mut().find(|grant| grant.grantee == *grantee) {
        Some(grant) => grant.privileges.extend(privileges),
        None => grants.push(Grant {
            grantee: grantee.clone(),
            privileges: privileges.iter().copied().collect(),
        }),
    }
}

/// Takes privileges from an object's grants.
pub(super) fn remove_grant(grants: &mut Vec<Grant>, grantee: &Grantee, privileges: &[Privilege]) {
    for grant in grants.iter_mut().filter(|grant| grant.grantee == *grantee) {
        grant.privileges.retain(|held| !privileges.contains(held));
    }
    grants.retain(|grant| !grant.privileges.is_empty());
}

/// A password as it is kept.
pub(super) fn digest(password: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(password.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn no_database(name: &str) -> SqlError {
    SqlError::new(format!("database \"{name}\" does not exist"))
}

pub(super) fn no_schema(name: &str) -> SqlError {
    SqlError::new(format!("schema \"{name}\" does not exist"))
}
