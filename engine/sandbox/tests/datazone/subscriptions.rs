//! Requests, decisions, subscriptions and grants: that granted data can be read, and by whom.

use serde_json::json;

use crate::stage::{Stage, absent, conflict, forbidden, invalid, text};

#[test]
fn a_grant_is_a_view_that_the_environment_reads() {
    let stage = Stage::new().with_environments();
    let (asset, listing) = stage.publish();
    let subscription = stage.subscribe(&listing);
    stage.pass(3);
    let pending = &stage.grants(&subscription)[0];
    assert_eq!(pending["status"], "PENDING");
    stage.pass(60);
    let grants = stage.grants(&subscription);
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0]["status"], "COMPLETED");
    assert_eq!(grants[0]["environmentId"], stage.subscribe_environment);
    let granted = &grants[0]["assets"][0];
    assert_eq!(granted["status"], "GRANTED");
    assert_eq!(granted["assetId"], asset);
    assert_eq!(granted["targetName"], "mkt_sls_table");
    let reader = stage.in_environment(&stage.subscriber, &stage.subscribe_environment);
    let rows = stage
        .sql(&reader, None, "SELECT COUNT(*) FROM datazone_env_sub_env.mkt_sls_table")
        .unwrap();
    assert_eq!(rows[0][0]["longValue"], 3);
    // The producer's own table is not the consumer's to read.
    let error = stage.sql(&reader, None, "SELECT COUNT(*) FROM sales.mkt_sls_table").unwrap_err();
    assert!(error.contains("permission denied"), "{error}");
    // What the producer adds, the consumer sees.
    stage.master_sql("INSERT INTO sales.mkt_sls_table VALUES (4, 1.00, 'SEA')");
    let rows = stage
        .sql(&reader, None, "SELECT COUNT(*) FROM datazone_env_sub_env.mkt_sls_table")
        .unwrap();
    assert_eq!(rows[0][0]["longValue"], 4);
}

#[test]
fn the_owner_of_the_listing_decides_and_nobody_else() {
    let stage = Stage::new().with_environments();
    let (_, listing) = stage.publish();
    let request = stage.request(&listing);
    let accept = json!({ "identifier": request });
    for client in [&stage.subscriber, &stage.admin] {
        let answer = stage.refused(client, "AcceptSubscriptionRequest", accept.clone());
        assert_eq!(answer, forbidden());
    }
    let tasks = stage.ask(&stage.publisher, "ListNotifications", json!({ "type": "TASK" }));
    assert_eq!(tasks["notifications"][0]["status"], "ACTIVE");
    assert_eq!(tasks["notifications"][0]["metadata"]["subscriptionRequestId"], request);
    let open = stage.ask(
        &stage.publisher,
        "ListSubscriptionRequests",
        json!({ "approverProjectId": stage.publish_project }),
    );
    assert_eq!(open["items"][0]["id"], request);
    let accepted = stage.ask(&stage.publisher, "AcceptSubscriptionRequest", accept.clone());
    assert_eq!(accepted["status"], "ACCEPTED");
    let again = stage.refused(&stage.publisher, "AcceptSubscriptionRequest", accept.clone());
    assert_eq!(again, conflict());
    assert_eq!(stage.refused(&stage.publisher, "RejectSubscriptionRequest", accept), conflict());
    let history = stage.bench.sandbox.dump().unwrap()["history"].to_string();
    assert!(history.contains(&request), "{history}");
}

#[test]
fn one_open_request_for_a_project_and_listing() {
    let stage = Stage::new().with_environments();
    let (_, listing) = stage.publish();
    let request = stage.request(&listing);
    let asking = stage.asking(&listing);
    let create = "CreateSubscriptionRequest";
    assert_eq!(stage.refused(&stage.subscriber, create, asking.clone()), conflict());
    // A rejection frees the place, a subscription takes it again.
    let reject = json!({ "identifier": request, "decisionComment": "say why" });
    stage.ask(&stage.publisher, "RejectSubscriptionRequest", reject);
    stage.subscribe(&listing);
    assert_eq!(stage.refused(&stage.subscriber, create, asking), conflict());
}

#[test]
fn a_pending_request_can_be_reworded_and_withdrawn() {
    let stage = Stage::new().with_environments();
    let (_, listing) = stage.publish();
    let request = stage.request(&listing);
    let update = json!({ "identifier": request, "requestReason": "a better one" });
    let updated = stage.ask(&stage.subscriber, "UpdateSubscriptionRequest", update);
    assert_eq!(updated["requestReason"], "a better one");
    let named = json!({ "identifier": request });
    let delete = "DeleteSubscriptionRequest";
    assert_eq!(stage.refused(&stage.publisher, delete, named.clone()), forbidden());
    stage.ask(&stage.subscriber, delete, named.clone());
    let answer = stage.refused(&stage.subscriber, "GetSubscriptionRequestDetails", named);
    assert_eq!(answer, absent());
}

