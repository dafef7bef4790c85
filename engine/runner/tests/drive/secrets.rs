//! Secrets: none of them reaches a file or a message, and calls still get them.

use piton_core::status::RunStatus;
use serde_json::json;

use crate::support::{Home, Trouble, start};

const SCRIPT: &str = r##"
runbook(#{ title: "secrets", accounts: #{ admin: #{ doc: "a" }, carol: #{ doc: "c" } },
    params: #{ password: #{ type: "secret", doc: "p" } } });
let sm = aws("admin").secretsmanager;
let drawn = random_password(#{ length: 24 });
sm.create_secret(#{ Name: "one", SecretString: to_json(#{ username: "u", password: params.password }) });
sm.create_secret(#{ Name: "two", SecretString: drawn });
sm.create_secret(#{ Name: "three", SecretString: "written-in-the-script" });
let fetched = sm.get_secret_value(#{ SecretId: "one" });
note(`the password is ${params.password} and ${fetched.SecretString}`);
approve("go", #{ from: ["carol"], show: #{ password: "none" } });
sm.create_secret(#{ Name: "four", SecretString: fetched.SecretString });
sm.create_secret(#{ Name: "five", SecretString: drawn });
"##;

#[test]
fn secrets_reach_aws_and_nothing_else() {
    let home = Home::new();
    let given = [("password", json!("canary-password-1"))];
    let (run, driven) = start(&home.process(), SCRIPT, &given);
    let driven = driven.unwrap();
    assert_eq!(driven.end.status, RunStatus::Suspended, "{:?}", driven.end.error);
    home.decide(&run, "carol", piton_core::gate::Verdict::Approve).unwrap();
    let end = home.resume(&run).end;
    assert_eq!(end.status, RunStatus::Succeeded, "{:?}", end.error);

    let sent: Vec<String> = home
        .cloud
        .received
        .lock()
        .unwrap()
        .iter()
        .filter(|call| call.operation == "create_secret")
        .map(|call| call.input["SecretString"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sent[0], r#"{"password":"canary-password-1","username":"u"}"#);
    assert_eq!(sent[1].chars().count(), 24);
    assert_eq!(sent[1], sent[4], "a password is the same after a resume");
    assert_eq!(sent[2], "written-in-the-script");
    assert_eq!(sent[3], "fetched-secret", "credentials are fetched again");

    let bytes = home.bytes();
    for canary in ["canary-password-1", "fetched-secret", sent[1].as_str()] {
        let hit = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!hit, "`{canary}` is in a file of the home");
    }
    for stored in home.entries(&run) {
        assert!(!stored.text.contains("written-in-the-script"), "{}", stored.text);
    }
}

#[test]
fn an_error_that_echoes_its_input_is_masked() {
    let home = Home::new();
    home.cloud.trouble("create_secret", Trouble::Refuse("InvalidRequestException"));
    let given = [("password", json!("canary-password-2"))];
    let (run, driven) = start(&home.process(), SCRIPT, &given);
    let error = driven.unwrap().end.error.unwrap();
    assert!(error.message.contains("InvalidRequestException"), "{}", error.message);
    assert!(!error.message.contains("canary"), "{}", error.message);
    assert!(home.entries(&run).iter().all(|stored| !stored.text.contains("canary")));
}
