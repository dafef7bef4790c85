//! Taking everything back, in order and out of order.

use serde_json::json;

use crate::stage::{ACCOUNT, Stage, conflict, dz, forbidden, invalid, refused};

#[test]
fn everything_goes_in_reverse_order() {
    let stage = Stage::new().with_environments();
    let (asset, listing) = stage.publish();
    let subscription = stage.subscribe(&listing);
    stage.pass(60);
    let asset_named = json!({ "identifier": asset });
    let unpublish =
        json!({ "entityIdentifier": asset, "entityType": "ASSET", "action": "UNPUBLISH" });
    let change = "CreateListingChangeSet";
    assert_eq!(stage.refused(&stage.publisher, change, unpublish.clone()), conflict());
    assert_eq!(stage.refused(&stage.publisher, "DeleteAsset", asset_named.clone()), conflict());
    let project = json!({ "identifier": stage.publish_project });
    assert_eq!(stage.refused(&stage.publisher, "DeleteProject", project), invalid());
    stage.ask(&stage.subscriber, "CancelSubscription", json!({ "identifier": subscription }));
    stage.pass(30);
    stage.ask(&stage.publisher, change, unpublish);
    stage.ask(&stage.publisher, "DeleteListing", json!({ "identifier": listing }));
    stage.ask(&stage.publisher, "DeleteAsset", asset_named);
    let ends = [
        (&stage.subscriber, &stage.subscribe_project, &stage.subscribe_environment),
        (&stage.publisher, &stage.publish_project, &stage.publish_environment),
    ];
    for (client, project, environment) in ends {
        let listed = stage.ask(client, "ListDataSources", json!({ "projectIdentifier": project }));
        for source in listed["items"].as_array().unwrap() {
            let named = json!({ "identifier": source["dataSourceId"] });
            let gone = stage.ask(client, "DeleteDataSource", named);
            assert_eq!(gone["status"], "DELETING");
        }
        stage.ask(client, "DeleteEnvironment", json!({ "identifier": environment }));
        stage.pass(200);
        assert_eq!(stage.environment_status(client, environment), "DELETED");
        let listed =
            stage.ask(client, "ListEnvironmentProfiles", json!({ "projectIdentifier": project }));
        for profile in listed["items"].as_array().unwrap() {
            if profile["projectId"] == **project {
                let named = json!({ "identifier": profile["id"] });
                stage.ask(client, "DeleteEnvironmentProfile", named);
            }
        }
        let named = json!({ "identifier": project });
        stage.ask(client, "DeleteProject", named.clone());
        stage.pass(15);
        assert_eq!(stage.refused(client, "GetProject", named), forbidden());
    }
    let schemas = stage.master_sql(
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'datazone%'",
    );
    assert_eq!(schemas, json!([]));
    let named = json!({ "identifier": stage.domain });
    assert_eq!(dz(&stage.admin, "DeleteDomain", named.clone())["status"], "DELETING");
    stage.pass(30);
    assert_eq!(refused(&stage.admin, "GetDomain", named), forbidden());
    let dump = stage.bench.sandbox.dump().unwrap();
    assert!(dump["resources"][ACCOUNT]["eu-west-1"]["datazone"].is_null());
}

#[test]
fn a_domain_with_projects_is_kept_unless_told_otherwise() {
    let stage = Stage::without_warehouse().with_projects();
    let named = json!({ "identifier": stage.domain });
    assert_eq!(refused(&stage.admin, "DeleteDomain", named), conflict());
    let both = json!({
        "identifier": stage.domain, "skipDeletionCheck": true, "cascadeDelete": true });
    assert_eq!(refused(&stage.admin, "DeleteDomain", both), invalid());
    let cascade = json!({ "identifier": stage.domain, "cascadeDelete": true });
    dz(&stage.admin, "DeleteDomain", cascade);
    stage.pass(30);
    let named = json!({ "identifier": stage.domain });
    assert_eq!(refused(&stage.admin, "GetDomain", named), forbidden());
}

#[test]
fn a_project_deleted_without_the_check_leaves_its_resources_behind() {
    let stage = Stage::new().with_environments();
    let skip = json!({ "identifier": stage.publish_project, "skipDeletionCheck": true });
    stage.ask(&stage.publisher, "DeleteProject", skip);
    stage.pass(15);
    let named = json!({ "identifier": stage.publish_environment });
    assert_eq!(stage.refused(&stage.publisher, "GetEnvironment", named), forbidden());
    let role = json!({ "RoleName": format!("datazone_usr_role_{}", stage.publish_environment) });
    stage.admin.call("iam", "GetRole", role).unwrap();
}
