//! What holds for every call: tokens, faults, the clock, the log, the dump, several processes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use piton_sandbox::{Fault, ReplyLost, Sandbox, WorldSpec, coverage};
use serde_json::{Value, json};
use support::{Bench, Client, START, open_again};
use time::{Duration, OffsetDateTime};

const TOKEN: &str = "3c1f3e6e-9f3b-4e55-8d9e-000000000001";

fn create_secret(client: &Client, name: &str) -> Result<Value, support::Refused> {
    client.call(
        "secretsmanager",
        "CreateSecret",
        json!({"Name": name, "SecretString": "s3cret", "ClientRequestToken": TOKEN}),
    )
}

#[test]
fn a_repeated_token_answers_the_same_and_does_nothing() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    let first = create_secret(&admin, "one").unwrap();
    assert_eq!(create_secret(&admin, "one").unwrap(), first);
    let (code, ..) = create_secret(&admin, "two").unwrap_err();
    assert_eq!(code, "ResourceExistsException");
    let effects: Vec<bool> = bench.sandbox.log().unwrap().iter().map(|call| call.effect).collect();
    assert_eq!(effects, [true, false, false]);
}

#[test]
fn a_token_is_forgotten_after_a_day_and_makes_a_second_thing_then() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    let share = || {
        let made =
            admin.call("ram", "CreateResourceShare", json!({"name": "s", "clientToken": TOKEN}));
        made.unwrap()["resourceShare"]["resourceShareArn"].clone()
    };
    let first = share();
    bench.sandbox.advance(Duration::hours(23)).unwrap();
    assert_eq!(share(), first);
    bench.sandbox.advance(Duration::hours(2)).unwrap();
    assert_ne!(share(), first);
    // The token of a secret is the id of its version.
    let secret = create_secret(&admin, "one").unwrap();
    bench.sandbox.advance(Duration::days(30)).unwrap();
    assert_eq!(create_secret(&admin, "one").unwrap(), secret);
}

#[test]
fn the_log_has_the_contract_s_members_and_no_secrets() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    create_secret(&admin, "one").unwrap();
    admin.call("secretsmanager", "DescribeSecret", json!({"SecretId": "two"})).unwrap_err();
    let log = serde_json::to_value(bench.sandbox.log().unwrap()).unwrap();
    assert_eq!(
        log[0],
        json!({
            "seq": 1, "at": "2026-03-02T09:00:00.05Z", "account": "111111111111",
            "principal": "arn:aws:iam::111111111111:user/admin", "service": "secretsmanager",
            "operation": "CreateSecret", "mutating": true, "effect": true, "status": 200,
            "error": null, "input": {
                "Name": "one", "SecretString": "[secret]", "ClientRequestToken": TOKEN,
            },
        })
    );
    assert_eq!(log[1]["error"], "ResourceNotFoundException");
    assert_eq!((&log[1]["mutating"], &log[1]["status"]), (&json!(false), &json!(400)));
}

#[test]
fn what_is_not_there_fails_by_name() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    let (code, message, status) =
        admin.call("iam", "ListServerCertificates", json!({})).unwrap_err();
    assert_eq!(code, "NotImplementedInSandbox");
    assert_eq!(message, "not implemented in the sandbox: iam.ListServerCertificates");
    assert_eq!(status, 501);
    let mut request = admin.request("sts", "GetCallerIdentity", &json!({}));
    let header = request.headers()["authorization"].to_str().unwrap().replace("/sts/", "/sns/");
    request.headers_mut().insert("authorization", header.parse().unwrap());
    let response = admin.send(request);
    assert_eq!(response.status(), 501);
    assert!(
        String::from_utf8_lossy(response.body()).contains("not implemented in the sandbox: sns")
    );
    assert_eq!(response.headers()["x-sandbox"], "1");
}

#[test]
fn the_coverage_names_operations_of_the_models_in_order() {
    for (service, operations) in coverage() {
        let model = piton_models::service(service).unwrap();
        assert!(operations.is_sorted(), "{service}");
        for operation in operations {
            assert!(model.operations.contains_key(*operation), "{service}.{operation}");
        }
    }
}

