//! A home and its copies, and homes where locks hold nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use piton_core::ports::{Journal as _, JournalError};
use piton_journal::{Machine, SqliteJournal};
use tempfile::TempDir;

use crate::support::{clock, holder, note, open, run_id, start, written};

/// As `cp -r` does it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// What a folder says when something is written to it.
fn refusal(journal: &SqliteJournal) -> JournalError {
    let refused = journal.acquire(&run_id(), &holder()).err().unwrap();
    assert_eq!(journal.remove(&run_id()), Err(refused.clone()));
    refused
}

fn opened_on(home: &Path, machine: Machine) -> SqliteJournal {
    SqliteJournal::open_on(home, clock(), machine).unwrap()
}

#[test]
fn a_copy_is_read_and_nothing_more() {
    let parent = TempDir::new().unwrap();
    let (home, other) = (parent.path().join("home"), parent.path().join("other"));
    written(&home, 5);
    copy(&home, &other);
    let journal = open(&other).unwrap();
    assert_eq!(journal.entries(&run_id(), 0, 9).unwrap().len(), 5);
    assert_eq!(journal.verify(&run_id()), Ok(None));
    let JournalError::Copied { path, original, is_there, .. } = refusal(&journal) else {
        panic!("another refusal");
    };
    let real = |path: &Path| path.canonicalize().unwrap().display().to_string();
    assert_eq!((path, original, is_there), (real(&other), real(&home), true));
    // The original is as it was.
    drop(open(&home).unwrap().acquire(&run_id(), &holder()).unwrap());
}

/// While both are there, runs go on in one alone.
#[test]
fn a_copy_that_is_made_a_home_leaves_its_runs_to_the_original() {
    let parent = TempDir::new().unwrap();
    let (home, other) = (parent.path().join("home"), parent.path().join("other"));
    written(&home, 5);
    copy(&home, &other);
    let adoption = SqliteJournal::adopt(&other, clock(), Machine::this()).unwrap();
    assert!(adoption.is_there);
    assert_eq!(adoption.unfinished, [run_id()]);
    let journal = open(&other).unwrap();
    let refused = journal.acquire(&run_id(), &holder()).err();
    assert_eq!(refused, Some(JournalError::ReadOnlyCopy("a1".to_owned())));
    assert!(journal.find("a1").unwrap().copy);
    journal.remove(&run_id()).unwrap();
    drop(start(&journal));
    let again = SqliteJournal::adopt(&other, clock(), Machine::this()).unwrap();
    assert_eq!(again.was, None);
}

#[test]
fn a_copy_whose_original_is_gone_goes_on_when_told() {
    let parent = TempDir::new().unwrap();
    let (home, other) = (parent.path().join("home"), parent.path().join("other"));
    written(&home, 5);
    copy(&home, &other);
    fs::remove_dir_all(&home).unwrap();
    let refused = refusal(&open(&other).unwrap());
    assert!(matches!(refused, JournalError::Copied { is_there: false, .. }), "{refused}");
    let adoption = SqliteJournal::adopt(&other, clock(), Machine::this()).unwrap();
    assert_eq!((adoption.is_there, adoption.unfinished), (false, vec![run_id()]));
    let journal = open(&other).unwrap();
    let lease = journal.acquire(&run_id(), &holder()).unwrap();
    let summary = journal.find("a1").unwrap().summary;
    journal.append(&*lease, &[note(9, "on")], &summary).unwrap();
}

/// A file that is put in place of the original is a copy too: a backup that was restored.
#[test]
fn a_restored_backup_is_a_copy() {
    let home = TempDir::new().unwrap();
    written(home.path(), 5);
    let (path, backup) = (home.path().join("journal.db"), home.path().join("backup"));
    fs::copy(&path, &backup).unwrap();
    fs::rename(&backup, &path).unwrap();
    let refused = refusal(&open(home.path()).unwrap());
    assert!(matches!(refused, JournalError::Copied { is_there: false, .. }), "{refused}");
}

#[test]
fn a_home_that_was_moved_is_the_same() {
    let parent = TempDir::new().unwrap();
    let (home, other) = (parent.path().join("home"), parent.path().join("other"));
    written(&home, 5);
    fs::rename(&home, &other).unwrap();
    drop(open(&other).unwrap().acquire(&run_id(), &holder()).unwrap());
    // And known by its new name from then on.
    let third = parent.path().join("third");
    copy(&other, &third);
    let refused = refusal(&open(&third).unwrap());
    assert!(
        matches!(&refused, JournalError::Copied { original, is_there: true, .. } if original.ends_with("other")),
        "{refused}"
    );
}

#[test]
fn a_disk_that_went_to_another_machine_is_refused_and_a_container_is_not() {
    let home = TempDir::new().unwrap();
    let named = |id: Option<&str>, boot: &str| Machine {
        id: id.map(str::to_owned),
        boot: boot.to_owned(),
        ..Machine::this()
    };
    drop(start(&opened_on(home.path(), named(Some("one"), "first"))));
    let same = [
        // The next boot, a container without an id, a container with an id of its own.
        named(Some("one"), "second"),
        named(None, "second"),
        named(Some("container"), "second"),
        named(Some("one"), "third"),
    ];
    for machine in same {
        drop(opened_on(home.path(), machine).acquire(&run_id(), &holder()).unwrap());
    }
    let elsewhere = opened_on(home.path(), named(Some("two"), "other"));
    let refused = refusal(&elsewhere);
    assert!(refused.to_string().contains("another machine"), "{refused}");
}

/// What has no owner is nobody's copy: frozen journals, for one.
#[test]
fn a_file_without_an_owner_becomes_that_of_its_folder() {
    let parent = TempDir::new().unwrap();
    let (home, other) = (parent.path().join("home"), parent.path().join("other"));
    written(&home, 5);
    let path = home.join("journal.db");
    rusqlite::Connection::open(path).unwrap().execute("DELETE FROM home", []).unwrap();
    copy(&home, &other);
    for folder in [&home, &other] {
        drop(open(folder).unwrap().acquire(&run_id(), &holder()).unwrap());
        drop(open(folder).unwrap().acquire(&run_id(), &holder()).unwrap());
    }
}

#[test]
fn a_home_on_a_network_file_system_is_only_read_unless_it_is_allowed() {
    let on = |kind: u64| Machine { file_system: Arc::new(move |_| Some(kind)), ..Machine::this() };
    let kinds = [(0x6969, "NFS"), (0xfe53_4d42, "SMB"), (0x6573_5546, "FUSE"), (0x0102_1997, "9p")];
    for (kind, name) in kinds {
        let parent = TempDir::new().unwrap();
        let home = parent.path().join("home");
        let refused = SqliteJournal::open_on(&home, clock(), on(kind)).err();
        assert!(
            matches!(&refused, Some(JournalError::NetworkHome { kind, .. }) if kind == name),
            "{refused:?}"
        );
        assert!(!home.exists(), "nothing is made there");

        written(&home, 3);
        let journal = opened_on(&home, on(kind));
        assert_eq!(journal.entries(&run_id(), 0, 9).unwrap().len(), 3);
        let refused = refusal(&journal);
        assert!(matches!(refused, JournalError::NetworkHome { .. }), "{refused}");
        let allowed = Machine { allows_network: true, ..on(kind) };
        drop(opened_on(&home, allowed).acquire(&run_id(), &holder()).unwrap());
    }
    // ext4, XFS, Btrfs, tmpfs, overlayfs.
    for kind in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
        let home = TempDir::new().unwrap();
        drop(start(&opened_on(home.path(), on(kind))));
    }
}
