//! What rehearsals are played on: journals and worlds in memory, and somebody who decides at gates.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use piton_core::canonical::Digest;
use piton_core::gate::{Decision, Verdict};
use piton_core::key::Key;
use piton_core::ports::{
    CallPreview, Clock, EventSink, Holder, Journal, JournalError, OpenGate, Person, RunId,
};
use piton_journal::SqliteJournal;
use piton_runner::rehearsal::{Effect, Stage, Stages};
use piton_runner::vault::SealingKey;
use piton_runner::{Engine, Interrupt, Ports, RunnerError};
use piton_sandbox::{Sandbox, SandboxError, WorldSpec};
use serde_json::{Map, Value};

use crate::clocks::{SystemEntropy, machine_date, machine_now};
use crate::failure::Failure;
use crate::gates;
use crate::home::create_folder;
use crate::wiring::Surroundings;
use crate::worlds::World;

/// Where stages come from: what all processes of one rehearsal have in common.
pub(crate) struct Theatre {
    /// Name that the run has for its world.
    name: String,
    run: RunId,
    answers: Arc<Answers>,
    runtime: tokio::runtime::Handle,
    sealing_key: SealingKey,
    /// Folder of the stages' locks, removed at the end.
    folder: PathBuf,
    stages: AtomicU64,
}

/// How the gates of a rehearsal are decided.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Gates that are rejected, by address or name; all others are approved.
    pub(crate) rejected: Vec<String>,
    /// Fields for forms, `name=text`, where a form asks for them.
    pub(crate) fields: Vec<String>,
}

impl Theatre {
    /// A theatre for one run.
    pub(crate) fn new(
        name: &str,
        run: &RunId,
        answers: Answers,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("piton-rehearsal-{run}"));
        create_folder(&folder)
            .map_err(|error| Failure::storage(format!("{}: {error}", folder.display())))?;
        let sealing_key = SealingKey::new(*Digest::of(run.0.as_bytes()).bytes());
        Ok(Self {
            name: name.to_owned(),
            run: run.clone(),
            answers: Arc::new(answers),
            runtime,
            sealing_key,
            folder,
            stages: AtomicU64::new(0),
        })
    }

    /// A stage with a new world and an empty journal.
    pub(crate) fn fresh(&self, spec: &WorldSpec) -> Result<Arc<Copy>, Failure> {
        self.with(Sandbox::in_memory(spec, machine_date())?)
    }

    /// A stage with a copy of a world and an empty journal.
    pub(crate) fn copy_of(&self, world: &World) -> Result<Arc<Copy>, Failure> {
        self.with(Sandbox::from_image(&world.sandbox.image()?)?)
    }

    fn with(&self, sandbox: Sandbox) -> Result<Arc<Copy>, Failure> {
        let locks = self.locks();
        let journal = SqliteJournal::in_memory(&locks, Arc::new(machine_now))?;
        Ok(Arc::new(self.copy(journal, sandbox, locks)))
    }

    fn locks(&self) -> PathBuf {
        self.folder.join(self.stages.fetch_add(1, Ordering::SeqCst).to_string())
    }

    fn copy(&self, journal: SqliteJournal, sandbox: Sandbox, locks: PathBuf) -> Copy {
        let world = World { name: self.name.clone(), sandbox: Arc::new(sandbox.instant()) };
        let surroundings = Surroundings::of_world(world.clone(), &self.run.0);
        let journal = Arc::new(journal);
        let engine = Engine {
            ports: Ports {
                journal: Arc::clone(&journal) as Arc<dyn Journal>,
                operations: Arc::clone(&surroundings.operations),
                clock: Arc::clone(&surroundings.clock),
                entropy: Arc::new(SystemEntropy),
                events: Arc::new(Unheard),
                person: Arc::new(Decider {
                    world: world.clone(),
                    clock: Arc::clone(&surroundings.clock),
                    answers: Arc::clone(&self.answers),
                }),
            },
            sealing_key: self.sealing_key.clone(),
            holder: Holder {
                host: "rehearsal".to_owned(),
                pid: std::process::id(),
                since: machine_now(),
            },
            runtime: self.runtime.clone(),
            interrupt: Interrupt::default(),
        };
        Copy { engine, journal, surroundings, world, locks }
    }
}

