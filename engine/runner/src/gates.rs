//! Gates: opened on disk, decided by people or by the world, closed by one rule.

use std::sync::PoisonError;

use piton_core::account::AccountRef;
use piton_core::catalogue::part;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::Body;
use piton_core::event::EventKind;
use piton_core::gate::{self, Closed, Decision, Eligible, GateKind, GateRequest, GateResult};
use piton_core::key::Key;
use piton_core::ports::{Mail, OpenGate};
use piton_core::replay::GateStep;
use piton_core::status::Reason;
use piton_core::time::Timestamp;
use piton_script::host::{Callback, GateSpec, Halt, SettledRule, Thrown};
use serde_json::{Value, json};

use crate::drive::{Driver, Ending, State};
use crate::dry::Next;
use crate::turns::Pause;

impl Driver {
    /// `approve` and `manual`.
    pub(crate) fn ask(
        &self,
        spec: &GateSpec,
        mut settled: Option<Callback<'_>>,
    ) -> Result<Value, Halt> {
        self.refuse_in_modes("approve")?;
        self.check_size("what the gate shows", &spec.show)?;
        let (ancestry, address, step) = {
            let mut state = self.state();
            let ancestry = state.machine.ancestry();
            let address = state.machine.gate_address(&spec.name);
            let step = state.machine.gate(&spec.name, &address);
            let step = step.map_err(|stop| self.stop(&mut state, stop))?;
            (ancestry, address, step)
        };
        let (key, opened, decisions) = match step {
            GateStep::Closed(result) => return answer(spec, &result),
            GateStep::Open { key, opened, decisions } => (key, opened, decisions),
        };
        self.check_branch()?;
        let digest = gate::digest(&self.program.digest(), &key, &spec.show, &ancestry);
        self.beyond(Some(&key), || next_gate(spec, &address, opened.as_ref(), digest))?;
        let mut gate = match opened {
            Some((opened_at, request)) if request.digest == digest => {
                OpenGate { key, opened_at, request: *request, decisions }
            }
            Some((_, before)) => {
                self.void(&before, !decisions.is_empty());
                self.open_gate(key, spec, address, digest)?
            }
            None => self.open_gate(key, spec, address, digest)?,
        };
        let mut asked_here = false;
        loop {
            self.take_decisions(&mut gate)?;
            let now = self.now();
            if let Some(result) = gate::verdict(&gate.request, &gate.decisions, now) {
                return self.close_gate(spec, &gate.key, &result);
            }
            if let (Some(call), Some(rule)) = (settled.as_mut(), &spec.settled_by)
                && let Some(result) = self.ask_world(&gate, rule, &mut **call)?
            {
                return self.close_gate(spec, &gate.key, &result);
            }
            {
                let mut state = self.state();
                self.check_stop(&mut state)?;
                self.check_cancel(&mut state)?;
                self.check_branch()?;
            }
            if asked_here || !self.ask_person(&gate)? {
                if let (Some(turns), Some(at)) = (&self.turns, gate.request.expires_at) {
                    turns.limit_time(at);
                }
                return Err(self.suspend(&mut self.state(), Reason::Gates));
            }
            asked_here = gate.request.need <= 1;
        }
    }

