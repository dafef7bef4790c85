//! `parallel` and `parallel_map`: concurrent branches, each with copies of what it captured.
//!
//! The host says which branch may begin and what the group comes to; the threads and the closures
//! are here. Branches share nothing: Rhai would answer two threads that use one variable with an
//! error that depends on timing. So what a closure captured is copied before its branch begins, and
//! what it returns is plain data.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};

use piton_core::diagnostic::{Code, Diagnostic};
use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, Module, NativeCallContext};
use serde_json::{Value, json};

use super::{add, closure, usage};
use crate::callback::Callback;
use crate::evaluate::STACK_BYTES;
use crate::failure::{self, Native, Raise, durable, panic_text};
use crate::host::{BranchEnd, GroupKind, GroupSpec, Halt, Thrown};
use crate::options::Options;
use crate::raised;
use crate::session::Session;
use crate::suspend::{self, Halted};
use crate::value::{self, Secrets};

/// Branches of `parallel_map` that run at a time when nobody says otherwise.
const MAX: u32 = 4;
/// More threads than that help nobody.
const MOST: u32 = 256;
/// Letters of an item that people see.
const LABEL: usize = 60;
/// Failures that an error names.
const NAMED: usize = 3;

pub(super) fn register(module: &mut Module) {
    add(module, "parallel", |context: NativeCallContext<'_>, branches: Dynamic| {
        parallel(&context, &branches)
    });
    add(module, "parallel_map", |context: NativeCallContext<'_>, list: Dynamic, body: Dynamic| {
        parallel_map(&context, &list, &body, Map::new().into())
    });
    add(
        module,
        "parallel_map",
        |context: NativeCallContext<'_>, list: Dynamic, body: Dynamic, options: Dynamic| {
            parallel_map(&context, &list, &body, options)
        },
    );
}

/// What one branch calls.
struct Body {
    closure: FnPtr,
    /// The item and its index.
    item: Option<(Dynamic, i64)>,
}

/// What came of one branch.
enum Outcome {
    Value(Value),
    Raised(Raise),
    /// The evaluation cannot go on, and why.
    Broken(Halted, Option<Raise>),
}

fn parallel(context: &NativeCallContext<'_>, branches: &Dynamic) -> Native {
    let found = value::describe(branches);
    let Some(branches) = branches.flatten_clone().try_cast::<Map>() else {
        return Err(failure::bad_argument_hint(
            context,
            format!("`parallel` takes a map of closures, found {found}"),
            usage("parallel").unwrap_or_default(),
        ));
    };
    let mut names = Vec::new();
    let mut bodies = Vec::new();
    for (name, body) in &branches {
        if name.trim().is_empty() {
            return Err(failure::bad_argument(context, "a branch of `parallel` has no name"));
        }
        names.push(name.to_string());
        bodies.push(Body { closure: closure(context, body)?, item: None });
    }
    if bodies.is_empty() {
        return Ok(Map::new().into());
    }
    let spec = GroupSpec {
        by: GroupKind::Parallel,
        max: names.len(),
        names: names.clone(),
        labels: Vec::new(),
        tolerate: 0,
        ramp: false,
    };
    let Joined { outcomes, raised } = run(context, spec, &bodies)?;
    if let Some((index, _)) = raised {
        return Err(raise_branch(context, outcomes, index, &names[index].clone().into()));
    }
    let values = names.into_iter().zip(outcomes).map(|(name, outcome)| match outcome {
        Some(Outcome::Value(value)) => (name.into(), value::from_json(value)),
        _ => unreachable!("a group without an error has the value of each branch"),
    });
    Ok(values.collect::<Map>().into())
}

