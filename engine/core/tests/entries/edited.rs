//! Edits of a script: what may be left, what is void afterwards, what is refused.

use piton_core::canonical::Digest;
use piton_core::entry::{Body, Edited, Left, StepClosed, StepOpened};
use piton_core::replay::{CallStep, Machine, Stop};
use piton_core::status::{RunStatus, RunSummary};
use serde_json::json;

use crate::support::{
    create, get, intent, key, machine, machine_with_voids, outcome, read, stored,
};

fn opened(path: &str) -> Body {
    Body::StepOpened(StepOpened { path: path.to_owned(), name: path.to_owned() })
}

fn closed(path: &str) -> Body {
    Body::StepClosed(StepClosed { path: path.to_owned(), ok: true })
}

/// Two steps with a call each, and a read behind them.
fn two_steps() -> Vec<(&'static str, Body)> {
    vec![
        ("a", opened("a")),
        ("a#0", intent("create_project", json!({"name": "a"}))),
        ("a#0", outcome(json!({"id": "p1"}))),
        ("a", closed("a")),
        ("b", opened("b")),
        ("b#0", intent("create_project", json!({"name": "b"}))),
        ("b#0", outcome(json!({"id": "p2"}))),
        ("b", closed("b")),
        ("#0", read("get_project", json!({"identifier": "p1"}), json!({"tags": 0}))),
    ]
}

fn lenient(entries: &[(&str, Body)]) -> Machine {
    let mut machine = machine(entries);
    machine.be_lenient();
    machine
}

#[test]
fn a_step_that_the_script_passes_over_is_left_with_its_effect() {
    let mut machine = lenient(&two_steps());
    machine.open_step("b").unwrap();
    assert!(matches!(machine.call(&create("b").asked()).unwrap(), CallStep::Replay { .. }));
    machine.close_step().unwrap();
    assert!(matches!(machine.call(&get("p1").asked()).unwrap(), CallStep::Replay { .. }));
    machine.finish().unwrap();
    let (left, withdrawn) = machine.left();
    let rows: Vec<(u64, u64, &str, bool)> = left
        .iter()
        .map(|left| (left.from_seq, left.to_seq, left.key.as_str(), left.effect))
        .collect();
    assert_eq!(rows, [(1, 1, "a", false), (2, 3, "a#0", true), (4, 4, "a", false)]);
    assert!(withdrawn.is_empty());
}

#[test]
fn an_ordinary_replay_leaves_nothing() {
    let mut machine = machine(&two_steps());
    assert!(matches!(machine.open_step("b"), Err(Stop::Mismatch(_))));
}

#[test]
fn effects_are_not_left_for_something_new() {
    let mut machine = lenient(&two_steps());
    assert!(matches!(machine.open_step("c"), Err(Stop::Mismatch(_))));
    // Reads are: asking them again does no harm.
    let mut machine = lenient(&two_steps());
    for step in ["a", "b"] {
        machine.open_step(step).unwrap();
        machine.call(&create(step).asked()).unwrap();
        machine.close_step().unwrap();
    }
    machine.open_step("c").unwrap();
    assert_eq!(machine.left().0.len(), 1);
}

#[test]
fn a_call_without_an_outcome_is_not_left() {
    let mut entries = two_steps();
    entries.remove(2);
    let mut machine = lenient(&entries);
    assert!(matches!(machine.open_step("b"), Err(Stop::Mismatch(_))));
}

#[test]
fn a_changed_input_is_a_mismatch_all_the_same() {
    let mut machine = lenient(&two_steps());
    machine.open_step("a").unwrap();
    assert!(matches!(machine.call(&create("other").asked()), Err(Stop::Mismatch(_))));
}

#[test]
fn what_was_left_is_not_made_again() {
    // In the same evaluation, under another key.
    let mut entries = two_steps();
    entries.truncate(8);
    let mut machine = lenient(&entries);
    machine.open_step("b").unwrap();
    machine.call(&create("b").asked()).unwrap();
    machine.close_step().unwrap();
    machine.open_step("c").unwrap();
    assert!(matches!(machine.call(&create("a").asked()), Err(Stop::Mismatch(_))));
    // In a later one, under its own.
    let mut machine = machine_with_voids(&two_steps(), vec![(1, 4)]);
    machine.open_step("b").unwrap();
    machine.call(&create("b").asked()).unwrap();
    machine.close_step().unwrap();
    machine.call(&get("p1").asked()).unwrap();
    machine.open_step("a").unwrap();
    let Err(Stop::Mismatch(mismatch)) = machine.call(&create("a").asked()) else {
        panic!("a call that was left is made again")
    };
    assert_eq!((mismatch.seq, mismatch.recorded_key.as_str()), (3, "a#0"));
}

#[test]
fn an_edit_voids_what_it_leaves_and_lets_a_failed_run_go_on() {
    let started = stored(&[("", crate::run::started())]).remove(0).entry;
    let mut summary = RunSummary::start(&started).unwrap();
    let mut edited = Edited::plain(Digest::of(b"1"), Digest::of(b"2"));
    let left = |branch: &str, from_seq, to_seq| Left {
        branch: branch.to_owned(),
        from_seq,
        to_seq,
        key: key("a#0"),
        what: "a call".to_owned(),
        effect: true,
    };
    edited.left = vec![left("", 4, 6), left("[x]", 7, 7)];
    summary.status = RunStatus::Failed;
    let entry = |body| piton_core::entry::Entry { key: None, at: started.at, body };
    summary.apply(&entry(Body::Edited(edited.clone()))).unwrap();
    assert_eq!(summary.status, RunStatus::Running);
    assert!(summary.is_void(5, None) && !summary.is_void(7, None));
    assert!(summary.is_void(7, Some(&key("[x]/a#0"))));
    summary.status = RunStatus::Succeeded;
    summary.apply(&entry(Body::Edited(edited))).unwrap_err();
}
