//! Parameters against the declaration.

use piton_core::diagnostic::Code;
use piton_core::secret::Origin;
use piton_script::declaration::Declaration;
use piton_script::params::{Given, SecretSource, bind};
use serde_json::{Value, json};

use crate::support::{hints, whole_script};

fn declaration() -> Declaration {
    let text = "runbook(#{ title: \"T\", params: #{
        name: #{ type: \"string\", pattern: \"[a-z]+\", min: 2, max: 5, doc: \"its name\" },
        count: #{ type: \"int\", preset: 3, min: 1 },
        rate: #{ type: \"float\", optional: true },
        on: #{ type: \"bool\", optional: true },
        items: #{ type: \"list\", optional: true, max: 3 },
        tags: #{ type: \"map\", optional: true },
        kind: #{ type: \"enum\", choices: [\"small\", \"large\"], preset: \"small\", sandbox_preset: \"large\" },
        account: #{ type: \"account_id\", optional: true },
        zone: #{ type: \"region\", optional: true },
        role: #{ type: \"arn\", optional: true },
        token: #{ type: \"secret\", optional: true },
        password: #{ type: \"secret\", sandbox_preset: \"rehearsed\" },
    } });";
    whole_script(text).program().unwrap().declaration().clone()
}

fn text(name: &str, value: &str) -> (String, Given) {
    (name.to_owned(), Given::Text(value.to_owned()))
}

fn value(name: &str, value: Value) -> (String, Given) {
    (name.to_owned(), Given::Value(value))
}

#[test]
fn texts_are_read_by_type() {
    let given = [
        text("name", "abc"),
        text("count", "7"),
        text("rate", "2"),
        text("on", "true"),
        text("items", "a, b"),
        text("tags", "{\"k\": 1}"),
        text("account", "111122223333"),
        text("zone", "us-gov-west-1"),
        text("role", "arn:aws:iam::111122223333:role/x"),
        text("token", "env:TOKEN"),
        text("password", "secretsmanager:arn:aws:secretsmanager:eu-west-1:111122223333:secret:x"),
    ];
    let bound = bind(&declaration(), &given, false).unwrap();
    assert_eq!(
        Value::Object(bound.values),
        json!({
            "name": "abc", "count": 7, "rate": 2.0, "on": true, "items": ["a", "b"], "tags": { "k": 1 },
            "kind": "small", "account": "111122223333", "zone": "us-gov-west-1",
            "role": "arn:aws:iam::111122223333:role/x",
            "token": Origin::Param { name: "token".into() }.handle(),
            "password": Origin::Param { name: "password".into() }.handle(),
        })
    );
    assert_eq!(bound.secrets[0], ("token".to_owned(), SecretSource::Env("TOKEN".to_owned())));
    assert!(
        matches!(&bound.secrets[1].1, SecretSource::SecretsManager(arn) if arn.starts_with("arn:"))
    );
}

#[test]
fn presets_differ_in_the_sandbox_and_later_values_win() {
    let bound =
        bind(&declaration(), &[value("name", json!("ab")), text("name", "cd")], true).unwrap();
    assert_eq!((&bound.values["name"], &bound.values["kind"]), (&json!("cd"), &json!("large")));
    assert_eq!(bound.values["items"], Value::Null);
    assert_eq!(
        bound.secrets,
        [("password".to_owned(), SecretSource::Literal("rehearsed".to_owned()))]
    );
    let bound = bind(&declaration(), &[text("name", "ab")], false).unwrap();
    assert_eq!(bound.missing_secrets, ["password"]);
    assert_eq!(
        bind(&declaration(), &[text("name", "ab"), text("items", "[1, \"x\"]")], false)
            .unwrap()
            .values["items"],
        json!([1, "x"])
    );
}

#[test]
fn every_problem_is_found_in_one_pass() {
    let given = [
        text("nmae", "x"),
        text("count", "many"),
        text("rate", "NaN"),
        text("on", "yes"),
        value("items", json!("x")),
        text("tags", "[1]"),
        text("kind", "smal"),
        text("account", "123"),
        text("zone", "Europe"),
        text("role", "role/x"),
        text("token", "hunter2"),
        value("password", json!("hunter2")),
    ];
    let problems = bind(&declaration(), &given, false).unwrap_err();
    let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes[0], Code::UnknownParameter);
    assert_eq!(codes[1], Code::MissingParameter);
    assert_eq!(codes[2..], [Code::BadParameter; 11]);
    assert!(hints(&problems[0]).contains("`name`"));
    assert!(hints(&problems[1]).contains("its name"));
    let all = format!("{problems:?}");
    assert!(!all.contains("hunter2"), "{all}");
    assert!(all.contains("did you mean `small`?") && all.contains("env:NAME"), "{all}");
}

#[test]
fn bounds_and_patterns_are_checked() {
    for (given, part) in [
        (text("name", "ABC"), "[a-z]+"),
        (text("name", "a"), "at least 2 characters"),
        (text("name", "abcdef"), "at most 5 characters"),
        (text("count", "0"), "at least 1"),
        (value("items", json!([1, 2, 3, 4])), "at most 3 elements"),
        (value("account", json!(111_122_223_333_i64)), "12 digits"),
    ] {
        let mut all = vec![text("name", "abc"), given];
        if all[1].0 == "name" {
            all.remove(0);
        }
        let problems = bind(&declaration(), &all, true).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains(part), "{}", problems[0].message);
    }
}
