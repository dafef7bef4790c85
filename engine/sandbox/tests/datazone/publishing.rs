//! Data sources, runs, business names and listings.

use serde_json::{Value, json};

use crate::stage::{Stage, conflict, forbidden, invalid, text};

fn asset(stage: &Stage, id: &str) -> Value {
    stage.ask(&stage.publisher, "GetAsset", json!({ "identifier": id }))
}

fn found(stage: &Stage, words: &str) -> Vec<String> {
    let answer = stage.ask(&stage.subscriber, "SearchListings", json!({ "searchText": words }));
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| text(&item["assetListing"], "name").to_owned()).collect()
}

#[test]
fn a_run_imports_what_is_in_the_warehouse() {
    let stage = Stage::new().with_environments();
    let source = stage.source("sales", "mkt_*");
    let run = stage.run(&source);
    assert_eq!(run["status"], "SUCCESS");
    assert_eq!(run["type"], "PRIORITIZED");
    assert_eq!(run["runStatisticsForAssets"]["added"], 1);
    let activities = stage.activities(&run);
    assert_eq!(activities.len(), 1);
    let (name, status, id) = &activities[0];
    assert_eq!((name.as_str(), status.as_str()), ("mkt_sls_table", "SUCCEEDED_CREATED"));
    let asset = asset(&stage, id.as_ref().unwrap());
    assert_eq!(asset["typeIdentifier"], "amazon.datazone.RedshiftTableAssetType");
    let form: Value = serde_json::from_str(text(&asset["formsOutput"][0], "content")).unwrap();
    assert_eq!(form["columns"][0], json!({ "columnName": "ord_num", "dataType": "integer" }));
    assert_eq!(form["columns"].as_array().unwrap().len(), 3);
}

#[test]
fn a_second_run_finds_changes_and_another_source_finds_nothing_new() {
    let stage = Stage::new().with_environments();
    let source = stage.source("sales", "*");
    let first = stage.activities(&stage.run(&source));
    assert_eq!(first.len(), 2);
    stage.master_sql("ALTER TABLE sales.ctlg ADD COLUMN page INTEGER");
    let second = stage.activities(&stage.run(&source));
    let status = |name: &str| second.iter().find(|(table, ..)| table == name).unwrap().1.clone();
    assert_eq!(status("ctlg"), "SUCCEEDED_UPDATED");
    assert_eq!(status("mkt_sls_table"), "UNCHANGED");
    let other = stage.activities(&stage.run(&stage.source("again", "*")));
    assert!(
        other
            .iter()
            .all(|(_, status, asset)| { status == "SKIPPED_ALREADY_IMPORTED" && asset.is_none() })
    );
}

#[test]
fn a_run_over_a_schema_that_is_gone_fails() {
    let stage = Stage::new().with_environments();
    let source = stage.source("sales", "*");
    stage.master_sql("DROP SCHEMA sales CASCADE");
    let run = stage.run(&source);
    assert_eq!(run["status"], "FAILED");
    assert_eq!(run["errorMessage"]["errorType"], "RESOURCE_NOT_FOUND_EXCEPTION");
    let found = stage.ask(&stage.publisher, "GetDataSource", json!({ "identifier": source }));
    assert_eq!(found["status"], "READY");
    assert_eq!(found["lastRunStatus"], "FAILED");
}

#[test]
fn one_run_at_a_time_and_twenty_five_a_day() {
    let stage = Stage::new().with_environments();
    let source = stage.source("sales", "ctlg");
    let input = json!({ "dataSourceIdentifier": source });
    stage.ask(&stage.publisher, "StartDataSourceRun", input.clone());
    assert_eq!(stage.refused(&stage.publisher, "StartDataSourceRun", input.clone()), conflict());
    stage.pass(60);
    for _ in 0..24 {
        stage.run(&source);
    }
    let answer = stage.refused(&stage.publisher, "StartDataSourceRun", input);
    assert_eq!(answer, ("ServiceQuotaExceededException".to_owned(), 402));
    stage.pass(24 * 3600);
    stage.run(&source);
}

#[test]
fn a_schedule_runs_on_the_clock() {
    let stage = Stage::new().with_environments();
    let source = stage.source("sales", "ctlg");
    let schedule = json!({ "schedule": "cron(0 12 * * ? *)", "timezone": "UTC" });
    let input = json!({ "identifier": source, "schedule": schedule });
    stage.ask(&stage.publisher, "UpdateDataSource", input);
    stage.pass(2 * 24 * 3600);
    let runs = stage.ask(
        &stage.publisher,
        "ListDataSourceRuns",
        json!({ "dataSourceIdentifier": source }),
    );
    let kinds: Vec<&str> =
        runs["items"].as_array().unwrap().iter().map(|run| text(run, "type")).collect();
    assert_eq!(kinds, ["SCHEDULED", "SCHEDULED"]);
}

