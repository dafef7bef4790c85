//! Looking in AWS for what a call in doubt did: by natural key, time and creator.
//!
//! What a search does not find is sent anew only when the search had time to show it: a list of AWS
//! lags behind, and a request whose reply was lost may still be on its way.

use piton_core::catalogue::{self, CreatorName, Finder, Found, Reviewed, Stage};
use piton_core::entry::Settlement;
use piton_core::ports::{AwsError, Call, CallFailure};
use piton_core::secret;
use piton_core::status::Candidate;
use piton_core::time::{Span, Timestamp};
use piton_script::host::{Halt, ScriptCall};
use serde_json::{Value, json};

use crate::calls::{Failure, Sending, strip_absent};
use crate::drive::Driver;

/// How long after a call was sent a search that finds nothing proves nothing.
const SETTLING: Span = Span::from_secs(30);

/// How long a driver stays with a change that is under way, and how often it looks.
const TURN: Span = Span::from_secs(3600);
const TURN_EVERY: Span = Span::from_secs(15);

/// How a thing that was found stands to the call.
enum Match {
    /// All that AWS shows agrees: this is what the call would have answered.
    Ours(Value),
    /// Something does not: a person decides.
    Doubtful(Candidate),
}

impl Driver {
    /// Looks for what the call may have made. `no_search` says why a person is asked when there is no
    /// way to look.
    pub(super) fn look_for(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        no_search: &str,
    ) -> Result<Value, Halt> {
        let call = sending.call;
        let row = catalogue::reviewed(&call.service, &call.operation);
        let Some((row, finder)) = row.and_then(|row| Some((row, row.find.as_ref()?))) else {
            return Err(self.doubt(sending, no_search, Vec::new()));
        };
        match self.search(sending, finder, sent_at)? {
            Found::Nothing if finder.gone_is_done => {
                let output = finder.adopted_output(&call.input, &Value::Null);
                self.adopt_gone(sending, sent_at, "what it removes is gone", output)
            }
            Found::One(found) if finder.gone_is_done && is_leaving(row, finder, &found) => {
                self.adopt_gone(sending, sent_at, "what it removes is on its way out", found)
            }
            Found::One(_) if finder.gone_is_done => {
                self.settled(sending, Settlement::Retry, "what it removes is still there");
                self.send_unless_taken_back(sending)
            }
            Found::Nothing => {
                if !self.is_taken_back() {
                    self.settled(sending, Settlement::Retry, "nothing of it is in AWS");
                }
                self.send_unless_taken_back(sending)
            }
            Found::One(found) => self.adopt_one(sending, finder, sent_at, &found),
            Found::Several(candidates) => self.show_several(sending, finder, candidates),
        }
    }

    /// A repetition met a conflict: with what the call made when it was sent first, or with what was
    /// there before it.
    pub(super) fn look_for_conflict(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        error: AwsError,
    ) -> Result<Value, Halt> {
        let refused = || Err(Failure::Call(CallFailure::Refused(error)));
        let ScriptCall { service, operation, .. } = sending.call;
        let row = catalogue::reviewed(service, operation);
        let finder = row.and_then(|row| row.find.as_ref()).filter(|finder| !finder.gone_is_done);
        let Some(finder) = finder else { return self.answered(sending, sent_at, None, refused()) };
        match self.search_once(sending, finder, sent_at)? {
            Found::Nothing => self.answered(sending, sent_at, None, refused()),
            Found::One(found) => self.adopt_one(sending, finder, sent_at, &found),
            Found::Several(candidates) => self.show_several(sending, finder, candidates),
        }
    }

