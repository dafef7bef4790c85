//! The sandbox as commands: worlds, log, dump, clock, and the door.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::{TestEnv, runbook, text};

#[test]
fn log_and_dump_tell_what_a_rehearsal_did() {
    let env = TestEnv::new();
    env.rehearse("quick", &[]).exits(0);
    let log = env.piton(&["sandbox", "log", "--json"]).exits(0).json();
    let made = log.as_array().unwrap().iter().find(|call| call["operation"] == "CreateRole");
    let made = made.unwrap();
    for member in [
        "seq",
        "at",
        "account",
        "principal",
        "service",
        "operation",
        "mutating",
        "effect",
        "status",
        "error",
        "input",
    ] {
        assert!(made.get(member).is_some(), "{member}");
    }
    assert_eq!(made["service"], "iam");
    assert_eq!(made["effect"], true);
    let dump = env.piton(&["sandbox", "dump", "--json"]).exits(0);
    assert!(dump.json().get("resources").is_some() && dump.json().get("history").is_some());
    assert!(dump.stdout.contains("piton-role"));
    env.piton(&["sandbox", "reset"]).exits(0);
    assert!(!env.piton(&["sandbox", "dump"]).exits(0).stdout.contains("piton-role"));
}

#[test]
fn each_rehearsal_has_a_new_world_unless_one_is_named() {
    let env = TestEnv::new();
    env.rehearse("quick", &[]).exits(0);
    env.rehearse("quick", &[]).exits(0);
    fs_write(
        &env,
        "small.toml",
        "region = \"eu-central-1\"\n[[people]]\nalias = \"admin\"\nadministrator = true\n",
    );
    let script = runbook("quick");
    let run = env.piton(&["run", &script, "--sandbox=small.toml", "--json"]).exits(0).run();
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    let world = text(&shown["world"]);
    assert!(world.starts_with("small-"), "{world}");
    assert_eq!(shown["accounts"][0]["region"], "eu-central-1");
    let again = env.piton(&["run", &script, &format!("--sandbox={world}"), "--json"]).exits(4);
    assert!(text(&again.end()["error"]["message"]).contains("EntityAlreadyExists"));
}

fn fs_write(env: &TestEnv, name: &str, contents: &str) {
    std::fs::write(env.folder().join(name), contents).unwrap();
}

#[test]
fn the_door_announces_itself_and_answers_loopback_names_alone() {
    let env = TestEnv::new();
    let (mut child, mut stdout) = env.spawn(&["sandbox", "serve", "--port", "0", "--json"]);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let announced: Value = serde_json::from_str(&line).unwrap();
    let endpoint = text(&announced["endpoint"]);
    let person = &announced["people"][0];
    for member in ["alias", "account", "arn", "region", "access_key_id", "secret_access_key"] {
        assert!(person[member].is_string(), "{member}");
    }
    let address = endpoint.strip_prefix("http://").unwrap();
    let key = text(&person["access_key_id"]);
    let asked = who_am_i(address, address, &key);
    assert!(asked.starts_with("HTTP/1.1 200"), "{asked}");
    assert!(asked.contains(&text(&person["arn"])), "{asked}");
    let refused = who_am_i(address, "sandbox.example.com", &key);
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// GetCallerIdentity, by hand.
fn who_am_i(address: &str, host: &str, key: &str) -> String {
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/sts/aws4_request, \
         SignedHeaders=host, Signature=00\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_lost_reply_is_a_broken_connection() {
    let env = TestEnv::new();
    fs_write(
        &env,
        "lossy.toml",
        "[[people]]\nalias = \"admin\"\nadministrator = true\n\
         [[faults]]\noperation = \"sts.GetCallerIdentity\"\nkind = \"reply_lost\"\n",
    );
    let (mut child, mut stdout) =
        env.spawn(&["sandbox", "serve", "--world", "lossy.toml", "--port", "0", "--json"]);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let announced: Value = serde_json::from_str(&line).unwrap();
    let endpoint = text(&announced["endpoint"]);
    let address = endpoint.strip_prefix("http://").unwrap();
    let key = text(&announced["people"][0]["access_key_id"]);
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential={key}/20260101/eu-west-1/sts/aws4_request, SignedHeaders=host, \
         Signature=00\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // The end of the stream and a reset both say that the answer never came.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    child.kill().unwrap();
    child.wait().unwrap();
}
