//! Lake Formation: settings with several writers, permissions, and tables of another account.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use serde_json::{Value, json};
use support::{Bench, Client};
use time::Duration;

const PRODUCER: &str = "111111111111";
const CONSUMER: &str = "222222222222";
const EVERYBODY: &str = "IAM_ALLOWED_PRINCIPALS";

const PEOPLE: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "reader"
administrator = true

[[people]]
alias = "other"
account = "consumer"
administrator = true

[[people]]
alias = "guest"
account = "consumer"
administrator = true
"#;

const ADMIN: &str = "arn:aws:iam::111111111111:user/admin";
const READER: &str = "arn:aws:iam::111111111111:user/reader";
const OTHER: &str = "arn:aws:iam::222222222222:user/other";
const GUEST: &str = "arn:aws:iam::222222222222:user/guest";

fn bench(further: &str) -> Bench {
    Bench::from_toml(&format!("{further}\n{PEOPLE}"))
}

fn lf(client: &Client, operation: &str, input: Value) -> Value {
    client.ask("lakeformation", operation, input)
}

fn refused(client: &Client, operation: &str, input: Value) -> String {
    client.refused("lakeformation", operation, input)
}

fn principal(arn: &str) -> Value {
    json!({"DataLakePrincipalIdentifier": arn})
}

/// Settings with these administrators, and no permissions for everybody on what is made.
fn strict(admins: &[&str]) -> Value {
    let admins: Vec<Value> = admins.iter().map(|arn| principal(arn)).collect();
    json!({"DataLakeSettings": {"DataLakeAdmins": admins}})
}

#[expect(clippy::needless_pass_by_value, reason = "tests write the resource where they call")]
fn grant(to: &str, resource: Value, permissions: &[&str]) -> Value {
    json!({"Principal": principal(to), "Resource": resource, "Permissions": permissions})
}

fn database(name: &str) -> Value {
    json!({"Database": {"Name": name}})
}

fn sales() -> Value {
    json!({"Table": {"CatalogId": PRODUCER, "DatabaseName": "pub", "Name": "sales"}})
}

/// Makes `pub.sales` as the producer's data lake administrator.
fn table(admin: &Client) {
    admin.ask("glue", "CreateDatabase", json!({"DatabaseInput": {"Name": "pub"}}));
    let columns = json!([{"Name": "id", "Type": "int"}]);
    let input = json!({"DatabaseName": "pub", "TableInput": {
        "Name": "sales", "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": {"Columns": columns, "Location": "s3://lake/pub/sales"},
    }});
    admin.ask("glue", "CreateTable", input);
}

fn seen(client: &Client) -> Result<Value, String> {
    let input = json!({"CatalogId": PRODUCER, "DatabaseName": "pub", "Name": "sales"});
    client.call("glue", "GetTable", input).map_err(|refused| refused.0)
}

fn permissions(client: &Client, filter: Value) -> Vec<Value> {
    let answer = lf(client, "ListPermissions", filter);
    answer["PrincipalResourcePermissions"].as_array().unwrap().clone()
}

#[test]
fn settings_are_one_document_and_the_last_writer_has_it() {
    let bench = bench("");
    let admin = bench.client("admin");
    let preset = lf(&admin, "GetDataLakeSettings", json!({}));
    let everybody = &preset["DataLakeSettings"]["CreateTableDefaultPermissions"][0];
    assert_eq!(everybody["Principal"], principal(EVERYBODY));
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN]));
    lf(&bench.client("reader"), "PutDataLakeSettings", strict(&[READER]));
    let settings = lf(&admin, "GetDataLakeSettings", json!({}))["DataLakeSettings"].clone();
    assert_eq!(settings["DataLakeAdmins"], json!([principal(READER)]));
    assert_eq!(settings["CreateTableDefaultPermissions"], json!([]));
    assert_eq!(settings["Parameters"]["CROSS_ACCOUNT_VERSION"], "4");
    lf(&admin, "PutDataLakeSettings", strict(&[READER]));
    assert!(!bench.sandbox.log().unwrap().last().unwrap().effect);
    // What was there before is put back, and nothing is left of all this.
    lf(&admin, "PutDataLakeSettings", preset);
    let dump = bench.sandbox.dump().unwrap();
    assert!(dump["resources"][PRODUCER]["eu-west-1"].get("lakeformation").is_none());
}

