//! The Redshift Data API, as [`super::SqlService`] sees it.

use piton_core::catalogue::part;
use piton_script::host::QuerySpec;
use serde_json::{Map, Value, json};

use super::{Progress, ResultSet, SqlService, list, text};

/// See the module.
pub(super) struct DataApi;

impl SqlService for DataApi {
    fn service(&self) -> &'static str {
        "redshift_data"
    }

    fn start(&self) -> (&'static str, &'static str) {
        ("execute_statement", "ClientToken")
    }

    fn input(&self, spec: &QuerySpec) -> Map<String, Value> {
        let mut input = spec.target.clone();
        input.insert("Sql".to_owned(), Value::String(spec.sql.clone()));
        if !spec.parameters.is_empty() {
            input.insert("Parameters".to_owned(), parameters(&spec.parameters));
        }
        input
    }

    fn id<'a>(&self, started: &'a Value) -> &'a Value {
        &started["Id"]
    }

    fn look(&self, id: &Value) -> (&'static str, Value) {
        ("describe_statement", json!({ "Id": id }))
    }

    fn progress(&self, looked: &Value) -> Progress {
        match looked["Status"].as_str().unwrap_or_default() {
            "FINISHED" => Progress::Ended {
                has_rows: looked["HasResultSet"].as_bool().unwrap_or(false),
                has_header: false,
                location: None,
            },
            "FAILED" | "ABORTED" => {
                Progress::Failed(text(&looked["Error"]).unwrap_or("it was aborted").to_owned())
            }
            status => Progress::Running(status.to_owned()),
        }
    }

    fn page(&self, id: &Value) -> (&'static str, Value) {
        ("get_statement_result", json!({ "Id": id }))
    }

    fn columns(&self, page: &Value) -> Vec<Value> {
        let named = |column: &Value| json!({ "name": column["name"], "type": column["typeName"] });
        list(part(page, "ColumnMetadata")).iter().map(named).collect()
    }

    fn rows(&self, page: &Value, result: &mut ResultSet) {
        for record in list(part(page, "Records")) {
            result.push(list(record).iter().map(plain));
        }
    }
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

/// A cell, which is a one-key map, as plain data.
fn plain(cell: &Value) -> Value {
    match cell.as_object().and_then(|cell| cell.iter().next()) {
        Some((kind, _)) if kind == "isNull" => Value::Null,
        Some((_, value)) => value.clone(),
        None => Value::Null,
    }
}
