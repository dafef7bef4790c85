//! The two programs that are compared, each a process of its own with nothing of the surroundings: the
//! SDK behind Piton's port, and boto3. One line of JSON asks, one line answers.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, fs};

use axum::http::{Request, Response};
use piton_aws::{Account, Accounts, Aws};
use piton_core::account::AccountRef;
use piton_core::ports::{Call, Operations as _, failure_text};
use serde_json::{Value, json};

use super::recorder::Recorder;

/// Variable with the endpoint. No such host exists: the server is the proxy on the way there, so that
/// operations with a host prefix of their own arrive, too.
const ENDPOINT_VARIABLE: &str = "PITON_PARITY_ENDPOINT";
const ENDPOINT: &str = "http://parity.invalid";

/// Stack of the thread that calls, as large as that of the engine's script threads: unoptimised, the
/// SDK needs more than the usual 2 MiB to read the deepest answers of Glue.
const STACK: &str = "67108864";

/// Profile and account alias.
const NAME: &str = "parity";

const REGION: &str = "eu-west-1";

/// One program with the server it talks to.
pub(super) struct End {
    process: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    recorder: Recorder,
}

/// What came of one call.
pub(super) struct Outcome {
    /// What the program said: `output`, `error` or `skew`.
    pub(super) said: Value,
    pub(super) requests: Vec<Request<Vec<u8>>>,
}

impl End {
    /// Piton's: this test binary again, with nothing to do but [`one_line_asks_and_one_answers`].
    pub(super) fn piton(folder: &Path) -> Self {
        let mut command = bare(env::current_exe().unwrap().into_os_string());
        command.args(["--exact", "parity::ends::one_line_asks_and_one_answers", "--nocapture"]);
        command.env("RUST_MIN_STACK", STACK);
        Self::start(command, folder)
    }

    /// boto3's.
    pub(super) fn boto3(folder: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/boto.py");
        let mut command = python();
        command.arg(script);
        Self::start(command, folder)
    }

    fn start(mut command: Command, folder: &Path) -> Self {
        let recorder = Recorder::start();
        let keys = folder.join("credentials");
        let text = format!(
            "[{NAME}]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = not-a-secret\n\
             region = {REGION}\n"
        );
        fs::write(&keys, text).unwrap();
        command
            .env("HOME", folder)
            .env("AWS_SHARED_CREDENTIALS_FILE", &keys)
            .env("AWS_CONFIG_FILE", folder.join("no-such-file"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(ENDPOINT_VARIABLE, ENDPOINT)
            .env("HTTP_PROXY", recorder.address())
            .env("http_proxy", recorder.address())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, stdin, stdout, recorder }
    }

    /// Makes one call, which the server will answer so.
    pub(super) fn call(&mut self, asked: &Value, answer: Response<Vec<u8>>) -> Outcome {
        self.recorder.answer_with(answer);
        writeln!(self.stdin, "{asked}").unwrap();
        let said = loop {
            let line = self.stdout.next();
            let line = line.unwrap_or_else(|| panic!("the program ended at {asked}")).unwrap();
            // The test harness has lines of its own.
            if line.starts_with('{') {
                break serde_json::from_str(&line).unwrap();
            }
        };
        Outcome { said, requests: self.recorder.received() }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn python() -> Command {
    bare(env::var_os("PITON_PYTHON").unwrap_or_else(|| OsString::from("python3")))
}

/// A program that sees nothing of the surroundings: no proxy, no profile, no keys.
fn bare(program: OsString) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Release of boto3 that is there, or what Python says instead.
pub(super) fn boto3_version() -> Result<String, String> {
    let output = python()
        .args(["-c", "import boto3; print(boto3.__version__)"])
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Piton's program when the parity test starts it; otherwise a test of that program itself.
#[test]
fn one_line_asks_and_one_answers() {
    if let Ok(endpoint) = env::var(ENDPOINT_VARIABLE) {
        // The harness has begun a line.
        writeln!(std::io::stdout()).unwrap();
        return answer(endpoint, std::io::stdin().lock(), std::io::stdout());
    }
    let asked = json!({"script_service": "sts", "script_operation": "no_such", "input": {}});
    let mut told = Vec::new();
    answer(ENDPOINT.to_owned(), format!("{asked}\n{asked}\n").as_bytes(), &mut told);
    let told: Vec<Value> =
        told.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0]["error"].to_string().contains("no_such"), "{told:?}");
}

/// Makes the calls that the lines ask for, and writes a line about each.
fn answer(endpoint: String, lines: impl BufRead, mut told: impl Write) {
    let account = Account {
        profile: Some(NAME.to_owned()),
        region: Some(REGION.to_owned()),
        endpoint_url: Some(endpoint),
        ..Account::default()
    };
    let accounts =
        Accounts { accounts: [(NAME.to_owned(), account)].into(), ..Accounts::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let aws = runtime.block_on(Aws::network(accounts, NAME)).unwrap();
    for line in lines.lines() {
        let asked: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = |member: &str| asked[member].as_str().unwrap().to_owned();
        let call = Call {
            account: AccountRef::alias(NAME),
            service: text("script_service"),
            operation: text("script_operation"),
            input: asked["input"].clone(),
        };
        let answer = match runtime.block_on(aws.perform(&call)) {
            Ok(answer) => json!({"output": answer.output}),
            Err(failure) => json!({"error": failure_text(&failure)}),
        };
        writeln!(told, "{answer}").unwrap();
    }
}
