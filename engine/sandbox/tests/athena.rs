//! Athena: workgroups, statements that run at their moment, and tables whose rows are objects.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::{Bench, Client, open_again};
use time::Duration;

const WORLD: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "reader"
policy = '''{"Statement": [
  {"Effect": "Allow", "Action": ["athena:*", "glue:Get*"], "Resource": "*"},
  {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::results/*", "arn:aws:s3:::results"]}
]}'''
"#;

const SALES: &str = "CREATE TABLE \"sales\".\"mkt_sls_table\" WITH (format = 'PARQUET') AS \
    SELECT 146776932 AS ord_num, 23 AS sales_qty_sld, CAST(23.5 AS DECIMAL(7,2)) AS wholesale_cost, \
    'AIR' AS ship_mode \
    UNION ALL SELECT 46776931, 22, 24.45, 'TRUCK'";

/// A world with a lake, a place for results and a database.
fn lake() -> Bench {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    for name in ["lake", "results"] {
        let place = json!({"LocationConstraint": "eu-west-1"});
        let input = json!({"Bucket": name, "CreateBucketConfiguration": place});
        admin.ask("s3", "CreateBucket", input);
    }
    admin.ask("glue", "CreateDatabase", json!({"DatabaseInput": {"Name": "sales"}}));
    bench
}

fn start(client: &Client, sql: &str, extra: &Value) -> Result<Value, support::Refused> {
    let mut input = json!({
        "QueryString": sql, "QueryExecutionContext": {"Database": "sales"},
        "ResultConfiguration": {"OutputLocation": "s3://results/athena/"},
    });
    input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    client.call("athena", "StartQueryExecution", input)
}

fn execution(client: &Client, id: &Value) -> Value {
    let input = json!({"QueryExecutionId": id});
    client.ask("athena", "GetQueryExecution", input)["QueryExecution"].clone()
}

/// Starts, waits, and shows.
fn run(bench: &Bench, client: &Client, sql: &str) -> Value {
    let id = start(client, sql, &json!({})).unwrap()["QueryExecutionId"].clone();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    execution(client, &id)
}

/// Runs what has to succeed.
fn done(bench: &Bench, client: &Client, sql: &str) -> Value {
    let execution = run(bench, client, sql);
    assert_eq!(execution["Status"]["State"], "SUCCEEDED", "{sql}: {}", execution["Status"]);
    execution
}

/// The reason of what has to fail.
fn reason(bench: &Bench, client: &Client, sql: &str) -> String {
    let execution = run(bench, client, sql);
    assert_eq!(execution["Status"]["State"], "FAILED", "{sql}: {}", execution["Status"]);
    assert_eq!(
        execution["Status"]["AthenaError"]["ErrorMessage"],
        execution["Status"]["StateChangeReason"]
    );
    execution["Status"]["StateChangeReason"].as_str().unwrap().to_owned()
}

/// The rows of a result as texts, header and all.
fn rows(client: &Client, execution: &Value) -> Vec<Vec<String>> {
    let input = json!({"QueryExecutionId": execution["QueryExecutionId"]});
    let found = client.ask("athena", "GetQueryResults", input);
    texts(&found)
}

fn texts(found: &Value) -> Vec<Vec<String>> {
    let text = |cell: &Value| cell["VarCharValue"].as_str().unwrap_or("NULL").to_owned();
    found["ResultSet"]["Rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Data"].as_array().unwrap().iter().map(text).collect())
        .collect()
}

/// Runs a query and gives its rows without the header.
fn selected(bench: &Bench, client: &Client, sql: &str) -> Vec<Vec<String>> {
    rows(client, &done(bench, client, sql)).split_off(1)
}

