//! Sts: nothing is implemented yet.

use super::{AwsFault, Call, Reply, Service};

/// Sts.
#[derive(Debug)]
pub(crate) struct Sts;

impl Service for Sts {
    fn name(&self) -> &'static str {
        "sts"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        Err(AwsFault::new("NotImplementedInSandbox", call.operation))
    }
}
