//! What a world starts with: the contents of a `world.toml`.
//!
//! Only data and its checks; `seed` turns it into documents. Names of accounts are the world's own:
//! everything else in the file refers to an account by that name or by its twelve digits.

pub(crate) mod failures;
mod lake;
mod workgroup;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

use crate::world::World;
pub use failures::Failures;
pub use lake::{BucketSpec, GlueDatabaseSpec};
pub use workgroup::WorkgroupSpec;

/// A `world.toml` that cannot be used, with the reason.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not TOML, or not the members that a world has.
    #[error("the world is not readable: {0}")]
    Unreadable(#[from] toml::de::Error),
    /// Something refers to an account that the world does not have.
    #[error("{what} is in the account {account}, which the world does not have (it has {known})")]
    UnknownAccount {
        /// Who or what refers to it.
        what: String,
        /// The account as written.
        account: String,
        /// The names the world has.
        known: String,
    },
    /// An account id that is not twelve digits.
    #[error("the account {name} has the id {id}, which is not twelve digits")]
    AccountId {
        /// The account's name.
        name: String,
        /// What was written.
        id: String,
    },
    /// Two people with one alias in one account.
    #[error("the alias {0} is there twice in one account")]
    AliasTwice(String),
    /// An alias that reads as one of several accounts.
    #[error("the alias {0} has a `/`: write the account as `account`")]
    AliasWithAccount(String),
    /// A fault for an operation that no service of the sandbox has.
    #[error("a fault names the operation {operation}, which no service of the sandbox has{hint}")]
    UnknownOperation {
        /// The operation as written.
        operation: String,
        /// The nearest one, when one is near.
        hint: String,
    },
    /// A policy document that is not one.
    #[error("the policy of {alias} is not one: {reason}")]
    MalformedPolicy {
        /// Whose it is.
        alias: String,
        /// What IAM says of it.
        reason: String,
    },
    /// A managed policy that the sandbox does not carry.
    #[error(
        "{alias} is given the policy {policy}, which the sandbox does not carry (it has {known})"
    )]
    UnknownPolicy {
        /// Who is given it.
        alias: String,
        /// The policy as written.
        policy: String,
        /// The names it carries.
        known: String,
    },
}

/// What a world starts with.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldSpec {
    /// Region of its people and of everything that does not say another.
    pub region: String,
    /// Account ids by name. The first in `first_account`, else in order of name, is the world's
    /// first account.
    pub accounts: BTreeMap<String, String>,
    /// The account of people whom nobody described; absent means `producer`, else the first by name.
    pub first_account: Option<String>,
    /// The accounts are one organisation, managed by the first, in which AWS RAM shares without
    /// invitations.
    pub organisation: bool,
    /// The documented limits of calls a second are enforced.
    pub throttling: bool,
    /// Nominal time that a call takes on the virtual clock.
    pub latency_ms: u32,
    /// Who can call.
    pub people: Vec<PersonSpec>,
    /// Redshift clusters that are there from the start.
    pub clusters: Vec<ClusterSpec>,
    /// Redshift Serverless workgroups that are there from the start, with their namespaces.
    pub workgroups: Vec<WorkgroupSpec>,
    /// Secrets that are there from the start.
    pub secrets: Vec<SecretSpec>,
    /// AWS KMS keys that are there from the start.
    pub keys: Vec<KeySpec>,
    /// Buckets in Amazon S3 that are there from the start.
    pub buckets: Vec<BucketSpec>,
    /// Databases of the Glue Data Catalog that are there from the start, with their tables.
    pub glue_databases: Vec<GlueDatabaseSpec>,
    /// Failures to inject into single calls.
    pub faults: Vec<Fault>,
    /// Reported failures that the world has.
    pub failures: Failures,
}

/// One person.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PersonSpec {
    /// The name a runbook uses.
    pub alias: String,
    /// Account by name or id; absent means the first.
    #[serde(default)]
    pub account: Option<String>,
    /// Several accounts by name or id, in each of which there is such a person: `alias/account`.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// IAM user, with its path when it has one; absent (with no `role`) means the alias.
    #[serde(default)]
    pub user: Option<String>,
    /// IAM role, when the person signs in with one.
    #[serde(default)]
    pub role: Option<String>,
    /// AWS managed policies by name (`AmazonRedshiftFullAccess`) or ARN.
    #[serde(default)]
    pub policies: Vec<String>,
    /// A policy document of their own, as JSON text.
    #[serde(default)]
    pub policy: Option<String>,
    /// Has AdministratorAccess.
    #[serde(default)]
    pub administrator: bool,
    /// The user or role is there from the start; `false` for one that a runbook makes: the keys work
    /// from then on.
    #[serde(default = "yes")]
    pub exists: bool,
    /// Region, when it is not the world's.
    #[serde(default)]
    pub region: Option<String>,
}

