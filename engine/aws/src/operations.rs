//! The [`Operations`] port over the SDK: aliases to credentials, calls to clients, answers to core.

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::region::Region;
use piton_core::account::{AccountRef, Derivation, Principal};
use piton_core::catalogue::{self, ModelFacts};
use piton_core::ports::{
    Answer, Call, CallFailure, Clock, IdentifyError, MaySend, Operations, Pending,
};
use piton_models::Operation;
use serde_json::json;

use crate::accounts::{Account, Accounts};
use crate::bound::Client;
use crate::credentials::{Derived, Profiles, Recipe, invalid};
use crate::error::Attempted;
use crate::fence;
use crate::retries::Repeats;
use crate::transport::{Door, Transport};

#[cfg(test)]
mod tests;

/// How long fetching credentials may take: an assume-role chain with its retries.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(60);

/// A person of the sandbox's world, as somebody to sign in as.
#[derive(Clone)]
pub struct SandboxPerson {
    /// Access key id; the sandbox knows the caller by it.
    pub access_key_id: String,
    /// Secret key; the sandbox does not check it.
    pub secret_access_key: String,
    /// Region to work in.
    pub region: String,
}

/// Finds the person of an alias, or says why the world can have no such person.
pub type People = Arc<dyn Fn(&str) -> Result<SandboxPerson, String> + Send + Sync>;

/// AWS behind core's port, real or sandbox.
pub struct Aws {
    transport: Transport,
    world: World,
    /// Role sessions are called after the run, so that CloudTrail leads back to it.
    session_name: String,
    configs: tokio::sync::Mutex<HashMap<AccountRef, SdkConfig>>,
    clients: Mutex<HashMap<(AccountRef, String, bool), Client>>,
}

enum World {
    Real { accounts: Accounts, profiles: Box<Profiles> },
    Sandbox { people: People },
}

impl World {
    fn real(accounts: Accounts, profiles: Profiles) -> Self {
        Self::Real { accounts, profiles: Box::new(profiles) }
    }
}

impl Aws {
    /// AWS itself. `run` is the run's id, which role sessions are called after.
    ///
    /// # Errors
    /// A sentence when the AWS configuration files of this machine cannot be read.
    pub async fn network(accounts: Accounts, run: &str) -> Result<Self, String> {
        let profiles = Profiles::read(EnvConfigFiles::default()).await?;
        let transport = Transport::network(ProxyConfig::from_env());
        Ok(Self::new(transport, World::real(accounts, profiles), run))
    }

    /// The sandbox behind `door`, in the time of `clock`. Nothing leaves the process, and no
    /// credentials of the user are looked at.
    pub fn sandbox(door: Door, clock: Arc<dyn Clock>, people: People, run: &str) -> Self {
        Self::new(Transport::sandbox(door, clock), World::Sandbox { people }, run)
    }

    fn new(transport: Transport, world: World, run: &str) -> Self {
        Self {
            transport,
            world,
            session_name: session_name(run),
            configs: tokio::sync::Mutex::new(HashMap::new()),
            clients: Mutex::new(HashMap::new()),
        }
    }

    async fn send(&self, call: &Call) -> Result<Answer, CallFailure> {
        let Call { account, service, operation, input } = call;
        let modelled = piton_models::service(service)
            .and_then(|model| Some((model, model.operation_by_script_name(operation)?)));
        let class = catalogue::class(service, operation, facts(modelled));
        let may_repeat = catalogue::may_repeat(service, operation, class);
        let client = self.client(account, service, may_repeat).await?;
        let sending = client
            .perform(operation, input.clone())
            .map_err(|unsent| invalid(service, operation, unsent))?;
        let attempted = Attempted {
            alias: &account.alias,
            service,
            operation,
            class,
            anonymous: modelled
                .is_some_and(|(_, operation)| operation.authtype.as_deref() == Some("none")),
            renew_with: self.renew_with(&account.alias),
        };
        match sending.await {
            Ok(reply) => Ok(Answer { output: reply.output, request_id: reply.request_id }),
            Err(error) => {
                let failure = attempted.failure(error);
                if matches!(failure, CallFailure::Credentials { .. }) {
                    self.forget(&account.alias).await;
                }
                Err(failure)
            }
        }
    }

