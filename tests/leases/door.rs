//! A door between processes and a served sandbox, which holds the answer to one kind of call back.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Nothing that the tests wait for takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is AWS's answer when it asks for patience.
const THROTTLED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>\
    <Message>Rate exceeded</Message></Error><RequestId>held</RequestId></ErrorResponse>";

/// Which call is held, by a text in its request.
#[derive(Clone, Copy)]
pub(super) enum Hold {
    /// It has its effect, and its answer is held.
    Answer(&'static str),
    /// It has none: what is held is an answer that asks to send it again.
    Throttle(&'static str),
}

/// See the module.
pub(super) struct Door {
    endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    hold: Hold,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The next such call is held.
    is_armed: bool,
    is_holding: bool,
    /// Requests that came.
    passed: usize,
}

impl Door {
    /// A door before an endpoint.
    pub(super) fn before(endpoint: &str, hold: Hold) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let state = Mutex::new(State { is_armed: true, is_holding: false, passed: 0 });
        let shared = Arc::new(Shared { upstream, hold, state, changed: Condvar::new() });
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let entrance = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&entrance);
                // A process that is killed closes in the middle of an answer.
                std::thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Self { endpoint, shared }
    }

    pub(super) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Returns when an answer is held.
    pub(super) fn wait_until_held(&self) {
        drop(self.shared.wait(|state| state.is_holding));
    }

    /// Lets the held answer go, and holds no other.
    pub(super) fn release(&self) {
        let mut state = self.shared.state.lock().unwrap();
        (state.is_armed, state.is_holding) = (false, false);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Holds the next such call again.
    pub(super) fn hold(&self) {
        self.shared.state.lock().unwrap().is_armed = true;
    }

    /// How many requests came so far.
    pub(super) fn passed(&self) -> usize {
        self.shared.state.lock().unwrap().passed
    }
}

impl Shared {
    fn wait(&self, until: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !until(state));
        let (state, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "what the door waits for does not come");
        state
    }

    /// One connection: requests and answers in turn.
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut requests = BufReader::new(client.try_clone()?);
        let mut upstream = TcpStream::connect(&self.upstream)?;
        let mut answers = BufReader::new(upstream.try_clone()?);
        while let Some(request) = message(&mut requests)? {
            self.state.lock().unwrap().passed += 1;
            let answer = match self.hold {
                Hold::Throttle(text) if self.is_held(&request, text) => throttled(),
                Hold::Throttle(_) => self.pass(&request, &mut upstream, &mut answers)?,
                Hold::Answer(text) => {
                    let answer = self.pass(&request, &mut upstream, &mut answers)?;
                    self.is_held(&request, text);
                    answer
                }
            };
            client.write_all(&answer)?;
        }
        Ok(())
    }

    fn pass(
        &self,
        request: &[u8],
        upstream: &mut TcpStream,
        answers: &mut BufReader<TcpStream>,
    ) -> io::Result<Vec<u8>> {
        upstream.write_all(request)?;
        message(answers)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Whether this is the call to be held; returns when it no longer is.
    fn is_held(&self, request: &[u8], text: &str) -> bool {
        let mut state = self.state.lock().unwrap();
        if !state.is_armed || !String::from_utf8_lossy(request).contains(text) {
            return false;
        }
        (state.is_armed, state.is_holding) = (false, true);
        drop(state);
        self.changed.notify_all();
        drop(self.wait(|state| !state.is_holding));
        true
    }
}

fn throttled() -> Vec<u8> {
    let length = THROTTLED.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\r\n\
         {THROTTLED}"
    )
    .into_bytes()
}

/// A request or an answer with its body; nothing at the end of the connection.
fn message(from: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut whole = Vec::new();
    let mut length = 0;
    loop {
        let start = whole.len();
        if from.read_until(b'\n', &mut whole)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&whole[start..]).to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let head = whole.len();
    whole.resize(head + length, 0);
    from.read_exact(&mut whole[head..])?;
    Ok(Some(whole))
}
