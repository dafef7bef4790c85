//! Bound calls: answered from the journal, or sent with their intent on disk before and their
//! outcome after.

use std::sync::PoisonError;

use piton_core::diagnostic::{Code, Diagnostic, Place};
use piton_core::entry::{Body, CallResult, Intent, Outcome, Read};
use piton_core::event::EventKind;
use piton_core::key::Key;
use piton_core::ports::{Answer, AwsError, Call, CallFailure, CallPreview};
use piton_core::replay::{Asked, CallStep};
use piton_core::secret;
use piton_core::status::Reason;
use piton_core::time::Timestamp;
use piton_script::host::{Halt, ScriptCall, Thrown};
use serde_json::Value;

use crate::drive::{Driver, Mode, Retrying, State};
use crate::room::shortened_answer;
use crate::turns::Pause;
use crate::{pages, tokens};

/// A call that is to be sent now, under its key.
pub(crate) struct Sending<'a> {
    /// Entry.
    pub(crate) key: Key,
    /// From 1.
    pub(crate) attempt: u32,
    /// The call.
    pub(crate) call: &'a ScriptCall,
    /// What sends it and turns AWS's answer into the recorded output.
    pub(crate) send: &'a Send<'a>,
}

/// Sends a call with its token; the answer is the output that is recorded.
pub(crate) type Send<'a> = dyn Fn(&Driver, Option<&str>) -> Result<Answer, Failure> + 'a;

/// Why a send has no answer.
pub(crate) enum Failure {
    /// AWS, or the way to it.
    Call(CallFailure),
    /// The evaluation stops.
    Halt(Halt),
}