#[test]
fn unknown_members_are_refused_in_process_and_ignored_over_http() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    let send = |in_process: bool| {
        let client = Client { in_process, ..admin.clone() };
        let mut request = client.request("secretsmanager", "ListSecrets", &json!({}));
        *request.body_mut() = br#"{"NoSuchMember": 1}"#.to_vec();
        client.send(request)
    };
    assert_eq!(send(false).status(), 200);
    let refused = send(true);
    assert_eq!(refused.status(), 400);
    assert!(String::from_utf8_lossy(refused.body()).contains("NoSuchMember"));
}

#[test]
fn inputs_are_checked_against_the_model() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    let (code, message, status) =
        admin.call("secretsmanager", "CreateSecret", json!({"SecretString": "x"})).unwrap_err();
    assert_eq!((code.as_str(), status), ("ValidationException", 400));
    assert_eq!(
        message,
        "1 validation error detected: Value null at 'Name' failed to satisfy constraint: Member \
         must not be null"
    );
    let long = "x".repeat(65);
    let trust = json!({"Statement": []}).to_string();
    let (code, ..) = admin
        .call("iam", "CreateRole", json!({"RoleName": long, "AssumeRolePolicyDocument": trust}))
        .unwrap_err();
    assert_eq!(code, "ValidationError");
}

#[test]
fn faults_strike_the_calls_they_name() {
    let spec = WorldSpec::parse(
        r#"
        [[faults]]
        operation = "secretsmanager.create_secret"
        nth = 2
        kind = "throttle"

        [[faults]]
        operation = "iam.*"
        kind = "server_error"
        times = 2
        "#,
    )
    .unwrap();
    let bench = Bench::new(&spec);
    let admin = bench.client("admin");
    let create = |name: &str| {
        admin.call("secretsmanager", "CreateSecret", json!({"Name": name})).map(|_| ())
    };
    create("one").unwrap();
    assert_eq!(create("two").unwrap_err().0, "ThrottlingException");
    create("two").unwrap();
    let list = || admin.call("iam", "ListRoles", json!({})).map(|_| ());
    assert_eq!(list().unwrap_err().2, 500);
    assert_eq!(list().unwrap_err().2, 500);
    list().unwrap();
}

#[test]
fn a_lost_reply_has_taken_effect() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    let fault: Fault = serde_json::from_value(
        json!({"operation": "secretsmanager.CreateSecret", "kind": "reply_lost"}),
    )
    .unwrap();
    bench.sandbox.inject(&fault).unwrap();
    let request = admin.request("secretsmanager", "CreateSecret", &json!({"Name": "one"}));
    let response = admin.send(request);
    assert_eq!(response.status(), 599);
    assert!(response.extensions().get::<ReplyLost>().is_some());
    admin.call("secretsmanager", "DescribeSecret", json!({"SecretId": "one"})).unwrap();
    let call = &bench.sandbox.log().unwrap()[0];
    assert!(call.effect && call.status == 200);
}

#[test]
fn a_slow_call_takes_its_time_on_the_clock() {
    let bench = Bench::from_toml(
        "[[faults]]\noperation = \"sts.GetCallerIdentity\"\nkind = \"slow\"\nseconds = 90\n",
    );
    bench.client("admin").call("sts", "GetCallerIdentity", json!({})).unwrap();
    assert!(bench.sandbox.now().unwrap() >= START + Duration::seconds(90));
}

#[test]
fn the_clock_moves_with_calls_and_by_hand_only() {
    let bench = Bench::empty();
    assert_eq!(bench.sandbox.now().unwrap(), START);
    bench.client("admin").call("sts", "GetCallerIdentity", json!({})).unwrap();
    assert_eq!(bench.sandbox.now().unwrap(), START + Duration::milliseconds(50));
    bench.sandbox.advance_to(START + Duration::hours(1)).unwrap();
    bench.sandbox.advance_to(START).unwrap();
    assert_eq!(bench.sandbox.now().unwrap(), START + Duration::hours(1));
}

#[test]
fn a_paced_clock_follows_the_real_one() {
    let bench = Bench::empty();
    let real = std::sync::Arc::new(std::sync::Mutex::new(OffsetDateTime::UNIX_EPOCH));
    let shown = std::sync::Arc::clone(&real);
    let sandbox = open_again(&bench.path()).paced(60.0, move || *shown.lock().unwrap());
    *real.lock().unwrap() += Duration::seconds(2);
    assert_eq!(sandbox.now().unwrap(), START + Duration::minutes(2));
}

