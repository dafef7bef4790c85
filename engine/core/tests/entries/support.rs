//! A journal as a list, and a machine over it.

use piton_core::account::{AccountRef, Principal};
use piton_core::catalogue::Class;
use piton_core::entry::{Body, CallResult, Entry, Head, Intent, Outcome, Read, StoredEntry};
use piton_core::key::Key;
use piton_core::ports::AwsError;
use piton_core::replay::{Asked, Machine, Mismatch, Stop};
use piton_core::time::{Span, Timestamp};
use serde_json::{Value, json};

/// A moment, `seconds` after the start of every test.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + seconds * 1000)
}

pub(crate) fn key(text: &str) -> Key {
    Key::from_text(text)
}

/// Stores bodies under keys (an empty key is none), one a second.
pub(crate) fn stored(entries: &[(&str, Body)]) -> Vec<StoredEntry> {
    let mut head = Head::EMPTY;
    entries
        .iter()
        .enumerate()
        .map(|(index, (key_text, body))| {
            let key = (!key_text.is_empty()).then(|| key(key_text));
            let at = at(index as i64);
            let text = body.encode();
            head = head.next(key.as_ref(), body.kind(), at, &text);
            let body = Body::decode(body.kind(), &text).unwrap();
            StoredEntry { seq: head.seq, hash: head.hash, entry: Entry { key, at, body }, text }
        })
        .collect()
}

/// A machine that replays these entries.
pub(crate) fn machine(entries: &[(&str, Body)]) -> Machine {
    machine_with_voids(entries, Vec::new())
}

pub(crate) fn machine_with_voids(entries: &[(&str, Body)], voided: Vec<(u64, u64)>) -> Machine {
    Machine::new(Box::new(stored(entries).into_iter()), voided)
}

pub(crate) fn admin() -> AccountRef {
    AccountRef::alias("admin")
}

pub(crate) fn person(name: &str) -> Principal {
    Principal {
        account: "111111111111".to_owned(),
        arn: format!("arn:aws:iam::111111111111:user/{name}"),
        region: "eu-west-1".to_owned(),
    }
}

pub(crate) fn intent(operation: &str, input: Value) -> Body {
    attempt(operation, input, 1)
}

pub(crate) fn attempt(operation: &str, input: Value, attempt: u32) -> Body {
    Body::Intent(Intent {
        service: "datazone".to_owned(),
        operation: operation.to_owned(),
        account: admin(),
        class: Class::Token,
        input,
        token: None,
        attempt,
        before: None,
    })
}

pub(crate) fn outcome(value: Value) -> Body {
    Body::Outcome(Outcome {
        read: None,
        attempt: 1,
        result: CallResult::Value(value),
        took: Span::from_millis(5),
        request_id: None,
        adopted: false,
    })
}

pub(crate) fn refusal(code: &str) -> Body {
    Body::Outcome(Outcome {
        read: None,
        attempt: 1,
        result: CallResult::Error(aws_error(code)),
        took: Span::from_millis(5),
        request_id: None,
        adopted: false,
    })
}

pub(crate) fn aws_error(code: &str) -> AwsError {
    AwsError {
        service: "datazone".to_owned(),
        operation: "create_project".to_owned(),
        code: code.to_owned(),
        message: "no".to_owned(),
        http_status: Some(409),
        request_id: None,
        retryable: false,
    }
}

pub(crate) fn read(operation: &str, input: Value, value: Value) -> Body {
    Body::Outcome(Outcome {
        read: Some(Read {
            service: "datazone".to_owned(),
            operation: operation.to_owned(),
            account: admin(),
            input,
        }),
        attempt: 1,
        result: CallResult::Value(value),
        took: Span::from_millis(5),
        request_id: None,
        adopted: false,
    })
}

/// A call as a script asks it.
pub(crate) struct Question {
    pub(crate) operation: &'static str,
    pub(crate) class: Class,
    pub(crate) account: AccountRef,
    pub(crate) input: Value,
}

impl Question {
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked {
            service: "datazone",
            operation: self.operation,
            account: &self.account,
            class: self.class,
            input: &self.input,
        }
    }
}

pub(crate) fn create(name: &str) -> Question {
    Question {
        operation: "create_project",
        class: Class::Token,
        account: admin(),
        input: json!({ "name": name }),
    }
}

pub(crate) fn get(id: &str) -> Question {
    Question {
        operation: "get_project",
        class: Class::Read,
        account: admin(),
        input: json!({ "identifier": id }),
    }
}

pub(crate) fn mismatch<T: std::fmt::Debug>(result: Result<T, Stop>) -> Mismatch {
    match result.unwrap_err() {
        Stop::Mismatch(mismatch) => *mismatch,
        Stop::Journal(error) => panic!("the journal failed: {error}"),
    }
}
