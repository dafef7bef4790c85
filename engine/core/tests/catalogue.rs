//! Classes, searches for calls in doubt, what takes calls back, and states to wait for.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use piton_core::catalogue::{self, Class, Found, ModelFacts, Reviewed, Stage};
use piton_core::time::Timestamp;
use serde_json::json;

fn row(service: &str, operation: &str) -> &'static Reviewed {
    catalogue::reviewed(service, operation).unwrap()
}

fn sent_at() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

#[test]
fn the_table_goes_before_the_model_and_the_model_before_a_guess() {
    let token = ModelFacts { has_token: true, ..ModelFacts::default() };
    let idempotent = ModelFacts { idempotent: true, ..ModelFacts::default() };
    let nothing = ModelFacts::default();
    assert_eq!(catalogue::class("datazone", "create_project", token), Class::NaturalKey);
    assert_eq!(catalogue::class("datazone", "create_domain", token), Class::Token);
    assert_eq!(catalogue::class("elsewhere", "delete_listing", idempotent), Class::Put);
    assert_eq!(catalogue::class("elsewhere", "delete_listing", nothing), Class::Unsafe);
    assert_eq!(catalogue::class("iam", "create_access_key", nothing), Class::Unsafe);
    assert_eq!(catalogue::class("iam", "upload_ssh_public_key", nothing), Class::Unsafe);
    assert_eq!(catalogue::class("iam", "list_roles", nothing), Class::Read);
    assert_eq!(catalogue::class("sts", "assume_role", nothing), Class::Read);
}

#[test]
fn one_thing_of_that_name_made_since_the_call_is_from_the_call() {
    let finder = catalogue::reviewed("datazone", "create_project").unwrap().find.as_ref().unwrap();
    let input = json!({"domainIdentifier": "dzd-1", "name": "sales"});
    assert_eq!(finder.search_input(&input), json!({"domainIdentifier": "dzd-1", "name": "sales"}));
    let project =
        |id: &str, name: &str, created: &str| json!({"id": id, "name": name, "createdAt": created});
    let judge =
        |items: serde_json::Value| finder.judge(&input, &json!({"items": items}), sent_at());
    let ours = project("p1", "sales", "2026-01-01T12:00:01Z");
    assert_eq!(judge(json!([ours.clone()])), Found::One(ours.clone()));
    // The filter of the list may match more than the name itself.
    let longer = project("p2", "sales 2", "2026-01-01T12:00:01Z");
    assert_eq!(judge(json!([ours.clone(), longer])), Found::One(ours.clone()));
    let before = project("p3", "sales", "2025-12-01T00:00:00Z");
    assert_eq!(judge(json!([before])), Found::Nothing);
    let twin = project("p4", "sales", "2026-01-01T12:00:09Z");
    match judge(json!([&ours, twin])) {
        Found::Several(candidates) => {
            let ids: Vec<&str> = candidates.iter().map(|found| found.id.as_str()).collect();
            assert_eq!(ids, ["p1", "p4"]);
        }
        other => panic!("not several: {other:?}"),
    }
    let (operation, then) = finder.then_input(&input, &ours).unwrap();
    assert_eq!(operation, "get_project");
    assert_eq!(then, json!({"domainIdentifier": "dzd-1", "identifier": "p1"}));
}

#[test]
fn a_creation_time_in_epoch_seconds_is_understood() {
    let finder = catalogue::reviewed("iam", "create_role").unwrap().find.as_ref().unwrap();
    let input = json!({"RoleName": "R"});
    let role = |created| json!({"Role": {"RoleName": "R", "Arn": "arn", "CreateDate": created}});
    let new = role(json!(1_767_268_801.5));
    assert_eq!(finder.judge(&input, &new, sent_at()), Found::One(new.clone()));
    assert_eq!(finder.adopted_output(&input, &new), new);
    assert_eq!(finder.judge(&input, &role(json!(1_000_000_000)), sent_at()), Found::Nothing);
}