impl PersonSpec {
    /// A person who may do everything.
    pub(crate) fn administrator(alias: &str) -> Self {
        Self {
            alias: alias.to_owned(),
            account: None,
            accounts: Vec::new(),
            user: None,
            role: None,
            policies: Vec::new(),
            policy: None,
            administrator: true,
            exists: true,
            region: None,
        }
    }
}

/// One provisioned Redshift cluster.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// Cluster identifier.
    pub identifier: String,
    /// Account by name or id; absent means the first.
    #[serde(default)]
    pub account: Option<String>,
    /// Region, when it is not the world's.
    #[serde(default)]
    pub region: Option<String>,
    /// Node type; only RA3 can share data.
    #[serde(default = "node_type")]
    pub node_type: String,
    /// Number of nodes.
    #[serde(default = "two")]
    pub nodes: u32,
    /// Encrypted at rest; only encrypted clusters can share data with another account.
    #[serde(default = "yes")]
    pub encrypted: bool,
    /// Database made with the cluster.
    #[serde(default = "database")]
    pub database: String,
    /// Master user.
    #[serde(default = "master_user")]
    pub master_user: String,
    /// Master password; absent means one that the world makes.
    #[serde(default)]
    pub master_password: Option<String>,
    /// SQL that is run as the master user, one statement each.
    #[serde(default)]
    pub sql: Vec<String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// One secret.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretSpec {
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
    /// Text, or a table that is kept as JSON.
    pub value: toml::Value,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// One AWS KMS key.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Name of its alias, without `alias/`.
    pub alias: String,
    /// Account by name or id; absent means the first.
    #[serde(default)]
    pub account: Option<String>,
    /// Region, when it is not the world's.
    #[serde(default)]
    pub region: Option<String>,
    /// Key policy, as JSON text; absent means the one that lets the account's own policies decide.
    #[serde(default)]
    pub policy: Option<String>,
    /// Usable from the start.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}

fn node_type() -> String {
    "ra3.xlplus".to_owned()
}

fn database() -> String {
    "dev".to_owned()
}

fn master_user() -> String {
    "awsuser".to_owned()
}

impl Default for WorldSpec {
    /// A world with its two accounts and nothing in them.
    fn default() -> Self {
        Self {
            region: "eu-west-1".to_owned(),
            accounts: BTreeMap::from([
                ("producer".to_owned(), "111111111111".to_owned()),
                ("consumer".to_owned(), "222222222222".to_owned()),
            ]),
            first_account: None,
            organisation: false,
            throttling: false,
            latency_ms: 50,
            people: Vec::new(),
            clusters: Vec::new(),
            workgroups: Vec::new(),
            secrets: Vec::new(),
            keys: Vec::new(),
            buckets: Vec::new(),
            glue_databases: Vec::new(),
            faults: Vec::new(),
            failures: Failures::default(),
        }
    }
}

impl WorldSpec {
    /// The built-in world: a producer and a consumer account that are not one organisation, a person
    /// `admin` in the first, and an encrypted RA3 cluster in each.
    pub fn built_in() -> Self {
        Self::parse(include_str!("../world/built-in.toml"))
            .unwrap_or_else(|error| panic!("the built-in world: {error}"))
    }

