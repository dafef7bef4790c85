//! Steps: names that group calls and give them their keys.

use piton_core::entry::{Body, StepClosed, StepOpened};
use piton_core::key::unescape;
use piton_core::replay::CallStep;
use serde_json::json;

use crate::support::{create, intent, key, machine, mismatch, outcome};

fn opened(path: &str) -> Body {
    Body::StepOpened(StepOpened { path: path.to_owned(), name: path.to_owned() })
}

fn closed(path: &str) -> Body {
    Body::StepClosed(StepClosed { path: path.to_owned(), ok: true })
}

fn next_key(machine: &mut piton_core::replay::Machine) -> String {
    match machine.call(&create("a").asked()).unwrap() {
        CallStep::Perform { key, .. } => key.as_str().to_owned(),
        other => panic!("not live: {other:?}"),
    }
}

#[test]
fn keys_are_the_path_of_steps_and_a_number_in_it() {
    let mut machine = machine(&[]);
    assert_eq!(next_key(&mut machine), "#0");
    machine.open_step("prepare").unwrap();
    assert_eq!(next_key(&mut machine), "prepare#0");
    machine.open_step("roles").unwrap();
    assert_eq!(next_key(&mut machine), "prepare/roles#0");
    machine.close_step().unwrap();
    assert_eq!(next_key(&mut machine), "prepare#1");
    machine.close_step().unwrap();
    machine.open_step("prepare").unwrap();
    assert_eq!(next_key(&mut machine), "prepare[2]#0");
    machine.close_step().unwrap();
    assert_eq!(next_key(&mut machine), "#1");
}

#[test]
fn names_with_signs_of_their_own_stay_one_segment() {
    let mut machine = machine(&[]);
    let opening = machine.open_step("a/b #1 [x] 100%").unwrap();
    assert_eq!(opening.path.split('/').count(), 1);
    assert_eq!(unescape(&opening.path), "a/b #1 [x] 100%");
}

#[test]
fn a_step_inserted_elsewhere_does_not_move_other_keys() {
    let entries = [
        ("one", opened("one")),
        ("one#0", intent("create_project", json!({"name": "a"}))),
        ("one#0", outcome(json!({}))),
        ("one", closed("one")),
    ];
    let mut machine = machine(&entries);
    assert!(machine.open_step("one").unwrap().opened_at.is_some());
    assert!(matches!(machine.call(&create("a").asked()).unwrap(), CallStep::Replay { .. }));
    assert_eq!(machine.close_step().unwrap(), None);
    assert_eq!(machine.open_step("two").unwrap().opened_at, None);
    assert_eq!(machine.close_step().unwrap(), Some("two".to_owned()));
}

#[test]
fn a_call_that_disappeared_from_a_step_is_a_mismatch_at_the_step_s_end() {
    let entries = [
        ("one", opened("one")),
        ("one#0", intent("create_project", json!({"name": "a"}))),
        ("one#0", outcome(json!({}))),
        ("one", closed("one")),
    ];
    let mut machine = machine(&entries);
    machine.open_step("one").unwrap();
    let found = mismatch(machine.close_step());
    assert_eq!(found.recorded_key, "one#0");
}

#[test]
fn a_renamed_step_is_a_mismatch() {
    let mut machine = machine(&[("one", opened("one"))]);
    let found = mismatch(machine.open_step("uno"));
    assert!(found.asked.contains("uno") && found.recorded.contains("one"));
    assert_eq!(key("one").path(), "one");
}
