//! SecretsManager: nothing is implemented yet.

use super::{AwsFault, Call, Reply, Service};

/// SecretsManager.
#[derive(Debug)]
pub(crate) struct SecretsManager;

impl Service for SecretsManager {
    fn name(&self) -> &'static str {
        "secretsmanager"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        Err(AwsFault::new("NotImplementedInSandbox", call.operation))
    }
}
