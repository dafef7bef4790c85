//! What takes a run back: which calls are in the plan, in which order, and what stays.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use piton_core::account::AccountRef;
use piton_core::canonical::Digest;
use piton_core::catalogue::{Class, Standing};
use piton_core::compensation::{Ledger, Origin, Plan};
use piton_core::entry::{
    Before, Body, CallResult, Entry, Intent, Outcome, Read, Settled, Settlement, StoredEntry, Undo,
};
use piton_core::key::Key;
use piton_core::ports::{AwsError, RunId};
use piton_core::time::{Span, Timestamp};
use serde_json::{Value, json};

/// A journal that grows call by call.
#[derive(Default)]
struct Story {
    entries: Vec<StoredEntry>,
}

fn admin() -> AccountRef {
    AccountRef::alias("admin")
}

fn at(seq: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + i64::try_from(seq).unwrap() * 1000)
}

impl Story {
    fn push(&mut self, key: &str, body: Body) {
        let seq = self.entries.len() as u64 + 1;
        let text = body.encode();
        let entry = Entry { key: Some(Key::from_text(key)), at: at(seq), body };
        self.entries.push(StoredEntry { seq, hash: Digest::of(b""), entry, text });
    }

    fn sends(mut self, key: &str, call: &str, input: Value, before: Option<Before>) -> Self {
        let (service, operation) = call.split_once('.').unwrap();
        let class = Class::Put;
        let intent = Intent {
            service: service.to_owned(),
            operation: operation.to_owned(),
            account: admin(),
            class,
            input,
            token: None,
            attempt: 1,
            before,
        };
        self.push(key, Body::Intent(intent));
        self
    }

    fn answers(mut self, key: &str, result: CallResult, adopted: bool) -> Self {
        let outcome = Outcome {
            read: None,
            attempt: 1,
            result,
            took: Span::from_millis(1),
            request_id: None,
            adopted,
        };
        self.push(key, Body::Outcome(outcome));
        self
    }

    fn does(self, key: &str, call: &str, input: Value, output: Value) -> Self {
        self.sends(key, call, input, None).answers(key, CallResult::Value(output), false)
    }

    fn replaces(self, key: &str, call: &str, input: Value, before: Before) -> Self {
        self.sends(key, call, input, Some(before)).answers(key, CallResult::Value(json!({})), false)
    }

    fn reads(mut self, key: &str, call: &str, input: Value, answer: Value) -> Self {
        let (service, operation) = call.split_once('.').unwrap();
        let read = Read {
            service: service.to_owned(),
            operation: operation.to_owned(),
            account: admin(),
            input,
        };
        let outcome = Outcome {
            read: Some(read),
            attempt: 1,
            result: CallResult::Value(answer),
            took: Span::from_millis(1),
            request_id: None,
            adopted: false,
        };
        self.push(key, Body::Outcome(outcome));
        self
    }

    fn undoes(mut self, of: &str, call: &str, input: Value) -> Self {
        let (service, operation) = call.split_once('.').unwrap();
        let read = Read {
            service: service.to_owned(),
            operation: operation.to_owned(),
            account: admin(),
            input,
        };
        self.push(of, Body::Undo(Undo { of: Key::from_text(of), calls: vec![read] }));
        self
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::new(RunId("source".to_owned()));
        self.entries.iter().for_each(|stored| ledger.take(stored));
        ledger
    }

    fn plan(&self) -> Plan {
        self.ledger().plan()
    }
}

/// The calls of a plan in order, with their inputs.
fn calls(plan: &Plan) -> Vec<(String, Value)> {
    let all = plan.items.iter().flat_map(|item| &item.calls);
    all.map(|call| {
        (format!("{}.{}", call.service, call.inverse.operation), call.inverse.input.clone())
    })
    .collect()
}

fn names(plan: &Plan) -> Vec<String> {
    calls(plan).into_iter().map(|(name, _)| name).collect()
}

fn there(value: Value) -> Before {
    Before::There { value }
}

