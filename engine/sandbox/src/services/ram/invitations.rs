//! Invitations: what an account of no common organisation gets before it has a share.

use serde_json::{Value, json};
use time::Duration;

use super::state::{
    DECIDED, INVITATION, Invitation, Kind, Share, malformed, not_permitted, share, unknown,
    with_token,
};
use super::{PAGES, links};
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};
use crate::spec::failures;
use crate::world::{Scope, World};

/// How long an invitation waits for its answer.
const LASTS: Duration = Duration::days(7);

/// Invites an account into a share.
pub(super) fn send(world: &World<'_>, share: &Share, account: &str) {
    let region = share.arn.split(':').nth(3).unwrap_or_default();
    let scope = Scope::new(account, region);
    let number = world.next_number("ram/invitation");
    let id = format!("5a17db0c-0000-4000-b000-{number:012x}");
    let invitation = Invitation {
        arn: format!("arn:aws:ram:{region}:{}:resource-share-invitation/{id}", share.owner),
        share_arn: share.arn.clone(),
        share_name: share.name.clone(),
        sender: share.owner.clone(),
        receiver: account.to_owned(),
        status: "PENDING".to_owned(),
        sent: world.now_text(),
    };
    world.put(&scope, INVITATION, &invitation.arn, &invitation);
    let at_once = failures::once(world, "invitation_expired", |known| known.invitation_expired);
    let lasts = if at_once { Duration::seconds(1) } else { LASTS };
    let event = json!({"event": "invitation_expires", "invitation": invitation.arn});
    world.schedule(world.now() + lasts, "ram", &scope, &event);
}

/// Nobody answered in time.
pub(super) fn expire(world: &World<'_>, scope: &Scope, arn: &str) {
    let Some(invitation) = world.get::<Invitation>(scope, INVITATION, arn) else { return };
    let why = "The resource share invitation expired.";
    links::decide(world, &invitation.share_arn, &invitation.receiver, "FAILED", Some(why));
    decide(world, scope, invitation, "EXPIRED");
}

/// Takes back what is still open of a share's invitations, of one account or of all.
pub(super) fn withdraw(world: &World<'_>, share_arn: &str, account: Option<&str>) {
    for stored in world.list_everywhere::<Invitation>(INVITATION) {
        let invitation = stored.document;
        let of_account = account.is_none_or(|account| invitation.receiver == account);
        if invitation.share_arn == share_arn && of_account {
            decide(world, &stored.scope, invitation, "EXPIRED");
        }
    }
}

/// An invitation has its answer: it is no open thing any more.
fn decide(
    world: &World<'_>,
    scope: &Scope,
    mut invitation: Invitation,
    status: &str,
) -> Invitation {
    status.clone_into(&mut invitation.status);
    world.delete(scope, INVITATION, &invitation.arn);
    world.put(scope, DECIDED, &invitation.arn, &invitation);
    let record = json!({
        "arn": invitation.arn, "share": invitation.share_name, "sender": invitation.sender,
        "receiver": invitation.receiver, "status": status, "decided": world.now_text(),
    });
    world.remember(scope, "ram/decided_invitation", &record);
    invitation
}

/// An invitation by its ARN, with its place and the kind under which it is kept.
pub(super) fn find(world: &World<'_>, arn: &str) -> Option<(Scope, &'static str, Invitation)> {
    [INVITATION, DECIDED].into_iter().find_map(|kind| {
        let stored = world.find_anywhere::<Invitation>(kind, arn)?;
        Some((stored.scope, kind, stored.document))
    })
}

/// `GetResourceShareInvitations`: those that the caller's account got.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let scope = call.scope();
    let mut invitations = call.world.list::<Invitation>(&scope, INVITATION);
    invitations.extend(call.world.list::<Invitation>(&scope, DECIDED));
    invitations.sort_by(|one, other| one.arn.cmp(&other.arn));
    let arns = texts(call.input, "resourceShareInvitationArns");
    let shares = texts(call.input, "resourceShareArns");
    let known = |arn: &String| invitations.iter().any(|invitation| invitation.arn == *arn);
    if let Some(arn) = arns.iter().find(|arn| !known(arn)) {
        return Err(not_found(arn));
    }
    invitations.retain(|invitation| {
        (arns.is_empty() || arns.contains(&invitation.arn))
            && (shares.is_empty() || shares.contains(&invitation.share_arn))
    });
    PAGES.page(call, "resourceShareInvitations", invitations.iter().map(shown).collect())
}

