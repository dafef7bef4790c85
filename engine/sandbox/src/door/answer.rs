//! The way of one request through the sandbox.

use http::{HeaderValue, Method, Request, Response, StatusCode};
use piton_models::{Model, Operation, Protocol, names, validate};
use rusqlite::Transaction;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::ledger::{self, CallRecord, Origin};
use super::tokens::{Known, Token};
use super::{InProcess, ReplyLost, SandboxError, clock, throttle};
use crate::access::{self, Question};
use crate::fault::{self, Strike};
use crate::people::{self, Principal};
use crate::protocol::{self, Credential, ProtocolError, Route, RouteError, ServiceError, server};
use crate::services::{self, AwsFault, Call, Service};
use crate::world::{Scope, World, timestamp};

/// Beginnings of the names of operations that change nothing.
const READING: [&str; 13] = [
    "BatchGet", "Check", "Decode", "Describe", "Generate", "Get", "Head", "List", "Lookup",
    "Query", "Search", "Simulate", "Test",
];

/// What became of a call.
struct Outcome {
    reply: Result<Value, AwsFault>,
    effect: bool,
    lost: bool,
}

impl Outcome {
    fn refused(fault: AwsFault) -> Self {
        Self { reply: Err(fault), effect: false, lost: false }
    }
}

/// One request on its way.
struct Visit<'a> {
    transaction: &'a Transaction<'a>,
    now: OffsetDateTime,
    throttling: bool,
    request: &'a Request<Vec<u8>>,
    credential: Credential,
    route: Route,
}

