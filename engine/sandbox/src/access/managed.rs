//! The AWS managed policies that the sandbox carries, as AWS publishes them.
//!
//! Only those that data-platform runbooks attach; `world/managed-policies/README.md` says where the
//! documents come from. A policy that is not here does not exist in the sandbox: attaching it is
//! refused with `NoSuchEntity`, as AWS refuses a misspelt one.

/// One AWS managed policy.
#[derive(Debug)]
pub(crate) struct ManagedPolicy {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its path: `/` or `/service-role/`.
    pub(crate) path: &'static str,
    /// Its default version.
    pub(crate) version: &'static str,
    /// The document of that version.
    pub(crate) document: &'static str,
}

impl ManagedPolicy {
    /// `arn:aws:iam::aws:policy/service-role/Name`.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{}{}", self.path, self.name)
    }
}

macro_rules! carried {
    ($name:literal, $path:literal, $version:literal) => {
        ManagedPolicy {
            name: $name,
            path: $path,
            version: $version,
            document: include_str!(concat!("../../world/managed-policies/", $name, ".json")),
        }
    };
}

/// All of them, by name.
pub(crate) static POLICIES: &[ManagedPolicy] = &[
    carried!("AdministratorAccess", "/", "v1"),
    carried!("AmazonDataZoneDomainExecutionRolePolicy", "/service-role/", "v13"),
    carried!("AmazonDataZoneEnvironmentRolePermissionsBoundary", "/", "v4"),
    carried!("AmazonDataZoneFullAccess", "/", "v13"),
    carried!("AmazonDataZoneFullUserAccess", "/", "v9"),
    carried!("AmazonDataZoneGlueManageAccessRolePolicy", "/service-role/", "v18"),
    carried!("AmazonDataZoneRedshiftGlueProvisioningPolicy", "/", "v4"),
    carried!("AmazonDataZoneRedshiftManageAccessRolePolicy", "/service-role/", "v5"),
    carried!("AmazonRedshiftDataFullAccess", "/", "v5"),
    carried!("AmazonRedshiftFullAccess", "/", "v5"),
    carried!("AmazonRedshiftQueryEditorV2FullAccess", "/", "v3"),
    carried!("AmazonRedshiftReadOnlyAccess", "/", "v2"),
    carried!("IAMFullAccess", "/", "v2"),
    carried!("PowerUserAccess", "/", "v12"),
    carried!("SecretsManagerReadWrite", "/", "v5"),
];

/// The names, in order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|policy| policy.name)
}

/// The policy with this ARN.
pub(crate) fn by_arn(arn: &str) -> Option<&'static ManagedPolicy> {
    let rest = arn.strip_prefix("arn:aws:iam::aws:policy")?;
    POLICIES
        .iter()
        .find(|policy| rest.strip_prefix(policy.path).is_some_and(|name| name == policy.name))
}

/// The ARN of a policy given by name or ARN.
pub(crate) fn arn_of(given: &str) -> Option<String> {
    POLICIES
        .iter()
        .find(|policy| policy.name == given)
        .or_else(|| by_arn(given))
        .map(ManagedPolicy::arn)
}
