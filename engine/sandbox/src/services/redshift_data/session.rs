//! Where a statement runs and as which database user.
//!
//! Three ways to sign in: a secret's user and password, a named user of a cluster (through
//! `redshift:GetClusterCredentials`), or the caller's own IAM identity (through
//! `redshift:GetClusterCredentialsWithIAM`, for a workgroup `redshift-serverless:GetCredentials`),
//! which becomes the database user `IAM:name` or `IAMR:role`, or whatever the identity's
//! `RedshiftDbUser` tag says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{require, validation};
use crate::access;
use crate::people::PrincipalKind;
use crate::services::redshift::{Endpoint, EndpointName, endpoint};
use crate::services::{AwsFault, Call, iam, secretsmanager};
use crate::sql::Warehouse;

/// A way into one database of one cluster or workgroup.
pub(super) struct Login<'w> {
    pub(super) target: EndpointName,
    /// The namespace that the name stands for now.
    pub(super) namespace: String,
    pub(super) warehouse: Warehouse<'w>,
    pub(super) database: String,
    /// The database user, or why there is none: that fails the statement, not the call.
    pub(super) user: Result<String, String>,
    pub(super) secret_arn: Option<String>,
}

/// Signs in as the input of a call says.
pub(super) fn log_in<'w>(call: &Call<'w>) -> Result<Login<'w>, AwsFault> {
    let (target, endpoint) = target(call)?;
    let database = match (call.text("ConnectedDatabase"), call.text("Database")) {
        ("", "") => return Err(validation("Database is a required parameter.")),
        ("", database) | (database, _) => database.to_lowercase(),
    };
    let Some(mut warehouse) = Warehouse::open(call.world, &endpoint.namespace) else {
        return Err(no_endpoint());
    };
    let (secret, user) = (call.text("SecretArn"), call.text("DbUser"));
    let (user, secret_arn) = match (secret, user, &target) {
        ("", "", target) => {
            may_sign_in(call, target, &endpoint, &database)?;
            (Ok(sign_in_caller(call, &mut warehouse)), None)
        }
        ("", _, EndpointName::Workgroup(_)) => {
            return Err(validation("DbUser is not supported for serverless workgroups."));
        }
        ("", user, EndpointName::Cluster(cluster)) => {
            let resource = arn(call, &format!("dbuser:{cluster}/{user}"));
            require(call, "redshift:GetClusterCredentials", &resource)?;
            (named_user(&warehouse, user), None)
        }
        (_, "", _) => {
            let (user, arn) = with_secret(call, &warehouse, secret)?;
            (user, Some(arn))
        }
        _ => return Err(validation("SecretArn and DbUser cannot both be given.")),
    };
    Ok(Login { target, namespace: endpoint.namespace, warehouse, database, user, secret_arn })
}

/// Refuses a caller who may not sign in with their own IAM identity.
fn may_sign_in(
    call: &Call<'_>,
    target: &EndpointName,
    endpoint: &Endpoint,
    database: &str,
) -> Result<(), AwsFault> {
    match target {
        EndpointName::Cluster(cluster) => {
            let resource = arn(call, &format!("dbname:{cluster}/{database}"));
            require(call, "redshift:GetClusterCredentialsWithIAM", &resource)
        }
        EndpointName::Workgroup(_) => {
            let action = "redshift-serverless:GetCredentials";
            access::require(call, action, &endpoint.arn, &endpoint.tags)
        }
    }
}

fn target(call: &Call<'_>) -> Result<(EndpointName, Endpoint), AwsFault> {
    let member = |name: &str| call.input.get(name).is_some_and(|value| !value.is_null());
    if member("SessionId") || member("SessionKeepAliveSeconds") {
        return Err(AwsFault {
            code: "NotImplementedInSandbox".to_owned(),
            message: "sessions that outlive a statement are not implemented in the sandbox"
                .to_owned(),
            status: Some(501),
        });
    }
    let name = match (call.text("ClusterIdentifier"), call.text("WorkgroupName")) {
        ("", "") => {
            return Err(validation("Either ClusterIdentifier or WorkgroupName must be given."));
        }
        ("", workgroup) => EndpointName::Workgroup(workgroup.to_owned()),
        (cluster, "") => EndpointName::Cluster(cluster.to_owned()),
        _ => {
            return Err(validation("ClusterIdentifier and WorkgroupName cannot both be given."));
        }
    };
    let endpoint = endpoint(call.world, &call.scope(), &name).ok_or_else(no_endpoint)?;
    match endpoint.answers() {
        true => Ok((name, endpoint)),
        false => Err(validation(format!(
            "Redshift {} {} is not available: it is {}.",
            name.kind(),
            name.name(),
            endpoint.status
        ))),
    }
}

