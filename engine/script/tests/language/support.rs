//! A host that answers from a list and writes down what it was asked.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex};

use piton_core::account::AccountRef;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::key::Key;
use piton_core::ports::ProgramFile;
use piton_core::secret::Origin;
use piton_core::time::{Span, Timestamp};
use piton_script::evaluate::{Limits, Raised, evaluate_within, on_script_thread};
use piton_script::host::{
    BranchEnd, Branches, Callback, ChildSpec, GateSpec, GroupEnd, GroupSpec, Halt, Host, QuerySpec,
    RetrySpec, ScriptCall, Thrown, WaitSpec,
};
use piton_script::{Evaluation, Program};
use serde_json::{Map, Value, json};

/// What the host answers to a call.
pub(crate) enum Answer {
    Value(Value),
    Error(&'static str, &'static str),
    Stop,
    Panic,
}

#[derive(Default)]
pub(crate) struct Asked {
    /// One line for each thing that was asked, in order.
    pub(crate) log: Vec<String>,
    pub(crate) calls: Vec<ScriptCall>,
    pub(crate) waits: Vec<WaitSpec>,
    pub(crate) retries: Vec<RetrySpec>,
    pub(crate) gates: Vec<GateSpec>,
    pub(crate) children: Vec<ChildSpec>,
    pub(crate) queries: Vec<(AccountRef, QuerySpec)>,
    pub(crate) outputs: Vec<(String, Value)>,
    pub(crate) notes: Vec<String>,
}

pub(crate) struct FakeHost {
    params: Map<String, Value>,
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    /// What stops the evaluation: an operation or a function.
    stops: BTreeSet<String>,
    pub(crate) asked: Mutex<Asked>,
}

impl FakeHost {
    fn asked(&self, line: impl Into<String>) -> Result<(), Halt> {
        let line = line.into();
        let stops = self.stops.contains(line.split(' ').next().unwrap_or_default());
        self.asked.lock().unwrap().log.push(line);
        if stops { Err(Halt::Stop) } else { Ok(()) }
    }
}

pub(crate) fn thrown(code: &str, message: &str) -> Box<Thrown> {
    Box::new(Thrown {
        code: code.to_owned(),
        message: message.to_owned(),
        service: None,
        operation: None,
        http_status: None,
        request_id: None,
        retryable: false,
        key: None,
        details: Value::Null,
        diagnostic: None,
    })
}

impl Host for FakeHost {
    fn params(&self) -> &Map<String, Value> {
        &self.params
    }

    fn is_sandbox(&self) -> bool {
        true
    }

    fn identity(&self, account: &AccountRef) -> Result<Value, Halt> {
        self.asked(format!("identity {account}"))?;
        Ok(
            json!({ "account": "111122223333", "arn": "arn:aws:iam::111122223333:user/a", "region": "eu-west-1" }),
        )
    }

    fn call(&self, call: ScriptCall) -> Result<Value, Halt> {
        let name = format!("{}.{}", call.service, call.operation);
        let line = format!("{name} {}", call.account);
        self.asked.lock().unwrap().calls.push(call.clone());
        self.asked(line)?;
        let answer = self.answers.lock().unwrap().get_mut(&name).and_then(VecDeque::pop_front);
        match answer.unwrap_or(Answer::Value(json!({}))) {
            Answer::Value(value) => Ok(value),
            Answer::Stop => Err(Halt::Stop),
            Answer::Panic => panic!("the host broke"),
            Answer::Error(code, message) => Err(Halt::Thrown(Box::new(Thrown {
                service: Some(call.service),
                operation: Some(call.operation),
                http_status: Some(400),
                request_id: Some("req-1".to_owned()),
                key: Some("#0".to_owned()),
                ..*thrown(code, message)
            }))),
        }
    }

    fn open_step(&self, name: &str) -> Result<(), Halt> {
        self.asked(format!("open {name}"))
    }

    fn close_step(&self, ok: bool) -> Result<(), Halt> {
        self.asked(format!("close {ok}"))
    }

