//! The sandbox and the engine over loopback HTTP, with Piton and other people's programs as clients.
//!
//! What needs Rust alone runs always. boto3, the AWS CLI and Terraform run with `PITON_CLIENTS=1`, as
//! `.ci/clients` sets it; without it their test says that it did not run.

mod door;
mod others;
pub(crate) mod served;
mod small;
