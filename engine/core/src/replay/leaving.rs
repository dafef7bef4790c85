//! An edited script that leaves recorded entries: which it may leave, and what they were.
//!
//! An ordinary replay leaves nothing. Where a person accepts it, a question may pass over recorded
//! entries to the one that answers it. What had an effect is passed over only on the way to something
//! recorded later, or at the end of a branch: where the script goes on with something new, nobody can
//! know whether it would come back to what it left, and do it a second time.

use std::collections::VecDeque;

use super::{Asked, Machine, Mismatch, Stop, describe};
use crate::entry::{Body, CallResult, Intent, Left, Outcome, StoredEntry};
use crate::key::Key;

/// What is read ahead, and what was left so far.
#[derive(Default)]
pub(super) struct Leaving {
    /// Entries between the front and the end of what was read.
    pub(super) ahead: VecDeque<StoredEntry>,
    left: Vec<Left>,
    withdrawn: Vec<String>,
    effects: Vec<LeftCall>,
}

/// A call that had its effect and is left.
struct LeftCall {
    seq: u64,
    key: Key,
    intent: Intent,
}

impl Machine {
    /// From here on the script, an edited one, may leave recorded entries.
    pub fn be_lenient(&mut self) {
        self.leaving = Some(Box::default());
    }

    /// What the script left, and the open gates among it.
    pub fn left(&self) -> (Vec<Left>, Vec<String>) {
        let both = |leaving: &Leaving| (leaving.left.clone(), leaving.withdrawn.clone());
        self.leaving.as_deref().map(both).unwrap_or_default()
    }

    /// Passes over what the script leaves before the entry that answers a question.
    pub(super) fn leave_until(
        &mut self,
        key: &Key,
        is_kind: impl Fn(&Body) -> bool,
    ) -> Result<(), Stop> {
        if self.leaving.is_none() {
            return Ok(());
        }
        let is_answer = |stored: &StoredEntry| {
            stored.entry.key.as_ref() == Some(key) && is_kind(&stored.entry.body)
        };
        // What has this key and is something else was changed: the comparison says so.
        if self.compared()?.is_none_or(|front| front.entry.key.as_ref() == Some(key)) {
            return Ok(());
        }
        self.read_all()?;
        let ahead = self.leaving.as_ref().map(|leaving| &leaving.ahead);
        let answer = ahead.and_then(|ahead| ahead.iter().position(is_answer));
        let may_pass: fn(&Body) -> bool = match answer {
            Some(_) => may_be_left,
            None => is_harmless,
        };
        self.pass_over(answer, may_pass)
    }

    /// At the end of a branch: passes over all that is left.
    pub(super) fn leave_the_rest(&mut self) -> Result<(), Stop> {
        if self.leaving.is_none() || self.compared()?.is_none() {
            return Ok(());
        }
        self.read_all()?;
        self.pass_over(None, may_be_left)
    }

    /// Passes over the front and what comes before the position `up_to` behind it, or over all, when
    /// all of it may be left.
    fn pass_over(&mut self, up_to: Option<usize>, may_pass: fn(&Body) -> bool) -> Result<(), Stop> {
        let Some(leaving) = self.leaving.as_mut() else { return Ok(()) };
        let count = up_to.unwrap_or(leaving.ahead.len());
        let passed = self.front.iter().chain(leaving.ahead.iter().take(count));
        let passed: Vec<&StoredEntry> = passed.collect();
        let is_whole = passed.iter().all(|stored| may_pass(&stored.entry.body));
        if !is_whole || has_doubt(&passed) {
            return Ok(());
        }
        let branch = passed
            .first()
            .and_then(|stored| stored.entry.key.as_ref())
            .map_or_else(String::new, |key| key.branch().to_owned());
        let mut passed: Vec<StoredEntry> = self.front.take().into_iter().collect();
        passed.extend(leaving.ahead.drain(..count));
        for stored in passed {
            leaving.leave(&branch, stored);
        }
        Ok(())
    }

