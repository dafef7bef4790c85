//! Gates: who may decide, what decisions add up to, and how a gate is replayed.

use piton_core::canonical::Digest;
use piton_core::entry::Body;
use piton_core::gate::{
    self, Admission, Closed, Decider, Decision, Eligible, GateKind, GateRequest, GateResult,
    OnExpire, Refusal, Verdict,
};
use piton_core::replay::GateStep;
use piton_core::time::Timestamp;
use serde_json::{Value, json};

use crate::support::{at, create, intent, key, machine, mismatch, outcome, person};

fn request() -> GateRequest {
    GateRequest {
        gate: "publish".to_owned(),
        name: "publish".to_owned(),
        kind: GateKind::Approval,
        show: json!({"table": "sales"}),
        from: Vec::new(),
        need: 1,
        exclude: Vec::new(),
        by_requester: false,
        requester: Some(person("admin")),
        expires_at: None,
        on_expire: OnExpire::Reject,
        form: Value::Null,
        instructions: None,
        evidence: None,
        returns_rejection: false,
        digest: Digest::of(b"shown"),
    }
}

fn decision(name: &str, verdict: Verdict, when: Timestamp) -> Decision {
    Decision {
        gate: "publish".to_owned(),
        verdict,
        by: Decider { alias: Some(name.to_owned()), principal: person(name) },
        comment: None,
        fields: Value::Null,
        evidence: None,
        at: when,
        digest: Digest::of(b"shown"),
    }
}

#[test]
fn whoever_started_the_run_does_not_decide_unless_the_gate_says_so() {
    let mut gate = request();
    let own = decision("admin", Verdict::Approve, at(1));
    assert!(matches!(gate::admit(&gate, &[], &own), Err(Refusal::NotEligible { .. })));
    gate.by_requester = true;
    assert_eq!(gate::admit(&gate, &[], &own), Ok(Admission::Counts));
}

#[test]
fn only_those_named_decide_and_session_names_do_not_matter() {
    let mut gate = request();
    let role = |session: &str| piton_core::account::Principal {
        account: "111111111111".to_owned(),
        arn: format!("arn:aws:sts::111111111111:assumed-role/Publisher/{session}"),
        region: "eu-west-1".to_owned(),
    };
    gate.from = vec![Eligible { name: "producer".to_owned(), principal: Some(role("monday")) }];
    let mut later = decision("producer", Verdict::Approve, at(1));
    later.by.principal = role("tuesday");
    assert_eq!(gate::admit(&gate, &[], &later), Ok(Admission::Counts));
    let other = decision("consumer", Verdict::Approve, at(1));
    assert!(matches!(gate::admit(&gate, &[], &other), Err(Refusal::NotEligible { .. })));
}

#[test]
fn an_arn_in_the_rules_is_compared_with_the_proven_one() {
    let mut gate = request();
    gate.from = vec![Eligible { name: person("carol").arn, principal: None }];
    assert!(gate::may_decide(&gate, &decision("carol", Verdict::Approve, at(1)).by).is_ok());
    assert!(gate::may_decide(&gate, &decision("dave", Verdict::Approve, at(1)).by).is_err());
    // An alias that merely has the ARN as its name proves nothing.
    let mut liar = decision("dave", Verdict::Approve, at(1)).by;
    liar.alias = Some(person("carol").arn);
    assert!(gate::may_decide(&gate, &liar).is_err());
}

#[test]
fn an_excluded_person_does_not_decide() {
    let mut gate = request();
    gate.exclude = vec![Eligible { name: "carol".to_owned(), principal: Some(person("carol")) }];
    assert!(gate::may_decide(&gate, &decision("carol", Verdict::Approve, at(1)).by).is_err());
}

#[test]
fn a_repeated_answer_changes_nothing_and_a_contrary_one_names_the_first() {
    let gate = request();
    let first = decision("carol", Verdict::Approve, at(1));
    let again = decision("carol", Verdict::Approve, at(9));
    assert_eq!(gate::admit(&gate, std::slice::from_ref(&first), &again), Ok(Admission::Repeated));
    let contrary = decision("dave", Verdict::Reject, at(2));
    match gate::admit(&gate, std::slice::from_ref(&first), &contrary).unwrap_err() {
        Refusal::Conflict { by, verdict, .. } => {
            assert_eq!((by.as_str(), verdict), (person("carol").arn.as_str(), "approved"));
        }
        other => panic!("not a conflict: {other}"),
    }
}

#[test]
fn two_of_two_must_be_different_people() {
    let mut gate = request();
    gate.need = 2;
    let carol = decision("carol", Verdict::Approve, at(1));
    assert_eq!(gate::verdict(&gate, std::slice::from_ref(&carol), at(2)), None);
    let again = decision("carol", Verdict::Approve, at(2));
    assert_eq!(gate::admit(&gate, std::slice::from_ref(&carol), &again), Ok(Admission::Repeated));
    let dave = decision("dave", Verdict::Approve, at(3));
    let both = [carol, dave];
    let result = gate::verdict(&gate, &both, at(4)).unwrap();
    assert_eq!((result.closed, result.at), (Closed::Approved, at(3)));
}

