//! Reading: lists of runs, one run, entries.

use piton_core::canonical::Digest;
use piton_core::entry::{Body, Entry, Head, StoredEntry};
use piton_core::key::Key;
use piton_core::ports::{Holder, JournalError, RunId, RunRow};
use piton_core::status::RunSummary;
use piton_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::append::{Shelf, unsigned};
use crate::failure::Failure;

/// Runs, newest first, with whoever took them last as holder.
pub(crate) fn list(connection: &Connection) -> Result<Vec<RunRow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, runbook, name, labels, program, summary, seq, hash, updated, holder, copy
         FROM runs JOIN heads ON run = id ORDER BY number DESC",
    )?;
    collect(statement.query([])?)
}

/// One run by its id, or the beginning of its id.
pub(crate) fn find(connection: &Connection, prefix: &str) -> Result<RunRow, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, runbook, name, labels, program, summary, seq, hash, updated, holder, copy
         FROM runs JOIN heads ON run = id
         WHERE substr(id, 1, length(?1)) = ?1 AND ?1 <> '' ORDER BY id",
    )?;
    let mut found = collect(statement.query([prefix])?)?;
    if let Some(exact) = found.iter().position(|row| row.run.0 == prefix) {
        return Ok(found.swap_remove(exact));
    }
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(JournalError::NoRun(prefix.to_owned()).into()),
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            found.push(last);
            let runs = found.into_iter().map(|row| row.run.0).collect();
            Err(JournalError::Ambiguous { prefix: prefix.to_owned(), runs }.into())
        }
    }
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<RunRow>, Failure> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(run_row(row)?);
    }
    Ok(found)
}

fn run_row(row: &Row<'_>) -> Result<RunRow, Failure> {
    let text = |column| row.get::<_, String>(column);
    let mut summary: RunSummary = decode("summary", &text(5)?)?;
    // The text is as old as the last change of anything else in it.
    summary.updated_at = Timestamp::from_millis(row.get(8)?);
    let holder = row.get::<_, Option<String>>(9)?;
    Ok(RunRow {
        run: RunId(text(0)?),
        runbook: text(1)?,
        name: row.get(2)?,
        labels: decode("labels", &text(3)?)?,
        program: Digest::from_bytes(row.get(4)?),
        summary,
        head: Head { seq: unsigned(row, 6)?, hash: Digest::from_bytes(row.get(7)?) },
        holder: holder.map(|holder| decode::<Holder>("holder", &holder)).transpose()?,
        copy: row.get(10)?,
    })
}

/// The stored summary of a run; all but its moment is up to date.
pub(crate) fn summary(connection: &Connection, run: &RunId) -> Result<RunSummary, Failure> {
    let text: Option<String> = connection
        .prepare_cached("SELECT summary FROM runs WHERE id = ?1")?
        .query_row([&run.0], |row| row.get(0))
        .optional()?;
    let text = text.ok_or_else(|| JournalError::NoRun(run.0.clone()))?;
    decode("summary", &text)
}

/// Whether a run is only kept to be read.
pub(crate) fn is_copy(connection: &Connection, run: &RunId) -> Result<bool, Failure> {
    let copy = connection
        .prepare_cached("SELECT copy FROM runs WHERE id = ?1")?
        .query_row([&run.0], |row| row.get(0))
        .optional()?;
    Ok(copy.unwrap_or(false))
}

/// Refuses a run that goes on in another home.
pub(crate) fn refuse_elsewhere(connection: &Connection, run: &RunId) -> Result<(), Failure> {
    let stored: Option<(bool, String)> = connection
        .prepare_cached("SELECT copy, summary FROM runs WHERE id = ?1")?
        .query_row([&run.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (copy, summary) = stored.ok_or_else(|| JournalError::NoRun(run.0.clone()))?;
    let run = run.0.clone();
    if copy {
        return Err(JournalError::ReadOnlyCopy(run).into());
    }
    match decode::<RunSummary>("summary", &summary)?.handed_over {
        Some(departure) => Err(JournalError::HandedOver { run, capsule: departure.capsule }.into()),
        None => Ok(()),
    }
}

/// Up to `limit` entries of a run after position `after`.
pub(crate) fn entries(
    connection: &Connection,
    run: &RunId,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEntry>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT place, key, kind, at, body, hash FROM entries
         WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
    )?;
    let shelf = Shelf::of(connection, run)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![shelf.place(after), shelf.end(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(stored(run, row)?);
    }
    Ok(found)
}

/// An SQL condition: the key or address in a column belongs to the branch in a parameter, and to no
/// branch inside it. The same as [`piton_core::key::branch_of`], for rows that are not read.
pub(crate) fn in_branch(column: &str, parameter: &str) -> String {
    format!(
        "CASE WHEN {parameter} = '' THEN instr('/' || {column}, '/[') = 0
         ELSE substr({column}, 1, length({parameter})) = {parameter}
          AND substr({column}, length({parameter}) + 1, 1) IN ('', '/', '#')
          AND instr(substr({column}, length({parameter}) + 1), '/[') = 0 END"
    )
}

/// Up to `limit` entries of one branch of a run after position `after`.
pub(crate) fn branch_entries(
    connection: &Connection,
    run: &RunId,
    branch: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEntry>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT place, key, kind, at, body, hash FROM entries
         WHERE place > ?1 AND place <= ?2 AND key IS NOT NULL AND {} ORDER BY place LIMIT ?4",
        in_branch("key", "?3")
    ))?;
    let shelf = Shelf::of(connection, run)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![shelf.place(after), shelf.end(), branch, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(stored(run, row)?);
    }
    Ok(found)
}

/// The entry at a position that the journal itself noted.
pub(crate) fn entry(
    connection: &Connection,
    run: &RunId,
    seq: u64,
) -> Result<StoredEntry, Failure> {
    let found = entries(connection, run, seq.saturating_sub(1), 1)?.pop();
    match found {
        Some(entry) if entry.seq == seq => Ok(entry),
        _ => Err(Failure::Damaged(format!("entry {seq} of run {run} is missing"))),
    }
}

fn stored(run: &RunId, row: &Row<'_>) -> Result<StoredEntry, Failure> {
    let seq = Shelf::position(row, 0)?;
    let unreadable = |reason: String| JournalError::Entry { run: run.0.clone(), seq, reason };
    let text: String = row.get(4).map_err(|error| unreadable(error.to_string()))?;
    let kind = row.get_ref(2)?.as_str().map_err(|error| unreadable(error.to_string()))?;
    let body = Body::decode(kind, &text).map_err(|error| unreadable(error.to_string()))?;
    let key: Option<String> = row.get(1).map_err(|error| unreadable(error.to_string()))?;
    let at = Timestamp::from_millis(row.get(3)?);
    let hash = Digest::from_bytes(row.get(5)?);
    Ok(StoredEntry { seq, hash, entry: Entry { key: key.map(Key::from_text), at, body }, text })
}

/// What a JSON column holds.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::Damaged(format!("a {what} in it is unreadable: {error}")))
}