#[test]
fn one_deleted_administrator_refuses_every_later_put() {
    let bench = bench("");
    let admin = bench.client("admin");
    admin.ask("iam", "CreateUser", json!({"UserName": "former"}));
    let former = "arn:aws:iam::111111111111:user/former";
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN, former]));
    admin.ask("iam", "DeleteUser", json!({"UserName": "former"}));
    let (code, message, status) = admin
        .call("lakeformation", "PutDataLakeSettings", strict(&[ADMIN, former, READER]))
        .unwrap_err();
    assert_eq!((code.as_str(), status), ("InvalidInputException", 400));
    assert!(message.to_lowercase().contains("invalid principal"), "{message}");
    assert!(message.contains(former), "{message}");
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN, READER]));
    let many = vec![ADMIN; 31];
    assert_eq!(refused(&admin, "PutDataLakeSettings", strict(&many)), "InvalidInputException");
}

#[test]
fn a_world_can_have_poisoned_settings_from_the_start() {
    let bench = bench("[failures]\npoisoned_lake_formation_admins = true\n");
    let other = bench.client("other");
    let settings = lf(&other, "GetDataLakeSettings", json!({}));
    let listed = settings["DataLakeSettings"]["DataLakeAdmins"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(refused(&other, "PutDataLakeSettings", settings), "InvalidInputException");
    lf(&other, "PutDataLakeSettings", strict(&[OTHER]));
}

#[test]
fn permissions_are_granted_by_administrators_and_by_those_who_may_hand_them_on() {
    let bench = bench("");
    let (admin, reader) = (bench.client("admin"), bench.client("reader"));
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN]));
    table(&admin);
    assert_eq!(seen(&reader), Err("AccessDeniedException".to_owned()));
    let mine = grant(READER, sales(), &["SELECT"]);
    assert_eq!(refused(&reader, "GrantPermissions", mine.clone()), "AccessDeniedException");
    lf(&admin, "GrantPermissions", mine.clone());
    assert!(seen(&reader).is_ok());
    lf(&admin, "GrantPermissions", mine.clone());
    assert!(!bench.sandbox.log().unwrap().last().unwrap().effect);
    assert_eq!(refused(&reader, "GrantPermissions", mine.clone()), "AccessDeniedException");
    let mut handed = mine.clone();
    handed["PermissionsWithGrantOption"] = json!(["SELECT"]);
    lf(&admin, "GrantPermissions", handed);
    lf(&reader, "GrantPermissions", grant(EVERYBODY, sales(), &["SELECT"]));
    let of_reader = permissions(&admin, json!({"Principal": principal(READER)}));
    assert_eq!(of_reader[0]["PermissionsWithGrantOption"], json!(["SELECT"]));
    assert_eq!(of_reader[0]["Resource"]["Table"]["Name"], "sales");
    let everybody = permissions(&admin, json!({"Principal": principal(EVERYBODY)}));
    assert_eq!(everybody[0]["LastUpdatedBy"], READER);
    lf(&admin, "RevokePermissions", mine.clone());
    let (code, message, _) = admin.call("lakeformation", "RevokePermissions", mine).unwrap_err();
    assert_eq!(code, "InvalidInputException");
    assert!(message.contains("No permissions revoked"), "{message}");
    assert!(seen(&reader).is_ok(), "everybody may still see it");
    lf(&admin, "RevokePermissions", grant(EVERYBODY, sales(), &["SELECT"]));
    assert_eq!(seen(&reader), Err("AccessDeniedException".to_owned()));
}

