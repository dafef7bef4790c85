//! Every bound operation, said and heard by the SDK behind Piton's port and by boto3: the requests have
//! to be equivalent, and what the two make of the same answer has to be the same data.
//!
//! Inputs and answers are made from the service models: the required members alone, every member, and
//! some by chance. A run takes a sample of the operations; `PITON_PARITY=all` takes all of them, a
//! service or an operation by the script's name takes that one, and `PITON_PARITY_SEED` repeats a run.
//! It needs boto3 (`PITON_CLIENTS=1`, as `.ci/clients` sets it; `PITON_PYTHON` names the interpreter), and
//! says so where it is not run.

mod chance;
mod compare;
mod ends;
mod exceptions;
mod pattern;
mod recorder;
mod selftest;
mod tally;
mod values;

use std::collections::BTreeSet;
use std::{env, process, thread};

use axum::http::Response;
use piton_models::validate::validate;
use piton_models::{Model, Operation};
use serde_json::{Value, json};

use crate::support::loudly;
use chance::Chance;
use ends::End;
use tally::Tally;
use values::{Fill, Side, Spot, Values};

/// Operations that a run takes when nobody says how many.
const SAMPLE: usize = 60;

/// Inputs by chance for each operation.
const BY_CHANCE: usize = 3;

/// Attempts to have every member in one of the inputs: unions have one at a time.
const ROUNDS: usize = 80;

/// One operation.
#[derive(Clone, Copy)]
struct Subject {
    model: &'static Model,
    operation: &'static Operation,
}

impl Subject {
    /// `datazone.create_project`
    fn name(self) -> String {
        format!("{}.{}", self.model.script_name, self.operation.script_name())
    }
}

/// One call and its answer.
struct Case {
    /// `minimal`, `maximal 2`, `by chance 1`.
    kind: String,
    input: Value,
    output: Value,
}

#[test]
fn other_clients_say_and_hear_the_same() {
    if env::var_os("PITON_CLIENTS").is_none() {
        loudly("parity with boto3: NOT RUN; `.ci/clients` runs it");
        return;
    }
    let version = ends::boto3_version().unwrap_or_else(|error| panic!("no boto3: {error}"));
    let seed = seed();
    let subjects = chosen(seed);
    loudly(&format!(
        "parity: {} operations with boto3 {version}, PITON_PARITY_SEED={seed}",
        subjects.len()
    ));
    let workers = thread::available_parallelism().map_or(2, usize::from).min(4);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let shares: Vec<_> = (0..workers)
            .map(|worker| {
                subjects.iter().copied().skip(worker).step_by(workers).collect::<Vec<_>>()
            })
            .map(|share| scope.spawn(move || compared(&share, seed)))
            .collect();
        shares.into_iter().map(|share| share.join().expect("a worker ends")).collect()
    });
    let tally = tallies.into_iter().fold(Tally::default(), Tally::with);
    for line in tally.lines() {
        loudly(&format!("parity: {line}"));
    }
    assert!(tally.differences().is_empty(), "{}", tally.differences().join("\n"));
    if subjects.len() == all().len() {
        let stale: Vec<&str> = exceptions::reasons().filter(|reason| !tally.met(reason)).collect();
        assert!(stale.is_empty(), "no difference is explained by these any more: {stale:?}");
    }
}

/// Compares some operations, with two programs of their own.
fn compared(subjects: &[Subject], seed: u64) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let (mut piton, mut boto3) = (End::piton(folder.path()), End::boto3(folder.path()));
    let mut tally = Tally::default();
    for subject in subjects {
        let (cases, coverage) = cases(*subject, seed);
        tally.covers(*subject, coverage);
        for case in &cases {
            let asked = question(*subject, case);
            let answer = answer(*subject, case);
            let ours = piton.call(&asked, answer.clone());
            let theirs = boto3.call(&asked, answer);
            tally.add(*subject, case, &ours, &theirs);
        }
    }
    tally
}

/// What both programs are asked.
fn question(subject: Subject, case: &Case) -> Value {
    json!({
        "script_service": subject.model.script_name,
        "script_operation": subject.operation.script_name(),
        "service": subject.model.script_name.replace('_', "-"),
        "operation": subject.operation.name,
        "input": case.input,
        "output": case.output,
    })
}

