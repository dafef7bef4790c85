//! The entrance: one request in, one answer out, with everything around it.
//!
//! Each request is one transaction on the world's file: the clock moves, what was due happens, the
//! caller is recognised, the input is checked against the model, access is decided, the service
//! answers, the call is logged. An error answer takes back what the service did, but not the log
//! entry. Several processes may have the same file open. What an operation does is the services'
//! part; how a message looks is `protocol`'s.

mod answer;
mod clock;
mod image;
mod ledger;
mod throttle;
mod tokens;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderValue, Request, Response, StatusCode};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::fault::{self, Fault};
use crate::people::{self, Person};
use crate::protocol;
use crate::seed;
use crate::spec::{SpecError, WorldSpec};
use crate::world::{SCHEMA, World};

use clock::Pace;
pub(crate) use clock::settle;
pub use ledger::CallRecord;

/// Version of the file's form.
const FORMAT: &str = "1";

/// Marks a request whose caller is in this process (an extension of the request): members that the
/// model does not have are then refused, because they are a mistake of the binding. Over HTTP they
/// are ignored, as AWS ignores them.
#[derive(Debug, Clone, Copy)]
pub struct InProcess;

/// Marks an answer that must not arrive (an extension of the response, which also has the status 599
/// and the header `x-sandbox-reply-lost`): the caller gets a broken connection instead. The call has
/// taken effect.
#[derive(Debug, Clone, Copy)]
pub struct ReplyLost;

