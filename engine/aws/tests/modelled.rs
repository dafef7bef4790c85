//! The services that have no typed client: requests as their protocols want them, answers and errors as
//! data, signatures, retries, and what is refused before anything is sent.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use piton_aws::{Aws, Door, SandboxPerson};
use piton_core::account::AccountRef;
use piton_core::ports::{Answer, Call, CallFailure, Clock, Operations as _, Pending};
use piton_core::time::{Span, Timestamp};
use serde_json::{Value, json};

/// A clock that stands still but for sleeps.
struct Stopped(Mutex<Timestamp>);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
    fn sleep(&self, span: Span) -> Pending<'_, ()> {
        let mut now = self.0.lock().unwrap();
        *now = now.after(span);
        Box::pin(std::future::ready(()))
    }
    fn is_virtual(&self) -> bool {
        true
    }
}

fn perform(
    door: impl Fn(Request<Vec<u8>>) -> Response<Vec<u8>> + Send + Sync + 'static,
    operation: &str,
    input: Value,
) -> Result<Answer, CallFailure> {
    let door: Door = Arc::new(door);
    let clock = Arc::new(Stopped(Mutex::new(Timestamp::from_millis(1_790_000_000_000))));
    let people = |_: &str| {
        Ok(SandboxPerson {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "not-a-secret".to_owned(),
            region: "eu-west-1".to_owned(),
        })
    };
    let aws = Aws::sandbox(door, clock, Arc::new(people), "abc123");
    let (service, operation) = operation.split_once('.').unwrap();
    let call = Call {
        account: AccountRef::alias("publisher"),
        service: service.to_owned(),
        operation: operation.to_owned(),
        input,
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(aws.perform(&call))
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    let response = Response::builder().status(status).header("x-amzn-requestid", "req-1");
    response.body(body.into()).unwrap()
}

fn header<'a>(request: &'a Request<Vec<u8>>, name: &str) -> &'a str {
    request.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn body(request: &Request<Vec<u8>>) -> &str {
    std::str::from_utf8(request.body()).unwrap()
}

/// Never reached: for calls that are refused before.
fn nobody(_: Request<Vec<u8>>) -> Response<Vec<u8>> {
    panic!("nothing is sent")
}

#[test]
fn json_names_the_operation_in_a_header_and_everything_else_in_the_body() {
    let door = |request: Request<Vec<u8>>| {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://kms.eu-west-1.amazonaws.com/");
        assert_eq!(header(&request, "x-amz-target"), "TrentService.CreateKey");
        assert_eq!(header(&request, "content-type"), "application/x-amz-json-1.1");
        let scope = "Credential=AKIDEXAMPLE/20260921/eu-west-1/kms/aws4_request";
        assert!(header(&request, "authorization").contains(scope));
        assert!(header(&request, "user-agent").contains("api/kms"));
        let sent: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(
            sent,
            json!({"Description": "lake", "Tags": [{"TagKey": "a", "TagValue": "b"}]})
        );
        let key = json!({"KeyId": "k1", "CreationDate": 1_790_000_000.5, "Unheard": 1});
        answer(200, json!({"KeyMetadata": key}).to_string())
    };
    let input = json!({
        "Description": "lake", "Policy": null, "Tags": [{"TagKey": "a", "TagValue": "b"}],
    });
    let answer = perform(door, "kms.create_key", input).unwrap();
    assert_eq!(answer.request_id.as_deref(), Some("req-1"));
    let key = &answer.output["KeyMetadata"];
    assert_eq!(key["KeyId"], "k1");
    assert_eq!(key["CreationDate"], "2026-09-21T14:13:20.5Z");
    // Absent members are null, unknown ones are left out.
    assert_eq!(key.get("Arn"), Some(&Value::Null));
    assert_eq!(key.get("Unheard"), None);
}

