//! Runs that go from one home to another: packed, handed over, taken in.
//!
//! A hand-over is an entry in the source run: whoever has the journal sees that the run goes on with
//! a capsule, and no process of that home takes it again. Taking over is an entry too, made where the
//! run goes on. What is handed over twice cannot be seen from either home: the guide says so.

use std::collections::BTreeSet;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, Entry, HandedOver, TakenOver};
use piton_core::evidence::Evidence;
use piton_core::ports::{Arrival, Entropy, Holder, Journal, JournalError, Lease, RunId, RunRow};
use piton_core::secret::Origin;
use piton_core::status::RunStatus;
use piton_core::time::Timestamp;
use piton_script::params::SecretSource;
use serde_json::Value;

use crate::capsule::{Capsule, Carried, CarriedWorld, FORMAT, Header};
use crate::children::children;
use crate::engine::{RunnerError, run_id_of};
use crate::sealed::{SealedSecret, read_secrets};
use crate::vault::SealingKey;

/// Who exports or imports.
pub struct Mover<'a> {
    /// The home's journal.
    pub journal: &'a dyn Journal,
    /// The home's key.
    pub key: &'a SealingKey,
    /// Chance.
    pub entropy: &'a dyn Entropy,
    /// This process.
    pub holder: &'a Holder,
    /// The present moment, by the machine's clock.
    pub now: Timestamp,
}

