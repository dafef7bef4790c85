//! Runs that go from one home to another, and homes that were copied: each command a process of its
//! own, each home a folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Answer, TestEnv, text};

/// What nobody may find in a capsule.
const CANARY: &str = "canary-7f3a-hunter2";

/// Exports a run, and gives the path of its capsule.
fn export(env: &TestEnv, run: &str, flags: &[&str]) -> PathBuf {
    let path = env.folder().join(format!("{run}-{}.capsule", flags.len()));
    let file = path.display().to_string();
    let words = ["export", run, "-o", &file, "--json"];
    let words: Vec<&str> = words.iter().chain(flags).copied().collect();
    let exported = env.piton(&words).exits(0).json();
    assert_eq!((&exported["run"], &exported["file"]), (&run.into(), &file.into()));
    path
}

fn hand_over(env: &TestEnv, run: &str) -> PathBuf {
    export(env, run, &["--hand-over"])
}

fn import(env: &TestEnv, capsule: &Path, flags: &[&str]) -> Answer {
    let file = capsule.display().to_string();
    let words = ["import", &file, "--json"];
    let words: Vec<&str> = words.iter().chain(flags).copied().collect();
    env.piton(&words)
}

fn take_over(env: &TestEnv, capsule: &Path) -> Answer {
    import(env, capsule, &["--take-over"])
}

/// Approves whatever is open until the run ends, and gives its end.
fn decide_to_the_end(env: &TestEnv, run: &str) -> Value {
    loop {
        for gate in env.piton(&["inbox", "--json"]).exits(0).json().as_array().unwrap() {
            env.shell(&text(&gate["approve_with"])).exits(0);
        }
        let resumed = env.piton(&["resume", run, "--json"]);
        if resumed.code != 3 {
            return resumed.end();
        }
    }
}

fn head(env: &TestEnv, run: &str) -> Value {
    env.piton(&["verify", run, "--json"]).exits(0).json()["head"].clone()
}

fn status(env: &TestEnv, run: &str) -> String {
    text(&env.piton(&["show", run, "--json"]).exits(0).json()["status"])
}

/// A home whose `env` has one variable more.
fn with_secret(env: &TestEnv, words: &[&str]) -> Answer {
    let mut command = env.command(words);
    let output = command.env("TOKEN", CANARY).output().unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_run_that_is_handed_over_goes_on_in_the_other_home_alone() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("gate", &[]).exits(3).run();
    let capsule = hand_over(&here, &run);
    assert_eq!(fs::metadata(&capsule).unwrap().permissions().mode() & 0o777, 0o600);

    for words in [
        &["resume", &run, "--json"][..],
        &["cancel", &run],
        &["rollback", &run, "--yes"],
        &["approve", &run, "access", "--as", "approver"],
    ] {
        let refused = here.piton(words).exits(8);
        assert!(refused.stderr.contains("PT0420"), "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("--take-over"), "{words:?}: {}", refused.stderr);
    }
    assert_eq!(here.piton(&["inbox", "--json"]).exits(0).json(), Value::Array(Vec::new()));
    assert_eq!(status(&here, &run), "handed_over");
    let told = here.piton(&["status", &run]).exits(0).stdout;
    assert!(told.contains("handed_over"), "{told}");

    take_over(&there, &capsule).exits(0);
    let again = take_over(&there, &capsule).exits(2);
    assert!(
        again.stderr.contains("PT0424") && again.stderr.contains("already"),
        "{}",
        again.stderr
    );
    let end = decide_to_the_end(&there, &run);
    assert_eq!((&end["status"], &end["run"]), (&"succeeded".into(), &run.as_str().into()));
    for env in [&here, &there] {
        head(env, &run);
        env.piton(&["report", &run, "-o", "report.html"]).exits(0);
        env.piton(&["verify", "report.html"]).exits(0);
    }
    let kinds: Vec<String> = there
        .piton(&["journal", &run, "--json"])
        .exits(0)
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| text(&entry["kind"]))
        .collect();
    let moved = kinds.iter().position(|kind| kind == "handed_over").unwrap();
    assert_eq!(kinds[moved + 1], "taken_over");
}

