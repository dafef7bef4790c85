//! IAM.

mod state;

pub(crate) use state::*;

use super::{AwsFault, Call, Reply, Service};

/// Identity and Access Management.
#[derive(Debug)]
pub(crate) struct Iam;

impl Service for Iam {
    fn name(&self) -> &'static str {
        "iam"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        Err(AwsFault::new("InvalidAction", call.operation))
    }
}
