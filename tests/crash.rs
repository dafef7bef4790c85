//! The crash matrix: runs that are crashed at every commit and at every call, in all five ways, and
//! have to come to the same end; the packaged runbooks, and one small one for each mechanism.
//!
//! Everything is asked of `piton rehearse`, which is what an author gets too. The counts are printed:
//! a matrix that tried nothing would pass as well.

use serde_json::Value;

use crate::support::{TestEnv, runbook};

/// What one rehearsal has to come to.
struct Wanted {
    /// Crashes at least: fewer would mean that boundaries are not seen.
    crashes: u64,
    /// Doubts that only a person can settle.
    put_to_a_person: u64,
}

/// Rehearses, and gives the counts.
#[track_caller]
#[expect(clippy::print_stderr, reason = "the counts are what a reader looks for")]
fn rehearse(what: &str, arguments: &[&str], wanted: &Wanted) -> Value {
    let env = TestEnv::new();
    let mut words = vec!["rehearse", what, "--json"];
    words.extend(arguments);
    let answer = env.piton(&words);
    let end = answer.exits(0).end();
    let count = |name: &str| end[name].as_u64().unwrap();
    eprintln!(
        "{what} {arguments:?}: {} boundaries, {} crashes, {} states, {} resumes, {} to the end, {} crashed \
         again, {} put to a person, {} ms",
        count("boundaries"),
        count("crashes"),
        count("states"),
        count("resumes"),
        count("to_the_end"),
        count("crashed_again"),
        count("put_to_a_person"),
        count("took_ms"),
    );
    assert_eq!(count("differences"), 0);
    assert_eq!(count("put_to_a_person"), wanted.put_to_a_person);
    assert!(count("crashes") >= wanted.crashes, "only {} crashes", count("crashes"));
    assert!(count("states") > 0 && count("resumes") == count("states"));
    assert_eq!(count("cut_short") + count("to_the_end"), count("resumes"));
    assert!(count("to_the_end") > 0, "no resume went to the end");
    end
}

/// One of the small runbooks, each resume driven to its end.
#[track_caller]
fn mechanism(name: &str, arguments: &[&str], crashes: u64) {
    let script = runbook(name);
    let mut words = vec!["--whole", "--twice"];
    words.extend(arguments);
    let end = rehearse(&script, &words, &Wanted { crashes, put_to_a_person: 0 });
    assert!(end["crashed_again"].as_u64() > Some(0), "no resumed process was crashed");
}

#[test]
fn the_packaged_runbook_of_one_account() {
    rehearse("pfizer_poc", &[], &Wanted { crashes: 800, put_to_a_person: 0 });
}

/// The process that resumes dies as well.
#[test]
fn the_packaged_runbook_of_one_account_crashed_twice() {
    let arguments = ["--twice", "--crash", "sample:60"];
    let end = rehearse("pfizer_poc", &arguments, &Wanted { crashes: 60, put_to_a_person: 0 });
    assert!(end["crashed_again"].as_u64() > Some(100), "{end}");
}

#[test]
fn the_packaged_runbook_of_two_accounts() {
    // CloudTrail tells of the calls that were made again: a section of the report that may differ.
    let arguments = ["-p", "monitoring=false"];
    rehearse("cross_account", &arguments, &Wanted { crashes: 1000, put_to_a_person: 0 });
}

#[test]
fn rollbacks_of_the_packaged_runbooks() {
    rehearse("pfizer_poc", &["--rollback"], &Wanted { crashes: 300, put_to_a_person: 0 });
    let arguments = ["-p", "monitoring=false", "--rollback"];
    rehearse("cross_account", &arguments, &Wanted { crashes: 500, put_to_a_person: 0 });
}

#[test]
fn branches() {
    mechanism("branches", &[], 40);
}

#[test]
fn children_and_locks() {
    mechanism("calling", &[], 20);
}

#[test]
fn waits() {
    mechanism("crash/waits", &[], 40);
}

#[test]
fn gates() {
    mechanism("crash/gates", &["--reject", "refused"], 50);
}

#[test]
fn compensations() {
    mechanism("crash/undoing", &[], 40);
    mechanism("crash/undoing", &["--rollback"], 40);
}

#[test]
fn rollbacks_of_children_and_branches() {
    mechanism("calling", &["--rollback"], 16);
    mechanism("branches", &["--rollback"], 45);
}

#[test]
fn queries() {
    mechanism("crash/asking", &[], 30);
}

#[test]
fn every_class_of_call() {
    mechanism("kill", &[], 150);
}

#[test]
fn what_nobody_can_look_up_is_put_to_a_person_and_goes_on() {
    let wanted = Wanted { crashes: 12, put_to_a_person: 2 };
    rehearse(&runbook("doubtful"), &["--whole", "--twice"], &wanted);
}

#[test]
fn what_is_cut_short_comes_to_the_end_that_it_is_said_to_come_to() {
    let script = runbook("kill");
    let wanted = || Wanted { crashes: 150, put_to_a_person: 0 };
    let short = rehearse(&script, &[], &wanted());
    let whole = rehearse(&script, &["--whole"], &wanted());
    assert!(short["cut_short"].as_u64() > Some(0));
    assert_eq!(whole["cut_short"], 0);
    for count in ["boundaries", "crashes", "states", "differences"] {
        assert_eq!(short[count], whole[count], "{count}");
    }
}
