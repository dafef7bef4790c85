//! Open gates and their answers. The entries say all of it; two small tables say where, so that a
//! list of open gates does not read a journal of a million entries.

use std::collections::HashSet;

use piton_core::entry::{Body, Retried};
use piton_core::gate::{Decision, GateRequest};
use piton_core::key::Key;
use piton_core::ports::{JournalError, Mail, OpenGate, RunId};
use piton_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{Shelf, head, signed, unsigned};
use crate::failure::Failure;
use crate::runs;

/// A gate that a run opened at some time.
pub(crate) struct Gate {
    pub(crate) gate: OpenGate,
    pub(crate) is_open: bool,
}

/// Keeps the tables in step with an entry that is being written.
pub(crate) fn keep(
    connection: &Connection,
    run: &RunId,
    seq: u64,
    body: &Body,
) -> Result<(), Failure> {
    let execute = |sql: &str, gate: &str| -> Result<(), Failure> {
        connection.prepare_cached(sql)?.execute(params![run.0, gate, signed(seq)])?;
        Ok(())
    };
    match body {
        Body::GateOpened(request) => {
            // Opened again, it asks something else: earlier answers are void.
            execute(
                "DELETE FROM answers WHERE run = ?1 AND gate = ?2 AND seq < ?3",
                &request.gate,
            )?;
            execute(
                "INSERT INTO gates (run, gate, opened) VALUES (?1, ?2, ?3)
                 ON CONFLICT (run, gate) DO UPDATE SET opened = excluded.opened, closed = NULL",
                &request.gate,
            )
        }
        // One that comes after its gate was made void is a part of the story and answers nothing.
        Body::Decided(decision) => execute(
            "INSERT INTO answers (run, gate, seq)
             SELECT run, gate, ?3 FROM gates WHERE run = ?1 AND gate = ?2",
            &decision.gate,
        ),
        Body::GateClosed(result) => {
            execute("UPDATE gates SET closed = ?3 WHERE run = ?1 AND gate = ?2", &result.gate)
        }
        Body::BranchesClosed(closed) => closed.withdrawn.iter().try_for_each(|gate| {
            execute("UPDATE gates SET closed = ?3 WHERE run = ?1 AND gate = ?2", gate)
        }),
        Body::Retried(retried) => forget_voided(connection, run, retried),
        Body::Edited(edited) => edited.left.iter().try_for_each(|left| {
            forget(connection, run, &left.branch, (left.from_seq, left.to_seq))
        }),
        _ => Ok(()),
    }
}

/// What a retry made void did not happen: gates opened there are gone, closed there are open.
fn forget_voided(connection: &Connection, run: &RunId, retried: &Retried) -> Result<(), Failure> {
    let inside = retried.branches.iter().map(|void| (void.branch.as_str(), void.from_seq));
    for (branch, from) in std::iter::once(("", retried.from_seq)).chain(inside) {
        forget(connection, run, branch, (from, retried.to_seq))?;
    }
    Ok(())
}

/// The same for the entries of one branch, from the first to the last position.
fn forget(
    connection: &Connection,
    run: &RunId,
    branch: &str,
    (from, to): (u64, u64),
) -> Result<(), Failure> {
    let ours = runs::in_branch("gate", "?4");
    for sql in [
        "DELETE FROM answers WHERE run = ?1 AND seq BETWEEN ?2 AND ?3",
        "DELETE FROM gates WHERE run = ?1 AND opened BETWEEN ?2 AND ?3",
        "UPDATE gates SET closed = NULL WHERE run = ?1 AND closed BETWEEN ?2 AND ?3",
    ] {
        let mut statement = connection.prepare_cached(&format!("{sql} AND {ours}"))?;
        statement.execute(params![run.0, signed(from), signed(to), branch])?;
    }
    let shelf = Shelf::of(connection, run)?;
    // A group of branches that ended there did not end: the gates it took away are back.
    connection
        .prepare_cached(&format!(
            "UPDATE gates SET closed = NULL WHERE run = ?1 AND ?5 | closed IN
             (SELECT place FROM entries
              WHERE place BETWEEN ?2 AND ?3 AND kind = 'branches_closed' AND {})",
            runs::in_branch("key", "?4")
        ))?
        .execute(params![run.0, shelf.place(from), shelf.place(to), branch, shelf.place(0)])?;
    Ok(())
}

