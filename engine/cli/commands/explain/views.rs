//! What `piton explain` lists, as data: the field names are a contract. The page of one operation is
//! `piton_script::explain`'s.

use piton_core::catalogue;
use piton_models::{Model, Operation};
use piton_script::explain::class;
use serde::Serialize;

use super::search::Hit;

#[derive(Serialize)]
pub(super) struct ServicesView {
    pub(super) services: Vec<ServiceRow>,
    /// Services that are called by their model alone.
    pub(super) further: Vec<FurtherRow>,
}

#[derive(Serialize)]
pub(super) struct ServiceRow {
    pub(super) service: &'static str,
    pub(super) operations: usize,
    /// The SDK crate of the service with its version: what is left out is newer.
    pub(super) sdk: Option<String>,
    pub(super) left_out: &'static [&'static str],
}

#[derive(Serialize)]
pub(super) struct FurtherRow {
    pub(super) service: &'static str,
    pub(super) operations: usize,
}

#[derive(Serialize)]
pub(super) struct ServiceView {
    pub(super) service: String,
    pub(super) aws_name: String,
    pub(super) api_version: String,
    pub(super) operations: Vec<OperationRow>,
    pub(super) sdk: Option<String>,
    pub(super) left_out: &'static [&'static str],
}

#[derive(Serialize)]
pub(super) struct FoundView {
    pub(super) search: String,
    pub(super) operations: Vec<OperationRow>,
}

#[derive(Serialize)]
pub(super) struct OperationRow {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) aws_name: String,
    pub(super) class: &'static str,
    pub(super) pages: bool,
    pub(super) inverse: Option<String>,
}

/// Every service with its count.
pub(super) fn services() -> ServicesView {
    let services = piton_models::services()
        .iter()
        .map(|service| ServiceRow {
            service,
            operations: piton_aws::bound_operations(service).len(),
            sdk: piton_aws::sdk_version(service),
            left_out: piton_aws::left_out(service),
        })
        .collect();
    let further = piton_models::further_services()
        .iter()
        .filter_map(|service| {
            let operations = piton_models::service(service)?.operations.len();
            Some(FurtherRow { service, operations })
        })
        .collect();
    ServicesView { services, further }
}

/// One service with its operations.
pub(super) fn service(model: &Model) -> ServiceView {
    ServiceView {
        service: model.script_name.clone(),
        aws_name: model.metadata.service_id.clone(),
        api_version: model.metadata.api_version.clone(),
        sdk: piton_aws::sdk_version(&model.script_name),
        left_out: piton_aws::left_out(&model.script_name),
        operations: model
            .script_names()
            .filter_map(|name| model.operation_by_script_name(name))
            .map(|operation| row(model, operation))
            .collect(),
    }
}

/// What was found for some words.
pub(super) fn found(words: &str, hits: &[Hit]) -> FoundView {
    let operations = hits.iter().map(|hit| row(hit.model, hit.operation)).collect();
    FoundView { search: words.to_owned(), operations }
}

fn row(model: &Model, operation: &Operation) -> OperationRow {
    let name = operation.script_name();
    let reviewed = catalogue::reviewed(&model.script_name, &name);
    OperationRow {
        service: model.script_name.clone(),
        aws_name: operation.name.clone(),
        class: class(model, operation).as_str(),
        pages: model.paginators.contains_key(&operation.name),
        inverse: reviewed
            .and_then(|row| row.inverse.as_ref())
            .map(|inverse| inverse.operation.clone()),
        operation: name,
    }
}
