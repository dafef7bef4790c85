//! Associations of a share with principals and resources, and their states.

use serde_json::{Value, json};

use super::state::{
    DELETED, Kind, Link, Organisation, SHARE, Share, check_resource, invalid, not_permitted,
    resource_type, save, share, shown_link, unknown, with_token,
};
use super::{PAGES, arrange, invitations, known_share, link_event, permissions, shares};
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};
use crate::spec::{WorldSpec, failures};
use crate::world::{Scope, World};

/// How long an association takes, and how long it takes to end.
const SECONDS: i64 = 3;

/// What a call names.
pub(super) struct Asked {
    pub(super) principals: Vec<String>,
    pub(super) resources: Vec<String>,
}

impl Asked {
    /// The principals and resources of an input. Sources are not in the sandbox.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, AwsFault> {
        if !texts(call.input, "sources").is_empty() {
            return Err(invalid(
                "sources are not in the sandbox: name principals and resourceArns",
            ));
        }
        Ok(Self {
            principals: texts(call.input, "principals"),
            resources: texts(call.input, "resourceArns"),
        })
    }
}

/// `AssociateResourceShare`.
pub(super) fn associate(call: &Call<'_>) -> Reply {
    let (scope, mut share) = super::own_share(call)?;
    let asked = Asked::of(call)?;
    if asked.principals.is_empty() && asked.resources.is_empty() {
        return Err(invalid("Specify at least one resource or principal."));
    }
    if share.status != "ACTIVE" {
        return Err(AwsFault::new(
            "InvalidStateTransitionException",
            format!("Resource share {} is {} and not ACTIVE.", share.arn, share.status),
        ));
    }
    begin(call, &scope, &mut share, &asked)?;
    save(call.world, &scope, &share);
    Ok(answer(call, &share, &asked))
}

/// The associations that a call was about.
fn answer(call: &Call<'_>, share: &Share, asked: &Asked) -> Value {
    let principals = asked.principals.iter().map(|entity| (Kind::Principal, entity));
    let resources = asked.resources.iter().map(|entity| (Kind::Resource, entity));
    let shown: Vec<Value> = principals
        .chain(resources)
        .filter_map(|(kind, entity)| Some(shown_link(share, share.link(kind, entity)?)))
        .collect();
    with_token(call, json!({"resourceShareAssociations": shown}))
}

/// Begins the associations that are asked for; those that are there already stay as they are.
pub(super) fn begin(
    call: &Call<'_>,
    scope: &Scope,
    share: &mut Share,
    asked: &Asked,
) -> Result<(), AwsFault> {
    for principal in &asked.principals {
        let external = check_principal(call, share, principal)?;
        if !is_live(share, Kind::Principal, principal) {
            begin_principal(call.world, scope, share, principal, external);
        }
    }
    for arn in &asked.resources {
        let kind = check_resource(call, arn)?;
        permissions::complete(call.world, share, kind);
        if !is_live(share, Kind::Resource, arn) {
            begin_resource(call.world, scope, share, arn);
        }
    }
    Ok(())
}

fn is_live(share: &Share, kind: Kind, entity: &str) -> bool {
    share
        .link(kind, entity)
        .is_some_and(|link| matches!(link.status.as_str(), "ASSOCIATING" | "ASSOCIATED"))
}

fn begin_principal(
    world: &World<'_>,
    scope: &Scope,
    share: &mut Share,
    principal: &str,
    external: bool,
) {
    add(world, share, Kind::Principal, principal, external);
    if external {
        invitations::send(world, share, principal);
    } else {
        let event = link_event(&share.arn, principal, Kind::Principal, "ASSOCIATED");
        arrange(world, scope, SECONDS, &event);
    }
}

fn begin_resource(world: &World<'_>, scope: &Scope, share: &mut Share, arn: &str) {
    add(world, share, Kind::Resource, arn, false);
    let fails = failures::once(world, "failed_ram_resource", |known| known.failed_ram_resource);
    let to = if fails { "FAILED" } else { "ASSOCIATED" };
    arrange(world, scope, SECONDS, &link_event(&share.arn, arn, Kind::Resource, to));
}

