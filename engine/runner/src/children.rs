//! Runbooks that a script calls: runs of their own, driven while their caller waits.
//!
//! The id of a child run follows from its parent and the entry of the call, so a crash between its
//! creation and its entry in the parent cannot make a second one. Until it ended, its own journal alone
//! says where it stands: the parent is resumed by driving the child on. Its time passes as its
//! caller's time, so that other branches go on meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use piton_core::canonical::Digest;
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, Cancelled, Child, ChildFailure, ChildResult, Parent};
use piton_core::key::Key;
use piton_core::ports::{Journal, JournalError, RunId, RunRow};
use piton_core::replay::{AskedChild, ChildStep};
use piton_core::status::{Reason, RunStatus};
use piton_script::host::{ChildSpec, Halt, Thrown};
use piton_script::params::{Bound, SecretSource};
use serde_json::{Map, Value, json};

use crate::calls::Failure;
use crate::drive::{Driver, Ending, State};
use crate::engine::{Driven, Engine, Resume, RunnerError, Start, run_id_of};
use crate::lifecycle::{resume_for, start_for};
use crate::names::renamed;

/// Who calls a run.
pub(crate) struct Call {
    pub(crate) parent: Parent,
    /// Its aliases, as the outermost run has them.
    pub(crate) accounts: BTreeMap<String, String>,
    pub(crate) caller: Arc<Driver>,
}

impl Call {
    /// Its members, as those of a run that nobody called would be absent.
    pub(crate) fn parts(self) -> (Option<Parent>, BTreeMap<String, String>, Option<Arc<Driver>>) {
        (Some(self.parent), self.accounts, Some(self.caller))
    }
}

/// The runs that a run's script called, oldest first, whether they ended or not.
///
/// # Errors
/// When the journal cannot be read.
pub fn children(journal: &dyn Journal, run: &RunId) -> Result<Vec<RunRow>, JournalError> {
    let mut rows = journal.runs()?;
    rows.retain(|row| row.summary.parent.as_ref() == Some(run));
    rows.reverse();
    Ok(rows)
}

/// Ends the child runs of a run that is cancelled.
pub(crate) fn cancel(engine: &Engine, run: &RunId, why: &Cancelled) -> Result<(), RunnerError> {
    for child in children(engine.ports.journal.as_ref(), run)? {
        let goes_on = !child.summary.status.is_final() && child.summary.rolled_back_by.is_none();
        if goes_on {
            engine.cancel(&child.run, why.by.clone(), why.reason.clone())?;
        }
    }
    Ok(())
}

impl Driver {
    /// `call_runbook`.
    pub(crate) fn call_child(self: Arc<Self>, spec: &ChildSpec) -> Result<Value, Halt> {
        self.refuse_in_modes("call_runbook")?;
        let step = {
            let asked = AskedChild {
                runbook: &spec.runbook,
                params: &spec.given,
                accounts: &spec.accounts,
            };
            let mut state = self.state();
            state.machine.child(&asked).map_err(|stop| self.stop(&mut state, stop))?
        };
        let (key, attempt) = match step {
            ChildStep::Replay { key, seq, child } => {
                return self.child_answer(spec, &key, seq, *child);
            }
            ChildStep::Drive { key, attempt } => (key, attempt),
        };
        self.check_branch()?;
        let run = self.child_id(&key);
        self.look_into_child(&key, &run, &spec.runbook, attempt)?;
        {
            let mut state = self.state();
            self.check_stop(&mut state)?;
            self.check_cancel(&mut state)?;
            self.commit(&mut state)?;
        }
        let driven = self.drive_child(spec, &run, &key, attempt)?;
        let result = self.child_result(spec, driven)?;
        let child = Child {
            run,
            runbook: spec.runbook.clone(),
            params: spec.given.clone(),
            accounts: spec.accounts.clone(),
            result,
        };
        let at = self.now();
        let seq = {
            let mut state = self.state();
            let State { machine, recorder, .. } = &mut *state;
            recorder.make(Some(machine), at, Some(key.clone()), Body::Child(child.clone()))
        };
        self.child_answer(spec, &key, seq, child)
    }