#[test]
fn what_was_made_last_goes_first_and_roles_go_last() {
    let domain = json!({"domainIdentifier": "dzd-1", "name": "sales"});
    let plan = Story::default()
        .does("#0", "datazone.create_project", domain.clone(), json!({"id": "p1"}))
        .does("#1", "iam.create_role", json!({"RoleName": "R"}), json!({"Role": {"RoleName": "R"}}))
        .does("#2", "datazone.create_environment_profile", domain, json!({"id": "e1"}))
        .plan();
    let wanted =
        ["datazone.delete_environment_profile", "datazone.delete_project", "iam.delete_role"];
    assert_eq!(names(&plan), wanted);
    assert_eq!(plan.items[1].what, "project sales");
    assert_eq!(calls(&plan)[1].1, json!({"domainIdentifier": "dzd-1", "identifier": "p1"}));
    assert!(plan.stays.is_empty());
}

#[test]
fn what_the_script_said_goes_before_the_table() {
    let input = json!({"domainIdentifier": "dzd-1", "name": "sales"});
    let mine = json!({"domainIdentifier": "dzd-1", "identifier": "p1", "skipDeletionCheck": true});
    let plan = Story::default()
        .does("#0", "datazone.create_project", input, json!({"id": "p1"}))
        .undoes("#0", "datazone.delete_project", mine.clone())
        .plan();
    assert_eq!(calls(&plan), [("datazone.delete_project".to_owned(), mine)]);
    assert!(plan.items[0].by_script);
    assert!(plan.items[0].calls[0].states.is_some(), "its states are waited for all the same");
}

#[test]
fn a_put_is_taken_back_to_what_was_there_before() {
    let key = json!({"RoleName": "R", "PolicyName": "P"});
    let put = json!({"RoleName": "R", "PolicyName": "P", "PolicyDocument": "{\"a\":1}"});
    let new = Story::default().replaces("#0", "iam.put_role_policy", put.clone(), Before::Absent);
    assert_eq!(calls(&new.plan()), [("iam.delete_role_policy".to_owned(), key)]);
    // AWS shows a policy encoded as in a URL, and takes it plain.
    let was = there(json!({"PolicyDocument": "%7B%22a%22%3A0%7D"}));
    let old = Story::default().replaces("#0", "iam.put_role_policy", put.clone(), was);
    let back = json!({"RoleName": "R", "PolicyName": "P", "PolicyDocument": "{\"a\":0}"});
    assert_eq!(calls(&old.plan()), [("iam.put_role_policy".to_owned(), back)]);
    let error = AwsError {
        service: "iam".to_owned(),
        operation: "get_role_policy".to_owned(),
        code: "AccessDenied".to_owned(),
        message: "no".to_owned(),
        http_status: Some(403),
        request_id: None,
        retryable: false,
    };
    let unseen = Before::Unknown { error };
    let plan = Story::default().replaces("#0", "iam.put_role_policy", put, unseen).plan();
    assert!(plan.items.is_empty());
    assert!(plan.stays[0].why.contains("what was there before is not known"), "{:?}", plan.stays);
}

#[test]
fn tags_that_were_there_come_back_and_new_ones_go() {
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let input = json!({"SecretId": "s", "Tags": [tag("new", "1"), tag("old", "2")]});
    let before = there(json!({"Name": "s", "Tags": [tag("old", "1"), tag("other", "3")]}));
    let plan = Story::default().replaces("#0", "secretsmanager.tag_resource", input, before).plan();
    let wanted = [
        (
            "secretsmanager.tag_resource".to_owned(),
            json!({"SecretId": "s", "Tags": [tag("old", "1")]}),
        ),
        ("secretsmanager.untag_resource".to_owned(), json!({"SecretId": "s", "TagKeys": ["new"]})),
    ];
    assert_eq!(calls(&plan), wanted);
}

