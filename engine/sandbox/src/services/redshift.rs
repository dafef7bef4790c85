//! Redshift: nothing is implemented yet.

use super::{AwsFault, Call, Reply, Service};

/// Redshift.
#[derive(Debug)]
pub(crate) struct Redshift;

impl Service for Redshift {
    fn name(&self) -> &'static str {
        "redshift"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        Err(AwsFault::new("NotImplementedInSandbox", call.operation))
    }
}
