//! Signing in, IAM, STS and what policies allow.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use serde_json::{Value, json};
use support::{Bench, Client};
use time::Duration;

const WORLD: &str = r#"
[accounts]
producer = "111111111111"
consumer = "222222222222"

[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "reader"
policies = ["AmazonDataZoneFullUserAccess"]

[[people]]
alias = "newcomer"
user = "newcomer"
exists = false

[[people]]
alias = "operator"
account = "consumer"
role = "Operator"
administrator = true
"#;

fn trust(principal: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})
    .to_string()
}

fn create_role(client: &Client, name: &str, principal: &Value) -> Value {
    client
        .call(
            "iam",
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": trust(principal)}),
        )
        .unwrap()["Role"]
        .clone()
}

#[test]
fn a_person_is_known_by_the_key() {
    let bench = Bench::from_toml(WORLD);
    let who = |alias: &str| {
        bench.client(alias).call("sts", "GetCallerIdentity", json!({})).unwrap()["Arn"].clone()
    };
    assert_eq!(who("admin"), "arn:aws:iam::111111111111:user/admin");
    assert_eq!(who("operator"), "arn:aws:sts::222222222222:assumed-role/Operator/operator");
    // Nobody described this one: a person of their own, administrator of the first account.
    assert_eq!(who("somebody"), "arn:aws:iam::111111111111:user/somebody");
    bench.client("somebody").call("iam", "ListUsers", json!({})).unwrap();
}

#[test]
fn an_unknown_key_is_refused_in_each_protocol_s_words() {
    let bench = Bench::from_toml(WORLD);
    let stranger =
        Client { access_key_id: "AKIASTRANGER00000000".to_owned(), ..bench.client("admin") };
    let code = |service: &str, operation: &str| {
        let refused = stranger.call(service, operation, json!({})).unwrap_err();
        (refused.0, refused.2)
    };
    assert_eq!(code("sts", "GetCallerIdentity"), ("InvalidClientTokenId".to_owned(), 403));
    assert_eq!(code("secretsmanager", "ListSecrets").0, "UnrecognizedClientException");
    assert_eq!(code("datazone", "ListDomains"), ("UnrecognizedClientException".to_owned(), 403));
}

#[test]
fn a_person_that_a_runbook_makes_can_sign_in_from_then_on() {
    let bench = Bench::from_toml(WORLD);
    let newcomer = bench.client("newcomer");
    let refused = newcomer.call("sts", "GetCallerIdentity", json!({})).unwrap_err();
    assert_eq!(refused.0, "InvalidClientTokenId");
    let admin = bench.client("admin");
    admin.call("iam", "CreateUser", json!({"UserName": "newcomer"})).unwrap();
    let known = newcomer.call("sts", "GetCallerIdentity", json!({})).unwrap();
    assert_eq!(known["Arn"], "arn:aws:iam::111111111111:user/newcomer");
    admin.call("iam", "DeleteUser", json!({"UserName": "newcomer"})).unwrap();
    assert!(newcomer.call("sts", "GetCallerIdentity", json!({})).is_err());
}

#[test]
fn access_is_denied_in_aws_s_words() {
    let bench = Bench::from_toml(WORLD);
    let (code, message, status) =
        bench.client("reader").call("iam", "CreateUser", json!({"UserName": "x"})).unwrap_err();
    assert_eq!((code.as_str(), status), ("AccessDenied", 403));
    assert_eq!(
        message,
        "User: arn:aws:iam::111111111111:user/reader is not authorized to perform: \
         iam:CreateUser on resource: arn:aws:iam::111111111111:user/x because no identity-based \
         policy allows the iam:CreateUser action"
    );
}

