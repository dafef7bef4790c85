//! Any AWS service by its model alone, with the SDK's own signing, retries and credentials.
//!
//! For services that have no typed client here. The model says how an operation is written and read,
//! and its endpoint rules where the service lives; the SDK's orchestrator does everything between. What
//! the service means by it is nobody's knowledge here.
//!
//! # Layout
//! - [`Modelled`]: the client. `endpoint`: the rules. `request`, `response`, `xml`, `uri`: the wire.

use std::sync::Arc;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::orchestrator::operation::Operation as Sent;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_types::SdkConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::request_id::RequestId as _;
use piton_models::validate::{Problem, ProblemKind};
use piton_models::{Location, Model, Operation};
use serde_json::{Map, Value, json};

use crate::bound::{Failure, Reply, Sending, Unsent, check_form};
use crate::retries::{OnlyWithoutEffect, Repeats};
use endpoint::{Endpoint, Parameters};

mod endpoint;
mod request;
mod response;
mod uri;
mod xml;

/// A client of one service.
#[derive(Clone)]
pub(crate) struct Modelled(Arc<Client>);

struct Client {
    model: &'static Model,
    config: SdkConfig,
    repeats: Repeats,
    /// Made once: the identity cache knows credentials by the resolver that gave them.
    identity: Option<SharedIdentityResolver>,
    /// Buckets go into the path: the endpoint is one address, not a domain of its own.
    path_style: bool,
}

impl Modelled {
    /// The client of a service by its model; `path_style` keeps buckets out of host names.
    pub(crate) fn new(
        model: &'static Model,
        config: &SdkConfig,
        repeats: &Repeats,
        path_style: bool,
    ) -> Self {
        let credentials: Option<SharedCredentialsProvider> = config.credentials_provider();
        Self(Arc::new(Client {
            model,
            identity: credentials.map(SharedIdentityResolver::new),
            config: config.clone(),
            repeats: repeats.clone(),
            path_style: path_style || config.endpoint_url().is_some(),
        }))
    }

    /// The script's name of the service.
    pub(crate) fn service(&self) -> &'static str {
        &self.0.model.script_name
    }

    /// Starts one call. The future is the SDK's, with its retries.
    pub(crate) fn perform(&self, operation: &str, input: &Value) -> Result<Sending, Unsent> {
        let client = Arc::clone(&self.0);
        let model = client.model;
        let operation =
            model.operation_by_script_name(operation).ok_or(Unsent::UnknownOperation)?;
        let empty = Value::Object(Map::new());
        let input = if input.is_null() { &empty } else { input };
        check_form(&model.script_name, &operation.script_name(), input)?;
        let unsent = |message: String| {
            Unsent::Input(vec![Problem {
                path: String::new(),
                kind: ProblemKind::WrongType,
                message,
                hint: None,
            }])
        };
        if let Some(reason) = unsupported(model, operation) {
            return Err(unsent(reason.to_owned()));
        }
        let (endpoint, bucket_in_host) = client.endpoint(operation, input).map_err(unsent)?;
        let mut draft = request::write(model, operation, input, bucket_in_host).map_err(unsent)?;
        let (origin, base) = split(&endpoint.url);
        draft.target = joined(base, &draft.target);
        let origin = client.prefixed(operation, input, origin);
        let endpoint = Endpoint { url: origin, ..endpoint };
        let prepared = http_request(draft).map_err(unsent)?;
        let sent = client.operation(operation, &endpoint, prepared);
        Ok(Box::pin(async move {
            sent.invoke(()).await.map_err(|error| -> Failure { Box::new(error) })
        }))
    }
}

/// Why an operation cannot be called by its model alone, where that is so.
pub fn unsupported(model: &Model, operation: &Operation) -> Option<&'static str> {
    let streams = |shape: Option<&piton_models::Shape>| {
        shape.is_some_and(|shape| {
            let members = shape.members.0.iter();
            members.map(|(_, member)| model.shape(&member.shape)).any(|shape| shape.eventstream)
        })
    };
    let streams = streams(model.input_shape(operation)) || streams(model.output_shape(operation));
    streams.then_some("it is a stream of events, which is not supported")
}

impl Client {
    /// Where a call goes, and whether the endpoint carries the bucket already.
    fn endpoint(&self, operation: &Operation, input: &Value) -> Result<(Endpoint, bool), String> {
        let Some(rules) = &self.model.endpoint_rules else {
            let url = self.config.endpoint_url();
            let url =
                url.ok_or("its model has no endpoint rules: set endpoint_url in piton.toml")?;
            let rules = json!({"parameters": {}, "rules": [
                {"type": "endpoint", "conditions": [], "endpoint": {"url": url}},
            ]});
            return Ok((endpoint::resolve(&rules, &Parameters::new())?, false));
        };
        let mut given = Parameters::new();
        let mut give = |name: &str, value: Value| given.insert(name.to_owned(), value);
        if let Some(region) = self.config.region() {
            give("Region", region.as_ref().into());
        }
        if let Some(url) = self.config.endpoint_url() {
            give("Endpoint", url.into());
        }
        give("UseFIPS", self.config.use_fips().unwrap_or(false).into());
        give("UseDualStack", self.config.use_dual_stack().unwrap_or(false).into());
        if self.path_style {
            give("ForcePathStyle", true.into());
        }
        for (name, fixed) in &operation.static_context_params {
            give(name, fixed.value.clone());
        }
        let mut bucket_in_host = false;
        if let Some(shape) = self.model.input_shape(operation) {
            for (_, member, value) in request::given(shape, input) {
                if let Some(parameter) = &member.context_param {
                    give(&parameter.name, value.clone());
                    bucket_in_host |=
                        parameter.name == "Bucket" && member.location == Some(Location::Uri);
                }
            }
        }
        Ok((endpoint::resolve(rules, &given)?, bucket_in_host))
    }

