//! Data lakes of two accounts: environments over Glue and Athena, and what a subscriber of the one
//! reads of the other's tables.

use serde_json::{Value, json};

use crate::accounts::{Accounts, CONSUMER, PRODUCER, Side};
use crate::stage::{invalid, text};
use crate::support::Client;

fn bucket(side: &Side) -> &'static str {
    if side.account == PRODUCER { "lake-producer" } else { "lake-consumer" }
}

/// Puts the administrators of one side's data lake.
fn administer(side: &Side, roles: &[&str]) {
    let admins: Vec<Value> =
        roles.iter().map(|role| json!({ "DataLakePrincipalIdentifier": role })).collect();
    let input = json!({ "DataLakeSettings": { "DataLakeAdmins": admins } });
    side.admin.call("lakeformation", "PutDataLakeSettings", input).unwrap();
}

/// The roles of one side, who administer its data lake, and its configuration of the blueprint.
fn enable(accounts: &Accounts, side: &Side) -> [String; 2] {
    let provisioning = accounts.role(
        side,
        "AmazonDataZoneProvisioningRole",
        "AmazonDataZoneRedshiftGlueProvisioningPolicy",
        None,
    );
    let manage = accounts.role(
        side,
        "AmazonDataZoneGlueAccess",
        "service-role/AmazonDataZoneGlueManageAccessRolePolicy",
        None,
    );
    administer(side, &[&provisioning, &manage]);
    configure(accounts, side, &provisioning, &manage, &format!("s3://{}", bucket(side)));
    [provisioning, manage]
}

fn configure(accounts: &Accounts, side: &Side, provisioning: &str, manage: &str, location: &str) {
    let mut input = json!({
        "environmentBlueprintIdentifier": accounts.blueprint(&side.admin, "DefaultDataLake"),
        "enabledRegions": ["eu-west-1"],
        "provisioningRoleArn": provisioning, "manageAccessRoleArn": manage,
    });
    if !location.is_empty() {
        input["regionalParameters"] = json!({ "eu-west-1": { "S3Location": location } });
    }
    accounts.ask(&side.admin, "PutEnvironmentBlueprintConfiguration", input);
}

/// A profile of one side; its id comes back.
fn profile(accounts: &Accounts, side: &Side) -> Value {
    let input = json!({
        "name": "lake profile", "projectIdentifier": side.project,
        "environmentBlueprintIdentifier": accounts.blueprint(&side.user, "DefaultDataLake"),
        "awsAccountId": side.account, "awsAccountRegion": "eu-west-1",
    });
    accounts.ask(&side.user, "CreateEnvironmentProfile", input)["id"].clone()
}

/// Begins an environment; its id comes back.
fn begin(accounts: &Accounts, side: &Side, name: &str) -> String {
    let input = json!({
        "name": name, "projectIdentifier": side.project,
        "environmentProfileIdentifier": profile(accounts, side),
    });
    text(&accounts.ask(&side.user, "CreateEnvironment", input), "id").to_owned()
}

/// Both accounts have roles, people and projects, and nothing deployed.
fn prepared(more: &str) -> Accounts {
    let mut accounts = Accounts::new(more).associated();
    for side in [&accounts.producer, &accounts.consumer] {
        let input = json!({
            "Bucket": bucket(side),
            "CreateBucketConfiguration": { "LocationConstraint": "eu-west-1" },
        });
        side.admin.call("s3", "CreateBucket", input).unwrap();
        enable(&accounts, side);
    }
    accounts.pass(15);
    accounts.add_people();
    accounts.producer.project = accounts.project(&accounts.producer, "Glue_Publish_Project");
    accounts.consumer.project = accounts.project(&accounts.consumer, "Glue_Subscribe_Project");
    accounts
}

/// Both have an active environment.
fn deployed() -> Accounts {
    let mut accounts = prepared("");
    accounts.producer.environment =
        begin(&accounts, &accounts.producer, "Glue_Publish_Environment");
    accounts.consumer.environment =
        begin(&accounts, &accounts.consumer, "glue_subscribe_environment");
    accounts.pass(300);
    accounts
}

/// What an environment was given, by name.
fn resource(environment: &Value, name: &str) -> String {
    let resources = environment["provisionedResources"].as_array().unwrap();
    let found = resources.iter().find(|resource| resource["name"] == name);
    text(found.unwrap_or_else(|| panic!("no {name} in {resources:?}")), "value").to_owned()
}