    /// Puts what may be from the call to a person.
    fn show_several(
        &self,
        sending: &Sending<'_>,
        finder: &Finder,
        candidates: Vec<Candidate>,
    ) -> Result<Value, Halt> {
        // Whoever adopts one goes on with what the call would have answered.
        let mut whole = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            whole.push(match self.compared(sending, finder, &candidate.output)? {
                Match::Ours(output) => Candidate { output, ..candidate },
                Match::Doubtful(doubtful) => doubtful,
            });
        }
        let question = "what AWS has may be from this call, and nothing proves it";
        Err(self.doubt(sending, question, whole))
    }

    /// What the call was to remove is gone, or on its way out: nothing is left to send. The output is
    /// what AWS still shows of it, as far as the call answers that.
    fn adopt_gone(
        &self,
        sending: &Sending<'_>,
        sent_at: Timestamp,
        reason: &str,
        output: Value,
    ) -> Result<Value, Halt> {
        self.settled(sending, Settlement::Found { id: None }, reason);
        self.adopt(sending, sent_at, output)
    }

    /// The one thing that may be from the call: adopted when nothing that AWS shows of it says no.
    fn adopt_one(
        &self,
        sending: &Sending<'_>,
        finder: &Finder,
        sent_at: Timestamp,
        found: &Value,
    ) -> Result<Value, Halt> {
        match self.compared(sending, finder, found)? {
            Match::Ours(output) => {
                let id = finder.id.as_ref().map(|_| finder.candidate_id(found));
                let reason = match finder.created.is_some() {
                    true => "the only one of its key since it was sent",
                    false => "it is as the call leaves it",
                };
                self.settled(sending, Settlement::Found { id }, reason);
                self.adopt(sending, sent_at, output)
            }
            Match::Doubtful(candidate) => {
                let question =
                    "what AWS has of its key since it was sent is not as it was asked for";
                Err(self.doubt(sending, question, vec![candidate]))
            }
        }
    }

    /// Before a call is repeated that AWS refuses while an earlier one is under way: waits until what it
    /// changes is at rest.
    pub(super) fn await_turn(&self, sending: &Sending<'_>) -> Result<(), Halt> {
        let ScriptCall { service, operation, input, .. } = sending.call;
        let row = catalogue::reviewed(service, operation).filter(|row| row.in_turn);
        let Some(states) = row.and_then(|row| row.states.as_ref()) else { return Ok(()) };
        let read_input = states.read_input(input, &Value::Null);
        let give_up_at = self.now().after(TURN);
        loop {
            let is_underway = match self.read(sending.call, &states.read, &read_input) {
                Ok(answer) => states.stage(&answer) == Stage::Underway,
                Err(Failure::Halt(halt)) => return Err(halt),
                // The call itself will say what is wrong.
                Err(Failure::Call(CallFailure::Refused(_))) => false,
                Err(Failure::Call(failure)) => return Err(self.cannot_send(failure)),
            };
            if !is_underway {
                return Ok(());
            }
            if self.now() >= give_up_at {
                let message = format!("what {service}.{operation} changes is still under way");
                return Err(self.cannot_send(CallFailure::Unavailable { message }));
            }
            self.pass_time(TURN_EVERY);
            self.check_stop(&mut self.state())?;
            self.check_branch()?;
        }
    }

    /// One search, and another when the first one came too early to prove anything.
    fn search(
        &self,
        sending: &Sending<'_>,
        finder: &Finder,
        sent_at: Timestamp,
    ) -> Result<Found, Halt> {
        loop {
            let found = self.search_once(sending, finder, sent_at)?;
            let now = self.now();
            // A clock that was set back says nothing about how long ago the call was sent.
            let passed = if now >= sent_at { now.since(sent_at) } else { SETTLING };
            let is_proof = found != Found::Nothing || finder.gone_is_done || passed >= SETTLING;
            if is_proof {
                return Ok(found);
            }
            self.pass_time(Span::from_millis(SETTLING.millis() - passed.millis()));
            self.check_stop(&mut self.state())?;
            self.check_branch()?;
        }
    }

    fn search_once(
        &self,
        sending: &Sending<'_>,
        finder: &Finder,
        sent_at: Timestamp,
    ) -> Result<Found, Halt> {
        let input = &sending.call.input;
        match self.read(sending.call, &finder.operation, &finder.search_input(input)) {
            Ok(answer) => Ok(finder.judge(input, &answer, sent_at)),
            Err(Failure::Halt(halt)) => Err(halt),
            Err(Failure::Call(CallFailure::Refused(error)))
                if finder.none_on.contains(&error.code) =>
            {
                Ok(Found::Nothing)
            }
            Err(Failure::Call(CallFailure::Refused(error))) => {
                let question = format!("the search for it was refused: {}", self.scrubbed(error));
                Err(self.doubt(sending, &question, Vec::new()))
            }
            Err(Failure::Call(failure)) => Err(self.cannot_send(failure)),
        }
    }

    /// Holds a thing that was found against the call: its inputs and who made it.
    fn compared(
        &self,
        sending: &Sending<'_>,
        finder: &Finder,
        found: &Value,
    ) -> Result<Match, Halt> {
        let input = &sending.call.input;
        let whole = match finder.then_input(input, found) {
            None => found.clone(),
            Some((operation, input)) => match self.read(sending.call, operation, &input) {
                Ok(answer) => answer,
                Err(Failure::Halt(halt)) => return Err(halt),
                Err(Failure::Call(failure)) => return Err(self.cannot_send(failure)),
            },
        };
        let us = self.name_in(sending.call, finder);
        let mut differences = finder.differences(input, &whole);
        differences.extend(finder.other_creator(found, us.as_deref()));
        let output = finder.adopted_output(input, &whole);
        // The journal keeps candidates: what it must not have is taken out here.
        let output = self.without_credentials(&sending.key, sending.call, output);
        Ok(match differences.is_empty() {
            true => Match::Ours(output),
            false => Match::Doubtful(Candidate { output, differences, ..finder.candidate(found) }),
        })
    }

    /// What the service calls the one who sent the call; nothing when it does not say.
    fn name_in(&self, call: &ScriptCall, finder: &Finder) -> Option<String> {
        let arn = self.principal(&call.account)?.stable_arn().to_owned();
        match finder.creator.as_ref()?.is {
            CreatorName::Arn => Some(arn),
            CreatorName::Profile => {
                let input = json!({
                    "domainIdentifier": call.input.get("domainIdentifier")?,
                    "userIdentifier": as_role(&arn),
                });
                let profile = self.read(call, "get_user_profile", &input).ok()?;
                profile.get("id").and_then(Value::as_str).map(str::to_owned)
            }
        }
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
}

/// Whether a thing is on its way out.
fn is_leaving(row: &Reviewed, finder: &Finder, found: &Value) -> bool {
    finder.is_leaving(found) || row.states.as_ref().is_some_and(|states| states.is_leaving(found))
}

/// The ARN of the role that a session is of: DataZone knows people by that. Other ARNs as they are.
fn as_role(arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((account, role)) => format!("{}:role/{role}", account.replacen(":sts:", ":iam:", 1)),
        None => arn.to_owned(),
    }
}
