//! Every crash that is asked for: a fresh process on what was stored, driven to its end, compared.
//!
//! Crashes that leave the same state are one resume. A resume is cut short where it has come, by a
//! commit of its own, to a state from which an end is already known to be the same: one that the
//! reference was in later than the crash, or one that another resume was in that came to its end. Why
//! that proves the rest is argued in `docs/guide/rehearse.md`. Some resumes are never cut short, so
//! that the argument itself is put to the test.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use piton_core::canonical::Digest;
use piton_core::diagnostic::Diagnostic;
use piton_core::entry::{Settled, Settlement};
use piton_core::event::RunEvent;
use piton_core::ports::{Call, Mail, RunId};
use piton_core::status::Reason;
use serde_json::json;

use super::again::{Again, Origin, Picture};
use super::boundaries::{Boundary, Crash, Kind, Selection};
use super::comparison::Change;
use super::ends::End;
use super::reference::{EffectSum, Reference, digest_of, output_of};
use super::told::Told;
use super::watched::{Watch, Write, watched};
use super::{Stage, Stages, chance};
use crate::engine::{Driven, Engine, Interrupt, RunnerError};

/// One resume in so many is never cut short.
const WHOLE: usize = 16;

/// Times that a run may stop at doubts before its rehearsal gives up on it.
const DOUBTS_MAX: usize = 64;

/// How the crashes are carried out.
pub struct How<'a> {
    /// Where stages come from.
    pub stages: &'a dyn Stages,
    /// Which crashes.
    pub selection: &'a Selection,
    /// How many processes are resumed at once.
    pub threads: usize,
    /// No resume is cut short.
    pub whole: bool,
    /// Resumed processes are crashed too, once each, until they are back on the way of the reference.
    pub twice: bool,
    /// Stops everything: Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// Is told after each resume: how many are done, of how many.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// A crash whose resume came to another end.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Where.
    pub boundary: Boundary,
    /// How.
    pub kind: Kind,
    /// Where the resumed process was crashed too: the number of that crash, from its beginning.
    pub again: Option<usize>,
    /// In what the two ends differ; the first few.
    pub changes: Vec<Change>,
    /// What the resume said, when it came to no end.
    pub error: Option<Diagnostic>,
}

/// A doubt that only a person can settle.
#[derive(Debug, Clone)]
pub struct Doubted {
    /// Where the crash was.
    pub boundary: Boundary,
    /// How.
    pub kind: Kind,
    /// Entry in doubt.
    pub key: String,
    /// `service.operation`.
    pub operation: String,
    /// How many things it may have made were shown.
    pub candidates: usize,
    /// It was adopted, since it had its effect; otherwise it was sent again.
    pub adopted: bool,
}

/// What the crashes came to.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// Crashes that were asked for.
    pub crashes: usize,
    /// Stored states that they leave, each resumed once.
    pub states: usize,
    /// Resumes that are done.
    pub resumed: usize,
    /// Those of them that were driven to the end of the run.
    pub to_the_end: usize,
    /// Those that were cut short, where the rest was known.
    pub cut_short: usize,
    /// Second crashes, of resumed processes, each resumed too.
    pub crashed_again: usize,
    /// Doubts that were put to a person after the first crash.
    pub doubted: Vec<Doubted>,
    /// Crashes that came to another end, in order.
    pub differences: Vec<Difference>,
    /// It was stopped before all was done.
    pub stopped: bool,
}

/// What one resume came to.
#[derive(Default)]
struct Resumed {
    is_cut: bool,
    doubted: Vec<(Question, bool)>,
    changes: Vec<Change>,
    error: Option<Diagnostic>,
    stopped: bool,
    /// What became of the second crashes, by their number.
    again: Vec<(usize, Self)>,
}

impl Resumed {
    fn is_the_same(&self) -> bool {
        self.changes.is_empty() && self.error.is_none()
    }
}

/// A doubt as the run tells it.
struct Question {
    run: RunId,
    key: piton_core::key::Key,
    operation: String,
    candidates: usize,
}

