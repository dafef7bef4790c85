//! Branches from the command line: several gates at once, decided in any order by other processes.

use serde_json::{Value, json};

use crate::support::{Answer, TestEnv, text};

const GLUE: &str = "publish/[glue]/accept";
const REDSHIFT: &str = "publish/[redshift]/accept";

fn gates(end: &Value) -> Vec<String> {
    let waiting = end["waiting_for"].as_array().unwrap();
    let mut gates: Vec<String> = waiting.iter().map(|one| text(&one["gate"])).collect();
    gates.sort();
    gates
}

/// Keys and kinds of a run's entries, in the order of the journal.
fn story(env: &TestEnv, run: &str) -> Vec<(Value, Value)> {
    let journal = env.piton(&["journal", run, "--json"]).exits(0).json();
    journal
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"].clone(), row["kind"].clone()))
        .collect()
}

/// A run to its end, with the gates decided in an order.
fn decided(order: [(&str, &str); 2]) -> (TestEnv, String) {
    let env = TestEnv::new();
    let answer = env.rehearse("branches", &[]).exits(3);
    let run = answer.run();
    assert_eq!(gates(&answer.end()), [GLUE, REDSHIFT]);
    let inbox = env.piton(&["inbox", "--json"]).exits(0).json();
    assert_eq!(inbox.as_array().unwrap().len(), 2);
    let go_on = |who: &str, gate: &str| -> Answer {
        env.piton(&["approve", &run, gate, "--as", who]).exits(0);
        env.piton(&["resume", &run, "--json"])
    };
    let [(first, who), (second, other)] = order;
    let end = go_on(who, first).exits(3).end();
    assert_eq!(gates(&end), [second]);
    go_on(other, second).exits(0);
    (env, run)
}

#[test]
fn gates_of_branches_are_decided_in_any_order_with_one_result() {
    let mut made_of = Vec::new();
    for order in [[(GLUE, "ann"), (REDSHIFT, "bob")], [(REDSHIFT, "bob"), (GLUE, "ann")]] {
        let (env, run) = decided(order);
        let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
        let made = json!({
            "glue": ["ann", "glue-second"], "redshift": ["bob", "redshift-second"],
        });
        assert_eq!(shown["outputs"]["made"], made);
        let states: Vec<&Value> =
            shown["outputs"]["items"].as_array().unwrap().iter().map(|row| &row["state"]).collect();
        assert_eq!(states, ["done", "failed", "done"]);
        let paths: Vec<String> =
            shown["steps"].as_array().unwrap().iter().map(|step| text(&step["path"])).collect();
        let publish = ["publish", "publish/[glue]", "publish/[glue]/prepare", "publish/[redshift]"];
        assert_eq!(paths, [&publish[..], &["[0]", "[1]", "[2]"]].concat());
        let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
        let created =
            log.as_array().unwrap().iter().filter(|call| call["operation"] == "CreateRole");
        assert_eq!(created.count(), 6);
        let dump = env.piton(&["sandbox", "dump", "--json"]).exits(0).json();
        // Ids are given out in the order of creation, which is that of the decisions.
        let roles = &dump["resources"]["111111111111"]["aws-global"]["iam"]["role"];
        let names: Vec<String> = roles.as_object().unwrap().keys().cloned().collect();
        assert!(names.contains(&"glue-second".to_owned()), "{names:?}");
        made_of.push(names);
    }
    assert_eq!(made_of[0], made_of[1]);
}

#[test]
fn a_rehearsal_with_branches_is_the_same_every_time() {
    let once = || {
        let (env, run) = decided([(GLUE, "ann"), (REDSHIFT, "bob")]);
        let dump = env.piton(&["sandbox", "dump", "--json"]).exits(0).json();
        (story(&env, &run), dump)
    };
    assert_eq!(once(), once());
}

#[test]
fn both_gates_decided_before_one_resume_overlap_in_virtual_time() {
    let env = TestEnv::new();
    let run = env.rehearse("branches", &[]).exits(3).run();
    for (gate, who) in [(GLUE, "ann"), (REDSHIFT, "bob")] {
        env.piton(&["approve", &run, gate, "--as", who]).exits(0);
    }
    let answer = env.piton(&["resume", &run, "--json"]).exits(0);
    let waits: Vec<Value> =
        answer.lines().into_iter().filter(|line| line["event"] == "waited").collect();
    assert_eq!(waits.len(), 2);
    assert!(waits.iter().any(|line| line["branch"] == "publish/[glue]"), "{waits:?}");
    let report = env.piton(&["report", &run, "--format", "json"]).exits(0).json();
    let moment = |wait: &Value, name: &str| text(&wait[name]);
    let waits = report["waits"].as_array().unwrap();
    assert!(moment(&waits[1], "started_at") < moment(&waits[0], "ended_at"), "{waits:?}");
}

#[test]
fn lines_of_branches_say_which() {
    let env = TestEnv::new();
    let script = crate::support::runbook("branches");
    let answer = env.piton(&["run", &script, "--sandbox"]).exits(3);
    for line in [
        "  [glue] done prepare",
        "  [glue] gate publish/[glue]/accept is open for ann",
        "  [redshift] gate publish/[redshift]/accept is open for bob",
    ] {
        assert!(answer.stderr.contains(line), "{line:?} is not in\n{}", answer.stderr);
    }
    assert!(answer.stdout.contains(&format!("approval of {GLUE}")), "{}", answer.stdout);
    let run = text(&env.piton(&["ls", "--json"]).exits(0).json()[0]["run"]);
    let status = env.piton(&["status", &run]).exits(0);
    assert!(status.stdout.contains(GLUE) && status.stdout.contains(REDSHIFT), "{}", status.stdout);
}