#[test]
fn what_was_attached_before_stays_attached() {
    let input = json!({"RoleName": "R", "PolicyArn": "arn:aws:iam::aws:policy/P"});
    let before = there(json!({"PolicyArn": "arn:aws:iam::aws:policy/P"}));
    let plan = Story::default()
        .replaces("#0", "iam.attach_role_policy", input.clone(), before)
        .replaces("#1", "iam.attach_role_policy", input, Before::Absent)
        .plan();
    assert_eq!(names(&plan), ["iam.detach_role_policy"]);
    assert_eq!(plan.items[0].key.as_str(), "#1");
}

#[test]
fn administrators_that_the_run_added_are_taken_out_of_what_is_there_then() {
    let admins = |names: &[&str]| -> Value {
        names.iter().map(|name| json!({"DataLakePrincipalIdentifier": name})).collect()
    };
    let settings = |names: &[&str]| json!({"DataLakeSettings": {"DataLakeAdmins": admins(names)}});
    let put = settings(&["old", "ours"]);
    let plan = Story::default()
        .replaces("#0", "lakeformation.put_data_lake_settings", put, there(settings(&["old"])))
        .plan();
    let back = &plan.items[0].calls[0].inverse;
    assert_eq!(back.each.as_ref().unwrap().operation, "get_data_lake_settings");
    let now = settings(&["old", "ours", "theirs"]);
    assert_eq!(back.input_for(&now), settings(&["old", "theirs"]));
}

#[test]
fn a_refused_a_skipped_and_a_removed_call_leave_nothing_to_take_back() {
    let error = AwsError {
        service: "iam".to_owned(),
        operation: "create_role".to_owned(),
        code: "EntityAlreadyExists".to_owned(),
        message: "there".to_owned(),
        http_status: Some(409),
        request_id: None,
        retryable: false,
    };
    let role = |name: &str| json!({"RoleName": name});
    let mut story = Story::default()
        .sends("#0", "iam.create_role", role("there"), None)
        .answers("#0", CallResult::Error(error), false)
        .sends("#1", "iam.create_role", role("skipped"), None);
    let settled = Settled::by_engine(Settlement::Skip, "no");
    story.push("#1", Body::Settled(settled));
    let plan = story
        .answers("#1", CallResult::Value(Value::Null), true)
        .does("#2", "iam.create_role", role("short-lived"), json!({"Role": {}}))
        .does("#3", "iam.delete_role", role("short-lived"), json!({}))
        .plan();
    assert!(plan.items.is_empty(), "{:?}", plan.items);
    assert!(plan.stays.is_empty(), "{:?}", plan.stays);
}

#[test]
fn what_was_found_after_a_crash_and_is_older_than_the_call_is_not_ours() {
    let created = |at: &str| json!({"Role": {"RoleName": "R", "CreateDate": at}});
    let found = |at: &str| {
        Story::default()
            .sends("#0", "iam.create_role", json!({"RoleName": "R"}), None)
            .answers("#0", CallResult::Value(created(at)), true)
            .plan()
    };
    assert_eq!(names(&found("2026-01-01T00:00:02Z")), ["iam.delete_role"]);
    let older = found("2025-01-01T00:00:00Z");
    assert!(older.items.is_empty());
    assert!(older.stays[0].why.contains("older than this run"), "{:?}", older.stays);
}

#[test]
fn a_query_changes_nothing_and_other_sql_is_named() {
    let sql = |text: &str| json!({"Sql": text, "Database": "dev", "ClusterIdentifier": "c"});
    let plan = Story::default()
        .does("#0", "redshift_data.execute_statement", sql(" select * from t"), json!({"Id": "1"}))
        .does("#1", "redshift_data.execute_statement", sql("SELECT 1 INTO x"), json!({"Id": "2"}))
        .does("#2", "redshift_data.execute_statement", sql("DROP TABLE t"), json!({"Id": "3"}))
        .plan();
    assert!(plan.items.is_empty());
    let stays: Vec<&str> = plan.stays.iter().map(|stay| stay.key.as_str()).collect();
    assert_eq!(stays, ["#2", "#1"]);
}

