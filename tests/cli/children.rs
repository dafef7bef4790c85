//! Runbooks that call others, and locks, from the command line: each command a process of its own.

use serde_json::Value;

use crate::support::{TestEnv, runbook, text};

fn rows(env: &TestEnv) -> Vec<Value> {
    let listed = env.piton(&["ls", "--json"]).exits(0).json();
    listed.as_array().unwrap().clone()
}

/// The child of a run.
fn child(env: &TestEnv, run: &str) -> String {
    let rows = rows(env);
    let child = rows.iter().find(|row| row["parent"] == run);
    text(&child.unwrap_or_else(|| panic!("{run} has no child in {rows:?}"))["run"])
}

#[test]
fn a_gate_of_a_child_is_decided_and_its_caller_goes_on() {
    let env = TestEnv::new();
    let started = env.rehearse("calling", &[]).exits(3);
    let run = started.run();
    let child = child(&env, &run);
    let waiting = started.end()["waiting_for"].clone();
    assert_eq!(waiting[0]["gate"], "agree");
    assert_eq!(waiting[0]["run"], Value::from(child.clone()));
    let status = env.piton(&["status", &run]).exits(0).stdout;
    let decide = status.lines().find(|line| line.contains("piton approve")).unwrap().trim();
    assert_eq!(decide, format!("piton approve {child} agree --as ann"));
    assert!(started.stderr.contains(decide), "{}", started.stderr);
    let decided = env.shell(&format!("{decide} --json")).exits(0).json();
    assert_eq!(decided["resume_with"], format!("piton resume {run}"));
    let end = env.piton(&["resume", &run, "--json"]).exits(0).end();
    assert_eq!(end["run"], Value::from(run.clone()));
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    assert_eq!(shown["outputs"]["arn"], "arn:aws:iam::111111111111:role/called");
    assert_eq!(shown["children"][0]["run"], Value::from(child.clone()));
    assert_eq!(shown["children"][0]["status"], "succeeded");
    let journal = env.piton(&["journal", &run, "--json"]).exits(0).json();
    let of_calls = journal.as_array().unwrap().iter().filter(|row| row["kind"] == "child");
    let keys: Vec<&Value> = of_calls.map(|row| &row["key"]).collect();
    assert_eq!(keys, ["prepare#0"]);
    for (of, other) in [(&run, &child), (&child, &run)] {
        for format in ["html", "md"] {
            let report = env.piton(&["report", of, "--format", format]).exits(0).stdout;
            assert!(report.contains(other.as_str()), "{format} of {of} does not name {other}");
        }
    }
    env.piton(&["verify", &run]).exits(0);
}

#[test]
fn a_run_owns_what_it_calls_whatever_becomes_of_the_files() {
    let env = TestEnv::new();
    for name in ["calling", "prepare"] {
        let own = env.folder().join(format!("{name}.rhai"));
        std::fs::copy(runbook(name), own).unwrap();
    }
    let run = env.piton(&["run", "./calling.rhai", "--sandbox", "--json"]).exits(3).run();
    std::fs::write(env.folder().join("prepare.rhai"), "nothing").unwrap();
    env.piton(&["approve", &child(&env, &run), "agree", "--as", "ann", "--resume", "--json"])
        .exits(0);
    let refused = env.piton(&["check", "./calling.rhai"]).exits(2);
    assert!(refused.stdout.contains("PT0215") || refused.stderr.contains("PT0215"), "{refused:?}");
}

#[test]
fn a_failed_child_is_attempted_again_through_its_caller() {
    let env = TestEnv::new();
    let run = env.rehearse("calling", &["-p", "domain=dzd_absent0001"]).exits(3).run();
    let child = child(&env, &run);
    env.piton(&["approve", &child, "agree", "--as", "ann"]).exits(0);
    let failed = env.piton(&["resume", &run, "--json"]).exits(4);
    assert_eq!(failed.end()["error"]["code"], "PT0311");
    assert_eq!(failed.end()["error"]["line"], 8);
    let again = env.piton(&["resume", &run, "--retry", "--json"]).exits(4);
    assert_eq!(again.end()["error"]["code"], "PT0311");
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let count = |operation: &str| {
        log.as_array().unwrap().iter().filter(|call| call["operation"] == operation).count()
    };
    assert_eq!((count("CreateRole"), count("GetDomain")), (1, 2));
    assert_eq!(rows(&env).len(), 2);
}

#[test]
fn a_lock_keeps_a_second_run_waiting() {
    let env = TestEnv::new();
    let first = env.rehearse("calling", &[]).exits(3).run();
    let blocked = env.rehearse("calling", &["-p", "name=other"]).exits(3);
    let second = blocked.run();
    let waiting = blocked.end()["waiting_for"][0].clone();
    assert_eq!(waiting["kind"], "state");
    // The lock of a child is that of the outermost run.
    assert_eq!(waiting["name"], format!("lock roles, held by run {first}"));
    let status = env.piton(&["status", &first, "--json"]).exits(0).json();
    assert_eq!(status["locks"][0], "roles");
    let doctor = env.piton(&["doctor"]).exits(0).stdout;
    assert!(doctor.contains(&format!("roles by run {first}")), "{doctor}");
    let status = env.piton(&["status", &second, "--json"]).exits(0).json();
    assert_eq!(status["would_resume"]["cleanly"], true);
    env.piton(&["cancel", &first]).exits(0);
    let go_on = env.piton(&["resume", &second, "--json"]).exits(3).end();
    assert_eq!(go_on["waiting_for"][0]["gate"], "agree");
}

#[test]
fn a_cancel_ends_the_child_and_a_child_in_use_is_not_removed() {
    let env = TestEnv::new();
    let run = env.rehearse("calling", &[]).exits(3).run();
    let child = child(&env, &run);
    let refused = env.piton(&["rm", &child]).exits(2);
    assert!(refused.stderr.contains(&run), "{}", refused.stderr);
    env.piton(&["cancel", &run]).exits(0);
    let statuses: Vec<String> = rows(&env).iter().map(|row| text(&row["status"])).collect();
    assert_eq!(statuses, ["cancelled", "cancelled"]);
    env.piton(&["rm", &child]).exits(0);
}

#[test]
fn a_rollback_of_the_caller_takes_back_what_the_child_made() {
    let env = TestEnv::new();
    let run = env.rehearse("calling", &[]).exits(3).run();
    let child = child(&env, &run);
    env.piton(&["approve", &child, "agree", "--as", "ann", "--resume", "--json"]).exits(0);
    let plan = env.piton(&["rollback", &run, "--plan", "--json"]).exits(0).stdout;
    assert!(plan.contains("prepare#0/make#0"), "{plan}");
    env.piton(&["rollback", &run, "--yes", "--json"]).exits(0);
    let resources =
        env.piton(&["sandbox", "dump", "--json"]).exits(0).json()["resources"].to_string();
    assert!(!resources.contains("role/called"), "{resources}");
    let rows = rows(&env);
    let status = |run: &str| rows.iter().find(|row| row["run"] == run).unwrap()["status"].clone();
    assert_eq!((status(&run), status(&child)), ("compensated".into(), "compensated".into()));
}
