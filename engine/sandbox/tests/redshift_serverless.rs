//! Redshift Serverless from outside: namespaces and workgroups, and statements that run on them.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::needless_pass_by_value, reason = "a call reads best with json!() in its place")]

mod support;

use serde_json::{Value, json};
use time::Duration;

use support::{Bench, Client, Refused};

const WORLD: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "analyst"
policies = ["AmazonRedshiftDataFullAccess"]

[[people]]
alias = "stranger"
account = "consumer"
administrator = true

[[workgroups]]
name = "seeded"
namespace = "seeded-data"
admin_password = "Sandbox-0001"
sql = ["CREATE TABLE kept AS SELECT 7 AS number"]
tags = { RedshiftDataFullAccess = "yes" }
"#;

const SERVERLESS: &str = "redshift_serverless";

fn ask(client: &Client, operation: &str, input: Value) -> Value {
    let answer = client
        .call(SERVERLESS, operation, input.clone())
        .unwrap_or_else(|refused| panic!("{operation} {input}: {refused:?}"));
    let model = piton_models::service(SERVERLESS).unwrap();
    if let Some(output) = &model.operations[operation].output {
        let problems = piton_models::validate::validate(model, &output.shape, &answer, &|_| false);
        assert!(problems.is_empty(), "{operation} answers {answer}: {problems:?}");
    }
    answer
}

fn code(result: Result<Value, Refused>) -> String {
    result.unwrap_err().0
}

fn pass(bench: &Bench, seconds: i64) {
    bench.sandbox.advance(Duration::seconds(seconds)).unwrap();
}

/// Runs SQL on a workgroup; what DescribeStatement says of it in the end, or the refusal.
fn run(bench: &Bench, client: &Client, mut input: Value, sql: &str) -> Result<Value, Refused> {
    input["Sql"] = json!(sql);
    input["Database"] = json!("dev");
    let id = client.call("redshift_data", "ExecuteStatement", input)?["Id"].clone();
    pass(bench, 5);
    client.call("redshift_data", "DescribeStatement", json!({ "Id": id }))
}

/// A namespace and a workgroup with the same name, of which the second is not there yet.
fn make(admin: &Client, name: &str) -> (Value, Value) {
    let namespace = ask(
        admin,
        "CreateNamespace",
        json!({
            "namespaceName": name, "adminUsername": "awsuser",
            "adminUserPassword": "Sandbox-0001", "tags": [{ "key": "team", "value": "data" }],
        }),
    );
    let workgroup = ask(
        admin,
        "CreateWorkgroup",
        json!({ "workgroupName": name, "namespaceName": name, "baseCapacity": 32 }),
    );
    (namespace["namespace"].clone(), workgroup["workgroup"].clone())
}

#[test]
fn a_workgroup_is_created_and_deleted_before_its_namespace() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let (namespace, workgroup) = make(&admin, "poc");
    assert_eq!(namespace["status"], "AVAILABLE");
    assert_eq!((&workgroup["status"], &workgroup["endpoint"]), (&json!("CREATING"), &Value::Null));
    let named = json!({ "workgroupName": "poc" });
    let status = || ask(&admin, "GetWorkgroup", named.clone())["workgroup"].clone();
    pass(&bench, 120);
    assert_eq!(status()["status"], "CREATING");
    pass(&bench, 120);
    let workgroup = status();
    assert_eq!(workgroup["status"], "AVAILABLE");
    assert_eq!(workgroup["endpoint"]["port"], 5439);
    assert_eq!(workgroup["baseCapacity"], 32);
    let refused = admin.call(SERVERLESS, "DeleteNamespace", json!({ "namespaceName": "poc" }));
    assert_eq!(code(refused), "ConflictException");
    assert_eq!(ask(&admin, "DeleteWorkgroup", named.clone())["workgroup"]["status"], "DELETING");
    pass(&bench, 180);
    assert_eq!(code(admin.call(SERVERLESS, "GetWorkgroup", named)), "ResourceNotFoundException");
    let named = json!({ "namespaceName": "poc" });
    assert_eq!(ask(&admin, "DeleteNamespace", named.clone())["namespace"]["status"], "DELETING");
    pass(&bench, 120);
    assert_eq!(code(admin.call(SERVERLESS, "GetNamespace", named)), "ResourceNotFoundException");
    let (again, _) = make(&admin, "poc");
    assert_ne!(again["namespaceId"], namespace["namespaceId"], "made again, it is another one");
}