    fn wait_until(&self, spec: WaitSpec, call: Callback<'_>) -> Result<Value, Halt> {
        self.asked(format!("wait_until {}", spec.name))?;
        self.asked.lock().unwrap().waits.push(spec.clone());
        for _ in 0..10 {
            let answer = match call() {
                Ok(answer) => answer,
                Err(Halt::Thrown(thrown)) if spec.gone.contains(&thrown.code) => {
                    return Ok(Value::Null);
                }
                Err(halt) => return Err(halt),
            };
            let state = piton_core::catalogue::part(&answer, &spec.path).clone();
            if spec.ok.contains(&state) {
                return Ok(answer);
            }
            if spec.fail.contains(&state) {
                let mut failed = thrown("WaitFailed", &format!("`{}` met {state}", spec.name));
                failed.details = json!({ "state": state });
                return Err(Halt::Thrown(failed));
            }
        }
        Err(Halt::Thrown(thrown("GaveUp", "it took too long")))
    }

    fn retry(&self, spec: RetrySpec, call: Callback<'_>) -> Result<Value, Halt> {
        self.asked(format!("retry {}", spec.name))?;
        self.asked.lock().unwrap().retries.push(spec.clone());
        loop {
            match call() {
                Err(Halt::Thrown(thrown)) if spec.on.contains(&thrown.code) => {}
                other => return other,
            }
        }
    }

    fn query(&self, account: &AccountRef, spec: QuerySpec) -> Result<Value, Halt> {
        self.asked(format!("query {}", spec.sql))?;
        self.asked.lock().unwrap().queries.push((account.clone(), spec));
        Ok(
            json!({ "statement_id": "s", "columns": ["a"], "rows": [[1]], "row_count": 1, "digest": "d" }),
        )
    }

    fn sleep(&self, span: Span) -> Result<(), Halt> {
        self.asked(format!("sleep {span}"))
    }

    fn sleep_until(&self, until: Timestamp) -> Result<(), Halt> {
        self.asked(format!("sleep_until {until}"))
    }

    fn now(&self) -> Result<Timestamp, Halt> {
        self.asked("now")?;
        Ok(Timestamp::from_millis(0))
    }

    fn uuid(&self) -> Result<String, Halt> {
        self.asked("uuid")?;
        Ok("00000000-0000-4000-8000-000000000000".to_owned())
    }

    fn anchor(&self) -> Result<String, Halt> {
        self.asked("anchor")?;
        Ok(format!("piton:run:1:{}", "0".repeat(64)))
    }

    fn random_password(&self, shape: Value) -> Result<Origin, Halt> {
        self.asked(format!("random_password {shape}"))?;
        let shape = shape.to_string();
        Ok(Origin::Password { key: Key::from_text("#0"), shape })
    }

    fn secret_env(&self, name: &str) -> Result<Origin, Halt> {
        self.asked(format!("secret_env {name}"))?;
        Ok(Origin::Env { name: name.to_owned() })
    }

    fn call_runbook(self: Arc<Self>, spec: ChildSpec) -> Result<Value, Halt> {
        self.asked(format!("call_runbook {}", spec.runbook))?;
        let params = Value::Object(spec.params.values.clone());
        let accounts = spec.accounts.clone();
        self.asked.lock().unwrap().children.push(spec);
        Ok(json!({ "params": params, "accounts": accounts }))
    }

    fn lock(&self, name: &str) -> Result<(), Halt> {
        self.asked(format!("lock {name}"))
    }

    fn gate(&self, spec: GateSpec, settled: Option<Callback<'_>>) -> Result<Value, Halt> {
        self.asked(format!("gate {}", spec.name))?;
        self.asked.lock().unwrap().gates.push(spec);
        if let Some(settled) = settled {
            let answer = settled()?;
            return Ok(json!({ "decision": "approved", "settled": true, "answer": answer }));
        }
        Ok(
            json!({ "decision": "approved", "by": "arn:aws:iam::111122223333:user/b", "settled": false }),
        )
    }