    fn read_all(&mut self) -> Result<(), Stop> {
        while let Some(next) = self.read_on()? {
            if let Some(leaving) = &mut self.leaving {
                leaving.ahead.push_back(next);
            }
        }
        Ok(())
    }

    /// Refuses a new call that had its effect before: under this key, or in what was just left.
    pub(super) fn refuse_kept(&self, key: &Key, asked: &Asked<'_>) -> Result<(), Stop> {
        let Asked { service, operation, account, .. } = asked;
        let same = |call: &&LeftCall| {
            let LeftCall { intent, .. } = call;
            (intent.service.as_str(), intent.operation.as_str()) == (*service, *operation)
                && intent.account == **account
                && crate::canonical::differences(&intent.input, asked.input).is_empty()
        };
        let moved = self.leaving.iter().flat_map(|leaving| &leaving.effects).find(same);
        let known = match (self.kept.get(key), moved) {
            (Some((seq, words)), _) => Some((*seq, key.as_str(), words.clone())),
            (None, Some(call)) => {
                let words = format!("the same call, which had its effect, as `{account}`");
                Some((call.seq, call.key.as_str(), words))
            }
            (None, None) => None,
        };
        let Some((seq, recorded_key, recorded)) = known else { return Ok(()) };
        Err(Stop::Mismatch(Box::new(Mismatch {
            seq,
            recorded_key: recorded_key.to_owned(),
            recorded,
            asked_key: key.as_str().to_owned(),
            asked: format!("{service}.{operation} as `{account}`, a second time"),
            differences: Vec::new(),
        })))
    }
}

impl Leaving {
    fn leave(&mut self, branch: &str, stored: StoredEntry) {
        let StoredEntry { seq, entry, .. } = stored;
        let Some(key) = entry.key else { return };
        let is_new = self.left.last().is_none_or(|last| last.key != key || last.branch != branch);
        let effect = has_effect(&entry.body);
        if is_new {
            let what = describe(&entry.body);
            let (branch, key) = (branch.to_owned(), key.clone());
            self.left.push(Left { branch, from_seq: seq, to_seq: seq, key, what, effect });
        } else if let Some(last) = self.left.last_mut() {
            last.to_seq = seq;
            last.effect |= effect;
        }
        match entry.body {
            Body::GateOpened(request) => self.withdrawn.push(request.gate),
            Body::GateClosed(result) => self.withdrawn.retain(|gate| *gate != result.gate),
            Body::Intent(intent) => self.effects.push(LeftCall { seq, key, intent }),
            Body::Outcome(Outcome { result: CallResult::Error(_), read: None, .. }) => {
                self.effects.retain(|call| call.key != key);
            }
            _ => {}
        }
    }
}

/// Whether a person can accept that an entry is left. Branches cannot be told from what they lead to.
fn may_be_left(body: &Body) -> bool {
    !matches!(body, Body::BranchesOpened(_) | Body::BranchesClosed(_))
}

/// Whether it may be left where the script goes on with something new.
fn is_harmless(body: &Body) -> bool {
    may_be_left(body)
        && !matches!(body, Body::Intent(_) | Body::Settled(_) | Body::Child(_))
        && !matches!(body, Body::Outcome(Outcome { read: None, .. }))
}

/// Whether an entry says that something in AWS was changed.
fn has_effect(body: &Body) -> bool {
    matches!(body, Body::Child(_))
        || matches!(body, Body::Outcome(Outcome { read: None, result: CallResult::Value(_), .. }))
}

/// Whether one of the calls has no outcome: that is settled first.
fn has_doubt(passed: &[&StoredEntry]) -> bool {
    let mut open: Option<&Key> = None;
    for stored in passed {
        match &stored.entry.body {
            Body::Intent(_) if open.is_none() => open = stored.entry.key.as_ref(),
            Body::Outcome(Outcome { read: None, .. }) => open = None,
            _ => {}
        }
    }
    open.is_some()
}
