//! A server on loopback that writes down what it is sent and answers as it was told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// The server; it ends when this is dropped.
pub(super) struct Recorder {
    address: String,
    desk: Arc<Mutex<Desk>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Desk {
    answer: Response<Vec<u8>>,
    received: Vec<Request<Vec<u8>>>,
}

impl Recorder {
    pub(super) fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::new(Mutex::new(Desk::default()));
        let app = Router::new().fallback(record).with_state(Arc::clone(&desk));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, desk, _runtime: runtime }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What everybody who asks from now on is answered.
    pub(super) fn answer_with(&self, answer: Response<Vec<u8>>) {
        self.desk.lock().unwrap().answer = answer;
    }

    /// The requests since the last time.
    pub(super) fn received(&self) -> Vec<Request<Vec<u8>>> {
        std::mem::take(&mut self.desk.lock().unwrap().received)
    }
}

async fn record(State(desk): State<Arc<Mutex<Desk>>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let mut desk = desk.lock().unwrap();
    desk.received.push(Request::from_parts(parts, body));
    desk.answer.clone().map(Body::from)
}
