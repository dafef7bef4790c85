//! The documents of AWS RAM, and what other services ask of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::permissions;
use crate::access::account_of;
use crate::services::{AwsFault, Call};
use crate::spec::WorldSpec;
use crate::world::{Scope, World, parse_timestamp};

pub(super) const SHARE: &str = "ram/share";
/// Shares that were deleted can be seen for two hours; they are nobody's resource any more.
pub(super) const DELETED: &str = "ram/_deleted_share";
pub(super) const INVITATION: &str = "ram/invitation";
/// Invitations that were answered or ran out.
pub(super) const DECIDED: &str = "ram/_decided_invitation";

/// What an association is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// An account, or the organisation.
    #[serde(rename = "PRINCIPAL")]
    Principal,
    /// A thing that is shared.
    #[serde(rename = "RESOURCE")]
    Resource,
}

/// A principal or resource of a share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Link {
    /// Account id or ARN.
    pub(super) entity: String,
    pub(super) kind: Kind,
    /// `ASSOCIATING`, `ASSOCIATED`, `FAILED`, `DISASSOCIATING`, `DISASSOCIATED`.
    pub(super) status: String,
    /// Why it failed.
    pub(super) message: Option<String>,
    /// The principal is not of the owner's organisation.
    pub(super) external: bool,
    /// RFC 3339.
    pub(super) created: String,
    /// RFC 3339.
    pub(super) updated: String,
}

/// One resource share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Share {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) allow_external: bool,
    /// `PENDING`, `ACTIVE`, `DELETING`, `DELETED`.
    pub(super) status: String,
    /// ARNs of permissions.
    pub(super) permissions: Vec<String>,
    pub(super) links: Vec<Link>,
    pub(super) tags: BTreeMap<String, String>,
    /// RFC 3339.
    pub(super) created: String,
    /// RFC 3339.
    pub(super) updated: String,
}

/// An invitation into a share, kept with its receiver.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Invitation {
    pub(super) arn: String,
    pub(super) share_arn: String,
    pub(super) share_name: String,
    pub(super) sender: String,
    pub(super) receiver: String,
    /// `PENDING`, `ACCEPTED`, `REJECTED`, `EXPIRED`.
    pub(super) status: String,
    /// RFC 3339.
    pub(super) sent: String,
}

impl Share {
    /// A share that is being made.
    pub(super) fn new(world: &World<'_>, scope: &Scope, name: &str) -> Self {
        let number = world.next_number("ram/share");
        let id = format!("5a17db0c-0000-4000-a000-{number:012x}");
        Self {
            arn: format!("arn:aws:ram:{}:{}:resource-share/{id}", scope.region, scope.account),
            name: name.to_owned(),
            owner: scope.account.clone(),
            allow_external: true,
            status: "PENDING".to_owned(),
            permissions: Vec::new(),
            links: Vec::new(),
            tags: BTreeMap::new(),
            created: world.now_text(),
            updated: world.now_text(),
        }
    }

    pub(super) fn link(&self, kind: Kind, entity: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.kind == kind && link.entity == entity)
    }

    pub(super) fn link_mut(&mut self, kind: Kind, entity: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.kind == kind && link.entity == entity)
    }

    pub(super) fn links_of(&self, kind: Kind) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.kind == kind)
    }

    /// The association through which an account has the share, once it has.
    pub(super) fn membership(&self, world: &World<'_>, account: &str) -> Option<&Link> {
        let associated =
            || self.links_of(Kind::Principal).filter(|link| link.status == "ASSOCIATED");
        associated().find(|link| link.entity == account).or_else(|| {
            let of_all = associated().find(|link| link.entity.starts_with("arn:"))?;
            let organisation = Organisation::of(world)?;
            (of_all.entity == organisation.arn && organisation.has(account)).then_some(of_all)
        })
    }
}

/// The organisation of a world whose accounts are one.
pub(super) struct Organisation {
    pub(super) arn: String,
    accounts: Vec<String>,
}

impl Organisation {
    pub(super) fn of(world: &World<'_>) -> Option<Self> {
        let spec = WorldSpec::of(world);
        spec.organisation.then(|| Self {
            arn: crate::services::organizations::arn_of(&spec.first()),
            accounts: spec.accounts.into_values().collect(),
        })
    }

    pub(super) fn has(&self, account: &str) -> bool {
        self.accounts.iter().any(|known| known == account)
    }
}

/// A live share by its ARN, with the place where it lives.
pub(super) fn share(world: &World<'_>, arn: &str) -> Option<(Scope, Share)> {
    world.find_anywhere::<Share>(SHARE, arn).map(|stored| (stored.scope, stored.document))
}

pub(super) fn save(world: &World<'_>, scope: &Scope, share: &Share) {
    world.put(scope, SHARE, &share.arn, share);
}

