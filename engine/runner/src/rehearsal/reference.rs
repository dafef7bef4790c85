//! The run that nothing crashes, with a picture of what was stored at every boundary.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piton_core::canonical::Digest;
use piton_core::diagnostic::Place;
use piton_core::entry::{Body, CallResult, Entry};
use piton_core::event::{EventKind, RunEvent};
use piton_core::ports::{Call, JournalError, RunId};
use serde_json::Value;

use super::boundaries::Boundary;
use super::ends::{End, of_effect};
use super::images::Image;
use super::told::{Sum, Told};
use super::watched::{Watch, Write, watched};
use super::{Deed, Stage, chance};
use crate::engine::{Driven, Interrupt, RunnerError};

/// What is stored at one moment.
pub(super) struct State {
    /// Of everything that what comes can depend on.
    pub(super) digest: Digest,
    pub(super) journal: Image,
    pub(super) world: Image,
    pub(super) told: Told,
    /// The calls so far that changed the world.
    pub(super) effects: EffectSum,
}

/// The calls that changed the world, in number and in sum.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EffectSum {
    /// Number of the last call that was looked at.
    pub(super) seen: u64,
    pub(super) sum: Sum,
}

impl EffectSum {
    /// Takes in the calls that came since.
    pub(super) fn catch_up(&mut self, stage: &dyn Stage) -> Result<(), RunnerError> {
        for effect in stage.effects(self.seen)? {
            self.seen = effect.seq;
            self.sum.add(&Digest::of(of_effect(&effect).as_bytes()));
        }
        Ok(())
    }
}

/// A digest of everything stored that what comes can depend on.
pub(super) fn digest_of(
    stage: &dyn Stage,
    told: &Told,
    effects: &mut EffectSum,
) -> Result<Digest, RunnerError> {
    let told = told.digest(stage.engine().ports.journal.as_ref())?;
    let world = stage.fingerprint()?;
    effects.catch_up(stage)?;
    let effects = effects.sum.digest();
    Ok(Digest::of_parts([told.bytes().as_slice(), world.bytes(), effects.bytes()]))
}

/// A run that came to its end, and what was stored on its way.
pub struct Reference {
    /// How it ended.
    pub driven: Driven,
    /// Where it could have been crashed, in order.
    pub boundaries: Vec<Boundary>,
    /// Number of entries of all its runs.
    pub entries: u64,
    pub(super) states: Vec<State>,
    /// Position of each state by its digest.
    pub(super) known: Arc<HashMap<Digest, usize>>,
    /// Outputs that were recorded, by run and key.
    pub(super) outputs: HashMap<(RunId, String), CallResult>,
    pub(super) end: End,
    pub(super) deed: Deed,
}

impl Reference {
    /// Carries out a deed on a stage and takes a picture at each boundary.
    ///
    /// # Errors
    /// When the run cannot be started, or the stage cannot be read.
    pub fn record(
        stage: &Arc<dyn Stage>,
        deed: Deed,
        interrupt: &Interrupt,
    ) -> Result<Self, RunnerError> {
        let camera = Arc::new(Camera { stage: Arc::clone(stage), film: Mutex::default() });
        let watch: Arc<dyn Watch> = Arc::clone(&camera) as Arc<dyn Watch>;
        camera.film().catch_up(stage.as_ref())?;
        let mut engine = watched(&stage.engine(), &watch);
        engine.interrupt = interrupt.clone();
        engine.ports.entropy = chance(camera.film().told.drawn);
        let driven = deed.begin(&engine)?;
        let mut film = std::mem::take(&mut *camera.film());
        if let Some(error) = film.broken.take() {
            return Err(error);
        }
        let mut places = film.places;
        for boundary in &mut film.boundaries {
            boundary.place = boundary.key.as_ref().and_then(|key| places.get(key).cloned());
        }
        places.clear();
        let journal = stage.engine().ports.journal;
        let entries = journal.runs()?.iter().map(|row| row.head.seq).sum();
        Ok(Self {
            driven,
            boundaries: film.boundaries,
            entries,
            states: film.states,
            known: Arc::new(film.known),
            outputs: film.outputs,
            end: End::of(stage.as_ref())?,
            deed,
        })
    }
}

/// Takes the pictures.
struct Camera {
    stage: Arc<dyn Stage>,
    film: Mutex<Film>,
}

#[derive(Default)]
struct Film {
    boundaries: Vec<Boundary>,
    states: Vec<State>,
    known: HashMap<Digest, usize>,
    outputs: HashMap<(RunId, String), CallResult>,
    places: HashMap<String, Place>,
    told: Told,
    effects: EffectSum,
    /// Key that the next call belongs to.
    key: Option<String>,
    /// State before what is being done.
    before: Option<usize>,
    /// The run is there: before that, there is nothing to go on with.
    has_run: bool,
    broken: Option<RunnerError>,
}

