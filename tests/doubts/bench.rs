//! A world and a journal in memory, and a process that can be made to die right after a call had its
//! effect.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use piton_aws::{Aws, Door, People, SandboxPerson};
use piton_core::account::{AccountRef, Principal};
use piton_core::event::RunEvent;
use piton_core::gate::Decision;
use piton_core::key::Key;
use piton_core::ports::{
    Answer, Call, CallFailure, CallPreview, Clock, Entropy, EventSink, Holder, IdentifyError,
    Journal, OpenGate, Operations, Pending, Person, ProgramFile, RunId,
};
use piton_core::time::{Span, Timestamp};
use piton_journal::SqliteJournal;
use piton_runner::vault::SealingKey;
use piton_runner::{Driven, Engine, Interrupt, Options, Ports, Resume, Start, TurnClock};
use piton_sandbox::{Fault, FaultKind, InProcess, Sandbox, WorldSpec};
use piton_script::Program;
use piton_script::params;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// When every world begins.
const BEGINNING: time::OffsetDateTime = time::macros::datetime!(2026-01-01 00:00 UTC);

/// The run has one id in all its variants, so that what follows from it is the same.
const RUN: &str = "adoubtedrun1";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// The world that all cases begin in, and the one in which its accounts are one organisation.
static WORLDS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [false, true].map(|organisation| {
        let spec: WorldSpec = toml::from_str(include_str!("world.toml")).unwrap();
        let spec = WorldSpec { organisation, ..spec };
        Sandbox::in_memory(&spec, BEGINNING).unwrap().image().unwrap()
    })
});

/// Which call a process dies at: the operation, and how many calls of it come before.
pub(crate) struct Death {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) after: usize,
    /// It dies once AWS has done what the call asks for, not before.
    pub(crate) has_effect: bool,
}

/// One run in a world of its own.
pub(crate) struct Bench {
    pub(crate) sandbox: Arc<Sandbox>,
    journal: Arc<SqliteJournal>,
    locks: TempDir,
}

impl Bench {
    pub(crate) fn new(organisation: bool) -> Self {
        let world = &WORLDS[usize::from(organisation)];
        let sandbox = Arc::new(Sandbox::from_image(world).unwrap());
        let locks = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::in_memory(locks.path(), now_of(&sandbox)).unwrap());
        Self { sandbox, journal, locks }
    }

    /// Another home in the same world.
    pub(crate) fn beside(&self) -> Self {
        let sandbox = Arc::clone(&self.sandbox);
        let locks = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::in_memory(locks.path(), now_of(&sandbox)).unwrap());
        Self { sandbox, journal, locks }
    }

    /// The reply to the call of an operation that comes after so many others is lost.
    pub(crate) fn lose_reply(&self, service: &str, operation: &str, after: usize) {
        let fault = Fault {
            operation: format!("{service}.{operation}"),
            nth: u32::try_from(after).unwrap() + 1,
            times: 1,
            kind: FaultKind::ReplyLost,
            seconds: 0,
            code: None,
            message: None,
            status: None,
        };
        self.sandbox.inject(&fault).unwrap();
    }

    /// Starts the case in a process that nothing kills.
    pub(crate) fn start(&self, script: &str) -> Driven {
        self.engine(self.operations()).start(start(script)).unwrap()
    }

    /// Starts the case in a process that dies after a call; what is left is the world and the journal
    /// as it was at that moment.
    pub(crate) fn start_and_die(self, script: &str, death: Death) -> Self {
        let mortal = Arc::new(Mortal {
            inner: self.operations(),
            journal: Arc::clone(&self.journal),
            death,
            life: Mutex::default(),
        });
        // What a dead process says is heard by nobody.
        drop(self.engine(Arc::clone(&mortal) as Arc<dyn Operations>).start(start(script)));
        let life = mortal.life.lock().unwrap();
        let image = life.left.as_ref().expect("the process died");
        let locks = tempfile::tempdir().unwrap();
        let journal = from_image(image, locks.path(), &self.sandbox);
        Self { sandbox: self.sandbox, journal: Arc::new(journal), locks }
    }

    /// Goes on in a fresh process.
    pub(crate) fn resume(&self) -> Driven {
        let options = options();
        let how = Resume { retry: false, rebind: Vec::new(), options };
        self.engine(self.operations()).resume(&run(), &how).unwrap()
    }

    /// Lets virtual time pass.
    pub(crate) fn pass(&self, hours: i64) {
        self.sandbox.advance(time::Duration::hours(hours)).unwrap();
    }

    /// The journal.
    pub(crate) fn journal(&self) -> &dyn Journal {
        self.journal.as_ref()
    }

    fn operations(&self) -> Arc<dyn Operations> {
        let entrance = Arc::clone(&self.sandbox);
        let door: Door = Arc::new(move |mut request| {
            request.extensions_mut().insert(InProcess);
            entrance.handle(request)
        });
        let register = Arc::clone(&self.sandbox);
        let people: People = Arc::new(move |alias| {
            let person = register.person(alias).map_err(|error| error.to_string())?;
            Ok(SandboxPerson {
                access_key_id: person.access_key_id,
                secret_access_key: person.secret_access_key,
                region: person.region,
            })
        });
        let clock: Arc<dyn Clock> = Arc::new(TurnClock::new(self.clock()));
        Arc::new(Aws::sandbox(door, clock, people, RUN))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(WorldClock(Arc::clone(&self.sandbox)))
    }

    fn engine(&self, operations: Arc<dyn Operations>) -> Engine {
        debug_assert!(self.locks.path().is_dir());
        Engine {
            ports: Ports {
                journal: Arc::clone(&self.journal) as Arc<dyn Journal>,
                operations,
                clock: self.clock(),
                entropy: Arc::new(Counter),
                events: Arc::new(Deaf),
                person: Arc::new(Nobody),
            },
            sealing_key: SealingKey::new([9; 32]),
            holder: Holder {
                host: "test".to_owned(),
                pid: std::process::id(),
                since: now(&self.sandbox),
            },
            runtime: RUNTIME.handle().clone(),
            interrupt: Interrupt::default(),
        }
    }
}