#[test]
fn a_global_service_is_called_and_signed_where_it_is() {
    let door = |request: Request<Vec<u8>>| {
        assert_eq!(request.uri(), "https://organizations.us-east-1.amazonaws.com/");
        assert!(header(&request, "authorization").contains("/us-east-1/organizations/"));
        answer(200, r#"{"Accounts": [], "NextToken": null}"#)
    };
    let answer = perform(door, "organizations.list_accounts", json!({})).unwrap();
    assert_eq!(answer.output["Accounts"], json!([]));
}

#[test]
fn query_sends_a_form_and_reads_xml() {
    let door = |request: Request<Vec<u8>>| {
        assert_eq!(header(&request, "content-type"), "application/x-www-form-urlencoded");
        assert_eq!(
            body(&request),
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A1%3At\
             &Message=a%20b%26c&MessageAttributes.entry.1.Name=kind\
             &MessageAttributes.entry.1.Value.DataType=String\
             &MessageAttributes.entry.1.Value.StringValue=x"
        );
        answer(
            200,
            r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
               <MessageId>m1</MessageId></PublishResult></PublishResponse>"#,
        )
    };
    let input = json!({
        "TopicArn": "arn:aws:sns:eu-west-1:1:t",
        "Message": "a b&c",
        "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "x"}},
    });
    assert_eq!(perform(door, "sns.publish", input).unwrap().output["MessageId"], "m1");

    let door = |_| {
        answer(
            200,
            r#"<GetTopicAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
               <GetTopicAttributesResult><Attributes><entry><key>Owner</key><value>1</value></entry>
               </Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>"#,
        )
    };
    let input = json!({"TopicArn": "t"});
    let answer = perform(door, "sns.get_topic_attributes", input).unwrap();
    assert_eq!(answer.output["Attributes"], json!({"Owner": "1"}));
}

#[test]
fn s3_puts_keys_headers_and_bytes_in_their_places() {
    let door = |request: Request<Vec<u8>>| {
        assert_eq!(request.method(), "PUT");
        assert_eq!(request.uri(), "https://s3.eu-west-1.amazonaws.com/lake/in/a%20b%2Bc.csv");
        assert_eq!(header(&request, "content-type"), "text/csv");
        assert_eq!(header(&request, "x-amz-meta-owner"), "sales");
        assert_eq!(header(&request, "x-amz-content-sha256").len(), 64);
        assert_eq!(body(&request), "id,name\n");
        let mut answer = answer(200, "");
        answer.headers_mut().insert("etag", "\"e1\"".parse().unwrap());
        answer
    };
    let input = json!({
        "Bucket": "lake", "Key": "in/a b+c.csv", "ContentType": "text/csv",
        "Metadata": {"owner": "sales"}, "Body": "aWQsbmFtZQo=",
    });
    assert_eq!(perform(door, "s3.put_object", input).unwrap().output["ETag"], "\"e1\"");
}

#[test]
fn s3_answers_xml_headers_and_bytes() {
    let listing = r#"<?xml version="1.0"?><ListBucketResult
        xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lake</Name><KeyCount>2</KeyCount>
        <IsTruncated>false</IsTruncated>
        <Contents><Key>a</Key><LastModified>2026-09-21T14:13:20.000Z</LastModified><Size>3</Size>
        </Contents><Contents><Key>b</Key><Size>4</Size></Contents></ListBucketResult>"#;
    let door = move |request: Request<Vec<u8>>| {
        assert_eq!(request.uri().path(), "/lake");
        assert_eq!(request.uri().query(), Some("list-type=2&prefix=in%2F"));
        answer(200, listing)
    };
    let input = json!({"Bucket": "lake", "Prefix": "in/"});
    let output = perform(door, "s3.list_objects_v2", input).unwrap().output;
    assert_eq!((&output["KeyCount"], &output["IsTruncated"]), (&json!(2), &json!(false)));
    assert_eq!(output["Contents"][0]["LastModified"], "2026-09-21T14:13:20Z");
    assert_eq!(output["Contents"][1]["Key"], "b");
    assert_eq!(output["CommonPrefixes"], Value::Null);

    let door = |_| {
        let mut answer = answer(200, vec![0, 255]);
        let headers = answer.headers_mut();
        headers.insert("content-length", "2".parse().unwrap());
        headers.insert("last-modified", "Mon, 21 Sep 2026 14:13:20 GMT".parse().unwrap());
        headers.insert("x-amz-meta-owner", "sales".parse().unwrap());
        answer
    };
    let output =
        perform(door, "s3.get_object", json!({"Bucket": "lake", "Key": "a"})).unwrap().output;
    assert_eq!(output["Body"], "AP8=");
    assert_eq!(output["ContentLength"], 2);
    assert_eq!(output["LastModified"], "2026-09-21T14:13:20Z");
    assert_eq!(output["Metadata"], json!({"owner": "sales"}));

    let location = |body: &'static str| {
        let door = move |_| answer(200, body);
        perform(door, "s3.get_bucket_location", json!({"Bucket": "lake"})).unwrap().output
    };
    let spoken = location("<LocationConstraint xmlns=\"x\">eu-west-1</LocationConstraint>");
    assert_eq!(spoken, json!({"LocationConstraint": "eu-west-1"}));
    assert_eq!(location("<LocationConstraint/>"), json!({"LocationConstraint": null}));
}

