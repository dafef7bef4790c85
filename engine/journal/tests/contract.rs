//! The SQLite journal does what every journal must do, on a disk and in memory.

use std::sync::Arc;

use piton_core::ports::Journal;
use piton_core::time::Timestamp;
use piton_journal::{Now, SqliteJournal, contract};

fn clock() -> Now {
    Arc::new(|| Timestamp::from_millis(1_800_000_000_000))
}

macro_rules! case {
    ($name:ident) => {
        #[test]
        fn $name() {
            let home = tempfile::tempdir().expect("a folder");
            contract::$name(&|| -> Arc<dyn Journal> {
                Arc::new(SqliteJournal::open(home.path(), clock()).expect("a journal"))
            });
        }
    };
}

piton_journal::every_case!(case);

mod in_memory {
    use super::*;

    macro_rules! case {
        ($name:ident) => {
            #[test]
            fn $name() {
                let locks = tempfile::tempdir().expect("a folder");
                let journal = SqliteJournal::in_memory(locks.path(), clock()).expect("a journal");
                let journal = Arc::new(journal);
                contract::$name(&|| -> Arc<dyn Journal> {
                    Arc::clone(&journal) as Arc<dyn Journal>
                });
            }
        };
    }

    piton_journal::every_case!(case);
}

#[test]
fn an_image_is_a_journal_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |name: &str| folder.path().join(name);
    let first = SqliteJournal::in_memory(&open("first"), clock()).expect("a journal");
    let image = first.image().expect("its bytes");
    let locks = open("second");
    let second = SqliteJournal::from_image(&image, &locks, clock()).expect("a journal");
    // What is done in the copy is done nowhere else: a run of the same id may be in both.
    let first: Arc<dyn Journal> = Arc::new(first);
    let second: Arc<dyn Journal> = Arc::new(second);
    contract::one_process_drives_a_run(&|| Arc::clone(&second));
    assert_eq!(second.runs().expect("a list").len(), 1);
    assert!(first.runs().expect("a list").is_empty());
    contract::one_process_drives_a_run(&|| Arc::clone(&first));
}
