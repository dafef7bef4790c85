//! The replay machine: what the script asks, answered from the journal, or what to do instead.
//!
//! One machine serves one branch, and the runbook outside of its branches is one too. The entries of
//! a branch were made in the order in which its script asked, so they are read as a stream, in
//! constant memory, and each question must meet the next entry: anything else is a [`Mismatch`].
//! Entries of other branches are not in the stream: how branches met in time does not matter. The machine performs nothing. It is told of every
//! entry that the driver makes ([`Machine::made`]), so that numbers, attempts and the ancestry of
//! gates are the same live and on replay.

mod leaving;

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::account::AccountRef;
use crate::canonical::{self, Difference, Digest};
use crate::catalogue::Class;
use crate::diagnostic::{Code, Diagnostic};
use crate::entry::{
    Body, BranchesClosed, BranchesOpened, CallResult, Child, Entry, Intent, Outcome, Settled,
    StoredEntry, WaitOpened, WaitResult,
};
use crate::gate::{Decision, GateRequest, GateResult};
use crate::key::{Cursor, Key, branch_name};
use crate::ports::JournalError;
use crate::time::Timestamp;

/// The recorded entries of a branch, in order.
pub trait EntrySource: Send {
    /// The next entry, or nothing at the end.
    fn next_entry(&mut self) -> Result<Option<StoredEntry>, JournalError>;
}

impl<I: Iterator<Item = StoredEntry> + Send> EntrySource for I {
    fn next_entry(&mut self) -> Result<Option<StoredEntry>, JournalError> {
        Ok(self.next())
    }
}

/// Why evaluation cannot go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// The script asks for something else than was recorded.
    Mismatch(Box<Mismatch>),
    /// The journal cannot be read.
    Journal(JournalError),
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// A question that does not meet the entry that was recorded in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Position of the recorded entry.
    pub seq: u64,
    /// Its key.
    pub recorded_key: String,
    /// What was recorded, in words.
    pub recorded: String,
    /// Where the script asked.
    pub asked_key: String,
    /// What the script asked, in words.
    pub asked: String,
    /// Where the inputs differ.
    pub differences: Vec<Difference>,
}

impl Mismatch {
    /// The mismatch for people, with the likely cause.
    pub fn diagnostic(&self) -> Diagnostic {
        let Self { seq, recorded_key, recorded, asked_key, asked, differences } = self;
        let mut diagnostic = Diagnostic::error(
            Code::Mismatch,
            format!(
                "the script asks for something else than was recorded: entry {seq} (`{recorded_key}`) \
                 is {recorded}, and the script asks at `{asked_key}` for {asked}"
            ),
        );
        for difference in differences.iter().take(8) {
            let Difference { path, recorded, asked } = difference;
            diagnostic = diagnostic.hint(format!("{path}: recorded {recorded}, asked {asked}"));
        }
        let cause = if recorded_key == asked_key && !differences.is_empty() {
            "likely cause: a value that the input is made of changed, such as an edited literal"
        } else {
            "likely cause: a call was added, removed or moved in the script"
        };
        diagnostic.hint(cause).hint(
            "look at it with `piton resume RUN --preview`; where the script is wrong, go on with an \
             edited one: --script FILE",
        )
    }
}

/// A call as the script asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Script's name of the service.
    pub service: &'a str,
    /// Script's name of the operation.
    pub operation: &'a str,
    /// Account.
    pub account: &'a AccountRef,
    /// Idempotency class.
    pub class: Class,
    /// Input, handles in place of secrets, no token.
    pub input: &'a Value,
}

/// What to do about a call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallStep {
    /// Answer with what was recorded.
    Replay {
        /// Entry.
        key: Key,
        /// Position of the first entry under that key: where a retry would begin.
        seq: u64,
        /// What AWS said.
        result: CallResult,
    },
    /// Send it.
    Perform {
        /// Entry.
        key: Key,
        /// From 1.
        attempt: u32,
    },
    /// It was sent, and its outcome is not recorded.
    InDoubt {
        /// Entry.
        key: Key,
        /// What was sent.
        intent: Box<Intent>,
        /// When.
        sent_at: Timestamp,
        /// How a person settled it, if one did.
        settled: Option<Settled>,
    },
}

