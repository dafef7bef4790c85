//! Starting, showing, listing and stopping statements.

use serde_json::{Value, json};

use super::store::{Caller, DONE, Ending, Execution, execution, executions};
use super::workgroups::{self, PRIMARY, Workgroup};
use super::{CATALOG, invalid, paging, text};
use crate::services::pages::texts;
use crate::services::redshift::uuid;
use crate::services::{AwsFault, Call, Reply, s3};
use crate::sql::SqlError;
use crate::sql::lake::{self, Kind, Statement};

/// StartQueryExecution.
pub(super) fn start(call: &Call<'_>) -> Reply {
    let workgroup = match call.text("WorkGroup") {
        "" => PRIMARY,
        name => name,
    };
    let workgroup = workgroups::named(call, workgroup)?;
    if !workgroup.enabled {
        return Err(invalid(format!("WorkGroup {} is disabled.", workgroup.name)));
    }
    let query = call.text("QueryString");
    let parameters = texts(call.input, "ExecutionParameters");
    let statement = read(query, &parameters)?;
    let folder = folder(call, &workgroup)?;
    let context = call.input.get("QueryExecutionContext").cloned().unwrap_or_else(|| json!({}));
    let catalog = text(&context, "Catalog");
    if !catalog.is_empty() && !catalog.eq_ignore_ascii_case(CATALOG) {
        return Err(invalid(format!("Catalog {catalog} does not exist.")));
    }
    let number = call.world.next_number("athena execution");
    let id = uuid(&format!("athena/{number}"));
    let execution = Execution {
        output: output(&statement, &folder, &id),
        number,
        query: query.to_owned(),
        parameters,
        kind: kind_word(statement.kind()).to_owned(),
        word: statement.word().to_owned(),
        enforced: workgroup.enforces() && !workgroup.output_location().is_empty(),
        workgroup: workgroup.name,
        database: match text(&context, "Database") {
            "" => "default".to_owned(),
            name => name.to_lowercase(),
        },
        context,
        folder,
        caller: Caller::of(call.principal),
        submitted: call.world.now_text(),
        completed: None,
        ending: None,
        reason: None,
        written: 0,
        scanned: 0,
        manifest: None,
        id,
    };
    let scope = call.scope();
    execution.save(call.world, &scope);
    call.world.schedule(call.now() + DONE, "athena", &scope, &json!({"execution": execution.id}));
    Ok(json!({"QueryExecutionId": execution.id}))
}

/// The statement of a text; what cannot be read is refused at once.
fn read(query: &str, parameters: &[String]) -> Result<Statement, AwsFault> {
    let parsed = match parameters.is_empty() {
        true => lake::parse(query),
        false => lake::with_parameters(query, parameters).and_then(|text| lake::parse(&text)),
    };
    parsed.map_err(|error| refused(&error))
}

fn refused(error: &SqlError) -> AwsFault {
    let message = error.to_string();
    let message = message.strip_prefix("ERROR: ").unwrap_or(&message);
    if message.contains("is not implemented in the sandbox") {
        return AwsFault {
            code: "NotImplementedInSandbox".to_owned(),
            message: message.to_owned(),
            status: Some(501),
        };
    }
    invalid(format!("line 1:1: {message}"))
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Ddl => "DDL",
        Kind::Dml => "DML",
        Kind::Utility => "UTILITY",
    }
}

/// Where a statement's results go: the workgroup's place when it insists, else the statement's.
fn folder(call: &Call<'_>, workgroup: &Workgroup) -> Result<String, AwsFault> {
    let given =
        call.input.get("ResultConfiguration").map_or("", |given| text(given, "OutputLocation"));
    let own = workgroup.output_location();
    let location =
        if given.is_empty() || workgroup.enforces() && !own.is_empty() { own } else { given };
    if location.is_empty() {
        return Err(invalid(
            "No output location provided. An output location is required either through the \
             Workgroup result configuration setting or as an API input.",
        ));
    }
    let Some((bucket, _)) = s3::split_uri(location) else {
        return Err(invalid("outputLocation is not a valid S3 path."));
    };
    match s3::bucket(call.world, bucket) {
        Some(found) if found.region == call.region => {
            Ok(format!("{}/", location.trim_end_matches('/')))
        }
        Some(_) => Err(invalid(format!(
            "The S3 location provided to save your query results is \
                                        invalid. Please check your S3 location is correct and is \
                                        in the same region and try again: {location}"
        ))),
        None => Err(invalid(format!("Unable to verify/create output bucket {bucket}"))),
    }
}

/// The result's own URI.
fn output(statement: &Statement, folder: &str, id: &str) -> String {
    match statement {
        Statement::Query(_) => format!("{folder}{id}.csv"),
        Statement::Insert { .. } => format!("{folder}{id}"),
        Statement::CreateTableAs { .. } => format!("{folder}tables/{id}"),
        _ => format!("{folder}{id}.txt"),
    }
}

