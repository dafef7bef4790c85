//! The one way entries are written: fenced by the lease's epoch, chained, with the summary and the
//! index of gates in the same commit.

use piton_core::canonical::Digest;
use piton_core::entry::{Entry, Head};
use piton_core::key::Key;
use piton_core::ports::{JournalError, RunId};
use piton_core::status::RunSummary;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::failure::Failure;
use crate::gates;
use crate::store::Seen;

/// The hot row of a run.
pub(crate) struct HeadRow {
    pub(crate) head: Head,
    pub(crate) epoch: u64,
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

/// Writes entries at the end of a run's journal and the summary after them.
pub(crate) fn append(
    connection: &Connection,
    seen: &mut Seen,
    run: &RunId,
    epoch: u64,
    entries: &[Entry],
    summary: &RunSummary,
) -> Result<Head, Failure> {
    let before = fenced_head(connection, run, epoch)?;
    let head = insert(connection, run, before.head, entries)?;
    let updated = summary.updated_at;
    connection
        .prepare_cached("UPDATE heads SET seq = ?2, hash = ?3, updated = ?4 WHERE run = ?1")?
        .execute(params![run.0, signed(head.seq), head.hash.bytes(), updated.millis()])?;
    let is_stored = seen.get_mut(run).is_some_and(|stored| {
        // The head has the moment.
        stored.updated_at = updated;
        stored == summary
    });
    if !is_stored {
        connection
            .prepare_cached("UPDATE runs SET summary = ?2 WHERE id = ?1")?
            .execute(params![run.0, encode(summary)])?;
        seen.insert(run.clone(), summary.clone());
    }
    Ok(head)
}

/// Writes entries after `head`; the caller writes the new head.
pub(crate) fn insert(
    connection: &Connection,
    run: &RunId,
    mut head: Head,
    entries: &[Entry],
) -> Result<Head, Failure> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO entries (run, seq, key, kind, at, body, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for entry in entries {
        let kind = entry.body.kind();
        let text = entry.body.encode();
        head = head.next(entry.key.as_ref(), kind, entry.at, &text);
        insert.execute(params![
            run.0,
            signed(head.seq),
            entry.key.as_ref().map(Key::as_str),
            kind,
            entry.at.millis(),
            text,
            head.hash.bytes(),
        ])?;
        gates::keep(connection, run, head.seq, &entry.body)?;
    }
    Ok(head)
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
