//! Where credentials come from: profiles as they are on this machine, and roles derived from others.
//!
//! What is derived is fetched through the same bound operations as a script's calls, when it is first
//! needed, and again before it expires. It lives in the SDK's identity cache and nowhere else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, mem};

use aws_config::profile::{self, ProfileSet};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_types::os_shim_internal::{Env, Fs};
use piton_core::catalogue::Class;
use piton_core::ports::{CallFailure, failure_text};
use piton_models::suggest;
use serde_json::{Value, json};

use crate::bound::{Client, Unsent, bound_operations};
use crate::error::Attempted;
use crate::retries::Repeats;

/// The profiles of this machine, read once.
pub(crate) struct Profiles {
    set: ProfileSet,
    /// Where they were read, for the SDK, which reads them itself when it needs credentials.
    pub(crate) files: EnvConfigFiles,
}

impl Profiles {
    /// Reads AWS configuration files; the preset ones are where the environment says.
    pub(crate) async fn read(files: EnvConfigFiles) -> Result<Self, String> {
        let set = profile::load(&Fs::real(), &Env::real(), &files, None)
            .await
            .map_err(|error| crate::error::chain(&error))?;
        Ok(Self { set, files })
    }

    /// The profile that is used when an alias names none.
    pub(crate) fn selected(&self) -> &str {
        self.set.selected_profile()
    }

    /// Region of a profile.
    pub(crate) fn region(&self, name: &str) -> Option<String> {
        self.set.get_profile(name)?.get("region").map(str::to_owned)
    }

    /// A profile and those that it takes its credentials from.
    fn sources<'a>(&'a self, name: &'a str) -> Vec<&'a profile::Profile> {
        let mut found: Vec<&profile::Profile> = Vec::new();
        let mut next = self.set.get_profile(name);
        while let Some(profile) = next {
            // A profile may name itself as its source, for its own static keys.
            if found.iter().any(|known| known.name() == profile.name()) {
                break;
            }
            found.push(profile);
            next = profile.get("source_profile").and_then(|source| self.set.get_profile(source));
        }
        found
    }

    /// Why a profile cannot be used here, where that is known beforehand.
    pub(crate) fn unusable(&self, name: &str) -> Option<String> {
        let asks = self.sources(name).into_iter().find(|profile| {
            profile.get("mfa_serial").is_some() && profile.get("role_arn").is_some()
        })?;
        Some(format!(
            "profile `{}` asks for an MFA code (mfa_serial), and a run cannot type one each hour. \
             Use IAM Identity Center (`aws configure sso`), or a credential_process, or put a session \
             from `aws sts assume-role --serial-number ... --token-code ...` into a profile of its own",
            asks.name()
        ))
    }

    /// The command that renews a profile's credentials, where there is one.
    pub(crate) fn renew_with(&self, name: &str) -> Option<String> {
        let signs_in = |profile: &&profile::Profile| {
            profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some()
        };
        let profile = self.sources(name).into_iter().find(signs_in)?;
        Some(format!("aws sso login --profile {}", profile.name()))
    }
}

/// One way to get credentials with other credentials.
#[derive(Debug, Clone)]
pub(crate) enum Recipe {
    /// STS AssumeRole.
    Role { arn: String, external_id: Option<String>, session_name: String },
    /// DataZone GetEnvironmentCredentials.
    Environment { domain: String, environment: String },
}

impl Recipe {
    fn call(&self) -> (&'static str, &'static str, Value) {
        match self {
            Self::Role { arn, external_id, session_name } => (
                "sts",
                "assume_role",
                json!({
                    "RoleArn": arn,
                    "RoleSessionName": session_name,
                    "ExternalId": external_id,
                }),
            ),
            Self::Environment { domain, environment } => (
                "datazone",
                "get_environment_credentials",
                json!({"domainIdentifier": domain, "environmentIdentifier": environment}),
            ),
        }
    }
}

/// The failure of a derivation, carried through the SDK's error chain.
#[derive(Debug, Clone)]
pub(crate) struct DerivationFailed(pub(crate) CallFailure);

impl fmt::Display for DerivationFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&failure_text(&self.0))
    }
}

impl std::error::Error for DerivationFailed {}

/// Credentials by a [`Recipe`]; the SDK caches and refreshes what it gives.
#[derive(Clone)]
pub(crate) struct Derived(Arc<Source>);

