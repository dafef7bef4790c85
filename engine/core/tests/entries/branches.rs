//! Branches: their keys, their replay side by side, what a retry makes void in them.

use piton_core::canonical::Digest;
use piton_core::entry::{
    Body, BranchVoid, BranchesClosed, BranchesOpened, End, Ended, Entry, GroupKind, Retried,
    Started, StoredEntry, Suspended,
};
use piton_core::gate::{GateKind, GateRequest, OnExpire};
use piton_core::key::{Cursor, Key, branch_name, branch_of, is_within};
use piton_core::replay::{CallStep, Machine};
use piton_core::status::{Reason, RunStatus, RunSummary, WaitingKind};
use serde_json::{Value, json};

use crate::support::{at, create, get, intent, key, machine, mismatch, outcome, read, stored};

fn group(names: &[&str]) -> BranchesOpened {
    BranchesOpened {
        by: GroupKind::Parallel,
        branches: names.iter().map(|name| (*name).to_owned()).collect(),
        labels: Vec::new(),
    }
}

fn opened(paths: &[&str]) -> Body {
    Body::BranchesOpened(group(paths))
}

/// A machine over the entries of one branch, as a reader hands them out.
fn branch(path: &str, entries: &[(&str, Body)], voided: Vec<(u64, u64)>) -> Machine {
    let own = |entry: &StoredEntry| entry.entry.key.as_ref().is_some_and(|at| at.branch() == path);
    let own: Vec<StoredEntry> = stored(entries).into_iter().filter(own).collect();
    Machine::in_branch(path, Box::new(own.into_iter()), voided, Digest::from_bytes([0; 32]))
}

#[test]
fn a_key_says_which_branch_it_is_in() {
    let mut cursor = Cursor::default();
    assert_eq!(cursor.open_branches(&["glue".to_owned()]), ["[glue]"]);
    cursor.open_step("publish");
    let names = ["a/b".to_owned(), "0".to_owned()];
    assert_eq!(cursor.open_branches(&names), ["publish/[a%2fb]", "publish/[0]"]);
    assert_eq!(cursor.open_branches(&names)[1], "publish/[0][2]");
    let mut inside = Cursor::at("publish/[0][2]");
    assert_eq!(inside.next_key().as_str(), "publish/[0][2]#0");
    assert_eq!(inside.open_step("x"), "publish/[0][2]/x");
    assert_eq!(inside.depth(), 3);
    assert_eq!(inside.next_key().branch(), "publish/[0][2]");
    for (path, wanted) in [
        ("", ""),
        ("a/b", ""),
        ("[x]", "[x]"),
        ("[x]/s/t", "[x]"),
        ("a/[x]/s/[y][3]/t", "a/[x]/s/[y][3]"),
    ] {
        assert_eq!(branch_of(path), wanted, "{path}");
        assert_eq!(Key::from_text(format!("{path}#4")).branch(), wanted, "{path}");
    }
    assert_eq!(branch_name("publish/[a%2fb][2]"), "a/b");
    assert!(is_within("[x]/[y]", "[x]") && is_within("[x]", "[x]") && is_within("[x]", ""));
    assert!(!is_within("[x][2]", "[x]") && !is_within("", "[x]"));
}

#[test]
fn branches_replay_their_own_entries_however_they_met_in_time() {
    let entries = [
        ("#0", opened(&["[a]", "[b]"])),
        ("[b]#0", intent("create_project", json!({"name": "b"}))),
        ("[a]#0", intent("create_project", json!({"name": "a"}))),
        ("[a]#0", outcome(json!({"id": "a"}))),
        ("[b]#0", outcome(json!({"id": "b"}))),
        ("[b]#1", read("get_project", json!({"identifier": "b"}), json!({}))),
        ("#0", Body::BranchesClosed(BranchesClosed::default())),
        ("#1", intent("create_project", json!({"name": "after"}))),
    ];
    let mut main = branch("", &entries, Vec::new());
    let step = main.open_branches(group(&["a", "b"])).unwrap();
    assert_eq!(step.group.branches, ["[a]", "[b]"]);
    assert_eq!(step.opened.map(|(seq, _)| seq), Some(1));
    assert_eq!(step.closed, Some(BranchesClosed::default()));
    for (path, name) in [("[a]", "a"), ("[b]", "b")] {
        let mut branch = branch(path, &entries, Vec::new());
        let answer = branch.call(&create(name).asked()).unwrap();
        assert!(matches!(answer, CallStep::Replay { .. }), "{answer:?}");
    }
    assert_eq!(main.close_branches(&step.key, &BranchesClosed::default()).unwrap(), Some(7));
    assert!(matches!(main.call(&create("after").asked()).unwrap(), CallStep::InDoubt { .. }));
}