    /// Drops what was made of an alias's credentials: after they were renewed, the next call starts
    /// afresh, in this process too.
    async fn forget(&self, alias: &str) {
        self.configs.lock().await.retain(|account, _| account.alias != alias);
        self.known_clients().retain(|(account, _, _), _| account.alias != alias);
    }

    async fn client(
        &self,
        account: &AccountRef,
        service: &str,
        may_repeat: bool,
    ) -> Result<Client, CallFailure> {
        let key = (account.clone(), service.to_owned(), may_repeat);
        if let Some(client) = self.known_clients().get(&key) {
            return Ok(client.clone());
        }
        let config = self.config(account).await?;
        let budget = self.transport.budget.clone();
        let repeats = Repeats { without_knowing: may_repeat, budget };
        // The sandbox is one address, whatever the host.
        let path_style = matches!(self.world, World::Sandbox { .. });
        let client = Client::new(service, &config, &repeats, path_style).ok_or_else(|| {
            CallFailure::Invalid {
                path: String::new(),
                message: format!("the service {service} is not bound"),
            }
        })?;
        self.known_clients().insert(key, client.clone());
        Ok(client)
    }

    fn known_clients(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<(AccountRef, String, bool), Client>> {
        // The map is whole at every moment, whatever a panicking thread was doing.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The SDK's configuration of an account, made once: the alias's own, then each derivation.
    async fn config(&self, account: &AccountRef) -> Result<SdkConfig, CallFailure> {
        let mut configs = self.configs.lock().await;
        if let Some(config) = configs.get(account) {
            return Ok(config.clone());
        }
        let mut at = AccountRef::alias(account.alias.clone());
        let mut config = match configs.get(&at) {
            Some(config) => config.clone(),
            None => {
                let config = self.alias_config(&account.alias).await?;
                configs.insert(at.clone(), config.clone());
                config
            }
        };
        for derivation in &account.derived {
            at = at.derive(derivation.clone());
            config = match configs.get(&at) {
                Some(known) => known.clone(),
                None => self.derive(&account.alias, &config, derivation),
            };
            configs.insert(at.clone(), config.clone());
        }
        Ok(config)
    }

    fn derive(&self, alias: &str, base: &SdkConfig, derivation: &Derivation) -> SdkConfig {
        let recipe = match derivation {
            Derivation::Region { region } => {
                return base.to_builder().region(Region::new(region.clone())).build();
            }
            Derivation::Environment { domain, environment } => {
                Recipe::Environment { domain: domain.clone(), environment: environment.clone() }
            }
            Derivation::Assume { role_arn, external_id, session_name } => Recipe::Role {
                arn: role_arn.clone(),
                external_id: external_id.clone(),
                session_name: session_name.clone().unwrap_or_else(|| self.session_name.clone()),
            },
        };
        self.with_recipe(alias, base, recipe, false)
    }

    fn with_recipe(
        &self,
        alias: &str,
        base: &SdkConfig,
        recipe: Recipe,
        is_alias_itself: bool,
    ) -> SdkConfig {
        let renew_with = self.renew_with(alias);
        let budget = self.transport.budget.clone();
        let derived = Derived::new(alias, recipe, base, renew_with, is_alias_itself, budget);
        base.to_builder()
            .credentials_provider(SharedCredentialsProvider::new(derived))
            .identity_cache(identity_cache())
            .build()
    }

    async fn alias_config(&self, alias: &str) -> Result<SdkConfig, CallFailure> {
        match &self.world {
            World::Sandbox { people } => {
                let person = people(alias).map_err(|message| unusable(alias, &message))?;
                Ok(self.sandbox_config(&person))
            }
            World::Real { accounts, profiles } => {
                let (account, member) = accounts.resolve(alias).ok_or_else(|| {
                    unusable(alias, "piton.toml has no [accounts] table of that name")
                })?;
                let config = self.real_config(alias, &account, accounts, profiles).await?;
                let region = config.region().map(AsRef::as_ref);
                let role = account
                    .role(member.as_deref(), region)
                    .map_err(|message| unusable(alias, &message))?;
                let Some(arn) = role else { return Ok(config) };
                let session_name =
                    account.session_name.clone().unwrap_or_else(|| self.session_name.clone());
                let recipe = Recipe::Role { arn, external_id: account.external_id, session_name };
                Ok(self.with_recipe(alias, &config, recipe, true))
            }
        }
    }

    /// Made by hand: the SDK's loader would look at the environment.
    fn sandbox_config(&self, person: &SandboxPerson) -> SdkConfig {
        let (key, secret) = (&person.access_key_id, &person.secret_access_key);
        let credentials = Credentials::new(key, secret, None, None, "piton-sandbox");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(person.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(identity_cache())
            .http_client(self.transport.http.clone())
            .sleep_impl(self.transport.sleep.clone())
            .time_source(self.transport.time.clone())
            .retry_config(self.transport.retries.clone())
            .timeout_config(self.transport.timeouts.clone())
            .stalled_stream_protection(
                aws_config::stalled_stream_protection::StalledStreamProtectionConfig::disabled(),
            )
            .build()
    }

    async fn real_config(
        &self,
        alias: &str,
        account: &Account,
        accounts: &Accounts,
        profiles: &Profiles,
    ) -> Result<SdkConfig, CallFailure> {
        let profile = account.profile.as_deref();
        if let Some(message) = profiles.unusable(profile.unwrap_or(profiles.selected())) {
            return Err(unusable(alias, &message));
        }
        let region = region_of(account, accounts, profiles).map(Region::new).ok_or_else(|| {
            unusable(alias, "no region: set it in piton.toml, in the profile, or as AWS_REGION")
        })?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.transport.http.clone())
            .sleep_impl(self.transport.sleep.clone())
            .time_source(self.transport.time.clone())
            .retry_config(self.transport.retries.clone())
            .timeout_config(self.transport.timeouts.clone())
            .identity_cache(identity_cache())
            .profile_files(profiles.files.clone())
            .region(region.clone());
        // The name is valid by construction; without it requests would still be right.
        if let Ok(name) = AppName::new(concat!("piton/", env!("CARGO_PKG_VERSION"))) {
            loader = loader.app_name(name);
        }
        if let Some(endpoint) = &account.endpoint_url {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(profile) = profile {
            // The loader alone would prefer keys in the environment to a profile asked for by name.
            let provider = ProviderConfig::without_region()
                .with_region(Some(region))
                .with_http_client(self.transport.http.clone())
                .with_sleep_impl(self.transport.sleep.clone())
                .with_time_source(self.transport.time.clone());
            let provider = ProfileFileCredentialsProvider::builder()
                .configure(&provider)
                .profile_files(profiles.files.clone())
                .profile_name(profile)
                .build();
            loader = loader.profile_name(profile).credentials_provider(provider);
        }
        Ok(loader.load().await)
    }

    fn renew_with(&self, alias: &str) -> Option<String> {
        let World::Real { accounts, profiles } = &self.world else { return None };
        let (account, _) = accounts.resolve(alias)?;
        profiles.renew_with(account.profile.as_deref().unwrap_or(profiles.selected()))
    }

    async fn prove(&self, account: &AccountRef) -> Result<Principal, IdentifyError> {
        let alias = account.alias.clone();
        let pinned = match &self.world {
            World::Sandbox { people } => match people(&alias) {
                Ok(_) => None,
                Err(message) => return Err(IdentifyError::Unusable { alias, message }),
            },
            World::Real { accounts, .. } => {
                let (found, member) = accounts
                    .resolve(&alias)
                    .ok_or_else(|| IdentifyError::Unconfigured { alias: alias.clone() })?;
                if let Err(message) = found.role(member.as_deref(), None) {
                    return Err(IdentifyError::Unusable { alias, message });
                }
                // One of several accounts has to be the one that was asked for.
                member.or_else(|| found.account_id.clone())
            }
        };
        let call = Call {
            account: account.clone(),
            service: "sts".to_owned(),
            operation: "get_caller_identity".to_owned(),
            input: json!({}),
        };
        let answer = self.send(&call).await.map_err(IdentifyError::Call)?;
        let member = |name: &str| answer.output[name].as_str().unwrap_or_default().to_owned();
        let principal = Principal {
            account: member("Account"),
            arn: member("Arn"),
            region: self.region(account).unwrap_or_default(),
        };
        match pinned {
            // A derived account may well be another one: the pin is about the alias.
            Some(pinned) if account.derived.is_empty() && pinned != principal.account => {
                Err(IdentifyError::Pinned {
                    alias: account.alias.clone(),
                    found: principal.account,
                    pinned,
                })
            }
            _ => Ok(principal),
        }
    }
}

impl Operations for Aws {
    fn perform<'a>(&'a self, call: &'a Call) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(self.send(call))
    }

    fn perform_while<'a>(
        &'a self,
        call: &'a Call,
        may_send: MaySend,
    ) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(fence::within(may_send, self.send(call)))
    }

