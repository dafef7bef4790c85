//! The Data Catalog: databases, tables, links, versions, partitions, and what terraform reads back.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use serde_json::{Value, json};
use support::{Bench, Client};

const WORLD: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "other"
account = "consumer"
administrator = true

[[people]]
alias = "reader"
policy = '{"Statement": [{"Effect": "Allow", "Action": ["glue:GetTable", "glue:GetDatabase"], "Resource": ["*"]}]}'
"#;

fn database(client: &Client, name: &str) -> Result<Value, support::Refused> {
    client.call("glue", "CreateDatabase", json!({"DatabaseInput": {"Name": name}}))
}

fn orders() -> Value {
    json!({
        "Name": "Orders", "TableType": "EXTERNAL_TABLE", "Parameters": {"classification": "csv"},
        "PartitionKeys": [{"Name": "year", "Type": "int"}, {"Name": "region", "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "id", "Type": "bigint", "Comment": "Key"}],
            "Location": "s3://lake/orders/",
        },
    })
}

fn table(client: &Client) {
    let input = json!({"DatabaseName": "sales", "TableInput": orders()});
    client.ask("glue", "CreateTable", input);
}

fn code(refused: Result<Value, support::Refused>) -> String {
    refused.unwrap_err().0
}

#[test]
fn databases_are_made_changed_and_removed() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let input = json!({
        "DatabaseInput": {"Name": "Sales", "Description": "d", "Parameters": {"a": "b"}},
        "Tags": {"team": "one"},
    });
    admin.ask("glue", "CreateDatabase", input);
    assert_eq!(code(database(&admin, "SALES")), "AlreadyExistsException");
    let get = |name: &str| admin.call("glue", "GetDatabase", json!({"Name": name}));
    let found = get("sales").unwrap()["Database"].clone();
    assert_eq!((&found["Name"], &found["CatalogId"]), (&json!("sales"), &json!("111111111111")));
    assert_eq!(found["Parameters"], json!({"a": "b"}));
    assert!(found["CreateTime"].is_string());
    let arn = "arn:aws:glue:eu-west-1:111111111111:database/sales";
    let tags = |operation: &str, mut input: Value| {
        input["ResourceArn"] = json!(arn);
        admin.call("glue", operation, input).unwrap()
    };
    tags("TagResource", json!({"TagsToAdd": {"more": "x"}}));
    tags("UntagResource", json!({"TagsToRemove": ["team"]}));
    assert_eq!(tags("GetTags", json!({}))["Tags"], json!({"more": "x"}));
    let update = json!({"Name": "sales", "DatabaseInput": {"Name": "sales", "Description": "new"}});
    admin.ask("glue", "UpdateDatabase", update.clone());
    assert_eq!(get("sales").unwrap()["Database"]["Description"], "new");
    assert!(get("sales").unwrap()["Database"].get("Parameters").is_none());
    admin.ask("glue", "UpdateDatabase", update);
    assert!(!bench.sandbox.log().unwrap().last().unwrap().effect, "nothing else was written");
    table(&admin);
    admin.ask("glue", "DeleteDatabase", json!({"Name": "sales"}));
    let (code, message, status) = get("sales").unwrap_err();
    assert_eq!((code.as_str(), status), ("EntityNotFoundException", 400));
    assert_eq!(message, "Database sales not found.");
    let dump = bench.sandbox.dump().unwrap();
    assert!(dump["resources"]["111111111111"]["eu-west-1"].get("glue").is_none(), "{dump}");
}

