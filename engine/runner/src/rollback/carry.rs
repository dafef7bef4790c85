//! A plan, carried out call by call. The first call that fails stops it: what comes later may be what
//! the failed one still needs.

use piton_core::catalogue::{self, Class, Found, Stage, States, part};
use piton_core::compensation::{Back, Item, Plan};
use piton_core::entry::{Body, Intent, Resumed};
use piton_core::key::Key;
use piton_core::status::Reason;
use piton_core::time::{Span, Timestamp};
use piton_script::host::{Halt, Host as _, RetrySpec, ScriptCall, Thrown, WaitSpec};
use serde_json::{Value, json};

use super::begin::{as_call, class_of};
use super::looks::{Outlook, outlooks};
use super::shape::fitted;
use crate::drive::{Driver, Ending};

/// Time between looks at a state.
const EVERY: Span = Span::from_secs(10);
/// How long a state may take to come.
const GIVE_UP: Span = Span::from_secs(2 * 3600);
/// How long a thing may stay unseen that a call is known to have made.
const UNSEEN: Span = Span::from_secs(120);
/// How long AWS may say that a thing is still in use after what used it was taken back.
const IN_USE: Span = Span::from_secs(300);

/// How often a call is made again whose end AWS gave up.
const REPEATS_MAX: u32 = 5;

/// Error codes that mean: something that was just taken back is still seen.
const STILL_IN_USE: [&str; 6] = [
    "ConflictException",
    "DeleteConflict",
    "DeleteConflictException",
    "ConcurrentModificationException",
    "ResourceInUseException",
    "BucketNotEmpty",
];

/// What became of the items.
#[derive(Default)]
struct Tally {
    taken_back: u64,
    gone: u64,
    left: Vec<String>,
}

/// Carries a plan out.
pub(super) fn carry_out(driver: &Driver, plan: &Plan) -> Result<(), Halt> {
    tell_what_stays(driver, plan)?;
    let outlooks = outlooks(driver, plan)?;
    let mut tally = Tally::default();
    for (item, outlook) in plan.items.iter().zip(outlooks) {
        match outlook {
            Outlook::Gone => tally.gone += 1,
            Outlook::Replaced => {
                let why = "another one has its name now, which the run did not make";
                leave(driver, &mut tally, item, why)?;
            }
            Outlook::Kept => leave(driver, &mut tally, item, "it was changed since")?,
            Outlook::There => {
                driver.open_step(&item.what)?;
                let was_taken = take_back(driver, item)?;
                driver.close_step(true)?;
                match was_taken {
                    Taken::Back => tally.taken_back += 1,
                    Taken::Gone => tally.gone += 1,
                    Taken::Left => leave(driver, &mut tally, item, "a person wants it left")?,
                }
            }
        }
    }
    driver.output("taken_back", json!(tally.taken_back))?;
    driver.output("gone_already", json!(tally.gone))?;
    driver.output("left", json!(tally.left))
}

/// What nothing takes back is said before anything is sent.
fn tell_what_stays(driver: &Driver, plan: &Plan) -> Result<(), Halt> {
    for stay in plan.stays.iter().filter(|stay| stay.goes_with.is_none()) {
        driver.note(&format!("stays: {} ({}): {}", stay.what, stay.made_by, stay.why))?;
    }
    for item in &plan.items {
        if let Some(remains) = &item.remains {
            driver.note(&format!("remains of {}: {remains}", item.what))?;
        }
    }
    Ok(())
}

fn leave(driver: &Driver, tally: &mut Tally, item: &Item, why: &str) -> Result<(), Halt> {
    tally.left.push(item.what.clone());
    driver.note(&format!("left as it is: {}: {why}", item.what))
}

/// What became of an item, or of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Back,
    /// AWS knows nothing of it any more.
    Gone,
    /// A person said to go on without it.
    Left,
}

fn take_back(driver: &Driver, item: &Item) -> Result<Taken, Halt> {
    await_settled(driver, item)?;
    let mut outcome = Taken::Gone;
    for back in &item.calls {
        for input in inputs(driver, back)? {
            match undo_one(driver, item, back, input, 0)? {
                Taken::Left => return Ok(Taken::Left),
                Taken::Back => outcome = Taken::Back,
                Taken::Gone => {}
            }
        }
    }
    Ok(outcome)
}

