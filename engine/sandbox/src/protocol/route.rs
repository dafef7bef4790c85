//! Which service and operation a request is for.
//!
//! The service is the one in the SigV4 credential scope: one door then serves them all, whatever
//! the host name says. The operation is in `X-Amz-Target`, in the form's `Action`, or in method and
//! path.

use std::cmp::Reverse;

use http::header::{AUTHORIZATION, HOST};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Request};
use piton_models::{Location, Model, Operation, Protocol};

use super::rest::{match_path, parse_pairs};

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The service's model.
    pub model: &'static Model,
    /// The operation.
    pub operation: &'static Operation,
}

/// Who signed a request, and for where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Access key id.
    pub access_key_id: String,
    /// `eu-west-1`
    pub region: String,
    /// Signing name of the service, `redshift-data`.
    pub service: String,
    /// Session token of temporary keys.
    pub token: Option<String>,
}

/// A request that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No SigV4 signature.
    #[error("the request is not signed")]
    NotSigned,
    /// A service that is not in the sandbox.
    #[error("the service {0} is not in the sandbox")]
    UnknownService(String),
    /// The service has no such operation.
    #[error("{service} has no operation for {asked}")]
    UnknownOperation {
        /// The script's name of the service.
        service: String,
        /// What the request asks for.
        asked: String,
    },
}

impl Credential {
    /// The credential of a signed request, from its header or, when it is presigned, from its query.
    pub fn of(request: &Request<Vec<u8>>) -> Option<Self> {
        let query = parse_pairs(request.uri().query().unwrap_or_default());
        let in_query =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let scope = match header {
            Some(header) => {
                let start = header.find("Credential=")? + "Credential=".len();
                let rest = &header[start..];
                rest[..rest.find([',', ' ']).unwrap_or(rest.len())].to_owned()
            }
            None => in_query("X-Amz-Credential")?,
        };
        let mut parts = scope.rsplit('/');
        let (_, service, region, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let access_key_id = parts.next()?.to_owned();
        let token = request
            .headers()
            .get("x-amz-security-token")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
            .or_else(|| in_query("X-Amz-Security-Token"));
        Some(Self { access_key_id, region: region.to_owned(), service: service.to_owned(), token })
    }
}

/// A request to Amazon S3 with its bucket in the path: clients may have it in the host name.
pub fn addressed(mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    let is_s3 = Credential::of(&request).is_some_and(|credential| credential.service == "s3");
    let Some(bucket) = is_s3.then(|| bucket_in_host(&request)).flatten() else { return request };
    let old = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let separator = if old.starts_with("/?") || old == "/" { "" } else { "/" };
    let new = format!("/{bucket}{separator}{}", old.strip_prefix('/').unwrap_or(old));
    if let Ok(uri) = new.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

/// The labels before `s3` or before the loopback name: `lake.s3.eu-west-1.amazonaws.com`,
/// `lake.localhost:4599`.
fn bucket_in_host(request: &Request<Vec<u8>>) -> Option<String> {
    let header = request.headers().get(HOST).map(HeaderValue::to_str).and_then(Result::ok);
    let host = request.uri().host().or(header)?;
    let host = host.split(':').next().unwrap_or(host).trim_end_matches('.');
    let bucket = match host.strip_suffix(".localhost") {
        Some(bucket) => bucket.strip_suffix(".s3").unwrap_or(bucket),
        None => {
            let place = host.find(".s3.").or_else(|| host.find(".s3-"))?;
            &host[..place]
        }
    };
    (!bucket.is_empty() && bucket != "s3").then(|| bucket.to_owned())
}

/// Where a request goes, and who signed it.
///
/// # Errors
/// When it is not signed, or for something that no model has.
pub fn route(request: &Request<Vec<u8>>) -> Result<(Credential, Route), RouteError> {
    let credential = Credential::of(request).ok_or(RouteError::NotSigned)?;
    let model = by_signing_name(&credential.service)
        .ok_or_else(|| RouteError::UnknownService(credential.service.clone()))?;
    let operation = operation(model, request)?;
    Ok((credential, Route { model, operation }))
}

fn by_signing_name(name: &str) -> Option<&'static Model> {
    piton_models::services()
        .iter()
        .chain(piton_models::further_services())
        .filter_map(|service| piton_models::service(service))
        .find(|model| model.metadata.signing_name() == name)
}

fn operation<'a>(
    model: &'a Model,
    request: &Request<Vec<u8>>,
) -> Result<&'a Operation, RouteError> {
    let named = |name: &str| model.operations.get(name);
    let (found, asked) = match model.metadata.protocol() {
        Protocol::Json => {
            let target = request
                .headers()
                .get("x-amz-target")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let name = target.rsplit('.').next().unwrap_or_default();
            (named(name), name.to_owned())
        }
        Protocol::Query => {
            let body = String::from_utf8_lossy(request.body());
            let pairs = parse_pairs(request.uri().query().unwrap_or_default())
                .into_iter()
                .chain(parse_pairs(&body))
                .find(|(key, _)| key == "Action");
            let name = pairs.map(|(_, value)| value).unwrap_or_default();
            (named(&name), name)
        }
        Protocol::RestJson | Protocol::RestXml | Protocol::Other => {
            let asked = format!("{} {}", request.method(), request.uri().path());
            (by_path(model, request), asked)
        }
    };
    found.ok_or_else(|| RouteError::UnknownOperation { service: model.script_name.clone(), asked })
}

/// The operation whose template matches with the most literal segments; of several with one template,
/// the one whose required parameters and headers are there.
fn by_path<'a>(model: &'a Model, request: &Request<Vec<u8>>) -> Option<&'a Operation> {
    let query = parse_pairs(request.uri().query().unwrap_or_default());
    model
        .operations
        .values()
        .filter(|operation| operation.http.method == request.method().as_str())
        .filter_map(|operation| {
            let template = operation.http.request_uri.as_str();
            let (path, constants) = template.split_once('?').unwrap_or((template, ""));
            let constants = parse_pairs(constants);
            if !constants.iter().all(|constant| query.contains(constant)) {
                return None;
            }
            let matched = match_path(path, request.uri().path())?;
            let required = required_outside(model, operation);
            let complete = required.iter().all(|(location, name)| match location {
                Location::Header => request.headers().contains_key(*name),
                _ => query.iter().any(|(key, _)| key == name),
            });
            let rank = (matched.literals, constants.len(), complete, required.len());
            Some((rank, Reverse(operation.deprecated), Reverse(operation.name.as_str()), operation))
        })
        .max_by_key(|(rank, current, name, _)| (*rank, *current, *name))
        .map(|(.., operation)| operation)
}

/// The query parameters and headers that an operation cannot do without, by their names there.
fn required_outside<'a>(model: &'a Model, operation: &Operation) -> Vec<(Location, &'a str)> {
    let Some(shape) = model.input_shape(operation) else { return Vec::new() };
    shape
        .members
        .0
        .iter()
        .filter(|(name, _)| shape.required.contains(name))
        .filter_map(|(name, member)| {
            let location = member
                .location
                .filter(|location| matches!(location, Location::Querystring | Location::Header))?;
            Some((location, member.location_name.as_deref().unwrap_or(name)))
        })
        .collect()
}
