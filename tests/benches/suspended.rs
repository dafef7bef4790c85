//! How long `ls`, `inbox` and `doctor` take in a home with 1,000 suspended runs: whole processes,
//! medians, beside the start of the process. `cargo bench --bench suspended`.
//!
//! Each run made six calls and waits at a gate. They are made through the library, in this process.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops and prints")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use piton_core::ports::ProgramFile;
use piton_core::status::RunStatus;
use piton_script::Program;
use support::{engine, start_of};

const RUNS: usize = 1_000;
const TIMES: usize = 11;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("piton.toml"), "[accounts.admin]\nprofile = \"x\"\n")
        .unwrap();
    let home = folder.path().join("home");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let started = Instant::now();
    {
        let engine = engine(&runtime, &home);
        let program = program();
        for _ in 0..RUNS {
            let driven = engine.start(start_of(&engine, program.clone())).unwrap();
            assert_eq!(driven.end.status, RunStatus::Suspended, "{:?}", driven.end.error);
        }
    }
    let key = home.join("secret.key");
    std::fs::write(&key, [7; 32]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    println!("{RUNS} suspended runs made in {:.1} s", started.elapsed().as_secs_f64());
    let once = |arguments: &[&str]| run(arguments, folder.path(), &home);
    let report = |arguments: &[&str]| {
        let median = median(|| once(arguments));
        println!("piton {}: {:.0} ms", arguments.join(" "), median.as_secs_f64() * 1000.0);
    };
    report(&["--version"]);
    println!("first doctor, which replays: {:.0} ms", once(&["doctor"]).as_secs_f64() * 1000.0);
    for command in ["ls", "inbox", "doctor"] {
        report(&[command]);
        report(&[command, "--json"]);
    }
    let again = once(&["doctor", "--replay"]).as_secs_f64();
    println!("piton doctor --replay: {:.0} ms, {:.1} ms a run", again * 1000.0, again);
}

fn program() -> Program {
    let text = "runbook(#{ title: \"bench\", accounts: #{ admin: #{ doc: \"anybody\" } } });
        for name in [\"a\", \"b\", \"c\"] {
            step(\"role \" + name, || {
                aws(\"admin\").iam.tag_role(#{ RoleName: name, Tags: [#{ Key: \"purpose\", Value: \"bench\" }] });
                aws(\"admin\").iam.list_users();
            });
        }
        approve(\"go\", #{ show: #{ what: \"access\", tables: [\"sales\", \"returns\"] }, from: [\"admin\"], expires: \"7d\", on_expire: \"reject\" });";
    let file = ProgramFile { path: "bench.rhai".to_owned(), text: text.to_owned() };
    Program::from_files("bench", vec![file]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn run(arguments: &[&str], folder: &Path, home: &Path) -> Duration {
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_piton"))
        .args(arguments)
        .current_dir(folder)
        .env("PITON_HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let elapsed = start.elapsed();
    assert!(status.success(), "{arguments:?} ended with {status}");
    elapsed
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..TIMES).map(|_| measure()).collect();
    all.sort();
    all[TIMES / 2]
}