/// What the call began may still be on its way: AWS takes nothing back before it arrived.
fn await_settled(driver: &Driver, item: &Item) -> Result<(), Halt> {
    let Some(states) = &item.settles else { return Ok(()) };
    let (service, _) = item.made_by.split_once('.').unwrap_or((&item.made_by, ""));
    let call = as_call(service, &states.read, &item.account, states.input.clone(), Class::Read);
    let mut look = || {
        let answer = match driver.call(call.clone()) {
            Ok(answer) => answer,
            // What cannot be read is on its way to nowhere.
            Err(Halt::Thrown(_)) => return Ok(json!({ "is": "settled" })),
            Err(halt) => return Err(halt),
        };
        let unseen = part(&answer, &states.path).is_null();
        let is = match states.stage(&answer) {
            Stage::Underway => "underway",
            Stage::Unknown if unseen => "unseen",
            _ => "settled",
        };
        Ok(json!({ "is": is }))
    };
    let name = format!("{} has settled", item.what);
    let spec = |ok: &[&str], give_up: Span| WaitSpec {
        name: name.clone(),
        path: "is".to_owned(),
        ok: ok.iter().map(|state| json!(state)).collect(),
        fail: Vec::new(),
        gone: Vec::new(),
        every: EVERY,
        give_up,
    };
    // What is not seen at all gets a shorter time than what is on its way.
    match driver.wait_until(spec(&["settled", "underway"], UNSEEN), &mut look) {
        Ok(seen) if seen["is"] == json!("underway") => {}
        Ok(_) => return Ok(()),
        Err(Halt::Thrown(thrown)) if thrown.code == "GaveUp" => return Ok(()),
        Err(halt) => return Err(halt),
    }
    match driver.wait_until(spec(&["settled"], GIVE_UP), &mut look) {
        Err(Halt::Thrown(thrown)) => Err(stuck(driver, item, &item.made_by, &thrown, None)),
        other => other.map(drop),
    }
}

/// The inputs of a call: one, or one for each thing that is found.
fn inputs(driver: &Driver, back: &Back) -> Result<Vec<Value>, Halt> {
    let Back { service, account, inverse, .. } = back;
    let fit = |input: Value| fitted(service, &inverse.operation, input);
    let Some(look) = &inverse.each else { return Ok(vec![fit(inverse.input.clone())]) };
    let call = as_call(service, &look.operation, account, look.input.clone(), Class::Read);
    let answer = match driver.call(call) {
        Ok(answer) => answer,
        Err(Halt::Thrown(thrown)) if is_gone(&thrown) || look.none_on.contains(&thrown.code) => {
            return Ok(Vec::new());
        }
        Err(Halt::Thrown(thrown)) => {
            driver.note(&format!(
                "{service}.{} was refused ({}): what it would have shown is not taken back",
                look.operation, thrown.code
            ))?;
            return Ok(Vec::new());
        }
        Err(halt) => return Err(halt),
    };
    Ok(look.things(&answer).into_iter().map(|found| fit(inverse.input_for(found))).collect())
}

