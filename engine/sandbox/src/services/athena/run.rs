//! A statement whose moment has come.
//!
//! What a statement does is one with the event that runs it; a failure takes all of it back.

use serde_json::Value;

use super::ddl::NewDatabase;
use super::lake::{Failure, Run, failed};
use super::results;
use super::store::{Ending, Execution, execution, save_result};
use super::write::TableAs;
use crate::people::Principal;
use crate::services::s3;
use crate::sql::ResultSet;
use crate::sql::lake::{self, Statement};
use crate::world::{Due, Scope, World};

/// Runs a statement, unless it was cancelled before.
pub(super) fn run(world: &World<'_>, due: &Due) {
    let id = due.event.get("execution").and_then(Value::as_str).unwrap_or_default();
    let Some(mut known) = execution(world, &due.scope, id) else { return };
    if known.ending.is_some() {
        return;
    }
    let principal = known.caller.principal();
    let ending = match whole(world, &due.scope, &principal, &known) {
        Ok(done) => {
            save_result(world, &due.scope, id, &done.result);
            known.written = done.result.affected;
            known.scanned = done.scanned;
            known.manifest = done.manifest;
            Ending::Succeeded
        }
        Err(Failure(reason)) => {
            known.reason = Some(reason);
            Ending::Failed
        }
    };
    known.end(world, &due.scope, ending);
}

/// What a statement did.
struct Done {
    result: ResultSet,
    scanned: usize,
    manifest: Option<String>,
}

/// The whole statement, or nothing of it.
fn whole(
    world: &World<'_>,
    scope: &Scope,
    principal: &Principal,
    known: &Execution,
) -> Result<Done, Failure> {
    let mark = |sql: &str| {
        world
            .connection()
            .execute_batch(sql)
            .map_err(|error| Failure(format!("INTERNAL_ERROR: {error}")))
    };
    mark("SAVEPOINT athena")?;
    let mut run =
        Run { world, scope, principal, execution: known, scanned: 0, written: Vec::new() };
    let done = perform(&mut run).and_then(|result| {
        let manifest = leave(&run, &result)?;
        Ok(Done { result, scanned: run.scanned, manifest })
    });
    mark(if done.is_ok() { "RELEASE athena" } else { "ROLLBACK TO athena; RELEASE athena" })?;
    done
}

fn perform(run: &mut Run<'_>) -> Result<ResultSet, Failure> {
    let (sql, parameters) = (&run.execution.query, &run.execution.parameters);
    let statement = match parameters.is_empty() {
        true => lake::parse(sql)?,
        false => lake::parse(&lake::with_parameters(sql, parameters)?)?,
    };
    let wrote = |affected: usize| ResultSet { affected, ..ResultSet::default() };
    Ok(match &statement {
        Statement::Query(query) => ResultSet { affected: 0, ..run.query(query)? },
        Statement::Insert { table, columns, query } => wrote(run.insert(table, columns, query)?),
        Statement::CreateTableAs { table, if_not_exists, properties, query, with_data } => {
            wrote(run.create_as(&TableAs {
                table,
                if_not_exists: *if_not_exists,
                properties,
                query,
                with_data: *with_data,
            })?)
        }
        Statement::Show(show) => run.show(show)?,
        other => {
            define(run, other)?;
            ResultSet::default()
        }
    })
}

/// Statements that change the catalogue and no rows.
fn define(run: &mut Run<'_>, statement: &Statement) -> Result<(), Failure> {
    match statement {
        Statement::CreateExternalTable { table, if_not_exists, definition } => {
            run.create_external(table, *if_not_exists, definition)
        }
        Statement::CreateView { view, or_replace, query } => {
            run.create_view(view, *or_replace, query)
        }
        Statement::CreateDatabase { name, if_not_exists, comment, location, properties } => run
            .create_database(&NewDatabase {
                name,
                if_not_exists: *if_not_exists,
                comment: comment.as_deref(),
                location: location.as_deref(),
                properties,
            }),
        Statement::DropDatabase { name, if_exists, cascade } => {
            run.drop_database(name, *if_exists, *cascade)
        }
        Statement::DropTable { table, if_exists } => run.drop_table(table, *if_exists, false),
        Statement::DropView { view, if_exists } => run.drop_table(view, *if_exists, true),
        Statement::AddPartitions { table, if_not_exists, partitions } => {
            run.add_partitions(table, *if_not_exists, partitions)
        }
        Statement::DropPartitions { table, if_exists, partitions } => {
            run.drop_partitions(table, *if_exists, partitions)
        }
        Statement::SetProperties { table, properties } => run.set_properties(table, properties),
        Statement::SetLocation { table, location } => run.set_location(table, location),
        Statement::Repair(table) => run.repair(table),
        Statement::Query(_)
        | Statement::Insert { .. }
        | Statement::CreateTableAs { .. }
        | Statement::Show(_) => failed("INTERNAL_ERROR: this statement defines nothing"),
    }
}

/// Leaves the result in Amazon S3; the URI of the list of the files that were written.
fn leave(run: &Run<'_>, result: &ResultSet) -> Result<Option<String>, Failure> {
    let output = &run.execution.output;
    let (uri, text) = match run.execution.word.as_str() {
        "SELECT" => (output.clone(), results::csv(result)),
        "INSERT" | "CREATE_TABLE_AS_SELECT" => {
            let mut list = run.written.join("\n");
            list.push('\n');
            (format!("{output}-manifest.csv"), list)
        }
        _ => (output.clone(), results::plain(result)),
    };
    run.allowed("s3:PutObject", &run.execution.folder).map_err(|_denied| {
        Failure(format!(
            "Access denied when writing output to url: {uri} . Please ensure you are allowed to \
             access the S3 bucket. If you are encrypting query results with KMS key, please ensure \
             you are allowed to access your KMS key"
        ))
    })?;
    let Some((bucket, key)) = s3::split_uri(&uri) else {
        return failed(format!("{uri} is not a valid S3 path"));
    };
    s3::put_object(run.world, bucket, key, text.as_bytes(), "application/octet-stream")?;
    Ok((uri != *output).then_some(uri))
}
