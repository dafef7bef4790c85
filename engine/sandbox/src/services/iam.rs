//! IAM: users, roles, groups, policies, access keys; the documents that `access` evaluates.
//!
//! What a policy means is `access`'s part, and who a key belongs to is `people`'s. Left out: instance
//! profiles, identity providers, MFA, service-linked roles, server certificates, account settings.

mod entity;
mod grants;
mod groups;
mod keys;
mod policies;
mod roles;
mod simulate;
mod state;
mod users;

pub(crate) use state::{
    Grants, Role, User, document_of, make_service_role, policies_of, policies_of_role,
    remove_service_role, role, role_by_name, seed_role, seed_user, user, user_by_name,
};

use super::{AwsFault, Call, Reply, Service};
use crate::world::Scope;
use entity::Entity as _;
use state::Group;

/// Identity and Access Management.
#[derive(Debug)]
pub(crate) struct Iam;

const IMPLEMENTED: &[&str] = &[
    "AddUserToGroup",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "CreateAccessKey",
    "CreateGroup",
    "CreateLoginProfile",
    "CreatePolicy",
    "CreatePolicyVersion",
    "CreateRole",
    "CreateUser",
    "DeleteAccessKey",
    "DeleteGroup",
    "DeleteGroupPolicy",
    "DeleteLoginProfile",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DeleteUser",
    "DeleteUserPermissionsBoundary",
    "DeleteUserPolicy",
    "DetachGroupPolicy",
    "DetachRolePolicy",
    "DetachUserPolicy",
    "GetGroup",
    "GetGroupPolicy",
    "GetLoginProfile",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetUser",
    "GetUserPolicy",
    "ListAccessKeys",
    "ListAttachedGroupPolicies",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListEntitiesForPolicy",
    "ListGroupPolicies",
    "ListGroups",
    "ListGroupsForUser",
    "ListInstanceProfilesForRole",
    "ListPolicies",
    "ListPolicyTags",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "ListUserPolicies",
    "ListUserTags",
    "ListUsers",
    "PutGroupPolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "PutUserPermissionsBoundary",
    "PutUserPolicy",
    "RemoveUserFromGroup",
    "SetDefaultPolicyVersion",
    "SimulatePrincipalPolicy",
    "TagPolicy",
    "TagRole",
    "TagUser",
    "UntagPolicy",
    "UntagRole",
    "UntagUser",
    "UpdateAccessKey",
    "UpdateAssumeRolePolicy",
    "UpdateLoginProfile",
    "UpdateRole",
    "UpdateRoleDescription",
    "UpdateUser",
];