#[test]
fn a_statement_runs_when_its_moment_comes_and_once() {
    let bench = lake();
    let admin = bench.client("admin");
    let token = json!({"ClientRequestToken": "0123456789abcdef0123456789abcdef"});
    let first = start(&admin, SALES, &token).unwrap();
    assert_eq!(start(&admin, SALES, &token).unwrap(), first);
    let effects: Vec<bool> =
        bench.sandbox.log().unwrap().iter().rev().take(2).map(|call| call.effect).collect();
    assert_eq!(effects, [false, true]);
    let (code, ..) = start(&admin, "SELECT 1", &token).unwrap_err();
    assert_eq!(code, "InvalidRequestException");
    let id = first["QueryExecutionId"].clone();
    let early = execution(&admin, &id);
    assert!(["QUEUED", "RUNNING"].contains(&early["Status"]["State"].as_str().unwrap()));
    let input = json!({"QueryExecutionId": id});
    let (code, message, _) = admin.call("athena", "GetQueryResults", input).unwrap_err();
    assert_eq!(code, "InvalidRequestException");
    assert!(message.starts_with("Query has not yet finished. Current state: "), "{message}");
    open_again(&bench.path()).advance(Duration::seconds(3)).unwrap();
    let ended = execution(&admin, &id);
    assert_eq!(ended["Status"]["State"], "SUCCEEDED", "{ended}");
    assert_eq!((&ended["StatementType"], &ended["WorkGroup"]), (&json!("DDL"), &json!("primary")));
    assert_eq!(
        selected(&bench, &admin, "SELECT count(*) FROM mkt_sls_table"),
        [["2"]],
        "the statement ran once"
    );
    let history = bench.sandbox.dump().unwrap()["history"].clone();
    let made = history.as_array().unwrap().iter().filter(|entry| entry["record"]["sql"] == SALES);
    assert_eq!(made.count(), 1);
}

#[test]
fn a_table_made_by_a_query_is_in_the_catalogue_with_its_rows_in_objects() {
    let bench = lake();
    let admin = bench.client("admin");
    let made = done(&bench, &admin, SALES);
    let at = json!({"DatabaseName": "sales", "Name": "mkt_sls_table"});
    let table = admin.ask("glue", "GetTable", at)["Table"].clone();
    assert_eq!(table["TableType"], "EXTERNAL_TABLE");
    let columns: Vec<(&str, &str)> = table["StorageDescriptor"]["Columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| (column["Name"].as_str().unwrap(), column["Type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        columns,
        [
            ("ord_num", "int"),
            ("sales_qty_sld", "int"),
            ("wholesale_cost", "decimal(7,2)"),
            ("ship_mode", "varchar(5)"),
        ]
    );
    let id = made["QueryExecutionId"].as_str().unwrap();
    let location = format!("s3://results/athena/tables/{id}/");
    assert_eq!(table["StorageDescriptor"]["Location"], location);
    let under = json!({"Bucket": "results", "Prefix": format!("athena/tables/{id}/")});
    let objects = admin.ask("s3", "ListObjectsV2", under.clone());
    assert_eq!(objects["KeyCount"], 1);
    let manifest = made["Statistics"]["DataManifestLocation"].as_str().unwrap();
    assert_eq!(manifest, format!("s3://results/athena/tables/{id}-manifest.csv"));
    let query = "SELECT ord_num, wholesale_cost, ship_mode, ord_num / 2 AS half \
                 FROM \"AwsDataCatalog\".\"sales\".\"mkt_sls_table\" ORDER BY 1";
    let selected = done(&bench, &admin, query);
    assert_eq!(selected["StatementType"], "DML");
    assert_eq!(
        rows(&admin, &selected),
        [
            ["ord_num", "wholesale_cost", "ship_mode", "half"],
            ["46776931", "24.45", "TRUCK", "23388465"],
            ["146776932", "23.50", "AIR", "73388466"],
        ]
    );
    let output = selected["ResultConfiguration"]["OutputLocation"].as_str().unwrap();
    let key = output.strip_prefix("s3://results/").unwrap();
    let object = admin.ask("s3", "GetObject", json!({"Bucket": "results", "Key": key}));
    let csv = STANDARD.decode(object["Body"].as_str().unwrap()).unwrap();
    assert!(String::from_utf8(csv).unwrap().starts_with(
        "\"ord_num\",\"wholesale_cost\",\"ship_mode\",\"half\"\n\"46776931\",\"24.45\""
    ));
    assert!(reason(&bench, &admin, SALES).starts_with("TABLE_ALREADY_EXISTS"));
    done(&bench, &admin, "DROP TABLE mkt_sls_table");
    let left = admin.ask("s3", "ListObjectsV2", under);
    assert_eq!(left["KeyCount"], 1, "an external table's rows stay");
}

