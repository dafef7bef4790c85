//! Domains, users, ownership, grants and projects: who may do what.

use serde_json::json;

use crate::stage::{ACCOUNT, Stage, conflict, dz, forbidden, invalid, refused, text};

#[test]
fn a_domain_needs_a_role_that_every_service_knows_by_now() {
    let stage = Stage::without_warehouse();
    let role = stage.role("AmazonDataZoneDomainExecutionRole", &[], None);
    let input = json!({ "name": "poc", "domainExecutionRole": role });
    assert_eq!(refused(&stage.admin, "CreateDomain", input.clone()), forbidden());
    stage.pass(15);
    let domain = dz(&stage.admin, "CreateDomain", input.clone());
    assert_eq!(domain["status"], "CREATING");
    assert_eq!(refused(&stage.admin, "CreateDomain", input), conflict());
    stage.pass(10);
    let found = dz(&stage.admin, "GetDomain", json!({ "identifier": domain["id"] }));
    assert_eq!(found["status"], "AVAILABLE");
    assert_eq!(found["domainVersion"], "V1");
    let id = text(&domain, "id");
    assert!(id.starts_with("dzd-sandbox-"));
    assert_eq!(found["arn"], format!("arn:aws:datazone:eu-west-1:{ACCOUNT}:domain/{id}"));
}

#[test]
fn a_role_must_exist_and_trust_datazone_with_tags() {
    let stage = Stage::without_warehouse();
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "datazone.amazonaws.com" },
        "Action": "sts:AssumeRole" }] });
    let input =
        json!({ "RoleName": "AmazonDataZoneHalf", "AssumeRolePolicyDocument": trust.to_string() });
    stage.admin.call("iam", "CreateRole", input).unwrap();
    stage.pass(15);
    for name in ["AmazonDataZoneHalf", "AmazonDataZoneNobody"] {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let input = json!({ "name": "poc", "domainExecutionRole": role });
        assert_eq!(refused(&stage.admin, "CreateDomain", input), forbidden());
    }
}

#[test]
fn a_domain_that_is_not_there_and_one_of_another_account_answer_alike() {
    let stage = Stage::without_warehouse().with_domain();
    let stranger = stage.bench.client("stranger");
    let real = json!({ "identifier": stage.domain });
    assert_eq!(refused(&stranger, "GetDomain", real), forbidden());
    let none = json!({ "identifier": "dzd-nothing" });
    assert_eq!(refused(&stage.admin, "GetDomain", none), forbidden());
    assert_eq!(dz(&stranger, "ListDomains", json!({}))["items"], json!([]));
}

#[test]
fn only_the_creator_makes_projects_until_a_grant_or_ownership() {
    let stage = Stage::without_warehouse().with_domain();
    let project = json!({ "name": "mine" });
    stage.ask(&stage.admin, "CreateProject", project.clone());
    assert_eq!(stage.refused(&stage.publisher, "CreateProject", project.clone()), forbidden());
    let unit = stage.root_unit();
    let owner = json!({
        "entityType": "DOMAIN_UNIT", "entityIdentifier": unit,
        "owner": { "user": {
            "userIdentifier": format!("arn:aws:iam::{ACCOUNT}:user/publisher") } },
    });
    assert_eq!(stage.refused(&stage.publisher, "AddEntityOwner", owner.clone()), forbidden());
    stage.ask(&stage.admin, "AddEntityOwner", owner.clone());
    assert_eq!(stage.refused(&stage.admin, "AddEntityOwner", owner.clone()), conflict());
    stage.ask(&stage.publisher, "CreateProject", project.clone());
    stage.ask(&stage.admin, "RemoveEntityOwner", owner);
    assert_eq!(stage.refused(&stage.publisher, "CreateProject", project.clone()), forbidden());
    stage.let_everybody_create_projects();
    let made = stage.ask(&stage.subscriber, "CreateProject", project);
    assert_eq!(made["projectStatus"], "ACTIVE");
}

