//! The driver as scripts see it: each method goes to the file that knows how.

use std::sync::Arc;

use piton_core::account::AccountRef;
use piton_core::diagnostic::Place;
use piton_core::entry::{
    Artifact, Body, Head, Note, Output, Sampled, StepClosed, StepOpened, Undo,
};
use piton_core::event::EventKind;
use piton_core::key::Key;
use piton_core::replay::SampleStep;
use piton_core::secret::Origin;
use piton_core::time::{Span, Timestamp};
use piton_script::host::{
    Branches, Callback, ChildSpec, GateSpec, GroupSpec, Halt, Host, QuerySpec, RetrySpec,
    ScriptCall, Thrown, WaitSpec,
};
use serde_json::{Map, Value, json};

use crate::calls::misplaced_at;
use crate::drive::{Driver, Mode, State};
use crate::dry::Next;
use crate::{templates, tokens};

impl Host for Driver {
    fn stopped_at(&self, place: Option<Place>) {
        self.note_place(place);
    }

    fn params(&self) -> &Map<String, Value> {
        &self.params
    }

    fn is_sandbox(&self) -> bool {
        self.in_sandbox()
    }

    fn identity(&self, account: &AccountRef) -> Result<Value, Halt> {
        // A recorded binding answers replay; only what is new is proven.
        let recorded = self.principal(account);
        let principal = match recorded {
            Some(principal) => principal,
            None => {
                self.beyond(None, || Next::Identity { account: account.clone() })?;
                self.bind(account)?
            }
        };
        Ok(json!({
            "account": principal.account,
            "arn": principal.stable_arn(),
            "region": principal.region,
        }))
    }

    fn call(&self, call: ScriptCall) -> Result<Value, Halt> {
        self.bound_call(call)
    }

    fn open_step(&self, name: &str) -> Result<(), Halt> {
        self.refuse_in_modes("step")?;
        let at = self.now();
        let mut state = self.state();
        let opening = state.machine.open_step(name).map_err(|stop| self.stop(&mut state, stop))?;
        let opened_at = opening.opened_at.unwrap_or(at);
        state.steps.push((opening.path.clone(), name.to_owned(), opened_at));
        if opening.opened_at.is_none() {
            let depth = state.machine.depth();
            let State { machine, recorder, .. } = &mut *state;
            let (path, name) = (opening.path, name.to_owned());
            let body = Body::StepOpened(StepOpened { path: path.clone(), name: name.clone() });
            recorder.make(Some(machine), at, Some(Key::from_text(path.clone())), body);
            recorder.tell_in_order(at, EventKind::StepOpened { path, name, depth });
        }
        Ok(())
    }

    fn close_step(&self, ok: bool) -> Result<(), Halt> {
        let at = self.now();
        let mut state = self.state();
        let to_record = state.machine.close_step().map_err(|stop| self.stop(&mut state, stop))?;
        let opened = state.steps.pop();
        if let (Some(path), Some((_, name, opened_at))) = (to_record, opened) {
            let State { machine, recorder, .. } = &mut *state;
            let body = Body::StepClosed(StepClosed { path: path.clone(), ok });
            recorder.make(Some(machine), at, Some(Key::from_text(path.clone())), body);
            let took = at.since(opened_at);
            recorder.tell(at, EventKind::StepClosed { path, name, ok, took });
        }
        Ok(())
    }

    fn wait_until(&self, spec: WaitSpec, call: Callback<'_>) -> Result<Value, Halt> {
        self.wait_for_state(&spec, call)
    }

    fn retry(&self, spec: RetrySpec, call: Callback<'_>) -> Result<Value, Halt> {
        self.retry_call(&spec, call)
    }

    fn query(&self, account: &AccountRef, spec: QuerySpec) -> Result<Value, Halt> {
        self.run_query(account, &spec)
    }

    fn sleep(&self, span: Span) -> Result<(), Halt> {
        self.wait_for_time(&format!("sleep {span}"), |now| now.after(span))
    }

    fn sleep_until(&self, until: Timestamp) -> Result<(), Halt> {
        self.wait_for_time("sleep until", |_| until)
    }

    fn now(&self) -> Result<Timestamp, Halt> {
        let drawn = self.sample("now", |driver, _| Ok(json!(driver.now())))?;
        let text = drawn.as_str().unwrap_or_default();
        text.parse().map_err(|error: piton_core::time::TimeError| {
            misplaced_at("`now()`", None, &format!("its recorded value is damaged: {error}"))
        })
    }

    fn uuid(&self) -> Result<String, Halt> {
        let drawn = self.sample("uuid", |driver, _| {
            let mut bytes = [0; 32];
            driver.engine.ports.entropy.fill(&mut bytes);
            Ok(json!(tokens::uuid(&bytes)))
        })?;
        Ok(drawn.as_str().unwrap_or_default().to_owned())
    }

    fn anchor(&self) -> Result<String, Halt> {
        let drawn = self.sample("anchor", |driver, _| {
            let mut state = driver.state();
            // Nobody is told a digest of what a crash could still take back.
            driver.commit(&mut state)?;
            let Head { seq, hash } = state.recorder.head();
            Ok(json!(format!("piton:{}:{seq}:{hash}", driver.run)))
        })?;
        Ok(drawn.as_str().unwrap_or_default().to_owned())
    }

    fn random_password(&self, shape: Value) -> Result<Origin, Halt> {
        let drawn = self.sample("random_password", |_, key| {
            Ok(Origin::Password { key: key.clone(), shape: shape.to_string() }.handle())
        })?;
        Origin::of(&drawn).ok_or_else(|| {
            misplaced_at("`random_password`", None, "its recorded value is no handle")
        })
    }

