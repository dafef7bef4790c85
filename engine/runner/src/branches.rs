//! Concurrent branches: who may begin, who stops when one fails, what the group comes to.
//!
//! Each branch has a driver, a replay machine and a thread of its own. A branch that waits for a
//! person or for time ends its thread, and the others go on; when all are over or wait, the run
//! suspends with all that is waited for. A branch that fails lets the others come to a durable point:
//! the outcome of what they are doing is recorded, and they stop before their next effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use piton_core::canonical::Digest;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, BranchVoid, BranchesClosed, BranchesOpened};
use piton_core::event::EventKind;
use piton_core::key::{branch_of, is_within};
use piton_core::reader::EntryReader;
use piton_core::replay::{EntrySource, GroupStep, Machine};
use piton_core::status::Reason;
use piton_core::time::Timestamp;
use piton_script::host::{BranchEnd, Branches, GroupEnd, GroupSpec, Halt, Host, Thrown};

use crate::drive::{Driver, Ending, FailedGroup, State};
use crate::turns::{self, Pause};

/// The place of a branch among others.
pub(crate) struct Branch {
    /// Its seat, where branches take turns.
    pub(crate) seat: u64,
    /// What stops it.
    pub(crate) signal: Arc<Signal>,
}

/// Whether the branches of a group may go beyond what is recorded.
pub(crate) struct Signal {
    /// The group's end is recorded.
    is_closed: bool,
    /// A branch failed.
    failed: AtomicBool,
    /// The group that this one is inside of.
    around: Option<Arc<Self>>,
}

impl Signal {
    /// Whether the end of the group is recorded, or of one around it: nothing in it is open any more.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_closed || self.around.as_ref().is_some_and(|around| around.is_recorded())
    }

    /// Whether a branch stops before its next effect.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closed
            || self.failed.load(Ordering::SeqCst)
            || self.around.as_ref().is_some_and(|around| around.is_over())
    }
}

/// A group of branches that is going on.
struct Group {
    parent: Arc<Driver>,
    spec: GroupSpec,
    step: GroupStep,
    /// Position of its opening, and when that was.
    opened: (u64, Timestamp),
    signal: Arc<Signal>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

struct Progress {
    slots: Vec<Slot>,
    /// The branch that begins next.
    next: usize,
    running: usize,
    failed: usize,
    /// How many may run at a time now.
    width: usize,
    /// Where the present wave of a ramp began.
    wave: usize,
}

enum Slot {
    Unstarted,
    Running(Arc<Driver>),
    Over(Over),
}

/// What is left of a branch.
struct Over {
    fate: Fate,
    ancestry: Digest,
    ending: Option<Ending>,
}

enum Fate {
    Returned,
    Raised {
        key: Option<String>,
        /// What a retry makes void.
        voids: Vec<BranchVoid>,
    },
    /// It waits, or was stopped.
    Stopped,
}

impl Driver {
    /// See [`Host::branches`].
    pub(crate) fn open_branches(
        self: Arc<Self>,
        spec: GroupSpec,
    ) -> Result<Box<dyn Branches>, Halt> {
        self.refuse_in_modes(spec.by.as_str())?;
        let group = BranchesOpened {
            by: spec.by,
            branches: spec.names.clone(),
            labels: spec.labels.clone(),
        };
        let at = self.now();
        let mut state = self.state();
        let step = state.machine.open_branches(group);
        let step = step.map_err(|stop| self.stop(&mut state, stop))?;
        let opened = step.opened.unwrap_or_else(|| {
            let State { machine, recorder, .. } = &mut *state;
            let (key, body) = (step.key.clone(), Body::BranchesOpened(step.group.clone()));
            let seq = recorder.make(Some(machine), at, Some(key.clone()), body);
            let BranchesOpened { branches, labels, .. } = step.group.clone();
            recorder.tell_in_order(at, EventKind::BranchesOpened { key, branches, labels });
            (seq, at)
        });
        drop(state);
        let signal = Arc::new(Signal {
            is_closed: step.closed.is_some(),
            failed: AtomicBool::new(false),
            around: self.branch().map(|branch| Arc::clone(&branch.signal)),
        });
        let progress = Mutex::new(Progress {
            slots: spec.names.iter().map(|_| Slot::Unstarted).collect(),
            next: 0,
            running: 0,
            failed: 0,
            width: if spec.ramp { 1 } else { spec.max },
            wave: 0,
        });
        let changed = Condvar::new();
        Ok(Box::new(Group { parent: self, spec, step, opened, signal, progress, changed }))
    }
}

impl Group {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, index: usize) -> &str {
        &self.step.group.branches[index]
    }

