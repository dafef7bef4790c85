//! The crash matrix in small: a run with every mechanism is killed at every boundary and resumed.

use piton_core::gate::Verdict;
use piton_core::status::RunStatus;

use crate::support::{Boundary, Home, Killer, plain, script, start};

fn mechanisms() -> String {
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

/// Drives a run to its end through its gate, from whatever state it is in.
fn finish(home: &Home, run: &piton_core::ports::RunId) {
    for _ in 0..3 {
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

/// What a run left: things, effective calls by operation, compared entries.
fn left(home: &Home, run: &piton_core::ports::RunId) -> (Vec<String>, Vec<usize>, Vec<String>) {
    let things = home.cloud.things.lock().unwrap().keys().cloned().collect();
    let effects = ["create_role", "tag_role", "create_secret"]
        .map(|operation| home.cloud.effects(operation))
        .to_vec();
    let mut keys: Vec<String> = home
        .entries(run)
        .iter()
        .filter_map(|stored| stored.entry.key.as_ref())
        .map(|key| key.as_str().to_owned())
        .collect();
    keys.sort();
    keys.dedup();
    (things, effects, keys)
}

#[test]
fn a_run_killed_at_any_boundary_ends_as_if_nothing_had_happened() {
    let script = mechanisms();
    let calm = Home::new();
    let (calm_run, started) = calm.start(&script);
    assert_eq!(started.unwrap().end.status, RunStatus::Suspended);
    finish(&calm, &calm_run);
    let wanted = left(&calm, &calm_run);
    assert_eq!(wanted.1, [2, 1, 1]);

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
            let (run, _) = start(&home.fragile_process(&killer), &script, &[]);
            if !killer.has_killed() {
                // The rest of the boundaries lies behind the gate.
                home.decide(&run, "carol", Verdict::Approve).unwrap();
                let resumed = home.fragile_process(&killer).resume(&run, &plain());
                if !killer.has_killed() {
                    assert_eq!(resumed.unwrap().end.status, RunStatus::Succeeded);
                    break;
                }
            }
            kills += 1;
            finish(&home, &run);
            assert_eq!(left(&home, &run), wanted, "killed at {boundary:?} {count}");
        }
    }
    assert!(kills > 30, "only {kills} boundaries were found");
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
