//! How fast runs are made durable and replayed, as ratios against floors of the same run.
//!
//! `cargo bench --bench durability` prints: mutating steps per second through the whole engine with
//! an operation that does nothing (one call, nothing looked up before it), against a loop over SQLite
//! alone that commits the same number of rows with the same settings; then how fast a run of 100,000
//! entries is answered from its journal, and what memory that takes. `PITON_BENCH_STEPS=500000` measures a run of a million.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops and prints")]

mod support;

use std::time::{Duration, Instant};

use piton_core::ports::ProgramFile;
use piton_core::status::RunStatus;
use piton_runner::Resume;
use piton_script::Program;
use support::{engine, options, start_of};

const STEPS: usize = 2_000;
const ROUNDS: usize = 15;
/// Steps of the run that is replayed, unless the surroundings say another number.
const REPLAYED_STEPS: usize = 50_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut ratios = Vec::new();
    println!("durable mutating steps, {STEPS} a round");
    for round in 1..=ROUNDS {
        let floor = sqlite_alone();
        let engine = whole_engine(&runtime, STEPS);
        let ratio = engine / floor;
        println!(
            "  round {round}: engine {engine:.0}/s, SQLite alone {floor:.0}/s, ratio {ratio:.2}"
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let quarter = ROUNDS / 4;
    println!(
        "  median ratio {:.2}, half of them from {:.2} to {:.2}",
        ratios[ROUNDS / 2],
        ratios[quarter],
        ratios[ROUNDS - 1 - quarter]
    );
    replay(&runtime);
}

/// Commits of one row pair each, with the journal's settings and about its row size.
fn sqlite_alone() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = rusqlite::Connection::open(folder.path().join("floor.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE rows (seq INTEGER PRIMARY KEY, key TEXT, body TEXT);",
        )
        .unwrap();
    let body = "x".repeat(230);
    let start = Instant::now();
    for step in 0..STEPS {
        let transaction = connection.transaction().unwrap();
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO rows (key, body) VALUES (?1, ?2)").unwrap();
            let key = format!("#{step}");
            insert.execute((&key, &body)).unwrap();
            insert.execute((&key, &body)).unwrap();
        }
        transaction.commit().unwrap();
    }
    per_second(STEPS, start.elapsed())
}

fn whole_engine(runtime: &tokio::runtime::Runtime, steps: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(runtime, folder.path());
    let program = program(steps, "");
    let start = Instant::now();
    let driven = engine.start(start_of(&engine, program)).unwrap();
    let elapsed = start.elapsed();
    assert_eq!(driven.end.status, RunStatus::Succeeded, "{:?}", driven.end.error);
    per_second(steps, elapsed)
}

fn replay(runtime: &tokio::runtime::Runtime) {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(runtime, folder.path());
    // The gate at the end makes a resume answer everything before it from the journal.
    let steps = std::env::var("PITON_BENCH_STEPS").ok().and_then(|steps| steps.parse().ok());
    let program = program(steps.unwrap_or(REPLAYED_STEPS), "approve(\"end\", #{});");
    let driven = engine.start(start_of(&engine, program)).unwrap();
    assert_eq!(driven.end.status, RunStatus::Suspended, "{:?}", driven.end.error);
    let entries = engine.ports.journal.find(&driven.run.0).unwrap().head.seq;
    for round in 1..=3 {
        let before = resident_kib();
        let resume = Resume { retry: false, rebind: Vec::new(), options: options() };
        let start = Instant::now();
        let again = engine.resume(&driven.run, &resume).unwrap();
        let elapsed = start.elapsed();
        assert_eq!(again.end.status, RunStatus::Suspended);
        println!(
            "replay round {round}: {entries} entries, {:.0} entries/s, {} KiB more resident memory",
            per_second(entries as usize, elapsed),
            resident_kib().saturating_sub(before)
        );
    }
}

fn per_second(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn program(steps: usize, end: &str) -> Program {
    let text = format!(
        "runbook(#{{ title: \"bench\", accounts: #{{ admin: #{{ doc: \"anybody\" }} }} }});
         for i in 0..{steps} {{
             aws(\"admin\").datazone.create_project(#{{ domainIdentifier: \"dzd_5example1\", name: `project-${{i}}`, description: \"a text of some length\" }});
         }}
         {end}"
    );
    let file = ProgramFile { path: "bench.rhai".to_owned(), text };
    Program::from_files("bench", vec![file]).unwrap_or_else(|problems| panic!("{problems:?}"))
}
