//! Runs that come from another home: stored byte for byte as they were there, so that their hash
//! chain goes on.

use piton_core::entry::{Body, Head};
use piton_core::evidence::Row;
use piton_core::key::Key;
use piton_core::ports::{Arrival, JournalError, RunId};
use piton_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{Shelf, encode, insert, signed, unsigned};
use crate::failure::Failure;
use crate::store::Seen;
use crate::{gates, locks, mailbox, programs, runs};

/// Stores a run, or what is new of it.
pub(crate) fn import(
    connection: &Connection,
    seen: &mut Seen,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<(), Failure> {
    let run = &arrival.evidence.run;
    seen.remove(run);
    let known = known(connection, arrival)?;
    store_run(connection, arrival, now)?;
    let mut head = Head { seq: known, hash: arrival.evidence.head };
    let shelf = Shelf::of(connection, run)?;
    for row in arrival.evidence.entries.iter().filter(|row| row.seq > known) {
        head = store_entry(connection, run, shelf, row)?;
    }
    let head = insert(connection, run, head, &arrival.then)?;
    // Whatever had the run here before is fenced: the epoch counts up.
    connection
        .prepare_cached(
            "INSERT INTO heads (run, seq, hash, updated, epoch, holder, heartbeat, boot, lock)
             VALUES (?1, ?2, ?3, ?4, 1, NULL, 0, '', 0)
             ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, hash = excluded.hash,
             updated = excluded.updated, epoch = epoch + 1, holder = NULL",
        )?
        .execute(params![
            run.0,
            signed(head.seq),
            head.hash.bytes(),
            arrival.summary.updated_at.millis(),
        ])?;
    mailbox::replace(connection, run, &arrival.mail, now)?;
    for (name, value) in &arrival.sealed {
        programs::seal(connection, run, name, value)?;
    }
    for name in &arrival.locks {
        if let Some(holder) = locks::take(connection, name, run, now)? {
            return Err(refused(run, format!("the lock {name} is held here by run {holder}")));
        }
    }
    Ok(())
}

/// How many of its entries are here already. Refused unless the run is new here, or fenced here with
/// what came before.
fn known(connection: &Connection, arrival: &Arrival) -> Result<u64, Failure> {
    let run = &arrival.evidence.run;
    let stored: Option<(u64, [u8; 32])> = connection
        .prepare_cached("SELECT seq, hash FROM heads WHERE run = ?1")?
        .query_row([&run.0], |row| Ok((unsigned(row, 0)?, row.get(1)?)))
        .optional()?;
    let Some((seq, hash)) = stored else { return Ok(0) };
    match runs::refuse_elsewhere(connection, run) {
        Ok(()) => return Err(refused(run, "it is in this home already, and goes on here")),
        Err(Failure::Journal(JournalError::HandedOver { .. } | JournalError::ReadOnlyCopy(_))) => {}
        Err(failure) => return Err(failure),
    }
    let arriving = usize::try_from(seq - 1).ok().and_then(|at| arrival.evidence.entries.get(at));
    match arriving {
        Some(row) if *row.hash.bytes() == hash => Ok(seq),
        Some(_) => Err(refused(run, "what is here of it went another way")),
        None => Err(refused(run, "this home has more of it already")),
    }
}

fn refused(run: &RunId, reason: impl Into<String>) -> Failure {
    JournalError::NotAdmitted { run: run.0.clone(), reason: reason.into() }.into()
}

fn store_run(connection: &Connection, arrival: &Arrival, now: Timestamp) -> Result<(), Failure> {
    let evidence = &arrival.evidence;
    let row = evidence.row().map_err(|flaw| refused(&evidence.run, flaw.to_string()))?;
    programs::store_program(connection, &row.program, &evidence.files)?;
    connection
        .prepare_cached(
            "INSERT INTO runs (id, runbook, name, labels, program, created, summary, copy)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET program = excluded.program, summary = excluded.summary,
             copy = excluded.copy",
        )?
        .execute(params![
            row.run.0,
            row.runbook,
            row.name,
            encode(&row.labels),
            row.program.bytes(),
            now.millis(),
            encode(&arrival.summary),
            arrival.copy,
        ])?;
    Ok(())
}

/// Stores one entry as it is, and gives the head after it.
fn store_entry(
    connection: &Connection,
    run: &RunId,
    shelf: Shelf,
    row: &Row,
) -> Result<Head, Failure> {
    connection
        .prepare_cached(
            "INSERT INTO entries (place, key, kind, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            shelf.place(row.seq),
            row.key.as_ref().map(Key::as_str),
            row.kind,
            row.at,
            row.body,
            row.hash.bytes(),
        ])?;
    let body =
        Body::decode(&row.kind, &row.body).map_err(|error| refused(run, error.to_string()))?;
    gates::keep(connection, run, row.seq, &body)?;
    Ok(Head { seq: row.seq, hash: row.hash })
}
