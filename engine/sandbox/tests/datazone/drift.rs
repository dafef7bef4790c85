//! What changes behind DataZone's back, other ways in, and calls that come twice.

use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Stage, absent, conflict, dz, forbidden, invalid, text};
use crate::support::Client;

/// Deletes the cluster and makes it again under its name, with nothing in it.
fn recreate_the_cluster(stage: &Stage) {
    let gone = json!({ "ClusterIdentifier": "poc", "SkipFinalClusterSnapshot": true });
    stage.admin.call("redshift", "DeleteCluster", gone).unwrap();
    stage.pass(900);
    let again = json!({
        "ClusterIdentifier": "poc", "NodeType": "ra3.xlplus", "MasterUsername": "awsuser",
        "MasterUserPassword": "Sandbox-0001", "DBName": "dev", "Encrypted": true,
        "ClusterType": "multi-node", "NumberOfNodes": 2,
    });
    stage.admin.call("redshift", "CreateCluster", again).unwrap();
    stage.pass(900);
}

#[test]
fn a_cluster_that_was_made_again_breaks_quietly() {
    let stage = Stage::new().with_environments();
    let source = stage.source("sales", "*");
    let run = stage.run(&source);
    assert_eq!(run["status"], "SUCCESS");
    let activities = stage.activities(&run);
    let asset = activities.iter().find(|(name, ..)| name == "mkt_sls_table").unwrap();
    let listing = stage.list(asset.2.as_ref().unwrap());
    let subscription = stage.subscribe(&listing);
    stage.pass(60);
    recreate_the_cluster(&stage);
    // Nothing in DataZone says so: it keeps names alone.
    let environment = &stage.publish_environment;
    assert_eq!(stage.environment_status(&stage.publisher, environment), "ACTIVE");
    assert_eq!(stage.grants(&subscription)[0]["status"], "COMPLETED");
    let reader = stage.in_environment(&stage.subscriber, &stage.subscribe_environment);
    let sql = "SELECT COUNT(*) FROM datazone_env_sub_env.mkt_sls_table";
    assert!(stage.sql(&reader, None, sql).unwrap_err().contains("does not exist"));
    assert_eq!(stage.run(&source)["status"], "FAILED");
    // A new grant cannot be fulfilled, and the environment can still be deleted.
    let failed = json!({ "identifier": stage.grants(&subscription)[0]["id"] });
    stage.ask(&stage.subscriber, "DeleteSubscriptionGrant", failed);
    stage.pass(30);
    assert!(stage.grants(&subscription).is_empty());
    let input = json!({
        "environmentIdentifier": stage.subscribe_environment,
        "grantedEntity": { "listing": { "identifier": listing, "revision": "1" } },
    });
    stage.ask(&stage.subscriber, "CreateSubscriptionGrant", input);
    stage.pass(60);
    let grant = &stage.grants(&subscription)[0];
    assert_eq!(grant["status"], "GRANT_FAILED");
    assert!(text(&grant["assets"][0]["failureCause"], "message").contains("does not exist"));
    stage.ask(&stage.publisher, "DeleteEnvironment", json!({ "identifier": environment }));
    stage.pass(200);
    assert_eq!(stage.environment_status(&stage.publisher, environment), "DELETED");
}

#[test]
fn a_grant_reaches_another_cluster() {
    let stage = Stage::new().with_environments();
    let project = &stage.subscribe_project;
    let profile =
        stage.profile_over("other", &stage.subscriber, project, "elsewhere", "LIMITED_ACCESS");
    let elsewhere = stage.environment(&stage.subscriber, project, &profile, "elsewhere");
    stage.pass(300);
    let (_, listing) = stage.publish();
    let subscription = stage.subscribe(&listing);
    stage.pass(60);
    let grants = stage.grants(&subscription);
    assert_eq!(grants.len(), 2);
    assert!(grants.iter().all(|grant| grant["status"] == "COMPLETED"), "{grants:?}");
    let reader = stage.in_environment(&stage.subscriber, &elsewhere);
    let count = || {
        let sql = "SELECT COUNT(*) FROM datazone_env_elsewhere.mkt_sls_table";
        stage.sql_on("other", &reader, None, sql).unwrap()[0][0]["longValue"].clone()
    };
    assert_eq!(count(), 3);
    stage.master_sql("DELETE FROM sales.mkt_sls_table WHERE ord_num = 1");
    assert_eq!(count(), 2);
}