fn undo_one(
    driver: &Driver,
    item: &Item,
    back: &Back,
    input: Value,
    repeats: u32,
) -> Result<Taken, Halt> {
    let operation = &back.inverse.operation;
    let class = match class_of(&back.service, operation) {
        // Removing twice removes once: what is gone counts as removed.
        Class::Unsafe if removes(operation) => Class::Put,
        class => class,
    };
    let call = as_call(&back.service, operation, &back.account, input, class);
    let name = format!("{}.{operation}", back.service);
    let patience = RetrySpec {
        name: name.clone(),
        on: STILL_IN_USE.map(str::to_owned).to_vec(),
        every: EVERY,
        give_up: IN_USE,
    };
    let output = match driver.retry(patience, &mut || driver.call(call.clone())) {
        Ok(Value::Null) => return Ok(Taken::Left),
        Ok(output) => output,
        Err(Halt::Thrown(thrown)) => match refused(driver, back, &call, &thrown)? {
            Some(Taken::Back) => Value::Null,
            Some(taken) => return Ok(taken),
            None => return Err(stuck(driver, item, &name, &thrown, None)),
        },
        Err(halt) => return Err(halt),
    };
    let Some(states) = &back.states else { return Ok(Taken::Back) };
    match await_end(driver, item, &call, states, &output)? {
        Awaited::Ended => Ok(Taken::Back),
        // AWS ran out of time, and has to be asked again.
        Awaited::Again if repeats < REPEATS_MAX => {
            undo_one(driver, item, back, call.input, repeats + 1)
        }
        Awaited::Again => {
            let sent = driver.state().machine.last_mutating().cloned();
            let thrown = Thrown {
                code: "GaveUp".to_owned(),
                message: format!("AWS gave it up {REPEATS_MAX} times"),
                service: None,
                operation: None,
                http_status: None,
                request_id: None,
                retryable: false,
                key: None,
                details: Value::Null,
                diagnostic: None,
            };
            Err(stuck(driver, item, &name, &thrown, sent.as_ref()))
        }
    }
}

/// What a refusal means: gone already, on its way out, or (nothing) that it failed.
fn refused(
    driver: &Driver,
    back: &Back,
    call: &ScriptCall,
    thrown: &Thrown,
) -> Result<Option<Taken>, Halt> {
    if is_gone(thrown) {
        return Ok(Some(Taken::Gone));
    }
    if is_forbidden(thrown) {
        // DataZone forbids to look at what is gone. That counts when the call before a crash, of which
        // nobody heard, may have been what removed it.
        let key = thrown.key.as_deref().map(Key::from_text);
        let was_sent_before = match key {
            Some(key) => driver.was_in_doubt(&key)?,
            None => false,
        };
        return Ok(was_sent_before.then_some(Taken::Gone));
    }
    if is_not_there(driver, call)? {
        return Ok(Some(Taken::Gone));
    }
    let Some(states) = &back.states else { return Ok(None) };
    let input = states.read_input(&call.input, &Value::Null);
    match read(driver, call, &states.read, input)? {
        Some(answer) => Ok(states.is_leaving(&answer).then_some(Taken::Back)),
        None => Ok(None),
    }
}

/// Whether what a refused call was to remove is not there: some services say so with a code that has
/// other meanings.
fn is_not_there(driver: &Driver, call: &ScriptCall) -> Result<bool, Halt> {
    let row = catalogue::reviewed(&call.service, &call.operation);
    let Some(finder) = row.and_then(|row| row.find.as_ref()).filter(|finder| finder.gone_is_done)
    else {
        return Ok(false);
    };
    let input = finder.search_input(&call.input);
    let found = read(driver, call, &finder.operation, input)?;
    Ok(found.is_some_and(|answer| {
        finder.judge(&call.input, &answer, Timestamp::from_millis(0)) == Found::Nothing
    }))
}

/// A read in the name of a call; nothing when AWS refuses it.
fn read(
    driver: &Driver,
    of: &ScriptCall,
    operation: &str,
    input: Value,
) -> Result<Option<Value>, Halt> {
    match driver.call(as_call(&of.service, operation, &of.account, input, Class::Read)) {
        Ok(answer) => Ok(Some(answer)),
        Err(Halt::Thrown(_)) => Ok(None),
        Err(halt) => Err(halt),
    }
}

/// How a wait for the end of a call came out.
enum Awaited {
    Ended,
    /// It failed in a way in which the same call may still succeed.
    Again,
}

