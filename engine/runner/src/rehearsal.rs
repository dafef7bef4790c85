//! Rehearsals: a run in a sandbox is crashed at every boundary of its journal and resumed, and has to
//! come to the same end each time.
//!
//! A crash is a copy of what was stored at that moment; a resume is a new engine on that copy. So
//! nothing but the journal and the world can help a process that begins anew, and one run of the
//! script gives all the places where it can be crashed. What a stage is made of, the caller says.
//!
//! # Layout
//! - [`Reference`] (`reference`): the run that nothing crashes, with pictures (`images`) of its states.
//! - `boundaries`: where and how it can be crashed. `watched`: the ports that tell.
//! - `matrix`: the crashes. `again`: those of resumed processes. `told`: when two journals replay alike.
//! - `ends`: what a run came to; [`comparison`]: whether two ends are the same.

mod again;
mod boundaries;
pub mod comparison;
mod ends;
mod images;
mod matrix;
mod reference;
mod told;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use piton_core::canonical::Digest;
use piton_core::ports::{Entropy, RunId};
use piton_script::Program;
use piton_script::params::Bound;
use serde_json::Value;

use crate::engine::{Driven, Engine, Options, Resume, RunnerError, Start, TakeBack};

pub use boundaries::{Boundary, Kind, Selection};
pub use comparison::Change;
pub use matrix::{Difference, Doubted, How, Matrix};
pub use reference::Reference;

/// One copy of all that is stored, a journal and a world, and an engine over it.
pub trait Stage: Send + Sync {
    /// An engine that knows nothing but what is stored. Its runs are rehearsals: the clock is virtual.
    fn engine(&self) -> Engine;
    /// The journal as bytes.
    fn journal_image(&self) -> Result<Vec<u8>, RunnerError>;
    /// The world as bytes.
    fn world_image(&self) -> Result<Vec<u8>, RunnerError>;
    /// A digest of everything in the world that what comes can depend on.
    fn fingerprint(&self) -> Result<Digest, RunnerError>;
    /// The live things of the world, without moments.
    fn resources(&self) -> Result<Value, RunnerError>;
    /// The calls that changed the world, after one of them, in order.
    fn effects(&self, after: u64) -> Result<Vec<Effect>, RunnerError>;
}

/// Makes stages from what was stored.
pub trait Stages: Sync {
    /// A stage of its own with these contents.
    fn stage(&self, journal: &[u8], world: &[u8]) -> Result<Arc<dyn Stage>, RunnerError>;
}

/// A call that changed the world.
#[derive(Debug, Clone)]
pub struct Effect {
    /// Number of the call.
    pub seq: u64,
    /// Account of the caller.
    pub account: String,
    /// Script's name of the service.
    pub service: String,
    /// AWS's name of the operation.
    pub operation: String,
    /// Input, secrets masked.
    pub input: Value,
}

/// What is rehearsed.
#[derive(Clone)]
pub enum Deed {
    /// A run of a runbook.
    Run(Box<Begin>),
    /// The rollback of a run that the stage has.
    Rollback(TakeBack),
}

/// A run to start; see [`Start`].
#[derive(Clone)]
pub struct Begin {
    /// Its id.
    pub run: RunId,
    /// What to run.
    pub program: Program,
    /// Where it was read from.
    pub source: Option<String>,
    /// Parameters.
    pub params: Bound,
    /// Name of the world.
    pub world: String,
    /// Who starts it.
    pub requester: Option<piton_core::account::Principal>,
}

/// How every process of a rehearsal is driven.
const OPTIONS: Options = Options { wait_limit: None, step_mode: false };

impl Deed {
    fn begin(&self, engine: &Engine) -> Result<Driven, RunnerError> {
        match self {
            Self::Run(begin) => {
                let begin = (**begin).clone();
                engine.start(Start {
                    run: begin.run,
                    program: begin.program,
                    source: begin.source,
                    params: begin.params,
                    name: None,
                    labels: Vec::new(),
                    world: Some(begin.world),
                    requester: begin.requester,
                    options: OPTIONS,
                })
            }
            Self::Rollback(how) => engine.rollback(how),
        }
    }

    /// What a person would do after a crash.
    fn go_on(&self, engine: &Engine) -> Result<Driven, RunnerError> {
        let how = Resume { retry: false, rebind: Vec::new(), options: OPTIONS };
        match self {
            Self::Run(begin) => engine.resume(&begin.run, &how),
            Self::Rollback(how) => engine.rollback(how),
        }
    }
}

/// Chance that can be repeated: the same drawing gives the same bytes, in whichever process it comes.
struct Repeatable {
    /// Drawings of a script, which entries keep.
    drawn: AtomicU64,
    /// Drawings of the engine, for seals.
    beside: AtomicU64,
}

/// Length of a drawing of a script.
const DRAWING: usize = 32;

/// Chance for a process that begins after so many drawings of the script.
fn chance(drawn: u64) -> Arc<dyn Entropy> {
    Arc::new(Repeatable { drawn: AtomicU64::new(drawn), beside: AtomicU64::new(u64::MAX / 2) })
}

impl Entropy for Repeatable {
    fn fill(&self, bytes: &mut [u8]) {
        let count = if bytes.len() == DRAWING { &self.drawn } else { &self.beside };
        let drawn = count.fetch_add(1, Ordering::SeqCst);
        for (block, chunk) in bytes.chunks_mut(DRAWING).enumerate() {
            let digest = Digest::of_parts([
                b"rehearsal".as_slice(),
                &drawn.to_be_bytes(),
                &(block as u64).to_be_bytes(),
            ]);
            chunk.copy_from_slice(&digest.bytes()[..chunk.len()]);
        }
    }
}