fn shown(invitation: &Invitation) -> Value {
    json!({
        "resourceShareInvitationArn": invitation.arn, "resourceShareName": invitation.share_name,
        "resourceShareArn": invitation.share_arn, "senderAccountId": invitation.sender,
        "receiverAccountId": invitation.receiver, "invitationTimestamp": invitation.sent,
        "status": invitation.status,
        "receiverArn": format!("arn:aws:iam::{}:root", invitation.receiver),
    })
}

/// `AcceptResourceShareInvitation`.
pub(super) fn accept(call: &Call<'_>) -> Reply {
    let (scope, invitation) = open(call)?;
    if share(call.world, &invitation.share_arn).is_none() {
        return Err(unknown(format!("ResourceShare {} is gone.", invitation.share_arn)));
    }
    links::decide(call.world, &invitation.share_arn, &invitation.receiver, "ASSOCIATED", None);
    let accepted = decide(call.world, &scope, invitation, "ACCEPTED");
    Ok(with_token(call, json!({"resourceShareInvitation": shown(&accepted)})))
}

/// `RejectResourceShareInvitation`.
pub(super) fn reject(call: &Call<'_>) -> Reply {
    let (scope, invitation) = open(call)?;
    let why = "The resource share invitation was rejected.";
    let (share, receiver) = (&invitation.share_arn, &invitation.receiver);
    links::decide(call.world, share, receiver, "FAILED", Some(why));
    let rejected = decide(call.world, &scope, invitation, "REJECTED");
    Ok(with_token(call, json!({"resourceShareInvitation": shown(&rejected)})))
}

/// The invitation that a call answers, while it is open.
fn open(call: &Call<'_>) -> Result<(Scope, Invitation), AwsFault> {
    let arn = call.text("resourceShareInvitationArn");
    if !arn.starts_with("arn:aws:ram:") {
        return Err(malformed(format!("The specified resource ARN {arn} is not valid.")));
    }
    let (scope, _, invitation) = find(call.world, arn).ok_or_else(|| not_found(arn))?;
    if scope.account != call.principal.account {
        return Err(not_permitted(format!("The invitation {arn} is not for your account.")));
    }
    let code = match invitation.status.as_str() {
        "PENDING" => return Ok((scope, invitation)),
        "ACCEPTED" => "ResourceShareInvitationAlreadyAcceptedException",
        "REJECTED" => "ResourceShareInvitationAlreadyRejectedException",
        _ => "ResourceShareInvitationExpiredException",
    };
    let status = invitation.status.to_lowercase();
    Err(AwsFault::new(code, format!("The resource share invitation {arn} was {status}.")))
}

/// `ListPendingInvitationResources`: what an open invitation is about.
pub(super) fn resources(call: &Call<'_>) -> Reply {
    let (_, invitation) = open(call)?;
    let Some((_, share)) = share(call.world, &invitation.share_arn) else {
        return Err(unknown(format!("ResourceShare {} is gone.", invitation.share_arn)));
    };
    let resources = share.links_of(Kind::Resource);
    let shown = resources.map(|link| super::lists::shown_resource(&share, link)).collect();
    PAGES.page(call, "resources", shown)
}

fn not_found(arn: &str) -> AwsFault {
    AwsFault::new(
        "ResourceShareInvitationArnNotFoundException",
        format!("The resource share invitation {arn} could not be found."),
    )
}

/// Accepts a share's open invitation in a service's name; says whether there was one.
pub(crate) fn accept_for_service(world: &World<'_>, share_arn: &str, account: &str) -> bool {
    let open = world.list_everywhere::<Invitation>(INVITATION).into_iter().find(|stored| {
        stored.document.share_arn == share_arn && stored.document.receiver == account
    });
    let Some(stored) = open else { return false };
    links::decide(world, share_arn, account, "ASSOCIATED", None);
    decide(world, &stored.scope, stored.document, "ACCEPTED");
    true
}