#[test]
fn the_first_decision_counts_also_against_a_later_expiry() {
    let mut gate = request();
    gate.expires_at = Some(at(60));
    let in_time = decision("carol", Verdict::Approve, at(59));
    let result = gate::verdict(&gate, std::slice::from_ref(&in_time), at(3600)).unwrap();
    assert_eq!(result.closed, Closed::Approved);
    let late = decision("carol", Verdict::Approve, at(60));
    assert!(matches!(gate::admit(&gate, &[], &late), Err(Refusal::Expired { .. })));
    assert_eq!(gate::verdict(&gate, &[], at(59)), None);
    assert_eq!(gate::verdict(&gate, &[], at(60)).unwrap().closed, Closed::Expired);
    gate.on_expire = OnExpire::Approve;
    assert_eq!(gate::verdict(&gate, &[], at(60)).unwrap().closed, Closed::Approved);
}

#[test]
fn a_form_is_filled_before_an_approval_counts() {
    let mut gate = request();
    gate.form =
        json!({"ticket": {}, "risk": {"enum": ["low", "high"]}, "text": {"optional": true}});
    let mut answer = decision("carol", Verdict::Approve, at(1));
    assert!(matches!(gate::admit(&gate, &[], &answer), Err(Refusal::Form { .. })));
    answer.fields = json!({"ticket": "T-1", "risk": "medium"});
    assert!(matches!(gate::admit(&gate, &[], &answer), Err(Refusal::Form { .. })));
    answer.fields = json!({"ticket": "T-1", "risk": "low", "colour": "red"});
    assert!(matches!(gate::admit(&gate, &[], &answer), Err(Refusal::Form { .. })));
    answer.fields = json!({"ticket": "T-1", "risk": "low"});
    assert_eq!(gate::admit(&gate, &[], &answer), Ok(Admission::Counts));
    // Nobody has to fill a form to say no.
    let no = decision("carol", Verdict::Reject, at(1));
    assert_eq!(gate::admit(&gate, &[], &no), Ok(Admission::Counts));
}

#[test]
fn the_digest_covers_what_is_shown_and_what_led_to_it() {
    let digest = |show: Value, led: &[u8]| {
        gate::digest(&Digest::of(b"program"), &key("#3"), &show, &Digest::of(led))
    };
    let shown = digest(json!({"a": 1, "b": 2}), b"led");
    assert_eq!(shown, digest(json!({"b": 2, "a": 1}), b"led"));
    assert_ne!(shown, digest(json!({"a": 1, "b": 3}), b"led"));
    assert_ne!(shown, digest(json!({"a": 1, "b": 2}), b"otherwise"));
}

#[test]
fn a_gate_is_replayed_with_its_decisions_until_it_closed() {
    let opened = Body::GateOpened(request());
    let approved = Body::Decided(decision("carol", Verdict::Approve, at(1)));
    let mut open = machine(&[("#0", opened.clone()), ("#0", approved.clone())]);
    let address = open.gate_address("publish");
    match open.gate("publish", &address).unwrap() {
        GateStep::Open { opened: Some(_), decisions, .. } => assert_eq!(decisions.len(), 1),
        other => panic!("not open: {other:?}"),
    }
    let result = GateResult {
        gate: "publish".to_owned(),
        closed: Closed::Approved,
        at: at(1),
        value: json!({"decision": "approved"}),
    };
    let closed = Body::GateClosed(result.clone());
    let mut done = machine(&[("#0", opened), ("#0", approved), ("#0", closed)]);
    let address = done.gate_address("publish");
    assert_eq!(done.gate("publish", &address).unwrap(), GateStep::Closed(result));
}

#[test]
fn gates_of_one_name_have_addresses_of_their_own() {
    let mut machine = machine(&[]);
    assert_eq!(machine.gate_address("publish"), "publish");
    assert_eq!(machine.gate_address("publish"), "publish[2]");
    machine.open_step("tables").unwrap();
    assert_eq!(machine.gate_address("publish"), "tables/publish");
}

#[test]
fn a_gate_in_the_place_of_a_call_is_a_mismatch() {
    let mut machine = machine(&[
        ("#0", intent("create_project", json!({"name": "a"}))),
        ("#0", outcome(json!({}))),
    ]);
    let address = machine.gate_address("publish");
    assert!(mismatch(machine.gate("publish", &address)).asked.contains("gate"));
    assert!(machine.call(&create("a").asked()).is_err());
}

#[test]
fn decisions_are_not_part_of_what_later_gates_cover() {
    let opened = ("#0", Body::GateOpened(request()));
    let one = ("#0", Body::Decided(decision("carol", Verdict::Approve, at(1))));
    let two = ("#0", Body::Decided(decision("dave", Verdict::Approve, at(1))));
    let ancestry = |entries: &[(&str, Body)]| {
        let mut machine = machine(entries);
        let address = machine.gate_address("publish");
        machine.gate("publish", &address).unwrap();
        machine.ancestry()
    };
    assert_eq!(ancestry(&[opened.clone(), one]), ancestry(&[opened, two]));
}