/// Answers a request and logs it.
pub(super) fn answer(
    transaction: &Transaction<'_>,
    now: OffsetDateTime,
    throttling: bool,
    request: &Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, SandboxError> {
    let seq = ledger::next_seq(transaction)?;
    let request_id = format!("5a17db0c-0000-4000-8000-{seq:012x}");
    match protocol::route(request) {
        Ok((credential, route)) => {
            Visit { transaction, now, throttling, request, credential, route }.answer(&request_id)
        }
        Err(error) => unrouted(transaction, now, request, &request_id, &error),
    }
}

impl Visit<'_> {
    fn model(&self) -> &'static Model {
        self.route.model
    }

    fn operation(&self) -> &'static Operation {
        self.route.operation
    }

    fn service(&self) -> &'static str {
        &self.route.model.script_name
    }

    fn answer(&self, request_id: &str) -> Result<Response<Vec<u8>>, SandboxError> {
        let world = World::new(self.transaction, self.now);
        let token = self.credential.token.as_deref();
        let principal = people::sign_in(&world, &self.credential.access_key_id, token)
            .map_err(|fault| self.sign_in_fault(fault));
        let parsed = server::parse_request(self.model(), self.operation(), self.request);
        let input = parsed
            .as_ref()
            .map_or_else(|_| Value::Object(Map::new()), |parsed| parsed.input.clone());
        let outcome = match &principal {
            Ok(principal) => self.outcome(&world, principal, parsed)?,
            Err(fault) => Outcome::refused(fault.clone()),
        };
        let mut response = self.response(&outcome, request_id);
        self.complete(&world, &input, &mut response);
        self.record(&principal, &outcome, &input, response.status())?;
        if outcome.lost {
            *response.status_mut() = StatusCode::from_u16(599).unwrap_or(response.status());
            response.headers_mut().insert("x-sandbox-reply-lost", HeaderValue::from_static("1"));
            response.extensions_mut().insert(ReplyLost);
        }
        Ok(response)
    }

    fn outcome(
        &self,
        world: &World<'_>,
        principal: &Principal,
        parsed: Result<server::Parsed, ProtocolError>,
    ) -> Result<Outcome, SandboxError> {
        let (service_name, name) = (self.service(), self.operation().name.as_str());
        let room =
            services::by_name(service_name).filter(|service| service.implements().contains(&name));
        let Some(service) = room else {
            return Ok(Outcome::refused(not_implemented(&format!("{service_name}.{name}"))));
        };
        let struck = fault::strike(world, service_name, name);
        if let Some(Strike::Fail(fault)) = struck {
            return Ok(Outcome::refused(fault));
        }
        let scope = Scope::new(&principal.account, &self.credential.region);
        if self.throttling
            && let Err(fault) = throttle::take(world, &scope, service_name, name)
        {
            return Ok(Outcome::refused(fault));
        }
        let input = match self.checked(parsed) {
            Ok(input) => input,
            Err(fault) => return Ok(Outcome::refused(fault)),
        };
        let call = Call {
            world,
            principal,
            region: &self.credential.region,
            operation: name,
            input: &input,
        };
        if let Err(fault) = self.authorise(service, &call) {
            return Ok(Outcome::refused(fault));
        }
        let mut outcome = self.perform(service, &call)?;
        match struck {
            Some(Strike::LoseReply) => outcome.lost = true,
            Some(Strike::Delay(delay)) => self.delay(delay)?,
            Some(Strike::Fail(_)) | None => {}
        }
        Ok(outcome)
    }

    /// The input, or what its protocol or the model has against it.
    fn checked(&self, parsed: Result<server::Parsed, ProtocolError>) -> Result<Value, AwsFault> {
        let parsed = parsed.map_err(|error| {
            let code = match self.model().metadata.protocol() {
                Protocol::Query => "MalformedInput",
                _ => "SerializationException",
            };
            AwsFault { code: code.to_owned(), message: error.to_string(), status: Some(400) }
        })?;
        let strict = self.request.extensions().get::<InProcess>().is_some();
        if strict && !parsed.unknown.is_empty() {
            return Err(AwsFault {
                code: "UnknownMemberInSandbox".to_owned(),
                message: format!(
                    "the model of {}.{} has no member {}",
                    self.service(),
                    self.operation().name,
                    parsed.unknown.join(", ")
                ),
                status: Some(400),
            });
        }
        let Some(reference) = &self.operation().input else { return Ok(parsed.input) };
        let problems =
            validate::validate(self.model(), &reference.shape, &parsed.input, &|_| false);
        if problems.is_empty() { Ok(parsed.input) } else { Err(self.invalid(&problems)) }
    }

    /// What the service answers to an input that its model refuses.
    fn invalid(&self, problems: &[validate::Problem]) -> AwsFault {
        let constraints: Vec<String> = problems.iter().map(constraint).collect();
        let count = problems.len();
        let plural = if count == 1 { "" } else { "s" };
        let message =
            format!("{count} validation error{plural} detected: {}", constraints.join("; "));
        let missing = problems.iter().any(|problem| is_missing(problem.kind));
        let code = match self.service() {
            "redshift" if missing => "MissingParameter",
            "redshift" => "InvalidParameterValue",
            "iam" | "sts" => "ValidationError",
            "lakeformation" | "organizations" => "InvalidInputException",
            "ram" => "InvalidParameterException",
            "service_quotas" => "IllegalArgumentException",
            "athena" => "InvalidRequestException",
            "s3" => "InvalidRequest",
            _ => "ValidationException",
        };
        AwsFault { code: code.to_owned(), message, status: Some(400) }
    }

    fn authorise(&self, service: &dyn Service, call: &Call<'_>) -> Result<(), AwsFault> {
        if call.operation == "GetCallerIdentity" || service.decides_access(call) {
            return Ok(());
        }
        let prefix = self.model().metadata.signing_name();
        let action = format!("{prefix}:{}", call.operation);
        let resource = service.resource_arn(call);
        let mut context = access::tag_context(prefix, &service.resource_tags(call));
        access::request_tags(call.input, &mut context);
        context.add("aws:RequestedRegion", call.region);
        for (key, value) in service.condition_keys(call) {
            context.add(&key, value);
        }
        let account = access::account_of(&resource).unwrap_or(&call.principal.account);
        context.add("aws:ResourceAccount", account);
        let question =
            Question { principal: call.principal, action: &action, resource: &resource, context };
        access::decide(call.world, &question).map_err(|refusal| {
            access::denied(self.service(), call.principal, &action, &resource, refusal)
        })
    }

    /// Lets the service answer, unless the token says that it has; an error takes back its changes.
    fn perform(&self, service: &dyn Service, call: &Call<'_>) -> Result<Outcome, SandboxError> {
        let account = &call.principal.account;
        let token = Token::of(self.model(), self.operation(), account, call.region, call.input);
        if let Some(token) = &token {
            match token.look_up(self.transaction, self.now)? {
                Known::New => {}
                Known::Answered(reply) => {
                    return Ok(Outcome { reply: Ok(reply), effect: false, lost: false });
                }
                Known::Mismatch(fault) => return Ok(Outcome::refused(fault)),
            }
        }
        let before = call.world.changes();
        self.transaction.execute_batch("SAVEPOINT call")?;
        let reply = service.answer(call);
        let end = if reply.is_ok() { "RELEASE call" } else { "ROLLBACK TO call; RELEASE call" };
        self.transaction.execute_batch(end)?;
        if let (Ok(reply), Some(token)) = (&reply, &token) {
            token.keep(self.transaction, reply, self.now)?;
        }
        let effect = reply.is_ok() && call.world.changes() > before;
        Ok(Outcome { reply, effect, lost: false })
    }

    fn delay(&self, delay: Duration) -> Result<(), SandboxError> {
        clock::write(self.transaction, self.now + delay)
    }

    fn response(&self, outcome: &Outcome, request_id: &str) -> Response<Vec<u8>> {
        let written = match &outcome.reply {
            Ok(output) => {
                server::write_response(self.model(), self.operation(), output, request_id)
            }
            Err(fault) => server::write_error(self.model(), &self.error(fault), request_id),
        };
        written.unwrap_or_else(|error| {
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalFailure",
                &format!("the sandbox cannot write this answer: {error}"),
                request_id,
            )
        })
    }

    /// Adds what every answer of the service has, and takes the body from an answer to HEAD.
    fn complete(&self, world: &World<'_>, input: &Value, response: &mut Response<Vec<u8>>) {
        let service = services::by_name(self.service());
        for (name, value) in service.iter().flat_map(|room| room.answer_headers(world, input)) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        if self.request.method() == Method::HEAD {
            response.body_mut().clear();
        }
    }

    fn error(&self, fault: &AwsFault) -> ServiceError {
        let modelled = server::error_status(self.model(), &fault.code);
        ServiceError {
            code: fault.code.clone(),
            message: fault.message.clone(),
            status: fault.status.or(modelled).unwrap_or(400),
            members: json!({}),
        }
    }

    /// The codes that services other than the query ones have for keys they do not know.
    fn sign_in_fault(&self, mut fault: AwsFault) -> AwsFault {
        if self.service() == "s3" {
            if fault.code != "ExpiredToken" {
                "InvalidAccessKeyId".clone_into(&mut fault.code);
            }
            return fault;
        }
        if self.model().metadata.protocol() != Protocol::Query {
            let code = match fault.code.as_str() {
                "ExpiredToken" => "ExpiredTokenException",
                _ => "UnrecognizedClientException",
            };
            code.clone_into(&mut fault.code);
        }
        if self.model().metadata.protocol() == Protocol::Json {
            fault.status = Some(400);
        }
        fault
    }

    fn record(
        &self,
        principal: &Result<Principal, AwsFault>,
        outcome: &Outcome,
        input: &Value,
        status: StatusCode,
    ) -> Result<(), SandboxError> {
        let (account, arn) = match principal {
            Ok(principal) => (principal.account.clone(), principal.arn.clone()),
            Err(_) => (String::new(), self.credential.access_key_id.clone()),
        };
        let script_name = names::to_script(&self.operation().name);
        let call = CallRecord {
            seq: 0,
            at: timestamp(self.now),
            account,
            principal: arn,
            service: self.service().to_owned(),
            operation: self.operation().name.clone(),
            mutating: is_mutating(self.service(), self.operation()),
            effect: outcome.effect,
            status: status.as_u16(),
            error: outcome.reply.as_ref().err().map(|fault| fault.code.clone()),
            input: ledger::masked(self.service(), &script_name, input),
        };
        let origin = Origin {
            region: &self.credential.region,
            access_key_id: &self.credential.access_key_id,
        };
        Ok(ledger::record(self.transaction, &call, &origin)?)
    }
}

