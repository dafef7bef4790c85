//! The standard library's examples, run as they stand in its documentation.
//!
//! Examples that build on `std/rehearsal` make things of fixed names, so each has a world of its own;
//! the others of a module share one.

use std::fs;
use std::path::Path;

use crate::support::TestEnv;

const WORLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/library/world.toml");
const DECLARATION: &str = "runbook(#{ title: \"Examples\", accounts: #{ \
    admin: #{ doc: \"Administrator\" }, receiver: #{ doc: \"Of another account\" } } });\n";

/// The examples of a module, each with the function that it belongs to.
fn examples(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut code: Option<String> = None;
    let mut last: Option<String> = None;
    for line in text.lines() {
        let documentation = line.strip_prefix("///").map(str::trim);
        match (documentation, &mut code) {
            (Some("```rhai"), _) => code = Some(String::new()),
            (Some("```"), Some(_)) => last = code.take(),
            (Some(words), Some(code)) => {
                code.push_str(words);
                code.push('\n');
            }
            _ => {}
        }
        if let Some(signature) = line.strip_prefix("fn ") {
            let name = signature.split('(').next().unwrap_or_default();
            let example = last.take().unwrap_or_else(|| panic!("{name} has no example"));
            found.push((name.to_owned(), example));
        }
    }
    found
}

/// Runs scripts of examples, each in a world of its own.
fn run(module: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib").join(format!("{module}.rhai"));
    let examples = examples(&fs::read_to_string(path).unwrap());
    assert!(!examples.is_empty(), "{module} has no examples");
    let mut together = String::new();
    for (name, code) in examples {
        if code.contains("rehearsal::") {
            run_one(&format!("{module}_{name}"), &code);
        } else {
            together.push_str(&format!("{{\n{code}}}\n"));
        }
    }
    if !together.is_empty() {
        run_one(module, &together);
    }
}

fn run_one(name: &str, code: &str) {
    let env = TestEnv::new();
    let script = env.folder().join(format!("{name}.rhai"));
    fs::write(&script, format!("{DECLARATION}{code}")).unwrap();
    let sandbox = format!("--sandbox={WORLD}");
    let answer = env.piton(&["run", &script.display().to_string(), &sandbox]);
    assert_eq!(answer.code, 0, "{name}:\n{code}\n{}\n{}", answer.stdout, answer.stderr);
}

macro_rules! modules {
    ($($module:ident),* $(,)?) => {
        $(
            #[test]
            fn $module() {
                run(stringify!($module));
            }
        )*

        #[test]
        fn every_module_is_here() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
            let mut there: Vec<String> = fs::read_dir(folder)
                .unwrap()
                .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
                .filter_map(|name| name.strip_suffix(".rhai").map(str::to_owned))
                .collect();
            there.sort();
            assert_eq!(there, [$(stringify!($module)),*]);
        }
    };
}

modules!(
    athena,
    audit,
    buckets,
    catalog,
    checks,
    datazone,
    given,
    iam,
    lakeformation,
    people,
    ram,
    redshift,
    rehearsal,
    secrets,
    text,
    waits,
    warehouses,
);