#[test]
fn rows_are_what_the_objects_hold() {
    let bench = lake();
    let admin = bench.client("admin");
    let put = |key: &str, text: &str| {
        let body = STANDARD.encode(text);
        admin.ask("s3", "PutObject", json!({"Bucket": "lake", "Key": key, "Body": body}));
    };
    put("people/a.csv", "id,name,born,score\n1,Ann,2000-01-02,1.5\n2,,not a date,x\n");
    put("people/_hidden", "9,No,2000-01-01,1\n");
    done(
        &bench,
        &admin,
        "CREATE EXTERNAL TABLE IF NOT EXISTS sales.people (`id` int COMMENT 'Key', name string, born date, \
         score double) COMMENT 'People' ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' \
         LOCATION 's3://lake/people/' TBLPROPERTIES ('skip.header.line.count' = '1')",
    );
    let all = "SELECT id, name, born, score FROM people ORDER BY id";
    assert_eq!(
        selected(&bench, &admin, all),
        [["1", "Ann", "2000-01-02", "1.5"], ["2", "", "NULL", "NULL"]]
    );
    put("people/b.csv", "id,name,born,score\n3,Bo,1999-12-31,1E10\n");
    assert_eq!(selected(&bench, &admin, all)[2], ["3", "Bo", "1999-12-31", "1.0E10"]);
    done(&bench, &admin, "INSERT INTO people (id, name) VALUES (4, 'Cy'), (5, NULL)");
    // What an INSERT writes has no header, so that skipping one loses a row there, as it does in AWS.
    assert_eq!(selected(&bench, &admin, "SELECT count(*), max(id) FROM people"), [["4", "5"]]);
    for key in ["people/a.csv", "people/b.csv"] {
        admin.ask("s3", "DeleteObject", json!({"Bucket": "lake", "Key": key}));
    }
    assert_eq!(selected(&bench, &admin, "SELECT id FROM people"), [["5"]]);
    put("json/a.json", "{\"ID\": 1, \"tags\": {\"a\": [1, 2]}}\n{\"id\": 2}\n");
    done(
        &bench,
        &admin,
        "CREATE EXTERNAL TABLE j (id bigint, tags struct<a:array<int>>) \
         ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://lake/json/'",
    );
    let found = "SELECT id, json_extract_scalar(tags, '$.a[1]') FROM j ORDER BY id";
    assert_eq!(selected(&bench, &admin, found), [["1", "2"], ["2", "NULL"]]);
    put("foreign/a.parquet", "PAR1 something");
    done(
        &bench,
        &admin,
        "CREATE EXTERNAL TABLE f (id int) STORED AS PARQUET LOCATION 's3://lake/foreign/'",
    );
    assert!(
        reason(&bench, &admin, "SELECT * FROM f").starts_with("HIVE_BAD_DATA: foreign/a.parquet")
    );
}

#[test]
fn presto_is_spoken() {
    let bench = lake();
    let admin = bench.client("admin");
    done(&bench, &admin, SALES);
    let cases: &[(&str, &[&str])] = &[
        ("SELECT date '2020-02-28' + interval '2' day", &["2020-03-01 00:00:00.000"]),
        ("SELECT date_add('day', 2, date '2020-02-28')", &["2020-03-01"]),
        ("SELECT date_diff('month', date '2020-01-01', date '2020-03-01')", &["2"]),
        ("SELECT date_trunc('month', date '2020-02-28')", &["2020-02-01"]),
        ("SELECT year(date '2020-02-28'), day_of_week(date '2020-03-01')", &["2020", "7"]),
        ("SELECT if(1 > 2, 'a', 'b'), coalesce(NULL, 'c')", &["b", "c"]),
        ("SELECT try_cast('x' AS integer), try_cast('7' AS integer)", &["NULL", "7"]),
        ("SELECT cast(1.5 AS varchar), cast(true AS varchar)", &["1.5", "true"]),
        ("SELECT concat('a', 'b', 'c') || 'd'", &["abcd"]),
        ("SELECT regexp_like('abc', 'b'), regexp_extract('a12', '[0-9]+')", &["true", "12"]),
        ("SELECT avg(sales_qty_sld) FROM mkt_sls_table", &["22.5"]),
        (
            "SELECT approx_distinct(ship_mode), count_if(ord_num > 1) FROM mkt_sls_table",
            &["2", "2"],
        ),
        ("SELECT date_format(timestamp '2020-02-28 01:02:03', '%Y/%m/%d %H')", &["2020/02/28 01"]),
        ("SELECT json_extract_scalar('{\"a\": {\"b\": 5}}', '$.a.b')", &["5"]),
        ("SELECT typeof(1), typeof('ab'), typeof(1.5)", &["integer", "varchar(2)", "decimal(2,1)"]),
        ("WITH t AS (SELECT 1 AS x) SELECT x, 2 FROM t", &["1", "2"]),
        ("SELECT * FROM (SELECT 'it''s \\n')", &["it's \\n"]),
        ("SELECT timestamp '2020-01-02 03:04:05'", &["2020-01-02 03:04:05.000"]),
        ("SELECT greatest(1, 2), least(1, NULL)", &["2", "NULL"]),
        ("SELECT typeof(x) FROM (SELECT 'abc' AS x UNION ALL SELECT NULL)", &["varchar(3)"]),
        ("SELECT x FROM (VALUES (1), (NULL), (2)) AS t(x) ORDER BY x DESC LIMIT 1", &["2"]),
        ("SELECT 'a_b' LIKE 'a\\_b', 'a%' LIKE 'a!%' ESCAPE '!'", &["false", "true"]),
    ];
    for (sql, expected) in cases {
        assert_eq!(selected(&bench, &admin, sql)[0], *expected, "{sql}");
    }
    let unnamed =
        done(&bench, &admin, "SELECT 1, ord_num, count(*) FROM mkt_sls_table GROUP BY 1, 2");
    assert_eq!(rows(&admin, &unnamed)[0], ["_col0", "ord_num", "_col2"]);
    let input = json!({"QueryExecutionId": unnamed["QueryExecutionId"]});
    let result = admin.ask("athena", "GetQueryResults", input);
    let info = &result["ResultSet"]["ResultSetMetadata"]["ColumnInfo"];
    assert_eq!((&info[0]["Type"], &info[2]["Type"]), (&json!("integer"), &json!("bigint")));
}

