//! Entries to the journal, events to the sink, in the order that the durability contract asks for.
//!
//! Entries wait here until something must be on disk: an intent before its call is sent, anything
//! before the driver blocks or ends. Then all of them go in one commit. Events wait with their
//! entries, so that nobody is told what a crash could still take back.

use std::sync::Arc;

use piton_core::entry::{Body, Entry, Head};
use piton_core::event::{EventKind, RunEvent};
use piton_core::key::Key;
use piton_core::ports::{EventSink, Journal, JournalError, Lease, RunId};
use piton_core::replay::Machine;
use piton_core::status::RunSummary;
use piton_core::time::Timestamp;

/// Reads ride with the next commit, but not more of them than a crash may cost.
const PENDING_MAX: usize = 256;

/// The recorder of one driving.
pub(crate) struct Recorder {
    journal: Arc<dyn Journal>,
    events: Arc<dyn EventSink>,
    lease: Box<dyn Lease>,
    head: Head,
    summary: RunSummary,
    pending: Vec<Entry>,
    held: Vec<RunEvent>,
}

impl Recorder {
    /// A recorder that appends after `head`.
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        events: Arc<dyn EventSink>,
        lease: Box<dyn Lease>,
        head: Head,
        summary: RunSummary,
    ) -> Self {
        Self { journal, events, lease, head, summary, pending: Vec::new(), held: Vec::new() }
    }

    /// The run.
    pub(crate) fn run(&self) -> &RunId {
        self.lease.run()
    }

    /// The right to append.
    pub(crate) fn lease(&self) -> &dyn Lease {
        self.lease.as_ref()
    }

    /// The fold over everything made so far.
    pub(crate) fn summary(&self) -> &RunSummary {
        &self.summary
    }

    /// The position of the last entry made.
    pub(crate) fn seq(&self) -> u64 {
        self.head.seq + self.pending.len() as u64
    }

    /// Makes an entry: it is on disk with the next commit. Returns its position.
    pub(crate) fn make(
        &mut self,
        machine: Option<&mut Machine>,
        at: Timestamp,
        key: Option<Key>,
        body: Body,
    ) -> u64 {
        let entry = Entry { key, at, body };
        self.summary
            .apply(&entry)
            .unwrap_or_else(|illegal| unreachable!("the driver made an illegal entry: {illegal}"));
        let seq = self.seq() + 1;
        if let Some(machine) = machine {
            machine.made(seq, &entry, &entry.body.encode());
        }
        self.pending.push(entry);
        seq
    }

    /// Tells an event after the next commit.
    pub(crate) fn tell(&mut self, at: Timestamp, kind: EventKind) {
        self.held.push(RunEvent { run: self.lease.run().clone(), at, kind });
    }

    /// Tells an event that is no news about AWS: at once, unless others wait before it.
    pub(crate) fn tell_in_order(&mut self, at: Timestamp, kind: EventKind) {
        if self.held.is_empty() { self.tell_now(at, kind) } else { self.tell(at, kind) }
    }

    /// Tells an event at once: only for what no entry says.
    pub(crate) fn tell_now(&self, at: Timestamp, kind: EventKind) {
        self.events.emit(&RunEvent { run: self.lease.run().clone(), at, kind });
    }

    /// Commits when so much is pending that a crash would cost more than a few reads.
    pub(crate) fn commit_if_long(&mut self) -> Result<(), JournalError> {
        if self.pending.len() < PENDING_MAX { Ok(()) } else { self.commit() }
    }

    /// Puts everything made on disk, then tells what was held. On an error nothing is told and
    /// nothing was written.
    pub(crate) fn commit(&mut self) -> Result<(), JournalError> {
        if !self.pending.is_empty() {
            self.head = self.journal.append(self.lease.as_ref(), &self.pending, &self.summary)?;
            self.pending.clear();
        }
        for event in self.held.drain(..) {
            self.events.emit(&event);
        }
        Ok(())
    }

    /// Puts everything made on disk together with the removal of mail that it came from.
    pub(crate) fn commit_mail(&mut self, mail: &[u64]) -> Result<(), JournalError> {
        self.head =
            self.journal.take_mail(self.lease.as_ref(), mail, &self.pending, &self.summary)?;
        self.pending.clear();
        self.commit()
    }
}