#[test]
fn other_branches_than_recorded_are_a_mismatch() {
    let entries = [("#0", opened(&["[a]", "[b]"]))];
    let found = mismatch(branch("", &entries, Vec::new()).open_branches(group(&["a", "c"])));
    assert!(found.recorded.contains("a, b") && found.asked.contains("a, c"), "{found:?}");
    let found = mismatch(branch("", &entries, Vec::new()).call(&create("x").asked()));
    assert!(found.recorded.contains("`parallel` with 2 branches"), "{found:?}");
    let map = BranchesOpened { by: GroupKind::ParallelMap, ..group(&["a", "b"]) };
    mismatch(branch("", &entries, Vec::new()).open_branches(map));
}

#[test]
fn an_end_that_differs_from_the_recorded_one_is_a_mismatch() {
    let failed = BranchesClosed { failed: vec![1], raised: true, ..BranchesClosed::default() };
    let entries = [("#0", opened(&["[a]", "[b]"])), ("#0", Body::BranchesClosed(failed.clone()))];
    let mut main = branch("", &entries, Vec::new());
    let step = main.open_branches(group(&["a", "b"])).unwrap();
    mismatch(main.close_branches(&step.key, &BranchesClosed::default()));
    assert_eq!(main.close_branches(&step.key, &failed).unwrap(), Some(2));
    assert_eq!(main.retry_from(), Some(2), "what failed may be attempted again");
}

#[test]
fn entries_left_over_in_a_branch_are_a_mismatch() {
    let entries = [("[a]#0", intent("create_project", json!({"name": "a"})))];
    mismatch(branch("[a]", &entries, Vec::new()).finish());
    branch("[b]", &entries, Vec::new()).finish().unwrap();
}

#[test]
fn what_leads_to_a_gate_is_its_own_branch_and_what_was_joined_before() {
    let of = |entries: &[(&str, Body)], path: &str| {
        let mut machine = branch(path, entries, Vec::new());
        assert!(matches!(machine.call(&get("x").asked()), Ok(CallStep::Replay { .. })));
        machine.ancestry()
    };
    let ours = ("[a]#0", read("get_project", json!({"identifier": "x"}), json!({})));
    let sibling = ("[b]#0", read("get_project", json!({"identifier": "x"}), json!({"n": 1})));
    let alone = of(std::slice::from_ref(&ours), "[a]");
    assert_eq!(of(&[sibling, ours], "[a]"), alone);
    let joined = |digests: &[Digest]| {
        let mut main = machine(&[]);
        main.join(digests);
        main.ancestry()
    };
    assert_ne!(joined(&[alone]), joined(&[Digest::of(b"other")]));
    assert_ne!(joined(&[alone, Digest::of(b"x")]), joined(&[Digest::of(b"x"), alone]));
}

#[test]
fn a_retry_makes_void_what_failed_in_each_branch_and_nothing_beside_it() {
    let retried = Retried {
        from_seq: 6,
        to_seq: 8,
        branches: vec![BranchVoid { branch: "[a]".to_owned(), from_seq: 3 }],
    };
    let covered = |seq, text: &str| retried.covers(seq, Some(&key(text)));
    assert!(covered(3, "[a]#0") && covered(7, "#0") && covered(8, "[a]/s"));
    assert!(!covered(2, "[a]#0") && !covered(4, "[b]#0") && !covered(5, "#0") && !covered(9, "#0"));
    let entries = [
        ("#0", opened(&["[a]", "[b]"])),
        ("[b]#0", intent("create_project", json!({"name": "b"}))),
        ("[a]#0", intent("create_project", json!({"name": "a"}))),
        ("[b]#0", outcome(json!({}))),
        ("[a]#0", crate::support::refusal("AccessDenied")),
    ];
    let mut again = branch("[a]", &entries, vec![(3, 8)]);
    match again.call(&create("a").asked()).unwrap() {
        CallStep::Perform { attempt, .. } => assert_eq!(attempt, 2),
        other => panic!("{other:?}"),
    }
}

