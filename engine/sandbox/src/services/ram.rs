//! AWS RAM: resource shares, their associations, invitations and permissions.
//!
//! What a share lets another account do is the business of the service whose resource it is: it asks
//! [`association`]. A principal of another organisation stays ASSOCIATING until it accepts its
//! invitation; inside an organisation nobody is invited. Left out: permissions of the customer's own,
//! shares made from resource policies, sources, principals that are roles, users or units.

mod invitations;
mod links;
mod lists;
mod permissions;
mod shares;
mod state;

pub(crate) use invitations::accept_for_service;
pub(crate) use links::{share_for_service, unshare_for_service};
pub(crate) use state::association;

use serde_json::{Value, json};

use super::pages::{Paging, texts};
use super::{AwsFault, Call, Reply, Service};
use crate::world::{Due, Scope, World};
use state::{Share, not_permitted, share, unknown};

/// Resource Access Manager.
#[derive(Debug)]
pub(crate) struct Ram;

/// How RAM pages.
const PAGES: Paging = Paging {
    size: "maxResults",
    token: "nextToken",
    next: "nextToken",
    most: 500,
    error: "InvalidNextTokenException",
};

impl Service for Ram {
    fn name(&self) -> &'static str {
        "ram"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "AcceptResourceShareInvitation",
            "AssociateResourceShare",
            "AssociateResourceSharePermission",
            "CreateResourceShare",
            "DeleteResourceShare",
            "DisassociateResourceShare",
            "DisassociateResourceSharePermission",
            "EnableSharingWithAwsOrganization",
            "GetPermission",
            "GetResourceShareAssociations",
            "GetResourceShareInvitations",
            "GetResourceShares",
            "ListPendingInvitationResources",
            "ListPermissions",
            "ListPrincipals",
            "ListResourceSharePermissions",
            "ListResourceTypes",
            "ListResources",
            "RejectResourceShareInvitation",
            "TagResource",
            "UntagResource",
            "UpdateResourceShare",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "AcceptResourceShareInvitation" => invitations::accept(call),
            "AssociateResourceShare" => links::associate(call),
            "AssociateResourceSharePermission" => permissions::associate(call),
            "CreateResourceShare" => shares::create(call),
            "DeleteResourceShare" => shares::delete(call),
            "DisassociateResourceShare" => links::disassociate(call),
            "DisassociateResourceSharePermission" => permissions::disassociate(call),
            "EnableSharingWithAwsOrganization" => shares::enable_organisation(call),
            "GetPermission" => permissions::get(call),
            "GetResourceShareAssociations" => links::list(call),
            "GetResourceShareInvitations" => invitations::list(call),
            "GetResourceShares" => shares::list(call),
            "ListPendingInvitationResources" => invitations::resources(call),
            "ListPermissions" => permissions::list(call),
            "ListPrincipals" => lists::principals(call),
            "ListResourceSharePermissions" => permissions::of_share(call),
            "ListResourceTypes" => lists::resource_types(call),
            "ListResources" => lists::resources(call),
            "RejectResourceShareInvitation" => invitations::reject(call),
            "TagResource" => shares::tag(call),
            "UntagResource" => shares::untag(call),
            "UpdateResourceShare" => shares::update(call),
            other => Err(AwsFault::new("InvalidParameterException", format!("{other} is unknown"))),
        }
    }

    fn due(&self, world: &World<'_>, due: &Due) {
        let text = |member: &str| due.event[member].as_str().unwrap_or_default();
        match text("event") {
            "share_active" => shares::activate(world, text("share")),
            "share_gone" => shares::gone(world, &due.scope, text("share")),
            "share_forgotten" => shares::forget(world, &due.scope, text("share")),
            "linked" => links::settle(world, text("share"), &due.event),
            "invitation_expires" => invitations::expire(world, &due.scope, text("invitation")),
            _ => {}
        }
    }

    fn resource_arn(&self, call: &Call<'_>) -> String {
        let members = ["resourceShareArn", "resourceShareInvitationArn", "permissionArn"];
        members
            .into_iter()
            .map(|member| call.text(member))
            .find(|arn| !arn.is_empty())
            .unwrap_or("*")
            .to_owned()
    }

    fn resource_tags(&self, call: &Call<'_>) -> Vec<(String, String)> {
        share(call.world, call.text("resourceShareArn"))
            .map(|(_, share)| share.tags.into_iter().collect())
            .unwrap_or_default()
    }

    fn condition_keys(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let mut keys = Vec::new();
        let mut add = |key: &str, value: &str| keys.push((format!("ram:{key}"), value.to_owned()));
        if let Some((_, share)) = share(call.world, &share_arn(call)) {
            add("ResourceShareName", &share.name);
            add("AllowsExternalPrincipals", &share.allow_external.to_string());
        }
        for permission in texts(call.input, "permissionArns") {
            add("PermissionArn", &permission);
        }
        if !call.text("permissionArn").is_empty() {
            add("PermissionArn", call.text("permissionArn"));
        }
        for principal in texts(call.input, "principals") {
            add("Principal", &principal);
        }
        for arn in texts(call.input, "resourceArns") {
            add("ResourceArn", &arn);
            if let Some(kind) = state::resource_type(&arn) {
                add("RequestedResourceType", kind);
            }
        }
        if let Some(allowed) = call.input.get("allowExternalPrincipals").and_then(Value::as_bool) {
            add("RequestedAllowsExternalPrincipals", &allowed.to_string());
        }
        keys
    }
}

/// The share that a call is about, by its ARN or by that of an invitation.
fn share_arn(call: &Call<'_>) -> String {
    match call.text("resourceShareInvitationArn") {
        "" => call.text("resourceShareArn").to_owned(),
        invitation => invitations::find(call.world, invitation)
            .map(|(_, _, invitation)| invitation.share_arn)
            .unwrap_or_default(),
    }
}

/// The share that `resourceShareArn` names, when it is the caller's own.
fn own_share(call: &Call<'_>) -> Result<(Scope, Share), AwsFault> {
    let arn = call.text("resourceShareArn");
    let (scope, share) = known_share(call, arn)?;
    if scope.account == call.principal.account {
        return Ok((scope, share));
    }
    Err(not_permitted(format!("Resource share {arn} is not owned by your account.")))
}

/// A share that the caller owns or has.
fn visible_share(call: &Call<'_>, arn: &str) -> Result<Share, AwsFault> {
    known_share(call, arn).map(|(_, share)| share)
}

/// A live share of this region that the caller owns or has, and its place.
fn known_share(call: &Call<'_>, arn: &str) -> Result<(Scope, Share), AwsFault> {
    if !arn.starts_with("arn:aws:ram:") {
        return Err(state::malformed(format!("The specified resource ARN {arn} is not valid.")));
    }
    let account = &call.principal.account;
    share(call.world, arn)
        .filter(|(scope, share)| {
            scope.region == call.region
                && (scope.account == *account || share.membership(call.world, account).is_some())
        })
        .ok_or_else(|| unknown(format!("ResourceShare {arn} could not be found.")))
}

/// Arranges the next step of a share's or an association's state machine.
fn arrange(world: &World<'_>, scope: &Scope, seconds: i64, event: &Value) {
    world.schedule(world.now() + time::Duration::seconds(seconds), "ram", scope, event);
}

/// The event that gives an association its next status.
fn link_event(share: &str, entity: &str, kind: state::Kind, to: &str) -> Value {
    json!({"event": "linked", "share": share, "entity": entity, "kind": kind, "to": to})
}
