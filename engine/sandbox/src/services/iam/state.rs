//! IAM's documents, and what the rest of the sandbox asks of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::managed;
use crate::people::{Principal, PrincipalKind, split_path};
use crate::world::{Scope, World};

pub(super) const USER: &str = "iam/user";
pub(super) const ROLE: &str = "iam/role";
pub(super) const GROUP: &str = "iam/group";
pub(super) const POLICY: &str = "iam/policy";

/// The policies of a user, role or group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Grants {
    /// ARNs of attached managed policies, in the order of attachment.
    pub(crate) attached: Vec<String>,
    /// Inline documents by policy name.
    pub(crate) inline: BTreeMap<String, String>,
    /// ARN of the permissions boundary.
    pub(crate) boundary: Option<String>,
}

/// An IAM role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Role {
    /// Name without path.
    pub(crate) role_name: String,
    /// `AROA…`.
    pub(crate) role_id: String,
    /// ARN with path.
    pub(crate) arn: String,
    /// Path, `/` or `/service-role/`.
    pub(crate) path: String,
    /// When it was made, RFC 3339: services do not know a role in its first seconds.
    pub(crate) create_date: String,
    /// The trust policy, as JSON text.
    pub(crate) assume_role_policy_document: String,
    /// Description.
    pub(crate) description: Option<String>,
    /// Longest session, in seconds.
    pub(crate) max_session_duration: i64,
    /// Policies.
    pub(crate) grants: Grants,
    /// Tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// An IAM user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    /// Name without path.
    pub(crate) user_name: String,
    /// `AIDA…`.
    pub(crate) user_id: String,
    /// ARN with path.
    pub(crate) arn: String,
    /// Path.
    pub(crate) path: String,
    /// When it was made, RFC 3339.
    pub(crate) create_date: String,
    /// Policies.
    pub(crate) grants: Grants,
    /// Names of its groups.
    pub(crate) groups: Vec<String>,
    /// Its console password, when it has one.
    pub(crate) login: Option<Login>,
    /// Tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// A console password; the password itself is not kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    /// When it was set, RFC 3339.
    pub(crate) create_date: String,
    /// Must be changed at the next sign-in.
    pub(crate) reset_required: bool,
}

/// An IAM group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Name without path.
    pub(crate) group_name: String,
    /// `AGPA…`.
    pub(crate) group_id: String,
    /// ARN with path.
    pub(crate) arn: String,
    /// Path.
    pub(crate) path: String,
    /// When it was made, RFC 3339.
    pub(crate) create_date: String,
    /// Policies.
    pub(crate) grants: Grants,
}

/// A customer managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Name without path.
    pub(crate) policy_name: String,
    /// `ANPA…`.
    pub(crate) policy_id: String,
    /// ARN with path.
    pub(crate) arn: String,
    /// Path.
    pub(crate) path: String,
    /// Description.
    pub(crate) description: Option<String>,
    /// When it was made, RFC 3339.
    pub(crate) create_date: String,
    /// When a version was last made or chosen, RFC 3339.
    pub(crate) update_date: String,
    /// Version in force, `v1`.
    pub(crate) default_version: String,
    /// Number of the last version made.
    pub(crate) last_version: u32,
    /// At most five versions, oldest first.
    pub(crate) versions: Vec<PolicyVersion>,
    /// Tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// One version of a customer managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PolicyVersion {
    /// `v1`.
    pub(crate) id: String,
    /// JSON text.
    pub(crate) document: String,
    /// When it was made, RFC 3339.
    pub(crate) create_date: String,
}

impl Policy {
    /// The document in force.
    pub(crate) fn document(&self) -> Option<&str> {
        self.versions
            .iter()
            .find(|version| version.id == self.default_version)
            .map(|version| version.document.as_str())
    }
}

/// The role with this ARN, in whatever account; nothing when it was deleted.
pub(crate) fn role(world: &World<'_>, arn: &str) -> Option<Role> {
    let (account, name) = account_and_name(arn, "role")?;
    role_by_name(world, account, name).filter(|role| role.arn == arn)
}

/// A role by account and name.
pub(crate) fn role_by_name(world: &World<'_>, account: &str, name: &str) -> Option<Role> {
    world.get(&Scope::global(account), ROLE, name)
}

/// The user with this ARN, in whatever account.
pub(crate) fn user(world: &World<'_>, arn: &str) -> Option<User> {
    let (account, name) = account_and_name(arn, "user")?;
    user_by_name(world, account, name).filter(|user| user.arn == arn)
}

/// A user by account and name.
pub(crate) fn user_by_name(world: &World<'_>, account: &str, name: &str) -> Option<User> {
    world.get(&Scope::global(account), USER, name)
}

