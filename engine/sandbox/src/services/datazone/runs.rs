//! Data source runs: reading a catalogue into assets. What there is to read is `finds`'s part.

use serde_json::{Value, json};
use time::Duration;

use super::assets::{Find, Imported, Outcome};
use super::finds::{Failure, Refused};
use super::room::{
    ACTIVITY, RUN, Room, SOURCE, Visit, conflict, flag, keep_equal, moment, page, text,
};
use super::sources::{to_change, to_look_at};
use super::standing::project_to_read;
use super::{assets, finds, listings};
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

fn import(room: &Room<'_>, source: &Value, run: &str) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    for found in finds::of_source(room, source)? {
        let found = match found {
            Ok(found) => found,
            Err(refused) => {
                note_refused(room, source, run, &refused);
                counts.skipped += 1;
                continue;
            }
        };
        let imported = assets::import(room, source, &found);
        note(room, source, run, &found, &imported);
        match imported.outcome {
            Outcome::Created => counts.added += 1,
            Outcome::Updated => counts.updated += 1,
            Outcome::Unchanged => counts.unchanged += 1,
            Outcome::AlreadyImported => counts.skipped += 1,
        }
    }
    Ok(counts)
}

fn note(room: &Room<'_>, source: &Value, run: &str, found: &Find, imported: &Imported) {
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
    let mut activity = activity(room, source, run, (&found.database, &found.name), status);
    activity["dataAssetId"] = json!(imported.asset);
    room.put(ACTIVITY, &activity);
}

fn note_refused(room: &Room<'_>, source: &Value, run: &str, refused: &Refused) {
    let named = (refused.database.as_str(), refused.name.as_str());
    let mut activity = activity(room, source, run, named, "SKIPPED_NO_ACCESS");
    activity["errorMessage"] = json!({
        "errorType": "ACCESS_DENIED_EXCEPTION", "errorDetail": refused.reason,
    });
    room.put(ACTIVITY, &activity);
}

fn activity(
    room: &Room<'_>,
    source: &Value,
    run: &str,
    (database, name): (&str, &str),
    status: &str,
) -> Value {
    json!({
        "id": room.new_id("act"), "domainId": room.domain, "dataSourceRunId": run,
        "projectId": source["projectId"], "database": database, "technicalName": name,
        "dataAssetStatus": status, "createdAt": room.time(), "updatedAt": room.time(),
    })
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