/// What to do about a wait.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitStep {
    /// It ended like this.
    Closed {
        /// Entry.
        key: Key,
        /// Position of its first entry: where a retry would begin.
        seq: u64,
        /// How.
        result: WaitResult,
    },
    /// It goes on, or begins when nothing was recorded.
    Open {
        /// Entry.
        key: Key,
        /// What was recorded when it began.
        opened: Option<OpenWait>,
    },
}

/// A wait that began and did not end.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenWait {
    /// Position of its entry.
    pub seq: u64,
    /// When it began.
    pub at: Timestamp,
    /// What is waited for.
    pub wait: WaitOpened,
}

/// What to do about a gate.
#[derive(Debug, Clone, PartialEq)]
pub enum GateStep {
    /// It closed like this.
    Closed(GateResult),
    /// It is open, or opens now when nothing was recorded.
    Open {
        /// Entry.
        key: Key,
        /// When it opened, and what was recorded.
        opened: Option<(Timestamp, Box<GateRequest>)>,
        /// Decisions that are entries already.
        decisions: Vec<Decision>,
    },
}

/// What to do about a value of chance or time.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleStep {
    /// It was drawn before.
    Replay(Value),
    /// Draw it.
    Draw(Key),
}

/// A runbook as the script calls it.
#[derive(Debug, Clone, Copy)]
pub struct AskedChild<'a> {
    /// The runbook, as the script writes it.
    pub runbook: &'a str,
    /// Parameters, handles in place of secrets.
    pub params: &'a Value,
    /// Aliases of the child that get other names.
    pub accounts: &'a BTreeMap<String, String>,
}

/// What to do about a runbook that the script calls.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildStep {
    /// Its run ended like this.
    Replay {
        /// Entry.
        key: Key,
        /// Position of the entry: where a retry would begin.
        seq: u64,
        /// What was recorded.
        child: Box<Child>,
    },
    /// Drive its run, which may be there already.
    Drive {
        /// Entry.
        key: Key,
        /// From 1; after a retry, what failed in it is to be attempted again.
        attempt: u32,
    },
}

/// What to do about a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockStep {
    /// Entry.
    pub key: Key,
    /// It was held before: nothing is to be recorded.
    pub is_recorded: bool,
}

/// What to do about a group of branches.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStep {
    /// Entry.
    pub key: Key,
    /// What its opening says.
    pub group: BranchesOpened,
    /// Position and moment of its opening; nothing when it is to be recorded.
    pub opened: Option<(u64, Timestamp)>,
    /// How it ended before. Branches that are not said to have returned or raised go no further than
    /// their recorded entries.
    pub closed: Option<BranchesClosed>,
}

/// The machine of one branch.
pub struct Machine {
    source: Box<dyn EntrySource>,
    front: Option<StoredEntry>,
    at_end: bool,
    /// Ranges of void entries: first and last position.
    voided: Vec<(u64, u64)>,
    /// The attempt that a voided call gets next.
    attempts: HashMap<Key, u32>,
    cursor: Cursor,
    replayed: u64,
    met: u64,
    ancestry: Digest,
    last_mutating: Option<Key>,
    retry_from: Option<u64>,
    /// What an edited script may leave; nothing in an ordinary replay.
    leaving: Option<Box<leaving::Leaving>>,
    /// Calls that had their effect and were left by an edit of the script: position and words.
    kept: HashMap<Key, (u64, String)>,
}

impl Machine {
    /// A machine at the start of a runbook. `voided` has the ranges that `retried` entries made void
    /// outside of branches.
    pub fn new(source: Box<dyn EntrySource>, voided: Vec<(u64, u64)>) -> Self {
        Self::in_branch("", source, voided, Digest::from_bytes([0; 32]))
    }

    /// A machine at the start of a branch: its path, its entries, the ranges that are void in it, and
    /// the digest of all that led to it.
    pub fn in_branch(
        path: &str,
        source: Box<dyn EntrySource>,
        voided: Vec<(u64, u64)>,
        ancestry: Digest,
    ) -> Self {
        Self {
            source,
            front: None,
            at_end: false,
            voided,
            attempts: HashMap::new(),
            cursor: Cursor::at(path),
            replayed: 0,
            met: 0,
            ancestry,
            last_mutating: None,
            retry_from: None,
            leaving: None,
            kept: HashMap::new(),
        }
    }

