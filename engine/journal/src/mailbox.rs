//! What anyone may leave for the driver of a run: checked and stored in one transaction, so that of
//! two contradicting answers the first one counts, whoever sent them.

use piton_core::canonical::Digest;
use piton_core::gate::{self, Admission, Decision, Refusal};
use piton_core::limits::VALUE_BYTES;
use piton_core::ports::{JournalError, Mail, RunId};
use piton_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{encode, head, signed, unsigned};
use crate::failure::Failure;
use crate::{gates, runs};

/// Stores mail, unless it says again what is there.
pub(crate) fn post(
    connection: &Connection,
    run: &RunId,
    mail: &Mail,
    now: Timestamp,
) -> Result<Admission, Failure> {
    runs::refuse_elsewhere(connection, run)?;
    let (kind, topic) = address(mail);
    let admission = match mail {
        Mail::Decision(decision) => admit(connection, run, decision)?,
        Mail::Cancel { .. } | Mail::Settle { .. } => {
            first_wins(connection, run, mail, kind, topic)?
        }
    };
    if admission == Admission::Counts {
        store(connection, run, mail, now)?;
    }
    Ok(admission)
}

/// Its kind, and what it is about.
fn address(mail: &Mail) -> (&'static str, &str) {
    match mail {
        Mail::Decision(decision) => ("decision", decision.gate.as_str()),
        Mail::Cancel { .. } => ("cancel", ""),
        Mail::Settle { key, .. } => ("settle", key.as_str()),
    }
}

fn store(connection: &Connection, run: &RunId, mail: &Mail, now: Timestamp) -> Result<(), Failure> {
    let (kind, topic) = address(mail);
    let text = encode(mail);
    if text.len() > VALUE_BYTES {
        let reason = format!("an answer of {} bytes is too large to be kept", text.len());
        return Err(JournalError::Storage(reason).into());
    }
    let digest = digest(run, kind, topic, &text);
    connection
        .prepare_cached(
            "INSERT INTO mail (run, kind, topic, posted, text, digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![run.0, kind, topic, now.millis(), text, digest.bytes()])?;
    Ok(())
}

/// Puts mail that was admitted in another home in place of what is here.
pub(crate) fn replace(
    connection: &Connection,
    run: &RunId,
    mail: &[Mail],
    now: Timestamp,
) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM mail WHERE run = ?1")?.execute([&run.0])?;
    mail.iter().try_for_each(|one| store(connection, run, one, now))
}

/// Whether a decision counts, by the rules of the core, at a gate that is open and asks what was
/// decided. One that comes after the end learns who was first, or that there is no such gate.
fn admit(connection: &Connection, run: &RunId, decision: &Decision) -> Result<Admission, Failure> {
    let no_gate = || JournalError::NoGate { run: run.0.clone(), gate: decision.gate.clone() };
    let found = gates::find(connection, run, &decision.gate)?.ok_or_else(no_gate)?;
    let request = &found.gate.request;
    let admit = || gate::admit(request, &found.gate.decisions, decision);
    if !found.is_open || runs::summary(connection, run)?.status.is_final() {
        return match admit() {
            Ok(Admission::Repeated) => Ok(Admission::Repeated),
            Err(conflict @ Refusal::Conflict { .. }) => Err(conflict.into()),
            Ok(Admission::Counts) | Err(_) => Err(no_gate().into()),
        };
    }
    if decision.digest != request.digest {
        return Err(Refusal::NotEligible {
            gate: decision.gate.clone(),
            who: decision.by.principal.stable_arn().to_owned(),
            why: "the decision is about something else than the gate shows now; look at it again"
                .to_owned(),
        }
        .into());
    }
    Ok(admit()?)
}

/// Of cancels one is enough; of ways to settle a doubt the first one counts.
fn first_wins(
    connection: &Connection,
    run: &RunId,
    mail: &Mail,
    kind: &str,
    topic: &str,
) -> Result<Admission, Failure> {
    let earlier = connection
        .prepare_cached(
            "SELECT text, posted FROM mail WHERE run = ?1 AND kind = ?2 AND topic = ?3
             ORDER BY number LIMIT 1",
        )?
        .query_row(params![run.0, kind, topic], |row| {
            Ok((row.get::<_, String>(0)?, Timestamp::from_millis(row.get(1)?)))
        })
        .optional()?;
    let Some((text, at)) = earlier else { return Ok(Admission::Counts) };
    match (runs::decode("mail", &text)?, mail) {
        (Mail::Settle { settled: first, .. }, Mail::Settle { settled, .. })
            if first.how != settled.how =>
        {
            let by = first.by.unwrap_or_else(|| "somebody".to_owned());
            let gate = topic.to_owned();
            Err(Refusal::Conflict { gate, verdict: "settled", by, at }.into())
        }
        _ => Ok(Admission::Repeated),
    }
}

/// Mail that waits, oldest first.
pub(crate) fn list(connection: &Connection, run: &RunId) -> Result<Vec<(u64, Mail)>, Failure> {
    head(connection, run)?;
    let mut statement = connection.prepare_cached(
        "SELECT number, text, kind, topic, digest FROM mail WHERE run = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([&run.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (text, kind, topic): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let number = unsigned(row, 0)?;
        if *digest(run, &kind, &topic, &text).bytes() != row.get::<_, [u8; 32]>(4)? {
            return Err(Failure::Damaged(format!("mail {number} of run {run} was changed")));
        }
        found.push((number, runs::decode("mail", &text)?));
    }
    Ok(found)
}

/// What tells damaged mail: until it becomes an entry, no hash chain covers it.
fn digest(run: &RunId, kind: &str, topic: &str, text: &str) -> Digest {
    Digest::of_parts([run.0.as_bytes(), kind.as_bytes(), topic.as_bytes(), text.as_bytes()])
}

/// Runs that mail waits for.
pub(crate) fn addressees(connection: &Connection) -> Result<Vec<RunId>, Failure> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT run FROM mail ORDER BY run")?;
    let runs = statement.query_map([], |row| row.get(0).map(RunId))?;
    Ok(runs.collect::<Result<_, _>>()?)
}

/// Removes mail that became entries.
pub(crate) fn remove(connection: &Connection, run: &RunId, numbers: &[u64]) -> Result<(), Failure> {
    let mut delete =
        connection.prepare_cached("DELETE FROM mail WHERE run = ?1 AND number = ?2")?;
    for number in numbers {
        if delete.execute(params![run.0, signed(*number)])? == 0 {
            // Its entries would be there twice.
            let reason = format!("mail {number} of run {run} was taken before");
            return Err(JournalError::Storage(reason).into());
        }
    }
    Ok(())
}
