//! SimulatePrincipalPolicy: the same evaluation that the door makes, asked as a question.

use serde_json::{Value, json};

use super::entity::missing;
use super::state::{role, user};
use crate::access::policy::Context;
use crate::access::{Question, Refusal, decide};
use crate::people::{Principal, PrincipalKind};
use crate::services::{AwsFault, Call, Reply};

pub(super) fn principal_policy(call: &Call<'_>) -> Reply {
    let principal = source(call)?;
    let context = context(call.input);
    let resources = texts(call.input, "ResourceArns");
    let resources = if resources.is_empty() { vec!["*"] } else { resources };
    let mut results = Vec::new();
    for action in texts(call.input, "ActionNames") {
        for resource in &resources {
            let question =
                Question { principal: &principal, action, resource, context: context.clone() };
            let decision = match decide(call.world, &question) {
                Ok(()) => "allowed",
                Err(Refusal::Explicit) => "explicitDeny",
                Err(_) => "implicitDeny",
            };
            results.push(json!({
                "EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision,
                "MatchedStatements": [], "MissingContextValues": [],
            }));
        }
    }
    Ok(json!({"EvaluationResults": results, "IsTruncated": false}))
}

fn texts<'a>(input: &'a Value, member: &str) -> Vec<&'a str> {
    input
        .get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn context(input: &Value) -> Context {
    let mut context = Context::default();
    for entry in input.get("ContextEntries").and_then(Value::as_array).into_iter().flatten() {
        let Some(key) = entry["ContextKeyName"].as_str() else { continue };
        for value in texts(entry, "ContextKeyValues") {
            context.add(key, value);
        }
    }
    context
}

/// The user or role whose policies are asked about, as a caller.
fn source(call: &Call<'_>) -> Result<Principal, AwsFault> {
    let arn = call.text("PolicySourceArn");
    let (kind, name, id) = user(call.world, arn)
        .map(|user| (PrincipalKind::User, user.user_name, user.user_id))
        .or_else(|| {
            role(call.world, arn).map(|role| (PrincipalKind::Role, role.role_name, role.role_id))
        })
        .ok_or_else(|| missing(format!("The entity {arn} cannot be found.")))?;
    let account = crate::access::account_of(arn).unwrap_or(&call.principal.account).to_owned();
    Ok(Principal {
        account,
        arn: arn.to_owned(),
        identity_arn: arn.to_owned(),
        kind,
        user_id: id,
        name,
        alias: None,
        session: None,
    })
}
