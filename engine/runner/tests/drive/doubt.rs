//! Calls whose outcome is unknown, by class.

use piton_core::entry::{Body, Settled, Settlement, StoredEntry};
use piton_core::key::Key;
use piton_core::ports::{Mail, RunId};
use piton_core::status::{Reason, RunStatus, WaitingKind};
use serde_json::json;

use crate::support::{Boundary, Home, Killer, Trouble, script, start};

#[test]
fn a_lost_reply_of_a_natural_key_is_found_and_adopted_at_once() {
    let home = Home::new();
    home.cloud.trouble("create_role", Trouble::LoseReply);
    let body = "let r = aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" }); output(\"arn\", r.Role.Arn);";
    let (run, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    assert_eq!((home.cloud.calls("create_role"), home.cloud.effects("create_role")), (1, 1));
    let adopted = home
        .entries(&run)
        .iter()
        .any(|stored| matches!(&stored.entry.body, Body::Outcome(outcome) if outcome.adopted));
    assert!(adopted);
    assert_eq!(settlements(&home, &run), [Settlement::Found { id: Some(ARN.to_owned()) }]);
}

#[test]
fn a_lost_reply_of_a_token_is_sent_again_with_the_same_token() {
    let home = Home::new();
    home.cloud.trouble("create_secret", Trouble::LoseReply);
    let body = "aws(\"admin\").secretsmanager.create_secret(#{ Name: \"s\", SecretString: \"longsecret\" });";
    let (run, driven) = home.start(&script(body));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    assert_eq!(settlements(&home, &run), [Settlement::Repeat]);
    assert_eq!((home.cloud.calls("create_secret"), home.cloud.effects("create_secret")), (2, 1));
    let received = home.cloud.received.lock().unwrap();
    assert_eq!(received[0].input["ClientRequestToken"], received[1].input["ClientRequestToken"]);
}

#[test]
fn what_nobody_can_look_up_is_put_to_a_person_and_goes_on_as_they_say() {
    for (how, calls, key) in [
        (Settlement::Retry, 2, "very"),
        (
            Settlement::Adopt { output: json!({"AccessKey": {"AccessKeyId": "AKIAADOPTED"}}) },
            1,
            "AKIAADOPTED",
        ),
    ] {
        let home = Home::new();
        let killer = Killer::at(Boundary::AfterEffect, 0);
        let body = "let k = aws(\"admin\").iam.create_access_key(#{ UserName: \"u\" }); output(\"id\", k.AccessKey.AccessKeyId);";
        let (run, _) = start(&home.fragile_process(&killer), &script(body), &[]);
        let stuck = home.resume(&run);
        assert_eq!(stuck.end.status, RunStatus::Stuck);
        assert_eq!(stuck.end.waiting_for[0].kind, WaitingKind::Doubt);
        assert_eq!(stuck.end.waiting_for[0].gate.as_deref(), Some("#0"));
        let settled = Settled::by_engine(how, "looked in the console");
        let mail = Mail::Settle { key: Key::from_text("#0"), settled };
        home.process().ports.journal.post(&run, &mail).unwrap();
        assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
        assert_eq!(home.cloud.calls("create_access_key"), calls);
        let output = home.entries(&run).iter().find_map(|stored| match &stored.entry.body {
            Body::Output(output) => Some(output.value.clone()),
            _ => None,
        });
        let expected = if key == "very" { json!("AKIAEXAMPLE") } else { json!(key) };
        assert_eq!(output, Some(expected));
    }
}

#[test]
fn a_thing_of_that_name_from_before_is_not_adopted() {
    let home = Home::new();
    let old = json!({"RoleName": "R", "Arn": "old", "CreateDate": "2020-01-01T00:00:00Z"});
    home.cloud.things.lock().unwrap().insert("role/R".to_owned(), old);
    let killer = Killer::at(Boundary::BeforeEffect, 0);
    let body =
        "aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" });";
    let (run, _) = start(&home.fragile_process(&killer), &script(body), &[]);
    let driven = home.resume(&run);
    assert_eq!(driven.end.status, RunStatus::Failed);
    assert!(driven.end.error.unwrap().message.contains("EntityAlreadyExists"));
}