    fn open_gate(
        &self,
        key: Key,
        spec: &GateSpec,
        address: String,
        digest: piton_core::canonical::Digest,
    ) -> Result<OpenGate, Halt> {
        self.check_room()?;
        let at = self.now();
        let eligible = |names: &[String]| -> Vec<Eligible> {
            names
                .iter()
                .map(|name| Eligible {
                    // People know each other by the names of the outermost run.
                    name: crate::names::renamed(&self.started.accounts, name),
                    principal: self.principal(&AccountRef::alias(name)),
                })
                .collect()
        };
        let mut exclude = eligible(&spec.exclude);
        if let Some(editor) = self.editor.as_ref().filter(|_| !spec.by_requester) {
            let (name, principal) = (editor.stable_arn().to_owned(), Some(editor.clone()));
            exclude.push(Eligible { name, principal });
        }
        let request = GateRequest {
            gate: address,
            name: spec.name.clone(),
            kind: spec.kind,
            show: piton_core::secret::masked(&spec.show),
            from: eligible(&spec.from),
            need: spec.need.max(1),
            exclude,
            by_requester: spec.by_requester,
            requester: self.started.requester.clone(),
            expires_at: spec.expires.map(|span| at.after(span)),
            on_expire: spec.on_expire,
            form: spec.form.clone(),
            instructions: spec.instructions.clone(),
            evidence: spec.evidence.clone(),
            returns_rejection: spec.returns_rejection,
            digest,
        };
        let gate = OpenGate { key, opened_at: at, request: request.clone(), decisions: Vec::new() };
        let mut state = self.state();
        self.check_stop(&mut state)?;
        let State { machine, recorder, .. } = &mut *state;
        recorder.make(Some(machine), at, Some(gate.key.clone()), Body::GateOpened(request));
        recorder.tell(at, EventKind::GateOpened(Box::new(gate.clone())));
        self.commit(&mut state)?;
        Ok(gate)
    }

    /// What was approved has changed: says so, and the gate opens anew.
    fn void(&self, before: &GateRequest, was_decided: bool) {
        let word = if was_decided { "the approval is void" } else { "it opens anew" };
        let is_edited = self.program.digest() != self.started.program;
        let why = match is_edited {
            true => "was opened by the script before its edit",
            false => "would show something else than when it opened",
        };
        let diagnostic = Diagnostic::warning(
            Code::DecisionConflict,
            format!("the gate `{}` {why}: {word}", before.gate),
        )
        .hint("decide again: piton inbox");
        let state = self.state();
        state.recorder.tell_now(self.now(), EventKind::Warning(Box::new(diagnostic)));
    }