/// Runs a statement in Athena; its rows without the header, or why it failed.
fn athena(
    accounts: &Accounts,
    client: &Client,
    environment: &Value,
    database: &str,
    sql: &str,
) -> Result<Value, String> {
    let input = json!({
        "QueryString": sql, "WorkGroup": resource(environment, "athenaWorkGroupName"),
        "QueryExecutionContext": { "Database": database },
        "ClientRequestToken": format!("{:0>40}", accounts.bench.sandbox.log().unwrap().len()),
    });
    let started = client
        .call("athena", "StartQueryExecution", input)
        .map_err(|(code, message, _)| format!("{code}: {message}"))?;
    accounts.pass(30);
    let named = json!({ "QueryExecutionId": started["QueryExecutionId"] });
    let ended = client.call("athena", "GetQueryExecution", named.clone()).unwrap();
    let status = &ended["QueryExecution"]["Status"];
    match text(status, "State") {
        "SUCCEEDED" => {
            let results = client.call("athena", "GetQueryResults", named).unwrap();
            let rows = results["ResultSet"]["Rows"].as_array().cloned().unwrap_or_default();
            Ok(rows.into_iter().skip(1).collect())
        }
        _ => Err(text(status, "StateChangeReason").to_owned()),
    }
}

const PUBLISHED: &str = "glue_publish_environment_pub_db";
const SUBSCRIBED: &str = "glue_subscribe_environment_sub_db";

/// The publisher makes the sample table with the environment's own credentials.
fn make_table(accounts: &Accounts) {
    let environment = accounts.environment(&accounts.producer);
    assert_eq!(environment["status"], "ACTIVE", "{environment}");
    let sql = "CREATE TABLE mkt_sls_table WITH (format = 'PARQUET') AS \
               SELECT 146776932 AS ord_num, 23 AS sales_qty_sld UNION ALL SELECT 46776931, 11";
    let client = accounts.in_environment(&accounts.producer);
    athena(accounts, &client, &environment, PUBLISHED, sql).unwrap();
}

/// A data source over the publisher's database; its id.
fn source(accounts: &Accounts) -> Value {
    let input = json!({
        "name": "glue-publish-datasource", "type": "GLUE",
        "projectIdentifier": accounts.producer.project,
        "environmentIdentifier": accounts.producer.environment,
        "recommendation": { "enableBusinessNameGeneration": true },
        "configuration": { "glueRunConfiguration": { "relationalFilterConfigurations": [{
            "databaseName": PUBLISHED,
            "filterExpressions": [{ "type": "INCLUDE", "expression": "*" }],
        }] } },
    });
    let source = accounts.ask(&accounts.producer.user, "CreateDataSource", input);
    accounts.pass(10);
    source["id"].clone()
}

/// The table published: its listing.
fn listed(accounts: &Accounts) -> Value {
    make_table(accounts);
    let (run, activities) = accounts.run(&source(accounts));
    assert_eq!(run["status"], "SUCCESS", "{run}");
    assert_eq!(activities[0]["technicalName"], "mkt_sls_table", "{activities:?}");
    accounts.publish(&activities[0]["dataAssetId"])
}

/// Reads the subscribed table as the consumer's environment.
fn read(accounts: &Accounts) -> Result<Value, String> {
    let environment = accounts.environment(&accounts.consumer);
    let client = accounts.in_environment(&accounts.consumer);
    let sql = "SELECT ord_num FROM mkt_sls_table ORDER BY ord_num LIMIT 10";
    athena(accounts, &client, &environment, SUBSCRIBED, sql)
}

#[test]
fn an_environment_brings_two_databases_a_workgroup_and_a_role() {
    let accounts = deployed();
    for (side, producer, consumer) in [
        (&accounts.producer, PUBLISHED, "glue_publish_environment_sub_db"),
        (&accounts.consumer, "glue_subscribe_environment_pub_db", SUBSCRIBED),
    ] {
        let environment = accounts.environment(side);
        assert_eq!(environment["status"], "ACTIVE", "{environment}");
        assert_eq!(resource(&environment, "glueProducerDBName"), producer);
        assert_eq!(resource(&environment, "glueConsumerDBName"), consumer);
        assert!(resource(&environment, "userRoleArn").contains(side.account));
        let client = accounts.in_environment(side);
        client.call("glue", "GetDatabase", json!({ "Name": consumer })).unwrap();
        let named = json!({ "environmentIdentifier": side.environment });
        let targets = accounts.ask(&side.user, "ListSubscriptionTargets", named);
        assert_eq!(targets["items"][0]["type"], "GlueSubscriptionTargetType");
        let named = json!({
            "projectIdentifier": side.project, "environmentIdentifier": side.environment });
        let sources = accounts.ask(&side.user, "ListDataSources", named);
        assert_eq!(sources["items"][0]["type"], "GLUE");
    }
}

