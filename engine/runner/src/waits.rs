//! Waiting: for time, for a state of AWS, for AWS to accept a call.
//!
//! A wait is opened on disk before the driver blocks, so that its deadline survives. A wait for a
//! state is one entry however often AWS is asked.

use piton_core::catalogue::part;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, WaitClosed, WaitOpened, WaitResult, WaitTarget};
use piton_core::event::EventKind;
use piton_core::key::Key;
use piton_core::ports::AwsError;
use piton_core::replay::{OpenWait, WaitStep};
use piton_core::status::Reason;
use piton_core::time::{Span, Timestamp};
use piton_script::host::{Callback, Halt, RetrySpec, Thrown, WaitSpec};
use serde_json::{Value, json};

use crate::calls::misplaced_at;
use crate::drive::{Driver, Mode, Retrying, State};
use crate::dry::Next;
use crate::turns::Woken;

/// How long a driver stays with a wait on a real clock when nobody says otherwise.
const WAIT_LIMIT: Span = Span::from_secs(3600);

impl Driver {
    /// `wait_until`.
    pub(crate) fn wait_for_state(
        &self,
        spec: &WaitSpec,
        call: Callback<'_>,
    ) -> Result<Value, Halt> {
        self.refuse_in_modes("wait_until")?;
        let (key, opened) = match self.wait_step(&spec.name)? {
            WaitStep::Closed { key, seq, result } => {
                return self.wait_answer(&spec.name, &key, seq, result);
            }
            WaitStep::Open { key, opened } => {
                self.check_branch()?;
                self.beyond(Some(&key), || Next::state(&spec.name, opened.as_ref()))?;
                (key, opened)
            }
        };
        let opened = match opened {
            Some(opened) => opened,
            None => {
                let at = self.now();
                let give_up_at = at.after(spec.give_up);
                let target = WaitTarget::State { every: spec.every, give_up_at };
                self.open_wait(&key, &spec.name, at, target)?
            }
        };
        let mut reads = 0;
        let result = self.poll(&key, spec, opened.wait.target.end(), call, &mut reads)?;
        self.close_wait(&key, &opened, result.clone(), reads);
        self.wait_answer(&spec.name, &key, opened.seq, result)
    }

    fn wait_step(&self, name: &str) -> Result<WaitStep, Halt> {
        let mut state = self.state();
        state.machine.wait(name).map_err(|stop| self.stop(&mut state, stop))
    }

    fn open_wait(
        &self,
        key: &Key,
        name: &str,
        at: Timestamp,
        target: WaitTarget,
    ) -> Result<OpenWait, Halt> {
        let mut state = self.state();
        self.check_stop(&mut state)?;
        let State { machine, recorder, .. } = &mut *state;
        let wait = WaitOpened { name: name.to_owned(), target };
        let body = Body::WaitOpened(wait.clone());
        let seq = recorder.make(Some(machine), at, Some(key.clone()), body);
        self.commit(&mut state)?;
        Ok(OpenWait { seq, at, wait })
    }

    fn close_wait(&self, key: &Key, opened: &OpenWait, result: WaitResult, reads: u32) {
        let at = self.now();
        let mut state = self.state();
        let ok = matches!(result, WaitResult::Reached { .. } | WaitResult::Gone);
        let State { machine, recorder, .. } = &mut *state;
        let body = Body::WaitClosed(WaitClosed { result, reads });
        recorder.make(Some(machine), at, Some(key.clone()), body);
        let took = at.since(opened.at);
        let (key, name) = (key.clone(), opened.wait.name.clone());
        recorder.tell(at, EventKind::Waited { key, name, ok, took });
    }

