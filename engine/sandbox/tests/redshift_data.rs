//! The Redshift Data API: when statements run, who they run as, and what comes back.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use serde_json::{Value, json};
use support::{Bench, Client, open_again};
use time::Duration;

const WORLD: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "reader"
policies = ["AmazonRedshiftDataFullAccess", "AmazonRedshiftFullAccess"]

[[people]]
alias = "nobody"

[[clusters]]
identifier = "poc"
master_password = "Sandbox-0001"
sql = [
  "CREATE TABLE sales (id int, amount numeric(12,2), paid boolean, ratio float8, note varchar(20))",
  "INSERT INTO sales VALUES (1, 9.5, true, 0.25, 'one'), (2, 12, NULL, NULL, NULL)",
]

[[secrets]]
name = "good"
value = { username = "awsuser", password = "Sandbox-0001" }
tags = { RedshiftDataFullAccess = "yes" }

[[secrets]]
name = "wrong"
value = { username = "awsuser", password = "nope" }
tags = { RedshiftDataFullAccess = "yes" }
"#;

fn submit(client: &Client, extra: &Value) -> Result<Value, support::Refused> {
    let mut input = json!({"ClusterIdentifier": "poc", "Database": "dev"});
    for (member, value) in extra.as_object().unwrap() {
        input[member] = value.clone();
    }
    let operation =
        if input.get("Sqls").is_some() { "BatchExecuteStatement" } else { "ExecuteStatement" };
    client.call("redshift_data", operation, input)
}

fn describe(client: &Client, id: &Value) -> Value {
    client.call("redshift_data", "DescribeStatement", json!({"Id": id})).unwrap()
}

/// Submits, waits, and describes.
fn run(bench: &Bench, client: &Client, extra: &Value) -> Value {
    let id = submit(client, extra).unwrap()["Id"].clone();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    describe(client, &id)
}

fn as_master(sql: &str) -> Value {
    json!({"DbUser": "awsuser", "Sql": sql})
}

fn rows(client: &Client, statement: &Value) -> Value {
    let id = json!({"Id": statement["Id"]});
    client.call("redshift_data", "GetStatementResult", id).unwrap()["Records"].clone()
}

fn secret(client: &Client, name: &str) -> Value {
    client.call("secretsmanager", "DescribeSecret", json!({"SecretId": name})).unwrap()["ARN"]
        .clone()
}

#[test]
fn a_statement_runs_when_its_moment_comes() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let submitted =
        submit(&admin, &as_master("SELECT id, amount, paid, ratio, note FROM sales ORDER BY id"))
            .unwrap();
    let id = submitted["Id"].clone();
    assert_eq!(submitted["DbUser"], "awsuser");
    let waiting = describe(&admin, &id);
    assert!(["SUBMITTED", "PICKED", "STARTED"].contains(&waiting["Status"].as_str().unwrap()));
    assert_eq!((&waiting["ResultRows"], &waiting["Duration"]), (&json!(-1), &json!(-1)));
    let early = admin.call("redshift_data", "GetStatementResult", json!({"Id": id})).unwrap_err();
    assert_eq!(early.0, "ResourceNotFoundException");
    bench.sandbox.advance(Duration::seconds(3)).unwrap();
    let done = describe(&admin, &id);
    assert_eq!((&done["Status"], &done["HasResultSet"]), (&json!("FINISHED"), &json!(true)));
    assert_eq!(done["ResultRows"], 2);
    assert_eq!(done["Duration"], 1_500_000_000);
    let result = admin.call("redshift_data", "GetStatementResult", json!({"Id": id})).unwrap();
    assert_eq!(
        result["Records"],
        json!([
            [{"longValue": 1}, {"stringValue": "9.50"}, {"booleanValue": true}, {"doubleValue": 0.25}, {"stringValue": "one"}],
            [{"longValue": 2}, {"stringValue": "12.00"}, {"isNull": true}, {"isNull": true}, {"isNull": true}],
        ])
    );
    assert_eq!(result["TotalNumRows"], 2);
    let amount = &result["ColumnMetadata"][1];
    assert_eq!(
        (&amount["name"], &amount["typeName"], &amount["precision"], &amount["scale"]),
        (&json!("amount"), &json!("numeric"), &json!(12), &json!(2))
    );
    assert_eq!((&amount["schemaName"], &amount["tableName"]), (&json!("public"), &json!("sales")));
}