fn parallel_map(
    context: &NativeCallContext<'_>,
    list: &Dynamic,
    body: &Dynamic,
    options: Dynamic,
) -> Native {
    let found = value::describe(list);
    let Some(items) = list.flatten_clone().try_cast::<Array>() else {
        return Err(failure::bad_argument_hint(
            context,
            format!("`parallel_map` takes a list first, found {found}"),
            usage("parallel_map").unwrap_or_default(),
        ));
    };
    let closure = closure(context, body)?;
    let mut options = Options::new(context, "parallel_map", options, &["max", "tolerate", "ramp"])?;
    let max = options.count("max", 1, MOST)?.unwrap_or(MAX);
    let tolerate = tolerated(&mut options, items.len())?;
    let ramp = options.boolean("ramp")?.unwrap_or(false);
    if items.is_empty() {
        return Ok(Array::new().into());
    }
    let labels: Vec<String> = items.iter().map(label).collect();
    let spec = GroupSpec {
        by: GroupKind::ParallelMap,
        names: (0..items.len()).map(|index| index.to_string()).collect(),
        labels: if labels.iter().all(String::is_empty) { Vec::new() } else { labels },
        max: usize::try_from(max).unwrap_or(usize::MAX),
        tolerate: tolerate.unwrap_or(0),
        ramp,
    };
    let bodies: Vec<Body> = (0_i64..)
        .zip(items)
        .map(|(index, item)| Body { closure: closure.clone(), item: Some((item, index)) })
        .collect();
    let Joined { outcomes, raised } = run(context, spec, &bodies)?;
    match (tolerate, raised) {
        (None, Some((index, _))) => {
            let index_of = i64::try_from(index).unwrap_or(i64::MAX);
            Err(raise_branch(context, outcomes, index, &index_of.into()))
        }
        (None, None) => {
            let values = outcomes.into_iter().map(|outcome| match outcome {
                Some(Outcome::Value(value)) => value::from_json(value),
                _ => unreachable!("a group without an error has the value of each branch"),
            });
            Ok(values.collect::<Array>().into())
        }
        (Some(_), None) => Ok(table(bodies, outcomes).into()),
        (Some(limit), Some((_, key))) => Err(too_many(context, bodies, outcomes, limit, key)),
    }
}

/// How many items may fail: a number, or a share of all, rounded down.
fn tolerated(options: &mut Options<'_>, items: usize) -> Native<Option<usize>> {
    let given = options.plain("tolerate", Secrets::Refused)?;
    let count = match &given {
        None => return Ok(None),
        Some(Value::Number(number)) => {
            number.as_u64().and_then(|count| usize::try_from(count).ok())
        }
        Some(Value::String(text)) => text
            .strip_suffix('%')
            .and_then(|share| share.trim().parse::<usize>().ok())
            .filter(|share| *share <= 100)
            .map(|share| items * share / 100),
        Some(_) => None,
    };
    match count {
        Some(count) => Ok(Some(count)),
        None => Err(options.wrong("tolerate", "is a whole number or a share such as \"10%\"")),
    }
}

/// What people see of an item: a text, a number, or a map's `name`.
fn label(item: &Dynamic) -> String {
    let item = item.flatten_clone();
    let named = item.as_map_ref().ok().and_then(|map| map.get("name").cloned());
    let shown = named.unwrap_or(item);
    let text = match (shown.as_immutable_string_ref(), shown.as_int()) {
        (Ok(text), _) => text.to_string(),
        (_, Ok(number)) => number.to_string(),
        _ => return String::new(),
    };
    text.lines().next().unwrap_or_default().chars().take(LABEL).collect()
}

/// What came of a group of branches.
struct Joined {
    /// Of each branch; nothing of one that was stopped or never began.
    outcomes: Vec<Option<Outcome>>,
    /// The branch whose error the script gets, and the group's key.
    raised: Option<(usize, String)>,
}

