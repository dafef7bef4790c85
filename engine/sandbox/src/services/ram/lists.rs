//! What is shared with whom, across shares.

use serde_json::{Value, json};

use super::PAGES;
use super::permissions;
use super::state::{Kind, Link, SHARE, Share, invalid, resource_type};
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};

/// `ListResources`.
pub(super) fn resources(call: &Call<'_>) -> Reply {
    let (shares, arns) = (visible(call)?, texts(call.input, "resourceArns"));
    let (kind, principal) = (call.text("resourceType"), call.text("principal"));
    let mut shown = Vec::new();
    for share in &shares {
        let with_principal = call.text("resourceOwner") == "OTHER-ACCOUNTS"
            || principal.is_empty()
            || share.link(Kind::Principal, principal).is_some();
        for link in share.links_of(Kind::Resource).filter(|link| link.status == "ASSOCIATED") {
            let of_kind = kind.is_empty() || resource_type(&link.entity) == Some(kind);
            let named = arns.is_empty() || arns.contains(&link.entity);
            if with_principal && of_kind && named {
                shown.push(shown_resource(share, link));
            }
        }
    }
    PAGES.page(call, "resources", shown)
}

/// `ListPrincipals`: of the caller's shares, or the owners of those that others share.
pub(super) fn principals(call: &Call<'_>) -> Reply {
    let (shares, wanted) = (visible(call)?, texts(call.input, "principals"));
    let (resource, kind) = (call.text("resourceArn"), call.text("resourceType"));
    let own = call.text("resourceOwner") == "SELF";
    let mut shown = Vec::new();
    for share in &shares {
        let mut resources = share.links_of(Kind::Resource);
        let shares_it = (resource.is_empty() && kind.is_empty())
            || resources.any(|link| {
                (resource.is_empty() || link.entity == resource)
                    && (kind.is_empty() || resource_type(&link.entity) == Some(kind))
            });
        if !shares_it {
            continue;
        }
        if !own {
            shown.push(json!({
                "id": share.owner, "resourceShareArn": share.arn, "creationTime": share.created,
                "lastUpdatedTime": share.updated, "external": share.allow_external,
            }));
            continue;
        }
        for link in share.links_of(Kind::Principal).filter(|link| link.status == "ASSOCIATED") {
            if wanted.is_empty() || wanted.contains(&link.entity) {
                shown.push(json!({
                    "id": link.entity, "resourceShareArn": share.arn, "creationTime": link.created,
                    "lastUpdatedTime": link.updated, "external": link.external,
                }));
            }
        }
    }
    PAGES.page(call, "principals", shown)
}

/// `ListResourceTypes`.
pub(super) fn resource_types(call: &Call<'_>) -> Reply {
    let shown = permissions::resource_types()
        .map(|kind| {
            let service = kind.split(':').next().unwrap_or_default();
            json!({
                "resourceType": kind, "serviceName": service, "resourceRegionScope": "REGIONAL",
            })
        })
        .collect();
    PAGES.page(call, "resourceTypes", shown)
}

/// The live shares that a list is about: the caller's own, or those that the caller has.
fn visible(call: &Call<'_>) -> Result<Vec<Share>, AwsFault> {
    let arns = texts(call.input, "resourceShareArns");
    let kind = call.text("resourceType");
    if !kind.is_empty() && !permissions::resource_types().any(|known| known == kind) {
        return Err(invalid(format!("The resource type {kind} is not valid.")));
    }
    let account = &call.principal.account;
    let own = call.text("resourceOwner") == "SELF";
    let shares = call.world.list_everywhere::<Share>(SHARE).into_iter();
    Ok(shares
        .filter(|stored| stored.scope.region == call.region)
        .filter(|stored| own == (stored.scope.account == *account))
        .map(|stored| stored.document)
        .filter(|share| share.status == "ACTIVE")
        .filter(|share| own || share.membership(call.world, account).is_some())
        .filter(|share| arns.is_empty() || arns.contains(&share.arn))
        .collect())
}

/// A shared resource as answers show it.
pub(super) fn shown_resource(share: &Share, link: &Link) -> Value {
    json!({
        "arn": link.entity, "type": resource_type(&link.entity), "resourceShareArn": share.arn,
        "creationTime": link.created, "lastUpdatedTime": link.updated,
        "resourceRegionScope": "REGIONAL",
    })
}
