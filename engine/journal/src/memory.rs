//! A journal without a file, and its whole contents as bytes: what rehearsals crash and copy.
//!
//! It is the same SQL on the same tables, without fsync. Locks stay files, in a folder that the
//! caller gives: one folder for each copy, so that a copy is nobody's but its own.

use std::path::Path;
use std::sync::Arc;

use piton_core::ports::JournalError;
use rusqlite::Connection;

use crate::failure::Failure;
use crate::open::{Files, make_tables};
use crate::sqlite::SqliteJournal;
use crate::store::{Now, Store};

impl SqliteJournal {
    /// An empty journal in memory; the locks of its runs are files in `locks`.
    ///
    /// # Errors
    /// When there is no memory for it, or the folder cannot be created.
    pub fn in_memory(locks: &Path, clock: Now) -> Result<Self, JournalError> {
        Self::of_memory(locks, clock, |connection, files| make_tables(connection, &files.database))
    }

    /// A journal in memory with what another one had when [`SqliteJournal::image`] was taken. Nobody
    /// drives its runs as long as `locks` is a folder of its own.
    ///
    /// # Errors
    /// When there is no memory for it, or the folder cannot be created.
    pub fn from_image(image: &[u8], locks: &Path, clock: Now) -> Result<Self, JournalError> {
        Self::of_memory(locks, clock, |connection, _| {
            connection.deserialize_read_exact("main", image, image.len(), false)?;
            Ok(())
        })
    }

    /// Everything it holds, as the bytes of a database.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn image(&self) -> Result<Vec<u8>, JournalError> {
        self.store.image()
    }

    fn of_memory(
        locks: &Path,
        clock: Now,
        fill: impl FnOnce(&mut Connection, &Files) -> Result<(), Failure>,
    ) -> Result<Self, JournalError> {
        let files = Files::of_memory(locks);
        let opened = || -> Result<Connection, Failure> {
            files.create_locks()?;
            let mut connection = Connection::open_in_memory()?;
            connection.set_prepared_statement_cache_capacity(64);
            fill(&mut connection, &files)?;
            connection.pragma_update(None, "journal_mode", "MEMORY")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            Ok(connection)
        };
        let connection = opened().map_err(|failure| failure.at(&files.database))?;
        Ok(Self { store: Arc::new(Store::in_memory(files, clock, connection)) })
    }
}