#[test]
fn a_statement_has_its_effect_once_even_over_a_restart() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let input = json!({
        "DbUser": "awsuser", "Sql": "INSERT INTO sales (id) SELECT 3", "ClientToken": "one-and-only",
    });
    let first = submit(&admin, &input).unwrap();
    let again = submit(&admin, &input).unwrap();
    assert_eq!(first["Id"], again["Id"]);
    let reopened = open_again(&bench.path());
    reopened.advance(Duration::seconds(3)).unwrap();
    bench.sandbox.advance(Duration::seconds(3)).unwrap();
    let done = describe(&admin, &first["Id"]);
    assert_eq!((&done["Status"], &done["ResultRows"]), (&json!("FINISHED"), &json!(1)));
    let count = run(&bench, &admin, &as_master("SELECT count(*) FROM sales"));
    assert_eq!(rows(&admin, &count), json!([[{"longValue": 3}]]));
    let history = bench.sandbox.dump().unwrap()["history"].clone();
    let inserts = history.as_array().unwrap().iter().filter(|entry| {
        entry["kind"] == "statement" && entry["record"]["sql"] == "INSERT INTO sales (id) SELECT 3"
    });
    assert_eq!(inserts.count(), 1);
}

#[test]
fn a_secret_signs_in_and_a_wrong_password_fails_the_statement() {
    let bench = Bench::from_toml(WORLD);
    let (admin, reader) = (bench.client("admin"), bench.client("reader"));
    let sql = "SELECT usesuper FROM pg_user WHERE usename = current_user";
    let done = run(&bench, &reader, &json!({"SecretArn": secret(&admin, "good"), "Sql": sql}));
    assert_eq!(done["Status"], "FINISHED", "{done}");
    assert_eq!(rows(&reader, &done), json!([[{"booleanValue": true}]]));
    let failed = run(&bench, &reader, &json!({"SecretArn": secret(&admin, "wrong"), "Sql": sql}));
    assert_eq!(failed["Status"], "FAILED");
    assert_eq!(failed["Error"], "FATAL: password authentication failed for user \"awsuser\"");
    let arn = secret(&admin, "good");
    let untag = json!({"SecretId": arn, "TagKeys": ["RedshiftDataFullAccess"]});
    admin.call("secretsmanager", "UntagResource", untag).unwrap();
    let refused = submit(&reader, &json!({"SecretArn": arn, "Sql": sql})).unwrap_err();
    assert_eq!(refused.0, "AccessDeniedException");
    assert!(refused.1.contains("secretsmanager:GetSecretValue"), "{}", refused.1);
    let stranger = submit(&bench.client("nobody"), &as_master("SELECT 1")).unwrap_err();
    assert_eq!(stranger.0, "AccessDeniedException");
}

#[test]
fn an_iam_identity_is_a_database_user_without_rights() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let who = run(&bench, &admin, &json!({"Sql": "SELECT current_user"}));
    assert_eq!(rows(&admin, &who), json!([[{"stringValue": "IAM:admin"}]]));
    let refused = run(&bench, &admin, &json!({"Sql": "SELECT * FROM sales"}));
    assert_eq!(refused["Error"], "ERROR: permission denied for relation sales");
    run(&bench, &admin, &as_master("GRANT SELECT ON sales TO \"IAM:admin\""));
    let allowed = run(&bench, &admin, &json!({"Sql": "SELECT count(*) FROM sales"}));
    assert_eq!(allowed["Status"], "FINISHED");
}

