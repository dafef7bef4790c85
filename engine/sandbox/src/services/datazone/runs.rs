//! Data source runs: reading the warehouse's catalogue into assets.
//!
//! A run reads what is really in the warehouse when it works, so a table that was dropped, a cluster
//! that was made again under the same name and a secret that lost its tag show here, as they do in
//! AWS.

use serde_json::{Value, json};
use time::Duration;

use super::assets::{Imported, Outcome, Table};
use super::room::{
    ACTIVITY, GRANT, RUN, Room, SOURCE, Visit, conflict, elements, flag, keep_equal, moment, page,
    text,
};
use super::sources::{to_change, to_look_at};
use super::standing::project_to_read;
use super::warehouse::{Relation, Storage, Warehouse};
use super::{assets, listings, outside, warehouse};
use crate::services::{AwsFault, Call, Reply};

/// AWS's quota of runs of one data source in a day.
const RUNS_A_DAY: usize = 25;

/// `StartDataSourceRun`.
pub(super) fn start(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (source, _) = to_change(&visit, call.text("dataSourceIdentifier"))?;
    let id = text(&source, "id");
    match text(&source, "status") {
        "READY" => {}
        status => return Err(conflict(format!("Data source {id} is {status}, not READY"))),
    }
    if quota_is_used(&visit.room, id) {
        return Err(AwsFault::new(
            "ServiceQuotaExceededException",
            format!("Data source {id} had {RUNS_A_DAY} runs within a day"),
        ));
    }
    Ok(begin(&visit.room, &source, "PRIORITIZED"))
}

/// Starts a run that a schedule asks for; one that cannot start now is left out.
pub(super) fn start_scheduled(room: &Room<'_>, source: &Value) {
    if text(source, "status") == "READY" && !quota_is_used(room, text(source, "id")) {
        begin(room, source, "SCHEDULED");
    }
}

fn quota_is_used(room: &Room<'_>, source: &str) -> bool {
    let since = room.now - Duration::days(1);
    let runs = room.list(RUN);
    let recent = runs.iter().filter(|run| {
        text(run, "dataSourceId") == source
            && moment(text(run, "createdAt")).is_some_and(|at| at > since)
    });
    recent.count() >= RUNS_A_DAY
}

fn begin(room: &Room<'_>, source: &Value, kind: &str) -> Value {
    let id = room.new_id("run");
    let run = json!({
        "id": id, "domainId": room.domain, "dataSourceId": source["id"],
        "projectId": source["projectId"], "type": kind, "status": "REQUESTED",
        "dataSourceConfigurationSnapshot": source["configuration"].to_string(),
        "createdAt": room.time(), "updatedAt": room.time(),
    });
    room.put(RUN, &run);
    let mut source = source.clone();
    source["status"] = json!("RUNNING");
    source["lastRunStatus"] = json!("REQUESTED");
    source["lastRunAt"] = json!(room.time());
    room.put(SOURCE, &source);
    room.after(3, "run_begins", &id);
    run
}

/// A requested run begins to read.
pub(super) fn begins(room: &Room<'_>, id: &str) {
    let Some(mut run) = room.find(RUN, id) else { return };
    run["status"] = json!("RUNNING");
    run["startedAt"] = json!(room.time());
    run["updatedAt"] = json!(room.time());
    room.put(RUN, &run);
    room.after(40, "run_ends", id);
}

/// Counts of what a run did.
#[derive(Debug, Default)]
struct Counts {
    added: usize,
    updated: usize,
    unchanged: usize,
    skipped: usize,
}

/// A run ends: its assets are there, or a reason.
pub(super) fn ends(room: &Room<'_>, id: &str) {
    let Some(mut run) = room.find(RUN, id) else { return };
    let Some(mut source) = room.find(SOURCE, text(&run, "dataSourceId")) else { return };
    let outcome = import(room, &source, id);
    let status = if outcome.is_ok() { "SUCCESS" } else { "FAILED" };
    run["status"] = json!(status);
    source["status"] = json!("READY");
    source["lastRunStatus"] = json!(status);
    match outcome {
        Ok(counts) => {
            run["runStatisticsForAssets"] = json!({
                "added": counts.added, "updated": counts.updated, "unchanged": counts.unchanged,
                "skipped": counts.skipped, "failed": 0,
            });
            source["lastRunAssetCount"] = json!(counts.added + counts.updated + counts.unchanged);
            source["lastRunErrorMessage"] = Value::Null;
        }
        Err((kind, detail)) => {
            let error = json!({ "errorType": kind, "errorDetail": detail });
            run["errorMessage"] = error.clone();
            source["lastRunErrorMessage"] = error;
        }
    }
    run["stoppedAt"] = json!(room.time());
    run["updatedAt"] = json!(room.time());
    source["updatedAt"] = json!(room.time());
    room.put(RUN, &run);
    room.put(SOURCE, &source);
}

