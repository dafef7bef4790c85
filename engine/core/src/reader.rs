//! The recorded entries of one branch of a run as a stream, in constant memory.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::entry::StoredEntry;
use crate::ports::{Journal, JournalError, RunId};
use crate::replay::EntrySource;

/// Entries read at a time: enough that reading costs little, little enough to stay small.
const CHUNK: usize = 512;
/// The same for one of many branches, which are read side by side.
const BRANCH_CHUNK: usize = 64;

/// Reads a branch's entries up to the position that was the end when the driving began.
pub struct EntryReader {
    journal: Arc<dyn Journal>,
    run: RunId,
    branch: String,
    after: u64,
    last: u64,
    at_a_time: usize,
    chunk: VecDeque<StoredEntry>,
}

impl EntryReader {
    /// A reader of the entries outside of branches, up to position `last`.
    pub fn new(journal: Arc<dyn Journal>, run: RunId, last: u64) -> Self {
        let (branch, after) = (String::new(), 0);
        Self { journal, run, branch, after, last, at_a_time: CHUNK, chunk: VecDeque::new() }
    }

    /// A reader of the entries of the branch at this path, after the position `after` where its group
    /// opened, up to position `last`.
    pub fn of_branch(
        journal: Arc<dyn Journal>,
        run: RunId,
        branch: String,
        after: u64,
        last: u64,
    ) -> Self {
        Self { journal, run, branch, after, last, at_a_time: BRANCH_CHUNK, chunk: VecDeque::new() }
    }
}

impl EntrySource for EntryReader {
    fn next_entry(&mut self) -> Result<Option<StoredEntry>, JournalError> {
        if self.chunk.is_empty() && self.after < self.last {
            let chunk =
                self.journal.branch_entries(&self.run, &self.branch, self.after, self.at_a_time)?;
            self.chunk = chunk.into();
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
