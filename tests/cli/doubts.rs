//! Doubts at the command line: shown with what AWS has, settled with a reason, told in the report.

use std::fs;

use serde_json::Value;

use crate::support::{TestEnv, runbook, text};

const PEOPLE: &str = "[[people]]\nalias = \"admin\"\nadministrator = true\n";

/// The rehearsal of a runbook in a world with these faults, which ends stuck: the run and the key.
fn stuck(env: &TestEnv, script: &str, faults: &str) -> (String, String) {
    fs::write(env.folder().join("lossy.toml"), format!("{PEOPLE}{faults}")).unwrap();
    let script = runbook(script);
    let answer = env.piton(&["run", &script, "--sandbox=lossy.toml", "--json"]).exits(5);
    let (run, end) = (answer.run(), answer.end());
    assert_eq!(end["status"], "stuck");
    assert_eq!(end["waiting_for"][0]["kind"], "doubt");
    assert_eq!(end["error"]["code"], "PT0402");
    (run, text(&end["waiting_for"][0]["gate"]))
}

/// An access key that nobody can look up.
fn stuck_about_a_key(env: &TestEnv) -> (String, String) {
    stuck(
        env,
        "doubtful",
        "[[faults]]\noperation = \"iam.CreateAccessKey\"\nkind = \"reply_lost\"\n",
    )
}

fn sent(env: &TestEnv, operation: &str) -> usize {
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    log.as_array().unwrap().iter().filter(|call| call["operation"] == operation).count()
}

fn only_doubt(env: &TestEnv, run: &str) -> Value {
    let report = env.piton(&["report", run, "--json"]).exits(0).json();
    let doubts = report["doubts"].as_array().unwrap();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    doubts[0].clone()
}

#[test]
fn a_doubt_is_5_until_a_person_settles_it_with_a_reason() {
    let env = TestEnv::new();
    let (run, key) = stuck_about_a_key(&env);
    env.piton(&["resume", &run, "--json"]).exits(5);
    env.piton(&["resolve", &run, &key, "--skip"]).exits(2);
    env.piton(&["resolve", &run, &key, "--skip", "-m", " "]).exits(2);
    env.piton(&["resolve", &run, &key, "--skip", "--retry", "-m", "both"]).exits(2);
    let settle = ["resolve", &run, &key, "--skip", "-m", "not needed", "--json"];
    let settled = env.piton(&settle).exits(0).json();
    assert_eq!((&settled["how"], &settled["repeated"]), (&"skipped".into(), &false.into()));
    // The same again changes nothing; another word is refused and names the first.
    assert_eq!(env.piton(&settle).exits(0).json()["repeated"], true);
    let contrary =
        env.piton(&["resolve", &run, &key, "--retry", "-m", "it never arrived"]).exits(2);
    assert!(contrary.stderr.contains("piton resume"), "{}", contrary.stderr);
    env.shell(&text(&settled["resume_with"])).exits(0);
    assert_eq!(sent(&env, "CreateAccessKey"), 1);
    let doubt = only_doubt(&env, &run);
    assert_eq!(doubt["operation"], "iam.create_access_key");
    assert_eq!((&doubt["how"], &doubt["reason"]), (&"skipped".into(), &"not needed".into()));
    assert_eq!(doubt["by"], settled["by"]);
    assert_eq!(doubt["at"], settled["at"]);
    let page = env.piton(&["report", &run, "--format", "md"]).exits(0).stdout;
    assert!(page.contains("skipped") && page.contains("not needed"), "{page}");
}

#[test]
fn what_is_in_doubt_is_shown_wherever_a_run_is_with_commands_that_work() {
    let env = TestEnv::new();
    let (run, key) = stuck_about_a_key(&env);
    let retry = format!("piton resolve {run} '{key}' --retry -m REASON");
    for command in [vec!["status", &run], vec!["show", &run], vec!["inbox"], vec!["inbox", &run]] {
        let shown = env.piton(&command).exits(0).stdout;
        assert!(shown.contains(&retry), "{command:?}: {shown}");
        assert!(shown.contains("--adopt ID --output JSON"), "{command:?}: {shown}");
    }
    let status = env.piton(&["status", &run, "--json"]).exits(0).json();
    let doubt = &status["doubts"][0];
    assert_eq!(
        (&doubt["key"], &doubt["operation"]),
        (&key.into(), &"iam.create_access_key".into())
    );
    assert_eq!(doubt["ways"].as_array().unwrap().len(), 3);
    let way = text(&doubt["ways"][1]["command"]);
    env.shell(&way).exits(0);
    env.piton(&["resume", &run]).exits(0);
    assert_eq!(sent(&env, "CreateAccessKey"), 2);
    assert_eq!(only_doubt(&env, &run)["how"], "sent anew");
    // Nothing is in doubt any more.
    let late = env.piton(&["resolve", &run, "#0", "--skip", "-m", "late"]).exits(2);
    assert!(late.stderr.contains("in doubt about nothing"), "{}", late.stderr);
}

