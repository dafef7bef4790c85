//! Queries: one document each, with the promised members.

use serde_json::Value;

use crate::support::{TestEnv, runbook};

#[track_caller]
fn has_members(value: &Value, members: &[&str]) {
    for member in members {
        assert!(value.get(member).is_some(), "`{member}` is missing in {value}");
    }
}

#[test]
fn an_empty_home_lists_nothing() {
    let env = TestEnv::new();
    for command in ["ls", "inbox"] {
        assert_eq!(env.piton(&[command, "--json"]).exits(0).stdout, "[]\n");
    }
}

#[test]
fn ls_show_and_journal_have_the_promised_members() {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &[]).exits(0).run();
    let row = ["run", "runbook", "name", "status", "started_at", "updated_at", "waiting_for"];
    let listed = env.piton(&["ls", "--json"]).exits(0).json();
    has_members(&listed[0], &row);
    assert_eq!(listed[0].as_object().unwrap().len(), row.len());
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    has_members(&shown, &row);
    has_members(&shown, &["params", "accounts", "steps", "outputs", "artifacts", "program"]);
    has_members(&shown["steps"][0], &["path", "name", "status", "started_at", "ended_at"]);
    has_members(&shown["program"], &["hash", "files"]);
    assert_eq!(shown["steps"][0]["name"], "create role");
    assert_eq!(shown["steps"][0]["status"], "succeeded");
    assert_eq!(shown["accounts"][0]["alias"], "admin");
    let entries = env.piton(&["journal", &run, "--json"]).exits(0).json();
    let members = [
        "seq",
        "key",
        "kind",
        "service",
        "operation",
        "account",
        "class",
        "input",
        "outcome",
        "error",
        "token",
        "at",
        "hash",
    ];
    for (index, entry) in entries.as_array().unwrap().iter().enumerate() {
        has_members(entry, &members);
        assert_eq!(entry["seq"], index + 1);
    }
    let of_role = |kind: &str| {
        let entries = entries.as_array().unwrap();
        entries.iter().find(|row| row["kind"] == kind && row["operation"] == "create_role").cloned()
    };
    let intent = of_role("intent").unwrap();
    assert_eq!(intent["service"], "iam");
    assert_eq!(intent["input"]["RoleName"], "piton-role");
    assert!(intent["outcome"].is_null());
    let outcome = of_role("outcome").unwrap();
    assert_eq!(outcome["key"], intent["key"]);
    assert!(outcome["outcome"]["Role"]["Arn"].is_string());
}

#[test]
fn watch_tells_the_entries_of_a_run_that_nobody_drives_and_ends() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    let watched = env.piton(&["watch", &run, "--json"]).exits(0);
    let entries = env.piton(&["journal", &run, "--json"]).exits(0).json();
    assert_eq!(Value::from(watched.lines()), entries);
}

#[test]
fn rm_forgets_a_run() {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &[]).exits(0).run();
    let removed = env.piton(&["rm", &run, "--world", "--json"]).exits(0).json();
    assert_eq!(removed["removed"][0], run.as_str());
    assert_eq!(env.piton(&["ls", "--json"]).exits(0).stdout, "[]\n");
    let worlds = std::fs::read_dir(env.home().join("sandbox")).unwrap().map(Result::unwrap);
    assert_eq!(worlds.filter(|entry| entry.path().extension().is_some()).count(), 0);
}

#[test]
fn help_shows_what_a_runbook_takes() {
    let env = TestEnv::new();
    let help = env.piton(&["run", &runbook("quick"), "--help"]).exits(0);
    for part in ["Quick", "who makes the role", "role <string> [preset piton-role]", "--wait-limit"]
    {
        assert!(help.stdout.contains(part), "{part}\n{}", help.stdout);
    }
    let plain = env.piton(&["run", "--help"]).exits(0);
    assert!(plain.stdout.contains("--sandbox"));
}

#[test]
fn doctor_is_content_with_a_fresh_home() {
    let env = TestEnv::new();
    env.rehearse("quick", &[]).exits(0);
    let doctor = env.piton(&["doctor", "--json"]).exits(0).json();
    assert_eq!(doctor["ok"], true);
    assert!(doctor["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true));
}
