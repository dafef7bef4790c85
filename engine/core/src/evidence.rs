//! A run as a document that proves itself: its program, its entries byte for byte, and the digest
//! that all of them are chained to.
//!
//! What a database shows, a document shows too: whoever has it can recompute the chain without the
//! database, offline, long after. Where the text comes from and where it goes is for others.

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::entry::{Body, Entry, Head, StoredEntry};
use crate::key::Key;
use crate::ports::{Journal, JournalError, ProgramFile, RunId, RunRow};
use crate::status::RunSummary;
use crate::time::Timestamp;

/// The form that this version writes, and the newest one it reads.
pub const FORMAT: u32 = 1;

/// Entries read at a time.
const CHUNK: usize = 512;

/// A run's program and journal up to an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Form of the document.
    pub format: u32,
    /// The run.
    pub run: RunId,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Files of its program, the script first.
    pub files: Vec<ProgramFile>,
    /// Its entries, the first one first.
    pub entries: Vec<Row>,
    /// Digest of the last entry.
    pub head: Digest,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Position, from 1.
    pub seq: u64,
    /// Key, when the entry belongs to a place in the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Kind.
    pub kind: String,
    /// Milliseconds since 1970 in UTC.
    pub at: i64,
    /// The stored text of the body.
    pub body: String,
    /// Digest over the entry and the one before.
    pub hash: Digest,
}

/// Why a document proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The document is from a newer version.
    #[error("it has the form {0}; this version of Piton reads up to {FORMAT}")]
    Newer(u32),
    /// An entry is not what was appended there.
    #[error("entry {0} is not the one that was appended there: it was changed, moved or cut out")]
    Entry(u64),
    /// Entries at the end are missing.
    #[error("entries after {0} are missing, or the digest of the end was changed")]
    End(u64),
    /// The files are not the program that the entries name.
    #[error("the files are not the program that the run was started with, or edited to")]
    Program,
    /// An entry that is what was appended does not follow from the ones before.
    #[error("entry {seq} cannot be read: {reason}")]
    Unreadable {
        /// Position.
        seq: u64,
        /// What is wrong.
        reason: String,
    },
}

impl Evidence {
    /// The evidence of a run up to an entry, or as it stands now.
    ///
    /// # Errors
    /// When there is no such run, or an entry cannot be read.
    pub fn of(journal: &dyn Journal, run: &RunId, last: Option<u64>) -> Result<Self, JournalError> {
        let row = journal.find(&run.0)?;
        let last = last.unwrap_or(row.head.seq).min(row.head.seq);
        let mut entries: Vec<Row> = Vec::new();
        while let Some(wanted) = last.checked_sub(entries.len() as u64).filter(|left| *left > 0) {
            let limit = usize::try_from(wanted).unwrap_or(CHUNK).min(CHUNK);
            let chunk =
                journal.entries(&row.run, entries.last().map_or(0, |row| row.seq), limit)?;
            if chunk.is_empty() {
                break;
            }
            entries.extend(chunk.into_iter().map(Row::of));
        }
        let head = entries.last().map_or(Head::EMPTY.hash, |row| row.hash);
        // What cannot be read is told by whoever verifies.
        let named = named_program(&entries).ok().flatten().unwrap_or(row.program);
        // An earlier program does not come along when a run is carried to another home.
        let files = journal.program(&named).or_else(|_| journal.program(&row.program))?;
        Ok(Self { format: FORMAT, run: row.run, labels: row.labels, files, entries, head })
    }

    /// Recomputes the chain and the program's digest.
    ///
    /// # Errors
    /// The first flaw, in the order of the entries.
    pub fn verify(&self) -> Result<(), Flaw> {
        if self.format > FORMAT {
            return Err(Flaw::Newer(self.format));
        }
        let mut head = Head::EMPTY;
        for row in &self.entries {
            let at = Timestamp::from_millis(row.at);
            let next = head.next(row.key.as_ref(), &row.kind, at, &row.body);
            if row.seq != next.seq || row.hash != next.hash {
                return Err(Flaw::Entry(next.seq));
            }
            head = next;
        }
        if head.hash != self.head {
            return Err(Flaw::End(head.seq));
        }
        match named_program(&self.entries)? {
            Some(program) if program == program_digest(&self.files) => Ok(()),
            Some(_) => Err(Flaw::Program),
            None => Err(Flaw::Entry(1)),
        }
    }

    /// The run as a list of runs had it at the last entry; nobody drives it.
    ///
    /// # Errors
    /// When an entry cannot follow the ones before.
    pub fn row(&self) -> Result<RunRow, Flaw> {
        let mut summary: Option<RunSummary> = None;
        let mut row = None;
        for stored in self.stored() {
            let stored = stored?;
            let entry = &stored.entry;
            let applied = match &mut summary {
                None => RunSummary::start(entry).map(|first| summary = Some(first)),
                Some(summary) => summary.apply(entry),
            };
            applied.map_err(|illegal| Flaw::Unreadable {
                seq: stored.seq,
                reason: illegal.to_string(),
            })?;
            match (&entry.body, &mut row) {
                (Body::Started(started), _) => {
                    row = Some((started.runbook.clone(), started.name.clone(), started.program));
                }
                (Body::Edited(edited), Some((_, _, program))) => *program = edited.to,
                _ => {}
            }
        }
        let (Some(summary), Some((runbook, name, program))) = (summary, row) else {
            return Err(Flaw::End(0));
        };
        let head = Head { seq: self.entries.len() as u64, hash: self.head };
        let (run, labels) = (self.run.clone(), self.labels.clone());
        Ok(RunRow { run, runbook, name, labels, program, summary, head, holder: None, copy: false })
    }

    /// The entries, read.
    pub fn stored(&self) -> impl Iterator<Item = Result<StoredEntry, Flaw>> {
        self.entries.iter().map(Row::stored)
    }
}

impl Row {
    fn of(stored: StoredEntry) -> Self {
        let StoredEntry { seq, hash, entry, text } = stored;
        let kind = entry.body.kind().to_owned();
        Self { seq, key: entry.key, kind, at: entry.at.millis(), body: text, hash }
    }

    fn stored(&self) -> Result<StoredEntry, Flaw> {
        let body = Body::decode(&self.kind, &self.body)
            .map_err(|error| Flaw::Unreadable { seq: self.seq, reason: error.to_string() })?;
        let entry = Entry { key: self.key.clone(), at: Timestamp::from_millis(self.at), body };
        Ok(StoredEntry { seq: self.seq, hash: self.hash, entry, text: self.body.clone() })
    }
}

/// The digest of the program that entries name: the one of the start, or of the last edit.
fn named_program(entries: &[Row]) -> Result<Option<Digest>, Flaw> {
    let mut program = None;
    for row in entries.iter().filter(|row| row.kind == "started" || row.kind == "edited") {
        match row.stored()?.entry.body {
            Body::Started(started) if row.seq == 1 => program = Some(started.program),
            Body::Edited(edited) if program.is_some() => program = Some(edited.to),
            _ => {}
        }
    }
    Ok(program)
}

/// The digest over names and contents of a program's files.
pub fn program_digest(files: &[ProgramFile]) -> Digest {
    Digest::of_parts(files.iter().flat_map(|file| [file.path.as_bytes(), file.text.as_bytes()]))
}
