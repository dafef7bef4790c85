//! `query`: one SQL statement, awaited, as one entry.
//!
//! The statement is sent under the entry's token, so that a crash while it runs finds it again. It
//! is awaited and read by calls that are not recorded; what is recorded is what the script gets. How
//! a service is asked and read is in `data_api` and `athena`.

mod athena;
mod data_api;

use piton_core::account::AccountRef;
use piton_core::catalogue::{Class, part};
use piton_core::event::EventKind;
use piton_core::ports::{Answer, AwsError, Call, CallFailure};
use piton_core::status::Reason;
use piton_core::time::{Span, Timestamp};
use piton_script::host::{Halt, Keep, QueryEngine, QuerySpec, ScriptCall};
use serde_json::{Map, Value, json};

use crate::calls::{Failure, strip_absent};
use crate::drive::Driver;
use crate::turns::Woken;

/// Time between looks at a running statement.
const EVERY: Span = Span::from_secs(2);
/// Rows that `sample` keeps.
const SAMPLE: usize = 10;

/// A service that runs SQL: which operations do it, and how their answers are read.
trait SqlService: Sync {
    /// Script's name of the service.
    fn service(&self) -> &'static str;

    /// The operation that starts a statement, and its input member for the token.
    fn start(&self) -> (&'static str, &'static str);

    /// Input of that operation, without the token.
    fn input(&self, spec: &QuerySpec) -> Map<String, Value>;

    /// The statement's id in what that operation answered.
    fn id<'a>(&self, started: &'a Value) -> &'a Value;

    /// The operation that looks at a statement, with its input.
    fn look(&self, id: &Value) -> (&'static str, Value);

    /// What that operation's answer says.
    fn progress(&self, looked: &Value) -> Progress;

    /// The operation that reads the first page of the result, with its input.
    fn page(&self, id: &Value) -> (&'static str, Value);

    /// Columns of a page: name and type.
    fn columns(&self, page: &Value) -> Vec<Value>;

    /// Adds the rows of a page, header included.
    fn rows(&self, page: &Value, result: &mut ResultSet);
}

/// Where a statement stands.
enum Progress {
    /// It runs, in this state.
    Running(String),
    /// It came to its end.
    Ended {
        /// There is a result to read.
        has_rows: bool,
        /// The first row of the first page has the names of the columns.
        has_header: bool,
        /// Where the service keeps the result.
        location: Option<String>,
    },
    /// It failed, and why.
    Failed(String),
}

/// Columns, and rows as maps by column name.
struct ResultSet {
    columns: Vec<Value>,
    rows: Vec<Value>,
    /// The next row is the header.
    at_header: bool,
}

impl ResultSet {
    fn new(has_header: bool) -> Self {
        Self { columns: Vec::new(), rows: Vec::new(), at_header: has_header }
    }

    fn take(&mut self, service: &dyn SqlService, page: &Value) {
        if self.columns.is_empty() {
            self.columns = service.columns(page);
        }
        service.rows(page, self);
    }

    /// Types of the columns.
    fn types(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column["type"].as_str().unwrap_or_default())
    }

    fn push(&mut self, cells: impl Iterator<Item = Value>) {
        if std::mem::take(&mut self.at_header) {
            return;
        }
        let named =
            self.columns.iter().zip(cells).map(|(column, cell)| {
                (column["name"].as_str().unwrap_or_default().to_owned(), cell)
            });
        self.rows.push(Value::Object(named.collect()));
    }
}

impl Driver {
    /// See [`piton_script::host::Host::query`].
    pub(crate) fn run_query(&self, account: &AccountRef, spec: &QuerySpec) -> Result<Value, Halt> {
        let service = of(spec.engine);
        let (operation, token_member) = service.start();
        let call = self.without_literals(ScriptCall {
            account: account.clone(),
            service: service.service().to_owned(),
            operation: operation.to_owned(),
            all_pages: false,
            input: Value::Object(service.input(spec)),
            class: Class::Token,
            token_member: Some(token_member.to_owned()),
            place: spec.place.clone(),
        });
        let send = |driver: &Self, token: Option<&str>| {
            let sent = driver.send(&call, token)?;
            driver.await_statement(account, spec, service, &sent)
        };
        self.recorded_call(&call, &send)
    }

