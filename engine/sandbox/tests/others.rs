//! KMS, Organizations, Service Quotas, CloudTrail; roles across accounts; people of several accounts.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use piton_sandbox::{SandboxError, SpecError, WorldSpec};
use serde_json::{Value, json};
use support::{Bench, Client};
use time::Duration;

const PEOPLE: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "other"
account = "consumer"
administrator = true

[[people]]
alias = "plain"
account = "consumer"
"#;

fn bench(before: &str, after: &str) -> Bench {
    Bench::from_toml(&format!("{before}\n{PEOPLE}\n{after}"))
}

#[test]
fn a_key_s_policy_decides_before_the_account_s_own() {
    let bench = bench("", "");
    let (admin, other, plain) =
        (bench.client("admin"), bench.client("other"), bench.client("plain"));
    let made = admin.ask("kms", "CreateKey", json!({"Description": "domain"}));
    let arn = made["KeyMetadata"]["Arn"].clone();
    assert_eq!(made["KeyMetadata"]["KeyState"], "Enabled");
    let key = json!({"KeyId": arn});
    assert_eq!(other.refused("kms", "DescribeKey", key.clone()), "AccessDeniedException");
    let preset = admin.ask("kms", "GetKeyPolicy", key.clone())["Policy"].clone();
    let mut policy: Value = serde_json::from_str(preset.as_str().unwrap()).unwrap();
    policy["Statement"].as_array_mut().unwrap().push(json!({
        "Sid": "consumer", "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": ["kms:DescribeKey", "kms:Decrypt"], "Resource": "*",
    }));
    let put = json!({"KeyId": arn, "Policy": policy.to_string()});
    admin.ask("kms", "PutKeyPolicy", put.clone());
    admin.ask("kms", "PutKeyPolicy", put);
    assert!(!bench.sandbox.log().unwrap().last().unwrap().effect);
    assert_eq!(other.ask("kms", "DescribeKey", key.clone())["KeyMetadata"]["Arn"], arn);
    assert_eq!(plain.refused("kms", "DescribeKey", key.clone()), "AccessDeniedException");
    assert_eq!(other.refused("kms", "DisableKey", key), "AccessDeniedException");
    let locked = json!({"KeyId": arn, "Policy": json!({"Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "kms:*",
        "Resource": "*"}]}).to_string()});
    let code = admin.refused("kms", "PutKeyPolicy", locked);
    assert_eq!(code, "MalformedPolicyDocumentException");
    let code = admin.refused("kms", "Encrypt", json!({"KeyId": arn, "Plaintext": "aGk="}));
    assert_eq!(code, "NotImplementedInSandbox");
}

#[test]
fn a_key_is_found_by_its_alias_and_goes_after_its_window() {
    let world = "[[keys]]\nalias = \"lake\"\naccount = \"consumer\"\ntags = { team = \"data\" }\n\
                 [[keys]]\nalias = \"off\"\naccount = \"consumer\"\nenabled = false\n";
    let bench = bench("", world);
    let other = bench.client("other");
    let key = json!({"KeyId": "alias/lake"});
    let found = other.ask("kms", "DescribeKey", key.clone())["KeyMetadata"].clone();
    let off = other.ask("kms", "DescribeKey", json!({"KeyId": "alias/off"}));
    assert_eq!(off["KeyMetadata"]["KeyState"], "Disabled");
    let tags = other.ask("kms", "ListResourceTags", json!({"KeyId": found["KeyId"]}));
    assert_eq!(tags["Tags"], json!([{"TagKey": "team", "TagValue": "data"}]));
    let page = other.ask("kms", "ListKeys", json!({"Limit": 1}));
    assert_eq!(page["Truncated"], true);
    let rest = other.ask("kms", "ListKeys", json!({"Limit": 1, "Marker": page["NextMarker"]}));
    assert_eq!(rest["Truncated"], false);
    let alias = json!({"AliasName": "alias/second", "TargetKeyId": found["KeyId"]});
    other.ask("kms", "CreateAlias", alias.clone());
    assert_eq!(other.refused("kms", "CreateAlias", alias), "AlreadyExistsException");
    let aliases = other.ask("kms", "ListAliases", json!({"KeyId": found["KeyId"]}));
    assert_eq!(aliases["Aliases"].as_array().unwrap().len(), 2);
    let grant = json!({
        "KeyId": found["KeyId"], "GranteePrincipal": "arn:aws:iam::111111111111:role/R",
        "Operations": ["Decrypt"], "Name": "domain",
    });
    let first = other.ask("kms", "CreateGrant", grant.clone());
    assert_eq!(first["GrantId"], other.ask("kms", "CreateGrant", grant)["GrantId"]);
    let grants = other.ask("kms", "ListGrants", json!({"KeyId": found["KeyId"]}));
    assert_eq!(grants["Grants"].as_array().unwrap().len(), 1);
    let input = json!({"KeyId": found["KeyId"], "PendingWindowInDays": 7});
    let going = other.ask("kms", "ScheduleKeyDeletion", input);
    assert_eq!(going["KeyState"], "PendingDeletion");
    let code = other.refused("kms", "EnableKey", key.clone());
    assert_eq!(code, "KMSInvalidStateException");
    bench.sandbox.advance(Duration::days(8)).unwrap();
    assert_eq!(other.refused("kms", "DescribeKey", key), "NotFoundException");
}