fn entry(key_text: &str, second: i64, body: Body) -> Entry {
    let key = (!key_text.is_empty()).then(|| key(key_text));
    Entry { key, at: at(second), body }
}

fn gate(address: &str) -> Body {
    Body::GateOpened(GateRequest {
        gate: address.to_owned(),
        name: "go".to_owned(),
        kind: GateKind::Approval,
        show: Value::Null,
        from: Vec::new(),
        need: 1,
        exclude: Vec::new(),
        by_requester: false,
        requester: None,
        expires_at: None,
        on_expire: OnExpire::Reject,
        form: Value::Null,
        instructions: None,
        evidence: None,
        returns_rejection: false,
        digest: Digest::of(b"gate"),
    })
}

fn started() -> RunSummary {
    let body = json!({
        "runbook": "r", "title": "t", "params": {}, "program": Digest::of(b"p"), "version": "1",
    });
    let started: Started = serde_json::from_value(body).unwrap();
    RunSummary::start(&entry("", 0, Body::Started(started))).unwrap()
}

#[test]
fn a_run_waits_for_everything_that_its_branches_wait_for() {
    let mut summary = started();
    summary.apply(&entry("[a]#0", 1, gate("[a]/go"))).unwrap();
    summary.apply(&entry("[b]#0", 2, gate("[b]/go"))).unwrap();
    let timer = Reason::Timer { name: "night".to_owned(), until: at(99) };
    let reason = Reason::joined(vec![Reason::Gates, timer.clone(), Reason::Gates]);
    assert_eq!(reason.each(), [Reason::Gates, timer]);
    assert_eq!(Reason::joined(vec![Reason::Gates, Reason::Gates]), Reason::Gates);
    summary.apply(&entry("", 3, Body::Suspended(Suspended { reason }))).unwrap();
    assert_eq!(summary.status, RunStatus::Suspended);
    let kinds: Vec<WaitingKind> = summary.waiting_for().iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [WaitingKind::Approval, WaitingKind::Approval, WaitingKind::Timer]);
    let doubt = Reason::Doubt {
        key: key("[a]#0"),
        operation: "iam.create_role".to_owned(),
        question: "?".to_owned(),
        candidates: Vec::new(),
    };
    assert_eq!(Reason::joined(vec![Reason::Gates, doubt]).status(), RunStatus::Stuck);
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<RunSummary>(&text).unwrap(), summary);
}

#[test]
fn gates_of_stopped_branches_are_taken_away_and_come_back_with_a_retry() {
    let mut summary = started();
    summary.apply(&entry("[a]#0", 1, gate("[a]/go"))).unwrap();
    let closed = BranchesClosed {
        failed: vec![1],
        stopped: vec![0],
        raised: true,
        withdrawn: vec!["[a]/go".to_owned()],
        ..BranchesClosed::default()
    };
    summary.apply(&entry("#0", 2, Body::BranchesClosed(closed))).unwrap();
    assert_eq!(summary.waiting_for(), []);
    let ended = Ended {
        end: End::Failed,
        error: None,
        retry_from: Some(5),
        retry_in: vec![BranchVoid { branch: "[b]".to_owned(), from_seq: 4 }],
    };
    summary.apply(&entry("", 3, Body::Ended(ended))).unwrap();
    let branches = summary.retry_in.clone();
    let retried = Retried { from_seq: 5, to_seq: 6, branches };
    summary.apply(&entry("", 4, Body::Retried(retried))).unwrap();
    assert_eq!(summary.waiting_for().len(), 1);
    assert_eq!((summary.voided_of(""), summary.voided_of("[b]")), (vec![(5, 6)], vec![(4, 6)]));
    assert!(summary.is_void(4, Some(&key("[b]#0"))) && !summary.is_void(4, Some(&key("[a]#0"))));
}
