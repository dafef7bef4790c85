//! Amazon S3: buckets whose names are global, objects by page, settings, and who may do what.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
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
policy = '{"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::lake/open/*"}]}'
"#;

fn create(client: &Client, name: &str) -> Result<Value, support::Refused> {
    let configuration = json!({"LocationConstraint": client.region});
    client.call(
        "s3",
        "CreateBucket",
        json!({"Bucket": name, "CreateBucketConfiguration": configuration}),
    )
}

fn put(client: &Client, key: &str, body: &str) -> Value {
    let input = json!({"Bucket": "lake", "Key": key, "Body": STANDARD.encode(body)});
    client.ask("s3", "PutObject", input)
}

#[expect(clippy::needless_pass_by_value, reason = "tests write the input where they call")]
fn keys(client: &Client, extra: Value) -> (Vec<String>, Value) {
    let mut input = json!({"Bucket": "lake"});
    input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let listed = client.ask("s3", "ListObjectsV2", input);
    let contents = listed["Contents"].as_array().cloned().unwrap_or_default();
    let keys = contents.iter().map(|object| object["Key"].as_str().unwrap().to_owned()).collect();
    (keys, listed)
}

fn code(refused: Result<Value, support::Refused>) -> (String, u16) {
    let (code, _, status) = refused.unwrap_err();
    (code, status)
}

#[test]
fn names_are_global_and_regions_are_told() {
    let bench = Bench::from_toml(WORLD);
    let (admin, other) = (bench.client("admin"), bench.client("other"));
    let made = create(&admin, "lake").unwrap();
    assert_eq!(made["Location"], "http://lake.s3.amazonaws.com/");
    assert_eq!(code(create(&admin, "lake")), ("BucketAlreadyOwnedByYou".to_owned(), 409));
    assert_eq!(code(create(&other, "lake")), ("BucketAlreadyExists".to_owned(), 409));
    assert_eq!(code(create(&admin, "No_Name")), ("InvalidBucketName".to_owned(), 400));
    let bare = admin.call("s3", "CreateBucket", json!({"Bucket": "bare"}));
    assert_eq!(code(bare).0, "IllegalLocationConstraintException");
    let head =
        |client: &Client, name: &str| client.call("s3", "HeadBucket", json!({"Bucket": name}));
    assert_eq!(head(&admin, "lake").unwrap()["BucketRegion"], "eu-west-1");
    assert_eq!(code(head(&admin, "none")), ("NotFound".to_owned(), 404));
    assert_eq!(code(head(&other, "lake")), ("Forbidden".to_owned(), 403));
    let far = admin.in_region("us-east-1");
    assert_eq!(code(head(&far, "lake")), ("MovedPermanently".to_owned(), 301));
    let response = far.send(far.request("s3", "HeadBucket", &json!({"Bucket": "lake"})));
    assert_eq!(response.headers()["x-amz-bucket-region"], "eu-west-1");
    assert!(response.body().is_empty());
    let place = far.ask("s3", "GetBucketLocation", json!({"Bucket": "lake"}));
    assert_eq!(place, json!({"LocationConstraint": "eu-west-1"}));
    let listed = admin.ask("s3", "ListBuckets", json!({}));
    assert_eq!(listed["Buckets"][0]["Name"], "lake");
    assert_eq!(other.ask("s3", "ListBuckets", json!({}))["Buckets"], json!([]));
}

#[test]
fn objects_are_what_was_put() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin, "lake").unwrap();
    let body = STANDARD.encode("Größe\r\n\u{0}");
    let input = json!({
        "Bucket": "lake", "Key": "a b/ü+%.txt", "Body": body, "ContentType": "text/plain",
        "Metadata": {"owner": "admin"}, "Tagging": "team=lake%20one",
    });
    let etag = admin.ask("s3", "PutObject", input)["ETag"].clone();
    let at = json!({"Bucket": "lake", "Key": "a b/ü+%.txt"});
    let found = admin.ask("s3", "GetObject", at.clone());
    assert_eq!((&found["Body"], &found["ETag"]), (&json!(body), &etag));
    assert_eq!(found["ContentType"], "text/plain");
    assert_eq!(found["Metadata"], json!({"owner": "admin"}));
    let head = admin.ask("s3", "HeadObject", at.clone());
    assert_eq!((&head["ContentLength"], &head["ETag"]), (&json!(10), &etag));
    let tags = admin.ask("s3", "GetObjectTagging", at.clone());
    assert_eq!(tags["TagSet"], json!([{"Key": "team", "Value": "lake one"}]));
    let copy =
        json!({"Bucket": "lake", "Key": "copy", "CopySource": "lake/a%20b/%C3%BC%2B%25.txt"});
    assert_eq!(admin.ask("s3", "CopyObject", copy)["CopyObjectResult"]["ETag"], etag);
    assert_eq!(keys(&admin, json!({})).0, ["a b/ü+%.txt", "copy"]);
    let first = json!({"Bucket": "lake", "Key": "copy", "Body": "", "IfNoneMatch": "*"});
    assert_eq!(code(admin.call("s3", "PutObject", first)), ("PreconditionFailed".to_owned(), 412));
    put(&admin, "again", "x");
    put(&admin, "again", "x");
    assert!(!bench.sandbox.log().unwrap().last().unwrap().effect, "nothing else was written");
    admin.ask("s3", "DeleteObject", json!({"Bucket": "lake", "Key": "again"}));
    let effects = |client: &Client| {
        client.ask("s3", "DeleteObject", at.clone());
        bench.sandbox.log().unwrap().last().unwrap().effect
    };
    assert!(effects(&admin));
    assert!(!effects(&admin));
    let missing = admin.call("s3", "GetObject", at);
    assert_eq!(code(missing), ("NoSuchKey".to_owned(), 404));
}