#[test]
fn the_publisher_makes_tables_with_the_environments_credentials() {
    let stage = Stage::new().with_environments();
    let environment = &stage.publish_environment;
    let worker = stage.in_environment(&stage.publisher, environment);
    let sql = "CREATE TABLE datazone_env_pub_env.rs_sls_tbl AS SELECT 7 AS ord_num";
    stage.sql(&worker, None, sql).unwrap();
    let sources = stage.ask(
        &stage.publisher,
        "ListDataSources",
        json!({ "projectIdentifier": stage.publish_project, "environmentIdentifier": environment }),
    );
    let run = stage.run(text(&sources["items"][0], "dataSourceId"));
    let activities = stage.activities(&run);
    assert_eq!(activities[0].0, "rs_sls_tbl");
    assert_eq!(activities[0].1, "SUCCEEDED_CREATED");
    // What people made is theirs: the deletion of the environment leaves it where it is.
    stage.ask(&stage.publisher, "DeleteEnvironment", json!({ "identifier": environment }));
    stage.pass(200);
    assert_eq!(stage.environment_status(&stage.publisher, environment), "DELETED");
    let rows = stage.master_sql("SELECT ord_num FROM datazone_env_pub_env.rs_sls_tbl");
    assert_eq!(rows[0][0]["longValue"], 7);
    // Credentials of a deleted environment are refused, old ones as well.
    let ask = json!({ "environmentIdentifier": environment });
    assert_eq!(stage.refused(&stage.publisher, "GetEnvironmentCredentials", ask), invalid());
    assert!(worker.call("sts", "GetCallerIdentity", json!({})).is_err());
}

#[test]
fn only_members_get_an_environments_credentials() {
    let stage = Stage::new().with_environments();
    let ask = json!({ "environmentIdentifier": stage.publish_environment });
    for client in [&stage.subscriber, &stage.admin] {
        let answer = stage.refused(client, "GetEnvironmentCredentials", ask.clone());
        assert_eq!(answer, forbidden());
    }
    let reader = stage.in_environment(&stage.publisher, &stage.publish_environment);
    let identity = reader.call("sts", "GetCallerIdentity", json!({})).unwrap();
    assert!(text(&identity, "Arn").contains("assumed-role/datazone_usr_role_"));
    // The environment's role works with data and is nobody in the domain.
    assert_eq!(stage.refused(&reader, "ListProjects", json!({})), forbidden());
}

#[test]
fn a_repeated_token_is_answered_and_does_nothing() {
    let stage = Stage::new().with_environments();
    let (_, listing) = stage.publish();
    let mut asking = stage.asking(&listing);
    asking["clientToken"] = json!("11111111-2222-4333-8444-555555555555");
    let create = "CreateSubscriptionRequest";
    let first = stage.ask(&stage.subscriber, create, asking.clone());
    let second = stage.ask(&stage.subscriber, create, asking.clone());
    assert_eq!(first["id"], second["id"]);
    let log = stage.bench.sandbox.log().unwrap();
    let effects: Vec<bool> =
        log.iter().filter(|call| call.operation == create).map(|call| call.effect).collect();
    assert_eq!(effects, [true, false]);
    asking["clientToken"] = json!("11111111-2222-4333-8444-666666666666");
    assert_eq!(stage.refused(&stage.subscriber, create, asking), conflict());
}

#[test]
fn a_role_works_once_it_has_a_profile() {
    let stage = Stage::without_warehouse().with_domain();
    stage.let_everybody_create_projects();
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") } }] });
    let input = json!({ "RoleName": "Publishers", "AssumeRolePolicyDocument": trust.to_string() });
    let role = stage.admin.call("iam", "CreateRole", input).unwrap();
    let arn = text(&role["Role"], "Arn");
    let policy = "arn:aws:iam::aws:policy/AmazonDataZoneFullAccess";
    let input = json!({ "RoleName": "Publishers", "PolicyArn": policy });
    stage.admin.call("iam", "AttachRolePolicy", input).unwrap();
    let input = json!({ "RoleArn": arn, "RoleSessionName": "someone" });
    let session = stage.admin.call("sts", "AssumeRole", input).unwrap();
    let publisher: Client = stage.admin.with_credentials(&session["Credentials"]);
    let project = json!({ "name": "by a role" });
    assert_eq!(stage.refused(&publisher, "CreateProject", project.clone()), forbidden());
    let profile = json!({ "userIdentifier": arn, "userType": "IAM_ROLE" });
    stage.ask(&stage.admin, "CreateUserProfile", profile);
    let made = stage.ask(&publisher, "CreateProject", project);
    stage.ask(&publisher, "GetProject", json!({ "identifier": made["id"] }));
}

