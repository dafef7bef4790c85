//! One case in all its variants, each held against the undisturbed run.

use piton_core::entry::{Body, Settled, Settlement};
use piton_core::key::Key;
use piton_core::ports::Mail;
use piton_core::status::{Candidate, Reason, RunStatus};
use piton_runner::Driven;
use serde_json::Value;

use super::bench::{Bench, Death, run};
use super::cases::{Case, End};

/// How much later "days later" is.
const LATE_HOURS: i64 = 72;

/// In this time everything that a call set going comes to its end.
const REST_HOURS: i64 = 2;

/// Members of answers that no read shows: the place of a new bucket, the units around a new one, the
/// token of the call itself, the token of a new grant.
const NOT_SHOWN: [&str; 4] = ["Location", "ancestorDomainUnitIds", "clientToken", "GrantToken"];

/// How a call is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// The reply is lost, the process lives.
    Lost,
    /// The process dies before it has the reply, and another goes on at once.
    Died,
    /// The same, days later.
    Late,
}

/// What a run left.
#[derive(Debug, PartialEq)]
struct Left {
    resources: Value,
    effects: usize,
    answer: Value,
}

/// What an undisturbed run does.
struct Calm {
    left: Left,
    /// The same when days pass before all is at rest.
    late: Value,
    /// How many calls of the operation come before the last one.
    before: usize,
}

