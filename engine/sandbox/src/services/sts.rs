//! STS: who am I, and temporary keys.
//!
//! AssumeRole is where cross-account flows go wrong, so it is decided as AWS decides it: the role's
//! trust policy first, then the caller's own policies where the trust names only an account or the
//! role is another account's.

use serde_json::{Value, json};
use time::Duration;

use super::{AwsFault, Call, Reply, Service, iam};
use crate::access::policy::{Context, Trust, Trustee, malformed, trust};
use crate::access::{self, Question, Refusal, account_of};
use crate::people::{self, PrincipalKind, SessionCredentials, SessionTerms};
use crate::world::timestamp;

/// Security Token Service.
#[derive(Debug)]
pub(crate) struct Sts;

const ASSUME_ROLE: &str = "sts:AssumeRole";

/// Longest session of a role that was assumed with another role's session.
const CHAINED_SECONDS: i64 = 3600;

impl Service for Sts {
    fn name(&self) -> &'static str {
        "sts"
    }

    fn implements(&self) -> &'static [&'static str] {
        &["AssumeRole", "GetAccessKeyInfo", "GetCallerIdentity", "GetSessionToken"]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "AssumeRole" => assume_role(call),
            "GetAccessKeyInfo" => access_key_info(call),
            "GetSessionToken" => session_token(call),
            "GetCallerIdentity" => Ok(json!({
                "UserId": call.principal.user_id, "Account": call.principal.account,
                "Arn": call.principal.arn,
            })),
            other => Err(AwsFault::new("InvalidAction", format!("{other} is not valid"))),
        }
    }

    fn decides_access(&self, call: &Call<'_>) -> bool {
        matches!(call.operation, "AssumeRole" | "GetSessionToken")
    }
}

fn assume_role(call: &Call<'_>) -> Reply {
    let arn = call.text("RoleArn");
    let refused = |refusal| access::denied("sts", call.principal, ASSUME_ROLE, arn, refusal);
    // AWS does not say whether a role is missing or closed.
    let unknown = || AwsFault {
        code: "AccessDenied".to_owned(),
        message: format!(
            "User: {} is not authorized to perform: {ASSUME_ROLE} on resource: {arn}",
            call.principal.arn
        ),
        status: Some(403),
    };
    let role = iam::role(call.world, arn).ok_or_else(unknown)?;
    let context = trust_context(call);
    let trustee = Trustee::Caller {
        account: &call.principal.account,
        arn: &call.principal.arn,
        identity_arn: &call.principal.identity_arn,
    };
    let document = &role.assume_role_policy_document;
    let trusted = trust(document, trustee, ASSUME_ROLE, &context);
    let tagging =
        call.input.get("Tags").and_then(Value::as_array).is_some_and(|tags| !tags.is_empty());
    if trusted == Trust::No
        || (tagging && trust(document, trustee, "sts:TagSession", &context) == Trust::No)
    {
        return Err(unknown());
    }
    let same_account = account_of(arn) == Some(&call.principal.account);
    let question =
        Question { principal: call.principal, action: ASSUME_ROLE, resource: arn, context };
    match access::decide(call.world, &question) {
        Err(Refusal::Identity) if trusted == Trust::Named && same_account => {}
        Err(refusal) => return Err(refused(refusal)),
        Ok(()) => {}
    }
    let seconds = session_seconds(call, role.max_session_duration)?;
    let policy = session_policy(call)?;
    let session_name = call.text("RoleSessionName");
    let account = account_of(arn).unwrap_or(&call.principal.account);
    let terms = SessionTerms {
        lasts: Duration::seconds(seconds),
        policy: policy.as_deref(),
        alias: call.principal.alias.as_deref(),
    };
    let minted =
        people::mint_role_session(call.world, account, &role.role_name, session_name, &terms);
    let mut output = json!({
        "Credentials": shown(&minted),
        "AssumedRoleUser": {
            "AssumedRoleId": format!("{}:{session_name}", role.role_id), "Arn": minted.arn,
        },
    });
    if !call.text("SourceIdentity").is_empty() {
        output["SourceIdentity"] = json!(call.text("SourceIdentity"));
    }
    Ok(output)
}

