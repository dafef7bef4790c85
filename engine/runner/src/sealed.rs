//! The secrets of a run: read where they were said to be, sealed into the journal, opened again.

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::{Entropy, Journal, RunId};
use piton_core::secret::Origin;
use piton_script::params::SecretSource;

use crate::drive::Shared;
use crate::engine::RunnerError;
use crate::vault::SealingKey;

/// A secret of a run, as it is sealed.
pub(crate) struct SealedSecret {
    kind: SecretKind,
    name: String,
    value: String,
}

/// What a sealed value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecretKind {
    /// The value of a parameter.
    Param,
    /// The value of an environment variable.
    Env,
    /// The ARN of the secret that holds a parameter.
    Reference,
}

impl SealedSecret {
    const ENV: &str = "env:";
    const REFERENCE: &str = "secretsmanager:";

    /// Seals the value: the name that it is stored under, and the sealed bytes.
    pub(crate) fn seal(
        &self,
        key: &SealingKey,
        entropy: &dyn Entropy,
        run: &RunId,
    ) -> (String, Vec<u8>) {
        let name = self.stored_name();
        let sealed = key.seal(entropy, run, &name, &self.value);
        (name, sealed)
    }

    /// The name of the parameter or variable.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a home has sealed it, under whichever name.
    pub(crate) fn is_among(&self, stored: &[String]) -> bool {
        let reference = format!("{}{}", Self::REFERENCE, self.name);
        stored.iter().any(|stored| *stored == self.name || *stored == reference)
    }

    fn stored_name(&self) -> String {
        let prefix = match self.kind {
            SecretKind::Param => "",
            SecretKind::Env => Self::ENV,
            SecretKind::Reference => Self::REFERENCE,
        };
        format!("{prefix}{}", self.name)
    }

    fn from_stored(stored: &str, value: String) -> Self {
        let (kind, name) = if let Some(name) = stored.strip_prefix(Self::ENV) {
            (SecretKind::Env, name)
        } else if let Some(name) = stored.strip_prefix(Self::REFERENCE) {
            (SecretKind::Reference, name)
        } else {
            (SecretKind::Param, stored)
        };
        Self { kind, name: name.to_owned(), value }
    }
}

/// The name under which an environment variable's value is sealed.
pub(crate) fn env_secret_name(variable: &str) -> String {
    format!("{}{variable}", SealedSecret::ENV)
}

impl Shared {
    /// Keeps a secret in memory.
    pub(crate) fn learn(&mut self, secret: SealedSecret) {
        let SealedSecret { kind, name, value } = secret;
        match kind {
            SecretKind::Param => self.vault.keep(Origin::Param { name }, value),
            SecretKind::Env => self.vault.keep(Origin::Env { name }, value),
            SecretKind::Reference => {
                self.references.insert(name, value);
            }
        }
    }
}

/// Reads secret parameters from where they were said to be.
pub(crate) fn read_secrets(
    sources: &[(String, SecretSource)],
) -> Result<Vec<SealedSecret>, RunnerError> {
    let mut values = Vec::new();
    let mut refused = Vec::new();
    for (name, source) in sources {
        match read_secret(source) {
            Ok((kind, value)) => values.push(SealedSecret { kind, name: name.clone(), value }),
            Err(problem) => refused.push(Diagnostic::error(
                Code::BadParameter,
                format!("the secret parameter `{name}` cannot be read: {problem}"),
            )),
        }
    }
    if refused.is_empty() { Ok(values) } else { Err(RunnerError::Refused(refused)) }
}

/// The value of a source; for Secrets Manager, where to fetch it at its first use.
fn read_secret(source: &SecretSource) -> Result<(SecretKind, String), String> {
    let value = match source {
        SecretSource::Literal(value) => value.clone(),
        SecretSource::Env(variable) => {
            std::env::var(variable).map_err(|error| format!("${variable}: {error}"))?
        }
        SecretSource::File(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("{path}: {error}"))?
            .trim_end_matches(['\n', '\r'])
            .to_owned(),
        SecretSource::SecretsManager(arn) => return Ok((SecretKind::Reference, arn.clone())),
    };
    Ok((SecretKind::Param, value))
}

/// Opens every secret that a run has sealed.
pub(crate) fn open_secrets(
    key: &SealingKey,
    journal: &dyn Journal,
    run: &RunId,
) -> Result<Vec<SealedSecret>, RunnerError> {
    let mut secrets = Vec::new();
    for (name, sealed) in journal.sealed(run)? {
        let value = key.open(run, &name, &sealed).map_err(|broken| {
            RunnerError::refused(
                Diagnostic::error(Code::Credentials, format!("the secret `{name}`: {broken}"))
                    .hint("put the key file of the home where the run was started in its place"),
            )
        })?;
        secrets.push(SealedSecret::from_stored(&name, value));
    }
    Ok(secrets)
}