/// Waits until what was asked for has come to its end.
fn await_end(
    driver: &Driver,
    item: &Item,
    call: &ScriptCall,
    states: &States,
    output: &Value,
) -> Result<Awaited, Halt> {
    let input = states.read_input(&call.input, output);
    let read = as_call(&call.service, &states.read, &call.account, input, Class::Read);
    let sent = driver.state().machine.last_mutating().cloned();
    let texts = |states: &[String]| states.iter().map(|state| json!(state)).collect();
    let mut gone = states.gone.clone();
    gone.extend(["ResourceNotFoundException".to_owned()]);
    let spec = WaitSpec {
        name: format!("{} is taken back", item.what),
        path: states.path.clone(),
        ok: texts(&states.ok),
        fail: texts(&states.fail),
        gone,
        every: EVERY,
        give_up: GIVE_UP,
    };
    match driver.wait_until(spec, &mut || driver.call(read.clone())) {
        Ok(_) => Ok(Awaited::Ended),
        Err(Halt::Thrown(thrown)) if states.calls_again(&thrown.details["value"]) => {
            Ok(Awaited::Again)
        }
        Err(Halt::Thrown(thrown)) => {
            let name = format!("{}.{}", call.service, call.operation);
            Err(stuck(driver, item, &name, &thrown, sent.as_ref()))
        }
        Err(halt) => Err(halt),
    }
}

/// Stops the rollback at a call that failed. A new attempt begins at that call, or at the one whose
/// end did not come.
fn stuck(
    driver: &Driver,
    item: &Item,
    operation: &str,
    thrown: &Thrown,
    sent: Option<&Key>,
) -> Halt {
    let key = match (sent, &thrown.key) {
        (Some(key), _) => key.clone(),
        (None, Some(key)) => Key::from_text(key.clone()),
        (None, None) => Key::from_text(""),
    };
    let retry_from = match driver.first_seq_of(&key) {
        Ok(seq) => seq,
        Err(halt) => return halt,
    };
    let reason = Reason::NotTakenBack {
        key,
        operation: operation.to_owned(),
        what: item.what.clone(),
        message: thrown.message.clone(),
        retry_from,
    };
    driver.suspend(&mut driver.state(), reason)
}

/// Whether an error says that there is no such thing.
fn is_gone(thrown: &Thrown) -> bool {
    const ENDINGS: [&str; 5] =
        ["NotFound", "NotFoundException", "NotFoundFault", "NoSuchEntity", "NoSuchEntityException"];
    thrown.http_status == Some(404)
        || thrown.code.starts_with("NoSuch")
        || ENDINGS.iter().any(|ending| thrown.code.ends_with(ending))
}

fn is_forbidden(thrown: &Thrown) -> bool {
    thrown.http_status == Some(403) || thrown.code.starts_with("AccessDenied")
}

/// Whether an operation only takes something away, by its verb.
fn removes(operation: &str) -> bool {
    const VERBS: [&str; 7] =
        ["delete", "remove", "detach", "disassociate", "deregister", "revoke", "untag"];
    VERBS.iter().any(|verb| operation.strip_prefix(verb).is_some_and(|rest| rest.starts_with('_')))
}

impl Driver {
    /// Whether a call was in doubt before it had its outcome: a process ended in between.
    fn was_in_doubt(&self, key: &Key) -> Result<bool, Halt> {
        let mut sent = false;
        let mut was_in_doubt = false;
        self.each_entry(|_, entry_key, body| match body {
            Body::Intent(Intent { .. }) if entry_key == Some(key) => {
                sent = true;
                was_in_doubt = false;
            }
            Body::Outcome(_) if entry_key == Some(key) => sent = false,
            Body::Resumed(Resumed { .. }) => was_in_doubt |= sent,
            _ => {}
        })?;
        Ok(was_in_doubt)
    }

    /// The position of the first entry of a key that is not void.
    fn first_seq_of(&self, key: &Key) -> Result<u64, Halt> {
        let summary = self.state().recorder.summary();
        let mut first = None;
        self.each_entry(|seq, entry_key, _| {
            if entry_key == Some(key) && !summary.is_void(seq, entry_key) {
                first.get_or_insert(seq);
            }
        })?;
        let last = self.state().recorder.seq();
        Ok(first.unwrap_or(last))
    }

    fn each_entry(&self, mut look: impl FnMut(u64, Option<&Key>, &Body)) -> Result<(), Halt> {
        self.commit(&mut self.state())?;
        let mut after = 0;
        loop {
            let entries = self.engine.ports.journal.entries(&self.run, after, 512);
            let entries =
                entries.map_err(|error| self.end(&mut self.state(), Ending::Journal(error)))?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.seq;
            for stored in &entries {
                look(stored.seq, stored.entry.key.as_ref(), &stored.entry.body);
            }
        }
    }
}
