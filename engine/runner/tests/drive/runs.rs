//! Failing, retrying, waiting, cancelling, going on as somebody else.

use piton_core::entry::Body;
use piton_core::event::EventKind;
use piton_core::status::{RunStatus, WaitingKind};
use piton_core::time::Span;
use piton_runner::Resume;

use crate::support::{Home, Trouble, options, plain, script};

const TWO: &str = "let a = aws(\"admin\"); a.iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" }); a.iam.tag_role(#{ RoleName: \"R\", Tags: [#{ Key: \"k\", Value: \"v\" }] });";

fn retry() -> Resume {
    Resume { retry: true, ..plain() }
}

#[test]
fn a_refused_call_fails_the_run_and_a_retry_repeats_only_that() {
    let home = Home::new();
    home.cloud.trouble("tag_role", Trouble::Refuse("AccessDenied"));
    let (run, driven) = home.start(&script(TWO));
    let end = driven.unwrap().end;
    assert_eq!((end.status, end.status.exit_code()), (RunStatus::Failed, 4));
    let error = end.error.unwrap();
    assert!(error.message.contains("AccessDenied"), "{}", error.message);
    assert_eq!(error.place.unwrap().line, 2);
    let again = home.process().resume(&run, &plain()).unwrap();
    assert_eq!(again.end.status, RunStatus::Failed);
    let done = home.process().resume(&run, &retry()).unwrap();
    assert_eq!(done.end.status, RunStatus::Succeeded);
    assert_eq!((home.cloud.effects("create_role"), home.cloud.effects("tag_role")), (1, 1));
    assert_eq!(home.cloud.calls("create_role"), 1);
}

#[test]
fn a_refusal_of_the_script_is_retried_by_reading_again() {
    let home = Home::new();
    let body = "let s = aws(\"admin\").secretsmanager.describe_secret(#{ SecretId: \"s\" }); ensure(s.Name == \"ready\", \"the secret is not ready\");";
    let (run, driven) = home.start(&script(body));
    let error = driven.unwrap().end.error.unwrap();
    assert!(error.message.contains("not ready"), "{}", error.message);
    let mut status = RunStatus::Failed;
    for _ in 0..4 {
        status = home.process().resume(&run, &retry()).unwrap().end.status;
    }
    assert_eq!(status, RunStatus::Succeeded);
}

#[test]
fn a_failure_that_rests_on_nothing_read_cannot_be_retried() {
    let home = Home::new();
    let (run, _) = home.start(&script("fail(\"no\");"));
    let refused = home.process().resume(&run, &retry()).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
}

#[test]
fn a_caught_error_is_the_script_s_own_business() {
    let home = Home::new();
    home.cloud.trouble("create_role", Trouble::Refuse("EntityAlreadyExists"));
    let body = "try { aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" }); } catch (e) { output(\"code\", e.code); }";
    let (_, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
}

#[test]
fn credentials_that_expire_suspend_the_run_and_it_goes_on_with_new_ones() {
    let home = Home::new();
    home.cloud.trouble("tag_role", Trouble::Expire);
    let (run, driven) = home.start(&script(TWO));
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Suspended);
    assert_eq!(end.waiting_for[0].kind, WaitingKind::Credentials);
    assert!(end.error.unwrap().hints.iter().any(|hint| hint.contains("aws sso login")));
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_role"), 1);
}

#[test]
fn an_aws_that_does_not_answer_suspends_the_run() {
    let home = Home::new();
    home.cloud.trouble("create_role", Trouble::BeSilent);
    let (run, driven) = home.start(&script(TWO));
    assert_eq!(driven.unwrap().end.waiting_for[0].kind, WaitingKind::State);
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_role"), 1);
}

#[test]
fn a_retried_call_is_one_outcome_and_one_intent_for_each_attempt() {
    let home = Home::new();
    for _ in 0..3 {
        home.cloud.trouble("create_role", Trouble::Refuse("InvalidPrincipal"));
    }
    let body = "retry(\"role\", || aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" }), #{ on: [\"InvalidPrincipal\"], every: \"10s\", give_up: \"5m\" });";
    let (run, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    let kinds: Vec<&str> =
        home.entries(&run).iter().map(|stored| stored.entry.body.kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "intent").count(), 4);
    assert_eq!(kinds.iter().filter(|kind| **kind == "outcome").count(), 1);

    let home = Home::new();
    for _ in 0..99 {
        home.cloud.trouble("create_role", Trouble::Refuse("InvalidPrincipal"));
    }
    let (_, driven) = home.start(&script(body));
    let error = driven.unwrap().end.error.unwrap();
    assert!(error.message.contains("InvalidPrincipal"), "{}", error.message);
}

