//! Calls that were sent and whose outcome is not recorded: settled by their idempotency class.
//!
//! A token or a put is sent again, unchanged. What has a natural key is looked for in AWS and
//! adopted when it can only be from this call. Everything else is put to a person.

use piton_core::catalogue::{self, Class, Finder, Found};
use piton_core::entry::{Body, CallResult, Intent, Settled, Settlement};
use piton_core::event::EventKind;
use piton_core::key::Key;
use piton_core::ports::{Answer, Call, CallFailure, Mail};
use piton_core::secret;
use piton_core::status::{Candidate, Reason};
use piton_core::time::Timestamp;
use piton_script::host::{Halt, ScriptCall};
use serde_json::Value;

use crate::calls::{Failure, Sending, strip_absent};
use crate::drive::{Driver, Ending, State};

impl Driver {
    /// A call whose intent is recorded and whose outcome is not.
    pub(crate) fn settle(
        &self,
        sending: &Sending<'_>,
        intent: &Intent,
        sent_at: Timestamp,
        settled: Option<Settled>,
    ) -> Result<Value, Halt> {
        self.check_stop(&mut self.state())?;
        self.bind(&sending.call.account)?;
        let settled = match settled {
            Some(settled) => Some(settled),
            None => self.take_settlement(sending)?,
        };
        match settled.map(|settled| settled.how) {
            Some(Settlement::Adopt { output }) => self.adopt(sending, sent_at, output),
            Some(Settlement::Skip) => self.adopt(sending, sent_at, Value::Null),
            Some(Settlement::Retry) => self.send_unless_taken_back(sending),
            None => self.settle_by_class(sending, intent, sent_at),
        }
    }

    /// The reply to a call was lost: the same doubt as after a crash, settled at once.
    pub(crate) fn reply_lost(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        message: &str,
    ) -> Result<Value, Halt> {
        let token = self.token_of(sending);
        match sending.call.class {
            Class::Token | Class::Put => {
                // Sent once more, unchanged. When that reply is lost too, the network is down.
                match (sending.send)(self, token.as_deref()) {
                    Ok(answer) => self.recorded_answer(sending, sent_at, answer),
                    Err(Failure::Halt(halt)) => Err(halt),
                    Err(Failure::Call(CallFailure::Refused(error))) => {
                        let result = (CallResult::Error(self.scrubbed(error)), None);
                        self.record_outcome(sending, sent_at, None, result, false)
                    }
                    Err(Failure::Call(failure)) => Err(self.cannot_send(failure)),
                }
            }
            Class::NaturalKey => self.look_for(sending, sent_at),
            Class::Read | Class::Unsafe => Err(self.doubt(sending, message, Vec::new())),
        }
    }

    fn settle_by_class(
        &self,
        sending: &Sending<'_>,
        intent: &Intent,
        sent_at: Timestamp,
    ) -> Result<Value, Halt> {
        match intent.class {
            // A secret of the script is gone with its process: what it went into is looked for.
            Class::Token if self.is_taken_back() && secret::has_handle(&intent.input) => {
                self.look_for(sending, sent_at)
            }
            Class::Token | Class::Put => {
                let calling = EventKind::Settled {
                    key: sending.key.clone(),
                    how: format!(
                        "{}.{} was sent and not recorded: sending it again, which is harmless",
                        intent.service, intent.operation
                    ),
                };
                self.state().recorder.tell_now(self.now(), calling);
                self.answer(sending, intent.token.as_deref(), sent_at, None)
            }
            Class::NaturalKey => self.look_for(sending, sent_at),
            Class::Read | Class::Unsafe => Err(self.doubt(
                sending,
                "nothing in AWS says whether it had its effect",
                Vec::new(),
            )),
        }
    }