#[test]
fn an_optional_part_of_the_key_that_the_call_does_not_have_is_not_compared() {
    let found = catalogue::reviewed("datazone", "create_project_membership").unwrap();
    let finder = found.find.as_ref().unwrap();
    let input = json!({
        "domainIdentifier": "dzd-1", "projectIdentifier": "p1", "designation": "PROJECT_OWNER",
        "member": {"userIdentifier": "u1"},
    });
    let member =
        json!({"designation": "PROJECT_OWNER", "memberDetails": {"user": {"userId": "u1"}}});
    let answer = json!({"members": [&member]});
    assert_eq!(finder.judge(&input, &answer, sent_at()), Found::One(member));
}

#[test]
fn what_does_not_say_when_it_was_made_is_for_a_person() {
    let finder = row("redshift", "create_cluster_subnet_group").find.as_ref().unwrap();
    let input = json!({"ClusterSubnetGroupName": "g"});
    let answer = json!({"ClusterSubnetGroups": [{"ClusterSubnetGroupName": "g"}]});
    match finder.judge(&input, &answer, sent_at()) {
        Found::Several(candidates) => assert_eq!(candidates[0].id, "g"),
        other => panic!("adopted without proof: {other:?}"),
    }
    let nothing = json!({"ClusterSubnetGroups": []});
    assert_eq!(finder.judge(&input, &nothing, sent_at()), Found::Nothing);
}

#[test]
fn the_natural_key_is_what_a_search_asks_for_and_compares() {
    let key = |service, operation| row(service, operation).find.as_ref().unwrap().natural_key();
    assert_eq!(key("datazone", "create_project"), ["domainIdentifier", "name"]);
    assert_eq!(key("iam", "create_role"), ["RoleName"]);
    let table = ["CatalogId", "DatabaseName", "TableInput.Name"];
    assert_eq!(key("glue", "create_table"), table);
}

#[test]
fn an_inverse_takes_its_input_from_the_call() {
    let project = row("datazone", "create_project").inverse.as_ref().unwrap();
    let input = json!({"domainIdentifier": "dzd-1", "name": "sales"});
    let (operation, undo) = project.call(&input, &json!({"id": "p1"})).unwrap();
    assert_eq!(operation, "delete_project");
    assert_eq!(undo, json!({"domainIdentifier": "dzd-1", "identifier": "p1"}));
    let attach = row("iam", "attach_role_policy").inverse.as_ref().unwrap();
    let input = json!({"RoleName": "R", "PolicyArn": "arn"});
    assert_eq!(attach.call(&input, &json!({})), Some(("detach_role_policy", input.clone())));
}

#[test]
fn an_inverse_applies_only_where_there_is_something_to_take_back() {
    let change = &row("datazone", "create_listing_change_set").also[0];
    let input = |action: &str| {
        json!({
            "domainIdentifier": "d", "entityIdentifier": "a", "entityType": "ASSET",
            "action": action, "entityRevision": "1",
        })
    };
    let (operation, undo) = change.call(&input("PUBLISH"), &json!({})).unwrap();
    assert_eq!((operation, &undo["action"]), ("create_listing_change_set", &json!("UNPUBLISH")));
    assert_eq!(change.call(&input("UNPUBLISH"), &json!({})), None);
    let delete = row("secretsmanager", "delete_secret").inverse.as_ref().unwrap();
    assert!(delete.call(&json!({"SecretId": "s"}), &json!({})).is_some());
    let for_good = json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true});
    assert_eq!(delete.call(&for_good, &json!({})), None);
}

