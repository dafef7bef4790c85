//! A run's entries as a stream, read in chunks: constant memory however long the journal is.

use std::sync::Arc;
use std::vec;

use piton_core::entry::StoredEntry;
use piton_core::ports::{Journal, JournalError, RunId};
use piton_core::replay::EntrySource;

/// Entries read at a time: enough that a query's fixed cost does not count.
const CHUNK: usize = 512;

/// The entries of a run that are there when it gets to them, in order. Which branch they belong to
/// is for others to say.
pub struct EntryReader {
    journal: Arc<dyn Journal>,
    run: RunId,
    after: u64,
    chunk: vec::IntoIter<StoredEntry>,
}

impl EntryReader {
    /// Reads from the first entry on.
    pub fn new(journal: Arc<dyn Journal>, run: RunId) -> Self {
        Self::after(journal, run, 0)
    }

    /// Reads the entries after a position.
    pub fn after(journal: Arc<dyn Journal>, run: RunId, after: u64) -> Self {
        Self { journal, run, after, chunk: Vec::new().into_iter() }
    }
}

impl EntrySource for EntryReader {
    fn next_entry(&mut self) -> Result<Option<StoredEntry>, JournalError> {
        if self.chunk.as_slice().is_empty() {
            self.chunk = self.journal.entries(&self.run, self.after, CHUNK)?.into_iter();
        }
        let next = self.chunk.next();
        if let Some(entry) = &next {
            self.after = entry.seq;
        }
        Ok(next)
    }
}
