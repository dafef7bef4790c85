//! The state of the sandbox: documents by account, region, service, kind and id, in one SQLite file.
//!
//! Every request runs in one transaction ([`World`] is that transaction's view), which is committed
//! before the reply leaves: what a caller was told is there after a kill. There is no fsync of its
//! own: a power cut may lose the world, and the design says so. The clock is virtual and stored
//! here too. Services keep plain serde types here; nothing else in the sandbox holds state.

use std::cell::Cell;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where a resource lives. Global services (IAM, STS) use [`Scope::global`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    /// Twelve digits.
    pub(crate) account: String,
    /// `eu-west-1`, or `aws-global`.
    pub(crate) region: String,
}

impl Scope {
    /// A regional scope.
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned() }
    }

    /// The scope of services that have no region.
    pub(crate) fn global(account: &str) -> Self {
        Self::new(account, "aws-global")
    }
}

/// One document with the place where it lives.
#[derive(Debug, Clone)]
pub(crate) struct Stored<T> {
    /// Where it lives.
    pub(crate) scope: Scope,
    /// Its id within kind and scope.
    pub(crate) id: String,
    /// The document.
    pub(crate) document: T,
}

/// A change that is due at a moment of the virtual clock: the next state of a state machine.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    /// Service that applies it, by the script's name.
    pub(crate) service: String,
    /// Where the resource lives.
    pub(crate) scope: Scope,
    /// What happens; the service's own words.
    pub(crate) event: Value,
    /// When it happens: a service that applies it uses this as the time of the change.
    pub(crate) at: OffsetDateTime,
}

/// The state during one request. All writes are in one transaction; an error reply rolls them back.
pub(crate) struct World<'a> {
    connection: &'a Connection,
    now: OffsetDateTime,
    changes: Cell<u64>,
}

impl<'a> World<'a> {
    /// A view of the state at a moment of the virtual clock, inside a transaction of `connection`.
    pub(crate) fn new(connection: &'a Connection, now: OffsetDateTime) -> Self {
        Self { connection, now, changes: Cell::new(0) }
    }

    /// The virtual clock: the same for the whole request.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// [`World::now`] as RFC 3339, how timestamps are kept in documents and replies.
    pub(crate) fn now_text(&self) -> String {
        timestamp(self.now)
    }

