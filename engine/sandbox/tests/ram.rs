//! AWS RAM: a domain shared with another account, inside an organisation and outside.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use serde_json::{Value, json};
use support::{Bench, Client};
use time::Duration;

const PRODUCER: &str = "111111111111";
const CONSUMER: &str = "222222222222";

const PEOPLE: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "other"
account = "consumer"
administrator = true
"#;

/// Two accounts, a domain in the first, and an empty share for it.
struct Stage {
    bench: Bench,
    owner: Client,
    other: Client,
    domain: String,
    share: String,
}

/// A bench whose world is described by what stands before and after its people.
fn bench(before: &str, after: &str) -> Bench {
    Bench::from_toml(&format!("{before}\n{PEOPLE}\n{after}"))
}

impl Stage {
    fn new(before: &str, after: &str) -> Self {
        let bench = bench(before, after);
        let (owner, other) = (bench.client("admin"), bench.client("other"));
        let domain = domain(&bench, &owner);
        let made = owner.ask("ram", "CreateResourceShare", json!({"name": "DataZone-sales"}));
        let share = text(&made["resourceShare"]["resourceShareArn"]);
        bench.sandbox.advance(Duration::seconds(5)).unwrap();
        Self { bench, owner, other, domain, share }
    }

    fn associate(&self, what: Value) -> Value {
        let mut input = what;
        input["resourceShareArn"] = json!(self.share);
        self.owner.ask("ram", "AssociateResourceShare", input)
    }

    /// Associates the consumer and the domain, and lets it settle.
    fn share(&self) {
        self.associate(json!({"principals": [CONSUMER]}));
        self.associate(json!({"resourceArns": [self.domain]}));
        self.wait(5);
    }

    fn wait(&self, seconds: i64) {
        self.bench.sandbox.advance(Duration::seconds(seconds)).unwrap();
    }

    /// Status of the share's only association of a type.
    fn status(&self, kind: &str) -> Value {
        let input = json!({"associationType": kind, "resourceShareArns": [self.share]});
        let answer = self.owner.ask("ram", "GetResourceShareAssociations", input);
        let list = answer["resourceShareAssociations"].as_array().unwrap().clone();
        assert_eq!(list.len(), 1, "{list:?}");
        list[0]["status"].clone()
    }

    fn invitations(&self) -> Vec<Value> {
        let answer = self.other.ask("ram", "GetResourceShareInvitations", json!({}));
        answer["resourceShareInvitations"].as_array().unwrap().clone()
    }

    fn accept(&self) -> Value {
        let invitations = self.invitations();
        let arn = &invitations.last().unwrap()["resourceShareInvitationArn"];
        let input = json!({"resourceShareInvitationArn": arn});
        self.other.ask("ram", "AcceptResourceShareInvitation", input)
    }

    /// What others share with the consumer.
    fn received(&self) -> Vec<Value> {
        let input = json!({"resourceOwner": "OTHER-ACCOUNTS"});
        let answer = self.other.ask("ram", "GetResourceShares", input);
        answer["resourceShares"].as_array().unwrap().clone()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn domain(bench: &Bench, owner: &Client) -> String {
    let input = domain_input(bench, owner);
    let made = owner.ask("datazone", "CreateDomain", input);
    bench.sandbox.advance(Duration::minutes(1)).unwrap();
    text(&made["arn"])
}

/// Makes the domain's execution role, and the input that makes the domain.
fn domain_input(bench: &Bench, owner: &Client) -> Value {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "datazone.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"]}]});
    let role = json!({
        "RoleName": "AmazonDataZoneDomainExecutionRole",
        "AssumeRolePolicyDocument": trust.to_string(),
    });
    let role = owner.ask("iam", "CreateRole", role)["Role"]["Arn"].clone();
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonDataZoneDomainExecutionRolePolicy";
    let attach = json!({"RoleName": "AmazonDataZoneDomainExecutionRole", "PolicyArn": policy});
    owner.ask("iam", "AttachRolePolicy", attach);
    bench.sandbox.advance(Duration::minutes(1)).unwrap();
    json!({"name": "sales", "domainExecutionRole": role, "domainVersion": "V1"})
}

