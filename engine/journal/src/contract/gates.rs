//! Open gates, and what opens and closes them.

use piton_core::entry::{Body, End, Retried};
use piton_core::gate::{Admission, Verdict};
use piton_core::key::Key;
use piton_core::ports::{JournalError, Mail, OpenGate};

use super::Open;
use super::fixtures::{
    approval, at, closed, decision, ended, entry, gate, note, opened, person, run_id, start,
};

/// Two gates are open at once, and each has its own answers, recorded ones before those that wait.
pub fn open_gates_come_in_the_order_they_opened(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let (mut later, mut first) = (gate("a/publish", "a"), gate("z/publish", "z"));
    (first.need, later.need) = (3, 3);
    driven.append(&*journal, &[opened("z#0", 1, &first), opened("a#4", 2, &later)]);
    let recorded = decision(&first, "ann", Verdict::Approve);
    let recording = entry("z#0", 3, Body::Decided(recorded.clone()));
    driven.append(&*journal, &[recording]);
    journal.post(&driven.run, &approval(&first, "bob")).unwrap();
    journal.post(&driven.run, &approval(&first, "eve")).unwrap();

    let posted = ["bob", "eve"].map(|name| decision(&first, name, Verdict::Approve));
    let decisions = [[recorded].as_slice(), &posted].concat();
    let expected = [
        OpenGate { key: Key::from_text("z#0"), opened_at: at(1), request: first, decisions },
        OpenGate {
            key: Key::from_text("a#4"),
            opened_at: at(2),
            request: later.clone(),
            decisions: Vec::new(),
        },
    ];
    assert_eq!(open().open_gates(&driven.run).unwrap(), expected);
    driven.append(&*journal, &[closed("a#4", 5, &later)]);
    assert_eq!(open().open_gates(&driven.run).unwrap(), expected[..1]);
    let nowhere = journal.open_gates(&run_id("b2"));
    assert_eq!(nowhere, Err(JournalError::NoRun("b2".to_owned())));
}

/// The gates of all runs are those of each, with their answers, newest run first.
pub fn gates_of_all_runs_come_with_their_answers(open: Open<'_>) {
    let journal = open();
    let mut first = start(&*journal, "a1");
    let mut second = start(&*journal, "b2");
    let third = start(&*journal, "c3");
    let (asked, other) = (gate("z/publish", "z"), gate("a/publish", "a"));
    first.append(&*journal, &[opened("z#0", 1, &asked), opened("a#4", 2, &other)]);
    second.append(&*journal, &[opened("z#0", 1, &asked)]);
    second.append(&*journal, &[closed("z#0", 2, &asked), opened("a#0", 3, &other)]);
    assert_eq!(open().runs_with_mail(), Ok(Vec::new()));
    journal.post(&first.run, &approval(&asked, "ann")).unwrap();
    assert_eq!(open().runs_with_mail(), Ok(vec![first.run.clone()]));
    let each = |driven: &super::fixtures::Driven| {
        (driven.run.clone(), journal.open_gates(&driven.run).unwrap())
    };
    let all = open().gates_of_all().unwrap();
    assert_eq!(all, [each(&second), each(&first)]);
    assert_eq!(all[1].1[0].decisions.len(), 1);
    drop(third);
}

/// An answer that comes before its gate is refused, is not kept, and can be given again.
pub fn an_answer_needs_an_open_gate(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let asked = gate("publish", "x");
    let early = || open().post(&driven.run, &approval(&asked, "ann"));
    let none = JournalError::NoGate { run: "a1".to_owned(), gate: "publish".to_owned() };
    for _ in 0..2 {
        assert_eq!(early(), Err(none.clone()));
    }
    assert_eq!(journal.mail(&driven.run).unwrap(), []);
    let nowhere = journal.post(&run_id("b2"), &approval(&asked, "ann"));
    assert_eq!(nowhere, Err(JournalError::NoRun("b2".to_owned())));

    driven.append(&*journal, &[opened("#0", 1, &asked)]);
    assert_eq!(journal.post(&driven.run, &approval(&asked, "ann")), Ok(Admission::Counts));
    assert_eq!(journal.mail(&driven.run).unwrap().len(), 1);
    assert_eq!(journal.post(&driven.run, &approval(&gate("other", "x"), "ann")), {
        Err(JournalError::NoGate { run: "a1".to_owned(), gate: "other".to_owned() })
    });
}