#[test]
fn tables_have_versions_and_pages() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    assert_eq!(
        code(admin.call(
            "glue",
            "CreateTable",
            json!({"DatabaseName": "sales", "TableInput": orders()})
        )),
        "EntityNotFoundException"
    );
    database(&admin, "sales").unwrap();
    table(&admin);
    let again = json!({"DatabaseName": "sales", "TableInput": orders()});
    assert_eq!(code(admin.call("glue", "CreateTable", again)), "AlreadyExistsException");
    let at = json!({"DatabaseName": "Sales", "Name": "ORDERS"});
    let get = || admin.ask("glue", "GetTable", at.clone())["Table"].clone();
    let found = get();
    assert_eq!((&found["Name"], &found["DatabaseName"]), (&json!("orders"), &json!("sales")));
    assert_eq!((&found["VersionId"], &found["Retention"]), (&json!("0"), &json!(0)));
    assert_eq!(found["CreatedBy"], "arn:aws:iam::111111111111:user/admin");
    assert_eq!(found["StorageDescriptor"]["Columns"][0]["Comment"], "Key");
    let mut changed = orders();
    changed["Description"] = json!("changed");
    let update = json!({"DatabaseName": "sales", "TableInput": changed});
    admin.ask("glue", "UpdateTable", update.clone());
    admin.ask("glue", "UpdateTable", update);
    assert_eq!(get()["VersionId"], "1", "an equal form is no new version");
    let versions = json!({"DatabaseName": "sales", "TableName": "orders"});
    let versions = admin.ask("glue", "GetTableVersions", versions);
    let ids: Vec<&str> = versions["TableVersions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["VersionId"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["1", "0"]);
    for name in ["a_one", "a_two", "b_three"] {
        let input = json!({"DatabaseName": "sales", "TableInput": {"Name": name}});
        admin.ask("glue", "CreateTable", input);
    }
    let list = |extra: Value| {
        let mut input = json!({"DatabaseName": "sales"});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let listed = admin.ask("glue", "GetTables", input);
        let names: Vec<String> = listed["TableList"]
            .as_array()
            .unwrap()
            .iter()
            .map(|table| table["Name"].as_str().unwrap().to_owned())
            .collect();
        (names, listed["NextToken"].clone())
    };
    assert_eq!(list(json!({"Expression": "a_.*"})).0, ["a_one", "a_two"]);
    let (first, next) = list(json!({"MaxResults": 3}));
    assert_eq!(first.len(), 3);
    assert_eq!(list(json!({"NextToken": next})).0, ["orders"]);
    let search =
        json!({"SearchText": "thr", "Filters": [{"Key": "DatabaseName", "Value": "sales"}]});
    let found = admin.ask("glue", "SearchTables", search);
    assert_eq!(found["TableList"][0]["Name"], "b_three");
    let batch = json!({"DatabaseName": "sales", "TablesToDelete": ["a_one", "none"]});
    let errors = admin.ask("glue", "BatchDeleteTable", batch);
    assert_eq!(errors["Errors"][0]["TableName"], "none");
    assert_eq!(errors["Errors"][0]["ErrorDetail"]["ErrorCode"], "EntityNotFoundException");
    admin.ask("glue", "DeleteTable", at.clone());
    assert_eq!(code(admin.call("glue", "DeleteTable", at)), "EntityNotFoundException");
}

#[test]
fn partitions_are_found_by_their_values() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    database(&admin, "sales").unwrap();
    table(&admin);
    let of = |extra: Value| {
        let mut input = json!({"DatabaseName": "sales", "TableName": "orders"});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        input
    };
    let partition = |year: &str, region: &str| {
        json!({"Values": [year, region],
               "StorageDescriptor": {"Location": format!("s3://lake/orders/{year}/{region}/")}})
    };
    let one = of(json!({"PartitionInput": partition("2024", "eu")}));
    admin.ask("glue", "CreatePartition", one.clone());
    assert_eq!(code(admin.call("glue", "CreatePartition", one)), "AlreadyExistsException");
    let short = of(json!({"PartitionInput": {"Values": ["2024"]}}));
    assert_eq!(code(admin.call("glue", "CreatePartition", short)), "InvalidInputException");
    let many = [partition("2024", "eu"), partition("2024", "us"), partition("950", "eu/uk")];
    let errors = admin
        .call("glue", "BatchCreatePartition", of(json!({"PartitionInputList": many})))
        .unwrap();
    assert_eq!(errors["Errors"][0]["PartitionValues"], json!(["2024", "eu"]));
    let values = |expression: &str| -> Vec<Value> {
        let found = admin.call("glue", "GetPartitions", of(json!({"Expression": expression})));
        let found = found.unwrap()["Partitions"].clone();
        found.as_array().unwrap().iter().map(|one| one["Values"].clone()).collect()
    };
    assert_eq!(values("").len(), 3);
    assert_eq!(values("year > 1000 AND region <> 'us'"), [json!(["2024", "eu"])]);
    let found = of(json!({"PartitionValues": ["950", "eu/uk"]}));
    let found = admin.ask("glue", "GetPartition", found);
    assert_eq!(found["Partition"]["StorageDescriptor"]["Location"], "s3://lake/orders/950/eu/uk/");
    let gone = of(json!({"PartitionValues": ["950", "eu/uk"]}));
    admin.ask("glue", "DeletePartition", gone.clone());
    assert_eq!(code(admin.call("glue", "GetPartition", gone)), "EntityNotFoundException");
    let (code, message, status) =
        admin.call("glue", "GetPartitions", of(json!({"Expression": "year in (1)"}))).unwrap_err();
    assert_eq!((code.as_str(), status), ("NotImplementedInSandbox", 501));
    assert!(message.contains("year in (1)"), "{message}");
}

