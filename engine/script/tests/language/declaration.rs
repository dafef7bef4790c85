//! The declaration: read without running, with every mistake at its place.

use piton_core::diagnostic::Code;
use piton_script::declaration::ParamType;
use serde_json::json;

use crate::support::{hints, mark, whole_script};

#[test]
fn a_declaration_is_read_in_the_order_of_the_script() {
    let text = "runbook(#{
        title: \"Make a \" + \"domain\", summary: `all of it`,
        accounts: #{ publisher: #{ doc: \"who\" }, consumer: #{ many: true, created_here: true } },
        params: #{
            zone: #{ type: \"region\", preset: \"eu-west-1\" },
            count: #{ type: \"int\", preset: -1, min: -5, max: 5, doc: \"how many\" },
            kind: #{ type: \"enum\", choices: [\"a\", \"b\"], sandbox_preset: \"a\" },
            names: #{ type: \"list\", optional: true },
            id: #{ type: \"string\", pattern: \"[a-z]+\" },
            rate: #{ type: \"float\", preset: 0.5 },
        }
    });";
    let program = whole_script(text).program().unwrap();
    let declaration = program.declaration();
    assert_eq!(
        (declaration.title.as_str(), declaration.summary.as_str()),
        ("Make a domain", "all of it")
    );
    let accounts: Vec<_> =
        declaration.accounts.iter().map(|a| (a.alias.as_str(), a.many, a.created_here)).collect();
    assert_eq!(accounts, [("publisher", false, false), ("consumer", true, true)]);
    let params: Vec<_> = declaration
        .params
        .iter()
        .map(|p| (p.name.as_str(), p.kind, p.is_required(false)))
        .collect();
    assert_eq!(
        params,
        [
            ("zone", ParamType::Region, false),
            ("count", ParamType::Int, false),
            ("kind", ParamType::Enum, true),
            ("names", ParamType::List, false),
            ("id", ParamType::String, true),
            ("rate", ParamType::Float, false),
        ]
    );
    let count = declaration.param("count").unwrap();
    assert_eq!(
        (count.preset.clone(), count.min, count.max),
        (Some(json!(-1)), Some(-5.0), Some(5.0))
    );
    assert!(!declaration.param("kind").unwrap().is_required(true));
}

#[test]
fn mistakes_are_found_at_their_places() {
    for (text, at, part) in [
        ("let x = 1;", "test.rhai:1:1 let", "does not declare"),
        ("runbook(5);", "test.rhai:1:9 5", "is a map"),
        ("runbook(#{ title: 5 });", "test.rhai:1:19 5", "a text"),
        (
            "runbook(#{ titel: \"x\", title: \"y\" });",
            "test.rhai:1:12 titel",
            "did you mean `title`?",
        ),
        ("runbook(#{ summary: \"x\" });", "test.rhai:1:1 runbook", "needs a `title`"),
        ("let t = \"x\"; runbook(#{ title: t });", "test.rhai:1:32 t", "only literals"),
        ("runbook(#{ title: \"x\", params: #{ a: #{ } } });", "test.rhai:1:35 a", "needs a `type`"),
        (
            "runbook(#{ title: \"x\", params: #{ a: #{ type: \"strng\" } } });",
            "test.rhai:1:47 \"strng\"",
            "did you mean \"string\"?",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ a: #{ type: \"int\", preset: \"5\" } } });",
            "test.rhai:1:62 \"5\"",
            "a whole number",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ a: #{ type: \"int\", presett: 5 } } });",
            "test.rhai:1:54 presett",
            "did you mean `preset`?",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ a: #{ type: \"enum\" } } });",
            "test.rhai:1:35 a",
            "choices",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ a: #{ type: \"string\", pattern: \"[\" } } });",
            "test.rhai:1:66 \"[\"",
            "pattern",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ a: #{ type: \"secret\", preset: \"x\" } } });",
            "test.rhai:1:65 \"x\"",
            "secret",
        ),
        (
            "runbook(#{ title: \"x\", accounts: #{ a: #{ manny: true } } });",
            "test.rhai:1:43 manny",
            "did you mean `many`?",
        ),
        (
            "runbook(#{ title: \"x\", accounts: #{ a: #{ many: 1 } } });",
            "test.rhai:1:49 1",
            "true or false",
        ),
        (
            "runbook(#{ title: \"x\" }); runbook(#{ title: \"y\" });",
            "test.rhai:1:27 runbook",
            "twice",
        ),
    ] {
        let problems = whole_script(text).refused();
        let problem = &problems[0];
        assert_eq!((problem.code, mark(problem)), (Code::Declaration, at.to_owned()), "{text}");
        let said = format!("{} {}", problem.message, hints(problem));
        assert!(said.contains(part), "{text}: {said}");
    }
}

#[test]
fn all_mistakes_are_found_in_one_pass() {
    let text = "runbook(#{ titel: \"x\", params: #{ a: #{ type: \"x\" }, b: #{ type: \"int\", preset: \"y\" } } });";
    assert_eq!(whole_script(text).refused().len(), 4);
}