#[test]
fn accepted_business_names_make_a_revision() {
    let stage = Stage::new().with_environments();
    let run = stage.run(&stage.source("sales", "mkt_*"));
    let id = stage.activities(&run)[0].2.clone().unwrap();
    stage.pass(20);
    let proposed = asset(&stage, &id);
    assert_eq!(proposed["readOnlyFormsOutput"].as_array().unwrap().len(), 1);
    let accepted = stage.ask(
        &stage.publisher,
        "AcceptPredictions",
        json!({ "identifier": id, "revision": "1", "acceptRule": { "rule": "ALL" } }),
    );
    assert_eq!(accepted["revision"], "2");
    let named = asset(&stage, &id);
    assert_eq!(named["name"], "Market Sales Table");
    assert_eq!(named["readOnlyFormsOutput"], json!([]));
    let forms = named["formsOutput"].to_string();
    assert!(forms.contains("Sell Price"), "{forms}");
    let before = json!({ "identifier": id, "revision": "1" });
    let before = stage.ask(&stage.publisher, "GetAsset", before);
    assert_eq!(before["name"], "mkt_sls_table");
    let again = json!({ "identifier": id, "acceptRule": { "rule": "ALL" } });
    assert_eq!(stage.refused(&stage.publisher, "AcceptPredictions", again), invalid());
}

#[test]
fn a_listing_keeps_its_id_and_the_search_lags() {
    let stage = Stage::new().with_environments();
    let run = stage.run(&stage.source("sales", "mkt_*"));
    let id = stage.activities(&run)[0].2.clone().unwrap();
    let publish = json!({ "entityIdentifier": id, "entityType": "ASSET", "action": "PUBLISH" });
    let change = "CreateListingChangeSet";
    assert_eq!(stage.refused(&stage.subscriber, change, publish.clone()), forbidden());
    let listing = stage.ask(&stage.publisher, change, publish.clone());
    assert_eq!(listing["status"], "CREATING");
    stage.pass(8);
    let named = json!({ "identifier": listing["listingId"] });
    let active = stage.ask(&stage.subscriber, "GetListing", named);
    assert_eq!(active["status"], "ACTIVE");
    assert!(found(&stage, "mkt").is_empty());
    stage.pass(15);
    assert_eq!(found(&stage, "mkt"), ["mkt_sls_table"]);
    let accept = json!({ "identifier": id, "acceptRule": { "rule": "ALL" } });
    stage.ask(&stage.publisher, "AcceptPredictions", accept);
    let again = stage.ask(&stage.publisher, change, publish);
    assert_eq!(again["listingId"], listing["listingId"]);
    assert_eq!(again["listingRevision"], "2");
    stage.pass(30);
    assert_eq!(found(&stage, "market"), ["Market Sales Table"]);
}

#[test]
fn listings_are_filtered_by_project_and_refuse_unknown_attributes() {
    let stage = Stage::new().with_environments();
    stage.publish();
    let filtered = |attribute: &str, value: &str| json!({ "filters": { "filter": { "attribute": attribute, "value": value } } });
    let count = |input: Value| {
        let answer = stage.ask(&stage.subscriber, "SearchListings", input);
        answer["totalMatchCount"].as_u64().unwrap()
    };
    assert_eq!(count(filtered("owningProjectId", &stage.publish_project)), 1);
    assert_eq!(count(filtered("owningProjectId", &stage.subscribe_project)), 0);
    let kind = "amazon.datazone.RedshiftTableAssetType";
    assert_eq!(count(filtered("typeName", kind)), 1);
    let unknown = filtered("colour", "red");
    assert_eq!(stage.refused(&stage.subscriber, "SearchListings", unknown), invalid());
}

#[test]
fn a_generation_run_proposes_names_on_demand() {
    let stage = Stage::new().with_environments();
    let made = stage.ask(
        &stage.publisher,
        "CreateAsset",
        json!({
            "name": "ord_amt", "owningProjectIdentifier": stage.publish_project,
            "typeIdentifier": "amazon.datazone.S3ObjectCollectionAssetType",
        }),
    );
    let run = stage.ask(
        &stage.publisher,
        "StartMetadataGenerationRun",
        json!({
            "type": "BUSINESS_NAMES", "owningProjectIdentifier": stage.publish_project,
            "target": { "type": "ASSET", "identifier": made["id"] },
        }),
    );
    assert_eq!(run["status"], "SUBMITTED");
    stage.pass(30);
    let named = json!({ "identifier": run["id"] });
    let run = stage.ask(&stage.publisher, "GetMetadataGenerationRun", named);
    assert_eq!(run["status"], "SUCCEEDED");
    let accept = json!({ "identifier": made["id"], "acceptRule": { "rule": "ALL" } });
    stage.ask(&stage.publisher, "AcceptPredictions", accept);
    assert_eq!(asset(&stage, text(&made, "id"))["name"], "Order Amount");
}
