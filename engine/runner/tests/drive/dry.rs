//! Dry replays: what they find is what a resume does, and they do nothing.

use std::sync::Arc;

use piton_core::gate::Verdict;
use piton_core::ports::{ProgramFile, RunId};
use piton_core::status::{Reason, RunStatus};
use piton_runner::dry::{self, DryEnd, Look, Next, Question, Replay};
use piton_runner::edit::Edit;
use piton_runner::{Engine, Resume};
use piton_script::Program;

use crate::crash::mechanisms;
use crate::support::{Boundary, Home, Killer, Trouble, plain, script, start};

fn question(run: &RunId) -> Question {
    Question { run: run.clone(), program: None, retry: false, accept: false }
}

fn replay(engine: &Engine, question: &Question) -> Replay {
    let look = Look {
        journal: Arc::clone(&engine.ports.journal),
        sealing_key: engine.sealing_key.clone(),
        runtime: engine.runtime.clone(),
    };
    dry::replay(&look, question).unwrap()
}

fn program(text: String) -> Program {
    let file = ProgramFile { path: "test.rhai".to_owned(), text };
    Program::from_files("test", vec![file]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The key of the first entry with one that was made after a position.
fn first_key_after(home: &Home, run: &RunId, last: u64) -> Option<String> {
    let entries = home.entries(run);
    let later =
        entries.iter().filter(|stored| stored.seq > last && stored.entry.body.is_compared());
    let kinds = |stored: &&piton_core::entry::StoredEntry| {
        !matches!(stored.entry.body.kind(), "step_opened" | "step_closed")
    };
    let first = later.into_iter().find(kinds)?;
    first.entry.key.as_ref().map(|key| key.as_str().to_owned())
}

/// Killed wherever it may be, the run does next what the dry replay said, and the dry replay itself
/// leaves journal and AWS as they were.
#[test]
fn what_a_dry_replay_finds_comes_next_wherever_the_run_was_killed() {
    let mut looked = 0;
    for boundary in [Boundary::BeforeAppend, Boundary::AfterAppend, Boundary::AfterEffect] {
        for count in 1..40 {
            let home = Home::new();
            let killer = Killer::at(boundary, count);
            let (run, driven) = start(&home.fragile_process(&killer), &mechanisms(), &[]);
            drop(driven);
            if !killer.has_killed() {
                break;
            }
            let engine = home.process();
            let (bytes, calls) = (home.bytes(), home.cloud.received.lock().unwrap().len());
            let row = engine.ports.journal.find(&run.0).unwrap();
            let found = replay(&engine, &question(&run));
            assert_eq!(found.end, DryEnd::Reaches, "{boundary:?} {count}");
            assert_eq!(found.matched, found.recorded, "{boundary:?} {count}");
            assert!(bytes == home.bytes(), "the journal has other bytes");
            assert_eq!(home.cloud.received.lock().unwrap().len(), calls);
            let [reached] = &found.reached[..] else { panic!("{found:?}") };
            home.resume(&run);
            let next = first_key_after(&home, &run, row.head.seq);
            let waits = matches!(reached.next, Next::Gate { opened_at: Some(_), .. });
            let key = reached.key.as_ref().map(|key| key.as_str().to_owned());
            assert!(waits || next == key, "{boundary:?} {count}: {next:?} is not {reached:?}");
            looked += 1;
        }
    }
    assert!(looked > 15, "{looked}");
}

#[test]
fn a_call_is_told_with_its_operation_and_its_line() {
    let home = Home::new();
    home.cloud.trouble("get_role", Trouble::Expire);
    let body = "aws(\"admin\").iam.list_users();\n\
                aws(\"admin\").iam.get_role(#{ RoleName: \"R\" });";
    let (run, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
    let found = replay(&home.process(), &question(&run));
    let [reached] = &found.reached[..] else { panic!("{found:?}") };
    let Next::Call { operation, input, .. } = &reached.next else { panic!("{reached:?}") };
    assert_eq!((operation.as_str(), &input["RoleName"]), ("get_role", &"R".into()));
    assert_eq!(reached.place.as_ref().map(|place| place.line), Some(3));
    assert_eq!(home.cloud.calls("get_role"), 0);
}

#[test]
fn a_retry_is_looked_at_dry_too() {
    let home = Home::new();
    home.cloud.trouble("create_role", Trouble::Refuse("LimitExceeded"));
    let body =
        "aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" });";
    let (run, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Failed);
    let engine = home.process();
    let again = Question { retry: true, ..question(&run) };
    let found = replay(&engine, &again);
    assert!(matches!(found.reached[0].next, Next::Call { .. }), "{found:?}");
    assert!(matches!(replay(&engine, &question(&run)).end, DryEnd::Refused { .. }));
    assert_eq!(home.cloud.calls("create_role"), 0);
}

#[test]
fn a_rollback_is_looked_at_dry_too() {
    let home = Home::new();
    let body =
        "aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" });";
    let (source, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    home.cloud.trouble("delete_role", Trouble::Refuse("DeleteConflict"));
    home.cloud.trouble("delete_role", Trouble::Refuse("AccessDenied"));
    let run = piton_runner::new_run_id(home.process().ports.entropy.as_ref());
    let back = piton_runner::TakeBack {
        source,
        run: run.clone(),
        requester: None,
        labels: Vec::new(),
        options: plain().options,
    };
    let driven = home.process().rollback(&back).unwrap();
    assert_eq!(driven.end.status, RunStatus::Stuck, "{:?}", driven.end);
    let calls = home.cloud.received.lock().unwrap().len();
    let found = replay(&home.process(), &question(&run));
    assert!(matches!(found.reached[0].next, Next::Call { .. }), "{found:?}");
    assert_eq!(home.cloud.received.lock().unwrap().len(), calls);
}

