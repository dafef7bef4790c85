//! The folder and the file: created, recognised, migrated, opened for writing or only for reading.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use piton_core::ports::JournalError;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::failure::{Failure, storage, unreadable};
use crate::lease::is_held;
use crate::machine::Machine;

/// "Pitn" in the file's header: what tells a journal from another program's database.
const APPLICATION_ID: i32 = 0x5069_746e;

/// How to get from each format to the next; their number is the newest format.
const MIGRATIONS: &[&str] =
    &[include_str!("schema/0001_initial.sql"), include_str!("schema/0002_places.sql")];

/// Pages in the write-ahead log before they move into the database and the log begins again. An
/// fsync of a log that is written over is cheaper than of one that grows, so this is small, and a
/// checkpoint's own two fsyncs come seldom enough.
const CHECKPOINT_PAGES: u32 = 500;

/// Bytes that the write-ahead log keeps when it begins again, however long it became meanwhile.
const LOG_KEPT: u32 = 16 << 20;

/// Held while a database is created or migrated. No run's id has an underscore.
const OPEN_LOCK: &str = "_open.lock";

/// Where the journal keeps what.
pub(crate) struct Files {
    /// The database.
    pub(crate) database: PathBuf,
    /// Folder of the runs' lock files.
    pub(crate) locks: PathBuf,
    /// How long a transaction waits for one of another process.
    patience: Duration,
}

/// One that writes and one that reads.
type Connections = (Connection, Connection);

/// An open database.
pub(crate) struct Opened {
    pub(crate) connections: Connections,
    /// What the disk said, where it may only be read for more than want of permission.
    pub(crate) cause: Option<JournalError>,
    /// What it was before this opening migrated it.
    pub(crate) backup: Option<PathBuf>,
}

/// What a database file is.
enum Found {
    /// Nothing is in it yet.
    Blank,
    /// A journal of this or an older format.
    Format(u32),
}

impl Files {
    pub(crate) fn of(home: &Path, machine: &Machine) -> Self {
        Self {
            database: home.join("journal.db"),
            locks: home.join("locks"),
            patience: machine.patience,
        }
    }