fn answer(subject: Subject, case: &Case) -> Response<Vec<u8>> {
    let Subject { model, operation } = subject;
    piton_sandbox::protocol::server::write_response(model, operation, &case.output, "parity-1")
        .unwrap_or_else(|error| {
            panic!("{}, {}: {error}: {}", subject.name(), case.kind, case.output)
        })
}

/// Members in inputs and answers: those that were made, of those that can be.
#[derive(Default, Clone, Copy)]
struct Coverage {
    made: usize,
    possible: usize,
}

/// The calls of one operation.
fn cases(subject: Subject, seed: u64) -> (Vec<Case>, [Coverage; 2]) {
    let Subject { model, operation } = subject;
    let [(inputs, sent), (outputs, answered)] = [Side::Input, Side::Output].map(|side| {
        let mut values = Values::new(model, operation, side, seed);
        (several(&mut values), coverage(&mut values))
    });
    if let Some(reference) = &operation.input {
        for (kind, input) in &inputs {
            let problems = validate(model, &reference.shape, input, &|_| false);
            assert!(problems.is_empty(), "{}, {kind}: {problems:?}", subject.name());
        }
    }
    let count = inputs.len().max(outputs.len());
    let cases = (0..count).map(|at| {
        let (kind, input) = &inputs[at % inputs.len()];
        let (heard, output) = &outputs[at % outputs.len()];
        let kind = format!("{kind}, answered {heard}");
        Case { kind, input: input.clone(), output: output.clone() }
    });
    (cases.collect(), [sent, answered])
}

fn several(values: &mut Values<'_>) -> Vec<(String, Value)> {
    let mut made = vec![("minimal".to_owned(), values.next(Fill::Required))];
    let reachable = values.reachable();
    if reachable.is_empty() {
        return made;
    }
    for round in 1..=ROUNDS {
        made.push((format!("maximal {round}"), values.next(Fill::Every)));
        if missing(values, &reachable).next().is_none() {
            break;
        }
    }
    made.extend((1..=BY_CHANCE).map(|at| (format!("by chance {at}"), values.next(Fill::Some))));
    made
}

fn missing<'a>(
    values: &'a Values<'_>,
    reachable: &'a BTreeSet<Spot<'a>>,
) -> impl Iterator<Item = &'a Spot<'a>> {
    reachable.iter().filter(|spot| !values.made.contains(*spot))
}

fn coverage(values: &mut Values<'_>) -> Coverage {
    let reachable = values.reachable();
    let missing = missing(values, &reachable).count();
    Coverage { made: reachable.len() - missing, possible: reachable.len() }
}

/// Every bound operation.
fn all() -> Vec<Subject> {
    let services = piton_models::services().iter();
    let bound = services.flat_map(|service| {
        let model = piton_models::service(service).expect("it is listed");
        let operations = piton_aws::bound_operations(service).iter();
        operations.map(|name| Subject {
            model,
            operation: model.operation_by_script_name(name).expect("it is bound"),
        })
    });
    bound.collect()
}

/// The operations of this run: all, those that somebody names, or a sample by chance.
fn chosen(seed: u64) -> Vec<Subject> {
    let asked = env::var("PITON_PARITY").unwrap_or_else(|_| SAMPLE.to_string());
    let mut subjects = all();
    if asked == "all" {
        return subjects;
    }
    if let Ok(count) = asked.parse::<usize>() {
        let mut chance = Chance::of(seed, "which operations");
        let mut sample = Vec::new();
        while sample.len() < count && !subjects.is_empty() {
            sample.push(subjects.swap_remove(chance.below(subjects.len())));
        }
        return sample;
    }
    subjects.retain(|subject| subject.name() == asked || subject.model.script_name == asked);
    assert!(!subjects.is_empty(), "PITON_PARITY={asked} is no number, service or bound operation");
    subjects
}

/// Chance is another one in each run, unless somebody repeats one.
fn seed() -> u64 {
    match env::var("PITON_PARITY_SEED") {
        Ok(seed) => seed.parse().expect("PITON_PARITY_SEED is a number"),
        Err(_) => u64::from(process::id()),
    }
}
