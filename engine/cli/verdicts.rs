//! What dry replays found, kept between commands: `HOME/verdicts.json`.
//!
//! A finding follows from a run's program, its entries and this binary with its models and the key of
//! the home; it is used while all of these are the same. The file holds nothing that cannot be found
//! again: it may be deleted at any time, and one that cannot be read or written is done without.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use piton_core::canonical::Digest;
use piton_core::ports::{RunId, RunRow};
use piton_runner::dry::Replay;
use serde::{Deserialize, Serialize};

use crate::commands::models;
use crate::context::Context;
use crate::failure::Failure;

/// What was found about a run, apart from what changes without an entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Finding {
    program: Digest,
    head: Digest,
    /// Secrets of the run are sealed with the key of the home.
    pub(crate) seals: bool,
    /// What the dry replay found, or why there is none.
    pub(crate) replay: Result<Replay, String>,
}

impl Finding {
    pub(crate) fn new(row: &RunRow, seals: bool, replay: Result<Replay, String>) -> Self {
        Self { program: row.program, head: row.head.hash, seals, replay }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    /// What they were found with.
    with: String,
    runs: BTreeMap<String, Finding>,
}

/// The findings of a home.
pub(crate) struct Verdicts {
    path: PathBuf,
    stored: Stored,
    is_changed: bool,
}

impl Verdicts {
    /// Those of the home of this command, as far as they hold for this binary.
    pub(crate) fn load(context: &Context) -> Result<Self, Failure> {
        let home = context.home()?;
        let path = home.folder().join("verdicts.json");
        let with = identity(context, &home.key_path())?;
        let stored = fs::read(&path).ok();
        let stored = stored.and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        let stored = stored
            .filter(|stored| stored.with == with)
            .unwrap_or_else(|| Stored { with, runs: BTreeMap::new() });
        Ok(Self { path, stored, is_changed: false })
    }

    /// What is known of a run. `heads` says where the runs are that it called.
    pub(crate) fn get(
        &self,
        row: &RunRow,
        heads: &dyn Fn(&RunId) -> Option<Digest>,
    ) -> Option<&Finding> {
        let finding = self.stored.runs.get(&row.run.0)?;
        let called = finding.replay.as_ref().map_or(&[][..], |replay| replay.called.as_slice());
        let holds = finding.program == row.program
            && finding.head == row.head.hash
            && called.iter().all(|(run, head)| heads(run) == Some(*head));
        holds.then_some(finding)
    }

    /// Keeps what was found.
    pub(crate) fn put(&mut self, row: &RunRow, finding: &Finding) {
        self.stored.runs.insert(row.run.0.clone(), finding.clone());
        self.is_changed = true;
    }

    /// Forgets runs that there are not any more, or that ended.
    pub(crate) fn retain(&mut self, rows: &HashMap<&RunId, &RunRow>) {
        let before = self.stored.runs.len();
        self.stored.runs.retain(|run, _| {
            rows.get(&RunId(run.clone())).is_some_and(|row| !row.status().is_final())
        });
        self.is_changed |= self.stored.runs.len() != before;
    }

    /// Writes them for the next command. A home that cannot be written has no findings kept: the next
    /// command finds out by itself.
    pub(crate) fn save(&self) {
        if self.is_changed {
            let _not_kept = write(&self.path, &self.stored);
        }
    }
}

fn write(path: &Path, stored: &Stored) -> std::io::Result<()> {
    let draft = path.with_extension(format!("json.{}", std::process::id()));
    let text = serde_json::to_vec(stored)?;
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(&text))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _left_behind = fs::remove_file(&draft);
    }
    written
}

/// What findings depend on besides the run: the binary, the models that were added to it, the key.
fn identity(context: &Context, key: &Path) -> Result<String, Failure> {
    let mut parts = vec![env!("CARGO_PKG_VERSION").to_owned()];
    let binary = std::env::current_exe().ok();
    let mut files: Vec<PathBuf> = binary.into_iter().chain([key.to_owned()]).collect();
    let models = models::folder(context)?;
    let added = fs::read_dir(models).into_iter().flatten().filter_map(Result::ok);
    let mut added: Vec<PathBuf> = added.map(|entry| entry.path()).collect();
    added.sort();
    files.extend(added);
    for path in files {
        let stamp = fs::metadata(&path).map_or_else(
            |_| "none".to_owned(),
            |file| format!("{} {} {} {}", file.ino(), file.len(), file.mtime(), file.mtime_nsec()),
        );
        parts.push(format!("{} {stamp}", path.display()));
    }
    Ok(Digest::of_parts(parts.iter().map(String::as_bytes)).to_string())
}