    /// Whether everything recorded was met: from here on, calls are sent.
    pub fn is_live(&mut self) -> Result<bool, Stop> {
        Ok(self.compared()?.is_none())
    }

    /// How many entries were met.
    pub fn replayed(&self) -> u64 {
        self.replayed
    }

    /// How many of them are compared with what the script asks.
    pub fn compared_so_far(&self) -> u64 {
        self.met
    }

    /// The path of the innermost open step.
    pub fn path(&self) -> &str {
        self.cursor.path()
    }

    /// How many steps are open.
    pub fn depth(&self) -> usize {
        self.cursor.depth()
    }

    /// The last mutating call of the branch: what `undo` belongs to.
    pub fn last_mutating(&self) -> Option<&Key> {
        self.last_mutating.as_ref()
    }

    /// The digest of all that led here: what an approval covers besides what it shows.
    pub fn ancestry(&self) -> Digest {
        self.ancestry
    }

    /// First entry that a retry of a refusal by the script would void: the reads since the last
    /// entry that must not be repeated.
    pub fn retry_from(&self) -> Option<u64> {
        self.retry_from
    }

    /// A bound call.
    pub fn call(&mut self, asked: &Asked<'_>) -> Result<CallStep, Stop> {
        let key = self.cursor.next_key();
        self.leave_until(&key, |body| matches!(body, Body::Intent(_) | Body::Outcome(_)))?;
        if self.compared()?.is_none() {
            self.refuse_kept(&key, asked)?;
            let attempt = self.attempts.get(&key).copied().unwrap_or(1);
            return Ok(CallStep::Perform { key, attempt });
        }
        let front = self.front.as_ref().expect("there is a next entry");
        let same_key = front.entry.key.as_ref() == Some(&key);
        match &front.entry.body {
            Body::Intent(_) if same_key => self.replay_intent(key, asked),
            Body::Outcome(Outcome { read: Some(read), .. }) if same_key => {
                let recorded =
                    (&read.service, &read.operation, &read.account, canonical::text(&read.input));
                let asks =
                    (asked.service, asked.operation, asked.account, canonical::text(asked.input));
                if (recorded.0.as_str(), recorded.1.as_str(), recorded.2, recorded.3) != asks {
                    let input = read.input.clone();
                    return Err(self.mismatch_call(&key, asked, Some(&input)));
                }
                let StoredEntry { seq, entry, .. } = self.take_front()?;
                match entry.body {
                    Body::Outcome(outcome) => {
                        Ok(CallStep::Replay { key, seq, result: outcome.result })
                    }
                    other => unreachable!("the front was an outcome, not {}", other.kind()),
                }
            }
            _ => Err(self.mismatch_call(&key, asked, None)),
        }
    }

    fn replay_intent(&mut self, key: Key, asked: &Asked<'_>) -> Result<CallStep, Stop> {
        let mut sent: Option<(Box<Intent>, Timestamp)> = None;
        let mut settled = None;
        let mut first = None;
        while let Some(front) = self.compared()? {
            if front.entry.key.as_ref() != Some(&key) {
                break;
            }
            let seq = *first.get_or_insert(front.seq);
            match &front.entry.body {
                Body::Intent(intent) => {
                    let same = intent.service == asked.service
                        && intent.operation == asked.operation
                        && intent.account == *asked.account
                        && canonical::text(&intent.input) == canonical::text(asked.input);
                    if !same {
                        let input = intent.input.clone();
                        return Err(self.mismatch_call(&key, asked, Some(&input)));
                    }
                    let at = front.entry.at;
                    if let Body::Intent(intent) = self.take_front()?.entry.body {
                        sent = Some((Box::new(intent), at));
                        settled = None;
                    }
                }
                Body::Settled(_) => {
                    if let Body::Settled(how) = self.take_front()?.entry.body {
                        settled = Some(how);
                    }
                }
                Body::Outcome(_) => {
                    if let Body::Outcome(outcome) = self.take_front()?.entry.body {
                        return Ok(CallStep::Replay { key, seq, result: outcome.result });
                    }
                }
                _ => break,
            }
        }
        let (intent, sent_at) = sent.expect("the first entry under the key was an intent");
        Ok(CallStep::InDoubt { key, intent, sent_at, settled })
    }