#[test]
fn lists_without_a_filter_are_refused() {
    let stage = Stage::without_warehouse().with_projects();
    for operation in ["ListSubscriptions", "ListSubscriptionRequests"] {
        assert_eq!(stage.refused(&stage.subscriber, operation, json!({})), invalid());
    }
}

#[test]
fn a_younger_environment_gets_a_grant_only_when_asked() {
    let stage = Stage::new().with_environments();
    let (asset, listing) = stage.publish();
    let subscription = stage.subscribe(&listing);
    let profile =
        stage.profile(&stage.subscriber, &stage.subscribe_project, "younger", "LIMITED_ACCESS");
    let younger =
        stage.environment(&stage.subscriber, &stage.subscribe_project, &profile, "younger");
    stage.pass(300);
    assert_eq!(stage.grants(&subscription).len(), 1);
    let input = json!({
        "environmentIdentifier": younger,
        "grantedEntity": { "listing": { "identifier": listing, "revision": "1" } },
        "assetTargetNames": [{ "assetId": asset, "targetName": "sales_now" }],
    });
    let create = "CreateSubscriptionGrant";
    assert_eq!(stage.refused(&stage.publisher, create, input.clone()), forbidden());
    stage.ask(&stage.subscriber, create, input.clone());
    assert_eq!(stage.refused(&stage.subscriber, create, input), conflict());
    stage.pass(60);
    assert_eq!(stage.grants(&subscription).len(), 2);
    let reader = stage.in_environment(&stage.subscriber, &younger);
    let rows = stage
        .sql(&reader, None, "SELECT ship_mode FROM datazone_env_younger.sales_now ORDER BY 1")
        .unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
}

#[test]
fn without_a_subscription_there_is_no_grant() {
    let stage = Stage::new().with_environments();
    let (_, listing) = stage.publish();
    let input = json!({
        "environmentIdentifier": stage.subscribe_environment,
        "grantedEntity": { "listing": { "identifier": listing, "revision": "1" } },
    });
    assert_eq!(stage.refused(&stage.subscriber, "CreateSubscriptionGrant", input), invalid());
}

#[test]
fn a_grant_of_a_table_that_is_gone_fails_and_can_be_asked_for_anew() {
    let stage = Stage::new().with_environments();
    let (_, listing) = stage.publish();
    stage.master_sql("ALTER TABLE sales.mkt_sls_table RENAME TO elsewhere");
    let subscription = stage.subscribe(&listing);
    stage.pass(60);
    let failed = stage.grants(&subscription)[0].clone();
    assert_eq!(failed["status"], "GRANT_FAILED");
    assert_eq!(failed["assets"][0]["status"], "GRANT_FAILED");
    assert!(!text(&failed["assets"][0]["failureCause"], "message").is_empty());
    stage.master_sql("ALTER TABLE sales.elsewhere RENAME TO mkt_sls_table");
    let named = json!({ "identifier": failed["id"] });
    stage.ask(&stage.subscriber, "DeleteSubscriptionGrant", named);
    let input = json!({
        "environmentIdentifier": stage.subscribe_environment,
        "grantedEntity": { "listing": { "identifier": listing, "revision": "1" } },
    });
    stage.ask(&stage.subscriber, "CreateSubscriptionGrant", input);
    stage.pass(60);
    assert_eq!(stage.grants(&subscription)[0]["status"], "COMPLETED");
}

#[test]
fn a_paused_cluster_fails_the_grant() {
    let stage = Stage::new().with_environments();
    let (_, listing) = stage.publish();
    let named = json!({ "ClusterIdentifier": "poc" });
    stage.admin.call("redshift", "PauseCluster", named).unwrap();
    stage.pass(600);
    let subscription = stage.subscribe(&listing);
    stage.pass(60);
    assert_eq!(stage.grants(&subscription)[0]["status"], "GRANT_FAILED");
}

#[test]
fn revoking_and_cancelling_take_the_view_away() {
    for (revoked, status) in [(true, "REVOKED"), (false, "CANCELLED")] {
        let stage = Stage::new().with_environments();
        let (_, listing) = stage.publish();
        let subscription = stage.subscribe(&listing);
        stage.pass(60);
        let named = json!({ "identifier": subscription });
        let ended = match revoked {
            true => stage.ask(&stage.publisher, "RevokeSubscription", named),
            false => stage.ask(&stage.subscriber, "CancelSubscription", named),
        };
        assert_eq!(ended["status"], status);
        let grant = &stage.grants(&subscription)[0];
        assert_eq!(grant["assets"][0]["status"], "REVOKE_PENDING");
        stage.pass(30);
        assert_eq!(stage.grants(&subscription)[0]["assets"][0]["status"], "REVOKED");
        let reader = stage.in_environment(&stage.subscriber, &stage.subscribe_environment);
        let sql = "SELECT COUNT(*) FROM datazone_env_sub_env.mkt_sls_table";
        assert!(stage.sql(&reader, None, sql).unwrap_err().contains("does not exist"));
    }
}
