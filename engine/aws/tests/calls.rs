//! Calls through the port into a door that answers in AWS's wire formats: data in and out, what each
//! kind of failure becomes, what the SDK repeats, and derived credentials.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use piton_aws::{Aws, Door, SandboxPerson};
use piton_core::account::{AccountRef, Derivation};
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

fn aws(door: impl Fn(Request<Vec<u8>>) -> Response<Vec<u8>> + Send + Sync + 'static) -> Aws {
    let door: Door = Arc::new(door);
    let clock = Arc::new(Stopped(Mutex::new(Timestamp::from_millis(1_790_000_000_000))));
    let people = |alias: &str| {
        if alias == "nobody" {
            return Err("the world has no such person".to_owned());
        }
        Ok(SandboxPerson {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "not-a-secret".to_owned(),
            region: "eu-west-1".to_owned(),
        })
    };
    Aws::sandbox(door, clock, Arc::new(people), "abc123")
}

fn json_answer(status: u16, body: &Value) -> Response<Vec<u8>> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.header("x-amzn-requestid", "req-1").body(body.to_string().into_bytes()).unwrap()
}

fn perform_as(
    aws: &Aws,
    account: AccountRef,
    operation: &str,
    input: Value,
) -> Result<Answer, CallFailure> {
    let (service, operation) = operation.split_once('.').unwrap();
    let call =
        Call { account, service: service.to_owned(), operation: operation.to_owned(), input };
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(aws.perform(&call))
}

fn perform(aws: &Aws, operation: &str, input: Value) -> Result<Answer, CallFailure> {
    perform_as(aws, AccountRef::alias("publisher"), operation, input)
}

fn body(request: &Request<Vec<u8>>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

#[test]
fn members_go_out_and_come_in_by_their_wire_names() {
    let aws = aws(|request| {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri().path(), "/v2/domains/dzd_1/projects");
        assert_eq!(body(&request), json!({"name": "sales", "glossaryTerms": []}));
        json_answer(
            201,
            &json!({
                "domainId": "dzd_1", "id": "p1", "name": "sales", "createdBy": "me",
                "createdAt": "2026-09-21T14:13:20.500Z", "glossaryTerms": [],
            }),
        )
    });
    let input = json!({
        "domainIdentifier": "dzd_1", "name": "sales", "description": null, "glossaryTerms": [],
    });
    let answer = perform(&aws, "datazone.create_project", input).unwrap();
    assert_eq!(answer.request_id.as_deref(), Some("req-1"));
    assert_eq!(answer.output["createdAt"], "2026-09-21T14:13:20.5Z");
    assert_eq!(answer.output["glossaryTerms"], json!([]));
    // Absent members are null at every depth.
    assert!(answer.output.as_object().unwrap().contains_key("projectStatus"));
    assert_eq!(answer.output["description"], Value::Null);
}

#[test]
fn unions_enums_and_maps_keep_their_form() {
    let aws = aws(|request| {
        let member = &body(&request)["member"];
        assert_eq!(*member, json!({"userIdentifier": "someone"}));
        json_answer(201, &json!({}))
    });
    let input = json!({
        "domainIdentifier": "dzd_1", "projectIdentifier": "p1",
        "designation": "A_DESIGNATION_OF_THE_FUTURE", "member": {"userIdentifier": "someone"},
    });
    perform(&aws, "datazone.create_project_membership", input).unwrap();
}

#[test]
fn query_services_answer_in_xml() {
    let aws = aws(|request| {
        let form = String::from_utf8(request.body().clone()).unwrap();
        assert!(form.contains("Action=GetAccountSummary"), "{form}");
        let xml = "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap>\
                   <entry><key>Users</key><value>3</value></entry>\
                   <entry><key>Groups</key><value>1</value></entry>\
                   </SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>";
        Response::new(xml.as_bytes().to_vec())
    });
    let answer = perform(&aws, "iam.get_account_summary", json!({})).unwrap();
    assert_eq!(answer.output, json!({"SummaryMap": {"Groups": 1, "Users": 3}}));
}

