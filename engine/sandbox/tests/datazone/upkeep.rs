//! Reads, updates and the less travelled operations.

use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Stage, absent, conflict, dz, forbidden, invalid, text};

fn count(answer: &Value) -> usize {
    answer["items"].as_array().unwrap().len()
}

#[test]
fn domain_units_nest_and_inherit_grants() {
    let stage = Stage::without_warehouse().with_domain();
    let root = stage.root_unit();
    let unit = json!({ "name": "sales", "parentDomainUnitIdentifier": root });
    assert_eq!(stage.refused(&stage.publisher, "CreateDomainUnit", unit.clone()), forbidden());
    let made = stage.ask(&stage.admin, "CreateDomainUnit", unit.clone());
    assert_eq!(made["ancestorDomainUnitIds"], json!([root]));
    assert_eq!(stage.refused(&stage.admin, "CreateDomainUnit", unit), conflict());
    let listed = stage.ask(
        &stage.admin,
        "ListDomainUnitsForParent",
        json!({ "parentDomainUnitIdentifier": root }),
    );
    assert_eq!(listed["items"][0]["id"], made["id"]);
    let project = json!({ "name": "below", "domainUnitId": made["id"] });
    assert_eq!(stage.refused(&stage.publisher, "CreateProject", project.clone()), forbidden());
    let grant = |children: bool| {
        json!({
            "entityType": "DOMAIN_UNIT", "entityIdentifier": root, "policyType": "CREATE_PROJECT",
            "principal": { "user": { "allUsersGrantFilter": {} } },
            "detail": { "createProject": { "includeChildDomainUnits": children } },
        })
    };
    let here = stage.ask(&stage.admin, "AddPolicyGrant", grant(false));
    assert_eq!(stage.refused(&stage.publisher, "CreateProject", project.clone()), forbidden());
    let mut gone = grant(false);
    gone.as_object_mut().unwrap().remove("detail");
    gone["grantIdentifier"] = here["grantId"].clone();
    stage.ask(&stage.admin, "RemovePolicyGrant", gone);
    stage.ask(&stage.admin, "AddPolicyGrant", grant(true));
    let below = stage.ask(&stage.publisher, "CreateProject", project);
    let named = json!({ "identifier": made["id"] });
    assert_eq!(stage.refused(&stage.admin, "DeleteDomainUnit", named.clone()), conflict());
    stage.ask(&stage.publisher, "DeleteProject", json!({ "identifier": below["id"] }));
    stage.pass(15);
    let renamed = json!({ "identifier": made["id"], "name": "trade" });
    stage.ask(&stage.admin, "UpdateDomainUnit", renamed);
    assert_eq!(stage.ask(&stage.admin, "GetDomainUnit", named.clone())["name"], "trade");
    stage.ask(&stage.admin, "DeleteDomainUnit", named.clone());
    assert_eq!(stage.refused(&stage.admin, "GetDomainUnit", named), absent());
    let owners = json!({ "entityType": "DOMAIN_UNIT", "entityIdentifier": root });
    let owners = stage.ask(&stage.admin, "ListEntityOwners", owners);
    assert_eq!(owners["owners"].as_array().unwrap().len(), 1);
}

#[test]
fn the_last_owner_stays() {
    let stage = Stage::without_warehouse().with_projects();
    let owner = json!({
        "entityType": "DOMAIN_UNIT", "entityIdentifier": stage.root_unit(),
        "owner": { "user": { "userIdentifier": format!("arn:aws:iam::{ACCOUNT}:user/admin") } },
    });
    assert_eq!(stage.refused(&stage.admin, "RemoveEntityOwner", owner), invalid());
    let member = json!({
        "projectIdentifier": stage.publish_project,
        "member": { "userIdentifier": format!("arn:aws:iam::{ACCOUNT}:user/publisher") },
    });
    assert_eq!(stage.refused(&stage.publisher, "DeleteProjectMembership", member), invalid());
}

