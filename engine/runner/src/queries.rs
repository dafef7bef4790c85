//! `query`: one SQL statement through the Data API, awaited, as one entry.
//!
//! The statement is sent under the entry's token, so that a crash while it runs finds it again. It
//! is awaited and read by calls that are not recorded; what is recorded is what the script gets.

use piton_core::account::AccountRef;
use piton_core::catalogue::{Class, part};
use piton_core::event::EventKind;
use piton_core::ports::{Answer, AwsError, Call, CallFailure};
use piton_core::time::{Span, Timestamp};
use piton_script::host::{Halt, Keep, QuerySpec, ScriptCall};
use serde_json::{Map, Value, json};

use crate::calls::{Failure, strip_absent};
use crate::drive::Driver;

const SERVICE: &str = "redshift_data";
/// Time between looks at a running statement.
const EVERY: Span = Span::from_secs(2);
/// Rows that `sample` keeps.
const SAMPLE: usize = 10;

impl Driver {
    /// See [`piton_script::host::Host::query`].
    pub(crate) fn run_query(&self, account: &AccountRef, spec: &QuerySpec) -> Result<Value, Halt> {
        let mut input = spec.target.clone();
        input.insert("Sql".to_owned(), Value::String(spec.sql.clone()));
        if !spec.parameters.is_empty() {
            input.insert("Parameters".to_owned(), parameters(&spec.parameters));
        }
        let call = self.without_literals(ScriptCall {
            account: account.clone(),
            service: SERVICE.to_owned(),
            operation: "execute_statement".to_owned(),
            all_pages: false,
            input: Value::Object(input),
            class: Class::Token,
            token_member: Some("ClientToken".to_owned()),
            place: spec.place.clone(),
        });
        let keep = spec.keep.unwrap_or(if self.in_sandbox() { Keep::All } else { Keep::Digest });
        let send = |driver: &Self, token: Option<&str>| {
            let sent = driver.send(&call, token)?;
            driver.await_statement(account, spec, keep, &sent)
        };
        self.recorded_call(&call, &send)
    }

    fn await_statement(
        &self,
        account: &AccountRef,
        spec: &QuerySpec,
        keep: Keep,
        sent: &Answer,
    ) -> Result<Answer, Failure> {
        let id = sent.output["Id"].clone();
        let give_up_at = self.now().after(spec.give_up);
        let described = loop {
            let described = self.data_api(account, "describe_statement", json!({ "Id": id }))?;
            let status = described["Status"].as_str().unwrap_or_default().to_owned();
            match status.as_str() {
                "FINISHED" => break described,
                "FAILED" | "ABORTED" => {
                    let text = described["Error"].as_str().unwrap_or("it was aborted");
                    return Err(failed("StatementFailed", text).into());
                }
                _ if self.now() >= give_up_at => {
                    let text = format!("statement {id} is still {status}");
                    return Err(failed("StatementTimedOut", &text).into());
                }
                _ => {}
            }
            self.wait_a_little(&spec.sql, &status)?;
        };
        let mut output = Map::new();
        output.insert("statement_id".to_owned(), id.clone());
        let (columns, rows) = if described["HasResultSet"].as_bool().unwrap_or(false) {
            self.result_set(account, &id)?
        } else {
            (Vec::new(), Vec::new())
        };
        let text = Value::Array(rows.clone()).to_string();
        output.insert("row_count".to_owned(), json!(rows.len()));
        let digest = self.engine.sealing_key.keyed_digest(&self.run.0, &text);
        output.insert("digest".to_owned(), json!(digest));
        output.insert("columns".to_owned(), Value::Array(columns));
        let kept = match keep {
            Keep::All => rows,
            Keep::Sample => rows.into_iter().take(SAMPLE).collect(),
            Keep::Digest => Vec::new(),
        };
        output.insert("rows".to_owned(), Value::Array(kept));
        Ok(Answer { output: Value::Object(output), request_id: sent.request_id.clone() })
    }

    /// Columns, and rows as maps by column name.
    fn result_set(
        &self,
        account: &AccountRef,
        id: &Value,
    ) -> Result<(Vec<Value>, Vec<Value>), Failure> {
        let mut columns: Vec<Value> = Vec::new();
        let mut rows = Vec::new();
        let mut input = json!({ "Id": id });
        loop {
            let page = self.data_api(account, "get_statement_result", input.clone())?;
            if columns.is_empty() {
                columns = list(&page, "ColumnMetadata")
                    .iter()
                    .map(|column| json!({ "name": column["name"], "type": column["typeName"] }))
                    .collect();
            }
            for record in list(&page, "Records") {
                let cells = record.as_array().map_or(&[][..], Vec::as_slice);
                let named = columns.iter().zip(cells).map(|(column, cell)| {
                    (column["name"].as_str().unwrap_or_default().to_owned(), plain(cell))
                });
                rows.push(Value::Object(named.collect()));
            }
            match part(&page, "NextToken") {
                Value::Null => return Ok((columns, rows)),
                token => input["NextToken"] = token.clone(),
            }
        }
    }

    fn data_api(
        &self,
        account: &AccountRef,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        let call = Call {
            account: account.clone(),
            service: SERVICE.to_owned(),
            operation: operation.to_owned(),
            input,
        };
        let answer = self.wait_for(self.engine.ports.operations.perform(&call))?;
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
        self.pass_time(EVERY);
        self.check_stop(&mut self.state())
    }
}

/// A statement that the warehouse refused: an outcome like any other.
fn failed(code: &str, message: &str) -> CallFailure {
    CallFailure::Refused(AwsError {
        service: SERVICE.to_owned(),
        operation: "execute_statement".to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
        http_status: None,
        request_id: None,
        retryable: false,
    })
}

/// Named parameters as the Data API takes them: everything is text there.
fn parameters(given: &Map<String, Value>) -> Value {
    given
        .iter()
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            json!({ "name": name, "value": text })
        })
        .collect()
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

/// A cell, which is a one-key map, as plain data.
fn plain(cell: &Value) -> Value {
    match cell.as_object().and_then(|cell| cell.iter().next()) {
        Some((kind, _)) if kind == "isNull" => Value::Null,
        Some((_, value)) => value.clone(),
        None => Value::Null,
    }
}