impl Reference {
    /// Crashes the run where it is asked for, and resumes it each time.
    ///
    /// # Errors
    /// When a stage cannot be made or read.
    pub fn crash(&self, how: &How<'_>) -> Result<Matrix, RunnerError> {
        let crashes = how.selection.of(&self.boundaries);
        let mut by_state: BTreeMap<usize, Vec<Crash>> = BTreeMap::new();
        for crash in &crashes {
            by_state.entry(crash.state).or_default().push(*crash);
        }
        // From the end to the beginning: what a resume comes to is then known more often.
        let states: Vec<usize> = by_state.keys().rev().copied().collect();
        let proven = Arc::new(Mutex::new(HashSet::new()));
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = Mutex::new(BTreeMap::new());
        let work = || -> Result<(), RunnerError> {
            loop {
                let turn = next.fetch_add(1, Ordering::SeqCst);
                let Some(state) = states.get(turn) else { return Ok(()) };
                if how.interrupt.is_raised() {
                    return Ok(());
                }
                let is_whole = how.whole || turn % WHOLE == 0;
                let resumed = self.resume_all(how, *state, is_whole, &proven)?;
                lock(&results).insert(*state, resumed);
                (how.progress)(done.fetch_add(1, Ordering::SeqCst) + 1, states.len());
            }
        };
        thread::scope(|scope| -> Result<(), RunnerError> {
            let workers: Vec<_> = (0..how.threads.max(1)).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(())
        })?;
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(self.matrix(&crashes, states.len(), &by_state, results))
    }

    fn matrix(
        &self,
        crashes: &[Crash],
        states: usize,
        by_state: &BTreeMap<usize, Vec<Crash>>,
        results: BTreeMap<usize, Resumed>,
    ) -> Matrix {
        let mut matrix = Matrix { crashes: crashes.len(), states, ..Matrix::default() };
        for (state, resumed) in results {
            if resumed.stopped {
                continue;
            }
            matrix.resumed += 1;
            match resumed.is_cut {
                true => matrix.cut_short += 1,
                false => matrix.to_the_end += 1,
            }
            let first = by_state[&state][0];
            let boundary = &self.boundaries[first.boundary];
            for (question, adopted) in &resumed.doubted {
                matrix.doubted.push(Doubted {
                    boundary: boundary.clone(),
                    kind: first.kind,
                    key: question.key.as_str().to_owned(),
                    operation: question.operation.clone(),
                    candidates: question.candidates,
                    adopted: *adopted,
                });
            }
            matrix.crashed_again += resumed.again.len();
            let again = resumed.again.iter().map(|(number, resumed)| (Some(*number), resumed));
            let ends = std::iter::once((None, &resumed)).chain(again);
            for (again, resumed) in ends.filter(|(_, resumed)| !resumed.is_the_same()) {
                for crash in &by_state[&state] {
                    matrix.differences.push(Difference {
                        boundary: self.boundaries[crash.boundary].clone(),
                        kind: crash.kind,
                        again,
                        changes: resumed.changes.clone(),
                        error: resumed.error.clone(),
                    });
                }
            }
        }
        matrix.stopped = matrix.resumed < matrix.states;
        matrix.differences.sort_by_key(|one| (one.boundary.number, one.kind, one.again));
        matrix
    }

    /// Goes on from a stored state, and from what its process had stored when that is crashed too.
    fn resume_all(
        &self,
        how: &How<'_>,
        state: usize,
        is_whole: bool,
        proven: &Arc<Mutex<HashSet<Digest>>>,
    ) -> Result<Resumed, RunnerError> {
        let sent = BTreeSet::new();
        let first = Origin { stored: &self.states[state], position: state, sent: &sent };
        let again = how.twice.then(|| Again::new(&self.known, &first));
        let (mut resumed, pictures) = self.resume(how, &first, is_whole, again, proven)?;
        for picture in pictures {
            if resumed.stopped {
                break;
            }
            let (second, _) = self.resume(how, &picture.origin(), how.whole, None, proven)?;
            resumed.stopped = second.stopped;
            resumed.again.push((picture.number, second));
        }
        Ok(resumed)
    }

