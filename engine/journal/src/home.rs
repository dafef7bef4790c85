//! Whose database a file is. A copy of a home has all runs of the original, and both would do the
//! calls that are still to be done: so a file that is not the one it was made as is only read, until
//! somebody says that it is the one to go on with.
//!
//! What tells a file from its copy is its inode, the moment it was made, and the machine. The path is
//! for people: a home that was moved on its disk is the same file.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use piton_core::ports::{JournalError, RunId};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::signed;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::open::Files;
use crate::runs;

/// What came of making a copied home one of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The folder that the home was; nothing when this one was its own already.
    pub was: Option<String>,
    /// That folder still has the home: its runs go on there.
    pub is_there: bool,
    /// Runs that have not ended: they go on here, or, when the other folder is still there, in that
    /// one alone.
    pub unfinished: Vec<RunId>,
}

/// What tells a database from its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    path: String,
    machine: Option<String>,
    boot: String,
    inode: i64,
    born: Option<i64>,
}

impl Identity {
    /// The file as it is now.
    fn present(files: &Files, machine: &Machine) -> Result<Self, Failure> {
        let path = &files.database;
        let unseen = |error| crate::failure::storage(path, &error);
        let file = fs::metadata(path).map_err(unseen)?;
        let folder = path.parent().unwrap_or(path);
        let folder = folder.canonicalize().map_err(unseen)?;
        Ok(Self {
            path: folder.to_string_lossy().into_owned(),
            machine: machine.id.clone(),
            boot: machine.boot.clone(),
            inode: signed(file.ino()),
            born: born(&file),
        })
    }

    /// The file as it was when it was made, or made its own.
    fn recorded(connection: &Connection) -> Result<Option<Self>, Failure> {
        let row = connection
            .query_row("SELECT path, machine, boot, inode, born FROM home", [], |row| {
                Ok(Self {
                    path: row.get(0)?,
                    machine: row.get(1)?,
                    boot: row.get(2)?,
                    inode: row.get(3)?,
                    born: row.get(4)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    fn record(&self, connection: &Connection) -> Result<(), Failure> {
        connection.execute(
            "INSERT INTO home (one, id, path, machine, boot, inode, born)
             VALUES (1, lower(hex(randomblob(8))), ?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (one) DO UPDATE SET path = excluded.path, machine = excluded.machine,
             boot = excluded.boot, inode = excluded.inode, born = excluded.born",
            params![self.path, self.machine, self.boot, self.inode, self.born],
        )?;
        Ok(())
    }

    fn is_same_file(&self, other: &Self) -> bool {
        let agree = match (self.born, other.born) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        };
        self.inode == other.inode && agree
    }

    /// Containers of one machine have ids of their own, or none, and one boot.
    fn is_same_machine(&self, other: &Self) -> bool {
        let agree = match (&self.machine, &other.machine) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        };
        agree || (self.boot == other.boot && !self.boot.is_empty())
    }

    /// Why the present file is not the recorded one.
    fn difference(&self, present: &Self) -> Option<&'static str> {
        match (self.is_same_machine(present), self.is_same_file(present)) {
            (true, true) => None,
            (true, false) => Some("its file is another one: it was copied, restored or moved"),
            (false, _) => Some("it is on another machine now"),
        }
    }

    /// Whether the recorded file can be seen from here.
    fn is_there(&self, present: &Self) -> bool {
        self.is_same_machine(present)
            && fs::metadata(Path::new(&self.path).join("journal.db"))
                .is_ok_and(|file| signed(file.ino()) == self.inode && born(&file) == self.born)
    }
}

fn born(file: &Metadata) -> Option<i64> {
    let since = file.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

/// Whether the open database may be written: the refusal when it is a copy. One that nobody has yet
/// becomes that of this folder.
pub(crate) fn recognise(
    connection: &Connection,
    files: &Files,
    machine: &Machine,
) -> Result<Option<JournalError>, Failure> {
    let present = Identity::present(files, machine)?;
    let Some(recorded) = Identity::recorded(connection)? else {
        present.record(connection)?;
        return Ok(None);
    };
    if let Some(sign) = recorded.difference(&present) {
        let is_there = recorded.is_there(&present);
        return Ok(Some(JournalError::Copied {
            path: present.path,
            original: recorded.path,
            sign: sign.to_owned(),
            is_there,
        }));
    }
    // A container has another id than its machine: the first one stays, the boot says the rest.
    let machine = recorded.machine.clone().or_else(|| present.machine.clone());
    let kept = Identity { machine, ..present };
    if kept != recorded {
        kept.record(connection)?;
    }
    Ok(None)
}

/// Makes a copied home one of its own. What has not ended goes on here, unless the home that it was
/// copied from is still there: then it is only read here.
pub(crate) fn adopt(
    connection: &Connection,
    files: &Files,
    machine: &Machine,
) -> Result<Adoption, Failure> {
    let present = Identity::present(files, machine)?;
    let recorded = Identity::recorded(connection)?;
    let was = recorded.filter(|recorded| recorded.difference(&present).is_some());
    let Some(was) = was else {
        return Ok(Adoption { was: None, is_there: false, unfinished: Vec::new() });
    };
    let is_there = was.is_there(&present);
    let rows = runs::list(connection)?;
    let goes_on = |row: &piton_core::ports::RunRow| {
        (!row.summary.status.is_final() || row.summary.retry_from.is_some()) && !row.copy
    };
    let unfinished: Vec<RunId> = rows.into_iter().filter(goes_on).map(|row| row.run).collect();
    if is_there {
        for run in &unfinished {
            connection.execute("UPDATE runs SET copy = 1 WHERE id = ?1", [&run.0])?;
        }
    }
    connection.execute("DELETE FROM home", [])?;
    present.record(connection)?;
    Ok(Adoption { was: Some(was.path), is_there, unfinished })
}
