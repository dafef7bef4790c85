//! What is refused, and how: usage, runbooks, parameters, databases, secrets.

use std::fs;

use crate::support::{TestEnv, runbook, text};

#[test]
fn a_failing_call_is_4_with_its_place() {
    let env = TestEnv::new();
    let answer = env.rehearse("failing", &[]).exits(4);
    let end = answer.end();
    assert_eq!(end["status"], "failed");
    assert_eq!(end["error"]["code"], "PT0302");
    assert_eq!(end["error"]["file"], "failing.rhai");
    assert_eq!(end["error"]["line"], 4);
    assert!(text(&end["error"]["message"]).contains("NoSuchEntity"));
    assert!(answer.stderr.contains("failing.rhai:4:"), "{}", answer.stderr);
    let run = answer.run();
    let again = env.piton(&["resume", &run, "--retry", "--json"]).exits(4);
    assert_eq!(again.end()["status"], "failed");
}

#[test]
fn a_runbook_that_does_not_parse_is_2_before_anything_starts() {
    let env = TestEnv::new();
    let answer = env.rehearse("broken", &[]).exits(2);
    let end = answer.end();
    assert!(end["run"].is_null());
    assert_eq!(end["status"], "refused");
    assert_eq!(end["exit_code"], 2);
    assert_eq!(end["error"]["code"], "PT0101");
    assert_eq!(end["error"]["line"], 3);
    assert_eq!(env.piton(&["ls", "--json"]).exits(0).json(), serde_json::json!([]));
}

#[test]
fn parameters_are_checked_before_anything_starts() {
    let env = TestEnv::new();
    for (given, code) in [("rol=x", "PT0104"), ("count=many", "PT0105"), ("role=1 2", "PT0105")] {
        let answer = env.rehearse("quick", &["-p", given]).exits(2);
        assert_eq!(answer.end()["error"]["code"], code, "{given}");
    }
    let hinted = env.rehearse("quick", &["-p", "rol=x"]).exits(2);
    assert!(hinted.stderr.contains("did you mean `role`?"), "{}", hinted.stderr);
    let missing = env.rehearse("secrets", &[]).exits(2);
    assert_eq!(missing.end()["error"]["code"], "PT0106");
    let literal = env.rehearse("secrets", &["-p", "token=hunter2"]).exits(2);
    assert!(!literal.stdout.contains("hunter2") && !literal.stderr.contains("hunter2"));
}

#[test]
fn parameters_come_from_json_and_toml_and_the_command_line_counts_more() {
    let env = TestEnv::new();
    fs::write(env.folder().join("p.toml"), "role = \"from-toml\"\ncount = 3\n").unwrap();
    fs::write(env.folder().join("p.json"), "{\"role\": \"from-json\"}").unwrap();
    for (further, expected) in [
        (vec!["--params", "p.toml"], "from-toml"),
        (vec!["--params", "p.json"], "from-json"),
        (vec!["--params", "p.json", "-p", "role=given"], "given"),
    ] {
        let run = env.rehearse("quick", &further).exits(0).run();
        let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
        assert_eq!(shown["params"]["role"], expected);
    }
}

#[test]
fn unknown_runbooks_aliases_runs_and_worlds_are_2() {
    let env = TestEnv::new();
    let answer = env.piton(&["run", "nothing_of_that_name", "--sandbox", "--json"]).exits(2);
    assert_eq!(answer.end()["error"]["code"], "PT0107");
    let answer = env.piton(&["run", "./missing.rhai", "--sandbox", "--json"]).exits(2);
    assert_eq!(answer.end()["error"]["code"], "PT0107");
    let answer = env.piton(&["run", &runbook("quick"), "--json"]).exits(2);
    assert_eq!(answer.end()["error"]["code"], "PT0109");
    assert!(answer.end()["run"].is_null());
    let answer = env.rehearse("quick", &["--sandbox=nowhere"]);
    assert_eq!(answer.code, 2);
    for command in ["show", "status", "journal", "resume", "report", "cancel", "rm"] {
        let answer = env.piton(&[command, "zzzz"]).exits(2);
        assert!(answer.stderr.contains("PT0408"), "{command}: {}", answer.stderr);
    }
}

