//! `piton.toml`: what each account alias of a runbook means on this machine.
//!
//! Read here: the `[accounts.<alias>]` and `[defaults]` tables. Other tables of the file (programs and
//! HTTP calls that runbooks may use) belong to others and are let through. How credentials come about
//! is left to [`crate::Aws`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

/// Name of the file.
pub const FILE_NAME: &str = "piton.toml";

/// The alias that needs no table: the ordinary credentials of whoever runs Piton.
pub const DEFAULT_ALIAS: &str = "default";

/// Why a `piton.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what it should be; the message has line and column.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the place.
        message: String,
    },
    /// A table contradicts itself.
    #[error("{path}: accounts.{alias}: {message}")]
    Account {
        /// The file.
        path: PathBuf,
        /// The alias.
        alias: String,
        /// What is wrong.
        message: String,
    },
}

/// The accounts of one `piton.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Where they were read; nothing when there is no file.
    pub path: Option<PathBuf>,
    /// Tables by alias.
    pub accounts: BTreeMap<String, Account>,
    /// What holds for every alias that does not say otherwise.
    pub defaults: Defaults,
}

/// `[defaults]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Region of aliases that name none.
    pub region: Option<String>,
    /// Tags that the engine puts on what it creates.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// `[accounts.<alias>]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// AWS profile that the credentials come from; without one, the ordinary chain.
    pub profile: Option<String>,
    /// Role to assume with them. `{account}` is the account that a runbook asks for, else
    /// `account_id`; `{partition}` is that of the region.
    pub role_arn: Option<String>,
    /// External id that the role asks for.
    pub external_id: Option<String>,
    /// Session name; preset `piton-<run>`, which ties CloudTrail to the run.
    pub session_name: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Endpoint of every service, for emulators.
    pub endpoint_url: Option<String>,
    /// The only account that the alias may turn out to be.
    pub account_id: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    accounts: BTreeMap<String, Account>,
    #[serde(default)]
    defaults: Defaults,
}

impl Accounts {
    /// The file in `folder` or the nearest folder above it; no accounts when there is none.
    pub fn find(folder: &Path) -> Result<Self, AccountsError> {
        match folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file()) {
            Some(path) => Self::read(&path),
            None => Ok(Self::default()),
        }
    }

    /// One file.
    pub fn read(path: &Path) -> Result<Self, AccountsError> {
        let text = fs::read_to_string(path)
            .map_err(|source| AccountsError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// The text of a file; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, AccountsError> {
        let file: File = toml::from_str(text).map_err(|error| AccountsError::Parse {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        for (alias, account) in &file.accounts {
            account.check(alias).map_err(|message| AccountsError::Account {
                path: path.to_owned(),
                alias: alias.clone(),
                message,
            })?;
        }
        Ok(Self { path: Some(path.to_owned()), accounts: file.accounts, defaults: file.defaults })
    }

    /// What an alias means, and which of several accounts behind it is meant: `consumer/222222222222`
    /// is that account behind `consumer`. The alias `default` needs no table.
    pub fn resolve(&self, alias: &str) -> Option<(Account, Option<String>)> {
        let (name, member) = match alias.split_once('/') {
            Some((name, member)) => (name, Some(member.to_owned())),
            None => (alias, None),
        };
        let account = match self.accounts.get(name) {
            Some(account) => account.clone(),
            None if name == DEFAULT_ALIAS => Account::default(),
            None => return None,
        };
        Some((account, member))
    }
}

impl Account {
    fn check(&self, alias: &str) -> Result<(), String> {
        if alias.contains('/') {
            return Err("an alias has no `/`: it would read as one of several accounts".to_owned());
        }
        if let Some(id) = &self.account_id
            && !(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(format!("account_id is `{id}`, and has to be twelve digits in quotes"));
        }
        if self.role_arn.is_none() && (self.external_id.is_some() || self.session_name.is_some()) {
            return Err("external_id and session_name need a role_arn".to_owned());
        }
        if let Some(role) = &self.role_arn
            && !role.starts_with("arn:")
        {
            return Err(format!("role_arn is `{role}`, and has to be an ARN"));
        }
        Ok(())
    }

    /// The role with its placeholders filled. Fails when it needs an account and nobody names one.
    pub(crate) fn role(
        &self,
        member: Option<&str>,
        region: Option<&str>,
    ) -> Result<Option<String>, String> {
        let Some(template) = &self.role_arn else {
            return match member {
                Some(account) => Err(format!(
                    "account {account} is asked for, but the alias has no role_arn with {{account}}"
                )),
                None => Ok(None),
            };
        };
        let mut role = template.replace("{partition}", partition(region));
        if role.contains("{account}") {
            let account = member.or(self.account_id.as_deref()).ok_or(
                "role_arn has {account}: the runbook has to say which, or account_id has to be set",
            )?;
            role = role.replace("{account}", account);
        } else if let Some(account) = member {
            return Err(format!("account {account} is asked for, but role_arn has no {{account}}"));
        }
        Ok(Some(role))
    }
}

/// AWS partition of a region.
fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        Some(region) if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}
