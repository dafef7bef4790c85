//! Files that are there whole or not at all, for this user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Writes a new file; one that is there is left as it is, and the error says so.
pub(crate) fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    let draft = draft(path, contents)?;
    // Unlike a rename, a link does not replace.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked.and_then(|()| sync_folder(path))
}

/// Writes a file in place of whatever is there.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let draft = draft(path, contents)?;
    fs::rename(draft, path).and_then(|()| sync_folder(path))
}

/// The contents on disk, beside the place that they are for.
fn draft(path: &Path, contents: &[u8]) -> io::Result<PathBuf> {
    let mut letters = [0_u8; 8];
    getrandom::fill(&mut letters).map_err(io::Error::other)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{:016x}", u64::from_be_bytes(letters)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(draft),
        Err(error) => {
            fs::remove_file(&draft)?;
            Err(error)
        }
    }
}

/// The name is on disk too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
