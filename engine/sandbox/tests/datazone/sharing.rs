//! Warehouses of two accounts: what a subscriber of the one reads of the other's rows.

use serde_json::{Value, json};

use crate::accounts::{Accounts, CLUSTERS, CONSUMER, PRODUCER, WORKGROUPS};
use crate::stage::text;

const QUERY: &str = "SELECT ord_num FROM \
                     \"dev\".\"datazone_env_redshift_subscribe_environment\".\"rs_sls_tbl\" \
                     ORDER BY ord_num";

/// The whole way: the rows of the producer's table, read in the consumer's account.
fn rows_cross_the_accounts(accounts: &Accounts) -> Value {
    for side in [&accounts.producer, &accounts.consumer] {
        let environment = accounts.environment(side);
        assert_eq!(environment["status"], "ACTIVE", "{environment}");
        assert_eq!(environment["awsAccountId"], side.account);
    }
    let listing = accounts.published_table();
    assert_eq!(listing["name"], "Sales Table");
    let subscription = accounts.subscribe(&listing["listingId"]);
    let grants = accounts.grants(&subscription);
    assert_eq!(grants[0]["status"], "COMPLETED", "{grants:?}");
    assert_eq!(grants[0]["assets"][0]["targetName"], "rs_sls_tbl");
    let reader = accounts.in_environment(&accounts.consumer);
    let rows = accounts.sql(&accounts.consumer, &reader, false, QUERY).unwrap();
    assert_eq!(rows, json!([[{ "longValue": 46_776_931 }], [{ "longValue": 146_776_932 }]]));
    subscription
}

#[test]
fn a_subscriber_of_another_account_reads_the_rows_until_it_is_revoked() {
    let accounts = Accounts::new(CLUSTERS).with_environments();
    let subscription = rows_cross_the_accounts(&accounts);
    let seen = |client: &crate::support::Client, operation: &str| {
        client.call("redshift", operation, json!({})).unwrap()["DataShares"].clone()
    };
    let consumer = &accounts.consumer.admin;
    let producer = &accounts.producer.admin;
    let shared = seen(consumer, "DescribeDataSharesForConsumer");
    assert!(text(&shared[0], "DataShareArn").contains("/datazone_"), "{shared}");
    assert!(text(&shared[0], "ProducerArn").contains(PRODUCER));
    assert_eq!(shared[0]["DataShareAssociations"][0]["Status"], "ACTIVE");
    let own = seen(producer, "DescribeDataSharesForProducer");
    assert_eq!(own[0]["DataShareAssociations"][0]["ConsumerIdentifier"], CONSUMER);
    assert_eq!(seen(consumer, "DescribeDataSharesForProducer"), json!([]));
    // An administrator takes the producer's consent back, and gives it again.
    let reader = accounts.in_environment(&accounts.consumer);
    let consent = json!({
        "DataShareArn": shared[0]["DataShareArn"], "ConsumerIdentifier": CONSUMER });
    producer.call("redshift", "DeauthorizeDataShare", consent.clone()).unwrap();
    let refused = accounts.sql(&accounts.consumer, &reader, false, QUERY).unwrap_err();
    assert!(refused.contains("is not shared with this namespace"), "{refused}");
    producer.call("redshift", "AuthorizeDataShare", consent).unwrap();
    accounts.sql(&accounts.consumer, &reader, false, QUERY).unwrap();
    let input = json!({ "identifier": subscription });
    accounts.ask(&accounts.producer.user, "RevokeSubscription", input);
    let grants = accounts.grants(&subscription);
    assert_eq!(grants[0]["assets"][0]["status"], "REVOKED");
    assert!(accounts.sql(&accounts.consumer, &reader, false, QUERY).is_err());
    assert_eq!(seen(producer, "DescribeDataSharesForProducer"), json!([]));
}

#[test]
fn serverless_workgroups_share_like_clusters() {
    let accounts = Accounts::new(WORKGROUPS).with_environments();
    rows_cross_the_accounts(&accounts);
}

#[test]
fn a_cluster_shares_with_a_workgroup() {
    let consumer = WORKGROUPS.replacen("name = \"poc\"", "name = \"other\"", 1);
    let accounts = Accounts::new(&format!("{CLUSTERS}{consumer}"));
    let mut accounts = Accounts { storage: "clusterName", ..accounts }.with_blueprints();
    accounts.producer.project = accounts.project(&accounts.producer, "publish");
    accounts.consumer.project = accounts.project(&accounts.consumer, "subscribe");
    accounts.producer.environment =
        accounts.warehouse_environment(&accounts.producer, "Redshift_Publish_Environment");
    accounts.storage = "workgroupName";
    accounts.consumer.environment =
        accounts.warehouse_environment(&accounts.consumer, "redshift_subscribe_environment");
    accounts.pass(300);
    accounts.storage = "clusterName";
    let listing = accounts.published_table();
    let subscription = accounts.subscribe(&listing["listingId"]);
    assert_eq!(accounts.grants(&subscription)[0]["status"], "COMPLETED");
    accounts.storage = "workgroupName";
    let reader = accounts.in_environment(&accounts.consumer);
    let rows = accounts.sql(&accounts.consumer, &reader, false, QUERY).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2);
}