/// Adds an association, in the place of one that ended.
fn add(world: &World<'_>, share: &mut Share, kind: Kind, entity: &str, external: bool) {
    share.links.retain(|link| link.kind != kind || link.entity != entity);
    share.links.push(Link {
        entity: entity.to_owned(),
        kind,
        status: "ASSOCIATING".to_owned(),
        message: None,
        external,
        created: world.now_text(),
        updated: world.now_text(),
    });
}

/// Whether a principal is one of another organisation; refuses what is no principal here.
fn check_principal(call: &Call<'_>, share: &Share, principal: &str) -> Result<bool, AwsFault> {
    let organisation = Organisation::of(call.world);
    if organisation.as_ref().is_some_and(|organisation| organisation.arn == principal) {
        return Ok(false);
    }
    if principal == call.principal.account {
        return Err(invalid("A resource share cannot be shared with the account that owns it."));
    }
    let spec = WorldSpec::of(call.world);
    if !spec.accounts.values().any(|account| account == principal) {
        let known: Vec<&str> = spec.accounts.values().map(String::as_str).collect();
        return Err(invalid(format!(
            "Invalid principal {principal}: the world has the accounts {}, and the sandbox shares \
             with accounts and with the organization as a whole",
            known.join(", ")
        )));
    }
    let external = !organisation.is_some_and(|organisation| organisation.has(principal));
    if external && !share.allow_external {
        return Err(not_permitted(format!(
            "Principal ID {principal} is not in your AWS organization. You do not have permission \
             to add external AWS accounts to a resource share."
        )));
    }
    Ok(external)
}

/// `DisassociateResourceShare`, by the owner or by an account that leaves a share.
pub(super) fn disassociate(call: &Call<'_>) -> Reply {
    let (scope, mut share) = known_share(call, call.text("resourceShareArn"))?;
    let asked = Asked::of(call)?;
    let account = &call.principal.account;
    if scope.account != *account {
        let leaves = asked.resources.is_empty() && asked.principals == [account.as_str()];
        let external = share.membership(call.world, account).is_some_and(|link| link.external);
        if !leaves || !external {
            return Err(not_permitted(
                "You can only leave a resource share that you accepted an invitation to.",
            ));
        }
    }
    for (kind, entities) in
        [(Kind::Principal, &asked.principals), (Kind::Resource, &asked.resources)]
    {
        for entity in entities {
            end(call.world, &scope, &mut share, kind, entity)?;
        }
    }
    save(call.world, &scope, &share);
    Ok(answer(call, &share, &asked))
}

fn end(
    world: &World<'_>,
    scope: &Scope,
    share: &mut Share,
    kind: Kind,
    entity: &str,
) -> Result<(), AwsFault> {
    let (arn, now) = (share.arn.clone(), world.now_text());
    let link = share
        .link_mut(kind, entity)
        .filter(|link| link.status != "DISASSOCIATED")
        .ok_or_else(|| unknown(format!("{entity} is not associated with {arn}.")))?;
    if link.status == "DISASSOCIATING" {
        return Ok(());
    }
    "DISASSOCIATING".clone_into(&mut link.status);
    link.updated = now;
    if kind == Kind::Principal {
        invitations::withdraw(world, &arn, Some(entity));
    }
    arrange(world, scope, SECONDS, &link_event(&arn, entity, kind, "DISASSOCIATED"));
    Ok(())
}

/// An association reaches the status that was arranged, unless something else became of it.
pub(super) fn settle(world: &World<'_>, arn: &str, event: &Value) {
    let Some((scope, mut share)) = share(world, arn) else { return };
    let kind = if event["kind"] == "PRINCIPAL" { Kind::Principal } else { Kind::Resource };
    let to = event["to"].as_str().unwrap_or_default();
    let from = if to == "DISASSOCIATED" { "DISASSOCIATING" } else { "ASSOCIATING" };
    let Some(link) = share.link_mut(kind, event["entity"].as_str().unwrap_or_default()) else {
        return;
    };
    if link.status != from {
        return;
    }
    to.clone_into(&mut link.status);
    link.message = (to == "FAILED").then(|| "Failed to put resource policy".to_owned());
    link.updated = world.now_text();
    save(world, &scope, &share);
}

