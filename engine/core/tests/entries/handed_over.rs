//! A run that goes on in another home: where it stands meanwhile, and what may follow.

use piton_core::entry::{Body, End, Ended, Entry, HandedOver, Resumed, Suspended, TakenOver};
use piton_core::status::{Reason, RunStatus, RunSummary, WaitingKind};

use crate::run::started;
use crate::support::at;

fn handed_over() -> Body {
    Body::HandedOver(HandedOver { capsule: "c1".to_owned(), host: "laptop".to_owned() })
}

fn taken_over() -> Body {
    let (capsule, host) = ("c1".to_owned(), "server".to_owned());
    Body::TakenOver(TakenOver { capsule, host, version: "0.1.0".to_owned() })
}

fn resumed() -> Body {
    Body::Resumed(Resumed { holder: "here 1".to_owned(), version: "0.1.0".to_owned() })
}

fn ended() -> Body {
    let end = End::Succeeded;
    Body::Ended(Ended { end, error: None, retry_from: None, retry_in: Vec::new() })
}

fn told(bodies: Vec<Body>) -> Result<RunSummary, String> {
    let entry = |body| Entry { key: None, at: at(0), body };
    let mut summary = RunSummary::start(&entry(started())).map_err(|error| error.to_string())?;
    for body in bodies {
        summary.apply(&entry(body)).map_err(|error| error.to_string())?;
    }
    Ok(summary)
}

fn waits() -> Body {
    let (name, until) = ("a night".to_owned(), at(100));
    Body::Suspended(Suspended { reason: Reason::Timer { name, until } })
}

#[test]
fn a_run_that_was_handed_over_waits_for_nothing_here() {
    let there = told(vec![waits(), handed_over()]).unwrap();
    assert_eq!(there.status, RunStatus::HandedOver);
    assert_eq!((there.status.is_final(), there.status.exit_code()), (true, 8));
    assert_eq!(there.waiting_for(), Vec::new());
}

#[test]
fn whoever_takes_it_over_goes_on_where_it_stood() {
    let here = told(vec![waits(), handed_over(), taken_over()]).unwrap();
    assert_eq!((here.status, here.handed_over.as_ref()), (RunStatus::Suspended, None));
    assert_eq!(here.waiting_for()[0].kind, WaitingKind::Timer);
    let ended = told(vec![waits(), handed_over(), taken_over(), resumed(), ended()]).unwrap();
    assert_eq!(ended.status, RunStatus::Succeeded);
    // What ended may go elsewhere to be taken back there.
    let gone = told(vec![self::ended(), handed_over()]).unwrap();
    assert_eq!(gone.handed_over.unwrap().was, RunStatus::Succeeded);
}

#[test]
fn nothing_follows_a_hand_over_but_its_take_over() {
    for body in [resumed(), ended(), waits(), handed_over()] {
        let refused = told(vec![handed_over(), body]).unwrap_err();
        assert!(refused.contains("the run is handed_over"), "{refused}");
    }
    for before in [vec![], vec![handed_over(), taken_over()]] {
        let refused = told(before.into_iter().chain([taken_over()]).collect()).unwrap_err();
        assert!(refused.contains("`taken_over`"), "{refused}");
    }
}