#[test]
fn what_another_account_has_is_hidden_until_it_is_granted() {
    let bench = Bench::from_toml(WORLD);
    let (admin, other) = (bench.client("admin"), bench.client("other"));
    database(&admin, "sales").unwrap();
    table(&admin);
    let at = json!({"CatalogId": "111111111111", "DatabaseName": "sales", "Name": "orders"});
    let (code, message, _) = other.call("glue", "GetTable", at).unwrap_err();
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("Insufficient Lake Formation permission(s)"), "{message}");
    database(&other, "mine").unwrap();
    let link = json!({"DatabaseName": "mine", "TableInput": {"Name": "link", "TargetTable": {
        "CatalogId": "111111111111", "DatabaseName": "sales", "Name": "orders"}}});
    other.ask("glue", "CreateTable", link);
    let at = json!({"DatabaseName": "mine", "Name": "link"});
    let found = other.ask("glue", "GetTable", at)["Table"].clone();
    assert_eq!(found["TargetTable"]["CatalogId"], "111111111111");
    assert!(found.get("StorageDescriptor").is_none(), "its columns are not ours to see: {found}");
    database(&admin, "here").unwrap();
    let link = json!({"DatabaseName": "here", "TableInput": {"Name": "link", "TargetTable": {
        "CatalogId": "111111111111", "DatabaseName": "sales", "Name": "orders"}}});
    admin.ask("glue", "CreateTable", link);
    let at = json!({"DatabaseName": "here", "Name": "link"});
    let found = admin.ask("glue", "GetTable", at)["Table"].clone();
    assert_eq!(found["StorageDescriptor"]["Columns"][0]["Name"], "id");
}

#[test]
fn iam_decides_by_the_table() {
    let bench = Bench::from_toml(WORLD);
    let (admin, reader) = (bench.client("admin"), bench.client("reader"));
    database(&admin, "sales").unwrap();
    table(&admin);
    let at = json!({"DatabaseName": "sales", "Name": "orders"});
    assert!(reader.call("glue", "GetTable", at.clone()).is_ok());
    let (code, message, _) = reader.call("glue", "DeleteTable", at).unwrap_err();
    assert_eq!(code, "AccessDeniedException");
    assert!(
        message.contains(
            "glue:DeleteTable on resource: arn:aws:glue:eu-west-1:111111111111:table/sales/orders"
        ),
        "{message}"
    );
}

#[test]
fn the_catalogue_has_settings_and_a_policy() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    let ask = |operation: &str, input: Value| admin.call("glue", operation, input);
    let mode = |settings: &Value| {
        settings["DataCatalogEncryptionSettings"]["EncryptionAtRest"]["CatalogEncryptionMode"]
            .clone()
    };
    assert_eq!(mode(&ask("GetDataCatalogEncryptionSettings", json!({})).unwrap()), "DISABLED");
    let settings = json!({"DataCatalogEncryptionSettings": {
        "EncryptionAtRest": {"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": "key"}}});
    ask("PutDataCatalogEncryptionSettings", settings).unwrap();
    assert_eq!(mode(&ask("GetDataCatalogEncryptionSettings", json!({})).unwrap()), "SSE-KMS");
    let status = ask("GetCatalogImportStatus", json!({})).unwrap();
    assert_eq!(status["ImportStatus"]["ImportCompleted"], true);
    assert_eq!(code(ask("GetResourcePolicy", json!({}))), "EntityNotFoundException");
    let policy = json!({"Statement": [{"Effect": "Allow", "Action": "glue:*", "Resource": "*"}]});
    let put = json!({"PolicyInJson": policy.to_string()});
    let hash = ask("PutResourcePolicy", put).unwrap()["PolicyHash"].clone();
    assert_eq!(ask("GetResourcePolicy", json!({})).unwrap()["PolicyHash"], hash);
    let wrong = json!({"PolicyHashCondition": "other"});
    assert_eq!(code(ask("DeleteResourcePolicy", wrong)), "ConditionCheckFailureException");
    ask("DeleteResourcePolicy", json!({"PolicyHashCondition": hash})).unwrap();
}