#[test]
fn words_of_domains_profiles_and_environments_can_be_changed() {
    let stage = Stage::new().with_environments();
    let update = json!({ "identifier": stage.domain, "description": "trial" });
    dz(&stage.admin, "UpdateDomain", update);
    let domain = dz(&stage.admin, "GetDomain", json!({ "identifier": stage.domain }));
    assert_eq!(domain["description"], "trial");
    let listed = stage.ask(
        &stage.publisher,
        "ListEnvironments",
        json!({ "projectIdentifier": stage.publish_project, "status": "ACTIVE" }),
    );
    assert_eq!(count(&listed), 1);
    let profile = json!({ "identifier": listed["items"][0]["environmentProfileId"] });
    let mut update = profile.clone();
    update["description"] = json!("for publishing");
    stage.ask(&stage.publisher, "UpdateEnvironmentProfile", update.clone());
    assert_eq!(stage.refused(&stage.subscriber, "UpdateEnvironmentProfile", update), forbidden());
    let found = stage.ask(&stage.publisher, "GetEnvironmentProfile", profile.clone());
    assert_eq!(found["description"], "for publishing");
    assert_eq!(stage.refused(&stage.publisher, "DeleteEnvironmentProfile", profile), invalid());
    let update = json!({ "identifier": stage.publish_environment, "description": "mine" });
    let updated = stage.ask(&stage.publisher, "UpdateEnvironment", update);
    assert_eq!(updated["description"], "mine");
    let listed = stage.ask(&stage.admin, "ListEnvironmentBlueprintConfigurations", json!({}));
    assert_eq!(count(&listed), 1);
    let people = json!({ "userType": "DATAZONE_IAM_USER", "searchText": "publisher" });
    assert_eq!(count(&stage.ask(&stage.admin, "SearchUserProfiles", people)), 1);
}

#[test]
fn rejected_predictions_leave_the_technical_name() {
    let stage = Stage::new().with_environments();
    let run = stage.run(&stage.source("sales", "mkt_*"));
    let id = stage.activities(&run)[0].2.clone().unwrap();
    stage.pass(20);
    let reject = json!({ "identifier": id, "rejectRule": { "rule": "ALL" } });
    let rejected = stage.ask(&stage.publisher, "RejectPredictions", reject);
    assert_eq!(rejected["assetRevision"], "2");
    let named = json!({ "identifier": id });
    let asset = stage.ask(&stage.publisher, "GetAsset", named.clone());
    assert_eq!(asset["name"], "mkt_sls_table");
    // The way back: a revision with the forms of another.
    let forms: Vec<Value> = asset["formsOutput"]
        .as_array()
        .unwrap()
        .iter()
        .map(|form| {
            json!({
                "formName": form["formName"], "typeIdentifier": form["typeName"],
                "content": form["content"],
            })
        })
        .collect();
    let revision = json!({ "identifier": id, "name": "Sales", "formsInput": forms });
    let revised = stage.ask(&stage.publisher, "CreateAssetRevision", revision);
    assert_eq!(revised["revision"], "3");
    assert_eq!(revised["formsOutput"], asset["formsOutput"]);
    assert_eq!(count(&stage.ask(&stage.publisher, "ListAssetRevisions", named)), 3);
    let runs = stage.ask(&stage.publisher, "ListMetadataGenerationRuns", json!({}));
    assert_eq!(count(&runs), 0);
}

#[test]
fn a_second_target_gets_its_own_grant_and_keeps_its_place_while_it_has_one() {
    let stage = Stage::new().with_environments();
    let environment = json!({ "environmentIdentifier": stage.subscribe_environment });
    let listed = stage.ask(&stage.subscriber, "ListSubscriptionTargets", environment.clone());
    let first = &listed["items"][0];
    let mut input = environment.clone();
    for member in [
        "type",
        "subscriptionTargetConfig",
        "authorizedPrincipals",
        "manageAccessRole",
        "applicableAssetTypes",
    ] {
        input[member] = first[member].clone();
    }
    input["name"] = json!("by hand");
    input["subscriptionGrantCreationMode"] = json!("MANUAL");
    let create = "CreateSubscriptionTarget";
    let made = stage.ask(&stage.subscriber, create, input.clone());
    assert_eq!(stage.refused(&stage.subscriber, create, input), conflict());
    let (_, listing) = stage.publish();
    let subscription = stage.subscribe(&listing);
    stage.pass(60);
    let grants = stage.grants(&subscription);
    assert_eq!(grants.len(), 1, "a target in manual mode waits to be asked");
    let mut named = environment;
    named["identifier"] = first["id"].clone();
    let delete = "DeleteSubscriptionTarget";
    assert_eq!(stage.refused(&stage.subscriber, delete, named.clone()), conflict());
    named["identifier"] = made["id"].clone();
    let mut renamed = named.clone();
    renamed["name"] = json!("second");
    stage.ask(&stage.subscriber, "UpdateSubscriptionTarget", renamed);
    let found = stage.ask(&stage.subscriber, "GetSubscriptionTarget", named.clone());
    assert_eq!(found["name"], "second");
    stage.ask(&stage.subscriber, delete, named.clone());
    assert_eq!(stage.refused(&stage.subscriber, "GetSubscriptionTarget", named), absent());
    let grant = json!({ "identifier": grants[0]["id"] });
    stage.ask(&stage.publisher, "GetSubscriptionGrant", grant);
    let subscription = json!({ "identifier": subscription });
    let found = stage.ask(&stage.publisher, "GetSubscription", subscription.clone());
    assert_eq!(found["status"], "APPROVED");
    assert_eq!(stage.refused(&stage.admin, "GetSubscription", subscription), forbidden());
    let by_hand = json!({
        "identifier": grants[0]["id"], "assetIdentifier": grants[0]["assets"][0]["assetId"],
        "status": "GRANTED" });
    let update = "UpdateSubscriptionGrantStatus";
    assert_eq!(stage.refused(&stage.publisher, update, by_hand), invalid());
}

