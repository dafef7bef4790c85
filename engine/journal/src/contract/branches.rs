//! Entries and gates of branches.

use piton_core::entry::{Body, BranchVoid, BranchesClosed, End, Retried};
use piton_core::key::Key;

use super::Open;
use super::fixtures::{approval, ended, entry, gate, intent, note, opened, start};

/// A branch's entries come alone and in order, in chunks, without those of branches inside it.
pub fn entries_of_a_branch_come_alone(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let keys = [
        "#0",
        "[a]#0",
        "[a]/step#0",
        "step/[a]#0",
        "[a]/s/[b]#0",
        "[a][2]#0",
        "[a]/step",
        "[ab]#0",
        "[a]#1",
        "step/[a]/x#3",
        "step#0",
        "[é]/x#0",
    ];
    let written: Vec<_> = keys.iter().zip(1..).map(|(key, second)| intent(key, second)).collect();
    driven.append(&*journal, &written);
    driven.append(&*journal, &[note("", 90, "no key"), intent("[a]#2", 91)]);

    let of = |branch: &str, after, limit| -> Vec<String> {
        let found = open().branch_entries(&driven.run, branch, after, limit).unwrap();
        found.iter().map(|stored| stored.entry.key.as_ref().unwrap().as_str().to_owned()).collect()
    };
    assert_eq!(of("[a]", 0, 100), ["[a]#0", "[a]/step#0", "[a]/step", "[a]#1", "[a]#2"]);
    assert_eq!(of("[a]", 3, 2), ["[a]/step#0", "[a]/step"]);
    assert_eq!(of("", 0, 100), ["#0", "step#0"]);
    for branch in ["", "[a]", "[a][2]", "[ab]", "step/[a]", "[a]/s/[b]", "[é]", "[none]"] {
        let ours = |key: &&&str| Key::from_text(**key).branch() == branch;
        let mut wanted: Vec<&str> = keys.iter().filter(ours).copied().collect();
        wanted.extend((branch == "[a]").then_some("[a]#2"));
        assert_eq!(of(branch, 0, 100), wanted, "{branch}");
    }
}

/// Gates of branches that stopped are open to nobody; a retry that makes the end of their group void
/// opens them again, and leaves alone what is void in no branch.
pub fn gates_of_stopped_branches_come_back_with_a_retry(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let (kept, gone) = (gate("[a]/publish", "a"), gate("[b]/publish", "b"));
    let closed = BranchesClosed {
        failed: vec![1],
        stopped: vec![0],
        raised: true,
        withdrawn: vec!["[a]/publish".to_owned()],
        ..BranchesClosed::default()
    };
    driven.append(&*journal, &[opened("[a]#0", 1, &kept)]);
    driven.append(&*journal, &[intent("[b]#0", 2), opened("[b]#1", 3, &gone)]);
    driven.append(&*journal, &[entry("#0", 4, Body::BranchesClosed(closed))]);
    let names = || -> Vec<String> {
        let gates = open().open_gates(&driven.run).unwrap();
        gates.into_iter().map(|gate| gate.request.gate).collect()
    };
    assert_eq!(names(), ["[b]/publish"]);
    assert!(journal.post(&driven.run, &approval(&kept, "ann")).is_err());
    let retried = Retried {
        from_seq: 5,
        to_seq: 6,
        branches: vec![BranchVoid { branch: "[b]".to_owned(), from_seq: 3 }],
    };
    let again = [ended(5, End::Failed, Some(5)), entry("", 6, Body::Retried(retried))];
    driven.append(&*journal, &again);
    let gates = open().open_gates(&driven.run).unwrap();
    let names: Vec<_> = gates.iter().map(|gate| gate.request.gate.as_str()).collect();
    assert_eq!(names, ["[a]/publish"]);
}