/// A principal's association reaches a status, with a reason where it failed.
pub(super) fn decide(world: &World<'_>, arn: &str, account: &str, to: &str, why: Option<&str>) {
    let Some((scope, mut share)) = share(world, arn) else { return };
    let Some(link) =
        share.link_mut(Kind::Principal, account).filter(|link| link.status == "ASSOCIATING")
    else {
        return;
    };
    to.clone_into(&mut link.status);
    link.message = why.map(str::to_owned);
    link.updated = world.now_text();
    save(world, &scope, &share);
}

/// `GetResourceShareAssociations`: of the caller's own shares.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let wanted = match call.text("associationType") {
        "PRINCIPAL" => Some(Kind::Principal),
        "RESOURCE" => Some(Kind::Resource),
        _ => None,
    };
    let member = |name: &str| call.text(name).to_owned();
    let (resource, principal) = (member("resourceArn"), member("principal"));
    if !resource.is_empty() && wanted == Some(Kind::Principal)
        || !principal.is_empty() && wanted == Some(Kind::Resource)
    {
        return Err(invalid(
            "resourceArn goes with the association type RESOURCE, principal with PRINCIPAL.",
        ));
    }
    let mut shares = call.world.list::<Share>(&call.scope(), SHARE);
    shares.extend(call.world.list::<Share>(&call.scope(), DELETED));
    let arns = texts(call.input, "resourceShareArns");
    if let Some(arn) = arns.iter().find(|arn| !shares.iter().any(|share| share.arn == **arn)) {
        return Err(unknown(format!("ResourceShare {arn} could not be found.")));
    }
    shares.retain(|share| arns.is_empty() || arns.contains(&share.arn));
    let mut shown = Vec::new();
    for share in &shares {
        for link in share.links.iter().filter(|link| Some(link.kind) == wanted) {
            let entity = if resource.is_empty() { &principal } else { &resource };
            let status = call.text("associationStatus");
            if (entity.is_empty() || *entity == link.entity)
                && (status.is_empty() || status == link.status)
            {
                shown.push(shown_link(share, link));
            }
        }
    }
    PAGES.page(call, "resourceShareAssociations", shown)
}

/// Shares resources with an account in a service's name, as Lake Formation does: through its live
/// share of that name, or a new one. The share's ARN comes back.
pub(crate) fn share_for_service(
    world: &World<'_>,
    scope: &Scope,
    name: &str,
    resource_arn: &str,
    account: &str,
) -> String {
    let own = world.list::<Share>(scope, SHARE).into_iter();
    let found = own
        .filter(|share| share.status == "ACTIVE")
        .find(|share| share.name == name && share.link(Kind::Principal, account).is_some());
    let mut share = found.unwrap_or_else(|| {
        let mut share = Share::new(world, scope, name);
        "ACTIVE".clone_into(&mut share.status);
        share
    });
    if let Some(kind) = resource_type(resource_arn) {
        permissions::complete(world, &mut share, kind);
    }
    if !is_live(&share, Kind::Resource, resource_arn) {
        add(world, &mut share, Kind::Resource, resource_arn, false);
        let event = link_event(&share.arn, resource_arn, Kind::Resource, "ASSOCIATED");
        arrange(world, scope, SECONDS, &event);
    }
    if !is_live(&share, Kind::Principal, account) {
        let member = Organisation::of(world).is_some_and(|known| known.has(account));
        begin_principal(world, scope, &mut share, account, !member);
    }
    save(world, scope, &share);
    share.arn
}

/// Takes a resource out of the share that a service made for an account; the share goes with its
/// last resource.
pub(crate) fn unshare_for_service(
    world: &World<'_>,
    scope: &Scope,
    name: &str,
    resource_arn: &str,
    account: &str,
) {
    let shares = world.list::<Share>(scope, SHARE).into_iter();
    let found = shares
        .filter(|share| share.status != "DELETING")
        .find(|share| share.name == name && share.link(Kind::Principal, account).is_some());
    let Some(mut share) = found else { return };
    share.links.retain(|link| link.kind != Kind::Resource || link.entity != resource_arn);
    share.updated = world.now_text();
    if share.links_of(Kind::Resource).next().is_none() {
        shares::begin_deletion(world, scope, share);
    } else {
        save(world, scope, &share);
    }
}
