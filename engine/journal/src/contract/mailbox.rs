//! Mail: what anyone may leave at any time, and how it becomes entries.

use std::sync::Barrier;
use std::thread;

use piton_core::entry::{Body, Cancelled, Settled, Settlement};
use piton_core::gate::{Admission, Refusal, Verdict};
use piton_core::key::Key;
use piton_core::ports::{Journal, JournalError, Mail};
use serde_json::json;

use super::Open;
use super::fixtures::{
    Driven, OldLease, approval, at, closed, decision, entry, gate, opened, rejection, run_id, start,
};

fn numbers(journal: &dyn Journal, driven: &Driven) -> Vec<u64> {
    journal.mail(&driven.run).unwrap().into_iter().map(|(number, _)| number).collect()
}

/// An equal answer of the same person changes nothing; any other names the first, before the driver
/// took the answer, after it did, and after the gate closed.
pub fn the_first_answer_counts(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let asked = gate("publish", "x");
    driven.append(&*journal, &[opened("#0", 1, &asked)]);
    assert_eq!(journal.post(&driven.run, &approval(&asked, "ann")), Ok(Admission::Counts));

    let check = |open: Open<'_>| {
        let other = open();
        let repeated = other.post(&driven.run, &approval(&asked, "ann"));
        assert_eq!(repeated, Ok(Admission::Repeated));
        for late in [rejection(&asked, "ann"), rejection(&asked, "bob"), approval(&asked, "bob")] {
            match other.post(&driven.run, &late) {
                Err(JournalError::Refused(Refusal::Conflict { by, verdict, .. })) => {
                    assert!(by.ends_with("user/ann"), "{by} was not the first");
                    assert_eq!(verdict, "approved");
                }
                other => panic!("a second answer got {other:?}"),
            }
        }
    };
    check(open);
    assert_eq!(numbers(&*journal, &driven).len(), 1);

    let answer = decision(&asked, "ann", Verdict::Approve);
    let entries = [entry("#0", 60, Body::Decided(answer))];
    let mail = numbers(&*journal, &driven);
    let lease = driven.lease.as_ref();
    journal.take_mail(lease, &mail, &entries, &driven.summary).unwrap();
    check(open);
    journal.append(lease, &[closed("#0", 61, &asked)], &driven.summary).unwrap();
    check(open);
    assert_eq!(numbers(&*journal, &driven), [] as [u64; 0]);
}

/// Only who may decide does, and only what the gate shows.
pub fn an_answer_to_something_else_is_refused(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let asked = gate("publish", "ten rows");
    driven.append(&*journal, &[opened("#0", 1, &asked)]);
    let seen_before = gate("publish", "one row");
    for mail in [approval(&seen_before, "ann"), approval(&asked, "rita")] {
        let refused = journal.post(&driven.run, &mail);
        assert!(
            matches!(refused, Err(JournalError::Refused(Refusal::NotEligible { .. }))),
            "{refused:?}"
        );
    }
    assert_eq!(numbers(&*journal, &driven), [] as [u64; 0]);
    assert_eq!(journal.post(&driven.run, &approval(&asked, "ann")), Ok(Admission::Counts));
}

