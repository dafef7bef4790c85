//! Grants of a key's operations to somebody.

use serde_json::{Value, json};

use super::page;
use super::state::{Grant, KEY, Key, load};
use crate::people::hex;
use crate::services::pages::texts;
use crate::services::{AwsFault, Call, Reply};

/// `CreateGrant`: an equal one is not made twice when it has a name.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let (scope, mut key) = load(call)?;
    if !key.enabled {
        return Err(AwsFault::new("DisabledException", format!("{} is disabled.", key.arn)));
    }
    let grantee = match call.text("GranteePrincipal") {
        "" => call.text("GranteeServicePrincipal"),
        principal => principal,
    };
    if grantee.is_empty() {
        return Err(AwsFault::new("ValidationException", "A grant needs a grantee principal."));
    }
    let optional = |member: &str| call.input.get(member).and_then(Value::as_str).map(str::to_owned);
    let grant = Grant {
        id: String::new(),
        name: optional("Name"),
        grantee: grantee.to_owned(),
        retiring: optional("RetiringPrincipal"),
        operations: texts(call.input, "Operations"),
        constraints: call.input.get("Constraints").filter(|value| !value.is_null()).cloned(),
        created: call.world.now_text(),
    };
    let known = key.grants.iter().find(|known| {
        known.name.is_some()
            && known.name == grant.name
            && known.grantee == grant.grantee
            && known.operations == grant.operations
    });
    let id = match known {
        Some(known) => known.id.clone(),
        None => {
            let id = hex(&format!("grant {}", call.world.next_number("kms/grant")), 64);
            key.grants.push(Grant { id: id.clone(), ..grant });
            call.world.put(&scope, KEY, &key.id, &key);
            id
        }
    };
    Ok(json!({"GrantToken": format!("sandbox-{id}"), "GrantId": id}))
}

/// `ListGrants`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let (_, key) = load(call)?;
    let matches = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
    let shown = key
        .grants
        .iter()
        .filter(|grant| matches(call.text("GrantId"), &grant.id))
        .filter(|grant| matches(call.text("GranteePrincipal"), &grant.grantee))
        .map(|grant| shown(&key, grant))
        .collect();
    page(call, "Grants", shown)
}

fn shown(key: &Key, grant: &Grant) -> Value {
    let account = key.arn.split(':').nth(4).unwrap_or_default();
    let mut shown = json!({
        "KeyId": key.arn, "GrantId": grant.id, "GranteePrincipal": grant.grantee,
        "Operations": grant.operations, "CreationDate": grant.created,
        "IssuingAccount": format!("arn:aws:iam::{account}:root"),
    });
    let optional = [
        ("Name", grant.name.clone().map(Value::from)),
        ("RetiringPrincipal", grant.retiring.clone().map(Value::from)),
        ("Constraints", grant.constraints.clone()),
    ];
    for (member, value) in optional {
        if let Some(value) = value {
            shown[member] = value;
        }
    }
    shown
}

/// `RevokeGrant`.
pub(super) fn revoke(call: &Call<'_>) -> Reply {
    let (scope, mut key) = load(call)?;
    let before = key.grants.len();
    key.grants.retain(|grant| grant.id != call.text("GrantId"));
    if key.grants.len() == before {
        return Err(AwsFault::new(
            "NotFoundException",
            format!("Grant {} does not exist", call.text("GrantId")),
        ));
    }
    call.world.put(&scope, KEY, &key.id, &key);
    Ok(json!({}))
}
