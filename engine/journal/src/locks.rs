//! Locks: one run at a time for each name. A lock is never given back: it is free when the run that
//! took it has ended or is gone, so that no crash can leave one behind.

use piton_core::ports::{HeldLock, RunId};
use piton_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::failure::Failure;
use crate::runs;

/// Whether a run holds a lock.
pub(crate) fn is_held_by(
    connection: &Connection,
    name: &str,
    owner: &RunId,
) -> Result<bool, Failure> {
    Ok(row(connection, name)?.is_some_and(|run| run == *owner))
}

/// Takes a lock for a run, unless another one that has not ended holds it: then that one is returned.
pub(crate) fn take(
    connection: &Connection,
    name: &str,
    owner: &RunId,
    now: Timestamp,
) -> Result<Option<RunId>, Failure> {
    if let Some(holder) = row(connection, name)?
        && holder != *owner
        && !runs::summary(connection, &holder)?.status.is_final()
    {
        return Ok(Some(holder));
    }
    connection
        .prepare_cached(
            "INSERT INTO locks (name, run, since) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET run = excluded.run, since = excluded.since",
        )?
        .execute(params![name, owner.0, now.millis()])?;
    Ok(None)
}

/// The locks of runs that have not ended, by name.
pub(crate) fn held(connection: &Connection) -> Result<Vec<HeldLock>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT name, run, since FROM locks ORDER BY name")?;
    let rows = statement.query_map([], |row| {
        let since = Timestamp::from_millis(row.get(2)?);
        Ok(HeldLock { name: row.get(0)?, run: RunId(row.get(1)?), since })
    })?;
    let mut held = Vec::new();
    for lock in rows {
        let lock = lock?;
        if !runs::summary(connection, &lock.run)?.status.is_final() {
            held.push(lock);
        }
    }
    Ok(held)
}

fn row(connection: &Connection, name: &str) -> Result<Option<RunId>, Failure> {
    let run = connection
        .prepare_cached("SELECT run FROM locks WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(run.map(RunId))
}
