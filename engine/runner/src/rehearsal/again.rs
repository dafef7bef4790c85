//! The second crash: a resumed process dies too, anywhere between its beginning and the place where it
//! is back on the way that the reference went. Pictures of what it had stored then; who resumes them
//! is `matrix`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use piton_core::canonical::Digest;
use piton_core::event::{EventKind, RunEvent};

use super::Stage;
use super::images::Image;
use super::reference::{EffectSum, State, digest_of};
use super::told::Told;
use crate::engine::RunnerError;

/// Pictures of one process. One that does not come back to a known way is crashed so often and no more.
const PICTURES_MAX: usize = 24;

/// What a process begins with.
pub(super) struct Origin<'a> {
    /// What is stored.
    pub(super) stored: &'a State,
    /// How far the reference had come when it was crashed, or when it was in the same state.
    pub(super) position: usize,
    /// Keys of calls that a resumed process sent before it was crashed.
    pub(super) sent: &'a BTreeSet<String>,
}

/// What a resumed process had stored when it is crashed.
pub(super) struct Picture {
    /// Its number, from 1, among those of the process.
    pub(super) number: usize,
    state: State,
    position: usize,
    sent: BTreeSet<String>,
}

impl Picture {
    /// What the next process begins with.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin { stored: &self.state, position: self.position, sent: &self.sent }
    }
}

/// Takes the pictures of one process.
pub(super) struct Again {
    reference: Arc<HashMap<Digest, usize>>,
    position: usize,
    journal: Image,
    world: Image,
    pictures: Vec<Picture>,
    sent: BTreeSet<String>,
    /// Key that the next call belongs to.
    key: Option<String>,
    is_over: bool,
}

impl Again {
    /// For a process that begins with this; `reference` has the positions of the states that are known.
    pub(super) fn new(reference: &Arc<HashMap<Digest, usize>>, origin: &Origin<'_>) -> Self {
        Self {
            reference: Arc::clone(reference),
            position: origin.position,
            journal: origin.stored.journal.clone(),
            world: origin.stored.world.clone(),
            pictures: Vec::new(),
            sent: BTreeSet::new(),
            key: None,
            is_over: false,
        }
    }

    /// What it took.
    pub(super) fn pictures(self) -> Vec<Picture> {
        self.pictures
    }

    /// What the process tells.
    pub(super) fn hear(&mut self, event: &RunEvent) {
        if let EventKind::Calling { key, .. } | EventKind::Waiting { key, .. } = &event.kind {
            self.key = Some(key.as_str().to_owned());
        }
    }

    /// After a commit.
    pub(super) fn written(
        &mut self,
        stage: &dyn Stage,
        told: &Told,
        effects: &mut EffectSum,
    ) -> Result<(), RunnerError> {
        if self.is_over {
            return Ok(());
        }
        let digest = digest_of(stage, told, effects)?;
        self.take(stage, told, *effects, digest)
    }

    /// After a call, whose reply is lost; nothing else is stored than before when it changed nothing.
    pub(super) fn answered(
        &mut self,
        stage: &dyn Stage,
        told: &Told,
        effects: &mut EffectSum,
    ) -> Result<(), RunnerError> {
        self.sent.extend(self.key.clone());
        if self.is_over {
            return Ok(());
        }
        let seen = effects.seen;
        let digest = digest_of(stage, told, effects)?;
        if effects.seen == seen {
            return Ok(());
        }
        self.take(stage, told, *effects, digest)
    }

    fn take(
        &mut self,
        stage: &dyn Stage,
        told: &Told,
        effects: EffectSum,
        digest: Digest,
    ) -> Result<(), RunnerError> {
        let known = self.reference.get(&digest).copied();
        let state = State {
            digest,
            journal: Image::after(&self.journal, &stage.journal_image()?),
            world: Image::after(&self.world, &stage.world_image()?),
            told: told.clone(),
            effects,
        };
        let number = self.pictures.len() + 1;
        let position = known.unwrap_or(self.position);
        self.pictures.push(Picture { number, state, position, sent: self.sent.clone() });
        self.is_over = known.is_some_and(|known| known > self.position) || number >= PICTURES_MAX;
        Ok(())
    }
}
