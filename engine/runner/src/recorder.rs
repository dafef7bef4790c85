//! Entries to the journal, events to the sink, in the order that the durability contract asks for.
//!
//! Entries wait here until something must be on disk: an intent before its call is sent, anything
//! before the driver blocks or ends. Then all of them go in one commit. Events wait with their
//! entries, so that nobody is told what a crash could still take back.
//!
//! The branches of a run share one book. Whoever needs a commit writes what everybody has made so
//! far; who comes while that is being written is on disk with the commit after it. So many branches
//! do not need many commits.
//!
//! When the disk refuses a commit, nothing new is begun. What happened already is then written once
//! more by itself, without the intents that stood beside it: [`Recorder::last_words`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use piton_core::entry::{Body, CallResult, Entry, Head, Outcome};
use piton_core::event::{EventKind, RunEvent};
use piton_core::key::Key;
use piton_core::limits;
use piton_core::ports::{EventSink, Journal, JournalError, Lease, MaySend, RunId};
use piton_core::replay::Machine;
use piton_core::status::RunSummary;
use piton_core::time::Timestamp;

/// Reads ride with the next commit, but not more of them than a crash may cost.
const PENDING_MAX: usize = 256;

/// The recorder of one branch of a driving, or of the runbook outside of branches.
pub(crate) struct Recorder {
    book: Arc<Book>,
    /// Path of the branch.
    branch: String,
    /// Position of the last entry that this branch made.
    last: u64,
}

/// What the branches of a driving share.
struct Book {
    journal: Arc<dyn Journal>,
    events: Arc<dyn EventSink>,
    lease: Box<dyn Lease>,
    /// The run is driven dry.
    is_silent: AtomicBool,
    pages: Mutex<Pages>,
    written: Condvar,
}

struct Pages {
    /// End of what is on disk.
    head: Head,
    /// How many entries are being written.
    in_flight: usize,
    /// How many branches wait for what is being written.
    waiting: usize,
    is_writing: bool,
    /// The fold over everything made so far.
    summary: RunSummary,
    /// Bytes of the entries' texts, made so far.
    bytes: u64,
    pending: Vec<Entry>,
    held: Vec<RunEvent>,
    /// The disk did not take something: nothing may be written after it.
    broken: Option<JournalError>,
}