    fn is_unstarted_on_record(&self, index: usize) -> bool {
        self.step.closed.as_ref().is_some_and(|closed| {
            closed.unstarted.iter().any(|unstarted| *unstarted as usize == index)
        })
    }

    /// A driver for a branch: it answers from the branch's own entries.
    fn driver(&self, index: usize) -> Arc<Driver> {
        let (parent, path) = (&self.parent, self.path(index));
        let source: Box<dyn EntrySource> = match self.step.opened {
            None => Box::new(std::iter::empty()),
            Some((seq, _)) => Box::new(EntryReader::of_branch(
                Arc::clone(&parent.engine.ports.journal),
                parent.run.clone(),
                path.to_owned(),
                seq,
                parent.recorded,
            )),
        };
        let (ancestry, recorder) = {
            let state = parent.state();
            (state.machine.ancestry(), state.recorder.of_branch(path))
        };
        let voided = recorder.summary().voided_of(path);
        let mut machine = Machine::in_branch(path, source, voided, ancestry);
        if parent.dry.as_ref().is_some_and(|findings| findings.accepts()) {
            machine.be_lenient();
        }
        let seat = parent.turns.as_ref().map_or(turns::MAIN, |turns| turns.open());
        let branch = Branch { seat, signal: Arc::clone(&self.signal) };
        Arc::new(parent.of_branch(branch, State::new(machine, recorder)))
    }

    /// What a branch leaves behind.
    fn conclude(&self, index: usize, driver: &Driver, end: BranchEnd) -> Over {
        let mut state = driver.state();
        if state.ending.is_none() && !matches!(end, BranchEnd::Stopped | BranchEnd::Broken) {
            // Nothing recorded may be left over.
            if let Err(stop) = state.machine.finish() {
                driver.stop(&mut state, stop);
            }
        }
        if let Some(findings) = &driver.dry {
            findings.over(driver, &state);
        }
        let fate = match end {
            _ if state.ending.is_some() => Fate::Stopped,
            BranchEnd::Returned => Fate::Returned,
            BranchEnd::Raised(thrown) => raised(self.path(index), &state, thrown.as_deref()),
            BranchEnd::Stopped | BranchEnd::Broken => Fate::Stopped,
        };
        Over { fate, ancestry: state.machine.ancestry(), ending: state.ending.take() }
    }

    /// How the group ended, as it is recorded; nothing while a branch has more to do.
    fn result(&self, progress: &Progress) -> BranchesClosed {
        let mut closed = BranchesClosed::default();
        for (index, slot) in (0..).zip(&progress.slots) {
            match slot {
                Slot::Over(Over { fate: Fate::Returned, .. }) => {}
                Slot::Over(Over { fate: Fate::Raised { .. }, .. }) => closed.failed.push(index),
                Slot::Over(Over { fate: Fate::Stopped, .. }) => closed.stopped.push(index),
                Slot::Unstarted | Slot::Running(_) => closed.unstarted.push(index),
            }
        }
        closed.raised = closed.failed.len() > self.spec.tolerate;
        closed
    }

    /// Why the whole driving ends here, or what the branches wait for.
    fn ending(&self, progress: &mut Progress, raised: bool) -> Option<Ending> {
        let mut reasons = Vec::new();
        let mut beyond = None;
        let mut everywhere = None;
        for slot in &mut progress.slots {
            let Slot::Over(over) = slot else { continue };
            match over.ending.take() {
                Some(Ending::Suspended(reason)) if !reason.is_of_run() => reasons.push(reason),
                Some(Ending::Beyond(_)) => beyond = Some(Ending::Beyond(None)),
                Some(ending) => everywhere = everywhere.or(Some(ending)),
                None => {}
            }
        }
        match everywhere {
            None if raised => None,
            None if reasons.is_empty() => beyond,
            None => Some(Ending::Suspended(Reason::joined(reasons))),
            ending => ending,
        }
    }

