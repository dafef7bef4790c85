//! What DataZone asks of IAM and Secrets Manager: roles that it may assume, secrets that it may
//! read, and the role that it makes for each environment.
//!
//! Answers are sentences, because they end up as the reasons of failed deployments, runs and grants.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::association::failures;
use super::room::{DOMAIN, Room, text};
use crate::access::policy::{Context, Trust as Trusted, Trustee, trust};
use crate::access::{account_of, may_pass_role, role_may};
use crate::services::iam::{self, Grants, Role};
use crate::services::secretsmanager;
use crate::services::{AwsFault, Call};
use crate::world::{World, parse_timestamp};

/// DataZone's name in trust policies.
const SERVICE: &str = "datazone.amazonaws.com";
/// The limit that AWS sets to the roles of environments.
const BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonDataZoneEnvironmentRolePermissionsBoundary";
/// The tag by which a secret is given to a domain.
const DOMAIN_TAG: &str = "AmazonDataZoneDomain";

/// The unique id of an IAM user or role, when it exists.
pub(super) fn principal_id(world: &World<'_>, arn: &str) -> Option<String> {
    iam::user(world, arn)
        .map(|user| user.user_id)
        .or_else(|| iam::role(world, arn).map(|role| role.role_id))
}

/// Refuses unless the caller may hand a role of their own account to DataZone.
pub(super) fn pass_role(call: &Call<'_>, arn: &str) -> Result<(), AwsFault> {
    if account_of(arn).is_some_and(|account| account != call.principal.account) {
        let message = format!("Cross-account pass role is not allowed: {arn}");
        return Err(AwsFault::new("AccessDeniedException", message));
    }
    may_pass_role(call.world, call.principal, arn, SERVICE)
}

/// How a role must trust DataZone.
pub(super) struct Trust<'a> {
    pub(super) actions: &'a [&'a str],
    /// The domain's account, whatever account the role is in.
    pub(super) source_account: &'a str,
    /// The domain's ARN, when DataZone acts for one.
    pub(super) source_arn: Option<&'a str>,
}

/// The role, when DataZone can assume it now.
pub(super) fn usable_role(
    world: &World<'_>,
    arn: &str,
    terms: &Trust<'_>,
    now: OffsetDateTime,
) -> Result<Role, String> {
    let role = iam::role(world, arn).ok_or_else(|| format!("the role {arn} does not exist"))?;
    let spreads = failures(world).role_not_yet_usable;
    let known = parse_timestamp(&role.create_date)
        .is_none_or(|made| now - made >= Duration::seconds(i64::from(spreads)));
    if !known {
        return Err(format!("the role {arn} cannot be assumed yet"));
    }
    let mut context = Context::default().with("aws:SourceAccount", terms.source_account);
    if let Some(source) = terms.source_arn {
        context.add("aws:SourceArn", source);
    }
    let document = &role.assume_role_policy_document;
    for action in terms.actions {
        if trust(document, Trustee::Service(SERVICE), action, &context) != Trusted::Named {
            return Err(format!(
                "the trust policy of the role {arn} does not let {SERVICE} use {action} for \
                 account {}",
                terms.source_account
            ));
        }
    }
    Ok(role)
}

/// A role that acts for this domain.
fn role_for_domain(room: &Room<'_>, what: &str, arn: &str) -> Result<Role, String> {
    if arn.is_empty() {
        return Err(format!("The blueprint's configuration names no {what}"));
    }
    let domain: Value = room.world.get(&room.scope, DOMAIN, &room.domain).unwrap_or_default();
    let terms = Trust {
        actions: &["sts:AssumeRole"],
        source_account: &room.scope.account,
        source_arn: Some(text(&domain, "arn")),
    };
    usable_role(room.world, arn, &terms, room.now)
        .map_err(|reason| format!("DataZone cannot use the {what}: {reason}"))
}

/// The role with which DataZone reads a warehouse and grants access to it.
pub(super) fn manage_access_role(room: &Room<'_>, arn: &str) -> Result<Role, String> {
    let role = role_for_domain(room, "manage access role", arn)?;
    let action = "redshift-data:ExecuteStatement";
    require(room, &role, action, &any_cluster(room, &role), "manage access role")?;
    Ok(role)
}

/// The role with which environments over a warehouse are deployed and torn down.
pub(super) fn provisioning_role(room: &Room<'_>, arn: &str) -> Result<Role, String> {
    let role = role_for_domain(room, "provisioning role", arn)?;
    let action = "redshift-data:ExecuteStatement";
    require(room, &role, action, &any_cluster(room, &role), "provisioning role")?;
    Ok(role)
}

/// The role with which DataZone reads a data lake's catalogue and grants access to it.
pub(super) fn lake_access_role(room: &Room<'_>, arn: &str) -> Result<Role, String> {
    let role = role_for_domain(room, "data access role", arn)?;
    for action in ["glue:GetTable", "lakeformation:GrantPermissions"] {
        require(room, &role, action, "*", "data access role")?;
    }
    Ok(role)
}