/// Whether an operation is one that changes things. STS only mints keys.
fn is_mutating(service: &str, operation: &Operation) -> bool {
    let reading = READING.iter().any(|beginning| {
        operation
            .name
            .strip_prefix(beginning)
            .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_uppercase()))
    });
    service != "sts" && !operation.readonly && !reading && operation.name != "Search"
}

fn is_missing(kind: validate::ProblemKind) -> bool {
    matches!(kind, validate::ProblemKind::MissingMember)
}

/// One broken rule, as AWS lists it.
fn constraint(problem: &validate::Problem) -> String {
    let path = problem.path.replace('/', ".");
    if is_missing(problem.kind) {
        return format!(
            "Value null at '{path}' failed to satisfy constraint: Member must not be null"
        );
    }
    format!("Value at '{path}' failed to satisfy constraint: {}", problem.message)
}

fn not_implemented(what: &str) -> AwsFault {
    AwsFault {
        code: "NotImplementedInSandbox".to_owned(),
        message: format!("not implemented in the sandbox: {what}"),
        status: Some(501),
    }
}

/// The answer to a request that leads to no operation.
fn unrouted(
    transaction: &Transaction<'_>,
    now: OffsetDateTime,
    request: &Request<Vec<u8>>,
    request_id: &str,
    error: &RouteError,
) -> Result<Response<Vec<u8>>, SandboxError> {
    let (status, code, message, service, operation) = match error {
        RouteError::NotSigned => (
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Missing Authentication Token".to_owned(),
            String::new(),
            format!("{} {}", request.method(), request.uri().path()),
        ),
        RouteError::UnknownService(service) => (
            StatusCode::NOT_IMPLEMENTED,
            "NotImplementedInSandbox",
            format!("not implemented in the sandbox: {service}"),
            service.clone(),
            asked_operation(request),
        ),
        // Of a service that is not here at all, nobody can say what it has.
        RouteError::UnknownOperation { service, asked } if services::by_name(service).is_none() => {
            (
                StatusCode::NOT_IMPLEMENTED,
                "NotImplementedInSandbox",
                format!("not implemented in the sandbox: {service}"),
                service.clone(),
                asked.clone(),
            )
        }
        RouteError::UnknownOperation { service, asked } => {
            let (status, code, message) = no_operation(service, asked);
            (status, code, message, service.clone(), asked.clone())
        }
    };
    let credential = Credential::of(request);
    let origin = Origin {
        region: credential.as_ref().map_or("", |credential| &credential.region),
        access_key_id: credential.as_ref().map_or("", |credential| &credential.access_key_id),
    };
    let call = CallRecord {
        seq: 0,
        at: timestamp(now),
        account: String::new(),
        principal: origin.access_key_id.to_owned(),
        service,
        operation,
        mutating: false,
        effect: false,
        status: status.as_u16(),
        error: Some(code.to_owned()),
        input: Value::Null,
    };
    ledger::record(transaction, &call, &origin)?;
    Ok(match speaks_xml(request, &call.service) {
        true => plain_xml(status, code, &message, request_id),
        false => plain(status, code, &message, request_id),
    })
}

