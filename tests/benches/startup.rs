//! How long the program takes to start, to make its first sandbox call, and to reach the first gate
//! of `pfizer_poc`: whole processes, medians, beside the cost of starting a process that does
//! nothing. `cargo bench --bench startup`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops and prints")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TIMES: usize = 15;

fn main() {
    let piton = env!("CARGO_BIN_EXE_piton");
    let home = tempfile::tempdir().unwrap();
    let one_call = home.path().join("one_call.rhai");
    let text = "runbook(#{ title: \"one call\", accounts: #{ admin: #{ doc: \"x\" } } });\n\
                aws(\"admin\").iam.list_users();\n";
    std::fs::write(&one_call, text).unwrap();
    let one_call = one_call.display().to_string();
    let report = |name: &str, median: Duration, floor: Duration| {
        let ratio = median.as_secs_f64() / floor.as_secs_f64();
        println!("{name}: {:.1} ms, {ratio:.1} x an empty process", median.as_secs_f64() * 1000.0);
    };
    let floor = median(|| run("true", &[], home.path()));
    report("an empty process", floor, floor);
    report("piton --version", median(|| run(piton, &["--version"], home.path())), floor);
    let call = median(|| run(piton, &["run", &one_call, "--sandbox"], home.path()));
    report("process start to the end of one sandbox call", call, floor);
    let gate = median(|| run(piton, &["run", "pfizer_poc", "--sandbox"], home.path()));
    report("pfizer_poc --sandbox to its first gate", gate, floor);
    let size = std::fs::metadata(piton).unwrap().len();
    println!("size of the binary: {:.1} MB", size as f64 / 1e6);
}

fn run(program: &str, arguments: &[&str], home: &Path) -> Duration {
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .env("PITON_HOME", home.join("home"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let elapsed = start.elapsed();
    assert!(matches!(status.code(), Some(0 | 3)), "{program} {arguments:?} ended with {status}");
    elapsed
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..TIMES).map(|_| measure()).collect();
    all.sort();
    all[TIMES / 2]
}
