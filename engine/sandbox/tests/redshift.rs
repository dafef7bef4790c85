//! Redshift clusters: the state machine, identity across re-creation, tags, credentials.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use serde_json::{Value, json};
use support::{Bench, Client};
use time::Duration;

const WORLD: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "analyst"
policies = ["AmazonRedshiftDataFullAccess"]
"#;

fn create(client: &Client) -> Value {
    client
        .call(
            "redshift",
            "CreateCluster",
            json!({
                "ClusterIdentifier": "poc", "NodeType": "ra3.xlplus", "MasterUsername": "awsuser",
                "MasterUserPassword": "Sandbox-0001", "NumberOfNodes": 2, "ClusterType": "multi-node",
                "Tags": [{"Key": "team", "Value": "data"}],
            }),
        )
        .unwrap()["Cluster"]
        .clone()
}

fn described(client: &Client) -> Value {
    let answer =
        client.call("redshift", "DescribeClusters", json!({"ClusterIdentifier": "poc"})).unwrap();
    answer["Clusters"][0].clone()
}

fn delete(client: &Client) {
    let input = json!({"ClusterIdentifier": "poc", "SkipFinalClusterSnapshot": true});
    client.call("redshift", "DeleteCluster", input).unwrap();
}

fn code(refused: Result<Value, support::Refused>) -> (String, u16) {
    let (code, _, status) = refused.unwrap_err();
    (code, status)
}

#[test]
fn a_cluster_is_created_and_then_available() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let created = create(&admin);
    assert_eq!(created["ClusterStatus"], "creating");
    assert!(created["Endpoint"].is_null());
    bench.sandbox.advance(Duration::minutes(4)).unwrap();
    assert_eq!(described(&admin)["ClusterStatus"], "creating");
    bench.sandbox.advance(Duration::minutes(2)).unwrap();
    let cluster = described(&admin);
    assert_eq!(cluster["ClusterStatus"], "available");
    assert_eq!(cluster["ClusterAvailabilityStatus"], "Available");
    assert_eq!(cluster["Encrypted"], true);
    assert_eq!(cluster["NumberOfNodes"], 2);
    assert_eq!(cluster["DBName"], "dev");
    assert_eq!(cluster["Endpoint"]["Port"], 5439);
    assert_eq!(cluster["ClusterNodes"].as_array().unwrap().len(), 3);
    assert_eq!(cluster["ClusterCreateTime"], created["ClusterCreateTime"]);
}

#[test]
fn a_cluster_made_again_is_another_namespace_without_the_old_data() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin);
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    let first = described(&admin);
    let run = |sql: &str| {
        let input = json!({
            "ClusterIdentifier": "poc", "Database": "dev", "DbUser": "awsuser", "Sql": sql,
        });
        let id = admin.call("redshift_data", "ExecuteStatement", input).unwrap()["Id"].clone();
        bench.sandbox.advance(Duration::seconds(5)).unwrap();
        admin.call("redshift_data", "DescribeStatement", json!({"Id": id})).unwrap()
    };
    assert_eq!(run("CREATE TABLE kept AS SELECT 1 AS a")["Status"], "FINISHED");
    delete(&admin);
    assert_eq!(described(&admin)["ClusterStatus"], "deleting");
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    let gone = admin.call("redshift", "DescribeClusters", json!({"ClusterIdentifier": "poc"}));
    assert_eq!(code(gone), ("ClusterNotFound".to_owned(), 404));
    create(&admin);
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    let second = described(&admin);
    assert_eq!(first["Endpoint"], second["Endpoint"]);
    assert_ne!(first["ClusterNamespaceArn"], second["ClusterNamespaceArn"]);
    assert_ne!(first["ClusterCreateTime"], second["ClusterCreateTime"]);
    let error = run("SELECT * FROM kept")["Error"].clone();
    assert_eq!(error, "ERROR: relation \"kept\" does not exist");
}

#[test]
fn a_paused_cluster_answers_no_statements() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin);
    let name = json!({"ClusterIdentifier": "poc"});
    let early = admin.call("redshift", "PauseCluster", name.clone());
    assert_eq!(code(early), ("InvalidClusterState".to_owned(), 400));
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    admin.call("redshift", "PauseCluster", name.clone()).unwrap();
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    assert_eq!(described(&admin)["ClusterStatus"], "paused");
    let statement = json!({
        "ClusterIdentifier": "poc", "Database": "dev", "DbUser": "awsuser", "Sql": "SELECT 1",
    });
    let refused = admin.call("redshift_data", "ExecuteStatement", statement.clone()).unwrap_err();
    assert_eq!(refused.0, "ValidationException");
    assert!(refused.1.contains("paused"), "{}", refused.1);
    admin.call("redshift", "ResumeCluster", name).unwrap();
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    admin.call("redshift_data", "ExecuteStatement", statement).unwrap();
}