#[test]
fn a_time_that_comes_as_a_number_keeps_its_digits() {
    let aws = aws(|_| {
        let body = r#"{"Name": "x", "CreatedDate": 1573977153.123, "LastChangedDate": 1573977153}"#;
        Response::new(body.as_bytes().to_vec())
    });
    let secret = perform(&aws, "secretsmanager.describe_secret", json!({"SecretId": "x"})).unwrap();
    assert_eq!(secret.output["CreatedDate"], "2019-11-17T07:52:33.123Z");
    assert_eq!(secret.output["LastChangedDate"], "2019-11-17T07:52:33Z");
}

#[test]
fn results_of_statements_are_one_key_maps_and_bytes_are_base64() {
    let aws = aws(|_| {
        json_answer(
            200,
            &json!({"Records": [[
                {"stringValue": "a"}, {"longValue": 7}, {"isNull": true}, {"blobValue": "aGVsbG8="},
                {"doubleValue": 0.5},
            ]]}),
        )
    });
    let answer = perform(&aws, "redshift_data.get_statement_result", json!({"Id": "x"})).unwrap();
    assert_eq!(
        answer.output["Records"][0],
        json!([
            {"stringValue": "a"}, {"longValue": 7}, {"isNull": true}, {"blobValue": "aGVsbG8="},
            {"doubleValue": 0.5},
        ])
    );
}

#[test]
fn an_input_that_does_not_fit_is_refused_before_it_is_sent() {
    let aws = aws(|_| panic!("nothing is to be sent"));
    let input = json!({"domainIdentifier": "dzd_1", "nmae": "x", "resourceTags": {"a": 1}});
    let failure = perform(&aws, "datazone.create_project", input).unwrap_err();
    let CallFailure::Invalid { message, .. } = failure else { panic!("{failure:?}") };
    assert!(message.contains("did you mean `name`?"), "{message}");
    assert!(
        message.contains("resourceTags/a") || message.contains("expected a string"),
        "{message}"
    );
    let failure = perform(&aws, "datazone.create_projet", json!({})).unwrap_err();
    let CallFailure::Invalid { message, .. } = failure else { panic!("{failure:?}") };
    assert!(message.contains("did you mean `create_project`?"), "{message}");
    // What the builder asks for, too.
    let tags = json!({"ResourceName": "arn", "Tags": [{"Value": "x"}], "RoleName": "r"});
    let failure = perform(&aws, "iam.tag_role", tags).unwrap_err();
    assert!(matches!(failure, CallFailure::Invalid { .. }), "{failure:?}");
}

#[test]
fn a_modelled_error_is_an_outcome() {
    let aws = aws(|_| {
        let mut response = json_answer(409, &json!({"message": "it exists"}));
        let kind = "ConflictException".parse().unwrap();
        response.headers_mut().insert("x-amzn-errortype", kind);
        response
    });
    let input = json!({"domainIdentifier": "dzd_1", "name": "sales"});
    let failure = perform(&aws, "datazone.create_project", input).unwrap_err();
    let CallFailure::Refused(error) = failure else { panic!("{failure:?}") };
    assert_eq!((error.code.as_str(), error.message.as_str()), ("ConflictException", "it exists"));
    assert_eq!((error.service.as_str(), error.operation.as_str()), ("datazone", "create_project"));
    assert_eq!((error.http_status, error.request_id.as_deref()), (Some(409), Some("req-1")));
}

#[test]
fn an_error_that_is_no_json_is_told_readably() {
    let aws = aws(|_| {
        let page = "<html><head><title>Blocked</title></head><body>by <b>policy</b></body></html>";
        Response::builder().status(403).body(page.as_bytes().to_vec()).unwrap()
    });
    let failure = perform(&aws, "datazone.get_domain", json!({"identifier": "dzd_1"})).unwrap_err();
    let CallFailure::Refused(error) = failure else { panic!("{failure:?}") };
    assert_eq!(error.code, piton_aws::UNREADABLE_RESPONSE);
    assert_eq!(error.message, "HTTP 403: an unreadable answer: Blocked by policy");
}

