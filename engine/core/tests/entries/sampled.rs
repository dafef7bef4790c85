//! Values of chance and time: drawn once.

use piton_core::entry::{Body, Sampled};
use piton_core::replay::SampleStep;
use serde_json::json;

use crate::support::{key, machine, mismatch};

#[test]
fn a_value_is_drawn_once() {
    let mut fresh = machine(&[]);
    assert_eq!(fresh.sample("uuid").unwrap(), SampleStep::Draw(key("#0")));
    let drawn = Body::Sampled(Sampled { source: "uuid".to_owned(), value: json!("u-1") });
    let mut again = machine(&[("#0", drawn)]);
    assert_eq!(again.sample("uuid").unwrap(), SampleStep::Replay(json!("u-1")));
}

#[test]
fn another_source_in_its_place_is_a_mismatch() {
    let drawn = Body::Sampled(Sampled { source: "uuid".to_owned(), value: json!("u-1") });
    assert!(mismatch(machine(&[("#0", drawn)]).sample("now")).asked.contains("now"));
}
