//! Blueprints, profiles and environments: what makes one, and what keeps it from being made.

use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Stage, conflict, forbidden, invalid, text};

fn deployment(stage: &Stage, id: &str) -> Value {
    let found = stage.ask(&stage.publisher, "GetEnvironment", json!({ "identifier": id }));
    found["lastDeployment"].clone()
}

#[test]
fn the_blueprint_names_the_parameters_that_a_runbook_checks() {
    let stage = Stage::without_warehouse().with_blueprint();
    let found = stage.ask(
        &stage.admin,
        "GetEnvironmentBlueprint",
        json!({ "identifier": stage.blueprint }),
    );
    let keys: Vec<&str> = found["userParameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| text(parameter, "keyName"))
        .collect();
    for key in [
        "dataAccessSecretsArn",
        "dbName",
        "clusterName",
        "workgroupName",
        "profilePermissionLevel",
        "allowedProjects",
    ] {
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
}

#[test]
fn a_put_replaces_the_configuration_and_keeps_identifiers_by_name() {
    let stage = Stage::without_warehouse().with_blueprint();
    let named = json!({ "environmentBlueprintIdentifier": stage.blueprint });
    let put = |sets: Value| {
        stage.ask(
            &stage.admin,
            "PutEnvironmentBlueprintConfiguration",
            json!({
                "environmentBlueprintIdentifier": stage.blueprint,
                "enabledRegions": ["eu-west-1"], "resourceConfigurations": sets,
            }),
        )
    };
    let set = json!({ "name": "poc", "region": "eu-west-1", "parameters": { "dbName": "dev" } });
    let first = put(json!([set]));
    let second = put(json!([set]));
    assert_eq!(
        first["resourceConfigurations"][0]["identifier"],
        second["resourceConfigurations"][0]["identifier"]
    );
    assert!(second["provisioningRoleArn"].is_null(), "a put without the role drops it");
    let found = stage.ask(&stage.admin, "GetEnvironmentBlueprintConfiguration", named.clone());
    assert_eq!(found["resourceConfigurations"], second["resourceConfigurations"]);
    stage.ask(&stage.admin, "DeleteEnvironmentBlueprintConfiguration", named.clone());
    let code = stage.refused(&stage.admin, "GetEnvironmentBlueprintConfiguration", named).0;
    assert_eq!(code, "ResourceNotFoundException");
}

#[test]
fn a_profile_needs_membership_known_parameters_and_a_free_name() {
    let stage = Stage::without_warehouse().with_projects();
    let input = |parameters: Value| {
        json!({
            "name": "profile", "projectIdentifier": stage.publish_project,
            "environmentBlueprintIdentifier": stage.blueprint, "userParameters": parameters,
        })
    };
    // The administrator of everything in IAM is nobody in the project.
    let plain = input(json!([]));
    let create = "CreateEnvironmentProfile";
    assert_eq!(stage.refused(&stage.admin, create, plain.clone()), forbidden());
    let unknown = input(json!([{ "name": "cluster", "value": "poc" }]));
    assert_eq!(stage.refused(&stage.publisher, create, unknown), invalid());
    stage.ask(&stage.publisher, create, plain.clone());
    assert_eq!(stage.refused(&stage.publisher, create, plain), conflict());
}

#[test]
fn a_grant_on_the_blueprint_names_the_projects_that_may_use_it() {
    let stage = Stage::without_warehouse().with_projects();
    stage.ask(
        &stage.admin,
        "AddPolicyGrant",
        json!({
            "entityType": "ENVIRONMENT_BLUEPRINT_CONFIGURATION",
            "entityIdentifier": format!("{ACCOUNT}:{}", stage.blueprint),
            "policyType": "CREATE_ENVIRONMENT_PROFILE",
            "principal": { "project": {
                "projectDesignation": "OWNER", "projectIdentifier": stage.publish_project } },
            "detail": { "createEnvironmentProfile": {} },
        }),
    );
    stage.profile(&stage.publisher, &stage.publish_project, "allowed", "FULL_ACCESS");
    let input = json!({
        "name": "not allowed", "projectIdentifier": stage.subscribe_project,
        "environmentBlueprintIdentifier": stage.blueprint,
    });
    let answer = stage.refused(&stage.subscriber, "CreateEnvironmentProfile", input);
    assert_eq!(answer, forbidden());
}

#[test]
fn an_environment_brings_its_schema_role_target_and_data_source() {
    let stage = Stage::new().with_environments();
    let id = &stage.publish_environment;
    let found = stage.ask(&stage.publisher, "GetEnvironment", json!({ "identifier": id }));
    let resource = |name: &str| {
        let resources = found["provisionedResources"].as_array().unwrap();
        let known = resources.iter().find(|resource| resource["name"] == name);
        text(known.unwrap(), "value").to_owned()
    };
    assert_eq!(resource("schemaName"), "datazone_env_pub_env");
    assert_eq!(resource("databaseName"), "dev");
    assert_eq!(resource("clusterName"), "poc");
    let role = format!("datazone_usr_role_{id}");
    assert!(resource("userRoleArn").ends_with(&format!("role/{role}")));
    stage.admin.call("iam", "GetRole", json!({ "RoleName": role })).unwrap();
    stage.master_sql("CREATE TABLE datazone_env_pub_env.mine AS SELECT 1 AS one");
    let targets = stage.ask(
        &stage.publisher,
        "ListSubscriptionTargets",
        json!({ "environmentIdentifier": id }),
    );
    assert_eq!(targets["items"][0]["type"], "RedshiftSubscriptionTargetType");
    let sources = stage.ask(
        &stage.publisher,
        "ListDataSources",
        json!({ "projectIdentifier": stage.publish_project, "environmentIdentifier": id }),
    );
    assert_eq!(sources["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["lastDeployment"]["deploymentStatus"], "SUCCESSFUL");
}

#[test]
fn an_untagged_secret_ends_the_deployment_early() {
    let mut stage = Stage::new().with_projects();
    stage.secret = stage.secret_named("AmazonDataZone-untagged", None);
    let project = stage.publish_project.clone();
    let profile = stage.profile(&stage.publisher, &project, "untagged", "FULL_ACCESS");
    let id = stage.environment(&stage.publisher, &project, &profile, "env");
    stage.pass(30);
    assert_eq!(stage.environment_status(&stage.publisher, &id), "VALIDATION_FAILED");
    let deployment = deployment(&stage, &id);
    assert_eq!(deployment["deploymentStatus"], "FAILED");
    assert!(text(&deployment["failureReason"], "message").contains("AmazonDataZoneDomain"));
}

#[test]
fn a_provisioning_role_without_its_policy_fails_the_deployment_late() {
    let stage = Stage::new().with_projects();
    stage
        .admin
        .call(
            "iam",
            "DetachRolePolicy",
            json!({
                "RoleName": "AmazonDataZoneProvisioningRole",
                "PolicyArn":
                    "arn:aws:iam::aws:policy/AmazonDataZoneRedshiftGlueProvisioningPolicy",
            }),
        )
        .unwrap();
    let project = &stage.publish_project;
    let profile = stage.profile(&stage.publisher, project, "profile", "FULL_ACCESS");
    let id = stage.environment(&stage.publisher, project, &profile, "env");
    stage.pass(60);
    assert_eq!(stage.environment_status(&stage.publisher, &id), "CREATING");
    stage.pass(240);
    assert_eq!(stage.environment_status(&stage.publisher, &id), "CREATE_FAILED");
}

#[test]
fn a_name_stays_taken_after_its_environment_is_deleted() {
    let stage = Stage::new().with_environments();
    let id = &stage.publish_environment;
    stage.ask(&stage.publisher, "DeleteEnvironment", json!({ "identifier": id }));
    assert_eq!(stage.environment_status(&stage.publisher, id), "DELETING");
    stage.pass(200);
    assert_eq!(stage.environment_status(&stage.publisher, id), "DELETED");
    let again = json!({ "identifier": id });
    assert_eq!(stage.refused(&stage.publisher, "DeleteEnvironment", again), forbidden());
    let profiles = stage.ask(
        &stage.publisher,
        "ListEnvironmentProfiles",
        json!({ "projectIdentifier": stage.publish_project, "name": "publish profile" }),
    );
    let input = json!({
        "name": "Pub Env", "projectIdentifier": stage.publish_project,
        "environmentProfileIdentifier": profiles["items"][0]["id"],
    });
    assert_eq!(stage.refused(&stage.publisher, "CreateEnvironment", input), conflict());
}

#[test]
fn an_environment_that_outlived_its_role_cannot_be_deleted() {
    let stage = Stage::new().with_environments();
    let role = "AmazonDataZoneProvisioningRole";
    let policy = "arn:aws:iam::aws:policy/AmazonDataZoneRedshiftGlueProvisioningPolicy";
    let input = json!({ "RoleName": role, "PolicyArn": policy });
    stage.admin.call("iam", "DetachRolePolicy", input).unwrap();
    stage.admin.call("iam", "DeleteRole", json!({ "RoleName": role })).unwrap();
    let id = &stage.publish_environment;
    stage.ask(&stage.publisher, "DeleteEnvironment", json!({ "identifier": id }));
    stage.pass(200);
    assert_eq!(stage.environment_status(&stage.publisher, id), "DELETE_FAILED");
    assert!(text(&deployment(&stage, id)["failureReason"], "message").contains(role));
    // With the role back, the deletion goes through.
    stage.role(role, &["AmazonDataZoneRedshiftGlueProvisioningPolicy"], None);
    stage.pass(15);
    stage.ask(&stage.publisher, "DeleteEnvironment", json!({ "identifier": id }));
    stage.pass(200);
    assert_eq!(stage.environment_status(&stage.publisher, id), "DELETED");
}

#[test]
fn a_limited_profile_publishes_its_own_schema_only() {
    let stage = Stage::new().with_environments();
    let source = |schema: &str| {
        stage.inside(json!({
            "name": format!("of {schema}"), "type": "REDSHIFT",
            "projectIdentifier": stage.subscribe_project,
            "environmentIdentifier": stage.subscribe_environment,
            "configuration": { "redshiftRunConfiguration": {
                "relationalFilterConfigurations": [
                    { "databaseName": "dev", "schemaName": schema }],
            } },
        }))
    };
    let answer = stage.refused(&stage.subscriber, "CreateDataSource", source("sales"));
    assert_eq!(answer, invalid());
    stage.ask(&stage.subscriber, "CreateDataSource", source("datazone_env_sub_env"));
}

#[test]
fn two_environments_of_one_name_cannot_share_a_schema() {
    let stage = Stage::new().with_environments();
    let project = &stage.subscribe_project;
    let profile = stage.profile(&stage.subscriber, project, "same", "LIMITED_ACCESS");
    let id = stage.environment(&stage.subscriber, project, &profile, "pub env");
    stage.pass(300);
    assert_eq!(stage.environment_status(&stage.subscriber, &id), "CREATE_FAILED");
    stage.ask(&stage.subscriber, "DeleteEnvironment", json!({ "identifier": id }));
    stage.pass(200);
    assert_eq!(stage.environment_status(&stage.subscriber, &id), "DELETED");
    stage.master_sql("CREATE TABLE datazone_env_pub_env.still_there (id INTEGER)");
}
