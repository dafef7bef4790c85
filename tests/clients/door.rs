//! What the door answers to requests that no client library would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::served::Served;

/// A request as bytes: nothing is added but the length.
fn send(served: &Served, head: &[&str], body: &str) -> (u16, String) {
    let endpoint = served.endpoint();
    let address = endpoint.strip_prefix("http://").expect("plain HTTP");
    let mut line = TcpStream::connect(address).unwrap();
    let head = head.join("\r\n");
    let length = body.len();
    write!(line, "{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {answer}")), answer.to_lowercase())
}

fn signed(served: &Served, service: &str) -> String {
    signed_with(&served.key("admin"), service)
}

fn signed_with(key: &str, service: &str) -> String {
    format!(
        "authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

const POST: &str = "POST / HTTP/1.1\r\nhost: localhost";
const JSON: &str = "content-type: application/x-amz-json-1.1";
const FORM: &str = "content-type: application/x-www-form-urlencoded; charset=utf-8";

#[test]
fn another_host_is_refused_before_anything_is_read() {
    let served = Served::start(None, "1");
    let signed = signed(&served, "sts");
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    for host in ["example.com", "127.0.0.1.example.com", "169.254.169.254"] {
        let head = format!("POST / HTTP/1.1\r\nhost: {host}");
        let (status, answer) = send(&served, &[&head, FORM, &signed], body);
        assert_eq!(status, 403, "{answer}");
        assert!(!answer.contains("arn:aws"), "{answer}");
    }
    assert_eq!(served.log(), Vec::<serde_json::Value>::new());
    let (status, answer) = send(&served, &[POST, FORM, &signed], body);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("<arn>arn:aws:iam::111111111111:user/admin</arn>"), "{answer}");
    assert!(answer.contains("x-sandbox: 1"), "{answer}");
}

#[test]
fn an_unsigned_request_and_an_unknown_key_are_refused_in_the_service_s_words() {
    let served = Served::start(None, "1");
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let (status, answer) = send(&served, &[POST, FORM], body);
    assert_eq!(status, 403);
    assert!(answer.contains("<code>missingauthenticationtoken</code>"), "{answer}");
    let sts = signed_with("AKIAIOSFODNN7EXAMPLE", "sts");
    let (status, answer) = send(&served, &[POST, FORM, &sts], body);
    assert_eq!(status, 403);
    assert!(answer.contains("<code>invalidclienttokenid</code>"), "{answer}");
    let manager = signed_with("AKIAIOSFODNN7EXAMPLE", "secretsmanager");
    let list = "x-amz-target: secretsmanager.ListSecrets";
    let (status, answer) = send(&served, &[POST, JSON, list, &manager], "{}");
    assert_eq!(status, 400);
    assert!(answer.contains("unrecognizedclientexception"), "{answer}");
    let datazone = signed_with("AKIAIOSFODNN7EXAMPLE", "datazone");
    let head = "GET /v2/domains HTTP/1.1\r\nhost: localhost";
    let (status, answer) = send(&served, &[head, &datazone], "");
    assert_eq!(status, 403);
    assert!(answer.contains("x-amzn-errortype: unrecognizedclientexception"), "{answer}");
    assert!(served.log().iter().all(|call| call["effect"] == false));
}

#[test]
fn a_body_that_is_no_input_is_a_serialization_exception() {
    let served = Served::start(None, "1");
    let signed = signed(&served, "secretsmanager");
    let target = "x-amz-target: secretsmanager.DescribeSecret";
    for body in ["{", "", "[]", "{\"SecretId\": 5}", "{\"SecretId\": \"a\"} more", "\u{0}"] {
        let (status, answer) = send(&served, &[POST, JSON, target, &signed], body);
        assert_eq!(status, 400, "{body}: {answer}");
        // No body at all is an empty input: its required member is what is missing.
        let expected =
            if body.is_empty() { "validationexception" } else { "serializationexception" };
        assert!(answer.contains(expected), "{body}: {answer}");
        assert!(answer.contains("x-amzn-requestid: "), "{answer}");
    }
}

#[test]
fn an_unknown_operation_is_answered_in_each_protocol() {
    let served = Served::start(None, "1");
    let manager = signed(&served, "secretsmanager");
    let target = "x-amz-target: secretsmanager.MakeSecret";
    let (status, answer) = send(&served, &[POST, JSON, target, &manager], "{}");
    assert_eq!(status, 400);
    assert!(answer.contains("unknownoperationexception"), "{answer}");
    let iam = signed(&served, "iam");
    let (status, answer) = send(&served, &[POST, FORM, &iam], "Action=MakeRole&Version=2010-05-08");
    assert_eq!(status, 400);
    assert!(answer.contains("<code>invalidaction</code>"), "{answer}");
    assert!(
        answer.contains("could not find operation makerole for version 2010-05-08"),
        "{answer}"
    );
    let datazone = signed(&served, "datazone");
    let head = "GET /v2/nothing/of/the/sort HTTP/1.1\r\nhost: localhost";
    let (status, answer) = send(&served, &[head, &datazone], "");
    assert_eq!(status, 404);
    assert!(answer.contains("x-amzn-errortype: unknownoperationexception"), "{answer}");
    let kinesis = signed(&served, "kinesis");
    let target = "x-amz-target: Kinesis_20131202.ListStreams";
    let (status, answer) = send(&served, &[POST, JSON, target, &kinesis], "{}");
    assert_eq!(status, 501);
    assert!(answer.contains("notimplementedinsandbox"), "{answer}");
}