fn account_and_name<'a>(arn: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    let (account, rest) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let (_, name) = split_path(rest.strip_prefix(kind)?);
    Some((account, name))
}

/// The policy documents that hold for a principal.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// Managed and inline documents, of the groups as well.
    pub(crate) documents: Vec<String>,
    /// Document of the permissions boundary.
    pub(crate) boundary: Option<String>,
}

/// Everything that says what a principal may do.
pub(crate) fn policies_of(world: &World<'_>, principal: &Principal) -> Policies {
    match principal.kind {
        PrincipalKind::Role => role_by_name(world, &principal.account, &principal.name)
            .map(|role| policies_of_role(world, &role))
            .unwrap_or_default(),
        PrincipalKind::User => user_by_name(world, &principal.account, &principal.name)
            .map(|user| policies_of_user(world, &principal.account, &user))
            .unwrap_or_default(),
        PrincipalKind::Root => Policies::default(),
    }
}

/// Everything that says what a role may do.
pub(crate) fn policies_of_role(world: &World<'_>, role: &Role) -> Policies {
    granted(world, &role.grants)
}

fn policies_of_user(world: &World<'_>, account: &str, user: &User) -> Policies {
    let mut policies = granted(world, &user.grants);
    for group in &user.groups {
        if let Some(group) = world.get::<Group>(&Scope::global(account), GROUP, group) {
            policies.documents.extend(granted(world, &group.grants).documents);
        }
    }
    policies
}

fn granted(world: &World<'_>, grants: &Grants) -> Policies {
    let mut documents: Vec<String> = grants.inline.values().cloned().collect();
    documents.extend(grants.attached.iter().filter_map(|arn| document_of(world, arn)));
    let boundary = grants.boundary.as_ref().map(|arn| {
        // A boundary whose policy is gone allows nothing.
        document_of(world, arn).unwrap_or_else(|| r#"{"Statement": []}"#.to_owned())
    });
    Policies { documents, boundary }
}

/// The document in force of a managed policy, AWS's or the customer's.
pub(crate) fn document_of(world: &World<'_>, arn: &str) -> Option<String> {
    if let Some(policy) = managed::by_arn(arn) {
        return Some(policy.document.to_owned());
    }
    customer_policy(world, arn)?.document().map(str::to_owned)
}

/// A customer managed policy by ARN.
pub(crate) fn customer_policy(world: &World<'_>, arn: &str) -> Option<Policy> {
    let (account, _) = account_and_name(arn, "policy")?;
    world.get(&Scope::global(account), POLICY, arn)
}

/// Makes a user as a world's seed does: no questions asked.
pub(crate) fn seed_user(world: &World<'_>, account: &str, name: &str, grants: Grants) {
    let (path, name) = split_path(name);
    let user = User {
        user_name: name.to_owned(),
        user_id: unique_id(world, "AIDA"),
        arn: format!("arn:aws:iam::{account}:user{path}{name}"),
        path: path.to_owned(),
        create_date: world.now_text(),
        grants,
        groups: Vec::new(),
        login: None,
        tags: BTreeMap::new(),
    };
    world.put(&Scope::global(account), USER, name, &user);
}

/// Makes a role that its own account may assume, as a world's seed does.
pub(crate) fn seed_role(world: &World<'_>, account: &str, name: &str, grants: Grants) {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
        "Action": "sts:AssumeRole"}]});
    make_service_role(world, account, name, &trust, grants);
}

/// Makes a role in a service's name, as CloudFormation does for a DataZone environment; `trust` and
/// `inline` are policy documents. The role's ARN comes back.
pub(crate) fn make_service_role(
    world: &World<'_>,
    account: &str,
    name: &str,
    trust: &Value,
    grants: Grants,
) -> String {
    let (path, name) = split_path(name);
    let role = Role {
        role_name: name.to_owned(),
        role_id: unique_id(world, "AROA"),
        arn: format!("arn:aws:iam::{account}:role{path}{name}"),
        path: path.to_owned(),
        create_date: world.now_text(),
        assume_role_policy_document: trust.to_string(),
        description: None,
        max_session_duration: 3600,
        grants,
        tags: BTreeMap::new(),
    };
    world.put(&Scope::global(account), ROLE, name, &role);
    role.arn
}

/// Removes a role in a service's name; says whether it was there.
pub(crate) fn remove_service_role(world: &World<'_>, account: &str, name: &str) -> bool {
    world.delete(&Scope::global(account), ROLE, split_path(name).1)
}

/// An id as IAM makes them: a prefix that says the kind, and seventeen characters.
pub(super) fn unique_id(world: &World<'_>, prefix: &str) -> String {
    format!("{prefix}SANDBOX{:010}", world.next_number("iam id"))
}