#[test]
fn an_unreadable_answer_to_a_call_that_was_done_leaves_a_doubt() {
    let aws = aws(|_| Response::new(b"<html>Welcome to our guest network</html>".to_vec()));
    let input = json!({"domainIdentifier": "dzd_1", "name": "sales"});
    let failure = perform(&aws, "datazone.create_project", input).unwrap_err();
    assert!(matches!(failure, CallFailure::ReplyLost { .. }), "{failure:?}");
    let failure = perform(&aws, "datazone.get_domain", json!({"identifier": "d"})).unwrap_err();
    assert!(matches!(failure, CallFailure::Unavailable { .. }), "{failure:?}");
}

#[test]
fn expired_credentials_are_no_outcome() {
    for code in ["ExpiredTokenException", "UnrecognizedClientException"] {
        let aws = aws(move |_| json_answer(403, &json!({"__type": code, "message": "no"})));
        let failure = perform(&aws, "datazone.get_domain", json!({"identifier": "d"})).unwrap_err();
        assert!(matches!(failure, CallFailure::Credentials { .. }), "{failure:?}");
    }
    let aws = aws(|_| panic!("nothing is to be sent"));
    let account = AccountRef::alias("nobody");
    let failure = perform_as(&aws, account, "iam.list_roles", json!({})).unwrap_err();
    assert!(matches!(failure, CallFailure::Credentials { .. }), "{failure:?}");
}

#[test]
fn renewed_credentials_are_taken_up() {
    let keys = Arc::new(AtomicUsize::new(0));
    let door: Door = Arc::new(|request| match key_of(&request).as_str() {
        "AKID1" => json_answer(403, &json!({"__type": "ExpiredTokenException"})),
        _ => json_answer(200, &json!({"Statements": []})),
    });
    let count = Arc::clone(&keys);
    let people = move |_: &str| {
        let renewed = count.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(SandboxPerson {
            access_key_id: format!("AKID{renewed}"),
            secret_access_key: "not-a-secret".to_owned(),
            region: "eu-west-1".to_owned(),
        })
    };
    let clock = Arc::new(Stopped(Mutex::new(Timestamp::from_millis(1_790_000_000_000))));
    let aws = Aws::sandbox(door, clock, Arc::new(people), "abc123");
    let list = || perform(&aws, "redshift_data.list_statements", json!({}));
    assert!(matches!(list().unwrap_err(), CallFailure::Credentials { .. }));
    list().unwrap();
    list().unwrap();
    assert_eq!(keys.load(Ordering::SeqCst), 2);
}

/// A door that counts its visitors.
fn counted(
    answer: impl Fn() -> Response<Vec<u8>> + Send + Sync + 'static,
) -> (Aws, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let aws = aws(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        answer()
    });
    (aws, count)
}

fn reply_lost() -> Response<Vec<u8>> {
    Response::builder().status(599).header("x-sandbox-reply-lost", "1").body(Vec::new()).unwrap()
}

const ROLE: &str = "iam.create_role";

fn role() -> Value {
    json!({"RoleName": "reader", "AssumeRolePolicyDocument": "{}"})
}

