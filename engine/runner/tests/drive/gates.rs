//! Gates in whole runs.

use piton_core::gate::{Admission, Verdict};
use piton_core::ports::JournalError;
use piton_core::status::{RunStatus, WaitingKind};
use piton_core::time::Span;

use crate::support::{Home, script};

const GATE: &str = "let d = approve(\"publish\", #{ show: #{ a: 1 }, from: [\"carol\"], expires: \"2h\", on_expire: \"reject\" }); output(\"by\", d.by);";

#[test]
fn a_gate_suspends_until_somebody_who_may_has_decided() {
    let home = Home::new();
    let (run, driven) = home.start(&script(GATE));
    let end = driven.unwrap().end;
    assert_eq!(end.status, RunStatus::Suspended);
    assert_eq!(end.waiting_for[0].kind, WaitingKind::Approval);
    assert_eq!(end.waiting_for[0].gate.as_deref(), Some("publish"));
    let refused = home.decide(&run, "admin", Verdict::Approve).unwrap_err();
    assert!(matches!(refused, JournalError::Refused(_)), "{refused}");
    assert_eq!(home.resume(&run).end.status, RunStatus::Suspended);
    assert_eq!(home.decide(&run, "carol", Verdict::Approve), Ok(Admission::Counts));
    assert_eq!(home.decide(&run, "carol", Verdict::Approve), Ok(Admission::Repeated));
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    // A finished run repeats its end and does nothing.
    let calls = home.cloud.received.lock().unwrap().len();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
    assert_eq!(home.cloud.received.lock().unwrap().len(), calls);
}

#[test]
fn a_rejection_ends_the_run_unless_the_script_reads_it() {
    let home = Home::new();
    let (run, _) = home.start(&script(GATE));
    home.decide(&run, "carol", Verdict::Reject).unwrap();
    let end = home.resume(&run).end;
    assert_eq!((end.status, end.status.exit_code()), (RunStatus::Rejected, 6));
    let message = end.error.unwrap().message;
    assert!(message.contains("carol") && message.contains("seen"), "{message}");

    let home = Home::new();
    let reads = "let d = approve(\"publish\", #{ from: [\"carol\"], on_reject: \"return\" }); output(\"said\", d.decision);";
    let (run, _) = home.start(&script(reads));
    home.decide(&run, "carol", Verdict::Reject).unwrap();
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
}

#[test]
fn an_expired_gate_ends_the_run_and_a_decision_in_time_counts_however_late_it_is_read() {
    let home = Home::new();
    let (run, _) = home.start(&script(GATE));
    home.cloud.pass(Span::from_secs(3 * 3600));
    assert!(home.decide(&run, "carol", Verdict::Approve).is_err());
    let end = home.resume(&run).end;
    assert_eq!((end.status, end.status.exit_code()), (RunStatus::Rejected, 6));

    let home = Home::new();
    let (run, _) = home.start(&script(GATE));
    home.decide(&run, "carol", Verdict::Approve).unwrap();
    home.cloud.pass(Span::from_secs(3 * 3600));
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
}

#[test]
fn the_world_may_decide_first() {
    let home = Home::new();
    let settled = r#"
        let d = approve("publish", #{ from: ["carol"], settled_by: #{
            call: || aws("admin").secretsmanager.describe_secret(#{ SecretId: "s" }),
            path: "Name", ok: ["ready"], fail: ["lost"], by: "Name" } });
        output("settled", d.settled);"#;
    let (run, driven) = home.start(&script(settled));
    assert_eq!(driven.unwrap().end.status, RunStatus::Suspended);
    home.resume(&run);
    home.resume(&run);
    assert_eq!(home.resume(&run).end.status, RunStatus::Succeeded);
}
