//! Ports to adapters: the only place that knows which adapter stands behind which port.

use std::sync::Arc;

use piton_aws::{Aws, Door, SandboxPerson};
use piton_core::account::{AccountRef, Principal};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::ports::{
    Clock, EventSink, Holder, IdentifyError, Operations, Person, RunRow, failure_text,
};
use piton_runner::{Engine, Interrupt, Ports, TurnClock};
use piton_sandbox::InProcess;

use crate::clocks::{MachineClock, SystemEntropy, WorldClock, machine_now};
use crate::context::Context;
use crate::failure::Failure;
use crate::worlds::World;

/// What a run acts on: AWS or a world, and its time.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The sandbox's world; absent against AWS.
    pub(crate) world: Option<World>,
}

impl Surroundings {
    /// A world of the sandbox, inside this process.
    pub(crate) fn of_world(world: World, run: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(WorldClock::new(Arc::clone(&world.sandbox)));
        let entrance = Arc::clone(&world.sandbox);
        let door: Door = Arc::new(move |mut request| {
            request.extensions_mut().insert(InProcess);
            entrance.handle(request)
        });
        let register = Arc::clone(&world.sandbox);
        let people: piton_aws::People = Arc::new(move |alias| {
            let person = register.person(alias).map_err(|error| error.to_string())?;
            Ok(SandboxPerson {
                access_key_id: person.access_key_id,
                secret_access_key: person.secret_access_key,
                region: person.region,
            })
        });
        let own: Arc<dyn Clock> = Arc::new(TurnClock::new(Arc::clone(&clock)));
        let operations = Arc::new(Aws::sandbox(door, own, people, run));
        Self { operations, clock, world: Some(world) }
    }

    /// AWS itself, with the accounts of piton.toml.
    pub(crate) fn of_aws(context: &Context, run: &str) -> Result<Self, Failure> {
        let accounts = context.accounts()?;
        let aws = context
            .runtime()
            .block_on(Aws::network(accounts, run))
            .map_err(|problem| Failure::of(Diagnostic::error(Code::Configuration, problem)))?;
        Ok(Self { operations: Arc::new(aws), clock: Arc::new(MachineClock), world: None })
    }

    /// What a stored run acts on; refused when it goes on in another home.
    pub(crate) fn of_run(context: &Context, row: &RunRow) -> Result<Self, Failure> {
        if let Some(elsewhere) = row.elsewhere() {
            return Err(elsewhere.into());
        }
        match &row.summary.world {
            Some(name) => {
                let worlds = context.home()?.worlds();
                let world = worlds.stored(name).map_err(|failure| match worlds.has(name) {
                    true => failure.hint("mend the cause, then try again: nothing was lost"),
                    false => failure.hint("the world of this run was removed: it cannot go on"),
                })?;
                Ok(Self::of_world(world, &row.run.0))
            }
            None => Self::of_aws(context, &row.run.0),
        }
    }

    /// Makes a world the one that `sandbox` commands take when none is named.
    pub(crate) fn remember(&self, context: &Context) -> Result<(), Failure> {
        match &self.world {
            Some(world) => context.home()?.worlds().remember(world),
            None => Ok(()),
        }
    }

    /// Proves who an alias is.
    pub(crate) fn identify(
        &self,
        context: &Context,
        alias: &str,
    ) -> Result<Principal, IdentifyError> {
        context.runtime().block_on(self.operations.identify(&AccountRef::alias(alias)))
    }

    /// An engine that acts on them.
    pub(crate) fn engine(
        &self,
        context: &Context,
        events: Arc<dyn EventSink>,
        person: Arc<dyn Person>,
        interrupt: Interrupt,
    ) -> Result<Engine, Failure> {
        Ok(Engine {
            ports: Ports {
                journal: context.journal()?,
                operations: Arc::clone(&self.operations),
                clock: Arc::clone(&self.clock),
                entropy: Arc::new(SystemEntropy),
                events,
                person,
            },
            sealing_key: context.home()?.sealing_key()?,
            holder: this_process(),
            runtime: context.runtime().handle().clone(),
            interrupt,
        })
    }
}

/// Why an alias cannot be used, with code and way on.
pub(crate) fn identify_diagnostic(alias: &str, error: &IdentifyError) -> Diagnostic {
    use piton_core::ports::CallFailure;
    match error {
        IdentifyError::Unconfigured { .. } => {
            Diagnostic::error(Code::UnknownAlias, error.to_string())
                .hint(format!("say what it is in piton.toml: [accounts.{alias}] profile = \"...\""))
        }
        IdentifyError::Unusable { .. } => Diagnostic::error(Code::UnknownAlias, error.to_string()),
        IdentifyError::Pinned { .. } => Diagnostic::error(Code::PinnedAccount, error.to_string())
            .hint("use credentials of the pinned account, or correct account_id in piton.toml"),
        IdentifyError::Call(failure) => {
            let message = format!("`{alias}` cannot prove who it is: {}", failure_text(failure));
            let diagnostic = Diagnostic::error(Code::Credentials, message);
            match failure {
                CallFailure::Credentials { renew_with: Some(command), .. } => {
                    diagnostic.hint(format!("renew the credentials: {command}"))
                }
                _ => diagnostic,
            }
        }
    }
}

/// This process, as leases name it.
pub(crate) fn this_process() -> Holder {
    Holder { host: host_name(), pid: std::process::id(), since: machine_now() }
}

/// The machine's name, as leases show it to people.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .ok()
        .map(|name| name.trim().to_owned())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