#[test]
fn failures_are_in_athena_s_words() {
    let bench = lake();
    let admin = bench.client("admin");
    done(&bench, &admin, SALES);
    for (sql, expected) in [
        (
            "SELECT * FROM nothing",
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.sales.nothing' does not exist",
        ),
        ("SELECT * FROM other.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'other' does not exist"),
        ("SELECT * FROM c.d.t", "CATALOG_NOT_FOUND: line 1:15: Catalog 'c' does not exist"),
        (
            "SELECT nope FROM mkt_sls_table",
            "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved or requester is not \
             authorized to access requested resources",
        ),
        ("SELECT nope(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nope' not registered"),
        (
            "CREATE TABLE x AS SELECT 1",
            "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 1",
        ),
    ] {
        assert_eq!(reason(&bench, &admin, sql), expected);
    }
    let (code, message, status) = start(&admin, "SELEKT 1", &json!({})).unwrap_err();
    assert_eq!((code.as_str(), status), ("InvalidRequestException", 400));
    assert!(message.starts_with("line 1:1: "), "{message}");
    let (code, message, _) =
        start(&admin, "UNLOAD (SELECT 1) TO 's3://x'", &json!({})).unwrap_err();
    assert_eq!(code, "NotImplementedInSandbox");
    assert!(message.contains("UNLOAD"), "{message}");
    let nowhere = json!({"QueryString": "SELECT 1"});
    let (code, message, _) = admin.call("athena", "StartQueryExecution", nowhere).unwrap_err();
    assert_eq!(code, "InvalidRequestException");
    assert!(message.starts_with("No output location provided."), "{message}");
    let lost = json!({"ResultConfiguration": {"OutputLocation": "s3://no-such-bucket/"}});
    let (_, message, _) = start(&admin, "SELECT 1", &lost).unwrap_err();
    assert_eq!(message, "Unable to verify/create output bucket no-such-bucket");
    // What failed left nothing behind.
    let failing = "CREATE TABLE half AS SELECT CAST('x' AS integer) AS x";
    assert!(reason(&bench, &admin, failing).starts_with("INVALID_CAST_ARGUMENT"));
    let at = json!({"DatabaseName": "sales", "Name": "half"});
    assert!(admin.call("glue", "GetTable", at).is_err());
}

#[test]
fn whoever_runs_a_statement_needs_the_rights() {
    let bench = lake();
    let (admin, reader) = (bench.client("admin"), bench.client("reader"));
    done(
        &bench,
        &admin,
        "CREATE TABLE t WITH (external_location = 's3://lake/t/') AS SELECT 1 AS x",
    );
    assert_eq!(
        reason(&bench, &reader, "SELECT * FROM t"),
        "Permission denied on S3 path: s3://lake/t/"
    );
    let made = reason(&bench, &reader, "CREATE TABLE u AS SELECT 1 AS x");
    assert!(made.contains("is not authorized to perform: glue:CreateTable"), "{made}");
    assert_eq!(selected(&bench, &reader, "SELECT 1"), [["1"]]);
    let elsewhere = json!({"ResultConfiguration": {"OutputLocation": "s3://lake/r/"}});
    let id = start(&reader, "SELECT 1", &elsewhere).unwrap()["QueryExecutionId"].clone();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    let failed = execution(&reader, &id)["Status"]["StateChangeReason"].clone();
    assert!(
        failed
            .as_str()
            .unwrap()
            .starts_with("Access denied when writing output to url: s3://lake/r/")
    );
}

