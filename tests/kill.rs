//! Real kills: the binary is killed with SIGKILL over and over, resumed, and has to end where an
//! uninterrupted run ends, with nothing done twice.
//!
//! The crash points inside the engine have their own tests; here nothing is simulated. A kill comes a
//! seeded moment after the journal has reached a certain length, so that it falls between any two
//! instructions. `PITON_KILL_SEED` repeats a series of moments.

mod moments;
mod rollback;
mod traces;

use std::collections::VecDeque;
use std::fs::File;
use std::process::Stdio;

use piton_runner::rehearsal::comparison::Order;

use crate::clients::served::Served;
use crate::support::{TestEnv, runbook, text};
use moments::{Moment, Moments};
use traces::Traces;

/// A run never needs more processes than this beyond those that were killed.
const PROCESSES: usize = 20;

/// Who decides has to be somebody when the world is another process's.
const WORLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kill/world.toml");

#[test]
fn thirty_changes_survive_every_kill() {
    let script = runbook("kill");
    survives(40, Order::Same, || Story::rehearsed(&[&script]));
}

/// Here a call that was sent goes on in the other process when its sender dies.
#[test]
fn thirty_changes_over_http_survive_every_kill() {
    let script = runbook("kill");
    survives(20, Order::Same, || Story::served(&[&script, "-p", "every=1s", "-p", "pause=1s"]));
}

#[test]
fn the_packaged_runbook_survives_every_kill() {
    survives(40, Order::Same, || Story::rehearsed(&["pfizer_poc"]));
}

#[test]
fn two_accounts_and_their_branches_survive_every_kill() {
    // CloudTrail tells of the calls that were sent again, so that part of the report may differ.
    survives(40, Order::Branches, || {
        Story::rehearsed(&["cross_account", "-p", "monitoring=false"])
    });
}

/// One series of kills on a runbook.
#[expect(clippy::print_stderr, reason = "a failure must be repeatable from its output")]
fn survives(kills: usize, order: Order, begin: impl Fn() -> Story) {
    let seed = moments::seed();
    let calm = begin();
    eprintln!("{:?}: {kills} kills, PITON_KILL_SEED={seed}", calm.start);
    let entries = calm.tell(VecDeque::new());
    let expected = calm.traces();
    expected.assert_nothing_twice();

    let hunted = begin();
    hunted.tell(Moments::spread(seed, kills, entries));
    let actual = hunted.traces();
    actual.assert_nothing_twice();
    expected.assert_same_end(&actual, order);
}

/// One run from its start to its end, whatever happens to its processes.
struct Story {
    env: TestEnv,
    start: Vec<String>,
    /// The process that has the world; without one, the world is in the run's own process.
    served: Option<Served>,
}

/// How one process ended.
enum Ending {
    Killed,
    Exited(i32),
}

impl Story {
    fn rehearsed(arguments: &[&str]) -> Self {
        let start = ["run", "--sandbox"].iter().chain(arguments);
        let start = start.map(|word| (*word).to_owned()).collect();
        Self { env: TestEnv::new(), start, served: None }
    }

    fn served(arguments: &[&str]) -> Self {
        let served = Served::start(Some(WORLD), "1000");
        let start = ["run", "--yes"].iter().chain(arguments);
        let start = start.map(|word| (*word).to_owned()).collect();
        Self { env: served.client(), start, served: Some(served) }
    }

    /// Drives the run to its end and gives the length of its journal. Each moment kills one process.
    fn tell(&self, mut moments: VecDeque<Moment>) -> usize {
        let limit = moments.len() + PROCESSES;
        for _ in 0..limit {
            let run = self.run();
            let ending = self.drive(run.as_deref(), moments.front());
            match ending {
                Ending::Killed => drop(moments.pop_front()),
                Ending::Exited(0) => {
                    assert!(moments.is_empty(), "{} kills came too late", moments.len());
                    return moments::entries(&self.env.home());
                }
                Ending::Exited(3) => self.decide(),
                Ending::Exited(code) => {
                    panic!("the run ended with {code}:\n{}", self.stderr())
                }
            }
        }
        panic!("the run came to no end in {limit} processes:\n{}", self.stderr());
    }

    /// Starts or resumes the run, and kills the process at the moment unless it ends before.
    fn drive(&self, run: Option<&str>, moment: Option<&Moment>) -> Ending {
        let words: Vec<&str> = match run {
            Some(run) => vec!["resume", run],
            None => self.start.iter().map(String::as_str).collect(),
        };
        self.process(&words, moment)
    }

    /// One process, killed at the moment unless it ends before.
    fn process(&self, words: &[&str], moment: Option<&Moment>) -> Ending {
        let mut command = self.env.command(words);
        let stderr = File::create(self.env.folder().join("stderr")).unwrap();
        let mut child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        if let Some(moment) = moment
            && moment.comes(&self.env.home(), &mut child)
        {
            child.kill().unwrap();
            // A process that had ended already was not killed.
            match child.wait().unwrap().code() {
                None => return Ending::Killed,
                Some(code) => return Ending::Exited(code),
            }
        }
        Ending::Exited(child.wait().unwrap().code().expect("nobody else kills it"))
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.env.folder().join("stderr")).unwrap_or_default()
    }

    /// The run, once there is one.
    fn run(&self) -> Option<String> {
        let runs = self.env.piton(&["ls", "--json"]).exits(0).json();
        let runs = runs.as_array().expect("a list");
        assert!(runs.len() <= 1, "one run was started, and there are {}", runs.len());
        runs.first().map(|run| text(&run["run"]))
    }

    /// Approves every open gate with the command that the inbox gives for it.
    fn decide(&self) {
        let open = self.env.piton(&["inbox", "--json"]).exits(0).json();
        let open = open.as_array().expect("a list");
        assert!(!open.is_empty(), "suspended without an open gate:\n{}", self.stderr());
        for gate in open {
            self.env.shell(&text(&gate["approve_with"])).exits(0);
        }
    }

    fn traces(&self) -> Traces {
        let run = self.run().expect("the run was told");
        let world = self.served.as_ref().map_or(&self.env, Served::env);
        Traces {
            shown: self.env.piton(&["show", &run, "--json"]).exits(0).json(),
            dump: world.piton(&["sandbox", "dump", "--json"]).exits(0).json(),
            log: world.piton(&["sandbox", "log", "--json"]).exits(0).json(),
        }
    }
}