    /// The connection, for the SQL engine: its tables live in the same file and transaction.
    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }

    /// How many changes this view has made: a document written as it was does not count, nor do kinds
    /// that begin with `_`, which are the sandbox's own; a change that is arranged does.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Does several things that happen together or not at all: an error takes all of them back.
    pub(crate) fn atomically<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let run = |sql: &str| {
            self.connection
                .execute_batch(sql)
                .unwrap_or_else(|error| panic!("the world's file cannot be written: {error}"));
        };
        run("SAVEPOINT together");
        let done = work();
        run(if done.is_ok() {
            "RELEASE together"
        } else {
            "ROLLBACK TO together; RELEASE together"
        });
        done
    }

    /// Counts a change that is not one of a document: rows that SQL wrote.
    pub(crate) fn note_change(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    fn count(&self, kind: &str, rows: usize) {
        if rows > 0 && !kind.starts_with('_') {
            self.note_change();
        }
    }

    /// A document by id.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        scope: &Scope,
        kind: &str,
        id: &str,
    ) -> Option<T> {
        let text: Option<String> = self
            .connection
            .prepare_cached(
                "SELECT document FROM documents
                 WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id = ?4",
            )
            .and_then(|mut statement| {
                statement
                    .query_row(params![scope.account, scope.region, kind, id], |row| row.get(0))
                    .optional()
            })
            .unwrap_or_else(|error| panic!("the world's file cannot be read: {error}"));
        text.map(|text| decode(&text))
    }

    /// Writes a document, new or not. `kind` is `service/kind`, such as `datazone/project`.
    pub(crate) fn put<T: Serialize>(&self, scope: &Scope, kind: &str, id: &str, document: &T) {
        let text = serde_json::to_string(document)
            .unwrap_or_else(|error| panic!("{kind} {id} cannot be written as JSON: {error}"));
        self.connection
            .prepare_cached(
                "INSERT INTO documents (account, region, kind, id, document)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (account, region, kind, id) DO UPDATE SET document = excluded.document
                 WHERE document IS NOT excluded.document",
            )
            .and_then(|mut statement| {
                statement.execute(params![scope.account, scope.region, kind, id, text])
            })
            .map_or_else(
                |error| panic!("the world's file cannot be written: {error}"),
                |rows| self.count(kind, rows),
            );
    }

    /// Removes a document; says whether it was there.
    pub(crate) fn delete(&self, scope: &Scope, kind: &str, id: &str) -> bool {
        let rows = self
            .connection
            .prepare_cached(
                "DELETE FROM documents
                 WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id = ?4",
            )
            .and_then(|mut statement| {
                statement.execute(params![scope.account, scope.region, kind, id])
            })
            .unwrap_or_else(|error| panic!("the world's file cannot be written: {error}"));
        self.count(kind, rows);
        rows > 0
    }

    /// All documents of a kind in one scope, oldest first.
    pub(crate) fn list<T: DeserializeOwned>(&self, scope: &Scope, kind: &str) -> Vec<T> {
        self.stored(
            "SELECT account, region, id, document FROM documents
             WHERE kind = ?1 AND account = ?2 AND region = ?3 ORDER BY position",
            &[&kind, &scope.account, &scope.region],
        )
        .into_iter()
        .map(|stored| stored.document)
        .collect()
    }

    /// All documents of a kind in every account and region, oldest first.
    pub(crate) fn list_everywhere<T: DeserializeOwned>(&self, kind: &str) -> Vec<Stored<T>> {
        self.stored(
            "SELECT account, region, id, document FROM documents
             WHERE kind = ?1 ORDER BY position",
            &[&kind],
        )
    }

    /// A document by kind and id, wherever it lives.
    pub(crate) fn find_anywhere<T: DeserializeOwned>(
        &self,
        kind: &str,
        id: &str,
    ) -> Option<Stored<T>> {
        self.stored(
            "SELECT account, region, id, document FROM documents
             WHERE kind = ?1 AND id = ?2 ORDER BY position LIMIT 1",
            &[&kind, &id],
        )
        .pop()
    }

    /// The documents of a kind in one scope whose ids begin with `prefix` and come after `after`, in
    /// order of their ids' bytes; at most `limit` of them.
    pub(crate) fn list_under<T: DeserializeOwned>(
        &self,
        scope: &Scope,
        kind: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Vec<T> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.stored(
            "SELECT account, region, id, document FROM documents
             WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id >= ?4 AND id > ?5
               AND substr(id, 1, length(?4)) = ?4
             ORDER BY id LIMIT ?6",
            &[&scope.account, &scope.region, &kind, &prefix, &after, &limit],
        )
        .into_iter()
        .map(|stored| stored.document)
        .collect()
    }

    fn stored<T: DeserializeOwned>(
        &self,
        query: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Vec<Stored<T>> {
        let read = || -> rusqlite::Result<Vec<Stored<T>>> {
            let mut statement = self.connection.prepare_cached(query)?;
            let rows = statement.query_map(values, |row| {
                Ok(Stored {
                    scope: Scope { account: row.get(0)?, region: row.get(1)? },
                    id: row.get(2)?,
                    document: decode(&row.get::<_, String>(3)?),
                })
            })?;
            rows.collect()
        };
        read().unwrap_or_else(|error| panic!("the world's file cannot be read: {error}"))
    }

    /// The next number of a named sequence, from 1: ids are made of it, so that a world's ids are
    /// the same each time the same calls are made.
    pub(crate) fn next_number(&self, sequence: &str) -> u64 {
        self.connection
            .prepare_cached(
                "INSERT INTO sequences (name, value) VALUES (?1, 1)
                 ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            )
            .and_then(|mut statement| statement.query_row([sequence], |row| row.get::<_, i64>(0)))
            .map_or_else(
                |error| panic!("the world's file cannot be written: {error}"),
                i64::unsigned_abs,
            )
    }

    /// Arranges that `event` is handed to the service when the clock reaches `at`, before any
    /// request of that time or later is answered.
    pub(crate) fn schedule(&self, at: OffsetDateTime, service: &str, scope: &Scope, event: &Value) {
        self.connection
            .prepare_cached(
                "INSERT INTO due (at, service, account, region, event) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    nanoseconds(at),
                    service,
                    scope.account,
                    scope.region,
                    event.to_string()
                ])
            })
            .unwrap_or_else(|error| panic!("the world's file cannot be written: {error}"));
        self.note_change();
    }

    /// Takes the earliest event that is due by now, in order of time and arrangement.
    pub(crate) fn take_due(&self) -> Option<Due> {
        let taken: Option<(i64, String, String, String, String)> = self
            .connection
            .prepare_cached(
                "DELETE FROM due WHERE id =
                   (SELECT id FROM due WHERE at <= ?1 ORDER BY at, id LIMIT 1)
                 RETURNING at, service, account, region, event",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([nanoseconds(self.now)], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                    })
                    .optional()
            })
            .unwrap_or_else(|error| panic!("the world's file cannot be written: {error}"));
        taken.map(|(at, service, account, region, event)| Due {
            service,
            scope: Scope { account, region },
            event: decode(&event),
            at: OffsetDateTime::from_unix_timestamp_nanos(i128::from(at))
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
        })
    }

    /// Adds to the world's history, which `sandbox dump` shows beside the live resources:
    /// tombstones, statements, decided requests.
    pub(crate) fn remember(&self, scope: &Scope, kind: &str, record: &Value) {
        self.connection
            .prepare_cached(
                "INSERT INTO history (account, region, kind, record) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut statement| {
                statement.execute(params![scope.account, scope.region, kind, record.to_string()])
            })
            .unwrap_or_else(|error| panic!("the world's file cannot be written: {error}"));
    }
}

