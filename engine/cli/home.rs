//! The home folder: where the journal, the worlds and the sealing key live.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use piton_core::ports::Journal;
use piton_journal::{Adoption, Machine, SqliteJournal};
use piton_runner::vault::SealingKey;

use crate::failure::Failure;
use crate::worlds::Worlds;
use crate::{clocks, console};

/// One home folder.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    folder: PathBuf,
    /// It may be on a network file system.
    may_be_remote: bool,
}

impl Home {
    /// The folder that was given, else `PITON_HOME`, else the XDG state folder.
    pub(crate) fn locate(given: Option<&Path>, may_be_remote: bool) -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = given
            .map(Path::to_owned)
            .or_else(|| variable("PITON_HOME").map(PathBuf::from))
            .or_else(|| variable("XDG_STATE_HOME").map(|state| Path::new(&state).join("piton")))
            .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/state/piton")))
            .ok_or_else(|| {
                Failure::usage(
                    "there is no folder to keep runs in: neither HOME nor PITON_HOME is set",
                )
                .hint("name one with --home DIR")
            })?;
        Ok(Self { folder, may_be_remote })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The journal, created at first need.
    pub(crate) fn journal(&self) -> Result<Arc<dyn Journal>, Failure> {
        let clock = Arc::new(clocks::machine_now);
        let journal = SqliteJournal::open_on(&self.folder, clock, self.machine())?;
        if let Some(backup) = journal.backup() {
            console::err(&format!(
                "{} has a newer format now; as it was, it is kept in {}",
                journal.path().display(),
                backup.display()
            ));
        }
        Ok(Arc::new(journal))
    }

    /// Makes a copied home one of its own.
    pub(crate) fn adopt(&self) -> Result<Adoption, Failure> {
        let clock = Arc::new(clocks::machine_now);
        Ok(SqliteJournal::adopt(&self.folder, clock, self.machine())?)
    }

    fn machine(&self) -> Machine {
        Machine { allows_network: self.may_be_remote, ..Machine::this() }
    }

    /// The sandbox's worlds.
    pub(crate) fn worlds(&self) -> Worlds {
        Worlds::new(self.folder.join("sandbox"))
    }

    /// Where the sealing key is.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.folder.join("secret.key")
    }

    /// The key that seals secret values, made at first need.
    pub(crate) fn sealing_key(&self) -> Result<SealingKey, Failure> {
        let path = self.key_path();
        let refused = |problem: String| Failure::storage(format!("{}: {problem}", path.display()));
        if !path.exists() {
            create_key(&self.folder, &path).map_err(|error| refused(error.to_string()))?;
        }
        let bytes = fs::read(&path).map_err(|error| refused(error.to_string()))?;
        let key: [u8; 32] = bytes.try_into().map_err(|bytes: Vec<u8>| {
            refused(format!("a sealing key has 32 bytes, this file has {}", bytes.len()))
                .hint("restore the file from a backup; without it sealed secrets are lost")
        })?;
        Ok(SealingKey::new(key))
    }
}

/// Creates a folder for this user alone, with those above it.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a new key beside its place and links it there: another process that does the same at the
/// same moment finds either no key or a whole one, and the first one stays.
fn create_key(folder: &Path, path: &Path) -> io::Result<()> {
    create_folder(folder)?;
    let mut key = [0_u8; 32];
    let mut name = [0_u8; 8];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    getrandom::fill(&mut name).map_err(io::Error::other)?;
    let draft = folder.join(format!("secret.key.{:016x}", u64::from_be_bytes(name)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked = file
        .write_all(&key)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(folder)?.sync_all(),
    }
}
