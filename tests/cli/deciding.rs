//! Gates from the command line: who may, what is suggested, what a second answer does.

use serde_json::json;

use crate::support::{TestEnv, text};

#[test]
fn a_gate_without_a_terminal_is_3_with_the_commands_to_go_on() {
    let env = TestEnv::new();
    let answer = env.rehearse("gate", &[]).exits(3);
    let end = answer.end();
    assert_eq!(end["status"], "suspended");
    assert_eq!(end["waiting_for"][0]["kind"], "approval");
    assert_eq!(end["waiting_for"][0]["name"], "access");
    assert!(end["waiting_for"][0]["gate"].is_string());
    let run = answer.run();
    assert!(answer.stderr.contains(&format!("piton approve {run} ")), "{}", answer.stderr);
    assert!(answer.stderr.contains(&format!("piton resume {run}")), "{}", answer.stderr);
}

#[test]
fn the_inbox_s_commands_work_as_they_are() {
    let env = TestEnv::new();
    let run = env.rehearse("two_gates", &[]).exits(3).run();
    for expected in ["ann", "bob"] {
        let inbox = env.piton(&["inbox", "--json"]).exits(0).json();
        assert_eq!(inbox[0]["run"], json!(run));
        assert_eq!(inbox[0]["need"], 2);
        assert_eq!(inbox[0]["from"], json!(["ann", "bob"]));
        let command = text(&inbox[0]["approve_with"]);
        assert!(command.contains(&format!("--as {expected}")), "{command}");
        env.shell(&command).exits(0);
    }
    env.piton(&["resume", &run, "--json"]).exits(3);
    let inbox = env.piton(&["inbox", "--json"]).exits(0).json();
    let command = text(&inbox[0]["approve_with"]);
    env.shell(&command).exits(0);
    env.piton(&["resume", &run, "--json"]).exits(0);
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    assert_eq!(shown["outputs"]["level"], "low");
    assert_eq!(env.piton(&["inbox", "--json"]).exits(0).json(), json!([]));
}

#[test]
fn reject_with_ends_the_run_with_6() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    let inbox = env.piton(&["inbox", "--json"]).exits(0).json();
    env.shell(&text(&inbox[0]["reject_with"])).exits(0);
    let end = env.piton(&["resume", &run, "--json"]).exits(6).end();
    assert_eq!(end["status"], "rejected");
    assert_eq!(end["error"]["code"], "PT0305");
    assert!(end["error"]["line"].is_u64());
}

#[test]
fn home_is_part_of_the_commands_when_it_was_given() {
    let env = TestEnv::new();
    let home = env.folder().join("another home").display().to_string();
    let run = env.rehearse("gate", &["--home", &home]).exits(3).run();
    let inbox = env.piton(&["inbox", "--json", "--home", &home]).exits(0).json();
    env.shell(&text(&inbox[0]["approve_with"])).exits(0);
    env.piton(&["resume", &run, "--json", "--home", &home]).exits(0);
}

#[test]
fn the_requester_may_not_decide_and_is_told_who_may() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    let refused = env.piton(&["approve", &run]).exits(2);
    assert!(refused.stderr.contains("PT0601"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--as approver"), "{}", refused.stderr);
    let refused = env.piton(&["approve", &run, "--as", "stranger"]).exits(2);
    assert!(refused.stderr.contains("stranger"), "{}", refused.stderr);
    env.piton(&["resume", &run, "--json"]).exits(3);
}

#[test]
fn a_second_equal_answer_changes_nothing_and_a_conflicting_one_names_the_first() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    let first = env.piton(&["approve", &run, "access", "--as", "approver", "--json"]).exits(0);
    assert_eq!(first.json()["decision"], "approved");
    assert_eq!(first.json()["alias"], "approver");
    let again = env.piton(&["approve", &run, "access", "--as", "approver", "--json"]).exits(0);
    assert_eq!(again.json()["repeated"], true);
    let conflict = env.piton(&["reject", &run, "access", "--as", "approver"]).exits(2);
    assert!(conflict.stderr.contains("PT0603"), "{}", conflict.stderr);
    assert!(conflict.stderr.contains("already approved by"), "{}", conflict.stderr);
}

#[test]
fn run_and_gate_may_be_left_out_when_one_gate_alone_is_open() {
    let env = TestEnv::new();
    let first = env.rehearse("gate", &[]).exits(3).run();
    let second = env.rehearse("gate", &[]).exits(3).run();
    let refused = env.piton(&["approve", "--as", "approver"]).exits(2);
    assert!(refused.stderr.contains(&first) && refused.stderr.contains(&second));
    env.piton(&["approve", &first, "--as", "approver"]).exits(0);
    env.piton(&["approve", "--as", "approver"]).exits(0);
    env.piton(&["resume", &second, "--json"]).exits(0);
    env.piton(&["resume", &first, "--json"]).exits(0);
    let nothing = env.piton(&["approve", "--as", "approver"]).exits(2);
    assert!(nothing.stderr.contains("PT0602"), "{}", nothing.stderr);
}

#[test]
fn approve_resume_ends_like_resume() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    let answer =
        env.piton(&["approve", &run, "--as", "approver", "-m", "fine", "--resume", "--json"]);
    let answer = answer.exits(0);
    assert_eq!(answer.lines()[0]["event"], "decided");
    assert_eq!(answer.end()["status"], "succeeded");
}

#[test]
fn an_expired_gate_is_6() {
    let env = TestEnv::new();
    let run = env.rehearse("expiring", &[]).exits(3).run();
    env.piton(&["resume", &run, "--json"]).exits(3);
    env.piton(&["sandbox", "advance", "2h"]).exits(0);
    let late = env.piton(&["approve", &run, "--as", "approver"]).exits(2);
    assert!(late.stderr.contains("expired"), "{}", late.stderr);
    let end = env.piton(&["resume", &run, "--json"]).exits(6).end();
    assert_eq!(end["status"], "rejected");
    assert_eq!(end["error"]["code"], "PT0306");
}

#[test]
fn status_says_who_can_act_with_which_command() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    let status = env.piton(&["status", &run, "--json"]).exits(0).json();
    assert_eq!(status["status"], "suspended");
    assert_eq!(status["actions"][0]["who"], "approver");
    assert_eq!(status["would_resume"]["still_waits"], true);
    env.shell(&text(&status["actions"][0]["command"])).exits(0);
    let status = env.piton(&["status", &run, "--json"]).exits(0).json();
    assert_eq!(status["would_resume"]["still_waits"], false);
    env.shell(&text(&status["actions"][0]["command"])).exits(0);
}