    fn identify<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> Pending<'a, Result<Principal, IdentifyError>> {
        Box::pin(self.prove(account))
    }

    fn region(&self, account: &AccountRef) -> Option<String> {
        let derived = account.derived.iter().rev().find_map(|derivation| match derivation {
            Derivation::Region { region } => Some(region.clone()),
            Derivation::Environment { .. } | Derivation::Assume { .. } => None,
        });
        derived.or_else(|| match &self.world {
            World::Sandbox { people } => people(&account.alias).ok().map(|person| person.region),
            World::Real { accounts, profiles } => {
                let (found, _) = accounts.resolve(&account.alias)?;
                region_of(&found, accounts, profiles)
            }
        })
    }
}

fn facts(modelled: Option<(&piton_models::Model, &Operation)>) -> ModelFacts {
    modelled.map_or_else(ModelFacts::default, |(model, operation)| ModelFacts {
        has_token: model.token_member(operation).is_some(),
        idempotent: operation.idempotent,
        readonly: operation.readonly,
    })
}

/// The nearer the setting, the more it counts: the alias, its profile, the file, the environment, the
/// selected profile.
fn region_of(account: &Account, accounts: &Accounts, profiles: &Profiles) -> Option<String> {
    let own_profile = account.profile.as_deref().and_then(|profile| profiles.region(profile));
    let environment = || env::var("AWS_REGION").or_else(|_| env::var("AWS_DEFAULT_REGION")).ok();
    account
        .region
        .clone()
        .or(own_profile)
        .or_else(|| accounts.defaults.region.clone())
        .or_else(environment)
        .or_else(|| profiles.region(profiles.selected()))
}

fn identity_cache() -> aws_smithy_runtime_api::client::identity::SharedIdentityCache {
    IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT).build()
}

fn unusable(alias: &str, message: &str) -> CallFailure {
    CallFailure::Credentials {
        alias: alias.to_owned(),
        message: format!("`{alias}` cannot be used: {message}"),
        renew_with: None,
    }
}

/// STS takes 2 to 64 of these characters.
fn session_name(run: &str) -> String {
    let allowed = |character: char| {
        if character.is_ascii_alphanumeric() || "_=,.@-".contains(character) {
            character
        } else {
            '-'
        }
    };
    format!("piton-{run}").chars().map(allowed).take(64).collect()
}
