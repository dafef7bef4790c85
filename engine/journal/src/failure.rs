//! What SQLite and the file system say, as the errors of the journal port, in words.

use std::io;
use std::path::Path;

use piton_core::gate::Refusal;
use piton_core::ports::JournalError;
use rusqlite::{ErrorCode, ffi};

/// A failure inside the crate, before it is known which file it is about.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// The file holds what no journal writes.
    Damaged(String),
    /// Already in the words of the port.
    Journal(JournalError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Journal(JournalError::Refused(refusal))
    }
}

impl Failure {
    /// The failure as the port has it, for the database at `path`.
    pub(crate) fn at(self, path: &Path) -> JournalError {
        match self {
            Self::Journal(error) => error,
            Self::Damaged(reason) => unreadable(path, reason),
            Self::Sqlite(error) => sqlite_words(path, &error),
        }
    }

    /// What SQLite says on a full disk.
    pub(crate) fn full_disk() -> Self {
        Self::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None))
    }

    /// Whether the disk is full.
    pub(crate) fn is_full_disk(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }

    /// Whether the disk is full or reports an error: more than that nobody may write.
    pub(crate) fn is_of_disk(&self) -> bool {
        let is_error = matches!(
            self,
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
        );
        is_error || self.is_full_disk()
    }

    /// Whether a database that only has to be read may still open without write permission.
    pub(crate) fn is_about_writing(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::ReadOnly
                        | ErrorCode::CannotOpen
                        | ErrorCode::PermissionDenied
                        | ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                )
            ),
            Self::Journal(error) => matches!(error, JournalError::Storage(_)),
            Self::Damaged(_) => false,
        }
    }
}

/// The database cannot be read, for a reason in words.
pub(crate) fn unreadable(path: &Path, reason: impl Into<String>) -> JournalError {
    JournalError::Unreadable { path: path.display().to_string(), reason: reason.into() }
}

/// A file or folder of the journal cannot be used.
pub(crate) fn storage(path: &Path, error: &io::Error) -> JournalError {
    let path = path.display();
    JournalError::Storage(match error.kind() {
        io::ErrorKind::PermissionDenied => format!("this user may not write {path}"),
        io::ErrorKind::ReadOnlyFilesystem => format!("{path} is on a read-only file system"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("the disk is full ({path})")
        }
        io::ErrorKind::NotADirectory => format!("{path} is below a file, not a folder"),
        _ => format!("{path}: {error}"),
    })
}

fn sqlite_words(path: &Path, error: &rusqlite::Error) -> JournalError {
    let file = path.display();
    let Some(code) = error.sqlite_error_code() else {
        // The rest are values of another type than the schema has.
        return unreadable(path, format!("it is damaged: {error}"));
    };
    let words = match code {
        ErrorCode::NotADatabase => return unreadable(path, "it is not a SQLite database"),
        ErrorCode::DatabaseCorrupt => {
            return unreadable(path, format!("it is damaged: {error}"));
        }
        ErrorCode::DiskFull => format!("the disk is full ({file})"),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            format!("{file} or its folder is read-only")
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            format!("another process keeps {file} locked")
        }
        ErrorCode::SystemIoFailure => format!("the disk reports an error at {file}: {error}"),
        ErrorCode::CannotOpen => format!("{file} cannot be opened: {error}"),
        ErrorCode::TooBig => format!("an entry is larger than {file} can hold"),
        _ => format!("{file}: {error}"),
    };
    JournalError::Storage(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_says_has_a_cause_in_words() {
        let path = Path::new("home/journal.db");
        let words = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            Failure::from(error).at(path).to_string()
        };
        let cases = [
            (ffi::SQLITE_FULL, "cannot be written: the disk is full (home/journal.db)"),
            (ffi::SQLITE_READONLY_DIRECTORY, "home/journal.db or its folder is read-only"),
            (ffi::SQLITE_BUSY, "another process keeps home/journal.db locked"),
            (ffi::SQLITE_IOERR_FSYNC, "the disk reports an error at home/journal.db"),
            (ffi::SQLITE_NOTADB, "home/journal.db is not a Piton journal"),
            (ffi::SQLITE_CORRUPT, "home/journal.db is not a Piton journal: it is damaged"),
        ];
        for (code, expected) in cases {
            let said = words(code);
            assert!(said.contains(expected), "{said}");
        }
    }
}