#[test]
fn roles_are_made_found_and_removed_by_aws_s_rules() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let service = json!({"Service": "datazone.amazonaws.com"});
    let role = create_role(&admin, "AmazonDataZoneProvisioning", &service);
    assert_eq!(role["Arn"], "arn:aws:iam::111111111111:role/AmazonDataZoneProvisioning");
    assert!(role["AssumeRolePolicyDocument"].as_str().unwrap().starts_with("%7B%22Statement"));
    let again = admin.call(
        "iam",
        "CreateRole",
        json!({"RoleName": "AmazonDataZoneProvisioning", "AssumeRolePolicyDocument": trust(&service)}),
    );
    let (code, message, status) = again.unwrap_err();
    assert_eq!((code.as_str(), status), ("EntityAlreadyExists", 409));
    assert_eq!(message, "Role with name AmazonDataZoneProvisioning already exists.");
    let name = json!({"RoleName": "AmazonDataZoneProvisioning"});
    let arn = "arn:aws:iam::aws:policy/AmazonDataZoneRedshiftGlueProvisioningPolicy";
    let attachment = json!({"RoleName": "AmazonDataZoneProvisioning", "PolicyArn": arn});
    admin.call("iam", "AttachRolePolicy", attachment.clone()).unwrap();
    admin.call("iam", "AttachRolePolicy", attachment.clone()).unwrap();
    let attached = admin.call("iam", "ListAttachedRolePolicies", name.clone()).unwrap();
    assert_eq!(attached["AttachedPolicies"].as_array().unwrap().len(), 1);
    let (code, _, status) = admin.call("iam", "DeleteRole", name.clone()).unwrap_err();
    assert_eq!((code.as_str(), status), ("DeleteConflict", 409));
    admin.call("iam", "DetachRolePolicy", attachment).unwrap();
    admin.call("iam", "DeleteRole", name.clone()).unwrap();
    let (code, _, status) = admin.call("iam", "GetRole", name).unwrap_err();
    assert_eq!((code.as_str(), status), ("NoSuchEntity", 404));
}

#[test]
fn a_policy_that_the_sandbox_does_not_carry_does_not_exist() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let input = json!({"UserName": "reader", "PolicyArn": "arn:aws:iam::aws:policy/NoSuchPolicy"});
    let refused = admin.call("iam", "AttachUserPolicy", input).unwrap_err();
    assert_eq!(refused.0, "NoSuchEntity");
}

#[test]
fn a_role_is_assumed_as_its_trust_says() {
    let bench = Bench::from_toml(WORLD);
    let (admin, operator) = (bench.client("admin"), bench.client("operator"));
    let root = json!({"AWS": "arn:aws:iam::222222222222:root"});
    let role = create_role(&admin, "CrossAccount", &root);
    let input = json!({"RoleArn": role["Arn"], "RoleSessionName": "visit"});
    let answer = operator.call("sts", "AssumeRole", input.clone()).unwrap();
    assert_eq!(
        answer["AssumedRoleUser"]["Arn"],
        "arn:aws:sts::111111111111:assumed-role/CrossAccount/visit"
    );
    let visitor = operator.with_credentials(&answer["Credentials"]);
    let who = visitor.call("sts", "GetCallerIdentity", json!({})).unwrap();
    assert_eq!(who["Account"], "111111111111");
    // The role has no policies of its own.
    assert_eq!(visitor.call("iam", "ListUsers", json!({})).unwrap_err().0, "AccessDenied");
    // Its own account is not in its trust.
    assert_eq!(admin.call("sts", "AssumeRole", input).unwrap_err().0, "AccessDenied");
    bench.sandbox.advance(Duration::hours(1)).unwrap();
    let expired = visitor.call("sts", "GetCallerIdentity", json!({})).unwrap_err();
    assert_eq!((expired.0.as_str(), expired.2), ("ExpiredToken", 403));
    let expired = visitor.call("secretsmanager", "ListSecrets", json!({})).unwrap_err();
    assert_eq!(expired.0, "ExpiredTokenException");
}

#[test]
fn a_trust_policy_with_a_missing_principal_is_malformed() {
    let bench = Bench::from_toml(WORLD);
    let ghost = json!({"AWS": "arn:aws:iam::111111111111:user/ghost"});
    let refused = bench
        .client("admin")
        .call(
            "iam",
            "CreateRole",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": trust(&ghost)}),
        )
        .unwrap_err();
    assert_eq!(refused.0, "MalformedPolicyDocument");
    assert_eq!(
        refused.1,
        "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111111111111:user/ghost\""
    );
}