    /// Turns answers in the mailbox into entries.
    fn take_decisions(&self, gate: &mut OpenGate) -> Result<(), Halt> {
        let mail = self.engine.ports.journal.mail(&self.run);
        let mut state = self.state();
        let mail = mail.map_err(|error| self.end(&mut state, Ending::Journal(error)))?;
        let mut taken = Vec::new();
        let mut counted: Vec<Decision> = Vec::new();
        for (number, mail) in mail {
            let Mail::Decision(decision) = mail else { continue };
            if decision.gate != gate.request.gate {
                continue;
            }
            taken.push(number);
            // An answer to what the gate showed before it changed is void.
            if decision.digest == gate.request.digest {
                counted.push(decision);
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let at = self.now();
        let State { machine, recorder, .. } = &mut *state;
        for decision in &counted {
            let key = Some(gate.key.clone());
            recorder.make(Some(machine), at, key, Body::Decided(decision.clone()));
            recorder.tell(at, EventKind::Decided(Box::new(decision.clone())));
        }
        let committed = recorder.commit_mail(&taken);
        committed.map_err(|error| self.end(&mut state, Ending::Journal(error)))?;
        gate.decisions.append(&mut counted);
        Ok(())
    }

    /// Whether the world decided by itself.
    fn ask_world(
        &self,
        gate: &OpenGate,
        rule: &SettledRule,
        call: Callback<'_>,
    ) -> Result<Option<GateResult>, Halt> {
        let value = match self.read_in_mode(call)? {
            Ok(value) => value,
            // A world that cannot be read decides nothing: people still can.
            Err(error) => {
                let diagnostic = Diagnostic::warning(
                    Code::AwsRefused,
                    format!(
                        "the gate `{}` cannot see whether it was settled: {error}",
                        gate.request.gate
                    ),
                );
                let state = self.state();
                state.recorder.tell_now(self.now(), EventKind::Warning(Box::new(diagnostic)));
                return Ok(None);
            }
        };
        let seen = part(&value, &rule.path);
        let closed = if rule.ok.contains(seen) {
            Closed::Approved
        } else if rule.fail.contains(seen) {
            Closed::Rejected
        } else {
            return Ok(None);
        };
        let at = self.now();
        let by = rule.by.as_ref().map_or(&Value::Null, |path| part(&value, path));
        let word = if closed == Closed::Approved { "approved" } else { "rejected" };
        let answer = json!({
            "decision": word, "by": by, "alias": null, "comment": null, "fields": null,
            "evidence": null, "at": at, "settled": true, "state": seen, "value": value,
        });
        Ok(Some(GateResult { gate: gate.request.gate.clone(), closed, at, value: answer }))
    }

    /// Asks whoever sits at the terminal; says whether an answer was left.
    fn ask_person(&self, gate: &OpenGate) -> Result<bool, Halt> {
        // Other branches come first: somebody who is asked takes their time.
        self.pause(Pause::Person);
        let decision = {
            let _one_at_a_time = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            self.engine.ports.person.decide(&self.run, gate)
        };
        let Some(decision) = decision else { return Ok(false) };
        match self.engine.ports.journal.post(&self.run, &Mail::Decision(decision)) {
            Ok(_) => Ok(true),
            Err(piton_core::ports::JournalError::Refused(refusal)) => {
                let diagnostic = Diagnostic::warning(Code::NotEligible, refusal.to_string());
                let state = self.state();
                state.recorder.tell_now(self.now(), EventKind::Warning(Box::new(diagnostic)));
                Ok(false)
            }
            Err(error) => Err(self.end(&mut self.state(), Ending::Journal(error))),
        }
    }

    fn close_gate(&self, spec: &GateSpec, key: &Key, result: &GateResult) -> Result<Value, Halt> {
        let at: Timestamp = self.now();
        let mut state = self.state();
        let State { machine, recorder, .. } = &mut *state;
        recorder.make(Some(machine), at, Some(key.clone()), Body::GateClosed(result.clone()));
        recorder.tell(at, EventKind::GateClosed(Box::new(result.clone())));
        self.commit(&mut state)?;
        drop(state);
        answer(spec, result)
    }
}

/// What comes with a gate that is not closed.
fn next_gate(
    spec: &GateSpec,
    address: &str,
    opened: Option<&(Timestamp, Box<GateRequest>)>,
    digest: piton_core::canonical::Digest,
) -> Next {
    let request = opened.map(|(_, request)| request);
    Next::Gate {
        gate: address.to_owned(),
        opened_at: opened.map(|(at, _)| *at),
        changed: request.is_some_and(|request| request.digest != digest),
        expires_at: request.and_then(|request| request.expires_at),
        by_world: spec.settled_by.is_some(),
    }
}

/// What the script gets of a closed gate.
fn answer(spec: &GateSpec, result: &GateResult) -> Result<Value, Halt> {
    let (code, diagnostic, word) = match result.closed {
        Closed::Approved => return Ok(result.value.clone()),
        _ if spec.returns_rejection => return Ok(result.value.clone()),
        Closed::Rejected => ("Rejected", Code::Rejected, "rejected"),
        Closed::Expired => ("Expired", Code::Expired, "not decided in time"),
    };
    let what = match spec.kind {
        GateKind::Approval => "the gate",
        GateKind::Manual => "the manual gate",
    };
    let mut message = format!("{what} `{}` was {word}", result.gate);
    if let Some(by) = result.value["by"].as_str() {
        message = format!("{message} by {by}");
    }
    if let Some(comment) = result.value["comment"].as_str() {
        message = format!("{message}: {comment}");
    }
    let hint = "what was done so far stands; start a new run when the reason is settled";
    Err(Halt::Thrown(Box::new(Thrown {
        code: code.to_owned(),
        message: message.clone(),
        service: None,
        operation: None,
        http_status: None,
        request_id: None,
        retryable: false,
        key: None,
        details: result.value.clone(),
        diagnostic: Some(Diagnostic::error(diagnostic, message).hint(hint).at(spec.place.clone())),
    })))
}