    /// Records the end of the group, or meets it in the journal.
    fn record(&self, progress: &Progress, mut closed: BranchesClosed) -> Result<u64, Halt> {
        let parent = &self.parent;
        let at = parent.now();
        let mut state = parent.state();
        let met = state.machine.close_branches(&self.step.key, &closed);
        let met = met.map_err(|stop| parent.stop(&mut state, stop))?;
        let State { machine, recorder, .. } = &mut *state;
        let seq = met.unwrap_or_else(|| {
            closed.withdrawn = self.withdrawn(&recorder.summary().gates, &closed);
            let key = self.step.key.clone();
            let told = EventKind::BranchesClosed {
                key: key.clone(),
                count: progress.slots.len(),
                failed: closed.failed.len(),
                ok: !closed.raised,
                took: at.since(self.opened.1),
            };
            let seq = recorder.make(Some(machine), at, Some(key), Body::BranchesClosed(closed));
            recorder.tell(at, told);
            seq
        });
        let ancestries: Vec<Digest> = progress.slots.iter().filter_map(Slot::ancestry).collect();
        machine.join(&ancestries);
        Ok(seq)
    }

    /// Open gates of branches that stopped: nobody waits at them any more.
    fn withdrawn(
        &self,
        gates: &[piton_core::status::WaitingFor],
        closed: &BranchesClosed,
    ) -> Vec<String> {
        let stopped: Vec<&str> =
            closed.stopped.iter().map(|index| self.path(*index as usize)).collect();
        let is_ours = |gate: &&String| stopped.iter().any(|path| is_within(branch_of(gate), path));
        gates.iter().filter_map(|gate| gate.gate.as_ref()).filter(is_ours).cloned().collect()
    }

    /// Keeps in mind where a retry of the failed branches begins.
    fn remember_failures(&self, progress: &Progress, closed: u64, raised: Option<usize>) {
        let mut voids: Vec<BranchVoid> = Vec::new();
        for slot in &progress.slots {
            if let Slot::Over(Over { fate: Fate::Raised { voids: own, .. }, .. }) = slot {
                voids.extend(own.iter().cloned());
            }
        }
        let mut state = self.parent.state();
        state.failed_groups.push(FailedGroup { closed, voids });
        if let Some(index) = raised {
            state.refusals.insert(self.step.key.as_str().to_owned(), closed);
            if let Slot::Over(Over { fate: Fate::Raised { key: Some(key), .. }, .. }) =
                &progress.slots[index]
            {
                state.refusals.insert(key.clone(), closed);
            }
        }
    }
}

impl Slot {
    fn ancestry(&self) -> Option<Digest> {
        match self {
            Self::Over(over) => Some(over.ancestry),
            Self::Unstarted | Self::Running(_) => None,
        }
    }
}

impl Branches for Group {
    fn next(&self) -> Option<usize> {
        let mut progress = self.progress();
        loop {
            match self.may_begin(&mut progress) {
                Begin::Now(index) => return Some(index),
                Begin::Never => return None,
                Begin::Later => {}
            }
            progress = if self.parent.turns.is_some() {
                drop(progress);
                self.parent.pause(Pause::Branches);
                self.progress()
            } else {
                self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    fn host(&self, index: usize) -> Arc<dyn Host> {
        match &self.progress().slots[index] {
            Slot::Running(driver) => Arc::clone(driver) as Arc<dyn Host>,
            Slot::Unstarted | Slot::Over(_) => Arc::clone(&self.parent) as Arc<dyn Host>,
        }
    }

    fn run(&self, index: usize, body: &mut dyn FnMut() -> BranchEnd) {
        let Some(driver) = self.running(index) else { return };
        let mut leaving = Leaving { group: self, index, driver: &driver, is_over: false };
        if let Some(turns) = &driver.turns {
            turns.sit(driver.seat());
        }
        let end = body();
        let is_broken = matches!(end, BranchEnd::Broken);
        let over = self.conclude(index, &driver, end);
        leaving.is_over = true;
        self.leave(index, &driver, over, is_broken);
    }

    fn abandon(&self, index: usize, why: &str) {
        if let Some(driver) = self.running(index) {
            self.give_up(index, &driver, why);
        }
    }

    fn close(&self) -> Result<GroupEnd, Halt> {
        let mut progress = self.progress();
        let closed = self.result(&progress);
        let parent = &self.parent;
        if let Some(ending) = self.ending(&mut progress, closed.raised) {
            return Err(parent.end(&mut parent.state(), ending));
        }
        let is_whole = closed.stopped.is_empty() && closed.unstarted.is_empty();
        if !closed.raised && !is_whole && self.step.closed.is_none() {
            // Cut off by what happened elsewhere: a group around this one, or the whole driving.
            parent.check_stop(&mut parent.state())?;
            return Err(Halt::Stop);
        }
        let first = closed.failed.first().map(|index| *index as usize);
        let raised = first.filter(|_| closed.raised);
        let seq = self.record(&progress, closed)?;
        if first.is_some() {
            self.remember_failures(&progress, seq, raised);
        }
        Ok(GroupEnd { raised, key: self.step.key.clone() })
    }
}

/// A branch that is about to leave, also when Piton itself breaks in it: the others go on.
struct Leaving<'a> {
    group: &'a Group,
    index: usize,
    driver: &'a Driver,
    is_over: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.group.give_up(self.index, self.driver, "a branch broke off");
        }
    }
}

