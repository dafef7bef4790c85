//! Child runs and locks in whole runs: identity, gates, failures, cancels, crashes.

use piton_core::account::AccountRef;
use piton_core::entry::{Body, ChildResult, StoredEntry};
use piton_core::gate::Verdict;
use piton_core::ports::{ProgramFile, RunId};
use piton_core::status::{RunStatus, WaitingKind};
use piton_core::time::Span;
use piton_runner::children::children;
use piton_runner::{Driven, Engine, Resume, RunnerError};
use serde_json::{Value, json};

use crate::support::{Boundary, Home, Killer, Trouble, plain, script, start, start_files};

const CHILD: &str = r##"
runbook(#{ title: "child", accounts: #{ owner: #{ doc: "o" } }, params: #{ name: #{ type: "string" }, key: #{ type: "secret", optional: true } } });
fn role(name) {
    aws("owner").iam.create_role(#{ RoleName: name, AssumeRolePolicyDocument: "{}" }).Role.Arn
}
output("first", step("make", || role(params.name)));
let by = approve("agree", #{ show: params.name, from: ["carol"], expires: "9d", on_expire: "reject" }).alias;
sleep("10m");
aws("owner").secretsmanager.create_secret(#{ Name: params.name, SecretString: params.key ?? "nothing" });
output("by", by);
"##;

fn call(name: &str) -> String {
    format!(
        "call_runbook(\"./child.rhai\", #{{ name: \"{name}\" }}, #{{ accounts: #{{ owner: \"carol\" }} }})"
    )
}

fn begin_with(engine: &Engine, body: &str, child: &str) -> (RunId, Result<Driven, RunnerError>) {
    let file = |path: &str, text: String| ProgramFile { path: path.to_owned(), text };
    let files = vec![
        file("test.rhai", script(body)),
        file("call(./child.rhai)/child.rhai", child.replace("\"carol\"", "\"owner\"")),
    ];
    start_files(engine, files, &[])
}

fn begin(home: &Home, body: &str) -> (RunId, Driven) {
    let (run, driven) = begin_with(&home.process(), body, CHILD);
    (run, driven.unwrap())
}

fn retry() -> Resume {
    Resume { retry: true, ..plain() }
}

fn children_of(home: &Home, run: &RunId) -> Vec<RunId> {
    let journal = home.process().ports.journal;
    children(journal.as_ref(), run).unwrap().into_iter().map(|row| row.run).collect()
}

fn status(home: &Home, run: &RunId) -> RunStatus {
    home.process().ports.journal.find(&run.0).unwrap().summary.status
}

fn output(home: &Home, run: &RunId, name: &str) -> Value {
    let found = home.entries(run).into_iter().rev().find_map(|stored| match stored.entry.body {
        Body::Output(output) if output.name == name => Some(output.value),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("there is no output {name}"))
}

#[test]
fn a_child_at_a_gate_suspends_its_parent_which_goes_on_with_its_outputs() {
    let home = Home::new();
    let body = format!("let made = step(\"child\", || {}); output(\"made\", made);", call("C"));
    let (run, driven) = begin(&home, &body);
    assert_eq!(driven.end.status, RunStatus::Suspended);
    let [child] = &children_of(&home, &run)[..] else { panic!("not one child") };
    let [waiting] = &driven.end.waiting_for[..] else { panic!("{:?}", driven.end) };
    assert_eq!((waiting.kind, waiting.gate.as_deref()), (WaitingKind::Approval, Some("agree")));
    assert_eq!(waiting.run.as_ref(), Some(child));
    // Deciders are known by the names of the outermost run.
    let gate = home.process().ports.journal.open_gates(child).unwrap().remove(0);
    assert_eq!(gate.request.from[0].name, "carol");
    home.decide(child, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(
        output(&home, &run, "made"),
        json!({ "first": "arn:aws:iam::1:role/C", "by": "carol" })
    );
    let entries = home.entries(&run);
    let kinds: Vec<_> = entries
        .iter()
        .filter_map(|stored| Some((stored.entry.key.as_ref()?.as_str(), stored.entry.body.kind())))
        .collect();
    let wanted =
        [("child", "step_opened"), ("child#0", "child"), ("child", "step_closed"), ("", "output")];
    assert_eq!(kinds, wanted);
    assert_eq!(home.cloud.effects("create_role"), 1);
    // A finished run repeats its end, and asks nobody.
    let calls = home.cloud.received.lock().unwrap().len();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.received.lock().unwrap().len(), calls);
}

#[test]
fn a_child_driven_by_itself_is_picked_up_by_its_parent() {
    let home = Home::new();
    let (run, _) = begin(&home, &format!("output(\"by\", {}.by);", call("C")));
    let child = children_of(&home, &run).remove(0);
    home.decide(&child, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&child).end.status, RunStatus::Succeeded);
    assert_eq!(status(&home, &run), RunStatus::Suspended);
    let calls = home.cloud.received.lock().unwrap().len();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(output(&home, &run, "by"), "carol");
    assert_eq!(home.cloud.received.lock().unwrap().len(), calls);
}

#[test]
fn a_failed_child_is_an_error_that_a_retry_of_the_parent_attempts_again() {
    let home = Home::new();
    let child =
        CHILD.replace("let by = ", "let by = \"x\"; if false { ").replace(".alias;", ".alias; }");
    home.cloud.trouble("create_secret", Trouble::Refuse("LimitExceeded"));
    let body = format!("output(\"by\", {}.by);", call("C"));
    let (run, driven) = begin_with(&home.process(), &body, &child);
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Failed);
    let error = end.error.unwrap();
    assert_eq!(error.code.as_str(), "PT0311");
    assert!(error.message.contains("LimitExceeded"), "{}", error.message);
    let first = children_of(&home, &run);
    assert_eq!(status(&home, &first[0]), RunStatus::Failed);
    let again = home.process().resume(&run, &retry()).unwrap();
    assert_eq!(again.end.status, RunStatus::Succeeded);
    assert_eq!(children_of(&home, &run), first);
    assert_eq!((home.cloud.effects("create_role"), home.cloud.effects("create_secret")), (1, 1));
    let ended = home.entries(&run).into_iter().filter_map(|stored| match stored.entry.body {
        Body::Child(child) => Some(matches!(child.result, ChildResult::Outputs(_))),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_failed_child_can_be_caught() {
    let home = Home::new();
    let child = "runbook(#{ title: \"c\", accounts: #{ owner: #{} }, params: #{ name: #{ type: \"string\" } } }); aws(\"owner\").iam.list_users(); fail(\"no \" + params.name);";
    let body = format!(
        "try {{ {}; }} catch (e) {{ output(\"e\", [e.code, e.details.status, e.details.error.code, e.message, e.key]); }}",
        call("C")
    );
    let (run, driven) = begin_with(&home.process(), &body, child);
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    let wanted =
        json!(["ChildFailed", "failed", "PT0301", "the runbook `./child.rhai` failed: no C", "#0"]);
    assert_eq!(output(&home, &run, "e"), wanted);
}

#[test]
fn a_cancel_of_the_parent_cancels_its_children() {
    let home = Home::new();
    let (run, _) = begin(&home, &call("C"));
    let child = children_of(&home, &run).remove(0);
    let status_now = home.process().cancel(&run, Some("ann".to_owned()), None).unwrap();
    assert_eq!((status_now, status(&home, &child)), (RunStatus::Cancelled, RunStatus::Cancelled));
}

#[test]
fn a_stuck_child_makes_its_parent_stuck_with_the_same_doubt() {
    let home = Home::new();
    let child = "runbook(#{ title: \"c\", accounts: #{ owner: #{} }, params: #{ name: #{ type: \"string\" } } }); aws(\"owner\").iam.create_access_key(#{ UserName: params.name });";
    home.cloud.trouble("create_access_key", Trouble::LoseReply);
    let (run, driven) = begin_with(&home.process(), &call("C"), child);
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Stuck);
    assert_eq!(end.waiting_for[0].kind, WaitingKind::Doubt);
    assert_eq!(end.waiting_for[0].run, children_of(&home, &run).first().cloned());
    assert_eq!(end.error.unwrap().code.as_str(), "PT0402");
}

#[test]
fn children_of_branches_wait_at_the_same_time_and_each_for_its_gate() {
    let home = Home::new();
    let body = format!(
        "let made = parallel(#{{ a: || {}, b: || {}, c: || {{ sleep(\"10m\"); 1 }} }}); output(\"by\", [made.a.by, made.b.by]);",
        call("A"),
        call("B")
    );
    let (run, driven) = begin(&home, &body);
    assert_eq!(driven.end.waiting_for.len(), 2, "{:?}", driven.end);
    let children = children_of(&home, &run);
    for child in &children {
        home.decide(child, "carol", Verdict::Approve).unwrap();
    }
    let before = home.cloud.now();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    // Both children slept ten minutes, and at once.
    assert!(home.cloud.now().since(before) < Span::from_secs(1190));
    assert_eq!(output(&home, &run, "by"), json!(["carol", "carol"]));
}

#[test]
fn a_secret_reaches_a_child_and_no_file() {
    let home = Home::new();
    let body = "let p = random_password(); aws(\"admin\").secretsmanager.create_secret(#{ Name: \"own\", SecretString: p }); \
        call_runbook(\"./child.rhai\", #{ name: \"C\", key: p }, #{ accounts: #{ owner: \"carol\" } });";
    let (run, _) = begin(&home, body);
    let child = children_of(&home, &run).remove(0);
    home.decide(&child, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    let sent: Vec<Value> = {
        let received = home.cloud.received.lock().unwrap();
        let secrets = received.iter().filter(|call| call.operation == "create_secret");
        secrets.map(|call| call.input["SecretString"].clone()).collect()
    };
    assert_eq!(sent[0], sent[1]);
    let password = sent[0].as_str().unwrap();
    assert_eq!(password.len(), 32);
    let bytes = home.bytes();
    assert!(!bytes.windows(password.len()).any(|window| window == password.as_bytes()));
}

#[test]
fn a_child_is_somebody_of_its_parent() {
    let home = Home::new();
    let (run, _) = begin(&home, &call("C"));
    let child = children_of(&home, &run).remove(0);
    let bound = home.entries(&child).into_iter().find_map(|stored| match stored.entry.body {
        Body::Bound(bound) => Some(bound),
        _ => None,
    });
    let bound = bound.unwrap();
    assert_eq!(bound.account, AccountRef::alias("owner"));
    assert!(bound.principal.arn.ends_with("user/carol"), "{}", bound.principal.arn);
}

/// Drives a run to its end through the gates of its children, from whatever state it is in.
fn finish(home: &Home, run: &RunId) {
    for _ in 0..6 {
        let driven = home.resume(run);
        match driven.end.status {
            RunStatus::Succeeded => return,
            RunStatus::Suspended => decide_all(home, &driven),
            other => panic!("the run is {other}: {:?}", driven.end.error),
        }
    }
    panic!("the run does not end");
}

fn decide_all(home: &Home, driven: &Driven) {
    for waiting in &driven.end.waiting_for {
        let child = waiting.run.as_ref().expect("only children have gates");
        home.decide(child, "carol", Verdict::Approve).unwrap();
    }
}

/// Kinds of the entries of a run and its children that have a key, and the effects of all.
fn left(home: &Home, run: &RunId) -> (Vec<Vec<String>>, [usize; 2]) {
    let runs = std::iter::once(run.clone()).chain(children_of(home, run));
    let mut stories: Vec<Vec<String>> = runs
        .map(|run| {
            let entries = home.entries(&run);
            // How a doubt was settled is a story that only a crashed run has.
            let is_told = |stored: &&StoredEntry| !matches!(stored.entry.body, Body::Settled(_));
            let keyed = entries.iter().filter(is_told).filter_map(|stored| {
                Some(format!("{} {}", stored.entry.key.as_ref()?, stored.entry.body.kind()))
            });
            let mut keyed: Vec<String> = keyed.collect();
            keyed.sort();
            keyed.dedup();
            keyed
        })
        .collect();
    stories.sort();
    (stories, [home.cloud.effects("create_role"), home.cloud.effects("create_secret")])
}

#[test]
fn a_run_with_children_killed_at_any_boundary_ends_as_if_nothing_had_happened() {
    let body = format!(
        "lock(\"poc\"); let a = {}; parallel(#{{ b: || {}, c: || 1 }}); output(\"by\", a.by);",
        call("A"),
        call("B")
    );
    let calm = Home::new();
    let (run, _) = begin(&calm, &body);
    finish(&calm, &run);
    let wanted = left(&calm, &run);
    assert_eq!(wanted.1, [2, 2]);
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
            let (run, driven) = begin_with(&home.fragile_process(&killer), &body, CHILD);
            let mut driven = driven;
            while !killer.has_killed()
                && let Ok(suspended) = &driven
                && suspended.end.status == RunStatus::Suspended
            {
                decide_all(&home, suspended);
                driven = home.fragile_process(&killer).resume(&run, &plain());
            }
            if !killer.has_killed() {
                assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
                break;
            }
            kills += 1;
            finish(&home, &run);
            assert_eq!(left(&home, &run), wanted, "killed at {boundary:?} {count}");
        }
    }
    assert!(kills > 40, "only {kills} boundaries were found");
}

#[test]
fn a_lock_keeps_other_runs_out_until_its_run_has_ended() {
    let home = Home::new();
    let holding = script("lock(\"poc\"); approve(\"on\", #{ from: [\"carol\"] });");
    let (first, _) = home.start(&holding);
    let wanting = script("lock(\"poc\"); lock(\"poc\"); lock(\"other\"); note(\"in\");");
    let (second, driven) = home.start(&wanting);
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Suspended);
    assert_eq!(end.waiting_for[0].kind, WaitingKind::State);
    assert_eq!(end.waiting_for[0].name, format!("lock poc, held by run {first}"));
    assert_eq!(home.resume(&second).end.status, RunStatus::Suspended);
    let journal = home.process().ports.journal;
    let held: Vec<_> =
        journal.locks().unwrap().into_iter().map(|lock| (lock.name, lock.run)).collect();
    assert_eq!(held, [("poc".to_owned(), first.clone())]);
    home.decide(&first, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&first).end.status, RunStatus::Succeeded);
    assert_eq!(home.resume(&second).end.status, RunStatus::Succeeded);
    assert!(journal.locks().unwrap().is_empty());
}

#[test]
fn a_lock_of_a_run_that_is_gone_is_free() {
    let home = Home::new();
    let holding = script("lock(\"poc\"); approve(\"on\", #{ from: [\"carol\"] });");
    let (removed, _) = home.start(&holding);
    let (cancelled, _) =
        home.start(&script("lock(\"two\"); approve(\"on\", #{ from: [\"carol\"] });"));
    home.process().ports.journal.remove(&removed).unwrap();
    home.process().cancel(&cancelled, None, None).unwrap();
    let (_, driven) = start(&home.process(), &script("lock(\"poc\"); lock(\"two\");"), &[]);
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
}

#[test]
fn a_run_that_failed_loses_its_lock_and_waits_for_it_at_its_retry() {
    let home = Home::new();
    home.cloud.trouble("list_users", Trouble::Refuse("Denied"));
    let (failed, driven) = home.start(&script("lock(\"poc\"); aws(\"admin\").iam.list_users();"));
    assert_eq!(driven.unwrap().end.status, RunStatus::Failed);
    let (other, _) = home.start(&script("lock(\"poc\"); approve(\"on\", #{ from: [\"carol\"] });"));
    let waits = home.process().resume(&failed, &retry()).unwrap();
    assert_eq!(waits.end.status, RunStatus::Suspended);
    home.process().cancel(&other, None, None).unwrap();
    assert_eq!(home.resume(&failed).end.status, RunStatus::Succeeded);
}

#[test]
fn a_child_and_branches_share_the_locks_of_their_run() {
    let home = Home::new();
    let child = "runbook(#{ title: \"c\", accounts: #{ owner: #{} }, params: #{ name: #{ type: \"string\" } } }); lock(\"poc\"); lock(\"two\");";
    let body = format!(
        "lock(\"poc\"); {}; parallel(#{{ a: || lock(\"two\"), b: || lock(\"two\") }});",
        call("C")
    );
    let (_, driven) = begin_with(&home.process(), &body, child);
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
}

fn take_back(home: &Home, source: &RunId) -> Driven {
    let engine = home.process();
    let run = piton_runner::new_run_id(engine.ports.entropy.as_ref());
    let how = piton_runner::TakeBack {
        source: source.clone(),
        run,
        requester: None,
        labels: Vec::new(),
        options: crate::support::options(),
    };
    engine.rollback(&how).unwrap()
}

#[test]
fn a_rollback_takes_back_what_children_did_with_what_their_caller_did() {
    let home = Home::new();
    let role = |name: &str| {
        format!(
            "aws(\"admin\").iam.create_role(#{{ RoleName: \"{name}\", AssumeRolePolicyDocument: \"{{}}\" }});"
        )
    };
    let body = format!("{} {}; {}", role("first"), call("C"), role("last"));
    let (run, _) = begin(&home, &body);
    finish(&home, &run);
    let child = children_of(&home, &run).remove(0);
    assert_eq!(home.cloud.things.lock().unwrap().len(), 4);
    assert_eq!(take_back(&home, &run).end.status, RunStatus::Compensated);
    assert!(home.cloud.things.lock().unwrap().is_empty());
    let deleted: Vec<String> = {
        let received = home.cloud.received.lock().unwrap();
        let deletions = received.iter().filter(|call| call.operation == "delete_role");
        deletions.map(|call| call.input["RoleName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(deleted, ["last", "C", "first"]);
    for of in [&run, &child] {
        assert_eq!(status(&home, of), RunStatus::Compensated);
    }
}

#[test]
fn a_child_that_waits_is_taken_back_with_its_caller_and_not_alone() {
    let home = Home::new();
    let (run, _) = begin(&home, &call("C"));
    let child = children_of(&home, &run).remove(0);
    let engine = home.process();
    let how = piton_runner::TakeBack {
        source: child.clone(),
        run: piton_runner::new_run_id(engine.ports.entropy.as_ref()),
        requester: None,
        labels: Vec::new(),
        options: crate::support::options(),
    };
    assert!(engine.rollback(&how).unwrap_err().to_string().contains("has not ended"));
    assert_eq!(take_back(&home, &run).end.status, RunStatus::Compensated);
    assert_eq!(status(&home, &child), RunStatus::Compensated);
    assert!(home.cloud.things.lock().unwrap().is_empty());
}

#[test]
fn a_rollback_of_a_run_with_a_child_survives_every_kill() {
    let role = |name: &str| {
        format!(
            "aws(\"admin\").iam.create_role(#{{ RoleName: \"{name}\", AssumeRolePolicyDocument: \"{{}}\" }});"
        )
    };
    let body = format!("{} {}; {}", role("first"), call("C"), role("last"));
    let mut kills = 0;
    for boundary in [Boundary::BeforeAppend, Boundary::AfterAppend, Boundary::AfterEffect] {
        for count in 0.. {
            let home = Home::new();
            let (run, _) = begin(&home, &body);
            finish(&home, &run);
            let killer = Killer::at(boundary, count);
            let engine = home.fragile_process(&killer);
            let how = piton_runner::TakeBack {
                source: run.clone(),
                run: piton_runner::new_run_id(engine.ports.entropy.as_ref()),
                requester: None,
                labels: Vec::new(),
                options: crate::support::options(),
            };
            let killed = engine.rollback(&how);
            if !killer.has_killed() {
                assert_eq!(killed.unwrap().end.status, RunStatus::Compensated);
                break;
            }
            kills += 1;
            assert_eq!(take_back(&home, &run).end.status, RunStatus::Compensated);
            assert!(home.cloud.things.lock().unwrap().is_empty(), "{boundary:?} {count}");
            assert_eq!(home.cloud.effects("delete_role"), 3, "{boundary:?} {count}");
            for child in children_of(&home, &run) {
                assert_eq!(status(&home, &child), RunStatus::Compensated, "{boundary:?} {count}");
            }
        }
    }
    assert!(kills > 12, "only {kills} boundaries were found");
}
