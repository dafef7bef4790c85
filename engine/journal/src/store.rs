//! Two connections to one database: one that writes, one transaction at a time, and one that reads
//! meanwhile. A database in memory has the first alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::entry::{Body, Entry, Head};
use piton_core::ports::{JournalError, Lease, RunId};
use piton_core::status::RunSummary;
use piton_core::time::{Span, Timestamp};
use rusqlite::Connection;

use crate::append::{Shelf, head};
use crate::failure::Failure;
use crate::home::{self, Adoption};
use crate::machine::Machine;
use crate::open::{Files, Opened};
use crate::room::{RESERVE, Room, log_too_long};

/// Where the journal gets the present moment from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What this process wrote last about the runs that it drives, and need not read again: while its
/// epoch counts, nobody else writes there.
pub(crate) type Seen = HashMap<RunId, Written>;

/// The end of a run's journal, as this process wrote it.
pub(crate) struct Written {
    pub(crate) shelf: Shelf,
    pub(crate) head: Head,
    /// Most appends change nothing but the moment in it, which the head has anyway: then the text is
    /// not written again.
    pub(crate) summary: RunSummary,
}

/// An append found that a lease counts. Whoever wants to take the run from a holder that lives waits for
/// much longer than this is good for.
struct Look {
    run: RunId,
    epoch: u64,
    /// Time that the machine had run.
    at: Span,
}

/// How long a look is good for.
const FRESH: Span = Span::from_secs(1);

/// Pages that the reserve is worth.
const RESERVE_PAGES: u32 = (RESERVE / 4096) as u32;

/// The open database.
pub(crate) struct Store {
    pub(crate) files: Files,
    pub(crate) machine: Machine,
    clock: Now,
    writer: Mutex<Writer>,
    /// Absent in memory, where the writer reads too.
    reader: Option<Mutex<Connection>>,
    /// What is kept free on the disk; absent in memory.
    room: Option<Room>,
    /// What the last append found, until somebody made use of it.
    looked: Mutex<Option<Look>>,
    /// What the database was before this opening migrated it.
    pub(crate) backup: Option<PathBuf>,
}

struct Writer {
    connection: Connection,
    seen: Seen,
    /// Why nothing may be written.
    refusal: Option<JournalError>,
    /// A bound on the database's pages, when one was set.
    pages: Option<u32>,
}

impl Store {
    /// Opens what is in a folder. One that is a copy, or on a network file system, is only read.
    pub(crate) fn open(home: &Path, clock: Now, machine: Machine) -> Result<Self, JournalError> {
        let files = Files::of(home, &machine);
        if let Some(kind) = files.network(&machine) {
            let (path, kind) = (home.display().to_string(), kind.to_owned());
            let refusal = JournalError::NetworkHome { path, kind };
            return match files.database.is_file() {
                true => {
                    let connections = files.connect_for_reading()?;
                    Ok(Self::over(files, clock, machine, connections, Some(refusal)))
                }
                false => Err(refusal),
            };
        }
        let Opened { connections: (writer, reader), cause, backup } = files.connect()?;
        let refusal = match writer.is_readonly("main") {
            Ok(false) => home::recognise(&writer, &files, &machine),
            Ok(true) => Ok(cause),
            Err(error) => Err(error.into()),
        };
        let refusal = match refusal {
            // It can be read all the same.
            Err(failure) if failure.is_of_disk() => Some(failure.at(&files.database)),
            other => other.map_err(|failure| failure.at(&files.database))?,
        };
        let store = Self::over(files, clock, machine, (writer, reader), refusal);
        Ok(Self { backup, ..store })
    }

    pub(crate) fn open_read_only(home: &Path, clock: Now) -> Result<Self, JournalError> {
        let machine = Machine::this();
        let files = Files::of(home, &machine);
        let connections = files.connect_for_reading()?;
        Ok(Self::over(files, clock, machine, connections, None))
    }