#[test]
fn parameters_names_and_listing() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let input = json!({
        "DbUser": "awsuser", "Sql": "SELECT note FROM sales WHERE id = :id AND note = :note",
        "StatementName": "piton-one",
        "Parameters": [{"name": "id", "value": "1"}, {"name": "note", "value": "one"}],
    });
    let done = run(&bench, &admin, &input);
    assert_eq!(rows(&admin, &done), json!([[{"stringValue": "one"}]]));
    assert_eq!(done["QueryParameters"][0], json!({"name": "id", "value": "1"}));
    let missing = submit(&admin, &as_master("SELECT :nothing")).unwrap_err();
    assert_eq!(
        (missing.0.as_str(), missing.1.as_str()),
        ("ValidationException", "Cannot find parameter: nothing")
    );
    let list = |input: Value| {
        let answer = admin.call("redshift_data", "ListStatements", input).unwrap();
        answer["Statements"].as_array().unwrap().len()
    };
    assert_eq!(list(json!({"StatementName": "piton-"})), 1);
    assert_eq!(list(json!({"StatementName": "other"})), 0);
    assert_eq!(list(json!({"Status": "FAILED"})), 0);
    bench.sandbox.advance(Duration::hours(25)).unwrap();
    assert_eq!(list(json!({"StatementName": "piton-"})), 0);
    let expired = admin.call("redshift_data", "DescribeStatement", json!({"Id": done["Id"]}));
    assert_eq!(expired.unwrap_err().0, "ResourceNotFoundException");
}

#[test]
fn a_batch_happens_whole_or_not_at_all() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let batch = |sqls: Value| json!({"DbUser": "awsuser", "Sqls": sqls});
    let done = run(
        &bench,
        &admin,
        &batch(json!(["CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)", "SELECT x FROM t"])),
    );
    assert_eq!(done["Status"], "FINISHED");
    let parts = done["SubStatements"].as_array().unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!((&parts[1]["ResultRows"], &parts[2]["HasResultSet"]), (&json!(1), &json!(true)));
    assert_eq!(rows(&admin, &parts[2]), json!([[{"longValue": 7}]]));
    let failed =
        run(&bench, &admin, &batch(json!(["DELETE FROM t", "SELECT * FROM nothing", "SELECT 1"])));
    assert_eq!(failed["Status"], "FAILED");
    assert_eq!(failed["Error"], "Query #2 failed with ERROR: relation \"nothing\" does not exist");
    let words: Vec<&Value> =
        failed["SubStatements"].as_array().unwrap().iter().map(|part| &part["Status"]).collect();
    assert_eq!(words, ["ABORTED", "FAILED", "ABORTED"]);
    let kept = run(&bench, &admin, &as_master("SELECT count(*) FROM t"));
    assert_eq!(rows(&admin, &kept), json!([[{"longValue": 1}]]));
}

#[test]
fn a_cancelled_statement_never_runs() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let id = submit(&admin, &as_master("DELETE FROM sales")).unwrap()["Id"].clone();
    admin.call("redshift_data", "CancelStatement", json!({"Id": id})).unwrap();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    assert_eq!(describe(&admin, &id)["Status"], "ABORTED");
    let count = run(&bench, &admin, &as_master("SELECT count(*) FROM sales"));
    assert_eq!(rows(&admin, &count), json!([[{"longValue": 2}]]));
    let late = admin.call("redshift_data", "CancelStatement", json!({"Id": id})).unwrap_err();
    assert_eq!(late.0, "ValidationException");
}

#[test]
fn long_results_come_in_pages_and_as_csv() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT i, 'a,b' AS t FROM n";
    let done = run(&bench, &admin, &as_master(sql));
    let mut token = Value::Null;
    let mut sizes = vec![];
    loop {
        let mut input = json!({"Id": done["Id"]});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = admin.call("redshift_data", "GetStatementResult", input).unwrap();
        assert_eq!(page["TotalNumRows"], 1200);
        sizes.push(page["Records"].as_array().unwrap().len());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(sizes, [500, 500, 200]);
    let input = json!({"DbUser": "awsuser", "ResultFormat": "CSV", "Sql": "SELECT id, note, 'a,b' FROM sales ORDER BY id"});
    let done = run(&bench, &admin, &input);
    let csv =
        admin.call("redshift_data", "GetStatementResultV2", json!({"Id": done["Id"]})).unwrap();
    assert_eq!(csv["Records"], json!([{"CSVRecords": "1,one,\"a,b\"\r\n2,,\"a,b\"\r\n"}]));
}

