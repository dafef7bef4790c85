//! The packaged runbook `cross_account`: two accounts and four people, each decision in a process of
//! its own, and the worlds that lie beside it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, TestEnv, runbook, text};

/// What each world of the runbook's own is run with.
const SERVERLESS: &[&str] =
    &["-p", "workgroup=producer-workgroup", "-p", "consumer_workgroup=consumer-workgroup"];
const THREE: &[&str] = &["-p", "consumer_accounts=222222222222,333333333333,444444444444"];
const BARE: &[&str] = &["-p", "create_clusters=true"];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/cross_account"))
}

/// `--sandbox` with one of the runbook's worlds.
fn world(name: &str) -> String {
    format!("--sandbox={}", folder().join(name).display())
}

/// `--sandbox` with the runbook's world and more lines at its end.
fn world_with(env: &TestEnv, lines: &str) -> String {
    changed_world(env, |text| format!("{text}\n{lines}\n"))
}

/// `--sandbox` with the runbook's world, changed.
fn changed_world(env: &TestEnv, change: impl Fn(String) -> String) -> String {
    let text = change(fs::read_to_string(folder().join("world.toml")).unwrap());
    fs::write(env.folder().join("changed.toml"), text).unwrap();
    "--sandbox=changed.toml".to_owned()
}

fn start(env: &TestEnv, sandbox: &str, further: &[&str]) -> Answer {
    let mut words = vec!["run", "cross_account", sandbox, "--json"];
    words.extend(further);
    env.piton(&words)
}

/// The open gates.
fn open(env: &TestEnv) -> Vec<Value> {
    env.piton(&["inbox", "--json"]).exits(0).json().as_array().unwrap().clone()
}

fn approve(env: &TestEnv, gate: &Value) {
    env.shell(&text(&gate["approve_with"])).exits(0);
}

/// Approves all that is open and resumes, until the run waits for nobody.
fn to_the_end(env: &TestEnv, mut answer: Answer) -> Answer {
    while answer.code == 3 {
        let gates = open(env);
        assert!(!gates.is_empty(), "it waits for something else: {}", answer.stderr);
        gates.iter().for_each(|gate| approve(env, gate));
        answer = env.piton(&["resume", &answer.run(), "--json"]);
    }
    answer
}

fn outputs(env: &TestEnv, run: &str) -> Value {
    env.piton(&["show", run, "--json"]).exits(0).json()["outputs"].clone()
}

/// How many rows each account read of each table.
fn counts(outputs: &Value) -> Vec<(String, String, u64)> {
    let rows = outputs["row_counts"].as_array().unwrap();
    let mut counts: Vec<_> = rows
        .iter()
        .map(|row| (text(&row["account"]), text(&row["table"]), row["rows"].as_u64().unwrap()))
        .collect();
    counts.sort();
    counts
}

#[track_caller]
fn reads_everything(outputs: &Value, accounts: &[&str]) {
    let mut wanted = Vec::new();
    for account in accounts {
        for table in ["mkt_sls_table", "rs_sls_tbl"] {
            wanted.push(((*account).to_owned(), table.to_owned(), 11));
        }
    }
    assert_eq!(counts(outputs), wanted);
}

/// Decides one gate at a time, the first or the last that is open, with a resume after each.
fn one_at_a_time(from_the_end: bool) -> Value {
    let env = TestEnv::new();
    let mut answer = start(&env, "--sandbox", &[]);
    let mut order = Vec::new();
    while answer.code == 3 {
        let mut gates = open(&env);
        gates.sort_by_key(|gate| text(&gate["name"]));
        let gate = if from_the_end { gates.last() } else { gates.first() }.unwrap();
        order.push(text(&gate["name"]));
        approve(&env, gate);
        answer = env.piton(&["resume", &answer.run(), "--json"]);
    }
    let run = answer.exits(0).run();
    let review = |table: &str| format!("review {table}");
    let subscription = |table: &str| format!("subscription of 222222222222 to {table}");
    let (lake, warehouse) = ("mkt_sls_table", "rs_sls_tbl");
    // From the end, one table goes all its way while the other waits for its review.
    let tables = match from_the_end {
        true => [review(warehouse), subscription(warehouse), review(lake), subscription(lake)],
        false => [review(lake), review(warehouse), subscription(lake), subscription(warehouse)],
    };
    assert_eq!(order[0], "accept the association of 222222222222");
    assert_eq!(order[1..], tables);
    outputs(&env, &run)
}