    fn await_statement(
        &self,
        account: &AccountRef,
        spec: &QuerySpec,
        service: &dyn SqlService,
        sent: &Answer,
    ) -> Result<Answer, Failure> {
        let id = service.id(&sent.output).clone();
        let give_up_at = self.now().after(spec.give_up);
        let (operation, input) = service.look(&id);
        let (result, location) = loop {
            let looked = self.ask_service(account, service, operation, input.clone())?;
            match service.progress(&looked) {
                Progress::Ended { has_rows, has_header, location } => {
                    let mut result = ResultSet::new(has_header);
                    if has_rows {
                        self.read_result(account, service, &id, &mut result)?;
                    }
                    break (result, location);
                }
                Progress::Failed(why) => {
                    return Err(failed(service, "StatementFailed", &why).into());
                }
                Progress::Running(state) if self.now() >= give_up_at => {
                    let text = format!("statement {id} is still {state}");
                    return Err(failed(service, "StatementTimedOut", &text).into());
                }
                Progress::Running(state) => self.wait_a_little(&spec.sql, &state)?,
            }
        };
        let keep = spec.keep.unwrap_or(if self.in_sandbox() { Keep::All } else { Keep::Digest });
        let output = self.kept(id, result, location, keep);
        Ok(Answer { output: Value::Object(output), request_id: sent.request_id.clone() })
    }

    /// What the script gets and the journal keeps of a result.
    fn kept(
        &self,
        id: Value,
        result: ResultSet,
        location: Option<String>,
        keep: Keep,
    ) -> Map<String, Value> {
        let ResultSet { columns, mut rows, .. } = result;
        let mut output = Map::new();
        output.insert("statement_id".to_owned(), id);
        output.insert("row_count".to_owned(), json!(rows.len()));
        let rows_text = Value::Array(rows.clone()).to_string();
        let digest = self.engine.sealing_key.keyed_digest(&self.run.0, &rows_text);
        output.insert("digest".to_owned(), json!(digest));
        output.insert("columns".to_owned(), Value::Array(columns));
        match keep {
            Keep::All => {}
            Keep::Sample => rows.truncate(SAMPLE),
            Keep::Digest => rows.clear(),
        }
        output.insert("rows".to_owned(), Value::Array(rows));
        if let Some(location) = location {
            output.insert("location".to_owned(), Value::String(location));
        }
        output
    }

    fn read_result(
        &self,
        account: &AccountRef,
        service: &dyn SqlService,
        id: &Value,
        result: &mut ResultSet,
    ) -> Result<(), Failure> {
        let (operation, mut input) = service.page(id);
        loop {
            let page = self.ask_service(account, service, operation, input.clone())?;
            result.take(service, &page);
            match part(&page, "NextToken") {
                Value::Null => return Ok(()),
                token => input["NextToken"] = token.clone(),
            }
        }
    }

    fn ask_service(
        &self,
        account: &AccountRef,
        service: &dyn SqlService,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        let call = Call {
            account: account.clone(),
            service: service.service().to_owned(),
            operation: operation.to_owned(),
            input,
        };
        let answer = self.send_fenced(&call)?;
        Ok(strip_absent(answer.output))
    }

    fn wait_a_little(&self, sql: &str, status: &str) -> Result<(), Halt> {
        let name: String = sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
        let at: Timestamp = self.now();
        let waiting = EventKind::Waiting {
            key: piton_core::key::Key::from_text(""),
            name,
            state: json!(status),
        };
        self.state().recorder.tell_now(at, waiting);
        if self.pass_time(EVERY) == Woken::Blocked {
            let reason = Reason::State { name: sql.to_owned(), state: json!(status) };
            return Err(self.suspend(&mut self.state(), reason));
        }
        self.check_stop(&mut self.state())
    }
}

fn of(engine: QueryEngine) -> &'static dyn SqlService {
    match engine {
        QueryEngine::DataApi => &data_api::DataApi,
        QueryEngine::Athena => &athena::Athena,
    }
}

/// A statement that the service refused: an outcome like any other.
fn failed(service: &dyn SqlService, code: &str, message: &str) -> CallFailure {
    CallFailure::Refused(AwsError {
        service: service.service().to_owned(),
        operation: service.start().0.to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
        http_status: None,
        request_id: None,
        retryable: false,
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}