struct Source {
    alias: String,
    client: Client,
    recipe: Recipe,
    renew_with: Option<String>,
    /// A role that belongs to the alias itself: without it the alias has no credentials, whereas a
    /// role that a script asks for may be refused as any other call.
    is_alias_itself: bool,
}

impl Derived {
    pub(crate) fn new(
        alias: &str,
        recipe: Recipe,
        base: &aws_types::SdkConfig,
        renew_with: Option<String>,
        is_alias_itself: bool,
        budget: Option<RetryPartition>,
    ) -> Self {
        let repeats = Repeats { without_knowing: true, budget };
        let client = Client::new(recipe.call().0, base, &repeats, false)
            .expect("the recipes' services, STS and DataZone, are bound");
        let alias = alias.to_owned();
        Self(Arc::new(Source { alias, client, recipe, renew_with, is_alias_itself }))
    }

    async fn fetch(self) -> provider::Result {
        let source = &self.0;
        let (service, operation, input) = source.recipe.call();
        let failed = |failure| CredentialsError::provider_error(DerivationFailed(failure));
        let attempted = Attempted {
            alias: &source.alias,
            service,
            operation,
            class: Class::Read,
            anonymous: false,
            renew_with: source.renew_with.clone(),
        };
        let sending = source
            .client
            .perform(operation, input)
            .map_err(|unsent| failed(invalid(service, operation, unsent)))?;
        match sending.await {
            Ok(reply) => credentials(reply.output),
            Err(error) => Err(failed(match attempted.failure(error) {
                CallFailure::Refused(error) if source.is_alias_itself => CallFailure::Credentials {
                    alias: source.alias.clone(),
                    message: error.to_string(),
                    renew_with: source.renew_with.clone(),
                },
                failure => failure,
            })),
        }
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Derived").field(&self.0.recipe).finish()
    }
}

impl ProvideCredentials for Derived {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.clone().fetch())
    }
}

/// An input that was refused before anything was sent, in core's terms.
pub(crate) fn invalid(service: &str, operation: &str, unsent: Unsent) -> CallFailure {
    match unsent {
        Unsent::UnknownOperation => {
            let bound = bound_operations(service).iter().copied();
            let further = piton_models::service(service).filter(|_| bound.len() == 0);
            let further = further.into_iter().flat_map(piton_models::Model::script_names);
            let hint = suggest::nearest(operation, bound.chain(further))
                .map(|near| format!(" (did you mean `{near}`?)"))
                .unwrap_or_default();
            let message = format!("{service} has no operation {operation} in this version{hint}");
            CallFailure::Invalid { path: String::new(), message }
        }
        Unsent::Input(problems) => {
            let told = |problem: &piton_models::validate::Problem| match &problem.hint {
                Some(hint) => format!("{} ({hint})", problem.message),
                None => problem.message.clone(),
            };
            let path = problems.first().map(|problem| problem.path.clone()).unwrap_or_default();
            let message = match problems.as_slice() {
                [problem] => told(problem),
                [first, rest @ ..] => rest.iter().fold(told(first), |text, problem| {
                    format!("{text}; {}: {}", problem.path, told(problem))
                }),
                [] => "the input does not fit".to_owned(),
            };
            CallFailure::Invalid { path, message }
        }
    }
}

/// The credentials in an answer of STS or DataZone.
fn credentials(mut answer: Value) -> provider::Result {
    let mut part = match answer.get_mut("Credentials") {
        Some(nested) => mem::take(nested),
        None => answer,
    };
    let mut text = |wire: &str| {
        // STS writes members in upper camel case, DataZone in lower.
        let lower = wire[..1].to_lowercase() + &wire[1..];
        let member = [wire, &lower].into_iter().find(|name| part[*name].is_string())?;
        match part[member].take() {
            Value::String(text) => Some(text),
            _ => None,
        }
    };
    let missing = || CredentialsError::unhandled("the answer has no credentials");
    let key = text("AccessKeyId").ok_or_else(missing)?;
    let secret = text("SecretAccessKey").ok_or_else(missing)?;
    let token = text("SessionToken");
    let expires = text("Expiration").and_then(|moment| {
        let moment = DateTime::from_str(&moment, Format::DateTimeWithOffset).ok()?;
        let seconds = u64::try_from(moment.secs()).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    });
    Ok(Credentials::new(key, secret, token, expires, "piton"))
}
