//! What a journal says, as far as what comes can depend on it: the same for two journals that replay
//! alike.
//!
//! Entries are gathered by key, as replay looks for them. Left out is what no later call can depend
//! on: when an entry was made, how often a call was attempted and under which token, AWS's ids of
//! requests, that somebody suspended, resumed or settled. Everything else counts to the byte.

use std::collections::{BTreeSet, HashMap};

use piton_core::canonical::Digest;
use piton_core::entry::{Body, Entry};
use piton_core::ports::{Journal, JournalError, Mail, RunId};
use piton_core::time::Span;

/// What a family of runs has recorded so far, by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    slots: HashMap<Digest, Vec<Digest>>,
    sum: Sum,
    /// The runs that have entries.
    pub(super) runs: BTreeSet<RunId>,
    /// How many values of chance were drawn.
    pub(super) drawn: u64,
}

/// A digest of a collection that does not depend on its order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    fn lanes(digest: &Digest) -> [u64; 4] {
        let mut lanes = [0; 4];
        for (lane, bytes) in lanes.iter_mut().zip(digest.bytes().chunks_exact(8)) {
            *lane = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        }
        lanes
    }

    pub(super) fn add(&mut self, digest: &Digest) {
        for (sum, lane) in self.0.iter_mut().zip(Self::lanes(digest)) {
            *sum = sum.wrapping_add(lane);
        }
    }

    fn remove(&mut self, digest: &Digest) {
        for (sum, lane) in self.0.iter_mut().zip(Self::lanes(digest)) {
            *sum = sum.wrapping_sub(lane);
        }
    }

    pub(super) fn digest(self) -> Digest {
        let bytes: Vec<u8> = self.0.iter().flat_map(|lane| lane.to_be_bytes()).collect();
        Digest::of(&bytes)
    }
}

/// How an entry counts.
enum Counts {
    /// Not at all.
    No,
    /// As one more under its address.
    Further(String, String),
    /// As the only one under its address.
    Alone(String, String),
}

impl Told {
    /// Takes one entry in.
    pub(super) fn take(&mut self, run: &RunId, entry: &Entry) {
        self.runs.insert(run.clone());
        if matches!(&entry.body, Body::Sampled(sampled) if sampled.source == "uuid") {
            self.drawn += 1;
        }
        let (address, text, alone) = match counted(entry) {
            Counts::No => return,
            Counts::Further(address, text) => (address, text, false),
            Counts::Alone(address, text) => (address, text, true),
        };
        let slot = Digest::of_parts([run.0.as_bytes(), address.as_bytes()]);
        let parts = self.slots.entry(slot).or_default();
        if !parts.is_empty() {
            self.sum.remove(&of_slot(&slot, parts));
        }
        if alone {
            parts.clear();
        }
        parts.push(Digest::of(text.as_bytes()));
        self.sum.add(&of_slot(&slot, parts));
    }

    /// A digest of what the entries say, with the mail and the locks that `journal` has beside them.
    pub(super) fn digest(&self, journal: &dyn Journal) -> Result<Digest, JournalError> {
        let mut beside = String::new();
        for run in &self.runs {
            for (_, mail) in journal.mail(run)? {
                let mail = match mail {
                    // What it answers is compared with the gate when it is taken.
                    Mail::Decision(mut decision) => {
                        decision.digest = Digest::of(&[]);
                        Mail::Decision(decision)
                    }
                    other => other,
                };
                beside.push_str(&format!("{run} {mail:?}\n"));
            }
        }
        for lock in journal.locks()? {
            beside.push_str(&format!("lock {} {}\n", lock.name, lock.run));
        }
        Ok(Digest::of_parts([self.sum.digest().bytes().as_slice(), beside.as_bytes()]))
    }
}

fn of_slot(slot: &Digest, parts: &[Digest]) -> Digest {
    let bytes = std::iter::once(slot).chain(parts).map(|part| part.bytes().as_slice());
    Digest::of_parts(bytes)
}

fn counted(entry: &Entry) -> Counts {
    let key = entry.key.as_ref().map_or("", |key| key.as_str()).to_owned();
    let nowhere = Digest::of(&[]);
    let body = match &entry.body {
        Body::Suspended(_) | Body::Resumed(_) | Body::Settled(_) => return Counts::No,
        Body::Bound(bound) => {
            return Counts::Alone(format!("bound {}", bound.account), entry.body.encode());
        }
        Body::Ended(ended) => return Counts::Alone("ended".to_owned(), format!("{:?}", ended.end)),
        Body::RolledBack(_) => return Counts::Alone("rolled back".to_owned(), entry.body.encode()),
        Body::Intent(intent) => {
            let is_first = intent.attempt == 1;
            let mut intent = intent.clone();
            intent.attempt = 1;
            intent.token = None;
            let text = Body::Intent(intent).encode();
            // A new attempt is all that counts of a call.
            return if is_first { Counts::Further(key, text) } else { Counts::Alone(key, text) };
        }
        Body::Outcome(outcome) => {
            let mut outcome = outcome.clone();
            (outcome.attempt, outcome.took) = (1, Span::from_millis(0));
            (outcome.request_id, outcome.adopted) = (None, false);
            Body::Outcome(outcome)
        }
        Body::WaitClosed(closed) => {
            let mut closed = closed.clone();
            closed.reads = 0;
            Body::WaitClosed(closed)
        }
        Body::GateOpened(request) => {
            let mut request = request.clone();
            request.digest = nowhere;
            Body::GateOpened(request)
        }
        Body::Decided(decision) => {
            let mut decision = decision.clone();
            decision.digest = nowhere;
            Body::Decided(decision)
        }
        other => other.clone(),
    };
    Counts::Further(key, format!("{} {}", body.kind(), body.encode()))
}