/// The role with which environments over a data lake are deployed and torn down.
pub(super) fn lake_provisioning_role(room: &Room<'_>, arn: &str) -> Result<Role, String> {
    let role = role_for_domain(room, "provisioning role", arn)?;
    require(room, &role, "glue:CreateDatabase", "*", "provisioning role")?;
    Ok(role)
}

fn any_cluster(room: &Room<'_>, role: &Role) -> String {
    let account = account_of(&role.arn).unwrap_or_default();
    format!("arn:aws:redshift:{}:{account}:cluster:any", room.scope.region)
}

/// Refuses, in the words of a failed deployment, what a role's policies do not allow.
pub(super) fn require(
    room: &Room<'_>,
    role: &Role,
    action: &str,
    resource: &str,
    what: &str,
) -> Result<(), String> {
    match role_may(room.world, role, action, resource, &context_of(role)) {
        true => Ok(()),
        false => Err(format!("The {what} {} is not authorized to perform: {action}", role.arn)),
    }
}

/// The condition keys of a role that acts in its own account.
fn context_of(role: &Role) -> Context {
    let account = account_of(&role.arn).unwrap_or_default();
    Context::default()
        .with("aws:PrincipalAccount", account)
        .with("aws:ResourceAccount", account)
        .with("aws:PrincipalArn", role.arn.as_str())
}

/// Credentials of a warehouse.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// Refuses a secret that is not there, that is not tagged for the domain, or that the role may not
/// read.
pub(super) fn readable_secret(room: &Room<'_>, role: &Role, arn: &str) -> Result<(), String> {
    let secret = secretsmanager::secret_by_arn(room.world, arn)
        .ok_or_else(|| format!("The secret {arn} does not exist"))?;
    let tags: Vec<(String, String)> =
        secret.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let tagged = account_of(arn) == account_of(&role.arn)
        && tags.iter().any(|(key, value)| key == DOMAIN_TAG && *value == room.domain);
    let mut context = context_of(role);
    for (key, value) in &tags {
        context.add(&format!("aws:ResourceTag/{key}"), value);
        context.add(&format!("secretsmanager:ResourceTag/{key}"), value);
    }
    let action = "secretsmanager:GetSecretValue";
    match tagged && role_may(room.world, role, action, arn, &context) {
        true => Ok(()),
        false => Err(format!(
            "User: {} is not authorized to perform: {action} on resource: {arn} (the secret is in \
             the role's account and has the tag {DOMAIN_TAG}={})",
            role.arn, room.domain
        )),
    }
}

/// The credentials in a secret.
pub(super) fn credentials(room: &Room<'_>, arn: &str) -> Result<Credentials, String> {
    let secret = secretsmanager::secret_by_arn(room.world, arn)
        .ok_or_else(|| format!("The secret {arn} does not exist"))?;
    let value: Value = serde_json::from_str(&secret.value).unwrap_or_default();
    match (value["username"].as_str(), value["password"].as_str()) {
        (Some(user), Some(password)) => {
            Ok(Credentials { user: user.to_owned(), password: password.to_owned() })
        }
        _ => Err(format!("The secret {arn} has no username and password")),
    }
}

/// Makes the role of an environment; its ARN comes back.
pub(super) fn add_environment_role(
    room: &Room<'_>,
    environment: &Value,
    name: &str,
) -> Result<String, String> {
    let account = text(environment, "awsAccountId");
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": SERVICE },
        "Action": ["sts:AssumeRole", "sts:TagSession"] }] });
    let allowed = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Resource": "*",
        "Action": [
            "datazone:Get*", "datazone:List*", "redshift-data:*", "redshift:DescribeClusters",
            "redshift:DescribeDataShares", "redshift:GetClusterCredentials",
            "redshift:GetClusterCredentialsWithIAM", "redshift-serverless:GetCredentials",
            "redshift-serverless:GetNamespace", "redshift-serverless:GetWorkgroup",
            "redshift-serverless:ListNamespaces", "redshift-serverless:ListWorkgroups",
            "secretsmanager:ListSecrets", "sqlworkbench:*",
            "athena:*", "glue:BatchCreatePartition", "glue:BatchDeletePartition",
            "glue:CreatePartition", "glue:CreateTable", "glue:DeletePartition",
            "glue:DeleteTable", "glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition",
            "glue:GetPartitions", "glue:GetTable", "glue:GetTables", "glue:SearchTables",
            "glue:UpdateTable", "lakeformation:GetDataAccess", "lakeformation:ListPermissions",
            "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketLocation",
            "s3:GetObject", "s3:ListBucket", "s3:PutObject",
        ] }] });
    let grants = Grants {
        attached: Vec::new(),
        inline: BTreeMap::from([("datazone-environment".to_owned(), allowed.to_string())]),
        boundary: Some(BOUNDARY.to_owned()),
    };
    if iam::role_by_name(room.world, account, name).is_some() {
        return Err(format!("The role {name} already exists"));
    }
    Ok(iam::make_service_role(room.world, account, name, &trust, grants))
}

/// Removes the role of an environment, unless somebody did already.
pub(super) fn remove_environment_role(room: &Room<'_>, environment: &Value, name: &str) {
    iam::remove_service_role(room.world, text(environment, "awsAccountId"), name);
}
