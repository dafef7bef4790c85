//! The complete example of the guide, run as a reader would run it.

use std::path::Path;
use std::process::Command;
use std::{fs, str};

use super::root;

/// Runs `piton` in a home of its own; answers its exit code and what it says on stdout.
fn piton(home: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_piton"))
        .args(words)
        .current_dir(home)
        .env("PITON_HOME", home.join("home"))
        .output()
        .unwrap();
    (output.status.code(), str::from_utf8(&output.stdout).unwrap().to_owned())
}

#[test]
fn the_guides_complete_example_runs() {
    let guide = fs::read_to_string(root().join("docs/guide/writing-a-runbook.md")).unwrap();
    let script = guide.split("```rhai\n").find(|block| block.starts_with("//!")).unwrap();
    let script = script.split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    fs::write(home.join("warehouse_secret.rhai"), script).unwrap();

    let (code, lines) = piton(home, &["run", "warehouse_secret.rhai", "--sandbox", "--json"]);
    assert_eq!(code, Some(3), "it stops at the gate: {lines}");
    let end: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let run = end["run"].as_str().unwrap();
    let (code, said) = piton(home, &["approve", "--as", "approver", "-m", "known to the team"]);
    assert_eq!(code, Some(0), "the only open gate is decided: {said}");
    let (code, said) = piton(home, &["resume", run]);
    assert_eq!(code, Some(0), "it comes to its end: {said}");
    assert!(said.contains(":secret:warehouse/reporting"), "its output is shown: {said}");
}