#[test]
fn a_long_wait_suspends_when_a_limit_says_so_and_keeps_its_end() {
    let home = Home::new();
    let engine = home.process();
    let limited = Resume {
        options: piton_runner::Options { wait_limit: Some(Span::from_secs(60)), ..options() },
        ..plain()
    };
    let (run, _) = home.start(&script(
        "approve(\"go\", #{ from: [\"carol\"] }); sleep(\"2h\"); output(\"done\", true);",
    ));
    home.decide(&run, "carol", piton_core::gate::Verdict::Approve).unwrap();
    let end = engine.resume(&run, &limited).unwrap().end;
    assert_eq!(end.waiting_for[0].kind, WaitingKind::Timer);
    let until = end.waiting_for[0].until.unwrap();
    home.cloud.pass(Span::from_secs(3600));
    let end = home.process().resume(&run, &limited).unwrap().end;
    assert_eq!(end.waiting_for[0].until, Some(until));
    home.cloud.pass(Span::from_secs(3600));
    assert_eq!(home.process().resume(&run, &limited).unwrap().end.status, RunStatus::Succeeded);
}

#[test]
fn a_wait_that_meets_a_failed_state_ends_at_once_and_can_be_waited_again() {
    let home = Home::new();
    let body = "wait_until(\"ready\", || aws(\"admin\").secretsmanager.describe_secret(#{ SecretId: \"s\" }), #{ path: \"Name\", ok: [\"ready\"], fail: [\"pending\"], every: \"10s\", give_up: \"1h\" });";
    let (run, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Failed);
    assert_eq!(home.cloud.calls("describe_secret"), 1);
    for _ in 0..3 {
        home.process().resume(&run, &retry()).unwrap();
    }
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
}

#[test]
fn a_cancelled_run_ends_where_it_stands() {
    let home = Home::new();
    let (run, _) = home.start(&script("approve(\"go\", #{ from: [\"carol\"] });"));
    let status = home.process().cancel(&run, None, Some("no longer wanted".to_owned())).unwrap();
    assert_eq!((status, status.exit_code()), (RunStatus::Cancelled, 9));
    assert!(home.process().cancel(&run, None, None).is_err());
    let end = home.resume(&run).end;
    assert!(end.error.unwrap().message.contains("no longer wanted"));
}

#[test]
fn a_run_is_not_resumed_as_somebody_else_unless_that_is_wanted() {
    let home = Home::new();
    let body = "let a = aws(\"admin\"); a.iam.list_users(); approve(\"go\", #{ from: [\"carol\"] }); a.iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" });";
    let (run, _) = home.start(&script(body));
    home.decide(&run, "carol", piton_core::gate::Verdict::Approve).unwrap();
    home.cloud.people.lock().unwrap().insert("admin".to_owned(), "mallory".to_owned());
    let refused = home.process().resume(&run, &plain()).unwrap_err();
    assert_eq!(refused.exit_code(), 2, "{refused}");
    assert_eq!(home.cloud.calls("create_role"), 0);
    let rebind = Resume { rebind: vec!["admin".to_owned()], ..plain() };
    let driven = home.process().resume(&run, &rebind).unwrap();
    assert_eq!(driven.end.status, RunStatus::Succeeded);
    let is_rebinding = |body: &Body| matches!(body, Body::Bound(bound) if bound.rebound);
    let entries = home.entries(&run);
    assert_eq!(entries.iter().filter(|stored| is_rebinding(&stored.entry.body)).count(), 1);
}

#[test]
fn nothing_is_told_twice() {
    let home = Home::new();
    let body = "note(\"hello\"); step(\"one\", || aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" })); approve(\"go\", #{ from: [\"carol\"] });";
    let (run, _) = home.start(&script(body));
    home.resume(&run);
    home.resume(&run);
    let events = home.events.0.lock().unwrap();
    let count =
        |test: fn(&EventKind) -> bool| events.iter().filter(|event| test(&event.kind)).count();
    assert_eq!(count(|kind| matches!(kind, EventKind::Note { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, EventKind::Called { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, EventKind::StepOpened { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, EventKind::GateOpened(_))), 1);
}

#[test]
fn calls_out_of_their_place_are_refused_before_anything_is_sent() {
    for body in [
        "wait_until(\"w\", || aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" }), #{ path: \"a\", ok: [1], every: \"1s\", give_up: \"2s\" });",
        "let a = aws(\"admin\"); a.iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" }); undo(|| a.iam.list_users());",
        "undo(|| aws(\"admin\").iam.delete_role(#{ RoleName: \"R\" }));",
        "retry(\"r\", || { aws(\"admin\").iam.list_users(); aws(\"admin\").iam.list_users() }, #{ on: [\"X\"], every: \"1s\", give_up: \"2s\" });",
    ] {
        let home = Home::new();
        let (_, driven) = home.start(&script(body));
        let end = driven.unwrap().end;
        assert_eq!(end.status, RunStatus::Failed, "{body}");
        assert_eq!(end.error.unwrap().code.as_str(), "PT0207", "{body}");
    }
}