    fn over(
        files: Files,
        clock: Now,
        machine: Machine,
        (writer, reader): (Connection, Connection),
        refusal: Option<JournalError>,
    ) -> Self {
        let writer = Writer { connection: writer, seen: Seen::new(), refusal, pages: None };
        let room = Some(Room::new(files.beside(".reserve"), files.beside("-wal")));
        let (writer, reader) = (Mutex::new(writer), Some(Mutex::new(reader)));
        let looked = Mutex::default();
        Self { files, machine, clock, writer, reader, room, looked, backup: None }
    }

    /// Makes a copied home one of its own.
    pub(crate) fn adopt(&self) -> Result<Adoption, JournalError> {
        let mut writer = lock(&self.writer);
        if matches!(writer.refusal, Some(JournalError::Copied { .. })) {
            writer.refusal = None;
        }
        drop(writer);
        self.write(|connection, _| home::adopt(connection, &self.files, &self.machine))
    }

    /// Refused when nothing may be written here, before anything else is done.
    pub(crate) fn check_writable(&self) -> Result<(), JournalError> {
        lock(&self.writer).refusal.clone().map_or(Ok(()), Err)
    }

    /// A store over a database in memory.
    pub(crate) fn in_memory(files: Files, clock: Now, connection: Connection) -> Self {
        let writer = Writer { connection, seen: Seen::new(), refusal: None, pages: None };
        let machine = Machine::this();
        let (writer, looked) = (Mutex::new(writer), Mutex::default());
        Self { files, machine, clock, writer, reader: None, room: None, looked, backup: None }
    }

    /// The bytes of the whole database.
    pub(crate) fn image(&self) -> Result<Vec<u8>, JournalError> {
        let mut writer = lock(&self.writer);
        let image = writer.connection.serialize("main").map(|bytes| bytes.to_vec());
        image.map_err(|error| Failure::from(error).at(&self.files.database))
    }

    /// How long the machine has been running.
    pub(crate) fn uptime(&self) -> Span {
        (self.machine.uptime)()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Refuses to let the database grow beyond a number of pages, as a full disk would. The reserve
    /// is worth some of them once it was given free.
    pub(crate) fn limit_pages(&self, pages: u32) -> Result<(), JournalError> {
        let mut writer = lock(&self.writer);
        writer.pages = Some(pages);
        writer.limit().map_err(|failure| failure.at(&self.files.database))
    }

    /// Sets how long the write-ahead log may be when a new call begins.
    pub(crate) fn limit_log(&self, bytes: u64) {
        if let Some(room) = &self.room {
            room.limit_log(bytes);
        }
    }

    /// Reads from one state of the database, whatever is written meanwhile.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        let look_at = |connection: &mut Connection| {
            connection.transaction().map_err(Failure::from).and_then(|state| look(&state))
        };
        let outcome = match &self.reader {
            Some(reader) => look_at(&mut lock(reader)),
            None => look_at(&mut lock(&self.writer).connection),
        };
        outcome.map_err(|failure| failure.at(&self.files.database))
    }

    /// Changes the database in one durable commit; not at all when `change` refuses.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Connection, &mut Seen) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        lock(&self.writer).write(change).map_err(|failure| failure.at(&self.files.database))
    }

    /// Whether a lease counts. The first to ask after an append knows that from the append.
    pub(crate) fn is_held(&self, lease: &dyn Lease) -> Result<bool, JournalError> {
        let looked = lock(&self.looked).take();
        let now = self.uptime();
        let is_fresh = looked.is_some_and(|look| {
            let is_of_it = look.run == *lease.run() && look.epoch == lease.epoch();
            let passed = now.millis().checked_sub(look.at.millis());
            is_of_it && passed.is_some_and(|millis| millis < FRESH.millis())
        });
        if is_fresh {
            return Ok(true);
        }
        self.read(|connection| Ok(head(connection, lease.run())?.epoch == lease.epoch()))
    }

    /// Writes entries of a run that was looked at `at` this moment of the machine's running time, in one
    /// durable commit, as `change` does it. The intent of a call is taken only
    /// while there is room for what the call comes to; that has its room on a full disk too.
    pub(crate) fn append<T>(
        &self,
        (lease, at): (&dyn Lease, Span),
        entries: &[Entry],
        change: impl Fn(&Connection, &mut Seen) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        let has_intent = entries.iter().any(|entry| matches!(entry.body, Body::Intent(_)));
        let mut writer = lock(&self.writer);
        let outcome = match &self.room {
            None => writer.write(change),
            Some(room) if has_intent => {
                self.make_room(room, &mut writer).and_then(|()| writer.write(change))
            }
            Some(room) => match writer.write(&change) {
                Err(full) if full.is_full_disk() && has_answer(entries) && room.release() => {
                    writer.grow(RESERVE_PAGES).and_then(|()| writer.write(change))
                }
                other => other,
            },
        };
        drop(writer);
        if outcome.is_ok() {
            let look = Look { run: lease.run().clone(), epoch: lease.epoch(), at };
            *lock(&self.looked) = Some(look);
        }
        outcome.map_err(|failure| failure.at(&self.files.database))
    }

    /// Before an intent: whether its outcome will have room. Mends the reserve when it can.
    fn make_room(&self, room: &Room, writer: &mut Writer) -> Result<(), Failure> {
        if let Some(bytes) = room.long_log() {
            let is_blocked: bool =
                writer
                    .connection
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if is_blocked {
                return Err(log_too_long(&self.files.beside("-wal"), bytes).into());
            }
        }
        if !room.is_whole() {
            writer.shrink(RESERVE_PAGES)?;
            room.fill()?;
        }
        Ok(())
    }
}