impl From<CallFailure> for Failure {
    fn from(failure: CallFailure) -> Self {
        Self::Call(failure)
    }
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl Driver {
    /// A bound call of the script.
    pub(crate) fn bound_call(&self, call: ScriptCall) -> Result<Value, Halt> {
        let call = &self.without_literals(call);
        let send = |driver: &Self, token: Option<&str>| driver.send(call, token);
        self.recorded_call(call, &send)
    }

    /// A call that is recorded under one key, whatever it takes to answer it.
    pub(crate) fn recorded_call(&self, call: &ScriptCall, send: &Send<'_>) -> Result<Value, Halt> {
        // Before it has a key: a replay refuses it in the same place.
        self.check_size("the input", &call.input)?;
        if let Some(answered) = self.unrecorded_call(call, send)? {
            return Ok(answered);
        }
        let step = {
            let mut state = self.state();
            if let Some(Mode::Retrying(Retrying { called: Some(_), .. })) = state.modes.last() {
                return Err(misplaced(call, "`retry` repeats one call, and this is a second one"));
            }
            let asked = Asked {
                service: &call.service,
                operation: &recorded_operation(call),
                account: &call.account,
                class: call.class,
                input: &call.input,
            };
            let step = state.machine.call(&asked).map_err(|stop| self.stop(&mut state, stop))?;
            if let Some(Mode::Retrying(retrying)) = state.modes.last_mut() {
                retrying.called = Some(step_key(&step).clone());
            }
            step
        };
        match step {
            CallStep::Replay { key, seq, result } => {
                let mut state = self.state();
                answer_script(&mut state, call, &key, seq, result)
            }
            CallStep::Perform { key, attempt } => {
                if !call.class.is_mutating() {
                    self.pause(Pause::Ready);
                }
                self.check_branch()?;
                self.beyond(Some(&key), || self.next_call(call))?;
                self.perform(&Sending { key, attempt, call, send })
            }
            CallStep::InDoubt { key, intent, sent_at, settled } => {
                // A doubt is settled also when another branch failed: until then the branch is at no
                // durable point.
                if self.branch().is_some_and(|branch| branch.signal.is_recorded()) {
                    return Err(Halt::Stop);
                }
                self.beyond(Some(&key), || self.next_doubt(&intent))?;
                let sending = Sending { key, attempt: intent.attempt, call, send };
                self.settle(&sending, &intent, sent_at, settled)
            }
        }
    }

    /// Calls inside `wait_until`, `settled_by` and `undo`, which have no entry of their own.
    fn unrecorded_call(&self, call: &ScriptCall, send: &Send<'_>) -> Result<Option<Value>, Halt> {
        let mut state = self.state();
        match state.modes.last_mut() {
            None | Some(Mode::Retrying(_)) => Ok(None),
            Some(Mode::Undo(calls)) => {
                if !call.class.is_mutating() {
                    return Err(misplaced(
                        call,
                        "`undo` holds straight mutating calls: read before it, and capture the result",
                    ));
                }
                calls.push(read_of(call));
                Ok(Some(Value::Null))
            }
            Some(Mode::Polling) => {
                if call.class.is_mutating() {
                    return Err(misplaced(
                        call,
                        "the call of a wait is made many times and may only read",
                    ));
                }
                drop(state);
                self.bind(&call.account)?;
                match send(self, None) {
                    Ok(answer) => {
                        let read = self.fitting(call, CallResult::Value(answer.output));
                        match read {
                            CallResult::Value(output) => Ok(Some(strip_absent(output))),
                            CallResult::Error(error) => Err(thrown(&error, None)),
                        }
                    }
                    Err(Failure::Halt(halt)) => Err(halt),
                    Err(Failure::Call(CallFailure::Refused(error))) => {
                        Err(thrown(&self.scrubbed(error), None))
                    }
                    Err(Failure::Call(failure)) => Err(self.cannot_send(failure)),
                }
            }
        }
    }

    /// Sends a call that nothing is recorded of, or whose doubt was settled by sending it again.
    pub(crate) fn perform(&self, sending: &Sending<'_>) -> Result<Value, Halt> {
        let Sending { key, attempt, call, .. } = sending;
        self.check_stop(&mut self.state())?;
        self.check_room()?;
        self.bind(&call.account)?;
        let token = call
            .token_member
            .as_ref()
            .filter(|_| call.class.is_mutating())
            .map(|_| tokens::token(&self.run, key, *attempt));
        let at = self.now();
        let mut first_seq = None;
        if call.class.is_mutating() {
            if self.options.step_mode && !self.is_confirmed(key, call) {
                return Err(self.suspend(&mut self.state(), Reason::Interrupted));
            }
            self.gather_secrets(&call.input)?;
            let before = self.look_before(key, call)?;
            let mut state = self.state();
            let intent = Intent {
                service: call.service.clone(),
                operation: call.operation.clone(),
                account: call.account.clone(),
                class: call.class,
                input: call.input.clone(),
                token: token.clone(),
                attempt: *attempt,
                before,
            };
            let State { machine, recorder, .. } = &mut *state;
            first_seq =
                Some(recorder.make(Some(machine), at, Some(key.clone()), Body::Intent(intent)));
            self.commit(&mut state)?;
            drop(state);
            if *attempt > 1 && self.is_left_to_a_person(key)? {
                return self.settle_anew(sending, at);
            }
        }
        self.state().recorder.tell_now(at, calling(key, call));
        self.answer(sending, token.as_deref(), at, first_seq)
    }

    /// Asks the person at the terminal, one question at a time.
    fn is_confirmed(&self, key: &Key, call: &ScriptCall) -> bool {
        let _one_at_a_time = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        self.engine.ports.person.confirm_call(key, &preview(call))
    }

    /// Sends and records AWS's last word.
    pub(crate) fn answer(
        &self,
        sending: &Sending<'_>,
        token: Option<&str>,
        sent_at: Timestamp,
        first_seq: Option<u64>,
    ) -> Result<Value, Halt> {
        self.answered(sending, sent_at, first_seq, (sending.send)(self, token))
    }

    /// Records AWS's last word on a call that was sent.
    pub(crate) fn answered(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        first_seq: Option<u64>,
        sent: Result<Answer, Failure>,
    ) -> Result<Value, Halt> {
        let Sending { key, attempt, call, .. } = sending;
        let result = match sent {
            Ok(answer) => {
                let output = self.without_credentials(key, call, strip_absent(answer.output));
                (CallResult::Value(output), answer.request_id)
            }
            Err(Failure::Halt(halt)) => return Err(halt),
            Err(Failure::Call(CallFailure::Refused(error))) => {
                let error = self.scrubbed(error);
                if let Some(again) = self.refused_for_now(key, *attempt, &error) {
                    return Err(again);
                }
                let request_id = error.request_id.clone();
                (CallResult::Error(error), request_id)
            }
            Err(Failure::Call(CallFailure::Invalid { path, message })) => {
                (CallResult::Error(invalid(call, &path, &message)), None)
            }
            Err(Failure::Call(CallFailure::ReplyLost { message })) if call.class.is_mutating() => {
                return self.reply_lost(sending, sent_at, &message);
            }
            Err(Failure::Call(failure)) => return Err(self.cannot_send(failure)),
        };
        self.record_outcome(sending, sent_at, first_seq, result, false)
    }

    /// Records an outcome and answers the script with it.
    pub(crate) fn record_outcome(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        first_seq: Option<u64>,
        (result, request_id): (CallResult, Option<String>),
        adopted: bool,
    ) -> Result<Value, Halt> {
        let Sending { key, attempt, call, .. } = sending;
        let at = self.now();
        let mutating = call.class.is_mutating();
        let result = self.fitting(call, result);
        let error = match &result {
            CallResult::Error(error) => Some(error.clone()),
            CallResult::Value(_) => None,
        };
        let outcome = Outcome {
            read: (!mutating).then(|| read_of(call)),
            attempt: *attempt,
            result: result.clone(),
            took: at.since(sent_at),
            request_id,
            adopted,
        };
        let mut state = self.state();
        let State { machine, recorder, .. } = &mut *state;
        let seq = recorder.make(Some(machine), at, Some(key.clone()), Body::Outcome(outcome));
        let called = EventKind::Called {
            key: key.clone(),
            account: call.account.clone(),
            service: call.service.clone(),
            operation: call.operation.clone(),
            mutating,
            error,
            adopted,
        };
        recorder.tell(at, called);
        let long = recorder.commit_if_long();
        long.map_err(|error| self.end(&mut state, crate::drive::Ending::Journal(error)))?;
        answer_script(&mut state, call, key, first_seq.unwrap_or(seq), result)
    }

    /// Inside `retry`: whether this refusal is not the last word.
    fn refused_for_now(&self, key: &Key, attempt: u32, error: &AwsError) -> Option<Halt> {
        let now = self.now();
        let mut state = self.state();
        let Some(Mode::Retrying(retrying)) = state.modes.last_mut() else { return None };
        let awaited = retrying.on.contains(&error.code);
        if !awaited || now.after(retrying.every) > retrying.deadline {
            return None;
        }
        retrying.refused = Some((key.clone(), attempt, error.clone()));
        Some(thrown(error, Some(key)))
    }

    /// A failure that is no outcome: the run waits for the world to get better.
    pub(crate) fn cannot_send(&self, failure: CallFailure) -> Halt {
        let mut state = self.state();
        let reason = match failure {
            CallFailure::Credentials { alias, message, renew_with } => {
                let message = self.vault.scrub(&message);
                Reason::Credentials { alias, message, renew_with }
            }
            other => Reason::Unavailable {
                message: self.vault.scrub(&piton_core::ports::failure_text(&other)),
            },
        };
        self.suspend(&mut state, reason)
    }

    /// Sends one call, every page of it when that is asked for.
    pub(crate) fn send(&self, call: &ScriptCall, token: Option<&str>) -> Result<Answer, Failure> {
        let mut input = secret::resolved(&call.input, &mut |origin| self.secret(origin))?;
        if let (Some(member), Some(token), Value::Object(members)) =
            (&call.token_member, token, &mut input)
        {
            members.insert(member.clone(), Value::String(token.to_owned()));
        }
        let request = Call {
            account: call.account.clone(),
            service: call.service.clone(),
            operation: call.operation.clone(),
            input,
        };
        if call.class.is_mutating() {
            return self.send_fenced(&request);
        }
        let operations = &self.engine.ports.operations;
        let answered = if call.all_pages {
            self.wait_for(pages::all(operations.as_ref(), request))
        } else {
            self.wait_for(operations.perform(&request))
        };
        Ok(answered?)
    }

    /// The error without the secrets that AWS echoed.
    pub(crate) fn scrubbed(&self, mut error: AwsError) -> AwsError {
        error.message = self.vault.scrub(&error.message);
        error
    }
}

fn step_key(step: &CallStep) -> &Key {
    match step {
        CallStep::Replay { key, .. }
        | CallStep::Perform { key, .. }
        | CallStep::InDoubt { key, .. } => key,
    }
}

/// The operation as entries name it: reading every page is another one than reading the first.
pub(crate) fn recorded_operation(call: &ScriptCall) -> String {
    match call.all_pages {
        true => format!("{}_all", call.operation),
        false => call.operation.clone(),
    }
}

/// A call as data.
fn read_of(call: &ScriptCall) -> Read {
    Read {
        service: call.service.clone(),
        operation: recorded_operation(call),
        account: call.account.clone(),
        input: call.input.clone(),
    }
}

fn preview(call: &ScriptCall) -> CallPreview {
    CallPreview {
        account: call.account.clone(),
        service: call.service.clone(),
        operation: call.operation.clone(),
        input: secret::masked(&call.input),
    }
}

fn calling(key: &Key, call: &ScriptCall) -> EventKind {
    EventKind::Calling {
        key: key.clone(),
        account: call.account.clone(),
        service: call.service.clone(),
        operation: call.operation.clone(),
        place: call.place.clone(),
    }
}

/// What the script gets of a recorded result.
fn answer_script(
    state: &mut State,
    call: &ScriptCall,
    key: &Key,
    seq: u64,
    result: CallResult,
) -> Result<Value, Halt> {
    match result {
        CallResult::Value(value) => match shortened_answer(call, key, &value) {
            None => Ok(value),
            Some(halt) => Err(halt),
        },
        CallResult::Error(error) => {
            state.refusals.insert(key.as_str().to_owned(), seq);
            Err(thrown(&error, Some(key)))
        }
    }
}

/// AWS's error as the script may catch it.
pub(crate) fn thrown(error: &AwsError, key: Option<&Key>) -> Halt {
    Halt::Thrown(Box::new(Thrown {
        code: error.code.clone(),
        message: error.message.clone(),
        service: Some(error.service.clone()),
        operation: Some(error.operation.clone()),
        http_status: error.http_status,
        request_id: error.request_id.clone(),
        retryable: error.retryable,
        key: key.map(|key| key.as_str().to_owned()),
        details: Value::Null,
        diagnostic: None,
    }))
}

fn invalid(call: &ScriptCall, path: &str, message: &str) -> AwsError {
    AwsError {
        service: call.service.clone(),
        operation: call.operation.clone(),
        code: "InvalidInput".to_owned(),
        message: format!("{path}: {message}"),
        http_status: None,
        request_id: None,
        retryable: false,
    }
}

/// A call in a place where it is not allowed.
fn misplaced(call: &ScriptCall, why: &str) -> Halt {
    let what = format!("{}.{}", call.service, call.operation);
    misplaced_at(&what, call.place.clone(), why)
}

/// Something in a place where it is not allowed.
pub(crate) fn misplaced_at(what: &str, place: Option<Place>, why: &str) -> Halt {
    let message = format!("{what} cannot be called here: {why}");
    Halt::Thrown(Box::new(Thrown {
        code: "MisplacedCall".to_owned(),
        message: message.clone(),
        service: None,
        operation: None,
        http_status: None,
        request_id: None,
        retryable: false,
        key: None,
        details: Value::Null,
        diagnostic: Some(Diagnostic::error(Code::MisplacedCall, message).at(place)),
    }))
}

/// An output without its absent members: what is journaled. The script layer shows them as `()`
/// again, from the model.
pub(crate) fn strip_absent(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name, strip_absent(member)))
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(strip_absent).collect(),
        other => other,
    }
}
