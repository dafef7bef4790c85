//! A home of its own for each test, and the real binary in it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
const PITON: &str = env!("CARGO_BIN_EXE_piton");

/// A home folder and a working directory that nobody else uses.
pub(crate) struct TestEnv {
    folder: TempDir,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The working directory.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The home folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// A command of the binary, with nothing of the surroundings but what it needs.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PITON);
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("PITON_HOME", self.home())
            .stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn piton(&self, arguments: &[&str]) -> Answer {
        answer(&mut self.command(arguments))
    }

    /// Runs a command line as a person would paste it.
    pub(crate) fn shell(&self, line: &str) -> Answer {
        let arguments = line.strip_prefix("piton ").expect("command lines begin with `piton`");
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("'{PITON}' {arguments}")])
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .env("PITON_HOME", self.home())
            .stdin(Stdio::null());
        answer(&mut command)
    }

    /// Runs lines of the guide in a shell, in which `piton` is the binary under test.
    pub(crate) fn script(&self, lines: &str) -> Answer {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("piton() {{ '{PITON}' \"$@\"; }}\n{lines}")])
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .env("PITON_HOME", self.home())
            .stdin(Stdio::null());
        answer(&mut command)
    }

    /// Starts a rehearsal of one of the tests' runbooks.
    pub(crate) fn rehearse(&self, name: &str, further: &[&str]) -> Answer {
        let script = runbook(name);
        let mut arguments = vec!["run", script.as_str(), "--sandbox", "--json"];
        arguments.extend(further);
        self.piton(&arguments)
    }

    /// Starts a rehearsal and leaves it going; its stdout comes line by line.
    pub(crate) fn start(&self, name: &str) -> (Child, BufReader<ChildStdout>) {
        let script = runbook(name);
        self.spawn(&["run", &script, "--sandbox", "--json"])
    }

    /// Starts a command and leaves it going; its stdout comes line by line.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        (child, stdout)
    }
}

fn answer(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Answer {
    /// The same, having ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The one document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}", self.stdout))
    }

    /// The objects on stdout, one a line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\nline: {line}"))
            })
            .collect()
    }

    /// The last line, which tells the end.
    #[track_caller]
    pub(crate) fn end(&self) -> Value {
        let lines = self.lines();
        let end = lines.last().unwrap_or_else(|| panic!("no line\nstderr:\n{}", self.stderr));
        assert_eq!(end["event"], "end");
        let ends = lines.iter().filter(|line| line["event"] == "end").count();
        assert_eq!(ends, 1, "the end is told once");
        end.clone()
    }

    /// The run that the end is about.
    #[track_caller]
    pub(crate) fn run(&self) -> String {
        text(&self.end()["run"])
    }
}

/// The path of one of the tests' runbooks.
pub(crate) fn runbook(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runbooks");
    folder.join(format!("{name}.rhai")).display().to_string()
}

/// A member that has to be a text.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Reads lines until one tells this event.
pub(crate) fn read_until(stdout: &mut BufReader<ChildStdout>, event: &str) -> Value {
    let mut line = String::new();
    loop {
        line.clear();
        let bytes = stdout.read_line(&mut line).unwrap();
        assert!(bytes > 0, "the process ended before `{event}`");
        let value: Value = serde_json::from_str(&line).unwrap();
        if value["event"] == event {
            return value;
        }
    }
}

/// What Ctrl-C sends.
pub(crate) fn interrupt(child: &Child) {
    let line = format!("kill -INT {}", child.id());
    let status = Command::new("sh").args([OsStr::new("-c"), OsStr::new(&line)]).status().unwrap();
    assert!(status.success());
}

/// Says something that the test harness does not keep for itself.
pub(crate) fn loudly(line: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}