#[test]
fn policy_grants_are_listed_unique_and_removable() {
    let stage = Stage::without_warehouse().with_domain();
    let grant = json!({
        "entityType": "DOMAIN_UNIT", "entityIdentifier": stage.root_unit(),
        "policyType": "CREATE_PROJECT",
        "principal": { "user": { "allUsersGrantFilter": {} } },
        "detail": { "createProject": { "includeChildDomainUnits": true } },
    });
    let made = stage.ask(&stage.admin, "AddPolicyGrant", grant.clone());
    assert_eq!(text(&made, "grantId").len(), 10);
    assert_eq!(stage.refused(&stage.admin, "AddPolicyGrant", grant.clone()), conflict());
    let mut named = grant.clone();
    named
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !matches!(name.as_str(), "principal" | "detail"));
    let listed = stage.ask(&stage.admin, "ListPolicyGrants", named.clone());
    assert_eq!(listed["grantList"][0]["grantId"], made["grantId"]);
    let mut gone = grant;
    gone.as_object_mut().unwrap().remove("detail");
    gone["grantIdentifier"] = made["grantId"].clone();
    stage.ask(&stage.admin, "RemovePolicyGrant", gone);
    let listed = stage.ask(&stage.admin, "ListPolicyGrants", named);
    assert_eq!(listed["grantList"], json!([]));
}

#[test]
fn user_profiles_are_made_once_and_activated_at_first_use() {
    let stage = Stage::without_warehouse().with_domain();
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/publisher");
    let input = json!({ "userIdentifier": arn, "userType": "IAM_USER" });
    let made = stage.ask(&stage.admin, "CreateUserProfile", input.clone());
    assert_eq!(made["status"], "ASSIGNED");
    assert_eq!(stage.refused(&stage.admin, "CreateUserProfile", input), invalid());
    stage.ask(&stage.publisher, "ListProjects", json!({}));
    let named = json!({ "userIdentifier": arn, "type": "IAM" });
    let found = stage.ask(&stage.admin, "GetUserProfile", named);
    assert_eq!(found["status"], "ACTIVATED");
    assert_eq!(found["details"]["iam"]["arn"], arn);
    let off = json!({ "userIdentifier": made["id"], "type": "IAM", "status": "DEACTIVATED" });
    stage.ask(&stage.admin, "UpdateUserProfile", off);
    assert_eq!(stage.refused(&stage.publisher, "ListProjects", json!({})), forbidden());
    let nobody = json!({ "userIdentifier": format!("arn:aws:iam::{ACCOUNT}:user/nobody") });
    assert_eq!(stage.refused(&stage.admin, "CreateUserProfile", nobody), invalid());
}

#[test]
fn an_administrator_who_is_no_member_is_refused() {
    let stage = Stage::without_warehouse().with_projects();
    let other = stage.bench.client("auditor");
    let named = json!({ "identifier": stage.publish_project });
    assert_eq!(stage.refused(&other, "GetProject", named.clone()), forbidden());
    let rename = json!({ "identifier": stage.publish_project, "description": "mine now" });
    assert_eq!(stage.refused(&stage.admin, "UpdateProject", rename.clone()), forbidden());
    // The owner of the domain unit may look, and no more.
    stage.ask(&stage.admin, "GetProject", named);
    let member = json!({
        "projectIdentifier": stage.publish_project, "designation": "PROJECT_OWNER",
        "member": { "userIdentifier": format!("arn:aws:iam::{ACCOUNT}:user/admin") },
    });
    stage.ask(&stage.publisher, "CreateProjectMembership", member.clone());
    assert_eq!(
        stage.refused(&stage.publisher, "CreateProjectMembership", member.clone()),
        invalid()
    );
    stage.ask(&stage.admin, "UpdateProject", rename);
    let listed = stage.ask(
        &stage.publisher,
        "ListProjectMemberships",
        json!({ "projectIdentifier": stage.publish_project }),
    );
    assert_eq!(listed["members"].as_array().unwrap().len(), 2);
    let mut gone = member;
    gone.as_object_mut().unwrap().remove("designation");
    stage.ask(&stage.admin, "DeleteProjectMembership", gone);
}

#[test]
fn lists_come_in_pages() {
    let stage = Stage::without_warehouse().with_domain();
    for number in 0..5 {
        stage.ask(&stage.admin, "CreateProject", json!({ "name": format!("p{number}") }));
    }
    let first = stage.ask(&stage.admin, "ListProjects", json!({ "maxResults": 3 }));
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let next = json!({ "maxResults": 3, "nextToken": first["nextToken"] });
    let second = stage.ask(&stage.admin, "ListProjects", next);
    assert_eq!(second["items"].as_array().unwrap().len(), 2);
    assert!(second["nextToken"].is_null());
    let wrong = json!({ "nextToken": "somebody else's" });
    assert_eq!(stage.refused(&stage.admin, "ListProjects", wrong), invalid());
}
