//! Whether a request may still leave. Between two attempts of the SDK another process may have taken
//! the run, while this one was stopped: what it then still sent would be done twice.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use piton_core::ports::MaySend;

tokio::task_local! {
    /// Asked before each request of the call that is being made; without it, all may leave.
    static MAY_SEND: MaySend;
}

/// Makes a call whose every request asks first.
pub(crate) async fn within<T>(may_send: MaySend, call: impl Future<Output = T>) -> T {
    MAY_SEND.scope(may_send, call).await
}

/// A client whose requests ask before they leave.
#[derive(Debug)]
pub(crate) struct Fenced(pub(crate) SharedHttpClient);

impl HttpClient for Fenced {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(FencedConnector(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct FencedConnector(SharedHttpConnector);

impl HttpConnector for FencedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match MAY_SEND.try_with(|may_send| may_send()) {
            Ok(false) => HttpConnectorFuture::ready(Err(ConnectorError::user(
                "another process took over the run, and nothing was sent".into(),
            ))),
            Ok(true) | Err(_) => self.0.call(request),
        }
    }
}
