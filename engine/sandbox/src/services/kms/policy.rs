//! Who may use a key: its policy first, then the caller's own policies, then its grants.

use serde_json::{Value, json};

use super::state::{Key, find_in};
use crate::access::policy::{
    Asked, Context, Trust, Trustee, Verdict, malformed, resource_policy, trust,
};
use crate::access::{self, Question, account_of};
use crate::people::PrincipalKind;
use crate::services::{AwsFault, Call, iam};
use crate::world::{Scope, World};

/// Somebody who would use a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum User<'a> {
    /// An AWS service, `redshift.amazonaws.com`, in the name of the key's own account.
    Service(&'a str),
    /// An account: whether its own policies let one of its people is not asked.
    Account(&'a str),
    /// A role, by its ARN.
    Role(&'a str),
}

/// The policy that leaves everything to the account's own policies.
pub(super) fn preset(account: &str) -> String {
    json!({
        "Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
            "Sid": "Enable IAM User Permissions", "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
            "Action": "kms:*", "Resource": "*",
        }],
    })
    .to_string()
}

/// The policy of an input: well-formed, and one under which the caller keeps the key in hand.
pub(super) fn checked(call: &Call<'_>, key_arn: &str) -> Result<String, AwsFault> {
    let document = call.text("Policy");
    let refuse = |message: String| AwsFault::new("MalformedPolicyDocumentException", message);
    if let Some(message) = malformed(document) {
        return Err(refuse(message));
    }
    let bypass = call.input.get("BypassPolicyLockoutSafetyCheck").and_then(Value::as_bool);
    let context = Context::default();
    let asked = Asked { action: "kms:PutKeyPolicy", resource: key_arn, context: &context };
    let keeps = resource_policy(document, caller(call), &asked) == Verdict::Allow;
    if !keeps && bypass != Some(true) && call.principal.kind != PrincipalKind::Root {
        return Err(refuse(
            "The new key policy will not allow you to update the key policy in the future."
                .to_owned(),
        ));
    }
    Ok(document.to_owned())
}

fn caller<'a>(call: &'a Call<'_>) -> Trustee<'a> {
    Trustee::Caller {
        account: &call.principal.account,
        arn: &call.principal.arn,
        identity_arn: &call.principal.identity_arn,
    }
}

/// Refuses a call on a key unless its policy names the caller, or names the caller's account and the
/// caller's own policies allow it.
pub(super) fn require(call: &Call<'_>, key: &Key) -> Result<(), AwsFault> {
    if call.principal.kind == PrincipalKind::Root {
        return Ok(());
    }
    let action = format!("kms:{}", call.operation);
    let context = Context::default();
    let refused = || AwsFault {
        code: "AccessDeniedException".to_owned(),
        message: format!(
            "User: {} is not authorized to perform: {action} on resource: {} because no \
             resource-based policy allows the {action} action",
            call.principal.arn, key.arn
        ),
        status: Some(400),
    };
    let asked = Asked { action: &action, resource: &key.arn, context: &context };
    if resource_policy(&key.policy, caller(call), &asked) != Verdict::Allow {
        return Err(refused());
    }
    let named = trust(&key.policy, caller(call), &action, &context) == Trust::Named;
    let own_key = account_of(&key.arn) == Some(&call.principal.account);
    let tags: Vec<(String, String)> = key.tags.clone().into_iter().collect();
    let question = Question {
        principal: call.principal,
        action: &action,
        resource: &key.arn,
        context: access::tag_context("kms", &tags),
    };
    match access::decide(call.world, &question) {
        Ok(()) => Ok(()),
        Err(access::Refusal::Identity) if named && own_key => Ok(()),
        Err(refusal) => Err(access::denied("kms", call.principal, &action, &key.arn, refusal)),
    }
}

/// Whether somebody can encrypt and decrypt with a key: it is there, enabled, and its policy or a
/// grant lets them. `name` is an id, an ARN or an alias, as seen from `scope`.
pub(crate) fn usable(world: &World<'_>, scope: &Scope, name: &str, user: User<'_>) -> bool {
    let Some((_, key)) = find_in(world, scope, name) else { return false };
    if !key.enabled {
        return false;
    }
    ["kms:Decrypt", "kms:GenerateDataKey"].into_iter().all(|action| lets(world, &key, action, user))
}

fn lets(world: &World<'_>, key: &Key, action: &str, user: User<'_>) -> bool {
    let context = Context::default();
    let asked = Asked { action, resource: &key.arn, context: &context };
    let by_policy = |user| resource_policy(&key.policy, user, &asked) == Verdict::Allow;
    let granted = |principal: &str| {
        let operation = action.trim_start_matches("kms:");
        key.grants.iter().any(|grant| {
            grant.grantee == principal && grant.operations.iter().any(|known| known == operation)
        })
    };
    match user {
        // Inside the key's account a service acts with what its caller may do.
        User::Service(name) => {
            let own = account_of(&key.arn).unwrap_or_default();
            granted(name) || by_policy(Trustee::Service(name)) || by_policy(account(own, own))
        }
        User::Account(id) => {
            let root = format!("arn:aws:iam::{id}:root");
            granted(&root) || by_policy(account(id, &root))
        }
        User::Role(arn) => {
            let Some(role) = iam::role(world, arn) else { return false };
            let id = account_of(arn).unwrap_or_default();
            let trustee = account(id, arn);
            let named = trust(&key.policy, trustee, action, &context) == Trust::Named
                && account_of(&key.arn) == Some(id);
            granted(arn)
                || (by_policy(trustee)
                    && (named || access::role_may(world, &role, action, &key.arn, &context)))
        }
    }
}

fn account<'a>(id: &'a str, arn: &'a str) -> Trustee<'a> {
    Trustee::Caller { account: id, arn, identity_arn: arn }
}