    /// The kind of network file system that the database or its folder is on.
    pub(crate) fn network(&self, machine: &Machine) -> Option<&'static str> {
        // Before anything is there, what will be there is on the file system of the nearest folder.
        let nearest = self.database.ancestors().find(|path| path.exists())?;
        machine.network_under(nearest)
    }

    /// A database in memory, whose locks are files all the same.
    pub(crate) fn of_memory(locks: &Path) -> Self {
        Self {
            database: PathBuf::from(":memory:"),
            locks: locks.to_owned(),
            patience: Duration::ZERO,
        }
    }

    /// The folder of the locks, created when it is missing.
    pub(crate) fn create_locks(&self) -> Result<(), Failure> {
        create_folder(&self.locks)
    }

    /// Opens the database for writing, creating and migrating what is needed; for reading only
    /// where writing is not possible and the database exists.
    pub(crate) fn connect(&self) -> Result<Opened, JournalError> {
        let failure = match self.connect_for_writing() {
            Ok((connections, backup)) => return Ok(Opened { connections, cause: None, backup }),
            Err(failure) => failure,
        };
        if !failure.is_about_writing() || !self.database.is_file() {
            return Err(failure.at(&self.database));
        }
        let is_of_disk = failure.is_of_disk();
        let failure = failure.at(&self.database);
        match self.connect_for_reading() {
            Ok(connections) => {
                let cause = is_of_disk.then_some(failure);
                Ok(Opened { connections, cause, backup: None })
            }
            // The first failure says more than a second one about the same folder.
            Err(_) => Err(failure),
        }
    }

    /// Also gives what the database was before it was migrated.
    fn connect_for_writing(&self) -> Result<(Connections, Option<PathBuf>), Failure> {
        self.create_missing()?;
        let mut writer = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let backup = match self.is_current(&writer)? {
            true => None,
            false => self.bring_up_to_date(&mut writer)?,
        };
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "foreign_keys", true)?;
        writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        writer.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
        let reader = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(((writer, reader), backup))
    }

    /// Opens a database that exists, without permission to write.
    pub(crate) fn connect_for_reading(&self) -> Result<(Connection, Connection), JournalError> {
        let open = || -> Result<Connection, Failure> {
            self.check_readable()?;
            let connection = self.open_for_reading()?;
            match inspect(&connection, &self.database)? {
                Found::Format(format) if format == newest() => Ok(connection),
                Found::Format(format) => Err(JournalError::Storage(format!(
                    "{} has the older journal format {format}, and migrating it needs write \
                     permission",
                    self.database.display()
                ))
                .into()),
                Found::Blank => Err(Failure::Damaged("it is empty".to_owned())),
            }
        };
        let both = open().and_then(|first| Ok((first, open()?)));
        both.map_err(|failure| failure.at(&self.database))
    }

    /// A database in write-ahead mode wants files beside it, which a read-only folder may refuse.
    /// When no log is beside it, nobody is writing, and it can be read as a constant.
    fn open_for_reading(&self) -> Result<Connection, Failure> {
        let plain = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
            inspect(&connection, &self.database)?;
            Ok(connection)
        });
        let has_log = fs::metadata(self.beside("-wal")).is_ok_and(|log| log.len() > 0);
        match plain {
            Err(failure) if failure.is_about_writing() && !has_log => {
                let path = percent_encoded(&self.database);
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                let uri = format!("file:{path}?immutable=1");
                Ok(Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
            }
            other => other,
        }
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection, Failure> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.database, flags)?;
        connection.busy_timeout(self.patience)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    fn is_current(&self, connection: &Connection) -> Result<bool, Failure> {
        match inspect(connection, &self.database)? {
            Found::Format(format) => Ok(format == newest()),
            Found::Blank => Ok(false),
        }
    }

    /// Creates or migrates the database, one process at a time; gives what it was before.
    fn bring_up_to_date(&self, connection: &mut Connection) -> Result<Option<PathBuf>, Failure> {
        let path = self.locks.join(OPEN_LOCK);
        let lock = open_private(&path, false).map_err(|error| storage(&path, &error))?;
        lock.lock().map_err(|error| storage(&path, &error))?;
        let found = match inspect(connection, &self.database)? {
            Found::Format(format) if format == newest() => return Ok(None),
            Found::Format(format) => {
                self.refuse_while_driven()?;
                format
            }
            Found::Blank => 0,
        };
        // Readers then never wait for the writer. It is a property of the file, kept in it.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        migrate(connection, &self.database, found, MIGRATIONS)
    }

    /// A process of an older version would go on writing what it knows.
    fn refuse_while_driven(&self) -> Result<(), Failure> {
        let locks = fs::read_dir(&self.locks).map_err(|error| storage(&self.locks, &error))?;
        for lock in locks {
            let path = lock.map_err(|error| storage(&self.locks, &error))?.path();
            let run = path.file_stem().unwrap_or_default().to_string_lossy();
            if !path.ends_with(OPEN_LOCK) && is_held(&path) {
                return Err(JournalError::Storage(format!(
                    "it has an older format, and an older version of Piton is driving run {run}: \
                     let that end first"
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Creates the folder and an empty database that only this user can read: scripts, inputs and
    /// sealed values are in it.
    fn create_missing(&self) -> Result<(), Failure> {
        create_folder(&self.locks)?;
        match open_private(&self.database, true) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(storage(&self.database, &error).into()),
        }
        self.check_readable()
    }

    fn check_readable(&self) -> Result<(), Failure> {
        let reason = match File::open(&self.database).and_then(|file| file.metadata()) {
            Ok(file) if file.is_dir() => "it is a folder".to_owned(),
            Ok(file) if file.len() == 0 && self.had_runs() => {
                "it is empty, and runs were kept in it: restore it from a backup".to_owned()
            }
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "this user may not read it".to_owned()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                "there is no such file".to_owned()
            }
            Err(error) => error.to_string(),
        };
        Err(unreadable(&self.database, reason).into())
    }

    /// Whether something beside the database says that it had runs. SQLite would take an empty file for
    /// a new database and throw the log away.
    fn had_runs(&self) -> bool {
        let log = fs::metadata(self.beside("-wal")).map_or(0, |log| log.len());
        let is_of_run = |name: &str| name.ends_with(".lock") && !name.starts_with('_');
        let has_locks = fs::read_dir(&self.locks).is_ok_and(|locks| {
            locks.flatten().any(|lock| is_of_run(&lock.file_name().to_string_lossy()))
        });
        log > 0 || has_locks
    }

    /// A file beside the database, by the end of its name.
    pub(crate) fn beside(&self, end: &str) -> PathBuf {
        beside(&self.database, end)
    }
}

/// Gives an empty database the tables of the newest format.
pub(crate) fn make_tables(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    migrate(connection, path, 0, MIGRATIONS).map(|_no_backup| ())
}

fn newest() -> u32 {
    MIGRATIONS.len().try_into().expect("formats are few")
}

/// Says what a database is, and refuses what is no journal or a newer one. Changes nothing.
fn inspect(connection: &Connection, path: &Path) -> Result<Found, Failure> {
    // One snapshot: another process may be creating the journal between two of these reads.
    let snapshot = connection.unchecked_transaction()?;
    let application: i32 = snapshot.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format: u32 = snapshot.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    snapshot.finish()?;
    match (application, format, tables) {
        (0, 0, 0) => Ok(Found::Blank),
        (APPLICATION_ID, 1.., 1..) if format <= newest() => Ok(Found::Format(format)),
        (APPLICATION_ID, 1.., 1..) => Err(JournalError::Newer {
            path: path.display().to_string(),
            found: format,
            known: newest(),
        }
        .into()),
        (APPLICATION_ID, ..) => Err(Failure::Damaged("it has no tables".to_owned())),
        _ => Err(Failure::Damaged("it is a database of another program".to_owned())),
    }
}

/// Brings a database from format `found` (0: nothing is in it) to the newest one, whole or not at
/// all. What is in it is kept beside it first, in the file that is returned.
fn migrate(
    connection: &mut Connection,
    path: &Path,
    found: u32,
    migrations: &[&str],
) -> Result<Option<PathBuf>, Failure> {
    let backup = (found > 0).then(|| beside(path, &format!(".format-{found}.backup")));
    if let Some(backup) = &backup {
        back_up(connection, backup)?;
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    for migration in &migrations[found as usize..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", migrations.len() as u32)?;
    transaction.commit()?;
    Ok(backup)
}

fn back_up(connection: &Connection, backup: &Path) -> Result<(), Failure> {
    // One that is there is from a migration that did not come to its end.
    match fs::remove_file(backup) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(storage(backup, &error).into()),
    }
    let file = open_private(backup, true).map_err(|error| storage(backup, &error))?;
    connection.execute("VACUUM INTO ?1", [backup.to_string_lossy()])?;
    // SQLite leaves that to its caller.
    file.sync_all().map_err(|error| storage(backup, &error))?;
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn create_folder(path: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|error| storage(path, &error).into())
}

/// Opens a file for writing that only this user can read; `new` refuses one that is there.
pub(crate) fn open_private(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false).create(true).create_new(new);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// A path as SQLite reads it in a URI.
fn percent_encoded(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    const FIRST: &str = "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('kept');";
    const SECOND: &str = "ALTER TABLE notes ADD COLUMN by TEXT NOT NULL DEFAULT 'nobody';";

    fn notes(path: &Path) -> (u32, Vec<String>) {
        let connection = Connection::open(path).unwrap();
        let format = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let mut statement = connection.prepare("SELECT * FROM notes").unwrap();
        let columns = statement.column_names().map(str::to_owned).collect();
        assert_eq!(statement.query_map([], |row| row.get::<_, String>(0)).unwrap().count(), 1);
        (format, columns)
    }

    #[test]
    fn a_migration_keeps_what_was_there_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("journal.db");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, &path, 0, &[FIRST]).unwrap();
        migrate(&mut connection, &path, 1, &[FIRST, SECOND]).unwrap();
        assert_eq!(notes(&path), (2, vec!["text".to_owned(), "by".to_owned()]));
        let backup = beside(&path, ".format-1.backup");
        assert_eq!(notes(&backup), (1, vec!["text".to_owned()]));
    }

    #[test]
    fn a_run_that_is_driven_keeps_the_format() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::of(home.path(), &Machine::this());
        files.create_missing().unwrap();
        let lock = open_private(&files.locks.join("a1.lock"), true).unwrap();
        files.refuse_while_driven().unwrap();
        lock.lock().unwrap();
        let refused = files.refuse_while_driven().unwrap_err().at(&files.database);
        assert!(refused.to_string().contains("is driving run a1"), "{refused}");
    }

    #[test]
    fn a_migration_that_fails_changes_nothing_and_can_be_repeated() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("journal.db");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, &path, 0, &[FIRST]).unwrap();
        let broken = "ALTER TABLE notes ADD COLUMN by TEXT; SELECT * FROM nowhere;";
        migrate(&mut connection, &path, 1, &[FIRST, broken]).unwrap_err();
        assert_eq!(notes(&path), (1, vec!["text".to_owned()]));
        migrate(&mut connection, &path, 1, &[FIRST, SECOND]).unwrap();
        assert_eq!(notes(&path).0, 2);
    }
}
