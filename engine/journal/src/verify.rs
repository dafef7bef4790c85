//! Whether what is stored is what was stored: the hash chain of a run's entries, what is kept beside
//! them, and the file itself.

use std::path::Path;

use piton_core::entry::{Body, Head};
use piton_core::evidence::program_digest;
use piton_core::key::Key;
use piton_core::ports::RunId;
use piton_core::status::RunSummary;
use piton_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::append::{Shelf, head, unsigned};
use crate::failure::Failure;
use crate::open::make_tables;
use crate::{gates, programs, runs};

/// How many findings of SQLite's own check are told.
const FINDINGS: u32 = 10;

/// Entries that are read at a time.
const CHUNK: usize = 512;

/// The position of the first entry that is not what was appended there: changed, moved, missing, or
/// beyond the end.
pub(crate) fn first_bad(connection: &Connection, run: &RunId) -> Result<Option<u64>, Failure> {
    let end = head(connection, run)?.head;
    let mut statement = connection.prepare_cached(
        "SELECT place, key, kind, at, body, hash FROM entries
         WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
    )?;
    let shelf = Shelf::of(connection, run)?;
    let mut rows = statement.query([shelf.place(0), shelf.end()])?;
    let mut before = Head::EMPTY;
    while let Some(row) = rows.next()? {
        let expected = before.seq + 1;
        match link(&before, row)? {
            Some(next) if Shelf::position(row, 0)? == expected && expected <= end.seq => {
                before = next;
            }
            _ => return Ok(Some(expected)),
        }
    }
    Ok(match before {
        _ if before.seq < end.seq => Some(before.seq + 1),
        _ if before.hash != end.hash => Some(before.seq.max(1)),
        _ => None,
    })
}

/// The head after a row, when the row has the hash that follows from it.
fn link(before: &Head, row: &Row<'_>) -> Result<Option<Head>, Failure> {
    // A damaged row may hold anything, text that is no UTF-8 included.
    let text = |column| row.get_ref(column).map(|value| value.as_str().ok());
    let key = row.get_ref(1)?.as_str_or_null();
    let (Ok(key), Some(kind), Some(body)) = (key, text(2)?, text(4)?) else { return Ok(None) };
    let (Ok(at), Ok(hash)) = (row.get::<_, i64>(3), row.get::<_, [u8; 32]>(5)) else {
        return Ok(None);
    };
    let key = key.map(Key::from_text);
    let next = before.next(key.as_ref(), kind, Timestamp::from_millis(at), body);
    Ok((*next.hash.bytes() == hash).then_some(next))
}

/// What is wrong with the file, as SQLite sees it, and with what is kept beside a run's entries: in
/// words, nothing when all is well. The entries themselves are [`first_bad`]'s.
pub(crate) fn damage(connection: &Connection, run: Option<&RunId>) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS})"))?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let finding: String = row.get(0)?;
        if finding != "ok" {
            found.push(finding);
        }
    }
    let mut check = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        found.push(format!("a row of `{table}` belongs to nothing in `{parent}`"));
    }
    // A part of a place is no foreign key, as far as SQLite knows.
    let is_stray: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM entries WHERE place >> 32 NOT IN (SELECT number FROM runs))",
        [],
        |row| row.get(0),
    )?;
    if is_stray {
        found.push("a row of `entries` belongs to nothing in `runs`".to_owned());
    }
    // What a damaged file says about a run says nothing.
    if let (Some(run), true) = (run, found.is_empty()) {
        beside(connection, run, &mut found)?;
    }
    Ok(found)
}

/// Makes everything that is kept beside a run's entries again, from the entries, and compares.
fn beside(connection: &Connection, run: &RunId, found: &mut Vec<String>) -> Result<(), Failure> {
    let (scratch, shelf) = scratch(run)?;
    let mut summary: Option<RunSummary> = None;
    let mut program = None;
    let mut after = 0;
    loop {
        let chunk = runs::entries(connection, run, after, CHUNK)?;
        let Some(last) = chunk.last() else { break };
        after = last.seq;
        for stored in &chunk {
            match &mut summary {
                None => match RunSummary::start(&stored.entry) {
                    Ok(first) => summary = Some(first),
                    Err(illegal) => {
                        found.push(illegal.to_string());
                        return Ok(());
                    }
                },
                Some(summary) => {
                    if let Err(illegal) = summary.apply(&stored.entry) {
                        found.push(format!("entry {}: {illegal}", stored.seq));
                        return Ok(());
                    }
                }
            }
            match &stored.entry.body {
                Body::Started(started) => {
                    let row = runs::find(connection, &run.0)?;
                    if row.runbook != started.runbook || row.name != started.name {
                        found.push(format!("the row of run {run} has another name than its start"));
                    }
                    program = Some(started.program);
                }
                Body::Edited(edited) => program = Some(edited.to),
                _ => {}
            }
            if matches!(stored.entry.body, Body::BranchesClosed(_)) {
                // A retry looks for these.
                let key = stored.entry.key.as_ref().map(Key::as_str);
                scratch.execute(
                    "INSERT INTO entries (place, key, kind, at, body, hash)
                     VALUES (?1, ?2, ?3, 0, '', x'')",
                    params![shelf.place(stored.seq), key, stored.entry.body.kind()],
                )?;
            }
            gates::keep(&scratch, run, stored.seq, &stored.entry.body)?;
        }
    }
    let row = runs::find(connection, &run.0)?;
    if program != Some(row.program) {
        found.push(format!("the row of run {run} has another program than its entries"));
    } else if program_digest(&programs::files(connection, &row.program)?) != row.program {
        found.push(format!("the stored program of run {run} is not the one that its entries name"));
    }
    if summary.as_ref() != Some(&row.summary) {
        found.push(format!("the stored summary of run {run} is not what its entries come to"));
    }
    for (table, columns) in [("gates", "gate, opened, closed"), ("answers", "gate, seq, NULL")] {
        if index(connection, run, table, columns)? != index(&scratch, run, table, columns)? {
            found.push(format!("the list of {table} of run {run} is not what its entries come to"));
        }
    }
    Ok(())
}

/// A database in memory for what follows from the entries of a run.
fn scratch(run: &RunId) -> Result<(Connection, Shelf), Failure> {
    let mut scratch = Connection::open_in_memory()?;
    make_tables(&mut scratch, Path::new(":memory:"))?;
    scratch.pragma_update(None, "foreign_keys", false)?;
    scratch.execute(
        "INSERT INTO runs (id, runbook, labels, program, created, summary)
         VALUES (?1, '', '', x'', 0, '')",
        [&run.0],
    )?;
    let shelf = Shelf::of(&scratch, run)?;
    Ok((scratch, shelf))
}

/// The rows that a run has in one of the tables that follow from its entries.
fn index(
    connection: &Connection,
    run: &RunId,
    table: &str,
    columns: &str,
) -> Result<Vec<(String, u64, Option<i64>)>, Failure> {
    let mut statement = connection
        .prepare(&format!("SELECT {columns} FROM {table} WHERE run = ?1 ORDER BY 1, 2"))?;
    let rows =
        statement.query_map([&run.0], |row| Ok((row.get(0)?, unsigned(row, 1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}
