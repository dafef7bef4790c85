//! Associated accounts: who of another account comes into a domain, when, and for what.

use serde_json::json;

use crate::accounts::{Accounts, CONSUMER, PRODUCER};
use crate::stage::{dz, forbidden, invalid, refused, text};

#[test]
fn an_account_comes_in_some_time_after_its_share_is_associated() {
    let mut accounts = Accounts::new("").with_domain();
    let consumer = accounts.consumer.admin.clone();
    let named = json!({ "identifier": accounts.domain });
    assert_eq!(refused(&consumer, "GetDomain", named.clone()), forbidden());
    assert_eq!(dz(&consumer, "ListDomains", json!({}))["items"], json!([]));
    let permission = accounts.permission(true);
    accounts.share(&permission);
    // RAM says ASSOCIATED; DataZone has not heard of it.
    assert_eq!(refused(&consumer, "GetDomain", named.clone()), forbidden());
    accounts.pass(200);
    assert_eq!(dz(&consumer, "GetDomain", named.clone())["status"], "AVAILABLE");
    let listed = dz(&consumer, "ListDomains", json!({}));
    assert_eq!(listed["items"][0]["managedAccountId"], PRODUCER);
    // The share is taken back: at once nothing is left.
    let input = json!({ "resourceShareArn": accounts.share, "principals": [CONSUMER] });
    accounts.producer.admin.call("ram", "DisassociateResourceShare", input).unwrap();
    accounts.pass(60);
    assert_eq!(refused(&consumer, "GetDomain", named), forbidden());
    assert_eq!(dz(&consumer, "ListDomains", json!({}))["items"], json!([]));
}

#[test]
fn without_portal_access_only_the_administration_is_open() {
    let mut accounts = Accounts::new("").with_domain();
    let permission = accounts.permission(false);
    accounts.share(&permission);
    accounts.pass(200);
    let arn = format!("arn:aws:iam::{CONSUMER}:user/subscriber");
    let profile = json!({ "userIdentifier": arn, "userType": "IAM_USER" });
    accounts.ask(&accounts.producer.admin, "CreateUserProfile", profile);
    accounts.blueprint(&accounts.consumer.admin, "DefaultDataLake");
    let answer = accounts.refused(&accounts.consumer.user, "ListProjects", json!({}));
    assert_eq!(answer, forbidden());
}

#[test]
fn users_of_another_account_are_made_by_the_domain_s_after_the_association() {
    let accounts = Accounts::new("").with_domain();
    let arn = format!("arn:aws:iam::{CONSUMER}:user/subscriber");
    let profile = json!({ "userIdentifier": arn, "userType": "IAM_USER" });
    let create = "CreateUserProfile";
    let admin = accounts.producer.admin.clone();
    assert_eq!(accounts.refused(&admin, create, profile.clone()), invalid());
    let mut accounts = accounts;
    let permission = accounts.permission(true);
    accounts.share(&permission);
    accounts.pass(200);
    assert_eq!(accounts.refused(&accounts.consumer.user, "ListProjects", json!({})), forbidden());
    assert_eq!(accounts.refused(&accounts.consumer.admin, create, profile.clone()), forbidden());
    let made = accounts.ask(&admin, create, profile);
    assert_eq!(made["details"]["iam"]["arn"], arn);
    accounts.ask(&accounts.consumer.user, "ListProjects", json!({}));
    // Only the domain's own account governs it.
    let named = json!({ "identifier": accounts.domain, "skipDeletionCheck": true });
    assert_eq!(refused(&accounts.consumer.admin, "DeleteDomain", named), forbidden());
}

#[test]
fn an_account_configures_blueprints_with_its_own_roles() {
    let accounts = Accounts::new("").associated();
    accounts.enable_warehouse(&accounts.producer);
    let consumer = &accounts.consumer.admin;
    let blueprint = accounts.blueprint(consumer, "DefaultDataWarehouse");
    let named = json!({ "environmentBlueprintIdentifier": blueprint });
    let get = "GetEnvironmentBlueprintConfiguration";
    assert_eq!(accounts.refused(consumer, get, named.clone()).0, "ResourceNotFoundException");
    let foreign = json!({
        "environmentBlueprintIdentifier": blueprint, "enabledRegions": ["eu-west-1"],
        "provisioningRoleArn":
            format!("arn:aws:iam::{PRODUCER}:role/AmazonDataZoneProvisioningRole"),
    });
    let put = "PutEnvironmentBlueprintConfiguration";
    assert_eq!(accounts.refused(consumer, put, foreign), forbidden());
    accounts.enable_warehouse(&accounts.consumer);
    let found = accounts.ask(consumer, get, named);
    assert!(text(&found, "manageAccessRoleArn").contains(CONSUMER));
}

#[test]
fn a_lag_of_the_association_is_the_world_s_to_choose() {
    let mut accounts = Accounts::new("[failures]\nassociation_lag = 7200\n").with_domain();
    let permission = accounts.permission(true);
    accounts.share(&permission);
    accounts.pass(3600);
    let named = json!({ "identifier": accounts.domain });
    assert_eq!(refused(&accounts.consumer.admin, "GetDomain", named.clone()), forbidden());
    accounts.pass(3600);
    dz(&accounts.consumer.admin, "GetDomain", named);
}

/// The policy of a key that lets these use it.
fn key_policy(principals: &[&str]) -> String {
    let admin = format!("arn:aws:iam::{PRODUCER}:root");
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": admin }, "Action": "kms:*", "Resource": "*" },
        { "Effect": "Allow", "Principal": { "AWS": principals },
          "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"], "Resource": "*" },
    ] })
    .to_string()
}

#[test]
fn the_key_of_a_domain_is_one_that_both_accounts_may_use() {
    let mut accounts = Accounts::new("");
    let admin = accounts.producer.admin.clone();
    let role = accounts.role(
        &accounts.producer,
        "AmazonDataZoneDomainExecutionRole",
        "service-role/AmazonDataZoneDomainExecutionRolePolicy",
        None,
    );
    accounts.pass(15);
    let key = json!({ "Policy": key_policy(&[&role]) });
    let key = admin.call("kms", "CreateKey", key).unwrap()["KeyMetadata"].clone();
    let input = |key: &serde_json::Value| {
        json!({
            "name": "sealed", "domainExecutionRole": role, "domainVersion": "V1",
            "kmsKeyIdentifier": key })
    };
    let unknown = json!(format!("arn:aws:kms:eu-west-1:{PRODUCER}:key/none"));
    assert_eq!(refused(&admin, "CreateDomain", input(&unknown)), invalid());
    let domain = dz(&admin, "CreateDomain", input(&key["Arn"]));
    text(&domain, "id").clone_into(&mut accounts.domain);
    text(&domain, "arn").clone_into(&mut accounts.domain_arn);
    accounts.pass(15);
    let permission = accounts.permission(true);
    accounts.share(&permission);
    accounts.pass(200);
    let named = json!({ "identifier": accounts.domain });
    assert_eq!(refused(&accounts.consumer.admin, "GetDomain", named.clone()), forbidden());
    let consumer = format!("arn:aws:iam::{CONSUMER}:root");
    let input = json!({
        "KeyId": key["KeyId"], "PolicyName": "default", "Policy": key_policy(&[&role, &consumer]) });
    admin.call("kms", "PutKeyPolicy", input).unwrap();
    dz(&accounts.consumer.admin, "GetDomain", named);
}