impl Drop for Theatre {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

impl Stages for Theatre {
    fn stage(&self, journal: &[u8], world: &[u8]) -> Result<Arc<dyn Stage>, RunnerError> {
        let locks = self.locks();
        let journal = SqliteJournal::from_image(journal, &locks, Arc::new(machine_now))?;
        let sandbox = Sandbox::from_image(world).map_err(unusable)?;
        Ok(Arc::new(self.copy(journal, sandbox, locks)))
    }
}

/// One journal and one world that nobody else has.
pub(crate) struct Copy {
    engine: Engine,
    journal: Arc<SqliteJournal>,
    /// The same world, for whoever looks who is who.
    pub(crate) surroundings: Surroundings,
    world: World,
    locks: PathBuf,
}

impl Drop for Copy {
    fn drop(&mut self) {
        remove(&self.locks);
    }
}

impl Stage for Copy {
    fn engine(&self) -> Engine {
        self.engine.clone()
    }

    fn journal_image(&self) -> Result<Vec<u8>, RunnerError> {
        Ok(self.journal.image()?)
    }

    fn world_image(&self) -> Result<Vec<u8>, RunnerError> {
        self.world.sandbox.image().map_err(unusable)
    }

    fn fingerprint(&self) -> Result<Digest, RunnerError> {
        self.world.sandbox.fingerprint().map(Digest::from_bytes).map_err(unusable)
    }

    fn resources(&self) -> Result<Value, RunnerError> {
        let mut dump = self.world.sandbox.dump().map_err(unusable)?;
        Ok(dump["resources"].take())
    }

    fn effects(&self, after: u64) -> Result<Vec<Effect>, RunnerError> {
        let log = self.world.sandbox.log_after(after).map_err(unusable)?;
        let effects = log.into_iter().filter(|call| call.mutating && call.effect);
        Ok(effects
            .map(|call| Effect {
                seq: call.seq,
                account: call.account,
                service: call.service,
                operation: call.operation,
                input: call.input,
            })
            .collect())
    }
}

/// A world in memory that cannot be used has met what a journal meets without memory.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn unusable(error: SandboxError) -> RunnerError {
    JournalError::Storage(error.to_string()).into()
}

/// What is left of locks is an empty folder among temporary files: nothing depends on it.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

/// Nobody follows the run: the rehearsal itself looks at what it comes to.
struct Unheard;

impl EventSink for Unheard {
    fn emit(&self, _event: &piton_core::event::RunEvent) {}
}

/// Somebody of the world who may decide, and does.
struct Decider {
    world: World,
    clock: Arc<dyn Clock>,
    answers: Arc<Answers>,
}

impl Person for Decider {
    fn decide(&self, _run: &RunId, gate: &OpenGate) -> Option<Decision> {
        let request = &gate.request;
        // Where nobody may decide the run suspends, and says so.
        let by = gates::eligible_in(&self.world, gate).ok()?.into_iter().next()?;
        let rejected = &self.answers.rejected;
        let verdict = match rejected.iter().any(|one| *one == request.gate || *one == request.name)
        {
            true => Verdict::Reject,
            false => Verdict::Approve,
        };
        let fields = match verdict {
            Verdict::Approve => self.fields(&request.form),
            Verdict::Reject => Value::Null,
        };
        Some(Decision {
            gate: request.gate.clone(),
            verdict,
            by,
            comment: Some("rehearsed".to_owned()),
            fields,
            evidence: None,
            at: self.clock.now(),
            digest: request.digest,
        })
    }

    fn confirm_call(&self, _key: &Key, _call: &CallPreview) -> bool {
        true
    }
}

impl Decider {
    /// What was given for the fields of a form, else its preset or the first that it takes.
    fn fields(&self, form: &Value) -> Value {
        let mut fields = Map::new();
        for (name, rule) in form.as_object().into_iter().flatten() {
            let given = self.answers.fields.iter().find_map(|field| {
                let (given, text) = field.split_once('=')?;
                (given == name).then(|| text.to_owned())
            });
            let is_optional = rule.get("optional").and_then(Value::as_bool).unwrap_or(false);
            let text = given.or_else(|| (!is_optional).then(|| gates::sample(rule)));
            if let Some(text) = text {
                fields.insert(name.clone(), gates::field_value(Some(rule), &text));
            }
        }
        if fields.is_empty() { Value::Null } else { Value::Object(fields) }
    }
}
