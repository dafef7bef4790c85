//! What the benchmarks share: the whole engine over a home, with an AWS that does nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use piton_core::account::{AccountRef, Principal};
use piton_core::event::RunEvent;
use piton_core::key::Key;
use piton_core::ports::{
    Answer, Call, CallFailure, CallPreview, Clock, Entropy, EventSink, Holder, IdentifyError,
    OpenGate, Operations, Pending, Person, RunId,
};
use piton_core::time::{Span, Timestamp};
use piton_journal::SqliteJournal;
use piton_runner::vault::SealingKey;
use piton_runner::{Engine, Interrupt, Options, Ports, Start, new_run_id};
use piton_script::Program;
use piton_script::params::{self, Bound};
use serde_json::json;

/// A start of a program without parameters, against AWS as [`Nothing`] is one.
pub(crate) fn start_of(engine: &Engine, program: Program) -> Start {
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

/// Options that say nothing.
pub(crate) fn options() -> Options {
    Options { wait_limit: None, step_mode: false }
}

/// An engine of a home, with an AWS that does nothing.
pub(crate) fn engine(runtime: &tokio::runtime::Runtime, home: &Path) -> Engine {
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
