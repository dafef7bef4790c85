//! What a caller may do: IAM's evaluation of identity policies, boundaries and trust.
//!
//! Identity policies (managed and inline, of users, their groups and roles), the permissions
//! boundary and the session policy are evaluated on every call, in IAM's order: an explicit deny,
//! then each limit, then an allow. Resource policies exist only as roles' trust. Membership rules of
//! a service (DataZone's projects) are that service's own.

pub(crate) mod managed;
pub(crate) mod policy;

use serde_json::Value;

use crate::people::{Principal, PrincipalKind};
use crate::services::iam::{self, Role};
use crate::services::{AwsFault, Call};
use crate::world::World;
use policy::{Asked, Context, Verdict, evaluate};

/// One question to the evaluation.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// Who asks.
    pub(crate) principal: &'a Principal,
    /// `datazone:CreateDomain`.
    pub(crate) action: &'a str,
    /// ARN, or `*`.
    pub(crate) resource: &'a str,
    /// Condition keys beyond those of the principal, which are added here.
    pub(crate) context: Context,
}

/// Why something is refused: the second half of AWS's sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A policy denies it.
    Explicit,
    /// No identity policy allows it.
    Identity,
    /// The boundary does not allow it.
    Boundary,
    /// The session policy does not allow it.
    Session,
}

/// Whether the principal may do it, or why not.
pub(crate) fn decide(world: &World<'_>, question: &Question<'_>) -> Result<(), Refusal> {
    let principal = question.principal;
    if principal.kind == PrincipalKind::Root {
        return Ok(());
    }
    let context = principal_context(world, principal, question.context.clone());
    let asked = Asked { action: question.action, resource: question.resource, context: &context };
    let policies = iam::policies_of(world, principal);
    let limits = [
        (policies.boundary.as_deref(), Refusal::Boundary),
        (
            principal.session.as_ref().and_then(|session| session.policy.as_deref()),
            Refusal::Session,
        ),
    ];
    let identity = evaluate(policies.documents.iter().map(String::as_str), &asked);
    let verdicts = limits.map(|(document, refusal)| {
        (document.map_or(Verdict::Allow, |document| evaluate([document], &asked)), refusal)
    });
    let denied = |verdict: Verdict| verdict == Verdict::ExplicitDeny;
    if denied(identity) || verdicts.iter().any(|(verdict, _)| denied(*verdict)) {
        return Err(Refusal::Explicit);
    }
    if identity == Verdict::ImplicitDeny {
        return Err(Refusal::Identity);
    }
    match verdicts.iter().find(|(verdict, _)| *verdict == Verdict::ImplicitDeny) {
        Some((_, refusal)) => Err(*refusal),
        None => Ok(()),
    }
}

/// Refuses in AWS's words unless the caller may do `action`, which need not be the call's own:
/// a statement that signs in with a secret also needs `secretsmanager:GetSecretValue`.
pub(crate) fn require(
    call: &Call<'_>,
    action: &str,
    resource: &str,
    resource_tags: &[(String, String)],
) -> Result<(), AwsFault> {
    let service = action.split(':').next().unwrap_or_default();
    let mut context = tag_context(service, resource_tags);
    context.add("aws:RequestedRegion", call.region);
    context.add("aws:ResourceAccount", account_of(resource).unwrap_or(&call.principal.account));
    let question = Question { principal: call.principal, action, resource, context };
    decide(call.world, &question)
        .map_err(|refusal| denied(service, call.principal, action, resource, refusal))
}

/// Refuses unless the caller may hand this role to an AWS service (`datazone.amazonaws.com`).
pub(crate) fn may_pass_role(
    world: &World<'_>,
    principal: &Principal,
    role_arn: &str,
    service: &str,
) -> Result<(), AwsFault> {
    let action = "iam:PassRole";
    let context = Context::default()
        .with("iam:PassedToService", service)
        .with("aws:ResourceAccount", account_of(role_arn).unwrap_or(&principal.account));
    let question = Question { principal, action, resource: role_arn, context };
    let called = service.split('.').next().unwrap_or(service);
    decide(world, &question).map_err(|refusal| denied(called, principal, action, role_arn, refusal))
}

