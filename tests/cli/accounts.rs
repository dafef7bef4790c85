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
    endpoint: String,
}

impl Served {
    fn new() -> Self {
        Self::of(WORLD)
    }

    fn of(world: &str) -> Self {
        let env = TestEnv::new();
        fs::write(env.folder().join("two.toml"), world).unwrap();
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
        Self { env, server, endpoint }
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

const TENANTS: &str = "[accounts]\nproducer = \"111111111111\"\nc1 = \"222222222222\"\n\
                       c2 = \"333333333333\"\n";

#[test]
fn an_alias_of_several_accounts_is_somebody_in_each() {
    let env = TestEnv::new();
    let people = "[[people]]\nalias = \"chief\"\nadministrator = true\n\
                  [[people]]\nalias = \"tenant\"\naccounts = [\"c1\"]\nadministrator = true\n";
    fs::write(env.folder().join("three.toml"), format!("{TENANTS}{people}")).unwrap();
    let arguments = ["run", &runbook("tenants"), "--sandbox=three.toml", "--json"];
    let run = env.piton(&arguments).exits(3).run();
    let journal = env.piton(&["journal", &run, "--json"]).exits(0).json();
    let entries = journal.as_array().unwrap().iter();
    let accounts: Vec<&Value> =
        entries.filter(|entry| entry["kind"] == "intent").map(|entry| &entry["account"]).collect();
    assert_eq!(accounts, ["tenant/222222222222", "tenant/333333333333"]);
    let inbox = env.piton(&["inbox", "--json"]).exits(0).json();
    assert_eq!(inbox[0]["from"], json!(["tenant/222222222222"]));
    // The same person of another account may not.
    let refused = env.piton(&["approve", &run, "--as", "tenant/333333333333"]).exits(2);
    assert!(refused.stderr.contains("PT0601"), "{}", refused.stderr);
    let command = text(&inbox[0]["approve_with"]);
    assert!(command.contains("--as tenant/222222222222"), "{command}");
    env.shell(&command).exits(0);
    env.piton(&["resume", &run, "--json"]).exits(0);
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    assert_eq!(shown["outputs"]["by"], "arn:aws:iam::222222222222:user/tenant");
    assert_eq!(shown["outputs"]["identity"]["account"], "222222222222");
    let bound: Vec<String> =
        shown["accounts"].as_array().unwrap().iter().map(|row| text(&row["alias"])).collect();
    assert_eq!(bound, ["chief", "tenant/222222222222", "tenant/333333333333"]);
}

#[test]
fn an_account_that_the_world_does_not_have_is_named_with_those_it_has() {
    let env = TestEnv::new();
    let tenants = "tenants=[\"555555555555\"]";
    let end = env.rehearse("tenants", &["-p", tenants]).exits(2).end();
    assert_eq!(end["error"]["code"], "PT0109");
    let message = text(&end["error"]["message"]);
    assert!(message.contains("555555555555") && message.contains("222222222222"), "{message}");
}

#[test]
fn a_role_in_each_of_several_accounts_is_assumed_and_proves_which_it_is() {
    let people = "[[people]]\nalias = \"admin\"\nadministrator = true\n\
                  [[people]]\nalias = \"one\"\naccount = \"c1\"\nadministrator = true\n\
                  [[people]]\nalias = \"two\"\naccount = \"c2\"\nadministrator = true\n";
    let served = Served::of(&format!("{TENANTS}{people}"));
    let setup = r#"runbook(#{ title: "Roles", accounts: #{ one: #{}, two: #{} } });
        fn role(account) {
            let trust = #{ Version: "2012-10-17", Statement: [#{ Effect: "Allow",
                Principal: #{ AWS: "111111111111" }, Action: "sts:AssumeRole" }] };
            account.iam.create_role(#{
                RoleName: "Tenant", AssumeRolePolicyDocument: to_json(trust) });
            account.iam.attach_role_policy(#{
                RoleName: "Tenant", PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess" });
        }
        role(aws("one"));
        role(aws("two"));"#;
    let script = served.env.folder().join("setup.rhai");
    fs::write(&script, setup).unwrap();
    served.piton(&["run", &script.display().to_string(), "--json"]).exits(0);
    let path = served.env.folder().join("piton.toml");
    let several = format!(
        "[accounts.chief]\nprofile = \"admin\"\nendpoint_url = \"{0}\"\nregion = \"eu-west-1\"\n\
         [accounts.tenant]\nprofile = \"admin\"\nendpoint_url = \"{0}\"\nregion = \"eu-west-1\"\n\
         role_arn = \"arn:aws:iam::{{account}}:role/Tenant\"\n",
        served.endpoint
    );
    fs::write(&path, fs::read_to_string(&path).unwrap() + several.as_str()).unwrap();
    let run = served.piton(&["run", &runbook("tenants"), "--json"]).exits(3).run();
    served.piton(&["approve", &run, "--as", "tenant/222222222222"]).exits(0);
    served.piton(&["resume", &run, "--json"]).exits(0);
    let shown = served.piton(&["show", &run, "--json"]).exits(0).json();
    assert_eq!(shown["outputs"]["identity"]["account"], "222222222222");
    assert!(text(&shown["outputs"]["by"]).contains("assumed-role/Tenant"));
    let doctor = served.piton(&["doctor", "--accounts", "--json"]).exits(0).json();
    assert_eq!(doctor["ok"], true);
    let log = served.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let made =
        log.as_array().unwrap().iter().filter(|call| {
            call["operation"] == "CreateRole" && call["input"]["RoleName"] == "Reader"
        });
    let accounts: Vec<&Value> = made.map(|call| &call["account"]).collect();
    assert_eq!(accounts, ["222222222222", "333333333333"]);
}
