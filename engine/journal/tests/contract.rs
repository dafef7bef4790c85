//! The SQLite journal does what every journal must do.

use std::sync::Arc;

use piton_core::ports::Journal;
use piton_core::time::Timestamp;
use piton_journal::{SqliteJournal, contract};

macro_rules! case {
    ($name:ident) => {
        #[test]
        fn $name() {
            let home = tempfile::tempdir().expect("a folder");
            contract::$name(&|| -> Arc<dyn Journal> {
                let clock = Arc::new(|| Timestamp::from_millis(1_800_000_000_000));
                Arc::new(SqliteJournal::open(home.path(), clock).expect("a journal"))
            });
        }
    };
}

piton_journal::every_case!(case);
