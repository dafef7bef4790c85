//! Access keys and console passwords.

use serde_json::{Value, json};

use super::entity::{load, missing, page, save};
use super::state::{Login, User};
use super::users::target;
use crate::people::{self, AccessKey};
use crate::services::{AwsFault, Call, Reply};

/// Access keys that one user may have.
const MOST_KEYS: usize = 2;

pub(super) fn create(call: &Call<'_>) -> Reply {
    let user = target(call)?;
    let account = &call.principal.account;
    if people::access_keys(call.world, account, &user.user_name).len() >= MOST_KEYS {
        return Err(AwsFault::new(
            "LimitExceeded",
            format!("Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}"),
        ));
    }
    let key = people::create_access_key(call.world, account, &user.user_name);
    // Keys are not among the documents that count as changes: this one is a change.
    call.world.note_change();
    Ok(json!({"AccessKey": {
        "UserName": user.user_name, "AccessKeyId": key.id, "Status": "Active",
        "SecretAccessKey": key.secret, "CreateDate": key.created,
    }}))
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let user = target(call)?;
    let keys = people::access_keys(call.world, &call.principal.account, &user.user_name);
    let shown = keys.iter().map(|key| {
        json!({
            "UserName": user.user_name, "AccessKeyId": key.id,
            "Status": if key.active { "Active" } else { "Inactive" }, "CreateDate": key.created,
        })
    });
    page(call, "AccessKeyMetadata", shown.collect())
}

pub(super) fn update(call: &Call<'_>) -> Reply {
    let mut key = key_of(call)?;
    let active = call.text("Status") == "Active";
    if key.active != active {
        key.active = active;
        people::put_key(call.world, &key);
        call.world.note_change();
    }
    Ok(json!({}))
}

pub(super) fn delete(call: &Call<'_>) -> Reply {
    let key = key_of(call)?;
    people::delete_key(call.world, &call.principal.account, &key.id);
    call.world.note_change();
    Ok(json!({}))
}

fn key_of(call: &Call<'_>) -> Result<AccessKey, AwsFault> {
    let user = target(call)?;
    let id = call.text("AccessKeyId");
    people::access_key(call.world, &call.principal.account, id)
        .filter(|key| key.holder == user.user_name && !key.seeded)
        .ok_or_else(|| missing(format!("The Access Key with id {id} cannot be found.")))
}

pub(super) fn create_login(call: &Call<'_>) -> Reply {
    let mut user = target(call)?;
    if user.login.is_some() {
        return Err(AwsFault::new(
            "EntityAlreadyExists",
            format!("Login Profile for user {} already exists.", user.user_name),
        ));
    }
    let login = Login { create_date: call.world.now_text(), reset_required: reset_required(call) };
    let output = json!({"LoginProfile": shown(&user.user_name, &login)});
    user.login = Some(login);
    save(call, &user);
    Ok(output)
}

pub(super) fn get_login(call: &Call<'_>) -> Reply {
    let user = target(call)?;
    let login = user.login.as_ref().ok_or_else(|| no_login(&user))?;
    Ok(json!({"LoginProfile": shown(&user.user_name, login)}))
}

pub(super) fn update_login(call: &Call<'_>) -> Reply {
    let mut user: User = load(call)?;
    let missing = no_login(&user);
    let login = user.login.as_mut().ok_or(missing)?;
    login.reset_required = reset_required(call);
    save(call, &user);
    Ok(json!({}))
}

pub(super) fn delete_login(call: &Call<'_>) -> Reply {
    let mut user = target(call)?;
    if user.login.take().is_none() {
        return Err(no_login(&user));
    }
    save(call, &user);
    Ok(json!({}))
}

fn no_login(user: &User) -> AwsFault {
    missing(format!("Login Profile for User {} cannot be found.", user.user_name))
}

fn reset_required(call: &Call<'_>) -> bool {
    call.input.get("PasswordResetRequired").and_then(Value::as_bool).unwrap_or(false)
}

fn shown(user: &str, login: &Login) -> Value {
    json!({
        "UserName": user, "CreateDate": login.create_date,
        "PasswordResetRequired": login.reset_required,
    })
}
