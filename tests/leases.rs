//! One process drives a run: real processes that come for the same run, and one that is stopped, loses
//! its run and wakes. Nothing is timed: a door between the processes and the sandbox holds an answer
//! back until the test has what it waits for.

mod door;

use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use rusqlite::Connection;
use serde_json::Value;

use crate::clients::served::Served;
use crate::support::{Answer, TestEnv, runbook, text};
use door::{Door, Hold};

/// Who decides has to be somebody when the world is another process's.
const WORLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kill/world.toml");

/// A served world, a home in which its people are configured, and a door that holds an answer.
struct Stage {
    served: Served,
    env: TestEnv,
    door: Door,
}

impl Stage {
    /// The home's piton.toml leads through the door; `direct.toml` goes past it.
    fn new(hold: Hold) -> Self {
        let served = Served::start(Some(WORLD), "1000");
        let env = served.client();
        let door = Door::before(&served.endpoint(), hold);
        let config = env.folder().join("piton.toml");
        let direct = std::fs::read_to_string(&config).unwrap();
        std::fs::write(env.folder().join("direct.toml"), &direct).unwrap();
        std::fs::write(config, direct.replace(&served.endpoint(), &door.endpoint())).unwrap();
        Self { served, env, door }
    }

    /// Starts a run, whose process stands before a held answer when this returns.
    fn start(&self) -> Child {
        let script = runbook("kill");
        let started = self.spawn(&["run", &script, "--yes", "--json"]);
        self.door.wait_until_held();
        started
    }

    fn spawn(&self, words: &[&str]) -> Child {
        let mut command = self.env.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The only run of the home.
    fn run(&self) -> String {
        let runs = self.env.piton(&["ls", "--json"]).exits(0).json();
        assert_eq!(runs.as_array().unwrap().len(), 1);
        text(&runs[0]["run"])
    }

    /// Resumes the run past the door.
    fn resume(&self) -> Answer {
        self.env.piton(&["resume", &self.run(), "--json", "--config", "direct.toml"])
    }

    /// Calls that changed the world.
    fn effects(&self) -> Vec<Value> {
        self.served.log().into_iter().filter(|call| call["effect"] == true).collect()
    }

    /// As if the holder had last said long ago that it lives.
    fn let_the_holder_be_silent(&self) {
        let journal = Connection::open(self.env.home().join("journal.db")).unwrap();
        journal.execute("UPDATE heads SET heartbeat = heartbeat - 60000", []).unwrap();
    }
}

fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// What a process that was left going said at its end.
fn finished(child: Child) -> Answer {
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A driver is stopped in the middle of a call, another process takes its run, and it wakes.
fn wakes_after_a_takeover(hold: Hold) {
    let stage = Stage::new(hold);
    let stopped = stage.start();
    signal(&stopped, "-STOP");
    let refused = stage.resume().exits(8);
    assert!(refused.stderr.contains(&format!("process {}", stopped.id())), "{}", refused.stderr);

    stage.let_the_holder_be_silent();
    stage.resume().exits(3);
    let effects = stage.effects();
    let head = stage.env.piton(&["verify", &stage.run(), "--json"]).exits(0).json();

    let passed = stage.door.passed();
    stage.door.release();
    signal(&stopped, "-CONT");
    let woken = finished(stopped).exits(8);
    assert!(woken.stderr.contains("PT0404"), "{}", woken.stderr);
    assert_eq!(woken.end()["error"]["code"], "PT0404");
    assert_eq!(stage.door.passed(), passed, "it sent something after it woke");
    assert_eq!(stage.effects(), effects);
    let after = stage.env.piton(&["verify", &stage.run(), "--json"]).exits(0).json();
    assert_eq!(after, head, "it wrote something after it woke");
}

#[test]
fn a_stopped_driver_that_wakes_after_a_takeover_does_nothing_more() {
    wakes_after_a_takeover(Hold::Answer("Action=TagRole"));
}

/// AWS asked it to send the call again: by then that is for the other process to do.
#[test]
fn a_stopped_driver_does_not_repeat_a_throttled_call_after_a_takeover() {
    wakes_after_a_takeover(Hold::Throttle("Action=TagRole"));
}

/// So many processes come for a run whose driver was killed: one gets it, the others say who.
fn comes_for_a_run(count: usize) {
    let stage = Stage::new(Hold::Answer("Action=CreateUser"));
    let mut killed = stage.start();
    killed.kill().unwrap();
    killed.wait().unwrap();
    stage.door.release();
    stage.door.hold();
    let run = stage.run();

    let (sender, ends) = mpsc::channel();
    let mut processes = Vec::new();
    for _ in 0..count {
        let child = stage.spawn(&["resume", &run, "--json"]);
        processes.push(child.id());
        let sender = sender.clone();
        std::thread::spawn(move || {
            let id = child.id();
            // Nobody listens any more when the test has failed.
            drop(sender.send((id, finished(child))));
        });
    }
    stage.door.wait_until_held();
    let refused: Vec<(u32, Answer)> = ends.iter().take(count - 1).collect();
    let gone: Vec<u32> = refused.iter().map(|(id, _)| *id).collect();
    let driving: Vec<&u32> = processes.iter().filter(|id| !gone.contains(id)).collect();
    let [driver] = driving[..] else { panic!("{driving:?} drive the run") };
    for (_, answer) in refused {
        let answer = answer.exits(8);
        let end = answer.end();
        assert_eq!((&end["status"], &end["error"]["code"]), (&"refused".into(), &"PT0403".into()));
        let message = text(&end["error"]["message"]);
        assert!(message.contains(&format!("is driven by process {driver} on ")), "{message}");
        assert!(message.contains(" since "), "{message}");
        assert!(answer.stderr.contains(&format!("piton watch {run}")), "{}", answer.stderr);
        assert!(answer.stderr.contains(&format!("kill -INT {driver}")), "{}", answer.stderr);
    }
    stage.door.release();
    let (id, answer) = ends.recv().unwrap();
    assert_eq!(id, *driver);
    answer.exits(3);
    let made = stage.effects().into_iter().filter(|call| call["operation"] == "CreateUser");
    assert_eq!(made.count(), 3, "each user is made once");
}

#[test]
fn of_two_processes_one_drives() {
    comes_for_a_run(2);
}

#[test]
fn of_ten_processes_one_drives() {
    comes_for_a_run(10);
}

#[test]
fn of_fifty_processes_one_drives() {
    comes_for_a_run(50);
}
