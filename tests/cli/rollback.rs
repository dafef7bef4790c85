//! `rollback` and `drift`: the plan, the run, what others did meanwhile, the packaged runbook.

use serde_json::{Value, json};

use crate::support::{TestEnv, runbook, text};

/// A run that made things, in a world of its own; and the world's name.
fn made(env: &TestEnv) -> (String, String) {
    let run = env.rehearse("made", &[]).exits(0).run();
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    (run, text(&shown["world"]))
}

fn resources(env: &TestEnv, world: &str) -> Value {
    env.piton(&["sandbox", "dump", "--world", world, "--json"]).exits(0).json()["resources"].clone()
}

/// How many roles of the run's name there are. The secret stays for its recovery window.
fn left(env: &TestEnv, world: &str) -> usize {
    resources(env, world).to_string().matches("\"role_name\":\"made\"").count()
}

fn meddle(env: &TestEnv, world: &str, what: &str) {
    let sandbox = format!("--sandbox={world}");
    let what = format!("what={what}");
    env.piton(&["run", &runbook("meddle"), &sandbox, "-p", &what, "--json"]).exits(0);
}

#[test]
fn a_plan_names_the_calls_and_sends_nothing() {
    let env = TestEnv::new();
    let (run, world) = made(&env);
    let calls =
        |env: &TestEnv| env.piton(&["sandbox", "log", "--world", &world, "--json"]).exits(0).json();
    let before = calls(&env);
    let plan = env.piton(&["rollback", &run, "--plan", "--json"]).exits(0).json();
    let operations: Vec<String> = plan["takes_back"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|item| item["calls"].as_array().unwrap())
        .map(|call| text(&call["operation"]))
        .collect();
    // The second put takes back to the first, and that to nothing.
    let wanted = [
        "delete_secret",
        "detach_role_policy",
        "put_role_policy",
        "delete_role_policy",
        "delete_role",
    ];
    assert_eq!(operations, wanted);
    assert_eq!(plan["takes_back"][1]["what"], "role policy AmazonRedshiftFullAccess made");
    let shown = env.piton(&["rollback", &run, "--plan"]).exits(0);
    assert!(shown.stdout.contains("iam.detach_role_policy"), "{}", shown.stdout);
    assert!(shown.stdout.contains("its name stays taken"), "{}", shown.stdout);
    assert_eq!(calls(&env), before);
    let runs = env.piton(&["ls", "--json"]).exits(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 1);
}

#[test]
fn what_a_run_made_is_taken_back_and_both_runs_say_so() {
    let env = TestEnv::new();
    let (run, world) = made(&env);
    let answer = env.piton(&["rollback", &run, "--json"]).exits(0);
    let lines = answer.lines();
    let own = text(&answer.end()["run"]);
    assert_ne!(own, run);
    assert_eq!(lines[0]["event"], "started");
    assert!(lines.iter().all(|line| line["run"] == json!(own)));
    assert_eq!(answer.end()["status"], "compensated");
    assert_eq!(left(&env, &world), 0);
    let runs = env.piton(&["ls", "--json"]).exits(0).json();
    for row in runs.as_array().unwrap() {
        assert_eq!(row["status"], "compensated", "{row}");
    }
    // Again, by either name, it repeats its end.
    let again = env.piton(&["rollback", &run, "--json"]).exits(0);
    assert_eq!((again.lines().len(), text(&again.end()["run"])), (1, own.clone()));
    env.piton(&["resume", &own, "--json"]).exits(0);
    let refused = env.piton(&["rollback", &own, "--json"]).exits(2);
    assert_eq!(refused.end()["error"]["code"], "PT0412");
    let report = env.piton(&["report", &run, "--format", "md"]).exits(0).stdout;
    assert!(report.contains(&format!("taken back by run {own}")), "{report}");
    let report = env.piton(&["report", &own, "--format", "md"]).exits(0).stdout;
    assert!(report.contains(&format!("takes run {run} back")), "{report}");
    env.piton(&["verify", &run]).exits(0);
    env.piton(&["verify", &own]).exits(0);
}

/// AWS KMS deletes no key at once: without what was hung on it, it waits for its end.
#[test]
fn a_key_is_taken_back_with_all_that_hangs_on_it() {
    let env = TestEnv::new();
    let run = env.rehearse("keys", &[]).exits(0).run();
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    let (world, key) = (text(&shown["world"]), text(&shown["outputs"]["key"]));
    let kms = || resources(&env, &world)["111111111111"]["eu-west-1"]["kms"].clone();
    let made = kms()["key"][&key].clone();
    assert_eq!((&made["enabled"], made["grants"].as_array().unwrap().len()), (&json!(true), 1));
    assert!(text(&made["policy"]).contains("222222222222"));

    let own = env.piton(&["rollback", &run, "--yes", "--json"]).exits(0).run();
    let shown = env.piton(&["show", &own, "--json"]).exits(0).json();
    assert_eq!(shown["outputs"]["taken_back"], 8);
    let left = kms();
    let found = &left["key"][&key];
    assert_eq!(found["enabled"], false);
    assert_eq!(found["grants"], json!([]));
    assert_eq!(found["tags"], json!({ "kept": "1" }));
    assert!(!text(&found["policy"]).contains("222222222222"));
    assert!(left["alias"].is_null(), "{left}");
}

