//! Whether a run would go on now: what its dry replay found, joined with what is true only at this
//! moment: who holds it, what was decided, which time it is, which secrets and accounts are here.
//!
//! Nothing is sent: credentials are not tried.

mod verdict;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use piton_aws::Accounts;
use piton_core::canonical::Digest;
use piton_core::catalogue::Class;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::gate;
use piton_core::ports::{HeldLock, Journal, Mail, RunId, RunRow};
use piton_core::status::{Reason, RunStatus};
use piton_core::time::Timestamp;
use piton_runner::dry::{self, DryEnd, Look, Next, Question, Reached, Replay};
use piton_runner::vault::SealingKey;
use serde::Serialize;

pub(crate) use self::verdict::Verdict;
pub(crate) use self::words::words;
use self::words::{SECRET_MISSING, is_missing, needs, stop};
use crate::context::Context;
use crate::failure::Failure;
use crate::verdicts::{Finding, Verdicts};
use crate::{clocks, views};

/// What a resume would come to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Diagnosis {
    /// Nothing that can be seen from here stands in the way; credentials are not tried.
    pub(crate) cleanly: bool,
    /// What stands in the way.
    pub(crate) problems: Vec<String>,
    /// A resume would wait again at once.
    pub(crate) still_waits: bool,
    pub(crate) verdict: Verdict,
    /// Why, in a sentence.
    pub(crate) reason: String,
    /// What comes next, in each branch that goes on.
    pub(crate) would: Vec<Would>,
    /// Commands that lead on, in the order that makes sense.
    pub(crate) next: Vec<String>,
}

/// Something that a resume would do first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Would {
    pub(crate) run: String,
    pub(crate) key: Option<String>,
    /// What it is, in words.
    pub(crate) what: String,
    /// It would wait there.
    pub(crate) waits: bool,
    /// It is a gate.
    #[serde(skip)]
    at_gate: bool,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<usize>,
}

/// Everything that diagnoses ask, read once for all runs of a command.
pub(crate) struct Situation<'a> {
    context: &'a Context,
    journal: Arc<dyn Journal>,
    verdicts: Verdicts,
    accounts: Result<Accounts, String>,
    /// Runs can be driven from here.
    writable: Result<(), String>,
    key: Option<SealingKey>,
    mailed: HashSet<RunId>,
    locks: Vec<HeldLock>,
    /// Present moments of worlds; what is not here is not asked.
    moments: HashMap<String, Timestamp>,
    opens_worlds: bool,
}

impl<'a> Situation<'a> {
    /// Reads what is true now. `opens_worlds`: the clocks of worlds are asked, one by one.
    pub(crate) fn look(context: &'a Context, opens_worlds: bool) -> Result<Self, Failure> {
        let journal = context.journal()?;
        let home = context.home()?;
        let key = match home.key_path().is_file() {
            true => Some(home.sealing_key()?),
            false => None,
        };
        Ok(Self {
            context,
            verdicts: Verdicts::load(context)?,
            accounts: context.accounts().map_err(|failure| failure.message()),
            key,
            writable: journal.writable().map_err(|error| error.to_string()),
            mailed: journal.runs_with_mail()?.into_iter().collect(),
            locks: journal.locks()?,
            journal,
            moments: HashMap::new(),
            opens_worlds,
        })
    }

    /// Keeps the findings for the next command; in a home that is only read nothing is written.
    pub(crate) fn keep(&self) {
        if self.writable.is_ok() {
            self.verdicts.save();
        }
    }

    /// Forgets findings about runs that there are not any more, or that ended.
    pub(crate) fn retain(&mut self, rows: &HashMap<&RunId, &RunRow>) {
        self.verdicts.retain(rows);
    }