#[test]
fn customer_policies_have_versions_and_hold() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let document = |action: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": "*"}]})
        .to_string()
    };
    let created = admin
        .call(
            "iam",
            "CreatePolicy",
            json!({"PolicyName": "P", "PolicyDocument": document("iam:List*")}),
        )
        .unwrap();
    let arn = created["Policy"]["Arn"].clone();
    admin.call("iam", "AttachUserPolicy", json!({"UserName": "reader", "PolicyArn": arn})).unwrap();
    let reader = bench.client("reader");
    reader.call("iam", "ListUsers", json!({})).unwrap();
    assert!(reader.call("iam", "GetUser", json!({})).is_err());
    admin
        .call(
            "iam",
            "CreatePolicyVersion",
            json!({"PolicyArn": arn, "PolicyDocument": document("iam:Get*"), "SetAsDefault": true}),
        )
        .unwrap();
    reader.call("iam", "GetUser", json!({})).unwrap();
    assert!(reader.call("iam", "ListUsers", json!({})).is_err());
    let refused = admin.call("iam", "DeletePolicy", json!({"PolicyArn": arn})).unwrap_err();
    assert_eq!(refused.0, "DeleteConflict");
}

#[test]
fn a_boundary_and_a_group_change_what_a_user_may() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    admin.call("iam", "CreateGroup", json!({"GroupName": "admins"})).unwrap();
    admin
        .call(
            "iam",
            "AttachGroupPolicy",
            json!({"GroupName": "admins", "PolicyArn": administrator}),
        )
        .unwrap();
    admin
        .call("iam", "AddUserToGroup", json!({"GroupName": "admins", "UserName": "reader"}))
        .unwrap();
    let reader = bench.client("reader");
    reader.call("iam", "ListUsers", json!({})).unwrap();
    admin
        .call(
            "iam",
            "PutUserPermissionsBoundary",
            json!({
                "UserName": "reader",
                "PermissionsBoundary": "arn:aws:iam::aws:policy/AmazonRedshiftFullAccess",
            }),
        )
        .unwrap();
    let refused = reader.call("iam", "ListUsers", json!({})).unwrap_err();
    assert!(refused.1.ends_with("because no permissions boundary allows the iam:ListUsers action"));
}

#[test]
fn access_keys_sign_in_until_they_are_switched_off() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let key = admin.call("iam", "CreateAccessKey", json!({"UserName": "reader"})).unwrap();
    let id = key["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned();
    let caller = Client { access_key_id: id.clone(), ..admin.clone() };
    let who = caller.call("sts", "GetCallerIdentity", json!({})).unwrap();
    assert_eq!(who["Arn"], "arn:aws:iam::111111111111:user/reader");
    let refused = admin.call("iam", "DeleteUser", json!({"UserName": "reader"})).unwrap_err();
    assert_eq!(refused.0, "DeleteConflict");
    admin
        .call(
            "iam",
            "UpdateAccessKey",
            json!({"UserName": "reader", "AccessKeyId": id, "Status": "Inactive"}),
        )
        .unwrap();
    assert!(caller.call("sts", "GetCallerIdentity", json!({})).is_err());
}

#[test]
fn a_simulation_says_what_the_door_would() {
    let bench = Bench::from_toml(WORLD);
    let answer = bench
        .client("admin")
        .call(
            "iam",
            "SimulatePrincipalPolicy",
            json!({
                "PolicySourceArn": "arn:aws:iam::111111111111:user/reader",
                "ActionNames": ["datazone:GetDomain", "iam:CreateUser"],
            }),
        )
        .unwrap();
    let decisions: Vec<&str> = answer["EvaluationResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["EvalDecision"].as_str().unwrap())
        .collect();
    assert_eq!(decisions, ["allowed", "implicitDeny"]);
}

#[test]
fn lists_come_in_pages() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    for number in 0..5 {
        admin.call("iam", "CreateUser", json!({"UserName": format!("user{number}")})).unwrap();
    }
    let first = admin.call("iam", "ListUsers", json!({"MaxItems": 4})).unwrap();
    assert_eq!(first["IsTruncated"], true);
    let rest =
        admin.call("iam", "ListUsers", json!({"MaxItems": 4, "Marker": first["Marker"]})).unwrap();
    assert_eq!(rest["Users"].as_array().unwrap().len(), 3);
    assert_eq!(rest["IsTruncated"], false);
}