#[test]
fn wrong_permissions_principals_and_things_are_named() {
    let bench = bench("");
    let admin = bench.client("admin");
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN]));
    table(&admin);
    let code = |input: Value| refused(&admin, "GrantPermissions", input);
    assert_eq!(code(grant(READER, database("pub"), &["SELECT"])), "InvalidInputException");
    let ghost = "arn:aws:iam::111111111111:role/Ghost";
    assert_eq!(code(grant(ghost, sales(), &["SELECT"])), "InvalidInputException");
    assert_eq!(code(grant(READER, database("none"), &["DESCRIBE"])), "EntityNotFoundException");
    let tag = json!({"LFTag": {"TagKey": "k", "TagValues": ["v"]}});
    assert_eq!(code(grant(READER, tag, &["DESCRIBE"])), "NotImplementedInSandbox");
    let entries = json!({"Entries": [
        {"Id": "1", "Principal": principal(READER), "Resource": sales(), "Permissions": ["SELECT"]},
        {"Id": "2", "Principal": principal(ghost), "Resource": sales(), "Permissions": ["SELECT"]},
    ]});
    let answer = lf(&admin, "BatchGrantPermissions", entries.clone());
    assert_eq!(answer["Failures"][0]["RequestEntry"]["Id"], "2");
    assert_eq!(answer["Failures"].as_array().unwrap().len(), 1);
    let answer = lf(&admin, "BatchRevokePermissions", entries);
    assert_eq!(answer["Failures"][0]["Error"]["ErrorCode"], "InvalidInputException");
}

#[test]
fn lists_are_filtered_and_come_in_pages() {
    let bench = bench("");
    let admin = bench.client("admin");
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN]));
    table(&admin);
    lf(&admin, "GrantPermissions", grant(READER, database("pub"), &["DESCRIBE"]));
    lf(&admin, "GrantPermissions", grant(READER, sales(), &["SELECT"]));
    let of_kind = |kind: &str| {
        let filter = json!({"Principal": principal(READER), "ResourceType": kind});
        permissions(&admin, filter).len()
    };
    assert_eq!((of_kind("DATABASE"), of_kind("TABLE"), of_kind("DATA_LOCATION")), (1, 1, 0));
    let filter = json!({"Resource": sales()});
    let all = permissions(&admin, filter).len();
    assert_eq!(all, 2, "the maker's and the reader's");
    let first = lf(&admin, "ListPermissions", json!({"MaxResults": 1}));
    let next = json!({"MaxResults": 1, "NextToken": first["NextToken"]});
    let second = lf(&admin, "ListPermissions", next);
    assert_ne!(first["PrincipalResourcePermissions"], second["PrincipalResourcePermissions"]);
    let path = json!({"ResourceArn": "arn:aws:s3:::lake/pub"});
    let effective = lf(&admin, "GetEffectivePermissionsForPath", path);
    assert_eq!(effective["Permissions"].as_array().unwrap().len(), 2);
    admin.ask("glue", "DeleteTable", json!({"DatabaseName": "pub", "Name": "sales"}));
    assert_eq!(permissions(&admin, json!({"ResourceType": "TABLE"})).len(), 0);
}

#[test]
fn a_new_thing_is_its_maker_s_and_everybody_s_as_the_settings_say() {
    let bench = bench("");
    let (admin, reader) = (bench.client("admin"), bench.client("reader"));
    table(&admin);
    assert!(seen(&reader).is_ok(), "by the preset settings IAM decides");
    let of = |who: &str| {
        let filter = json!({"Principal": principal(who), "ResourceType": "TABLE"});
        permissions(&admin, filter)[0]["Permissions"].clone()
    };
    assert_eq!(of(EVERYBODY), json!(["ALL"]));
    assert!(of(ADMIN).as_array().unwrap().contains(&json!("SELECT")));
}

/// A producer with a strict data lake and a table, and a consumer who administers its own.
fn across(world: &str) -> (Bench, Client, Client, Client) {
    let bench = bench(world);
    let (admin, other) = (bench.client("admin"), bench.client("other"));
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN]));
    lf(&other, "PutDataLakeSettings", strict(&[OTHER]));
    table(&admin);
    let guest = bench.client("guest");
    (bench, admin, other, guest)
}

fn shares(consumer: &Client) -> Vec<Value> {
    let input = json!({"resourceOwner": "OTHER-ACCOUNTS"});
    consumer.ask("ram", "GetResourceShares", input)["resourceShares"].as_array().unwrap().clone()
}

