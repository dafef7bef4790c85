//! Without `--sandbox`: piton.toml, profiles and the SDK's real transport, with a served sandbox in
//! place of AWS.

use std::fs;
use std::io::BufRead as _;
use std::process::Child;

use serde_json::{Value, json};

use crate::support::{Answer, TestEnv, runbook, text};

const WORLD: &str = "[[people]]\nalias = \"admin\"\nadministrator = true\n\
                     [[people]]\nalias = \"approver\"\nadministrator = true\n";

/// A served world, with a profile for each of its people.
struct Served {
    env: TestEnv,
    server: Child,
}

impl Served {
    fn new() -> Self {
        let env = TestEnv::new();
        fs::write(env.folder().join("two.toml"), WORLD).unwrap();
        let (server, mut stdout) =
            env.spawn(&["sandbox", "serve", "--world", "two.toml", "--port", "0", "--json"]);
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let announced: Value = serde_json::from_str(&line).unwrap();
        let endpoint = text(&announced["endpoint"]);
        let mut credentials = String::new();
        let mut configuration = String::new();
        let mut table = |alias: &str, profile: &str| {
            configuration.push_str(&format!(
                "[accounts.{alias}]\nprofile = \"{profile}\"\nendpoint_url = \"{endpoint}\"\n\
                 region = \"eu-west-1\"\n"
            ));
        };
        table("default", "admin");
        for person in announced["people"].as_array().unwrap() {
            let alias = text(&person["alias"]);
            credentials.push_str(&format!(
                "[{alias}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                text(&person["access_key_id"]),
                text(&person["secret_access_key"])
            ));
            table(&alias, &alias);
        }
        fs::create_dir(env.folder().join(".aws")).unwrap();
        fs::write(env.folder().join(".aws/credentials"), credentials).unwrap();
        fs::write(env.folder().join("piton.toml"), configuration).unwrap();
        Self { env, server }
    }

    fn piton(&self, arguments: &[&str]) -> Answer {
        self.env.piton(arguments)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_run_goes_through_the_real_transport_and_people_prove_who_they_are() {
    let served = Served::new();
    let answer = served.piton(&["run", &runbook("gate"), "--json"]).exits(3);
    assert_eq!(answer.lines()[0]["world"], Value::Null);
    let run = answer.run();
    let refused = served.piton(&["approve", &run]).exits(2);
    assert!(refused.stderr.contains("PT0601"), "{}", refused.stderr);
    let inbox = served.piton(&["inbox", "--json"]).exits(0).json();
    assert!(text(&inbox[0]["approve_with"]).contains("--as approver"));
    let decided = served.piton(&["approve", &run, "--as", "approver", "--json"]).exits(0).json();
    assert!(text(&decided["by"]).ends_with("user/approver"));
    served.piton(&["resume", &run, "--json"]).exits(0);
    let shown = served.piton(&["show", &run, "--json"]).exits(0).json();
    assert!(text(&shown["outputs"]["by"]).ends_with("user/approver"));
    assert_eq!(served.piton(&["report", &run, "--json"]).exits(0).json()["sandbox"], json!(false));
    let doctor = served.piton(&["doctor", "--accounts", "--json"]).exits(0).json();
    assert_eq!(doctor["ok"], true);
}

#[test]
fn an_alias_that_became_somebody_else_is_refused_unless_rebound_on_record() {
    let served = Served::new();
    let run = served.piton(&["run", &runbook("gate"), "--json"]).exits(3).run();
    served.piton(&["approve", &run, "--as", "approver"]).exits(0);
    let path = served.env.folder().join("piton.toml");
    let before = fs::read_to_string(&path).unwrap();
    let swapped = before.replace(
        "[accounts.admin]\nprofile = \"admin\"",
        "[accounts.admin]\nprofile = \"approver\"",
    );
    assert_ne!(before, swapped);
    fs::write(&path, swapped).unwrap();
    let refused = served.piton(&["resume", &run, "--json"]).exits(2);
    assert_eq!(refused.end()["error"]["code"], "PT0502");
    assert_eq!(refused.end()["run"], json!(run));
    served.piton(&["resume", &run, "--rebind", "admin", "--json"]).exits(0);
    let shown = served.piton(&["report", &run, "--json"]).exits(0).json();
    let rebound = shown["accounts"].as_array().unwrap().iter().any(|row| row["rebound"] == true);
    assert!(rebound, "{}", shown["accounts"]);
}

#[test]
fn missing_credentials_suspend_and_never_fail() {
    let env = TestEnv::new();
    let configuration = "[accounts.admin]\nregion = \"eu-west-1\"\n";
    fs::write(env.folder().join("piton.toml"), configuration).unwrap();
    let output = env
        .command(&["run", &runbook("quick"), "--json"])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let end: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(end["status"], "suspended");
    assert_eq!(end["waiting_for"][0]["kind"], "credentials");
    assert_eq!(end["waiting_for"][0]["name"], "admin");
    let run = text(&end["run"]);
    fs::write(env.folder().join("piton.toml"), "[accounts.admin]\nregin = 1\n").unwrap();
    let status = env.piton(&["status", &run, "--json"]).exits(0).json();
    assert_eq!(status["would_resume"]["cleanly"], false);
}
