//! What a driver refuses before it does it: values and journals that become too large, and a clock
//! that is behind the journal. How large is in `piton_core::limits`.

use std::sync::atomic::Ordering;

use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::CallResult;
use piton_core::event::EventKind;
use piton_core::key::Key;
use piton_core::limits::{self, Fill};
use piton_core::ports::{AwsError, Clock, RunId};
use piton_core::time::{Span, Timestamp};
use piton_script::host::{Halt, ScriptCall, Thrown};
use serde_json::Value;

use crate::calls::thrown;
use crate::drive::{Driver, Ending};
use crate::engine::RunnerError;

/// How far a clock may be behind the journal: clocks of machines that agree differ by less.
const BEHIND: Span = Span::from_secs(60);

/// The code of an answer that is too large to be kept.
const ANSWER: &str = "AnswerTooLarge";

impl Driver {
    /// Before anything new: whether the run's journal has room for it, and time goes forward.
    pub(crate) fn check_room(&self) -> Result<(), Halt> {
        let mut state = self.state();
        let (entries, bytes) = state.recorder.extent();
        let bounds = self.engine.ports.journal.bounds();
        match bounds.fill(entries, bytes) {
            Fill::Fine => {}
            Fill::Near => {
                if !self.warned.swap(true, Ordering::SeqCst) {
                    let text = format!(
                        "warning: the journal of this run is nearly full: {}",
                        bounds.words(entries, bytes)
                    );
                    state.recorder.tell_now(self.now(), EventKind::Note { text });
                }
            }
            Fill::Full => {
                let words = bounds.words(entries, bytes);
                let message = format!("the journal of run {} is full: {words}", self.run);
                let diagnostic = Diagnostic::error(Code::Limit, message)
                    .hint("nothing was sent that is not recorded")
                    .hint(format!("take it back (piton rollback {0}), or end it (piton cancel {0})", self.run))
                    .hint("do less in one run: give large lists in parts, or call another runbook for each");
                return Err(self.end(&mut state, Ending::Refused(vec![diagnostic])));
            }
        }
        let recorded = state.recorder.updated_at();
        match behind(self.engine.ports.clock.as_ref(), recorded, &self.run) {
            None => Ok(()),
            Some(diagnostic) => Err(self.end(&mut state, Ending::Refused(vec![diagnostic]))),
        }
    }

    /// Refuses to keep a value that is too large, as an error that the script may catch.
    pub(crate) fn check_size(&self, what: &str, value: &Value) -> Result<(), Halt> {
        self.check_bytes(what, limits::size(value))
    }

    /// The same for a text.
    pub(crate) fn check_bytes(&self, what: &str, bytes: usize) -> Result<(), Halt> {
        let most = self.engine.ports.journal.bounds().value;
        if bytes <= most {
            return Ok(());
        }
        let message = format!("{what} is too large to be kept: {bytes} bytes of at most {most}");
        Err(Halt::Thrown(Box::new(Thrown {
            code: "TooLarge".to_owned(),
            message: message.clone(),
            service: None,
            operation: None,
            http_status: None,
            request_id: None,
            retryable: false,
            key: None,
            details: Value::Null,
            diagnostic: Some(Diagnostic::error(Code::Limit, message)),
        })))
    }

    /// What is recorded of a result. An answer that is too large is shortened, so that what was done
    /// is not forgotten; of a read nothing is worth keeping but that it was too large.
    pub(crate) fn fitting(&self, call: &ScriptCall, result: CallResult) -> CallResult {
        let CallResult::Value(value) = &result else { return result };
        let bytes = limits::size(value);
        if bytes <= self.engine.ports.journal.bounds().value {
            return result;
        }
        match call.class.is_mutating() {
            true => CallResult::Value(limits::shortened(value)),
            false => CallResult::Error(too_large(call, &format!("it has {bytes} bytes"))),
        }
    }
}

/// The error that a script gets in place of an answer of which only a part was kept.
pub(crate) fn shortened_answer(call: &ScriptCall, key: &Key, value: &Value) -> Option<Halt> {
    limits::is_shortened(value).then(|| {
        let what = "the call had its effect, and a part of its answer is kept";
        thrown(&too_large(call, what), Some(key))
    })
}

fn too_large(call: &ScriptCall, what: &str) -> AwsError {
    AwsError {
        service: call.service.clone(),
        operation: call.operation.clone(),
        code: ANSWER.to_owned(),
        message: format!("the answer is too large for the journal: {what}; ask for less at a time"),
        http_status: None,
        request_id: None,
        retryable: false,
    }
}

/// Refuses to go on with a run whose last entry lies in the future of a real clock: deadlines and
/// the order of what happened would be wrong.
pub(crate) fn refuse_old_clock(
    clock: &dyn Clock,
    recorded: Timestamp,
    run: &RunId,
) -> Result<(), RunnerError> {
    match behind(clock, recorded, run) {
        None => Ok(()),
        Some(diagnostic) => Err(RunnerError::refused(diagnostic)),
    }
}

fn behind(clock: &dyn Clock, recorded: Timestamp, run: &RunId) -> Option<Diagnostic> {
    let now = clock.now();
    if clock.is_virtual() || now.after(BEHIND) >= recorded {
        return None;
    }
    let message = format!(
        "it is {now} by this machine's clock, and run {run} recorded something at {recorded}"
    );
    Some(
        Diagnostic::error(Code::ClockBack, message)
            .hint(format!("set the clock right, then `piton resume {run}`: nothing was lost")),
    )
}