#[test]
fn both_tables_are_read_whatever_the_order_of_decisions() {
    for from_the_end in [false, true] {
        let outputs = one_at_a_time(from_the_end);
        reads_everything(&outputs, &["222222222222"]);
        let lake = &outputs["rows: mkt_sls_table in 222222222222"];
        assert_eq!(lake, &outputs["rows: rs_sls_tbl in 222222222222"]);
        assert_eq!(lake[0]["ord_num"], 1001);
        assert_eq!(lake[0]["sell_pr"], "43.20");
        let names: Vec<&str> = outputs["row_counts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["Market Sales Table", "Sales Table"]);
    }
}

#[test]
fn the_report_has_the_people_the_share_the_decisions_and_a_picture() {
    let env = TestEnv::new();
    let started = start(&env, "--sandbox", &[]);
    let run = to_the_end(&env, started).exits(0).run();
    let report = env.piton(&["report", &run, "--format", "json"]).exits(0).json();
    let output = |name: &str| {
        let found = report["outputs"].as_array().unwrap().iter().find(|row| row["name"] == name);
        found.unwrap_or_else(|| panic!("no output {name}"))["value"].clone()
    };
    let people: Vec<String> =
        output("people").as_array().unwrap().iter().map(|row| text(&row["person"])).collect();
    let wanted =
        ["producer_admin", "publisher", "consumer_admin/222222222222", "subscriber/222222222222"];
    assert_eq!(people, wanted);
    assert_eq!(output("share")["inside_one_organisation"], false);
    assert!(text(&output("share")["permission"]).contains("Portal"));
    let decided = output("decisions");
    assert_eq!(decided.as_array().unwrap().len(), 5);
    assert!(decided.as_array().unwrap().iter().all(|row| row["decision"] == "approved"));
    let events = output("cloudtrail");
    let has = |account: &str, event: &str| {
        let mut events = events.as_array().unwrap().iter();
        events.any(|row| row["account"] == account && row["event"] == event)
    };
    assert!(has("111111111111", "CreateResourceShare"));
    assert!(has("222222222222", "AcceptResourceShareInvitation"));
    assert!(output("lake_formation").to_string().contains("\"principal\":\"222222222222\""));
    for report_of in ["prerequisites-before.md", "prerequisites-after.md"] {
        let found =
            report["artifacts"].as_array().unwrap().iter().find(|row| row["name"] == report_of);
        let words = text(&found.unwrap()["text"]);
        assert!(words.lines().count() > 10 && !words.contains("| fail |"), "{words}");
    }
    let picture = &report["pictures"][0];
    assert_eq!(picture["groups"].as_array().unwrap().len(), 2);
    assert!(
        picture["lines"].as_array().unwrap().iter().any(|line| line["label"] == "11 rows read")
    );
    let html = env.piton(&["report", &run, "--format", "html"]).exits(0).stdout;
    assert!(html.contains("class=\"picture\"") && html.contains("consumer 222222222222"));
}

#[test]
fn serverless_on_both_sides() {
    let env = TestEnv::new();
    let started = start(&env, &world("worlds/serverless.toml"), SERVERLESS);
    let run = to_the_end(&env, started).exits(0).run();
    let outputs = outputs(&env, &run);
    reads_everything(&outputs, &["222222222222"]);
    let kinds = outputs["warehouses"].as_array().unwrap().iter();
    assert!(kinds.map(|row| &row["kind"]).all(|kind| kind == "workgroup"));
}

#[test]
fn within_an_organisation_nobody_has_to_accept() {
    let env = TestEnv::new();
    let started = start(&env, &world("worlds/organisation.toml"), &[]).exits(3);
    let names: Vec<String> = open(&env).iter().map(|gate| text(&gate["name"])).collect();
    assert!(names.iter().all(|name| name.starts_with("review ")), "{names:?}");
    let run = to_the_end(&env, started).exits(0).run();
    let outputs = outputs(&env, &run);
    reads_everything(&outputs, &["222222222222"]);
    assert_eq!(outputs["share"]["inside_one_organisation"], true);
}

#[test]
fn three_consumers_are_served_at_once() {
    let env = TestEnv::new();
    let started = start(&env, &world("worlds/three.toml"), THREE).exits(3);
    assert_eq!(open(&env).len(), 3, "every consumer is asked");
    let run = to_the_end(&env, started).exits(0).run();
    reads_everything(&outputs(&env, &run), &["222222222222", "333333333333", "444444444444"]);
}

#[test]
fn warehouses_are_made_when_that_is_asked_for() {
    let env = TestEnv::new();
    let refused = start(&env, &world("worlds/bare.toml"), &[]).exits(4);
    let message = text(&refused.end()["error"]["message"]);
    assert!(message.contains("create_clusters=true"), "{message}");
    let started = start(&env, &world("worlds/bare.toml"), BARE);
    let run = to_the_end(&env, started).exits(0).run();
    let outputs = outputs(&env, &run);
    reads_everything(&outputs, &["222222222222"]);
    let origins = outputs["warehouses"].as_array().unwrap().iter();
    assert!(origins.map(|row| &row["origin"]).all(|origin| origin == "made here"));
}

/// Live state of the world of a run.
fn resources(env: &TestEnv, run: &str) -> Value {
    let shown = env.piton(&["show", run, "--json"]).exits(0).json();
    let world = text(&shown["world"]);
    env.piton(&["sandbox", "dump", "--world", &world, "--json"]).exits(0).json()["resources"]
        .clone()
}

/// Runs to the end and takes it back; the world is then as one that a refused run left alone.
fn leaves_nothing(sandbox: &str, further: &[&str]) {
    let env = TestEnv::new();
    let refused = start(&env, sandbox, &[further, &["-p", "bucket=no-such-bucket"]].concat());
    let before = resources(&env, &refused.exits(4).run());
    let started = start(&env, sandbox, further);
    let run = to_the_end(&env, started).exits(0).run();
    assert_ne!(resources(&env, &run), before, "the run made things");
    let end = env.piton(&["rollback", &run, "--yes", "--json"]).exits(0).end();
    assert_eq!(end["status"], "compensated");
    assert_eq!(resources(&env, &run), before);
}

#[test]
fn taken_back_nothing_is_left() {
    leaves_nothing("--sandbox", &[]);
}

#[test]
fn warehouses_that_were_made_are_taken_back_too() {
    leaves_nothing(&world("worlds/bare.toml"), BARE);
}

#[test]
fn workgroups_that_were_made_are_taken_back_too() {
    leaves_nothing(&world("worlds/bare.toml"), &[BARE, SERVERLESS].concat());
}

/// Runs one of the tests' runbooks in the world of a run.
fn meanwhile(env: &TestEnv, run: &str, script: &str) {
    let shown = env.piton(&["show", run, "--json"]).exits(0).json();
    let sandbox = format!("--sandbox={}", text(&shown["world"]));
    env.piton(&["run", &runbook(script), &sandbox, "--json"]).exits(0);
}

#[test]
fn what_is_decided_in_aws_closes_the_gate_with_the_real_decider() {
    let env = TestEnv::new();
    let run = start(&env, "--sandbox", &[]).exits(3).run();
    meanwhile(&env, &run, "accept_invitation");
    let reviews = env.piton(&["resume", &run, "--json"]).exits(3);
    assert_eq!(reviews.end()["waiting_for"].as_array().unwrap().len(), 2);
    open(&env).iter().for_each(|gate| approve(&env, gate));
    env.piton(&["resume", &run, "--json"]).exits(3);
    meanwhile(&env, &run, "accept_requests");
    env.piton(&["resume", &run, "--json"]).exits(0);
    let outputs = outputs(&env, &run);
    reads_everything(&outputs, &["222222222222"]);
    let in_aws: Vec<&Value> = outputs["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["where_it_was_decided"] == "in AWS")
        .collect();
    assert_eq!(in_aws.len(), 3, "{in_aws:?}");
    let calls = env.piton(&["journal", &run, "--json"]).exits(0).json();
    let sent = |operation: &str| {
        let mut entries = calls.as_array().unwrap().iter();
        entries.any(|entry| entry["kind"] == "intent" && entry["operation"] == operation)
    };
    assert!(!sent("accept_subscription_request"), "it was accepted by somebody else");
}

#[test]
fn every_failed_prerequisite_is_listed_before_anything_is_made() {
    let env = TestEnv::new();
    let sandbox = changed_world(&env, |text| {
        let old = "identifier = \"consumer-warehouse\"\naccount = \"consumer\"";
        let new = "identifier = \"consumer-warehouse\"\naccount = \"consumer\"\nencrypted = false\nnode_type = \"dc2.large\"";
        text.replace(old, new).replace(
            "password = \"Sandbox-Only-1\"\n\n[[secrets]]",
            "password = \"wrong\"\n\n[[secrets]]",
        )
    });
    let answer = start(&env, &sandbox, &["-p", "bucket=no-such-bucket-{account}"]).exits(4);
    let message = text(&answer.end()["error"]["message"]);
    for part in [
        "222222222222: 3 warehouse can share data: cluster consumer-warehouse is dc2.large",
        "222222222222: 4 warehouse is encrypted: cluster consumer-warehouse is not encrypted",
        "111111111111: 6 secret signs in as a superuser",
        "111111111111: 10 bucket: there is no bucket no-such-bucket-111111111111",
        "What to do: use RA3 nodes",
    ] {
        assert!(message.contains(part), "{part} is missing in\n{message}");
    }
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let changed = log.as_array().unwrap().iter().filter(|call| {
        // Signing in is a statement, which the warehouse remembers.
        call["effect"] == true && call["operation"] != "ExecuteStatement"
    });
    assert_eq!(changed.count(), 0, "nothing was made");
    let report = env.piton(&["report", &answer.run(), "--format", "json"]).exits(0).json();
    assert!(text(&report["artifacts"][0]["text"]).contains("| fail | 222222222222: 4"));
}

#[test]
fn what_aws_does_late_or_by_half_is_waited_for_and_repaired() {
    let env = TestEnv::new();
    let failures = "[failures]\nrole_not_yet_usable = 60\nassociation_lag = 400\n\
        lost_ram_principal = true\nfailed_ram_resource = true\ninvitation_expired = true\n\
        wrong_permission_names = true\ngrant_without_target = true\n";
    let started = start(&env, &world_with(&env, failures), &[]);
    let run = to_the_end(&env, started).exits(0).run();
    reads_everything(&outputs(&env, &run), &["222222222222"]);
    let report = env.piton(&["report", &run, "--format", "json"]).exits(0).json();
    let notes = report["notes"].to_string();
    for part in ["invited again", "taken out and put in again"] {
        assert!(notes.contains(part), "{part} is missing in {notes}");
    }
}

#[test]
fn limits_of_calls_a_second_are_waited_for() {
    let env = TestEnv::new();
    let sandbox = changed_world(&env, |text| format!("throttling = true\n{text}"));
    let answer = start(&env, &sandbox, &[]);
    to_the_end(&env, answer).exits(0);
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let met = log.as_array().unwrap().iter().filter(|call| call["error"] == "ThrottlingException");
    assert!(met.count() > 0, "a limit was met");
}

#[test]
fn a_dead_data_lake_administrator_stops_the_run_or_is_taken_off() {
    let env = TestEnv::new();
    let sandbox = world_with(&env, "[failures]\npoisoned_lake_formation_admins = true\n");
    let stopped = start(&env, &sandbox, &[]).exits(4);
    let message = text(&stopped.end()["error"]["message"]);
    assert!(message.contains("-p dead_lake_admins=remove"), "{message}");
    let started = start(&env, &sandbox, &["-p", "dead_lake_admins=remove"]);
    let run = to_the_end(&env, started).exits(0).run();
    reads_everything(&outputs(&env, &run), &["222222222222"]);
}

#[test]
fn the_first_runbook_works_over_a_workgroup_too() {
    let env = TestEnv::new();
    let world = fs::read_to_string(folder().with_file_name("pfizer_poc").join("world.toml"));
    let world = world
        .unwrap()
        .replace("[[clusters]]\nidentifier = \"poc-warehouse\"", "[[workgroups]]\nname = \"poc\"")
        .replace("node_type = \"ra3.xlplus\"\nnodes = 2\nencrypted = true\n", "")
        .replace("master_user =", "admin_user =")
        .replace("master_password =", "admin_password =");
    fs::write(env.folder().join("serverless.toml"), world).unwrap();
    let words = ["run", "pfizer_poc", "--sandbox=serverless.toml", "-p", "workgroup=poc", "--json"];
    let started = env.piton(&words);
    let run = to_the_end(&env, started).exits(0).run();
    let outputs = outputs(&env, &run);
    assert_eq!(outputs["warehouse"]["name"], "poc");
    assert_eq!(outputs["row_counts"][0]["rows"], json!(10));
}