    fn branches(self: Arc<Self>, spec: GroupSpec) -> Result<Box<dyn Branches>, Halt> {
        self.asked(format!("{} {} at {}", spec.by.as_str(), spec.names.join(","), spec.max))?;
        let ends = spec.names.iter().map(|_| None).collect();
        let progress = Mutex::new(FakeProgress { next: 0, is_running: false, ends });
        Ok(Box::new(FakeGroup { host: self, spec, progress, changed: Condvar::new() }))
    }

    fn undo(&self, record: Callback<'_>) -> Result<(), Halt> {
        self.asked("undo")?;
        record().map(drop)
    }

    fn output(&self, name: &str, value: Value) -> Result<(), Halt> {
        self.asked(format!("output {name}={value}"))?;
        self.asked.lock().unwrap().outputs.push((name.to_owned(), value));
        Ok(())
    }

    fn note(&self, text: &str) -> Result<(), Halt> {
        self.asked(format!("note {text}"))?;
        self.asked.lock().unwrap().notes.push(text.to_owned());
        Ok(())
    }

    fn artifact(&self, name: &str, text: &str) -> Result<(), Halt> {
        self.asked(format!("artifact {name}={text}"))
    }

    fn render(&self, template: &str, values: Value) -> Result<String, Halt> {
        Ok(format!("{template} with {values}"))
    }
}

/// Branches one after the other, each on a thread of its own.
struct FakeGroup {
    host: Arc<FakeHost>,
    spec: GroupSpec,
    progress: Mutex<FakeProgress>,
    changed: Condvar,
}

struct FakeProgress {
    next: usize,
    is_running: bool,
    ends: Vec<Option<BranchEnd>>,
}

impl Branches for FakeGroup {
    fn next(&self) -> Option<usize> {
        let running = |progress: &mut FakeProgress| progress.is_running;
        let mut progress = self.changed.wait_while(self.progress.lock().unwrap(), running).unwrap();
        let failed =
            progress.ends.iter().filter(|end| matches!(end, Some(BranchEnd::Raised(_)))).count();
        if progress.next == progress.ends.len() || failed > self.spec.tolerate {
            return None;
        }
        progress.is_running = true;
        progress.next += 1;
        Some(progress.next - 1)
    }

    fn host(&self, _: usize) -> Arc<dyn Host> {
        Arc::clone(&self.host) as Arc<dyn Host>
    }

    fn run(&self, index: usize, body: &mut dyn FnMut() -> BranchEnd) {
        let end = body();
        let mut progress = self.progress.lock().unwrap();
        progress.ends[index] = Some(end);
        progress.is_running = false;
        self.changed.notify_all();
    }

    fn abandon(&self, _: usize, why: &str) {
        panic!("{why}");
    }

    fn close(&self) -> Result<GroupEnd, Halt> {
        let progress = self.progress.lock().unwrap();
        let is = |test: fn(&BranchEnd) -> bool| {
            progress.ends.iter().filter(|end| end.as_ref().is_some_and(test)).count()
        };
        if is(|end| matches!(end, BranchEnd::Stopped)) > 0 {
            return Err(Halt::Stop);
        }
        let raised = |end: &BranchEnd| matches!(end, BranchEnd::Raised(_));
        let first = progress.ends.iter().position(|end| end.as_ref().is_some_and(raised));
        let over = is(raised) > self.spec.tolerate;
        Ok(GroupEnd { raised: first.filter(|_| over), key: Key::from_text("#0") })
    }
}

/// A script with what the host knows.
pub(crate) struct Rehearsal {
    script: String,
    files: Vec<ProgramFile>,
    params: Map<String, Value>,
    answers: HashMap<String, VecDeque<Answer>>,
    stops: BTreeSet<String>,
    operations: u64,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) evaluation: Evaluation,
    pub(crate) asked: Asked,
}

pub(crate) const DECLARATION: &str = "runbook(#{ title: \"T\", accounts: #{ admin: #{}, owner: #{} }, \
                               params: #{ cluster: #{ type: \"string\", preset: \"poc\" }, token: #{ type: \"secret\" } } });";

/// A script after a declaration on its first line: the script begins on line 2.
pub(crate) fn script(text: &str) -> Rehearsal {
    whole_script(&format!("{DECLARATION}\n{text}"))
}

