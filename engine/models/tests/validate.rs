//! Values against shapes: each kind of problem, its path and its hint, and the filling of answers.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use piton_models::service;
use piton_models::validate::{Problem, ProblemKind, fill_absent, validate};
use serde_json::{Value, json};

fn is_secret(value: &Value) -> bool {
    value.get("$secret").is_some()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better with json! in place")]
fn check(service_name: &str, operation: &str, input: Value) -> Vec<Problem> {
    let model = service(service_name).unwrap();
    let operation = model.operation_by_script_name(operation).unwrap();
    validate(model, &operation.input.as_ref().unwrap().shape, &input, &is_secret)
}

fn one(service: &str, operation: &str, input: Value) -> (String, ProblemKind, Option<String>) {
    let mut problems = check(service, operation, input);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.remove(0);
    (problem.path, problem.kind, problem.hint)
}

#[test]
fn a_correct_input_has_no_problems() {
    let input = json!({
        "domainIdentifier": "dzd_1234", "name": "sales", "description": null,
        "glossaryTerms": ["term1"],
    });
    assert_eq!(check("datazone", "create_project", input), []);
}

#[test]
fn several_problems_are_found_in_one_pass() {
    let problems = check("datazone", "create_project", json!({"nmae": "sales", "description": 3}));
    let found: Vec<_> =
        problems.iter().map(|problem| (problem.path.as_str(), problem.kind)).collect();
    assert!(found.contains(&("nmae", ProblemKind::UnknownMember)));
    assert!(found.contains(&("description", ProblemKind::WrongType)));
    assert!(found.contains(&("domainIdentifier", ProblemKind::MissingMember)));
    // `name` is not missing as well: it is there, misspelt.
    assert_eq!(found.len(), 3);
    let unknown = problems.iter().find(|problem| problem.path == "nmae").unwrap();
    assert_eq!(unknown.hint.as_deref(), Some("did you mean `name`?"));
}

#[test]
fn paths_lead_into_lists_and_maps() {
    let input = json!({
        "RoleName": "reader", "AssumeRolePolicyDocument": "{}",
        "Tags": [{"Key": "a", "Value": 1}],
    });
    let (path, kind, hint) = one("iam", "create_role", input);
    assert_eq!((path.as_str(), kind), ("Tags/0/Value", ProblemKind::WrongType));
    assert_eq!(hint.as_deref(), Some("write \"1\""));
}

#[test]
fn enums_suggest_the_nearest_value() {
    let input = json!({"domainIdentifier": "dzd_1234", "searchScope": "ASET"});
    let (path, kind, hint) = one("datazone", "search", input);
    assert_eq!((path.as_str(), kind), ("searchScope", ProblemKind::NotInEnum));
    assert_eq!(hint.as_deref(), Some("did you mean `ASSET`?"));
}

#[test]
fn patterns_match_the_whole_text() {
    let input = json!({"RoleName": "two words", "AssumeRolePolicyDocument": "{}"});
    let (path, kind, _) = one("iam", "create_role", input);
    assert_eq!((path.as_str(), kind), ("RoleName", ProblemKind::Pattern));
}

#[test]
fn lengths_and_ranges_are_bounded() {
    let long = "x".repeat(65);
    let input = json!({"RoleName": long, "AssumeRolePolicyDocument": "{}"});
    assert_eq!(one("iam", "create_role", input).1, ProblemKind::Length);
    let input = json!({
        "RoleName": "reader", "AssumeRolePolicyDocument": "{}", "MaxSessionDuration": 60,
    });
    assert_eq!(one("iam", "create_role", input).1, ProblemKind::Range);
    let input = json!({"ClusterIdentifier": "poc", "NumberOfNodes": 3_000_000_000_i64});
    assert_eq!(one("redshift", "modify_cluster", input).1, ProblemKind::Range);
}

#[test]
fn unions_take_exactly_one_member() {
    let member = |member: Value| {
        json!({
            "domainIdentifier": "dzd_1234", "projectIdentifier": "abc",
            "designation": "PROJECT_OWNER", "member": member,
        })
    };
    let problems = |value| check("datazone", "create_project_membership", member(value));
    assert_eq!(problems(json!({"userIdentifier": "someone", "groupIdentifier": null})), []);
    assert_eq!(problems(json!({}))[0].kind, ProblemKind::Union);
    let both = problems(json!({"userIdentifier": "someone", "groupIdentifier": "some"}));
    assert_eq!(both[0].kind, ProblemKind::Union);
    let unknown = problems(json!({"userIdentifer": "someone"}));
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].kind, ProblemKind::UnknownMember);
}

#[test]
fn times_are_text_or_seconds() {
    let request = |time: Value| json!({"ClusterIdentifier": "poc", "StartTime": time});
    let problems = |time| check("redshift", "describe_cluster_snapshots", request(time));
    for time in [json!("2026-01-02T03:04:05Z"), json!("2026-01-02T03:04:05.5+01:00"), json!(17)] {
        assert_eq!(problems(time), []);
    }
    for time in [json!("yesterday"), json!("2026-13-02T03:04:05Z"), json!(true)] {
        assert_eq!(problems(time)[0].kind, ProblemKind::WrongType);
    }
}

#[test]
fn blobs_are_base64_or_bytes() {
    let problems = |blob| {
        check("secretsmanager", "put_secret_value", json!({"SecretId": "s", "SecretBinary": blob}))
    };
    assert_eq!(problems(json!("aGVsbG8=")), []);
    assert_eq!(problems(json!([0, 255])), []);
    assert_eq!(problems(json!("not base64"))[0].kind, ProblemKind::WrongType);
    assert_eq!(problems(json!([256]))[0].kind, ProblemKind::WrongType);
}

#[test]
fn a_secret_passes_for_text_and_for_nothing_else() {
    let secret = json!({"$secret": "params.password"});
    let input = json!({"ClusterIdentifier": "poc", "MasterUserPassword": secret});
    assert_eq!(check("redshift", "modify_cluster", input), []);
    let input = json!({"ClusterIdentifier": "poc", "NumberOfNodes": secret});
    assert_eq!(check("redshift", "modify_cluster", input)[0].kind, ProblemKind::WrongType);
}

#[test]
fn a_required_token_is_left_to_the_engine() {
    let input = json!({"Sqls": ["SELECT 1"], "Database": "dev"});
    assert_eq!(check("redshift_data", "batch_execute_statement", input), []);
}

#[test]
fn answers_have_every_member() {
    let model = service("datazone").unwrap();
    let operation = model.operation_by_script_name("list_projects").unwrap();
    let mut answer = json!({"items": [{"id": "abc", "name": "sales"}]});
    fill_absent(model, &operation.output.as_ref().unwrap().shape, &mut answer);
    assert_eq!(answer["nextToken"], Value::Null);
    assert!(answer.as_object().unwrap().contains_key("nextToken"));
    assert!(answer["items"][0].as_object().unwrap().contains_key("description"));
    assert_eq!(answer["items"][0]["name"], "sales");
}

#[test]
fn unions_in_answers_keep_their_one_key() {
    let model = service("datazone").unwrap();
    let operation = model.operation_by_script_name("list_project_memberships").unwrap();
    let mut answer = json!({
        "members": [{"designation": "PROJECT_OWNER", "memberDetails": {"user": {"userId": "u"}}}],
    });
    fill_absent(model, &operation.output.as_ref().unwrap().shape, &mut answer);
    assert_eq!(answer["members"][0]["memberDetails"], json!({"user": {"userId": "u"}}));
}