#[test]
fn what_makes_no_cluster_is_refused_with_redshift_s_codes() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin);
    let with = |member: &str, value: Value| {
        let mut input = json!({
            "ClusterIdentifier": "other", "NodeType": "ra3.large", "MasterUsername": "awsuser",
            "MasterUserPassword": "Sandbox-0001",
        });
        input[member] = value;
        code(admin.call("redshift", "CreateCluster", input))
    };
    assert_eq!(with("ClusterIdentifier", json!("poc")), ("ClusterAlreadyExists".to_owned(), 400));
    for (member, value) in [
        ("NodeType", json!("ra4.huge")),
        ("MasterUserPassword", json!("weak")),
        ("ClusterIdentifier", json!("Bad_Name")),
        ("MasterUsername", json!("rdsdb")),
    ] {
        assert_eq!(with(member, value), ("InvalidParameterValue".to_owned(), 400), "{member}");
    }
    let combination = ("InvalidParameterCombination".to_owned(), 400);
    assert_eq!(with("ManageMasterPassword", json!(true)), combination);
    assert_eq!(with("ClusterType", json!("multi-node")), combination);
    let unnamed = admin.call("redshift", "DeleteCluster", json!({"ClusterIdentifier": "poc"}));
    assert_eq!(code(unnamed), combination);
}

#[test]
fn a_managed_password_is_a_secret_that_signs_in() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let input = json!({
        "ClusterIdentifier": "poc", "NodeType": "ra3.xlplus", "MasterUsername": "awsuser",
        "ManageMasterPassword": true,
    });
    let created = admin.call("redshift", "CreateCluster", input).unwrap()["Cluster"].clone();
    let secret = created["MasterPasswordSecretArn"].as_str().unwrap().to_owned();
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    let statement = json!({
        "ClusterIdentifier": "poc", "Database": "dev", "SecretArn": secret, "Sql": "SELECT 1",
    });
    let id = admin.call("redshift_data", "ExecuteStatement", statement).unwrap()["Id"].clone();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    let status = admin.call("redshift_data", "DescribeStatement", json!({"Id": id})).unwrap();
    assert_eq!(status["Status"], "FINISHED");
    delete(&admin);
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    let gone = admin.call("secretsmanager", "DescribeSecret", json!({"SecretId": secret}));
    assert_eq!(gone.unwrap_err().0, "ResourceNotFoundException");
}

#[test]
fn resizing_takes_a_while_and_keeps_the_namespace() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin);
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    let before = described(&admin);
    let input = json!({"ClusterIdentifier": "poc", "NodeType": "ra3.4xlarge", "NumberOfNodes": 4});
    let modified = admin.call("redshift", "ModifyCluster", input).unwrap();
    assert_eq!(modified["Cluster"]["ClusterStatus"], "modifying");
    bench.sandbox.advance(Duration::minutes(10)).unwrap();
    let after = described(&admin);
    assert_eq!(
        (&after["ClusterStatus"], &after["NodeType"]),
        (&json!("available"), &json!("ra3.4xlarge"))
    );
    assert_eq!(after["ClusterNamespaceArn"], before["ClusterNamespaceArn"]);
}

#[test]
fn tags_come_and_go() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin);
    let arn = "arn:aws:redshift:eu-west-1:111111111111:cluster:poc";
    let add = json!({"ResourceName": arn, "Tags": [{"Key": "stage", "Value": "test"}]});
    admin.call("redshift", "CreateTags", add).unwrap();
    let remove = json!({"ResourceName": arn, "TagKeys": ["team"]});
    admin.call("redshift", "DeleteTags", remove).unwrap();
    let tags = admin.call("redshift", "DescribeTags", json!({"ResourceName": arn})).unwrap();
    assert_eq!(tags["TaggedResources"].as_array().unwrap().len(), 1);
    assert_eq!(tags["TaggedResources"][0]["Tag"], json!({"Key": "stage", "Value": "test"}));
    let by_tag = admin.call("redshift", "DescribeClusters", json!({"TagKeys": ["stage"]})).unwrap();
    assert_eq!(by_tag["Clusters"].as_array().unwrap().len(), 1);
    let none = admin.call("redshift", "DescribeClusters", json!({"TagKeys": ["team"]})).unwrap();
    assert_eq!(none["Clusters"], json!([]));
    let missing = json!({"ResourceName": format!("{arn}-2"), "Tags": []});
    assert_eq!(
        code(admin.call("redshift", "CreateTags", missing)),
        ("ResourceNotFoundFault".to_owned(), 404)
    );
}