#[test]
fn connections_can_be_limited_to_parameter_sets() {
    let stage = Stage::without_warehouse().with_projects();
    let set = json!({
        "dataAccessSecretsArn": stage.secret, "dbName": "dev", "clusterName": "poc" });
    stage.ask(
        &stage.admin,
        "PutEnvironmentBlueprintConfiguration",
        json!({
            "environmentBlueprintIdentifier": stage.blueprint, "enabledRegions": ["eu-west-1"],
            "allowUserProvidedConfigurations": false,
            "resourceConfigurations": [
                { "name": "poc", "region": "eu-west-1", "parameters": set }],
        }),
    );
    stage.profile(&stage.publisher, &stage.publish_project, "as given", "FULL_ACCESS");
    let input = json!({
        "name": "my own", "projectIdentifier": stage.publish_project,
        "environmentBlueprintIdentifier": stage.blueprint,
        "userParameters": [{ "name": "clusterName", "value": "mine" }],
    });
    let answer = stage.refused(&stage.publisher, "CreateEnvironmentProfile", input);
    assert_eq!(answer, invalid());
}

#[test]
fn a_blueprint_that_is_not_enabled_makes_nothing() {
    let stage = Stage::without_warehouse().with_projects();
    let named = json!({ "environmentBlueprintIdentifier": stage.blueprint });
    stage.ask(&stage.admin, "DeleteEnvironmentBlueprintConfiguration", named);
    let input = json!({
        "name": "profile", "projectIdentifier": stage.publish_project,
        "environmentBlueprintIdentifier": stage.blueprint,
    });
    let answer = stage.refused(&stage.publisher, "CreateEnvironmentProfile", input);
    assert_eq!(answer, invalid());
}

#[test]
fn glossaries_have_terms_and_are_searched() {
    let stage = Stage::without_warehouse().with_projects();
    let glossary = stage.ask(
        &stage.publisher,
        "CreateGlossary",
        json!({ "name": "words", "owningProjectIdentifier": stage.publish_project }),
    );
    let term = |client: &Client| {
        let input = json!({
            "glossaryIdentifier": glossary["id"], "name": "Market",
            "shortDescription": "where things are sold" });
        client.call("datazone", "CreateGlossaryTerm", stage.inside(input))
    };
    assert!(term(&stage.subscriber).is_err());
    let made: Value = term(&stage.publisher).unwrap();
    let found = stage.ask(
        &stage.subscriber,
        "Search",
        json!({ "searchScope": "GLOSSARY_TERM", "searchText": "mark" }),
    );
    assert_eq!(found["items"][0]["glossaryTermItem"]["id"], made["id"]);
    let named = json!({ "identifier": glossary["id"] });
    assert_eq!(stage.refused(&stage.publisher, "DeleteGlossary", named.clone()), conflict());
    stage.ask(&stage.publisher, "DeleteGlossaryTerm", json!({ "identifier": made["id"] }));
    stage.ask(&stage.publisher, "DeleteGlossary", named.clone());
    assert_eq!(stage.refused(&stage.publisher, "GetGlossary", named), absent());
}

#[test]
fn tags_of_a_domain_can_be_changed() {
    let stage = Stage::without_warehouse().with_domain();
    let found = dz(&stage.admin, "GetDomain", json!({ "identifier": stage.domain }));
    let arn = &found["arn"];
    dz(&stage.admin, "TagResource", json!({ "resourceArn": arn, "tags": { "a": "1", "b": "2" } }));
    dz(&stage.admin, "UntagResource", json!({ "resourceArn": arn, "tagKeys": ["a"] }));
    let tags = dz(&stage.admin, "ListTagsForResource", json!({ "resourceArn": arn }));
    assert_eq!(tags["tags"], json!({ "b": "2" }));
}