    /// Goes on from what is stored in a fresh process; gives the pictures that were taken of it.
    fn resume(
        &self,
        how: &How<'_>,
        origin: &Origin<'_>,
        is_whole: bool,
        again: Option<Again>,
        proven: &Arc<Mutex<HashSet<Digest>>>,
    ) -> Result<(Resumed, Vec<Picture>), RunnerError> {
        let stored = origin.stored;
        let stage = how.stages.stage(&stored.journal.bytes(), &stored.world.bytes())?;
        let own = Interrupt::default();
        let follower = Arc::new(Follower {
            stage: Arc::clone(&stage),
            path: Mutex::new(Path {
                told: stored.told.clone(),
                effects: stored.effects,
                commits: 0,
                due: 2,
                visited: Vec::new(),
                again,
                broken: None,
            }),
            known: (!is_whole).then(|| Known {
                reference: Arc::clone(&self.known),
                state: origin.position,
                own: stored.digest,
                proven: Arc::clone(proven),
            }),
            is_cut: AtomicBool::new(false),
            own: own.clone(),
            outer: how.interrupt.clone(),
        });
        let watch: Arc<dyn Watch> = Arc::clone(&follower) as Arc<dyn Watch>;
        let mut engine = watched(&stage.engine(), &watch);
        engine.interrupt = own;
        engine.ports.entropy = chance(stored.told.drawn);

        let resumed = self.drive(how, stage.as_ref(), &engine, &follower, origin)?;
        if resumed.stopped {
            return Ok((resumed, Vec::new()));
        }
        let resumed = self.conclude(stage.as_ref(), &follower, resumed, proven)?;
        let again = follower.path().again.take();
        Ok((resumed, again.map(Again::pictures).unwrap_or_default()))
    }

    /// Drives a resumed process to its end, or to where the rest is known, and settles its doubts.
    fn drive(
        &self,
        how: &How<'_>,
        stage: &dyn Stage,
        engine: &Engine,
        follower: &Follower,
        origin: &Origin<'_>,
    ) -> Result<Resumed, RunnerError> {
        let mut resumed = Resumed::default();
        loop {
            let driven = self.deed.go_on(engine);
            if how.interrupt.is_raised() {
                resumed.stopped = true;
                return Ok(resumed);
            }
            if follower.is_cut.load(Ordering::SeqCst) {
                resumed.is_cut = true;
                return Ok(resumed);
            }
            let driven = match driven {
                Ok(driven) => driven,
                Err(error) => {
                    resumed.error = error.diagnostics().into_iter().next();
                    return Ok(resumed);
                }
            };
            let open = questions(stage)?;
            if open.is_empty() || resumed.doubted.len() >= DOUBTS_MAX {
                self.compare(stage, &driven, &mut resumed)?;
                return Ok(resumed);
            }
            for question in open {
                let adopted = self.settle(stage, &question, origin)?;
                resumed.doubted.push((question, adopted));
            }
        }
    }

    /// Checks the journals, and keeps in mind from where the end is known now.
    fn conclude(
        &self,
        stage: &dyn Stage,
        follower: &Follower,
        mut resumed: Resumed,
        proven: &Mutex<HashSet<Digest>>,
    ) -> Result<Resumed, RunnerError> {
        verify(stage, &mut resumed)?;
        let mut path = follower.path();
        if let Some(error) = path.broken.take() {
            return Err(error);
        }
        if resumed.is_the_same() && resumed.doubted.is_empty() {
            lock(proven).extend(path.visited.iter().copied());
        }
        Ok(resumed)
    }

    /// Says what a person who can look would say: adopted where the effect is there, sent again where
    /// it is not.
    fn settle(
        &self,
        stage: &dyn Stage,
        question: &Question,
        origin: &Origin<'_>,
    ) -> Result<bool, RunnerError> {
        let has_effect = self.boundaries.iter().any(|boundary| {
            boundary.is_send
                && boundary.key.as_deref() == Some(question.key.as_str())
                && boundary.after != boundary.before
                && (boundary.after <= origin.position
                    || origin.sent.contains(question.key.as_str()))
                && boundary.what == question.operation
        });
        let recorded = (question.run.clone(), question.key.as_str().to_owned());
        let output = self.outputs.get(&recorded).and_then(output_of).filter(|_| has_effect);
        let adopted = output.is_some();
        let how = output.map_or(Settlement::Retry, |output| Settlement::Adopt { output });
        let reason = "the rehearsal knows what happened".to_owned();
        let settled = Settled { how, reason, by: None, at: None };
        let mail = Mail::Settle { key: question.key.clone(), settled };
        stage.engine().ports.journal.post(&question.run, &mail)?;
        Ok(adopted)
    }

    fn compare(
        &self,
        stage: &dyn Stage,
        driven: &Driven,
        resumed: &mut Resumed,
    ) -> Result<(), RunnerError> {
        if driven.end.status != self.driven.end.status {
            resumed.changes.push(Change {
                path: "status".to_owned(),
                expected: json!(self.driven.end.status),
                found: json!(driven.end.status),
            });
            resumed.error.clone_from(&driven.end.error);
        }
        resumed.changes.extend(self.end.differences(&End::of(stage)?, &driven.run));
        Ok(())
    }
}

