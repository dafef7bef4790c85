//! Calls that were sent and whose outcome is not recorded: settled by their idempotency class.
//!
//! A put is sent again, unchanged, and so is a token that AWS still recognises. What has a natural
//! key is looked for in AWS (`search`) and adopted when it can only be from this call. Everything
//! else is put to a person. How a doubt was settled is an entry, whoever settled it.

mod search;

use piton_core::catalogue::{self, Class};
use piton_core::entry::{Body, CallResult, Intent, Settled, Settlement};
use piton_core::event::EventKind;
use piton_core::key::Key;
use piton_core::ports::{AwsError, CallFailure, Mail};
use piton_core::secret;
use piton_core::status::{Candidate, Reason};
use piton_core::time::Timestamp;
use piton_script::host::{Halt, ScriptCall};
use serde_json::Value;

use crate::calls::{Failure, Sending, strip_absent};
use crate::drive::{Driver, Ending, State};

/// Why a call that has no search is left to a person.
const NO_SEARCH: &str = "no search is known for it";

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
            // The engine was about to, and did not get that far.
            Some(Settlement::Found { .. } | Settlement::Repeat) | None => {
                self.settle_by_class(sending, intent, sent_at)
            }
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
                self.repeat(sending, token.as_deref(), sent_at, "the reply to it was lost")
            }
            Class::NaturalKey => self.look_for(sending, sent_at, NO_SEARCH),
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
                self.look_for(sending, sent_at, NO_SEARCH)
            }
            Class::Token if !self.is_recognised(sending.call, sent_at) => {
                let why = self.forgotten(sending.call, sent_at);
                self.look_for(sending, sent_at, &why)
            }
            Class::Token | Class::Put => {
                let why = "sending it again has no second effect";
                self.repeat(sending, intent.token.as_deref(), sent_at, why)
            }
            Class::NaturalKey => self.look_for(sending, sent_at, NO_SEARCH),
            Class::Read | Class::Unsafe => Err(self.doubt(
                sending,
                "nothing in AWS says whether it had its effect",
                Vec::new(),
            )),
        }
    }

    /// Sends a call once more, unchanged. A conflict may be with what the call itself made, where AWS does
    /// not honour its token: then that is looked for.
    fn repeat(
        &self,
        sending: &Sending<'_>,
        token: Option<&str>,
        sent_at: Timestamp,
        why: &str,
    ) -> Result<Value, Halt> {
        self.await_turn(sending)?;
        self.settled(sending, Settlement::Repeat, why);
        match (sending.send)(self, token) {
            Err(Failure::Call(CallFailure::Refused(error))) if is_conflict(&error) => {
                self.look_for_conflict(sending, sent_at, error)
            }
            // The network is down.
            Err(Failure::Call(lost @ CallFailure::ReplyLost { .. })) => Err(self.cannot_send(lost)),
            sent => self.answered(sending, sent_at, None, sent),
        }
    }

    /// Whether AWS still answers the token of a call as before; a call that may be made again anyway
    /// needs none.
    fn is_recognised(&self, call: &ScriptCall, sent_at: Timestamp) -> bool {
        let is_ageless = catalogue::reviewed(&call.service, &call.operation).is_some_and(|row| {
            row.ageless || row.harmless.as_ref().is_some_and(|harmless| harmless.is(&call.input))
        });
        is_ageless || catalogue::token_window(&call.service).is_open(sent_at, self.now())
    }

    /// Why a token cannot be relied on any more, for people.
    fn forgotten(&self, call: &ScriptCall, sent_at: Timestamp) -> String {
        let window = catalogue::token_window(&call.service);
        let now = self.now();
        let age = match now >= sent_at {
            true => format!("{} ago", now.since(sent_at)),
            false => "at a moment that this clock has not reached yet".to_owned(),
        };
        format!(
            "it was sent {age}, AWS recognises its token for {} only, and what AWS has does not show \
             whether it had its effect",
            window.words()
        )
    }

    /// Records how the engine settled a doubt, with the commit of what follows from it, and says so.
    fn settled(&self, sending: &Sending<'_>, how: Settlement, reason: &str) {
        let ScriptCall { service, operation, .. } = sending.call;
        let words = match &how {
            Settlement::Found { .. } => format!("found in AWS and adopted: {reason}"),
            Settlement::Repeat => format!("sending it again as it was: {reason}"),
            Settlement::Retry => format!("sending it anew: {reason}"),
            Settlement::Adopt { .. } | Settlement::Skip => reason.to_owned(),
        };
        let how_told = format!("{service}.{operation} was sent and not recorded: {words}");
        let told = EventKind::Settled { key: sending.key.clone(), how: how_told };
        let is_found = matches!(how, Settlement::Found { .. });
        let at = self.now();
        let mut state = self.state();
        let State { machine, recorder, .. } = &mut *state;
        let body = Body::Settled(Settled::by_engine(how, reason));
        recorder.make(Some(machine), at, Some(sending.key.clone()), body);
        if is_found { recorder.tell(at, told) } else { recorder.tell_now(at, told) }
    }

    /// Goes on with an output that was found or given, as if AWS had answered it.
    fn adopt(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        output: Value,
    ) -> Result<Value, Halt> {
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
            Some(Settlement::Retry | Settlement::Found { .. } | Settlement::Repeat) | None => {
                self.send_anew(sending)
            }
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

/// Whether a refusal says that something is there already.
fn is_conflict(error: &AwsError) -> bool {
    error.http_status == Some(409)
        || ["Conflict", "AlreadyExists", "ResourceExists", "Duplicate"]
            .iter()
            .any(|word| error.code.contains(word))
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