/// What each protocol answers to a name that the service does not have.
fn no_operation(service: &str, asked: &str) -> (StatusCode, &'static str, String) {
    let metadata = piton_models::service(service).map(|model| &model.metadata);
    let message = format!("{service} has no operation for {asked}");
    match metadata.map(|metadata| (metadata.protocol(), &metadata.api_version)) {
        Some((Protocol::Query, version)) => (
            StatusCode::BAD_REQUEST,
            "InvalidAction",
            format!("Could not find operation {asked} for version {version}"),
        ),
        Some((Protocol::Json, _)) => {
            (StatusCode::BAD_REQUEST, "UnknownOperationException", message)
        }
        _ => (StatusCode::NOT_FOUND, "UnknownOperationException", message),
    }
}

/// What a request to an unknown service asks for, as far as it says.
fn asked_operation(request: &Request<Vec<u8>>) -> String {
    request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next())
        .map_or_else(|| format!("{} {}", request.method(), request.uri().path()), str::to_owned)
}

/// Whether the client of a service that the sandbox does not know reads XML: it sent a form, or the
/// service is one of the XML ones.
fn speaks_xml(request: &Request<Vec<u8>>, service: &str) -> bool {
    let form = request
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    form || matches!(service, "cloudfront" | "route53" | "s3")
}

/// An error that every XML client understands.
fn plain_xml(status: StatusCode, code: &str, message: &str, request_id: &str) -> Response<Vec<u8>> {
    let escaped = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escaped}</Message>\
         </Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    );
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/xml"));
    response
}

/// An error that every JSON client understands.
fn plain(status: StatusCode, code: &str, message: &str, request_id: &str) -> Response<Vec<u8>> {
    let body = json!({"__type": code, "message": message}).to_string();
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in [("x-amzn-errortype", code), ("x-amzn-requestid", request_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}