/// What the warehouses of both accounts hold, and what DataZone does.
fn kept(accounts: &Accounts) -> Value {
    let dump = accounts.bench.sandbox.dump().unwrap();
    let of =
        |account: &str, service: &str| dump["resources"][account]["eu-west-1"][service].clone();
    let accounts = [PRODUCER, CONSUMER].map(|account| {
        ["redshift", "redshift_serverless", "datazone"].map(|service| of(account, service))
    });
    json!(accounts)
}

/// Takes back what one side has, in the order that AWS demands.
fn clean(accounts: &Accounts, side: &crate::accounts::Side) {
    let of_project = json!({ "projectIdentifier": side.project });
    let sources = accounts.ask(&side.user, "ListDataSources", of_project.clone());
    for source in sources["items"].as_array().unwrap() {
        let named = json!({ "identifier": source["dataSourceId"] });
        accounts.ask(&side.user, "DeleteDataSource", named);
    }
    let named = json!({ "identifier": side.environment });
    accounts.ask(&side.user, "DeleteEnvironment", named);
    accounts.pass(200);
    assert_eq!(accounts.environment(side)["status"], "DELETED");
    let profiles = accounts.ask(&side.user, "ListEnvironmentProfiles", of_project);
    for profile in profiles["items"].as_array().unwrap() {
        if profile["projectId"] == *side.project {
            let named = json!({ "identifier": profile["id"] });
            accounts.ask(&side.user, "DeleteEnvironmentProfile", named);
        }
    }
    accounts.ask(&side.user, "DeleteProject", json!({ "identifier": side.project }));
    accounts.pass(15);
    let blueprint = accounts.blueprint(&side.admin, "DefaultDataWarehouse");
    let named = json!({ "environmentBlueprintIdentifier": blueprint });
    accounts.ask(&side.admin, "DeleteEnvironmentBlueprintConfiguration", named);
}

#[test]
fn everything_can_be_taken_back_and_the_warehouses_are_as_before() {
    for world in [CLUSTERS, WORKGROUPS] {
        let before = kept(&Accounts::new(world));
        let accounts = Accounts::new(world).with_environments();
        let listing = accounts.published_table();
        let subscription = accounts.subscribe(&listing["listingId"]);
        accounts.pass(60);
        let publisher = &accounts.producer.user;
        let named = json!({ "identifier": subscription });
        accounts.ask(&accounts.consumer.user, "CancelSubscription", named);
        accounts.pass(60);
        let unpublish = json!({
            "entityIdentifier": listing["entityId"], "entityType": "ASSET",
            "action": "UNPUBLISH" });
        accounts.ask(publisher, "CreateListingChangeSet", unpublish);
        accounts.ask(publisher, "DeleteListing", json!({ "identifier": listing["listingId"] }));
        accounts.ask(publisher, "DeleteAsset", json!({ "identifier": listing["entityId"] }));
        let drop = "DROP TABLE datazone_env_redshift_publish_environment.rs_sls_tbl";
        accounts.sql(&accounts.producer, publisher, true, drop).unwrap();
        clean(&accounts, &accounts.consumer);
        clean(&accounts, &accounts.producer);
        let named = json!({ "identifier": accounts.domain });
        crate::stage::dz(&accounts.producer.admin, "DeleteDomain", named);
        accounts.pass(60);
        assert_eq!(kept(&accounts), before);
    }
}

/// The reason for which the grant of a world fails.
fn failure(world: &str) -> String {
    refused_grant(Accounts::new(world))
}

fn refused_grant(accounts: Accounts) -> String {
    let accounts = accounts.with_environments();
    let listing = accounts.published_table();
    let subscription = accounts.subscribe(&listing["listingId"]);
    let grants = accounts.grants(&subscription);
    assert_eq!(grants[0]["status"], "GRANT_FAILED", "{grants:?}");
    assert_eq!(grants[0]["assets"][0]["status"], "GRANT_FAILED");
    let shares = accounts.producer.admin.call("redshift", "DescribeDataShares", json!({}));
    assert_eq!(shares.unwrap()["DataShares"], json!([]), "nothing is left behind");
    text(&grants[0]["assets"][0]["failureCause"], "message").to_owned()
}