#[test]
fn wrong_usage_is_2_and_run_tells_its_end_even_then() {
    let env = TestEnv::new();
    env.piton(&["frobnicate"]).exits(2);
    env.piton(&["run"]).exits(2);
    let answer = env.piton(&["run", "x", "--json", "--no-such-flag"]).exits(2);
    assert_eq!(answer.end()["error"]["code"], "PT0110");
    let answer = env.rehearse("quick", &["-p", "no equals sign"]).exits(2);
    assert_eq!(answer.end()["error"]["code"], "PT0110");
    let step = env.rehearse("quick", &["--step"]).exits(2);
    assert!(step.stderr.contains("nobody to ask"), "{}", step.stderr);
}

#[test]
fn a_secret_is_in_no_output_and_in_no_file() {
    let env = TestEnv::new();
    let secret = "hunter2-correct-horse";
    fs::write(env.folder().join("token"), secret).unwrap();
    let first = env.rehearse("secrets", &["-p", "token=file:token"]).exits(3);
    let run = first.run();
    fs::remove_file(env.folder().join("token")).unwrap();
    let inbox = env.piton(&["inbox", "--json"]).exits(0);
    assert_eq!(inbox.json()[0]["show"]["token"], "[secret]");
    let rest = env.piton(&["approve", &run, "--as", "approver", "--resume", "--json"]).exits(4);
    let mut seen = vec![first.stdout, first.stderr, inbox.stdout, rest.stdout, rest.stderr];
    for command in [
        vec!["show", &run],
        vec!["show", &run, "--json"],
        vec!["journal", &run, "--json"],
        vec!["status", &run],
        vec!["report", &run, "--format", "html"],
        vec!["report", &run, "--format", "json"],
        vec!["sandbox", "log", "--json"],
    ] {
        let answer = env.piton(&command).exits(0);
        seen.extend([answer.stdout, answer.stderr]);
    }
    for text in &seen {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(seen.iter().any(|text| text.contains("[secret]")));
    for entry in fs::read_dir(env.home()).unwrap().map(Result::unwrap) {
        if entry.path().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{}", entry.path().display());
        }
    }
}

#[test]
fn a_foreign_and_a_newer_database_are_refused_with_a_sentence() {
    let env = TestEnv::new();
    fs::create_dir_all(env.home()).unwrap();
    let database = env.home().join("journal.db");
    fs::write(&database, "a diary, and no database at all\n".repeat(300)).unwrap();
    let refused = env.piton(&["ls"]).exits(2);
    assert!(refused.stderr.contains("PT0405"), "{}", refused.stderr);
    fs::remove_file(&database).unwrap();
    env.piton(&["ls"]).exits(0);
    // SQLite keeps the number that formats are told by at byte 60 of the file's header.
    let mut bytes = fs::read(&database).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(&database, bytes).unwrap();
    let answer = env.rehearse("quick", &[]).exits(2);
    assert_eq!(answer.end()["error"]["code"], "PT0406");
    assert!(answer.stderr.contains("newer"), "{}", answer.stderr);
}

#[test]
fn a_home_that_cannot_be_written_is_said_at_once() {
    let env = TestEnv::new();
    fs::write(env.folder().join("file"), "no folder").unwrap();
    let home = env.folder().join("file/home").display().to_string();
    let answer = env.rehearse("quick", &["--home", &home]).exits(2);
    assert!(answer.end()["run"].is_null());
    assert!(answer.stderr.contains("file/home"), "{}", answer.stderr);
    let doctor = env.piton(&["doctor", "--home", &home, "--json"]).exits(2).json();
    assert_eq!(doctor["ok"], false);
}