#[test]
fn a_run_that_is_driven_is_looked_at_as_far_as_it_is() {
    let home = Home::new();
    let (run, driven) = home.start(&mechanisms());
    assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
    let engine = home.process();
    let lease = engine.ports.journal.acquire(&run, &engine.holder).unwrap();
    let found = replay(&home.process(), &question(&run));
    assert!(matches!(found.reached[0].next, Next::Gate { opened_at: Some(_), .. }), "{found:?}");
    drop(lease);
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    // A decision is no entry: what a dry replay finds does not depend on it.
    assert_eq!(replay(&home.process(), &question(&run)), found);
}

#[test]
fn an_edited_script_that_fits_goes_on_and_survives_every_kill() {
    let edited = mechanisms().replace("RoleName: \"R2\"", "RoleName: \"R3\"");
    let mut killed = 0;
    for boundary in [Boundary::BeforeAppend, Boundary::AfterAppend, Boundary::AfterEffect] {
        for count in 0..20 {
            let home = Home::new();
            let (run, driven) = home.start(&mechanisms());
            assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
            let edit =
                Edit { program: program(edited.clone()), source: None, by: None, accept: false };
            let killer = Killer::at(boundary, count);
            let process = home.fragile_process(&killer);
            let first = process.resume_edited(&run, &plain(), &edit);
            drop(first);
            if killer.has_killed() {
                killed += 1;
                home.process().resume_edited(&run, &plain(), &edit).unwrap();
            }
            home.decide(&run, "carol", Verdict::Approve).unwrap();
            let end = home.resume(&run).end;
            assert_eq!(end.status, RunStatus::Succeeded, "{boundary:?} {count}: {:?}", end.error);
            let things = home.cloud.things.lock().unwrap();
            assert!(things.contains_key("role/R3") && !things.contains_key("role/R2"));
            drop(things);
            assert_eq!(home.cloud.effects("create_role"), 2);
            assert_eq!(home.process().ports.journal.verify(&run).unwrap(), None);
            if !killer.has_killed() {
                break;
            }
        }
    }
    assert!(killed > 3, "{killed}");
}

#[test]
fn a_script_that_stops_at_a_mismatch_goes_on_with_one_that_fits() {
    let home = Home::new();
    let (run, driven) = home.start(&mechanisms());
    assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
    let other = program(mechanisms().replace("RoleName: \"R\"", "RoleName: \"Q\""));
    let edit = Edit { program: other, source: None, by: None, accept: true };
    let refused = home.process().resume_edited(&run, &plain(), &edit).unwrap_err();
    assert_eq!(refused.exit_code(), 7);
    let row = home.process().ports.journal.find(&run.0).unwrap();
    assert_eq!((row.summary.status, row.holder), (RunStatus::Suspended, None));
    assert!(matches!(row.summary.reason, Some(Reason::Gates)));
    let retry = Resume { retry: true, ..plain() };
    let same = Edit { program: program(mechanisms()), ..edit };
    let driven = home.process().resume_edited(&run, &retry, &same).unwrap();
    assert_eq!(driven.end.status, RunStatus::Suspended);
}