#[test]
fn what_has_no_inverse_goes_with_the_domain_that_has_it() {
    let accepted = json!({"domainIdentifier": "dzd-1", "identifier": "a1"});
    let elsewhere = json!({"domainIdentifier": "dzd-2", "identifier": "a2"});
    let plan = Story::default()
        .does("#0", "datazone.create_domain", json!({"name": "d"}), json!({"id": "dzd-1"}))
        .does("#1", "datazone.accept_predictions", accepted, json!({}))
        .does("#2", "datazone.accept_predictions", elsewhere, json!({}))
        .plan();
    let goes: Vec<Option<&str>> = plan.stays.iter().map(|stay| stay.goes_with.as_deref()).collect();
    assert_eq!(goes, [None, Some("domain d")]);
}

#[test]
fn a_call_without_an_outcome_is_a_doubt_and_in_no_plan() {
    let story = Story::default().sends("#0", "iam.create_role", json!({"RoleName": "R"}), None);
    let ledger = story.ledger();
    assert_eq!(ledger.doubts()[0].key.as_str(), "#0");
    assert!(ledger.plan().items.is_empty());
}

#[test]
fn what_was_there_before_the_first_attempt_counts() {
    let input = json!({"RoleName": "R", "PolicyName": "P", "PolicyDocument": "{}"});
    let plan = Story::default()
        .sends("#0", "iam.put_role_policy", input.clone(), Some(Before::Absent))
        .sends("#0", "iam.put_role_policy", input, Some(there(json!({"PolicyDocument": "{}"}))))
        .answers("#0", CallResult::Value(json!({})), false)
        .plan();
    assert_eq!(names(&plan), ["iam.delete_role_policy"]);
}

#[test]
fn a_plan_is_plain_data() {
    let input = json!({"domainIdentifier": "dzd-1", "name": "sales"});
    let plan = Story::default()
        .does("#0", "datazone.create_project", input, json!({"id": "p1", "name": "sales"}))
        .plan();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn things_are_known_by_what_the_run_saw_last() {
    let cluster = |uuid: &str, nodes: u32| {
        json!({"Clusters": [{
            "ClusterIdentifier": "poc", "ClusterNamespaceArn": format!("arn:namespace:{uuid}"),
            "NumberOfNodes": nodes, "ClusterStatus": "available",
        }]})
    };
    let input = json!({"ClusterIdentifier": "poc"});
    let ledger = Story::default()
        .reads("#0", "redshift.describe_clusters", input.clone(), cluster("a", 2))
        .reads("#1", "redshift.describe_clusters", input, cluster("a", 4))
        .ledger();
    let [thing] = ledger.things() else { panic!("{:?}", ledger.things()) };
    assert_eq!((thing.title().as_str(), thing.origin), ("cluster poc", Origin::Found));
    let standing = |answer: Value| thing.thing.standing(&thing.known, &answer);
    assert_eq!(standing(cluster("a", 4)), Standing::Same);
    assert!(matches!(standing(cluster("a", 2)), Standing::Changed { .. }));
    assert!(matches!(standing(cluster("b", 4)), Standing::Replaced { .. }));
    assert_eq!(standing(json!({"Clusters": []})), Standing::Gone);
}

#[test]
fn a_policy_is_the_same_encoded_or_not() {
    let role = |document: &str| json!({"Role": {"RoleName": "R", "RoleId": "AROA1", "AssumeRolePolicyDocument": document}});
    let input = json!({"RoleName": "R", "AssumeRolePolicyDocument": "{\"b\":1, \"a\":[2]}"});
    let ledger = Story::default()
        .does("#0", "iam.create_role", input, role("%7B%22b%22%3A1%2C%22a%22%3A%5B2%5D%7D"))
        .ledger();
    let [thing] = ledger.things() else { panic!("{:?}", ledger.things()) };
    assert_eq!(thing.origin, Origin::Made);
    let standing = |answer: Value| thing.thing.standing(&thing.known, &answer);
    assert_eq!(standing(role("{\"a\":[2],\"b\":1}")), Standing::Same);
    assert!(matches!(standing(role("{\"a\":[3],\"b\":1}")), Standing::Changed { .. }));
}