/// Runs the branches.
fn run(context: &NativeCallContext<'_>, spec: GroupSpec, bodies: &[Body]) -> Native<Joined> {
    let session = Session::current();
    let limit = suspend::limit();
    let group = durable(context, |session| Arc::clone(&session.host).branches(spec))?;
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new(bodies.iter().map(|_| None).collect());
    let keep = |index: usize, outcome: Outcome| {
        outcomes.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(outcome);
    };
    thread::scope(|scope| {
        while let Some(index) = group.next() {
            let body = &bodies[index];
            let callback = Callback::new(context, unshared_closure(body.closure.clone()));
            let item = body.item.clone().map(|(item, index)| (unshared(item), index));
            let own = Arc::new(session.of_branch(group.host(index)));
            let (group, keep) = (&group, &keep);
            let work = move || {
                group.run(index, &mut || {
                    let (end, outcome) = evaluate(&own, limit, &callback, item.clone());
                    if let Some(outcome) = outcome {
                        keep(index, outcome);
                    }
                    end
                });
            };
            let thread = Builder::new().name("branch".to_owned()).stack_size(STACK_BYTES);
            if let Err(error) = thread.spawn_scoped(scope, work) {
                group.abandon(index, &format!("the thread of a branch cannot start: {error}"));
            }
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let broken = outcomes.iter_mut().find(|one| matches!(one, Some(Outcome::Broken(..))));
    if let Some(Outcome::Broken(why, error)) = broken.and_then(Option::take) {
        let terminated = suspend::halt(why);
        return Err(error.unwrap_or(terminated));
    }
    let end = durable(context, |_| group.close())?;
    let raised = end.raised.map(|index| (index, end.key.as_str().to_owned()));
    Ok(Joined { outcomes, raised })
}

/// Evaluates a branch on the present thread.
fn evaluate(
    session: &Arc<Session>,
    limit: u64,
    callback: &Callback<'_>,
    item: Option<(Dynamic, i64)>,
) -> (BranchEnd, Option<Outcome>) {
    let _entered = session.enter(limit);
    let called = catch_unwind(AssertUnwindSafe(|| match item {
        None => callback.call([]),
        Some((item, index)) => {
            callback.call_element(None, [item], [Dynamic::from_int(index)], None)
        }
    }));
    let broken = |why, error| (BranchEnd::Broken, Some(Outcome::Broken(why, error)));
    let raised = |error: Raise| {
        let recorded = match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => session.recall(value),
            _ => None,
        };
        let thrown = recorded.filter(|one| one.from_host).map(|one| Box::new(one.thrown));
        (BranchEnd::Raised(thrown), Some(Outcome::Raised(error)))
    };
    match (suspend::halted(), called) {
        (Halted::Stopped, _) => (BranchEnd::Stopped, None),
        (why @ (Halted::Limit | Halted::Bug), called) => {
            broken(why, called.ok().and_then(Result::err))
        }
        (Halted::No, Ok(Ok(value))) => returned(session, callback, &value)
            .map_or_else(raised, |value| (BranchEnd::Returned, Some(Outcome::Value(value)))),
        (Halted::No, Ok(Err(error))) => match *error {
            // `exit` in a branch ends the branch.
            EvalAltResult::Exit(value, _) => returned(session, callback, &value)
                .map_or_else(raised, |value| (BranchEnd::Returned, Some(Outcome::Value(value)))),
            error => raised(error.into()),
        },
        (Halted::No, Err(panic)) => {
            let message = format!("a branch panicked: {}", panic_text(&*panic));
            session.report_bug(Diagnostic::error(Code::Bug, message));
            broken(Halted::Bug, None)
        }
    }
}

/// What a branch hands back, as plain data.
fn returned(session: &Session, callback: &Callback<'_>, value: &Dynamic) -> Native<Value> {
    value::to_json(value, Secrets::Handles).map_err(|problem| {
        let message = problem.sentence("what the branch returns");
        let diagnostic = Diagnostic::error(Code::NotPlainData, message);
        failure::raise_at(session, diagnostic, callback.place(session))
    })
}

/// The error of a branch, as the script gets it.
fn raise_branch(
    context: &NativeCallContext<'_>,
    mut outcomes: Vec<Option<Outcome>>,
    index: usize,
    branch: &Dynamic,
) -> Raise {
    let Some(Outcome::Raised(error)) = outcomes[index].take() else {
        unreachable!("the host names a branch that raised");
    };
    if !error.is_catchable() {
        return error;
    }
    let frame = raised::branch_frame(&branch.to_string());
    let source = context.call_source().unwrap_or_default().to_owned();
    let error = with_branch(*error, branch).into();
    EvalAltResult::ErrorInFunctionCall(frame, source, error, context.call_position()).into()
}

/// The same error; a map that was thrown says in which branch.
fn with_branch(error: EvalAltResult, branch: &Dynamic) -> EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
            let inner = with_branch(*inner, branch).into();
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position)
        }
        EvalAltResult::ErrorInModule(file, inner, position) => {
            EvalAltResult::ErrorInModule(file, with_branch(*inner, branch).into(), position)
        }
        EvalAltResult::ErrorRuntime(mut value, position) => {
            if let Some(mut map) = value.write_lock::<Map>() {
                map.insert("branch".into(), branch.clone());
            }
            EvalAltResult::ErrorRuntime(value, position)
        }
        other => other,
    }
}

