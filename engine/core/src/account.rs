//! Who a call is made as: the alias a runbook uses, accounts derived from it, proven principals.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The account of one call: an alias and what was derived from it, such as an environment's role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountRef {
    /// The runbook's name for a set of credentials; `alias/222222222222` for one of several accounts.
    pub alias: String,
    /// Derivations, outermost last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<Derivation>,
}

/// One way to come from an account to another set of credentials or another region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Derivation {
    /// The role of a DataZone environment, through GetEnvironmentCredentials.
    Environment {
        /// Domain id.
        domain: String,
        /// Environment id.
        environment: String,
    },
    /// Another role, through AssumeRole.
    Assume {
        /// ARN of the role.
        role_arn: String,
        /// External id, when the role asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_id: Option<String>,
        /// Session name, when it is not the run's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_name: Option<String>,
    },
    /// The same credentials in another region.
    Region {
        /// Region name.
        region: String,
    },
}

impl AccountRef {
    /// The account of an alias itself.
    pub fn alias(alias: impl Into<String>) -> Self {
        Self { alias: alias.into(), derived: Vec::new() }
    }

    /// One of the several accounts that an alias stands for: `consumer/222222222222`.
    pub fn of_account(alias: &str, id: &str) -> Self {
        Self::alias(format!("{alias}/{id}"))
    }

    /// The alias as it is declared: without the account, where it stands for several.
    pub fn declared_alias(&self) -> &str {
        self.alias.split('/').next().unwrap_or(&self.alias)
    }

    /// The account derived from this one.
    #[must_use]
    pub fn derive(&self, derivation: Derivation) -> Self {
        let mut account = self.clone();
        account.derived.push(derivation);
        account
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.alias)?;
        for derivation in &self.derived {
            match derivation {
                Derivation::Environment { domain, environment } => {
                    write!(formatter, ".environment({domain}, {environment})")?;
                }
                Derivation::Assume { role_arn, .. } => write!(formatter, ".assume({role_arn})")?,
                Derivation::Region { region } => write!(formatter, ".region({region})")?,
            }
        }
        Ok(())
    }
}

/// An identity that STS GetCallerIdentity proved, with the region it works in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Twelve digits.
    pub account: String,
    /// ARN as STS gave it, session name included.
    pub arn: String,
    /// Region of the alias.
    pub region: String,
}

impl Principal {
    /// Whether both are the same person in the same account: session names differ from one sign-in
    /// to the next, so they are left out.
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.account == other.account && without_session(&self.arn) == without_session(&other.arn)
    }

    /// The ARN without its session name.
    pub fn stable_arn(&self) -> &str {
        without_session(&self.arn)
    }
}

/// An assumed-role ARN without its session name; any other ARN as it is.
pub fn without_session(arn: &str) -> &str {
    match arn.split_once(":assumed-role/") {
        Some((_, role_and_session)) => match role_and_session.rfind('/') {
            Some(at) => &arn[..arn.len() - role_and_session.len() + at],
            None => arn,
        },
        None => arn,
    }
}
