//! A small caller of the sandbox for tests: the protocol layer's client side, a person's key and no
//! real signature.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(unreachable_pub, reason = "a module of several test binaries")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::sync::Arc;

use http::{HeaderValue, Request, Response};
use piton_sandbox::protocol::client::{Answer, parse_response, write_request};
use piton_sandbox::{InProcess, Person, Sandbox, WorldSpec};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;

/// When the worlds of tests begin.
pub const START: OffsetDateTime = datetime!(2026-03-02 09:00:00 UTC);

/// An error as a caller sees it: code, message, HTTP status.
pub type Refused = (String, String, u16);

/// A sandbox in a folder that goes away with it.
pub struct Bench {
    pub sandbox: Arc<Sandbox>,
    folder: tempfile::TempDir,
}

impl Bench {
    /// A world with its two accounts and nothing in them.
    pub fn empty() -> Self {
        Self::new(&WorldSpec::default())
    }

    /// A world from the text of a `world.toml`.
    pub fn from_toml(text: &str) -> Self {
        Self::new(&WorldSpec::parse(text).unwrap())
    }

    pub fn new(spec: &WorldSpec) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&folder.path().join("world.db"), spec, START).unwrap();
        Self { sandbox: Arc::new(sandbox), folder }
    }

    /// The file, for another process's view of it.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("world.db")
    }

    /// A caller with this person's key.
    pub fn client(&self, alias: &str) -> Client {
        Client::of(&self.sandbox, &self.sandbox.person(alias).unwrap())
    }
}

/// Opens a world's file a second time.
pub fn open_again(path: &Path) -> Sandbox {
    Sandbox::open(path, &WorldSpec::default(), START).unwrap()
}

/// A caller: a key, a region and where to send.
#[derive(Clone)]
pub struct Client {
    pub sandbox: Arc<Sandbox>,
    pub access_key_id: String,
    pub token: Option<String>,
    pub region: String,
    /// Whether calls are marked as coming from this process.
    pub in_process: bool,
}

impl Client {
    pub fn of(sandbox: &Arc<Sandbox>, person: &Person) -> Self {
        Self {
            sandbox: Arc::clone(sandbox),
            access_key_id: person.access_key_id.clone(),
            token: None,
            region: person.region.clone(),
            in_process: true,
        }
    }

    /// The same sandbox with the `Credentials` member of an STS answer.
    pub fn with_credentials(&self, credentials: &Value) -> Self {
        let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
        Self {
            access_key_id: text("AccessKeyId"),
            token: Some(text("SessionToken")),
            ..self.clone()
        }
    }

    pub fn in_region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    /// Calls an operation: `client.call("iam", "CreateRole", json!({...}))`.
    #[expect(clippy::needless_pass_by_value, reason = "tests write the input where they call")]
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Result<Value, Refused> {
        let model = piton_models::service(service).unwrap();
        let operation = &model.operations[operation];
        let response = self.sandbox.handle(self.request(service, &operation.name, &input));
        match parse_response(model, operation, &response) {
            Ok(Answer::Success(output)) => Ok(output),
            Ok(Answer::Failure(error)) => Err((error.code, error.message, error.status)),
            Err(error) => panic!("{service}.{}: {error}", operation.name),
        }
    }

    /// A call that must succeed, with an answer that the model accepts.
    #[expect(clippy::needless_pass_by_value, reason = "tests write the input where they call")]
    #[track_caller]
    pub fn ask(&self, service: &str, operation: &str, input: Value) -> Value {
        let answer = match self.call(service, operation, input.clone()) {
            Ok(answer) => answer,
            Err(refused) => panic!("{operation} {input}: {refused:?}"),
        };
        let model = piton_models::service(service).unwrap();
        if let Some(output) = &model.operations[operation].output {
            let problems =
                piton_models::validate::validate(model, &output.shape, &answer, &|_| false);
            assert!(problems.is_empty(), "{operation} answers {answer}: {problems:?}");
        }
        answer
    }

    /// The code of a call that must be refused.
    #[track_caller]
    pub fn refused(&self, service: &str, operation: &str, input: Value) -> String {
        match self.call(service, operation, input) {
            Ok(answer) => panic!("{operation} succeeds: {answer}"),
            Err((code, _, _)) => code,
        }
    }

    /// The signed request of a call.
    pub fn request(&self, service: &str, operation: &str, input: &Value) -> Request<Vec<u8>> {
        let model = piton_models::service(service).unwrap();
        let operation = &model.operations[operation];
        let mut request =
            write_request(model, operation, input, "https://sandbox.example").unwrap();
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260302/{}/{}/aws4_request, SignedHeaders=host, \
             Signature=00",
            self.access_key_id,
            self.region,
            model.metadata.signing_name()
        );
        request.headers_mut().insert("authorization", HeaderValue::from_str(&scope).unwrap());
        if let Some(token) = &self.token {
            request
                .headers_mut()
                .insert("x-amz-security-token", HeaderValue::from_str(token).unwrap());
        }
        if self.in_process {
            request.extensions_mut().insert(InProcess);
        }
        request
    }

    /// Sends a request as it is.
    pub fn send(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.sandbox.handle(request)
    }
}
