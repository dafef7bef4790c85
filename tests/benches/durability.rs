//! How fast runs are made durable and replayed, as ratios against floors of the same run.
//!
//! `cargo bench --bench durability` prints: mutating steps per second through the whole engine with
//! an operation that does nothing, against a loop over SQLite alone that commits the same number of
//! rows with the same settings; then how fast a run of 100,000 entries is answered from its
//! journal, and what memory that takes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops and prints")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use piton_core::account::{AccountRef, Principal};
use piton_core::event::RunEvent;
use piton_core::key::Key;
use piton_core::ports::{
    Answer, Call, CallFailure, CallPreview, Clock, Entropy, EventSink, Holder, IdentifyError,
    OpenGate, Operations, Pending, Person, ProgramFile, RunId,
};
use piton_core::status::RunStatus;
use piton_core::time::{Span, Timestamp};
use piton_journal::SqliteJournal;
use piton_runner::vault::SealingKey;
use piton_runner::{Engine, Interrupt, Options, Ports, Resume, Start, new_run_id};
use piton_script::Program;
use piton_script::params::{self, Bound};
use serde_json::json;

const STEPS: usize = 2_000;
const ROUNDS: usize = 5;
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
    println!("  median ratio {:.2}", ratios[ROUNDS / 2]);
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
    let program = program(REPLAYED_STEPS, "approve(\"end\", #{});");
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
             aws(\"admin\").iam.tag_role(#{{ RoleName: `role-${{i}}`, Tags: [#{{ Key: \"purpose\", Value: \"a value of some length\" }}] }});
         }}
         {end}"
    );
    let file = ProgramFile { path: "bench.rhai".to_owned(), text };
    Program::from_files("bench", vec![file]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn start_of(engine: &Engine, program: Program) -> Start {
    let params: Bound = params::bind(program.declaration(), &[], true)
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    Start {
        run: new_run_id(engine.ports.entropy.as_ref()),
        program,
        source: None,
        params,
        name: None,
        labels: Vec::new(),
        world: None,
        requester: None,
        options: options(),
    }
}

fn options() -> Options {
    Options { wait_limit: None, step_mode: false }
}

fn engine(runtime: &tokio::runtime::Runtime, home: &Path) -> Engine {
    let journal = SqliteJournal::open(home, Arc::new(|| Machine.now())).unwrap();
    Engine {
        ports: Ports {
            journal: Arc::new(journal),
            operations: Arc::new(Nothing),
            clock: Arc::new(Machine),
            entropy: Arc::new(Machine),
            events: Arc::new(Nobody),
            person: Arc::new(Nobody),
        },
        sealing_key: SealingKey::new([7; 32]),
        holder: Holder { host: "bench".to_owned(), pid: std::process::id(), since: Machine.now() },
        runtime: runtime.handle().clone(),
        interrupt: Interrupt::default(),
    }
}

/// An AWS that accepts everything and does nothing.
struct Nothing;

impl Operations for Nothing {
    fn perform<'a>(&'a self, _: &'a Call) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(async { Ok(Answer { output: json!({}), request_id: Some("r".to_owned()) }) })
    }

    fn identify<'a>(&'a self, _: &'a AccountRef) -> Pending<'a, Result<Principal, IdentifyError>> {
        Box::pin(async {
            Ok(Principal {
                account: "111111111111".to_owned(),
                arn: "arn:aws:iam::111111111111:user/bench".to_owned(),
                region: "eu-west-1".to_owned(),
            })
        })
    }

    fn region(&self, _: &AccountRef) -> Option<String> {
        Some("eu-west-1".to_owned())
    }
}

/// The machine's clock and chance.
struct Machine;

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(since.as_millis() as i64)
    }

    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(span.millis())))
    }

    fn is_virtual(&self) -> bool {
        false
    }
}

impl Entropy for Machine {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap();
    }
}

/// Nobody follows and nobody decides.
struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: &RunEvent) {}
}

impl Person for Nobody {
    fn decide(&self, _: &RunId, _: &OpenGate) -> Option<piton_core::gate::Decision> {
        None
    }

    fn confirm_call(&self, _: &Key, _: &CallPreview) -> bool {
        true
    }
}
