//! The effects of a run, entry by entry.

use std::collections::HashMap;

use serde_json::Value;

use super::plan::{self, Plan};
use super::things::{KnownThing, Things};
use crate::account::AccountRef;
use crate::catalogue;
use crate::entry::{
    Before, Body, CallResult, Intent, Outcome, Read, Settlement, StoredEntry, Undo,
};
use crate::key::Key;
use crate::ports::RunId;
use crate::time::Timestamp;

/// What a mutating call did.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    /// Position of its intent.
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) key: Key,
    pub(super) intent: Intent,
    pub(super) came_to: CameTo,
}

/// What became of a call that was sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CameTo {
    /// Nobody knows yet.
    Doubt,
    /// It had no effect: refused, or skipped, or replaced by a later attempt.
    Nothing,
    /// It had its effect.
    Done {
        output: Value,
        /// The output was found after a crash, not answered.
        adopted: bool,
    },
}

/// A call that was sent and whose outcome is not recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubtful {
    /// Its key.
    pub key: Key,
    /// What was sent.
    pub intent: Intent,
    /// When.
    pub sent_at: Timestamp,
}

/// What a run did, as far as its entries say.
#[derive(Debug)]
pub struct Ledger {
    pub(super) run: RunId,
    pub(super) runbook: String,
    pub(super) effects: Vec<Effect>,
    /// The last effect of each key.
    last: HashMap<Key, usize>,
    /// What scripts recorded to take their calls back, in order.
    pub(super) undo: HashMap<Key, Vec<Vec<Read>>>,
    pub(super) things: Things,
    /// The thing that an effect is about.
    pub(super) thing_of: HashMap<usize, usize>,
    skipped: Option<Key>,
}

impl Ledger {
    /// The ledger of a run without entries.
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            runbook: String::new(),
            effects: Vec::new(),
            last: HashMap::new(),
            undo: HashMap::new(),
            things: Things::default(),
            thing_of: HashMap::new(),
            skipped: None,
        }
    }

    /// Takes the next entry.
    pub fn take(&mut self, stored: &StoredEntry) {
        let key = stored.entry.key.as_ref();
        match (&stored.entry.body, key) {
            (Body::Started(started), _) => self.runbook.clone_from(&started.runbook),
            (Body::Bound(bound), _) => {
                self.things.bound(&bound.account, &bound.principal.account);
            }
            (Body::Intent(intent), Some(key)) => {
                self.sent(stored.seq, stored.entry.at, key, intent);
            }
            (Body::Settled(settled), Some(key)) => {
                self.skipped = (settled.how == Settlement::Skip).then(|| key.clone());
            }
            (Body::Outcome(outcome), Some(key)) => self.answered(key, outcome),
            (Body::Undo(Undo { of, calls }), _) => {
                self.undo.entry(of.clone()).or_default().push(calls.clone());
            }
            _ => {}
        }
    }

    /// Calls whose outcome is not recorded.
    pub fn doubts(&self) -> Vec<Doubtful> {
        self.effects
            .iter()
            .filter(|effect| effect.came_to == CameTo::Doubt)
            .map(|effect| Doubtful {
                key: effect.key.clone(),
                intent: effect.intent.clone(),
                sent_at: effect.at,
            })
            .collect()
    }

    /// What takes the run back. Calls in doubt are not in it: settle them first.
    pub fn plan(&self) -> Plan {
        plan::of(self)
    }

    /// What the run knew of the things it made or found, in the order it met them.
    pub fn things(&self) -> &[KnownThing] {
        self.things.all()
    }

    fn sent(&mut self, seq: u64, at: Timestamp, key: &Key, intent: &Intent) {
        let mut intent = intent.clone();
        if let Some(earlier) = self.last.get(key).map(|index| &mut self.effects[*index])
            && earlier.came_to == CameTo::Doubt
        {
            // The earlier attempt had no effect, or this one repeats it: what was there before the
            // first is what was there.
            earlier.came_to = CameTo::Nothing;
            intent.before = earlier.intent.before.clone().or(intent.before);
        }
        self.last.insert(key.clone(), self.effects.len());
        let came_to = CameTo::Doubt;
        self.effects.push(Effect { seq, at, key: key.clone(), intent, came_to });
    }

    fn answered(&mut self, key: &Key, outcome: &Outcome) {
        if let Some(read) = &outcome.read {
            if let CallResult::Value(answer) = &outcome.result {
                self.things.read(
                    &read.service,
                    &read.operation,
                    &read.account,
                    &read.input,
                    answer,
                );
            }
            return;
        }
        let Some(&index) = self.last.get(key) else { return };
        let was_skipped = self.skipped.take().as_ref() == Some(key);
        let effect = &mut self.effects[index];
        effect.came_to = match &outcome.result {
            CallResult::Value(output) if !was_skipped => {
                CameTo::Done { output: output.clone(), adopted: outcome.adopted }
            }
            _ => CameTo::Nothing,
        };
        if let CameTo::Done { output, .. } = &effect.came_to {
            let Intent { service, operation, account, input, .. } = &effect.intent;
            self.things.removed(service, operation, input);
            let made = self.things.made(service, operation, account, input, output, key);
            self.thing_of.extend(made.map(|thing| (index, thing)));
        }
    }
}

impl Effect {
    /// The call's name, `datazone.create_project`.
    pub(super) fn call(&self) -> String {
        format!("{}.{}", self.intent.service, self.intent.operation)
    }

    /// The output, when the call had its effect.
    pub(super) fn output(&self) -> Option<&Value> {
        match &self.came_to {
            CameTo::Done { output, .. } => Some(output),
            _ => None,
        }
    }

    /// Whether what a search found in place of an answer is older than the call: somebody else's.
    pub(super) fn is_older_than_the_call(&self) -> bool {
        let CameTo::Done { output, adopted: true } = &self.came_to else { return false };
        let row = catalogue::reviewed(&self.intent.service, &self.intent.operation);
        row.and_then(|row| row.find.as_ref()).is_some_and(|finder| finder.is_older(output, self.at))
    }

    /// What was there before: nothing for null; an error when nobody could look.
    pub(super) fn before(&self) -> Result<Value, String> {
        match &self.intent.before {
            Some(Before::Absent) => Ok(Value::Null),
            Some(Before::There { value }) => Ok(value.clone()),
            Some(Before::Unknown { error }) => Err(format!("AWS did not show it: {error}")),
            None => Err("nobody looked".to_owned()),
        }
    }

    /// Account that the call was sent as.
    pub(super) fn account(&self) -> &AccountRef {
        &self.intent.account
    }
}