#[test]
fn the_packaged_runbook_is_approved_and_ended_elsewhere() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.piton(&["run", "pfizer_poc", "--sandbox", "--json"]).exits(3).run();
    take_over(&there, &hand_over(&here, &run)).exits(0);
    assert_eq!(decide_to_the_end(&there, &run)["status"], "succeeded");
    here.piton(&["resume", &run]).exits(8);
    // The whole story can be looked at where it began.
    let finished = export(&there, &run, &[]);
    import(&here, &finished, &[]).exits(0);
    assert_eq!(status(&here, &run), "succeeded");
    assert_eq!(head(&here, &run), head(&there, &run));
}

/// Over and back: each home has the beginning of what comes.
#[test]
fn a_run_comes_back_with_what_was_done_elsewhere() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("two_gates", &[]).exits(3).run();
    let first = hand_over(&here, &run);
    take_over(&there, &first).exits(0);
    let open = there.piton(&["inbox", "--json"]).exits(0).json();
    there.shell(&text(&open[0]["approve_with"])).exits(0);
    there.piton(&["resume", &run]).exits(3);
    let second = hand_over(&there, &run);
    // The older capsule is not what goes on.
    take_over(&there, &first).exits(2);
    take_over(&here, &second).exits(0);
    assert_eq!(decide_to_the_end(&here, &run)["status"], "succeeded");
    there.piton(&["resume", &run]).exits(8);
}

#[test]
fn an_answer_that_was_given_before_goes_along() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("gate", &[]).exits(3).run();
    here.piton(&["approve", &run, "access", "--as", "approver", "-m", "fine"]).exits(0);
    take_over(&there, &hand_over(&here, &run)).exits(0);
    assert_eq!(there.piton(&["resume", &run, "--json"]).exits(0).end()["status"], "succeeded");
}

#[test]
fn what_was_handed_over_and_not_taken_over_is_taken_back() {
    let env = TestEnv::new();
    let run = env.rehearse("gate", &[]).exits(3).run();
    let nowhere = env.piton(&["export", &run, "--hand-over", "-o", "no/such/folder"]).exits(2);
    assert!(nowhere.stderr.contains("is handed over"), "{}", nowhere.stderr);
    env.piton(&["resume", &run]).exits(8);
    // The capsule can be written as often as it is needed.
    let capsule = hand_over(&env, &run);
    let verified = env.piton(&["verify", &capsule.display().to_string(), "--json"]).exits(0).json();
    assert_eq!(verified["hand_over"], true);
    let overwritten = env.piton(&["export", &run, "-o", &capsule.display().to_string()]).exits(2);
    assert!(overwritten.stderr.contains("there already"), "{}", overwritten.stderr);
    take_over(&env, &capsule).exits(0);
    assert_eq!(decide_to_the_end(&env, &run)["status"], "succeeded");
}

#[test]
fn a_copy_is_read_and_does_not_go_on() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("gate", &[]).exits(3).run();
    let capsule = export(&here, &run, &[]);
    let refused = take_over(&there, &capsule).exits(2);
    assert!(refused.stderr.contains("PT0424"), "{}", refused.stderr);
    assert!(refused.stderr.contains("no hand-over"), "{}", refused.stderr);
    import(&there, &capsule, &[]).exits(0);
    let listed = there.piton(&["ls", "--json"]).exits(0).json();
    assert_eq!((&listed[0]["status"], &listed[0]["copy"]), (&"suspended".into(), &true.into()));
    assert_eq!(head(&there, &run), head(&here, &run));
    assert_eq!(there.piton(&["inbox", "--json"]).exits(0).json(), Value::Array(Vec::new()));
    for words in [&["resume", &run][..], &["cancel", &run], &["export", &run, "--hand-over"]] {
        let refused = there.piton(words).exits(8);
        assert!(refused.stderr.contains("PT0422"), "{words:?}: {}", refused.stderr);
    }
    // What it came from goes on, and a hand-over of it replaces the copy.
    import(&here, &capsule, &[]).exits(2);
    take_over(&there, &hand_over(&here, &run)).exits(0);
    assert_eq!(decide_to_the_end(&there, &run)["status"], "succeeded");
}

