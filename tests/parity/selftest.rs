//! The parity test's own tests: what it makes fits the models, and it finds what differs.

use std::collections::BTreeSet;

use axum::http::Request;
use serde_json::{Value, json};

use super::chance::Chance;
use super::values::{Fill, Side, Values};
use super::{Subject, all, cases, compare, pattern};

fn subject(name: &str) -> Subject {
    all().into_iter().find(|subject| subject.name() == name).expect("it is bound")
}

#[test]
fn every_input_fits_its_model_and_every_member_is_in_one() {
    for subject in all() {
        let (_, coverage) = cases(subject, 7);
        for side in coverage {
            assert_eq!(side.made, side.possible, "{}", subject.name());
        }
    }
}

#[test]
fn a_seed_repeats_its_values_and_another_has_others() {
    let Subject { model, operation } = subject("datazone.create_connection");
    let made = |seed| Values::new(model, operation, Side::Input, seed).next(Fill::Every);
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}

#[test]
fn texts_match_the_patterns_that_the_models_have() {
    let mut chance = Chance::of(7, "patterns");
    let mut checked = BTreeSet::new();
    for service in piton_models::services() {
        let model = piton_models::service(service).unwrap();
        for shape in model.shapes.values().filter(|shape| shape.enumeration.is_empty()) {
            let (Some(regex), Some(pattern)) = (shape.pattern_regex(), &shape.pattern) else {
                continue;
            };
            let accepts = |text: &str| regex.is_match(text);
            let text = pattern::text(pattern, (0, usize::MAX), &mut chance, &accepts);
            assert!(text.is_some(), "{pattern}");
            checked.insert(pattern);
        }
    }
    assert!(checked.len() > 100, "{} patterns", checked.len());
}

/// A request as data, from its parts.
fn plain(name: &str, uri: &str, body: &str) -> Value {
    let Subject { model, operation } = subject(name);
    let request = Request::builder()
        .method("POST")
        .uri(uri)
        .header("content-type", "application/json")
        .body(body.as_bytes().to_vec());
    compare::request(model, operation, &request.unwrap())
}

fn differing(one: &Value, other: &Value) -> Vec<String> {
    compare::differences(one, other).into_iter().map(|difference| difference.path).collect()
}

#[test]
fn two_ways_to_write_the_same_are_no_difference() {
    let search = "datazone.search";
    let one = plain(search, "/v2/a%2Fb%20c?x=1&y=%C3%A9", r#"{"a": 1.0, "b": [true]}"#);
    let other = plain(search, "/v2/%61%2fb%20c?y=%c3%a9&x=1", r#"{"b":[true],"a":1,"c":null}"#);
    assert_eq!(differing(&one, &other), Vec::<String>::new());
    let create = "iam.create_role";
    let one =
        plain(create, "/", "m.entry.1.key=a&m.entry.1.value=x+y&m.entry.2.key=b&m.entry.2.value=z");
    let other = plain(
        create,
        "/",
        "m.entry.2.value=x%20y&m.entry.2.key=a&m.entry.1.key=b&m.entry.1.value=z",
    );
    assert_eq!(differing(&one, &other), Vec::<String>::new());
    let moments = [json!("2026-01-02T03:04:05Z"), json!("2026-01-02T03:04:05.000Z")];
    assert_eq!(differing(&moments[0], &moments[1]), Vec::<String>::new());
}

#[test]
fn whatever_differs_is_found() {
    let search = "datazone.search";
    let one = plain(search, "/v2/a%2Fb?x=1", r#"{"a": {"b": ["c", "d"]}, "n": 9007199254740993}"#);
    for (uri, body, path) in [
        ("/v2/a/b?x=1", r#"{"a": {"b": ["c", "d"]}, "n": 9007199254740993}"#, "path/2"),
        ("/v2/a%2Fb?x=2", r#"{"a": {"b": ["c", "d"]}, "n": 9007199254740993}"#, "query/x/0"),
        ("/v2/a%2Fb?x=1&y", r#"{"a": {"b": ["c", "d"]}, "n": 9007199254740993}"#, "query/y"),
        ("/v2/a%2Fb?x=1", r#"{"a": {"b": ["c", "D"]}, "n": 9007199254740993}"#, "body/a/b/1"),
        ("/v2/a%2Fb?x=1", r#"{"a": {"b": ["c"]}, "n": 9007199254740993}"#, "body/a/b/1"),
        ("/v2/a%2Fb?x=1", r#"{"a": {"b": ["c", "d"]}, "n": 9007199254740992}"#, "body/n"),
        ("/v2/a%2Fb?x=1", r#"{"a": {"b": ["c", "d"]}, "n": "9007199254740993"}"#, "body/n"),
    ] {
        let other = plain(search, uri, body);
        assert!(differing(&one, &other).contains(&path.to_owned()), "{path}: {other}");
    }
}