pub(crate) fn whole_script(text: &str) -> Rehearsal {
    let token = Origin::Param { name: "token".to_owned() }.handle();
    Rehearsal {
        script: text.to_owned(),
        files: Vec::new(),
        params: Map::from_iter([("cluster".to_owned(), json!("poc")), ("token".to_owned(), token)]),
        answers: HashMap::new(),
        stops: BTreeSet::new(),
        operations: 200_000,
    }
}

impl Rehearsal {
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push(ProgramFile { path: path.to_owned(), text: text.to_owned() });
        self
    }

    pub(crate) fn answer(mut self, operation: &str, value: Value) -> Self {
        self.answers.entry(operation.to_owned()).or_default().push_back(Answer::Value(value));
        self
    }

    pub(crate) fn answers_with(mut self, operation: &str, answer: Answer) -> Self {
        self.answers.entry(operation.to_owned()).or_default().push_back(answer);
        self
    }

    /// The host stops the evaluation there.
    pub(crate) fn stops_at(mut self, what: &str) -> Self {
        self.stops.insert(what.to_owned());
        self
    }

    pub(crate) fn operations(mut self, limit: u64) -> Self {
        self.operations = limit;
        self
    }

    pub(crate) fn program(&self) -> Result<Program, Vec<Diagnostic>> {
        let main = ProgramFile { path: "test.rhai".to_owned(), text: self.script.clone() };
        let files = std::iter::once(main).chain(self.files.iter().cloned()).collect();
        Program::from_files("test", files)
    }

    pub(crate) fn run(self) -> Outcome {
        let program = self.program().expect("the script compiles");
        let host = Arc::new(FakeHost {
            params: self.params,
            answers: Mutex::new(self.answers),
            stops: self.stops,
            asked: Mutex::default(),
        });
        let limits = Limits { operations: self.operations };
        let driven: Arc<dyn Host> = Arc::clone(&host) as _;
        let evaluation =
            on_script_thread("script", move || evaluate_within(&program, driven, limits))
                .unwrap()
                .join()
                .expect("the evaluation does not panic");
        let asked = std::mem::take(&mut *host.asked.lock().unwrap());
        Outcome { evaluation, asked }
    }

    /// The outputs of a script that comes to its end.
    pub(crate) fn outputs(self) -> Map<String, Value> {
        let outcome = self.run();
        assert!(matches!(outcome.evaluation, Evaluation::Finished), "{:?}", outcome.evaluation);
        outcome.asked.outputs.into_iter().collect()
    }

    /// The one output `x` of a script that comes to its end.
    pub(crate) fn x(self) -> Value {
        self.outputs().remove("x").expect("the script has the output x")
    }

    /// The error of a script that nothing caught.
    pub(crate) fn raised(self) -> Raised {
        match self.run().evaluation {
            Evaluation::Raised(raised) => *raised,
            other => panic!("expected an error, got {other:?}"),
        }
    }

    /// The problems of a script that does not load.
    pub(crate) fn refused(self) -> Vec<Diagnostic> {
        match self.program() {
            Err(problems) => problems,
            Ok(_) => panic!("the script compiles"),
        }
    }
}

impl Outcome {
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.evaluation, Evaluation::Stopped)
    }
}

/// File, line, column and the marked text of a diagnostic.
pub(crate) fn mark(diagnostic: &Diagnostic) -> String {
    let Some(place) = &diagnostic.place else { return "nowhere".to_owned() };
    let text: String = place
        .source_line
        .chars()
        .skip(place.column - 1)
        .take(place.end_column - place.column)
        .collect();
    format!("{}:{}:{} {text}", place.file, place.line, place.column)
}

/// Code and mark of a diagnostic.
pub(crate) fn found(diagnostic: &Diagnostic) -> (Code, String) {
    (diagnostic.code, mark(diagnostic))
}

/// Hints in one text.
pub(crate) fn hints(diagnostic: &Diagnostic) -> String {
    diagnostic.hints.join("; ")
}