impl Service for Iam {
    fn name(&self) -> &'static str {
        "iam"
    }

    fn implements(&self) -> &'static [&'static str] {
        IMPLEMENTED
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "CreateUser" => users::create(call),
            "GetUser" => users::get(call),
            "ListUsers" => users::list(call),
            "UpdateUser" => users::update(call),
            "DeleteUser" => users::delete(call),
            "ListUserTags" => entity::list_tags::<User>(call),
            "TagUser" => entity::tag::<User>(call),
            "UntagUser" => entity::untag::<User>(call),
            "CreateRole" => roles::create(call),
            "GetRole" => roles::get(call),
            "ListRoles" => roles::list(call),
            "UpdateRole" => roles::update(call),
            "UpdateRoleDescription" => roles::update_description(call),
            "UpdateAssumeRolePolicy" => roles::update_trust(call),
            "DeleteRole" => roles::delete(call),
            "ListInstanceProfilesForRole" => roles::instance_profiles(call),
            "ListRoleTags" => entity::list_tags::<Role>(call),
            "TagRole" => entity::tag::<Role>(call),
            "UntagRole" => entity::untag::<Role>(call),
            "CreateGroup" => groups::create(call),
            "GetGroup" => groups::get(call),
            "ListGroups" => groups::list(call),
            "DeleteGroup" => groups::delete(call),
            "AddUserToGroup" => groups::add_user(call),
            "RemoveUserFromGroup" => groups::remove_user(call),
            "ListGroupsForUser" => groups::of_user(call),
            "CreateAccessKey" => keys::create(call),
            "ListAccessKeys" => keys::list(call),
            "UpdateAccessKey" => keys::update(call),
            "DeleteAccessKey" => keys::delete(call),
            "CreateLoginProfile" => keys::create_login(call),
            "GetLoginProfile" => keys::get_login(call),
            "UpdateLoginProfile" => keys::update_login(call),
            "DeleteLoginProfile" => keys::delete_login(call),
            "CreatePolicy" => policies::create(call),
            "GetPolicy" => policies::get(call),
            "ListPolicies" => policies::list(call),
            "DeletePolicy" => policies::delete(call),
            "CreatePolicyVersion" => policies::create_version(call),
            "GetPolicyVersion" => policies::get_version(call),
            "ListPolicyVersions" => policies::list_versions(call),
            "SetDefaultPolicyVersion" => policies::set_default(call),
            "DeletePolicyVersion" => policies::delete_version(call),
            "ListEntitiesForPolicy" => policies::entities(call),
            "ListPolicyTags" => policies::list_tags(call),
            "TagPolicy" => policies::tag(call),
            "UntagPolicy" => policies::untag(call),
            "SimulatePrincipalPolicy" => simulate::principal_policy(call),
            _ => granting(call),
        }
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        let account = &call.principal.account;
        let new = |kind: &str, name: &str| {
            let path = match call.text("Path") {
                "" => "/",
                path => path,
            };
            format!("arn:aws:iam::{account}:{kind}{path}{name}")
        };
        let (role, user, group) =
            (call.text("RoleName"), call.text("UserName"), call.text("GroupName"));
        let scope = Scope::global(account);
        if !call.text("PolicyArn").is_empty() && role.is_empty() && user.is_empty() {
            call.text("PolicyArn").to_owned()
        } else if !role.is_empty() {
            role_by_name(call.world, account, role)
                .map_or_else(|| new("role", role), |role| role.arn)
        } else if !group.is_empty() {
            let known = call.world.get::<Group>(&scope, Group::KIND, group);
            known.map_or_else(|| new("group", group), |group| group.arn)
        } else if !user.is_empty() {
            user_by_name(call.world, account, user)
                .map_or_else(|| new("user", user), |user| user.arn)
        } else if !call.text("PolicyName").is_empty() {
            new("policy", call.text("PolicyName"))
        } else {
            "*".to_owned()
        }
    }

    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let account = &call.principal.account;
        let role = role_by_name(call.world, account, call.text("RoleName")).map(|role| role.tags);
        let user =
            || user_by_name(call.world, account, call.text("UserName")).map(|user| user.tags);
        role.or_else(user).unwrap_or_default().into_iter().collect()
    }

    fn condition_keys(&self, call: &Call<'_>) -> Vec<(String, String)> {
        [("iam:PolicyARN", "PolicyArn"), ("iam:PermissionsBoundary", "PermissionsBoundary")]
            .into_iter()
            .filter(|(_, member)| !call.text(member).is_empty())
            .map(|(key, member)| (key.to_owned(), call.text(member).to_owned()))
            .collect()
    }
}

/// What users, roles and groups are granted: the same operations three times.
fn granting(call: &Call<'_>) -> Reply {
    match call.operation {
        "AttachUserPolicy" => grants::attach::<User>(call),
        "AttachRolePolicy" => grants::attach::<Role>(call),
        "AttachGroupPolicy" => grants::attach::<Group>(call),
        "DetachUserPolicy" => grants::detach::<User>(call),
        "DetachRolePolicy" => grants::detach::<Role>(call),
        "DetachGroupPolicy" => grants::detach::<Group>(call),
        "ListAttachedUserPolicies" => grants::list_attached::<User>(call),
        "ListAttachedRolePolicies" => grants::list_attached::<Role>(call),
        "ListAttachedGroupPolicies" => grants::list_attached::<Group>(call),
        "PutUserPolicy" => grants::put_inline::<User>(call),
        "PutRolePolicy" => grants::put_inline::<Role>(call),
        "PutGroupPolicy" => grants::put_inline::<Group>(call),
        "GetUserPolicy" => grants::get_inline::<User>(call),
        "GetRolePolicy" => grants::get_inline::<Role>(call),
        "GetGroupPolicy" => grants::get_inline::<Group>(call),
        "DeleteUserPolicy" => grants::delete_inline::<User>(call),
        "DeleteRolePolicy" => grants::delete_inline::<Role>(call),
        "DeleteGroupPolicy" => grants::delete_inline::<Group>(call),
        "ListUserPolicies" => grants::list_inline::<User>(call),
        "ListRolePolicies" => grants::list_inline::<Role>(call),
        "ListGroupPolicies" => grants::list_inline::<Group>(call),
        "PutUserPermissionsBoundary" => grants::put_boundary::<User>(call),
        "PutRolePermissionsBoundary" => grants::put_boundary::<Role>(call),
        "DeleteUserPermissionsBoundary" => grants::delete_boundary::<User>(call),
        "DeleteRolePermissionsBoundary" => grants::delete_boundary::<Role>(call),
        _ => Err(AwsFault::new("InvalidAction", format!("{} is not valid", call.operation))),
    }
}