/// What lets an account use a resource of another one.
#[derive(Debug, Clone)]
pub(crate) struct Association {
    /// ARNs of the share's permissions.
    pub(crate) permissions: Vec<String>,
    /// Since when both the resource and the account are associated.
    pub(crate) since: OffsetDateTime,
}

/// How an account has a resource of another one: through an active share that both are associated
/// with, the earliest where there are several.
pub(crate) fn association(
    world: &World<'_>,
    resource_arn: &str,
    account: &str,
) -> Option<Association> {
    let shares = world.list_everywhere::<Share>(SHARE);
    let found = shares.into_iter().filter_map(|stored| {
        let share = stored.document;
        let resource = share.link(Kind::Resource, resource_arn)?;
        let principal = share.membership(world, account)?;
        if share.status != "ACTIVE" || resource.status != "ASSOCIATED" {
            return None;
        }
        let since = [resource, principal].map(|link| parse_timestamp(&link.updated));
        let since = since.into_iter().flatten().max()?;
        Some(Association { since, permissions: share.permissions.clone() })
    });
    found.min_by_key(|association| association.since)
}

/// The type of a resource that can be shared, by its ARN.
pub(super) fn resource_type(arn: &str) -> Option<&'static str> {
    let mut parts = arn.splitn(6, ':');
    let (head, service) = ((parts.next()?, parts.next()?), parts.next()?);
    let rest = parts.nth(2)?;
    let kind = rest.split('/').next()?;
    match (head, service, kind) {
        (("arn", "aws"), "datazone", "domain") => Some("datazone:Domain"),
        (("arn", "aws"), "glue", "catalog") => Some("glue:Catalog"),
        (("arn", "aws"), "glue", "database") => Some("glue:Database"),
        (("arn", "aws"), "glue", "table") => Some("glue:Table"),
        _ => None,
    }
}

/// Refuses what is not the caller's to share.
pub(super) fn check_resource(call: &Call<'_>, arn: &str) -> Result<&'static str, AwsFault> {
    let Some(kind) = resource_type(arn) else {
        return Err(malformed(format!(
            "The specified resource ARN {arn} is not valid, or is of a type that the sandbox does \
             not share (it shares {})",
            permissions::resource_types().collect::<Vec<_>>().join(", ")
        )));
    };
    let region = arn.split(':').nth(3).unwrap_or_default();
    let owned = account_of(arn) == Some(&call.principal.account) && region == call.region;
    let exists = match kind {
        "datazone:Domain" => {
            let id = arn.rsplit('/').next().unwrap_or_default();
            call.world.get::<Value>(&call.scope(), "datazone/domain", id).is_some()
        }
        _ => true,
    };
    if owned && exists {
        return Ok(kind);
    }
    Err(unknown(format!(
        "Resource {arn} could not be found in account {}.",
        call.principal.account
    )))
}

/// A share as answers show it. The organisation's own settings are not shown.
pub(super) fn shown(share: &Share, is_owner: bool) -> Value {
    let mut shown = json!({
        "resourceShareArn": share.arn, "name": share.name, "owningAccountId": share.owner,
        "allowExternalPrincipals": share.allow_external, "status": share.status,
        "creationTime": share.created, "lastUpdatedTime": share.updated,
        "featureSet": "STANDARD",
    });
    if is_owner && !share.tags.is_empty() {
        shown["tags"] = tag_list(&share.tags);
    }
    shown
}

/// An association as answers show it.
pub(super) fn shown_link(share: &Share, link: &Link) -> Value {
    let mut shown = json!({
        "resourceShareArn": share.arn, "resourceShareName": share.name,
        "associatedEntity": link.entity, "associationType": link.kind, "status": link.status,
        "creationTime": link.created, "lastUpdatedTime": link.updated, "external": link.external,
    });
    if let Some(message) = &link.message {
        shown["statusMessage"] = json!(message);
    }
    shown
}

/// Tags from an input.
pub(super) fn tags_of(input: &Value) -> BTreeMap<String, String> {
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    let tags = input.get("tags").and_then(Value::as_array);
    tags.into_iter().flatten().map(|tag| (text(tag, "key"), text(tag, "value"))).collect()
}

pub(super) fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// An answer with the token of the input, which RAM gives back.
pub(super) fn with_token(call: &Call<'_>, mut answer: Value) -> Value {
    if !call.text("clientToken").is_empty() {
        answer["clientToken"] = json!(call.text("clientToken"));
    }
    answer
}

pub(super) fn unknown(message: String) -> AwsFault {
    AwsFault::new("UnknownResourceException", message)
}

pub(super) fn malformed(message: String) -> AwsFault {
    AwsFault::new("MalformedArnException", message)
}

pub(super) fn not_permitted(message: impl Into<String>) -> AwsFault {
    AwsFault::new("OperationNotPermittedException", message)
}

pub(super) fn invalid(message: impl Into<String>) -> AwsFault {
    AwsFault::new("InvalidParameterException", message)
}