/// The statement that a call names, or AWS's words for one that is not there.
pub(super) fn named(call: &Call<'_>, id: &str) -> Result<Execution, AwsFault> {
    execution(call.world, &call.scope(), id)
        .ok_or_else(|| invalid(format!("QueryExecution {id} was not found")))
}

/// GetQueryExecution.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let found = named(call, call.text("QueryExecutionId"))?;
    Ok(json!({"QueryExecution": shown(call, &found)}))
}

/// BatchGetQueryExecution.
pub(super) fn get_many(call: &Call<'_>) -> Reply {
    let (mut found, mut missing) = (vec![], vec![]);
    for id in texts(call.input, "QueryExecutionIds") {
        match named(call, &id) {
            Ok(execution) => found.push(shown(call, &execution)),
            Err(error) => missing.push(json!({
                "QueryExecutionId": id, "ErrorCode": "QUERY_NOT_FOUND", "ErrorMessage": error.message,
            })),
        }
    }
    Ok(json!({"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}))
}

fn shown(call: &Call<'_>, execution: &Execution) -> Value {
    let mut status = json!({
        "State": execution.state(call.now()), "SubmissionDateTime": execution.submitted,
    });
    if let Some(completed) = &execution.completed {
        status["CompletionDateTime"] = json!(completed);
    }
    if let Some(reason) = &execution.reason {
        status["StateChangeReason"] = json!(reason);
        if execution.ending == Some(Ending::Failed) {
            status["AthenaError"] = json!({
                "ErrorCategory": 2, "ErrorType": 1006, "Retryable": false, "ErrorMessage": reason,
            });
        }
    }
    let mut shown = json!({
        "QueryExecutionId": execution.id,
        "Query": execution.query,
        "StatementType": execution.kind,
        "SubstatementType": execution.word,
        "ResultConfiguration": {"OutputLocation": execution.output},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": false}},
        "QueryExecutionContext": execution.context,
        "Status": status,
        "Statistics": spent(execution),
        "WorkGroup": execution.workgroup,
        "EngineVersion": {
            "SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3",
        },
    });
    if !execution.parameters.is_empty() {
        shown["ExecutionParameters"] = json!(execution.parameters);
    }
    shown
}

/// What a statement took, in the proportions that Athena's statements have.
fn spent(execution: &Execution) -> Value {
    if execution.ending.is_none() {
        return json!({});
    }
    let total = DONE.whole_milliseconds();
    let (queue, planning, service) = (120, 210, 90);
    let mut spent = json!({
        "EngineExecutionTimeInMillis": total - queue - service,
        "DataScannedInBytes": execution.scanned,
        "TotalExecutionTimeInMillis": total,
        "QueryQueueTimeInMillis": queue,
        "QueryPlanningTimeInMillis": planning,
        "ServiceProcessingTimeInMillis": service,
        "ResultReuseInformation": {"ReusedPreviousResult": false},
    });
    if let Some(manifest) = &execution.manifest {
        spent["DataManifestLocation"] = json!(manifest);
    }
    spent
}

/// ListQueryExecutions: those of a workgroup, the last one first.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let workgroup = super::workgroup_of(call);
    workgroups::named(call, &workgroup)?;
    let ids = executions(call.world, &call.scope())
        .into_iter()
        .filter(|execution| execution.workgroup == workgroup)
        .map(|execution| json!(execution.id))
        .collect();
    paging(50).page(call, "QueryExecutionIds", ids)
}

/// StopQueryExecution: one that has ended stays as it is.
pub(super) fn stop(call: &Call<'_>) -> Reply {
    let mut found = named(call, call.text("QueryExecutionId"))?;
    if found.ending.is_none() {
        found.reason = Some("Query cancelled by user".to_owned());
        found.end(call.world, &call.scope(), Ending::Cancelled);
        call.world.note_change();
    }
    Ok(json!({}))
}

/// GetQueryRuntimeStatistics.
pub(super) fn statistics(call: &Call<'_>) -> Reply {
    let found = named(call, call.text("QueryExecutionId"))?;
    let spent = spent(&found);
    let pick = |members: &[&str]| -> Value {
        members
            .iter()
            .filter_map(|member| Some(((*member).to_owned(), spent.get(member)?.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let timeline = pick(&[
        "QueryQueueTimeInMillis",
        "QueryPlanningTimeInMillis",
        "EngineExecutionTimeInMillis",
        "ServiceProcessingTimeInMillis",
        "TotalExecutionTimeInMillis",
    ]);
    Ok(json!({"QueryRuntimeStatistics": {
        "Timeline": timeline,
        "Rows": {"InputBytes": found.scanned, "OutputRows": found.written},
    }}))
}