#[test]
fn another_account_has_a_table_once_it_accepted_the_share_and_hands_it_on_inside() {
    let (bench, admin, other, guest) = across("");
    lf(&admin, "GrantPermissions", grant(CONSUMER, sales(), &["DESCRIBE", "SELECT"]));
    bench.sandbox.advance(Duration::seconds(10)).unwrap();
    assert_eq!(shares(&other), Vec::<Value>::new());
    assert!(seen(&other).is_err());
    let invitations = other.ask("ram", "GetResourceShareInvitations", json!({}));
    let invitation = &invitations["resourceShareInvitations"][0];
    assert!(invitation["resourceShareName"].as_str().unwrap().starts_with("LakeFormation-V4-"));
    let arn = &invitation["resourceShareInvitationArn"];
    other.ask("ram", "AcceptResourceShareInvitation", json!({"resourceShareInvitationArn": arn}));
    assert_eq!(shares(&other)[0]["owningAccountId"], PRODUCER);
    assert!(seen(&other).is_ok(), "the consumer's administrator has what its account has");
    assert!(seen(&guest).is_err(), "others need a grant of their own");
    lf(&other, "GrantPermissions", grant(GUEST, sales(), &["SELECT"]));
    assert!(seen(&guest).is_ok());
    let told = permissions(&other, json!({"Principal": principal(CONSUMER)}));
    assert_eq!(told[0]["Resource"]["Table"]["CatalogId"], PRODUCER);
    assert_eq!(
        told[0]["AdditionalDetails"]["ResourceShare"][0],
        shares(&other)[0]["resourceShareArn"]
    );
    let more = grant(GUEST, sales(), &["INSERT"]);
    assert_eq!(refused(&other, "GrantPermissions", more), "AccessDeniedException");
    lf(&admin, "RevokePermissions", grant(CONSUMER, sales(), &["DESCRIBE", "SELECT"]));
    assert!(seen(&guest).is_err() && seen(&other).is_err());
    bench.sandbox.advance(Duration::seconds(10)).unwrap();
    assert_eq!(shares(&other), Vec::<Value>::new(), "the share went with its last table");
}

#[test]
fn inside_an_organisation_a_role_of_another_account_has_it_at_once() {
    let (bench, admin, other, guest) = across("organisation = true\n");
    lf(&admin, "GrantPermissions", grant(GUEST, sales(), &["SELECT"]));
    bench.sandbox.advance(Duration::seconds(10)).unwrap();
    assert_eq!(shares(&other).len(), 1);
    assert!(seen(&guest).is_ok());
    assert!(seen(&other).is_err());
}

#[test]
fn locations_are_registered_once_and_found() {
    let bench = bench("");
    let admin = bench.client("admin");
    lf(&admin, "PutDataLakeSettings", strict(&[ADMIN]));
    table(&admin);
    let location = json!({"ResourceArn": "arn:aws:s3:::lake/pub"});
    assert_eq!(refused(&admin, "DescribeResource", location.clone()), "EntityNotFoundException");
    assert_eq!(refused(&admin, "RegisterResource", location.clone()), "InvalidInputException");
    let mut linked = location.clone();
    linked["UseServiceLinkedRole"] = json!(true);
    lf(&admin, "RegisterResource", linked.clone());
    assert_eq!(refused(&admin, "RegisterResource", linked), "AlreadyExistsException");
    let found = lf(&admin, "DescribeResource", location.clone())["ResourceInfo"].clone();
    assert!(found["RoleArn"].as_str().unwrap().contains("AWSServiceRoleForLakeFormation"));
    assert_eq!(seen(&admin).unwrap()["Table"]["IsRegisteredWithLakeFormation"], true);
    let filter = json!({"FilterConditionList": [{
        "Field": "RESOURCE_ARN", "ComparisonOperator": "BEGINS_WITH",
        "StringValueList": ["arn:aws:s3:::lake"],
    }]});
    let listed = lf(&admin, "ListResources", filter)["ResourceInfoList"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let on_it = json!({"DataLocation": {"ResourceArn": "arn:aws:s3:::lake/pub"}});
    lf(&admin, "GrantPermissions", grant(READER, on_it, &["DATA_LOCATION_ACCESS"]));
    lf(&admin, "DeregisterResource", location.clone());
    assert_eq!(refused(&admin, "DeregisterResource", location), "EntityNotFoundException");
}
