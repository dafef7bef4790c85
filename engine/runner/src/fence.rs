//! The fence of a driving: nothing that changes AWS is sent by a process that lost its run.
//!
//! A process can be stopped for longer than others wait for it, and wake in the middle of a call. So
//! the lease is looked at before each attempt to send, and by each append. What was on the wire when
//! the process was stopped cannot be called back: whoever took the run finds it in doubt.

use std::sync::atomic::Ordering;

use piton_core::ports::{Answer, Call, JournalError};
use piton_script::host::Halt;

use crate::calls::Failure;
use crate::drive::{Driver, Ending, State};

impl Driver {
    /// Sends a call that changes something, as long as this process has the run.
    pub(crate) fn send_fenced(&self, call: &Call) -> Result<Answer, Failure> {
        let may_send = self.book.fence();
        let operations = &self.engine.ports.operations;
        let answered = self.wait_for(operations.perform_while(call, may_send));
        if answered.is_err() && !self.book.is_held().map_err(|error| self.journal_stops(error))? {
            return Err(self.lost(&mut self.state()).into());
        }
        Ok(answered?)
    }

    fn journal_stops(&self, error: JournalError) -> Halt {
        self.end(&mut self.state(), Ending::Journal(error))
    }

    /// The heartbeat found that another process has the run: every branch stops at its next point.
    pub(crate) fn hear_loss(&self) {
        self.lease_lost.store(true, Ordering::SeqCst);
        self.call_attention();
    }

    /// Ends the driving because another process has the run.
    pub(crate) fn lost(&self, state: &mut State) -> Halt {
        self.end(state, Ending::Journal(JournalError::LeaseLost(self.run.0.clone())))
    }
}
