//! Writes the frozen journals of the present format: see [`crate::frozen`].
//!
//! `PITON_BLESS=1 cargo test --release -p piton-runner --test drive freezing -- --ignored` does it,
//! as long as the format was not released; then its folder stays as it is.

use std::fs;

use piton_core::canonical::Digest;
use piton_core::diagnostic::Code;
use piton_core::entry::Settlement;
use piton_core::gate::Verdict;
use piton_core::ports::{ProgramFile, RunId};
use piton_core::status::RunStatus;
use piton_core::time::Span;
use piton_journal::SqliteJournal;
use piton_runner::edit::Edit;
use piton_runner::transfer::Mover;
use piton_runner::{Driven, Engine, Options, Resume, Start, TakeBack};
use piton_script::Program;
use piton_script::params::{self, Given};
use serde_json::{Value, json};

use crate::frozen::{CASES, FORMATS, folder, named, settle};
use crate::support::{Boundary, Home, Killer, Trouble, options, person, plain, script};

/// Waits of more than a second suspend.
fn impatient() -> Options {
    Options { wait_limit: Some(Span::from_secs(1)), ..options() }
}

fn program(files: Vec<ProgramFile>) -> Program {
    Program::from_files("frozen", files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn one_file(text: String) -> Vec<ProgramFile> {
    vec![ProgramFile { path: "frozen.rhai".to_owned(), text }]
}

/// An id that follows from a name.
pub(crate) fn id(name: &str) -> RunId {
    RunId(Digest::of(name.as_bytes()).to_string()[..12].to_owned())
}

/// Starts a run of a name.
fn begin(
    engine: &Engine,
    name: &str,
    files: Vec<ProgramFile>,
    given: &[(&str, Value)],
    options: Options,
) -> (RunId, Driven) {
    let program = program(files);
    let given: Vec<(String, Given)> = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Given::Value(value.clone())))
        .collect();
    let params = params::bind(program.declaration(), &given, true).unwrap();
    let run = id(name);
    let driven = engine
        .start(Start {
            run: run.clone(),
            program,
            source: Some("frozen.rhai".to_owned()),
            params,
            name: Some(name.to_owned()),
            labels: vec![("team".to_owned(), "data".to_owned())],
            world: Some("memory".to_owned()),
            requester: Some(person("admin")),
            options,
        })
        .unwrap();
    (run, driven)
}

/// Starts a run with a script of its own.
fn run(home: &Home, name: &str, body: &str) -> (RunId, Driven) {
    begin(&home.process(), name, one_file(script(body)), &[], impatient())
}

fn resume(home: &Home, run: &RunId) -> Driven {
    home.process().resume(run, &Resume { options: impatient(), ..plain() }).unwrap()
}

