//! Secrets Manager: versions, the recovery window, filters, tags in policies.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use serde_json::json;
use support::Bench;
use time::Duration;

const WORLD: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "analyst"
policies = ["AmazonRedshiftDataFullAccess"]

[[secrets]]
name = "warehouse"
value = { username = "awsuser", password = "Initial1" }
tags = { RedshiftDataFullAccess = "yes" }
"#;

#[test]
fn a_seeded_secret_can_be_read_by_those_its_tags_let_in() {
    let bench = Bench::from_toml(WORLD);
    let (admin, analyst) = (bench.client("admin"), bench.client("analyst"));
    let id = json!({"SecretId": "warehouse"});
    let value = analyst.call("secretsmanager", "GetSecretValue", id.clone()).unwrap();
    assert_eq!(value["SecretString"], r#"{"password":"Initial1","username":"awsuser"}"#);
    assert!(
        value["ARN"]
            .as_str()
            .unwrap()
            .starts_with("arn:aws:secretsmanager:eu-west-1:111111111111:secret:warehouse-")
    );
    admin
        .call(
            "secretsmanager",
            "UntagResource",
            json!({"SecretId": "warehouse", "TagKeys": ["RedshiftDataFullAccess"]}),
        )
        .unwrap();
    let refused = analyst.call("secretsmanager", "GetSecretValue", id).unwrap_err();
    assert_eq!((refused.0.as_str(), refused.2), ("AccessDeniedException", 400));
}

#[test]
fn versions_follow_each_other() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let call = |operation: &str, input| admin.call("secretsmanager", operation, input);
    let put = json!({"SecretId": "warehouse", "SecretString": "second"});
    let second = call("PutSecretValue", put).unwrap();
    assert_eq!(second["VersionStages"], json!(["AWSCURRENT"]));
    let get = |stage: &str| {
        call("GetSecretValue", json!({"SecretId": "warehouse", "VersionStage": stage})).unwrap()
            ["SecretString"]
            .clone()
    };
    assert_eq!(get("AWSCURRENT"), "second");
    assert!(get("AWSPREVIOUS").as_str().unwrap().contains("Initial1"));
    let described = call("DescribeSecret", json!({"SecretId": "warehouse"})).unwrap();
    assert_eq!(described["VersionIdsToStages"].as_object().unwrap().len(), 2);
}

#[test]
fn a_deleted_secret_blocks_its_name_until_the_window_is_over() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let call = |operation: &str, input| admin.call("secretsmanager", operation, input);
    let id = json!({"SecretId": "warehouse"});
    call("DeleteSecret", json!({"SecretId": "warehouse", "RecoveryWindowInDays": 7})).unwrap();
    assert_eq!(call("GetSecretValue", id.clone()).unwrap_err().0, "InvalidRequestException");
    let again = json!({"Name": "warehouse", "SecretString": "x"});
    assert_eq!(call("CreateSecret", again.clone()).unwrap_err().0, "InvalidRequestException");
    call("RestoreSecret", id.clone()).unwrap();
    assert_eq!(call("CreateSecret", again.clone()).unwrap_err().0, "ResourceExistsException");
    call("DeleteSecret", json!({"SecretId": "warehouse", "RecoveryWindowInDays": 7})).unwrap();
    bench.sandbox.advance(Duration::days(8)).unwrap();
    assert_eq!(call("DescribeSecret", id).unwrap_err().0, "ResourceNotFoundException");
    call("CreateSecret", again).unwrap();
}

#[test]
fn secrets_are_listed_by_filters() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let call = |operation: &str, input| admin.call("secretsmanager", operation, input);
    for name in ["AmazonDataZone-one", "AmazonDataZone-two"] {
        call(
            "CreateSecret",
            json!({
                "Name": name, "SecretString": "x",
                "Tags": [{"Key": "AmazonDataZoneDomain", "Value": "dzd_1"}],
            }),
        )
        .unwrap();
    }
    let names = |filters| {
        let listed = call("ListSecrets", json!({"Filters": filters})).unwrap();
        let names: Vec<String> = listed["SecretList"]
            .as_array()
            .unwrap()
            .iter()
            .map(|secret| secret["Name"].as_str().unwrap().to_owned())
            .collect();
        names
    };
    assert_eq!(names(json!([{"Key": "tag-key", "Values": ["AmazonDataZoneDomain"]}])).len(), 2);
    assert_eq!(names(json!([{"Key": "name", "Values": ["ware"]}])), ["warehouse"]);
    assert_eq!(
        names(json!([
            {"Key": "name", "Values": ["AmazonDataZone"]}, {"Key": "tag-value", "Values": ["other"]}
        ])),
        Vec::<String>::new()
    );
}

#[test]
fn regions_and_accounts_are_apart() {
    let bench = Bench::from_toml(WORLD);
    let elsewhere = bench.client("admin").in_region("us-east-1");
    let listed = elsewhere.call("secretsmanager", "ListSecrets", json!({})).unwrap();
    assert_eq!(listed["SecretList"], json!([]));
}

#[test]
fn passwords_keep_to_what_was_asked() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let password = |input| {
        let answer = admin.call("secretsmanager", "GetRandomPassword", input).unwrap();
        answer["RandomPassword"].as_str().unwrap().to_owned()
    };
    let plain = password(json!({"PasswordLength": 20, "ExcludePunctuation": true}));
    assert_eq!(plain.len(), 20);
    assert!(plain.chars().all(|letter| letter.is_ascii_alphanumeric()));
    assert!(plain.chars().any(|letter| letter.is_ascii_digit()));
    assert_ne!(plain, password(json!({"PasswordLength": 20, "ExcludePunctuation": true})));
}
