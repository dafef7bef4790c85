//! The heartbeat of a driving: says that its driver lives, and hears a cancel.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use piton_core::ports::JournalError;

use crate::drive::Driver;

/// How often a driver says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How often a driver that is busy looks whether somebody cancelled its run. One that waits looks
/// by itself.
const CANCEL_LOOK: Duration = Duration::from_secs(1);

/// Says every few seconds that the driver is alive, and looks for a cancel, on a thread of its own.
pub(crate) struct Heart {
    beats: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Heart {
    /// Begins to beat.
    pub(crate) fn start(driver: &Arc<Driver>) -> Self {
        let beats = Arc::new((Mutex::new(false), Condvar::new()));
        let (stopped, driver) = (Arc::clone(&beats), Arc::clone(driver));
        let beat = move || {
            let (flag, changed) = &*stopped;
            let mut last_renewed = Instant::now();
            let mut done = flag.lock().unwrap_or_else(PoisonError::into_inner);
            while !*done {
                let (guard, timeout) =
                    changed.wait_timeout(done, CANCEL_LOOK).unwrap_or_else(PoisonError::into_inner);
                done = guard;
                if *done || !timeout.timed_out() {
                    continue;
                }
                // What the journal cannot say now, the driver's next append says.
                if matches!(driver.is_cancelled(), Ok(true)) {
                    driver.hear_cancel();
                }
                if last_renewed.elapsed() >= HEARTBEAT {
                    last_renewed = Instant::now();
                    // A disk that does not take it now may take the next one.
                    if matches!(driver.renew(), Err(JournalError::LeaseLost(_))) {
                        driver.hear_loss();
                        break;
                    }
                }
            }
        };
        // Without a heartbeat the run goes on: the file lock alone says that the driver lives.
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(beat).ok();
        Self { beats, thread }
    }

    /// Beats no more.
    pub(crate) fn stop(mut self) {
        let (flag, changed) = &*self.beats;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in the heartbeat concerns nobody any more.
            drop(thread.join());
        }
    }
}

impl Driver {
    fn renew(&self) -> Result<(), JournalError> {
        self.engine.ports.journal.renew(self.book.lease())
    }
}