/// A world's file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// SQLite cannot read or write it.
    #[error("the world's file cannot be used: {0}")]
    File(#[from] rusqlite::Error),
    /// Another version wrote it.
    #[error("the world's file has the form {found}, and this version reads the form {FORMAT}")]
    Format {
        /// The form it has.
        found: String,
    },
    /// What it should start with makes no sense.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A value in the file has another form.
    #[error("the world's file has an unreadable {0}")]
    Unreadable(&'static str),
    /// An alias names an account that the world does not have.
    #[error("there is no account {account} in the world (it has {known})")]
    NoSuchAccount {
        /// The account, as it was written.
        account: String,
        /// The accounts it has.
        known: String,
    },
    /// An alias stands for several accounts, and none is named.
    #[error("{alias} stands for several accounts of the world: say which ({known})")]
    WhichAccount {
        /// The alias.
        alias: String,
        /// Its people, with their accounts.
        known: String,
    },
    /// The world's own seed was refused by a service.
    #[error("the world cannot be made: {0}")]
    Seed(String),
}

/// A world and its entrance. Shared by reference between threads: one request at a time.
#[derive(Debug)]
pub struct Sandbox {
    connection: Mutex<Connection>,
    settings: Settings,
    pace: Option<Pace>,
}

/// What each call needs of the world's description.
#[derive(Debug, Clone, Copy)]
struct Settings {
    latency: Duration,
    throttling: bool,
}

impl Settings {
    fn of(spec: &WorldSpec) -> Self {
        Self {
            latency: Duration::milliseconds(i64::from(spec.latency_ms)),
            throttling: spec.throttling,
        }
    }
}

impl Sandbox {
    /// Opens a world's file, and makes it from `spec` when it is not there yet; the clock of a new
    /// world starts at `start`. An existing world stays what it is, whatever `spec` says.
    ///
    /// # Errors
    /// When the file cannot be used, or a new world cannot be made.
    pub fn open(
        path: &Path,
        spec: &WorldSpec,
        start: OffsetDateTime,
    ) -> Result<Self, SandboxError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")?;
        Self::over(connection, spec, start)
    }

    fn over(
        connection: Connection,
        spec: &WorldSpec,
        start: OffsetDateTime,
    ) -> Result<Self, SandboxError> {
        let sandbox = Self::of_connection(connection);
        let stored = sandbox.transact(|transaction| {
            let made: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'meta')",
                [],
                |row| row.get(0),
            )?;
            if made {
                check_format(transaction)?;
                ledger::upgrade(transaction)?;
            } else {
                make(transaction, spec, start)?;
            }
            stored_spec(transaction)
        })?;
        Ok(sandbox.with_settings_of(&stored))
    }

    fn of_connection(connection: Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(64);
        let settings = Settings::of(&WorldSpec::built_in());
        Self { connection: Mutex::new(connection), settings, pace: None }
    }

    fn with_settings_of(mut self, spec: &WorldSpec) -> Self {
        self.settings = Settings::of(spec);
        self
    }

    /// Lets the clock run against real time, `speed` times as fast, for a world that is served to
    /// other programs. `real_now` is the real clock.
    #[must_use]
    pub fn paced(
        mut self,
        speed: f64,
        real_now: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> Self {
        self.pace = Some(Pace::new(speed, Box::new(real_now)));
        self
    }

    /// Answers one request. Whatever goes wrong is an answer too.
    pub fn handle(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let request = &protocol::addressed(request);
        let answered = self.transact(|transaction| {
            let now = self.tick(transaction)?;
            answer::answer(transaction, now, self.settings.throttling, request)
        });
        let mut response = answered.unwrap_or_else(|error| {
            let mut response = Response::new(error.to_string().into_bytes());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        response.headers_mut().insert("x-sandbox", HeaderValue::from_static("1"));
        response
    }

    /// The virtual clock.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn now(&self) -> Result<OffsetDateTime, SandboxError> {
        let elapsed = self.pace.as_ref().map_or(Duration::ZERO, Pace::elapsed);
        Ok(clock::read(&self.lock())? + elapsed)
    }

    /// Moves the clock on, and lets happen what falls due on the way. The new time comes back.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn advance(&self, by: Duration) -> Result<OffsetDateTime, SandboxError> {
        self.transact(|transaction| {
            let target = clock::read(transaction)? + by;
            clock::run_to(transaction, target)
        })
    }

    /// Moves the clock on to a moment; it never goes back. The new time comes back.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn advance_to(&self, moment: OffsetDateTime) -> Result<OffsetDateTime, SandboxError> {
        self.transact(|transaction| clock::run_to(transaction, moment))
    }

    /// When the next change of the world is due, if one is arranged.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn next_due(&self) -> Result<Option<OffsetDateTime>, SandboxError> {
        clock::next_due(&self.lock())
    }

    /// The person with this alias; `alias/222222222222` is that of one of several accounts. One that
    /// the world does not name becomes a person of their own, administrator of the world's first
    /// account or of the one that is named.
    ///
    /// # Errors
    /// When the file cannot be used, the world does not have the account, or the alias stands for
    /// several.
    pub fn person(&self, alias: &str) -> Result<Person, SandboxError> {
        self.transact(|transaction| {
            let world = World::new(transaction, clock::read(transaction)?);
            match people::person(&world, alias) {
                Some(person) => Ok(person),
                None => seed::newcomer(&world, &stored_spec(transaction)?, alias),
            }
        })
    }

    /// Everyone that the world knows, in the order in which they were described.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn people(&self) -> Result<Vec<Person>, SandboxError> {
        let connection = self.lock();
        Ok(people::people(&World::new(&connection, clock::read(&connection)?)))
    }

    /// Adds a rule for failures to come.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn inject(&self, fault: &Fault) -> Result<(), SandboxError> {
        self.transact(|transaction| {
            fault::add(&World::new(transaction, clock::read(transaction)?), fault);
            Ok(())
        })
    }

    /// Every call that the world has had, in order.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn log(&self) -> Result<Vec<CallRecord>, SandboxError> {
        self.log_after(0)
    }

    /// Every call after the one with this number, in order.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn log_after(&self, seq: u64) -> Result<Vec<CallRecord>, SandboxError> {
        ledger::log(&self.lock(), seq)
    }

    /// The whole state as `{resources, history}`, in a fixed order and without what differs between
    /// two equal runs: clock, durations, sessions, counters.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn dump(&self) -> Result<Value, SandboxError> {
        // One moment, though another process may be writing.
        let mut connection = self.lock();
        ledger::dump(&*connection.transaction()?)
    }

    /// What the world started with.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn spec(&self) -> Result<WorldSpec, SandboxError> {
        stored_spec(&self.lock())
    }

    /// Makes the world new, from what it once started with, with the clock at `start`.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn reset(&self, start: OffsetDateTime) -> Result<(), SandboxError> {
        self.transact(|transaction| {
            let spec = stored_spec(transaction)?;
            let tables: Vec<(String, String)> = transaction
                .prepare(
                    "SELECT type, name FROM sqlite_master
                     WHERE type IN ('view', 'table') AND name NOT LIKE 'sqlite%'
                     ORDER BY type DESC",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (kind, name) in tables {
                let name = name.replace('"', "\"\"");
                transaction.execute_batch(&format!("DROP {kind} IF EXISTS \"{name}\""))?;
            }
            make(transaction, &spec, start)
        })
    }

    /// Moves the clock by what a call takes, or by the real time that has passed, and lets happen
    /// what falls due.
    fn tick(&self, transaction: &Transaction<'_>) -> Result<OffsetDateTime, SandboxError> {
        let passed = self.pace.as_ref().map_or(Duration::ZERO, Pace::take);
        let target = clock::read(transaction)? + self.settings.latency.max(passed);
        clock::run_to(transaction, target)
    }

    fn transact<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SandboxError>,
    ) -> Result<T, SandboxError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic rolled its transaction back: the file is whole, and so is the connection.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make(
    transaction: &Transaction<'_>,
    spec: &WorldSpec,
    start: OffsetDateTime,
) -> Result<(), SandboxError> {
    spec.check()?;
    transaction.execute_batch(SCHEMA)?;
    set_meta(transaction, "format", FORMAT)?;
    let text = serde_json::to_string(spec).map_err(|_| SandboxError::Unreadable("description"))?;
    set_meta(transaction, "spec", &text)?;
    clock::write(transaction, start)?;
    seed::sow(transaction, spec, start)
}

fn check_format(transaction: &Transaction<'_>) -> Result<(), SandboxError> {
    match meta(transaction, "format")? {
        found if found == FORMAT => Ok(()),
        found => Err(SandboxError::Format { found }),
    }
}

fn stored_spec(connection: &Connection) -> Result<WorldSpec, SandboxError> {
    serde_json::from_str(&meta(connection, "spec")?)
        .map_err(|_| SandboxError::Unreadable("description"))
}

fn meta(connection: &Connection, name: &str) -> Result<String, SandboxError> {
    Ok(connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?)
}

fn set_meta(connection: &Connection, name: &str, value: &str) -> Result<(), SandboxError> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute([name, value])?;
    Ok(())
}