/// What somebody changed, cut or put together is refused by name, and nothing of it is stored.
#[test]
fn a_damaged_capsule_is_refused_by_name() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("gate", &["--label", "team=data"]).exits(3).run();
    let good = fs::read_to_string(hand_over(&here, &run)).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let line = |kind: &str| {
        lines.iter().position(|line| line.starts_with(&format!("{{\"line\":\"{kind}\""))).unwrap()
    };
    let changed = |at: usize, from: &str, to: &str| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        assert!(lines[at].contains(from), "{}", lines[at]);
        lines[at] = lines[at].replace(from, to);
        lines.join("\n") + "\n"
    };
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        lines.join("\n") + "\n"
    };
    let entry = line("entry");
    let cases = [
        (good[..good.len() / 2].to_owned(), "cut off", 10),
        (without(lines.len() - 1), "cut off", 10),
        (changed(entry + 2, "approver", "appr0ver"), "entry 3 is not", 10),
        (without(entry + 1), "entry 2 is not", 10),
        (without(line("end") - 1), "digest is another one", 10),
        (changed(line("file"), "A gate", "B gate"), "not the program", 10),
        (changed(line("run"), "data", "dat4"), "digest is another one", 10),
        (
            changed(line("run"), "\"line\":\"run\"", "\"line\":\"walk\""),
            "line 2 cannot be read",
            10,
        ),
        (format!("{good}{{}}\n"), "something comes after", 10),
        (changed(0, "\"format\":1", "\"format\":9"), "has the form 9", 2),
        ("{\"line\":\"capsule\",\"format\":9,\"new\":true}\n".to_owned(), "has the form 9", 2),
        ("notes of a meeting\n".to_owned(), "not a capsule", 2),
    ];
    for (text, why, code) in cases {
        let path = there.folder().join("damaged.capsule");
        fs::write(&path, text).unwrap();
        for flags in [&["--take-over"][..], &[]] {
            let refused = import(&there, &path, flags).exits(code);
            assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        }
        if why != "not a capsule" {
            let refused = there.piton(&["verify", "damaged.capsule"]).exits(code);
            assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        }
        assert_eq!(there.piton(&["ls", "--json"]).exits(0).json(), Value::Array(Vec::new()));
    }
}

/// What the run knows of secrets stays where it is sealed, and is told again. A rehearsal's world is
/// another thing: it stands for AWS, and has what was given to AWS.
#[test]
fn secrets_do_not_travel() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let script = crate::support::runbook("secrets");
    let words = ["run", &script, "--sandbox", "--json", "-p", "token=env:TOKEN"];
    let run = with_secret(&here, &words).exits(3).run();
    let capsule = hand_over(&here, &run);
    for capsule in [&capsule, &export(&here, &run, &[])] {
        let text = fs::read_to_string(capsule).unwrap();
        let told = text.lines().filter(|line| !line.starts_with("{\"line\":\"world\""));
        let told: Vec<&str> = told.collect();
        assert!(told.len() > 5);
        let sealed = told.iter().find(|line| line.contains("\"secrets\":[\"token\"]"));
        assert!(sealed.is_some(), "the names of secrets go along");
        for form in [CANARY.to_owned(), base64_of(CANARY)] {
            assert!(told.iter().all(|line| !line.contains(&form)), "a secret is in the capsule");
        }
    }

    let refused = take_over(&there, &capsule).exits(2);
    assert!(refused.stderr.contains("PT0106"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--secret token=env:NAME"), "{}", refused.stderr);
    let spoken = import(&there, &capsule, &["--take-over", "--secret", &format!("token={CANARY}")]);
    let spoken = spoken.exits(2);
    assert!(!spoken.stderr.contains(CANARY), "{}", spoken.stderr);
    let file = capsule.display().to_string();
    with_secret(&there, &["import", &file, "--take-over", "--secret", "token=env:TOKEN"]).exits(0);
    // The runbook ends with an error on purpose, and its text has no secret.
    assert_eq!(decide_to_the_end(&there, &run)["status"], "failed");
    for home in [here.home(), there.home()] {
        let journal = fs::read(home.join("journal.db")).unwrap();
        assert_eq!(find(&journal, CANARY.as_bytes()), None);
    }
}

/// As it would stand at the beginning of a coded value.
fn base64_of(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let coded = text.as_bytes().chunks_exact(3).flat_map(|three| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
    });
    coded.collect()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Passwords follow from the key of their home: another key would give others.
#[test]
fn what_follows_from_the_key_goes_on_with_the_key_alone() {
    let (here, there, keyed) = (TestEnv::new(), TestEnv::new(), TestEnv::new());
    let run = here.rehearse("kill", &[]).exits(3).run();
    let capsule = hand_over(&here, &run);
    let refused = take_over(&there, &capsule).exits(2);
    assert!(refused.stderr.contains("secret.key"), "{}", refused.stderr);
    fs::create_dir(keyed.home()).unwrap();
    fs::copy(here.home().join("secret.key"), keyed.home().join("secret.key")).unwrap();
    take_over(&keyed, &capsule).exits(0);
    assert_eq!(decide_to_the_end(&keyed, &run)["status"], "succeeded");
}

#[test]
fn runs_that_were_called_go_with_their_caller() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("calling", &[]).exits(3).run();
    let listed = here.piton(&["ls", "--json"]).exits(0).json();
    let child = listed.as_array().unwrap().iter().find(|row| row["parent"] == run.as_str());
    let child = text(&child.unwrap()["run"]);
    let refused = here.piton(&["export", &child, "--hand-over"]).exits(2);
    assert!(refused.stderr.contains(&format!("piton export {run}")), "{}", refused.stderr);
    take_over(&there, &hand_over(&here, &run)).exits(0);
    assert_eq!(decide_to_the_end(&there, &run)["status"], "succeeded");
    assert_eq!(status(&there, &child), "succeeded");
    assert_eq!(status(&here, &child), "handed_over");
}

