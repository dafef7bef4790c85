//! New runs with their programs, and the removal of what nothing uses any more. A file's contents
//! are stored once, however many programs have it.

use piton_core::canonical::Digest;
use piton_core::entry::{Edited, Entry, Head};
use piton_core::ports::{Holder, JournalError, NewRun, ProgramFile, RunId};
use piton_core::status::RunSummary;
use piton_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{Shelf, encode, insert, signed};
use crate::failure::Failure;
use crate::lease::Beat;
use crate::runs::decode;

/// Stores a program, a run with epoch 1, its sealed values and its first entries.
pub(crate) fn create(
    connection: &Connection,
    run: &NewRun,
    entries: &[Entry],
    summary: &RunSummary,
    holder: &Holder,
    (now, beat): (Timestamp, &Beat),
) -> Result<(), Failure> {
    store_program(connection, &run.program, &run.files)?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO runs (id, runbook, name, labels, program, created, summary)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            run.run.0,
            run.runbook,
            run.name,
            encode(&run.labels),
            run.program.bytes(),
            now.millis(),
            encode(summary),
        ])?;
    if inserted == 0 {
        let reason = format!("there is a run `{}` already", run.run);
        return Err(JournalError::Storage(reason).into());
    }
    let head = insert(connection, &run.run, Head::EMPTY, entries)?;
    connection
        .prepare_cached(
            "INSERT INTO heads (run, seq, hash, updated, epoch, holder, heartbeat, boot, lock)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, 0)",
        )?
        .execute(params![
            run.run.0,
            signed(head.seq),
            head.hash.bytes(),
            summary.updated_at.millis(),
            encode(holder),
            beat.at,
            beat.boot,
        ])?;
    for (name, value) in &run.sealed {
        seal(connection, &run.run, name, value)?;
    }
    Ok(())
}

/// Makes a program the one of a run; the one before stays stored with the run.
pub(crate) fn replace(
    connection: &Connection,
    run: &RunId,
    program: &Digest,
    files: &[ProgramFile],
) -> Result<(), Failure> {
    store_program(connection, program, files)?;
    connection
        .prepare_cached("UPDATE runs SET program = ?2 WHERE id = ?1")?
        .execute(params![run.0, program.bytes()])?;
    Ok(())
}

/// Stores a program and its files, as far as they are not stored.
pub(crate) fn store_program(
    connection: &Connection,
    program: &Digest,
    files: &[ProgramFile],
) -> Result<(), Failure> {
    let is_new = connection
        .prepare_cached("INSERT INTO programs (digest) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([program.bytes()])?;
    if is_new == 0 {
        return Ok(());
    }
    let mut store = connection
        .prepare_cached("INSERT INTO files (hash, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    let mut list = connection.prepare_cached(
        "INSERT INTO program_files (program, position, path, file) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, file) in (0_i64..).zip(files) {
        let hash = Digest::of(file.text.as_bytes());
        store.execute(params![hash.bytes(), file.text])?;
        list.execute(params![program.bytes(), position, file.path, hash.bytes()])?;
    }
    Ok(())
}

/// The files of a program in the order they were given.
pub(crate) fn files(
    connection: &Connection,
    program: &Digest,
) -> Result<Vec<ProgramFile>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT path, text FROM program_files JOIN files ON hash = file
         WHERE program = ?1 ORDER BY position",
    )?;
    let rows = statement.query_map([program.bytes()], |row| {
        Ok(ProgramFile { path: row.get(0)?, text: row.get(1)? })
    })?;
    let files = rows.collect::<Result<Vec<_>, _>>()?;
    match files.is_empty() {
        true => Err(Failure::Damaged(format!("the program {program} is not in it"))),
        false => Ok(files),
    }
}

/// Keeps a sealed value; the last one of a name counts.
pub(crate) fn seal(
    connection: &Connection,
    run: &RunId,
    name: &str,
    value: &[u8],
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO sealed (run, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (run, name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![run.0, name, value])?;
    Ok(())
}

/// The sealed values of a run, by name.
pub(crate) fn sealed(
    connection: &Connection,
    run: &RunId,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT name, value FROM sealed WHERE run = ?1 ORDER BY name")?;
    let rows = statement.query_map([&run.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

/// Removes a run with all that is its own, and the programs that it had if no other run has them.
pub(crate) fn remove(connection: &Connection, run: &RunId) -> Result<(), Failure> {
    let mut programs = edited_away(connection, run)?;
    let shelf = Shelf::of(connection, run)?;
    connection
        .prepare_cached("DELETE FROM entries WHERE place BETWEEN ?1 AND ?2")?
        .execute([shelf.place(0), shelf.end()])?;
    let program: Option<[u8; 32]> = connection
        .prepare_cached("DELETE FROM runs WHERE id = ?1 RETURNING program")?
        .query_row([&run.0], |row| row.get(0))
        .optional()?;
    programs.push(program.ok_or_else(|| JournalError::NoRun(run.0.clone()))?);
    let mut forget = connection.prepare_cached(
        "DELETE FROM programs
         WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE program = ?1)",
    )?;
    for program in programs {
        forget.execute([program])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM files WHERE NOT EXISTS (SELECT 1 FROM program_files WHERE file = hash)",
        )?
        .execute([])?;
    Ok(())
}

/// Programs that a run had before it was edited.
fn edited_away(connection: &Connection, run: &RunId) -> Result<Vec<[u8; 32]>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM entries WHERE place BETWEEN ?1 AND ?2 AND kind = 'edited' ORDER BY place",
    )?;
    let shelf = Shelf::of(connection, run)?;
    let bodies =
        statement.query_map([shelf.place(0), shelf.end()], |row| row.get::<_, String>(0))?;
    let mut programs = Vec::new();
    for body in bodies {
        programs.push(*decode::<Edited>("entry", &body?)?.from.bytes());
    }
    Ok(programs)
}