    fn secret_env(&self, name: &str) -> Result<Origin, Halt> {
        let origin = Origin::Env { name: name.to_owned() };
        if self.vault.value(&origin).is_some() || self.dry.is_some() {
            return Ok(origin);
        }
        // A resume may run elsewhere: the value is sealed the first time it is seen.
        if let Ok(value) = std::env::var(name) {
            let (key, entropy) = (&self.engine.sealing_key, self.engine.ports.entropy.as_ref());
            let stored = crate::sealed::env_secret_name(name);
            let sealed = key.seal(entropy, &self.run, &stored, &value);
            let mut state = self.state();
            let kept = {
                let lease = state.recorder.lease();
                self.engine.ports.journal.seal(lease, &stored, &sealed)
            };
            kept.map_err(|error| self.end(&mut state, crate::drive::Ending::Journal(error)))?;
            self.vault.keep(origin.clone(), value);
        }
        Ok(origin)
    }

    fn gate(&self, spec: GateSpec, settled: Option<Callback<'_>>) -> Result<Value, Halt> {
        self.ask(&spec, settled)
    }

    fn branches(self: Arc<Self>, spec: GroupSpec) -> Result<Box<dyn Branches>, Halt> {
        self.open_branches(spec)
    }

    fn call_runbook(self: Arc<Self>, spec: ChildSpec) -> Result<Value, Halt> {
        self.call_child(&spec)
    }

    fn lock(&self, name: &str) -> Result<(), Halt> {
        self.take_lock(name)
    }

    fn undo(&self, record: Callback<'_>) -> Result<(), Halt> {
        self.refuse_in_modes("undo")?;
        let of = {
            let mut state = self.state();
            let key = state.machine.annotate("undo").map_err(|stop| self.stop(&mut state, stop))?;
            if key.is_none() {
                return Ok(());
            }
            state.machine.last_mutating().cloned()
        };
        let Some(of) = of else {
            let why = "no mutating call comes before it that it could take back";
            return Err(misplaced_at("`undo`", None, why));
        };
        self.state().modes.push(Mode::Undo(Vec::new()));
        let answer = record();
        let mode = self.state().modes.pop();
        answer?;
        let Some(Mode::Undo(calls)) = mode else {
            unreachable!("modes are pushed and popped in pairs")
        };
        let at = self.now();
        let mut state = self.state();
        let State { machine, recorder, .. } = &mut *state;
        let body = Body::Undo(Undo { of: of.clone(), calls });
        recorder.make(Some(machine), at, Some(of), body);
        Ok(())
    }

    fn output(&self, name: &str, value: Value) -> Result<(), Halt> {
        let value = piton_core::secret::masked(&value);
        self.check_size(&format!("the output `{name}`"), &value)?;
        let body = Body::Output(Output { name: name.to_owned(), value: value.clone() });
        self.annotate("output", body, EventKind::Output { name: name.to_owned(), value })
    }

    fn note(&self, text: &str) -> Result<(), Halt> {
        let text = self.vault.scrub(text);
        self.check_bytes("the note", text.len())?;
        self.annotate("note", Body::Note(Note { text: text.clone() }), EventKind::Note { text })
    }

    fn artifact(&self, name: &str, text: &str) -> Result<(), Halt> {
        let text = self.vault.scrub(text);
        self.check_bytes(&format!("the artifact `{name}`"), text.len())?;
        let event = EventKind::Note { text: format!("artifact {name}") };
        self.annotate("artifact", Body::Artifact(Artifact { name: name.to_owned(), text }), event)
    }

    fn render(&self, template: &str, values: Value) -> Result<String, Halt> {
        let values = piton_core::secret::masked(&values);
        templates::render(&self.program, template, &values).map_err(|diagnostic| {
            Halt::Thrown(Box::new(Thrown {
                code: "Template".to_owned(),
                message: diagnostic.message.clone(),
                service: None,
                operation: None,
                http_status: None,
                request_id: None,
                retryable: false,
                key: None,
                details: Value::Null,
                diagnostic: Some(*diagnostic),
            }))
        })
    }
}

impl Driver {
    /// A value of chance or time: drawn once, recorded, the same on every replay.
    fn sample(
        &self,
        source: &str,
        draw: impl FnOnce(&Self, &Key) -> Result<Value, Halt>,
    ) -> Result<Value, Halt> {
        self.refuse_in_modes(source)?;
        let step = {
            let mut state = self.state();
            state.machine.sample(source).map_err(|stop| self.stop(&mut state, stop))?
        };
        match step {
            SampleStep::Replay(value) => Ok(value),
            SampleStep::Draw(key) => {
                self.beyond(Some(&key), || Next::Sample { source: source.to_owned() })?;
                self.check_room()?;
                let value = draw(self, &key)?;
                let at = self.now();
                let mut state = self.state();
                let State { machine, recorder, .. } = &mut *state;
                let body =
                    Body::Sampled(Sampled { source: source.to_owned(), value: value.clone() });
                recorder.make(Some(machine), at, Some(key), body);
                Ok(value)
            }
        }
    }

    /// Something that follows from what was recorded: kept once, told once.
    fn annotate(&self, kind: &'static str, body: Body, event: EventKind) -> Result<(), Halt> {
        self.refuse_in_modes(kind)?;
        let key = {
            let mut state = self.state();
            state.machine.annotate(kind).map_err(|stop| self.stop(&mut state, stop))?
        };
        if let Some(key) = key {
            self.check_room()?;
            let at = self.now();
            let mut state = self.state();
            let State { machine, recorder, .. } = &mut *state;
            recorder.make(Some(machine), at, Some(key), body);
            recorder.tell(at, event);
        }
        Ok(())
    }
}