impl Film {
    /// Takes in what is stored before anything is watched.
    fn catch_up(&mut self, stage: &dyn Stage) -> Result<(), RunnerError> {
        let journal = stage.engine().ports.journal;
        for row in journal.runs()? {
            self.has_run = true;
            for stored in journal.entries(&row.run, 0, usize::MAX)? {
                self.told.take(&row.run, &stored.entry);
            }
        }
        Ok(())
    }

    /// The position of the present state; a picture when it is a new one.
    fn state(&mut self, stage: &dyn Stage) -> Result<usize, RunnerError> {
        let digest = digest_of(stage, &self.told, &mut self.effects)?;
        if let Some(known) = self.known.get(&digest) {
            return Ok(*known);
        }
        let earlier = self.states.last();
        let image = |of: fn(&State) -> &Image, bytes: &[u8]| match earlier {
            Some(state) => Image::after(of(state), bytes),
            None => Image::after(&Image::default(), bytes),
        };
        let state = State {
            digest,
            journal: image(|state| &state.journal, &stage.journal_image()?),
            world: image(|state| &state.world, &stage.world_image()?),
            told: self.told.clone(),
            effects: self.effects,
        };
        self.states.push(state);
        self.known.insert(digest, self.states.len() - 1);
        Ok(self.states.len() - 1)
    }

    fn take(&mut self, run: &RunId, entry: &Entry) -> Result<(), RunnerError> {
        self.told.take(run, entry);
        if let (Some(key), Body::Outcome(outcome)) = (&entry.key, &entry.body) {
            let key = (run.clone(), key.as_str().to_owned());
            self.outputs.insert(key, outcome.result.clone());
        }
        // What a script got fresh is what it would get from the journal.
        let read = Body::decode(entry.body.kind(), &entry.body.encode());
        match read {
            Ok(body) if body == entry.body => Ok(()),
            _ => Err(JournalError::Entry {
                run: run.0.clone(),
                seq: 0,
                reason: format!("a `{}` entry reads back otherwise", entry.body.kind()),
            }
            .into()),
        }
    }
}

impl Camera {
    fn film(&self) -> MutexGuard<'_, Film> {
        self.film.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a boundary.
    fn before(&self) {
        let mut film = self.film();
        if !film.has_run || film.broken.is_some() {
            return;
        }
        match film.state(self.stage.as_ref()) {
            Ok(state) => film.before = Some(state),
            Err(error) => film.broken = Some(error),
        }
    }

    /// After a boundary.
    fn after(&self, boundary: impl FnOnce(&Film, usize, usize, usize) -> Boundary) {
        let mut film = self.film();
        if !film.has_run || film.broken.is_some() {
            return;
        }
        match film.state(self.stage.as_ref()) {
            Ok(after) => {
                let before = film.before.take().unwrap_or(after);
                let number = film.boundaries.len() + 1;
                let made = boundary(&film, number, before, after);
                film.boundaries.push(made);
            }
            Err(error) => film.broken = Some(error),
        }
    }
}

impl Watch for Camera {
    fn before_write(&self, _write: &Write<'_>) {
        self.before();
    }

    fn after_write(&self, write: &Write<'_>) {
        {
            let mut film = self.film();
            film.has_run = true;
            for entry in write.entries {
                if let Err(error) = film.take(write.run, entry) {
                    film.broken.get_or_insert(error);
                }
            }
        }
        self.after(|_, number, before, after| Boundary {
            number,
            key: write
                .entries
                .iter()
                .rev()
                .find_map(|entry| entry.key.as_ref())
                .map(|key| key.as_str().to_owned()),
            what: words_of(write),
            place: None,
            is_send: false,
            before,
            after,
        });
    }

    fn before_send(&self, _call: &Call) {
        self.before();
    }

    fn after_send(&self, call: &Call) {
        self.after(|film, number, before, after| Boundary {
            number,
            key: film.key.clone(),
            what: format!("{}.{}", call.service, call.operation),
            place: None,
            is_send: true,
            before,
            after,
        });
    }

    fn event(&self, event: &RunEvent) {
        match &event.kind {
            EventKind::Calling { key, place, .. } => {
                let mut film = self.film();
                let key = key.as_str().to_owned();
                if let Some(place) = place {
                    film.places.insert(key.clone(), place.clone());
                }
                film.key = Some(key);
            }
            EventKind::Waiting { key, .. } => self.film().key = Some(key.as_str().to_owned()),
            _ => {}
        }
    }
}

/// What a commit holds, in words.
fn words_of(write: &Write<'_>) -> String {
    let mut words: Vec<String> = write
        .entries
        .iter()
        .map(|entry| match &entry.body {
            Body::Intent(intent) => format!("intent of {}.{}", intent.service, intent.operation),
            other => other.kind().replace('_', " "),
        })
        .collect();
    words.extend(write.also.map(str::to_owned));
    words.join(", ")
}

/// The output to go on with where a call had its effect.
pub(super) fn output_of(result: &CallResult) -> Option<Value> {
    match result {
        CallResult::Value(value) => Some(value.clone()),
        CallResult::Error(_) => None,
    }
}
