//! Submitting, running, showing, cancelling and listing statements.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::session::{Login, log_in};
use super::store::{DONE, Ending, KIND, Part, Statement, found, is_kept, part_index, save_result};
use super::validation;
use crate::services::redshift::{EndpointName, endpoint, uuid};
use crate::services::{AwsFault, Call, Reply};
use crate::sql::{self, ResultSet, SqlError, Warehouse};
use crate::world::{Due, Scope, World, timestamp};

/// Bytes of the longest statement.
const LONGEST: usize = 100 * 1024;

/// Statements of one account that may wait or run at a time.
const ACTIVE_LIMIT: usize = 500;

/// ExecuteStatement and BatchExecuteStatement.
pub(super) fn submit(call: &Call<'_>) -> Reply {
    let is_batch = call.operation == "BatchExecuteStatement";
    let sqls: Vec<String> = match is_batch {
        true => texts(call.input, "Sqls"),
        false => vec![call.text("Sql").to_owned()],
    };
    if sqls.iter().any(|sql| sql.len() > LONGEST) {
        return Err(validation("The SQL statement exceeds the maximum size of 100 KB."));
    }
    let parameters = parameters(call.input, &sqls)?;
    let Login { target, namespace, warehouse: _, database, user, secret_arn } = log_in(call)?;
    let scope = call.scope();
    refuse_too_many(call, &scope)?;
    let number = call.world.next_number("redshift statement");
    let now = call.now();
    let statement = Statement {
        id: uuid(&format!("statement/{number}")),
        number,
        owner: call.principal.user_id.clone(),
        identity: call.principal.identity_arn.clone(),
        auto_commit: call.text("ExecutionMode") == "AUTO_COMMIT",
        name: Some(call.text("StatementName")).filter(|name| !name.is_empty()).map(str::to_owned),
        target,
        namespace,
        db_user: Some(call.text("DbUser")).filter(|user| !user.is_empty()).map(str::to_owned),
        csv: call.text("ResultFormat") == "CSV",
        created: now,
        updated: now,
        ended: None,
        error: None,
        parts: vec![],
        sqls,
        is_batch,
        database,
        user,
        secret_arn,
        parameters,
    };
    statement.save(call.world, &scope);
    call.world.schedule(now + DONE, "redshift_data", &scope, &json!({"statement": statement.id}));
    let mut output = json!({
        "Id": statement.id,
        "CreatedAt": timestamp(now),
        "Database": statement.database,
    });
    statement.show_target(&mut output);
    sign_in_members(&statement, &mut output);
    Ok(output)
}

fn sign_in_members(statement: &Statement, output: &mut Value) {
    if let Some(arn) = &statement.secret_arn {
        output["SecretArn"] = json!(arn);
    } else if let Some(user) = statement.db_user.as_ref().or(statement.user.as_ref().ok()) {
        output["DbUser"] = json!(user);
    }
}

fn refuse_too_many(call: &Call<'_>, scope: &Scope) -> Result<(), AwsFault> {
    let active = call
        .world
        .list::<Statement>(scope, KIND)
        .iter()
        .filter(|statement| statement.ended.is_none())
        .count();
    if active < ACTIVE_LIMIT {
        return Ok(());
    }
    Err(AwsFault::new(
        "ActiveStatementsExceededException",
        format!("Active statements exceeded the allowed quota ({ACTIVE_LIMIT})."),
    ))
}

fn texts(input: &Value, member: &str) -> Vec<String> {
    let list = input.get(member).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The parameters: every one that is used is given, and every one that is given is used.
fn parameters(input: &Value, sqls: &[String]) -> Result<Vec<(String, String)>, AwsFault> {
    let text = |parameter: &Value, member: &str| {
        parameter.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let list = input.get("Parameters").and_then(Value::as_array);
    let given: Vec<(String, String)> = list
        .into_iter()
        .flatten()
        .map(|parameter| (text(parameter, "name"), text(parameter, "value")))
        .collect();
    let used: Vec<String> = sqls.iter().flat_map(|sql| sql::parameter_names(sql)).collect();
    if let Some(missing) = used.iter().find(|name| !given.iter().any(|(known, _)| known == *name)) {
        return Err(validation(format!("Cannot find parameter: {missing}")));
    }
    let unused: Vec<&str> = given
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !used.iter().any(|u| u == name))
        .collect();
    if unused.is_empty() {
        return Ok(given);
    }
    Err(validation(format!(
        "Parameters list contains unused parameters. Unused parameters: [{}]",
        unused.join(", ")
    )))
}

/// Runs a statement whose moment has come, unless it was cancelled before.
pub(super) fn run(world: &World<'_>, due: &Due) {
    let id = due.event.get("statement").and_then(Value::as_str).unwrap_or_default();
    let Some(mut statement) = world.get::<Statement>(&due.scope, KIND, id) else { return };
    if statement.ended.is_some() {
        return;
    }
    let error = match open(world, &due.scope, &statement) {
        Ok((user, mut warehouse)) => {
            perform(world, &due.scope, &mut statement, &user, &mut warehouse)
        }
        Err(error) => {
            statement.parts = statement.sqls.iter().map(|_| Part::aborted()).collect();
            Some(error)
        }
    };
    let ending = if error.is_some() { Ending::Failed } else { Ending::Finished };
    statement.error = error;
    statement.end(world, &due.scope, ending, due.at);
}

/// The warehouse, when what it is reached by is still the same and answers, and the sign-in worked.
fn open<'w>(
    world: &'w World<'w>,
    scope: &Scope,
    statement: &Statement,
) -> Result<(String, Warehouse<'w>), String> {
    let answers = endpoint(world, scope, &statement.target)
        .is_some_and(|found| found.namespace == statement.namespace && found.answers());
    let warehouse = Warehouse::open(world, &statement.namespace).filter(|_| answers);
    let warehouse = warehouse.ok_or("Connection refused. The cluster is not available.")?;
    let user = statement.user.clone()?;
    if warehouse.databases().contains(&statement.database) {
        Ok((user, warehouse))
    } else {
        Err(format!("FATAL: database \"{}\" does not exist", statement.database))
    }
}

