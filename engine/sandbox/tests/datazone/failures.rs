//! The failures that a world can have or not have: each switch of `[failures]` that is DataZone's.

use serde_json::json;

use crate::accounts::{Accounts, CLUSTERS};
use crate::stage::{conflict, dz, forbidden, refused, text};

/// The producer's environment, as its people see it.
fn status(accounts: &Accounts) -> String {
    text(&accounts.environment(&accounts.producer), "status").to_owned()
}

fn delete(accounts: &Accounts) -> String {
    let named = json!({ "identifier": accounts.producer.environment });
    accounts.ask(&accounts.producer.user, "DeleteEnvironment", named);
    accounts.pass(200);
    status(accounts)
}

fn world(switch: &str) -> Accounts {
    Accounts::new(&format!("[failures]\n{switch}\n{CLUSTERS}"))
}

#[test]
fn a_new_role_is_unknown_for_as_long_as_the_world_says() {
    let accounts = world("role_not_yet_usable = 45");
    let role = accounts.role(
        &accounts.producer,
        "AmazonDataZoneDomainExecutionRole",
        "service-role/AmazonDataZoneDomainExecutionRolePolicy",
        None,
    );
    let input = json!({ "name": "shared", "domainExecutionRole": role, "domainVersion": "V1" });
    accounts.pass(40);
    let admin = &accounts.producer.admin;
    assert_eq!(refused(admin, "CreateDomain", input.clone()), forbidden());
    accounts.pass(10);
    dz(admin, "CreateDomain", input);
}

#[test]
fn a_deletion_that_timed_out_works_when_it_is_repeated() {
    let accounts = world("environment_deletion_times_out = true").with_environments();
    assert_eq!(delete(&accounts), "DELETE_FAILED");
    let environment = accounts.environment(&accounts.producer);
    assert_eq!(environment["lastDeployment"]["failureReason"]["code"], "408");
    assert_eq!(delete(&accounts), "DELETED");
}

/// Removes the producer's provisioning role.
fn remove_role(accounts: &Accounts) {
    let name = "AmazonDataZoneProvisioningRole";
    let policy = "arn:aws:iam::aws:policy/AmazonDataZoneRedshiftGlueProvisioningPolicy";
    let admin = &accounts.producer.admin;
    let detach = json!({ "RoleName": name, "PolicyArn": policy });
    admin.call("iam", "DetachRolePolicy", detach).unwrap();
    admin.call("iam", "DeleteRole", json!({ "RoleName": name })).unwrap();
}

#[test]
fn an_environment_without_its_role_is_undeletable_unless_the_world_says_otherwise() {
    let accounts = Accounts::new(CLUSTERS).with_environments();
    remove_role(&accounts);
    assert_eq!(delete(&accounts), "DELETE_FAILED");
    let accounts = world("environment_undeletable_without_role = false").with_environments();
    remove_role(&accounts);
    assert_eq!(delete(&accounts), "DELETED");
}

#[test]
fn what_is_deleted_is_forbidden_unless_the_world_says_otherwise() {
    let answers = |accounts: Accounts| {
        let mut accounts = accounts.with_blueprints();
        accounts.producer.project = accounts.project(&accounts.producer, "short");
        let named = json!({ "identifier": accounts.producer.project });
        accounts.ask(&accounts.producer.user, "DeleteProject", named.clone());
        accounts.pass(15);
        let project = accounts.refused(&accounts.producer.user, "GetProject", named);
        let admin = &accounts.producer.admin;
        let named = json!({ "identifier": accounts.domain });
        dz(admin, "DeleteDomain", named.clone());
        accounts.pass(60);
        (project, refused(admin, "GetDomain", named))
    };
    assert_eq!(answers(Accounts::new("")), (forbidden(), forbidden()));
    let absent = ("ResourceNotFoundException".to_owned(), 404);
    let open = Accounts::new("[failures]\nforbidden_after_own_delete = false\n");
    assert_eq!(answers(open), (absent.clone(), absent));
}

#[test]
fn a_deleted_environment_keeps_its_name_unless_the_world_says_otherwise() {
    let again = |accounts: &Accounts| {
        assert_eq!(delete(accounts), "DELETED");
        let profiles = accounts.ask(
            &accounts.producer.user,
            "ListEnvironmentProfiles",
            json!({ "projectIdentifier": accounts.producer.project }),
        );
        let of_project = profiles["items"].as_array().unwrap().iter();
        let profile =
            of_project.clone().find(|known| known["projectId"] == accounts.producer.project);
        accounts.inside(json!({
            "name": "Redshift_Publish_Environment",
            "projectIdentifier": accounts.producer.project,
            "environmentProfileIdentifier": profile.unwrap()["id"],
        }))
    };
    let accounts = Accounts::new(CLUSTERS).with_environments();
    let input = again(&accounts);
    assert_eq!(refused(&accounts.producer.user, "CreateEnvironment", input), conflict());
    let accounts = world("deleted_name_not_reusable = false").with_environments();
    let input = again(&accounts);
    dz(&accounts.producer.user, "CreateEnvironment", input);
}

#[test]
fn three_changes_a_second_are_enough_for_a_world_that_throttles() {
    let accounts = Accounts::new("throttling = true\n").with_blueprints();
    accounts.pass(10);
    let client = &accounts.producer.user;
    let create = |number: u32| {
        let input = accounts.inside(json!({ "name": format!("project {number}") }));
        client.call("datazone", "CreateProject", input)
    };
    // Calls take 50 ms of the virtual clock: the fourth comes within the same second.
    let refused = (0..6).map(create).find_map(Result::err).unwrap();
    assert_eq!((refused.0.as_str(), refused.2), ("ThrottlingException", 429));
    accounts.pass(2);
    create(9).unwrap();
}
