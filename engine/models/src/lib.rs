//! The AWS service models: what each operation is called, takes, answers and refuses.
//!
//! One source for four readers: the typed binding in `aws`, the checks and the documentation in
//! `script` and `cli`, and the protocols of the sandbox. The models are botocore's, without their
//! prose; `data/README.md` names the release and the licence. This crate reads data and decides
//! nothing: no network, no AWS behaviour, no files at run time but the models that a person adds.
//!
//! # Layout
//! - [`Model`], [`Operation`], [`Shape`], [`Member`]: the parsed form of one service model.
//! - [`service`], [`services`], [`further_services`]: the embedded models, parsed at first use.
//! - [`add_folder`], [`assemble`]: models that a person adds. [`partitions`]: for endpoint rules.
//! - [`names`]: operation names between AWS (`CreateProject`) and scripts (`create_project`).
//! - [`suggest`]: the nearest known name to a misspelt one.
//! - [`validate`]: a JSON value against a shape.
//! - [`credential_members`], [`secret_input_members`]: members that hold secrets.

mod credentials;
pub mod names;
mod registry;
mod shape;
pub mod suggest;
pub mod validate;

pub use credentials::{credential_members, secret_input_members};
pub use registry::{
    AddError, add_folder, assemble, further_services, partitions, service, services,
};
pub use shape::{
    ContextParam, ContextValue, ErrorTrait, HttpChecksum, HttpTrait, Location, Member, Metadata,
    Model, ModelError, Operation, Paginator, Protocol, Shape, ShapeKind, ShapeRef, TimestampFormat,
    XmlNamespace,
};
