//! DataZone: nothing is implemented yet.

use super::{AwsFault, Call, Reply, Service};

/// DataZone.
#[derive(Debug)]
pub(crate) struct DataZone;

impl Service for DataZone {
    fn name(&self) -> &'static str {
        "datazone"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        Err(AwsFault::new("NotImplementedInSandbox", call.operation))
    }
}
