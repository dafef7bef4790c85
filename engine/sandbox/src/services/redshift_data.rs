//! RedshiftData: nothing is implemented yet.

use super::{AwsFault, Call, Reply, Service};

/// RedshiftData.
#[derive(Debug)]
pub(crate) struct RedshiftData;

impl Service for RedshiftData {
    fn name(&self) -> &'static str {
        "redshift_data"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        Err(AwsFault::new("NotImplementedInSandbox", call.operation))
    }
}
