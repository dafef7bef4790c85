//! `status` and `doctor`: whether a run would go on now, why not, and that looking changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{TestEnv, interrupt, read_until, runbook, text};

fn would_resume(env: &TestEnv, run: &str) -> Value {
    env.piton(&["status", run, "--json"]).exits(0).json()["would_resume"].clone()
}

fn doctor(env: &TestEnv, further: &[&str]) -> Value {
    let mut arguments = vec!["doctor", "--json"];
    arguments.extend(further);
    env.piton(&arguments).exits(0).json()
}

/// What `doctor` says of a run.
fn line(doctor: &Value, run: &str) -> Value {
    let mut lines = doctor["runs"].as_array().unwrap().iter();
    lines.find(|line| line["run"] == run).unwrap_or_else(|| panic!("{run} is not there")).clone()
}

/// The databases of a home, byte for byte.
pub(crate) fn databases(home: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [home.to_owned(), home.join("sandbox")] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().extension().is_some_and(|ending| ending == "db") {
                let bytes = std::fs::read(entry.path()).unwrap();
                found.insert(entry.path().display().to_string(), bytes);
            }
        }
    }
    found
}

#[test]
fn an_open_gate_is_waited_for_and_a_decided_one_goes_on() {
    let env = TestEnv::new();
    let run = env.rehearse("edited", &[]).exits(3).run();
    let waits = would_resume(&env, &run);
    assert_eq!((&waits["verdict"], &waits["still_waits"]), (&json!("waits"), &json!(true)));
    assert_eq!(waits["would"][0]["what"], "waits for a decision at the gate decide/access");
    assert_eq!(waits["would"][0]["key"], "decide#0");
    assert_eq!(
        (&waits["would"][0]["file"], &waits["would"][0]["line"]),
        (&json!("edited.rhai"), &json!(16))
    );
    assert!(text(&waits["next"][0]).starts_with("piton inbox"), "{waits}");
    env.piton(&["approve", &run, "--as", "approver"]).exits(0);
    let goes_on = would_resume(&env, &run);
    assert_eq!((&goes_on["verdict"], &goes_on["cleanly"]), (&json!("goes_on"), &json!(true)));
    env.shell(&text(&goes_on["next"][0])).exits(0);
    let ended = would_resume(&env, &run);
    assert_eq!((&ended["verdict"], &ended["cleanly"]), (&json!("ended"), &json!(false)));
}

#[test]
fn looking_changes_no_database_and_sends_nothing() {
    let env = TestEnv::new();
    let run = env.rehearse("branches", &[]).exits(3).run();
    let calling = env.rehearse("calling", &[]).exits(3).run();
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).stdout;
    let before = databases(&env.home());
    for run in [&run, &calling] {
        env.piton(&["status", run]).exits(0);
        env.piton(&["resume", run, "--preview"]).exits(0);
    }
    env.piton(&["doctor"]).exits(0);
    env.piton(&["doctor", "--replay"]).exits(0);
    assert!(before == databases(&env.home()), "a database has other bytes than before");
    assert_eq!(env.piton(&["sandbox", "log", "--json"]).exits(0).stdout, log);
}

#[test]
fn every_branch_and_every_called_run_says_what_comes() {
    let env = TestEnv::new();
    let run = env.rehearse("branches", &[]).exits(3).run();
    let waits = would_resume(&env, &run);
    let would: Vec<String> =
        waits["would"].as_array().unwrap().iter().map(|one| text(&one["what"])).collect();
    let gate = |branch: &str| format!("waits for a decision at the gate publish/[{branch}]/accept");
    assert_eq!(would, [gate("glue"), gate("redshift")]);
    env.piton(&["approve", &run, "publish/[glue]/accept", "--as", "ann"]).exits(0);
    let goes_on = would_resume(&env, &run);
    assert_eq!((&goes_on["verdict"], &goes_on["still_waits"]), (&json!("goes_on"), &json!(false)));

    let calling = env.rehearse("calling", &[]).exits(3).run();
    let waits = would_resume(&env, &calling);
    assert_eq!(waits["verdict"], "waits");
    let would = &waits["would"][0];
    assert_eq!(would["what"], "waits for a decision at the gate agree");
    assert_ne!(would["run"], json!(calling));
    let second = env.rehearse("calling", &["-p", "name=other"]).exits(3).run();
    let blocked = would_resume(&env, &second);
    // The world is another one, the lock is the same.
    assert_eq!(blocked["verdict"], "waits");
    assert_eq!(
        blocked["would"][0]["what"],
        format!("waits for the lock roles, held by run {calling}")
    );
}

#[test]
fn a_secret_that_is_not_here_is_named() {
    let env = TestEnv::new();
    let run = env.rehearse("wants_env", &[]).exits(3).run();
    let missing = would_resume(&env, &run);
    assert_eq!(
        (&missing["verdict"], &missing["cleanly"]),
        (&json!("secret_missing"), &json!(false))
    );
    assert!(text(&missing["problems"][0]).contains("PITON_TEST_TOKEN"), "{missing}");
    assert_eq!(line(&doctor(&env, &[]), &run)["verdict"], "secret_missing");
    let mut command = env.command(&["doctor", "--json"]);
    let output = command.env("PITON_TEST_TOKEN", "here").output().unwrap();
    let doctor: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line(&doctor, &run)["verdict"], "goes_on");
    assert_eq!(line(&doctor, &run)["known"], true);
}

