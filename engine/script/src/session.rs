//! The evaluation that the present thread is in: its host, its program, the errors it threw.
//!
//! Native functions are shared by all evaluations, so they find theirs here. A thread is in one
//! evaluation at a time; branches that run on threads of their own enter the session there.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::diagnostic::{Diagnostic, Place};
use rhai::{Dynamic, Module, NativeCallContext, Shared};

use crate::failure::Recorded;
use crate::host::Host;
use crate::program::Compiled;
use crate::suspend::{self, Saved};

/// How many thrown errors are remembered: a script holds a few at a time, in each branch.
const REMEMBERED: usize = 1024;

/// One evaluation.
pub(crate) struct Session {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) program: Arc<Compiled>,
    common: Arc<Common>,
}

/// What the branches of an evaluation share.
#[derive(Default)]
struct Common {
    /// Modules by path, evaluated at their first import.
    modules: Mutex<HashMap<String, Shared<Module>>>,
    thrown: Mutex<Thrown>,
    bug: Mutex<Option<Diagnostic>>,
}

#[derive(Default)]
struct Thrown {
    next: i32,
    recent: VecDeque<(i32, Recorded)>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Session>>> = const { RefCell::new(None) };
}

/// Leaves the session when it goes.
pub(crate) struct Entered {
    outer: Option<Arc<Session>>,
    gauge: Saved,
}

impl Drop for Entered {
    fn drop(&mut self) {
        suspend::restore(&self.gauge);
        CURRENT.with(|current| current.replace(self.outer.take()));
    }
}

impl Session {
    pub(crate) fn new(host: Arc<dyn Host>, program: Arc<Compiled>) -> Self {
        Self { host, program, common: Arc::default() }
    }

    /// The session of a branch, with a host of its own.
    pub(crate) fn of_branch(&self, host: Arc<dyn Host>) -> Self {
        Self { host, program: Arc::clone(&self.program), common: Arc::clone(&self.common) }
    }

    /// Makes this the session of the present thread. `limit` is how many operations the script may
    /// take between two durable calls.
    pub(crate) fn enter(self: &Arc<Self>, limit: u64) -> Entered {
        let outer = CURRENT.with(|current| current.replace(Some(Arc::clone(self))));
        Entered { outer, gauge: suspend::begin(limit) }
    }

    /// The session of the present thread.
    ///
    /// # Panics
    /// Outside an evaluation: nothing calls native functions there.
    pub(crate) fn current() -> Arc<Self> {
        CURRENT
            .with(|current| current.borrow().clone())
            .expect("native functions are only called inside an evaluation")
    }

    /// Where a native function was called.
    pub(crate) fn place(&self, context: &NativeCallContext<'_>) -> Option<Place> {
        self.program.place_of_call(
            context.call_source(),
            context.call_position(),
            context.fn_name(),
        )
    }

    pub(crate) fn module(&self, path: &str) -> Option<Shared<Module>> {
        lock(&self.common.modules).get(path).cloned()
    }

    pub(crate) fn keep_module(&self, path: &str, module: Shared<Module>) {
        lock(&self.common.modules).insert(path.to_owned(), module);
    }

    /// Remembers a thrown error; the number marks the map that the script gets.
    pub(crate) fn record(&self, recorded: Recorded) -> i32 {
        let mut thrown = lock(&self.common.thrown);
        thrown.next = thrown.next.checked_add(1).unwrap_or(1);
        if thrown.recent.len() == REMEMBERED {
            thrown.recent.pop_front();
        }
        let number = thrown.next;
        thrown.recent.push_back((number, recorded));
        number
    }

    /// The error that a script's value stands for, when the script did not change it.
    pub(crate) fn recall(&self, value: &Dynamic) -> Option<Recorded> {
        let number = value.tag();
        let map = value.as_map_ref().ok()?;
        let thrown = lock(&self.common.thrown);
        let (_, recorded) = thrown.recent.iter().find(|(known, _)| *known == number)?;
        let same = |name: &str, text: &str| {
            map.get(name)
                .and_then(|value| value.as_immutable_string_ref().ok().map(|found| *found == text))
                .unwrap_or(false)
        };
        let unchanged =
            same("code", &recorded.thrown.code) && same("message", &recorded.thrown.message);
        unchanged.then(|| recorded.clone())
    }

    /// Keeps the diagnostic of a panic; the first one counts.
    pub(crate) fn report_bug(&self, diagnostic: Diagnostic) {
        lock(&self.common.bug).get_or_insert(diagnostic);
    }

    pub(crate) fn bug(&self) -> Option<Diagnostic> {
        lock(&self.common.bug).clone()
    }
}

/// A panic elsewhere leaves nothing half done in these: each is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
