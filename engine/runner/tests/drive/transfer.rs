//! A run that another process takes in the middle, and runs that go to another home.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use piton_core::event::{EventKind, RunEvent};
use piton_core::gate::Verdict;
use piton_core::ports::{EventSink, Holder, Journal as _, JournalError, Lease, RunId};
use piton_core::status::RunStatus;
use piton_core::time::{Span, Timestamp};
use piton_journal::{Machine, SqliteJournal};
use piton_runner::capsule::{Capsule, CapsuleFlaw};
use piton_runner::transfer::Mover;
use piton_runner::{Engine, RunnerError};

use crate::support::{Home, start};

const TWO_CALLS: &str = r##"
runbook(#{ title: "two", accounts: #{ admin: #{ doc: "a" } } });
aws("admin").iam.create_role(#{ RoleName: "first", AssumeRolePolicyDocument: "{}" });
aws("admin").iam.create_role(#{ RoleName: "second", AssumeRolePolicyDocument: "{}" });
"##;

const GATE: &str = r##"
runbook(#{ title: "gate", accounts: #{ admin: #{ doc: "a" }, carol: #{ doc: "c" } } });
aws("admin").iam.create_role(#{ RoleName: "first", AssumeRolePolicyDocument: "{}" });
let answer = approve("go", #{ from: ["carol"] });
output("by", answer.by);
"##;

/// Takes the run when its driver is about to send a call: its intent is on disk by then.
struct Thief {
    folder: PathBuf,
    /// Name of the call.
    at: &'static str,
    stolen: Mutex<Option<Box<dyn Lease>>>,
}

impl EventSink for Thief {
    fn emit(&self, event: &RunEvent) {
        let EventKind::Calling { operation, .. } = &event.kind else { return };
        let mut stolen = self.stolen.lock().unwrap();
        if operation != self.at || stolen.is_some() {
            return;
        }
        // A machine that has run long enough for the driver to count as silent.
        let this = Machine::this();
        let uptime = Arc::clone(&this.uptime);
        let later = move || Span::from_millis(uptime().millis() + 60_000);
        let machine = Machine { uptime: Arc::new(later), ..this };
        let clock = Arc::new(|| Timestamp::from_millis(0));
        let journal = SqliteJournal::open_on(&self.folder, clock, machine).unwrap();
        let us = Holder { host: "test".to_owned(), pid: 1, since: Timestamp::from_millis(0) };
        *stolen = Some(journal.acquire(&event.run, &us).unwrap());
    }
}

#[test]
fn a_run_that_was_taken_before_a_send_sends_nothing() {
    let home = Home::new();
    let mut engine = home.process();
    let at = "create_role";
    let thief = Thief { folder: home.folder().to_owned(), at, stolen: Mutex::default() };
    engine.ports.events = Arc::new(thief);
    let (run, driven) = start(&engine, TWO_CALLS, &[]);
    match driven {
        Err(RunnerError::Journal(JournalError::LeaseLost(lost))) => assert_eq!(lost, run.0),
        other => panic!("it went on: {other:?}"),
    }
    assert_eq!(home.cloud.calls("create_role"), 0, "a call was sent after the run was taken");
    drop(engine);
    // Whoever took it settles the call that was never sent, and makes each role once.
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.calls("create_role"), 2);
}

/// Packs, hands over and takes in, as `of` would.
fn mover<'a>(of: &'a Engine) -> Mover<'a> {
    Mover {
        journal: of.ports.journal.as_ref(),
        key: &of.sealing_key,
        entropy: of.ports.entropy.as_ref(),
        holder: &of.holder,
        now: Timestamp::from_millis(0),
    }
}

fn at_its_gate(home: &Home) -> RunId {
    let (run, driven) = home.start(GATE);
    assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
    run
}

fn packed(engine: &Engine, run: &RunId, hand_over: bool) -> Vec<u8> {
    let mover = mover(engine);
    let id = hand_over.then(|| mover.hand_over(run).unwrap());
    let mut bytes = Vec::new();
    mover.pack(run, id, None).unwrap().write(&mut bytes).unwrap();
    bytes
}

#[test]
fn every_changed_byte_of_a_capsule_is_found() {
    let home = Home::new();
    let run = at_its_gate(&home);
    let good = packed(&home.process(), &run, true);
    assert_eq!(Capsule::read(&good).unwrap().header.run, run);
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert!(Capsule::read(&changed).is_err(), "byte {at} may be another one");
    }
    for length in 0..good.len() {
        let cut = Capsule::read(&good[..length]);
        assert!(
            matches!(
                cut,
                Err(CapsuleFlaw::CutOff | CapsuleFlaw::NotOne | CapsuleFlaw::Line { .. })
            ),
            "{length} bytes of it will do"
        );
    }
}

#[test]
fn a_driven_run_is_not_handed_over() {
    let home = Home::new();
    let run = at_its_gate(&home);
    let engine = home.process();
    let lease = engine.ports.journal.acquire(&run, &engine.holder).unwrap();
    let other = home.process();
    let refused = mover(&other).hand_over(&run);
    assert!(matches!(refused, Err(RunnerError::Journal(JournalError::Held { .. }))));
    drop(lease);
    let id = mover(&other).hand_over(&run).unwrap();
    assert_eq!(mover(&other).hand_over(&run).unwrap(), id, "a second time is the same");
    let refused = home.process().resume(&run, &crate::support::plain()).err();
    assert_eq!(refused.map(|error| error.exit_code()), Some(8));
}

/// A chain that goes on in another home is the same chain.
#[test]
fn the_chain_goes_on_in_the_other_home() {
    let (here, there) = (Home::new(), Home::new());
    let run = at_its_gate(&here);
    here.decide(&run, "carol", Verdict::Approve).unwrap();
    let capsule = Capsule::read(&packed(&here.process(), &run, true)).unwrap();
    mover(&there.process()).take_over(capsule, &[]).unwrap();
    let end = there.resume(&run).end;
    assert_eq!(end.status, RunStatus::Succeeded, "{:?}", end.error);
    let (before, after) = (here.entries(&run), there.entries(&run));
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(there.process().ports.journal.verify(&run), Ok(None));
    assert_eq!(there.cloud.calls("create_role"), 0, "nothing is done twice");
}
