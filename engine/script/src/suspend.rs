//! How an evaluation ends before its script does, so that nothing in the script can prevent it.
//!
//! Rhai's `ErrorTerminated` is not catchable, but Rhai wraps errors of callbacks in one that is, and
//! drops those of comparators. So ending has two parts: the error, and a flag of the thread that
//! every operation of the script and every native function looks at. Once it is set, the script gets
//! nowhere, whatever it caught.

use std::cell::Cell;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::failure::Raise;

/// Why the evaluation of this thread is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halted {
    /// It is not.
    No,
    /// The host said so, and knows why.
    Stopped,
    /// The script computed for too long without any effect.
    Limit,
    /// Something in Piton panicked; the session has the diagnostic.
    Bug,
}

struct Gauge {
    halted: Cell<Halted>,
    operations: Cell<u64>,
    limit: Cell<u64>,
}

thread_local! {
    static GAUGE: Gauge = const {
        Gauge { halted: Cell::new(Halted::No), operations: Cell::new(0), limit: Cell::new(u64::MAX) }
    };
}

/// State of an evaluation around another one on the same thread.
pub(crate) struct Saved(Halted, u64, u64);

/// Starts counting for a new evaluation; [`restore`] goes back to the one around it.
pub(crate) fn begin(limit: u64) -> Saved {
    GAUGE.with(|gauge| {
        Saved(
            gauge.halted.replace(Halted::No),
            gauge.operations.replace(0),
            gauge.limit.replace(limit),
        )
    })
}

pub(crate) fn restore(saved: &Saved) {
    GAUGE.with(|gauge| {
        gauge.halted.set(saved.0);
        gauge.operations.set(saved.1);
        gauge.limit.set(saved.2);
    });
}

/// How many operations the script may take between two durable calls.
pub(crate) fn limit() -> u64 {
    GAUGE.with(|gauge| gauge.limit.get())
}

pub(crate) fn halted() -> Halted {
    GAUGE.with(|gauge| gauge.halted.get())
}

/// Ends the evaluation; the first reason counts. The error is for the native function to return.
pub(crate) fn halt(why: Halted) -> Raise {
    GAUGE.with(|gauge| {
        if gauge.halted.get() == Halted::No {
            gauge.halted.set(why);
        }
    });
    terminated()
}

/// The error of an evaluation that is over.
pub(crate) fn terminated() -> Raise {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
}

/// Refuses to go on when the evaluation is over: the first thing in every native function.
pub(crate) fn check() -> Result<(), Raise> {
    if halted() == Halted::No { Ok(()) } else { Err(terminated()) }
}

/// A durable call was made: the script gets on, and may compute as long again.
pub(crate) fn progressed() {
    GAUGE.with(|gauge| gauge.operations.set(0));
}

/// What Rhai calls for every operation. Its own count is of no use: it forgets what closures do.
pub(crate) fn on_progress(_count: u64) -> Option<Dynamic> {
    GAUGE.with(|gauge| {
        if gauge.halted.get() != Halted::No {
            return Some(Dynamic::UNIT);
        }
        let operations = gauge.operations.get() + 1;
        gauge.operations.set(operations);
        if operations > gauge.limit.get() {
            gauge.halted.set(Halted::Limit);
            return Some(Dynamic::UNIT);
        }
        None
    })
}
