//! Stored worlds of the sandbox: `HOME/sandbox/<name>.db`, and which one was used last.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_sandbox::{Sandbox, WorldSpec};

use crate::clocks;
use crate::failure::Failure;
use crate::files;
use crate::home::create_folder;

/// Name of the world that nobody described.
const BUILT_IN: &str = "built-in";
/// File that names the world used last.
const POINTER: &str = "last-used";

/// The folder of worlds.
pub(crate) struct Worlds {
    folder: PathBuf,
}

/// One open world.
#[derive(Clone)]
pub(crate) struct World {
    /// Stored name.
    pub(crate) name: String,
    /// The world.
    pub(crate) sandbox: Arc<Sandbox>,
}

impl Worlds {
    /// The worlds of a folder, which need not exist.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// A new world with a name that nothing else has; `stem` begins it.
    pub(crate) fn fresh(&self, stem: &str, spec: &WorldSpec) -> Result<World, Failure> {
        let stem: String = stem
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
            .collect();
        loop {
            let name = format!("{stem}-{}", random_letters());
            if !self.path(&name).exists() {
                return self.open_file(name, spec);
            }
        }
    }

    /// Whether a world of that name is stored.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// A stored world.
    pub(crate) fn stored(&self, name: &str) -> Result<World, Failure> {
        if is_name(name) && (name == BUILT_IN || self.path(name).is_file()) {
            return self.open_file(name.to_owned(), &WorldSpec::built_in());
        }
        let mut failure = Failure::of(Diagnostic::error(
            Code::World,
            format!("there is no stored world `{name}`, and no file of that name"),
        ));
        let names = self.names();
        if !names.is_empty() {
            failure = failure.hint(format!("stored worlds: {}", names.join(", ")));
        }
        Err(failure.hint("a new world is made by --sandbox, or by --sandbox=PATH/world.toml"))
    }

    /// The description that a person names by a file in the form of a world.toml; nothing when what
    /// they name is a stored world.
    pub(crate) fn described(&self, given: &str) -> Result<Option<WorldSpec>, Failure> {
        let path = Path::new(given);
        let is_file = given.contains('/') || given.ends_with(".toml") || path.is_file();
        if !is_file || self.path(given).is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::of(Diagnostic::error(Code::World, format!("{given} cannot be read: {error}")))
        })?;
        parse_world(&text, given).map(Some)
    }

    /// The world that a person names: a file in the form of a world.toml makes a new one, anything
    /// else is a stored name.
    pub(crate) fn named(&self, given: &str) -> Result<World, Failure> {
        let Some(spec) = self.described(given)? else { return self.stored(given) };
        let path = Path::new(given);
        let folder = path.canonicalize().ok().and_then(|path| {
            path.parent()?.file_name().map(|name| name.to_string_lossy().into_owned())
        });
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stem = stem.filter(|stem| stem != "world").or(folder);
        self.fresh(stem.as_deref().unwrap_or("world"), &spec)
    }

    /// The world used last; the built-in one when there was none or it is gone.
    pub(crate) fn last_used(&self) -> Result<World, Failure> {
        let name = fs::read_to_string(self.folder.join(POINTER)).ok();
        let name = name.map(|name| name.trim().to_owned());
        let name = name.filter(|name| !name.is_empty() && self.path(name).is_file());
        self.stored(name.as_deref().unwrap_or(BUILT_IN))
    }

    /// Makes a world the one used last.
    pub(crate) fn remember(&self, world: &World) -> Result<(), Failure> {
        let pointer = self.folder.join(POINTER);
        let draft = self.folder.join(format!("{POINTER}.{}", random_letters()));
        fs::write(&draft, &world.name)
            .and_then(|()| fs::rename(&draft, &pointer))
            .map_err(|error| Failure::storage(format!("{}: {error}", pointer.display())))
    }

    /// Puts the file of a world that comes from another home in its place. One that is there is
    /// replaced only when `may_replace`, or when it is the same.
    pub(crate) fn place(&self, name: &str, bytes: &[u8], may_replace: bool) -> Result<(), Failure> {
        let refused =
            |problem: &str| Failure::of(Diagnostic::error(Code::World, problem.to_owned()));
        if !is_name(name) {
            return Err(refused("the name of the world in the capsule is none"));
        }
        let path = self.path(name);
        if path.exists() && !may_replace && fs::read(&path).ok().as_deref() != Some(bytes) {
            return Err(refused(&format!("there is another world `{name}` in this home"))
                .hint("take the run over in a home of its own: --home DIR"));
        }
        create_folder(&self.folder)
            .and_then(|()| {
                self.forget_log(name)?;
                files::replace(&path, bytes)
            })
            .map_err(|error| Failure::storage(format!("{}: {error}", path.display())))
    }

    /// Removes what SQLite keeps beside the file of a world.
    fn forget_log(&self, name: &str) -> std::io::Result<()> {
        for ending in ["db-wal", "db-shm"] {
            match fs::remove_file(self.folder.join(format!("{name}.{ending}"))) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the file of a stored world looks like one, without opening it.
    pub(crate) fn look(&self, name: &str) -> Result<(), Failure> {
        const MAGIC: &[u8; 16] = b"SQLite format 3\0";
        let path = self.path(name);
        let mut found = [0_u8; 16];
        let read = fs::File::open(&path).and_then(|mut file| file.read_exact(&mut found));
        match read {
            Ok(()) if found == *MAGIC => Ok(()),
            Ok(()) => Err(Failure::of(Diagnostic::error(
                Code::World,
                format!("{} is not a world", path.display()),
            ))),
            Err(error) => Err(Failure::storage(format!("{}: {error}", path.display()))),
        }
    }

    /// Removes a stored world.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        for ending in ["db", "db-wal", "db-shm"] {
            let path = self.folder.join(format!("{name}.{ending}"));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::storage(format!("{}: {error}", path.display())));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Names of the stored worlds, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".db").map(str::to_owned))
            .collect();
        names.sort_unstable();
        names
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.db"))
    }

    fn open_file(&self, name: String, spec: &WorldSpec) -> Result<World, Failure> {
        create_folder(&self.folder)
            .map_err(|error| Failure::storage(format!("{}: {error}", self.folder.display())))?;
        let sandbox = Sandbox::open(&self.path(&name), spec, clocks::machine_date())?;
        Ok(World { name, sandbox: Arc::new(sandbox) })
    }
}

/// Whether a text can be the name of a stored world: it becomes that of a file.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.')
}

/// The contents of a world.toml; `name` is for messages.
pub(crate) fn parse_world(text: &str, name: &str) -> Result<WorldSpec, Failure> {
    WorldSpec::parse(text)
        .map_err(|error| Failure::of(Diagnostic::error(Code::World, format!("{name}: {error}"))))
}

/// Eight letters and digits that nobody can guess.
fn random_letters() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).expect("the system has a source of chance");
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}
