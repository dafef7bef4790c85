//! The crash matrix in small: a run with every mechanism is killed at every boundary and resumed.

use piton_core::gate::Verdict;
use piton_core::status::RunStatus;

use crate::support::{Boundary, Home, Killer, plain, script, start};

pub(crate) fn mechanisms() -> String {
    script(
        r##"
        let admin = aws("admin");
        let started = now();
        let id = uuid();
        let role = step("role", || {
            let made = admin.iam.create_role(#{ RoleName: "R", AssumeRolePolicyDocument: "{}" });
            undo(|| admin.iam.delete_role(#{ RoleName: "R" }));
            admin.iam.tag_role(#{ RoleName: "R", Tags: [#{ Key: "k", Value: "v" }] });
            made.Role.Arn
        });
        note(`made ${role}`);
        step("secret", || {
            admin.secretsmanager.create_secret(#{ Name: "s", SecretString: "hunter2hunter2" });
            wait_until("ready", || admin.secretsmanager.describe_secret(#{ SecretId: "s" }),
                #{ path: "Name", ok: ["ready"], every: "10s", give_up: "10m" });
        });
        let found = retry("users", || admin.iam.list_users(), #{ on: ["NotYet"], every: "5s", give_up: "1m" });
        let answer = approve("publish", #{ show: #{ role: role }, from: ["carol"] });
        sleep("1h");
        admin.iam.create_role(#{ RoleName: "R2", AssumeRolePolicyDocument: "{}" });
        output("by", answer.by);
        "##,
    )
}

/// Every mechanism that branches add, with a failure that is caught and gates in two of them.
fn branches() -> String {
    script(
        r##"
        let admin = aws("admin");
        fn role(name) {
            aws("admin").iam.create_role(#{ RoleName: name, AssumeRolePolicyDocument: "{}" })
        }
        let done = step("publish", || parallel(#{
            glue: || {
                let made = step("role", || {
                    let made = role("G1");
                    undo(|| admin.iam.delete_role(#{ RoleName: "G1" }));
                    made
                });
                approve("accept", #{ show: made.Role.Arn, from: ["carol"] });
                sleep("1h");
                role("G2").Role.RoleName
            },
            redshift: || {
                admin.secretsmanager.create_secret(#{ Name: "s", SecretString: "hunter2hunter2" });
                wait_until("ready", || admin.secretsmanager.describe_secret(#{ SecretId: "s" }),
                    #{ path: "Name", ok: ["ready"], every: "10s", give_up: "10m" });
                approve("accept", #{ show: uuid(), from: ["carol"] });
                note("accepted");
                role("R1").Role.RoleName
            },
        }));
        let rows = parallel_map(["a", "b", "c"], |name| {
            let first = retry("first", || role(name), #{ on: ["NotYet"], every: "5s", give_up: "1m" });
            ensure(name != "b", "b is not wanted");
            parallel(#{ left: || role(name + "l"), right: || role(name + "r") }).len()
        }, #{ tolerate: 1, max: 2, ramp: true });
        try {
            parallel(#{
                bad: || { admin.iam.list_users(); fail("no") },
                good: || { sleep("1m"); role("never") },
            });
        } catch (e) { note(e.message); }
        admin.iam.tag_role(#{ RoleName: "G1", Tags: [#{ Key: "k", Value: "v" }] });
        output("rows", rows.map(|row| row.state));
        "##,
    )
}

/// Drives a run to its end through its gates, from whatever state it is in.
fn finish(home: &Home, run: &piton_core::ports::RunId) {
    for _ in 0..4 {
        let driven = home.resume(run);
        match driven.end.status {
            RunStatus::Succeeded => return,
            RunStatus::Suspended => {
                home.decide(run, "carol", Verdict::Approve).unwrap();
            }
            other => panic!("the run is {other}: {:?}", driven.end.error),
        }
    }
    panic!("the run does not end");
}

/// What a run left: things, effective calls by operation, entries. How far a branch came before it
/// was stopped is a matter of timing.
fn left(home: &Home, run: &piton_core::ports::RunId) -> (Vec<String>, Vec<usize>, Vec<String>) {
    let things = home.cloud.things.lock().unwrap().keys().cloned().collect();
    let effects = ["create_role", "tag_role", "create_secret"]
        .map(|operation| home.cloud.effects(operation))
        .to_vec();
    let mut keys: Vec<String> = home
        .entries(run)
        .iter()
        .filter_map(|stored| stored.entry.key.as_ref())
        .filter(|key| !key.as_str().starts_with("[good][2]"))
        .map(|key| key.as_str().to_owned())
        .collect();
    keys.sort();
    keys.dedup();
    (things, effects, keys)
}

#[test]
fn a_run_killed_at_any_boundary_ends_as_if_nothing_had_happened() {
    let kills = killed_everywhere(&mechanisms(), [2, 1, 1]);
    assert!(kills > 30, "only {kills} boundaries were found");
}

#[test]
fn a_run_with_branches_killed_at_any_boundary_ends_as_if_nothing_had_happened() {
    let kills = killed_everywhere(&branches(), [10, 1, 1]);
    assert!(kills > 60, "only {kills} boundaries were found");
}

/// Kills a run at every boundary and drives it to its end; says how many boundaries there were.
fn killed_everywhere(script: &str, effects: [usize; 3]) -> usize {
    let calm = Home::new();
    let (calm_run, started) = calm.start(script);
    assert_eq!(started.unwrap().end.status, RunStatus::Suspended);
    finish(&calm, &calm_run);
    let wanted = left(&calm, &calm_run);
    assert_eq!(wanted.1, effects);

    let mut kills = 0;
    for boundary in [
        Boundary::BeforeAppend,
        Boundary::AfterAppend,
        Boundary::BeforeEffect,
        Boundary::AfterEffect,
    ] {
        for count in 0.. {
            let home = Home::new();
            let killer = Killer::at(boundary, count);
            let (run, started) = start(&home.fragile_process(&killer), script, &[]);
            let mut status = started.map(|driven| driven.end.status);
            // The rest of the boundaries lies behind the gates.
            while !killer.has_killed() && matches!(status, Ok(RunStatus::Suspended)) {
                home.decide(&run, "carol", Verdict::Approve).unwrap();
                let resumed = home.fragile_process(&killer).resume(&run, &plain());
                status = resumed.map(|driven| driven.end.status);
            }
            if !killer.has_killed() {
                assert_eq!(status.unwrap(), RunStatus::Succeeded);
                break;
            }
            kills += 1;
            finish(&home, &run);
            assert_eq!(left(&home, &run), wanted, "killed at {boundary:?} {count}");
        }
    }
    kills
}

#[test]
fn a_second_process_is_refused_while_the_first_drives() {
    let home = Home::new();
    let (run, _) = home.start(&script("approve(\"wait\", #{ from: [\"carol\"] });"));
    let journal = home.process().ports.journal;
    let holder = home.process().holder;
    let lease = journal.acquire(&run, &holder).unwrap();
    let refused = home.process().resume(&run, &plain()).unwrap_err();
    assert_eq!(refused.exit_code(), 8, "{refused}");
    drop(lease);
    assert_eq!(home.resume(&run).end.status, RunStatus::Suspended);
}
