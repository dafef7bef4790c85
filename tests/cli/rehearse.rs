//! `piton rehearse` as its author sees it.

use serde_json::{Value, json};

use crate::support::{TestEnv, interrupt, read_until, runbook, text};

/// A runbook that depends on what a crash changes, in its world.
fn fragile() -> [String; 3] {
    let world = runbook("crash/fragile").replace(".rhai", ".toml");
    ["rehearse".to_owned(), runbook("crash/fragile"), format!("--sandbox={world}")]
}

#[test]
fn all_is_the_same_and_nothing_is_kept() {
    let env = TestEnv::new();
    let answer = env.piton(&["rehearse", &runbook("quick")]).exits(0);
    let first = answer.stderr.lines().next().unwrap();
    assert!(first.contains("without a crash: succeeded, "), "{first}");
    assert!(answer.stdout.contains(" boundaries, 5 kinds, "), "{}", answer.stdout);
    assert!(answer.stdout.contains(", 0 differences; "), "{}", answer.stdout);
    assert_eq!(env.piton(&["ls", "--json"]).exits(0).stdout, "[]\n");
    assert!(!env.home().join("sandbox").exists());
}

#[test]
fn a_stored_world_stays_as_it_is() {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &[]).exits(0).run();
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    let world = text(&shown["world"]);
    let look =
        |what: &str| env.piton(&["sandbox", what, "--world", &world, "--json"]).exits(0).json();
    let (dump, log) = (look("dump"), look("log"));
    let sandbox = format!("--sandbox={world}");
    env.piton(&["rehearse", &runbook("quick"), "-p", "role=another", &sandbox]).exits(0);
    assert_eq!((look("dump"), look("log")), (dump, log));
}

#[test]
fn a_difference_names_the_boundary_the_line_and_what_differs() {
    let env = TestEnv::new();
    let words = fragile();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = env.piton(&words).exits(4);
    let first = "error[PT0802]: boundary 4, reply-lost: iam.list_groups (`#1`): ";
    assert!(told.stderr.contains(first), "{}", told.stderr);
    assert!(told.stderr.contains("fragile.rhai:9:11"), "{}", told.stderr);
    let change = "report/outputs/0/value: \"looked\" in the reference, \"AccessDenied\" here";
    assert!(told.stderr.contains(change), "{}", told.stderr);
    assert!(told.stdout.contains(" 3 differences; "), "{}", told.stdout);
    let repeat = told.stderr.lines().find_map(|line| line.split("repeat it: ").nth(1)).unwrap();

    let again = env.shell(&format!("{repeat} --json")).exits(4);
    let lines = again.lines();
    let difference = lines.iter().find(|line| line["event"] == "difference").unwrap();
    let place = ["boundary", "kind", "key", "what", "file", "line"].map(|name| &difference[name]);
    let expected = json!([4, "reply-lost", "#1", "iam.list_groups", "fragile.rhai", 9]);
    assert_eq!(json!(place), expected);
    assert_eq!(difference["repeat_with"], repeat);
    let end = again.end();
    let counts = ["exit_code", "crashes", "resumes", "differences"].map(|name| &end[name]);
    assert_eq!(json!(counts), json!([4, 1, 1, 1]));

    // With the next intent the look is stored: after that it is not repeated.
    let stored = [words[0], words[1], words[2], "--crash", "#2:after-write"];
    env.piton(&stored).exits(0);
}

#[test]
fn what_a_person_must_settle_is_told_apart() {
    let env = TestEnv::new();
    let answer = env.piton(&["rehearse", &runbook("doubtful"), "--json"]).exits(0);
    let lines = answer.lines();
    let doubts: Vec<&Value> =
        lines.iter().filter(|line| line["event"] == "put_to_a_person").collect();
    let settled: Vec<&Value> = doubts.iter().map(|doubt| &doubt["settled"]).collect();
    assert_eq!(settled, ["sent again", "adopted"]);
    assert!(doubts.iter().all(|doubt| doubt["operation"] == "iam.create_access_key"));
    assert_eq!(answer.end()["put_to_a_person"], 2);
}

#[test]
fn a_run_that_came_to_no_end_is_not_crashed() {
    let env = TestEnv::new();
    let script = env.folder().join("waits.rhai");
    let body = "runbook(#{ title: \"t\", accounts: #{ admin: #{ doc: \"a\" } } });\n\
                approve(\"self\", #{ from: [aws(\"admin\").identity().arn], expires: \"1h\", on_expire: \"reject\" });";
    std::fs::write(script, body).unwrap();
    let answer = env.piton(&["rehearse", "./waits.rhai", "--json"]).exits(3);
    assert!(answer.stderr.contains("PT0802"), "{}", answer.stderr);
    assert_eq!(answer.end()["status"], "suspended");
}

#[test]
fn a_rejection_is_an_end_too() {
    let env = TestEnv::new();
    let script = runbook("gate");
    let answer = env.piton(&["rehearse", &script, "--reject", "access", "--json"]).exits(0);
    assert_eq!(answer.end()["status"], "rejected");
}

#[test]
fn wrong_flags_are_refused() {
    let env = TestEnv::new();
    let script = runbook("quick");
    for crash in ["nowhere", "3:later", "sample:x", "999:reply-lost"] {
        let answer = env.piton(&["rehearse", &script, "--crash", crash]).exits(2);
        assert!(answer.stderr.contains("PT0110") || answer.stderr.contains("--crash"));
    }
    assert_eq!(
        env.piton(&["rehearse", &script, "--crash", "none", "--json"]).exits(0).end()["crashes"],
        0
    );
    let sample = env.piton(&["rehearse", &script, "--crash", "sample:3", "--json"]).exits(0).end();
    assert_eq!(sample["crashes"], 3);
}

#[test]
fn ctrl_c_stops_it() {
    let env = TestEnv::new();
    let (mut child, mut stdout) = env.spawn(&["rehearse", "pfizer_poc", "--whole", "--json"]);
    read_until(&mut stdout, "reference");
    interrupt(&child);
    let end = read_until(&mut stdout, "end");
    assert_eq!(end["stopped"], true);
    assert_eq!(child.wait().unwrap().code(), Some(9));
}
