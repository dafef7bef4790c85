//! Concurrent branches in whole runs: replay, failures, gates, waits, turns.

use piton_core::entry::Body;
use piton_core::gate::Verdict;
use piton_core::ports::RunId;
use piton_core::status::{RunStatus, WaitingKind};
use piton_core::time::Span;
use piton_runner::{Options, Resume};
use serde_json::{Value, json};

use crate::support::{Boundary, Home, Killer, Trouble, options, plain, script, start};

const ROLES: &str = r##"
    fn role(name) {
        aws("admin").iam.create_role(#{ RoleName: name, AssumeRolePolicyDocument: "{}" }).Role.Arn
    }
"##;

fn runbook(body: &str) -> String {
    script(&format!("{ROLES}{body}"))
}

fn retry() -> Resume {
    Resume { retry: true, ..plain() }
}

/// Keys and kinds of the entries that belong to a place in the script, in order.
fn story(home: &Home, run: &RunId) -> Vec<(String, &'static str)> {
    let keyed = |stored: piton_core::entry::StoredEntry| {
        Some((stored.entry.key?.as_str().to_owned(), stored.entry.body.kind()))
    };
    home.entries(run).into_iter().filter_map(keyed).collect()
}

fn output(home: &Home, run: &RunId, name: &str) -> Value {
    let found = home.entries(run).into_iter().rev().find_map(|stored| match stored.entry.body {
        Body::Output(output) if output.name == name => Some(output.value),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("there is no output {name}"))
}

#[test]
fn branches_have_keys_of_their_own_and_hand_back_their_values() {
    let home = Home::new();
    let body = r#"
        let made = step("publish", || parallel(#{
            glue: || step("create", || role("G")),
            redshift: || [role("R1"), role("R2")],
        }));
        output("made", made);
        parallel_map(["x", "y"], |name| role(name));
    "#;
    let (run, driven) = home.start(&runbook(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    let arn = |name: &str| format!("arn:aws:iam::1:role/{name}");
    let made = json!({ "glue": arn("G"), "redshift": [arn("R1"), arn("R2")] });
    assert_eq!(output(&home, &run, "made"), made);
    let story = story(&home, &run);
    let intents: Vec<&str> =
        story.iter().filter(|(_, kind)| *kind == "intent").map(|(key, _)| key.as_str()).collect();
    for key in [
        "publish/[glue]/create#0",
        "publish/[redshift]#0",
        "publish/[redshift]#1",
        "[0]#0",
        "[1]#0",
    ] {
        assert!(intents.contains(&key), "{key} is not in {intents:?}");
    }
    let calls = home.cloud.received.lock().unwrap().len();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.received.lock().unwrap().len(), calls);
}

#[test]
fn a_rehearsal_with_branches_repeats_itself_entry_by_entry() {
    let body = r#"
        parallel_map(["a", "b", "c", "d", "e"], |name| {
            role(name);
            aws("admin").iam.get_role(#{ RoleName: name });
            sleep("10s");
            role(name + "2");
        });
    "#;
    let told = || {
        let home = Home::new();
        let (run, driven) = home.start(&runbook(body));
        assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
        let times: Vec<_> = home.entries(&run).iter().map(|stored| stored.entry.at).collect();
        (story(&home, &run), times, home.cloud.received.lock().unwrap().clone())
    };
    let first = told();
    let order: Vec<&String> =
        first.0.iter().filter(|(_, kind)| *kind == "intent").map(|(key, _)| key).collect();
    assert!(!order.is_sorted(), "the branches did not meet: {order:?}");
    for _ in 0..3 {
        assert_eq!(told(), first);
    }
}

#[test]
fn branches_wait_at_the_same_time() {
    let home = Home::new();
    let body = r#"
        parallel(#{ a: || { sleep("150s"); role("A") }, b: || { sleep("150s"); role("B") },
            c: || { sleep("150s"); role("C") }, d: || { sleep("20s"); role("D") } });
    "#;
    let before = home.cloud.now();
    let (run, driven) = home.start(&runbook(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.now().since(before), Span::from_secs(150));
    let intents = story(&home, &run).into_iter().filter(|(_, kind)| *kind == "intent");
    assert_eq!(intents.map(|(key, _)| key).next().unwrap(), "[d]#1");
}

#[test]
fn branches_share_commits() {
    let home = Home::new();
    let killer = std::sync::Arc::<Killer>::default();
    let body = "parallel_map([1, 2, 3, 4, 5, 6, 7, 8], |n| { role(`a${n}`); role(`b${n}`); }, #{ max: 8 });";
    let (_, driven) = start(&home.fragile_process(&killer), &runbook(body), &[]);
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_role"), 16);
    assert_eq!(killer.commits(), 3);
}

#[test]
fn branches_that_run_as_they_come_end_as_those_that_take_turns() {
    let home = Home::concurrent();
    let body = r#"
        let made = parallel_map([1, 2, 3, 4, 5, 6, 7, 8], |n| {
            let first = role(`a${n}`);
            sleep("5s");
            step("second", || role(`b${n}`))
        }, #{ max: 4 });
        output("made", made);
        approve("go", #{ from: ["carol"] });
    "#;
    let (run, driven) = home.start(&runbook(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
    assert_eq!(home.cloud.effects("create_role"), 16);
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.calls("create_role"), 16);
    assert_eq!(output(&home, &run, "made")[7], "arn:aws:iam::1:role/b8");
}

const TWO_GATES: &str = r#"
    let answers = parallel(#{
        glue: || {
            role("G1");
            let by = approve("accept", #{ from: ["carol"], show: "glue" }).alias;
            role("G2");
            by
        },
        redshift: || step("share", || {
            role("R1");
            let by = approve("accept", #{ from: ["carol", "dave"], show: "redshift" }).alias;
            role("R2");
            by
        }),
        other: || { sleep("1h"); role("O") },
    });
    output("answers", answers);
"#;

#[test]
fn a_branch_at_a_gate_does_not_hold_up_the_others_and_all_gates_are_listed() {
    for first in ["[glue]/accept", "[redshift]/share/accept"] {
        let home = Home::new();
        let (run, driven) = home.start(&runbook(TWO_GATES));
        let end = driven.unwrap().end;
        assert_eq!(end.status, RunStatus::Suspended);
        let gates = |end: &piton_core::event::RunEnd| {
            let mut gates: Vec<_> =
                end.waiting_for.iter().filter_map(|waiting| waiting.gate.clone()).collect();
            gates.sort();
            gates
        };
        assert_eq!(gates(&end), ["[glue]/accept", "[redshift]/share/accept"]);
        assert_eq!(home.cloud.effects("create_role"), 3);
        home.decide_gate(&run, first, "carol", Verdict::Approve).unwrap();
        let end = home.resume(&run).end;
        assert_eq!(end.status, RunStatus::Suspended);
        assert_eq!(end.waiting_for.len(), 1);
        assert_ne!(gates(&end), [first]);
        assert_eq!(home.cloud.effects("create_role"), 4);
        let other = gates(&end).remove(0);
        home.decide_gate(&run, &other, "carol", Verdict::Approve).unwrap();
        assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
        assert_eq!(home.cloud.calls("create_role"), 5);
        let answers =
            json!({ "glue": "carol", "redshift": "carol", "other": "arn:aws:iam::1:role/O" });
        assert_eq!(output(&home, &run, "answers"), answers);
    }
}

#[test]
fn what_a_sibling_did_meanwhile_is_no_part_of_what_was_approved() {
    let home = Home::new();
    let limited = Resume {
        options: Options { wait_limit: Some(Span::from_secs(60)), ..options() },
        ..plain()
    };
    let (run, _) = home.start(&runbook(TWO_GATES));
    let open = home.process().ports.journal.open_gates(&run).unwrap();
    let digests = |gates: &[piton_core::ports::OpenGate]| {
        gates.iter().map(|gate| gate.request.digest).collect::<Vec<_>>()
    };
    home.decide_gate(&run, "[glue]/accept", "carol", Verdict::Approve).unwrap();
    home.process().resume(&run, &limited).unwrap();
    let left = home.process().ports.journal.open_gates(&run).unwrap();
    assert!(digests(&open).contains(&digests(&left)[0]));
    let opened = story(&home, &run).into_iter().filter(|(_, kind)| *kind == "gate_opened");
    assert_eq!(opened.count(), 2, "no gate opened anew");
}

#[test]
fn a_gate_that_expires_stops_the_clock_for_branches() {
    let home = Home::new();
    let body = r#"parallel(#{
        a: || approve("go", #{ from: ["carol"], expires: "30m", on_expire: "reject" }),
        b: || { sleep("2h"); role("B") },
    });"#;
    let before = home.cloud.now();
    let (run, driven) = home.start(&runbook(body));
    let end = driven.unwrap().end;
    let kinds: Vec<_> = end.waiting_for.iter().map(|waiting| waiting.kind).collect();
    assert_eq!(end.status, RunStatus::Suspended);
    assert!(kinds.contains(&WaitingKind::Approval) && kinds.contains(&WaitingKind::Timer));
    assert!(home.cloud.now().since(before) <= Span::from_secs(1800));
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
}

#[test]
fn a_failed_branch_stops_the_others_before_their_next_effect() {
    let home = Home::new();
    home.cloud.trouble("tag_role", Trouble::Refuse("AccessDenied"));
    let body = r#"
        let caught = ();
        try {
            parallel(#{
                bad: || aws("admin").iam.tag_role(#{ RoleName: "R", Tags: [#{ Key: "k", Value: "v" }] }),
                slow: || { role("S1"); sleep("1h"); role("S2"); },
                asks: || { approve("never", #{ from: ["carol"] }); role("A") },
            });
        } catch (e) { caught = [e.branch, e.code]; }
        output("caught", caught);
        approve("after", #{ from: ["carol"] });
        role("after");
    "#;
    let before = home.cloud.now();
    let (run, driven) = home.start(&runbook(body));
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Suspended);
    assert_eq!(end.waiting_for.len(), 1, "{:?}", end.waiting_for);
    assert_eq!(end.waiting_for[0].gate.as_deref(), Some("after"));
    assert_eq!(output(&home, &run, "caught"), json!(["bad", "AccessDenied"]));
    assert_eq!(home.cloud.now(), before, "nobody slept");
    let made = home.cloud.effects("create_role");
    assert!(made <= 1, "{made}");
    // Stopped stays stopped, however often the run goes on.
    assert_eq!(home.resume(&run).end.status, RunStatus::Suspended);
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_role"), made + 1);
}

#[test]
fn a_retry_repeats_the_failed_calls_of_branches_and_nothing_else() {
    let home = Home::new();
    home.cloud.trouble("tag_role", Trouble::Refuse("AccessDenied"));
    let body = r#"
        step("all", || parallel(#{
            bad: || {
                role("B1");
                aws("admin").iam.tag_role(#{ RoleName: "B1", Tags: [#{ Key: "k", Value: "v" }] });
                role("B2")
            },
            good: || { role("G1"); role("G2"); approve("go", #{ from: ["carol"] }); role("G3") },
        }));
    "#;
    let (run, driven) = home.start(&runbook(body));
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Failed);
    let error = end.error.unwrap();
    assert!(error.frames.iter().any(|frame| frame.name == "branch `bad`"), "{error:?}");
    let end = home.process().resume(&run, &retry()).unwrap().end;
    assert_eq!(end.status, RunStatus::Suspended, "{:?}", end.error);
    assert_eq!(home.cloud.calls("tag_role"), 1, "the refused one is not counted by the cloud");
    assert_eq!(home.cloud.effects("create_role"), 4);
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.calls("create_role"), 5);
    let attempts: Vec<u32> = home
        .entries(&run)
        .iter()
        .filter_map(|stored| match &stored.entry.body {
            Body::Intent(intent) if intent.operation == "tag_role" => Some(intent.attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2]);
}

const TOLERANT: &str = r#"
    let rows = parallel_map(["a", "b", "c", "d"], |name| {
        role(name);
        aws("admin").iam.tag_role(#{ RoleName: name, Tags: [#{ Key: "k", Value: "v" }] });
        name
    }, #{ tolerate: LIMIT, max: 2 });
    output("states", rows.map(|row| row.state));
    ensure(rows.all(|row| row.ok), "not all are done");
"#;

#[test]
fn tolerated_failures_are_rows_of_a_table_and_a_retry_repeats_them() {
    let home = Home::new();
    for _ in 0..2 {
        home.cloud.trouble("tag_role", Trouble::Refuse("AccessDenied"));
    }
    let (run, driven) = home.start(&runbook(&TOLERANT.replace("LIMIT", "\"50%\"")));
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Failed);
    assert!(end.error.unwrap().message.contains("not all are done"));
    let states = output(&home, &run, "states");
    let failed = states.as_array().unwrap().iter().filter(|state| *state == "failed").count();
    assert_eq!((failed, home.cloud.effects("create_role")), (2, 4));
    assert_eq!(home.cloud.effects("tag_role"), 2);
    let end = home.process().resume(&run, &retry()).unwrap().end;
    assert_eq!(end.status, RunStatus::Succeeded, "{:?}", end.error);
    assert_eq!((home.cloud.calls("create_role"), home.cloud.calls("tag_role")), (4, 4));
}

#[test]
fn one_failure_too_many_raises_and_a_retry_goes_on_with_the_rest() {
    let home = Home::new();
    for _ in 0..2 {
        home.cloud.trouble("tag_role", Trouble::Refuse("AccessDenied"));
    }
    let (run, driven) = home.start(&runbook(&TOLERANT.replace("LIMIT", "1")));
    let error = driven.unwrap().end.error.unwrap();
    assert_eq!(error.code.as_str(), "PT0310", "{}", error.message);
    let end = home.process().resume(&run, &retry()).unwrap().end;
    assert_eq!(end.status, RunStatus::Succeeded, "{:?}", end.error);
    assert_eq!((home.cloud.calls("create_role"), home.cloud.calls("tag_role")), (4, 4));
    assert_eq!(output(&home, &run, "states"), json!(["done", "done", "done", "done"]));
}

#[test]
fn a_failure_that_rests_on_nothing_cannot_be_retried_in_a_branch_either() {
    let home = Home::new();
    let (run, _) = home.start(&runbook("parallel(#{ a: || fail(\"no\"), b: || 1 });"));
    assert_eq!(home.process().resume(&run, &retry()).unwrap_err().exit_code(), 2);
}

#[test]
fn a_ramp_begins_with_one_and_doubles_while_all_succeed() {
    let home = Home::new();
    let body = r#"parallel_map([0, 1, 2, 3, 4, 5, 6], |n| {
        role(`a${n}`); sleep("10s"); role(`b${n}`);
    }, #{ max: 4, ramp: true });"#;
    let before = home.cloud.now();
    let (_, driven) = home.start(&runbook(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    // Waves of one, two and four.
    assert_eq!(home.cloud.now().since(before), Span::from_secs(30));
}

#[test]
fn no_more_branches_than_max_run_at_a_time() {
    let home = Home::new();
    let body =
        "parallel_map([0, 1, 2, 3, 4, 5], |n| { role(`a${n}`); sleep(\"10s\"); }, #{ max: 2 });";
    let before = home.cloud.now();
    home.start(&runbook(body)).1.unwrap();
    assert_eq!(home.cloud.now().since(before), Span::from_secs(30));
}

#[test]
fn a_doubt_in_a_branch_makes_the_run_stuck_while_the_others_go_on() {
    let home = Home::new();
    let body = r#"parallel(#{
        a: || aws("admin").iam.create_access_key(#{ UserName: "u" }).AccessKey.UserName,
        b: || { role("B"); approve("go", #{ from: ["carol"] }); },
    });"#;
    home.cloud.trouble("create_access_key", Trouble::LoseReply);
    let (run, driven) = home.start(&runbook(body));
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Stuck);
    let waiting: Vec<_> = end.waiting_for.iter().map(|one| (one.kind, one.gate.clone())).collect();
    assert!(waiting.contains(&(WaitingKind::Doubt, Some("[a]#0".to_owned()))), "{waiting:?}");
    assert!(waiting.contains(&(WaitingKind::Approval, Some("[b]/go".to_owned()))), "{waiting:?}");
    assert_eq!(home.cloud.effects("create_role"), 1);
    let settled = piton_core::entry::Settled {
        how: piton_core::entry::Settlement::Adopt {
            output: json!({ "AccessKey": { "UserName": "u" } }),
        },
        reason: "seen".to_owned(),
        by: None,
        at: None,
    };
    let key = piton_core::key::Key::from_text("[a]#0");
    let mail = piton_core::ports::Mail::Settle { key, settled };
    home.process().ports.journal.post(&run, &mail).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Suspended);
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.calls("create_access_key"), 1);
}

#[test]
fn credentials_that_expire_in_a_branch_suspend_that_branch() {
    let home = Home::new();
    home.cloud.trouble("tag_role", Trouble::Expire);
    let body = r#"parallel(#{
        a: || aws("admin").iam.tag_role(#{ RoleName: "R", Tags: [#{ Key: "k", Value: "v" }] }),
        b: || { sleep("1h"); role("B") },
    });"#;
    let (run, driven) = home.start(&runbook(body));
    let end = driven.unwrap().end;
    assert_eq!(end.waiting_for[0].kind, WaitingKind::Credentials);
    assert_eq!(home.cloud.effects("create_role"), 1);
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
}

#[test]
fn nested_branches_wait_and_go_on_like_others() {
    let home = Home::new();
    let body = r#"
        let found = parallel(#{
            outer: || parallel_map(["x", "y"], |name| {
                role(name);
                approve("go", #{ from: ["carol"], show: name });
                role(name + "2")
            }),
            flat: || role("F"),
        });
        output("found", found.outer.len());
    "#;
    let (run, driven) = home.start(&runbook(body));
    let end = driven.unwrap().end;
    assert_eq!(end.waiting_for.len(), 2, "{:?}", end.waiting_for);
    home.decide_gate(&run, "[outer]/[1]/go", "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.waiting_for.len(), 1);
    home.decide_gate(&run, "[outer]/[0]/go", "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.calls("create_role"), 5);
    assert_eq!(output(&home, &run, "found"), 2);
}

#[test]
fn a_cancel_ends_all_branches() {
    let home = Home::new();
    let body = "parallel(#{ a: || approve(\"go\", #{ from: [\"carol\"] }), b: || approve(\"go\", #{ from: [\"carol\"] }) });";
    let (run, _) = home.start(&runbook(body));
    let status = home.process().cancel(&run, None, None).unwrap();
    assert_eq!(status, RunStatus::Cancelled);
    assert_eq!(home.process().ports.journal.open_gates(&run).unwrap(), []);
}

#[test]
fn an_interrupt_stops_all_branches_and_the_run_goes_on_later() {
    for home in [Home::new(), Home::concurrent()] {
        let body = r#"
            try {
                parallel_map([1, 2, 3], |n| { role(`a${n}`); sleep("1m"); role(`b${n}`); });
            } catch { role("caught"); }
        "#;
        let engine = home.process();
        engine.interrupt.raise();
        let (run, driven) = start(&engine, &runbook(body), &[]);
        assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
        assert_eq!(home.cloud.effects("create_role"), 0);
        assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
        assert_eq!(home.cloud.calls("create_role"), 6);
    }
}

#[test]
fn a_wait_of_a_stopped_branch_does_not_end_when_its_time_has_come() {
    let home = Home::new();
    let body = r#"
        try {
            parallel(#{
                slow: || { sleep("1h"); note("awake"); role("S") },
                worse: || { sleep("5m"); aws("admin").iam.list_users(); fail("no") },
            });
        } catch (e) {}
        approve("after", #{ from: ["carol"] });
    "#;
    let (run, _) = home.start(&runbook(body));
    home.cloud.pass(Span::from_secs(24 * 3600));
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    let before = story(&home, &run);
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    let after = story(&home, &run);
    assert!(after[before.len()..].iter().all(|(key, _)| !key.starts_with('[')), "{after:?}");
    assert_eq!(home.cloud.calls("create_role"), 0);
}

#[test]
fn a_disk_that_breaks_in_a_branch_ends_the_driving_of_all() {
    let home = Home::new();
    let killer = Killer::at(Boundary::BeforeAppend, 1);
    let body = "try { parallel_map([1, 2, 3], |n| { role(`a${n}`); role(`b${n}`); }) } catch {}";
    let (run, driven) = start(&home.fragile_process(&killer), &runbook(body), &[]);
    assert_eq!(driven.unwrap().end.status, RunStatus::Interrupted);
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_role"), 6);
}
