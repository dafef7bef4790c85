//! The reviewed table, and searches for calls in doubt.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use piton_core::catalogue::{self, Class, Found, ModelFacts};
use piton_core::time::Timestamp;
use serde_json::json;

fn sent_at() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

#[test]
fn every_reviewed_operation_has_a_class_and_natural_keys_have_a_search() {
    let mut count = 0;
    for operation in catalogue::reviewed_operations() {
        let (service, name) = operation.split_once('.').unwrap();
        let reviewed = catalogue::reviewed(service, name).unwrap();
        assert_eq!(reviewed.class == Class::NaturalKey, reviewed.find.is_some(), "{operation}");
        count += 1;
    }
    assert!(count > 60);
}

#[test]
fn the_table_goes_before_the_model_and_the_model_before_a_guess() {
    let token = ModelFacts { has_token: true, ..ModelFacts::default() };
    let idempotent = ModelFacts { idempotent: true, ..ModelFacts::default() };
    let nothing = ModelFacts::default();
    assert_eq!(catalogue::class("datazone", "create_project", token), Class::NaturalKey);
    assert_eq!(catalogue::class("datazone", "create_domain", token), Class::Token);
    assert_eq!(catalogue::class("datazone", "delete_listing", idempotent), Class::Put);
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