/// A failure of a whole run: DataZone's kind of error and the detail.
type Failure = (&'static str, String);

fn import(room: &Room<'_>, source: &Value, run: &str) -> Result<Counts, Failure> {
    let configuration = &source["configuration"]["redshiftRunConfiguration"];
    let secret = text(&configuration["redshiftCredentialConfiguration"], "secretManagerArn");
    outside::manage_access_role(room, text(configuration, "dataAccessRole"))
        .and_then(|role| outside::readable_secret(room, &role, secret))
        .map_err(|reason| ("ACCESS_DENIED_EXCEPTION", reason))?;
    let storage = Storage::of_json(&configuration["redshiftStorage"])
        .ok_or_else(|| ("VALIDATION_EXCEPTION", "The source names no warehouse".to_owned()))?;
    let account = text(configuration, "accountId");
    let region = text(configuration, "region");
    let warehouse = warehouse::open(room, account, region, &storage, secret)
        .map_err(|reason| ("RESOURCE_NOT_FOUND_EXCEPTION", reason))?;
    let mut counts = Counts::default();
    for filter in elements(configuration, "relationalFilterConfigurations") {
        for relation in matching(room, &warehouse, filter)? {
            let table = Table {
                account: account.to_owned(),
                region: region.to_owned(),
                storage: storage.clone(),
                secret: secret.to_owned(),
                database: text(filter, "databaseName").to_owned(),
                schema: text(filter, "schemaName").to_owned(),
                relation,
            };
            let imported = assets::import(room, source, &table);
            note(room, source, run, &table, &imported);
            match imported.outcome {
                Outcome::Created => counts.added += 1,
                Outcome::Updated => counts.updated += 1,
                Outcome::Unchanged => counts.unchanged += 1,
                Outcome::AlreadyImported => counts.skipped += 1,
            }
        }
    }
    Ok(counts)
}

/// The relations that a filter takes, without those that grants put there.
fn matching(
    room: &Room<'_>,
    warehouse: &Warehouse<'_>,
    filter: &Value,
) -> Result<Vec<Relation>, Failure> {
    let schema = text(filter, "schemaName");
    let mut relations = warehouse
        .relations(text(filter, "databaseName"), schema)
        .map_err(|reason| ("RESOURCE_NOT_FOUND_EXCEPTION", reason))?;
    let granted = room.list(GRANT);
    relations.retain(|relation| {
        takes(elements(filter, "filterExpressions"), &relation.name)
            && !granted.iter().any(|grant| {
                text(grant, "_schema") == schema
                    && elements(grant, "assets")
                        .iter()
                        .any(|asset| text(asset, "targetName") == relation.name)
            })
    });
    Ok(relations)
}

/// Whether filter expressions take a name: some INCLUDE (or there is none) and no EXCLUDE.
fn takes(expressions: &[Value], name: &str) -> bool {
    let of = |kind: &'static str| {
        expressions.iter().filter(move |expression| text(expression, "type") == kind)
    };
    let matches = |expression: &Value| like(text(expression, "expression"), name);
    (of("INCLUDE").count() == 0 || of("INCLUDE").any(matches)) && !of("EXCLUDE").any(matches)
}

/// Whether a name matches a pattern in which `*` stands for anything.
pub(super) fn like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(name),
        Some((head, rest)) => name
            .get(..head.len())
            .filter(|start| start.eq_ignore_ascii_case(head))
            .is_some_and(|_| {
                (head.len()..=name.len())
                    .filter_map(|start| name.get(start..))
                    .any(|tail| like(rest, tail))
            }),
    }
}

fn note(room: &Room<'_>, source: &Value, run: &str, table: &Table, imported: &Imported) {
    let mut status = match imported.outcome {
        Outcome::Created => "SUCCEEDED_CREATED",
        Outcome::Updated => "SUCCEEDED_UPDATED",
        Outcome::Unchanged => "UNCHANGED",
        Outcome::AlreadyImported => "SKIPPED_ALREADY_IMPORTED",
    };
    let publish = flag(source, "publishOnImport")
        && matches!(imported.outcome, Outcome::Created | Outcome::Updated);
    if let (true, Some(asset)) = (publish, &imported.asset)
        && listings::publish(room, asset, text(source, "createdBy")).is_err()
    {
        status = "PUBLISHING_FAILED";
    }
    let id = room.new_id("act");
    let activity = json!({
        "id": id, "domainId": room.domain, "dataSourceRunId": run,
        "projectId": source["projectId"], "database": table.database,
        "technicalName": table.relation.name, "dataAssetStatus": status,
        "dataAssetId": imported.asset, "createdAt": room.time(), "updatedAt": room.time(),
    });
    room.put(ACTIVITY, &activity);
}

/// `GetDataSourceRun`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    named(&visit)
}

fn named(visit: &Visit<'_>) -> Result<Value, AwsFault> {
    let run = visit.room.get(RUN, visit.text("identifier"))?;
    project_to_read(visit, text(&run, "projectId"))?;
    Ok(run)
}

/// `ListDataSourceRuns`, newest first.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    to_look_at(&visit, call.text("dataSourceIdentifier"))?;
    let mut items = visit.room.list(RUN);
    keep_equal(call, &mut items, "dataSourceIdentifier", "dataSourceId");
    keep_equal(call, &mut items, "status", "status");
    items.reverse();
    page(call, "items", items, 50)
}

/// `ListDataSourceRunActivities`.
pub(super) fn activities(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    named(&visit)?;
    let mut items = visit.room.list(ACTIVITY);
    keep_equal(call, &mut items, "identifier", "dataSourceRunId");
    keep_equal(call, &mut items, "status", "dataAssetStatus");
    page(call, "items", items, 50)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn a_star_stands_for_anything_and_case_does_not_count() {
        assert!(like("*", "mkt_sls_table"));
        assert!(like("mkt_*_table", "MKT_SLS_TABLE"));
        assert!(!like("mkt_*", "rs_sls_tbl"));
        assert!(!like("mkt", "mkt_sls"));
    }
}
