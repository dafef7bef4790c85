//! Models that a person adds: made of botocore's files, read from a folder, refused when they are no use.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;

use piton_models::{AddError, add_folder, assemble, further_services, service};

const SERVICE: &str = r#"{
  "version":"2.0",
  "metadata":{"apiVersion":"2016-11-23","endpointPrefix":"states","protocol":"json","jsonVersion":"1.0",
    "serviceId":"Step Functions","targetPrefix":"AWSStepFunctions"},
  "operations":{"ListThings":{"name":"ListThings","http":{"method":"POST","requestUri":"/"},
    "input":{"shape":"ListThingsInput"},"documentation":"<p>prose</p>"}},
  "shapes":{"ListThingsInput":{"type":"structure","members":{"zeta":{"shape":"Text"},
    "alpha":{"shape":"Text"}}},"Text":{"type":"string"}},
  "documentation":"<p>prose</p>"
}
"#;

#[test]
fn a_model_is_assembled_read_and_found() {
    let file = Path::new("service-2.json");
    let paginators = r#"{"pagination":{"ListThings":{"input_token":"alpha","output_token":"next",
        "result_key":"things"}}}"#;
    let rules = r#"{"version":"1.0","parameters":{},"rules":[]}"#;
    let (name, text) = assemble(file, SERVICE, Some(paginators), Some(rules)).unwrap();
    assert_eq!(name, "step_functions");

    let folder = tempfile::tempdir().unwrap();
    assert!(service("step_functions").is_none());
    fs::write(folder.path().join("step_functions.json"), text).unwrap();
    fs::write(folder.path().join("notes.txt"), "not a model").unwrap();
    add_folder(&folder.path().join("not there")).unwrap();
    add_folder(folder.path()).unwrap();

    assert_eq!(further_services().last(), Some(&"step_functions"));
    let model = service("step_functions").unwrap();
    assert_eq!(model.script_name, "step_functions");
    assert!(model.endpoint_rules.is_some());
    let operation = model.operation_by_script_name("list_things").unwrap();
    assert!(model.paginators.contains_key(&operation.name));
    // The order of members is the model's.
    let members: Vec<_> =
        model.input_shape(operation).unwrap().members.0.iter().map(|(name, _)| &**name).collect();
    assert_eq!(members, ["zeta", "alpha"]);
    assert!(service("s3").is_some());
}

#[test]
fn what_is_no_use_is_refused_with_its_name() {
    let file = Path::new("some/service-2.json");
    let error = assemble(file, "[]", None, None).unwrap_err();
    assert!(error.to_string().starts_with("some/service-2.json: "), "{error}");
    let known = SERVICE.replace("Step Functions", "S3");
    let error = assemble(file, &known, None, None).unwrap_err();
    assert!(matches!(error, AddError::Known(name) if name == "s3"));

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("odd.json"), "{}").unwrap();
    let error = add_folder(folder.path()).unwrap_err();
    assert!(error.to_string().contains("odd.json"), "{error}");
}