#[test]
fn a_subscriber_of_another_account_reads_the_table_until_the_subscription_ends() {
    let accounts = deployed();
    let listing = listed(&accounts);
    assert_eq!(listing["name"], "Market Sales Table");
    assert_eq!(listing["entityType"], "amazon.datazone.GlueTableAssetType");
    assert!(read(&accounts).is_err());
    let subscription = accounts.subscribe(&listing["listingId"]);
    let grants = accounts.grants(&subscription);
    assert_eq!(grants[0]["status"], "COMPLETED", "{grants:?}");
    assert_eq!(grants[0]["assets"][0]["targetName"], "mkt_sls_table");
    let rows = json!([
        { "Data": [{ "VarCharValue": "46776931" }] },
        { "Data": [{ "VarCharValue": "146776932" }] },
    ]);
    assert_eq!(read(&accounts).unwrap(), rows);
    let input = json!({ "identifier": subscription });
    accounts.ask(&accounts.consumer.user, "CancelSubscription", input);
    assert_eq!(accounts.grants(&subscription)[0]["assets"][0]["status"], "REVOKED");
    assert!(read(&accounts).is_err());
    let shares = json!({ "resourceOwner": "OTHER-ACCOUNTS" });
    let shares = accounts.consumer.admin.call("ram", "GetResourceShares", shares).unwrap();
    let live = shares["resourceShares"].as_array().unwrap().iter();
    let live = live.filter(|share| share["status"] == "ACTIVE");
    assert_eq!(live.count(), 1, "Lake Formation's share is gone, the domain's stays: {shares}");
}

/// DataZone says that a table is granted only when AWS RAM shares it.
#[test]
fn a_table_can_be_read_from_the_moment_its_grant_says_so() {
    let accounts = deployed();
    let listing = listed(&accounts);
    let input = json!({ "subscriptionId": accounts.subscribe(&listing["listingId"]) });
    let seconds = (0..120).position(|_| {
        accounts.pass(1);
        let found = accounts.ask(&accounts.consumer.user, "ListSubscriptionGrants", input.clone());
        found["items"][0]["status"] == "COMPLETED"
    });
    assert!(seconds.is_some(), "two minutes were not enough");
    assert_eq!(read(&accounts).unwrap().as_array().unwrap().len(), 2);
}

#[test]
fn an_asset_says_where_its_table_is() {
    let accounts = deployed();
    make_table(&accounts);
    let (_, activities) = accounts.run(&source(&accounts));
    let named = json!({ "identifier": activities[0]["dataAssetId"] });
    let asset = accounts.ask(&accounts.producer.user, "GetAsset", named);
    let form = asset["formsOutput"].as_array().unwrap().iter();
    let form = form.clone().find(|form| form["formName"] == "GlueTableForm").unwrap();
    let content: Value = serde_json::from_str(text(form, "content")).unwrap();
    assert_eq!(content["tableName"], "mkt_sls_table");
    assert_eq!(content["columns"][0]["columnName"], "ord_num");
    assert_eq!(
        text(&content, "tableArn"),
        format!("arn:aws:glue:eu-west-1:{PRODUCER}:table/{PUBLISHED}/mkt_sls_table")
    );
    assert!(text(&content, "sourceLocation").starts_with("s3://lake-producer/datazone/"));
    assert!(text(&asset["readOnlyFormsOutput"][0], "content").contains("Market Sales Table"));
}

#[test]
fn without_a_location_no_environment_begins() {
    let accounts = prepared("");
    let side = &accounts.producer;
    let roles = ["AmazonDataZoneProvisioningRole", "AmazonDataZoneGlueAccess"]
        .map(|name| format!("arn:aws:iam::{PRODUCER}:role/{name}"));
    configure(&accounts, side, &roles[0], &roles[1], "");
    let input = json!({
        "name": "lake", "projectIdentifier": side.project,
        "environmentProfileIdentifier": profile(&accounts, side),
    });
    assert_eq!(accounts.refused(&side.user, "CreateEnvironment", input), invalid());
    configure(&accounts, side, &roles[0], &roles[1], "s3://no-such-bucket");
    let mut accounts = accounts;
    let input = json!({
        "name": "lake", "projectIdentifier": accounts.producer.project,
        "environmentProfileIdentifier": first_profile(&accounts),
    });
    let made = accounts.ask(&accounts.producer.user, "CreateEnvironment", input);
    text(&made, "id").clone_into(&mut accounts.producer.environment);
    accounts.pass(60);
    assert_eq!(accounts.environment(&accounts.producer)["status"], "VALIDATION_FAILED");
}

fn first_profile(accounts: &Accounts) -> Value {
    let input = json!({ "projectIdentifier": accounts.producer.project });
    let found = accounts.ask(&accounts.producer.user, "ListEnvironmentProfiles", input);
    found["items"][0]["id"].clone()
}