#[test]
fn an_unencrypted_cluster_makes_the_grant_fail() {
    let world =
        CLUSTERS.replacen("identifier = \"poc\"", "identifier = \"poc\"\nencrypted = false", 1);
    assert!(failure(&world).contains("must be encrypted"));
}

#[test]
fn a_dc2_cluster_makes_the_grant_fail() {
    let world = CLUSTERS.replacen(
        "account = \"consumer\"",
        "account = \"consumer\"\nnode_type = \"dc2.large\"",
        1,
    );
    assert!(failure(&world).contains("dc2.large cannot share data"));
}

#[test]
fn another_region_makes_the_grant_fail() {
    let place = "account = \"consumer\"";
    let world = CLUSTERS.replacen(place, &format!("{place}\nregion = \"us-east-1\""), 1);
    let mut accounts = Accounts::new(&world);
    accounts.consumer.region = "us-east-1";
    let reason = refused_grant(accounts);
    assert!(reason.contains("does not share data between Regions"), "{reason}");
}

#[test]
fn an_approval_before_the_target_is_there_grants_nothing() {
    let world = format!("[failures]\ngrant_without_target = true\n{CLUSTERS}");
    let accounts = Accounts::new(&world).with_environments();
    let listing = accounts.published_table();
    let subscription = accounts.subscribe(&listing["listingId"]);
    assert_eq!(accounts.grants(&subscription), Vec::<Value>::new());
    let input = json!({
        "environmentIdentifier": accounts.consumer.environment,
        "grantedEntity": { "listing": {
            "identifier": listing["listingId"], "revision": listing["listingRevision"] } },
    });
    let create = "CreateSubscriptionGrant";
    let early = accounts.refused(&accounts.consumer.user, create, input.clone());
    assert_eq!(early, crate::stage::invalid());
    accounts.pass(600);
    accounts.ask(&accounts.consumer.user, create, input);
    assert_eq!(accounts.grants(&subscription)[0]["status"], "COMPLETED");
}

#[test]
fn a_secret_of_the_other_account_ends_the_deployment() {
    let mut accounts = Accounts::new(CLUSTERS).with_blueprints();
    accounts.consumer.project = accounts.project(&accounts.consumer, "subscribe");
    accounts.consumer.secret = accounts.producer.secret.clone();
    accounts.consumer.environment = accounts.warehouse_environment(&accounts.consumer, "env");
    accounts.pass(60);
    let environment = accounts.environment(&accounts.consumer);
    assert_eq!(environment["status"], "VALIDATION_FAILED", "{environment}");
}

#[test]
fn a_disassociated_account_gets_no_more_grants() {
    let accounts = Accounts::new(CLUSTERS).with_environments();
    let listing = accounts.published_table();
    let subscription = accounts.subscribe(&listing["listingId"]);
    let input = json!({ "resourceShareArn": accounts.share, "principals": [CONSUMER] });
    accounts.producer.admin.call("ram", "DisassociateResourceShare", input).unwrap();
    accounts.pass(60);
    let listed = json!({ "subscriptionId": subscription });
    let grants = accounts.ask(&accounts.producer.user, "ListSubscriptionGrants", listed);
    let cause = text(&grants["items"][0]["assets"][0]["failureCause"], "message").to_owned();
    assert!(cause.contains("is not associated"), "{cause}");
}

#[test]
fn each_account_has_what_it_made_and_every_call_is_logged_for_its_own() {
    let accounts = Accounts::new(CLUSTERS).with_environments();
    rows_cross_the_accounts(&accounts);
    let dump = accounts.bench.sandbox.dump().unwrap();
    let resources = &dump["resources"];
    // The domain and all in it is the producer's; the consumer has its warehouse, roles and secret.
    assert!(resources[PRODUCER]["eu-west-1"]["datazone"]["environment"].is_object());
    assert!(resources[CONSUMER]["eu-west-1"]["datazone"].is_null());
    let role = format!("datazone_usr_role_{}", accounts.consumer.environment);
    assert!(resources[CONSUMER]["aws-global"]["iam"]["role"][&role].is_object());
    assert!(resources[PRODUCER]["aws-global"]["iam"]["role"][&role].is_null());
    for call in accounts.bench.sandbox.log().unwrap() {
        assert!(call.principal.contains(&call.account), "{call:?}");
    }
    for entry in dump["history"].as_array().unwrap() {
        if entry["service"] == "redshift_data" {
            assert!([PRODUCER, CONSUMER].contains(&text(entry, "account")), "{entry}");
        }
    }
}