/// A gate that opens again asks something else: answers to the first question do not count.
pub fn a_gate_that_opens_again_forgets_its_answers(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let (mut asked, mut again) = (gate("publish", "ten rows"), gate("publish", "all rows"));
    (asked.need, again.need) = (3, 3);
    let answer = entry("#0", 2, Body::Decided(decision(&asked, "ann", Verdict::Approve)));
    driven.append(&*journal, &[opened("#0", 1, &asked), answer]);
    journal.post(&driven.run, &approval(&asked, "bob")).unwrap();
    driven.append(&*journal, &[opened("#0", 3, &again)]);
    let gates = open().open_gates(&driven.run).unwrap();
    assert_eq!(gates.len(), 1);
    assert_eq!((&gates[0].request, gates[0].opened_at), (&again, at(3)));
    assert_eq!(gates[0].decisions, []);
    for name in ["ann", "bob"] {
        assert_eq!(journal.post(&driven.run, &approval(&again, name)), Ok(Admission::Counts));
    }
}

/// What a retry makes void did not happen: gates opened there are gone, closed there are open, and
/// answers recorded there are taken back.
pub fn a_retry_makes_gates_void(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let (kept, gone) = (gate("kept", "k"), gate("gone", "g"));
    driven.append(&*journal, &[opened("#0", 1, &kept)]);
    let answer = decision(&kept, "ann", Verdict::Approve);
    let voided = [
        note("#1", 2, "the first void entry"),
        entry("#0", 3, Body::Decided(answer)),
        closed("#0", 3, &kept),
        opened("#2", 4, &gone),
        ended(5, End::Failed, Some(3)),
    ];
    driven.append(&*journal, &voided);
    driven.append(
        &*journal,
        &[entry("", 6, Body::Retried(Retried { from_seq: 3, to_seq: 7, branches: Vec::new() }))],
    );
    let gates = open().open_gates(&driven.run).unwrap();
    let names: Vec<_> = gates.iter().map(|gate| gate.request.gate.as_str()).collect();
    assert_eq!(names, ["kept"]);
    assert_eq!(gates[0].decisions, []);
    let none = JournalError::NoGate { run: "a1".to_owned(), gate: "gone".to_owned() };
    assert_eq!(journal.post(&driven.run, &approval(&gone, "ann")), Err(none));
    assert_eq!(journal.post(&driven.run, &approval(&kept, "ann")), Ok(Admission::Counts));
}

/// The gates of a run that ended are not open; a retry opens what it did not make void.
pub fn a_run_that_ended_asks_nobody(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let asked = gate("publish", "x");
    driven.append(&*journal, &[opened("#0", 1, &asked), ended(2, End::Failed, Some(3))]);
    assert_eq!(open().open_gates(&driven.run), Ok(Vec::new()));
    let none = JournalError::NoGate { run: "a1".to_owned(), gate: "publish".to_owned() };
    assert_eq!(journal.post(&driven.run, &approval(&asked, "ann")), Err(none));
    driven.append(
        &*journal,
        &[entry("", 6, Body::Retried(Retried { from_seq: 3, to_seq: 3, branches: Vec::new() }))],
    );
    assert_eq!(open().open_gates(&driven.run).unwrap().len(), 1);
    let by_requester = Mail::Decision(decision(&asked, "rita", Verdict::Approve));
    assert!(matches!(
        journal.post(&driven.run, &by_requester),
        Err(JournalError::Refused(refusal)) if refusal.to_string().contains(&person("rita").principal.arn)
    ));
}