#[test]
fn lists_come_by_page_and_in_folders() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin, "lake").unwrap();
    for key in ["a/1", "a/2", "b", "c/1", "d/"] {
        put(&admin, key, "x");
    }
    let (first, page) = keys(&admin, json!({"MaxKeys": 2}));
    assert_eq!(
        (first, &page["IsTruncated"]),
        (vec!["a/1".to_owned(), "a/2".to_owned()], &json!(true))
    );
    let rest = json!({"ContinuationToken": page["NextContinuationToken"]});
    assert_eq!(keys(&admin, rest).0, ["b", "c/1", "d/"]);
    let (plain, folders) = keys(&admin, json!({"Delimiter": "/"}));
    assert_eq!(plain, ["b"]);
    assert_eq!(
        folders["CommonPrefixes"],
        json!([{"Prefix": "a/"}, {"Prefix": "c/"}, {"Prefix": "d/"}])
    );
    assert_eq!(folders["KeyCount"], 4);
    assert_eq!(keys(&admin, json!({"Prefix": "a/", "StartAfter": "a/1"})).0, ["a/2"]);
    let delete =
        json!({"Bucket": "lake", "Delete": {"Objects": [{"Key": "a/1"}, {"Key": "none"}]}});
    let deleted = admin.ask("s3", "DeleteObjects", delete);
    assert_eq!(deleted["Deleted"], json!([{"Key": "a/1"}, {"Key": "none"}]));
    let remove = || admin.call("s3", "DeleteBucket", json!({"Bucket": "lake"}));
    assert_eq!(code(remove()), ("BucketNotEmpty".to_owned(), 409));
    for key in keys(&admin, json!({})).0 {
        admin.ask("s3", "DeleteObject", json!({"Bucket": "lake", "Key": key}));
    }
    remove().unwrap();
    assert_eq!(code(remove()), ("NoSuchBucket".to_owned(), 404));
}

#[test]
fn settings_are_kept_and_missing_ones_are_named() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin, "lake").unwrap();
    let ask = |operation: &str, extra: Value| {
        let mut input = json!({"Bucket": "lake"});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        admin.call("s3", operation, input)
    };
    let missing = [
        ("GetBucketTagging", "NoSuchTagSet"),
        ("GetBucketPolicy", "NoSuchBucketPolicy"),
        ("GetBucketCors", "NoSuchCORSConfiguration"),
        ("GetBucketWebsite", "NoSuchWebsiteConfiguration"),
        ("GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration"),
        ("GetBucketReplication", "ReplicationConfigurationNotFoundError"),
        ("GetObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"),
    ];
    for (operation, error) in missing {
        assert_eq!(code(ask(operation, json!({}))), (error.to_owned(), 404));
    }
    assert_eq!(ask("GetBucketVersioning", json!({})).unwrap(), json!({}));
    assert_eq!(ask("GetBucketRequestPayment", json!({})).unwrap()["Payer"], "BucketOwner");
    let block = &ask("GetPublicAccessBlock", json!({})).unwrap()["PublicAccessBlockConfiguration"];
    assert_eq!(block["BlockPublicAcls"], true);
    let acl = ask("GetBucketAcl", json!({})).unwrap();
    assert_eq!(acl["Grants"][0]["Permission"], "FULL_CONTROL");
    assert_eq!(acl["Grants"][0]["Grantee"]["Type"], "CanonicalUser");
    let set = json!({"TagSet": [{"Key": "run", "Value": "a<b>&\"c\""}]});
    ask("PutBucketTagging", json!({"Tagging": set})).unwrap();
    assert_eq!(ask("GetBucketTagging", json!({})).unwrap(), set);
    ask("DeleteBucketTagging", json!({})).unwrap();
    assert!(ask("GetBucketTagging", json!({})).is_err());
    let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault":
        {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"}, "BucketKeyEnabled": true}]});
    ask("PutBucketEncryption", json!({"ServerSideEncryptionConfiguration": rules})).unwrap();
    let kept = ask("GetBucketEncryption", json!({})).unwrap();
    assert_eq!(kept["ServerSideEncryptionConfiguration"], rules);
    let enabled =
        ask("PutBucketVersioning", json!({"VersioningConfiguration": {"Status": "Enabled"}}));
    assert_eq!(code(enabled), ("NotImplementedInSandbox".to_owned(), 501));
}