#[test]
fn throttling_is_retried_and_never_an_outcome() {
    let (aws, count) =
        counted(|| json_answer(429, &json!({"__type": "ThrottlingException", "message": "slow"})));
    let input = json!({"domainIdentifier": "dzd_1", "name": "sales"});
    let failure = perform(&aws, "datazone.create_project", input).unwrap_err();
    assert!(matches!(failure, CallFailure::Unavailable { .. }), "{failure:?}");
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

#[test]
fn a_lost_reply_is_sent_again_where_that_is_safe() {
    let (aws, count) = counted(reply_lost);
    let failure = perform(&aws, "iam.list_roles", json!({})).unwrap_err();
    assert!(matches!(failure, CallFailure::Unavailable { .. }), "{failure:?}");
    assert!(count.load(Ordering::SeqCst) > 1);
}

#[test]
fn a_lost_reply_of_an_unrepeatable_call_comes_out_at_once() {
    for answer in [reply_lost, || json_answer(500, &json!({}))] {
        let (aws, count) = counted(answer);
        let failure = perform(&aws, ROLE, role()).unwrap_err();
        assert!(matches!(failure, CallFailure::ReplyLost { .. }), "{failure:?}");
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn an_unrepeatable_call_is_still_retried_when_it_was_throttled() {
    let throttled = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>\
                     <Message>Rate exceeded</Message></Error></ErrorResponse>";
    let (aws, count) = counted(move || {
        Response::builder().status(400).body(throttled.as_bytes().to_vec()).unwrap()
    });
    let failure = perform(&aws, ROLE, role()).unwrap_err();
    assert!(matches!(failure, CallFailure::Unavailable { .. }), "{failure:?}");
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

fn caller(arn: &str, account: &str) -> Response<Vec<u8>> {
    let xml = format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn>\
         <UserId>U</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         </GetCallerIdentityResponse>"
    );
    Response::new(xml.into_bytes())
}

fn key_of(request: &Request<Vec<u8>>) -> String {
    let authorization = request.headers()["authorization"].to_str().unwrap();
    let start = authorization.find("Credential=").unwrap() + "Credential=".len();
    authorization[start..].split('/').next().unwrap().to_owned()
}

#[test]
fn roles_are_assumed_once_and_named_after_the_run() {
    let assumed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&assumed);
    let aws = aws(move |request| {
        let form = String::from_utf8(request.body().clone()).unwrap();
        if form.contains("Action=AssumeRole") {
            assert_eq!(key_of(&request), "AKIDEXAMPLE");
            assert!(form.contains("RoleSessionName=piton-abc123"), "{form}");
            count.fetch_add(1, Ordering::SeqCst);
            let xml = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
                       <AccessKeyId>ASIADERIVED</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                       <SessionToken>t</SessionToken><Expiration>2027-01-01T00:00:00Z</Expiration>\
                       </Credentials></AssumeRoleResult></AssumeRoleResponse>";
            return Response::new(xml.as_bytes().to_vec());
        }
        assert_eq!(key_of(&request), "ASIADERIVED");
        assert!(request.headers()["authorization"].to_str().unwrap().contains("/us-east-1/"));
        caller("arn:aws:sts::222222222222:assumed-role/Reader/piton-abc123", "222222222222")
    });
    let account = AccountRef::alias("publisher")
        .derive(Derivation::Assume {
            role_arn: "arn:aws:iam::222222222222:role/Reader".to_owned(),
            external_id: None,
            session_name: None,
        })
        .derive(Derivation::Region { region: "us-east-1".to_owned() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let principal = runtime.block_on(aws.identify(&account)).unwrap();
    assert_eq!(
        (principal.account.as_str(), principal.region.as_str()),
        ("222222222222", "us-east-1")
    );
    runtime.block_on(aws.identify(&account)).unwrap();
    assert_eq!(assumed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refused_role_is_an_outcome_of_the_derivation() {
    let aws = aws(|_| {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>not yet</Message></Error></ErrorResponse>";
        Response::builder().status(403).body(xml.as_bytes().to_vec()).unwrap()
    });
    let account = AccountRef::alias("publisher").derive(Derivation::Assume {
        role_arn: "arn:aws:iam::222222222222:role/Reader".to_owned(),
        external_id: None,
        session_name: None,
    });
    let failure = perform_as(&aws, account, "iam.list_roles", json!({})).unwrap_err();
    let CallFailure::Refused(error) = failure else { panic!("{failure:?}") };
    assert_eq!((error.operation.as_str(), error.code.as_str()), ("assume_role", "AccessDenied"));
}

#[test]
fn an_environment_lends_its_credentials() {
    let aws = aws(|request| {
        if request.uri().path().ends_with("/environments/e1/credentials") {
            return json_answer(
                200,
                &json!({
                    "accessKeyId": "ASIAENVIRONMENT", "secretAccessKey": "s", "sessionToken": "t",
                    "expiration": "2027-01-01T00:00:00Z",
                }),
            );
        }
        assert_eq!(key_of(&request), "ASIAENVIRONMENT");
        json_answer(200, &json!({"Statements": []}))
    });
    let account = AccountRef::alias("publisher").derive(Derivation::Environment {
        domain: "dzd_1".to_owned(),
        environment: "e1".to_owned(),
    });
    let answer = perform_as(&aws, account, "redshift_data.list_statements", json!({})).unwrap();
    assert_eq!(answer.output["Statements"], json!([]));
}

#[test]
fn a_crate_that_describes_its_types_behaves_as_the_others() {
    let aws = aws(|request| {
        assert_eq!(request.headers()["x-amz-target"], "AmazonAthena.StartQueryExecution");
        let sent = json!({
            "QueryString": "SELECT 1", "WorkGroup": "primary", "ExecutionParameters": ["a"],
            "ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}},
            "ClientRequestToken": "0123456789abcdef0123456789abcdef",
        });
        assert_eq!(body(&request), sent);
        json_answer(200, &json!({"QueryExecutionId": "q1"}))
    });
    let input = json!({
        "QueryString": "SELECT 1", "WorkGroup": "primary", "ExecutionParameters": ["a"],
        "ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}},
        "ClientRequestToken": "0123456789abcdef0123456789abcdef", "QueryExecutionContext": null,
    });
    let answer = perform(&aws, "athena.start_query_execution", input).unwrap();
    assert_eq!(answer.output, json!({"QueryExecutionId": "q1"}));
    assert_eq!(answer.request_id.as_deref(), Some("req-1"));
}

#[test]
fn such_a_crate_s_answers_have_times_as_text_and_nulls_for_what_is_absent() {
    let aws = aws(|_| {
        let status = json!({"State": "SUCCEEDED", "SubmissionDateTime": 1_790_000_000.5});
        json_answer(200, &json!({"QueryExecution": {"QueryExecutionId": "q1", "Status": status}}))
    });
    let input = json!({"QueryExecutionId": "q1"});
    let output = perform(&aws, "athena.get_query_execution", input).unwrap().output;
    let execution = &output["QueryExecution"];
    assert_eq!(execution["Status"]["SubmissionDateTime"], "2026-09-21T14:13:20.5Z");
    assert_eq!(execution["Status"].get("AthenaError"), Some(&Value::Null));
    assert_eq!(execution.get("WorkGroup"), Some(&Value::Null));
}

#[test]
fn such_a_crate_s_inputs_are_checked_before_it_could_fill_them_in() {
    let aws = aws(|_| panic!("nothing is sent"));
    for (input, path) in [
        (json!({}), "QueryString"),
        (json!({"QueryString": "x", "Workgroup": "w"}), "Workgroup"),
        (json!({"QueryString": 1}), "QueryString"),
        (
            json!({"QueryString": "x", "ResultConfiguration": {"EncryptionConfiguration": {}}}),
            "ResultConfiguration/EncryptionConfiguration/EncryptionOption",
        ),
    ] {
        let failure = perform(&aws, "athena.start_query_execution", input).unwrap_err();
        let CallFailure::Invalid { path: found, .. } = failure else { panic!("{failure:?}") };
        assert_eq!(found, path);
    }
    // The model is newer than the crate: said, not dropped.
    let input = json!({"CatalogName": "c", "AttributesToGet": []});
    let failure = perform(&aws, "athena.list_databases", input).unwrap_err();
    let CallFailure::Invalid { message, .. } = failure else { panic!("{failure:?}") };
    assert!(message.contains("AttributesToGet"), "{message}");
}

#[test]
fn documents_enum_keys_and_types_inside_themselves_go_both_ways() {
    let aws = aws(|request| {
        let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
        match target.rsplit('.').next().unwrap() {
            "CreateTable" => {
                let fields = &body(&request)["OpenTableFormatInput"]["IcebergInput"]["CreateIcebergTableInput"]
                    ["Schema"]["Fields"];
                assert_eq!(fields[0]["Type"], json!({"type": "list", "element": ["int", 1, null]}));
                assert_eq!(fields[0]["InitialDefault"], json!(-1));
                json_answer(200, &json!({}))
            }
            "CreateConnection" => {
                let properties = &body(&request)["ConnectionInput"]["ConnectionProperties"];
                assert_eq!(*properties, json!({"HOST": "h", "PORT": "5439"}));
                json_answer(200, &json!({}))
            }
            _ => {
                let inner = json!({"Name": "inner"});
                let details = json!({"RequestedChange": inner});
                let table = json!({"Name": "outer", "Status": {"Details": details}});
                json_answer(200, &json!({"Table": table}))
            }
        }
    });
    let field = json!({
        "Id": 1, "Name": "id", "Required": true, "InitialDefault": -1,
        "Type": {"type": "list", "element": ["int", 1, null]},
    });
    let schema = json!({"Fields": [field]});
    let create = json!({"Location": "s3://lake/t", "Schema": schema});
    let iceberg = json!({"MetadataOperation": "CREATE", "CreateIcebergTableInput": create});
    let input = json!({"DatabaseName": "d", "OpenTableFormatInput": {"IcebergInput": iceberg}});
    perform(&aws, "glue.create_table", input).unwrap();
    let connection = json!({
        "Name": "c", "ConnectionType": "JDBC",
        "ConnectionProperties": {"HOST": "h", "PORT": "5439"},
    });
    let input = json!({"ConnectionInput": connection});
    perform(&aws, "glue.create_connection", input).unwrap();
    let input = json!({"DatabaseName": "d", "Name": "outer"});
    let output = perform(&aws, "glue.get_table", input).unwrap().output;
    assert_eq!(output["Table"]["Status"]["Details"]["RequestedChange"]["Name"], "inner");
    assert_eq!(output["Table"]["Status"]["Details"]["RequestedChange"]["Status"], Value::Null);
}

#[test]
fn a_streamed_answer_is_collected() {
    let aws = aws(|request| {
        assert_eq!(request.uri().host(), Some("data-lakeformation.eu-west-1.amazonaws.com"));
        let response = Response::builder().status(200).header("x-amzn-requestid", "req-1");
        response.body(vec![0, 255, 16]).unwrap()
    });
    let input = json!({
        "QueryId": "01234567-0123-0123-0123-0123456789ab", "WorkUnitId": 0, "WorkUnitToken": "t",
    });
    let answer = perform(&aws, "lakeformation.get_work_unit_results", input).unwrap();
    assert_eq!(answer.output, json!({"ResultStream": "AP8Q"}));
    assert_eq!(answer.request_id.as_deref(), Some("req-1"));
}

#[test]
fn the_smaller_services_are_called_by_name_as_well() {
    let aws = aws(|request| match request.uri().path() {
        "/createresourceshare" => {
            assert_eq!(body(&request)["name"], "domain");
            let share =
                json!({"name": "domain", "status": "ACTIVE", "creationTime": 1_790_000_000});
            json_answer(200, &json!({"resourceShare": share}))
        }
        _ => {
            assert_eq!(request.headers()["x-amz-target"], "RedshiftServerless.GetWorkgroup");
            json_answer(200, &json!({"workgroup": {"workgroupName": "w", "port": 5439}}))
        }
    });
    let output =
        perform(&aws, "ram.create_resource_share", json!({"name": "domain"})).unwrap().output;
    assert_eq!(output["resourceShare"]["creationTime"], "2026-09-21T14:13:20Z");
    let input = json!({"workgroupName": "w"});
    let output = perform(&aws, "redshift_serverless.get_workgroup", input).unwrap().output;
    assert_eq!(output["workgroup"]["port"], 5439);
}