    /// Reads until a state that ends the wait.
    fn poll(
        &self,
        key: &Key,
        spec: &WaitSpec,
        give_up_at: Timestamp,
        call: Callback<'_>,
        reads: &mut u32,
    ) -> Result<WaitResult, Halt> {
        let attached_at = self.now();
        loop {
            {
                let mut state = self.state();
                self.check_stop(&mut state)?;
                self.check_cancel(&mut state)?;
                self.check_branch()?;
            }
            *reads += 1;
            let seen = match self.read_in_mode(&mut *call)? {
                Ok(value) => {
                    let seen = part(&value, &spec.path).clone();
                    if spec.ok.contains(&seen) {
                        return Ok(WaitResult::Reached { value });
                    }
                    if spec.fail.contains(&seen) {
                        return Ok(WaitResult::Failed { state: seen, value });
                    }
                    seen
                }
                Err(error) if spec.gone.contains(&error.code) => return Ok(WaitResult::Gone),
                Err(error) if error.retryable => Value::String(error.code),
                Err(error) => return Ok(WaitResult::Refused { error }),
            };
            let now = self.now();
            if now >= give_up_at {
                return Ok(WaitResult::GaveUp { state: seen });
            }
            let waiting = EventKind::Waiting {
                key: key.clone(),
                name: spec.name.clone(),
                state: seen.clone(),
            };
            self.state().recorder.tell_now(now, waiting);
            let next_in =
                Span::from_millis(spec.every.millis().min(give_up_at.since(now).millis()).max(1));
            if self.is_too_long(now.since(attached_at), next_in) {
                let reason = Reason::State { name: spec.name.clone(), state: seen };
                return Err(self.suspend(&mut self.state(), reason));
            }
            if self.pass_time(next_in) == Woken::Blocked {
                let reason = Reason::State { name: spec.name.clone(), state: seen };
                return Err(self.suspend(&mut self.state(), reason));
            }
        }
    }

    /// A callback whose calls are read and not kept. AWS's refusals come back as such.
    pub(crate) fn read_in_mode(&self, call: Callback<'_>) -> Result<Result<Value, AwsError>, Halt> {
        self.state().modes.push(Mode::Polling);
        let answer = call();
        self.state().modes.pop();
        match answer {
            Ok(value) => Ok(Ok(value)),
            Err(Halt::Thrown(thrown)) if thrown.service.is_some() => Ok(Err(AwsError {
                service: thrown.service.unwrap_or_default(),
                operation: thrown.operation.unwrap_or_default(),
                code: thrown.code,
                message: thrown.message,
                http_status: thrown.http_status,
                request_id: thrown.request_id,
                retryable: thrown.retryable,
            })),
            Err(halt) => Err(halt),
        }
    }

    /// Whether a wait of which `so_far` is over and `next_in` is to come is too long to stay for.
    fn is_too_long(&self, so_far: Span, next_in: Span) -> bool {
        let limit = match self.options.wait_limit {
            Some(limit) => limit,
            None if self.engine.ports.clock.is_virtual() => return false,
            None => WAIT_LIMIT,
        };
        so_far.millis() + next_in.millis() > limit.millis()
    }

    fn wait_answer(
        &self,
        name: &str,
        key: &Key,
        seq: u64,
        result: WaitResult,
    ) -> Result<Value, Halt> {
        let (code, diagnostic, message, details, error) = match result {
            WaitResult::Reached { value } => return Ok(value),
            WaitResult::Gone => return Ok(Value::Null),
            WaitResult::Failed { state, value } => (
                "WaitFailed",
                Code::WaitFailed,
                format!(
                    "the wait `{name}` met the state {state}, which does not become the awaited one"
                ),
                json!({ "state": state, "value": value }),
                None,
            ),
            WaitResult::GaveUp { state } => (
                "GaveUp",
                Code::GaveUp,
                format!("the wait `{name}` gave up: the last state was {state}"),
                json!({ "state": state }),
                None,
            ),
            WaitResult::Refused { error } => (
                "",
                Code::AwsRefused,
                format!("the wait `{name}`: {error}"),
                Value::Null,
                Some(error),
            ),
        };
        self.state().refusals.insert(key.as_str().to_owned(), seq);
        let diagnostic = Diagnostic::error(diagnostic, message.clone())
            .hint("mend the cause, then `piton resume RUN --retry` waits again");
        Err(Halt::Thrown(Box::new(Thrown {
            code: error.as_ref().map_or_else(|| code.to_owned(), |error| error.code.clone()),
            message: error.as_ref().map_or(message, |error| error.message.clone()),
            service: error.as_ref().map(|error| error.service.clone()),
            operation: error.as_ref().map(|error| error.operation.clone()),
            http_status: error.as_ref().and_then(|error| error.http_status),
            request_id: error.as_ref().and_then(|error| error.request_id.clone()),
            retryable: false,
            key: Some(key.as_str().to_owned()),
            details,
            diagnostic: Some(diagnostic),
        })))
    }