#[test]
fn outside_an_organisation_an_account_is_invited_and_has_nothing_before_it_accepts() {
    let stage = Stage::new("", "");
    stage.share();
    assert_eq!(stage.status("RESOURCE"), "ASSOCIATED");
    assert_eq!(stage.status("PRINCIPAL"), "ASSOCIATING");
    assert_eq!(stage.received(), Vec::<Value>::new());
    let invitation = stage.invitations()[0].clone();
    assert_eq!(invitation["status"], "PENDING");
    assert_eq!(invitation["senderAccountId"], PRODUCER);
    assert_eq!(invitation["resourceShareName"], "DataZone-sales");
    let accepted = stage.accept();
    assert_eq!(accepted["resourceShareInvitation"]["status"], "ACCEPTED");
    assert_eq!(stage.status("PRINCIPAL"), "ASSOCIATED");
    assert_eq!(stage.received()[0]["owningAccountId"], PRODUCER);
    let again = json!({
        "resourceShareInvitationArn": invitation["resourceShareInvitationArn"],
    });
    let code = stage.other.refused("ram", "AcceptResourceShareInvitation", again);
    assert_eq!(code, "ResourceShareInvitationAlreadyAcceptedException");
    let input = json!({"resourceOwner": "OTHER-ACCOUNTS", "resourceType": "datazone:Domain"});
    let resources = stage.other.ask("ram", "ListResources", input);
    assert_eq!(resources["resources"][0]["arn"], stage.domain);
    let input = json!({"resourceOwner": "SELF"});
    let principals = stage.owner.ask("ram", "ListPrincipals", input);
    assert_eq!(principals["principals"][0]["id"], CONSUMER);
    assert_eq!(principals["principals"][0]["external"], true);
}

#[test]
fn inside_an_organisation_nobody_is_invited() {
    let stage = Stage::new("organisation = true", "");
    stage.share();
    assert_eq!(stage.status("PRINCIPAL"), "ASSOCIATED");
    assert_eq!(stage.invitations(), Vec::<Value>::new());
    assert_eq!(stage.received().len(), 1);
    stage.owner.ask("ram", "EnableSharingWithAwsOrganization", json!({}));
    let code = stage.other.refused("ram", "EnableSharingWithAwsOrganization", json!({}));
    assert_eq!(code, "OperationNotPermittedException");
}

#[test]
fn a_share_for_the_organisation_alone_takes_no_other_account() {
    let stage = Stage::new("", "");
    let input = json!({"resourceShareArn": stage.share, "allowExternalPrincipals": false});
    stage.owner.ask("ram", "UpdateResourceShare", input);
    let input = json!({"resourceShareArn": stage.share, "principals": [CONSUMER]});
    let code = stage.owner.refused("ram", "AssociateResourceShare", input);
    assert_eq!(code, "OperationNotPermittedException");
}

#[test]
fn a_share_takes_a_moment_and_refuses_associations_until_then() {
    let bench = bench("", "");
    let owner = bench.client("admin");
    let made = owner.ask("ram", "CreateResourceShare", json!({"name": "DataZone-new"}));
    assert_eq!(made["resourceShare"]["status"], "PENDING");
    let share = &made["resourceShare"]["resourceShareArn"];
    let input = json!({"resourceShareArn": share, "principals": [CONSUMER]});
    let code = owner.refused("ram", "AssociateResourceShare", input.clone());
    assert_eq!(code, "InvalidStateTransitionException");
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    owner.ask("ram", "AssociateResourceShare", input);
}

#[test]
fn names_are_not_unique_and_a_token_is() {
    let bench = bench("", "");
    let owner = bench.client("admin");
    let with = |token: &str, name: &str| json!({"name": name, "clientToken": token});
    let first = owner.ask("ram", "CreateResourceShare", with("one", "DataZone-a"));
    let second = owner.ask("ram", "CreateResourceShare", with("two", "DataZone-a"));
    let repeated = owner.ask("ram", "CreateResourceShare", with("one", "DataZone-a"));
    let arn = |answer: &Value| text(&answer["resourceShare"]["resourceShareArn"]);
    assert_ne!(arn(&first), arn(&second));
    assert_eq!(arn(&first), arn(&repeated));
    assert_eq!(repeated["clientToken"], "one");
    let code = owner.refused("ram", "CreateResourceShare", with("one", "DataZone-b"));
    assert_eq!(code, "IdempotentParameterMismatchException");
    let input = json!({"resourceOwner": "SELF", "name": "DataZone-a", "maxResults": 1});
    let page = owner.ask("ram", "GetResourceShares", input.clone());
    let mut next = input;
    next["nextToken"] = page["nextToken"].clone();
    let rest = owner.ask("ram", "GetResourceShares", next);
    assert_eq!(rest["resourceShares"].as_array().unwrap().len(), 1);
    assert!(rest.get("nextToken").is_none());
}