#[test]
fn what_somebody_changed_is_asked_about() {
    for (answer, status) in [("approve", 0), ("reject", 1)] {
        let env = TestEnv::new();
        let (run, world) = made(&env);
        meddle(&env, &world, "change");
        let waits = env.piton(&["rollback", &run, "--json"]).exits(3);
        let own = text(&waits.end()["run"]);
        assert_eq!(waits.end()["waiting_for"][0]["gate"], "changed since");
        let open = env.piton(&["inbox", "--json"]).exits(0).json();
        let change = &open[0]["show"]["changes"][0];
        assert_eq!(change["what"], "role made");
        assert_eq!(change["differences"][0]["field"], "AssumeRolePolicyDocument");
        assert_eq!(left(&env, &world), 1);
        let status_now = env.piton(&["status", &run, "--json"]).exits(0).json();
        assert_eq!(status_now["status"], "compensating");
        let refused = env.piton(&["resume", &run, "--json"]).exits(2);
        assert_eq!(refused.end()["error"]["code"], "PT0412");
        env.piton(&[answer, &own, "-m", "seen"]).exits(0);
        let ended = env.piton(&["rollback", &run, "--json"]).exits(0);
        assert_eq!(ended.end()["status"], "compensated");
        assert_eq!(left(&env, &world), status);
    }
}

#[test]
fn a_failed_call_is_5_and_the_way_on_is_printed() {
    let env = TestEnv::new();
    let (run, world) = made(&env);
    meddle(&env, &world, "block");
    let stuck = env.piton(&["rollback", &run]).exits(5);
    assert!(stuck.stderr.contains("PT0411"), "{}", stuck.stderr);
    assert!(stuck.stderr.contains("role made was not taken back"), "{}", stuck.stderr);
    let line = |begin: &str| {
        let found = stuck.stderr.lines().find_map(|line| line.strip_prefix(begin));
        found.unwrap_or_else(|| panic!("{}", stuck.stderr)).trim().to_owned()
    };
    let status = env.piton(&["status", &run, "--json"]).exits(0).json();
    assert_eq!(status["status"], "stuck");
    assert!(text(&status["actions"][0]["command"]).contains("rollback"), "{status}");
    let again = line("to attempt it again:");
    assert_eq!(env.shell(&again).code, 5);
    let skip = line("to leave it as it is:").replace("REASON", "kept");
    env.shell(&skip).exits(0);
    env.shell(&again).exits(0);
    assert_eq!(left(&env, &world), 1);
    let runs = env.piton(&["ls", "--status", "compensated", "--json"]).exits(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 2);
}

#[test]
fn a_mended_cause_lets_a_stuck_rollback_go_on() {
    let env = TestEnv::new();
    let (run, world) = made(&env);
    meddle(&env, &world, "block");
    env.piton(&["rollback", &run, "--json"]).exits(5);
    meddle(&env, &world, "unblock");
    env.piton(&["rollback", &run, "--json"]).exits(0);
    assert_eq!(left(&env, &world), 0);
}

#[test]
fn drift_is_10_and_names_what_is_not_as_it_was() {
    let env = TestEnv::new();
    let (run, world) = made(&env);
    let drift = |code: i32| {
        let answer = env.piton(&["drift", &run, "--json"]).exits(code).json();
        let others = answer["things"].as_array().unwrap().iter();
        let others = others.filter(|thing| thing["standing"] != "same");
        others
            .map(|thing| (text(&thing["what"]), text(&thing["standing"])))
            .collect::<Vec<(String, String)>>()
    };
    assert_eq!(drift(0), []);
    let quiet = env.piton(&["drift", &run]).exits(0).stdout;
    assert!(quiet.contains("4 things are as run"), "{quiet}");
    meddle(&env, &world, "change");
    assert_eq!(drift(10), [("role made".to_owned(), "changed".to_owned())]);
    let shown = env.piton(&["drift", &run]).exits(10).stdout;
    assert!(shown.contains("AssumeRolePolicyDocument"), "{shown}");
    meddle(&env, &world, "replace");
    let found = drift(10);
    assert!(found.contains(&("role made".to_owned(), "replaced".to_owned())), "{found:?}");
    assert!(found.contains(&("role policy inline".to_owned(), "gone".to_owned())), "{found:?}");
    // Another role of that name is not the run's: it is left.
    env.piton(&["rollback", &run, "--json"]).exits(0);
    assert_eq!(left(&env, &world), 1);
    // What was taken back is gone as wished.
    env.piton(&["drift", &run]).exits(0);
}

#[test]
fn the_packaged_runbook_is_taken_back_to_the_world_before() {
    let env = TestEnv::new();
    let world = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/pfizer_poc/world.toml");
    let before = resources(&env, world);
    let run = env.piton(&["run", "pfizer_poc", "--sandbox", "--json"]).exits(3).run();
    let mut code = 3;
    while code == 3 {
        let open = env.piton(&["inbox", "--json"]).exits(0).json();
        for gate in open.as_array().unwrap() {
            env.shell(&text(&gate["approve_with"])).exits(0);
        }
        code = env.piton(&["resume", &run, "--json"]).code;
    }
    assert_eq!(code, 0);
    env.piton(&["drift", &run]).exits(0);
    let plan = env.piton(&["rollback", &run, "--plan"]).exits(0).stdout;
    assert!(plan.contains("AWS has no way to delete one"), "{plan}");
    let name = text(&env.piton(&["show", &run, "--json"]).exits(0).json()["world"]);
    assert_ne!(resources(&env, &name), before);
    env.piton(&["rollback", &run, "--json"]).exits(0);
    assert_eq!(resources(&env, &name), before);
}