/// The reason of an environment's last deployment, and its status.
fn failure(accounts: &Accounts) -> (String, String) {
    let environment = accounts.environment(&accounts.producer);
    let reason = text(&environment["lastDeployment"]["failureReason"], "message").to_owned();
    (text(&environment, "status").to_owned(), reason)
}

#[test]
fn roles_that_do_not_administer_the_lake_make_and_import_nothing() {
    let mut accounts = prepared("");
    let side = accounts.producer.clone();
    let manage = format!("arn:aws:iam::{PRODUCER}:role/AmazonDataZoneGlueAccess");
    let provisioning = format!("arn:aws:iam::{PRODUCER}:role/AmazonDataZoneProvisioningRole");
    administer(&side, &[&manage]);
    accounts.producer.environment = begin(&accounts, &side, "early");
    accounts.pass(300);
    let (status, reason) = failure(&accounts);
    assert_eq!(status, "CREATE_FAILED");
    assert!(reason.contains("Insufficient Lake Formation permission(s)"), "{reason}");
    let gone = side.admin.call("glue", "GetDatabase", json!({ "Name": "early_pub_db" }));
    assert_eq!(gone.unwrap_err().0, "EntityNotFoundException", "nothing is left of it");
    administer(&side, &[&manage, &provisioning]);
    let input = json!({
        "name": "Glue_Publish_Environment", "projectIdentifier": side.project,
        "environmentProfileIdentifier": first_profile(&accounts),
    });
    let made = accounts.ask(&side.user, "CreateEnvironment", input);
    text(&made, "id").clone_into(&mut accounts.producer.environment);
    accounts.pass(300);
    make_table(&accounts);
    administer(&side, &[&provisioning]);
    let (run, activities) = accounts.run(&source(&accounts));
    assert_eq!(run["runStatisticsForAssets"]["skipped"], 1);
    assert_eq!(activities[0]["dataAssetStatus"], "SKIPPED_NO_ACCESS");
    assert!(activities[0]["dataAssetId"].is_null());
}

#[test]
fn a_poisoned_list_of_administrators_ends_the_deployment() {
    let mut accounts = prepared("");
    let side = accounts.producer.clone();
    let name = "Leaver";
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": PRODUCER }, "Action": "sts:AssumeRole" }] })
    .to_string();
    let made = side.admin.call(
        "iam",
        "CreateRole",
        json!({ "RoleName": name, "AssumeRolePolicyDocument": trust }),
    );
    let leaver = text(&made.unwrap()["Role"], "Arn").to_owned();
    let manage = format!("arn:aws:iam::{PRODUCER}:role/AmazonDataZoneGlueAccess");
    let provisioning = format!("arn:aws:iam::{PRODUCER}:role/AmazonDataZoneProvisioningRole");
    administer(&side, &[&manage, &provisioning, &leaver]);
    side.admin.call("iam", "DeleteRole", json!({ "RoleName": name })).unwrap();
    accounts.producer.environment = begin(&accounts, &side, "late");
    accounts.pass(300);
    assert_eq!(failure(&accounts).0, "CREATE_FAILED");
}

#[test]
fn a_table_that_lake_formation_does_not_manage_is_not_granted() {
    let accounts = deployed();
    let listing = listed(&accounts);
    let environment = accounts.environment(&accounts.producer);
    let location = resource(&environment, "s3OutputLocation");
    let arn = format!("arn:aws:s3:::{}", location.trim_start_matches("s3://"));
    let input = json!({ "ResourceArn": arn });
    accounts.producer.admin.call("lakeformation", "DeregisterResource", input).unwrap();
    let subscription = accounts.subscribe(&listing["listingId"]);
    let grants = accounts.grants(&subscription);
    assert_eq!(grants[0]["status"], "GRANT_FAILED");
    let cause = text(&grants[0]["assets"][0]["failureCause"], "message").to_owned();
    assert!(cause.contains("not managed by Lake Formation"), "{cause}");
}

#[test]
fn a_deleted_environment_takes_its_databases_with_it() {
    let accounts = deployed();
    for side in [&accounts.consumer, &accounts.producer] {
        let named = json!({ "identifier": side.environment });
        accounts.ask(&side.user, "DeleteEnvironment", named);
        accounts.pass(200);
        assert_eq!(accounts.environment(side)["status"], "DELETED");
    }
    let dump = accounts.bench.sandbox.dump().unwrap();
    for account in [PRODUCER, CONSUMER] {
        let resources = &dump["resources"][account];
        assert!(resources["eu-west-1"]["glue"].is_null(), "{}", resources["eu-west-1"]["glue"]);
        let granted = &resources["eu-west-1"]["lakeformation"]["grant"];
        assert!(granted.is_null(), "{granted}");
        let roles = resources["aws-global"]["iam"]["role"].as_object().unwrap();
        assert!(roles.keys().all(|name| !name.starts_with("datazone_usr")));
    }
}
