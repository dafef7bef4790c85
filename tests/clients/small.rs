//! Piton itself as a client: the SDK over real HTTP, with credentials from profiles.

use serde_json::json;

use super::served::Served;
use crate::support::TestEnv;

fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}.rhai", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_run_over_http_ends_as_one_inside_the_process() {
    let inside = TestEnv::new();
    let rehearsed = inside.piton(&["run", &script("small"), "--sandbox", "--json"]).exits(0);
    let rehearsed = inside.piton(&["show", &rehearsed.run(), "--json"]).exits(0).json();

    let served = Served::start(None, "1000");
    let client = served.client();
    let sent = client.piton(&["run", &script("small"), "--yes", "--json"]).exits(0);
    let sent = client.piton(&["show", &sent.run(), "--json"]).exits(0).json();

    assert_eq!(sent["outputs"], rehearsed["outputs"]);
    assert_eq!(sent["outputs"]["rows"], json!([{"one": 1, "two": "zwölf"}]));
    let (names, passed): (Vec<_>, Vec<_>) = served
        .log()
        .iter()
        .filter(|call| call["effect"] == true)
        .map(|call| (call["operation"].clone(), call["status"].clone()))
        .unzip();
    assert_eq!(names, ["CreateRole", "CreateSecret", "CreateDomain", "ExecuteStatement"]);
    assert_eq!(passed, [200, 200, 201, 200]);
}

#[test]
fn the_wrong_key_suspends_and_the_right_one_goes_on() {
    let served = Served::start(None, "1000");
    let client = served.client();
    let keys = client.folder().join(".aws/credentials");
    let right = std::fs::read_to_string(&keys).unwrap();
    std::fs::write(&keys, right.replace(&served.key("admin"), "AKIAIOSFODNN7EXAMPLE")).unwrap();
    let suspended = client.piton(&["run", &script("small"), "--yes", "--json"]).exits(3);
    assert_eq!(suspended.end()["waiting_for"][0]["kind"], "credentials");
    std::fs::write(&keys, right).unwrap();
    client.piton(&["resume", &suspended.run(), "--json"]).exits(0);
}