/// Whether entries say what became of a call that changes AWS: it was sent, and cannot be unsent.
fn has_answer(entries: &[Entry]) -> bool {
    let is_answer = |entry: &Entry| match &entry.body {
        Body::Outcome(outcome) => outcome.read.is_none(),
        _ => false,
    };
    entries.iter().any(is_answer)
}

impl Writer {
    fn write<T>(
        &mut self,
        change: impl FnOnce(&Connection, &mut Seen) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone().into());
        }
        let outcome = commit(&mut self.connection, &mut self.seen, change);
        if outcome.is_err() {
            // It may hold what was about to be written.
            self.seen.clear();
        }
        outcome
    }

    /// The disk has more pages, where their number is bounded.
    fn grow(&mut self, by: u32) -> Result<(), Failure> {
        self.pages = self.pages.map(|pages| pages.saturating_add(by));
        self.limit()
    }

    /// The disk has fewer pages, where their number is bounded; refused when they are in use.
    fn shrink(&mut self, by: u32) -> Result<(), Failure> {
        let Some(pages) = self.pages else { return Ok(()) };
        let used: u32 = self.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        match pages.checked_sub(by).filter(|left| *left >= used) {
            Some(left) => {
                self.pages = Some(left);
                self.limit()
            }
            None => Err(Failure::full_disk()),
        }
    }

    fn limit(&self) -> Result<(), Failure> {
        if let Some(pages) = self.pages {
            self.connection.pragma_update_and_check(None, "max_page_count", pages, |row| {
                row.get::<_, i64>(0)
            })?;
        }
        Ok(())
    }
}

fn commit<T>(
    connection: &mut Connection,
    seen: &mut Seen,
    change: impl FnOnce(&Connection, &mut Seen) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = Change::begin(connection)?;
    let value = change(connection, seen)?;
    transaction.commit()?;
    Ok(value)
}

/// A transaction that is taken back unless it is committed. The one of the library parses its two
/// statements each time.
struct Change<'a>(&'a Connection);

impl<'a> Change<'a> {
    fn begin(connection: &'a Connection) -> Result<Self, Failure> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(connection))
    }

    fn commit(self) -> Result<(), Failure> {
        self.0.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Where even that fails, the next transaction cannot begin and says so.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// A thread that panicked inside a transaction rolled it back: the connection is good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