#[test]
fn an_organisation_is_there_when_the_world_says_so() {
    let alone = bench("", "");
    let code = alone.client("admin").refused("organizations", "DescribeOrganization", json!({}));
    assert_eq!(code, "AWSOrganizationsNotInUseException");
    let bench = bench("organisation = true", "");
    let (admin, other) = (bench.client("admin"), bench.client("other"));
    let told = other.ask("organizations", "DescribeOrganization", json!({}));
    assert_eq!(told["Organization"]["MasterAccountId"], "111111111111");
    let accounts = admin.ask("organizations", "ListAccounts", json!({}));
    assert_eq!(accounts["Accounts"].as_array().unwrap().len(), 2);
    let code = other.refused("organizations", "ListAccounts", json!({}));
    assert_eq!(code, "AccessDeniedException");
    let account = json!({"AccountId": "222222222222"});
    let account = admin.ask("organizations", "DescribeAccount", account);
    assert_eq!(account["Account"]["Name"], "consumer");
    let code =
        admin.refused("organizations", "DescribeAccount", json!({"AccountId": "333333333333"}));
    assert_eq!(code, "AccountNotFoundException");
    admin.ask("organizations", "ListRoots", json!({}));
}

#[test]
fn quotas_are_listed_by_service_and_known_by_code() {
    let bench = bench("", "");
    let admin = bench.client("admin");
    let service = |code: &str| json!({"ServiceCode": code});
    let listed = admin.ask("service_quotas", "ListServiceQuotas", service("datazone"));
    let quotas = listed["Quotas"].as_array().unwrap();
    let environments =
        quotas.iter().find(|quota| quota["QuotaName"] == "Environments per domain").unwrap();
    assert_eq!(environments["Value"].as_f64(), Some(500.0));
    let input = json!({"ServiceCode": "datazone", "QuotaCode": environments["QuotaCode"].clone()});
    let one = admin.ask("service_quotas", "GetServiceQuota", input.clone());
    assert_eq!(one["Quota"], *environments);
    let preset = admin.ask("service_quotas", "GetAWSDefaultServiceQuota", input);
    assert_eq!(preset["Quota"]["Value"], environments["Value"]);
    let code = admin.refused("service_quotas", "ListServiceQuotas", service("lambda"));
    assert_eq!(code, "NoSuchResourceException");
    let code = admin.refused(
        "service_quotas",
        "RequestServiceQuotaIncrease",
        json!({
        "ServiceCode": "datazone", "QuotaCode": "L-5A170001", "DesiredValue": 600.0}),
    );
    assert_eq!(code, "NotImplementedInSandbox");
}

fn events(client: &Client, input: Value) -> Vec<Value> {
    let answer = client.ask("cloudtrail", "LookupEvents", input);
    answer["Events"].as_array().unwrap().clone()
}

fn by(key: &str, value: &str) -> Value {
    json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]})
}

