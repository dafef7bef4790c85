//! The network's transport against listeners on this machine, and profiles from memory.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;

use aws_runtime::env_config::file::EnvConfigFileKind;
use aws_smithy_types::retry::RetryConfig;

use super::*;

const PROFILES: &str = "
[profile keys]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = not-a-secret
region = eu-central-1

[profile signed-in]
sso_session = corporate
sso_account_id = 111111111111
sso_role_name = Reader

[profile through]
role_arn = arn:aws:iam::111111111111:role/Reader
source_profile = signed-in

[profile guarded]
role_arn = arn:aws:iam::111111111111:role/Reader
source_profile = keys
mfa_serial = arn:aws:iam::111111111111:mfa/someone
";

fn aws(text: &str) -> Aws {
    let accounts = Accounts::parse(text, Path::new("piton.toml")).unwrap();
    let files =
        EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, PROFILES).build();
    let profiles = block_on(Profiles::read(files)).unwrap();
    let mut transport = Transport::network(ProxyConfig::disabled());
    transport.retries = RetryConfig::disabled();
    Aws::new(transport, World::real(accounts, profiles), "abc123")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

fn create_role(aws: &Aws) -> CallFailure {
    let call = Call {
        account: AccountRef::alias("publisher"),
        service: "iam".to_owned(),
        operation: "create_role".to_owned(),
        input: json!({"RoleName": "reader", "AssumeRolePolicyDocument": "{}"}),
    };
    block_on(aws.perform(&call)).unwrap_err()
}

fn publisher_at(address: SocketAddr) -> Aws {
    aws(&format!("[accounts.publisher]\nprofile = \"keys\"\nendpoint_url = \"http://{address}\"\n"))
}

#[test]
fn a_refused_connection_had_no_effect() {
    // A port that was free a moment ago: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = create_role(&publisher_at(address));
    let CallFailure::Unavailable { message } = failure else { panic!("{failure:?}") };
    assert!(message.contains("cannot be reached"), "{message}");
}

#[test]
fn a_connection_that_breaks_after_the_request_leaves_a_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut some = [0; 16];
        stream.read_exact(&mut some).unwrap();
    });
    let failure = create_role(&publisher_at(address));
    assert!(matches!(failure, CallFailure::ReplyLost { .. }), "{failure:?}");
    server.join().unwrap();
}

#[test]
fn an_answer_over_the_network_is_read_and_its_account_compared() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut some = [0; 4096];
        while !request.windows(17).any(|part| part == b"GetCallerIdentity") {
            let read = stream.read(&mut some).unwrap();
            request.extend_from_slice(&some[..read]);
        }
        let xml = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
                   <Arn>arn:aws:iam::111111111111:user/someone</Arn>\
                   <Account>111111111111</Account>\
                   </GetCallerIdentityResult></GetCallerIdentityResponse>";
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", xml.len());
        stream.write_all((head + xml).as_bytes()).unwrap();
    });
    let aws = aws(&format!(
        "[accounts.publisher]\nprofile = \"keys\"\nendpoint_url = \"http://{address}\"\n\
         account_id = \"222222222222\"\n"
    ));
    let error = block_on(aws.identify(&AccountRef::alias("publisher"))).unwrap_err();
    assert!(matches!(error, IdentifyError::Pinned { .. }), "{error:?}");
    assert_eq!(aws.region(&AccountRef::alias("publisher")).as_deref(), Some("eu-central-1"));
    server.join().unwrap();
}

#[test]
fn a_service_without_a_typed_client_goes_the_same_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut some = [0; 4096];
        while !request.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut some).unwrap();
            request.extend_from_slice(&some[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-amz-bucket-region: eu-west-3\r\n\r\n").unwrap();
        String::from_utf8(request).unwrap()
    });
    let call = Call {
        account: AccountRef::alias("publisher"),
        service: "s3".to_owned(),
        operation: "head_bucket".to_owned(),
        input: json!({"Bucket": "data-lake"}),
    };
    let answer = block_on(publisher_at(address).perform(&call)).unwrap();
    assert_eq!(answer.output["BucketRegion"], "eu-west-3");
    let request = server.join().unwrap();
    // With an endpoint of its own, the bucket is in the path.
    assert!(request.starts_with("HEAD /data-lake HTTP/1.1"), "{request}");
    let scope = "/eu-central-1/s3/aws4_request";
    assert!(request.contains("Credential=AKIDEXAMPLE/") && request.contains(scope), "{request}");
}

#[test]
fn the_nearest_region_counts() {
    let aws = aws("[defaults]\nregion = \"eu-west-1\"\n[accounts.a]\nprofile = \"keys\"\n\
                   [accounts.b]\nprofile = \"signed-in\"\n[accounts.c]\nregion = \"eu-south-1\"\n");
    let region = |alias: &str| aws.region(&AccountRef::alias(alias));
    assert_eq!(region("a").as_deref(), Some("eu-central-1"));
    assert_eq!(region("b").as_deref(), Some("eu-west-1"));
    assert_eq!(region("c").as_deref(), Some("eu-south-1"));
    assert_eq!(region("unknown"), None);
}

#[test]
fn a_profile_that_asks_for_a_code_is_refused_with_a_way_round() {
    let aws = aws("[accounts.publisher]\nprofile = \"guarded\"\nregion = \"eu-west-1\"\n");
    let failure = create_role(&aws);
    let CallFailure::Credentials { message, .. } = failure else { panic!("{failure:?}") };
    assert!(message.contains("mfa_serial") && message.contains("aws configure sso"), "{message}");
}

#[test]
fn the_command_that_renews_a_sign_in_is_that_of_the_source_profile() {
    let aws =
        aws("[accounts.publisher]\nprofile = \"through\"\n[accounts.b]\nprofile = \"keys\"\n");
    let renew = aws.renew_with("publisher");
    assert_eq!(renew.as_deref(), Some("aws sso login --profile signed-in"));
    assert_eq!(aws.renew_with("b"), None);
}

#[test]
fn an_alias_that_nobody_configured_is_named() {
    let aws = aws("");
    let error = block_on(aws.identify(&AccountRef::alias("publisher"))).unwrap_err();
    assert!(matches!(error, IdentifyError::Unconfigured { .. }), "{error:?}");
}

#[test]
fn roles_of_several_accounts_are_filled_in() {
    let aws = aws("[accounts.consumer]\nrole_arn = \"arn:{partition}:iam::{account}:role/R\"\n");
    let World::Real { accounts, .. } = &aws.world else { panic!("not the sandbox") };
    let (account, member) = accounts.resolve("consumer/222222222222").unwrap();
    let role = account.role(member.as_deref(), Some("cn-north-1")).unwrap();
    assert_eq!(role.as_deref(), Some("arn:aws-cn:iam::222222222222:role/R"));
    assert!(account.role(None, None).is_err());
    let alias = AccountRef::alias("consumer");
    let error = block_on(aws.identify(&alias)).unwrap_err();
    assert!(matches!(error, IdentifyError::Unusable { .. }), "{error:?}");
}
