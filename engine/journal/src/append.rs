//! The one way entries are written: fenced by the lease's epoch, chained, with the summary and the
//! index of gates in the same commit.

use piton_core::canonical::Digest;
use piton_core::entry::{Entry, Head};
use piton_core::key::Key;
use piton_core::ports::{JournalError, Lease, RunId};
use piton_core::status::RunSummary;
use piton_core::time::Span;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::failure::Failure;
use crate::gates;
use crate::store::{Seen, Written};

/// The hot row of a run.
pub(crate) struct HeadRow {
    pub(crate) head: Head,
    pub(crate) epoch: u64,
}

/// Where the entries of a run are: an entry's place is this and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shelf(i64);

/// Bits of an entry's place that are its position.
const POSITION: i64 = 0xffff_ffff;

impl Shelf {
    /// The shelf of a run, when there is such a run.
    pub(crate) fn of(connection: &Connection, run: &RunId) -> Result<Self, Failure> {
        connection
            .prepare_cached("SELECT number << 32 FROM runs WHERE id = ?1")?
            .query_row([&run.0], |row| Ok(Self(row.get(0)?)))
            .optional()?
            .ok_or_else(|| JournalError::NoRun(run.0.clone()).into())
    }

    /// The place of a position; a position that no run comes to is the last one.
    pub(crate) fn place(self, seq: u64) -> i64 {
        self.0 | signed(seq).min(POSITION)
    }

    /// The position that an entry's place in a column has.
    pub(crate) fn position(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
        Ok(unsigned(row, column)? & POSITION as u64)
    }

    /// The last place that there is.
    pub(crate) fn end(self) -> i64 {
        self.0 | POSITION
    }
}

/// The hot row of a run, when there is such a run.
pub(crate) fn head(connection: &Connection, run: &RunId) -> Result<HeadRow, Failure> {
    connection
        .prepare_cached("SELECT seq, hash, epoch FROM heads WHERE run = ?1")?
        .query_row([&run.0], |row| {
            let head = Head { seq: unsigned(row, 0)?, hash: Digest::from_bytes(row.get(1)?) };
            Ok(HeadRow { head, epoch: unsigned(row, 2)? })
        })
        .optional()?
        .ok_or_else(|| JournalError::NoRun(run.0.clone()).into())
}

/// The hot row, for a process that holds `epoch`; refused when another took the run.
pub(crate) fn fenced_head(
    connection: &Connection,
    run: &RunId,
    epoch: u64,
) -> Result<HeadRow, Failure> {
    let row = head(connection, run)?;
    match row.epoch == epoch {
        true => Ok(row),
        false => Err(JournalError::LeaseLost(run.0.clone()).into()),
    }
}

/// Entries as they come to stand in a run's journal.
struct Chained<'a> {
    rows: Vec<(&'a Entry, String, Head)>,
    /// The last one, or the head before them.
    head: Head,
}

impl<'a> Chained<'a> {
    fn after(mut head: Head, entries: &'a [Entry]) -> Self {
        let place = |entry: &'a Entry| {
            let text = entry.body.encode();
            head = head.next(entry.key.as_ref(), entry.body.kind(), entry.at, &text);
            (entry, text, head)
        };
        let rows = entries.iter().map(place).collect();
        Self { rows, head }
    }
}

/// Writes entries at the end of a run's journal, the summary after them, and that the holder is alive `at`
/// this moment of the machine's running time.
pub(crate) fn append(
    connection: &Connection,
    seen: &mut Seen,
    (lease, at): (&dyn Lease, Span),
    entries: &[Entry],
    summary: &RunSummary,
) -> Result<Head, Failure> {
    let (run, epoch) = (lease.run(), lease.epoch());
    let (before, shelf) = match seen.get(run) {
        Some(seen) => (seen.head, seen.shelf),
        None => (fenced_head(connection, run, epoch)?.head, Shelf::of(connection, run)?),
    };
    let chained = Chained::after(before, entries);
    let (head, updated) = (chained.head, summary.updated_at);
    let moved = connection
        .prepare_cached(
            "UPDATE heads SET seq = ?2, hash = ?3, updated = ?4, heartbeat = ?5
             WHERE run = ?1 AND epoch = ?6 AND seq = ?7 AND hash = ?8",
        )?
        .execute(params![
            run.0,
            signed(head.seq),
            head.hash.bytes(),
            updated.millis(),
            signed(at.millis()),
            signed(epoch),
            signed(before.seq),
            before.hash.bytes(),
        ])?;
    if moved == 0 {
        fenced_head(connection, run, epoch)?;
        return Err(Failure::Damaged(format!("the head of run {run} was changed by hand")));
    }
    write(connection, run, shelf, chained)?;
    let is_stored = seen.get_mut(run).is_some_and(|seen| {
        seen.head = head;
        // The head has the moment.
        seen.summary.updated_at = updated;
        seen.summary == *summary
    });
    if !is_stored {
        connection
            .prepare_cached("UPDATE runs SET summary = ?2 WHERE id = ?1")?
            .execute(params![run.0, encode(summary)])?;
        seen.insert(run.clone(), Written { shelf, head, summary: summary.clone() });
    }
    Ok(head)
}

/// Writes entries after `head`; the caller writes the new head.
pub(crate) fn insert(
    connection: &Connection,
    run: &RunId,
    head: Head,
    entries: &[Entry],
) -> Result<Head, Failure> {
    write(connection, run, Shelf::of(connection, run)?, Chained::after(head, entries))
}

fn write(
    connection: &Connection,
    run: &RunId,
    shelf: Shelf,
    chained: Chained<'_>,
) -> Result<Head, Failure> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO entries (place, key, kind, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (entry, text, head) in chained.rows {
        insert.execute(params![
            shelf.place(head.seq),
            entry.key.as_ref().map(Key::as_str),
            entry.body.kind(),
            entry.at.millis(),
            text,
            head.hash.bytes(),
        ])?;
        gates::keep(connection, run, head.seq, &entry.body)?;
    }
    Ok(chained.head)
}

/// Plain data as the JSON text that a column holds.
pub(crate) fn encode<T: serde::Serialize + ?Sized>(data: &T) -> String {
    serde_json::to_string(data).expect("what the journal stores is plain data")
}

/// SQLite's integers have a sign; positions, numbers and limits beyond it do not exist.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A column that never is negative.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}
