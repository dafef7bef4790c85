//! A disk that refuses a commit, a journal that grows too large, a clock that was set back: the run
//! stops with the cause before anything that could not be recorded, and goes on when it is mended.

use piton_core::diagnostic::Code;
use piton_core::entry::Body;
use piton_core::event::EventKind;
use piton_core::gate::Verdict;
use piton_core::limits::{Bounds, is_shortened};
use piton_core::ports::RunId;
use piton_core::status::RunStatus;
use piton_core::time::Span;

use crate::support::{Disk, Home, Killer, plain, script, start};

/// Calls of several classes, a gate between them, and branches that are in flight together.
fn calls() -> String {
    script(
        r##"
        let admin = aws("admin");
        fn role(name) {
            aws("admin").iam.create_role(#{ RoleName: name, AssumeRolePolicyDocument: "{}" })
        }
        step("one", || { role("A"); });
        admin.iam.tag_role(#{ RoleName: "A", Tags: [#{ Key: "k", Value: "v" }] });
        note(`the time is ${now()}`);
        let key = admin.iam.create_access_key(#{ UserName: "u" });
        approve("go", #{ from: ["carol"] });
        parallel(#{ left: || role("L"), right: || { role("R"); role("R2") } });
        admin.secretsmanager.create_secret(#{ Name: "x", SecretString: "hunter2hunter2" });
        sleep("1h");
        output("key", key.AccessKey.AccessKeyId);
        "##,
    )
}

const CHANGES: [&str; 4] = ["create_role", "tag_role", "create_access_key", "create_secret"];

fn effects(home: &Home) -> Vec<usize> {
    CHANGES.iter().map(|operation| home.cloud.effects(operation)).collect()
}

fn sent(home: &Home) -> Vec<usize> {
    CHANGES.iter().map(|operation| home.cloud.calls(operation)).collect()
}

/// Drives a run on to its end, or to a doubt that a person has to settle.
fn finish(home: &Home, run: &RunId) -> RunStatus {
    for _ in 0..3 {
        match home.resume(run).end.status {
            RunStatus::Suspended => {
                home.decide(run, "carol", Verdict::Approve).unwrap();
            }
            ended => return ended,
        }
    }
    panic!("the run does not end");
}

#[test]
fn a_disk_that_refuses_any_commit_stops_the_run_and_nothing_is_lost_or_done_twice() {
    let calm = Home::new();
    let (run, _) = calm.start(&calls());
    assert_eq!(finish(&calm, &run), RunStatus::Succeeded);
    let wanted = (effects(&calm), sent(&calm));
    assert_eq!(wanted.0, [4, 1, 1, 1]);

    let (mut stops, mut stuck) = (0, 0);
    for disk in [Disk::Once, Disk::FromThenOn, Disk::Taken] {
        // The first commit makes the run; without it there is nothing to go on with.
        for count in 0.. {
            let home = Home::new();
            let killer = Killer::on_disk(count, disk);
            let (run, started) = start(&home.fragile_process(&killer), &calls(), &[]);
            let mut driven = started.unwrap();
            if driven.end.status == RunStatus::Suspended {
                home.decide(&run, "carol", Verdict::Approve).unwrap();
                driven = home.fragile_process(&killer).resume(&run, &plain()).unwrap();
            }
            if driven.end.status == RunStatus::Succeeded {
                break;
            }
            stops += 1;
            assert_eq!(driven.end.status, RunStatus::Interrupted, "{disk:?} {count}");
            let error = driven.end.error.unwrap();
            assert_eq!(error.code, Code::Storage);
            assert!(error.message.contains("the disk is full"), "{}", error.message);
            let next = format!("piton resume {run}");
            assert!(error.hints.iter().any(|hint| hint.contains(&next)), "{:?}", error.hints);
            if finish(&home, &run) == RunStatus::Stuck {
                // The access key is the one call that nobody may repeat unasked. It is in doubt when
                // its outcome found no room, or its intent is there and nobody knows that it was not
                // sent.
                assert_ne!(disk, Disk::Once, "what happened was recorded when there was room");
                assert!(home.cloud.effects("create_access_key") <= 1);
                stuck += 1;
                continue;
            }
            assert_eq!(effects(&home), wanted.0, "{disk:?} {count}");
            if disk == Disk::Once {
                // Nothing was in doubt, so nothing was sent a second time.
                assert_eq!(sent(&home), wanted.1, "{disk:?} {count}");
            }
            let journal = home.process().ports.journal;
            assert_eq!(journal.verify(&run), Ok(None));
            assert_eq!(journal.check(Some(&run)), Ok(Vec::new()));
        }
    }
    assert!(stops > 25, "only {stops} commits were refused");
    assert_eq!(stuck, 2);
}

fn small(entries: u64, bytes: u64, value: usize) -> Bounds {
    Bounds { entries, bytes, value }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_sent_or_kept() {
    let home = Home::new();
    let engine = home.fragile_process(&Killer::bounded(small(10_000, 1 << 30, 2_000)));
    let body = r##"
        let large = "x"; large.pad(3000, "x");
        let refused = [];
        for attempt in [
            || aws("admin").iam.create_role(#{ RoleName: "A", AssumeRolePolicyDocument: large }),
            || note(large),
            || output("o", large),
            || artifact("a.txt", large),
            || aws("admin").iam.get_policy(#{ PolicyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess" }),
        ] {
            try { attempt.call(); } catch (e) { refused.push(e.code); }
        }
        output("refused", refused);
        approve("go", #{ from: ["carol"] });
        output("again", refused);
    "##;
    let (run, driven) = start(&engine, &script(body), &[]);
    let driven = driven.unwrap();
    assert_eq!(driven.end.status, RunStatus::Suspended, "{:?}", driven.end.error);
    assert_eq!(home.cloud.calls("create_role"), 0);
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    assert_eq!(engine.resume(&run, &plain()).unwrap().end.status, RunStatus::Succeeded);
    let outputs: Vec<String> = home
        .entries(&run)
        .into_iter()
        .filter(|stored| matches!(stored.entry.body, Body::Output(_)))
        .map(|stored| stored.text)
        .collect();
    assert_eq!(outputs.len(), 2);
    for text in outputs {
        let all = r#"["TooLarge","TooLarge","TooLarge","TooLarge","AnswerTooLarge"]"#;
        assert!(text.contains(all), "{text}");
    }
}

#[test]
fn of_a_change_whose_answer_is_too_large_the_fact_and_the_ids_are_kept() {
    let home = Home::new();
    let engine = home.fragile_process(&Killer::bounded(small(10_000, 1 << 30, 5_000)));
    let body = r##"
        try { aws("admin").iam.create_policy(#{ PolicyName: "p", PolicyDocument: "{}" }); }
        catch (e) { note(e.code); }
        approve("go", #{ from: ["carol"] });
        aws("admin").iam.create_policy(#{ PolicyName: "q", PolicyDocument: "{}" });
    "##;
    let (run, _) = start(&engine, &script(body), &[]);
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    let end = engine.resume(&run, &plain()).unwrap().end;
    assert_eq!(end.status, RunStatus::Failed);
    assert!(end.error.unwrap().message.contains("AnswerTooLarge"));
    assert_eq!(home.cloud.effects("create_policy"), 2, "each was sent once, replay included");
    let mut kept = 0;
    for stored in home.entries(&run) {
        if let Body::Outcome(outcome) = stored.entry.body
            && let piton_core::entry::CallResult::Value(value) = outcome.result
        {
            assert!(is_shortened(&value) && value["Policy"]["Arn"] == "arn:made", "{value}");
            kept += 1;
        }
    }
    assert_eq!(kept, 2);
}

#[test]
fn a_run_near_its_bound_warns_once_and_at_its_bound_sends_nothing_more() {
    let home = Home::new();
    let engine = home.fragile_process(&Killer::bounded(small(30, 1 << 30, 1 << 20)));
    let body = r##"
        for i in 0..40 {
            aws("admin").iam.create_role(#{ RoleName: `r${i}`, AssumeRolePolicyDocument: "{}" });
        }
    "##;
    let (run, driven) = start(&engine, &script(body), &[]);
    let refused = driven.unwrap_err().diagnostics();
    assert_eq!(refused[0].code, Code::Limit);
    assert!(refused[0].message.contains("it has 31 entries of at most 30"), "{refused:?}");
    let sent = home.cloud.calls("create_role");
    assert_eq!(sent, 14);
    let warnings = home.events.0.lock().unwrap();
    let is_warning =
        |kind: &EventKind| matches!(kind, EventKind::Note { text } if text.contains("nearly full"));
    assert_eq!(warnings.iter().filter(|event| is_warning(&event.kind)).count(), 1);
    drop(warnings);
    // What was done is recorded, with all its outcomes, and a wider bound goes on from there.
    assert_eq!(home.entries(&run).len(), 31);
    assert!(engine.resume(&run, &plain()).is_err());
    assert_eq!(home.cloud.calls("create_role"), sent);
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_role"), 40);
    assert_eq!(home.cloud.calls("create_role"), 40);
}

#[test]
fn a_clock_before_the_last_entry_is_refused_until_it_is_right() {
    // One that says that it is real.
    let home = Home::concurrent();
    home.cloud.pass(Span::from_secs(10_000));
    let (run, _) = home.start(&script("approve(\"go\", #{ from: [\"carol\"] });\nnote(now());"));
    let before = home.entries(&run).len();
    home.cloud.set_back(Span::from_secs(7_200));
    let refused = home.process().resume(&run, &plain()).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    let diagnostics = refused.diagnostics();
    assert_eq!(diagnostics[0].code, Code::ClockBack);
    assert!(diagnostics[0].hints[0].contains(&format!("piton resume {run}")), "{diagnostics:?}");
    assert_eq!(home.entries(&run).len(), before, "nothing was written");
    // Half a minute is what clocks differ by; the run's own time does not turn around.
    home.cloud.pass(Span::from_secs(7_170));
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    let times: Vec<_> = home.entries(&run).iter().map(|stored| stored.entry.at).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_changed_entry_is_refused_before_the_run_goes_on() {
    let home = Home::new();
    let (run, _) = home.start(&calls());
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    home.tamper("\"RoleName\":\"A\"", "\"RoleName\":\"B\"");
    let sent = sent(&home);
    let refused = home.process().resume(&run, &plain()).unwrap_err();
    assert_eq!(refused.exit_code(), 10, "{refused}");
    assert!(refused.to_string().contains("is not what was appended"), "{refused}");
    assert_eq!(self::sent(&home), sent);
}

#[test]
fn a_changed_summary_is_made_again_from_the_entries() {
    let home = Home::new();
    let (run, _) = home.start(&calls());
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    home.tamper(r#""kind":"approval","gate":"go""#, r#""kind":"approval","gate":"no""#);
    let journal = home.process().ports.journal;
    let found = journal.check(Some(&run)).unwrap();
    assert!(found.iter().any(|found| found.contains("the stored summary of run")), "{found:?}");
    assert_eq!(finish(&home, &run), RunStatus::Succeeded);
    assert_eq!(effects(&home), [4, 1, 1, 1]);
    assert_eq!(journal.check(Some(&run)), Ok(Vec::new()));
}