/// The run of every case.
pub(crate) fn run() -> RunId {
    RunId(RUN.to_owned())
}

fn options() -> Options {
    Options { wait_limit: None, step_mode: false }
}

fn start(script: &str) -> Start {
    let file = ProgramFile { path: "doubt.rhai".to_owned(), text: script.to_owned() };
    let program = Program::from_files("doubt", vec![file])
        .unwrap_or_else(|problems| panic!("the script is wrong: {problems:#?}\n{script}"));
    let params = params::bind(program.declaration(), &[], true).unwrap();
    Start {
        run: run(),
        program,
        source: None,
        params,
        name: None,
        labels: Vec::new(),
        world: Some("memory".to_owned()),
        requester: None,
        options: options(),
    }
}

fn now(sandbox: &Sandbox) -> Timestamp {
    let millis = sandbox.now().unwrap().unix_timestamp_nanos() / 1_000_000;
    Timestamp::from_millis(i64::try_from(millis).unwrap())
}

fn now_of(sandbox: &Arc<Sandbox>) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    let sandbox = Arc::clone(sandbox);
    Arc::new(move || now(&sandbox))
}

fn from_image(image: &[u8], locks: &Path, sandbox: &Arc<Sandbox>) -> SqliteJournal {
    SqliteJournal::from_image(image, locks, now_of(sandbox)).unwrap()
}

/// A way to AWS whose process dies after one call had its effect.
struct Mortal {
    inner: Arc<dyn Operations>,
    journal: Arc<SqliteJournal>,
    death: Death,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    calls: usize,
    /// The journal as it was at the moment of death.
    left: Option<Vec<u8>>,
}

impl Operations for Mortal {
    fn perform<'a>(&'a self, call: &'a Call) -> Pending<'a, Result<Answer, CallFailure>> {
        let dead = || CallFailure::Unavailable { message: "the process died".to_owned() };
        Box::pin(async move {
            if self.life.lock().unwrap().left.is_some() {
                return Err(dead());
            }
            let Death { service, operation, after, has_effect } = self.death;
            let is_ours = call.service == service && call.operation == operation;
            let is_last = is_ours && self.life.lock().unwrap().calls == after;
            if is_last && has_effect {
                drop(self.inner.perform(call).await);
            }
            if is_last {
                self.life.lock().unwrap().left = Some(self.journal.image().unwrap());
                return Err(dead());
            }
            self.life.lock().unwrap().calls += usize::from(is_ours);
            self.inner.perform(call).await
        })
    }

    fn identify<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> Pending<'a, Result<Principal, IdentifyError>> {
        self.inner.identify(account)
    }

    fn region(&self, account: &AccountRef) -> Option<String> {
        self.inner.region(account)
    }
}

/// The world's clock: waiting takes no time.
struct WorldClock(Arc<Sandbox>);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        now(&self.0)
    }

    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        let millis = i64::try_from(span.millis()).unwrap();
        Box::pin(async move {
            self.0.advance(time::Duration::milliseconds(millis)).unwrap();
        })
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

/// Chance that is none.
struct Counter;

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for (index, byte) in (0_u8..).zip(bytes) {
            *byte = index.wrapping_mul(7);
        }
    }
}

struct Deaf;

impl EventSink for Deaf {
    fn emit(&self, _: &RunEvent) {}
}

struct Nobody;

impl Person for Nobody {
    fn decide(&self, _: &RunId, _: &OpenGate) -> Option<Decision> {
        None
    }

    fn confirm_call(&self, _: &Key, _: &CallPreview) -> bool {
        true
    }
}