/// Runs the cases and says of each that does not end as it should what is wrong.
pub(crate) fn all_end_as_expected(cases: &[Case]) {
    let mut problems = Vec::new();
    for case in cases {
        let outcome = std::panic::catch_unwind(|| problems_of(case));
        match outcome {
            Ok(found) => problems.extend(found),
            Err(_) => problems.push(format!("{}: panicked, see above", case.name())),
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

fn problems_of(case: &Case) -> Vec<String> {
    let calm = match calm(case) {
        Ok(calm) => calm,
        Err(problem) => return vec![format!("{}: {problem}", case.name())],
    };
    let mut problems = Vec::new();
    for variant in [Variant::Lost, Variant::Died, Variant::Late] {
        let told = |problem: String| format!("{} {variant:?}: {problem}", case.name());
        problems.extend(disturbed(case, &calm, variant).err().map(told));
    }
    problems
}

fn calm(case: &Case) -> Result<Calm, String> {
    let bench = Bench::new(case.organisation);
    let driven = bench.start(&case.script);
    expect_success(&driven)?;
    let calls = calls(&bench, case);
    let Some(before) = calls.checked_sub(1) else {
        return Err("the case does not call its operation".to_owned());
    };
    bench.pass(REST_HOURS);
    let left = left(&bench, case);
    if left.effects == 0 && !case.unseen {
        return Err("the case changes nothing".to_owned());
    }
    bench.pass(LATE_HOURS);
    let late = bench.sandbox.dump().unwrap()["resources"].take();
    Ok(Calm { left, late, before })
}

fn disturbed(case: &Case, calm: &Calm, variant: Variant) -> Result<(), String> {
    let bench = Bench::new(case.organisation);
    let (bench, mut driven) = match variant {
        Variant::Lost => {
            bench.lose_reply(case.service, case.operation, calm.before);
            let driven = bench.start(&case.script);
            (bench, driven)
        }
        Variant::Died | Variant::Late => {
            let (service, operation) = (case.service, case.operation);
            let death = Death { service, operation, after: calm.before, has_effect: true };
            let bench = bench.start_and_die(&case.script, death);
            if variant == Variant::Late {
                bench.pass(LATE_HOURS);
            }
            let driven = bench.resume();
            (bench, driven)
        }
    };
    let mut end = None;
    if driven.end.status == RunStatus::Stuck {
        end = Some(End::Stuck);
        let sent = calls(&bench, case);
        if sent != calm.before + 1 {
            return Err(format!("stuck, and yet sent {} times", sent - calm.before));
        }
        settle(&bench, calm)?;
        driven = bench.resume();
    }
    expect_success(&driven)?;
    let end = end.map_or_else(|| settled_end(&bench, case, calm), Ok)?;
    bench.pass(if variant == Variant::Late { REST_HOURS + LATE_HOURS } else { REST_HOURS });
    let found = left(&bench, case);
    let wanted = if variant == Variant::Late { &calm.late } else { &calm.left.resources };
    if found.resources != *wanted {
        return Err(format!(
            "{end:?}, and the world differs: {}",
            difference(wanted, &found.resources)
        ));
    }
    if found.effects != calm.left.effects {
        return Err(format!("{} effects in place of {}", found.effects, calm.left.effects));
    }
    // Of what is gone nobody can say what the call would have answered.
    if !(end == End::Adopted && removes(case)) {
        answers_agree(&calm.left.answer, &found.answer)?;
    }
    let expected = if variant == Variant::Late { case.late } else { case.soon };
    match end == expected {
        true => Ok(()),
        false => Err(format!("ends {end:?} and not {expected:?}")),
    }
}

fn expect_success(driven: &Driven) -> Result<(), String> {
    match driven.end.status {
        RunStatus::Succeeded => Ok(()),
        other => {
            let error = driven.end.error.as_ref().map(|error| error.message.clone());
            Err(format!("the run is {other}: {}", error.unwrap_or_default()))
        }
    }
}

/// How the engine settled the doubt by itself.
fn settled_end(bench: &Bench, case: &Case, calm: &Calm) -> Result<End, String> {
    let entries = bench.journal().entries(&run(), 0, 10_000).unwrap();
    let settled = entries.iter().rev().find_map(|stored| match &stored.entry.body {
        Body::Settled(settled) => Some(settled.clone()),
        _ => None,
    });
    match settled.map(|settled| settled.how) {
        Some(Settlement::Found { .. }) => Ok(End::Adopted),
        Some(Settlement::Repeat) => Ok(End::Repeated),
        // The SDK sends again by itself what is harmless.
        None if calls(bench, case) == calm.before + 2 => Ok(End::Repeated),
        other => Err(format!("nothing says how it was settled, but {other:?}")),
    }
}

/// A person looks and says what the call made: a candidate, else what it would have answered.
fn settle(bench: &Bench, calm: &Calm) -> Result<(), String> {
    let row = bench.journal().find(&run().0).unwrap();
    let (key, candidates) = row
        .summary
        .reasons()
        .iter()
        .find_map(|reason| match reason {
            Reason::Doubt { key, candidates, .. } => Some((key.clone(), candidates.clone())),
            _ => None,
        })
        .ok_or("stuck about no doubt")?;
    let output = match candidates.as_slice() {
        [] => calm.left.answer.clone(),
        [Candidate { output, .. }] => output.clone(),
        several => return Err(format!("{} candidates in a world with one", several.len())),
    };
    let by = Some("somebody".to_owned());
    let how = Settlement::Adopt { output };
    let settled = Settled { by, ..Settled::by_engine(how, "I looked") };
    let key = Key::from_text(key.as_str());
    bench.journal().post(&run(), &Mail::Settle { key, settled }).unwrap();
    Ok(())
}

/// Whether the operation removes something.
fn removes(case: &Case) -> bool {
    let row = piton_core::catalogue::reviewed(case.service, case.operation);
    row.and_then(|row| row.find.as_ref()).is_some_and(|finder| finder.gone_is_done)
}

/// How often the operation was called.
fn calls(bench: &Bench, case: &Case) -> usize {
    bench.sandbox.log().unwrap().iter().filter(|call| is_of(call, case)).count()
}

fn is_of(call: &piton_sandbox::CallRecord, case: &Case) -> bool {
    call.service == case.service
        && piton_models::names::to_script(&call.operation) == case.operation
}

fn left(bench: &Bench, case: &Case) -> Left {
    let log = bench.sandbox.log().unwrap();
    let entries = bench.journal().entries(&run(), 0, 10_000).unwrap();
    let answer = entries.iter().rev().find_map(|stored| match &stored.entry.body {
        Body::Output(output) => Some(output.value.clone()),
        _ => None,
    });
    Left {
        resources: bench.sandbox.dump().unwrap()["resources"].take(),
        effects: log.iter().filter(|call| is_of(call, case) && call.effect).count(),
        answer: answer.unwrap_or_default(),
    }
}

/// The first place where two worlds differ.
fn difference(wanted: &Value, found: &Value) -> String {
    let first = piton_core::canonical::differences(wanted, found);
    let few: Vec<String> = first
        .iter()
        .take(3)
        .map(|it| format!("{}: {} / {}", it.path, it.recorded, it.asked))
        .collect();
    few.join("; ")
}

/// A script that goes on with what was adopted finds in it what the call would have answered: every
/// member, and the same ids, names and ARNs.
fn answers_agree(wanted: &Value, found: &Value) -> Result<(), String> {
    let (Some(wanted), Some(found)) = (wanted.as_object(), found.as_object()) else {
        return Ok(());
    };
    for (name, value) in wanted {
        let Some(other) = found.get(name).filter(|other| value.is_null() || !other.is_null())
        else {
            if NOT_SHOWN.contains(&name.as_str()) {
                continue;
            }
            return Err(format!("the answer lacks {name}"));
        };
        let lower = name.to_lowercase();
        let is_identity =
            ["id", "arn", "name", "identifier"].iter().any(|end| lower.ends_with(end));
        if value.is_string() && is_identity && value != other {
            return Err(format!("{name} is {other} and not {value}"));
        }
        answers_agree(value, other)?;
    }
    Ok(())
}
