//! `run` and `resume`: exit codes, the last line, what a second process finds.

use serde_json::json;

use crate::support::{TestEnv, interrupt, read_until, runbook, text};

#[test]
fn a_run_to_the_end_is_0_and_the_last_line_says_so() {
    let env = TestEnv::new();
    let answer = env.rehearse("quick", &[]).exits(0);
    let lines = answer.lines();
    assert_eq!(lines[0]["event"], "started");
    let run = answer.run();
    assert!(lines.iter().all(|line| line["run"] == json!(run)));
    assert_eq!(
        answer.end(),
        json!({
            "event": "end", "run": run, "status": "succeeded", "exit_code": 0, "waiting_for": [],
            "error": null,
        })
    );
}

#[test]
fn a_finished_run_repeats_its_end_and_nothing_else() {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &[]).exits(0).run();
    let again = env.piton(&["resume", &run, "--json"]).exits(0);
    assert_eq!(again.lines().len(), 1);
    assert_eq!(again.end()["status"], "succeeded");
}

#[test]
fn for_people_the_result_is_on_stdout_and_the_rest_on_stderr() {
    let env = TestEnv::new();
    let answer = env.piton(&["run", &runbook("quick"), "--sandbox"]).exits(0);
    assert!(answer.stdout.contains("succeeded"), "{}", answer.stdout);
    assert!(answer.stdout.contains("role_arn: arn:aws:iam::"), "{}", answer.stdout);
    assert!(answer.stderr.contains("done create role"), "{}", answer.stderr);
    assert!(answer.stderr.contains("note: the role is there"), "{}", answer.stderr);
}

#[test]
fn a_second_process_goes_on_and_repeats_no_call_and_no_event() {
    let env = TestEnv::new();
    let first = env.rehearse("gate", &[]).exits(3);
    let run = first.run();
    assert!(first.lines().iter().any(|line| line["event"] == "step_closed"));
    env.piton(&["approve", &run, "--as", "approver"]).exits(0);
    let second = env.piton(&["resume", &run, "--json"]).exits(0);
    let names: Vec<String> = second
        .lines()
        .iter()
        .filter(|line| line["event"] == "step_closed")
        .map(|line| text(&line["name"]))
        .collect();
    assert_eq!(names, ["decide"]);
    let calls = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let looks = calls.as_array().unwrap().iter().filter(|call| call["operation"] == "ListUsers");
    assert_eq!(looks.count(), 1);
}

#[test]
fn a_run_owns_its_program_whatever_happens_to_the_file() {
    let env = TestEnv::new();
    let script = env.folder().join("mine.rhai");
    std::fs::copy(runbook("gate"), &script).unwrap();
    let path = script.display().to_string();
    let run = env.piton(&["run", &path, "--sandbox", "--json"]).exits(3).run();
    std::fs::write(&script, "this is no script").unwrap();
    env.piton(&["approve", &run, "--as", "approver"]).exits(0);
    assert_eq!(env.piton(&["resume", &run, "--json"]).exits(0).end()["status"], "succeeded");
}

#[test]
fn a_held_run_is_8_and_ctrl_c_suspends_it() {
    let env = TestEnv::new();
    let (mut child, mut stdout) = env.start("endless");
    let run = text(&read_until(&mut stdout, "called")["run"]);
    let refused = env.piton(&["resume", &run, "--json"]).exits(8);
    assert_eq!(refused.end()["error"]["code"], "PT0403");
    assert_eq!(refused.end()["run"], json!(run));
    let listed = env.piton(&["ls", "--json"]).exits(0).json();
    assert_eq!(listed[0]["status"], "running");
    interrupt(&child);
    let end = read_until(&mut stdout, "end");
    assert_eq!(end["status"], "suspended");
    assert_eq!(end["exit_code"], 3);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let cancelled = env.piton(&["cancel", &run, "-m", "enough", "--json"]).exits(0).json();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(env.piton(&["resume", &run, "--json"]).exits(9).end()["status"], "cancelled");
}

#[test]
fn a_killed_run_is_interrupted_and_goes_on() {
    let env = TestEnv::new();
    let (mut child, mut stdout) = env.start("endless");
    let run = text(&read_until(&mut stdout, "called")["run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let status = env.piton(&["status", &run, "--json"]).exits(0).json();
    assert_eq!(status["status"], "interrupted");
    assert_eq!(status["would_resume"]["cleanly"], true);
    env.piton(&["cancel", &run]).exits(0);
}

#[test]
fn a_broken_pipe_is_silent() {
    let env = TestEnv::new();
    let answer = env.shell("piton explain datazone --json | head -n 1");
    assert_eq!(answer.stderr, "");
    assert_eq!(answer.stdout, "{\n");
}

#[test]
fn labels_names_and_prefixes_find_runs() {
    let env = TestEnv::new();
    let run = env.rehearse("quick", &["--name", "mine", "--label", "team=data"]).exits(0).run();
    env.rehearse("quick", &["-p", "role=other"]).exits(0);
    let found = env.piton(&["ls", "--label", "team=data", "--json"]).exits(0).json();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["name"], "mine");
    let shown = env.piton(&["show", &run[..6], "--json"]).exits(0).json();
    assert_eq!(shown["run"], json!(run));
}