    /// Looks for what the call may have made.
    fn look_for(&self, sending: &Sending<'_>, sent_at: Timestamp) -> Result<Value, Halt> {
        let call = sending.call;
        let reviewed = catalogue::reviewed(&call.service, &call.operation);
        let Some(finder) = reviewed.and_then(|reviewed| reviewed.find.as_ref()) else {
            return Err(self.doubt(sending, "no search is known for it", Vec::new()));
        };
        let searched = self.read(call, &finder.operation, &finder.search_input(&call.input));
        let found = match searched {
            Ok(answer) => finder.judge(&call.input, &answer, sent_at),
            Err(Failure::Halt(halt)) => return Err(halt),
            Err(Failure::Call(CallFailure::Refused(error)))
                if finder.none_on.contains(&error.code) =>
            {
                Found::Nothing
            }
            Err(Failure::Call(CallFailure::Refused(error))) => {
                let question = format!("the search for it was refused: {error}");
                return Err(self.doubt(sending, &question, Vec::new()));
            }
            Err(Failure::Call(failure)) => return Err(self.cannot_send(failure)),
        };
        match found {
            Found::Nothing if finder.gone_is_done => {
                self.adopt(sending, sent_at, finder.adopted_output(&call.input, &Value::Null))
            }
            // It is on its way out: nothing is left to send.
            Found::One(found)
                if finder.gone_is_done
                    && reviewed
                        .and_then(|reviewed| reviewed.states.as_ref())
                        .is_some_and(|states| states.is_leaving(&found)) =>
            {
                self.adopt(sending, sent_at, finder.adopted_output(&call.input, &Value::Null))
            }
            Found::One(_) if finder.gone_is_done => self.send_unless_taken_back(sending),
            Found::Nothing => self.send_unless_taken_back(sending),
            Found::One(found) => {
                let output = self.adopted_output(sending, finder, &found)?;
                self.adopt(sending, sent_at, output)
            }
            Found::Several(candidates) => {
                // Whoever adopts one goes on with what the call would have answered.
                let mut whole = Vec::with_capacity(candidates.len());
                for Candidate { id, output } in candidates {
                    let output = self.adopted_output(sending, finder, &output)?;
                    whole.push(Candidate { id, output });
                }
                Err(self.doubt(
                    sending,
                    "what AWS has may be from this call, and nothing proves it",
                    whole,
                ))
            }
        }
    }

    /// What the call would have answered, for a thing that was found.
    pub(crate) fn adopted_output(
        &self,
        sending: &Sending<'_>,
        finder: &Finder,
        found: &Value,
    ) -> Result<Value, Halt> {
        let input = &sending.call.input;
        let whole = match finder.then_input(input, found) {
            None => found.clone(),
            Some((operation, input)) => match self.read(sending.call, operation, &input) {
                Ok(answer) => answer,
                Err(Failure::Halt(halt)) => return Err(halt),
                Err(Failure::Call(failure)) => return Err(self.cannot_send(failure)),
            },
        };
        Ok(finder.adopted_output(input, &whole))
    }

    /// A read in the name of a call; not recorded, since what follows from it is.
    pub(crate) fn read(
        &self,
        of: &ScriptCall,
        operation: &str,
        input: &Value,
    ) -> Result<Value, Failure> {
        let (operation, all_pages) = match operation.strip_suffix("_all") {
            Some(first) => (first, true),
            None => (operation, false),
        };
        let call = Call {
            account: of.account.clone(),
            service: of.service.clone(),
            operation: operation.to_owned(),
            input: secret::resolved(input, &mut |origin| self.secret(origin))?,
        };
        let operations = self.engine.ports.operations.as_ref();
        let answer = if all_pages {
            self.wait_for(crate::pages::all(operations, call))
        } else {
            self.wait_for(operations.perform(&call))
        };
        Ok(strip_absent(answer?.output))
    }

    /// Goes on with an output that was found or given, as if AWS had answered it.
    fn adopt(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        output: Value,
    ) -> Result<Value, Halt> {
        let how = format!(
            "{}.{} was sent and not recorded: found in AWS and adopted",
            sending.call.service, sending.call.operation
        );
        let settled = EventKind::Settled { key: sending.key.clone(), how };
        self.state().recorder.tell(self.now(), settled);
        let output = match piton_models::service(&sending.call.service) {
            Some(model) => as_output(model, &sending.call.operation, strip_absent(output)),
            None => output,
        };
        let output = self.without_credentials(&sending.key, sending.call, output);
        self.record_outcome(sending, sent_at, None, (CallResult::Value(output), None), true)
    }