    /// What a dry replay of a run finds: the one that is known, unless it is to be made anew. Says
    /// whether it was known.
    fn finding(
        &mut self,
        row: &RunRow,
        anew: bool,
        heads: &dyn Fn(&RunId) -> Option<Digest>,
    ) -> Result<(Finding, bool), Failure> {
        if let Some(known) = self.verdicts.get(row, heads).filter(|_| !anew) {
            return Ok((known.clone(), true));
        }
        let look = self.dry_look();
        let question =
            Question { run: row.run.clone(), program: None, retry: false, accept: false };
        let replay = dry::replay(&look, &question).map_err(|error| Failure::from(error).message());
        let seals = !self.journal.sealed(&row.run)?.is_empty();
        let finding = Finding::new(row, seals, replay);
        self.verdicts.put(row, &finding);
        Ok((finding, false))
    }

    /// What dry replays need.
    pub(crate) fn dry_look(&self) -> Look {
        Look {
            journal: Arc::clone(&self.journal),
            // Without the key no digest of a secret in a script is what it was.
            sealing_key: self.key.clone().unwrap_or_else(|| SealingKey::new([0; 32])),
            runtime: self.context.runtime().handle().clone(),
        }
    }

    /// The present moment of a run.
    fn now(&mut self, row: &RunRow) -> Timestamp {
        let Some(name) = &row.summary.world else { return clocks::machine_now() };
        if !self.opens_worlds {
            // A world's clock stands still while nobody uses it.
            return row.summary.updated_at;
        }
        *self.moments.entry(name.clone()).or_insert_with(|| {
            let world = self.context.home().and_then(|home| home.worlds().stored(name));
            let now = world.ok().and_then(|world| world.sandbox.now().ok());
            now.map_or(row.summary.updated_at, clocks::timestamp)
        })
    }

    /// What a resume of a run would come to, and whether that rests on a replay that was known.
    pub(crate) fn diagnose(
        &mut self,
        row: &RunRow,
        anew: bool,
        heads: &dyn Fn(&RunId) -> Option<Digest>,
    ) -> Result<(Diagnosis, bool), Failure> {
        if let Some((verdict, reason)) = standing(row) {
            return Ok((self.blocked(row, verdict, reason), false));
        }
        let (finding, was_known) = self.finding(row, anew, heads)?;
        if let Some((verdict, reason)) = self.obstacle(row, &finding)? {
            return Ok((self.blocked(row, verdict, reason), was_known));
        }
        let diagnosis = match &finding.replay {
            Err(reason) => self.blocked(row, Verdict::Damaged, reason.clone()),
            Ok(replay) => self.judge(row, replay)?,
        };
        Ok((diagnosis, was_known))
    }

    /// What stands in the way whatever the script does.
    fn obstacle(
        &self,
        row: &RunRow,
        finding: &Finding,
    ) -> Result<Option<(Verdict, String)>, Failure> {
        if let Err(reason) = &self.writable {
            return Ok(Some((Verdict::ReadOnly, reason.clone())));
        }
        let home = self.context.home()?;
        if finding.seals && self.key.is_none() {
            let path = home.key_path();
            let reason = format!("{} is gone, and secrets are sealed with it", path.display());
            return Ok(Some((Verdict::KeyMissing, reason)));
        }
        if let Some(world) = &row.summary.world {
            let reason = format!("its world {world} is gone");
            return Ok((!home.worlds().has(world)).then_some((Verdict::WorldGone, reason)));
        }
        let accounts = match &self.accounts {
            Ok(accounts) => accounts,
            Err(problem) => return Ok(Some((Verdict::Accounts, problem.clone()))),
        };
        // A called run has its caller's accounts.
        let aliases = match (&row.summary.parent, &finding.replay) {
            (None, Ok(replay)) => replay.aliases.as_slice(),
            _ => &[],
        };
        let unknown: Vec<&str> = aliases
            .iter()
            .filter(|alias| accounts.resolve(alias).is_none())
            .map(String::as_str)
            .collect();
        let reason = || format!("piton.toml does not say what {} is", unknown.join(", "));
        Ok((!unknown.is_empty()).then(|| (Verdict::Accounts, reason())))
    }