#[test]
fn an_invitation_expires_after_seven_days_and_can_be_sent_again() {
    let stage = Stage::new("", "");
    stage.share();
    let invitation = stage.invitations()[0].clone();
    stage.bench.sandbox.advance(Duration::days(6)).unwrap();
    assert_eq!(stage.invitations()[0]["status"], "PENDING");
    stage.bench.sandbox.advance(Duration::days(1)).unwrap();
    assert_eq!(stage.invitations()[0]["status"], "EXPIRED");
    assert_eq!(stage.status("PRINCIPAL"), "FAILED");
    let input = json!({
        "resourceShareInvitationArn": invitation["resourceShareInvitationArn"],
    });
    let code = stage.other.refused("ram", "AcceptResourceShareInvitation", input);
    assert_eq!(code, "ResourceShareInvitationExpiredException");
    let input = json!({"resourceShareArn": stage.share, "principals": [CONSUMER]});
    stage.owner.ask("ram", "DisassociateResourceShare", input.clone());
    stage.wait(5);
    assert_eq!(stage.status("PRINCIPAL"), "DISASSOCIATED");
    stage.owner.ask("ram", "AssociateResourceShare", input);
    stage.accept();
    assert_eq!(stage.status("PRINCIPAL"), "ASSOCIATED");
}

#[test]
fn an_account_that_rejects_or_leaves_has_nothing() {
    let stage = Stage::new("", "");
    stage.share();
    let arn = stage.invitations()[0]["resourceShareInvitationArn"].clone();
    let input = json!({"resourceShareInvitationArn": arn});
    let code = stage.owner.refused("ram", "RejectResourceShareInvitation", input.clone());
    assert_eq!(code, "OperationNotPermittedException");
    stage.other.ask("ram", "RejectResourceShareInvitation", input);
    assert_eq!(stage.status("PRINCIPAL"), "FAILED");
    stage.associate(json!({"principals": [CONSUMER]}));
    stage.accept();
    let leave = json!({"resourceShareArn": stage.share, "principals": [CONSUMER]});
    stage.other.ask("ram", "DisassociateResourceShare", leave);
    assert_eq!(stage.received(), Vec::<Value>::new());
    stage.wait(5);
    assert_eq!(stage.status("PRINCIPAL"), "DISASSOCIATED");
}