#[test]
fn policies_of_callers_and_of_the_bucket_decide_together() {
    let bench = Bench::from_toml(WORLD);
    let (admin, other, reader) =
        (bench.client("admin"), bench.client("other"), bench.client("reader"));
    create(&admin, "lake").unwrap();
    put(&admin, "open/a", "x");
    put(&admin, "shut/a", "x");
    let get = |client: &Client, key: &str| {
        client.call("s3", "GetObject", json!({"Bucket": "lake", "Key": key}))
    };
    assert!(get(&reader, "open/a").is_ok());
    let denied = get(&reader, "shut/a").unwrap_err();
    assert_eq!((denied.0.as_str(), denied.2), ("AccessDenied", 403));
    assert!(
        denied.1.contains("s3:GetObject on resource: \"arn:aws:s3:::lake/shut/a\""),
        "{}",
        denied.1
    );
    // Whoever may not list is not told what is missing.
    assert_eq!(code(get(&reader, "open/none")).0, "AccessDenied");
    assert_eq!(code(get(&other, "open/a")).0, "AccessDenied");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
         "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/open/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "*"},
    ]});
    let input = json!({"Bucket": "lake", "Policy": policy.to_string()});
    admin.ask("s3", "PutBucketPolicy", input);
    assert!(get(&other, "open/a").is_ok());
    assert_eq!(code(get(&other, "shut/a")).0, "AccessDenied");
    let delete = json!({"Bucket": "lake", "Delete": {"Objects": [{"Key": "open/a"}]}});
    let answer = admin.ask("s3", "DeleteObjects", delete);
    assert_eq!(answer["Errors"][0]["Code"], "AccessDenied");
    let malformed = json!({"Bucket": "lake", "Policy": "{"});
    assert_eq!(code(admin.call("s3", "PutBucketPolicy", malformed)).0, "MalformedPolicy");
}

#[test]
fn a_bucket_may_be_in_the_host_name() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin, "lake").unwrap();
    put(&admin, "a/b.txt", "x");
    for (host, uri) in [
        ("lake.localhost:4599", "/a/b.txt"),
        ("lake.s3.eu-west-1.amazonaws.com", "/a/b.txt"),
        ("127.0.0.1:4599", "/lake/a/b.txt"),
        ("s3.eu-west-1.amazonaws.com", "/lake/a/b.txt"),
    ] {
        let mut request = admin.request("s3", "GetObject", &json!({"Bucket": "lake", "Key": "k"}));
        *request.uri_mut() = uri.parse().unwrap();
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(admin.send(request).body(), b"x", "{host}");
    }
    let mut request = admin.request("s3", "ListObjectsV2", &json!({"Bucket": "lake"}));
    *request.uri_mut() = "http://lake.localhost:1/?list-type=2&prefix=a".parse().unwrap();
    assert_eq!(request.method(), Method::GET);
    let listed = String::from_utf8(admin.send(request).into_body()).unwrap();
    assert!(listed.starts_with("<ListBucketResult"), "{listed}");
    assert!(listed.contains("<Key>a/b.txt</Key>"), "{listed}");
}

#[test]
fn the_dump_shows_objects_by_their_digests() {
    let bench = Bench::from_toml(WORLD);
    let admin = bench.client("admin");
    create(&admin, "lake").unwrap();
    put(&admin, "a", "what it holds");
    let dump = bench.sandbox.dump().unwrap();
    let s3 = &dump["resources"]["111111111111"]["eu-west-1"]["s3"];
    assert_eq!(s3["bucket"]["lake"]["name"], "lake");
    assert_eq!(s3["object"]["lake/a"]["size"], 13);
    assert!(!dump.to_string().contains(&STANDARD.encode("what it holds")));
}