#[test]
fn events_are_the_account_s_own_calls_newest_first_and_without_secrets() {
    let bench = bench("", "");
    let (admin, other) = (bench.client("admin"), bench.client("other"));
    let secret = json!({"Name": "db", "SecretString": "s3cret-value"});
    admin.ask("secretsmanager", "CreateSecret", secret);
    admin.ask("iam", "CreateUser", json!({"UserName": "somebody"}));
    admin.refused("iam", "GetRole", json!({"RoleName": "Ghost"}));
    let all = events(&admin, json!({}));
    let names: Vec<&str> = all.iter().map(|event| event["EventName"].as_str().unwrap()).collect();
    assert_eq!(names, ["GetRole", "CreateUser", "CreateSecret"]);
    assert!(!Value::from(all.clone()).to_string().contains("s3cret-value"));
    assert_eq!(events(&other, json!({})), Vec::<Value>::new());
    assert_eq!(events(&admin.in_region("us-east-1"), json!({})), Vec::<Value>::new());
    let detail: Value = serde_json::from_str(all[0]["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(detail["errorCode"], "NoSuchEntity");
    assert_eq!(detail["eventID"], all[0]["EventId"]);
    assert_eq!(detail["userIdentity"]["userName"], "admin");
    assert_eq!(detail["recipientAccountId"], "111111111111");
    assert_eq!(detail["requestParameters"]["RoleName"], "Ghost");
    let count = |input: Value| events(&admin, input).len();
    assert_eq!(count(by("EventSource", "iam.amazonaws.com")), 2);
    assert_eq!(count(by("EventName", "CreateUser")), 1);
    assert_eq!(count(by("ReadOnly", "false")), 2);
    assert_eq!(count(by("Username", "other")), 0);
    assert_eq!(count(by("ResourceName", "somebody")), 1);
    let two = json!({"LookupAttributes": [
        {"AttributeKey": "EventName", "AttributeValue": "a"},
        {"AttributeKey": "Username", "AttributeValue": "b"}]});
    let code = admin.refused("cloudtrail", "LookupEvents", two);
    assert_eq!(code, "InvalidLookupAttributesException");
}

#[test]
fn events_come_in_pages_that_stand_still_and_by_time() {
    let bench = bench("throttling = true", "");
    let admin = bench.client("admin");
    for name in ["a", "b", "c"] {
        admin.ask("iam", "CreateUser", json!({"UserName": name}));
    }
    let created = |more: Value| {
        let mut input = by("EventName", "CreateUser");
        for (member, value) in more.as_object().unwrap() {
            input[member] = value.clone();
        }
        input
    };
    let first = admin.ask("cloudtrail", "LookupEvents", created(json!({"MaxResults": 2})));
    admin.ask("iam", "CreateUser", json!({"UserName": "d"}));
    let next = created(json!({"MaxResults": 2, "NextToken": first["NextToken"]}));
    let second = admin.ask("cloudtrail", "LookupEvents", next);
    let rest = second["Events"].as_array().unwrap();
    assert_eq!(rest.len(), 1);
    assert!(rest[0]["CloudTrailEvent"].as_str().unwrap().contains("\"UserName\":\"a\""));
    assert!(second.get("NextToken").is_none());
    let code = admin.refused("cloudtrail", "LookupEvents", json!({}));
    assert_eq!(code, "ThrottlingException", "two calls a second");
    bench.sandbox.advance(Duration::hours(1)).unwrap();
    let since = json!({"StartTime": "2026-03-02T09:30:00Z"});
    assert_eq!(events(&admin, created(since)).len(), 0);
    bench.sandbox.advance(Duration::days(91)).unwrap();
    assert_eq!(events(&admin, created(json!({}))).len(), 0);
}

#[expect(clippy::needless_pass_by_value, reason = "tests write the trust where they call")]
fn role(client: &Client, name: &str, trusts: Value) -> String {
    let document = json!({"Version": "2012-10-17", "Statement": [trusts]});
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": document.to_string()});
    client.ask("iam", "CreateRole", input)["Role"]["Arn"].as_str().unwrap().to_owned()
}

#[test]
fn a_role_of_another_account_needs_its_trust_and_the_caller_s_own_right() {
    let bench = bench("", "");
    let (admin, other, plain) =
        (bench.client("admin"), bench.client("other"), bench.client("plain"));
    let trusts = json!({
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}},
    });
    let arn = role(&admin, "Shared", trusts);
    let ask = |external: Option<&str>| {
        let mut input = json!({"RoleArn": arn, "RoleSessionName": "piton-run"});
        if let Some(external) = external {
            input["ExternalId"] = json!(external);
        }
        input
    };
    assert_eq!(other.refused("sts", "AssumeRole", ask(None)), "AccessDenied");
    assert_eq!(other.refused("sts", "AssumeRole", ask(Some("else"))), "AccessDenied");
    assert_eq!(plain.refused("sts", "AssumeRole", ask(Some("agreed"))), "AccessDenied");
    let assumed = other.ask("sts", "AssumeRole", ask(Some("agreed")));
    let session = other.with_credentials(&assumed["Credentials"]);
    let who = session.ask("sts", "GetCallerIdentity", json!({}));
    assert_eq!(who["Arn"], "arn:aws:sts::111111111111:assumed-role/Shared/piton-run");
    // Both accounts can tell who came.
    for account in [&admin, &other] {
        let told = events(account, by("EventName", "AssumeRole"));
        let detail: Value =
            serde_json::from_str(told[0]["CloudTrailEvent"].as_str().unwrap()).unwrap();
        assert_eq!(detail["userIdentity"]["accountId"], "222222222222");
    }
}