/// Answers that come at once from several processes are taken one after the other.
pub fn of_contradicting_answers_at_once_one_counts(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let asked = gate("publish", "x");
    driven.append(&*journal, &[opened("#0", 1, &asked)]);
    let barrier = Barrier::new(6);
    let run = &driven.run;
    let admissions: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|n| {
                let (barrier, asked) = (&barrier, &asked);
                scope.spawn(move || {
                    let journal = open();
                    let name = format!("person{n}");
                    let mail = match n % 2 {
                        0 => approval(asked, &name),
                        _ => rejection(asked, &name),
                    };
                    barrier.wait();
                    journal.post(run, &mail)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let counted = admissions.iter().filter(|admission| **admission == Ok(Admission::Counts));
    assert_eq!(counted.count(), 1);
    for error in admissions.iter().filter_map(|admission| admission.as_ref().err()) {
        assert!(matches!(error, JournalError::Refused(Refusal::Conflict { .. })), "{error}");
    }
    assert_eq!(numbers(&*journal, &driven).len(), 1);
}

/// The entries are there and the mail is gone, or neither; mail is not taken twice.
pub fn mail_becomes_entries_in_one_commit(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let asked = gate("publish", "x");
    driven.append(&*journal, &[opened("#0", 1, &asked)]);
    journal.post(&driven.run, &approval(&asked, "ann")).unwrap();
    let cancel = Mail::Cancel { by: Some("bob".to_owned()), reason: None, at: at(2) };
    journal.post(&driven.run, &cancel).unwrap();
    let waiting = open().mail(&driven.run).unwrap();
    let mails: Vec<_> = waiting.iter().map(|(_, mail)| mail.clone()).collect();
    assert_eq!(mails, [approval(&asked, "ann"), cancel]);

    let entries = [
        entry("#0", 3, Body::Decided(decision(&asked, "ann", Verdict::Approve))),
        entry("", 3, Body::Cancelled(Cancelled { by: Some("bob".to_owned()), reason: None })),
    ];
    let taken: Vec<_> = waiting.iter().map(|(number, _)| *number).collect();
    let old = OldLease(driven.run.clone(), 9);
    journal.take_mail(&old, &taken, &entries, &driven.summary).unwrap_err();
    assert_eq!(journal.mail(&driven.run).unwrap(), waiting);

    driven.fold(&entries);
    let lease = driven.lease.as_ref();
    let head = journal.take_mail(lease, &taken, &entries, &driven.summary).unwrap();
    assert_eq!((head.seq, open().mail(&driven.run).unwrap()), (4, Vec::new()));
    journal.take_mail(lease, &taken, &entries, &driven.summary).unwrap_err();
    assert_eq!(journal.find("a1").unwrap().head, head);
    let gates = journal.open_gates(&driven.run).unwrap();
    assert_eq!(gates[0].decisions, [decision(&asked, "ann", Verdict::Approve)]);

    let again = Mail::Cancel { by: None, reason: Some("again".to_owned()), at: at(4) };
    journal.post(&driven.run, &again).unwrap();
    let (number, _) = journal.mail(&driven.run).unwrap()[0];
    assert!(!taken.contains(&number), "a number of mail was used twice");
}

/// A second cancel changes nothing while the first one waits.
pub fn one_cancel_is_enough(open: Open<'_>) {
    let journal = open();
    let driven = start(&*journal, "a1");
    let cancel = |by: &str| Mail::Cancel { by: Some(by.to_owned()), reason: None, at: at(2) };
    assert_eq!(journal.post(&driven.run, &cancel("ann")), Ok(Admission::Counts));
    assert_eq!(journal.post(&driven.run, &cancel("bob")), Ok(Admission::Repeated));
    let waiting = journal.mail(&driven.run).unwrap();
    assert_eq!(waiting.into_iter().map(|(_, mail)| mail).collect::<Vec<_>>(), [cancel("ann")]);
    let nowhere = journal.post(&run_id("b2"), &cancel("ann"));
    assert_eq!(nowhere, Err(JournalError::NoRun("b2".to_owned())));
}

/// The same again changes nothing, another one is refused, and another doubt is another matter.
pub fn the_first_way_to_settle_a_doubt_counts(open: Open<'_>) {
    let journal = open();
    let driven = start(&*journal, "a1");
    let settle = |key: &str, how: Settlement| {
        let by = Some("ann".to_owned());
        let settled = Settled { how, reason: "I looked".to_owned(), by, at: None };
        journal.post(&driven.run, &Mail::Settle { key: Key::from_text(key), settled })
    };
    let adopt = || Settlement::Adopt { output: json!({ "id": "prj_1" }) };
    assert_eq!(settle("a#0", adopt()), Ok(Admission::Counts));
    assert_eq!(settle("a#0", adopt()), Ok(Admission::Repeated));
    match settle("a#0", Settlement::Retry) {
        Err(JournalError::Refused(refusal @ Refusal::Conflict { .. })) => {
            assert!(refusal.to_string().contains("`a#0` was already settled by ann"), "{refusal}");
        }
        other => panic!("a second settlement got {other:?}"),
    }
    assert_eq!(settle("a#1", Settlement::Retry), Ok(Admission::Counts));
    assert_eq!(journal.mail(&driven.run).unwrap().len(), 2);
}