/// Runs the texts of a statement and fills in its parts; the error that ended it, if one did.
fn perform(
    world: &World<'_>,
    scope: &Scope,
    statement: &mut Statement,
    user: &str,
    warehouse: &mut Warehouse<'_>,
) -> Option<String> {
    let sqls = statement.sqls.clone();
    let mut results: Vec<Result<ResultSet, SqlError>> = vec![];
    let one = |warehouse: &mut Warehouse<'_>, sql: &str| {
        warehouse.execute(user, &statement.database, sql, &statement.parameters)
    };
    if statement.auto_commit {
        for sql in &sqls {
            let result = one(warehouse, sql);
            let failed = result.is_err();
            results.push(result);
            if failed {
                break;
            }
        }
    } else {
        // An error takes everything back: only the text that failed is told apart.
        let whole = warehouse.atomically(|warehouse| -> Result<(), SqlError> {
            for sql in &sqls {
                results.push(Ok(one(warehouse, sql)?));
            }
            Ok(())
        });
        if let Err(error) = whole {
            statement.parts = vec![Part::aborted(); results.len()];
            results = vec![Err(error)];
        }
    }
    let error = record(world, scope, statement, &results);
    while statement.parts.len() < sqls.len() {
        statement.parts.push(Part::aborted());
    }
    error
}

/// Adds the parts of what was run; the error among them, if there is one.
fn record(
    world: &World<'_>,
    scope: &Scope,
    statement: &mut Statement,
    results: &[Result<ResultSet, SqlError>],
) -> Option<String> {
    let mut failure = None;
    for result in results {
        let index = statement.parts.len();
        statement.parts.push(match result {
            Ok(result) => {
                if result.is_query {
                    save_result(world, scope, statement, index, result);
                }
                Part {
                    ended: Ending::Finished,
                    error: None,
                    is_query: result.is_query,
                    rows: result.affected,
                    size: super::results::size(result),
                }
            }
            Err(error) => {
                failure = Some(match statement.is_batch {
                    true => format!("Query #{} failed with {error}", index + 1),
                    false => error.to_string(),
                });
                Part { ended: Ending::Failed, error: Some(error.to_string()), ..Part::aborted() }
            }
        });
    }
    failure
}

/// DescribeStatement.
pub(super) fn describe(call: &Call<'_>) -> Reply {
    let id = call.text("Id");
    let statement = found(call, id)?;
    let index = part_index(&statement, id);
    if index.is_none() && id.contains(':') {
        return Err(AwsFault::new(
            "ResourceNotFoundException",
            format!("Query {id} does not exist."),
        ));
    }
    let mut shown = json!({
        "Id": id,
        "Status": statement.status(call.now()),
        "Database": statement.database,
        "CreatedAt": timestamp(statement.created),
        "UpdatedAt": timestamp(statement.updated),
        "Duration": duration(&statement),
        "RedshiftPid": 1_073_750_000 + statement.number,
        "RedshiftQueryId": query_id(&statement, index.unwrap_or(0)),
        "HasResultSet": false,
        "ResultRows": -1,
        "ResultSize": -1,
        "ResultFormat": if statement.csv { "CSV" } else { "JSON" },
    });
    statement.show_target(&mut shown);
    sign_in_members(&statement, &mut shown);
    if !statement.parameters.is_empty() {
        shown["QueryParameters"] = statement
            .parameters
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
    }
    if let Some(error) = &statement.error {
        shown["Error"] = json!(error);
    }
    match index {
        Some(index) => {
            shown["QueryString"] = json!(statement.sqls[index]);
            if let Some(part) = statement.parts.get(index) {
                part_members(part, &mut shown);
                if statement.is_batch {
                    shown["Status"] = json!(part.ended.word());
                }
            }
        }
        None => {
            let has_result = statement.parts.iter().any(|part| part.is_query);
            shown["HasResultSet"] = json!(has_result);
            shown["SubStatements"] = (0..statement.sqls.len())
                .map(|index| part(&statement, index, call.now()))
                .collect();
        }
    }
    Ok(shown)
}