    /// The id of the run that an entry calls: always the same one.
    fn child_id(&self, key: &Key) -> RunId {
        let digest = Digest::of_parts([self.run.0.as_bytes(), key.as_str().as_bytes()]);
        run_id_of(digest.bytes())
    }

    /// Starts the child run, or goes on with it where it stands.
    fn drive_child(
        self: &Arc<Self>,
        spec: &ChildSpec,
        run: &RunId,
        key: &Key,
        attempt: u32,
    ) -> Result<Driven, Halt> {
        let driven = match self.engine.ports.journal.find(&run.0) {
            Err(JournalError::NoRun(_)) => {
                let params = self.child_params(spec)?;
                let start = Start {
                    run: run.clone(),
                    program: spec.program.clone(),
                    source: Some(spec.runbook.clone()),
                    params,
                    name: None,
                    labels: Vec::new(),
                    world: self.started.world.clone(),
                    requester: self.started.requester.clone(),
                    options: self.options,
                };
                let call = Call {
                    parent: Parent {
                        run: self.run.clone(),
                        key: key.clone(),
                        outermost: self.outermost_run(),
                    },
                    accounts: self.child_accounts(spec),
                    caller: Arc::clone(self),
                };
                start_for(&self.outermost, start, Some(call))
            }
            Err(error) => Err(error.into()),
            Ok(row) => {
                let retry = attempt > 1 && row.summary.retry_from.is_some();
                let how = Resume { retry, rebind: Vec::new(), options: self.options };
                resume_for(&self.outermost, run, &how, Some(Arc::clone(self)))
            }
        };
        let mut state = self.state();
        driven.map_err(|error| match error {
            RunnerError::Journal(JournalError::Held { run, holder }) => {
                let (pid, host) = (holder.pid, holder.host);
                let name = format!("run {run}, which process {pid} on {host} drives");
                self.suspend(&mut state, Reason::State { name, state: Value::Null })
            }
            RunnerError::Journal(error) => self.end(&mut state, Ending::Journal(error)),
            RunnerError::Refused(diagnostics) => self.end(&mut state, Ending::Refused(diagnostics)),
        })
    }

    /// The child's aliases as the outermost run has them, where they have other names there.
    fn child_accounts(&self, spec: &ChildSpec) -> BTreeMap<String, String> {
        let declared = spec.program.declaration().accounts.iter().map(|account| &account.alias);
        let names = declared.map(|alias| {
            let own = spec.accounts.get(alias).unwrap_or(alias);
            (alias.clone(), renamed(&self.started.accounts, own))
        });
        names.filter(|(alias, outermost)| alias != outermost).collect()
    }

    /// The child's parameters with the values of the handles that it gets.
    fn child_params(&self, spec: &ChildSpec) -> Result<Bound, Halt> {
        let mut params = spec.params.clone();
        for (name, origin) in &spec.handles {
            let value = self.secret(origin).map_err(|failure| self.no_secret(name, failure))?;
            params.secrets.push((name.clone(), SecretSource::Literal(value)));
        }
        Ok(params)
    }

    fn no_secret(&self, name: &str, failure: Failure) -> Halt {
        match failure {
            Failure::Halt(halt) => halt,
            Failure::Call(failure) => {
                let why = piton_core::ports::failure_text(&failure);
                self.missing_secret(&format!("the value of the parameter `{name}` ({why})"))
            }
        }
    }