/// AWS's words for a cluster that is not there.
fn no_endpoint() -> AwsFault {
    validation("Redshift endpoint doesn't exist in this region.")
}

fn arn(call: &Call<'_>, resource: &str) -> String {
    format!("arn:aws:redshift:{}:{}:{resource}", call.region, call.principal.account)
}

fn named_user(warehouse: &Warehouse<'_>, user: &str) -> Result<String, String> {
    let folded = user.to_lowercase();
    match warehouse.has_user(&folded) {
        true => Ok(folded),
        false => Err(format!("FATAL: user \"{user}\" does not exist")),
    }
}

/// The user of a secret, which the caller must be allowed to read.
fn with_secret(
    call: &Call<'_>,
    warehouse: &Warehouse<'_>,
    arn: &str,
) -> Result<(Result<String, String>, String), AwsFault> {
    let found = secretsmanager::secret_by_arn(call.world, arn)
        .filter(|secret| access::account_of(&secret.arn) == Some(call.principal.account.as_str()));
    let tags: Vec<(String, String)> = found.iter().flat_map(|secret| secret.tags.clone()).collect();
    access::require(call, "secretsmanager:GetSecretValue", arn, &tags)?;
    let secret = found.ok_or_else(|| {
        validation(format!("Secrets Manager can't find the specified secret: {arn}"))
    })?;
    let value: Value = serde_json::from_str(&secret.value).unwrap_or(Value::Null);
    let text = |member: &str| value.get(member).and_then(Value::as_str);
    let (Some(user), Some(password)) = (text("username"), text("password")) else {
        return Err(validation(format!(
            "The secret {} has no username and password.",
            secret.name
        )));
    };
    let user = warehouse
        .authenticate(user, password)
        .map_err(|_refused| format!("FATAL: password authentication failed for user \"{user}\""));
    Ok((user, secret.arn))
}

/// The database user of the caller's IAM identity.
pub(crate) fn database_user(call: &Call<'_>) -> String {
    let principal = call.principal;
    if let Some(user) = identity_tags(call).get("RedshiftDbUser") {
        return user.clone();
    }
    match principal.kind {
        PrincipalKind::Role => format!("IAMR:{}", principal.name),
        PrincipalKind::User | PrincipalKind::Root => format!("IAM:{}", principal.name),
    }
}

/// Signs the caller's IAM identity in: makes its database user when there is none, with the roles
/// and groups of the identity's tags.
pub(crate) fn sign_in_caller(call: &Call<'_>, warehouse: &mut Warehouse<'_>) -> String {
    let user = database_user(call);
    let tags = identity_tags(call);
    let names = |tag: &str| -> Vec<String> {
        let list = tags.get(tag).map(String::as_str).unwrap_or_default();
        list.split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    if warehouse.ensure_user(&user, false) {
        for role in names("RedshiftDbRoles") {
            warehouse.ensure_role(&role, Some(&user));
        }
        let groups = names("RedshiftDbGroups");
        if !groups.is_empty() {
            warehouse.join_groups(&user, &groups);
        }
    }
    user
}

fn identity_tags(call: &Call<'_>) -> BTreeMap<String, String> {
    let (world, principal) = (call.world, call.principal);
    let tags = match principal.kind {
        PrincipalKind::Role => {
            iam::role_by_name(world, &principal.account, &principal.name).map(|role| role.tags)
        }
        PrincipalKind::User => {
            iam::user_by_name(world, &principal.account, &principal.name).map(|user| user.tags)
        }
        PrincipalKind::Root => None,
    };
    tags.unwrap_or_default()
}
