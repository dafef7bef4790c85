//! Programs, sealed values, and removal.

use piton_core::canonical::Digest;
use piton_core::entry::{Body, Edited, Left};
use piton_core::key::Key;
use piton_core::ports::{JournalError, ProgramFile};
use piton_core::status::RunSummary;

use super::Open;
use super::fixtures::{
    OldLease, approval, entry, gate, holder, new_run, note, opened, start, start_with,
};

/// The files of a program come back in order, whatever their contents.
pub fn a_program_is_kept_as_it_was(open: Open<'_>) {
    let journal = open();
    let mut new = new_run("a1", "// crate\u{301}r\r\n\u{0}");
    new.files.extend(
        ["zz.sql", "aa.md.j2"]
            .map(|path| ProgramFile { path: path.to_owned(), text: String::new() }),
    );
    let driven = start_with(&*journal, &new);
    assert_eq!(open().program(&new.program), Ok(new.files));
    assert_eq!(journal.find("a1").unwrap().program, new.program);
    journal.program(&Digest::of(b"another one")).unwrap_err();
    drop(driven);
}

/// Those of the start and those that came later; the last one of a name counts.
pub fn sealed_values_are_kept_by_name(open: Open<'_>) {
    let journal = open();
    let mut new = new_run("a1", "x");
    new.sealed = vec![("b".to_owned(), vec![0, 255]), ("c".to_owned(), Vec::new())];
    let driven = start_with(&*journal, &new);
    journal.seal(&*driven.lease, "a", b"first").unwrap();
    journal.seal(&*driven.lease, "a", b"last").unwrap();
    let expected = [("a", b"last".to_vec()), ("b", vec![0, 255]), ("c", Vec::new())];
    assert_eq!(
        open().sealed(&driven.run).unwrap(),
        expected.map(|(name, value)| (name.to_owned(), value))
    );
}

/// All of a run goes, and its program unless another run has it.
pub fn a_run_is_removed_with_what_only_it_used(open: Open<'_>) {
    let journal = open();
    let (shared, own) = (new_run("a1", "shared"), new_run("b2", "own"));
    let mut gone = start_with(&*journal, &own);
    let (first, second) =
        (start_with(&*journal, &shared), start_with(&*journal, &new_run("c3", "shared")));
    let asked = gate("publish", "x");
    gone.append(&*journal, &[note("#0", 1, "gone"), opened("#1", 1, &asked)]);
    journal.post(&gone.run, &approval(&asked, "ann")).unwrap();
    journal.seal(&*gone.lease, "password", b"gone").unwrap();
    drop((gone.lease, first.lease));

    let other = open();
    other.remove(&gone.run).unwrap();
    let none = |id: &str| JournalError::NoRun(id.to_owned());
    assert_eq!(journal.find("b2"), Err(none("b2")));
    assert_eq!(journal.entries(&gone.run, 0, 9), Err(none("b2")));
    assert_eq!(journal.mail(&gone.run), Err(none("b2")));
    assert_eq!(journal.open_gates(&gone.run), Err(none("b2")));
    assert_eq!(journal.remove(&gone.run), Err(none("b2")));
    assert_eq!(journal.acquire(&gone.run, &holder(3)).err(), Some(none("b2")));
    journal.program(&own.program).unwrap_err();

    other.remove(&first.run).unwrap();
    assert_eq!(journal.program(&shared.program), Ok(shared.files));
    assert_eq!(journal.find("c3").unwrap().run, second.run);
    let again = start_with(&*journal, &own);
    assert_eq!(journal.entries(&again.run, 0, 9).unwrap().len(), 1);
    assert_eq!(journal.sealed(&again.run), Ok(Vec::new()));
    assert_eq!(journal.mail(&again.run), Ok(Vec::new()));
}

/// An edit changes the program, the entries and the gates in one commit; both programs go with the run.
pub fn an_edited_program_is_the_one_of_the_run(open: Open<'_>) {
    let journal = open();
    let (before, after) = (new_run("a1", "before"), new_run("a1", "after"));
    let mut driven = start_with(&*journal, &before);
    let asked = gate("publish", "x");
    driven.append(&*journal, &[opened("publish#0", 1, &asked)]);
    let edited = Edited {
        left: vec![Left {
            branch: String::new(),
            from_seq: 2,
            to_seq: 2,
            key: Key::from_text("publish#0"),
            what: "the gate".to_owned(),
            effect: false,
        }],
        withdrawn: vec![asked.gate],
        ..Edited::plain(before.program, after.program)
    };
    let entries = [entry("", 2, Body::Edited(edited))];
    driven.fold(&entries);
    let (lease, summary) = (driven.lease.as_ref(), &driven.summary);
    let old = OldLease(driven.run.clone(), 0);
    journal.edit(&old, &after.program, &after.files, &entries, summary).unwrap_err();
    assert_eq!(open().find("a1").unwrap().program, before.program);
    let head = journal.edit(lease, &after.program, &after.files, &entries, summary).unwrap();
    let row = open().find("a1").unwrap();
    assert_eq!((row.program, row.head, &row.summary), (after.program, head, summary));
    assert_eq!(open().open_gates(&driven.run), Ok(Vec::new()));
    for new in [&before, &after] {
        assert_eq!(open().program(&new.program).as_ref(), Ok(&new.files));
    }
    drop(driven.lease);
    open().remove(&driven.run).unwrap();
    for new in [&before, &after] {
        open().program(&new.program).unwrap_err();
    }
}

/// Nothing is taken from under a driver.
pub fn a_driven_run_is_not_removed(open: Open<'_>) {
    let journal = open();
    let driven = start(&*journal, "a1");
    let held = JournalError::Held { run: "a1".to_owned(), holder: holder(1) };
    assert_eq!(open().remove(&driven.run), Err(held.clone()));
    assert_eq!(journal.remove(&driven.run), Err(held));
    assert_eq!(journal.find("a1").unwrap().head.seq, 1);
}

/// An id is used once: the second run of it is refused, and the first one is as it was.
pub fn a_run_is_stored_once(open: Open<'_>) {
    let journal = open();
    let first = start(&*journal, "a1");
    drop(first.lease);
    let before = journal.find("a1").unwrap();
    let stored = journal.entries(&first.run, 0, 1).unwrap().remove(0).entry;
    let summary = RunSummary::start(&stored).unwrap();
    let other = new_run("a1", "another script");
    let refused = journal.create(&other, &[stored], &summary, &holder(5));
    assert!(refused.is_err(), "a run was stored over another");
    assert_eq!(journal.find("a1"), Ok(before));
    journal.program(&other.program).unwrap_err();
}