#[test]
fn sql_runs_as_a_secret_and_as_the_caller() {
    let bench = Bench::from_toml(WORLD);
    let (admin, analyst) = (bench.client("admin"), bench.client("analyst"));
    let value = json!({ "username": "awsuser", "password": "Sandbox-0001" }).to_string();
    let secret = json!({
        "Name": "seeded", "SecretString": value,
        "Tags": [{ "Key": "RedshiftDataFullAccess", "Value": "yes" }],
    });
    let secret = admin.call("secretsmanager", "CreateSecret", secret).unwrap()["ARN"].clone();
    let with_secret = json!({ "WorkgroupName": "seeded", "SecretArn": secret });
    let sql = "INSERT INTO kept VALUES (8)";
    let ended = run(&bench, &analyst, with_secret.clone(), sql).unwrap();
    assert_eq!((&ended["Status"], &ended["ResultRows"]), (&json!("FINISHED"), &json!(1)));
    assert_eq!(ended["WorkgroupName"], "seeded");
    assert!(ended["ClusterIdentifier"].is_null());
    // The caller's own identity is a database user who may not read the table yet.
    let own = json!({ "WorkgroupName": "seeded" });
    let sql = "SELECT sum(number) FROM kept";
    let ended = run(&bench, &analyst, own.clone(), sql).unwrap();
    assert_eq!(ended["Error"], "ERROR: permission denied for relation kept");
    let grant = "GRANT SELECT ON kept TO \"IAM:analyst\"";
    assert_eq!(run(&bench, &admin, with_secret, grant).unwrap()["Status"], "FINISHED");
    let ended = run(&bench, &analyst, own, sql).unwrap();
    let result = json!({ "Id": ended["Id"] });
    let result = analyst.call("redshift_data", "GetStatementResult", result).unwrap();
    assert_eq!(result["Records"][0][0]["longValue"], 15);
    let listed = json!({ "WorkgroupName": "seeded" });
    let listed = analyst.call("redshift_data", "ListStatements", listed).unwrap();
    assert_eq!(listed["Statements"].as_array().unwrap().len(), 2, "the finished ones");
    let named = json!({ "WorkgroupName": "seeded", "DbUser": "awsuser" });
    assert_eq!(code(run(&bench, &admin, named, "SELECT 1")), "ValidationException");
}

#[test]
fn the_managed_policy_lets_in_only_to_workgroups_with_its_tag() {
    let bench = Bench::from_toml(WORLD);
    let (admin, analyst) = (bench.client("admin"), bench.client("analyst"));
    let (_, workgroup) = make(&admin, "untagged");
    pass(&bench, 200);
    let own = json!({ "WorkgroupName": "untagged" });
    assert_eq!(code(run(&bench, &analyst, own.clone(), "SELECT 1")), "AccessDeniedException");
    let refused =
        analyst.call(SERVERLESS, "GetCredentials", json!({ "workgroupName": "untagged" }));
    assert_eq!(code(refused), "AccessDeniedException");
    let arn = workgroup["workgroupArn"].clone();
    let tag = json!({
        "resourceArn": arn, "tags": [{ "key": "RedshiftDataFullAccess", "value": "yes" }] });
    ask(&admin, "TagResource", tag);
    assert_eq!(run(&bench, &analyst, own, "SELECT 1").unwrap()["Status"], "FINISHED");
    let given = ask(&analyst, "GetCredentials", json!({ "workgroupName": "untagged" }));
    assert_eq!(given["dbUser"], "IAM:analyst");
    ask(
        &admin,
        "UntagResource",
        json!({ "resourceArn": arn, "tagKeys": ["RedshiftDataFullAccess"] }),
    );
    let tags = ask(&admin, "ListTagsForResource", json!({ "resourceArn": arn }));
    assert_eq!(tags["tags"], json!([]));
}

