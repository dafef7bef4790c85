//! The catalogue of operations and what we package: everything that our own scripts call and that
//! changes something has been reviewed, and says how a doubt about it is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use piton_core::catalogue::{self, Class, ModelFacts};

/// Operations by script's name: whether each changes something, by service that has it.
fn operations() -> BTreeMap<String, BTreeMap<&'static str, bool>> {
    let mut all: BTreeMap<String, BTreeMap<&'static str, bool>> = BTreeMap::new();
    for service in piton_models::services().iter().chain(piton_models::further_services()) {
        let model = piton_models::service(service).unwrap();
        for operation in model.operations.values() {
            let name = operation.script_name();
            let facts = ModelFacts {
                has_token: model.token_member(operation).is_some(),
                idempotent: operation.idempotent,
                readonly: operation.readonly,
            };
            let is_mutating = catalogue::class(service, &name, facts).is_mutating();
            all.entry(name).or_default().insert(service, is_mutating);
        }
    }
    all
}

/// Every script that comes with the program.
fn scripts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join("runbooks"), root.join("stdlib")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rhai") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The words that a text calls as methods: `.create_project(`.
fn called(text: &str) -> BTreeSet<&str> {
    text.match_indices('.')
        .filter_map(|(at, _)| {
            let rest = &text[at + 1..];
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let end = rest.find(|c| !is_name(c))?;
            rest[end..].starts_with('(').then_some(&rest[..end])
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_mutating_operation_that_packaged_scripts_call_is_reviewed() {
    let operations = operations();
    let mut met = BTreeSet::new();
    let mut problems = Vec::new();
    for path in scripts() {
        let text = fs::read_to_string(&path).unwrap();
        for name in called(&text) {
            let Some(services) = operations.get(name) else { continue };
            // The text does not say of which service a method is: every service that has it counts.
            for (service, _) in services.iter().filter(|(_, is_mutating)| **is_mutating) {
                if !catalogue::SERVICES.contains(service) && !catalogue::PARTLY.contains(service) {
                    continue;
                }
                met.insert(format!("{service}.{name}"));
                let problem = match catalogue::reviewed(service, name) {
                    None => "no reviewed class",
                    Some(row) if row.class == Class::NaturalKey && row.find.is_none() => {
                        "nothing says how a doubt is looked up"
                    }
                    Some(_) => continue,
                };
                problems.push(format!("{}: {service}.{name}: {problem}", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(met.len() >= 45, "the scripts are not read as they are written: {met:?}");
    for wanted in ["datazone.create_domain", "iam.put_role_policy", "s3.create_bucket"] {
        assert!(met.contains(wanted), "{wanted} is not met: {met:?}");
    }
}