    /// The number of the attempt after the one that was just made under the last key: `retry`
    /// repeats a call without a new key.
    pub fn repeat_call(&mut self, key: &Key, attempt: u32) {
        self.cursor.rewind();
        self.attempts.insert(key.clone(), attempt + 1);
    }

    /// Opens a step. Nothing is to be recorded when it was opened before.
    pub fn open_step(&mut self, name: &str) -> Result<StepOpening, Stop> {
        let path = self.cursor.open_step(name);
        let key = Key::from_text(path.clone());
        self.leave_until(&key, |body| matches!(body, Body::StepOpened(_)))?;
        let Some(front) = self.compared()? else {
            return Ok(StepOpening { path, opened_at: None });
        };
        match &front.entry.body {
            Body::StepOpened(opened) if opened.path == path => {
                let opened_at = Some(front.entry.at);
                self.take_front()?;
                Ok(StepOpening { path, opened_at })
            }
            _ => Err(self.mismatch(&key, format!("the step `{name}`"), Vec::new())),
        }
    }

    /// Closes the innermost step; says whether that is to be recorded. Entries that were recorded
    /// inside it and not asked for are a mismatch.
    pub fn close_step(&mut self) -> Result<Option<String>, Stop> {
        let path = self.cursor.path().to_owned();
        self.cursor.close_step();
        let key = Key::from_text(path.clone());
        self.leave_until(&key, |body| matches!(body, Body::StepClosed(_)))?;
        let Some(front) = self.compared()? else { return Ok(Some(path)) };
        match &front.entry.body {
            Body::StepClosed(closed) if closed.path == path => {
                self.take_front()?;
                Ok(None)
            }
            _ => Err(self.mismatch(&key, "the end of that step".to_owned(), Vec::new())),
        }
    }

    /// A wait.
    pub fn wait(&mut self, name: &str) -> Result<WaitStep, Stop> {
        let key = self.cursor.next_key();
        self.leave_until(&key, |body| matches!(body, Body::WaitOpened(_)))?;
        let Some(front) = self.compared()? else {
            return Ok(WaitStep::Open { key, opened: None });
        };
        let at = front.entry.at;
        match &front.entry.body {
            Body::WaitOpened(opened)
                if front.entry.key.as_ref() == Some(&key) && opened.name == name => {}
            _ => return Err(self.mismatch(&key, format!("the wait `{name}`"), Vec::new())),
        }
        let StoredEntry { seq, entry, .. } = self.take_front()?;
        let Body::WaitOpened(opened) = entry.body else { unreachable!("the front was a wait") };
        let closed = self.compared()?.is_some_and(|front| {
            front.entry.key.as_ref() == Some(&key)
                && matches!(front.entry.body, Body::WaitClosed(_))
        });
        if !closed {
            return Ok(WaitStep::Open { key, opened: Some(OpenWait { seq, at, wait: opened }) });
        }
        match self.take_front()?.entry.body {
            Body::WaitClosed(closed) => Ok(WaitStep::Closed { key, seq, result: closed.result }),
            other => unreachable!("the front was the end of a wait, not {}", other.kind()),
        }
    }

    /// The address of the gate that is asked next: its name and where it stands.
    pub fn gate_address(&mut self, name: &str) -> String {
        // A gate is numbered like a step, so that the second of one name has an address of its own.
        let path = self.cursor.open_step(name);
        self.cursor.close_step();
        path
    }

    /// A gate. `address` is from [`Machine::gate_address`]. What it shows is compared by the
    /// driver, which knows whether an approval is void.
    pub fn gate(&mut self, name: &str, address: &str) -> Result<GateStep, Stop> {
        let key = self.cursor.next_key();
        self.leave_until(&key, |body| matches!(body, Body::GateOpened(_)))?;
        let Some(front) = self.compared()? else {
            return Ok(GateStep::Open { key, opened: None, decisions: Vec::new() });
        };
        match &front.entry.body {
            Body::GateOpened(request)
                if front.entry.key.as_ref() == Some(&key) && request.gate == address => {}
            _ => return Err(self.mismatch(&key, format!("the gate `{name}`"), Vec::new())),
        }
        let mut opened = None;
        let mut decisions = Vec::new();
        loop {
            let is_ours =
                self.compared()?.is_some_and(|front| front.entry.key.as_ref() == Some(&key));
            if !is_ours {
                return Ok(GateStep::Open { key, opened, decisions });
            }
            let StoredEntry { entry, .. } = self.take_front()?;
            match entry.body {
                Body::GateOpened(request) => {
                    // A later opening replaces a voided one, with the answers it had.
                    opened = Some((entry.at, Box::new(request)));
                    decisions.clear();
                }
                Body::Decided(decision) => decisions.push(decision),
                Body::GateClosed(result) => return Ok(GateStep::Closed(result)),
                _ => return Err(self.mismatch(&key, format!("the gate `{name}`"), Vec::new())),
            }
        }
    }

