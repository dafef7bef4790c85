//! Rules about crates: who may know whom, and who owns which heavy dependency.

use std::collections::BTreeSet;
use std::fs;

use super::{files, refuse, root};

/// Which of our crates each of them may use; `docs/architecture.md` draws the same.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("models", &[]),
    ("journal", &["core"]),
    ("script", &["core", "models"]),
    ("lsp", &["core", "models", "script"]),
    ("aws", &["core", "models"]),
    ("sandbox", &["models"]),
    ("runner", &["core", "models", "script"]),
];

/// Dependencies that only some crates may have. The root package is `cli`.
const OWNERS: &[(&str, &[&str])] = &[
    ("rhai", &["script"]),
    ("rusqlite", &["journal", "sandbox"]),
    ("sqlparser", &["sandbox"]),
    ("aws-config", &["aws"]),
    ("aws-sdk-", &["aws"]),
    ("aws-smithy-", &["aws"]),
    ("hyper", &["aws", "cli"]),
    ("tokio", &["aws", "runner", "cli"]),
    ("axum", &["cli"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("annotate-snippets", &["cli"]),
    ("minijinja", &["runner"]),
    ("lsp-", &["lsp"]),
];

/// What the pure core may not touch.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime::now",
    "Instant::now",
    "OffsetDateTime::now",
];

/// The dependencies in one manifest, without those of tests.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let path = root().join(manifest);
    let text = fs::read_to_string(&path).expect("every crate has its manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let tables = ["dependencies", "build-dependencies"].into_iter().filter_map(|name| {
        let names = manifest.get(name)?.as_table()?.keys();
        Some(names.cloned().collect::<Vec<_>>())
    });
    tables.flatten().collect()
}

/// Our crates with their dependencies; the root package comes last, as `cli`.
fn crates() -> Vec<(String, BTreeSet<String>)> {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the root has a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let members = manifest["workspace"]["members"].as_array().expect("members are listed by name");
    let mut found: Vec<(String, BTreeSet<String>)> = members
        .iter()
        .filter_map(toml::Value::as_str)
        .map(|path| {
            let name = path.trim_start_matches("engine/").to_owned();
            (name, dependencies(&format!("{path}/Cargo.toml")))
        })
        .collect();
    found.push(("cli".to_owned(), dependencies("Cargo.toml")));
    found
}

#[test]
fn crates_know_only_whom_they_may() {
    let mut problems = Vec::new();
    for (name, dependencies) in crates() {
        let ours: BTreeSet<&str> =
            dependencies.iter().filter_map(|name| name.strip_prefix("piton-")).collect();
        if name == "cli" {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(listed, _)| *listed == name) else {
            problems.push(format!("{name} is not in ARROWS"));
            continue;
        };
        let surplus = ours.iter().filter(|used| !allowed.contains(used));
        problems.extend(surplus.map(|used| format!("{name} uses {used}")));
    }
    refuse(&problems, "docs/architecture.md says who may know whom");
}

#[test]
fn heavy_dependencies_have_their_owners() {
    let mut problems = Vec::new();
    for (name, dependencies) in crates() {
        for dependency in dependencies {
            let owned = OWNERS.iter().find(|(prefix, _)| dependency.starts_with(prefix));
            if let Some((_, owners)) = owned
                && !owners.contains(&name.as_str())
            {
                problems.push(format!("{name} uses {dependency}, which belongs to {owners:?}"));
            }
        }
    }
    refuse(&problems, "each heavy dependency stays behind one crate's interface");
}

#[test]
fn every_crate_is_tested_by_the_plain_command() {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the root has a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let names = |key: &str| -> BTreeSet<&str> {
        let list = manifest["workspace"][key].as_array().expect("a list");
        list.iter().filter_map(toml::Value::as_str).filter(|name| *name != ".").collect()
    };
    assert_eq!(names("members"), names("default-members"), "a bare `cargo test` leaves crates out");
}

#[test]
fn the_core_is_pure() {
    let sources = files("engine/core/src");
    assert!(sources.len() > 5, "the core's sources are not where they were");
    let mut problems = Vec::new();
    for file in &sources {
        let used = IMPURE.iter().filter(|name| file.text.contains(*name));
        problems.extend(used.map(|name| format!("{} uses {name}", file.path)));
    }
    refuse(&problems, "the core takes everything outside through its ports");
}
