//! Entries and lists of runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use piton_core::entry::{End, Head};
use piton_core::ports::JournalError;
use piton_core::replay::EntrySource as _;
use piton_core::status::RunStatus;
use serde_json::json;

use super::Open;
use super::fixtures::{at, ended, intent, new_run, note, outcome, run_id, start, start_with};
use piton_core::reader::EntryReader;

/// Text, key, moment and hash are what the core makes of the entry that was appended.
pub fn entries_come_back_as_they_were_written(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let written = [
        intent("create project#0", 1),
        outcome("create project#0", 2, json!({ "id": "prj_1", "size": 1.5, "gone": null })),
        note("", 3, "done"),
    ];
    let end = driven.append(&*journal, &written);
    assert_eq!(end.seq, 4);

    let stored = open().entries(&driven.run, 0, 100).unwrap();
    assert_eq!(stored.len(), 4);
    let mut head = Head::EMPTY;
    for entry in &stored {
        let (key, body) = (entry.entry.key.as_ref(), &entry.entry.body);
        head = head.next(key, body.kind(), entry.entry.at, &entry.text);
        assert_eq!((entry.seq, entry.hash), (head.seq, head.hash));
        assert_eq!(entry.text, body.encode());
    }
    assert_eq!(head, end);
    let read: Vec<_> = stored.into_iter().skip(1).map(|stored| stored.entry).collect();
    assert_eq!(read, written);
}

/// A limit is kept, a position is left out, the end is an empty answer, and no run is an error.
pub fn entries_are_read_in_chunks(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let notes: Vec<_> = (0..1200).map(|n| note("#0", n, &format!("note {n}"))).collect();
    driven.append(&*journal, &notes);

    let seqs = |after, limit| -> Vec<u64> {
        let found = journal.entries(&driven.run, after, limit).unwrap();
        found.iter().map(|entry| entry.seq).collect()
    };
    assert_eq!(seqs(0, 2), [1, 2]);
    assert_eq!(seqs(1199, 512), [1200, 1201]);
    assert_eq!(seqs(1201, 512), [] as [u64; 0]);
    assert_eq!(seqs(u64::MAX, 512), [] as [u64; 0]);
    let nowhere = journal.entries(&run_id("b2"), 0, 1);
    assert_eq!(nowhere, Err(JournalError::NoRun("b2".to_owned())));

    let mut reader = EntryReader::new(Arc::clone(&journal), driven.run.clone(), u64::MAX);
    // The first entry has no key: it belongs to no place in the script.
    for seq in 2..=1201 {
        assert_eq!(reader.next_entry().unwrap().map(|entry| entry.seq), Some(seq));
    }
    assert_eq!(reader.next_entry(), Ok(None));
    driven.append(&*journal, &[note("#1", 1300, "later")]);
    assert_eq!(reader.next_entry().unwrap().map(|entry| entry.seq), Some(1202));
}

/// Entries of one append have positions in a row, and nothing of another run between them.
pub fn several_entries_are_one_append(open: Open<'_>) {
    let journal = open();
    let (mut first, mut second) = (start(&*journal, "a1"), start(&*journal, "b2"));
    first.append(&*journal, &[intent("#0", 1)]);
    second.append(&*journal, &[intent("#0", 1), outcome("#0", 2, json!(1))]);
    let head = first.append(&*journal, &[outcome("#0", 2, json!(2)), intent("#1", 2)]);
    assert_eq!(head.seq, 4);
    assert_eq!(journal.find("a1").unwrap().head, head);
    assert_eq!(journal.find("b2").unwrap().head.seq, 3);
    let unchanged = first.append(&*journal, &[]);
    assert_eq!(unchanged, head);
    let kinds: Vec<_> = journal.entries(&first.run, 0, 9).unwrap();
    let kinds: Vec<_> = kinds.iter().map(|stored| stored.entry.body.kind()).collect();
    assert_eq!(kinds, ["started", "intent", "outcome", "intent"]);
}