    /// An endpoint with what the operation puts in front of the host. An endpoint that somebody set is
    /// one address, which has no hosts below it.
    fn prefixed(&self, operation: &Operation, input: &Value, origin: &str) -> String {
        let prefix = operation.endpoint.as_ref().and_then(|own| own["hostPrefix"].as_str());
        let (Some(prefix), None) = (prefix, self.config.endpoint_url()) else {
            return origin.to_owned();
        };
        let mut prefix = prefix.to_owned();
        if let Some(shape) = self.model.input_shape(operation) {
            for (name, _, value) in request::given(shape, input) {
                let value = value.as_str().unwrap_or_default();
                prefix = prefix.replace(&format!("{{{name}}}"), value);
            }
        }
        origin.replacen("://", &format!("://{prefix}"), 1)
    }

    fn operation(
        &self,
        operation: &'static Operation,
        endpoint: &Endpoint,
        prepared: http::Request<Vec<u8>>,
    ) -> Sent<(), Reply, ErrorMetadata> {
        let model = self.model;
        let config = &self.config;
        let mut sent = Sent::builder()
            .service_name(model.metadata.service_id.as_str())
            .operation_name(operation.name.as_str())
            .endpoint_url(&endpoint.url)
            .with_connection_poisoning()
            .interceptor(ServiceClockSkewInterceptor::new())
            .interceptor(RequestInfoInterceptor::new())
            .interceptor(UserAgentInterceptor::new())
            .interceptor(InvocationIdInterceptor::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new());
        if !self.repeats.without_knowing {
            sent = sent.retry_classifier(OnlyWithoutEffect);
        }
        if let Some(retries) = config.retry_config() {
            sent = sent.standard_retry(retries);
        }
        if let Some(timeouts) = config.timeout_config() {
            sent = sent.timeout_config(timeouts.clone());
        }
        if let Some(http) = config.http_client() {
            sent = sent.http_client(http);
        }
        if let Some(sleep) = config.sleep_impl() {
            sent = sent.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            sent = sent.time_source(time);
        }
        if let Some(protection) = config.stalled_stream_protection() {
            sent = sent.stalled_stream_protection(protection);
        }
        if let Some(version) = config.behavior_version() {
            sent = sent.behavior_version(version);
        }
        sent.runtime_plugin(self.signing(endpoint))
            .serializer(move |(): ()| Ok(HttpRequest::try_from(copy(&prepared))?))
            .deserializer(move |response: &HttpResponse| deserialized(model, operation, response))
            .build()
    }

    /// How requests are signed, with whose credentials, and from whose budget they are repeated.
    fn signing(&self, endpoint: &Endpoint) -> StaticRuntimePlugin {
        let mut layer = Layer::new("modelled");
        let mut options = SigningOptions::default();
        if endpoint.plain_path {
            options.double_uri_encode = false;
            options.normalize_uri_path = false;
            // The services that sign the path as it is, Amazon S3 and its kin, ask for this as well.
            options.content_sha256_header = true;
        }
        let region = endpoint.signing_region.clone();
        let region = region.map(aws_types::region::Region::new);
        let region = region.or_else(|| self.config.region().cloned());
        let name = endpoint.signing_name.clone();
        let name = name.unwrap_or_else(|| self.model.metadata.signing_name().to_owned());
        layer.store_put(SigV4OperationSigningConfig {
            region: region.map(SigningRegion::from),
            name: Some(SigningName::from(name)),
            signing_options: options,
            ..SigV4OperationSigningConfig::default()
        });
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(ApiMetadata::new(&self.model.script_name, env!("CARGO_PKG_VERSION")));
        if let Some(name) = self.config.app_name() {
            layer.store_put(name.clone());
        }
        if let Some(budget) = &self.repeats.budget {
            layer.store_put(budget.clone());
        }
        let mut components = RuntimeComponentsBuilder::new("modelled");
        components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
        components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
            StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
        )));
        components.set_identity_cache(self.config.identity_cache());
        if let Some(identity) = &self.identity {
            components.set_identity_resolver(SCHEME_ID, identity.clone());
        }
        StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
    }
}

/// Scheme and host, and the path.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(path)
}

/// A target below a base path; a bare base keeps its form, `/bucket` and not `/bucket/`.
fn joined(base: &str, target: &str) -> String {
    let base = base.trim_end_matches('/');
    match target.strip_prefix('/') {
        Some(rest) if !base.is_empty() && (rest.is_empty() || rest.starts_with('?')) => {
            format!("{base}{rest}")
        }
        _ => format!("{base}{target}"),
    }
}

fn http_request(draft: request::Draft) -> Result<http::Request<Vec<u8>>, String> {
    let mut builder = http::Request::builder().method(draft.method).uri(draft.target);
    for (name, value) in draft.headers {
        builder = builder.header(name, value);
    }
    builder.body(draft.body).map_err(|error| format!("the request cannot be written: {error}"))
}

/// One attempt's request: each is signed anew.
fn copy(request: &http::Request<Vec<u8>>) -> http::Request<SdkBody> {
    let mut copy = http::Request::new(SdkBody::from(request.body().clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn deserialized(
    model: &Model,
    operation: &Operation,
    response: &HttpResponse,
) -> Result<Reply, OrchestratorError<ErrorMetadata>> {
    match response::read(model, operation, response) {
        Ok(response::Read::Output(output)) => {
            Ok(Reply { output, request_id: response.request_id().map(str::to_owned) })
        }
        Ok(response::Read::Error(error)) => Err(OrchestratorError::operation(error)),
        Err(message) => Err(OrchestratorError::response(message.into())),
    }
}