    /// What a running world was described as.
    ///
    /// # Panics
    /// When the world's file is damaged.
    pub(crate) fn of(world: &World<'_>) -> Self {
        let text = world
            .connection()
            .prepare_cached("SELECT value FROM meta WHERE name = 'spec'")
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, String>(0)))
            .unwrap_or_else(|error| panic!("the world's file cannot be read: {error}"));
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("the world's file has another description: {error}"))
    }

    /// Reads a `world.toml`.
    ///
    /// # Errors
    /// When it is not one: the error says which member, account, alias or policy is wrong.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let spec: Self = toml::from_str(text)?;
        spec.check()?;
        Ok(spec)
    }

    /// Checks what the types cannot: accounts, aliases, policies.
    ///
    /// # Errors
    /// As [`WorldSpec::parse`].
    pub fn check(&self) -> Result<(), SpecError> {
        for (name, id) in &self.accounts {
            if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(SpecError::AccountId { name: name.clone(), id: id.clone() });
            }
        }
        if let Some(first) = &self.first_account {
            self.account("first_account", Some(first))?;
        }
        let mut seen: Vec<(&str, String)> = Vec::new();
        for person in &self.people {
            for account in self.accounts_of(person)? {
                let entry = (person.alias.as_str(), account);
                if seen.contains(&entry) {
                    return Err(SpecError::AliasTwice(person.alias.clone()));
                }
                seen.push(entry);
            }
            if person.alias.contains('/') {
                return Err(SpecError::AliasWithAccount(person.alias.clone()));
            }
            if let Some(wrong) = person.policy.as_deref().and_then(crate::access::policy::malformed)
            {
                return Err(SpecError::MalformedPolicy {
                    alias: person.alias.clone(),
                    reason: wrong,
                });
            }
            for policy in &person.policies {
                if crate::access::managed::arn_of(policy).is_none() {
                    return Err(SpecError::UnknownPolicy {
                        alias: person.alias.clone(),
                        policy: policy.clone(),
                        known: crate::access::managed::names().collect::<Vec<_>>().join(", "),
                    });
                }
            }
        }
        for cluster in &self.clusters {
            self.account(&cluster.identifier, cluster.account.as_deref())?;
        }
        for workgroup in &self.workgroups {
            self.account(&workgroup.name, workgroup.account.as_deref())?;
        }
        for secret in &self.secrets {
            self.account(&secret.name, secret.account.as_deref())?;
        }
        for bucket in &self.buckets {
            self.account(&bucket.name, bucket.account.as_deref())?;
        }
        for database in &self.glue_databases {
            self.account(&database.name, database.account.as_deref())?;
        }
        for key in &self.keys {
            self.account(&key.alias, key.account.as_deref())?;
        }
        self.faults.iter().try_for_each(|fault| check_operation(&fault.operation))
    }

    /// The id of an account given by name or id; without one, the first account's.
    pub(crate) fn account(&self, what: &str, given: Option<&str>) -> Result<String, SpecError> {
        let Some(given) = given else { return Ok(self.first()) };
        self.accounts
            .get(given)
            .or_else(|| self.accounts.values().find(|id| *id == given))
            .cloned()
            .ok_or_else(|| SpecError::UnknownAccount {
                what: what.to_owned(),
                account: given.to_owned(),
                known: self.accounts.keys().cloned().collect::<Vec<_>>().join(", "),
            })
    }

    /// The ids of the accounts in which a described person is.
    pub(crate) fn accounts_of(&self, person: &PersonSpec) -> Result<Vec<String>, SpecError> {
        if person.accounts.is_empty() {
            return Ok(vec![self.account(&person.alias, person.account.as_deref())?]);
        }
        let given = person.account.iter().chain(&person.accounts);
        given.map(|account| self.account(&person.alias, Some(account))).collect()
    }

    /// The id of the world's first account.
    pub(crate) fn first(&self) -> String {
        self.first_account
            .as_ref()
            .and_then(|first| self.accounts.get(first).or(Some(first)))
            .or_else(|| self.accounts.get("producer"))
            .or_else(|| self.accounts.values().next())
            .cloned()
            .unwrap_or_else(|| "111111111111".to_owned())
    }
}

/// Refuses the operation of a fault that could never strike.
fn check_operation(written: &str) -> Result<(), SpecError> {
    let (service, operation) = match written.split_once('.') {
        None if written == "*" => return Ok(()),
        None => (written, ""),
        Some(parts) => parts,
    };
    let unknown = |nearest: Option<String>| SpecError::UnknownOperation {
        operation: written.to_owned(),
        hint: nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default(),
    };
    let services: Vec<&str> = crate::services::coverage().map(|(name, _)| name).collect();
    let bound = piton_models::services();
    let known = services.contains(&service) || bound.contains(&service);
    let Some(model) = piton_models::service(service).filter(|_| known) else {
        let names = bound.iter().chain(&services).copied();
        let nearest = piton_models::suggest::nearest(service, names);
        return Err(unknown(nearest.map(|service| format!("{service}.{operation}"))));
    };
    let known = operation == "*"
        || model.operations.contains_key(operation)
        || model.operation_by_script_name(operation).is_some();
    if known {
        return Ok(());
    }
    let names = model.operations.keys().map(String::as_str).chain(model.script_names());
    let nearest = piton_models::suggest::nearest(operation, names);
    Err(unknown(nearest.map(|operation| format!("{service}.{operation}"))))
}
