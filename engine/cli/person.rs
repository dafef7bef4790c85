//! The person at the terminal: asked at gates that they may decide, and before calls in step mode.

use std::sync::Arc;

use piton_core::gate::{Decider, Decision, GateKind, Verdict};
use piton_core::key::Key;
use piton_core::ports::{CallPreview, Clock, OpenGate, Person, RunId};
use piton_core::secret::masked;
use piton_runner::Interrupt;
use serde_json::{Map, Value};

use crate::console;
use crate::gates;
use crate::progress::Screen;
use crate::worlds::World;

/// Nobody: gates suspend the run.
pub(crate) struct Nobody;

impl Person for Nobody {
    fn decide(&self, _run: &RunId, _gate: &OpenGate) -> Option<Decision> {
        None
    }

    fn confirm_call(&self, _key: &Key, _call: &CallPreview) -> bool {
        false
    }
}

/// Whom the person at the terminal can be.
pub(crate) enum Identities {
    /// Anybody whom the world knows: it is a rehearsal.
    World(World),
    /// The holder of the default credentials, when they work.
    Own(Option<Decider>),
}

/// A person at a terminal.
pub(crate) struct Terminal {
    pub(crate) identities: Identities,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) screen: Arc<Screen>,
    pub(crate) interrupt: Interrupt,
}

impl Person for Terminal {
    fn decide(&self, _run: &RunId, gate: &OpenGate) -> Option<Decision> {
        let eligible: Vec<Decider> = match &self.identities {
            // A world that cannot be read has nobody to ask; the run goes on to say why.
            Identities::World(world) => gates::eligible_in(world, gate).unwrap_or_default(),
            Identities::Own(own) => {
                own.iter().filter(|decider| gates::can_answer(gate, decider)).cloned().collect()
            }
        };
        if eligible.is_empty() {
            return None;
        }
        self.screen.suspend(|| self.ask(gate, &eligible))
    }

    fn confirm_call(&self, key: &Key, call: &CallPreview) -> bool {
        self.screen.suspend(|| {
            let CallPreview { account, service, operation, input } = call;
            console::err(&format!("next: {service}.{operation} as {account} (`{key}`)"));
            console::err(&indented(input));
            let answer = self.question("Send it? [y/N]");
            answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
        })
    }
}

impl Terminal {
    fn question(&self, question: &str) -> Option<String> {
        console::ask(question, || self.interrupt.is_raised())
    }

    fn ask(&self, gate: &OpenGate, eligible: &[Decider]) -> Option<Decision> {
        let request = &gate.request;
        let what = match request.kind {
            GateKind::Approval => "Approval",
            GateKind::Manual => "By hand",
        };
        console::err(&console::printable(&format!("{what}: {}", request.name)));
        if let Some(instructions) = &request.instructions {
            console::err(&console::printable(instructions));
        }
        if !request.show.is_null() {
            console::err(&indented(&masked(&request.show)));
        }
        let by = self.choose(eligible)?;
        let verdict = loop {
            match self.question("[a]pprove, [r]eject, or leave it open [Enter]?")?.as_str() {
                "a" | "approve" => break Verdict::Approve,
                "r" | "reject" => break Verdict::Reject,
                "" => return None,
                _ => {}
            }
        };
        let fields = match verdict {
            Verdict::Approve => self.fill(&request.form)?,
            Verdict::Reject => Value::Null,
        };
        let asks = request.evidence.as_deref().map(|wanted| format!(" ({wanted})"));
        let comment = self.question(&format!("Why{}?", asks.unwrap_or_default()))?;
        Some(Decision {
            gate: request.gate.clone(),
            verdict,
            by,
            comment: (!comment.is_empty()).then_some(comment),
            fields,
            evidence: None,
            at: self.clock.now(),
            digest: request.digest,
        })
    }

    fn choose(&self, eligible: &[Decider]) -> Option<Decider> {
        let name = |decider: &Decider| {
            let arn = decider.principal.stable_arn();
            decider
                .alias
                .as_ref()
                .map_or_else(|| arn.to_owned(), |alias| format!("{alias} ({arn})"))
        };
        if let [only] = eligible {
            console::err(&format!("You decide as {}", name(only)));
            return Some(only.clone());
        }
        console::err("You may decide as:");
        for (index, decider) in eligible.iter().enumerate() {
            console::err(&format!("  {}  {}", index + 1, name(decider)));
        }
        let answer =
            self.question(&format!("As whom? [1-{}, Enter leaves it open]", eligible.len()))?;
        let number: usize = answer.parse().ok()?;
        eligible.get(number.checked_sub(1)?).cloned()
    }

    fn fill(&self, form: &Value) -> Option<Value> {
        let mut fields = Map::new();
        for (name, rule) in form.as_object().into_iter().flatten() {
            let doc = rule.get("doc").and_then(Value::as_str).unwrap_or_default();
            let allowed =
                rule.get("enum").map_or_else(String::new, |allowed| format!(" {allowed}"));
            let text = self.question(&format!("{name}{allowed} {doc}:"))?;
            if !text.is_empty() {
                fields.insert(name.clone(), gates::field_value(Some(rule), &text));
            }
        }
        Some(if fields.is_empty() { Value::Null } else { Value::Object(fields) })
    }
}

fn indented(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("a value is plain data");
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
