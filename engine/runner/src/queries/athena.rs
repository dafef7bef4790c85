//! Athena, as [`super::SqlService`] sees it.
//!
//! Athena answers text in every cell; the column's type says what it is. What plain data cannot hold
//! exactly, such as decimals and times, stays text, as in the Data API.

use piton_core::catalogue::part;
use piton_script::host::QuerySpec;
use serde_json::{Map, Number, Value, json};

use super::{Progress, ResultSet, SqlService, list, text};

/// See the module.
pub(super) struct Athena;

impl SqlService for Athena {
    fn service(&self) -> &'static str {
        "athena"
    }

    fn start(&self) -> (&'static str, &'static str) {
        ("start_query_execution", "ClientRequestToken")
    }

    fn input(&self, spec: &QuerySpec) -> Map<String, Value> {
        let mut context = spec.target.clone();
        let mut input = Map::new();
        if let Some(workgroup) = context.remove("WorkGroup") {
            input.insert("WorkGroup".to_owned(), workgroup);
        }
        input.insert("QueryString".to_owned(), Value::String(spec.sql.clone()));
        input.insert("QueryExecutionContext".to_owned(), Value::Object(context));
        input
    }

    fn id<'a>(&self, started: &'a Value) -> &'a Value {
        &started["QueryExecutionId"]
    }

    fn look(&self, id: &Value) -> (&'static str, Value) {
        ("get_query_execution", json!({ "QueryExecutionId": id }))
    }

    fn progress(&self, looked: &Value) -> Progress {
        let execution = &looked["QueryExecution"];
        let status = &execution["Status"];
        match status["State"].as_str().unwrap_or_default() {
            "SUCCEEDED" => {
                let kind = text(&execution["StatementType"]).unwrap_or("DML");
                let location = text(&execution["ResultConfiguration"]["OutputLocation"]);
                Progress::Ended {
                    has_rows: kind != "DDL",
                    has_header: kind == "DML",
                    location: location.map(str::to_owned),
                }
            }
            "FAILED" | "CANCELLED" => {
                let said = text(&status["StateChangeReason"])
                    .or_else(|| text(&status["AthenaError"]["ErrorMessage"]));
                Progress::Failed(said.unwrap_or("it was cancelled").to_owned())
            }
            state => Progress::Running(state.to_owned()),
        }
    }

    fn page(&self, id: &Value) -> (&'static str, Value) {
        ("get_query_results", json!({ "QueryExecutionId": id }))
    }

    fn columns(&self, page: &Value) -> Vec<Value> {
        let named = |column: &Value| json!({ "name": column["Name"], "type": column["Type"] });
        list(part(page, "ResultSet.ResultSetMetadata.ColumnInfo")).iter().map(named).collect()
    }

    fn rows(&self, page: &Value, result: &mut ResultSet) {
        for row in list(part(page, "ResultSet.Rows")) {
            let types: Vec<String> = result.types().map(str::to_owned).collect();
            let cells = list(part(row, "Data")).iter().zip(&types);
            result.push(cells.map(|(cell, kind)| typed(text(&cell["VarCharValue"]), kind)));
        }
    }
}

/// A cell's text by its column's type.
fn typed(cell: Option<&str>, kind: &str) -> Value {
    let Some(cell) = cell else { return Value::Null };
    let as_text = || Value::String(cell.to_owned());
    match kind {
        "tinyint" | "smallint" | "integer" | "int" | "bigint" => {
            cell.parse::<i64>().map_or_else(|_| as_text(), Value::from)
        }
        "float" | "real" | "double" => {
            cell.parse().ok().and_then(Number::from_f64).map_or_else(as_text, Value::Number)
        }
        "boolean" => cell.parse::<bool>().map_or_else(|_| as_text(), Value::Bool),
        _ => as_text(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Athena, typed};
    use crate::queries::{Progress, ResultSet, SqlService as _};

    #[test]
    fn cells_have_the_types_of_their_columns() {
        assert_eq!(typed(Some("12"), "integer"), json!(12));
        assert_eq!(typed(Some("1.5"), "double"), json!(1.5));
        assert_eq!(typed(Some("NaN"), "double"), json!("NaN"));
        assert_eq!(typed(Some("true"), "boolean"), json!(true));
        assert_eq!(typed(Some("17.20"), "decimal(7,2)"), json!("17.20"));
        assert_eq!(typed(None, "varchar"), Value::Null);
    }

    #[test]
    fn the_names_above_the_first_rows_are_no_row() {
        let page = json!({ "ResultSet": {
            "ResultSetMetadata": { "ColumnInfo": [{ "Name": "n", "Type": "integer" }] },
            "Rows": [{ "Data": [{ "VarCharValue": "n" }] }, { "Data": [{ "VarCharValue": "7" }] }],
        }});
        let mut result = ResultSet::new(true);
        result.take(&Athena, &page);
        assert_eq!(result.rows, [json!({ "n": 7 })]);
    }

    #[test]
    fn what_makes_a_table_has_no_rows() {
        let looked = json!({ "QueryExecution": {
            "Status": { "State": "SUCCEEDED" }, "StatementType": "DDL",
        }});
        let Progress::Ended { has_rows, .. } = Athena.progress(&looked) else {
            panic!("it has ended");
        };
        assert!(!has_rows);
    }
}
