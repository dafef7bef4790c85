//! Two connections to one database: one that writes, one transaction at a time, and one that reads
//! meanwhile.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::ports::{JournalError, RunId};
use piton_core::status::RunSummary;
use piton_core::time::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::failure::Failure;
use crate::open::Files;

/// Where the journal gets the present moment from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The summaries that this process wrote last. Most appends change nothing but the moment in them,
/// which the head has anyway: then the text is not written again.
pub(crate) type Seen = HashMap<RunId, RunSummary>;

/// The open database.
pub(crate) struct Store {
    pub(crate) files: Files,
    clock: Now,
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
}

struct Writer {
    connection: Connection,
    seen: Seen,
}

impl Store {
    pub(crate) fn open(home: &Path, clock: Now) -> Result<Self, JournalError> {
        let files = Files::of(home);
        let connections = files.connect()?;
        Ok(Self::over(files, clock, connections))
    }

    pub(crate) fn open_read_only(home: &Path, clock: Now) -> Result<Self, JournalError> {
        let files = Files::of(home);
        let connections = files.connect_for_reading()?;
        Ok(Self::over(files, clock, connections))
    }

    fn over(files: Files, clock: Now, (writer, reader): (Connection, Connection)) -> Self {
        let writer = Writer { connection: writer, seen: Seen::new() };
        Self { files, clock, writer: Mutex::new(writer), reader: Mutex::new(reader) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Refuses to let the database grow beyond a number of pages, as a full disk would.
    pub(crate) fn limit_pages(&self, pages: u32) -> Result<(), JournalError> {
        let writer = lock(&self.writer);
        let answer =
            writer
                .connection
                .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0));
        answer.map(|_| ()).map_err(|error| Failure::from(error).at(&self.files.database))
    }

    /// Reads from one state of the database, whatever is written meanwhile.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        let mut reader = lock(&self.reader);
        let outcome = reader.transaction().map_err(Failure::from).and_then(|state| look(&state));
        outcome.map_err(|failure| failure.at(&self.files.database))
    }

    /// Changes the database in one durable commit; not at all when `change` refuses.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Connection, &mut Seen) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        let mut writer = lock(&self.writer);
        let Writer { connection, seen } = &mut *writer;
        let outcome = commit(connection, seen, change);
        if outcome.is_err() {
            // It may hold what was about to be written.
            seen.clear();
        }
        outcome.map_err(|failure| failure.at(&self.files.database))
    }
}

fn commit<T>(
    connection: &mut Connection,
    seen: &mut Seen,
    change: impl FnOnce(&Connection, &mut Seen) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let value = change(&transaction, seen)?;
    transaction.commit()?;
    Ok(value)
}

/// A thread that panicked inside a transaction rolled it back: the connection is good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