#[test]
fn what_is_adopted_has_to_be_shown_or_said_and_holds_no_secret() {
    let env = TestEnv::new();
    let (run, key) = stuck_about_a_key(&env);
    let adopt = |further: &[&str]| {
        let mut words =
            vec!["resolve", &run, &key, "--adopt", "AKIA5A17DB0C0001", "-m", "seen", "--json"];
        words.extend(further);
        env.piton(&words)
    };
    let wrong = env.piton(&["resolve", &run, "#77", "--skip", "-m", "another"]).exits(2);
    assert!(wrong.stderr.contains(&key), "{}", wrong.stderr);
    assert!(adopt(&[]).exits(2).stderr.contains("AccessKey"));
    adopt(&["--output", "no json"]).exits(2);
    let unknown = adopt(&["--output", r#"{"AccesKey": {}}"#]).exits(2);
    assert!(unknown.stderr.contains("AccessKey"), "{}", unknown.stderr);
    let secret =
        r#"{"AccessKey": {"AccessKeyId": "AKIA5A17DB0C0001", "SecretAccessKey": "hunter2"}}"#;
    let refused = adopt(&["--output", secret]).exits(2);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    let output = r#"{"AccessKey": {"UserName": "robot", "AccessKeyId": "AKIA5A17DB0C0001", "Status": "Active"}}"#;
    adopt(&["--output", output]).exits(0);
    env.piton(&["resume", &run]).exits(0);
    assert_eq!(sent(&env, "CreateAccessKey"), 1);
    // A replay answers what the script got then.
    env.piton(&["resume", &run]).exits(0);
    assert_eq!(only_doubt(&env, &run)["how"], "adopted");
}

#[test]
fn a_candidate_is_shown_with_what_differs_and_adopted_by_its_id() {
    let env = TestEnv::new();
    let faults = "[[faults]]\noperation = \"iam.CreateRole\"\nkind = \"reply_lost\"\n\
                  [[faults]]\noperation = \"iam.GetRole\"\nkind = \"access_denied\"\n";
    let (run, key) = stuck(&env, "doubtful_role", faults);
    let status = env.piton(&["status", &run]).exits(0).stdout;
    assert!(status.contains("the search for it was refused"), "{status}");
    // Somebody changes the role before the run goes on.
    let world = text(&env.piton(&["show", &run, "--json"]).exits(0).json()["world"]);
    let script = runbook("rewording");
    env.piton(&["run", &script, &format!("--sandbox={world}"), "--json"]).exits(0);
    env.piton(&["resume", &run, "--json"]).exits(5);
    let doubt = env.piton(&["status", &run, "--json"]).exits(0).json()["doubts"][0].clone();
    let candidate = &doubt["candidates"][0];
    let id = text(&candidate["id"]);
    assert!(id.ends_with(":role/doubtful"), "{id}");
    assert!(candidate["created_at"].is_string());
    let difference = &candidate["differences"][0];
    assert_eq!(difference["field"], "Description");
    assert_eq!((&difference["asked"], &difference["shown"]), (&"works".into(), &"rests".into()));
    assert!(env.piton(&["inbox"]).exits(0).stdout.contains("asked \"works\", is \"rests\""));
    let unknown = env.piton(&["resolve", &run, &key, "--adopt", "another", "-m", "?"]).exits(2);
    assert!(unknown.stderr.contains(&id), "{}", unknown.stderr);
    env.piton(&["resolve", &run, &key, "--adopt", &id, "-m", "made by this run"]).exits(0);
    let ended = env.piton(&["resume", &run, "--json"]).exits(0);
    assert_eq!(ended.end()["status"], "succeeded");
    assert_eq!(sent(&env, "CreateRole"), 1);
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    assert_eq!(shown["outputs"]["arn"], id.as_str());
    let doubt = only_doubt(&env, &run);
    assert_eq!((&doubt["how"], &doubt["adopted"]), (&"adopted".into(), &id.as_str().into()));
    for format in ["md", "html"] {
        let page = env.piton(&["report", &run, "--format", format]).exits(0).stdout;
        assert!(page.contains("made by this run") && page.contains("Description"), "{page}");
    }
}

#[test]
fn a_doubt_that_was_settled_without_a_person_is_in_the_report_too() {
    let env = TestEnv::new();
    let faults = "[[faults]]\noperation = \"iam.CreateRole\"\nkind = \"reply_lost\"\n";
    fs::write(env.folder().join("lossy.toml"), format!("{PEOPLE}{faults}")).unwrap();
    let script = runbook("doubtful_role");
    let run = env.piton(&["run", &script, "--sandbox=lossy.toml", "--json"]).exits(0).run();
    let doubt = only_doubt(&env, &run);
    assert_eq!((&doubt["how"], &doubt["by"]), (&"adopted".into(), &Value::Null));
    assert!(text(&doubt["adopted"]).ends_with(":role/doubtful"));
    assert!(doubt["sent_at"].is_string() && doubt["at"].is_string());
    let page = env.piton(&["report", &run, "--format", "md"]).exits(0).stdout;
    assert!(page.contains("the engine"), "{page}");
}