/// A script that makes a role, does something, and makes another role after a gate.
fn around_gate(name: &str, between: &str) -> String {
    format!(
        r##"
        fn role(name) {{
            aws("admin").iam.create_role(#{{ RoleName: name, AssumeRolePolicyDocument: "{{}}" }})
        }}
        step("before", || role("{name}-1"));
        {between}
        let answer = approve("go", #{{ show: #{{ what: "{name}" }}, from: ["carol"] }});
        role("{name}-2");
        output("by", answer.by);
        "##
    )
}

fn gates(home: &Home) {
    let between = r##"
        undo(|| aws("admin").iam.delete_role(#{ RoleName: "gate-1" }));
        note(`drawn ${uuid()} at ${now()}`);
        output("made", "gate-1");
        artifact("made.txt", "gate-1");
        aws("admin").iam.tag_role(#{ RoleName: "gate-1", Tags: [#{ Key: "k", Value: "v" }] });
        let users = retry("users", || aws("admin").iam.list_users(), #{ on: ["NotYet"], every: "5s", give_up: "1m" });
    "##;
    run(home, "gate", &around_gate("gate", between));
    let (answered, _) = run(home, "answered", &around_gate("answered", ""));
    home.decide(&answered, "carol", Verdict::Approve).unwrap();
    let (rejected, _) = run(home, "rejected", &around_gate("rejected", ""));
    home.decide(&rejected, "carol", Verdict::Reject).unwrap();
    resume(home, &rejected);
    let (cancelled, _) = run(home, "cancelled", &around_gate("cancelled", ""));
    let why = Some("no longer wanted".to_owned());
    home.process().cancel(&cancelled, Some("carol".to_owned()), why).unwrap();
    let (done, _) = run(home, "succeeded", &around_gate("succeeded", ""));
    home.decide(&done, "carol", Verdict::Approve).unwrap();
    resume(home, &done);
    let large = "let text = \"\"; for i in 0..4000 { text += `line ${i};`; } note(text); output(\"lines\", text.split(\";\"));";
    run(home, "large", &format!("{large} approve(\"go\", #{{ from: [\"carol\"] }});"));
    run(home, "lock", "lock(\"table\"); approve(\"go\", #{ from: [\"carol\"] });");
}

fn waits(home: &Home) {
    let role = "aws(\"admin\").iam.create_role(#{ RoleName: \"waited\", AssumeRolePolicyDocument: \"{}\" });";
    let wait = "wait_until(\"ready\", || aws(\"admin\").secretsmanager.describe_secret(#{ SecretId: \"s\" }), #{ path: \"Name\", ok: [\"ready\"], every: \"10s\", give_up: \"10m\" });";
    run(home, "waiting", &format!("sleep(\"1s\"); {wait} {role}"));
    run(home, "asleep", &format!("sleep(\"14d\"); {}", role.replace("waited", "slept")));
    home.cloud.trouble("create_role", Trouble::Expire);
    run(home, "credentials", &role.replace("waited", "renewed"));
}

fn doubts(home: &Home) {
    let key = "let key = aws(\"admin\").iam.create_access_key(#{ UserName: \"u\" });";
    home.cloud.trouble("create_access_key", Trouble::LoseReply);
    run(home, "unsafe doubt", &format!("{key} {}", role("doubted")));
    let killed = |name: &str, body: &str| {
        let engine = home.fragile_process(&Killer::at(Boundary::AfterEffect, 0));
        begin(&engine, name, one_file(script(body)), &[], impatient());
    };
    let secret = "aws(\"admin\").secretsmanager.create_secret(#{ Name: \"token\", SecretString: \"hunter2hunter2\" });";
    killed("token doubt", secret);
    killed("found doubt", &role("found"));

    // One of each way to settle: by the engine, then by a person.
    let body = format!(
        "{} {} {key} {key} {key} {}",
        role("settled-0"),
        secret.replace("token", "settled"),
        around_gate("settled", "")
    );
    for operation in ["create_role", "create_secret", "create_access_key"] {
        home.cloud.trouble(operation, Trouble::LoseReply);
    }
    let (settled, driven) = run(home, "settled", &body);
    assert_eq!(driven.end.status, RunStatus::Stuck);
    let output = json!({ "AccessKey": { "AccessKeyId": "AKIA1", "Status": "Active" } });
    for how in [Settlement::Adopt { output }, Settlement::Retry, Settlement::Skip] {
        settle(home, &settled, how);
        let is_last = {
            if home.cloud.trouble.lock().unwrap()["create_access_key"].is_empty() {
                home.cloud.trouble("create_access_key", Trouble::LoseReply);
            }
            resume(home, &settled).end.status
        };
        assert!(matches!(is_last, RunStatus::Stuck | RunStatus::Suspended), "{is_last}");
    }
    home.cloud.trouble.lock().unwrap().clear();
    if home.process().ports.journal.find(&settled.0).unwrap().status() == RunStatus::Stuck {
        settle(home, &settled, Settlement::Skip);
        resume(home, &settled);
    }
}

fn role(name: &str) -> String {
    format!(
        "aws(\"admin\").iam.create_role(#{{ RoleName: \"{name}\", AssumeRolePolicyDocument: \"{{}}\" }});"
    )
}

fn branches(home: &Home) {
    let body = r##"
        fn role(name) {
            aws("admin").iam.create_role(#{ RoleName: name, AssumeRolePolicyDocument: "{}" })
        }
        let rows = parallel_map(["a", "b"], |name| { ensure(name != "b", "no"); role("map-" + name) }, #{ tolerate: 1 });
        try {
            parallel(#{
                bad: || { aws("admin").iam.list_users(); fail("no") },
                good: || { approve("never", #{ from: ["carol"] }); },
            });
        } catch (e) { note(e.message); }
        parallel(#{
            left: || { role("left-1"); approve("go", #{ from: ["carol"] }); role("left-2") },
            right: || { sleep("1s"); role("right") },
        });
    "##;
    begin(&home.process(), "branches", one_file(script(body)), &[], options());
    let child = r##"
        runbook(#{ title: "child", accounts: #{ owner: #{ doc: "o" } }, params: #{ name: #{ type: "string" } } });
        fn role(name) { aws("owner").iam.create_role(#{ RoleName: name, AssumeRolePolicyDocument: "{}" }) }
        role(params.name + "-1");
        if params.name == "second" { approve("agree", #{ from: ["carol"] }); role(params.name + "-2"); }
        output("made", params.name);
    "##;
    let parent = script(
        "for name in [\"first\", \"second\"] { call_runbook(\"./child.rhai\", #{ name: name }, #{ accounts: #{ owner: \"admin\" } }); }",
    );
    let file =
        |path: &str, text: &str| ProgramFile { path: path.to_owned(), text: text.to_owned() };
    let files = vec![file("frozen.rhai", &parent), file("call(./child.rhai)/child.rhai", child)];
    begin(&home.process(), "child", files, &[], impatient());
}

fn failures(home: &Home) {
    home.cloud.trouble("create_role", Trouble::Refuse("LimitExceeded"));
    run(home, "failed", &format!("note(\"before\"); {}", role("again")));
    home.cloud.trouble("create_role", Trouble::Refuse("LimitExceeded"));
    let (retried, driven) = run(home, "retried", &around_gate("retried", ""));
    assert_eq!(driven.end.status, RunStatus::Failed);
    home.process().resume(&retried, &Resume { retry: true, ..plain() }).unwrap();
}

fn taken_back(home: &Home) {
    let take_back = |engine: &Engine, source: &RunId| {
        engine.rollback(&TakeBack {
            source: source.clone(),
            run: id(&format!("back {source}")),
            requester: Some(person("admin")),
            labels: Vec::new(),
            options: options(),
        })
    };
    run(home, "to take back", &role("tt"));
    let (whole, _) = run(home, "taken back", &role("tw"));
    take_back(&home.process(), &whole).unwrap();
    let (half, _) = run(home, "half taken back", &role("th"));
    let killer = Killer::at(Boundary::BeforeEffect, 1);
    drop(take_back(&home.fragile_process(&killer), &half));
    assert!(killer.has_killed());
}

fn secrets(home: &Home) {
    let text = r##"
        runbook(#{ title: "secrets", accounts: #{ admin: #{ doc: "a" }, carol: #{ doc: "c" } },
            params: #{ token: #{ type: "secret", doc: "t" } } });
        let sm = aws("admin").secretsmanager;
        let drawn = random_password(#{ length: 24 });
        sm.create_secret(#{ Name: "given", SecretString: params.token });
        sm.create_secret(#{ Name: "drawn", SecretString: drawn });
        approve("go", #{ from: ["carol"], show: #{ token: params.token } });
        sm.create_secret(#{ Name: "given-again", SecretString: params.token });
        sm.create_secret(#{ Name: "drawn-again", SecretString: drawn });
    "##;
    let given = [("token", json!("frozen-secret-1"))];
    begin(&home.process(), "secrets", one_file(text.to_owned()), &given, impatient());
}

/// Runs that go on by another script, in another home, as somebody else.
fn changed(home: &Home) {
    // The edited script leaves a step out.
    let extra = "step(\"extra\", || aws(\"admin\").iam.list_users());";
    let (edited, _) = run(home, "edited", &around_gate("edited", extra));
    let other = script(&around_gate("edited", "").replace("edited-2", "edited-3"));
    let edit = Edit {
        program: program(one_file(other)),
        source: Some("frozen.rhai".to_owned()),
        by: Some(person("admin")),
        accept: true,
    };
    home.process().resume_edited(&edited, &plain(), &edit).unwrap();

    let (rebound, _) =
        run(home, "rebound", &around_gate("rebound", "aws(\"admin\").iam.list_users();"));
    home.cloud.people.lock().unwrap().insert("admin".to_owned(), "mallory".to_owned());
    let how = Resume { rebind: vec!["admin".to_owned()], ..plain() };
    home.process().resume(&rebound, &how).unwrap();
    home.cloud.people.lock().unwrap().clear();

    run(home, "handed over", &around_gate("handed", ""));
    let away = Home::new();
    away.count_processes_from(900);
    away.cloud.become_again(&home.cloud.kept());
    run(&away, "taken over", &around_gate("taken", ""));
    home.cloud.become_again(&away.cloud.kept());
    let moved = |home: &Home, act: &dyn Fn(&Mover<'_>)| {
        let engine = home.process();
        let now = home.cloud.now();
        let journal = SqliteJournal::open(home.folder(), std::sync::Arc::new(move || now)).unwrap();
        act(&Mover {
            journal: &journal,
            key: &engine.sealing_key,
            entropy: engine.ports.entropy.as_ref(),
            holder: &engine.holder,
            now,
        });
    };
    let leaving = named(home, "handed over");
    moved(home, &|mover| drop(mover.hand_over(&leaving).unwrap()));
    let arriving = named(&away, "taken over");
    moved(&away, &|there| {
        let id = there.hand_over(&arriving).unwrap();
        let capsule = there.pack(&arriving, Some(id), None).unwrap();
        moved(home, &|here| here.take_over(capsule.clone(), &[]).unwrap());
    });
}

#[test]
#[ignore = "writes tests/journals, which a release freezes"]
fn the_journals_of_this_format_are_written() {
    assert!(std::env::var_os("PITON_BLESS").is_some(), "frozen journals stay as they are");
    let home = Home::new();
    gates(&home);
    waits(&home);
    doubts(&home);
    branches(&home);
    failures(&home);
    taken_back(&home);
    secrets(&home);
    changed(&home);
    let journal = home.process().ports.journal;
    for case in CASES {
        let row = journal.find(&named(&home, case.name).0).unwrap();
        let why = row.summary.error.as_ref().map(|error| (error.code, &error.message));
        assert_eq!(row.status(), case.at, "{}: {why:?}", case.name);
        assert!(why.is_none_or(|(code, _)| code != Code::Bug), "{}: {why:?}", case.name);
    }
    drop(journal);
    let folder = folder(FORMATS[FORMATS.len() - 1]);
    fs::create_dir_all(&folder).unwrap();
    let target = folder.join("journal.db");
    drop(fs::remove_file(&target));
    fs::copy(home.folder().join("journal.db"), &target).unwrap();
    let kept = serde_json::to_string_pretty(&home.cloud.kept()).unwrap();
    fs::write(folder.join("aws.json"), kept + "\n").unwrap();
    // The key that support.rs seals with.
    fs::write(folder.join("secret.key"), [9; 32]).unwrap();
}