#[test]
fn a_deleted_share_is_seen_as_deleted_and_leaves_no_resource() {
    let stage = Stage::new("", "");
    let before = stage.bench.sandbox.dump().unwrap()["resources"].clone();
    stage.share();
    stage.accept();
    let input = json!({"resourceShareArn": stage.share});
    stage.owner.ask("ram", "DeleteResourceShare", input);
    assert_eq!(stage.received(), Vec::<Value>::new());
    stage.wait(5);
    let shares = json!({"resourceOwner": "SELF", "resourceShareArns": [stage.share]});
    let seen = stage.owner.ask("ram", "GetResourceShares", shares.clone());
    assert_eq!(seen["resourceShares"][0]["status"], "DELETED");
    assert_eq!(stage.status("RESOURCE"), "DISASSOCIATED");
    let dump = stage.bench.sandbox.dump().unwrap();
    assert!(dump["resources"][PRODUCER]["eu-west-1"].get("ram").is_none());
    assert!(dump["resources"].get(CONSUMER).is_none_or(|own| own == &before[CONSUMER]));
    let kinds: Vec<&str> = dump["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"deleted_share") && kinds.contains(&"decided_invitation"), "{kinds:?}");
    stage.bench.sandbox.advance(Duration::hours(3)).unwrap();
    let code = stage.owner.refused("ram", "GetResourceShares", shares);
    assert_eq!(code, "UnknownResourceException");
}

#[test]
fn permissions_are_those_that_aws_has_and_not_those_that_documents_name() {
    let stage = Stage::new("", "");
    let names = |owner: &Client| -> Vec<String> {
        let input = json!({"resourceType": "datazone:Domain", "permissionType": "ALL"});
        let answer = owner.ask("ram", "ListPermissions", input);
        let list = answer["permissions"].as_array().unwrap().clone();
        list.iter().map(|permission| text(&permission["name"])).collect()
    };
    let known = names(&stage.owner);
    let full = "AWSRAMPermissionAmazonDataZoneDomainFullAccessWithPortalAccess";
    assert!(known.iter().any(|name| name == full));
    let of = |name: &str| {
        json!({
            "resourceShareArn": stage.share,
            "permissionArn": format!("arn:aws:ram::aws:permission/{name}"),
        })
    };
    let documented = of("AWSRAMPermissionDataZonePortalReadWrite");
    let code = stage.owner.refused("ram", "AssociateResourceSharePermission", documented);
    assert_eq!(code, "UnknownResourceException");
    // A share gets the preset permission with its first resource.
    stage.associate(json!({"resourceArns": [stage.domain]}));
    let input = json!({"resourceShareArn": stage.share});
    let attached = |stage: &Stage| {
        stage.owner.ask("ram", "ListResourceSharePermissions", input.clone())["permissions"][0]
            ["name"]
            .clone()
    };
    assert_eq!(attached(&stage), "AWSRAMDefaultPermissionAmazonDataZoneDomain");
    let mut replace = of(full);
    replace["replace"] = json!(true);
    stage.owner.ask("ram", "AssociateResourceSharePermission", replace);
    assert_eq!(attached(&stage), full);
    let wrong = Stage::new("", "[failures]\nwrong_permission_names = true\n");
    let names = names(&wrong.owner);
    assert!(names.contains(&"AWSRAMPermissionDataZonePortalReadWrite".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name == full));
}

#[test]
fn a_principal_given_at_creation_can_be_lost() {
    let bench = bench("", "[failures]\nlost_ram_principal = true\n");
    let owner = bench.client("admin");
    let input = json!({"name": "DataZone-all", "principals": [CONSUMER]});
    let made = owner.ask("ram", "CreateResourceShare", input);
    let share = made["resourceShare"]["resourceShareArn"].clone();
    bench.sandbox.advance(Duration::seconds(5)).unwrap();
    let input = json!({"associationType": "PRINCIPAL", "resourceShareArns": [share]});
    let answer = owner.ask("ram", "GetResourceShareAssociations", input.clone());
    assert_eq!(answer["resourceShareAssociations"], json!([]));
    let again = json!({"resourceShareArn": share, "principals": [CONSUMER]});
    owner.ask("ram", "AssociateResourceShare", again);
    let answer = owner.ask("ram", "GetResourceShareAssociations", input);
    assert_eq!(answer["resourceShareAssociations"][0]["status"], "ASSOCIATING");
}

#[test]
fn a_resource_can_fail_once_and_an_invitation_can_expire_at_once() {
    let world = "[failures]\nfailed_ram_resource = true\ninvitation_expired = true\n";
    let stage = Stage::new("", world);
    stage.share();
    assert_eq!(stage.status("RESOURCE"), "FAILED");
    assert_eq!(stage.status("PRINCIPAL"), "FAILED");
    assert_eq!(stage.invitations()[0]["status"], "EXPIRED");
    let input = json!({"resourceShareArn": stage.share, "resourceArns": [stage.domain]});
    stage.owner.ask("ram", "DisassociateResourceShare", input);
    stage.wait(5);
    stage.share();
    assert_eq!(stage.status("RESOURCE"), "ASSOCIATED");
    stage.accept();
    assert_eq!(stage.status("PRINCIPAL"), "ASSOCIATED");
}

#[test]
fn only_what_is_ones_own_can_be_shared_with_accounts_that_there_are() {
    let stage = Stage::new("", "");
    let refused = |what: Value| {
        let mut input = what;
        input["resourceShareArn"] = json!(stage.share);
        stage.owner.refused("ram", "AssociateResourceShare", input)
    };
    let elsewhere = "arn:aws:datazone:eu-west-1:222222222222:domain/dzd_1";
    assert_eq!(refused(json!({"resourceArns": [elsewhere]})), "UnknownResourceException");
    let bucket = "arn:aws:s3:::bucket";
    assert_eq!(refused(json!({"resourceArns": [bucket]})), "MalformedArnException");
    let nobody = json!({"principals": ["333333333333"]});
    assert_eq!(refused(nobody), "InvalidParameterException");
    let input = json!({"resourceShareArn": stage.share, "principals": [CONSUMER]});
    let code = stage.other.refused("ram", "AssociateResourceShare", input);
    assert_eq!(code, "UnknownResourceException");
}

#[test]
fn datazones_managed_policy_shares_only_under_its_name_and_does_not_accept() {
    let world = "[[people]]\nalias = \"plain\"\npolicies = [\"AmazonDataZoneFullAccess\"]\n\
                 [[people]]\nalias = \"guest\"\naccount = \"consumer\"\n\
                 policies = [\"AmazonDataZoneFullAccess\"]\n";
    let stage = Stage::new("", world);
    let (plain, guest) = (stage.bench.client("plain"), stage.bench.client("guest"));
    let made = plain.ask("ram", "CreateResourceShare", json!({"name": "Sales"}));
    stage.wait(5);
    let input = json!({
        "resourceShareArn": made["resourceShare"]["resourceShareArn"], "principals": [CONSUMER],
    });
    assert_eq!(plain.refused("ram", "AssociateResourceShare", input), "AccessDeniedException");
    let input = json!({"resourceShareArn": stage.share, "principals": [CONSUMER]});
    plain.ask("ram", "AssociateResourceShare", input);
    assert_eq!(plain.refused("ram", "ListPermissions", json!({})), "AccessDeniedException");
    let arn = stage.invitations()[0]["resourceShareInvitationArn"].clone();
    let input = json!({"resourceShareInvitationArn": arn});
    let code = guest.refused("ram", "AcceptResourceShareInvitation", input.clone());
    assert_eq!(code, "AccessDeniedException");
    guest.ask("ram", "RejectResourceShareInvitation", input);
}

#[test]
fn tags_select_shares_and_equal_ones_change_nothing() {
    let stage = Stage::new("", "");
    let input = json!({
        "resourceShareArn": stage.share, "tags": [{"key": "team", "value": "data"}],
    });
    stage.owner.ask("ram", "TagResource", input.clone());
    stage.owner.ask("ram", "TagResource", input);
    let log = stage.bench.sandbox.log().unwrap();
    assert!(!log.last().unwrap().effect && log[log.len() - 2].effect);
    let with = |value: &str| {
        let filters = json!([{"tagKey": "team", "tagValues": [value]}]);
        let input = json!({"resourceOwner": "SELF", "tagFilters": filters});
        let answer = stage.owner.ask("ram", "GetResourceShares", input);
        answer["resourceShares"].as_array().unwrap().len()
    };
    assert_eq!((with("data"), with("other")), (1, 0));
    let input = json!({"resourceShareArn": stage.share, "tagKeys": ["team"]});
    stage.owner.ask("ram", "UntagResource", input);
    assert_eq!(with("data"), 0);
}

#[test]
fn a_domain_with_a_key_of_the_customer_is_for_those_whom_the_key_lets() {
    let bench = bench("organisation = true", "[failures]\nassociation_lag = 0\n");
    let (owner, other) = (bench.client("admin"), bench.client("other"));
    let key = owner.ask("kms", "CreateKey", json!({}))["KeyMetadata"]["Arn"].clone();
    let mut input = domain_input(&bench, &owner);
    input["kmsKeyIdentifier"] = key.clone();
    // The key leaves it to the account's policies, and the role has none for it.
    let code = owner.refused("datazone", "CreateDomain", input.clone());
    assert_eq!(code, "ValidationException");
    let account = |id: &str| {
        json!({
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{id}:root")},
            "Action": "kms:*", "Resource": "*",
        })
    };
    let role = json!({
        "Effect": "Allow", "Principal": {"AWS": input["domainExecutionRole"]},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*",
    });
    let put = |statements: Value| {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        owner.ask("kms", "PutKeyPolicy", json!({"KeyId": key, "Policy": policy}))
    };
    put(json!([account(PRODUCER), role]));
    let made = owner.ask("datazone", "CreateDomain", input);
    let share = json!({
        "name": "DataZone-sales", "principals": [CONSUMER], "resourceArns": [made["arn"]],
    });
    owner.ask("ram", "CreateResourceShare", share);
    bench.sandbox.advance(Duration::minutes(5)).unwrap();
    let domain = json!({"identifier": made["id"]});
    let code = other.refused("datazone", "GetDomain", domain.clone());
    assert_eq!(code, "AccessDeniedException");
    put(json!([account(PRODUCER), role, account(CONSUMER)]));
    other.ask("datazone", "GetDomain", domain);
    let cluster = |key: &Value| {
        json!({
            "ClusterIdentifier": "own-key", "NodeType": "ra3.xlplus", "ClusterType": "single-node",
            "MasterUsername": "awsuser", "ManageMasterPassword": true, "KmsKeyId": key,
        })
    };
    let ghost = json!("arn:aws:kms:eu-west-1:111111111111:key/none");
    let code = owner.refused("redshift", "CreateCluster", cluster(&ghost));
    assert_eq!(code, "DependentServiceAccessDenied");
    owner.ask("redshift", "CreateCluster", cluster(&key));
}