#[test]
fn what_makes_no_namespace_or_workgroup_is_refused() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let namespace = |input: Value| code(admin.call(SERVERLESS, "CreateNamespace", input));
    assert_eq!(namespace(json!({ "namespaceName": "seeded-data" })), "ConflictException");
    let weak = json!({
        "namespaceName": "weak", "adminUsername": "awsuser", "adminUserPassword": "weak" });
    assert_eq!(namespace(weak), "ValidationException");
    let nobody = json!({ "namespaceName": "nobody", "adminUsername": "awsuser" });
    assert_eq!(namespace(nobody), "ValidationException");
    let unknown = json!({ "namespaceName": "idc", "redshiftIdcApplicationArn": "arn" });
    assert_eq!(namespace(unknown), "NotImplementedInSandbox");
    let workgroup = |namespace: &str| {
        let input = json!({ "workgroupName": "second", "namespaceName": namespace });
        code(admin.call(SERVERLESS, "CreateWorkgroup", input))
    };
    assert_eq!(workgroup("seeded-data"), "ConflictException");
    assert_eq!(workgroup("missing"), "ResourceNotFoundException");
    let stranger = bench.client("stranger");
    let named = json!({ "workgroupName": "seeded" });
    assert_eq!(code(stranger.call(SERVERLESS, "GetWorkgroup", named)), "ResourceNotFoundException");
}

#[test]
fn a_managed_password_is_a_secret_that_goes_with_its_namespace() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let input = json!({
        "namespaceName": "managed", "adminUsername": "boss", "manageAdminPassword": true });
    let made = ask(&admin, "CreateNamespace", input)["namespace"].clone();
    let secret = made["adminPasswordSecretArn"].clone();
    let group = json!({ "workgroupName": "managed", "namespaceName": "managed" });
    ask(&admin, "CreateWorkgroup", group);
    pass(&bench, 200);
    let with_secret = json!({ "WorkgroupName": "managed", "SecretArn": secret });
    let ended = run(&bench, &admin, with_secret, "SELECT current_user").unwrap();
    assert_eq!(ended["Status"], "FINISHED");
    ask(&admin, "DeleteWorkgroup", json!({ "workgroupName": "managed" }));
    pass(&bench, 180);
    ask(&admin, "DeleteNamespace", json!({ "namespaceName": "managed" }));
    pass(&bench, 120);
    let gone = admin.call("secretsmanager", "DescribeSecret", json!({ "SecretId": secret }));
    assert_eq!(code(gone), "ResourceNotFoundException");
}

#[test]
fn an_update_with_what_is_there_changes_nothing() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let same = json!({ "workgroupName": "seeded", "baseCapacity": 128 });
    let answer = ask(&admin, "UpdateWorkgroup", same);
    assert_eq!(answer["workgroup"]["status"], "AVAILABLE");
    let password = json!({ "namespaceName": "seeded-data", "adminUserPassword": "Sandbox-0001" });
    ask(&admin, "UpdateNamespace", password);
    let log = bench.sandbox.log().unwrap();
    assert!(log.iter().all(|call| !call.effect), "{log:?}");
    let more = json!({ "workgroupName": "seeded", "baseCapacity": 256 });
    assert_eq!(ask(&admin, "UpdateWorkgroup", more)["workgroup"]["status"], "MODIFYING");
    pass(&bench, 90);
    let found = ask(&admin, "GetWorkgroup", json!({ "workgroupName": "seeded" }));
    assert_eq!(found["workgroup"]["status"], "AVAILABLE");
    assert_eq!(found["workgroup"]["baseCapacity"], 256);
}