    /// A resume would be refused, or there is nothing to resume.
    fn blocked(&self, row: &RunRow, verdict: Verdict, reason: String) -> Diagnosis {
        let next = self.commands(row, verdict, &[]);
        let problems = if verdict == Verdict::Ended { Vec::new() } else { vec![reason.clone()] };
        Diagnosis {
            cleanly: false,
            problems,
            still_waits: false,
            verdict,
            reason,
            would: Vec::new(),
            next,
        }
    }

    fn judge(&mut self, row: &RunRow, replay: &Replay) -> Result<Diagnosis, Failure> {
        let refusal = match &replay.end {
            DryEnd::Mismatch { error } => Some((Verdict::Mismatch, error.message.clone())),
            DryEnd::Refused { errors } => Some((refused(errors), messages(errors))),
            DryEnd::Fails { error } => {
                let place = error.place.as_ref();
                let place =
                    place.map_or_else(String::new, |at| format!(" ({}:{})", at.file, at.line));
                Some((Verdict::Fails, format!("it would fail: {}{place}", error.message)))
            }
            DryEnd::Reaches | DryEnd::Ends => None,
        };
        if let Some((verdict, reason)) = refusal {
            return Ok(self.blocked(row, verdict, reason));
        }
        if self.is_cancelled(row)? {
            let reason = "somebody cancelled it: a resume ends it so".to_owned();
            return Ok(self.clean(row, Verdict::Cancels, reason, Vec::new()));
        }
        if replay.end == DryEnd::Ends {
            let reason = "it would come to its end".to_owned();
            return Ok(self.clean(row, Verdict::Ends, reason, Vec::new()));
        }
        let mut would = Vec::new();
        let mut problems: Vec<(Verdict, String)> = Vec::new();
        for reached in &replay.reached {
            let (what, comes) = self.come(row, reached)?;
            if let Comes::Blocked(verdict) = comes {
                problems.push((verdict, what.clone()));
            }
            let place = reached.place.as_ref();
            would.push(Would {
                run: reached.run.0.clone(),
                key: reached.key.as_ref().map(|key| key.as_str().to_owned()),
                what,
                waits: comes == Comes::Waits,
                at_gate: matches!(reached.next, Next::Gate { .. }),
                file: place.map(|place| place.file.clone()),
                line: place.map(|place| place.line),
            });
        }
        let words: Vec<&str> = would.iter().map(|one| one.what.as_str()).collect();
        let words = words.join("; ");
        if let Some((verdict, _)) = problems.first() {
            let mut diagnosis = self.blocked(row, *verdict, words);
            diagnosis.problems = problems.into_iter().map(|(_, problem)| problem).collect();
            diagnosis.would = would;
            return Ok(diagnosis);
        }
        let waits = !would.is_empty() && would.iter().all(|one| one.waits);
        let verdict = if waits { Verdict::Waits } else { Verdict::GoesOn };
        let reason = match &row.summary.reason {
            Some(Reason::Credentials { alias, .. }) => {
                format!("{words}, if the credentials of {alias} work again")
            }
            _ => words,
        };
        Ok(self.clean(row, verdict, reason, would))
    }

    fn clean(
        &self,
        row: &RunRow,
        verdict: Verdict,
        reason: String,
        would: Vec<Would>,
    ) -> Diagnosis {
        Diagnosis {
            cleanly: verdict.is_clean(),
            problems: Vec::new(),
            still_waits: verdict == Verdict::Waits,
            verdict,
            reason,
            next: self.commands(row, verdict, &would),
            would,
        }
    }

    fn is_cancelled(&self, row: &RunRow) -> Result<bool, Failure> {
        if !self.mailed.contains(&row.run) {
            return Ok(false);
        }
        let mail = self.journal.mail(&row.run)?;
        Ok(mail.iter().any(|(_, mail)| matches!(mail, Mail::Cancel { .. })))
    }

