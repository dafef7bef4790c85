//! Worlds in memory: copies, and when two of them are the same.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::sync::Arc;

use piton_sandbox::{Sandbox, WorldSpec};
use serde_json::json;
use support::{Bench, Client, START};
use time::Duration;

/// A client of the administrator of a world without a file, in which calls take no time.
fn admin(sandbox: Sandbox) -> Client {
    let sandbox = Arc::new(sandbox.instant());
    let person = sandbox.person("admin").unwrap();
    Client::of(&sandbox, &person)
}

fn first() -> Client {
    admin(Sandbox::in_memory(&WorldSpec::built_in(), START).unwrap())
}

fn copy_of(client: &Client) -> Client {
    admin(Sandbox::from_image(&client.sandbox.image().unwrap()).unwrap())
}

#[test]
fn a_copy_is_the_same_world_until_something_is_done_in_it() {
    let first = first();
    first.ask("iam", "CreateUser", json!({"UserName": "ann"}));
    let copy = copy_of(&first);
    assert_eq!(copy.sandbox.dump().unwrap(), first.sandbox.dump().unwrap());
    assert_eq!(copy.sandbox.fingerprint().unwrap(), first.sandbox.fingerprint().unwrap());
    copy.ask("iam", "CreateUser", json!({"UserName": "bob"}));
    assert_ne!(copy.sandbox.fingerprint().unwrap(), first.sandbox.fingerprint().unwrap());
    first.refused("iam", "GetUser", json!({"UserName": "bob"}));
    // The same call in the other one: the same ids, the same world.
    first.ask("iam", "CreateUser", json!({"UserName": "bob"}));
    assert_eq!(copy.sandbox.fingerprint().unwrap(), first.sandbox.fingerprint().unwrap());
}

#[test]
fn looking_changes_no_world_and_waiting_does() {
    let client = first();
    let before = client.sandbox.fingerprint().unwrap();
    client.ask("iam", "ListUsers", json!({}));
    client.ask("sts", "GetSessionToken", json!({}));
    assert_eq!(client.sandbox.fingerprint().unwrap(), before);
    assert_eq!(client.sandbox.log_after(1).unwrap().len(), 1);
    client.sandbox.advance(Duration::seconds(1)).unwrap();
    assert_ne!(client.sandbox.fingerprint().unwrap(), before);
}

#[test]
fn rows_of_a_warehouse_count() {
    let client = first();
    let run = |client: &Client, sql: &str| {
        let input = json!({
            "Sql": sql, "ClusterIdentifier": "redshift-cluster-1", "Database": "dev",
            "DbUser": "awsuser",
        });
        client.ask("redshift_data", "ExecuteStatement", input);
        client.sandbox.advance(Duration::minutes(1)).unwrap();
    };
    run(&client, "CREATE TABLE t (n INTEGER)");
    let other = copy_of(&client);
    run(&client, "INSERT INTO t VALUES (1)");
    run(&other, "INSERT INTO t VALUES (2)");
    assert_ne!(client.sandbox.fingerprint().unwrap(), other.sandbox.fingerprint().unwrap());
}

#[test]
fn a_world_with_a_file_is_copied_and_stays() {
    let bench = Bench::empty();
    bench.client("admin").ask("iam", "CreateUser", json!({"UserName": "ann"}));
    let copy = admin(Sandbox::from_image(&bench.sandbox.image().unwrap()).unwrap());
    assert_eq!(copy.sandbox.dump().unwrap(), bench.sandbox.dump().unwrap());
    copy.ask("iam", "DeleteUser", json!({"UserName": "ann"}));
    bench.client("admin").ask("iam", "GetUser", json!({"UserName": "ann"}));
}

#[test]
fn other_bytes_are_no_world() {
    assert!(Sandbox::from_image(b"no database at all").is_err());
    assert!(Sandbox::from_image(&[]).is_err());
}