    fn send_unless_taken_back(&self, sending: &Sending<'_>) -> Result<Value, Halt> {
        match self.is_taken_back() {
            true => self.leave_undone(sending),
            false => self.send_anew(sending),
        }
    }

    /// Sends the call as a new attempt: the one before certainly had no effect.
    fn send_anew(&self, sending: &Sending<'_>) -> Result<Value, Halt> {
        self.perform(&Sending {
            key: sending.key.clone(),
            attempt: sending.attempt + 1,
            ..*sending
        })
    }

    fn recorded_answer(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        answer: Answer,
    ) -> Result<Value, Halt> {
        let output =
            self.without_credentials(&sending.key, sending.call, strip_absent(answer.output));
        let result = (CallResult::Value(output), answer.request_id);
        self.record_outcome(sending, sent_at, None, result, false)
    }

    fn token_of(&self, sending: &Sending<'_>) -> Option<String> {
        let Sending { key, attempt, call, .. } = sending;
        call.token_member.as_ref().map(|_| crate::tokens::token(&self.run, key, *attempt))
    }

    /// Whether a person said what is to become of a call that takes something back and failed before.
    pub(crate) fn is_left_to_a_person(&self, key: &Key) -> Result<bool, Halt> {
        if self.started.rollback_of.is_none() {
            return Ok(false);
        }
        let mail = self.engine.ports.journal.mail(&self.run);
        let mail = mail.map_err(|error| self.end(&mut self.state(), Ending::Journal(error)))?;
        let is_about =
            |mail: &Mail| matches!(mail, Mail::Settle { key: about, .. } if about == key);
        Ok(mail.iter().any(|(_, mail)| is_about(mail)))
    }

    /// Does as the person said, instead of sending.
    pub(crate) fn settle_anew(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
    ) -> Result<Value, Halt> {
        match self.take_settlement(sending)?.map(|settled| settled.how) {
            Some(Settlement::Adopt { output }) => self.adopt(sending, sent_at, output),
            Some(Settlement::Skip) => self.adopt(sending, sent_at, Value::Null),
            Some(Settlement::Retry) | None => self.send_anew(sending),
        }
    }

    /// A settlement that a person left in the mailbox.
    fn take_settlement(&self, sending: &Sending<'_>) -> Result<Option<Settled>, Halt> {
        let mail = self.engine.ports.journal.mail(&self.run);
        let mut state = self.state();
        let mail = mail.map_err(|error| self.end(&mut state, Ending::Journal(error)))?;
        let left = mail.into_iter().find_map(|(number, mail)| match mail {
            Mail::Settle { key, settled } if key == sending.key => Some((number, settled)),
            _ => None,
        });
        let Some((number, settled)) = left else { return Ok(None) };
        let at = self.now();
        let State { machine, recorder, .. } = &mut *state;
        let body = Body::Settled(settled.clone());
        recorder.make(Some(machine), at, Some(sending.key.clone()), body);
        let committed = recorder.commit_mail(&[number]);
        committed.map_err(|error| self.end(&mut state, Ending::Journal(error)))?;
        Ok(Some(settled))
    }

    fn doubt(&self, sending: &Sending<'_>, question: &str, candidates: Vec<Candidate>) -> Halt {
        let reason = Reason::Doubt {
            key: sending.key.clone(),
            operation: format!("{}.{}", sending.call.service, sending.call.operation),
            question: question.to_owned(),
            candidates,
        };
        self.suspend(&mut self.state(), reason)
    }
}

/// The members of a value that the operation's output has: a search may show more than the call
/// would have answered.
fn as_output(model: &piton_models::Model, operation: &str, value: Value) -> Value {
    let shape =
        model.operation_by_script_name(operation).and_then(|found| model.output_shape(found));
    match (shape, value) {
        (Some(shape), Value::Object(members)) => Value::Object(
            members.into_iter().filter(|(name, _)| shape.member_named(name).is_some()).collect(),
        ),
        (_, other) => other,
    }
}