    /// What something that was reached comes to now, in words.
    fn come(&mut self, row: &RunRow, reached: &Reached) -> Result<(String, Comes), Failure> {
        let now = self.now(row);
        Ok(match &reached.next {
            Next::Call { service, operation, secrets, .. } if is_missing(secrets) => {
                (needs(&format!("{service}.{operation}"), secrets), SECRET_MISSING)
            }
            Next::Call { service, operation, account, .. } => {
                (format!("sends {service}.{operation} as {account}"), Comes::GoesOn)
            }
            Next::Doubt { operation, secrets, .. } if is_missing(secrets) => {
                (needs(operation, secrets), SECRET_MISSING)
            }
            Next::Doubt { operation, account, class, .. } => {
                self.doubt(row, reached, operation, &account.to_string(), *class)?
            }
            Next::Gate { gate, opened_at: None, .. } => {
                (format!("opens the gate {gate}"), Comes::GoesOn)
            }
            Next::Gate { gate, changed: true, .. } => (
                format!("opens the gate {gate} anew: what it was opened for has changed"),
                Comes::GoesOn,
            ),
            Next::Gate { gate, expires_at, by_world, .. } => {
                let is_due = expires_at.is_some_and(|at| at <= now);
                // Without mail the answers are among the entries, and they did not suffice; a driver
                // that died may have left them so.
                let was_driven = row.summary.status == RunStatus::Running;
                let ask = is_due || was_driven || self.mailed.contains(&reached.run);
                let is_decided = ask && self.is_decided(&reached.run, gate, now)?;
                match (is_decided, by_world) {
                    (true, _) => (format!("goes on after the gate {gate}"), Comes::GoesOn),
                    (false, true) => {
                        (format!("looks whether the gate {gate} was settled in AWS"), Comes::GoesOn)
                    }
                    (false, false) => {
                        (format!("waits for a decision at the gate {gate}"), Comes::Waits)
                    }
                }
            }
            Next::Timer { name, until: Some(until) } if *until > now => {
                let words = format!("waits for {name} until {}", views::moment(*until));
                // A virtual clock waits for nothing but people.
                let is_real = row.summary.world.is_none();
                (words, if is_real { Comes::Waits } else { Comes::GoesOn })
            }
            Next::Timer { name, .. } => (format!("goes on after {name}"), Comes::GoesOn),
            Next::State { name, .. } => (format!("looks for the state {name}"), Comes::GoesOn),
            Next::Sample { source } => (format!("takes a value of {source}()"), Comes::GoesOn),
            Next::Identity { account } => (format!("proves who {account} is"), Comes::GoesOn),
            Next::Child { runbook } => (format!("calls {runbook}"), Comes::GoesOn),
            Next::ChildEnds { runbook, error: None } => {
                (format!("{runbook} comes to its end"), Comes::GoesOn)
            }
            Next::ChildEnds { runbook, error: Some(error) } => {
                (format!("{runbook} fails: {}", error.message), Comes::GoesOn)
            }
            Next::Lock { name } => self.lock(row, name)?,
            Next::Stop { reason } => stop(reason),
        })
    }

    /// Whether the answers to an open gate, and the time, settle it.
    fn is_decided(&self, run: &RunId, address: &str, now: Timestamp) -> Result<bool, Failure> {
        let open = self.journal.open_gates(run)?;
        let own = open.into_iter().find(|gate| gate.request.gate == address);
        let verdict = own.and_then(|gate| gate::verdict(&gate.request, &gate.decisions, now));
        Ok(verdict.is_some())
    }

    fn doubt(
        &self,
        row: &RunRow,
        reached: &Reached,
        operation: &str,
        account: &str,
        class: Class,
    ) -> Result<(String, Comes), Failure> {
        let is_settled = self.mailed.contains(&reached.run)
            && self.journal.mail(&reached.run)?.iter().any(|(_, mail)| {
                matches!(mail, Mail::Settle { key, .. } if Some(key) == reached.key.as_ref())
            });
        let is_asked = row.summary.reasons().iter().any(|reason| {
            matches!(reason, Reason::Doubt { key, .. } if Some(key) == reached.key.as_ref())
        });
        Ok(match class {
            _ if is_settled => {
                (format!("settles {operation} as {account} as somebody said"), Comes::GoesOn)
            }
            Class::Token | Class::Put if !is_asked => {
                (format!("sends {operation} as {account} again, unchanged"), Comes::GoesOn)
            }
            Class::NaturalKey if !is_asked => {
                (format!("looks in AWS for what {operation} made as {account}"), Comes::GoesOn)
            }
            _ => (
                format!("{operation} as {account} was sent and a person has to settle it"),
                Comes::Blocked(Verdict::Doubt),
            ),
        })
    }