#[test]
fn states_say_what_an_answer_means() {
    let states = row("datazone", "create_environment").states.as_ref().unwrap();
    let input = json!({"domainIdentifier": "d"});
    let read = states.read_input(&input, &json!({"id": "e"}));
    assert_eq!(read, json!({"domainIdentifier": "d", "identifier": "e"}));
    let stage = |state: &str| states.stage(&json!({"status": state}));
    assert_eq!(stage("ACTIVE"), Stage::Reached);
    assert_eq!(stage("CREATING"), Stage::Underway);
    assert_eq!(stage("CREATE_FAILED"), Stage::Failed);
    assert_eq!(stage("NEW_AT_AWS"), Stage::Unknown);
    assert_eq!(states.stage(&json!({})), Stage::Unknown);
    let deleted = row("datazone", "delete_project").states.as_ref().unwrap();
    assert_eq!(deleted.stage_on_error("ResourceNotFoundException"), Stage::Reached);
    assert_eq!(deleted.stage_on_error("ThrottlingException"), Stage::Unknown);
}

#[test]
fn the_reviewed_token_goes_before_the_flagged_one() {
    let token = catalogue::token_member;
    assert_eq!(token("ram", "create_resource_share", None), Some("clientToken"));
    assert_eq!(token("datazone", "create_domain", Some("clientToken")), Some("clientToken"));
    assert_eq!(token("athena", "delete_named_query", Some("NamedQueryId")), None);
    assert_eq!(token("elsewhere", "create", Some("Token")), Some("Token"));
}

#[test]
fn a_token_is_relied_on_only_as_long_as_it_is_known_to_be_recognised() {
    let window = catalogue::token_window("datazone");
    let lasts = window.lasts().unwrap();
    assert!(window.is_open(sent_at(), sent_at()));
    assert!(!window.is_open(sent_at(), sent_at().after(lasts)));
    // A clock that was set back says nothing about the age of a token.
    let before = Timestamp::from_millis(sent_at().millis() - 3_600_000);
    assert!(!window.is_open(sent_at(), before));
    assert!(!window.source.is_empty());
    let lasting = catalogue::token_window("secretsmanager");
    assert!(lasting.is_open(sent_at(), sent_at().after(lasts).after(lasts)));
    assert_eq!((window.words().as_str(), lasting.words().as_str()), ("1h", "for good"));
}

#[test]
fn a_candidate_is_held_against_what_the_call_asked_for() {
    let finder = row("iam", "create_role").find.as_ref().unwrap();
    let input = json!({
        "RoleName": "R", "Description": "works", "MaxSessionDuration": 3600,
        "AssumeRolePolicyDocument": "{\"Version\": \"2012-10-17\"}", "Tags": [{"Key": "k"}],
    });
    let role = |description: &str, seconds: u32| {
        json!({"Role": {
            "RoleName": "R", "Description": description, "MaxSessionDuration": seconds,
            "AssumeRolePolicyDocument": "%7B%22Version%22%3A%222012-10-17%22%7D",
        }})
    };
    assert_eq!(finder.differences(&input, &role("works", 3600)), []);
    let differences = finder.differences(&input, &role("rests", 7200));
    let fields: Vec<&str> = differences.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["Description", "MaxSessionDuration"]);
    // What AWS does not show cannot differ.
    assert_eq!(finder.differences(&input, &json!({"Role": {"RoleName": "R"}})), []);
}

#[test]
fn a_thing_that_somebody_else_made_is_told_apart() {
    let finder = row("glue", "create_table").find.as_ref().unwrap();
    let by = |arn: &str| json!({"Table": {"Name": "t", "CreatedBy": arn}});
    let role = "arn:aws:sts::1:assumed-role/Engineer/monday";
    let again = "arn:aws:sts::1:assumed-role/Engineer/tuesday";
    assert_eq!(finder.other_creator(&by(role), Some(again)), None);
    assert_eq!(finder.other_creator(&by(role), None), None);
    let other = finder.other_creator(&by("arn:aws:iam::1:user/ann"), Some(role)).unwrap();
    assert_eq!(other.field, "Table.CreatedBy");
}
