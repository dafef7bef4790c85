//! What a world is made of: the built-in one, and one with tables.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use piton_sandbox::WorldSpec;
use serde_json::json;
use support::Bench;
use time::Duration;

#[test]
fn the_built_in_world_has_an_administrator_and_a_cluster_in_each_account() {
    let bench = Bench::new(&WorldSpec::built_in());
    let people = bench.sandbox.people().unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].alias, "admin");
    assert!(people[0].access_key_id.starts_with("AKIASANDBOX"));
    let answer = bench.client("admin").call("redshift", "DescribeClusters", json!({})).unwrap();
    let cluster = &answer["Clusters"][0];
    assert_eq!(cluster["ClusterStatus"], "available");
    assert_eq!(cluster["Encrypted"], true);
    assert!(cluster["NodeType"].as_str().unwrap().starts_with("ra3."));
    let dump = bench.sandbox.dump().unwrap();
    assert!(dump["resources"]["222222222222"]["eu-west-1"]["redshift"].is_object());
    assert_eq!(dump["history"], json!([]));
    assert_eq!(bench.sandbox.log().unwrap().len(), 1);
}

#[test]
fn a_seeded_cluster_has_its_tables_and_the_dump_their_rows() {
    let text = r#"
        [[people]]
        alias = "admin"
        administrator = true

        [[clusters]]
        identifier = "poc"
        sql = ["CREATE TABLE sales (id int)", "INSERT INTO sales VALUES (1), (2)"]
    "#;
    let bench = Bench::from_toml(text);
    let admin = bench.client("admin");
    let input = json!({
        "ClusterIdentifier": "poc", "Database": "dev", "DbUser": "awsuser",
        "Sql": "SELECT count(*) FROM sales",
    });
    let id = admin.call("redshift_data", "ExecuteStatement", input).unwrap()["Id"].clone();
    bench.sandbox.advance(Duration::minutes(1)).unwrap();
    let result = admin.call("redshift_data", "GetStatementResult", json!({"Id": id})).unwrap();
    assert_eq!(result["Records"][0][0]["longValue"], 2);
    let dump = bench.sandbox.dump().unwrap();
    let warehouses = dump["resources"]["111111111111"]["eu-west-1"]["redshift"]["warehouse"]
        .as_object()
        .unwrap();
    let rows = &warehouses.values().next().unwrap()["rows"]["dev.public.sales"];
    assert_eq!(rows["count"], 2);
}

#[test]
fn a_statement_of_the_seed_that_fails_says_which() {
    let text = "[[clusters]]\nidentifier = \"poc\"\nsql = [\"SELECT * FROM nothing\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let spec = WorldSpec::parse(text).unwrap();
    let refused =
        piton_sandbox::Sandbox::open(&folder.path().join("world.db"), &spec, support::START)
            .unwrap_err();
    let message = refused.to_string();
    assert!(
        message.starts_with("the world cannot be made: poc: SELECT * FROM nothing: "),
        "{message}"
    );
}
