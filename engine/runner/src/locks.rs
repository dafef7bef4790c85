//! Locks: one run at a time for a name. They belong to the outermost run, so that a runbook and those
//! that it calls do not keep each other out; branches of a run share them for the same reason.
//!
//! The lock is taken in the journal's database before its entry is made. A crash between the two leaves
//! a lock that the run holds anyway, and takes again when its script asks again.

use piton_core::entry::{Body, Locked};
use piton_core::ports::RunId;
use piton_core::status::Reason;
use piton_script::host::Halt;

use crate::drive::{Driver, Ending, State};
use crate::dry::Next;

impl Driver {
    /// `lock`.
    pub(crate) fn take_lock(&self, name: &str) -> Result<(), Halt> {
        self.refuse_in_modes("lock")?;
        let step = {
            let mut state = self.state();
            state.machine.lock(name).map_err(|stop| self.stop(&mut state, stop))?
        };
        if step.is_recorded && self.dry.is_some() {
            return Ok(());
        }
        if !step.is_recorded {
            self.check_branch()?;
            self.beyond(Some(&step.key), || Next::Lock { name: name.to_owned() })?;
            self.check_stop(&mut self.state())?;
        }
        // A recorded one too: a run that failed had lost it until its retry.
        let owner = self.outermost_run();
        let held = self.engine.ports.journal.take_lock(self.book.lease(), name, &owner);
        let at = self.now();
        let mut state = self.state();
        match held {
            Err(error) => Err(self.end(&mut state, Ending::Journal(error))),
            Ok(Some(holder)) => {
                let reason = Reason::Lock { name: name.to_owned(), holder };
                Err(self.suspend(&mut state, reason))
            }
            Ok(None) if step.is_recorded => Ok(()),
            Ok(None) => {
                let State { machine, recorder, .. } = &mut *state;
                let body = Body::Locked(Locked { name: name.to_owned() });
                recorder.make(Some(machine), at, Some(step.key), body);
                Ok(())
            }
        }
    }

    /// The run that nobody called, with this one inside of it.
    pub(crate) fn outermost_run(&self) -> RunId {
        let parent = self.started.parent.as_ref();
        parent.map_or_else(|| self.run.clone(), |parent| parent.outermost.clone())
    }
}