#[test]
fn the_dump_of_two_equal_worlds_is_equal() {
    let work = |bench: &Bench| {
        let admin = bench.client("admin");
        create_secret(&admin, "one").unwrap();
        admin.call("iam", "CreateUser", json!({"UserName": "publisher"})).unwrap();
        admin.call("iam", "CreateUser", json!({"UserName": "gone"})).unwrap();
        admin.call("iam", "DeleteUser", json!({"UserName": "gone"})).unwrap();
        bench.sandbox.dump().unwrap()
    };
    let (one, other) = (Bench::empty(), Bench::empty());
    other.sandbox.advance(Duration::days(3)).unwrap();
    other.client("admin").call("iam", "ListUsers", json!({})).unwrap();
    let dump = work(&one);
    assert_eq!(dump, work(&other));
    let users = &dump["resources"]["111111111111"]["aws-global"]["iam"]["user"];
    assert_eq!(users["publisher"]["arn"], "arn:aws:iam::111111111111:user/publisher");
    assert_eq!(dump["history"][0]["kind"], "deleted_user");
    assert!(!dump.to_string().contains("s3cret"));
    assert!(!dump.to_string().contains("AKIA"));
}

#[test]
fn a_world_is_kept_shared_and_made_new() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    admin.call("iam", "CreateUser", json!({"UserName": "publisher"})).unwrap();
    let again = std::sync::Arc::new(open_again(&bench.path()));
    let second = Client::of(&again, &again.person("admin").unwrap());
    second.call("iam", "GetUser", json!({"UserName": "publisher"})).unwrap();
    second.call("iam", "DeleteUser", json!({"UserName": "publisher"})).unwrap();
    assert!(admin.call("iam", "GetUser", json!({"UserName": "publisher"})).is_err());
    bench.sandbox.reset(START).unwrap();
    assert_eq!(bench.sandbox.log().unwrap(), []);
    assert_eq!(bench.sandbox.now().unwrap(), START);
}

#[test]
fn an_error_takes_back_what_the_call_did_but_is_logged() {
    let bench = Bench::empty();
    let admin = bench.client("admin");
    let both = json!({"Name": "one", "SecretString": "a", "SecretBinary": "YQ=="});
    admin.call("secretsmanager", "CreateSecret", both).unwrap_err();
    let listed = admin.call("secretsmanager", "ListSecrets", json!({})).unwrap();
    assert_eq!(listed["SecretList"], json!([]));
    assert_eq!(bench.sandbox.log().unwrap().len(), 2);
}

#[test]
fn documented_limits_hold_where_the_world_says_so() {
    let spec = WorldSpec { throttling: true, ..WorldSpec::default() };
    let bench = Bench::new(&spec);
    let admin = bench.client("admin");
    let list = || admin.call("datazone", "ListProjects", json!({"domainIdentifier": "dzd_none"}));
    let codes: Vec<String> =
        (0..20).filter_map(|_| list().err()).map(|refused| refused.0).collect();
    assert!(codes.iter().any(|code| code == "ThrottlingException"), "{codes:?}");
}

#[test]
fn a_world_that_makes_no_sense_says_why() {
    let why = |text: &str| WorldSpec::parse(text).unwrap_err().to_string();
    assert_eq!(
        why("[accounts]\na = \"12\"\n"),
        "the account a has the id 12, which is not twelve digits"
    );
    assert_eq!(
        why("[[people]]\nalias = \"a\"\naccount = \"nowhere\"\n"),
        "a is in the account nowhere, which the world does not have (it has consumer, producer)"
    );
    assert!(why("[[people]]\nalias = \"a\"\npolicies = [\"Nope\"]\n").starts_with(
        "a is given the policy Nope, which the sandbox does not carry (it has AdministratorAccess"
    ));
    assert_eq!(
        why("[[faults]]\noperation = \"datazone.create_projct\"\nkind = \"throttle\"\n"),
        "a fault names the operation datazone.create_projct, which no service of the sandbox has; \
         did you mean datazone.create_project?"
    );
    assert!(why("colour = 1\n").contains("unknown field `colour`"));
}

#[test]
fn a_file_of_another_form_is_refused() {
    let bench = Bench::empty();
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    file.execute("UPDATE meta SET value = '99' WHERE name = 'format'", []).unwrap();
    let refused = Sandbox::open(&bench.path(), &WorldSpec::default(), START).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the world's file has the form 99, and this version reads the form 1"
    );
}
