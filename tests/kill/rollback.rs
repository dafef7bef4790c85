//! Rollbacks that are killed, and rollbacks of runs that were.

use std::collections::VecDeque;

use serde_json::Value;

use super::moments::{self, Moment, Moments};
use super::{Ending, PROCESSES, Story};
use crate::support::text;

const WORLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/pfizer_poc/world.toml");
const TWO_ACCOUNTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/cross_account/world.toml");

/// Takes the run back, however often its process is killed.
fn take_back(story: &Story, run: &str, mut moments: VecDeque<Moment>) {
    let limit = moments.len() + PROCESSES;
    for _ in 0..limit {
        match story.process(&["rollback", run], moments.front()) {
            Ending::Killed => drop(moments.pop_front()),
            Ending::Exited(0) => {
                assert!(moments.is_empty(), "{} kills came too late", moments.len());
                return;
            }
            Ending::Exited(code) => {
                panic!("the rollback ended with {code}:\n{}", story.stderr())
            }
        }
    }
    panic!("the rollback came to no end in {limit} processes:\n{}", story.stderr());
}

/// The world before anything was done in it.
fn before(story: &Story, world: &str) -> Value {
    let dump = story.env.piton(&["sandbox", "dump", "--world", world, "--json"]);
    dump.exits(0).json()["resources"].clone()
}

/// The world of the run is as it was before, nothing was done twice, and every run says that all is
/// taken back. How many calls changed something.
fn assert_taken_back(story: &Story, run: &str, before: &Value) -> usize {
    let shown = story.env.piton(&["show", run, "--json"]).exits(0).json();
    let world = text(&shown["world"]);
    let world_of = |command: &str| {
        story.env.piton(&["sandbox", command, "--world", &world, "--json"]).exits(0).json()
    };
    assert_eq!(world_of("dump")["resources"], *before);
    let changes = super::traces::assert_nothing_twice(&world_of("log"));
    let runs = story.env.piton(&["ls", "--json"]).exits(0).json();
    for row in runs.as_array().expect("a list") {
        assert_eq!(row["status"], "compensated", "{row}");
    }
    changes
}

#[test]
fn a_rollback_survives_every_kill() {
    rollback_survives("pfizer_poc", WORLD);
}

#[test]
fn a_rollback_of_two_accounts_survives_every_kill() {
    rollback_survives("cross_account", TWO_ACCOUNTS);
}

#[expect(clippy::print_stderr, reason = "a failure must be repeatable from its output")]
fn rollback_survives(runbook: &str, world: &str) {
    let seed = moments::seed();
    eprintln!("40 kills of a rollback of {runbook}, PITON_KILL_SEED={seed}");
    let calm = Story::rehearsed(&[runbook]);
    let before = before(&calm, world);
    let done = calm.tell(VecDeque::new());
    let run = calm.run().expect("the run was told");
    take_back(&calm, &run, VecDeque::new());
    assert_ne!(assert_taken_back(&calm, &run, &before), 0, "nothing was changed at all");
    let entries = moments::entries(&calm.env.home());

    let hunted = Story::rehearsed(&[runbook]);
    let from = hunted.tell(VecDeque::new());
    let run = hunted.run().expect("the run was told");
    take_back(&hunted, &run, Moments::spread_between(seed, 40, from, entries + from - done));
    assert_taken_back(&hunted, &run, &before);
}

#[test]
#[expect(clippy::print_stderr, reason = "a failure must be repeatable from its output")]
fn a_run_killed_half_way_is_taken_back_as_far_as_it_came() {
    const KILLS: usize = 8;
    let seed = moments::seed();
    eprintln!("a rollback after each of {KILLS} kills, PITON_KILL_SEED={seed}");
    let calm = Story::rehearsed(&["pfizer_poc"]);
    let before = before(&calm, WORLD);
    let entries = calm.tell(VecDeque::new());
    for moment in Moments::spread(seed, KILLS, entries) {
        let story = Story::rehearsed(&["pfizer_poc"]);
        let Some(run) = killed(&story, &moment) else { continue };
        take_back(&story, &run, VecDeque::new());
        assert_taken_back(&story, &run, &before);
    }
}

/// Drives a run until the moment kills it. Nothing when it was killed before there was a run.
fn killed(story: &Story, moment: &Moment) -> Option<String> {
    for _ in 0..PROCESSES {
        match story.drive(story.run().as_deref(), Some(moment)) {
            Ending::Killed => return story.run(),
            Ending::Exited(3) => story.decide(),
            Ending::Exited(code) => panic!("the run ended with {code}:\n{}", story.stderr()),
        }
    }
    panic!("the run was not killed:\n{}", story.stderr());
}
