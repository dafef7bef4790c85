//! What every command has: the home, the form of output, the runtime, and how to spell commands.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;

use piton_aws::Accounts;
use piton_core::ports::Journal;
use tokio::runtime::Runtime;

use crate::args::Global;
use crate::console;
use crate::failure::Failure;
use crate::home::Home;

/// The surroundings of one command.
pub(crate) struct Context {
    /// `--home`, as it was given.
    home: Option<PathBuf>,
    /// `--config`, as it was given.
    config: Option<PathBuf>,
    /// `--network-home`.
    network_home: bool,
    /// Output for programs.
    pub(crate) json: bool,
    runtime: OnceCell<Runtime>,
    journal: OnceCell<Arc<dyn Journal>>,
}

impl Context {
    /// The context of a command line.
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            home: global.home.clone(),
            config: global.config.clone(),
            network_home: global.network_home,
            json: global.json,
            runtime: OnceCell::new(),
            journal: OnceCell::new(),
        }
    }

    /// The home folder.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Home::locate(self.home.as_deref(), self.network_home)
    }

    /// The journal of the home.
    pub(crate) fn journal(&self) -> Result<Arc<dyn Journal>, Failure> {
        if let Some(journal) = self.journal.get() {
            return Ok(Arc::clone(journal));
        }
        let journal = self.home()?.journal()?;
        Ok(Arc::clone(self.journal.get_or_init(|| journal)))
    }

    /// The accounts of the piton.toml that was given, else of the nearest one.
    pub(crate) fn accounts(&self) -> Result<Accounts, Failure> {
        match &self.config {
            Some(path) => Ok(Accounts::read(path)?),
            None => {
                let folder = std::env::current_dir().map_err(|error| {
                    Failure::storage(format!("the working directory cannot be found: {error}"))
                })?;
                Ok(Accounts::find(&folder)?)
            }
        }
    }

    /// The runtime that AWS calls and servers run on.
    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("the system has threads to give")
        })
    }

    /// A complete command line that works as it is: with the home and configuration of this command.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let mut line: Vec<String> = vec!["piton".to_owned()];
        line.extend(words.iter().map(|word| console::shell_word(word)));
        for (flag, path) in [("--home", &self.home), ("--config", &self.config)] {
            if let Some(path) = path {
                line.push(flag.to_owned());
                line.push(console::shell_word(&path.to_string_lossy()));
            }
        }
        if self.network_home {
            line.push("--network-home".to_owned());
        }
        line.join(" ")
    }
}