impl Mover<'_> {
    /// A run and those that belong to it: the ones it called, the one that takes it back, the one it
    /// takes back. The run is the first.
    fn family(&self, run: &RunId) -> Result<Vec<RunRow>, JournalError> {
        let mut family = vec![self.journal.find(&run.0)?];
        let mut next = 0;
        while let Some(row) = family.get(next) {
            let mut found: Vec<RunRow> = children(self.journal, &row.run)?;
            let others = [&row.summary.rolled_back_by, &row.summary.rollback_of];
            for other in others.into_iter().flatten() {
                match self.journal.find(&other.0) {
                    Ok(row) => found.push(row),
                    // It was removed.
                    Err(JournalError::NoRun(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            found.retain(|row| family.iter().all(|known| known.run != row.run));
            family.extend(found);
            next += 1;
        }
        Ok(family)
    }

    /// Everything of a run that a capsule holds; `world` is the file of its world.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn pack(
        &self,
        run: &RunId,
        hand_over: Option<String>,
        world: Option<CarriedWorld>,
    ) -> Result<Capsule, RunnerError> {
        let family = self.family(run)?;
        let is_hand_over = hand_over.is_some();
        let id = hand_over.unwrap_or_else(|| self.new_id());
        let locks = self.journal.locks()?;
        let carry = |row: &RunRow| -> Result<Carried, JournalError> {
            let sealed = self.journal.sealed(&row.run)?;
            let held = locks.iter().filter(|lock| lock.run == row.run);
            Ok(Carried {
                evidence: Evidence::of(self.journal, &row.run, Some(row.head.seq))?,
                mail: self.journal.mail(&row.run)?.into_iter().map(|(_, mail)| mail).collect(),
                locks: held.map(|lock| lock.name.clone()).collect(),
                secrets: sealed.into_iter().map(|(name, _)| name).collect(),
            })
        };
        let runs = family.iter().map(carry).collect::<Result<Vec<_>, _>>()?;
        let header = Header {
            format: FORMAT,
            id,
            run: family[0].run.clone(),
            hand_over: is_hand_over,
            key: fingerprint(self.key),
            host: self.holder.host.clone(),
            at: self.now,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Capsule { header, runs, world })
    }

    /// Hands a run over: from here on it goes on with the capsule of the returned id alone. Doing it
    /// again returns the same id, so that a capsule that was lost can be written again.
    ///
    /// # Errors
    /// When the run, or one that belongs to it, is driven, is a copy, or is called by one that goes
    /// on.
    pub fn hand_over(&self, run: &RunId) -> Result<String, RunnerError> {
        let family = self.family(run)?;
        self.refuse_called(&family[0])?;
        let known = family.iter().find_map(|row| row.summary.handed_over.as_ref());
        let capsule = known.map_or_else(|| self.new_id(), |departure| departure.capsule.clone());
        let stays = family.iter().filter(|row| row.summary.status != RunStatus::HandedOver);
        // All of them before the first is marked: none goes on without the others.
        let leases = stays
            .map(|row| self.journal.acquire(&row.run, self.holder))
            .collect::<Result<Vec<_>, _>>()?;
        for lease in leases {
            self.mark(lease.as_ref(), &capsule)?;
        }
        Ok(capsule)
    }

    fn mark(&self, lease: &dyn Lease, capsule: &str) -> Result<(), RunnerError> {
        let row = self.journal.find(&lease.run().0)?;
        let (capsule, host) = (capsule.to_owned(), self.holder.host.clone());
        let entry = Entry {
            key: None,
            at: moment(&row, self.now),
            body: Body::HandedOver(HandedOver { capsule, host }),
        };
        let mut summary = row.summary;
        summary.apply(&entry).map_err(|illegal| wrong_state(&row.run, &illegal.to_string()))?;
        self.journal.append(lease, &[entry], &summary)?;
        Ok(())
    }

    /// A run that another one called goes with that one.
    fn refuse_called(&self, row: &RunRow) -> Result<(), RunnerError> {
        let Some(parent) = &row.summary.parent else { return Ok(()) };
        match self.journal.find(&parent.0) {
            Ok(caller) if !caller.summary.status.is_final() => Err(RunnerError::refused(
                Diagnostic::error(
                    Code::WrongState,
                    format!("run {} was called by run {parent}, which goes on with it", row.run),
                )
                .hint(format!("hand that over: piton export {parent} --hand-over")),
            )),
            Ok(_) | Err(JournalError::NoRun(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn new_id(&self) -> String {
        let mut bytes = [0; 12];
        self.entropy.fill(&mut bytes);
        run_id_of(&bytes).0
    }

    /// Takes the runs of a capsule in to be read.
    ///
    /// # Errors
    /// When one is here already and goes on here, or went another way.
    pub fn keep(&self, capsule: Capsule) -> Result<(), RunnerError> {
        let arrive = |carried: Carried| -> Result<Arrival, RunnerError> {
            Ok(Arrival {
                summary: row_of(&carried)?.summary,
                evidence: carried.evidence,
                copy: true,
                mail: Vec::new(),
                locks: Vec::new(),
                sealed: Vec::new(),
                then: Vec::new(),
            })
        };
        let arrivals = capsule.runs.into_iter().map(arrive).collect::<Result<Vec<_>, _>>()?;
        Ok(self.journal.import(&arrivals)?)
    }

    /// Takes the runs of a hand-over in to go on with them. `secrets` says where the values of secret
    /// parameters are: the capsule has none.
    ///
    /// # Errors
    /// When the capsule is no hand-over, a secret is missing, what was derived from the key of the
    /// other home is still needed, or the journal refuses.
    pub fn take_over(
        &self,
        capsule: Capsule,
        secrets: &[(String, SecretSource)],
    ) -> Result<(), RunnerError> {
        let known = self.checked(&capsule, secrets)?;
        let Capsule { header, runs, .. } = capsule;
        let arrive = |carried: Carried| -> Result<Arrival, RunnerError> {
            let row = row_of(&carried)?;
            let taken = Entry {
                key: None,
                at: moment(&row, self.now),
                body: Body::TakenOver(TakenOver {
                    capsule: header.id.clone(),
                    host: self.holder.host.clone(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                }),
            };
            let mut summary = row.summary;
            summary.apply(&taken).map_err(|illegal| wrong_state(&row.run, &illegal.to_string()))?;
            let wanted = known.iter().filter(|secret| secret.is_among(&carried.secrets));
            let sealed = wanted.map(|secret| secret.seal(self.key, self.entropy, &row.run));
            Ok(Arrival {
                sealed: sealed.collect(),
                evidence: carried.evidence,
                copy: false,
                mail: carried.mail,
                locks: carried.locks,
                then: vec![taken],
                summary,
            })
        };
        let arrivals = runs.into_iter().map(arrive).collect::<Result<Vec<_>, _>>()?;
        Ok(self.journal.import(&arrivals)?)
    }

    /// What would refuse a take-over before anything is stored.
    ///
    /// # Errors
    /// As [`Mover::take_over`], but for what the journal refuses.
    pub fn check(
        &self,
        capsule: &Capsule,
        secrets: &[(String, SecretSource)],
    ) -> Result<(), RunnerError> {
        self.checked(capsule, secrets).map(drop)
    }

    fn checked(
        &self,
        capsule: &Capsule,
        secrets: &[(String, SecretSource)],
    ) -> Result<Vec<SealedSecret>, RunnerError> {
        let Capsule { header, runs, .. } = capsule;
        refuse_no_hand_over(header, runs)?;
        self.refuse_other_key(header, runs)?;
        let known = read_secrets(secrets)?;
        refuse_missing_secrets(runs, &known)?;
        Ok(known)
    }

    /// Passwords and digests of literal secrets follow from the key of their home: with another key
    /// they would be others, and nobody would notice.
    fn refuse_other_key(&self, header: &Header, runs: &[Carried]) -> Result<(), RunnerError> {
        if header.key == fingerprint(self.key) {
            return Ok(());
        }
        let derived: BTreeSet<&str> =
            runs.iter().filter(|carried| goes_on(carried)).flat_map(key_dependent).collect();
        if derived.is_empty() {
            return Ok(());
        }
        let places: Vec<&str> = derived.into_iter().take(5).collect();
        Err(RunnerError::refused(
            Diagnostic::error(
                Code::NotAdmitted,
                format!(
                    "run {} has secrets that follow from the key of the home it comes from ({})",
                    header.run,
                    places.join(", ")
                ),
            )
            .hint(
                "bring that home's secret.key over a safe way, as the secret.key of a home that has \
                 none yet, and take the run over there: --home DIR",
            ),
        ))
    }
}

/// A secret parameter, as people name it, of those that a home has sealed: environment variables are
/// read again where the run goes on.
fn parameter(sealed: &str) -> Option<&str> {
    match sealed.split_once(':') {
        Some(("env", _)) => None,
        Some(("secretsmanager", name)) => Some(name),
        _ => Some(sealed),
    }
}

/// Secret parameters whose values a take-over has to be told, in order of their names.
pub fn secrets_wanted(capsule: &Capsule) -> Vec<String> {
    wanted(&capsule.runs).into_iter().map(str::to_owned).collect()
}

fn wanted(runs: &[Carried]) -> BTreeSet<&str> {
    let needy = runs.iter().filter(|carried| goes_on(carried));
    needy.flat_map(|carried| &carried.secrets).filter_map(|name| parameter(name)).collect()
}

fn refuse_missing_secrets(runs: &[Carried], known: &[SealedSecret]) -> Result<(), RunnerError> {
    let missing: Vec<Diagnostic> = wanted(runs)
        .into_iter()
        .filter(|name| known.iter().all(|secret| secret.name() != *name))
        .map(|name| {
            Diagnostic::error(
                Code::MissingParameter,
                format!(
                    "the secret parameter `{name}` has to be told again: capsules hold no secrets"
                ),
            )
            .hint(format!(
                "--secret {name}=env:NAME, --secret {name}=file:PATH or --secret \
                 {name}=secretsmanager:ARN"
            ))
        })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(RunnerError::Refused(missing)) }
}

fn refuse_no_hand_over(header: &Header, runs: &[Carried]) -> Result<(), RunnerError> {
    for carried in runs {
        let row = row_of(carried)?;
        let departure = row.summary.handed_over.as_ref();
        if !header.hand_over || departure.is_none_or(|departure| departure.capsule != header.id) {
            return Err(RunnerError::refused(
                Diagnostic::error(
                    Code::NotAdmitted,
                    format!(
                        "the capsule is no hand-over: run {} goes on in the home it comes from",
                        row.run
                    ),
                )
                .hint(format!("there: piton export {} --hand-over -o FILE", header.run))
                .hint("without --take-over it is kept to be read"),
            ));
        }
    }
    Ok(())
}

/// Whether anything of a run may still be done.
fn goes_on(carried: &Carried) -> bool {
    row_of(carried).is_ok_and(|row| {
        let status = row.summary.handed_over.map_or(row.summary.status, |departure| departure.was);
        !matches!(status, RunStatus::Rejected | RunStatus::Compensated | RunStatus::Cancelled)
    })
}

fn row_of(carried: &Carried) -> Result<RunRow, RunnerError> {
    carried.evidence.row().map_err(|flaw| {
        RunnerError::refused(Diagnostic::error(
            Code::EvidenceBroken,
            format!("run {}: {flaw}", carried.evidence.run),
        ))
    })
}

/// Keys of entries with values that follow from the home's sealing key.
fn key_dependent(carried: &Carried) -> impl Iterator<Item = &str> {
    carried.evidence.entries.iter().filter_map(|row| {
        let body: Value = serde_json::from_str(&row.body).ok()?;
        holds_derived(&body).then(|| row.key.as_ref().map_or("", |key| key.as_str()))
    })
}

fn holds_derived(value: &Value) -> bool {
    match Origin::of(value) {
        Some(Origin::Password { .. } | Origin::Literal { .. }) => return true,
        Some(Origin::Json { text }) => {
            return serde_json::from_str(&text).is_ok_and(|inner| holds_derived(&inner));
        }
        Some(Origin::Param { .. } | Origin::Env { .. } | Origin::Output { .. }) => return false,
        None => {}
    }
    match value {
        Value::Object(members) => members.values().any(holds_derived),
        Value::Array(items) => items.iter().any(holds_derived),
        _ => false,
    }
}

fn fingerprint(key: &SealingKey) -> String {
    key.keyed_digest("capsule", "which key a home has")
}

/// Now, but never before the last entry; in a rehearsal the clock is the world's, which stands still
/// while a run moves.
fn moment(row: &RunRow, now: Timestamp) -> Timestamp {
    match row.summary.world {
        Some(_) => row.summary.updated_at,
        None => now.max(row.summary.updated_at),
    }
}

fn wrong_state(run: &RunId, why: &str) -> RunnerError {
    RunnerError::refused(Diagnostic::error(Code::WrongState, format!("run {run}: {why}")))
}
