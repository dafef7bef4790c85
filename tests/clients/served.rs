//! A sandbox that is served by a process of its own, and the settings that lead clients to it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{TestEnv, text};

/// `piton sandbox serve`, until this is dropped.
pub(crate) struct Served {
    process: Child,
    env: TestEnv,
    /// `{endpoint, people}`, as it was announced.
    pub(crate) announced: Value,
}

impl Served {
    /// Serves a world, the built-in one if none is named, with a clock that is `speed` times as fast.
    pub(crate) fn start(world: Option<&str>, speed: &str) -> Self {
        Self::of(TestEnv::new(), world, speed)
    }

    /// The same with a home in which worlds are stored already; the last one used if none is named.
    pub(crate) fn of(env: TestEnv, world: Option<&str>, speed: &str) -> Self {
        let mut words = vec!["sandbox", "serve", "--json", "--port", "0", "--speed", speed];
        words.extend(world.iter().flat_map(|world| ["--world", *world]));
        let mut process =
            env.command(&words).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let announced = serde_json::from_str(&first)
            .unwrap_or_else(|error| panic!("the first line is a document: {error}: {first}"));
        Self { process, env, announced }
    }

    pub(crate) fn endpoint(&self) -> String {
        text(&self.announced["endpoint"])
    }

    /// The surroundings of the serving process.
    pub(crate) fn env(&self) -> &TestEnv {
        &self.env
    }

    /// The key of a person.
    pub(crate) fn key(&self, alias: &str) -> String {
        let person = self.people().iter().find(|person| person["alias"] == alias);
        text(&person.expect("a person of the world")["access_key_id"])
    }

    pub(crate) fn people(&self) -> &[Value] {
        self.announced["people"].as_array().expect("a list of people")
    }

    /// What the served world was asked.
    pub(crate) fn log(&self) -> Vec<Value> {
        let log = self.env.piton(&["sandbox", "log", "--json"]).exits(0).json();
        log.as_array().expect("a list of calls").clone()
    }

    /// A working directory in which the aliases of a runbook are the people of the served world: a
    /// piton.toml with endpoint and profiles, and the profiles where the AWS programs keep them.
    pub(crate) fn client(&self) -> TestEnv {
        let env = TestEnv::new();
        let endpoint = self.endpoint();
        let mut accounts =
            format!("[accounts.default]\nprofile = \"admin\"\nendpoint_url = \"{endpoint}\"\n");
        let (mut keys, mut config) = (String::new(), String::new());
        for person in self.people() {
            let member = |name: &str| text(&person[name]);
            let alias = member("alias");
            write!(
                accounts,
                "[accounts.{alias}]\nprofile = \"{alias}\"\nendpoint_url = \"{endpoint}\"\n"
            )
            .unwrap();
            let (id, secret) = (member("access_key_id"), member("secret_access_key"));
            write!(keys, "[{alias}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
                .unwrap();
            write!(config, "[profile {alias}]\nregion = {}\n", member("region")).unwrap();
        }
        let profiles = env.folder().join(".aws");
        fs::create_dir(&profiles).unwrap();
        fs::write(env.folder().join("piton.toml"), accounts).unwrap();
        fs::write(profiles.join("credentials"), keys).unwrap();
        fs::write(profiles.join("config"), config).unwrap();
        env
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