const ARN: &str = "arn:aws:iam::1:role/R";

const ROLE: &str = "let r = aws(\"admin\").iam.create_role(#{ RoleName: \"R\", AssumeRolePolicyDocument: \"{}\" }); output(\"arn\", r.Role.Arn);";

#[test]
fn a_search_that_lags_behind_is_made_again_before_anything_is_sent_again() {
    let home = Home::new();
    home.cloud.trouble("create_role", Trouble::LoseReply);
    home.cloud.trouble("get_role", Trouble::Refuse("NoSuchEntity"));
    let (run, driven) = home.start(&script(ROLE));
    assert_eq!(driven.unwrap().end.status, RunStatus::Succeeded);
    // The look that was refused is not counted.
    assert_eq!((home.cloud.calls("create_role"), home.cloud.calls("get_role")), (1, 1));
    assert!(home.cloud.trouble.lock().unwrap()["get_role"].is_empty());
    assert_eq!(settlements(&home, &run), [Settlement::Found { id: Some(ARN.to_owned()) }]);
}

#[test]
fn what_never_arrived_is_sent_anew_and_the_journal_says_why() {
    let home = Home::new();
    let killer = Killer::at(Boundary::BeforeEffect, 0);
    let (run, _) = start(&home.fragile_process(&killer), &script(ROLE), &[]);
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_role"), 1);
    assert_eq!(settlements(&home, &run), [Settlement::Retry]);
}

#[test]
fn a_thing_of_that_name_with_other_inputs_is_for_a_person() {
    let home = Home::new();
    let killer = Killer::at(Boundary::BeforeEffect, 0);
    let (run, _) = start(&home.fragile_process(&killer), &script(ROLE), &[]);
    // Somebody else makes a role of that name after the call was sent.
    let theirs = json!({
        "RoleName": "R", "Arn": "theirs", "CreateDate": home.cloud.now().to_string(),
        "AssumeRolePolicyDocument": "%7B%22Version%22%3A%222012-10-17%22%7D",
    });
    home.cloud.things.lock().unwrap().insert("role/R".to_owned(), theirs);
    let stuck = home.resume(&run);
    assert_eq!(stuck.end.status, RunStatus::Stuck);
    assert_eq!(home.cloud.effects("create_role"), 0);
    let row = home.process().ports.journal.find(&run.0).unwrap();
    match row.summary.reasons() {
        [Reason::Doubt { candidates, .. }] => {
            assert_eq!(candidates.len(), 1);
            assert_eq!(candidates[0].id, "theirs");
            assert_eq!(candidates[0].differences[0].field, "AssumeRolePolicyDocument");
            assert!(candidates[0].created_at.is_some());
        }
        other => panic!("no doubt: {other:?}"),
    }
}

/// How the doubts of a run were settled, in order.
fn settlements(home: &Home, run: &RunId) -> Vec<Settlement> {
    let how = |stored: &StoredEntry| match &stored.entry.body {
        Body::Settled(settled) => Some(settled.how.clone()),
        _ => None,
    };
    home.entries(run).iter().filter_map(how).collect()
}

#[test]
fn a_conflict_of_a_repetition_with_what_the_call_made_is_no_refusal() {
    let home = Home::new();
    let killer = Killer::at(Boundary::AfterEffect, 0);
    let body = "let s = aws(\"admin\").secretsmanager.create_secret(#{ Name: \"mine\", SecretString: \"longsecret\" }); output(\"arn\", s.ARN);";
    let (run, _) = start(&home.fragile_process(&killer), &script(body), &[]);
    // As if AWS did not know the token.
    home.cloud.trouble("create_secret", Trouble::Refuse("ResourceExistsException"));
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.effects("create_secret"), 1);
    let how = settlements(&home, &run);
    assert!(matches!(how.as_slice(), [Settlement::Repeat, Settlement::Found { .. }]), "{how:?}");
}