    /// A group of branches; `group` says what the script asks for, with the names of the branches in
    /// place of their paths.
    pub fn open_branches(&mut self, mut group: BranchesOpened) -> Result<GroupStep, Stop> {
        let key = self.cursor.next_key();
        group.branches = self.cursor.open_branches(&group.branches);
        self.leave_until(&key, |body| matches!(body, Body::BranchesOpened(_)))?;
        let Some(front) = self.compared()? else {
            return Ok(GroupStep { key, group, opened: None, closed: None });
        };
        let at = front.entry.at;
        match &front.entry.body {
            Body::BranchesOpened(recorded)
                if front.entry.key.as_ref() == Some(&key) && *recorded == group => {}
            _ => return Err(self.mismatch(&key, describe_group(&group), Vec::new())),
        }
        let opened = Some((self.take_front()?.seq, at));
        let closed = self.compared()?.and_then(|front| match &front.entry.body {
            Body::BranchesClosed(closed) if front.entry.key.as_ref() == Some(&key) => {
                Some(closed.clone())
            }
            _ => None,
        });
        Ok(GroupStep { key, group, opened, closed })
    }

    /// The end of a group of branches: the position of its entry, or nothing when it is to be
    /// recorded.
    pub fn close_branches(
        &mut self,
        key: &Key,
        closed: &BranchesClosed,
    ) -> Result<Option<u64>, Stop> {
        let Some(front) = self.compared()? else { return Ok(None) };
        match &front.entry.body {
            // Which gates were withdrawn follows from which branches stopped.
            Body::BranchesClosed(recorded)
                if front.entry.key.as_ref() == Some(key)
                    && recorded.failed == closed.failed
                    && recorded.stopped == closed.stopped
                    && recorded.unstarted == closed.unstarted
                    && recorded.raised == closed.raised =>
            {
                Ok(Some(self.take_front()?.seq))
            }
            _ => Err(self.mismatch(key, "the end of those branches".to_owned(), Vec::new())),
        }
    }

    /// What the branches of a group did is part of what leads on: `ancestries` are theirs at their
    /// end, in the order of the group.
    pub fn join(&mut self, ancestries: &[Digest]) {
        let parts = std::iter::once(&self.ancestry).chain(ancestries);
        self.ancestry = Digest::of_parts(parts.map(|digest| digest.bytes().as_slice()));
    }

    /// A value of chance or time.
    pub fn sample(&mut self, source: &str) -> Result<SampleStep, Stop> {
        let key = self.cursor.next_key();
        self.leave_until(&key, |body| matches!(body, Body::Sampled(_)))?;
        let Some(front) = self.compared()? else { return Ok(SampleStep::Draw(key)) };
        match &front.entry.body {
            Body::Sampled(sampled)
                if front.entry.key.as_ref() == Some(&key) && sampled.source == source => {}
            _ => return Err(self.mismatch(&key, format!("`{source}()`"), Vec::new())),
        }
        match self.take_front()?.entry.body {
            Body::Sampled(sampled) => Ok(SampleStep::Replay(sampled.value)),
            other => unreachable!("the front was a sample, not {}", other.kind()),
        }
    }

