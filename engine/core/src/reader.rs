//! The recorded entries of a run as a stream, in constant memory.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::entry::StoredEntry;
use crate::ports::{Journal, JournalError, RunId};
use crate::replay::EntrySource;

/// Entries read at a time: enough that reading costs little, little enough to stay small.
const CHUNK: usize = 512;

/// Reads a run's entries up to the position that was the end when the driving began.
pub struct EntryReader {
    journal: Arc<dyn Journal>,
    run: RunId,
    after: u64,
    last: u64,
    chunk: VecDeque<StoredEntry>,
}

impl EntryReader {
    /// A reader of the entries up to position `last`.
    pub fn new(journal: Arc<dyn Journal>, run: RunId, last: u64) -> Self {
        Self { journal, run, after: 0, last, chunk: VecDeque::new() }
    }
}

impl EntrySource for EntryReader {
    fn next_entry(&mut self) -> Result<Option<StoredEntry>, JournalError> {
        if self.chunk.is_empty() && self.after < self.last {
            self.chunk = self.journal.entries(&self.run, self.after, CHUNK)?.into();
        }
        match self.chunk.pop_front() {
            Some(entry) if entry.seq <= self.last => {
                self.after = entry.seq;
                Ok(Some(entry))
            }
            _ => Ok(None),
        }
    }
}