#[test]
fn statements_define_and_tell() {
    let bench = lake();
    let admin = bench.client("admin");
    done(
        &bench,
        &admin,
        "CREATE DATABASE IF NOT EXISTS more COMMENT 'c' LOCATION 's3://lake/more/'",
    );
    let shown = done(&bench, &admin, "SHOW DATABASES");
    assert_eq!(shown["StatementType"], "UTILITY");
    assert_eq!(rows(&admin, &shown), [["more"], ["sales"]]);
    done(&bench, &admin, SALES);
    done(&bench, &admin, "CREATE VIEW v AS SELECT ord_num AS n, ship_mode FROM mkt_sls_table");
    done(&bench, &admin, "CREATE OR REPLACE VIEW more.w AS SELECT max(n) AS n FROM sales.v");
    let across = json!({"QueryExecutionContext": {"Database": "more"}});
    let id = start(&admin, "SELECT n FROM w", &across).unwrap()["QueryExecutionId"].clone();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    assert_eq!(rows(&admin, &execution(&admin, &id)), [["n"], ["146776932"]]);
    let tables = done(&bench, &admin, "SHOW TABLES IN sales 'm*'");
    assert_eq!(rows(&admin, &tables), [["mkt_sls_table"]]);
    let views = done(&bench, &admin, "SHOW VIEWS");
    assert_eq!(rows(&admin, &views), [["v"]]);
    let told = "SELECT table_name, column_name, ordinal_position, data_type \
                FROM information_schema.columns WHERE table_schema = 'sales' AND ordinal_position > 2";
    assert_eq!(
        selected(&bench, &admin, told),
        [
            ["mkt_sls_table", "wholesale_cost", "3", "decimal(7,2)"],
            ["mkt_sls_table", "ship_mode", "4", "varchar(5)"],
        ]
    );
    let kinds =
        "SELECT table_schema, table_name, table_type FROM information_schema.tables ORDER BY 2";
    assert_eq!(
        selected(&bench, &admin, kinds),
        [["sales", "mkt_sls_table", "BASE TABLE"], ["sales", "v", "VIEW"], ["more", "w", "VIEW"],]
    );
    let described = rows(&admin, &done(&bench, &admin, "DESCRIBE mkt_sls_table"));
    assert!(described[0][0].starts_with("ord_num             \tint  "), "{described:?}");
    let created = rows(&admin, &done(&bench, &admin, "SHOW CREATE TABLE mkt_sls_table"));
    assert_eq!(created[0], ["CREATE EXTERNAL TABLE `sales.mkt_sls_table`("]);
    assert!(reason(&bench, &admin, "DROP DATABASE sales").contains("is not empty"));
    done(&bench, &admin, "DROP VIEW v");
    assert!(reason(&bench, &admin, "SELECT * FROM more.w").starts_with("TABLE_NOT_FOUND"));
    done(&bench, &admin, "DROP DATABASE sales CASCADE");
    done(&bench, &admin, "DROP DATABASE IF EXISTS sales");
}

#[test]
fn partitions_are_written_found_and_repaired() {
    let bench = lake();
    let admin = bench.client("admin");
    done(
        &bench,
        &admin,
        "CREATE TABLE p WITH (format = 'TEXTFILE', field_delimiter = ',', partitioned_by = ARRAY['y'], \
         external_location = 's3://lake/p') AS SELECT 1 AS x, 2024 AS y UNION ALL SELECT 2, 2025",
    );
    let shown = rows(&admin, &done(&bench, &admin, "SHOW PARTITIONS p"));
    assert_eq!(shown, [["y=2024"], ["y=2025"]]);
    assert_eq!(selected(&bench, &admin, "SELECT x, y FROM p WHERE y = 2025"), [["2", "2025"]]);
    done(&bench, &admin, "ALTER TABLE p DROP PARTITION (y = 2025)");
    assert_eq!(selected(&bench, &admin, "SELECT x FROM p"), [["1"]]);
    done(&bench, &admin, "MSCK REPAIR TABLE p");
    assert_eq!(selected(&bench, &admin, "SELECT sum(x) FROM p"), [["3"]]);
    done(&bench, &admin, "INSERT INTO p SELECT 5, 2026");
    assert_eq!(selected(&bench, &admin, "SELECT x FROM p WHERE y = 2026"), [["5"]]);
    done(
        &bench,
        &admin,
        "ALTER TABLE p ADD IF NOT EXISTS PARTITION (y = 2027) LOCATION 's3://lake/p/y=2024/'",
    );
    assert_eq!(selected(&bench, &admin, "SELECT x FROM p WHERE y = 2027"), [["1"]]);
}

