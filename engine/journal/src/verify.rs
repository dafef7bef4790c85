//! The hash chain: whether a run's entries are, byte for byte, the ones that were appended.

use piton_core::entry::Head;
use piton_core::key::Key;
use piton_core::ports::RunId;
use piton_core::time::Timestamp;
use rusqlite::{Connection, Row};

use crate::append::{head, unsigned};
use crate::failure::Failure;

/// The position of the first entry that is not what was appended there: changed, moved, missing, or
/// beyond the end.
pub(crate) fn first_bad(connection: &Connection, run: &RunId) -> Result<Option<u64>, Failure> {
    let end = head(connection, run)?.head;
    let mut statement = connection.prepare_cached(
        "SELECT seq, key, kind, at, body, hash FROM entries WHERE run = ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([&run.0])?;
    let mut before = Head::EMPTY;
    while let Some(row) = rows.next()? {
        let expected = before.seq + 1;
        match link(&before, row)? {
            Some(next) if unsigned(row, 0)? == expected && expected <= end.seq => before = next,
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