#[test]
fn credentials_are_for_those_whose_policies_allow_them() {
    let bench = Bench::from_toml(WORLD);
    let (admin, analyst) = (bench.client("admin"), bench.client("analyst"));
    create(&admin);
    bench.sandbox.advance(Duration::minutes(6)).unwrap();
    let input = json!({"ClusterIdentifier": "poc", "DbUser": "reporter", "AutoCreate": true});
    let given = admin.call("redshift", "GetClusterCredentials", input.clone()).unwrap();
    assert_eq!(given["DbUser"], "IAMA:reporter");
    let refused = analyst.call("redshift", "GetClusterCredentials", input);
    assert_eq!(code(refused), ("AccessDenied".to_owned(), 403));
    let input = json!({"ClusterIdentifier": "poc", "DbName": "dev"});
    let own = admin.call("redshift", "GetClusterCredentialsWithIAM", input).unwrap();
    assert_eq!(own["DbUser"], "IAM:admin");
    let missing = json!({"ClusterIdentifier": "none", "DbUser": "x"});
    let missing = admin.call("redshift", "GetClusterCredentials", missing);
    assert_eq!(code(missing), ("ClusterNotFound".to_owned(), 404));
}

const TWO_ACCOUNTS: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "consumer"
account = "consumer"
administrator = true

[[clusters]]
identifier = "here"
sql = [
  "CREATE TABLE regions AS SELECT 'west' AS region",
  "CREATE DATASHARE market",
  "ALTER DATASHARE market ADD SCHEMA public",
  "ALTER DATASHARE market ADD TABLE regions",
  "GRANT USAGE ON DATASHARE market TO ACCOUNT '222222222222'",
]

[[workgroups]]
name = "there"
account = "consumer"
"#;

#[test]
fn a_share_for_another_account_takes_the_consent_of_both() {
    let bench = Bench::from_toml(TWO_ACCOUNTS);
    let (admin, consumer) = (bench.client("admin"), bench.client("consumer"));
    let describe = |client: &Client, operation: &str| {
        client.call("redshift", operation, json!({})).unwrap()["DataShares"].clone()
    };
    let status = |share: &Value| share["DataShareAssociations"][0]["Status"].clone();
    let own = describe(&admin, "DescribeDataSharesForProducer");
    assert_eq!(status(&own[0]), "PENDING_AUTHORIZATION");
    assert_eq!(describe(&consumer, "DescribeDataSharesForConsumer"), json!([]));
    let arn = own[0]["DataShareArn"].clone();
    let named = json!({ "namespaceName": "there" });
    let namespace = consumer.call("redshift_serverless", "GetNamespace", named).unwrap();
    let namespace = namespace["namespace"]["namespaceArn"].clone();
    let associate = json!({ "DataShareArn": arn, "ConsumerArn": namespace });
    let early = consumer.call("redshift", "AssociateDataShareConsumer", associate.clone());
    assert_eq!(code(early), ("InvalidDataShareFault".to_owned(), 400));
    let authorise = json!({ "DataShareArn": arn, "ConsumerIdentifier": "222222222222" });
    let foreign = consumer.call("redshift", "AuthorizeDataShare", authorise.clone());
    assert_eq!(code(foreign), ("InvalidDataShareFault".to_owned(), 400));
    let given = admin.call("redshift", "AuthorizeDataShare", authorise.clone()).unwrap();
    assert_eq!(status(&given), "AUTHORIZED");
    assert_eq!(status(&describe(&consumer, "DescribeDataSharesForConsumer")[0]), "AVAILABLE");
    let taken = consumer.call("redshift", "AssociateDataShareConsumer", associate).unwrap();
    assert_eq!(status(&taken), "ACTIVE");
    assert_eq!(taken["DataShareAssociations"][0]["ConsumerIdentifier"], namespace);
    assert_eq!(status(&describe(&admin, "DescribeDataShares")[0]), "ACTIVE");
    let leave = json!({ "DataShareArn": arn, "ConsumerArn": namespace });
    consumer.call("redshift", "DisassociateDataShareConsumer", leave).unwrap();
    assert_eq!(status(&describe(&consumer, "DescribeDataSharesForConsumer")[0]), "AVAILABLE");
    admin.call("redshift", "DeauthorizeDataShare", authorise).unwrap();
    assert_eq!(describe(&consumer, "DescribeDataSharesForConsumer"), json!([]));
    let missing = json!({
        "DataShareArn": format!("{}x", arn.as_str().unwrap()),
        "ConsumerIdentifier": "222222222222" });
    let missing = admin.call("redshift", "AuthorizeDataShare", missing);
    assert_eq!(code(missing), ("InvalidDataShareFault".to_owned(), 400));
}