    /// A runbook that the script calls.
    pub fn child(&mut self, asked: &AskedChild<'_>) -> Result<ChildStep, Stop> {
        let key = self.cursor.next_key();
        self.leave_until(&key, |body| matches!(body, Body::Child(_)))?;
        let Some(front) = self.compared()? else {
            let attempt = self.attempts.get(&key).copied().unwrap_or(1);
            return Ok(ChildStep::Drive { key, attempt });
        };
        let mut differences = Vec::new();
        if let Body::Child(child) = &front.entry.body
            && front.entry.key.as_ref() == Some(&key)
            && child.runbook == asked.runbook
            && child.accounts == *asked.accounts
        {
            differences = canonical::differences(&child.params, asked.params);
            if differences.is_empty() {
                let StoredEntry { seq, entry, .. } = self.take_front()?;
                let Body::Child(child) = entry.body else { unreachable!("the front was a child") };
                return Ok(ChildStep::Replay { key, seq, child: Box::new(child) });
            }
        }
        Err(self.mismatch(&key, format!("the runbook `{}`", asked.runbook), differences))
    }

    /// A lock.
    pub fn lock(&mut self, name: &str) -> Result<LockStep, Stop> {
        let key = self.cursor.next_key();
        self.leave_until(&key, |body| matches!(body, Body::Locked(_)))?;
        let Some(front) = self.compared()? else {
            return Ok(LockStep { key, is_recorded: false });
        };
        match &front.entry.body {
            Body::Locked(locked)
                if front.entry.key.as_ref() == Some(&key) && locked.name == name => {}
            _ => return Err(self.mismatch(&key, format!("the lock `{name}`"), Vec::new())),
        }
        self.take_front()?;
        Ok(LockStep { key, is_recorded: true })
    }

    /// A note, output, artifact or undo: says whether it is to be recorded. They follow from what
    /// was compared and are not compared themselves.
    pub fn annotate(&mut self, kind: &'static str) -> Result<Option<Key>, Stop> {
        let key = Key::from_text(self.cursor.path());
        let Some(front) = self.any()? else { return Ok(Some(key)) };
        if front.entry.body.kind() == kind {
            self.take_front()?;
        }
        Ok(None)
    }

    /// The end of the script: nothing recorded may be left over.
    pub fn finish(&mut self) -> Result<(), Stop> {
        self.leave_the_rest()?;
        if self.compared()?.is_none() {
            return Ok(());
        }
        let key = Key::from_text(self.cursor.path());
        Err(self.mismatch(&key, "the end of the script".to_owned(), Vec::new()))
    }

    /// Takes notice of an entry that the driver makes, with the position it gets. `text` is the
    /// stored text of its body.
    pub fn made(&mut self, seq: u64, entry: &Entry, text: &str) {
        let body = &entry.body;
        if !body.is_compared() {
            // Annotations go with the reads around them, unless they stand behind a mutation.
            return;
        }
        if let (Body::Intent(_), Some(key)) = (body, &entry.key) {
            self.last_mutating = Some(key.clone());
        }
        match body {
            Body::Outcome(Outcome { read: Some(_), .. })
            | Body::StepOpened(_)
            | Body::StepClosed(_)
            | Body::Sampled(_)
            | Body::Locked(_)
            // A wait that failed may be waited again; a wait that succeeded stands.
            | Body::WaitOpened(_) => {
                self.retry_from.get_or_insert(seq);
            }
            // The branches that failed may be attempted again.
            Body::BranchesClosed(closed) if !closed.failed.is_empty() => {
                self.retry_from.get_or_insert(seq);
            }
            Body::WaitClosed(closed)
                if !matches!(closed.result, WaitResult::Reached { .. } | WaitResult::Gone) => {}
            _ => self.retry_from = None,
        }
        if !matches!(body, Body::Decided(_)) {
            self.ancestry = Digest::of_parts([
                self.ancestry.bytes().as_slice(),
                entry.key.as_ref().map_or("", Key::as_str).as_bytes(),
                body.kind().as_bytes(),
                text.as_bytes(),
            ]);
        }
    }

    /// The next entry that is compared, without taking it. Annotations before it are passed over.
    fn compared(&mut self) -> Result<Option<&StoredEntry>, Stop> {
        while self.any()?.is_some_and(|front| !front.entry.body.is_compared()) {
            self.take_front()?;
        }
        Ok(self.front.as_ref())
    }

    /// The next entry with a place in the script, without taking it.
    fn any(&mut self) -> Result<Option<&StoredEntry>, Stop> {
        if self.front.is_none() {
            self.front = match self.leaving.as_mut().and_then(|leaving| leaving.ahead.pop_front()) {
                Some(next) => Some(next),
                None => self.read_on()?,
            };
        }
        Ok(self.front.as_ref())
    }