impl Pages {
    fn seq(&self) -> u64 {
        self.head.seq + (self.in_flight + self.pending.len()) as u64
    }
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
        let pages = Mutex::new(Pages {
            head,
            in_flight: 0,
            waiting: 0,
            is_writing: false,
            summary,
            bytes: 0,
            pending: Vec::new(),
            held: Vec::new(),
            broken: None,
        });
        let book = Arc::new(Book {
            journal,
            events,
            lease,
            is_silent: AtomicBool::new(false),
            pages,
            written: Condvar::new(),
        });
        Self { book, branch: String::new(), last: 0 }
    }

    /// The recorder of a branch, into the same book.
    pub(crate) fn of_branch(&self, path: &str) -> Self {
        Self { book: Arc::clone(&self.book), branch: path.to_owned(), last: 0 }
    }

    /// The run.
    pub(crate) fn run(&self) -> &RunId {
        self.book.lease.run()
    }

    /// The right to append.
    pub(crate) fn lease(&self) -> &dyn Lease {
        self.book.lease.as_ref()
    }

    /// The end of what is on disk.
    pub(crate) fn head(&self) -> Head {
        self.book.pages().head
    }

    /// Whether this process still has the run.
    pub(crate) fn is_held(&self) -> Result<bool, JournalError> {
        self.book.journal.is_held(self.lease())
    }

    /// What asks that before each attempt to send. Where it cannot be known, nothing is sent.
    pub(crate) fn fence(&self) -> MaySend {
        let book = Arc::clone(&self.book);
        Arc::new(move || matches!(book.journal.is_held(book.lease.as_ref()), Ok(true)))
    }

    /// The fold over everything made so far.
    pub(crate) fn summary(&self) -> RunSummary {
        self.book.pages().summary.clone()
    }

    /// The position of the last entry made, by any branch.
    pub(crate) fn seq(&self) -> u64 {
        self.book.pages().seq()
    }

    /// How many entries the run has, and bytes in their texts.
    pub(crate) fn extent(&self) -> (u64, u64) {
        let pages = self.book.pages();
        (pages.seq(), pages.bytes)
    }

    /// When the last entry was made.
    pub(crate) fn updated_at(&self) -> Timestamp {
        self.book.pages().summary.updated_at
    }

    /// Whether the outcome of a call that changes AWS is not on disk yet.
    pub(crate) fn has_answers(&self) -> bool {
        self.book.pages().pending.iter().any(is_answer)
    }

    /// From here on nothing is written: entries are made in memory alone.
    pub(crate) fn be_silent(&self) {
        self.book.is_silent.store(true, Ordering::SeqCst);
    }

    /// Takes over the bytes of the entries that were there before this driving.
    pub(crate) fn count(&self, bytes: u64) {
        self.book.pages().bytes += bytes;
    }

    /// Makes an entry: it is on disk with the next commit. Returns its position.
    pub(crate) fn make(
        &mut self,
        machine: Option<&mut Machine>,
        at: Timestamp,
        key: Option<Key>,
        body: Body,
    ) -> u64 {
        let mut pages = self.book.pages();
        // A clock that is set back a little does not turn the run's own time around.
        let entry = Entry { key, at: at.max(pages.summary.updated_at), body };
        pages
            .summary
            .apply(&entry)
            .unwrap_or_else(|illegal| unreachable!("the driver made an illegal entry: {illegal}"));
        let seq = pages.seq() + 1;
        let text = entry.body.encode();
        pages.bytes += text.len() as u64;
        if let Some(machine) = machine {
            machine.made(seq, &entry, &text);
        }
        pages.pending.push(entry);
        drop(pages);
        self.last = seq;
        seq
    }

    fn event(&self, at: Timestamp, kind: EventKind) -> RunEvent {
        RunEvent { run: self.run().clone(), at, branch: self.branch.clone(), kind }
    }

    /// Tells an event after the next commit.
    pub(crate) fn tell(&self, at: Timestamp, kind: EventKind) {
        self.book.pages().held.push(self.event(at, kind));
    }

    /// Tells an event that is no news about AWS: at once, unless others wait before it.
    pub(crate) fn tell_in_order(&self, at: Timestamp, kind: EventKind) {
        let is_first = self.book.pages().held.is_empty();
        if is_first { self.tell_now(at, kind) } else { self.tell(at, kind) }
    }

    /// Tells an event at once: only for what no entry says.
    pub(crate) fn tell_now(&self, at: Timestamp, kind: EventKind) {
        self.book.events.emit(&self.event(at, kind));
    }

    /// Commits when so much is pending that a crash would cost more than a few reads.
    pub(crate) fn commit_if_long(&self) -> Result<(), JournalError> {
        let is_long = self.book.pages().pending.len() >= PENDING_MAX;
        if is_long { self.commit() } else { Ok(()) }
    }

    /// Whether everything that this branch made is on disk.
    pub(crate) fn is_on_disk(&self) -> bool {
        self.book.pages().head.seq >= self.last
    }

    /// Puts everything that this branch made on disk, with what others made meanwhile, then tells
    /// what was held. On an error nothing is told and nothing was written.
    pub(crate) fn commit(&self) -> Result<(), JournalError> {
        self.book.write(self.last, &[])
    }

    /// After the disk refused something: writes what happened already, in one more commit, and leaves
    /// out the calls that were only about to be sent. Returns the calls whose outcome is known here and
    /// could not be written: they are in doubt.
    pub(crate) fn last_words(&self) -> Vec<Key> {
        self.book.last_words()
    }

    /// Puts everything made on disk together with the removal of mail that it came from.
    pub(crate) fn commit_mail(&self, mail: &[u64]) -> Result<(), JournalError> {
        self.book.write(self.last, mail)
    }
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        // An entry is made in one step; a panic elsewhere leaves nothing half done.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when everything up to a position is on disk, and the mail is gone.
    fn write(&self, up_to: u64, mail: &[u64]) -> Result<(), JournalError> {
        if self.is_silent.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut pages = self.pages();
        loop {
            if let Some(error) = &pages.broken {
                return Err(error.clone());
            }
            if pages.is_writing {
                pages.waiting += 1;
                pages = self.written.wait(pages).unwrap_or_else(PoisonError::into_inner);
                pages.waiting -= 1;
                continue;
            }
            let is_on_disk = pages.head.seq >= up_to && mail.is_empty();
            if is_on_disk && (!pages.pending.is_empty() || pages.held.is_empty()) {
                return Ok(());
            }
            break;
        }
        pages.is_writing = true;
        let batch = std::mem::take(&mut pages.pending);
        let held = std::mem::take(&mut pages.held);
        let (summary, head) = (pages.summary.clone(), pages.head);
        pages.in_flight = batch.len();
        drop(pages);
        let written = self.append(head, &batch, &summary, mail);
        if written.is_ok() {
            held.iter().for_each(|event| self.events.emit(event));
        }
        let mut pages = self.pages();
        pages.is_writing = false;
        pages.in_flight = 0;
        let result = match written {
            Ok(head) => {
                pages.head = head;
                Ok(())
            }
            Err(error) => {
                pages.broken = Some(error.clone());
                pages.pending.splice(0..0, batch);
                Err(error)
            }
        };
        if pages.waiting > 0 {
            self.written.notify_all();
        }
        result
    }

    /// See [`Recorder::last_words`].
    fn last_words(&self) -> Vec<Key> {
        let mut pages = self.pages();
        let made = std::mem::take(&mut pages.pending);
        let before = pages.head.seq;
        drop(pages);
        let whole: Vec<Entry> = made.iter().filter_map(happened).collect();
        let short = || made.iter().filter_map(happened).map(shortened).collect::<Vec<Entry>>();
        let answered = whole.iter().filter(|entry| is_answer(entry));
        let in_doubt: Vec<Key> = answered.filter_map(|entry| entry.key.clone()).collect();
        if in_doubt.is_empty() {
            return in_doubt;
        }
        let Ok(row) = self.journal.find(&self.lease.run().0) else { return in_doubt };
        if row.head.seq != before {
            // The disk took the commit that it refused: it is all there, but for what came after.
            let written = usize::try_from(row.head.seq.saturating_sub(before)).unwrap_or(0);
            let rest = made.iter().skip(written).filter(|entry| is_answer(entry));
            return rest.filter_map(|entry| entry.key.clone()).collect();
        }
        let write = |entries: &[Entry]| {
            let mut summary = row.summary.clone();
            let is_legal = entries.iter().all(|entry| summary.apply(entry).is_ok());
            is_legal && self.journal.append(self.lease.as_ref(), entries, &summary).is_ok()
        };
        // An answer of many pages may not fit where a short one does.
        if write(&whole) || write(&short()) { Vec::new() } else { in_doubt }
    }

    fn append(
        &self,
        head: Head,
        batch: &[Entry],
        summary: &RunSummary,
        mail: &[u64],
    ) -> Result<Head, JournalError> {
        if !mail.is_empty() {
            return self.journal.take_mail(self.lease.as_ref(), mail, batch, summary);
        }
        match batch.is_empty() {
            true => Ok(head),
            false => self.journal.append(self.lease.as_ref(), batch, summary),
        }
    }
}

/// An entry that says what happened, not what is about to.
fn happened(entry: &Entry) -> Option<Entry> {
    (!matches!(entry.body, Body::Intent(_))).then(|| entry.clone())
}

/// Whether an entry is the outcome of a call that changes AWS.
fn is_answer(entry: &Entry) -> bool {
    matches!(&entry.body, Body::Outcome(outcome) if outcome.read.is_none())
}

fn shortened(mut entry: Entry) -> Entry {
    if let Body::Outcome(Outcome { result: CallResult::Value(value), .. }) = &mut entry.body {
        *value = limits::shortened(value);
    }
    entry
}