/// The gates of every run that nobody closed, newest run first, in few queries: a list of what waits
/// for people is asked for often. Whether a run still asks anybody, its summary says.
pub(crate) fn open_everywhere(
    connection: &Connection,
) -> Result<Vec<(RunId, Vec<OpenGate>)>, Failure> {
    let pairs = |sql: &str| -> Result<HashSet<(String, String)>, Failure> {
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    };
    let answered = pairs("SELECT DISTINCT run, gate FROM answers")?;
    let posted_to = pairs("SELECT DISTINCT run, topic FROM mail WHERE kind = 'decision'")?;
    let mut statement = connection.prepare_cached(
        "SELECT gates.run, gates.opened, key, kind, at, body FROM gates
         JOIN runs ON id = gates.run
         JOIN entries ON place = number << 32 | gates.opened
         WHERE gates.closed IS NULL AND NOT copy ORDER BY number DESC, gates.opened",
    )?;
    let mut rows = statement.query([])?;
    let mut found: Vec<(RunId, Vec<OpenGate>)> = Vec::new();
    while let Some(row) = rows.next()? {
        let run = RunId(row.get(0)?);
        let seq = unsigned(row, 1)?;
        let (kind, text): (String, String) = (row.get(3)?, row.get(5)?);
        let body = Body::decode(&kind, &text).map_err(|error| {
            let (run, reason) = (run.0.clone(), error.to_string());
            JournalError::Entry { run, seq, reason }
        })?;
        let (Some(key), Body::GateOpened(request)) = (row.get::<_, Option<String>>(2)?, body)
        else {
            return Err(Failure::Damaged(format!("entry {seq} of run {run} opened no gate")));
        };
        let address = (run.0.clone(), request.gate.clone());
        let mut decisions = match answered.contains(&address) {
            true => recorded(connection, &run, &request.gate)?,
            false => Vec::new(),
        };
        if posted_to.contains(&address) {
            decisions.extend(posted(connection, &run, &request)?);
        }
        let opened_at = Timestamp::from_millis(row.get(4)?);
        let gate = OpenGate { key: Key::from_text(key), opened_at, request, decisions };
        match found.last_mut().filter(|(last, _)| *last == run) {
            Some((_, gates)) => gates.push(gate),
            None => found.push((run, vec![gate])),
        }
    }
    Ok(found)
}

/// The gates of a run that are open, in the order they opened. A run that ended, is taken back or
/// goes on elsewhere asks nobody.
pub(crate) fn open(connection: &Connection, run: &RunId) -> Result<Vec<OpenGate>, Failure> {
    let summary = runs::summary(connection, run)?;
    if summary.status.is_final()
        || summary.rolled_back_by.is_some()
        || runs::is_copy(connection, run)?
    {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT gate FROM gates WHERE run = ?1 AND closed IS NULL ORDER BY opened",
    )?;
    let names = statement.query_map([&run.0], |row| row.get::<_, String>(0))?;
    let mut gates = Vec::new();
    for name in names {
        gates.extend(find(connection, run, &name?)?.map(|found| found.gate));
    }
    Ok(gates)
}

/// A gate of a run by its address, with its answers, whether it is open or not.
pub(crate) fn find(
    connection: &Connection,
    run: &RunId,
    gate: &str,
) -> Result<Option<Gate>, Failure> {
    let place = connection
        .prepare_cached("SELECT opened, closed IS NULL FROM gates WHERE run = ?1 AND gate = ?2")?
        .query_row(params![run.0, gate], |row| Ok((unsigned(row, 0)?, row.get::<_, bool>(1)?)))
        .optional()?;
    let Some((opened, is_open)) = place else {
        // Tells a run that has no such gate from a run that does not exist.
        head(connection, run)?;
        return Ok(None);
    };
    let entry = runs::entry(connection, run, opened)?.entry;
    let (Some(key), Body::GateOpened(request)) = (entry.key, entry.body) else {
        return Err(Failure::Damaged(format!("entry {opened} of run {run} opened no gate")));
    };
    let mut decisions = recorded(connection, run, gate)?;
    decisions.extend(posted(connection, run, &request)?);
    let gate = OpenGate { key, opened_at: entry.at, request, decisions };
    Ok(Some(Gate { gate, is_open }))
}

fn recorded(connection: &Connection, run: &RunId, gate: &str) -> Result<Vec<Decision>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT seq FROM answers WHERE run = ?1 AND gate = ?2 ORDER BY seq")?;
    let places = statement.query_map(params![run.0, gate], |row| unsigned(row, 0))?;
    let mut decisions = Vec::new();
    for place in places {
        let seq = place?;
        match runs::entry(connection, run, seq)?.entry.body {
            Body::Decided(decision) => decisions.push(decision),
            other => {
                let kind = other.kind();
                let reason = format!("entry {seq} of run {run} is no decision but `{kind}`");
                return Err(Failure::Damaged(reason));
            }
        }
    }
    Ok(decisions)
}

/// Answers that the driver did not take yet. Those to what the gate asked before it was opened
/// again are void.
fn posted(
    connection: &Connection,
    run: &RunId,
    request: &GateRequest,
) -> Result<Vec<Decision>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT text FROM mail WHERE run = ?1 AND kind = 'decision' AND topic = ?2 ORDER BY number",
    )?;
    let texts = statement.query_map(params![run.0, request.gate], |row| row.get::<_, String>(0))?;
    let mut decisions = Vec::new();
    for text in texts {
        match runs::decode("mail", &text?)? {
            Mail::Decision(decision) if decision.digest == request.digest => {
                decisions.push(decision);
            }
            _ => {}
        }
    }
    Ok(decisions)
}