/// A moment as RFC 3339 in UTC with milliseconds, how documents and replies have it.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    let rounded = at
        .replace_nanosecond(at.millisecond() as u32 * 1_000_000)
        .unwrap_or(at)
        .to_offset(time::UtcOffset::UTC);
    rounded.format(&Rfc3339).unwrap_or_else(|error| panic!("a time has no RFC 3339 form: {error}"))
}

/// A moment from its RFC 3339 text; nothing when it is not one.
pub(crate) fn parse_timestamp(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

fn nanoseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

fn decode<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("the world's file has a document of another form: {error}"))
}

/// The schema of a world's file. `position` keeps the order of creation through updates.
pub(crate) const SCHEMA: &str = "
CREATE TABLE documents (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  document TEXT NOT NULL,
  UNIQUE (account, region, kind, id));
CREATE INDEX documents_by_kind ON documents (kind, id);
CREATE TABLE sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE due (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, service TEXT NOT NULL,
  account TEXT NOT NULL, region TEXT NOT NULL, event TEXT NOT NULL);
CREATE INDEX due_by_time ON due (at, id);
CREATE TABLE history (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, record TEXT NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE calls (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, account TEXT NOT NULL,
  principal TEXT NOT NULL, service TEXT NOT NULL, operation TEXT NOT NULL,
  mutating INTEGER NOT NULL, effect INTEGER NOT NULL, status INTEGER NOT NULL,
  error TEXT, input TEXT NOT NULL,
  region TEXT NOT NULL DEFAULT '', access_key_id TEXT NOT NULL DEFAULT '');
CREATE TABLE tokens (
  account TEXT NOT NULL, region TEXT NOT NULL, operation TEXT NOT NULL, token TEXT NOT NULL,
  input TEXT NOT NULL, reply TEXT NOT NULL, at TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (account, region, operation, token)) WITHOUT ROWID;
";