fn query_id(statement: &Statement, index: usize) -> u64 {
    statement.number * 100 + u64::try_from(index).unwrap_or(0)
}

/// Nanoseconds that it ran; -1 until it has ended.
fn duration(statement: &Statement) -> i64 {
    match statement.ended {
        None => -1,
        Some(_) => {
            i64::try_from((statement.updated - statement.created).whole_nanoseconds()).unwrap_or(-1)
        }
    }
}

fn part_members(part: &Part, shown: &mut Value) {
    let finished = part.ended == Ending::Finished;
    shown["HasResultSet"] = json!(finished && part.is_query);
    if finished {
        shown["ResultRows"] = json!(part.rows);
        shown["ResultSize"] = json!(part.size);
    }
    if let Some(error) = &part.error {
        shown["Error"] = json!(error);
    }
}

/// One text of a batch.
fn part(statement: &Statement, index: usize, now: OffsetDateTime) -> Value {
    let mut shown = json!({
        "Id": format!("{}:{}", statement.id, index + 1),
        "QueryString": statement.sqls[index],
        "Status": statement.status(now),
        "CreatedAt": timestamp(statement.created),
        "UpdatedAt": timestamp(statement.updated),
        "Duration": duration(statement),
        "RedshiftQueryId": query_id(statement, index),
        "HasResultSet": false,
        "ResultRows": -1,
        "ResultSize": -1,
    });
    if let Some(part) = statement.parts.get(index) {
        shown["Status"] = json!(part.ended.word());
        part_members(part, &mut shown);
    }
    shown
}

/// CancelStatement: what has not run never will.
pub(super) fn cancel(call: &Call<'_>) -> Reply {
    let mut statement = found(call, call.text("Id"))?;
    if let Some(ending) = statement.ended {
        return Err(validation(format!(
            "Could not cancel a query that is already in {} state with ID: {}",
            ending.word(),
            statement.id
        )));
    }
    statement.parts = statement.sqls.iter().map(|_| Part::aborted()).collect();
    statement.error = Some("Query is cancelled by user.".to_owned());
    statement.end(call.world, &call.scope(), Ending::Aborted, call.now());
    Ok(json!({"Status": true}))
}

/// Whether a statement ran where the call asks, when it does.
fn of_target(call: &Call<'_>, statement: &Statement) -> bool {
    match (call.text("ClusterIdentifier"), call.text("WorkgroupName"), &statement.target) {
        ("", "", _) => true,
        (cluster, "", EndpointName::Cluster(name)) => cluster == name,
        ("", workgroup, EndpointName::Workgroup(name)) => workgroup == name,
        _ => false,
    }
}

/// ListStatements: the caller's own of the last day, newest first; finished ones unless the call
/// asks for others.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let now = call.now();
    let status = match call.text("Status") {
        "" => "FINISHED",
        status => status,
    };
    let role_level = call.input.get("RoleLevel").and_then(Value::as_bool).unwrap_or(true);
    let principal = call.principal;
    let wanted = |statement: &Statement| {
        let own = match role_level {
            true => statement.identity == principal.identity_arn,
            false => statement.owner == principal.user_id,
        };
        let matches =
            |member: &str, value: &str| call.text(member).is_empty() || call.text(member) == value;
        own && is_kept(statement, now)
            && (status == "ALL" || statement.status(now) == status)
            && statement.name.as_deref().unwrap_or_default().starts_with(call.text("StatementName"))
            && matches("Database", &statement.database)
            && of_target(call, statement)
    };
    let mut statements: Vec<Statement> = call.world.list(&call.scope(), KIND);
    statements.retain(wanted);
    statements.reverse();
    let items = statements.iter().map(|statement| {
        let mut shown = json!({
            "Id": statement.id,
            "Status": statement.status(now),
            "CreatedAt": timestamp(statement.created),
            "UpdatedAt": timestamp(statement.updated),
            "IsBatchStatement": statement.is_batch,
            "ResultFormat": if statement.csv { "CSV" } else { "JSON" },
        });
        if statement.is_batch {
            shown["QueryStrings"] = json!(statement.sqls);
        } else {
            shown["QueryString"] = json!(statement.sqls.join("; "));
        }
        if let Some(name) = &statement.name {
            shown["StatementName"] = json!(name);
        }
        if let Some(arn) = &statement.secret_arn {
            shown["SecretArn"] = json!(arn);
        }
        shown
    });
    super::results::page(call, "Statements", items.collect(), 100)
}