/// Whether a branch may begin.
enum Begin {
    Now(usize),
    Later,
    Never,
}

impl Group {
    fn may_begin(&self, progress: &mut Progress) -> Begin {
        while self.is_unstarted_on_record(progress.next) {
            progress.next += 1;
        }
        let is_replayed = self.step.closed.is_some();
        if progress.next >= progress.slots.len()
            || (!is_replayed && self.signal.is_over())
            || self.parent.check_stop(&mut self.parent.state()).is_err()
        {
            return if progress.running == 0 { Begin::Never } else { Begin::Later };
        }
        if self.spec.ramp && progress.width < self.spec.max {
            if progress.running == 0 && progress.next - progress.wave >= progress.width {
                let wave = &progress.slots[progress.wave..progress.next];
                let returned =
                    |slot: &Slot| matches!(slot, Slot::Over(Over { fate: Fate::Returned, .. }));
                if wave.iter().all(returned) {
                    progress.width = (progress.width * 2).min(self.spec.max);
                }
                progress.wave = progress.next;
            }
            if progress.next - progress.wave >= progress.width {
                return Begin::Later;
            }
        } else if progress.running >= progress.width {
            return Begin::Later;
        }
        let index = progress.next;
        progress.slots[index] = Slot::Running(self.driver(index));
        progress.next += 1;
        progress.running += 1;
        Begin::Now(index)
    }

    fn running(&self, index: usize) -> Option<Arc<Driver>> {
        match &self.progress().slots[index] {
            Slot::Running(driver) => Some(Arc::clone(driver)),
            Slot::Unstarted | Slot::Over(_) => None,
        }
    }

    /// A branch that cannot be driven, through no fault of the script.
    fn give_up(&self, index: usize, driver: &Driver, why: &str) {
        let ancestry = driver.state().machine.ancestry();
        let ending = Some(Ending::Refused(vec![Diagnostic::error(Code::Bug, why)]));
        self.leave(index, driver, Over { fate: Fate::Stopped, ancestry, ending }, true);
    }

    /// A branch is over: makes room, and stops the others when it was one failure too many.
    fn leave(&self, index: usize, driver: &Driver, over: Over, is_broken: bool) {
        let stops = {
            let mut progress = self.progress();
            progress.failed += usize::from(matches!(over.fate, Fate::Raised { .. }));
            progress.running -= 1;
            progress.slots[index] = Slot::Over(over);
            is_broken || progress.failed > self.spec.tolerate
        };
        if stops && !self.signal.failed.swap(true, Ordering::SeqCst) {
            self.parent.call_attention();
        }
        match &driver.turns {
            Some(turns) => turns.leave(driver.seat(), self.parent.seat()),
            None => self.changed.notify_all(),
        }
    }
}

fn raised(path: &str, state: &State, thrown: Option<&Thrown>) -> Fate {
    let key = thrown.and_then(|thrown| thrown.key.clone());
    let voids = state.retry_of(thrown).map_or_else(Vec::new, |(from_seq, mut inside)| {
        inside.insert(0, BranchVoid { branch: path.to_owned(), from_seq });
        inside
    });
    Fate::Raised { key, voids }
}