/// What became of each item.
fn table(bodies: Vec<Body>, outcomes: Vec<Option<Outcome>>) -> Array {
    let session = Session::current();
    let row = |(body, outcome): (Body, Option<Outcome>)| -> Dynamic {
        let (item, index) = body.item.unwrap_or((Dynamic::UNIT, 0));
        let (state, value, error) = match outcome {
            Some(Outcome::Value(value)) => ("done", value::from_json(value), Dynamic::UNIT),
            Some(Outcome::Raised(error)) => {
                ("failed", Dynamic::UNIT, error_map(&session, &error, index).into())
            }
            Some(Outcome::Broken(..)) | None => ("stopped", Dynamic::UNIT, Dynamic::UNIT),
        };
        let members: [(&str, Dynamic); 6] = [
            ("index", index.into()),
            ("item", item),
            ("ok", (state == "done").into()),
            ("value", value),
            ("error", error),
            ("state", state.into()),
        ];
        members.into_iter().map(|(name, value)| (name.into(), value)).collect::<Map>().into()
    };
    bodies.into_iter().zip(outcomes).map(row).collect()
}

/// An error as the map that `catch` would get; one that is no map becomes one.
fn error_map(session: &Session, error: &EvalAltResult, index: i64) -> Map {
    let thrown = match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(value, _) => value.read_lock::<Map>().map(|map| map.clone()),
        _ => None,
    };
    let mut map = thrown.unwrap_or_else(|| {
        let diagnostic = raised::read(session, error).diagnostic;
        failure::error_map(&diagnostic)
    });
    map.insert("branch".into(), index.into());
    map
}

/// More items failed than may.
fn too_many(
    context: &NativeCallContext<'_>,
    bodies: Vec<Body>,
    outcomes: Vec<Option<Outcome>>,
    limit: usize,
    key: String,
) -> Raise {
    let count = bodies.len();
    let rows = table(bodies, outcomes);
    let table = value::to_json(&rows.into(), Secrets::Masked).unwrap_or(Value::Null);
    let failed: Vec<&Value> =
        table.as_array().into_iter().flatten().filter(|row| row["state"] == "failed").collect();
    let first: Vec<String> = failed
        .iter()
        .take(NAMED)
        .map(|row| {
            let why = row["error"]["message"].as_str().unwrap_or_default();
            format!("item {}: {why}", row["index"])
        })
        .collect();
    let message =
        format!("{} of {count} items failed, and {limit} may: {}", failed.len(), first.join("; "));
    let diagnostic = Diagnostic::error(Code::TooManyFailed, message.clone())
        .hint("mend the cause, then `piton resume RUN --retry` repeats what failed, nothing else");
    let thrown = Thrown {
        code: "TooManyFailed".to_owned(),
        message,
        service: None,
        operation: None,
        http_status: None,
        request_id: None,
        retryable: false,
        key: Some(key),
        details: json!(table),
        diagnostic: Some(diagnostic),
    };
    failure::raise_halt(&Session::current(), context, Halt::Thrown(Box::new(thrown)))
}

/// A copy that shares nothing with the original.
fn unshared(value: Dynamic) -> Dynamic {
    let mut value = value.flatten();
    if let Some(mut items) = value.write_lock::<Array>() {
        for item in items.iter_mut() {
            *item = unshared(std::mem::take(item));
        }
    }
    if let Some(mut members) = value.write_lock::<Map>() {
        for member in members.values_mut() {
            *member = unshared(std::mem::take(member));
        }
    }
    if let Some(mut closure) = value.write_lock::<FnPtr>() {
        let copy = unshared_closure(closure.clone());
        *closure = copy;
    }
    value
}

fn unshared_closure(mut closure: FnPtr) -> FnPtr {
    for captured in closure.iter_curry_mut() {
        *captured = unshared(std::mem::take(captured));
    }
    closure
}