    fn lock(&self, row: &RunRow, name: &str) -> Result<(String, Comes), Failure> {
        let outermost = views::outermost(self.journal.as_ref(), row)?.run;
        let holder = self.locks.iter().find(|lock| lock.name == name && lock.run != outermost);
        Ok(match holder {
            Some(lock) => {
                (format!("waits for the lock {name}, held by run {}", lock.run), Comes::Waits)
            }
            None => (format!("takes the lock {name}"), Comes::GoesOn),
        })
    }

    /// Commands that lead on.
    fn commands(&self, row: &RunRow, verdict: Verdict, would: &[Would]) -> Vec<String> {
        let run = row.run.0.as_str();
        let line = |words: &[&str]| self.context.command(words);
        let resume = || line(&views::go_on(row));
        match verdict {
            Verdict::Held => vec![line(&["watch", run])],
            Verdict::Waits => {
                let gates = would.iter().filter(|one| one.at_gate);
                let mut runs: Vec<&str> = gates.map(|one| one.run.as_str()).collect();
                runs.dedup();
                let inboxes = runs.into_iter().map(|run| line(&["inbox", run]));
                inboxes.chain([resume()]).collect()
            }
            Verdict::Mismatch => vec![line(&["resume", run, "--preview"])],
            Verdict::Doubt => vec![line(&["status", run]), resume()],
            Verdict::GoesOn
            | Verdict::Ends
            | Verdict::Cancels
            | Verdict::Fails
            | Verdict::SecretMissing
            | Verdict::KeyMissing
            | Verdict::Accounts => vec![resume()],
            Verdict::WorldGone => vec![line(&["rm", run])],
            Verdict::Damaged => vec![line(&["verify", run])],
            Verdict::TakenBack => vec![line(&["rollback", run])],
            Verdict::Ended if row.summary.retry_from.is_some() => {
                vec![line(&["resume", run, "--retry"])]
            }
            Verdict::Program | Verdict::HandedOver | Verdict::ReadOnly | Verdict::Ended => {
                Vec::new()
            }
        }
    }
}

/// What becomes of something that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    GoesOn,
    Waits,
    Blocked(Verdict),
}

/// What the list of runs says already.
fn standing(row: &RunRow) -> Option<(Verdict, String)> {
    if let Some(holder) = &row.holder {
        let reason = format!("process {} on {} drives it", holder.pid, holder.host);
        return Some((Verdict::Held, reason));
    }
    if row.copy {
        return Some((Verdict::HandedOver, "it is a copy that can only be read".to_owned()));
    }
    if let Some(departure) = &row.summary.handed_over {
        let capsule = &departure.capsule;
        let reason = format!("it was handed over, and goes on where {capsule} was taken in");
        return Some((Verdict::HandedOver, reason));
    }
    if let Some(by) = row.summary.rolled_back_by.as_ref().filter(|_| !row.status().is_final()) {
        return Some((Verdict::TakenBack, format!("run {by} takes it back")));
    }
    let status = row.status();
    (status.is_final()).then(|| {
        let again = match row.summary.retry_from {
            Some(_) if status == RunStatus::Failed => "; the failed call can be tried again",
            _ => "",
        };
        (Verdict::Ended, format!("it is {status}{again}"))
    })
}

/// Why a resume is refused before it evaluates anything.
fn refused(errors: &[Diagnostic]) -> Verdict {
    match errors.first().map(|error| error.code) {
        Some(Code::Credentials) => Verdict::KeyMissing,
        Some(Code::TakenBack) => Verdict::TakenBack,
        Some(Code::WrongState) => Verdict::Ended,
        _ => Verdict::Program,
    }
}

fn messages(errors: &[Diagnostic]) -> String {
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    messages.join("; ")
}