#[test]
fn managed_asset_types_are_known() {
    let stage = Stage::without_warehouse().with_projects();
    let search = json!({ "searchScope": "ASSET_TYPE", "managed": true, "searchText": "redshift" });
    let found = stage.ask(&stage.publisher, "SearchTypes", search);
    assert_eq!(found["totalMatchCount"], 2);
    let name = text(&found["items"][0]["assetTypeItem"], "name");
    let named = json!({ "identifier": name });
    assert_eq!(stage.ask(&stage.publisher, "GetAssetType", named)["name"], name);
}

#[test]
fn a_glossary_and_its_terms_can_be_reworded() {
    let stage = Stage::without_warehouse().with_projects();
    let glossary = stage.ask(
        &stage.publisher,
        "CreateGlossary",
        json!({ "name": "words", "owningProjectIdentifier": stage.publish_project }),
    );
    let input = json!({ "glossaryIdentifier": glossary["id"], "name": "Market" });
    let term = stage.ask(&stage.publisher, "CreateGlossaryTerm", input);
    let reworded = json!({ "identifier": term["id"], "status": "ENABLED" });
    stage.ask(&stage.publisher, "UpdateGlossaryTerm", reworded);
    let named = json!({ "identifier": term["id"] });
    assert_eq!(stage.ask(&stage.subscriber, "GetGlossaryTerm", named.clone())["status"], "ENABLED");
    assert_eq!(stage.refused(&stage.publisher, "DeleteGlossaryTerm", named), conflict());
    let enabled = json!({ "identifier": glossary["id"], "status": "ENABLED" });
    stage.ask(&stage.publisher, "UpdateGlossary", enabled);
}

#[test]
fn a_change_into_what_is_there_already_has_no_effect() {
    let stage = Stage::new().with_environments();
    let (asset, _) = stage.publish();
    let source = stage.ask(
        &stage.publisher,
        "ListDataSources",
        json!({ "projectIdentifier": stage.publish_project, "name": "sales" }),
    );
    let source = source["items"][0]["dataSourceId"].clone();
    let named = json!({ "environmentBlueprintIdentifier": stage.blueprint });
    let configured = stage.ask(&stage.admin, "GetEnvironmentBlueprintConfiguration", named.clone());
    let mut put = named;
    for member in ["enabledRegions", "provisioningRoleArn", "manageAccessRoleArn"] {
        put[member] = configured[member].clone();
    }
    let unpublish =
        json!({ "entityIdentifier": asset, "entityType": "ASSET", "action": "UNPUBLISH" });
    stage.ask(&stage.publisher, "CreateListingChangeSet", unpublish.clone());
    let before = stage.bench.sandbox.log().unwrap().len();
    stage.ask(&stage.admin, "PutEnvironmentBlueprintConfiguration", put);
    let same = json!({ "identifier": source, "name": "sales" });
    stage.ask(&stage.publisher, "UpdateDataSource", same);
    stage.ask(&stage.publisher, "CreateListingChangeSet", unpublish);
    let same = json!({ "identifier": stage.publish_project, "name": "publish" });
    stage.ask(&stage.publisher, "UpdateProject", same);
    for call in stage.bench.sandbox.log().unwrap().split_off(before) {
        assert!(call.mutating && !call.effect, "{call:?}");
    }
}
