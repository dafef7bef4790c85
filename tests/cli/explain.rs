//! `piton explain`: what it says to people, and the forms that programs rely on.

use serde_json::{Value, json};

use crate::support::TestEnv;

fn explained(arguments: &[&str]) -> Value {
    let mut words = vec!["explain"];
    words.extend(arguments);
    words.push("--json");
    TestEnv::new().piton(&words).exits(0).json()
}

fn page(arguments: &[&str]) -> String {
    let mut words = vec!["explain"];
    words.extend(arguments);
    TestEnv::new().piton(&words).exits(0).stdout
}

#[track_caller]
fn member<'a>(members: &'a Value, name: &str) -> &'a Value {
    let found = members.as_array().unwrap().iter().find(|member| member["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {members}"))
}

#[test]
fn services_are_listed_with_their_counts() {
    let view = explained(&[]);
    let services = view["services"].as_array().unwrap();
    assert_eq!(services.len(), 11);
    for row in services {
        let members: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(members, ["left_out", "operations", "sdk", "service"]);
        assert!(row["operations"].as_u64().unwrap() > 5, "{row}");
    }
    let total: u64 = services.iter().map(|row| row["operations"].as_u64().unwrap()).sum();
    assert!(total >= 1_100, "{total} operations are bound");
    assert!(page(&[]).contains(&format!("{total} operations of 11 services")));
}

#[test]
fn what_is_left_out_is_said_with_the_crate_that_lacks_it() {
    let glue = explained(&["glue"]);
    let sdk = glue["sdk"].as_str().unwrap();
    assert!(sdk.starts_with("aws-sdk-glue 1."), "{sdk}");
    for text in [page(&[]), page(&["glue"])] {
        let line = text.lines().find(|line| line.contains(sdk)).unwrap_or_default();
        assert!(text.contains("not yet in this version of the SDK's crate"), "{text}");
        assert!(line.contains("DataQualityResult"), "{line}");
    }
    assert!(!page(&["sts"]).contains("Left out"), "nothing is left out of sts");
}

#[test]
fn a_service_lists_its_operations_with_class_and_inverse() {
    let view = explained(&["datazone"]);
    let operations = view["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 195);
    let create = operations.iter().find(|row| row["operation"] == "create_project").unwrap();
    assert_eq!(
        *create,
        json!({
            "service": "datazone", "operation": "create_project", "aws_name": "CreateProject",
            "class": "natural_key", "pages": false, "inverse": "delete_project",
        })
    );
    let text = page(&["datazone"]);
    let line = text.lines().find(|line| line.starts_with("create_project ")).unwrap();
    assert!(line.contains("natural_key") && line.ends_with("delete_project"), "{line}");
}

#[test]
fn an_operation_has_members_with_their_constraints() {
    let view = explained(&["datazone.create_project"]);
    let name = member(&view["input"], "name");
    assert_eq!((&name["type"], &name["required"]), (&json!("string"), &json!(true)));
    assert_eq!((&name["min"], &name["max"]), (&json!(1.0), &json!(64.0)));
    assert!(name["pattern"].is_string());
    assert_eq!(member(&view["input"], "description")["required"], false);
    let status = member(&view["output"], "projectStatus");
    assert!(status["enum"].as_array().unwrap().contains(&json!("ACTIVE")));
    let errors = view["errors"].as_array().unwrap();
    assert!(
        errors.contains(&json!({"code": "ConflictException", "http_status": 409})),
        "{errors:?}"
    );
}

#[test]
fn an_operation_has_what_the_catalogue_knows() {
    let view = explained(&["datazone.create_project"]);
    assert_eq!(view["class"], "natural_key");
    assert!(view["why"].is_string());
    assert_eq!((&view["token"], &view["token_counts_for"]), (&Value::Null, &Value::Null));
    assert_eq!(explained(&["datazone.create_domain"])["token_counts_for"], "1h");
    assert_eq!(explained(&["secretsmanager.create_secret"])["token_counts_for"], "for good");
    assert_eq!(view["natural_key"], json!(["domainIdentifier", "name"]));
    assert_eq!(view["found_by"], "list_projects_all");
    assert_eq!(view["inverse"]["operation"], "delete_project");
    assert_eq!(view["inverse"]["input"]["identifier"], "$output.id");
    assert_eq!(view["irreversible"], Value::Null);
    assert_eq!(view["states"]["read"], "get_project");
    assert_eq!(view["states"]["ok"], json!(["ACTIVE"]));
    let query = explained(&["athena.start_query_execution"]);
    assert_eq!((&query["class"], &query["token"]), (&json!("token"), &json!("ClientRequestToken")));
    assert!(query["irreversible"].is_string());
    let share = explained(&["ram.create_resource_share"]);
    assert_eq!(share["token"], "clientToken");
}

#[test]
fn a_page_is_aligned_wrapped_and_plain_without_a_terminal() {
    let text = page(&["datazone.create_project"]);
    for part in [
        "datazone.create_project (CreateProject)",
        "natural key   domainIdentifier, name; looked up by list_projects_all",
        "taken back by delete_project",
        "string, required, 1 to 64 characters, pattern",
        "\nTo paste\n  let input = #{\n",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours without a terminal");
    let types: Vec<usize> = ["domainIdentifier", "name", "description"]
        .map(|name| {
            let start = format!("  {name} ");
            let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
            line.find("string").unwrap()
        })
        .to_vec();
    assert!(types.iter().all(|column| *column == types[0]), "{types:?}\n{text}");
    let long =
        text.lines().filter(|line| line.chars().count() > 100 && line.contains(", ")).count();
    assert_eq!(long, 0, "{text}");
}

#[test]
fn a_snippet_is_what_a_runbook_needs() {
    let snippet = explained(&["datazone.create_project"])["snippet"].clone();
    assert_eq!(
        snippet.as_str().unwrap(),
        r##"let input = #{
    domainIdentifier: "...",
    name: "...",
};
let answer = aws("admin").datazone.create_project(input);
wait_until("create_project", || aws("admin").datazone.get_project(#{
    domainIdentifier: input.domainIdentifier,
    identifier: answer.id,
}), #{
    path: "projectStatus",
    ok: ["ACTIVE"],
    fail: ["UPDATE_FAILED", "DELETE_FAILED"],
    every: "15s", give_up: "30m",
});
"##
    );
    let plain = explained(&["sts.get_caller_identity"])["snippet"].clone();
    assert_eq!(plain, "let answer = aws(\"admin\").sts.get_caller_identity(#{});\n");
}

