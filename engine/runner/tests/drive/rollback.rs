//! Taking runs back: after their end, half-way, and through every crash.

use piton_core::diagnostic::Code;
use piton_core::entry::{Settled, Settlement};
use piton_core::gate::Verdict;
use piton_core::key::Key;
use piton_core::ports::{Mail, RunId};
use piton_core::status::{Reason, RunStatus};
use piton_runner::{Driven, Engine, Options, RunnerError, TakeBack, new_run_id};
use serde_json::json;

use crate::support::{Boundary, Home, Killer, Trouble, plain, script, start};

/// Every kind of thing that is taken back: made, replaced, tagged, told by the script.
fn makes_things() -> String {
    script(
        r##"
        let admin = aws("admin");
        step("role", || {
            admin.iam.create_role(#{ RoleName: "R", AssumeRolePolicyDocument: "{}" });
            admin.iam.tag_role(#{ RoleName: "R", Tags: [#{ Key: "k", Value: "v" }] });
        });
        step("secret", || {
            admin.secretsmanager.create_secret(#{ Name: "vault", SecretString: "hunter2hunter2" });
        });
        let made = admin.iam.create_role(#{ RoleName: "R2", AssumeRolePolicyDocument: "{}" });
        undo(|| admin.iam.delete_role(#{ RoleName: made.Role.RoleName }));
        "##,
    )
}

const REMOVALS: [&str; 3] = ["delete_role", "untag_role", "delete_secret"];

fn take_back(engine: &Engine, source: &RunId) -> Result<Driven, RunnerError> {
    engine.rollback(&TakeBack {
        source: source.clone(),
        run: new_run_id(engine.ports.entropy.as_ref()),
        requester: None,
        labels: Vec::new(),
        options: Options { wait_limit: None, step_mode: false },
    })
}

fn status(home: &Home, run: &RunId) -> RunStatus {
    home.process().ports.journal.find(&run.0).unwrap().status()
}

fn things(home: &Home) -> Vec<String> {
    home.cloud.things.lock().unwrap().keys().cloned().collect()
}

/// A run that came to its end.
fn done(home: &Home) -> RunId {
    let (run, driven) = home.start(&makes_things());
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    assert_eq!(things(home).len(), 4);
    run
}

#[test]
fn what_a_run_made_is_gone_and_both_runs_say_so() {
    let home = Home::new();
    let source = done(&home);
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(things(&home), Vec::<String>::new());
    assert_eq!(REMOVALS.map(|operation| home.cloud.effects(operation)), [2, 1, 1]);
    assert_eq!(status(&home, &source), RunStatus::Compensated);
    let row = home.process().ports.journal.find(&source.0).unwrap();
    assert_eq!(row.summary.rolled_back_by, Some(driven.run.clone()));
    // Asked again, it repeats its end and sends nothing.
    let calls = home.cloud.received.lock().unwrap().len();
    let again = take_back(&home.process(), &source).unwrap();
    assert_eq!((again.run, again.end.status), (driven.run, RunStatus::Compensated));
    assert_eq!(home.cloud.received.lock().unwrap().len(), calls);
}

#[test]
fn a_rollback_killed_at_any_boundary_ends_as_if_nothing_had_happened() {
    let mut kills = 0;
    for boundary in [
        Boundary::BeforeAppend,
        Boundary::AfterAppend,
        Boundary::BeforeEffect,
        Boundary::AfterEffect,
    ] {
        for count in 0.. {
            let home = Home::new();
            let source = done(&home);
            let killer = Killer::at(boundary, count);
            let ended = take_back(&home.fragile_process(&killer), &source);
            if !killer.has_killed() {
                assert_eq!(ended.unwrap().end.status, RunStatus::Compensated);
                break;
            }
            kills += 1;
            let driven = take_back(&home.process(), &source).unwrap();
            let place = format!("killed at {boundary:?} {count}");
            assert_eq!(driven.end.status, RunStatus::Compensated, "{place}: {:?}", driven.end);
            assert_eq!(things(&home), Vec::<String>::new(), "{place}");
            let effects = REMOVALS.map(|operation| home.cloud.effects(operation));
            assert_eq!(effects, [2, 1, 1], "{place}");
            assert_eq!(status(&home, &source), RunStatus::Compensated, "{place}");
        }
    }
    assert!(kills > 20, "only {kills} boundaries were found");
}

#[test]
fn a_run_killed_at_any_boundary_is_taken_back_as_far_as_it_came() {
    let script = makes_things();
    let mut kills = 0;
    for boundary in [
        Boundary::BeforeAppend,
        Boundary::AfterAppend,
        Boundary::BeforeEffect,
        Boundary::AfterEffect,
    ] {
        for count in 0.. {
            let home = Home::new();
            let killer = Killer::at(boundary, count);
            let (source, _) = start(&home.fragile_process(&killer), &script, &[]);
            if !killer.has_killed() {
                break;
            }
            kills += 1;
            let driven = take_back(&home.process(), &source).unwrap();
            let place = format!("killed at {boundary:?} {count}");
            assert_eq!(driven.end.status, RunStatus::Compensated, "{place}: {:?}", driven.end);
            assert_eq!(things(&home), Vec::<String>::new(), "{place}");
            assert_eq!(status(&home, &source), RunStatus::Compensated, "{place}");
        }
    }
    assert!(kills > 10, "only {kills} boundaries were found");
}

#[test]
fn a_call_that_fails_makes_both_runs_stuck_and_a_new_attempt_goes_on() {
    let home = Home::new();
    let source = done(&home);
    home.cloud.trouble("delete_secret", Trouble::Refuse("InvalidRequestException"));
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Stuck);
    assert_eq!(driven.end.error.unwrap().code, Code::NotTakenBack);
    assert_eq!(status(&home, &source), RunStatus::Stuck);
    // What comes after it in the plan was not touched.
    assert_eq!(home.cloud.effects("untag_role"), 0);
    let refused = home.process().resume(&source, &plain()).unwrap_err();
    assert_eq!(refused.diagnostics()[0].code, Code::TakenBack);
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(things(&home), Vec::<String>::new());
    assert_eq!(REMOVALS.map(|operation| home.cloud.effects(operation)), [2, 1, 1]);
}

#[test]
fn a_person_may_leave_what_cannot_be_taken_back() {
    let home = Home::new();
    let source = done(&home);
    home.cloud.trouble("delete_secret", Trouble::Refuse("InvalidRequestException"));
    let stuck = take_back(&home.process(), &source).unwrap();
    let journal = home.process().ports.journal;
    let Some(Reason::NotTakenBack { key, .. }) = journal.find(&stuck.run.0).unwrap().summary.reason
    else {
        panic!("not stuck at a call")
    };
    let settled =
        Settled { by: Some("ann".to_owned()), ..Settled::by_engine(Settlement::Skip, "kept") };
    journal.post(&stuck.run, &Mail::Settle { key, settled }).unwrap();
    let driven = home.resume(&stuck.run);
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(home.cloud.calls("delete_secret"), 0, "the refusal was the only attempt");
    assert_eq!(things(&home).len(), 1, "{:?}", things(&home));
    assert_eq!(status(&home, &source), RunStatus::Compensated);
}

#[test]
fn what_somebody_else_removed_counts_as_done() {
    let home = Home::new();
    let source = done(&home);
    home.cloud.things.lock().unwrap().remove("role/R2");
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(things(&home), Vec::<String>::new());
    assert_eq!(home.cloud.effects("delete_role"), 1);
}

#[test]
fn another_thing_of_the_same_name_is_left() {
    let home = Home::new();
    let source = done(&home);
    home.cloud.things.lock().unwrap().get_mut("role/R2").unwrap()["RoleId"] = json!("AROAOTHER");
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(things(&home), ["role/R2"]);
}

#[test]
fn what_somebody_changed_is_asked_about() {
    for (verdict, left) in [(Verdict::Approve, 0), (Verdict::Reject, 1)] {
        let home = Home::new();
        let source = done(&home);
        home.cloud.things.lock().unwrap().get_mut("role/R2").unwrap()["Path"] = json!("/other/");
        let waits = take_back(&home.process(), &source).unwrap();
        assert_eq!(waits.end.status, RunStatus::Suspended);
        assert_eq!(waits.end.waiting_for[0].gate.as_deref(), Some("changed since"));
        assert_eq!(things(&home).len(), 4, "nothing is taken back before");
        assert_eq!(status(&home, &source), RunStatus::Compensating);
        home.decide(&waits.run, "ann", verdict).unwrap();
        let driven = home.resume(&waits.run);
        assert_eq!(driven.end.status, RunStatus::Compensated);
        assert_eq!(things(&home).len(), left);
    }
}

#[test]
fn tags_that_were_there_before_come_back() {
    let home = Home::new();
    let tag = |value: &str| json!([{"Key": "k", "Value": value}]);
    home.cloud.things.lock().unwrap().insert("tags/R".to_owned(), tag("old"));
    let (source, driven) = home.start(&makes_things());
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.things.lock().unwrap()["tags/R"], tag("v"));
    take_back(&home.process(), &source).unwrap();
    assert_eq!(things(&home), ["tags/R"]);
    assert_eq!(home.cloud.things.lock().unwrap()["tags/R"], tag("old"));
}

#[test]
fn a_doubt_for_a_person_is_settled_before_anything_is_taken_back() {
    let home = Home::new();
    let text = script(
        r##"
        let admin = aws("admin");
        admin.iam.create_role(#{ RoleName: "R", AssumeRolePolicyDocument: "{}" });
        admin.iam.create_access_key(#{ UserName: "ann" });
        "##,
    );
    home.cloud.trouble("create_access_key", Trouble::LoseReply);
    let (source, driven) = home.start(&text);
    assert_eq!(driven.unwrap().end.status, RunStatus::Stuck);
    let waits = take_back(&home.process(), &source).unwrap();
    assert_eq!((&waits.run, waits.end.status), (&source, RunStatus::Stuck));
    assert_eq!(home.cloud.effects("delete_role"), 0);
    let settled = Settled::by_engine(Settlement::Skip, "none");
    let mail = Mail::Settle { key: Key::from_text("#1"), settled };
    home.process().ports.journal.post(&source, &mail).unwrap();
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(home.cloud.effects("delete_role"), 1);
}

#[test]
fn a_suspended_run_is_taken_back_and_asks_nobody_any_more() {
    let home = Home::new();
    let text = script(
        r##"
        aws("admin").iam.create_role(#{ RoleName: "R", AssumeRolePolicyDocument: "{}" });
        approve("go on", #{ from: ["carol"] });
        "##,
    );
    let (source, driven) = home.start(&text);
    assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(things(&home), Vec::<String>::new());
    assert!(home.process().ports.journal.open_gates(&source).unwrap().is_empty());
    assert_eq!(home.resume(&source).end.status, RunStatus::Compensated);
}

#[test]
fn another_person_behind_an_alias_is_refused() {
    let home = Home::new();
    let source = done(&home);
    home.cloud.people.lock().unwrap().insert("admin".to_owned(), "somebody".to_owned());
    let refused = take_back(&home.process(), &source).unwrap_err();
    assert_eq!(refused.diagnostics()[0].code, Code::OtherPrincipal);
    assert_eq!(things(&home).len(), 4);
    home.cloud.people.lock().unwrap().clear();
    let driven = take_back(&home.process(), &source).unwrap();
    assert_eq!(driven.end.status, RunStatus::Compensated);
}

#[test]
fn a_rollback_that_was_cancelled_is_begun_anew() {
    let home = Home::new();
    let source = done(&home);
    home.cloud.trouble("delete_secret", Trouble::Refuse("InvalidRequestException"));
    let stuck = take_back(&home.process(), &source).unwrap();
    home.process().cancel(&stuck.run, None, None).unwrap();
    let driven = take_back(&home.process(), &source).unwrap();
    assert_ne!(driven.run, stuck.run);
    assert_eq!(driven.end.status, RunStatus::Compensated);
    assert_eq!(things(&home), Vec::<String>::new());
    assert_eq!(home.cloud.effects("delete_role"), 2, "what was gone was not taken back again");
}

#[test]
fn drift_says_what_is_gone_changed_or_replaced() {
    let home = Home::new();
    let source = done(&home);
    let is = |home: &Home| -> Vec<(String, &str)> {
        let drift = home.process().drift(&source).unwrap();
        let others = drift.things.iter().filter(|thing| thing.standing.as_str() != "same");
        others.map(|thing| (thing.what.clone(), thing.standing.as_str())).collect()
    };
    assert_eq!(is(&home), []);
    let entries = home.entries(&source).len();
    home.cloud.things.lock().unwrap().get_mut("role/R").unwrap()["Path"] = json!("/other/");
    home.cloud.things.lock().unwrap().get_mut("role/R2").unwrap()["RoleId"] = json!("AROAOTHER");
    let found = is(&home);
    assert_eq!(found, [("role R".to_owned(), "changed"), ("role R2".to_owned(), "replaced")]);
    home.cloud.things.lock().unwrap().remove("role/R");
    assert_eq!(is(&home)[0], ("role R".to_owned(), "gone"));
    assert_eq!(home.entries(&source).len(), entries, "nothing is recorded");
}