/// What a role's own policies say about an action: for what a service does in its name.
pub(crate) fn role_may(
    world: &World<'_>,
    role: &Role,
    action: &str,
    resource: &str,
    context: &Context,
) -> bool {
    let asked = Asked { action, resource, context };
    let policies = iam::policies_of_role(world, role);
    let allowed = |document: &str| evaluate([document], &asked) == Verdict::Allow;
    evaluate(policies.documents.iter().map(String::as_str), &asked) == Verdict::Allow
        && policies.boundary.as_deref().is_none_or(allowed)
}

/// The condition keys of a resource's tags, for a service's own name of them and for the global one.
pub(crate) fn tag_context(service: &str, tags: &[(String, String)]) -> Context {
    let mut context = Context::default();
    for (key, value) in tags {
        context.add(&format!("aws:ResourceTag/{key}"), value);
        context.add(&format!("{service}:ResourceTag/{key}"), value);
    }
    context
}

/// The condition keys of the tags that an input asks for, in the forms that the services have.
pub(crate) fn request_tags(input: &Value, context: &mut Context) {
    let tags = input.get("Tags").or_else(|| input.get("tags"));
    match tags {
        Some(Value::Array(list)) => {
            for tag in list {
                let text = |upper: &str, lower: &str| {
                    tag.get(upper).or_else(|| tag.get(lower)).and_then(Value::as_str)
                };
                if let (Some(key), Some(value)) = (text("Key", "key"), text("Value", "value")) {
                    context.add(&format!("aws:RequestTag/{key}"), value);
                    context.add("aws:TagKeys", key);
                }
            }
        }
        Some(Value::Object(map)) => {
            for (key, value) in map {
                context.add(&format!("aws:RequestTag/{key}"), value.as_str().unwrap_or_default());
                context.add("aws:TagKeys", key);
            }
        }
        _ => {}
    }
    let removed = input.get("TagKeys").or_else(|| input.get("tagKeys")).and_then(Value::as_array);
    for key in removed.into_iter().flatten().filter_map(Value::as_str) {
        context.add("aws:TagKeys", key);
    }
}

/// The error of a refusal, in the words and with the code of the service that was called.
pub(crate) fn denied(
    service: &str,
    principal: &Principal,
    action: &str,
    resource: &str,
    refusal: Refusal,
) -> AwsFault {
    let why = match refusal {
        Refusal::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
        Refusal::Identity => format!("because no identity-based policy allows the {action} action"),
        Refusal::Boundary => format!("because no permissions boundary allows the {action} action"),
        Refusal::Session => format!("because no session policy allows the {action} action"),
    };
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} {why}",
        principal.arn
    );
    let (code, status) = match service {
        "iam" | "sts" | "redshift" => ("AccessDenied", 403),
        "datazone" | "lakeformation" | "ram" => ("AccessDeniedException", 403),
        _ => ("AccessDeniedException", 400),
    };
    AwsFault { code: code.to_owned(), message, status: Some(status) }
}

/// The account in an ARN, when it has one.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(3).filter(|account| !account.is_empty())
}

fn principal_context(world: &World<'_>, principal: &Principal, context: Context) -> Context {
    let context = context
        .with("aws:PrincipalArn", principal.identity_arn.as_str())
        .with("aws:PrincipalAccount", principal.account.as_str())
        .with("aws:userid", principal.user_id.as_str())
        .with("aws:CurrentTime", world.now_text())
        .with("aws:SecureTransport", "true")
        .with("aws:ViaAWSService", "false");
    match principal.kind {
        PrincipalKind::User => {
            context.with("aws:username", principal.name.as_str()).with("aws:PrincipalType", "User")
        }
        PrincipalKind::Role => context.with("aws:PrincipalType", "AssumedRole"),
        PrincipalKind::Root => context.with("aws:PrincipalType", "Account"),
    }
}