#[test]
fn s3_bodies_are_xml_with_the_checksum_that_s3_asks_for() {
    let door = |request: Request<Vec<u8>>| {
        assert_eq!(request.uri().query(), Some("delete"));
        assert_eq!(
            body(&request),
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&amp;b</Key>\
             </Object><Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>"
        );
        assert_eq!(header(&request, "x-amz-sdk-checksum-algorithm"), "SHA256");
        assert_eq!(header(&request, "x-amz-checksum-sha256").len(), 44);
        answer(200, "<DeleteResult/>")
    };
    let objects = json!([{"Key": "a&b"}, {"Key": "c"}]);
    let input = json!({"Bucket": "lake", "Delete": {"Objects": objects, "Quiet": true}});
    let output = perform(door, "s3.delete_objects", input).unwrap().output;
    assert_eq!(output["Deleted"], Value::Null);

    let door = |request: Request<Vec<u8>>| {
        assert!(body(&request).contains(
            "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:type=\"CanonicalUser\"><ID>me</ID></Grantee>"
        ));
        answer(200, "")
    };
    let grant = json!({"Grantee": {"Type": "CanonicalUser", "ID": "me"}, "Permission": "READ"});
    let input = json!({"Bucket": "lake", "AccessControlPolicy": {"Grants": [grant]}});
    perform(door, "s3.put_bucket_acl", input).unwrap();
}

#[test]
fn refusals_keep_their_codes_in_every_protocol() {
    for (operation, input, status, text, code, message) in [
        (
            "kms.describe_key",
            json!({"KeyId": "k"}),
            400,
            r#"{"__type": "com.amazonaws.kms#NotFoundException", "message": "no key"}"#,
            "NotFoundException",
            "no key",
        ),
        (
            "sns.get_topic_attributes",
            json!({"TopicArn": "t"}),
            404,
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
             <Type>Sender</Type><Code>NotFound</Code><Message>no topic</Message></Error>\
             </ErrorResponse>",
            "NotFound",
            "no topic",
        ),
        (
            "s3.get_bucket_policy",
            json!({"Bucket": "lake"}),
            404,
            "<Error><Code>NoSuchBucketPolicy</Code><Message>none</Message></Error>",
            "NoSuchBucketPolicy",
            "none",
        ),
        // An answer to HEAD has no body.
        ("s3.head_bucket", json!({"Bucket": "lake"}), 404, "", "NotFound", "no message"),
        // S3 may fail after it began to answer.
        (
            "s3.complete_multipart_upload",
            json!({"Bucket": "lake", "Key": "k", "UploadId": "u"}),
            200,
            "<Error><Code>InvalidPart</Code><Message>gone</Message></Error>",
            "InvalidPart",
            "gone",
        ),
    ] {
        let failure = perform(move |_| answer(status, text), operation, input).unwrap_err();
        let CallFailure::Refused(error) = failure else { panic!("{operation}: {failure:?}") };
        let (service, name) = operation.split_once('.').unwrap();
        assert_eq!((&*error.service, &*error.operation), (service, name));
        assert_eq!((&*error.code, &*error.message), (code, message), "{operation}");
        assert_eq!(error.http_status, Some(status));
        assert_eq!(error.request_id.as_deref(), Some("req-1"), "{operation}");
    }
}

#[test]
fn throttling_is_repeated_and_a_broken_answer_to_a_mutating_call_is_not() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let throttled = move |_| match counter.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => answer(400, r#"{"__type": "ThrottlingException", "message": "slow down"}"#),
        _ => answer(200, r#"{"Keys": []}"#),
    };
    perform(throttled, "kms.list_keys", json!({})).unwrap();
    assert_eq!(sent.load(Ordering::SeqCst), 3);

    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let broken = move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        answer(500, r#"{"__type": "KMSInternalException", "message": "?"}"#)
    };
    let failure = perform(broken, "kms.create_key", json!({})).unwrap_err();
    assert!(matches!(failure, CallFailure::ReplyLost { .. }), "{failure:?}");
    assert_eq!(sent.load(Ordering::SeqCst), 1);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_sent() {
    for (operation, input, path, words) in [
        ("kms.describe_key", json!({"Keyid": "k"}), "Keyid", "did you mean `KeyId`?"),
        ("kms.describe_key", json!({}), "KeyId", "`KeyId` is required"),
        ("s3.head_bucket", json!({"Bucket": ""}), "", "must not be empty"),
        ("s3.head_buckets", json!({}), "", "did you mean `head_bucket`?"),
        (
            "s3.select_object_content",
            json!({
                "Bucket": "b", "Key": "k", "Expression": "x", "ExpressionType": "SQL",
                "InputSerialization": {}, "OutputSerialization": {},
            }),
            "",
            "stream of events",
        ),
        ("s3.head_bucket", json!({"Bucket": "logs--euw1-az1--x-s3"}), "", "not supported"),
        ("nowhere.call", json!({}), "", "not bound"),
    ] {
        match perform(nobody, operation, input).unwrap_err() {
            CallFailure::Invalid { path: found, message } => {
                assert!(message.contains(words), "{operation}: {message}");
                assert_eq!(found, path, "{operation}: {message}");
            }
            other => panic!("{operation}: {other:?}"),
        }
    }
}