#[test]
fn results_come_by_page() {
    let bench = lake();
    let admin = bench.client("admin");
    let query = "SELECT x FROM (VALUES (1), (2), (3)) AS t(x) ORDER BY x";
    let id = done(&bench, &admin, query)["QueryExecutionId"].clone();
    let page = |extra: Value| {
        let mut input = json!({"QueryExecutionId": id, "MaxResults": 2});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        admin.ask("athena", "GetQueryResults", input)
    };
    let first = page(json!({}));
    assert_eq!(texts(&first), [["x"], ["1"]]);
    let second = page(json!({"NextToken": first["NextToken"]}));
    assert_eq!(texts(&second), [["2"], ["3"]]);
    assert!(second.get("NextToken").is_none());
}

#[test]
fn workgroups_say_where_results_go() {
    let bench = lake();
    let admin = bench.client("admin");
    let ask = |operation: &str, input: Value| admin.call("athena", operation, input);
    let primary =
        ask("GetWorkGroup", json!({"WorkGroup": "primary"})).unwrap()["WorkGroup"].clone();
    assert_eq!((&primary["Name"], &primary["State"]), (&json!("primary"), &json!("ENABLED")));
    let input = json!({
        "Name": "team", "Description": "d", "Tags": [{"Key": "a", "Value": "b"}],
        "Configuration": {"ResultConfiguration": {"OutputLocation": "s3://lake/team/"}},
    });
    ask("CreateWorkGroup", input.clone()).unwrap();
    assert_eq!(ask("CreateWorkGroup", input).unwrap_err().1, "WorkGroup is already created");
    let id = start(&admin, "SELECT 1", &json!({"WorkGroup": "team"})).unwrap();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    let ended = execution(&admin, &id["QueryExecutionId"]);
    let output = ended["ResultConfiguration"]["OutputLocation"].as_str().unwrap().to_owned();
    assert!(output.starts_with("s3://lake/team/"), "the workgroup's place is enforced: {output}");
    let ids = ask("ListQueryExecutions", json!({"WorkGroup": "team"})).unwrap();
    assert_eq!(ids["QueryExecutionIds"], json!([id["QueryExecutionId"]]));
    let arn = "arn:aws:athena:eu-west-1:111111111111:workgroup/team";
    ask("TagResource", json!({"ResourceARN": arn, "Tags": [{"Key": "c", "Value": "d"}]})).unwrap();
    ask("UntagResource", json!({"ResourceARN": arn, "TagKeys": ["a"]})).unwrap();
    let tags = ask("ListTagsForResource", json!({"ResourceARN": arn})).unwrap();
    assert_eq!(tags["Tags"], json!([{"Key": "c", "Value": "d"}]));
    let update = json!({"WorkGroup": "team", "State": "DISABLED", "ConfigurationUpdates": {
        "EnforceWorkGroupConfiguration": false,
        "ResultConfigurationUpdates": {"RemoveOutputLocation": true}}});
    ask("UpdateWorkGroup", update).unwrap();
    let shown = ask("GetWorkGroup", json!({"WorkGroup": "team"})).unwrap()["WorkGroup"].clone();
    assert_eq!(shown["Configuration"]["ResultConfiguration"], json!({}));
    let off = start(&admin, "SELECT 1", &json!({"WorkGroup": "team"})).unwrap_err();
    assert_eq!(off.1, "WorkGroup team is disabled.");
    let none = start(&admin, "SELECT 1", &json!({"WorkGroup": "none"})).unwrap_err();
    assert_eq!(
        (none.0.as_str(), none.1.as_str()),
        ("InvalidRequestException", "WorkGroup none is not found.")
    );
    let delete = |recursive: bool| {
        ask("DeleteWorkGroup", json!({"WorkGroup": "team", "RecursiveDeleteOption": recursive}))
    };
    assert_eq!(delete(false).unwrap_err().1, "WorkGroup team is not empty");
    delete(true).unwrap();
    assert!(ask("GetWorkGroup", json!({"WorkGroup": "team"})).is_err());
    let gone = ask("DeleteWorkGroup", json!({"WorkGroup": "primary"})).unwrap_err();
    assert_eq!(gone.0, "InvalidRequestException");
    let names: Vec<Value> = ask("ListWorkGroups", json!({})).unwrap()["WorkGroups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["Name"].clone())
        .collect();
    assert_eq!(names, ["primary"]);
}

#[test]
fn a_stopped_statement_does_nothing() {
    let bench = lake();
    let admin = bench.client("admin");
    let id = start(&admin, SALES, &json!({})).unwrap()["QueryExecutionId"].clone();
    admin.ask("athena", "StopQueryExecution", json!({"QueryExecutionId": id}));
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    assert_eq!(execution(&admin, &id)["Status"]["State"], "CANCELLED");
    let at = json!({"DatabaseName": "sales", "Name": "mkt_sls_table"});
    assert!(admin.call("glue", "GetTable", at).is_err());
    let missing = json!({"QueryExecutionIds": [id, "none"]});
    let found = admin.ask("athena", "BatchGetQueryExecution", missing);
    assert_eq!(found["QueryExecutions"].as_array().unwrap().len(), 1);
    assert_eq!(found["UnprocessedQueryExecutionIds"][0]["QueryExecutionId"], "none");
}

#[test]
fn the_catalogue_is_shown_and_queries_are_kept() {
    let bench = lake();
    let admin = bench.client("admin");
    done(&bench, &admin, SALES);
    let ask = |operation: &str, input: Value| admin.call("athena", operation, input).unwrap();
    assert_eq!(
        ask("ListDataCatalogs", json!({}))["DataCatalogsSummary"][0]["CatalogName"],
        "AwsDataCatalog"
    );
    let of = json!({"CatalogName": "AwsDataCatalog", "DatabaseName": "sales"});
    assert_eq!(ask("GetDatabase", of.clone())["Database"]["Name"], "sales");
    let listed = ask("ListTableMetadata", of);
    assert_eq!(
        listed["TableMetadataList"][0]["Columns"][0],
        json!({"Name": "ord_num", "Type": "int"})
    );
    let input = json!({"Name": "q", "Database": "sales", "QueryString": "SELECT 1"});
    let id = ask("CreateNamedQuery", input)["NamedQueryId"].clone();
    assert_eq!(ask("ListNamedQueries", json!({}))["NamedQueryIds"], json!([id]));
    let kept = ask("GetNamedQuery", json!({"NamedQueryId": id}))["NamedQuery"].clone();
    assert_eq!((&kept["QueryString"], &kept["WorkGroup"]), (&json!("SELECT 1"), &json!("primary")));
    ask("DeleteNamedQuery", json!({"NamedQueryId": id}));
    assert_eq!(ask("ListNamedQueries", json!({}))["NamedQueryIds"], json!([]));
    let id = json!({"ExecutionParameters": ["146776932", "AIR"]});
    let id = start(
        &admin,
        "SELECT sales_qty_sld FROM mkt_sls_table WHERE ord_num = ? AND ship_mode = ?",
        &id,
    );
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    let found = execution(&admin, &id.unwrap()["QueryExecutionId"]);
    assert_eq!(rows(&admin, &found), [["sales_qty_sld"], ["23"]]);
}

const BEGUN: &str = r#"
[[people]]
alias = "admin"
account = "consumer"
administrator = true

[[buckets]]
name = "begun"
account = "consumer"
tags = { team = "one" }
objects = { "raw/a.csv" = "1,Ann\n2,Bo\n" }

[[glue_databases]]
name = "sales"
account = "consumer"
location = "s3://begun/sales"
sql = [
  "CREATE EXTERNAL TABLE raw (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://begun/raw/'",
  "CREATE TABLE named AS SELECT id, upper(name) AS name FROM raw",
]
"#;

#[test]
fn a_world_may_begin_with_a_lake() {
    let bench = Bench::from_toml(BEGUN);
    let admin = bench.client("admin");
    let results = json!({"ResultConfiguration": {"OutputLocation": "s3://begun/results/"}});
    let id = start(&admin, "SELECT * FROM named ORDER BY id", &results).unwrap();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    let found = execution(&admin, &id["QueryExecutionId"]);
    assert_eq!(rows(&admin, &found), [["id", "name"], ["1", "ANN"], ["2", "BO"]]);
    let dump = bench.sandbox.dump().unwrap();
    let here = &dump["resources"]["222222222222"]["eu-west-1"];
    assert_eq!(here["glue"]["table"]["sales/named"]["input"]["TableType"], "EXTERNAL_TABLE");
    assert_eq!(here["s3"]["bucket"]["begun"]["settings"]["Tagging"]["TagSet"][0]["Value"], "one");
    let keys: Vec<&String> = here["s3"]["object"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3, "the rows of two tables, and one result: {keys:?}");
    let ids = admin.ask("athena", "ListQueryExecutions", json!({}));
    assert_eq!(
        ids["QueryExecutionIds"].as_array().unwrap().len(),
        1,
        "the seed's own are not shown"
    );
    let broken = BEGUN.replace("FROM raw", "FROM nothing");
    let spec = piton_sandbox::WorldSpec::parse(&broken).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    let error = piton_sandbox::Sandbox::open(&path, &spec, support::START).unwrap_err();
    assert!(error.to_string().contains("TABLE_NOT_FOUND"), "{error}");
}

const ACROSS: &str = r#"
organisation = true

[[people]]
alias = "producer"
administrator = true

[[people]]
alias = "consumer"
account = "consumer"
administrator = true

[[buckets]]
name = "lake"

[[buckets]]
name = "results"
account = "consumer"

[[glue_databases]]
name = "pub"
location = "s3://lake/pub"
sql = ["CREATE TABLE sales AS SELECT 1 AS id, 'one' AS note UNION ALL SELECT 2, 'two'"]
"#;

/// Grants SELECT on the producer's table, and only that.
fn grants(client: &Client, operation: &str, to: &str) {
    let resource =
        json!({"Table": {"CatalogId": "111111111111", "DatabaseName": "pub", "Name": "sales"}});
    let principal = json!({"DataLakePrincipalIdentifier": to});
    let permissions = json!(["SELECT", "DESCRIBE"]);
    client.ask(
        "lakeformation",
        operation,
        json!({"Principal": principal, "Resource": resource, "Permissions": permissions}),
    );
}

#[test]
fn a_table_of_another_account_is_read_through_a_link_once_it_is_granted() {
    let bench = Bench::from_toml(ACROSS);
    let (producer, consumer) = (bench.client("producer"), bench.client("consumer"));
    consumer.ask("glue", "CreateDatabase", json!({"DatabaseInput": {"Name": "sales"}}));
    let link = json!({"DatabaseName": "sales", "TableInput": {"Name": "link", "TargetTable": {
        "CatalogId": "111111111111", "DatabaseName": "pub", "Name": "sales"}}});
    consumer.ask("glue", "CreateTable", link);
    let select = "SELECT id, note FROM link ORDER BY id";
    assert_eq!(
        reason(&bench, &consumer, select),
        "Insufficient Lake Formation permission(s): Required Describe on sales"
    );
    let user = "arn:aws:iam::222222222222:user/consumer";
    let own = json!([{"DataLakePrincipalIdentifier": "arn:aws:iam::111111111111:user/producer"}]);
    let settings = json!({"DataLakeSettings": {"DataLakeAdmins": own}});
    producer.ask("lakeformation", "PutDataLakeSettings", settings);
    grants(&producer, "GrantPermissions", user);
    bench.sandbox.advance(Duration::seconds(10)).unwrap();
    // The objects are the producer's: nobody else reads them unless Lake Formation has them in hand.
    assert!(
        reason(&bench, &consumer, select)
            .starts_with("Permission denied on S3 path: s3://lake/pub/")
    );
    let register = json!({"ResourceArn": "arn:aws:s3:::lake/pub", "UseServiceLinkedRole": true});
    producer.ask("lakeformation", "RegisterResource", register);
    assert_eq!(selected(&bench, &consumer, select), [["1", "one"], ["2", "two"]]);
    grants(&producer, "RevokePermissions", user);
    assert!(
        reason(&bench, &consumer, select).starts_with("Insufficient Lake Formation permission(s)")
    );
    producer.ask("glue", "DeleteTable", json!({"DatabaseName": "pub", "Name": "sales"}));
    assert!(reason(&bench, &consumer, select).contains("is a link to 'pub.sales'"));
}