/// Checks that every journal of a stage is whole.
fn verify(stage: &dyn Stage, resumed: &mut Resumed) -> Result<(), RunnerError> {
    let journal = stage.engine().ports.journal;
    for row in journal.runs()? {
        if let Some(seq) = journal.verify(&row.run)? {
            resumed.changes.push(Change {
                path: format!("journal of {}, entry {seq}", row.run),
                expected: json!("as it was appended"),
                found: json!("changed"),
            });
        }
    }
    Ok(())
}

/// What the runs of a stage ask a person.
fn questions(stage: &dyn Stage) -> Result<Vec<Question>, RunnerError> {
    let mut all = Vec::new();
    for row in stage.engine().ports.journal.runs()? {
        for reason in row.summary.reasons() {
            if let Reason::Doubt { key, operation, candidates, .. } = reason {
                all.push(Question {
                    run: row.run.clone(),
                    key: key.clone(),
                    operation: operation.clone(),
                    candidates: candidates.len(),
                });
            }
        }
    }
    Ok(all)
}

/// The states from which the end is known, for a process that begins in one of them.
struct Known {
    reference: Arc<HashMap<Digest, usize>>,
    state: usize,
    /// Digest of that state: being there again shows nothing.
    own: Digest,
    proven: Arc<Mutex<HashSet<Digest>>>,
}

impl Known {
    fn has(&self, digest: &Digest) -> bool {
        self.reference.get(digest).is_some_and(|known| *known > self.state)
            || (*digest != self.own && lock(&self.proven).contains(digest))
    }
}

/// Follows a resumed process and stops it where the rest is known.
struct Follower {
    stage: Arc<dyn Stage>,
    path: Mutex<Path>,
    /// Whether the end is known from a state; absent when the process goes to its end.
    known: Option<Known>,
    is_cut: AtomicBool,
    own: Interrupt,
    outer: Interrupt,
}

/// Where a resumed process has come to.
struct Path {
    told: Told,
    effects: EffectSum,
    commits: usize,
    /// The commit after which it is looked next.
    due: usize,
    visited: Vec<Digest>,
    /// Takes pictures for the second crash; absent when there is none.
    again: Option<Again>,
    broken: Option<RunnerError>,
}

impl Follower {
    fn path(&self) -> MutexGuard<'_, Path> {
        lock(&self.path)
    }

    /// Lets a picture be taken for the second crash, when there is one and the process still goes on.
    fn picture(
        &self,
        path: &mut Path,
        take: fn(&mut Again, &dyn Stage, &Told, &mut EffectSum) -> Result<(), RunnerError>,
    ) {
        if self.is_cut.load(Ordering::SeqCst) {
            return;
        }
        if let Some(again) = &mut path.again
            && let Err(error) = take(again, self.stage.as_ref(), &path.told, &mut path.effects)
        {
            path.broken.get_or_insert(error);
        }
    }

    fn look(&self, path: &mut Path) -> Result<(), RunnerError> {
        let Path { told, effects, .. } = path;
        let digest = digest_of(self.stage.as_ref(), told, effects)?;
        path.visited.push(digest);
        if self.known.as_ref().is_some_and(|known| known.has(&digest)) {
            self.is_cut.store(true, Ordering::SeqCst);
            self.own.raise();
        }
        Ok(())
    }
}

impl Watch for Follower {
    fn before_write(&self, _write: &Write<'_>) {}

    fn after_write(&self, write: &Write<'_>) {
        if self.outer.is_raised() {
            self.own.raise();
        }
        let mut path = self.path();
        for entry in write.entries {
            path.told.take(write.run, entry);
        }
        self.picture(&mut path, Again::written);
        path.commits += 1;
        // The first commit only says that the run goes on. Looking costs more than most commits, so
        // a process that does not come back to a known path is looked at ever less often.
        if path.commits < path.due || self.is_cut.load(Ordering::SeqCst) {
            return;
        }
        path.due += 1 + path.commits / 4;
        if let Err(error) = self.look(&mut path) {
            path.broken.get_or_insert(error);
        }
    }

    fn before_send(&self, _call: &Call) {}

    fn after_send(&self, _call: &Call) {
        self.picture(&mut self.path(), Again::answered);
    }

    fn event(&self, event: &RunEvent) {
        if let Some(again) = &mut self.path().again {
            again.hear(event);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