#[test]
fn the_catalog_can_be_listed() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    run(&bench, &admin, &as_master("CREATE SCHEMA datazone_env_publish"));
    run(&bench, &admin, &as_master("CREATE VIEW datazone_env_publish.v AS SELECT id FROM sales"));
    let call = |operation: &str, extra: Value| {
        let mut input = json!({"ClusterIdentifier": "poc", "Database": "dev", "DbUser": "awsuser"});
        for (member, value) in extra.as_object().unwrap() {
            input[member] = value.clone();
        }
        admin.call("redshift_data", operation, input)
    };
    assert_eq!(call("ListDatabases", json!({})).unwrap()["Databases"], json!(["dev"]));
    let schemas = call("ListSchemas", json!({"SchemaPattern": "datazone%"})).unwrap();
    assert_eq!(schemas["Schemas"], json!(["datazone_env_publish"]));
    let tables = call("ListTables", json!({"TablePattern": "%"})).unwrap();
    assert_eq!(
        tables["Tables"],
        json!([
            {"name": "v", "schema": "datazone_env_publish", "type": "VIEW"},
            {"name": "sales", "schema": "public", "type": "TABLE"},
        ])
    );
    let table = call("DescribeTable", json!({"Schema": "public", "Table": "sales"})).unwrap();
    let columns = table["ColumnList"].as_array().unwrap();
    assert_eq!(columns.len(), 5);
    assert_eq!((&columns[4]["typeName"], &columns[4]["length"]), (&json!("varchar"), &json!(20)));
    let missing = call("ListSchemas", json!({"Database": "nodb"})).unwrap_err();
    assert_eq!(missing.0, "DatabaseConnectionException");
}

#[test]
fn what_cannot_be_a_statement_is_refused() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let code = |extra: Value| submit(&admin, &extra).unwrap_err();
    let missing = code(json!({"ClusterIdentifier": "none", "Sql": "SELECT 1"}));
    assert_eq!(missing.0, "ValidationException");
    assert_eq!(missing.1, "Redshift endpoint doesn't exist in this region.");
    assert_eq!(
        code(json!({"DbUser": "a", "SecretArn": "arn", "Sql": "SELECT 1"})).0,
        "ValidationException"
    );
    let other = admin.in_region("us-east-1");
    assert_eq!(submit(&other, &as_master("SELECT 1")).unwrap_err().0, "ValidationException");
    let id = "00000000-0000-0000-0000-000000000000";
    let unknown = admin.call("redshift_data", "DescribeStatement", json!({"Id": id})).unwrap_err();
    assert_eq!(unknown.0, "ResourceNotFoundException");
    let failed =
        run(&bench, &admin, &json!({"Database": "nodb", "DbUser": "awsuser", "Sql": "SELECT 1"}));
    assert_eq!(failed["Error"], "FATAL: database \"nodb\" does not exist");
    let failed = run(&bench, &admin, &json!({"DbUser": "ghost", "Sql": "SELECT 1"}));
    assert_eq!(failed["Error"], "FATAL: user \"ghost\" does not exist");
}

#[test]
fn passwords_stay_out_of_the_history() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let done =
        run(&bench, &admin, &as_master("CREATE USER app PASSWORD 'Very-Secret-1' IN GROUP none"));
    assert_eq!(done["Status"], "FAILED");
    run(&bench, &admin, &as_master("CREATE USER app PASSWORD 'Very-Secret-1'"));
    let dump = bench.sandbox.dump().unwrap().to_string();
    assert!(!dump.contains("Very-Secret-1"));
    assert!(!dump.contains("Sandbox-0001"));
}
