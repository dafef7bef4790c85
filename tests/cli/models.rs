//! Services without a typed client: in the sandbox, and by a model that a person adds.

use std::fs;

use crate::support::{TestEnv, text};

const MODEL: &str = r#"{
  "metadata":{"apiVersion":"2016-11-23","endpointPrefix":"states","protocol":"json","jsonVersion":"1.0",
    "serviceId":"Step Functions","targetPrefix":"AWSStepFunctions"},
  "operations":{"ListThings":{"name":"ListThings","http":{"method":"POST","requestUri":"/"},
    "input":{"shape":"ListThingsInput"}}},
  "shapes":{"ListThingsInput":{"type":"structure","members":{"prefix":{"shape":"Text"}}},
    "Text":{"type":"string"}}
}
"#;

fn script(env: &TestEnv, call: &str) -> String {
    let path = env.folder().join("mine.rhai");
    let accounts = "#{ admin: #{ doc: \"the one who calls\" } }";
    let script = format!("runbook(#{{ title: \"Mine\", accounts: {accounts} }});\n{call}\n");
    fs::write(&path, script).unwrap();
    path.display().to_string()
}

#[test]
fn the_sandbox_says_by_name_what_it_does_not_have() {
    let env = TestEnv::new();
    for (call, name) in [
        (
            "aws(\"admin\").service(\"s3\").list_multipart_uploads(#{ Bucket: \"lake\" });",
            "s3.ListMultipartUploads",
        ),
        ("aws(\"admin\").service(\"kms\").generate_random();", "kms.GenerateRandom"),
        ("aws(\"admin\").service(\"sns\").list_topics();", "sns.ListTopics"),
    ] {
        let path = script(&env, call);
        let end = env.piton(&["run", &path, "--sandbox", "--json"]).exits(4).end();
        let message = text(&end["error"]["message"]);
        let expected = format!("not implemented in the sandbox: {name}");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn further_services_are_reached_in_the_process_by_their_models() {
    let env = TestEnv::new();
    let path = script(
        &env,
        r#"let quotas = aws("admin").service("service_quotas")
               .list_service_quotas_all(#{ ServiceCode: "datazone" });
           output("quotas", quotas.Quotas.len() > 3);
           output("keys", aws("admin").service("kms").list_keys().Keys);
           try {
               aws("admin").service("organizations").describe_organization();
           } catch (e) {
               output("organisation", e.code);
           }
           let trail = aws("admin").service("cloudtrail").lookup_events(#{
               LookupAttributes: [#{ AttributeKey: "EventSource", AttributeValue: "kms.amazonaws.com" }] });
           output("event", trail.Events[0].EventName);"#,
    );
    let run = env.piton(&["run", &path, "--sandbox", "--json"]).exits(0).run();
    let shown = env.piton(&["show", &run, "--json"]).exits(0).json();
    let expected = serde_json::json!({
        "quotas": true, "keys": [], "organisation": "AWSOrganizationsNotInUseException",
        "event": "ListKeys",
    });
    assert_eq!(shown["outputs"], expected);
}

#[test]
fn a_model_is_added_explained_and_checked_against() {
    let env = TestEnv::new();
    let path =
        script(&env, "aws(\"admin\").service(\"step_functions\").list_things(#{ prefx: \"a\" });");
    env.piton(&["run", &path, "--sandbox", "--json"]).exits(2);
    fs::write(env.folder().join("service-2.json"), MODEL).unwrap();
    let added = env.piton(&["models", "add", "service-2.json", "--json"]).exits(0).json();
    assert_eq!(added["service"], "step_functions");
    let explained = env.piton(&["explain", "step_functions", "--json"]).exits(0).json();
    assert_eq!(explained["operations"][0]["operation"], "list_things");
    let refused = env.piton(&["run", &path, "--sandbox", "--json"]).exits(2);
    assert!(refused.stderr.contains("did you mean `prefix`?"), "{}", refused.stderr);

    let model = MODEL.replace("Step Functions", "Glue");
    fs::write(env.folder().join("service-2.json"), model).unwrap();
    let known = env.piton(&["models", "add", "service-2.json"]).exits(2);
    assert!(known.stderr.contains("glue is part of Piton already"), "{}", known.stderr);
}

#[test]
fn a_model_that_is_no_use_is_named_and_can_be_replaced() {
    let env = TestEnv::new();
    fs::create_dir_all(env.home().join("models")).unwrap();
    fs::write(env.home().join("models/step_functions.json"), "{}").unwrap();
    let refused = env.piton(&["explain"]).exits(2);
    assert!(refused.stderr.contains("step_functions.json"), "{}", refused.stderr);
    fs::write(env.folder().join("service-2.json"), MODEL).unwrap();
    env.piton(&["models", "add", "service-2.json"]).exits(0);
    env.piton(&["explain"]).exits(0);
}
