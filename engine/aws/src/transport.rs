//! How requests leave: over TLS to AWS, or through a function into the sandbox.
//!
//! With the sandbox's transport nothing can leave the process, and neither environment, nor profiles,
//! nor credentials of the user are looked at.

use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource, TimeSource};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use piton_core::ports::Clock;
use piton_core::time::Span;

use crate::fence::Fenced;
use crate::retries::endless;

/// The sandbox's entrance. An answer with the status 599 and the header `x-sandbox-reply-lost` stands
/// for a connection that breaks after the call took effect.
pub type Door = Arc<dyn Fn(http::Request<Vec<u8>>) -> http::Response<Vec<u8>> + Send + Sync>;

const REPLY_LOST: &str = "x-sandbox-reply-lost";

/// What all clients share.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) http: SharedHttpClient,
    pub(crate) sleep: SharedAsyncSleep,
    pub(crate) time: SharedTimeSource,
    pub(crate) retries: RetryConfig,
    pub(crate) timeouts: TimeoutConfig,
    /// Budget of retries; nothing means the SDK's own.
    pub(crate) budget: Option<RetryPartition>,
}

impl Transport {
    /// TLS with the system's trust store.
    pub(crate) fn network(proxies: ProxyConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .operation_attempt_timeout(Duration::from_secs(90))
            .build();
        Self {
            // The SDK's own shortcut leaves proxies out.
            http: fenced(Builder::new().build_with_connector_fn(move |settings, components| {
                let mut connector = Connector::builder().proxy_config(proxies.clone());
                connector.set_connector_settings(settings.cloned());
                connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
                connector.tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build()
            })),
            sleep: SharedAsyncSleep::new(TokioSleep::new()),
            time: SharedTimeSource::new(SystemTimeSource::new()),
            retries: RetryConfig::standard().with_max_attempts(5),
            timeouts,
            budget: None,
        }
    }

    /// The sandbox, with its clock. No timeouts: an answer is there at once, and a virtual clock would
    /// let a timeout pass at once too.
    pub(crate) fn sandbox(door: Door, clock: Arc<dyn Clock>) -> Self {
        let clock = PortClock(clock);
        Self {
            http: fenced(SharedHttpClient::new(InProcessClient(door))),
            sleep: SharedAsyncSleep::new(clock.clone()),
            time: SharedTimeSource::new(clock),
            // Backoffs are random and would make a seeded world's clock another one each time: these
            // are all below a second, and `PortClock` sleeps whole ones.
            retries: RetryConfig::standard()
                .with_max_attempts(5)
                .with_initial_backoff(Duration::from_millis(1)),
            timeouts: TimeoutConfig::disabled(),
            budget: Some(endless()),
        }
    }
}

fn fenced(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(Fenced(client))
}

#[derive(Clone)]
struct InProcessClient(Door);

impl fmt::Debug for InProcessClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcessClient")
    }
}

impl HttpClient for InProcessClient {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcessClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.answer(request))
    }
}

impl InProcessClient {
    fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?
            .map(|body: SdkBody| body.bytes().map(<[u8]>::to_vec));
        let (parts, body) = request.into_parts();
        let body = body.ok_or_else(|| {
            ConnectorError::user("a streamed request cannot enter the sandbox".into())
        })?;
        let response = (self.0)(http::Request::from_parts(parts, body));
        if response.status().as_u16() == 599 && response.headers().contains_key(REPLY_LOST) {
            return Err(ConnectorError::io("the connection was closed before the answer".into()));
        }
        response
            .map(SdkBody::from)
            .try_into()
            .map_err(|error| ConnectorError::user(Box::new(error)))
    }
}

/// Core's clock as the SDK's.
#[derive(Clone)]
struct PortClock(Arc<dyn Clock>);

impl fmt::Debug for PortClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PortClock")
    }
}

impl TimeSource for PortClock {
    fn now(&self) -> SystemTime {
        let millis = u64::try_from(self.0.now().millis()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }
}

impl AsyncSleep for PortClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = Arc::clone(&self.0);
        // Whole seconds, at least one: limits are of calls a second, and virtual time costs nothing.
        let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
        let millis = seconds.max(1).saturating_mul(1000);
        let slept: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async move { clock.sleep(Span::from_millis(millis)).await });
        // The SDK asks for a future that may be shared, the port gives one that may be sent; nobody
        // polls through a shared reference, so the lock is never waited for.
        let mut slept = Mutex::new(slept);
        Sleep::new(future::poll_fn(move |context| {
            slept.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(context)
        }))
    }
}
