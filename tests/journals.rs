//! Frozen journals by the real binary: every command that looks reads every run of every released
//! format. That the runs also go on is a test of the runner, which has the AWS that they acted on.

use std::fs;
use std::path::Path;

use crate::support::{TestEnv, text};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals"))
}

#[test]
fn every_frozen_run_is_listed_shown_verified_and_reported() {
    let mut runs = 0;
    for format in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        let env = TestEnv::new();
        fs::create_dir_all(env.home()).unwrap();
        for name in ["journal.db", "secret.key"] {
            fs::copy(format.join(name), env.home().join(name)).unwrap();
        }
        let first = env.piton(&["ls", "--json"]).exits(0);
        let backups = fs::read_dir(env.home()).unwrap().map(|entry| entry.unwrap().file_name());
        let backups = backups.filter(|name| name.to_string_lossy().ends_with(".backup")).count();
        assert_eq!(first.stderr.lines().count(), backups, "{}", first.stderr);
        assert_eq!(first.stderr.contains(".backup"), backups == 1, "{}", first.stderr);
        let listed = first.json();
        for row in listed.as_array().unwrap() {
            let run = text(&row["run"]);
            let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
            assert_eq!(shown["status"], row["status"]);
            let verified = env.piton(&["verify", &run, "--json"]).exits(0).json();
            assert_eq!(verified["verifies"], true);
            let journal = env.piton(&["journal", &run, "--json"]).exits(0).json();
            assert_eq!(journal.as_array().unwrap().len() as u64, verified["entries"]);
            env.piton(&["status", &run, "--json"]).exits(0);
            let report = env.piton(&["report", &run, "--format", "json"]).exits(0).json();
            assert_eq!(report["journal_hash"], verified["head"]);
            env.piton(&["report", &run, "--format", "html"]).exits(0);
            runs += 1;
        }
        assert!(env.piton(&["inbox", "--json"]).exits(0).json().as_array().unwrap().len() > 5);
    }
    assert!(runs >= 28, "{runs} frozen runs");
}

#[test]
fn frozen_journals_stay_small() {
    let mut bytes = 0;
    for format in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(format).unwrap() {
            bytes += file.unwrap().metadata().unwrap().len();
        }
    }
    assert!(bytes < 1 << 20, "{bytes} bytes");
}
