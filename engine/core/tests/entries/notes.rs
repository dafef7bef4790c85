//! Notes, outputs, artifacts and undos: told once, never compared.

use piton_core::entry::{Body, Note, Output};
use piton_core::replay::CallStep;
use serde_json::json;

use crate::support::{create, intent, key, machine, outcome};

fn note(text: &str) -> Body {
    Body::Note(Note { text: text.to_owned() })
}

#[test]
fn a_recorded_note_is_not_told_again() {
    let mut machine = machine(&[("", note("run-level")), ("here", note("hello"))]);
    assert_eq!(machine.annotate("note").unwrap(), None);
    assert_eq!(machine.annotate("note").unwrap(), Some(key("")));
}

#[test]
fn notes_that_an_edited_script_dropped_or_added_are_no_mismatch() {
    let entries = [
        ("here", note("dropped")),
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", outcome(json!({}))),
    ];
    let mut dropped = machine(&entries);
    assert!(matches!(dropped.call(&create("a").asked()).unwrap(), CallStep::Replay { .. }));
    let mut added = machine(&entries[1..]);
    assert_eq!(added.annotate("output").unwrap(), None);
    assert!(matches!(added.call(&create("a").asked()).unwrap(), CallStep::Replay { .. }));
}

#[test]
fn leftover_outputs_do_not_hold_up_the_end() {
    let output = Body::Output(Output { name: "rows".to_owned(), value: json!([1]) });
    machine(&[("here", output)]).finish().unwrap();
}