/// A value of a mebibyte, keys and texts in any script, quotes, control characters and NUL.
pub fn large_values_and_any_text_are_kept(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let large = "\u{1F3D4}x".repeat(1 << 18);
    let odd = "quote \" and ' backslash \\ line\nbell \u{7} nul \u{0} \u{2028}";
    let written = [
        outcome("créer/проект/プロジェクト[2]#7", 1, json!({ "large": large })),
        note("\u{1F3D4}#0", 2, odd),
        note("a\u{0}b#0", 3, ""),
    ];
    driven.append(&*journal, &written);
    let read = open().entries(&driven.run, 1, 10).unwrap();
    let read: Vec<_> = read.into_iter().map(|stored| stored.entry).collect();
    assert!(read == written, "an entry came back as another one");
}

/// Newest first, with all that a list shows.
pub fn the_list_of_runs_has_the_newest_first(open: Open<'_>) {
    let journal = open();
    assert_eq!(journal.runs(), Ok(Vec::new()));
    let ids = ["zz", "aa", "mm"];
    let driven: Vec<_> = ids.iter().map(|id| start(&*journal, id)).collect();
    let rows = open().runs().unwrap();
    let listed: Vec<_> = rows.iter().map(|row| row.run.0.as_str()).collect();
    assert_eq!(listed, ["mm", "aa", "zz"]);
    let (row, new) = (&rows[0], new_run("mm", "runbook(#{});"));
    assert_eq!((&row.runbook, &row.name, &row.labels), (&new.runbook, &new.name, &new.labels));
    assert_eq!((row.program, row.head), (new.program, driven[2].head));
    assert_eq!(row.summary, driven[2].summary);
}

/// By the whole id, also when longer ones begin with it, or by a beginning that only one has.
pub fn a_run_is_found_by_a_unique_prefix(open: Open<'_>) {
    let journal = open();
    let _driven: Vec<_> = ["ab", "abc1", "abd2"].map(|id| start(&*journal, id)).into();
    let found = |prefix| journal.find(prefix).map(|row| row.run.0);
    assert_eq!(found("ab"), Ok("ab".to_owned()));
    assert_eq!(found("abc"), Ok("abc1".to_owned()));
    let runs = ["ab", "abc1", "abd2"].map(str::to_owned).into();
    assert_eq!(found("a"), Err(JournalError::Ambiguous { prefix: "a".to_owned(), runs }));
    for nothing in ["x", "abc12", "a%", "*", ""] {
        assert_eq!(found(nothing), Err(JournalError::NoRun(nothing.to_owned())));
    }
}

/// Whoever reads sees the summary that came with the last append, its moment included.
pub fn the_summary_is_the_one_of_the_last_append(open: Open<'_>) {
    let journal = open();
    let mut driven = start_with(&*journal, &new_run("a1", "x"));
    let steps = [
        note("#0", 5, "later"),
        note("#1", 20, "much later"),
        note("#2", 10, "by a clock that went back"),
        ended(30, End::Succeeded, None),
    ];
    for step in steps {
        driven.append(&*journal, &[step]);
        assert_eq!(open().find("a1").unwrap().summary, driven.summary);
    }
    let row = journal.find("a1").unwrap();
    assert_eq!((row.status(), row.summary.updated_at), (RunStatus::Succeeded, at(30)));
}

/// A reader sees whole appends only, and no writer waits for it.
pub fn entries_are_read_while_others_append(open: Open<'_>) {
    let journal = open();
    let mut driven = start(&*journal, "a1");
    let run = driven.run.clone();
    let (is_over, reader) = (AtomicBool::new(false), open());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let found = reader.entries(&run, 0, 1000).unwrap();
                assert_eq!(found.len() % 2, 1, "half an append was read");
                assert!(found.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
            }
        });
        for n in 0..40 {
            driven.append(&*journal, &[intent("#0", n), outcome("#0", n, json!(n))]);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(journal.find("a1").unwrap().head.seq, 81);
}