    /// The next entry with a place in the script that is not void.
    fn read_on(&mut self) -> Result<Option<StoredEntry>, Stop> {
        while !self.at_end {
            let Some(next) = self.source.next_entry()? else {
                self.at_end = true;
                break;
            };
            let is_void =
                self.voided.iter().any(|(first, last)| (*first..=*last).contains(&next.seq));
            if is_void {
                self.pass_void(&next);
            } else if next.entry.key.is_some() {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Keeps of a void entry what the next attempt needs to know.
    fn pass_void(&mut self, void: &StoredEntry) {
        match (&void.entry.body, &void.entry.key) {
            (Body::Intent(intent), Some(key)) => {
                self.attempts.insert(key.clone(), intent.attempt + 1);
            }
            (Body::Child(_), Some(key)) => {
                *self.attempts.entry(key.clone()).or_insert(1) += 1;
            }
            // A retry makes no call void that succeeded: an edit of the script left it.
            (
                Body::Outcome(Outcome { read: None, result: CallResult::Value(_), .. }),
                Some(key),
            ) => {
                self.kept.insert(key.clone(), (void.seq, "a call that an edit left".to_owned()));
            }
            _ => {}
        }
    }

    fn take_front(&mut self) -> Result<StoredEntry, Stop> {
        self.any()?;
        let taken = self.front.take().expect("an entry was seen at the front");
        self.replayed += 1;
        self.met += u64::from(taken.entry.body.is_compared());
        self.made(taken.seq, &taken.entry, &taken.text);
        Ok(taken)
    }

    fn mismatch_call(&mut self, key: &Key, asked: &Asked<'_>, recorded: Option<&Value>) -> Stop {
        let differences = recorded
            .map_or_else(Vec::new, |recorded| canonical::differences(recorded, asked.input));
        let Asked { service, operation, account, .. } = asked;
        self.mismatch(key, format!("{service}.{operation} as `{account}`"), differences)
    }

    fn mismatch(&mut self, key: &Key, asked: String, differences: Vec<Difference>) -> Stop {
        let Some(front) = &self.front else {
            unreachable!("a mismatch needs a recorded entry");
        };
        Stop::Mismatch(Box::new(Mismatch {
            seq: front.seq,
            recorded_key: front.entry.key.as_ref().map_or("", Key::as_str).to_owned(),
            recorded: describe(&front.entry.body),
            asked_key: key.as_str().to_owned(),
            asked,
            differences,
        }))
    }
}

/// A step that opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOpening {
    /// Its path.
    pub path: String,
    /// When it was opened before; nothing when it is to be recorded.
    pub opened_at: Option<Timestamp>,
}

/// A recorded entry in words.
pub(crate) fn describe(body: &Body) -> String {
    match body {
        Body::Intent(intent) => {
            format!("{}.{} as `{}`", intent.service, intent.operation, intent.account)
        }
        Body::Outcome(Outcome { read: Some(read), .. }) => {
            format!("{}.{} as `{}`", read.service, read.operation, read.account)
        }
        Body::StepOpened(opened) => format!("the step `{}`", opened.name),
        Body::StepClosed(closed) => format!("the end of the step `{}`", closed.path),
        Body::WaitOpened(opened) => format!("the wait `{}`", opened.name),
        Body::GateOpened(gate) => format!("the gate `{}`", gate.name),
        Body::Sampled(sampled) => format!("`{}()`", sampled.source),
        Body::BranchesOpened(group) => describe_group(group),
        Body::BranchesClosed(_) => "the end of a group of branches".to_owned(),
        Body::Child(child) => format!("the runbook `{}`", child.runbook),
        Body::Locked(locked) => format!("the lock `{}`", locked.name),
        other => format!("a `{}` entry", other.kind()),
    }
}

/// A group of branches in words.
fn describe_group(group: &BranchesOpened) -> String {
    const SHOWN: usize = 6;
    let names: Vec<String> =
        group.branches.iter().take(SHOWN).map(|path| branch_name(path)).collect();
    let more = if group.branches.len() > SHOWN { ", ..." } else { "" };
    let count = group.branches.len();
    format!("`{}` with {count} branches ({}{more})", group.by.as_str(), names.join(", "))
}