    /// How the child ended; a stop when it did not.
    fn child_result(&self, spec: &ChildSpec, driven: Driven) -> Result<ChildResult, Halt> {
        let Driven { run, end } = driven;
        match end.status {
            RunStatus::Succeeded => {
                let outputs = outputs(self.engine.ports.journal.as_ref(), &run);
                let mut state = self.state();
                let outputs =
                    outputs.map_err(|error| self.end(&mut state, Ending::Journal(error)))?;
                Ok(ChildResult::Outputs(Value::Object(outputs)))
            }
            status if status.is_final() => {
                let row = self.engine.ports.journal.find(&run.0);
                let mut state = self.state();
                let row = row.map_err(|error| self.end(&mut state, Ending::Journal(error)))?;
                let can_retry = row.summary.retry_from.is_some();
                Ok(ChildResult::Failed(ChildFailure { status, error: end.error, can_retry }))
            }
            status => {
                let mut state = self.state();
                self.check_stop(&mut state)?;
                self.check_cancel(&mut state)?;
                self.check_branch()?;
                if let Some(error) = end.error.filter(|error| error.code == Code::Storage) {
                    let error = JournalError::Storage(error.message);
                    return Err(self.end(&mut state, Ending::Journal(error)));
                }
                let row = self.engine.ports.journal.find(&run.0);
                let row = row.map_err(|error| self.end(&mut state, Ending::Journal(error)))?;
                let of_child = |mut waiting: piton_core::status::WaitingFor| {
                    waiting.run.get_or_insert_with(|| run.clone());
                    waiting
                };
                let reason = Reason::Child {
                    runbook: spec.program.name().to_owned(),
                    status,
                    waiting_for: end.waiting_for.into_iter().map(of_child).collect(),
                    error: crate::drive::run_end(&row.summary).error.map(Box::new),
                    run: run.clone(),
                };
                Err(self.suspend(&mut state, reason))
            }
        }
    }

    /// What the script gets of a child that ended.
    fn child_answer(
        &self,
        spec: &ChildSpec,
        key: &Key,
        seq: u64,
        child: Child,
    ) -> Result<Value, Halt> {
        let failure = match child.result {
            ChildResult::Outputs(outputs) => return Ok(outputs),
            ChildResult::Failed(failure) => failure,
        };
        if failure.can_retry {
            self.state().refusals.insert(key.as_str().to_owned(), seq);
        }
        let (run, status) = (child.run, failure.status);
        let why =
            failure.error.as_ref().map_or_else(String::new, |error| format!(": {}", error.message));
        let message = format!("the runbook `{}` {}{why}", child.runbook, words(status));
        let mut diagnostic = Diagnostic::error(Code::ChildFailed, message.clone())
            .hint(format!("its own run: piton show {run}"))
            .at(spec.place.clone());
        if failure.can_retry {
            diagnostic = diagnostic
                .hint("mend the cause, then `piton resume RUN --retry` attempts its call again");
        }
        let error = failure
            .error
            .as_ref()
            .map(|error| json!({ "code": error.code.as_str(), "message": error.message }));
        Err(Halt::Thrown(Box::new(Thrown {
            code: "ChildFailed".to_owned(),
            message,
            service: None,
            operation: None,
            http_status: None,
            request_id: None,
            retryable: false,
            key: Some(key.as_str().to_owned()),
            details: json!({ "run": run, "status": status, "error": error }),
            diagnostic: Some(diagnostic),
        })))
    }
}

fn words(status: RunStatus) -> String {
    match status {
        RunStatus::Failed => "failed".to_owned(),
        status => format!("was {status}"),
    }
}

/// The outputs of a run by name; a later one replaces an earlier one.
fn outputs(journal: &dyn Journal, run: &RunId) -> Result<Map<String, Value>, JournalError> {
    let summary = journal.find(&run.0)?.summary;
    let mut outputs = Map::new();
    let mut after = 0;
    loop {
        let entries = journal.entries(run, after, 512)?;
        let Some(last) = entries.last() else { return Ok(outputs) };
        after = last.seq;
        for stored in entries {
            if let Body::Output(output) = stored.entry.body
                && !summary.is_void(stored.seq, stored.entry.key.as_ref())
            {
                outputs.insert(output.name, output.value);
            }
        }
    }
}