#[test]
fn a_role_s_session_may_assume_the_next_role_for_an_hour() {
    let bench = bench("", "");
    let (admin, other) = (bench.client("admin"), bench.client("other"));
    let account = |id: &str| {
        json!({
            "Effect": "Allow", "Principal": {"AWS": id}, "Action": "sts:AssumeRole",
        })
    };
    let first = role(&other, "First", account("222222222222"));
    let second = role(&admin, "Second", account(&first));
    let seconds = json!({"RoleName": "Second", "MaxSessionDuration": 7200});
    admin.ask("iam", "UpdateRole", seconds);
    let assume = |client: &Client, arn: &str, more: Value| {
        let mut input = json!({"RoleArn": arn, "RoleSessionName": "chain"});
        if let Some(seconds) = more.as_i64() {
            input["DurationSeconds"] = json!(seconds);
        }
        client.call("sts", "AssumeRole", input).map_err(|refused| refused.0)
    };
    assert_eq!(assume(&other, &second, Value::Null).unwrap_err(), "AccessDenied");
    let answer = assume(&other, &first, Value::Null).unwrap();
    let session = other.with_credentials(&answer["Credentials"]);
    // The role is trusted by name, and still needs a right of its own in another account.
    assert_eq!(assume(&session, &second, Value::Null).unwrap_err(), "AccessDenied");
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": second}]});
    let put = json!({
        "RoleName": "First", "PolicyName": "next", "PolicyDocument": policy.to_string(),
    });
    other.ask("iam", "PutRolePolicy", put);
    assert_eq!(assume(&session, &second, json!(7200)).unwrap_err(), "ValidationError");
    let answer = assume(&session, &second, Value::Null).unwrap();
    let last = other.with_credentials(&answer["Credentials"]);
    let who = last.ask("sts", "GetCallerIdentity", json!({}));
    assert_eq!(who["Arn"], "arn:aws:sts::111111111111:assumed-role/Second/chain");
}

const THREE: &str = r#"
[accounts]
producer = "111111111111"
c1 = "222222222222"
c2 = "333333333333"
c3 = "444444444444"
"#;

#[test]
fn an_alias_may_be_somebody_in_each_of_several_accounts() {
    let world = "[[people]]\nalias = \"chief\"\naccounts = [\"c1\", \"c2\"]\nadministrator = true\n\
                 [[people]]\nalias = \"clerk\"\naccount = \"c1\"\nuser = \"/team/clerk\"\n\
                 [[people]]\nalias = \"clerk\"\naccount = \"c2\"\nuser = \"/team/clerk\"\n";
    let bench = Bench::from_toml(&format!("{THREE}{world}"));
    let arn = |alias: &str| bench.sandbox.person(alias).unwrap().arn;
    assert_eq!(arn("chief/222222222222"), "arn:aws:iam::222222222222:user/chief");
    assert_eq!(arn("clerk/333333333333"), "arn:aws:iam::333333333333:user/team/clerk");
    let aliases: Vec<String> =
        bench.sandbox.people().unwrap().into_iter().map(|person| person.alias).collect();
    assert_eq!(
        aliases,
        ["chief/222222222222", "chief/333333333333", "clerk/222222222222", "clerk/333333333333"]
    );
    // Nobody described them in the third account: they are there once they are asked for.
    let chief = bench.client("chief/444444444444");
    let users = chief.ask("iam", "ListUsers", json!({}));
    assert_eq!(users["Users"][0]["UserName"], "chief");
    assert_eq!(
        bench.client("clerk/444444444444").refused("iam", "ListUsers", json!({})),
        "AccessDenied"
    );
    assert_eq!(arn("stranger/444444444444"), "arn:aws:iam::444444444444:user/stranger");
    let error = bench.sandbox.person("chief/555555555555").unwrap_err();
    assert!(matches!(&error, SandboxError::NoSuchAccount { .. }));
    assert!(error.to_string().contains("222222222222 (c1)"), "{error}");
    let error = bench.sandbox.person("chief").unwrap_err();
    assert!(error.to_string().contains("chief/333333333333"), "{error}");
}

#[test]
fn one_account_has_an_alias_once() {
    let world = "[[people]]\nalias = \"a\"\naccount = \"c1\"\n\
                 [[people]]\nalias = \"a\"\naccounts = [\"c1\", \"c2\"]\n";
    let error = WorldSpec::parse(&format!("{THREE}{world}")).unwrap_err();
    assert!(matches!(error, SpecError::AliasTwice(alias) if alias == "a"));
    let error = WorldSpec::parse("[[people]]\nalias = \"a/222222222222\"\n").unwrap_err();
    assert!(matches!(error, SpecError::AliasWithAccount(_)));
    let error = WorldSpec::parse("[[keys]]\nalias = \"k\"\naccount = \"nowhere\"\n").unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