#[test]
fn a_run_that_ended_elsewhere_is_taken_back_elsewhere() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("quick", &[]).exits(0).run();
    take_over(&there, &hand_over(&here, &run)).exits(0);
    there.piton(&["rollback", &run, "--yes"]).exits(0);
    assert_eq!(status(&there, &run), "compensated");
    here.piton(&["rollback", &run, "--yes"]).exits(8);
}

/// As `cp -r` does it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn a_copied_home_is_read_until_somebody_says_what_it_is() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("gate", &[]).exits(3).run();
    copy(&here.home(), &there.home());
    for words in
        [&["ls"][..], &["show", &run], &["status", &run], &["report", &run], &["verify", &run]]
    {
        there.piton(words).exits(0);
    }
    let quick = crate::support::runbook("quick");
    for words in [
        &["resume", &run, "--json"][..],
        &["approve", &run, "access", "--as", "approver"],
        &["cancel", &run],
        &["run", &quick, "--sandbox"],
    ] {
        let refused = there.piton(words).exits(2);
        assert!(refused.stderr.contains("PT0421"), "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("piton doctor --adopt-home"), "{}", refused.stderr);
        let original = here.home().canonicalize().unwrap();
        assert!(refused.stderr.contains(&original.display().to_string()), "{}", refused.stderr);
    }
    let adopted = there.piton(&["doctor", "--adopt-home", "--json"]).exits(0).json();
    assert_eq!(
        (&adopted["original_is_there"], &adopted["unfinished"][0]),
        (&true.into(), &run.as_str().into())
    );
    let refused = there.piton(&["resume", &run]).exits(8);
    assert!(refused.stderr.contains("PT0422"), "{}", refused.stderr);
    there.piton(&["run", &quick, "--sandbox"]).exits(0);
    assert_eq!(decide_to_the_end(&here, &run)["status"], "succeeded");
}

#[test]
fn a_home_whose_original_is_gone_goes_on_when_told() {
    let (here, there) = (TestEnv::new(), TestEnv::new());
    let run = here.rehearse("gate", &[]).exits(3).run();
    copy(&here.home(), &there.home());
    fs::remove_dir_all(here.home()).unwrap();
    there.piton(&["resume", &run]).exits(2);
    let told = there.piton(&["doctor", "--adopt-home"]).exits(0).stdout;
    assert!(told.contains("go on here") && told.contains(&run), "{told}");
    assert_eq!(decide_to_the_end(&there, &run)["status"], "succeeded");
    assert!(there.piton(&["doctor", "--adopt-home"]).exits(0).stdout.contains("already"));
}

/// Whoever says that a network file system is good enough has to say it in each command.
#[test]
fn what_was_allowed_is_in_every_command_that_is_printed() {
    let env = TestEnv::new();
    let gate = crate::support::runbook("gate");
    let told = env.piton(&["run", &gate, "--sandbox", "--network-home"]).exits(3).stderr;
    let printed: Vec<&str> = told.lines().filter(|line| line.contains("  piton ")).collect();
    assert!(printed.len() >= 3, "{told}");
    assert!(printed.iter().all(|line| line.ends_with(" --network-home")), "{told}");
    let approve = printed
        .iter()
        .find_map(|line| line.split_once("  ").filter(|(_, c)| c.starts_with("piton approve")));
    env.shell(approve.unwrap().1).exits(0);
}
