//! The sandbox over loopback HTTP.
//!
//! The listener is bound to the loopback interface, and a request that was meant for another host is
//! refused: a web page could otherwise reach it under a name of its own. What a request means is the
//! sandbox's part.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::{IncomingStream, Listener};
use piton_sandbox::{ReplyLost, Sandbox};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::failure::Failure;

/// The largest request: many times what any service takes.
const REQUEST_MAX: usize = 64 << 20;

/// What is served, and where.
pub(crate) struct Served {
    pub(crate) sandbox: Sandbox,
    /// 0 takes a free one.
    pub(crate) port: u16,
}

/// Serves until Ctrl-C. `announce` gets the endpoint once it can be called.
pub(crate) async fn serve(served: Served, announce: impl FnOnce(&str)) -> Result<(), Failure> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), served.port);
    let refused = |error: io::Error| Failure::storage(format!("{address} cannot be used: {error}"));
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let endpoint = format!("http://{}", listener.local_addr().map_err(refused)?);
    let router = Router::new().fallback(answer).with_state(Arc::new(served.sandbox));
    let service = router.into_make_service_with_connect_info::<Switch>();
    announce(&endpoint);
    let server = axum::serve(Door(listener), service);
    tokio::select! {
        ended = async { server.await } => ended.map_err(refused),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(refused),
    }
}

async fn answer(
    State(sandbox): State<Arc<Sandbox>>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: Request,
) -> Result<Response, Infallible> {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    if !host.is_some_and(is_loopback) {
        let refusal = "the sandbox answers under a loopback name alone\n";
        return Ok((StatusCode::FORBIDDEN, refusal).into_response());
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_MAX).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let request = Request::from_parts(parts, body.to_vec());
    let Ok(response) = tokio::task::spawn_blocking(move || sandbox.handle(request)).await else {
        // A panic inside the sandbox is a bug; it was reported where it happened.
        return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    if response.extensions().get::<ReplyLost>().is_some() {
        switch.0.store(true, Ordering::SeqCst);
    }
    Ok(response.map(Body::from))
}

/// Whether a Host header names this machine's loopback interface.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    // Services put account ids and the like in front of their host name.
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Breaks a connection before its answer leaves.
#[derive(Clone)]
struct Switch(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Door>> for Switch {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().switch.clone()
    }
}

/// A listener whose connections can be broken.
struct Door(TcpListener);

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Line { stream, switch: Switch(Arc::default()) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One connection.
struct Line {
    stream: TcpStream,
    switch: Switch,
}

impl Line {
    fn check(&self) -> io::Result<()> {
        match self.switch.0.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_loopback_names_are_answered() {
        for host in ["localhost", "localhost:4599", "127.0.0.1:80", "[::1]:80", "a.localhost:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "127.0.0.1.example.com", "localhost.example.com:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