fn trust_context(call: &Call<'_>) -> Context {
    let mut context = Context::default()
        .with("aws:PrincipalArn", call.principal.identity_arn.as_str())
        .with("aws:PrincipalAccount", call.principal.account.as_str())
        .with("sts:RoleSessionName", call.text("RoleSessionName"))
        .with("aws:RequestedRegion", call.region);
    if !call.text("ExternalId").is_empty() {
        context.add("sts:ExternalId", call.text("ExternalId"));
    }
    if !call.text("SourceIdentity").is_empty() {
        context.add("sts:SourceIdentity", call.text("SourceIdentity"));
    }
    access::request_tags(call.input, &mut context);
    context
}

fn session_seconds(call: &Call<'_>, most: i64) -> Result<i64, AwsFault> {
    let asked = call.input.get("DurationSeconds").and_then(Value::as_i64);
    let seconds = asked.unwrap_or(3600.min(most));
    let chained = call.principal.kind == PrincipalKind::Role && call.principal.session.is_some();
    if chained && seconds > CHAINED_SECONDS {
        return Err(AwsFault::new(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        ));
    }
    if seconds > most {
        return Err(AwsFault::new(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(seconds)
}

/// The session policy of an input: its own document and the managed ones that it names, together.
fn session_policy(call: &Call<'_>) -> Result<Option<String>, AwsFault> {
    let mut documents = Vec::new();
    if !call.text("Policy").is_empty() {
        documents.push(call.text("Policy").to_owned());
    }
    for policy in call.input.get("PolicyArns").and_then(Value::as_array).into_iter().flatten() {
        let arn = policy["arn"].as_str().unwrap_or_default();
        let document = iam::document_of(call.world, arn).ok_or_else(|| {
            AwsFault::new("ValidationError", format!("The managed policy {arn} does not exist"))
        })?;
        documents.push(document);
    }
    if documents.is_empty() {
        return Ok(None);
    }
    let mut statements = Vec::new();
    for document in documents {
        if let Some(message) = malformed(&document) {
            return Err(AwsFault::new("MalformedPolicyDocument", message));
        }
        let parsed: Value = serde_json::from_str(&document).unwrap_or_default();
        match &parsed["Statement"] {
            Value::Array(list) => statements.extend(list.iter().cloned()),
            one => statements.push(one.clone()),
        }
    }
    Ok(Some(json!({"Version": "2012-10-17", "Statement": statements}).to_string()))
}

fn session_token(call: &Call<'_>) -> Reply {
    if call.principal.kind != PrincipalKind::User || call.principal.session.is_some() {
        return Err(AwsFault {
            code: "AccessDenied".to_owned(),
            message: "Cannot call GetSessionToken with session credentials".to_owned(),
            status: Some(403),
        });
    }
    let seconds = call.input.get("DurationSeconds").and_then(Value::as_i64).unwrap_or(43_200);
    let terms = SessionTerms {
        lasts: Duration::seconds(seconds),
        policy: None,
        alias: call.principal.alias.as_deref(),
    };
    let minted = people::mint_user_session(
        call.world,
        &call.principal.account,
        &call.principal.name,
        &terms,
    );
    Ok(json!({"Credentials": shown(&minted)}))
}

fn access_key_info(call: &Call<'_>) -> Reply {
    let id = call.text("AccessKeyId");
    let account = people::account_of_key(call.world, id).ok_or_else(|| {
        AwsFault::new("ValidationError", format!("The access key {id} is not known"))
    })?;
    Ok(json!({"Account": account}))
}

fn shown(minted: &SessionCredentials) -> Value {
    json!({
        "AccessKeyId": minted.access_key_id, "SecretAccessKey": minted.secret_access_key,
        "SessionToken": minted.session_token, "Expiration": timestamp(minted.expiration),
    })
}