    /// `sleep` and `sleep_until`: `until` says when it ends, given when it began.
    pub(crate) fn wait_for_time(
        &self,
        name: &str,
        until: impl FnOnce(Timestamp) -> Timestamp,
    ) -> Result<(), Halt> {
        self.refuse_in_modes("sleep")?;
        let (key, opened) = match self.wait_step(name)? {
            WaitStep::Closed { .. } => return Ok(()),
            WaitStep::Open { key, opened } => {
                self.check_branch()?;
                self.beyond(Some(&key), || Next::timer(name, opened.as_ref()))?;
                (key, opened)
            }
        };
        let opened = match opened {
            Some(opened) => opened,
            None => {
                let at = self.now();
                self.open_wait(&key, name, at, WaitTarget::Time { until: until(at) })?
            }
        };
        let until = opened.wait.target.end();
        let remaining = until.since(self.now());
        if remaining.millis() > 0 {
            if self.is_too_long(Span::from_millis(0), remaining) {
                let reason = Reason::Timer { name: name.to_owned(), until };
                return Err(self.suspend(&mut self.state(), reason));
            }
            let (at, state) = (self.now(), json!(until));
            let waiting = EventKind::Waiting { key: key.clone(), name: name.to_owned(), state };
            self.state().recorder.tell_now(at, waiting);
            self.sleep_until(name, until)?;
        }
        let result = WaitResult::Reached { value: json!(until) };
        self.close_wait(&key, &opened, result, 0);
        Ok(())
    }

    /// Lets time pass in parts, so that a cancel is heard.
    fn sleep_until(&self, name: &str, until: Timestamp) -> Result<(), Halt> {
        const PART: Span = Span::from_secs(10);
        loop {
            {
                let mut state = self.state();
                self.check_stop(&mut state)?;
                self.check_cancel(&mut state)?;
                self.check_branch()?;
            }
            let remaining = until.since(self.now());
            if remaining.millis() == 0 {
                return Ok(());
            }
            let is_virtual = self.engine.ports.clock.is_virtual();
            let woken = self.pass_time(if is_virtual { remaining } else { PART.min(remaining) });
            if woken == Woken::Blocked {
                let reason = Reason::Timer { name: name.to_owned(), until };
                return Err(self.suspend(&mut self.state(), reason));
            }
            if is_virtual && woken == Woken::Due && until.since(self.now()) == remaining {
                let message = "the clock of the world stands still".to_owned();
                return Err(self.suspend(&mut self.state(), Reason::Unavailable { message }));
            }
        }
    }

    /// `retry`.
    pub(crate) fn retry_call(&self, spec: &RetrySpec, call: Callback<'_>) -> Result<Value, Halt> {
        self.refuse_in_modes("retry")?;
        let deadline = self.now().after(spec.give_up);
        loop {
            self.state().modes.push(Mode::Retrying(Retrying {
                on: spec.on.clone(),
                deadline,
                every: spec.every,
                called: None,
                refused: None,
            }));
            let answer = call();
            let mode = self.state().modes.pop();
            let Some(Mode::Retrying(Retrying { refused: Some((key, attempt, error)), .. })) = mode
            else {
                return answer;
            };
            if answer.is_ok() || matches!(answer, Err(Halt::Stop)) {
                // The script caught the error inside its closure: that is its answer then, and the
                // call has no recorded outcome, which replay could not repeat.
                return Err(misplaced_at(
                    "a `try` around the call of `retry`",
                    None,
                    "put the `try` around `retry` itself",
                ));
            }
            {
                let mut state = self.state();
                self.check_stop(&mut state)?;
                self.commit(&mut state)?;
                let at = self.now();
                let (name, next_in) = (spec.name.clone(), spec.every);
                let again = EventKind::Retrying { name, error: error.clone(), next_in };
                state.recorder.tell_now(at, again);
                state.machine.repeat_call(&key, attempt);
            }
            if self.pass_time(spec.every) == Woken::Blocked {
                let state = Value::String(error.code);
                let reason = Reason::State { name: spec.name.clone(), state };
                return Err(self.suspend(&mut self.state(), reason));
            }
            self.check_stop(&mut self.state())?;
            self.check_branch()?;
        }
    }

    /// Refuses what cannot stand inside a callback that has no entries of its own.
    pub(crate) fn refuse_in_modes(&self, what: &str) -> Result<(), Halt> {
        let why = match self.state().modes.last() {
            None => return Ok(()),
            Some(Mode::Polling) => "the call of a wait only reads",
            Some(Mode::Undo(_)) => "`undo` holds straight mutating calls",
            Some(Mode::Retrying(_)) => "`retry` repeats one call",
        };
        Err(misplaced_at(&format!("`{what}`"), None, why))
    }
}