#[test]
fn words_find_operations_best_first() {
    let names = |view: &Value| -> Vec<String> {
        let rows = view["operations"].as_array().unwrap();
        rows.iter()
            .map(|row| {
                format!(
                    "{}.{}",
                    row["service"].as_str().unwrap(),
                    row["operation"].as_str().unwrap()
                )
            })
            .collect()
    };
    let searched = explained(&["--search", "subscription grant"]);
    assert_eq!(searched["search"], "subscription grant");
    let found = names(&searched);
    for wanted in [
        "datazone.get_subscription_grant",
        "datazone.create_subscription_grant",
        "datazone.list_subscription_grants",
    ] {
        assert!(
            found[..5].contains(&wanted.to_owned()),
            "{wanted} is not among the first: {found:?}"
        );
    }
    // Words that are no name are searched for without being told to.
    assert_eq!(names(&explained(&["subscription", "grant"])), found);
    assert!(names(&explained(&["resize"])).contains(&"redshift.resize_cluster".to_owned()));
    assert!(page(&["--search", "subscription grant"]).starts_with("OPERATION"));
}

#[test]
fn an_operation_is_found_without_its_service() {
    let view = explained(&["create_resource_share"]);
    assert_eq!(view["service"], "ram");
    assert_eq!(explained(&["datazone.CreateProject"])["operation"], "create_project");
    assert_eq!(explained(&["datazone.list_projects_all"])["operation"], "list_projects");
    let several = explained(&["tag_resource"]);
    assert!(several["operations"].as_array().unwrap().len() > 3);
}

#[test]
fn a_misspelt_name_is_answered_with_the_one_that_was_meant() {
    let env = TestEnv::new();
    for (wrong, hint) in [
        ("datazone.create_projet", "did you mean `create_project`?"),
        ("datazon", "did you mean `datazone`?"),
        ("datazon.create_project", "did you mean `datazone`?"),
        ("create_projct", "did you mean `create_project`?"),
        ("datazone.create_role", "`create_role` is an operation of iam"),
    ] {
        let answer = env.piton(&["explain", wrong]).exits(2);
        assert!(answer.stderr.contains(hint), "{wrong}:\n{}", answer.stderr);
        assert_eq!(answer.stdout, "");
    }
    let nothing = env.piton(&["explain", "--search", "xyzzy plugh"]).exits(2);
    assert!(nothing.stderr.contains("no operation has to do with `xyzzy plugh`"));
}
