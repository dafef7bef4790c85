//! The hash chain finds whatever was changed behind the journal's back.

use piton_core::ports::Journal as _;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{open, run_id, written};

/// An entry's position, in SQL.
const SEQ: &str = "place & 0xffffffff";

/// Changes a journal of ten entries by SQL, and says which entry is then the first bad one.
fn first_bad_after(sql: &str) -> Option<u64> {
    let home = TempDir::new().unwrap();
    written(home.path(), 10);
    let connection = Connection::open(home.path().join("journal.db")).unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    open(home.path()).unwrap().verify(&run_id()).unwrap()
}

#[test]
fn what_was_not_touched_is_good() {
    assert_eq!(first_bad_after("SELECT 1"), None);
}

#[test]
fn a_changed_byte_is_found_in_every_column() {
    for change in [
        "body = replace(body, 'note', 'Note')",
        "body = CAST(x'ff' AS TEXT)",
        "body = 7",
        "key = 'step#6'",
        "key = NULL",
        "kind = 'output'",
        "at = at + 1",
        "at = 'yesterday'",
        "hash = zeroblob(32)",
        "hash = x'00'",
    ] {
        let sql = format!("UPDATE entries SET {change} WHERE {SEQ} = 5");
        assert_eq!(first_bad_after(&sql), Some(5), "{change}");
    }
}

#[test]
fn a_cut_is_found_wherever_it_is() {
    assert_eq!(first_bad_after(&format!("DELETE FROM entries WHERE {SEQ} = 1")), Some(1));
    assert_eq!(first_bad_after(&format!("DELETE FROM entries WHERE {SEQ} = 4")), Some(4));
    assert_eq!(first_bad_after(&format!("DELETE FROM entries WHERE {SEQ} > 7")), Some(8));
    assert_eq!(first_bad_after("DELETE FROM entries"), Some(1));
}

#[test]
fn a_cut_that_moves_the_rest_up_is_found() {
    let cut = format!(
        "DELETE FROM entries WHERE {SEQ} = 4; UPDATE entries SET place = place - 1 WHERE {SEQ} > 4;"
    );
    assert_eq!(first_bad_after(&cut), Some(4));
}

#[test]
fn a_swap_is_found() {
    let swap = format!(
        "UPDATE entries SET place = place + 96 WHERE {SEQ} = 3;
         UPDATE entries SET place = place - 3 WHERE {SEQ} = 6;
         UPDATE entries SET place = place - 93 WHERE {SEQ} = 99;"
    );
    assert_eq!(first_bad_after(&swap), Some(3));
}

#[test]
fn an_entry_beyond_the_end_is_found() {
    let more = format!(
        "INSERT INTO entries SELECT place + 1, key, kind, at, body, hash FROM entries
         WHERE {SEQ} = 10"
    );
    assert_eq!(first_bad_after(&more), Some(11));
    assert_eq!(first_bad_after("UPDATE heads SET hash = zeroblob(32)"), Some(10));
}

/// They would be the first entries of the next run.
#[test]
fn entries_of_no_run_are_found() {
    let home = TempDir::new().unwrap();
    written(home.path(), 3);
    let connection = Connection::open(home.path().join("journal.db")).unwrap();
    connection.execute("UPDATE entries SET place = place + (7 << 32)", []).unwrap();
    drop(connection);
    let found = open(home.path()).unwrap().check(None).unwrap();
    assert_eq!(found, ["a row of `entries` belongs to nothing in `runs`"]);
}

#[test]
fn every_changed_byte_of_every_entry_is_found() {
    let home = TempDir::new().unwrap();
    written(home.path(), 8);
    let journal = open(home.path()).unwrap();
    let connection = Connection::open(home.path().join("journal.db")).unwrap();
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    let mut changes = 0;
    for seq in 1..=8_u32 {
        for (column, kept) in
            [("key", "TEXT"), ("kind", "TEXT"), ("body", "TEXT"), ("hash", "BLOB")]
        {
            let read = format!("SELECT CAST({column} AS BLOB) FROM entries WHERE {SEQ} = ?1");
            let write =
                format!("UPDATE entries SET {column} = CAST(?2 AS {kept}) WHERE {SEQ} = ?1");
            let stored: Option<Vec<u8>> =
                connection.query_row(&read, [seq], |row| row.get(0)).unwrap();
            let Some(stored) = stored else { continue };
            for place in 0..stored.len() {
                let mut changed = stored.clone();
                changed[place] ^= 1;
                connection.execute(&write, (seq, &changed)).unwrap();
                assert_eq!(
                    journal.verify(&run_id()),
                    Ok(Some(seq.into())),
                    "byte {place} of {column}"
                );
                changes += 1;
            }
            connection.execute(&write, (seq, &stored)).unwrap();
        }
        for moved in [-1, 1, 1_000] {
            let write = format!("UPDATE entries SET at = at + ?2 WHERE {SEQ} = ?1");
            connection.execute(&write, (seq, moved)).unwrap();
            assert_eq!(journal.verify(&run_id()), Ok(Some(seq.into())));
            connection.execute(&write, (seq, -moved)).unwrap();
        }
    }
    assert_eq!(journal.verify(&run_id()), Ok(None));
    assert!(changes > 500, "{changes} bytes were changed");
}