#[test]
fn a_key_or_a_world_that_is_gone_is_said() {
    let env = TestEnv::new();
    std::fs::write(env.folder().join("token"), "hunter2-correct-horse").unwrap();
    let run = env.rehearse("secrets", &["-p", "token=file:token"]).exits(3).run();
    let other = env.rehearse("gate", &[]).exits(3).run();
    std::fs::remove_file(env.home().join("secret.key")).unwrap();
    assert_eq!(would_resume(&env, &run)["verdict"], "key_missing");
    assert_eq!(would_resume(&env, &other)["verdict"], "waits");
    assert!(!env.home().join("secret.key").exists(), "looking makes no key");
    let shown = env.piton(&["show", &other, "--json"]).exits(0).json();
    let world = format!("sandbox/{}.db", text(&shown["world"]));
    std::fs::remove_file(env.home().join(world)).unwrap();
    let gone = would_resume(&env, &other);
    assert_eq!(gone["verdict"], "world_gone");
    assert_eq!(gone["next"][0], format!("piton rm {other}"));
}

#[test]
fn a_run_that_somebody_drives_is_held() {
    let env = TestEnv::new();
    let (mut child, mut stdout) = env.start("endless");
    let run = text(&read_until(&mut stdout, "called")["run"]);
    let held = would_resume(&env, &run);
    assert_eq!((&held["verdict"], &held["cleanly"]), (&json!("held"), &json!(false)));
    assert!(text(&held["problems"][0]).contains(&child.id().to_string()), "{held}");
    assert_eq!(line(&doctor(&env, &[]), &run)["verdict"], "held");
    // What is recorded so far can be looked through meanwhile.
    let preview = env.piton(&["resume", &run, "--preview", "--json"]).exits(0).json();
    assert_eq!(preview["verdict"], "goes_on");
    assert_eq!(preview["matched"], preview["recorded"]);
    interrupt(&child);
    read_until(&mut stdout, "end");
    child.wait().unwrap();
    assert_eq!(would_resume(&env, &run)["verdict"], "goes_on");
}

#[test]
fn a_doubt_that_only_a_person_settles_is_one_until_somebody_did() {
    let env = TestEnv::new();
    let world = "[[people]]\nalias = \"admin\"\nadministrator = true\n\
                 [[faults]]\noperation = \"iam.CreateAccessKey\"\nkind = \"reply_lost\"\n";
    std::fs::write(env.folder().join("lossy.toml"), world).unwrap();
    let script = runbook("doubtful");
    let stuck = env.piton(&["run", &script, "--sandbox=lossy.toml", "--json"]).exits(5);
    let (run, key) = (stuck.run(), text(&stuck.end()["waiting_for"][0]["gate"]));
    let doubt = would_resume(&env, &run);
    assert_eq!((&doubt["verdict"], &doubt["cleanly"]), (&json!("doubt"), &json!(false)));
    assert_eq!(doubt["would"][0]["key"], json!(key));
    env.piton(&["resolve", &run, &key, "--skip", "-m", "not needed"]).exits(0);
    assert_eq!(would_resume(&env, &run)["verdict"], "goes_on");
}

#[test]
fn a_cancel_that_waits_is_said() {
    let env = TestEnv::new();
    let (mut child, mut stdout) = env.start("endless");
    let run = text(&read_until(&mut stdout, "called")["run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(would_resume(&env, &run)["verdict"], "goes_on");
    env.piton(&["cancel", &run]).exits(0);
    assert_eq!(would_resume(&env, &run)["verdict"], "ended");
}

#[test]
fn doctor_knows_what_it_found_until_something_changes() {
    let env = TestEnv::new();
    let run = env.rehearse("edited", &[]).exits(3).run();
    let known = |doctor: &Value| line(doctor, &run)["known"].clone();
    let first = doctor(&env, &[]);
    assert_eq!((known(&first), &first["verdicts"]), (json!(false), &json!({ "waits": 1 })));
    assert_eq!(known(&doctor(&env, &[])), true);
    assert_eq!(known(&doctor(&env, &["--replay"])), false);
    // A decision is no entry yet: what was found still holds, and what it comes to does not.
    env.piton(&["approve", &run, "--as", "approver"]).exits(0);
    let decided = doctor(&env, &[]);
    assert_eq!((known(&decided), &decided["verdicts"]), (json!(true), &json!({ "goes_on": 1 })));
    let file = env.home().join("verdicts.json");
    std::fs::write(&file, "no verdicts").unwrap();
    assert_eq!(known(&doctor(&env, &[])), false);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(known(&doctor(&env, &[])), false);
    env.piton(&["resume", &run]).exits(0);
    assert_eq!(doctor(&env, &[])["runs"], json!([]));
}

#[test]
fn doctor_shows_a_table_of_what_each_run_needs() {
    let env = TestEnv::new();
    let run = env.rehearse("edited", &[]).exits(3).run();
    let shown = env.piton(&["doctor"]).exits(0).stdout;
    assert!(shown.contains("runs that have not ended: 1 waits"), "{shown}");
    let row = shown.lines().find(|line| line.starts_with(&run)).unwrap();
    for part in ["edited", "waits", "the gate decide/access", "piton inbox"] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
}