#[test]
fn the_policies_of_the_proof_of_concept_allow_what_aws_s_do() {
    let bench = Bench::from_toml(
        r#"
        [[people]]
        alias = "analyst"
        policies = [
          "AmazonRedshiftFullAccess", "AmazonDataZoneFullAccess", "AmazonRedshiftDataFullAccess",
          "AmazonRedshiftQueryEditorV2FullAccess",
        ]
        "#,
    );
    let analyst = bench.client("analyst");
    let create = |name: &str, tags: Value| {
        let input = json!({"Name": name, "SecretString": "x", "Tags": tags});
        analyst.call("secretsmanager", "CreateSecret", input)
    };
    let domain = json!([{"Key": "AmazonDataZoneDomain", "Value": "dzd_1"}]);
    assert_eq!(create("other", domain.clone()).unwrap_err().0, "AccessDeniedException");
    create("AmazonDataZone-one", domain).unwrap();
    analyst.call("secretsmanager", "ListSecrets", json!({})).unwrap();
    let described =
        analyst.call("secretsmanager", "DescribeSecret", json!({"SecretId": "AmazonDataZone-one"}));
    assert_eq!(described.unwrap_err().0, "AccessDeniedException");
    let service = trust(&json!({"Service": "datazone.amazonaws.com"}));
    let role = json!({"RoleName": "AmazonDataZoneRole", "AssumeRolePolicyDocument": service});
    assert_eq!(analyst.call("iam", "CreateRole", role).unwrap_err().0, "AccessDenied");
}

#[test]
fn a_session_may_do_no_more_than_its_policy() {
    let bench = Bench::from_toml(WORLD);
    let operator = bench.client("operator");
    let only_users = json!({"Statement": {
        "Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}});
    let answer = operator
        .call(
            "sts",
            "AssumeRole",
            json!({
                "RoleArn": "arn:aws:iam::222222222222:role/Operator", "RoleSessionName": "narrow",
                "Policy": only_users.to_string(),
            }),
        )
        .unwrap();
    let narrow = operator.with_credentials(&answer["Credentials"]);
    narrow.call("iam", "ListUsers", json!({})).unwrap();
    let (_, message, _) = narrow.call("iam", "ListRoles", json!({})).unwrap_err();
    assert!(message.ends_with("because no session policy allows the iam:ListRoles action"));
}

#[test]
fn an_external_id_and_the_longest_session_are_the_role_s_to_say() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}]});
    let role = json!({"RoleName": "Outside", "AssumeRolePolicyDocument": document.to_string()});
    admin.call("iam", "CreateRole", role).unwrap();
    let assume = |more: Value| {
        let mut input = json!({
            "RoleArn": "arn:aws:iam::111111111111:role/Outside", "RoleSessionName": "visit",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.call("sts", "AssumeRole", input)
    };
    assert_eq!(assume(json!({})).unwrap_err().0, "AccessDenied");
    assume(json!({"ExternalId": "agreed"})).unwrap();
    let long = assume(json!({"ExternalId": "agreed", "DurationSeconds": 7200})).unwrap_err();
    assert_eq!(long.0, "ValidationError");
}

#[test]
fn a_session_token_must_travel_with_its_key() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let answer = admin.call("sts", "GetSessionToken", json!({"DurationSeconds": 900})).unwrap();
    let session = admin.with_credentials(&answer["Credentials"]);
    let who = session.call("sts", "GetCallerIdentity", json!({})).unwrap();
    assert_eq!(who["Arn"], "arn:aws:iam::111111111111:user/admin");
    let forgetful = Client { token: None, ..session };
    let refused = forgetful.call("sts", "GetCallerIdentity", json!({})).unwrap_err();
    assert_eq!(refused.0, "InvalidClientTokenId");
}

#[test]
fn a_person_may_have_a_policy_of_their_own() {
    let bench = Bench::from_toml(
        r#"
        [[people]]
        alias = "auditor"
        policy = '{"Statement": {"Effect": "Allow", "Action": "iam:List*", "Resource": "*"}}'
        "#,
    );
    let auditor = bench.client("auditor");
    auditor.call("iam", "ListRoles", json!({})).unwrap();
    assert!(auditor.call("iam", "GetUser", json!({})).is_err());
}
